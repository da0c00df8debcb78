// Package conformance is the contract of package capture as a test suite: every
// backend passes it, on every platform it runs on.
package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Fixture is one quiet interface and what a test can do to it from outside.
// Optional members are nil where a backend has no such thing; a test that wants
// one must be left out.
type Fixture struct {
	// Open opens a Sniffer on the interface.
	Open func(cfg *capture.Config) (*capture.Sniffer, error)
	// Inject makes a frame arrive at the interface.
	Inject func(frame []byte) error
	// Seen is how often, and with which directions, a Sniffer captures a frame
	// that was injected, in order.
	Seen []link.Direction
	// SentSeen is the same for a frame that the Sniffer sends itself.
	SentSeen []link.Direction
	// Sent returns the next frame that left the interface. Optional.
	Sent func() ([]byte, error)
	// MAC is the address to send to.
	MAC link.MacAddr
	// MaxFrame is the longest frame that the tests use, link header included,
	// and TooLong is longer than the interface takes.
	MaxFrame, TooLong int
	// Small is a configuration whose buffer of SmallBytes bytes holds few
	// frames, and which delivers them so late that an idle buffer does not fill
	// up with half-empty blocks while a busy machine lets the test wait.
	Small      *capture.Config
	SmallBytes int
	// SetUp takes the interface up or down. Optional.
	SetUp func(up bool)
	// Remove deletes the interface. Optional.
	Remove func()
	// Rename gives the interface another name. Optional.
	Rename func()
	// MoveAway moves the interface to another network namespace. Optional.
	MoveAway func()
	// SetMTU sets the MTU of the interface, and of what injects. Optional.
	SetMTU func(mtu int)
	// NoFreezes says that the backend does not count how often its buffer was
	// full.
	NoFreezes bool
	// CloseLoops is how often the race of Close against readers is run.
	CloseLoops int
}

// patience is how long a test waits for what must happen. Nothing takes that
// long unless it is broken.
const patience = time.Minute

// quiet is how long a test waits for what must not happen.
const quiet = 100 * time.Millisecond

// Run runs the suite, except for the tests named last. Every test gets a
// fixture of its own.
func Run(t *testing.T, fixture func(t *testing.T) *Fixture, except ...string) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, x *Fixture)
	}{
		{"NotActive", testNotActive},
		{"NothingBeforeActivate", testNothingBefore},
		{"Reactivate", testReactivate},
		{"ReactivateUnderTraffic", testReactivateUnderTraffic},
		{"ReactivateFull", testReactivateFull},
		{"ReactivateWhileReading", testReactivateWhileReading},
		{"Deactivate", testDeactivate},
		{"DeactivateWhileReading", testDeactivateWhileReading},
		{"Send", testSend},
		{"OwnTransmissions", testOwnTransmissions},
		{"Direction", testDirection},
		{"Recycling", testRecycling},
		{"SnapLen", testSnapLen},
		{"FilterLength", testFilterLength},
		{"ReadInto", testReadInto},
		{"NextBatch", testNextBatch},
		{"Loss", testLoss},
		{"Stats", testStats},
		{"Deadline", testDeadline},
		{"DeadlineUnderTraffic", testDeadlineUnderTraffic},
		{"Cancel", testCancel},
		{"CancelUnderTraffic", testCancelUnderTraffic},
		{"CancelOneOfTwo", testCancelOneOfTwo},
		{"FramesEnd", testFramesEnd},
		{"Close", testClose},
		{"CloseLoop", testCloseLoop},
		{"CloseKeepsFrame", testCloseKeepsFrame},
		{"ControlsAtOnce", testControlsAtOnce},
		{"BadFilter", testBadFilter},
		{"Lock", testLock},
		{"Down", testDown},
		{"Gone", testGone},
		{"GoneWhileReading", testGoneWhileReading},
		{"GoneLate", testGoneLate},
		{"GoneWhenDown", testGoneWhenDown},
		{"Rename", testRename},
		{"MoveAway", testMoveAway},
		{"SetMTU", testSetMTU},
		{"Idle", testIdle},
		{"SendBatch", testSendBatch},
		{"NoAllocs", testNoAllocs},
	} {
		if slices.Contains(except, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(t, fixture(t)) })
	}
}

// Frames of the suite: Ethernet, the EtherType that IEEE 802 sets aside for
// local experiments, one byte that tells kinds of frames apart, and a number.
const (
	etherType = 0x88b5
	offType   = 12
	offKind   = 14
	offNumber = 15
	minFrame  = 60
)

func (x *Fixture) frame(kind byte, number uint32, size int) []byte {
	b := make([]byte, size)
	copy(b, x.MAC[:])
	copy(b[6:], []byte{0x02, 0, 0, 0, 0, 0x01})
	binary.BigEndian.PutUint16(b[offType:], etherType)
	b[offKind] = kind
	binary.BigEndian.PutUint32(b[offNumber:], number)
	for i := offNumber + 4; i < size; i++ {
		b[i] = byte(i) ^ kind
	}
	return b
}

// ours reports whether a frame belongs to the suite, and its parts.
func ours(b []byte) (kind byte, number uint32, ok bool) {
	if len(b) < offNumber+4 || binary.BigEndian.Uint16(b[offType:]) != etherType {
		return 0, 0, false
	}
	return b[offKind], binary.BigEndian.Uint32(b[offNumber:]), true
}

// only returns a filter that accepts the frames of one kind and keeps n bytes.
func only(t *testing.T, kind byte, n uint32) []bpf.RawInstruction {
	t.Helper()
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: offType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherType, SkipFalse: 3},
		bpf.LoadAbsolute{Off: offKind, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(kind), SkipFalse: 1},
		bpf.RetConstant{Val: n},
		bpf.RetConstant{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func (x *Fixture) open(t *testing.T, cfg *capture.Config) *capture.Sniffer {
	t.Helper()
	s, err := x.Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func (x *Fixture) openActive(t *testing.T, cfg *capture.Config) *capture.Sniffer {
	t.Helper()
	s := x.open(t, cfg)
	if err := s.Activate(nil); err != nil {
		t.Fatalf("Activate: %v", err)
	}
	return s
}

func (x *Fixture) inject(t *testing.T, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if err := x.Inject(f); err != nil {
			t.Fatalf("inject: %v", err)
		}
	}
}

// injectN injects n frames of a kind, numbered from first.
func (x *Fixture) injectN(t *testing.T, kind byte, first uint32, n int) {
	t.Helper()
	for i := range n {
		x.inject(t, x.frame(kind, first+uint32(i), minFrame))
	}
}

// expect reads the frame that injecting one of a kind and a number gives.
func (x *Fixture) expect(t *testing.T, s *capture.Sniffer, kind byte, number uint32) {
	t.Helper()
	x.expectSeen(t, s, kind, number, x.Seen)
}

func (x *Fixture) expectSeen(t *testing.T, s *capture.Sniffer, kind byte, number uint32, seen []link.Direction) {
	t.Helper()
	deadline(t, s, patience)
	for _, d := range seen {
		var f link.Frame
		if err := s.Next(&f); err != nil {
			t.Fatalf("Next = %v, want frame %c %d", err, kind, number)
		}
		k, n, ok := ours(f.Data)
		if !ok || k != kind || n != number || f.Direction != d {
			t.Fatalf("Next = frame %c %d %v (ours: %t), want %c %d %v", k, n, f.Direction, ok, kind, number, d)
		}
		if f.Link != s.Link() || f.WireLen < len(f.Data) || f.Time.IsZero() {
			t.Fatalf("Next: Link %v, WireLen %d, Time %v", f.Link, f.WireLen, f.Time)
		}
	}
	deadline(t, s, 0)
}

// expectError wants reading to fail within the time of patience.
func expectError(t *testing.T, s *capture.Sniffer, want error) {
	t.Helper()
	deadline(t, s, patience)
	var f link.Frame
	err := s.Next(&f)
	if !errors.Is(err, want) {
		t.Fatalf("Next = %v (frame of %d bytes), want %v", err, len(f.Data), want)
	}
	checkError(t, "read", err)
	if _, err := s.ReadInto(make([]byte, 2048)); !errors.Is(err, want) && want != capture.ErrInterfaceDown {
		t.Fatalf("ReadInto = %v, want %v", err, want)
	}
	if !errors.Is(want, net.ErrClosed) {
		deadline(t, s, 0)
	}
}

// expectNothing wants no frame for a while.
func expectNothing(t *testing.T, s *capture.Sniffer) {
	t.Helper()
	deadline(t, s, quiet)
	var f link.Frame
	if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Next = %v, frame % x, want nothing", err, f.Data)
	}
	deadline(t, s, 0)
}

