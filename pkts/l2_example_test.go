package pkts_test

import (
	"fmt"
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

var (
	exampleA = link.MacAddr{2, 0, 0, 0, 0, 1}
	exampleB = link.MacAddr{2, 0, 0, 0, 0, 2}
)

// A request for the MAC address of 10.0.0.2.
func ExampleARP() {
	mine := netip.MustParseAddr("10.0.0.1")
	p := pkts.Stack(
		&pkts.Ethernet{Dst: link.MacAddr{255, 255, 255, 255, 255, 255}, Src: exampleA},
		&pkts.ARP{Op: pkts.ARPRequest, SenderMAC: exampleA, SenderIP: mine, TargetIP: netip.MustParseAddr("10.0.0.2")},
	)
	b, err := p.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("% x\n", b)
	// Output:
	// ff ff ff ff ff ff 02 00 00 00 00 01 08 06 00 01 08 00 06 04 00 01 02 00 00 00 00 01 0a 00 00 01 00 00 00 00 00 00 0a 00 00 02
}

// A tag goes into a received frame, and the types follow.
func ExampleVLAN() {
	frame, err := pkts.Stack(
		&pkts.Ethernet{Dst: exampleB, Src: exampleA},
		&pkts.IPv4{TTL: 64},
		&pkts.UDP{SrcPort: 1234, DstPort: 5678},
	).AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, frame); err != nil {
		fmt.Println(err)
		return
	}
	eth := pkts.Must[pkts.Ethernet](&p)
	if err := p.InsertAfter(eth, &pkts.VLAN{ID: 100, Priority: 5}); err != nil {
		fmt.Println(err)
		return
	}
	tagged, err := p.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("% x\n", frame[12:16])
	fmt.Printf("% x\n", tagged[12:20])
	// Output:
	// 08 00 45 00
	// 81 00 a0 64 08 00 45 00
}

// Two directions of one conversation have one key.
func ExampleFlow() {
	p := pkts.Stack(
		&pkts.IPv4{Src: netip.MustParseAddr("192.168.1.52"), Dst: netip.MustParseAddr("8.8.8.8")},
		&pkts.UDP{SrcPort: 54585, DstPort: 53},
	)
	f := p.Flow()
	packets := map[pkts.Flow]int{}
	packets[f.Symmetric()]++
	packets[f.Reverse().Symmetric()]++
	fmt.Println(f)
	fmt.Println(packets[f.Symmetric()])
	fmt.Println(f.CommunityID(0))
	// Output:
	// 192.168.1.52:54585 > 8.8.8.8:53 UDP
	// 2
	// 1:d/FP5EW3wiY1vCndhwleRRKHowQ=
}

// IPv4 in an IEEE 802.3 frame, as RFC 1042 has it.
func ExampleSNAP() {
	b, err := pkts.Stack(
		&pkts.Ethernet{Dst: exampleB, Src: exampleA},
		&pkts.LLC{},
		&pkts.SNAP{},
		&pkts.IPv4{TTL: 64},
	).AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("% x\n", b[12:22])
	// Output:
	// 00 1c aa aa 03 00 00 00 08 00
}
