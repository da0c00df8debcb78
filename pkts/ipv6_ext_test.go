package pkts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// coreAddr is netip.MustParseAddr.
func coreAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// coreV6 is the IPv6 header of most packets here, which scapy made.
func coreV6(hops uint8) *IPv6 {
	return &IPv6{HopLimit: hops, Src: coreAddr("2001:db8::1"), Dst: coreAddr("2001:db8::2")}
}

const (
	coreSrc6  = " 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 # 2001:db8::1\n"
	coreDst6  = " 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 # 2001:db8::2\n"
	coreThird = " 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 03 # 2001:db8::3\n"
	coreFour  = " 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 04 # 2001:db8::4\n"
	coreHome  = " 20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 09 # 2001:db8:1::9\n"
)

func hopByHopGoldens() []golden {
	return []golden{{
		name:  "router alert",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrHopByHop(options=[RouterAlert()])/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 12 00 01 # 18 bytes, hop-by-hop, 1 hop
			` + coreSrc6 + coreDst6 + `
			11 00                   # UDP, 8 bytes
			05 02 00 00             # router alert, MLD
			01 00                   # PadN
			03 e8 07 d0 00 0a 30 44 # 1000 to 2000, 10 bytes
			68 69`,
		layers: []Layer{
			coreV6(1),
			&IPv6HopByHop{Options: IPv6Options(nil).AppendRouterAlert(0).AppendPad(2)},
			&UDP{SrcPort: 1000, DstPort: 2000},
			&Raw{Data: []byte("hi")},
		},
	}}
}

func destOptsGoldens() []golden {
	home, _ := IPv6Options(nil).AppendPad(4).AppendHomeAddress(coreAddr("2001:db8:1::9"))
	return []golden{{
		name:  "home address",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrDestOpt(options=[HAO()])/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 25 3c 40 # 37 bytes, destination options, 64 hops
			` + coreSrc6 + coreDst6 + `
			11 02                   # UDP, 24 bytes
			01 02 00 00             # PadN
			c9 10                   # home address
			` + coreHome + `
			03 e8 07 d0 00 0d 54 cc # the checksum covers the home address
			68 65 6c 6c 6f`,
		layers: []Layer{
			coreV6(64),
			&IPv6DestOpts{Options: home},
			&UDP{SrcPort: 1000, DstPort: 2000},
			&Raw{Data: []byte("hello")},
		},
	}}
}

