package pkts

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

// tracerouteProbe is the packet that the errors made with scapy quote: UDP from
// 198.51.100.7 to 203.0.113.9 with 27 bytes of data.
const tracerouteProbe = `
	45 00 00 37  42 42 00 00  01 11 11 30   # 55 bytes, TTL 1, UDP
	c6 33 64 07  cb 00 71 09                # 198.51.100.7 to 203.0.113.9
	80 e8 82 9a  00 23 5b f3                # 33000 to 33434, 35 bytes
`

func tracerouteIP(length uint16) *IPv4 {
	return &IPv4{
		ID: 0x4242, TTL: 1, Length: Pin(length), Protocol: Pin(IPProtoUDP),
		Src: netip.MustParseAddr("198.51.100.7"), Dst: netip.MustParseAddr("203.0.113.9"),
	}
}

// routerIP is the header of the errors made with scapy.
func routerIP() *IPv4 {
	return &IPv4{ID: 0x1234, TTL: 250, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7")}
}

// withExtensions stacks all layers but the last two, and puts those, padding
// and extensions, into the one at index at.
func withExtensions(at int) func([]Layer) *Packet {
	return func(layers []Layer) *Packet {
		n := len(layers) - 2
		p := Stack(layers[:n]...)
		for _, l := range layers[n:] {
			if err := p.AddChild(layers[at], l); err != nil {
				panic(err)
			}
		}
		return p
	}
}

// probeLabels is an extension structure with one MPLS label, as scapy has it.
const probeLabels = `
	20 00 e8 18              # version 2, checksum
	00 08 01 01 05 dc f1 01  # 8 bytes, class 1, type 1: label 24015, bottom, TTL 1
`

func probeObjects() ICMPObjects {
	o, err := ICMPObjects(nil).AppendLabels(ICMPLabel{Label: 24015, Bottom: true, TTL: 1})
	if err != nil {
		panic(err)
	}
	return o
}

func counting(from, to int) []byte {
	var b []byte
	for i := from; i < to; i++ {
		b = append(b, byte(i))
	}
	return b
}

func icmpv4Goldens() []golden {
	probeUDP := func() *UDP {
		return &UDP{SrcPort: 33000, DstPort: 33434, Length: Pin[uint16](35), Checksum: Pin[uint16](0x5bf3)}
	}
	return []golden{{
		name:  "echo",
		from:  "captures/stp_bridge.pcap: ping",
		first: &ethernetProtocol,
		hex: `
			4a df 4c eb bd eb  56 3e 80 53 fa f2  08 00
			45 00 00 54  fa 62 40 00  40 01 2b a6           # 84 bytes, DF, ICMP
			0a 4f 00 01  0a 4f 00 02
			08 00 c0 d3  41 c7 00 01                        # echo, ID, sequence number 1
			aa d4 03 6b 00 00 00 00 7d 51 0b 00 00 00 00 00 # time
			10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
			20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f
			30 31 32 33 34 35 36 37`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0x4a, 0xdf, 0x4c, 0xeb, 0xbd, 0xeb}, Src: link.MacAddr{0x56, 0x3e, 0x80, 0x53, 0xfa, 0xf2}},
			&IPv4{ID: 0xfa62, Flags: IPv4DontFragment, TTL: 64, Src: netip.MustParseAddr("10.79.0.1"), Dst: netip.MustParseAddr("10.79.0.2")},
			&ICMPv4{Type: ICMPv4Echo, ID: 0x41c7, Seq: 1},
			&Raw{Data: append([]byte("\xaa\xd4\x03\x6b\x00\x00\x00\x00\x7d\x51\x0b\x00\x00\x00\x00\x00"), counting(0x10, 0x38)...)},
		},
	}, {
		name:  "port unreachable",
		from:  "captures/radius.pcap: a DNS query to a port that nobody listens at",
		first: &ethernetProtocol,
		hex: `
			3a fe 07 46 b7 66  d6 1e d5 b8 ca fd  08 00
			45 c0 00 4c  eb 9f 00 00  40 01 79 b5           # CS6, 76 bytes, ICMP
			0a 4d 00 02  0a 4d 00 01
			03 03 11 c7  00 00 00 00                        # port unreachable
			45 00 00 30  a6 c7 40 00  40 11 7f 59           # all of the packet, 48 bytes
			0a 4d 00 01  0a 4d 00 02
			a4 0b 00 35  00 1c 75 7c                        # 41995 to 53, 28 bytes
			60 e3 01 00 00 01 00 00 00 00 00 00 02 76 6d 00 00 01 00 01`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}, Src: link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}},
			&IPv4{DSCP: 48, ID: 0xeb9f, TTL: 64, Src: netip.MustParseAddr("10.77.0.2"), Dst: netip.MustParseAddr("10.77.0.1")},
			&ICMPv4{Type: ICMPv4DestUnreachable, Code: ICMPv4PortUnreachable},
			&IPv4{ID: 0xa6c7, Flags: IPv4DontFragment, TTL: 64, Src: netip.MustParseAddr("10.77.0.1"), Dst: netip.MustParseAddr("10.77.0.2")},
			&UDP{SrcPort: 41995, DstPort: 53},
			&Raw{Data: []byte("\x60\xe3\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02vm\x00\x00\x01\x00\x01")},
		},
	}, {
		name:  "fragmentation needed",
		from:  "scapy: ICMP(type=3, code=4, nexthopmtu=1400)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 38 12 34 00 00 fa 01 c2 54 c0 00 02 01 c6 33 64 07
			03 04 97 ea  00 00 05 78                        # MTU 1400` + tracerouteProbe,
		layers: []Layer{
			routerIP(), &ICMPv4{Type: ICMPv4DestUnreachable, Code: ICMPv4FragmentationNeeded, Seq: 1400},
			tracerouteIP(55), probeUDP(),
		},
		unknown: 3,
	}, {
		name:  "redirect",
		from:  "scapy: ICMP(type=5, code=1, gw='192.0.2.254')",
		first: &ipv4Protocol,
		hex: `
			45 00 00 38 12 34 00 00 fa 01 c2 54 c0 00 02 01 c6 33 64 07
			05 01 d8 66  c0 00 02 fe                        # gateway 192.0.2.254` + tracerouteProbe,
		layers: []Layer{
			routerIP(), &ICMPv4{Type: ICMPv4Redirect, Code: ICMPv4RedirectHost, ID: 0xc000, Seq: 0x02fe},
			tracerouteIP(55), probeUDP(),
		},
		unknown: 3,
	}, {
		name:  "parameter problem",
		from:  "scapy: ICMP(type=12, ptr=20)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 38 12 34 00 00 fa 01 c2 54 c0 00 02 01 c6 33 64 07
			0c 00 80 66  14 00 00 00                        # byte 20` + tracerouteProbe,
		layers:  []Layer{routerIP(), &ICMPv4{Type: ICMPv4ParamProblem, ID: 20 << 8}, tracerouteIP(55), probeUDP()},
		unknown: 3,
	}, {
		name:  "time exceeded with MPLS labels",
		from:  "scapy: ICMP(type=11, length=32), the packet padded to 128 bytes, and an extension",
		first: &ipv4Protocol,
		hex: `
			45 00 00 a8 12 34 00 00 fa 01 c1 e4 c0 00 02 01 c6 33 64 07
			0b 00 5b 59  00 20 00 00                        # 32 words quoted` + tracerouteProbe + `
			40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50 51 52 53 54 55 56 57 58 59 5a
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00` + probeLabels,
		layers: []Layer{
			routerIP(), &ICMPv4{Type: ICMPv4TimeExceeded, ID: 32}, tracerouteIP(55), &UDP{SrcPort: 33000, DstPort: 33434},
			&Raw{Data: []byte("@ABCDEFGHIJKLMNOPQRSTUVWXYZ")},
			&Padding{Data: make([]byte, 73)},
			&ICMPExtensions{Objects: probeObjects()},
		},
		build: withExtensions(1),
	}, {
		name:  "timestamp",
		from:  "scapy: ICMP(type=13, id=7, seq=9, ts_ori=36000000)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 28 12 34 00 00 fa 01 c2 64 c0 00 02 01 c6 33 64 07
			0d 00 9f ca  00 07 00 09
			02 25 51 00  00 00 00 00  00 00 00 00           # 10:00:00`,
		layers: []Layer{routerIP(), &ICMPv4{Type: ICMPv4Timestamp, ID: 7, Seq: 9}, &ICMPv4Times{Originate: 36000000}},
	}, {
		name:  "address mask",
		from:  "scapy: ICMP(type=18, id=7, seq=9, addr_mask='255.255.255.0')",
		first: &ipv4Protocol,
		hex: `
			45 00 00 20 12 34 00 00 fa 01 c2 6c c0 00 02 01 c6 33 64 07
			12 00 ee ee  00 07 00 09  ff ff ff 00`,
		layers: []Layer{routerIP(), &ICMPv4{Type: ICMPv4AddressMaskReply, ID: 7, Seq: 9}, &ICMPv4Mask{Mask: netip.MustParseAddr("255.255.255.0")}},
	}, {
		name:  "router advertisement",
		from:  "RFC 1256, section 3.1, written out by hand, with scapy's checksum",
		first: &icmpv4Protocol,
		hex: `
			09 00 2c f8  01 02 07 08                        # one address, two words each, 1800 seconds
			c0 00 02 01  ff ff ff fb                        # 192.0.2.1, preference -5
			`,
		layers: []Layer{
			&ICMPv4{Type: ICMPv4RouterAdvertisement, ID: 0x0102, Seq: 1800},
			&ICMPv4Routers{Entries: []byte{192, 0, 2, 1, 0xff, 0xff, 0xff, 0xfb}},
		},
	}, {
		name:  "extended echo",
		from:  "RFC 8335, section 2, written out by hand, with scapy's checksums",
		first: &icmpv4Protocol,
		hex: `
			2a 00 c2 ca  12 34 01 01                        # ID, sequence number 1, local
			20 00 16 ee                                     # version 2, checksum
			00 0c 03 03  00 01 04 00  c0 00 02 01           # identify by address: IPv4, 4 bytes
			`,
		layers: []Layer{
			&ICMPv4{Type: ICMPv4ExtendedEcho, ID: 0x1234, Seq: 0x0101},
			&ICMPExtensions{Objects: ICMPObjects("\x00\x0c\x03\x03\x00\x01\x04\x00\xc0\x00\x02\x01")},
		},
	}}
}

