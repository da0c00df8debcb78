package pkts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// coreV4 is the IPv4 header of most packets here.
func coreV4(o IPv4Options) *IPv4 {
	return &IPv4{ID: 1, TTL: 64, Src: coreAddr("192.0.2.1"), Dst: coreAddr("192.0.2.2"), Options: o}
}

const coreAddrs4 = " c0 00 02 01 c0 00 02 02 # 192.0.2.1 to 192.0.2.2\n"

func ipv4Goldens() []golden {
	loose, _ := IPv4Options(nil).AppendRoute(IPv4OptionLooseRoute, coreAddr("192.0.2.9"))
	options, _ := loose.AppendTraceroute(IPv4Traceroute{3, 2, 0xffff, coreAddr("192.0.2.1")})
	options = options.AppendStreamID(9).Append(IPv4OptionBroadcast, []byte{192, 0, 2, 7}).Pad()
	return []golden{{
		name:  "record route and router alert",
		from:  "scapy 2.5.0: IP(options=[IPOption_RR(), IPOption_Router_Alert()])/UDP",
		first: &ipv4Protocol,
		hex: `4a 00 00 32 00 01 00 00 # 40 bytes of header, 50 in all
			40 11 e2 13             # TTL 64, UDP
			` + coreAddrs4 + `
			07 0f 04 00 00 00 00 00 00 00 00 00 00 00 00 # room for 3 addresses
			94 04 00 00 00          # router alert, end
			00 01 00 02 00 0a 13 6a 68 69`,
		layers: []Layer{
			coreV4(IPv4Options(nil).AppendRecordRoute(3).AppendRouterAlert(0).Pad()),
			&UDP{SrcPort: 1, DstPort: 2},
			&Raw{Data: []byte("hi")},
		},
	}, {
		name:  "loose route, traceroute, stream, broadcast",
		from:  "scapy 2.5.0: IP(options=[IPOption_LSRR(), IPOption_Traceroute(), ...])/UDP",
		first: &ipv4Protocol,
		hex: `4d 00 00 3c 00 01 00 00 40 11 2f 30 # 52 bytes of header, 60 in all
			` + coreAddrs4 + `
			83 07 04 c0 00 02 09    # loose route to 192.0.2.9
			12 0c 00 03 00 02 ff ff c0 00 02 01 # traceroute, under the number that scapy gives it
			88 04 00 09             # stream 9
			95 06 c0 00 02 07       # broadcast to 192.0.2.7
			00 00 00                # end and padding
			00 01 00 02 00 08 7b d0 # the checksum covers the end of the route`,
		layers: []Layer{
			coreV4(slices.Concat(options[:7], IPv4Options{0x12}, options[8:])),
			&UDP{SrcPort: 1, DstPort: 2},
		},
	}, {
		name:  "every bit of the second line, then nothing known",
		from:  "typed by hand from RFC 791, section 3.1; the checksum by hand",
		first: &ipv4Protocol,
		hex: `45 bb 00 16 ab cd ff ff # DSCP 46, ECN 3, 22 bytes, all flags, the last offset
			01 06 89 56             # TTL 1, TCP
			` + coreAddrs4 + `
			de ad`,
		layers: []Layer{
			&IPv4{DSCP: 46, ECN: CE, ID: 0xabcd, Flags: 7, FragmentOffset: 0x1fff, TTL: 1, Protocol: Pin(IPProtoTCP),
				Src: coreAddr("192.0.2.1"), Dst: coreAddr("192.0.2.2")},
			&Raw{Data: []byte{0xde, 0xad}},
		},
	}}
}

func TestIPv4(t *testing.T) { testGolden(t, ipv4Goldens()...) }

func FuzzIPv4(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 4})
	fuzzProtocol(f, &ipv4Protocol, ipv4Goldens()...)
}

