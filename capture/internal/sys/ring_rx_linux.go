package sys

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/sys/unix"
)

// ErrLeased says that every block of the ring is in the program's hands.
var ErrLeased = errors.New("every block of the ring is leased: release one")

// tpFeatureFillRxHash is TP_FT_REQ_FILL_RXHASH of linux/if_packet.h.
const tpFeatureFillRxHash = 1

// Bits of a block's status.
const (
	statusUser   = 1 << 0 // the block is ours
	statusLosing = 1 << 2 // frames were dropped since the statistics were read last
)

// Rings are the rings of an AF_PACKET socket, and the memory that it shares
// with the kernel for them.
type Rings struct {
	Rx    RxRing
	Tx    TxRing
	HasRx bool
	HasTx bool

	once sync.Once
	m    *mapping
}

// OpenRings makes one ring or both, in one mapping, on a socket that must not
// be bound yet unless the caller wants what was captured meanwhile. Either
// geometry may be nil; both were checked by [CheckRings]. control runs a
// function on the socket's descriptor. meter may be nil without a receive ring.
func OpenRings(control func(f func(fd int) error) error, meter *Meter, rx *RxGeometry, tx *TxGeometry) (*Rings, error) {
	var m *mapping
	length := 0
	err := control(func(fd int) (err error) {
		// The kernel does not change the version, the headroom, or what becomes
		// of bad frames, once there is a ring.
		if err := setInt(fd, unix.PACKET_VERSION, unix.TPACKET_V3, "PACKET_VERSION"); err != nil {
			return err
		}
		if rx != nil {
			if rx.Headroom > 0 {
				if err := setInt(fd, unix.PACKET_RESERVE, rx.Headroom, "PACKET_RESERVE"); err != nil {
					return err
				}
			}
		}
		if tx != nil {
			if tx.Loss {
				if err := setInt(fd, unix.PACKET_LOSS, 1, "PACKET_LOSS"); err != nil {
					return err
				}
			}
			if err := setInt(fd, unix.PACKET_TX_HAS_OFF, 1, "PACKET_TX_HAS_OFF"); err != nil {
				return err
			}
		}
		if rx != nil {
			req := unix.TpacketReq3{
				Block_size:     uint32(rx.BlockSize),
				Block_nr:       uint32(rx.BlockCount),
				Frame_size:     uint32(rx.FrameSize),
				Frame_nr:       uint32(rx.BlockSize / rx.FrameSize * rx.BlockCount),
				Retire_blk_tov: uint32(rx.Retire / time.Millisecond),
				Sizeof_priv:    uint32(rx.Private),
			}
			if !rx.NoHash {
				// The kernel fills the flow hash in only when asked to.
				req.Feature_req_word = tpFeatureFillRxHash
			}
			if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
				return os.NewSyscallError("setsockopt PACKET_RX_RING", err)
			}
			length += rx.Len()
		}
		if tx != nil {
			// What a transmit ring has no use for must be 0.
			req := unix.TpacketReq3{
				Block_size: uint32(tx.BlockSize),
				Block_nr:   uint32(tx.BlockCount),
				Frame_size: uint32(tx.FrameSize),
				Frame_nr:   uint32(tx.Slots()),
			}
			if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_TX_RING, &req); err != nil {
				return os.NewSyscallError("setsockopt PACKET_TX_RING", err)
			}
			length += tx.Len()
		}
		// The kernel maps all rings of the socket or none, the receive ring
		// first.
		m, err = newMapping(fd, length)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newRings(m, control, meter, rx, tx), nil
}

// newRings makes rings of memory that has them.
func newRings(m *mapping, control func(f func(fd int) error) error, meter *Meter, rx *RxGeometry, tx *TxGeometry) *Rings {
	r := &Rings{m: m, HasRx: rx != nil, HasTx: tx != nil}
	mem := m.bytes()
	if rx != nil {
		r.Rx.init(mem[:rx.Len():rx.Len()], rx, control, meter)
		mem = mem[rx.Len():]
	}
	if tx != nil {
		base := 0
		if rx != nil {
			base = rx.Len()
		}
		r.Tx.init(mem, tx, layoutV3, base)
	}
	return r
}

func setInt(fd, opt, value int, name string) error {
	return os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(fd, unix.SOL_PACKET, opt, value))
}

