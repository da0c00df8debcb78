package sequence

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"

	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sctp"
)

// sctpLimits are the defaults of [SCTP.Limits].
var sctpLimits = Limits{
	Bytes:     256 << 20,
	FlowBytes: 16 << 20,
	Flows:     1 << 16,
	Idle:      10 * time.Minute,
}

const (
	// sctpAhead is how far a TSN may be from the last one that was accounted
	// for. What is farther belongs to another association, or to none.
	sctpAhead = 1 << 17
	// sctpStrange is how many packets in a row must be farther away, or have
	// the same other verification tag, before they are believed.
	sctpStrange = 4
	// sctpCands, sctpAddrs, sctpPaths and sctpTags bound what is remembered of an
	// association: the tags of one end that were offered and not used yet, the
	// addresses of one end, the pairs of addresses beside the first, and the
	// tags of both ends by which it is found.
	sctpCands = 4
	sctpAddrs = 16
	sctpPaths = 15
	sctpTags  = 16
	// sctpPartial is how many messages in I-DATA a direction may have of which
	// fragments are to come whose TSNs are not known.
	sctpPartial = 4096
	// sctpFlows is how many associations there can be: with one of their paths
	// or tags, they are 32 bits.
	sctpFlows = 1 << 27

	// sctpSpare, sctpPages and sctpParts are how many of what is used again are
	// kept.
	sctpSpare = 64
	sctpPages = 256
	sctpParts = 1 << 10

	// What things take, in bytes.
	sctpAssocSize  = 1600
	sctpPathSize   = 150
	sctpStreamSize = 600 // of 64 streams
	sctpPageSize   = 600
	sctpRunSize    = 220
	sctpWaitSize   = 250
)

// SCTP puts the messages of SCTP associations together: fragments are joined,
// each stream's ordered messages come in order, unordered ones at once. It takes
// IP packets that are whole (put [Fragments] before it), leaves others than SCTP
// alone, and knows DATA, RFC 9260, and I-DATA, RFC 8260.
//
// Both directions of an association are known together. It is found by its
// addresses and ports, or by its ports and verification tag if at least one of
// the addresses is known from it: multihomed ends use several. [Message.Stream]
// is the packet of its INIT, or the first one that was seen of it; Message.Flow
// has the addresses of that packet in all its messages, and [Message.Channel] is
// the SCTP stream.
//
// # What does not come
//
// A message is waited for until the receiver has acknowledged it (then it was
// received and not captured), the sender has given it up (FORWARD TSN), the
// association has ended, or the Limits demand it. What was held back by it then
// comes out; [Message.Lost] says how many messages of the stream are missing
// before. Of unordered messages nobody knows how many there were. Fragments of a
// message whose others are missing are given with an Err that is
// [ErrTruncated]. Of messages in I-DATA that have begun and are not complete, one
// direction has 4,096 at most; the oldest is given up, and has [ErrLimit].
//
// # Who is believed
//
// A packet must have the verification tag of its receiver, where that is known.
// An INIT in an association that exists changes nothing until packets use the
// new tags; then it has been restarted, and is another Stream. Checksums are
// verified only on demand: captures of packets on their way out often have none.
type SCTP struct {
	// Limits bounds what is kept. A flow is an association, FlowBytes what waits
	// in both directions of it. By default 256 MiB, 16 MiB, 65,536
	// associations, 10 minutes.
	Limits Limits
	// VerifyChecksum refuses packets whose checksum is wrong.
	VerifyChecksum bool
	// UDPPorts are the ports at which UDP carries SCTP, RFC 6951; none by
	// default. [sctp.UDPPort] is the usual one.
	UDPPorts []uint16

	lim    Limits
	assocs table[sctpPath, sctpAssoc] // by the path that was seen first
	paths  tableIndex                 // of the others
	tags   tableIndex
	mem    int64
	now    time.Time
	stats  SCTPStats
	out    outbox
	seed   [6]uint64
	spare  []*sctpWait
	pages  []*sctpPage // for reuse
	parts  *sctpPart   // for reuse
	nparts int
	errs   []Error // for use
	guess  int     // the length of the last message of several fragments
}

var _ Sequence[Datagram, Message] = (*SCTP)(nil)

// SCTPStats counts what [SCTP] has done. In is the sum of Delivered, Broken,
// Duplicate, Refused and Waiting.
type SCTPStats struct {
	// Packets counts those with SCTP, and Ignored those without.
	Packets, Ignored uint64
	// Messages counts those that were whole, Lost those that are known to be
	// missing from the ordered ones.
	Messages, Lost uint64
	// In is the user data that were seen, in bytes; Delivered those in
	// messages, Broken those in messages with Err.
	In, Delivered, Broken uint64
	// Duplicate are user data whose TSN was accounted for: sent again, or too
	// late.
	Duplicate uint64
	// Refused are user data that no association can take: a wrong tag, a TSN
	// that is too far away, a malformed chunk.
	Refused uint64
	// Waiting are user data that wait for others.
	Waiting uint64
	// Associations counts those that were seen, Restarts those of them that
	// replaced one, Evicted those that were given up because of Limits.
	Associations, Restarts, Evicted uint64
	// Flows is how many associations are known, Bytes the memory for them.
	Flows int
	Bytes int64
}

// sctpPath is how associations are found: by two addresses, and the ports. The
// lower address is in front, so that both directions have the same.
type sctpPath struct {
	lo, hi ipAddr
	ports  uint32 // lo's and hi's
	udp    bool
	tunnel uint64
}

// sctpAlt is a path beside the first. A packet whose source is lo goes in the
// direction flip, others in the other one.
type sctpAlt struct {
	path sctpPath
	flip Direction
}

// sctpTag finds them by the tag that packets in one direction carry.
type sctpTag struct {
	tag, ports uint32 // those of the source and the destination
	udp        bool
	tunnel     uint64
}

