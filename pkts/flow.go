package pkts

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"hash/maphash"
	"iter"
	"net/netip"
	"strconv"
)

// Flow is what the packets of one conversation have in common, in the direction
// of one of them: a key for maps. The zero value is that of a packet without an
// IP header.
type Flow struct {
	Src, Dst netip.Addr
	// SrcPort and DstPort are the ports of TCP, UDP, UDP-Lite, SCTP and DCCP,
	// and 0 for other protocols and fragments.
	//
	// Of ICMP and ICMPv6, SrcPort is the type, and DstPort the type of the
	// answer, so that [Flow.Reverse] of a request is the flow of its reply.
	// Where a type has no answer, DstPort is the code.
	SrcPort, DstPort uint16
	// Proto is the protocol behind the IP header and its extension headers.
	Proto IPProto
	// Fragment says that the packet is a fragment other than the first: its
	// ports are not known.
	Fragment bool
}

// Flow returns the flow of the outermost IP header; the zero Flow when there is
// none.
//
// It reads a decoded packet's bytes, and the fields of the layers that [Get]
// has handed out. It allocates nothing.
func (p *Packet) Flow() Flow {
	if p.plain.ip != 0 && p.filled == 0 {
		var f Flow
		f.set(p.plain.ip, p.plain.ipData, len(p.plain.ipData)-len(p.plain.l4Data))
		return f
	}
	for i := range p.nodes() {
		if k := p.nodes()[i].kind; k == kindIPv4 || k == kindIPv6 {
			return p.flow(i)
		}
	}
	return Flow{}
}

// NthFlow is [Packet.Flow] for the n-th IP header, counted from 0: 1 is the
// packet in a tunnel, and also the one that an ICMP error quotes.
func (p *Packet) NthFlow(n int) (Flow, bool) {
	for i := range p.nodes() {
		if k := p.nodes()[i].kind; k == kindIPv4 || k == kindIPv6 {
			if n == 0 {
				return p.flow(i), true
			}
			n--
		}
	}
	return Flow{}, false
}

// InnermostFlow is [Packet.Flow] for the last IP header that is not quoted by
// an ICMP error: that of the packet in the innermost tunnel.
func (p *Packet) InnermostFlow() Flow {
	for i := len(p.nodes()) - 1; i >= 0; i-- {
		if n := &p.nodes()[i]; (n.kind == kindIPv4 || n.kind == kindIPv6) && !p.quoted(i) {
			return p.flow(i)
		}
	}
	return Flow{}
}

// quoted reports whether node i lies in a quote. The layer that quotes has the
// flag itself.
func (p *Packet) quoted(i int) bool {
	up := p.nodes()[i].parent
	return up != noNode && p.nodes()[up].flags&nodeQuote != 0
}

// Flows yields the flow of every IP header, outermost first. It ends when the
// packet is edited or decoded into again.
func (p *Packet) Flows() iter.Seq[Flow] {
	return func(yield func(Flow) bool) {
		if p.filled != 0 {
			gen := p.gen
			for _, f := range p.flowsOfLayers() {
				if p.gen != gen || !yield(f) {
					return
				}
			}
			return
		}
		gen := p.gen
		for i := 0; p.gen == gen && i < len(p.nodes()); i++ {
			if k := p.nodes()[i].kind; (k == kindIPv4 || k == kindIPv6) && !yield(p.flow(i)) {
				return
			}
		}
	}
}

// flowsOfLayers is Flows for a packet whose layers have been handed out. It
// encodes the packet at most once.
func (p *Packet) flowsOfLayers() (fs []Flow) {
	var (
		b       []byte
		err     error
		encoded bool
	)
	for i := range p.nodes() {
		k := p.nodes()[i].kind
		if k != kindIPv4 && k != kindIPv6 {
			continue
		}
		f, ok := p.flowOfLayers(i)
		if !ok {
			if !encoded {
				b, err = p.encode(nil)
				encoded = true
			}
			if err == nil {
				f = p.flowOfEncoding(i, b)
			}
		}
		fs = append(fs, f)
	}
	return fs
}

// flow returns the flow of node i, an IP header.
func (p *Packet) flow(i int) (f Flow) {
	if p.filled != 0 {
		f, ok := p.flowOfLayers(i)
		if !ok {
			b, err := p.encode(p.scratch[:0])
			if err != nil {
				return f
			}
			p.scratch = b
			f = p.flowOfEncoding(i, b)
		}
		return f
	}
	n := &p.nodes()[i]
	f.set(n.kind, p.data[n.off:n.end], int(n.hdr))
	return f
}

