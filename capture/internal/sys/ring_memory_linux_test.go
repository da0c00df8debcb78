package sys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/sys/unix"
)

// A fakeKernel fills a receive ring and empties a transmit ring, in memory that
// it shares with nobody but the Rings under test. The real kernel needs tens of
// milliseconds to open and close a socket.
type fakeKernel struct {
	mem    []byte // its own mapping of the memory
	rx     *RxGeometry
	tx     *TxGeometry
	block  []byte // what it fills every block with
	closed atomic.Bool
	wg     sync.WaitGroup
}

func startKernel(tb testing.TB, rx *RxGeometry, tx *TxGeometry) (*fakeKernel, *Rings) {
	tb.Helper()
	if err := CheckRings(rx, tx, PageSize()); err != nil {
		tb.Fatal(err)
	}
	length := rx.Len() + tx.Len()
	fd, err := unix.MemfdCreate("ring", unix.MFD_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(length)); err != nil {
		tb.Fatal(err)
	}
	k := &fakeKernel{rx: rx, tx: tx, block: kernelBlock(tb)}
	if k.mem, err = unix.Mmap(fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		tb.Fatal(err)
	}
	m, err := newMapping(fd, length)
	if err != nil {
		tb.Fatal(err)
	}
	r := newRings(m, func(func(int) error) error { return os.ErrClosed }, new(Meter), rx, tx)
	k.wg.Go(k.receive)
	k.wg.Go(k.send)
	return k, r
}

func (k *fakeKernel) stop(tb testing.TB) {
	k.closed.Store(true)
	k.wg.Wait()
	if err := unix.Munmap(k.mem); err != nil {
		tb.Error(err)
	}
}

func (k *fakeKernel) word(off int) *uint32 { return (*uint32)(unsafe.Pointer(&k.mem[off])) }

func (k *fakeKernel) receive() {
	seq := uint64(0)
	for i := 0; !k.closed.Load(); i = (i + 1) % k.rx.BlockCount {
		b := k.mem[i*k.rx.BlockSize:][:k.rx.BlockSize]
		for atomic.LoadUint32(k.word(i*k.rx.BlockSize+blockOffStatus)) != 0 {
			if k.closed.Load() {
				return
			}
			runtime.Gosched()
		}
		copy(b[:blockOffStatus], k.block)
		copy(b[blockOffStatus+4:], k.block[blockOffStatus+4:])
		seq++
		binary.NativeEndian.PutUint64(b[blockOffSeq:], seq)
		atomic.StoreUint32(k.word(i*k.rx.BlockSize+blockOffStatus), statusUser)
	}
}

func (k *fakeKernel) send() {
	per := k.tx.BlockSize / k.tx.FrameSize
	for i := 0; !k.closed.Load(); i = (i + 1) % k.tx.Slots() {
		word := k.word(k.rx.Len() + i/per*k.tx.BlockSize + i%per*k.tx.FrameSize + layoutV3.status)
		for atomic.LoadUint32(word) != txSendRequest {
			if k.closed.Load() {
				return
			}
			runtime.Gosched()
		}
		atomic.StoreUint32(word, txSending)
		atomic.StoreUint32(word, 0)
	}
}

