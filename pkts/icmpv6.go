package pkts

import (
	"encoding/binary"
	"fmt"
)

const (
	icmpv6OffType     = 0
	icmpv6OffCode     = 1
	icmpv6OffChecksum = 2
)

// ICMPv6Len is the length of an ICMPv6 header, in bytes: that of what all
// messages have in common.
const ICMPv6Len = 4

// ICMPv6Type says what an ICMPv6 message is: the IANA ICMPv6 type numbers,
// https://www.iana.org/assignments/icmpv6-parameters. Those below 128 are
// errors.
type ICMPv6Type uint8

const (
	ICMPv6DestUnreachable       ICMPv6Type = 1   // RFC 4443; [ICMPv6Error]
	ICMPv6PacketTooBig          ICMPv6Type = 2   // RFC 4443; [ICMPv6TooBig]
	ICMPv6TimeExceeded          ICMPv6Type = 3   // RFC 4443; [ICMPv6Error]
	ICMPv6ParamProblem          ICMPv6Type = 4   // RFC 4443; [ICMPv6BadParam]
	ICMPv6PrivateError1         ICMPv6Type = 100 // RFC 4443
	ICMPv6PrivateError2         ICMPv6Type = 101 // RFC 4443
	ICMPv6EchoRequest           ICMPv6Type = 128 // RFC 4443; [ICMPv6Echo]
	ICMPv6EchoReply             ICMPv6Type = 129 // RFC 4443; [ICMPv6Echo]
	ICMPv6MLDQuery              ICMPv6Type = 130 // RFC 2710, RFC 3810; [MLD], [MLDv2Query]
	ICMPv6MLDReport             ICMPv6Type = 131 // RFC 2710; [MLD]
	ICMPv6MLDDone               ICMPv6Type = 132 // RFC 2710; [MLD]
	ICMPv6RouterSolicitation    ICMPv6Type = 133 // RFC 4861; [NDPRouterSolicitation]
	ICMPv6RouterAdvertisement   ICMPv6Type = 134 // RFC 4861; [NDPRouterAdvertisement]
	ICMPv6NeighborSolicitation  ICMPv6Type = 135 // RFC 4861; [NDPNeighborSolicitation]
	ICMPv6NeighborAdvertisement ICMPv6Type = 136 // RFC 4861; [NDPNeighborAdvertisement]
	ICMPv6Redirect              ICMPv6Type = 137 // RFC 4861; [NDPRedirect]
	ICMPv6RouterRenumbering     ICMPv6Type = 138 // RFC 2894
	ICMPv6NodeInfoQuery         ICMPv6Type = 139 // RFC 4620
	ICMPv6NodeInfoReply         ICMPv6Type = 140 // RFC 4620
	ICMPv6InverseSolicitation   ICMPv6Type = 141 // RFC 3122
	ICMPv6InverseAdvertisement  ICMPv6Type = 142 // RFC 3122
	ICMPv6MLDv2Report           ICMPv6Type = 143 // RFC 3810; [MLDv2Report]
	ICMPv6HomeAgentRequest      ICMPv6Type = 144 // RFC 6275
	ICMPv6HomeAgentReply        ICMPv6Type = 145 // RFC 6275
	ICMPv6MobilePrefixSol       ICMPv6Type = 146 // RFC 6275
	ICMPv6MobilePrefixAdv       ICMPv6Type = 147 // RFC 6275
	ICMPv6CertPathSol           ICMPv6Type = 148 // RFC 3971
	ICMPv6CertPathAdv           ICMPv6Type = 149 // RFC 3971
	ICMPv6Seamoby               ICMPv6Type = 150 // RFC 4065
	ICMPv6MulticastRouterAdv    ICMPv6Type = 151 // RFC 4286
	ICMPv6MulticastRouterSol    ICMPv6Type = 152 // RFC 4286
	ICMPv6MulticastRouterTerm   ICMPv6Type = 153 // RFC 4286
	ICMPv6FMIPv6                ICMPv6Type = 154 // RFC 5568
	ICMPv6RPL                   ICMPv6Type = 155 // RFC 6550
	ICMPv6LocatorUpdate         ICMPv6Type = 156 // RFC 6743
	ICMPv6DuplicateAddrRequest  ICMPv6Type = 157 // RFC 6775
	ICMPv6DuplicateAddrConfirm  ICMPv6Type = 158 // RFC 6775
	ICMPv6MPL                   ICMPv6Type = 159 // RFC 7731
	ICMPv6ExtendedEchoRequest   ICMPv6Type = 160 // RFC 8335; [ICMPv6ExtendedEcho]
	ICMPv6ExtendedEchoReply     ICMPv6Type = 161 // RFC 8335; [ICMPv6ExtendedEcho]
	ICMPv6PrivateInfo1          ICMPv6Type = 200 // RFC 4443
	ICMPv6PrivateInfo2          ICMPv6Type = 201 // RFC 4443
)