// sctpTagOf is a tag of an end.
type sctpTagOf struct {
	tag uint32
	end Direction
}

type sctpRef struct {
	assoc int32
	dir   Direction
}

// sctpAssoc is an association.
type sctpAssoc struct {
	stream uint64
	tunnel uint64
	udp    bool
	flip   Direction // as in sctpAlt
	closed bool      // it has ended; what comes now is late
	ntags  uint8
	flow   [2]pkts.Flow
	ends   [2]sctpEnd  // the one that opened it, and the other
	halves [2]sctpHalf // what each of them has sent
	paths  []sctpAlt   // without the first
	tags   [sctpTags]sctpTagOf
	last   time.Time
	cost   int64 // the memory for what waits, and for itself
	idle   int64 // and what is kept for more
}

// sctpEnd is what is known of one end.
type sctpEnd struct {
	tag     uint32 // what packets to it must carry
	known   bool
	ncands  uint8 // how many of cands there are
	strange uint8 // how many packets in a row had the tag other
	other   uint32
	cands   [sctpCands]sctpCand
	first   ipAddr
	addrs   []ipAddr // others
}

// sctpCand is what an end offered in an INIT or INIT ACK.
type sctpCand struct {
	tag, tsn uint32
	packet   uint64
}

// sctpHalf is one direction.
type sctpHalf struct {
	cum     uint32 // all up to this TSN are accounted for
	known   bool   // cum is
	begun   bool   // its beginning was seen, so that streams begin at 0
	strange uint8  // how many chunks in a row were too far away
	near    [8]sctpStream
	far     map[uint16]*sctpStreams // 64 each
	wait    *sctpWait               // nil if nothing waits
}

type sctpStreams [64]sctpStream

// sctpStream is where a stream's ordered messages are.
type sctpStream struct {
	next  uint32 // 16 bits for DATA
	known bool
}

// sctpChunk is a DATA or I-DATA chunk, read.
type sctpChunk struct {
	tsn, num, seq uint32
	ppid          uint32
	sid           uint16
	kind          uint8
	flags         sctp.DataFlags
	data          []byte
	seen          Seen
}

// sctpPacket is a packet, read as far as its common header.
type sctpPacket struct {
	src, dst ipAddr
	path     sctpPath
	side     Direction // Backward if src is path.hi
	tag      uint32
	data     []byte // with the common header
	cut      bool   // the capture cut it
	seen     Seen
	v6       bool
}

// Put takes an IP packet.
func (s *SCTP) Put(d Datagram) error { return s.put(&d, false) }

// PutGet takes an IP packet and returns the next message.
func (s *SCTP) PutGet(d Datagram) (Message, bool, error) {
	err := s.put(&d, true)
	m, ok := s.out.get()
	return m, ok, err
}

// Get returns the next message.
func (s *SCTP) Get() (Message, bool) { return s.out.get() }

// Flush gives up waiting, and forgets all associations.
func (s *SCTP) Flush() {
	s.out.begin(false)
	for s.assocs.len() > 0 {
		i, _ := s.assocs.oldestOf()
		s.forget(i, ErrTruncated)
	}
	s.now = time.Time{}
}

// Properties says that messages come whole, in order and with their bounds.
func (s *SCTP) Properties() Property { return Reorders | Reassembles | KeepsBounds }

// Stats returns what was counted.
func (s *SCTP) Stats() SCTPStats {
	st := s.stats
	st.Flows, st.Bytes = s.assocs.len(), s.mem
	return st
}

func (s *SCTP) put(d *Datagram, direct bool) error {
	s.lim = s.Limits.or(sctpLimits)
	s.lim.Flows = min(s.lim.Flows, sctpFlows)
	if s.assocs.index == nil {
		s.assocs.grow(2 * pageLen)
		for i := range s.seed {
			s.seed[i] = maphash.Comparable(maphash.MakeSeed(), i)
		}
	}
	s.out.begin(direct)
	if d.Time.After(s.now) {
		s.now = d.Time
	}
	for s.lim.Idle >= 0 {
		i, a := s.assocs.oldestOf()
		if a == nil || s.now.Sub(a.last) <= s.lim.Idle {
			break
		}
		s.stats.Evicted++
		s.forget(i, ErrLimit)
	}
	var p sctpPacket
	ok, err := s.read(&p, d)
	if !ok {
		if err == nil {
			s.stats.Ignored++
		}
		return err
	}
	s.stats.Packets++
	if s.out.unread() > 0 && s.out.unread()+int64(len(p.data)) > s.lim.Bytes {
		return s.refuse(&p, ErrLimit, "what is ready is to be read first")
	}
	if s.VerifyChecksum && !p.cut && !sctp.HeaderView(p.data).ChecksumValid() {
		return s.refuse(&p, ErrMalformed, "the checksum is wrong")
	}
	i, dir, err := s.find(&p)
	if i == 0 {
		return s.refuse(&p, err, "no association has this verification tag")
	}
	s.assocs.touch(i)
	a := &s.assocs.at(i).value
	a.last = s.now
	err = s.chunks(i, a, dir, &p)
	s.account(a)
	if a.cost > s.lim.FlowBytes {
		s.relieve(a)
	}
	for s.mem > s.lim.Bytes && s.assocs.len() > 0 {
		j, _ := s.assocs.oldestOf()
		s.stats.Evicted++
		s.forget(j, ErrLimit)
	}
	return err
}

// read finds SCTP in d.
func (s *SCTP) read(p *sctpPacket, d *Datagram) (bool, error) {
	var h ipHeader
	if len(d.Data) == 0 {
		return false, nil
	}
	if err := h.parse(d); err != nil {
		return false, err
	}
	at := h.hdr
	udp := false
	if h.proto == pkts.IPProtoUDP && len(s.UDPPorts) > 0 && !h.frag && h.end-at >= pkts.UDPLen {
		v := pkts.UDPView(d.Data[at:h.end])
		if udp = slices.Contains(s.UDPPorts, v.DstPort()) || slices.Contains(s.UDPPorts, v.SrcPort()); udp {
			at += pkts.UDPLen
		}
	}
	if h.proto != pkts.IPProtoSCTP && !udp {
		return false, nil
	}
	if h.frag {
		return false, &Error{Layer: "SCTP", Packet: d.Packet, Err: ErrTruncated, Reason: "a fragment: put Fragments before"}
	}
	b := d.Data[at:h.end]
	if len(b) < sctp.HeaderLen {
		return false, &Error{Layer: "SCTP", Packet: d.Packet, Offset: uint64(at), Err: ErrTruncated}
	}
	v := sctp.HeaderView(b)
	*p = sctpPacket{
		src: h.src, dst: h.dst, path: sctpPath{lo: h.src, hi: h.dst, ports: binary.BigEndian.Uint32(b), udp: udp, tunnel: d.Tunnel},
		tag: v.VerificationTag(), data: b, cut: h.end < h.wire, seen: d.Seen, v6: h.v6,
	}
	if x := &p.path; h.dst.below(h.src) || h.src == h.dst && x.ports>>16 > x.ports&0xffff {
		x.lo, x.hi, x.ports = h.dst, h.src, x.ports<<16|x.ports>>16
		p.side = Backward
	}
	return true, nil
}

// refuse counts the user data of a packet that nobody takes.
func (s *SCTP) refuse(p *sctpPacket, err error, reason string) error {
	n := 0
	for b := p.data[sctp.HeaderLen:]; len(b) >= 4; {
		v := sctp.ChunkView(b)
		size := int(v.Length())
		if size < 4 {
			break
		}
		n += userLen(v)
		b = b[min((size+3)&^3, len(b)):]
	}
	s.stats.In += uint64(n)
	s.stats.Refused += uint64(n)
	if err == nil {
		return nil
	}
	return &Error{Layer: "SCTP", Packet: p.seen.Packet, Err: err, Reason: reason}
}

// userLen returns how many bytes of user data a chunk has, as far as they are
// there.
func userLen(v sctp.ChunkView) int {
	switch v.Type() {
	case sctp.TypeData:
		return max(0, min(int(v.Length()), len(v))-sctp.DataLen)
	case sctp.TypeIData:
		return max(0, min(int(v.Length()), len(v))-sctp.IDataLen)
	}
	return 0
}

// find returns the association of a packet and its direction, making one if the
// packet may begin one. It is 0 if the packet belongs to none, with an error if
// there is one that it might be meant for.
func (s *SCTP) find(p *sctpPacket) (int32, Direction, error) {
	var first sctp.ChunkType = 255
	if len(p.data) > sctp.HeaderLen {
		first = sctp.ChunkType(p.data[sctp.HeaderLen])
	}
	hash := s.hashPath(&p.path)
	ref, ok := s.byPath(hash, p)
	if ok {
		if a := &s.assocs.at(ref.assoc).value; s.accepts(ref.assoc, a, ref.dir, p, first) {
			return ref.assoc, ref.dir, nil
		}
	}
	if t, found := s.byTag(sctpTag{p.tag, p.ports(), p.path.udp, p.path.tunnel}); found && p.tag != 0 && t != ref {
		a := &s.assocs.at(t.assoc).value
		if a.knows(t.dir, p) && s.accepts(t.assoc, a, t.dir, p, first) {
			s.addPath(t, a, p, hash)
			return t.assoc, t.dir, nil
		}
	}
	if ok {
		if first == sctp.TypeInit && s.assocs.at(ref.assoc).value.closed {
			s.forget(ref.assoc, ErrTruncated)
		} else {
			return 0, 0, ErrMalformed
		}
	}
	dir := Forward
	switch first {
	case sctp.TypeInit, sctp.TypeData, sctp.TypeIData, sctp.TypeSack:
	case sctp.TypeInitAck:
		dir = Backward
	default:
		if !p.hasData() {
			return 0, 0, nil
		}
	}
	return s.begin(p, dir, first, hash), dir, nil
}

// ports returns the ports of the source and the destination.
func (p *sctpPacket) ports() uint32 {
	if p.side == Backward {
		return p.path.ports<<16 | p.path.ports>>16
	}
	return p.path.ports
}

// hashPath returns the hash of a path, and hashTag that of a tag, seeded as those
// of tcpTable.
func (s *SCTP) hashPath(p *sctpPath) uint32 {
	a, b := bits.Mul64(p.lo.hi^s.seed[0], p.lo.lo^s.seed[1])
	c, d := bits.Mul64(p.hi.hi^s.seed[2], p.hi.lo^s.seed[3])
	e, f := bits.Mul64(uint64(p.ports)^s.seed[4], p.tunnel^s.seed[5])
	g, h := bits.Mul64(a^b^s.seed[1], c^d^e^f^s.seed[4])
	return uint32((g ^ h) >> 32)
}

func (s *SCTP) hashTag(t *sctpTag) uint32 {
	a, b := bits.Mul64(uint64(t.ports)<<32|uint64(t.tag)^s.seed[0], t.tunnel^s.seed[1])
	c, d := bits.Mul64(a^s.seed[2], b^s.seed[3])
	return uint32((c ^ d) >> 32)
}

// byPath finds an association by the path of a packet, and says in which
// direction that goes.
func (s *SCTP) byPath(hash uint32, p *sctpPacket) (sctpRef, bool) {
	if i, a := s.assocs.get(hash, p.path); a != nil {
		return sctpRef{i, a.flip ^ p.side}, true
	}
	slot, at := s.paths.next(hash, hash)
	for slot != 0 {
		i := int32(slot / 16)
		if x := &s.assocs.at(i).value.paths[slot%16]; x.path == p.path {
			return sctpRef{i, x.flip ^ p.side}, true
		}
		slot, at = s.paths.next(hash, at)
	}
	return sctpRef{}, false
}

