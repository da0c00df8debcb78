package pkts_test

import (
	"encoding/binary"
	"fmt"
	"log"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

const (
	greetingOffVersion = 0
	greetingOffLength  = 2
	greetingLen        = 4
)

// Greeting is the header of a protocol that this package does not know: a
// version, a reserved byte and the length of the text that follows.
type Greeting struct {
	Version  uint8
	Reserved uint8
	Length   pkts.Auto[uint16] // of the text, in bytes
}

var _ pkts.Completer = (*Greeting)(nil)

var greetingProtocol = pkts.Protocol{
	Name:  "Greeting",
	New:   pkts.New[Greeting],
	Clone: pkts.Clone[Greeting], // Greeting has no slices
	Index: indexGreeting,
	At:    []pkts.Selector{pkts.ByUDPPort(4321)},
	Fields: []pkts.Field{
		{Name: "Version", Bit: 0, Bits: 8},
		{Name: "Reserved", Bit: 8, Bits: 8},
		{Name: "Length", Bit: 16, Bits: 16},
	},
}

// Proto returns the descriptor.
func (*Greeting) Proto() *pkts.Protocol { return &greetingProtocol }

func indexGreeting(b []byte, _ *pkts.Registry) (pkts.Span, error) {
	if len(b) < greetingLen {
		return pkts.Span{}, pkts.Truncated("Greeting", greetingLen, len(b))
	}
	s := pkts.Span{Header: greetingLen, Payload: int(GreetingView(b).Length())}
	if s.Payload > len(b)-greetingLen {
		s.Payload = len(b) - greetingLen
		s.Flags = pkts.SpanTruncated
	}
	return s, nil
}

// Decode fills l from the start of b, 4 bytes.
func (l *Greeting) Decode(b []byte) (int, error) {
	if len(b) < greetingLen {
		return 0, pkts.Truncated("Greeting", greetingLen, len(b))
	}
	v := GreetingView(b)
	l.Version = v.Version()
	l.Reserved = b[greetingOffVersion+1]
	l.Length = pkts.Seen(v.Length())
	return greetingLen, nil
}

// AppendBinary appends the header to b.
func (l *Greeting) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint16(append(b, l.Version, l.Reserved), l.Length.Value()), nil
}

// Complete computes Length.
func (l *Greeting) Complete(c *pkts.Completion) error {
	if c.Wants("Length", greetingOffLength, l.Length.Mode()) {
		return c.PutLength(len(c.Payload()))
	}
	return nil
}

// AppendSummary says the version in the one-line summary.
func (l *Greeting) AppendSummary(b []byte, _ pkts.Node) []byte {
	return fmt.Appendf(b, "greeting v%d", l.Version)
}

// GreetingView is a Greeting in place.
type GreetingView []byte

// Proto returns the descriptor.
func (GreetingView) Proto() *pkts.Protocol { return &greetingProtocol }

func (v GreetingView) Version() uint8 { return v[greetingOffVersion] }
func (v GreetingView) Length() uint16 { return binary.BigEndian.Uint16(v[greetingOffLength:]) }

func (v GreetingView) SetVersion(n uint8) { v[greetingOffVersion] = n }

// A protocol of another module, complete: it decodes, encodes, is edited,
// checked, viewed and printed as those of this package.
func ExampleProtocol() {
	b, err := pkts.Stack(&pkts.IPv4{TTL: 64}, &pkts.UDP{DstPort: 4321}, &Greeting{Version: 1}, &pkts.Raw{Data: []byte("hello")}).AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}

	p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(&greetingProtocol)...)}
	if err := p.Decode(link.TypeIPv4, b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(&p)
	if v, ok := pkts.View[GreetingView](&p); ok {
		fmt.Println("version", v.Version())
	}
	pkts.Must[pkts.Raw](&p).Data = []byte("good morning")
	if b, err = p.AppendBinary(nil); err != nil {
		log.Fatal(err)
	}
	if err := p.Decode(link.TypeIPv4, b); err != nil {
		log.Fatal(err)
	}
	for c := range p.Checks() {
		if c.Status != pkts.CheckGood || c.Field == "Length" {
			fmt.Println(c.Node.Proto(), c.Field, c.Have, c.Status)
		}
	}
	// Output:
	// IP 0.0.0.0.0 > 0.0.0.0.4321: UDP, length 9: greeting v1, length 5
	// version 1
	// IPv4 Length 44 good
	// UDP Length 24 good
	// Greeting Length 12 good
}
