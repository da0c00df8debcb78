package pkts

import (
	"encoding/binary"
	"fmt"

	"github.com/gopkts/gopkts/common/link"
)

const (
	sllOffPacketType   = 0
	sllOffHardwareType = 2
	sllOffAddrLen      = 4
	sllOffAddr         = 6
	sllOffProtocol     = 14
)

const (
	sll2OffProtocol     = 0
	sll2OffReserved     = 2
	sll2OffInterface    = 4
	sll2OffHardwareType = 8
	sll2OffPacketType   = 10
	sll2OffAddrLen      = 11
	sll2OffAddr         = 12
)

const (
	// SLLLen is the length of an SLL header, in bytes.
	SLLLen = 16
	// SLL2Len is the length of an SLL2 header, in bytes.
	SLL2Len = 20
	// sllAddrLen is how much of an address they hold, in bytes.
	sllAddrLen = 8
)

// SLLPacketType says how a packet came by the interface, linux/if_packet.h. It
// has 16 bits in [SLL] and 8 in [SLL2].
type SLLPacketType uint16

const (
	SLLHost      SLLPacketType = 0 // sent to this host
	SLLBroadcast SLLPacketType = 1
	SLLMulticast SLLPacketType = 2
	SLLOtherHost SLLPacketType = 3 // sent from one other host to another
	SLLOutgoing  SLLPacketType = 4 // sent by this host
)

// String returns "host", "broadcast", "multicast", "other host", "outgoing" or
// the number.
func (t SLLPacketType) String() string {
	switch t {
	case SLLHost:
		return "host"
	case SLLBroadcast:
		return "broadcast"
	case SLLMulticast:
		return "multicast"
	case SLLOtherHost:
		return "other host"
	case SLLOutgoing:
		return "outgoing"
	default:
		return fmt.Sprintf("%d", uint16(t))
	}
}

// Direction returns what the packet type says of the packet's way.
func (t SLLPacketType) Direction() link.Direction {
	switch t {
	case SLLHost:
		return link.DirectionIn
	case SLLBroadcast:
		return link.DirectionBroadcast
	case SLLMulticast:
		return link.DirectionMulticast
	case SLLOtherHost:
		return link.DirectionOther
	case SLLOutgoing:
		return link.DirectionOut
	default:
		return link.DirectionUnknown
	}
}

// ARPHRD is a Linux device type, linux/if_arp.h: up to 255 an [ARPHardware],
// above that Linux's own.
type ARPHRD uint16

const (
	ARPHRDEthernet ARPHRD = 1
	ARPHRDCAN      ARPHRD = 280
	ARPHRDPPP      ARPHRD = 512
	ARPHRDTunnel   ARPHRD = 768 // IPv4 in IPv4
	ARPHRDTunnel6  ARPHRD = 769 // in IPv6
	ARPHRDFRAD     ARPHRD = 770 // frame relay access device
	ARPHRDLoopback ARPHRD = 772
	ARPHRDSIT      ARPHRD = 776    // IPv6 in IPv4
	ARPHRDGRE      ARPHRD = 778    // GRE in IPv4
	ARPHRD80211    ARPHRD = 801    // IEEE 802.11
	ARPHRDPrism    ARPHRD = 802    // IEEE 802.11 behind a Prism header
	ARPHRDRadiotap ARPHRD = 803    // IEEE 802.11 behind a radiotap header
	ARPHRD802154   ARPHRD = 804    // IEEE 802.15.4
	ARPHRDGRE6     ARPHRD = 823    // GRE in IPv6
	ARPHRDNetlink  ARPHRD = 824    // netlink monitor
	ARPHRDVsockMon ARPHRD = 826    // vsock monitor
	ARPHRDNone     ARPHRD = 0xfffe // no link layer, such as a TUN device
	ARPHRDVoid     ARPHRD = 0xffff // nothing is known
)

// String returns the device type's name, or the number.
func (h ARPHRD) String() string {
	if h > 0 && h < 256 {
		return ARPHardware(h).String()
	}
	switch h {
	case ARPHRDCAN:
		return "CAN"
	case ARPHRDPPP:
		return "PPP"
	case ARPHRDTunnel:
		return "IPv4 tunnel"
	case ARPHRDTunnel6:
		return "IPv6 tunnel"
	case ARPHRDFRAD:
		return "Frame Relay access device"
	case ARPHRDLoopback:
		return "loopback"
	case ARPHRDSIT:
		return "SIT tunnel"
	case ARPHRDGRE:
		return "GRE"
	case ARPHRD80211:
		return "802.11"
	case ARPHRDPrism:
		return "802.11 Prism"
	case ARPHRDRadiotap:
		return "802.11 radiotap"
	case ARPHRD802154:
		return "802.15.4"
	case ARPHRDGRE6:
		return "GRE over IPv6"
	case ARPHRDNetlink:
		return "netlink"
	case ARPHRDVsockMon:
		return "vsock monitor"
	case ARPHRDNone:
		return "none"
	case ARPHRDVoid:
		return "void"
	default:
		return fmt.Sprintf("%d", uint16(h))
	}
}

