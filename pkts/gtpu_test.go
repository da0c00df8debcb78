package pkts

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

func gtpuGoldens() []golden {
	return []golden{{
		name:  "GTP-U",
		from:  "scapy 2.5.0: GTP_U_Header(teid=0x01020304)",
		first: &gtpuProtocol,
		hex: `
			30 ff 00 21  01 02 03 04                      # version 1, G-PDU, 33 bytes, TEID` + tunnelInnerHex,
		layers: tunnelInner(&GTPU{TEID: 0x01020304}),
	}, {
		name:  "GTP-U with an extension header",
		from:  "scapy 2.5.0: GTP_U_Header(S=1, seq=77, PN=1, npdu=3, E=1)/GTPPDUSessionContainer(type=1, QFI=5)/IPv6",
		first: &gtpuProtocol,
		hex: `
			37 ff 00 3d  01 02 03 04                      # E, S and PN, G-PDU, 61 bytes, TEID
			00 4d 03 85                                   # sequence number 77, N-PDU 3, PDU session container
			01 10 05 00                                   # 4 bytes: PDU type 1, QFI 5; no more
			60 00 00 00  00 0d 11 03                      # 13 bytes, UDP, hop limit 3
			` + tunnelOuter6Hex + `
			13 88 13 89  00 0d 39 7c  68 65 6c 6c 6f      # 5000 to 5001, 13 bytes, hello`,
		layers: []Layer{
			&GTPU{Flags: GTPUExtension | GTPUSeq | GTPUNPDU, TEID: 0x01020304, Seq: 77, NPDU: 3, Extensions: GTPUExtensions{0x85, 1, 0x10, 5}},
			&IPv6{HopLimit: 3, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2")},
			&UDP{SrcPort: 5000, DstPort: 5001},
			&Raw{Data: []byte("hello")},
		},
	}, {
		name:  "GTP-U echo",
		from:  "scapy 2.5.0: GTP_U_Header(S=1, seq=1)/GTPEchoRequest()",
		first: &gtpuProtocol,
		hex: `
			32 01 00 04  00 00 00 00                      # S, echo request, 4 bytes
			00 01 00 00                                   # sequence number 1`,
		layers: []Layer{&GTPU{Flags: GTPUSeq, Type: Pin(GTPUEchoRequest), Seq: 1}},
	}}
}

func TestGTPU(t *testing.T) { testGolden(t, gtpuGoldens()...) }

func FuzzGTPU(f *testing.F) { fuzzProtocol(f, &gtpuProtocol, gtpuGoldens()...) }

func TestGTPUDecode(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		header    int
		shape     string // "" for an error
		truncated bool
		err       error
	}{
		{"nothing behind", "30ff0000 00000001", 8, "GTP-U", false, nil},
		{"reserved bit", "38ff0000 00000001", 8, "GTP-U", false, nil},
		{"neither IPv4 nor IPv6", "30ff0002 00000001 0141", 8, "GTP-U .Raw", false, nil},
		{"another message", "30010002 00000001 4500", 8, "GTP-U .Raw", false, nil},
		{"longer than there is", "30ff0003 00000001 0141", 8, "GTP-U .Raw", true, nil},
		{"shorter", "30ff0001 00000001 0141", 8, "GTP-U .Raw Padding", false, nil},
		{"shorter than the header", "32ff0001 00000001 00010000 01", 12, "GTP-U .Raw", true, nil},
		{"a next type without E", "32ff0004 00000001 00010085", 12, "GTP-U", false, nil},
		{"E without a next type", "34ff0004 00000001 00010000", 12, "GTP-U", false, nil},
		{"two extension headers", "34ff0010 00000001 00000085 01100585 02000000000000 00", 24, "GTP-U", false, nil},
		{"an extension header of length 0", "34ff0008 00000001 00000085 00000000", 0, "", false, ErrMalformed},
		{"an extension header that breaks off", "34ff0008 00000001 00000085 02000000", 0, "", false, ErrTruncated},
		{"no room for another", "34ff0008 00000001 00000085 01000085 00", 0, "", false, ErrTruncated},
		{"GTP'", "20ff0000 00000001", 0, "", false, ErrMalformed},
		{"version 0", "10ff0000 00000001", 0, "", false, ErrMalformed},
		{"version 2", "48010004 00000000", 0, "", false, ErrMalformed},
	} {
		b := unhex(t, test.hex)
		var l GTPU
		n, err := l.Decode(b)
		if n != test.header || !errors.Is(err, test.err) {
			t.Errorf("%s: Decode = %d, %v, want %d, %v", test.name, n, err, test.header, test.err)
		}
		var p Packet
		perr := p.DecodeAs(&gtpuProtocol, b)
		if test.shape != "" && (perr != nil || coreShape(&p) != test.shape || p.Truncated() != test.truncated) {
			t.Errorf("%s: %q, truncated %v, %v, want %q, %v", test.name, coreShape(&p), p.Truncated(), perr, test.shape, test.truncated)
		}
		roundTrips(t, &gtpuProtocol, b)
	}
	long := append([]byte{0x34, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat(append([]byte{0x85, 255}, make([]byte, 1018)...), 80)...)
	if _, err := new(GTPU).Decode(long); !errors.Is(err, ErrMalformed) {
		t.Errorf("extension headers of %d bytes: %v, want %v", len(long), err, ErrMalformed)
	}
	roundTrips(t, &gtpuProtocol, long)
}

func TestGTPUEncode(t *testing.T) {
	for _, test := range []struct {
		field string
		l     *GTPU
		err   error
	}{
		{"Flags", &GTPU{Flags: 0x10}, ErrTooLong},
		{"Seq", &GTPU{Seq: 1}, ErrMalformed},
		{"NPDU", &GTPU{NPDU: 1}, ErrMalformed},
		{"NextType", &GTPU{NextType: 1}, ErrMalformed},
		{"NextType", &GTPU{Flags: GTPUExtension, NextType: 1}, ErrMalformed},
		{"Extensions", &GTPU{Flags: GTPUSeq, Extensions: GTPUExtensions{0x85, 1, 0, 0}}, ErrMalformed},
		{"Extensions", &GTPU{Flags: GTPUExtension, Extensions: GTPUExtensions{0x85, 2, 0, 0}}, ErrMalformed},
		{"Extensions", &GTPU{Flags: GTPUExtension, Extensions: GTPUExtensions{0, 1, 0, 0}}, ErrMalformed},
		{"Length", &GTPU{}, ErrTooLong}, // with the payload below
	} {
		_, err := Stack(test.l, &Raw{Data: make([]byte, 1<<16)}).AppendBinary(nil)
		if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Field != test.field || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.field, err, test.err)
		}
	}
	// A length that was right follows an edit of what is inside.
	p := coreDecode(t, &gtpuProtocol, unhex(t, gtpuGoldens()[1].hex))
	Must[Raw](p).Data = []byte("hello, tunnel")
	g := Must[GTPU](p)
	g.Extensions, _ = g.Extensions.Append(GTPUExtensionHeader{GTPUExtPDCP, []byte{1, 2}})
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &gtpuProtocol, b)
	if q := Must[GTPU](coreDecode(t, &gtpuProtocol, b)); int(q.Length.Value()) != len(b)-8 || len(q.Extensions) != 8 {
		t.Errorf("%+v of %d bytes", q, len(b))
	}
}

