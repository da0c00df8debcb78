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
	"ipv6.dstopts", "ipv6.fraghdr", "ipv6.hopopts", "ipv6.routing", "ah", "esp", "icmp", "icmpv6", "mptcp",
	"gre", "vxlan", "geneve", "gtp",
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
			if l.HardwareLen.Value() == 6 && (l.HardwareType.Value() == 1 || l.HardwareType.Value() == 6) {
				v.mac(l.SenderMAC)
			}
		}),
		on("arp.src.proto_ipv4", text, func(v v, l *pkts.ARP) {
			if l.ProtocolLen.Value() == 4 && l.ProtocolType.Is(pkts.EtherTypeIPv4) {
				v.addr(l.SenderIP)
			}
		}),
		on("arp.dst.hw_mac", text, func(v v, l *pkts.ARP) {
			if l.HardwareLen.Value() == 6 && (l.HardwareType.Value() == 1 || l.HardwareType.Value() == 6) {
				v.mac(l.TargetMAC)
			}
		}),
		on("arp.dst.proto_ipv4", text, func(v v, l *pkts.ARP) {
			if l.ProtocolLen.Value() == 4 && l.ProtocolType.Is(pkts.EtherTypeIPv4) {
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
		on("icmp.type", number, func(v v, l *pkts.ICMPv4) { v.num(num(l.Type)) }),
		on("icmp.code", number, func(v v, l *pkts.ICMPv4) { v.num(num(l.Code)) }),
		on("icmp.checksum", number, func(v v, l *pkts.ICMPv4) { v.num(num(l.Checksum.Value())) }),
		onNode("icmp.checksum.status", number, func(v v, n pkts.Node, l *pkts.ICMPv4) { v.check(n) }),
		on("icmp.ident", number, func(v v, l *pkts.ICMPv4) {
			if isQuery(l.Type) {
				v.num(num(l.ID))
			}
		}),
		on("icmp.seq", number, func(v v, l *pkts.ICMPv4) {
			if isQuery(l.Type) && l.Type < 42 {
				v.num(num(l.Seq))
			}
		}),

		on("icmpv6.type", number, func(v v, l *pkts.ICMPv6) { v.num(num(l.Type.Value())) }),
		on("icmpv6.code", number, func(v v, l *pkts.ICMPv6) { v.num(num(l.Code)) }),
		on("icmpv6.checksum", number, func(v v, l *pkts.ICMPv6) { v.num(num(l.Checksum.Value())) }),
		onNode("icmpv6.checksum.status", number, func(v v, n pkts.Node, l *pkts.ICMPv6) { v.check(n) }),
		either(
			on("icmpv6.echo.identifier", number, func(v v, l *pkts.ICMPv6Echo) { v.num(num(l.ID)) }),
			on("", number, func(v v, l *pkts.ICMPv6ExtendedEcho) { v.num(num(l.ID)) })),
		on("icmpv6.echo.sequence_number", number, func(v v, l *pkts.ICMPv6Echo) { v.num(num(l.Seq)) }),
		on("icmpv6.nd.ns.target_address", text, func(v v, l *pkts.NDPNeighborSolicitation) { v.addr(l.Target) }),
		on("icmpv6.nd.na.target_address", text, func(v v, l *pkts.NDPNeighborAdvertisement) { v.addr(l.Target) }),
		on("icmpv6.nd.ra.router_lifetime", number, func(v v, l *pkts.NDPRouterAdvertisement) { v.num(num(l.Lifetime)) }),
		on("icmpv6.nd.ra.cur_hop_limit", number, func(v v, l *pkts.NDPRouterAdvertisement) { v.num(num(l.HopLimit)) }),

		on("esp.sequence", number, func(v v, l *pkts.ESP) { v.num(num(l.Seq)) }),
	}
	fs = append(fs,
		on("ip.opt.type", number, func(v v, l *pkts.IPv4) {
			for _, o := range l.Options.All() {
				v.num(num(o.Type))
			}
		}),
		on("tcp.option_kind", number, func(v v, l *pkts.TCP) {
			for _, o := range l.Options.All() {
				v.num(num(o.Kind))
			}
			for _, b := range l.Options.Padding() {
				if b != 0 {
					break
				}
				v.num(0) // tshark reads each as an end of the list
			}
		}),
		on("tcp.options.mss_val", number, func(v v, l *pkts.TCP) {
			if x, ok := l.Options.MSS(); ok {
				v.num(num(x))
			}
		}),
	)
	return slices.Concat(fs, icmpSharkFields(), tunnelSharkFields())
}

// isQuery reports whether a message has an identifier and a sequence number.
func isQuery(t pkts.ICMPv4Type) bool {
	switch t {
	case pkts.ICMPv4Echo, pkts.ICMPv4EchoReply, 13, 14, 15, 16, 17, 18, 42, 43:
		return true
	}
	return false
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
	for _, x := range slices.Concat(deviations, icmpDeviations, tunnelDeviations) {
		if strings.HasPrefix(d.field, x.field) && x.applies(d) {
			return x.field + ": " + x.reason
		}
	}
	return ""
}

// A deviation is a kind of difference that is not a defect.
type deviation struct {
	field   string // or what it begins with
	reason  string
	applies func(d *difference) bool
}

// deviations are the differences that are not defects, each with its reason.
var deviations = []deviation{
	{"", "a header breaks off or is malformed: it is Raw with an error, and tshark shows what it read before", func(d *difference) bool {
		return d.err != nil && isPrefix(d.ours, d.theirs)
	}},
	{"", "an ICMP error quotes less than a header, which is Raw then, or NDP carries a packet in an option, which is no layer", func(d *difference) bool {
		return isPrefix(d.ours, d.theirs) && d.quotes()
	}},
	{"", "the total length of an IPv4 packet is shorter than its header: tshark stops there, and we show the header", func(d *difference) bool {
		ip, ok := pkts.Get[pkts.IPv4](d.packet)
		return ok && isPrefix(d.theirs, d.ours) && ip.Length.Value() < uint16(ip.IHL.Value())*4 && !ip.Length.Is(0)
	}},
	{"eth.dst", "tshark reads an ISL header", func(d *difference) bool {
		return d.ours[0] == "01:00:0c:00:00:00" || d.ours[0] == "03:00:0c:00:00:00"
	}},
	{"ip.dst", "tshark shows the last address of a source route", func(d *difference) bool {
		ip, ok := pkts.Get[pkts.IPv4](d.packet)
		if !ok {
			return false
		}
		_, loose := ip.Options.LooseRoute()
		_, strict := ip.Options.StrictRoute()
		return loose || strict
	}},
	{"ip.opt.type", "tshark names only the options it knows", func(d *difference) bool { return len(d.theirs) == 0 && d.ours[0] == "3" }},
	{"ipv6.plen", "a frame that the device cuts into segments has length 0, and tshark shows what it presumes", func(d *difference) bool {
		return len(d.ours) == len(d.theirs) && slices.Contains(d.ours, "0")
	}},
	{"ipv6.hopopts", "without a Jumbo Payload option, tshark takes length 0 for an empty packet", func(d *difference) bool {
		ip, ok := pkts.Get[pkts.IPv6](d.packet)
		return ok && ip.PayloadLength.Is(0) && len(d.theirs) == 0
	}},
	{"udp", "a destination option is malformed: tshark stops there, or takes a Home Address of a wrong length", func(d *difference) bool {
		opts, ok := pkts.Get[pkts.IPv6DestOpts](d.packet)
		if !ok {
			return false
		}
		home, ok := opts.Options.Get(pkts.IPv6OptionHomeAddress)
		return opts.Options.Err() != nil || ok && len(home.Data) != 16
	}},
	{"udp.checksum.status", "UDP states its own length, and all of it is there: we verify it, and tshark does not, for the IP packet is cut", func(d *difference) bool {
		return d.packet.Truncated() && d.pairs(func(_ int, _, theirs string) bool { return theirs == "2" })
	}},
	{"udp.checksum.status", "no checksum over IPv6 is illegal to tshark, and absent to us: RFC 6935 allows it", func(d *difference) bool {
		return d.pairs(func(_ int, ours, theirs string) bool { return ours == "3" && theirs == "4" })
	}},
	{"tcp.option_kind", "tshark stops at an MPTCP option of a wrong length", func(d *difference) bool {
		return isPrefix(d.theirs, d.ours) && len(d.theirs) > 0 && d.theirs[len(d.theirs)-1] == "30"
	}},
	{"tcp.seq_raw", "tshark does not show it in what an ICMP error quotes", func(d *difference) bool {
		return d.quotes() && isPrefix(d.theirs, d.ours)
	}},
	{"ip.len", "a frame that the device cuts into segments has length 0, and tshark shows what it presumes", func(d *difference) bool {
		return len(d.ours) == len(d.theirs) && slices.Contains(d.ours, "0")
	}},
	{"icmp.checksum.status", "tshark does not verify what an ICMP error quotes", (*difference).unverified},
	{"icmpv6.checksum.status", "tshark does not verify what an ICMP error quotes", (*difference).unverified},
	{"tcp.checksum.status", "tshark does not verify what an ICMP error quotes", (*difference).unverified},
	{"udp.checksum.status", "tshark does not verify what an ICMP error quotes", (*difference).unverified},
	{"tcp.checksum.status", "the IP packet is cut, though the file does not say so: we call the checksum unknown, and tshark sums what is there", (*difference).cut},
	{"udp.checksum.status", "the IP packet is cut, though the file does not say so: we call the checksum unknown, and tshark sums what is there", (*difference).cut},
	{"icmp.checksum.status", "the IP packet is cut, though the file does not say so: we call the checksum unknown, and tshark sums what is there", (*difference).cut},
	{"icmpv6.checksum.status", "the IP packet is cut, though the file does not say so: we call the checksum unknown, and tshark sums what is there", (*difference).cut},
}

// quotes reports whether a packet is quoted in an ICMP message.
func (d *difference) quotes() bool {
	if l, ok := pkts.Get[pkts.ICMPv4](d.packet); ok {
		switch l.Type {
		case 3, 4, 5, 11, 12:
			return true
		}
	}
	if l, ok := pkts.Get[pkts.ICMPv6](d.packet); ok {
		return l.Type.Value() < 128 || l.Type.Value() == 137
	}
	return false
}

// unverified reports whether tshark just does not verify inner checksums.
func (d *difference) unverified() bool {
	return d.quotes() && d.pairs(func(i int, _, theirs string) bool { return i > 0 && theirs == "2" })
}

// cut reports whether just we do not verify a checksum, in a packet that states
// a greater length than it has.
func (d *difference) cut() bool {
	return (d.packet.Truncated() || d.quotes()) && d.pairs(func(_ int, ours, _ string) bool { return ours == "2" })
}

// pairs reports whether f holds for all values that differ.
func (d *difference) pairs(f func(i int, ours, theirs string) bool) bool {
	if len(d.ours) != len(d.theirs) {
		return false
	}
	for i := range d.ours {
		if d.ours[i] != d.theirs[i] && !f(i, d.ours[i], d.theirs[i]) {
			return false
		}
	}
	return true
}

func isPrefix(a, b []string) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }
