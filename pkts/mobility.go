package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"
)

const (
	mobilityOffType     = 2
	mobilityOffReserved = 3
	mobilityOffChecksum = 4
	mobilityOffData     = 6
)

// MobilityType is the type of a mobility message; the numbers are at
// https://www.iana.org/assignments/mobility-parameters.
type MobilityType uint8

const (
	MobilityBindingRefresh  MobilityType = 0  // request, RFC 6275
	MobilityHomeTestInit    MobilityType = 1  // RFC 6275
	MobilityCareOfTestInit  MobilityType = 2  // RFC 6275
	MobilityHomeTest        MobilityType = 3  // RFC 6275
	MobilityCareOfTest      MobilityType = 4  // RFC 6275
	MobilityBindingUpdate   MobilityType = 5  // RFC 6275
	MobilityBindingAck      MobilityType = 6  // RFC 6275
	MobilityBindingError    MobilityType = 7  // RFC 6275
	MobilityFastUpdate      MobilityType = 8  // fast binding update, RFC 5568
	MobilityFastAck         MobilityType = 9  // fast binding acknowledgment, RFC 5568
	MobilityFastNeighbor    MobilityType = 10 // fast neighbor advertisement, withdrawn
	MobilityExperiment      MobilityType = 11 // RFC 5096
	MobilityHomeAgentSwitch MobilityType = 12 // RFC 5142
	MobilityHeartbeat       MobilityType = 13 // RFC 5847
	MobilityHandoverInit    MobilityType = 14 // RFC 5568
	MobilityHandoverAck     MobilityType = 15 // RFC 5568
	MobilityRevocation      MobilityType = 16 // binding revocation, RFC 5846
	MobilityLocalInit       MobilityType = 17 // localized routing, RFC 6705
	MobilityLocalAck        MobilityType = 18 // localized routing, RFC 6705
	MobilityUpdateNotice    MobilityType = 19 // update notification, RFC 7077
	MobilityUpdateNoticeAck MobilityType = 20 // RFC 7077
	MobilityFlowBinding     MobilityType = 21 // RFC 7109
	MobilityQuery           MobilityType = 22 // subscription query, RFC 7161
	MobilityResponse        MobilityType = 23 // subscription response, RFC 7161
)

// String returns the type's name, or the number.
func (t MobilityType) String() string {
	switch t {
	case MobilityBindingRefresh:
		return "binding refresh request"
	case MobilityHomeTestInit:
		return "home test init"
	case MobilityCareOfTestInit:
		return "care-of test init"
	case MobilityHomeTest:
		return "home test"
	case MobilityCareOfTest:
		return "care-of test"
	case MobilityBindingUpdate:
		return "binding update"
	case MobilityBindingAck:
		return "binding acknowledgement"
	case MobilityBindingError:
		return "binding error"
	case MobilityFastUpdate:
		return "fast binding update"
	case MobilityFastAck:
		return "fast binding acknowledgment"
	case MobilityFastNeighbor:
		return "fast neighbor advertisement"
	case MobilityExperiment:
		return "experimental"
	case MobilityHomeAgentSwitch:
		return "home agent switch"
	case MobilityHeartbeat:
		return "heartbeat"
	case MobilityHandoverInit:
		return "handover initiate"
	case MobilityHandoverAck:
		return "handover acknowledge"
	case MobilityRevocation:
		return "binding revocation"
	case MobilityLocalInit:
		return "localized routing initiation"
	case MobilityLocalAck:
		return "localized routing acknowledgment"
	case MobilityUpdateNotice:
		return "update notification"
	case MobilityUpdateNoticeAck:
		return "update notification acknowledgement"
	case MobilityFlowBinding:
		return "flow binding"
	case MobilityQuery:
		return "subscription query"
	case MobilityResponse:
		return "subscription response"
	default:
		return numbered("MobilityType", int(t))
	}
}

// fixed returns the length of the part of a message's data in front of its
// options, in bytes.
func (t MobilityType) fixed() (int, bool) {
	switch t {
	case MobilityBindingRefresh:
		return 2, true
	case MobilityHomeTestInit, MobilityCareOfTestInit:
		return 10, true
	case MobilityHomeTest, MobilityCareOfTest:
		return 18, true
	case MobilityBindingUpdate, MobilityBindingAck, MobilityFastUpdate, MobilityFastAck:
		return 6, true
	case MobilityBindingError:
		return 18, true
	default:
		return 0, false
	}
}

