package pkts

import "encoding"

// Layer is one header of a packet in its owned form: a struct whose exported
// fields are named as in the RFC. [Get] fills one from a packet, [Stack] builds
// a packet of them.
type Layer interface {
	// Proto returns the descriptor of the layer's protocol. It must work on
	// a nil pointer, and return the same pointer each time. The descriptor is
	// that of this very type: one that embeds a layer declares its own, or
	// [Protocol.Clone], which expects the embedded type, panics.
	Proto() *Protocol
	// Decode fills the layer from the header at the start of b, which may go
	// on behind it, and returns the header's length in bytes. It never panics
	// and does not allocate for a header without a body. The layer may alias
	// b. On error the layer's fields are not to be used.
	Decode(b []byte) (int, error)
	// AppendBinary appends the header, and only the header, to b. Fields that
	// depend on what surrounds the header ([Auto]) are written with the value
	// they hold, zero when they are to be computed: [Packet.AppendBinary]
	// completes them. It does not change the layer.
	encoding.BinaryAppender
}

// Completer is a [Layer] with fields that depend on what surrounds its header:
// on the payload, the next protocol, or the layer below.
type Completer interface {
	Layer
	// Complete computes those fields and hands them to c. It reads the
	// encoded header from c, and of the layer itself only the modes of its
	// [Auto] fields, so that it serves to fill fields in and to verify those
	// of a received packet.
	Complete(c *Completion) error
}

// Protocol describes a protocol to the library. Everything that the protocols
// of this package can do, one of another module can do as well: it declares a
// variable of this type, a struct that is a [Layer], and, if it likes, a view.
//
// A Protocol is identified by its address and must not be changed once it is
// in use.
type Protocol struct {
	// Name is what the layer is called when it is printed and in errors, such
	// as "TCP". Lower-cased it is the key in JSON.
	Name string
	// New returns an empty layer: set it to the function of that name,
	// instantiated with the layer's type. Clone returns a copy of a layer that
	// shares nothing with it, not even bytes: the function of that name does
	// for a layer without slices, maps and pointers, whose fields an assignment
	// copies.
	New   func() Layer
	Clone func(Layer) Layer
	// Index reads just enough of the header at the start of b to say how far
	// the layer reaches and what follows. b goes to the end of the enclosing
	// layer. It must not allocate except for errors, must not keep b, and must
	// claim at least one byte as header.
	Index func(b []byte, r *Registry) (Span, error)
	// Split is set by protocols whose payload is many layers side by side. It
	// is called instead of looking at Span.Next, with the payload, and calls w
	// for each of them in order.
	Split func(payload []byte, r *Registry, w *Splitter) error
	// Trailer is the protocol of what is left over behind the payload when
	// Index answers with [SpanTrailer]; nil makes it [Padding].
	Trailer *Protocol
	// At lists where the protocol is found: the numbers that announce it, the
	// default for encoding first in each table.
	At []Selector
	// Fields describes the fixed fields of the header, in order, for dumps and
	// documentation.
	Fields []Field

	// kind is the number of a protocol of this package.
	kind Kind
}

// String returns the name.
func (p *Protocol) String() string { return p.Name }

// Field describes one field of a header.
type Field struct {
	// Name is the name of the struct field.
	Name string
	// Bit is where the field begins and Bits how long it is, counted from the
	// most significant bit of the header's first byte, as in the RFCs'
	// diagrams. Bits is 0 for a field that goes to the end of the header.
	Bit, Bits int
}

// Span says how far a layer reaches and what follows: the result of
// [Protocol.Index].
type Span struct {
	// Header and Payload are lengths in bytes, together at most the bytes
	// given. What is left over belongs to the enclosing layer and becomes
	// [Padding].
	Header, Payload int
	// Next is the protocol of the payload, [KindRaw] when it is not known.
	Next Kind
	// Flags says what is special about the payload.
	Flags SpanFlags
}

// SpanFlags says what is special about a layer's payload.
type SpanFlags uint8

const (
	// SpanTruncated says that the payload is shorter than the header says.
	SpanTruncated SpanFlags = 1 << iota
	// SpanFragment says that the payload is one fragment of a larger one: the
	// checksums and lengths of the layers in it cover what is not there.
	SpanFragment
	// SpanQuote says that the payload quotes the start of another packet, as
	// ICMP errors do: that it breaks off is no error.
	SpanQuote
	// SpanTrailer says that what is left over belongs to this layer: see
	// [Protocol.Trailer].
	SpanTrailer
	// SpanWhole says that the header states how long the payload is, and that
	// it is all there, whatever the layers around it state.
	SpanWhole

	spanFlags = 1<<iota - 1 // all of them
)

// LayerPtr is the constraint of a type parameter P that is a pointer to T and a
// [Layer]; P is inferred.
type LayerPtr[T any] interface {
	*T
	Layer
}

// New returns an empty layer of type T, for [Protocol.New].
func New[T any, P LayerPtr[T]]() Layer { return P(new(T)) }

// Clone returns a shallow copy of l, whose type must be *T, for
// [Protocol.Clone] of a layer whose fields hold no slices, maps or pointers.
func Clone[T any, P LayerPtr[T]](l Layer) Layer {
	c := *l.(P)
	return P(&c)
}
