package sequence

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"slices"
	"time"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/pkts"
)

// mptcpID is a TCP connection.
type mptcpID struct{ stream, tunnel uint64 }

// mptcpToken names a joined connection to one of its ends.
type mptcpToken struct {
	token  uint32
	tunnel uint64
}

const (
	// mptcpMaps is how many mappings a direction of a subflow may have that
	// are not used up. Each is a stretch of both sequences; those that follow
	// each other are one.
	mptcpMaps = 1024
	// mptcpSubflows is how many subflows a connection may have at a time, and
	// mptcpNumbers how many are remembered.
	mptcpSubflows = 64
	mptcpNumbers  = 256
	// mptcpEarlySubs is how many subflows may wait for keys, and mptcpPatience for
	// how long: reordering in a capture, such as of two interfaces, is shorter.
	mptcpEarlySubs = 64
	mptcpPatience  = int64(3 * time.Second)
	// mptcpEarlyDSS is how many signals may wait with one, in each direction.
	mptcpEarlyDSS = 64
)

// mptcpConn is a joined connection.
type mptcpConn struct {
	slot     int32 // in MPTCP.data
	key      tcpKey
	tunnel   uint64
	fwd      uint8 // the side whose direction is Forward
	version  uint8
	checks   bool // mappings have checksums
	failed   bool // there was an MP_FAIL that did not end its subflow
	fallback bool
	gone     bool
	token    [2]uint32 // by the Direction of who has the key
	keys     [2]uint64
	zero     [2]uint64 // the data sequence number of offset 0
	// ack and edge are the highest DATA_ACK of each side, and the right edge of
	// its window, when acked is set.
	ack, edge [2]uint32
	acked     [2]bool
	subs      []*mptcpSub // those that are open
	numbers   []uint64    // of all
}

// How far a subflow has come.
const (
	mptcpAsked    = iota // its SYN was seen
	mptcpAnswered        // and the answer
	mptcpJoined          // it belongs to conn
)

// mptcpSub is a subflow, or a connection that may become one.
type mptcpSub struct {
	id      mptcpID
	state   uint8
	first   bool // it began with MP_CAPABLE
	version uint8
	checks  bool      // MP_CAPABLE asks for checksums
	flip    Direction // what its Forward is in conn
	conn    *mptcpConn
	early   *mptcpJoining // what an MP_JOIN has said whose token nobody has
	tcp     *tcpConn      // nil when it was forgotten
	keys    [2]uint64     // MP_CAPABLE
	nonces  [2]uint32     // MP_JOIN
	syn     uint32        // bytes of data that the SYN had
	dirs    [2]mptcpDir

	cost       int64     // of what dirs have
	prev, next *mptcpSub // among the holders
	listed     bool
}

// mptcpJoining is what is to be verified when the keys are known.
type mptcpJoining struct {
	token    uint32
	at       int64 // when it began
	answer   [8]byte
	third    [20]byte
	hasThird bool
	taken    bool // who answered has sent a signal
}

// mptcpDir is one direction of a subflow. Offsets are those of its stream, the
// data sequence numbers have 64 bits.
type mptcpDir struct {
	maps   []mptcpMap // sorted, without overlaps; what lies before head is used up
	head   int
	held   []Chunk // what waits, in order; the first one may have been placed in part
	bytes  int     // of held
	off    uint64  // behind what was placed or given up
	early  []mptcpEarly
	mapped bool // there was a mapping
	bad    bool // what waits first is of a mapping with a wrong checksum
	// signaled and bare say that who sends has sent a DSS, and an
	// acknowledgment of data without any option.
	signaled, bare bool
	// last is what the mapping says that ends last: an infinite one goes on
	// from there.
	last     mptcpMap
	infinite bool
}

func (d *mptcpDir) waits() bool { return len(d.held) > 0 }

// mptcpMap says that the bytes [off, end) have the data sequence numbers from dsn on.
type mptcpMap struct {
	off, end, dsn uint64
	sum           uint16 // of what the checksum covers, and it, without the bytes
	check         mptcpCheck
}

// mptcpCheck is what is known of the checksum of a mapping.
type mptcpCheck uint8

const (
	mptcpBelieved mptcpCheck = iota // it is right, or there is none that could be verified
	mptcpUnknown
	mptcpWrong
)

// behind returns the data sequence number behind a mapping.
func (x *mptcpMap) behind() uint64 { return x.dsn + (x.end - x.off) }

// goesOn reports whether a mapping says of what follows x what n says.
func (x *mptcpMap) goesOn(n *mptcpMap) bool { return x.end == n.off && x.behind() == n.dsn }

// mptcpEarly is a signal of a subflow that has not joined.
type mptcpEarly struct {
	off uint64 // where the first byte that it maps is
	x   pkts.MPTCPOption
}

const (
	mptcpMapCost   = 32
	mptcpHeldCost  = 192
	mptcpEarlyCost = 240
)

// What becomes of bytes that cannot be placed.
const (
	mptcpWait   = iota // they wait
	mptcpGiveUp        // nobody waits any longer
	mptcpEnded         // nor does the receiver: the subflow is over
)

// mptcpSignal is what a segment says of the level of the data, and has to wait
// until the bytes that TCP gives with it were taken.
type mptcpSignal struct {
	sub   *mptcpSub
	dir   Direction // of the data that the sender of the segment sends
	seen  Seen
	reset bool
}

