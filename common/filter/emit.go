package filter

import (
	"errors"
	"math/bits"
	"slices"

	"golang.org/x/net/bpf"
)

// MaxProgram is the greatest number of instructions the compiler emits: what
// the Linux kernel takes (BPF_MAXINSNS in linux/bpf_common.h).
const MaxProgram = 4096

const scratchWords = 16

var (
	errTooManyInstructions = errors.New("the program would be longer than 4096 instructions")
	errTooManyRegisters    = errors.New("the program would need more than 16 scratch registers")
)

// regState is what the accumulator and the index register hold: 0 is unknown.
// The accumulator may be known by two names.
type regState struct{ a, a2, x valID }

func (s regState) meet(o regState) regState {
	var out regState
	switch {
	case s.a != 0 && (s.a == o.a || s.a == o.a2):
		out.a = s.a
		if s.a2 != 0 && (s.a2 == o.a || s.a2 == o.a2) {
			out.a2 = s.a2
		}
	case s.a2 != 0 && (s.a2 == o.a || s.a2 == o.a2):
		out.a = s.a2
	}
	if s.x == o.x {
		out.x = s.x
	}
	return out
}

// emitter turns a graph into instructions.
type emitter struct {
	g     *graph
	st    regState
	phys  [64]int8 // the scratch register of each of the graph's registers, plus 1
	inUse uint32   // scratch registers that are taken
	full  bool     // there were not enough of them
}

// emit returns the program of a graph. snap is what the program returns for a
// packet that matches.
func (g *graph) emit(root nodeID, snap uint32) ([]bpf.RawInstruction, error) {
	var room [few]nodeID
	order := g.order(root, room[:])
	e := emitter{g: g}
	g.code.reset()
	for _, id := range order {
		n := g.nodes.at(id)
		regs := uint64(0)
		if n.kind != nodeRet {
			regs = g.vals.at(n.a).regs
			if n.x != 0 {
				regs |= g.vals.at(n.x).regs
			}
			if n.kind == nodeStore {
				regs |= 1 << n.k
			}
		}
		for r := 0; regs != 0; r, regs = r+1, regs>>1 {
			if regs&1 != 0 && e.phys[r] == 0 {
				e.phys[r] = int8(e.scratch()) + 1
			}
		}
	}

	// The instructions of each node, which depend on what the registers hold
	// after all nodes that lead to it.
	var slotRoom [few]slot
	slots := resize(slotRoom[:], int(g.nodes.n))
	arrive := func(to nodeID, st regState) {
		if s := &slots[to]; s.seen {
			s.in = s.in.meet(st)
		} else {
			s.in, s.seen = st, true
		}
	}
	for _, id := range order {
		n := g.nodes.at(id)
		if n.kind == nodeRet {
			continue
		}
		e.st = slots[id].in
		slots[id].from = g.code.n
		switch n.kind {
		case nodeTest:
			if n.x != 0 {
				e.pair(n.a, n.x, false)
			} else {
				e.loadA(n.a)
			}
		case nodeStore:
			e.loadA(n.a)
			e.op(0x02, uint32(e.phys[n.k]-1)) // st
			e.forget(int(n.k))
			e.st.a2 = e.g.mem(int(n.k))
			if e.st.a == 0 {
				e.st.a, e.st.a2 = e.st.a2, 0
			}
		case nodeTouch:
			e.loadA(n.a)
		}
		slots[id].to = g.code.n
		arrive(n.t, e.st)
		if n.kind == nodeTest {
			arrive(n.f, e.st)
		}
	}
	if e.full {
		return nil, errTooManyRegisters
	}
	return g.layout(order, snap, slots, g.code.all())
}

// slot is what is known of a node while its instructions are made.
type slot struct {
	in       regState
	seen     bool
	from, to int32 // its instructions without the jump
	at       int32 // how many instructions from the end, with it; 0 if not there
}

