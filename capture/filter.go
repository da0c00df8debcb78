package capture

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
)

// ErrFilter is wrapped by the error of [Sniffer.Activate] for a filter that is
// not a valid classic BPF program, or that the platform does not accept.
var ErrFilter = errors.New("filter is not valid")

// maxFilter is how many instructions Linux (BPF_MAXINSNS) and Npcap accept; the
// BSDs accept 512.
const maxFilter = 4096

// Parts of a classic BPF operation code, and the codes that end a program.
const (
	opClass   = 0x07
	opJump    = 0x05 // BPF_JMP
	opRet     = 0x06 // BPF_RET
	opRetK    = 0x06 // BPF_RET | BPF_K
	opRetA    = 0x16 // BPF_RET | BPF_A
	opJumpA   = 0x05 // BPF_JMP | BPF_JA
	opJumpGtK = 0x25 // BPF_JMP | BPF_JGT | BPF_K
)

// withSnapLen returns a filter that accepts what prog accepts (everything, when
// prog is empty) and keeps at most snap bytes of it. prog is not changed. The
// error wraps ErrFilter.
//
// The length that is kept is what a filter returns, on every platform; so a
// limit must go into the program. Constants are lowered where they stand. A
// program that computes its result jumps, from where it would have returned,
// to a tail that compares first; that keeps every instruction at its place,
// and so every jump right.
func withSnapLen(prog []bpf.RawInstruction, snap uint32) ([]bpf.RawInstruction, error) {
	if len(prog) == 0 {
		return []bpf.RawInstruction{{Op: opRetK, K: snap}}, nil
	}
	if len(prog) > maxFilter {
		return nil, fmt.Errorf("%w: %d instructions, limit %d", ErrFilter, len(prog), maxFilter)
	}
	out := make([]bpf.RawInstruction, len(prog), len(prog)+3)
	copy(out, prog)
	tail := false
	for i := range out {
		in := &out[i]
		left := len(out) - i - 1 // instructions behind this one
		switch in.Op & opClass {
		case opJump:
			far := uint64(max(in.Jt, in.Jf))
			if in.Op == opJumpA {
				far = uint64(in.K)
			}
			if far >= uint64(left) {
				return nil, fmt.Errorf("%w: instruction %d jumps behind the end", ErrFilter, i)
			}
		case opRet:
			switch in.Op {
			case opRetK:
				in.K = min(in.K, snap)
			case opRetA:
				*in = bpf.RawInstruction{Op: opJumpA, K: uint32(left)}
				tail = true
			default:
				return nil, fmt.Errorf("%w: instruction %d returns neither a constant nor the accumulator", ErrFilter, i)
			}
		}
	}
	if prog[len(prog)-1].Op&opClass != opRet {
		return nil, fmt.Errorf("%w: last instruction does not return", ErrFilter)
	}
	if tail {
		out = append(out,
			bpf.RawInstruction{Op: opJumpGtK, Jf: 1, K: snap},
			bpf.RawInstruction{Op: opRetK, K: snap},
			bpf.RawInstruction{Op: opRetA})
		if len(out) > maxFilter {
			return nil, fmt.Errorf("%w: %d instructions with the limit of the length, limit %d", ErrFilter, len(out), maxFilter)
		}
	}
	return out, nil
}
