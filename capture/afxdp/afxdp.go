package afxdp

import (
	"fmt"
	"time"

	"golang.org/x/net/bpf"
)

// Mode is how frames get into the shared memory.
type Mode uint8

const (
	// Auto is the first of the others that the interface can do.
	Auto Mode = iota
	// ZeroCopy has the device read and write the memory: XDP_ZEROCOPY.
	ZeroCopy
	// Copy has the driver run the program and the kernel copy: XDP_COPY.
	Copy
	// Generic has the network stack run the program, on an interface whose
	// driver cannot: XDP_FLAGS_SKB_MODE.
	Generic
)

// String returns "auto", "zero copy", "copy", "generic" or the number.
func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case ZeroCopy:
		return "zero copy"
	case Copy:
		return "copy"
	case Generic:
		return "generic"
	default:
		return fmt.Sprintf("Mode(%d)", uint8(m))
	}
}

// Config is what [Open] wants to know. The zero value, like a nil pointer, asks
// for the defaults.
type Config struct {
	// Queues are the queues to use, without repetition. nil means all that the
	// interface has, as ethtool -l tells, or the only one of an interface that
	// does not tell.
	Queues []int

	// Mode is how frames get into the memory. A mode that the interface cannot
	// do is an error, except for Auto.
	Mode Mode

	// FrameSize is how many bytes of memory a frame has: a power of two from
	// 2048 to the size of a page. 256 of them are the kernel's, before a frame
	// that is received. 0 means the smallest that the interface's MTU fits or,
	// with Pieces, at most a page.
	FrameSize int

	// Pieces allows frames that do not fit FrameSize: they are received in
	// several pieces, each of them a [Frame], of which all but the last have
	// More set. XDP_USE_SG, Linux 6.6.
	Pieces bool

	// Receive is how many frames all queues have room for together, rounded up
	// to 16 for each. 0 means 4096, and -1 receives nothing: no program is
	// attached then, and the privilege to load one is not needed.
	Receive int

	// Send is how many frames each queue has room for, up to 65536. 0 means
	// 256, and -1 sends nothing.
	Send int

	// Timeout is how long frames may gather, so that not each of them wakes up
	// who waits in [Socket.Receive], in whole milliseconds up to a minute. A
	// frame is received at once by a call that has waited for it; those behind
	// it gather as long as they come faster than one in a millisecond: for a
	// millisecond at first, then for longer, up to Timeout, when they are few,
	// but for no more milliseconds than each queue has room for 2,048 frames, and
	// so with the default of Receive and one queue for two. A wait may take a
	// millisecond longer. 0 holds nothing back.
	Timeout time.Duration

	// Promiscuous asks the interface for frames that are addressed to other
	// hosts, too, as long as the Socket is open.
	Promiscuous bool

	// Filter is a classic BPF program; the frames for which it returns 0 are
	// left to the host. nil takes all. See [Socket.SetFilter].
	Filter []bpf.RawInstruction
}

// Stats says what became of frames since [Open]. The counters only grow.
type Stats struct {
	// Received is the number of frames that the filter accepted and that found
	// room, whether or not they were read.
	Received uint64
	// Dropped is the number of frames that the filter accepted and that found
	// no room: rx_dropped and rx_ring_full of struct xdp_statistics.
	Dropped uint64
	// FillEmpty is how often the kernel found no memory for a frame:
	// rx_fill_ring_empty_descs.
	FillEmpty uint64
	// InterfaceDropped is the number of frames that the interface lost before
	// any program saw them.
	InterfaceDropped uint64
	// SendInvalid is the number of frames that the kernel refused to send,
	// those that were called back because the interface was down included:
	// tx_invalid_descs.
	SendInvalid uint64
}

// Frame is a received frame.
type Frame struct {
	// Data is the frame from its first byte. It lies in the shared memory: it
	// is valid, and may be written to, until the frame is released.
	Data []byte
	// Queue is the number of the queue that received it.
	Queue int
	// More says that the frame goes on in the next element, which is always
	// from the same call of Receive. Only with Config.Pieces.
	More bool
	// LossBefore says that frames of this queue were lost directly before.
	LossBefore bool

	place place
}
