package pkts_test

import (
	"encoding/binary"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/pkts"
)

// What follows is how another module adds a protocol: a header that carries
// records side by side, in a number space of its own.

// boxTypes are the numbers in a record's first byte.
var boxTypes = pkts.NewTable("box type")

// Box is a header with a magic number and the length of its records.
type Box struct {
	Magic  uint16
	Length pkts.Auto[uint16]
}

var boxProtocol = pkts.Protocol{
	Name:  "Box",
	New:   pkts.New[Box],
	Clone: pkts.Clone[Box],
	At:    []pkts.Selector{pkts.ByUDPPort(7777)},
	Index: func(b []byte, r *pkts.Registry) (pkts.Span, error) {
		if len(b) < 4 {
			return pkts.Span{}, pkts.Truncated("Box", 4, len(b))
		}
		if binary.BigEndian.Uint16(b) != 0xb0c5 {
			return pkts.Span{}, pkts.Malformed("Box", "no magic number")
		}
		return pkts.Span{Header: 4, Payload: min(int(binary.BigEndian.Uint16(b[2:])), len(b)-4)}, nil
	},
	Split: func(payload []byte, r *pkts.Registry, w *pkts.Splitter) error {
		for len(payload) >= 2 {
			n := min(2+int(payload[1]), len(payload))
			if !w.Add(r.Next(boxTypes, uint64(payload[0])), n) {
				return nil
			}
			payload = payload[n:]
		}
		return nil
	},
	Fields: []pkts.Field{{Name: "Magic", Bit: 0, Bits: 16}, {Name: "Length", Bit: 16, Bits: 16}},
}

func (*Box) Proto() *pkts.Protocol { return &boxProtocol }

func (l *Box) Decode(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, pkts.Truncated("Box", 4, len(b))
	}
	l.Magic = binary.BigEndian.Uint16(b)
	l.Length = pkts.Seen(binary.BigEndian.Uint16(b[2:]))
	return 4, nil
}

func (l *Box) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, l.Magic), l.Length.Value()), nil
}

func (l *Box) Complete(c *pkts.Completion) error {
	if c.Wants("Length", 2, l.Length.Mode()) {
		return c.PutLength(len(c.Payload()))
	}
	return nil
}

// Record is one of the things in a box.
type Record struct {
	Type   uint8
	Length pkts.Auto[uint8]
	Text   string
}

var recordProtocol = pkts.Protocol{
	Name:  "Record",
	New:   pkts.New[Record],
	Clone: pkts.Clone[Record],
	At:    []pkts.Selector{{Table: boxTypes, Number: 1}, {Table: boxTypes, Number: 2}},
	Index: func(b []byte, r *pkts.Registry) (pkts.Span, error) {
		if len(b) < 2 {
			return pkts.Span{}, pkts.Truncated("Record", 2, len(b))
		}
		return pkts.Span{Header: min(2+int(b[1]), len(b))}, nil
	},
}

func (*Record) Proto() *pkts.Protocol { return &recordProtocol }

func (l *Record) Decode(b []byte) (int, error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return 0, pkts.Truncated("Record", 2, len(b))
	}
	n := 2 + int(b[1])
	l.Type, l.Length, l.Text = b[0], pkts.Seen(b[1]), string(b[2:n])
	return n, nil
}

func (l *Record) AppendBinary(b []byte) ([]byte, error) {
	if len(l.Text) > 255 {
		return b, pkts.TooLong("Record", "Text", len(l.Text), 255)
	}
	return append(append(b, l.Type, l.Length.Value()), l.Text...), nil
}

func (l *Record) Complete(c *pkts.Completion) error {
	if c.Wants("Length", 1, l.Length.Mode()) {
		c.PutUint8(uint8(len(c.Header()) - 2))
	}
	return nil
}

// BoxView is the view of a Box.
type BoxView []byte

func (BoxView) Proto() *pkts.Protocol { return &boxProtocol }
func (v BoxView) Magic() uint16       { return binary.BigEndian.Uint16(v) }

