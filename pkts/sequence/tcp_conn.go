package sequence

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// tcpConn is a connection.
type tcpConn struct {
	stream      uint64 // the number of the packet that began it
	first, last int64  // ns since the base
	touched     int64  // when it was last moved in the table's order
	fwd         uint8  // the side whose direction is Forward
	close       CloseReason
	resetBy     uint8        // the side that sent the RST
	policy      [2]TCPPolicy // of what each side receives
	syn         tcpSYN
	half        [2]tcpHalf
}

// tcpSYN is a SYN that would begin another connection in place of one that is
// open. It waits for a packet that confirms it.
type tcpSYN struct {
	packet uint64
	at     int64
	isn    uint32
	scaled bool
	scale  uint8
	side   uint8
	valid  bool
}

const (
	tcpSeen    = 1 << iota // a packet of this side was seen
	tcpSYNSeen             // its SYN was
	tcpSync                // next, off and isn are known
	tcpStarted             // Start is out
	tcpFINSeen             // fin is known
	tcpEnded               // End is out
	tcpAcked               // ack is known
	tcpEdge                // edge is known
	tcpStamped             // ts is known
	tcpScaled              // the SYN had a window scale
	tcpTimed               // timed is set
	tcpMissing             // miss is set
	tcpMidway              // offsets begin at tcpMidstream
	tcpFarAck              // far is an acknowledgment beyond the window
	tcpFarSeq              // far is the end of data beyond it
)

// tcpHalf is one side of a connection: what it sends, and what it says of what
// it receives. What most packets need comes first, in 64 bytes.
type tcpHalf struct {
	off            uint64 // of the next byte, in the stream
	next           uint32 // sequence number of the next byte
	ack            uint32 // the highest acknowledgment
	edge           uint32 // the right edge of the window
	miss           uint32 // bytes before it that are not there will not come
	fin            uint32 // sequence number of the FIN
	ts             uint32 // TS.Recent of RFC 7323
	wait           int32  // in TCP.waits, plus one
	flags          uint16
	shift          uint8  // of the windows
	scale          uint8  // in the SYN
	gap            uint64 // bytes missing before off, not yet reported
	packets, bytes uint64 // bytes of payload, all of them

	isn   uint32 // of the SYN; what it would be where there was none
	timed uint32 // acknowledgments of it are a sample of the round-trip time
	// far is, by the flags, the last acknowledgment that was refused because it
	// lay beyond the window, or the end of the last data that was.
	far                     uint32
	rttSYN, rttMin, rttMean uint32 // microseconds, up to an hour; of the SYN, 0 for none; smoothed, RFC 6298, section 2
	samples                 uint32 // of the round-trip time
	retrans, ooo, gaps      uint32
	timedAt                 int64
	retransBytes, lost      uint64
}

// CloseReason says why a connection is over.
type CloseReason uint8

const (
	CloseNone    CloseReason = iota // it is not
	CloseFIN                        // both sides sent a FIN
	CloseReset                      // one sent a RST
	CloseIdle                       // it was quiet for too long
	CloseEvicted                    // there were too many connections
	CloseReused                     // another began between the same endpoints
	CloseFlush                      // Flush ended it
)

// String returns a name such as "fin".
func (r CloseReason) String() string {
	switch r {
	case CloseNone:
		return "none"
	case CloseFIN:
		return "fin"
	case CloseReset:
		return "reset"
	case CloseIdle:
		return "idle"
	case CloseEvicted:
		return "evicted"
	case CloseReused:
		return "reused"
	case CloseFlush:
		return "flush"
	}
	return "unknown"
}

// expiresAtOnce is how many connections one packet may end because they were
// quiet for too long: more than it can begin, so that they do not add up, and
// few enough that no packet takes long.
const expiresAtOnce = 8

// expireSome ends connections that were quiet for too long.
func (t *TCP) expireSome() {
	next := int64(math.MaxInt64)
	for n := 0; ; n++ {
		i, s := t.conns.oldest(tcpOpen)
		if i == 0 {
			break
		}
		c := &s.conn
		idle := t.clock-c.last > t.idle
		if !idle && c.last == c.touched || n == expiresAtOnce {
			next = min(next, c.last+t.idle)
			break
		}
		if idle {
			t.expire(i, s, CloseIdle)
		} else { // it was used since it was last moved
			c.touched = c.last
			t.conns.move(tcpOpen, i)
		}
	}
	for n := 0; ; n++ {
		i, s := t.conns.oldest(tcpClosed)
		if i == 0 {
			break
		}
		if t.clock-s.conn.touched <= int64(tcpLinger) || n == expiresAtOnce {
			next = min(next, s.conn.touched+int64(tcpLinger))
			break
		}
		t.forget(i, s)
	}
	// What begins from now on is quiet for long enough at the earliest then.
	t.expiry = min(next, t.clock+min(t.idle, int64(tcpLinger)))
}

