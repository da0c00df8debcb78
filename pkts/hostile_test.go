package pkts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEncodeInPlace encodes packets into the bytes that they were decoded from.
func TestEncodeInPlace(t *testing.T) {
	frame := coreBuild(t, &Ethernet{Dst: coreMACDst, Src: coreMACSrc}, coreV4(IPv4Options(nil).AppendRouterAlert(7)),
		&TCP{SrcPort: 1, Options: TCPOptions(nil).AppendMSS(1460)}, &Raw{Data: []byte("hello world")})
	edits := map[string]func(p *Packet) error{
		"none":          func(*Packet) error { return nil },
		"a field":       func(p *Packet) error { Must[IPv4](p).TTL--; return nil },
		"longer":        func(p *Packet) error { return p.InsertAfter(Must[Ethernet](p), &VLAN{ID: 5}) },
		"shorter":       func(p *Packet) error { return p.Remove(Must[Ethernet](p)) },
		"fewer options": func(p *Packet) error { Must[IPv4](p).Options = nil; return nil },
		"cannot be":     func(p *Packet) error { Must[IPv4](p).DSCP = 0xff; return nil },
	}
	for name, edit := range edits {
		for where, parts := range map[string]func(all []byte) (data, b []byte){
			"the data":           func(all []byte) ([]byte, []byte) { d := all[8 : 8+len(frame)]; return d, d[:0] },
			"the data, cut":      func(all []byte) ([]byte, []byte) { d := all[8 : 8+len(frame) : 8+len(frame)]; return d, all[8:8] },
			"from before it":     func(all []byte) ([]byte, []byte) { return all[8 : 8+len(frame)], all[:0] },
			"behind a few bytes": func(all []byte) ([]byte, []byte) { return all[8 : 8+len(frame)], all[:4] },
		} {
			all := make([]byte, 8+len(frame)+64)
			copy(all[8:], frame)
			data, b := parts(all)
			want := coreDecode(t, &ethernetProtocol, frame)
			got := coreDecode(t, &ethernetProtocol, data)
			if err := errors.Join(edit(want), edit(got)); err != nil {
				t.Fatal(err)
			}
			before := bytes.Clone(b)
			w, wantErr := want.AppendBinary(bytes.Clone(b))
			g, err := got.AppendBinary(b)
			if !bytes.Equal(g, w) || (err == nil) != (wantErr == nil) {
				t.Errorf("%s, into %s: %v\n got %x\nwant %x, %v", name, where, err, g, w, wantErr)
			}
			if !bytes.Equal(b, before) {
				t.Errorf("%s, into %s: what was before changed to %x", name, where, b)
			}
			if err != nil && !bytes.Equal(data, frame) {
				t.Errorf("%s, into %s: an error changed the data", name, where)
			}
		}
	}
}

// TestViewAfterChecks changes a packet through views after the library has read
// its layers for reasons of its own.
func TestViewAfterChecks(t *testing.T) {
	b := coreBuild(t, &Ethernet{}, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("hello")})
	p := coreDecode(t, &ethernetProtocol, b)
	for c := range p.Checks() {
		if c.Status != CheckGood {
			t.Errorf("%s is %v", c.Field, c.Status)
		}
	}
	_ = p.String()
	Must[IPv4](p).TTL = 9
	if _, err := p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	v, _ := View[UDPView](p)
	v.SetDstPort(53)
	got, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &ethernetProtocol, got)
	q := coreDecode(t, &ethernetProtocol, got)
	if Must[UDP](q).DstPort != 53 || Must[IPv4](q).TTL != 9 {
		t.Errorf("%v", q)
	}
	// The same in a packet whose layers were moved.
	if err := p.InsertAfter(Must[Ethernet](p), &VLAN{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	if v, ok := View[UDPView](p); !ok || v.DstPort() != 53 {
		t.Errorf("View after an edit: % x, %v", v, ok)
	}
	v.SetSrcPort(4)
	if got, err = p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &ethernetProtocol, got)
	if q := coreDecode(t, &ethernetProtocol, got); Must[UDP](q).SrcPort != 4 {
		t.Errorf("%v", q)
	}
	if _, ok := View[VLANView](p); ok {
		t.Error("a view of a layer that has no bytes")
	}
}

