package sctp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gopkts/gopkts/pkts"
)

// Every chunk begins with these, RFC 9260, section 3.2.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Chunk Type  |  Chunk Flags  |         Chunk Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const (
	chunkOffType   = 0
	chunkOffFlags  = 1
	chunkOffLength = 2
	chunkHeaderLen = 4
)

// chunkFields returns the fields of a chunk whose own begin behind the common
// ones.
func chunkFields(own ...pkts.Field) []pkts.Field {
	return append([]pkts.Field{
		{Name: "Type", Bit: chunkOffType * 8, Bits: 8},
		{Name: "Flags", Bit: chunkOffFlags * 8, Bits: 8},
		{Name: "Length", Bit: chunkOffLength * 8, Bits: 16},
	}, own...)
}

// fixedSpan is the Index of a chunk whose header has hdr bytes, whatever its
// length says; what the length counts beyond that is payload.
func fixedSpan(name string, b []byte, hdr int) (pkts.Span, error) {
	n, err := chunkLen(name, b, hdr)
	if err != nil {
		return pkts.Span{}, err
	}
	s := pkts.Span{Header: hdr, Payload: n - hdr, Flags: pkts.SpanWhole}
	if n > len(b) {
		s.Payload, s.Flags = len(b)-hdr, pkts.SpanTruncated
	}
	return s, nil
}

// bodySpan is the Index of a chunk that is all header, of which hdr bytes are
// fixed.
func bodySpan(name string, b []byte, hdr int) (pkts.Span, error) {
	n, err := bodyLen(name, b, hdr)
	return pkts.Span{Header: n}, err
}

// chunkLen returns the length that the chunk in b states, of which hdr bytes are
// there.
func chunkLen(name string, b []byte, hdr int) (int, error) {
	if len(b) < hdr {
		return 0, pkts.Truncated(name, hdr, len(b))
	}
	n := int(ChunkView(b).Length())
	if n < hdr {
		return 0, pkts.Malformed(name, fmt.Sprintf("a length of %d, at least %d", n, hdr))
	}
	return n, nil
}

// bodyLen is chunkLen for a chunk that must be all there.
func bodyLen(name string, b []byte, hdr int) (int, error) {
	n, err := chunkLen(name, b, hdr)
	if err == nil && n > len(b) {
		return 0, pkts.Truncated(name, n, len(b))
	}
	return n, err
}

// appendChunk appends the common fields.
func appendChunk(b []byte, t ChunkType, flags uint8, length pkts.Auto[uint16]) []byte {
	return binary.BigEndian.AppendUint16(append(b, uint8(t), flags), length.Value())
}

// completeChunk computes the length of a chunk.
func completeChunk(c *pkts.Completion, m pkts.Mode) error {
	if c.Wants("Length", chunkOffLength, m) {
		return c.PutLength(c.Len())
	}
	return nil
}

// appendType appends the type of a chunk for the summary.
func appendType(b []byte, t ChunkType) []byte { return append(b, t.String()...) }

// Chunk is a chunk of a type that has no layer of its own.
type Chunk struct {
	Type   ChunkType
	Flags  uint8
	Length pkts.Auto[uint16] // with these 4 bytes, without padding
	Value  []byte            // aliases the packet after decoding
}

var _ pkts.Completer = (*Chunk)(nil)

var chunkProtocol = pkts.Protocol{
	Name:  "SCTP chunk",
	New:   pkts.New[Chunk],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*Chunk); c.Value = slices.Clone(c.Value); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		return bodySpan("SCTP chunk", b, chunkHeaderLen)
	},
	// The numbers that are reserved for extensions, RFC 9260, section 15.1. What
	// is found at no number is looked for by its address.
	At:     []pkts.Selector{ByChunkType(63), ByChunkType(127), ByChunkType(191), ByChunkType(255)},
	Fields: chunkFields(pkts.Field{Name: "Value", Bit: chunkHeaderLen * 8}),
}

// Proto returns the descriptor of unknown chunks.
func (*Chunk) Proto() *pkts.Protocol { return &chunkProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Chunk) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP chunk", b, chunkHeaderLen)
	if err != nil {
		return 0, err
	}
	v := ChunkView(b)
	l.Type = v.Type()
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Value = b[chunkHeaderLen:n:n]
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Chunk) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, l.Type, l.Flags, l.Length), l.Value...), nil
}

// Complete computes Length.
func (l *Chunk) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type and the length.
func (l *Chunk) AppendSummary(b []byte, _ pkts.Node) []byte {
	return fmt.Appendf(b, "chunk type %v, length %d", l.Type, len(l.Value))
}

// ChunkView is any chunk in place. [pkts.View] finds those that are a [Chunk].
// Its methods panic when it is shorter than 4 bytes.
type ChunkView []byte

// Proto returns the descriptor of unknown chunks.
func (ChunkView) Proto() *pkts.Protocol { return &chunkProtocol }

func (v ChunkView) Type() ChunkType { return ChunkType(v[chunkOffType]) }
func (v ChunkView) Flags() uint8    { return v[chunkOffFlags] }
func (v ChunkView) Length() uint16  { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

func (v ChunkView) SetType(t ChunkType) { v[chunkOffType] = uint8(t) }
func (v ChunkView) SetFlags(f uint8)    { v[chunkOffFlags] = f }
func (v ChunkView) SetLength(n uint16)  { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// Value returns what the length counts behind the first 4 bytes, as far as it is
// there.
func (v ChunkView) Value() []byte {
	return v[chunkHeaderLen:max(chunkHeaderLen, min(int(v.Length()), len(v)))]
}