// expire ends a connection for want of anything, and forgets it.
func (t *TCP) expire(i int32, s *tcpSlot, why CloseReason) {
	switch why {
	case CloseIdle:
		t.stats.Idle++
	case CloseEvicted:
		t.stats.Evicted++
	default:
	}
	c := &s.conn
	c.close = why
	t.end(c, &s.key, int(c.fwd), Expired)
	t.end(c, &s.key, int(c.fwd)^1, Expired)
	t.forget(i, s)
}

// forget takes a connection out of the table.
func (t *TCP) forget(i int32, s *tcpSlot) {
	if t.Done != nil {
		t.Done(t.info(&s.key, &s.conn))
	}
	if t.mptcp != nil {
		t.mptcp.forget(t, i, s)
	}
	t.conns.remove(i)
}

// settled moves a connection, both of whose directions have ended, to those that
// are closed.
func (t *TCP) settled(i int32, c *tcpConn, why CloseReason) {
	c.close = why
	c.touched = t.clock
	t.conns.move(tcpClosed, i)
}

// begin makes a connection.
func (t *TCP) begin(k *tcpKey, side int, s *tcpSegment) (int32, *tcpSlot) {
	for tries := 4; t.conns.n >= t.lim.Flows; {
		if i, s := t.conns.oldest(tcpClosed); i != 0 {
			t.forget(i, s)
			continue
		}
		i, s := t.conns.oldest(tcpOpen)
		if i == 0 {
			break
		}
		if c := &s.conn; tries > 0 && c.last != c.touched {
			tries--
			c.touched = c.last
			t.conns.move(tcpOpen, i)
			continue
		}
		t.expire(i, s, CloseEvicted)
	}
	i, slot := t.conns.add(k)
	c := &slot.conn
	*c = tcpConn{}
	c.stream, c.first, c.last, c.touched, c.fwd = t.seen.Packet, t.at, t.clock, t.clock, uint8(side)
	if s.flags&(pkts.TCPSyn|pkts.TCPAck) == pkts.TCPSyn|pkts.TCPAck {
		c.fwd ^= 1 // it answers the one that opened
	}
	c.half[0].shift, c.half[1].shift = tcpMaxShift, tcpMaxShift
	c.policy = [2]TCPPolicy{t.Policy, t.Policy}
	if t.PolicyFor != nil {
		f := k.flow(0)
		c.policy = [2]TCPPolicy{t.PolicyFor(f.Src), t.PolicyFor(f.Dst)}
	}
	t.stats.Streams++
	if t.Began != nil {
		t.began = i
	}
	return i, slot
}

// tcpMaxShift is the largest window scale, RFC 7323, section 2.3: what counts
// while it is not known.
const tcpMaxShift = 14

// succeeded reports whether a segment belongs to the connection after c, which
// is closed.
func (c *tcpConn) succeeded(side int, s *tcpSegment) bool {
	h := &c.half[side]
	if s.flags&pkts.TCPSyn != 0 {
		return h.flags&tcpSync == 0 || s.seq != h.isn
	}
	// Who sends data after a RST did not send the RST.
	return c.close == CloseReset && int(c.resetBy) == side && s.wire > 0 && s.flags&pkts.TCPRst == 0 &&
		h.flags&tcpSync != 0 && int32(s.seq-h.next) >= 0
}

// count counts a segment of a side.
func (h *tcpHalf) count(s *tcpSegment) {
	h.flags |= tcpSeen
	h.packets++
	h.bytes += uint64(len(s.data))
}

// late counts a segment for a closed connection.
func (t *TCP) late(c *tcpConn, side int, s *tcpSegment) error {
	h := &c.half[side]
	c.last = t.clock
	h.count(s)
	n := uint64(len(s.data))
	if n == 0 {
		h.repeatedFIN(s.seq, s)
		return nil
	}
	if int32(s.seq+uint32(n)-h.next) <= 0 {
		t.duplicate(h, n)
		return nil
	}
	t.stats.Closed += n
	return t.refuse(h.off, ErrUnacceptable, "the connection is closed")
}

// duplicate counts a segment whose bytes were there already.
func (t *TCP) duplicate(h *tcpHalf, n uint64) {
	t.stats.Duplicate += n
	t.again(h, n)
}

// again counts a segment of which n bytes were there already.
func (t *TCP) again(h *tcpHalf, n uint64) {
	t.stats.Retransmissions++
	h.retrans++
	h.retransBytes += n
}