// TestIPv4HeaderLengths builds, decodes and edits headers of every length.
func TestIPv4HeaderLengths(t *testing.T) {
	for ihl := 5; ihl <= 15; ihl++ {
		o := IPv4Options(bytes.Repeat([]byte{1}, ihl*4-IPv4MinLen))
		b := coreBuild(t, coreV4(o), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("hello")})
		if want := byte(4<<4 | ihl); b[0] != want || len(b) != ihl*4+UDPLen+5 {
			t.Errorf("IHL %d: first byte %#x, %d bytes", ihl, b[0], len(b))
		}
		coreAllGood(t, &ipv4Protocol, b)
		roundTrips(t, &ipv4Protocol, b)
		p := coreDecode(t, &ipv4Protocol, b)
		l := Must[IPv4](p)
		if l.IHL.Value() != uint8(ihl) || !bytes.Equal(l.Options, o) || Must[UDP](p).DstPort != 2 {
			t.Errorf("IHL %d: %+v", ihl, l)
		}
		// The header grows or shrinks with the options.
		for _, n := range []int{0, 4, 40} {
			l.Options = bytes.Repeat([]byte{1}, n)
			edited, err := p.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(edited) != IPv4MinLen+n+UDPLen+5 {
				t.Errorf("IHL %d, then %d bytes of options: %d bytes", ihl, n, len(edited))
			}
			coreAllGood(t, &ipv4Protocol, edited)
		}
	}
	for ihl := range 5 {
		b := coreBuild(t, coreV4(nil))
		b[0] = byte(4<<4 | ihl)
		if err := new(Packet).DecodeAs(&ipv4Protocol, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("IHL %d: %v, want %v", ihl, err, ErrMalformed)
		}
	}
	b := coreBuild(t, coreV4(nil))
	b[0] = 0x46
	if de, ok := errors.AsType[*DecodeError](new(Packet).DecodeAs(&ipv4Protocol, b)); !ok || de.Want != 24 || de.Have != 20 {
		t.Errorf("IHL 6 in 20 bytes: %v", de)
	}
	b[0] = 0x65
	if err := new(Packet).DecodeAs(&ipv4Protocol, b); !errors.Is(err, ErrMalformed) {
		t.Errorf("version 6: %v, want %v", err, ErrMalformed)
	}
}

func TestIPv4EncodeErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		l    IPv4
		err  error
	}{
		{"options too long", IPv4{Options: make(IPv4Options, 44)}, ErrTooLong},
		{"options odd", IPv4{Options: make(IPv4Options, 3)}, ErrMalformed},
		{"IHL", IPv4{IHL: Pin[uint8](16)}, ErrTooLong},
		{"DSCP", IPv4{DSCP: 64}, ErrTooLong},
		{"ECN", IPv4{ECN: 4}, ErrTooLong},
		{"flags", IPv4{Flags: 8}, ErrTooLong},
		{"offset", IPv4{FragmentOffset: 0x2000}, ErrTooLong},
		{"source", IPv4{Src: coreAddr("::1")}, ErrMalformed},
		{"destination", IPv4{Dst: coreAddr("::1")}, ErrMalformed},
	} {
		b, err := Stack(&test.l).AppendBinary([]byte("kept"))
		if !errors.Is(err, test.err) || string(b) != "kept" {
			t.Errorf("%s: %q, %v, want %v", test.name, b, err, test.err)
		}
	}
	_, err := Stack(&IPv4{}, &Raw{Data: make([]byte, 65516)}).AppendBinary(nil)
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("65,536 bytes: %v, want %v", err, ErrTooLong)
	}
	// The zero value, and an IPv4 address in IPv6 clothes.
	if b := coreBuild(t, &IPv4{Src: coreAddr("::ffff:192.0.2.1")}); IPv4View(b).Src() != coreAddr("192.0.2.1") || !IPv4View(b).Dst().IsUnspecified() {
		t.Errorf("mapped and zero address: % x", b)
	}
}

// TestIPv4Lengths decodes packets whose length does not agree with the bytes.
func TestIPv4Lengths(t *testing.T) {
	whole := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("0123456789")})
	for _, test := range []struct {
		name      string
		length    int
		payload   int
		padding   int
		truncated bool
	}{
		{"as it is", 38, 18, 0, false},
		{"segmentation offload", 0, 18, 0, false},
		{"longer", 39, 18, 0, true},
		{"longest", 65535, 18, 0, true},
		{"shorter than the header", 19, 18, 0, true},
		{"shorter", 37, 17, 1, true}, // for UDP
	} {
		b := slices.Clone(whole)
		v := IPv4View(b)
		v.SetLength(uint16(test.length))
		p := coreDecode(t, &ipv4Protocol, b)
		n := 0
		if pad, ok := Get[Padding](p); ok {
			n = len(pad.Data)
		}
		view, _ := View[IPv4View](p)
		if len(view.Payload()) != test.payload || n != test.padding || p.Truncated() != test.truncated {
			t.Errorf("%s: payload %d, padding %d, truncated %v", test.name, len(view.Payload()), n, p.Truncated())
		}
		if p.nodes()[0].flags&nodeFragment != 0 {
			t.Errorf("%s: a fragment", test.name)
		}
		roundTrips(t, &ipv4Protocol, b)
		// What was wrong stays when the payload grows; a device that cuts
		// segments is still asked to.
		Must[Raw](p).Data = []byte("more than there was before")
		edited, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := int(IPv4View(edited).Length())
		want := test.length
		if test.length == 38 || test.length == 37 {
			want = len(edited) - test.padding
		}
		if got != want {
			t.Errorf("%s: length %d after an edit, want %d", test.name, got, want)
		}
	}
}

