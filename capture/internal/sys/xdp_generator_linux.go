package sys

import (
	"errors"

	"github.com/gopkts/gopkts/capture/internal/ebpf"
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
	var p ebpf.Program
	p.LoadMap(ebpf.R1, g.devices.FD())
	p.ALU32Imm(ebpf.Mov, ebpf.R2, 0)
	p.ALU32Imm(ebpf.Mov, ebpf.R3, 0)
	p.Call(ebpf.RedirectMap)
	p.Exit()
	if g.prog, err = loadXDP("gopkts_gen", &p, false); err != nil {
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