// byTag finds an association by a tag, with the direction of packets that carry
// it.
func (s *SCTP) byTag(t sctpTag) (sctpRef, bool) {
	hash := s.hashTag(&t)
	slot, at := s.tags.next(hash, hash)
	for slot != 0 {
		i := int32(slot / 16)
		a := &s.assocs.at(i).value
		if x := a.tags[slot%16]; a.tagOf(x) == t {
			return sctpRef{i, 1 - x.end}, true
		}
		slot, at = s.tags.next(hash, at)
	}
	return sctpRef{}, false
}

// tagOf returns a tag of an end as packets carry it.
func (a *sctpAssoc) tagOf(x sctpTagOf) sctpTag {
	f := &a.flow[1-x.end]
	return sctpTag{x.tag, uint32(f.SrcPort)<<16 | uint32(f.DstPort), a.udp, a.tunnel}
}

// hasData reports whether some chunk has user data.
func (p *sctpPacket) hasData() bool {
	for b := p.data[sctp.HeaderLen:]; len(b) >= 4; {
		v := sctp.ChunkView(b)
		if userLen(v) > 0 {
			return true
		}
		if v.Length() < 4 {
			return false
		}
		b = b[min((int(v.Length())+3)&^3, len(b)):]
	}
	return false
}

// knows reports whether one of the packet's addresses is known from a.
func (a *sctpAssoc) knows(dir Direction, p *sctpPacket) bool {
	return a.ends[dir].has(p.src) || a.ends[1-dir].has(p.dst)
}

// begin makes an association whose direction dir is that of p, and whose path has
// the given hash.
func (s *SCTP) begin(p *sctpPacket, dir Direction, first sctp.ChunkType, hash uint32) int32 {
	for s.assocs.len() >= s.lim.Flows {
		s.stats.Evicted++
		i, _ := s.assocs.oldestOf()
		s.forget(i, ErrLimit)
	}
	s.stats.Associations++
	i, a := s.assocs.add(hash, p.path)
	a.stream, a.tunnel, a.udp, a.last = p.seen.Packet, p.path.tunnel, p.path.udp, s.now
	a.flip = dir ^ p.side
	ports := p.ports()
	h := ipHeader{src: p.src, dst: p.dst, v6: p.v6}
	f := pkts.Flow{SrcPort: uint16(ports >> 16), DstPort: uint16(ports), Proto: pkts.IPProtoSCTP}
	f.Src, f.Dst = h.addrs()
	a.flow[dir], a.flow[1-dir] = f, f.Reverse()
	a.ends[dir].first, a.ends[1-dir].first = p.src, p.dst
	if first != sctp.TypeInit && p.tag != 0 {
		s.setTag(i, a, 1-dir, p.tag)
	}
	return i
}

// addPath notes the path of a packet, which has the given hash.
func (s *SCTP) addPath(ref sctpRef, a *sctpAssoc, p *sctpPacket, hash uint32) {
	a.ends[ref.dir].add(p.src)
	a.ends[1-ref.dir].add(p.dst)
	if len(a.paths) == sctpPaths {
		return
	}
	if _, taken := s.byPath(hash, p); taken {
		return
	}
	s.paths.grow(16)
	s.paths.enter(tableEntry{hash, uint32(ref.assoc)*16 + uint32(len(a.paths))})
	s.paths.used++
	a.paths = append(a.paths, sctpAlt{p.path, ref.dir ^ p.side})
}

// has reports whether an end has an address.
func (e *sctpEnd) has(a ipAddr) bool { return e.first == a || slices.Contains(e.addrs, a) }

// add notes one.
func (e *sctpEnd) add(a ipAddr) {
	if len(e.addrs) < sctpAddrs-1 && !e.has(a) {
		e.addrs = append(e.addrs, a)
	}
}

// setTag says which tag packets to an end carry.
func (s *SCTP) setTag(i int32, a *sctpAssoc, end Direction, tag uint32) {
	e := &a.ends[end]
	e.tag, e.known, e.strange = tag, true, 0
	s.addTag(i, a, end, tag)
}

// addTag makes an association be found by a tag of an end.
func (s *SCTP) addTag(i int32, a *sctpAssoc, end Direction, tag uint32) {
	x := sctpTagOf{tag, end}
	t := a.tagOf(x)
	if _, taken := s.byTag(t); taken || a.ntags == sctpTags {
		return
	}
	s.tags.grow(16)
	s.tags.enter(tableEntry{s.hashTag(&t), uint32(i)*16 + uint32(a.ntags)})
	s.tags.used++
	a.tags[a.ntags] = x
	a.ntags++
}

// accepts reports whether the tag of a packet is right, and takes note of the
// tags that it says are in use now.
func (s *SCTP) accepts(i int32, a *sctpAssoc, dir Direction, p *sctpPacket, first sctp.ChunkType) bool {
	to := 1 - dir
	e := &a.ends[to]
	switch {
	case first == sctp.TypeInit:
		return p.tag == 0 && !a.closed
	case e.known && p.tag == e.tag:
		e.strange = 0
		return true
	}
	if first == sctp.TypeInitAck {
		_, ok := e.candidate(p.tag)
		return ok
	}
	if c, ok := e.candidate(p.tag); ok {
		if e.known {
			// The new tag is in use: the association was restarted.
			s.restart(i, a, c.packet)
		}
		s.use(i, a, to, c)
		if x := &a.ends[dir]; x.ncands > 0 {
			s.use(i, a, dir, x.cands[x.ncands-1])
		}
		return true
	}
	if !e.known && e.ncands == 0 {
		s.setTag(i, a, to, p.tag)
		return true
	}
	if x := &a.ends[dir]; (first == sctp.TypeAbort || first == sctp.TypeShutdownComplete) && x.known && x.tag == p.tag &&
		len(p.data) > sctp.HeaderLen+1 && p.data[sctp.HeaderLen+1]&sctp.FlagTag != 0 {
		return true // RFC 9260, section 8.5.1
	}
	if first != sctp.TypeData && first != sctp.TypeIData && first != sctp.TypeSack {
		return false
	}
	if e.strange == 0 || e.other != p.tag {
		e.other, e.strange = p.tag, 0
	}
	if e.strange++; e.strange < sctpStrange {
		return false
	}
	// A new association, whose beginning was not captured.
	s.restart(i, a, p.seen.Packet)
	a.ends[0].ncands, a.ends[1].ncands = 0, 0
	s.setTag(i, a, to, p.tag)
	return true
}

