package pkts

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

func loopbackGoldens() []golden {
	return []golden{{
		name:   "IPv4",
		from:   "scapy 2.5.0: Loopback(type=2)/IP(…)/UDP(…)/b'hi'",
		first:  &loopbackProtocol,
		hex:    "02 00 00 00" + hexUDP4,
		layers: append([]Layer{&Loopback{}}, layersUDP4()...),
	}, {
		name:   "IPv6",
		from:   "scapy 2.5.0: Loopback(type=30)/IPv6(…)/UDP(…)/b'hi'",
		first:  &loopbackProtocol,
		hex:    "1e 00 00 00" + hexUDP6,
		layers: append([]Layer{&Loopback{}}, layersUDP6()...),
	}, {
		name:   "big-endian",
		from:   "https://www.tcpdump.org/linktypes.html, by hand: FreeBSD's IPv6 from a big-endian machine",
		first:  &loopbackProtocol,
		hex:    "00 00 00 1c" + hexUDP6,
		layers: append([]Layer{&Loopback{Family: Pin(LoopbackFreeBSDIPv6), BigEndian: true}}, layersUDP6()...),
	}}
}

func loopGoldens() []golden {
	return []golden{{
		name:   "IPv4",
		from:   "https://www.tcpdump.org/linktypes.html, by hand",
		first:  &loopProtocol,
		hex:    "00 00 00 02" + hexUDP4,
		layers: append([]Layer{&Loop{}}, layersUDP4()...),
	}, {
		name:   "IPv6",
		from:   "https://www.tcpdump.org/linktypes.html, by hand: OpenBSD",
		first:  &loopProtocol,
		hex:    "00 00 00 18" + hexUDP6,
		layers: append([]Layer{&Loop{}}, layersUDP6()...),
	}}
}

func TestLoopback(t *testing.T) { testGolden(t, loopbackGoldens()...) }
func TestLoop(t *testing.T)     { testGolden(t, loopGoldens()...) }

func FuzzLoopback(f *testing.F) { fuzzProtocol(f, &loopbackProtocol, loopbackGoldens()...) }
func FuzzLoop(f *testing.F)     { fuzzProtocol(f, &loopProtocol, loopGoldens()...) }

// TestLoopbackFamilies holds what a header announces against what tshark 4.0.17
// finds, which reads it in the ways that the systems have written it. It does
// not know the family that Linux has for IPv6.
func TestLoopbackFamilies(t *testing.T) {
	udp4, udp6 := unhex(t, hexUDP4), unhex(t, hexUDP6)
	for _, c := range []struct {
		typ    link.Type
		header string
		name   string // of the family
		want   *Protocol
	}{
		{link.TypeNull, "02 00 00 00", "IPv4", &ipv4Protocol},
		{link.TypeNull, "00 00 00 02", "IPv4", &ipv4Protocol},
		{link.TypeNull, "00 02 00 00", "IPv4", &ipv4Protocol}, // IRIX
		{link.TypeNull, "00 00 02 00", "IPv4", &ipv4Protocol}, // IRIX, swapped
		{link.TypeNull, "00 00 08 00", "IPv4", &ipv4Protocol}, // EtherType
		{link.TypeNull, "00 08 00 00", "IPv4", &ipv4Protocol},
		{link.TypeNull, "0a 00 00 00", "IPv6", &ipv6Protocol},
		{link.TypeNull, "18 00 00 00", "IPv6", &ipv6Protocol},
		{link.TypeNull, "1c 00 00 00", "IPv6", &ipv6Protocol},
		{link.TypeNull, "1e 00 00 00", "IPv6", &ipv6Protocol},
		{link.TypeNull, "00 00 00 1e", "IPv6", &ipv6Protocol},
		{link.TypeNull, "dd 86 00 00", "IPv6", &ipv6Protocol},
		{link.TypeNull, "00 00 86 dd", "IPv6", &ipv6Protocol},
		{link.TypeNull, "07 00 00 00", "ISO", &rawProtocol},
		{link.TypeNull, "10 00 00 00", "AppleTalk", &rawProtocol},
		{link.TypeNull, "17 00 00 00", "IPX", &rawProtocol},
		{link.TypeNull, "00 00 00 00", "0", &rawProtocol},
		{link.TypeNull, "00 1e 00 00", "0x1e00", &rawProtocol},
		{link.TypeNull, "00 00 18 00", "0x1800", &rawProtocol},
		{link.TypeLoop, "00 00 00 02", "IPv4", &ipv4Protocol},
		{link.TypeLoop, "00 00 00 0a", "IPv6", &ipv6Protocol},
		{link.TypeLoop, "00 00 00 18", "IPv6", &ipv6Protocol},
		{link.TypeLoop, "00 00 00 1e", "IPv6", &ipv6Protocol},
		{link.TypeLoop, "02 00 00 00", "33554432", &rawProtocol},
		{link.TypeLoop, "00 00 08 00", "IPv4", &rawProtocol},
	} {
		body := udp4
		if c.want == &ipv6Protocol {
			body = udp6
		}
		b := slices.Concat(unhex(t, c.header), body)
		var p Packet
		if err := p.Decode(c.typ, b); err != nil {
			t.Errorf("%v %s: %v", c.typ, c.header, err)
		}
		if got := p.protocol(1); got != c.want {
			t.Errorf("%v %s: %v, want %v", c.typ, c.header, got, c.want)
		}
		var f LoopbackFamily
		if l, ok := Get[Loopback](&p); ok {
			f = l.Family.Value()
		} else {
			f = Must[Loop](&p).Family.Value()
		}
		if got := f.String(); got != c.name {
			t.Errorf("%v %s: family %q, want %q", c.typ, c.header, got, c.name)
		}
		roundTrips(t, p.protocol(0), b)
	}
}