// TestEditPadding edits a frame that is padded to Ethernet's minimum.
func TestEditPadding(t *testing.T) {
	b := append(coreBuild(t, &Ethernet{}, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("x")}), make([]byte, 17)...)
	for _, test := range []struct {
		name  string
		edit  func(p *Packet) error
		first *Protocol
		want  string
	}{{
		"insert after the header that is padded",
		func(p *Packet) error { return p.InsertAfter(Must[Ethernet](p), coreV6(3)) },
		&ethernetProtocol, "Ethernet .IPv6 ..IPv4 ...UDP ....Raw .Padding",
	}, {
		"insert before what is padded",
		func(p *Packet) error { return p.InsertBefore(Must[IPv4](p), &VLAN{}) },
		&ethernetProtocol, "Ethernet .VLAN ..IPv4 ...UDP ....Raw .Padding",
	}, {
		"remove the outermost",
		func(p *Packet) error { return p.Remove(Must[Ethernet](p)) },
		&ipv4Protocol, "IPv4 .UDP ..Raw Padding",
	}, {
		"remove the padding",
		func(p *Packet) error { return p.Remove(Must[Padding](p)) },
		&ethernetProtocol, "Ethernet .IPv4 ..UDP ...Raw",
	}, {
		"append",
		func(p *Packet) error { p.Append(&Raw{Data: []byte("y")}); return nil },
		nil, "Ethernet .IPv4 ..UDP ...Raw ...Raw .Padding",
	}} {
		p := coreDecode(t, &ethernetProtocol, b)
		if err := test.edit(p); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := coreShape(p); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if test.first == nil {
			coreAllGood(t, &ethernetProtocol, got)
			continue
		}
		coreAllGood(t, test.first, got)
		// A decoder finds it behind the header inside which it is.
		again := strings.ReplaceAll(test.want, ".VLAN ..IPv4 ...UDP ....Raw .P", ".VLAN ..IPv4 ...UDP ....Raw ..P")
		if s := coreShape(coreDecode(t, test.first, got)); s != again {
			t.Errorf("%s: decoded again %q, want %q", test.name, s, test.want)
		}
	}
}

// TestTooManyLayers decodes, builds and edits packets of more layers than there
// may be.
func TestTooManyLayers(t *testing.T) {
	// As many VLAN tags as it takes.
	b := make([]byte, EthernetLen-2, 5*MaxLayers)
	for range MaxLayers + 10 {
		b = append(b, 0x81, 0, 0, 1)
	}
	b = append(b, 0x88, 0xb5, 'e', 'n', 'd')
	var p Packet
	err := p.DecodeAs(&ethernetProtocol, b)
	if !errors.Is(err, ErrTooDeep) {
		t.Errorf("Decode: %v, want %v", err, ErrTooDeep)
	}
	if p.Len() < MaxLayers || p.Len() > MaxLayers+2 {
		t.Errorf("%d layers, at most %d", p.Len(), MaxLayers)
	}
	roundTrips(t, &ethernetProtocol, b)
	start := time.Now()
	for range p.Checks() {
	}
	_ = p.Flow()
	_ = p.String()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("checked and printed in %v", d)
	}
	Must[VLAN](&p).ID = 7
	eth := Must[Ethernet](&p)
	for name, err := range map[string]error{
		"InsertBefore": p.InsertBefore(eth, &IPv6{}),
		"InsertAfter":  p.InsertAfter(eth, &IPv6{}),
		"AddChild":     p.AddChild(eth, &IPv6{}),
	} {
		if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Layer != "IPv6" || !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s: %v, want %v", name, err, ErrTooDeep)
		}
	}
	// What the packet has can still be changed and taken away.
	if err := p.Remove(eth); err != nil {
		t.Error(err)
	}
	got, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := b[EthernetLen:]; !bytes.Equal(got[2:], want[2:]) || got[1] != 7 {
		t.Errorf("edited: %x..., want %x...", got[:20], want[:20])
	}
	p.Append(&UDP{})
	if _, err := p.AppendBinary(nil); !errors.Is(err, ErrTooDeep) {
		t.Errorf("Append: %v, want %v", err, ErrTooDeep)
	}
	if _, err := p.Clone().AppendBinary(nil); !errors.Is(err, ErrTooDeep) {
		t.Errorf("the copy: %v, want %v", err, ErrTooDeep)
	}
	if err := p.DecodeAs(&ethernetProtocol, b[:60]); err != nil && errors.Is(err, ErrTooDeep) {
		t.Errorf("decoded again: %v", err)
	}
	if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, b[:60]) {
		t.Errorf("decoded again: %x, %v", got, err)
	}

	// More than the numbers of nodes tell apart.
	layers := slices.Repeat([]Layer{&VLAN{}}, 1<<16+100)
	big := Stack(layers...)
	prefix := []byte("before")
	if got, err := big.AppendBinary(prefix); !errors.Is(err, ErrTooDeep) || !bytes.Equal(got, prefix) {
		t.Errorf("%d layers: %q, %v, want %v", len(layers), got, err, ErrTooDeep)
	}
	if big.Len() != MaxLayers {
		t.Errorf("%d layers, want %d", big.Len(), MaxLayers)
	}
	_ = big.String()
	full := Stack(layers[:MaxLayers]...)
	if b, err := full.AppendBinary(nil); err != nil || len(b) != VLANLen*MaxLayers {
		t.Errorf("%d layers: %d bytes, %v", MaxLayers, len(b), err)
	}
}

