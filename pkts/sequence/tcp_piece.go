package sequence

import "bytes"

// Few segments that wait of a direction, and do not overlap, wait by themselves,
// each in a buffer of about its length: they are copied in one go, and take
// little memory where many connections wait for one segment each. Pages are for
// those beyond, and for those that overlap.

// tcpPiece is a segment that waits by itself.
type tcpPiece struct {
	off  uint64
	buf  []byte
	mark tcpMark
}

// behind returns the offset behind it.
func (p *tcpPiece) behind() uint64 { return p.off + uint64(len(p.buf)) }

const (
	// tcpPieces is how many segments of a direction wait by themselves.
	tcpPieces = 32
	// tcpPieceCost is what one takes beside its buffer, with places in lists.
	tcpPieceCost = 192
	// tcpBufSpare is how many bytes of unused buffers are kept beside as many
	// as are used.
	tcpBufSpare = 64 << 10
)

// tcpBufs are the buffers of pieces, by size.
type tcpBufs struct {
	spare      [25][][]byte
	kept, used int // bytes of spare, and of others
}

// tcpBufSize returns the size of a buffer for n bytes, and where those are kept.
// There are none for more than 64 KiB.
func tcpBufSize(n int) (size, kind int) {
	switch {
	case n <= 64:
		return 64, 0
	case n <= 2048:
		kind = (n + 255) / 256
		return kind * 256, kind
	case n <= 1<<16:
		kind = (n + 4095) / 4096
		return kind * 4096, 8 + kind
	}
	return 0, -1
}

// get returns a buffer with data.
func (b *tcpBufs) get(data []byte) []byte {
	size, kind := tcpBufSize(len(data))
	b.used += size
	if n := len(b.spare[kind]); n > 0 {
		buf := b.spare[kind][n-1]
		b.spare[kind] = b.spare[kind][:n-1]
		b.kept -= size
		return append(buf, data...)
	}
	return append(make([]byte, 0, size), data...)
}

// put takes a buffer back, or leaves it to the collector where there are enough.
func (b *tcpBufs) put(buf []byte) {
	size, kind := tcpBufSize(cap(buf))
	b.used -= size
	if b.kept+size <= b.used+tcpBufSpare {
		b.spare[kind] = append(b.spare[kind], buf[:0])
		b.kept += size
	}
	for k := len(b.spare) - 1; k >= 0 && b.kept > b.used+2*tcpBufSpare; {
		n := len(b.spare[k])
		if n == 0 {
			k--
			continue
		}
		b.kept -= cap(b.spare[k][n-1])
		b.spare[k][n-1] = nil
		b.spare[k] = b.spare[k][:n-1]
	}
}

// repeats reports whether one piece has the data at off already.
func (w *tcpWait) repeats(off uint64, data []byte) bool {
	for i := w.gone; i < len(w.pieces); i++ {
		if p := &w.pieces[i]; p.off <= off && off+uint64(len(data)) <= p.behind() {
			return bytes.Equal(p.buf[off-p.off:][:len(data)], data)
		}
	}
	return false
}

// fits returns where a segment of n bytes at off belongs in the pieces, -1 if it
// cannot wait by itself.
func (w *tcpWait) fits(off uint64, n int) int {
	if w.paged() || len(w.pieces)-w.gone == tcpPieces {
		return -1
	}
	i := len(w.pieces)
	if off >= w.top {
		return i // behind all of them, as nearly always
	}
	for i > w.gone && w.pieces[i-1].off >= off {
		i--
	}
	if i > w.gone && w.pieces[i-1].behind() > off || i < len(w.pieces) && off+uint64(n) > w.pieces[i].off {
		return -1 // it overlaps
	}
	return i
}

// paged reports whether what waits lies in pages.
func (w *tcpWait) paged() bool { return int(w.head) < len(w.dir) }

// insertPiece lets data wait by itself, as piece number i. The rest of the piece
// is to be set.
func (t *TCP) insertPiece(w *tcpWait, i int, off uint64, data []byte) *tcpPiece {
	if len(w.pieces) == cap(w.pieces) && w.gone > 0 {
		n := copy(w.pieces, w.pieces[w.gone:])
		clear(w.pieces[n:])
		w.pieces = w.pieces[:n]
		i -= w.gone
		w.gone = 0
	}
	if n := len(w.pieces); n == cap(w.pieces) {
		// Most connections that wait do so for one segment, or a few.
		more := make([]tcpPiece, n, n+1+n/8*4)
		copy(more, w.pieces)
		w.pieces = more
	}
	n := len(w.pieces)
	w.pieces = w.pieces[:n+1]
	if i < n {
		copy(w.pieces[i+1:], w.pieces[i:])
	}
	p := &w.pieces[i]
	p.off, p.buf = off, t.waits.bufs.get(data)
	t.waits.charge(w, int64(cap(p.buf))+tcpPieceCost)
	return p
}

// charge counts memory of w.
func (ws *tcpWaits) charge(w *tcpWait, n int64) {
	w.memory += n
	ws.memory += n
}

// paging returns what pages for the pieces take.
func (w *tcpWait) paging() int64 {
	n, last := 0, uint64(1)<<63
	for i := w.gone; i < len(w.pieces); i++ {
		p := &w.pieces[i]
		first := p.off >> tcpPageBits
		if first == last {
			first++
		}
		last = (p.behind() - 1) >> tcpPageBits
		n += int(last + 1 - first)
	}
	return int64(n) * tcpPageCost
}

// page puts the pieces into pages.
func (t *TCP) page(w *tcpWait) {
	pieces := w.pieces[w.gone:]
	w.pieces, w.gone = w.pieces[:0], 0
	for i := range pieces {
		p := &pieces[i]
		t.intoPages(w, p.off, p.buf, &p.mark, TCPFirst)
		t.waits.charge(w, -int64(cap(p.buf))-tcpPieceCost)
		t.waits.bufs.put(p.buf)
		*p = tcpPiece{}
	}
}

// drainPieces is drain for pieces.
func (t *TCP) drainPieces(c *tcpConn, k *tcpKey, side int, w *tcpWait) {
	h := &c.half[side]
	for w.gone < len(w.pieces) {
		p := &w.pieces[w.gone]
		n := len(p.buf)
		if h.flags&tcpEnded == 0 {
			if p.off != h.off {
				break
			}
			if h.flags&tcpFINSeen != 0 {
				n = min(n, int(h.fin-h.next))
			}
			t.deliver(c, k, side, p.buf[:n:n], &Seen{p.mark.packet, t.when(p.mark.at)}, true)
		} else {
			n = 0
		}
		// What is left lies behind the FIN.
		t.stats.Waiting -= uint64(len(p.buf))
		t.stats.Closed += uint64(len(p.buf) - n)
		t.waits.charge(w, -int64(cap(p.buf))-tcpPieceCost)
		t.out.retire(nil, p.buf)
		p.buf = nil
		w.gone++
	}
	if w.gone == len(w.pieces) {
		w.pieces, w.gone = w.pieces[:0], 0
	}
}
