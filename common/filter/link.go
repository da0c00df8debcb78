package filter

import (
	"github.com/gopkts/gopkts/common/link"
)

// EtherTypes, from IANA's IEEE 802 Numbers.
const (
	etherIP     = 0x0800
	etherARP    = 0x0806
	etherNS     = 0x0600
	etherMOPDL  = 0x6001
	etherMOPRC  = 0x6002
	etherDECnet = 0x6003
	etherLAT    = 0x6004
	etherSCA    = 0x6007
	etherTEB    = 0x6558
	etherRARP   = 0x8035
	etherATalk  = 0x809b
	etherAARP   = 0x80f3
	etherVLAN   = 0x8100
	etherIPX    = 0x8137
	etherIPv6   = 0x86dd
	etherMPLS   = 0x8847
	etherPPPoED = 0x8863
	etherPPPoES = 0x8864
	etherQinQ   = 0x88a8 // IEEE 802.1ad
	etherQinQ91 = 0x9100 // before IEEE 802.1ad

	etherMaxLen = 1500 // what is not greater is a length, IEEE 802.3
)

// LLC service access points, IEEE 802.2.
const (
	sapIP      = 0x06
	sapSTP     = 0x42
	sapSNAP    = 0xaa
	sapIPX     = 0xe0
	sapNetBEUI = 0xf0
	sapISO     = 0xfe
)

// PPP protocols, from IANA's PPP Numbers.
const (
	pppIP     = 0x0021
	pppOSI    = 0x0023
	pppNS     = 0x0025
	pppDECnet = 0x0027
	pppATalk  = 0x0029
	pppIPX    = 0x002b
	pppVJC    = 0x002d
	pppVJNC   = 0x002f
	pppBPDU   = 0x0031
	pppIPv6   = 0x0057
	pppMPLS   = 0x0281
)

// offset is a place in the packet: base + k; base is 0 for a constant place.
// A place that the link type does not have is not known.
type offset struct {
	base  valID
	k     uint32
	known bool
}

func at(k uint32) offset { return offset{k: k, known: true} }

// linkState is where the headers are. The primitives for encapsulations change
// it for all that follows them in the expression.
type linkState struct {
	link     link.Type // of the innermost link header
	prev     link.Type // of the link header around it
	hdr      offset    // the innermost link header
	prevHdr  offset
	typ      offset // its type field
	payload  offset // what follows it, with an LLC header if it has one
	nl       uint32 // from payload to the network header behind a SNAP header
	nlNoSnap uint32 // from payload to the network header behind a bare LLC header
	labels   int    // MPLS labels
	vlans    int    // VLAN tags
	encap    bool   // behind a Geneve or VXLAN header, or any tunnel's
	inTurn   bool   // of a list, each member is looked for in all places before the next

	// Of the scoped dialect. typ and payload are behind the VLAN tags; these
	// are not.
	scope      *scope
	rawTyp     offset
	rawPayload offset
	rawType    valID // the register that holds the type at rawTyp, if there is one
	inType     valID // the register that holds the type behind the tags, if they are skipped already
}

// isEthernet reports whether the link header is one of Ethernet, perhaps behind
// another header or with the tag of a switch in it.
func isEthernet(t link.Type) bool {
	switch t {
	case link.TypeEthernet, link.TypeNetAnalyzer, link.TypeNetAnalyzerTransparent, link.TypeDSATagBRCM, link.TypeDSATagDSA:
		return true
	}
	return false
}

// is80211 reports whether it is one of IEEE 802.11.
func is80211(t link.Type) bool {
	switch t {
	case link.TypeIEEE80211, link.TypeIEEE80211Prism, link.TypeIEEE80211Radiotap, link.TypeIEEE80211AVS, link.TypePPI:
		return true
	}
	return false
}

func isJuniper(t link.Type) bool {
	switch t {
	case link.TypeJuniperMFR, link.TypeJuniperMLFR, link.TypeJuniperMLPPP, link.TypeJuniperPPP, link.TypeJuniperCHDLC, link.TypeJuniperFRelay,
		link.TypeJuniperATM1, link.TypeJuniperATM2, link.TypeJuniperPPPoE, link.TypeJuniperEther, link.TypeJuniperPPPoEATM, link.TypeJuniperGGSN,
		link.TypeJuniperES, link.TypeJuniperMonitor, link.TypeJuniperServices, link.TypeJuniperVP, link.TypeJuniperST, link.TypeJuniperISM,
		link.TypeJuniperVS, link.TypeJuniperSRXE2E, link.TypeJuniperFibreChannel, link.TypeJuniperATMCEMIC:
		return true
	}
	return false
}

// setLink sets the offsets of the link type.
func (c *compiler) setLink() {
	t := c.opts.Link
	s := &c.linkState
	s.link, s.prev = t, t
	s.hdr = at(0)
	header := func(typ, payload, nl, nlNoSnap uint32) {
		s.typ, s.payload = at(typ), at(payload)
		s.nl, s.nlNoSnap = nl, nlNoSnap
	}
	// In libpcap this is the offset that is not set, which is added all the same.
	const unset = 0xffffffff
	bare := func(payload uint32) { s.payload = at(payload) }
	switch t {
	case link.TypeEthernet:
		header(12, 14, 0, 3)
	case link.TypeNetAnalyzer:
		// A header of four bytes; the transparent form has preamble and start
		// of frame too.
		s.hdr = at(4)
		header(4+12, 4+14, 0, 3)
	case link.TypeNetAnalyzerTransparent:
		s.hdr = at(12)
		header(12+12, 12+14, 0, 3)
	case link.TypeDSATagBRCM, link.TypeDSATagDSA:
		header(16, 18, 0, 3) // four bytes of tag behind the addresses
	case link.TypeARCNETBSD:
		header(2, 6, 0, 0)
	case link.TypeARCNETLinux:
		header(4, 8, 0, 0)
	case link.TypeSLIP:
		bare(16)
	case link.TypeSLIPBSDOS:
		bare(24)
	case link.TypeNull, link.TypeLoop:
		header(0, 4, 0, 0)
	case link.TypeEnc:
		header(0, 12, 0, 0)
	case link.TypePPP, link.TypePPPPPPD, link.TypeCHDLC, link.TypeNetBSDHDLC, link.TypePPPHDLC:
		header(2, 4, 0, 0)
	case link.TypePPPEther:
		header(6, 8, 0, 0)
	case link.TypePPPBSDOS:
		header(5, 24, 0, 0)
	case link.TypeFDDI:
		header(13, 13, 8, 3)
	case link.TypeIEEE8025:
		header(14, 14, 8, 3)
	case link.TypeIEEE80211:
		header(24, 0, 8, 3)
	case link.TypeIEEE80211Prism, link.TypeIEEE80211Radiotap, link.TypeIEEE80211AVS, link.TypePPI:
		header(24, 0, 8, 3)
		s.hdr.base = c.mem(regLinkHdr)
	case link.TypeATMRFC1483, link.TypeATMCLIP:
		header(0, 0, 8, 3)
	case link.TypeSunATM:
		header(4, 4, 8, 3)
	case link.TypeRaw, link.TypeIPv4, link.TypeIPv6, link.TypeLTalk, link.TypeFRelay:
		bare(0)
	case link.TypeMFR:
		bare(0)
		s.nl = 4
	case link.TypeLinuxSLL:
		header(14, 16, 0, 0)
	case link.TypeLinuxSLL2:
		header(0, 20, 0, 0)
	case link.TypeIPOverFC:
		header(16, 16, 8, 3)
	case link.TypeAppleIPOverIEEE1394:
		header(16, 18, 0, 0)
	case link.TypeSymantecFirewall:
		header(6, 44, 0, 0)
	case link.TypePFLog:
		header(0, 0, 0, 0)
		s.payload.base = c.mem(regPayload)
	case link.TypeJuniperMFR, link.TypeJuniperMLFR, link.TypeJuniperMLPPP, link.TypeJuniperPPP, link.TypeJuniperCHDLC, link.TypeJuniperFRelay:
		header(4, 4, 0, unset)
	case link.TypeJuniperATM1:
		header(4, 4, 0, 10)
	case link.TypeJuniperATM2:
		header(8, 8, 0, 10)
	case link.TypeJuniperPPPoE, link.TypeJuniperEther:
		header(16, 14, 18, 21)
	case link.TypeJuniperPPPoEATM:
		header(4, 6, 0, unset)
	case link.TypeJuniperGGSN:
		header(6, 12, 0, unset)
	case link.TypeJuniperMonitor:
		header(12, 12, 0, unset)
	case link.TypePFSync:
		bare(4)
	case link.TypeIPNET:
		header(1, 24, 0, unset)
	default:
		// No rules: only "len", "byte" and "link[...]" can be used.
	}
	// Where a protocol is told by one number, libpcap's optimizer puts the tests
	// of a list that are in one place together; not so where it is told by several,
	// or every frame can be of every protocol.
	switch t {
	case link.TypePPPBSDOS, link.TypeNull, link.TypeLoop, link.TypeEnc, link.TypePFLog:
		s.inTurn = true
	}
	s.inTurn = s.inTurn || isJuniper(t)
	if is80211(t) {
		// libpcap does not optimize here.
		c.strict = true
		s.payload.base = c.mem(regPayload)
	}
	s.prevHdr = s.hdr
}

// linkType is the condition that a frame carries a protocol: an EtherType, or
// an LLC service access point up to 255.
func (c *compiler) linkType(n Node, proto uint32) condID {
	if c.labels > 0 {
		var version uint32
		switch proto {
		case etherIP:
			version = 0x40
		case etherIPv6:
			version = 0x60
		default:
			return c.fail(n, ErrMeaning, "only ip and ip6 can be told behind MPLS labels")
		}
		return c.and(c.labelsEnd(), c.eqMask(c.loadPayload(1, 0), version, 0xf0))
	}
	never := condFalse
	if c.scoped() && hasTags(c.link) && (proto == etherVLAN || proto == etherQinQ || proto == etherQinQ91) {
		x := c.eq(c.tagType(0), proto)
		if c.encap {
			x = c.and(c.prevCheck(), x)
		}
		return x
	}
	switch t := c.link; t {
	case link.TypeEthernet, link.TypeNetAnalyzer, link.TypeNetAnalyzerTransparent, link.TypeDSATagBRCM, link.TypeDSATagDSA:
		typ := c.etherType(n, proto)
		if check := c.prevCheck(); check != condTrue && !c.encap {
			return c.and(check, typ)
		}
		return typ
	case link.TypeCHDLC, link.TypeNetBSDHDLC:
		if !c.checkMax(n, "HDLC protocol", proto, 0xffff) {
			return never
		}
		if proto == sapISO {
			proto = sapISO<<8 | sapISO
		}
		return c.eq(c.loadType(2, 0), proto)
	case link.TypeIEEE80211, link.TypeIEEE80211Prism, link.TypeIEEE80211Radiotap, link.TypeIEEE80211AVS, link.TypePPI:
		return c.and(c.eqMask(c.loadHdr(1, 0), wlanData, wlanTypeMask), c.llcType(n, proto))
	case link.TypeFDDI, link.TypeIEEE8025, link.TypeATMRFC1483, link.TypeATMCLIP, link.TypeIPOverFC:
		return c.llcType(n, proto)
	case link.TypeSunATM:
		return c.and(c.atmProto(atmLLC), c.llcType(n, proto))
	case link.TypeLinuxSLL:
		return c.sllType(n, proto)
	case link.TypeSLIP, link.TypeSLIPBSDOS, link.TypeRaw:
		switch proto {
		case etherIP:
			return c.eqMask(c.loadHdr(1, 0), 0x40, 0xf0)
		case etherIPv6:
			return c.eqMask(c.loadHdr(1, 0), 0x60, 0xf0)
		}
		return never
	case link.TypeIPv4:
		if proto == etherIP {
			return condTrue
		}
		return never
	case link.TypeIPv6:
		if proto == etherIPv6 {
			return condTrue
		}
		return never
	case link.TypePPP, link.TypePPPPPPD, link.TypePPPHDLC, link.TypePPPEther:
		p, ok := c.pppProto(n, proto)
		if !ok {
			return never
		}
		return c.eq(c.loadType(2, 0), p)
	case link.TypePPPBSDOS:
		typ := c.loadType(2, 0)
		if proto == etherIP {
			return c.or(c.or(c.eq(typ, pppIP), c.eq(typ, pppVJC)), c.eq(typ, pppVJNC))
		}
		p, ok := c.pppProto(n, proto)
		if !ok {
			return never
		}
		return c.eq(typ, p)
	case link.TypeNull, link.TypeLoop, link.TypeEnc:
		// The family is in the order of the machine that wrote the file; on
		// OpenBSD's loopback it is in network order. IPv6 has another number
		// on each BSD.
		family := c.loadHdr(4, 0)
		if t == link.TypeLoop {
			return c.family(family, proto, false)
		}
		return c.or(c.family(family, proto, true), c.family(family, proto, false))
	case link.TypePFLog:
		return c.family(c.loadHdr(1, pflogAF), proto, false)
	case link.TypeARCNETBSD, link.TypeARCNETLinux:
		sc := map[uint32]uint32{etherIPv6: 0xc4, etherIP: 212, etherARP: 213, etherRARP: 214, etherATalk: 221}
		if code, ok := sc[proto]; ok {
			return c.eq(c.loadType(1, 0), code)
		}
		return never
	case link.TypeLTalk:
		if proto == etherATalk {
			return condTrue
		}
		return never
	case link.TypeFRelay:
		switch proto {
		case etherIP:
			return c.nlpid(0xcc)
		case etherIPv6:
			return c.nlpid(0x8e)
		case sapISO:
			return c.or(c.nlpid(nlpidCLNP), c.or(c.nlpid(nlpidESIS), c.nlpid(nlpidISIS)))
		}
		return never
	case link.TypeIPNET:
		switch proto {
		case etherIP:
			return c.eq(c.loadType(1, 0), 2)
		case etherIPv6:
			return c.eq(c.loadType(1, 0), 26)
		}
		return never
	case link.TypeMFR:
	default:
		if isJuniper(t) {
			return c.eqMask(c.loadHdr(4, 0), 0x4d474300, 0xffffff00)
		}
		if c.typ.known {
			if !c.checkMax(n, "EtherType", proto, 0xffff) {
				return never
			}
			return c.eq(c.loadType(2, 0), proto)
		}
	}
	return c.fail(n, ErrUnsupportedLink, "protocols cannot be told on link type "+c.link.String())
}

// family is the condition that an address family is that of a protocol, as
// the BSDs number them.
func (c *compiler) family(v valID, proto uint32, swapped bool) condID {
	order := func(k uint32) uint32 {
		if swapped {
			return k << 24
		}
		return k
	}
	switch proto {
	case etherIP:
		return c.eq(v, order(2))
	case etherIPv6:
		return c.or(c.or(c.eq(v, order(24)), c.eq(v, order(28))), c.eq(v, order(30)))
	}
	return condFalse
}

func (c *compiler) pppProto(n Node, proto uint32) (uint32, bool) {
	switch proto {
	case etherIP:
		return pppIP, true
	case etherIPv6:
		return pppIPv6, true
	case etherDECnet:
		return pppDECnet, true
	case etherATalk:
		return pppATalk, true
	case etherNS:
		return pppNS, true
	case sapISO:
		return pppOSI, true
	case sapSTP:
		return pppBPDU, true
	case sapIPX:
		return pppIPX, true
	}
	return proto, c.checkMax(n, "PPP protocol", proto, 0xffff)
}

// nlpid is the condition that a Frame Relay frame has a network layer protocol
// identifier after its control byte.
func (c *compiler) nlpid(id uint32) condID { return c.eq(c.loadHdr(2, 2), 0x03<<8|id) }

// snap is the condition that a frame has a SNAP header with an organization
// and a protocol.
func (c *compiler) snap(org, proto uint32) condID {
	return c.and(c.eq(c.loadLLC(4, 4), org<<16|proto), c.eq(c.loadLLC(4, 0), 0xaaaa0300|org>>16))
}

// etherType is [compiler.linkType] of Ethernet: a type field above 1500, or a
// length and an LLC header.
func (c *compiler) etherType(n Node, proto uint32) condID {
	typ := c.loadType(2, 0)
	llc := c.not(c.is(jmpJGT, typ, etherMaxLen))
	switch proto {
	case sapISO, sapIP, sapNetBEUI:
		return c.and(llc, c.eq(c.loadLLC(2, 0), proto<<8|proto))
	case sapIPX:
		// Four ways: Ethernet II, raw IEEE 802.3, LLC and SNAP.
		x := c.or(c.eq(c.loadLLC(1, 0), sapIPX), c.eq(c.loadLLC(2, 0), 0xffff))
		x = c.or(c.snap(0, etherIPX), x)
		return c.or(c.eq(typ, etherIPX), c.and(llc, x))
	case etherATalk:
		return c.or(c.eq(typ, proto), c.and(llc, c.snap(0x080007, proto)))
	case etherAARP:
		return c.or(c.eq(typ, proto), c.and(llc, c.snap(0, proto)))
	}
	if proto <= etherMaxLen {
		if !c.checkMax(n, "LLC DSAP", proto, 0xff) {
			return condFalse
		}
		if c.scoped() {
			return c.and(llc, c.eq(c.loadLLC(1, 0), proto))
		}
		return c.and(llc, c.eq(c.loadType(1, 2), proto))
	}
	if !c.checkMax(n, "EtherType", proto, 0xffff) {
		return condFalse
	}
	return c.eq(typ, proto)
}

// sllType is [compiler.linkType] of Linux cooked capture, where small numbers
// in the type field say what follows (linux/if_ether.h).
func (c *compiler) sllType(n Node, proto uint32) condID {
	const p8023, p8022 = 1, 4
	typ := c.loadType(2, 0)
	llc := c.eq(typ, p8022)
	switch proto {
	case sapISO, sapIP, sapNetBEUI:
		return c.and(llc, c.eq(c.loadLLC(2, 0), proto<<8|proto))
	case sapIPX:
		x := c.and(llc, c.or(c.eq(c.loadLLC(1, 0), sapIPX), c.snap(0, etherIPX)))
		return c.or(c.eq(typ, etherIPX), c.or(c.eq(typ, p8023), x))
	case etherATalk:
		return c.or(c.eq(typ, proto), c.and(llc, c.snap(0x080007, proto)))
	case etherAARP:
		return c.or(c.eq(typ, proto), c.and(llc, c.snap(0, proto)))
	}
	if proto <= etherMaxLen {
		if !c.checkMax(n, "LLC DSAP", proto, 0xff) {
			return condFalse
		}
		return c.and(llc, c.eq(c.loadHdr(1, c.payload.k), proto))
	}
	if !c.checkMax(n, "EtherType", proto, 0xffff) {
		return condFalse
	}
	return c.eq(typ, proto)
}

// llcType is [compiler.linkType] of link types whose payload begins with an
// LLC header.
func (c *compiler) llcType(n Node, proto uint32) condID {
	switch proto {
	case sapIP, sapISO, sapNetBEUI:
		return c.eq(c.loadLLC(2, 0), proto<<8|proto)
	case sapIPX:
		return c.eq(c.loadLLC(1, 0), sapIPX)
	case etherATalk:
		return c.snap(0x080007, etherATalk)
	}
	if proto <= etherMaxLen {
		if !c.checkMax(n, "LLC DSAP", proto, 0xff) {
			return condFalse
		}
		return c.eq(c.loadLLC(1, 0), proto)
	}
	if !c.checkMax(n, "EtherType", proto, 0xffff) {
		return condFalse
	}
	return c.eq(c.loadLLC(2, 6), proto)
}

// prologue puts before the filter what finds the headers of variable length.
func (c *compiler) prologue(next nodeID) nodeID {
	needHdr := c.used&(1<<regLinkHdr) != 0
	needPayload := c.used&(1<<regPayload) != 0
	if !needHdr && !needPayload {
		return c.ppiCheck(next)
	}
	outer := c.opts.Link
	base := c.constant(0)
	if outer == link.TypePFLog {
		// The first byte is the length without the padding to four bytes.
		v := c.alu(aluAnd, c.alu(aluAdd, c.load(1, 0, 0), c.constant(3)), c.constant(0xfffffffc))
		return c.store(regPayload, v, next)
	}
	if outer != link.TypeIEEE80211 {
		base = c.mem(regLinkHdr)
		needHdr = true
	}
	if needPayload {
		next = c.wlanHeader(base, outer, next)
	}
	if !needHdr {
		return next
	}
	// The length of what stands before the IEEE 802.11 header.
	switch outer {
	case link.TypeIEEE80211Prism:
		// A Prism header has 144 bytes, but an AVS header may stand in its
		// place: its first word says so and its second is its length.
		next = c.test(jmpJEQ, c.alu(aluAnd, c.load(4, 0, 0), c.constant(0xfffff000)), 0x80211000,
			c.store(regLinkHdr, c.load(4, 0, 4), next), c.store(regLinkHdr, c.constant(144), next))
	case link.TypeIEEE80211AVS:
		next = c.store(regLinkHdr, c.load(4, 0, 4), next)
	default: // radiotap and PPI have it little-endian at byte 2
		v := c.alu(aluOr, c.load(1, 0, 2), c.alu(aluLsh, c.load(1, 0, 3), c.constant(8)))
		next = c.store(regLinkHdr, v, next)
	}
	return c.ppiCheck(next)
}

// ppiCheck rejects what is not IEEE 802.11 behind a PPI header. The link type
// there is little-endian.
func (c *compiler) ppiCheck(next nodeID) nodeID {
	if c.opts.Link != link.TypePPI {
		return next
	}
	return c.test(jmpJEQ, c.load(4, 0, 4), 105<<24, next, reject)
}

// wlanHeader stores where the payload behind the IEEE 802.11 header at base
// begins. The header of a data frame has two more bytes if it is a QoS frame;
// a radiotap header may say that it is padded to a multiple of four.
func (c *compiler) wlanHeader(base valID, outer link.Type, next nodeID) nodeID {
	payload := c.mem(regPayload)
	fc := c.load(1, base, 0)
	end := next
	if outer == link.TypeIEEE80211Radiotap {
		// Bits of the first word of "present", which is little-endian.
		const flags, tsft, more = 0x02000000, 0x01000000, 0x00000080
		const dataPad = 0x20
		present := c.load(4, 0, 4)
		round := c.store(regPayload, c.alu(aluAnd, c.alu(aluAdd, payload, c.constant(3)), c.constant(0xfffffffc)), next)
		withTSFT := c.test(jmpJSET, c.load(1, 0, 16), dataPad, round, next)
		without := c.test(jmpJSET, c.load(1, 0, 8), dataPad, round, next)
		end = c.test(jmpJSET, present, flags, c.test(jmpJSET, present, more, next, c.test(jmpJSET, present, tsft, withTSFT, without)), next)
	}
	qos := c.test(jmpJSET, fc, 0x80, c.store(regPayload, c.alu(aluAdd, payload, c.constant(2)), end), end)
	data := c.test(jmpJSET, fc, wlanData, c.test(jmpJSET, fc, wlanCtl, next, qos), next)
	return c.store(regPayload, c.alu(aluAdd, base, c.constant(24)), data)
}
