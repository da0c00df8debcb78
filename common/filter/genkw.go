package filter

import (
	"strings"

	"github.com/gopkts/gopkts/common/link"
)

// A SunATM frame has a byte of flags, the VPI and the VCI before its payload.
const (
	atmVPI     = 1
	atmVCI     = 2
	atmPayload = 4
	atmLANE    = 1
	atmLLC     = 2
)

// unsupported is the error of a keyword that the link type has no use for.
func (c *compiler) unsupported(k *Keyword) condID {
	return c.fail(k, ErrUnsupportedLink, quote(k.Name)+" has no meaning on link type "+c.link.String())
}

func (c *compiler) genKeyword(k *Keyword) condID {
	switch k.Name {
	case "broadcast":
		return c.genBroadcast(k)
	case "multicast":
		return c.genMulticast(k)
	case "less":
		return c.not(c.is(jmpJGT, c.length(), k.Nums[0]))
	case "greater":
		return c.is(jmpJGE, c.length(), k.Nums[0])
	case "byte":
		return c.genByte(k)
	case "inbound", "outbound":
		return c.genDirection(k, k.Name == "outbound")
	case "ifindex":
		switch {
		case c.link == link.TypeLinuxSLL2:
			return c.eq(c.loadHdr(4, 4), k.Nums[0])
		case c.opts.Target == TargetLinux:
			return c.eq(c.load(4, 0, adIfIndex), k.Nums[0])
		}
		return c.unsupported(k)
	case "vlan":
		return c.genVLAN(k)
	case "mpls":
		return c.genMPLS(k)
	case "pppoed":
		return c.linkType(k, etherPPPoED)
	case "pppoes":
		return c.genPPPoES(k)
	case "geneve", "vxlan":
		return c.genOverlay(k)
	case "type", "subtype", "dir":
		return c.genWLAN(k)
	case "llc":
		return c.genLLC(k)
	case "ifname", "rset", "rnr", "srnr", "reason", "action":
		return c.genPF(k)
	case "lane", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "connectmsg", "metaconnect", "vpi", "vci":
		return c.genATM(k)
	case "fisu", "lssu", "msu", "hfisu", "hlssu", "hmsu", "sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls":
		return c.genSS7(k)
	}
	return c.fail(k, ErrMeaning, quote(k.Name)+" is not a primitive")
}