// checkError wants an OpError that names the operation.
func checkError(t *testing.T, op string, err error) {
	t.Helper()
	e, ok := errors.AsType[*capture.OpError](err)
	if !ok || e.Op != op || e.Interface == "" || e.Err == nil {
		t.Fatalf("error %#v, want an OpError with operation %q and an interface", err, op)
	}
}

// deadline sets the read deadline, or none for 0.
func deadline(t *testing.T, s *capture.Sniffer, d time.Duration) {
	t.Helper()
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	if err := s.SetReadDeadline(at); err != nil {
		t.Fatalf("SetReadDeadline: %v", err)
	}
}

// waitStats waits until the counters are as wanted.
func waitStats(t *testing.T, s *capture.Sniffer, what string, ok func(capture.Stats) bool) capture.Stats {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		st, err := s.Stats()
		if err != nil {
			t.Fatalf("Stats: %v", err)
		}
		if ok(st) {
			return st
		}
		if time.Now().After(end) {
			t.Fatalf("Stats = %+v, want %s", st, what)
		}
	}
}

// waitReceived waits until n injected frames were captured.
func (x *Fixture) waitReceived(t *testing.T, s *capture.Sniffer, n int) {
	t.Helper()
	want := uint64(n * len(x.Seen))
	waitStats(t, s, "all injected frames received", func(st capture.Stats) bool { return st.Received >= want })
}

// traffic injects frames of kind b until the test ends or stop is called.
func (x *Fixture) traffic(t *testing.T) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint32(0); ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := x.Inject(x.frame('b', i, minFrame)); err != nil {
				t.Errorf("inject: %v", err)
				return
			}
			if i%64 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { close(done); wg.Wait() }) }
	t.Cleanup(stop)
	return stop
}

// soon runs f several times and wants the quickest to take at most 50 ms: the
// others may have been held up by whatever else the machine does.
func soon(t *testing.T, what string, f func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 5 {
		d := f()
		if d > patience/2 {
			t.Fatalf("%s took %v", what, d)
		}
		took = append(took, d)
	}
	if best := slices.Min(took); best > 50*time.Millisecond {
		t.Errorf("%s took %v, want at most 50ms", what, took)
	}
}

func testNotActive(t *testing.T, x *Fixture) {
	s := x.open(t, nil)
	x.injectN(t, 'a', 0, 3)
	expectError(t, s, capture.ErrNotActive)
	for f, err := range s.Frames(t.Context()) {
		if !errors.Is(err, capture.ErrNotActive) {
			t.Fatalf("Frames = %v, %v, want ErrNotActive", f, err)
		}
	}
	if err := s.Deactivate(); err != nil {
		t.Errorf("Deactivate of an idle Sniffer = %v", err)
	}
	expectError(t, s, capture.ErrNotActive)
}

func testNothingBefore(t *testing.T, x *Fixture) {
	s := x.open(t, nil)
	x.injectN(t, 'a', 0, 5)
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	x.injectN(t, 'a', 100, 5)
	for i := range 5 {
		x.expect(t, s, 'a', 100+uint32(i))
	}
	expectNothing(t, s)
}

func testReactivate(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.injectN(t, 'a', 0, 5)
	x.waitReceived(t, s, 5)
	if err := s.Activate(nil); err != nil { // the same filter
		t.Fatal(err)
	}
	x.injectN(t, 'a', 100, 1)
	x.expect(t, s, 'a', 100)
	if err := s.Activate(only(t, 'b', 1<<16)); err != nil {
		t.Fatal(err)
	}
	x.injectN(t, 'a', 200, 3)
	x.injectN(t, 'b', 300, 1)
	x.injectN(t, 'a', 200, 3)
	x.injectN(t, 'b', 301, 1)
	x.expect(t, s, 'b', 300)
	x.expect(t, s, 'b', 301)
	expectNothing(t, s)
}

func testReactivateUnderTraffic(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.traffic(t) // of kind b
	for i := range 30 {
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
		var f link.Frame
		deadline(t, s, patience)
		for range i % 3 { // with and without something outstanding
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Activate(only(t, 'a', 1<<16)); err != nil {
			t.Fatal(err)
		}
		// The buffer may have become full meanwhile: see testReactivateFull.
		deadline(t, s, time.Millisecond)
		if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Next = %v, frame % x, want nothing", err, f.Data)
		}
		x.injectN(t, 'a', uint32(i), 1)
		x.expect(t, s, 'a', uint32(i))
	}
}

// testReactivateFull changes the filter when the buffer is full and the last
// frame is still part of it: what comes then is read, or counted as dropped, and
// what comes after a wait is read.
func testReactivateFull(t *testing.T, x *Fixture) {
	s := x.openActive(t, x.Small)
	const size = 500
	for i := 0; i*size*len(x.Seen) < 4*x.SmallBytes; i++ {
		x.inject(t, x.frame('b', uint32(i), size))
	}
	var f link.Frame
	deadline(t, s, patience)
	if err := s.Next(&f); err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(f.Data)
	if err := s.Activate(only(t, 'a', 1<<16)); err != nil {
		t.Fatal(err)
	}
	full, err := s.Stats()
	if err != nil || full.Dropped == 0 {
		t.Fatalf("Stats = %+v, %v: the buffer is not full", full, err)
	}
	x.injectN(t, 'a', 1, 1)
	if !bytes.Equal(f.Data, before) {
		t.Error("the frame that was read last has changed")
	}
	read := 0
	deadline(t, s, 5*quiet)
	for range x.Seen {
		if err := s.Next(&f); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		read++
	}
	st, err := s.Stats()
	if want := uint64(len(x.Seen) - read); err != nil || st.Dropped-full.Dropped != want {
		t.Errorf("%d of %d read, Stats = %+v, %v, want %d more dropped", read, len(x.Seen), st, err, want)
	}
	x.injectN(t, 'a', 2, 1)
	x.expect(t, s, 'a', 2)
}

