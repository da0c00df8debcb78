package sequence

import (
	"math/bits"
	"slices"

	"github.com/gopkts/gopkts/pkts/sctp"
)

// sctpWait is what waits in one direction. TSNs lead to it by pages, each for 64
// of them: which have come, which runs of fragments end there, and which runs
// are to be looked at when all before is accounted for. So an order of chunks is
// as good as another.
type sctpWait struct {
	dir    []sctpPageRef // sorted by no; what lies before head is unused
	head   int
	hint   int // of dir, where something was found last
	marks  int // TSNs behind cum that have come; cum may have passed some of them
	names  sctpNames
	runs   []*[sctpRuns]sctpRun // that do not move
	nruns  int32                // how many of them were used
	unused []int32              // of them
	live   int
	bytes  int64 // of the buffers of runs
	// polled and polledLast are the runs of I-DATA that may get more from any
	// TSN, those that were looked at longest ago first.
	polled, polledLast int32
	polls              int // how many they are
	calls              int // of settle, with some
	steps              int // how often a loop was gone through, for a test
}

// sctpRuns is how many runs are made at a time.
const sctpRuns = 8

func (w *sctpWait) run(i int32) *sctpRun { return &w.runs[i/sctpRuns][i%sctpRuns] }

type sctpPageRef struct {
	no   uint32 // TSN / 64
	page *sctpPage
}

// sctpPage is what is known of 64 TSNs. Runs are given as their number plus one.
type sctpPage struct {
	came, due uint64
	// ends are runs of DATA of which a fragment at an end had the TSN. Nothing
	// is taken out: who reads it sees whether it is still right.
	ends  [64]int32
	looks [64]int32 // the first run to look at, where due is set
}

// sctpRun is a row of fragments without a gap: a message, if begin and end are
// set.
type sctpRun struct {
	lo, hi     uint32 // TSNs of DATA, FSNs of I-DATA
	tlo, thi   uint32 // TSNs
	num        uint32 // SSN or MID
	ppid       uint32
	sid        uint16
	kind       uint8 // 0 DATA, 1 I-DATA, 2 unordered I-DATA
	unordered  bool
	begin, end bool
	waiting    bool // for its turn
	listed     sctpList
	at         uint32 // the TSN whose list it is in
	prev, next int32  // in that list
	n          int    // bytes
	first      Seen
	last       Seen
	// part has the first bytes, or all: those of one fragment, or of several
	// that came in order, or in reverse. more are those behind it, and tail the
	// last of them.
	part       sctpPart
	more, tail *sctpPart
}

// sctpList is what a run is listed in.
type sctpList uint8

const (
	sctpUnlisted sctpList = iota
	sctpListed            // at a TSN
	sctpPolled            // in polled
)

// sctpPart are bytes of a run: those of buf, without the first ones, which are
// room for what comes before.
type sctpPart struct {
	buf   []byte
	front int
	next  *sctpPart
}

func (p *sctpPart) bytes() []byte { return p.buf[p.front:] }

// sctpNames finds runs by what identifies a fragment of I-DATA, and those that
// wait for their turn by their number.
type sctpNames struct {
	tableIndex
	seed [3]uint64
}

// sctpTurn is a kind beside those of runs: a message that waits for its turn.
const sctpTurn = 3

// hash returns the hash of a name, seeded as that of tcpTable. Neighbours mostly
// lie beside each other, since they are looked for together.
func (x *sctpNames) hash(kind uint8, sid uint16, num, seq uint32) uint32 {
	a, b := bits.Mul64(uint64(num)<<32|uint64(seq/4)^x.seed[0], uint64(sid)<<8|uint64(kind)^x.seed[1])
	c, d := bits.Mul64(a^x.seed[2], b^x.seed[0])
	return uint32((c^d)>>32) + seq%4
}

// named returns the run with a name, or -1.
func (w *sctpWait) named(h uint32, kind uint8, sid uint16, num, seq uint32) int32 {
	if w.names.used == 0 {
		return -1
	}
	mask := uint32(len(w.names.index) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		e := w.names.index[at]
		if w.steps++; e.slot == 0 {
			return -1
		}
		if e.hash != h {
			continue
		}
		r := w.run(int32(e.slot - 1))
		if r.sid != sid || r.num != num {
			continue
		}
		if kind == sctpTurn {
			if r.waiting {
				return int32(e.slot - 1)
			}
		} else if !r.waiting && r.kind == kind && (r.lo == seq || r.hi == seq) {
			return int32(e.slot - 1)
		}
	}
}

