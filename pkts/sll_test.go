package pkts

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

func sllGoldens() []golden {
	return []golden{{
		name:  "outgoing",
		from:  "scapy 2.5.0: CookedLinux(pkttype=4,lladdrtype=1,lladdrlen=6,src=…,proto=0x800)/IP(…)/UDP(…)/b'hi'",
		first: &sllProtocol,
		hex: `
			00 04 00 01 00 06                        # outgoing, Ethernet, 6 bytes
			02 00 00 00 00 01 00 00  08 00           # address, IPv4` + hexUDP4,
		layers: append([]Layer{
			&SLL{PacketType: SLLOutgoing, HardwareType: ARPHRDEthernet, AddrLen: 6, Addr: [8]byte{2, 0, 0, 0, 0, 1}},
		}, layersUDP4()...),
	}, {
		name:  "LLC",
		from:  "scapy 2.5.0: CookedLinux(pkttype=2,lladdrtype=1,lladdrlen=6,src=…,proto=4)/LLC(dsap=0x42,ssap=0x42,ctrl=3)/…, cut",
		first: &sllProtocol,
		hex: `
			00 02 00 01 00 06                        # multicast
			02 00 00 00 00 01 00 00  00 04           # LLC
			42 42 03  00 00 00 00`,
		layers: []Layer{
			&SLL{PacketType: SLLMulticast, HardwareType: ARPHRDEthernet, AddrLen: 6, Addr: [8]byte{2, 0, 0, 0, 0, 1}},
			&LLC{DSAP: Pin(LLCSAPSTP), SSAP: Pin(LLCSAPSTP)},
			&Raw{Data: make([]byte, 4)},
		},
	}, {
		name:  "Ethernet",
		from:  "linux/if_ether.h, ETH_P_ALL, by hand; tshark 4.0.17 finds eth:ip:udp in it",
		first: &sllProtocol,
		hex: `
			00 00 00 01 00 14                        # 20 bytes, more than there is room for
			02 00 00 00 00 01 ff ff  00 03           # all
			02 00 00 00 00 02  02 00 00 00 00 01  08 00` + hexUDP4,
		layers: append([]Layer{
			&SLL{HardwareType: ARPHRDEthernet, AddrLen: 20, Addr: [8]byte{2, 0, 0, 0, 0, 1, 0xff, 0xff}},
			&Ethernet{Dst: macB, Src: macA},
		}, layersUDP4()...),
	}}
}

func sll2Goldens() []golden {
	return []golden{{
		name:  "ARP reply",
		from:  "captures/icmp_arp_any.pcap: tcpdump -i any",
		first: &sll2Protocol,
		hex: `
			08 06 00 00  00 00 00 02                 # ARP, interface 2
			00 01 04 06  3a fe 07 46 b7 66 00 00     # Ethernet, outgoing, 6 bytes
			00 01 08 00  06 04 00 02
			3a fe 07 46 b7 66  0a 4d 00 01
			d6 1e d5 b8 ca fd  0a 4d 00 02`,
		layers: []Layer{
			&SLL2{Interface: 2, HardwareType: ARPHRDEthernet, PacketType: SLLOutgoing, AddrLen: 6, Addr: [8]byte{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}},
			&ARP{
				Op:        ARPReply,
				SenderMAC: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}, SenderIP: ip4(10, 77, 0, 1),
				TargetMAC: link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}, TargetIP: ip4(10, 77, 0, 2),
			},
		},
	}, {
		name:  "loopback",
		from:  "scapy 2.5.0: CookedLinuxV2(pkttype=0,lladdrtype=772,lladdrlen=6,src=bytes(6),proto=0x86dd,ifindex=1)/IPv6(…)/UDP(…)/b'hi'",
		first: &sll2Protocol,
		hex: `
			86 dd 00 00  00 00 00 01                 # IPv6, interface 1
			03 04 00 06  00 00 00 00 00 00 00 00     # loopback, to this host` + hexUDP6,
		layers: append([]Layer{&SLL2{Interface: 1, HardwareType: ARPHRDLoopback, AddrLen: 6}}, layersUDP6()...),
	}}
}

func TestSLL(t *testing.T)  { testGolden(t, sllGoldens()...) }
func TestSLL2(t *testing.T) { testGolden(t, sll2Goldens()...) }

func FuzzSLL(f *testing.F)  { fuzzProtocol(f, &sllProtocol, sllGoldens()...) }
func FuzzSLL2(f *testing.F) { fuzzProtocol(f, &sll2Protocol, sll2Goldens()...) }