// candidate returns what was offered with a tag.
func (e *sctpEnd) candidate(tag uint32) (sctpCand, bool) {
	for _, c := range e.cands[:e.ncands] {
		if c.tag == tag {
			return c, true
		}
	}
	return sctpCand{}, false
}

// offer notes what an end has offered.
func (s *SCTP) offer(i int32, a *sctpAssoc, end Direction, c sctpCand) {
	e := &a.ends[end]
	if _, known := e.candidate(c.tag); known || e.known && e.tag == c.tag {
		return
	}
	if int(e.ncands) == len(e.cands) {
		copy(e.cands[:], e.cands[1:])
		e.ncands--
	}
	e.cands[e.ncands] = c
	e.ncands++
	s.addTag(i, a, end, c.tag)
}

// use makes an offer the one that holds.
func (s *SCTP) use(i int32, a *sctpAssoc, end Direction, c sctpCand) {
	a.ends[end].ncands = 0
	if a.ends[end].known && a.ends[end].tag == c.tag {
		return
	}
	s.setTag(i, a, end, c.tag)
	h := &a.halves[end]
	s.flushHalf(a, end, ErrTruncated)
	*h = sctpHalf{cum: c.tsn - 1, known: true, begun: true}
}

// restart gives up what an association has, for another with the same addresses
// and ports.
func (s *SCTP) restart(i int32, a *sctpAssoc, packet uint64) {
	s.stats.Restarts++
	s.stats.Associations++
	for d := range a.halves {
		s.flushHalf(a, Direction(d), ErrTruncated)
		a.halves[d] = sctpHalf{}
		a.ends[d].known = false
	}
	a.stream, a.closed = packet, false
}

// chunks goes through the chunks of a packet.
func (s *SCTP) chunks(i int32, a *sctpAssoc, dir Direction, p *sctpPacket) (err error) {
	b := p.data[sctp.HeaderLen:]
	for len(b) >= 4 {
		v := sctp.ChunkView(b)
		size := int(v.Length())
		if size < 4 {
			return join(err, s.bad(p, b, ErrMalformed, "a chunk with a length below 4"))
		}
		next := b[min((size+3)&^3, len(b)):]
		if size > len(b) {
			n := uint64(userLen(v))
			s.stats.In += n
			s.stats.Refused += n
			return join(err, s.bad(p, b, ErrTruncated, fmt.Sprintf("%v of %d bytes, of which %d are there", v.Type(), size, len(b))))
		}
		v = v[:size]
		switch v.Type() {
		case sctp.TypeData, sctp.TypeIData:
			err = join(err, s.userData(i, a, dir, p, v))
		case sctp.TypeSack, sctp.TypeShutdown:
			if size >= 8 {
				s.ack(a, 1-dir, binary.BigEndian.Uint32(v[4:]))
			}
		case sctp.TypeForwardTSN, sctp.TypeIForwardTSN:
			if size >= sctp.ForwardTSNLen {
				s.forward(a, dir, v)
			}
		case sctp.TypeInit, sctp.TypeInitAck:
			if size >= sctp.InitLen {
				s.handshake(i, a, dir, p, sctp.InitView(v))
			}
		case sctp.TypeAbort, sctp.TypeShutdownComplete:
			for d := range a.halves {
				s.flushHalf(a, Direction(d), ErrTruncated)
			}
			a.closed = true
		}
		b = next
	}
	return err
}

func (s *SCTP) bad(p *sctpPacket, b []byte, err error, reason string) error {
	return &Error{Layer: "SCTP", Packet: p.seen.Packet, Offset: uint64(len(p.data) - len(b)), Err: err, Reason: reason}
}

// handshake takes note of an INIT or INIT ACK.
func (s *SCTP) handshake(i int32, a *sctpAssoc, dir Direction, p *sctpPacket, v sctp.InitView) {
	c := sctpCand{v.InitiateTag(), v.InitialTSN(), p.seen.Packet}
	if sctp.ChunkType(v[0]) == sctp.TypeInitAck {
		// The tag of who sent the INIT is known to be in use if it is the only
		// one: data may be seen before the packet that proves it.
		if e := &a.ends[1-dir]; !e.known && e.ncands == 1 {
			s.use(i, a, 1-dir, e.cands[0])
		}
		if c.packet = a.stream; a.ends[1-dir].ncands > 0 {
			c.packet = a.ends[1-dir].cands[a.ends[1-dir].ncands-1].packet
		}
	}
	s.offer(i, a, dir, c)
	for _, x := range v.Params().All() {
		if addr, ok := x.Addr(); ok {
			a.ends[dir].add(ipAddrOf(addr))
		}
	}
}

