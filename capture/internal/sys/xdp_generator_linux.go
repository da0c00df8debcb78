package sys

import (
	"errors"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/sys/unix"
)

// XDPGenerator makes frames inside the kernel, for tests and benchmarks: many
// more than a program can send, and at no cost for the sender of a system call
// each.
type XDPGenerator struct {
	devices *BPFMap
	prog    *BPFProgram
}

// NewXDPGenerator makes a generator that transmits on the interface with the
// given index, of the namespace of the calling thread. On one end of a veth
// cable, the frames arrive at the other, which must have an XDP program in its
// driver, or else GRO.
func NewXDPGenerator(index int) (*XDPGenerator, error) {
	g := new(XDPGenerator)
	var err error
	if g.devices, err = NewDeviceMap(1); err != nil {
		return nil, err
	}
	if err := g.devices.Set(0, index); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if g.prog, err = LoadXDP("gopkts_gen", filter.EBPF{
		{Op: unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW, Dst: 1, Src: unix.BPF_PSEUDO_MAP_FD, Imm: int32(g.devices.FD())},
		{},
		{Op: unix.BPF_ALU | unix.BPF_MOV, Dst: 2}, // the first of the map
		{Op: unix.BPF_ALU | unix.BPF_MOV, Dst: 3},
		{Op: unix.BPF_JMP | unix.BPF_CALL, Imm: bpfRedirectMap},
		{Op: unix.BPF_JMP | unix.BPF_EXIT},
	}, false); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// Generate transmits n copies of frame. It returns when they are on their way.
// The calling thread may be in any namespace.
func (g *XDPGenerator) Generate(frame []byte, n int) error { return g.prog.RunLive(frame, n, 0) }

// Close frees the program.
func (g *XDPGenerator) Close() error {
	err := g.devices.Close()
	if g.prog != nil {
		err = errors.Join(err, g.prog.Close())
	}
	return err
}
