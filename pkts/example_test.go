package pkts_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// synFrame returns a frame that curl on Linux sent: the start of a connection.
func synFrame() []byte {
	b, err := hex.DecodeString("d61ed5b8cafd3afe0746b7660800" + // Ethernet
		"4500003c023540004006" + "23eb" + "0a4d0001" + "0a4d0002" + // IPv4
		"dc220050" + "95016db7" + "00000000" + "a002" + "faf0" + "cc6e" + "0000" + // TCP
		"020405b4" + "0402" + "080a433c499900000000" + "01" + "03030a") // its options
	if err != nil {
		log.Fatal(err)
	}
	return b
}

// A received frame, its layers and what is wrong with one that is cut.
func ExamplePacket_Decode() {
	frame := synFrame()
	var p pkts.Packet // reused for many packets
	if err := p.Decode(link.TypeEthernet, frame); err != nil {
		log.Fatal(err)
	}
	for n := range p.Nodes() {
		fmt.Println(n.Proto(), n.Offset(), n.HeaderLen())
	}
	if tcp, ok := pkts.Get[pkts.TCP](&p); ok {
		fmt.Println(tcp.DstPort, tcp.Flags)
	}

	err := p.Decode(link.TypeEthernet, frame[:40])
	fmt.Println(err)
	if de, ok := errors.AsType[*pkts.DecodeError](err); ok {
		fmt.Println(de.Layer, de.Offset, errors.Is(err, pkts.ErrTruncated))
	}
	fmt.Println(pkts.Must[pkts.IPv4](&p).Dst)
	// Output:
	// Ethernet 0 14
	// IPv4 14 20
	// TCP 34 40
	// 80 SYN
	// pkts: TCP at byte 34: truncated: need 20 bytes, have 6
	// TCP 34 true
	// 10.77.0.2
}

// The fields of a layer, filled in.
func ExampleGet() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, synFrame()); err != nil {
		log.Fatal(err)
	}
	tcp, ok := pkts.Get[pkts.TCP](&p)
	if !ok {
		log.Fatal("no TCP")
	}
	fmt.Println(tcp.SrcPort, tcp.DstPort, tcp.Seq, tcp.Window)
	if mss, ok := tcp.Options.MSS(); ok {
		fmt.Println("MSS", mss)
	}
	if _, ok := pkts.Get[pkts.UDP](&p); !ok {
		fmt.Println("no UDP")
	}
	// Output:
	// 56354 80 2499898807 64240
	// MSS 1460
	// no UDP
}

// A router's work, in place: the header checksum follows.
func ExampleView() {
	frame := synFrame()
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, frame); err != nil {
		log.Fatal(err)
	}
	ip, ok := pkts.View[pkts.IPv4View](&p)
	if !ok {
		log.Fatal("no IPv4")
	}
	fmt.Println(ip.TTL(), ip.Src(), ip.Dst())
	fmt.Printf("% x\n", frame[22:26])
	ip.SetTTL(ip.TTL() - 1)
	fmt.Printf("% x\n", frame[22:26])
	// Output:
	// 64 10.77.0.1 10.77.0.2
	// 40 06 23 eb
	// 3f 06 24 eb
}

// A packet of layers: lengths, checksums and protocol numbers are computed.
func ExampleStack() {
	p := pkts.Stack(
		&pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")},
		&pkts.UDP{SrcPort: 1024, DstPort: 7},
		&pkts.Raw{Data: []byte("echo")},
	)
	b, err := p.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("% x\n", b[:pkts.IPv4MinLen])
	fmt.Printf("% x\n", b[pkts.IPv4MinLen:])

	_, err = pkts.Stack(&pkts.TCP{DstPort: 80}).AppendBinary(nil)
	fmt.Println(err)
	// Output:
	// 45 00 00 20 00 00 00 00 40 11 f6 c9 c0 00 02 01 c0 00 02 02
	// 04 00 00 07 00 0c a9 f8 65 63 68 6f
	// pkts: TCP.Checksum: layer out of place: it covers an IPv4 or IPv6 header, and there is none: add one or pin the checksum
}

