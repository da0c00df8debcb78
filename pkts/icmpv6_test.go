package pkts

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// probeIPv6 is the packet that the errors made with scapy quote.
const probeIPv6 = `
	60 00 00 00  00 0c 11 01                         # 12 bytes, UDP, hop limit 1
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # 2001:db8::7
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09  # 2001:db8::9
	80 e8 82 9a  00 0c 20 51  40 40 40 40            # 33000 to 33434, 12 bytes
`

// probe6 are its layers.
func probe6() []Layer {
	return []Layer{
		&IPv6{HopLimit: 1, Src: netip.MustParseAddr("2001:db8::7"), Dst: netip.MustParseAddr("2001:db8::9")},
		&UDP{SrcPort: 33000, DstPort: 33434},
		&Raw{Data: []byte("@@@@")},
	}
}

const icmpv6GoldenIP = `
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  # 2001:db8::1
	20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # 2001:db8::7
`

func icmpv6GoldenLayers(l ...Layer) []Layer {
	return append([]Layer{&IPv6{HopLimit: 64, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::7")}}, l...)
}

func icmpv6Goldens() []golden {
	return []golden{{
		name:  "echo reply",
		from:  "scapy: ICMPv6EchoReply(id=0x1234, seq=5, data=b'pong')",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 0c 3a 40` + icmpv6GoldenIP + `
			81 00 32 2f  12 34 00 05  70 6f 6e 67`,
		layers: icmpv6GoldenLayers(&ICMPv6{Type: Pin(ICMPv6EchoReply)}, &ICMPv6Echo{ID: 0x1234, Seq: 5}, &Raw{Data: []byte("pong")}),
	}, {
		name:  "extended echo request",
		from:  "RFC 8335, section 2, written out by hand, with scapy's checksums",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 18 3a 40` + icmpv6GoldenIP + `
			a0 00 18 3b  12 34 01 01                  # sequence number 1, local
			20 00 dc f2  00 08 03 02  00 00 00 03     # interface by index: 3
			64 61 74 61                               # data of the sender's own`,
		layers: icmpv6GoldenLayers(
			&ICMPv6{}, &ICMPv6ExtendedEcho{ID: 0x1234, Seq: 1, Flags: ICMPExtendedEchoLocal},
			&ICMPExtensions{Objects: ICMPObjects("\x00\x08\x03\x02\x00\x00\x00\x03")},
			&Raw{Data: []byte("data")},
		),
	}, {
		name:  "packet too big",
		from:  "scapy: ICMPv6PacketTooBig(mtu=1280)",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 3c 3a 40` + icmpv6GoldenIP + `
			02 00 2c 1f  00 00 05 00                  # 1280` + probeIPv6,
		layers: icmpv6GoldenLayers(append([]Layer{&ICMPv6{}, &ICMPv6TooBig{MTU: 1280}}, probe6()...)...),
	}, {
		name:  "parameter problem",
		from:  "scapy: ICMPv6ParamProblem(code=1, ptr=40)",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 3c 3a 40` + icmpv6GoldenIP + `
			04 01 2e f6  00 00 00 28                  # byte 40` + probeIPv6,
		layers: icmpv6GoldenLayers(append([]Layer{&ICMPv6{Code: ICMPv6BadNextHeader}, &ICMPv6BadParam{Pointer: 40}}, probe6()...)...),
	}, {
		name:  "port unreachable",
		from:  "captures/ip_fragments.pcap: the kernel; behind the ICMPv6 header, the quote cut short",
		first: &icmpv6ErrorProtocol,
		hex: `
			00 00 00 00
			60 0f fd 2a  1e 08 11 40                          # 7688 bytes, UDP
			fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01   # fd77::1
			fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 02   # fd77::2
			e0 01 00 09  1e 08 61 68  00 01 02 03             # 57345 to 9, 7688 bytes`,
		layers: []Layer{
			&ICMPv6Error{},
			&IPv6{FlowLabel: 0xffd2a, PayloadLength: Pin[uint16](7688), HopLimit: 64, Src: netip.MustParseAddr("fd77::1"), Dst: netip.MustParseAddr("fd77::2")},
			&UDP{SrcPort: 57345, DstPort: 9, Length: Pin[uint16](7688), Checksum: Pin[uint16](0x6168)},
			&Raw{Data: []byte{0, 1, 2, 3}},
		},
		unknown: 3, // the quoted packet is cut: its lengths and its UDP checksum
	}, {
		name:  "time exceeded with MPLS labels",
		from:  "scapy: ICMPv6TimeExceeded(length=16), the packet padded to 128 bytes, and an extension",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 94 3a 40` + icmpv6GoldenIP + `
			03 00 1f c7  10 00 00 00                  # 16 words quoted` + probeIPv6 + `
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00` + probeLabels,
		layers: icmpv6GoldenLayers(append(append([]Layer{&ICMPv6{Type: Pin(ICMPv6TimeExceeded)}, &ICMPv6Error{}}, probe6()...),
			&Padding{Data: make([]byte, 76)}, &ICMPExtensions{Objects: probeObjects()})...),
		build: withExtensions(2),
	}}
}

func TestICMPv6(t *testing.T) { testGolden(t, icmpv6Goldens()...) }

func FuzzICMPv6(f *testing.F) {
	// Cut behind a checksum of all ones, which is a zero.
	f.Add(append(unhex(f, "60 00 00 00 30 30 3a 40"+icmpv6GoldenIP), 0x30, 0x30, 0xff, 0xff))
	gs := icmpv6Goldens()
	gs = append(gs, ndpGoldens()...)
	fuzzProtocol(f, &ipv6Protocol, append(gs, mldGoldens()...)...)
}

// The type follows from the message, unless it is pinned or was received.
func TestICMPv6Type(t *testing.T) {
	for _, c := range []struct {
		l    Layer
		want ICMPv6Type
	}{
		{&ICMPv6Echo{}, ICMPv6EchoRequest},
		{&ICMPv6ExtendedEcho{}, ICMPv6ExtendedEchoRequest},
		{&ICMPv6Error{}, ICMPv6DestUnreachable},
		{&ICMPv6TooBig{}, ICMPv6PacketTooBig},
		{&ICMPv6BadParam{}, ICMPv6ParamProblem},
		{&NDPRouterSolicitation{}, ICMPv6RouterSolicitation},
		{&NDPRouterAdvertisement{}, ICMPv6RouterAdvertisement},
		{&NDPNeighborSolicitation{}, ICMPv6NeighborSolicitation},
		{&NDPNeighborAdvertisement{}, ICMPv6NeighborAdvertisement},
		{&NDPRedirect{}, ICMPv6Redirect},
		{&MLD{}, ICMPv6MLDQuery},
		{&MLDv2Query{}, ICMPv6MLDQuery},
		{&MLDv2Report{}, ICMPv6MLDv2Report},
		{&Raw{Data: []byte("?")}, ICMPv6PrivateInfo1},
	} {
		b, err := Stack(&IPv6{}, &ICMPv6{}, c.l).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := ICMPv6Type(b[IPv6Len]); got != c.want {
			t.Errorf("%v: type %d, want %d", c.l.Proto(), got, c.want)
		}
		var p Packet
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Errorf("%v: %v", c.l.Proto(), err)
		}
		if p.index(c.l.Proto(), 0) != 2 {
			t.Errorf("%v: decoded as something else", c.l.Proto())
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Errorf("%v: %s is %v", c.Node.Proto(), c.Field, c.Status)
			}
		}
	}
}

// A third party takes a type over.
func TestICMPv6Types(t *testing.T) {
	r := Default.With(Binding{ByICMPv6Type(ICMPv6EchoReply), nil}, Binding{ByICMPv6Type(ICMPv6PrivateInfo2), &icmpv6EchoProtocol})
	b := unhex(t, icmpv6Goldens()[0].hex)
	p := Packet{Registry: r}
	if err := p.DecodeAs(&ipv6Protocol, b); err != nil || Has[ICMPv6Echo](&p) || !Has[Raw](&p) {
		t.Errorf("echo reply without a binding: %v, %d layers", err, p.Len())
	}
	b[IPv6Len] = uint8(ICMPv6PrivateInfo2)
	if err := p.DecodeAs(&ipv6Protocol, b); err != nil || !Has[ICMPv6Echo](&p) {
		t.Errorf("a private type with a binding: %v, %d layers", err, p.Len())
	}
	if s := ByICMPv6Type(ICMPv6EchoRequest).String(); s != "ICMPv6 type 128" {
		t.Errorf("Selector = %q", s)
	}
	found := false
	for s, proto := range Default.Bindings() {
		found = found || s == ByICMPv6Type(ICMPv6Redirect) && proto == &ndpRedirectProtocol
	}
	if !found {
		t.Error("Bindings does not tell of ICMPv6 types")
	}
}

func TestICMPv6Names(t *testing.T) {
	for _, c := range []struct {
		t          ICMPv6Type
		code       uint8
		name, what string
	}{
		{ICMPv6DestUnreachable, ICMPv6HeadersTooLong, "destination unreachable", "headers too long"},
		{ICMPv6TimeExceeded, ICMPv6HopLimitExceeded, "time exceeded", "hop limit exceeded in transit"},
		{ICMPv6ParamProblem, ICMPv6OptionTooBig, "parameter problem", "option too big"},
		{ICMPv6ParamProblem, 11, "parameter problem", "11"},
		{ICMPv6RouterRenumbering, 255, "router renumbering", "sequence number reset"},
		{ICMPv6NodeInfoReply, 1, "node information reply", "refused"},
		{ICMPv6ExtendedEchoReply, 4, "extended echo reply", "multiple interfaces satisfy query"},
		{ICMPv6RPL, 0, "RPL control", "0"},
		{250, 0, "250", "0"},
	} {
		if got := c.t.String(); got != c.name {
			t.Errorf("ICMPv6Type(%d) = %q, want %q", uint8(c.t), got, c.name)
		}
		if got := (&ICMPv6{Type: Pin(c.t), Code: c.code}).CodeString(); got != c.what {
			t.Errorf("%v code %d = %q, want %q", c.t, c.code, got, c.what)
		}
	}
	if !ICMPv6ParamProblem.IsError() || ICMPv6EchoRequest.IsError() {
		t.Error("IsError: errors are the types below 128")
	}
}

func TestICMPv6View(t *testing.T) {
	checksumStays(t, icmpv6Goldens()[0],
		func(v ICMPv6View) { v.SetType(ICMPv6EchoRequest) },
		func(v ICMPv6View) { v.SetCode(1) },
	)
	v := ICMPv6View(make([]byte, 8))
	v.SetType(ICMPv6PacketTooBig)
	v.SetCode(3)
	v.SetChecksum(0x1234)
	if v.Type() != ICMPv6PacketTooBig || v.Code() != 3 || v.Checksum() != 0x1234 || len(v.Payload()) != 4 {
		t.Errorf("got %x", []byte(v))
	}

	echo := ICMPv6EchoView(v.Payload())
	echo.SetID(7)
	echo.SetSeq(9)
	var e ICMPv6Echo
	if _, err := e.Decode(echo); err != nil || e != (ICMPv6Echo{7, 9}) {
		t.Errorf("echo: %v, %+v", err, e)
	}
	ext := ICMPv6ExtendedEchoView(v.Payload())
	ext.SetID(7)
	ext.SetSeq(9)
	ext.SetFlags(ICMPExtendedEchoActive)
	var x ICMPv6ExtendedEcho
	if _, err := x.Decode(ext); err != nil || x != (ICMPv6ExtendedEcho{7, 9, ICMPExtendedEchoActive}) {
		t.Errorf("extended echo: %v, %+v", err, x)
	}
	big := ICMPv6TooBigView(v.Payload())
	big.SetMTU(1280)
	if big.MTU() != 1280 {
		t.Errorf("MTU = %d", big.MTU())
	}
	bad := ICMPv6BadParamView(v.Payload())
	bad.SetPointer(40)
	if bad.Pointer() != 40 {
		t.Errorf("Pointer = %d", bad.Pointer())
	}
	er := ICMPv6ErrorView(v.Payload())
	er.SetLength(16)
	if er.Length() != 16 || er.Unused() != 40 {
		t.Errorf("error: %x", []byte(er))
	}
}

func TestICMPv6Errors(t *testing.T) {
	if _, err := Stack(&ICMPv6{}, &ICMPv6Echo{}).AppendBinary(nil); !errors.Is(err, ErrOrder) {
		t.Errorf("without IP: %v, want ErrOrder", err)
	}
	if _, err := (&ICMPv6Error{Unused: 1 << 24}).AppendBinary(nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("25 unused bits: %v, want ErrTooLong", err)
	}
	e := &ICMPv6Error{}
	p := Stack(&IPv6{}, &ICMPv6{}, e, &Raw{Data: make([]byte, 132)})
	if err := p.AddChild(e, &ICMPExtensions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendBinary(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("132 bytes quoted: %v, want ErrMalformed", err)
	}
}

func TestICMPv6Rapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := ICMPv6Echo{rapid.Uint16().Draw(t, "id"), rapid.Uint16().Draw(t, "seq")}
		data := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "data")
		b, err := Stack(&IPv6{Dst: netip.MustParseAddr("fe80::1")}, &ICMPv6{}, &want, &Raw{Data: data}).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Fatal(err)
		}
		echo := Must[ICMPv6Echo](&p)
		if *echo != want {
			t.Fatalf("got %+v, want %+v", *echo, want)
		}
		echo.Seq++
		Must[IPv6](&p).Src = netip.MustParseAddr("fe80::2")
		if b, err = p.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Fatal(err)
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Fatalf("%v.%s is %v: have %#x, want %#x", c.Node.Proto(), c.Field, c.Status, c.Have, c.Want)
			}
		}
	})
}

func ExampleICMPv6() {
	p := Stack(
		&IPv6{HopLimit: 255, Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("ff02::1:ff00:2")},
		&ICMPv6{},
		&NDPNeighborSolicitation{Target: netip.MustParseAddr("fe80::2")},
	)
	b, err := p.AppendBinary(nil)
	fmt.Println(ICMPv6Type(b[IPv6Len]), len(b), err)
	// Output: neighbor solicitation 64 <nil>
}
