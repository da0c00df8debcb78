package pkts

import (
	"errors"
	"testing"
)

func vxlanGoldens() []golden {
	return []golden{{
		name:  "VXLAN",
		from:  "scapy 2.5.0: VXLAN(vni=100, flags=8)",
		first: &vxlanProtocol,
		hex: `
			08 00 00 00  00 00 64 00                      # I, VNI 100
			02 00 00 00 00 04  02 00 00 00 00 03  08 00   # to, from, IPv4` + tunnelInnerHex,
		layers: tunnelInner(&VXLAN{VNI: 100}, tunnelEthernet(3, 4)),
	}, {
		name:  "VXLAN group policy",
		from:  `scapy 2.5.0: VXLAN(flags="Instance+G", gpid=0x1234, gpflags=0x40, vni=0xabcdef, reserved2=5)`,
		first: &vxlanProtocol,
		hex: `
			88 40 12 34  ab cd ef 05                      # G and I, policy 0x1234, VNI 0xabcdef, 5
			02 00 00 00 00 04  02 00 00 00 00 03  88 b5   # to, from, experimental
			64 61 74 61                                   # data`,
		layers: []Layer{
			&VXLAN{Flags: Pin(VXLANGroupPolicy | VXLANValidVNI), Reserved: 0x401234, VNI: 0xabcdef, Reserved2: 5},
			tunnelEthernet(3, 4),
			&Raw{Data: []byte("data")},
		},
	}}
}

func TestVXLAN(t *testing.T) { testGolden(t, vxlanGoldens()...) }

func FuzzVXLAN(f *testing.F) { fuzzProtocol(f, &vxlanProtocol, vxlanGoldens()...) }

func TestVXLANEncode(t *testing.T) {
	for field, l := range map[string]*VXLAN{"VNI": {VNI: 1 << 24}, "Reserved": {Reserved: 1 << 24}} {
		_, err := l.AppendBinary(nil)
		if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Field != field || !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: %v, want %v", field, err, ErrTooLong)
		}
	}
	if b := coreBuild(t, &VXLAN{Flags: Pin(VXLANFlags(0))}); b[0] != 0 {
		t.Errorf("flags pinned to 0: % x", b)
	}
}

func TestVXLANView(t *testing.T) {
	b := unhex(t, vxlanGoldens()[0].hex)
	v, _ := View[VXLANView](coreDecode(t, &vxlanProtocol, b))
	v.SetFlags(0xf1)
	v.SetReserved(0xff123456)
	v.SetVNI(0xff789abc)
	v.SetReserved2(0xde)
	if v.Flags() != 0xf1 || v.Reserved() != 0x123456 || v.VNI() != 0x789abc || v.Reserved2() != 0xde || len(v.Payload()) != len(b)-8 {
		t.Errorf("after setting: % x", v)
	}
	for f, want := range map[VXLANFlags]string{0: "none", 8: "I", 0x88: "G+I", 0x0c: "I+0x04"} {
		if f.String() != want {
			t.Errorf("%#x is %q, want %q", uint8(f), f, want)
		}
	}
}
