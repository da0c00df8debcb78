package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// soakPaths are the ways that frames take from the kernel to the program.
var soakPaths = []struct {
	backend capture.BackendType
	group   bool // whether several Sniffers can share an interface
}{
	{capture.BackendRing, true},
	{capture.BackendMessages, true},
}

// soakTime is how long one of n parts of the soak lasts. All together last some
// seconds, or what the environment says, as in GOPKTS_SOAK=1m.
func soakTime(t *testing.T, n int) time.Duration {
	t.Helper()
	total := 6 * time.Second
	if testing.Short() {
		total = time.Second
	}
	if s := os.Getenv("GOPKTS_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("GOPKTS_SOAK: %v", err)
		}
		total = d
	}
	return total / time.Duration(n)
}

// cable is an interface to soak, and who sends to it.
type cable struct {
	here, there *netns.NS
	peer        *capture.Sniffer
}

func newCable(t *testing.T) *cable {
	t.Helper()
	c := &cable{here: netns.New(t), there: netns.New(t)}
	netns.Connect(t, c.here, "veth0", c.there, "veth0")
	c.peer = openPeer(t, c.there, "veth0")
	return c
}

// offNumber is where a frame of the soak has its number, and offKind where it
// has its kind: in the data of a UDP datagram.
const (
	offKind   = 14 + 20 + 8
	offNumber = offKind + 1
)

// soakFrame makes a frame of a kind with a number, which belongs to one of many
// flows.
func soakFrame(b []byte, kind byte, number uint32) []byte {
	b = append(b[:0], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00)
	b = append(b, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	b = append(b, 0x40, byte(number%61), 0, 53, 0, 26, 0, 0)
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, number)
	return append(b, make([]byte, 60-len(b))...)
}