// TestSLLNext says what a Linux device of a type announces by a number: what
// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html says. tshark 4.0.17
// differs in taking the number for an EtherType where it is to be ignored.
func TestSLLNext(t *testing.T) {
	udp := unhex(t, hexUDP4)
	for _, c := range []struct {
		name string
		h    ARPHRD
		t    EtherType
		body []byte
		want *Protocol
	}{
		{"Ethernet, IPv4", ARPHRDEthernet, EtherTypeIPv4, udp, &ipv4Protocol},
		{"none, IPv4", ARPHRDNone, EtherTypeIPv4, udp, &ipv4Protocol},
		{"GRE, IPv4", ARPHRDGRE, EtherTypeIPv4, udp, &ipv4Protocol},
		{"netlink", ARPHRDNetlink, EtherTypeIPv4, udp, &rawProtocol},
		{"radiotap", ARPHRDRadiotap, EtherTypeIPv4, udp, &rawProtocol},
		{"Frame Relay", ARPHRDFRAD, EtherTypeIPv4, udp, &rawProtocol},
		{"Novell", ARPHRDEthernet, EtherTypeLinuxNovell, udp, &rawProtocol},
		{"LLC", ARPHRDEthernet, EtherTypeLinuxLLC, udp, &llcProtocol},
		{"CAN", ARPHRDCAN, EtherTypeLinuxCAN, udp, &rawProtocol},
		{"1536", ARPHRDEthernet, 1536, udp, &rawProtocol},
		{"VLAN", ARPHRDEthernet, EtherTypeVLAN, slices.Concat([]byte{0, 5, 8, 0}, udp), &vlanProtocol},
	} {
		v1 := SLLView(slices.Concat(make([]byte, SLLLen), c.body))
		v1.SetHardwareType(c.h)
		v1.SetProtocol(c.t)
		v2 := SLL2View(slices.Concat(make([]byte, SLL2Len), c.body))
		v2.SetHardwareType(c.h)
		v2.SetProtocol(c.t)
		for typ, b := range map[link.Type][]byte{link.TypeLinuxSLL: v1, link.TypeLinuxSLL2: v2} {
			var p Packet
			if err := p.Decode(typ, b); err != nil {
				t.Errorf("%v, %s: %v", typ, c.name, err)
			}
			if got := p.protocol(1); got != c.want {
				t.Errorf("%v, %s: %v, want %v", typ, c.name, got, c.want)
			}
			roundTrips(t, p.protocol(0), b)
		}
	}
	// A program's own binding comes first.
	p := Packet{Registry: Default.With(Binding{ByEtherType(EtherTypeLinuxCAN), &arpProtocol})}
	b := slices.Concat(make([]byte, SLLLen-1), []byte{0x0c}, unhex(t, arpGoldens()[0].hex)[EthernetLen:])
	if err := p.Decode(link.TypeLinuxSLL, b); err != nil || !Has[ARP](&p) {
		t.Errorf("a bound number: %v, ARP %v", err, Has[ARP](&p))
	}
}

// TestSLLEdit changes what a cooked packet carries: the protocol follows.
func TestSLLEdit(t *testing.T) {
	var p Packet
	b := unhex(t, sllGoldens()[0].hex)
	if err := p.Decode(link.TypeLinuxSLL, b); err != nil {
		t.Fatal(err)
	}
	encodes := func(what string, want []byte) {
		t.Helper()
		got, err := p.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n got % x\nwant % x", what, err, got, want)
		}
	}
	tag := &VLAN{ID: 5}
	if err := p.InsertAfter(Must[SLL](&p), tag); err != nil {
		t.Fatal(err)
	}
	encodes("insert a tag", slices.Concat(b[:14], []byte{0x81, 0, 0, 5, 8, 0}, b[16:]))
	if err := p.Replace(tag, &Ethernet{Dst: macB, Src: macA}); err != nil {
		t.Fatal(err)
	}
	encodes("Ethernet", slices.Concat(b[:14], []byte{0, 3}, macB[:], macA[:], []byte{8, 0}, b[16:]))
	if err := p.Remove(Must[Ethernet](&p)); err != nil {
		t.Fatal(err)
	}
	encodes("nothing", b)
	if err := p.RemoveAll(Must[IPv4](&p)); err != nil {
		t.Fatal(err)
	}
	p.Append(&LLC{}, &SNAP{}, &ARP{})
	want := slices.Concat(b[:14], []byte{0, 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4}, make([]byte, 22))
	encodes("LLC", want)
}

