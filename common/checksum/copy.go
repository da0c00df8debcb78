package checksum

import "slices"

// Copy copies src to the start of dst and returns Sum(src, start). It panics,
// as indexing does, when dst is shorter than src. The two may overlap.
func Copy(dst, src []byte, start uint16) uint16 {
	dst = dst[:len(src)]
	sum := Sum(src, start)
	copy(dst, src)
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
