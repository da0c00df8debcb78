package checksum_test

import (
	"encoding/binary"
	"fmt"

	"github.com/gopkts/gopkts/common/checksum"
)

// The header of an IPv4 packet whose checksum field, at offset 10, is zero.
func ExampleInternet() {
	header := []byte{
		0x45, 0x00, 0x00, 0x34, 0x81, 0x98, 0x40, 0x00, 0x40, 0x06,
		0x00, 0x00, 0x0a, 0x4d, 0x00, 0x02, 0x0a, 0x4d, 0x00, 0x01,
	}
	c := checksum.Internet(header, 0)
	binary.BigEndian.PutUint16(header[10:], c)
	fmt.Printf("%#04x %v\n", c, checksum.Valid(header, 0))
	// Output: 0xa48f true
}

// A router decrements the TTL, and corrects the checksum without reading the
// rest of the header (RFC 1624). TTL and protocol share a 16-bit word.
func ExampleUpdate16() {
	const tcp = 6
	c := checksum.Update16(0xa48f, 64<<8|tcp, 63<<8|tcp)
	fmt.Printf("%#04x\n", c)
	// Output: 0xa58f
}

// The sum of data that come in pieces, the first of them with an odd length.
func ExampleCombine() {
	first, second := []byte{0x00, 0x01, 0xf2}, []byte{0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	sum := checksum.Combine(checksum.Sum(first, 0), len(first), checksum.Sum(second, 0))
	fmt.Printf("%#04x\n", sum)
	// Output: 0xddf2
}

// A UDP datagram built into a buffer: the payload is summed while it is
// copied, and the headers are added to its sum.
func ExampleAppend() {
	payload := []byte("hello")
	src, dst := [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}
	length := 8 + len(payload)

	var udp []byte
	udp = binary.BigEndian.AppendUint16(udp, 40000) // source port
	udp = binary.BigEndian.AppendUint16(udp, 7)     // destination port
	udp = binary.BigEndian.AppendUint16(udp, uint16(length))
	udp = binary.BigEndian.AppendUint16(udp, 0)
	udp, sum := checksum.Append(udp, payload, checksum.PseudoIPv4(src, dst, 17, length))
	sum = checksum.Sum(udp[:8], sum)
	binary.BigEndian.PutUint16(udp[6:], checksum.NonZero(^sum))

	fmt.Println(checksum.Valid(udp, checksum.PseudoIPv4(src, dst, 17, length)))
	// Output: true
}

func ExampleSCTP() {
	packet := []byte{
		0x00, 0x07, 0xd8, 0x30, // ports 7 and 55344
		0xfb, 0x4f, 0x5e, 0xf7, // verification tag
		0xe4, 0x25, 0xc0, 0x6c, // checksum
		0x08, 0x00, 0x00, 0x04, // SHUTDOWN ACK
	}
	fmt.Printf("%#08x\n", checksum.SCTP(packet))
	fmt.Println(checksum.SCTP(packet) == binary.BigEndian.Uint32(packet[8:]))
	// Output:
	// 0xe425c06c
	// true
}