// next does what segment does with the segment that most are: the next data, in
// a connection in which nothing waits and nothing is new but the data and
// perhaps an acknowledgment. It gives it in ch. It reports false for all others,
// and has done nothing then.
func (t *TCP) next(c *tcpConn, k *tcpKey, side int, s *tcpSegment, ch *Chunk) bool {
	const (
		control = pkts.TCPSyn | pkts.TCPFin | pkts.TCPRst | pkts.TCPAck
		known   = tcpSync | tcpTimed
		not     = tcpFINSeen | tcpEnded
	)
	h, p := &c.half[side], &c.half[side^1]
	n := uint32(len(s.data))
	if s.flags&control != pkts.TCPAck || h.flags&(known|not) != known || s.seq != h.next || h.wait != 0 ||
		n == 0 || n != s.wire || c.syn.valid || !h.repeats(p, s.ack) ||
		p.flags&tcpEdge != 0 && int32(s.seq-p.edge) > 0 {
		return false
	}
	if s.hasTS {
		if h.flags&tcpStamped != 0 && int32(s.ts-h.ts) < 0 {
			return false
		}
		h.ts = s.ts
		h.flags |= tcpStamped
	}
	h.widen(s)
	c.last = t.clock
	h.packets++
	h.bytes += uint64(n)
	t.stats.Delivered += uint64(n)
	ch.Offset, ch.Events = h.off, 0
	ch.fill(c, k, side, s.data, &t.seen)
	h.off += uint64(n)
	h.next += n
	return true
}

// repeats reports whether an acknowledgment says nothing that was not known, but
// for the window.
func (h *tcpHalf) repeats(p *tcpHalf, ack uint32) bool {
	return h.flags&(tcpAcked|tcpEdge) == tcpAcked|tcpEdge && ack == h.ack &&
		p.flags&(tcpSync|tcpTimed) == tcpSync && p.wait == 0 && int32(ack-p.next) <= 0
}

// widen takes the window of a segment that is no SYN and repeats an
// acknowledgment.
func (h *tcpHalf) widen(s *tcpSegment) {
	if edge := s.ack + s.win<<h.shift; int32(edge-h.edge) > 0 {
		h.edge = edge
	}
}

// segment takes a segment of connection i.
func (t *TCP) segment(i int32, c *tcpConn, k *tcpKey, side int, s *tcpSegment) error {
	if c.syn.valid && c.confirms(side, s) {
		i, c = t.succeed(i, c, k)
	}
	t.cur = i
	if s.flags&(pkts.TCPSyn|pkts.TCPRst) != 0 {
		if s.flags&pkts.TCPRst != 0 {
			c.half[side].count(s)
			c.last = t.clock
			return t.reset(i, c, k, side, s)
		}
		var err error
		if i, c, err = t.open(i, c, k, side, s); c == nil {
			return err
		}
		t.cur = i
	}
	h, p := &c.half[side], &c.half[side^1]
	quiet := t.clock - c.last
	c.last = t.clock
	h.count(s)
	if s.hasTS && h.flags&tcpStamped != 0 && int32(s.ts-h.ts) < -tcpStampSlack && quiet < tcpStampLife {
		t.stats.Stale += uint64(len(s.data))
		if n := uint32(len(s.data)); n > 0 && h.flags&tcpSync != 0 && int32(s.seq+n-h.next) <= 0 {
			t.again(h, uint64(n)) // or repeated by the network
		}
		return t.refuse(h.off, ErrUnacceptable, "the timestamp is older than one before")
	}
	seq := s.seq
	if s.flags&pkts.TCPSyn != 0 {
		seq++
	}
	if h.flags&tcpSync == 0 {
		if s.wire == 0 && s.flags&pkts.TCPFin == 0 {
			if s.flags&pkts.TCPAck != 0 {
				t.acknowledge(c, k, side, s)
			}
			return nil
		}
		h.next, h.isn, h.off = seq, seq-1, tcpMidstream
		h.flags |= tcpSync | tcpMidway
		if p.flags&tcpAcked != 0 && s.wire <= 1 && seq+s.wire == p.ack {
			h.next = p.ack // a keep-alive: its byte was delivered before the capture began
		}
	}
	if s.hasTS && int32(seq-h.next) <= 0 && int32(seq+s.wire-h.next) >= 0 && (h.flags&tcpStamped == 0 || int32(s.ts-h.ts) >= 0 || quiet >= tcpStampLife) {
		h.ts = s.ts
		h.flags |= tcpStamped
	}
	if s.flags&(pkts.TCPAck|pkts.TCPSyn) == pkts.TCPAck && h.repeats(p, s.ack) {
		h.widen(s)
	} else if s.flags&pkts.TCPAck != 0 {
		t.acknowledge(c, k, side, s)
	}
	if s.flags&pkts.TCPFin != 0 {
		h.repeatedFIN(seq, s)
		h.finish(p, seq, seq+s.wire)
	}
	var err error
	if len(s.data) > 0 {
		if h.flags&tcpTimed == 0 && int32(seq-h.next) >= 0 {
			h.timed, h.timedAt = seq+s.wire, t.at
			h.flags |= tcpTimed
		}
		err = t.data(c, k, side, seq, s)
	} else if s.wire == 0 && s.flags&(pkts.TCPFin|pkts.TCPSyn) == 0 && seq == h.next-1 && h.flags&tcpEnded == 0 {
		t.stats.KeepAlives++
	}
	if n := uint32(len(s.data)); n < s.wire && seq+n == h.next && h.wait == 0 {
		h.missed(seq + s.wire) // the capture cut it
	}
	if h.flags&(tcpFINSeen|tcpEnded) == tcpFINSeen {
		if h.wait == 0 {
			if p.flags&tcpAcked != 0 && p.ack == h.fin+1 {
				h.missed(h.fin)
			}
			t.pass(c, k, side, h.missing())
		} else if h.next == h.fin {
			t.pass(c, k, side, 0)
		}
	}
	if h.flags&p.flags&tcpEnded != 0 {
		t.settled(i, c, CloseFIN)
	}
	return err
}

