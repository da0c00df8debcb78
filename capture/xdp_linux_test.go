package capture_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// openXDPOn opens and activates a Sniffer with AF_XDP.
func openXDPOn(t *testing.T, ns *netns.NS, cfg capture.Config) *capture.Sniffer {
	t.Helper()
	cfg.Backend = capture.BackendXDP
	s, err := openIn(ns, "veth0", &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// nextNumber reads a frame and returns the number in it.
func nextNumber(t *testing.T, s *capture.Sniffer) (int, link.Frame) {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var f link.Frame
	if err := s.Next(&f); err != nil {
		t.Fatal(err)
	}
	return int(f.Data[14]), f
}

// xdpFrame is a frame of the suite's kind with a number.
func xdpFrame(dst link.MacAddr, number byte) []byte {
	b := make([]byte, 60)
	copy(b, dst[:])
	copy(b[6:], []byte{2, 0, 0, 0, 0, 1, 0x88, 0xb5, number})
	return b
}

func TestXDPDown(t *testing.T) {
	for _, mtu := range []int{1500, 3600} {
		x, here, there := xdpFixture(t, mtu)
		expectDown := func(s *capture.Sniffer) {
			t.Helper()
			s.SetReadDeadline(time.Now().Add(time.Minute))
			var f link.Frame
			if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceDown) {
				t.Fatalf("Next = %v, want ErrInterfaceDown", err)
			}
			s.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // once
			if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Next = %v, want nothing", err)
			}
		}
		up := func() {
			here.SetUp(t, "veth0", true)
			here.WaitReady(t, "veth0")
			there.WaitReady(t, "veth0")
		}
		inject := func(number byte) {
			t.Helper()
			if err := x.Inject(xdpFrame(x.MAC, number)); err != nil {
				t.Fatal(err)
			}
		}
		s := openXDPOn(t, here, capture.Config{})
		inject(1)
		if n, _ := nextNumber(t, s); n != 1 {
			t.Fatalf("frame %d, want 1", n)
		}
		here.SetUp(t, "veth0", false)
		expectDown(s)
		// More of them than there is room for; and none of them goes out later.
		for range 1000 {
			if err := s.Send(xdpFrame(x.MAC, 99)); !errors.Is(err, capture.ErrInterfaceDown) {
				t.Fatalf("Send = %v, want ErrInterfaceDown", err)
			}
		}
		up()
		inject(2)
		if n, _ := nextNumber(t, s); n != 2 {
			t.Errorf("frame %d, want 2", n)
		}
		if err := s.Send(xdpFrame(x.MAC, 3)); err != nil {
			t.Fatal(err)
		}
		if b, err := x.Sent(); err != nil || b[14] != 3 {
			t.Errorf("the other end got frame % x, %v, want 3", b, err)
		}
		s.Close()

		here.SetUp(t, "veth0", false)
		late := openXDPOn(t, here, capture.Config{})
		expectDown(late)
		up()
		inject(4)
		if n, _ := nextNumber(t, late); n != 4 {
			t.Errorf("frame %d, want 4", n)
		}
	}
}