func TestICMPv4(t *testing.T) { testGolden(t, icmpv4Goldens()...) }

func FuzzICMPv4(f *testing.F) { fuzzProtocol(f, &icmpv4Protocol, icmpv4Goldens()...) }

func TestICMPv4Word(t *testing.T) {
	var l ICMPv4
	l.SetMTU(1400)
	l.SetPointer(20)
	if err := l.SetQuoteLen(128); err != nil {
		t.Fatal(err)
	}
	if l.MTU() != 1400 || l.Pointer() != 20 || l.QuoteLen() != 128 || l.ID != 20<<8|32 || l.Seq != 1400 {
		t.Errorf("got %+v", l)
	}
	if err := l.SetGateway(netip.MustParseAddr("192.0.2.254")); err != nil || l.Gateway() != netip.MustParseAddr("192.0.2.254") {
		t.Errorf("Gateway = %v, %v", l.Gateway(), err)
	}
	if err := l.SetGateway(netip.MustParseAddr("::1")); !errors.Is(err, ErrMalformed) {
		t.Errorf("SetGateway(::1) = %v, want ErrMalformed", err)
	}
	for _, n := range []int{-4, 2, 1024} {
		if err := l.SetQuoteLen(n); !errors.Is(err, ErrTooLong) {
			t.Errorf("SetQuoteLen(%d) = %v, want ErrTooLong", n, err)
		}
	}
	l.SetExtendedEcho(3, ICMPExtendedEchoActive|ICMPExtendedEchoIPv4|2<<5)
	if seq, f := l.ExtendedEcho(); seq != 3 || !f.Has(ICMPExtendedEchoActive) || f.Has(ICMPExtendedEchoIPv6) || f.State() != 2 {
		t.Errorf("ExtendedEcho = %d, %x", seq, f)
	}
}