func TestGTPUExtensions(t *testing.T) {
	var o GTPUExtensions
	for _, e := range []GTPUExtensionHeader{
		{GTPUExtPDUSession, []byte{0x10, 5}},
		{GTPUExtUDPPort, []byte{8, 0x68}},
		{0x42, make([]byte, 1018)},
	} {
		var err error
		if o, err = o.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, e := range o.All() {
		n++
		if got, ok := o.Get(e.Type); !ok || !bytes.Equal(got.Data, e.Data) {
			t.Errorf("Get(%v) = %v, %v", e.Type, got, ok)
		}
	}
	if _, ok := o.Get(GTPUExtRAN); ok || n != 3 || len(o) != 8+1020 {
		t.Errorf("%d extension headers in %d bytes", n, len(o))
	}
	for n := range len(o) {
		end := 0
		for i, e := range o[:n].All() {
			end = i + 2 + len(e.Data)
		}
		checkEnd(t, o[:n].Err(), end, n)
	}
	if err := (GTPUExtensions{0x85, 0, 0, 0}).Err(); !errors.Is(err, ErrMalformed) {
		t.Errorf("a length of 0: %v", err)
	}
	for _, e := range []GTPUExtensionHeader{{0, []byte{1, 2}}, {1, nil}, {1, []byte{1, 2, 3}}, {1, make([]byte, 1022)}} {
		if got, err := o.Append(e); err == nil || !bytes.Equal(got, o) {
			t.Errorf("%v, %d bytes: %v", e.Type, len(e.Data), err)
		}
	}
	for v, want := range map[interface{ String() string }]string{
		GTPUExtPDUSession: "PDU session container", GTPUExtensionType(3): "0x03", GTPUGPDU: "G-PDU", GTPUType(3): "3",
		GTPUFlags(0): "none", GTPUFlags(0xf): "R+E+S+PN",
	} {
		if v.String() != want {
			t.Errorf("%q, want %q", v, want)
		}
	}
}

func TestGTPUView(t *testing.T) {
	b := unhex(t, gtpuGoldens()[1].hex)
	v, _ := View[GTPUView](coreDecode(t, &gtpuProtocol, b))
	v.SetTEID(0xcafebabe)
	v.SetType(GTPUEndMarker)
	v.SetLength(5)
	v.SetFlags(0xff)
	if !v.SetSeq(9) || !v.SetNPDU(8) {
		t.Error("no optional fields")
	}
	seq, _ := v.Seq()
	npdu, _ := v.NPDU()
	if v.TEID() != 0xcafebabe || v.Type() != GTPUEndMarker || v.Length() != 5 || v.Flags() != 0xf || seq != 9 || npdu != 8 || v[0] != 0x3f {
		t.Errorf("after setting: % x", v)
	}
	if v.HeaderLen() != 16 || len(v.Extensions()) != 4 || len(v.Payload()) != len(b)-16 {
		t.Errorf("header %d, extensions % x", v.HeaderLen(), v.Extensions())
	}
	v, _ = View[GTPUView](coreDecode(t, &gtpuProtocol, unhex(t, gtpuGoldens()[0].hex)))
	_, seqThere := v.Seq()
	_, npduThere := v.NPDU()
	if v.SetSeq(1) || v.SetNPDU(1) || seqThere || npduThere || v.Extensions() != nil {
		t.Error("optional fields where there are none")
	}
}
