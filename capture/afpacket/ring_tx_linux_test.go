package afpacket

import (
	"bytes"
	"errors"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
)

// slots is a transmit ring of n slots, four to a block.
func slots(n int) *TxConfig {
	page := os.Getpagesize()
	return &TxConfig{FrameSize: page / 4 / 16 * 16, BlockSize: page, BlockCount: n / 4}
}

// put commits frames with these numbers.
func (r *testRing) put(tb testing.TB, size int, numbers ...int) {
	tb.Helper()
	for _, n := range numbers {
		slot := r.Reserve()
		if slot == nil {
			tb.Fatalf("no slot for frame %d", n)
		}
		if err := r.Commit(copy(slot, frame(n, size))); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestRingSend(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Tx: slots(8)})
	if r.Slots() != 8 {
		t.Fatalf("%d slots, want 8", r.Slots())
	}
	p := w.peer(t)
	n := 0
	for range 5 { // several times around
		for range 7 {
			r.put(t, 60+n, n)
			n++
		}
		if b := p.receive(0); b != nil {
			t.Fatalf("a frame came before Kick: % x", b)
		}
		if err := r.Kick(); err != nil {
			t.Fatal(err)
		}
		for k := n - 7; k < n; k++ {
			p.expect(k)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	// A slot that is given up comes again.
	a := r.Reserve()
	copy(a, frame(99, 60))
	b := r.Reserve()
	if &a[0] != &b[0] || len(a) != len(b) {
		t.Error("Reserve gives another slot without Commit")
	}
	if err := r.Kick(); err != nil {
		t.Fatal(err)
	}
	copy(b, frame(n, 60))
	if err := r.Commit(60); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	p.expect(n)
	// From somewhere in the slot.
	slot := r.Reserve()
	copy(slot[333:], frame(n+1, 100))
	if err := r.CommitAt(333, 100); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	p.expect(n + 1)
	if b := p.receive(50 * time.Millisecond); b != nil {
		t.Errorf("one frame too many: % x", b)
	}
}

func TestRingCommitErrors(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Tx: slots(8)})
	if err := r.Commit(60); err == nil {
		t.Error("Commit without Reserve")
	}
	room := len(r.Reserve())
	for _, c := range [][2]int{{0, room + 1}, {1, room}, {room + 1, 0}, {-1, 60}, {0, -1}, {math.MaxInt, math.MaxInt}} {
		if err := r.CommitAt(c[0], c[1]); err == nil {
			t.Errorf("CommitAt(%d, %d) of %d", c[0], c[1], room)
		}
	}
	// The reservation is still there.
	copy(r.Reserve(), frame(1, 60))
	if err := r.Commit(60); err != nil {
		t.Error(err)
	}
}

// TestRingFull fills a ring without ever kicking.
func TestRingFull(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Tx: slots(8)})
	p := w.peer(t)
	r.put(t, 60, 0, 1, 2, 3, 4, 5, 6, 7)
	if r.Reserve() != nil {
		t.Fatal("a ninth slot out of eight")
	}
	// WaitSlot has to kick.
	if err := r.WaitSlot(); err != nil {
		t.Fatal(err)
	}
	r.put(t, 60, 8)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	p.expect(0, 1, 2, 3, 4, 5, 6, 7, 8)
}

// TestRingSendMany sends more than all buffers on the way hold, each time more
// than the ring has slots before the frames are read. A slow machine hands the
// reader blocks that are not full, whose number limits how many may be under way.
func TestRingSendMany(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Tx: new(TxConfig)})
	reader := openRing(t, w.there, KindL2, RingConfig{Rx: &RxConfig{Retire: 100 * time.Millisecond}})
	const total = 6000
	window := r.Slots() * 3 / 2
	var f RingFrame
	for first := 0; first < total; first += window {
		soon(t, r)
		soon(t, reader)
		end := min(first+window, total)
		waits := 0
		for n := first; n < end; {
			if slot := r.Reserve(); slot != nil {
				if err := r.Commit(copy(slot, frame(n, 60+n%1400))); err != nil {
					t.Fatal(err)
				}
				n++
				continue
			}
			if err := r.WaitSlot(); err != nil {
				t.Fatal(err)
			}
			waits++
		}
		if waits == 0 && end-first > r.Slots() {
			t.Errorf("%d frames went through %d slots without a wait", end-first, r.Slots())
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		for n := first; n < end; n++ {
			if err := reader.Next(&f); err != nil {
				st, _ := reader.s.Stats()
				t.Fatalf("frame %d: %v, %+v", n, err, st)
			}
			if !bytes.Equal(f.Data, frame(n, 60+n%1400)) {
				t.Fatalf("frame %d: got number %d with %d bytes", n, number(f.Data), len(f.Data))
			}
		}
	}
}

