package pkts

import "fmt"

// Auto is a header field that the library can fill in: a length, a checksum,
// the number of the next protocol. It is comparable, and its zero value means
// "compute it".
//
// A decoded field remembers the value it had. When the packet is encoded again
// after an edit, a decoded value that was right before the edit is computed
// anew, and one that was wrong stays what it was. [Pin] makes any value stay.
type Auto[T comparable] struct {
	value T
	mode  Mode
}

// Mode says where the value of an [Auto] comes from.
type Mode uint8

const (
	// ModeAuto is the zero value: the field is computed when it is encoded.
	ModeAuto Mode = iota
	// ModePinned is a value that the caller demands, right or wrong.
	ModePinned
	// ModeSeen is a value that was decoded.
	ModeSeen
)

// String returns "auto", "pinned" or "seen".
func (m Mode) String() string {
	switch m {
	case ModeAuto:
		return "auto"
	case ModePinned:
		return "pinned"
	case ModeSeen:
		return "seen"
	default:
		return fmt.Sprintf("Mode(%d)", uint8(m))
	}
}

// Pin returns a field that is encoded as exactly v, right or wrong.
func Pin[T comparable](v T) Auto[T] { return Auto[T]{v, ModePinned} }

// Seen returns a field that was decoded with the value v. Decoders use it.
func Seen[T comparable](v T) Auto[T] { return Auto[T]{v, ModeSeen} }

// Value returns the pinned or decoded value, and the zero value of T for a
// field that is still to be computed.
func (a Auto[T]) Value() T { return a.value }

// Mode says where the value comes from.
func (a Auto[T]) Mode() Mode { return a.mode }

// Is reports whether the field was pinned to v or decoded as v.
func (a Auto[T]) Is(v T) bool { return a.mode != ModeAuto && a.value == v }

// String returns the value, or "auto" for a field that is to be computed.
func (a Auto[T]) String() string {
	if a.mode == ModeAuto {
		return "auto"
	}
	return fmt.Sprint(a.value)
}
