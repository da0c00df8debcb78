package afpacket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/sys/unix"
)

const (
	patience  = time.Minute // for what should take no time
	etherType = 0x88b5      // for local experiments, IEEE 802
)

// A wire is a cable between two namespaces.
type wire struct {
	here, there *netns.NS
	a, b        link.Interface // its ends
}

func newWire(tb testing.TB) *wire {
	tb.Helper()
	inOrder(tb)
	w := &wire{here: netns.New(tb), there: netns.New(tb)}
	netns.Connect(tb, w.here, "veth0", w.there, "veth0")
	w.a, w.b = w.here.Interface(tb, "veth0"), w.there.Interface(tb, "veth0")
	return w
}

// inOrder keeps the rest of the test on one processor: each has a queue of its
// own for what it sends through a cable, and a test that moves to another one
// may overtake itself.
func inOrder(tb testing.TB) {
	tb.Helper()
	runtime.LockOSThread() // until the goroutine ends, and the thread with it
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		tb.Fatal(err)
	}
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			set.Zero()
			set.Set(cpu)
			break
		}
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		tb.Fatal(err)
	}
}

// A testRing is a Ring and its socket.
type testRing struct {
	*Ring
	s *Socket
}

// tryRing makes a ring in a namespace, on a socket that is not bound.
func tryRing(tb testing.TB, ns *netns.NS, kind Kind, cfg RingConfig) (*testRing, error) {
	tb.Helper()
	r := new(testRing)
	if err := ns.Do(func() (err error) {
		var c Config
		if !kind.isPacket() {
			c.Protocol = syscall.IPPROTO_UDP
		}
		r.s, err = Open(kind, &c)
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.s.Close() })
	var err error
	r.Ring, err = r.s.Ring(cfg)
	return r, err
}

// openRing makes a ring that is bound to veth0, and captures what has the tests'
// EtherType.
func openRing(tb testing.TB, ns *netns.NS, kind Kind, cfg RingConfig) *testRing {
	tb.Helper()
	r, err := tryRing(tb, ns, kind, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.s.Bind("veth0", etherType); err != nil {
		tb.Fatal(err)
	}
	soon(tb, r)
	return r
}

// soon gives what waits a deadline that passes only when something is wrong.
func soon(tb testing.TB, r *testRing) {
	tb.Helper()
	if err := r.s.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
}

// A peer is an ordinary socket at the other end of the wire.
type peer struct {
	tb testing.TB
	f  *os.File
}

func (w *wire) peer(tb testing.TB) *peer {
	tb.Helper()
	p := &peer{tb: tb}
	if err := w.there.Do(func() error {
		fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		p.f = os.NewFile(uintptr(fd), "peer")
		var proto [2]byte
		binary.BigEndian.PutUint16(proto[:], etherType)
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1<<20); err != nil {
			return err
		}
		return syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(proto[:]), Ifindex: w.b.Index})
	}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.f.Close() })
	return p
}

// send sends a frame.
func (p *peer) send(b []byte) {
	p.tb.Helper()
	if _, err := p.f.Write(b); err != nil {
		p.tb.Fatal(err)
	}
}

// receive returns the next frame, and nil when there is none for the time d.
func (p *peer) receive(d time.Duration) []byte {
	p.tb.Helper()
	if err := p.f.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.tb.Fatal(err)
	}
	b := make([]byte, 1<<16)
	n, err := p.f.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		p.tb.Fatal(err)
	}
	return b[:n]
}

// expect receives frames with these numbers.
func (p *peer) expect(numbers ...int) {
	p.tb.Helper()
	for _, want := range numbers {
		b := p.receive(patience)
		if b == nil {
			p.tb.Fatalf("frame %d did not arrive", want)
		}
		if got := number(b); got != want || !bytes.Equal(b, frame(got, len(b))) {
			p.tb.Fatalf("the peer got % x, want number %d", b, want)
		}
	}
}

