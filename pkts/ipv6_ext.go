package pkts

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gopkts/gopkts/common/checksum"
)

// Offsets that the headers of RFC 6564's uniform format have in common.
const (
	extOffNextHeader = 0
	extOffLen        = 1
	extOffData       = 2
)

const (
	// IPv6ExtMinLen is the length of the shortest IPv6 extension header, in
	// bytes; they grow in steps as long.
	IPv6ExtMinLen = 8
	// IPv6ExtMaxLen is the longest header that the 8-bit Hdr Ext Len
	// describes.
	IPv6ExtMaxLen = 2048
)

// extLen returns the length of the extension header at the start of b, or why
// there is none.
func extLen(layer string, b []byte) (int, error) {
	if len(b) < IPv6ExtMinLen {
		return 0, Truncated(layer, IPv6ExtMinLen, len(b))
	}
	n := (int(b[extOffLen]) + 1) * 8
	if n > len(b) {
		return 0, Truncated(layer, n, len(b))
	}
	return n, nil
}

// appendExt appends the first two bytes of an extension header of n bytes,
// which it makes a multiple of 8 by itself.
func appendExt(b []byte, next Auto[IPProto], length Auto[uint8], n int) []byte {
	words := length.value
	if length.mode == ModeAuto {
		words = uint8((n+7)/8 - 1)
	}
	return append(b, uint8(next.value), words)
}

// completeExt computes the Next Header and the length of an extension header.
func completeExt(c *Completion, next Mode, lengthField string, length Mode) {
	completeNextHeader(c, extOffNextHeader, next)
	completeExtLen(c, lengthField, length)
}

func completeExtLen(c *Completion, field string, m Mode) {
	if c.Wants(field, extOffLen, m) {
		c.PutUint8(uint8(len(c.Header())/8 - 1))
	}
}

// pseudoHeaderChecksum returns the checksum of the header of the layer at hand
// and of a pseudo-header that states the header's length: that of the protocols
// whose checksum does not cover what they carry.
func (c *Completion) pseudoHeaderChecksum(proto IPProto) (uint16, error) {
	h := c.Header()
	sum, err := c.pseudo(proto, len(h))
	if err != nil {
		return 0, err
	}
	return ^checksum.Sum(h[c.off+2:], checksum.Sum(h[:c.off], sum)), nil
}

// jumbogram reports whether the layer at hand lies in an IPv6 jumbogram.
func (c *Completion) jumbogram() bool {
	for j := c.nodes[c.i].parent; j != noNode; j = c.nodes[j].parent {
		n := &c.nodes[j]
		switch n.kind {
		case kindHopByHop:
			_, ok := IPv6Options(c.b[n.off+extOffData : n.pay()]).Jumbo()
			return ok
		case kindIPv4, kindIPv6:
			return false
		}
	}
	return false
}

// hasJumbo reports whether the Hop-by-Hop Options header at the start of b has
// a Jumbo Payload option.
func hasJumbo(b []byte) bool {
	n, err := extLen("IPv6HopByHop", b)
	if err != nil {
		return false
	}
	_, ok := IPv6Options(b[extOffData:n]).Jumbo()
	return ok
}

// jumboLen returns the length that the Jumbo Payload option of a jumbogram
// states; b begins behind the IPv6 header. Values of less than 65,536 are
// invalid, RFC 2675, section 3.
func jumboLen(b []byte) (int, bool) {
	n, err := extLen("IPv6HopByHop", b)
	if err != nil {
		return 0, false
	}
	l, ok := IPv6Options(b[extOffData:n]).Jumbo()
	if !ok || l <= 0xffff || uint64(l) > 1<<31-1 {
		return 0, false
	}
	return int(l), true
}

// IPv6HopByHop is the Hop-by-Hop Options header of IPv6, RFC 8200, section 4.3:
// what every router on the way may look at.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |  Hdr Ext Len  |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                            Options                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The length that a Jumbo Payload option states is computed as well: in a
// packet that was built when the option holds 0, in one that was decoded when
// it was right.
type IPv6HopByHop struct {
	NextHeader Auto[IPProto]
	HdrExtLen  Auto[uint8] // header length in units of 8 bytes, less one
	// Options are at most 2,046 bytes. Where they do not fill the header, Pad1
	// and PadN options are appended. They alias the packet after decoding.
	Options IPv6Options
}

var _ Completer = (*IPv6HopByHop)(nil)

var hopByHopProtocol = Protocol{
	Name:   "IPv6HopByHop",
	New:    New[IPv6HopByHop],
	Clone:  cloneIPv6HopByHop,
	Index:  indexHopByHop,
	At:     []Selector{{&ipProtosTable, uint32(IPProtoHopByHop)}},
	Fields: optionsFields(),
	kind:   kindHopByHop,
}

// optionsFields are the fields of the two headers that hold options.
func optionsFields() []Field {
	return []Field{
		{"NextHeader", extOffNextHeader * 8, 8},
		{"HdrExtLen", extOffLen * 8, 8},
		{"Options", extOffData * 8, 0},
	}
}

// Proto returns the descriptor of the Hop-by-Hop Options header.
func (*IPv6HopByHop) Proto() *Protocol { return &hopByHopProtocol }

func cloneIPv6HopByHop(l Layer) Layer {
	c := *l.(*IPv6HopByHop)
	c.Options = slices.Clone(c.Options)
	return &c
}

func indexHopByHop(b []byte, r *Registry) (Span, error) { return indexExt("IPv6HopByHop", b, r) }

// indexExt is the Index of the headers of the uniform format.
func indexExt(layer string, b []byte, r *Registry) (Span, error) {
	n, err := extLen(layer, b)
	if err != nil {
		return Span{}, err
	}
	return Span{Header: n, Payload: len(b) - n, Next: r.ipProto(IPProto(b[extOffNextHeader]))}, nil
}

// Decode fills l from the header at the start of b, a multiple of 8 bytes.
func (l *IPv6HopByHop) Decode(b []byte) (int, error) {
	n, err := extLen("IPv6HopByHop", b)
	if err != nil {
		return 0, err
	}
	v := IPv6HopByHopView(b)
	l.NextHeader = Seen(v.NextHeader())
	l.HdrExtLen = Seen(v.HdrExtLen())
	l.Options = v.Options()
	return n, nil
}

// AppendBinary appends the header to b.
func (l *IPv6HopByHop) AppendBinary(b []byte) ([]byte, error) {
	return appendOptionsHeader("IPv6HopByHop", b, l.NextHeader, l.HdrExtLen, l.Options)
}

func appendOptionsHeader(layer string, b []byte, next Auto[IPProto], length Auto[uint8], o IPv6Options) ([]byte, error) {
	n := extOffData + len(o)
	if n > IPv6ExtMaxLen {
		return b, TooLong(layer, "Options", len(o), IPv6ExtMaxLen-extOffData)
	}
	b = appendExt(b, next, length, n)
	b = append(b, o...)
	return IPv6Options(b).appendPad(-n & 7), nil
}

// Complete computes NextHeader, HdrExtLen and the length in a Jumbo Payload
// option.
func (l *IPv6HopByHop) Complete(c *Completion) error {
	completeExt(c, l.NextHeader.mode, "HdrExtLen", l.HdrExtLen.mode)
	h := c.Header()
	i, o, ok := IPv6Options(h[extOffData:]).find(IPv6OptionJumbo, 4)
	const maxOff = 64 - 4 // what Wants can tell apart
	off := extOffData + i + 2
	if !ok || off > maxOff {
		return nil
	}
	m := ModePinned
	switch {
	case l.HdrExtLen.mode == ModeSeen:
		m = ModeSeen
	case binary.BigEndian.Uint32(o.Data) == 0:
		m = ModeAuto
	}
	if c.Wants("Options", off, m) {
		c.PutUint32(uint32(c.Len()))
	}
	return nil
}

// IPv6HopByHopView is a Hop-by-Hop Options header in place, with what follows
// it. Its methods panic when it is shorter than the header: those that [View]
// returns are not.
type IPv6HopByHopView []byte

// Proto returns the descriptor of the Hop-by-Hop Options header.
func (IPv6HopByHopView) Proto() *Protocol { return &hopByHopProtocol }

func (v IPv6HopByHopView) NextHeader() IPProto { return IPProto(v[extOffNextHeader]) }
func (v IPv6HopByHopView) HdrExtLen() uint8    { return v[extOffLen] }
func (v IPv6HopByHopView) HeaderLen() int      { return (int(v[extOffLen]) + 1) * 8 } // bytes
func (v IPv6HopByHopView) Options() IPv6Options {
	return IPv6Options(v[extOffData:v.HeaderLen():v.HeaderLen()])
}
func (v IPv6HopByHopView) Payload() []byte { return v[v.HeaderLen():] }

func (v IPv6HopByHopView) SetNextHeader(p IPProto) { v[extOffNextHeader] = uint8(p) }
func (v IPv6HopByHopView) SetHdrExtLen(n uint8)    { v[extOffLen] = n }

