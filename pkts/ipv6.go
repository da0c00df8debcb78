package pkts

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/common/link"
)

const (
	ipv6OffVersion    = 0 // version, traffic class and flow label
	ipv6OffLength     = 4
	ipv6OffNextHeader = 6
	ipv6OffHopLimit   = 7
	ipv6OffSrc        = 8
	ipv6OffDst        = 24
)

// IPv6Len is the length of an IPv6 header without extension headers, in bytes.
const IPv6Len = 40

// IPv6 is an Internet Protocol version 6 header, RFC 8200, section 3.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Traffic Class |           Flow Label                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                         Source Address                        +
//	|                           (16 bytes)                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                      Destination Address                      +
//	|                           (16 bytes)                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Extension headers are layers of their own. The zero value encodes with a hop
// limit of 0: set it, 64 is usual.
type IPv6 struct {
	DSCP          uint8        // differentiated services code point, 6 bits, RFC 2474
	ECN           ECN          // explicit congestion notification, 2 bits, RFC 3168
	FlowLabel     uint32       // 20 bits
	PayloadLength Auto[uint16] // of what follows this header, in bytes; 0 in a jumbogram, RFC 2675
	NextHeader    Auto[IPProto]
	HopLimit      uint8
	Src, Dst      netip.Addr // IPv6 addresses without a zone; the zero Addr is ::
}

var _ Completer = (*IPv6)(nil)

var ipv6Protocol = Protocol{
	Name:  "IPv6",
	New:   New[IPv6],
	Clone: Clone[IPv6],
	Index: indexIPv6,
	At: []Selector{
		{&etherTypesTable, uint64(EtherTypeIPv6)},
		{&ipProtosTable, uint64(IPProtoIPv6)},
		{&linkTypesTable, uint64(link.TypeIPv6)},
	},
	Fields: []Field{
		{"Version", 0, 4},
		{"DSCP", 4, 6},
		{"ECN", 10, 2},
		{"FlowLabel", 12, 20},
		{"PayloadLength", ipv6OffLength * 8, 16},
		{"NextHeader", ipv6OffNextHeader * 8, 8},
		{"HopLimit", ipv6OffHopLimit * 8, 8},
		{"Src", ipv6OffSrc * 8, 128},
		{"Dst", ipv6OffDst * 8, 128},
	},
	kind: kindIPv6,
}

// Proto returns the descriptor of IPv6.
func (*IPv6) Proto() *Protocol { return &ipv6Protocol }

func indexIPv6(b []byte, r *Registry) (Span, error) {
	v := IPv6View(b)
	if !v.isHeader() {
		return Span{}, v.problem()
	}
	s := Span{Header: IPv6Len, Payload: int(v.PayloadLength()), Next: r.ipProto(v.NextHeader()), Flags: SpanWhole}
	if s.Payload > len(b)-IPv6Len {
		s.Flags = SpanTruncated
		s.Payload = len(b) - IPv6Len
	}
	if v.PayloadLength() == 0 && v.NextHeader() != IPProtoNoNext {
		// A jumbogram, or a frame that the device cuts into segments.
		s.Payload = len(b) - IPv6Len
		s.Flags = 0
		if v.NextHeader() == IPProtoHopByHop {
			if n, ok := jumboLen(b[IPv6Len:]); ok && n <= s.Payload {
				s.Payload = n
			} else if ok {
				s.Flags = SpanTruncated
			}
		}
	}
	return s, nil
}

// isHeader reports whether v begins with an IPv6 header; if not, problem says
// why. It is apart so that it can be inlined.
func (v IPv6View) isHeader() bool { return len(v) >= IPv6Len && v[ipv6OffVersion]>>4 == 6 }

func (v IPv6View) problem() error {
	if len(v) < IPv6Len {
		return Truncated("IPv6", IPv6Len, len(v))
	}
	return Malformed("IPv6", "the version is not 6")
}

// Decode fills l from the header at the start of b, 40 bytes.
func (l *IPv6) Decode(b []byte) (int, error) {
	v := IPv6View(b)
	if !v.isHeader() {
		return 0, v.problem()
	}
	l.set((*[IPv6Len]byte)(v))
	return IPv6Len, nil
}

// set is Decode for a header that is there, and returns l. A pointer to an array
// takes one register and no check of bounds.
func (l *IPv6) set(b *[IPv6Len]byte) *IPv6 {
	v := IPv6View(b[:])
	l.Src, l.Dst = v.Src(), v.Dst()
	dscp, ecn, label := v.DSCP(), v.ECN(), v.FlowLabel()
	l.DSCP, l.ECN, l.FlowLabel = dscp, ecn, label
	l.PayloadLength = Seen(v.PayloadLength())
	l.NextHeader = Seen(v.NextHeader())
	l.HopLimit = v.HopLimit()
	return l
}

// AppendBinary appends the header to b.
func (l *IPv6) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case l.DSCP > 0x3f:
		return b, TooLong("IPv6", "DSCP", int(l.DSCP), 0x3f)
	case l.ECN > 3:
		return b, TooLong("IPv6", "ECN", int(l.ECN), 3)
	case l.FlowLabel > 0xfffff:
		return b, TooLong("IPv6", "FlowLabel", int(l.FlowLabel), 0xfffff)
	}
	src, ok := addr6(l.Src)
	if !ok {
		return b, wrongAddr("IPv6", "Src", l.Src)
	}
	dst, ok := addr6(l.Dst)
	if !ok {
		return b, wrongAddr("IPv6", "Dst", l.Dst)
	}
	class := uint32(l.DSCP)<<2 | uint32(l.ECN)
	b, v := extend[IPv6View](b, IPv6Len)
	binary.BigEndian.PutUint32(v[ipv6OffVersion:], 6<<28|class<<20|l.FlowLabel)
	binary.BigEndian.PutUint16(v[ipv6OffLength:], l.PayloadLength.value)
	v[ipv6OffNextHeader] = uint8(l.NextHeader.value)
	v[ipv6OffHopLimit] = l.HopLimit
	copy(v[ipv6OffSrc:ipv6OffDst], src[:])
	copy(v[ipv6OffDst:], dst[:])
	return b, nil
}

// addr6 returns the bytes of an IPv6 address, zeros for the zero Addr.
func addr6(a netip.Addr) ([16]byte, bool) {
	if !a.IsValid() {
		return [16]byte{}, true
	}
	return a.As16(), a.Is6()
}

// Complete computes PayloadLength and NextHeader. More than 65,535 bytes of
// payload need a Jumbo Payload option in an [IPv6HopByHop] header.
func (l *IPv6) Complete(c *Completion) error {
	if c.Wants("PayloadLength", ipv6OffLength, l.PayloadLength.mode) {
		n := c.Len() - IPv6Len
		if c.next() == kindHopByHop && hasJumbo(c.Payload()) {
			n = 0
		}
		if err := c.PutLength(n); err != nil {
			return err
		}
	}
	completeNextHeader(c, ipv6OffNextHeader, l.NextHeader.mode)
	return nil
}

// appendCommon appends the header of a packet that carries n bytes of proto, and
// returns the sum of their pseudo-header as well: [Packet.appendCommon].
func (l *IPv6) appendCommon(b []byte, proto IPProto, n int) (_ []byte, pseudo uint16, ok bool) {
	if n > 0xffff || l.PayloadLength.mode|l.NextHeader.mode != ModeAuto {
		return b, 0, false
	}
	b, err := l.AppendBinary(b)
	if err != nil {
		return b, 0, false
	}
	v := IPv6View(b[len(b)-IPv6Len:])
	v.SetPayloadLength(uint16(n))
	v.SetNextHeader(proto)
	return b, checksum.PseudoIPv6Bytes(v[ipv6OffSrc:], uint8(proto), n), true
}

