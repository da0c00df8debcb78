package filter

import (
	"github.com/gopkts/gopkts/common/link"
)

// The scoped dialect. A scope is what one link header leads to: that of the
// frame, or that behind an encapsulation. Where its network header is, and its
// transport header, is found once, before the first test that asks for them,
// and kept in registers: VLAN tags and IPv6 extension headers are then no
// matter of the tests.
//
// A place in a register is one relative to the first network header without
// tags, so that the offset of a load is never less than the length of the link
// header. Who puts another link header before the frames, or takes it off, can
// move the offsets of a program.

// scope is the registers of a scope.
type scope struct {
	skip  int   // how many bytes of VLAN tags are before the type and the payload
	typ   valID // the register with the EtherType, where that is not in one place of the packet; else 0
	proto int   // the transport protocol
	tran  int   // where the transport header is

	transport bool   // proto is asked for
	first     bool   // and whether it is a first fragment, or tran
	typ4      condID // it carries IPv4
	typ6      condID
}

// What the register of the transport protocol holds above the protocol's
// number.
const (
	laterFragment = 0x100 // a fragment that is not the first: it has no transport header
	notIP         = 0x200
)

// walkSteps is how many IPv6 extension headers are skipped: as many as a packet
// of RFC 8200, section 4.1, has.
const walkSteps = 6

// maxTags is how many VLAN tags are skipped.
const maxTags = 2

// What scopes may cost together, so that the time to compile is bounded: more
// of them hardly fit into a program.
const (
	maxScopes     = 256
	costTransport = 4 // of one that asks for the transport header
)

// spend notes what a scope costs.
func (c *compiler) spend(n Node, cost int) {
	if c.scopes += cost; c.scopes > maxScopes {
		c.fail(n, ErrTooLong, "too many encapsulations for one program")
	}
}

func (c *compiler) scoped() bool { return c.opts.Dialect == DialectScoped }

// keep is the condition that is always true and stores a value.
func (c *compiler) keep(reg int, v valID) condID {
	return c.add(cond{kind: condStore, k: uint32(reg), a: v})
}

func (c *compiler) plus(v valID, k uint32) valID { return c.alu(aluAdd, v, c.constant(k)) }

// at is the place that a register holds.
func (c *compiler) at(reg int) offset {
	return offset{base: c.mem(reg), k: c.origin, known: true}
}

// place is what a register holds of an offset.
func (c *compiler) place(o offset) valID {
	if o.base == 0 {
		return c.constant(o.k - c.origin)
	}
	c.used |= c.vals.at(o.base).regs
	return c.plus(o.base, o.k-c.origin)
}

// openScope makes a scope of where the headers are now. The condition that it
// returns is true, finds what the tests in the scope ask for, and belongs before
// them.
func (c *compiler) openScope(n Node) condID {
	c.spend(n, 1)
	s := &scope{typ: c.inType}
	tags := c.labels == 0 && c.inType == 0 && hasTags(c.link)
	if tags {
		c.rawTyp, c.rawPayload = c.typ, c.payload
		s.skip = c.newReg(n)
		if c.rawType != 0 || !c.together(c.typ, c.payload) {
			s.typ = c.mem(c.newReg(n))
		} else {
			c.typ.base = c.mem(s.skip)
		}
		c.payload.base = c.mem(s.skip)
	}
	s.proto, s.tran = c.newReg(n), c.newReg(n)
	c.scope = s
	state := c.linkState
	return c.made(&scopeStart{state, tags})
}

// scopeStart makes the nodes of [compiler.openScope].
type scopeStart struct {
	state linkState // where the headers are
	tags  bool      // there may be VLAN tags
}

// findHeaders makes the nodes that find what the tests in a scope ask for.
func (c *compiler) findHeaders(m *scopeStart, t nodeID) nodeID {
	outer := c.linkState
	c.linkState = m.state
	if c.scope.transport {
		t = c.findTransport(t)
	}
	if m.tags && c.used&(1<<c.scope.skip) != 0 {
		t = c.skipTags(t)
	}
	c.linkState = outer
	return t
}

// together reports whether an EtherType is right before the payload, as that of
// a VLAN tag is.
func (c *compiler) together(typ, payload offset) bool {
	return typ == offset{base: payload.base, k: payload.k - 2, known: true}
}

