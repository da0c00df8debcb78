package pkts

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"

	"github.com/gopkts/gopkts/common/link"
)

// AppendSummary appends the packet in one line, without a newline, to b and
// returns the result. It allocates nothing for the protocols of this package
// when the packet was decoded.
//
// The line is in the manner of tcpdump -nn -t -S: link layers are silent, an IP
// header gives the addresses, and ports if TCP or UDP follow at once; TCP gives
// flags, sequence numbers (absolute), window and options; ICMP and ARP the
// message. What differs is that
//
//   - an IPv4 fragment is followed by "(frag 4660:1480@0+)": identification,
//     length and offset of its payload in bytes, + if more fragments follow;
//   - a payload is never guessed at from a port number: UDP is always
//     "UDP, length 30", and only the protocols that the [Registry] knows are
//     looked into, behind a colon;
//   - what tcpdump knows from the capture alone, the name of the interface and
//     the length on the wire, is not there.
//
// A packet that cannot be encoded is printed as the names of its layers and the
// error.
func (p *Packet) AppendSummary(b []byte) []byte {
	q := p
	if p.filled != 0 {
		var err error
		if q, err = p.shownPacket(); err != nil {
			return p.appendNames(b, err)
		}
	}
	if len(q.nodes()) == 0 {
		return append(b, "empty packet"...)
	}
	l := line{p: q, b: b, frag: -1, shown: q != p}
	l.run(0)
	for i := 1; i < len(q.nodes()) && q.nodes()[i].parent == noNode; i++ {
		if q.nodes()[i].kind == kindPadding {
			continue
		}
		l.b = append(l.b, "; "...)
		l.run(i)
	}
	return l.b
}

// appendNames appends the names of the layers and an error.
func (p *Packet) appendNames(b []byte, err error) []byte {
	for j, i := range p.depthFirst() {
		if j > 0 {
			b = append(b, " / "...)
		}
		b = append(b, p.protocol(int(i)).Name...)
	}
	b = append(b, " ["...)
	b = append(b, err.Error()...)
	return append(b, ']')
}

// line writes a one-line summary.
type line struct {
	p *Packet
	b []byte
	// length is how long the layer at hand is by the lengths that the headers
	// around it state, which may be more than is there.
	length int
	// ports says that the ports of the layer at hand are printed.
	ports bool
	// shown says that p is already a copy; filled is the one whose layers are
	// filled in, nil before that is needed.
	shown  bool
	filled *Packet
	// frag is the node of an IPv4 header that was a fragment's, -1 for none.
	frag int
}

func (l *line) str(s string)  { l.b = append(l.b, s...) }
func (l *line) uint(n uint32) { l.b = strconv.AppendUint(l.b, uint64(n), 10) }
func (l *line) hex(n uint32)  { l.b = strconv.AppendUint(append(l.b, "0x"...), uint64(n), 16) }

// hexN appends n in at least the given number of hexadecimal digits.
func (l *line) hexN(n uint64, digits int) {
	for s := (digits - 1) * 4; s >= 0; s -= 4 {
		l.b = append(l.b, hexDigits[n>>s&0xf])
	}
}

const hexDigits = "0123456789abcdef"

func (l *line) mac(a []byte) { l.b = appendMAC(l.b, a) }

// appendMAC appends the bytes of an address in hexadecimal with colons.
func appendMAC(b, a []byte) []byte {
	for i, c := range a {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&0xf])
	}
	return b
}

func (l *line) ip4(a []byte) {
	for i, c := range a[:4] {
		if i > 0 {
			l.b = append(l.b, '.')
		}
		l.b = strconv.AppendUint(l.b, uint64(c), 10)
	}
}

func (l *line) ip6(a []byte) { l.b = netip.AddrFrom16([16]byte(a)).AppendTo(l.b) }

// run prints the layers from node i on, each being the first in the one before.
func (l *line) run(i int) {
	p := l.p
	l.length, l.ports = int(p.nodes()[i].end-p.nodes()[i].off), false
	outer := l.frag
	l.frag = -1
	for i >= 0 {
		n := &p.nodes()[i]
		b := p.data[n.off:n.end:n.end]
		next := p.firstChild(i)
		hdr := int(n.pay() - n.off)
		switch n.kind {
		case KindRaw:
			if !l.ports {
				l.raw(i, b)
			}
			next = -1
		case kindEthernet, kindVLAN, kindLLC, kindSNAP, kindLoopback, kindLoop, kindSLL, kindSLL2:
			if next < 0 || p.nodes()[next].kind == KindRaw {
				l.link(i, next)
				next = -1
			}
		case kindARP:
			l.arp(b, l.enclosed(i))
		case kindIPv4:
			next = l.ipv4(i, next, b)
		case kindIPv6:
			next = l.ipv6(i, next, b)
		case kindHopByHop:
			l.str("HBH ")
		case kindDestOpts:
			l.str("DSTOPT ")
		case kindRouting:
			l.routing(b[:hdr])
		case kindFragment:
			next = l.fragment(b, hdr, next)
		case kindAH:
			l.str("AH(spi=0x")
			l.hexN(uint64(binary.BigEndian.Uint32(b[4:])), 8)
			l.str(",seq=")
			l.hex(binary.BigEndian.Uint32(b[8:]))
			l.str(",icv=0x")
			l.b = hex.AppendEncode(l.b, b[12:hdr])
			l.str("): ")
		case kindESP:
			l.str("ESP(spi=0x")
			l.hexN(uint64(binary.BigEndian.Uint32(b)), 8)
			l.str(",seq=")
			l.hex(binary.BigEndian.Uint32(b[4:]))
			l.str("), length ")
			l.uint(uint32(l.length))
			next = -1
		case kindMobility:
			l.str("mobility: ")
			l.str(mobilityName(b[2]))
			next = -1
		case kindTCP:
			next = l.tcp(b, hdr, next)
		case kindUDP:
			next = l.udp(b, n.flags&nodeFragment != 0, next)
		case kindICMPv4:
			l.icmp4(b)
			next = -1
		case kindICMPv6:
			l.icmp6(b)
			next = -1
		case kindGRE:
			next = l.gre(next, b)
		case kindVXLAN:
			next = l.vxlan(next, b)
		case kindGeneve:
			next = l.geneve(next, b)
		case kindGTPU:
			next = l.gtpu(next, b)
		default:
			next = l.other(i, next)
		}
		l.length -= hdr
		if next < 0 {
			break
		}
		if !isIPPayload(n.kind) {
			l.length = int(p.nodes()[next].end - p.nodes()[next].off)
		}
		i = next
	}
	// Nothing came where a header was to be followed by something.
	for len(l.b) > 0 && l.b[len(l.b)-1] == ' ' {
		l.b = l.b[:len(l.b)-1]
	}
	if l.frag >= 0 {
		l.fragmented(l.frag)
	}
	l.frag = outer
}

// isIPPayload reports whether the length of what a layer carries follows from
// the length of the layer.
func isIPPayload(k Kind) bool {
	switch k {
	case kindIPv4, kindIPv6, kindHopByHop, kindDestOpts, kindRouting, kindFragment, kindAH, kindMobility, kindHIP, kindShim6:
		return true
	default:
		return false
	}
}

// enclosed returns the length from node i to the end of what carries it,
// padding included.
func (l *line) enclosed(i int) int {
	n := &l.p.nodes()[i]
	end := n.end
	if n.parent != noNode {
		end = l.p.nodes()[n.parent].end
	}
	return int(end - n.off)
}

// raw prints a payload that nothing has said anything about yet.
func (l *line) raw(i int, b []byte) {
	if up := l.p.nodes()[i].parent; up != noNode {
		switch n := &l.p.nodes()[up]; n.kind {
		case kindHopByHop, kindDestOpts, kindRouting, kindFragment, kindMobility, kindHIP, kindShim6, kindAH:
			l.unknown(IPProto(l.p.data[n.off]), KindRaw)
			return
		}
	}
	l.str("data, length ")
	l.uint(uint32(len(b)))
}

