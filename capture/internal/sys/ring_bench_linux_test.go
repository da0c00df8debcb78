package sys_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"golang.org/x/sys/unix"
)

// A packetSocket is the least that rings can be made on.
type packetSocket struct {
	file *os.File
	raw  syscall.RawConn
}

// openPacket opens a socket of type typ for whole frames or for packets, which
// is not bound.
func openPacket(tb interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}, ns *netns.NS, typ int) *packetSocket {
	tb.Helper()
	s := new(packetSocket)
	if err := ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		s.file = os.NewFile(uintptr(fd), "packet")
		s.raw, err = s.file.SyscallConn()
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.file.Close() })
	return s
}

func (s *packetSocket) control(f func(fd int) error) error {
	var inner error
	if err := s.raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return os.ErrClosed
	}
	return inner
}

// bind binds s to an interface, with a protocol in the order of the network.
func (s *packetSocket) bind(tb testing.TB, index int, protocol uint16) {
	tb.Helper()
	if err := s.control(func(fd int) error {
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index})
	}); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkTxRing sends frames of 60 bytes through a veth pair, 64 at a time.
func BenchmarkTxRing(b *testing.B) {
	geometry := &sys.TxGeometry{FrameSize: 2048, BlockSize: 1 << 16, BlockCount: 16}
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	open := func(b *testing.B) (*packetSocket, int) {
		here, there := netns.New(b), netns.New(b)
		netns.Connect(b, here, "veth0", there, "veth0")
		return openPacket(b, here, unix.SOCK_RAW), here.Interface(b, "veth0").Index
	}
	b.Run("write", func(b *testing.B) {
		s, index := open(b)
		s.bind(b, index, 0)
		for b.Loop() {
			if _, err := s.file.Write(frame); err != nil {
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
				rings, err = sys.OpenTxV2(s.control, geometry)
			} else {
				rings, err = sys.OpenRings(s.control, nil, nil, geometry)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { rings.Close() })
			s.bind(b, index, 0)
			n := 0
			kick := func() {
				if err := s.control(rings.Tx.Kick); err != nil {
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
