package filter

import (
	"math/bits"
	"slices"

	"golang.org/x/net/bpf"
)

// The compiler's middle: a filter is a decision graph without cycles. Its
// nodes test a value computed from the packet, or keep one in a register, and
// its two leaves accept and reject. The packet does not change, so a value is
// known by how it is computed: equal computations are one value, and a test
// whose outcome follows from the tests before it is skipped.

// valID names a value; 0 is none.
type valID int32

type valOp uint8

const (
	valConst valOp = iota + 1
	valLen         // the length of the packet on the wire
	valAbs         // size bytes of the packet at k
	valInd         // size bytes of the packet at a + k
	valMsh         // four times the low nibble of the byte at k
	valAlu         // a alu b
	valNeg         // -a
	valMem         // register k
)

type val struct {
	op   valOp
	alu  uint8 // for valAlu the operation's bits of a BPF opcode
	size uint8 // 1, 2 or 4
	load bool  // the value depends on bytes of the packet
	trap bool  // computing the value may divide by zero, which rejects the packet
	k    uint32
	a, b valID
	max  uint32 // no value is greater
	regs uint64 // the registers the value depends on
}

// BPF opcode bits.
const (
	aluAdd = 0x00
	aluSub = 0x10
	aluMul = 0x20
	aluDiv = 0x30
	aluOr  = 0x40
	aluAnd = 0x50
	aluLsh = 0x60
	aluRsh = 0x70
	aluNeg = 0x80
	aluMod = 0x90
	aluXor = 0xa0

	jmpJA   = 0x00
	jmpJEQ  = 0x10
	jmpJGT  = 0x20
	jmpJGE  = 0x30
	jmpJSET = 0x40
	jmpIn   = 0x80 // a is in set k; not of BPF, and made of others in the end
)

// outside is an offset at which no packet has a byte: greater offsets reach
// the kernel's ancillary data, or wrap.
const outside = 0x7fffffff

// anyAncillary is where the kernel's ancillary data begin (SKF_AD_OFF in
// linux/filter.h).
const ancillary = 0xfffff000

// nodeID names a node. The two leaves have fixed names.
type nodeID int32

const (
	reject nodeID = 0
	accept nodeID = 1
)

type nodeKind uint8

const (
	nodeRet nodeKind = iota
	nodeTest
	nodeStore // keep a in register k
	nodeTouch // compute a, so that a short packet is rejected
)

type node struct {
	kind nodeKind
	op   uint8 // jmpJEQ ...
	a, x valID // compares a with x, or with k if x is 0
	k    uint32
	t, f nodeID // a store goes to t
}

// graph holds the values and nodes of one filter. A node is made after the
// nodes it leads to, so their names are smaller than its own.
type graph struct {
	vals   table[valID, val]
	vindex index
	nodes  table[nodeID, node]
	nindex index
	sets   [][]span32 // sorted and disjoint
	hasIn  bool       // there are tests for sets
	strict bool       // what is too short for a test is rejected even if the outcome does not matter
	memory bool       // there are registers

	code table[int32, bpf.RawInstruction] // of the nodes in turn, without jumps

	// For an explanation: the node of each instruction of the program.
	owned bool
	owner []nodeID
}

func (g *graph) init() {
	g.vals.add(val{})
	g.putLeaves()
}

// putLeaves makes the two nodes that every graph has.
func (g *graph) putLeaves() {
	g.nodes.add(node{})
	g.nodes.add(node{k: 1})
}

// fresh starts over with no nodes and returns those there were, in room if that
// is enough.
func (g *graph) fresh(room []node) []node {
	old := append(room[:0], g.nodes.all()...)
	g.nodes.reset()
	g.putLeaves()
	clear(g.nindex.slots())
	return old
}

func hash32(words ...uint32) uint32 {
	h := uint32(2166136261)
	for _, w := range words {
		h = (h ^ w) * 0x9e3779b1
		h ^= h >> 15
	}
	return h
}

func (v *val) hash() uint32 {
	return hash32(uint32(v.op)|uint32(v.alu)<<8|uint32(v.size)<<16, v.k, uint32(v.a), uint32(v.b))
}