// set makes f the flow of the IP packet in b, whose header has hdr bytes.
func (f *Flow) set(k Kind, b []byte, hdr int) {
	var proto IPProto
	if k == kindIPv4 {
		proto = f.setIPv4(IPv4View(b))
	} else {
		proto = f.setIPv6(IPv6View(b))
	}
	if b = b[hdr:]; (proto == IPProtoTCP || proto == IPProtoUDP) && !f.Fragment && len(b) >= 4 {
		f.Proto = proto
		f.SrcPort = binary.BigEndian.Uint16(b)
		f.DstPort = binary.BigEndian.Uint16(b[2:])
		return
	}
	f.setPayload(proto, b)
}

func (f *Flow) setIPv4(v IPv4View) IPProto {
	f.Src, f.Dst = v.Src(), v.Dst()
	f.Fragment = v.FragmentOffset() != 0
	return v.Protocol()
}

func (f *Flow) setIPv6(v IPv6View) IPProto {
	f.Src, f.Dst = v.Src(), v.Dst()
	return v.NextHeader()
}

// setPayload sets protocol and ports, b being what follows an IP header that
// announces it as proto.
func (f *Flow) setPayload(proto IPProto, b []byte) {
	for !f.Fragment {
		n := 0
		switch proto {
		case IPProtoHopByHop, IPProtoRouting, IPProtoDestOpts:
			if len(b) >= 8 {
				n = 8 + int(b[1])*8 // RFC 8200, section 4
			}
		case IPProtoFragment:
			if n = 8; len(b) >= n {
				f.Fragment = isFragment6(b)
			}
		case IPProtoAH:
			if len(b) >= 8 {
				n = 8 + int(b[1])*4 // RFC 4302, section 2.2
			}
		default:
			f.setPorts(proto, b)
			return
		}
		if n == 0 || n > len(b) {
			break
		}
		proto, b = IPProto(b[0]), b[n:]
	}
	f.Proto = proto
}

// isFragment6 reports whether the IPv6 fragment header in b is that of a
// fragment other than the first, RFC 8200, section 4.5.
func isFragment6(b []byte) bool { return binary.BigEndian.Uint16(b[2:])&^7 != 0 }

// setPorts sets the protocol, and the ports from the start of its header in b.
func (f *Flow) setPorts(proto IPProto, b []byte) {
	f.Proto = proto
	switch {
	case proto.hasPorts() && len(b) >= 4:
		f.SrcPort = binary.BigEndian.Uint16(b)
		f.DstPort = binary.BigEndian.Uint16(b[2:])
	case (proto == IPProtoICMPv4 || proto == IPProtoICMPv6) && len(b) >= 2:
		f.SrcPort, f.DstPort = uint16(b[0]), uint16(b[1])
		if answer, ok := f.icmpAnswer(); ok {
			f.DstPort = answer
		}
	}
}

// icmpAnswer returns the type that answers the ICMP type in SrcPort, or that it
// is an answer to: the pairs of the Community ID specification. It reports
// false for one that travels in one direction only.
func (f *Flow) icmpAnswer() (uint16, bool) {
	switch t := f.SrcPort; f.Proto {
	case IPProtoICMPv4:
		switch t {
		case 0, 8: // echo
			return 8 - t, true
		case 9, 10: // router discovery, RFC 1256
			return 19 - t, true
		case 13, 14: // timestamp
			return 27 - t, true
		case 15, 16: // information
			return 31 - t, true
		case 17, 18: // address mask, RFC 950
			return 35 - t, true
		}
	case IPProtoICMPv6:
		switch t {
		case 128, 129, // echo
			144, 145: // home agent address discovery, RFC 6275
			return t ^ 1, true
		case 130, 131: // MLD, RFC 2710
			return 261 - t, true
		case 133, 134: // router discovery, RFC 4861
			return 267 - t, true
		case 135, 136: // neighbor discovery, RFC 4861
			return 271 - t, true
		case 139, 140: // node information, RFC 4620
			return 279 - t, true
		}
	}
	return 0, false
}