// Close takes the rings away from the kernel. Blocks and slots that are leased,
// and the frame that Next returned last, stay readable and writable as long as
// r can be reached: as private memory, in which the kernel has no part.
func (r *Rings) Close() error {
	var err error
	r.once.Do(func() {
		var keeps []keep
		if r.HasRx {
			// Nobody takes or gives back a block from here on without seeing
			// that the ring is closed.
			r.Rx.mu.Lock()
			defer r.Rx.mu.Unlock()
			keeps = r.Rx.close()
		}
		if r.HasTx {
			keeps = append(keeps, r.Tx.close())
		}
		err = r.m.detach(keeps)
		// Not before Close: somebody may look at his last frame long after his
		// last use of the rings.
		runtime.AddCleanup(r, (*mapping).unmap, r.m)
	})
	return err
}

// An RxRing is a TPACKET_V3 receive ring: packet_mmap of the kernel's
// documentation. It is read frame by frame with Next, or block by block with
// Take and Release.
//
// Next and Discard must not run concurrently with each other. Take, Release,
// Ready, Peek and [Rings.Close] may run at any time.
type RxRing struct {
	mem     []byte
	size    int // of a block
	count   int // of blocks
	private int // bytes of a block's private area
	control func(f func(fd int) error) error
	meter   *Meter

	// The reader's own. Walking a block takes no lock: a leased block stays
	// where it is, also when the ring is closed.
	cur  Cursor
	held int // block that cur walks, -1 when none

	last   atomic.Int64 // block of the frame that Next returned last, -1 when none
	closed atomic.Bool  // written with mu held

	mu     sync.Mutex // per block, never per frame
	at     int        // block that is taken next
	skip   uint32     // frames at its start that Discard forgot
	leased []bool     // by block
}

func (r *RxRing) init(mem []byte, g *RxGeometry, control func(f func(fd int) error) error, meter *Meter) {
	r.mem, r.size, r.count, r.private = mem, g.BlockSize, g.BlockCount, g.Private
	r.control, r.meter = control, meter
	r.held = -1
	r.last.Store(-1)
	r.leased = make([]bool, g.BlockCount)
}

// Blocks returns the number of blocks.
func (r *RxRing) Blocks() int { return r.count }

// block returns block i.
func (r *RxRing) block(i int) []byte { return r.mem[i*r.size:][:r.size:r.size] }

// word returns the 32-bit word at off of block i, for atomic access.
func (r *RxRing) word(i, off int) *uint32 {
	// Blocks are whole pages, and off is a multiple of four.
	return (*uint32)(unsafe.Pointer(&r.mem[i*r.size+off]))
}

// status returns the status of block i. When it says that the block is ours,
// what the kernel wrote before is visible.
func (r *RxRing) status(i int) uint32 { return atomic.LoadUint32(r.word(i, blockOffStatus)) }

// filled returns how many frames the kernel has put into block i. The answer is
// exact when nobody adds to it.
func (r *RxRing) filled(i int) uint32 { return atomic.LoadUint32(r.word(i, blockOffPackets)) }

// Closed reports whether the ring was closed.
func (r *RxRing) Closed() bool { return r.closed.Load() }

// Next fills f with the next frame, and reports false when there is none yet.
// f.Data aliases the ring until the next call. f.Link is not touched.
//
// Walking takes no lock and asks nothing of the kernel: a frame of a block that
// was begun is still returned after [Rings.Close].
//
// The error is a [*BlockError], after which the rest of a block is skipped,
// [ErrLeased] or [os.ErrClosed].
func (r *RxRing) Next(f *link.Frame) (bool, error) {
	if ok, err := r.cur.Next(f); ok || err != nil {
		return ok, err
	}
	return r.nextBlock(f)
}

// Cursor returns the reader's place in the block that it walks, which does not
// move. As long as there are frames behind it, its Next is all that Next does.
func (r *RxRing) Cursor() *Cursor { return &r.cur }

// nextBlock is Next at the end of a block.
func (r *RxRing) nextBlock(f *link.Frame) (bool, error) {
	for {
		if r.held >= 0 {
			held := r.held
			r.cur, r.held = Cursor{}, -1
			r.Release(held)
		}
		i, lossy, skip, err := r.take()
		if i < 0 {
			return false, err
		}
		r.held = i
		if err := r.cur.Reset(r.block(i), lossy); err != nil {
			return false, err
		}
		if err := r.cur.Drop(skip); err != nil {
			return false, err
		}
		if ok, err := r.cur.Next(f); ok || err != nil {
			if ok {
				r.last.Store(int64(i))
			}
			return ok, err
		}
	}
}

// Packet returns what is in the ring of the frame that Next returned last: see
// [Cursor.Packet].
func (r *RxRing) Packet() []byte { return r.cur.Packet() }

// take leases the block that is next. It returns -1 when it is still the
// kernel's. skip is how many of its frames are to be passed over.
func (r *RxRing) take() (i int, lossy bool, skip uint32, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return -1, false, 0, os.ErrClosed
	}
	i = r.at
	if r.leased[i] {
		return -1, false, 0, ErrLeased
	}
	status := r.status(i)
	if status&statusUser == 0 {
		return -1, false, 0, nil
	}
	h := BlockHeader(r.block(i))
	lossy = r.meter.lossBefore(r.control, status, h.Last().UnixNano())
	skip = r.skip
	r.leased[i] = true
	r.advance()
	return i, lossy, skip, nil
}

// advance goes to the next block. The mutex is held.
func (r *RxRing) advance() {
	r.at++
	if r.at == r.count {
		r.at = 0
	}
	r.skip = 0
}

// Take leases the block that is next, and puts c at its first frame. The block
// stays as it is until it is given to Release. Several blocks may be leased,
// and released in any order; the kernel stops at the first one that it has not
// got back. i is -1 when the block is still the kernel's. Errors are those of
// Next; a block in which something is wrong is leased all the same.
func (r *RxRing) Take(c *Cursor) (i int, err error) {
	i, lossy, skip, err := r.take()
	if i < 0 {
		return i, err
	}
	if err := c.Reset(r.block(i), lossy); err != nil {
		return i, err
	}
	return i, c.Drop(skip)
}

// Header returns a copy of the header of block i, which must be leased.
func (r *RxRing) Header(i int) BlockHeader {
	h := BlockHeader(r.block(i))
	runtime.KeepAlive(r)
	return h
}

// Private returns the program's own area of block i, which must be leased. The
// kernel never writes there: what was put into the area is still there when the
// block comes again.
func (r *RxRing) Private(i int) []byte {
	return r.block(i)[BlockHeaderLen:][:r.private:r.private]
}

// Peek returns the status of block i and the number of its frames, whoever has
// it. It returns zeros when the ring is closed.
func (r *RxRing) Peek(i int) (status, packets uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return 0, 0
	}
	return r.status(i), r.filled(i)
}

// Leased reports whether block i is leased.
func (r *RxRing) Leased(i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leased[i]
}

// Release gives block i back to the kernel. Nothing happens when it is not
// leased, or when the ring is closed.
func (r *RxRing) Release(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.leased[i] {
		return
	}
	r.leased[i] = false
	if !r.closed.Load() {
		r.release(i)
	}
}

// release gives block i to the kernel.
func (r *RxRing) release(i int) {
	// The kernel sets the count to zero when it opens the block, which it may
	// do much later: filled must not see the old one until then.
	atomic.StoreUint32(r.word(i, blockOffPackets), 0)
	atomic.StoreUint32(r.word(i, blockOffStatus), 0)
}

// Ready reports whether there is a point in calling Next or Take: the next
// block is there, or there is an error to return.
func (r *RxRing) Ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed.Load() || r.leased[r.at] || r.status(r.at)&statusUser != 0
}

// Empty reports whether the block that the kernel is filling holds no frame
// that Next has yet to return. The answer is exact when nothing is captured.
func (r *RxRing) Empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed.Load() && r.filled(r.at) == r.skip
}

// Discard forgets what was captured so far; nothing must be captured meanwhile.
// The frame that Next returned last stays valid, and so do leased blocks.
func (r *RxRing) Discard() {
	r.cur.Skip()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return
	}
	for !r.leased[r.at] && r.status(r.at)&statusUser != 0 {
		r.release(r.at)
		r.advance()
	}
	// The block that the kernel is filling may be handed over much later, and
	// what comes from now on goes behind what it holds.
	r.skip = 0
	if !r.leased[r.at] {
		r.skip = r.filled(r.at)
	}
}

// close makes every later call see that the ring is closed, and returns what of
// it has to stay: what is leased, and what Next returned last. Its caller may
// look at that also after a Next that came upon the end of the ring. The mutex
// is held.
func (r *RxRing) close() []keep {
	r.closed.Store(true)
	last := int(r.last.Load())
	var keeps []keep
	for i, leased := range r.leased {
		if leased || i == last {
			s := span{i * r.size, (i + 1) * r.size}
			keeps = append(keeps, keep{span: s, content: s})
		}
	}
	return keeps
}
