package sctp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gopkts/gopkts/pkts"
)

const (
	initOffTag    = 4
	initOffRwnd   = 8
	initOffOut    = 12
	initOffIn     = 14
	initOffTSN    = 16
	initOffParams = 20
)

// InitLen is the length of an INIT or INIT ACK chunk without parameters, in
// bytes.
const InitLen = 20

// Init is an INIT chunk, RFC 9260, section 3.3.2: it opens an association.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 1    |  Chunk Flags  |      Chunk Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Initiate Tag                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Advertised Receiver Window Credit (a_rwnd)          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Number of Outbound Streams   |   Number of Inbound Streams   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Initial TSN                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	/              Optional/Variable-Length Parameters              /
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Init struct {
	Flags           uint8
	Length          pkts.Auto[uint16] // in bytes, without padding of the last parameter
	InitiateTag     uint32            // what the sender wants to find as verification tag
	Rwnd            uint32            // how much the sender can receive, in bytes
	OutboundStreams uint16            // how many the sender wants to use
	InboundStreams  uint16            // how many the peer may use at most
	InitialTSN      uint32            // of the sender's first DATA
	Params          Params            // aliases the packet after decoding
}

var _ pkts.Completer = (*Init)(nil)

var initProtocol = pkts.Protocol{
	Name:   "SCTP INIT",
	New:    pkts.New[Init],
	Clone:  func(l pkts.Layer) pkts.Layer { c := *l.(*Init); c.Params = slices.Clone(c.Params); return &c },
	Index:  func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP INIT", b, InitLen) },
	At:     []pkts.Selector{ByChunkType(TypeInit)},
	Fields: initFields(),
}

func initFields() []pkts.Field {
	return chunkFields(
		pkts.Field{Name: "InitiateTag", Bit: initOffTag * 8, Bits: 32},
		pkts.Field{Name: "Rwnd", Bit: initOffRwnd * 8, Bits: 32},
		pkts.Field{Name: "OutboundStreams", Bit: initOffOut * 8, Bits: 16},
		pkts.Field{Name: "InboundStreams", Bit: initOffIn * 8, Bits: 16},
		pkts.Field{Name: "InitialTSN", Bit: initOffTSN * 8, Bits: 32},
		pkts.Field{Name: "Params", Bit: initOffParams * 8},
	)
}

// Proto returns the descriptor of INIT.
func (*Init) Proto() *pkts.Protocol { return &initProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Init) Decode(b []byte) (int, error) { return l.decode("SCTP INIT", b) }