// What was right before an edit is right after it.
func ExamplePacket_AppendBinary() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, synFrame()); err != nil {
		log.Fatal(err)
	}
	pkts.Must[pkts.IPv4](&p).Dst = netip.MustParseAddr("10.77.0.9")
	tcp := pkts.Must[pkts.TCP](&p)
	tcp.DstPort = 8080
	tcp.Options = pkts.TCPOptions(nil).AppendMSS(1200)
	p.Append(&pkts.Raw{Data: []byte("data in a SYN")})

	b, err := p.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Decode(link.TypeEthernet, b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(&p)
	for c := range p.Checks() {
		fmt.Println(c.Node.Proto(), c.Field, c.Status)
	}
	// Output:
	// IP 10.77.0.1.56354 > 10.77.0.9.8080: Flags [S], seq 2499898807:2499898820, win 64240, options [mss 1200], length 13
	// Ethernet Type good
	// IPv4 IHL good
	// IPv4 Length good
	// IPv4 Protocol good
	// IPv4 Checksum good
	// TCP DataOffset good
	// TCP Checksum good
}

// A packet that is wrong on purpose.
func ExamplePin() {
	p := pkts.Stack(
		&pkts.IPv4{TTL: 64, Length: pkts.Pin[uint16](1000)},
		&pkts.UDP{DstPort: 9, Checksum: pkts.Pin[uint16](0xdead)},
	)
	b, err := p.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	var q pkts.Packet
	if err := q.Decode(link.TypeIPv4, b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pkts.Must[pkts.IPv4](&q).Length, pkts.Must[pkts.UDP](&q).Checksum, q.Truncated())
	// Output:
	// 1000 57005 true
}

// Which of a received packet's fields are wrong.
func ExamplePacket_Checks() {
	frame := synFrame()
	frame[len(frame)-1]++ // a bit fell over
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, frame); err != nil {
		log.Fatal(err)
	}
	for c := range p.Checks() {
		if c.Status == pkts.CheckBad {
			fmt.Printf("%v %s at byte %d: %#x, want %#x\n", c.Node.Proto(), c.Field, c.Offset, c.Have, c.Want)
		}
	}
	// Output:
	// TCP Checksum at byte 50: 0xcc6e, want 0xcc6d
}

// A tag goes into a frame, and comes out again.
func ExamplePacket_InsertAfter() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, synFrame()); err != nil {
		log.Fatal(err)
	}
	tag := &pkts.VLAN{ID: 7}
	if err := p.InsertAfter(pkts.Must[pkts.Ethernet](&p), tag); err != nil {
		log.Fatal(err)
	}
	b, err := p.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("% x\n", b[12:20])
	if err := p.Remove(tag); err != nil {
		log.Fatal(err)
	}
	if b, err = p.AppendBinary(b[:0]); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("% x\n", b[12:16])
	// Output:
	// 81 00 00 07 08 00 45 00
	// 08 00 45 00
}

// A copy outlives the bytes of the frame.
func ExamplePacket_Clone() {
	frame := synFrame()
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, frame); err != nil {
		log.Fatal(err)
	}
	kept := p.Clone()
	clear(frame) // the next one is read into it
	fmt.Println(kept.Flow())
	// Output: 10.77.0.1:56354 > 10.77.0.2:80 TCP
}

// Everything that a packet says, as a tree.
func ExamplePacket_AppendTree() {
	p := pkts.Stack(&pkts.VLAN{ID: 7, Priority: 5}, &pkts.Raw{Data: []byte("hello")})
	fmt.Printf("%s", p.AppendTree(nil, nil))
	// Output:
	// VLAN, bytes 0-3
	//     Priority: 5
	//     DropEligible: false
	//     ID: 7
	//     Type: experimental (0x88b5) [computed]
	// Raw, bytes 4-8
	//     0000  68 65 6c 6c 6f                                    hello
}