// completeNextHeader computes the Next Header field of an IPv6 header or
// extension header.
func completeNextHeader(c *Completion, off int, m Mode) {
	completeIPProto(c, "NextHeader", off, m)
}

func completeIPProto(c *Completion, field string, off int, m Mode) {
	if !c.Wants(field, off, m) {
		return
	}
	unknown := IPProtoExperiment
	if len(c.Payload()) == 0 {
		unknown = IPProtoNoNext
	}
	c.PutUint8(uint8(c.Number(&ipProtosTable, uint64(c.Header()[off]), uint64(unknown))))
}

// IPv6View is an IPv6 header in place, with what follows it. Its methods panic
// when it is shorter than 40 bytes: those that [View] returns are not. The
// setters of addresses do not touch the checksums that cover them: see
// [AdjustChecksum].
type IPv6View []byte

// Proto returns the descriptor of IPv6.
func (IPv6View) Proto() *Protocol { return &ipv6Protocol }

// word is the version, the traffic class and the flow label.
func (v IPv6View) word() uint32 { return be32(v, ipv6OffVersion) }

func (v IPv6View) DSCP() uint8           { return uint8(v.word() >> 22 & 0x3f) }
func (v IPv6View) ECN() ECN              { return ECN(v.word() >> 20 & 3) }
func (v IPv6View) FlowLabel() uint32     { return v.word() & 0xfffff }
func (v IPv6View) PayloadLength() uint16 { return be16(v, ipv6OffLength) }
func (v IPv6View) NextHeader() IPProto   { return IPProto(v[ipv6OffNextHeader]) }
func (v IPv6View) HopLimit() uint8       { return v[ipv6OffHopLimit] }
func (v IPv6View) Src() netip.Addr       { return netip.AddrFrom16([16]byte(v[ipv6OffSrc:])) }
func (v IPv6View) Dst() netip.Addr       { return netip.AddrFrom16([16]byte(v[ipv6OffDst:])) }

// SrcBytes and DstBytes return the addresses in place, 16 bytes.
func (v IPv6View) SrcBytes() []byte { return v[ipv6OffSrc:ipv6OffDst:ipv6OffDst] }
func (v IPv6View) DstBytes() []byte { return v[ipv6OffDst : ipv6OffDst+16 : ipv6OffDst+16] }

func (v IPv6View) Payload() []byte { return v[IPv6Len:] }

func (v IPv6View) setClass(c uint8) {
	binary.BigEndian.PutUint16(v[ipv6OffVersion:], be16(v, ipv6OffVersion)&^0x0ff0|uint16(c)<<4)
}

// SetDSCP sets the low 6 bits of d, and SetECN the low 2 bits of e.
func (v IPv6View) SetDSCP(d uint8) { v.setClass(d<<2 | uint8(v.ECN())) }
func (v IPv6View) SetECN(e ECN)    { v.setClass(v.DSCP()<<2 | uint8(e)&3) }

// SetFlowLabel sets the low 20 bits of l.
func (v IPv6View) SetFlowLabel(l uint32) {
	binary.BigEndian.PutUint32(v[ipv6OffVersion:], binary.BigEndian.Uint32(v[ipv6OffVersion:])&^0xfffff|l&0xfffff)
}
func (v IPv6View) SetPayloadLength(n uint16) { binary.BigEndian.PutUint16(v[ipv6OffLength:], n) }
func (v IPv6View) SetNextHeader(p IPProto)   { v[ipv6OffNextHeader] = uint8(p) }
func (v IPv6View) SetHopLimit(h uint8)       { v[ipv6OffHopLimit] = h }

// SetSrc and SetDst set an address, which must be IPv6.
func (v IPv6View) SetSrc(a netip.Addr) { a16 := a.As16(); copy(v[ipv6OffSrc:], a16[:]) }
func (v IPv6View) SetDst(a netip.Addr) { a16 := a.As16(); copy(v[ipv6OffDst:], a16[:]) }
