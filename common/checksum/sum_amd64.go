package checksum

import (
	"math/bits"

	"golang.org/x/sys/cpu"
)

const (
	// vectorMin is the length in bytes from which the vector form is faster.
	vectorMin = 192
	// copyMin is the length in bytes from which summing while copying is faster
	// than doing one after the other.
	copyMin = 512
	// vectorMax is the most bytes that one call of the assembly is given: what
	// bounds its lanes below 2^47, and how long it keeps the goroutine from
	// being preempted.
	vectorMax = 1 << 20
)

// haveVector reports whether the processor has AVX2 and the operating system
// saves its registers.
func haveVector() bool { return cpu.X86.HasAVX2 }

// sumBlocks returns the sum of the 32-bit words of b, as the machine loads
// them. Only whole runs of 32 bytes count, and at most vectorMax bytes may be
// given.
func sumBlocks(b []byte) uint64 { return sumAVX2(b) }

// sumAVX2 returns what [sumBlocks] says.
//
//go:noescape
func sumAVX2(b []byte) uint64

// copyAVX2 copies the whole runs of 32 bytes of src to dst and returns
// sumAVX2(src). dst must not be shorter than src. When the total bytes from
// dst and the total bytes from src, of which these slices are the start,
// overlap, it does nothing and reports false.
//
//go:noescape
func copyAVX2(dst, src []byte, total int) (sum uint64, ok bool)

// copyVector copies a first part of src to dst, which has the same length, and
// adds its words to acc. It returns the rest of src: shorter than 32 bytes, or
// all of it when the two overlap.
func copyVector(dst, src []byte, acc uint64) (uint64, []byte) {
	for len(src) >= 32 {
		n := min(len(src), vectorMax) &^ 31
		// Were a later run of src under this run of dst, the copy would spoil
		// it: the question is asked of all that is left.
		sum, ok := copyAVX2(dst[:n], src[:n], len(src))
		if !ok {
			break
		}
		var c uint64
		acc, c = bits.Add64(acc, sum, 0)
		acc += c
		dst, src = dst[n:], src[n:]
	}
	return acc, src
}
