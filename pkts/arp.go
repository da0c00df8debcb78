package pkts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gopkts/gopkts/common/link"
)

const (
	arpOffHardwareType = 0
	arpOffProtocolType = 2
	arpOffHardwareLen  = 4
	arpOffProtocolLen  = 5
	arpOffOp           = 6
	arpOffAddrs        = 8
)

const (
	// ARPMinLen is the length of an ARP header before the addresses, in bytes.
	ARPMinLen = 8
	// ARPLen is the length of one with MAC and IPv4 addresses.
	ARPLen = 28
	// ARPMaxLen is the longest one that the address lengths describe.
	ARPMaxLen = ARPMinLen + 4*255
)

// ARPOp is the operation of an ARP packet,
// https://www.iana.org/assignments/arp-parameters.
type ARPOp uint16

const (
	ARPRequest        ARPOp = 1 // RFC 826
	ARPReply          ARPOp = 2
	ARPReverseRequest ARPOp = 3 // RARP, RFC 903
	ARPReverseReply   ARPOp = 4
	ARPDynamicRequest ARPOp = 5 // DRARP, RFC 1931
	ARPDynamicReply   ARPOp = 6
	ARPDynamicError   ARPOp = 7
	ARPInverseRequest ARPOp = 8 // InARP, RFC 2390
	ARPInverseReply   ARPOp = 9
	ARPNAK            ARPOp = 10 // ATM, RFC 1577
	ARPMARSRequest    ARPOp = 11 // multicast over ATM, RFC 2022
	ARPMARSMulti      ARPOp = 12
	ARPMARSMServ      ARPOp = 13
	ARPMARSJoin       ARPOp = 14
	ARPMARSLeave      ARPOp = 15
	ARPMARSNAK        ARPOp = 16
	ARPMARSUnserv     ARPOp = 17
	ARPMARSSJoin      ARPOp = 18
	ARPMARSSLeave     ARPOp = 19
	ARPMARSListReq    ARPOp = 20 // group list request
	ARPMARSListReply  ARPOp = 21
	ARPMARSRedirect   ARPOp = 22 // redirect map
	ARPMAPOSUnARP     ARPOp = 23 // RFC 2176
	ARPExperiment1    ARPOp = 24 // RFC 5494
	ARPExperiment2    ARPOp = 25
)

// String returns the operation's name, or the number.
func (o ARPOp) String() string {
	switch o {
	case ARPRequest:
		return "request"
	case ARPReply:
		return "reply"
	case ARPReverseRequest:
		return "reverse request"
	case ARPReverseReply:
		return "reverse reply"
	case ARPDynamicRequest:
		return "dynamic reverse request"
	case ARPDynamicReply:
		return "dynamic reverse reply"
	case ARPDynamicError:
		return "dynamic reverse error"
	case ARPInverseRequest:
		return "inverse request"
	case ARPInverseReply:
		return "inverse reply"
	case ARPNAK:
		return "NAK"
	case ARPMARSRequest:
		return "MARS request"
	case ARPMARSMulti:
		return "MARS multi"
	case ARPMARSMServ:
		return "MARS mserv"
	case ARPMARSJoin:
		return "MARS join"
	case ARPMARSLeave:
		return "MARS leave"
	case ARPMARSNAK:
		return "MARS NAK"
	case ARPMARSUnserv:
		return "MARS unserv"
	case ARPMARSSJoin:
		return "MARS sjoin"
	case ARPMARSSLeave:
		return "MARS sleave"
	case ARPMARSListReq:
		return "MARS group list request"
	case ARPMARSListReply:
		return "MARS group list reply"
	case ARPMARSRedirect:
		return "MARS redirect map"
	case ARPMAPOSUnARP:
		return "MAPOS UNARP"
	case ARPExperiment1:
		return "experimental 1"
	case ARPExperiment2:
		return "experimental 2"
	default:
		return fmt.Sprintf("%d", uint16(o))
	}
}

