package checksum

import (
	"encoding/binary"
	"math/bits"
)

// Sum returns the one's complement sum of start and of the 16-bit big-endian
// words of b, folded to 16 bits ([RFC 1071, section 1]). When the length of b
// is odd, its last byte is the high byte of a word whose low byte is zero.
//
// The sum is 0x0000 only when start and all bytes of b are zero.
//
// [RFC 1071, section 1]: https://www.rfc-editor.org/rfc/rfc1071#section-1
func Sum(b []byte, start uint16) uint16 {
	// What was summed before joins at the end, so that the bytes need not wait
	// for it.
	if haveVector() && len(b) >= vectorMin {
		acc, rest := sumVector(b, 0)
		return Add(start, swapNative(Fold(sumGeneric(rest, acc))))
	}
	return Add(start, swapNative(Fold(sumGeneric(b, 0))))
}

// Internet returns the checksum that goes into a header: the complement of
// Sum(b, start), [RFC 1071, section 1]. The checksum field inside b must be
// zero. The value is stored big-endian.
//
// [RFC 1071, section 1]: https://www.rfc-editor.org/rfc/rfc1071#section-1
func Internet(b []byte, start uint16) uint16 { return ^Sum(b, start) }

// Valid reports whether b, with its checksum field in place, and start add up
// to 0xffff, as [RFC 1071, section 1] (3) has the receiver test. It knows
// nothing of fields that mean "no checksum" by a zero.
//
// [RFC 1071, section 1]: https://www.rfc-editor.org/rfc/rfc1071#section-1
func Valid(b []byte, start uint16) bool { return Sum(b, start) == 0xffff }

// Add returns the one's complement sum of two partial sums, each of which was
// taken from an even offset.
func Add(a, b uint16) uint16 {
	s := uint32(a) + uint32(b)
	return uint16(s + s>>16)
}

// Fold adds the four 16-bit words of sum with end-around carry. It finishes a
// sum that was accumulated in a wide integer, [RFC 1071, section 2] (C).
//
// [RFC 1071, section 2]: https://www.rfc-editor.org/rfc/rfc1071#section-2
func Fold(sum uint64) uint16 {
	// x plus x with its halves exchanged has, in its upper half, the sum of
	// the halves with the carry of that very sum, which came from below.
	sum += bits.RotateLeft64(sum, 32)
	s := uint32(sum >> 32)
	s += bits.RotateLeft32(s, 16)
	return uint16(s >> 16)
}

// Combine returns the sum of two parts of one datum: a is the sum of its first
// lenA bytes and b the sum of what follows. It differs from [Add] when lenA is
// odd: then every byte of the second part lies in the other half of its word,
// and the sum is exchanged bytewise ([RFC 1071, section 2] (B)).
//
// [RFC 1071, section 2]: https://www.rfc-editor.org/rfc/rfc1071#section-2
func Combine(a uint16, lenA int, b uint16) uint16 {
	if lenA&1 != 0 {
		b = bits.ReverseBytes16(b)
	}
	return Add(a, b)
}

// NonZero returns 0xffff for 0x0000, and every other checksum as it is. UDP
// wants it for the computed checksum, since a field of zero says that the
// sender computed none (RFC 768; RFC 8200, section 8.1). The two values are
// the same number in one's complement, so a receiver's sum does not change.
func NonZero(checksum uint16) uint16 {
	if checksum == 0 {
		return 0xffff
	}
	return checksum
}

// swapNative converts between a big-endian 16-bit word and the word that the
// machine loads from the same two bytes. It is its own inverse. Sums are taken
// over words in the machine's order and converted once, at the end: exchanging
// the bytes of all words exchanges the bytes of the sum (RFC 1071, section 2
// (B)).
func swapNative(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}
