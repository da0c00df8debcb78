package afpacket

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// RingConfig says which rings a socket gets, and their shapes. At least one of
// them must be there. Both lie in one mapping.
type RingConfig struct {
	// Rx is the receive ring; nil means none.
	Rx *RxConfig
	// Tx is the transmit ring; nil means none.
	Tx *TxConfig
}

// RxConfig is the shape of a receive ring, TPACKET_V3 of packet_mmap in the
// kernel's documentation: blocks, which the kernel fills one after the other
// with frames of any length, and hands over when they are full or when Retire is
// over. Zero fields mean the defaults.
type RxConfig struct {
	// BlockSize is the size of a block in bytes, a multiple of the page size;
	// a power of two wastes no memory. A frame is cut when it does not fit a
	// block, with some 100 bytes of header. The default is 256 KiB.
	BlockSize int
	// BlockCount is the number of blocks, at least 2. The default is 32.
	BlockCount int
	// FrameSize has to be given to the kernel, which checks it (a multiple of
	// 16, at least 68 and Headroom, at most BlockSize) and has no use for it
	// in this version of the ring. The default is a legal one.
	FrameSize int
	// Retire is after how long the kernel hands over a block that is not full,
	// from 1 ms to 60 s in whole milliseconds: tp_retire_blk_tov. An empty
	// block stays with the kernel. The default is [capture.DefaultTimeout].
	Retire time.Duration
	// Private is how many bytes of each block are left to the program:
	// tp_sizeof_priv. See [Block.Private].
	Private int
	// Headroom is how many bytes before each frame are left free for the
	// program to put something there, up to 65,024: PACKET_RESERVE. See
	// [RingFrame.Headroom].
	Headroom int
	// NoHash spares the kernel the flow hash of frames for which the device
	// has not computed one. By default every frame has its hash, if there is
	// anything in it to hash: TP_FT_REQ_FILL_RXHASH.
	NoHash bool
}

// TxConfig is the shape of a transmit ring, PACKET_TX_RING of packet(7): slots
// for one frame each. Zero fields mean the defaults.
type TxConfig struct {
	// FrameSize is the size of a slot in bytes, with 48 bytes of header: a
	// multiple of 16, at least 68 and RxConfig.Headroom. The default is 2048.
	FrameSize int
	// BlockSize is the size of the pieces of memory that the ring consists of:
	// a multiple of the page size, at least FrameSize. A slot does not lie in
	// two of them. The default is 64 KiB, or more for longer slots.
	BlockSize int
	// BlockCount is the number of these pieces. The default is 16.
	BlockCount int
	// Status keeps each slot taken until [Ring.TxStatus] has told what became
	// of its frame.
	Status bool
	// Loss makes the kernel pass over frames that it cannot send, without a
	// word: PACKET_LOSS. It cannot be set together with Status.
	Loss bool
}

const (
	defaultRxBlock  = 256 << 10
	defaultRxBlocks = 32
	defaultRxFrame  = 2048
	defaultTxBlock  = 64 << 10
	defaultTxBlocks = 16
	defaultTxFrame  = 2048

	frameHeaderLen = sys.PacketHeaderLen
)

// geometry fills the defaults in and checks the rules.
func (c *RingConfig) geometry() (rx *sys.RxGeometry, tx *sys.TxGeometry, err error) {
	switch {
	case c.Rx == nil && c.Tx == nil:
		return nil, nil, illegal("neither Rx nor Tx is set: ask for one ring at least")
	case c.Tx != nil && c.Tx.Loss && c.Tx.Status:
		return nil, nil, illegal("transmit ring: Loss with Status: a frame that is passed over has no status")
	}
	page := sys.PageSize()
	if c.Rx != nil {
		rx = &sys.RxGeometry{
			BlockSize:  or(c.Rx.BlockSize, max(defaultRxBlock, page)),
			BlockCount: or(c.Rx.BlockCount, defaultRxBlocks),
			Retire:     or(c.Rx.Retire, capture.DefaultTimeout),
			Private:    c.Rx.Private,
			Headroom:   c.Rx.Headroom,
			NoHash:     c.Rx.NoHash,
		}
		least := (frameHeaderLen + max(0, c.Rx.Headroom) + sys.RingAlign - 1) / sys.RingAlign * sys.RingAlign
		rx.FrameSize = or(c.Rx.FrameSize, max(least, min(defaultRxFrame, rx.BlockSize)))
	}
	if c.Tx != nil {
		tx = &sys.TxGeometry{
			FrameSize:  or(c.Tx.FrameSize, defaultTxFrame),
			BlockCount: or(c.Tx.BlockCount, defaultTxBlocks),
			Loss:       c.Tx.Loss,
		}
		least := (max(0, tx.FrameSize) + page - 1) / page * page
		tx.BlockSize = or(c.Tx.BlockSize, max(defaultTxBlock, page, least))
	}
	if err := sys.CheckRings(rx, tx, page); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", capture.ErrConfig, err)
	}
	return rx, tx, nil
}

