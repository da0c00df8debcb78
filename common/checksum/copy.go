package checksum

import "slices"

// Copy copies src to the start of dst and returns Sum(src, start). Where the
// machine has a vector form, both are done in one pass over the bytes. It
// panics, as indexing does, when dst is shorter than src. The two may overlap.
func Copy(dst, src []byte, start uint16) uint16 {
	// The third index makes a short dst panic that has the capacity.
	dst = dst[:len(src):len(dst)]
	var acc uint64
	rest := src
	if haveVector() && len(src) >= copyMin {
		acc, rest = copyVector(dst, src, acc)
	}
	// The sum comes first: copying may overwrite what it reads.
	sum := Add(start, swapNative(Fold(sumGeneric(rest, acc))))
	copy(dst[len(src)-len(rest):], rest)
	return sum
}

// Append appends src to dst, growing it like append when its capacity does not
// suffice, and returns the longer slice and Sum(src, start). It is how a
// payload gets into a packet that is being built and into its checksum.
//
// The sum counts src from its own first byte. When src does not land at an
// even offset of the checksummed data, use [Combine].
func Append(dst, src []byte, start uint16) ([]byte, uint16) {
	n := len(dst)
	dst = slices.Grow(dst, len(src))[:n+len(src)]
	return dst, Copy(dst[n:], src, start)
}