// tcpStampSlack is by how much a timestamp may be older: Linux allows one
// (TCP_PAWS_WINDOW in include/net/tcp.h), and what it takes has to be taken.
const tcpStampSlack = 1

// tcpStampLife is how long a timestamp is good for, RFC 7323, section 5.5: the
// clock behind it may run half around.
const tcpStampLife = 24 * 24 * int64(time.Hour)

// open takes a SYN. It returns no connection when the segment is done with.
func (t *TCP) open(i int32, c *tcpConn, k *tcpKey, side int, s *tcpSegment) (int32, *tcpConn, error) {
	h, p := &c.half[side], &c.half[side^1]
	ack := s.flags&pkts.TCPAck != 0
	if h.flags&tcpSync != 0 && s.seq != h.isn {
		// Another connection.
		switch {
		case p.flags&tcpSeen == 0:
			// The other side has not answered.
			i, c = t.replace(i, k, side, s)
			h, p = &c.half[side], &c.half[side^1]
		case ack:
			h.count(s)
			return 0, nil, t.unacceptable(h, s, "it answers no SYN that was seen")
		default:
			h.count(s)
			c.last = t.clock
			c.syn = tcpSYN{packet: t.seen.Packet, at: t.at, isn: s.seq, side: uint8(side), valid: true}
			scale, scaled := s.scale()
			c.syn.scale, c.syn.scaled = scale, scaled != 0
			t.stats.Unacceptable += uint64(len(s.data)) // it is repeated if it matters
			return 0, nil, nil
		}
	}
	if ack && p.flags&tcpSYNSeen != 0 && (int32(s.ack-p.isn) <= 0 || int32(s.ack-p.next) > 0) {
		h.count(s)
		return 0, nil, t.unacceptable(h, s, "it answers another SYN")
	}
	scale, flags := s.scale()
	switch {
	case h.flags&tcpSync == 0:
		h.isn, h.next, h.off = s.seq, s.seq+1, 0
		h.flags |= tcpSync
		h.timed, h.timedAt = s.seq+1, t.at
		h.flags |= tcpTimed
	case h.flags&tcpSYNSeen != 0:
		h.retrans++
		h.flags &^= tcpTimed // Karn's algorithm, RFC 6298, section 3
	}
	h.flags |= tcpSYNSeen | flags
	h.scale = scale
	if ack && p.flags&tcpSync == 0 {
		p.isn, p.next, p.off = s.ack-1, s.ack, 0
		p.flags |= tcpSync
	}
	h.shift, p.shift = shift(h, p), shift(p, h)
	return i, c, nil
}

// shift returns by how much the windows of h are shifted, RFC 7323, section 2.2:
// both SYNs must have the option.
func shift(h, p *tcpHalf) uint8 {
	switch {
	case h.flags&(tcpSYNSeen|tcpScaled) == tcpSYNSeen, p.flags&(tcpSYNSeen|tcpScaled) == tcpSYNSeen:
		return 0
	case h.flags&tcpSYNSeen != 0:
		return h.scale
	}
	return tcpMaxShift
}