// val returns the name of a value, of which what says how it is computed is set.
func (g *graph) val(v val) valID {
	if g.vindex.full(int(g.vals.n)) {
		g.vindex.grow()
		slots := g.vindex.slots()
		for id := valID(1); id < g.vals.n; id++ {
			put(slots, g.vals.at(id).hash(), int32(id))
		}
	}
	slots := g.vindex.slots()
	mask := uint32(len(slots) - 1)
	i := v.hash() & mask
	for ; slots[i] != 0; i = (i + 1) & mask {
		o := g.vals.at(valID(slots[i]))
		if o.op == v.op && o.alu == v.alu && o.size == v.size && o.k == v.k && o.a == v.a && o.b == v.b {
			return valID(slots[i])
		}
	}
	v.max = 0xffffffff
	if v.a != 0 {
		v.regs |= g.vals.at(v.a).regs
		v.load = v.load || g.vals.at(v.a).load
		v.trap = v.trap || g.vals.at(v.a).trap
	}
	if v.b != 0 {
		v.regs |= g.vals.at(v.b).regs
		v.load = v.load || g.vals.at(v.b).load
		v.trap = v.trap || g.vals.at(v.b).trap
	}
	switch v.op {
	case valConst:
		v.max = v.k
	case valAbs, valInd:
		v.load = true
		v.max = uint32(1<<(8*uint64(v.size)) - 1)
	case valMsh:
		v.load = true
		v.max = 60
	case valMem:
		v.regs |= 1 << v.k
	case valAlu:
		v.max = g.aluMax(v)
		if v.alu == aluDiv || v.alu == aluMod {
			v.trap = v.trap || g.vals.at(v.b).op != valConst
		}
	}
	id := g.vals.add(v)
	slots[i] = int32(id)
	return id
}

// aluMax returns a bound of an operation's result.
func (g *graph) aluMax(v val) uint32 {
	a, b := uint64(g.vals.at(v.a).max), uint64(g.vals.at(v.b).max)
	m := uint64(0xffffffff)
	switch v.alu {
	case aluAdd:
		m = a + b
	case aluMul:
		m = a * b
	case aluAnd:
		m = min(a, b)
	case aluOr, aluXor:
		m = 1<<bits.Len64(a|b) - 1
	case aluRsh:
		m = a
		if g.vals.at(v.b).op == valConst && b < 32 {
			m = a >> b
		}
	case aluLsh:
		if g.vals.at(v.b).op == valConst && b < 32 {
			m = a << b
		}
	case aluDiv:
		m = a
	case aluMod:
		m = a
		if b > 0 {
			m = min(a, b-1)
		}
	}
	return uint32(min(m, 0xffffffff))
}

func (g *graph) constant(k uint32) valID { return g.val(val{op: valConst, k: k}) }
func (g *graph) length() valID           { return g.val(val{op: valLen}) }
func (g *graph) mem(reg int) valID       { return g.val(val{op: valMem, k: uint32(reg)}) }

// isConst returns the value of a constant.
func (g *graph) isConst(v valID) (uint32, bool) {
	return g.vals.at(v).k, g.vals.at(v).op == valConst
}

// load is size bytes at base + k; base may be 0. A sum that wraps around is
// outside of every packet, as in libpcap's interpreter.
func (g *graph) load(size uint8, base valID, k uint32) valID {
	if base == 0 {
		if k >= outside && k < ancillary {
			k = outside
		}
		return g.val(val{op: valAbs, size: size, k: k})
	}
	if c, ok := g.isConst(base); ok {
		if uint64(c)+uint64(k) >= outside {
			return g.val(val{op: valAbs, size: size, k: outside})
		}
		return g.val(val{op: valAbs, size: size, k: c + k})
	}
	// (x + c) + k is x + (c + k) where x + c cannot wrap.
	if b := *g.vals.at(base); b.op == valAlu && b.alu == aluAdd {
		if c, ok := g.isConst(b.b); ok && uint64(g.vals.at(b.a).max)+uint64(c) < outside && uint64(c)+uint64(k) < outside {
			return g.load(size, b.a, c+k)
		}
	}
	return g.val(val{op: valInd, size: size, a: base, k: k})
}

func commutes(alu uint8) bool {
	switch alu {
	case aluAdd, aluMul, aluAnd, aluOr, aluXor:
		return true
	}
	return false
}

