package capture

import (
	"syscall"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Backend is the part of a [Sniffer] that differs from platform to platform:
// one interface, or something that behaves like one. [NewSniffer] makes a
// Sniffer of it. States, deadlines, contexts and the exclusion of concurrent
// readers are the Sniffer's; a Backend does not look after them.
//
// A Sniffer never calls Start, Stop, Discard, Next, Lock and Close
// concurrently with each other. The other methods may be called at any time,
// also after Close.
//
// A new Backend is stopped. Errors are returned bare: the Sniffer wraps them
// in an [OpError].
type Backend interface {
	// Interface returns the interface as it was when the Backend was made. Its
	// Name goes into errors, and its Link says how the first byte of a frame is
	// read.
	Interface() link.Interface

	// Start captures, from now on, those frames that filter accepts. What the
	// filter returns is how many bytes of the frame to keep. The Sniffer calls
	// it only on a stopped Backend, and never with an empty filter.
	Start(filter []bpf.RawInstruction) error

	// Stop ends the capture. Once it has returned, no frame is captured any
	// more; those captured before can still be read. Stopping a stopped
	// Backend does nothing.
	Stop() error

	// Discard forgets all frames captured before Stop, except that the one
	// which Next returned last stays valid.
	Discard() error

	// Lock makes Start and Stop fail with [ErrLocked] from now on.
	Lock() error

	// Next fills every field of f from the next frame, in the order in which
	// they were captured, and waits for it. f.Data is valid until the next
	// call of Next. The error is [ErrInterrupted] when Interrupt ended the
	// wait, and [ErrNotActive] when the Backend is stopped and everything was
	// read.
	Next(f *link.Frame) error

	// Interrupt makes Next return ErrInterrupted if it waits, or else the next
	// time that it has to wait. It must not be lost when it comes just before
	// the wait, and may be spurious.
	Interrupt()

	// Send transmits b, from the first byte of the link header, whether or not
	// the Backend was started. It must not keep b. The frame is captured, too,
	// with [link.DirectionOut].
	Send(b []byte) error

	// Stats returns the counters; Truncated is left to the Sniffer.
	Stats() (Stats, error)

	// SyscallConn gives access to what the frames are read from, or returns an
	// error that wraps [errors.ErrUnsupported].
	SyscallConn() (syscall.RawConn, error)

	// Close gives up all resources, except that f.Data of the last Next must
	// stay readable as long as the Backend can be reached.
	Close() error
}

// Describer is implemented by a [Backend] that tells what it is, for
// [Sniffer.Backend].
type Describer interface {
	Describe() BackendInfo
}

// BackendInfo says how a [Sniffer] gets its frames.
type BackendInfo struct {
	// Type is never BackendAuto in what [Open] returns.
	Type BackendType
	// Detail is a line for people, such as "TPACKET_V3, 32 blocks of 256 KiB".
	Detail string
}

// String returns the type and the detail.
func (i BackendInfo) String() string {
	if i.Detail == "" {
		return i.Type.String()
	}
	return i.Type.String() + ": " + i.Detail
}

// BatchSender is implemented by a [Backend] that sends several frames at once
// in less time than one after the other, for [Sniffer.SendBatch].
type BatchSender interface {
	// SendBatch transmits frames in order, with as few system calls as
	// possible, and returns how many of them went out. The error says why the
	// next one did not; it is nil exactly when all did.
	SendBatch(frames [][]byte) (int, error)
}

// BatchReader is implemented by a [Backend] that hands out several frames at
// once in less time than one after the other, for [Sniffer.NextBatch].
type BatchReader interface {
	// NextBatch is Next for up to len(frames) frames, which is at least 1: it
	// waits for the first one, takes with it those that are there already, and
	// returns how many they are. All of them are valid until the next call of
	// Next or NextBatch, and stay so as Next has it of one. The error is that of
	// Next, and there is none with frames.
	NextBatch(frames []link.Frame) (int, error)
}
