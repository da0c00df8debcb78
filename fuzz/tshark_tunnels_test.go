package fuzz

import (
	"github.com/gopkts/gopkts/pkts"
)

// tunnelSharkFields are the fields of tunnels that are compared.
func tunnelSharkFields() []field {
	type (
		v   = *values
		num = uint64
	)
	flag := func(name string, f pkts.GREFlags) field {
		return on(name, number, func(v v, l *pkts.GRE) { v.flag(l.Flags.Has(f)) })
	}
	option := func(name string, of func(v v, o pkts.GeneveOption)) field {
		return on(name, number, func(v v, l *pkts.Geneve) {
			for _, o := range l.Options.All() {
				of(v, o)
			}
		})
	}
	return []field{
		on("gre.flags_and_version", number, func(v v, l *pkts.GRE) { v.num(num(l.Flags) | num(l.Version)) }),
		flag("gre.flags.checksum", pkts.GREChecksum),
		flag("gre.flags.key", pkts.GREKey),
		flag("gre.flags.sequence_number", pkts.GRESeq),
		on("gre.flags.version", number, func(v v, l *pkts.GRE) { v.num(num(l.Version)) }),
		on("gre.proto", number, func(v v, l *pkts.GRE) { v.num(num(l.ProtocolType.Value())) }),
		on("gre.checksum", number, func(v v, l *pkts.GRE) {
			if l.Flags.Has(pkts.GREChecksum) || l.Flags.Has(pkts.GRERouting) {
				v.num(num(l.Checksum.Value()))
			}
		}),
		onNode("gre.checksum.status", number, func(v v, n pkts.Node, l *pkts.GRE) {
			if l.Flags.Has(pkts.GREChecksum) {
				v.check(n)
			}
		}),
		on("gre.key", number, func(v v, l *pkts.GRE) {
			if l.Flags.Has(pkts.GREKey) && l.Version == 0 {
				v.num(num(l.Key))
			}
		}),
		on("gre.key.payload_length", number, func(v v, l *pkts.GRE) {
			if l.Flags.Has(pkts.GREKey) && l.Version == 1 {
				v.num(num(l.PayloadLength.Value()))
			}
		}),
		on("gre.key.call_id", number, func(v v, l *pkts.GRE) {
			if l.Flags.Has(pkts.GREKey) && l.Version == 1 {
				v.num(num(l.CallID))
			}
		}),
		on("gre.sequence_number", number, func(v v, l *pkts.GRE) {
			if l.Flags.Has(pkts.GRESeq) {
				v.num(num(l.Seq))
			}
		}),
		on("gre.ack_number", number, func(v v, l *pkts.GRE) {
			if l.Flags.Has(pkts.GREAck) && l.Version == 1 {
				v.num(num(l.Ack))
			}
		}),

		// tshark reads the group policy out of the first reserved bits, and shows
		// its flags with the others.
		on("vxlan.flags", number, func(v v, l *pkts.VXLAN) { v.num(num(l.Flags.Value())<<8 | num(l.Reserved)>>16) }),
		on("vxlan.gbp", number, func(v v, l *pkts.VXLAN) { v.num(num(l.Reserved & 0xffff)) }),
		on("vxlan.vni", number, func(v v, l *pkts.VXLAN) { v.num(num(l.VNI)) }),
		on("vxlan.reserved8", number, func(v v, l *pkts.VXLAN) { v.num(num(l.Reserved2)) }),

		on("geneve.flags", number, func(v v, l *pkts.Geneve) { v.num(num(l.Flags)) }),
		on("geneve.proto_type", number, func(v v, l *pkts.Geneve) { v.num(num(l.ProtocolType.Value())) }),
		on("geneve.vni", number, func(v v, l *pkts.Geneve) { v.num(num(l.VNI)) }),
		on("geneve.reserved", number, func(v v, l *pkts.Geneve) { v.num(num(l.Reserved)) }),
		option("geneve.option.class", func(v v, o pkts.GeneveOption) { v.num(num(o.Class)) }),
		option("geneve.option.type", func(v v, o pkts.GeneveOption) { v.num(num(o.Type)) }),

		on("gtp.flags", number, func(v v, l *pkts.GTPU) { v.num(0x30 | num(l.Flags)) }),
		on("gtp.message", number, func(v v, l *pkts.GTPU) { v.num(num(l.Type.Value())) }),
		on("gtp.length", number, func(v v, l *pkts.GTPU) { v.num(num(l.Length.Value())) }),
		on("gtp.teid", number, func(v v, l *pkts.GTPU) { v.num(num(l.TEID)) }),
		on("gtp.seq_number", number, func(v v, l *pkts.GTPU) {
			if l.Flags.Has(pkts.GTPUSeq) {
				v.num(num(l.Seq))
			}
		}),
		on("gtp.npdu_number", number, func(v v, l *pkts.GTPU) {
			if l.Flags.Has(pkts.GTPUNPDU) {
				v.num(num(l.NPDU))
			}
		}),
		on("gtp.ext_hdr.length", number, func(v v, l *pkts.GTPU) {
			for _, e := range l.Extensions.All() {
				v.num(num(len(e.Data)+2) / 4)
			}
		}),
	}
}

// tunnelDeviations are the differences in tunnels that are not defects.
var tunnelDeviations = []deviation{
	{"", "tshark looks behind the redirect header of WCCP, EtherType 0x883e in GRE, which is Raw to us", func(d *difference) bool {
		gre, ok := pkts.Get[pkts.GRE](d.packet)
		return ok && gre.ProtocolType.Is(0x883e) && isPrefix(d.ours, d.theirs)
	}},
	{"gtp.", "tshark looks for it at the port of GTP-C, too, which is not bound", func(d *difference) bool { return d.port(2123) }},
	{"vxlan.", "VXLAN-GPE has a port of its own, which is not bound", func(d *difference) bool { return d.port(4790) }},
}

// port reports whether we show nothing, and the packet is for a UDP port.
func (d *difference) port(n uint16) bool {
	udp, ok := pkts.Get[pkts.UDP](d.packet)
	return ok && len(d.ours) == 0 && (udp.DstPort == n || udp.SrcPort == n)
}