// Mobility is a Mobility header of IPv6, RFC 6275, section 6.1.1.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Payload Proto |  Header Len   |   MH Type     |   Reserved    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Checksum            |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                         Message Data                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Mobility struct {
	PayloadProto Auto[IPProto] // of what follows; there is nothing yet that may
	HeaderLen    Auto[uint8]   // length in units of 8 bytes, less one
	Type         MobilityType
	Reserved     uint8
	Checksum     Auto[uint16] // of the header, with a pseudo-header
	// Data is the message with its options, at most 2,042 bytes; zeros, which
	// are Pad1 options, are appended where it does not fill the header. It
	// aliases the packet after decoding.
	Data []byte
}

var _ Completer = (*Mobility)(nil)

var mobilityProtocol = Protocol{
	Name:  "Mobility",
	New:   New[Mobility],
	Clone: cloneMobility,
	Index: indexMobility,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoMobility)}},
	Fields: []Field{
		{"PayloadProto", extOffNextHeader * 8, 8},
		{"HeaderLen", extOffLen * 8, 8},
		{"Type", mobilityOffType * 8, 8},
		{"Reserved", mobilityOffReserved * 8, 8},
		{"Checksum", mobilityOffChecksum * 8, 16},
		{"Data", mobilityOffData * 8, 0},
	},
	kind: kindMobility,
}

// Proto returns the descriptor of the Mobility header.
func (*Mobility) Proto() *Protocol { return &mobilityProtocol }

func cloneMobility(l Layer) Layer {
	c := *l.(*Mobility)
	c.Data = slices.Clone(c.Data)
	return &c
}

func indexMobility(b []byte, r *Registry) (Span, error) { return indexExt("Mobility", b, r) }

// Decode fills l from the header at the start of b, a multiple of 8 bytes.
func (l *Mobility) Decode(b []byte) (int, error) {
	n, err := extLen("Mobility", b)
	if err != nil {
		return 0, err
	}
	v := MobilityView(b)
	l.PayloadProto = Seen(v.PayloadProto())
	l.HeaderLen = Seen(v[extOffLen])
	l.Type = v.Type()
	l.Reserved = v.Reserved()
	l.Checksum = Seen(v.Checksum())
	l.Data = v.Data()
	return n, nil
}

// AppendBinary appends the header to b.
func (l *Mobility) AppendBinary(b []byte) ([]byte, error) {
	n := mobilityOffData + len(l.Data)
	if n > IPv6ExtMaxLen {
		return b, TooLong("Mobility", "Data", len(l.Data), IPv6ExtMaxLen-mobilityOffData)
	}
	b = appendExt(b, l.PayloadProto, l.HeaderLen, n)
	b = append(b, uint8(l.Type), l.Reserved)
	b = binary.BigEndian.AppendUint16(b, l.Checksum.value)
	return appendZeros(append(b, l.Data...), -n&7), nil
}

// Complete computes PayloadProto, HeaderLen and Checksum.
func (l *Mobility) Complete(c *Completion) error {
	completeIPProto(c, "PayloadProto", extOffNextHeader, l.PayloadProto.mode)
	completeExtLen(c, "HeaderLen", l.HeaderLen.mode)
	if c.Wants("Checksum", mobilityOffChecksum, l.Checksum.mode) {
		sum, err := c.pseudoHeaderChecksum(IPProtoMobility)
		if err != nil {
			return err
		}
		c.PutUint16(sum)
	}
	return nil
}

// BindingUpdate is the message that tells where a mobile node is, RFC 6275,
// section 6.1.7.
type BindingUpdate struct {
	Sequence uint16
	Flags    BindingUpdateFlags
	Lifetime uint16 // units of 4 seconds; 0 deletes the binding
}

// BindingUpdateFlags are the flags of a binding update.
type BindingUpdateFlags uint16