func testReactivateWhileReading(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	const total = 20
	got := make(chan uint32, total*4)
	go func() {
		defer close(got)
		for f, err := range s.Frames(t.Context()) {
			if err != nil {
				t.Error(err)
				return
			}
			_, n, _ := ours(f.Data)
			got <- n
			if n == total-1 && f.Direction == x.Seen[len(x.Seen)-1] {
				return
			}
		}
	}()
	for i := range total {
		if err := s.Activate(only(t, 'a', 1<<16)); err != nil {
			t.Fatal(err)
		}
		x.injectN(t, 'b', 1000, 1)
		x.injectN(t, 'a', uint32(i), 1)
		select {
		case n := <-got:
			if n != uint32(i) {
				t.Fatalf("reader got frame %d, want %d", n, i)
			}
			for range len(x.Seen) - 1 {
				<-got
			}
		case <-time.After(patience):
			t.Fatalf("reader did not get frame %d", i)
		}
	}
}

func testDeactivate(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	for round := range uint32(3) {
		x.injectN(t, 'a', round*100, 5)
		if err := s.Deactivate(); err != nil {
			t.Fatal(err)
		}
		x.injectN(t, 'a', 9999, 5)
		for i := range uint32(5) {
			x.expect(t, s, 'a', round*100+i)
		}
		expectError(t, s, capture.ErrNotActive)
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
	}
	// Activate while draining forgets.
	x.injectN(t, 'a', 500, 5)
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	x.injectN(t, 'a', 600, 1)
	x.expect(t, s, 'a', 600)
}

func testDeactivateWhileReading(t *testing.T, x *Fixture) {
	soon(t, "Deactivate until the reader has ErrNotActive", func() time.Duration {
		s := x.openActive(t, nil)
		defer s.Close()
		done := make(chan error, 1)
		go func() {
			var f link.Frame
			done <- s.Next(&f)
		}()
		time.Sleep(10 * time.Millisecond)
		start := time.Now()
		if err := s.Deactivate(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, capture.ErrNotActive) {
			t.Fatalf("Next = %v, want ErrNotActive", err)
		}
		return time.Since(start)
	})
}

func testSend(t *testing.T, x *Fixture) {
	s := x.open(t, nil)
	want := x.frame('s', 1, minFrame)
	copy(want, []byte{0x02, 0, 0, 0, 0, 0x99})
	if err := s.Send(want); err != nil {
		t.Fatalf("Send before Activate: %v", err)
	}
	if x.Sent != nil {
		got, err := x.Sent()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("sent % x, %v, want % x", got, err, want)
		}
	}
	for _, n := range []int{0, 1, 13, x.TooLong} {
		err := s.Send(make([]byte, n))
		if !errors.Is(err, capture.ErrFrameSize) {
			t.Errorf("Send of %d bytes = %v, want ErrFrameSize", n, err)
			continue
		}
		checkError(t, "send", err)
	}
	expectError(t, s, capture.ErrNotActive)
}

func testOwnTransmissions(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	if err := s.Send(x.frame('s', 7, minFrame)); err != nil {
		t.Fatal(err)
	}
	x.expectSeen(t, s, 's', 7, x.SentSeen)
	expectNothing(t, s)
}

func testDirection(t *testing.T, x *Fixture) {
	for _, want := range []capture.Direction{capture.In, capture.Out} {
		s := x.openActive(t, &capture.Config{Direction: want})
		match := func(d link.Direction) bool { return (d == link.DirectionOut) == (want == capture.Out) }
		filter := func(ds []link.Direction) []link.Direction {
			return slices.DeleteFunc(slices.Clone(ds), func(d link.Direction) bool { return !match(d) })
		}
		x.injectN(t, 'a', 1, 1)
		x.expectSeen(t, s, 'a', 1, filter(x.Seen))
		if err := s.Send(x.frame('s', 2, minFrame)); err != nil {
			t.Fatal(err)
		}
		x.expectSeen(t, s, 's', 2, filter(x.SentSeen))
		// Together with a filter of the user's.
		if err := s.Activate(only(t, 'b', 1<<16)); err != nil {
			t.Fatal(err)
		}
		x.injectN(t, 'a', 3, 1)
		x.injectN(t, 'b', 4, 1)
		x.expectSeen(t, s, 'b', 4, filter(x.Seen))
		expectNothing(t, s)
	}
}

// testRecycling reads ten times what the buffer holds, with frames of all
// lengths, and wants every byte of every frame in order. A buffer that is
// filled while this process gets no processor loses frames rightly, and one that
// is handed over half empty, because frames are sent slowly, holds less: then
// fewer frames are sent before they are read.
func testRecycling(t *testing.T, x *Fixture) {
	const attempts = 10
	for i := range attempts {
		if x.recycle(t, x.SmallBytes>>(1+i/2)) {
			return
		}
	}
	t.Errorf("frames were dropped in each of %d attempts", attempts)
}

// recycle is one attempt, with so many bytes sent before they are read. It
// reports whether nothing was dropped.
func (x *Fixture) recycle(t *testing.T, once int) bool {
	t.Helper()
	s := x.openActive(t, x.Small)
	defer s.Close()
	frame := func(n uint32) []byte { return x.frame('a', n, minFrame+int(n*37)%(x.MaxFrame-minFrame+1)) }
	for number, total := uint32(0), 0; total < 10*x.SmallBytes; {
		first := number
		for batch := 0; batch < once; number++ {
			b := frame(number)
			x.inject(t, b)
			batch += len(b) * len(x.Seen)
			total += len(b) * len(x.Seen)
		}
		all := uint64(number) * uint64(len(x.Seen))
		st := waitStats(t, s, "every frame counted", func(st capture.Stats) bool { return st.Received+st.Dropped == all })
		if st.Dropped > 0 {
			return false
		}
		deadline(t, s, patience)
		var f link.Frame
		for n := first; n < number; n++ {
			want := frame(n)
			for range x.Seen {
				if err := s.Next(&f); err != nil {
					t.Fatalf("frame %d: %v", n, err)
				}
				if !bytes.Equal(f.Data, want) || f.WireLen != len(want) || f.Flags.Has(link.InfoLossBefore) {
					t.Fatalf("frame %d: got %d bytes of %d, flags %b, % x, want %d, % x", n,
						len(f.Data), f.WireLen, f.Flags, f.Data[:32], len(want), want[:32])
				}
			}
		}
	}
	if st, err := s.Stats(); err != nil || st.Truncated != 0 {
		t.Errorf("Stats = %+v, %v, want nothing truncated", st, err)
	}
	return true
}