// compute folds an operation on constants; ok is false for a division by zero.
func compute(alu uint8, a, b uint32) (v uint32, ok bool) {
	switch alu {
	case aluAdd:
		return a + b, true
	case aluSub:
		return a - b, true
	case aluMul:
		return a * b, true
	case aluDiv:
		if b == 0 {
			return 0, false
		}
		return a / b, true
	case aluMod:
		if b == 0 {
			return 0, false
		}
		return a % b, true
	case aluAnd:
		return a & b, true
	case aluOr:
		return a | b, true
	case aluXor:
		return a ^ b, true
	case aluLsh:
		return a << b, true
	case aluRsh:
		return a >> b, true
	}
	return 0, false
}

func (g *graph) alu(op uint8, a, b valID) valID {
	ca, aConst := g.isConst(a)
	cb, bConst := g.isConst(b)
	if aConst && bConst {
		if v, ok := compute(op, ca, cb); ok {
			return g.constant(v)
		}
	}
	if aConst && !bConst && commutes(op) {
		a, b, cb, bConst = b, a, ca, true
	}
	if bConst {
		switch {
		case cb == 0 && (op == aluAdd || op == aluSub || op == aluOr || op == aluXor || op == aluLsh || op == aluRsh),
			cb == 1 && (op == aluMul || op == aluDiv),
			cb == 0xffffffff && op == aluAnd:
			return a
		}
		if v := *g.vals.at(a); v.op == valAlu {
			if c, ok := g.isConst(v.b); ok {
				switch {
				case op == aluAdd && v.alu == aluAdd:
					return g.alu(aluAdd, v.a, g.constant(c+cb))
				case op == aluAnd && v.alu == aluAnd:
					return g.alu(aluAnd, v.a, g.constant(c&cb))
				case op == aluOr && v.alu == aluOr:
					return g.alu(aluOr, v.a, g.constant(c|cb))
				}
			}
		}
	}
	return g.val(val{op: valAlu, alu: op, a: a, b: b})
}

func (g *graph) neg(a valID) valID {
	if c, ok := g.isConst(a); ok {
		return g.constant(-c)
	}
	return g.val(val{op: valNeg, a: a})
}

func (g *graph) node(n node) nodeID {
	if g.nindex.full(int(g.nodes.n)) {
		g.nindex.grow()
		slots := g.nindex.slots()
		for id := accept + 1; id < g.nodes.n; id++ {
			put(slots, g.nodes.at(id).hash(), int32(id))
		}
	}
	slots := g.nindex.slots()
	mask := uint32(len(slots) - 1)
	i := n.hash() & mask
	for ; slots[i] != 0; i = (i + 1) & mask {
		if *g.nodes.at(nodeID(slots[i])) == n {
			return nodeID(slots[i])
		}
	}
	id := g.nodes.add(n)
	slots[i] = int32(id)
	return id
}

func (n *node) hash() uint32 {
	return hash32(uint32(n.kind)|uint32(n.op)<<8, uint32(n.a), uint32(n.x), n.k, uint32(n.t), uint32(n.f))
}

// test is the node that goes to t if "a op k" holds, else to f.
func (g *graph) test(op uint8, a valID, k uint32, t, f nodeID) nodeID {
	if t == f {
		return g.either(a, t)
	}
	if op == jmpIn {
		g.hasIn = true
		return g.node(node{kind: nodeTest, op: op, a: a, k: k, t: t, f: f})
	}
	if c, ok := g.isConst(a); ok {
		if holds(op, c, k) {
			return t
		}
		return f
	}
	switch {
	case op == jmpJGE && k == 0:
		return g.long(a, t)
	case op == jmpJGT && k == 0xffffffff, op == jmpJSET && k == 0:
		return g.long(a, f)
	}
	v := g.vals.at(a)
	if v.op == valAlu {
		if c, ok := g.isConst(v.b); ok {
			switch {
			case v.alu == aluAnd && k == 0 && op == jmpJEQ:
				return g.test(jmpJSET, v.a, c, f, t)
			case v.alu == aluAnd && (k == 0 && op == jmpJGT || k == 1 && op == jmpJGE || k == c && op == jmpJEQ && bits.OnesCount32(c) == 1):
				return g.test(jmpJSET, v.a, c, t, f)
			case v.alu == aluAnd && op == jmpJSET:
				return g.test(jmpJSET, v.a, c&k, t, f)
			case v.alu == aluAdd && op == jmpJEQ:
				return g.test(jmpJEQ, v.a, k-c, t, f)
			case v.alu == aluSub && op == jmpJEQ:
				return g.test(jmpJEQ, v.a, k+c, t, f)
			case v.alu == aluXor && op == jmpJEQ:
				return g.test(jmpJEQ, v.a, k^c, t, f)
			}
		}
	}
	switch {
	case op == jmpJGT && k == 0 || op == jmpJGE && k == 1:
		return g.node(node{kind: nodeTest, op: jmpJEQ, a: a, k: 0, t: f, f: t})
	case op == jmpJGT: // one form, so that equal tests are equal
		op, k = jmpJGE, k+1
	}
	return g.node(node{kind: nodeTest, op: op, a: a, k: k, t: t, f: f})
}