func (l *Init) decode(name string, b []byte) (int, error) {
	n, err := bodyLen(name, b, InitLen)
	if err != nil {
		return 0, err
	}
	v := InitView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.InitiateTag = v.InitiateTag()
	l.Rwnd = v.Rwnd()
	l.OutboundStreams = v.OutboundStreams()
	l.InboundStreams = v.InboundStreams()
	l.InitialTSN = v.InitialTSN()
	l.Params = Params(b[initOffParams:n:n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Init) AppendBinary(b []byte) ([]byte, error) { return l.append(b, TypeInit), nil }

func (l *Init) append(b []byte, t ChunkType) []byte {
	b = appendChunk(b, t, l.Flags, l.Length)
	b = binary.BigEndian.AppendUint32(b, l.InitiateTag)
	b = binary.BigEndian.AppendUint32(b, l.Rwnd)
	b = binary.BigEndian.AppendUint16(b, l.OutboundStreams)
	b = binary.BigEndian.AppendUint16(b, l.InboundStreams)
	b = binary.BigEndian.AppendUint32(b, l.InitialTSN)
	return append(b, l.Params...)
}

// Complete computes Length.
func (l *Init) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the numbers.
func (l *Init) AppendSummary(b []byte, _ pkts.Node) []byte { return l.summary(b, TypeInit) }

func (l *Init) summary(b []byte, t ChunkType) []byte {
	return fmt.Appendf(appendType(b, t), " [init tag: %d] [rwnd: %d] [OS: %d] [MIS: %d] [init TSN: %d]",
		l.InitiateTag, l.Rwnd, l.OutboundStreams, l.InboundStreams, l.InitialTSN)
}

// InitView is an INIT chunk in place; its methods serve for an INIT ACK, too.
// They panic when it is shorter than 20 bytes: those that [pkts.View] returns are
// not.
type InitView []byte

// Proto returns the descriptor of INIT.
func (InitView) Proto() *pkts.Protocol { return &initProtocol }

func (v InitView) Flags() uint8            { return v[chunkOffFlags] }
func (v InitView) Length() uint16          { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v InitView) InitiateTag() uint32     { return binary.BigEndian.Uint32(v[initOffTag:]) }
func (v InitView) Rwnd() uint32            { return binary.BigEndian.Uint32(v[initOffRwnd:]) }
func (v InitView) OutboundStreams() uint16 { return binary.BigEndian.Uint16(v[initOffOut:]) }
func (v InitView) InboundStreams() uint16  { return binary.BigEndian.Uint16(v[initOffIn:]) }
func (v InitView) InitialTSN() uint32      { return binary.BigEndian.Uint32(v[initOffTSN:]) }

// Params returns the parameters that Length counts, as far as they are there.
func (v InitView) Params() Params {
	return Params(v[initOffParams:max(initOffParams, min(int(v.Length()), len(v)))])
}

func (v InitView) SetFlags(f uint8)        { v[chunkOffFlags] = f }
func (v InitView) SetLength(n uint16)      { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v InitView) SetInitiateTag(t uint32) { binary.BigEndian.PutUint32(v[initOffTag:], t) }
func (v InitView) SetRwnd(n uint32)        { binary.BigEndian.PutUint32(v[initOffRwnd:], n) }
func (v InitView) SetOutboundStreams(n uint16) {
	binary.BigEndian.PutUint16(v[initOffOut:], n)
}
func (v InitView) SetInboundStreams(n uint16) { binary.BigEndian.PutUint16(v[initOffIn:], n) }
func (v InitView) SetInitialTSN(n uint32)     { binary.BigEndian.PutUint32(v[initOffTSN:], n) }

// InitAck is an INIT ACK chunk, RFC 9260, section 3.3.3: the answer to an
// [Init], with the same fields, and a State Cookie among the parameters.
type InitAck Init

var _ pkts.Completer = (*InitAck)(nil)

var initAckProtocol = pkts.Protocol{
	Name:   "SCTP INIT ACK",
	New:    pkts.New[InitAck],
	Clone:  func(l pkts.Layer) pkts.Layer { c := *l.(*InitAck); c.Params = slices.Clone(c.Params); return &c },
	Index:  func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP INIT ACK", b, InitLen) },
	At:     []pkts.Selector{ByChunkType(TypeInitAck)},
	Fields: initFields(),
}

// Proto returns the descriptor of INIT ACK.
func (*InitAck) Proto() *pkts.Protocol { return &initAckProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *InitAck) Decode(b []byte) (int, error) { return (*Init)(l).decode("SCTP INIT ACK", b) }

// AppendBinary appends the chunk, without padding, to b.
func (l *InitAck) AppendBinary(b []byte) ([]byte, error) {
	return (*Init)(l).append(b, TypeInitAck), nil
}

// Complete computes Length.
func (l *InitAck) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the numbers.
func (l *InitAck) AppendSummary(b []byte, _ pkts.Node) []byte {
	return (*Init)(l).summary(b, TypeInitAck)
}

// InitAckView is an INIT ACK chunk in place. Convert it to [InitView] for its
// fields.
type InitAckView []byte

// Proto returns the descriptor of INIT ACK.
func (InitAckView) Proto() *pkts.Protocol { return &initAckProtocol }