// unknown prints that the bytes of an IP packet are not looked into: because
// the protocol is not known, or because its header is cut or malformed.
func (l *line) unknown(proto IPProto, known Kind) {
	if known != KindRaw {
		l.str("[|")
		l.str(lowerName(l.p.registry().protocol(known)))
		l.str("]")
		return
	}
	l.str("ip-proto-")
	l.uint(uint32(proto))
	l.str(" ")
	l.uint(uint32(max(l.length, 0)))
}

// lowerName returns the protocol's name in the manner of tcpdump.
func lowerName(p *Protocol) string {
	switch p.kind {
	case kindTCP:
		return "tcp"
	case kindUDP:
		return "udp"
	case kindICMPv4:
		return "icmp"
	case kindICMPv6:
		return "icmp6"
	case kindIPv4:
		return "ip"
	case kindIPv6:
		return "ip6"
	case kindGRE:
		return "gre"
	default:
		return p.Name
	}
}

// link prints a link layer that carries nothing that is known.
func (l *line) link(i, next int) {
	p := l.p
	// The addresses are in the outermost of the link layers.
	top := i
	for p.nodes()[top].parent != noNode && p.nodes()[top].kind != kindEthernet {
		top = int(p.nodes()[top].parent)
	}
	n := &p.nodes()[top]
	frame := p.data[n.off:n.end]
	if n.kind == kindEthernet {
		l.mac(frame[ethernetOffSrc:][:6])
		l.str(" > ")
		l.mac(frame[ethernetOffDst:][:6])
		l.str(", ")
	}
	n = &p.nodes()[i]
	b := p.data[n.off:n.end]
	switch n.kind {
	case kindEthernet:
		t := binary.BigEndian.Uint16(b[ethernetOffType:])
		if t <= ethernetMaxLength {
			l.str("802.3")
			break
		}
		l.etherType(EtherType(t))
	case kindVLAN:
		l.etherType(EtherType(binary.BigEndian.Uint16(b[2:])))
	case kindLLC:
		l.str("LLC")
		for i, name := range [...]string{", dsap 0x", ", ssap 0x", ", ctrl 0x"} {
			if i < len(b) {
				l.str(name)
				l.hexN(uint64(b[i]), 2)
			}
		}
	case kindSNAP:
		l.str("SNAP, oui ")
		l.mac(b[:3])
		l.str(", ")
		l.etherType(EtherType(binary.BigEndian.Uint16(b[3:])))
	case kindSLL:
		l.etherType(EtherType(binary.BigEndian.Uint16(b[14:])))
	case kindSLL2:
		l.etherType(EtherType(binary.BigEndian.Uint16(b)))
	default:
		l.str(p.protocol(i).Name)
	}
	l.str(", length ")
	l.uint(uint32(len(frame)))
	if next >= 0 {
		// A header that is known but cut or malformed is bytes as well.
		if k := l.carried(i); k != KindRaw {
			l.str(" [|")
			l.str(lowerName(p.registry().protocol(k)))
			l.str("]")
		}
	}
}

// carried returns the protocol that the EtherType in node i announces.
func (l *line) carried(i int) Kind {
	n := &l.p.nodes()[i]
	b := l.p.data[n.off:n.end]
	off := 0
	switch n.kind {
	case kindEthernet:
		off = ethernetOffType
	case kindVLAN:
		off = 2
	case kindSNAP:
		off = 3
	case kindSLL:
		off = 14
	case kindSLL2:
	default:
		return KindRaw
	}
	return l.p.registry().etherType(EtherType(binary.BigEndian.Uint16(b[off:])))
}

func (l *line) etherType(t EtherType) {
	l.str("ethertype ")
	if name := t.name(); name != "" {
		l.str(name)
	} else {
		l.str("Unknown")
	}
	l.str(" (0x")
	l.hexN(uint64(t), 4)
	l.str(")")
}

// name returns the name of t, "" when it has none.
func (t EtherType) name() string {
	switch t {
	case EtherTypeIPv4, EtherTypeARP, EtherTypeRARP, EtherTypeVLAN, EtherTypeIPv6, EtherTypeMPLS, EtherTypeMPLSUpstream,
		EtherTypePPPoEDisc, EtherTypePPPoE, EtherTypeQinQ, EtherTypeLLDP:
		return t.String()
	default:
		return ""
	}
}

