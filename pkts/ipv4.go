package pkts

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/common/link"
)

const (
	ipv4OffVersion  = 0
	ipv4OffTOS      = 1
	ipv4OffLength   = 2
	ipv4OffID       = 4
	ipv4OffFragment = 6
	ipv4OffTTL      = 8
	ipv4OffProtocol = 9
	ipv4OffChecksum = 10
	ipv4OffSrc      = 12
	ipv4OffDst      = 16
)

const (
	// IPv4MinLen is the length of an IPv4 header without options, in bytes.
	IPv4MinLen = 20
	// IPv4MaxLen is the longest header that the 4-bit IHL describes.
	IPv4MaxLen = 60
)

// IPv4Flags are the three flag bits of an IPv4 header, RFC 791, section 3.1.
type IPv4Flags uint8

const (
	IPv4MoreFragments IPv4Flags = 1 << iota // another fragment follows
	IPv4DontFragment                        // routers must not fragment
	IPv4Reserved                            // RFC 791: must be zero (RFC 3514 jests otherwise)
)

// Has reports whether all bits of x are set.
func (f IPv4Flags) Has(x IPv4Flags) bool { return f&x == x }

// String returns the flags' names, such as "DF", joined by "+"; "none" for
// none.
func (f IPv4Flags) String() string {
	var s []string
	for i, name := range []string{"MF", "DF", "reserved"} {
		if f&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, "+")
}

// IPv4 is an Internet Protocol version 4 header, RFC 791, section 3.1.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version|  IHL  |   DSCP    |ECN|          Total Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Identification        |Flags|     Fragment Offset     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Time to Live |    Protocol   |        Header Checksum        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Source Address                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Destination Address                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Options                    |    Padding    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The zero value encodes with a TTL of 0: set it, 64 is usual.
type IPv4 struct {
	IHL            Auto[uint8]  // header length in words of 4 bytes, 5 to 15
	DSCP           uint8        // differentiated services code point, 6 bits, RFC 2474
	ECN            ECN          // explicit congestion notification, 2 bits, RFC 3168
	Length         Auto[uint16] // header and payload, in bytes; 0 in segmentation offload
	ID             uint16
	Flags          IPv4Flags
	FragmentOffset uint16 // in units of 8 bytes, 13 bits
	TTL            uint8
	Protocol       Auto[IPProto]
	Checksum       Auto[uint16] // of the header
	Src, Dst       netip.Addr   // IPv4 addresses; the zero Addr is 0.0.0.0
	Options        IPv4Options  // a multiple of 4 bytes; aliases the packet after decoding
}

var _ Completer = (*IPv4)(nil)

var ipv4Protocol = Protocol{
	Name:  "IPv4",
	New:   New[IPv4],
	Clone: cloneIPv4,
	Index: indexIPv4,
	At: []Selector{
		{&etherTypesTable, uint64(EtherTypeIPv4)},
		{&ipProtosTable, uint64(IPProtoIPv4)},
		{&linkTypesTable, uint64(link.TypeIPv4)},
	},
	Fields: []Field{
		{"Version", 0, 4},
		{"IHL", 4, 4},
		{"DSCP", 8, 6},
		{"ECN", 14, 2},
		{"Length", ipv4OffLength * 8, 16},
		{"ID", ipv4OffID * 8, 16},
		{"Flags", ipv4OffFragment * 8, 3},
		{"FragmentOffset", ipv4OffFragment*8 + 3, 13},
		{"TTL", ipv4OffTTL * 8, 8},
		{"Protocol", ipv4OffProtocol * 8, 8},
		{"Checksum", ipv4OffChecksum * 8, 16},
		{"Src", ipv4OffSrc * 8, 32},
		{"Dst", ipv4OffDst * 8, 32},
		{"Options", IPv4MinLen * 8, 0},
	},
	kind: kindIPv4,
}

// Proto returns the descriptor of IPv4.
func (*IPv4) Proto() *Protocol { return &ipv4Protocol }

func cloneIPv4(l Layer) Layer {
	c := *l.(*IPv4)
	c.Options = slices.Clone(c.Options)
	return &c
}

func indexIPv4(b []byte, r *Registry) (Span, error) {
	v := IPv4View(b)
	n := v.header()
	if n == 0 {
		return Span{}, v.problem()
	}
	length := int(v.Length())
	s := Span{Header: n, Payload: length - n, Flags: SpanWhole}
	if uint(length-n) > uint(len(b)-n) {
		s.Payload = len(b) - n
		switch {
		case length == 0: // the device cuts the frame into segments
			s.Flags = 0
		case length < n: // nothing says what this is
			s.Flags = SpanTruncated
			return s, nil
		default:
			s.Flags = SpanTruncated
		}
	}
	fragment := binary.BigEndian.Uint16(b[ipv4OffFragment:])
	if fragment&(uint16(IPv4MoreFragments)<<13|0x1fff) != 0 {
		s.Flags |= SpanFragment
		if fragment&0x1fff != 0 {
			return s, nil
		}
	}
	s.Next = r.ipProto(IPProto(b[ipv4OffProtocol]))
	return s, nil
}

// header returns the length of the header, 0 if there is none: then problem
// says why. It is apart so that it can be inlined.
func (v IPv4View) header() int {
	if len(v) < IPv4MinLen || v[ipv4OffVersion]>>4 != 4 {
		return 0
	}
	n := int(v[ipv4OffVersion]&0xf) * 4
	if n < IPv4MinLen || n > len(v) {
		return 0
	}
	return n
}

func (v IPv4View) problem() error {
	switch {
	case len(v) < IPv4MinLen:
		return Truncated("IPv4", IPv4MinLen, len(v))
	case v[ipv4OffVersion]>>4 != 4:
		return Malformed("IPv4", "the version is not 4")
	case v.HeaderLen() < IPv4MinLen:
		return Malformed("IPv4", "IHL is below 5")
	default:
		return Truncated("IPv4", v.HeaderLen(), len(v))
	}
}

// Decode fills l from the header at the start of b, 20 to 60 bytes.
func (l *IPv4) Decode(b []byte) (int, error) {
	v := IPv4View(b)
	if len(v) < IPv4MinLen {
		return 0, v.problem()
	}
	n := v.HeaderLen()
	if v[ipv4OffVersion]>>4 != 4 || n < IPv4MinLen || n > len(v) {
		return 0, v.problem()
	}
	l.set((*[IPv4MinLen]byte)(v))
	if n > IPv4MinLen {
		l.Options = IPv4Options(b[IPv4MinLen:n:n])
	}
	return n, nil
}

// set is Decode for a header without options that is there, and returns l: see
// [IPv6.set].
func (l *IPv4) set(b *[IPv4MinLen]byte) *IPv4 {
	v := IPv4View(b[:])
	src, dst, options := v.Src(), v.Dst(), IPv4Options(b[IPv4MinLen:])
	l.Src, l.Dst, l.Options = src, dst, options
	fragment := be16(v, ipv4OffFragment)
	l.IHL = Seen(v[ipv4OffVersion] & 0xf)
	l.DSCP = v.DSCP()
	l.ECN = v.ECN()
	l.Length = Seen(v.Length())
	l.ID = v.ID()
	l.Flags = IPv4Flags(fragment >> 13)
	l.FragmentOffset = fragment & 0x1fff
	l.TTL = v.TTL()
	l.Protocol = Seen(v.Protocol())
	l.Checksum = Seen(v.Checksum())
	return l
}

// AppendBinary appends the header to b.
func (l *IPv4) AppendBinary(b []byte) ([]byte, error) {
	ihl := l.IHL.value
	if l.IHL.mode == ModeAuto {
		ihl = uint8((IPv4MinLen + len(l.Options)) / 4)
	}
	switch {
	case len(l.Options) > IPv4MaxLen-IPv4MinLen:
		return b, TooLong("IPv4", "Options", len(l.Options), IPv4MaxLen-IPv4MinLen)
	case len(l.Options)%4 != 0:
		return b, &EncodeError{Layer: "IPv4", Field: "Options", Reason: "not a multiple of 4 bytes: pad with 0", Err: ErrMalformed}
	case ihl > 0xf:
		return b, TooLong("IPv4", "IHL", int(ihl), 0xf)
	case l.DSCP > 0x3f:
		return b, TooLong("IPv4", "DSCP", int(l.DSCP), 0x3f)
	case l.ECN > 3:
		return b, TooLong("IPv4", "ECN", int(l.ECN), 3)
	case l.Flags > 7:
		return b, TooLong("IPv4", "Flags", int(l.Flags), 7)
	case l.FragmentOffset > 0x1fff:
		return b, TooLong("IPv4", "FragmentOffset", int(l.FragmentOffset), 0x1fff)
	}
	src, ok := addr4(l.Src)
	if !ok {
		return b, wrongAddr("IPv4", "Src", l.Src)
	}
	dst, ok := addr4(l.Dst)
	if !ok {
		return b, wrongAddr("IPv4", "Dst", l.Dst)
	}
	b, v := extend[IPv4View](b, IPv4MinLen)
	v[ipv4OffVersion] = 4<<4 | ihl
	v[ipv4OffTOS] = l.DSCP<<2 | uint8(l.ECN)
	binary.BigEndian.PutUint16(v[ipv4OffLength:], l.Length.value)
	binary.BigEndian.PutUint16(v[ipv4OffID:], l.ID)
	binary.BigEndian.PutUint16(v[ipv4OffFragment:], uint16(l.Flags)<<13|l.FragmentOffset)
	v[ipv4OffTTL] = l.TTL
	v[ipv4OffProtocol] = uint8(l.Protocol.value)
	binary.BigEndian.PutUint16(v[ipv4OffChecksum:], l.Checksum.value)
	copy(v[ipv4OffSrc:ipv4OffDst], src[:])
	copy(v[ipv4OffDst:], dst[:])
	return append(b, l.Options...), nil
}

// addr4 returns the bytes of an IPv4 address, zeros for the zero Addr.
func addr4(a netip.Addr) ([4]byte, bool) {
	switch {
	case a.Is4():
		return a.As4(), true
	case !a.IsValid():
		return [4]byte{}, true
	case a.Is4In6():
		return a.Unmap().As4(), true
	default:
		return [4]byte{}, false
	}
}

// wrongAddr is the error for an address of the other family.
func wrongAddr(layer, field string, a netip.Addr) error {
	return &EncodeError{Layer: layer, Field: field, Reason: a.String() + " is an address of another family", Err: ErrMalformed}
}

// Complete computes IHL, Length, Protocol and Checksum.
func (l *IPv4) Complete(c *Completion) error {
	h := c.Header()
	if l.IHL.mode != ModeAuto && c.Wants("IHL", ipv4OffVersion, l.IHL.mode) {
		c.PutUint8(4<<4 | uint8(len(h)/4))
	}
	if c.Wants("Length", ipv4OffLength, l.Length.mode) {
		if err := c.PutLength(c.Len()); err != nil {
			return err
		}
	}
	if c.Wants("Protocol", ipv4OffProtocol, l.Protocol.mode) {
		c.PutUint8(uint8(c.Number(&ipProtosTable, uint64(h[ipv4OffProtocol]), uint64(IPProtoExperiment))))
	}
	if c.Wants("Checksum", ipv4OffChecksum, l.Checksum.mode) {
		c.PutUint16(c.HeaderChecksum())
	}
	return nil
}

// appendCommon appends the header of a packet that carries n bytes of proto, and
// returns the sum of their pseudo-header as well: [Packet.appendCommon].
func (l *IPv4) appendCommon(b []byte, proto IPProto, n int) (_ []byte, pseudo uint16, ok bool) {
	if len(l.Options) > 0 || IPv4MinLen+n > 0xffff || l.IHL.mode|l.Length.mode|l.Protocol.mode|l.Checksum.mode != ModeAuto {
		return b, 0, false
	}
	b, err := l.AppendBinary(b)
	if err != nil {
		return b, 0, false
	}
	v := IPv4View(b[len(b)-IPv4MinLen:])
	binary.BigEndian.PutUint16(v[ipv4OffLength:], uint16(IPv4MinLen+n))
	v[ipv4OffProtocol] = uint8(proto)
	v.SetChecksum(checksum.Internet(v, 0))
	return b, checksum.PseudoIPv4Bytes(v[ipv4OffSrc:], uint8(proto), n), true
}

// IPv4View is an IPv4 header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not. The
// setters keep the header checksum as right, or as wrong, as it was.
type IPv4View []byte

// Proto returns the descriptor of IPv4.
func (IPv4View) Proto() *Protocol { return &ipv4Protocol }

