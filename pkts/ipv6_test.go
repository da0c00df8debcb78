package pkts

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ipv6Goldens() []golden {
	return []golden{{
		name:  "UDP without data",
		from:  "scapy 2.5.0: IPv6/UDP",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 08 11 40 # 8 bytes, UDP, 64 hops
			` + coreSrc6 + coreDst6 + `
			00 00 00 00 00 08 a4 69 # 8 bytes`,
		layers: []Layer{coreV6(64), &UDP{}},
	}, {
		name:  "every bit of the first line",
		from:  "typed by hand from RFC 8200, section 3",
		first: &ipv6Protocol,
		hex: `6b ba bc de 00 02 3b ff # DSCP 46, ECN 3, flow label, 2 bytes, none follows
			` + coreSrc6 + coreDst6 + `
			be ef`,
		layers: []Layer{
			&IPv6{DSCP: 46, ECN: CE, FlowLabel: 0xabcde, NextHeader: Pin(IPProtoNoNext), HopLimit: 255, Src: coreAddr("2001:db8::1"), Dst: coreAddr("2001:db8::2")},
			&Raw{Data: []byte{0xbe, 0xef}},
		},
	}}
}

func TestIPv6(t *testing.T) { testGolden(t, ipv6Goldens()...) }

func FuzzIPv6(f *testing.F) { fuzzProtocol(f, &ipv6Protocol, ipv6Goldens()...) }

func TestIPv6EncodeErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		l    IPv6
		err  error
	}{
		{"DSCP", IPv6{DSCP: 64}, ErrTooLong},
		{"ECN", IPv6{ECN: 4}, ErrTooLong},
		{"flow label", IPv6{FlowLabel: 1 << 20}, ErrTooLong},
		{"source", IPv6{Src: coreAddr("192.0.2.1")}, ErrMalformed},
		{"destination", IPv6{Dst: coreAddr("192.0.2.1")}, ErrMalformed},
	} {
		b, err := Stack(&test.l).AppendBinary([]byte("kept"))
		if !errors.Is(err, test.err) || string(b) != "kept" {
			t.Errorf("%s: %q, %v, want %v", test.name, b, err, test.err)
		}
	}
	b := coreBuild(t, &IPv6{PayloadLength: Pin[uint16](9), NextHeader: Pin(IPProtoGRE)}, &UDP{})
	if v := IPv6View(b); v.PayloadLength() != 9 || v.NextHeader() != IPProtoGRE {
		t.Errorf("pinned: % x", b)
	}
	if v := IPv6View(coreBuild(t, &IPv6{})); v.NextHeader() != IPProtoNoNext || !v.Src().IsUnspecified() {
		t.Errorf("the zero value: % x", v)
	}
	b[0] = 0x45
	if err := new(Packet).DecodeAs(&ipv6Protocol, b); !errors.Is(err, ErrMalformed) {
		t.Errorf("version 4: %v, want %v", err, ErrMalformed)
	}
}

func TestIPv6Lengths(t *testing.T) {
	whole := coreBuild(t, coreV6(64), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte("0123456789")})
	for _, test := range []struct {
		name                     string
		length, payload, padding int
		truncated                bool
	}{
		{"as it is", 18, 18, 0, false},
		{"segmentation offload", 0, 18, 0, false},
		{"longer", 19, 18, 0, true},
		{"shorter", 17, 17, 1, true}, // for UDP
	} {
		b := slices.Clone(whole)
		IPv6View(b).SetPayloadLength(uint16(test.length))
		p := coreDecode(t, &ipv6Protocol, b)
		n := 0
		if pad, ok := Get[Padding](p); ok {
			n = len(pad.Data)
		}
		view, _ := View[IPv6View](p)
		if len(view.Payload()) != test.payload || n != test.padding || p.Truncated() != test.truncated {
			t.Errorf("%s: payload %d, padding %d, truncated %v", test.name, len(view.Payload()), n, p.Truncated())
		}
		roundTrips(t, &ipv6Protocol, b)
		Must[Raw](p).Data = []byte("more than there was before")
		edited, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := test.length
		if want == 18 || want == 17 {
			want = len(edited) - IPv6Len - test.padding
		}
		if got := int(IPv6View(edited).PayloadLength()); got != want {
			t.Errorf("%s: length %d after an edit, want %d", test.name, got, want)
		}
	}
}

func TestIPv6View(t *testing.T) {
	b := unhex(t, ipv6Goldens()[0].hex)
	v, _ := View[IPv6View](coreDecode(t, &ipv6Protocol, b))
	old := slices.Clone(b[ipv6OffSrc:IPv6Len])
	v.SetDSCP(0x2a | 0xc0)
	v.SetECN(ECT1 | 0xf0)
	v.SetFlowLabel(0xfff12345)
	v.SetHopLimit(3)
	v.SetSrc(coreAddr("fe80::1"))
	v.SetDst(coreAddr("ff02::1"))
	AdjustChecksum(b[IPv6Len+udpOffChecksum:IPv6Len+udpOffChecksum+2], old, b[ipv6OffSrc:IPv6Len])
	coreAllGood(t, &ipv6Protocol, b)
	want := IPv6{DSCP: 0x2a, ECN: ECT1, FlowLabel: 0x12345, HopLimit: 3, Src: coreAddr("fe80::1"), Dst: coreAddr("ff02::1")}
	if diff := cmp.Diff(&want, Must[IPv6](coreDecode(t, &ipv6Protocol, b)), layerOptions()...); diff != "" {
		t.Errorf("after setting (-want +got):\n%s", diff)
	}
	v.SetNextHeader(IPProtoNoNext)
	v.SetPayloadLength(5)
	if v.NextHeader() != IPProtoNoNext || v.PayloadLength() != 5 || len(v.Payload()) != 8 || v[0]>>4 != 6 {
		t.Errorf("after setting: % x", v)
	}
}
