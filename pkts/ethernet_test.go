package pkts

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

var (
	coreMACDst = link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}
	coreMACSrc = link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}
)

func ethernetGoldens() []golden {
	return []golden{{
		name:  "padded to 60 bytes",
		from:  "scapy 2.5.0: Ether/IP/UDP/Padding, as network cards pad",
		first: &ethernetProtocol,
		hex: `
			d6 1e d5 b8 ca fd 3a fe 07 46 b7 66 08 00 # to, from, IPv4
			45 00 00 1e 00 01 00 00 40 11 f6 ca # 30 bytes, UDP
			` + coreAddrs4 + `
			00 01 00 02 00 0a 13 6a 68 69 # 1 to 2
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 # padding`,
		layers: []Layer{
			&Ethernet{Dst: coreMACDst, Src: coreMACSrc},
			coreV4(nil),
			&UDP{SrcPort: 1, DstPort: 2},
			&Raw{Data: []byte("hi")},
			&Padding{Data: make([]byte, 16)},
		},
	}, {
		name:  "experimental type",
		from:  "typed by hand from IEEE 802, local experimental EtherType 1",
		first: &ethernetProtocol,
		hex: `
			ff ff ff ff ff ff 3a fe 07 46 b7 66 88 b5 # to all, from, experimental
			01 02 03`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Src: coreMACSrc},
			&Raw{Data: []byte{1, 2, 3}},
		},
	}}
}

func TestEthernet(t *testing.T) { testGolden(t, ethernetGoldens()...) }

func FuzzEthernet(f *testing.F) {
	fuzzProtocol(f, &ethernetProtocol, slices.Concat(ethernetGoldens(), llcGoldens(), tcpGoldens(), udpGoldens())...)
}

// TestEthernetPadding edits a padded frame: the padding stays behind
// everything, and no length counts it.
func TestEthernetPadding(t *testing.T) {
	b := unhex(t, ethernetGoldens()[0].hex)
	p := coreDecode(t, &ethernetProtocol, b)
	Must[Raw](p).Data = []byte("longer than before")
	edited, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &ethernetProtocol, edited)
	q := coreDecode(t, &ethernetProtocol, edited)
	if string(Must[Raw](q).Data) != "longer than before" || len(Must[Padding](q).Data) != 16 || Must[IPv4](q).Length.Value() != 46 {
		t.Errorf("after an edit: % x", edited)
	}
	Must[Padding](q).Data = nil
	if edited, err = q.AppendBinary(nil); err != nil || len(edited) != EthernetLen+46 {
		t.Errorf("without the padding: %d bytes, %v", len(edited), err)
	}
	coreAllGood(t, &ethernetProtocol, edited)
	if err := q.Remove(Must[Padding](q)); err != nil {
		t.Fatal(err)
	}
	if again, err := q.AppendBinary(nil); err != nil || !bytes.Equal(again, edited) {
		t.Errorf("with the padding removed: % x, %v", again, err)
	}
}

func TestEthernetType(t *testing.T) {
	for _, test := range []struct {
		payload Layer
		want    EtherType
	}{
		{&IPv4{}, EtherTypeIPv4},
		{&IPv6{}, EtherTypeIPv6},
		{&Raw{Data: []byte("x")}, EtherTypeExperiment},
	} {
		if got := EthernetView(coreBuild(t, &Ethernet{}, test.payload)).Type(); got != test.want {
			t.Errorf("with %v: %v, want %v", test.payload.Proto(), got, test.want)
		}
	}
	if b := coreBuild(t, &Ethernet{Type: Pin(EtherTypeMPLS)}, &IPv4{}); EthernetView(b).Type() != EtherTypeMPLS {
		t.Errorf("pinned: % x", b)
	}
	// A decoded type stays with a payload that is not known, and follows one
	// that is.
	p := coreDecode(t, &ethernetProtocol, append(make([]byte, 12), 0x12, 0x34, 1, 2, 3))
	Must[Raw](p).Data = []byte{9}
	if b, err := p.AppendBinary(nil); err != nil || EthernetView(b).Type() != 0x1234 {
		t.Errorf("an unknown type after an edit: % x, %v", b, err)
	}
	if err := p.Replace(Must[Raw](p), &IPv6{}); err != nil {
		t.Fatal(err)
	}
	if b, err := p.AppendBinary(nil); err != nil || EthernetView(b).Type() != EtherTypeIPv6 {
		t.Errorf("with another payload: % x, %v", b, err)
	}
}

func TestEthernetView(t *testing.T) {
	b := unhex(t, ethernetGoldens()[0].hex)
	v, _ := View[EthernetView](coreDecode(t, &ethernetProtocol, b))
	v.SetDst(coreMACSrc)
	v.SetSrc(coreMACDst)
	v.SetType(EtherTypeIPv6)
	if v.Dst() != coreMACSrc || v.Src() != coreMACDst || v.Type() != EtherTypeIPv6 || len(v.Payload()) != 46 {
		t.Errorf("after setting: % x", v)
	}
}

func TestEnumNames(t *testing.T) {
	for n, want := range map[EtherType]string{EtherTypeIPv4: "IPv4", EtherTypeLLDP: "LLDP", 0x1234: "0x1234"} {
		if n.String() != want {
			t.Errorf("EtherType %#x: %q, want %q", uint16(n), n, want)
		}
	}
	for n, want := range map[IPProto]string{IPProtoTCP: "TCP", IPProtoHopByHop: "HopByHop", IPProtoShim6: "Shim6", 200: "200"} {
		if n.String() != want {
			t.Errorf("IPProto %d: %q, want %q", uint8(n), n, want)
		}
	}
}

// TestHeaderAlone decodes frames that end behind the Ethernet header: whatever
// it announces, nothing is missing that it promised.
func TestHeaderAlone(t *testing.T) {
	var p Packet
	for _, et := range []EtherType{EtherTypeIPv4, EtherTypeIPv6, EtherTypeVLAN, EtherTypeARP, 0, 0x600} {
		b := make([]byte, EthernetLen)
		EthernetView(b).SetType(et)
		for range 2 {
			if err := p.Decode(link.TypeEthernet, b); err != nil || p.Len() != 1 {
				t.Errorf("%v: %d layers, %v", et, p.Len(), err)
			}
		}
	}
}