// TestRingRejected has frames that the kernel does not send, in a ring that
// throws them away.
func TestRingRejected(t *testing.T) {
	w := newWire(t)
	cfg := slots(8)
	cfg.FrameSize = 2048 // more than the MTU allows
	cfg.BlockCount *= 2
	r := openRing(t, w.here, KindL2, RingConfig{Tx: cfg})
	p := w.peer(t)
	for round := range 8 { // at every place of the ring
		base := 10 * round
		r.put(t, 60, base)
		r.put(t, 1900, base+1) // too long
		r.put(t, 60, base+2, base+3)
		copy(r.Reserve(), "short")
		if err := r.Commit(5); err != nil {
			t.Fatal(err)
		}
		r.put(t, 60, base+4)
		slot := r.Reserve() // while the ring moves what is before it
		copy(slot, frame(base+5, 60))
		err := r.Kick()
		if !errors.Is(err, capture.ErrFrameSize) || !errors.Is(err, syscall.EMSGSIZE) || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Kick with a long and a short frame: %v", err)
		}
		if err := r.Commit(60); err != nil {
			t.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		p.expect(base, base+2, base+3, base+4, base+5)
	}
	// A full ring of which the oldest is bad.
	r.put(t, 1900, 1000)
	for i := 1; i < r.Slots(); i++ {
		r.put(t, 60, 1000+i)
	}
	if r.Reserve() != nil {
		t.Fatal("the ring is not full")
	}
	if err := r.WaitSlot(); !errors.Is(err, capture.ErrFrameSize) {
		t.Fatalf("WaitSlot: %v", err)
	}
	r.put(t, 60, 2000)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < r.Slots(); i++ {
		p.expect(1000 + i)
	}
	p.expect(2000)
}

// TestRingLoss has the kernel throw away what it does not send.
func TestRingLoss(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Tx: &TxConfig{Loss: true}})
	p := w.peer(t)
	r.put(t, 60, 1)
	r.put(t, 1900, 2)
	r.put(t, 60, 3)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	p.expect(1, 3)
}

// next returns the next status that is not about something under way.
func (r *testRing) next(tb testing.TB) TxStatus {
	tb.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		st := r.TxStatus()
		if st.State != TxQueued && st.State != TxSending || time.Now().After(end) {
			return st
		}
	}
}

