package pkts

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

const (
	routingOffType = 2
	routingOffLeft = 3
	routingOffData = 4
	routingOffAddr = 8 // of the types that list whole addresses
)

// IPv6RoutingType is the type of a routing header; the numbers are at
// https://www.iana.org/assignments/ipv6-parameters.
type IPv6RoutingType uint8

const (
	IPv6RoutingSource     IPv6RoutingType = 0 // source route, withdrawn by RFC 5095
	IPv6RoutingNimrod     IPv6RoutingType = 1 // withdrawn
	IPv6RoutingMobile     IPv6RoutingType = 2 // to a mobile node, RFC 6275
	IPv6RoutingRPL        IPv6RoutingType = 3 // source route in a low-power network, RFC 6554
	IPv6RoutingSegments   IPv6RoutingType = 4 // SRv6, RFC 8754
	IPv6RoutingCRH16      IPv6RoutingType = 5 // compact, of 16 bits, RFC 9631
	IPv6RoutingCRH32      IPv6RoutingType = 6 // compact, of 32 bits, RFC 9631
	IPv6RoutingExperiment IPv6RoutingType = 253
)

// String returns the type's name, or the number.
func (t IPv6RoutingType) String() string {
	switch t {
	case IPv6RoutingSource:
		return "source route"
	case IPv6RoutingNimrod:
		return "Nimrod"
	case IPv6RoutingMobile:
		return "mobile"
	case IPv6RoutingRPL:
		return "RPL"
	case IPv6RoutingSegments:
		return "SRv6"
	case IPv6RoutingCRH16:
		return "CRH-16"
	case IPv6RoutingCRH32:
		return "CRH-32"
	case IPv6RoutingExperiment, IPv6RoutingExperiment + 1:
		return "experimental"
	default:
		return numbered("IPv6RoutingType", int(t))
	}
}

// IPv6Routing is a Routing header of IPv6, RFC 8200, section 4.4.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Next Header  |  Hdr Ext Len  |  Routing Type | Segments Left |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       type-specific data                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// While there are segments left, checksums cover the address at the end of the
// route instead of the one in the IPv6 header.
type IPv6Routing struct {
	NextHeader   Auto[IPProto]
	HdrExtLen    Auto[uint8] // header length in units of 8 bytes, less one
	Type         IPv6RoutingType
	SegmentsLeft uint8 // how many of the listed nodes are still to be visited
	// Data is at most 2,044 bytes; zeros are appended where it does not fill
	// the header. [IPv6Routing.Addresses], [IPv6Routing.SRv6] and
	// [IPv6Routing.RPL] read it, [SRv6.AppendBinary] and the like make it. It
	// aliases the packet after decoding.
	Data []byte
}

var _ Completer = (*IPv6Routing)(nil)

var routingProtocol = Protocol{
	Name:  "IPv6Routing",
	New:   New[IPv6Routing],
	Clone: cloneIPv6Routing,
	Index: indexRouting,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoRouting)}},
	Fields: []Field{
		{"NextHeader", extOffNextHeader * 8, 8},
		{"HdrExtLen", extOffLen * 8, 8},
		{"Type", routingOffType * 8, 8},
		{"SegmentsLeft", routingOffLeft * 8, 8},
		{"Data", routingOffData * 8, 0},
	},
	kind: kindRouting,
}

// Proto returns the descriptor of the Routing header.
func (*IPv6Routing) Proto() *Protocol { return &routingProtocol }

func cloneIPv6Routing(l Layer) Layer {
	c := *l.(*IPv6Routing)
	c.Data = slices.Clone(c.Data)
	return &c
}

func indexRouting(b []byte, r *Registry) (Span, error) { return indexExt("IPv6Routing", b, r) }

// Decode fills l from the header at the start of b, a multiple of 8 bytes.
func (l *IPv6Routing) Decode(b []byte) (int, error) {
	n, err := extLen("IPv6Routing", b)
	if err != nil {
		return 0, err
	}
	v := IPv6RoutingView(b)
	l.NextHeader = Seen(v.NextHeader())
	l.HdrExtLen = Seen(v.HdrExtLen())
	l.Type = v.Type()
	l.SegmentsLeft = v.SegmentsLeft()
	l.Data = v.Data()
	return n, nil
}

// AppendBinary appends the header to b.
func (l *IPv6Routing) AppendBinary(b []byte) ([]byte, error) {
	n := routingOffData + len(l.Data)
	if n > IPv6ExtMaxLen {
		return b, TooLong("IPv6Routing", "Data", len(l.Data), IPv6ExtMaxLen-routingOffData)
	}
	b = appendExt(b, l.NextHeader, l.HdrExtLen, n)
	b = append(b, uint8(l.Type), l.SegmentsLeft)
	return appendZeros(append(b, l.Data...), -n&7), nil
}