// hasTags reports whether frames of a link type may have VLAN tags between
// their header and their payload.
func hasTags(t link.Type) bool {
	switch t {
	case link.TypeLinuxSLL, link.TypeLinuxSLL2:
		return true
	}
	return isEthernet(t)
}

// isTag goes to yes if an EtherType is that of a VLAN tag.
func (c *compiler) isTag(typ valID, yes, no nodeID) nodeID {
	chain := c.test(jmpJEQ, typ, etherVLAN, yes, c.test(jmpJEQ, typ, etherQinQ, yes, c.test(jmpJEQ, typ, etherQinQ91, yes, no)))
	return c.test(jmpJGE, typ, etherVLAN, chain, no)
}

// tagType is the EtherType behind n VLAN tags.
func (c *compiler) tagType(n uint32) valID {
	if n == 0 {
		if c.rawType != 0 {
			return c.rawType
		}
		return c.loadAt(c.rawTyp, 2, 0)
	}
	return c.loadAt(c.rawPayload, 2, 4*n-2)
}

// skipTags finds the type and the payload behind the VLAN tags of the scope.
func (c *compiler) skipTags(next nodeID) nodeID {
	s := c.scope
	base := c.constant(0)
	if b := c.rawPayload.base; b != 0 {
		c.used |= c.vals.at(b).regs
		base = b
	}
	found := func(n uint32) nodeID {
		to := next
		if s.typ != 0 {
			to = c.store(int(c.vals.at(s.typ).k), c.tagType(n), to)
		}
		return c.store(s.skip, c.plus(base, 4*n), to)
	}
	to := found(maxTags)
	for n := uint32(maxTags); n > 0; n-- {
		to = c.isTag(c.tagType(n-1), to, found(n-1))
	}
	return to
}

// needTransport notes that the transport protocol of the scope is asked for.
func (c *compiler) needTransport(n Node, first bool) {
	s := c.scope
	if !s.transport {
		c.spend(n, costTransport)
		s.transport = true
		s.typ4, s.typ6 = c.linkType(n, etherIP), c.linkType(n, etherIPv6)
	}
	s.first = s.first || first
}

// transportIs is the condition that the scope carries a transport protocol.
func (c *compiler) transportIs(n Node, v uint32) condID {
	c.needTransport(n, false)
	return c.eqMask(c.note(c.mem(c.scope.proto), "the transport protocol"), v, 0xff|notIP)
}

// transportHeader is the condition that the scope has the header of one of
// several transport protocols.
func (c *compiler) transportHeader(n Node, protos []span32) condID {
	c.needTransport(n, true)
	return c.in(c.note(c.mem(c.scope.proto), "the transport protocol"), protos)
}

// findTransport finds the transport protocol and its header.
func (c *compiler) findTransport(next nodeID) nodeID {
	s := c.scope
	proto := func(v valID, next nodeID) nodeID { return c.store(s.proto, v, next) }
	kind := c.loadPayload(1, 9)
	four := proto(kind, next)
	if s.first {
		four = proto(kind, c.store(s.tran, c.plus(c.ip4Len(), c.payload.k+c.nl-c.origin), next))
		four = c.test(jmpJSET, c.loadPayload(2, 6), 0x1fff, proto(c.alu(aluOr, kind, c.constant(laterFragment)), next), four)
	}
	six := c.walk6(s.proto, s.tran, -1, next, next)
	return c.lower(s.typ4, four, c.lower(s.typ6, six, proto(c.constant(notIP), next)))
}

