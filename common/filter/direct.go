package filter

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"github.com/gopkts/gopkts/common/link"
)

// The direct engine runs a graph of tests on the packet, without registers and
// memory: what a program loads and computes before it jumps is known when the
// program is prepared, and a test reads it from the packet itself. See trace.go
// for how the graph is made, and step.go for the engine that follows a program
// literally.
//
// The direct engine does not decide what happens to packets that are too short
// for one of its tests, and there are instructions that it does not know. Then
// the other one runs the program, from the start. So it is right where it
// answers, if it reads what the program reads, and it need not answer.

// test is a node: it reads eight bytes of the packet and compares some of their
// bits with numbers. Tests of neighbouring bytes are one, so that few packets
// go through more than three or four. What most tests need fills a cache line.
type test struct {
	kind       testKind
	more       bool       // there are c and d
	head       uint16     // where the length of a header is, or the number of a sum
	off        uint32     // of the eight bytes, modulo 2^32
	no         *test      // where to if no comparison holds
	a, b, c, d comparison // in this order
}

const maxCompared = 4

// comparisons returns the comparisons of a test.
func (t *test) comparisons() [maxCompared]*comparison {
	return [...]*comparison{&t.a, &t.b, &t.c, &t.d}
}

// comparison goes to a test if mask of the bytes is val. Those that a test has
// no use for never do: their mask is 0 and their val is not.
type comparison struct {
	mask, val uint64
	to        *test
}

// testKind says what a test reads. The bytes and masks of testEqual are those of
// a little-endian number, all others those of a big-endian one.
type testKind uint8

const (
	testEqual   testKind = 0
	testBehind  testKind = 1 // off counts from the end of a header with its length at head
	testOrdered testKind = 2 // compares if a.mask of the bytes, less a.val, is at most b.val
	testSum     testKind = 4 // the same of a sum instead of the bytes
	testReturn  testKind = 5 // returns a sum
	testResult  testKind = 6 // returns a.val
	testLeave   testKind = 7 // the other engine has to answer
	testPrepare testKind = 8 // the tests have to be made
)

// only is what a program is that is one test of bytes at a constant offset, such
// as that of "ip": the test, beside what all programs need. A program that is
// another one has its offset nowhere.
type only struct {
	at        atomic.Uintptr // twice the offset of the eight bytes; stored when the rest is there
	mask, val uint64         // of the bytes, as testEqual reads them
	yes, no   uint32         // what the program returns
}

// nowhere is twice an offset behind the end of any packet. With a bit to spare, the
// end of the eight bytes does not overflow, which the compiler knows: one
// comparison finds out whether they are in the packet, and whether there is a test.
const nowhere = math.MaxUint

// set takes the first test of a program, if it is the only one. Twice its offset is
// a number of 32 bits, see maxOffset.
func (o *only) set(t *test) {
	yes, no := t.a.to, t.no
	if t.kind != testEqual || yes == nil || t.b.to != nil || yes.kind != testResult || no.kind != testResult {
		return
	}
	o.mask, o.val, o.yes, o.no = t.a.mask, t.a.val, uint32(yes.a.val), uint32(no.a.val)
	o.at.Store(uintptr(t.off) << 1)
}

// sum is a number that a program computes: the sum of terms, modulo 2^32.
type sum struct {
	c     uint32
	n     int32 // how many terms there are
	terms [maxTerms]term
}

const maxTerms = 4

// term is one number of a sum, read from the packet: eight bytes, of which a
// mask, shifted and multiplied.
type term struct {
	base  termBase
	head  uint32 // of the base
	off   int32  // of the eight bytes, from the base
	shift uint8
	mul   uint32
	mask  uint64
}

// termBase says from where a term's offset counts.
type termBase uint8

const (
	baseStart  termBase = iota // of the packet
	baseHeader                 // the end of a header with its length at head
	baseSum                    // sum number head
	baseLength                 // nothing: it is the length of the packet, as it was on the wire
)