// The numbers below the EtherTypes that Linux uses for frames without one,
// linux/if_ether.h.
const (
	// EtherTypeLinuxNovell is IPX directly behind an IEEE 802.3 length.
	EtherTypeLinuxNovell EtherType = 0x0001
	// EtherTypeLinuxAll is a whole Ethernet frame.
	EtherTypeLinuxAll EtherType = 0x0003
	// EtherTypeLinuxLLC is an IEEE 802.2 header: [LLC].
	EtherTypeLinuxLLC EtherType = 0x0004
	// EtherTypeLinuxCAN and EtherTypeLinuxCANFD are CAN frames.
	EtherTypeLinuxCAN   EtherType = 0x000c
	EtherTypeLinuxCANFD EtherType = 0x000d
)

// SLL is the header that libpcap puts before packets from a Linux socket that
// has no link layer, or many: LINKTYPE_LINUX_SLL,
// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Packet type          |          ARPHRD type          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Address length        |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//	|                       Address (8 bytes)                       |
//	+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |         Protocol type         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type SLL struct {
	PacketType   SLLPacketType
	HardwareType ARPHRD
	// AddrLen is how many bytes of Addr count. It may be more than 8: then
	// the rest of the sender's link-layer address is lost.
	AddrLen uint16
	Addr    [8]byte
	// Protocol is an EtherType, or one of the numbers that Linux uses for
	// what has none. For netlink devices it is a netlink family instead, and
	// for those of frame relay and radiotap it says nothing: their payload is
	// [Raw].
	Protocol Auto[EtherType]
}

var _ Completer = (*SLL)(nil)

var sllProtocol = Protocol{
	Name:  "SLL",
	New:   New[SLL],
	Clone: Clone[SLL],
	Index: indexSLL,
	At:    []Selector{{&linkTypesTable, uint64(link.TypeLinuxSLL)}},
	Fields: []Field{
		{"PacketType", sllOffPacketType * 8, 16},
		{"HardwareType", sllOffHardwareType * 8, 16},
		{"AddrLen", sllOffAddrLen * 8, 16},
		{"Addr", sllOffAddr * 8, 64},
		{"Protocol", sllOffProtocol * 8, 16},
	},
	kind: kindSLL,
}

// Proto returns the descriptor of SLL.
func (*SLL) Proto() *Protocol { return &sllProtocol }

func indexSLL(b []byte, r *Registry) (Span, error) {
	if len(b) < SLLLen {
		return Span{}, Truncated("SLL", SLLLen, len(b))
	}
	v := SLLView(b)
	return Span{Header: SLLLen, Payload: len(b) - SLLLen, Next: r.linuxProtocol(v.HardwareType(), v.Protocol())}, nil
}

// linuxProtocol returns what a Linux device of type h announces as t. A program
// may bind the numbers below the EtherTypes in [EtherTypes], too.
func (r *Registry) linuxProtocol(h ARPHRD, t EtherType) Kind {
	switch h {
	case ARPHRDNetlink, ARPHRDRadiotap, ARPHRDFRAD:
		return KindRaw
	}
	k := r.etherType(t)
	if k == KindRaw {
		switch t {
		case EtherTypeLinuxLLC:
			k = kindLLC
		case EtherTypeLinuxAll:
			k = kindEthernet
		}
	}
	return k
}

// completeLinuxProtocol computes a field that [Registry.linuxProtocol] reads.
func completeLinuxProtocol(c *Completion, off int, h ARPHRD, m Mode) {
	if !c.Wants("Protocol", off, m) {
		return
	}
	have := EtherType(c.Uint16(off))
	t := have
	next, r := c.next(), c.p.registry()
	switch {
	case next != KindRaw && r.linuxProtocol(h, have) == next && m == ModeSeen:
	case next == kindLLC:
		t = EtherTypeLinuxLLC
	case next == kindEthernet:
		t = EtherTypeLinuxAll
	default:
		t = c.etherType(have)
	}
	c.PutUint16(uint16(t))
}

// Decode fills l from the header at the start of b, 16 bytes.
func (l *SLL) Decode(b []byte) (int, error) {
	if len(b) < SLLLen {
		return 0, Truncated("SLL", SLLLen, len(b))
	}
	v := SLLView(b)
	l.PacketType = v.PacketType()
	l.HardwareType = v.HardwareType()
	l.AddrLen = v.AddrLen()
	l.Addr = v.Addr()
	l.Protocol = Seen(v.Protocol())
	return SLLLen, nil
}