func TestICMPv4Names(t *testing.T) {
	for _, c := range []struct {
		t          ICMPv4Type
		code       uint8
		name, what string
	}{
		{ICMPv4EchoReply, 0, "echo reply", "0"},
		{ICMPv4DestUnreachable, ICMPv4FragmentationNeeded, "destination unreachable", "fragmentation needed"},
		{ICMPv4DestUnreachable, ICMPv4PrecedenceCutoff, "destination unreachable", "precedence cutoff in effect"},
		{ICMPv4DestUnreachable, 16, "destination unreachable", "16"},
		{ICMPv4Redirect, ICMPv4RedirectTOSHost, "redirect", "for TOS and host"},
		{ICMPv4TimeExceeded, ICMPv4ReassemblyExceeded, "time exceeded", "fragment reassembly time exceeded"},
		{ICMPv4ParamProblem, ICMPv4BadLength, "parameter problem", "bad length"},
		{ICMPv4RouterAdvertisement, ICMPv4RouterNotCommon, "router advertisement", "does not route common traffic"},
		{ICMPv4ExtendedEchoReply, ICMPExtendedEchoNoInterface, "extended echo reply", "no such interface"},
		{ICMPv4Photuris, 2, "Photuris", "decompression failed"},
		{ICMPv4Experiment2, 0, "experimental", "0"},
		{99, 1, "99", "1"},
	} {
		if got := c.t.String(); got != c.name {
			t.Errorf("ICMPv4Type(%d) = %q, want %q", uint8(c.t), got, c.name)
		}
		if got := (&ICMPv4{Type: c.t, Code: c.code}).CodeString(); got != c.what {
			t.Errorf("%v code %d = %q, want %q", c.t, c.code, got, c.what)
		}
	}
}