const (
	BindingUpdateAck       BindingUpdateFlags = 0x8000 // A: acknowledge, RFC 6275
	BindingUpdateHome      BindingUpdateFlags = 0x4000 // H: to the home agent, RFC 6275
	BindingUpdateLinkLocal BindingUpdateFlags = 0x2000 // L: the interface identifier is the same, RFC 6275
	BindingUpdateKeys      BindingUpdateFlags = 0x1000 // K: the keys move along, RFC 6275
	BindingUpdateMAP       BindingUpdateFlags = 0x0800 // M: to a mobility anchor point, RFC 5380
	BindingUpdateRouter    BindingUpdateFlags = 0x0400 // R: from a mobile router, RFC 3963
	BindingUpdateProxy     BindingUpdateFlags = 0x0200 // P: from a proxy, RFC 5213
	BindingUpdateUDP       BindingUpdateFlags = 0x0100 // F: force UDP encapsulation, RFC 5555
	BindingUpdateTLV       BindingUpdateFlags = 0x0080 // T: type-length-value header, RFC 5845
)

// Has reports whether all bits of x are set.
func (f BindingUpdateFlags) Has(x BindingUpdateFlags) bool { return f&x == x }

// String returns the flags' letters, "none" for none.
func (f BindingUpdateFlags) String() string {
	const names = "AHLKMRPFT"
	var s []byte
	for i := range len(names) {
		if f&(0x8000>>i) != 0 {
			s = append(s, names[i])
		}
	}
	if s == nil {
		return "none"
	}
	return string(s)
}

// BindingUpdate returns the fixed part of a binding update.
func (l *Mobility) BindingUpdate() (BindingUpdate, bool) {
	if l.Type != MobilityBindingUpdate || len(l.Data) < 6 {
		return BindingUpdate{}, false
	}
	d, be := l.Data, binary.BigEndian
	return BindingUpdate{be.Uint16(d), BindingUpdateFlags(be.Uint16(d[2:])), be.Uint16(d[4:])}, true
}

// AppendBinary appends the message to b, for [Mobility.Data].
func (u BindingUpdate) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, u.Sequence)
	b = binary.BigEndian.AppendUint16(b, uint16(u.Flags))
	return binary.BigEndian.AppendUint16(b, u.Lifetime), nil
}

// BindingAck is the answer to a binding update, RFC 6275, section 6.1.8.
type BindingAck struct {
	Status   uint8 // below 128: accepted
	Flags    uint8 // the highest bit is K: the keys move along
	Sequence uint16
	Lifetime uint16 // units of 4 seconds
}

// BindingAck returns the fixed part of a binding acknowledgement.
func (l *Mobility) BindingAck() (BindingAck, bool) {
	if l.Type != MobilityBindingAck || len(l.Data) < 6 {
		return BindingAck{}, false
	}
	d, be := l.Data, binary.BigEndian
	return BindingAck{d[0], d[1], be.Uint16(d[2:]), be.Uint16(d[4:])}, true
}

// AppendBinary appends the message to b, for [Mobility.Data].
func (a BindingAck) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, a.Status, a.Flags)
	b = binary.BigEndian.AppendUint16(b, a.Sequence)
	return binary.BigEndian.AppendUint16(b, a.Lifetime), nil
}

// BindingError returns the status and the home address of a binding error, RFC
// 6275, section 6.1.9.
func (l *Mobility) BindingError() (status uint8, home netip.Addr, ok bool) {
	if l.Type != MobilityBindingError || len(l.Data) < 18 {
		return 0, netip.Addr{}, false
	}
	return l.Data[0], netip.AddrFrom16([16]byte(l.Data[2:])), true
}

// Test returns the cookie of a home or care-of test or its initiation, and of a
// test the nonce index and the key-generating token, RFC 6275, sections 6.1.3
// to 6.1.6.
func (l *Mobility) Test() (nonceIndex uint16, cookie, token uint64, ok bool) {
	d, be := l.Data, binary.BigEndian
	n, known := l.Type.fixed()
	if !known || len(d) < n {
		return 0, 0, 0, false
	}
	switch l.Type {
	case MobilityHomeTestInit, MobilityCareOfTestInit:
		return 0, be.Uint64(d[2:]), 0, true
	case MobilityHomeTest, MobilityCareOfTest:
		return be.Uint16(d), be.Uint64(d[2:]), be.Uint64(d[10:]), true
	default:
		return 0, 0, 0, false
	}
}

