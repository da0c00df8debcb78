package pkts

import "fmt"

// EtherType says what an Ethernet frame, a VLAN tag or a SNAP header carries:
// the numbers of IEEE 802, https://www.iana.org/assignments/ieee-802-numbers.
// Up to 1500 the number is not a type but the length of an IEEE 802.3 frame.
type EtherType uint16

const (
	EtherTypeIPv4         EtherType = 0x0800 // RFC 894
	EtherTypeARP          EtherType = 0x0806 // RFC 826
	EtherTypeWakeOnLAN    EtherType = 0x0842 // magic packet
	EtherTypeCDP          EtherType = 0x2000 // Cisco Discovery Protocol, in SNAP with Cisco's OUI
	EtherTypeAVTP         EtherType = 0x22f0 // IEEE 1722
	EtherTypeTRILL        EtherType = 0x22f3 // RFC 6325
	EtherTypeISIS         EtherType = 0x22f4 // IS-IS in TRILL, RFC 6325
	EtherTypeBATMAN       EtherType = 0x4305 // B.A.T.M.A.N. advanced
	EtherTypeDECnet       EtherType = 0x6003 // DECnet phase IV
	EtherTypeBridged      EtherType = 0x6558 // transparent Ethernet bridging, RFC 1701
	EtherTypeRARP         EtherType = 0x8035 // RFC 903
	EtherTypeAppleTalk    EtherType = 0x809b // EtherTalk
	EtherTypeAARP         EtherType = 0x80f3 // AppleTalk ARP
	EtherTypeVLAN         EtherType = 0x8100 // IEEE 802.1Q customer tag
	EtherTypeIPX          EtherType = 0x8137 // Novell
	EtherTypeIPv6         EtherType = 0x86dd // RFC 2464
	EtherTypeMACControl   EtherType = 0x8808 // pause frames, IEEE 802.3 annex 31
	EtherTypeSlow         EtherType = 0x8809 // LACP and other slow protocols, IEEE 802.3 annex 57
	EtherTypePPP          EtherType = 0x880b // RFC 7042
	EtherTypeMPLS         EtherType = 0x8847 // RFC 5332
	EtherTypeMPLSUpstream EtherType = 0x8848 // RFC 5332
	EtherTypePPPoEDisc    EtherType = 0x8863 // RFC 2516
	EtherTypePPPoE        EtherType = 0x8864 // RFC 2516
	EtherTypeHomePlug     EtherType = 0x887b // HomePlug 1.0 management
	EtherTypeEAPOL        EtherType = 0x888e // IEEE 802.1X
	EtherTypePROFINET     EtherType = 0x8892 // IEC 61158
	EtherTypeAoE          EtherType = 0x88a2 // ATA over Ethernet
	EtherTypeEtherCAT     EtherType = 0x88a4 // IEC 61158
	EtherTypeQinQ         EtherType = 0x88a8 // IEEE 802.1ad service tag
	EtherTypePowerlink    EtherType = 0x88ab // Ethernet POWERLINK
	EtherTypeExperiment   EtherType = 0x88b5 // IEEE 802, local experimental 1
	EtherTypeExperiment2  EtherType = 0x88b6 // IEEE 802, local experimental 2
	EtherTypeOUI          EtherType = 0x88b7 // IEEE 802, an OUI and a protocol follow
	EtherTypeGOOSE        EtherType = 0x88b8 // IEC 61850-8-1
	EtherTypeSV           EtherType = 0x88ba // IEC 61850-9-2 sampled values
	EtherTypeERSPAN       EtherType = 0x88be // in GRE, versions I and II
	EtherTypeLLDP         EtherType = 0x88cc // IEEE 802.1AB
	EtherTypeHomePlugAV   EtherType = 0x88e1 // IEEE 1901 management
	EtherTypeMRP          EtherType = 0x88e3 // IEC 62439-2 media redundancy
	EtherTypeMACsec       EtherType = 0x88e5 // IEEE 802.1AE
	EtherTypePBB          EtherType = 0x88e7 // IEEE 802.1ah backbone service tag
	EtherTypeMVRP         EtherType = 0x88f5 // IEEE 802.1Q
	EtherTypeMMRP         EtherType = 0x88f6 // IEEE 802.1Q
	EtherTypePTP          EtherType = 0x88f7 // IEEE 1588
	EtherTypeNCSI         EtherType = 0x88f8 // DMTF DSP0222
	EtherTypePRP          EtherType = 0x88fb // IEC 62439-3 parallel redundancy
	EtherTypeCFM          EtherType = 0x8902 // IEEE 802.1Q connectivity fault management
	EtherTypeFCoE         EtherType = 0x8906 // T11 FC-BB-5
	EtherTypeFIP          EtherType = 0x8914 // FCoE initialization
	EtherTypeRoCE         EtherType = 0x8915 // RDMA over converged Ethernet
	EtherTypeVNTag        EtherType = 0x8926 // Cisco
	EtherTypeHSR          EtherType = 0x892f // IEC 62439-3 seamless redundancy
	EtherTypeNSH          EtherType = 0x894f // RFC 8300
	EtherTypeLoopback     EtherType = 0x9000 // Ethernet configuration test protocol
	EtherTypeQinQ9100     EtherType = 0x9100 // service tag before IEEE 802.1ad
	EtherTypeQinQ9200     EtherType = 0x9200 // service tag before IEEE 802.1ad
	EtherTypeLoWPAN       EtherType = 0xa0ed // 6LoWPAN, RFC 7973
)