// checksumStays sets fields through a view and verifies the checksum.
func checksumStays[V ViewOf](t *testing.T, g golden, set ...func(V)) {
	t.Helper()
	for i, f := range set {
		b := unhex(t, g.hex)
		before := bytes.Clone(b)
		var p Packet
		if err := p.DecodeAs(g.first, b); err != nil {
			t.Fatal(err)
		}
		v, ok := View[V](&p)
		if !ok {
			t.Fatal("no view")
		}
		f(v)
		if bytes.Equal(b, before) {
			t.Errorf("setter %d changed nothing", i)
		}
		p.Reset()
		_ = p.DecodeAs(g.first, b) // a setter may have made the payload one that cannot be read
		for c := range p.Checks() {
			if c.Node.Proto() == V(nil).Proto() && c.Field == "Checksum" && c.Status != CheckGood {
				t.Errorf("setter %d: %s is %v: have %#x, want %#x", i, c.Field, c.Status, c.Have, c.Want)
			}
		}
	}
}

func TestICMPv4View(t *testing.T) {
	checksumStays(t, icmpv4Goldens()[0],
		func(v ICMPv4View) { v.SetType(ICMPv4EchoReply) },
		func(v ICMPv4View) { v.SetCode(7) },
		func(v ICMPv4View) { v.SetID(0xffff) },
		func(v ICMPv4View) { v.SetSeq(0) },
		func(v ICMPv4View) { v.SetMTU(576) },
		func(v ICMPv4View) { v.SetPointer(8) },
		func(v ICMPv4View) { v.SetQuoteLen(128) },
		func(v ICMPv4View) { v.SetGateway(netip.MustParseAddr("192.0.2.1")) },
	)
	v := ICMPv4View(make([]byte, ICMPv4Len))
	v.SetType(ICMPv4ParamProblem)
	v.SetCode(2)
	v.SetPointer(9)
	v.SetQuoteLen(132)
	v.SetMTU(1280)
	if v.Type() != ICMPv4ParamProblem || v.Code() != 2 || v.Pointer() != 9 || v.QuoteLen() != 132 || v.MTU() != 1280 {
		t.Errorf("got %x", []byte(v))
	}
	v.SetGateway(netip.MustParseAddr("192.0.2.7"))
	if v.Gateway() != netip.MustParseAddr("192.0.2.7") || v.ID() != 0xc000 || v.Seq() != 0x0207 {
		t.Errorf("got %x", []byte(v))
	}
}