// TestLoopbackEdit changes what the header carries: the family follows, in the
// byte order that it has.
func TestLoopbackEdit(t *testing.T) {
	udp4, udp6 := unhex(t, hexUDP4), unhex(t, hexUDP6)
	for _, c := range []struct {
		typ    link.Type
		v4, v6 string
		want   string // after the change to IPv6
	}{
		{link.TypeNull, "02 00 00 00", "", "1e 00 00 00"},
		{link.TypeNull, "00 00 00 02", "", "00 00 00 1e"},
		{link.TypeLoop, "00 00 00 02", "", "00 00 00 18"},
	} {
		var p Packet
		if err := p.Decode(c.typ, slices.Concat(unhex(t, c.v4), udp4)); err != nil {
			t.Fatal(err)
		}
		if err := p.RemoveAll(Must[IPv4](&p)); err != nil {
			t.Fatal(err)
		}
		p.Append(layersUDP6()...)
		want := slices.Concat(unhex(t, c.want), udp6)
		if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v %s: %v\n got % x\nwant % x", c.typ, c.v4, err, got, want)
		}
	}
	// The other byte order keeps the family.
	var p Packet
	if err := p.Decode(link.TypeNull, slices.Concat([]byte{28, 0, 0, 0}, udp6)); err != nil {
		t.Fatal(err)
	}
	Must[Loopback](&p).BigEndian = true
	want := slices.Concat([]byte{0, 0, 0, 28}, udp6)
	if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("byte order: %v\n got % x\nwant % x", err, got, want)
	}
}

func TestLoopbackView(t *testing.T) {
	v := LoopbackView{2, 0, 0, 0, 9}
	v.SetFamily(LoopbackFreeBSDIPv6)
	if !bytes.Equal(v, []byte{28, 0, 0, 0, 9}) || v.BigEndian() || len(v.Payload()) != 1 {
		t.Errorf("little-endian: % x", []byte(v))
	}
	v = LoopbackView{0, 0, 0, 2}
	v.SetFamily(LoopbackFreeBSDIPv6)
	if !bytes.Equal(v, []byte{0, 0, 0, 28}) || !v.BigEndian() {
		t.Errorf("big-endian: % x", []byte(v))
	}
	w := LoopView{0, 0, 0, 2, 9}
	w.SetFamily(LoopbackIPv6)
	if !bytes.Equal(w, []byte{0, 0, 0, 24, 9}) || len(w.Payload()) != 1 {
		t.Errorf("loop: % x", []byte(w))
	}
}

// TestLoopbackRapid round-trips every header, and finds the byte order of every
// family.
func TestLoopbackRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "b")
		for _, l := range []Layer{&Loopback{}, &Loop{}} {
			if n, err := l.Decode(b); n != LoopbackLen || err != nil {
				t.Fatalf("Decode = %d, %v", n, err)
			}
			if got, err := l.AppendBinary(nil); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%v: % x, %v; want % x", l.Proto(), got, err, b)
			}
		}
		want := Loopback{Family: Pin(LoopbackFamily(rapid.Uint32Range(1, 255).Draw(t, "family"))), BigEndian: rapid.Bool().Draw(t, "BigEndian")}
		b, _ = want.AppendBinary(nil)
		var got Loopback
		if _, err := got.Decode(b); err != nil || got.Family.Value() != want.Family.Value() || got.BigEndian != want.BigEndian {
			t.Fatalf("% x: %+v, %v; want %+v", b, got, err, want)
		}
	})
}

// TestRawIP decodes the link types without a header.
func TestRawIP(t *testing.T) {
	udp4, udp6 := unhex(t, hexUDP4), unhex(t, hexUDP6)
	for _, c := range []struct {
		typ  link.Type
		b    []byte
		want *Protocol
		fail bool
	}{
		{link.TypeRaw, udp4, &ipv4Protocol, false},
		{link.TypeRaw, udp6, &ipv6Protocol, false},
		{link.TypeRaw, []byte{0x50, 1}, &rawProtocol, false},
		{link.TypeRaw, nil, &rawProtocol, false},
		{link.TypeIPv4, udp4, &ipv4Protocol, false},
		{link.TypeIPv4, udp6, &rawProtocol, true},
		{link.TypeIPv6, udp6, &ipv6Protocol, false},
		{link.TypeIPv6, udp4, &rawProtocol, true},
	} {
		var p Packet
		if err := p.Decode(c.typ, c.b); (err != nil) != c.fail {
			t.Errorf("%v % x: %v", c.typ, c.b[:min(4, len(c.b))], err)
		}
		for n := range p.Nodes() {
			if got := n.Proto(); n.Depth() == 0 && got != c.want {
				t.Errorf("%v % x: %v, want %v", c.typ, c.b[:min(4, len(c.b))], got, c.want)
			}
		}
		if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, c.b) {
			t.Errorf("%v: % x, %v; want % x", c.typ, got, err, c.b)
		}
	}
	testGolden(t,
		golden{name: "IPv4", from: "scapy 2.5.0: IP(…)/UDP(…)/b'hi'", first: &ipv4Protocol, hex: hexUDP4, layers: layersUDP4()},
		golden{name: "IPv6", from: "scapy 2.5.0: IPv6(…)/UDP(…)/b'hi'", first: &ipv6Protocol, hex: hexUDP6, layers: layersUDP6()},
	)
}
