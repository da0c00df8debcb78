package capture

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// cookedHeader is a header that the capture puts before frames whose own header
// the kernel has taken off. The kernel filters such a frame as it is without
// either header, and what the header will say is read from what a filter knows
// as extensions: SKF_AD_OFF in the kernel's documentation of socket filters.
type cookedHeader uint8

const (
	cookedNone cookedHeader = iota
	cookedSLL2
	cookedNetlink
)

// cookedField is a field of a header that a filter can read: its offset and
// size in bytes, and the extension that has its value.
type cookedField struct {
	off, size uint32
	ext       uint32
}

// Extensions of linux/filter.h.
const (
	extBase     = 0xfffff000 // SKF_AD_OFF
	extProtocol = extBase + 0
	extPktType  = extBase + 4
	extIfindex  = extBase + 8
	extHatype   = extBase + 28
	extLowest   = 0xffe00000 // SKF_LL_OFF: what is above is no offset into the frame
)

// layout returns the length of h in bytes and the fields that a filter can
// read. The address of the sender is none of them.
func (h cookedHeader) layout() (uint32, []cookedField) {
	switch h {
	case cookedNone:
	case cookedSLL2:
		return 20, []cookedField{{0, 2, extProtocol}, {4, 4, extIfindex}, {8, 2, extHatype}, {10, 1, extPktType}}
	case cookedNetlink: // the header of LINKTYPE_LINUX_SLL
		return 16, []cookedField{{0, 2, extPktType}, {2, 2, extHatype}, {14, 2, extProtocol}}
	}
	return 0, nil
}

// Parts of a classic BPF operation code that loads.
const (
	opMode    = 0xe0
	opLd      = 0x00 // BPF_LD
	opLdx     = 0x01 // BPF_LDX
	opAbs     = 0x20
	opInd     = 0x40
	opLen     = 0x80
	opMsh     = 0xa0
	opSize    = 0x18
	opHalf    = 0x08
	opByte    = 0x10
	opAddK    = 0x04 // BPF_ALU | BPF_ADD | BPF_K
	opSubK    = 0x14 // BPF_ALU | BPF_SUB | BPF_K
	opJumpEqK = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
)

// filter returns the program that does to a frame without its header what prog,
// which is the result of withSnapLen, does to the frame with header h. limit is
// how many instructions it may have. The error wraps ErrFilter.
//
// Offsets behind the header are moved, fields of the header become extensions,
// and lengths, the frame's own and those that the filter returns, have the
// header added or taken off. At least one byte behind the header is kept of
// every frame, because 0 would reject it. A program that reads what the kernel
// does not tell is refused.
func (h cookedHeader) filter(prog []bpf.RawInstruction, limit int) ([]bpf.RawInstruction, error) {
	if n, fields := h.layout(); n > 0 {
		var err error
		if prog, err = cook(prog, n, fields); err != nil {
			return nil, err
		}
	}
	if len(prog) > limit {
		return nil, fmt.Errorf("%w: %d instructions, limit %d", ErrFilter, len(prog), limit)
	}
	return prog, nil
}

func cook(prog []bpf.RawInstruction, n uint32, fields []cookedField) ([]bpf.RawInstruction, error) {
	// What does not fit its place makes the program longer, so that first every
	// instruction gets its new place.
	out := make([]bpf.RawInstruction, 0, len(prog)+6)
	place := make([]int, len(prog))
	for i, in := range prog {
		place[i] = len(out)
		last := i == len(prog)-1
		switch class, mode := in.Op&opClass, in.Op&opMode; {
		case class == opLd && mode == opAbs, class == opLdx && mode == opMsh:
			k, ok := cookOffset(in, n, fields)
			if !ok {
				return nil, fmt.Errorf("%w: instruction %d reads byte %d of a cooked header, which the kernel's filter does not know",
					ErrFilter, i, in.K)
			}
			in.K = k
			out = append(out, in)
		case class == opLd && mode == opInd:
			if in.K < n {
				return nil, fmt.Errorf("%w: instruction %d reads at byte %d or behind, which may be in the cooked header",
					ErrFilter, i, in.K)
			}
			if in.K < extLowest {
				in.K -= n
			}
			out = append(out, in)
		case class == opLd && mode == opLen:
			out = append(out, in, bpf.RawInstruction{Op: opAddK, K: n})
		case class == opLdx && mode == opLen:
			return nil, fmt.Errorf("%w: instruction %d loads the length of a cooked frame into the index register",
				ErrFilter, i)
		case in.Op == opRetK:
			if in.K > 0 {
				in.K = max(in.K, n+1) - n
			}
			out = append(out, in)
		case in.Op == opRetA && last:
			// withSnapLen has left no other one.
			out = append(out,
				bpf.RawInstruction{Op: opJumpEqK, Jt: 3, K: 0},
				bpf.RawInstruction{Op: opJumpGtK, Jf: 3, K: n},
				bpf.RawInstruction{Op: opSubK, K: n},
				bpf.RawInstruction{Op: opRetA},
				bpf.RawInstruction{Op: opRetK},
				bpf.RawInstruction{Op: opRetK, K: 1})
		default:
			out = append(out, in)
		}
	}
	for i, in := range prog {
		if in.Op&opClass != opJump {
			continue
		}
		from := place[i] + 1
		far := func(skip uint32) uint32 { return uint32(place[i+1+int(skip)] - from) }
		jump := &out[place[i]]
		if in.Op == opJumpA {
			jump.K = far(in.K)
			continue
		}
		jt, jf := far(uint32(in.Jt)), far(uint32(in.Jf))
		if max(jt, jf) > 255 {
			return nil, fmt.Errorf("%w: instruction %d jumps too far for a cooked header", ErrFilter, i)
		}
		jump.Jt, jump.Jf = uint8(jt), uint8(jf)
	}
	return out, nil
}

// cookOffset returns the offset that a load of a fixed one needs.
func cookOffset(in bpf.RawInstruction, n uint32, fields []cookedField) (uint32, bool) {
	if in.K >= extLowest {
		return in.K, true
	}
	if in.K >= n {
		return in.K - n, true
	}
	size := uint32(4)
	switch {
	case in.Op&opMode == opMsh:
		return 0, false
	case in.Op&opSize == opHalf:
		size = 2
	case in.Op&opSize == opByte:
		size = 1
	}
	for _, f := range fields {
		if f.off == in.K && f.size == size {
			return f.ext, true
		}
	}
	return 0, false
}