func TestICMPv4BodyViews(t *testing.T) {
	times := ICMPv4TimesView(make([]byte, ICMPv4TimesLen))
	times.SetOriginate(1)
	times.SetReceive(2)
	times.SetTransmit(3)
	var l ICMPv4Times
	if n, err := l.Decode(times); n != ICMPv4TimesLen || err != nil || l != (ICMPv4Times{1, 2, 3}) {
		t.Errorf("Decode = %d, %v: %+v", n, err, l)
	}
	mask := ICMPv4MaskView(make([]byte, ICMPv4MaskLen))
	mask.SetMask(netip.MustParseAddr("255.0.0.0"))
	if mask.Mask() != netip.MustParseAddr("255.0.0.0") {
		t.Errorf("Mask = %v", mask.Mask())
	}
	if _, err := (&ICMPv4Mask{Mask: netip.MustParseAddr("::1")}).AppendBinary(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("AppendBinary of ::1 = %v, want ErrMalformed", err)
	}
}

func TestICMPv4Routers(t *testing.T) {
	header := &ICMPv4{Type: ICMPv4RouterAdvertisement}
	var l ICMPv4Routers
	for i := range 3 {
		if err := l.Add(header, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), int32(i)-1); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Add(header, netip.MustParseAddr("::1"), 0); !errors.Is(err, ErrMalformed) {
		t.Errorf("Add(::1) = %v, want ErrMalformed", err)
	}
	if header.ID != 0x0302 {
		t.Errorf("ID = %#x, want 3 entries of 2 words", header.ID)
	}
	i := int32(0)
	for a, pref := range l.All(header) {
		if a != netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) || pref != i-1 {
			t.Errorf("router %d = %v, %d", i, a, pref)
		}
		i++
	}
	if i != 3 {
		t.Errorf("%d routers, want 3", i)
	}
	for range l.All(&ICMPv4{ID: 0x0301}) {
		t.Error("an entry of one word has no preference")
	}
	for range (&ICMPv4Routers{Entries: make([]byte, 7)}).All(header) {
		t.Error("an entry that is not there was yielded")
	}
}

// An error may quote anything, cut anywhere, and none of it is an error of the
// packet's.
func TestICMPv4Quote(t *testing.T) {
	for _, c := range []struct {
		name   string
		quote  string
		layers []*Protocol
	}{
		{"nothing", "", []*Protocol{&icmpv4Protocol}},
		{"cut header", "45 00 00 37", []*Protocol{&icmpv4Protocol, &rawProtocol}},
		{"not IP", "00 01 02 03", []*Protocol{&icmpv4Protocol, &rawProtocol}},
		{"IPv6", "60 00", []*Protocol{&icmpv4Protocol, &rawProtocol}},
		{"no transport", tracerouteProbe[:len(tracerouteProbe)/2], nil},
	} {
		var p Packet
		b := append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, unhex(t, c.quote)...)
		if err := p.DecodeAs(&icmpv4Protocol, b); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.layers == nil {
			continue
		}
		var got []*Protocol
		for n := range p.Nodes() {
			got = append(got, n.Proto())
		}
		if fmt.Sprint(got) != fmt.Sprint(c.layers) {
			t.Errorf("%s: %v, want %v", c.name, got, c.layers)
		}
	}
}

