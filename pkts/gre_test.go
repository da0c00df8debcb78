package pkts

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// tunnelOuter4, tunnelOuter6, tunnelEthernet and tunnelInner are the layers
// around and in the tunnels of the goldens, which scapy 2.5.0 made.
func tunnelOuter4() *IPv4 {
	return &IPv4{ID: 0x1234, TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")}
}

func tunnelOuter6() *IPv6 {
	return &IPv6{HopLimit: 64, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2")}
}

func tunnelEthernet(src, dst byte) *Ethernet {
	return &Ethernet{Dst: link.MacAddr{2, 0, 0, 0, 0, dst}, Src: link.MacAddr{2, 0, 0, 0, 0, src}}
}

func tunnelInner(lower ...Layer) []Layer {
	return append(lower,
		&IPv4{ID: 7, TTL: 63, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")},
		&UDP{SrcPort: 5000, DstPort: 5001},
		&Raw{Data: []byte("hello")})
}

const (
	tunnelOuter6Hex = `20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 01  20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 02 `
	tunnelInnerHex  = `
			45 00 00 21  00 07 00 00  3f 11 67 c3         # 33 bytes, TTL 63, UDP
			0a 00 00 01  0a 00 00 02                      # 10.0.0.1 to 10.0.0.2
			13 88 13 89  00 0d 80 ee  68 65 6c 6c 6f      # 5000 to 5001, 13 bytes, hello`
)

func greGoldens() []golden {
	return []golden{{
		name:  "GRE checksum, key and sequence number",
		from:  "scapy 2.5.0: GRE(chksum_present=1, key_present=1, seqnum_present=1)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 45  12 34 00 00  40 2f e4 52         # 69 bytes, TTL 64, GRE
			c0 00 02 01  c0 00 02 02                      # 192.0.2.1 to 192.0.2.2
			b0 00 08 00                                   # checksum, key, sequence number; IPv4
			57 f0 00 00                                   # checksum, reserved
			01 02 03 04                                   # key
			00 00 00 2a                                   # sequence number 42` + tunnelInnerHex,
		layers: tunnelInner(tunnelOuter4(), &GRE{Flags: GREChecksum | GREKey | GRESeq, Key: 0x01020304, Seq: 42}),
	}, {
		name:  "GRE Ethernet frame",
		from:  "scapy 2.5.0: GRE(key_present=1, proto=0x6558), as NVGRE has it, RFC 7637",
		first: &ipv6Protocol,
		hex: `
			60 00 00 00  00 37 2f 40                      # 55 bytes, GRE, hop limit 64
			` + tunnelOuter6Hex + `
			20 00 65 58  12 34 56 07                      # key; Ethernet; 0x123456 and 7
			02 00 00 00 00 02  02 00 00 00 00 01  08 00   # to, from, IPv4` + tunnelInnerHex,
		layers: tunnelInner(tunnelOuter6(), &GRE{Flags: GREKey, Key: 0x12345607}, tunnelEthernet(1, 2)),
	}, {
		name:  "GRE routing",
		from:  "scapy 2.5.0: GRE(routing_present=1, strict_route_source=1, recursion_control=2)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 4d  12 34 00 00  40 2f e4 4a         # 77 bytes, TTL 64, GRE
			c0 00 02 01  c0 00 02 02                      # 192.0.2.1 to 192.0.2.2
			4a 00 00 00                                   # routing, strict, recursion 2; type 0
			00 00 00 04                                   # no checksum, offset 4
			08 00 04 08  c0 00 02 63  c0 00 02 64         # IPv4, offset 4, 8 bytes: 192.0.2.99, 192.0.2.100
			00 00 00 00                                   # the end` + tunnelInnerHex,
		layers: []Layer{
			tunnelOuter4(),
			&GRE{
				Flags: GRERouting | GREStrictRoute | 0x0200, ProtocolType: Pin[EtherType](0), Reserved1: 4,
				Routing: []byte("\x08\x00\x04\x08\xc0\x00\x02\x63\xc0\x00\x02\x64\x00\x00\x00\x00"),
			},
			&Raw{Data: []byte("\x45\x00\x00\x21\x00\x07\x00\x00\x3f\x11\x67\xc3\x0a\x00\x00\x01\x0a\x00\x00\x02" +
				"\x13\x88\x13\x89\x00\x0d\x80\xee" + "hello")},
		},
	}, {
		name:  "PPTP",
		from:  "scapy 2.5.0: GRE_PPTP(seqnum_present=1, acknum_present=1)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 2a  12 34 00 00  40 2f e4 6d         # 42 bytes, TTL 64, GRE
			c0 00 02 01  c0 00 02 02                      # 192.0.2.1 to 192.0.2.2
			30 81 88 0b                                   # key, sequence number, acknowledgment, version 1; PPP
			00 06 00 11                                   # 6 bytes, call 17
			00 00 00 09  00 00 00 08                      # sequence number 9, acknowledgment 8
			ff 03 00 21  45 00                            # PPP`,
		layers: []Layer{
			tunnelOuter4(),
			&GRE{Flags: GREKey | GRESeq | GREAck, Version: 1, CallID: 17, Seq: 9, Ack: 8},
			&Raw{Data: []byte("\xff\x03\x00\x21\x45\x00")},
		},
	}, {
		name:  "PPTP acknowledgment",
		from:  "scapy 2.5.0: GRE_PPTP(acknum_present=1)",
		first: &ipv4Protocol,
		hex: `
			45 00 00 20  12 34 00 00  40 2f e4 77         # 32 bytes, TTL 64, GRE
			c0 00 02 01  c0 00 02 02                      # 192.0.2.1 to 192.0.2.2
			20 81 88 0b  00 00 00 11  00 00 00 09         # 0 bytes, call 17, acknowledgment 9`,
		layers: []Layer{
			tunnelOuter4(),
			&GRE{Flags: GREKey | GREAck, Version: 1, CallID: 17, Ack: 9},
		},
	}}
}

func TestGRE(t *testing.T) { testGolden(t, greGoldens()...) }

func FuzzGRE(f *testing.F) { fuzzProtocol(f, &greProtocol, seedsOf(f, &greProtocol, greGoldens())...) }

// seedsOf returns the goldens without what is in front of the first header of p.
func seedsOf(t testing.TB, p *Protocol, gs []golden) []golden {
	for i, g := range gs {
		b := unhex(t, g.hex)
		var pkt Packet
		_ = pkt.DecodeAs(g.first, b)
		for n := range pkt.Nodes() {
			if n.Proto() == p {
				gs[i].hex = hex.EncodeToString(b[n.Offset():])
				break
			}
		}
	}
	return gs
}

// TestGREDecode decodes headers at the edges of what there is.
func TestGREDecode(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		header    int
		shape     string // "" for an error
		err       error
	}{
		{"nothing", "", 0, "", ErrTruncated},
		{"no payload", "00000800", 4, "GRE", nil},
		{"unknown type", "0000888800", 4, "GRE .Raw", nil},
		{"a length is no type", "0000000442420300", 4, "GRE .Raw", nil},
		{"reserved bits", "0778000041", 4, "GRE .Raw", nil},
		{"acknowledgment in version 0", "0080000041", 4, "GRE .Raw", nil},
		{"an empty routing", "40000000 00000000 00000000", 12, "GRE", nil},
		{"routing without an end", "40000000 00000000 08000004 01020304", 0, "", ErrTruncated},
		{"family 0 with addresses goes on", "40000000 00000000 00000004 01020304 00000000 41", 20, "GRE .Raw", nil},
		{"routing that breaks off", "40000000 00000000 08000008 01020304", 0, "", ErrTruncated},
		{"version 1 without a key", "1001880b 00000001 41", 8, "GRE .Raw", nil},
		{"version 1, payload longer", "2001880b 00030007 4142", 8, "GRE .Raw", nil},
		{"version 1, payload shorter", "2001880b 00010007 4142", 8, "GRE .Raw Padding", nil},
		{"version 1 with a checksum", "a001880b 00000000 00010007 41", 0, "", ErrMalformed},
		{"version 1 with routing", "6001880b 00000000 00010007 00000000", 0, "", ErrMalformed},
		{"version 2", "00020800", 0, "", ErrMalformed},
		{"version 7", "00070800", 0, "", ErrMalformed},
	} {
		b := unhex(t, test.hex)
		var l GRE
		n, err := l.Decode(b)
		if n != test.header || !errors.Is(err, test.err) {
			t.Errorf("%s: Decode = %d, %v, want %d, %v", test.name, n, err, test.header, test.err)
		}
		var p Packet
		perr := p.DecodeAs(&greProtocol, b)
		if test.shape != "" && (perr != nil || coreShape(&p) != test.shape) {
			t.Errorf("%s: %q, %v, want %q", test.name, coreShape(&p), perr, test.shape)
		}
		if want := test.name == "version 1, payload longer"; p.Truncated() != want {
			t.Errorf("%s: truncated is %v", test.name, !want)
		}
		roundTrips(t, &greProtocol, b)
	}
	// A list of entries that goes on beyond what a header may have.
	long := append([]byte{0x40, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat(append([]byte{8, 0, 0, 252}, make([]byte, 252)...), 300)...)
	if _, err := new(GRE).Decode(long); !errors.Is(err, ErrMalformed) {
		t.Errorf("a routing of %d bytes: %v, want %v", len(long), err, ErrMalformed)
	}
	roundTrips(t, &greProtocol, long)
}

// TestGREEncode wants errors for what would be lost.
func TestGREEncode(t *testing.T) {
	for _, test := range []struct {
		field string
		l     GRE
		err   error
	}{
		{"Version", GRE{Version: 2}, ErrTooLong},
		{"Flags", GRE{Flags: 1}, ErrMalformed},
		{"Flags", GRE{Flags: GREChecksum, Version: 1}, ErrMalformed},
		{"Flags", GRE{Flags: GRERouting, Version: 1}, ErrMalformed},
		{"Checksum", GRE{Checksum: Pin[uint16](1)}, ErrMalformed},
		{"Reserved1", GRE{Reserved1: 1}, ErrMalformed},
		{"Key", GRE{Key: 1}, ErrMalformed},
		{"Key", GRE{Flags: GREKey, Version: 1, Key: 1}, ErrMalformed},
		{"PayloadLength", GRE{Flags: GREKey, PayloadLength: Pin[uint16](1)}, ErrMalformed},
		{"PayloadLength", GRE{Version: 1, PayloadLength: Pin[uint16](1)}, ErrMalformed},
		{"CallID", GRE{Flags: GREKey, CallID: 1}, ErrMalformed},
		{"Seq", GRE{Seq: 1}, ErrMalformed},
		{"Ack", GRE{Flags: GREAck, Ack: 1}, ErrMalformed},
		{"Ack", GRE{Version: 1, Ack: 1}, ErrMalformed},
		{"Routing", GRE{Routing: make([]byte, 4)}, ErrMalformed},
		{"Routing", GRE{Flags: GRERouting}, ErrMalformed},
		{"Routing", GRE{Flags: GRERouting, Routing: []byte{8, 0, 0, 4, 1, 2, 3, 4}}, ErrMalformed},
		{"Routing", GRE{Flags: GRERouting, Routing: make([]byte, 8)}, ErrMalformed},
		{"Routing", GRE{Flags: GRERouting, Routing: []byte{8, 0, 0, 9, 0, 0, 0, 0}}, ErrMalformed},
		{"PayloadLength", GRE{Flags: GREKey, Version: 1}, ErrTooLong}, // with the payload below
	} {
		b, err := Stack(&test.l, &Raw{Data: make([]byte, 1<<16)}).AppendBinary([]byte("x"))
		if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Layer != "GRE" || ee.Field != test.field || !errors.Is(err, test.err) {
			t.Errorf("%+v: %v, want %s: %v", test.l, err, test.field, test.err)
		}
		if string(b) != "x" {
			t.Errorf("%+v: an error left %d bytes", test.l, len(b))
		}
	}
	for _, test := range []struct {
		l    []Layer
		want string
	}{
		{[]Layer{&GRE{}}, "000088b5"},
		{[]Layer{&GRE{Version: 1}}, "0001880b"},
		{[]Layer{&GRE{}, &ARP{}}, "00000806"},
		{[]Layer{&GRE{}, &VLAN{}}, "00008100"},
		{[]Layer{&GRE{}, &Ethernet{}}, "00006558"},
		{[]Layer{&GRE{ProtocolType: Pin[EtherType](0x1234)}, &IPv4{}}, "00001234"},
		{[]Layer{&GRE{Flags: GREChecksum}}, "800088b5f7490000"}, // ~(0x8000 + 0x88b5), folded
	} {
		if got := coreBuild(t, test.l...); !bytes.HasPrefix(got, unhex(t, test.want)) {
			t.Errorf("%v: % x, want %s", Stack(test.l...), got, test.want)
		}
	}
}

// TestGREEdit changes what is in a tunnel, and wants what is around it to follow.
func TestGREEdit(t *testing.T) {
	b := unhex(t, greGoldens()[0].hex)
	p := coreDecode(t, &ipv4Protocol, b)
	Must[Raw](p).Data = []byte("hello, tunnel")
	Must[GRE](p).Seq++
	got, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &ipv4Protocol, got)
	q := coreDecode(t, &ipv4Protocol, got)
	if ip := Must[IPv4](q); ip.Length.Value() != uint16(len(b)+8) {
		t.Errorf("outer length %v, want %d", ip.Length, len(b)+8)
	}
	if g := Must[GRE](q); g.Seq != 43 || g.Checksum == Must[GRE](coreDecode(t, &ipv4Protocol, b)).Checksum {
		t.Errorf("%+v", g)
	}

	// A wrong checksum stays.
	b[24] ^= 1
	p = coreDecode(t, &ipv4Protocol, b)
	if s := coreChecks(p)["GRE.Checksum"]; s != CheckBad {
		t.Errorf("a wrong checksum is %v", s)
	}
	Must[Raw](p).Data = []byte("hi")
	if got, err = p.AppendBinary(nil); err != nil || !bytes.Equal(got[24:26], b[24:26]) {
		t.Errorf("a wrong checksum became % x, %v", got[24:26], err)
	}

	// Another payload has another type, unless somebody has pinned it.
	p = coreDecode(t, &ipv4Protocol, unhex(t, greGoldens()[0].hex))
	if err := p.InsertAfter(Must[GRE](p), &Ethernet{}); err != nil {
		t.Fatal(err)
	}
	if got, err = p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &ipv4Protocol, got)
	if s := coreShape(coreDecode(t, &ipv4Protocol, got)); s != "IPv4 .GRE ..Ethernet ...IPv4 ....UDP .....Raw" {
		t.Errorf("%q", s)
	}

	// A fragment's checksum covers what is not there, and follows an edit.
	whole := coreDecode(t, &ipv4Protocol, unhex(t, greGoldens()[0].hex))
	first := coreBuild(t, &IPv4{Flags: IPv4MoreFragments, Protocol: Pin(IPProtoGRE)}, &Raw{Data: unhex(t, greGoldens()[0].hex)[20:68]})
	p = coreDecode(t, &ipv4Protocol, first)
	if s := coreChecks(p)["GRE.Checksum"]; s != CheckUnknown {
		t.Errorf("the checksum of a fragment is %v", s)
	}
	Must[GRE](p).Key, Must[GRE](whole).Key = 99, 99
	f, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := whole.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f[20:68], w[20:68]) {
		t.Errorf("a fragment, edited:\n got % x\nwant % x", f[20:68], w[20:68])
	}
}

