package pkts_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"math/bits"
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

// oddProtocol returns a protocol of its own for a test.
func oddProtocol(index func(b []byte, r *pkts.Registry) (pkts.Span, error)) *pkts.Protocol {
	p := &pkts.Protocol{Name: "Odd", Index: index, At: []pkts.Selector{pkts.ByUDPPort(7)}}
	p.New = func() pkts.Layer { return &oddLayer{proto: p} }
	p.Clone = func(l pkts.Layer) pkts.Layer { c := *l.(*oddLayer); return &c }
	return p
}

// oddLayer is a layer whose functions a test sets.
type oddLayer struct {
	proto    *pkts.Protocol
	decode   func(b []byte) (int, error)
	encode   func(b []byte) ([]byte, error)
	complete func(c *pkts.Completion) error
}

func (l *oddLayer) Proto() *pkts.Protocol { return l.proto }

func (l *oddLayer) Decode(b []byte) (int, error) {
	if l.decode != nil {
		return l.decode(b)
	}
	return 1, nil
}

func (l *oddLayer) AppendBinary(b []byte) ([]byte, error) {
	if l.encode != nil {
		return l.encode(b)
	}
	return append(b, 0xaa), nil
}

func (l *oddLayer) Complete(c *pkts.Completion) error {
	if l.complete != nil {
		return l.complete(c)
	}
	return nil
}

// useAll does what a program may do with a decoded packet.
func useAll(t *testing.T, p *pkts.Packet, want []byte) {
	t.Helper()
	if b, err := p.AppendBinary(nil); err != nil || !bytes.Equal(b, want) {
		t.Errorf("encoded to % x, %v, was % x", b, err, want)
	}
	for n := range p.Nodes() {
		_, _ = n.Layer()
		_ = n.Bytes()
	}
	for range p.Checks() {
	}
	_ = p.Flow()
	_ = p.String()
	_ = p.GoString()
	_ = p.AppendTree(nil, nil)
	_ = p.AppendFieldDump(nil)
	if b := p.AppendJSON(nil); !json.Valid(b) {
		t.Errorf("not JSON: %s", b)
	}
	if b, err := p.Clone().AppendBinary(nil); err == nil && len(b) == 0 && len(want) > 0 {
		t.Error("a clone is empty")
	}
	p.Append(&pkts.Raw{Data: []byte("appended")})
	_, _ = p.AppendBinary(nil)
}

// oddFrame is an IPv4 and a UDP header to port 7, and a payload.
func oddFrame(t *testing.T, payload int) []byte {
	t.Helper()
	b, err := pkts.Stack(&pkts.IPv4{}, &pkts.UDP{SrcPort: 9, DstPort: 7}, &pkts.Raw{Data: make([]byte, payload)}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForeignIndexIsNotTrusted(t *testing.T) {
	b := oddFrame(t, 20)
	for name, span := range map[string]pkts.Span{
		"nothing":            {},
		"a negative header":  {Header: -1, Payload: 21},
		"a negative payload": {Header: 1, Payload: -1},
		"a long header":      {Header: 21},
		"a huge header":      {Header: math.MaxInt, Payload: 1},
		"a huge payload":     {Header: 1, Payload: math.MaxInt},
		"two that overflow":  {Header: math.MaxInt, Payload: math.MaxInt},
		"an unknown kind":    {Header: 1, Payload: 19, Next: 0xffff},
		"the kind behind":    {Header: 1, Payload: 19, Next: kindBehind()},
	} {
		odd := oddProtocol(func([]byte, *pkts.Registry) (pkts.Span, error) { return span, nil })
		p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(odd)...)}
		if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); !errors.Is(err, pkts.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
		if raw, ok := pkts.Get[pkts.Raw](&p); !ok || len(raw.Data) != 20 {
			t.Errorf("%s: the payload is not raw", name)
		}
		useAll(t, &p, b)
	}
	// Flags that there are not say nothing.
	odd := oddProtocol(func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		return pkts.Span{Header: 1, Payload: len(b) - 1, Flags: 0xe0}, nil
	})
	p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(odd)...)}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		t.Error(err)
	}
	for n := range p.Nodes() {
		if n.Built() {
			t.Errorf("%v counts as built", n.Proto())
		}
	}
	useAll(t, &p, b)
}

// kindBehind returns the number behind those of a registry with one protocol
// more than the default.
func kindBehind() pkts.Kind {
	odd := oddProtocol(nil)
	return pkts.Default.With(pkts.Bind(odd)...).KindOf(odd) + 1
}