func TestIPv4Fragments(t *testing.T) {
	whole := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: bytes.Repeat([]byte("ab"), 20)})
	first := slices.Clone(whole[:IPv4MinLen+24])
	v := IPv4View(first)
	v.SetLength(uint16(len(first)))
	v.SetFlags(IPv4MoreFragments)
	p := coreDecode(t, &ipv4Protocol, first)
	if !Has[UDP](p) || coreChecks(p)["UDP.Checksum"] != CheckUnknown {
		t.Errorf("first fragment: %v", coreChecks(p))
	}
	// The checksum follows an edit as in the whole datagram.
	Must[UDP](p).DstPort = 777
	raw := Must[Raw](p)
	raw.Data = slices.Concat([]byte("XYZ"), raw.Data[3:])
	edited, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := slices.Concat(edited, whole[len(first):])
	v = IPv4View(again)
	v.SetFlags(0)
	v.SetLength(uint16(len(again)))
	coreAllGood(t, &ipv4Protocol, again)

	last := slices.Concat(whole[:IPv4MinLen], whole[len(first):])
	v = IPv4View(last)
	v.SetLength(uint16(len(last)))
	v.SetFragmentOffset(3)
	p = coreDecode(t, &ipv4Protocol, last)
	if Has[UDP](p) || len(Must[Raw](p).Data) != 24 || Must[IPv4](p).Protocol.Value() != IPProtoUDP {
		t.Error("last fragment: it has no header of its own")
	}
	Must[IPv4](p).TTL--
	if edited, err = p.AppendBinary(nil); err != nil || IPv4View(edited).Protocol() != IPProtoUDP {
		t.Errorf("last fragment after an edit: % x, %v", edited, err)
	}
	coreAllGood(t, &ipv4Protocol, edited)
}

// TestIPv4Checksum edits packets with a right and a wrong checksum.
func TestIPv4Checksum(t *testing.T) {
	for _, wrong := range []bool{false, true} {
		b := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("hello")})
		if wrong {
			b[ipv4OffChecksum] ^= 0x55
		}
		have := IPv4View(b).Checksum()
		p := coreDecode(t, &ipv4Protocol, b)
		l := Must[IPv4](p)
		l.TTL--
		l.Options = IPv4Options(nil).AppendRouterAlert(0)
		Must[UDP](p).DstPort = 99
		Must[Raw](p).Data = []byte("much longer than before")
		edited, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		status := coreChecks(coreDecode(t, &ipv4Protocol, edited))
		want := CheckGood
		if wrong {
			want = CheckBad
			if got := IPv4View(edited).Checksum(); got != have {
				t.Errorf("the wrong checksum %#x became %#x", have, got)
			}
		}
		if status["IPv4.Checksum"] != want || status["UDP.Checksum"] != CheckGood || status["IPv4.Length"] != CheckGood {
			t.Errorf("wrong %v: %v", wrong, status)
		}
	}
	b := coreBuild(t, &IPv4{Checksum: Pin[uint16](0xdead), Length: Pin[uint16](9), IHL: Pin[uint8](7), Protocol: Pin(IPProtoGRE)}, &UDP{})
	if v := IPv4View(b); v.Checksum() != 0xdead || v.Length() != 9 || v[0] != 0x47 || v.Protocol() != IPProtoGRE {
		t.Errorf("pinned: % x", b)
	}
}

