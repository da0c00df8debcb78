package afpacket_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/common/link"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// silence is how long a test waits for what must not come.
const silence = 50 * time.Millisecond

// testType is an EtherType for experiments, IEEE 802.
const testType afpacket.EtherType = 0x88b5

// pair is two hosts on one cable, each with the interface veth0.
type pair struct {
	a, b       *netns.NS
	aMAC, bMAC link.MacAddr
}

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("192.0.2.2")
)

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{a: netns.New(t), b: netns.New(t)}
	netns.Connect(t, p.a, "veth0", p.b, "veth0")
	p.aMAC, p.bMAC = p.a.Interface(t, "veth0").MAC, p.b.Interface(t, "veth0").MAC
	return p
}

// withIP gives both hosts addresses and each the other's hardware address, so
// that nobody asks.
func (p *pair) withIP(t *testing.T) *pair {
	t.Helper()
	p.a.AddAddress(t, "veth0", addrA.String()+"/24")
	p.b.AddAddress(t, "veth0", addrB.String()+"/24")
	p.a.Run(t, "ip", "neigh", "add", addrB.String(), "lladdr", p.bMAC.String(), "dev", "veth0")
	p.b.Run(t, "ip", "neigh", "add", addrA.String(), "lladdr", p.aMAC.String(), "dev", "veth0")
	return p
}

// open opens a socket in a namespace.
func open(t testing.TB, ns *netns.NS, kind afpacket.Kind, cfg *afpacket.Config) *afpacket.Socket {
	t.Helper()
	s, err := tryOpen(ns, kind, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(ns *netns.NS, kind afpacket.Kind, cfg *afpacket.Config) (s *afpacket.Socket, err error) {
	err = ns.Do(func() error {
		s, err = afpacket.Open(kind, cfg)
		return err
	})
	return s, err
}

// bind opens a socket and binds it. That Bind is called outside of the
// namespace is part of the test.
func bind(t testing.TB, ns *netns.NS, kind afpacket.Kind, cfg *afpacket.Config, name string, typ afpacket.EtherType) *afpacket.Socket {
	t.Helper()
	s := open(t, ns, kind, cfg)
	if err := s.Bind(name, typ); err != nil {
		t.Fatal(err)
	}
	return s
}

// recv receives a message that must come.
func recv(t testing.TB, s *afpacket.Socket) afpacket.Message {
	t.Helper()
	m, err := s.Recv(make([]byte, 1<<16+100))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// drain receives want messages from the sockets together, and those that come
// soon after them. It returns what each received.
func drain(t testing.TB, want int, socks ...*afpacket.Socket) [][]afpacket.Message {
	t.Helper()
	all := make([][]afpacket.Message, len(socks))
	total := 0
	for end := time.Now().Add(patience); ; {
		quiet := true
		for i, s := range socks {
			if err := s.SetReadDeadline(time.Now().Add(silence)); err != nil {
				t.Fatal(err)
			}
			for {
				m, err := s.Recv(make([]byte, 2048))
				if errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				all[i] = append(all[i], m)
				total++
				quiet = false
			}
			if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
		}
		if quiet && total >= want || time.Now().After(end) {
			return all
		}
	}
}

// rest is drain for one socket.
func rest(t testing.TB, want int, s *afpacket.Socket) []afpacket.Message {
	t.Helper()
	return drain(t, want, s)[0]
}

func send(t testing.TB, s *afpacket.Socket, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if err := s.Send(f); err != nil {
			t.Fatal(err)
		}
	}
}

// ether returns an Ethernet frame.
func ether(dst, src link.MacAddr, typ afpacket.EtherType, payload []byte) []byte {
	b := slices.Concat(dst[:], src[:])
	b = binary.BigEndian.AppendUint16(b, uint16(typ))
	b = append(b, payload...)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

// frame returns a frame from a to b that says n in its first four bytes of
// payload.
func (p *pair) frame(n int) []byte {
	return ether(p.bMAC, p.aMAC, testType, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// number returns what frame was given.
func number(m *afpacket.Message) int { return int(binary.BigEndian.Uint32(m.Data[14:])) }

// udp returns a UDP datagram in an IPv4 packet, RFC 768 and 791. full says
// whether its checksum is computed, or is the pseudo-header's sum as hardware
// wants it.
func udp(src, dst netip.Addr, srcPort, dstPort uint16, full bool, payload []byte) []byte {
	var u []byte
	u = binary.BigEndian.AppendUint16(u, srcPort)
	u = binary.BigEndian.AppendUint16(u, dstPort)
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(payload)))
	u = append(u, 0, 0)
	u = append(u, payload...)
	sum := checksum.PseudoIPv4(src.As4(), dst.As4(), 17, len(u))
	if full {
		sum = checksum.NonZero(checksum.Internet(u, sum))
	}
	binary.BigEndian.PutUint16(u[6:], sum)
	return ipv4(src, dst, 17, u)
}

func ipv4(src, dst netip.Addr, proto byte, payload []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], checksum.Internet(b, 0))
	return append(b, payload...)
}

// numbered returns n frames whose data is made by f.
func numbered(n int, f func(i int) []byte) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = f(i)
	}
	return all
}

// wantErr checks that err is each of targets.
func wantErr(t testing.TB, what string, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: %v, want an error that is %v", what, err, target)
		}
	}
}

// messages gives each of n messages a buffer.
func messages(n, size int) []afpacket.Message {
	ms := make([]afpacket.Message, n)
	for i := range ms {
		ms[i].Buf = make([]byte, size)
	}
	return ms
}
