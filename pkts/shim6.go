package pkts

import (
	"encoding/binary"
	"slices"

	"github.com/gopkts/gopkts/common/checksum"
)

const (
	shim6OffType     = 2 // P and the type, or the first bits of the context tag
	shim6OffSpecific = 3
	shim6OffChecksum = 4
	shim6OffData     = 6
)

// shim6PayloadTagBits is the length of a context tag.
const shim6PayloadTagBits = 47

// Shim6Type is the type of a Shim6 control message, RFC 5533, section 5.3; 7
// bits.
type Shim6Type uint8

const (
	Shim6I1            Shim6Type = 1  // first message from the initiator
	Shim6R1            Shim6Type = 2  // first message from the responder
	Shim6I2            Shim6Type = 3  // second message from the initiator
	Shim6R2            Shim6Type = 4  // second message from the responder
	Shim6R1bis         Shim6Type = 5  // answer to a packet without context
	Shim6I2bis         Shim6Type = 6  // answer to R1bis
	Shim6UpdateRequest Shim6Type = 64 // new locators
	Shim6UpdateAck     Shim6Type = 65 // answer to it
	Shim6KeepAlive     Shim6Type = 66 // RFC 5534
	Shim6Probe         Shim6Type = 67 // RFC 5534
	Shim6ErrorMessage  Shim6Type = 68
)

// String returns the type's name, or the number.
func (t Shim6Type) String() string {
	switch t {
	case Shim6I1:
		return "I1"
	case Shim6R1:
		return "R1"
	case Shim6I2:
		return "I2"
	case Shim6R2:
		return "R2"
	case Shim6R1bis:
		return "R1bis"
	case Shim6I2bis:
		return "I2bis"
	case Shim6UpdateRequest:
		return "update request"
	case Shim6UpdateAck:
		return "update acknowledgement"
	case Shim6KeepAlive:
		return "keepalive"
	case Shim6Probe:
		return "probe"
	case Shim6ErrorMessage:
		return "error"
	default:
		return numbered("Shim6Type", int(t))
	}
}

// Shim6 is a Shim6 header, RFC 5533, section 5: in front of a payload whose
// addresses were exchanged, or a control message.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |  Hdr Ext Len  |1|                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+    Receiver Context Tag     |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |  Hdr Ext Len  |0|     Type    |Type-specific|0|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Checksum            |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                     Type-specific format                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Shim6 struct {
	NextHeader Auto[IPProto]
	HdrExtLen  Auto[uint8] // header length in units of 8 bytes, less one
	IsPayload  bool        // P: this is no control message
	ContextTag uint64      // 47 bits; only with IsPayload

	// The fields of a control message.
	Type     Shim6Type    // 7 bits
	Specific uint8        // 8 bits that depend on the type; the last one must be 0
	Checksum Auto[uint16] // of the header, without a pseudo-header
	// Data is what follows, in a control message at most 2,042 bytes; zeros
	// are appended where it does not fill the header. It aliases the packet
	// after decoding.
	Data []byte
}

var _ Completer = (*Shim6)(nil)

var shim6Protocol = Protocol{
	Name:  "Shim6",
	New:   New[Shim6],
	Clone: cloneShim6,
	Index: indexShim6,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoShim6)}},
	Fields: []Field{
		{"NextHeader", extOffNextHeader * 8, 8},
		{"HdrExtLen", extOffLen * 8, 8},
		{"IsPayload", shim6OffType * 8, 1},
		{"Type", shim6OffType*8 + 1, 7},
		{"Specific", shim6OffSpecific * 8, 8},
		{"Checksum", shim6OffChecksum * 8, 16},
		{"Data", shim6OffData * 8, 0},
	},
	kind: kindShim6,
}

// Proto returns the descriptor of Shim6.
func (*Shim6) Proto() *Protocol { return &shim6Protocol }

func cloneShim6(l Layer) Layer {
	c := *l.(*Shim6)
	c.Data = slices.Clone(c.Data)
	return &c
}

func indexShim6(b []byte, r *Registry) (Span, error) { return indexExt("Shim6", b, r) }

// Decode fills l from the header at the start of b, a multiple of 8 bytes.
func (l *Shim6) Decode(b []byte) (int, error) {
	n, err := extLen("Shim6", b)
	if err != nil {
		return 0, err
	}
	v := Shim6View(b)
	*l = Shim6{NextHeader: Seen(v.NextHeader()), HdrExtLen: Seen(v.HdrExtLen()), IsPayload: v.IsPayload()}
	if l.IsPayload {
		l.ContextTag = v.ContextTag()
		l.Data = b[IPv6ExtMinLen:n:n]
		return n, nil
	}
	l.Type = v.Type()
	l.Specific = v.Specific()
	l.Checksum = Seen(v.Checksum())
	l.Data = b[shim6OffData:n:n]
	return n, nil
}