// segment is told of a segment that TCP has taken.
func (m *MPTCP) segment(c *tcpConn, k *tcpKey, side int, s *tcpSegment) {
	told := mptcpAny(s.opts)
	if !told && len(m.subs) == 0 {
		return
	}
	id := mptcpID{c.stream, k.tunnel}
	sub := m.subs[id]
	if sub == nil && !told {
		return
	}
	var o mptcpOptions
	if told {
		o.parse(s.opts)
	}
	from := Direction(uint8(side) ^ c.fwd)
	if sub == nil {
		// Nothing of the connection may be out: its SYN comes first.
		if s.flags&(pkts.TCPSyn|pkts.TCPAck|pkts.TCPRst) == pkts.TCPSyn && from == Forward && c.half[side].packets == 1 && c.half[side^1].flags&tcpSeen == 0 {
			m.ask(id, c, s, &o)
		}
		return
	}
	if sub.state != mptcpJoined && (!m.handshake(sub, c, k, from, s, &o) || m.subs[id] != sub) {
		return
	}
	h := &c.half[side]
	if h.flags&tcpMidway != 0 {
		return // nobody knows where its numbers begin
	}
	d := &sub.dirs[from]
	switch {
	case o.is(pkts.MPTCPDSS):
		d.signaled = true
	case !told && s.flags&(pkts.TCPSyn|pkts.TCPRst|pkts.TCPAck) == pkts.TCPAck:
		p := &c.half[side^1]
		n := uint32(1)
		if from == Backward {
			n += sub.syn
		}
		d.bare = d.bare || p.flags&tcpMidway == 0 && int32(s.ack-p.isn-n) > 0
	}
	m.mappings(sub, h, from, s, &o)
	if sub.state == mptcpJoined && !sub.conn.gone {
		// Nor is it quiet when a subflow has nothing but keep-alives.
		m.data.conns.at(sub.conn.slot).conn.last = m.data.clock
		m.signals(sub, h, from, s, &o)
	}
}

func (o *mptcpOptions) is(t pkts.MPTCPSubtype) bool { return o.has&(1<<t) != 0 }

// ask takes the SYN of what may become a subflow.
func (m *MPTCP) ask(id mptcpID, c *tcpConn, s *tcpSegment, o *mptcpOptions) {
	sub := &mptcpSub{id: id, tcp: c, syn: s.wire}
	switch {
	case o.is(pkts.MPTCPCapable) && o.capable.Version <= 1 && o.capable.Flags.Has(pkts.MPTCPHMACSHA256):
		sub.first, sub.version = true, o.capable.Version
		sub.checks = o.capable.Flags.Has(pkts.MPTCPChecksumRequired)
		sub.keys[Forward] = o.capable.SenderKey // version 0
	case o.is(pkts.MPTCPJoin) && len(o.join.HMAC) == 0:
		sub.nonces[Forward] = o.join.Nonce
		if conn := m.tokens[mptcpToken{o.join.Token, id.tunnel}]; conn != nil {
			sub.belong(conn, o.join.Token)
		} else {
			sub.early = &mptcpJoining{token: o.join.Token, at: m.data.clock}
			m.await(sub)
		}
	default:
		return
	}
	m.subs[id] = sub
}

// belong makes a connection the one that a subflow wants to join.
func (sub *mptcpSub) belong(c *mptcpConn, token uint32) {
	sub.conn = c
	if c.token[Backward] != token {
		sub.flip = Backward // the one who was connected to opens it
	}
}

// await lets a subflow wait for the keys.
func (m *MPTCP) await(sub *mptcpSub) {
	if len(m.early) >= mptcpEarlySubs {
		m.plain(m.early[0].id, m.early[0])
	}
	if len(m.early) == 0 {
		m.earlyAt = sub.early.at + mptcpPatience
	}
	m.early = append(m.early, sub)
}

// expireEarly makes connections of what has waited for keys for too long.
func (m *MPTCP) expireEarly() {
	now := m.data.clock
	next := now + mptcpPatience
	for i := 0; i < len(m.early); {
		sub := m.early[i]
		switch at := sub.early.at + mptcpPatience; {
		case at >= now:
			next = min(next, at)
		case m.expected[mptcpToken{sub.early.token, sub.id.tunnel}] != nil:
			next = min(next, now+mptcpPatience/16) // looked at again
		default:
			m.plain(sub.id, sub) // no longer one of them
			continue
		}
		i++
	}
	m.earlyAt = next
}

// adopt lets those join that have waited for the keys of a connection.
func (m *MPTCP) adopt(c *mptcpConn) {
	for {
		// Joining may make room at the cost of others: they are looked for anew.
		i := slices.IndexFunc(m.early, func(sub *mptcpSub) bool { return m.tokens[mptcpToken{sub.early.token, sub.id.tunnel}] == c })
		if i < 0 {
			return
		}
		sub := m.early[i]
		e := sub.early
		m.early = slices.Delete(m.early, i, i+1)
		sub.early = nil
		sub.belong(c, e.token)
		switch {
		case sub.state == mptcpAsked: // the answer is yet to come
		case !hmac.Equal(e.answer[:], m.mac(sub, Backward)[:8]), e.hasThird && !hmac.Equal(e.third[:], m.mac(sub, Forward)[:20]):
			m.refuse(sub)
		case e.hasThird || e.taken:
			m.join(sub)
		}
	}
}