// The length of what is quoted is kept where it is right, and refused where it
// cannot be.
func TestICMPv4QuoteLen(t *testing.T) {
	icmp := &ICMPv4{Type: ICMPv4TimeExceeded}
	p := Stack(routerIP(), icmp, &Raw{Data: make([]byte, 130)})
	if err := p.AddChild(icmp, &ICMPExtensions{Objects: probeObjects()}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendBinary(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("130 bytes quoted: %v, want ErrMalformed", err)
	}
	Must[Raw](p).Data = make([]byte, 1024)
	if _, err := p.AppendBinary(nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("1024 bytes quoted: %v, want ErrTooLong", err)
	}

	// An edit of a decoded quote moves the extensions, and all that counts
	// bytes follows.
	g := icmpv4Goldens()[5]
	var q Packet
	if err := q.DecodeAs(g.first, unhex(t, g.hex)); err != nil {
		t.Fatal(err)
	}
	Must[Raw](&q).Data = Must[Raw](&q).Data[:23]
	b, err := q.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.DecodeAs(g.first, b); err != nil {
		t.Fatal(err)
	}
	if n := Must[ICMPv4](&q).QuoteLen(); n != 124 {
		t.Errorf("QuoteLen = %d, want 124", n)
	}
	quoted, ok := Nth[IPv4](&q, 1)
	if !ok || quoted.Length.Value() != 51 {
		t.Errorf("quoted IPv4 = %+v, want a length of 51", quoted)
	}
	if o, ok := Must[ICMPExtensions](&q).Objects.Get(ICMPObjectMPLS); !ok || len(o.Data) != 4 {
		t.Errorf("the labels are gone: %+v", o)
	}
	for c := range q.Checks() {
		if c.Status == CheckBad {
			t.Errorf("%v.%s: have %#x, want %#x", c.Node.Proto(), c.Field, c.Have, c.Want)
		}
	}
}

func TestICMPv4Rapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &ICMPv4{
			Type: ICMPv4Type(rapid.SampledFrom([]uint8{0, 8, 13, 15, 30, 200}).Draw(t, "type")),
			Code: rapid.Uint8().Draw(t, "code"),
			ID:   rapid.Uint16().Draw(t, "id"),
			Seq:  rapid.Uint16().Draw(t, "seq"),
		}
		data := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "data")
		b, err := Stack(routerIP(), l, &Raw{Data: data}).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		_ = p.DecodeAs(&ipv4Protocol, b) // a timestamp may be too short
		got := Must[ICMPv4](&p)
		if got.Type != l.Type || got.Code != l.Code || got.ID != l.ID || got.Seq != l.Seq {
			t.Fatalf("got %+v, want %+v", got, l)
		}
		wrong := rapid.Bool().Draw(t, "wrong")
		if wrong {
			b[22] ^= 0x55
			_ = p.DecodeAs(&ipv4Protocol, b)
			got = Must[ICMPv4](&p)
		}
		sum := got.Checksum.Value()
		got.Seq++
		if b, err = p.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		_ = p.DecodeAs(&ipv4Protocol, b)
		if wrong && Must[ICMPv4](&p).Checksum.Value() != sum {
			t.Fatalf("a wrong checksum changed from %#x to %v", sum, Must[ICMPv4](&p).Checksum)
		}
		for c := range p.Checks() {
			if want := CheckGood; c.Node.Proto() == &icmpv4Protocol && (c.Status == want) == wrong {
				t.Fatalf("%s is %v, made wrong: %v", c.Field, c.Status, wrong)
			}
		}
	})
}

func ExampleICMPv4() {
	ping := Stack(
		&IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")},
		&ICMPv4{Type: ICMPv4Echo, ID: 1, Seq: 2},
		&Raw{Data: []byte("ping")},
	)
	b, err := ping.AppendBinary(nil)
	fmt.Printf("%x %v\n", b[IPv4MinLen:], err)
	// Output: 0800192c0001000270696e67 <nil>
}