// name gives run i a name, and unname takes it.
func (w *sctpWait) name(i int32, h uint32) {
	w.names.grow(16)
	w.names.enter(tableEntry{h, uint32(i + 1)})
	w.names.used++
}

func (w *sctpWait) unname(i int32, h uint32) {
	w.names.leave(tableEntry{h, uint32(i + 1)})
	w.names.used--
}

// ending returns the run of which a fragment at an end has the given number, or
// -1.
func (w *sctpWait) ending(kind uint8, sid uint16, num, seq uint32) int32 {
	if kind != 0 {
		return w.named(w.names.hash(kind, sid, num, seq), kind, sid, num, seq)
	}
	if p := w.page(seq); p != nil {
		if i := p.ends[seq%64] - 1; i >= 0 && i < w.nruns {
			if r := w.run(i); r.n > 0 && r.kind == 0 && !r.waiting && (r.lo == seq || r.hi == seq) {
				return i
			}
		}
	}
	return -1
}

// setEnd notes that fragment seq is at an end of run i, and dropEnd that it no
// longer is.
func (s *SCTP) setEnd(w *sctpWait, i int32, seq uint32) {
	if r := w.run(i); r.kind != 0 {
		w.name(i, w.names.hash(r.kind, r.sid, r.num, seq))
	} else {
		s.makePage(w, seq).ends[seq%64] = i + 1
	}
}

func (w *sctpWait) dropEnd(i int32, seq uint32) {
	if r := w.run(i); r.kind != 0 {
		w.unname(i, w.names.hash(r.kind, r.sid, r.num, seq))
	}
}