// handshake takes a segment of a subflow that has not joined. It reports false
// when it is none, or not yet.
func (m *MPTCP) handshake(sub *mptcpSub, c *tcpConn, k *tcpKey, from Direction, s *tcpSegment, o *mptcpOptions) bool {
	if s.flags&pkts.TCPRst != 0 {
		return false
	}
	if s.flags&pkts.TCPSyn != 0 {
		if from == Forward || sub.state != mptcpAsked {
			return false // again
		}
		switch {
		case sub.first && o.is(pkts.MPTCPCapable) && o.capable.Version == sub.version && o.capable.SenderKey != 0:
			sub.keys[Backward] = o.capable.SenderKey
			sub.checks = sub.checks || o.capable.Flags.Has(pkts.MPTCPChecksumRequired)
			m.expect(sub)
		case !sub.first && o.is(pkts.MPTCPJoin) && m.answers(sub, &o.join):
			sub.nonces[Backward] = o.join.Nonce
		default:
			m.refuse(sub)
			return false
		}
		sub.state = mptcpAnswered
		return false
	}
	switch {
	case sub.state == mptcpAsked:
		m.refuse(sub) // the answer was not captured
		return false
	case sub.first:
		if from == Backward {
			return true
		}
		if !o.is(pkts.MPTCPCapable) {
			if o.has == 0 {
				m.refuse(sub)
				return false
			}
			return true
		}
		x := &o.capable
		if x.Version != sub.version || x.ReceiverKey != sub.keys[Backward] || x.SenderKey == 0 || sub.version == 0 && x.SenderKey != sub.keys[Forward] {
			m.refuse(sub)
			return false
		}
		sub.keys[Forward] = x.SenderKey
		m.establish(sub, c, k)
	case sub.early != nil:
		e := sub.early
		if from == Forward && o.is(pkts.MPTCPJoin) && !e.hasThird {
			e.hasThird = copy(e.third[:], o.join.HMAC) == len(e.third)
		}
		e.taken = e.taken || from == Backward && o.is(pkts.MPTCPDSS)
	case from == Forward && o.is(pkts.MPTCPJoin):
		mac := m.mac(sub, Forward)
		if !hmac.Equal(o.join.HMAC, mac[:20]) {
			m.refuse(sub)
			return false
		}
		m.join(sub)
	case from == Backward && o.is(pkts.MPTCPDSS):
		m.join(sub) // it would have reset it
	}
	return true
}

// refuse makes a connection of what does not join.
func (m *MPTCP) refuse(sub *mptcpSub) {
	if !sub.first && sub.early == nil {
		m.stats.BadJoins++
	}
	m.plain(sub.id, sub)
}

// digest returns the hash of a version.
func digest(version uint8) func() hash.Hash {
	if version == 0 {
		return sha1.New // RFC 6824, section 3.2
	}
	return sha256.New
}

// mac returns the HMAC that who sends in direction d of a subflow has to show,
// RFC 8684, section 3.2: 20 bytes at least.
func (m *MPTCP) mac(sub *mptcpSub, d Direction) []byte {
	c := sub.conn
	var key, msg []byte
	for _, x := range [2]Direction{d, d ^ 1} {
		key = binary.BigEndian.AppendUint64(key, c.keys[x^sub.flip])
		msg = binary.BigEndian.AppendUint32(msg, sub.nonces[x])
	}
	h := hmac.New(digest(c.version), key)
	h.Write(msg)
	return h.Sum(nil)
}

// answers reports whether the answer to the SYN of a subflow has the right HMAC.
func (m *MPTCP) answers(sub *mptcpSub, o *pkts.MPTCPOption) bool {
	if len(o.HMAC) != 8 {
		return false
	}
	if e := sub.early; e != nil {
		copy(e.answer[:], o.HMAC)
		return true
	}
	if sub.conn.gone {
		return false
	}
	sub.nonces[Backward] = o.Nonce
	mac := m.mac(sub, Backward)
	return hmac.Equal(o.HMAC, mac[:8])
}

// keyed returns the token of a key, and its initial data sequence number, RFC
// 8684, sections 3.2 and 3.1.
func keyed(version uint8, key uint64) (token uint32, idsn uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], key)
	if version == 0 {
		sum := sha1.Sum(b[:])
		return binary.BigEndian.Uint32(sum[:]), binary.BigEndian.Uint64(sum[12:])
	}
	sum := sha256.Sum256(b[:])
	return binary.BigEndian.Uint32(sum[:]), binary.BigEndian.Uint64(sum[24:])
}

// expect notes the tokens of keys that are known before the handshake is complete.
func (m *MPTCP) expect(sub *mptcpSub) {
	for _, key := range sub.keys {
		if key == 0 {
			continue // version 1 tells it last
		}
		token, _ := keyed(sub.version, key)
		if id := (mptcpToken{token, sub.id.tunnel}); m.expected[id] == nil {
			m.expected[id] = sub
		}
	}
}

// unexpect forgets them.
func (m *MPTCP) unexpect(sub *mptcpSub) {
	if len(m.expected) == 0 {
		return
	}
	for _, key := range sub.keys {
		token, _ := keyed(sub.version, key)
		if id := (mptcpToken{token, sub.id.tunnel}); m.expected[id] == sub {
			delete(m.expected, id)
		}
	}
}

// establish makes a joined connection of a first subflow.
func (m *MPTCP) establish(sub *mptcpSub, tc *tcpConn, k *tcpKey) {
	t := &m.data
	if i, s := t.conns.get(k); s != nil {
		// Its first subflow is over, but not the others: the same ports again.
		if s.list == tcpClosed {
			t.forget(i, s)
		} else {
			t.expire(i, s, CloseReused)
		}
	}
	m.unexpect(sub)
	c := &mptcpConn{key: *k, tunnel: k.tunnel, fwd: tc.fwd, version: sub.version, keys: sub.keys, checks: sub.checks}
	i, slot := t.begin(k, int(tc.fwd), &tcpSegment{})
	c.slot = i
	m.conns[i] = c
	d := &slot.conn
	d.stream, d.first = tc.stream, tc.first
	for dir := range Direction(2) {
		side := uint8(dir) ^ tc.fwd
		var idsn uint64
		c.token[dir], idsn = keyed(c.version, c.keys[dir])
		c.zero[dir] = idsn + 1
		if dir == Forward {
			// Data of the SYN lie before the first one, RFC 8684, appendix B.
			c.zero[dir] -= uint64(sub.syn)
		}
		h, p := &d.half[side], &tc.half[side]
		h.isn = uint32(c.zero[dir]) - 1
		h.next = h.isn + 1
		h.flags = tcpSeen | tcpSYNSeen | tcpSync | tcpScaled
		h.shift, h.scale = 0, 0 // windows are put as what they mean
		h.rttSYN = p.rttSYN
		if id := (mptcpToken{c.token[dir], c.tunnel}); m.tokens[id] == nil {
			m.tokens[id] = c
		}
	}
	for dir := range Direction(2) {
		// What the handshake of TCP says counts until there is a DATA_ACK.
		side := uint8(dir) ^ tc.fwd
		h, p := &d.half[side], &tc.half[side]
		if p.flags&tcpEdge != 0 {
			h.ack = d.half[side^1].next
			h.edge = h.ack + (p.edge - p.ack)
			h.flags |= tcpAcked | tcpEdge
		}
	}
	sub.conn = c
	m.stats.Connections++
	m.join(sub)
	if m.Began != nil {
		m.Began(m.info(c))
	}
	m.adopt(c)
}

