//go:build amd64 || arm64

package checksum

import "math/bits"

// sumVector adds the words of a first part of b to acc, as [sumGeneric] does,
// and returns the rest of b, which is shorter than 32 bytes.
func sumVector(b []byte, acc uint64) (uint64, []byte) {
	var c uint64
	for len(b) > vectorMax {
		acc, c = bits.Add64(acc, sumBlocks(b[:vectorMax]), 0)
		acc += c
		b = b[vectorMax:]
	}
	acc, c = bits.Add64(acc, sumBlocks(b), 0)
	return acc + c, b[len(b)&^31:]
}