// find returns where a page is in dir, or belongs.
func (w *sctpWait) find(no uint32) (int, bool) {
	if i := w.hint; i >= w.head && i < len(w.dir) && w.dir[i].no == no {
		return i, true
	}
	lo, hi := w.head, len(w.dir)
	for lo < hi {
		w.steps++
		mid := int(uint(lo+hi) / 2)
		switch d := int32((w.dir[mid].no - no) * 64); { // no has 26 bits
		case d == 0:
			w.hint = mid
			return mid, true
		case d < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// page returns the page of a TSN, or nil.
func (w *sctpWait) page(tsn uint32) *sctpPage {
	if i, ok := w.find(tsn / 64); ok {
		return w.dir[i].page
	}
	return nil
}

// makePage returns the page of a TSN.
func (s *SCTP) makePage(w *sctpWait, tsn uint32) *sctpPage {
	i, ok := w.find(tsn / 64)
	if ok {
		return w.dir[i].page
	}
	var p *sctpPage
	if n := len(s.pages); n > 0 {
		p = s.pages[n-1]
		s.pages = s.pages[:n-1]
	} else {
		p = new(sctpPage)
	}
	r := sctpPageRef{tsn / 64, p}
	w.steps += min(i-w.head, len(w.dir)-i) / 16 // that many are moved at once
	// What is on the shorter side moves.
	n := len(w.dir) - w.head
	switch {
	case w.head > 0 && i-w.head <= n/2:
		w.head--
		copy(w.dir[w.head:], w.dir[w.head+1:i])
		i--
		w.dir[i] = r
	case i-w.head < n/2:
		// Room in front for as many again.
		dir := make([]sctpPageRef, n+n+1, 4*n+4)
		copy(dir[n:], w.dir[w.head:i])
		copy(dir[i-w.head+n+1:], w.dir[i:])
		i += n - w.head
		w.dir, w.head = dir, n
		w.dir[i] = r
	default:
		if len(w.dir) == cap(w.dir) && w.head > n {
			copy(w.dir, w.dir[w.head:])
			clear(w.dir[n:])
			w.dir, i, w.head = w.dir[:n], i-w.head, 0
		}
		w.dir = slices.Insert(w.dir, i, r)
	}
	w.hint = i
	return p
}

// dropPage takes out the page at i, which is the first one, or the second.
func (s *SCTP) dropPage(w *sctpWait, i int) {
	p := w.dir[i].page
	w.marks -= bits.OnesCount64(p.came)
	p.came, p.due = 0, 0
	if len(s.pages) < sctpPages {
		s.pages = append(s.pages, p)
	}
	copy(w.dir[w.head+1:i+1], w.dir[w.head:i])
	w.dir[w.head] = sctpPageRef{}
	if w.head++; w.head == len(w.dir) {
		w.dir, w.head = w.dir[:0], 0
	}
}

// mark notes that a TSN behind cum has come, and reports whether it is the first
// time.
func (s *SCTP) mark(w *sctpWait, tsn uint32) bool {
	p := s.makePage(w, tsn)
	bit := uint64(1) << (tsn % 64)
	if p.came&bit != 0 {
		return false
	}
	p.came |= bit
	w.marks++
	return true
}

// advance returns the last TSN behind cum up to which all have come.
func (w *sctpWait) advance(cum uint32) uint32 {
	for w.marks > 0 {
		w.steps++
		p := w.page(cum + 1)
		if p == nil {
			break
		}
		at := (cum + 1) % 64
		n := bits.TrailingZeros64(^(p.came >> at))
		p.came &^= (1<<n - 1) << at
		w.marks -= n
		cum += uint32(n)
		if int(at)+n < 64 {
			break
		}
	}
	return cum
}

// look says that run i, which must be in no list, is to be looked at when all
// before tsn is accounted for: before others there if it began earlier.
func (s *SCTP) look(w *sctpWait, i int32, tsn uint32, earlier bool) {
	p := s.makePage(w, tsn)
	r := w.run(i)
	r.listed, r.at, r.prev, r.next = sctpListed, tsn, 0, 0
	head := &p.looks[tsn%64]
	switch bit := uint64(1) << (tsn % 64); {
	case p.due&bit == 0:
		p.due |= bit
		*head = i + 1
	case earlier:
		r.next = *head
		w.run(r.next - 1).prev = i + 1
		*head = i + 1
	default: // as the second one
		o := w.run(*head - 1)
		if r.prev, r.next = *head, o.next; r.next != 0 {
			w.run(r.next - 1).prev = i + 1
		}
		o.next = i + 1
	}
}

// poll puts run i, which must be in no list, behind those that are polled.
func (w *sctpWait) poll(i int32) {
	r := w.run(i)
	w.polls++
	r.listed, r.prev, r.next = sctpPolled, w.polledLast, 0
	if w.polledLast != 0 {
		w.run(w.polledLast - 1).next = i + 1
	} else {
		w.polled = i + 1
	}
	w.polledLast = i + 1
}

// unlist takes run i out of the list that it is in.
func (w *sctpWait) unlist(i int32) {
	r := w.run(i)
	switch r.listed {
	case sctpUnlisted:
		return
	case sctpListed:
		if r.prev != 0 {
			w.run(r.prev - 1).next = r.next
		} else if p := w.page(r.at); p != nil {
			if p.looks[r.at%64] = r.next; r.next == 0 {
				p.due &^= 1 << (r.at % 64)
			}
		}
		if r.next != 0 {
			w.run(r.next - 1).prev = r.prev
		}
	case sctpPolled:
		w.polls--
		if r.prev != 0 {
			w.run(r.prev - 1).next = r.next
		} else {
			w.polled = r.next
		}
		if r.next != 0 {
			w.run(r.next - 1).prev = r.prev
		} else {
			w.polledLast = r.prev
		}
	}
	r.listed, r.prev, r.next = sctpUnlisted, 0, 0
}

// due returns the first run that is to be looked at when all up to cum is
// accounted for, or -1. It lets go of pages that nobody needs any more.
func (s *SCTP) due(w *sctpWait, cum uint32) int32 {
	for i := w.head; i < len(w.dir); {
		w.steps++
		p, base := w.dir[i].page, w.dir[i].no*64
		if sctp.Before(cum+1, base) {
			break
		}
		if p.due != 0 {
			if at := bits.TrailingZeros64(p.due); !sctp.Before(cum+1, base+uint32(at)) {
				return p.looks[at] - 1
			}
		}
		last := base + 63
		if sctp.Before(cum, last) {
			// cum is in it.
			passed := p.came & (2<<((cum-base)%64) - 1)
			if cum+1 == base {
				passed = 0
			}
			p.came &^= passed
			w.marks -= bits.OnesCount64(passed)
			break
		}
		if last != cum {
			s.dropPage(w, i)
			i = max(i, w.head) // an earlier one may have moved up
			continue
		}
		// A fragment that follows may come yet.
		w.marks -= bits.OnesCount64(p.came)
		p.came = 0
		i++
	}
	return -1
}

// oldest returns the run that was waited for longest, or -1; tsn is the TSN up to
// which all is accounted for if it is given up.
func (s *SCTP) oldest(w *sctpWait, cum uint32) (i int32, tsn uint32) {
	if w.polled != 0 {
		return w.polled - 1, cum
	}
	for w.head < len(w.dir) {
		if p := w.dir[w.head].page; p.due != 0 {
			at := bits.TrailingZeros64(p.due)
			if tsn = w.dir[w.head].no*64 + uint32(at) - 1; sctp.Before(tsn, cum) {
				tsn = cum
			}
			return p.looks[at] - 1, tsn
		}
		w.steps++
		s.dropPage(w, w.head)
	}
	return -1, cum
}

// last returns the last TSN that has come, or cum.
func (w *sctpWait) last(cum uint32) uint32 {
	for i := len(w.dir) - 1; i >= w.head; i-- {
		if p := w.dir[i].page; p.came != 0 {
			if t := w.dir[i].no*64 + uint32(bits.Len64(p.came)) - 1; sctp.Before(cum, t) {
				return t
			}
		}
	}
	return cum
}

// clear forgets which TSNs have come.
func (s *SCTP) clear(w *sctpWait) {
	for w.head < len(w.dir) {
		s.dropPage(w, w.head)
	}
	w.marks = 0
}

// cost returns the memory that w takes.
func (w *sctpWait) cost() int64 {
	return sctpWaitSize + w.bytes + int64(w.live)*sctpRunSize + int64(len(w.dir)-w.head)*sctpPageSize + int64(len(w.names.index))*8
}

// idle returns the memory that w keeps beside that, because there was more once:
// giving up what waits does not free it, unless it is all.
func (w *sctpWait) idle() int64 {
	return int64(len(w.runs)*sctpRuns-w.live)*(sctpRunSize-32) + int64(cap(w.dir))*16
}

// waitOf returns what waits in h, made if nothing does.
func (s *SCTP) waitOf(h *sctpHalf) *sctpWait {
	if h.wait == nil {
		if n := len(s.spare); n > 0 {
			h.wait = s.spare[n-1]
			s.spare = s.spare[:n-1]
		} else {
			h.wait = &sctpWait{}
			copy(h.wait.names.seed[:], s.seed[:])
		}
	}
	return h.wait
}

// settled lets go of the memory if nothing waits any more.
func (s *SCTP) settled(h *sctpHalf) {
	w := h.wait
	if w == nil || w.live > 0 || w.marks > 0 {
		return
	}
	h.wait = nil
	s.clear(w)
	if large := len(w.runs) > 32 || cap(w.dir) > 64 || len(w.names.index) > 512; large && len(s.spare) > 0 || len(s.spare) >= sctpSpare {
		return
	}
	w.nruns, w.unused, w.hint = 0, w.unused[:0], 0
	s.spare = append(s.spare, w)
}

// newPart returns a place for bytes of a run.
func (s *SCTP) newPart(p sctpPart) *sctpPart {
	b := s.parts
	if b == nil {
		b = new(sctpPart)
	} else {
		s.parts = b.next
		s.nparts--
	}
	*b = p
	return b
}

// drop keeps one for reuse.
func (s *SCTP) drop(b *sctpPart) {
	if s.nparts < sctpParts {
		*b = sctpPart{next: s.parts}
		s.parts = b
		s.nparts++
	}
}

// buffer returns a buffer for n bytes of user data, or for more, up to what is
// wanted.
func (s *SCTP) buffer(w *sctpWait, n, want int) []byte {
	b := s.out.sized(max(n, min(want, outboxKeep)))
	w.bytes += int64(cap(b))
	return b
}

// add makes a run of a chunk.
func (s *SCTP) add(w *sctpWait, c *sctpChunk, begin, end bool) int32 {
	var i int32
	if n := len(w.unused); n > 0 {
		i = w.unused[n-1]
		w.unused = w.unused[:n-1]
	} else {
		if i = w.nruns; int(i) == len(w.runs)*sctpRuns {
			w.runs = append(w.runs, new([sctpRuns]sctpRun))
		}
		w.nruns++
	}
	w.live++
	want := 0
	if begin && !end {
		want = min(s.guess, 8*len(c.data))
	}
	r := w.run(i)
	r.lo, r.hi, r.tlo, r.thi = c.seq, c.seq, c.tsn, c.tsn
	r.num, r.ppid, r.sid, r.kind, r.unordered = c.num, c.ppid, c.sid, c.kind, c.flags.Has(sctp.DataUnordered)
	r.begin, r.end, r.n, r.first, r.last = begin, end, len(c.data), c.seen, c.seen
	r.part.buf = append(s.buffer(w, len(c.data), want), c.data...)
	return i
}

// append puts a chunk behind a run; last says that no other can follow.
func (s *SCTP) append(w *sctpWait, r *sctpRun, c *sctpChunk, last bool) {
	p := r.tail
	if p == nil {
		p = &r.part
	}
	n := len(c.data)
	if cap(p.buf)-len(p.buf) >= n {
		p.buf = append(p.buf, c.data...)
	} else {
		want := 2 * len(p.bytes())
		if last {
			want = 0
		}
		s.chain(r, s.newPart(sctpPart{buf: append(s.buffer(w, n, want), c.data...)}))
	}
	r.n += n
}

// prepend puts a chunk in front of a run.
func (s *SCTP) prepend(w *sctpWait, r *sctpRun, c *sctpChunk) {
	n := len(c.data)
	if r.part.front < n {
		b := s.buffer(w, n, 2*len(r.part.bytes()))
		next := s.newPart(r.part)
		if next.next = r.more; r.tail == nil {
			r.tail = next
		}
		r.more = next
		r.part = sctpPart{buf: b[:cap(b)], front: cap(b)}
	}
	r.part.front -= n
	copy(r.part.buf[r.part.front:], c.data)
	r.n += n
}

// chain puts p, and what is behind it, behind a run.
func (s *SCTP) chain(r *sctpRun, p *sctpPart) {
	if r.tail == nil {
		r.more = p
	} else {
		r.tail.next = p
	}
	r.tail = p
}

// merge puts run j, which must be of the same message, behind run i.
func (s *SCTP) merge(w *sctpWait, i, j int32) {
	r, o := w.run(i), w.run(j)
	p := s.newPart(o.part)
	p.next = o.more
	s.chain(r, p)
	if o.tail != nil {
		r.tail = o.tail
	}
	r.hi, r.thi, r.last, r.end = o.hi, o.thi, o.last, o.end
	r.n += o.n
	w.unlist(j)
	*o = sctpRun{}
	w.unused = append(w.unused, j)
	w.live--
}

// remove takes a run out, whose bytes are no longer there.
func (s *SCTP) remove(w *sctpWait, i int32) {
	r := w.run(i)
	w.unlist(i)
	s.unend(w, i)
	*r = sctpRun{}
	w.unused = append(w.unused, i)
	w.live--
}

// unend makes a run be found by nothing.
func (s *SCTP) unend(w *sctpWait, i int32) {
	r := w.run(i)
	switch {
	case r.waiting:
		w.unname(i, w.names.hash(sctpTurn, r.sid, r.num, 0))
		r.waiting = false
	case r.begin && r.end && r.lo == r.hi: // never was
	default:
		if w.dropEnd(i, r.lo); r.lo != r.hi {
			w.dropEnd(i, r.hi)
		}
	}
}

// joins reports whether a chunk and a run may be of one message.
func (r *sctpRun) joins(c *sctpChunk) bool {
	return r.sid == c.sid && r.unordered == c.flags.Has(sctp.DataUnordered) && (r.num == c.num || r.unordered && r.kind == 0)
}
