package filter

import (
	"math"
	"math/bits"

	"golang.org/x/net/bpf"
)

// maxDepth is how deep a term's base can be: a sum of terms whose base is one.
const maxDepth = 3

// maxSums is how many tests of sums a program has; what is behind more of them
// is left to the other engine.
const maxSums = 64

// maxOffset is more than any constant offset that the direct engine reads from,
// and maxHead than any number of [test.head].
const (
	maxOffset = 1 << 28
	maxHead   = 1 << 16
)

// The numbers of sums that are always there.
const (
	unknown = -1 // none: it is not known what a register holds
	zero    = 0  // the sum of nothing
)

// registers says what is known at an instruction, whatever way leads there: the
// sums that A, X and M[] are, and how many bytes the packet has at least.
type registers struct {
	a, x int32
	mem  [scratchWords]int32
	have uint32
}

// meet leaves of r what also holds of o.
func (r *registers) meet(o *registers) {
	same := func(a *int32, b int32) {
		if *a != b {
			*a = unknown
		}
	}
	same(&r.a, o.a)
	same(&r.x, o.x)
	for i := range r.mem {
		same(&r.mem[i], o.mem[i])
	}
	r.have = min(r.have, o.have)
}

// branch is a test while the graph is made: its masks are those of big-endian
// numbers, whatever its kind.
type branch struct {
	kind          testKind
	head          uint32
	off           int32
	mask, val     uint64
	mask2, val2   uint64
	yes, yes2, no place
}

// branchAlways is the kind of a branch that only goes to yes.
const branchAlways testKind = 8

// place is where a branch goes: to an instruction, and later to the branch that
// stands there; below 0 to one of these, or a result.
type place int32

const (
	toNext    place = -1 // the branch that follows
	toSteps   place = -2
	toResults place = -3 // and less for those from the second on
)

// tracer follows a program along all its ways at once, and makes branches of its
// jumps.
type tracer struct {
	linux bool
	sums  []sum
	depth []int // of the sums
	names map[sum]int32

	at      []registers // what is known where a jump leads
	reached []bool      // whether one does
	now     registers
	// What was loaded since the last test, and has to be within the packet: the
	// greatest end of a load at a constant offset, and the other loads.
	end   uint32
	loads []term

	branches []branch
	tested   int // how many branches test a sum
	first    []place // the first branch at or behind an instruction
	results  []uint32
}

// trace makes the tests of the program.
func (v *VM) trace() {
	p := v.code
	t := tracer{linux: v.linux, names: make(map[sum]int32), at: make([]registers, len(p)), reached: make([]bool, len(p)), first: make([]place, len(p))}
	t.sum(sum{}) // zero
	alive := true
	for i, in := range p {
		if t.reached[i] {
			if alive {
				t.touch(nil) // what was loaded is not behind the jump
				t.at[i].meet(&t.now)
			}
			t.now, alive = t.at[i], true
		}
		t.first[i] = place(len(t.branches))
		if alive {
			alive = t.step(i, in)
		}
	}
	t.join()
	v.first, v.sums = t.tests(), t.sums
}

// sum returns the number of a sum, and unknown for one that is too deep.
func (t *tracer) sum(s sum) int32 {
	if n, ok := t.names[s]; ok {
		return n
	}
	depth := 0
	for _, x := range s.terms[:s.n] {
		if x.base == baseSum {
			depth = max(depth, t.depth[x.head]+1)
		}
	}
	if depth > maxDepth || len(t.sums) == maxHead {
		return unknown
	}
	n := int32(len(t.sums))
	t.sums = append(t.sums, s)
	t.depth = append(t.depth, depth)
	t.names[s] = n
	return n
}

func (t *tracer) constant(k uint32) int32 { return t.sum(sum{c: k}) }

// isConstant returns the value of a constant.
func (t *tracer) isConstant(n int32) (uint32, bool) {
	if n == unknown || t.sums[n].n != 0 {
		return 0, false
	}
	return t.sums[n].c, true
}

