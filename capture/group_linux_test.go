package capture_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
)

// groupBackends are the backends whose Sniffers can share the frames of an
// interface.
var groupBackends = []capture.BackendType{capture.BackendRing, capture.BackendMessages}

// openGroupIn opens a group on an interface of a namespace. Where cfg does not
// say otherwise, it may capture for seconds before anybody reads: a slow machine
// has few frames in a block when the kernel hands it over.
func openGroupIn(t *testing.T, ns *netns.NS, name string, n int, cfg *capture.Config) *capture.Group {
	t.Helper()
	cfg = manyBlocks(cfg)
	if cfg.Timeout == 0 {
		cfg.Timeout = 100 * time.Millisecond
	}
	var g *capture.Group
	err := ns.Do(func() (err error) {
		g, err = capture.OpenGroup(name, n, cfg)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	if got := len(g.Sniffers()); got != n {
		t.Fatalf("%d Sniffers, want %d", got, n)
	}
	return g
}

// drainGroup returns what each Sniffer of g has captured.
func drainGroup(t *testing.T, g *capture.Group) [][]link.Frame {
	t.Helper()
	if err := g.Deactivate(); err != nil {
		t.Fatal(err)
	}
	var all [][]link.Frame
	n := uint64(0)
	for _, s := range g.Sniffers() {
		frames := drain(t, s)
		all = append(all, frames)
		n += uint64(len(frames))
	}
	if st, err := g.Stats(); err != nil || st.Received != n || st.Dropped != 0 {
		t.Errorf("Stats = %+v, %v, want %d received", st, err, n)
	}
	return all
}

// exchange sends messages back and forth between both hosts, over that many UDP
// and TCP connections.
func (p *pair) exchange(t *testing.T, connections, rounds int) {
	t.Helper()
	var tcp net.Listener
	var udp net.PacketConn
	if err := p.server.Do(func() (err error) {
		if tcp, err = net.Listen("tcp4", serverAddr+":0"); err != nil {
			return err
		}
		udp, err = net.ListenPacket("udp4", serverAddr+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	defer udp.Close()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			udp.WriteTo(b[:n], from)
		}
	}()
	if err := p.client.Do(func() error {
		for i := range connections {
			port := 20000 + i // the kernel's choice may be the same twice
			for local, addr := range map[net.Addr]net.Addr{
				&net.TCPAddr{Port: port}: tcp.Addr(),
				&net.UDPAddr{Port: port}: udp.LocalAddr(),
			} {
				c, err := (&net.Dialer{LocalAddr: local}).Dial(addr.Network(), addr.String())
				if err != nil {
					return err
				}
				c.SetDeadline(time.Now().Add(time.Minute))
				b := make([]byte, 4)
				for i := range rounds {
					binary.BigEndian.PutUint32(b, uint32(i))
					if _, err := c.Write(b); err != nil {
						return err
					}
					if _, err := io.ReadFull(c, b); err != nil {
						return err
					}
				}
				if err := c.Close(); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestGroupFlows has real hosts talk: every connection must be in one Sniffer
// with both its directions, in order, and they must not all be in the same.
func TestGroupFlows(t *testing.T) {
	for _, backend := range groupBackends {
		t.Run(backend.String(), func(t *testing.T) {
			p := newPair(t)
			const members, connections, rounds = 4, 32, 5
			g := openGroupIn(t, p.client, "veth0", members, &capture.Config{
				Backend: backend,
				// Nobody reads meanwhile, which may be for a minute.
				Ring: &capture.Ring{BlockSize: 64 << 10, BlockCount: 640},
			})
			if g.Backend().Type != backend || g.Interface().Name != "veth0" || g.Link() != link.TypeEthernet {
				t.Errorf("group of %v on %v, link %v", g.Backend(), g.Interface(), g.Link())
			}
			if err := g.Activate(nil); err != nil {
				t.Fatal(err)
			}
			p.exchange(t, connections, rounds)

			type flow struct {
				proto          byte
				client, server uint16
			}
			type seen struct {
				member   int
				out, in  int
				lastSent int
			}
			flows := map[flow]*seen{}
			used := map[int]bool{}
			for member, frames := range drainGroup(t, g) {
				for _, f := range frames {
					ip, ok := parseIPv4(f.Data)
					if !ok || ip.proto != 6 && ip.proto != 17 {
						continue
					}
					src, dst := binary.BigEndian.Uint16(ip.payload), binary.BigEndian.Uint16(ip.payload[2:])
					key := flow{ip.proto, src, dst}
					out := ip.src == netip.MustParseAddr(clientAddr)
					if !out {
						key = flow{ip.proto, dst, src}
					}
					s := flows[key]
					if s == nil {
						s = &seen{member: member, lastSent: -1}
						flows[key] = s
					}
					if s.member != member {
						t.Fatalf("connection %+v is in Sniffers %d and %d", key, s.member, member)
					}
					used[member] = true
					if out {
						s.out++
					} else {
						s.in++
					}
					if ip.proto == 17 && out {
						n := int(binary.BigEndian.Uint32(ip.payload[8:]))
						if n != s.lastSent+1 {
							t.Errorf("connection %+v: message %d behind %d", key, n, s.lastSent)
						}
						s.lastSent = n
					}
				}
			}
			if len(flows) != 2*connections || len(used) < 2 {
				t.Errorf("%d connections in %d Sniffers, want %d in several", len(flows), len(used), 2*connections)
			}
			for key, s := range flows {
				if s.out < rounds || s.in < rounds {
					t.Errorf("connection %+v has %d frames out and %d in", key, s.out, s.in)
				}
			}
		})
	}
}

// TestGroupFragments wants the fragments of a datagram in one Sniffer.
func TestGroupFragments(t *testing.T) {
	p := newPair(t)
	g := openGroupIn(t, p.client, "veth0", 4, nil)
	if err := g.Activate(nil); err != nil {
		t.Fatal(err)
	}
	p.client.Run(t, "ping", "-c", "3", "-i", "0.05", "-s", "4000", serverAddr)
	where := map[string]int{}
	count := map[string]int{}
	for member, frames := range drainGroup(t, g) {
		for _, f := range frames {
			ip, ok := parseIPv4(f.Data)
			if !ok || ip.proto != 1 {
				continue
			}
			key := fmt.Sprint(f.Direction, ip.id)
			if at, ok := where[key]; ok && at != member {
				t.Errorf("datagram %s is in Sniffers %d and %d", key, at, member)
			}
			where[key] = member
			count[key]++
		}
	}
	for key, n := range count {
		if n != 3 {
			t.Errorf("datagram %s has %d fragments, want 3", key, n)
		}
	}
	if len(count) != 6 {
		t.Errorf("%d datagrams, want 6", len(count))
	}
}

// TestGroupModes wants every frame once, however they are shared.
func TestGroupModes(t *testing.T) {
	// PACKET_FANOUT_ of linux/if_packet.h.
	want := map[capture.Fanout]int{
		capture.FanoutHash: 0, capture.FanoutRoundRobin: 1, capture.FanoutCPU: 2,
		capture.FanoutRollover: 3, capture.FanoutRandom: 4, capture.FanoutQueue: 5,
	}
	for mode := capture.FanoutHash; mode <= capture.FanoutQueue; mode++ {
		t.Run(mode.String(), func(t *testing.T) {
			here, there := netns.New(t), netns.New(t)
			netns.Connect(t, here, "veth0", there, "veth0")
			peer := openPeer(t, there, "veth0")
			const members, total = 3, 90
			g := openGroupIn(t, here, "veth0", members, &capture.Config{Fanout: mode})
			for _, s := range g.Sniffers() {
				if got := kernelFanout(t, s); got != want[mode] {
					t.Errorf("the kernel has mode %d, want %d", got, want[mode])
				}
			}
			if err := g.Activate(nil); err != nil {
				t.Fatal(err)
			}
			for i := range uint32(total) {
				if err := peer.Send(numbered(i)); err != nil {
					t.Fatal(err)
				}
			}
			seen := map[uint32]int{}
			for member, frames := range drainGroup(t, g) {
				for _, f := range frames {
					seen[binary.BigEndian.Uint32(f.Data[14:])]++
				}
				if mode == capture.FanoutRoundRobin && len(frames) != total/members {
					t.Errorf("Sniffer %d has %d frames, want %d", member, len(frames), total/members)
				}
			}
			for i := range uint32(total) {
				if seen[i] != 1 {
					t.Errorf("frame %d was captured %d times", i, seen[i])
				}
			}
		})
	}
}

// kernelFanout returns the mode of the group that a Sniffer is in.
func kernelFanout(t *testing.T, s *capture.Sniffer) int {
	t.Helper()
	c, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const solPacket, packetFanout = 263, 18
	v := -1
	if cerr := c.Control(func(fd uintptr) { v, err = syscall.GetsockoptInt(int(fd), solPacket, packetFanout) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return v >> 16 & 0xff
}

// numbered is a frame of a local experiment with a number.
func numbered(n uint32) []byte {
	b := make([]byte, 60)
	copy(b, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5})
	binary.BigEndian.PutUint32(b[14:], n)
	return b
}

// TestGroupDown takes the interface down and up again: every Sniffer says so
// once, and they share again afterwards.
func TestGroupDown(t *testing.T) {
	for _, backend := range groupBackends {
		t.Run(backend.String(), func(t *testing.T) {
			here, there := netns.New(t), netns.New(t)
			netns.Connect(t, here, "veth0", there, "veth0")
			peer := openPeer(t, there, "veth0")
			g := openGroupIn(t, here, "veth0", 3, &capture.Config{Backend: backend, Fanout: capture.FanoutRoundRobin})
			if err := g.Activate(nil); err != nil {
				t.Fatal(err)
			}
			here.SetUp(t, "veth0", false)
			var f link.Frame
			for i, s := range g.Sniffers() {
				if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceDown) {
					t.Errorf("Sniffer %d: Next = %v, want ErrInterfaceDown", i, err)
				}
			}
			here.SetUp(t, "veth0", true)
			here.WaitReady(t, "veth0")
			there.WaitReady(t, "veth0")
			for i := range uint32(30) {
				if err := peer.Send(numbered(i)); err != nil {
					t.Fatal(err)
				}
			}
			for i, frames := range drainGroup(t, g) {
				if len(frames) != 10 {
					t.Errorf("Sniffer %d has %d frames, want 10", i, len(frames))
				}
			}
		})
	}
}

// TestGroupOpenDown opens a group on an interface that is down, which older
// kernels do not allow.
func TestGroupOpenDown(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	peer := openPeer(t, there, "veth0")
	here.SetUp(t, "veth0", false)
	if !kernelAtLeast(t, 6, 13) {
		err := here.Do(func() error {
			g, err := capture.OpenGroup("veth0", 2, nil)
			if err == nil {
				err = g.Close()
			}
			return err
		})
		if !errors.Is(err, capture.ErrInterfaceDown) || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("OpenGroup = %v, want ErrInterfaceDown", err)
		}
		// One that does not share may be opened.
		s, err := openIn(here, "veth0", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	g := openGroupIn(t, here, "veth0", 2, &capture.Config{Fanout: capture.FanoutRoundRobin})
	if err := g.Activate(nil); err != nil {
		t.Fatal(err)
	}
	here.SetUp(t, "veth0", true)
	here.WaitReady(t, "veth0")
	there.WaitReady(t, "veth0")
	for i := range uint32(20) {
		if err := peer.Send(numbered(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Deactivate(); err != nil {
		t.Fatal(err)
	}
	total := 0
	var f link.Frame
	for _, s := range g.Sniffers() {
		for {
			err := s.Next(&f)
			if errors.Is(err, capture.ErrInterfaceDown) {
				continue // was down, when it was opened
			}
			if err != nil {
				break
			}
			total++
		}
	}
	if total != 20 {
		t.Errorf("%d frames, want 20", total)
	}
}

// kernelAtLeast reports whether the running kernel is of a version or newer.
func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	var x, y int
	if _, err := fmt.Sscanf(string(b), "%d.%d", &x, &y); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return x > major || x == major && y >= minor
}

func TestOpenGroupErrors(t *testing.T) {
	ns := netns.New(t)
	open := func(name string, n int, cfg *capture.Config) error {
		return ns.Do(func() error {
			g, err := capture.OpenGroup(name, n, cfg)
			if err == nil {
				err = g.Close()
			}
			return err
		})
	}
	for _, n := range []int{-1, 257} {
		if err := open("lo", n, nil); !errors.Is(err, capture.ErrConfig) {
			t.Errorf("OpenGroup of %d = %v, want ErrConfig", n, err)
		}
	}
	if err := open("nope", 2, nil); !errors.Is(err, capture.ErrNoInterface) {
		t.Errorf("OpenGroup = %v, want ErrNoInterface", err)
	}
	if err := open("lo", 0, nil); err != nil {
		t.Errorf("OpenGroup of one a processor = %v", err)
	}
	// Two groups at once do not share with each other.
	a := openGroupIn(t, ns, "lo", 2, nil)
	b := openGroupIn(t, ns, "lo", 2, nil)
	for _, g := range []*capture.Group{a, b} {
		if err := g.Activate(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Sniffers()[0].Send(numbered(1)); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*capture.Group{a, b} {
		n := 0
		for _, frames := range drainGroup(t, g) {
			n += len(frames)
		}
		if n != 2 {
			t.Errorf("%d frames, want one out and one in", n)
		}
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again = %v, want net.ErrClosed", err)
	}
	if _, err := a.Stats(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Stats = %v, want net.ErrClosed", err)
	}
}