// frame returns broadcast frame n of the test, of size bytes.
func frame(n, size int) []byte {
	b := make([]byte, size)
	copy(b, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5")
	binary.BigEndian.PutUint32(b[14:], uint32(n))
	for i := 18; i < size; i++ {
		b[i] = byte(n + i)
	}
	return b
}

// number returns which frame of the test b is.
func number(b []byte) int {
	if len(b) < 18 || binary.BigEndian.Uint16(b[12:]) != etherType {
		return -1
	}
	return int(binary.BigEndian.Uint32(b[14:]))
}

// small is a receive ring of blocks that a few frames fill.
func small(blocks int) *RxConfig {
	return &RxConfig{BlockSize: 1 << 16, BlockCount: blocks, Retire: 5 * time.Millisecond}
}

func TestRingConfig(t *testing.T) {
	page := os.Getpagesize()
	for _, c := range []struct {
		name string
		cfg  RingConfig
		want string // in the error; empty when there is none
	}{
		{"none", RingConfig{}, "neither Rx nor Tx"},
		{"receive by default", RingConfig{Rx: new(RxConfig)}, ""},
		{"transmit by default", RingConfig{Tx: new(TxConfig)}, ""},
		{"both by default", RingConfig{Rx: new(RxConfig), Tx: new(TxConfig)}, ""},
		{"block of no page", RingConfig{Rx: &RxConfig{BlockSize: page + 16}}, "receive ring: BlockSize is"},
		{"negative block", RingConfig{Rx: &RxConfig{BlockSize: -page}}, "must be a multiple of the page size"},
		{"one block", RingConfig{Rx: &RxConfig{BlockCount: 1}}, "must be at least 2"},
		{"three pages", RingConfig{Rx: &RxConfig{BlockSize: 3 * page}}, ""},
		{"too much", RingConfig{Rx: &RxConfig{BlockSize: 1 << 30, BlockCount: 2}}, "altogether"},
		{"odd frame", RingConfig{Rx: &RxConfig{FrameSize: 2056}}, "must be a multiple of 16"},
		{"short frame", RingConfig{Rx: &RxConfig{FrameSize: 64}}, "must be at least 68"},
		{"frame and headroom", RingConfig{Rx: &RxConfig{FrameSize: 80, Headroom: 16}}, "must be at least 84"},
		{"long frame", RingConfig{Rx: &RxConfig{BlockSize: page, FrameSize: 2 * page}}, "must be at most BlockSize"},
		{"negative headroom", RingConfig{Rx: &RxConfig{Headroom: -1}}, "Headroom is -1"},
		{"much headroom", RingConfig{Rx: &RxConfig{Headroom: 65025}}, "must be from 0 to 65024"},
		{"negative private area", RingConfig{Rx: &RxConfig{Private: -1}}, "Private is -1"},
		{"nothing but private area", RingConfig{Rx: &RxConfig{BlockSize: page, FrameSize: 128, Private: page - 116}}, "must be more than header"},
		{"much private area", RingConfig{Rx: &RxConfig{BlockSize: page, FrameSize: 128, Private: page - 124}}, ""},
		{"odd time", RingConfig{Rx: &RxConfig{Retire: 1500 * time.Microsecond}}, "whole milliseconds"},
		{"long time", RingConfig{Rx: &RxConfig{Retire: 2 * time.Minute}}, "must be from 1ms to 1m0s"},
		{"short slot", RingConfig{Tx: &TxConfig{FrameSize: 64}}, "transmit ring: FrameSize is 64"},
		{"odd slot", RingConfig{Tx: &TxConfig{FrameSize: 1000}}, "must be a multiple of 16"},
		{"negative slot", RingConfig{Tx: &TxConfig{FrameSize: -16}}, "must be at least 68"},
		{"slot longer than block", RingConfig{Tx: &TxConfig{FrameSize: 2 * page, BlockSize: page}}, "must be at most BlockSize"},
		{"long slot", RingConfig{Tx: &TxConfig{FrameSize: 1<<16 + 16, BlockCount: 2}}, ""},
		{"slot and headroom", RingConfig{Rx: &RxConfig{Headroom: 2048}, Tx: new(TxConfig)}, "must be at least 2116"},
		{"no transmit blocks", RingConfig{Tx: &TxConfig{BlockCount: -1}}, "must be at least 1"},
		{"loss with status", RingConfig{Tx: &TxConfig{Loss: true, Status: true}}, "Loss with Status"},
		{"too much together", RingConfig{Rx: &RxConfig{BlockSize: 1 << 20, BlockCount: 2047}, Tx: &TxConfig{BlockSize: 1 << 20}}, "together"},
	} {
		rx, tx, err := c.cfg.geometry()
		if c.want == "" {
			if err != nil || (rx != nil) != (c.cfg.Rx != nil) || (tx != nil) != (c.cfg.Tx != nil) {
				t.Errorf("%s: %+v, %+v, %v", c.name, rx, tx, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, capture.ErrConfig) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRingRefused asks for rings that there cannot be.
func TestRingRefused(t *testing.T) {
	ns := netns.New(t)
	refused := func(name string, err error) {
		t.Helper()
		op, ok := errors.AsType[*capture.OpError](err)
		if !ok || op.Op != "ring" || !errors.Is(err, capture.ErrConfig) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	both := RingConfig{Rx: new(RxConfig), Tx: new(TxConfig)}
	_, err := tryRing(t, ns, KindL2, RingConfig{Rx: &RxConfig{FrameSize: 8}})
	refused("illegal", err)
	_, err = tryRing(t, ns, KindIPv4, both)
	refused("raw IP", err)
	r, err := tryRing(t, ns, KindL2, both)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.s.Ring(both)
	refused("two", err)
	var s *Socket
	if err := ns.Do(func() (err error) {
		s, err = Open(KindL2, nil)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Bind("lo", EtherTypeAll); err != nil {
		t.Fatal(err)
	}
	_, err = s.Ring(both)
	refused("bound", err)
	if err := ns.Do(func() (err error) {
		s, err = Open(KindL2, nil)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err = s.Ring(both); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestRingDiscard changes the filter under traffic.
func TestRingDiscard(t *testing.T) {
	w := newWire(t)
	cfg := small(4)
	cfg.Retire = 100 * time.Millisecond // so that blocks are half full
	r := openRing(t, w.here, KindL2, RingConfig{Rx: cfg})
	p := w.peer(t)
	var f RingFrame
	n := 0
	for range 6 {
		soon(t, r)
		for range 100 {
			p.send(frame(n, 200))
			n++
		}
		if err := r.s.Flush(); err != nil {
			t.Fatal(err)
		}
		p.send(frame(n, 200)) // is rejected
		r.Discard()
		if err := r.s.ClearFilter(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			n++
			p.send(frame(n, 200))
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
			if number(f.Data) != n {
				t.Fatalf("number %d, want %d", number(f.Data), n)
			}
		}
		n++
	}
}

// TestRingFrame has everything that is known of one frame.
func TestRingFrame(t *testing.T) {
	w := newWire(t)
	cfg := small(4)
	cfg.Headroom = 100
	r := openRing(t, w.here, KindL2, RingConfig{Rx: cfg})
	var f RingFrame
	if ok, err := r.TryNext(&f); ok || err != nil {
		t.Fatalf("TryNext with nothing there: %t, %v", ok, err)
	}
	p := w.peer(t)
	want := frame(1, 100)
	copy(want[6:], w.b.MAC[:])
	before := time.Now()
	p.send(want)
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f.Data, want) {
		t.Errorf("got % x, want % x", f.Data, want)
	}
	if f.Link != link.TypeEthernet || f.WireLen != 100 || f.Interface != w.a.Index || f.Direction != link.DirectionBroadcast {
		t.Errorf("got %+v", f.Info)
	}
	// The kernel's clock for this may be a few milliseconds behind.
	if f.Time.Before(before.Add(-time.Second)) || f.Time.After(time.Now()) {
		t.Errorf("time %v, sent at %v", f.Time, before)
	}
	addr := Addr{Interface: w.a.Index, EtherType: etherType, ARPType: syscall.ARPHRD_ETHER, Hardware: HardwareAddrFromMAC(w.b.MAC)}
	if f.EtherType() != etherType || f.PacketType() != syscall.PACKET_BROADCAST || f.Addr() != addr {
		t.Errorf("EtherType %v, packet type %d, from %v, want %v", f.EtherType(), f.PacketType(), f.Addr(), addr)
	}
	if v, ok := f.Vnet(); ok {
		t.Errorf("virtio_net header %+v", v)
	}
	if f.NetworkOffset() != 14 {
		t.Errorf("network header at %d, want 14", f.NetworkOffset())
	}
	if s := f.Status(); s.Has(FrameVLAN) || s.Has(FrameCopied) || s.Has(FrameLosing) || s&1 == 0 {
		t.Errorf("status %#x", uint32(s))
	}
	room := f.Headroom()
	if len(room) < 100 {
		t.Fatalf("headroom of %d bytes, want 100 at least", len(room))
	}
	copy(room[len(room)-100:], bytes.Repeat([]byte{0xa5}, 100))
	long := f.Prepend(100)
	if !bytes.Equal(long[:100], bytes.Repeat([]byte{0xa5}, 100)) || !bytes.Equal(long[100:], want) {
		t.Errorf("with headroom: % x", long)
	}
	if b := f.Prepend(len(room) + 1); b != nil {
		t.Errorf("%d bytes of headroom out of %d", len(room)+1, len(room))
	}
	// What was written did not touch anything that matters.
	if f.Addr() != addr {
		t.Error("the headroom overlaps the header")
	}
	c := f.Clone()
	for i := range f.Data {
		f.Data[i] = 0
	}
	if !bytes.Equal(c.Data, want) {
		t.Error("the clone is not its own")
	}
	if zero := new(RingFrame); zero.EtherType() != 0 || zero.Headroom() != nil || zero.Prepend(1) != nil || zero.NetworkOffset() != 0 || zero.Addr() != (Addr{}) {
		t.Error("a frame that was never read knows something")
	}
}

// TestRingTag has a frame with a tag, which the kernel takes off. Only a socket
// for all protocols learns of it: before the others get the frame, the kernel
// forgets the tag of an interface without VLANs.
func TestRingTag(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Rx: small(4)})
	if err := r.s.ps.BindLink(syscall.ETH_P_ALL, w.a.Index); err != nil {
		t.Fatal(err)
	}
	want := frame(1, 100)
	w.peer(t).send(append(append(append([]byte{}, want[:12]...), 0x81, 0x00, 0x60, 0x64), want[12:]...))
	var f RingFrame
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	if !f.Status().Has(FrameVLAN|FrameVLANTPID) || f.VLANTCI != 0x6064 || f.VLANTPID != 0x8100 || f.EtherType() != etherType {
		t.Errorf("status %#x, tag %#x %#x, EtherType %v", uint32(f.Status()), f.VLANTPID, f.VLANTCI, f.EtherType())
	}
	if !bytes.Equal(f.Data, want) {
		t.Errorf("got % x, want % x", f.Data, want)
	}
}

// TestRingHash has the kernel hash flows, or not.
func TestRingHash(t *testing.T) {
	w := newWire(t)
	p := w.peer(t)
	for _, no := range []bool{false, true} {
		cfg := small(4)
		cfg.NoHash = no
		r := openRing(t, w.here, KindL2, RingConfig{Rx: cfg})
		if err := r.s.ps.BindLink(syscall.ETH_P_ALL, w.a.Index); err != nil {
			t.Fatal(err)
		}
		var hashes []uint32
		for _, port := range []byte{1, 1, 2} {
			// UDP over IPv4, with no checksum that anybody looks at.
			b := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x00"),
				"\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x11\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x00\x20\x00\x00\x08\x00\x00"...)
			b[35] = port
			p.send(b)
			var f RingFrame
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
			if f.Flags.Has(link.InfoHash) == no || (f.Hash != 0) == no {
				t.Errorf("NoHash %t: flags %#x, hash %#x", no, f.Flags, f.Hash)
			}
			hashes = append(hashes, f.Hash)
		}
		if !no && (hashes[0] != hashes[1] || hashes[0] == hashes[2]) {
			t.Errorf("hashes of two frames of a flow and one of another: %#x", hashes)
		}
		r.Close()
	}
}

// TestRingPackets reads packets without link headers.
func TestRingPackets(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL3, RingConfig{Rx: small(4)})
	sent := frame(7, 90)
	w.peer(t).send(sent)
	var f RingFrame
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f.Data, sent[14:]) || f.NetworkOffset() != 0 || f.Link != link.TypeUser0 {
		t.Errorf("got % x, network header at %d, link %v", f.Data, f.NetworkOffset(), f.Link)
	}
	if hw := f.Addr().Hardware; f.EtherType() != etherType || !bytes.Equal(hw.b[:hw.n], sent[6:12]) {
		t.Errorf("EtherType %v from %v", f.EtherType(), hw)
	}
}

// TestRingAccounts has every frame that was sent: read, or counted as lost, and
// the first behind a gap marked, whether or not somebody asks for the counters
// in between.
func TestRingAccounts(t *testing.T) {
	for _, ask := range []bool{false, true} {
		w := newWire(t)
		r := openRing(t, w.here, KindL2, RingConfig{Rx: small(2)})
		// Sees the same frames, and says when all of them have arrived.
		var counter *Socket
		if err := w.here.Do(func() (err error) {
			counter, err = Open(KindL2, nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer counter.Close()
		if err := counter.Bind("veth0", etherType); err != nil {
			t.Fatal(err)
		}
		arrived := func(n uint64) {
			t.Helper()
			for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
				st, err := counter.Stats()
				if err != nil {
					t.Fatal(err)
				}
				if st.Received+st.Dropped == n {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%d frames sent, %+v", n, st)
				}
			}
		}
		p := w.peer(t)
		const sent = 900 // and the ring holds a few hundred
		for i := range sent {
			p.send(frame(i, 200))
		}
		arrived(sent)
		if ask {
			if _, err := r.s.Stats(); err != nil {
				t.Fatal(err)
			}
		}
		var f RingFrame
		read := 0
		for {
			ok, err := r.TryNext(&f)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if number(f.Data) != read || f.Flags.Has(link.InfoLossBefore) {
				t.Fatalf("frame %d in place of %d, flags %#x", number(f.Data), read, f.Flags)
			}
			read++
		}
		for i := range 3 {
			p.send(frame(sent+i, 200))
			arrived(sent + uint64(i) + 1)
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
			if marked := f.Flags.Has(link.InfoLossBefore); number(f.Data) != sent+i || marked != (i == 0) {
				t.Fatalf("frame %d in place of %d, flags %#x", number(f.Data), sent+i, f.Flags)
			}
		}
		st, err := r.s.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if st.Dropped == 0 || st.RingFreezes == 0 || uint64(read)+st.Dropped != sent || st.Received != uint64(read)+3 || read == 0 {
			t.Errorf("%d frames sent, %d read, counters %+v", sent, read, st)
		}
	}
}

func TestRingBlocks(t *testing.T) {
	w := newWire(t)
	cfg := small(4)
	cfg.Private = 20
	r := openRing(t, w.here, KindL2, RingConfig{Rx: cfg})
	if r.Blocks() != 4 || r.Slots() != 0 {
		t.Errorf("%d blocks and %d slots, want 4 and 0", r.Blocks(), r.Slots())
	}
	p := w.peer(t)
	var b Block
	if ok, err := r.TryNextBlock(&b); ok || err != nil {
		t.Fatalf("TryNextBlock with nothing there: %t, %v", ok, err)
	}
	var f RingFrame
	n := 0
	for lap := range 3 {
		for i := range 4 {
			const frames = 3 // each may have a block of its own, beside the one in hand
			for j := range frames {
				p.send(frame(n+j, 60+j))
			}
			// The kernel may hand over what there is at any time.
			got := 0
			for got < frames {
				if err := r.NextBlock(&b); err != nil {
					t.Fatal(err)
				}
				if s := b.Status(); !s.Has(BlockUser|BlockTimeout) || s.Has(BlockLosing) {
					t.Errorf("block %d: status %v", b.Index(), s)
				}
				if s, k := r.Fill(b.Index()); s != b.Status() || k != b.Len() {
					t.Errorf("block %d: Fill = %v, %d, want %v, %d", b.Index(), s, k, b.Status(), b.Len())
				}
				if want := uint64(b.Index()); (b.Seq()-1)%4 != want {
					t.Errorf("block %d has number %d", b.Index(), b.Seq())
				}
				private := b.Private()
				if len(private) != 20 || cap(private) != 20 {
					t.Fatalf("private area of %d bytes, want 20", len(private))
				}
				mark := bytes.Repeat([]byte{byte(b.Index() + 1)}, 20)
				if b.Seq() > 4 && !bytes.Equal(private, mark) {
					t.Errorf("block %d: private area % x, want % x", b.Index(), private, mark)
				}
				copy(private, mark)
				in := 0
				for ; ; in++ {
					if b.Left() != b.Len()-in {
						t.Errorf("%d frames left of %d after %d", b.Left(), b.Len(), in)
					}
					ok, err := b.Next(&f)
					if err != nil {
						t.Fatal(err)
					}
					if !ok {
						break
					}
					if number(f.Data) != n+got || !bytes.Equal(f.Data, frame(n+got, 60+got)) {
						t.Fatalf("lap %d, block %d: got number %d, want %d", lap, i, number(f.Data), n+got)
					}
					if f.EtherType() != etherType || f.Link != link.TypeEthernet {
						t.Errorf("EtherType %v, link %v", f.EtherType(), f.Link)
					}
					// A frame may have been stamped when its block was not open yet.
					if f.Time.Before(b.First().Add(-patience)) || f.Time.After(b.Last()) {
						t.Errorf("frame at %v, block from %v to %v", f.Time, b.First(), b.Last())
					}
					got++
				}
				if in != b.Len() || b.Bytes() < in*frameHeaderLen {
					t.Errorf("block %d: %d frames and %d bytes, walked %d", b.Index(), b.Len(), b.Bytes(), in)
				}
			}
			n += frames
		}
	}
	b.Release()
	b.Release() // does nothing
	if b.Private() != nil {
		t.Error("the private area outlives the block")
	}
	if s, k := r.Fill(99); s != 0 || k != 0 {
		t.Errorf("Fill(99) = %v, %d", s, k)
	}
}

// TestRingLeases holds blocks back and gives them back in another order.
func TestRingLeases(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Rx: small(2)})
	p := w.peer(t)
	var a, b, c Block
	take := func(b *Block, n int) {
		t.Helper()
		p.send(frame(n, 60))
		if err := r.NextBlock(b); err != nil {
			t.Fatal(err)
		}
		var f RingFrame
		if ok, err := b.Next(&f); !ok || err != nil || number(f.Data) != n {
			t.Fatalf("frame %d: %t, %v, number %d", n, ok, err, number(f.Data))
		}
	}
	take(&a, 0)
	take(&b, 1)
	if a.Index() == b.Index() {
		t.Fatal("one block twice")
	}
	if err := r.NextBlock(&c); !errors.Is(err, ErrLeased) {
		t.Fatalf("with all blocks leased: %v", err)
	}
	if _, err := r.TryNext(new(RingFrame)); !errors.Is(err, ErrLeased) {
		t.Fatalf("with all blocks leased: %v", err)
	}
	b.Release()
	if err := r.NextBlock(&c); !errors.Is(err, ErrLeased) {
		t.Fatalf("with the next block leased: %v", err)
	}
	a.Release()
	take(&c, 2)
	take(&a, 3)
	a.Release()
	// Frame by frame in between.
	c.Release() // a frame that comes while the kernel waits for this block is lost
	p.send(frame(4, 60))
	var f RingFrame
	if err := r.Next(&f); err != nil || number(f.Data) != 4 {
		t.Fatalf("number %d, %v", number(f.Data), err)
	}
	take(&b, 5)
	if number(f.Data) != 4 {
		t.Error("the frame went with another block")
	}
}

func TestRingReadDeadline(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Rx: small(2)})
	if err := r.s.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var f RingFrame
	err := r.Next(&f)
	op, ok := errors.AsType[*capture.OpError](err)
	if !errors.Is(err, os.ErrDeadlineExceeded) || !ok || op.Op != "read" {
		t.Errorf("error %v", err)
	}
	if err := r.NextBlock(new(Block)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	// What is there is read all the same, and waiting works again.
	soon(t, r)
	w.peer(t).send(frame(1, 60))
	if err := r.Next(&f); err != nil || number(f.Data) != 1 {
		t.Errorf("number %d, %v", number(f.Data), err)
	}
}

func TestRingDownAndGone(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Rx: small(2), Tx: new(TxConfig)})
	var f RingFrame
	w.here.SetUp(t, "veth0", false)
	if err := r.Next(&f); !errors.Is(err, capture.ErrInterfaceDown) {
		t.Fatalf("down: %v", err)
	}
	copy(r.Reserve(), frame(1, 60))
	if err := r.Commit(60); err != nil {
		t.Fatal(err)
	}
	if err := r.Kick(); !errors.Is(err, capture.ErrInterfaceDown) {
		t.Errorf("down: Kick: %v", err)
	}
	if err := r.Flush(); !errors.Is(err, capture.ErrInterfaceDown) {
		t.Errorf("down: Flush: %v", err)
	}
	w.here.SetUp(t, "veth0", true)
	w.here.WaitReady(t, "veth0")
	w.there.WaitReady(t, "veth0")
	p := w.peer(t)
	p.send(frame(2, 60))
	if err := r.Next(&f); err != nil || number(f.Data) != 2 {
		t.Fatalf("up again: number %d, %v", number(f.Data), err)
	}
	// What was committed is sent when it can be.
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	p.expect(1)
	w.here.Delete(t, "veth0")
	for {
		err := r.Next(&f)
		if errors.Is(err, capture.ErrInterfaceDown) {
			continue // it goes down first
		}
		if !errors.Is(err, capture.ErrInterfaceGone) {
			t.Fatalf("gone: %v", err)
		}
		break
	}
	copy(r.Reserve(), frame(3, 60))
	if err := r.Commit(60); err != nil {
		t.Fatal(err)
	}
	if err := r.Kick(); !errors.Is(err, capture.ErrInterfaceGone) {
		t.Errorf("gone: Kick: %v", err)
	}
}

// TestRingOneWay asks rings for what they have not got.
func TestRingOneWay(t *testing.T) {
	w := newWire(t)
	rx := openRing(t, w.here, KindL2, RingConfig{Rx: small(2)})
	if rx.Reserve() != nil || rx.Commit(1) == nil || rx.Kick() == nil || rx.Flush() == nil || rx.WaitSlot() == nil ||
		rx.TxStatus().State != TxIdle || rx.TxDrop() == nil || rx.TxRetry(1) == nil {
		t.Error("a ring for receiving sends")
	}
	tx := openRing(t, w.here, KindL2, RingConfig{Tx: new(TxConfig)})
	var f RingFrame
	if ok, err := tx.TryNext(&f); ok || err == nil {
		t.Errorf("a ring for sending receives: %t, %v", ok, err)
	}
	if err := tx.Next(&f); err == nil {
		t.Error("a ring for sending receives")
	}
	if err := tx.NextBlock(new(Block)); err == nil || tx.Blocks() != 0 {
		t.Errorf("a ring for sending has %d blocks, %v", tx.Blocks(), err)
	}
	if tx.Slots() != 512 || len(tx.Reserve()) != 2000 {
		t.Errorf("%d slots of %d bytes", tx.Slots(), len(tx.Reserve()))
	}
}

// TestRingClosed asks a closed ring for everything.
func TestRingClosed(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Rx: small(2), Tx: &TxConfig{Status: true}})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Close":     r.Close(),
		"Next":      r.Next(new(RingFrame)),
		"NextBlock": r.NextBlock(new(Block)),
		"Commit":    r.Commit(0),
		"Kick":      r.Kick(),
		"WaitSlot":  r.WaitSlot(),
		"Flush":     r.Flush(),
		"TxRetry":   r.TxRetry(1),
		"TxDrop":    r.TxDrop(),
	} {
		if _, ok := errors.AsType[*capture.OpError](err); !ok || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, n := r.Fill(0); r.Reserve() != nil || r.TxStatus().State != TxIdle || s != 0 || n != 0 {
		t.Error("a closed ring has something to give")
	}
}