// leave ends the way: the other engine has to answer.
func (t *tracer) leave() bool {
	t.branches = append(t.branches, branch{kind: branchAlways, yes: toSteps, yes2: toSteps, no: toSteps})
	t.end, t.loads = 0, t.loads[:0]
	return false
}

// goTo notes that a jump leads to an instruction.
func (t *tracer) goTo(i int) place {
	if t.reached[i] {
		t.at[i].meet(&t.now)
	} else {
		t.reached[i], t.at[i] = true, t.now
	}
	return place(i)
}

// result returns the place of a return.
func (t *tracer) result(k uint32) place {
	for i, r := range t.results {
		if r == k {
			return toResults - place(i)
		}
	}
	t.results = append(t.results, k)
	return toResults - place(len(t.results)-1)
}

// step follows an instruction, and reports whether the next one follows it.
func (t *tracer) step(i int, in bpf.RawInstruction) bool {
	r := &t.now
	switch in.Op & classMask {
	case classLD, classLDX:
		n, ok := t.load(in)
		if !ok {
			return t.leave()
		}
		if in.Op&classMask == classLD {
			r.a = n
		} else {
			r.x = n
		}
	case classST:
		r.mem[in.K%scratchWords] = r.a
	case classSTX:
		r.mem[in.K%scratchWords] = r.x
	case classMisc:
		if in.Op == classMisc|tax {
			r.x = r.a
		} else {
			r.a = r.x
		}
	case classALU:
		k, known := in.K, true
		if in.Op&srcX != 0 {
			k, known = t.isConstant(r.x)
		}
		op := uint8(in.Op & opMask)
		switch {
		case (op == aluDiv || op == aluMod) && (!known || k == 0):
			return t.leave() // it may reject
		case r.a == unknown || r.x == unknown && !known:
			r.a = unknown
		case known:
			r.a = t.compute(op, r.a, k)
		case op == aluAdd:
			r.a = t.add(r.a, r.x, 1)
		case op == aluSub:
			r.a = t.add(r.a, r.x, math.MaxUint32)
		case op == aluNeg:
			r.a = t.add(zero, r.a, math.MaxUint32)
		default:
			r.a = unknown
		}
	case classRet:
		if in.Op == classRet {
			t.touch(nil)
			t.branches = append(t.branches, branch{kind: branchAlways, yes: t.result(in.K), yes2: toSteps, no: toSteps})
			return false
		}
		if r.a == unknown {
			return t.leave()
		}
		t.touch(&t.sums[r.a])
		t.branches = append(t.branches, branch{kind: testReturn, head: uint32(r.a), yes: toSteps, yes2: toSteps, no: toSteps})
		return false
	default:
		return t.jump(i, in)
	}
	return true
}

// field is size bytes that end at a constant offset from a base.
func field(base termBase, head, end, size uint32) term {
	x := term{base: base, head: head, mul: 1, off: int32(end) - 8, mask: 1<<(8*uint64(size)) - 1}
	if base == baseStart && end < 8 {
		x.off, x.shift = 0, uint8(8*(8-end))
		x.mask <<= x.shift
	}
	return x
}