// userData takes a DATA or I-DATA chunk.
func (s *SCTP) userData(i int32, a *sctpAssoc, dir Direction, p *sctpPacket, v sctp.ChunkView) error {
	c := sctpChunk{seen: p.seen}
	if v.Type() == sctp.TypeData {
		if len(v) < sctp.DataLen {
			return s.bad(p, v, ErrMalformed, "DATA shorter than its header")
		}
		d := sctp.DataView(v)
		c.tsn, c.sid, c.num, c.ppid, c.flags, c.data = d.TSN(), d.StreamID(), uint32(d.SSN()), uint32(d.PPID()), d.Flags(), v[sctp.DataLen:]
		c.seq = c.tsn
	} else {
		if len(v) < sctp.IDataLen {
			return s.bad(p, v, ErrMalformed, "I-DATA shorter than its header")
		}
		d := sctp.IDataView(v)
		c.tsn, c.sid, c.num, c.flags, c.data, c.kind = d.TSN(), d.StreamID(), d.MID(), d.Flags(), v[sctp.IDataLen:], 1
		if c.flags.Has(sctp.DataUnordered) {
			c.kind = 2
		}
		if c.flags.Has(sctp.DataBegin) {
			c.ppid = uint32(d.PPID())
		} else if c.seq = d.FSN(); c.seq == 0 {
			s.stats.In += uint64(len(c.data))
			s.stats.Refused += uint64(len(c.data))
			return s.bad(p, v, ErrMalformed, "an I-DATA chunk that is not the first of its message has FSN 0")
		}
	}
	n := uint64(len(c.data))
	s.stats.In += n
	if n == 0 {
		return s.bad(p, v, ErrMalformed, "no user data") // RFC 9260, section 6.2
	}
	h := &a.halves[dir]
	if !h.known {
		s.start(i, a, dir, c.tsn)
	}
	if a.closed || !s.near(a, dir, c.tsn) {
		s.stats.Refused += n
		return nil
	}
	if !sctp.Before(h.cum, c.tsn) {
		s.stats.Duplicate += n
		return nil
	}
	if c.tsn == h.cum+1 {
		h.cum++
		if h.wait != nil {
			h.cum = h.wait.advance(h.cum)
		}
	} else if !s.mark(s.waitOf(h), c.tsn) {
		s.stats.Duplicate += n
		return nil
	}
	if c.flags.Has(sctp.DataWhole) && (c.flags.Has(sctp.DataUnordered) || h.ahead(c.sid, c.kind, c.num) == 0) {
		s.deliver(a, dir, h, &c)
	} else if !s.fragment(a, dir, h, &c) {
		s.stats.Refused += n
	}
	s.settle(a, dir, h)
	return nil
}

// start says where a direction begins of which a TSN is seen first: where its
// end has said, or there.
func (s *SCTP) start(i int32, a *sctpAssoc, dir Direction, tsn uint32) {
	e := &a.ends[dir]
	best, found := sctpCand{}, false
	for _, c := range e.cands[:e.ncands] {
		if d := tsn - c.tsn; d <= sctpAhead && (!found || d <= tsn-best.tsn) {
			best, found = c, true
		}
	}
	if found {
		s.use(i, a, dir, best)
		return
	}
	h := &a.halves[dir]
	h.known, h.cum = true, tsn-1
}

// near reports whether a TSN is close enough to be believed.
func (s *SCTP) near(a *sctpAssoc, dir Direction, tsn uint32) bool {
	h := &a.halves[dir]
	if d := int32(tsn - h.cum); d >= -sctpAhead && d <= sctpAhead {
		h.strange = 0
		return true
	}
	if h.strange++; h.strange < sctpStrange {
		return false
	}
	s.flushHalf(a, dir, ErrTruncated)
	*h = sctpHalf{known: true, cum: tsn - 1}
	return true
}

// stream returns where a stream is.
func (h *sctpHalf) stream(sid uint16) sctpStream {
	var st sctpStream
	if int(sid) < len(h.near) {
		st = h.near[sid]
	} else if p := h.far[sid/64]; p != nil {
		st = p[sid%64]
	}
	st.known = st.known || h.begun
	return st
}

// pass notes that an ordered message is behind us.
func (h *sctpHalf) pass(sid uint16, kind uint8, num uint32) {
	if num++; kind == 0 {
		num &= 0xffff
	}
	st := sctpStream{num, true}
	if int(sid) < len(h.near) {
		h.near[sid] = st
		return
	}
	p := h.far[sid/64]
	if p == nil {
		if p = new(sctpStreams); h.far == nil {
			h.far = map[uint16]*sctpStreams{}
		}
		h.far[sid/64] = p
	}
	p[sid%64] = st
}

// ahead returns how many ordered messages are missing before one, negative for
// one that comes too late. Of a stream whose beginning was not seen, none are.
func (h *sctpHalf) ahead(sid uint16, kind uint8, num uint32) int64 {
	st := h.stream(sid)
	switch {
	case !st.known:
		return 0
	case kind == 0:
		return int64(int16(num - st.next))
	default:
		return int64(int32(num - st.next))
	}
}

// message returns the message that begins and ends in the given packets.
func (a *sctpAssoc) message(dir Direction, sid uint16, ppid uint32, unordered bool, first, last Seen) Message {
	return Message{
		Stream: a.stream, Flow: a.flow[dir], First: first, Last: last, Tunnel: a.tunnel,
		PPID: ppid, Channel: sid, Unordered: unordered, Direction: dir,
	}
}

// deliver gives a message that is one chunk, and whose turn it is.
func (s *SCTP) deliver(a *sctpAssoc, dir Direction, h *sctpHalf, c *sctpChunk) {
	s.stats.Messages++
	s.stats.Delivered += uint64(len(c.data))
	unordered := c.flags.Has(sctp.DataUnordered)
	s.out.give(a.message(dir, c.sid, c.ppid, unordered, c.seen, c.seen), c.data)
	if !unordered {
		h.pass(c.sid, c.kind, c.num)
		s.drain(a, dir, h, c.sid)
	}
}

// drain gives the ordered messages of a stream that waited for the last one.
func (s *SCTP) drain(a *sctpAssoc, dir Direction, h *sctpHalf, sid uint16) {
	for w := h.wait; w != nil && w.names.used > 0; {
		next := h.stream(sid).next
		i := w.named(w.names.hash(sctpTurn, sid, next, 0), sctpTurn, sid, next, 0)
		if i < 0 {
			return
		}
		h.pass(sid, w.run(i).kind, next)
		s.give(a, dir, w, i, 0, nil)
	}
}