// walk6 follows the extension headers of an IPv6 packet: hop-by-hop, routing,
// fragment, destination and authentication headers. At next one register holds
// what they end with, and the other where that begins, if there is such a
// place. If stop is not negative, it goes to found when it comes to that
// header.
func (c *compiler) walk6(proto, tran, stop int, found, next nodeID) nodeID {
	here, kind := c.mem(tran), c.mem(proto)
	after := c.load(1, here, c.origin)
	length := c.load(1, here, c.origin+1)
	skip := func(end valID, to nodeID) nodeID { return c.store(proto, after, c.store(tran, end, to)) }
	units := func(extra, shift uint32) valID {
		return c.alu(aluAdd, c.alu(aluLsh, c.plus(length, extra), c.constant(shift)), here)
	}
	later := c.store(proto, c.alu(aluOr, after, c.constant(laterFragment)), next)
	if stop >= 0 {
		later = c.test(jmpJEQ, after, uint32(stop), found, next)
	}
	to := next
	for i := walkSteps; i >= 0; i-- {
		step := next
		if i < walkSteps {
			options := skip(units(1, 3), to)
			auth := skip(units(2, 2), to)
			fragment := c.test(jmpJSET, c.load(2, here, c.origin+2), 0xfff8, later, skip(c.plus(here, 8), to))
			is := func(k uint32, yes, no nodeID) nodeID { return c.test(jmpJEQ, kind, k, yes, no) }
			step = is(ipFragment, fragment, is(ipAH, auth, is(ipRouting, options, is(ipDstOpts, options, next))))
			step = c.test(jmpJGE, kind, ipRouting, step, is(ipHopOpts, options, next))
		}
		if stop >= 0 {
			step = c.test(jmpJEQ, kind, uint32(stop), found, step)
		}
		to = step
	}
	start := c.payload
	start.k += c.nl + ip6HeaderLen
	return c.store(proto, c.loadPayload(1, 6), c.store(tran, c.place(start), to))
}

// isExtension reports whether walk6 skips a header.
func isExtension(v uint32) bool {
	switch v {
	case ipHopOpts, ipRouting, ipFragment, ipDstOpts, ipAH:
		return true
	}
	return false
}

// scopedProto is the condition that an IPv6 packet has a protocol: behind its
// extension headers, or as one of them.
func (c *compiler) scopedProto6(n Node, v uint32) condID {
	typ := c.linkType(n, etherIPv6)
	if !isExtension(v) {
		return c.and(typ, c.transportIs(n, v))
	}
	regs := c.regs
	proto, tran := c.newReg(n), c.newReg(n)
	c.regs = regs
	state := c.linkState
	c.loadPayload(1, 6) // note that the payload is asked for
	return c.and(typ, c.made(&extensionSearch{state, proto, tran, int(v)}))
}

// extensionSearch makes the nodes of [compiler.scopedProto6] for a header that is
// skipped otherwise.
type extensionSearch struct {
	state       linkState // where the headers are
	proto, tran int       // registers
	stop        int
}

// searchExtensions makes the nodes that find an extension header.
func (c *compiler) searchExtensions(m *extensionSearch, t, f nodeID) nodeID {
	outer := c.linkState
	c.linkState = m.state
	to := c.walk6(m.proto, m.tran, m.stop, t, f)
	c.linkState = outer
	return to
}

// inRanges is the condition that bits of a value, shifted to the right, are in a
// list of ranges.
func (c *compiler) inRanges(v valID, mask, shift uint32, k *Keyword) condID {
	if len(k.Nums) > 0 {
		if mask == 0xffff {
			return c.eq(v, k.Nums[0])
		}
		return c.eqMask(v, k.Nums[0]<<shift, mask)
	}
	set := make([]span32, len(k.Ranges))
	for i, r := range k.Ranges {
		set[i] = span32{r.Lo << shift, r.Hi<<shift | (1<<shift - 1)}
	}
	return c.in(c.alu(aluAnd, v, c.constant(mask)), normal(set))
}

// hasNums reports whether a keyword of an encapsulation has numbers, and checks
// them.
func (c *compiler) hasNums(k *Keyword, what string, limit uint32) (has, ok bool) {
	for _, v := range k.Nums {
		if !c.checkMax(k, what, v, limit) {
			return true, false
		}
	}
	for _, r := range k.Ranges {
		if !c.checkMax(k, what, r.Hi, limit) {
			return true, false
		}
	}
	return len(k.Nums)+len(k.Ranges) > 0, true
}

