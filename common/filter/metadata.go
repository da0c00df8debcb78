package filter

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/common/link"
)

// metadata returns what a packet's Info says for a load of metadata, and false
// where it says nothing.
func metadata(distance uint32, b []byte, info *link.Info) (uint32, bool) {
	switch distance {
	case adProtocol:
		return protocol(b, info.Link)
	case adPacketType:
		// PACKET_* of linux/if_packet.h.
		switch info.Direction {
		case link.DirectionIn:
			return 0, true
		case link.DirectionBroadcast:
			return 1, true
		case link.DirectionMulticast:
			return 2, true
		case link.DirectionOther:
			return 3, true
		case link.DirectionOut:
			return 4, true
		case link.DirectionUnknown:
		}
		return 0, false
	case adInterface:
		return uint32(info.Interface), true
	case adHardware:
		return hardware(info.Link)
	case adHash:
		if !info.Flags.Has(link.InfoHash) {
			return 0, true
		}
		return info.Hash, true
	}
	tag := info.Flags.Has(link.InfoVLAN)
	switch {
	case distance == adVLANPresent && tag:
		return 1, true
	case distance == adVLANTCI && tag:
		return uint32(info.VLANTCI), true
	case distance == adVLANTPID && tag:
		return uint32(info.VLANTPID), true
	case distance == adVLANPresent, distance == adVLANTCI, distance == adVLANTPID:
		return 0, true
	}
	return 0, false
}

// Ethernet protocols that are none, linux/if_ether.h.
const (
	protocol8023 = 0x0001 // ETH_P_802_3: IPX without a header of its own
	protocol8022 = 0x0004 // ETH_P_802_2: LLC follows
)

// protocol returns skb->protocol, for Ethernet as eth_type_trans of the kernel
// finds it.
func protocol(b []byte, t link.Type) (uint32, bool) {
	at := 0
	switch t {
	case link.TypeEthernet:
		at = 12
	case link.TypeLinuxSLL:
		at = 14
	case link.TypeLinuxSLL2:
	case link.TypeIPv4:
		return 0x0800, true
	case link.TypeIPv6:
		return 0x86dd, true
	case link.TypeRaw:
		switch {
		case len(b) > 0 && b[0]>>4 == 4:
			return 0x0800, true
		case len(b) > 0 && b[0]>>4 == 6:
			return 0x86dd, true
		}
		return 0, false
	default:
		return 0, false
	}
	if len(b) < at+2 {
		return 0, false
	}
	n := uint32(binary.BigEndian.Uint16(b[at:]))
	if t != link.TypeEthernet || n >= 0x0600 {
		return n, true
	}
	if len(b) >= 16 && b[14] == 0xff && b[15] == 0xff {
		return protocol8023, true
	}
	return protocol8022, true
}

// hardware returns the ARPHRD_* of linux/if_arp.h.
func hardware(t link.Type) (uint32, bool) {
	switch t {
	case link.TypeEthernet:
		return 1, true
	case link.TypeIEEE80211:
		return 801, true
	case link.TypeIEEE80211Radiotap:
		return 803, true
	}
	return 0, false
}