// String returns the protocol's name, or the number in hexadecimal.
func (t EtherType) String() string {
	switch t {
	case EtherTypeIPv4:
		return "IPv4"
	case EtherTypeARP:
		return "ARP"
	case EtherTypeWakeOnLAN:
		return "Wake-on-LAN"
	case EtherTypeCDP:
		return "CDP"
	case EtherTypeAVTP:
		return "AVTP"
	case EtherTypeTRILL:
		return "TRILL"
	case EtherTypeISIS:
		return "IS-IS"
	case EtherTypeBATMAN:
		return "BATMAN"
	case EtherTypeDECnet:
		return "DECnet"
	case EtherTypeBridged:
		return "Ethernet"
	case EtherTypeRARP:
		return "RARP"
	case EtherTypeAppleTalk:
		return "AppleTalk"
	case EtherTypeAARP:
		return "AARP"
	case EtherTypeVLAN:
		return "802.1Q"
	case EtherTypeIPX:
		return "IPX"
	case EtherTypeIPv6:
		return "IPv6"
	case EtherTypeMACControl:
		return "MAC control"
	case EtherTypeSlow:
		return "slow protocols"
	case EtherTypePPP:
		return "PPP"
	case EtherTypeMPLS:
		return "MPLS"
	case EtherTypeMPLSUpstream:
		return "MPLS upstream"
	case EtherTypePPPoEDisc:
		return "PPPoE discovery"
	case EtherTypePPPoE:
		return "PPPoE"
	case EtherTypeHomePlug:
		return "HomePlug"
	case EtherTypeEAPOL:
		return "EAPOL"
	case EtherTypePROFINET:
		return "PROFINET"
	case EtherTypeAoE:
		return "AoE"
	case EtherTypeEtherCAT:
		return "EtherCAT"
	case EtherTypeQinQ:
		return "802.1ad"
	case EtherTypePowerlink:
		return "POWERLINK"
	case EtherTypeExperiment:
		return "experimental"
	case EtherTypeExperiment2:
		return "experimental 2"
	case EtherTypeOUI:
		return "OUI extended"
	case EtherTypeGOOSE:
		return "GOOSE"
	case EtherTypeSV:
		return "SV"
	case EtherTypeERSPAN:
		return "ERSPAN"
	case EtherTypeLLDP:
		return "LLDP"
	case EtherTypeHomePlugAV:
		return "HomePlug AV"
	case EtherTypeMRP:
		return "MRP"
	case EtherTypeMACsec:
		return "MACsec"
	case EtherTypePBB:
		return "802.1ah"
	case EtherTypeMVRP:
		return "MVRP"
	case EtherTypeMMRP:
		return "MMRP"
	case EtherTypePTP:
		return "PTP"
	case EtherTypeNCSI:
		return "NC-SI"
	case EtherTypePRP:
		return "PRP"
	case EtherTypeCFM:
		return "CFM"
	case EtherTypeFCoE:
		return "FCoE"
	case EtherTypeFIP:
		return "FIP"
	case EtherTypeRoCE:
		return "RoCE"
	case EtherTypeVNTag:
		return "VN-Tag"
	case EtherTypeHSR:
		return "HSR"
	case EtherTypeNSH:
		return "NSH"
	case EtherTypeLoopback:
		return "loopback"
	case EtherTypeQinQ9100:
		return "QinQ 0x9100"
	case EtherTypeQinQ9200:
		return "QinQ 0x9200"
	case EtherTypeLoWPAN:
		return "6LoWPAN"
	default:
		return fmt.Sprintf("0x%04x", uint16(t))
	}
}

