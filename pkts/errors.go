package pkts

import (
	"errors"
	"fmt"
)

var (
	// ErrTruncated says that the bytes end before the header does.
	ErrTruncated = errors.New("truncated")
	// ErrMalformed says that a field has a value that its protocol forbids
	// and that leaves no sensible way to read on.
	ErrMalformed = errors.New("malformed")
	// ErrTooDeep says that a packet has more layers than [MaxLayers]; what
	// follows is kept as [Raw].
	ErrTooDeep = errors.New("too many layers")
	// ErrNoLayer says that a packet has no layer of the type asked for.
	ErrNoLayer = errors.New("no such layer")
	// ErrTooLong says that a value does not fit its field.
	ErrTooLong = errors.New("does not fit")
	// ErrOrder says that a layer cannot be where it is in a stack, for
	// example a TCP header, whose checksum covers an IP header, without one.
	ErrOrder = errors.New("layer out of place")
)

// DecodeError says where in a packet decoding stopped, and why.
type DecodeError struct {
	// Layer is the name of the protocol whose header could not be read.
	Layer string
	// Offset is where that header begins, in bytes from the start of the
	// packet (from the start of the given bytes when one layer is decoded by
	// itself).
	Offset int
	// Want and Have are the number of bytes needed and present, when Err is
	// [ErrTruncated].
	Want, Have int
	// Reason says which rule was broken, when Err is [ErrMalformed].
	Reason string
	// Err is one of the sentinels of this package.
	Err error
}

// Error describes the error in one line, offset and numbers included.
func (e *DecodeError) Error() string {
	s := fmt.Sprintf("pkts: %s at byte %d: %v", e.Layer, e.Offset, e.Err)
	if e.Want > e.Have {
		s += fmt.Sprintf(": need %d bytes, have %d", e.Want, e.Have)
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Unwrap returns the sentinel.
func (e *DecodeError) Unwrap() error { return e.Err }

// EncodeError says which field of which layer could not be encoded.
type EncodeError struct {
	// Layer and Field name the place.
	Layer, Field string
	// Reason says what is wrong, with the numbers.
	Reason string
	// Err is one of the sentinels of this package.
	Err error
}

// Error describes the error in one line.
func (e *EncodeError) Error() string {
	s := "pkts: " + e.Layer
	if e.Field != "" {
		s += "." + e.Field
	}
	s += ": " + e.Err.Error()
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Unwrap returns the sentinel.
func (e *EncodeError) Unwrap() error { return e.Err }

// Truncated returns the error of a decoder of the named layer that needs want
// bytes and has have.
func Truncated(layer string, want, have int) error {
	return &DecodeError{Layer: layer, Want: want, Have: have, Err: ErrTruncated}
}

// Malformed returns the error of a decoder of the named layer that cannot read
// on, with the reason.
func Malformed(layer, reason string) error {
	return &DecodeError{Layer: layer, Reason: reason, Err: ErrMalformed}
}

// TooLong returns the error of an encoder for a value of a field that does not
// fit: have is what was given, limit the most that fits.
func TooLong(layer, field string, have, limit int) error {
	return &EncodeError{Layer: layer, Field: field, Reason: fmt.Sprintf("%d, at most %d", have, limit), Err: ErrTooLong}
}