// join makes a subflow one of its connection.
func (m *MPTCP) join(sub *mptcpSub) {
	c := sub.conn
	if c.gone || len(c.subs) >= mptcpSubflows {
		m.refuse(sub)
		return
	}
	c.subs = append(c.subs, sub)
	if len(c.numbers) < mptcpNumbers {
		c.numbers = append(c.numbers, sub.id.stream)
	}
	m.stats.Subflows++
	sub.state = mptcpJoined
	for d := range Direction(2) {
		x := &sub.dirs[d]
		early := x.early
		x.early = nil
		for i := range early {
			if c.gone || sub.tcp == nil {
				break
			}
			e := &early[i]
			m.mapping(sub, &sub.tcp.half[uint8(d)^sub.tcp.fwd], d, e.off, &e.x)
			m.dataFin(sub, d, &e.x, m.TCP.seen)
		}
		m.replay(sub, d, mptcpWait)
	}
}

// plain makes a connection of its own of what is no subflow.
func (m *MPTCP) plain(id mptcpID, sub *mptcpSub) {
	if sub.early != nil {
		m.stats.UnknownTokens++
	}
	for d := range sub.dirs {
		for i := range sub.dirs[d].held {
			x := &sub.dirs[d].held[i]
			m.stats.Waiting -= uint64(len(x.Data))
			m.pass(x)
		}
	}
	m.drop(id, sub)
}

// leave takes out a subflow that TCP has forgotten.
func (m *MPTCP) leave(id mptcpID, sub *mptcpSub) {
	if sub.state != mptcpJoined {
		m.plain(id, sub)
		return
	}
	for d := range Direction(2) {
		m.replay(sub, d, mptcpGiveUp)
	}
	m.drop(id, sub)
}

func (m *MPTCP) drop(id mptcpID, sub *mptcpSub) {
	sub.dirs = [2]mptcpDir{}
	m.hold.account(sub)
	if sub.state == mptcpJoined {
		if i := slices.Index(sub.conn.subs, sub); i >= 0 {
			sub.conn.subs = slices.Delete(sub.conn.subs, i, i+1)
		}
	}
	if m.signal.sub == sub {
		m.signal = mptcpSignal{}
	}
	if i := slices.Index(m.early, sub); i >= 0 {
		m.early = slices.Delete(m.early, i, i+1)
	}
	if sub.first && sub.state != mptcpJoined {
		m.unexpect(sub)
	}
	delete(m.subs, id)
}

// mappings takes the mapping of a segment.
func (m *MPTCP) mappings(sub *mptcpSub, h *tcpHalf, from Direction, s *tcpSegment, o *mptcpOptions) {
	d := &sub.dirs[from]
	base := uint64(0) // of subflow sequence number 1
	if from == Forward {
		base = uint64(sub.syn)
		if sub.first && !d.mapped && sub.syn > 0 && sub.state == mptcpJoined {
			m.add(sub, from, h, mptcpMap{end: base, dsn: sub.conn.zero[from]})
		}
	}
	at := unwrap(h.off, s.seq-h.isn-1) // where the segment begins
	switch {
	case o.is(pkts.MPTCPDSS) && o.dss.Flags.Has(pkts.MPTCPMapping):
		x := &o.dss
		switch off := unwrap(h.off, x.SubflowSeq-1+uint32(base)); {
		case sub.state != mptcpJoined && x.DataLen > 0:
			// The keys are not known, or not who has them.
			if len(d.early) >= mptcpEarlyDSS {
				m.stats.LimitedMaps++
				return
			}
			d.early = append(d.early, mptcpEarly{off, *x})
			m.held(sub)
		case x.DataLen == 0:
			m.infinite(sub, from, h, at, base, x)
		default:
			m.mapping(sub, h, from, off, x)
		}
	case o.is(pkts.MPTCPCapable) && sub.first && sub.conn != nil && from == Forward && len(s.data) > 0 && s.flags&pkts.TCPSyn == 0:
		// The first data, with the keys.
		n := uint64(o.capable.DataLen)
		if n == 0 {
			n = uint64(s.wire)
		}
		x := mptcpMap{off: base, end: base + n, dsn: sub.conn.zero[from] + base}
		if !sub.conn.sum(&x, 1, uint16(n), &o.capable) {
			m.stats.BadMappings++
			return
		}
		m.add(sub, from, h, x)
	case sub.first && sub.conn != nil && len(s.data) > 0 && !d.mapped && !d.infinite && at == base && s.flags&pkts.TCPSyn == 0:
		// The first data have none: there will be none.
		d.last = mptcpMap{end: base, dsn: sub.conn.zero[from]}
		m.fallBack(sub)
	case sub.state == mptcpJoined && !d.infinite && len(s.data) > 0 && !mptcpAny(s.opts) && len(sub.conn.numbers) == 1 &&
		at+uint64(len(s.data)) > d.last.end && (sub.conn.failed || sub.dirs[from^1].bare && !sub.dirs[from^1].signaled):
		m.fallBack(sub)
	}
}

