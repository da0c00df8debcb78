package sequence

import (
	"bytes"
	"math/bits"
)

const (
	// fragUnit is what offsets of fragments count in, RFC 791, section 3.1.
	fragUnit = 8
	// fragHead is the room that a buffer has for the header, in bytes. Longer
	// ones get a buffer with more.
	fragHead = 128
	// fragStep is by how much the buffers of one class are longer than those of
	// the one before, in bytes; fragClasses of them hold any datagram.
	fragStep    = 1024
	fragClasses = 65536 / fragStep
)

// fragBuf is where a datagram is put together: room for a header, then the
// payload, each byte in its place.
type fragBuf struct {
	data []byte
	// have has a bit for each unit of the payload that is there, and start one
	// for each unit that a fragment, or what others left of it, begins with.
	// What start has, have has. They are not used before clear is called.
	have, start []uint64
	// next is the next one of those that are unused, or lent.
	next *fragBuf
	// head is where the payload begins.
	head int
	// class says how long data is; 0 is for lengths that are not kept for
	// reuse.
	class int
}

// fragClass returns the class of buffers for a payload of n bytes behind a
// header of head bytes.
func fragClass(head, n int) int {
	c := max(1, (max(head-fragHead, 0)+n+fragStep-1)/fragStep)
	if c > fragClasses {
		return 0
	}
	return c
}

// fragBufLen returns how long data of a buffer is.
func fragBufLen(class, head, n int) int {
	if class == 0 {
		return max(head, fragHead) + n
	}
	return fragHead + class*fragStep
}

// fragWords is the length of have and of start for a payload of n bytes.
func fragWords(n int) int { return (n + 64*fragUnit - 1) / (64 * fragUnit) }

// fragBufSize returns what a buffer takes of the memory, in bytes.
func fragBufSize(class, head, n int) int64 {
	length := fragBufLen(class, head, n)
	return int64(length + 2*8*fragWords(length) + fragBufOverhead)
}

// fragBufOverhead is about what Go adds to a buffer, in bytes.
const fragBufOverhead = 128

// newFragBuf makes a buffer.
func newFragBuf(class, head, n int) *fragBuf {
	length := fragBufLen(class, head, n)
	words := fragWords(length)
	bits := make([]uint64, 2*words)
	return &fragBuf{data: make([]byte, length), have: bits[:words:words], start: bits[words:], class: class}
}

// size is fragBufSize of b.
func (b *fragBuf) size() int64 {
	return int64(len(b.data) + 2*8*len(b.have) + fragBufOverhead)
}

// clear forgets what is there.
func (b *fragBuf) clear() {
	clear(b.have)
	clear(b.start)
}

// reset makes b ready for a payload that begins behind head bytes at least.
func (b *fragBuf) reset(head int) {
	b.head = max(head, fragHead)
	b.next = nil
}

// any reports whether a unit of [from, to) is there.
func (b *fragBuf) any(from, to int) bool { return nextSet(b.have, from, to) < to }

// all reports whether every unit of [from, to) is there.
func (b *fragBuf) all(from, to int) bool { return nextClear(b.have, from, to) == to }

// pieceEnd returns where the piece that has unit u ends, limit if not before.
func (b *fragBuf) pieceEnd(u, limit int) int {
	return nextClear(b.have, u+1, nextSet(b.start, u+1, limit))
}

// isPiece reports whether [from, to) is what one fragment brought, all of it.
func (b *fragBuf) isPiece(from, to int) bool {
	limit := min(to+1, 64*len(b.have))
	return isSet(b.start, from) && b.pieceEnd(from, limit) == to
}

// repeats reports whether a fragment is there already, byte by byte: as one
// piece, or as part of any if partly is set. end is how far b reaches.
func (b *fragBuf) repeats(off, end int, data []byte, partly bool) bool {
	to := off + len(data)
	if to > end || !bytes.Equal(data, b.data[b.head+off:b.head+to]) {
		return false
	}
	first, last := off/fragUnit, (to+fragUnit-1)/fragUnit
	return b.isPiece(first, last) || partly && b.all(first, last)
}

// set notes that units [from, to), of which there was none, are there: a piece.
func (b *fragBuf) set(from, to int) {
	setRange(b.have, from, to)
	b.start[from/64] |= 1 << (from % 64)
}

// overlay takes the payload of a fragment, of which something is there, and
// lets policy decide. It returns how many bytes are new, and whether the first
// unit is now that of the fragment.
func (b *fragBuf) overlay(policy FragmentPolicy, off int, data []byte) (added int, first bool) {
	end := off + len(data)
	from, to := off/fragUnit, (end+fragUnit-1)/fragUnit
	limit := min(to+1, 64*len(b.have))
	mine := false // the unit before u is the fragment's
	for u := from; u < to; {
		next := 0
		take := true
		split := false
		if isSet(b.have, u) {
			// Who was trimmed in front begins where it was trimmed.
			start := u
			if u == from {
				start = prevSet(b.start, u)
			}
			next = b.pieceEnd(u, limit)
			take = policy.prefersNew(start, next, from, to)
			split = take && next > to
			next = min(next, to)
		} else {
			next = nextSet(b.have, u, to)
			added += min(next*fragUnit, end) - u*fragUnit
		}
		if take {
			copy(b.data[b.head+u*fragUnit:], data[u*fragUnit-off:min(next*fragUnit, end)-off])
			setRange(b.have, u, next)
			if mine {
				b.start[u/64] &^= 1 << (u % 64)
			} else {
				b.start[u/64] |= 1 << (u % 64)
			}
			if split {
				b.start[to/64] |= 1 << (to % 64)
			}
			first = first || u == from
		}
		mine = take
		u = next
	}
	return added, first
}

// isSet reports whether bit i is set.
func isSet(b []uint64, i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// setRange sets the bits [from, to), of which there is at least one.
func setRange(b []uint64, from, to int) {
	i, last := from/64, (to-1)/64
	low, high := ^uint64(0)<<(from%64), ^uint64(0)>>(63-(to-1)%64)
	if i == last {
		b[i] |= low & high
		return
	}
	b[i] |= low
	for i++; i < last; i++ {
		b[i] = ^uint64(0)
	}
	b[last] |= high
}

// nextSet returns the first bit of [from, limit) that is set, limit if none is.
func nextSet(b []uint64, from, limit int) int {
	if from >= limit {
		return limit
	}
	i := from / 64
	w := b[i] & (^uint64(0) << (from % 64))
	for w == 0 {
		i++
		if i*64 >= limit {
			return limit
		}
		w = b[i]
	}
	return min(limit, i*64+bits.TrailingZeros64(w))
}

// nextClear is nextSet for a bit that is not.
func nextClear(b []uint64, from, limit int) int {
	if from >= limit {
		return limit
	}
	i := from / 64
	w := ^b[i] & (^uint64(0) << (from % 64))
	for w == 0 {
		i++
		if i*64 >= limit {
			return limit
		}
		w = ^b[i]
	}
	return min(limit, i*64+bits.TrailingZeros64(w))
}

// prevSet returns the last bit of [0, i] that is set, 0 if none is.
func prevSet(b []uint64, i int) int {
	k := i / 64
	w := b[k] & (^uint64(0) >> (63 - i%64))
	for w == 0 {
		if k == 0 {
			return 0
		}
		k--
		w = b[k]
	}
	return k*64 + 63 - bits.LeadingZeros64(w)
}