// layout puts the nodes in a row, last first, with jumps that reach. A jump
// reaches 255 instructions; one that does not goes to a jump without that
// limit, or to a copy of the return.
func (g *graph) layout(order []nodeID, snap uint32, slots []slot, code []bpf.RawInstruction) ([]bpf.RawInstruction, error) {
	piece := func(id nodeID) []bpf.RawInstruction { return code[slots[id].from:slots[id].to] }
	var now nodeID
	const reach = 250 // leaves room for the two instructions that one node may add
	back := make([]bpf.RawInstruction, 0, len(code)+len(order)+2)
	put := func(i bpf.RawInstruction) bool {
		back = append(back, i)
		if g.owned {
			g.owner = append(g.owner, now)
		}
		return len(back) <= MaxProgram
	}
	ret := func(id nodeID) bpf.RawInstruction {
		k := uint32(0)
		if id == accept {
			k = snap
		}
		return bpf.RawInstruction{Op: 0x06, K: k}
	}
	// near makes sure that a jump from the next instruction reaches id.
	near := func(id nodeID) bool {
		if slots[id].at != 0 && len(back)-int(slots[id].at) <= reach {
			return true
		}
		var ok bool
		if id == reject || id == accept {
			ok = put(ret(id))
		} else {
			ok = put(bpf.RawInstruction{Op: 0x05, K: uint32(len(back) - int(slots[id].at))})
		}
		slots[id].at = int32(len(back))
		return ok
	}
	// libpcap's order: accept before reject.
	if used := g.leaves(order); used[reject] {
		near(reject)
	}
	// Nodes with the same instructions and the same ways out are one.
	var twinRoom [2 * few]nodeID
	twins := resize(twinRoom[:], 2<<bits.Len(uint(len(order))))
	var sameRoom [few]nodeID
	same := resize(sameRoom[:], int(g.nodes.n))
	for i := len(order) - 1; i >= 0; i-- {
		id := order[i]
		n := g.nodes.at(id)
		ok := true
		same[id] = id
		now = reject // what is not of a node: returns and jumps
		if n.kind != nodeRet {
			n.t, n.f = same[n.t], same[n.f]
		}
		if n.kind == nodeTest {
			p := piece(id)
			h := hash32(uint32(n.op), n.k, uint32(n.t), uint32(n.f), uint32(len(p)))
			for _, in := range p {
				h = hash32(h, uint32(in.Op), in.K)
			}
			mask := uint32(len(twins) - 1)
			slot := h & mask
			for ; twins[slot] != 0; slot = (slot + 1) & mask {
				o := g.nodes.at(twins[slot])
				if o.op == n.op && o.k == n.k && o.t == n.t && o.f == n.f && (o.x != 0) == (n.x != 0) && slices.Equal(p, piece(twins[slot])) {
					break
				}
			}
			if twins[slot] != 0 {
				same[id] = twins[slot]
				continue
			}
			twins[slot] = id
		}
		switch n.kind {
		case nodeRet:
			if slots[id].at == 0 {
				near(id) // too many instructions show at the next node
			}
			continue
		case nodeTest:
			ok = near(n.t) && near(n.f) && near(n.t)
			now = id
			op := uint16(0x05) | uint16(n.op)
			if n.x != 0 {
				op |= 0x08
			}
			ok = ok && put(bpf.RawInstruction{Op: op, K: n.k, Jt: uint8(len(back) - int(slots[n.t].at)), Jf: uint8(len(back) - int(slots[n.f].at))})
		default:
			if int(slots[n.t].at) != len(back) {
				switch n.t {
				case reject, accept:
					ok = put(ret(n.t))
				default:
					ok = put(bpf.RawInstruction{Op: 0x05, K: uint32(len(back) - int(slots[n.t].at))})
				}
			}
		}
		now = id
		p := piece(id)
		for j := len(p) - 1; j >= 0 && ok; j-- {
			ok = put(p[j])
		}
		if !ok {
			return nil, errTooManyInstructions
		}
		slots[id].at = int32(len(back))
	}
	slices.Reverse(back)
	slices.Reverse(g.owner)
	return back, nil
}

func (g *graph) leaves(order []nodeID) (used [2]bool) {
	for _, id := range order {
		if id <= accept {
			used[id] = true
		}
	}
	return used
}

func (e *emitter) op(code uint16, k uint32) {
	e.g.code.add(bpf.RawInstruction{Op: code, K: k})
}

// scratch takes a free scratch register.
func (e *emitter) scratch() int {
	for r := range scratchWords {
		if e.inUse&(1<<r) == 0 {
			e.inUse |= 1 << r
			return r
		}
	}
	e.full = true
	return 0
}

// forget drops what is known by way of a register that changes.
func (e *emitter) forget(reg int) {
	bit := uint64(1) << reg
	if e.g.vals.at(e.st.a).regs&bit != 0 {
		e.st.a = 0
	}
	if e.g.vals.at(e.st.a2).regs&bit != 0 {
		e.st.a2 = 0
	}
	if e.g.vals.at(e.st.x).regs&bit != 0 {
		e.st.x = 0
	}
	if e.st.a == 0 {
		e.st.a, e.st.a2 = e.st.a2, 0
	}
}