// arp prints an ARP or RARP message, RFC 826 and 903. Addresses are printed for
// IPv4 over six-byte hardware addresses.
func (l *line) arp(b []byte, length int) {
	op := binary.BigEndian.Uint16(b[6:])
	l.str("ARP, ")
	hlen, plen := int(b[4]), int(b[5])
	if hlen != 6 || plen != 4 || len(b) < 28 {
		l.str("op ")
		l.uint(uint32(op))
		l.str(", hardware ")
		l.uint(uint32(binary.BigEndian.Uint16(b)))
		l.str(" (len ")
		l.uint(uint32(hlen))
		l.str("), ")
		l.etherType(EtherType(binary.BigEndian.Uint16(b[2:])))
		l.str(" (len ")
		l.uint(uint32(plen))
		l.str(")")
	} else {
		sha, spa, tha, tpa := b[8:14], b[14:18], b[18:24], b[24:28]
		switch op {
		case 1:
			l.str("Request who-has ")
			l.ip4(tpa)
			if link.MacAddr(tha) != (link.MacAddr{}) {
				l.str(" (")
				l.mac(tha)
				l.str(")")
			}
			l.str(" tell ")
			l.ip4(spa)
		case 2:
			l.str("Reply ")
			l.ip4(spa)
			l.str(" is-at ")
			l.mac(sha)
		case 3:
			l.str("Reverse Request who-is ")
			l.mac(tha)
			l.str(" tell ")
			l.mac(sha)
		case 4:
			l.str("Reverse Reply ")
			l.mac(tha)
			l.str(" at ")
			l.ip4(tpa)
		default:
			l.str("op ")
			l.uint(uint32(op))
		}
	}
	l.str(", length ")
	l.uint(uint32(length))
}

// ipv4 prints the addresses and returns the node to go on with.
func (l *line) ipv4(i, next int, b []byte) int {
	v := IPv4View(b)
	if n := int(v.Length()); n >= v.HeaderLen() {
		l.length = n
	} else {
		l.length = len(b)
	}
	l.str("IP ")
	off := v.FragmentOffset()
	l.addresses(b[ipv4OffSrc:][:4], b[ipv4OffDst:][:4], next)
	if v.isFragment() {
		l.frag = i
	}
	if off != 0 {
		l.str("ip-proto-")
		l.uint(uint32(v.Protocol()))
		return -1
	}
	if next < 0 || l.p.nodes()[next].kind == KindRaw {
		l.length -= v.HeaderLen()
		l.unknown(v.Protocol(), l.p.registry().ipProto(v.Protocol()))
		return -1
	}
	return next
}

// beginsWithPorts reports whether a protocol that another package has added
// stands for one of those whose header begins with two ports, such as SCTP.
func beginsWithPorts(p *Protocol) bool {
	for i := range p.At {
		if p.At[i].Table == &ipProtosTable && IPProto(p.At[i].Number).hasPorts() {
			return true
		}
	}
	return false
}

// addresses prints the two addresses, with ports if a protocol that has some is
// next.
func (l *line) addresses(src, dst []byte, next int) {
	l.ports = false
	var ports []byte
	if next >= 0 {
		switch n := &l.p.nodes()[next]; {
		case n.kind == kindTCP || n.kind == kindUDP:
			ports = l.p.data[n.off:n.end]
			l.ports = true
		case n.kind >= builtinKinds && n.end-n.off >= 4 && beginsWithPorts(l.p.protocol(next)):
			ports = l.p.data[n.off:n.end]
		}
	}
	for i, a := range [2][]byte{src, dst} {
		if i == 1 {
			l.str(" > ")
		}
		if len(a) == 4 {
			l.ip4(a)
		} else {
			l.ip6(a)
		}
		if ports != nil {
			l.b = append(l.b, '.')
			l.uint(uint32(binary.BigEndian.Uint16(ports[i*2:])))
		}
	}
	l.str(": ")
}