// TestJumbogram builds and edits packets that are longer than IPv6's length
// field tells, RFC 2675.
func TestJumbogramEdit(t *testing.T) {
	data := bytes.Repeat([]byte("jumbo..."), 10_000)
	for _, l4 := range []Layer{&UDP{SrcPort: 1, DstPort: 2}, &TCP{SrcPort: 1, DstPort: 2}} {
		if _, err := Stack(&Ethernet{}, coreV6(9), l4, &Raw{Data: data}).AppendBinary(nil); !errors.Is(err, ErrTooLong) {
			t.Errorf("%v without the option: %v, want %v", l4.Proto(), err, ErrTooLong)
		}
		b := coreBuild(t, &Ethernet{}, coreV6(9), &IPv6HopByHop{Options: IPv6Options(nil).AppendJumbo(0)}, l4, &Raw{Data: data})
		if n := IPv6View(b[EthernetLen:]).PayloadLength(); n != 0 {
			t.Errorf("the payload length is %d, want 0", n)
		}
		jumbo, ok := IPv6HopByHopView(b[EthernetLen+IPv6Len:]).Options().Jumbo()
		if want := uint32(len(b) - EthernetLen - IPv6Len); !ok || jumbo != want {
			t.Errorf("the option says %d, want %d", jumbo, want)
		}
		b = append(b, "trailer"...)
		coreAllGood(t, &ethernetProtocol, b)
		p := coreDecode(t, &ethernetProtocol, b)
		if s := coreShape(p); s != "Ethernet .IPv6 ..IPv6HopByHop ..."+l4.Proto().Name+" ....Raw .Padding" {
			t.Error(s)
		}
		roundTrips(t, &ethernetProtocol, b)
		Must[Raw](p).Data = append(bytes.Clone(data), "more"...)
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		coreAllGood(t, &ethernetProtocol, got)
		if len(got) != len(b)+4 {
			t.Errorf("%d bytes, want %d", len(got), len(b)+4)
		}
		// One that is cut off says so.
		var cut Packet
		if err := cut.DecodeAs(&ethernetProtocol, b[:70_000]); err != nil || !cut.Truncated() {
			t.Errorf("cut: %v, truncated %v", err, cut.Truncated())
		}
		roundTrips(t, &ethernetProtocol, b[:70_000])
		// A length that no memory holds.
		wrong := bytes.Clone(b)
		binary.BigEndian.PutUint32(wrong[EthernetLen+IPv6Len+4:], 0xfffffff0)
		roundTrips(t, &ethernetProtocol, wrong)
	}
}

// TestQuotesInQuotes decodes ICMP errors about ICMP errors, cut everywhere.
func TestQuotesInQuotes(t *testing.T) {
	inner := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("hello")})
	b := inner
	for range 5 {
		b = coreBuild(t, coreV4(nil), &ICMPv4{Type: ICMPv4DestUnreachable, Code: 1}, &Raw{Data: b})
	}
	for i := range b {
		var p Packet
		err := p.DecodeAs(&ipv4Protocol, b[:i:i])
		if i >= IPv4MinLen+ICMPv4Len && err != nil {
			t.Fatalf("%d bytes: %v: a quote may break off", i, err)
		}
		roundTrips(t, &ipv4Protocol, b[:i:i])
		for f := range p.Flows() {
			_ = f.String()
		}
		_ = p.InnermostFlow()
	}
	p := coreDecode(t, &ipv4Protocol, b)
	if s := coreShape(p); strings.Count(s, "ICMPv4") != 5 || !strings.HasSuffix(s, "UDP ............Raw") {
		t.Error(s)
	}
	if f := p.InnermostFlow(); f != p.Flow() {
		t.Errorf("the innermost flow is %v, want %v", f, p.Flow())
	}
	if f, ok := p.NthFlow(5); !ok || f.Proto != IPProtoUDP || f.DstPort != 2 {
		t.Errorf("the quoted flow is %v, %v", f, ok)
	}
	// An edit deep inside reaches the checksums outside.
	Must[UDP](p).DstPort = 9
	got, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &ipv4Protocol, got)
}

