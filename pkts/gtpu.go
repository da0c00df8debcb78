package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
)

const (
	gtpuOffFlags  = 0 // version, protocol type and flags
	gtpuOffType   = 1
	gtpuOffLength = 2
	gtpuOffTEID   = 4
	gtpuOffSeq    = 8 // the optional fields
	gtpuOffNPDU   = 10
	gtpuOffNext   = 11
)

const (
	// GTPUMinLen is the length of a GTP-U header without optional fields, in
	// bytes.
	GTPUMinLen = 8
	// GTPUOptionalLen is the length of a header with the optional fields, which
	// are all there if one of them is, without extension headers.
	GTPUOptionalLen = 12

	gtpuPort = 2152 // TS 29.281, section 4.4.2

	gtpuVersion     = 0x30 // version 1 and protocol type GTP, where the flags are
	gtpuVersionMask = 0xf0
	gtpuExtUnit     = 4 // of the length of an extension header, in bytes
	gtpuExtMaxData  = 255*gtpuExtUnit - 2
)

// GTPUFlags are the low 4 bits of a GTP-U header's first byte, 3GPP TS 29.281,
// section 5.1. If E, S or PN is set, all three fields are there.
type GTPUFlags uint8

const (
	GTPUNPDU      GTPUFlags = 0x1 // PN: NPDU is significant
	GTPUSeq       GTPUFlags = 0x2 // S: Seq is significant
	GTPUExtension GTPUFlags = 0x4 // E: there may be extension headers
	GTPUSpare     GTPUFlags = 0x8 // reserved

	gtpuOptional = GTPUNPDU | GTPUSeq | GTPUExtension
)

// Has reports whether all bits of x are set.
func (f GTPUFlags) Has(x GTPUFlags) bool { return f&x == x }

