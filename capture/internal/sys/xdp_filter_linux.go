package sys

import (
	"slices"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// XDPFilter is a filter of Ethernet frames as they lie in memory, a VLAN tag
// included, that the kernel runs at the XDP hook and the program may run again.
type XDPFilter struct {
	prog filter.Program
	vms  []*filter.VM // by queue; one for all if no instruction asks for the queue
}

// Offsets at and above which a load does not count from the start of the frame,
// and metadata by its distance from skfADOff: linux/filter.h.
const (
	skfLLOff  = 0xffe00000
	skfNetOff = 0xfff00000
	skfADOff  = 0xfffff000

	skfADMark  = 20
	skfADQueue = 24
)

// etherLen is the length of an Ethernet header, behind which the network header
// begins.
const etherLen = 14

// NewXDPFilter checks a program by the kernel's rules. Loads relative to the
// network header and to the link header, SKF_NET_OFF and SKF_LL_OFF of
// linux/filter.h, work when their offset is a constant; of the metadata,
// SKF_AD_*, what [filter.Program.XDP] knows. pieces is that of the [XDPConfig].
// It keeps no reference to prog. The error is that of [filter.Program.XDP].
func NewXDPFilter(prog []bpf.RawInstruction, pieces bool) (*XDPFilter, error) {
	f := &XDPFilter{prog: slices.Clone(filter.Program(prog))}
	for i := range f.prog {
		in := &f.prog[i]
		if !loadsAbsolute(in.Op) {
			continue
		}
		switch {
		case in.K >= skfADOff:
		case in.K >= skfNetOff:
			in.K -= skfNetOff - etherLen
		case in.K >= skfLLOff:
			in.K -= skfLLOff
		}
	}
	if _, err := f.prog.XDP(filter.XDPOptions{Sockets: 1, Frags: pieces}); err != nil {
		return nil, err
	}
	return f, nil
}

// loadsAbsolute reports whether an operation loads from a constant offset.
func loadsAbsolute(op uint16) bool {
	switch op {
	case unix.BPF_LD | unix.BPF_ABS | unix.BPF_W, unix.BPF_LD | unix.BPF_ABS | unix.BPF_H, unix.BPF_LD | unix.BPF_ABS | unix.BPF_B:
		return true
	}
	return false
}

// Keeps returns how many bytes of a frame the filter keeps, if that is the same
// for all frames that it accepts.
func (f *XDPFilter) Keeps() (n uint32, ok bool) {
	for _, in := range f.prog {
		switch in.Op {
		case unix.BPF_RET | unix.BPF_A:
			return 0, false
		case unix.BPF_RET | unix.BPF_K:
			if in.K == 0 {
				continue
			}
			if ok && in.K != n {
				return 0, false
			}
			n, ok = in.K, true
		}
	}
	return n, ok
}

// Prepare makes what [XDPFilter.Run] runs, for the queues from 0 to queues-1.
func (f *XDPFilter) Prepare(queues int) error {
	f.vms = nil
	for q := range max(1, queues) {
		prog, asks := f.inQueue(uint32(q))
		vm, err := filter.NewVM(prog, filter.VMOptions{Linux: true})
		if err != nil {
			return err
		}
		f.vms = append(f.vms, vm)
		if !asks {
			break
		}
	}
	return nil
}

// inQueue returns the program with the constants that the metadata is which a
// [link.Info] does not tell, and whether it asks for the queue.
func (f *XDPFilter) inQueue(q uint32) (prog filter.Program, asks bool) {
	prog = slices.Clone(f.prog)
	for i, in := range prog {
		if !loadsAbsolute(in.Op) {
			continue
		}
		switch in.K {
		case skfADOff + skfADQueue:
			prog[i] = bpf.RawInstruction{Op: unix.BPF_LD | unix.BPF_IMM, K: q}
			asks = true
		case skfADOff + skfADMark:
			prog[i] = bpf.RawInstruction{Op: unix.BPF_LD | unix.BPF_IMM}
		}
	}
	return prog, asks
}

// Run returns what the program returns for a whole frame of a queue that
// [XDPFilter.Prepare] was told: how many of its bytes to keep, and 0 for none of
// it. info has the link type, the direction and the interface. It allocates
// nothing.
func (f *XDPFilter) Run(b []byte, info *link.Info, queue int) uint32 {
	return f.vms[min(queue, len(f.vms)-1)].RunInfo(b, len(b), info)
}