// AppendBinary appends the header to b.
func (l *SLL) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, uint16(l.PacketType))
	b = binary.BigEndian.AppendUint16(b, uint16(l.HardwareType))
	b = binary.BigEndian.AppendUint16(b, l.AddrLen)
	b = append(b, l.Addr[:]...)
	return binary.BigEndian.AppendUint16(b, uint16(l.Protocol.value)), nil
}

// Complete computes Protocol.
func (l *SLL) Complete(c *Completion) error {
	completeLinuxProtocol(c, sllOffProtocol, SLLView(c.Header()).HardwareType(), l.Protocol.mode)
	return nil
}

// MAC returns the sender's address, and false when it is not one of 6 bytes.
func (l *SLL) MAC() (link.MacAddr, bool) { return sllMAC(l.Addr, int(l.AddrLen)) }

// SetMAC makes a the sender's address.
func (l *SLL) SetMAC(a link.MacAddr) {
	l.AddrLen, l.Addr = uint16(len(a)), [8]byte{}
	copy(l.Addr[:], a[:])
}

func sllMAC(a [8]byte, n int) (link.MacAddr, bool) {
	if n != len(link.MacAddr{}) {
		return link.MacAddr{}, false
	}
	return link.MacAddr(a[:]), true
}

// SLLView is an SLL header in place, with what follows it. Its methods panic
// when it is shorter than 16 bytes: those that [View] returns are not.
type SLLView []byte

// Proto returns the descriptor of SLL.
func (SLLView) Proto() *Protocol { return &sllProtocol }

func (v SLLView) PacketType() SLLPacketType {
	return SLLPacketType(binary.BigEndian.Uint16(v[sllOffPacketType:]))
}
func (v SLLView) HardwareType() ARPHRD {
	return ARPHRD(binary.BigEndian.Uint16(v[sllOffHardwareType:]))
}
func (v SLLView) AddrLen() uint16     { return binary.BigEndian.Uint16(v[sllOffAddrLen:]) }
func (v SLLView) Addr() [8]byte       { return [8]byte(v[sllOffAddr:]) }
func (v SLLView) Protocol() EtherType { return EtherType(binary.BigEndian.Uint16(v[sllOffProtocol:])) }
func (v SLLView) Payload() []byte     { return v[SLLLen:] }

// MAC returns the sender's address, and false when it is not one of 6 bytes.
func (v SLLView) MAC() (link.MacAddr, bool) { return sllMAC(v.Addr(), int(v.AddrLen())) }

func (v SLLView) SetPacketType(t SLLPacketType) {
	binary.BigEndian.PutUint16(v[sllOffPacketType:], uint16(t))
}
func (v SLLView) SetHardwareType(h ARPHRD) {
	binary.BigEndian.PutUint16(v[sllOffHardwareType:], uint16(h))
}
func (v SLLView) SetAddrLen(n uint16) { binary.BigEndian.PutUint16(v[sllOffAddrLen:], n) }
func (v SLLView) SetAddr(a [8]byte)   { copy(v[sllOffAddr:sllOffAddr+sllAddrLen], a[:]) }
func (v SLLView) SetProtocol(t EtherType) {
	binary.BigEndian.PutUint16(v[sllOffProtocol:], uint16(t))
}

// SLL2 is the second version of [SLL], with the interface:
// LINKTYPE_LINUX_SLL2,
// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Protocol type         |        Reserved (MBZ)         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Interface index                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          ARPHRD type          |  Packet type  | Address length|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	+                       Address (8 bytes)                       +
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type SLL2 struct {
	Protocol     Auto[EtherType] // as in [SLL]
	Reserved     uint16
	Interface    uint32 // the index that the capturing host knew it by
	HardwareType ARPHRD
	PacketType   SLLPacketType // at most 255
	// AddrLen is how many bytes of Addr count. It may be more than 8: then
	// the rest of the sender's link-layer address is lost.
	AddrLen uint8
	Addr    [8]byte
}

var _ Completer = (*SLL2)(nil)

var sll2Protocol = Protocol{
	Name:  "SLL2",
	New:   New[SLL2],
	Clone: Clone[SLL2],
	Index: indexSLL2,
	At:    []Selector{{&linkTypesTable, uint64(link.TypeLinuxSLL2)}},
	Fields: []Field{
		{"Protocol", sll2OffProtocol * 8, 16},
		{"Reserved", sll2OffReserved * 8, 16},
		{"Interface", sll2OffInterface * 8, 32},
		{"HardwareType", sll2OffHardwareType * 8, 16},
		{"PacketType", sll2OffPacketType * 8, 8},
		{"AddrLen", sll2OffAddrLen * 8, 8},
		{"Addr", sll2OffAddr * 8, 64},
	},
	kind: kindSLL2,
}