// TestXDPHost wants the host to receive what the filter does not accept, and
// everything when nothing is captured.
func TestXDPHost(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	here.AddAddress(t, "veth0", "192.0.2.1/24")
	there.AddAddress(t, "veth0", "192.0.2.2/24")
	ping := func() bool {
		_, err := there.TryRun(t, "ping", "-c", "1", "-W", "5", "192.0.2.1")
		return err == nil
	}
	s := openXDPOn(t, here, capture.Config{})
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	if !ping() {
		t.Error("no answer while nothing is captured")
	}
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x88b5, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Activate(prog); err != nil {
		t.Fatal(err)
	}
	if !ping() {
		t.Error("no answer while something else is captured")
	}
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	if out, err := there.TryRun(t, "ping", "-c", "1", "-W", "1", "192.0.2.1"); err == nil {
		t.Errorf("an answer while everything is captured: %s", out)
	}
	_, f := nextNumber(t, s)
	if et := f.Data[12:14]; et[0] != 8 {
		t.Errorf("captured frame of EtherType % x, want IPv4 or ARP", et)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !ping() {
		t.Error("no answer after Close")
	}
}

// TestXDPQueues captures from every queue of an interface.
func TestXDPQueues(t *testing.T) {
	here := netns.New(t)
	here.Run(t, "ip", "link", "add", "veth0", "numrxqueues", "4", "numtxqueues", "4",
		"type", "veth", "peer", "name", "veth1", "numrxqueues", "4", "numtxqueues", "4")
	for _, name := range []string{"veth0", "veth1"} {
		here.SetUp(t, name, true)
	}
	for _, name := range []string{"veth0", "veth1"} {
		here.WaitReady(t, name)
	}
	s := openXDPOn(t, here, capture.Config{})
	if b := s.Backend(); !strings.Contains(b.Detail, "4 queues") {
		t.Fatalf("backend %v, want 4 queues", b)
	}
	peer := openPeer(t, here, "veth1")
	mac := here.Interface(t, "veth0").MAC
	// UDP, so that the flow tells the queue.
	const flows = 64
	for i := range flows {
		b := make([]byte, 60)
		copy(b, mac[:])
		copy(b[6:], []byte{2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17})
		copy(b[26:], []byte{192, 0, 2, 2, 192, 0, 2, 1, byte(i), 1, 0, 53, 0, 26})
		if err := peer.Send(b); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[byte]bool)
	for range flows {
		_, f := nextNumber(t, s)
		seen[f.Data[34]] = true
	}
	if len(seen) != flows {
		t.Errorf("frames of %d flows, want %d", len(seen), flows)
	}
	if st, err := s.Stats(); err != nil || st.Received != flows || st.Dropped != 0 {
		t.Errorf("Stats = %+v, %v, want %d received", st, err, flows)
	}
}

// TestXDPOwnOverflow sends more than is kept of own frames.
func TestXDPOwnOverflow(t *testing.T) {
	x, here, _ := xdpFixture(t, 1500)
	s := openXDPOn(t, here, capture.Config{})
	const total = 1000
	var frames [][]byte
	for i := range total {
		frames = append(frames, xdpFrame(x.MAC, byte(i)))
	}
	if n, err := s.SendBatch(frames); n != total || err != nil {
		t.Fatalf("SendBatch = %d, %v", n, err)
	}
	st, err := s.Stats()
	if err != nil || st.Received+st.Dropped != total || st.Dropped == 0 {
		t.Fatalf("Stats = %+v, %v, want %d frames, some of them dropped", st, err, total)
	}
	for i := range int(st.Received) {
		n, f := nextNumber(t, s)
		if n != i%256 || f.Direction != link.DirectionOut || f.Flags.Has(link.InfoLossBefore) {
			t.Fatalf("frame %d has number %d, direction %v, flags %b", i, n, f.Direction, f.Flags)
		}
	}
	if err := s.Send(frames[0]); err != nil {
		t.Fatal(err)
	}
	if _, f := nextNumber(t, s); !f.Flags.Has(link.InfoLossBefore) {
		t.Error("the frame behind the loss has no InfoLossBefore")
	}
	// The batch ends at the first frame that does not fit.
	n, err := s.SendBatch([][]byte{frames[0], frames[1], make([]byte, 2000), frames[2]})
	if n != 2 || !errors.Is(err, capture.ErrFrameSize) {
		t.Errorf("SendBatch = %d, %v, want 2 and ErrFrameSize", n, err)
	}
}

// TestXDPWakesReader has a reader wait for what is sent.
func TestXDPWakesReader(t *testing.T) {
	x, here, _ := xdpFixture(t, 1500)
	s := openXDPOn(t, here, capture.Config{})
	for i := range byte(50) {
		done := make(chan int, 1)
		go func() {
			var f link.Frame
			if err := s.Next(&f); err != nil {
				t.Error(err)
			}
			done <- int(f.Data[14])
		}()
		if i%2 == 0 {
			time.Sleep(time.Millisecond)
		}
		if err := s.Send(xdpFrame(x.MAC, i)); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-done:
			if n != int(i) {
				t.Errorf("frame %d, want %d", n, i)
			}
		case <-time.After(time.Minute):
			t.Fatal("the reader sleeps on")
		}
	}
}

