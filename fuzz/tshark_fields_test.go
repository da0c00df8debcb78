package fuzz

import (
	"strings"

	"github.com/gopkts/gopkts/pkts"
)

// sharkProtocols are the protocols that tshark is to dissect.
var sharkProtocols = []string{
	"frame", "eth", "ethertype", "ip", "ipv6", "tcp", "udp", "data",
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

		on("ip.version", number, func(v v, l *pkts.IPv4) { v.num(4) }),
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
	}
	return fs
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
}{}