// scale returns the window scale of a SYN, and tcpScaled if it has one.
func (s *tcpSegment) scale() (uint8, uint16) {
	if n, ok := pkts.TCPOptions(s.opts).WindowScale(); ok {
		return min(n, tcpMaxShift), tcpScaled
	}
	return 0, 0
}

func (t *TCP) unacceptable(h *tcpHalf, s *tcpSegment, reason string) error {
	t.stats.Unacceptable += uint64(len(s.data))
	return t.refuse(h.off, ErrUnacceptable, reason)
}

// confirms reports whether a segment shows that c.syn was taken for the
// beginning of another connection.
func (c *tcpConn) confirms(side int, s *tcpSegment) bool {
	if s.flags&(pkts.TCPAck|pkts.TCPRst) != pkts.TCPAck {
		return false
	}
	if s.flags&pkts.TCPSyn != 0 {
		return side != int(c.syn.side) && s.ack == c.syn.isn+1
	}
	// The third packet of the handshake, where the second was not captured.
	return side == int(c.syn.side) && s.seq == c.syn.isn+1 && s.seq != c.half[side].next
}

// succeed ends a connection in favour of the one that c.syn begins.
func (t *TCP) succeed(i int32, c *tcpConn, k *tcpKey) (int32, *tcpConn) {
	syn := c.syn
	i, c = t.replace(i, k, int(syn.side), &tcpSegment{})
	c.stream, c.first = syn.packet, syn.at
	h := &c.half[syn.side]
	h.isn, h.next = syn.isn, syn.isn+1
	h.flags = tcpSeen | tcpSYNSeen | tcpSync | tcpTimed
	if syn.scaled {
		h.flags |= tcpScaled
	}
	h.scale, h.packets = syn.scale, 1
	h.timed, h.timedAt = syn.isn+1, syn.at
	h.shift = shift(h, &c.half[syn.side^1])
	return i, c
}

// replace ends connection i, and makes another in its place.
func (t *TCP) replace(i int32, k *tcpKey, side int, s *tcpSegment) (int32, *tcpConn) {
	t.stats.Reused++
	key := *k // which lies in the slot
	t.expire(i, t.conns.at(i), CloseReused)
	i, slot := t.begin(&key, side, s)
	return i, &slot.conn
}

// reset takes a RST.
func (t *TCP) reset(i int32, c *tcpConn, k *tcpKey, side int, s *tcpSegment) error {
	h, p := &c.half[side], &c.half[side^1]
	t.stats.Unacceptable += uint64(len(s.data)) // some say why they reset, RFC 9293, section 3.5.3
	ok := true
	switch {
	case h.flags&tcpSync == 0:
		// The answer to a SYN acknowledges it.
		if p.flags&tcpSync != 0 && s.flags&pkts.TCPAck != 0 {
			ok = int32(s.ack-p.isn) > 0 && int32(s.ack-p.next) <= 0
		} else if p.flags&tcpAcked != 0 {
			ok = int32(s.seq-p.ack) >= 0 && (p.flags&tcpEdge == 0 || int32(s.seq-p.edge) <= 0)
		}
	case s.seq == h.next:
	default:
		from, to := h.next, h.next+math.MaxUint16
		if p.flags&tcpAcked != 0 && int32(p.ack-from) < 0 {
			from = p.ack
		}
		if p.flags&tcpEdge != 0 {
			to = p.edge
		}
		if h.flags&tcpFINSeen != 0 && int32(h.fin+1-to) > 0 {
			to = h.fin + 1
		}
		ok = int32(s.seq-from) >= 0 && int32(s.seq-to) <= 0
	}
	if !ok {
		t.stats.BadResets++
		return t.refuse(h.off, ErrUnacceptable, "the RST lies outside of the window")
	}
	c.resetBy = uint8(side)
	t.end(c, k, side, Reset)
	t.end(c, k, side^1, Reset)
	t.settled(i, c, CloseReset)
	return nil
}