// AppendBinary appends the header to b.
func (l *Shim6) AppendBinary(b []byte) ([]byte, error) {
	n := shim6OffData + len(l.Data)
	if l.IsPayload {
		n = IPv6ExtMinLen + len(l.Data)
	}
	switch {
	case n > IPv6ExtMaxLen:
		return b, TooLong("Shim6", "Data", len(l.Data), IPv6ExtMaxLen-(n-len(l.Data)))
	case l.ContextTag >= 1<<shim6PayloadTagBits:
		return b, &EncodeError{Layer: "Shim6", Field: "ContextTag", Reason: "more than 47 bits", Err: ErrTooLong}
	case l.Type > 0x7f:
		return b, TooLong("Shim6", "Type", int(l.Type), 0x7f)
	}
	b = appendExt(b, l.NextHeader, l.HdrExtLen, n)
	if l.IsPayload {
		tag := l.ContextTag | 1<<shim6PayloadTagBits
		b = binary.BigEndian.AppendUint16(b, uint16(tag>>32))
		b = binary.BigEndian.AppendUint32(b, uint32(tag))
	} else {
		b = append(b, uint8(l.Type), l.Specific)
		b = binary.BigEndian.AppendUint16(b, l.Checksum.value)
	}
	return appendZeros(append(b, l.Data...), -n&7), nil
}

// Complete computes NextHeader, HdrExtLen and Checksum.
func (l *Shim6) Complete(c *Completion) error {
	completeExt(c, l.NextHeader.mode, "HdrExtLen", l.HdrExtLen.mode)
	h := c.Header()
	if h[shim6OffType]&0x80 == 0 && c.Wants("Checksum", shim6OffChecksum, l.Checksum.mode) {
		c.PutUint16(^checksum.Sum(h[shim6OffData:], checksum.Sum(h[:shim6OffChecksum], 0)))
	}
	return nil
}

// Shim6View is a Shim6 header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not. The
// setters keep the checksum of a control message as right, or as wrong, as it
// was.
type Shim6View []byte

// Proto returns the descriptor of Shim6.
func (Shim6View) Proto() *Protocol { return &shim6Protocol }

func (v Shim6View) NextHeader() IPProto { return IPProto(v[extOffNextHeader]) }
func (v Shim6View) HdrExtLen() uint8    { return v[extOffLen] }
func (v Shim6View) HeaderLen() int      { return (int(v[extOffLen]) + 1) * 8 } // bytes
func (v Shim6View) IsPayload() bool     { return v[shim6OffType]&0x80 != 0 }
func (v Shim6View) ContextTag() uint64 {
	return binary.BigEndian.Uint64(v) & (1<<shim6PayloadTagBits - 1)
}
func (v Shim6View) Type() Shim6Type  { return Shim6Type(v[shim6OffType] & 0x7f) }
func (v Shim6View) Specific() uint8  { return v[shim6OffSpecific] }
func (v Shim6View) Checksum() uint16 { return binary.BigEndian.Uint16(v[shim6OffChecksum:]) }
func (v Shim6View) Payload() []byte  { return v[v.HeaderLen():] }

func (v Shim6View) set(off int, w uint16) {
	if v.IsPayload() {
		binary.BigEndian.PutUint16(v[off:], w)
		return
	}
	setSummed16(v, shim6OffChecksum, off, w)
}

func (v Shim6View) SetNextHeader(p IPProto) {
	v.set(extOffNextHeader, uint16(p)<<8|uint16(v[extOffLen]))
}

// SetContextTag sets the low 47 bits of tag. It is for payload headers.
func (v Shim6View) SetContextTag(tag uint64) {
	const mask = 1<<shim6PayloadTagBits - 1
	binary.BigEndian.PutUint64(v, binary.BigEndian.Uint64(v)&^mask|tag&mask)
}

// SetType sets the low 7 bits of t, SetSpecific the type-specific byte and
// SetChecksum the checksum. They are for control messages.
func (v Shim6View) SetType(t Shim6Type) {
	v.set(shim6OffType, uint16(v[shim6OffType]&0x80|uint8(t)&0x7f)<<8|uint16(v[shim6OffSpecific]))
}
func (v Shim6View) SetSpecific(s uint8) {
	v.set(shim6OffType, uint16(v[shim6OffType])<<8|uint16(s))
}
func (v Shim6View) SetChecksum(sum uint16) { binary.BigEndian.PutUint16(v[shim6OffChecksum:], sum) }