func TestIPv4View(t *testing.T) {
	b := unhex(t, ipv4Goldens()[0].hex)
	p := coreDecode(t, &ipv4Protocol, b)
	v, _ := View[IPv4View](p)
	udp := b[IPv4MinLen+20:]
	old := slices.Clone(b[ipv4OffSrc : ipv4OffSrc+8])
	v.SetDSCP(0xff)
	v.SetECN(ECT0 | 0xf0)
	v.SetID(0xfeed)
	v.SetFlags(IPv4DontFragment)
	v.SetTTL(3)
	v.SetSrc(coreAddr("198.51.100.7"))
	v.SetDst(coreAddr("203.0.113.9"))
	AdjustChecksum(udp[udpOffChecksum:udpOffChecksum+2], old, b[ipv4OffSrc:ipv4OffSrc+8])
	coreAllGood(t, &ipv4Protocol, b)
	want := IPv4{DSCP: 0x3f, ECN: ECT0, ID: 0xfeed, Flags: IPv4DontFragment, TTL: 3,
		Src: coreAddr("198.51.100.7"), Dst: coreAddr("203.0.113.9"), Options: v.Options()}
	if diff := cmp.Diff(&want, Must[IPv4](coreDecode(t, &ipv4Protocol, b)), layerOptions()...); diff != "" {
		t.Errorf("after setting (-want +got):\n%s", diff)
	}
	v.SetFragmentOffset(0xffff)
	v.SetProtocol(IPProtoTCP)
	v.SetLength(50)
	if v.FragmentOffset() != 0x1fff || v.Flags() != IPv4DontFragment || v.Protocol() != IPProtoTCP || v.DSCP() != 0x3f || v.ECN() != ECT0 || v.ID() != 0xfeed || v.TTL() != 3 {
		t.Errorf("after setting: % x", v)
	}
	if coreChecks(coreDecode(t, &ipv4Protocol, b))["IPv4.Checksum"] != CheckGood {
		t.Error("the checksum did not follow")
	}
	v.SetChecksum(v.Checksum() ^ 1)
	v.SetTTL(9)
	if coreChecks(coreDecode(t, &ipv4Protocol, b))["IPv4.Checksum"] != CheckBad {
		t.Error("a wrong checksum became right")
	}
	for f, want := range map[IPv4Flags]string{0: "none", IPv4MoreFragments: "MF", 7: "MF+DF+reserved"} {
		if f.String() != want {
			t.Errorf("flags %d: %q, want %q", f, f, want)
		}
	}
	if !IPv4Flags(3).Has(IPv4DontFragment) || IPv4Flags(1).Has(3) {
		t.Error("Has is wrong")
	}
}

