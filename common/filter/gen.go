package filter

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gopkts/gopkts/common/link"
)

// Registers of the graph with a fixed use. The others are given out in order.
const (
	regLinkHdr = iota // where the link header is, behind a header of variable length
	regPayload        // where its payload is
	regFirst
)

// IP protocol numbers.
const (
	ipHopOpts  = 0
	ipICMP     = 1
	ipIGMP     = 2
	ipTCP      = 6
	ipIGRP     = 9
	ipUDP      = 17
	ipRouting  = 43
	ipFragment = 44
	ipESP      = 50
	ipAH       = 51
	ipICMPv6   = 58
	ipNoNext   = 59
	ipDstOpts  = 60
	ipPIM      = 103
	ipVRRP     = 112
	ipSCTP     = 132
)

const ip6HeaderLen = 40

// Network layer protocol identifiers, ISO/IEC TR 9577.
const (
	nlpidCLNP = 0x81
	nlpidESIS = 0x82
	nlpidISIS = 0x83
)

// Offsets in OpenBSD's struct pfloghdr, in which other systems agree so far.
const (
	pflogAF      = 1
	pflogAction  = 2
	pflogReason  = 3
	pflogIfname  = 4
	pflogRuleset = 20
	pflogRule    = 36
	pflogSubrule = 40
	pflogDir     = 60
)

// Ancillary data of the Linux kernel, linux/filter.h.
const (
	adPktType        = ancillary + 4
	adIfIndex        = ancillary + 8
	adVLANTag        = ancillary + 44
	adVLANTagPresent = ancillary + 48
)

// compiler makes the condition of an expression.
type compiler struct {
	conds
	makers []maker
	linkState
	ctx  context.Context
	expr string
	opts *Options
	err  *Error
	// suspect is why the program may not be valid: a division by a number that
	// is computed and zero, as "1 - 1" is, or such a shift. As in libpcap it is
	// an error only if an instruction is left of it.
	suspect *Error
	regs    int    // registers given out
	used    uint64 // registers that a load used

	// Of the scoped dialect: what is added to the places in its registers.
	origin uint32
	scopes int // what they cost

	notes map[valID]string // names of values, for an explanation
}

func (c *compiler) errorf(n Node, sort error, msg string) *Error {
	e := &Error{Expr: c.expr, Msg: msg, Err: sort}
	if n != nil {
		e.Pos, e.End = n.Span().Start, n.Span().End
	}
	return e
}

// fail notes the first error.
func (c *compiler) fail(n Node, sort error, msg string) condID {
	if c.err == nil {
		c.err = c.errorf(n, sort, msg)
	}
	return condFalse
}

func (c *compiler) failAt(at Span, sort error, msg, expected, hint string) condID {
	if c.err == nil {
		c.err = &Error{Expr: c.expr, Pos: at.Start, End: at.End, Msg: msg, Expected: expected, Hint: hint, Err: sort}
	}
	return condFalse
}

func (c *compiler) checkMax(n Node, what string, v, limit uint32) bool {
	if v <= limit {
		return true
	}
	c.fail(n, ErrMeaning, what+" "+strconv.FormatUint(uint64(v), 10)+" is greater than "+strconv.FormatUint(uint64(limit), 10))
	return false
}

// newReg gives out a register. libpcap has 16 of them, and so has a program.
func (c *compiler) newReg(n Node) int {
	r := regFirst + c.regs
	if r >= 64 {
		c.fail(n, ErrTooLong, errTooManyRegisters.Error())
		return 63
	}
	c.regs++
	return r
}

func (c *compiler) loadAt(o offset, size uint8, extra uint32) valID {
	if o.base != 0 {
		c.used |= c.vals.at(o.base).regs
	}
	return c.load(size, o.base, o.k+extra)
}

func (c *compiler) loadHdr(size uint8, off uint32) valID { return c.loadAt(c.hdr, size, off) }
func (c *compiler) loadType(size uint8, off uint32) valID {
	if s := c.scope; s != nil && s.typ != 0 && size == 2 && off == 0 {
		if s.skip != 0 {
			c.used |= 1 << s.skip // who stores it skips the VLAN tags
		}
		return c.note(s.typ, "type")
	}
	return c.note(c.loadAt(c.typ, size, off), "type")
}

// loadLLC loads from the payload of the link header, which begins with an LLC
// header where the link type has them.
func (c *compiler) loadLLC(size uint8, off uint32) valID { return c.loadAt(c.payload, size, off) }

// loadPayload loads from the network header.
func (c *compiler) loadPayload(size uint8, off uint32) valID {
	return c.loadAt(c.payload, size, off+c.nl)
}

// loadNoSnap loads from the network header behind an LLC header without SNAP.
func (c *compiler) loadNoSnap(size uint8, off uint32) valID {
	return c.loadAt(c.payload, size, off+c.nlNoSnap)
}

// ip4Len is what stands between the place that loadTran4 adds and the header
// after the IPv4 header: the length of that header, and the variable part of
// where it begins.
func (c *compiler) ip4Len() valID {
	k := c.payload.k + c.nl
	if c.payload.base == 0 {
		return c.val(val{op: valMsh, k: k})
	}
	c.used |= c.vals.at(c.payload.base).regs
	v := c.alu(aluLsh, c.alu(aluAnd, c.load(1, c.payload.base, k), c.constant(15)), c.constant(2))
	return c.alu(aluAdd, v, c.payload.base)
}

func (c *compiler) loadTran4(size uint8, off uint32) valID {
	return c.load(size, c.ip4Len(), c.payload.k+c.nl+off)
}

func (c *compiler) loadTran6(size uint8, off uint32) valID {
	return c.loadPayload(size, ip6HeaderLen+off)
}

// gen makes the condition of a node.
func (c *compiler) gen(n Node) condID {
	if c.err != nil {
		return condFalse
	}
	switch n := n.(type) {
	case *Logic:
		return c.genLogic(n)
	case *Not:
		outer, regs := c.linkState, c.regs
		x := c.not(c.gen(n.X))
		if c.scoped() {
			c.linkState, c.regs = outer, regs
		}
		return x
	case *Inner:
		outer, regs := c.linkState, c.regs
		x := c.tunnel(n, nil, false)
		if _, ok := n.X.(*Inner); ok {
			// Only the next tunnel asks for this scope, and then for nothing
			// more: it takes the same registers.
			c.regs = regs
		}
		x = c.and(x, c.gen(n.X))
		c.linkState, c.regs = outer, regs
		return x
	case *Match:
		return c.genMatch(n)
	case *Abbrev:
		return c.genAbbrev(n, n.Proto)
	case *Relation:
		return c.genRelation(n)
	case *Keyword:
		return c.genKeyword(n)
	}
	return condFalse
}

// genLogic makes a chain of one operator. Alternatives that look for different
// addresses or ports in one place become one search.
func (c *compiler) genLogic(n *Logic) condID {
	var room [8]Node
	chain := room[:0]
	var flatten func(x Node)
	flatten = func(x Node) {
		if l, ok := x.(*Logic); ok && l.Or == n.Or {
			flatten(l.X)
			flatten(l.Y)
			return
		}
		chain = append(chain, x)
	}
	flatten(n)
	// The alternatives of "a or b", and of "not a and not b" what is negated.
	alternative := func(x Node) *Match {
		if !n.Or {
			not, ok := x.(*Not)
			if !ok {
				return nil
			}
			x = not.X
		}
		m, _ := x.(*Match)
		return m
	}
	out := condTrue
	if n.Or {
		out = condFalse
	}
	join := func(x condID) {
		if n.Or {
			out = c.or(out, x)
		} else {
			out = c.and(out, x)
		}
	}
	outer, regs := c.linkState, c.regs
	scoped := n.Or && c.scoped()
	for i := 0; i < len(chain) && c.err == nil; {
		if scoped {
			c.linkState, c.regs = outer, regs
		}
		m := alternative(chain[i])
		if m == nil || i+1 == len(chain) || alternative(chain[i+1]) == nil {
			join(c.gen(chain[i]))
			i++
			continue
		}
		sets := c.collect(chain[i:], alternative)
		if len(sets) == 0 {
			join(c.gen(chain[i]))
			i++
			continue
		}
		for _, s := range sets {
			x := c.genSet(s)
			if !n.Or {
				x = c.not(x)
			}
			join(x)
			i += s.count
		}
	}
	if scoped {
		c.linkState, c.regs = outer, regs
	}
	return out
}

// matchSet is several [*Match] nodes with the same qualifiers.
type matchSet struct {
	first *Match
	v4    []span32     // addresses, the first one of the text first
	mask  uint32       // the netmask of all of v4, if sameMask
	same  bool         // all networks have the same mask
	v6    []netip.Addr // hosts, or networks
	bits  uint32       // the length of the prefix of all of v6
	mac   []link.MacAddr
	ports []span32
	count int // nodes
}

// collect takes from the front of a chain the nodes that can be searched for
// together: hosts and networks, Ethernet addresses, or ports.
func (c *compiler) collect(chain []Node, alternative func(Node) *Match) []*matchSet {
	var sets []*matchSet
	class := 0
	for _, x := range chain {
		m := alternative(x)
		if m == nil || m.Dir > DirSrcOrDst {
			break
		}
		s := matchSet{first: m, count: 1}
		cl := 0
		switch m.Kind {
		case KindNone, KindHost, KindNet:
			switch m.ID.Sort {
			case IDNum, IDIPv4, IDPrefix, IDMask:
				if m.Proto != ProtoNone && m.Proto != ProtoIP && m.Proto != ProtoARP && m.Proto != ProtoRARP {
					break
				}
				addr, mask, ok := c.ipv4(m, false)
				if !ok || mask|(mask-1) != 0xffffffff && mask != 0 {
					break
				}
				cl = 1
				s.v4 = []span32{{addr, addr | ^mask}}
				s.mask, s.same = mask, true
			case IDIPv6:
				if m.Proto != ProtoNone && m.Proto != ProtoIPv6 || m.ID.Num == 0 || m.ID.Num > 128 {
					break
				}
				// Of a network libpcap loads what it does not compare too, where it
				// does not optimize.
				if m.ID.Num < 128 && (m.Kind != KindNet || c.strict) {
					break
				}
				a, err := netip.ParseAddr(m.ID.Text)
				if err == nil && isPrefix6(words6(a), mask6(m.ID.Num)) {
					cl = 1
					s.v6, s.bits = []netip.Addr{a}, m.ID.Num
				}
			case IDMAC:
				if m.Proto == ProtoLink && m.Kind != KindNet && !is80211(c.link) {
					if a, err := link.ParseMac(m.ID.Text); err == nil {
						cl = 2
						s.mac = []link.MacAddr{a}
					}
				}
			}
		case KindPort, KindPortRange:
			if p, ok := c.literalPorts(m); ok {
				cl = 3
				s.ports = []span32{p}
			}
		}
		if cl == 0 || class != 0 && cl != class {
			break
		}
		class = cl
		merged := false
		for _, t := range sets {
			if t.first.Proto != m.Proto || dirOr(t.first.Dir) != dirOr(m.Dir) || (len(t.v6) > 0) != (len(s.v6) > 0) || t.bits != s.bits {
				continue
			}
			if cl == 3 && t != sets[len(sets)-1] {
				continue
			}
			t.v4 = append(t.v4, s.v4...)
			t.same = t.same && t.mask == s.mask
			t.v6 = append(t.v6, s.v6...)
			t.mac = append(t.mac, s.mac...)
			t.ports = append(t.ports, s.ports...)
			t.count++
			merged = true
			break
		}
		if !merged {
			sets = append(sets, &s)
		}
	}
	return sets
}

func dirOr(d Dir) Dir {
	if d == DirNone {
		return DirSrcOrDst
	}
	return d
}

// genSet makes the condition of a set.
func (c *compiler) genSet(s *matchSet) condID {
	m := s.first
	if s.count == 1 {
		return c.genMatch(m)
	}
	switch {
	case s.v4 != nil:
		return c.genHosts4(m, s)
	case s.v6 != nil:
		return c.genHosts6(m, s.v6, s.bits)
	case s.mac != nil:
		return c.genMACs(m, m.Dir, s.mac, "host")
	}
	return c.genPorts(m, s.ports, portProto(m.Proto))
}

// normal sorts ranges and joins those that touch.
func normal(set []span32) []span32 {
	if len(set) <= 1 {
		return set
	}
	set = slices.Clone(set)
	slices.SortFunc(set, func(a, b span32) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	out := set[:0]
	for _, s := range set {
		if n := len(out); n > 0 && (s.lo <= out[n-1].hi || s.lo-1 == out[n-1].hi) {
			out[n-1].hi = max(out[n-1].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

// either makes the condition that one of two values is in a set. Of a packet
// that ends between the two, libpcap's programs for single addresses and ports
// ask for all of the first; its programs for networks and ranges, and on some link
// types, whose order its optimizer cannot change, ask for the first member in both
// places before they ask for the others. So it is done here.
func (c *compiler) either(dir Dir, src, dst func() valID, set []span32, ranges bool) condID {
	all := normal(set)
	switch dirOr(dir) {
	case DirSrc:
		return c.in(src(), all)
	case DirDst:
		return c.in(dst(), all)
	case DirSrcAndDst:
		return c.and(c.in(src(), all), c.in(dst(), all))
	}
	if inTurn := c.inTurn || c.strict; len(set) == 1 || !inTurn && (!ranges || len(all) == 1) {
		return c.or(c.in(src(), all), c.in(dst(), all))
	}
	return c.or(c.or(c.in(src(), set[:1]), c.in(dst(), all)), c.in(src(), normal(set[1:])))
}

func hasRanges(set []span32) bool {
	for _, s := range set {
		if s.lo != s.hi {
			return true
		}
	}
	return false
}

// Sets with more members than this are searched by one piece of code for all
// protocols.
const sharedSearch = 16

// genHosts4 makes the condition that a frame has one of several IPv4
// addresses or networks.
func (c *compiler) genHosts4(m *Match, s *matchSet) condID {
	set, mask := s.v4, uint32(0xffffffff)
	if s.same && s.mask != 0xffffffff && len(normal(set)) > 2 {
		// One mask for all: compare what is masked.
		mask = s.mask
		set = slices.Clone(set)
		for i := range set {
			set[i].hi = set[i].lo
		}
	}
	type proto struct {
		typ      condID
		src, dst uint32 // offsets of the addresses
	}
	var protos []proto
	add := func(typ, src, dst uint32) {
		if t := c.linkType(m, typ); t != condFalse {
			protos = append(protos, proto{t, src, dst})
		}
	}
	at := func(off uint32) valID { return c.alu(aluAnd, c.loadPayload(4, off), c.constant(mask)) }
	switch m.Proto {
	case ProtoNone:
		add(etherIP, 12, 16)
		if c.labels == 0 {
			add(etherARP, 14, 24)
			add(etherRARP, 14, 24)
		}
	case ProtoIP:
		add(etherIP, 12, 16)
	case ProtoARP:
		add(etherARP, 14, 24)
	case ProtoRARP:
		add(etherRARP, 14, 24)
	}
	dir := dirOr(m.Dir)
	if len(set) <= sharedSearch || len(protos) < 2 {
		out := condFalse
		for _, p := range protos {
			src, dst := func() valID { return at(p.src) }, func() valID { return at(p.dst) }
			out = c.or(out, c.and(p.typ, c.either(dir, src, dst, set, hasRanges(s.v4))))
		}
		return out
	}
	// Each protocol stores its address in the same register and goes to the
	// same search.
	keep := func(r int, v valID) condID { return c.add(cond{kind: condStore, k: uint32(r), a: v}) }
	search := func(off func(p proto) uint32) condID {
		r := c.newReg(m)
		out := condFalse
		for _, p := range protos {
			out = c.or(out, c.and(p.typ, keep(r, at(off(p)))))
		}
		return c.and(out, c.in(c.mem(r), normal(set)))
	}
	src := func(p proto) uint32 { return p.src }
	dst := func(p proto) uint32 { return p.dst }
	switch dir {
	case DirSrc:
		return search(src)
	case DirDst:
		return search(dst)
	}
	return c.or(search(src), search(dst))
}

// words6 returns an IPv6 address as four words.
func words6(a netip.Addr) (w [4]uint32) {
	b := a.As16()
	for i := range w {
		w[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return w
}

// mask6 returns the mask of the first bits of an IPv6 address.
func mask6(bits uint32) (mask [4]uint32) {
	for i := range mask {
		if n := int(bits) - 32*i; n > 0 {
			mask[i] = uint32(uint64(0xffffffff) << (32 - min(n, 32)))
		}
	}
	return mask
}

// isPrefix6 reports whether an address has no bits outside of a mask.
func isPrefix6(w, mask [4]uint32) bool {
	for i := range w {
		if w[i]&^mask[i] != 0 {
			return false
		}
	}
	return true
}

// genHosts6 makes the condition that a frame has one of several IPv6 addresses,
// or one of several networks with prefixes of the same length.
func (c *compiler) genHosts6(m *Match, addrs []netip.Addr, bits uint32) condID {
	mask := mask6(bits)
	if len(addrs) <= linearCases {
		// One by one: a packet that ends within an address is like to what it
		// has of one of them, and not of the others.
		x := condFalse
		for _, a := range addrs {
			x = c.or(x, c.genHost6(m, [][4]uint32{words6(a)}, mask, false))
		}
		return x
	}
	typ := c.linkType(m, etherIPv6)
	n := (bits + 31) / 32
	words := make([][]uint32, len(addrs))
	for i, a := range addrs {
		w := words6(a)
		words[i] = w[:n]
	}
	place := func(off uint32, words [][]uint32) condID {
		var vals []valID
		for i := range n {
			vals = append(vals, c.alu(aluAnd, c.loadPayload(4, off+4*i), c.constant(mask[i])))
		}
		return c.inTuples(vals, words)
	}
	switch dirOr(m.Dir) {
	case DirSrc:
		return c.and(typ, place(8, words))
	case DirDst:
		return c.and(typ, place(24, words))
	}
	x := c.or(place(8, words[:1]), place(24, words))
	if len(words) > 1 {
		x = c.or(x, place(8, words[1:]))
	}
	return c.and(typ, x)
}

// inTuples is the condition that values are those of one of several tuples.
func (c *compiler) inTuples(vals []valID, tuples [][]uint32) condID {
	if len(tuples) == 1 {
		out := condTrue
		for i, v := range vals {
			out = c.and(out, c.eq(v, tuples[0][i]))
		}
		return out
	}
	tuples = slices.Clone(tuples)
	slices.SortFunc(tuples, slices.Compare)
	return c.made(&tupleSearch{vals, tuples})
}

// tupleSearch makes the nodes of [compiler.inTuples].
type tupleSearch struct {
	vals   []valID
	tuples [][]uint32 // sorted
}

// searchTuples searches by the first value, and in what is left by the next.
func (c *compiler) searchTuples(vals []valID, tuples [][]uint32, t, f nodeID) nodeID {
	if len(vals) == 0 {
		return t
	}
	type group struct {
		word uint32
		to   nodeID
	}
	var groups []group
	for i := 0; i < len(tuples); {
		j := i
		var tails [][]uint32
		for ; j < len(tuples) && tuples[j][0] == tuples[i][0]; j++ {
			tails = append(tails, tuples[j][1:])
		}
		groups = append(groups, group{tuples[i][0], c.searchTuples(vals[1:], tails, t, f)})
		i = j
	}
	var split func(g []group) nodeID
	split = func(g []group) nodeID {
		if len(g) <= linearCases {
			to := f
			for i := len(g) - 1; i >= 0; i-- {
				to = c.test(jmpJEQ, vals[0], g[i].word, g[i].to, to)
			}
			return to
		}
		mid := len(g) / 2
		return c.test(jmpJGE, vals[0], g[mid].word, split(g[mid:]), split(g[:mid]))
	}
	return split(groups)
}

// genMatch makes the condition of one identifier.
func (c *compiler) genMatch(m *Match) condID {
	switch m.ID.Sort {
	case IDName:
		return c.genName(m)
	case IDNum, IDIPv4:
		return c.genNumber(m)
	case IDPrefix, IDMask:
		if m.Proto == ProtoDECnet {
			return c.badQualifier(m)
		}
		addr, mask, ok := c.ipv4(m, true)
		if !ok {
			return condFalse
		}
		if m.Kind != KindNet {
			hint := ""
			if m.Kind == KindHost || m.Kind == KindNone {
				hint = quote("net " + m.ID.String())
			}
			return c.failAt(m.ID.at, ErrMeaning, "a network is not a "+kindName(m.Kind), "", hint)
		}
		return c.genHost4(m, []uint32{addr}, mask, false)
	case IDIPv6:
		return c.genIPv6(m)
	case IDMAC:
		if m.Proto != ProtoLink || m.Kind != KindHost && m.Kind != KindNone {
			return c.failAt(m.at, ErrMeaning, "an Ethernet address needs the qualifier 'ether host'", "", quote("ether host "+m.ID.Text))
		}
		a, err := link.ParseMac(m.ID.Text)
		if err != nil {
			return c.failAt(m.ID.at, ErrMeaning, "not an Ethernet address", "", "")
		}
		return c.genMACs(m, m.Dir, []link.MacAddr{a}, "host")
	case IDArcnet:
		if m.Proto != ProtoLink || m.Kind != KindHost && m.Kind != KindNone {
			return c.failAt(m.at, ErrMeaning, "an ARCNET address needs the qualifier 'link host'", "", "")
		}
		if m.Dir > DirSrcAndDst {
			return c.fail(m, ErrMeaning, "'"+m.Dir.String()+"' is for IEEE 802.11")
		}
		v, _ := strconv.ParseUint(m.ID.Text, 16, 8)
		return c.genByteAddr(m, m.Dir, uint32(v))
	}
	return condFalse
}

func kindName(k Kind) string {
	if k == KindNone {
		return "host"
	}
	return k.String()
}

func (c *compiler) badQualifier(m *Match) condID {
	what := kindName(m.Kind)
	if m.Proto != ProtoNone {
		return c.fail(m, ErrMeaning, "'"+m.Proto.String()+"' is not a qualifier of '"+what+"'")
	}
	return c.fail(m, ErrMeaning, "'"+m.ID.String()+"' is not a "+what)
}

// dotted reads two to four dotted decimal numbers up to 255, or one.
func dotted(s string) (v uint32, bits uint32, ok bool) {
	for part := range strings.SplitSeq(s, ".") {
		n := uint64(0)
		if part == "" || bits == 32 {
			return 0, 0, false
		}
		for i := 0; i < len(part); i++ {
			if !isDigit(part[i]) {
				return 0, 0, false
			}
			if n = 10*n + uint64(part[i]-'0'); n > 255 {
				return 0, 0, false
			}
		}
		v = v<<8 | uint32(n)
		bits += 8
	}
	return v, bits, true
}

// ipv4 returns the address and mask of a host or network. An address of less
// than four numbers is a network of what it leaves out; a plain number is one
// only after "net".
func (c *compiler) ipv4(m *Match, report bool) (addr, mask uint32, ok bool) {
	fail := func(msg string) (uint32, uint32, bool) {
		if report {
			c.failAt(m.ID.at, ErrMeaning, msg, "", "")
		}
		return 0, 0, false
	}
	if m.ID.Sort == IDNum {
		addr, mask = m.ID.Num, 0xffffffff
		if m.Kind == KindNet {
			for addr != 0 && addr&0xff000000 == 0 {
				addr <<= 8
				mask <<= 8
			}
		}
		return addr, mask, true
	}
	addr, bits, ok := dotted(m.ID.Text)
	if !ok {
		return fail("each number of an IPv4 address is decimal and at most 255")
	}
	addr <<= 32 - bits
	mask = 0xffffffff << (32 - bits)
	switch m.ID.Sort {
	case IDPrefix:
		if m.ID.Num > 32 {
			return fail("the prefix of an IPv4 network has at most 32 bits")
		}
		mask = uint32(uint64(0xffffffff) << (32 - m.ID.Num))
	case IDMask:
		v, bits, ok := dotted(m.ID.Mask)
		if !ok {
			return fail("each number of a netmask is decimal and at most 255")
		}
		mask = v << (32 - bits)
	}
	if addr&^mask != 0 {
		if report {
			hint := ""
			if mask|(mask-1) == 0xffffffff || mask == 0 {
				p := netip.PrefixFrom(addr4(addr&mask), 32-trailing(mask))
				hint = quote("net " + p.String())
			}
			c.failAt(m.ID.at, ErrMeaning, "the address has bits outside of the network", "", hint)
		}
		return 0, 0, false
	}
	return addr, mask, true
}

func trailing(mask uint32) int {
	n := 0
	for n < 32 && mask&(1<<n) == 0 {
		n++
	}
	return n
}

func addr4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// genNumber makes the condition of a number or an IPv4 address.
func (c *compiler) genNumber(m *Match) condID {
	if m.Proto == ProtoDECnet {
		return c.genDECnet(m)
	}
	if m.ID.Sort == IDIPv4 && (m.Kind == KindPort || m.Kind == KindPortRange || m.Kind == KindProto || m.Kind == KindProtoChain || m.Kind == KindGateway) {
		return c.failAt(m.ID.at, ErrMeaning, "an IPv4 address is not a "+kindName(m.Kind), "", quote("host "+m.ID.Text))
	}
	switch m.Kind {
	case KindNone, KindHost, KindNet:
		if m.Proto == ProtoLink {
			return c.failAt(m.ID.at, ErrMeaning, "not an Ethernet address", "six bytes in hexadecimal, as 00:11:22:33:44:55", "")
		}
		addr, mask, ok := c.ipv4(m, true)
		if !ok {
			return condFalse
		}
		return c.genHost4(m, []uint32{addr}, mask, false)
	case KindPort, KindPortRange:
		p := portProto(m.Proto)
		if p < 0 {
			return c.badQualifier(m)
		}
		if m.ID.Num > 0xffff {
			return c.failAt(m.ID.at, ErrMeaning, "a port is at most 65535", "", "")
		}
		return c.genPorts(m, []span32{{m.ID.Num, m.ID.Num}}, p)
	case KindProto:
		return c.genProto(m, m.ID.Num, m.Proto)
	case KindProtoChain:
		return c.genProtoChain(m, m.ID.Num, m.Proto)
	}
	return c.failAt(m.ID.at, ErrMeaning, "'gateway' takes the name of a host", "", "")
}

// genIPv6 makes the condition of an IPv6 address or prefix.
func (c *compiler) genIPv6(m *Match) condID {
	a, err := netip.ParseAddr(m.ID.Text)
	if err != nil {
		return c.failAt(m.ID.at, ErrMeaning, "not an IPv6 address", "", "")
	}
	if m.ID.Num > 128 {
		return c.failAt(m.ID.at, ErrMeaning, "the prefix of an IPv6 network has at most 128 bits", "", "")
	}
	w, mask := words6(a), mask6(m.ID.Num)
	if !isPrefix6(w, mask) {
		p, _ := a.Prefix(int(m.ID.Num))
		return c.failAt(m.ID.at, ErrMeaning, "the address has bits outside of the network", "", quote("net "+p.String()))
	}
	switch m.Kind {
	case KindNone, KindHost:
		if m.ID.Num != 128 {
			return c.failAt(m.ID.at, ErrMeaning, "a network is not a host", "", quote("net "+m.ID.String()))
		}
	case KindNet:
	default:
		return c.failAt(m.ID.at, ErrMeaning, "an IPv6 address is not a "+kindName(m.Kind), "", quote("host "+m.ID.Text))
	}
	return c.genHost6(m, [][4]uint32{w}, mask, false)
}

// genHost4 is the condition that one of several IPv4 addresses is an address
// of the packet: of its IPv4, ARP or RARP header.
func (c *compiler) genHost4(m *Match, addrs []uint32, mask uint32, negate bool) condID {
	return c.host4(m, m.Proto, m.Dir, addrs, mask, negate)
}

func (c *compiler) host4(n *Match, proto Proto, dir Dir, addrs []uint32, mask uint32, negate bool) condID {
	if dir > DirSrcAndDst {
		return c.fail(n, ErrMeaning, "'"+dir.String()+"' is for IEEE 802.11")
	}
	var typ, src, dst uint32
	switch proto {
	case ProtoNone:
		x := c.host4(n, ProtoIP, dir, addrs, mask, negate)
		if c.labels == 0 {
			x = c.or(x, c.host4(n, ProtoARP, dir, addrs, mask, negate))
			x = c.or(x, c.host4(n, ProtoRARP, dir, addrs, mask, negate))
		}
		return x
	case ProtoIP:
		typ, src, dst = etherIP, 12, 16
	case ProtoARP:
		typ, src, dst = etherARP, 14, 24
	case ProtoRARP:
		typ, src, dst = etherRARP, 14, 24
	default:
		return c.badQualifier(n)
	}
	t := c.linkType(n, typ)
	if t == condFalse {
		return t
	}
	one := func(off, addr uint32) condID {
		name := "destination address"
		if off == src {
			name = "source address"
		}
		return c.eqMask(c.note(c.loadPayload(4, off), name), addr, mask)
	}
	any := condFalse
	for _, a := range addrs {
		switch dirOr(dir) {
		case DirSrc:
			any = c.or(any, one(src, a))
		case DirDst:
			any = c.or(any, one(dst, a))
		case DirSrcAndDst:
			any = c.or(any, c.and(one(src, a), one(dst, a)))
		default:
			any = c.or(any, c.or(one(src, a), one(dst, a)))
		}
	}
	if negate {
		any = c.not(any)
	}
	return c.and(t, any)
}

// genHost6 is the same for IPv6 addresses.
func (c *compiler) genHost6(m *Match, addrs [][4]uint32, mask [4]uint32, negate bool) condID {
	if m.Dir > DirSrcAndDst {
		return c.fail(m, ErrMeaning, "'"+m.Dir.String()+"' is for IEEE 802.11")
	}
	if m.Proto != ProtoNone && m.Proto != ProtoIPv6 {
		return c.badQualifier(m)
	}
	t := c.linkType(m, etherIPv6)
	one := func(off uint32, a [4]uint32) condID {
		x := condTrue
		for i := range a {
			x = c.and(x, c.eqMask(c.loadPayload(4, off+4*uint32(i)), a[i], mask[i]))
		}
		return x
	}
	any := condFalse
	for _, a := range addrs {
		switch dirOr(m.Dir) {
		case DirSrc:
			any = c.or(any, one(8, a))
		case DirDst:
			any = c.or(any, one(24, a))
		case DirSrcAndDst:
			any = c.or(any, c.and(one(8, a), one(24, a)))
		default:
			any = c.or(any, c.or(one(8, a), one(24, a)))
		}
	}
	if negate {
		any = c.not(any)
	}
	return c.and(t, any)
}

// prevCheck is the condition that the Ethernet header that an encapsulation
// announces is there; condTrue if nothing needs to be asked.
func (c *compiler) prevCheck() condID {
	if c.encap && c.scoped() {
		return c.not(c.eq(c.hdr.base, 0))
	}
	if c.encap {
		// Without an inner Ethernet header its two ends are one place.
		c.used |= c.vals.at(c.hdr.base).regs | c.vals.at(c.payload.base).regs
		return c.not(c.add(cond{kind: condTestX, op: jmpJEQ, a: c.hdr.base, x: c.payload.base}))
	}
	if c.prev == link.TypeSunATM && c.link == link.TypeEthernet {
		// LAN emulation control frames.
		return c.not(c.eq(c.loadAt(c.prevHdr, 2, atmPayload), 0xff00))
	}
	return condTrue
}

// genMACs is the condition that one of several Ethernet addresses is an
// address of the frame.
func (c *compiler) genMACs(n Node, dir Dir, macs []link.MacAddr, what string) condID {
	check := condTrue
	var src, dst uint32
	switch c.link {
	case link.TypeEthernet, link.TypeNetAnalyzer, link.TypeNetAnalyzerTransparent, link.TypeDSATagBRCM, link.TypeDSATagDSA:
		check = c.prevCheck()
		src, dst = 6, 0
	case link.TypeFDDI:
		src, dst = 7, 1
	case link.TypeIEEE8025:
		src, dst = 8, 2
	case link.TypeIPOverFC:
		src, dst = 10, 2
	default:
		if is80211(c.link) {
			x := condFalse
			for _, m := range macs {
				x = c.or(x, c.wlanHost(dir, m))
			}
			return x
		}
		return c.fail(n, ErrUnsupportedLink, "link type "+c.link.String()+" has no Ethernet addresses")
	}
	if dir > DirSrcAndDst {
		return c.fail(n, ErrMeaning, "'"+dir.String()+"' is for IEEE 802.11")
	}
	words := make([][]uint32, len(macs))
	for i, m := range macs {
		words[i] = []uint32{binary.BigEndian.Uint32(m[2:]), uint32(binary.BigEndian.Uint16(m[:]))}
	}
	place := func(off uint32, words [][]uint32) condID {
		return c.inTuples([]valID{c.loadHdr(4, off+2), c.loadHdr(2, off)}, words)
	}
	switch dirOr(dir) {
	case DirSrc:
		return c.and(check, place(src, words))
	case DirDst:
		return c.and(check, place(dst, words))
	case DirSrcAndDst:
		return c.and(check, c.and(place(src, words), place(dst, words)))
	}
	return c.and(check, c.or(place(src, words), place(dst, words)))
}

// mac is the condition that an address stands at an offset of the link header.
func (c *compiler) mac(off uint32, m link.MacAddr) condID {
	return c.and(c.eq(c.loadHdr(4, off+2), binary.BigEndian.Uint32(m[2:])), c.eq(c.loadHdr(2, off), uint32(binary.BigEndian.Uint16(m[:]))))
}

// wlanHost is the condition that an address of an IEEE 802.11 frame is m,
// where the addresses change places with the direction.
func (c *compiler) wlanHost(dir Dir, m link.MacAddr) condID {
	fc0, fc1 := c.loadHdr(1, 0), c.loadHdr(1, 1)
	set := func(v valID, k uint32) condID { return c.is(jmpJSET, v, k) }
	clear := func(v valID, k uint32) condID { return c.not(c.is(jmpJSET, v, k)) }
	addr1 := func() condID { return c.mac(4, m) }
	addr2 := func() condID { return c.mac(10, m) }
	addr3 := func() condID { return c.mac(16, m) }
	addr4 := func() condID { return c.mac(24, m) }
	notCtl := func() condID { return c.not(c.eqMask(fc0, wlanCtl, wlanTypeMask)) }
	// CTS and ACK have no second address.
	hasTA := func() condID {
		return c.or(notCtl(), c.and(c.not(c.eqMask(fc0, wlanSubtypeCTS, wlanSubtypeMask)), c.not(c.eqMask(fc0, wlanSubtypeACK, wlanSubtypeMask))))
	}
	switch dir {
	case DirSrc:
		fromDS := c.and(set(fc1, wlanFromDS), c.or(c.and(clear(fc1, wlanToDS), addr3()), c.and(set(fc1, wlanToDS), addr4())))
		data := c.and(set(fc0, wlanData), c.or(c.and(clear(fc1, wlanFromDS), addr2()), fromDS))
		return c.and(clear(fc0, wlanCtl), c.or(c.and(clear(fc0, wlanData), addr2()), data))
	case DirDst:
		data := c.and(set(fc0, wlanData), c.or(c.and(clear(fc1, wlanToDS), addr1()), c.and(set(fc1, wlanToDS), addr3())))
		return c.and(clear(fc0, wlanCtl), c.or(c.and(clear(fc0, wlanData), addr1()), data))
	case DirSrcAndDst:
		return c.and(c.wlanHost(DirSrc, m), c.wlanHost(DirDst, m))
	case DirAddr1:
		return addr1()
	case DirAddr2:
		return c.and(hasTA(), addr2())
	case DirAddr3:
		return c.and(notCtl(), addr3())
	case DirAddr4:
		return c.and(c.eqMask(fc1, wlanDirMask, wlanDirMask), addr4())
	case DirRA:
		return c.and(set(fc0, wlanData), addr1())
	case DirTA:
		return c.and(c.and(set(fc0, wlanData), hasTA()), addr2())
	}
	return c.or(c.wlanHost(DirSrc, m), c.wlanHost(DirDst, m))
}

// genByteAddr is the condition that an address of an ARCNET or BACnet MS/TP
// frame, which is one byte, is v.
func (c *compiler) genByteAddr(n Node, dir Dir, v uint32) condID {
	var srcOff, dstOff uint32
	switch c.link {
	case link.TypeARCNETBSD, link.TypeARCNETLinux:
		srcOff, dstOff = 0, 1
	case link.TypeBACnetMSTP:
		srcOff, dstOff = 4, 3
	default:
		return c.fail(n, ErrUnsupportedLink, "link type "+c.link.String()+" has no ARCNET addresses")
	}
	src := func() condID { return c.eq(c.loadHdr(1, srcOff), v) }
	dst := func() condID { return c.eq(c.loadHdr(1, dstOff), v) }
	switch dirOr(dir) {
	case DirSrc:
		return src()
	case DirDst:
		return dst()
	case DirSrcAndDst:
		return c.and(src(), dst())
	}
	return c.or(src(), dst())
}

// genDECnet is the condition of a DECnet address: area.node.
func (c *compiler) genDECnet(m *Match) condID {
	if m.Dir > DirSrcAndDst {
		return c.fail(m, ErrMeaning, "'"+m.Dir.String()+"' is for IEEE 802.11")
	}
	if m.Kind != KindNone && m.Kind != KindHost {
		return c.badQualifier(m)
	}
	area, node, ok := strings.Cut(m.ID.Text, ".")
	a, errA := strconv.ParseUint(area, 10, 16)
	b, errB := strconv.ParseUint(node, 10, 16)
	if m.ID.Sort != IDIPv4 || !ok || errA != nil || errB != nil || a > 63 || b > 1023 {
		return c.failAt(m.ID.at, ErrMeaning, "not a DECnet address", "an area up to 63 and a node up to 1023, as 1.2", "")
	}
	addr := uint32(a<<10 | b)
	swapped := addr>>8 | addr&0xff<<8
	typ := c.linkType(m, etherDECnet)
	// A routing header after the length, with or without padding before it:
	// long and short forms.
	host := func(long, short uint32) condID {
		p := func(size uint8, off uint32) valID { return c.loadPayload(size, off) }
		longPad := c.and(c.eqMask(p(2, 2), 0x8106, 0xff07), c.eq(p(2, 3+long), swapped))
		longBare := c.and(c.eqMask(p(1, 2), 0x06, 0x07), c.eq(p(2, 2+long), swapped))
		shortPad := c.and(c.eqMask(p(2, 2), 0x8102, 0xff07), c.eq(p(2, 3+short), swapped))
		shortBare := c.and(c.eqMask(p(1, 2), 0x02, 0x07), c.eq(p(2, 2+short), swapped))
		return c.or(shortBare, c.or(shortPad, c.or(longBare, longPad)))
	}
	src := func() condID { return host(15, 3) }
	dst := func() condID { return host(7, 1) }
	switch dirOr(m.Dir) {
	case DirSrc:
		return c.and(typ, src())
	case DirDst:
		return c.and(typ, dst())
	case DirSrcAndDst:
		return c.and(typ, c.and(src(), dst()))
	}
	return c.and(typ, c.or(src(), dst()))
}

// portProto returns the IP protocol of a qualifier of a port, 0 for any, -1
// for one that has no ports.
func portProto(p Proto) int {
	switch p {
	case ProtoNone:
		return 0
	case ProtoTCP:
		return ipTCP
	case ProtoUDP:
		return ipUDP
	case ProtoSCTP:
		return ipSCTP
	}
	return -1
}

// literalPorts returns the ports of a port or range that has no names.
func (c *compiler) literalPorts(m *Match) (span32, bool) {
	if portProto(m.Proto) < 0 {
		return span32{}, false
	}
	switch m.ID.Sort {
	case IDNum:
		return span32{m.ID.Num, m.ID.Num}, m.ID.Num <= 0xffff
	case IDName:
		a, b, ok := strings.Cut(m.ID.Text, "-")
		if !ok || m.Kind != KindPortRange {
			return span32{}, false
		}
		lo, e1 := parseNumber(a)
		hi, e2 := parseNumber(b)
		if a == "" || b == "" || e1 != "" || e2 != "" || lo > 0xffff || hi > 0xffff {
			return span32{}, false
		}
		return span32{min(lo, hi), max(lo, hi)}, true
	}
	return span32{}, false
}

// genPorts is the condition that a port of the packet is in a set; proto is 0
// for TCP, UDP and SCTP.
func (c *compiler) genPorts(m *Match, ports []span32, proto int) condID {
	if proto < 0 {
		return c.badQualifier(m)
	}
	if m.Dir > DirSrcAndDst {
		return c.fail(m, ErrMeaning, "'"+m.Dir.String()+"' is for IEEE 802.11")
	}
	is := func(v valID) condID {
		c.note(v, "the IP protocol")
		if proto != 0 {
			return c.eq(v, uint32(proto))
		}
		return c.in(v, []span32{{ipTCP, ipTCP}, {ipUDP, ipUDP}, {ipSCTP, ipSCTP}})
	}
	set := ports
	if c.scoped() {
		protos := []span32{{ipTCP, ipTCP}, {ipUDP, ipUDP}, {ipSCTP, ipSCTP}}
		if proto != 0 {
			protos = []span32{{uint32(proto), uint32(proto)}}
		}
		tran := c.at(c.scope.tran)
		return c.and(c.transportHeader(m, protos), c.either(m.Dir,
			func() valID { return c.note(c.loadAt(tran, 2, 0), "source port") }, func() valID { return c.note(c.loadAt(tran, 2, 2), "destination port") }, set, hasRanges(set)))
	}
	typ6 := c.linkType(m, etherIPv6)
	six := c.and(typ6, c.and(is(c.loadPayload(1, 6)), c.either(m.Dir,
		func() valID { return c.note(c.loadTran6(2, 0), "source port") }, func() valID { return c.note(c.loadTran6(2, 2), "destination port") }, set, hasRanges(set))))
	typ4 := c.linkType(m, etherIP)
	four := c.and(typ4, c.and(c.and(is(c.loadPayload(1, 9)), c.firstFragment()), c.either(m.Dir,
		func() valID { return c.note(c.loadTran4(2, 0), "source port") }, func() valID { return c.note(c.loadTran4(2, 2), "destination port") }, set, hasRanges(set))))
	return c.or(six, four)
}

// firstFragment is the condition that an IPv4 packet is not a fragment, or the
// first one.
func (c *compiler) firstFragment() condID {
	return c.not(c.is(jmpJSET, c.note(c.loadPayload(2, 6), "fragment offset"), 0x1fff))
}

// lookupError turns a resolver's error into ours.
func (c *compiler) lookupError(m *Match, err error, what string) condID {
	if isUnknown(err) {
		e := &Error{Expr: c.expr, Pos: m.ID.at.Start, End: m.ID.at.End, Msg: "unknown " + what + " " + quote(m.ID.Text), Err: ErrUnknownName}
		if c.err == nil {
			c.err = e
		}
		return condFalse
	}
	return c.failAt(m.ID.at, err, "looking up "+what+" "+quote(m.ID.Text)+": "+err.Error(), "", "")
}

// genName makes the condition of a name.
func (c *compiler) genName(m *Match) condID {
	if m.Proto == ProtoDECnet {
		return c.badQualifier(m)
	}
	name := m.ID.Text
	switch m.Kind {
	case KindNet:
		p, err := c.opts.Resolver.LookupNetwork(c.ctx, name)
		if err != nil {
			return c.lookupError(m, err, "network")
		}
		if !p.IsValid() || !p.Addr().Is4() {
			return c.lookupError(m, ErrUnknownName, "network")
		}
		p = p.Masked()
		a := p.Addr().As4()
		return c.genHost4(m, []uint32{binary.BigEndian.Uint32(a[:])}, uint32(uint64(0xffffffff)<<(32-p.Bits())), false)
	case KindNone, KindHost:
		if m.Proto == ProtoLink {
			a, err := c.lookupMAC(m)
			if err != nil {
				return c.lookupError(m, err, "Ethernet host")
			}
			return c.genMACs(m, m.Dir, []link.MacAddr{a}, "host")
		}
		return c.genHostName(m, m.Proto, true, false)
	case KindGateway:
		return c.genGateway(m)
	case KindPort:
		proto := portProto(m.Proto)
		if proto < 0 {
			return c.badQualifier(m)
		}
		port, real, ok := c.service(m, name)
		if !ok {
			return condFalse
		}
		return c.namedPort(m, span32{port, port}, proto, real)
	case KindPortRange:
		proto := portProto(m.Proto)
		if proto < 0 {
			return c.badQualifier(m)
		}
		a, b, ok := strings.Cut(name, "-")
		if !ok || a == "" || b == "" || strings.Contains(b, "-") {
			return c.failAt(m.ID.at, ErrMeaning, "not a range of ports", "two ports with '-' between, as 1024-2047", "")
		}
		lo, p1, ok := c.portOrService(m, a)
		if !ok {
			return condFalse
		}
		hi, p2, ok := c.portOrService(m, b)
		if !ok {
			return condFalse
		}
		if p1 != p2 {
			p1 = 0
		}
		return c.namedPort(m, span32{min(lo, hi), max(lo, hi)}, proto, p1)
	case KindProto, KindProtoChain:
		v, ok := c.protoNumber(m, name)
		if !ok {
			return condFalse
		}
		if m.Kind == KindProto {
			return c.genProto(m, v, m.Proto)
		}
		return c.genProtoChain(m, v, m.Proto)
	}
	return c.badQualifier(m)
}

// namedPort checks that a service is one of the qualifier's protocol.
func (c *compiler) namedPort(m *Match, p span32, proto, real int) condID {
	if proto != 0 && real != 0 && proto != real {
		name := "tcp"
		if real == ipUDP {
			name = "udp"
		}
		return c.failAt(m.ID.at, ErrMeaning, "port "+quote(m.ID.Text)+" is one of "+name, "", "")
	}
	if proto == 0 {
		proto = real
	}
	return c.genPorts(m, []span32{p}, proto)
}

// portOrService reads one end of a range.
func (c *compiler) portOrService(m *Match, s string) (port uint32, proto int, ok bool) {
	if numberLen(s) == len(s) {
		v, err := parseNumber(s)
		if err == "" {
			if v > 0xffff {
				c.failAt(m.ID.at, ErrMeaning, "a port is at most 65535", "", "")
				return 0, 0, false
			}
			return v, 0, true
		}
	}
	return c.service(m, s)
}

// service looks a service up; proto is 0 if it is of TCP and UDP.
func (c *compiler) service(m *Match, name string) (port uint32, proto int, ok bool) {
	// "\80" is the port, as to libpcap.
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint32(n), 0, true
	}
	tcp, err := c.opts.Resolver.LookupPort(c.ctx, "tcp", name)
	if err != nil && !isUnknown(err) {
		c.lookupError(m, err, "port")
		return 0, 0, false
	}
	udp, err2 := c.opts.Resolver.LookupPort(c.ctx, "udp", name)
	if err2 != nil && !isUnknown(err2) {
		c.lookupError(m, err2, "port")
		return 0, 0, false
	}
	switch {
	case err == nil && err2 == nil && tcp == udp:
		return uint32(tcp), 0, true
	case err == nil:
		return uint32(tcp), ipTCP, true
	case err2 == nil:
		return uint32(udp), ipUDP, true
	}
	c.lookupError(m, ErrUnknownName, "port")
	return 0, 0, false
}

func (c *compiler) lookupMAC(m *Match) (link.MacAddr, error) {
	if !isEthernet(c.link) && c.link != link.TypeFDDI && c.link != link.TypeIEEE8025 && c.link != link.TypeIPOverFC && !is80211(c.link) {
		c.fail(m, ErrUnsupportedLink, "link type "+c.link.String()+" has no Ethernet addresses")
		return link.MacAddr{}, ErrUnknownName
	}
	return c.opts.Resolver.LookupMAC(c.ctx, m.ID.Text)
}

// genHostName is the condition of the addresses of a name.
func (c *compiler) genHostName(m *Match, proto Proto, with6, negate bool) condID {
	addrs, err := c.opts.Resolver.LookupHost(c.ctx, m.ID.Text)
	if err != nil {
		return c.lookupError(m, err, "host")
	}
	var v4 []uint32
	var v6 [][4]uint32
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			b := a.As4()
			v4 = append(v4, binary.BigEndian.Uint32(b[:]))
		} else if a.Is6() {
			v6 = append(v6, words6(a))
		}
	}
	slices.Sort(v4)
	slices.SortFunc(v6, func(a, b [4]uint32) int { return slices.Compare(a[:], b[:]) })
	v4, v6 = slices.Compact(v4), slices.Compact(v6)
	if len(v4) > 100 || len(v6) > 100 {
		return c.failAt(m.ID.at, ErrMeaning, "the name has more than 100 addresses", "", "")
	}
	out, found := condFalse, false
	if proto != ProtoIPv6 && len(v4) > 0 {
		out, found = c.host4(m, proto, m.Dir, v4, 0xffffffff, negate), true
	}
	if with6 && proto != ProtoARP && proto != ProtoIP && proto != ProtoRARP && len(v6) > 0 {
		found = true
		out = c.or(out, c.genHost6(m, v6, [4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, negate))
	}
	if !found {
		return c.lookupError(m, ErrUnknownName, "host")
	}
	return out
}

// genGateway is the condition that a host forwarded the packet: its Ethernet
// address is in the frame and its IP address is not in the packet.
func (c *compiler) genGateway(m *Match) condID {
	switch m.Proto {
	case ProtoNone, ProtoIP, ProtoARP, ProtoRARP:
	default:
		return c.badQualifier(m)
	}
	if c.labels > 0 || c.encap {
		return c.fail(m, ErrMeaning, "'gateway' has no meaning within an encapsulation")
	}
	a, err := c.lookupMAC(m)
	if err != nil {
		return c.lookupError(m, err, "Ethernet host")
	}
	return c.and(c.genMACs(m, DirSrcOrDst, []link.MacAddr{a}, "gateway"), c.genHostName(m, m.Proto, false, true))
}

// protoNumber returns the number of a name after "proto".
func (c *compiler) protoNumber(m *Match, name string) (uint32, bool) {
	switch m.Proto {
	case ProtoNone, ProtoIP, ProtoIPv6:
		v, err := c.opts.Resolver.LookupProtocol(c.ctx, name)
		if err != nil {
			c.lookupError(m, err, "protocol")
			return 0, false
		}
		return uint32(v), true
	case ProtoLink:
		if v, ok := etherProto(name); ok {
			return v, true
		}
	case ProtoISO:
		switch name {
		case "esis":
			return nlpidESIS, true
		case "isis":
			return nlpidISIS, true
		case "clnp":
			return nlpidCLNP, true
		}
	}
	c.lookupError(m, ErrUnknownName, "protocol")
	return 0, false
}

// genProto is the condition that a protocol carries protocol v.
func (c *compiler) genProto(n Node, v uint32, proto Proto) condID {
	switch proto {
	case ProtoNone:
		if c.scoped() && v <= 0xff && !isExtension(v) {
			return c.transportIs(n, v)
		}
		return c.or(c.genProto(n, v, ProtoIP), c.genProto(n, v, ProtoIPv6))
	case ProtoLink:
		return c.linkType(n, v)
	case ProtoIP:
		if !c.checkMax(n, "protocol number", v, 0xff) {
			return condFalse
		}
		return c.and(c.linkType(n, etherIP), c.eq(c.note(c.loadPayload(1, 9), "the IP protocol"), v))
	case ProtoIPv6:
		if !c.checkMax(n, "protocol number", v, 0xff) {
			return condFalse
		}
		if c.scoped() {
			return c.scopedProto6(n, v)
		}
		typ := c.linkType(n, etherIPv6)
		next := c.note(c.loadPayload(1, 6), "the next header")
		return c.and(typ, c.or(c.eq(next, v), c.and(c.eq(next, ipFragment), c.eq(c.loadPayload(1, ip6HeaderLen), v))))
	case ProtoISO:
		if !c.checkMax(n, "ISO protocol", v, 0xff) {
			return condFalse
		}
		switch c.link {
		case link.TypeFRelay:
			return c.nlpid(v)
		case link.TypeCHDLC, link.TypeNetBSDHDLC:
			return c.and(c.linkType(n, sapISO<<8|sapISO), c.eq(c.loadNoSnap(1, 1), v))
		}
		return c.and(c.linkType(n, sapISO), c.eq(c.loadNoSnap(1, 0), v))
	case ProtoISIS:
		if !c.checkMax(n, "IS-IS PDU type", v, 0x1f) {
			return condFalse
		}
		off := uint32(4)
		if c.link == link.TypeCHDLC || c.link == link.TypeNetBSDHDLC {
			off = 5
		}
		return c.and(c.genProto(n, nlpidISIS, ProtoISO), c.eqMask(c.loadNoSnap(1, off), v, 0x1f))
	}
	return c.fail(n, ErrMeaning, "'"+proto.String()+"' is not a qualifier of 'proto'")
}

// IS-IS PDU types, ISO/IEC 10589.
const (
	isisL1IIH  = 15
	isisL2IIH  = 16
	isisPtPIIH = 17
	isisL1LSP  = 18
	isisL2LSP  = 20
	isisL1CSNP = 24
	isisL2CSNP = 25
	isisL1PSNP = 26
	isisL2PSNP = 27
)

// genAbbrev is the condition of a protocol that stands alone.
func (c *compiler) genAbbrev(n Node, p Proto) condID {
	pdus := func(types ...uint32) condID {
		x := condFalse
		for i := len(types) - 1; i >= 0; i-- {
			x = c.or(x, c.genProto(n, types[i], ProtoISIS))
		}
		return x
	}
	switch p {
	case ProtoTCP:
		return c.genProto(n, ipTCP, ProtoNone)
	case ProtoUDP:
		return c.genProto(n, ipUDP, ProtoNone)
	case ProtoSCTP:
		return c.genProto(n, ipSCTP, ProtoNone)
	case ProtoAH:
		return c.genProto(n, ipAH, ProtoNone)
	case ProtoESP:
		return c.genProto(n, ipESP, ProtoNone)
	case ProtoPIM:
		return c.genProto(n, ipPIM, ProtoNone)
	case ProtoICMP:
		return c.genProto(n, ipICMP, ProtoIP)
	case ProtoIGMP:
		return c.genProto(n, ipIGMP, ProtoIP)
	case ProtoIGRP:
		return c.genProto(n, ipIGRP, ProtoIP)
	case ProtoVRRP, ProtoCARP:
		return c.genProto(n, ipVRRP, ProtoIP)
	case ProtoICMPv6:
		return c.genProto(n, ipICMPv6, ProtoIPv6)
	case ProtoIP:
		return c.linkType(n, etherIP)
	case ProtoARP:
		return c.linkType(n, etherARP)
	case ProtoRARP:
		return c.linkType(n, etherRARP)
	case ProtoATalk:
		return c.linkType(n, etherATalk)
	case ProtoAARP:
		return c.linkType(n, etherAARP)
	case ProtoDECnet:
		return c.linkType(n, etherDECnet)
	case ProtoSCA:
		return c.linkType(n, etherSCA)
	case ProtoLAT:
		return c.linkType(n, etherLAT)
	case ProtoMOPDL:
		return c.linkType(n, etherMOPDL)
	case ProtoMOPRC:
		return c.linkType(n, etherMOPRC)
	case ProtoIPv6:
		return c.linkType(n, etherIPv6)
	case ProtoISO:
		return c.linkType(n, sapISO)
	case ProtoSTP:
		return c.linkType(n, sapSTP)
	case ProtoIPX:
		return c.linkType(n, sapIPX)
	case ProtoNetBEUI:
		return c.linkType(n, sapNetBEUI)
	case ProtoESIS:
		return c.genProto(n, nlpidESIS, ProtoISO)
	case ProtoISIS:
		return c.genProto(n, nlpidISIS, ProtoISO)
	case ProtoCLNP:
		return c.genProto(n, nlpidCLNP, ProtoISO)
	case ProtoL1:
		return pdus(isisL1IIH, isisPtPIIH, isisL1LSP, isisL1CSNP, isisL1PSNP)
	case ProtoL2:
		return pdus(isisL2IIH, isisPtPIIH, isisL2LSP, isisL2CSNP, isisL2PSNP)
	case ProtoIIH:
		return pdus(isisL1IIH, isisL2IIH, isisPtPIIH)
	case ProtoLSP:
		return pdus(isisL1LSP, isisL2LSP)
	case ProtoSNP:
		return pdus(isisL1CSNP, isisL2CSNP, isisL1PSNP, isisL2PSNP)
	case ProtoCSNP:
		return pdus(isisL1CSNP, isisL2CSNP)
	case ProtoPSNP:
		return pdus(isisL1PSNP, isisL2PSNP)
	}
	return c.fail(n, ErrMeaning, "'"+p.String()+"' cannot stand alone")
}

// chainSteps is how many headers "protochain" follows. libpcap follows them in
// a loop without end, which the kernel does not take.
const chainSteps = 12

// genProtoChain is the condition that a packet has a protocol in its chain of
// headers. It follows hop-by-hop, destination, routing, fragment and
// authentication headers.
func (c *compiler) genProtoChain(n Node, v uint32, proto Proto) condID {
	switch proto {
	case ProtoNone:
		return c.or(c.genProtoChain(n, v, ProtoIP), c.genProtoChain(n, v, ProtoIPv6))
	case ProtoIP, ProtoIPv6:
	default:
		return c.fail(n, ErrMeaning, "'"+proto.String()+"' is not a qualifier of 'protochain'")
	}
	if !c.checkMax(n, "protocol number", v, 0xff) {
		return condFalse
	}
	if c.payload.base != 0 && !c.scoped() {
		return c.fail(n, ErrUnsupportedLink, "'protochain' cannot be used behind headers of variable length")
	}
	six := proto == ProtoIPv6
	typ, first, start := uint32(etherIP), c.loadPayload(1, 9), valID(0)
	if six {
		typ, first, start = etherIPv6, c.loadPayload(1, 6), c.ip6End()
	} else {
		start = c.ip4Len()
	}
	regs := [2]int{c.newReg(n), c.newReg(n)}
	chain := &headerChain{regs: regs, first: first, start: start, at: c.payload.k + c.nl, proto: v, six: six}
	return c.and(c.linkType(n, typ), c.made(chain))
}

// headerChain makes the nodes of [compiler.genProtoChain].
type headerChain struct {
	regs  [2]int // in regs[i%2] is where header i begins; its protocol is in the header before it
	first valID  // the first header's protocol
	start valID  // and where it begins
	at    uint32 // what is added to these places
	proto uint32 // what is looked for
	six   bool   // in IPv6
}

// followChain makes the nodes from the last header to the first.
func (c *compiler) followChain(m *headerChain, t, f nodeID) nodeID {
	next := f
	for i := chainSteps - 1; i >= 0; i-- {
		here, after := c.mem(m.regs[i%2]), m.regs[(i+1)%2]
		kind := m.first
		if i > 0 {
			kind = c.load(1, c.mem(after), m.at)
		}
		skip := func(extra, unit uint32) nodeID {
			length := c.alu(aluMul, c.alu(aluAdd, c.load(1, here, m.at+1), c.constant(extra)), c.constant(unit))
			return c.store(after, c.alu(aluAdd, length, here), next)
		}
		if i == chainSteps-1 {
			next = c.test(jmpJEQ, kind, m.proto, t, f)
			continue
		}
		step := c.test(jmpJEQ, kind, ipAH, skip(2, 4), f)
		if m.six {
			header := skip(1, 8)
			for _, k := range []uint32{ipFragment, ipRouting, ipDstOpts, ipHopOpts} {
				step = c.test(jmpJEQ, kind, k, header, step)
			}
		}
		next = c.test(jmpJEQ, kind, m.proto, t, c.test(jmpJEQ, kind, ipNoNext, f, step))
	}
	return c.store(m.regs[0], m.start, next)
}
