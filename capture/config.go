package capture

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"time"
)

const (
	// DefaultSnapLen is how many bytes of a frame are kept when the
	// configuration does not say: more than any interface sends at once.
	DefaultSnapLen = 256 << 10
	// DefaultBufferSize is the size of the capture buffer in bytes when the
	// configuration does not say.
	DefaultBufferSize = 8 << 20
	// DefaultTimeout is how long a frame may wait for company when the
	// configuration does not say.
	DefaultTimeout = 10 * time.Millisecond
)

// Config is what has to be known before the first frame is captured. The zero
// value, like a nil pointer, asks for the defaults. [Open] applies the
// settings in the order that the operating system wants; none of them can be
// changed later.
type Config struct {
	// SnapLen is how many bytes of each frame to keep, from the first byte of
	// the link header. 0 means [DefaultSnapLen]. A filter may keep less and
	// not more.
	SnapLen int

	// Promiscuous asks the interface for frames that are addressed to other
	// hosts, too, as long as the Sniffer is open. It has no effect on the
	// capture of all interfaces at once.
	Promiscuous bool

	// Direction limits the capture to one direction.
	Direction Direction

	// Timeout is how long the operating system may hold a frame back in order
	// to deliver more of them at once, from 1 ms to 60 s in whole
	// milliseconds. 0 means [DefaultTimeout]. The kernel may take twice as
	// long. BackendMessages and BackendXDP give a frame to a reader that waits at
	// once, and let those behind it gather as long as they come faster than one
	// in a millisecond: for a millisecond at first, then for longer, when they are
	// few, but for no more milliseconds than the buffer has room for 2,048 frames;
	// with 1 ms they hold nothing back.
	Timeout time.Duration

	// Immediate asks for every frame as soon as the platform can deliver it,
	// at the price of more wake-ups; Timeout must be 0. With the Linux ring
	// this is the shortest Timeout, 1 ms.
	Immediate bool

	// BufferSize is how many bytes the operating system sets aside for frames
	// that have not been read yet, headers included. 0 means
	// [DefaultBufferSize]. It is rounded up to what the platform can do; with
	// BackendMessages, the system may set a limit: [Sniffer.Backend] tells.
	BufferSize int

	// Timestamp is whose clock the frames' times come from. [Open] fails with a
	// [*TimestampError] where there is no such; [TimestampTypes] tells before.
	Timestamp TimestampType

	// Backend is how the frames get from the kernel to the program, on
	// platforms with more than one way. The zero value leaves the choice to
	// [Open]; [Sniffer.Backend] tells what it was.
	Backend BackendType

	// Fanout is how [OpenGroup] shares the frames among its Sniffers; [Open]
	// ignores it.
	Fanout Fanout

	// Ring is the exact shape of the buffer on platforms where frames lie in a
	// ring that is shared with the kernel (Linux); others ignore it. nil means
	// a shape that suits BufferSize. When it is set, BufferSize must be 0.
	Ring *Ring
}

// Direction is which frames a [Config] asks for.
type Direction uint8

const (
	// Both asks for what this host receives and what it sends.
	Both Direction = iota
	// In asks for what this host receives.
	In
	// Out asks for what this host sends.
	Out
)

// String returns "both", "in", "out" or the number.
func (d Direction) String() string {
	switch d {
	case Both:
		return "both"
	case In:
		return "in"
	case Out:
		return "out"
	default:
		return fmt.Sprintf("Direction(%d)", uint8(d))
	}
}

// BackendType is a way in which frames get from the kernel to the program and
// back.
type BackendType uint8

const (
	// BackendAuto is the best one that leaves the host's own traffic alone:
	// on Linux BackendRing, or BackendMessages where there is no memory for a
	// ring.
	BackendAuto BackendType = iota
	// BackendRing is a ring that the kernel fills and the program reads in
	// place: on Linux AF_PACKET with TPACKET_V3.
	BackendRing
	// BackendMessages copies frames with a system call for many of them: on
	// Linux AF_PACKET with recvmmsg and sendmmsg.
	BackendMessages
	// BackendXDP takes frames in the driver: Linux AF_XDP. It takes what the
	// filter accepts away from the host, which does not receive it any more,
	// and leaves the host the rest. Of what is sent it sees only what the
	// Sniffer itself sends. An interface can have one such Sniffer at a time;
	// the shape of Ring has no meaning for it.
	//
	// Frames are in the order of time on each queue of the interface, but not
	// between queues. Their VLAN tags are in the data, where the other backends'
	// filters see a frame without its tag: here, ether[12:2] and ether proto are
	// the tag's, and vlan N is the same for all of them.
	BackendXDP
)

// backendNames are the names of the backend types, by number.
var backendNames = [...]string{"auto", "ring", "messages", "xdp"}

// String returns "auto", "ring", "messages", "xdp" or the number.
func (t BackendType) String() string {
	if int(t) < len(backendNames) {
		return backendNames[t]
	}
	return fmt.Sprintf("BackendType(%d)", uint8(t))
}

// Ring is the shape of a Linux TPACKET_V3 ring, packet_mmap in the kernel's
// documentation: BlockCount blocks of BlockSize bytes. The kernel fills one
// block after the other with frames of any length and hands a block over when
// it is full or when [Config.Timeout] is over.
type Ring struct {
	// BlockSize is the size of a block in bytes: a multiple of the page size
	// and a power of two. A frame is cut when it does not fit a block, with
	// some 100 bytes of header.
	BlockSize int
	// BlockCount is the number of blocks, at least 2: one to read, one to
	// fill.
	BlockCount int
	// FrameSize has to be given to the kernel, which computes a number of
	// frames from it and does nothing with either for this version of the
	// ring: a multiple of 16, at least 128, at most BlockSize. 0 means a legal
	// one.
	FrameSize int
}