// load returns what a load loads, and false where that is not known here.
func (t *tracer) load(in bpf.RawInstruction) (n int32, ok bool) {
	size := width(uint8(in.Op & sizeMask))
	switch in.Op & modeMask {
	case modeImm:
		return t.constant(in.K), true
	case modeMem:
		return t.now.mem[in.K%scratchWords], true
	case modeLen:
		return t.sum(sum{n: 1, terms: [maxTerms]term{{base: baseLength, mul: 1, mask: math.MaxUint32}}}), true
	case modeMSH:
		if in.K >= maxHead {
			return 0, false
		}
		t.end = max(t.end, in.K+1)
		x := field(baseStart, 0, in.K+1, 1)
		x.mask &= 0xf << x.shift
		x.mul = 4
		return t.sum(sum{n: 1, terms: [maxTerms]term{x}}), true
	}
	if in.K >= maxOffset {
		return 0, false // of metadata, or far out
	}
	end := in.K + size
	x := field(baseStart, 0, end, size)
	if in.Op&modeMask == modeInd {
		if t.now.x == unknown {
			return 0, false
		}
		s := t.sums[t.now.x]
		head, isHeader := s.header()
		switch {
		case s.c >= maxOffset:
			return 0, false
		case s.n == 0:
			end += s.c
			x = field(baseStart, 0, end, size)
		case isHeader:
			x = field(baseHeader, head, s.c+end, size)
		default:
			x = field(baseSum, uint32(t.now.x), end, size)
		}
	}
	if x.base == baseStart {
		t.end = max(t.end, end)
	} else {
		t.loads = append(t.loads, x)
	}
	n = t.sum(sum{n: 1, terms: [maxTerms]term{x}})
	return n, n != unknown
}

// header reports whether a sum is, but for the constant, the length of an IPv4
// header, four times the lower half of a byte, and where that byte is.
func (s *sum) header() (head uint32, ok bool) {
	x := &s.terms[0]
	if s.n != 1 || x.base != baseStart || x.mul != 4 || x.shift%8 != 0 || x.mask != 0xf<<x.shift {
		return 0, false
	}
	head = uint32(x.off) + 7 - uint32(x.shift)/8
	return head, head < maxHead
}

// add returns the sum of a, and b times a factor.
func (t *tracer) add(a, b int32, factor uint32) int32 {
	s, o := t.sums[a], &t.sums[b]
	if s.n+o.n > maxTerms {
		return unknown
	}
	s.c += o.c * factor
	for _, x := range o.terms[:o.n] {
		x.mul *= factor
		s.terms[s.n] = x
		s.n++
	}
	return t.sum(s)
}

// compute returns the sum that is a sum and an operation with a constant, or
// unknown.
func (t *tracer) compute(op uint8, a int32, k uint32) int32 {
	s := t.sums[a]
	if t.linux && (op == aluLsh || op == aluRsh) {
		k &= 31
	}
	if s.n == 0 && op != aluNeg {
		n, _ := compute(op, s.c, k)
		return t.constant(n)
	}
	switch op {
	case aluAdd:
		s.c += k
		return t.sum(s)
	case aluSub:
		s.c -= k
		return t.sum(s)
	case aluNeg:
		return t.add(zero, a, math.MaxUint32)
	case aluMul:
		return t.add(zero, a, k)
	case aluLsh:
		return t.add(zero, a, 1<<k)
	}
	// The rest is for numbers that are bits of the packet, at some place.
	x := &s.terms[0]
	at := uint32(bits.TrailingZeros32(x.mul))
	if s.n != 1 || s.c != 0 || x.mul != 1<<at {
		return unknown
	}
	switch {
	case op == aluAnd:
		x.mask &= uint64(k>>at) << x.shift
	case op == aluRsh && k >= 32:
		return zero
	case op == aluRsh && x.mask>>x.shift<<at <= math.MaxUint32:
		if k <= at {
			x.mul >>= k
			break
		}
		x.mul = 1
		x.shift += uint8(k - at)
		x.mask = x.mask >> x.shift << x.shift
	default:
		return unknown
	}
	if x.mask == 0 {
		return zero
	}
	return t.sum(s)
}

// touch makes branches that leave for packets that are too short for what was
// loaded, but for what the test of a sum reads anyway.
func (t *tracer) touch(s *sum) {
	have := t.now.have
	if s != nil {
		for _, x := range s.terms[:s.n] {
			switch x.base {
			case baseStart:
				have = max(have, uint32(x.off)+8)
			case baseHeader:
				have = max(have, x.head+1)
			}
		}
	}
	if t.end > have {
		t.branches = append(t.branches, branch{off: int32(t.end) - 8, val2: 1, yes: toNext, yes2: toSteps, no: toSteps})
	}
	t.now.have, t.end = max(have, t.end), 0
	for _, x := range t.loads {
		if s != nil && t.reads(s, x) {
			continue
		}
		b := branch{kind: testBehind, head: x.head, off: x.off, val2: 1, yes: toNext, yes2: toSteps, no: toSteps}
		if x.base == baseSum {
			if t.tested++; t.tested > maxSums {
				t.leave()
				return
			}
			b.kind, b.val2 = testSum, 0
			b.head = uint32(t.sum(sum{n: 1, terms: [maxTerms]term{x}}))
		}
		t.branches = append(t.branches, b)
	}
	t.loads = t.loads[:0]
}

// reads reports whether the bytes of a term are read for a sum.
func (t *tracer) reads(s *sum, x term) bool {
	for _, y := range s.terms[:s.n] {
		if y.base == x.base && y.head == x.head && y.off == x.off || y.base == baseSum && t.reads(&t.sums[y.head], x) {
			return true
		}
	}
	return false
}

// always ends the way with a jump to an instruction.
func (t *tracer) always(to int) bool {
	t.touch(nil)
	t.branches = append(t.branches, branch{kind: branchAlways, yes: t.goTo(to), yes2: toSteps, no: toSteps})
	return false
}

// jump makes branches of a jump, and returns false.
func (t *tracer) jump(i int, in bpf.RawInstruction) bool {
	yes, no, _ := jumps(i, in)
	switch {
	case yes <= i:
		return t.leave()
	case yes == no:
		return t.always(yes)
	}
	a, k, op := t.now.a, in.K, in.Op&opMask
	if in.Op&srcX != 0 {
		var known bool
		if k, known = t.isConstant(t.now.x); !known {
			if op != jmpJEQ || a == unknown || t.now.x == unknown {
				return t.leave()
			}
			a, k = t.add(a, t.now.x, math.MaxUint32), 0
		}
	}
	if a == unknown {
		return t.leave()
	}
	s := &t.sums[a]
	b := branch{kind: testSum, head: uint32(a), mask: math.MaxUint32, val: uint64(k)}
	most := uint64(math.MaxUint32) // that is compared
	x := &s.terms[0]
	if s.n == 1 && x.mul == 1 && x.base <= baseHeader && (s.c == 0 || op == jmpJEQ) {
		b.kind, b.head, b.off, b.mask, b.val2 = testEqual, x.head, x.off, x.mask, 1
		if x.base == baseHeader {
			b.kind = testBehind
		}
		most = x.mask >> x.shift
	}
	never := false
	switch {
	case s.n == 0:
		never = true
		if holds(uint8(op), s.c, k) {
			no = yes
		}
	case b.kind == testSum && op == jmpJSET: // the bits less 1 are at most the greatest number less 1
		b.mask, b.val, b.val2 = uint64(k), 1, math.MaxUint32-1
	case op == jmpJSET:
		b.mask, b.val = b.mask&(uint64(k)<<x.shift), 0
		yes, no = no, yes
	case op == jmpJEQ && b.kind != testSum:
		equal := uint64(k - s.c)
		b.val = equal << x.shift
		never = equal > most || b.val&^b.mask != 0
	case op != jmpJEQ: // greater, or greater or equal
		if op == jmpJGT {
			b.val++
		}
		never = b.val > most
		b.val2 = most - b.val
		if b.kind != testSum {
			b.kind |= testOrdered
			b.val <<= x.shift
			b.val2 = b.mask - b.val
		}
	}
	if never {
		return t.always(no)
	}
	if b.kind == testSum {
		if t.tested++; t.tested > maxSums {
			return t.leave()
		}
	}
	t.touch(s)
	b.yes, b.no = t.goTo(yes), t.goTo(no)
	b.yes2 = b.no
	t.branches = append(t.branches, b)
	return false
}

// join makes one branch of several that read bytes beside each other: of those
// that follow where one holds, and lead to the same place where they do not; and
// of one that follows where another does not hold.
func (t *tracer) join() {
	end := func(n int, p place) place {
		switch {
		case p >= 0:
			p = t.first[p]
		case p == toNext:
			p = place(n + 1)
		default:
			return p
		}
		if b := &t.branches[p]; b.kind == branchAlways {
			return b.yes
		}
		return p
	}
	for n := len(t.branches) - 1; n >= 0; n-- {
		b := &t.branches[n]
		b.yes, b.yes2, b.no = end(n, b.yes), end(n, b.yes2), end(n, b.no)
		if b.kind > testBehind {
			continue
		}
		if b.yes >= 0 {
			if y := &t.branches[b.yes]; y.isOne() && (b.mask == 0 || b.no == y.no) && b.beside(y) {
				if mask, val := y.from(b.off); b.mask&mask&(b.val^val) == 0 {
					b.mask |= mask
					b.val |= val
					b.yes, b.no = y.yes, y.no
				}
			}
		}
		if b.no >= 0 {
			if o := &t.branches[b.no]; o.isOne() && b.beside(o) {
				b.mask2, b.val2 = o.from(b.off)
				b.yes2, b.no = o.yes, o.no
			}
		}
	}
}

// isOne reports whether a branch has only one comparison.
func (b *branch) isOne() bool { return b.mask2 == 0 && b.val2 == 1 }

// beside reports whether the bytes of two branches are among the same eight, and
// if so, moves b to these.
func (b *branch) beside(o *branch) bool {
	if b.kind != o.kind || b.head != o.head {
		return false
	}
	first := func(b *branch) int32 { return b.off + int32(min(bits.LeadingZeros64(b.mask)/8, 7)) }
	off := max(b.off, o.off)
	if min(first(b), first(o)) < off {
		return false
	}
	b.mask, b.val = b.from(off)
	b.off = off
	return true
}

// from returns the mask and value of a branch that reads from off.
func (b *branch) from(off int32) (mask, val uint64) {
	n := 8 * uint(off-b.off)
	return b.mask << n, b.val << n
}

// tests makes tests of the branches that can be reached, and returns the first.
func (t *tracer) tests() *test {
	// The numbers of what can be reached, from 1. A branch leads to later ones.
	n := uint32(0)
	number := make([]uint32, len(t.branches))
	for i := range t.branches {
		b := &t.branches[i]
		if i > 0 && number[i] == 0 {
			continue
		}
		n++
		number[i] = n
		for _, to := range [...]place{b.yes, b.yes2, b.no} {
			if to >= 0 {
				number[to] = 1
			}
		}
	}
	leaf := int(n) // the tests that end a way, behind the others
	tests := make([]test, leaf+1+len(t.results))
	tests[leaf].kind = testLeave
	for i, r := range t.results {
		tests[leaf+1+i] = test{kind: testResult, val: uint64(r)}
	}
	find := func(p place) *test {
		if p >= 0 {
			return &tests[number[p]-1]
		}
		return &tests[leaf+int(toSteps-p)]
	}
	for i, b := range t.branches {
		if number[i] == 0 {
			continue
		}
		x := &tests[number[i]-1]
		*x = test{
			kind: b.kind, head: uint16(b.head), off: uint32(b.off), mask: b.mask, val: b.val, mask2: b.mask2, val2: b.val2,
			yes: find(b.yes), yes2: find(b.yes2), no: find(b.no),
		}
		if b.kind <= testBehind {
			for _, w := range []*uint64{&x.mask, &x.val, &x.mask2, &x.val2} {
				*w = bits.ReverseBytes64(*w)
			}
		}
	}
	if t.branches[0].kind == branchAlways {
		return find(t.branches[0].yes)
	}
	return &tests[0]
}