// TestRingClose closes rings under readers and writers, over and over: mostly
// for the race detector, and for what happens when memory goes away.
func TestRingClose(t *testing.T) {
	w := newWire(t)
	p := w.peer(t)
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	traffic.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := p.f.Write(frame(i, 60+i%1000)); err != nil && !errors.Is(err, syscall.ENOBUFS) {
				t.Error(err)
				return
			}
			if i%8 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	defer traffic.Wait()
	defer close(stop)
	// Closing a socket is mostly waiting, for the kernel to finish with it.
	var rounds atomic.Int64
	var closers sync.WaitGroup
	end := time.Now().Add(3 * time.Second)
	for k := range 32 {
		closers.Go(func() {
			for i := k; rounds.Load() < 3000 && time.Now().Before(end); i++ {
				if !closeUnder(t, w, i) {
					return
				}
				rounds.Add(1)
			}
		})
	}
	closers.Wait()
	t.Logf("%d rounds", rounds.Load())
	// No mapping may be left to hold a socket open.
	if out := w.here.Run(t, "cat", "/proc/net/packet"); strings.Count(out, "\n") > 1 {
		t.Errorf("sockets are left:\n%s", out)
	}
}

// closeUnder makes a ring, has it read and written, and closes it meanwhile.
func closeUnder(t *testing.T, w *wire, round int) bool {
	ended := func(err error) bool { return errors.Is(err, net.ErrClosed) }
	var socket *Socket
	if err := w.here.Do(func() (err error) {
		socket, err = Open(KindL2, nil)
		return err
	}); err != nil {
		t.Error(err)
		return false
	}
	r, err := socket.Ring(RingConfig{
		Rx: &RxConfig{BlockSize: 1 << 14, BlockCount: 4, Retire: time.Millisecond},
		Tx: &TxConfig{BlockSize: 1 << 14, BlockCount: 1, Status: round%2 == 0},
	})
	if err == nil {
		err = socket.Bind("veth0", etherType)
	}
	if err != nil {
		t.Error(err)
		return false
	}
	var users sync.WaitGroup
	users.Go(func() {
		var f RingFrame
		sum := 0
		for {
			err := r.Next(&f)
			if ended(err) {
				break
			}
			if err != nil && !errors.Is(err, ErrLeased) {
				t.Error(err)
				return
			}
			for i, c := range f.Data {
				sum += int(c)
				f.Data[i] = 0
			}
		}
		// The last frame can still be read, whatever it says by now: its block
		// may have been given back before.
		for _, c := range f.Data {
			sum += int(c)
		}
	})
	users.Go(func() {
		var b Block
		var f RingFrame
		for {
			err := r.NextBlock(&b)
			if ended(err) {
				break
			}
			if err != nil && !errors.Is(err, ErrLeased) {
				t.Error(err)
				return
			}
			for {
				ok, err := b.Next(&f)
				if err != nil {
					t.Error(err)
				}
				if !ok {
					break
				}
				f.Data[0]++
				_ = f.EtherType()
			}
		}
		b.Release()
	})
	users.Go(func() {
		for i := 0; ; i++ {
			slot := r.Reserve()
			if slot == nil {
				if ended(r.WaitSlot()) {
					return
				}
				if r.TxStatus().State == TxRejected {
					t.Error("a frame was rejected")
					return
				}
				continue
			}
			n := copy(slot, frame(i, 60))
			if ended(r.Commit(n)) {
				clear(slot)
				return
			}
			if i%4 == 0 && ended(r.Kick()) || i%16 == 0 && ended(r.Flush()) {
				return
			}
		}
	})
	if round%3 > 0 {
		time.Sleep(time.Duration(round%7) * 500 * time.Microsecond)
	}
	closer := r.Close
	if round%4 < 2 {
		closer = socket.Close
	}
	if err := closer(); err != nil {
		t.Error(err)
	}
	done := make(chan struct{})
	go func() {
		users.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(patience):
		t.Error("Close does not end a wait")
		return false
	}
}

// TestRingCloseKeeps looks at a block, a frame and a slot after Close.
func TestRingCloseKeeps(t *testing.T) {
	w := newWire(t)
	cfg := small(4)
	cfg.Private = 8
	r := openRing(t, w.here, KindL2, RingConfig{Rx: cfg, Tx: new(TxConfig)})
	p := w.peer(t)
	var b Block
	p.send(frame(1, 100))
	if err := r.NextBlock(&b); err != nil {
		t.Fatal(err)
	}
	copy(b.Private(), "12345678")
	p.send(frame(2, 100))
	var f RingFrame
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	slot := r.Reserve()
	copy(slot, frame(3, 100))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if out := w.here.Run(t, "cat", "/proc/net/packet"); strings.Count(out, "\n") > 1 {
		t.Errorf("the socket outlives Close:\n%s", out)
	}
	if !bytes.Equal(f.Data, frame(2, 100)) || f.EtherType() != etherType {
		t.Errorf("the frame became % x", f.Data)
	}
	if !bytes.Equal(slot[:100], frame(3, 100)) {
		t.Errorf("the slot became % x", slot[:100])
	}
	f.Data[0], slot[0] = 0, 0
	if string(b.Private()) != "12345678" || b.Len() == 0 {
		t.Errorf("the block has private area %q and %d frames", b.Private(), b.Len())
	}
	var g RingFrame
	if ok, err := b.Next(&g); !ok || err != nil || !bytes.Equal(g.Data, frame(1, 100)) {
		t.Errorf("the block's frame: %t, %v, % x", ok, err, g.Data)
	}
	b.Release()
}

func FuzzRingFrame(f *testing.F) {
	f.Add(make([]byte, 256))
	f.Add(bytes.Repeat([]byte{0x30, 0, 0, 0}, 64))
	f.Fuzz(func(t *testing.T, block []byte) {
		var c sys.Cursor
		if err := c.Reset(block, false); err != nil {
			return
		}
		var rf RingFrame
		for {
			ok, err := c.Next(&rf.Frame)
			if !ok || err != nil {
				return
			}
			rf.set(c.Packet(), true)
			room := rf.Headroom()
			if n := rf.NetworkOffset(); n < 0 || n > len(rf.Data) {
				t.Fatalf("network header at %d of %d", n, len(rf.Data))
			}
			if b := rf.Prepend(len(room)); !bytes.Equal(b[:len(room)], room) || !bytes.Equal(b[len(room):], rf.Data) {
				t.Fatal("Prepend is not headroom and data")
			}
			if rf.Addr().Hardware.Len() > 8 {
				t.Fatal("long address")
			}
			rf.Vnet()
			_, _, _ = rf.Status(), rf.EtherType(), rf.PacketType()
		}
	})
}
