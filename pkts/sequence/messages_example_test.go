package sequence_test

import (
	"encoding/binary"
	"fmt"

	"github.com/gopkts/gopkts/pkts/sequence"
)

// DNS over TCP puts two bytes of length before each message, RFC 7766, section
// 8. A segment may carry several, and one may come in several segments.
func ExampleMessages() {
	dns := &sequence.Messages{Framer: sequence.LengthPrefix{Width: 2, Add: 2}.Frame}

	// What sequence.TCP gives: here, two segments with three messages.
	for _, c := range []sequence.Chunk{
		{Data: []byte("\x00\x03one\x00\x03two\x00\x05th"), Stream: 1, Seen: sequence.Seen{Packet: 4}},
		{Data: []byte("ree"), Offset: 14, Stream: 1, Seen: sequence.Seen{Packet: 6}},
	} {
		m, ok, err := dns.PutGet(c)
		if err != nil {
			fmt.Println(err)
		}
		for ; ok; m, ok = dns.Get() {
			fmt.Printf("%q at byte %d, packets %d to %d\n", m.Data[2:], m.Offset, m.First.Packet, m.Last.Packet)
		}
	}
	// Output:
	// "one" at byte 0, packets 4 to 4
	// "two" at byte 5, packets 4 to 4
	// "three" at byte 10, packets 4 to 6
}

// Diameter has its length in the second to fourth byte, RFC 6733, section 3. One
// that is below the length of a header is no message.
func ExampleLengthPrefix() {
	diameter := &sequence.Messages{Framer: sequence.LengthPrefix{Offset: 1, Width: 3, Min: 20, Max: 1 << 20}.Frame}

	dwr := make([]byte, 20) // a device watchdog request without AVPs
	binary.BigEndian.PutUint32(dwr, 1<<24|20)
	binary.BigEndian.PutUint32(dwr[4:], 0x80<<24|280)
	for i, data := range [][]byte{dwr, []byte("GET / HTTP/1.1\r\n\r\n")} {
		m, _, err := diameter.PutGet(sequence.Chunk{Data: data, Stream: uint64(i)})
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(len(m.Data), m.Err)
	}
	// Output:
	// 20 <nil>
	// 18 sequence: packet 0: message at byte 0: not a message: sequence: a message of 4543520 bytes, want 20 to 1048576
}

// A framer of one's own that has state: PostgreSQL's clients begin with a
// message that has no type.
func ExampleMessages_framerFor() {
	first := sequence.LengthPrefix{Width: 4}
	others := sequence.LengthPrefix{Offset: 1, Width: 4, Add: 1}
	postgres := &sequence.Messages{FramerFor: func(c *sequence.Chunk) sequence.Framer {
		if c.Direction == sequence.Backward {
			return others.Frame
		}
		started := false
		return func(data []byte, seen int) (int, error) {
			if started {
				return others.Frame(data, seen)
			}
			n, err := first.Frame(data, seen)
			started = n > 0 && n <= len(data)
			return n, err
		}
	}}
	m, ok, err := postgres.PutGet(sequence.Chunk{Data: []byte("\x00\x00\x00\x08\x00\x03\x00\x00Q\x00\x00\x00\x0dSELECT 1\x00")})
	if err != nil {
		fmt.Println(err)
	}
	for ; ok; m, ok = postgres.Get() {
		fmt.Printf("%q\n", m.Data)
	}
	// Output:
	// "\x00\x00\x00\b\x00\x03\x00\x00"
	// "Q\x00\x00\x00\rSELECT 1\x00"
}