func routingGoldens() []golden {
	rt0, _ := AppendIPv6Addrs(nil, coreAddr("2001:db8::3"), coreAddr("2001:db8::4"))
	rt2, _ := AppendIPv6Addrs(nil, coreAddr("2001:db8:1::9"))
	segments, _ := Segments(nil).Append(coreAddr("2001:db8::4"), coreAddr("2001:db8::3"))
	srv6, _ := SRv6{Tag: 7, Segments: segments}.AppendBinary(nil)
	return []golden{{
		name:  "type 0",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrRouting(segleft=2)/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 35 2b 40 # 53 bytes, routing
			` + coreSrc6 + coreDst6 + `
			11 04 00 02 00 00 00 00 # UDP, 40 bytes, type 0, 2 segments left
			` + coreThird + coreFour + `
			03 e8 07 d0 00 0d 54 d3 # the checksum covers the last address
			68 65 6c 6c 6f`,
		layers: []Layer{
			coreV6(64),
			&IPv6Routing{Type: IPv6RoutingSource, SegmentsLeft: 2, Data: rt0},
			&UDP{SrcPort: 1000, DstPort: 2000},
			&Raw{Data: []byte("hello")},
		},
	}, {
		name:  "type 2",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrRouting(type=2,segleft=1)/TCP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 2c 2b 40 # 44 bytes, routing
			` + coreSrc6 + coreDst6 + `
			06 02 02 01 00 00 00 00 # TCP, 24 bytes, type 2, 1 segment left
			` + coreHome + `
			03 e8 00 50             # 1000 to 80
			00 00 00 01 00 00 00 00 # sequence number 1
			50 02 20 00             # 20 bytes, SYN, window 8192
			30 2d 00 00             # the checksum covers the home address`,
		layers: []Layer{
			coreV6(64),
			&IPv6Routing{Type: IPv6RoutingMobile, SegmentsLeft: 1, Data: rt2},
			&TCP{SrcPort: 1000, DstPort: 80, Seq: 1, Flags: TCPSyn, Window: 8192},
		},
	}, {
		name:  "SRv6",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrSegmentRouting(segleft=1)/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 35 2b 40 # 53 bytes, routing
			` + coreSrc6 + coreThird + `
			11 04 04 01 01 00 00 07 # UDP, 40 bytes, type 4, 1 segment left, last entry 1, tag 7
			` + coreFour + coreThird + `
			03 e8 07 d0 00 0d 54 d3 # the checksum covers the first segment of the list
			68 65 6c 6c 6f`,
		layers: []Layer{
			&IPv6{HopLimit: 64, Src: coreAddr("2001:db8::1"), Dst: coreAddr("2001:db8::3")},
			&IPv6Routing{Type: IPv6RoutingSegments, SegmentsLeft: 1, Data: srv6},
			&UDP{SrcPort: 1000, DstPort: 2000},
			&Raw{Data: []byte("hello")},
		},
	}}
}

func fragmentGoldens() []golden {
	return []golden{{
		name:  "first",
		from:  "scapy 2.5.0: fragment6 of IPv6/IPv6ExtHdrFragment/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 28 2c 40 # 40 bytes, fragment
			` + coreSrc6 + coreDst6 + `
			11 00 00 01 01 02 03 04 # UDP, offset 0, more
			03 e8 07 d0 00 30 2e f8 # 48 bytes in all
			78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78`,
		layers: []Layer{
			coreV6(64),
			&IPv6Fragment{More: true, ID: 0x01020304},
			&UDP{SrcPort: 1000, DstPort: 2000, Length: Pin[uint16](48), Checksum: Pin[uint16](0x2ef8)},
			&Raw{Data: bytes.Repeat([]byte("x"), 24)},
		},
		unknown: 2, // the length and the checksum are those of the whole datagram
	}, {
		name:  "last",
		from:  "scapy 2.5.0: fragment6 of IPv6/IPv6ExtHdrFragment/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 18 2c 40 # 24 bytes, fragment
			` + coreSrc6 + coreDst6 + `
			11 00 00 20 01 02 03 04 # UDP, offset 4 times 8, the last one
			78 78 78 78 78 78 78 78 78 78 78 78 78 78 78 78`,
		layers: []Layer{
			coreV6(64),
			&IPv6Fragment{NextHeader: Pin(IPProtoUDP), FragmentOffset: 4, ID: 0x01020304},
			&Raw{Data: bytes.Repeat([]byte("x"), 16)},
		},
	}, {
		name:  "atomic",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrFragment(id=5)/UDP, RFC 6946",
		first: &ipv6Protocol,
		hex: `60 00 00 00  00 12 2c 40 # 18 bytes, fragment
			` + coreSrc6 + coreDst6 + `
			11 00 00 00 00 00 00 05 # UDP, offset 0, none follows
			03 e8 07 d0 00 0a 30 44 68 69`,
		layers: []Layer{
			coreV6(64),
			&IPv6Fragment{ID: 5},
			&UDP{SrcPort: 1000, DstPort: 2000},
			&Raw{Data: []byte("hi")},
		},
	}}
}

func TestIPv6HopByHop(t *testing.T) { testGolden(t, hopByHopGoldens()...) }
func TestIPv6DestOpts(t *testing.T) { testGolden(t, destOptsGoldens()...) }
func TestIPv6Routing(t *testing.T)  { testGolden(t, routingGoldens()...) }
func TestIPv6Fragment(t *testing.T) { testGolden(t, fragmentGoldens()...) }

func FuzzIPv6HopByHop(f *testing.F) { fuzzProtocol(f, &ipv6Protocol, hopByHopGoldens()...) }
func FuzzIPv6DestOpts(f *testing.F) { fuzzProtocol(f, &ipv6Protocol, destOptsGoldens()...) }
func FuzzIPv6Routing(f *testing.F)  { fuzzProtocol(f, &ipv6Protocol, routingGoldens()...) }
func FuzzIPv6Fragment(f *testing.F) { fuzzProtocol(f, &ipv6Protocol, fragmentGoldens()...) }

// coreDecode decodes b, which must be free of errors.
func coreDecode(t testing.TB, first *Protocol, b []byte) *Packet {
	t.Helper()
	p := new(Packet)
	if err := p.DecodeAs(first, b); err != nil {
		t.Fatalf("Decode of %x: %v", b, err)
	}
	return p
}

// coreBuild encodes layers, which must be free of errors.
func coreBuild(t testing.TB, layers ...Layer) []byte {
	t.Helper()
	b, err := Stack(layers...).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// coreChecks returns the status of each field of a packet by its name.
func coreChecks(p *Packet) map[string]CheckStatus {
	m := map[string]CheckStatus{}
	for c := range p.Checks() {
		m[c.Node.Proto().Name+"."+c.Field] = c.Status
	}
	return m
}

// coreAllGood reports what of a packet is not right.
func coreAllGood(t testing.TB, first *Protocol, b []byte) {
	t.Helper()
	for c := range coreDecode(t, first, b).Checks() {
		if c.Status != CheckGood {
			t.Errorf("%v.%s: %v: have %#x, want %#x in %x", c.Node.Proto(), c.Field, c.Status, c.Have, c.Want, b)
		}
	}
}

// TestExtensionHeadersPinned checks what the library does not compute when it
// is told not to, and refuses what does not fit.
func TestExtensionHeaders(t *testing.T) {
	b := coreBuild(t, coreV6(1), &IPv6HopByHop{NextHeader: Pin(IPProtoTCP), HdrExtLen: Pin[uint8](9)})
	if want := []byte{6, 9, 1, 4, 0, 0, 0, 0}; !bytes.Equal(b[IPv6Len:], want) {
		t.Errorf("pinned: % x, want % x", b[IPv6Len:], want)
	}
	for _, test := range []struct {
		name  string
		layer Layer
		err   error
	}{
		{"HopByHop too long", &IPv6HopByHop{Options: make(IPv6Options, 2047)}, ErrTooLong},
		{"DestOpts too long", &IPv6DestOpts{Options: make(IPv6Options, 2047)}, ErrTooLong},
		{"DestOpts longest", &IPv6DestOpts{Options: make(IPv6Options, 2046)}, nil},
		{"Routing too long", &IPv6Routing{Data: make([]byte, 2045)}, ErrTooLong},
		{"Routing longest", &IPv6Routing{Data: make([]byte, 2044)}, nil},
		{"Fragment offset", &IPv6Fragment{FragmentOffset: 1 << 13}, ErrTooLong},
		{"Fragment reserved", &IPv6Fragment{Res: 4}, ErrTooLong},
		{"AH odd", &AH{ICV: make([]byte, 5)}, ErrMalformed},
		{"AH too long", &AH{ICV: make([]byte, 1020)}, ErrTooLong},
		{"AH longest", &AH{ICV: make([]byte, 1016)}, nil},
		{"Mobility too long", &Mobility{Data: make([]byte, 2043)}, ErrTooLong},
		{"HIP too long", &HIP{Parameters: make(HIPParameters, 2016)}, ErrTooLong},
		{"HIP odd", &HIP{Parameters: make(HIPParameters, 4)}, ErrMalformed},
		{"HIP type", &HIP{Type: 0x80}, ErrTooLong},
		{"HIP version", &HIP{Version: Pin[uint8](16)}, ErrTooLong},
		{"HIP reserved", &HIP{Reserved: 8}, ErrTooLong},
		{"HIP address", &HIP{Sender: coreAddr("192.0.2.1")}, ErrMalformed},
		{"Shim6 too long", &Shim6{Data: make([]byte, 2043)}, ErrTooLong},
		{"Shim6 tag", &Shim6{IsPayload: true, ContextTag: 1 << 47}, ErrTooLong},
		{"Shim6 type", &Shim6{Type: 0x80}, ErrTooLong},
	} {
		b, err := Stack(coreV6(1), test.layer).AppendBinary(nil)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
		}
		if test.err == nil {
			coreAllGood(t, &ipv6Protocol, b)
		} else if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Layer == "" || ee.Field == "" {
			t.Errorf("%s: %#v, want an EncodeError with layer and field", test.name, err)
		}
	}
}

func TestJumbogram(t *testing.T) {
	payload := bytes.Repeat([]byte{0xa5}, 70_000)
	for _, l4 := range []Layer{&UDP{SrcPort: 1, DstPort: 2}, &TCP{SrcPort: 1, DstPort: 2}} {
		name := l4.Proto().Name
		b := coreBuild(t, coreV6(64), &IPv6HopByHop{Options: IPv6Options(nil).AppendJumbo(0)}, l4, &Raw{Data: payload})
		if n := IPv6View(b).PayloadLength(); n != 0 {
			t.Errorf("%s: payload length %d, want 0, RFC 2675", name, n)
		}
		if n := binary.BigEndian.Uint32(b[IPv6Len+4:]); int(n) != len(b)-IPv6Len {
			t.Errorf("%s: jumbo payload length %d, want %d", name, n, len(b)-IPv6Len)
		}
		// The pseudo-header counts the length in 32 bits: a sum by hand.
		seg := b[IPv6Len+8:]
		sum := uint64(len(seg)>>16) + uint64(len(seg)&0xffff) + uint64(b[IPv6Len])
		for i := 8; i < IPv6Len; i += 2 {
			sum += uint64(binary.BigEndian.Uint16(b[i:]))
		}
		for i := 0; i < len(seg); i += 2 {
			sum += uint64(binary.BigEndian.Uint16(seg[i:]))
		}
		if sum%0xffff != 0 {
			t.Errorf("%s: the checksum with pseudo-header leaves %#x", name, sum%0xffff)
		}
		coreAllGood(t, &ipv6Protocol, b)

		// Frames go on behind the jumbogram, or are cut.
		p := coreDecode(t, &ipv6Protocol, append(slices.Clone(b), 1, 2, 3))
		if pad := Must[Padding](p); len(pad.Data) != 3 {
			t.Errorf("%s: padding of %d bytes, want 3", name, len(pad.Data))
		}
		if p = coreDecode(t, &ipv6Protocol, b[:len(b)-1]); !p.Truncated() {
			t.Errorf("%s: cut, but not said to be", name)
		}

		// An edit.
		p = coreDecode(t, &ipv6Protocol, b)
		Must[Raw](p).Data = payload[:69_998]
		edited, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(edited) != len(b)-2 {
			t.Errorf("%s: %d bytes after the edit, want %d", name, len(edited), len(b)-2)
		}
		coreAllGood(t, &ipv6Protocol, edited)
	}
	_, err := Stack(coreV6(64), &TCP{}, &Raw{Data: payload}).AppendBinary(nil)
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("without the option: %v, want %v", err, ErrTooLong)
	}
	// A jumbo length that is too small to be one does not count.
	small := coreBuild(t, coreV6(64), &IPv6HopByHop{Options: IPv6Options(nil).AppendJumbo(9)}, &UDP{}, &Raw{Data: []byte("data")})
	if p := coreDecode(t, &ipv6Protocol, small); Has[Padding](p) || p.Truncated() || coreChecks(p)["IPv6HopByHop.Options"] != CheckBad {
		t.Errorf("a jumbo payload length of 9: %v", coreChecks(p))
	}
}

func TestFinalDestination(t *testing.T) {
	dst := coreAddr("2001:db8::2")
	whole := func(addrs ...string) []byte {
		var a []netip.Addr
		for _, s := range addrs {
			a = append(a, coreAddr(s))
		}
		b, err := AppendIPv6Addrs(nil, a...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	segments := func(addrs ...string) []byte {
		b := whole(addrs...)
		b[0] = byte(len(addrs) - 1)
		return b
	}
	// RFC 6554: two addresses that share 15 bytes with the destination, one
	// that shares 14, and 4 bytes of padding: 8+1+1+2+4.
	rpl := []byte{0xfe, 0x40, 0, 0, 0x0a, 0x0b, 0x12, 0x34, 0, 0, 0, 0}
	for _, test := range []struct {
		name string
		h    IPv6Routing
		want string
	}{
		{"type 0", IPv6Routing{Type: 0, SegmentsLeft: 1, Data: whole("::3", "::4")}, "::4"},
		{"type 0, nothing left", IPv6Routing{Type: 0, Data: whole("::3", "::4")}, "2001:db8::2"},
		{"type 0, no address", IPv6Routing{Type: 0, SegmentsLeft: 1, Data: whole()}, "2001:db8::2"},
		{"type 2", IPv6Routing{Type: 2, SegmentsLeft: 1, Data: whole("::3")}, "::3"},
		{"type 4", IPv6Routing{Type: 4, SegmentsLeft: 1, Data: segments("::3", "::4")}, "::3"},
		{"type 3", IPv6Routing{Type: 3, SegmentsLeft: 3, Data: rpl}, "2001:db8::1234"},
		{"type 3, lengths that disagree", IPv6Routing{Type: 3, SegmentsLeft: 3, Data: []byte{0, 0, 0, 0}}, "2001:db8::2"},
		{"unknown", IPv6Routing{Type: 77, SegmentsLeft: 1, Data: whole("::3")}, "2001:db8::2"},
	} {
		h, err := test.h.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := netip.AddrFrom16(finalDestination(h, dst.As16())); got != coreAddr(test.want) {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
		b := coreBuild(t, coreV6(64), &test.h, &UDP{SrcPort: 5, DstPort: 6}, &Raw{Data: []byte("abc")})
		straight := coreBuild(t, &IPv6{HopLimit: 64, Src: coreAddr("2001:db8::1"), Dst: coreAddr(test.want)}, &UDP{SrcPort: 5, DstPort: 6}, &Raw{Data: []byte("abc")})
		got := binary.BigEndian.Uint16(b[len(b)-5:])
		want := binary.BigEndian.Uint16(straight[len(straight)-5:])
		if got != want {
			t.Errorf("%s: UDP checksum %#x, want %#x as without the routing header", test.name, got, want)
		}
	}
}

// TestWrongLengthFields builds checksums over headers whose length is pinned to
// what it is not.
func TestWrongLengthFields(t *testing.T) {
	for _, n := range []uint8{0, 1, 255} {
		for _, l := range []Layer{
			&IPv6Routing{HdrExtLen: Pin(n), SegmentsLeft: 1, Data: make([]byte, 20)},
			&IPv6HopByHop{HdrExtLen: Pin(n), Options: IPv6Options(nil).AppendJumbo(0)},
			&IPv6DestOpts{HdrExtLen: Pin(n), Options: IPv6Options(nil).AppendTunnelLimit(1)},
			&AH{PayloadLen: Pin(n)},
			&Shim6{HdrExtLen: Pin(n)},
		} {
			want := coreBuild(t, coreV6(1), l, &UDP{}, &Raw{Data: []byte("x")})
			if want[IPv6Len+1] != n {
				t.Errorf("%v: the length is %d, want %d", l.Proto(), want[IPv6Len+1], n)
			}
			roundTrips(t, &ipv6Protocol, want)
		}
	}
}

func TestRoutingAccessors(t *testing.T) {
	rpl := RPLRoute{CmprI: 15, CmprE: 14, Pad: 4, Reserved: 0xabcde, Addresses: []byte{0x0a, 0x0b, 0x12, 0x34, 0, 0, 0, 0}}
	data, err := rpl.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := IPv6Routing{Type: IPv6RoutingRPL, Data: data}
	got, ok := h.RPL()
	if diff := cmp.Diff(rpl, got); !ok || diff != "" {
		t.Errorf("RPL: %v (-want +got):\n%s", ok, diff)
	}
	var addrs []string
	for i := range got.Len() {
		addrs = append(addrs, got.At(i, coreAddr("fe80::1")).String())
	}
	if want := []string{"fe80::a", "fe80::b", "fe80::1234"}; !slices.Equal(addrs, want) {
		t.Errorf("RPL addresses: %v, want %v", addrs, want)
	}
	if _, ok := h.SRv6(); ok {
		t.Error("SRv6 of a header of type 3: true")
	}
	for _, bad := range []RPLRoute{{CmprI: 16}, {CmprE: 16}, {Pad: 16}, {Reserved: 1 << 20}} {
		if _, err := bad.AppendBinary(nil); !errors.Is(err, ErrTooLong) {
			t.Errorf("%+v: %v, want %v", bad, err, ErrTooLong)
		}
	}

	segments, err := Segments(nil).Append(coreAddr("::4"), coreAddr("::3"))
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8754, section 2.1.2, and padding of 2 bytes.
	tlvs, err := SRv6TLVs(nil).Append(SRv6HMAC, append([]byte{0x80, 0, 0, 0, 0, 9}, bytes.Repeat([]byte{7}, 32)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tlvs.Append(SRv6PadN, make([]byte, 256)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a TLV of 256 bytes: %v, want %v", err, ErrTooLong)
	}
	s := SRv6{Flags: 8, Tag: 0x1234, Segments: segments, TLVs: tlvs}
	if data, err = s.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	h = IPv6Routing{Type: IPv6RoutingSegments, Data: data}
	srv6, ok := h.SRv6()
	if diff := cmp.Diff(s, srv6, layerOptions()...); !ok || diff != "" || srv6.LastEntry.Value() != 1 {
		t.Errorf("SRv6: %v, last entry %v (-want +got):\n%s", ok, srv6.LastEntry, diff)
	}
	coversDst, key, hash, ok := srv6.TLVs.HMAC()
	if coversDst || key != 9 || len(hash) != 32 || !ok {
		t.Errorf("HMAC = %v, %d, %x, %v", coversDst, key, hash, ok)
	}
	for i, tlv := range srv6.TLVs.All() {
		if i != 0 || tlv.Type != SRv6HMAC || len(tlv.Data) != 38 {
			t.Errorf("TLV at %d: %+v", i, tlv)
		}
	}
	if err := srv6.TLVs[:5].Err(); !errors.Is(err, ErrTruncated) {
		t.Errorf("a TLV that is cut: %v", err)
	}
	addrs = nil
	for _, a := range h.Addresses() {
		addrs = append(addrs, a.String())
	}
	if want := []string{"::4", "::3"}; !slices.Equal(addrs, want) {
		t.Errorf("SRv6 addresses: %v, want %v", addrs, want)
	}
	if _, err := (SRv6{}).AppendBinary(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("no segments: %v, want %v", err, ErrMalformed)
	}
	if _, err := Segments(nil).Append(coreAddr("192.0.2.1")); !errors.Is(err, ErrMalformed) {
		t.Errorf("an IPv4 segment: %v, want %v", err, ErrMalformed)
	}
	if _, err := AppendIPv6Addrs(nil, coreAddr("192.0.2.1")); !errors.Is(err, ErrMalformed) {
		t.Errorf("an IPv4 address: %v, want %v", err, ErrMalformed)
	}
	for n := range len(data) {
		cut := IPv6Routing{Type: IPv6RoutingSegments, Data: data[:n]}
		if _, ok := cut.SRv6(); ok != (n >= 36) {
			t.Errorf("SRv6 of %d bytes: %v", n, ok)
		}
		for range cut.Addresses() {
		}
		cut.Type = IPv6RoutingRPL
		if r, ok := cut.RPL(); ok {
			for i := range r.Len() {
				r.At(i, coreAddr("::"))
			}
		}
	}
}

func TestIPv6ExtViews(t *testing.T) {
	b := unhex(t, hopByHopGoldens()[0].hex)
	p := coreDecode(t, &ipv6Protocol, b)
	hbh, _ := View[IPv6HopByHopView](p)
	if hbh.NextHeader() != IPProtoUDP || hbh.HdrExtLen() != 0 || hbh.HeaderLen() != 8 || len(hbh.Options()) != 6 || len(hbh.Payload()) != 10 {
		t.Errorf("HopByHop: %x", hbh)
	}
	hbh.SetNextHeader(IPProtoTCP)
	hbh.SetHdrExtLen(1)
	if hbh.NextHeader() != IPProtoTCP || hbh.HdrExtLen() != 1 {
		t.Errorf("HopByHop after setting: %x", hbh)
	}
	p = coreDecode(t, &ipv6Protocol, unhex(t, destOptsGoldens()[0].hex))
	dest, _ := View[IPv6DestOptsView](p)
	if a, ok := dest.Options().HomeAddress(); !ok || a != coreAddr("2001:db8:1::9") || dest.HeaderLen() != 24 || len(dest.Payload()) != 13 {
		t.Errorf("DestOpts: %x", dest)
	}
	dest.SetNextHeader(IPProtoTCP)
	dest.SetHdrExtLen(0)
	if dest.NextHeader() != IPProtoTCP || dest.HdrExtLen() != 0 {
		t.Errorf("DestOpts after setting: %x", dest)
	}
	p = coreDecode(t, &ipv6Protocol, unhex(t, routingGoldens()[0].hex))
	rt, _ := View[IPv6RoutingView](p)
	n := 0
	for range rt.Addresses() {
		n++
	}
	if n != 2 || len(rt.Payload()) != 13 || rt.HdrExtLen() != 4 {
		t.Errorf("Routing: %x, %d addresses", rt, n)
	}
	rt.SetNextHeader(IPProtoTCP)
	rt.SetType(IPv6RoutingMobile)
	rt.SetSegmentsLeft(1)
	rt.SetHdrExtLen(2)
	if rt.NextHeader() != IPProtoTCP || rt.Type() != IPv6RoutingMobile || rt.SegmentsLeft() != 1 || rt.HdrExtLen() != 2 {
		t.Errorf("Routing after setting: %x", rt)
	}
	p = coreDecode(t, &ipv6Protocol, unhex(t, fragmentGoldens()[0].hex))
	frag, _ := View[IPv6FragmentView](p)
	frag.SetNextHeader(IPProtoTCP)
	frag.SetReserved(0xee)
	frag.SetFragmentOffset(0x1555)
	frag.SetRes(2)
	frag.SetMore(false)
	frag.SetID(0xfeedbeef)
	if want := []byte{6, 0xee, 0xaa, 0xac, 0xfe, 0xed, 0xbe, 0xef}; !bytes.Equal(frag[:8], want) {
		t.Errorf("Fragment: % x, want % x", frag[:8], want)
	}
	if frag.NextHeader() != IPProtoTCP || frag.Reserved() != 0xee || frag.FragmentOffset() != 0x1555 || frag.Res() != 2 || frag.More() || frag.ID() != 0xfeedbeef || len(frag.Payload()) != 32 {
		t.Errorf("Fragment getters: % x", frag)
	}
}