// IPv6DestOpts is the Destination Options header of IPv6, RFC 8200, section
// 4.6: what the destination looks at, or each one that a routing header behind
// it names.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |  Hdr Ext Len  |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                            Options                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// With a Home Address option, that is the source address that checksums cover,
// RFC 6275, section 11.3.1.
type IPv6DestOpts struct {
	NextHeader Auto[IPProto]
	HdrExtLen  Auto[uint8] // header length in units of 8 bytes, less one
	// Options are at most 2,046 bytes. Where they do not fill the header, Pad1
	// and PadN options are appended. They alias the packet after decoding.
	Options IPv6Options
}

var _ Completer = (*IPv6DestOpts)(nil)

var destOptsProtocol = Protocol{
	Name:   "IPv6DestOpts",
	New:    New[IPv6DestOpts],
	Clone:  cloneIPv6DestOpts,
	Index:  indexDestOpts,
	At:     []Selector{{&ipProtosTable, uint32(IPProtoDestOpts)}},
	Fields: optionsFields(),
	kind:   kindDestOpts,
}

// Proto returns the descriptor of the Destination Options header.
func (*IPv6DestOpts) Proto() *Protocol { return &destOptsProtocol }

func cloneIPv6DestOpts(l Layer) Layer {
	c := *l.(*IPv6DestOpts)
	c.Options = slices.Clone(c.Options)
	return &c
}

func indexDestOpts(b []byte, r *Registry) (Span, error) { return indexExt("IPv6DestOpts", b, r) }

// Decode fills l from the header at the start of b, a multiple of 8 bytes.
func (l *IPv6DestOpts) Decode(b []byte) (int, error) {
	n, err := extLen("IPv6DestOpts", b)
	if err != nil {
		return 0, err
	}
	v := IPv6DestOptsView(b)
	l.NextHeader = Seen(v.NextHeader())
	l.HdrExtLen = Seen(v.HdrExtLen())
	l.Options = v.Options()
	return n, nil
}

// AppendBinary appends the header to b.
func (l *IPv6DestOpts) AppendBinary(b []byte) ([]byte, error) {
	return appendOptionsHeader("IPv6DestOpts", b, l.NextHeader, l.HdrExtLen, l.Options)
}

// Complete computes NextHeader and HdrExtLen.
func (l *IPv6DestOpts) Complete(c *Completion) error {
	completeExt(c, l.NextHeader.mode, "HdrExtLen", l.HdrExtLen.mode)
	return nil
}

// IPv6DestOptsView is a Destination Options header in place, with what follows
// it. Its methods panic when it is shorter than the header: those that [View]
// returns are not.
type IPv6DestOptsView []byte

// Proto returns the descriptor of the Destination Options header.
func (IPv6DestOptsView) Proto() *Protocol { return &destOptsProtocol }

func (v IPv6DestOptsView) NextHeader() IPProto { return IPProto(v[extOffNextHeader]) }
func (v IPv6DestOptsView) HdrExtLen() uint8    { return v[extOffLen] }
func (v IPv6DestOptsView) HeaderLen() int      { return (int(v[extOffLen]) + 1) * 8 } // bytes
func (v IPv6DestOptsView) Options() IPv6Options {
	return IPv6Options(v[extOffData:v.HeaderLen():v.HeaderLen()])
}
func (v IPv6DestOptsView) Payload() []byte { return v[v.HeaderLen():] }

func (v IPv6DestOptsView) SetNextHeader(p IPProto) { v[extOffNextHeader] = uint8(p) }
func (v IPv6DestOptsView) SetHdrExtLen(n uint8)    { v[extOffLen] = n }

const (
	fragmentOffReserved = 1
	fragmentOffFragment = 2 // offset, reserved bits and M
	fragmentOffID       = 4
)

// IPv6FragmentLen is the length of an IPv6 Fragment header, in bytes.
const IPv6FragmentLen = 8

// IPv6Fragment is the Fragment header of IPv6, RFC 8200, section 4.5.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Identification                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The payload of any fragment but the first is [Raw]. One with neither an
// offset nor M is whole, RFC 6946.
type IPv6Fragment struct {
	NextHeader     Auto[IPProto] // of the first fragment's payload
	Reserved       uint8
	FragmentOffset uint16 // in units of 8 bytes, 13 bits
	Res            uint8  // 2 reserved bits
	More           bool   // M: another fragment follows
	ID             uint32
}

var _ Completer = (*IPv6Fragment)(nil)

var fragmentProtocol = Protocol{
	Name:  "IPv6Fragment",
	New:   New[IPv6Fragment],
	Clone: Clone[IPv6Fragment],
	Index: indexFragment,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoFragment)}},
	Fields: []Field{
		{"NextHeader", extOffNextHeader * 8, 8},
		{"Reserved", fragmentOffReserved * 8, 8},
		{"FragmentOffset", fragmentOffFragment * 8, 13},
		{"Res", fragmentOffFragment*8 + 13, 2},
		{"More", fragmentOffFragment*8 + 15, 1},
		{"ID", fragmentOffID * 8, 32},
	},
	kind: kindFragment,
}