func testSnapLen(t *testing.T, x *Fixture) {
	const snap = 40
	s := x.openActive(t, &capture.Config{SnapLen: snap})
	deadline(t, s, patience)
	size := min(1000, x.MaxFrame)
	for _, filter := range [][]bpf.RawInstruction{nil, only(t, 'a', 1<<16)} {
		if err := s.Activate(filter); err != nil {
			t.Fatal(err)
		}
		want := x.frame('a', 1, size)
		x.inject(t, want)
		for range x.Seen {
			var f link.Frame
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f.Data, want[:snap]) || f.WireLen != size || !f.Truncated() {
				t.Errorf("got %d bytes of %d, % x, want %d of %d", len(f.Data), f.WireLen, f.Data, snap, size)
			}
		}
	}
	if st, err := s.Stats(); err != nil || st.Truncated != uint64(2*len(x.Seen)) {
		t.Errorf("Stats = %+v, %v, want %d truncated", st, err, 2*len(x.Seen))
	}
}

// testFilterLength has filters that keep a constant or a computed length.
func testFilterLength(t *testing.T, x *Fixture) {
	computed, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		bpf.RetA{},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := x.open(t, &capture.Config{SnapLen: 50})
	for _, c := range []struct {
		filter       []bpf.RawInstruction
		number, want uint32
	}{
		{only(t, 'a', 30), 1, 30},
		{only(t, 'a', 1<<32-1), 1, 50},
		{computed, 33, 33},
		{computed, 1 << 31, 50},
	} {
		if err := s.Activate(c.filter); err != nil {
			t.Fatal(err)
		}
		x.injectN(t, 'a', 0, 1) // the computed length is 0: not accepted
		x.injectN(t, 'a', c.number, 1)
		deadline(t, s, patience)
		var f link.Frame
		for {
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
			if _, n, ok := ours(f.Data); ok && n == c.number {
				break
			}
		}
		if len(f.Data) != int(c.want) || f.WireLen != minFrame {
			t.Errorf("filter keeps %d of %d, want %d of %d", len(f.Data), f.WireLen, c.want, minFrame)
		}
	}
}

func testReadInto(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	deadline(t, s, patience)
	want := x.frame('a', 1, 100)
	buf := make([]byte, x.MaxFrame)
	for range 2 {
		x.inject(t, want)
		for range x.Seen {
			f, err := s.ReadInto(buf)
			if err != nil || !bytes.Equal(f.Data, want) || &f.Data[0] != &buf[0] || f.WireLen != 100 {
				t.Fatalf("ReadInto = %d bytes of %d, %v", len(f.Data), f.WireLen, err)
			}
			if cap(f.Data) != len(f.Data) {
				t.Errorf("capacity %d, want %d", cap(f.Data), len(f.Data))
			}
		}
	}
	x.inject(t, want)
	for range x.Seen {
		f, err := s.ReadInto(buf[:20])
		if err != nil || !bytes.Equal(f.Data, want[:20]) || !f.Truncated() {
			t.Fatalf("ReadInto 20 bytes = %d bytes of %d, %v", len(f.Data), f.WireLen, err)
		}
	}
	if st, err := s.Stats(); err != nil || st.Truncated != uint64(len(x.Seen)) {
		t.Errorf("Stats = %+v, %v, want %d truncated", st, err, len(x.Seen))
	}
}

// testNextBatch reads many frames at once, of which all are to be there at the
// same time, also behind Activate and Close.
func testNextBatch(t *testing.T, x *Fixture) {
	cfg := slow()
	cfg.SnapLen = 1000
	s := x.openActive(t, cfg)
	deadline(t, s, patience)
	if n, err := s.NextBatch(nil); n != 0 || err != nil {
		t.Errorf("NextBatch of nothing = %d, %v", n, err)
	}
	const total = 300
	size := func(n uint32) int { return minFrame + int(n*37)%(x.MaxFrame-minFrame+1) }
	for i := range uint32(total) {
		x.inject(t, x.frame('a', i, size(i)))
	}
	all := total * len(x.Seen)
	x.waitReceived(t, s, total)
	cut := 0
	check := func(frames []link.Frame, from int) {
		t.Helper()
		for i, f := range frames {
			number := uint32((from + i) / len(x.Seen))
			want := x.frame('a', number, size(number))
			kept := want[:min(len(want), 1000)]
			if !bytes.Equal(f.Data, kept) || f.WireLen != len(want) || f.Link != s.Link() {
				t.Fatalf("frame %d of the batch from %d on: got %d bytes of %d, %v, % x, want %d of %d, % x",
					i, from, len(f.Data), f.WireLen, f.Link, f.Data[:min(32, len(f.Data))], len(kept), len(want), want[:32])
			}
		}
	}
	frames := make([]link.Frame, 64)
	read := 0
	for round := 0; read < all-20; round++ {
		n, err := 1, error(nil)
		if round%3 == 2 {
			err = s.Next(&frames[0])
		} else {
			n, err = s.NextBatch(frames[:min(1+round*7%len(frames), all-20-read)])
		}
		if err != nil || n < 1 {
			t.Fatalf("%d frames, %v", n, err)
		}
		check(frames[:n], read)
		for _, f := range frames[:n] {
			if f.Truncated() {
				cut++
			}
		}
		read += n
	}
	if st, err := s.Stats(); err != nil || st.Truncated != uint64(cut) {
		t.Errorf("Stats = %+v, %v, want %d truncated", st, err, cut)
	}
	// What is behind the batch is forgotten; the batch is not.
	n, err := s.NextBatch(frames[:10])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	check(frames[:n], read)
	for i := range uint32(total) {
		x.inject(t, x.frame('a', i, size(i)))
	}
	x.waitReceived(t, s, 2*total)
	check(frames[:n], read)
	if n, err = s.NextBatch(frames[:10]); err != nil {
		t.Fatal(err)
	}
	check(frames[:n], 0)
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	for read = n; ; read += n {
		if n, err = s.NextBatch(frames); err != nil {
			break
		}
		check(frames[:n], read)
	}
	if read != all || !errors.Is(err, capture.ErrNotActive) {
		t.Fatalf("%d frames, %v, want %d and ErrNotActive", read, err, all)
	}
	checkError(t, "read", err)

	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(20) {
		x.inject(t, x.frame('a', i, size(i)))
	}
	x.waitReceived(t, s, 2*total+20)
	if n, err = s.NextBatch(frames); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	check(frames[:n], 0)
	if n, err := s.NextBatch(frames); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("NextBatch after Close = %d, %v", n, err)
	}
	runtime.KeepAlive(s)
}

