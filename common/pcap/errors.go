package pcap

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// What can be wrong with a capture file. A [FormatError] says where.
var (
	// ErrTruncated says that the file ends inside a header, a record or a
	// block. It also is [io.ErrUnexpectedEOF] for [errors.Is].
	ErrTruncated = fmt.Errorf("file is cut short: %w", io.ErrUnexpectedEOF)
	// ErrMalformed says that a length, a number or an option contradicts the
	// format or its limits.
	ErrMalformed = errors.New("malformed")
	// ErrUnknownFormat says that the first bytes are those of no known capture
	// or compression format.
	ErrUnknownFormat = errors.New("not a capture file")
	// ErrInvalidFrame says that a writer refused a frame or a block that no
	// reader would accept, or that the format has no room for.
	ErrInvalidFrame = errors.New("cannot be written")
)

// FormatError says where a capture file stopped making sense. Every error that
// a [Reader] or a [BlockReader] returns is one, except for [io.EOF], for a
// [DecompressorError], and for what a [WithBlocks] function returned.
type FormatError struct {
	// Offset is where the part that could not be read begins, in bytes from
	// the start of the uncompressed stream.
	Offset int64
	// Part names that part: "file header", "record", "enhanced packet block".
	Part string
	// Err wraps [ErrTruncated], [ErrMalformed], [ErrUnknownFormat] or
	// [errors.ErrUnsupported], or is what the source's Read returned.
	Err error
}

// Error returns a text such as
// "pcap: record at byte 1024: file is cut short: need 60 bytes, have 24".
func (e *FormatError) Error() string {
	return "pcap: " + e.Part + " at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.Err.Error()
}

// Unwrap returns e.Err.
func (e *FormatError) Unwrap() error { return e.Err }

// DecompressorError says that a stream is compressed in a way that was
// recognised, and that nothing was given to decompress it. It is
// [errors.ErrUnsupported] for [errors.Is].
type DecompressorError struct {
	// Name is the compression's name: "zstd", "lz4", "xz".
	Name string
	// Magic is what to give [WithDecompressor].
	Magic string
}

// Error says which option is missing.
func (e *DecompressorError) Error() string {
	magic := strconv.Quote(e.Magic)
	switch e.Magic {
	case MagicZstd:
		magic = "pcap.MagicZstd"
	case MagicLZ4:
		magic = "pcap.MagicLZ4"
	case MagicXZ:
		magic = "pcap.MagicXZ"
	}
	return fmt.Sprintf("pcap: stream is %s-compressed: open it with WithDecompressor(%s, …)", e.Name, magic)
}

// Unwrap returns [errors.ErrUnsupported].
func (e *DecompressorError) Unwrap() error { return errors.ErrUnsupported }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

func truncated(need, have int64) error {
	return &shortError{need: need, have: have}
}

// shortError is an ErrTruncated with its two numbers.
type shortError struct{ need, have int64 }

func (e *shortError) Error() string {
	return fmt.Sprintf("file is cut short: need %d bytes, have %d", e.need, e.have)
}

func (e *shortError) Unwrap() error { return ErrTruncated }

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %w", fmt.Errorf(format, args...), errors.ErrUnsupported)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("pcap: %w: %w", ErrInvalidFrame, fmt.Errorf(format, args...))
}