// fragmented prints which part of an IPv4 packet node i is.
func (l *line) fragmented(i int) {
	n := &l.p.nodes()[i]
	v := IPv4View(l.p.data[n.off:n.end])
	l.str(" (frag ")
	l.uint(uint32(v.ID()))
	l.str(":")
	l.uint(uint32(max(int(v.Length())-v.HeaderLen(), 0)))
	l.str("@")
	l.uint(uint32(v.FragmentOffset()) * 8)
	if v.Flags().Has(IPv4MoreFragments) {
		l.str("+")
	}
	l.str(")")
}

// ipv6 prints the addresses and returns the node to go on with.
func (l *line) ipv6(i, next int, b []byte) int {
	v := IPv6View(b)
	l.length = len(b)
	if n := int(v.PayloadLength()); n != 0 {
		l.length = IPv6Len + n
	}
	l.str("IP6 ")
	l.addresses(b[ipv6OffSrc:][:16], b[ipv6OffDst:][:16], next)
	if next < 0 || l.p.nodes()[next].kind == KindRaw {
		l.length -= IPv6Len
		if v.NextHeader() == IPProtoNoNext {
			l.str("no next header")
			return -1
		}
		l.unknown(v.NextHeader(), l.p.registry().ipProto(v.NextHeader()))
		return -1
	}
	return next
}

// routing prints an IPv6 routing header, RFC 8200, section 4.4: the addresses of
// types 0, 2 (RFC 6275) and 4 (RFC 8754).
func (l *line) routing(h []byte) {
	typ := h[2]
	l.str("RT6 (len=")
	l.uint(uint32(h[1]))
	l.str(", type=")
	l.uint(uint32(typ))
	if typ == 0 {
		l.str(" [Deprecated]")
	}
	l.str(", segleft=")
	l.uint(uint32(h[3]))
	n := 0
	switch addrs := (len(h) - 8) / 16; typ {
	case 0, 2:
		n = addrs
		if rsv := binary.BigEndian.Uint32(h[4:]); rsv != 0 {
			l.str(", rsv=")
			l.hex(rsv)
		}
	case 4:
		n = min(addrs, int(h[4])+1)
		l.str(", last-entry=")
		l.uint(uint32(h[4]))
		if h[5] != 0 {
			l.str(", flags=")
			l.hex(uint32(h[5]))
		}
		l.str(", tag=")
		l.b = strconv.AppendUint(l.b, uint64(binary.BigEndian.Uint16(h[6:])), 16)
	}
	for i := range n {
		l.str(", [")
		l.uint(uint32(i))
		l.str("]")
		l.ip6(h[8+16*i:][:16])
	}
	l.str(") ")
}

// mobilityName names a mobility message in short, RFC 6275, section 6.1.
func mobilityName(typ byte) string {
	names := [...]string{"BRR", "HoTI", "CoTI", "HoT", "CoT", "BU", "BA", "BE"}
	if int(typ) < len(names) {
		return names[typ]
	}
	return "type " + strconv.Itoa(int(typ))
}

// fragment prints an IPv6 fragment header, RFC 8200, section 4.5.
func (l *line) fragment(b []byte, hdr, next int) int {
	off := binary.BigEndian.Uint16(b[2:])
	l.str("frag (")
	l.uint(uint32(off &^ 7))
	l.str("|")
	l.uint(uint32(max(l.length-hdr, 0)))
	l.str(") ")
	if off&^7 != 0 {
		// Only the first fragment has the headers.
		l.b = l.b[:len(l.b)-1]
		return -1
	}
	return next
}

// tcpFlagLetters are the letters of the flags in the order of tcpdump.
const tcpFlagLetters = "FSRP.U"