func testLoss(t *testing.T, x *Fixture) {
	s := x.openActive(t, x.Small)
	size := min(1000, x.MaxFrame)
	sent := 0
	for sent*size*len(x.Seen) < 3*x.SmallBytes {
		x.inject(t, x.frame('a', uint32(sent), size))
		sent++
	}
	all := uint64(sent * len(x.Seen))
	st := waitStats(t, s, "every frame counted", func(st capture.Stats) bool { return st.Received+st.Dropped == all })
	if st.Dropped == 0 || st.Received == 0 || (st.RingFreezes == 0) != x.NoFreezes {
		t.Errorf("Stats = %+v, want some frames received, some dropped, and freezes", st)
	}
	// What is there can be read, is in order, and is not marked.
	deadline(t, s, patience)
	var f link.Frame
	for i := range st.Received {
		if err := s.Next(&f); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if _, n, _ := ours(f.Data); uint64(n) != i/uint64(len(x.Seen)) {
			t.Fatalf("frame %d has number %d", i, n)
		}
		if f.Flags.Has(link.InfoLossBefore) {
			t.Errorf("frame %d has InfoLossBefore", i)
		}
	}
	expectNothing(t, s)
	// What comes behind the gap says so, once.
	marked := 0
	for i := range 20 {
		x.injectN(t, 'b', uint32(i), 1)
		deadline(t, s, patience)
		for j := range x.Seen {
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
			if f.Flags.Has(link.InfoLossBefore) {
				marked++
				if i != 0 || j != 0 {
					t.Errorf("frame %d has InfoLossBefore, want only the first", i)
				}
			}
		}
	}
	if marked != 1 {
		t.Errorf("%d frames have InfoLossBefore, want 1", marked)
	}
	if now, err := s.Stats(); err != nil || now.Dropped != st.Dropped {
		t.Errorf("Stats = %+v, %v, want Dropped still %d", now, err, st.Dropped)
	}

	behind := x.SmallBytes / 3 / size / len(x.Seen)
	for !x.lossUnseen(t, size, behind) {
		if behind /= 2; behind == 0 {
			t.Fatal("frames behind the gap were lost, however few there were")
		}
	}
}

// lossUnseen is the loss of frames without a look at Stats in between, and with
// more than one block behind the gap. It reports whether the buffer had room for
// all the frames behind it, for which a machine may be too slow: they come in
// blocks that are not full then.
func (x *Fixture) lossUnseen(t *testing.T, size, behind int) bool {
	t.Helper()
	s := x.openActive(t, x.Small)
	defer s.Close()
	sent := 0
	for ; sent*size*len(x.Seen) < 2*x.SmallBytes; sent++ {
		x.inject(t, x.frame('a', uint32(sent), size))
	}
	all, read := uint64(sent*len(x.Seen)), uint64(0)
	deadline(t, s, 5*quiet)
	var f link.Frame
	for ; ; read++ {
		err := s.Next(&f)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || f.Flags.Has(link.InfoLossBefore) {
			t.Fatalf("Next = %v, flags %b", err, f.Flags)
		}
	}
	for i := range behind {
		x.inject(t, x.frame('b', uint32(i), size))
	}
	var marked []int
	end := time.Now().Add(patience)
	for i := 0; i < behind*len(x.Seen); {
		deadline(t, s, 5*quiet)
		err := s.Next(&f)
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(end) {
			if st, err := s.Stats(); err == nil && st.Dropped > all-read {
				return false
			}
			continue
		}
		if err != nil {
			t.Fatalf("frame %d behind the gap: %v", i, err)
		}
		if f.Flags.Has(link.InfoLossBefore) {
			marked = append(marked, i)
		}
		i++
	}
	if !slices.Equal(marked, []int{0}) {
		t.Errorf("of %d frames behind the gap %d have InfoLossBefore, want only the first", behind*len(x.Seen), marked)
	}
	return true
}

// slow is a configuration for tests that capture a lot before they read: blocks
// of a ring that are handed over early, when the machine is busy, use it up. It
// takes this one more than six seconds.
func slow() *capture.Config {
	return &capture.Config{
		Timeout: 100 * time.Millisecond,
		Ring:    &capture.Ring{BlockSize: 256 << 10, BlockCount: 64},
	}
}

func testStats(t *testing.T, x *Fixture) {
	s := x.openActive(t, slow())
	for round := range 3 {
		x.injectN(t, 'a', 0, 10)
		x.waitReceived(t, s, 10*(round+1)) // grows, though the kernel's own are reset
	}
	if err := s.Activate(only(t, 'b', 1<<16)); err != nil {
		t.Fatal(err)
	}
	x.injectN(t, 'a', 0, 10)
	x.injectN(t, 'b', 0, 1)
	x.expect(t, s, 'b', 0)
	st, err := s.Stats()
	if want := uint64(31 * len(x.Seen)); err != nil || st.Received != want || st.Dropped != 0 || st.Truncated != 0 {
		t.Errorf("Stats = %+v, %v, want %d received", st, err, want)
	}
}

func testDeadline(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	var f link.Frame
	soon(t, "deadline of 20ms", func() time.Duration {
		start := time.Now()
		deadline(t, s, 20*time.Millisecond)
		err := s.Next(&f)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Next = %v, want ErrDeadlineExceeded", err)
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		if d := time.Since(start); d < 20*time.Millisecond {
			t.Errorf("Next returned after %v", d)
		}
		return time.Since(start) - 20*time.Millisecond
	})
	// It stays, also for those who come later, until another one is set.
	for range 3 {
		if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Next = %v, want ErrDeadlineExceeded", err)
		}
	}
	deadline(t, s, 0)
	x.injectN(t, 'a', 1, 1)
	x.expect(t, s, 'a', 1)

	// One that is set while others wait counts for all of them.
	errs := make(chan error, 3)
	for range 3 {
		go func() {
			var f link.Frame
			errs <- s.Next(&f)
		}()
	}
	time.Sleep(10 * time.Millisecond)
	if err := s.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Next = %v, want ErrDeadlineExceeded", err)
		}
	}
	// One that is moved while somebody waits does not fire at the old time.
	deadline(t, s, 30*time.Millisecond)
	go func() {
		var f link.Frame
		errs <- s.Next(&f)
	}()
	deadline(t, s, patience)
	select {
	case err := <-errs:
		t.Fatalf("Next = %v, before its deadline", err)
	case <-time.After(quiet):
	}
	x.injectN(t, 'a', 2, 1)
	if err := <-errs; err != nil {
		t.Errorf("Next = %v", err)
	}
}

func testDeadlineUnderTraffic(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.traffic(t)
	soon(t, "deadline under traffic", func() time.Duration {
		deadline(t, s, 20*time.Millisecond)
		start := time.Now()
		var f link.Frame
		for {
			if err := s.Next(&f); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				return time.Since(start) - 20*time.Millisecond
			}
		}
	})
}

// cancelTime returns how long a reader takes to notice that its context ended.
func cancelTime(t *testing.T, s *capture.Sniffer) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var last error
		for _, err := range s.Frames(ctx) {
			last = err
		}
		done <- last
	}()
	time.Sleep(10 * time.Millisecond)
	start := time.Now()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Frames ended with %v, want context.Canceled", err)
		}
		checkError(t, "read", err)
	case <-time.After(patience):
		t.Fatal("Frames did not end with its context")
	}
	return time.Since(start)
}