// Proto returns the descriptor of the Fragment header.
func (*IPv6Fragment) Proto() *Protocol { return &fragmentProtocol }

func indexFragment(b []byte, r *Registry) (Span, error) {
	if len(b) < IPv6FragmentLen {
		return Span{}, Truncated("IPv6Fragment", IPv6FragmentLen, len(b))
	}
	v := IPv6FragmentView(b)
	s := Span{Header: IPv6FragmentLen, Payload: len(b) - IPv6FragmentLen}
	if v.More() || v.FragmentOffset() != 0 {
		s.Flags = SpanFragment
	}
	if v.FragmentOffset() == 0 {
		s.Next = r.ipProto(v.NextHeader())
	}
	return s, nil
}

// Decode fills l from the header at the start of b, 8 bytes.
func (l *IPv6Fragment) Decode(b []byte) (int, error) {
	if len(b) < IPv6FragmentLen {
		return 0, Truncated("IPv6Fragment", IPv6FragmentLen, len(b))
	}
	v := IPv6FragmentView(b)
	l.NextHeader = Seen(v.NextHeader())
	l.Reserved = v.Reserved()
	l.FragmentOffset = v.FragmentOffset()
	l.Res = v.Res()
	l.More = v.More()
	l.ID = v.ID()
	return IPv6FragmentLen, nil
}

// AppendBinary appends the header to b.
func (l *IPv6Fragment) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case l.FragmentOffset > 0x1fff:
		return b, TooLong("IPv6Fragment", "FragmentOffset", int(l.FragmentOffset), 0x1fff)
	case l.Res > 3:
		return b, TooLong("IPv6Fragment", "Res", int(l.Res), 3)
	}
	b = append(b, uint8(l.NextHeader.value), l.Reserved)
	b = binary.BigEndian.AppendUint16(b, l.FragmentOffset<<3|uint16(l.Res)<<1|uint16(bit(l.More)))
	return binary.BigEndian.AppendUint32(b, l.ID), nil
}

// bit returns 1 for true.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// Complete computes NextHeader.
func (l *IPv6Fragment) Complete(c *Completion) error {
	completeNextHeader(c, extOffNextHeader, l.NextHeader.mode)
	return nil
}

// IPv6FragmentView is a Fragment header in place, with what follows it. Its
// methods panic when it is shorter than 8 bytes: those that [View] returns are
// not.
type IPv6FragmentView []byte

// Proto returns the descriptor of the Fragment header.
func (IPv6FragmentView) Proto() *Protocol { return &fragmentProtocol }

func (v IPv6FragmentView) word() uint16 { return binary.BigEndian.Uint16(v[fragmentOffFragment:]) }
func (v IPv6FragmentView) setWord(w uint16) {
	binary.BigEndian.PutUint16(v[fragmentOffFragment:], w)
}

func (v IPv6FragmentView) NextHeader() IPProto    { return IPProto(v[extOffNextHeader]) }
func (v IPv6FragmentView) Reserved() uint8        { return v[fragmentOffReserved] }
func (v IPv6FragmentView) FragmentOffset() uint16 { return v.word() >> 3 } // units of 8 bytes
func (v IPv6FragmentView) Res() uint8             { return uint8(v.word() >> 1 & 3) }
func (v IPv6FragmentView) More() bool             { return v.word()&1 != 0 }
func (v IPv6FragmentView) ID() uint32             { return binary.BigEndian.Uint32(v[fragmentOffID:]) }
func (v IPv6FragmentView) Payload() []byte        { return v[IPv6FragmentLen:] }

func (v IPv6FragmentView) SetNextHeader(p IPProto) { v[extOffNextHeader] = uint8(p) }
func (v IPv6FragmentView) SetReserved(r uint8)     { v[fragmentOffReserved] = r }

// SetFragmentOffset sets the low 13 bits of n, and SetRes the low 2 bits of r.
func (v IPv6FragmentView) SetFragmentOffset(n uint16) { v.setWord(v.word()&7 | n<<3) }
func (v IPv6FragmentView) SetRes(r uint8)             { v.setWord(v.word()&^6 | uint16(r)&3<<1) }
func (v IPv6FragmentView) SetMore(m bool)             { v.setWord(v.word()&^1 | uint16(bit(m))) }
func (v IPv6FragmentView) SetID(id uint32)            { binary.BigEndian.PutUint32(v[fragmentOffID:], id) }

// numbered returns the text of a number that has no name.
func numbered(what string, n int) string { return fmt.Sprintf("%s(%d)", what, n) }
