package checksum

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// PseudoIPv4 returns the sum of the pseudo-header that UDP and TCP put before
// their own header over IPv4 ([RFC 9293, section 3.1], RFC 768): the two
// addresses, the protocol number, and the length in bytes of the transport
// header and its data.
//
//	+--------+--------+--------+--------+
//	|           Source Address          |
//	+--------+--------+--------+--------+
//	|         Destination Address       |
//	+--------+--------+--------+--------+
//	|  zero  | proto  |     length      |
//	+--------+--------+--------+--------+
//
// A length beyond 65,535 bytes, which no IPv4 packet has but a segment that a
// device is to cut may have, is added as a 32-bit number; more than 32 bits
// are ignored.
//
// [RFC 9293, section 3.1]: https://www.rfc-editor.org/rfc/rfc9293#section-3.1
func PseudoIPv4(src, dst [4]byte, proto uint8, length int) uint16 {
	return Fold(uint64(binary.BigEndian.Uint32(src[:])) +
		uint64(binary.BigEndian.Uint32(dst[:])) +
		uint64(proto) + uint64(uint32(length)))
}

// PseudoIPv6 returns the sum of the pseudo-header of [RFC 8200, section 8.1]:
// the two addresses, the upper-layer packet's length in bytes, and the number
// of the upper-layer protocol (not that of an extension header before it). With
// a routing header, dst is the final destination. Of length, the low 32 bits
// count.
//
// [RFC 8200, section 8.1]: https://www.rfc-editor.org/rfc/rfc8200#section-8.1
func PseudoIPv6(src, dst [16]byte, proto uint8, length int) uint16 {
	return pseudo6(src[:], dst[:], uint64(proto)+uint64(uint32(length)))
}

// PseudoIPv4Bytes is [PseudoIPv4] for addresses as they lie in an IPv4 header:
// addrs begins with the source address (offset 12 of the header), and the
// destination address follows. It panics when addrs is shorter than 8 bytes,
// as indexing does; what follows them is not looked at.
func PseudoIPv4Bytes(addrs []byte, proto uint8, length int) uint16 {
	addrs = addrs[:8]
	return Fold(uint64(binary.BigEndian.Uint32(addrs)) +
		uint64(binary.BigEndian.Uint32(addrs[4:])) +
		uint64(proto) + uint64(uint32(length)))
}

// PseudoIPv6Bytes is [PseudoIPv6] for addresses as they lie in an IPv6 header:
// addrs begins with the source address (offset 8 of the header), and the
// destination address follows. It panics when addrs is shorter than 32 bytes,
// as indexing does; what follows them is not looked at.
func PseudoIPv6Bytes(addrs []byte, proto uint8, length int) uint16 {
	addrs = addrs[:32]
	return pseudo6(addrs[:16], addrs[16:], uint64(proto)+uint64(uint32(length)))
}

// Pseudo returns the sum of the pseudo-header for two addresses of the same
// family: [PseudoIPv4] for IPv4, [PseudoIPv6] for IPv6 (IPv4-mapped IPv6
// addresses are IPv6; zones are ignored). It reports false when an address is
// not valid or the families differ.
func Pseudo(src, dst netip.Addr, proto uint8, length int) (sum uint16, ok bool) {
	switch {
	case src.Is4() && dst.Is4():
		return PseudoIPv4(src.As4(), dst.As4(), proto, length), true
	case src.Is6() && dst.Is6():
		return PseudoIPv6(src.As16(), dst.As16(), proto, length), true
	default:
		return 0, false
	}
}

// pseudo6 returns the sum of two addresses of 16 bytes and of rest, which is
// below 2^34: adding the last carry cannot overflow then.
func pseudo6(src, dst []byte, rest uint64) uint16 {
	be := binary.BigEndian
	s, c := bits.Add64(be.Uint64(src), be.Uint64(src[8:]), 0)
	s, c = bits.Add64(s, be.Uint64(dst), c)
	s, c = bits.Add64(s, be.Uint64(dst[8:]), c)
	s, c = bits.Add64(s, rest, c)
	return Fold(s + c)
}
