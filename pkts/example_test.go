package pkts_test

import (
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// exampleSYN returns a TCP SYN in Ethernet.
func exampleSYN() []byte {
	b, err := pkts.Stack(
		&pkts.Ethernet{Dst: exampleB, Src: exampleA},
		&pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7")},
		&pkts.TCP{SrcPort: 40000, DstPort: 80, Flags: pkts.TCPSyn, Window: 64240, Options: pkts.TCPOptions(nil).AppendMSS(1460)},
	).AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	return b
}

func ExamplePacket_Decode() {
	var p pkts.Packet // reused for one frame after the other
	if err := p.Decode(link.TypeEthernet, exampleSYN()); err != nil {
		log.Print(err) // the layers before the error are there
	}
	if tcp, ok := pkts.Get[pkts.TCP](&p); ok {
		fmt.Println(p.Flow(), tcp.Flags, tcp.Window)
	}
	fmt.Println(&p)
	// Output:
	// 192.0.2.1:40000 > 198.51.100.7:80 TCP SYN 64240
	// IP 192.0.2.1.40000 > 198.51.100.7.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
}

// What is wrong with a packet is an error with a place; what comes before it is
// decoded.
func ExamplePacket_Decode_cut() {
	var p pkts.Packet
	err := p.Decode(link.TypeEthernet, exampleSYN()[:40])
	fmt.Println(err)
	if de, ok := errors.AsType[*pkts.DecodeError](err); ok {
		fmt.Println(de.Layer, "lacks", de.Want-de.Have, "bytes")
	}
	ip, _ := pkts.Get[pkts.IPv4](&p)
	fmt.Println(ip.Src, ip.Protocol)
	// Output:
	// pkts: TCP at byte 34: truncated: need 20 bytes, have 6
	// TCP lacks 14 bytes
	// 192.0.2.1 TCP
}

// A view reads and writes a header in place.
func ExampleView() {
	frame := exampleSYN()
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, frame); err != nil {
		log.Fatal(err)
	}
	if ip, ok := pkts.View[pkts.IPv4View](&p); ok {
		ip.SetTTL(ip.TTL() - 1) // and the checksum follows
	}
	for c := range p.Checks() {
		if c.Field == "Checksum" {
			fmt.Println(c.Node.Proto(), c.Status)
		}
	}
	// Output:
	// IPv4 good
	// TCP good
}

// What was right before an edit is right after it, and what was wrong stays.
func ExamplePacket_AppendBinary() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, exampleSYN()); err != nil {
		log.Fatal(err)
	}
	pkts.Must[pkts.IPv4](&p).TTL--
	pkts.Must[pkts.TCP](&p).Checksum = pkts.Pin[uint16](0xdead) // wrong on purpose
	p.Append(&pkts.Raw{Data: []byte("hello")})
	b, err := p.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}

	var q pkts.Packet
	if err := q.Decode(link.TypeEthernet, b); err != nil {
		log.Fatal(err)
	}
	for c := range q.Checks() {
		fmt.Printf("%v.%s: %v\n", c.Node.Proto(), c.Field, c.Status)
	}
	// Output:
	// Ethernet.Type: good
	// IPv4.IHL: good
	// IPv4.Length: good
	// IPv4.Protocol: good
	// IPv4.Checksum: good
	// TCP.DataOffset: good
	// TCP.Checksum: bad
}

// A tag is put between two layers, and what announces them follows.
func ExamplePacket_InsertAfter() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, exampleSYN()); err != nil {
		log.Fatal(err)
	}
	if err := p.InsertAfter(pkts.Must[pkts.Ethernet](&p), &pkts.VLAN{ID: 100}); err != nil {
		log.Fatal(err)
	}
	b, err := p.AppendBinary(nil)
	fmt.Printf("% x %v\n", b[12:18], err)
	// Output: 81 00 00 64 08 00 <nil>
}

// The layers of a tunnel, from the outside in.
func ExampleAll() {
	p := pkts.Stack(
		&pkts.IPv6{HopLimit: 64, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2")},
		&pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")},
		&pkts.IPv4{TTL: 9, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")},
	)
	for ip := range pkts.All[pkts.IPv4](p) {
		fmt.Println(ip.Src, ip.TTL)
	}
	// Output:
	// 192.0.2.1 64
	// 10.0.0.1 9
}

// %#v is Go source that builds the packet.
func ExamplePacket_GoString() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, exampleSYN()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%#v\n", &p)
	// Output:
	// pkts.Stack(
	// 	&pkts.Ethernet{Dst: link.MacAddr{0x02, 0x00, 0x00, 0x00, 0x00, 0x02}, Src: link.MacAddr{0x02, 0x00, 0x00, 0x00, 0x00, 0x01}},
	// 	&pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7")},
	// 	&pkts.TCP{SrcPort: 40000, DstPort: 80, Flags: 0x2, Window: 64240, Options: pkts.TCPOptions("\x02\x04\x05\xb4")},
	// )
}