func testCancel(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	soon(t, "cancel", func() time.Duration { return cancelTime(t, s) })
	// It was the context's end, not the Sniffer's.
	x.injectN(t, 'a', 1, 1)
	x.expect(t, s, 'a', 1)
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.ErrUnsupported)
	defer cancel()
	for _, err := range s.Frames(ctx) {
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Frames = %v, want DeadlineExceeded and its cause", err)
		}
	}
}

func testCancelUnderTraffic(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.traffic(t)
	soon(t, "cancel under traffic", func() time.Duration { return cancelTime(t, s) })
}

// testCancelOneOfTwo cancels a reader that waits for its turn while another
// waits for frames.
func testCancelOneOfTwo(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	other := make(chan error, 1)
	go func() {
		var f link.Frame
		other <- s.Next(&f)
	}()
	time.Sleep(10 * time.Millisecond)
	soon(t, "cancel of the second reader", func() time.Duration { return cancelTime(t, s) })
	select {
	case err := <-other:
		t.Fatalf("the first reader got %v", err)
	default:
	}
	x.injectN(t, 'a', 1, 1)
	if err := <-other; err != nil {
		t.Errorf("the first reader got %v", err)
	}
}

func testFramesEnd(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.injectN(t, 'a', 0, 5)
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for f, err := range s.Frames(t.Context()) {
		if err != nil {
			t.Fatalf("Frames: %v, want the end", err)
		}
		if _, number, ok := ours(f.Data); !ok || int(number) != n/len(x.Seen) {
			t.Errorf("frame %d has number %d", n, number)
		}
		n++
	}
	if n != 5*len(x.Seen) {
		t.Errorf("%d frames, want %d", n, 5*len(x.Seen))
	}
	expectOneError := func() {
		t.Helper()
		n := 0
		for _, err := range s.Frames(t.Context()) {
			n++
			if !errors.Is(err, capture.ErrNotActive) {
				t.Errorf("Frames of an idle Sniffer: %v, want ErrNotActive", err)
			}
		}
		if n != 1 {
			t.Errorf("Frames of an idle Sniffer has %d elements, want one with an error", n)
		}
	}
	expectOneError()
	// Also when there was nothing.
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Frames(t.Context()) {
		t.Errorf("Frames: %v, want the end", err)
	}
	expectOneError()
}

func testClose(t *testing.T, x *Fixture) {
	soon(t, "Close until every reader is back", func() time.Duration {
		s := x.openActive(t, nil)
		const readers = 4
		errs := make(chan error, readers)
		for i := range readers {
			go func() {
				if i%2 == 0 {
					var f link.Frame
					errs <- s.Next(&f)
					return
				}
				for _, err := range s.Frames(context.Background()) {
					errs <- err
				}
			}()
		}
		time.Sleep(10 * time.Millisecond)
		start := time.Now()
		go s.Close()
		for range readers {
			select {
			case err := <-errs:
				if !errors.Is(err, net.ErrClosed) {
					t.Fatalf("read = %v, want net.ErrClosed", err)
				}
			case <-time.After(patience):
				t.Fatal("a reader did not notice Close")
			}
		}
		return time.Since(start)
	})

	s := x.openActive(t, nil)
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
	_, statsErr := s.Stats()
	_, connErr := s.SyscallConn()
	var f link.Frame
	for op, err := range map[string]error{
		"close":       s.Close(),
		"read":        s.Next(&f),
		"send":        s.Send(x.frame('a', 0, minFrame)),
		"activate":    s.Activate(nil),
		"deactivate":  s.Deactivate(),
		"lock":        s.Lock(),
		"deadline":    s.SetReadDeadline(time.Now()),
		"stats":       statsErr,
		"syscallconn": connErr,
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close = %v, want net.ErrClosed", op, err)
			continue
		}
		checkError(t, op, err)
	}
}

// testCloseLoop closes under readers, senders and everybody else, again and
// again, for the race detector and for the memory that must not go away.
func testCloseLoop(t *testing.T, x *Fixture) {
	stop := x.traffic(t)
	loops := x.CloseLoops
	if testing.Short() {
		loops = min(loops, 100)
	}
	for i := range loops {
		s, err := x.Open(x.Small)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		closed := func(err error) {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("loop %d: %v, want net.ErrClosed", i, err)
			}
		}
		wg.Go(func() {
			buf := make([]byte, 2048)
			for {
				f, err := s.ReadInto(buf)
				if err != nil {
					closed(err)
					return
				}
				if _, _, ok := ours(f.Data); !ok {
					t.Errorf("loop %d: read % x", i, f.Data)
				}
			}
		})
		wg.Go(func() {
			var f link.Frame
			for {
				if err := s.Next(&f); err != nil {
					closed(err)
					return
				}
			}
		})
		wg.Go(func() {
			for _, err := range s.Frames(t.Context()) {
				if err != nil {
					closed(err)
				}
			}
		})
		wg.Go(func() {
			frames := slices.Repeat([][]byte{x.frame('s', 0, minFrame)}, 3)
			for {
				if _, err := s.SendBatch(frames); err != nil {
					closed(err)
					return
				}
				if err := s.Send(frames[0]); err != nil {
					closed(err)
					return
				}
				time.Sleep(20 * time.Microsecond)
			}
		})
		wg.Go(func() {
			for {
				if _, err := s.Stats(); err != nil {
					closed(err)
					return
				}
				if err := s.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
					closed(err)
					return
				}
			}
		})
		time.Sleep(time.Duration(i%8) * 50 * time.Microsecond)
		if err := s.Close(); err != nil {
			t.Fatalf("loop %d: Close: %v", i, err)
		}
		wg.Wait()
	}
	stop()
}

