package pkts

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

func arpGoldens() []golden {
	return []golden{{
		name:  "request",
		from:  "captures/dns_dnsmasq.pcap: Linux asks for 10.77.0.2",
		first: &ethernetProtocol,
		hex: `
			d6 1e d5 b8 ca fd  3a fe 07 46 b7 66  08 06   # to, from, ARP
			00 01 08 00  06 04 00 01                      # Ethernet, IPv4, 6 and 4 bytes, request
			3a fe 07 46 b7 66  0a 4d 00 01                # from 10.77.0.1
			00 00 00 00 00 00  0a 4d 00 02                # who has 10.77.0.2`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}, Src: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}},
			&ARP{
				Op:        ARPRequest,
				SenderMAC: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66},
				SenderIP:  netip.MustParseAddr("10.77.0.1"),
				TargetIP:  netip.MustParseAddr("10.77.0.2"),
			},
		},
	}, {
		name:  "reverse request",
		from:  "scapy 2.5.0: Ether(type=0x8035,…)/ARP(op=3,hwsrc='02:00:00:00:00:01',hwdst='02:00:00:00:00:01',psrc='0.0.0.0',pdst='0.0.0.0')",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  80 35   # RARP
			00 01 08 00  06 04 00 03                      # reverse request
			02 00 00 00 00 01  00 00 00 00
			02 00 00 00 00 01  00 00 00 00`,
		layers: []Layer{
			&Ethernet{Dst: macB, Src: macA},
			&ARP{Op: ARPReverseRequest, SenderMAC: macA, TargetMAC: macA},
		},
	}, {
		name:  "InfiniBand",
		from:  "scapy 2.5.0: ARP(hwtype=32,hwlen=20,plen=4,op=1,hwsrc=…,psrc='10.0.0.1',hwdst=b'\\0'*20,pdst='10.0.0.2')",
		first: &arpProtocol,
		hex: `
			00 20 08 00  14 04 00 01                      # InfiniBand, IPv4, 20 and 4 bytes, request
			80 00 00 48 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  0a 00 00 01
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  0a 00 00 02`,
		layers: []Layer{&ARP{
			HardwareType:   Pin(ARPInfiniBand),
			Op:             ARPRequest,
			SenderHardware: []byte("\x80\x00\x00\x48\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"),
			SenderIP:       ip4A,
			TargetHardware: make([]byte, 20),
			TargetIP:       ip4B,
		}},
	}, {
		name:  "ARCNET",
		from:  "scapy 2.5.0: ARP(hwtype=7,hwlen=1,plen=4,op=2,hwsrc=b'\\x17',psrc='10.0.0.1',hwdst=b'\\x2a',pdst='10.0.0.2')",
		first: &arpProtocol,
		hex:   "00 07 08 00  01 04 00 02  17 0a 00 00 01  2a 0a 00 00 02",
		layers: []Layer{&ARP{
			HardwareType:   Pin(ARPARCNET),
			Op:             ARPReply,
			SenderHardware: []byte{0x17},
			SenderIP:       ip4A,
			TargetHardware: []byte{0x2a},
			TargetIP:       ip4B,
		}},
	}, {
		name:  "UNARP",
		from:  "RFC 1868, section 2, by hand: no hardware addresses at all, which says that 10.0.0.1 leaves",
		first: &arpProtocol,
		hex:   "00 01 08 00  00 04 00 02  0a 00 00 01  ff ff ff ff",
		layers: []Layer{&ARP{
			Op:             ARPReply,
			SenderHardware: []byte{},
			SenderIP:       ip4A,
			TargetHardware: []byte{},
			TargetIP:       netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		}},
	}, {
		name:  "CHAOS",
		from:  "RFC 826, by hand: its example of a protocol with addresses of 2 bytes",
		first: &arpProtocol,
		hex: `
			00 01 08 04  06 02 00 01
			02 00 00 00 00 01  01 02
			02 00 00 00 00 02  03 04`,
		layers: []Layer{&ARP{
			ProtocolType:   Pin[EtherType](0x0804),
			Op:             ARPRequest,
			SenderMAC:      macA,
			SenderProtocol: []byte{1, 2},
			TargetMAC:      macB,
			TargetProtocol: []byte{3, 4},
		}},
	}}
}

func TestARP(t *testing.T) { testGolden(t, arpGoldens()...) }

func FuzzARP(f *testing.F) { fuzzProtocol(f, &arpProtocol, arpGoldens()...) }

// TestARPParent says which number a built packet gets from each kind of layer
// below.
func TestARPParent(t *testing.T) {
	for _, c := range []struct {
		op   ARPOp
		want EtherType
	}{
		{ARPRequest, EtherTypeARP},
		{ARPReply, EtherTypeARP},
		{ARPReverseRequest, EtherTypeRARP},
		{ARPReverseReply, EtherTypeRARP},
		{ARPDynamicError, EtherTypeRARP},
		{ARPInverseRequest, EtherTypeARP},
	} {
		for _, below := range [][]Layer{
			{&Ethernet{}},
			{&Ethernet{}, &VLAN{}},
			{&LLC{}, &SNAP{}},
			{&SLL{}},
		} {
			b, err := Stack(append(below, &ARP{Op: c.op})...).AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			got := EtherType(b[len(b)-ARPLen-2])<<8 | EtherType(b[len(b)-ARPLen-1])
			if got != c.want {
				t.Errorf("%v in %v: %v, want %v", c.op, below[len(below)-1].Proto(), got, c.want)
			}
		}
	}
	// A number that was received stays.
	var p Packet
	if err := p.Decode(link.TypeEthernet, unhex(t, arpGoldens()[0].hex)); err != nil {
		t.Fatal(err)
	}
	Must[ARP](&p).Op = ARPReverseRequest
	if b, err := p.AppendBinary(nil); err != nil || b[12] != 0x08 || b[13] != 0x06 {
		t.Errorf("an edited operation: % x, %v", b[12:14], err)
	}
}

func TestARPErrors(t *testing.T) {
	long := make([]byte, 256)
	for _, c := range []struct {
		l    *ARP
		want error
	}{
		{&ARP{SenderIP: netip.IPv6Loopback()}, ErrMalformed},
		{&ARP{TargetIP: netip.IPv6Loopback()}, ErrMalformed},
		{&ARP{SenderHardware: []byte{1}}, ErrMalformed},
		{&ARP{TargetProtocol: []byte{1}}, ErrMalformed},
		{&ARP{SenderHardware: long, TargetHardware: long}, ErrTooLong},
		{&ARP{SenderProtocol: long, TargetProtocol: long}, ErrTooLong},
	} {
		if b, err := c.l.AppendBinary([]byte("x")); !errors.Is(err, c.want) || string(b) != "x" {
			t.Errorf("%+v: %q, %v; want %v", c.l, b, err, c.want)
		}
	}
	for _, hw := range []byte{19, 24} {
		b := unhex(t, arpGoldens()[0].hex)[EthernetLen:]
		b[1] = hw
		var p Packet
		if err := p.DecodeAs(&arpProtocol, b); !errors.Is(err, errors.ErrUnsupported) || !Has[Raw](&p) {
			t.Errorf("hardware type %d: %v, want ErrUnsupported and Raw", hw, err)
		}
		roundTrips(t, &arpProtocol, b)
	}
	// Wrong on purpose.
	b, err := Stack(&ARP{HardwareLen: Pin[uint8](7), ProtocolLen: Pin[uint8](0)}).AppendBinary(nil)
	if err != nil || len(b) != ARPLen || b[4] != 7 || b[5] != 0 {
		t.Errorf("pinned lengths: % x, %v", b, err)
	}
}

func TestARPView(t *testing.T) {
	b := unhex(t, arpGoldens()[0].hex)
	v := ARPView(b[EthernetLen:])
	if mac, ok := v.SenderMAC(); !ok || mac != (link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}) {
		t.Errorf("SenderMAC = %v, %v", mac, ok)
	}
	if ip, ok := v.TargetIP(); !ok || ip != netip.MustParseAddr("10.77.0.2") {
		t.Errorf("TargetIP = %v, %v", ip, ok)
	}
	v.SetHardwareType(ARPIEEE802)
	v.SetProtocolType(EtherTypeIPv6)
	v.SetOp(ARPReply)
	if !v.SetSenderMAC(macA) || !v.SetSenderIP(ip4A) || !v.SetTargetMAC(macB) || !v.SetTargetIP(ip4B) {
		t.Error("a setter refuses an address of the right length")
	}
	want := unhex(t, "00 06 86 dd 06 04 00 02  02 00 00 00 00 01 0a 00 00 01  02 00 00 00 00 02 0a 00 00 02")
	if !bytes.Equal(v, want) {
		t.Errorf("got  % x\nwant % x", []byte(v), want)
	}

	v = unhex(t, arpGoldens()[5].hex) // protocol addresses of 2 bytes
	if _, ok := v.SenderIP(); ok || v.SetSenderIP(ip4A) || v.SetTargetIP(ip4A) {
		t.Error("an address of 2 bytes passes for IPv4")
	}
	if !bytes.Equal(v.TargetProtocol(), []byte{3, 4}) {
		t.Errorf("TargetProtocol = % x", v.TargetProtocol())
	}
	v = unhex(t, arpGoldens()[3].hex) // hardware addresses of 1 byte
	if _, ok := v.TargetMAC(); ok || v.SetTargetMAC(macA) || v.SetSenderMAC(macA) {
		t.Error("an address of 1 byte passes for a MAC address")
	}
}

// TestARPRapid builds packets with addresses of any length, decodes them, and
// changes the lengths.
func TestARPRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &ARP{
			HardwareType: Pin(rapid.Custom(func(t *rapid.T) ARPHardware {
				h := ARPHardware(rapid.Uint16().Draw(t, "hardware"))
				if h == ARPATM2225 || h == ARPIEEE1394 {
					h++
				}
				return h
			}).Draw(t, "HardwareType")),
			ProtocolType: Pin(EtherType(rapid.Uint16().Draw(t, "ProtocolType"))),
			Op:           ARPOp(rapid.Uint16().Draw(t, "Op")),
		}
		draw := func(n int, name string) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name) }
		set := func() {
			hw, proto := rapid.IntRange(0, 255).Draw(t, "hw"), rapid.IntRange(0, 255).Draw(t, "proto")
			l.SenderHardware, l.TargetHardware = draw(hw, "sender hw"), draw(hw, "target hw")
			l.SenderProtocol, l.TargetProtocol = draw(proto, "sender proto"), draw(proto, "target proto")
			l.SenderMAC, l.TargetMAC, l.SenderIP, l.TargetIP = link.MacAddr{}, link.MacAddr{}, netip.Addr{}, netip.Addr{}
			if hw == arpMACLen {
				l.SenderMAC, l.TargetMAC = link.MacAddr(l.SenderHardware), link.MacAddr(l.TargetHardware)
				l.SenderHardware, l.TargetHardware = nil, nil
			}
			if proto == arpIPLen {
				l.SenderIP, l.TargetIP = netip.AddrFrom4([4]byte(l.SenderProtocol)), netip.AddrFrom4([4]byte(l.TargetProtocol))
				l.SenderProtocol, l.TargetProtocol = nil, nil
			}
		}
		set()
		b, err := l.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got ARP
		if n, err := got.Decode(slices.Concat(b, []byte("more"))); err != nil || n != len(b) {
			t.Fatalf("Decode = %d, %v; want %d", n, err, len(b))
		}
		if diff := cmp.Diff(l, &got, layerOptions()...); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		// The lengths follow the addresses of a decoded packet.
		l = &got
		set()
		if b, err = l.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		var again ARP
		if n, err := again.Decode(b); err != nil || n != len(b) {
			t.Fatalf("after the edit, Decode = %d, %v; want %d", n, err, len(b))
		}
		if !bytes.Equal(again.SenderHardware, l.SenderHardware) || again.SenderMAC != l.SenderMAC || again.TargetIP != l.TargetIP || !bytes.Equal(again.TargetProtocol, l.TargetProtocol) {
			t.Fatalf("after the edit, got %+v, want %+v", again, l)
		}
	})
}

func TestARPStrings(t *testing.T) {
	seen := map[string]ARPOp{}
	for op := ARPRequest; op <= ARPExperiment2; op++ {
		s := op.String()
		if other, ok := seen[s]; ok || s == "" || s[0] >= '0' && s[0] <= '9' {
			t.Errorf("ARPOp(%d) = %q, like %d", op, s, other)
		}
		seen[s] = op
	}
	if got := ARPOp(26).String(); got != "26" {
		t.Errorf("ARPOp(26) = %q", got)
	}
	for h, want := range map[ARPHardware]string{0: "0", ARPEthernet: "Ethernet", ARPInfiniBand: "InfiniBand", 38: "unified bus", 39: "39", ARPHardwareExperiment2: "experimental 2", 257: "AEthernet"} {
		if got := h.String(); got != want {
			t.Errorf("ARPHardware(%d) = %q, want %q", uint16(h), got, want)
		}
	}
}
