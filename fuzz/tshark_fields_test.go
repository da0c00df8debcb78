package fuzz

import (
	"slices"
	"strings"

	"github.com/gopkts/gopkts/pkts"
)

// sharkProtocols are the protocols that tshark is to dissect.
var sharkProtocols = []string{
	"frame", "eth", "ethertype", "ip", "ipv6", "tcp", "udp", "data",
	"vlan", "ieee8021ad", "llc", "arp", "sll", "null", "loop", "raw",
	"ipv6.dstopts", "ipv6.fraghdr", "ipv6.hopopts", "ipv6.routing", "ah", "esp",
}

// sharkFields are the fields that are compared.
func sharkFields() []field {
	type (
		v   = *values
		num = uint64
	)
	fs := []field{
		on("eth.dst", text, func(v v, l *pkts.Ethernet) { v.mac(l.Dst) }),
		on("eth.src", text, func(v v, l *pkts.Ethernet) { v.mac(l.Src) }),
		on("eth.type", number, func(v v, l *pkts.Ethernet) {
			if l.Type.Value() > 1535 {
				v.num(num(l.Type.Value()))
			}
		}),

		on("ip.hdr_len", number, func(v v, l *pkts.IPv4) { v.num(num(l.IHL.Value()) * 4) }),
		on("ip.dsfield.dscp", number, func(v v, l *pkts.IPv4) { v.num(num(l.DSCP)) }),
		on("ip.dsfield.ecn", number, func(v v, l *pkts.IPv4) { v.num(num(l.ECN)) }),
		on("ip.len", number, func(v v, l *pkts.IPv4) { v.num(num(l.Length.Value())) }),
		on("ip.id", number, func(v v, l *pkts.IPv4) { v.num(num(l.ID)) }),
		on("ip.flags", number, func(v v, l *pkts.IPv4) { v.num(num(l.Flags)) }),
		on("ip.frag_offset", number, func(v v, l *pkts.IPv4) { v.num(num(l.FragmentOffset)) }),
		on("ip.ttl", number, func(v v, l *pkts.IPv4) { v.num(num(l.TTL)) }),
		on("ip.proto", number, func(v v, l *pkts.IPv4) { v.num(num(l.Protocol.Value())) }),
		on("ip.checksum", number, func(v v, l *pkts.IPv4) { v.num(num(l.Checksum.Value())) }),
		onNode("ip.checksum.status", number, func(v v, n pkts.Node, l *pkts.IPv4) { v.check(n) }),
		on("ip.src", text, func(v v, l *pkts.IPv4) { v.addr(l.Src) }),
		on("ip.dst", text, func(v v, l *pkts.IPv4) { v.addr(l.Dst) }),

		on("ipv6.tclass.dscp", number, func(v v, l *pkts.IPv6) { v.num(num(l.DSCP)) }),
		on("ipv6.tclass.ecn", number, func(v v, l *pkts.IPv6) { v.num(num(l.ECN)) }),
		on("ipv6.flow", number, func(v v, l *pkts.IPv6) { v.num(num(l.FlowLabel)) }),
		on("ipv6.plen", number, func(v v, l *pkts.IPv6) { v.num(num(l.PayloadLength.Value())) }),
		on("ipv6.nxt", number, func(v v, l *pkts.IPv6) { v.num(num(l.NextHeader.Value())) }),
		on("ipv6.hlim", number, func(v v, l *pkts.IPv6) { v.num(num(l.HopLimit)) }),
		on("ipv6.src", text, func(v v, l *pkts.IPv6) { v.addr(l.Src) }),
		on("ipv6.dst", text, func(v v, l *pkts.IPv6) { v.addr(l.Dst) }),

		on("udp.srcport", number, func(v v, l *pkts.UDP) { v.num(num(l.SrcPort)) }),
		on("udp.dstport", number, func(v v, l *pkts.UDP) { v.num(num(l.DstPort)) }),
		on("udp.length", number, func(v v, l *pkts.UDP) { v.num(num(l.Length.Value())) }),
		on("udp.checksum", number, func(v v, l *pkts.UDP) { v.num(num(l.Checksum.Value())) }),
		onNode("udp.checksum.status", number, func(v v, n pkts.Node, l *pkts.UDP) { v.check(n) }),

		on("tcp.srcport", number, func(v v, l *pkts.TCP) { v.num(num(l.SrcPort)) }),
		on("tcp.dstport", number, func(v v, l *pkts.TCP) { v.num(num(l.DstPort)) }),
		on("tcp.seq_raw", number, func(v v, l *pkts.TCP) { v.num(num(l.Seq)) }),
		on("tcp.ack_raw", number, func(v v, l *pkts.TCP) { v.num(num(l.Ack)) }),
		on("tcp.hdr_len", number, func(v v, l *pkts.TCP) { v.num(num(l.DataOffset.Value()) * 4) }),
		on("tcp.flags", number, func(v v, l *pkts.TCP) { v.num(num(l.Flags)) }),
		on("tcp.window_size_value", number, func(v v, l *pkts.TCP) { v.num(num(l.Window)) }),
		on("tcp.checksum", number, func(v v, l *pkts.TCP) { v.num(num(l.Checksum.Value())) }),
		onNode("tcp.checksum.status", number, func(v v, n pkts.Node, l *pkts.TCP) { v.check(n) }),
		on("tcp.urgent_pointer", number, func(v v, l *pkts.TCP) { v.num(num(l.UrgentPointer)) }),

		tag("vlan.id", false, func(v v, l *pkts.VLAN) { v.num(num(l.ID)) }),
		tag("vlan.priority", false, func(v v, l *pkts.VLAN) { v.num(num(l.Priority)) }),
		tag("vlan.dei", false, func(v v, l *pkts.VLAN) { v.flag(l.DropEligible) }),
		tag("ieee8021ad.id", true, func(v v, l *pkts.VLAN) { v.num(num(l.ID)) }),
		tag("ieee8021ad.priority", true, func(v v, l *pkts.VLAN) { v.num(num(l.Priority)) }),
		tag("ieee8021ad.dei", true, func(v v, l *pkts.VLAN) { v.flag(l.DropEligible) }),

		on("llc.dsap", number, func(v v, l *pkts.LLC) { v.num(num(l.DSAP.Value())) }),
		on("llc.ssap", number, func(v v, l *pkts.LLC) { v.num(num(l.SSAP.Value())) }),
		on("llc.control", number, func(v v, l *pkts.LLC) { v.num(num(l.Control.Value())) }),
		on("llc.oui", number, func(v v, l *pkts.SNAP) { v.num(num(l.OUI[0])<<16 | num(l.OUI[1])<<8 | num(l.OUI[2])) }),

		on("arp.hw.type", number, func(v v, l *pkts.ARP) { v.num(num(l.HardwareType.Value())) }),
		on("arp.proto.type", number, func(v v, l *pkts.ARP) { v.num(num(l.ProtocolType.Value())) }),
		on("arp.hw.size", number, func(v v, l *pkts.ARP) { v.num(num(l.HardwareLen.Value())) }),
		on("arp.proto.size", number, func(v v, l *pkts.ARP) { v.num(num(l.ProtocolLen.Value())) }),
		on("arp.opcode", number, func(v v, l *pkts.ARP) { v.num(num(l.Op)) }),
		on("arp.src.hw_mac", text, func(v v, l *pkts.ARP) {
			if etherARP(l) {
				v.mac(l.SenderMAC)
			}
		}),
		on("arp.src.proto_ipv4", text, func(v v, l *pkts.ARP) {
			if etherARP(l) {
				v.addr(l.SenderIP)
			}
		}),
		on("arp.dst.hw_mac", text, func(v v, l *pkts.ARP) {
			if etherARP(l) {
				v.mac(l.TargetMAC)
			}
		}),
		on("arp.dst.proto_ipv4", text, func(v v, l *pkts.ARP) {
			if etherARP(l) {
				v.addr(l.TargetIP)
			}
		}),

		either(
			on("sll.pkttype", number, func(v v, l *pkts.SLL) { v.num(num(l.PacketType)) }),
			on("", number, func(v v, l *pkts.SLL2) { v.num(num(l.PacketType)) })),
		either(
			on("sll.hatype", number, func(v v, l *pkts.SLL) { v.num(num(l.HardwareType)) }),
			on("", number, func(v v, l *pkts.SLL2) { v.num(num(l.HardwareType)) })),
		either(
			on("sll.halen", number, func(v v, l *pkts.SLL) { v.num(num(l.AddrLen)) }),
			on("", number, func(v v, l *pkts.SLL2) { v.num(num(l.AddrLen)) })),

		on("ipv6.fraghdr.nxt", number, func(v v, l *pkts.IPv6Fragment) { v.num(num(l.NextHeader.Value())) }),
		on("ipv6.fraghdr.offset", number, func(v v, l *pkts.IPv6Fragment) { v.num(num(l.FragmentOffset)) }),
		on("ipv6.fraghdr.more", number, func(v v, l *pkts.IPv6Fragment) { v.flag(l.More) }),
		on("ipv6.fraghdr.ident", number, func(v v, l *pkts.IPv6Fragment) { v.num(num(l.ID)) }),
		on("ipv6.hopopts.nxt", number, func(v v, l *pkts.IPv6HopByHop) { v.num(num(l.NextHeader.Value())) }),
		on("ipv6.hopopts.len", number, func(v v, l *pkts.IPv6HopByHop) { v.num(num(l.HdrExtLen.Value())) }),
		on("ipv6.dstopts.nxt", number, func(v v, l *pkts.IPv6DestOpts) { v.num(num(l.NextHeader.Value())) }),
		on("ipv6.dstopts.len", number, func(v v, l *pkts.IPv6DestOpts) { v.num(num(l.HdrExtLen.Value())) }),
		on("ipv6.routing.nxt", number, func(v v, l *pkts.IPv6Routing) { v.num(num(l.NextHeader.Value())) }),
		on("ipv6.routing.type", number, func(v v, l *pkts.IPv6Routing) { v.num(num(l.Type)) }),
		on("ipv6.routing.segleft", number, func(v v, l *pkts.IPv6Routing) { v.num(num(l.SegmentsLeft)) }),
		on("ah.spi", number, func(v v, l *pkts.AH) { v.num(num(l.SPI)) }),
		on("ah.sequence", number, func(v v, l *pkts.AH) { v.num(num(l.Seq)) }),
		on("ah.next_header", number, func(v v, l *pkts.AH) { v.num(num(l.NextHeader.Value())) }),
		on("esp.spi", number, func(v v, l *pkts.ESP) { v.num(num(l.SPI)) }),
		on("esp.sequence", number, func(v v, l *pkts.ESP) { v.num(num(l.Seq)) }),
	}
	return fs
}