// mapping takes the mapping of a signal. Its first byte is at off.
func (m *MPTCP) mapping(sub *mptcpSub, h *tcpHalf, from Direction, off uint64, x *pkts.MPTCPOption) {
	n := uint64(x.DataLen)
	if x.Flags.Has(pkts.MPTCPDataFin) {
		if n--; n == 0 {
			return // nothing but the DATA_FIN; its subflow sequence number is 0
		}
	}
	dsn, ok := m.number(sub, from, x)
	a := mptcpMap{off: off, end: off + n, dsn: dsn}
	if !ok || !sub.conn.sum(&a, x.SubflowSeq, x.DataLen, x) {
		m.stats.BadMappings++
		return
	}
	m.add(sub, from, h, a)
}

// sum prepares a mapping for its checksum, which covers a pseudo header as well,
// RFC 8684, section 3.3.1. It reports false when the mapping has one, or none,
// against the handshake, section 3.3: its receiver ends the subflow.
func (c *mptcpConn) sum(a *mptcpMap, ssn uint32, n uint16, x *pkts.MPTCPOption) bool {
	if c.fallback {
		return true
	}
	if !c.checks || !x.HasChecksum {
		// RFC 6824, section 3.3, has one ignored that was not asked for.
		return c.checks == x.HasChecksum || !c.checks && c.version == 0
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.dsn)
	binary.BigEndian.PutUint32(b[8:], ssn)
	binary.BigEndian.PutUint16(b[12:], n)
	binary.BigEndian.PutUint16(b[14:], x.Checksum)
	a.sum, a.check = checksum.Sum(b[:], 0), mptcpUnknown
	return true
}

// half returns who sends in a direction, at the level of the data. The connection
// must not be gone.
func (m *MPTCP) half(c *mptcpConn, dir Direction) *tcpHalf {
	return &m.data.conns.at(c.slot).conn.half[uint8(dir)^c.fwd]
}

// number returns the data sequence number of a signal in 64 bits, and whether it
// is one that its receiver would take for what it says.
func (m *MPTCP) number(sub *mptcpSub, from Direction, x *pkts.MPTCPOption) (uint64, bool) {
	c := sub.conn
	if c.gone {
		return 0, false
	}
	dir := from ^ sub.flip
	dsn := unwrap(c.zero[dir]+m.half(c, dir).off, uint32(x.DSN))
	return dsn, !x.Flags.Has(pkts.MPTCPDSN8) || dsn == x.DSN
}

// add takes a mapping: the part of it that none before says anything of.
func (m *MPTCP) add(sub *mptcpSub, from Direction, h *tcpHalf, n mptcpMap) {
	d := &sub.dirs[from]
	if n.end > h.off+tcpMaxWindow || n.off > n.end {
		m.stats.BadMappings++
		return
	}
	d.mapped = true
	if n.end > d.last.end || d.last.end == 0 {
		d.last = n
	}
	if n.end <= d.off {
		return // used up
	}
	whole := n // the checksum is of
	if n.off < d.off {
		n.dsn += d.off - n.off
		n.off = d.off
	}
	conflict := false
	for n.off < n.end {
		// x is the first mapping that ends behind the beginning of n.
		x, _ := slices.BinarySearchFunc(d.maps[d.head:], n.off, func(a mptcpMap, off uint64) int {
			if a.end <= off {
				return -1
			}
			return 1
		})
		x += d.head
		part := n
		if x < len(d.maps) {
			if o := &d.maps[x]; o.off <= n.off {
				conflict = conflict || o.dsn+(n.off-o.off) != n.dsn ||
					o.off == whole.off && o.end == whole.end && o.check*whole.check != mptcpBelieved && o.sum != whole.sum
				skip := min(o.end, n.end) - n.off
				n.off += skip
				n.dsn += skip
				continue
			}
			part.end = min(part.end, d.maps[x].off)
		}
		n.dsn += part.end - n.off
		n.off = part.end
		if part.off != whole.off || part.end != whole.end {
			// Of a part, it says nothing.
			m.unchecked(&whole)
			part.check = mptcpBelieved
		}
		full := len(d.maps)-d.head >= mptcpMaps
		if x > d.head {
			if p := &d.maps[x-1]; p.goesOn(&part) && (p.check|part.check == mptcpBelieved || full && p.check != mptcpWrong) {
				m.unchecked(p)
				m.unchecked(&part)
				p.end = part.end
				continue
			}
		}
		if full {
			if x < len(d.maps) && part.goesOn(&d.maps[x]) && d.maps[x].check != mptcpWrong {
				p := &d.maps[x]
				m.unchecked(p)
				m.unchecked(&part)
				p.off, p.dsn = part.off, part.dsn
				continue
			}
			m.stats.LimitedMaps++
			break
		}
		switch {
		case d.head > 0 && x == d.head:
			d.head--
			d.maps[d.head] = part
		default:
			if d.head > 0 && len(d.maps) == cap(d.maps) {
				k := copy(d.maps, d.maps[d.head:])
				x -= d.head
				d.maps, d.head = d.maps[:k], 0
			}
			d.maps = slices.Insert(d.maps, x, part)
		}
	}
	if conflict {
		m.stats.Conflicts++
	}
	m.held(sub)
	if sub.state == mptcpJoined && d.waits() {
		m.replay(sub, from, mptcpWait)
	}
}

// unchecked lets a mapping count whose checksum is not going to be verified.
func (m *MPTCP) unchecked(x *mptcpMap) {
	if x.check == mptcpUnknown {
		m.stats.Unchecked++
	}
	x.check = mptcpBelieved
}