// isReverse reports whether the operation is one of RARP or DRARP.
func (o ARPOp) isReverse() bool { return o >= ARPReverseRequest && o <= ARPDynamicError }

// ARPHardware is a kind of link-layer address,
// https://www.iana.org/assignments/arp-parameters.
type ARPHardware uint16

const (
	ARPEthernet             ARPHardware = 1
	ARPExperimentalEthernet ARPHardware = 2 // 3 Mbit/s
	ARPAX25                 ARPHardware = 3
	ARPProNET               ARPHardware = 4
	ARPChaos                ARPHardware = 5
	ARPIEEE802              ARPHardware = 6
	ARPARCNET               ARPHardware = 7
	ARPLocalTalk            ARPHardware = 11
	ARPFrameRelay           ARPHardware = 15 // RFC 2390
	ARPATM                  ARPHardware = 16
	ARPHDLC                 ARPHardware = 17
	ARPFibreChannel         ARPHardware = 18 // RFC 4338
	ARPATM2225              ARPHardware = 19 // RFC 2225, with a header of its own
	ARPSerial               ARPHardware = 20
	ARPIEEE1394             ARPHardware = 24 // RFC 2734, with a header of its own
	ARPEUI64                ARPHardware = 27
	ARPIPsecTunnel          ARPHardware = 31
	ARPInfiniBand           ARPHardware = 32 // RFC 4391
	ARPPureIP               ARPHardware = 35
	ARPHardwareExperiment1  ARPHardware = 36  // RFC 5494
	ARPHardwareExperiment2  ARPHardware = 256 // RFC 5494
)

// arpHardwareNames are the names by number; 0 is reserved.
var arpHardwareNames = [...]string{
	1:  "Ethernet",
	2:  "experimental Ethernet",
	3:  "AX.25",
	4:  "ProNET token ring",
	5:  "Chaos",
	6:  "IEEE 802",
	7:  "ARCNET",
	8:  "Hyperchannel",
	9:  "Lanstar",
	10: "Autonet",
	11: "LocalTalk",
	12: "LocalNet",
	13: "Ultra link",
	14: "SMDS",
	15: "Frame Relay",
	16: "ATM",
	17: "HDLC",
	18: "Fibre Channel",
	19: "ATM (RFC 2225)",
	20: "serial line",
	21: "ATM (21)",
	22: "MIL-STD-188-220",
	23: "Metricom",
	24: "IEEE 1394",
	25: "MAPOS",
	26: "twinaxial",
	27: "EUI-64",
	28: "HIPARP",
	29: "ISO 7816-3",
	30: "ARPSec",
	31: "IPsec tunnel",
	32: "InfiniBand",
	33: "TIA-102 CAI",
	34: "Wiegand",
	35: "pure IP",
	36: "experimental 1",
	37: "HFI",
	38: "unified bus",
}

// String returns the name, or the number.
func (h ARPHardware) String() string {
	if int(h) < len(arpHardwareNames) && h != 0 {
		return arpHardwareNames[h]
	}
	switch h {
	case ARPHardwareExperiment2:
		return "experimental 2"
	case 257:
		return "AEthernet"
	}
	return fmt.Sprintf("%d", uint16(h))
}

// ARP is an Address Resolution Protocol packet, RFC 826, and a Reverse ARP
// packet, RFC 903, which differs in operation and EtherType.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Hardware Type         |         Protocol Type         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Hardware Len. | Protocol Len. |           Operation           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Sender hardware and protocol address (variable)        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Target hardware and protocol address (variable)        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Nearly all ARP is about MAC and IPv4 addresses. A request for one is
//
//	&pkts.ARP{Op: pkts.ARPRequest, SenderMAC: mac, SenderIP: ip, TargetIP: wanted}
//
// Addresses of other lengths are in fields of their own: whichever of
// SenderHardware and TargetHardware is not nil is encoded instead of the MAC
// address beside it, and likewise the protocol addresses. A decoded packet has
// those set exactly when the addresses are not of 6, or not of 4 bytes.
//
// The layer below announces a packet that is built as ARP, or as RARP when Op
// is one of the operations of RARP and DRARP.
type ARP struct {
	HardwareType Auto[ARPHardware] // [ARPEthernet] unless pinned
	ProtocolType Auto[EtherType]   // [EtherTypeIPv4] unless pinned
	// HardwareLen and ProtocolLen are the lengths of one address, in bytes.
	// They follow from the addresses unless pinned.
	HardwareLen, ProtocolLen Auto[uint8]
	Op                       ARPOp

	SenderMAC link.MacAddr
	SenderIP  netip.Addr // an IPv4 address; the zero Addr is 0.0.0.0
	TargetMAC link.MacAddr
	TargetIP  netip.Addr // an IPv4 address; the zero Addr is 0.0.0.0

	// Addresses of other lengths, of at most 255 bytes, each as long as its
	// counterpart. They alias the packet after decoding.
	SenderHardware, SenderProtocol []byte
	TargetHardware, TargetProtocol []byte
}

var _ Layer = (*ARP)(nil)

var arpProtocol = Protocol{
	Name:  "ARP",
	New:   New[ARP],
	Clone: cloneARP,
	Index: indexARP,
	At: []Selector{
		{&etherTypesTable, uint32(EtherTypeARP)},
		{&etherTypesTable, uint32(EtherTypeRARP)},
	},
	Fields: []Field{
		{"HardwareType", arpOffHardwareType * 8, 16},
		{"ProtocolType", arpOffProtocolType * 8, 16},
		{"HardwareLen", arpOffHardwareLen * 8, 8},
		{"ProtocolLen", arpOffProtocolLen * 8, 8},
		{"Op", arpOffOp * 8, 16},
		{"SenderMAC", arpOffAddrs * 8, 48},
		{"SenderIP", (arpOffAddrs + 6) * 8, 32},
		{"TargetMAC", (arpOffAddrs + 10) * 8, 48},
		{"TargetIP", (arpOffAddrs + 16) * 8, 32},
	},
	kind: kindARP,
}

// The lengths of the addresses that have fields of their own type.
const (
	arpMACLen = 6
	arpIPLen  = 4
)

// Proto returns the descriptor of ARP.
func (*ARP) Proto() *Protocol { return &arpProtocol }

func cloneARP(l Layer) Layer {
	c := *l.(*ARP)
	c.SenderHardware = slices.Clone(c.SenderHardware)
	c.SenderProtocol = slices.Clone(c.SenderProtocol)
	c.TargetHardware = slices.Clone(c.TargetHardware)
	c.TargetProtocol = slices.Clone(c.TargetProtocol)
	return &c
}

func indexARP(b []byte, _ *Registry) (Span, error) {
	n, err := ARPView(b).check()
	return Span{Header: n}, err
}

// check returns the length of the header, or why there is none.
func (v ARPView) check() (int, error) {
	if len(v) < ARPMinLen {
		return 0, Truncated("ARP", ARPMinLen, len(v))
	}
	switch v.HardwareType() {
	case ARPATM2225, ARPIEEE1394:
		return 0, &DecodeError{Layer: "ARP", Reason: v.HardwareType().String() + " has a header of its own", Err: errors.ErrUnsupported}
	}
	if n := v.HeaderLen(); n > len(v) {
		return 0, Truncated("ARP", n, len(v))
	}
	return v.HeaderLen(), nil
}

// Decode fills l from the header at the start of b, 28 bytes for MAC and IPv4
// addresses. The error for ATM, RFC 2225, and IEEE 1394, RFC 2734, whose ARP
// has another layout, is [errors.ErrUnsupported].
func (l *ARP) Decode(b []byte) (int, error) {
	v := ARPView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	*l = ARP{
		HardwareType: Seen(v.HardwareType()),
		ProtocolType: Seen(v.ProtocolType()),
		HardwareLen:  Seen(v.HardwareLen()),
		ProtocolLen:  Seen(v.ProtocolLen()),
		Op:           v.Op(),
	}
	if v.HardwareLen() == arpMACLen {
		l.SenderMAC, l.TargetMAC = link.MacAddr(v.SenderHardware()), link.MacAddr(v.TargetHardware())
	} else {
		l.SenderHardware, l.TargetHardware = v.SenderHardware(), v.TargetHardware()
	}
	if v.ProtocolLen() == arpIPLen {
		l.SenderIP, l.TargetIP = v.ip(v.SenderProtocol()), v.ip(v.TargetProtocol())
	} else {
		l.SenderProtocol, l.TargetProtocol = v.SenderProtocol(), v.TargetProtocol()
	}
	return n, nil
}

// AppendBinary appends the header to b.
func (l *ARP) AppendBinary(b []byte) ([]byte, error) {
	senderIP, ok := addr4(l.SenderIP)
	if !ok {
		return b, wrongAddr("ARP", "SenderIP", l.SenderIP)
	}
	targetIP, ok := addr4(l.TargetIP)
	if !ok {
		return b, wrongAddr("ARP", "TargetIP", l.TargetIP)
	}
	senderHW, targetHW := l.SenderMAC[:], l.TargetMAC[:]
	senderProto, targetProto := senderIP[:], targetIP[:]
	if l.SenderHardware != nil {
		senderHW = l.SenderHardware
	}
	if l.TargetHardware != nil {
		targetHW = l.TargetHardware
	}
	if l.SenderProtocol != nil {
		senderProto = l.SenderProtocol
	}
	if l.TargetProtocol != nil {
		targetProto = l.TargetProtocol
	}
	switch {
	case len(senderHW) != len(targetHW):
		return b, arpLengths("TargetHardware", len(targetHW), len(senderHW))
	case len(senderProto) != len(targetProto):
		return b, arpLengths("TargetProtocol", len(targetProto), len(senderProto))
	case len(senderHW) > 255:
		return b, TooLong("ARP", "SenderHardware", len(senderHW), 255)
	case len(senderProto) > 255:
		return b, TooLong("ARP", "SenderProtocol", len(senderProto), 255)
	}
	hw, proto := ARPEthernet, EtherTypeIPv4
	if l.HardwareType.mode != ModeAuto {
		hw = l.HardwareType.value
	}
	if l.ProtocolType.mode != ModeAuto {
		proto = l.ProtocolType.value
	}
	// A length that was decoded was right: the addresses were cut by it.
	hwLen, protoLen := uint8(len(senderHW)), uint8(len(senderProto))
	if l.HardwareLen.mode == ModePinned {
		hwLen = l.HardwareLen.value
	}
	if l.ProtocolLen.mode == ModePinned {
		protoLen = l.ProtocolLen.value
	}
	b = binary.BigEndian.AppendUint16(b, uint16(hw))
	b = binary.BigEndian.AppendUint16(b, uint16(proto))
	b = append(b, hwLen, protoLen)
	b = binary.BigEndian.AppendUint16(b, uint16(l.Op))
	b = append(b, senderHW...)
	b = append(b, senderProto...)
	b = append(b, targetHW...)
	return append(b, targetProto...), nil
}

// arpLengths is the error for addresses of different lengths.
func arpLengths(field string, have, want int) error {
	return &EncodeError{Layer: "ARP", Field: field, Reason: fmt.Sprintf("%d bytes, and the sender's has %d: give both the same length", have, want), Err: ErrMalformed}
}

// ARPView is an ARP packet in place. Its methods panic when it is shorter than
// the header: those that [View] returns are not.
type ARPView []byte

// Proto returns the descriptor of ARP.
func (ARPView) Proto() *Protocol { return &arpProtocol }

func (v ARPView) HardwareType() ARPHardware {
	return ARPHardware(binary.BigEndian.Uint16(v[arpOffHardwareType:]))
}
func (v ARPView) ProtocolType() EtherType {
	return EtherType(binary.BigEndian.Uint16(v[arpOffProtocolType:]))
}
func (v ARPView) HardwareLen() uint8 { return v[arpOffHardwareLen] }
func (v ARPView) ProtocolLen() uint8 { return v[arpOffProtocolLen] }
func (v ARPView) Op() ARPOp          { return ARPOp(binary.BigEndian.Uint16(v[arpOffOp:])) }

// HeaderLen returns the length of the header with its addresses, in bytes.
func (v ARPView) HeaderLen() int {
	return ARPMinLen + 2*int(v[arpOffHardwareLen]) + 2*int(v[arpOffProtocolLen])
}

// SenderHardware, SenderProtocol, TargetHardware and TargetProtocol return an
// address of any length. They alias the packet.
func (v ARPView) SenderHardware() []byte { return v.addr(0, 0, v.HardwareLen()) }
func (v ARPView) SenderProtocol() []byte { return v.addr(1, 0, v.ProtocolLen()) }
func (v ARPView) TargetHardware() []byte { return v.addr(1, 1, v.HardwareLen()) }
func (v ARPView) TargetProtocol() []byte { return v.addr(2, 1, v.ProtocolLen()) }

// addr returns the n bytes behind so many hardware and protocol addresses.
func (v ARPView) addr(hw, proto int, n uint8) []byte {
	off := arpOffAddrs + hw*int(v[arpOffHardwareLen]) + proto*int(v[arpOffProtocolLen])
	return v[off : off+int(n) : off+int(n)]
}

// SenderMAC and TargetMAC return a hardware address of 6 bytes, and false when
// it has another length.
func (v ARPView) SenderMAC() (link.MacAddr, bool) { return v.mac(v.SenderHardware()) }
func (v ARPView) TargetMAC() (link.MacAddr, bool) { return v.mac(v.TargetHardware()) }

// SenderIP and TargetIP return a protocol address of 4 bytes, and false when it
// has another length.
func (v ARPView) SenderIP() (netip.Addr, bool) {
	a := v.ip(v.SenderProtocol())
	return a, a.IsValid()
}
func (v ARPView) TargetIP() (netip.Addr, bool) {
	a := v.ip(v.TargetProtocol())
	return a, a.IsValid()
}

func (v ARPView) mac(b []byte) (link.MacAddr, bool) {
	if len(b) != arpMACLen {
		return link.MacAddr{}, false
	}
	return link.MacAddr(b), true
}

func (v ARPView) ip(b []byte) netip.Addr {
	if len(b) != arpIPLen {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}

func (v ARPView) SetHardwareType(h ARPHardware) {
	binary.BigEndian.PutUint16(v[arpOffHardwareType:], uint16(h))
}
func (v ARPView) SetProtocolType(t EtherType) {
	binary.BigEndian.PutUint16(v[arpOffProtocolType:], uint16(t))
}
func (v ARPView) SetOp(o ARPOp) { binary.BigEndian.PutUint16(v[arpOffOp:], uint16(o)) }

// SetSenderMAC and SetTargetMAC set a hardware address. They report false, and
// change nothing, when those of the packet are not of 6 bytes.
func (v ARPView) SetSenderMAC(a link.MacAddr) bool { return setSame(v.SenderHardware(), a[:]) }
func (v ARPView) SetTargetMAC(a link.MacAddr) bool { return setSame(v.TargetHardware(), a[:]) }

// SetSenderIP and SetTargetIP set a protocol address, which must be IPv4. They
// report false, and change nothing, when those of the packet are not of 4
// bytes.
func (v ARPView) SetSenderIP(a netip.Addr) bool {
	a4 := a.As4()
	return setSame(v.SenderProtocol(), a4[:])
}
func (v ARPView) SetTargetIP(a netip.Addr) bool {
	a4 := a.As4()
	return setSame(v.TargetProtocol(), a4[:])
}

// setSame copies src to dst when they have the same length.
func setSame(dst, src []byte) bool { return len(dst) == len(src) && copy(dst, src) == len(src) }
