package sctp

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/gopkts/gopkts/pkts"
)

const (
	sackOffCumTSN  = 4
	sackOffRwnd    = 8
	sackOffGaps    = 12
	sackOffDups    = 14
	sackOffBlocks  = 16
	sackBlockLen   = 4
	forwardOffTSN  = 4
	forwardStream  = 4
	iforwardStream = 8
)

const (
	// SackLen is the length of a SACK chunk without lists, in bytes.
	SackLen = 16
	// ForwardTSNLen is the length of a FORWARD TSN or I-FORWARD TSN chunk
	// without streams, in bytes.
	ForwardTSNLen = 8
)

// Sack is a SACK chunk, RFC 9260, section 3.3.4: what has arrived.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 3    |  Chunk Flags  |         Chunk Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Cumulative TSN Ack                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Advertised Receiver Window Credit (a_rwnd)           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Number of Gap Ack Blocks = N |  Number of Duplicate TSNs = M |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Gap Ack Block Start, End: 2 times 16 bits each             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Duplicate TSN: 32 bits each                                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Sack struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes
	CumTSN uint32            // everything up to this one has arrived
	Rwnd   uint32            // how much the sender can receive, in bytes
	// GapCount and DupCount are how many blocks and duplicates there are.
	GapCount, DupCount pkts.Auto[uint16]
	Gaps               GapBlocks // what has arrived behind CumTSN; aliases the packet after decoding
	Dups               TSNs      // what has arrived more than once; aliases the packet after decoding
}

var _ pkts.Completer = (*Sack)(nil)

var sackProtocol = pkts.Protocol{
	Name: "SCTP SACK",
	New:  pkts.New[Sack],
	Clone: func(l pkts.Layer) pkts.Layer {
		c := *l.(*Sack)
		c.Gaps, c.Dups = slices.Clone(c.Gaps), slices.Clone(c.Dups)
		return &c
	},
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		hdr, err := SackView(b).check()
		if err != nil {
			return pkts.Span{}, err
		}
		return fixedSpan("SCTP SACK", b, hdr)
	},
	At: []pkts.Selector{ByChunkType(TypeSack)},
	Fields: chunkFields(
		pkts.Field{Name: "CumTSN", Bit: sackOffCumTSN * 8, Bits: 32},
		pkts.Field{Name: "Rwnd", Bit: sackOffRwnd * 8, Bits: 32},
		pkts.Field{Name: "GapCount", Bit: sackOffGaps * 8, Bits: 16},
		pkts.Field{Name: "DupCount", Bit: sackOffDups * 8, Bits: 16},
		pkts.Field{Name: "Gaps", Bit: sackOffBlocks * 8},
	),
}

// Proto returns the descriptor of SACK.
func (*Sack) Proto() *pkts.Protocol { return &sackProtocol }

// check returns the length of the chunk with its lists, or why there is none.
func (v SackView) check() (int, error) {
	n, err := chunkLen("SCTP SACK", v, SackLen)
	if err != nil {
		return 0, err
	}
	hdr := SackLen + (int(v.GapCount())+int(v.DupCount()))*sackBlockLen
	if hdr > n {
		return 0, pkts.Malformed("SCTP SACK", fmt.Sprintf("lists of %d bytes in a chunk of %d", hdr-SackLen, n))
	}
	if hdr > len(v) {
		return 0, pkts.Truncated("SCTP SACK", hdr, len(v))
	}
	return hdr, nil
}

// Decode fills l from the chunk at the start of b.
func (l *Sack) Decode(b []byte) (int, error) {
	v := SackView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.CumTSN = v.CumTSN()
	l.Rwnd = v.Rwnd()
	l.GapCount = pkts.Seen(v.GapCount())
	l.DupCount = pkts.Seen(v.DupCount())
	dups := SackLen + int(v.GapCount())*sackBlockLen
	l.Gaps = GapBlocks(b[SackLen:dups:dups])
	l.Dups = TSNs(b[dups:n:n])
	return n, nil
}

// AppendBinary appends the chunk to b.
func (l *Sack) AppendBinary(b []byte) ([]byte, error) {
	if len(l.Gaps)%sackBlockLen != 0 || len(l.Dups)%sackBlockLen != 0 {
		return b, &pkts.EncodeError{Layer: "SCTP SACK", Field: "Gaps", Reason: fmt.Sprintf("lists of %d and %d bytes, not multiples of 4", len(l.Gaps), len(l.Dups)), Err: pkts.ErrMalformed}
	}
	if n := max(len(l.Gaps), len(l.Dups)) / sackBlockLen; n > 0xffff {
		return b, pkts.TooLong("SCTP SACK", "GapCount", n, 0xffff)
	}
	b = appendChunk(b, TypeSack, l.Flags, l.Length)
	b = binary.BigEndian.AppendUint32(b, l.CumTSN)
	b = binary.BigEndian.AppendUint32(b, l.Rwnd)
	b = binary.BigEndian.AppendUint16(b, countOf(l.GapCount, len(l.Gaps)/sackBlockLen))
	b = binary.BigEndian.AppendUint16(b, countOf(l.DupCount, len(l.Dups)/sackBlockLen))
	return append(append(b, l.Gaps...), l.Dups...), nil
}

