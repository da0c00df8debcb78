package pkts

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

func udpGoldens() []golden {
	return []golden{{
		name:  "DNS query",
		from:  "captures/dns_dnsmasq.pcap: dig asks dnsmasq",
		first: &ethernetProtocol,
		hex: `
			d6 1e d5 b8 ca fd  3a fe 07 46 b7 66  08 00   # to, from, IPv4
			45 00 00 4b  c4 7c 00 00  40 11 a1 89         # 75 bytes, TTL 64, UDP
			0a 4d 00 01  0a 4d 00 02                      # 10.77.0.1 to 10.77.0.2
			ac 89 00 35  00 37 ee f1                      # 44169 to 53, 55 bytes
			f9 2c 01 20 00 01 00 00 00 00 00 01 01 68 04 74 65 73 74 00 00 01
			00 01 00 00 29 04 d0 00 00 00 00 00 0c 00 0a 00
			08 fe 1e 8f 05 18 bd e7 7c`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}, Src: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}},
			&IPv4{ID: 0xc47c, TTL: 64, Src: netip.MustParseAddr("10.77.0.1"), Dst: netip.MustParseAddr("10.77.0.2")},
			&UDP{SrcPort: 44169, DstPort: 53},
			&Raw{Data: []byte("\xf9\x2c\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x01h\x04test\x00\x00\x01" +
				"\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08\xfe\x1e\x8f\x05\x18\xbd\xe7\x7c")},
		},
	}}
}

func TestUDP(t *testing.T) { testGolden(t, udpGoldens()...) }

func FuzzUDP(f *testing.F) { fuzzProtocol(f, &udpProtocol, udpGoldens()...) }

// TestUDPChecksumZero checks that a checksum of 0, which says that there is
// none, stays, and that a sum of 0 is written as 0xffff.
func TestUDPChecksumZero(t *testing.T) {
	b := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2, Checksum: Pin[uint16](0)}, &Raw{Data: []byte("hello")})
	p := coreDecode(t, &ipv4Protocol, b)
	if s := coreChecks(p)["UDP.Checksum"]; s != CheckAbsent {
		t.Errorf("a checksum of 0 is %v, want %v", s, CheckAbsent)
	}
	Must[UDP](p).DstPort = 7
	Must[Raw](p).Data = []byte("hello, world")
	edited, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := View[UDPView](coreDecode(t, &ipv4Protocol, edited))
	if v.Checksum() != 0 || v.Length() != 20 || v.DstPort() != 7 {
		t.Errorf("after an edit: % x", v)
	}
	v.SetSrcPort(9)
	if v.Checksum() != 0 || v.SrcPort() != 9 {
		t.Errorf("after setting a port: % x", v)
	}

	// Data that make the sum 0.
	b = coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: []byte{0, 0}})
	sum := binary.BigEndian.Uint16(b[IPv4MinLen+udpOffChecksum:])
	b = coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2}, &Raw{Data: binary.BigEndian.AppendUint16(nil, sum)})
	if got := binary.BigEndian.Uint16(b[IPv4MinLen+udpOffChecksum:]); got != 0xffff {
		t.Errorf("a sum of 0 is written as %#x, want 0xffff", got)
	}
	coreAllGood(t, &ipv4Protocol, b)
	// The same by a setter: the port takes up the difference.
	b = coreBuild(t, coreV4(nil), &UDP{DstPort: 2}, &Raw{Data: []byte{0, 0}})
	v, _ = View[UDPView](coreDecode(t, &ipv4Protocol, b))
	v.SetSrcPort(v.Checksum())
	if v.Checksum() != 0xffff {
		t.Errorf("a setter writes a sum of 0 as %#x, want 0xffff", v.Checksum())
	}
	coreAllGood(t, &ipv4Protocol, b)
}

func TestUDPLengths(t *testing.T) {
	for _, test := range []struct {
		name              string
		length            uint16
		payload, padding  int
		truncated, isGood bool
	}{
		{"as it is", 13, 5, 0, false, true},
		{"offload", 0, 5, 0, false, false},
		{"longer", 14, 5, 0, true, false},
		{"below the header", 6, 5, 0, true, false},
		{"shorter", 12, 4, 1, false, true},
	} {
		b := coreBuild(t, coreV4(nil), &UDP{SrcPort: 1, DstPort: 2, Length: Pin(test.length)}, &Raw{Data: []byte("hello")})
		p := coreDecode(t, &ipv4Protocol, b)
		n := 0
		if pad, ok := Get[Padding](p); ok {
			n = len(pad.Data)
		}
		good := coreChecks(p)["UDP.Length"] == CheckGood
		if len(Must[Raw](p).Data) != test.payload || n != test.padding || p.Truncated() != test.truncated || good != test.isGood {
			t.Errorf("%s: payload %d, padding %d, truncated %v, good %v", test.name, len(Must[Raw](p).Data), n, p.Truncated(), good)
		}
		roundTrips(t, &ipv4Protocol, b)
	}
	if err := new(Packet).DecodeAs(&udpProtocol, []byte{0, 1, 0, 2, 0, 6}); !errors.Is(err, ErrTruncated) {
		t.Errorf("6 bytes: %v, want %v", err, ErrTruncated)
	}
	_, err := Stack(&IPv4{}, &UDP{}, &Raw{Data: make([]byte, 65528)}).AppendBinary(nil)
	if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Layer != "UDP" || ee.Field != "Length" || !errors.Is(err, ErrTooLong) {
		t.Errorf("65,536 bytes: %v, want %v", err, ErrTooLong)
	}
	if _, err := Stack(&UDP{}).AppendBinary(nil); !errors.Is(err, ErrOrder) {
		t.Errorf("UDP alone: %v, want %v", err, ErrOrder)
	}
}

func TestUDPView(t *testing.T) {
	b := unhex(t, udpGoldens()[0].hex)
	v, _ := View[UDPView](coreDecode(t, &ethernetProtocol, b))
	v.SetSrcPort(0x1234)
	v.SetDstPort(0xfedc)
	if v.SrcPort() != 0x1234 || v.DstPort() != 0xfedc || len(v.Payload()) != 47 {
		t.Errorf("after setting: % x", v)
	}
	coreAllGood(t, &ethernetProtocol, b)
	v.SetChecksum(v.Checksum() ^ 0x100)
	v.SetSrcPort(9)
	if coreChecks(coreDecode(t, &ethernetProtocol, b))["UDP.Checksum"] != CheckBad {
		t.Error("a wrong checksum became right")
	}
	sum := v.Checksum()
	v.SetLength(v.Length() - 1)
	if v.Length() != 54 || v.Checksum() == sum {
		t.Errorf("after setting the length: % x", v[:UDPLen])
	}
}