// etherARP reports whether tshark reads the addresses as MAC and IPv4 ones.
func etherARP(l *pkts.ARP) bool {
	hw := l.HardwareType.Value()
	return (hw == 1 || hw == 6) && l.HardwareLen.Value() == 6 && l.ProtocolType.Is(pkts.EtherTypeIPv4) && l.ProtocolLen.Value() == 4
}

// tag returns a field of VLAN tags: tshark names those of IEEE 802.1ad apart.
func tag(name string, service bool, of func(v *values, l *pkts.VLAN)) field {
	return onNode(name, number, func(v *values, n pkts.Node, l *pkts.VLAN) {
		if (string(v.data[n.Offset()-2:n.Offset()]) == "\x88\xa8") == service {
			of(v, l)
		}
	})
}

// difference is one field of one packet that tshark reads otherwise.
type difference struct {
	field        string
	ours, theirs []string
	packet       *pkts.Packet
	err          error
	at           place
	all          sharkPacket
	fields       []field
}

// excuse returns why a difference is none of ours, "" for one that is.
func (d *difference) excuse() string {
	for _, x := range deviations {
		if strings.HasPrefix(d.field, x.field) && x.applies(d) {
			return x.field + ": " + x.reason
		}
	}
	return ""
}

// deviations are the differences that are not defects, each with its reason.
var deviations = []struct {
	field   string // or what it begins with
	reason  string
	applies func(d *difference) bool
}{
	{"", "the header breaks off or is malformed: it is Raw with an error, and tshark shows what it read before", func(d *difference) bool {
		return d.err != nil && isPrefix(d.ours, d.theirs)
	}},
}

func isPrefix(a, b []string) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }
