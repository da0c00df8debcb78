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

// maxResults is how many different results the direct engine knows; the other
// one answers where there are more.
const maxResults = 64

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
	kind testKind
	n    uint8 // how many comparisons there are
	head uint32
	off  int32
	no   place
	is   [maxCompared]comparing
}

// comparing is a comparison.
type comparing struct {
	mask, val uint64
	to        place
}

// branchAlways is the kind of a branch that only goes to no.
const branchAlways testKind = 16

// place is where a branch goes: to a variant, and later to the branch that
// stands there; below 0 to one of these, or a result.
type place int32

const (
	toNext    place = -1 // the branch that follows
	toSteps   place = -2
	toResults place = -3 // and less for those from the second on
)

// variant is a place in the program that a jump leads to, and what is known
// there. Where jumps lead there with different things in a register that is
// still needed, there are several.
type variant struct {
	registers
	first place // the branch that stands there
	next  place // of the same place in the program; toNext for the last
}

// maxVariants is how many variants a place has. Of what comes after, only what
// holds on all ways is kept.
const maxVariants = 4

// tracer follows a program along all its ways at once, and makes branches of its
// jumps.
type tracer struct {
	linux bool
	sums  []sum
	depth []int // of the sums
	names map[sum]int32

	live     []uint32 // what is read before it is written, from an instruction on
	target   []bool   // whether a jump leads to an instruction
	at       []place  // the first variant of an instruction
	variants []variant
	begin    int // where the program is followed from
	now      registers
	// What was loaded since the last test, and has to be within the packet: the
	// greatest end of a load at a constant offset, and the other loads.
	end   uint32
	loads []term

	branches []branch
	tested   int // how many branches test a sum
	results  []uint32
}

// trace makes the tests of a program, and the sums that they are of.
func (p Program) trace(linux bool) (first *test, sums []sum) {
	t := tracer{linux: linux, names: make(map[sum]int32), live: liveness(p), target: make([]bool, len(p)), at: make([]place, len(p))}
	t.sum(sum{}) // zero
	for i, in := range p {
		t.at[i] = toNext
		if yes, no, ok := jumps(i, in); ok {
			t.target[yes], t.target[no] = true, true
		}
	}
	t.target[0] = true
	t.goTo(0)
	for i := range p {
		for at := t.at[i]; at != toNext; at = t.variants[at].next {
			t.variants[at].first = place(len(t.branches))
			t.now = t.variants[at].registers
			t.follow(p, i)
		}
	}
	t.join()
	return t.tests(), t.sums
}

// follow follows the program from an instruction to where a jump or a return
// is, or where other ways join.
func (t *tracer) follow(p Program, i int) {
	t.begin = i
	for t.step(i, p[i]) {
		if i++; t.target[i] {
			t.always(i)
			return
		}
	}
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

// goes adds a branch that only goes to a place.
func (t *tracer) goes(to place) { t.branches = append(t.branches, branch{kind: branchAlways, no: to}) }

// leave ends the way: the other engine has to answer. It goes on from where this
// way begins, if it needs nothing to be in a register there.
func (t *tracer) leave() bool {
	if t.live[t.begin] == 0 {
		t.branches = append(t.branches, branch{kind: testLeave, off: int32(t.begin), no: toSteps})
	} else {
		t.goes(toSteps)
	}
	t.end, t.loads = 0, t.loads[:0]
	return false
}

// goTo returns the variant of an instruction for what is known now.
func (t *tracer) goTo(i int) place {
	r := t.now
	for n := range r.mem {
		if t.live[i]&(1<<n) == 0 {
			r.mem[n] = zero
		}
	}
	if t.live[i]&usesA == 0 {
		r.a = zero
	}
	if t.live[i]&usesX == 0 {
		r.x = zero
	}
	n, last := 0, toNext
	for at := t.at[i]; at != toNext; at = t.variants[at].next {
		v := &t.variants[at]
		same := r
		same.have = v.have
		if same == v.registers || n+1 == maxVariants {
			v.meet(&r)
			return at
		}
		n, last = n+1, at
	}
	at := place(len(t.variants))
	t.variants = append(t.variants, variant{registers: r, next: toNext})
	if last == toNext {
		t.at[i] = at
	} else {
		t.variants[last].next = at
	}
	return at
}

// result returns the place of a return.
func (t *tracer) result(k uint32) place {
	for i, r := range t.results {
		if r == k {
			return toResults - place(i)
		}
	}
	if len(t.results) == maxResults {
		return toSteps
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
			t.goes(t.result(in.K))
			return false
		}
		if r.a == unknown {
			return t.leave()
		}
		t.touch(&t.sums[r.a])
		t.branches = append(t.branches, branch{kind: testReturn, head: uint32(r.a), no: toSteps})
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
		t.branches = append(t.branches, branch{off: int32(t.end) - 8, no: toNext})
	}
	t.now.have, t.end = max(have, t.end), 0
	for _, x := range t.loads {
		switch {
		case s != nil && t.reads(s, x):
		case x.base == baseHeader:
			t.branches = append(t.branches, branch{kind: testBehind, head: x.head, off: x.off, no: toNext})
		case t.tested == maxSums:
			t.leave()
			return
		default:
			t.tested++
			t.branches = append(t.branches, branch{kind: testSum, head: uint32(t.sum(sum{n: 1, terms: [maxTerms]term{x}})), no: toNext})
		}
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
	t.goes(t.goTo(to))
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
	b := branch{kind: testSum, n: 1, head: uint32(a)}
	mask, val, span := uint64(math.MaxUint32), uint64(k), uint64(0)
	most := mask // that is compared
	x := &s.terms[0]
	if s.n == 1 && x.mul == 1 && x.base <= baseHeader && (s.c == 0 || op == jmpJEQ) {
		b.kind, b.head, b.off, mask = testEqual, x.head, x.off, x.mask
		if x.base == baseHeader {
			b.kind = testBehind
		}
		most = mask >> x.shift
	}
	never := false
	switch {
	case s.n == 0:
		never = true
		if holds(uint8(op), s.c, k) {
			no = yes
		}
	case op == jmpJSET && b.kind == testSum: // the bits less 1 are at most the greatest number less 1
		mask, val, span = uint64(k), 1, math.MaxUint32-1
	case op == jmpJSET:
		mask, val = mask&(val<<x.shift), 0
		yes, no = no, yes
	case op == jmpJEQ && b.kind != testSum:
		val = uint64(k-s.c) << x.shift
		never = uint64(k-s.c) > most || val&^mask != 0 // val has no room for what is more
	case op != jmpJEQ: // greater, or greater or equal
		if op == jmpJGT {
			val++
		}
		never = val > most
		span = most - val
		if b.kind != testSum {
			b.kind |= testOrdered
			val <<= x.shift
			span = mask - val
		}
	}
	if never {
		return t.always(no)
	}
	if b.kind == testSum {
		if t.tested == maxSums {
			return t.leave()
		}
		t.tested++
	}
	t.touch(s)
	b.is[0].mask, b.is[0].val, b.is[1].val = mask, val, span
	b.is[0].to, b.no = t.goTo(yes), t.goTo(no)
	t.branches = append(t.branches, b)
	return false
}

// join makes one branch of several that read bytes beside each other: of those
// that follow where one holds, and lead to the same place where they do not; and
// of those that follow where another does not hold.
func (t *tracer) join() {
	end := func(n int, p place) place {
		switch {
		case p >= 0:
			p = t.variants[p].first
		case p == toNext:
			p = place(n + 1)
		default:
			return p
		}
		if b := &t.branches[p]; b.kind == branchAlways {
			return b.no
		}
		return p
	}
	for n := len(t.branches) - 1; n >= 0; n-- {
		b := &t.branches[n]
		b.no = end(n, b.no)
		for i := range b.is[:b.n] {
			b.is[i].to = end(n, b.is[i].to)
		}
		if b.kind > testBehind {
			continue
		}
		if b.n == 1 && b.is[0].to >= 0 {
			if y := &t.branches[b.is[0].to]; y.n == 1 && b.no == y.no && b.beside(y) {
				is, also := &b.is[0], y.from(b.off, 0)
				if is.mask&also.mask&(is.val^also.val) == 0 {
					is.mask |= also.mask
					is.val |= also.val
					is.to = also.to
				}
			}
		}
		if b.no >= 0 {
			if o := &t.branches[b.no]; b.n+o.n <= maxCompared && b.beside(o) {
				for i := range o.is[:o.n] {
					b.is[b.n] = o.from(b.off, i)
					b.n++
				}
				b.no = o.no
			}
		}
	}
}

// beside reports whether the bytes of two branches are among the same eight, and
// if so, moves b to these.
func (b *branch) beside(o *branch) bool {
	if b.kind != o.kind || b.head != o.head {
		return false
	}
	off := max(b.off, o.off)
	if min(b.start(), o.start()) < off {
		return false
	}
	for i := range b.is[:b.n] {
		b.is[i] = b.from(off, i)
	}
	b.off = off
	return true
}

// start returns the offset of the first byte that a branch needs. The last is
// the last of the eight.
func (b *branch) start() int32 {
	mask := uint64(1)
	for _, is := range b.is[:b.n] {
		mask |= is.mask
	}
	return b.off + int32(bits.LeadingZeros64(mask)/8)
}

// from returns a comparison for bytes that are read from off.
func (b *branch) from(off int32, i int) comparing {
	is, n := b.is[i], 8*uint(off-b.off)
	is.mask <<= n
	is.val <<= n
	return is
}

// tests makes tests of the branches that can be reached, and returns the first.
func (t *tracer) tests() *test {
	// The numbers of what can be reached, from 1. A branch leads to later ones.
	n := uint32(0)
	number := make([]uint32, len(t.branches))
	number[0] = 1
	reach := func(p place) {
		if p >= 0 {
			number[p] = 1
		}
	}
	for i := range t.branches {
		b := &t.branches[i]
		if number[i] == 0 {
			continue
		}
		n++
		number[i] = n
		reach(b.no)
		for _, is := range b.is[:b.n] {
			reach(is.to)
		}
	}
	leaf := int(n) // the tests that end a way, behind the others
	tests := make([]test, leaf+1+len(t.results))
	tests[leaf].kind = testLeave
	for i, r := range t.results {
		x := &tests[leaf+1+i]
		x.kind, x.a.val = testResult, uint64(r)
	}
	find := func(p place) *test {
		if p >= 0 {
			return &tests[number[p]-1]
		}
		return &tests[leaf+int(toSteps-p)]
	}
	for i := range t.branches {
		b := &t.branches[i]
		if number[i] == 0 {
			continue
		}
		x := &tests[number[i]-1]
		x.kind, x.more, x.head, x.off, x.no = b.kind, b.n > 2, uint16(b.head), uint32(b.off), find(b.no)
		for i, to := range x.comparisons() {
			is := &b.is[i]
			switch {
			case b.kind > testBehind && b.n > 0 && i < 2:
				to.mask, to.val = is.mask, is.val
			case i < int(b.n):
				to.mask, to.val = bits.ReverseBytes64(is.mask), bits.ReverseBytes64(is.val)
			default:
				to.val = 1 // never; nor do 1 and 1 of an order: 0 - 1 is more
			}
			if i < int(b.n) {
				to.to = find(is.to)
			}
		}
	}
	if b := &t.branches[0]; b.kind == branchAlways {
		return find(b.no)
	}
	return &tests[0]
}
