package checksum

import (
	"hash/crc32"
	"math/bits"
)

// SCTP checksum field: offset and length in bytes within the common header,
// RFC 9260, section 3.1.
const (
	sctpOffChecksum = 8
	sctpChecksumEnd = 12
)

// CRC32C returns the CRC of b with the Castagnoli polynomial 0x1edc6f41,
// reflected, starting from all ones and complemented at the end, as
// [RFC 9260, appendix A] and iSCSI (RFC 7143, section 13.1) have it. The CRC
// of "123456789" is 0xe3069283.
//
// [RFC 9260, appendix A]: https://www.rfc-editor.org/rfc/rfc9260#appendix-A
func CRC32C(b []byte) uint32 { return UpdateCRC32C(0, b) }

// UpdateCRC32C returns the CRC of some data followed by b, where crc is the
// CRC of that data; it is 0 for no data.
func UpdateCRC32C(crc uint32, b []byte) uint32 {
	// MakeTable returns the same table every time, which is what lets Update
	// know that it may use the machine's CRC instruction.
	return crc32.Update(crc, crc32.MakeTable(crc32.Castagnoli), b)
}

// SCTP returns the checksum of an SCTP packet, from the first byte of the
// common header to the last byte of the last chunk's padding, computed as
// [RFC 9260, section 6.8] says: as if the checksum field were zero. What is in
// the field does not matter, and the packet is not changed. A packet shorter
// than the common header's 12 bytes is summed as far as it goes.
//
// The value is that of the header field as [encoding/binary.BigEndian] reads
// and writes it, like any other field. The CRC itself goes on the wire with
// its low byte first ([RFC 9260, appendix A]), so this is [CRC32C] with the
// bytes exchanged.
//
// [RFC 9260, section 6.8]: https://www.rfc-editor.org/rfc/rfc9260#section-6.8
// [RFC 9260, appendix A]: https://www.rfc-editor.org/rfc/rfc9260#appendix-A
func SCTP(packet []byte) uint32 {
	head := packet[:min(len(packet), sctpOffChecksum)]
	field := packet[len(head):min(len(packet), sctpChecksumEnd)]
	crc := ^CRC32C(head)
	// The field's zeros, one table look-up each: no slice of zeros is made.
	table := crc32.MakeTable(crc32.Castagnoli)
	for range field {
		crc = table[byte(crc)] ^ crc>>8
	}
	crc = UpdateCRC32C(^crc, packet[len(head)+len(field):])
	return bits.ReverseBytes32(crc)
}