func (c *compiler) genBroadcast(k *Keyword) condID {
	switch k.Proto {
	case ProtoNone, ProtoLink:
		if c.link == link.TypeARCNETBSD || c.link == link.TypeARCNETLinux {
			return c.genByteAddr(k, DirDst, 0)
		}
		if c.link == link.TypeBACnetMSTP {
			return c.genByteAddr(k, DirDst, 0xff)
		}
		return c.genMACs(k, DirDst, []link.MacAddr{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, "broadcast")
	case ProtoIP:
		hosts := ^c.opts.Netmask
		typ := c.linkType(k, etherIP)
		dst := c.loadPayload(4, 16)
		return c.and(typ, c.or(c.eqMask(dst, 0, hosts), c.eqMask(dst, hosts, hosts)))
	}
	return c.fail(k, ErrMeaning, "'"+k.Proto.String()+"' has no broadcast")
}

func (c *compiler) genMulticast(k *Keyword) condID {
	group := func(off uint32) condID { return c.is(jmpJSET, c.loadHdr(1, off), 1) }
	switch k.Proto {
	case ProtoNone, ProtoLink:
		switch c.link {
		case link.TypeARCNETBSD, link.TypeARCNETLinux:
			return c.genByteAddr(k, DirDst, 0)
		case link.TypeEthernet, link.TypeNetAnalyzer, link.TypeNetAnalyzerTransparent, link.TypeDSATagBRCM, link.TypeDSATagDSA:
			return c.and(c.prevCheck(), group(0))
		case link.TypeFDDI:
			return group(1)
		case link.TypeIEEE8025, link.TypeIPOverFC:
			return group(2)
		}
		if is80211(c.link) {
			fc0, fc1 := c.loadHdr(1, 0), c.loadHdr(1, 1)
			set := func(v valID, k uint32) condID { return c.is(jmpJSET, v, k) }
			data := c.and(set(fc0, wlanData), c.or(c.and(c.not(set(fc1, wlanToDS)), group(4)), c.and(set(fc1, wlanToDS), group(16))))
			return c.and(c.not(set(fc0, wlanCtl)), c.or(c.and(c.not(set(fc0, wlanData)), group(4)), data))
		}
		return c.unsupported(k)
	case ProtoIP:
		return c.and(c.linkType(k, etherIP), c.eqMask(c.loadPayload(1, 16), 0xe0, 0xf0))
	case ProtoIPv6:
		return c.and(c.linkType(k, etherIPv6), c.eq(c.loadPayload(1, 24), 0xff))
	}
	return c.fail(k, ErrMeaning, "'"+k.Proto.String()+"' has no multicast")
}

func (c *compiler) genByte(k *Keyword) condID {
	off, v := k.Nums[0], k.Nums[1]
	if !c.checkMax(k, "byte", v, 0xff) {
		return condFalse
	}
	b := c.loadHdr(1, off)
	switch k.Op {
	case "=":
		return c.eq(b, v)
	case "<":
		return c.not(c.is(jmpJGE, b, v))
	case ">":
		return c.is(jmpJGT, b, v)
	case "&":
		return c.not(c.eq(c.alu(aluAnd, b, c.constant(v)), 0))
	}
	return c.not(c.eq(c.alu(aluOr, b, c.constant(v)), 0))
}

func (c *compiler) genDirection(k *Keyword, out bool) condID {
	pick := func(o, i uint32) uint32 {
		if out {
			return o
		}
		return i
	}
	outgoing := func(x condID) condID {
		if out {
			return x
		}
		return c.not(x)
	}
	switch c.link {
	case link.TypeSLIP:
		return c.eq(c.loadHdr(1, 0), pick(1, 0))
	case link.TypeIPNET:
		return c.eq(c.loadHdr(2, 2), pick(1, 2))
	case link.TypeLinuxSLL:
		return outgoing(c.eq(c.loadHdr(2, 0), 4))
	case link.TypeLinuxSLL2:
		return outgoing(c.eq(c.loadHdr(1, 10), 4))
	case link.TypePFLog:
		return c.eq(c.loadHdr(1, pflogDir), pick(2, 1))
	case link.TypePPPPPPD:
		return c.eq(c.loadHdr(1, 0), pick(1, 0))
	case link.TypeDSATagBRCM:
		// The operation: 0 is to the processor, 1 is from it.
		return c.eqMask(c.loadHdr(1, 12), pick(0x20, 0x00), 0xe0)
	case link.TypeDSATagDSA:
		// The mode: 1 is from the processor, 0 and 2 are to it; 3 may be both.
		return c.eqMask(c.loadHdr(1, 12), pick(0x40, 0x00), pick(0xc0, 0x40))
	}
	switch {
	case isJuniper(c.link):
		return c.eqMask(c.loadHdr(1, 3), pick(0, 1), 1)
	case c.opts.Target == TargetLinux:
		return outgoing(c.eq(c.load(2, 0, adPktType), 4))
	}
	return c.unsupported(k)
}

// genVLAN is the condition of a VLAN tag, and moves all that follows behind
// it.
func (c *compiler) genVLAN(k *Keyword) condID {
	if c.labels > 0 {
		return c.fail(k, ErrMeaning, "'vlan' cannot be told behind MPLS labels")
	}
	switch c.link {
	case link.TypeIEEE80211, link.TypeIEEE80211Prism, link.TypeIEEE80211Radiotap, link.TypeIEEE80211AVS:
	default:
		if !isEthernet(c.link) && !(c.scoped() && hasTags(c.link)) {
			return c.unsupported(k)
		}
	}
	ids, ok := c.hasNums(k, "VLAN", 0xfff)
	if !ok {
		return condFalse
	}
	if c.scoped() && hasTags(c.link) {
		return c.scopedVLAN(k, ids)
	}
	tpid := c.or(c.or(c.linkType(k, etherVLAN), c.linkType(k, etherQinQ)), c.linkType(k, etherQinQ91))
	outermost := c.link == link.TypeEthernet && c.vlans == 0 && c.hdr == at(0)
	c.vlans++
	if c.opts.Target == TargetLinux && outermost && c.payload.base == 0 {
		return c.liveVLAN(k, tpid)
	}
	x := tpid
	if ids {
		x = c.and(x, c.inRanges(c.loadLLC(2, c.nl), 0xfff, 0, k))
	}
	c.payload.k += 4
	c.typ.k += 4
	return c.enter(k, x)
}

// enter is a condition and, in the scoped dialect, what opens the scope that it
// leads to.
func (c *compiler) enter(k *Keyword, x condID) condID {
	if c.scoped() {
		x = c.and(x, c.openScope(k))
	}
	return x
}

// liveVLAN is genVLAN of the outermost tag on a socket: the kernel has taken
// the tag off, or left it in the frame, which only the packet says. A register
// holds how much further the headers are.
func (c *compiler) liveVLAN(k *Keyword, tpid condID) condID {
	reg := c.newReg(k)
	vid := c.load(2, 0, c.payload.k+c.nl)
	present := c.eq(c.load(1, 0, adVLANTagPresent), 1)
	taken, inBand := present, tpid
	if len(k.Nums) > 0 {
		taken = c.and(taken, c.eqMask(c.load(2, 0, adVLANTag), k.Nums[0], 0xfff))
		inBand = c.and(inBand, c.eqMask(vid, k.Nums[0], 0xfff))
	}
	keep := func(v uint32) condID { return c.add(cond{kind: condStore, k: uint32(reg), a: c.constant(v)}) }
	inBand = c.and(inBand, keep(4))
	c.payload.base, c.typ.base = c.mem(reg), c.mem(reg)
	return c.or(c.and(taken, keep(0)), c.and(c.not(present), inBand))
}

// labelsEnd is the condition that the label before the network header is the
// last of its stack.
func (c *compiler) labelsEnd() condID {
	return c.is(jmpJSET, c.loadAt(c.payload, 1, c.nl-4+2), 1)
}

func (c *compiler) genMPLS(k *Keyword) condID {
	var x condID
	switch {
	case c.labels > 0:
		x = c.not(c.labelsEnd())
	case isEthernet(c.link), c.link == link.TypeCHDLC, c.link == link.TypeNetBSDHDLC:
		x = c.linkType(k, etherMPLS)
	case c.link == link.TypePPP:
		x = c.linkType(k, pppMPLS)
	default:
		return c.unsupported(k)
	}
	ids, ok := c.hasNums(k, "MPLS label", 0xfffff)
	if !ok {
		return condFalse
	}
	if ids {
		x = c.and(x, c.inRanges(c.loadPayload(4, 0), 0xfffff000, 12, k))
	}
	c.nl += 4
	c.nlNoSnap += 4
	c.labels++
	return c.enter(k, x)
}

// push makes t the innermost link type, at hdr.
func (c *compiler) push(t link.Type, hdr offset) {
	c.prev, c.prevHdr = c.link, c.hdr
	c.link, c.hdr = t, hdr
	c.encap = false
	c.inType, c.rawType = 0, 0
}

func (c *compiler) genPPPoES(k *Keyword) condID {
	x := c.linkType(k, etherPPPoES)
	ids, ok := c.hasNums(k, "PPPoE session", 0xffff)
	if !ok {
		return condFalse
	}
	if ids {
		x = c.and(x, c.inRanges(c.loadPayload(2, 2), 0xffff, 0, k))
	}
	// Six bytes of PPPoE, and two of PPP: its protocol.
	hdr := c.payload
	hdr.k += c.nl + 6
	c.push(link.TypePPP, hdr)
	c.typ = hdr
	c.payload = hdr
	c.payload.k += 2
	c.nl, c.nlNoSnap = 0, 0
	return c.enter(k, x)
}

// genOverlay is the condition of a Geneve or VXLAN header behind UDP, and
// moves all that follows to the packet within.
func (c *compiler) genOverlay(k *Keyword) condID {
	geneve := k.Name == "geneve"
	port := uint32(4789)
	if geneve {
		port = 6081
	}
	ids, ok := c.hasNums(k, "network identifier", 0xffffff)
	if !ok {
		return condFalse
	}
	if c.scoped() {
		return c.tunnel(k, k, ids)
	}
	c.strict = true // as in libpcap, which does not optimize here
	m := &Match{Proto: ProtoUDP, Dir: DirDst, Kind: KindPort, at: k.at}
	hdr, typ, payload := c.newReg(k), c.newReg(k), c.newReg(k)
	// The place of the UDP header, less what at adds, until the payload is
	// known.
	udp := payload
	at := c.payload.k + c.nl
	one := func(typ, off uint32, tran func(size uint8, off uint32) valID, frag bool, hdr valID) condID {
		t := c.linkType(m, typ)
		x := c.eq(c.loadPayload(1, off), ipUDP)
		if frag {
			x = c.and(x, c.firstFragment())
		}
		x = c.and(t, c.and(x, c.eq(tran(2, 2), port)))
		if geneve {
			x = c.and(x, c.eqMask(tran(1, 8), 0, 0xc0))
		} else {
			x = c.and(x, c.eq(tran(1, 8), 0x08))
		}
		if ids {
			x = c.and(x, c.inRanges(tran(4, 12), 0xffffff00, 8, k))
		}
		return c.and(x, c.add(cond{kind: condStore, k: uint32(udp), a: hdr}))
	}
	x := c.or(one(etherIP, 9, c.loadTran4, true, c.ip4Len()), one(etherIPv6, 6, c.loadTran6, false, c.ip6End()))
	start := c.mem(udp)
	keep := func(reg int, v valID) condID { return c.add(cond{kind: condStore, k: uint32(reg), a: v}) }
	plus := func(v valID, k uint32) valID { return c.alu(aluAdd, v, c.constant(k)) }
	inner := c.mem(hdr)
	if geneve {
		options := c.alu(aluMul, c.alu(aluAnd, c.load(1, start, at+8), c.constant(0x3f)), c.constant(4))
		proto := c.load(2, start, at+10)
		x = c.and(x, keep(hdr, plus(c.alu(aluAdd, options, start), at+16)))
		ethernet := c.and(c.eq(proto, etherTEB), c.and(keep(typ, plus(inner, 12)), keep(payload, plus(inner, 14))))
		bare := c.and(keep(typ, plus(start, at+10)), keep(payload, inner))
		x = c.and(x, c.and(c.touch(proto), c.or(ethernet, bare)))
	} else {
		x = c.and(x, keep(hdr, plus(start, at+16)))
		x = c.and(x, c.and(keep(typ, plus(inner, 12)), keep(payload, plus(inner, 14))))
	}
	c.push(link.TypeEthernet, offset{base: inner, known: true})
	c.typ = offset{base: c.mem(typ), known: true}
	c.payload = offset{base: c.mem(payload), known: true}
	c.nl = 0
	c.encap = true
	return x
}

// ip6End is [compiler.ip4Len] of IPv6 without extension headers.
func (c *compiler) ip6End() valID {
	if c.payload.base == 0 {
		return c.constant(ip6HeaderLen)
	}
	c.used |= c.vals.at(c.payload.base).regs
	return c.alu(aluAdd, c.payload.base, c.constant(ip6HeaderLen))
}

func (c *compiler) genWLAN(k *Keyword) condID {
	if !is80211(c.link) {
		return c.unsupported(k)
	}
	if k.Name == "dir" {
		return c.eqMask(c.loadHdr(1, 1), k.Nums[0], wlanDirMask)
	}
	if len(k.Nums) == 1 {
		return c.eqMask(c.loadHdr(1, 0), k.Nums[0], wlanTypeMask)
	}
	return c.eqMask(c.loadHdr(1, 0), k.Nums[0]|k.Nums[1], wlanTypeMask|wlanSubtypeMask)
}

func (c *compiler) genLLC(k *Keyword) condID {
	var is condID
	switch c.link {
	case link.TypeEthernet, link.TypeDSATagBRCM, link.TypeDSATagDSA:
		is = c.and(c.not(c.is(jmpJGT, c.loadType(2, 0), etherMaxLen)), c.not(c.eq(c.loadLLC(2, 0), 0xffff)))
	case link.TypeSunATM:
		is = c.atmProto(atmLLC)
	case link.TypeIEEE8025, link.TypeFDDI, link.TypeATMRFC1483:
		is = condTrue
	default:
		if !is80211(c.link) {
			return c.unsupported(k)
		}
		is = c.eqMask(c.loadHdr(1, 0), wlanData, wlanTypeMask)
	}
	if len(k.Words) == 0 {
		return is
	}
	control := c.loadLLC(1, 2)
	masked := func(v, mask uint32) condID { return c.and(is, c.eqMask(control, v, mask)) }
	switch strings.ToLower(k.Words[0]) {
	case "i":
		return c.and(is, c.not(c.is(jmpJSET, control, 1)))
	case "s":
		return masked(1, 3)
	case "u":
		return masked(3, 3)
	case "rr":
		return masked(0x01, 0x0f)
	case "rnr":
		return masked(0x05, 0x0f)
	case "rej":
		return masked(0x09, 0x0f)
	case "ui":
		return masked(0x03, 0xef)
	case "ua":
		return masked(0x63, 0xef)
	case "disc":
		return masked(0x43, 0xef)
	case "dm":
		return masked(0x0f, 0xef)
	case "sabme":
		return masked(0x6f, 0xef)
	case "test":
		return masked(0xe3, 0xef)
	case "xid":
		return masked(0xaf, 0xef)
	case "frmr":
		return masked(0x87, 0xef)
	}
	return c.fail(k, ErrMeaning, "unknown LLC type "+quote(k.Words[0]))
}

// unknownWord is the error of a word that is none of those of a packet filter.
func (c *compiler) unknownWord(k *Keyword, what, words string) condID {
	hint := nearest(k.Words[0], strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == '/' }))
	if hint != "" {
		hint = quote(k.Name + " " + hint)
	}
	return c.failAt(k.at, ErrMeaning, "unknown "+what+" "+quote(k.Words[0])+" of the packet filter", "", hint)
}

// genPF is the condition of a field of the packet filter's log.
func (c *compiler) genPF(k *Keyword) condID {
	if c.link != link.TypePFLog {
		return c.unsupported(k)
	}
	text := func(off uint32, s string) condID {
		if len(s) > 15 {
			return c.fail(k, ErrMeaning, "names in the packet filter's log have at most 15 characters")
		}
		// From the end, four bytes at a time.
		x := condTrue
		b := []byte(s)
		for len(b) >= 4 {
			n := len(b) - 4
			x = c.and(x, c.eq(c.loadHdr(4, off+uint32(n)), uint32(b[n])<<24|uint32(b[n+1])<<16|uint32(b[n+2])<<8|uint32(b[n+3])))
			b = b[:n]
		}
		if len(b) >= 2 {
			n := len(b) - 2
			x = c.and(x, c.eq(c.loadHdr(2, off+uint32(n)), uint32(b[n])<<8|uint32(b[n+1])))
			b = b[:n]
		}
		if len(b) > 0 {
			x = c.and(x, c.eq(c.loadHdr(1, off), uint32(b[0])))
		}
		return x
	}
	code := func(names, word string) (uint32, bool) {
		n := uint32(0)
		for group := range strings.FieldsSeq(names) {
			for name := range strings.SplitSeq(group, "/") {
				if strings.EqualFold(name, word) {
					return n, true
				}
			}
			n++
		}
		return 0, false
	}
	switch k.Name {
	case "ifname":
		return text(pflogIfname, k.Words[0])
	case "rset":
		return text(pflogRuleset, k.Words[0])
	case "rnr":
		return c.eq(c.loadHdr(4, pflogRule), k.Nums[0])
	case "srnr":
		return c.eq(c.loadHdr(4, pflogSubrule), k.Nums[0])
	case "reason":
		if len(k.Nums) > 0 {
			return c.eq(c.loadHdr(1, pflogReason), k.Nums[0])
		}
		const reasons = "match bad-offset fragment short normalize memory bad-timestamp congestion ip-option proto-cksum " +
			"state-mismatch state-insert state-limit src-limit synproxy " +
			// What FreeBSD, NetBSD, OpenBSD and macOS added, who share the numbers.
			"map-failed/state-locked/translate/dummynet no-route"
		v, ok := code(reasons, k.Words[0])
		if !ok {
			return c.unknownWord(k, "reason", reasons)
		}
		return c.eq(c.loadHdr(1, pflogReason), v)
	}
	const actions = "pass/accept drop/block scrub noscrub nat nonat binat nobinat rdr nordr synproxy-drop " +
		"defer/dummynet match/nodummynet divert/nat64 rt/nonat64 afrt"
	v, ok := code(actions, k.Words[0])
	if !ok {
		return c.unknownWord(k, "action", actions)
	}
	return c.eq(c.loadHdr(1, pflogAction), v)
}

// compare is the condition that a masked field compares with a number; op is
// "" for equality.
func (c *compiler) compare(v valID, mask uint32, op string, k uint32) condID {
	if mask != 0xffffffff {
		v = c.alu(aluAnd, v, c.constant(mask))
	}
	switch op {
	case "", "=":
		return c.eq(v, k)
	case "!=":
		return c.not(c.eq(v, k))
	case ">":
		return c.is(jmpJGT, v, k)
	case ">=":
		return c.is(jmpJGE, v, k)
	case "<":
		return c.not(c.is(jmpJGE, v, k))
	}
	return c.not(c.is(jmpJGT, v, k))
}

// atmProto is the condition of the protocol in the flags.
func (c *compiler) atmProto(p uint32) condID { return c.eqMask(c.loadHdr(1, 0), p, 0x0f) }

func (c *compiler) genATM(k *Keyword) condID {
	if c.link != link.TypeSunATM {
		return c.unsupported(k)
	}
	vpi := func() valID { return c.loadHdr(1, atmVPI) }
	vci := func() valID { return c.loadHdr(2, atmVCI) }
	circuit := func(v ...uint32) condID {
		x := condFalse
		for _, n := range v {
			x = c.or(x, c.eq(vci(), n))
		}
		return c.and(c.eq(vpi(), 0), x)
	}
	// A signalling message of one of several types, ITU-T Q.2931.
	message := func(x condID, types ...uint32) condID {
		y := condFalse
		for i := len(types) - 1; i >= 0; i-- {
			y = c.or(y, c.eq(c.loadHdr(1, atmPayload+5), types[i]))
		}
		return c.and(x, y)
	}
	const setup, proceeding, connect, connectAck, release, releaseDone = 0x05, 0x02, 0x07, 0x0f, 0x4d, 0x5a
	switch k.Name {
	case "metac":
		return circuit(1)
	case "bcc":
		return circuit(2)
	case "oamf4sc":
		return circuit(3)
	case "oamf4ec":
		return circuit(4)
	case "sc":
		return circuit(5)
	case "ilmic":
		return circuit(16)
	case "oam", "oamf4":
		return circuit(3, 4)
	case "connectmsg":
		return message(circuit(5), setup, proceeding, connect, connectAck, release, releaseDone)
	case "metaconnect":
		return message(circuit(1), setup, proceeding, connect, release, releaseDone)
	case "lane":
		x := c.atmProto(atmLANE)
		// LAN emulation: two bytes, and an Ethernet header.
		c.push(link.TypeEthernet, at(atmPayload+2))
		c.typ, c.payload = at(atmPayload+2+12), at(atmPayload+2+14)
		c.nl, c.nlNoSnap = 0, 3
		return c.enter(k, x)
	}
	limit, what, field := uint32(0xff), "VPI", vpi
	if k.Name == "vci" {
		limit, what, field = 0xffff, "VCI", vci
	}
	x := condFalse
	for _, v := range k.Nums {
		if !c.checkMax(k, what, v, limit) {
			return condFalse
		}
		x = c.or(x, c.compare(field(), 0xffffffff, k.Op, v))
	}
	return x
}

