package filter

import (
	"golang.org/x/net/bpf"
)

// wholePacket is what a program returns that keeps all of a packet: the
// MAXIMUM_SNAPLEN of libpcap.
const wholePacket = 1 << 18

// And returns a program that accepts what p and all the others accept, and keeps
// as much as the last one does.
//
// The result is one program, of which everything holds that holds of one: a
// load behind the end of the packet rejects it. That is as in the expressions of
// pcap-filter(7). The programs have to be valid, and their lengths to add up to
// no more than [MaxUserLen].
func (p Program) And(others ...Program) (Program, error) {
	return combine(append([]Program{p}, others...), true)
}

// Or returns a program that accepts what p or any of the others accepts, and
// keeps as much as the first that does.
//
// The result is one program: where a load lies behind the end of the packet,
// the packet is rejected at once, without asking the programs that follow. That
// is as in the expressions of pcap-filter(7). The programs have to be valid, and
// their lengths to add up to no more than [MaxUserLen].
func (p Program) Or(others ...Program) (Program, error) {
	return combine(append([]Program{p}, others...), false)
}

// Not returns a program that accepts what p rejects, and keeps all of it; and
// rejects what p accepts.
//
// A packet that p rejects because it is too short for one of p's loads, or
// because p divides by zero, is rejected by both. That is as in the expressions
// of pcap-filter(7).
func (p Program) Not() (Program, error) {
	var b Builder
	yes, no := b.NewLabel(), b.NewLabel()
	if err := b.inline(p, returns{accept: no, reject: yes}); err != nil {
		return nil, err
	}
	b.Set(yes)
	b.Add(bpf.RetConstant{Val: wholePacket})
	b.Set(no)
	b.Add(bpf.RetConstant{})
	return b.Program()
}

// combine composes programs; all says that every one has to accept.
func combine(programs []Program, all bool) (Program, error) {
	var b Builder
	for i, p := range programs {
		r := returns{}
		next := b.NewLabel()
		if i < len(programs)-1 {
			if all {
				r.accept = next
			} else {
				r.reject = next
			}
		}
		if i > 0 {
			b.clear(p)
		}
		if err := b.inline(p, r); err != nil {
			return nil, err
		}
		b.Set(next)
	}
	return b.Program()
}

// returns says where a program that is part of another goes instead of
// returning. [Next] lets it return.
type returns struct{ accept, reject Label }

// inline adds a valid program.
func (b *Builder) inline(p Program, r returns) error {
	if err := p.Validate(); err != nil {
		return err
	}
	labels := make([]Label, len(p))
	for i := range labels {
		labels[i] = b.NewLabel()
	}
	for i, in := range p {
		b.Set(labels[i])
		yes, no, isJump := jumps(i, in)
		switch {
		case isJump:
			b.jump(bpf.RawInstruction{Op: in.Op, K: in.K}, labels[yes], labels[no])
		case in.Op == classRet && in.K != 0 && r.accept != Next:
			b.Jump(r.accept)
		case in.Op == classRet && in.K == 0 && r.reject != Next:
			b.Jump(r.reject)
		case in.Op == classRet|retA:
			accept, reject := b.NewLabel(), b.NewLabel()
			b.JumpIf(bpf.JumpEqual, 0, reject, accept)
			b.Set(reject)
			if r.reject != Next {
				b.Jump(r.reject)
			} else {
				b.prog = append(b.prog, bpf.RawInstruction{Op: classRet})
			}
			b.Set(accept)
			if r.accept != Next {
				b.Jump(r.accept)
			} else {
				b.prog = append(b.prog, in)
			}
		default:
			b.prog = append(b.prog, in)
		}
	}
	return nil
}

// The registers, as bits beside those of the words of memory.
const (
	usesA = 1 << (scratchWords + iota)
	usesX
)

// clear adds instructions that set to zero what p reads before it writes it,
// as it would find it if it were the first.
func (b *Builder) clear(p Program) {
	if p.Validate() != nil {
		return // inline says so
	}
	reads := readsFirst(p)
	for i := range scratchWords {
		if reads&(1<<i) != 0 {
			reads |= usesA
		}
	}
	if reads&usesA != 0 {
		b.Add(bpf.LoadConstant{Dst: bpf.RegA})
	}
	if reads&usesX != 0 {
		b.Add(bpf.LoadConstant{Dst: bpf.RegX})
	}
	for i := range scratchWords {
		if reads&(1<<i) != 0 {
			b.Add(bpf.StoreScratch{Src: bpf.RegA, N: i})
		}
	}
}

// readsFirst returns the registers and words that a valid program may read
// before it has written them.
func readsFirst(p Program) uint32 { return liveness(p)[0] }

// liveness returns for each instruction of a valid program the registers and
// words that may be read from there on before they are written.
func liveness(p Program) []uint32 {
	// The instructions before each one, as lists: first[i] is the last entry of
	// that of i, and 0 is the end of a list.
	type entry struct{ insn, next int }
	first := make([]int, len(p)+1)
	entries := make([]entry, 1, 2*len(p)+1)
	add := func(from, to int) {
		entries = append(entries, entry{from, first[to]})
		first[to] = len(entries) - 1
	}
	todo := make([]int, len(p))
	for i, in := range p {
		todo[i] = i
		if yes, no, ok := jumps(i, in); ok {
			add(i, yes)
			add(i, no)
		} else if in.Op&classMask != classRet {
			add(i, i+1)
		}
	}
	// Each instruction is looked at again when what one behind it reads has
	// become more, which happens at most once for each bit.
	live := make([]uint32, len(p)+1)
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		reads, writes := effects(p[i])
		after := live[i+1]
		if yes, no, ok := jumps(i, p[i]); ok {
			after = live[yes] | live[no]
		} else if p[i].Op&classMask == classRet {
			after = 0
		}
		now := reads | after&^writes
		if now == live[i] {
			continue
		}
		live[i] = now
		for e := first[i]; e != 0; e = entries[e].next {
			todo = append(todo, entries[e].insn)
		}
	}
	return live
}

// effects returns what an instruction reads and writes.
func effects(in bpf.RawInstruction) (reads, writes uint32) {
	switch in.Op & classMask {
	case classLD, classLDX:
		writes = usesA
		if in.Op&classMask == classLDX {
			writes = usesX
		}
		switch in.Op & modeMask {
		case modeInd:
			reads = usesX
		case modeMem:
			reads = 1 << (in.K % scratchWords)
		case modeAbs:
			if in.K == ancillary+adXorX {
				reads = usesA | usesX
			}
		}
		return reads, writes
	case classST:
		return usesA, 1 << (in.K % scratchWords)
	case classSTX:
		return usesX, 1 << (in.K % scratchWords)
	case classMisc:
		if in.Op == classMisc|tax {
			return usesA, usesX
		}
		return usesX, usesA
	case classALU:
		reads, writes = usesA, usesA
		if in.Op&srcX != 0 {
			reads |= usesX
		}
		return reads, writes
	case classJump:
		if in.Op == classJump|jmpJA {
			return 0, 0
		}
		reads = usesA
		if in.Op&srcX != 0 {
			reads |= usesX
		}
		return reads, 0
	}
	if in.Op == classRet|retA {
		return usesA, 0
	}
	return 0, 0
}