func TestForeignProtocol(t *testing.T) {
	registry := pkts.Default.With(pkts.Bind(&boxProtocol, &recordProtocol)...)
	built := pkts.Packet{Registry: registry}
	box := &Box{Magic: 0xb0c5}
	built.Append(&pkts.IPv4{TTL: 1}, &pkts.UDP{DstPort: 7777}, box)
	for _, r := range []*Record{{Type: 1, Text: "one"}, {Type: 2, Text: "two"}} {
		if err := built.AddChild(box, r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := built.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", b[28:]), "b0c5000a01036f6e65020374776f"; got != want {
		t.Errorf("built %s, want %s", got, want)
	}
	b = append(b, 0xff, 0xff) // behind the IPv4 packet

	p := pkts.Packet{Registry: registry}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		t.Fatal(err)
	}
	shape := func(p *pkts.Packet) string {
		var s strings.Builder
		for n := range p.Nodes() {
			fmt.Fprintf(&s, "%d %v, ", n.Depth(), n.Proto())
		}
		return s.String()
	}
	if got, want := shape(&p), "0 IPv4, 1 UDP, 2 Box, 3 Record, 3 Record, 0 Padding, "; got != want {
		t.Errorf("decoded %q, want %q", got, want)
	}
	if v, ok := pkts.View[BoxView](&p); !ok || v.Magic() != 0xb0c5 {
		t.Errorf("view: % x, %v", v, ok)
	}
	second, ok := pkts.Nth[Record](&p, 1)
	if !ok || second.Text != "two" {
		t.Fatalf("the second record is %+v, %v", second, ok)
	}
	for c := range p.Checks() {
		if c.Status != pkts.CheckGood {
			t.Errorf("%v.%s: %v", c.Node.Proto(), c.Field, c.Status)
		}
	}
	second.Text = "second"
	if err := p.AddChild(pkts.Must[Box](&p), &Record{Type: 1, Text: "three"}); err != nil {
		t.Fatal(err)
	}
	if b, err = p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", b[28:]), "b0c5001401036f6e6502067365636f6e6401057468726565ffff"; got != want {
		t.Errorf("edited %s, want %s", got, want)
	}
	var q pkts.Packet
	q.Registry = registry
	if err := q.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		t.Fatal(err)
	}
	for c := range q.Checks() {
		if c.Status != pkts.CheckGood {
			t.Errorf("after the edit: %v.%s: %v, have %#x, want %#x", c.Node.Proto(), c.Field, c.Status, c.Have, c.Want)
		}
	}
	var texts []string
	for r := range pkts.All[Record](&q) {
		texts = append(texts, r.Text)
	}
	if fmt.Sprint(texts) != "[one second three]" {
		t.Errorf("records %v", texts)
	}
	found := 0
	for s, p := range registry.Bindings() {
		if p == &boxProtocol && s == pkts.ByUDPPort(7777) || p == &recordProtocol && s.Table == boxTypes {
			found++
		}
	}
	if found != 3 {
		t.Errorf("Bindings yields %d of 3", found)
	}

	// A protocol that Append meets for the first time is added by itself.
	lone := pkts.Stack(&pkts.IPv4{}, &pkts.UDP{DstPort: 7777}, &Box{Magic: 0xb0c5})
	if b, err := lone.AppendBinary(nil); err != nil || len(b) != 32 {
		t.Errorf("Stack of a protocol that is not bound: % x, %v", b, err)
	}
}

func ExampleRegistry_With() {
	// Decode what UDP carries to port 4789 as Ethernet.
	p := pkts.Packet{Registry: pkts.Default.With(pkts.Binding{
		At:       pkts.ByUDPPort(4789),
		Protocol: (*pkts.Ethernet)(nil).Proto(),
	})}
	inner, err := pkts.Stack(&pkts.Ethernet{}, &pkts.IPv4{TTL: 9}).AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	b, err := pkts.Stack(&pkts.IPv4{}, &pkts.UDP{DstPort: 4789}, &pkts.Raw{Data: inner}).AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		log.Fatal(err)
	}
	if ip, ok := pkts.Nth[pkts.IPv4](&p, 1); ok {
		fmt.Println(ip.TTL)
	}
	// Output: 9
}

func ExampleTCPOptions_All() {
	o := pkts.TCPOptions(nil).AppendMSS(1460).AppendSACKPermitted().AppendNop(1).AppendWindowScale(7).Pad()
	for i, opt := range o.All() {
		fmt.Println(i, opt.Kind, opt.Data)
	}
	if mss, ok := o.MSS(); ok {
		fmt.Println(mss, "bytes")
	}
	// Output:
	// 0 MSS [5 180]
	// 4 SACKPermitted []
	// 6 NOP []
	// 7 WindowScale [7]
	// 10 EOL []
	// 1460 bytes
}

func ExampleIPv6Options_AppendRouterAlert() {
	b, err := pkts.Stack(
		&pkts.IPv6{HopLimit: 1},
		&pkts.IPv6HopByHop{Options: pkts.IPv6Options(nil).AppendRouterAlert(0)},
	).AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("% x\n", b[pkts.IPv6Len:])
	// Output: 3b 00 05 02 00 00 01 00
}