// acknowledge takes the acknowledgment and the window of a segment.
func (t *TCP) acknowledge(c *tcpConn, k *tcpKey, side int, s *tcpSegment) {
	h, p := &c.half[side], &c.half[side^1]
	ahead := int32(s.ack - p.next)
	if p.flags&tcpSync != 0 && ahead > 0 && !(p.flags&tcpFINSeen != 0 && s.ack == p.fin+1) {
		// For bytes that were not seen. They cannot lie beyond the window.
		if h.flags&tcpEdge != 0 && int32(s.ack-h.edge) > 1 || ahead > tcpMaxWindow {
			// Unless the other side has sent so much: then the capture has
			// missed a lot, of both.
			if p.flags&tcpFarSeq == 0 || int32(s.ack-p.far) > 0 {
				t.stats.BadAcks++
				h.far = s.ack
				h.flags = h.flags&^tcpFarSeq | tcpFarAck
				return
			}
			p.flags &^= tcpFarSeq
		}
	}
	if h.flags&tcpAcked == 0 || int32(s.ack-h.ack) >= 0 {
		h.ack = s.ack
		h.flags |= tcpAcked
		edge := s.ack
		if s.flags&pkts.TCPSyn != 0 {
			edge += s.win // never scaled
		} else {
			edge += s.win << h.shift
		}
		if h.flags&tcpEdge == 0 || int32(edge-h.edge) > 0 {
			h.edge = edge
			h.flags |= tcpEdge
		}
	}
	if p.flags&tcpSync == 0 {
		return
	}
	if p.flags&tcpTimed != 0 && int32(s.ack-p.timed) >= 0 {
		p.flags &^= tcpTimed
		p.sample(t.at-p.timedAt, p.timed == p.isn+1)
	}
	if ahead > 0 && p.flags&tcpEnded == 0 {
		if p.flags&tcpFINSeen != 0 && int32(s.ack-p.fin) > 0 {
			p.missed(p.fin)
			if p.wait == 0 {
				t.pass(c, k, side^1, p.missing())
			}
		} else {
			p.missed(s.ack)
		}
	}
	if p.wait != 0 {
		w := t.waits.at(p.wait)
		w.sack(s.opts)
		t.settle(c, k, side^1)
	}
}

// tcpMaxWindow is the largest window, RFC 7323, section 2.3.
const tcpMaxWindow = 1 << 30

// missed notes that the bytes before seq were received, so that those that are
// not here will not come.
func (h *tcpHalf) missed(seq uint32) {
	if int32(seq-h.next) > 0 && (h.flags&tcpMissing == 0 || int32(seq-h.miss) > 0) {
		h.miss = seq
		h.flags |= tcpMissing
	}
}

// missing returns how many of the next bytes will not come.
func (h *tcpHalf) missing() uint32 {
	if h.flags&tcpMissing == 0 {
		return 0
	}
	if d := int32(h.miss - h.next); d > 0 {
		return uint32(d)
	}
	h.flags &^= tcpMissing
	return 0
}

// sample takes a round-trip time, RFC 6298, section 2.
func (h *tcpHalf) sample(rtt int64, syn bool) {
	if rtt < 0 || rtt > int64(time.Hour) {
		return
	}
	us := uint32(rtt / 1000)
	if syn && h.samples == 0 {
		h.rttSYN = max(us, 1)
	}
	if h.samples == 0 {
		h.rttMin, h.rttMean = us, us
	} else {
		h.rttMin = min(h.rttMin, us)
		h.rttMean += uint32((int64(us) - int64(h.rttMean)) / 8)
	}
	if h.samples++; h.samples == 0 {
		h.samples--
	}
}

