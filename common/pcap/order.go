package pcap

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// ByteOrder is the byte order of a file or of a pcapng section. The zero value
// is little-endian.
type ByteOrder uint8

// The two byte orders of capture files.
const (
	LittleEndian ByteOrder = iota
	BigEndian
)

// String returns "little-endian" or "big-endian".
func (o ByteOrder) String() string {
	if o == BigEndian {
		return "big-endian"
	}
	return "little-endian"
}

func (o ByteOrder) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if o == BigEndian {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (o ByteOrder) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if o == BigEndian {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (o ByteOrder) u64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if o == BigEndian {
		v = bits.ReverseBytes64(v)
	}
	return v
}

func (o ByteOrder) putU32(b []byte, v uint32) {
	if o == BigEndian {
		v = bits.ReverseBytes32(v)
	}
	binary.LittleEndian.PutUint32(b, v)
}

func (o ByteOrder) appendU16(b []byte, v uint16) []byte {
	if o == BigEndian {
		v = bits.ReverseBytes16(v)
	}
	return binary.LittleEndian.AppendUint16(b, v)
}

func (o ByteOrder) appendU32(b []byte, v uint32) []byte {
	if o == BigEndian {
		v = bits.ReverseBytes32(v)
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

func (o ByteOrder) appendU64(b []byte, v uint64) []byte {
	if o == BigEndian {
		v = bits.ReverseBytes64(v)
	}
	return binary.LittleEndian.AppendUint64(b, v)
}

// toInt converts a length that nothing has checked; where int has 32 bits, the
// greatest stands for those it does not hold.
func toInt(v uint32) int {
	if n := int(v); n >= 0 {
		return n
	}
	return math.MaxInt
}
