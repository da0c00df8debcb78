// Package checksum computes the checksums of the internet protocols: the
// 16-bit one's complement checksum of IPv4, ICMP, UDP, TCP and their relatives
// ([RFC 1071]), its incremental update ([RFC 1624]), and the CRC32c of SCTP
// ([RFC 9260, appendix A]).
//
// # Sums and checksums
//
// [Sum] returns a partial sum: the one's complement sum of the 16-bit
// big-endian words of a slice, folded to 16 bits. Partial sums are added with
// [Add], and joined with [Combine] where the first part may have an odd
// length. The checksum that goes into a header is the complement of the sum,
// which [Internet] returns directly:
//
//	sum := checksum.PseudoIPv4(src, dst, 6, len(segment))
//	binary.BigEndian.PutUint16(segment[16:], 0)
//	binary.BigEndian.PutUint16(segment[16:], checksum.Internet(segment, sum))
//
// A received segment, its checksum field in place, is right when [Valid]
// says so.
//
// # Two zeros
//
// One's complement has two zeros, 0x0000 and 0xffff. A sum is 0x0000 only when
// everything that was added is zero; a sum that comes out as zero in any other
// way is 0xffff. All functions here keep to that, so equal data always have
// equal sums, however they were cut. UDP sends 0xffff for a checksum of 0x0000,
// since 0x0000 there says that there is none: see [NonZero].
//
// No function allocates, keeps a slice, or changes one that is not named dst.
//
// [RFC 1071]: https://www.rfc-editor.org/rfc/rfc1071
// [RFC 1624]: https://www.rfc-editor.org/rfc/rfc1624
// [RFC 9260, appendix A]: https://www.rfc-editor.org/rfc/rfc9260#appendix-A
package checksum