// testCloseKeepsFrame reads the last frame after Close.
func testCloseKeepsFrame(t *testing.T, x *Fixture) {
	var kept []*capture.Sniffer
	for i := range uint32(20) {
		s := x.openActive(t, nil)
		deadline(t, s, patience)
		want := x.frame('a', i, min(1000, x.MaxFrame))
		x.injectN(t, 'a', 1000, int(i)) // so that it lies anywhere in its page
		x.inject(t, want)
		var f link.Frame
		for {
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
			if _, n, ok := ours(f.Data); ok && n == i {
				break
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if !bytes.Equal(f.Data, want) {
			t.Errorf("frame %d changed with Close: % x", i, f.Data[:32])
		}
		kept = append(kept, s)
	}
	if len(kept) != 20 {
		t.Errorf("%d Sniffers kept, want 20", len(kept))
	}
}

// testControlsAtOnce calls everything at once; nothing may get stuck.
func testControlsAtOnce(t *testing.T, x *Fixture) {
	s := x.openActive(t, x.Small)
	x.traffic(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			buf := make([]byte, 2048)
			for ctx.Err() == nil {
				switch i {
				case 0:
					for range s.Frames(ctx) {
					}
				case 1:
					s.ReadInto(buf)
				default:
					s.SetReadDeadline(time.Now().Add(time.Millisecond))
					s.Stats()
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := s.Activate(nil); err != nil {
				t.Error(err)
			}
			if err := s.Deactivate(); err != nil {
				t.Error(err)
			}
		}
	})
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("stuck")
	}
}

func testBadFilter(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	ret := bpf.RawInstruction{Op: 0x06, K: 1 << 16}
	for name, prog := range map[string][]bpf.RawInstruction{
		"no return":           {{Op: 0x00}},
		"jump behind the end": {{Op: 0x15, Jt: 1}, ret},
		"jump always":         {{Op: 0x05, K: 1 << 31}, ret},
		"return of X":         {{Op: 0x0e}},
		"too long":            append(slices.Repeat([]bpf.RawInstruction{{Op: 0x00}}, 4096), ret),
	} {
		err := s.Activate(prog)
		if !errors.Is(err, capture.ErrFilter) {
			t.Errorf("%s: Activate = %v, want ErrFilter", name, err)
			continue
		}
		checkError(t, "activate", err)
	}
	// What was active still is.
	x.injectN(t, 'a', 1, 1)
	x.expect(t, s, 'a', 1)
	// Only the platform can tell that this one is bad.
	err := s.Activate([]bpf.RawInstruction{{Op: 0xffff}, ret})
	if !errors.Is(err, capture.ErrFilter) {
		t.Fatalf("unknown instruction: Activate = %v, want ErrFilter", err)
	}
	expectError(t, s, capture.ErrNotActive)
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	x.injectN(t, 'a', 2, 1)
	x.expect(t, s, 'a', 2)
}

func testLock(t *testing.T, x *Fixture) {
	s := x.open(t, nil)
	if err := s.Activate(only(t, 'a', 1<<16)); err != nil {
		t.Fatal(err)
	}
	if err := s.Lock(); err != nil {
		t.Fatalf("Lock = %v", err)
	}
	for op, err := range map[string]error{"activate": s.Activate(nil), "deactivate": s.Deactivate()} {
		if !errors.Is(err, capture.ErrLocked) {
			t.Errorf("%s = %v, want ErrLocked", op, err)
			continue
		}
		checkError(t, op, err)
	}
	x.injectN(t, 'b', 0, 1)
	x.injectN(t, 'a', 1, 1)
	x.expect(t, s, 'a', 1)
	expectNothing(t, s)
	if err := s.Send(x.frame('s', 1, minFrame)); err != nil {
		t.Errorf("Send after Lock = %v", err)
	}
}

func testDown(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.injectN(t, 'a', 1, 1)
	x.expect(t, s, 'a', 1)
	x.SetUp(false)
	expectDown := func(s *capture.Sniffer) {
		t.Helper()
		deadline(t, s, patience)
		var f link.Frame
		if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceDown) {
			t.Fatalf("Next = %v, want ErrInterfaceDown", err)
		}
		expectNothing(t, s) // once
	}
	expectDown(s)
	if err := s.Send(x.frame('s', 1, minFrame)); !errors.Is(err, capture.ErrInterfaceDown) {
		t.Errorf("Send = %v, want ErrInterfaceDown", err)
	}
	// One that is opened while the interface is down says so, too.
	late := x.openActive(t, nil)
	expectDown(late)
	x.SetUp(true)
	x.injectN(t, 'a', 2, 1)
	x.expect(t, s, 'a', 2)
	x.expect(t, late, 'a', 2)
}

func testGone(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.injectN(t, 'a', 1, 1)
	x.Remove()
	// What was captured comes first.
	x.expect(t, s, 'a', 1)
	expectGone(t, s)
	if err := s.Send(x.frame('s', 1, minFrame)); !errors.Is(err, capture.ErrInterfaceGone) {
		t.Errorf("Send = %v, want ErrInterfaceGone", err)
	}
	if _, err := s.Stats(); err != nil {
		t.Errorf("Stats = %v", err)
	}
	if _, err := x.Open(nil); !errors.Is(err, capture.ErrNoInterface) {
		t.Errorf("Open = %v, want ErrNoInterface", err)
	}
}

// expectGone wants reads to say that the interface is gone, now and later.
func expectGone(t *testing.T, s *capture.Sniffer) {
	t.Helper()
	deadline(t, s, patience)
	var f link.Frame
	for range 3 {
		if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceGone) {
			t.Fatalf("Next = %v, want ErrInterfaceGone", err)
		}
	}
	deadline(t, s, 0)
}

// testGoneWhileReading removes the interface under a reader.
func testGoneWhileReading(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	done := make(chan error, 1)
	go func() {
		var f link.Frame
		for {
			if err := s.Next(&f); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(10 * time.Millisecond)
	x.Remove()
	select {
	case err := <-done:
		if !errors.Is(err, capture.ErrInterfaceGone) {
			t.Fatalf("Next = %v, want ErrInterfaceGone", err)
		}
	case <-time.After(patience):
		t.Fatal("the reader did not notice")
	}
	expectGone(t, s)
}

// testGoneLate wants what was captured before the error, also when the system
// is in no hurry to deliver it.
func testGoneLate(t *testing.T, x *Fixture) {
	s := x.openActive(t, &capture.Config{Timeout: time.Second})
	x.injectN(t, 'a', 1, 1)
	x.waitReceived(t, s, 1)
	x.Remove()
	x.expect(t, s, 'a', 1)
	expectGone(t, s)
}

// testGoneWhenDown removes an interface that went down before.
func testGoneWhenDown(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.SetUp(false)
	deadline(t, s, patience)
	var f link.Frame
	if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceDown) {
		t.Fatalf("Next = %v, want ErrInterfaceDown", err)
	}
	done := make(chan error, 1)
	go func() {
		var f link.Frame
		done <- s.Next(&f)
	}()
	time.Sleep(10 * time.Millisecond)
	x.Remove()
	if err := <-done; !errors.Is(err, capture.ErrInterfaceGone) {
		t.Fatalf("Next = %v, want ErrInterfaceGone", err)
	}
	expectGone(t, s)
}

// testRename renames the interface: the capture goes on, under the old name.
func testRename(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	name := s.Interface().Name
	x.injectN(t, 'a', 1, 1)
	x.Rename()
	x.injectN(t, 'a', 2, 1)
	x.expect(t, s, 'a', 1)
	x.expect(t, s, 'a', 2)
	if err := s.Send(x.frame('s', 3, minFrame)); err != nil {
		t.Errorf("Send = %v", err)
	}
	x.expectSeen(t, s, 's', 3, x.SentSeen)
	if got := s.Interface().Name; got != name {
		t.Errorf("Interface is now %q, want still %q", got, name)
	}
	if _, err := s.Stats(); err != nil {
		t.Errorf("Stats = %v", err)
	}
	if _, err := x.Open(nil); !errors.Is(err, capture.ErrNoInterface) {
		t.Errorf("Open of the old name = %v, want ErrNoInterface", err)
	}
	expectIdle(t, s)
}

// testMoveAway moves the interface to another namespace, which is like removing
// it.
func testMoveAway(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	x.injectN(t, 'a', 1, 1)
	x.MoveAway()
	x.expect(t, s, 'a', 1)
	expectGone(t, s)
	if err := s.Send(x.frame('s', 1, minFrame)); !errors.Is(err, capture.ErrInterfaceGone) {
		t.Errorf("Send = %v, want ErrInterfaceGone", err)
	}
	if _, err := s.Stats(); err != nil {
		t.Errorf("Stats = %v", err)
	}
	if err := s.Deactivate(); err != nil {
		t.Errorf("Deactivate = %v", err)
	}
	if err := s.Activate(nil); err != nil {
		t.Errorf("Activate = %v", err)
	}
	expectGone(t, s)
}

// testSetMTU changes the MTU under the capture: frames of the new length come
// whole and can be sent, and longer ones cannot.
func testSetMTU(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	for i, mtu := range []int{600, 5000, 1500} {
		x.SetMTU(mtu)
		want := x.frame('a', uint32(i), etherHeader+mtu)
		x.inject(t, want)
		deadline(t, s, patience)
		for range x.Seen {
			var f link.Frame
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f.Data, want) || f.Truncated() {
				t.Errorf("MTU %d: got %d bytes of %d, want %d", mtu, len(f.Data), f.WireLen, len(want))
			}
		}
		if err := s.Send(x.frame('s', uint32(i), etherHeader+mtu)); err != nil {
			t.Errorf("MTU %d: Send = %v", mtu, err)
		}
		x.expectSeen(t, s, 's', uint32(i), x.SentSeen)
		// The kernel leaves room for a VLAN tag.
		if err := s.Send(x.frame('s', 0, etherHeader+mtu+5)); !errors.Is(err, capture.ErrFrameSize) {
			t.Errorf("MTU %d: Send of a longer frame = %v, want ErrFrameSize", mtu, err)
		}
	}
	expectIdle(t, s)
}