func TestIPv4OptionAccessors(t *testing.T) {
	// Bytes from the RFCs' diagrams.
	o := IPv4Options(unhex(t, `
		07 0b 08 c0 00 02 01 00 00 00 00  # record route, 1 of 2 recorded
		83 07 04 c0 00 02 09     # loose route
		89 07 08 c0 00 02 08     # strict route, used up
		44 0c 0d 31 c0 00 02 09 00 00 03 e8 # timestamp with address, overflow 3, full
		94 04 00 01              # router alert
		82 04 ab 80              # security: unclassified, GENSER
		85 05 01 02 03           # extended security, format 1
		88 04 00 07              # stream 7
		52 0c 00 03 00 02 ff ff c0 00 02 01 # traceroute
		19 08 8a 40 00 00 00 16  # quick-start report, rate 10
		86 0a 00 00 00 05 01 04 00 07 # CIPSO, DOI 5, a tag
		95 0a c0 00 02 07 c0 00 02 06 # broadcast
		0b 04 05 dc 0c 04 02 40  # MTU probe and reply
		01 00`))
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	check := func(name string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got, layerOptions()...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	rr, _ := o.RecordRoute()
	check("RecordRoute", []any{rr.Pointer, rr.Len(), rr.Done(), rr.At(0), rr.At(1)}, []any{uint8(8), 2, 1, coreAddr("192.0.2.1"), coreAddr("0.0.0.0")})
	loose, _ := o.LooseRoute()
	check("LooseRoute", []any{loose.Len(), loose.Done(), loose.At(0)}, []any{1, 0, coreAddr("192.0.2.9")})
	strict, _ := o.StrictRoute()
	check("StrictRoute", []any{strict.Len(), strict.Done(), strict.At(0)}, []any{1, 1, coreAddr("192.0.2.8")})
	ts, _ := o.Timestamp()
	check("Timestamp", []any{ts.Pointer, ts.Overflow, ts.Flag, ts.Len(), ts.Done(), ts.At(0)},
		[]any{uint8(13), uint8(3), IPv4TimestampAddrs, 1, 1, IPv4TimestampEntry{coreAddr("192.0.2.9"), 1000}})
	alert, _ := o.RouterAlert()
	stream, _ := o.StreamID()
	probe, _ := o.MTUProbe()
	reply, _ := o.MTUReply()
	check("numbers", []uint16{alert, stream, probe, reply}, []uint16{1, 7, 1500, 576})
	sec, _ := o.Security()
	check("Security", sec, IPv4Security{IPv4Unclassified, []byte{0x80}})
	format, info, _ := o.ExtSecurity()
	check("ExtSecurity", []any{format, info}, []any{uint8(1), []byte{2, 3}})
	tr, _ := o.Traceroute()
	check("Traceroute", tr, IPv4Traceroute{3, 2, 0xffff, coreAddr("192.0.2.1")})
	qs, _ := o.QuickStart()
	check("QuickStart", qs, QuickStart{QuickStartReport, 10, 64, 5, 2})
	doi, tags, _ := o.CIPSO()
	check("CIPSO", []any{doi, tags}, []any{uint32(5), []byte{1, 4, 0, 7}})
	check("Broadcast", coreOptions(o.Broadcast()), []string{"0 192.0.2.7", "1 192.0.2.6"})

	// The builders give the same bytes, where the pointer is at the start.
	must := func(x IPv4Options, err error) IPv4Options {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	b := must(IPv4Options(nil).AppendRoute(IPv4OptionRecordRoute, coreAddr("192.0.2.1"), coreAddr("0.0.0.0")))
	b[2] = 8
	b = must(b.AppendRoute(IPv4OptionLooseRoute, coreAddr("192.0.2.9")))
	b = must(b.AppendRoute(IPv4OptionStrictRoute, coreAddr("192.0.2.8")))
	b[len(b)-5] = 8
	b = must(b.AppendTimestamp(IPv4TimestampAddrs, IPv4TimestampEntry{coreAddr("192.0.2.9"), 1000}))
	b[len(b)-10], b[len(b)-9] = 13, 0x31
	b = b.AppendRouterAlert(1).AppendSecurity(sec).Append(IPv4OptionExtSecurity, []byte{1, 2, 3}).AppendStreamID(7)
	b = must(b.AppendTraceroute(tr)).AppendQuickStart(qs).AppendCIPSO(5, tags)
	b = b.Append(IPv4OptionBroadcast, []byte{192, 0, 2, 7, 192, 0, 2, 6})
	b = b.append16(IPv4OptionMTUProbe, 1500).append16(IPv4OptionMTUReply, 576).Append(IPv4OptionNop, nil).Append(IPv4OptionEnd, []byte("ignored"))
	if !bytes.Equal(b, o) {
		t.Errorf("built\n% x, want\n% x", b, o)
	}

	// The other two forms of timestamps.
	only := must(IPv4Options(nil).AppendTimestamp(IPv4TimestampOnly, IPv4TimestampEntry{Time: 7}, IPv4TimestampEntry{}))
	if ts, _ := only.Timestamp(); ts.Len() != 2 || ts.Done() != 0 || ts.At(0).Time != 7 || ts.At(0).Addr.IsValid() || binary.BigEndian.Uint32(only) != 0x440c0500 {
		t.Errorf("timestamps only: % x, %+v", only, ts)
	}
	pre := must(IPv4Options(nil).AppendTimestamp(IPv4TimestampPrespecify, IPv4TimestampEntry{Addr: coreAddr("192.0.2.3")}))
	if ts, _ := pre.Timestamp(); ts.Len() != 1 || ts.At(0).Addr != coreAddr("192.0.2.3") || binary.BigEndian.Uint32(pre) != 0x440c0503 {
		t.Errorf("prespecified: % x, %+v", pre, ts)
	}

	v6 := coreAddr("::1")
	if _, err := b.AppendRoute(IPv4OptionLooseRoute, v6); !errors.Is(err, ErrMalformed) {
		t.Errorf("AppendRoute of an IPv6 address: %v", err)
	}
	if _, err := b.AppendTimestamp(IPv4TimestampAddrs, IPv4TimestampEntry{Addr: v6}); !errors.Is(err, ErrMalformed) {
		t.Errorf("AppendTimestamp of an IPv6 address: %v", err)
	}
	if _, err := b.AppendTraceroute(IPv4Traceroute{Originator: v6}); !errors.Is(err, ErrMalformed) {
		t.Errorf("AppendTraceroute of an IPv6 address: %v", err)
	}
	for _, test := range []struct {
		t      IPv4OptionType
		copied bool
		class  IPv4OptionClass
		number uint8
	}{
		{IPv4OptionEnd, false, IPv4OptionControl, 0},
		{IPv4OptionRecordRoute, false, IPv4OptionControl, 7},
		{IPv4OptionTimestamp, false, IPv4OptionDebugging, 4},
		{IPv4OptionTraceroute, false, IPv4OptionDebugging, 18},
		{IPv4OptionLooseRoute, true, IPv4OptionControl, 3},
		{IPv4OptionFlow, true, IPv4OptionDebugging, 13},
	} {
		got := fmt.Sprint(test.t.IsCopied(), test.t.Class(), test.t.Number())
		if want := fmt.Sprint(test.copied, test.class, test.number); got != want {
			t.Errorf("%v: %s, want %s", test.t, got, want)
		}
	}
}