// give gives what a run has: a message, or, with err, what there is of one.
func (s *SCTP) give(a *sctpAssoc, dir Direction, w *sctpWait, i int32, lost int64, err error) {
	r := w.run(i)
	m := a.message(dir, r.sid, r.ppid, r.unordered, r.first, r.last)
	m.Lost = uint64(max(lost, 0))
	s.stats.Lost += m.Lost
	s.stats.Waiting -= uint64(r.n)
	if err == nil {
		s.stats.Messages++
		s.stats.Delivered += uint64(r.n)
	} else {
		s.stats.Broken += uint64(r.n)
		m.Err = err
	}
	w.bytes -= int64(cap(r.part.buf))
	if r.more == nil {
		s.out.hand(m, r.part.buf, r.part.bytes())
	} else {
		if err == nil {
			s.guess = r.n
		}
		s.out.arena = append(slices.Grow(s.out.arena, r.n), r.part.bytes()...)
		s.out.release(r.part.buf)
		for b := r.more; b != nil; {
			w.steps++
			next := b.next
			s.out.arena = append(s.out.arena, b.bytes()...)
			w.bytes -= int64(cap(b.buf))
			s.out.release(b.buf)
			s.drop(b)
			b = next
		}
		s.out.pushed(m, r.n)
	}
	s.remove(w, i)
}

// fragment lets a chunk wait for others, and reports whether it is the only one
// with its number. A message that it completes is given, if it is its turn.
func (s *SCTP) fragment(a *sctpAssoc, dir Direction, h *sctpHalf, c *sctpChunk) bool {
	w := s.waitOf(h)
	begin, end := c.flags.Has(sctp.DataBegin), c.flags.Has(sctp.DataEnd)
	if c.kind != 0 && w.ending(c.kind, c.sid, c.num, c.seq) >= 0 { // a TSN comes once
		return false
	}
	s.stats.Waiting += uint64(len(c.data))
	left, right := int32(-1), int32(-1)
	if !begin {
		if i := w.ending(c.kind, c.sid, c.num, c.seq-1); i >= 0 {
			if r := w.run(i); r.hi == c.seq-1 && !r.end && r.joins(c) {
				left = i
			}
		}
	}
	if !end {
		if i := w.ending(c.kind, c.sid, c.num, c.seq+1); i >= 0 {
			if r := w.run(i); r.lo == c.seq+1 && !r.begin && r.joins(c) {
				right = i
			}
		}
	}
	i := left
	switch {
	case left >= 0:
		r := w.run(left)
		s.append(w, r, c, end || right >= 0)
		if r.lo != r.hi {
			w.dropEnd(left, r.hi)
		}
		r.hi, r.thi, r.last, r.end = c.seq, c.tsn, c.seen, end
		if right >= 0 {
			o := w.run(right)
			if w.dropEnd(right, o.lo); o.lo != o.hi {
				w.dropEnd(right, o.hi)
			}
			s.merge(w, left, right)
		}
		s.setEnd(w, left, r.hi)
	case right >= 0:
		i = right
		r := w.run(right)
		s.prepend(w, r, c)
		if r.lo != r.hi {
			w.dropEnd(right, r.lo)
		}
		r.lo, r.tlo, r.first, r.begin, r.ppid = c.seq, c.tsn, c.seen, begin, c.ppid
		s.setEnd(w, right, c.seq)
	default:
		if i = s.add(w, c, begin, end); !begin || !end {
			s.setEnd(w, i, c.seq)
			s.look(w, i, c.tsn, false)
		}
	}
	if r := w.run(i); r.begin && r.end {
		s.complete(a, dir, h, i)
	}
	return true
}

// complete gives a message whose fragments are all there, or lets it wait for
// its turn.
func (s *SCTP) complete(a *sctpAssoc, dir Direction, h *sctpHalf, i int32) {
	w := h.wait
	r := w.run(i)
	if r.unordered {
		s.give(a, dir, w, i, 0, nil)
		return
	}
	switch {
	case h.ahead(r.sid, r.kind, r.num) == 0:
		sid := r.sid
		h.pass(sid, r.kind, r.num)
		s.give(a, dir, w, i, 0, nil)
		s.drain(a, dir, h, sid)
	default:
		turn := w.names.hash(sctpTurn, r.sid, r.num, 0)
		if w.named(turn, sctpTurn, r.sid, r.num, 0) >= 0 {
			s.give(a, dir, w, i, 0, s.broken(r, ErrOverlap, "another message of the stream has its number"))
			return
		}
		s.unend(w, i)
		w.unlist(i)
		r.waiting = true
		w.name(i, turn)
		s.look(w, i, r.tlo, false)
	}
}

// broken returns why a run is no message.
func (s *SCTP) broken(r *sctpRun, err error, reason string) error {
	// They are made several at a time: who wants to do harm can have as many as
	// chunks.
	if len(s.errs) == 0 {
		s.errs = make([]Error, 16)
	}
	e := &s.errs[0]
	s.errs = s.errs[1:]
	*e = Error{Layer: "SCTP", Packet: r.first.Packet, Err: err, Reason: reason}
	return e
}

// settle gives up what does not come any more: all up to cum is accounted for.
func (s *SCTP) settle(a *sctpAssoc, dir Direction, h *sctpHalf) {
	w := h.wait
	if w == nil {
		return
	}
	for i := s.due(w, h.cum); i >= 0; i = s.due(w, h.cum) {
		r := w.run(i)
		w.unlist(i)
		switch {
		case r.waiting || r.hopeless(h):
			s.giveUp(a, dir, h, i, ErrTruncated)
		case r.kind == 0:
			s.look(w, i, r.hi+2, true)
		default:
			w.poll(i) // the next fragment may be of any TSN
			if w.polls > sctpPartial {
				s.giveUp(a, dir, h, w.polled-1, ErrLimit)
			}
		}
	}
	if w.polled != 0 {
		s.pollOne(a, dir, h, w)
	}
	s.settled(h)
}

