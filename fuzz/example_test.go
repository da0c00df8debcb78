package fuzz_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// The functions of this file stand in README.md.

// watch prints the frames of an interface until ctx ends.
func watch(ctx context.Context, name string) error {
	s, err := capture.Open(name, nil)
	if err != nil {
		return err // says what to do: which capability or driver is missing
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil { // nil: no filter
		return err
	}
	for frame, err := range s.Frames(ctx) {
		if err != nil {
			return err
		}
		fmt.Println(frame.Time, frame.Direction, frame.WireLen)
	}
	return nil
}

func Example_capture() {
	if err := watch(context.Background(), "no interface has this name"); err != nil {
		fmt.Println("an error says why")
	}
	// Output: an error says why
}

// calls prints who opens TCP connections in a capture file.
func calls(name string) error {
	f, err := pcap.Open(name) // pcap or pcapng, packed or not
	if err != nil {
		return err
	}
	defer f.Close()
	var pkt pkts.Packet // reused: no allocation per packet
	for frame, err := range f.Frames() {
		if err != nil {
			return err
		}
		if err := pkt.Decode(frame.Link, frame.Data); err != nil {
			log.Print(err) // the layers before the error are there
		}
		tcp, ok := pkts.Get[pkts.TCP](&pkt)
		if ok && tcp.Flags.Has(pkts.TCPSyn) && !tcp.Flags.Has(pkts.TCPAck) {
			fmt.Println(frame.Time, pkt.Flow())
		}
	}
	return nil
}

func Example_packets() {
	if err := calls("testdata/syn.pcap"); err != nil {
		fmt.Println(err)
	}
	// Output: 2026-11-23 05:40:41.801665 +0000 UTC 10.77.0.1:44530 > 10.77.0.2:5432 TCP
}

// knock sends a SYN and returns the flags of the answer.
func knock(ctx context.Context, s *capture.Sniffer, syn *pkts.Packet) (pkts.TCPFlags, error) {
	b, err := syn.AppendBinary(nil) // protocol numbers, lengths and checksums follow from the stack
	if err != nil {
		return 0, err
	}
	if err := s.Activate(nil); err != nil {
		return 0, err
	}
	if err := s.Send(b); err != nil {
		return 0, err
	}
	var pkt pkts.Packet
	for frame, err := range s.Frames(ctx) {
		if err != nil {
			return 0, err
		}
		if frame.Direction == link.DirectionOut {
			continue // our own
		}
		if err := pkt.Decode(frame.Link, frame.Data); err != nil {
			return 0, err
		}
		if tcp, ok := pkts.Get[pkts.TCP](&pkt); ok {
			return tcp.Flags, nil
		}
	}
	return 0, context.Cause(ctx)
}

func Example_both() {
	// Two hosts on a cable. On a real network, s is what capture.Open returns.
	here, there := capturetest.New(link.Interface{Name: "here"}), capturetest.New(link.Interface{Name: "there"})
	capturetest.Connect(here, there)
	s, err := here.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	peer, err := there.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	if err := peer.Activate(nil); err != nil {
		log.Fatal(err)
	}
	go refuse(peer)

	mac, gateway := link.MacAddr{2, 0, 0, 0, 0, 1}, link.MacAddr{2, 0, 0, 0, 0, 2}
	src, dst := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7")
	syn := pkts.Stack(
		&pkts.Ethernet{Dst: gateway, Src: mac},
		&pkts.IPv4{TTL: 64, Src: src, Dst: dst},
		&pkts.TCP{SrcPort: 40000, DstPort: 80, Flags: pkts.TCPSyn},
	)
	fmt.Println(knock(context.Background(), s, syn))
	// Output: RST+ACK <nil>
}

// refuse answers the first SYN as a host does on whose port nobody listens.
func refuse(s *capture.Sniffer) {
	var pkt pkts.Packet
	for frame, err := range s.Frames(context.Background()) {
		if err != nil || pkt.Decode(frame.Link, frame.Data) != nil {
			return
		}
		eth, ip, tcp := pkts.Must[pkts.Ethernet](&pkt), pkts.Must[pkts.IPv4](&pkt), pkts.Must[pkts.TCP](&pkt)
		rst := pkts.Stack(
			&pkts.Ethernet{Dst: eth.Src, Src: eth.Dst},
			&pkts.IPv4{TTL: 64, Src: ip.Dst, Dst: ip.Src},
			&pkts.TCP{SrcPort: tcp.DstPort, DstPort: tcp.SrcPort, Ack: tcp.Seq + 1, Flags: pkts.TCPRst | pkts.TCPAck},
		)
		b, err := rst.AppendBinary(nil)
		if err == nil {
			err = s.Send(b)
		}
		if err != nil {
			log.Print(err)
		}
		return
	}
}
