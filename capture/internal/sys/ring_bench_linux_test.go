package sys_test

import (
	"testing"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"golang.org/x/sys/unix"
)

// ringSocket opens a socket for whole frames, which is not bound.
func ringSocket(tb interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}, ns *netns.NS) *sys.PacketSocket {
	tb.Helper()
	var s *sys.PacketSocket
	if err := ns.Do(func() (err error) {
		s, err = sys.OpenPacket(sys.DomainPacket, sys.TypeRaw, 0, "packet")
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkTxRing sends frames of 60 bytes through a veth pair, 64 at a time.
func BenchmarkTxRing(b *testing.B) {
	geometry := &sys.TxGeometry{FrameSize: 2048, BlockSize: 1 << 16, BlockCount: 16}
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	open := func(b *testing.B) (*sys.PacketSocket, int) {
		here, there := netns.New(b), netns.New(b)
		netns.Connect(b, here, "veth0", there, "veth0")
		return ringSocket(b, here), here.Interface(b, "veth0").Index
	}
	b.Run("write", func(b *testing.B) {
		s, index := open(b)
		if err := s.BindLink(0, index); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := s.Control(func(fd int) error {
				_, err := unix.Write(fd, frame)
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, v := range []string{"V2", "V3"} {
		b.Run(v, func(b *testing.B) {
			s, index := open(b)
			var rings *sys.Rings
			var err error
			if v == "V2" {
				rings, err = sys.OpenTxV2(s.Control, geometry)
			} else {
				rings, err = s.OpenRings(nil, geometry)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { rings.Close() })
			if err := s.BindLink(0, index); err != nil {
				b.Fatal(err)
			}
			n := 0
			kick := func() {
				if err := s.Control(rings.Tx.Kick); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				slot := rings.Tx.Reserve()
				for slot == nil {
					kick()
					slot = rings.Tx.Reserve()
				}
				copy(slot, frame)
				if err := rings.Tx.Commit(0, len(frame)); err != nil {
					b.Fatal(err)
				}
				if n++; n%64 == 0 {
					kick()
				}
			}
		})
	}
}
