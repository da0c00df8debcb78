package checksum

import (
	"encoding/binary"
	"math/bits"
)

// sumGeneric adds the native-endian words of b to acc with end-around carry.
// The result is congruent to the sum modulo 0xffff, and zero only when acc and
// b are.
func sumGeneric(b []byte, acc uint64) uint64 {
	if bits.UintSize == 64 {
		return sum64(b, acc)
	}
	return sum32(b, acc)
}

// sum64 is the form for machines with 64-bit registers: eight additions in one
// carry chain. 2^64 is 1 modulo 0xffff, so a carry out is worth 1.
func sum64(b []byte, acc uint64) uint64 {
	le := binary.NativeEndian
	var c uint64
	for len(b) >= 64 {
		acc, c = bits.Add64(acc, le.Uint64(b[0:8]), 0)
		acc, c = bits.Add64(acc, le.Uint64(b[8:16]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[16:24]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[24:32]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[32:40]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[40:48]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[48:56]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[56:64]), c)
		// A sum that carried out is at most 2^64 - 2: this cannot overflow.
		acc += c
		b = b[64:]
	}
	if len(b) >= 32 {
		acc, c = bits.Add64(acc, le.Uint64(b[0:8]), 0)
		acc, c = bits.Add64(acc, le.Uint64(b[8:16]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[16:24]), c)
		acc, c = bits.Add64(acc, le.Uint64(b[24:32]), c)
		acc += c
		b = b[32:]
	}
	if len(b) >= 16 {
		acc, c = bits.Add64(acc, le.Uint64(b[0:8]), 0)
		acc, c = bits.Add64(acc, le.Uint64(b[8:16]), c)
		acc += c
		b = b[16:]
	}
	if len(b) >= 8 {
		acc, c = bits.Add64(acc, le.Uint64(b), 0)
		acc += c
		b = b[8:]
	}
	acc, c = bits.Add64(acc, tail(b), 0)
	return acc + c
}

// sum32 is the form for machines with 32-bit registers: 32-bit words into a
// 64-bit accumulator, folded before it could overflow.
func sum32(b []byte, acc uint64) uint64 {
	le := binary.NativeEndian
	acc = acc&0xffffffff + acc>>32
	for len(b) >= 32 {
		// At most 2^26 blocks of eight words below 2^32 each: below 2^61.
		block := b[:min(len(b), 1<<31-1)&^31]
		b = b[len(block):]
		for len(block) >= 32 {
			acc += uint64(le.Uint32(block[0:4]))
			acc += uint64(le.Uint32(block[4:8]))
			acc += uint64(le.Uint32(block[8:12]))
			acc += uint64(le.Uint32(block[12:16]))
			acc += uint64(le.Uint32(block[16:20]))
			acc += uint64(le.Uint32(block[20:24]))
			acc += uint64(le.Uint32(block[24:28]))
			acc += uint64(le.Uint32(block[28:32]))
			block = block[32:]
		}
		acc = acc&0xffffffff + acc>>32
	}
	for len(b) >= 8 {
		acc += uint64(le.Uint32(b[0:4])) + uint64(le.Uint32(b[4:8]))
		b = b[8:]
	}
	return acc + tail(b)
}

// tail returns the sum of the words of b, which is shorter than eight bytes.
func tail(b []byte) uint64 {
	var acc uint64
	if len(b) >= 4 {
		acc = uint64(binary.NativeEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		acc += uint64(binary.NativeEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) >= 1 {
		acc += uint64(swapNative(uint16(b[0]) << 8))
	}
	return acc
}
