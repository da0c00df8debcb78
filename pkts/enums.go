package pkts

import "fmt"

// EtherType says what an Ethernet frame, a VLAN tag or a SNAP header carries:
// the numbers of IEEE 802, https://www.iana.org/assignments/ieee-802-numbers.
// Up to 1500 the number is not a type but the length of an IEEE 802.3 frame.
type EtherType uint16

const (
	EtherTypeIPv4         EtherType = 0x0800 // RFC 894
	EtherTypeARP          EtherType = 0x0806 // RFC 826
	EtherTypeRARP         EtherType = 0x8035 // RFC 903
	EtherTypeVLAN         EtherType = 0x8100 // IEEE 802.1Q customer tag
	EtherTypeIPv6         EtherType = 0x86dd // RFC 2464
	EtherTypeMPLS         EtherType = 0x8847 // RFC 5332
	EtherTypeMPLSUpstream EtherType = 0x8848 // RFC 5332
	EtherTypePPPoEDisc    EtherType = 0x8863 // RFC 2516
	EtherTypePPPoE        EtherType = 0x8864 // RFC 2516
	EtherTypeExperiment   EtherType = 0x88b5 // IEEE 802, local experimental 1
	EtherTypeQinQ         EtherType = 0x88a8 // IEEE 802.1ad service tag
	EtherTypeLLDP         EtherType = 0x88cc // IEEE 802.1AB
	EtherTypeQinQ9100     EtherType = 0x9100 // service tag before IEEE 802.1ad
	EtherTypeQinQ9200     EtherType = 0x9200 // service tag before IEEE 802.1ad
)

// etherTypeMin is the smallest number that is a type and not a length.
const etherTypeMin = 0x0600

// String returns the protocol's name, or the number in hexadecimal.
func (t EtherType) String() string {
	switch t {
	case EtherTypeIPv4:
		return "IPv4"
	case EtherTypeARP:
		return "ARP"
	case EtherTypeRARP:
		return "RARP"
	case EtherTypeVLAN:
		return "802.1Q"
	case EtherTypeIPv6:
		return "IPv6"
	case EtherTypeMPLS:
		return "MPLS"
	case EtherTypeMPLSUpstream:
		return "MPLS upstream"
	case EtherTypePPPoEDisc:
		return "PPPoE discovery"
	case EtherTypePPPoE:
		return "PPPoE"
	case EtherTypeExperiment:
		return "experimental"
	case EtherTypeQinQ:
		return "802.1ad"
	case EtherTypeLLDP:
		return "LLDP"
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
	case IPProtoExperiment:
		return "experimental"
	default:
		return fmt.Sprintf("%d", uint8(p))
	}
}
