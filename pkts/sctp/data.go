package sctp

import (
	"encoding/binary"
	"fmt"

	"github.com/gopkts/gopkts/pkts"
)

const (
	dataOffTSN    = 4
	dataOffStream = 8
	dataOffSSN    = 10
	dataOffPPID   = 12

	idataOffReserved = 10
	idataOffMID      = 12
	idataOffPPID     = 16 // or the FSN
)

const (
	// DataLen is the length of a DATA chunk without user data, in bytes.
	DataLen = 16
	// IDataLen is the length of an I-DATA chunk without user data, in bytes.
	IDataLen = 20
)

// DataFlags are the flags of DATA and I-DATA.
type DataFlags uint8

const (
	// DataEnd is set in the last fragment of a message.
	DataEnd DataFlags = 1 << iota
	// DataBegin is set in the first.
	DataBegin
	// DataUnordered says that the message may overtake others.
	DataUnordered
	// DataImmediate asks for an acknowledgment at once, RFC 7053.
	DataImmediate

	// DataWhole is a message that is not in fragments.
	DataWhole = DataBegin | DataEnd
)

// Has reports whether all flags of x are set.
func (f DataFlags) Has(x DataFlags) bool { return f&x == x }

// String returns the flags' letters in RFC 9260, joined by +, or "none".
func (f DataFlags) String() string {
	if f == 0 {
		return "none"
	}
	var s string
	for i, name := range [8]string{"E", "B", "U", "I", "0x10", "0x20", "0x40", "0x80"} {
		if f&(1<<i) != 0 {
			if s != "" {
				s += "+"
			}
			s += name
		}
	}
	return s
}

// Data is a DATA chunk, RFC 9260, section 3.3.1: a message, or a fragment of
// one. The user data are its payload.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 0    |  Res  |I|U|B|E|           Length              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              TSN                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Stream Identifier S      |   Stream Sequence Number n    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Payload Protocol Identifier                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Data struct {
	Flags    DataFlags         // with the 4 reserved bits
	Length   pkts.Auto[uint16] // with the user data, in bytes, without padding
	TSN      uint32
	StreamID uint16
	SSN      uint16 // number of the message in its stream
	PPID     pkts.Auto[PPID]
}

var _ pkts.Completer = (*Data)(nil)

var dataProtocol = pkts.Protocol{
	Name:  "SCTP DATA",
	New:   pkts.New[Data],
	Clone: pkts.Clone[Data],
	Index: indexData,
	At:    []pkts.Selector{ByChunkType(TypeData)},
	Fields: chunkFields(
		pkts.Field{Name: "TSN", Bit: dataOffTSN * 8, Bits: 32},
		pkts.Field{Name: "StreamID", Bit: dataOffStream * 8, Bits: 16},
		pkts.Field{Name: "SSN", Bit: dataOffSSN * 8, Bits: 16},
		pkts.Field{Name: "PPID", Bit: dataOffPPID * 8, Bits: 32},
	),
}

// Proto returns the descriptor of DATA.
func (*Data) Proto() *pkts.Protocol { return &dataProtocol }

func indexData(b []byte, r *pkts.Registry) (pkts.Span, error) {
	s, err := fixedSpan("SCTP DATA", b, DataLen)
	if err != nil {
		return s, err
	}
	v := DataView(b)
	return userData(s, v.Flags(), v.PPID(), r), nil
}

// userData says what the user data of a chunk are.
func userData(s pkts.Span, f DataFlags, id PPID, r *pkts.Registry) pkts.Span {
	if f.Has(DataWhole) {
		s.Next = r.Next(PPIDs, uint64(id))
	} else {
		s.Flags |= pkts.SpanFragment
	}
	return s
}

// Decode fills l from the start of b, 16 bytes.
func (l *Data) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP DATA", b, DataLen); err != nil {
		return 0, err
	}
	v := DataView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.TSN = v.TSN()
	l.StreamID = v.StreamID()
	l.SSN = v.SSN()
	l.PPID = pkts.Seen(v.PPID())
	return DataLen, nil
}

// AppendBinary appends the chunk, without user data, to b.
func (l *Data) AppendBinary(b []byte) ([]byte, error) {
	b = appendChunk(b, TypeData, uint8(l.Flags), l.Length)
	b = binary.BigEndian.AppendUint32(b, l.TSN)
	b = binary.BigEndian.AppendUint16(b, l.StreamID)
	b = binary.BigEndian.AppendUint16(b, l.SSN)
	return binary.BigEndian.AppendUint32(b, uint32(l.PPID.Value())), nil
}

// Complete computes Length, and PPID from what follows.
func (l *Data) Complete(c *pkts.Completion) error {
	if err := completeChunk(c, l.Length.Mode()); err != nil {
		return err
	}
	if c.Wants("PPID", dataOffPPID, l.PPID.Mode()) {
		have := binary.BigEndian.Uint32(c.Header()[dataOffPPID:])
		c.PutUint32(uint32(c.Number(PPIDs, uint64(have), 0)))
	}
	return nil
}

// AppendSummary appends flags and numbers.
func (l *Data) AppendSummary(b []byte, _ pkts.Node) []byte {
	b = appendLetters(appendType(b, TypeData), l.Flags)
	return fmt.Appendf(b, " [TSN: %d] [SID: %d] [SSEQ %d] [PPID 0x%x]", l.TSN, l.StreamID, l.SSN, uint32(l.PPID.Value()))
}

// appendLetters appends flags as tcpdump does.
func appendLetters(b []byte, f DataFlags) []byte {
	if f&(DataUnordered|DataWhole) != 0 {
		b = append(b, ' ')
	}
	for _, x := range [3]struct {
		f DataFlags
		s string
	}{{DataUnordered, "(U)"}, {DataBegin, "(B)"}, {DataEnd, "(E)"}} {
		if f.Has(x.f) {
			b = append(b, x.s...)
		}
	}
	return b
}

// DataView is a DATA chunk in place, with its user data. Its methods panic when
// it is shorter than 16 bytes: those that [pkts.View] returns are not.
type DataView []byte

// Proto returns the descriptor of DATA.
func (DataView) Proto() *pkts.Protocol { return &dataProtocol }

func (v DataView) Flags() DataFlags { return DataFlags(v[chunkOffFlags]) }
func (v DataView) Length() uint16   { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v DataView) TSN() uint32      { return binary.BigEndian.Uint32(v[dataOffTSN:]) }
func (v DataView) StreamID() uint16 { return binary.BigEndian.Uint16(v[dataOffStream:]) }
func (v DataView) SSN() uint16      { return binary.BigEndian.Uint16(v[dataOffSSN:]) }
func (v DataView) PPID() PPID       { return PPID(binary.BigEndian.Uint32(v[dataOffPPID:])) }

// Payload returns the user data that Length counts, as far as they are there.
func (v DataView) Payload() []byte { return v[DataLen:max(DataLen, min(int(v.Length()), len(v)))] }

func (v DataView) SetFlags(f DataFlags) { v[chunkOffFlags] = uint8(f) }
func (v DataView) SetLength(n uint16)   { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v DataView) SetTSN(n uint32)      { binary.BigEndian.PutUint32(v[dataOffTSN:], n) }
func (v DataView) SetStreamID(n uint16) { binary.BigEndian.PutUint16(v[dataOffStream:], n) }
func (v DataView) SetSSN(n uint16)      { binary.BigEndian.PutUint16(v[dataOffSSN:], n) }
func (v DataView) SetPPID(p PPID)       { binary.BigEndian.PutUint32(v[dataOffPPID:], uint32(p)) }

// IData is an I-DATA chunk, RFC 8260, section 2.1: a message, or a fragment of
// one between whose fragments others may come. The user data are its payload.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              TSN                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Stream Identifier      |           Reserved            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Message Identifier                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Payload Protocol Identifier / Fragment Sequence Number     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type IData struct {
	Flags    DataFlags         // with the 4 reserved bits
	Length   pkts.Auto[uint16] // with the user data, in bytes, without padding
	TSN      uint32
	StreamID uint16
	Reserved uint16
	MID      uint32          // number of the message in its stream, ordered or not
	PPID     pkts.Auto[PPID] // where DataBegin is set
	FSN      uint32          // number of the fragment in its message, where it is not
}

var _ pkts.Completer = (*IData)(nil)

var idataProtocol = pkts.Protocol{
	Name:  "SCTP I-DATA",
	New:   pkts.New[IData],
	Clone: pkts.Clone[IData],
	Index: indexIData,
	At:    []pkts.Selector{ByChunkType(TypeIData)},
	Fields: chunkFields(
		pkts.Field{Name: "TSN", Bit: dataOffTSN * 8, Bits: 32},
		pkts.Field{Name: "StreamID", Bit: dataOffStream * 8, Bits: 16},
		pkts.Field{Name: "Reserved", Bit: idataOffReserved * 8, Bits: 16},
		pkts.Field{Name: "MID", Bit: idataOffMID * 8, Bits: 32},
		pkts.Field{Name: "PPID", Bit: idataOffPPID * 8, Bits: 32},
	),
}

// Proto returns the descriptor of I-DATA.
func (*IData) Proto() *pkts.Protocol { return &idataProtocol }

func indexIData(b []byte, r *pkts.Registry) (pkts.Span, error) {
	s, err := fixedSpan("SCTP I-DATA", b, IDataLen)
	if err != nil {
		return s, err
	}
	v := IDataView(b)
	return userData(s, v.Flags(), v.PPID(), r), nil
}