// data takes the bytes of a segment, of which there are some.
func (t *TCP) data(c *tcpConn, k *tcpKey, side int, seq uint32, s *tcpSegment) error {
	h, p := &c.half[side], &c.half[side^1]
	data := s.data
	start, end := seq, seq+uint32(len(data))
	d := int32(seq - h.next)
	if d < 0 {
		old := uint64(min(uint32(len(data)), uint32(-d)))
		if h.flags&tcpTimed != 0 && int32(seq-h.timed) < 0 {
			h.flags &^= tcpTimed // Karn's algorithm
		}
		if old == 1 && len(data) == 1 && end == h.next && s.flags&pkts.TCPFin == 0 {
			if p.flags&tcpEdge != 0 && p.edge == p.ack {
				t.stats.WindowProbes++
			} else {
				t.stats.KeepAlives++
			}
			t.stats.Duplicate++
			h.retransBytes++
			return nil
		}
		t.duplicate(h, old)
		if data = data[old:]; len(data) == 0 {
			return nil
		}
		seq, d = h.next, 0
	}
	if h.flags&tcpFINSeen != 0 && int32(end-h.fin) > 0 {
		n := uint32(len(data))
		if int32(h.fin-seq) > 0 {
			n = end - h.fin
		}
		t.stats.Closed += uint64(n)
		if n == uint32(len(data)) {
			return t.refuse(h.off, ErrUnacceptable, "it lies behind the FIN")
		}
		end -= n
		data = data[:uint32(len(data))-n]
	}
	if p.flags&tcpEdge != 0 {
		if int32(seq-p.edge) > 0 {
			// Unless the other side has acknowledged so much, as above.
			if d := int32(seq - p.far); p.flags&tcpFarAck == 0 || d > 0 && uint32(d) > p.edge-p.ack {
				t.stats.Unacceptable += uint64(len(data))
				h.far = end
				h.flags = h.flags&^tcpFarAck | tcpFarSeq
				return t.refuse(h.off, ErrUnacceptable, "it lies outside of the window")
			}
			p.flags &^= tcpFarAck
			h.missed(p.far)
			p.ack, p.edge = p.far, p.far+(p.edge-p.ack)
		}
		if p.edge == p.ack && len(data) == 1 {
			t.stats.WindowProbes++
		}
	} else if d > tcpMaxWindow {
		t.stats.Unacceptable += uint64(len(data))
		return t.refuse(h.off, ErrUnacceptable, "it lies outside of any window")
	}
	at := -1 // where it can wait by itself
	for {
		if d > 0 && h.wait == 0 {
			// The capture may have missed what is before it.
			t.skip(h, min(h.missing(), uint32(d)))
		}
		if d = int32(seq - h.next); d < 0 {
			// Others were given up to make room, and came out.
			old := min(uint32(len(data)), uint32(-d))
			t.stats.Duplicate += uint64(old)
			if data = data[old:]; len(data) == 0 {
				return nil
			}
			seq, d = h.next, 0
		}
		if d == 0 {
			if h.wait == 0 {
				t.deliver(c, k, side, data, &t.seen, false)
				return nil
			}
			if w := t.waits.at(h.wait); uint64(len(data)) <= w.first(h.off)-h.off {
				t.count(h, p, w)
				t.deliver(c, k, side, data, &t.seen, false)
				t.drain(c, k, side)
				t.settle(c, k, side)
				return nil
			}
		}
		ok, gaveUp := false, false
		if at, ok, gaveUp = t.room(h, h.off+uint64(seq-h.next), len(data)); ok {
			break
		}
		if !gaveUp {
			t.stats.GivenUp++
			t.skip(h, uint32(d))
		}
	}
	return t.store(c, k, side, at, seq, start, end, data)
}

// tcpReorder is within which time a late segment was overtaken, not repeated, as
// long as no round-trip time is known.
const tcpReorder = int64(3 * time.Millisecond)

// count counts a segment that fills a gap: it was overtaken by others, or it was
// lost and is repeated, for which a round trip has to pass.
func (t *TCP) count(h, p *tcpHalf, w *tcpWait) {
	limit := tcpReorder
	if h.samples > 0 && p.samples > 0 {
		// The capture may be anywhere on the way.
		limit = min(max((int64(h.rttMin)+int64(p.rttMin))*1000, tcpReorder/10), int64(time.Second))
	}
	if t.at-w.since <= limit {
		t.stats.OutOfOrder++
		h.ooo++
		return
	}
	t.stats.Retransmissions++
	h.retrans++
}

// deliver puts out the next bytes of a direction. own says that the data stays
// where it is until the output is read.
func (t *TCP) deliver(c *tcpConn, k *tcpKey, side int, data []byte, seen *Seen, own bool) {
	h := &c.half[side]
	ch, waits := t.out.next()
	if waits && !own {
		data = t.out.copy(data)
	}
	ch.Offset = h.off
	h.off += uint64(len(data))
	h.next += uint32(len(data))
	t.stats.Delivered += uint64(len(data))
	var e Event
	if h.flags&tcpFINSeen != 0 && h.next == h.fin {
		h.flags |= tcpEnded
		e = End
	}
	ch.Events = e
	ch.fill(c, k, side, data, seen)
}

// event puts out a chunk without data, at off.
func (t *TCP) event(c *tcpConn, k *tcpKey, side int, off uint64, e Event) {
	ch, _ := t.out.next()
	ch.Offset, ch.Events = off, e
	ch.fill(c, k, side, nil, &t.seen)
}

// fill makes a chunk whose Offset and Events are set, field by field, as they are
// read.
func (ch *Chunk) fill(c *tcpConn, k *tcpKey, side int, data []byte, seen *Seen) {
	h := &c.half[side]
	if h.flags&tcpStarted == 0 {
		h.flags |= tcpStarted
		ch.Events |= Start
	}
	ch.Data = data
	ch.Lost, ch.Stream = h.gap, c.stream
	f := &ch.Flow
	src, dst, ports := k.ends(side)
	if k.ports&1 == 0 {
		f.Src, f.Dst = src.addr4(), dst.addr4()
	} else {
		f.Src, f.Dst = src.addr(true), dst.addr(true)
	}
	f.SrcPort, f.DstPort = uint16(ports>>16), uint16(ports)
	f.Proto, f.Fragment = pkts.IPProtoTCP, false
	ch.Seen = *seen
	ch.Tunnel = k.tunnel
	ch.Direction = Direction(uint8(side) ^ c.fwd)
	h.gap = 0
}

