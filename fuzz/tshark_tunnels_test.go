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
	}
}

// tunnelDeviations are the differences in tunnels that are not defects.
var tunnelDeviations = []deviation{
	{"", "tshark looks behind the redirect header of WCCP, EtherType 0x883e in GRE, which is Raw to us", func(d *difference) bool {
		gre, ok := pkts.Get[pkts.GRE](d.packet)
		return ok && gre.ProtocolType.Is(0x883e) && isPrefix(d.ours, d.theirs)
	}},
}