// The codes of [ICMPv6DestUnreachable].
const (
	ICMPv6NoRoute            uint8 = 0 // RFC 4443
	ICMPv6AdminProhibited    uint8 = 1 // RFC 4443
	ICMPv6BeyondScope        uint8 = 2 // RFC 4443: of the source address
	ICMPv6AddrUnreachable    uint8 = 3 // RFC 4443
	ICMPv6PortUnreachable    uint8 = 4 // RFC 4443
	ICMPv6SourcePolicy       uint8 = 5 // RFC 4443: ingress or egress policy
	ICMPv6RejectRoute        uint8 = 6 // RFC 4443
	ICMPv6SourceRoutingError uint8 = 7 // RFC 6550
	ICMPv6HeadersTooLong     uint8 = 8 // RFC 8883
)

// The codes of [ICMPv6TimeExceeded].
const (
	ICMPv6HopLimitExceeded   uint8 = 0 // RFC 4443: in transit
	ICMPv6ReassemblyExceeded uint8 = 1 // RFC 4443: a fragment did not arrive in time
)

// The codes of [ICMPv6ParamProblem].
const (
	ICMPv6BadHeaderField       uint8 = 0  // RFC 4443
	ICMPv6BadNextHeader        uint8 = 1  // RFC 4443
	ICMPv6BadOption            uint8 = 2  // RFC 4443
	ICMPv6IncompleteFirst      uint8 = 3  // RFC 7112: the first fragment lacks headers
	ICMPv6SRUpperLayer         uint8 = 4  // RFC 8754
	ICMPv6BadNextHeaderTransit uint8 = 5  // RFC 8883: at an intermediate node
	ICMPv6ExtHeaderTooBig      uint8 = 6  // RFC 8883
	ICMPv6ExtChainTooLong      uint8 = 7  // RFC 8883
	ICMPv6TooManyExtHeaders    uint8 = 8  // RFC 8883
	ICMPv6TooManyOptions       uint8 = 9  // RFC 8883
	ICMPv6OptionTooBig         uint8 = 10 // RFC 8883
)

// IsError reports whether messages of the type are errors, RFC 4443,
// section 2.1.
func (t ICMPv6Type) IsError() bool { return t < 128 }

