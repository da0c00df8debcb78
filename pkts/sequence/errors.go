package sequence

import (
	"errors"
	"fmt"
)

var (
	// ErrTruncated says that a header breaks off: the packet carries too few
	// bytes, or the capture cut it there.
	ErrTruncated = errors.New("truncated")
	// ErrMalformed says that a field has a value that its protocol forbids.
	ErrMalformed = errors.New("malformed")
	// ErrOverlap says that a piece overlaps another where the policy, or the
	// protocol (RFC 5722), forbids it.
	ErrOverlap = errors.New("overlaps what was received before")
	// ErrTooLong says that the pieces make more than the protocol allows.
	ErrTooLong = errors.New("too long")
	// ErrLimit says that a limit of [Limits] left no room.
	ErrLimit = errors.New("over the limit")
	// ErrUnacceptable says that a receiver would not take the packet: it lies
	// outside of the window, is too old, or belongs to nothing that is open.
	ErrUnacceptable = errors.New("not acceptable")
	// ErrUnframed says that a [Framer] could not make sense of a stream.
	ErrUnframed = errors.New("not a message")
)

// Error says which packet was refused, and why.
type Error struct {
	// Layer is the protocol, such as "IPv4" or "TCP".
	Layer string
	// Packet is the number of the packet, as in [Seen].
	Packet uint64
	// Offset is where in the datagram, or in the stream or message, the
	// trouble is, in bytes.
	Offset uint64
	// Reason says it in words, with the numbers.
	Reason string
	// Err is one of the sentinels of this package.
	Err error
}

// Error describes the error in one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("sequence: packet %d: %s at byte %d: %v", e.Packet, e.Layer, e.Offset, e.Err)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// join is [errors.Join] that leaves a single error as it is.
func join(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}
