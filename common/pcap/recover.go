package pcap

import "io"

const (
	// maxSkips is how many stretches a Reader remembers one by one.
	maxSkips = 1024
	// resyncWindow is how far apart in seconds the frames before and after
	// damage may be.
	resyncWindow = 30 * 86400
	// resyncChain is how many record headers in a row have to make sense.
	resyncChain = 3
	// maxResync is the longest record or block to go on with: what looks like
	// one is read whole before it is believed.
	maxResync = 16 << 20
)

// Skip is one stretch of a damaged file that [WithRecover] passed over.
type Skip struct {
	Offset int64 // of its first byte in the uncompressed stream
	Bytes  int64 // its length
	Err    error // what was wrong at Offset
}

// WithRecover has a Reader go on after damage: it looks for the next place
// where a record or block makes sense, and so do those that follow it. What it
// passed over is told by [Reader.Skips] and [Reader.Skipped]. A cut end is
// passed over too, so that the last error is [io.EOF]; errors of the source
// itself, a broken compressed stream among them, remain errors. The file
// header has to be whole.
//
// A record that is damaged but plausible is delivered as it is, and bytes of a
// damaged frame that look like a record are taken for one. Reading does not go
// on with a record or block of more than 16 MiB.
func WithRecover() ReaderOption {
	return func(c *readerConfig) { c.recover = true }
}

// Skips returns the stretches that were passed over, the first 1,024 of them.
func (r *Reader) Skips() []Skip { return r.skips }

// Skipped returns how many stretches were passed over, and how many bytes they
// had together.
func (r *Reader) Skipped() (stretches, bytes int64) {
	return r.skipped.stretches, r.skipped.bytes
}

func (r *Reader) noteSkip(start int64, cause error) {
	n := r.buf.offset() - start
	if n == 0 {
		return
	}
	r.skipped.stretches++
	r.skipped.bytes += n
	if len(r.skips) < maxSkips {
		r.skips = append(r.skips, Skip{Offset: start, Bytes: n, Err: cause})
	}
}

// resync passes over bytes from the next unread one until found reports that a
// record begins. It returns nil there, and otherwise the error to end with.
func (r *Reader) resync(cause error, found func() bool) error {
	start := r.buf.offset()
	if fe, ok := cause.(*FormatError); ok {
		start = fe.Offset
	}
	for r.buf.fill(1) {
		r.buf.r++
		if found() {
			r.noteSkip(start, cause)
			return nil
		}
	}
	r.noteSkip(start, cause)
	if r.buf.err == io.EOF {
		return io.EOF
	}
	return shortOf(&r.buf, "data", 1)
}

// resyncRecords finds the next record of a file without blocks after cause, or
// returns the error to end with.
func (r *Reader) resyncRecords(cause error) error {
	if !r.cfg.recover {
		return cause
	}
	return r.resync(cause, r.recordHere)
}

// recordHere reports whether a record may begin at the next unread byte.
func (r *Reader) recordHere() bool {
	l := &r.records
	at := 0
	last, haveLast := r.lastSec, r.haveSec
	for n := range resyncChain {
		if !r.buf.fill(at + l.header) {
			// The end of the file confirms a record that ends there.
			return n > 0 && len(r.buf.unread()) == at || n > 1
		}
		rec := l.parse(r.buf.unread()[at:], r.header.Order)
		switch {
		case rec.capLen == 0, rec.capLen > min(r.maxLen, maxResync), rec.capLen > rec.wireLen, rec.wireLen > 1<<30:
			return false
		case int64(rec.frac)*r.toNano >= 1e9:
			return false
		case l.snoop && (rec.size < int64(l.header)+int64(rec.capLen) || rec.size > int64(l.header)+int64(rec.capLen)+maxSnoopPadding):
			return false
		case haveLast && max(rec.sec, last)-min(rec.sec, last) > resyncWindow:
			return false
		case l.kernel && rec.pktType > 7:
			return false
		}
		last, haveLast = rec.sec, true
		at += int(rec.size)
		if !r.buf.fill(at) {
			return false
		}
	}
	return true
}

// resyncBlocks finds the next block after cause, or returns the error to end
// with. A block that is bad only inside is passed over as a whole: what a
// packet carries may look like a block.
func (r *Reader) resyncBlocks(cause error, size int64) error {
	if !r.cfg.recover {
		return cause
	}
	if size > 0 && r.buf.fill(int(size)) {
		if r.blockFollows(size) {
			start := r.buf.offset()
			r.buf.r += int(size)
			r.noteSkip(start, cause)
			return nil
		}
	}
	return r.resync(cause, r.blockHere)
}

// blockFollows reports whether the stream ends n bytes on, or has there what
// can begin a block.
func (r *Reader) blockFollows(n int64) bool {
	at := int(n)
	if !r.buf.fill(at + blockOverhead) {
		return len(r.buf.unread()) == at
	}
	b := r.buf.unread()[at:]
	typ := BlockType(r.ng.order.u32(b))
	if typ == BlockSectionHeader {
		return LittleEndian.u32(b[8:]) == byteOrderMagic || BigEndian.u32(b[8:]) == byteOrderMagic
	}
	size := r.ng.order.u32(b[4:])
	return typ.known() && size >= blockOverhead && size&3 == 0 && size <= maxBlockLen
}

// blockHere reports whether a block may begin at the next unread byte: one of
// a known type whose two lengths agree.
func (r *Reader) blockHere() bool {
	if !r.buf.fill(blockOverhead) {
		return false
	}
	b := r.buf.unread()
	order := r.ng.order
	typ := BlockType(order.u32(b))
	if !typ.known() {
		return false
	}
	if typ == BlockSectionHeader {
		switch uint32(byteOrderMagic) {
		case LittleEndian.u32(b[8:]):
			order = LittleEndian
		case BigEndian.u32(b[8:]):
			order = BigEndian
		default:
			return false
		}
	}
	size := order.u32(b[4:])
	if size < blockOverhead || size&3 != 0 || size > maxResync || !r.buf.fill(int(size)) {
		return false
	}
	return order.u32(r.buf.unread()[size-4:]) == size
}