// IPProto says what an IPv4 or IPv6 packet carries: the IANA protocol numbers,
// https://www.iana.org/assignments/protocol-numbers.
type IPProto uint8

const (
	IPProtoHopByHop   IPProto = 0   // IPv6 hop-by-hop options, RFC 8200
	IPProtoICMPv4     IPProto = 1   // RFC 792
	IPProtoIGMP       IPProto = 2   // RFC 9776
	IPProtoIPv4       IPProto = 4   // IPv4 in IP, RFC 2003
	IPProtoTCP        IPProto = 6   // RFC 9293
	IPProtoUDP        IPProto = 17  // RFC 768
	IPProtoDCCP       IPProto = 33  // RFC 4340
	IPProtoIPv6       IPProto = 41  // IPv6 in IP, RFC 2473
	IPProtoRouting    IPProto = 43  // IPv6 routing header, RFC 8200
	IPProtoFragment   IPProto = 44  // IPv6 fragment header, RFC 8200
	IPProtoGRE        IPProto = 47  // RFC 2784
	IPProtoESP        IPProto = 50  // RFC 4303
	IPProtoAH         IPProto = 51  // RFC 4302
	IPProtoICMPv6     IPProto = 58  // RFC 4443
	IPProtoNoNext     IPProto = 59  // IPv6 no next header, RFC 8200
	IPProtoDestOpts   IPProto = 60  // IPv6 destination options, RFC 8200
	IPProtoOSPF       IPProto = 89  // RFC 2328
	IPProtoPIM        IPProto = 103 // RFC 7761
	IPProtoVRRP       IPProto = 112 // RFC 9568
	IPProtoL2TP       IPProto = 115 // RFC 3931
	IPProtoSCTP       IPProto = 132 // RFC 9260
	IPProtoMobility   IPProto = 135 // RFC 6275
	IPProtoUDPLite    IPProto = 136 // RFC 3828
	IPProtoHIP        IPProto = 139 // RFC 7401
	IPProtoShim6      IPProto = 140 // RFC 5533
	IPProtoEthernet   IPProto = 143 // Ethernet in IP, RFC 8986
	IPProtoExperiment IPProto = 253 // RFC 3692
)

// String returns the protocol's name, or the number.
func (p IPProto) String() string {
	switch p {
	case IPProtoHopByHop:
		return "HopByHop"
	case IPProtoICMPv4:
		return "ICMP"
	case IPProtoIGMP:
		return "IGMP"
	case IPProtoIPv4:
		return "IPv4"
	case IPProtoTCP:
		return "TCP"
	case IPProtoUDP:
		return "UDP"
	case IPProtoDCCP:
		return "DCCP"
	case IPProtoIPv6:
		return "IPv6"
	case IPProtoRouting:
		return "Routing"
	case IPProtoFragment:
		return "Fragment"
	case IPProtoGRE:
		return "GRE"
	case IPProtoESP:
		return "ESP"
	case IPProtoAH:
		return "AH"
	case IPProtoICMPv6:
		return "ICMPv6"
	case IPProtoNoNext:
		return "NoNext"
	case IPProtoDestOpts:
		return "DestOpts"
	case IPProtoOSPF:
		return "OSPF"
	case IPProtoPIM:
		return "PIM"
	case IPProtoVRRP:
		return "VRRP"
	case IPProtoL2TP:
		return "L2TP"
	case IPProtoSCTP:
		return "SCTP"
	case IPProtoMobility:
		return "Mobility"
	case IPProtoUDPLite:
		return "UDPLite"
	case IPProtoHIP:
		return "HIP"
	case IPProtoShim6:
		return "Shim6"
	case IPProtoEthernet:
		return "Ethernet"
	case IPProtoExperiment:
		return "experimental"
	default:
		return fmt.Sprintf("%d", uint8(p))
	}
}