func (e *emitter) setA(v valID) { e.st.a, e.st.a2 = v, 0 }

func sizeBits(size uint8) uint16 {
	switch size {
	case 1:
		return 0x10
	case 2:
		return 0x08
	}
	return 0
}

// loadsX reports whether one instruction loads v into the index register.
func (e *emitter) loadsX(v valID) bool {
	switch e.g.vals.at(v).op {
	case valConst, valLen, valMsh, valMem:
		return true
	}
	return false
}

// usesX reports whether computing v in the accumulator changes the index
// register.
func (e *emitter) usesX(v valID) bool {
	if v == e.st.a || v == e.st.a2 || v == e.st.x {
		return false
	}
	switch n := e.g.vals.at(v); n.op {
	case valInd:
		return n.a != e.st.x
	case valMsh:
		return true
	case valNeg:
		return e.usesX(n.a)
	case valAlu:
		if e.g.vals.at(n.b).op == valConst {
			return e.usesX(n.a)
		}
		return n.b != e.st.x || e.usesX(n.a)
	}
	return false
}

// loadA makes the accumulator v.
func (e *emitter) loadA(v valID) {
	if v == e.st.a || v == e.st.a2 {
		return
	}
	if v == e.st.x {
		e.op(0x87, 0) // txa
		e.setA(v)
		return
	}
	n := *e.g.vals.at(v)
	switch n.op {
	case valConst:
		e.op(0x00, n.k)
	case valLen:
		e.op(0x80, 0)
	case valMem:
		e.op(0x60, uint32(e.phys[n.k]-1))
	case valAbs:
		e.op(0x20|sizeBits(n.size), n.k)
	case valInd:
		e.loadX(n.a)
		e.op(0x40|sizeBits(n.size), n.k)
	case valMsh:
		e.loadX(v)
		e.op(0x87, 0)
	case valNeg:
		e.loadA(n.a)
		e.op(0x84, 0)
	case valAlu:
		if e.g.vals.at(n.b).op == valConst {
			e.loadA(n.a)
			e.op(0x04|uint16(n.alu), e.g.vals.at(n.b).k)
			break
		}
		e.pair(n.a, n.b, commutes(n.alu))
		e.op(0x0c|uint16(n.alu), 0)
	}
	e.setA(v)
}

// loadX makes the index register v, and may change the accumulator.
func (e *emitter) loadX(v valID) {
	switch {
	case v == e.st.x:
		return
	case v == e.st.a || v == e.st.a2:
		e.op(0x07, 0) // tax
	case e.loadsX(v):
		n := e.g.vals.at(v)
		switch n.op {
		case valConst:
			e.op(0x01, n.k)
		case valLen:
			e.op(0x81, 0)
		case valMem:
			e.op(0x61, uint32(e.phys[n.k]-1))
		case valMsh:
			e.op(0xb1, n.k)
		}
	default:
		e.loadA(v)
		e.op(0x07, 0)
	}
	e.st.x = v
}

// pair makes the accumulator a and the index register b, or the other way
// round where that is as good.
func (e *emitter) pair(a, b valID, either bool) {
	inA := func(v valID) bool { return v == e.st.a || v == e.st.a2 }
	switch {
	case e.st.x == b && !e.usesX(a):
		e.loadA(a)
	case either && e.st.x == a && !e.usesX(b):
		e.loadA(b)
	case e.loadsX(b):
		e.loadA(a)
		e.loadX(b)
	case either && e.loadsX(a):
		e.loadA(b)
		e.loadX(a)
	case either && inA(a) && !e.usesXAfter(b):
		e.loadX(a)
		e.loadA(b)
	case !e.usesXAfter(a):
		e.loadX(b)
		e.loadA(a)
	case either && !e.usesXAfter(b):
		e.loadX(a)
		e.loadA(b)
	default:
		e.loadA(b)
		r := e.scratch()
		e.op(0x02, uint32(r))
		e.loadA(a)
		e.op(0x61, uint32(r))
		e.st.x = b
		e.inUse &^= 1 << r
	}
}

// usesXAfter is usesX where nothing is known of the registers.
func (e *emitter) usesXAfter(v valID) bool {
	st := e.st
	e.st = regState{}
	uses := e.usesX(v)
	e.st = st
	return uses
}