func TestRingStatus(t *testing.T) {
	w := newWire(t)
	cfg := slots(8)
	cfg.FrameSize = 2048
	cfg.BlockCount *= 2
	cfg.Status = true
	r := openRing(t, w.here, KindL2, RingConfig{Tx: cfg})
	p := w.peer(t)
	if s := r.TxStatus(); s.State != TxIdle {
		t.Errorf("an empty ring: %+v", s)
	}
	if r.TxDrop() == nil || r.TxRetry(60) == nil {
		t.Error("there is nothing to drop")
	}
	base := 0
	for range 5 { // several times around
		r.put(t, 60, base, base+1)
		for range 2 {
			if s := r.TxStatus(); s.State != TxQueued {
				t.Errorf("before Kick: %+v", s)
			}
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		p.expect(base, base+1)
		for range 2 {
			if s := r.next(t); s.State != TxSent || s.Data != nil || s.Err != nil {
				t.Errorf("sent: %+v", s)
			}
		}
		if s := r.TxStatus(); s.State != TxIdle {
			t.Errorf("when all was told: %+v", s)
		}
		base += 10
	}
	// The slots are taken until somebody asks.
	for i := range 8 {
		r.put(t, 60, base+i)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if r.Reserve() != nil {
		t.Error("a slot whose frame was not told of is free")
	}
	if err := r.WaitSlot(); err != nil { // there is news
		t.Error(err)
	}
	for i := range 8 {
		p.expect(base + i)
		if s := r.next(t); s.State != TxSent {
			t.Errorf("%d: %+v", i, s)
		}
		if r.Reserve() == nil {
			t.Error("the slot is not free")
		}
	}
	base += 10

	// One that is corrected, and one that is given up.
	r.put(t, 60, base)
	r.put(t, 1900, base+1)
	r.put(t, 60, base+2)
	r.put(t, 1900, base+3)
	r.put(t, 60, base+4)
	if err := r.Kick(); err != nil {
		t.Errorf("a rejected frame is told of by TxStatus: %v", err)
	}
	if s := r.next(t); s.State != TxSent {
		t.Errorf("the good one: %+v", s)
	}
	for range 2 {
		s := r.next(t)
		if s.State != TxRejected || !bytes.Equal(s.Data, frame(base+1, 1900)) || !errors.Is(s.Err, capture.ErrFrameSize) || !errors.Is(s.Err, syscall.EMSGSIZE) {
			t.Fatalf("the long one: %v, %d bytes, %v", s.State, len(s.Data), s.Err)
		}
	}
	s := r.TxStatus()
	copy(s.Data, frame(base+1, 80))
	if err := r.TxRetry(1 << 20); err == nil {
		t.Error("TxRetry with more than a slot holds")
	}
	if err := r.TxRetry(80); err != nil {
		t.Fatal(err)
	}
	if s := r.TxStatus(); s.State != TxQueued {
		t.Errorf("corrected: %+v", s)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if s1, s2 := r.next(t), r.next(t); s1.State != TxSent || s2.State != TxSent {
		t.Errorf("corrected: %+v, %+v", s1, s2)
	}
	if s := r.next(t); s.State != TxRejected || !bytes.Equal(s.Data, frame(base+3, 1900)) {
		t.Fatalf("the second long one: %v, %d bytes", s.State, len(s.Data))
	}
	if err := r.TxDrop(); err != nil {
		t.Fatal(err)
	}
	r.put(t, 60, base+5)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	p.expect(base, base+1, base+2, base+4, base+5)
	if s1, s2, s3 := r.next(t), r.next(t), r.TxStatus(); s1.State != TxSent || s2.State != TxSent || s3.State != TxIdle {
		t.Errorf("at the end: %v, %v, %v", s1.State, s2.State, s3.State)
	}
	if b := p.receive(50 * time.Millisecond); b != nil {
		t.Errorf("one frame too many: number %d", number(b))
	}
	for i, want := range []string{"idle", "queued", "sending", "sent", "rejected", "TxState(5)"} {
		if got := TxState(i).String(); got != want {
			t.Errorf("TxState(%d) = %q, want %q", i, got, want)
		}
	}
}

// TestRingBoth receives and sends in one mapping.
func TestRingBoth(t *testing.T) {
	w := newWire(t)
	cfg := RingConfig{Rx: small(4), Tx: slots(8)}
	a := openRing(t, w.here, KindL2, cfg)
	b := openRing(t, w.there, KindL2, cfg)
	var f RingFrame
	for i := range 50 {
		a.put(t, 60+i, i)
		if err := a.Kick(); err != nil {
			t.Fatal(err)
		}
		if err := b.Next(&f); err != nil || !bytes.Equal(f.Data, frame(i, 60+i)) {
			t.Fatalf("there: number %d, %v", number(f.Data), err)
		}
		// Back, straight from one ring to the other.
		if err := b.Commit(copy(b.Reserve(), f.Data)); err != nil {
			t.Fatal(err)
		}
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := a.Next(&f); err != nil || !bytes.Equal(f.Data, frame(i, 60+i)) {
			t.Fatalf("back: number %d, %v", number(f.Data), err)
		}
		if f.Direction != link.DirectionBroadcast {
			t.Fatalf("direction %v", f.Direction)
		}
	}
}

func TestRingWriteDeadline(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Tx: slots(8)})
	if err := r.s.SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	r.put(t, 60, 0, 1, 2, 3, 4, 5, 6, 7)
	if err := r.WaitSlot(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WaitSlot: %v", err)
	}
	soon(t, r)
	if err := r.WaitSlot(); err != nil {
		t.Error(err)
	}
}

func TestRingNoAllocs(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL2, RingConfig{Rx: small(4), Tx: slots(8)})
	p := w.peer(t)
	var f RingFrame
	var b Block
	data := frame(1, 60)
	if n := testing.AllocsPerRun(50, func() {
		p.f.Write(data)
		if err := r.Next(&f); err != nil {
			t.Fatal(err)
		}
		_, _, _ = f.EtherType(), f.Addr(), f.Headroom()
	}); n != 0 {
		t.Errorf("Next allocates %v times", n)
	}
	// Two ways at once would need more blocks.
	for {
		if ok, err := r.TryNext(&f); err != nil {
			t.Fatal(err)
		} else if !ok {
			break
		}
	}
	if n := testing.AllocsPerRun(50, func() {
		p.f.Write(data)
		if err := r.NextBlock(&b); err != nil {
			t.Fatal(err)
		}
		for {
			if ok, err := b.Next(&f); err != nil {
				t.Fatal(err)
			} else if !ok {
				break
			}
		}
		b.Release()
	}); n != 0 {
		t.Errorf("NextBlock allocates %v times", n)
	}
	if n := testing.AllocsPerRun(50, func() {
		if err := r.Commit(copy(r.Reserve(), data)); err != nil {
			t.Fatal(err)
		}
		if err := r.Kick(); err != nil {
			t.Fatal(err)
		}
		if err := r.WaitSlot(); err != nil {
			t.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("sending allocates %v times", n)
	}
}

// TestRingSendPackets has the kernel write the link header.
func TestRingSendPackets(t *testing.T) {
	w := newWire(t)
	r := openRing(t, w.here, KindL3, RingConfig{Tx: slots(8)})
	p := w.peer(t)
	send := func(n int) {
		t.Helper()
		if err := r.Commit(copy(r.Reserve(), frame(n, 100)[14:])); err != nil {
			t.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		b := p.receive(patience)
		want := frame(n, 100)
		copy(want, w.b.MAC[:])
		copy(want[6:], w.a.MAC[:])
		if !bytes.Equal(b, want) {
			t.Fatalf("the peer got % x, want % x", b, want)
		}
	}
	to := Addr{Hardware: HardwareAddrFromMAC(w.b.MAC)}
	if err := r.SetTo(to); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		send(n)
	}
	long, _ := HardwareAddrFrom(make([]byte, 9))
	for _, bad := range []Addr{{Hardware: long}, {EtherType: EtherTypeAll}} {
		if err := r.SetTo(bad); !errors.Is(err, capture.ErrConfig) {
			t.Errorf("SetTo(%v): %v", bad, err)
		}
	}
	send(10)
}

// TestRingVnet has a virtio_net header before every frame, in both directions.
func TestRingVnet(t *testing.T) {
	w := newWire(t)
	var s *Socket
	if err := w.here.Do(func() (err error) {
		s, err = Open(KindL2, &Config{VnetHeader: true})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.Ring(RingConfig{Rx: small(4), Tx: slots(8)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind("veth0", etherType); err != nil {
		t.Fatal(err)
	}
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	p := w.peer(t)
	p.send(frame(1, 80))
	var f RingFrame
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	if v, ok := f.Vnet(); !ok || v != (VnetHeader{}) || !bytes.Equal(f.Data, frame(1, 80)) {
		t.Errorf("virtio_net header %+v, %t, frame % x", v, ok, f.Data)
	}
	// The kernel computes the checksum for a receiver that wants it whole.
	v := VnetHeader{Flags: VnetNeedsChecksum, ChecksumStart: 20, ChecksumOffset: 2}
	b, _ := v.AppendBinary(r.Reserve()[:0])
	b = append(b, frame(2, 80)...)
	if err := r.Commit(len(b)); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	got := p.receive(patience)
	if len(got) != 80 || number(got) != 2 {
		t.Errorf("the peer got % x", got)
	}
	// One that does not fit the frame.
	v.ChecksumStart = 1000
	b, _ = v.AppendBinary(r.Reserve()[:0])
	b = append(b, frame(3, 80)...)
	if err := r.Commit(len(b)); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err == nil {
		t.Error("a checksum outside of the frame passes")
	}
}