// sctpPoll is how many chunks settle what came before one run of I-DATA is looked
// at again.
const sctpPoll = 4

// pollOne looks at the run that was looked at longest ago, and goes on while
// there is nothing to hope for.
func (s *SCTP) pollOne(a *sctpAssoc, dir Direction, h *sctpHalf, w *sctpWait) {
	if w.calls++; w.calls%sctpPoll != 0 && w.live > sctpPoll {
		return
	}
	for w.polled != 0 {
		w.steps++
		i := w.polled - 1
		if !w.run(i).hopeless(h) {
			w.unlist(i)
			w.poll(i)
			return
		}
		s.giveUp(a, dir, h, i, ErrTruncated)
	}
}

// hopeless reports whether the rest of an incomplete message will not come.
func (r *sctpRun) hopeless(h *sctpHalf) bool {
	if r.kind == 0 {
		// The next fragment has the next TSN.
		return r.end || !sctp.Before(h.cum, r.hi+1)
	}
	return r.end || !r.unordered && h.ahead(r.sid, r.kind, r.num) < 0 || !sctp.Before(h.cum, r.thi+sctpAhead/2)
}

// giveUp gives a run, without those that should come before it.
func (s *SCTP) giveUp(a *sctpAssoc, dir Direction, h *sctpHalf, i int32, why error) {
	w := h.wait
	r := w.run(i)
	sid := r.sid
	var err error
	if !r.waiting {
		err = s.broken(r, why, "fragments of the message are missing")
	}
	if r.unordered {
		s.give(a, dir, w, i, 0, err)
		return
	}
	n := h.ahead(sid, r.kind, r.num)
	if r.waiting || n >= 0 {
		// All with lower TSNs are accounted for. If its number is lower than
		// that of one before, the stream was reset, RFC 6525.
		h.pass(sid, r.kind, r.num)
	}
	s.give(a, dir, w, i, n, err)
	if err == nil {
		// Behind a broken one there may be more of it.
		s.drain(a, dir, h, sid)
	}
}

// flushHalf gives up everything that waits in a direction.
func (s *SCTP) flushHalf(a *sctpAssoc, dir Direction, why error) {
	h := &a.halves[dir]
	if h.wait == nil {
		return
	}
	w := h.wait
	for i, tsn := s.oldest(w, h.cum); i >= 0; i, tsn = s.oldest(w, h.cum) {
		h.cum = tsn
		s.giveUp(a, dir, h, i, why)
	}
	s.clear(w)
	s.settled(h)
}

// relieve gives up what has the lowest TSNs until an association takes no more
// than it may.
func (s *SCTP) relieve(a *sctpAssoc) {
	for a.cost > s.lim.FlowBytes {
		dir := Forward
		if f, b := a.halves[0].wait, a.halves[1].wait; f == nil || b != nil && b.cost() > f.cost() {
			dir = Backward
		}
		h := &a.halves[dir]
		w := h.wait
		if w == nil {
			return
		}
		before := a.cost
		i, tsn := s.oldest(w, h.cum)
		if i >= 0 {
			h.cum = w.advance(tsn)
			s.giveUp(a, dir, h, i, ErrLimit)
		} else {
			h.cum = w.last(h.cum)
		}
		s.settle(a, dir, h)
		if s.account(a); a.cost >= before {
			return
		}
	}
}

// account counts the memory that an association takes.
func (s *SCTP) account(a *sctpAssoc) {
	idle := int64(0)
	n := int64(sctpAssocSize + len(a.paths)*sctpPathSize + (len(a.ends[0].addrs)+len(a.ends[1].addrs))*16)
	for d := range a.halves {
		n += int64(len(a.halves[d].far)) * sctpStreamSize
		if w := a.halves[d].wait; w != nil {
			n += w.cost()
			idle += w.idle()
		}
	}
	s.mem += n + idle - a.cost - a.idle
	a.cost, a.idle = n, idle
}

// ack takes note that the other end has received all up to a TSN of a direction.
func (s *SCTP) ack(a *sctpAssoc, dir Direction, tsn uint32) {
	h := &a.halves[dir]
	if !h.known {
		h.known, h.cum = true, tsn
		return
	}
	s.pass(a, dir, tsn)
}

// forward takes note that the sender has given up what has not come up to a TSN.
// Which messages those were follows from what comes behind them.
func (s *SCTP) forward(a *sctpAssoc, dir Direction, v sctp.ChunkView) {
	s.pass(a, dir, binary.BigEndian.Uint32(v[4:]))
}

// pass gives up what has not come up to a TSN.
func (s *SCTP) pass(a *sctpAssoc, dir Direction, tsn uint32) {
	h := &a.halves[dir]
	if d := int32(tsn - h.cum); !h.known || d <= 0 || d > sctpAhead {
		return
	}
	h.cum = tsn
	if h.wait != nil {
		h.cum = h.wait.advance(h.cum)
		s.settle(a, dir, h)
	}
}

// forget takes an association out, giving what waits in it.
func (s *SCTP) forget(i int32, why error) {
	a := &s.assocs.at(i).value
	for d := range a.halves {
		s.flushHalf(a, Direction(d), why)
	}
	for k := range a.paths {
		s.paths.leave(tableEntry{s.hashPath(&a.paths[k].path), uint32(i)*16 + uint32(k)})
		s.paths.used--
	}
	for k, x := range a.tags[:a.ntags] {
		t := a.tagOf(x)
		s.tags.leave(tableEntry{s.hashTag(&t), uint32(i)*16 + uint32(k)})
		s.tags.used--
	}
	s.mem -= a.cost + a.idle
	*a = sctpAssoc{}
	s.assocs.remove(i)
}