func TestForeignErrors(t *testing.T) {
	b := oddFrame(t, 20)
	plain := errors.New("plain")
	for name, index := range map[string]error{"plain": plain, "truncated": pkts.Truncated("Odd", 30, 20)} {
		odd := oddProtocol(func([]byte, *pkts.Registry) (pkts.Span, error) { return pkts.Span{Header: 9, Payload: 9}, index })
		p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(odd)...)}
		err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b)
		if de, ok := errors.AsType[*pkts.DecodeError](err); !ok || de.Offset != 28 {
			t.Errorf("%s: %v, want a DecodeError at byte 28", name, err)
		}
		useAll(t, &p, b)
	}

	index := func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		return pkts.Span{Header: 1, Payload: len(b) - 1}, nil
	}
	odd := oddProtocol(index)
	odd.New = func() pkts.Layer {
		return &oddLayer{proto: odd, decode: func([]byte) (int, error) { return -7, plain }}
	}
	p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(odd)...)}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		t.Error(err)
	}
	if _, err := pkts.Find[pkts.UDP](&p, 0); err != nil {
		t.Error(err)
	}
	pkts.Must[pkts.UDP](&p).SrcPort = 5 // an edit that goes through the others
	if _, err := p.AppendBinary(nil); err != nil {
		t.Errorf("a body that cannot be decoded stops an edit around it: %v", err)
	}
	useAll(t, &p, append(append(bytes.Clone(b[:20]), 0, 5), append(udpSumAfter(t, b, 5), b[28:]...)...))

	for name, l := range map[string]*oddLayer{
		"AppendBinary fails":     {encode: func(b []byte) ([]byte, error) { return nil, plain }},
		"AppendBinary shrinks":   {encode: func(b []byte) ([]byte, error) { return b[:0], nil }},
		"Complete fails":         {complete: func(*pkts.Completion) error { return plain }},
		"Complete writes behind": {complete: func(c *pkts.Completion) error { c.Wants("F", 1, pkts.ModeAuto); c.PutUint8(1); return nil }},
		"Complete writes half":   {complete: func(c *pkts.Completion) error { c.Wants("F", 0, pkts.ModeAuto); c.PutUint16(1); return nil }},
		"Complete writes before": {complete: func(c *pkts.Completion) error { c.Wants("F", -1, pkts.ModeAuto); c.PutUint32(1); return nil }},
		"Complete reads behind":  {complete: func(c *pkts.Completion) error { _ = c.Uint16(math.MaxInt); return nil }},
		"Complete sums behind": {complete: func(c *pkts.Completion) error {
			c.Wants("F", 60, pkts.ModeAuto)
			c.PutUint16(c.InternetChecksum(0))
			return nil
		}},
		"Complete sums a header":    {complete: func(c *pkts.Completion) error { c.Wants("F", 60, pkts.ModeAuto); _ = c.HeaderChecksum(); return nil }},
		"Complete writes unasked":   {complete: func(c *pkts.Completion) error { c.PutUint32(1); return nil }},
		"Complete wants far behind": {complete: func(c *pkts.Completion) error { c.Wants("F", math.MaxInt32, pkts.ModeAuto); return c.PutLength(5) }},
	} {
		odd := oddProtocol(index)
		l.proto = odd
		odd.New = func() pkts.Layer { c := *l; return &c }
		registry := pkts.Default.With(pkts.Bind(odd)...)
		built := pkts.Packet{Registry: registry}
		built.Append(&pkts.IPv4{}, &pkts.UDP{}, l, &pkts.Raw{Data: []byte{1, 2}})
		before := []byte("before")
		got, err := built.AppendBinary(before)
		if _, ok := errors.AsType[*pkts.EncodeError](err); !ok || string(got) != "before" {
			t.Errorf("%s: %q, %v, want an EncodeError", name, got, err)
		}
		_ = built.String()
		_ = built.GoString()
		_ = built.AppendJSON(nil)
		_ = built.AppendTree(nil, nil)
		_ = built.Flow()

		p := pkts.Packet{Registry: registry}
		if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for c := range p.Checks() {
			if c.Node.Proto() == odd {
				t.Errorf("%s: a check of %s", name, c.Field)
			}
		}
		if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		useAll(t, &p, b)
	}
}

