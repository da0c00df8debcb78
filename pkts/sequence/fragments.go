package sequence

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// ErrIncomplete says that fragments were missing when waiting for them ended.
var ErrIncomplete = errors.New("incomplete")

// FragmentPolicy says which bytes count where fragments of an IPv4 datagram
// overlap. Systems differ in this, and who knows which one the target is can
// make it see another packet than an observer does. The names, and what they
// mean, are those of Novak and Sturges, Target-Based Fragmentation Reassembly
// (Sourcefire, 2007), and of Snort and Suricata after them.
//
// What is compared are the fragments as they are stored: one that has lost its
// beginning to another begins where that ends.
type FragmentPolicy uint8

const (
	// FragmentsReject gives the whole datagram up: no sender makes fragments
	// that overlap. Fragments that bring nothing but bytes that are there
	// already, the same ones, are ignored. Linux does so since 4.19, except
	// that it does not compare the bytes. It is what IPv6 always has.
	FragmentsReject FragmentPolicy = iota
	// FragmentsFirst keeps what came first.
	FragmentsFirst
	// FragmentsLast keeps what came last, as Cisco's IOS does.
	FragmentsLast
	// FragmentsBSD keeps what came first, except where the later fragment
	// begins before the earlier one.
	FragmentsBSD
	// FragmentsBSDRight keeps what came last, except where the later fragment
	// begins before the earlier one: printers by HP.
	FragmentsBSDRight
	// FragmentsLinux keeps what came first, except where the later fragment
	// begins before the earlier one, or where it does: Linux before 4.19.
	FragmentsLinux
	// FragmentsWindows keeps what came first, except where the later fragment
	// begins before the earlier one and ends behind it.
	FragmentsWindows
	// FragmentsSolaris keeps what came first, except where the later fragment
	// begins before the earlier one, and ends where it does or behind it.
	FragmentsSolaris
)

// String returns the name in lower case, such as "bsd-right".
func (p FragmentPolicy) String() string {
	switch p {
	case FragmentsReject:
		return "reject"
	case FragmentsFirst:
		return "first"
	case FragmentsLast:
		return "last"
	case FragmentsBSD:
		return "bsd"
	case FragmentsBSDRight:
		return "bsd-right"
	case FragmentsLinux:
		return "linux"
	case FragmentsWindows:
		return "windows"
	case FragmentsSolaris:
		return "solaris"
	}
	return "unknown"
}