func TestGREView(t *testing.T) {
	b := unhex(t, greGoldens()[0].hex)
	v, _ := View[GREView](coreDecode(t, &ipv4Protocol, b))
	if !v.SetKey(0xcafe0001) || !v.SetSeq(0x12345678) || !v.SetReserved1(0xabcd) || v.SetAck(1) || v.SetCallID(1) || v.SetPayloadLength(1) {
		t.Error("setters of fields that are there, or are not")
	}
	v.SetProtocolType(EtherTypeIPv6)
	v.SetProtocolType(EtherTypeIPv4)
	v.SetFlags(v.Flags() | 0x0300)
	key, _ := v.Key()
	seq, _ := v.Seq()
	res, _ := v.Reserved1()
	if key != 0xcafe0001 || seq != 0x12345678 || res != 0xabcd || v.Flags() != GREChecksum|GREKey|GRESeq|0x0300 || v.HeaderLen() != 16 || len(v.Payload()) != 33 || len(v.Routing()) != 0 {
		t.Errorf("after setting: % x", v)
	}
	coreAllGood(t, &ipv4Protocol, b)
	sum, _ := v.Checksum()
	if !v.SetChecksum(sum ^ 1) {
		t.Error("no checksum")
	}
	v.SetKey(7)
	if coreChecks(coreDecode(t, &ipv4Protocol, b))["GRE.Checksum"] != CheckBad {
		t.Error("a wrong checksum became right")
	}

	b = unhex(t, greGoldens()[3].hex)
	v, _ = View[GREView](coreDecode(t, &ipv4Protocol, b))
	if !v.SetCallID(5) || !v.SetAck(6) || !v.SetSeq(7) || !v.SetPayloadLength(6) || v.SetKey(1) || v.SetChecksum(1) || v.SetReserved1(1) {
		t.Error("setters of version 1")
	}
	id, _ := v.CallID()
	n, _ := v.PayloadLength()
	ack, _ := v.Ack()
	seq, _ = v.Seq()
	_, hasSum := v.Checksum()
	if id != 5 || n != 6 || ack != 6 || seq != 7 || hasSum || v.Version() != 1 || len(v.Payload()) != 6 {
		t.Errorf("after setting: % x", v)
	}
	v.SetVersion(8)
	if v.Version() != 0 || v.Flags() != GREKey|GRESeq|GREAck {
		t.Errorf("after SetVersion: % x", v)
	}

	b = unhex(t, greGoldens()[2].hex)
	v, _ = View[GREView](coreDecode(t, &ipv4Protocol, b))
	if len(v.Routing()) != 16 || v.HeaderLen() != 24 {
		t.Errorf("Routing % x", v.Routing())
	}
	if n := GREView(b[20:30]).HeaderLen(); n != 0 {
		t.Errorf("a header that breaks off: HeaderLen %d", n)
	}
}

func TestGREFlags(t *testing.T) {
	for f, want := range map[GREFlags]string{
		0:                                "none",
		GREChecksum | GREKey:             "checksum+key",
		GRERouting | GRESeq | GREAck:     "routing+seq+ack",
		GREStrictRoute | 0x0300 | 0x0008: "strict route+0x0308",
	} {
		if f.String() != want {
			t.Errorf("%#x is %q, want %q", uint16(f), f, want)
		}
	}
	if !GREFlags(0xb000).Has(GREKey|GRESeq) || GREFlags(0xb000).Has(GRERouting) {
		t.Error("Has")
	}
}

// TestGREFlow checks which flow is which.
func TestGREFlow(t *testing.T) {
	p := coreDecode(t, &ipv4Protocol, unhex(t, greGoldens()[0].hex))
	for range 2 {
		if got := p.Flow().String(); got != "192.0.2.1 > 192.0.2.2 GRE" {
			t.Errorf("Flow: %s", got)
		}
		if got := p.InnermostFlow().String(); got != "10.0.0.1:5000 > 10.0.0.2:5001 UDP" {
			t.Errorf("InnermostFlow: %s", got)
		}
		Must[GRE](p).Key = 5 // now by the layers
	}
}