// etherHeader is the length of an Ethernet header in bytes.
const etherHeader = 14

// testIdle wants a reader that waits to use no processor, whatever happened to
// the interface before.
func testIdle(t *testing.T, x *Fixture) {
	s := x.openActive(t, nil)
	expectIdle(t, s)
	x.injectN(t, 'a', 1, 1)
	x.expect(t, s, 'a', 1)
	expectIdle(t, s)
	if x.SetUp == nil {
		return
	}
	x.SetUp(false)
	deadline(t, s, patience)
	var f link.Frame
	if err := s.Next(&f); !errors.Is(err, capture.ErrInterfaceDown) {
		t.Fatalf("Next = %v, want ErrInterfaceDown", err)
	}
	deadline(t, s, 0)
	expectIdle(t, s)
	x.SetUp(true)
	expectIdle(t, s)
	x.injectN(t, 'a', 2, 1)
	x.expect(t, s, 'a', 2)
}

// expectIdle wants a reader of s to wait for nothing and to use no processor
// meanwhile. Whatever else the machine and the runtime do may be in the way, but
// not each time.
func expectIdle(t *testing.T, s *capture.Sniffer) {
	t.Helper()
	const first, last = 200 * time.Millisecond, 2 * time.Second
	var took []time.Duration
	// What is in the way does not grow with the wait; what waits in a loop does.
	for wait := first; wait < last; wait = wait * 3 / 2 {
		deadline(t, s, wait)
		before, ok := cpuTime()
		var f link.Frame
		if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Next = %v, frame % x, want nothing", err, f.Data)
		}
		after, _ := cpuTime()
		if !ok || after-before < wait/4 {
			deadline(t, s, 0)
			return
		}
		took = append(took, after-before)
	}
	t.Errorf("waiting for %v, and half as long again each time, used the processor for %v", first, took)
}

// testSendBatch sends many frames at once, and finds out how far it came when
// one of them is bad.
func testSendBatch(t *testing.T, x *Fixture) {
	s := x.openActive(t, slow())
	if n, err := s.SendBatch(nil); n != 0 || err != nil {
		t.Errorf("SendBatch of nothing = %d, %v", n, err)
	}
	const total = 150 // more than two system calls take
	var frames [][]byte
	for i := range uint32(total) {
		frames = append(frames, x.frame('s', i, minFrame+int(i)))
	}
	if n, err := s.SendBatch(frames); n != total || err != nil {
		t.Fatalf("SendBatch = %d, %v, want %d", n, err, total)
	}
	if x.Sent != nil {
		for i, want := range frames {
			got, err := x.Sent()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("sent % x, %v, want frame %d", got, err, i)
			}
		}
	}
	for i := range uint32(total) {
		x.expectSeen(t, s, 's', i, x.SentSeen)
	}
	// The first, one in the middle of what a system call takes, the first of
	// another call, the last.
	for _, bad := range []int{0, 10, 64, 100, total - 1} {
		for _, size := range []int{0, 5, x.TooLong} {
			batch := slices.Clone(frames)
			batch[bad] = make([]byte, size)
			n, err := s.SendBatch(batch)
			if n != bad || !errors.Is(err, capture.ErrFrameSize) {
				t.Fatalf("SendBatch with frame %d of %d bytes = %d, %v, want %d and ErrFrameSize", bad, size, n, err, bad)
			}
			checkError(t, "send", err)
			for i := range bad {
				x.expectSeen(t, s, 's', uint32(i), x.SentSeen)
			}
		}
	}
	expectNothing(t, s)
	if x.SetUp != nil {
		x.SetUp(false)
		if n, err := s.SendBatch(frames); n != 0 || !errors.Is(err, capture.ErrInterfaceDown) {
			t.Errorf("SendBatch = %d, %v, want 0 and ErrInterfaceDown", n, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.SendBatch(frames); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("SendBatch = %d, %v, want 0 and net.ErrClosed", n, err)
	}
}

func testNoAllocs(t *testing.T, x *Fixture) {
	s := x.openActive(t, slow())
	const runs = 500
	x.injectN(t, 'a', 0, runs+10)
	x.waitReceived(t, s, runs+10)
	deadline(t, s, patience)
	var f link.Frame
	buf := make([]byte, 2048)
	two := make([]link.Frame, 2)
	for name, read := range map[string]func() error{
		"Next":      func() error { return s.Next(&f) },
		"ReadInto":  func() error { _, err := s.ReadInto(buf); return err },
		"NextBatch": func() error { _, err := s.NextBatch(two); return err },
	} {
		if got := testing.AllocsPerRun(runs/4, func() {
			if err := read(); err != nil {
				t.Fatal(err)
			}
		}); got != 0 {
			t.Errorf("%s allocates %v times, want 0", name, got)
		}
	}
	b := x.frame('s', 0, minFrame)
	batch := slices.Repeat([][]byte{b}, 10)
	for name, send := range map[string]func() error{
		"Send":      func() error { return s.Send(b) },
		"SendBatch": func() error { _, err := s.SendBatch(batch); return err },
	} {
		if got := testing.AllocsPerRun(100, func() {
			if err := send(); err != nil {
				t.Fatal(err)
			}
		}); got != 0 {
			t.Errorf("%s allocates %v times, want 0", name, got)
		}
	}
}