// ParseFragmentPolicy returns the policy with a name as String has it, and
// whether there is one.
func ParseFragmentPolicy(name string) (p FragmentPolicy, ok bool) {
	for p = FragmentsReject; p <= FragmentsSolaris; p++ {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

// prefersNew reports whether a fragment [from, to) beats a stored one
// [start, end), with which it overlaps. An end behind to need not be exact.
func (p FragmentPolicy) prefersNew(start, end, from, to int) bool {
	switch p {
	case FragmentsReject, FragmentsFirst:
		return false
	case FragmentsLast:
		return true
	case FragmentsBSD:
		return from < start
	case FragmentsBSDRight:
		return from >= start
	case FragmentsLinux:
		return from <= start
	case FragmentsWindows:
		return from < start && to > end
	case FragmentsSolaris:
		return from < start && to >= end
	}
	return false
}

// Fragments puts fragments of IPv4 (RFC 791) and IPv6 (RFC 8200, section 4.5)
// together. What is no fragment passes. The zero value is ready.
//
// Fragments belong together that agree in source, destination and
// identification, in the protocol where it is IPv4, and in [Datagram.Tunnel].
// The datagram has the header of the fragment with offset 0, its options
// included; lengths, the flags and, where it was right before, the checksum are
// those of a datagram that was never cut. A fragment header of IPv6 is taken
// out. An atomic one (RFC 6946), which makes no fragment of its packet, stays
// where it is, and its packet passes at once.
//
// Nothing is invented. A fragment that the capture cut is refused
// ([ErrTruncated]), and so are those with no bytes, or with a number that is no
// multiple of 8 although more are to follow ([ErrMalformed]), and those that
// reach beyond what a datagram can have ([ErrTooLong]). What contradicts itself,
// such as two ends, is given up like what overlaps, where the policy is to
// reject.
//
// The memory of Limits is 64 MiB by default, FlowBytes 128 KiB, more than any
// datagram takes, and Flows 16,384. Idle, here, counts from the first fragment
// of a datagram that came: 30 seconds for IPv4, as Linux has it, 60 for IPv6
// (RFC 8200). Datagrams are given up in the order in which they began. One that
// was refused is remembered for as long, so that the rest of it is refused, too
// (RFC 5722). Limits and options are read at the first packet.
type Fragments struct {
	Limits
	// Policy is for IPv4 fragments that overlap. Those of IPv6 are rejected
	// always (RFC 5722).
	Policy FragmentPolicy
	// PolicyFor, if not nil, is asked for the policy of the system with an
	// address, instead of Policy.
	PolicyFor func(target netip.Addr) FragmentPolicy
	// RefuseTiny refuses first fragments that are too short for the headers up
	// to the one above IP, which is how filters are circumvented (RFC 1858,
	// RFC 7112). They are counted in any case.
	RefuseTiny bool
	// Tunnels is how many tunnels inside each other are opened. Where an IP
	// packet, or one that was put together, carries another, the inner one
	// comes out, and its fragments are put together as well; 0 opens none.
	// Datagram.Tunnel then stands for the path of outer addresses, and of the
	// networks of VXLAN, the same in both directions; Geneve and GTP-U may number
	// each direction by itself, and so may keys of GRE. It is seeded: it is the
	// same only within one Fragments.
	Tunnels int
	// Registry says what carries IP packets; nil is [pkts.Default].
	Registry *pkts.Registry
	// Lost, if not nil, is called for each datagram that is given up. It must
	// not call methods of the Fragments.
	Lost func(LostDatagram)

	lim       Limits
	waiting   [2]table[fragKey, fragDatagram] // of IPv4, of IPv6
	clock     int64
	begun     uint64 // how many datagrams have waited
	stats     FragmentStats
	free      [fragClasses + 1]*fragBuf // by class
	frees     uint64                    // a bit for each class above 0 that has some
	lent      *fragBuf
	ready     []fragReady
	readyHead int
	class     int // of the last datagram that was put together
	started   bool
	seed      maphash.Seed
	hash      pairHash
	packet    pkts.Packet
	done      fragDone
}

var _ Sequence[Datagram, Datagram] = (*Fragments)(nil)

// FragmentCount counts packets, or datagrams, and the bytes behind their IP
// headers.
type FragmentCount struct{ Packets, Bytes uint64 }

func (c *FragmentCount) add(n int) {
	c.Packets++
	c.Bytes += uint64(n)
}

// FragmentStats is what a [Fragments] has done. The bytes that came in are all
// accounted for:
//
//	In = Out + Opened + Unreadable + Truncated + Malformed + TooLong + Overlap + Limit + Refused
//		+ Duplicate + Overlapped + Expired + Evicted + Rejected + Flushed + Waiting + Ready
type FragmentStats struct {
	// In counts what was put, and what was in that.
	In FragmentCount
	// Fragments is how many of them were fragments, and Tiny how many of these
	// were first fragments that are too short.
	Fragments, Tiny uint64
	// Out counts what was returned.
	Out FragmentCount
	// Reassembled is how many datagrams were put together.
	Reassembled uint64
	// Opened counts datagrams out of which another one, or a fragment, was
	// taken.
	Opened FragmentCount

	// Refused packets, by reason: headers that cannot be read, fragments that
	// the capture cut, that make no sense, that are too long, that overlap
	// where that is forbidden, for which there is no room, and those of
	// datagrams that were rejected before.
	Unreadable, Truncated, Malformed, TooLong, Overlap, Limit, Refused FragmentCount
	// Duplicate counts fragments that brought what was there already.
	Duplicate FragmentCount
	// Overlapping is how many fragments overlapped others, and Overlapped how
	// many bytes there were twice.
	Overlapping, Overlapped uint64

	// Datagrams that were given up, with the bytes of theirs that were there:
	// they were too old, others needed their place, they overlapped or made no
	// sense, or Flush was called.
	Expired, Evicted, Rejected, Flushed FragmentCount

	// Waiting counts the datagrams that wait for fragments now, and Ready those
	// that wait for Get. Memory is what everything takes, in bytes.
	Waiting, Ready FragmentCount
	Memory         int64
}

// LostDatagram is a datagram that was given up.
type LostDatagram struct {
	Src, Dst netip.Addr
	// ID is the identification, 16 bits for IPv4.
	ID uint32
	// Protocol is what the fragments say is behind the header. Those of IPv6
	// may contradict each other: it is that of the one that came first.
	Protocol pkts.IPProto
	// Tunnel is as in [Datagram].
	Tunnel uint64
	// First is the packet with the fragment that came first.
	First Seen
	// Bytes is how much of the payload was there.
	Bytes int
	// Err is ErrIncomplete, ErrLimit, ErrOverlap or ErrMalformed.
	Err error
}

// fragKey is what fragments of a datagram have in common.
type fragKey struct {
	src, dst ipAddr
	tunnel   uint64
	id       uint32
	proto    uint32 // of IPv4
}

// fragDatagram is a datagram that waits for fragments. What every fragment
// needs is in front, in one line of the cache.
type fragDatagram struct {
	payload []byte // in buf, which is nil before the first fragment is in it
	buf     *fragBuf
	first   int64 // the clock when the first fragment came
	// end is how far the fragments reach, have how much is there, and total
	// the length of the payload, -1 until it is known; in bytes.
	end, have, total int32
	hdr              int32 // of the header in buf; 0 if it did not come yet
	rejected         bool
	// mapped says that the bits of buf say what is there. Before that, it is
	// pieces[:n].
	mapped bool
	n      uint8
	proto  pkts.IPProto
	pieces [fragPieces]fragPiece
	order  uint64 // how many began before
	seen   Seen   // the first fragment that came
}

// begin makes w wait. The pieces are not cleared: n says how many there are.
func (w *fragDatagram) begin(seen Seen, now int64, order uint64, proto pkts.IPProto) {
	w.payload, w.buf = nil, nil
	w.first, w.order, w.seen = now, order, seen
	w.end, w.have, w.total, w.hdr = 0, 0, -1, 0
	w.rejected, w.mapped, w.n, w.proto = false, false, 0, proto
}

// fragPiece is the units [from, to), which a fragment brought.
type fragPiece struct{ from, to uint16 }

// fragPieces is how many fragments a datagram can have, without overlaps, before
// bits are used: 24 are those of 32 KiB, what NFS sends at most over UDP, in
// frames of 1,500 bytes.
const fragPieces = 24

// overlaps reports whether a unit of [from, to) is there.
func (w *fragDatagram) overlaps(from, to int) bool {
	if from*fragUnit >= int(w.end) {
		return false // in order, as nearly always
	}
	if w.mapped {
		return w.buf.any(from, min(to, (int(w.end)+fragUnit-1)/fragUnit))
	}
	for _, p := range w.pieces[:w.n] {
		if from < int(p.to) && int(p.from) < to {
			return true
		}
	}
	return false
}

// note notes that units [from, to), of which there was none, are there.
func (w *fragDatagram) note(from, to int) {
	if !w.mapped && int(w.n) < len(w.pieces) {
		w.pieces[w.n] = fragPiece{uint16(from), uint16(to)}
		w.n++
		return
	}
	w.toBits()
	w.buf.set(from, to)
}

// toBits begins to use the bits of buf.
func (w *fragDatagram) toBits() {
	if w.mapped {
		return
	}
	w.mapped = true
	w.buf.clear()
	for _, p := range w.pieces[:w.n] {
		w.buf.set(int(p.from), int(p.to))
	}
}

// moveTo moves what is there to another buffer.
func (w *fragDatagram) moveTo(b *fragBuf) {
	if old := w.buf; old != nil {
		copy(b.data[b.head-int(w.hdr):], old.data[old.head-int(w.hdr):old.head+int(w.end)])
		if w.mapped {
			b.clear()
			copy(b.have, old.have)
			copy(b.start, old.start)
		}
	}
	w.buf, w.payload = b, b.data[b.head:]
}

// fragReady is a datagram that waits for Get.
type fragReady struct {
	d   Datagram
	buf *fragBuf
	n   int // bytes behind the header
}

// fragSlotSize is about what a datagram that waits takes besides its buffer, in
// bytes.
const fragSlotSize = 384

// fragIdle returns how long fragments of IPv4 (0) and of IPv6 (1) wait by
// default.
func fragIdle(v int) time.Duration { return time.Duration(1+v) * 30 * time.Second }

// Properties says that Fragments reassembles, and keeps bounds.
func (f *Fragments) Properties() Property { return Reassembles | KeepsBounds }

// Stats returns what was done so far.
func (f *Fragments) Stats() FragmentStats { return f.stats }

// Put takes a packet.
func (f *Fragments) Put(d Datagram) error {
	f.release()
	buf, n, ok, err := f.take(&d)
	if !ok {
		return err
	}
	return f.keep(d, buf, n)
}

// PutGet takes a packet, and returns the next datagram.
func (f *Fragments) PutGet(d Datagram) (Datagram, bool, error) {
	f.release()
	buf, n, ok, err := f.take(&d)
	if len(f.ready) > f.readyHead {
		if ok {
			err = f.keep(d, buf, n)
		}
		d, ok = f.Get()
		return d, ok, err
	}
	if !ok {
		return Datagram{}, false, err
	}
	f.lend(buf)
	f.stats.Out.add(n)
	return d, true, nil
}

// Get returns the next datagram.
func (f *Fragments) Get() (Datagram, bool) {
	if f.readyHead == len(f.ready) {
		return Datagram{}, false
	}
	r := f.ready[f.readyHead]
	f.ready[f.readyHead] = fragReady{}
	if f.readyHead++; f.readyHead == len(f.ready) {
		f.ready, f.readyHead = f.ready[:0], 0
	}
	f.stats.Ready.Packets--
	f.stats.Ready.Bytes -= uint64(r.n)
	f.stats.Out.add(r.n)
	f.lend(r.buf)
	return r.d, true
}

// Flush gives up all datagrams that wait for fragments.
func (f *Fragments) Flush() {
	f.release()
	for v := range f.waiting {
		for t := &f.waiting[v]; ; {
			i, w := t.oldestOf()
			if i == 0 {
				break
			}
			f.giveUp(v, i, w, &f.stats.Flushed, ErrIncomplete)
		}
	}
}

// take takes a packet, and makes of d the datagram that there is now, if there
// is one. It returns the buffer that this is in, if it is in one of ours, and
// the number of bytes behind its header.
func (f *Fragments) take(d *Datagram) (buf *fragBuf, n int, ok bool, err error) {
	if now := fragTime(d.Time); !f.started {
		f.start(now)
	} else if now > f.clock {
		f.tick(now)
	}
	var h ipHeader
	if err := h.parse(d); err != nil {
		f.stats.In.add(len(d.Data))
		f.stats.Unreadable.add(len(d.Data))
		return nil, 0, false, err
	}
	for depth := 0; ; {
		n = h.end - h.hdr
		f.stats.In.add(n)
		if h.frag {
			done, err := f.fragment(d, &h)
			f.recycle(buf) // the outer datagram: what is in it was copied
			if done == nil {
				return nil, 0, false, err
			}
			buf, n = done.buf, int(done.total)
			f.stats.Reassembled++
			d.Data = f.finish(&h, done)
			if h.parse(d) != nil {
				return buf, n, true, nil // whole, and bad behind the header
			}
			if h.frag { // a fragment was cut
				f.stats.Opened.add(n)
				continue
			}
		} else {
			// What is behind the packet, such as padding, is not part of it.
			d.Data = d.Data[:h.end:h.end]
		}
		if depth >= f.Tunnels {
			break
		}
		inner, in, network, ok := f.open(d)
		if !ok {
			break
		}
		f.stats.Opened.add(n)
		inner.Tunnel = f.path(&h, network, d.Tunnel)
		*d, h = inner, in
		depth++
	}
	return buf, n, true, nil
}

// start reads the options.
func (f *Fragments) start(now int64) {
	f.started = true
	f.clock = now
	f.lim = f.Limits.or(Limits{Bytes: 64 << 20, FlowBytes: 128 << 10, Flows: 16384})
	f.seed, f.hash = maphash.MakeSeed(), newPairHash()
}

// fragTime is t in nanoseconds, held in a range in which differences have a
// meaning.
func fragTime(t time.Time) int64 {
	const most = 4 << 30 // seconds: until 2106
	s := t.Unix()
	switch {
	case s > most:
		s = most
	case s < -most:
		s = -most
	}
	return s*1e9 + int64(t.Nanosecond())
}

// tick sets the clock, and gives up what is too old. What began first is in
// front, since the clock is never set back.
func (f *Fragments) tick(now int64) {
	f.clock = now
	if f.lim.Idle < 0 {
		return
	}
	for v := range f.waiting {
		idle := f.lim.Idle
		if idle == 0 {
			idle = fragIdle(v)
		}
		for t := &f.waiting[v]; ; {
			i, w := t.oldestOf()
			if i == 0 || now-w.first <= int64(idle) {
				break
			}
			f.giveUp(v, i, w, &f.stats.Expired, ErrIncomplete)
		}
	}
}

// refuse counts a fragment that was refused, and returns the error.
func (f *Fragments) refuse(c *FragmentCount, d *Datagram, h *ipHeader, err error, reason string) error {
	c.add(h.end - h.hdr)
	return &Error{Layer: h.layer(), Packet: d.Packet, Offset: uint64(h.off), Err: err, Reason: reason}
}

func (h *ipHeader) layer() string {
	if h.v6 {
		return "IPv6"
	}
	return "IPv4"
}

// fragment takes a fragment. It returns the datagram that is complete now.
func (f *Fragments) fragment(d *Datagram, h *ipHeader) (*fragDone, error) {
	f.stats.Fragments++
	n := h.wire - h.hdr
	end := h.off + n
	switch {
	case h.unsized(d.Data):
		return nil, f.refuse(&f.stats.Malformed, d, h, ErrMalformed, "a fragment without a length")
	case h.end < h.wire:
		return nil, f.refuse(&f.stats.Truncated, d, h, ErrTruncated, "the capture has not all of the fragment")
	case n <= 0:
		return nil, f.refuse(&f.stats.Malformed, d, h, ErrMalformed, "a fragment with nothing in it")
	case h.more && n%fragUnit != 0:
		return nil, f.refuse(&f.stats.Malformed, d, h, ErrMalformed, "more fragments follow, but the length is no multiple of 8")
	case end > h.most(pkts.IPv4MinLen):
		return nil, f.refuse(&f.stats.TooLong, d, h, ErrTooLong, "the fragment ends where no datagram does")
	}
	if h.off == 0 && h.tiny(d.Data) {
		f.stats.Tiny++
		if f.RefuseTiny {
			return nil, f.refuse(&f.stats.Malformed, d, h, ErrMalformed, "the first fragment ends before the header above IP does")
		}
	}

	var k fragKey // field by field, as it is read
	k.src, k.dst, k.tunnel, k.id = h.src, h.dst, d.Tunnel, h.id
	v := 0
	if h.v6 {
		v = 1
	} else {
		k.proto = uint32(h.proto)
	}
	t := &f.waiting[v]
	hash := f.hash.sum(k.src, k.dst, k.tunnel, uint64(k.id)<<32|uint64(k.proto))
	i, w := k.find(t, hash)
	if w == nil {
		for full := f.full(); full || f.stats.Memory+fragSlotSize > f.lim.Bytes; full = f.full() {
			if (full || !f.dropUnused()) && !f.evict(-1, 0) {
				return nil, f.refuse(&f.stats.Limit, d, h, ErrLimit, "no datagram may wait")
			}
		}
		i, w = t.add(hash, k)
		w.begin(d.Seen, f.clock, f.begun, h.proto)
		f.begun++
		f.stats.Memory += fragSlotSize
		f.stats.Waiting.Packets++
	} else if w.rejected {
		return nil, f.refuse(&f.stats.Refused, d, h, ErrOverlap, "the datagram was rejected before")
	}

	// Where the end is must not be contradicted.
	if !h.more && (w.total >= 0 && int(w.total) != end || int(w.end) > end) || h.more && w.total >= 0 && end > int(w.total) {
		if f.policy(h) == FragmentsReject {
			f.giveUp(v, i, w, &f.stats.Rejected, ErrMalformed)
		}
		return nil, f.refuse(&f.stats.Malformed, d, h, ErrMalformed, "where the datagram ends is contradicted")
	}

	// With the header of the first fragment, the datagram must not be longer
	// than its length can say.
	hdr, reach := int(w.hdr), max(end, int(w.end))
	if h.off == 0 {
		hdr = h.hdr
		if h.v6 {
			hdr = h.unfrag
		}
	}
	if reach > h.most(hdr) {
		return nil, f.refuse(&f.stats.TooLong, d, h, ErrTooLong, "with its header, the datagram is too long")
	}

	data := d.Data[h.hdr:h.end]
	from, to := h.off/fragUnit, (end+fragUnit-1)/fragUnit
	overlaps := w.overlaps(from, to)
	var policy FragmentPolicy
	if overlaps {
		policy = f.policy(h)
		w.toBits()
	}
	added, first := 0, false
	switch {
	case overlaps && w.buf.repeats(h.off, int(w.end), data, policy == FragmentsReject && !h.v6):
		f.stats.Duplicate.add(n)
	case overlaps && policy == FragmentsReject:
		f.stats.Overlapping++
		f.giveUp(v, i, w, &f.stats.Rejected, ErrOverlap)
		return nil, f.refuse(&f.stats.Overlap, d, h, ErrOverlap, "")
	default:
		head := 0
		if h.off == 0 {
			head = hdr
		}
		if !f.makeRoom(v, i, w, head, end) {
			if w.buf == nil {
				f.forget(v, i, w)
			}
			return nil, f.refuse(&f.stats.Limit, d, h, ErrLimit, "there is no memory for it")
		}
		if overlaps {
			added, first = w.buf.overlay(policy, h.off, data)
			f.stats.Overlapping++
			f.stats.Overlapped += uint64(n - added)
		} else {
			copy(w.payload[h.off:], data)
			w.note(from, to)
			added, first = n, true
		}
		if first && from == 0 {
			b := w.buf
			copy(b.data[b.head-hdr:b.head], d.Data[:hdr])
			if h.v6 {
				b.data[b.head-hdr+h.announce] = byte(h.proto)
			}
			w.hdr = int32(hdr)
		}
		w.end = max(w.end, int32(end))
		w.have += int32(added)
	}
	f.stats.Waiting.Bytes += uint64(added)
	if !h.more {
		w.total = int32(end)
	}
	if w.have != w.total {
		return nil, nil
	}
	done := &f.done
	*done = fragDone{w.buf, w.hdr, w.total}
	w.buf, w.payload = nil, nil
	f.stats.Waiting.Bytes -= uint64(w.have)
	f.forget(v, i, w)
	return done, nil
}

// find is t.get with a comparison that is not a call.
func (k *fragKey) find(t *table[fragKey, fragDatagram], hash uint32) (int32, *fragDatagram) {
	for i, at := t.next(hash, hash); i != 0; i, at = t.next(hash, at) {
		s := t.at(int32(i))
		if o := &s.key; o.id == k.id && o.proto == k.proto && o.src == k.src && o.dst == k.dst && o.tunnel == k.tunnel {
			return int32(i), &s.value
		}
	}
	return 0, nil
}

// full reports whether as many datagrams wait as may.
func (f *Fragments) full() bool {
	return f.waiting[0].len()+f.waiting[1].len() >= f.lim.Flows
}

// unsized reports whether the header does not say how long the packet is.
func (h *ipHeader) unsized(b []byte) bool {
	if h.v6 {
		return pkts.IPv6View(b).PayloadLength() == 0
	}
	return pkts.IPv4View(b).Length() == 0
}

// most is how long the payload of a datagram can be whose header has hdr bytes.
func (h *ipHeader) most(hdr int) int {
	if h.v6 {
		return 0xffff - max(0, hdr-pkts.IPv6Len)
	}
	return 0xffff - hdr
}

// tiny reports whether the header of the protocol above IP is not all in b, the
// first fragment.
func (h *ipHeader) tiny(b []byte) bool {
	b = b[h.hdr:h.end]
	proto := h.proto
	for h.v6 {
		n := 0
		switch proto {
		case pkts.IPProtoHopByHop, pkts.IPProtoRouting, pkts.IPProtoDestOpts, pkts.IPProtoMobility, pkts.IPProtoHIP, pkts.IPProtoShim6:
			n = 1
			if len(b) > 1 {
				n = 8 + int(b[1])*8
			}
		case pkts.IPProtoAH:
			n = 1
			if len(b) > 1 {
				n = 8 + int(b[1])*4
			}
		case pkts.IPProtoFragment:
			n = 8
		}
		if n == 0 {
			break
		}
		if n > len(b) || len(b) < 2 {
			return true
		}
		proto, b = pkts.IPProto(b[0]), b[n:]
	}
	least := 0
	switch proto {
	case pkts.IPProtoTCP:
		least = pkts.TCPMinLen
		if len(b) >= least {
			least = pkts.TCPView(b).HeaderLen()
		}
	case pkts.IPProtoUDP, pkts.IPProtoUDPLite, pkts.IPProtoICMPv4, pkts.IPProtoICMPv6:
		least = 8
	case pkts.IPProtoSCTP, pkts.IPProtoDCCP:
		least = 12
	}
	return len(b) < least
}

// policy returns the policy for a fragment.
func (f *Fragments) policy(h *ipHeader) FragmentPolicy {
	switch {
	case h.v6:
		return FragmentsReject
	case f.PolicyFor != nil:
		_, dst := h.addrs()
		return f.PolicyFor(dst)
	}
	return f.Policy
}

// fragDone is a datagram of which everything is there.
type fragDone struct {
	buf        *fragBuf
	hdr, total int32
}

// finish makes a datagram of what was collected.
func (f *Fragments) finish(h *ipHeader, done *fragDone) []byte {
	b := done.buf
	start, end := b.head-int(done.hdr), b.head+int(done.total)
	data := b.data[start:end:end]
	if h.v6 {
		binary.BigEndian.PutUint16(data[4:], uint16(len(data)-pkts.IPv6Len))
	} else {
		v := pkts.IPv4View(data)
		v.SetLength(uint16(len(data)))
		v.SetFlags(v.Flags() &^ pkts.IPv4MoreFragments)
		v.SetFragmentOffset(0)
	}
	f.class = fragClass(int(done.hdr), int(done.total))
	return data
}

// giveUp gives up datagram i of waiting[v]. One that is rejected is remembered
// without its bytes.
func (f *Fragments) giveUp(v int, i int32, w *fragDatagram, c *FragmentCount, err error) {
	if w.rejected { // it was given up before
		f.forget(v, i, w)
		return
	}
	c.add(int(w.have))
	f.stats.Waiting.Bytes -= uint64(w.have)
	f.recycle(w.buf)
	w.buf, w.payload = nil, nil
	var lost LostDatagram
	if f.Lost != nil {
		k := &f.waiting[v].at(i).key
		h := ipHeader{src: k.src, dst: k.dst, v6: v == 1}
		lost = LostDatagram{ID: k.id, Protocol: w.proto, Tunnel: k.tunnel, First: w.seen, Bytes: int(w.have), Err: err}
		lost.Src, lost.Dst = h.addrs()
	}
	if c == &f.stats.Rejected {
		w.rejected = true
		w.have = 0
		f.stats.Waiting.Packets--
	} else {
		f.forget(v, i, w)
	}
	if f.Lost != nil {
		f.Lost(lost)
	}
}

// forget removes datagram i, which has no buffer any more.
func (f *Fragments) forget(v int, i int32, w *fragDatagram) {
	if !w.rejected {
		f.stats.Waiting.Packets--
	}
	f.waiting[v].remove(i)
	f.stats.Memory -= fragSlotSize
}

// evict gives up the datagram that began first, but not datagram i of
// waiting[v].
func (f *Fragments) evict(v int, i int32) bool {
	var found int32
	var oldest *fragDatagram
	at := 0
	for x := range f.waiting {
		t := &f.waiting[x]
		j := t.oldest
		if x == v && j == i && j != 0 {
			j = t.at(j).next
		}
		if j == 0 {
			continue
		}
		if w := &t.at(j).value; oldest == nil || w.order < oldest.order {
			found, oldest, at = j, w, x
		}
	}
	if oldest == nil {
		return false
	}
	f.giveUp(at, found, oldest, &f.stats.Evicted, ErrLimit)
	return true
}

// makeRoom makes datagram i have a buffer for a header of head bytes, and a
// payload of end.
func (f *Fragments) makeRoom(v int, i int32, w *fragDatagram, head, end int) bool {
	old := w.buf
	if end <= len(w.payload) && (head <= fragHead || head <= old.head) {
		return true
	}
	n := max(end, int(w.end))
	class := fragClass(head, n)
	more := 0
	if old == nil {
		// Datagrams are often as long as those before.
		if c := f.class; f.free[c] != nil || f.stats.Memory+fragBufSize(c, 0, 0) <= f.lim.Bytes {
			more = c
		}
	} else {
		head = max(head, old.head)
		class = fragClass(head, n)
		// Twice as much, so that growing costs no more than what comes.
		more = min(fragClasses, 2*old.class)
	}
	if class != 0 && more > class && fragBufSize(more, 0, 0) <= f.lim.FlowBytes {
		class = more
	}
	if fragBufSize(class, head, n) > f.lim.FlowBytes {
		return false
	}
	b := f.buffer(v, i, class, head, n)
	if b == nil {
		return false
	}
	w.moveTo(b)
	f.recycle(old)
	return true
}

// buffer returns an empty buffer, or nil when there is no memory for it. What it
// evicts is not datagram i of waiting[v].
func (f *Fragments) buffer(v int, i int32, class, head, n int) *fragBuf {
	size := fragBufSize(class, head, n)
	longest := fragBufSize(fragClasses, 0, 0)
	for pressed := false; ; {
		if f.free[class] != nil {
			return f.unused(class, head)
		}
		limit := f.lim.Bytes
		if class != fragClasses {
			// What is left at the end is too short for long ones: who fills it
			// has to make way again.
			limit -= min(longest, limit/64)
		}
		if f.stats.Memory+size <= limit {
			break
		}
		// Making a buffer takes longer than all the rest, so a longer one that
		// is there will do.
		if longer := f.frees >> class; class != 0 && longer != 0 {
			return f.unused(class+1+bits.TrailingZeros64(longer), head)
		}
		if !pressed {
			// From here on something has to go for what is made, and who sends
			// ever other lengths could have a buffer made for each of them. With
			// two lengths only, there are fewer short ones each time, until there
			// is none left to make way.
			pressed = true
			if class != 0 && longest <= min(f.lim.FlowBytes, f.lim.Bytes/64) {
				if class > fragShort {
					class = fragClasses
				} else {
					class = fragShort
				}
				size = fragBufSize(class, 0, 0)
			}
			continue
		}
		if !f.dropUnused() && !f.evict(v, i) {
			if f.stats.Memory+size <= f.lim.Bytes {
				break
			}
			return nil
		}
	}
	f.stats.Memory += size
	b := newFragBuf(class, head, n)
	b.reset(head)
	return b
}

// fragShort is the shorter of the two classes that are made when memory is
// short.
const fragShort = 8192 / fragStep

// unused returns an unused buffer of a class, of which there is one.
func (f *Fragments) unused(class, head int) *fragBuf {
	b := f.takeUnused(class)
	b.reset(head)
	return b
}

// takeUnused takes a buffer out of those that are not used.
func (f *Fragments) takeUnused(class int) *fragBuf {
	b := f.free[class]
	if f.free[class] = b.next; b.next == nil {
		f.frees &^= 1 << (class - 1)
	}
	return b
}

// dropUnused gives one buffer that is not used back to Go.
func (f *Fragments) dropUnused() bool {
	if f.frees == 0 {
		return false
	}
	f.stats.Memory -= f.takeUnused(bits.Len64(f.frees)).size()
	return true
}

// recycle takes a buffer back that is not used any more.
func (f *Fragments) recycle(b *fragBuf) {
	switch {
	case b == nil:
	case b.class == 0:
		f.stats.Memory -= b.size()
	default:
		b.next = f.free[b.class]
		f.free[b.class] = b
		f.frees |= 1 << (b.class - 1)
	}
}

// lend notes that the caller has what is in b, until release.
func (f *Fragments) lend(b *fragBuf) {
	if b != nil {
		b.next = f.lent
		f.lent = b
	}
}

// release takes back what was lent.
func (f *Fragments) release() {
	for b := f.lent; b != nil; b = f.lent {
		f.lent = b.next
		f.recycle(b)
	}
}

// keep keeps a datagram for Get, copied if it is in no buffer of ours.
func (f *Fragments) keep(d Datagram, b *fragBuf, n int) error {
	if b == nil {
		b = f.buffer(-1, 0, fragClass(0, len(d.Data)), 0, len(d.Data))
		if b == nil {
			f.stats.Limit.add(n)
			return &Error{Layer: "IP", Packet: d.Packet, Err: ErrLimit, Reason: "the memory is used up: call Get"}
		}
		d.Data = b.data[b.head : b.head+copy(b.data[b.head:], d.Data)]
	}
	if f.readyHead > 0 && len(f.ready) == cap(f.ready) {
		left := copy(f.ready, f.ready[f.readyHead:])
		clear(f.ready[left:])
		f.ready, f.readyHead = f.ready[:left], 0
	}
	f.ready = append(f.ready, fragReady{d, b, n})
	f.stats.Ready.add(n)
	return nil
}

// open returns the IP packet that d, a whole one, carries, and the number of the
// network that it belongs to where the tunnel has one for both directions.
func (f *Fragments) open(d *Datagram) (inner Datagram, h ipHeader, network uint32, ok bool) {
	p := &f.packet
	p.Registry = f.Registry
	first, n4, n6 := pkts.IPv4View(nil).Proto(), 1, 0
	if d.Data[0]>>4 == 6 {
		first, n4, n6 = pkts.IPv6View(nil).Proto(), 0, 1
	}
	// What decoded before an error is there.
	_ = p.DecodeAs(first, d.Data)
	inner = *d
	inner.Data = nil
	if v, ok := pkts.NthView[pkts.IPv4View](p, n4); ok {
		inner.Data = v
	}
	if v, ok := pkts.NthView[pkts.IPv6View](p, n6); ok && len(v) > len(inner.Data) { // what is inside is shorter
		inner.Data = v
	}
	if inner.Data == nil {
		return inner, h, 0, false
	}
	// What ICMP carries is quoted.
	if v, ok := pkts.View[pkts.ICMPv4View](p); ok && len(v) > len(inner.Data) {
		return inner, h, 0, false
	}
	if v, ok := pkts.View[pkts.ICMPv6View](p); ok && len(v) > len(inner.Data) {
		return inner, h, 0, false
	}
	if v, ok := pkts.View[pkts.VXLANView](p); ok && len(v) > len(inner.Data) {
		network = v.VNI()
	}
	return inner, h, network, h.parse(&inner) == nil
}

// path stands for the tunnel of a network between the endpoints in h, in both
// directions, that lies in another one.
func (f *Fragments) path(h *ipHeader, network uint32, outer uint64) uint64 {
	var b [8 + 16 + 16 + 1 + 4]byte
	binary.BigEndian.PutUint64(b[:], outer)
	low, high := h.src, h.dst
	if high.below(low) {
		low, high = high, low
	}
	for i, w := range [4]uint64{low.hi, low.lo, high.hi, high.lo} {
		binary.BigEndian.PutUint64(b[8+8*i:], w)
	}
	b[40] = byte(h.proto)
	binary.BigEndian.PutUint32(b[41:], network)
	return max(1, maphash.Bytes(f.seed, b[:])) // 0 is outside of any
}
