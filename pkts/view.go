package pkts

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/common/checksum"
)

// grow appends n zero bytes to b and returns them as a view, too.
func grow[V ~[]byte](b []byte, n int) ([]byte, V) {
	at := len(b)
	b = append(b, make([]byte, n)...)
	return b, V(b[at : at+n : at+n])
}

// extend is grow for a header of which every byte is written: those of a buffer
// with room are left as they are.
func extend[V ~[]byte](b []byte, n int) ([]byte, V) {
	at := len(b)
	if n > cap(b)-at {
		return grow[V](b, n)
	}
	b = b[:at+n]
	return b, V(b[at : at+n : at+n])
}

// be16 returns the 16 bits at off. Spelled out like this, it costs one check of
// bounds for any constant off.
func be16(b []byte, off int) uint16 {
	_ = b[off+1]
	return uint16(b[off+1]) | uint16(b[off])<<8
}

// be32 is be16 for 32 bits.
func be32(b []byte, off int) uint32 {
	_ = b[off+3]
	return uint32(b[off+3]) | uint32(b[off+2])<<8 | uint32(b[off+1])<<16 | uint32(b[off])<<24
}

// setSummed writes new over the bytes at off of a header whose Internet
// checksum, at sumOff, covers them, and changes the checksum by as much,
// RFC 1624: what was right stays right, what was wrong stays wrong. off is
// even.
func setSummed(h []byte, sumOff, off int, new []byte) {
	old := h[off : off+len(new)]
	AdjustChecksum(h[sumOff:sumOff+2], old, new)
	copy(old, new)
}

// setSummed16 is setSummed for 16 bits.
func setSummed16(h []byte, sumOff, off int, new uint16) {
	sum := h[sumOff : sumOff+2]
	f := h[off : off+2]
	binary.BigEndian.PutUint16(sum, checksum.Update16(binary.BigEndian.Uint16(sum), binary.BigEndian.Uint16(f), new))
	binary.BigEndian.PutUint16(f, new)
}

// AdjustChecksum changes the Internet checksum in the first two bytes of sum as
// if the bytes old, which it covers, had become new, RFC 1624. old and new have
// the same length and lie an even number of bytes behind the start of what is
// covered. Use it to follow in a TCP or UDP header what was changed in place
// in the addresses of the IP header below it.
func AdjustChecksum(sum, old, new []byte) {
	binary.BigEndian.PutUint16(sum, checksum.UpdateBytes(binary.BigEndian.Uint16(sum), 0, old, new))
}