// String returns the type's name, or the number.
func (t ICMPv6Type) String() string {
	switch t {
	case ICMPv6DestUnreachable:
		return "destination unreachable"
	case ICMPv6PacketTooBig:
		return "packet too big"
	case ICMPv6TimeExceeded:
		return "time exceeded"
	case ICMPv6ParamProblem:
		return "parameter problem"
	case ICMPv6PrivateError1, ICMPv6PrivateError2, ICMPv6PrivateInfo1, ICMPv6PrivateInfo2:
		return "experimental"
	case ICMPv6EchoRequest:
		return "echo request"
	case ICMPv6EchoReply:
		return "echo reply"
	case ICMPv6MLDQuery:
		return "multicast listener query"
	case ICMPv6MLDReport:
		return "multicast listener report"
	case ICMPv6MLDDone:
		return "multicast listener done"
	case ICMPv6RouterSolicitation:
		return "router solicitation"
	case ICMPv6RouterAdvertisement:
		return "router advertisement"
	case ICMPv6NeighborSolicitation:
		return "neighbor solicitation"
	case ICMPv6NeighborAdvertisement:
		return "neighbor advertisement"
	case ICMPv6Redirect:
		return "redirect"
	case ICMPv6RouterRenumbering:
		return "router renumbering"
	case ICMPv6NodeInfoQuery:
		return "node information query"
	case ICMPv6NodeInfoReply:
		return "node information reply"
	case ICMPv6InverseSolicitation:
		return "inverse neighbor solicitation"
	case ICMPv6InverseAdvertisement:
		return "inverse neighbor advertisement"
	case ICMPv6MLDv2Report:
		return "multicast listener report v2"
	case ICMPv6HomeAgentRequest:
		return "home agent address discovery request"
	case ICMPv6HomeAgentReply:
		return "home agent address discovery reply"
	case ICMPv6MobilePrefixSol:
		return "mobile prefix solicitation"
	case ICMPv6MobilePrefixAdv:
		return "mobile prefix advertisement"
	case ICMPv6CertPathSol:
		return "certification path solicitation"
	case ICMPv6CertPathAdv:
		return "certification path advertisement"
	case ICMPv6Seamoby:
		return "Seamoby"
	case ICMPv6MulticastRouterAdv:
		return "multicast router advertisement"
	case ICMPv6MulticastRouterSol:
		return "multicast router solicitation"
	case ICMPv6MulticastRouterTerm:
		return "multicast router termination"
	case ICMPv6FMIPv6:
		return "FMIPv6"
	case ICMPv6RPL:
		return "RPL control"
	case ICMPv6LocatorUpdate:
		return "ILNPv6 locator update"
	case ICMPv6DuplicateAddrRequest:
		return "duplicate address request"
	case ICMPv6DuplicateAddrConfirm:
		return "duplicate address confirmation"
	case ICMPv6MPL:
		return "MPL control"
	case ICMPv6ExtendedEchoRequest:
		return "extended echo request"
	case ICMPv6ExtendedEchoReply:
		return "extended echo reply"
	default:
		return fmt.Sprintf("%d", uint8(t))
	}
}

// CodeString returns the name of a code in messages of type t, or the number
// where IANA has no name for it.
func (t ICMPv6Type) CodeString(code uint8) string {
	var names []string
	switch t {
	case ICMPv6DestUnreachable:
		names = []string{
			"no route", "administratively prohibited", "beyond scope of source address", "address unreachable",
			"port unreachable", "source address failed policy", "reject route", "error in source routing header",
			"headers too long",
		}
	case ICMPv6TimeExceeded:
		names = []string{"hop limit exceeded in transit", "fragment reassembly time exceeded"}
	case ICMPv6ParamProblem:
		names = []string{
			"erroneous header field", "unrecognized next header", "unrecognized IPv6 option",
			"first fragment has incomplete header chain", "SR upper-layer header error",
			"unrecognized next header at intermediate node", "extension header too big",
			"extension header chain too long", "too many extension headers",
			"too many options in extension header", "option too big",
		}
	case ICMPv6RouterRenumbering:
		if code == 255 {
			return "sequence number reset"
		}
		names = []string{"command", "result"}
	case ICMPv6NodeInfoQuery:
		names = []string{"subject is an IPv6 address", "subject is a name", "subject is an IPv4 address"}
	case ICMPv6NodeInfoReply:
		names = []string{"successful", "refused", "unknown type of query"}
	case ICMPv6ExtendedEchoReply:
		names = extendedEchoCodes()
	}
	return nameOf(names, code)
}

// ICMPv6 is what all Internet Control Message Protocol version 6 messages begin
// with, RFC 4443, section 2.1. The message itself is the next layer, such as
// [ICMPv6Echo] or [NDPNeighborSolicitation].
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     Code      |          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Type follows from the next layer. Where that serves several types, pin it,
// unless it is to be the first of them: an echo reply is
//
//	pkts.ICMPv6{Type: pkts.Pin(pkts.ICMPv6EchoReply)}
type ICMPv6 struct {
	Type     Auto[ICMPv6Type]
	Code     uint8
	Checksum Auto[uint16] // of the whole message, with a pseudo-header
}

var _ Completer = (*ICMPv6)(nil)

var icmpv6Protocol = Protocol{
	Name:  "ICMPv6",
	New:   New[ICMPv6],
	Clone: Clone[ICMPv6],
	Index: indexICMPv6,
	At:    []Selector{{&ipProtosTable, uint64(IPProtoICMPv6)}},
	Fields: []Field{
		{"Type", icmpv6OffType * 8, 8},
		{"Code", icmpv6OffCode * 8, 8},
		{"Checksum", icmpv6OffChecksum * 8, 16},
	},
	kind: kindICMPv6,
}

// Proto returns the descriptor of ICMPv6.
func (*ICMPv6) Proto() *Protocol { return &icmpv6Protocol }

func indexICMPv6(b []byte, r *Registry) (Span, error) {
	if len(b) < ICMPv6Len {
		return Span{}, Truncated("ICMPv6", ICMPv6Len, len(b))
	}
	t := ICMPv6View(b).Type()
	s := Span{Header: ICMPv6Len, Payload: len(b) - ICMPv6Len, Next: r.icmpv6Type(t)}
	if t == ICMPv6MLDQuery && s.Next == kindMLD && s.Payload >= MLDv2QueryMinLen {
		s.Next = kindMLDv2Query
	}
	return s, nil
}

// Decode fills l from the header at the start of b, 4 bytes.
func (l *ICMPv6) Decode(b []byte) (int, error) {
	if len(b) < ICMPv6Len {
		return 0, Truncated("ICMPv6", ICMPv6Len, len(b))
	}
	v := ICMPv6View(b)
	l.Type = Seen(v.Type())
	l.Code = v.Code()
	l.Checksum = Seen(v.Checksum())
	return ICMPv6Len, nil
}

// AppendBinary appends the header to b.
func (l *ICMPv6) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, uint8(l.Type.value), l.Code)
	return binary.BigEndian.AppendUint16(b, l.Checksum.value), nil
}

// Complete computes Type and Checksum.
func (l *ICMPv6) Complete(c *Completion) error {
	if c.Wants("Type", icmpv6OffType, l.Type.mode) {
		have := c.Header()[icmpv6OffType]
		if c.next() != kindMLDv2Query || ICMPv6Type(have) != ICMPv6MLDQuery {
			have = uint8(c.Number(&icmpv6TypesTable, uint64(have), uint64(ICMPv6PrivateInfo1)))
		}
		c.PutUint8(have)
	}
	if c.Wants("Checksum", icmpv6OffChecksum, l.Checksum.mode) {
		sum, err := c.TransportChecksum(IPProtoICMPv6)
		if err != nil {
			return err
		}
		c.PutUint16(sum)
	}
	return nil
}

// CodeString returns the name of Code, or the number.
func (l *ICMPv6) CodeString() string { return l.Type.value.CodeString(l.Code) }

// ICMPv6View is an ICMPv6 header in place, with what follows it. Its methods
// panic when it is shorter than 4 bytes: those that [View] returns are not. The
// setters keep the checksum as right, or as wrong, as it was.
type ICMPv6View []byte

// Proto returns the descriptor of ICMPv6.
func (ICMPv6View) Proto() *Protocol { return &icmpv6Protocol }

func (v ICMPv6View) Type() ICMPv6Type { return ICMPv6Type(v[icmpv6OffType]) }
func (v ICMPv6View) Code() uint8      { return v[icmpv6OffCode] }
func (v ICMPv6View) Checksum() uint16 { return binary.BigEndian.Uint16(v[icmpv6OffChecksum:]) }
func (v ICMPv6View) Payload() []byte  { return v[ICMPv6Len:] }

func (v ICMPv6View) SetType(t ICMPv6Type) {
	setSummed16(v, icmpv6OffChecksum, icmpv6OffType, uint16(t)<<8|uint16(v.Code()))
}
func (v ICMPv6View) SetCode(c uint8) {
	setSummed16(v, icmpv6OffChecksum, icmpv6OffType, uint16(v.Type())<<8|uint16(c))
}
func (v ICMPv6View) SetChecksum(sum uint16) { binary.BigEndian.PutUint16(v[icmpv6OffChecksum:], sum) }

const (
	icmpv6EchoOffID  = 0
	icmpv6EchoOffSeq = 2
)

// ICMPv6EchoLen is the length of [ICMPv6Echo], in bytes.
const ICMPv6EchoLen = 4

// ICMPv6Echo is what an ICMPv6 echo request or reply has before its data,
// RFC 4443, section 4.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Identifier          |        Sequence Number        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv6Echo struct {
	ID, Seq uint16
}

var _ Layer = (*ICMPv6Echo)(nil)

var icmpv6EchoProtocol = Protocol{
	Name:  "ICMPv6Echo",
	New:   New[ICMPv6Echo],
	Clone: Clone[ICMPv6Echo],
	Index: indexICMPv6Echo,
	At: []Selector{
		{&icmpv6TypesTable, uint64(ICMPv6EchoRequest)},
		{&icmpv6TypesTable, uint64(ICMPv6EchoReply)},
	},
	Fields: []Field{
		{"ID", icmpv6EchoOffID * 8, 16},
		{"Seq", icmpv6EchoOffSeq * 8, 16},
	},
	kind: kindICMPv6Echo,
}

// Proto returns the descriptor of ICMPv6 echo messages.
func (*ICMPv6Echo) Proto() *Protocol { return &icmpv6EchoProtocol }

func indexICMPv6Echo(b []byte, _ *Registry) (Span, error) {
	if len(b) < ICMPv6EchoLen {
		return Span{}, Truncated("ICMPv6Echo", ICMPv6EchoLen, len(b))
	}
	return Span{Header: ICMPv6EchoLen, Payload: len(b) - ICMPv6EchoLen}, nil
}

// Decode fills l from the start of b, 4 bytes.
func (l *ICMPv6Echo) Decode(b []byte) (int, error) {
	if len(b) < ICMPv6EchoLen {
		return 0, Truncated("ICMPv6Echo", ICMPv6EchoLen, len(b))
	}
	v := ICMPv6EchoView(b)
	l.ID = v.ID()
	l.Seq = v.Seq()
	return ICMPv6EchoLen, nil
}

// AppendBinary appends the fields to b.
func (l *ICMPv6Echo) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, l.ID)
	return binary.BigEndian.AppendUint16(b, l.Seq), nil
}

// ICMPv6EchoView is an ICMPv6 echo message in place, without the header that
// all messages have. Its methods panic when it is shorter than 4 bytes: those
// that [View] returns are not. The setters do not touch the checksum, which
// lies in the header before it: see [AdjustChecksum].
type ICMPv6EchoView []byte

// Proto returns the descriptor of ICMPv6 echo messages.
func (ICMPv6EchoView) Proto() *Protocol { return &icmpv6EchoProtocol }

func (v ICMPv6EchoView) ID() uint16      { return binary.BigEndian.Uint16(v[icmpv6EchoOffID:]) }
func (v ICMPv6EchoView) Seq() uint16     { return binary.BigEndian.Uint16(v[icmpv6EchoOffSeq:]) }
func (v ICMPv6EchoView) Payload() []byte { return v[ICMPv6EchoLen:] }

func (v ICMPv6EchoView) SetID(id uint16) { binary.BigEndian.PutUint16(v[icmpv6EchoOffID:], id) }
func (v ICMPv6EchoView) SetSeq(n uint16) { binary.BigEndian.PutUint16(v[icmpv6EchoOffSeq:], n) }

const (
	icmpv6ExtEchoOffID    = 0
	icmpv6ExtEchoOffSeq   = 2
	icmpv6ExtEchoOffFlags = 3
)

// ICMPv6ExtendedEchoLen is the length of [ICMPv6ExtendedEcho], in bytes.
const ICMPv6ExtendedEchoLen = 4

// ICMPv6ExtendedEcho is an ICMPv6 extended echo request or reply, RFC 8335,
// sections 2 and 3. A request carries an [ICMPExtensions] that says which
// interface it asks about.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Identifier          |Sequence Number|State|Res|A|4|6|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv6ExtendedEcho struct {
	ID    uint16
	Seq   uint8
	Flags ICMPExtendedEchoFlags
}

var _ Layer = (*ICMPv6ExtendedEcho)(nil)

var icmpv6ExtendedEchoProtocol = Protocol{
	Name:  "ICMPv6ExtendedEcho",
	New:   New[ICMPv6ExtendedEcho],
	Clone: Clone[ICMPv6ExtendedEcho],
	Index: indexICMPv6ExtendedEcho,
	At: []Selector{
		{&icmpv6TypesTable, uint64(ICMPv6ExtendedEchoRequest)},
		{&icmpv6TypesTable, uint64(ICMPv6ExtendedEchoReply)},
	},
	Fields: []Field{
		{"ID", icmpv6ExtEchoOffID * 8, 16},
		{"Seq", icmpv6ExtEchoOffSeq * 8, 8},
		{"Flags", icmpv6ExtEchoOffFlags * 8, 8},
	},
	kind: kindICMPv6ExtendedEcho,
}

// Proto returns the descriptor of ICMPv6 extended echo messages.
func (*ICMPv6ExtendedEcho) Proto() *Protocol { return &icmpv6ExtendedEchoProtocol }

func indexICMPv6ExtendedEcho(b []byte, _ *Registry) (Span, error) {
	if len(b) < ICMPv6ExtendedEchoLen {
		return Span{}, Truncated("ICMPv6ExtendedEcho", ICMPv6ExtendedEchoLen, len(b))
	}
	p := b[ICMPv6ExtendedEchoLen:]
	return Span{Header: ICMPv6ExtendedEchoLen, Payload: len(p), Next: extensionsKind(p)}, nil
}

// Decode fills l from the start of b, 4 bytes.
func (l *ICMPv6ExtendedEcho) Decode(b []byte) (int, error) {
	if len(b) < ICMPv6ExtendedEchoLen {
		return 0, Truncated("ICMPv6ExtendedEcho", ICMPv6ExtendedEchoLen, len(b))
	}
	v := ICMPv6ExtendedEchoView(b)
	l.ID = v.ID()
	l.Seq = v.Seq()
	l.Flags = v.Flags()
	return ICMPv6ExtendedEchoLen, nil
}

// AppendBinary appends the fields to b.
func (l *ICMPv6ExtendedEcho) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, l.ID)
	return append(b, l.Seq, uint8(l.Flags)), nil
}

// ICMPv6ExtendedEchoView is an ICMPv6 extended echo message in place, without
// the header that all messages have. Its methods panic when it is shorter than
// 4 bytes: those that [View] returns are not. The setters do not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type ICMPv6ExtendedEchoView []byte

// Proto returns the descriptor of ICMPv6 extended echo messages.
func (ICMPv6ExtendedEchoView) Proto() *Protocol { return &icmpv6ExtendedEchoProtocol }

func (v ICMPv6ExtendedEchoView) ID() uint16 { return binary.BigEndian.Uint16(v[icmpv6ExtEchoOffID:]) }
func (v ICMPv6ExtendedEchoView) Seq() uint8 { return v[icmpv6ExtEchoOffSeq] }
func (v ICMPv6ExtendedEchoView) Flags() ICMPExtendedEchoFlags {
	return ICMPExtendedEchoFlags(v[icmpv6ExtEchoOffFlags])
}
func (v ICMPv6ExtendedEchoView) Payload() []byte { return v[ICMPv6ExtendedEchoLen:] }

func (v ICMPv6ExtendedEchoView) SetID(id uint16) {
	binary.BigEndian.PutUint16(v[icmpv6ExtEchoOffID:], id)
}
func (v ICMPv6ExtendedEchoView) SetSeq(n uint8) { v[icmpv6ExtEchoOffSeq] = n }
func (v ICMPv6ExtendedEchoView) SetFlags(f ICMPExtendedEchoFlags) {
	v[icmpv6ExtEchoOffFlags] = uint8(f)
}

const icmpv6ErrorOffWord = 0 // length, and bytes that are not in use

// ICMPv6ErrorLen is the length of [ICMPv6Error], [ICMPv6TooBig] and
// [ICMPv6BadParam], in bytes.
const ICMPv6ErrorLen = 4

// ICMPv6Error is what an ICMPv6 destination unreachable or time exceeded
// message has before the quoted packet, RFC 4443, sections 3.1 and 3.3, and
// RFC 4884, sections 4.4 and 4.5.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Length     |                  Unused                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The quoted packet is the next layer. An [ICMPExtensions] beside it, put there
// with [Packet.AddChild], follows it; the packet must then have been padded to
// a multiple of 8 bytes.
type ICMPv6Error struct {
	Length Auto[uint8] // of the quoted packet in words of 8 bytes if extensions follow it, 0 if not
	Unused uint32      // 24 bits
}

var _ Completer = (*ICMPv6Error)(nil)

var icmpv6ErrorProtocol = Protocol{
	Name:  "ICMPv6Error",
	New:   New[ICMPv6Error],
	Clone: Clone[ICMPv6Error],
	Index: indexICMPv6Error,
	At: []Selector{
		{&icmpv6TypesTable, uint64(ICMPv6DestUnreachable)},
		{&icmpv6TypesTable, uint64(ICMPv6TimeExceeded)},
	},
	Fields: []Field{
		{"Length", icmpv6ErrorOffWord * 8, 8},
		{"Unused", icmpv6ErrorOffWord*8 + 8, 24},
	},
	Trailer: &icmpExtensionsProtocol,
	kind:    kindICMPv6Error,
}

// Proto returns the descriptor of ICMPv6 errors.
func (*ICMPv6Error) Proto() *Protocol { return &icmpv6ErrorProtocol }

func indexICMPv6Error(b []byte, _ *Registry) (Span, error) {
	if len(b) < ICMPv6ErrorLen {
		return Span{}, Truncated("ICMPv6Error", ICMPv6ErrorLen, len(b))
	}
	s := Span{Header: ICMPv6ErrorLen, Payload: len(b) - ICMPv6ErrorLen}
	quote(&s, b, int(ICMPv6ErrorView(b).Length())*8)
	return s, nil
}

// Decode fills l from the start of b, 4 bytes.
func (l *ICMPv6Error) Decode(b []byte) (int, error) {
	if len(b) < ICMPv6ErrorLen {
		return 0, Truncated("ICMPv6Error", ICMPv6ErrorLen, len(b))
	}
	v := ICMPv6ErrorView(b)
	l.Length = Seen(v.Length())
	l.Unused = v.Unused()
	return ICMPv6ErrorLen, nil
}

// AppendBinary appends the fields to b.
func (l *ICMPv6Error) AppendBinary(b []byte) ([]byte, error) {
	if l.Unused > 0xffffff {
		return b, TooLong("ICMPv6Error", "Unused", int(l.Unused), 0xffffff)
	}
	return binary.BigEndian.AppendUint32(b, uint32(l.Length.value)<<24|l.Unused), nil
}

// Complete computes Length.
func (l *ICMPv6Error) Complete(c *Completion) error {
	n, _ := c.quoteLen()
	return c.completeQuoteLen("Length", icmpv6ErrorOffWord, l.Length.mode, n, 8)
}

// ICMPv6ErrorView is an ICMPv6 destination unreachable or time exceeded message
// in place, without the header that all messages have. Its methods panic when
// it is shorter than 4 bytes: those that [View] returns are not. The setters do
// not touch the checksum, which lies in the header before it: see
// [AdjustChecksum].
type ICMPv6ErrorView []byte

// Proto returns the descriptor of ICMPv6 errors.
func (ICMPv6ErrorView) Proto() *Protocol { return &icmpv6ErrorProtocol }

func (v ICMPv6ErrorView) Length() uint8 { return v[icmpv6ErrorOffWord] } // words of 8 bytes
func (v ICMPv6ErrorView) Unused() uint32 {
	return binary.BigEndian.Uint32(v[icmpv6ErrorOffWord:]) & 0xffffff
}
func (v ICMPv6ErrorView) Payload() []byte { return v[ICMPv6ErrorLen:] }

func (v ICMPv6ErrorView) SetLength(words uint8) { v[icmpv6ErrorOffWord] = words }

// ICMPv6TooBig is what an ICMPv6 packet too big message has before the quoted
// packet, RFC 4443, section 3.2.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                             MTU                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv6TooBig struct {
	MTU uint32 // of the next hop, in bytes
}

var _ Layer = (*ICMPv6TooBig)(nil)

var icmpv6TooBigProtocol = Protocol{
	Name:   "ICMPv6TooBig",
	New:    New[ICMPv6TooBig],
	Clone:  Clone[ICMPv6TooBig],
	Index:  func(b []byte, _ *Registry) (Span, error) { return indexQuote("ICMPv6TooBig", b) },
	At:     []Selector{{&icmpv6TypesTable, uint64(ICMPv6PacketTooBig)}},
	Fields: []Field{{"MTU", icmpv6ErrorOffWord * 8, 32}},
	kind:   kindICMPv6TooBig,
}