// skip gives up the next n bytes of a direction.
func (t *TCP) skip(h *tcpHalf, n uint32) {
	if n == 0 {
		return
	}
	if h.gap == 0 {
		h.gaps++
		t.stats.Gaps++
	}
	h.gap += uint64(n)
	h.lost += uint64(n)
	t.stats.Lost += uint64(n)
	h.off += uint64(n)
	h.next += n
}

// repeatedFIN counts a FIN that was there already, and that no data come with.
func (h *tcpHalf) repeatedFIN(seq uint32, s *tcpSegment) {
	if s.flags&pkts.TCPFin != 0 && h.flags&tcpFINSeen != 0 && s.wire == 0 && seq == h.fin {
		h.retrans++
	}
}

// finish takes a FIN with the sequence number fin, of a segment that begins at
// seq. The first one counts.
func (h *tcpHalf) finish(p *tcpHalf, seq, fin uint32) {
	if h.flags&(tcpFINSeen|tcpEnded) == 0 && int32(fin-h.next) >= 0 && (p.flags&tcpEdge == 0 || int32(seq-p.edge) <= 0) {
		h.fin = fin
		h.flags |= tcpFINSeen
	}
}

// pass gives up the next n bytes of a direction, but nothing behind its FIN. End
// comes out when that is reached, unless it is out.
func (t *TCP) pass(c *tcpConn, k *tcpKey, side int, n uint32) {
	h := &c.half[side]
	if h.flags&tcpFINSeen != 0 {
		n = min(n, h.fin-h.next)
	}
	t.skip(h, n)
	if h.flags&(tcpFINSeen|tcpEnded) == tcpFINSeen && h.next == h.fin {
		h.flags |= tcpEnded
		t.event(c, k, side, h.off, End)
	}
	if h.wait != 0 {
		t.drain(c, k, side)
	}
}

// passAll gives up the gap before what waits in a direction.
func (t *TCP) passAll(c *tcpConn, k *tcpKey, side int) {
	h := &c.half[side]
	t.pass(c, k, side, uint32(t.waits.at(h.wait).first(h.off)-h.off))
}

// end ends a direction with what there is of it, unless it has ended, or
// nothing of it was seen.
func (t *TCP) end(c *tcpConn, k *tcpKey, side int, e Event) {
	h := &c.half[side]
	if h.flags&(tcpSeen|tcpEnded) != tcpSeen {
		return
	}
	for h.wait != 0 {
		t.passAll(c, k, side)
	}
	if h.flags&tcpEnded != 0 {
		return // with the last chunk
	}
	off := uint64(tcpMidstream)
	if h.flags&tcpSync != 0 {
		n := h.missing()
		if h.flags&tcpFINSeen != 0 {
			n = h.fin - h.next
		}
		t.skip(h, n)
		off = h.off
	}
	h.flags |= tcpEnded
	t.event(c, k, side, off, End|e)
}

// sack takes the selective acknowledgments of a segment, RFC 2018, section 3.
func (w *tcpWait) sack(opts []byte) {
	if len(opts) < 10 {
		return
	}
	o, ok := pkts.TCPOptions(opts).Get(pkts.TCPOptionSACK)
	if !ok {
		return
	}
	w.sacks = 0
	if w.blocks == nil {
		w.blocks = new([tcpSACKs]pkts.SACKBlock)
	}
	for d := o.Data; len(d) >= 8 && w.sacks < tcpSACKs; d = d[8:] {
		w.blocks[w.sacks] = pkts.SACKBlock{Left: binary.BigEndian.Uint32(d), Right: binary.BigEndian.Uint32(d[4:])}
		w.sacks++
	}
}

// settle gives up the gaps before what waits that the receiver does not have.
func (t *TCP) settle(c *tcpConn, k *tcpKey, side int) {
	h, p := &c.half[side], &c.half[side^1]
	for h.wait != 0 && h.flags&tcpEnded == 0 {
		w := t.waits.at(h.wait)
		n := h.missing()
		if n == 0 && w.sacks == 0 {
			return
		}
		gap := uint32(w.first(h.off) - h.off)
		n = min(n, gap)
		for i := range w.sacks {
			b := w.blocks[i]
			if int32(b.Left-h.next) <= 0 && int32(b.Right-h.next) > 0 && (p.flags&tcpEdge == 0 || int32(b.Right-p.edge) <= 0) {
				n = max(n, min(b.Right-h.next, gap))
			}
		}
		if n == 0 {
			return
		}
		t.pass(c, k, side, n)
	}
}
