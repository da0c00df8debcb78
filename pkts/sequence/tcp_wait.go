package sequence

import (
	"bytes"
	"math/bits"

	"github.com/gopkts/gopkts/pkts"
)

// What waits of a direction, unless it is little (see tcpPiece), lies in pages,
// each for 2 KiB of the stream at a multiple of 2 KiB, with a bit for each byte
// that is there. So a segment costs what its length does, and finding its page,
// however many others wait, how they overlap, and in which order they came; and
// one-byte segments do not cost a list entry each.
const (
	tcpPageLen  = 2048
	tcpPageMask = tcpPageLen - 1
	tcpPageBits = 11
	tcpMarks    = 8
)

// tcpPage is a page. It has no pointers.
type tcpPage struct {
	n     int32           // of the marks
	count int32           // bytes that wait in it
	offs  [tcpMarks]int32 // where the bytes of a mark begin, sorted; they end at the next one
	marks [tcpMarks]tcpMark
	have  [tcpPageLen / 64]uint64
	data  [tcpPageLen]byte
}

// tcpMark says which segment bytes come from.
type tcpMark struct {
	packet     uint64
	at         int64
	start, end uint32 // of the segment
}

// What is counted for a page, and for a list of them.
const (
	tcpPageCost = 2688 + 2*16 // the allocator's size, and two places in lists
	tcpWaitCost = 256
	// tcpSpare is how many unused pages and lists are kept beside as many as
	// are used: making one takes as long as a few packets.
	tcpSpare = 128
)

// tcpWait is what waits of a direction: at least one byte.
type tcpWait struct {
	dir    []tcpRef   // sorted by no; what lies before head is unused
	pieces []tcpPiece // or else, sorted by off; what lies before gone is unused
	gone   int
	head   int32
	conn   int32 // the connection's number in TCP.conns
	side   uint8

	sacks      uint8
	self       int32
	prev, next int32                     // by the time of the last change
	blocks     *[tcpSACKs]pkts.SACKBlock // of the last selective acknowledgment, if there was one

	memory int64
	since  int64  // when the first of it came
	top    uint64 // the offset behind the last byte
}

// tcpSACKs is how many blocks a selective acknowledgment has at most, RFC 2018,
// section 3.
const tcpSACKs = 4

type tcpRef struct {
	no   uint32 // offset / tcpPageLen, modulo 2^32
	page *tcpPage
}

// tcpWaits holds everything that waits.
type tcpWaits struct {
	all            []*tcpWait
	unused, gone   []int32 // of all, plus one; those gone are nil
	oldest, newest int32   // numbers plus one
	spare          []*tcpPage
	used           int // pages
	bufs           tcpBufs
	memory         int64
}

func (ws *tcpWaits) at(i int32) *tcpWait { return ws.all[i-1] }

// add makes a tcpWait, as the newest.
func (ws *tcpWaits) add() *tcpWait {
	var w *tcpWait
	if n := len(ws.unused); n > 0 {
		w = ws.all[ws.unused[n-1]-1]
		ws.unused = ws.unused[:n-1]
	} else {
		w = new(tcpWait)
		if n := len(ws.gone); n > 0 {
			w.self = ws.gone[n-1]
			ws.gone = ws.gone[:n-1]
			ws.all[w.self-1] = w
		} else {
			ws.all = append(ws.all, w)
			w.self = int32(len(ws.all))
		}
	}
	w.memory = tcpWaitCost
	ws.memory += tcpWaitCost
	ws.link(w)
	return w
}

// remove takes w, in which nothing waits any more.
func (ws *tcpWaits) remove(w *tcpWait) {
	ws.unlink(w)
	ws.memory -= w.memory
	if cap(w.dir) > 64 {
		w.dir = nil
	}
	w.dir, w.head, w.sacks, w.top = w.dir[:0], 0, 0, 0
	w.pieces, w.gone = w.pieces[:0], 0
	ws.unused = append(ws.unused, w.self)
	for n := len(ws.unused); n > len(ws.all)-len(ws.gone)-n+tcpSpare; n-- {
		i := ws.unused[n-1]
		ws.unused = ws.unused[:n-1]
		ws.all[i-1] = nil
		ws.gone = append(ws.gone, i)
	}
}

func (ws *tcpWaits) touch(w *tcpWait) {
	if ws.newest != w.self {
		ws.unlink(w)
		ws.link(w)
	}
}

func (ws *tcpWaits) link(w *tcpWait) {
	w.prev, w.next = ws.newest, 0
	if ws.newest != 0 {
		ws.at(ws.newest).next = w.self
	} else {
		ws.oldest = w.self
	}
	ws.newest = w.self
}