// infinite takes an infinite mapping: from here on, what follows belongs where
// it follows.
func (m *MPTCP) infinite(sub *mptcpSub, from Direction, h *tcpHalf, at, base uint64, x *pkts.MPTCPOption) {
	if sub.state != mptcpJoined || sub.conn.gone || len(sub.conn.subs) > 1 || sub.dirs[from].infinite {
		m.stats.BadMappings++ // section 3.7: only when there is one subflow
		return
	}
	dsn, ok := m.number(sub, from, x)
	if !ok {
		m.stats.BadMappings++
		return
	}
	if x.SubflowSeq != 0 {
		at = unwrap(h.off, x.SubflowSeq-1+uint32(base))
	}
	d := &sub.dirs[from]
	// It may begin at what the receiver is known to have, section 3.7.
	same := d.last.dsn-d.last.off == dsn-at
	if at > h.off+tcpMaxWindow || at < d.off && !same {
		m.stats.BadMappings++
		return
	}
	d.mapped = true
	switch {
	case d.last.end <= at:
		d.last = mptcpMap{off: at, end: at, dsn: dsn}
	case !same:
		m.stats.Conflicts++ // the first one counts
	case at < d.last.off:
		d.last.off, d.last.dsn = at, dsn
	}
	m.fallBack(sub)
}

// fallBack lets a connection go on without mappings.
func (m *MPTCP) fallBack(sub *mptcpSub) {
	c := sub.conn
	if c.gone {
		return
	}
	if !c.fallback {
		c.fallback = true
		m.stats.Fallbacks++
		for d := range Direction(2) {
			// Nor are there windows of the data; those of the subflow do.
			m.half(c, d).flags &^= tcpAcked | tcpEdge | tcpTimed
			c.acked[d] = false
		}
	}
	for d := range Direction(2) {
		x := &sub.dirs[d]
		if x.infinite {
			continue
		}
		x.infinite = true
		if x.last == (mptcpMap{}) {
			x.last = mptcpMap{off: x.off, end: x.off, dsn: c.zero[d^sub.flip] + m.half(c, d^sub.flip).off}
		}
		// Nor are there checksums.
		for i := range x.maps[x.head:] {
			m.unchecked(&x.maps[x.head+i])
		}
		m.replay(sub, d, mptcpWait)
	}
}

// keep lets a chunk of a subflow wait.
func (m *MPTCP) keep(sub *mptcpSub, d *mptcpDir, c *Chunk) {
	x := *c
	x.Data = append([]byte(nil), c.Data...)
	d.held = append(d.held, x)
	d.bytes += len(x.Data)
	m.stats.Waiting += uint64(len(x.Data))
	m.held(sub)
}

// held counts what a subflow has, and gives up what is too much.
func (m *MPTCP) held(sub *mptcpSub) {
	m.hold.account(sub)
	lim := &m.data.lim
	if sub.cost > 2*lim.FlowBytes {
		m.giveUp(sub)
	} else {
		for d := range sub.dirs {
			if sub.dirs[d].cost() > lim.FlowBytes {
				m.giveUp(sub)
				break
			}
		}
	}
	for m.hold.memory > lim.Bytes && m.hold.oldest != nil {
		m.giveUp(m.hold.oldest)
	}
}

// giveUp frees what a subflow has.
func (m *MPTCP) giveUp(sub *mptcpSub) {
	if sub.state != mptcpJoined {
		m.plain(sub.id, sub)
		return
	}
	for i := range Direction(2) {
		d := &sub.dirs[i]
		if d.waits() {
			m.stats.GivenUp++
			m.replay(sub, i, mptcpGiveUp)
		}
		d.maps, d.head, d.held = nil, 0, nil
	}
	m.hold.account(sub)
}

// replay places what waits in a direction of a subflow, as far as there are
// mappings, and does as how says with the rest.
func (m *MPTCP) replay(sub *mptcpSub, dir Direction, how int) {
	d := &sub.dirs[dir]
	if !d.waits() {
		return
	}
	d.bad = false
	n := 0
	for ; n < len(d.held); n++ {
		x := &d.held[n]
		size := len(x.Data)
		waits := m.place(sub, x, d.held[n+1:], how)
		d.bytes -= size - len(x.Data)
		m.stats.Waiting -= uint64(size - len(x.Data))
		if waits {
			break
		}
		*x = Chunk{}
	}
	if d.held = d.held[n:]; len(d.held) == 0 {
		d.held = nil
	}
	m.hold.account(sub)
}

// place gives a chunk of a subflow to its connection, as far as there are
// mappings, and leaves the rest in it, or does with that as how says. What follows
// the chunk is in rest. It reports whether there is a rest of the chunk.
func (m *MPTCP) place(sub *mptcpSub, c *Chunk, rest []Chunk, how int) bool {
	dir := c.Direction & 1
	d := &sub.dirs[dir]
	data, off := c.Data, c.Offset
	if sub.conn.gone {
		m.stats.Over += uint64(len(data))
		d.off = off + uint64(len(data))
		c.Data = nil
		return false
	}
	if d.infinite && c.Lost > 0 && off >= d.last.off {
		m.missed(sub.conn, dir^sub.flip, c.Seen, uint32(d.last.dsn+(off-d.last.off)))
	}
	for len(data) > 0 {
		d.pass(off)
		n := uint64(len(data))
		var dsn uint64
		lost := &m.stats.Unmapped
		takes := true
		switch {
		case d.head < len(d.maps) && d.maps[d.head].off <= off:
			x := &d.maps[d.head]
			n = min(n, x.end-off)
			dsn = x.dsn + (off - x.off)
			if x.check != mptcpBelieved {
				takes, lost = m.checked(sub, x, data, off, c, rest, how), &m.stats.Corrupt
			}
		case d.infinite && off >= d.last.off:
			if d.head < len(d.maps) {
				n = min(n, d.maps[d.head].off-off)
			}
			dsn = d.last.dsn + (off - d.last.off)
		default:
			if d.head < len(d.maps) {
				n = min(n, d.maps[d.head].off-off)
			}
			takes = false
		}
		switch {
		case takes:
			m.bring(sub.conn, dir^sub.flip, c.Seen, &tcpSegment{seq: uint32(dsn), wire: uint32(n), data: data[:n:n]})
		case how == mptcpWait:
			c.Data, c.Offset, c.Lost = data, off, 0
			return true
		default:
			*lost += n
		}
		data = data[n:]
		off += n
	}
	d.pass(off)
	if d.infinite && c.Events.Has(End) {
		// There is no DATA_FIN any more.
		s := &tcpSegment{seq: uint32(d.last.dsn + (off - d.last.off)), flags: pkts.TCPFin}
		if c.Events.Has(Reset) {
			s.flags = pkts.TCPRst
		}
		if !c.Events.Has(Expired) {
			m.bring(sub.conn, dir^sub.flip, c.Seen, s)
		}
	}
	c.Data = nil
	return false
}

// checked reports whether the bytes of a mapping count. They are data, at off, from
// the chunk c, and what follows in rest.
func (m *MPTCP) checked(sub *mptcpSub, x *mptcpMap, data []byte, off uint64, c *Chunk, rest []Chunk, how int) bool {
	dir := c.Direction & 1
	d := &sub.dirs[dir]
	if x.check == mptcpUnknown {
		sum, verdict := x.verify(data, off, rest)
		switch {
		case verdict == mptcpIncomplete && how == mptcpWait:
			return false
		case verdict == mptcpIncomplete && how == mptcpEnded:
			// Nobody could verify it.
		case verdict != mptcpComplete:
			m.unchecked(x)
			return true
		case sum == 0xffff:
			x.check = mptcpBelieved
			return true
		default:
			m.wrong(sub.conn, dir^sub.flip, c.Packet, x.dsn)
		}
		x.check = mptcpWrong
	}
	if sub.conn.takes(dir^sub.flip, x) {
		return true
	}
	d.bad = how == mptcpWait
	return false
}

// wrong says that a checksum is wrong.
func (m *MPTCP) wrong(c *mptcpConn, dir Direction, packet, dsn uint64) {
	m.stats.BadChecksums++
	m.err = join(m.err, &Error{
		Layer: "MPTCP", Packet: packet, Offset: dsn - c.zero[dir], Err: ErrMalformed, Reason: "the checksum of a mapping is wrong",
	})
}

// What there is of the bytes of a mapping.
const (
	mptcpComplete   = iota
	mptcpIncomplete // the last ones are yet to come
	mptcpBroken     // some will not come
)

// verify returns the sum of what the checksum of a mapping covers, which is
// 0xffff when it is right, if all of it is there.
func (x *mptcpMap) verify(data []byte, off uint64, rest []Chunk) (sum uint16, verdict int) {
	if off != x.off {
		return 0, mptcpBroken
	}
	end := off + uint64(len(data))
	if n := len(rest); n > 0 && end < x.end {
		l := &rest[n-1]
		if end = l.Offset + uint64(len(l.Data)); l.Lost > 0 {
			end = x.end // there is a gap before it, at the latest
		}
	}
	if end < x.end {
		return 0, mptcpIncomplete
	}
	n := min(uint64(len(data)), x.end-off)
	sum = checksum.Sum(data[:n], x.sum)
	for at := off + n; at < x.end; rest = rest[1:] {
		if len(rest) == 0 || rest[0].Offset != at {
			return 0, mptcpBroken
		}
		part := rest[0].Data
		part = part[:min(uint64(len(part)), x.end-at)]
		sum = checksum.Combine(sum, int(at-off), checksum.Sum(part, 0))
		at += uint64(len(part))
	}
	return sum, mptcpComplete
}

// takes reports whether the receiver has taken bytes of a mapping in spite of its
// checksum: it has acknowledged some, and cannot have got them on another subflow.
func (c *mptcpConn) takes(dir Direction, x *mptcpMap) bool {
	return len(c.numbers) == 1 && c.acked[dir^1] && int32(c.ack[dir^1]-uint32(x.dsn)) > 0
}

// pass notes that all before off was placed or given up.
func (d *mptcpDir) pass(off uint64) {
	d.off = max(d.off, off)
	for d.head < len(d.maps) && d.maps[d.head].end <= off {
		d.head++
	}
	if d.head == len(d.maps) {
		d.maps, d.head = d.maps[:0], 0
	}
}

// missed says that the data before seq that are not there will not come.
func (m *MPTCP) missed(c *mptcpConn, dir Direction, seen Seen, seq uint32) {
	t := &m.data
	slot := t.conns.at(c.slot)
	if slot.list == tcpClosed {
		return
	}
	t.tick(&Datagram{Seen: seen})
	h := m.half(c, dir)
	h.missed(seq)
	if h.wait != 0 {
		t.settle(&slot.conn, &c.key, int(uint8(dir)^c.fwd))
	}
}

// bring gives a segment to the level of the data.
func (m *MPTCP) bring(c *mptcpConn, dir Direction, seen Seen, s *tcpSegment) {
	t := &m.data
	n := uint64(len(s.data))
	if c.gone {
		m.stats.Over += n
		return
	}
	t.stats.Bytes += n
	t.stats.Segments++
	t.tick(&Datagram{Seen: seen})
	slot := t.conns.at(c.slot)
	side := int(uint8(dir) ^ c.fwd)
	h := &slot.conn.half[side]
	var err error
	if slot.list == tcpClosed {
		err = t.late(&slot.conn, side, s)
	} else {
		if s.flags&pkts.TCPRst != 0 {
			s.seq = h.next
		}
		if t.clock-slot.conn.touched >= int64(time.Second) {
			slot.conn.touched = t.clock
			t.conns.move(tcpOpen, c.slot)
		}
		err = t.segment(c.slot, &slot.conn, &c.key, side, s)
	}
	if e, ok := err.(*Error); ok {
		e.Layer = "MPTCP"
		m.err = join(m.err, e)
	}
}