func TestXDPErrors(t *testing.T) {
	_, here, _ := xdpFixture(t, 1500)
	s := openXDPOn(t, here, capture.Config{})
	if _, err := openIn(here, "veth0", &capture.Config{Backend: capture.BackendXDP}); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a second Sniffer: %v, want EBUSY", err)
	}
	s.Close()
	here.Run(t, "ip", "tuntap", "add", "tun0", "mode", "tun")
	if _, err := openIn(here, "tun0", &capture.Config{Backend: capture.BackendXDP}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a link header: %v, want ErrUnsupported", err)
	}
}

// TestXDPPermission runs itself as nobody.
func TestXDPPermission(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		_, err := capture.Open("lo", &capture.Config{Backend: capture.BackendXDP})
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "cap_bpf+ep") {
			t.Errorf("Open = %v, want ErrPermission and what to do", err)
		}
		return
	}
	runAsNobody(t, "^TestXDPPermission$")
}

// TestXDPMoved gives the interface another name, and moves it to another
// namespace.
func TestXDPMoved(t *testing.T) {
	x, here, _ := xdpFixture(t, 1500)
	s := openXDPOn(t, here, capture.Config{})
	here.Run(t, "ip", "link", "set", "veth0", "name", "moved0")
	if err := x.Inject(xdpFrame(x.MAC, 1)); err != nil {
		t.Fatal(err)
	}
	if n, _ := nextNumber(t, s); n != 1 {
		t.Fatalf("frame %d, want 1", n)
	}
	if err := s.Send(xdpFrame(x.MAC, 2)); err != nil {
		t.Errorf("Send: %v", err)
	}
	nextNumber(t, s) // its own

	other := netns.New(t)
	sleeper := exec.Command(netns.Look(t, "sleep"), "60")
	if err := other.Start(sleeper); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sleeper.Process.Kill(); sleeper.Wait() })
	here.Run(t, "ip", "link", "set", "moved0", "netns", strconv.Itoa(sleeper.Process.Pid))
	for range 2 {
		var f link.Frame
		if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceGone) {
			t.Fatalf("Next = %v, want ErrInterfaceGone", err)
		}
	}
	if err := s.Send(xdpFrame(x.MAC, 3)); !errors.Is(err, capture.ErrInterfaceGone) {
		t.Errorf("Send = %v, want ErrInterfaceGone", err)
	}
}