// run runs the program from a test on. nil is that of the zero VM.
//
// It is what [Filter.Match], [VM.Run] and its sisters call themselves, so that
// they are inlined: there is one call for a packet, and that not by a variable,
// which would move frames that callers have on their stacks to the heap. Nothing
// that it calls comes back into the loop, so that all it needs stays in registers.
// A test is found by a pointer, not by a number, because the time goes into waiting
// for where the next one is; and into jumps that are taken, so that there are few of
// them where most packets go. A program of one test is not for the loop, and no jump
// is taken before it is decided but the one for yes.
func (v *VM) run(t *test, b []byte, wireLen int, info *link.Info) uint32 {
	if t == nil {
		return 0
	}
	size := uint64(len(b))
	if from := uint64(v.only.at.Load() >> 1); from+8 <= size {
		if binary.LittleEndian.Uint64(b[from:from+8])&v.only.mask != v.only.val {
			return v.only.no
		}
		return v.only.yes
	}
	for {
		if t.kind == testEqual {
			from := uint64(t.off)
			if from+8 > size {
				return v.follow(v.start, b, wireLen, info)
			}
			t = t.next(binary.LittleEndian.Uint64(b[from : from+8]))
			continue
		}
		if t.kind == testResult {
			return uint32(t.a.val)
		}
		if t.kind == testLeave {
			return v.follow(&v.steps[uint32(len(v.code))+t.off], b, wireLen, info)
		}
		if t.kind >= testSum {
			return v.runOther(t, b, wireLen, info)
		}
		off := t.off
		if t.kind&testBehind != 0 {
			if uint64(t.head) >= size {
				return v.follow(v.start, b, wireLen, info)
			}
			off += uint32(b[t.head]&0xf) << 2
		}
		from := uint64(off)
		if from+8 > size {
			return v.follow(v.start, b, wireLen, info)
		}
		if t.kind&testOrdered == 0 {
			t = t.next(binary.LittleEndian.Uint64(b[from : from+8]))
		} else if binary.BigEndian.Uint64(b[from:from+8])&t.a.mask-t.a.val <= t.b.val {
			t = t.a.to
		} else {
			t = t.no
		}
	}
}

// next returns where a test goes to for what it has read.
func (t *test) next(w uint64) *test {
	switch {
	case w&t.a.mask == t.a.val:
		return t.a.to
	case w&t.b.mask == t.b.val:
		return t.b.to
	case !t.more:
	case w&t.c.mask == t.c.val:
		return t.c.to
	case w&t.d.mask == t.d.val:
		return t.d.to
	}
	return t.no
}

// runOther runs the program from a test on that is rare. It calls run, which
// calls it again for the next such test: see maxSums.
func (v *VM) runOther(t *test, b []byte, wireLen int, info *link.Info) uint32 {
	switch t.kind {
	case testPrepare:
		return v.run(v.prepare(), b, wireLen, info)
	}
	n, ok := v.sum(uint32(t.head), b, wireLen)
	switch {
	case !ok:
		return v.follow(v.start, b, wireLen, info)
	case t.kind == testReturn:
		return n
	case n&uint32(t.a.mask)-uint32(t.a.val) <= uint32(t.b.val):
		return v.run(t.a.to, b, wireLen, info)
	}
	return v.run(t.no, b, wireLen, info)
}

// sum computes a sum, and reports whether the packet is long enough for it. It
// calls itself at most maxDepth times deep.
func (v *VM) sum(number uint32, b []byte, wireLen int) (uint32, bool) {
	s := &v.sums[number]
	total := s.c
	for i := range s.terms[:s.n] {
		t := &s.terms[i]
		off := uint64(int64(t.off))
		switch t.base {
		case baseHeader:
			if uint64(t.head) >= uint64(len(b)) {
				return 0, false
			}
			off += uint64(b[t.head]&0xf) << 2
		case baseSum:
			n, ok := v.sum(t.head, b, wireLen)
			if !ok {
				return 0, false
			}
			off += uint64(n)
		case baseLength:
			total += uint32(uint64(uint32(wireLen))&t.mask>>t.shift) * t.mul
			continue
		}
		if len(b) < 8 || off > uint64(len(b))-8 {
			return 0, false
		}
		w := binary.BigEndian.Uint64(b[off : off+8])
		total += uint32(w&t.mask>>t.shift) * t.mul
	}
	return total, true
}