// onlyKind returns a filter for frames of the soak of one kind.
func onlyKind(t *testing.T, kind byte) []bpf.RawInstruction {
	t.Helper()
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0800, SkipFalse: 3},
		bpf.LoadAbsolute{Off: offKind, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(kind), SkipFalse: 1},
		bpf.RetConstant{Val: capture.DefaultSnapLen},
		bpf.RetConstant{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// send sends n frames of a kind, numbered from first.
func (c *cable) send(t *testing.T, kind byte, first uint32, n int) {
	t.Helper()
	const batch = 64
	var frames [batch][]byte
	for sent := 0; sent < n; {
		part := frames[:min(batch, n-sent)]
		for i := range part {
			part[i] = soakFrame(part[i], kind, first+uint32(sent+i))
		}
		got, err := c.peer.SendBatch(part)
		sent += got
		if err != nil {
			t.Fatalf("sent %d of %d: %v", sent, n, err)
		}
	}
}

// lostOnTheWay returns how many frames the kernel lost between the two ends,
// which no capture has seen: a virtual cable has a queue, too.
func (c *cable) lostOnTheWay(t *testing.T) (n uint64) {
	t.Helper()
	for _, ns := range []*netns.NS{c.here, c.there} {
		if err := ns.Do(func() error {
			b, err := os.ReadFile("/proc/thread-self/net/dev")
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(b)) {
				name, rest, _ := strings.Cut(line, ":")
				// Packets received, sent: the fourth number of each eight is
				// those dropped.
				var v [16]uint64
				if strings.TrimSpace(name) != "veth0" {
					continue
				}
				for i, field := range strings.Fields(rest)[:16] {
					if _, err := fmt.Sscan(field, &v[i]); err != nil {
						return err
					}
				}
				n += v[3] + v[11]
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// tally is what a reader has found.
type tally struct {
	read, gaps uint64
	marked     atomic.Uint64
	next       uint32
}

// add takes note of a frame whose number must be above that of the one before.
func (y *tally) add(f *link.Frame) error {
	n := binary.BigEndian.Uint32(f.Data[offNumber:])
	if n < y.next {
		return fmt.Errorf("frame %d behind frame %d", n, int64(y.next)-1)
	}
	y.read++
	y.gaps += uint64(n - y.next)
	if f.Flags.Has(link.InfoLossBefore) {
		y.marked.Add(1)
	}
	y.next = n + 1
	return nil
}

// TestSoak sends counted frames through every path for a while and wants to
// know of each what became of it.
func TestSoak(t *testing.T) {
	parts := 0
	for _, p := range soakPaths {
		parts += 3
		if p.group {
			parts++
		}
	}
	span := soakTime(t, parts)
	for _, p := range soakPaths {
		t.Run(p.backend.String(), func(t *testing.T) {
			t.Run("quick reader", func(t *testing.T) {
				soakReader(t, &capture.Config{Backend: p.backend, BufferSize: 16 << 20}, span, 0)
			})
			t.Run("slow reader", func(t *testing.T) {
				soakReader(t, &capture.Config{Backend: p.backend, BufferSize: 1 << 20}, span, time.Millisecond)
			})
			t.Run("filters", func(t *testing.T) { soakFilters(t, p.backend, span) })
			if p.group {
				t.Run("group", func(t *testing.T) { soakGroup(t, p.backend, span) })
			}
		})
	}
}

// soakReader reads while frames are sent, with a rest every 64 frames, the first
// of which lasts until frames have been lost.
func soakReader(t *testing.T, cfg *capture.Config, span, rest time.Duration) {
	c := newCable(t)
	s, err := openIn(c.here, "veth0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(onlyKind(t, 'a')); err != nil {
		t.Fatal(err)
	}
	lost := c.lostOnTheWay(t)
	var got tally
	var idle atomic.Bool         // the sender is done: no more rests
	lossy := make(chan struct{}) // closed when the kernel has dropped frames
	done := make(chan error, 1)
	go func() {
		for f, err := range s.Frames(t.Context()) {
			if err == nil {
				err = got.add(&f)
			}
			if err != nil {
				done <- err
				return
			}
			if rest > 0 && got.read%64 == 0 && !idle.Load() {
				select {
				case <-lossy:
				case <-t.Context().Done():
				}
				time.Sleep(rest)
			}
		}
		done <- nil
	}()
	sent := uint32(0)
	// However slowly this machine sends, the slow reader has to lose something,
	// and to read what was captured behind the gap.
	losing := rest > 0
	late := func(end time.Time) bool {
		if time.Since(end) > time.Minute {
			return true
		}
		if losing {
			if st, err := s.Stats(); err == nil && st.Dropped == 0 {
				return false
			}
			losing = false
			close(lossy)
		}
		return rest == 0 || got.marked.Load() > 0
	}
	for end := time.Now().Add(span); !late(end) || time.Now().Before(end); sent += 1000 {
		c.send(t, 'a', sent, 1000)
		if rest == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if losing {
		close(lossy)
	}
	idle.Store(true)
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got.gaps += uint64(sent - got.next)
	lost = c.lostOnTheWay(t) - lost
	st, err := s.Stats()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d sent, %d read, %d dropped, %d lost on the way, %d marked", sent, got.read, st.Dropped, lost, got.marked.Load())
	if got.read != st.Received || got.gaps != st.Dropped+lost || st.Received+st.Dropped+lost != uint64(sent) {
		t.Errorf("%d sent, %d read, %d missing, %d lost on the way, %+v", sent, got.read, got.gaps, lost, st)
	}
	if rest > 0 && (st.Dropped == 0 || got.marked.Load() == 0) {
		t.Errorf("%d dropped, %d frames marked: the reader was not slow enough", st.Dropped, got.marked.Load())
	}
	if rest == 0 && (got.marked.Load() > 0) != (st.Dropped > 0) && got.next == sent {
		t.Errorf("%d dropped, %d frames marked", st.Dropped, got.marked.Load())
	}
}

// soakFilters changes the filter again and again under traffic that no filter
// accepts, and sends frames that the filter of the moment does.
func soakFilters(t *testing.T, backend capture.BackendType, span time.Duration) {
	c := newCable(t)
	noise := openPeer(t, c.there, "veth0")
	s, err := openIn(c.here, "veth0", &capture.Config{Backend: backend, Immediate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var b []byte
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			b = soakFrame(b, 'n', i)
			if err := noise.Send(b); err != nil {
				t.Errorf("noise: %v", err)
				return
			}
		}
	})
	defer wg.Wait()
	defer close(stop)
	var f link.Frame
	stats := func() capture.Stats {
		t.Helper()
		st, err := s.Stats()
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	lost := c.lostOnTheWay(t)
	const each = 100
	rounds := 0
	for end := time.Now().Add(span); time.Now().Before(end); rounds++ {
		kind := byte('a' + rounds%2)
		if err := s.Activate(onlyKind(t, kind)); err != nil {
			t.Fatal(err)
		}
		last := stats()
		first := uint32(rounds * each)
		c.send(t, kind, first, each)
		st := stats()
		for wait := time.Now().Add(time.Minute); st.Received+st.Dropped-last.Received-last.Dropped != each; st = stats() {
			// Frames may still be on their way, or lost there, the noise among
			// them.
			if now := c.lostOnTheWay(t); now != lost {
				lost = now
				break
			}
			if time.Now().After(wait) {
				t.Fatalf("round %d: counted from %+v to %+v, want %d frames", rounds, last, st, each)
			}
		}
		got := tally{next: first}
		if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for got.read < st.Received-last.Received {
			if err := s.Next(&f); err != nil {
				t.Fatalf("round %d, frame %d: %v", rounds, got.read, err)
			}
			if f.Data[offKind] != kind {
				t.Fatalf("round %d: a frame of kind %c, which the filter rejects", rounds, f.Data[offKind])
			}
			if err := got.add(&f); err != nil {
				t.Fatalf("round %d: %v", rounds, err)
			}
		}
	}
	t.Logf("%d filters, %+v", rounds, stats())
}

// soakGroup has a group share the frames.
func soakGroup(t *testing.T, backend capture.BackendType, span time.Duration) {
	c := newCable(t)
	g := openGroupIn(t, c.here, "veth0", 3, &capture.Config{Backend: backend})
	if err := g.Activate(onlyKind(t, 'a')); err != nil {
		t.Fatal(err)
	}
	lost := c.lostOnTheWay(t)
	var wg sync.WaitGroup
	tallies := make([]tally, len(g.Sniffers()))
	for i, s := range g.Sniffers() {
		wg.Go(func() {
			for f, err := range s.Frames(t.Context()) {
				if err == nil {
					err = tallies[i].add(&f) // within a Sniffer, too, they are in order
				}
				if err != nil {
					t.Errorf("Sniffer %d: %v", i, err)
					return
				}
			}
		})
	}
	sent := uint32(0)
	for end := time.Now().Add(span); time.Now().Before(end); sent += 1000 {
		c.send(t, 'a', sent, 1000)
		time.Sleep(time.Millisecond)
	}
	if err := g.Deactivate(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	lost = c.lostOnTheWay(t) - lost
	st, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	read := uint64(0)
	for i := range tallies {
		read += tallies[i].read
	}
	t.Logf("%d sent, %d read, %d dropped, %d lost on the way", sent, read, st.Dropped, lost)
	if read != st.Received || st.Received+st.Dropped+lost != uint64(sent) {
		t.Errorf("%d sent, %d read, %d lost on the way, %+v", sent, read, lost, st)
	}
}

// resources are what an open Sniffer has, and a closed one must not have.
type resources struct {
	files, goroutines, rings, sockets int
}

func resourcesOf(t *testing.T, ns *netns.NS) (r resources) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/packet")
		r.sockets = bytes.Count(b, []byte("\n")) - 1
		return err
	}); err != nil {
		t.Fatal(err)
	}
	r.files, r.goroutines = len(files), runtime.NumGoroutine()
	r.rings = strings.Count(string(maps), "socket:")
	return r
}

// heap returns how many bytes of the heap are in use.
func heap() uint64 {
	var m runtime.MemStats
	for range 2 { // what a cleanup held goes the second time
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestNoLeak opens and closes hundreds of Sniffers of every kind, with frames
// that somebody still looks at, and wants nothing of them to stay.
func TestNoLeak(t *testing.T) {
	for _, p := range soakPaths {
		t.Run(p.backend.String(), func(t *testing.T) {
			ns := netns.New(t)
			peer := openPeer(t, ns, "lo")
			cfg := with(smallRing(), p.backend)
			// A frame that is kept keeps the memory that messages are received
			// into, which is 4 MiB for the longest frames.
			cfg.SnapLen = 2048
			var mu sync.Mutex // guards kept
			var kept []link.Frame
			cycle := func() error {
				s, err := openIn(ns, "lo", cfg)
				if err != nil {
					return err
				}
				var f link.Frame
				if err := errors.Join(s.Activate(nil), peer.Send(numbered(1)), s.Deactivate(), s.Next(&f), s.Close()); err != nil {
					return err
				}
				mu.Lock()
				kept = append(kept, f)
				mu.Unlock()
				if _, err := openIn(ns, "lo", with(&capture.Config{Ring: &capture.Ring{BlockSize: 1 << 30, BlockCount: 1}}, p.backend)); err == nil {
					return errors.New("opened with an illegal ring")
				}
				if _, err := openIn(ns, "nope", cfg); err == nil {
					return errors.New("opened an interface that does not exist")
				}
				return nil
			}
			group := func() error {
				return ns.Do(func() error {
					g, err := capture.OpenGroup("lo", 3, cfg)
					if err != nil {
						return err
					}
					return errors.Join(g.Activate(nil), g.Close())
				})
			}
			if !p.group {
				group = func() error { return nil }
			}
			if err := errors.Join(cycle(), group()); err != nil {
				t.Fatal(err)
			}
			before, heapBefore := resourcesOf(t, ns), heap()
			// Several at a time, because the kernel takes its time to set a filter
			// and to forget a socket.
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					for i := range 25 {
						err := cycle()
						if i%5 == 0 && err == nil {
							err = group()
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			after := resourcesOf(t, ns)
			for end := time.Now().Add(10 * time.Second); after != before && time.Now().Before(end); after = resourcesOf(t, ns) {
				time.Sleep(10 * time.Millisecond) // threads of the test go away by and by
			}
			if after != before {
				t.Errorf("now %+v, before %+v", after, before)
			}
			for i, f := range kept {
				if len(f.Data) != 60 {
					t.Errorf("frame %d has %d bytes", i, len(f.Data))
				}
			}
			// Nor does memory stay when nobody looks any more. Two hundred and
			// fifty times what messages are received into are 30 MiB.
			kept = nil
			if after := heap(); after > heapBefore+4<<20 {
				t.Errorf("%d KiB of heap are in use, and %d were before", after>>10, heapBefore>>10)
			}
		})
	}
}