func (ws *tcpWaits) unlink(w *tcpWait) {
	if w.prev != 0 {
		ws.at(w.prev).next = w.next
	} else {
		ws.oldest = w.next
	}
	if w.next != 0 {
		ws.at(w.next).prev = w.prev
	} else {
		ws.newest = w.prev
	}
}

// page returns an empty page.
func (ws *tcpWaits) page() *tcpPage {
	ws.used++
	if n := len(ws.spare); n > 0 {
		p := ws.spare[n-1]
		ws.spare = ws.spare[:n-1]
		p.have = [tcpPageLen / 64]uint64{}
		p.n, p.count = 0, 0
		return p
	}
	return new(tcpPage)
}

// put takes a page back, or leaves it to the collector where there are enough.
func (ws *tcpWaits) put(p *tcpPage) {
	ws.used--
	if len(ws.spare) < ws.used+tcpSpare {
		ws.spare = append(ws.spare, p)
		return
	}
	if n := len(ws.spare); n > ws.used+2*tcpSpare {
		ws.spare[n-1] = nil
		ws.spare = ws.spare[:n-1]
	}
}

// find returns where the page no is in the list, or belongs.
func (w *tcpWait) find(no uint32) (int, bool) {
	lo, hi := int(w.head), len(w.dir)
	if hi > lo {
		// It is as far behind the first, and in front of the last, as their
		// numbers say at most, and just there where nothing is missing between.
		before, behind := int32(no-w.dir[lo].no), int32(w.dir[hi-1].no-no)
		if behind < 0 {
			return hi, false
		}
		if before < 0 {
			return lo, false
		}
		lo, hi = max(lo, hi-1-int(behind)), min(hi, lo+int(before)+1)
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		switch d := int32(w.dir[mid].no - no); {
		case d == 0:
			return mid, true
		case d < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// insert puts a page at i, and moves what is on the shorter side of it.
func (w *tcpWait) insert(i int, r tcpRef) {
	n := len(w.dir) - int(w.head)
	if i-int(w.head) < n/2 || n == 0 && w.head > 0 {
		if w.head == 0 {
			// Room in front for as many again.
			room := max(n, 4)
			dir := make([]tcpRef, room+n, 2*room+n)
			copy(dir[room:], w.dir)
			w.dir, w.head = dir, int32(room)
			i += room
		}
		w.head--
		copy(w.dir[w.head:], w.dir[w.head+1:i])
		w.dir[i-1] = r
		return
	}
	if len(w.dir) == cap(w.dir) && int(w.head) > n {
		copy(w.dir, w.dir[w.head:])
		clear(w.dir[n:])
		w.dir = w.dir[:n]
		i -= int(w.head)
		w.head = 0
	}
	w.dir = append(w.dir, tcpRef{})
	copy(w.dir[i+1:], w.dir[i:])
	w.dir[i] = r
}

// first returns the offset of the first byte that waits; off is that of the
// next one of the stream.
func (w *tcpWait) first(off uint64) uint64 {
	if !w.paged() {
		return w.pieces[w.gone].off
	}
	r := &w.dir[w.head]
	base := off&^tcpPageMask + uint64(r.no-uint32(off>>tcpPageBits))<<tcpPageBits
	i := 0
	if base < off {
		i = int(off - base)
	}
	return base + uint64(r.page.nextSet(i, tcpPageLen))
}

// nextSet returns the first byte in [i, end) that is there, or end.
func (p *tcpPage) nextSet(i, end int) int {
	for w := i / 64; w*64 < end; w++ {
		x := p.have[w]
		if w == i/64 {
			x &= ^uint64(0) << (i % 64)
		}
		if x != 0 {
			return min(w*64+bits.TrailingZeros64(x), end)
		}
	}
	return end
}

// nextClear returns the first byte in [i, end) that is not there, or end.
func (p *tcpPage) nextClear(i, end int) int {
	for w := i / 64; w*64 < end; w++ {
		x := ^p.have[w]
		if w == i/64 {
			x &= ^uint64(0) << (i % 64)
		}
		if x != 0 {
			return min(w*64+bits.TrailingZeros64(x), end)
		}
	}
	return end
}

func (p *tcpPage) has(i int) bool { return p.have[i/64]>>(i%64)&1 != 0 }

// set notes that [i, j) is there.
func (p *tcpPage) set(i, j int) {
	for i < j {
		n := min(64-i%64, j-i)
		p.have[i/64] |= (^uint64(0) >> (64 - n)) << (i % 64)
		i += n
	}
}

// markAt returns the mark that covers byte i, which is there, and where it ends.
func (p *tcpPage) markAt(i int) (m *tcpMark, end int) {
	x := int(p.n) - 1
	for x > 0 && int(p.offs[x]) > i {
		x--
	}
	if end = tcpPageLen; x+1 < int(p.n) {
		end = int(p.offs[x+1])
	}
	return &p.marks[x], end
}

// mark notes that [i, j) comes from the segment of m.
func (p *tcpPage) mark(i, j int, m *tcpMark) {
	n := int(p.n)
	x := n
	for x > 0 && int(p.offs[x-1]) >= i {
		x--
	}
	y := x
	for y < n && int(p.offs[y]) < j {
		y++
	}
	need := 1
	extends := x > 0 && p.marks[x-1].packet == m.packet && p.marks[x-1].start == m.start
	if extends {
		need = 0
	}
	// What is there behind j keeps its mark.
	restore := y > 0 && j < tcpPageLen && (y == n || int(p.offs[y]) > j) && p.has(j) && !(extends && y == x)
	var old tcpMark
	if restore {
		old = p.marks[y-1]
		need++
	}
	if n-(y-x)+need > tcpMarks {
		// Too many small ones: it counts as a part of the one before it, or
		// behind it.
		o := &p.marks[max(x-1, 0)]
		p.offs[max(x-1, 0)] = min(p.offs[max(x-1, 0)], int32(i))
		if m.packet > o.packet {
			o.packet, o.at = m.packet, m.at
		}
		if int32(m.start-o.start) < 0 {
			o.start = m.start
		}
		if int32(m.end-o.end) > 0 {
			o.end = m.end
		}
		return
	}
	copy(p.marks[x+need:], p.marks[y:n])
	copy(p.offs[x+need:], p.offs[y:n])
	p.n += int32(need - (y - x))
	if restore {
		p.marks[x+need-1], p.offs[x+need-1] = old, int32(j)
	}
	if !extends {
		p.marks[x], p.offs[x] = *m, int32(i)
	}
}

// fill puts data at a, by the policy where there is some. It returns how many
// bytes are new, and whether others differ.
func (p *tcpPage) fill(a int, data []byte, m *tcpMark, policy TCPPolicy) (fresh int, differs bool) {
	b := a + len(data)
	for i := a; i < b; {
		if p.count == 0 || !p.has(i) {
			j := b
			if p.count != 0 {
				j = p.nextSet(i, b)
			}
			copy(p.data[i:j], data[i-a:])
			p.set(i, j)
			p.mark(i, j, m)
			fresh += j - i
			i = j
			continue
		}
		o, j := p.markAt(i)
		j = min(j, p.nextClear(i, b))
		if new := data[i-a : j-a]; !bytes.Equal(p.data[i:j], new) {
			differs = true
			if policy.takes(m.start, m.end, o.start, o.end) {
				copy(p.data[i:j], new)
				p.mark(i, j, m)
			}
		}
		i = j
	}
	p.count += int32(fresh)
	return fresh, differs
}

// differs reports whether what waits differs from data at off.
func (w *tcpWait) differs(off uint64, data []byte) bool {
	for i := w.gone; i < len(w.pieces); i++ {
		p := &w.pieces[i]
		a, b := max(off, p.off), min(off+uint64(len(data)), p.behind())
		if a < b && !bytes.Equal(p.buf[a-p.off:b-p.off], data[a-off:b-off]) {
			return true
		}
	}
	for len(data) > 0 {
		a := int(off & tcpPageMask)
		n := min(len(data), tcpPageLen-a)
		if i, ok := w.find(uint32(off >> tcpPageBits)); ok {
			p := w.dir[i].page
			for x := p.nextSet(a, a+n); x < a+n; {
				y := p.nextClear(x, a+n)
				if !bytes.Equal(p.data[x:y], data[x-a:y-a]) {
					return true
				}
				x = p.nextSet(y, a+n)
			}
		}
		data = data[n:]
		off += uint64(n)
	}
	return false
}

// room makes room for n bytes at off that have to wait. ok says that there is
// some. Otherwise a gap was given up for it, of this direction or another, so that
// things are not what they were; or gaveUp says that there was none. at is where
// among the pieces they can wait by themselves, -1 if they cannot.
func (t *TCP) room(h *tcpHalf, off uint64, n int) (at int, ok, gaveUp bool) {
	var w *tcpWait
	var memory int64
	if h.wait != 0 {
		w = t.waits.at(h.wait)
		at, memory = w.fits(off, n), w.memory
	}
	size, kind := tcpBufSize(n)
	need := int64(size) + tcpPieceCost + tcpWaitCost
	if at < 0 || kind < 0 {
		at = -1
		need = int64(n>>tcpPageBits+2)*tcpPageCost + tcpWaitCost
		if w != nil && !w.paged() {
			need += w.paging() - (memory - tcpWaitCost)
		}
	}
	switch {
	case w != nil && memory+need > t.lim.FlowBytes:
		t.giveUp(w)
		return at, false, true
	case need > t.lim.FlowBytes:
		return at, false, false
	case t.waits.memory+need <= t.lim.Bytes:
		return at, true, false
	case t.waits.oldest != 0:
		t.giveUp(t.waits.at(t.waits.oldest))
		return at, false, true
	}
	return at, false, false
}

// giveUp gives up the gap before what waits in w.
func (t *TCP) giveUp(w *tcpWait) {
	t.stats.GivenUp++
	s := t.conns.at(w.conn)
	t.passAll(&s.conn, &s.key, int(w.side))
}

// store lets data wait that begins at seq, of the segment [start, end): as piece
// number at, unless that is negative.
func (t *TCP) store(c *tcpConn, k *tcpKey, side, at int, seq, start, end uint32, data []byte) error {
	h := &c.half[side]
	off := h.off + uint64(seq-h.next)
	policy := c.policy[side^1]
	var w *tcpWait
	if h.wait != 0 {
		w = t.waits.at(h.wait)
		if policy == TCPReject && w.differs(off, data) {
			t.stats.Overlaps++
			t.stats.Conflicting += uint64(len(data))
			return t.refuse(off, ErrOverlap, "and differs")
		}
		t.waits.touch(w)
	} else {
		w = t.waits.add()
		w.conn, w.side, w.since = t.cur, uint8(side), t.at
		h.wait = w.self
	}
	size, fresh, differs := len(data), 0, false
	inside := off < w.top // something behind it was here before
	w.top = max(w.top, off+uint64(size))
	switch {
	case at >= 0:
		m := &t.insertPiece(w, at, off, data).mark
		m.packet, m.at, m.start, m.end = t.seen.Packet, t.at, start, end
		fresh = size
	case !w.paged() && w.repeats(off, data):
	default:
		if !w.paged() {
			t.page(w)
		}
		m := tcpMark{packet: t.seen.Packet, at: t.at, start: start, end: end}
		fresh, differs = t.intoPages(w, off, data, &m, policy)
	}
	t.stats.MemoryHi = max(t.stats.MemoryHi, t.memory())
	t.stats.Waiting += uint64(fresh)
	if differs {
		t.stats.Overlaps++
	}
	if dup := size - fresh; dup > 0 {
		t.duplicate(h, uint64(dup))
	} else if inside {
		t.count(h, &c.half[side^1], w)
	}
	if off == h.off {
		t.drain(c, k, side)
	}
	t.settle(c, k, side)
	return nil
}

// intoPages lets data wait in pages, by the policy where some is there. It returns
// how many bytes are new, and whether others differ.
func (t *TCP) intoPages(w *tcpWait, off uint64, data []byte, m *tcpMark, policy TCPPolicy) (fresh int, differs bool) {
	for at := off; len(data) > 0; {
		a := int(at & tcpPageMask)
		n := min(len(data), tcpPageLen-a)
		no := uint32(at >> tcpPageBits)
		i, ok := w.find(no)
		if !ok {
			w.insert(i, tcpRef{no, t.waits.page()})
			t.waits.charge(w, tcpPageCost)
			i, _ = w.find(no)
		}
		f, d := w.dir[i].page.fill(a, data[:n], m, policy)
		fresh += f
		differs = differs || d
		data = data[n:]
		at += uint64(n)
	}
	return fresh, differs
}

// drain puts out what waits and can wait no longer: what follows what was
// delivered.
func (t *TCP) drain(c *tcpConn, k *tcpKey, side int) {
	h := &c.half[side]
	w := t.waits.at(h.wait)
	t.drainPieces(c, k, side, w)
	for int(w.head) < len(w.dir) {
		r := w.dir[w.head]
		i := int(h.off & tcpPageMask)
		if h.flags&tcpEnded != 0 {
			// It lies behind the FIN.
			t.stats.Waiting -= uint64(r.page.count)
			t.stats.Closed += uint64(r.page.count)
			r.page.count = 0
		} else if r.no != uint32(h.off>>tcpPageBits) || !r.page.has(i) {
			break
		} else {
			m, end := r.page.markAt(i)
			end = r.page.nextClear(i, end)
			if h.flags&tcpFINSeen != 0 {
				end = min(end, i+int(h.fin-h.next))
			}
			t.stats.Waiting -= uint64(end - i)
			r.page.count -= int32(end - i)
			t.deliver(c, k, side, r.page.data[i:end:end], &Seen{m.packet, t.when(m.at)}, true)
		}
		if r.page.count == 0 {
			w.dir[w.head].page = nil
			w.head++
			t.waits.charge(w, -tcpPageCost)
			t.out.retire(r.page, nil)
		}
	}
	if int(w.head) < len(w.dir) || len(w.pieces) > 0 {
		w.since = t.at
		return
	}
	h.wait = 0
	t.waits.remove(w)
}