// indexQuote returns the span of an error message whose quoted packet goes to
// the end.
func indexQuote(name string, b []byte) (Span, error) {
	if len(b) < ICMPv6ErrorLen {
		return Span{}, Truncated(name, ICMPv6ErrorLen, len(b))
	}
	s := Span{Header: ICMPv6ErrorLen, Payload: len(b) - ICMPv6ErrorLen}
	quote(&s, b, 0)
	return s, nil
}

// Proto returns the descriptor of ICMPv6 packet too big messages.
func (*ICMPv6TooBig) Proto() *Protocol { return &icmpv6TooBigProtocol }

// Decode fills l from the start of b, 4 bytes.
func (l *ICMPv6TooBig) Decode(b []byte) (int, error) {
	if len(b) < ICMPv6ErrorLen {
		return 0, Truncated("ICMPv6TooBig", ICMPv6ErrorLen, len(b))
	}
	l.MTU = ICMPv6TooBigView(b).MTU()
	return ICMPv6ErrorLen, nil
}

// AppendBinary appends the MTU to b.
func (l *ICMPv6TooBig) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(b, l.MTU), nil
}

// ICMPv6TooBigView is an ICMPv6 packet too big message in place, without the
// header that all messages have. Its methods panic when it is shorter than 4
// bytes: those that [View] returns are not. The setter does not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type ICMPv6TooBigView []byte

// Proto returns the descriptor of ICMPv6 packet too big messages.
func (ICMPv6TooBigView) Proto() *Protocol { return &icmpv6TooBigProtocol }

func (v ICMPv6TooBigView) MTU() uint32     { return binary.BigEndian.Uint32(v[icmpv6ErrorOffWord:]) }
func (v ICMPv6TooBigView) Payload() []byte { return v[ICMPv6ErrorLen:] }

func (v ICMPv6TooBigView) SetMTU(mtu uint32) {
	binary.BigEndian.PutUint32(v[icmpv6ErrorOffWord:], mtu)
}

// ICMPv6BadParam is what an ICMPv6 parameter problem message has before the
// quoted packet, RFC 4443, section 3.4.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Pointer                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv6BadParam struct {
	Pointer uint32 // which byte of the quoted packet is at fault, counted from 0; it may lie beyond what is quoted
}

var _ Layer = (*ICMPv6BadParam)(nil)

var icmpv6BadParamProtocol = Protocol{
	Name:   "ICMPv6BadParam",
	New:    New[ICMPv6BadParam],
	Clone:  Clone[ICMPv6BadParam],
	Index:  func(b []byte, _ *Registry) (Span, error) { return indexQuote("ICMPv6BadParam", b) },
	At:     []Selector{{&icmpv6TypesTable, uint64(ICMPv6ParamProblem)}},
	Fields: []Field{{"Pointer", icmpv6ErrorOffWord * 8, 32}},
	kind:   kindICMPv6BadParam,
}

// Proto returns the descriptor of ICMPv6 parameter problem messages.
func (*ICMPv6BadParam) Proto() *Protocol { return &icmpv6BadParamProtocol }

// Decode fills l from the start of b, 4 bytes.
func (l *ICMPv6BadParam) Decode(b []byte) (int, error) {
	if len(b) < ICMPv6ErrorLen {
		return 0, Truncated("ICMPv6BadParam", ICMPv6ErrorLen, len(b))
	}
	l.Pointer = ICMPv6BadParamView(b).Pointer()
	return ICMPv6ErrorLen, nil
}

// AppendBinary appends the pointer to b.
func (l *ICMPv6BadParam) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(b, l.Pointer), nil
}

// ICMPv6BadParamView is an ICMPv6 parameter problem message in place, without
// the header that all messages have. Its methods panic when it is shorter than
// 4 bytes: those that [View] returns are not. The setter does not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type ICMPv6BadParamView []byte

// Proto returns the descriptor of ICMPv6 parameter problem messages.
func (ICMPv6BadParamView) Proto() *Protocol { return &icmpv6BadParamProtocol }

func (v ICMPv6BadParamView) Pointer() uint32 {
	return binary.BigEndian.Uint32(v[icmpv6ErrorOffWord:])
}
func (v ICMPv6BadParamView) Payload() []byte { return v[ICMPv6ErrorLen:] }

func (v ICMPv6BadParamView) SetPointer(p uint32) {
	binary.BigEndian.PutUint32(v[icmpv6ErrorOffWord:], p)
}