// Options returns the options behind the fixed part of the messages of RFC 6275
// and RFC 5568; nil for other messages.
func (l *Mobility) Options() MobilityOptions {
	n, ok := l.Type.fixed()
	if !ok || n > len(l.Data) {
		return nil
	}
	return MobilityOptions(l.Data[n:])
}

// MobilityOptionType is the type of a mobility option; the numbers are at
// https://www.iana.org/assignments/mobility-parameters.
type MobilityOptionType uint8

const (
	MobilityOptionPad1           MobilityOptionType = 0  // RFC 6275
	MobilityOptionPadN           MobilityOptionType = 1  // RFC 6275
	MobilityOptionRefreshAdvice  MobilityOptionType = 2  // binding refresh advice, RFC 6275
	MobilityOptionAltCareOf      MobilityOptionType = 3  // alternate care-of address, RFC 6275
	MobilityOptionNonceIndices   MobilityOptionType = 4  // RFC 6275
	MobilityOptionAuthorization  MobilityOptionType = 5  // authorization data, RFC 6275
	MobilityOptionNetworkPrefix  MobilityOptionType = 6  // mobile network prefix, RFC 3963
	MobilityOptionLinkLayer      MobilityOptionType = 7  // link-layer address, RFC 5568
	MobilityOptionNodeID         MobilityOptionType = 8  // mobile node identifier, RFC 4283
	MobilityOptionAuth           MobilityOptionType = 9  // authentication, RFC 4285
	MobilityOptionMessageID      MobilityOptionType = 10 // replay protection, RFC 4285
	MobilityOptionHomePrefix     MobilityOptionType = 22 // home network prefix, RFC 5213
	MobilityOptionHandoff        MobilityOptionType = 23 // handoff indicator, RFC 5213
	MobilityOptionAccessTech     MobilityOptionType = 24 // access technology, RFC 5213
	MobilityOptionNodeLinkLayer  MobilityOptionType = 25 // mobile node link-layer identifier, RFC 5213
	MobilityOptionLinkLocal      MobilityOptionType = 26 // link-local address, RFC 5213
	MobilityOptionTimestamp      MobilityOptionType = 27 // RFC 5213
	MobilityOptionIPv4Home       MobilityOptionType = 29 // IPv4 home address, RFC 5555
	MobilityOptionIPv4Ack        MobilityOptionType = 30 // IPv4 address acknowledgement, RFC 5555
	MobilityOptionNATDetection   MobilityOptionType = 31 // RFC 5555
	MobilityOptionIPv4CareOf     MobilityOptionType = 32 // IPv4 care-of address, RFC 5555
	MobilityOptionGREKey         MobilityOptionType = 33 // RFC 5845
	MobilityOptionIPv4HomeReq    MobilityOptionType = 36 // IPv4 home address request, RFC 5844
	MobilityOptionIPv4HomeReply  MobilityOptionType = 37 // IPv4 home address reply, RFC 5844
	MobilityOptionIPv4Router     MobilityOptionType = 38 // IPv4 default router, RFC 5844
	MobilityOptionRestartCounter MobilityOptionType = 28 // RFC 5847
)

// String returns the option's name, or the number.
func (t MobilityOptionType) String() string {
	switch t {
	case MobilityOptionPad1:
		return "Pad1"
	case MobilityOptionPadN:
		return "PadN"
	case MobilityOptionRefreshAdvice:
		return "binding refresh advice"
	case MobilityOptionAltCareOf:
		return "alternate care-of address"
	case MobilityOptionNonceIndices:
		return "nonce indices"
	case MobilityOptionAuthorization:
		return "authorization data"
	case MobilityOptionNetworkPrefix:
		return "mobile network prefix"
	case MobilityOptionLinkLayer:
		return "link-layer address"
	case MobilityOptionNodeID:
		return "mobile node identifier"
	case MobilityOptionAuth:
		return "authentication"
	case MobilityOptionMessageID:
		return "message identifier"
	case MobilityOptionHomePrefix:
		return "home network prefix"
	case MobilityOptionHandoff:
		return "handoff indicator"
	case MobilityOptionAccessTech:
		return "access technology"
	case MobilityOptionNodeLinkLayer:
		return "mobile node link-layer identifier"
	case MobilityOptionLinkLocal:
		return "link-local address"
	case MobilityOptionTimestamp:
		return "timestamp"
	case MobilityOptionRestartCounter:
		return "restart counter"
	case MobilityOptionIPv4Home:
		return "IPv4 home address"
	case MobilityOptionIPv4Ack:
		return "IPv4 address acknowledgement"
	case MobilityOptionNATDetection:
		return "NAT detection"
	case MobilityOptionIPv4CareOf:
		return "IPv4 care-of address"
	case MobilityOptionGREKey:
		return "GRE key"
	case MobilityOptionIPv4HomeReq:
		return "IPv4 home address request"
	case MobilityOptionIPv4HomeReply:
		return "IPv4 home address reply"
	case MobilityOptionIPv4Router:
		return "IPv4 default router"
	default:
		return fmt.Sprintf("MobilityOptionType(%d)", uint8(t))
	}
}