// flowOfLayers is flow for a packet whose layers have been handed out: it goes
// by what they hold now, and reports false when fields are still to be
// computed, so that only the encoded packet tells.
func (p *Packet) flowOfLayers(i int) (f Flow, ok bool) {
	if p.edited {
		return f, false
	}
	var proto IPProto
	b := p.current(i)
	switch {
	case p.nodes()[i].kind == kindIPv4 && len(b) >= IPv4MinLen:
		proto = f.setIPv4(IPv4View(b))
	case p.nodes()[i].kind == kindIPv6 && len(b) >= IPv6Len:
		proto = f.setIPv6(IPv6View(b))
	default:
		return Flow{}, true // it cannot be encoded
	}
	for {
		if i = p.child(i); i < 0 {
			f.Proto = proto
			return f, true
		}
		b = p.current(i)
		switch k := p.nodes()[i].kind; {
		case k == KindRaw || f.Fragment:
			f.setPayload(proto, b)
			return f, true
		case k != p.registry().ipProto(proto):
			return Flow{}, false // the number is to be computed
		case k == kindTCP || k == kindUDP || len(b) == 0:
			f.setPorts(proto, b)
			return f, true
		case proto == IPProtoFragment && len(b) >= 8:
			f.Fragment = isFragment6(b)
		case proto == IPProtoHopByHop, proto == IPProtoRouting, proto == IPProtoDestOpts, proto == IPProtoAH:
		default:
			f.setPorts(proto, b)
			return f, true
		}
		proto = IPProto(b[0])
	}
}

// flowOfEncoding is flow for a packet that was just encoded as b.
func (p *Packet) flowOfEncoding(i int, b []byte) (f Flow) {
	o := &p.out[i]
	f.set(o.kind, b[o.off:o.end], int(o.hdr))
	return f
}

// child returns the node of the payload of node i, -1 for none.
func (p *Packet) child(i int) int {
	for j := i + 1; j < len(p.nodes()); j++ {
		if n := &p.nodes()[j]; n.parent == uint16(i) && n.kind != kindPadding {
			return j
		}
	}
	return -1
}

// current returns the header of node i as it would be encoded before it is
// completed, nil when it cannot be. The result is valid until it is called
// again.
func (p *Packet) current(i int) []byte {
	n := &p.nodes()[i]
	if n.flags&nodeFilled == 0 {
		return p.data[n.off:n.end]
	}
	b, err := p.slots[i].layer.AppendBinary(p.scratch[:0])
	if err != nil {
		return nil
	}
	p.scratch = b
	return b
}

// IsValid reports whether f is the flow of an IP packet.
func (f Flow) IsValid() bool { return f.Src.IsValid() && f.Dst.IsValid() }

// Reverse returns the flow of the packets in the other direction.
func (f Flow) Reverse() Flow {
	f.Src, f.Dst = f.Dst, f.Src
	if !f.oneWay() {
		f.SrcPort, f.DstPort = f.DstPort, f.SrcPort
	}
	return f
}

// oneWay reports whether the ports are type and code of an ICMP message that
// has no answer.
func (f *Flow) oneWay() bool {
	if f.Proto != IPProtoICMPv4 && f.Proto != IPProtoICMPv6 || f.Fragment {
		return false
	}
	_, ok := f.icmpAnswer()
	return !ok
}

// Symmetric returns f or its reverse, the same for both directions: the one
// whose source is less, by address and then by port. An ICMP message that has
// no answer belongs to no conversation and is returned as it is.
func (f Flow) Symmetric() Flow {
	if f.oneWay() {
		return f
	}
	if c := f.Src.Compare(f.Dst); c > 0 || c == 0 && f.SrcPort > f.DstPort {
		return f.Reverse()
	}
	return f
}

// Hash returns a hash of f, for tables that are not Go maps. Who does not know
// seed, which is made by [maphash.MakeSeed] and differs from process to
// process, cannot choose packets that collide. The zones of addresses, which
// packets do not have, do not count.
func (f Flow) Hash(seed maphash.Seed) uint64 { return f.hash(seed, false) }

// SymmetricHash is [Flow.Hash] with the same result for both directions: the
// hash of [Flow.Symmetric] where both addresses are of one family.
func (f Flow) SymmetricHash(seed maphash.Seed) uint64 { return f.hash(seed, !f.oneWay()) }