// tcp prints a TCP header. The header is long enough: it was indexed.
func (l *line) tcp(b []byte, hdr, next int) int {
	v := TCPView(b)
	if !l.ports {
		l.uint(uint32(v.SrcPort()))
		l.str(" > ")
		l.uint(uint32(v.DstPort()))
		l.str(": ")
	}
	flags := v.Flags()
	l.str("Flags [")
	n := len(l.b)
	for i := range len(tcpFlagLetters) {
		if flags&(1<<i) != 0 {
			l.b = append(l.b, tcpFlagLetters[i])
		}
	}
	if flags&TCPEce != 0 {
		l.str("E")
	}
	if flags&TCPCwr != 0 {
		l.str("W")
	}
	if flags&TCPAE != 0 {
		l.str("e")
	}
	if len(l.b) == n {
		l.str("none")
	}
	l.str("]")
	length := max(l.length-hdr, 0)
	if length > 0 || flags&(TCPSyn|TCPFin|TCPRst) != 0 {
		l.str(", seq ")
		l.uint(v.Seq())
		if length > 0 {
			l.str(":")
			l.uint(v.Seq() + uint32(length))
		}
	}
	if flags&TCPAck != 0 {
		l.str(", ack ")
		l.uint(v.Ack())
	}
	l.str(", win ")
	l.uint(uint32(v.Window()))
	if flags&TCPUrg != 0 {
		l.str(", urg ")
		l.uint(uint32(v.UrgentPointer()))
	}
	if o := b[TCPMinLen:hdr]; len(o) > 0 {
		l.str(", options [")
		l.tcpOptions(o)
		l.str("]")
	}
	l.str(", length ")
	l.uint(uint32(length))
	return l.carry(next)
}

// carry separates what a layer says from what the next one says.
func (l *line) carry(next int) int {
	l.ports = false
	if next >= 0 {
		if l.p.nodes()[next].kind == KindRaw {
			return -1
		}
		l.str(": ")
	}
	return next
}

// tcpOptions prints TCP options.
func (l *line) tcpOptions(o []byte) {
	for first := true; len(o) > 0; first = false {
		if !first {
			l.b = append(l.b, ',')
		}
		kind := o[0]
		if kind == 0 {
			l.str("eol")
			return
		}
		if kind == 1 {
			l.str("nop")
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			l.str("[bad opt]")
			return
		}
		v := o[2:o[1]]
		l.tcpOption(kind, v)
		o = o[o[1]:]
	}
}

// String returns the option as it stands in a summary, such as "mss 1460".
func (o TCPOption) String() string { return string(o.appendTo(nil)) }

func (o *TCPOption) appendTo(b []byte) []byte {
	if o.Kind == TCPOptionEnd {
		return append(b, "eol"...)
	}
	if o.Kind == TCPOptionNop {
		return append(b, "nop"...)
	}
	l := line{b: b}
	l.tcpOption(byte(o.Kind), o.Data)
	return l.b
}

// tcpOption prints one option with the value v.
func (l *line) tcpOption(kind byte, v []byte) {
	switch {
	case kind == 2 && len(v) == 2:
		l.str("mss ")
		l.uint(uint32(binary.BigEndian.Uint16(v)))
	case kind == 3 && len(v) == 1:
		l.str("wscale ")
		l.uint(uint32(v[0]))
	case kind == 4 && len(v) == 0:
		l.str("sackOK")
	case kind == 5 && len(v)%8 == 0:
		l.str("sack ")
		l.uint(uint32(len(v) / 8))
		l.str(" ")
		for ; len(v) > 0; v = v[8:] {
			l.str("{")
			l.uint(binary.BigEndian.Uint32(v))
			l.str(":")
			l.uint(binary.BigEndian.Uint32(v[4:]))
			l.str("}")
		}
	case kind == 8 && len(v) == 8:
		l.str("TS val ")
		l.uint(binary.BigEndian.Uint32(v))
		l.str(" ecr ")
		l.uint(binary.BigEndian.Uint32(v[4:]))
	case kind == 19 && len(v) == 16:
		l.str("md5 ")
		l.b = hex.AppendEncode(l.b, v)
	case kind == 28 && len(v) == 2:
		t := uint32(binary.BigEndian.Uint16(v))
		l.str("uto ")
		l.hex(t)
		l.str(" ")
		if t&0x8000 != 0 {
			t = t & 0x7fff * 60
		}
		l.uint(t)
	case kind == 29 && len(v) >= 2:
		l.str("tcp-ao keyid ")
		l.uint(uint32(v[0]))
		l.str(" rnextkeyid ")
		l.uint(uint32(v[1]))
		l.str(" mac 0x")
		l.b = hex.AppendEncode(l.b, v[2:])
	case kind == 30 && len(v) >= 1:
		l.str("mptcp ")
		l.uint(uint32(len(v) + 2))
		l.str(" ")
		l.str(mptcpName(v[0] >> 4))
	case kind == 34:
		l.str("tfo ")
		if len(v) == 0 {
			l.str(" cookiereq")
		} else {
			l.str(" cookie ")
			l.b = hex.AppendEncode(l.b, v)
		}
	case kind >= 253 && kind < 255 && len(v) >= 2:
		// An experiment, told apart by its first two bytes, RFC 6994.
		l.str("exp-")
		l.hexN(uint64(binary.BigEndian.Uint16(v)), 4)
	default:
		l.str("unknown-")
		l.uint(uint32(kind))
		if len(v) > 0 {
			l.str(" 0x")
			l.b = hex.AppendEncode(l.b, v)
		}
	}
}