// appendZeros appends n zeros.
func appendZeros(b []byte, n int) []byte {
	for range n {
		b = append(b, 0)
	}
	return b
}

// Complete computes NextHeader and HdrExtLen.
func (l *IPv6Routing) Complete(c *Completion) error {
	completeExt(c, l.NextHeader.mode, "HdrExtLen", l.HdrExtLen.mode)
	return nil
}

// Addresses yields the addresses of a header of type 0, 2 or 4, in the order in
// which they are listed; none for another type. Those of type 4 are listed
// backwards: the last node of the route is first.
func (l *IPv6Routing) Addresses() iter.Seq2[int, netip.Addr] {
	return func(yield func(int, netip.Addr) bool) { routingAddrs(l.Type, l.Data, yield) }
}

func routingAddrs(t IPv6RoutingType, data []byte, yield func(int, netip.Addr) bool) {
	a := routingAddrBytes(t, data)
	for i := 0; i*16+16 <= len(a); i++ {
		if !yield(i, netip.AddrFrom16([16]byte(a[i*16:]))) {
			return
		}
	}
}

// routingAddrBytes returns the whole addresses in the type-specific data.
func routingAddrBytes(t IPv6RoutingType, data []byte) []byte {
	const off = routingOffAddr - routingOffData
	if len(data) < off {
		return nil
	}
	a := data[off:]
	switch t {
	case IPv6RoutingSource:
		return a[:len(a)&^15]
	case IPv6RoutingMobile:
		return a[:min(16, len(a)&^15)]
	case IPv6RoutingSegments:
		return a[:min(16*(int(data[0])+1), len(a)&^15)]
	default:
		return nil
	}
}

// AppendIPv6Addrs appends to b the data of a routing header of type 0, or of
// type 2 with its one address: 4 reserved bytes and the addresses. It refuses
// an address that is not IPv6 with an [*EncodeError].
func AppendIPv6Addrs(b []byte, addrs ...netip.Addr) ([]byte, error) {
	out := append(b, 0, 0, 0, 0)
	for _, a := range addrs {
		x, ok := addr6(a)
		if !ok {
			return b, wrongAddr("IPv6Routing", "Data", a)
		}
		out = append(out, x[:]...)
	}
	return out, nil
}

// SRv6 is the type-specific data of a segment routing header, RFC 8754, section
// 2.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Last Entry   |     Flags     |              Tag              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Segment List[0] (16 bytes) ... Segment List[n]         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         TLVs, optional                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type SRv6 struct {
	LastEntry Auto[uint8] // index of the last element of the list
	Flags     uint8
	Tag       uint16   // marks packets of the same group
	Segments  Segments // the last one to visit comes first
	TLVs      SRv6TLVs // aliases the packet after decoding
}

// Segments are IPv6 addresses of 16 bytes each, as they are encoded.
type Segments []byte

// Len returns how many there are, and At the i-th.
func (s Segments) Len() int            { return len(s) / 16 }
func (s Segments) At(i int) netip.Addr { return netip.AddrFrom16([16]byte(s[i*16 : i*16+16])) }

// Append appends addresses. It refuses one that is not IPv6 with an
// [*EncodeError].
func (s Segments) Append(addrs ...netip.Addr) (Segments, error) {
	out := s
	for _, a := range addrs {
		x, ok := addr6(a)
		if !ok {
			return s, wrongAddr("SRv6", "Segments", a)
		}
		out = append(out, x[:]...)
	}
	return out, nil
}

// SRv6 returns the data of a header of type 4; false for another type, or when
// the data ends within the segment list. It aliases l.
func (l *IPv6Routing) SRv6() (SRv6, bool) {
	if l.Type != IPv6RoutingSegments || len(l.Data) < 4 {
		return SRv6{}, false
	}
	d := l.Data
	end := 4 + 16*(int(d[0])+1)
	if end > len(d) {
		return SRv6{}, false
	}
	return SRv6{
		LastEntry: Seen(d[0]),
		Flags:     d[1],
		Tag:       binary.BigEndian.Uint16(d[2:]),
		Segments:  Segments(d[4:end:end]),
		TLVs:      SRv6TLVs(d[end:]),
	}, true
}

