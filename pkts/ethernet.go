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
	At: []Selector{
		{&linkTypesTable, uint64(link.TypeEthernet)},
		{&ipProtosTable, uint64(IPProtoEthernet)},
		{&etherTypesTable, uint64(EtherTypeBridged)},
	},
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
	s := spanEtherType(b, EthernetLen, EthernetView(b).Type(), r)
	if s.Header+s.Payload < len(b) {
		s.Flags |= SpanTrailer
	}
	return s, nil
}

// spanEtherType is what Index returns for a header of n bytes that ends in t:
// an EtherType or, up to 1500, the length of the payload. What lies between the
// two, IEEE 802.3 leaves undefined: nobody is bound to it, and it is no length.
func spanEtherType(b []byte, n int, t EtherType, r *Registry) Span {
	s := Span{Header: n, Payload: len(b) - n}
	if t > ethernetMaxLength {
		s.Next = r.etherType(t)
		return s
	}
	if int(t) < s.Payload {
		s.Payload = int(t)
	} else if int(t) > s.Payload {
		s.Flags = SpanTruncated
	}
	// Novell put IPX directly behind the length; it begins with an unused
	// checksum, which as an LLC header would go from everybody to everybody.
	if p := b[n : n+s.Payload]; len(p) < 2 || p[0] != 0xff || p[1] != 0xff {
		s.Next = kindLLC
	}
	return s
}

// Decode fills l from the header at the start of b, 14 bytes.
func (l *Ethernet) Decode(b []byte) (int, error) {
	if len(b) < EthernetLen {
		return 0, Truncated("Ethernet", EthernetLen, len(b))
	}
	l.set(EthernetView(b))
	return EthernetLen, nil
}

// set is Decode for a header that is there.
func (l *Ethernet) set(v EthernetView) {
	l.Type = Seen(v.Type())
	l.Dst = link.MacAddr(v[ethernetOffDst:])
	l.Src = link.MacAddr(v[ethernetOffSrc:])
}

// AppendBinary appends the header to b.
func (l *Ethernet) AppendBinary(b []byte) ([]byte, error) {
	b, v := extend[EthernetView](b, EthernetLen)
	v.SetDst(l.Dst)
	v.SetSrc(l.Src)
	v.SetType(l.Type.value)
	return b, nil
}

// Complete computes Type.
func (l *Ethernet) Complete(c *Completion) error {
	return completeEtherType(c, ethernetOffType, l.Type.mode)
}

// appendCommon appends the header of a frame that carries next:
// [Packet.appendCommon].
func (l *Ethernet) appendCommon(b []byte, next EtherType) ([]byte, bool) {
	if l.Type.mode != ModeAuto {
		return b, false
	}
	b, _ = l.AppendBinary(b)
	EthernetView(b[len(b)-EthernetLen:]).SetType(next)
	return b, true
}

// completeEtherType computes a field that is an EtherType, or the length of
// the payload when that begins with an LLC header, or when the received field
// was a length and nothing says what the payload is.
func completeEtherType(c *Completion, off int, m Mode) error {
	if !c.Wants("Type", off, m) {
		return nil
	}
	have := EtherType(c.Uint16(off))
	next := c.next()
	if next == kindLLC || next == KindRaw && m == ModeSeen && have <= ethernetMaxLength {
		n := c.payloadLen()
		if n > ethernetMaxLength && !c.verifying {
			return TooLong(c.Name(), "Type", n, ethernetMaxLength)
		}
		return c.PutLength(n)
	}
	c.PutUint16(uint16(c.etherType(have)))
	return nil
}

// etherType returns the EtherType of the payload. RARP has the header of ARP,
// RFC 903, and is told from it by its operation where have does not tell.
func (c *Completion) etherType(have EtherType) EtherType {
	t := EtherType(c.Number(&etherTypesTable, uint64(have), uint64(EtherTypeExperiment)))
	if t == EtherTypeARP && have != t && c.next() == kindARP {
		// Padding may stand before it.
		if b := c.Payload(); len(b) >= ARPMinLen && ARPView(b).Op().isReverse() {
			return EtherTypeRARP
		}
	}
	return t
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
	return EtherType(be16(v, ethernetOffType))
}
func (v EthernetView) Payload() []byte { return v[EthernetLen:] }

func (v EthernetView) SetDst(a link.MacAddr) { copy(v[ethernetOffDst:], a[:]) }
func (v EthernetView) SetSrc(a link.MacAddr) { copy(v[ethernetOffSrc:], a[:]) }
func (v EthernetView) SetType(t EtherType) {
	binary.BigEndian.PutUint16(v[ethernetOffType:], uint16(t))
}