func (v IPv4View) HeaderLen() int { return int(v[ipv4OffVersion]&0xf) * 4 } // bytes
func (v IPv4View) DSCP() uint8    { return v[ipv4OffTOS] >> 2 }
func (v IPv4View) ECN() ECN       { return ECN(v[ipv4OffTOS] & 3) }
func (v IPv4View) Length() uint16 { return be16(v, ipv4OffLength) }
func (v IPv4View) ID() uint16     { return be16(v, ipv4OffID) }
func (v IPv4View) Flags() IPv4Flags {
	return IPv4Flags(v[ipv4OffFragment] >> 5)
}
func (v IPv4View) FragmentOffset() uint16 {
	return be16(v, ipv4OffFragment) & 0x1fff
}
func (v IPv4View) isFragment() bool {
	return be16(v, ipv4OffFragment)&(uint16(IPv4MoreFragments)<<13|0x1fff) != 0
}
func (v IPv4View) TTL() uint8           { return v[ipv4OffTTL] }
func (v IPv4View) Protocol() IPProto    { return IPProto(v[ipv4OffProtocol]) }
func (v IPv4View) Checksum() uint16     { return be16(v, ipv4OffChecksum) }
func (v IPv4View) Src() netip.Addr      { return netip.AddrFrom4([4]byte(v[ipv4OffSrc:])) }
func (v IPv4View) Dst() netip.Addr      { return netip.AddrFrom4([4]byte(v[ipv4OffDst:])) }
func (v IPv4View) Options() IPv4Options { return IPv4Options(v[IPv4MinLen:v.HeaderLen()]) }

// SrcBytes and DstBytes return the addresses in place, 4 bytes.
func (v IPv4View) SrcBytes() []byte { return v[ipv4OffSrc:ipv4OffDst:ipv4OffDst] }
func (v IPv4View) DstBytes() []byte { return v[ipv4OffDst : ipv4OffDst+4 : ipv4OffDst+4] }

func (v IPv4View) Payload() []byte { return v[v.HeaderLen():] }

// SetDSCP sets the low 6 bits of d, and SetECN the low 2 bits of e.
func (v IPv4View) SetDSCP(d uint8) { v.set8(ipv4OffTOS, d<<2|v[ipv4OffTOS]&3) }
func (v IPv4View) SetECN(e ECN)    { v.set8(ipv4OffTOS, v[ipv4OffTOS]&^3|uint8(e)&3) }

func (v IPv4View) SetLength(n uint16) { setSummed16(v, ipv4OffChecksum, ipv4OffLength, n) }
func (v IPv4View) SetID(id uint16)    { setSummed16(v, ipv4OffChecksum, ipv4OffID, id) }

// SetFlags sets the low 3 bits of f, and SetFragmentOffset the low 13 bits of
// n, which counts units of 8 bytes.
func (v IPv4View) SetFlags(f IPv4Flags) {
	setSummed16(v, ipv4OffChecksum, ipv4OffFragment, v.FragmentOffset()|uint16(f)<<13)
}
func (v IPv4View) SetFragmentOffset(n uint16) {
	setSummed16(v, ipv4OffChecksum, ipv4OffFragment, uint16(v.Flags())<<13|n&0x1fff)
}
func (v IPv4View) SetTTL(ttl uint8)       { v.set8(ipv4OffTTL, ttl) }
func (v IPv4View) SetProtocol(p IPProto)  { v.set8(ipv4OffProtocol, uint8(p)) }
func (v IPv4View) SetChecksum(sum uint16) { binary.BigEndian.PutUint16(v[ipv4OffChecksum:], sum) }

// SetSrc and SetDst set an address, which must be IPv4. The checksum of a TCP
// or UDP header, which covers it too, is not touched: see [AdjustChecksum].
func (v IPv4View) SetSrc(a netip.Addr) { v.set4(ipv4OffSrc, a.As4()) }
func (v IPv4View) SetDst(a netip.Addr) { v.set4(ipv4OffDst, a.As4()) }

func (v IPv4View) set4(off int, a [4]byte) { setSummed(v, ipv4OffChecksum, off, a[:]) }

// set8 sets one byte by way of the 16 bits that the checksum counts it in.
func (v IPv4View) set8(off int, b uint8) {
	word := off &^ 1
	w := binary.BigEndian.Uint16(v[word:])
	if off == word {
		w = w&0xff | uint16(b)<<8
	} else {
		w = w&^0xff | uint16(b)
	}
	setSummed16(v, ipv4OffChecksum, word, w)
}