// genSS7 is the condition of a signalling unit or a field of its label. Point
// codes are little-endian.
func (c *compiler) genSS7(k *Keyword) condID {
	base := uint32(0)
	switch c.link {
	case link.TypeMTP2:
	case link.TypeMTP2WithPHdr:
		base = 4
	case link.TypeERF:
		base = 20
	default:
		return c.unsupported(k)
	}
	name, high := k.Name, uint32(0)
	if name[0] == 'h' { // high speed signalling links have three more bytes
		name, high = name[1:], 3
	}
	length := func() valID {
		if high != 0 {
			return c.alu(aluAnd, c.load(2, 0, base+4), c.constant(0xff80))
		}
		return c.alu(aluAnd, c.load(1, 0, base+2), c.constant(0x3f))
	}
	two := uint32(2)
	if high != 0 {
		two = 0x0100
	}
	switch name {
	case "fisu":
		return c.eq(length(), 0)
	case "lssu":
		return c.and(c.is(jmpJGT, length(), 0), c.not(c.is(jmpJGT, length(), two)))
	case "msu":
		return c.is(jmpJGT, length(), two)
	}
	x := condFalse
	for _, v := range k.Nums {
		var y condID
		switch name {
		case "sio":
			if !c.checkMax(k, "sio", v, 0xff) {
				return condFalse
			}
			y = c.compare(c.load(1, 0, base+high+3), 0xffffffff, k.Op, v)
		case "opc":
			if !c.checkMax(k, "opc", v, 0x3fff) {
				return condFalse
			}
			y = c.compare(c.load(4, 0, base+high+4), 0x00c0ff0f, k.Op, swap32(v<<14))
		case "dpc":
			if !c.checkMax(k, "dpc", v, 0x3fff) {
				return condFalse
			}
			y = c.compare(c.load(2, 0, base+high+4), 0xff3f, k.Op, v>>8|v&0xff<<8)
		default:
			if !c.checkMax(k, "sls", v, 0xf) {
				return condFalse
			}
			y = c.compare(c.load(1, 0, base+high+7), 0xf0, k.Op, v<<4)
		}
		x = c.or(x, y)
	}
	return x
}

func swap32(v uint32) uint32 { return v>>24 | v>>8&0xff00 | v<<8&0xff0000 | v<<24 }

// genRelation is the condition that two numbers compare. A packet without a
// header that one of them is read from does not match.
func (c *compiler) genRelation(r *Relation) condID {
	x, need, rx := c.arith(r.X)
	y, need2, ry := c.arith(r.Y)
	if c.err != nil {
		return condFalse
	}
	if !c.scoped() && max(rx, ry+1)+c.regs > scratchWords {
		return c.fail(r, ErrTooLong, errTooManyRegisters.Error())
	}
	op, negate := uint8(jmpJEQ), false
	switch r.Op {
	case ">":
		op = jmpJGT
	case ">=":
		op = jmpJGE
	case "!=":
		negate = true
	case "<":
		op, negate = jmpJGE, true
	case "<=":
		op, negate = jmpJGT, true
	}
	t := c.add(cond{kind: condTestX, op: op, a: x, x: y})
	if negate {
		t = c.not(t)
	}
	return c.and(need2, c.and(need, t))
}

// arith returns the value of a number, the condition that its headers are
// there, and how many registers libpcap would need for it.
func (c *compiler) arith(a Arith) (v valID, need condID, regs int) {
	switch a := a.(type) {
	case *Num:
		return c.constant(a.Value), condTrue, 1
	case *Len:
		return c.length(), condTrue, 1
	case *Neg:
		v, need, regs = c.arith(a.X)
		return c.neg(v), need, regs
	case *Index:
		return c.index(a)
	case *Binary:
		x, needX, rx := c.arith(a.X)
		y, needY, ry := c.arith(a.Y)
		var op uint8
		switch a.Op {
		case "+":
			op = aluAdd
		case "-":
			op = aluSub
		case "*":
			op = aluMul
		case "/":
			op = aluDiv
		case "%":
			op = aluMod
		case "&":
			op = aluAnd
		case "|":
			op = aluOr
		case "^":
			op = aluXor
		case "<<":
			op = aluLsh
		case ">>":
			op = aluRsh
		}
		if n, ok := c.isConst(y); ok {
			msg := ""
			switch {
			case n == 0 && (op == aluDiv || op == aluMod):
				msg = "division by zero"
			case n > 31 && (op == aluLsh || op == aluRsh):
				msg = "shift by more than 31 bits"
			}
			_, literal := a.Y.(*Num)
			switch {
			case msg != "" && literal:
				c.failAt(a.at, ErrMeaning, msg, "", "")
			case msg != "" && c.suspect == nil:
				c.suspect = &Error{Expr: c.expr, Pos: a.at.Start, End: a.at.End, Msg: msg, Err: ErrMeaning}
			}
		}
		if c.scoped() {
			needX = c.and(needX, needY)
		} // and as in libpcap, the headers of the right side are not asked for
		return c.alu(op, x, y), needX, max(rx, ry+1)
	}
	return 0, condFalse, 0
}

// index returns bytes of a header.
func (c *compiler) index(a *Index) (v valID, need condID, regs int) {
	off, offNeed, regs := c.arith(a.Offset)
	if c.err != nil {
		return 0, condFalse, 0
	}
	fail := func(sort error, msg string) (valID, condID, int) {
		c.failAt(a.at, sort, msg, "", "")
		return 0, condFalse, 0
	}
	need = condTrue
	place := offset{}
	switch a.Proto {
	case ProtoRadio:
		switch c.link {
		case link.TypeIEEE80211Radiotap, link.TypeIEEE80211AVS, link.TypeIEEE80211Prism:
		default:
			return fail(ErrUnsupportedLink, "link type "+c.link.String()+" has no radio header")
		}
	case ProtoLink:
		place = c.hdr
	case ProtoIP, ProtoARP, ProtoRARP, ProtoATalk, ProtoDECnet, ProtoSCA, ProtoLAT, ProtoMOPRC, ProtoMOPDL, ProtoIPv6:
		place = c.payload
		place.k += c.nl
		need = c.genAbbrevAt(a, a.Proto)
	case ProtoSCTP, ProtoTCP, ProtoUDP, ProtoICMP, ProtoIGMP, ProtoIGRP, ProtoPIM, ProtoVRRP, ProtoCARP:
		number := map[Proto]uint32{ProtoSCTP: ipSCTP, ProtoTCP: ipTCP, ProtoUDP: ipUDP, ProtoICMP: ipICMP, ProtoIGMP: ipIGMP,
			ProtoIGRP: ipIGRP, ProtoPIM: ipPIM, ProtoVRRP: ipVRRP, ProtoCARP: ipVRRP}[a.Proto]
		if c.scoped() && (a.Proto == ProtoSCTP || a.Proto == ProtoTCP || a.Proto == ProtoUDP || a.Proto == ProtoPIM) {
			need = c.transportHeader(a, []span32{{number, number}})
			place = c.at(c.scope.tran)
			break
		}
		need = c.genAbbrevAt(a, ProtoIP)
		need = c.and(need, c.eq(c.loadPayload(1, 9), number))
		need = c.and(need, c.firstFragment())
		place = offset{base: c.ip4Len(), k: c.payload.k + c.nl}
	case ProtoICMPv6:
		need = c.genAbbrevAt(a, ProtoIPv6)
		if c.scoped() {
			need = c.and(need, c.transportHeader(a, []span32{{ipICMPv6, ipICMPv6}}))
			place = c.at(c.scope.tran)
			break
		}
		need = c.and(need, c.eq(c.loadPayload(1, 6), ipICMPv6))
		place = c.payload
		place.k += c.nl + ip6HeaderLen
	default:
		return fail(ErrMeaning, quote(a.Proto.String())+" has no bytes that could be taken by an index")
	}
	if place.base != 0 {
		c.used |= c.vals.at(place.base).regs
		off = c.alu(aluAdd, place.base, off)
	}
	v = c.load(uint8(a.Size), off, place.k)
	if c.notes != nil {
		c.note(v, a.String())
	}
	return v, c.and(offNeed, need), max(regs, 2)
}

// genAbbrevAt is genAbbrev of the protocol of an index.
func (c *compiler) genAbbrevAt(a *Index, p Proto) condID {
	return c.genAbbrev(&Abbrev{Proto: p, at: a.at}, p)
}