// mptcpName names a multipath TCP option, RFC 8684, section 8.1.
func mptcpName(subtype byte) string {
	names := [...]string{"capable", "join", "dss", "add-addr", "rem-addr", "prio", "fail", "fast-close", "tcprst"}
	if int(subtype) < len(names) {
		return names[subtype]
	}
	return "unknown"
}

// udp prints a UDP header. The length in a fragment's is that of the whole.
func (l *line) udp(b []byte, fragment bool, next int) int {
	v := UDPView(b)
	if !l.ports {
		l.uint(uint32(v.SrcPort()))
		l.str(" > ")
		l.uint(uint32(v.DstPort()))
		l.str(": ")
	}
	n := int(v.Length())
	switch have := max(l.length, UDPLen); {
	case n == 0:
		n = have
		fallthrough
	case n >= UDPLen && (n <= have || fragment):
		l.str("UDP, length ")
		l.uint(uint32(n - UDPLen))
	case n < UDPLen:
		l.str("truncated-udplength ")
		l.uint(uint32(n))
		return -1
	default:
		l.str("UDP, bad length ")
		l.uint(uint32(n - UDPLen))
		l.str(" > ")
		l.uint(uint32(have - UDPLen))
	}
	return l.carry(next)
}

// other prints a layer through its own Summarizer, or its name and fields.
func (l *line) other(i, next int) int {
	p := l.p
	before := len(l.b)
	if l.filled == nil {
		// Filling layers in is to happen in a copy of the packet. It can be
		// encoded: either nothing was filled in, or p is such a copy itself.
		l.filled = p
		if q, err := p.shownPacket(); err == nil && !l.shown {
			l.filled = q
		}
	}
	layer, err := l.filled.layer(i)
	s, ok := layer.(Summarizer)
	switch {
	case err != nil:
		l.str(p.protocol(i).Name)
		l.str(" [")
		l.str(err.Error())
		l.str("]")
		return -1
	case ok:
		l.b = s.AppendSummary(l.b, Node{l.filled, i})
	default:
		l.b = l.filled.appendFields(l.b, i, layer)
	}
	if p.nodes()[i].flags&nodeSplit != 0 {
		l.children(i)
		return -1
	}
	if next >= 0 && len(l.b) > before {
		if p.nodes()[next].kind == KindRaw {
			l.str(", length ")
			l.uint(p.nodes()[next].end - p.nodes()[next].off)
			return -1
		}
		l.str(": ")
	}
	return next
}

// maxSummaryDepth bounds how deep layers that lie side by side are nested in a
// line.
const maxSummaryDepth = 16

// children prints the layers that lie side by side in node i, each in brackets.
func (l *line) children(i int) {
	depth := 0
	for j := i; j != noNode; j = int(l.p.nodes()[j].parent) {
		if l.p.nodes()[j].flags&nodeSplit != 0 {
			depth++
		}
	}
	if depth > maxSummaryDepth {
		l.str(" [...]")
		return
	}
	for j := i + 1; j < len(l.p.nodes()); j++ {
		if n := &l.p.nodes()[j]; n.parent != uint16(i) || n.kind == kindPadding {
			continue
		}
		l.str(" [")
		l.run(j)
		l.str("]")
	}
}
