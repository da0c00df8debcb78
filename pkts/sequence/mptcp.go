package sequence

import (
	"iter"

	"github.com/gopkts/gopkts/pkts"
)

// MPTCP makes streams of segments as [TCP] does, and joins the subflows of
// Multipath TCP (RFC 8684, and version 0, RFC 6824) into one connection: what
// went over any of them comes out once, in the order of the data sequence. Other
// connections come out as a TCP gives them. The zero value works.
//
// # What is joined
//
// A connection is one of Multipath TCP when its handshake was captured: the SYN
// and the SYN with ACK with MP_CAPABLE, and both keys in what follows. A subflow
// belongs to it when its SYN names the token of a key, the answer has the right
// HMAC (RFC 8684, section 3.2), and so has the acknowledgment of the answer;
// where that was not captured, the first data sequence signal of who answered
// counts. So a join counts when its receiver would take it. What is neither comes
// out as a connection of its own, with the bytes of the subflow: also where
// the handshake was not captured, so that nobody knows which subflows belong
// together.
//
// A subflow whose token nobody has waits for the keys, which the capture may have
// put behind it: for 3 seconds, or as long as the handshake that its token is
// from is not complete, as one of 64 at most. Up to 64 signals of each direction
// wait with it.
//
// A Chunk of a joined connection has the Stream, the Flow and the Direction of
// its first subflow. Offset 0 is the first byte of the data. Its Seen is the
// packet that carried the bytes, on whatever subflow; Lost are bytes of the data
// that no subflow has brought. A direction ends with the DATA_FIN; both end
// with an MP_FASTCLOSE that has the right key. The FIN or RST of a subflow ends
// nothing but that.
//
// # What is believed
//
// A subflow's segments and their options count when TCP takes the segment. A
// mapping (section 3.3.1) says where bytes of the subflow belong. It may come
// before them, and after them: bytes without one wait for it. The first mapping of
// a byte counts; others are counted as conflicts. The data then are judged as
// those of a connection are: by the window that belongs to the DATA_ACK, by what
// was acknowledged and is not there, and by TCP.Policy where bytes on two
// subflows differ.
//
// Where the handshake asks for checksums, a mapping without one does not count,
// and neither does one with one where it does not (in version 0 the checksum is
// ignored then). The bytes of a mapping wait until it is complete. When its
// checksum is wrong, Put says so with [ErrMalformed], and what its subflow brings
// from there on waits for what the receiver does (section 3.7):
//
//   - It ends the subflow: the bytes do not count. They come on another one.
//   - It goes on with the only subflow that there ever was, which an infinite
//     mapping, or data without any, tells: the bytes count, altered as they are,
//     since the receiver gives them to its application. Linux does so, and sends
//     a DATA_ACK, before that.
//
// A mapping some of whose bytes were not captured counts unverified.
//
// A connection goes on without mappings (section 3.7) when its first data have
// none, with an infinite one, and with data without one on the only subflow
// that there ever was, when its receiver has acknowledged some but has never sent
// a data sequence signal, or there was an MP_FAIL: its bytes belong where they
// follow.
//
// # What it costs
//
// The limits are those of the TCP, for the subflows, and once more for what is
// joined: what waits on subflows for a mapping, and mappings, may take
// TCP.Limits.Bytes, and FlowBytes of each direction of a subflow; what waits for
// data of other subflows may take them, too. Over a limit, bytes that wait for a
// mapping are given up and counted, of the subflow first that was quiet for
// longest; a connection that might still become one of Multipath TCP is taken
// for one that does not; mappings of which only a part is there are not verified.
// Mappings beyond 1,024 that wait in a direction, and subflows beyond 64 of a
// connection, are not taken; with checksums, those that follow each other are one
// then, and not verified. Beside that, a joined
// connection takes about 1 KiB, and a subflow as much.
type MPTCP struct {
	// TCP takes the segments. Its fields are to be set before the first packet;
	// Began and Done are told of every TCP connection, subflows included, and
	// what its methods say is true of those. What puts and gets is for
	// MPTCP to call.
	TCP TCP
	// Began, unless nil, is told of each joined connection when both keys are
	// known, and Done when it is forgotten. They must not call methods of the
	// MPTCP.
	Began, Done func(MPTCPInfo)

	set   bool
	data  TCP // the level of the data: each joined connection is one of it
	conns map[int32]*mptcpConn
	subs  map[mptcpID]*mptcpSub
	// early are subflows whose token nobody has, the oldest first, and earlyAt is
	// when the next one may have waited for long enough.
	early   []*mptcpSub
	earlyAt int64
	// expected are the tokens of handshakes that are not complete.
	expected map[mptcpToken]*mptcpSub
	// tokens are those of the joined connections.
	tokens map[mptcpToken]*mptcpConn
	// dead are subflows that TCP has forgotten; what it has said of them before
	// may still wait to be taken.
	dead   []mptcpID
	signal mptcpSignal // of the packet at hand
	hold   mptcpHolders
	err    error // to be told with the next input
	stats  MPTCPStats
}

