package capture_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"golang.org/x/net/bpf"
)

// tcpdump captures in a namespace into a file until the function that it
// returns is called.
func tcpdump(t *testing.T, ns *netns.NS, args ...string) (file string, stop func()) {
	t.Helper()
	path := netns.Look(t, "tcpdump")
	file = filepath.Join(t.TempDir(), "tcpdump.pcap")
	// In this mode its buffer holds frames of the longest length there may be.
	args = append([]string{"-n", "-U", "-w", file, "--immediate-mode", "-s", "4096", "-B", "16384", "-Z", "root"}, args...)
	cmd := exec.Command(path, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening on") {
	}
	return file, func() {
		t.Helper()
		cmd.Process.Signal(os.Interrupt)
		var rest []string
		for lines.Scan() {
			rest = append(rest, lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("tcpdump %v: %v\n%s", args, err, strings.Join(rest, "\n"))
		}
		if !slices.Contains(rest, "0 packets dropped by kernel") {
			t.Fatalf("tcpdump %v: %s", args, strings.Join(rest, "\n"))
		}
	}
}

// readPcap returns the frames of a capture file.
func readPcap(t *testing.T, file string) []link.Frame {
	t.Helper()
	r, err := pcap.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []link.Frame
	for f, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Clone())
	}
	return all
}

// dump has a line for every frame, sorted: two processors may put frames into
// several sockets in different orders.
func dump(frames []link.Frame) []string {
	var lines []string
	for _, f := range frames {
		lines = append(lines, fmt.Sprintf("%v %d of %d: %s", f.Link, len(f.Data), f.WireLen, hex.EncodeToString(f.Data)))
	}
	slices.Sort(lines)
	return lines
}

// sameFrames wants the same frames from this package and from tcpdump, which
// leaves out what goes out on the loopback interface, because it comes in again.
func sameFrames(t *testing.T, what string, got, want []link.Frame) {
	t.Helper()
	const loopback = 1 // its index, in every namespace
	got = slices.DeleteFunc(slices.Clone(got), func(f link.Frame) bool {
		return f.Interface == loopback && f.Direction == link.DirectionOut
	})
	g, w := dump(got), dump(want)
	if slices.Equal(g, w) {
		return
	}
	t.Errorf("%s: %d frames, tcpdump has %d", what, len(g), len(w))
	for i := range max(len(g), len(w)) {
		line := func(all []string) string {
			if i < len(all) {
				return all[i]
			}
			return "nothing"
		}
		if line(g) != line(w) {
			t.Errorf("first difference:\n got %s\nwant %s", line(g), line(w))
			return
		}
	}
}

// compile returns what libpcap makes of an expression, for a link type that
// tcpdump knows by name.
func compile(t *testing.T, ns *netns.NS, iface, linktype, expr string) []bpf.RawInstruction {
	t.Helper()
	cmd := exec.Command(netns.Look(t, "tcpdump"), "-i", iface, "-y", linktype, "-ddd", expr)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("tcpdump -ddd %q: %v", expr, err)
	}
	var n int
	fmt.Fscan(&out, &n)
	prog := make([]bpf.RawInstruction, n)
	for i := range prog {
		in := &prog[i]
		if _, err := fmt.Fscan(&out, &in.Op, &in.Jt, &in.Jf, &in.K); err != nil {
			t.Fatal(err)
		}
	}
	return prog
}

// star is a host with two cables, and the hosts at their ends.
type star struct {
	here, one, two *netns.NS
}

func newStar(t *testing.T) *star {
	t.Helper()
	s := &star{netns.New(t), netns.New(t), netns.New(t)}
	netns.Connect(t, s.here, "veth1", s.one, "veth0")
	netns.Connect(t, s.here, "veth2", s.two, "veth0")
	s.here.AddAddress(t, "veth1", "192.0.2.1/24")
	s.one.AddAddress(t, "veth0", "192.0.2.2/24")
	s.here.AddAddress(t, "veth2", "198.51.100.1/24")
	s.two.AddAddress(t, "veth0", "198.51.100.2/24")
	return s
}