// MobilityOption is one option. Its data aliases what it comes from.
type MobilityOption struct {
	Type MobilityOptionType
	Data []byte // without type and length; nil for Pad1
}

// MobilityOptions are the options of a mobility message as they are encoded.
type MobilityOptions []byte

// All yields the options, padding included, with their offsets in bytes. It
// ends before one that is cut off, which [MobilityOptions.Err] reports.
func (o MobilityOptions) All() iter.Seq2[int, MobilityOption] {
	return func(yield func(int, MobilityOption) bool) {
		for i, opt := range IPv6Options(o).All() { // the same format
			if !yield(i, MobilityOption{MobilityOptionType(opt.Type), opt.Data}) {
				return
			}
		}
	}
}

// Err returns nil when the options can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the one begins that is cut off.
func (o MobilityOptions) Err() error { return IPv6Options(o).Err() }

// Get returns the first option of type t.
func (o MobilityOptions) Get(t MobilityOptionType) (MobilityOption, bool) {
	opt, ok := IPv6Options(o).Get(IPv6OptionType(t))
	return MobilityOption{t, opt.Data}, ok
}

// Append appends an option. Data of more than 255 bytes is refused with an
// [*EncodeError].
func (o MobilityOptions) Append(t MobilityOptionType, data []byte) (MobilityOptions, error) {
	if len(data) > ipv6OptionMaxData {
		return o, TooLong("Mobility", t.String(), len(data), ipv6OptionMaxData)
	}
	x, err := IPv6Options(o).Append(IPv6OptionType(t), data)
	return MobilityOptions(x), err
}

// MobilityView is a Mobility header in place, with what follows it. Its methods
// panic when it is shorter than the header: those that [View] returns are not.
// The setters keep the checksum as right, or as wrong, as it was.
type MobilityView []byte

// Proto returns the descriptor of the Mobility header.
func (MobilityView) Proto() *Protocol { return &mobilityProtocol }

func (v MobilityView) PayloadProto() IPProto { return IPProto(v[extOffNextHeader]) }
func (v MobilityView) HeaderLen() int        { return (int(v[extOffLen]) + 1) * 8 } // bytes
func (v MobilityView) Type() MobilityType    { return MobilityType(v[mobilityOffType]) }
func (v MobilityView) Reserved() uint8       { return v[mobilityOffReserved] }
func (v MobilityView) Checksum() uint16      { return binary.BigEndian.Uint16(v[mobilityOffChecksum:]) }
func (v MobilityView) Data() []byte          { return v[mobilityOffData:v.HeaderLen():v.HeaderLen()] }
func (v MobilityView) Payload() []byte       { return v[v.HeaderLen():] }

func (v MobilityView) SetPayloadProto(p IPProto) {
	setSummed16(v, mobilityOffChecksum, extOffNextHeader, uint16(p)<<8|uint16(v[extOffLen]))
}
func (v MobilityView) SetType(t MobilityType) {
	setSummed16(v, mobilityOffChecksum, mobilityOffType, uint16(t)<<8|uint16(v[mobilityOffReserved]))
}
func (v MobilityView) SetReserved(r uint8) {
	setSummed16(v, mobilityOffChecksum, mobilityOffType, uint16(v[mobilityOffType])<<8|uint16(r))
}
func (v MobilityView) SetChecksum(sum uint16) {
	binary.BigEndian.PutUint16(v[mobilityOffChecksum:], sum)
}