// TestRingsClose closes rings under those who use them, thousands of times.
func TestRingsClose(t *testing.T) {
	page := PageSize()
	rounds := 0
	for end := time.Now().Add(3 * time.Second); rounds < 5000 && time.Now().Before(end); rounds++ {
		k, r := startKernel(t,
			&RxGeometry{BlockSize: page, BlockCount: 4, FrameSize: 128, Retire: time.Millisecond},
			&TxGeometry{FrameSize: 256, BlockSize: page, BlockCount: 1})
		var users sync.WaitGroup
		users.Go(func() { // frame by frame
			var f link.Frame
			for !r.Rx.Closed() {
				ok, err := r.Rx.Next(&f)
				if errors.Is(err, os.ErrClosed) {
					break
				}
				if err != nil && err != ErrLeased {
					t.Error(err)
					return
				}
				if !ok {
					runtime.Gosched()
					continue
				}
				f.Data[len(f.Data)-1]++
				_ = PacketHeader(r.Rx.Packet()).Protocol()
			}
			for i := range f.Data {
				f.Data[i]++
			}
		})
		for range 2 { // block by block
			users.Go(func() {
				var c Cursor
				var f link.Frame
				for {
					i, err := r.Rx.Take(&c)
					if errors.Is(err, os.ErrClosed) {
						return
					}
					if err != nil && err != ErrLeased {
						t.Error(err)
						return
					}
					if i < 0 {
						runtime.Gosched()
						continue
					}
					h := r.Rx.Header(i)
					n := 0
					for ; ; n++ {
						ok, err := c.Next(&f)
						if err != nil {
							t.Error(err)
						}
						if !ok {
							break
						}
						f.Data[0]++
					}
					if n != int(h.Packets()) {
						t.Errorf("%d packets of %d", n, h.Packets())
					}
					r.Rx.Release(i)
				}
			})
		}
		users.Go(func() {
			for {
				slot := r.Tx.Reserve()
				if r.Tx.Closed() {
					clear(slot)
					return
				}
				if slot == nil {
					r.Tx.publish()
					runtime.Gosched()
					continue
				}
				slot[0] = 1
				if err := r.Tx.Commit(0, len(slot)); err != nil && err != os.ErrClosed {
					t.Error(err)
					return
				}
			}
		})
		for range rounds % 5 {
			runtime.Gosched()
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		users.Wait()
		k.stop(t)
	}
	t.Logf("%d rounds", rounds)
}

// TestRxRingOrder reads a ring in both ways at once: every block once, in order.
func TestRxRingOrder(t *testing.T) {
	page := PageSize()
	k, r := startKernel(t,
		&RxGeometry{BlockSize: page, BlockCount: 8, FrameSize: 128, Retire: time.Millisecond},
		&TxGeometry{FrameSize: 256, BlockSize: page, BlockCount: 1})
	defer k.stop(t)
	defer r.Close()
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var users sync.WaitGroup
	for range 3 {
		users.Go(func() {
			var c Cursor
			last := uint64(0)
			for {
				i, err := r.Rx.Take(&c)
				if err != nil && err != ErrLeased {
					t.Error(err)
					return
				}
				if i < 0 {
					runtime.Gosched()
					continue
				}
				h := r.Rx.Header(i)
				seq := h.Seq()
				mu.Lock()
				double := seen[seq]
				seen[seq] = true
				mu.Unlock()
				if double || seq <= last || int(seq-1)%8 != i {
					t.Errorf("block %d has number %d, behind %d, seen before: %t", i, seq, last, double)
				}
				last = seq
				r.Rx.Release(i)
				if seq > 2000 {
					return
				}
			}
		})
	}
	users.Wait()
	for seq := range uint64(2000) {
		if !seen[seq+1] {
			t.Errorf("block %d is missing", seq+1)
		}
	}
}

// TestRxRingDiscard forgets blocks, and half of one.
func TestRxRingDiscard(t *testing.T) {
	size, count := 1<<12, 4
	mem := make([]uint64, size*count/8)
	var r RxRing
	r.init(unsafe.Slice((*byte)(unsafe.Pointer(&mem[0])), size*count),
		&RxGeometry{BlockSize: size, BlockCount: count}, nil, new(Meter))
	fill := func(i int, packets uint32, status uint32) {
		copy(r.block(i), kernelBlock(t))
		atomic.StoreUint32(r.word(i, blockOffPackets), packets)
		atomic.StoreUint32(r.word(i, blockOffStatus), status)
	}
	var f link.Frame
	next := func(want bool) {
		t.Helper()
		if ok, err := r.Next(&f); ok != want || err != nil {
			t.Fatalf("Next = %t, %v, want %t", ok, err, want)
		}
	}
	next(false)
	fill(0, 5, statusUser)
	fill(1, 5, statusUser)
	next(true)
	data := f.Data
	want := bytes.Clone(data)
	fill(2, 2, 0) // the kernel is not done with it
	r.Discard()
	if !bytes.Equal(data, want) {
		t.Error("the last frame is gone")
	}
	if r.Ready() || !r.Empty() {
		t.Error("there is something left")
	}
	next(false)
	fill(2, 5, statusUser)
	for range 3 {
		if !r.Ready() && r.held != 2 {
			t.Error("not ready")
		}
		next(true)
	}
	next(false)
	if s, n := r.Peek(2); s != 0 || n != 0 {
		t.Errorf("the block was not given back: %d, %d", s, n)
	}
}

// TestTxRingHeld fills a ring. Until a kick, the kernel must not get past the
// first slot, and nobody may get one that is committed.
func TestTxRingHeld(t *testing.T) {
	const size = 1 << 12
	mem := make([]uint64, size/8)
	var r TxRing
	r.init(unsafe.Slice((*byte)(unsafe.Pointer(&mem[0])), size), &TxGeometry{FrameSize: 1024, BlockSize: size, BlockCount: 1}, layoutV3, 0)
	fill := func(n int) {
		t.Helper()
		for range n {
			if slot := r.Reserve(); slot == nil {
				t.Fatal("no slot is free")
			}
			if err := r.Commit(0, 60); err != nil {
				t.Fatal(err)
			}
		}
	}
	states := func(want ...uint32) {
		t.Helper()
		for i, w := range want {
			if got := r.status(i); got != w {
				t.Errorf("status %d of slot %d, want %d", got, i, w)
			}
			if want := r.State(i); i == r.held && want != TxRequested {
				t.Errorf("the first slot is %v", want)
			}
		}
	}
	fill(4)
	states(0, 1, 1, 1)
	if r.Free() || r.Reserve() != nil {
		t.Error("a committed slot is given out again")
	}
	if requested, sending := r.Count(); requested != 4 || sending != 0 {
		t.Errorf("%d are requested and %d are sent", requested, sending)
	}
	r.publish()
	states(1, 1, 1, 1)
	if r.Free() || r.Reserve() != nil {
		t.Error("a slot that the kernel has is given out")
	}
	// The kernel has sent two of them. What comes now is behind the others.
	for i := range 2 {
		atomic.StoreUint32(r.word(r.slot(i)), 0)
	}
	fill(2)
	states(0, 1, 1, 1)
	// It rejects one: those behind it move forward.
	atomic.StoreUint32(r.word(r.slot(2)), txWrongFormat)
	r.Drop(2)
	states(1, 0, 1, 1)
	if r.Head() != 1 || r.held >= 0 || !r.Free() {
		t.Errorf("head %d, held %d", r.Head(), r.held)
	}
}

// FuzzTxRing does what one can do to a transmit ring whose memory says anything.
func FuzzTxRing(f *testing.F) {
	f.Add([]byte("rckdtrckdt"), []byte{0, 1, 2, 4})
	f.Add([]byte("rcrcprcrcrcrcdtp"), []byte{0})
	f.Add(bytes.Repeat([]byte("rc"), 20), []byte{4, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, ops, content []byte) {
		const size = 1 << 12
		mem := make([]uint64, 2*size/8)
		b := unsafe.Slice((*byte)(unsafe.Pointer(&mem[0])), 2*size)
		for i := 0; len(content) > 0 && i < len(b); i += len(content) {
			copy(b[i:], content)
		}
		var r TxRing
		r.init(b, &TxGeometry{FrameSize: 1008, BlockSize: size, BlockCount: 2}, layoutV3, 0)
		for i, op := range ops {
			if i > 1000 {
				break
			}
			if r.Head() < 0 || r.Head() >= r.Slots() {
				t.Fatalf("head %d of %d", r.Head(), r.Slots())
			}
			switch at := i % r.Slots(); op {
			case 'r':
				if slot := r.Reserve(); slot != nil && len(slot) != r.Room() {
					t.Fatalf("slot of %d bytes, want %d", len(slot), r.Room())
				}
			case 'c':
				_ = r.Commit(i, 100*i)
			case 'd':
				r.Drop(at)
				if r.State(r.Head()) != TxAvailable {
					t.Fatalf("the head is %v after Drop", r.State(r.Head()))
				}
			case 't':
				_ = r.Retry(at, 60*i)
			case 'p':
				r.publish()
			case 'k':
				atomic.StoreUint32(r.word(r.slot(at)), uint32(i)%8)
			default:
				if d := r.Data(at); len(d) > r.Room() || cap(d) != len(d) {
					t.Fatalf("%d bytes of data in a slot of %d", len(d), r.Room())
				}
				r.Time(at)
				r.Rejected()
				r.Count()
			}
		}
	})
}