// or returns v, or def when v is zero.
func or[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// ErrLeased says that every block of a receive ring is leased, so that none can
// come: [Block.Release] gives one back.
var ErrLeased = sys.ErrLeased

// A Ring is memory that a packet socket shares with the kernel: a receive ring,
// a transmit ring, or both. A socket with a receive ring receives nothing in
// any other way.
//
// Frames are read one by one with [Ring.Next], or block by block with
// [Ring.NextBlock]. They are sent by filling slots, with [Ring.Reserve] and
// [Ring.Commit], and then telling the kernel, with [Ring.Kick].
//
// Next and TryNext are for one goroutine at a time, and so are, together, the
// methods that send. Blocks may be taken and released by any number of
// goroutines. Receiving and sending do not disturb each other. Close may be
// called at any time.
//
// No method allocates, except for errors, and none starts a goroutine. What
// waits does so on the runtime's network poller, and ends with
// [os.ErrDeadlineExceeded] when the socket's deadline has passed and with
// [net.ErrClosed] when the ring is closed.
type Ring struct {
	s     *Socket
	rings *sys.Rings

	// The receiver's.
	readable func(fd uintptr) bool // made once, so that a wait does not allocate
	failure  atomic.Pointer[error] // what readable found
	down     atomic.Bool           // nothing came since the interface went down
	hardware int                   // the type that linkType belongs to, -1 at first
	linkType link.Type

	tx txState
}

// Ring makes the rings of a KindL2 or KindL3 socket, which must not be bound
// yet: what it received would come into the socket's queue, where nobody reads
// any more. Bind comes next. A socket has one Ring at most; closing either of
// the two closes both.
//
// The error is a [*capture.OpError]. It wraps [capture.ErrConfig] when cfg
// breaks a rule, which the text names, and ENOMEM when the kernel has no memory
// for the ring.
func (s *Socket) Ring(cfg RingConfig) (*Ring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.makeRing(&cfg)
	return r, s.fail("ring", err)
}

// makeRing is Ring with the mutex held.
func (s *Socket) makeRing(cfg *RingConfig) (*Ring, error) {
	switch {
	case !s.isPacket():
		return nil, illegal("rings need KindL2 or KindL3: raw IP has none")
	case s.binding.Load() != nil:
		return nil, illegal("Ring comes before Bind: open another Socket")
	case s.ring.Load() != nil:
		return nil, illegal("Ring was called before: ask for both rings at once")
	}
	rx, tx, err := cfg.geometry()
	if err != nil {
		return nil, err
	}
	if cfg.Tx != nil && cfg.Tx.Status && s.cfg.HardwareTime && s.cfg.TxStamps&TxHardware != 0 {
		stamps := s.cfg.sysStamps()
		stamps.TxRing = true
		if err := s.ps.SetStamps(stamps); err != nil {
			return nil, err
		}
	}
	rings, err := s.ps.OpenRings(rx, tx)
	if errors.Is(err, syscall.ENOMEM) {
		err = &advice{err, "no memory for the ring: ask for a smaller one, or for smaller blocks"}
	}
	if err != nil {
		return nil, err
	}
	r := &Ring{s: s, rings: rings, hardware: -1}
	r.readable = r.isReadable
	r.tx.init(r, cfg.Tx)
	s.ring.Store(r)
	// Close may have come before it could see the rings.
	if err := s.ps.Control(func(int) error { return nil }); err != nil {
		return nil, errors.Join(err, rings.Close())
	}
	return r, nil
}

// Close gives up the rings and the socket. It ends all waits. Frames that were
// not read are lost, and so are those that the kernel has not taken from the
// transmit ring.
//
// The frame that Next returned last, and blocks and slots that somebody has in
// hand, can still be read and written as long as r can be reached. What is
// written during Close may be lost.
func (r *Ring) Close() error { return r.s.Close() }

// received gives an error of the socket, which says that the interface is down,
// a name.
func (r *Ring) received(err error) error {
	if !errors.Is(err, syscall.ENETDOWN) {
		return err
	}
	// The kernel says it once, also when the interface was removed, and is
	// silent from then on.
	r.down.Store(true)
	if r.s.isGone() {
		return fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	}
	return &advice{fmt.Errorf("%w: %w", capture.ErrInterfaceDown, err), "ip link set " + r.s.where() + " up"}
}