func TestSLLViews(t *testing.T) {
	v := SLLView(make([]byte, SLLLen+1))
	v.SetPacketType(SLLOtherHost)
	v.SetHardwareType(ARPHRDGRE)
	v.SetAddrLen(6)
	v.SetAddr([8]byte{2, 0, 0, 0, 0, 1, 7, 8})
	v.SetProtocol(EtherTypeIPv6)
	if want := unhex(t, "00 03 03 0a 00 06 02 00 00 00 00 01 07 08 86 dd 00"); !bytes.Equal(v, want) {
		t.Errorf("SLL\n got % x\nwant % x", []byte(v), want)
	}
	if mac, ok := v.MAC(); !ok || mac != macA || len(v.Payload()) != 1 {
		t.Errorf("MAC = %v, %v", mac, ok)
	}
	v2 := SLL2View(make([]byte, SLL2Len+1))
	v2.SetProtocol(EtherTypeIPv6)
	v2.SetReserved(0x0102)
	v2.SetInterface(0x03040506)
	v2.SetHardwareType(ARPHRDGRE)
	v2.SetPacketType(SLLOutgoing)
	v2.SetAddrLen(4)
	v2.SetAddr([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	if want := unhex(t, "86 dd 01 02 03 04 05 06 03 0a 04 04 01 02 03 04 05 06 07 08 00"); !bytes.Equal(v2, want) {
		t.Errorf("SLL2\n got % x\nwant % x", []byte(v2), want)
	}
	if mac, ok := v2.MAC(); ok {
		t.Errorf("MAC of 4 bytes = %v", mac)
	}
	var l SLL
	var l2 SLL2
	l.SetMAC(macA)
	l2.SetMAC(macA)
	if a, ok := l.MAC(); a != macA || !ok {
		t.Errorf("SLL.MAC = %v, %v", a, ok)
	}
	if a, ok := l2.MAC(); a != macA || !ok {
		t.Errorf("SLL2.MAC = %v, %v", a, ok)
	}
	if b, err := (&SLL2{PacketType: 256}).AppendBinary([]byte("x")); !errors.Is(err, ErrTooLong) || string(b) != "x" {
		t.Errorf("packet type 256: %q, %v; want ErrTooLong", b, err)
	}
}

// TestSLLRapid builds any header, decodes it, and converts it to the other
// version.
func TestSLLRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := SLL{
			PacketType:   SLLPacketType(rapid.Uint8().Draw(t, "PacketType")),
			HardwareType: ARPHRD(rapid.Uint16().Draw(t, "HardwareType")),
			AddrLen:      uint16(rapid.Uint8().Draw(t, "AddrLen")),
			Addr:         [8]byte(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "Addr")),
			Protocol:     Pin(EtherType(rapid.Uint16().Draw(t, "Protocol"))),
		}
		l2 := SLL2{
			Protocol: l.Protocol, HardwareType: l.HardwareType, PacketType: l.PacketType, AddrLen: uint8(l.AddrLen), Addr: l.Addr,
			Reserved:  rapid.Uint16().Draw(t, "Reserved"),
			Interface: rapid.Uint32().Draw(t, "Interface"),
		}
		b, _ := l.AppendBinary(nil)
		b2, _ := l2.AppendBinary(nil)
		var got SLL
		var got2 SLL2
		if n, err := got.Decode(b); n != SLLLen || err != nil {
			t.Fatalf("Decode = %d, %v", n, err)
		}
		if n, err := got2.Decode(b2); n != SLL2Len || err != nil {
			t.Fatalf("Decode = %d, %v", n, err)
		}
		l.Protocol, l2.Protocol = Seen(l.Protocol.Value()), Seen(l2.Protocol.Value())
		if got != l || got2 != l2 {
			t.Fatalf("got %+v, %+v; want %+v, %+v", got, got2, l, l2)
		}
	})
}

func TestSLLStrings(t *testing.T) {
	for x, want := range map[SLLPacketType]string{0: "host", 1: "broadcast", 2: "multicast", 3: "other host", 4: "outgoing", 5: "5"} {
		if got := x.String(); got != want {
			t.Errorf("SLLPacketType(%d) = %q, want %q", uint16(x), got, want)
		}
	}
	for x, want := range map[SLLPacketType]link.Direction{0: link.DirectionIn, 1: link.DirectionBroadcast, 2: link.DirectionMulticast, 3: link.DirectionOther, 4: link.DirectionOut, 5: link.DirectionUnknown} {
		if got := x.Direction(); got != want {
			t.Errorf("SLLPacketType(%d).Direction = %v, want %v", uint16(x), got, want)
		}
	}
	for x, want := range map[ARPHRD]string{0: "0", 1: "Ethernet", 32: "InfiniBand", 280: "CAN", 512: "PPP", 768: "IPv4 tunnel", 769: "IPv6 tunnel", 770: "Frame Relay access device", 772: "loopback", 776: "SIT tunnel", 778: "GRE", 801: "802.11", 802: "802.11 Prism", 803: "802.11 radiotap", 804: "802.15.4", 823: "GRE over IPv6", 824: "netlink", 826: "vsock monitor", 0xfffe: "none", 0xffff: "void", 999: "999"} {
		if got := x.String(); got != want {
			t.Errorf("ARPHRD(%d) = %q, want %q", uint16(x), got, want)
		}
	}
}