// Decode fills l from the start of b, 20 bytes.
func (l *IData) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP I-DATA", b, IDataLen); err != nil {
		return 0, err
	}
	v := IDataView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.TSN = v.TSN()
	l.StreamID = v.StreamID()
	l.Reserved = v.Reserved()
	l.MID = v.MID()
	l.PPID, l.FSN = pkts.Auto[PPID]{}, 0
	if l.Flags.Has(DataBegin) {
		l.PPID = pkts.Seen(v.PPID())
	} else {
		l.FSN = v.FSN()
	}
	return IDataLen, nil
}

// AppendBinary appends the chunk, without user data, to b.
func (l *IData) AppendBinary(b []byte) ([]byte, error) {
	b = appendChunk(b, TypeIData, uint8(l.Flags), l.Length)
	b = binary.BigEndian.AppendUint32(b, l.TSN)
	b = binary.BigEndian.AppendUint16(b, l.StreamID)
	b = binary.BigEndian.AppendUint16(b, l.Reserved)
	b = binary.BigEndian.AppendUint32(b, l.MID)
	if l.Flags.Has(DataBegin) {
		return binary.BigEndian.AppendUint32(b, uint32(l.PPID.Value())), nil
	}
	return binary.BigEndian.AppendUint32(b, l.FSN), nil
}

// Complete computes Length, and PPID, if there is one, from what follows.
func (l *IData) Complete(c *pkts.Completion) error {
	if err := completeChunk(c, l.Length.Mode()); err != nil {
		return err
	}
	v := IDataView(c.Header())
	if v.Flags().Has(DataBegin) && c.Wants("PPID", idataOffPPID, l.PPID.Mode()) {
		c.PutUint32(uint32(c.Number(PPIDs, uint64(v.PPID()), 0)))
	}
	return nil
}

// AppendSummary appends flags and numbers.
func (l *IData) AppendSummary(b []byte, _ pkts.Node) []byte {
	b = appendLetters(appendType(b, TypeIData), l.Flags)
	b = fmt.Appendf(b, " [TSN: %d] [SID: %d] [MID: %d]", l.TSN, l.StreamID, l.MID)
	if l.Flags.Has(DataBegin) {
		return fmt.Appendf(b, " [PPID 0x%x]", uint32(l.PPID.Value()))
	}
	return fmt.Appendf(b, " [FSN: %d]", l.FSN)
}

// IDataView is an I-DATA chunk in place, with its user data. Its methods panic
// when it is shorter than 20 bytes: those that [pkts.View] returns are not.
type IDataView []byte

// Proto returns the descriptor of I-DATA.
func (IDataView) Proto() *pkts.Protocol { return &idataProtocol }

func (v IDataView) Flags() DataFlags { return DataFlags(v[chunkOffFlags]) }
func (v IDataView) Length() uint16   { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v IDataView) TSN() uint32      { return binary.BigEndian.Uint32(v[dataOffTSN:]) }
func (v IDataView) StreamID() uint16 { return binary.BigEndian.Uint16(v[dataOffStream:]) }
func (v IDataView) Reserved() uint16 { return binary.BigEndian.Uint16(v[idataOffReserved:]) }
func (v IDataView) MID() uint32      { return binary.BigEndian.Uint32(v[idataOffMID:]) }

// PPID counts where [DataBegin] is set, and FSN where it is not: they are the
// same bytes.
func (v IDataView) PPID() PPID  { return PPID(binary.BigEndian.Uint32(v[idataOffPPID:])) }
func (v IDataView) FSN() uint32 { return binary.BigEndian.Uint32(v[idataOffPPID:]) }

// Payload returns the user data that Length counts, as far as they are there.
func (v IDataView) Payload() []byte {
	return v[IDataLen:max(IDataLen, min(int(v.Length()), len(v)))]
}

func (v IDataView) SetFlags(f DataFlags) { v[chunkOffFlags] = uint8(f) }
func (v IDataView) SetLength(n uint16)   { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v IDataView) SetTSN(n uint32)      { binary.BigEndian.PutUint32(v[dataOffTSN:], n) }
func (v IDataView) SetStreamID(n uint16) { binary.BigEndian.PutUint16(v[dataOffStream:], n) }
func (v IDataView) SetMID(n uint32)      { binary.BigEndian.PutUint32(v[idataOffMID:], n) }
func (v IDataView) SetPPID(p PPID)       { binary.BigEndian.PutUint32(v[idataOffPPID:], uint32(p)) }
func (v IDataView) SetFSN(n uint32)      { binary.BigEndian.PutUint32(v[idataOffPPID:], n) }