// foreignLayer makes protocols that two registries number alike.
type foreignLayer[T any] struct{ Data []byte }

type (
	foreignA = foreignLayer[int8]
	foreignB = foreignLayer[int16]
)

var (
	protocolA = Protocol{Name: "A", New: New[foreignA], Clone: Clone[foreignA], Index: indexAll}
	protocolB = Protocol{Name: "B", New: New[foreignB], Clone: Clone[foreignB], Index: indexAll}
)

func (l *foreignLayer[T]) Proto() *Protocol {
	if _, ok := any(l).(*foreignA); ok {
		return &protocolA
	}
	return &protocolB
}

func (l *foreignLayer[T]) Decode(b []byte) (int, error) {
	l.Data = b[:len(b):len(b)]
	return len(b), nil
}

func (l *foreignLayer[T]) AppendBinary(b []byte) ([]byte, error) { return append(b, l.Data...), nil }

// TestOtherRegistry uses one Packet with registries that give the same number to
// different protocols.
func TestOtherRegistry(t *testing.T) {
	a, b := Default.With(Binding{ByUDPPort(7), &protocolA}), Default.With(Binding{ByUDPPort(7), &protocolB})
	if a.KindOf(&protocolA) != b.KindOf(&protocolB) {
		t.Fatal("the kinds differ: this test tests nothing")
	}
	frame := coreBuild(t, &Ethernet{}, coreV4(nil), &UDP{DstPort: 7}, &Raw{Data: []byte("hello")})
	var p Packet
	for range 2 {
		p.Registry = a
		if err := p.DecodeAs(&ethernetProtocol, frame); err != nil {
			t.Fatal(err)
		}
		if l, ok := Get[foreignA](&p); !ok || string(l.Data) != "hello" {
			t.Errorf("A: %v, %v", l, ok)
		}
		_ = p.String()
		p.Registry = b
		if err := p.DecodeAs(&ethernetProtocol, frame); err != nil {
			t.Fatal(err)
		}
		if l, ok := Get[foreignA](&p); ok {
			t.Errorf("an A where a B is: %v", l)
		}
		if _, err := Find[foreignA](&p, 0); !errors.Is(err, ErrNoLayer) {
			t.Errorf("Find A: %v", err)
		}
		if l, err := Find[foreignB](&p, 0); err != nil || string(l.Data) != "hello" {
			t.Errorf("B: %v, %v", l, err)
		}
		_ = p.String()
	}

	// Append knows protocols that no registry has.
	p.Reset()
	p.Registry = a
	p.Append(coreV4(nil), &UDP{DstPort: 7}, &foreignB{Data: []byte("b")}, &foreignA{Data: []byte("a")})
	if s := coreShape(&p); s != "IPv4 .UDP ..B ...A" {
		t.Error(s)
	}
	if l, ok := Get[foreignA](&p); !ok || string(l.Data) != "a" {
		t.Errorf("A: %v, %v", l, ok)
	}
	if a.KindOf(&protocolB) != KindRaw {
		t.Error("Append changed a Registry")
	}
	if b, err := p.AppendBinary(nil); err != nil || !bytes.HasSuffix(b, []byte("ba")) {
		t.Errorf("%x, %v", b, err)
	}
}

// liar is a protocol of another module whose functions do what they must not.
type liar struct{ foreignLayer[int32] }

