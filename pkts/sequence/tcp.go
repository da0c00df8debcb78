package sequence

import (
	"encoding/binary"
	"iter"
	"math"
	"net/netip"
	"time"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/pkts"
)

// The defaults of the Limits of a [TCP].
const (
	// TCPBytes is how much may wait altogether.
	TCPBytes = 256 << 20
	// TCPFlowBytes is how much may wait of one direction of a connection: what
	// the largest windows that systems use by default need.
	TCPFlowBytes = 8 << 20
	// TCPFlows is the number of connections.
	TCPFlows = 1_000_000
	// TCPIdle is how long a connection may be quiet.
	TCPIdle = 10 * time.Minute
)

// tcpLinger is how long a closed connection is remembered, so that what comes
// late does not look like the start of another: twice the maximum segment
// lifetime that systems use for TIME-WAIT, RFC 9293, section 3.4.2.
const tcpLinger = time.Minute

// tcpMidstream is where the offsets of a direction begin whose SYN was not seen.
const tcpMidstream = 1 << 32

// TCPPolicy says which bytes count when a segment overlaps another that still
// waits, and differs from it. What has been delivered is never taken back.
// Systems differ, and who knows that can show a monitor other bytes than the
// receiver gets: choose what the receiver does.
//
// Where the text says original, it is the segment that came first. A page of 2
// KiB tells the segments that wait in it apart as long as there are at most 8.
type TCPPolicy uint8

const (
	// TCPFirst keeps the original.
	TCPFirst TCPPolicy = iota
	// TCPLast takes the new segment.
	TCPLast
	// TCPBSD keeps the original unless the new segment begins before it:
	// FreeBSD, OpenBSD, NetBSD, macOS, AIX.
	TCPBSD
	// TCPLinux is TCPBSD, but also takes a new segment that begins where the
	// original does and ends behind it.
	TCPLinux
	// TCPWindows is TCPBSD: Windows behaves like it.
	TCPWindows
	// TCPSolaris takes the new segment unless the original ends behind it, or
	// ends with it and begins before it.
	TCPSolaris
	// TCPReject refuses a segment whose bytes differ from those that wait.
	TCPReject
)

// String returns the name, such as "linux".
func (p TCPPolicy) String() string {
	switch p {
	case TCPFirst:
		return "first"
	case TCPLast:
		return "last"
	case TCPBSD:
		return "bsd"
	case TCPLinux:
		return "linux"
	case TCPWindows:
		return "windows"
	case TCPSolaris:
		return "solaris"
	case TCPReject:
		return "reject"
	}
	return "unknown"
}

// takes reports whether a new segment [start, end) overrides an original one.
func (p TCPPolicy) takes(start, end, origStart, origEnd uint32) bool {
	begins := int32(start - origStart) // negative: before the original
	ends := int32(end - origEnd)       // positive: behind the original
	switch p {
	case TCPFirst, TCPReject:
		return false
	case TCPLast:
		return true
	case TCPBSD, TCPWindows:
		return begins < 0
	case TCPLinux:
		return begins < 0 || begins == 0 && ends > 0
	case TCPSolaris:
		return ends > 0 || ends == 0 && begins <= 0
	}
	return false
}

// TCP makes streams of segments, RFC 9293. Both directions of a connection
// belong together: the acknowledgments and windows of one side tell what the
// other side's segments are worth. The zero value works.
//
// # What comes out
//
// A [Chunk] for each stretch of a direction, in order. In-order data is not
// copied by PutGet. Bytes that come too early wait until those before them are
// there. They no longer wait when these will not come: when the receiver
// acknowledges bytes, in a cumulative or a selective acknowledgment (RFC 2018),
// that are not there, the capture has missed them, and the gap is reported in
// Chunk.Lost. Bytes that the network has lost are waited for, since the sender
// repeats them. Nothing is reported of a connection in which nothing was sent
// but what opens it, until it ends.
//
// Each direction of which a packet was seen has exactly one Start and one End.
// A FIN ends its direction only. A RST ends both.
//
// # What is refused
//
// A segment is taken when its receiver would take it, as far as that is known:
// it begins inside the window, with the scale of RFC 7323; its timestamp is not
// older than the last one (PAWS, RFC 7323, section 5); a RST lies in the window;
// an acknowledgment is not for more than could have been sent. What a segment
// carries beyond the FIN is refused. Refused segments are counted in
// [TCPStats], and are errors that wrap [ErrUnacceptable].
//
// A SYN with another initial sequence number begins a new connection: at once
// when the old one is closed, or its other side has not answered; otherwise, so
// that a forged SYN has no effect, with the first packet that confirms it.
//
// Checksums are looked at only when VerifyChecksums is set, since a capture on
// the sending machine sees segments whose checksums are yet to be computed.
//
// # Where the data come from
//
// Chunk.Seen is the packet that carried the chunk. Where what waits inside 2 KiB
// comes in more than 8 runs from segments that differ, small neighbours count as
// one, from the latest of their packets.
//
// Urgent data (RFC 6093) is part of the stream, at its place. Data on a SYN
// (RFC 7413) is the beginning of the stream.
//
// # What it costs
//
// The Limits are [TCPBytes], [TCPFlowBytes] (of each direction), [TCPFlows] and
// [TCPIdle] unless set. Bytes and FlowBytes bound what waits, with pages and
// lists: over a limit the gap that is open for
// longest is given up, and what waited behind it comes out, with Lost; the
// stream goes on. Connections over Flows, or quiet for longer than Idle, end
// with [Expired]. Beside that, a connection takes about 400 bytes. What is ready
// may take Bytes again: Put refuses input, with [ErrLimit], until it was read.
//
// The time a packet takes depends on the logarithm of what waits in its
// direction, never on the number of connections or of segments that wait.
type TCP struct {
	Limits
	// Policy decides between segments that overlap.
	Policy TCPPolicy
	// PolicyFor, unless nil, decides it for the connections to an address. It
	// is asked when one begins.
	PolicyFor func(receiver netip.Addr) TCPPolicy
	// VerifyChecksums refuses segments with a wrong checksum.
	VerifyChecksums bool
	// Began, unless nil, is told of each connection when it begins, with its
	// first packet, and Done when it is forgotten: some time after it was
	// closed, when a limit ended it, or by Flush. They must not call methods
	// of the TCP.
	Began, Done func(StreamInfo)

	lim   Limits
	idle  int64
	set   bool
	stats TCPStats
	base  time.Time // the clock's zero
	// baseSec and baseNano are base as seconds and nanoseconds.
	baseSec, baseNano int64
	clock             int64 // by the packets, ns since base; never goes back
	seen              Seen  // the packet at hand
	at                int64 // its time, ns since base
	conns             tcpTable
	// expiry is when the oldest connection of either list may be idle.
	expiry int64
	cur    int32 // the connection at hand
	began  int32 // the one that began with the packet at hand, or 0
	waits  tcpWaits
	out    tcpOut
	mptcp  *MPTCP // that has it, or nil
}

var _ Sequence[Datagram, Chunk] = (*TCP)(nil)

// TCPStats counts what a [TCP] has seen and done. Of bytes of payload it holds
// that
//
//	Bytes = Delivered + Duplicate + Unacceptable + Stale + Closed + BadChecksum + Conflicting + Limited + Waiting
type TCPStats struct {
	Datagrams uint64 // that were put
	Segments  uint64 // that are TCP, and whole
	Other     uint64 // datagrams of other protocols
	Fragments uint64 // fragments, which are not looked into: put [Fragments] before
	Malformed uint64 // datagrams or segments without a header that makes sense, or cut in it

	Bytes     uint64 // payload of all segments, as far as it was captured
	Delivered uint64 // bytes of chunks, read or ready to be read
	Duplicate uint64 // bytes that were there already
	// Unacceptable are bytes outside of the window, or not part of the stream
	// by a protocol violation.
	Unacceptable uint64
	Stale        uint64 // bytes of segments with an old timestamp
	Closed       uint64 // bytes behind a FIN, or after a RST
	BadChecksum  uint64 // bytes of segments with a wrong checksum
	Conflicting  uint64 // bytes of segments refused by TCPReject
	Limited      uint64 // bytes that Put refused for want of room
	Waiting      uint64 // bytes that wait for those before them

	Lost uint64 // bytes that were reported as missing
	Gaps uint64 // stretches of them

	Retransmissions uint64 // segments whose data, or a part of it, was there
	OutOfOrder      uint64 // segments that came after later ones
	KeepAlives      uint64 // segments with the last byte or none, to provoke an answer
	WindowProbes    uint64 // segments with one byte into a closed window
	Overlaps        uint64 // segments that overlapped waiting ones and differed
	Refused         uint64 // segments refused, for any reason
	BadResets       uint64 // of them, RST outside of the window
	BadAcks         uint64 // acknowledgments of what could not have been sent

	Streams uint64 // connections that began
	Reused  uint64 // of them, with addresses and ports of one that was known
	// Idle and Evicted are connections that ended because they were quiet for
	// too long, and because there were too many.
	Idle, Evicted uint64
	GivenUp       uint64 // gaps that were given up for want of memory

	Flows    int   // connections that are known, closed ones included
	Memory   int64 // bytes taken by what waits or is ready, with its bookkeeping
	MemoryHi int64 // the most that was
}

// Stats returns the counters.
func (t *TCP) Stats() TCPStats {
	s := t.stats
	s.Flows = t.conns.n
	s.Memory = t.memory()
	return s
}

// Properties says that a stream comes out in order.
func (t *TCP) Properties() Property { return Reorders }

// tcpKey identifies a connection: the lower endpoint first, so that both
// directions have the same.
type tcpKey struct {
	lo, hi ipAddr
	tunnel uint64
	ports  uint64 // lo's << 48, hi's << 32, and 1 for IPv6
}

func (k *tcpKey) equal(o *tcpKey) bool {
	return k.ports == o.ports && k.lo == o.lo && k.hi == o.hi && k.tunnel == o.tunnel
}

// ends returns the addresses and the ports of what the endpoint on this side
// sends.
func (k *tcpKey) ends(side int) (src, dst ipAddr, ports uint32) {
	src, dst, ports = k.lo, k.hi, uint32(k.ports>>32)
	if side != 0 {
		src, dst, ports = dst, src, ports<<16|ports>>16
	}
	return src, dst, ports
}

// flow returns the flow of what the endpoint on this side sends.
func (k *tcpKey) flow(side int) pkts.Flow {
	src, dst, ports := k.ends(side)
	v6 := k.ports&1 != 0
	return pkts.Flow{Src: src.addr(v6), Dst: dst.addr(v6), SrcPort: uint16(ports >> 16), DstPort: uint16(ports), Proto: pkts.IPProtoTCP}
}

// of makes k the key of a packet, and returns on which side of it its source is.
func (k *tcpKey) of(src, dst ipAddr, v6 bool, ports uint32, tunnel uint64) (side int) {
	k.tunnel = tunnel
	if dst.below(src) || src == dst && ports>>16 > ports&0xffff {
		src, dst = dst, src
		ports = ports<<16 | ports>>16
		side = 1
	}
	k.lo, k.hi = src, dst
	k.ports = uint64(ports) << 32
	if v6 {
		k.ports |= 1
	}
	return side
}

// tcpSegment is a segment at hand.
type tcpSegment struct {
	seq, ack uint32
	flags    pkts.TCPFlags
	win      uint32 // as it is in the header
	wire     uint32 // length of the payload on the wire
	data     []byte // as much of it as there is
	opts     []byte
	ts       uint32 // timestamp, if hasTS
	hasTS    bool
}

// Put takes a datagram; see [Sequence]. Those that are not TCP, and fragments,
// are counted and left alone.
func (t *TCP) Put(d Datagram) error {
	_, err := t.put(&d, nil)
	return err
}

// PutGet is Put followed by Get; see [Sequence].
func (t *TCP) PutGet(d Datagram) (c Chunk, ok bool, err error) {
	if t.out.empty() {
		if ok, err = t.put(&d, &c); ok {
			return c, true, err
		}
	} else {
		_, err = t.put(&d, nil)
	}
	if t.out.has {
		t.out.has = false
		return t.out.first, true, err
	}
	if !t.out.empty() {
		c, ok = t.out.get(), true
	}
	return c, ok, err
}

// Get returns the next chunk; see [Sequence].
func (t *TCP) Get() (c Chunk, ok bool) {
	if t.out.empty() {
		return c, false
	}
	return t.out.get(), true
}

// Flush ends all connections, with [Expired], and forgets them.
func (t *TCP) Flush() {
	t.release()
	t.out.direct = false
	for {
		i, s := t.conns.oldest(tcpOpen)
		if i == 0 {
			break
		}
		t.expire(i, s, CloseFlush)
	}
	for {
		i, s := t.conns.oldest(tcpClosed)
		if i == 0 {
			break
		}
		t.forget(i, s)
	}
	t.set = false // the next capture may be of an earlier time
}

// start prepares for the first packet.
func (t *TCP) start() {
	t.lim = t.Limits.or(Limits{Bytes: TCPBytes, FlowBytes: TCPFlowBytes, Flows: TCPFlows, Idle: TCPIdle})
	t.idle = int64(t.lim.Idle)
	if t.idle < 0 {
		t.idle = math.MaxInt64 / 4
	}
	t.set = true
	t.expiry = math.MinInt64
	t.base, t.clock = time.Time{}, 0
}

// tcpNoTime is the time of a packet that has none.
const tcpNoTime = math.MinInt64

// tick takes the time of a packet.
func (t *TCP) tick(d *Datagram) {
	t.seen = d.Seen
	sec := d.Time.Unix()
	if sec == tcpZeroTime && d.Time.Nanosecond() == 0 {
		t.at = tcpNoTime
		return
	}
	if t.base.IsZero() {
		t.base, t.baseSec, t.baseNano = d.Time, sec, int64(d.Time.Nanosecond())
	}
	// A quarter of the range, so that differences do not overflow.
	sec = min(max(sec-t.baseSec, math.MinInt64/4_000_000_000), math.MaxInt64/4_000_000_000)
	t.at = sec*1e9 + int64(d.Time.Nanosecond()) - t.baseNano
	t.clock = max(t.clock, t.at)
}

// tcpZeroTime is the Unix time of the zero time.
const tcpZeroTime = -62135596800

// when is the inverse of tick.
func (t *TCP) when(at int64) time.Time {
	if at == tcpNoTime {
		return time.Time{}
	}
	return t.base.Add(time.Duration(at))
}

// put takes a datagram. The first chunk that is ready may be given without being
// copied if c is not nil: in c, if given, or in t.out.first.
func (t *TCP) put(d *Datagram, c *Chunk) (given bool, err error) {
	t.release()
	t.out.direct = c != nil
	if !t.set {
		t.start()
	}
	t.stats.Datagrams++
	t.tick(d)
	if t.clock > t.expiry {
		t.expireSome()
	}
	var src, dst ipAddr
	v6, hdr, end := false, pkts.IPv4MinLen, plainTCP(d.Data)
	wire := end
	if end != 0 {
		src, dst = ip4Addr(binary.BigEndian.Uint32(d.Data[12:])), ip4Addr(binary.BigEndian.Uint32(d.Data[16:]))
	} else {
		var h ipHeader
		if err := h.parse(d); err != nil {
			t.stats.Malformed++
			return false, err
		}
		if h.proto != pkts.IPProtoTCP {
			t.stats.Other++
			return false, nil
		}
		if h.frag {
			t.stats.Fragments++
			return false, nil
		}
		src, dst, v6, hdr, end, wire = h.src, h.dst, h.v6, h.hdr, h.end, h.wire
	}
	b := d.Data[hdr:end]
	if len(b) < pkts.TCPMinLen {
		return false, t.malformed(ErrTruncated, "the header is cut")
	}
	v := pkts.TCPView(b)
	n := v.HeaderLen()
	if n < pkts.TCPMinLen || n > wire-hdr {
		return false, t.malformed(ErrMalformed, "the data offset makes no sense")
	}
	if n > len(b) {
		return false, t.malformed(ErrTruncated, "the options are cut")
	}
	// Field by field: a literal is made elsewhere and copied in larger pieces.
	var s tcpSegment
	s.seq, s.ack, s.flags, s.win = v.Seq(), v.Ack(), v.Flags(), uint32(v.Window())
	s.wire = uint32(wire - hdr - n)
	s.data, s.opts = b[n:len(b):len(b)], b[pkts.TCPMinLen:n]
	t.stats.Segments++
	t.stats.Bytes += uint64(len(s.data))
	if t.VerifyChecksums && wire == end && !checksumOK(src.addr(v6), dst.addr(v6), b) {
		t.stats.BadChecksum += uint64(len(s.data))
		return false, t.refuse(0, ErrMalformed, "the checksum is wrong")
	}
	if !t.out.empty() && t.out.memory+int64(len(s.data))+tcpChunkCost > t.lim.Bytes {
		t.stats.Limited += uint64(len(s.data))
		return false, t.refuse(0, ErrLimit, "what is ready was not read: call Get")
	}
	if len(s.opts) > 0 {
		s.options()
	}
	var k tcpKey
	side := k.of(src, dst, v6, binary.BigEndian.Uint32(b), d.Tunnel)
	i, slot := t.conns.get(&k)
	switch {
	case slot == nil:
		i, slot = t.begin(&k, side, &s)
	case slot.list == tcpClosed:
		if old := &slot.conn; t.clock-old.touched <= int64(tcpLinger) && !old.succeeded(side, &s) {
			return false, t.late(old, side, &s)
		}
		t.stats.Reused++
		t.forget(i, slot)
		i, slot = t.begin(&k, side, &s)
	case t.clock-slot.conn.last > t.idle:
		t.expire(i, slot, CloseIdle)
		i, slot = t.begin(&k, side, &s)
	case t.clock-slot.conn.touched >= int64(time.Second):
		slot.conn.touched = t.clock
		t.conns.move(tcpOpen, i)
	}
	if given = c != nil && t.next(&slot.conn, &k, side, &s, c); !given {
		err = t.segment(i, &slot.conn, &k, side, &s)
	}
	if t.mptcp != nil && err == nil {
		t.mptcp.segment(&slot.conn, &k, side, &s) // one that was replaced has left its slot to the next
	}
	if t.began != 0 {
		slot = t.conns.at(t.began)
		t.began = 0
		t.Began(t.info(&slot.key, &slot.conn))
	}
	return given, err
}