// String returns the names of the flags, such as "E+S"; "none" for none.
func (f GTPUFlags) String() string {
	var s []string
	for i, name := range []string{"R", "E", "S", "PN"} {
		if f&(0x8>>i) != 0 {
			s = append(s, name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, "+")
}

// GTPUType is the type of a GTP-U message, 3GPP TS 29.281, section 6.1.
type GTPUType uint8

const (
	GTPUEchoRequest         GTPUType = 1
	GTPUEchoResponse        GTPUType = 2
	GTPUErrorIndication     GTPUType = 26
	GTPUSupportedExtensions GTPUType = 31 // supported extension headers notification
	GTPUTunnelStatus        GTPUType = 253
	GTPUEndMarker           GTPUType = 254
	GTPUGPDU                GTPUType = 255 // G-PDU: a user's packet
)

// String returns the message's name, or the number.
func (t GTPUType) String() string {
	switch t {
	case GTPUEchoRequest:
		return "Echo Request"
	case GTPUEchoResponse:
		return "Echo Response"
	case GTPUErrorIndication:
		return "Error Indication"
	case GTPUSupportedExtensions:
		return "Supported Extension Headers Notification"
	case GTPUTunnelStatus:
		return "Tunnel Status"
	case GTPUEndMarker:
		return "End Marker"
	case GTPUGPDU:
		return "G-PDU"
	default:
		return fmt.Sprintf("%d", uint8(t))
	}
}

// GTPU is a header of the GPRS Tunnelling Protocol for user data, version 1, 3GPP
// TS 29.281, section 5.1, with its extension headers.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  1  |1|R|E|S|N| Message Type  |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Tunnel Endpoint Identifier                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Sequence Number (optional)  | N-PDU Number  |   Next Type   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// What a G-PDU carries has no number: it is IPv4 or IPv6 if its first 4 bits are
// 4 or 6, and otherwise, and in other messages, [Raw]. Other versions, and GTP',
// are malformed. UDP port 2152 is for a program to bind, by [UDPTunnels].
//
// Flags say whether there are optional fields. One that has a value without is
// refused when the header is encoded.
type GTPU struct {
	Flags  GTPUFlags
	Type   Auto[GTPUType] // GTPUGPDU unless pinned
	Length Auto[uint16]   // of what follows the first 8 bytes, in bytes
	TEID   uint32
	Seq    uint16
	NPDU   uint8
	// NextType is the byte for the type of the first extension header where
	// GTPUExtension is not set, and it means nothing.
	NextType uint8
	// Extensions are the extension headers, if GTPUExtension is set. They alias
	// the packet after decoding.
	Extensions GTPUExtensions
}

var _ Completer = (*GTPU)(nil)

var gtpuProtocol = Protocol{
	Name:  "GTP-U",
	New:   New[GTPU],
	Clone: cloneGTPU,
	Index: indexGTPU,
	At:    []Selector{{&udpPortsTable, gtpuPort}},
	Fields: []Field{
		{"Version", 0, 3},
		{"ProtocolType", 3, 1},
		{"Flags", 4, 4},
		{"Type", gtpuOffType * 8, 8},
		{"Length", gtpuOffLength * 8, 16},
		{"TEID", gtpuOffTEID * 8, 32},
		{"Seq", gtpuOffSeq * 8, 16},
		{"NPDU", gtpuOffNPDU * 8, 8},
		{"Extensions", gtpuOffNext * 8, 0},
	},
	kind: kindGTPU,
}

// Proto returns the descriptor of GTP-U.
func (*GTPU) Proto() *Protocol { return &gtpuProtocol }

func cloneGTPU(l Layer) Layer {
	c := *l.(*GTPU)
	c.Extensions = slices.Clone(c.Extensions)
	return &c
}

func indexGTPU(b []byte, _ *Registry) (Span, error) {
	v := GTPUView(b)
	n, err := v.check()
	if err != nil {
		return Span{}, err
	}
	s := Span{Header: n, Payload: GTPUMinLen + int(v.Length()) - n, Flags: SpanWhole}
	if uint(s.Payload) > uint(len(b)-n) {
		s.Payload, s.Flags = len(b)-n, SpanTruncated
	}
	if v.Type() == GTPUGPDU && s.Payload > 0 {
		switch b[n] >> 4 {
		case 4:
			s.Next = kindIPv4
		case 6:
			s.Next = kindIPv6
		}
	}
	return s, nil
}

// check returns the length of the header, or why there is none.
func (v GTPUView) check() (int, error) {
	switch {
	case len(v) < GTPUMinLen:
		return 0, Truncated("GTP-U", GTPUMinLen, len(v))
	case v[gtpuOffFlags]&gtpuVersionMask != gtpuVersion:
		return 0, Malformed("GTP-U", "neither version 1 nor GTP")
	case !v.hasOptional():
		return GTPUMinLen, nil
	case len(v) < GTPUOptionalLen:
		return 0, Truncated("GTP-U", GTPUOptionalLen, len(v))
	}
	n := GTPUOptionalLen
	for more := v.Flags().Has(GTPUExtension); more && v[n-1] != 0; {
		if len(v)-n < gtpuExtUnit {
			return 0, Truncated("GTP-U", n+gtpuExtUnit, len(v))
		}
		length := int(v[n]) * gtpuExtUnit
		switch {
		case length == 0:
			return 0, Malformed("GTP-U", "an extension header of length 0")
		case n+length >= allHeader:
			return 0, Malformed("GTP-U", "the extension headers do not end")
		case length > len(v)-n:
			return 0, Truncated("GTP-U", n+length, len(v))
		}
		n += length
	}
	return n, nil
}

// Decode fills l from the header at the start of b, at least 8 bytes.
func (l *GTPU) Decode(b []byte) (int, error) {
	v := GTPUView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	*l = GTPU{Flags: v.Flags(), Type: Seen(v.Type()), Length: Seen(v.Length()), TEID: v.TEID()}
	if v.hasOptional() {
		l.Seq, _ = v.Seq()
		l.NPDU, _ = v.NPDU()
		l.Extensions = v.extensions(n)
		if !l.Flags.Has(GTPUExtension) {
			l.NextType = v[gtpuOffNext]
		}
	}
	return n, nil
}

// AppendBinary appends the header to b.
func (l *GTPU) AppendBinary(b []byte) ([]byte, error) {
	if err := l.problem(); err != nil {
		return b, err
	}
	typ := l.Type.value
	if l.Type.mode == ModeAuto {
		typ = GTPUGPDU
	}
	b = append(b, gtpuVersion|uint8(l.Flags), uint8(typ))
	b = binary.BigEndian.AppendUint16(b, l.Length.value)
	b = binary.BigEndian.AppendUint32(b, l.TEID)
	if l.Flags&gtpuOptional == 0 {
		return b, nil
	}
	b = append(binary.BigEndian.AppendUint16(b, l.Seq), l.NPDU)
	if !l.Flags.Has(GTPUExtension) {
		return append(b, l.NextType), nil
	}
	return append(append(b, l.Extensions...), 0), nil
}

// problem returns why l cannot be encoded.
func (l *GTPU) problem() error {
	if l.Flags > 0xf {
		return TooLong("GTP-U", "Flags", int(l.Flags), 0xf)
	}
	for _, o := range [...]struct {
		field string
		set   bool
		there bool
	}{
		{"Seq", l.Seq != 0, l.Flags&gtpuOptional != 0},
		{"NPDU", l.NPDU != 0, l.Flags&gtpuOptional != 0},
		{"NextType", l.NextType != 0, l.Flags&gtpuOptional != 0 && !l.Flags.Has(GTPUExtension)},
		{"Extensions", len(l.Extensions) != 0, l.Flags.Has(GTPUExtension)},
	} {
		if o.set && !o.there {
			return &EncodeError{Layer: "GTP-U", Field: o.field, Reason: "it has a value, and Flags do not say that it is there", Err: ErrMalformed}
		}
	}
	if err := l.Extensions.Err(); err != nil {
		return &EncodeError{Layer: "GTP-U", Field: "Extensions", Reason: "they cannot be read to their end", Err: ErrMalformed}
	}
	return nil
}

// Complete computes Length.
func (l *GTPU) Complete(c *Completion) error {
	if c.Wants("Length", gtpuOffLength, l.Length.mode) {
		return c.PutLength(c.Len() - GTPUMinLen)
	}
	return nil
}

// GTPUExtensionType is the type of an extension header, 3GPP TS 29.281, section
// 5.2.1.
type GTPUExtensionType uint8

const (
	GTPUExtServiceClass GTPUExtensionType = 0x20 // service class indicator
	GTPUExtUDPPort      GTPUExtensionType = 0x40
	GTPUExtRAN          GTPUExtensionType = 0x81 // RAN container
	GTPUExtLongPDCP     GTPUExtensionType = 0x82 // long PDCP PDU number
	GTPUExtXwRAN        GTPUExtensionType = 0x83 // Xw RAN container
	GTPUExtNRRAN        GTPUExtensionType = 0x84 // NR RAN container
	GTPUExtPDUSession   GTPUExtensionType = 0x85 // PDU session container, TS 38.415
	GTPUExtPDCP         GTPUExtensionType = 0xc0 // PDCP PDU number
)

// String returns the name, or the number in hexadecimal.
func (t GTPUExtensionType) String() string {
	switch t {
	case GTPUExtServiceClass:
		return "service class"
	case GTPUExtUDPPort:
		return "UDP port"
	case GTPUExtRAN:
		return "RAN container"
	case GTPUExtLongPDCP:
		return "long PDCP PDU number"
	case GTPUExtXwRAN:
		return "Xw RAN container"
	case GTPUExtNRRAN:
		return "NR RAN container"
	case GTPUExtPDUSession:
		return "PDU session container"
	case GTPUExtPDCP:
		return "PDCP PDU number"
	default:
		return fmt.Sprintf("0x%02x", uint8(t))
	}
}

// GTPUExtensions are extension headers as they are encoded: each is its type,
// which stands in what is before it, its length in units of 4 bytes, these two
// bytes included, and its content. The byte of 0 that ends them is not among
// them.
//
// To make some, append to a nil slice.
type GTPUExtensions []byte

// GTPUExtensionHeader is one extension header. Its data aliases the ones it comes
// from.
type GTPUExtensionHeader struct {
	Type GTPUExtensionType // not 0
	Data []byte            // 2 bytes more than a multiple of 4, at most 1,018
}

// next returns the extension header at byte i and its length, 0 when there is
// none that is whole.
func (o GTPUExtensions) next(i int) (e GTPUExtensionHeader, n int) {
	if len(o)-i < gtpuExtUnit || o[i] == 0 {
		return e, 0
	}
	n = int(o[i+1]) * gtpuExtUnit
	if n == 0 || n > len(o)-i {
		return e, 0
	}
	return GTPUExtensionHeader{GTPUExtensionType(o[i]), o[i+2 : i+n : i+n]}, n
}

// All yields the extension headers with their offsets in bytes. It ends before
// one that cannot be read, which [GTPUExtensions.Err] reports.
func (o GTPUExtensions) All() iter.Seq2[int, GTPUExtensionHeader] {
	return func(yield func(int, GTPUExtensionHeader) bool) {
		for i := 0; ; {
			e, n := o.next(i)
			if n == 0 || !yield(i, e) {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the extension headers can be read to their end, and
// otherwise a [*DecodeError] whose offset is where the one begins that is cut
// off, or whose type or length is 0. Those of a decoded packet can be read.
func (o GTPUExtensions) Err() error {
	for i := 0; i < len(o); {
		_, n := o.next(i)
		if n == 0 {
			have := len(o) - i
			switch {
			case o[i] == 0:
				return &DecodeError{Layer: "GTP-U extensions", Offset: i, Reason: "a type of 0", Err: ErrMalformed}
			case have < gtpuExtUnit:
				return &DecodeError{Layer: "GTP-U extensions", Offset: i, Want: gtpuExtUnit, Have: have, Err: ErrTruncated}
			case o[i+1] == 0:
				return &DecodeError{Layer: "GTP-U extensions", Offset: i, Reason: "a length of 0", Err: ErrMalformed}
			}
			return &DecodeError{Layer: "GTP-U extensions", Offset: i, Want: int(o[i+1]) * gtpuExtUnit, Have: have, Err: ErrTruncated}
		}
		i += n
	}
	return nil
}

// Get returns the first extension header of a type.
func (o GTPUExtensions) Get(t GTPUExtensionType) (GTPUExtensionHeader, bool) {
	for _, e := range o.All() {
		if e.Type == t {
			return e, true
		}
	}
	return GTPUExtensionHeader{}, false
}

// Append appends an extension header. The error, and o as it was, is for a type
// of 0 and data that do not fill it.
func (o GTPUExtensions) Append(e GTPUExtensionHeader) (GTPUExtensions, error) {
	switch {
	case e.Type == 0:
		return o, &EncodeError{Layer: "GTP-U extensions", Field: "Type", Reason: "0 says that there are no more", Err: ErrMalformed}
	case len(e.Data) > gtpuExtMaxData:
		return o, TooLong("GTP-U extensions", "Data", len(e.Data), gtpuExtMaxData)
	case len(e.Data)%gtpuExtUnit != 2:
		return o, &EncodeError{Layer: "GTP-U extensions", Field: "Data", Reason: "not 2 bytes more than a multiple of 4: pad it", Err: ErrMalformed}
	}
	return append(append(o, uint8(e.Type), uint8((len(e.Data)+2)/gtpuExtUnit)), e.Data...), nil
}

// GTPUView is a GTP-U header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not. Getters
// of optional fields report whether the field is there, and setters do nothing,
// and report false, where it is not. The setters leave the checksum of UDP as it
// is: [AdjustChecksum] follows.
type GTPUView []byte

// Proto returns the descriptor of GTP-U.
func (GTPUView) Proto() *Protocol { return &gtpuProtocol }

func (v GTPUView) Flags() GTPUFlags  { return GTPUFlags(v[gtpuOffFlags] &^ gtpuVersionMask) }
func (v GTPUView) Type() GTPUType    { return GTPUType(v[gtpuOffType]) }
func (v GTPUView) Length() uint16    { return binary.BigEndian.Uint16(v[gtpuOffLength:]) }
func (v GTPUView) TEID() uint32      { return binary.BigEndian.Uint32(v[gtpuOffTEID:]) }
func (v GTPUView) hasOptional() bool { return v.Flags()&gtpuOptional != 0 }

// Seq and NPDU are there, but not significant, also where another optional field
// is.
func (v GTPUView) Seq() (uint16, bool) {
	if !v.hasOptional() {
		return 0, false
	}
	return binary.BigEndian.Uint16(v[gtpuOffSeq:]), true
}

func (v GTPUView) NPDU() (uint8, bool) {
	if !v.hasOptional() {
		return 0, false
	}
	return v[gtpuOffNPDU], true
}

// HeaderLen returns the length of the header with its extension headers, in
// bytes; 0 for one that breaks off.
func (v GTPUView) HeaderLen() int {
	n, _ := v.check()
	return n
}

// Extensions returns the extension headers.
func (v GTPUView) Extensions() GTPUExtensions { return v.extensions(v.HeaderLen()) }

// extensions are those of a header of n bytes.
func (v GTPUView) extensions(n int) GTPUExtensions {
	if n <= GTPUOptionalLen {
		return nil
	}
	return GTPUExtensions(v[gtpuOffNext : n-1 : n-1])
}

func (v GTPUView) Payload() []byte { return v[v.HeaderLen():] }

// SetFlags sets the low 4 bits. It moves nothing: let f say that the same fields
// are there as before.
func (v GTPUView) SetFlags(f GTPUFlags) {
	v[gtpuOffFlags] = v[gtpuOffFlags]&gtpuVersionMask | uint8(f)&^gtpuVersionMask
}
func (v GTPUView) SetType(t GTPUType)  { v[gtpuOffType] = uint8(t) }
func (v GTPUView) SetLength(n uint16)  { binary.BigEndian.PutUint16(v[gtpuOffLength:], n) }
func (v GTPUView) SetTEID(teid uint32) { binary.BigEndian.PutUint32(v[gtpuOffTEID:], teid) }

func (v GTPUView) SetSeq(n uint16) bool {
	if v.hasOptional() {
		binary.BigEndian.PutUint16(v[gtpuOffSeq:], n)
	}
	return v.hasOptional()
}

func (v GTPUView) SetNPDU(n uint8) bool {
	if v.hasOptional() {
		v[gtpuOffNPDU] = n
	}
	return v.hasOptional()
}