// countOf returns a count, which is n unless it is pinned: what was decoded was
// right.
func countOf(a pkts.Auto[uint16], n int) uint16 {
	if a.Mode() == pkts.ModePinned {
		return a.Value()
	}
	return uint16(n)
}

// Complete computes Length.
func (l *Sack) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the numbers.
func (l *Sack) AppendSummary(b []byte, _ pkts.Node) []byte {
	return fmt.Appendf(appendType(b, TypeSack), " [cum ack %d] [a_rwnd %d] [#gap acks %d] [#dup tsns %d]",
		l.CumTSN, l.Rwnd, len(l.Gaps)/sackBlockLen, len(l.Dups)/sackBlockLen)
}

// SackView is a SACK chunk in place. Its methods panic when it is shorter than
// 16 bytes: those that [pkts.View] returns are not.
type SackView []byte

// Proto returns the descriptor of SACK.
func (SackView) Proto() *pkts.Protocol { return &sackProtocol }

func (v SackView) Flags() uint8     { return v[chunkOffFlags] }
func (v SackView) Length() uint16   { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v SackView) CumTSN() uint32   { return binary.BigEndian.Uint32(v[sackOffCumTSN:]) }
func (v SackView) Rwnd() uint32     { return binary.BigEndian.Uint32(v[sackOffRwnd:]) }
func (v SackView) GapCount() uint16 { return binary.BigEndian.Uint16(v[sackOffGaps:]) }
func (v SackView) DupCount() uint16 { return binary.BigEndian.Uint16(v[sackOffDups:]) }

// Gaps returns the blocks, and Dups the duplicate TSNs, which must be there.
func (v SackView) Gaps() GapBlocks {
	return GapBlocks(v[SackLen : SackLen+int(v.GapCount())*sackBlockLen])
}
func (v SackView) Dups() TSNs {
	at := SackLen + int(v.GapCount())*sackBlockLen
	return TSNs(v[at : at+int(v.DupCount())*sackBlockLen])
}

func (v SackView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v SackView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v SackView) SetCumTSN(n uint32) { binary.BigEndian.PutUint32(v[sackOffCumTSN:], n) }
func (v SackView) SetRwnd(n uint32)   { binary.BigEndian.PutUint32(v[sackOffRwnd:], n) }

// GapBlock is a range of TSNs that have arrived, as offsets from the cumulative
// TSN: the first and the last one.
type GapBlock struct{ Start, End uint16 }

// String returns the range.
func (g GapBlock) String() string { return fmt.Sprintf("%d-%d", g.Start, g.End) }

// GapBlocks are the gap ack blocks of a SACK as they are encoded, 4 bytes each.
type GapBlocks []byte

// All yields the blocks.
func (g GapBlocks) All() iter.Seq2[int, GapBlock] {
	return func(yield func(int, GapBlock) bool) {
		for i := 0; i+sackBlockLen <= len(g); i += sackBlockLen {
			if !yield(i, GapBlock{binary.BigEndian.Uint16(g[i:]), binary.BigEndian.Uint16(g[i+2:])}) {
				return
			}
		}
	}
}

// Append appends a block.
func (g GapBlocks) Append(b GapBlock) GapBlocks {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(g, b.Start), b.End)
}

// TSNs are transmission sequence numbers as they are encoded, 4 bytes each.
type TSNs []byte

// All yields the numbers.
func (t TSNs) All() iter.Seq2[int, uint32] {
	return func(yield func(int, uint32) bool) {
		for i := 0; i+sackBlockLen <= len(t); i += sackBlockLen {
			if !yield(i, binary.BigEndian.Uint32(t[i:])) {
				return
			}
		}
	}
}

// Append appends a number.
func (t TSNs) Append(n uint32) TSNs { return binary.BigEndian.AppendUint32(t, n) }

// ForwardTSN is a FORWARD TSN chunk, RFC 3758, section 3.2: what is up to a TSN
// and has not arrived will not come.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 192  |  Flags = 0x00 |        Length = Variable      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      New Cumulative TSN                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Stream, Stream Sequence: 2 times 16 bits each               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ForwardTSN struct {
	Flags   uint8
	Length  pkts.Auto[uint16] // in bytes
	TSN     uint32            // the new cumulative one
	Streams SkippedSSNs       // aliases the packet after decoding
}

var _ pkts.Completer = (*ForwardTSN)(nil)

var forwardTSNProtocol = pkts.Protocol{
	Name:  "SCTP FORWARD TSN",
	New:   pkts.New[ForwardTSN],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*ForwardTSN); c.Streams = slices.Clone(c.Streams); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		return bodySpan("SCTP FORWARD TSN", b, ForwardTSNLen)
	},
	At: []pkts.Selector{ByChunkType(TypeForwardTSN)},
	Fields: chunkFields(
		pkts.Field{Name: "TSN", Bit: forwardOffTSN * 8, Bits: 32},
		pkts.Field{Name: "Streams", Bit: ForwardTSNLen * 8},
	),
}

// Proto returns the descriptor of FORWARD TSN.
func (*ForwardTSN) Proto() *pkts.Protocol { return &forwardTSNProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *ForwardTSN) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP FORWARD TSN", b, ForwardTSNLen)
	if err != nil {
		return 0, err
	}
	v := ForwardTSNView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.TSN = v.TSN()
	l.Streams = SkippedSSNs(b[ForwardTSNLen:n:n])
	return n, nil
}

// AppendBinary appends the chunk to b.
func (l *ForwardTSN) AppendBinary(b []byte) ([]byte, error) {
	b = appendChunk(b, TypeForwardTSN, l.Flags, l.Length)
	return append(binary.BigEndian.AppendUint32(b, l.TSN), l.Streams...), nil
}

// Complete computes Length.
func (l *ForwardTSN) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the TSN and the streams.
func (l *ForwardTSN) AppendSummary(b []byte, _ pkts.Node) []byte {
	b = fmt.Appendf(appendType(b, TypeForwardTSN), " [new cum TSN: %d]", l.TSN)
	for _, s := range l.Streams.All() {
		b = fmt.Appendf(b, " [SID: %d] [SSEQ %d]", s.StreamID, s.SSN)
	}
	return b
}

// ForwardTSNView is a FORWARD TSN chunk in place. Its methods panic when it is
// shorter than 8 bytes: those that [pkts.View] returns are not.
type ForwardTSNView []byte

// Proto returns the descriptor of FORWARD TSN.
func (ForwardTSNView) Proto() *pkts.Protocol { return &forwardTSNProtocol }

func (v ForwardTSNView) Flags() uint8   { return v[chunkOffFlags] }
func (v ForwardTSNView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v ForwardTSNView) TSN() uint32    { return binary.BigEndian.Uint32(v[forwardOffTSN:]) }

// Streams returns the streams that Length counts, as far as they are there.
func (v ForwardTSNView) Streams() SkippedSSNs {
	return SkippedSSNs(v[ForwardTSNLen:max(ForwardTSNLen, min(int(v.Length()), len(v)))])
}

func (v ForwardTSNView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v ForwardTSNView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v ForwardTSNView) SetTSN(n uint32)    { binary.BigEndian.PutUint32(v[forwardOffTSN:], n) }

// SkippedSSN is the greatest number of a message that will not come in a stream.
type SkippedSSN struct{ StreamID, SSN uint16 }

// String returns stream and number.
func (s SkippedSSN) String() string { return fmt.Sprintf("%d:%d", s.StreamID, s.SSN) }

// SkippedSSNs are the streams of a FORWARD TSN as they are encoded, 4 bytes each.
type SkippedSSNs []byte

// All yields the streams, with their offsets in bytes.
func (s SkippedSSNs) All() iter.Seq2[int, SkippedSSN] {
	return func(yield func(int, SkippedSSN) bool) {
		for i := 0; i+forwardStream <= len(s); i += forwardStream {
			if !yield(i, SkippedSSN{binary.BigEndian.Uint16(s[i:]), binary.BigEndian.Uint16(s[i+2:])}) {
				return
			}
		}
	}
}

// Append appends a stream.
func (s SkippedSSNs) Append(x SkippedSSN) SkippedSSNs {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(s, x.StreamID), x.SSN)
}

// IForwardTSN is an I-FORWARD TSN chunk, RFC 8260, section 2.3.1: what
// [ForwardTSN] is for [IData].
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 194  | Flags = 0x00  |      Length = Variable        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      New Cumulative TSN                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       Stream Identifier       |          Reserved           |U|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Message Identifier                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type IForwardTSN struct {
	Flags   uint8
	Length  pkts.Auto[uint16] // in bytes
	TSN     uint32            // the new cumulative one
	Streams SkippedMIDs       // aliases the packet after decoding
}

var _ pkts.Completer = (*IForwardTSN)(nil)

var iforwardTSNProtocol = pkts.Protocol{
	Name:  "SCTP I-FORWARD TSN",
	New:   pkts.New[IForwardTSN],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*IForwardTSN); c.Streams = slices.Clone(c.Streams); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) {
		return bodySpan("SCTP I-FORWARD TSN", b, ForwardTSNLen)
	},
	At: []pkts.Selector{ByChunkType(TypeIForwardTSN)},
	Fields: chunkFields(
		pkts.Field{Name: "TSN", Bit: forwardOffTSN * 8, Bits: 32},
		pkts.Field{Name: "Streams", Bit: ForwardTSNLen * 8},
	),
}

// Proto returns the descriptor of I-FORWARD TSN.
func (*IForwardTSN) Proto() *pkts.Protocol { return &iforwardTSNProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *IForwardTSN) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP I-FORWARD TSN", b, ForwardTSNLen)
	if err != nil {
		return 0, err
	}
	v := ForwardTSNView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.TSN = v.TSN()
	l.Streams = SkippedMIDs(b[ForwardTSNLen:n:n])
	return n, nil
}

// AppendBinary appends the chunk to b.
func (l *IForwardTSN) AppendBinary(b []byte) ([]byte, error) {
	b = appendChunk(b, TypeIForwardTSN, l.Flags, l.Length)
	return append(binary.BigEndian.AppendUint32(b, l.TSN), l.Streams...), nil
}

// Complete computes Length.
func (l *IForwardTSN) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the TSN and the streams.
func (l *IForwardTSN) AppendSummary(b []byte, _ pkts.Node) []byte {
	b = fmt.Appendf(appendType(b, TypeIForwardTSN), " [new cum TSN: %d]", l.TSN)
	for _, s := range l.Streams.All() {
		b = fmt.Appendf(b, " [SID: %d] [MID: %d]", s.StreamID, s.MID)
	}
	return b
}

// IForwardTSNView is an I-FORWARD TSN chunk in place. Its methods panic when it
// is shorter than 8 bytes: those that [pkts.View] returns are not.
type IForwardTSNView []byte

// Proto returns the descriptor of I-FORWARD TSN.
func (IForwardTSNView) Proto() *pkts.Protocol { return &iforwardTSNProtocol }

func (v IForwardTSNView) Flags() uint8   { return v[chunkOffFlags] }
func (v IForwardTSNView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v IForwardTSNView) TSN() uint32    { return binary.BigEndian.Uint32(v[forwardOffTSN:]) }

// Streams returns the streams that Length counts, as far as they are there.
func (v IForwardTSNView) Streams() SkippedMIDs {
	return SkippedMIDs(v[ForwardTSNLen:max(ForwardTSNLen, min(int(v.Length()), len(v)))])
}

func (v IForwardTSNView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v IForwardTSNView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v IForwardTSNView) SetTSN(n uint32)    { binary.BigEndian.PutUint32(v[forwardOffTSN:], n) }

// SkippedMID is the greatest number of a message that will not come in a stream,
// of those that are ordered, or of those that are not.
type SkippedMID struct {
	StreamID  uint16
	Reserved  uint16 // 15 bits
	Unordered bool
	MID       uint32
}

// String returns stream and number.
func (s SkippedMID) String() string {
	if s.Unordered {
		return fmt.Sprintf("%d:%d unordered", s.StreamID, s.MID)
	}
	return fmt.Sprintf("%d:%d", s.StreamID, s.MID)
}

// SkippedMIDs are the streams of an I-FORWARD TSN as they are encoded, 8 bytes
// each.
type SkippedMIDs []byte

// All yields the streams, with their offsets in bytes.
func (s SkippedMIDs) All() iter.Seq2[int, SkippedMID] {
	return func(yield func(int, SkippedMID) bool) {
		for i := 0; i+iforwardStream <= len(s); i += iforwardStream {
			f := binary.BigEndian.Uint16(s[i+2:])
			if !yield(i, SkippedMID{binary.BigEndian.Uint16(s[i:]), f >> 1, f&1 != 0, binary.BigEndian.Uint32(s[i+4:])}) {
				return
			}
		}
	}
}

// Append appends a stream.
func (s SkippedMIDs) Append(x SkippedMID) SkippedMIDs {
	f := x.Reserved << 1
	if x.Unordered {
		f |= 1
	}
	s = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(s, x.StreamID), f)
	return binary.BigEndian.AppendUint32(s, x.MID)
}