// scopedVLAN is the condition of the next VLAN tag, and opens the scope behind
// it.
func (c *compiler) scopedVLAN(k *Keyword, ids bool) condID {
	typ := c.tagType(0)
	tci := c.loadAt(c.rawPayload, 2, 0)
	x := c.in(typ, []span32{{etherVLAN, etherVLAN}, {etherQinQ, etherQinQ}, {etherQinQ91, etherQinQ91}})
	if ids {
		x = c.and(x, c.inRanges(tci, 0xfff, 0, k))
	}
	if c.encap {
		x = c.and(c.prevCheck(), x)
	}
	outermost := c.vlans == 0 && !c.encap && c.hdr == at(0) && c.link == c.opts.Link
	switch c.link {
	case link.TypeDSATagBRCM, link.TypeDSATagDSA:
		outermost = false // the kernel sees no tag behind that of the switch
	}
	c.vlans++
	c.inType = 0
	if outermost && c.opts.Target != TargetFile {
		// The kernel has taken the tag off, or left it in the frame, which only
		// the packet says. The type and the payload of both kinds are found by
		// the register.
		reg := c.newReg(k)
		present := c.eq(c.load(1, 0, adVLANTagPresent), 1)
		taken := present
		if ids {
			taken = c.and(taken, c.inRanges(c.load(2, 0, adVLANTag), 0xfff, 0, k))
		}
		x = c.or(c.and(taken, c.keep(reg, c.constant(0))), c.and(c.not(present), c.and(x, c.keep(reg, c.constant(4)))))
		c.typ, c.payload = c.rawTyp, c.rawPayload
		c.payload.base = c.mem(reg)
		if c.together(c.rawTyp, c.rawPayload) {
			c.typ.base = c.mem(reg)
		} else {
			r := c.newReg(k)
			x = c.and(x, c.made(&typeChoice{reg: reg, to: r, zero: typ, other: c.tagType(1)}))
			c.rawType = c.mem(r)
		}
		return c.and(x, c.openScope(k))
	}
	c.rawType = 0
	c.typ = offset{base: c.rawPayload.base, k: c.rawPayload.k + 2, known: true}
	c.payload = offset{base: c.rawPayload.base, k: c.rawPayload.k + 4, known: true}
	return c.and(x, c.openScope(k))
}

// typeChoice makes the nodes that store one of two values in a register, by
// whether another register is zero.
type typeChoice struct {
	reg, to     int
	zero, other valID
}

// UDP ports of tunnels, from IANA's Service Name and Transport Protocol Port
// Number Registry.
const (
	portGTPU   = 2152
	portVXLAN  = 4789
	portGeneve = 6081
)

// IP protocols of tunnels.
const (
	ipIPv4     = 4
	ipIPv6     = 41
	ipGRE      = 47
	ipMPLS     = 137
	ipEthernet = 143
)

// maxGTPExtensions is how many extension headers of GTP-U are skipped.
const maxGTPExtensions = 4

// tunnel is the condition that the scope carries another packet, and opens the
// scope within: of VXLAN or Geneve for such a keyword, and of any tunnel that is
// known if k is nil.
func (c *compiler) tunnel(n Node, k *Keyword, ids bool) condID {
	c.needTransport(n, true)
	// Where the packet's Ethernet header is, or 0 if it has none, its EtherType
	// and its payload.
	hdr, typ, payload := c.newReg(n), c.newReg(n), c.newReg(n)
	x := c.made(&tunnelSearch{proto: c.mem(c.scope.proto), tran: c.mem(c.scope.tran), hdr: hdr, typ: typ, payload: payload, keyword: k, ids: ids})
	c.push(link.TypeEthernet, c.at(hdr))
	c.rawTyp, c.rawPayload = c.at(hdr), c.at(hdr)
	c.rawTyp.k += 12
	c.rawPayload.k += 14
	c.rawType, c.inType = 0, c.mem(typ)
	c.typ = c.rawTyp
	c.payload = c.at(payload)
	c.nl, c.nlNoSnap = 0, 3
	c.labels, c.vlans = 0, 0
	c.encap = true
	return c.and(x, c.openScope(n))
}

// tunnelSearch makes the nodes of [compiler.tunnel].
type tunnelSearch struct {
	proto, tran       valID // the transport protocol, and where its header is
	hdr, typ, payload int   // registers for what is found
	keyword           *Keyword
	ids               bool // the keyword has numbers
}

// searchTunnel makes the nodes that find a packet in a tunnel.
func (c *compiler) searchTunnel(m *tunnelSearch, t, f nodeID) nodeID {
	proto, tran, k := m.proto, m.tran, m.keyword
	hdr, typ, payload := m.hdr, m.typ, m.payload
	load := func(size uint8, off uint32) valID { return c.load(size, tran, c.origin+off) }
	here := c.mem(payload)

	ethernet := t
	h := c.mem(hdr)
	for i := range uint32(maxTags + 1) {
		tags := maxTags - i
		v := c.load(2, h, c.origin+12+4*tags)
		found := c.store(typ, v, c.store(payload, c.plus(h, 14+4*tags), t))
		if i == 0 {
			ethernet = found
		} else {
			ethernet = c.isTag(v, ethernet, found)
		}
	}
	bare := c.store(hdr, c.constant(0), t)
	// A packet whose EtherType is in its register already.
	packet := c.test(jmpJEQ, c.mem(typ), etherTEB, c.store(hdr, here, ethernet), bare)
	direct := func(v uint32) nodeID {
		return c.store(payload, tran, c.store(typ, c.constant(v), bare))
	}
	vni := func(next nodeID) nodeID {
		if !m.ids {
			return next
		}
		return c.lower(c.inRanges(load(4, 12), 0xffffff00, 8, k), next, f)
	}

	// RFC 7348.
	vxlan := c.test(jmpJSET, load(1, 8), 0x08, vni(c.store(hdr, c.plus(tran, 16), ethernet)), f)
	// RFC 8926.
	options := c.alu(aluLsh, c.alu(aluAnd, load(1, 8), c.constant(0x3f)), c.constant(2))
	geneve := c.store(payload, c.plus(c.alu(aluAdd, options, tran), 16), c.store(typ, load(2, 10), packet))
	geneve = c.test(jmpJSET, load(1, 8), 0xc0, f, vni(geneve))
	port := load(2, 2)
	switch {
	case k == nil:
	case k.Name == "vxlan":
		return c.test(jmpJEQ, proto, ipUDP, c.test(jmpJEQ, port, portVXLAN, vxlan, f), f)
	default:
		return c.test(jmpJEQ, proto, ipUDP, c.test(jmpJEQ, port, portGeneve, geneve, f), f)
	}

	// 3GPP TS 29.281, section 5: version 1, a G-PDU, and perhaps four more
	// bytes and extension headers. What it carries says its first byte.
	version := c.alu(aluAnd, c.load(1, here, c.origin), c.constant(0xf0))
	ip := c.test(jmpJEQ, version, 0x40, c.store(typ, c.constant(etherIP), bare),
		c.test(jmpJEQ, version, 0x60, c.store(typ, c.constant(etherIPv6), bare), f))
	extensions := f
	for i := range maxGTPExtensions + 1 {
		more := f
		if i > 0 {
			more = c.store(payload, c.alu(aluAdd, c.alu(aluLsh, c.load(1, here, c.origin), c.constant(2)), here), extensions)
		}
		extensions = c.test(jmpJEQ, c.load(1, c.alu(aluSub, here, c.constant(1)), c.origin), 0, ip, more)
	}
	gtp := c.test(jmpJSET, load(1, 8), 0x07,
		c.store(payload, c.plus(tran, 20), c.test(jmpJSET, load(1, 8), 0x04, extensions, ip)),
		c.store(payload, c.plus(tran, 16), ip))
	gtp = c.test(jmpJEQ, c.alu(aluAnd, load(1, 8), c.constant(0xf0)), 0x30, c.test(jmpJEQ, load(1, 9), 255, gtp, f), f)

	// RFC 2784 and RFC 2890: four bytes each for a checksum, a key and a
	// sequence number.
	flags := load(2, 0)
	option := func(shift uint32) valID {
		return c.alu(aluAnd, c.alu(aluRsh, flags, c.constant(shift)), c.constant(4))
	}
	length := c.alu(aluAdd, c.alu(aluAdd, option(13), option(11)), option(10))
	gre := c.store(payload, c.plus(c.alu(aluAdd, length, tran), 4), c.store(typ, load(2, 2), packet))
	gre = c.test(jmpJSET, flags, 0x4007, f, gre)

	udp := c.test(jmpJEQ, port, portVXLAN, vxlan, c.test(jmpJEQ, port, portGeneve, geneve, c.test(jmpJEQ, port, portGTPU, gtp, f)))
	to := c.test(jmpJEQ, proto, ipEthernet, c.store(hdr, tran, ethernet), f) // RFC 8986
	to = c.test(jmpJEQ, proto, ipMPLS, direct(etherMPLS), to)                // RFC 4023
	to = c.test(jmpJEQ, proto, ipIPv6, direct(etherIPv6), to)                // RFC 2473, RFC 4213
	to = c.test(jmpJEQ, proto, ipIPv4, direct(etherIP), to)                  // RFC 2003
	to = c.test(jmpJEQ, proto, ipGRE, gre, to)
	return c.test(jmpJEQ, proto, ipUDP, udp, to)
}