var _ Sequence[Datagram, Chunk] = (*MPTCP)(nil)

// MPTCPStats counts what an [MPTCP] has seen and done. Of the bytes that the
// subflows and the other connections have brought it holds that
//
//	TCP.Delivered = Passed + Data.Bytes + Unmapped + Corrupt + Over + Waiting + Ready
type MPTCPStats struct {
	TCP TCPStats // of all segments
	// Data is the same of the joined connections. Its segments are stretches of
	// a subflow that one mapping covers, and signals. What waits here waits for
	// data of other subflows.
	Data TCPStats

	Passed   uint64 // bytes of connections that are not joined
	Unmapped uint64 // bytes of subflows for which no mapping came
	// Corrupt are bytes of mappings whose checksum is wrong, or that were not
	// complete when their subflow ended, so that the receiver has not taken them.
	Corrupt uint64
	Over    uint64 // bytes of subflows whose connection was over and forgotten
	Waiting uint64 // bytes that wait for a mapping, the rest of it, or a handshake
	Ready   uint64 // bytes that were not read from TCP yet

	Connections   uint64 // of Multipath TCP
	Subflows      uint64 // of them, the first one included
	Fallbacks     uint64 // connections that went on without mappings
	UnknownTokens uint64 // joins with a token that nobody has
	BadJoins      uint64 // joins that were not answered, or with a wrong HMAC
	// BadMappings are mappings outside of what the receiver would take, with or
	// without a checksum against the handshake, and infinite ones besides others.
	BadMappings  uint64
	BadChecksums uint64 // mappings, and DATA_FINs, whose checksum is wrong
	Unchecked    uint64 // mappings whose checksum was not verified, for want of bytes or memory
	Fails        uint64 // MP_FAIL: an endpoint found a checksum wrong
	Conflicts    uint64 // mappings that differ from one before
	LimitedMaps  uint64 // mappings, and early signals, for which there was no room
	BadSignals   uint64 // DATA_ACKs and DATA_FINs with impossible numbers, and MP_FASTCLOSE with a wrong key
	GivenUp      uint64 // directions of subflows whose waiting bytes were given up for want of memory
	Refused      uint64 // datagrams that were not taken because what is ready was not read

	Memory int64 // bytes taken by mappings and what waits for them
}

// MPTCPInfo is what an [MPTCP] knows of a joined connection.
type MPTCPInfo struct {
	// StreamInfo is the level of the data. Packets are stretches of subflows
	// that one mapping covers, and signals; Bytes, Lost and the others are of
	// the data, repetitions on other subflows included. Handshake is that of
	// the first subflow.
	StreamInfo
	Version uint8 // of Multipath TCP
	// Tokens are those of the keys, of each Direction's sender.
	Tokens [2]uint32
	// Subflows are the numbers of the subflows, as in StreamInfo.Stream, in
	// the order in which they joined.
	Subflows []uint64
	// Checksums says that mappings have checksums.
	Checksums bool
	// Fallback says that there are no more mappings.
	Fallback bool
}

// Properties says that a stream comes out in order.
func (m *MPTCP) Properties() Property { return Reorders }

// Stats returns the counters.
func (m *MPTCP) Stats() MPTCPStats {
	s := m.stats
	s.TCP, s.Data = m.TCP.Stats(), m.data.Stats()
	s.Memory = m.hold.memory
	o := &m.TCP.out
	if o.has {
		s.Ready += uint64(len(o.first.Data))
	}
	for i := o.head; i < len(o.queue); i++ {
		s.Ready += uint64(len(o.queue[i].Data))
	}
	return s
}

// Streams yields the joined connections that are known, in the order of
// [TCP.Streams]. Put nothing meanwhile.
func (m *MPTCP) Streams() iter.Seq[MPTCPInfo] {
	return func(yield func(MPTCPInfo) bool) {
		d := &m.data
		for list := range d.conns.lists {
			for i := d.conns.lists[list].oldest; i != 0; {
				c := m.conns[i]
				i = d.conns.at(i).next
				if !yield(m.info(c)) {
					return
				}
			}
		}
	}
}

func (m *MPTCP) info(c *mptcpConn) MPTCPInfo {
	s := m.data.conns.at(c.slot)
	return MPTCPInfo{
		StreamInfo: m.data.info(&s.key, &s.conn), Version: c.version, Tokens: c.token,
		Subflows: append([]uint64(nil), c.numbers...), Checksums: c.checks, Fallback: c.fallback,
	}
}

// Put takes a datagram; see [Sequence] and [TCP.Put].
func (m *MPTCP) Put(d Datagram) error {
	m.begin()
	err := m.put(&d)
	m.drain()
	return join(m.takeErr(), err)
}

// PutGet is Put followed by Get; see [Sequence].
func (m *MPTCP) PutGet(d Datagram) (Chunk, bool, error) {
	m.begin()
	m.data.out.direct = m.data.out.empty()
	err := m.put(&d)
	if o := &m.data.out; o.has || !o.empty() {
		m.drain() // something older comes first: what d has is copied
	}
	c, ok := m.Get()
	return c, ok, join(m.takeErr(), err)
}

// Get returns the next chunk; see [Sequence].
func (m *MPTCP) Get() (c Chunk, ok bool) {
	for {
		// What is joined, and what was moved there, is older than what TCP has.
		switch o := &m.data.out; {
		case o.has:
			o.has = false
			return o.first, true
		case !o.empty():
			return o.get(), true
		}
		if !m.next(&c) {
			if !m.finish() {
				return Chunk{}, false
			}
		} else if m.take(&c) {
			if o := &m.data.out; o.has || !o.empty() {
				m.pass(&c) // behind what waited for the handshake
				continue
			}
			m.stats.Passed += uint64(len(c.Data))
			return c, true
		}
	}
}

// Flush ends all connections, with [Expired], and forgets them.
func (m *MPTCP) Flush() {
	m.begin()
	m.TCP.Flush()
	m.drain()
	m.data.seen = m.TCP.seen
	m.data.Flush()
	m.set = false
}

// begin comes before every input: nobody reads any more what was given.
func (m *MPTCP) begin() {
	m.data.out.direct = false
	m.drain()
	m.data.release()
}

// drain moves what TCP has ready to what is joined.
func (m *MPTCP) drain() {
	var c Chunk
	for {
		if !m.next(&c) {
			if !m.finish() {
				return
			}
		} else if m.take(&c) {
			m.pass(&c)
		}
	}
}

// next takes the next chunk from TCP.
func (m *MPTCP) next(c *Chunk) bool {
	switch o := &m.TCP.out; {
	case o.has:
		o.has = false
		*c = o.first
	case !o.empty():
		*c = o.get()
	default:
		return false
	}
	return true
}

// pass puts out a chunk of a connection that is not joined.
func (m *MPTCP) pass(c *Chunk) {
	m.stats.Passed += uint64(len(c.Data))
	ch, waits := m.data.out.next()
	*ch = *c
	if waits {
		ch.Data = m.data.out.copy(c.Data)
	}
}

func (m *MPTCP) takeErr() error {
	err := m.err
	m.err = nil
	return err
}

// put gives a datagram to TCP.
func (m *MPTCP) put(d *Datagram) error {
	t := &m.data
	if !m.set {
		m.start()
	}
	t.tick(d)
	if t.clock > t.expiry {
		t.expireSome()
	}
	if len(m.early) > 0 && t.clock > m.earlyAt {
		m.expireEarly()
	}
	if !t.out.empty() && t.out.memory+int64(len(d.Data))+tcpChunkCost > t.lim.Bytes {
		m.stats.Refused++
		return &Error{Layer: "MPTCP", Packet: d.Packet, Err: ErrLimit, Reason: "what is ready was not read: call Get"}
	}
	given, err := m.TCP.put(d, &m.TCP.out.first)
	if given {
		m.TCP.out.has = true
	}
	return err
}

// start prepares for the first packet.
func (m *MPTCP) start() {
	m.set = true
	m.TCP.mptcp = m
	t := &m.data
	t.Limits, t.Policy, t.PolicyFor = m.TCP.Limits, m.TCP.Policy, m.TCP.PolicyFor
	t.mptcp = m
	t.start()
	if m.subs == nil {
		m.conns, m.subs = map[int32]*mptcpConn{}, map[mptcpID]*mptcpSub{}
		m.tokens, m.expected = map[mptcpToken]*mptcpConn{}, map[mptcpToken]*mptcpSub{}
	}
}

// forget is told that connection i is to be taken out of a table.
func (m *MPTCP) forget(t *TCP, i int32, s *tcpSlot) {
	if t == &m.data {
		m.over(i)
	} else {
		m.forgotten(s)
	}
}

// forgotten is told that TCP forgets a connection.
func (m *MPTCP) forgotten(s *tcpSlot) {
	if len(m.subs) == 0 {
		return
	}
	id := mptcpID{s.conn.stream, s.key.tunnel}
	if sub := m.subs[id]; sub != nil {
		m.dead = append(m.dead, id)
		sub.tcp = nil
	}
}

// over is told that the level of the data forgets a connection.
func (m *MPTCP) over(i int32) {
	c := m.conns[i]
	if m.Done != nil {
		m.Done(m.info(c))
	}
	delete(m.conns, i)
	c.gone = true
	for _, token := range c.token {
		if id := (mptcpToken{token, c.tunnel}); m.tokens[id] == c {
			delete(m.tokens, id)
		}
	}
}

// finish does what waits until all chunks of a packet are taken. It reports
// whether there was anything to do.
func (m *MPTCP) finish() bool {
	did := false
	if m.signal.sub != nil {
		s := m.signal
		m.signal = mptcpSignal{}
		m.obey(&s)
		did = true
	}
	for _, id := range m.dead {
		if sub := m.subs[id]; sub != nil {
			m.leave(id, sub)
		}
		did = true
	}
	m.dead = m.dead[:0]
	return did
}

// take takes a chunk of TCP. It reports true for one that is to be passed on.
func (m *MPTCP) take(c *Chunk) bool {
	if len(m.subs) == 0 {
		return true
	}
	id := mptcpID{c.Stream, c.Tunnel}
	sub := m.subs[id]
	if sub == nil {
		return true
	}
	d := &sub.dirs[c.Direction&1]
	if sub.state != mptcpJoined {
		if c.Events.Has(End) {
			m.plain(id, sub)
			return true
		}
		m.keep(sub, d, c)
		return false
	}
	switch {
	case d.waits():
		m.keep(sub, d, c)
		if sub.conn.checks {
			m.replay(sub, c.Direction&1, mptcpWait) // a mapping may be complete
		}
	case m.place(sub, c, nil, mptcpWait):
		m.keep(sub, d, c)
	}
	if c.Events.Has(End) {
		how := mptcpEnded
		if c.Events.Has(Expired) {
			how = mptcpGiveUp
		}
		m.replay(sub, c.Direction&1, how)
	}
	return false
}

// unwrap returns the number whose lower 32 bits are low that is next to near.
func unwrap(near uint64, low uint32) uint64 {
	return near + uint64(int64(int32(low-uint32(near))))
}

// mptcpOptions are the Multipath TCP options of a segment, the last of each kind.
type mptcpOptions struct {
	capable, join, dss, fast pkts.MPTCPOption
	has                      uint16 // bits by subtype
}

// mptcpAny reports whether there is a Multipath TCP option.
func mptcpAny(o []byte) bool {
	for len(o) > 0 {
		switch k := pkts.TCPOptionKind(o[0]); k {
		case pkts.TCPOptionEnd:
			return false
		case pkts.TCPOptionNop:
			o = o[1:]
		default:
			if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
				return false
			}
			if k == pkts.TCPOptionMPTCP {
				return true
			}
			o = o[o[1]:]
		}
	}
	return false
}

func (o *mptcpOptions) parse(opts []byte) {
	for _, x := range pkts.TCPOptions(opts).MPTCP() {
		switch x.Subtype {
		case pkts.MPTCPCapable:
			o.capable = x
		case pkts.MPTCPJoin:
			o.join = x
		case pkts.MPTCPDSS:
			o.dss = x
		case pkts.MPTCPFastClose:
			o.fast = x
		case pkts.MPTCPFail:
		default:
			continue
		}
		o.has |= 1 << x.Subtype
	}
}
