package afxdp_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/afxdp"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// cable makes veth0 in a namespace and veth1 in another, with some queues.
func cable(t testing.TB, queues int) (here, there *netns.NS) {
	t.Helper()
	here, there = netns.New(t), netns.New(t)
	if queues == 1 {
		netns.Connect(t, here, "veth0", there, "veth1")
		return here, there
	}
	n := fmt.Sprint(queues)
	here.Run(t, "ip", "link", "add", "veth0", "numrxqueues", n, "numtxqueues", n,
		"type", "veth", "peer", "name", "veth1", "numrxqueues", n, "numtxqueues", n)
	here.SetUp(t, "veth0", true)
	here.SetUp(t, "veth1", true)
	here.WaitReady(t, "veth0")
	here.WaitReady(t, "veth1")
	return here, here
}

func open(t testing.TB, ns *netns.NS, name string, cfg *afxdp.Config) *afxdp.Socket {
	t.Helper()
	s, err := tryOpen(ns, name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func tryOpen(ns *netns.NS, name string, cfg *afxdp.Config) (s *afxdp.Socket, err error) {
	err = ns.Do(func() error {
		s, err = afxdp.Open(name, cfg)
		return err
	})
	return s, err
}

// frame is a frame of the EtherType for experiments with a number.
func frame(dst link.MacAddr, number, size int) []byte {
	b := make([]byte, size)
	copy(b, dst[:])
	copy(b[6:], []byte{2, 0, 0, 0, 0, 1, 0x88, 0xb5})
	binary.BigEndian.PutUint32(b[14:], uint32(number))
	return b
}

func number(b []byte) int { return int(binary.BigEndian.Uint32(b[14:])) }

// receive receives n frames and calls f with each.
func receive(t testing.TB, s *afxdp.Socket, n int, f func(i int, f afxdp.Frame)) {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	batch := make([]afxdp.Frame, 32)
	for i := 0; i < n; {
		got, err := s.Receive(batch)
		if err != nil {
			t.Fatalf("Receive: %v, after %d frames of %d", err, i, n)
		}
		for _, frame := range batch[:got] {
			f(i, frame)
			i++
		}
		if err := s.Release(batch[:got]); err != nil {
			t.Fatal(err)
		}
	}
}

// expectNothing wants no frame for a while.
func expectNothing(t testing.TB, s *afxdp.Socket) {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	batch := make([]afxdp.Frame, 1)
	if n, err := s.Receive(batch); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Receive = %d, %v, want nothing", n, err)
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct{ ask, want afxdp.Mode }{
		{afxdp.Auto, afxdp.Copy}, // veth has no zero copy
		{afxdp.Copy, afxdp.Copy},
		{afxdp.Generic, afxdp.Generic},
	} {
		t.Run(c.ask.String(), func(t *testing.T) {
			here, there := cable(t, 1)
			a := open(t, here, "veth0", &afxdp.Config{Mode: c.ask})
			b := open(t, there, "veth1", &afxdp.Config{Mode: c.ask})
			if a.Mode() != c.want || len(a.Queues()) != 1 {
				t.Fatalf("mode %v, queues %d, want %v, one", a.Mode(), a.Queues(), c.want)
			}
			mac := a.Interface().MAC
			var frames [][]byte
			for i := range 1000 { // more than the ring holds
				frames = append(frames, frame(mac, i, 60+i%1455))
			}
			const each = 100 // the cable has room for 256
			for part := range slices.Chunk(frames, each) {
				if n, err := b.Send(0, part); n != each || err != nil {
					t.Fatalf("Send = %d, %v", n, err)
				}
				receive(t, a, each, func(i int, f afxdp.Frame) {
					if !bytes.Equal(f.Data, part[i]) || f.LossBefore || f.Queue != 0 {
						t.Fatalf("frame %d: %d bytes, % x", i, len(f.Data), f.Data[:20])
					}
				})
			}
			st, err := a.Stats()
			if want := uint64(len(frames)); err != nil || st.Received != want || st.Dropped != 0 {
				t.Errorf("Stats = %+v, %v, want %d received", st, err, want)
			}
		})
	}
	here, _ := cable(t, 1)
	if _, err := tryOpen(here, "veth0", &afxdp.Config{Mode: afxdp.ZeroCopy}); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("zero copy on veth: %v, want EOPNOTSUPP", err)
	}
}

// TestQueues sends on each queue of one end, which arrives at the queue of the
// same number of the other.
func TestQueues(t *testing.T) {
	for _, mode := range []afxdp.Mode{afxdp.Copy, afxdp.Generic} {
		here, there := cable(t, 4)
		a := open(t, here, "veth0", &afxdp.Config{Mode: mode})
		b := open(t, there, "veth1", &afxdp.Config{Mode: mode})
		if got := a.Queues(); len(got) != 4 || got[3] != 3 {
			t.Fatalf("queues %d, want four", got)
		}
		mac := a.Interface().MAC
		const each = 100
		for q := range 4 {
			var frames [][]byte
			for i := range each {
				frames = append(frames, frame(mac, q*each+i, 60))
			}
			if n, err := b.Send(q, frames); n != each || err != nil {
				t.Fatalf("Send = %d, %v", n, err)
			}
		}
		// Without NAPI, veth leaves the number of the transmit queue where
		// generic XDP looks for one more than that of the receive queue.
		arrives := func(q int) int {
			if mode == afxdp.Generic {
				return max(0, q-1)
			}
			return q
		}
		var next [4]int
		receive(t, a, 4*each, func(i int, f afxdp.Frame) {
			q := number(f.Data) / each
			if number(f.Data)%each != next[q] || f.Queue != arrives(q) {
				t.Fatalf("%v: frame %d of queue %d at queue %d, want frame %d at %d",
					mode, number(f.Data)%each, q, f.Queue, next[q], arrives(q))
			}
			next[q]++
		})
		if st, err := a.Stats(); err != nil || st.Received != 4*each {
			t.Errorf("Stats = %+v, %v, want %d received", st, err, 4*each)
		}
		if _, err := b.Send(4, nil); !errors.Is(err, capture.ErrConfig) {
			t.Errorf("Send on queue 4 = %v, want ErrConfig", err)
		}
		// Some of them.
		a.Close()
		wanted := []int{arrives(3), 1}
		a = open(t, here, "veth0", &afxdp.Config{Mode: mode, Queues: wanted})
		for q := range 4 {
			if _, err := b.Send(q, [][]byte{frame(mac, q, 60)}); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		receive(t, a, 2, func(_ int, f afxdp.Frame) {
			if arrives(number(f.Data)) != f.Queue {
				t.Errorf("%v: queue %d has frame %d", mode, f.Queue, number(f.Data))
			}
			seen |= 1 << f.Queue
		})
		if seen != 1<<1|1<<wanted[0] {
			t.Errorf("%v: frames of queues %b, want %d", mode, seen, wanted)
		}
		expectNothing(t, a)
	}
}

// TestPieces has frames of which some do not fit a chunk.
func TestPieces(t *testing.T) {
	for _, mode := range []afxdp.Mode{afxdp.Copy, afxdp.Generic} {
		here, there := cable(t, 1)
		here.SetMTU(t, "veth0", 9000)
		there.SetMTU(t, "veth1", 9000)
		cfg := &afxdp.Config{Mode: mode, Pieces: true, FrameSize: 2048, Receive: 512, Send: 64}
		a, b := open(t, here, "veth0", cfg), open(t, there, "veth1", cfg)
		if err := a.SetFilter(only(t, 1000)); err != nil {
			t.Fatal(err)
		}
		mac := a.Interface().MAC
		for round := range 20 {
			var frames [][]byte
			var want [][]byte
			for i := range 30 { // some 90 pieces, more than the ring of the sender holds
				f := frame(mac, i, 60+(i*997+round*101)%8955)
				frames = append(frames, f, frame(mac, 2000, 4000)) // the second is filtered
				want = append(want, f)
			}
			if n, err := b.Send(0, frames); n != len(frames) || err != nil {
				t.Fatalf("%v: Send = %d, %v", mode, n, err)
			}
			var got []byte
			batch := make([]afxdp.Frame, 32)
			a.SetReadDeadline(time.Now().Add(patience))
			for i := 0; i < len(want); {
				n, err := a.Receive(batch)
				if err != nil {
					t.Fatalf("%v: Receive: %v, after %d frames", mode, err, i)
				}
				if batch[n-1].More {
					t.Fatalf("%v: the last of %d pieces is not the end of its frame", mode, n)
				}
				for _, f := range batch[:n] {
					if got = append(got, f.Data...); f.More {
						continue
					}
					if !bytes.Equal(got, want[i]) {
						t.Fatalf("%v: frame %d has %d bytes, want %d", mode, i, len(got), len(want[i]))
					}
					got = got[:0]
					i++
				}
				if err := a.Release(batch[:n]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if st, err := a.Stats(); err != nil || st.Received != 20*30 || st.Dropped != 0 {
			t.Errorf("%v: Stats = %+v, %v, want %d received", mode, st, err, 20*30)
		}
		if _, err := b.Send(0, [][]byte{make([]byte, 9015)}); !errors.Is(err, capture.ErrFrameSize) {
			t.Errorf("%v: Send of a frame that is too long = %v, want ErrFrameSize", mode, err)
		}
	}
}

// only is a filter that accepts frames with a number below n.
func only(t testing.TB, n uint32) []bpf.RawInstruction {
	t.Helper()
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 14, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: n, SkipFalse: 1},
		bpf.RetConstant{Val: 1},
		bpf.RetConstant{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func TestFilter(t *testing.T) {
	here, there := cable(t, 1)
	a := open(t, here, "veth0", &afxdp.Config{Filter: only(t, 10)})
	b := open(t, there, "veth1", &afxdp.Config{Receive: -1})
	mac := a.Interface().MAC
	send := func(numbers ...int) {
		t.Helper()
		for _, n := range numbers {
			if _, err := b.Send(0, [][]byte{frame(mac, n, 60)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(n int) {
		t.Helper()
		receive(t, a, 1, func(_ int, f afxdp.Frame) {
			if number(f.Data) != n || len(f.Data) != 60 {
				t.Errorf("frame %d of %d bytes, want %d of 60", number(f.Data), len(f.Data), n)
			}
		})
	}
	send(10, 9)
	expect(9)
	if err := a.SetFilter(only(t, 5)); err != nil {
		t.Fatal(err)
	}
	send(9, 5, 4)
	expect(4)
	if err := a.SetFilter([]bpf.RawInstruction{{Op: 0xffff}}); !errors.Is(err, capture.ErrFilter) {
		t.Errorf("SetFilter = %v, want ErrFilter", err)
	}
	send(7, 3)
	expect(3)
	if err := a.SetFilter(nil); err != nil {
		t.Fatal(err)
	}
	send(70)
	expect(70)
	if err := a.LockFilter(); err != nil {
		t.Fatal(err)
	}
	if err := a.SetFilter(only(t, 5)); !errors.Is(err, capture.ErrLocked) {
		t.Errorf("SetFilter after LockFilter = %v, want ErrLocked", err)
	}
	send(80)
	expect(80)
	if st, err := a.Stats(); err != nil || st.Received != 5 {
		t.Errorf("Stats = %+v, %v, want 5 received", st, err)
	}
}

// TestLoss lets frames wait until there is no room.
func TestLoss(t *testing.T) {
	here, there := cable(t, 1)
	const room = 128
	a := open(t, here, "veth0", &afxdp.Config{Receive: room})
	b := open(t, there, "veth1", &afxdp.Config{Receive: -1})
	mac := a.Interface().MAC
	next := 0
	send := func(n int) {
		t.Helper()
		for range n {
			if _, err := b.Send(0, [][]byte{frame(mac, next, 60)}); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	const total = 200 // the cable has room for 256
	send(total)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		st, err := a.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if st.Received == room && st.Dropped == total-room && st.FillEmpty > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Stats = %+v, want %d received, the others dropped", st, room)
		}
	}
	receive(t, a, room, func(i int, f afxdp.Frame) {
		if number(f.Data) != i || f.LossBefore {
			t.Errorf("frame %d has number %d, loss before it %t", i, number(f.Data), f.LossBefore)
		}
	})
	send(10)
	receive(t, a, 10, func(i int, f afxdp.Frame) {
		if number(f.Data) != total+i || f.LossBefore != (i == 0) {
			t.Errorf("frame %d has number %d, loss before it %t", i, number(f.Data), f.LossBefore)
		}
	})
}

func TestSendErrors(t *testing.T) {
	here, there := cable(t, 1)
	a := open(t, here, "veth0", nil)
	mac := a.Interface().MAC
	ok := frame(mac, 0, 60)
	for _, n := range []int{0, 13, 1515, 5000} {
		if sent, err := a.Send(0, [][]byte{ok, make([]byte, n), ok}); sent != 1 || !errors.Is(err, capture.ErrFrameSize) {
			t.Errorf("Send with a frame of %d bytes = %d, %v, want 1, ErrFrameSize", n, sent, err)
		}
	}
	tagged := frame(mac, 0, 1518)
	tagged[12], tagged[13] = 0x81, 0x00
	if _, err := a.Send(0, [][]byte{tagged}); err != nil {
		t.Errorf("Send of a longest frame with a VLAN tag: %v", err)
	}
	here.SetMTU(t, "veth0", 1700)
	if _, err := a.Send(0, [][]byte{frame(mac, 0, 1714)}); err != nil {
		t.Errorf("Send of a longest frame after the MTU grew: %v", err)
	}
	here.SetMTU(t, "veth0", 600)
	if sent, err := a.Send(0, [][]byte{frame(mac, 0, 614), frame(mac, 0, 615)}); sent != 1 || !errors.Is(err, capture.ErrFrameSize) {
		t.Errorf("Send of a frame that is too long since the MTU shrank = %d, %v, want 1, ErrFrameSize", sent, err)
	}
	b := open(t, there, "veth1", &afxdp.Config{Send: -1})
	if _, err := b.Send(0, [][]byte{ok}); !errors.Is(err, capture.ErrConfig) {
		t.Errorf("Send = %v, want ErrConfig", err)
	}
	here.Delete(t, "veth0")
	if _, err := a.Send(0, [][]byte{ok}); !errors.Is(err, capture.ErrInterfaceGone) {
		t.Errorf("Send = %v, want ErrInterfaceGone", err)
	}
	for range 2 {
		if _, err := a.Receive(make([]afxdp.Frame, 1)); !errors.Is(err, capture.ErrInterfaceGone) {
			t.Errorf("Receive = %v, want ErrInterfaceGone", err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	here, _ := cable(t, 1)
	for _, c := range []struct {
		name string
		cfg  afxdp.Config
		want error
	}{
		{"none", afxdp.Config{}, capture.ErrNoInterface},
		{"lo", afxdp.Config{}, capture.ErrFrameSize},
		{"veth0", afxdp.Config{FrameSize: 3000}, capture.ErrConfig},
		{"veth0", afxdp.Config{Queues: []int{}}, capture.ErrConfig},
		{"veth0", afxdp.Config{Queues: []int{0, 0}}, capture.ErrConfig},
		{"veth0", afxdp.Config{Queues: []int{-1}}, capture.ErrConfig},
		{"veth0", afxdp.Config{Queues: []int{7}}, syscall.EINVAL}, // has one
		{"veth0", afxdp.Config{Receive: -1, Send: -1}, capture.ErrConfig},
		{"veth0", afxdp.Config{Receive: 1 << 30}, capture.ErrConfig},
		{"veth0", afxdp.Config{Mode: 9}, capture.ErrConfig},
		{"veth0", afxdp.Config{Timeout: -time.Millisecond}, capture.ErrConfig},
		{"veth0", afxdp.Config{Timeout: time.Microsecond}, capture.ErrConfig},
		{"veth0", afxdp.Config{Timeout: time.Hour}, capture.ErrConfig},
		{"veth0", afxdp.Config{Filter: []bpf.RawInstruction{{Op: 0x0e}}}, capture.ErrFilter},
	} {
		s, err := tryOpen(here, c.name, &c.cfg)
		if !errors.Is(err, c.want) {
			t.Errorf("Open %s with %+v = %v, want %v", c.name, c.cfg, err, c.want)
			continue
		}
		if e, ok := errors.AsType[*capture.OpError](err); !ok || e.Op != "open" || s != nil {
			t.Errorf("Open = %v, %#v, want nil and an OpError", s, err)
		}
	}
	open(t, here, "veth0", nil)
	if _, err := tryOpen(here, "veth0", nil); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("Open of an interface in use = %v, want EBUSY", err)
	}
}

// TestTimeout receives frames that were left to gather, each of them and in order,
// and ends a wait by a deadline and by Close.
func TestTimeout(t *testing.T) {
	here, there := cable(t, 1)
	a := open(t, here, "veth0", &afxdp.Config{Timeout: 20 * time.Millisecond, Receive: 8 << 10})
	b := open(t, there, "veth1", nil)
	mac := a.Interface().MAC
	const n = 3000
	var sender sync.WaitGroup
	sender.Go(func() {
		for i := range n {
			if _, err := b.Send(0, [][]byte{frame(mac, i, 60)}); err != nil {
				t.Errorf("Send: %v", err)
				return
			}
		}
	})
	receive(t, a, n, func(i int, f afxdp.Frame) {
		if number(f.Data) != i {
			t.Fatalf("frame %d, want %d", number(f.Data), i)
		}
	})
	sender.Wait()
	expectNothing(t, a)
	// The first wait of many that are short.
	for i := range 50 {
		if _, err := b.Send(0, [][]byte{frame(mac, i, 60)}); err != nil {
			t.Fatal(err)
		}
		receive(t, a, 1, func(_ int, f afxdp.Frame) {
			if number(f.Data) != i {
				t.Fatalf("frame %d, want %d", number(f.Data), i)
			}
		})
	}
	a.SetReadDeadline(time.Time{})
	var reader sync.WaitGroup
	reader.Go(func() {
		batch := make([]afxdp.Frame, 8)
		for {
			got, err := a.Receive(batch)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				err = a.Release(batch[:got])
			}
			if err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("Receive: %v", err)
				return
			}
		}
	})
	for i := range 100 {
		if _, err := b.Send(0, [][]byte{frame(mac, i, 60)}); err != nil {
			t.Error(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	reader.Wait()
}

// TestCloseLoop closes under readers and senders, again and again.
func TestCloseLoop(t *testing.T) {
	here, there := cable(t, 4)
	mac := here.Interface(t, "veth0").MAC
	fds := countFDs(t)
	peer := open(t, there, "veth1", &afxdp.Config{Receive: -1})
	done := make(chan struct{})
	var traffic sync.WaitGroup
	traffic.Go(func() {
		b := [][]byte{frame(mac, 0, 60)}
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if _, err := peer.Send(i%4, b); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(10 * time.Microsecond)
		}
	})
	for i := range 30 {
		s, err := tryOpen(here, "veth0", &afxdp.Config{Receive: 256})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		closed := func(err error) bool {
			if err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("loop %d: %v, want net.ErrClosed", i, err)
			}
			return err != nil
		}
		for range 2 {
			wg.Go(func() {
				batch := make([]afxdp.Frame, 8)
				for {
					n, err := s.Receive(batch)
					if closed(err) {
						return
					}
					for _, f := range batch[:n] {
						if f.Data[12] != 0x88 {
							t.Errorf("loop %d: received % x", i, f.Data)
						}
					}
					if i%3 > 0 && closed(s.Release(batch[:n])) {
						return
					}
				}
			})
		}
		wg.Go(func() {
			for {
				if _, err := s.Send(2, [][]byte{frame(mac, 0, 60)}); closed(err) {
					return
				}
			}
		})
		wg.Go(func() {
			for {
				if _, err := s.Stats(); closed(err) {
					return
				}
				if closed(s.SetReadDeadline(time.Now().Add(time.Hour))) {
					return
				}
			}
		})
		time.Sleep(time.Duration(i%4) * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
	close(done)
	traffic.Wait()
	peer.Close()
	if now := countFDs(t); now > fds {
		t.Errorf("%d descriptors, %d before", now, fds)
	}
}

func countFDs(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// TestCloseKeepsFrames looks at frames after Close.
func TestCloseKeepsFrames(t *testing.T) {
	here, there := cable(t, 1)
	a := open(t, here, "veth0", nil)
	b := open(t, there, "veth1", nil)
	want := frame(a.Interface().MAC, 7, 100)
	if _, err := b.Send(0, [][]byte{want}); err != nil {
		t.Fatal(err)
	}
	batch := make([]afxdp.Frame, 1)
	a.SetReadDeadline(time.Now().Add(patience))
	if _, err := a.Receive(batch); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// The queue is free although the memory is not.
	again := open(t, here, "veth0", nil)
	if !bytes.Equal(batch[0].Data, want) {
		t.Errorf("frame after Close: % x", batch[0].Data)
	}
	again.Close()
	if err := a.Release(batch); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Release after Close = %v, want net.ErrClosed", err)
	}
}

// killedEnv makes a test the process that is killed.
const killedEnv = "GOPKTS_TEST_KILLED"

// TestKilled kills a process that receives, and wants the interface as it was.
func TestKilled(t *testing.T) {
	if os.Getenv(killedEnv) != "" {
		s, err := afxdp.Open("veth0", nil)
		if err != nil {
			fmt.Println("failed:", err)
			return
		}
		fmt.Println("ready")
		s.SetReadDeadline(time.Now().Add(2 * patience))
		s.Receive(make([]afxdp.Frame, 1))
		return
	}
	here, there := cable(t, 4)
	mac := here.Interface(t, "veth0").MAC
	attached := func() bool {
		return strings.Contains(here.Run(t, "ip", "-d", "link", "show", "dev", "veth0"), "xdp")
	}
	if attached() {
		t.Fatal("a program before there is one")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
	cmd.Env = append(os.Environ(), killedEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("the process says %q, %v", line, err)
	}
	if !attached() {
		t.Error("no program while the process receives")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	for end := time.Now().Add(patience); attached(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program is still attached")
		}
	}
	// And everything is free again.
	a := open(t, here, "veth0", nil)
	b := open(t, there, "veth1", nil)
	for q := range 4 {
		if _, err := b.Send(q, [][]byte{frame(mac, q, 60)}); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, a, 4, func(int, afxdp.Frame) {})
}

func TestNoAllocs(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Millisecond} {
		testNoAllocs(t, &afxdp.Config{Timeout: timeout})
	}
}

func testNoAllocs(t *testing.T, cfg *afxdp.Config) {
	here, there := cable(t, 1)
	a := open(t, here, "veth0", cfg)
	b := open(t, there, "veth1", nil)
	frames := [][]byte{frame(a.Interface().MAC, 0, 60), frame(a.Interface().MAC, 1, 60)}
	batch := make([]afxdp.Frame, 16)
	a.SetReadDeadline(time.Now().Add(patience))
	if n := testing.AllocsPerRun(200, func() {
		if _, err := b.Send(0, frames); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(frames); {
			n, err := a.Receive(batch)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Release(batch[:n]); err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n != 0 {
		t.Errorf("sending and receiving allocates %v times, want 0", n)
	}
}

// TestNoAllocsWaiting is TestNoAllocs for a reader that has to wait.
func TestNoAllocsWaiting(t *testing.T) {
	here, there := cable(t, 1)
	a := open(t, here, "veth0", nil)
	b := open(t, there, "veth1", nil)
	frames := [][]byte{frame(a.Interface().MAC, 0, 60)}
	ask := make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range ask {
			time.Sleep(time.Millisecond)
			if _, err := b.Send(0, frames); err != nil {
				t.Error(err)
			}
		}
	})
	defer wg.Wait()
	defer close(ask)
	batch := make([]afxdp.Frame, 16)
	a.SetReadDeadline(time.Now().Add(patience))
	if n := testing.AllocsPerRun(100, func() {
		ask <- true
		n, err := a.Receive(batch)
		if err != nil {
			t.Error(err)
			return
		}
		if err := a.Release(batch[:n]); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("waiting for a frame allocates %v times, want 0", n)
	}
}