// ErrConfig is wrapped by every error about a [Config] that is not legal.
var ErrConfig = errors.New("illegal configuration")

// Limits of a Config.
const (
	minTimeout   = time.Millisecond
	maxTimeout   = time.Minute
	defaultBlock = 1 << 20
	ringAlign    = 16 // TPACKET_ALIGNMENT
	minFrameSize = 128
	// maxRing keeps ring offsets within 32 bits, which is what the kernel
	// counts with, and within an int on every machine.
	maxRing = math.MaxInt32
)

// Normalize returns a copy of c in which every default is filled in, Ring
// included, or an error that wraps [ErrConfig] and names the rule that c
// breaks. c may be nil. [Open] calls it; so does whoever writes a [Backend].
func (c *Config) Normalize() (Config, error) {
	var n Config
	if c != nil {
		n = *c
	}
	switch {
	case n.SnapLen < 0:
		return n, illegal("SnapLen is %d: must not be negative", n.SnapLen)
	case n.Direction > Out:
		return n, illegal("Direction is %d: must be Both, In or Out", n.Direction)
	case int(n.Timestamp) >= len(timestampNames):
		return n, illegal("Timestamp is %d: must be one of the Timestamp constants", n.Timestamp)
	case int(n.Backend) >= len(backendNames):
		return n, illegal("Backend is %d: must be one of the Backend constants", n.Backend)
	case int(n.Fanout) >= len(fanoutNames):
		return n, illegal("Fanout is %d: must be one of the Fanout constants", n.Fanout)
	case n.BufferSize < 0:
		return n, illegal("BufferSize is %d: must not be negative", n.BufferSize)
	case n.Immediate && n.Timeout != 0:
		return n, illegal("Timeout is %v with Immediate: set one of them", n.Timeout)
	case n.Timeout != 0 && (n.Timeout < minTimeout || n.Timeout > maxTimeout):
		return n, illegal("Timeout is %v: must be from %v to %v", n.Timeout, minTimeout, maxTimeout)
	case n.Timeout%time.Millisecond != 0:
		return n, illegal("Timeout is %v: must be whole milliseconds", n.Timeout)
	case n.Ring != nil && n.BufferSize != 0:
		return n, illegal("BufferSize is %d with Ring: set one of them", n.BufferSize)
	}
	if n.SnapLen == 0 {
		n.SnapLen = DefaultSnapLen
	}
	switch {
	case n.Immediate:
		n.Timeout = minTimeout
	case n.Timeout == 0:
		n.Timeout = DefaultTimeout
	}
	if n.Ring == nil {
		if n.BufferSize == 0 {
			n.BufferSize = DefaultBufferSize
		}
		r, err := ringFor(n.BufferSize)
		if err != nil {
			return n, err
		}
		n.Ring = &r
	} else {
		r := *n.Ring
		if r.FrameSize == 0 {
			r.FrameSize = min(r.BlockSize, defaultFrameSize)
		}
		n.Ring = &r
	}
	if err := n.Ring.check(os.Getpagesize()); err != nil {
		return n, err
	}
	n.BufferSize = n.Ring.BlockSize * n.Ring.BlockCount
	return n, nil
}

// defaultFrameSize is the frame size that the kernel gets by default: any legal
// one will do.
const defaultFrameSize = 2048

// ringFor returns a ring of at least size bytes.
func ringFor(size int) (Ring, error) {
	block := defaultBlock
	if page := os.Getpagesize(); block < page {
		block = page
	}
	// A small buffer gets small blocks, so that there are several of them; but
	// never too small for a frame of 64 KiB.
	for block > 128<<10 && size < 8*block {
		block /= 2
	}
	if size > maxRing-block {
		return Ring{}, illegal("BufferSize is %d: must be at most %d", size, maxRing-block)
	}
	return Ring{
		BlockSize:  block,
		BlockCount: max(2, (size+block-1)/block),
		FrameSize:  defaultFrameSize,
	}, nil
}

// check returns an error that names the first rule that r breaks.
func (r *Ring) check(page int) error {
	switch {
	case r.BlockSize <= 0 || r.BlockSize%page != 0:
		return illegal("Ring.BlockSize is %d: must be a multiple of the page size, %d", r.BlockSize, page)
	case bits.OnesCount(uint(r.BlockSize)) != 1:
		return illegal("Ring.BlockSize is %d: must be a power of two", r.BlockSize)
	case r.BlockCount < 2:
		return illegal("Ring.BlockCount is %d: must be at least 2", r.BlockCount)
	case uint64(r.BlockSize)*uint64(r.BlockCount) > maxRing:
		return illegal("Ring is %d blocks of %d bytes: must be at most %d bytes altogether",
			r.BlockCount, r.BlockSize, maxRing)
	case r.FrameSize%ringAlign != 0:
		return illegal("Ring.FrameSize is %d: must be a multiple of %d", r.FrameSize, ringAlign)
	case r.FrameSize < minFrameSize:
		return illegal("Ring.FrameSize is %d: must be at least %d", r.FrameSize, minFrameSize)
	case r.FrameSize > r.BlockSize:
		return illegal("Ring.FrameSize is %d: must be at most BlockSize, %d", r.FrameSize, r.BlockSize)
	}
	return nil
}

func illegal(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrConfig, fmt.Errorf(format, args...))
}