// either is the node of a test that goes to next whatever its outcome.
func (g *graph) either(a valID, next nodeID) nodeID {
	if g.vals.at(a).trap || g.strict && g.vals.at(a).load {
		return g.node(node{kind: nodeTouch, a: a, t: next, f: next})
	}
	return next
}

// long goes to next if the packet is long enough for a.
func (g *graph) long(a valID, next nodeID) nodeID {
	if g.vals.at(a).load {
		return g.node(node{kind: nodeTouch, a: a, t: next, f: next})
	}
	return next
}

// testX compares two values.
func (g *graph) testX(op uint8, a, x valID, t, f nodeID) nodeID {
	if k, ok := g.isConst(x); ok {
		return g.test(op, a, k, t, f)
	}
	if k, ok := g.isConst(a); ok {
		switch op {
		case jmpJEQ:
			return g.test(jmpJEQ, x, k, t, f)
		case jmpJGT: // k > x
			return g.test(jmpJGE, x, k, f, t)
		case jmpJGE: // k >= x
			return g.test(jmpJGT, x, k, f, t)
		}
	}
	if t == f {
		return g.either(a, g.either(x, t))
	}
	return g.node(node{kind: nodeTest, op: op, a: a, x: x, t: t, f: f})
}

func (g *graph) store(reg int, a valID, next nodeID) nodeID {
	return g.node(node{kind: nodeStore, k: uint32(reg), a: a, t: next, f: next})
}

func holds(op uint8, a, k uint32) bool {
	switch op {
	case jmpJEQ:
		return a == k
	case jmpJGT:
		return a > k
	case jmpJGE:
		return a >= k
	}
	return a&k != 0
}

// cond is a condition: a tree over tests, joined by and, or and not. condID 0
// is false and 1 is true.
type condID int32

const (
	condFalse condID = 0
	condTrue  condID = 1
)

type condKind uint8

const (
	condLeaf condKind = iota
	condTestX
	condAnd
	condOr
	condNot
	condStore  // true, after keeping a in register k
	condTouch  // true, if the packet is long enough for a
	condSwitch // a is in set k
	condMade   // the nodes are made by a maker, number k
)

type cond struct {
	kind condKind
	op   uint8
	a, x valID
	k    uint32 // for condSwitch the set, for condMade the maker
	l, r condID
}

// span32 is the numbers from lo to hi, both included.
type span32 struct{ lo, hi uint32 }

type conds struct {
	graph
	tree table[condID, cond]
}

func (c *conds) init() {
	c.graph.init()
	c.tree.add(cond{}) // false
	c.tree.add(cond{}) // true
}

func (c *conds) add(x cond) condID { return c.tree.add(x) }

func (c *conds) is(op uint8, a valID, k uint32) condID {
	return c.add(cond{kind: condLeaf, op: op, a: a, k: k})
}

func (c *conds) eq(a valID, k uint32) condID { return c.is(jmpJEQ, a, k) }

// eqMask is a & mask == k.
func (c *conds) eqMask(a valID, k, mask uint32) condID {
	if mask == 0 {
		// Nothing to compare. Behind headers of variable length libpcap loads
		// it all the same, and what is too short does not match.
		if c.vals.at(a).op == valInd {
			return c.touch(a)
		}
		return condTrue
	}
	return c.is(jmpJEQ, c.alu(aluAnd, a, c.constant(mask)), k)
}

