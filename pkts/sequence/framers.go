package sequence

import (
	"bytes"
	"fmt"
	"math"
)

// Framer says where the message ends that begins at the start of data. Data is
// what is there of the stream; seen is how much of that the Framer was shown
// before, when it asked for more of the same message, and 0 for a new one: who
// looks for an end goes on there, so that a message that comes in many pieces is
// not read again for each.
//
// It returns
//   - 0 < n <= len(data): a message of n bytes;
//   - n > len(data): there must be n bytes before it is asked again;
//   - n == 0: there must be more, and it is not known how much;
//   - an error, or n < 0: this is no message.
//
// A Framer must not keep data. One that has state belongs to one direction of
// one stream: see [Messages.FramerFor].
type Framer func(data []byte, seen int) (n int, err error)

// LengthPrefix frames messages that state their length in a fixed place, as an
// unsigned number. Its Frame is the [Framer].
//
//	DNS over TCP  {Width: 2, Add: 2}
//	Diameter      {Offset: 1, Width: 3, Min: 20}
//	TLS records   {Offset: 3, Width: 2, Add: 5}
//	PostgreSQL    {Offset: 1, Width: 4, Add: 1}   behind the first message of a client
//	MySQL         {Width: 3, LittleEndian: true, Add: 4}
type LengthPrefix struct {
	// Offset is where the number begins, in bytes from the start of the
	// message, and Width how many bytes it has, 1 to 8.
	Offset, Width int
	// LittleEndian says that its first byte is the least significant.
	LittleEndian bool
	// Add is what makes the length of the whole message of the number, in
	// bytes: what the number does not count. It may be negative.
	Add int
	// Min and Max are the lengths, of the whole message in bytes, below and
	// above which it is none. A message always reaches to the end of the
	// number; a Max of 0 is no limit.
	Min, Max int
}

// Frame is the [Framer].
func (p LengthPrefix) Frame(data []byte, _ int) (int, error) {
	head := p.Offset + p.Width
	if p.Offset < 0 || p.Width < 1 || p.Width > 8 {
		return 0, fmt.Errorf("sequence: LengthPrefix: a length of %d bytes at byte %d", p.Width, p.Offset)
	}
	if len(data) < head {
		return head, nil
	}
	var n uint64
	for i, b := range data[p.Offset:head] {
		if p.LittleEndian {
			n |= uint64(b) << (8 * i)
		} else {
			n = n<<8 | uint64(b)
		}
	}
	if n > math.MaxInt-uint64(max(p.Add, 0)) {
		return 0, fmt.Errorf("sequence: a length of %d", n)
	}
	whole := int(n) + p.Add
	if whole < max(head, p.Min) || p.Max != 0 && whole > p.Max {
		return 0, fmt.Errorf("sequence: a message of %d bytes, want %d to %d", whole, max(head, p.Min), p.Max)
	}
	return whole, nil
}

// Delimiter frames messages that end with the same bytes, which belong to the
// message. Its Frame is the [Framer].
type Delimiter struct {
	// Bytes are what ends a message, at least one.
	Bytes string
	// Max is the length in bytes, delimiter included, above which it is no
	// message; 0 is no limit.
	Max int
}

// Frame is the [Framer].
func (d Delimiter) Frame(data []byte, seen int) (int, error) {
	if len(d.Bytes) == 0 {
		return 0, fmt.Errorf("sequence: Delimiter without bytes")
	}
	from := max(0, seen-len(d.Bytes)+1) // the delimiter itself may come in pieces
	n, have := 0, len(data)
	if i := bytes.Index(data[from:], []byte(d.Bytes)); i >= 0 {
		n = from + i + len(d.Bytes)
		have = n
	}
	if d.Max != 0 && have > d.Max {
		return 0, fmt.Errorf("sequence: no delimiter within %d bytes", d.Max)
	}
	return n, nil
}

// FixedSize frames messages that are all of that many bytes. Its Frame is the
// [Framer].
type FixedSize int

// Frame is the [Framer].
func (n FixedSize) Frame([]byte, int) (int, error) {
	if n <= 0 {
		return 0, fmt.Errorf("sequence: FixedSize of %d bytes", int(n))
	}
	return int(n), nil
}