func TestForeignSplit(t *testing.T) {
	const payload = 9000
	b := oddFrame(t, payload)
	for name, split := range map[string]func(payload []byte, r *pkts.Registry, w *pkts.Splitter) error{
		"nothing":        func([]byte, *pkts.Registry, *pkts.Splitter) error { return nil },
		"an error":       func([]byte, *pkts.Registry, *pkts.Splitter) error { return errors.New("plain") },
		"zero":           func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error { w.Add(pkts.KindRaw, 0); return nil },
		"less than zero": func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error { w.Add(pkts.KindRaw, math.MinInt); return nil },
		"too much":       func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error { w.Add(pkts.KindRaw, math.MaxInt); return nil },
		"2^32 and one": func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error {
			w.Add(pkts.KindRaw, 1<<(bits.UintSize-2)+1)
			return nil
		},
		"an unknown kind": func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error { w.Add(0xffff, 1); return nil },
		"the kind behind": func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error { w.Add(kindBehind(), 1); return nil },
		"padding": func(_ []byte, r *pkts.Registry, w *pkts.Splitter) error {
			w.Add(r.KindOf((*pkts.Padding)(nil).Proto()), 7)
			return nil
		},
		"until it is told": func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error {
			for w.Add(pkts.KindRaw, 1) {
			}
			return nil
		},
		"on and on": func(_ []byte, _ *pkts.Registry, w *pkts.Splitter) error {
			for range 100_000 {
				w.Add(pkts.KindRaw, 1)
			}
			return nil
		},
	} {
		odd := oddProtocol(func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
			return pkts.Span{Header: 1, Payload: len(b) - 1}, nil
		})
		odd.Split = split
		p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(odd)...)}
		err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b)
		switch name {
		case "until it is told", "on and on":
			if !errors.Is(err, pkts.ErrTooDeep) || p.Len() > pkts.MaxLayers+1 {
				t.Errorf("%s: %v, %d layers", name, err, p.Len())
			}
		case "an error", "an unknown kind", "the kind behind":
			if _, ok := errors.AsType[*pkts.DecodeError](err); !ok {
				t.Errorf("%s: %v", name, err)
			}
		default:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		sum := 0
		for n := range p.Nodes() {
			sum += n.HeaderLen()
		}
		if sum != len(b) {
			t.Errorf("%s: the layers have %d of %d bytes", name, sum, len(b))
		}
		useAll(t, &p, b)
	}
	// Layers in each other that divide themselves again and again.
	odd := oddProtocol(func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		return pkts.Span{Header: 1, Payload: len(b) - 1}, nil
	})
	odd.Split = func(b []byte, r *pkts.Registry, w *pkts.Splitter) error {
		k := r.KindOf(odd)
		w.Add(k, len(b)/2)
		w.Add(k, len(b)-len(b)/2)
		return nil
	}
	p := pkts.Packet{Registry: pkts.Default.With(pkts.Bind(odd)...)}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); !errors.Is(err, pkts.ErrTooDeep) {
		t.Errorf("halves of halves: %v", err)
	}
	useAll(t, &p, b)
}

// TestForeignWithoutFields prints a layer that has no fields.
func TestForeignWithoutFields(t *testing.T) {
	odd := oddProtocol(func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return pkts.Span{Header: len(b)}, nil })
	registry := pkts.Default.With(pkts.Bind(odd)...)
	for _, path := range []string{"odd", "odd[0]", "odd.", "odd.x", "odd..", "odd[", "odd[]", "odd[99999]", "", ".", "[", "[0].x"} {
		if _, err := registry.ParseField(path); !errors.Is(err, pkts.ErrNoField) {
			t.Errorf("%q: %v, want ErrNoField", path, err)
		}
	}
	b := oddFrame(t, 3)
	p := pkts.Packet{Registry: registry}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		t.Fatal(err)
	}
	useAll(t, &p, b)
}

// TestManyLayers gives a packet more layers than it takes.
func TestManyLayers(t *testing.T) {
	layers := make([]pkts.Layer, 70_000)
	for i := range layers {
		layers[i] = &pkts.VLAN{}
	}
	p := pkts.Stack(layers...)
	if b, err := p.AppendBinary(nil); !errors.Is(err, pkts.ErrTooDeep) || len(b) != 0 {
		t.Errorf("%d bytes, %v, want ErrTooDeep", len(b), err)
	}
	if _, err := p.Clone().AppendBinary(nil); !errors.Is(err, pkts.ErrTooDeep) {
		t.Errorf("a clone: %v, want ErrTooDeep", err)
	}
	for name, err := range map[string]error{
		"InsertBefore": p.InsertBefore(layers[0], &pkts.VLAN{}),
		"InsertAfter":  p.InsertAfter(layers[0], &pkts.VLAN{}),
		"AddChild":     p.AddChild(layers[0], &pkts.VLAN{}),
	} {
		if !errors.Is(err, pkts.ErrTooDeep) {
			t.Errorf("%s: %v, want ErrTooDeep", name, err)
		}
	}
	p.Reset()
	p.Append(layers[:pkts.MaxLayers]...)
	if b, err := p.AppendBinary(nil); err != nil || len(b) != pkts.MaxLayers*pkts.VLANLen {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestLongHeader carries something behind a header that is longer than any
// protocol's.
func TestLongHeader(t *testing.T) {
	long := &pkts.ICMPExtensions{Objects: make(pkts.ICMPObjects, 70_000)}
	p := pkts.Stack(long)
	if b, err := p.AppendBinary(nil); err == nil && len(b) < 70_000 {
		t.Errorf("%d bytes", len(b))
	}
	if err := p.AddChild(long, &pkts.Padding{Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendBinary(nil); !errors.Is(err, pkts.ErrTooLong) {
		t.Errorf("%v, want ErrTooLong", err)
	}
}

// udpSumAfter returns the length and checksum of the UDP header in the packet b
// when its source port is set.
func udpSumAfter(t *testing.T, b []byte, port uint16) []byte {
	t.Helper()
	c := bytes.Clone(b)
	pkts.UDPView(c[20:]).SetSrcPort(port)
	return append([]byte{c[22], c[23]}, c[24:28]...)
}
