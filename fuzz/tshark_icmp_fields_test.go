package fuzz

import (
	"strconv"
	"strings"

	"github.com/gopkts/gopkts/pkts"
)

// icmpSharkFields are further fields of ICMP, neighbor discovery and multicast
// listener discovery that are compared.
func icmpSharkFields() []field {
	type (
		v   = *values
		num = uint64
	)
	const errorTypes = "3 11 12"
	is := func(types string, t pkts.ICMPv4Type) bool {
		for s := range strings.FieldsSeq(types) {
			if s == strconv.Itoa(int(t)) {
				return true
			}
		}
		return false
	}
	icmp4 := func(name string, kind valueKind, types string, of func(v v, l *pkts.ICMPv4)) field {
		return on(name, kind, func(v v, l *pkts.ICMPv4) {
			if types == "" || is(types, l.Type) {
				of(v, l)
			}
		})
	}
	opt := func(name string, kind valueKind, of func(v v, o pkts.NDPOption)) field {
		return field{name, kind, func(v v, _ pkts.Node, l pkts.Layer) {
			for _, o := range optionsOf(l).All() {
				of(v, o)
			}
		}}
	}
	record := func(name string, kind valueKind, of func(v v, r pkts.MLDRecord)) field {
		return on(name, kind, func(v v, l *pkts.MLDv2Report) {
			for _, r := range l.Records.All() {
				of(v, r)
			}
		})
	}
	return []field{
		icmp4("icmp.mtu", number, "3", func(v v, l *pkts.ICMPv4) {
			if l.Code == pkts.ICMPv4FragmentationNeeded {
				v.num(num(l.MTU()))
			}
		}),
		icmp4("icmp.redir_gw", text, "5", func(v v, l *pkts.ICMPv4) { v.addr(l.Gateway()) }),
		icmp4("icmp.pointer", number, "12", func(v v, l *pkts.ICMPv4) { v.num(num(l.Pointer())) }),
		icmp4("icmp.length", number, errorTypes, func(v v, l *pkts.ICMPv4) {
			if l.QuoteLen() > 0 {
				v.num(num(l.QuoteLen() / 4))
			}
		}),
		on("icmp.originate_timestamp", number, func(v v, l *pkts.ICMPv4Times) { v.num(num(l.Originate)) }),
		on("icmp.receive_timestamp", number, func(v v, l *pkts.ICMPv4Times) { v.num(num(l.Receive)) }),
		on("icmp.transmit_timestamp", number, func(v v, l *pkts.ICMPv4Times) { v.num(num(l.Transmit)) }),
		on("icmp.address_mask", text, func(v v, l *pkts.ICMPv4Mask) { v.addr(l.Mask) }),
		on("icmp.ext.checksum", number, func(v v, l *pkts.ICMPExtensions) { v.num(num(l.Checksum.Value())) }),
		on("icmp.ext.class", number, func(v v, l *pkts.ICMPExtensions) {
			for _, o := range l.Objects.All() {
				v.num(num(o.Class))
			}
		}),
		on("icmp.mpls.label", number, func(v v, l *pkts.ICMPExtensions) {
			for _, o := range l.Objects.All() {
				for x := range o.Labels() {
					v.num(num(x.Label))
				}
			}
		}),

		on("icmpv6.mtu", number, func(v v, l *pkts.ICMPv6TooBig) { v.num(num(l.MTU)) }),
		on("icmpv6.pointer", number, func(v v, l *pkts.ICMPv6BadParam) { v.num(num(l.Pointer)) }),

		on("icmpv6.nd.ra.flag", number, func(v v, l *pkts.NDPRouterAdvertisement) { v.num(num(l.Flags)) }),
		on("icmpv6.nd.ra.flag.prf", number, func(v v, l *pkts.NDPRouterAdvertisement) { v.num(num(l.Flags.Preference())) }),
		on("icmpv6.nd.ra.reachable_time", number, func(v v, l *pkts.NDPRouterAdvertisement) { v.num(num(l.ReachableTime)) }),
		on("icmpv6.nd.ra.retrans_timer", number, func(v v, l *pkts.NDPRouterAdvertisement) { v.num(num(l.RetransTimer)) }),
		on("icmpv6.nd.na.flag", number, func(v v, l *pkts.NDPNeighborAdvertisement) { v.num(num(l.Flags)) }),
		on("icmpv6.nd.rd.target_address", text, func(v v, l *pkts.NDPRedirect) { v.addr(l.Target) }),
		on("icmpv6.rd.na.destination_address", text, func(v v, l *pkts.NDPRedirect) { v.addr(l.Dst) }),

		opt("icmpv6.opt.type", number, func(v v, o pkts.NDPOption) { v.num(num(o.Type)) }),
		opt("icmpv6.opt.length", number, func(v v, o pkts.NDPOption) { v.num(num(len(o.Data)+2) / 8) }),
		opt("icmpv6.opt.linkaddr", text, func(v v, o pkts.NDPOption) {
			if a, ok := o.LinkAddr(); ok {
				v.str(a.String())
			}
		}),
		opt("icmpv6.opt.mtu", number, func(v v, o pkts.NDPOption) {
			if mtu, ok := o.MTU(); ok {
				v.num(num(mtu))
			}
		}),
		opt("icmpv6.opt.prefix.flag", number, func(v v, o pkts.NDPOption) {
			if p, ok := o.Prefix(); ok {
				v.num(num(p.Flags))
			}
		}),
		opt("icmpv6.opt.prefix.valid_lifetime", number, func(v v, o pkts.NDPOption) {
			if p, ok := o.Prefix(); ok {
				v.num(num(p.Valid))
			}
		}),
		opt("icmpv6.opt.prefix.preferred_lifetime", number, func(v v, o pkts.NDPOption) {
			if p, ok := o.Prefix(); ok {
				v.num(num(p.Preferred))
			}
		}),
		opt("icmpv6.opt.prefix.length", number, func(v v, o pkts.NDPOption) {
			if p, ok := o.Prefix(); ok {
				v.num(num(p.Prefix.Bits()))
			}
			if r, ok := o.Route(); ok {
				v.num(num(r.Prefix.Bits()))
			}
		}),
		opt("icmpv6.opt.prefix", text, func(v v, o pkts.NDPOption) {
			if p, ok := o.Prefix(); ok {
				v.addr(p.Prefix.Addr())
			}
			if r, ok := o.Route(); ok {
				v.addr(r.Prefix.Addr())
			}
		}),
		opt("icmpv6.opt.route_lifetime", number, func(v v, o pkts.NDPOption) {
			if r, ok := o.Route(); ok {
				v.num(num(r.Lifetime))
			}
		}),
		opt("icmpv6.opt.rdnss.lifetime", number, func(v v, o pkts.NDPOption) {
			if life, _, ok := o.DNSServers(); ok {
				v.num(num(life))
			}
		}),
		opt("icmpv6.opt.rdnss", text, func(v v, o pkts.NDPOption) {
			_, servers, _ := o.DNSServers()
			for _, a := range servers {
				v.addr(a)
			}
		}),
		opt("icmpv6.opt.dnssl", text, func(v v, o pkts.NDPOption) {
			_, domains, _ := o.DNSSearch()
			for _, d := range domains {
				v.str(d)
			}
		}),

		on("icmpv6.mld.maximum_response_delay", number, func(v v, l *pkts.MLD) { v.num(num(l.MaxRespDelay)) }),
		on("icmpv6.mld.maximum_response_code", number, func(v v, l *pkts.MLDv2Query) { v.num(num(l.MaxRespCode)) }),
		either(
			on("icmpv6.mld.multicast_address", text, func(v v, l *pkts.MLD) { v.addr(l.Group) }),
			on("", text, func(v v, l *pkts.MLDv2Query) { v.addr(l.Group) })),
		on("icmpv6.mld.flag.qrv", number, func(v v, l *pkts.MLDv2Query) { v.num(num(l.QRV)) }),
		on("icmpv6.mld.flag.s", number, func(v v, l *pkts.MLDv2Query) { v.flag(l.Suppress) }),
		on("icmpv6.mld.qqi", number, func(v v, l *pkts.MLDv2Query) { v.num(num(l.QQIC)) }),
		on("icmpv6.mld.nb_sources", number, func(v v, l *pkts.MLDv2Query) { v.num(num(l.NumSources.Value())) }),
		on("icmpv6.mldr.nb_mcast_records", number, func(v v, l *pkts.MLDv2Report) { v.num(num(l.NumRecords.Value())) }),
		record("icmpv6.mldr.mar.record_type", number, func(v v, r pkts.MLDRecord) { v.num(num(r.Type)) }),
		record("icmpv6.mldr.mar.multicast_address", text, func(v v, r pkts.MLDRecord) { v.addr(r.Group) }),
		record("icmpv6.mldr.mar.nb_sources", number, func(v v, r pkts.MLDRecord) { v.num(num(r.Sources.Len())) }),
		record("icmpv6.mldr.mar.source_address", text, func(v v, r pkts.MLDRecord) {
			for _, a := range r.Sources.All() {
				v.addr(a)
			}
		}),
	}
}

// optionsOf returns the options of a neighbor discovery message.
func optionsOf(l pkts.Layer) pkts.NDPOptions {
	switch l := l.(type) {
	case *pkts.NDPRouterSolicitation:
		return l.Options
	case *pkts.NDPRouterAdvertisement:
		return l.Options
	case *pkts.NDPNeighborSolicitation:
		return l.Options
	case *pkts.NDPNeighborAdvertisement:
		return l.Options
	case *pkts.NDPRedirect:
		return l.Options
	default:
		return nil
	}
}

// icmpDeviations are the differences in them that are not defects.
var icmpDeviations = []deviation{
	{"icmpv6.mldr.mar", "a record that is not all there has no fields, and tshark shows what there is", func(d *difference) bool {
		return d.packet.Truncated() && isPrefix(d.ours, d.theirs)
	}},
	{"icmpv6.opt", "an option of a wrong length ends the list, and tshark shows its type and length", func(d *difference) bool {
		return isPrefix(d.ours, d.theirs) && len(d.theirs) == len(d.ours)+1 && malformedOption(d.packet)
	}},
	{"icmp.ext.class", "an object of a wrong length ends the list, and tshark shows its class", func(d *difference) bool {
		ext, ok := pkts.Get[pkts.ICMPExtensions](d.packet)
		return ok && isPrefix(d.ours, d.theirs) && ext.Objects.Err() != nil
	}},
	{"icmpv6.opt", "a mobile prefix advertisement, RFC 6275, is Raw", func(d *difference) bool {
		l, ok := pkts.Get[pkts.ICMPv6](d.packet)
		return ok && l.Type.Is(pkts.ICMPv6MobilePrefixAdv)
	}},
	{"icmp.ext", "an extended echo reply brings back the request's extensions, RFC 8335, which tshark shows as data", func(d *difference) bool {
		l, ok := pkts.Get[pkts.ICMPv6](d.packet)
		l4, ok4 := pkts.Get[pkts.ICMPv4](d.packet)
		return len(d.theirs) == 0 && (ok && l.Type.Is(pkts.ICMPv6ExtendedEchoReply) || ok4 && l4.Type == pkts.ICMPv4ExtendedEchoReply)
	}},
	{"icmp.ext.class", "tshark reads the data behind the one object of an extended echo as another object", func(d *difference) bool {
		return pkts.Has[pkts.Raw](d.packet) && isPrefix(d.ours, d.theirs) && len(d.ours) == 1 && d.ours[0] == "3"
	}},
}

// malformedOption reports whether a packet has a neighbor discovery option that
// is not all there.
func malformedOption(p *pkts.Packet) bool {
	for n := range p.Nodes() {
		l, err := n.Layer()
		if err != nil {
			continue
		}
		if optionsOf(l).Err() != nil {
			return true
		}
	}
	return false
}