// signals takes what a segment says of the level of the data.
func (m *MPTCP) signals(sub *mptcpSub, h *tcpHalf, from Direction, s *tcpSegment, o *mptcpOptions) {
	c := sub.conn
	dir := from ^ sub.flip
	g := mptcpSignal{sub: sub, dir: dir, seen: m.TCP.seen}
	if o.is(pkts.MPTCPDSS) {
		x := &o.dss
		if x.Flags.Has(pkts.MPTCPDataAck) && !c.fallback {
			ack := unwrap(c.zero[dir^1]+m.half(c, dir^1).off, uint32(x.DataAck))
			if x.Flags.Has(pkts.MPTCPAck8) && ack != x.DataAck {
				m.stats.BadSignals++
			} else {
				edge := uint32(ack) + s.win<<h.shift
				if !c.acked[dir] || int32(uint32(ack)-c.ack[dir]) >= 0 {
					if !c.acked[dir] || int32(edge-c.edge[dir]) > 0 {
						c.edge[dir] = edge
					}
					c.ack[dir], c.acked[dir] = uint32(ack), true
				}
			}
		}
		m.dataFin(sub, from, x, g.seen)
	}
	if o.is(pkts.MPTCPFail) {
		m.stats.Fails++
		c.failed = c.failed || s.flags&pkts.TCPRst == 0
	}
	if o.is(pkts.MPTCPFastClose) {
		// With the key of who is to obey, section 3.5.
		if o.fast.ReceiverKey == c.keys[dir^1] {
			g.reset = true
		} else {
			m.stats.BadSignals++
		}
	}
	if g.reset || c.acked[0] || c.acked[1] {
		m.signal = g
	}
}

// dataFin takes the DATA_FIN of a signal, if it has one.
func (m *MPTCP) dataFin(sub *mptcpSub, from Direction, x *pkts.MPTCPOption, seen Seen) {
	if !x.Flags.Has(pkts.MPTCPMapping | pkts.MPTCPDataFin) {
		return
	}
	a := mptcpMap{}
	var ok bool
	if a.dsn, ok = m.number(sub, from, x); !ok || x.DataLen == 0 || !sub.conn.sum(&a, x.SubflowSeq, x.DataLen, x) {
		m.stats.BadSignals++
		return
	}
	if x.DataLen == 1 && a.check == mptcpUnknown && a.sum != 0xffff {
		m.wrong(sub.conn, from^sub.flip, seen.Packet, a.dsn) // there is nothing else that it covers
		return
	}
	m.bring(sub.conn, from^sub.flip, seen, &tcpSegment{seq: uint32(a.dsn) + uint32(x.DataLen) - 1, flags: pkts.TCPFin})
}

// obey does what a segment has said, when what TCP has given with it was taken.
func (m *MPTCP) obey(g *mptcpSignal) {
	c := g.sub.conn
	if c.gone {
		return
	}
	for dir := range Direction(2) {
		if c.acked[dir] && !c.gone {
			m.acknowledge(c, dir, g.seen)
		}
	}
	if g.reset {
		m.bring(c, g.dir, g.seen, &tcpSegment{flags: pkts.TCPRst})
	}
}

// acknowledge passes on the DATA_ACK of who sends in a direction. It tells that
// what is not there will not come; so bytes for which a subflow has others
// waiting, whose own acknowledgment may be next, count as there.
func (m *MPTCP) acknowledge(c *mptcpConn, dir Direction, seen Seen) {
	m.accept(c, dir^1)
	slot := m.data.conns.at(c.slot)
	if slot.list == tcpClosed {
		return
	}
	side := uint8(dir) ^ c.fwd
	h, p := &slot.conn.half[side], &slot.conn.half[side^1]
	ack := c.ack[dir]
	if int32(ack-p.next) > 0 && c.waits(dir^1) {
		ack = p.next
	}
	if h.flags&tcpAcked != 0 && int32(ack-h.ack) <= 0 && h.flags&tcpEdge != 0 && int32(c.edge[dir]-h.edge) <= 0 {
		return // nothing new
	}
	m.bring(c, dir, seen, &tcpSegment{seq: h.next, ack: ack, win: min(c.edge[dir]-ack, math.MaxInt32), flags: pkts.TCPAck})
}

// accept places the bytes that the receiver has taken in spite of their checksum.
func (m *MPTCP) accept(c *mptcpConn, dir Direction) {
	for _, sub := range c.subs {
		d := &sub.dirs[dir^sub.flip]
		if d.bad && c.takes(dir, &d.maps[d.head]) {
			m.replay(sub, dir^sub.flip, mptcpWait)
		}
	}
}

// waits reports whether something waits in a direction, on any subflow, that may
// still come.
func (c *mptcpConn) waits(dir Direction) bool {
	for _, sub := range c.subs {
		d := dir ^ sub.flip
		if sub.dirs[d].bad {
			continue
		}
		if sub.dirs[d].waits() || sub.tcp != nil && sub.tcp.half[uint8(d)^sub.tcp.fwd].wait != 0 {
			return true
		}
	}
	return false
}

// mptcpHolders are the subflows that have something waiting, or mappings, those
// first that did not change for longest.
type mptcpHolders struct {
	oldest, newest *mptcpSub
	memory         int64
}

func (d *mptcpDir) cost() int64 {
	return int64(cap(d.maps)*mptcpMapCost + cap(d.early)*mptcpEarlyCost + len(d.held)*mptcpHeldCost + d.bytes)
}

// account counts what a subflow has, and makes it the newest.
func (l *mptcpHolders) account(sub *mptcpSub) {
	cost := sub.dirs[0].cost() + sub.dirs[1].cost()
	l.memory += cost - sub.cost
	sub.cost = cost
	if sub.listed {
		if l.newest == sub && cost > 0 {
			return
		}
		if sub.prev != nil {
			sub.prev.next = sub.next
		} else {
			l.oldest = sub.next
		}
		if sub.next != nil {
			sub.next.prev = sub.prev
		} else {
			l.newest = sub.prev
		}
		sub.prev, sub.next, sub.listed = nil, nil, false
	}
	if cost == 0 {
		return
	}
	sub.prev = l.newest
	if l.newest != nil {
		l.newest.next = sub
	} else {
		l.oldest = sub
	}
	l.newest, sub.listed = sub, true
}