// AppendBinary appends the data of a header of type 4 to b.
func (s SRv6) AppendBinary(b []byte) ([]byte, error) {
	last := s.LastEntry.value
	switch {
	case len(s.Segments)%16 != 0 || len(s.Segments) == 0:
		return b, &EncodeError{Layer: "SRv6", Field: "Segments", Reason: "not one or more addresses of 16 bytes: use Segments.Append", Err: ErrMalformed}
	case len(s.Segments)+len(s.TLVs) > IPv6ExtMaxLen-routingOffAddr:
		return b, TooLong("SRv6", "Segments", len(s.Segments)+len(s.TLVs), IPv6ExtMaxLen-routingOffAddr)
	case s.LastEntry.mode == ModeAuto:
		last = uint8(s.Segments.Len() - 1)
	}
	b = binary.BigEndian.AppendUint16(append(b, last, s.Flags), s.Tag)
	return append(append(b, s.Segments...), s.TLVs...), nil
}

// SRv6TLVType is the type of a TLV in a segment routing header; the numbers are
// at https://www.iana.org/assignments/ipv6-parameters.
type SRv6TLVType uint8

const (
	SRv6Pad1        SRv6TLVType = 0   // one byte of padding, RFC 8754
	SRv6PadN        SRv6TLVType = 4   // more bytes of padding, RFC 8754
	SRv6HMAC        SRv6TLVType = 5   // keyed hash, RFC 8754
	SRv6Experiment1 SRv6TLVType = 124 // to 126, variable in length, RFC 8754
	SRv6Experiment2 SRv6TLVType = 252 // to 254, RFC 8754
)

// String returns "Pad1", "PadN", "HMAC", "experimental" or the number.
func (t SRv6TLVType) String() string {
	switch {
	case t == SRv6Pad1:
		return "Pad1"
	case t == SRv6PadN:
		return "PadN"
	case t == SRv6HMAC:
		return "HMAC"
	case t >= SRv6Experiment1 && t < SRv6Experiment1+3, t >= SRv6Experiment2 && t < SRv6Experiment2+3:
		return "experimental"
	default:
		return numbered("SRv6TLVType", int(t))
	}
}

// SRv6TLV is one TLV. Its data aliases what it comes from.
type SRv6TLV struct {
	Type SRv6TLVType
	Data []byte // without type and length; nil for Pad1
}

// SRv6TLVs are the TLVs behind the segment list as they are encoded.
type SRv6TLVs []byte

// All yields the TLVs, padding included, with their offsets in bytes. It ends
// before one that is cut off, which [SRv6TLVs.Err] reports.
func (o SRv6TLVs) All() iter.Seq2[int, SRv6TLV] {
	return func(yield func(int, SRv6TLV) bool) {
		for i, opt := range IPv6Options(o).All() { // the same format, with one type for padding of one byte
			if !yield(i, SRv6TLV{SRv6TLVType(opt.Type), opt.Data}) {
				return
			}
		}
	}
}

// Err returns nil when the TLVs can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the one begins that is cut off.
func (o SRv6TLVs) Err() error { return IPv6Options(o).Err() }

// Append appends a TLV. Data of more than 255 bytes is refused with an
// [*EncodeError]. All TLVs together are a multiple of 8 bytes.
func (o SRv6TLVs) Append(t SRv6TLVType, data []byte) (SRv6TLVs, error) {
	if len(data) > ipv6OptionMaxData {
		return o, TooLong("SRv6", t.String(), len(data), ipv6OptionMaxData)
	}
	x, err := IPv6Options(o).Append(IPv6OptionType(t), data)
	return SRv6TLVs(x), err
}

// HMAC returns the keyed hash of the header, RFC 8754, section 2.1.2: whether
// it covers the destination address (the D bit is not set), the number of the
// key and the hash. hash aliases o.
func (o SRv6TLVs) HMAC() (coversDst bool, keyID uint32, hash []byte, ok bool) {
	_, opt, ok := IPv6Options(o).find(IPv6OptionType(SRv6HMAC), 6)
	if !ok {
		return false, 0, nil, false
	}
	return opt.Data[0]&0x80 == 0, binary.BigEndian.Uint32(opt.Data[2:]), opt.Data[6:], true
}

// RPLRoute is the type-specific data of a source route in a low-power network,
// RFC 6554, section 3.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| CmprI | CmprE |  Pad  |               Reserved                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Addresses[1..n]                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// An address is shortened by the first bytes that it shares with the
// destination address in the IPv6 header.
type RPLRoute struct {
	CmprI     uint8  // bytes left out of all addresses but the last, 4 bits
	CmprE     uint8  // bytes left out of the last address, 4 bits
	Pad       uint8  // bytes of padding behind the addresses, 4 bits
	Reserved  uint32 // 20 bits
	Addresses []byte // as encoded, with padding; aliases the packet after decoding
}

// RPL returns the data of a header of type 3; false for another type, or when
// its fields do not agree with its length. It aliases l.
func (l *IPv6Routing) RPL() (RPLRoute, bool) {
	if l.Type != IPv6RoutingRPL {
		return RPLRoute{}, false
	}
	return rplRoute(l.Data)
}

func rplRoute(d []byte) (RPLRoute, bool) {
	if len(d) < 4 {
		return RPLRoute{}, false
	}
	w := binary.BigEndian.Uint32(d)
	r := RPLRoute{uint8(w >> 28), uint8(w >> 24 & 0xf), uint8(w >> 20 & 0xf), w & 0xfffff, d[4:]}
	return r, r.Len() > 0
}

// Len returns the number of addresses, 0 when the fields do not agree with the
// length.
func (r *RPLRoute) Len() int {
	rest := len(r.Addresses) - int(r.Pad) - (16 - int(r.CmprE))
	if rest < 0 || rest%(16-int(r.CmprI)) != 0 {
		return 0
	}
	return rest/(16-int(r.CmprI)) + 1
}

// At returns the i-th address of a packet to dst, which must be IPv6.
func (r *RPLRoute) At(i int, dst netip.Addr) netip.Addr {
	return netip.AddrFrom16(r.at(i, dst.As16()))
}

func (r *RPLRoute) at(i int, a [16]byte) [16]byte {
	at := i * (16 - int(r.CmprI))
	left := int(r.CmprI)
	if i == r.Len()-1 {
		left = int(r.CmprE)
	}
	copy(a[left:], r.Addresses[at:at+16-left])
	return a
}

// AppendBinary appends the data of a header of type 3 to b.
func (r RPLRoute) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case r.CmprI > 15:
		return b, TooLong("RPLRoute", "CmprI", int(r.CmprI), 15)
	case r.CmprE > 15:
		return b, TooLong("RPLRoute", "CmprE", int(r.CmprE), 15)
	case r.Pad > 15:
		return b, TooLong("RPLRoute", "Pad", int(r.Pad), 15)
	case r.Reserved > 0xfffff:
		return b, TooLong("RPLRoute", "Reserved", int(r.Reserved), 0xfffff)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(r.CmprI)<<28|uint32(r.CmprE)<<24|uint32(r.Pad)<<20|r.Reserved)
	return append(b, r.Addresses...), nil
}

// finalDestination returns where a packet to dst goes at last by the routing
// header h; dst itself when no segments are left or the type is not known. The
// length field of h is not looked at: it may be wrong, or not computed yet.
func finalDestination(h []byte, dst [16]byte) [16]byte {
	v := IPv6RoutingView(h)
	if v.SegmentsLeft() == 0 {
		return dst
	}
	data := h[routingOffData:]
	switch t := v.Type(); t {
	case IPv6RoutingSource, IPv6RoutingMobile:
		if a := routingAddrBytes(t, data); len(a) > 0 {
			return [16]byte(a[len(a)-16:])
		}
	case IPv6RoutingSegments:
		if a := routingAddrBytes(t, data); len(a) > 0 {
			return [16]byte(a)
		}
	case IPv6RoutingRPL:
		if r, ok := rplRoute(data); ok {
			return r.at(r.Len()-1, dst)
		}
	}
	return dst
}

// IPv6RoutingView is a Routing header in place, with what follows it. Its
// methods panic when it is shorter than the header: those that [View] returns
// are not.
type IPv6RoutingView []byte

// Proto returns the descriptor of the Routing header.
func (IPv6RoutingView) Proto() *Protocol { return &routingProtocol }

func (v IPv6RoutingView) NextHeader() IPProto   { return IPProto(v[extOffNextHeader]) }
func (v IPv6RoutingView) HdrExtLen() uint8      { return v[extOffLen] }
func (v IPv6RoutingView) HeaderLen() int        { return (int(v[extOffLen]) + 1) * 8 } // bytes
func (v IPv6RoutingView) Type() IPv6RoutingType { return IPv6RoutingType(v[routingOffType]) }
func (v IPv6RoutingView) SegmentsLeft() uint8   { return v[routingOffLeft] }
func (v IPv6RoutingView) Data() []byte          { return v[routingOffData:v.HeaderLen():v.HeaderLen()] }
func (v IPv6RoutingView) Payload() []byte       { return v[v.HeaderLen():] }

// Addresses is [IPv6Routing.Addresses].
func (v IPv6RoutingView) Addresses() iter.Seq2[int, netip.Addr] {
	return func(yield func(int, netip.Addr) bool) { routingAddrs(v.Type(), v.Data(), yield) }
}

func (v IPv6RoutingView) SetNextHeader(p IPProto)   { v[extOffNextHeader] = uint8(p) }
func (v IPv6RoutingView) SetHdrExtLen(n uint8)      { v[extOffLen] = n }
func (v IPv6RoutingView) SetType(t IPv6RoutingType) { v[routingOffType] = uint8(t) }
func (v IPv6RoutingView) SetSegmentsLeft(n uint8)   { v[routingOffLeft] = n }