// touch is true for a packet that is long enough for a.
func (c *conds) touch(a valID) condID { return c.add(cond{kind: condTouch, a: a}) }

func (c *conds) in(a valID, set []span32) condID {
	if len(set) == 1 && set[0].lo == set[0].hi {
		return c.eq(a, set[0].lo)
	}
	return c.add(cond{kind: condSwitch, a: a, k: c.set(set)})
}

func (c *conds) and(l, r condID) condID {
	switch {
	case l == condFalse || r == condTrue:
		return l
	case l == condTrue:
		return r
	}
	return c.add(cond{kind: condAnd, l: l, r: r})
}

func (c *conds) or(l, r condID) condID {
	switch {
	case l == condTrue || r == condFalse:
		return l
	case l == condFalse:
		return r
	}
	return c.add(cond{kind: condOr, l: l, r: r})
}

func (c *conds) not(l condID) condID {
	switch l {
	case condFalse:
		return condTrue
	case condTrue:
		return condFalse
	}
	return c.add(cond{kind: condNot, l: l})
}

// Single numbers are tested one after another if there are at most maxLinear;
// otherwise the range is split until at most linearCases are left.
const (
	maxLinear   = 16
	linearCases = 8
)

// set returns the name of a set.
func (g *graph) set(s []span32) uint32 {
	for i, have := range g.sets {
		if slices.Equal(have, s) {
			return uint32(i)
		}
	}
	g.sets = append(g.sets, s)
	return uint32(len(g.sets) - 1)
}

func inSet(s []span32, v uint32) bool {
	for i := range s {
		if v >= s[i].lo && v <= s[i].hi {
			return true
		}
	}
	return false
}

// within reports whether all numbers of a are in b, and apart whether none is.
func within(a, b []span32) (within, apart bool) {
	within, apart = true, true
	for _, x := range a {
		in := false
		for _, y := range b {
			if x.lo >= y.lo && x.hi <= y.hi {
				in = true
			}
			if x.lo <= y.hi && y.lo <= x.hi {
				apart = false
			}
		}
		within = within && in
	}
	return within, apart
}

// expandSets makes the tests for sets of tests for numbers.
func (g *graph) expandSets(root nodeID) nodeID {
	var names [few]nodeID
	name := g.reachable(root, names[:])
	var nodes [few]node
	for id, n := range g.fresh(nodes[:]) {
		if nodeID(id) <= accept || name[id] == 0 {
			continue
		}
		n.t, n.f = name[n.t], name[n.f]
		if n.op == jmpIn {
			name[id] = g.search(n.a, g.sets[n.k], 0, 0xffffffff, n.t, n.f)
			continue
		}
		name[id] = g.node(n)
	}
	return name[root]
}

// search makes a binary search for a in sorted, disjoint ranges, knowing that
// lo <= a <= hi.
func (g *graph) search(a valID, set []span32, lo, hi uint32, t, f nodeID) nodeID {
	switch {
	case len(set) == 0:
		return f
	case len(set) == 1 && set[0].lo <= lo && set[0].hi >= hi:
		return t
	}
	limit := linearCases
	if lo == 0 && hi == 0xffffffff {
		limit = maxLinear
	}
	linear := len(set) <= limit
	for i := 0; i < len(set) && linear; i++ {
		linear = set[i].lo == set[i].hi
	}
	if linear {
		for i := len(set) - 1; i >= 0; i-- {
			f = g.test(jmpJEQ, a, set[i].lo, t, f)
		}
		return f
	}
	if len(set) == 1 {
		s := set[0]
		if s.lo > lo {
			return g.test(jmpJGE, a, s.lo, g.search(a, set, s.lo, hi, t, f), f)
		}
		return g.test(jmpJGT, a, s.hi, f, t)
	}
	// Split at the lower end of the range in the middle.
	mid := len(set) / 2
	cut := set[mid].lo
	return g.test(jmpJGE, a, cut, g.search(a, set[mid:], cut, hi, t, f), g.search(a, set[:mid], lo, cut-1, t, f))
}