// hash is Hash, of Symmetric if symmetric. Words without pointers are what
// maphash takes fastest and without allocating.
func (f *Flow) hash(seed maphash.Seed, symmetric bool) uint64 {
	rest := uint64(f.Proto) << 8
	if f.Fragment {
		rest |= 1
	}
	ports, reversed := uint32(f.SrcPort)<<16|uint32(f.DstPort), uint32(f.DstPort)<<16|uint32(f.SrcPort)
	if f.Src.Is4() && f.Dst.Is4() {
		a, b := f.Src.As4(), f.Dst.As4()
		src, dst := binary.BigEndian.Uint32(a[:]), binary.BigEndian.Uint32(b[:])
		if symmetric && (dst < src || dst == src && reversed < ports) {
			src, dst, ports = dst, src, reversed
		}
		return maphash.Comparable(seed, [2]uint64{uint64(src)<<32 | uint64(dst), uint64(ports)<<32 | rest})
	}
	a, b := f.Src.As16(), f.Dst.As16()
	srcHi, srcLo := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:])
	dstHi, dstLo := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	if symmetric && (dstHi < srcHi || dstHi == srcHi && (dstLo < srcLo || dstLo == srcLo && reversed < ports)) {
		srcHi, srcLo, dstHi, dstLo, ports = dstHi, dstLo, srcHi, srcLo, reversed
	}
	return maphash.Comparable(seed, [5]uint64{srcHi, srcLo, dstHi, dstLo, uint64(ports)<<32 | rest})
}

// CommunityID returns the Community ID of the flow, version 1, such as
// "1:LQU9qZlK+B5F3KDmev6m5PMibrg=": the same for both directions, and the same
// in other programs with the same seed, which usually is 0. It is empty when
// source and destination are not addresses of one family. See
// https://github.com/corelight/community-id-spec.
func (f Flow) CommunityID(seed uint16) string { return string(f.AppendCommunityID(nil, seed)) }

// AppendCommunityID appends [Flow.CommunityID] to b.
func (f Flow) AppendCommunityID(b []byte, seed uint16) []byte {
	if !f.IsValid() || f.Src.BitLen() != f.Dst.BitLen() {
		return b
	}
	f = f.Symmetric()
	var buf [2 + 2*16 + 2 + 4]byte
	h := binary.BigEndian.AppendUint16(buf[:0], seed)
	if f.Src.Is4() {
		src, dst := f.Src.As4(), f.Dst.As4()
		h = append(append(h, src[:]...), dst[:]...)
	} else {
		src, dst := f.Src.As16(), f.Dst.As16()
		h = append(append(h, src[:]...), dst[:]...)
	}
	h = append(h, uint8(f.Proto), 0)
	switch f.Proto {
	case IPProtoTCP, IPProtoUDP, IPProtoSCTP, IPProtoICMPv4, IPProtoICMPv6:
		// The specification has no ports for the other protocols.
		if !f.Fragment {
			h = binary.BigEndian.AppendUint16(h, f.SrcPort)
			h = binary.BigEndian.AppendUint16(h, f.DstPort)
		}
	}
	sum := sha1.Sum(h)
	return base64.StdEncoding.AppendEncode(append(b, "1:"...), sum[:])
}

// String returns f in a form such as "10.0.0.1:1234 > 10.0.0.2:80 TCP",
// "[::1]:53 > [::2]:5353 UDP", "10.0.0.1 > 10.0.0.2 ICMP type 3 code 1" or
// "10.0.0.1 > 10.0.0.2 UDP fragment"; "none" for the zero Flow.
func (f Flow) String() string {
	b, _ := f.AppendText(nil)
	return string(b)
}

// AppendText appends [Flow.String] to b. The error is always nil.
func (f Flow) AppendText(b []byte) ([]byte, error) {
	if f == (Flow{}) {
		return append(b, "none"...), nil
	}
	icmp := !f.Fragment && (f.Proto == IPProtoICMPv4 || f.Proto == IPProtoICMPv6)
	if icmp || f.SrcPort == 0 && f.DstPort == 0 && (f.Fragment || !f.Proto.hasPorts()) {
		b = f.Src.AppendTo(b)
		b = append(b, " > "...)
		b = f.Dst.AppendTo(b)
	} else {
		b = netip.AddrPortFrom(f.Src, f.SrcPort).AppendTo(b)
		b = append(b, " > "...)
		b = netip.AddrPortFrom(f.Dst, f.DstPort).AppendTo(b)
	}
	b = append(b, ' ')
	b = append(b, f.Proto.String()...)
	switch {
	case f.Fragment:
		b = append(b, " fragment"...)
	case icmp:
		b = append(b, " type "...)
		b = strconv.AppendUint(b, uint64(f.SrcPort), 10)
		if f.oneWay() {
			b = append(b, " code "...)
			b = strconv.AppendUint(b, uint64(f.DstPort), 10)
		}
	}
	return b, nil
}

// hasPorts reports whether the protocol's header begins with two ports.
func (p IPProto) hasPorts() bool {
	switch p {
	case IPProtoTCP, IPProtoUDP, IPProtoUDPLite, IPProtoSCTP, IPProtoDCCP:
		return true
	default:
		return false
	}
}
