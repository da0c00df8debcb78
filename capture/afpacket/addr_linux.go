package afpacket

import (
	"fmt"
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
)

// EtherType is a link-layer protocol in host byte order, ETH_P_ of
// linux/if_ether.h: an EtherType of IEEE 802, or one of the kernel's own
// numbers below 1536.
type EtherType uint16

const (
	// EtherTypeNone receives nothing: for sockets that only send.
	EtherTypeNone EtherType = 0
	// EtherTypeAll receives every frame (ETH_P_ALL). It is the only one that
	// receives what the host sends.
	EtherTypeAll EtherType = 0x0003
	// EtherTypeLLC receives frames with an IEEE 802.3 length (ETH_P_802_2).
	EtherTypeLLC EtherType = 0x0004

	EtherTypeIPv4 EtherType = 0x0800
	EtherTypeARP  EtherType = 0x0806
	EtherTypeVLAN EtherType = 0x8100 // IEEE 802.1Q
	EtherTypeIPv6 EtherType = 0x86dd
	EtherTypeQinQ EtherType = 0x88a8 // IEEE 802.1ad
	EtherTypeLLDP EtherType = 0x88cc
)

// String returns the name or the number, such as "IPv4" and "0x88b5".
func (t EtherType) String() string {
	switch t {
	case EtherTypeNone:
		return "none"
	case EtherTypeAll:
		return "all"
	case EtherTypeLLC:
		return "LLC"
	case EtherTypeIPv4:
		return "IPv4"
	case EtherTypeARP:
		return "ARP"
	case EtherTypeVLAN:
		return "VLAN"
	case EtherTypeIPv6:
		return "IPv6"
	case EtherTypeQinQ:
		return "QinQ"
	case EtherTypeLLDP:
		return "LLDP"
	}
	return fmt.Sprintf("0x%04x", uint16(t))
}

// maxHardwareAddr is MAX_ADDR_LEN of linux/netdevice.h.
const maxHardwareAddr = 32

// HardwareAddr is a hardware address of up to 32 bytes: 6 on Ethernet, 20 on
// InfiniBand, none on a tunnel. It is comparable. The zero value has no bytes.
type HardwareAddr struct {
	n uint8
	b [maxHardwareAddr]byte
}

// HardwareAddrFrom returns the address that consists of b, and false when b is
// longer than 32 bytes.
func HardwareAddrFrom(b []byte) (HardwareAddr, bool) {
	var a HardwareAddr
	if len(b) > maxHardwareAddr {
		return a, false
	}
	a.n = uint8(copy(a.b[:], b))
	return a, true
}

// HardwareAddrFromMAC returns the address m.
func HardwareAddrFromMAC(m link.MacAddr) HardwareAddr {
	a := HardwareAddr{n: uint8(len(m))}
	copy(a.b[:], m[:])
	return a
}

// Len returns the length in bytes.
func (a HardwareAddr) Len() int { return int(a.n) }

// AppendBinary appends the bytes of the address to b. The error is always nil.
func (a HardwareAddr) AppendBinary(b []byte) ([]byte, error) { return append(b, a.b[:a.n]...), nil }

// MAC returns the address, and false when it has not the 6 bytes of one.
func (a HardwareAddr) MAC() (link.MacAddr, bool) { return link.MacFromSlice(a.b[:a.n]) }

// String returns the bytes in hexadecimal with colons between them.
func (a HardwareAddr) String() string {
	const digits = "0123456789abcdef"
	s := make([]byte, 0, 3*maxHardwareAddr)
	for i, c := range a.b[:a.n] {
		if i > 0 {
			s = append(s, ':')
		}
		s = append(s, digits[c>>4], digits[c&15])
	}
	return string(s)
}

// Addr says where a message came from or where it goes: struct sockaddr_ll of
// packet(7) for the kinds [KindL2] and [KindL3], an IP address for the others.
// The zero value means "where the socket is bound to". It is comparable.
type Addr struct {
	// Interface is the index of the interface. To send, 0 means the one that
	// the socket is bound to. For raw IP it is where the message came in, and
	// is not used to send.
	Interface int
	// EtherType is the protocol. To send on a KindL3 socket, it goes into the
	// header; 0 means the one that the socket is bound to.
	EtherType EtherType
	// ARPType is the hardware type of the interface, ARPHRD_ of
	// linux/if_arp.h: 1 is Ethernet. It is not used to send.
	ARPType uint16
	// Hardware is the address of the sender, and of the receiver to send to.
	// A KindL2 socket does not need it: the frame has it.
	Hardware HardwareAddr
	// IP is the address for raw IP, with the name or the index of the
	// interface as zone of a link-local one.
	IP netip.Addr
}

// String returns one line for people, such as "2 IPv4 02:00:00:00:00:01".
func (a Addr) String() string {
	if a.IP.IsValid() {
		return a.IP.String()
	}
	s := fmt.Sprintf("%d %v", a.Interface, a.EtherType)
	if a.Hardware.n > 0 {
		s += " " + a.Hardware.String()
	}
	return s
}