// talk makes traffic of many kinds on all interfaces.
func (s *star) talk(t *testing.T) {
	t.Helper()
	s.here.Run(t, "ping", "-c", "2", "-i", "0.02", "-s", "300", "192.0.2.2")
	s.here.Run(t, "ping", "-c", "2", "-i", "0.02", "198.51.100.2")
	s.here.Run(t, "ping", "-c", "1", "-s", "3000", "198.51.100.2") // fragments
	s.here.Run(t, "ping", "-c", "1", "127.0.0.1")
	p := pair{client: s.here, server: s.one}
	if err := s.here.Do(func() error { // to a port that is closed
		c, err := net.Dial("udp4", serverAddr+":7777")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("nobody is there"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p.exchange(t, 1, 3)
	peer := openPeer(t, s.two, "veth0")
	there := s.here.Interface(t, "veth2").MAC
	macs := append(there[:], 2, 0, 0, 0, 0, 9)
	for _, head := range [][]byte{
		{0x81, 0x00, 0x60, 0x64, 0x88, 0xb5},                         // a VLAN tag
		{0x88, 0xa8, 0x00, 0x05, 0x81, 0x00, 0x00, 0x07, 0x88, 0xb5}, // two of them
		{0x00, 0x10, 0xaa, 0xaa, 0x03},                               // a length instead of a type: IEEE 802.2
		{0x08, 0x00},                                                 // a header of IP that is none
	} {
		if err := peer.Send(slices.Concat(macs, head, bytes.Repeat([]byte{7}, 60))); err != nil {
			t.Fatal(err)
		}
	}
	other := append([]byte{2, 0, 0, 0, 0, 7, 2, 0, 0, 0, 0, 9, 0x88, 0xb5}, make([]byte, 50)...)
	if err := peer.Send(other); err != nil { // for somebody else
		t.Fatal(err)
	}
	if err := peer.Send(other[:14]); err != nil { // nothing behind the header
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // for answers that are still on their way
}

// anyFilters are expressions for a capture of all interfaces.
var anyFilters = []string{
	"icmp",
	"arp",
	"udp port 7777",
	"tcp[tcpflags] & tcp-syn != 0",
	"inbound",
	"outbound and not ip",
	"ifindex 1",
	"len > 200",
	"less 100 and ip",
	"ip host 198.51.100.2 and ip[8] > 10",
	"ip[6:2] & 0x1fff != 0",
	"not ip",
	"ip6 or link[0:2] == 4",
}

// TestAny compares a capture of all interfaces with what tcpdump captures at
// the same time, without a filter and with several.
func TestAny(t *testing.T) {
	for _, backend := range groupBackends {
		t.Run(backend.String(), func(t *testing.T) {
			s := newStar(t)
			file, stop := tcpdump(t, s.here, "-i", "any")
			openAny := func(filter []bpf.RawInstruction, snap int) *capture.Sniffer {
				t.Helper()
				c, err := openIn(s.here, "any", &capture.Config{
					Backend: backend, SnapLen: snap, Promiscuous: true,
					// It takes seconds to fill so many blocks, however slowly frames come.
					Ring: &capture.Ring{BlockSize: 64 << 10, BlockCount: 64}, Timeout: 100 * time.Millisecond,
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				if err := c.Activate(filter); err != nil {
					t.Fatal(err)
				}
				return c
			}
			all, short := openAny(nil, 0), openAny(nil, 60)
			if all.Link() != link.TypeLinuxSLL2 || all.Interface().Name != "any" || all.Interface().Index != 0 {
				t.Errorf("opened %+v", all.Interface())
			}
			filtered := map[string]*capture.Sniffer{}
			for _, expr := range anyFilters {
				filtered[expr] = openAny(compile(t, s.here, "any", "LINUX_SLL2", expr), 0)
			}
			if err := all.Send(make([]byte, 60)); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Send = %v, want ErrUnsupported", err)
			}
			if n, err := all.SendBatch([][]byte{make([]byte, 60)}); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("SendBatch = %d, %v, want ErrUnsupported", n, err)
			}
			if n, err := all.SendBatch(nil); n != 0 || err != nil {
				t.Errorf("SendBatch of nothing = %d, %v", n, err)
			}
			s.talk(t)
			stop()
			want := readPcap(t, file)
			got := drain(t, all)
			sameFrames(t, "everything", got, want)
			interfaces, tagged := map[int]bool{}, 0
			for _, f := range got {
				interfaces[f.Interface] = true
				if f.Flags.Has(link.InfoVLAN) {
					tagged++
				}
				if at := int(f.Data[7]); at != f.Interface {
					t.Errorf("frame of interface %d says %d", f.Interface, at)
				}
				if out := f.Data[10] == 4; out != (f.Direction == link.DirectionOut) {
					t.Errorf("frame of packet type %d went %v", f.Data[10], f.Direction)
				}
			}
			if len(interfaces) != 3 || tagged != 2 {
				t.Errorf("%d interfaces and %d frames with a tag, want 3 and 2", len(interfaces), tagged)
			}
			for i := range want {
				want[i].Data = want[i].Data[:min(60, len(want[i].Data))]
			}
			sameFrames(t, "SnapLen", drain(t, short), want)
			for _, expr := range anyFilters {
				sameFrames(t, expr, drain(t, filtered[expr]), refilter(t, s.here, file, expr))
			}
		})
	}
}

// refilter returns those frames of a file that tcpdump accepts.
func refilter(t *testing.T, ns *netns.NS, file, expr string) []link.Frame {
	t.Helper()
	out := filepath.Join(t.TempDir(), "filtered.pcap")
	ns.Run(t, "tcpdump", "-r", file, "-w", out, "-Z", "root", expr)
	return readPcap(t, out)
}

// TestCookedInterfaces captures on interfaces whose frames get a header in place
// of their own, and compares with tcpdump.
func TestCookedInterfaces(t *testing.T) {
	const (
		unknown = 0xfffa // an ARPHRD_ that nobody uses
		netlink = 824    // ARPHRD_NETLINK
	)
	packet := slices.Concat([]byte{
		0x45, 0, 0, 28, // version 4, header of five words, total length
		0, 1, 0, 0, // identification
		64, 17, 0, 0, // time to live, UDP, no checksum
		192, 0, 2, 1, // source
		192, 0, 2, 2, // destination
	}, []byte{0x1f, 0x90, 0, 53, 0, 8, 0, 0}) // UDP from port 8080 to 53
	for _, backend := range groupBackends {
		for _, c := range []struct {
			name     string
			hardware int
			want     link.Type
			tcpdump  string // the interface on which it uses the same header
			filter   string
		}{
			{"unknown", unknown, link.TypeLinuxSLL2, "any", "ip host 192.0.2.2"},
			{"netlink", netlink, link.TypeNetlink, "tun0", ""},
		} {
			t.Run(c.name+" "+backend.String(), func(t *testing.T) {
				ns := netns.New(t)
				tun := ns.Tun(t, "tun0", c.hardware)
				file, stop := tcpdump(t, ns, "-i", c.tcpdump)
				open := func(filter []bpf.RawInstruction) *capture.Sniffer {
					t.Helper()
					s, err := openIn(ns, "tun0", &capture.Config{Backend: backend})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { s.Close() })
					if err := s.Activate(filter); err != nil {
						t.Fatal(err)
					}
					return s
				}
				s := open(nil)
				var filter []bpf.RawInstruction
				if c.filter != "" {
					filter = compile(t, ns, "any", "LINUX_SLL2", c.filter)
				}
				filtered := open(filter)
				if s.Link() != c.want {
					t.Errorf("link type %v, want %v", s.Link(), c.want)
				}
				other := bytes.Clone(packet)
				other[19] = 9
				for _, p := range [][]byte{packet, other} {
					if _, err := tun.Write(p); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(100 * time.Millisecond)
				stop()
				want := readPcap(t, file)
				if len(want) != 2 {
					t.Errorf("tcpdump has %d frames, want 2", len(want))
				}
				sameFrames(t, "everything", drain(t, s), want)
				if c.filter != "" {
					want = want[:1]
				}
				sameFrames(t, c.filter, drain(t, filtered), want)
				if err := s.Send(packet); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("Send = %v, want ErrUnsupported", err)
				}
			})
		}
	}
}

// TestAnyRefuses wants an error for what the kernel's filter cannot see.
func TestAnyRefuses(t *testing.T) {
	ns := netns.New(t)
	s, err := openIn(ns, "any", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	prog := compile(t, ns, "any", "LINUX_SLL2", "link[12] == 2")
	if err := s.Activate(prog); !errors.Is(err, capture.ErrFilter) {
		t.Errorf("Activate = %v, want ErrFilter", err)
	}
}

// TestAnyInterfaces has interfaces come and go under a capture of all of them.
func TestAnyInterfaces(t *testing.T) {
	for _, backend := range groupBackends {
		t.Run(backend.String(), func(t *testing.T) {
			here, there := netns.New(t), netns.New(t)
			s, err := openIn(here, "any", &capture.Config{Backend: backend})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Activate(nil); err != nil {
				t.Fatal(err)
			}
			netns.Connect(t, here, "veth0", there, "veth0")
			peer := openPeer(t, there, "veth0")
			for i := range uint32(3) {
				if err := peer.Send(numbered(i)); err != nil {
					t.Fatal(err)
				}
				here.SetUp(t, "veth0", false)
				here.SetUp(t, "veth0", true)
				here.WaitReady(t, "veth0")
				there.WaitReady(t, "veth0")
			}
			here.Delete(t, "veth0")
			here.SetUp(t, "lo", false)
			if got := drain(t, s); len(got) != 3 {
				t.Errorf("%d frames, want 3", len(got))
			}
		})
	}
}

// TestAnyGroup shares the frames of all interfaces.
func TestAnyGroup(t *testing.T) {
	s := newStar(t)
	g := openGroupIn(t, s.here, "any", 2, nil)
	alone, err := openIn(s.here, "any", manyBlocks(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if err := errors.Join(g.Activate(nil), alone.Activate(nil)); err != nil {
		t.Fatal(err)
	}
	s.talk(t)
	var got []link.Frame
	for _, frames := range drainGroup(t, g) {
		got = append(got, frames...)
	}
	if got, want := describe(got), describe(drain(t, alone)); !slices.Equal(got, want) || len(got) < 40 {
		t.Errorf("the group has %d frames, somebody alone %d", len(got), len(want))
	}
}
