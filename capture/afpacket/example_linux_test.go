package afpacket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// An illegal combination is refused before the kernel sees it.
func ExampleOpen() {
	_, err := afpacket.Open(afpacket.KindL3, &afpacket.Config{VLANInData: true})
	fmt.Println(errors.Is(err, capture.ErrConfig))
	fmt.Println(err)
	// Output:
	// true
	// capture: open L3 socket: illegal configuration: VLANInData needs KindL2: L3 messages have no link header to put a tag into
}

// Frames of one protocol, those for other hosts too, until a context ends it.
func ExampleSocket_Recv() {
	receive := func(ctx context.Context) error {
		s, err := afpacket.Open(afpacket.KindL2, &afpacket.Config{
			Memberships: []afpacket.Membership{{Type: afpacket.Promiscuous}},
			VLANInData:  true,
		})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Bind("eth0", afpacket.EtherTypeARP); err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { s.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
		buf := make([]byte, 2048)
		for {
			m, err := s.Recv(buf)
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				return ctx.Err()
			case err != nil:
				return err
			}
			fmt.Println(m.Time, m.Direction, m.Addr.Hardware, len(m.Data), "of", m.WireLen)
		}
	}
	if err := receive(context.Background()); err != nil {
		log.Print(err)
	}
}

// Many frames with one system call.
func ExampleSocket_RecvBatch() {
	receive := func(s *afpacket.Socket) error {
		ms := make([]afpacket.Message, 64)
		for i := range ms {
			ms[i].Buf = make([]byte, 2048)
		}
		for {
			n, err := s.RecvBatch(ms)
			if err != nil {
				return err
			}
			for i := range ms[:n] {
				fmt.Println(ms[i].Time, ms[i].WireLen)
			}
		}
	}
	_ = receive
}

// An IPv4 packet whose link header the kernel makes.
func ExampleSocket_SendTo() {
	send := func(packet []byte) error {
		s, err := afpacket.Open(afpacket.KindL3, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Bind("eth0", afpacket.EtherTypeNone); err != nil { // only to send
			return err
		}
		return s.SendTo(packet, afpacket.Addr{
			EtherType: afpacket.EtherTypeIPv4,
			Hardware:  afpacket.HardwareAddrFromMAC(link.MustParseMac("02:00:00:00:00:01")),
		})
	}
	_ = send
}

// Raw IP: the kernel makes the header and finds the way.
func ExampleSocket_SendTo_rawIP() {
	ping := func(echo []byte) error {
		s, err := afpacket.Open(afpacket.KindIPv4, &afpacket.Config{Protocol: 1}) // ICMP
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.SendTo(echo, afpacket.Addr{IP: netip.MustParseAddr("192.0.2.1")}); err != nil {
			return err
		}
		m, err := s.Recv(make([]byte, 2048))
		if err != nil {
			return err
		}
		fmt.Println(len(m.Data), "bytes from", m.Addr.IP)
		return nil
	}
	_ = ping
}

// Four sockets that share the frames of an interface by flow.
func ExampleFanout() {
	open := func() ([]*afpacket.Socket, error) {
		var group []*afpacket.Socket
		for range 4 {
			s, err := afpacket.Open(afpacket.KindL2, &afpacket.Config{
				Fanout: &afpacket.Fanout{Group: 1, Mode: afpacket.FanoutHash, Defrag: true},
			})
			if err != nil {
				return group, err
			}
			group = append(group, s)
			if err := s.Bind("eth0", afpacket.EtherTypeAll); err != nil {
				return group, err
			}
		}
		return group, nil
	}
	_ = open
}

// When each frame left.
func ExampleSocket_TxTimestamp() {
	send := func(frames [][]byte) error {
		s, err := afpacket.Open(afpacket.KindL2, &afpacket.Config{TxStamps: afpacket.TxSched | afpacket.TxSoftware})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Bind("eth0", afpacket.EtherTypeNone); err != nil {
			return err
		}
		for _, f := range frames {
			if err := s.Send(f); err != nil {
				return err
			}
		}
		for range 2 * len(frames) {
			t, err := s.TxTimestamp()
			if err != nil {
				return err
			}
			fmt.Println("frame", t.ID, t.Stage, t.Time)
		}
		return nil
	}
	_ = send
}

// Every frame that is read has passed the filter.
func ExampleSocket_SetFilter() {
	change := func(s *afpacket.Socket, prog []bpf.RawInstruction) error {
		if err := s.Flush(); err != nil {
			return err
		}
		return s.SetFilter(prog)
	}
	_ = change
}

func ExampleHardwareAddr() {
	a := afpacket.HardwareAddrFromMAC(link.MustParseMac("02:00:00:00:00:01"))
	mac, ok := a.MAC()
	fmt.Println(a, a.Len(), mac, ok)
	// Output: 02:00:00:00:00:01 6 02:00:00:00:00:01 true
}
