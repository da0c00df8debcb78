package pkts

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// corePacket returns a decoded packet of Ethernet, IPv4, UDP and data.
func corePacket(t *testing.T) *Packet {
	t.Helper()
	return coreDecode(t, &ethernetProtocol, coreBuild(t,
		&Ethernet{Dst: coreMACDst, Src: coreMACSrc}, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("hello")}))
}

// coreShape returns the names of the layers, with their depths.
func coreShape(p *Packet) string {
	var s []string
	for n := range p.Nodes() {
		s = append(s, strings.Repeat(".", n.Depth())+n.Proto().Name)
	}
	return strings.Join(s, " ")
}

func TestEdit(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(p *Packet) error
		want string
		// good says that all that can be computed is right afterwards.
		good bool
	}{{
		name: "append",
		edit: func(p *Packet) error { p.Append(&Raw{Data: []byte("more")}); return nil },
		want: "Ethernet .IPv4 ..UDP ...Raw ...Raw",
	}, {
		name: "append padding",
		edit: func(p *Packet) error { p.Append(&Padding{Data: []byte("pad")}); return nil },
		want: "Ethernet .IPv4 ..UDP ...Raw .Padding",
		good: true,
	}, {
		name: "insert before",
		edit: func(p *Packet) error { return p.InsertBefore(Must[UDP](p), coreV6(9)) },
		want: "Ethernet .IPv4 ..IPv6 ...UDP ....Raw",
		good: true,
	}, {
		name: "insert before the first",
		edit: func(p *Packet) error { return p.InsertBefore(Must[Ethernet](p), coreV6(9)) },
		want: "IPv6 .Ethernet ..IPv4 ...UDP ....Raw",
	}, {
		name: "insert after",
		edit: func(p *Packet) error { return p.InsertAfter(Must[IPv4](p), &AH{SPI: 5}) },
		want: "Ethernet .IPv4 ..AH ...UDP ....Raw",
		good: true,
	}, {
		name: "insert after the last",
		edit: func(p *Packet) error { return p.InsertAfter(Must[UDP](p), &ESP{}) },
		want: "Ethernet .IPv4 ..UDP ...ESP ....Raw",
	}, {
		name: "remove",
		edit: func(p *Packet) error { return p.Remove(Must[Ethernet](p)) },
		want: "IPv4 .UDP ..Raw",
		good: true,
	}, {
		name: "remove in the middle",
		edit: func(p *Packet) error {
			if err := p.InsertAfter(Must[IPv4](p), &AH{}); err != nil {
				return err
			}
			return p.Remove(Must[AH](p))
		},
		want: "Ethernet .IPv4 ..UDP ...Raw",
		good: true,
	}, {
		name: "remove all",
		edit: func(p *Packet) error { return p.RemoveAll(Must[Raw](p)) },
		want: "Ethernet .IPv4 ..UDP",
		good: true,
	}, {
		name: "remove everything",
		edit: func(p *Packet) error { return p.RemoveAll(Must[Ethernet](p)) },
		want: "",
	}, {
		name: "replace",
		edit: func(p *Packet) error { return p.Replace(Must[IPv4](p), coreV6(7)) },
		want: "Ethernet .IPv6 ..UDP ...Raw",
		good: true,
	}, {
		name: "replace the transport",
		edit: func(p *Packet) error { return p.Replace(Must[UDP](p), &TCP{SrcPort: 7}) },
		want: "Ethernet .IPv4 ..TCP ...Raw",
		good: true,
	}, {
		name: "add a child",
		edit: func(p *Packet) error { return p.AddChild(Must[IPv4](p), &Raw{Data: []byte("second")}) },
		want: "Ethernet .IPv4 ..UDP ...Raw ..Raw",
	}} {
		t.Run(test.name, func(t *testing.T) {
			p := corePacket(t)
			before := slices.Clone(p.Data())
			if err := test.edit(p); err != nil {
				t.Fatal(err)
			}
			if got := coreShape(p); got != test.want {
				t.Errorf("layers %q, want %q", got, test.want)
			}
			if !bytes.Equal(p.Data(), before) {
				t.Error("the edit changed the bytes that were decoded")
			}
			first, err := p.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if second, err := p.AppendBinary(nil); err != nil || !bytes.Equal(first, second) {
				t.Errorf("encoded twice:\n% x\n% x, %v", first, second, err)
			}
			if test.good {
				proto := &ethernetProtocol
				if !strings.HasPrefix(test.want, "Eth") {
					proto = &ipv4Protocol
				}
				coreAllGood(t, proto, first)
				if got := coreShape(coreDecode(t, proto, first)); got != test.want {
					t.Errorf("decoded again %q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestEditForeign(t *testing.T) {
	p := corePacket(t)
	other := &UDP{}
	for name, err := range map[string]error{
		"InsertBefore": p.InsertBefore(other, &ESP{}),
		"InsertAfter":  p.InsertAfter(other, &ESP{}),
		"AddChild":     p.AddChild(other, &ESP{}),
		"Remove":       p.Remove(other),
		"RemoveAll":    p.RemoveAll(other),
		"Replace":      p.Replace(other, &ESP{}),
	} {
		if !errors.Is(err, ErrNoLayer) {
			t.Errorf("%s of a layer of another packet: %v, want %v", name, err, ErrNoLayer)
		}
	}
	if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, p.Data()) {
		t.Errorf("after edits that failed: % x, %v", got, err)
	}
}

// TestEditKeepsWrong inserts a layer into a packet with wrong fields.
func TestEditKeepsWrong(t *testing.T) {
	b := coreBuild(t, &Ethernet{}, coreV4(nil), &UDP{SrcPort: 1, Checksum: Pin[uint16](0xbad)}, &Raw{Data: []byte("hello")})
	p := coreDecode(t, &ethernetProtocol, b)
	if err := p.InsertAfter(Must[Ethernet](p), coreV6(3)); err != nil {
		t.Fatal(err)
	}
	Must[Raw](p).Data = []byte("other data")
	got, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := coreChecks(coreDecode(t, &ethernetProtocol, got))
	if s["UDP.Checksum"] != CheckBad || s["UDP.Length"] != CheckGood || s["IPv4.Checksum"] != CheckGood || s["IPv6.NextHeader"] != CheckGood || s["Ethernet.Type"] != CheckGood {
		t.Errorf("%v", s)
	}
	if v := UDPView(got[EthernetLen+IPv6Len+IPv4MinLen:]); v.Checksum() != 0xbad {
		t.Errorf("the wrong checksum became %#x", v.Checksum())
	}
}

// TestEditSnapped edits packets of which only the start was captured: the
// checksum follows what is known.
func TestEditSnapped(t *testing.T) {
	for _, l4 := range []Layer{&UDP{SrcPort: 1, DstPort: 2}, &TCP{SrcPort: 1, DstPort: 2, Seq: 9}} {
		whole := coreBuild(t, &Ethernet{}, coreV4(nil), l4, &Raw{Data: bytes.Repeat([]byte("abcd"), 50)})
		const snap = 100
		p := coreDecode(t, &ethernetProtocol, whole[:snap:snap])
		if !p.Truncated() {
			t.Errorf("%v: not truncated", l4.Proto())
		}
		key := l4.Proto().Name + ".Checksum"
		if s := coreChecks(p)[key]; s != CheckUnknown {
			t.Errorf("%s is %v, want %v", key, s, CheckUnknown)
		}
		ip := Must[IPv4](p)
		ip.TTL--
		ip.Dst = coreAddr("198.51.100.1")
		if udp, ok := Get[UDP](p); ok {
			udp.DstPort = 53
		}
		if tcp, ok := Get[TCP](p); ok {
			tcp.Ack = 0xdeadbeef
			tcp.Flags |= TCPAck
		}
		raw := Must[Raw](p)
		raw.Data = append([]byte("XYZ"), raw.Data[3:]...)
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != snap {
			t.Errorf("%v: %d bytes, want %d", l4.Proto(), len(got), snap)
		}
		// With what was cut off, everything is right.
		coreAllGood(t, &ethernetProtocol, slices.Concat(got, whole[snap:]))
	}
}

func TestClone(t *testing.T) {
	p := corePacket(t)
	Must[UDP](p).DstPort = 53
	if err := p.InsertAfter(Must[IPv4](p), &AH{SPI: 1}); err != nil {
		t.Fatal(err)
	}
	want, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Clone()
	if got, err := c.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy: % x, %v, want % x", got, err, want)
	}
	// Neither changes with the other.
	Must[UDP](c).DstPort = 99
	Must[AH](c).SPI = 2
	if err := c.Remove(Must[Ethernet](c)); err != nil {
		t.Fatal(err)
	}
	if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("after editing the copy: % x, %v, want % x", got, err, want)
	}
	clear(p.data)
	if got, err := c.AppendBinary(nil); err != nil || !bytes.HasSuffix(got, []byte("hello")) || Must[UDP](c).DstPort != 99 {
		t.Errorf("the copy without the original's bytes: % x, %v", got, err)
	}
	coreAllGood(t, &ipv4Protocol, func() []byte { b, _ := c.AppendBinary(nil); return b }())
}

// TestReuse decodes packets of different shapes into the same Packet.
func TestReuse(t *testing.T) {
	frames := [][]byte{
		unhex(t, tcpGoldens()[0].hex),
		unhex(t, udpGoldens()[0].hex),
		coreBuild(t, &Ethernet{}, coreV6(1), &IPv6HopByHop{}, &IPv6Fragment{}, &UDP{}, &Raw{Data: []byte("x")}),
		coreBuild(t, &Ethernet{}, coreV4(nil), coreV4(nil), &UDP{}),
	}
	var p Packet
	for range 3 {
		for i, b := range frames {
			if err := p.DecodeAs(&ethernetProtocol, b); err != nil {
				t.Fatal(err)
			}
			if want := coreShape(coreDecode(t, &ethernetProtocol, b)); coreShape(&p) != want {
				t.Errorf("frame %d: %q, want %q", i, coreShape(&p), want)
			}
			if i%2 == 0 {
				p.Append(&Raw{Data: []byte("appended")})
			}
			for n := range p.Nodes() {
				if _, err := n.Layer(); err != nil {
					t.Errorf("frame %d, %v: %v", i, n.Proto(), err)
				}
			}
			if got, err := p.AppendBinary(nil); err != nil || len(got) != len(b)+8*((i+1)%2) {
				t.Errorf("frame %d: %d bytes of %d, %v", i, len(got), len(b), err)
			}
		}
	}
	p.Reset()
	if p.Len() != 0 || p.Data() != nil {
		t.Errorf("after Reset: %d layers, % x", p.Len(), p.Data())
	}
}

// TestNthAll finds layers that are there more than once.
func TestNthAll(t *testing.T) {
	inner := &IPv4{TTL: 2}
	p := coreDecode(t, &ethernetProtocol, coreBuild(t, &Ethernet{}, &IPv4{TTL: 1}, inner, &UDP{DstPort: 5}))
	if outer, ok := Get[IPv4](p); !ok || outer.TTL != 1 {
		t.Errorf("Get = %+v, %v", outer, ok)
	}
	if l, ok := Nth[IPv4](p, 1); !ok || l.TTL != 2 {
		t.Errorf("Nth 1 = %+v, %v", l, ok)
	}
	if _, ok := Nth[IPv4](p, 2); ok {
		t.Error("Nth 2: true")
	}
	if v, ok := NthView[IPv4View](p, 1); !ok || v.TTL() != 2 {
		t.Errorf("NthView 1 = % x, %v", v, ok)
	}
	var ttls []uint8
	for l := range All[IPv4](p) {
		ttls = append(ttls, l.TTL)
	}
	if !slices.Equal(ttls, []uint8{1, 2}) {
		t.Errorf("All = %v, want [1 2]", ttls)
	}
	if _, err := Find[TCP](p, 0); !errors.Is(err, ErrNoLayer) {
		t.Errorf("Find: %v, want %v", err, ErrNoLayer)
	}
	if _, ok := View[IPv4View](Stack(&IPv4{})); ok {
		t.Error("a view of a layer that has no bytes")
	}
	defer func() {
		if recover() == nil {
			t.Error("Must of a layer that is not there does not panic")
		}
	}()
	Must[TCP](p)
}

// TestSourceOfLayersApart removes what was around layers side by side: Append
// does not put any there, so that only the bytes can be written as source.
func TestSourceOfLayersApart(t *testing.T) {
	eth := &Ethernet{}
	p := Stack(eth, &IPv4{}, &Raw{Data: []byte{1}})
	if err := p.AddChild(eth, &Raw{Data: []byte{2}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(eth); err != nil {
		t.Fatal(err)
	}
	if b, err := p.AppendBinary(nil); err != nil || len(b) != IPv4MinLen+2 || b[3] != IPv4MinLen+1 {
		t.Errorf("encoded to % x, %v", b, err)
	}
	if s := p.GoString(); strings.Contains(s, "IPv4") || !strings.Contains(s, "pkts.Raw{") {
		t.Errorf("the source builds another packet:\n%s", s)
	}
}

// TestPaddingBeforePayload puts padding before what a layer carries, so that
// nothing is left of its payload.
func TestPaddingBeforePayload(t *testing.T) {
	for _, outer := range []Layer{&Ethernet{}, &VLAN{}, &SLL{}, &SLL2{}, &SNAP{}, &LLC{}, &Loopback{}, coreV4(nil), coreV6(1), &IPv6HopByHop{}, &AH{}, &ICMPv4{}, &ICMPv6{}, &ICMPv6Error{}, &UDP{}, &TCP{}, &HIP{}, &Shim6{}, &Mobility{}} {
		for p := range Default.Protocols() {
			q := Stack(coreV6(1), outer)
			if err := q.AddChild(outer, &Padding{Data: []byte{1}}); err != nil {
				t.Fatal(err)
			}
			if err := q.AddChild(outer, p.New()); err != nil {
				t.Fatal(err)
			}
			if b, err := q.AppendBinary(nil); err == nil && len(b) == 0 {
				t.Errorf("%v with %v behind padding is empty", outer.Proto(), p)
			}
		}
	}
}
