package pkts

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/common/link"
)

const (
	ethernetOffDst  = 0
	ethernetOffSrc  = 6
	ethernetOffType = 12
)

// EthernetLen is the length of an Ethernet header, in bytes.
const EthernetLen = 14

// ethernetMaxLength is the longest payload that an IEEE 802.3 length field
// states.
const ethernetMaxLength = 1500

// Ethernet is the header of an Ethernet II or IEEE 802.3 frame,
// IEEE Std 802.3-2022, clause 3.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Destination Address                      |
//	+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                         Source Address                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Type/Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Padding to the minimum frame length and a frame check sequence are neither
// added nor taken away: received ones are [Padding].
type Ethernet struct {
	Dst, Src link.MacAddr
	// Type says what follows. Up to 1500 it is the length of the payload in
	// bytes instead; it is computed as such when an [LLC] layer follows.
	Type Auto[EtherType]
}

var _ Completer = (*Ethernet)(nil)

var ethernetProtocol = Protocol{
	Name:  "Ethernet",
	New:   New[Ethernet],
	Clone: Clone[Ethernet],
	Index: indexEthernet,
	At:    []Selector{ByLinkType(link.TypeEthernet)},
	Fields: []Field{
		{"Dst", ethernetOffDst * 8, 48},
		{"Src", ethernetOffSrc * 8, 48},
		{"Type", ethernetOffType * 8, 16},
	},
	kind: kindEthernet,
}

// Proto returns the descriptor of Ethernet.
func (*Ethernet) Proto() *Protocol { return &ethernetProtocol }

func indexEthernet(b []byte, r *Registry) (Span, error) {
	if len(b) < EthernetLen {
		return Span{}, Truncated("Ethernet", EthernetLen, len(b))
	}
	t := EthernetView(b).Type()
	s := Span{Header: EthernetLen, Payload: len(b) - EthernetLen}
	if t > ethernetMaxLength {
		s.Next = r.etherType(t)
		return s, nil
	}
	s.Next = kindLLC
	if int(t) < s.Payload {
		s.Payload, s.Flags = int(t), SpanTrailer
	} else if int(t) > s.Payload {
		s.Flags = SpanTruncated
	}
	return s, nil
}

// Decode fills l from the header at the start of b, 14 bytes.
func (l *Ethernet) Decode(b []byte) (int, error) {
	if len(b) < EthernetLen {
		return 0, Truncated("Ethernet", EthernetLen, len(b))
	}
	v := EthernetView(b)
	l.Dst = v.Dst()
	l.Src = v.Src()
	l.Type = Seen(v.Type())
	return EthernetLen, nil
}

// AppendBinary appends the header to b.
func (l *Ethernet) AppendBinary(b []byte) ([]byte, error) {
	b, v := grow[EthernetView](b, EthernetLen)
	v.SetDst(l.Dst)
	v.SetSrc(l.Src)
	v.SetType(l.Type.value)
	return b, nil
}

// Complete computes Type.
func (l *Ethernet) Complete(c *Completion) error {
	return completeEtherType(c, ethernetOffType, l.Type.mode)
}

// completeEtherType computes a field that is an EtherType, or the length of
// the payload when that begins with an LLC header.
func completeEtherType(c *Completion, off int, m Mode) error {
	if !c.Wants("Type", off, m) {
		return nil
	}
	if c.next() == kindLLC {
		n := c.payloadLen()
		if n > ethernetMaxLength && !c.verifying {
			return TooLong(c.Name(), "Type", n, ethernetMaxLength)
		}
		return c.PutLength(n)
	}
	c.PutUint16(uint16(c.Number(&etherTypesTable, uint32(c.Uint16(off)), uint32(EtherTypeExperiment))))
	return nil
}

// EthernetView is an Ethernet header in place, with what follows it. Its
// methods panic when it is shorter than 14 bytes: those that [View] returns
// are not.
type EthernetView []byte

// Proto returns the descriptor of Ethernet.
func (EthernetView) Proto() *Protocol { return &ethernetProtocol }

func (v EthernetView) Dst() link.MacAddr { return link.MacAddr(v[ethernetOffDst:]) }
func (v EthernetView) Src() link.MacAddr { return link.MacAddr(v[ethernetOffSrc:]) }
func (v EthernetView) Type() EtherType {
	return EtherType(binary.BigEndian.Uint16(v[ethernetOffType:]))
}
func (v EthernetView) Payload() []byte { return v[EthernetLen:] }

func (v EthernetView) SetDst(a link.MacAddr) { copy(v[ethernetOffDst:], a[:]) }
func (v EthernetView) SetSrc(a link.MacAddr) { copy(v[ethernetOffSrc:], a[:]) }
func (v EthernetView) SetType(t EtherType) {
	binary.BigEndian.PutUint16(v[ethernetOffType:], uint16(t))
}