// TestXDPTooLong receives a frame that is longer than the memory for one, after
// the MTU has grown.
func TestXDPTooLong(t *testing.T) {
	x, here, there := xdpFixture(t, 1500)
	s := openXDPOn(t, here, capture.Config{})
	here.SetMTU(t, "veth0", 3000)
	there.SetMTU(t, "veth0", 3000)
	long := make([]byte, 2500)
	copy(long, xdpFrame(x.MAC, 1))
	for _, b := range [][]byte{long, xdpFrame(x.MAC, 2)} {
		if err := x.Inject(b); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := nextNumber(t, s); n != 2 {
		t.Errorf("frame %d, want 2", n)
	}
	if st, err := s.Stats(); err != nil || st.Received != 1 || st.Dropped != 1 {
		t.Errorf("Stats = %+v, %v, want one received and one dropped", st, err)
	}
	if err := s.Send(long); !errors.Is(err, capture.ErrFrameSize) {
		t.Errorf("Send of what does not fit = %v, want ErrFrameSize", err)
	}
	here.SetMTU(t, "veth0", 600)
	if err := s.Send(long[:700]); !errors.Is(err, capture.ErrFrameSize) {
		t.Errorf("Send of what does not fit any more = %v, want ErrFrameSize", err)
	}
	here.SetMTU(t, "veth0", 1500)
	if err := s.Send(long[:700]); err != nil {
		t.Errorf("Send of what fits again = %v", err)
	}
}

// TestXDPNothingStays opens and closes, and counts descriptors and mappings.
func TestXDPNothingStays(t *testing.T) {
	x, here, _ := xdpFixture(t, 1500)
	count := func() (fds, maps int) {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return len(names), strings.Count(string(text), "socket:")
	}
	fds, maps := count()
	for i := range byte(20) {
		s := openXDPOn(t, here, capture.Config{})
		if err := x.Inject(xdpFrame(x.MAC, i)); err != nil {
			t.Fatal(err)
		}
		_, f := nextNumber(t, s)
		if i == 0 {
			if _, open := count(); open != maps+4 {
				t.Errorf("%d mappings of sockets while one is open, %d before, want four more", open, maps)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if f.Data[14] != i {
			t.Errorf("frame %d after Close is %d", i, f.Data[14])
		}
	}
	if f, m := count(); f > fds || m != maps {
		t.Errorf("%d descriptors, %d mappings of sockets, want %d, %d", f, m, fds, maps)
	}
}

// TestXDPSoak sends from one AF_XDP Sniffer to another and accounts for every
// frame.
func TestXDPSoak(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	a, b := openXDPOn(t, here, capture.Config{Direction: capture.In}), openXDPOn(t, there, capture.Config{Direction: capture.Out})
	const burst, total = 64, 64 * 500
	mac := here.Interface(t, "veth0").MAC
	read := make(chan error, 1)
	var progress atomic.Int64
	a.SetReadDeadline(time.Now().Add(time.Minute))
	go func() {
		var f link.Frame
		for i := range total {
			if err := a.Next(&f); err != nil {
				read <- err
				return
			}
			if n := binary.BigEndian.Uint32(f.Data[14:]); n != uint32(i) || f.Flags.Has(link.InfoLossBefore) {
				read <- fmt.Errorf("frame %d has number %d, flags %b", i, n, f.Flags)
				return
			}
			progress.Add(1)
		}
		read <- nil
	}()
	frames := make([][]byte, burst)
	for i := range frames {
		frames[i] = xdpFrame(mac, 0)
	}
	for sent := 0; sent < total; {
		for i, f := range frames {
			binary.BigEndian.PutUint32(f[14:], uint32(sent+i))
		}
		n, err := b.SendBatch(frames)
		if n != burst || err != nil {
			t.Fatalf("SendBatch = %d, %v", n, err)
		}
		sent += n
		// The cable has room for 256, and the reader may be slow.
		for end := time.Now().Add(time.Minute); int(progress.Load()) < sent-2*burst; time.Sleep(10 * time.Microsecond) {
			if time.Now().After(end) {
				st, err := a.Stats()
				t.Fatalf("%d frames read of %d sent; Stats = %+v, %v", progress.Load(), sent, st, err)
			}
		}
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	st, err := a.Stats()
	own, ownErr := b.Stats()
	if err != nil || ownErr != nil || st.Received != total || st.Dropped != 0 || own.Received+own.Dropped != total {
		t.Errorf("Stats = %+v, %v, and of the sender %+v, %v, want %d frames each", st, err, own, ownErr, total)
	}
}

// TestXDPGroup shares the queues of an interface among several Sniffers.
func TestXDPGroup(t *testing.T) {
	here := netns.New(t)
	here.Run(t, "ip", "link", "add", "veth0", "numrxqueues", "4", "numtxqueues", "4",
		"type", "veth", "peer", "name", "veth1", "numrxqueues", "4", "numtxqueues", "4")
	for _, name := range []string{"veth0", "veth1"} {
		here.SetUp(t, name, true)
	}
	for _, name := range []string{"veth0", "veth1"} {
		here.WaitReady(t, name)
	}
	open := func(n int, cfg capture.Config) (g *capture.Group, err error) {
		cfg.Backend = capture.BackendXDP
		err = here.Do(func() error {
			g, err = capture.OpenGroup("veth0", n, &cfg)
			return err
		})
		return g, err
	}
	if _, err := open(5, capture.Config{}); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "ethtool -L veth0") {
		t.Errorf("5 Sniffers of 4 queues: %v", err)
	}
	if _, err := open(2, capture.Config{Fanout: capture.FanoutCPU}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("fanout by processor: %v", err)
	}
	const members = 3 // one has two queues
	g, err := open(members, capture.Config{Fanout: capture.FanoutQueue})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	sniffers := g.Sniffers()
	if b := sniffers[0].Backend(); !strings.Contains(b.Detail, "2 queues") {
		t.Errorf("the first one: %v, want 2 queues", b)
	}
	peer := openPeer(t, here, "veth1")
	mac := here.Interface(t, "veth0").MAC
	const flows = 64
	send := func() {
		t.Helper()
		for i := range flows {
			b := make([]byte, 60)
			copy(b, mac[:])
			copy(b[6:], []byte{2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17})
			copy(b[26:], []byte{192, 0, 2, 2, 192, 0, 2, 1, byte(i), 1, 0, 53, 0, 26})
			if err := peer.Send(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := g.Activate(nil); err != nil {
		t.Fatal(err)
	}
	send()
	send()
	// A flow is with one Sniffer, both times.
	owner := make(map[byte]int)
	var counts [members]int
	for i, frames := range drainGroup(t, g) {
		for _, f := range frames {
			flow := f.Data[34]
			if at, ok := owner[flow]; ok && at != i {
				t.Errorf("flow %d is with Sniffers %d and %d", flow, at, i)
			}
			owner[flow] = i
			counts[i]++
		}
	}
	if len(owner) != flows || counts[0]+counts[1]+counts[2] != 2*flows {
		t.Fatalf("%d flows, frames %v, want %d and %d altogether", len(owner), counts, flows, 2*flows)
	}
	for i, n := range counts {
		if n == 0 {
			t.Errorf("Sniffer %d got nothing", i)
		}
	}

	// The filter of one is its own, and goes with it.
	if err := sniffers[0].Activate([]bpf.RawInstruction{{Op: 0x06}}); err != nil { // ret #0
		t.Fatal(err)
	}
	if err := sniffers[1].Activate(nil); err != nil {
		t.Fatal(err)
	}
	send()
	if err := sniffers[1].Deactivate(); err != nil {
		t.Fatal(err)
	}
	if got := len(drain(t, sniffers[1])); got != counts[1]/2 {
		t.Errorf("the second one got %d frames, want %d", got, counts[1]/2)
	}
	// One can go, and the others go on.
	if err := sniffers[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := sniffers[2].Activate(nil); err != nil {
		t.Fatal(err)
	}
	send()
	if err := sniffers[2].Lock(); err != nil {
		t.Fatal(err)
	}
	if err := sniffers[2].Deactivate(); !errors.Is(err, capture.ErrLocked) {
		t.Errorf("Deactivate after Lock: %v", err)
	}
	if err := sniffers[1].Activate(nil); err != nil {
		t.Errorf("Activate when another one is locked: %v", err)
	}
	if err := sniffers[2].SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var f link.Frame
	for range counts[2] / 2 {
		if err := sniffers[2].Next(&f); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	// All of it is free again.
	g, err = open(4, capture.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Lock(); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