// Proto returns the descriptor of SLL2.
func (*SLL2) Proto() *Protocol { return &sll2Protocol }

func indexSLL2(b []byte, r *Registry) (Span, error) {
	if len(b) < SLL2Len {
		return Span{}, Truncated("SLL2", SLL2Len, len(b))
	}
	v := SLL2View(b)
	return Span{Header: SLL2Len, Payload: len(b) - SLL2Len, Next: r.linuxProtocol(v.HardwareType(), v.Protocol())}, nil
}

// Decode fills l from the header at the start of b, 20 bytes.
func (l *SLL2) Decode(b []byte) (int, error) {
	if len(b) < SLL2Len {
		return 0, Truncated("SLL2", SLL2Len, len(b))
	}
	v := SLL2View(b)
	l.Protocol = Seen(v.Protocol())
	l.Reserved = v.Reserved()
	l.Interface = v.Interface()
	l.HardwareType = v.HardwareType()
	l.PacketType = v.PacketType()
	l.AddrLen = v.AddrLen()
	l.Addr = v.Addr()
	return SLL2Len, nil
}

// AppendBinary appends the header to b.
func (l *SLL2) AppendBinary(b []byte) ([]byte, error) {
	if l.PacketType > 0xff {
		return b, TooLong("SLL2", "PacketType", int(l.PacketType), 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(l.Protocol.value))
	b = binary.BigEndian.AppendUint16(b, l.Reserved)
	b = binary.BigEndian.AppendUint32(b, l.Interface)
	b = binary.BigEndian.AppendUint16(b, uint16(l.HardwareType))
	b = append(b, uint8(l.PacketType), l.AddrLen)
	return append(b, l.Addr[:]...), nil
}

// Complete computes Protocol.
func (l *SLL2) Complete(c *Completion) error {
	completeLinuxProtocol(c, sll2OffProtocol, SLL2View(c.Header()).HardwareType(), l.Protocol.mode)
	return nil
}

// MAC returns the sender's address, and false when it is not one of 6 bytes.
func (l *SLL2) MAC() (link.MacAddr, bool) { return sllMAC(l.Addr, int(l.AddrLen)) }

// SetMAC makes a the sender's address.
func (l *SLL2) SetMAC(a link.MacAddr) {
	l.AddrLen, l.Addr = uint8(len(a)), [8]byte{}
	copy(l.Addr[:], a[:])
}

// SLL2View is an SLL2 header in place, with what follows it. Its methods panic
// when it is shorter than 20 bytes: those that [View] returns are not.
type SLL2View []byte

// Proto returns the descriptor of SLL2.
func (SLL2View) Proto() *Protocol { return &sll2Protocol }

func (v SLL2View) Protocol() EtherType {
	return EtherType(binary.BigEndian.Uint16(v[sll2OffProtocol:]))
}
func (v SLL2View) Reserved() uint16  { return binary.BigEndian.Uint16(v[sll2OffReserved:]) }
func (v SLL2View) Interface() uint32 { return binary.BigEndian.Uint32(v[sll2OffInterface:]) }
func (v SLL2View) HardwareType() ARPHRD {
	return ARPHRD(binary.BigEndian.Uint16(v[sll2OffHardwareType:]))
}
func (v SLL2View) PacketType() SLLPacketType { return SLLPacketType(v[sll2OffPacketType]) }
func (v SLL2View) AddrLen() uint8            { return v[sll2OffAddrLen] }
func (v SLL2View) Addr() [8]byte             { return [8]byte(v[sll2OffAddr:]) }
func (v SLL2View) Payload() []byte           { return v[SLL2Len:] }

// MAC returns the sender's address, and false when it is not one of 6 bytes.
func (v SLL2View) MAC() (link.MacAddr, bool) { return sllMAC(v.Addr(), int(v.AddrLen())) }

func (v SLL2View) SetProtocol(t EtherType) {
	binary.BigEndian.PutUint16(v[sll2OffProtocol:], uint16(t))
}
func (v SLL2View) SetReserved(n uint16)  { binary.BigEndian.PutUint16(v[sll2OffReserved:], n) }
func (v SLL2View) SetInterface(i uint32) { binary.BigEndian.PutUint32(v[sll2OffInterface:], i) }
func (v SLL2View) SetHardwareType(h ARPHRD) {
	binary.BigEndian.PutUint16(v[sll2OffHardwareType:], uint16(h))
}

// SetPacketType sets the low 8 bits of t.
func (v SLL2View) SetPacketType(t SLLPacketType) { v[sll2OffPacketType] = uint8(t) }
func (v SLL2View) SetAddrLen(n uint8)            { v[sll2OffAddrLen] = n }
func (v SLL2View) SetAddr(a [8]byte)             { copy(v[sll2OffAddr:sll2OffAddr+sllAddrLen], a[:]) }