// TestForeignLies decodes with protocols that do not keep to what they are asked.
func TestForeignLies(t *testing.T) {
	const far = Kind(60_000) // of no protocol
	frame := coreBuild(t, coreV4(nil), &UDP{DstPort: 7}, &Raw{Data: []byte("hello")})
	for _, test := range []struct {
		name  string
		span  Span
		err   error
		split func(payload []byte, r *Registry, w *Splitter) error
		want  string
		fails bool
	}{
		{name: "no header", span: Span{Payload: 5}, want: "Raw", fails: true},
		{name: "a header too long", span: Span{Header: 6}, want: "Raw", fails: true},
		{name: "a payload too long", span: Span{Header: 2, Payload: 4}, want: "Raw", fails: true},
		{name: "a negative payload", span: Span{Header: 5, Payload: -1}, want: "Raw", fails: true},
		{name: "lengths that overflow", span: Span{Header: 1 << 30, Payload: 1<<31 - 1}, want: "Raw", fails: true},
		{name: "a kind of nobody", span: Span{Header: 2, Payload: 3, Next: far}, want: "Raw", fails: true},
		{name: "an error of its own", err: errors.New("no"), want: "Raw", fails: true},
		{name: "left over", span: Span{Header: 2, Payload: 1}, want: "liar ...Raw ..Padding"},
		{name: "a trailer without a protocol", span: Span{Header: 2, Payload: 1, Flags: SpanTrailer}, want: "liar ...Raw ...Padding"},
		{name: "splits nothing", span: Span{Header: 2, Payload: 3}, split: func([]byte, *Registry, *Splitter) error { return nil }, want: "liar ...Raw"},
		{name: "splits a part", span: Span{Header: 2, Payload: 3}, split: func(_ []byte, _ *Registry, w *Splitter) error {
			w.Add(kindPadding, 1)
			return nil
		}, want: "liar ...Padding ...Raw"},
		{name: "splits more than there is", span: Span{Header: 2, Payload: 3}, split: func(p []byte, _ *Registry, w *Splitter) error {
			if w.Add(KindRaw, 0) || w.Add(KindRaw, -1) || w.Add(KindRaw, len(p)+1) || !w.Add(KindRaw, len(p)) || w.Add(KindRaw, 1) {
				return errors.New("Add is wrong")
			}
			return nil
		}, want: "liar ...Raw"},
		{name: "splits and fails", span: Span{Header: 2, Payload: 3}, split: func(_ []byte, _ *Registry, w *Splitter) error {
			w.Add(KindRaw, 2)
			return Malformed("liar", "so there")
		}, want: "liar ...Raw ...Raw", fails: true},
		{name: "splits into nobody", span: Span{Header: 2, Payload: 3}, split: func(_ []byte, _ *Registry, w *Splitter) error {
			for w.Add(far, 1) {
			}
			return nil
		}, want: "liar ...Raw", fails: true},
	} {
		proto := &Protocol{
			Name: "liar", New: New[liar], Clone: Clone[liar], Split: test.split,
			Index: func([]byte, *Registry) (Span, error) { return test.span, test.err },
		}
		p := &Packet{Registry: Default.With(Binding{ByUDPPort(7), proto})}
		err := p.DecodeAs(&ipv4Protocol, frame)
		var de *DecodeError
		if (err != nil) != test.fails || err != nil && (!errors.As(err, &de) || de.Offset < 28) {
			t.Errorf("%s: %v", test.name, err)
		}
		if got, want := coreShape(p), "IPv4 .UDP .."+test.want; got != want {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
		if b, err := p.AppendBinary(nil); err != nil || !bytes.Equal(b, frame) {
			t.Errorf("%s: %x, %v", test.name, b, err)
		}
		Must[IPv4](p).TTL++
		got, err := p.AppendBinary(nil)
		if err != nil || !bytes.Equal(got[20:], frame[20:]) {
			t.Errorf("%s: %x, %v", test.name, got, err)
		}
	}
}

// TestCallersLayers checks that layers given to a packet stay the caller's.
func TestCallersLayers(t *testing.T) {
	frame := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("hello")})
	p := coreDecode(t, &ipv4Protocol, frame)
	got := Must[UDP](p)
	mine := &UDP{SrcPort: 77}
	if err := p.Replace(got, mine); err != nil {
		t.Fatal(err)
	}
	if l := Must[UDP](p); l != mine {
		t.Error("Get of a layer that was given does not return it")
	}
	if l, ok := Get[IPv4](p); !ok || l.TTL != coreV4(nil).TTL {
		t.Errorf("Get after an edit: %+v, %v", l, ok)
	}
	if _, err := p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	if mine.SrcPort != 77 || mine.Length != (Auto[uint16]{}) {
		t.Errorf("AppendBinary changed a layer: %+v", mine)
	}
	for range 3 {
		if err := p.DecodeAs(&ipv4Protocol, frame); err != nil {
			t.Fatal(err)
		}
		if l := Must[UDP](p); l == mine || l.SrcPort != 1 {
			t.Errorf("decoded into %+v", l)
		}
	}
	if mine.SrcPort != 77 {
		t.Errorf("decoding changed a layer that was given before: %+v", mine)
	}
}