// checksumOK verifies the checksum of a segment, RFC 9293, section 3.1.
func checksumOK(src, dst netip.Addr, b []byte) bool {
	sum, _ := checksum.Pseudo(src, dst, uint8(pkts.IPProtoTCP), len(b))
	return checksum.Valid(b, sum)
}

func (t *TCP) malformed(sentinel error, reason string) error {
	t.stats.Malformed++
	return &Error{Layer: "TCP", Packet: t.seen.Packet, Err: sentinel, Reason: reason}
}

func (t *TCP) refuse(offset uint64, sentinel error, reason string) error {
	t.stats.Refused++
	return &Error{Layer: "TCP", Packet: t.seen.Packet, Offset: offset, Err: sentinel, Reason: reason}
}

// options finds the timestamp.
func (s *tcpSegment) options() {
	o := s.opts
	if len(o) >= 12 && binary.BigEndian.Uint32(o) == 0x0101080a { // as RFC 7323, appendix A, has it
		s.ts, s.hasTS = binary.BigEndian.Uint32(o[4:]), true
		return
	}
	for len(o) > 0 {
		switch k := pkts.TCPOptionKind(o[0]); k {
		case pkts.TCPOptionEnd:
			return
		case pkts.TCPOptionNop:
			o = o[1:]
		default:
			if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
				return
			}
			if k == pkts.TCPOptionTimestamps && o[1] == 10 {
				s.ts, s.hasTS = binary.BigEndian.Uint32(o[2:]), true
				return
			}
			o = o[o[1]:]
		}
	}
}

// memory returns what is taken by what waits and what is ready.
func (t *TCP) memory() int64 { return t.waits.memory + t.out.memory }

// Streams yields the connections that are known, those that were quiet for
// longest first, and then those that are closed but not forgotten. Put nothing
// meanwhile.
func (t *TCP) Streams() iter.Seq[StreamInfo] {
	return func(yield func(StreamInfo) bool) {
		for list := range t.conns.lists {
			for i := t.conns.lists[list].oldest; i != 0; {
				s := t.conns.at(i)
				i = s.next
				if !yield(t.info(&s.key, &s.conn)) {
					return
				}
			}
		}
	}
}

// Stream returns what is known of the connection of a chunk, and false when it
// was forgotten: at an End that has Expired, see Done.
func (t *TCP) Stream(c *Chunk) (StreamInfo, bool) {
	var k tcpKey
	k.of(ipAddrOf(c.Flow.Src), ipAddrOf(c.Flow.Dst), c.Flow.Src.Is6(), uint32(c.Flow.SrcPort)<<16|uint32(c.Flow.DstPort), c.Tunnel)
	if _, s := t.conns.get(&k); s != nil && s.conn.stream == c.Stream {
		return t.info(&k, &s.conn), true
	}
	return StreamInfo{}, false
}
