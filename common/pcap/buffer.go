package pcap

import (
	"errors"
	"io"
)

const (
	// defaultChunk is how much one Read asks for. It fits a core's own cache,
	// so that the walk over the records finds what the kernel has just copied.
	defaultChunk = 256 << 10
	// headroom is where what is left of one chunk is put before the next is
	// read behind it: reads then start on a page of the buffer, and stay on
	// multiples of the chunk in the file.
	headroom = 64 << 10
	// minTail is the free space below which reading on is not worth a call.
	minTail = 4 << 10
	// emptyReads is how many reads in a row may bring neither bytes nor error.
	emptyReads = 100
)

var errBadRead = errors.New("reader returned an impossible count")

// buffer is a window on a stream: buf[r:w] has been read and not yet consumed.
// It grows only when the bytes that were really read fill it, never because a
// length field asks for more.
type buffer struct {
	src   io.Reader
	buf   []byte
	r, w  int
	base  int64 // stream offset of buf[0]
	chunk int
	err   error // from src, sticky
}

// offset returns the stream offset of the next unread byte.
func (b *buffer) offset() int64 { return b.base + int64(b.r) }

// unread returns the bytes that are there without reading more.
func (b *buffer) unread() []byte { return b.buf[b.r:b.w] }

// fill reads until n bytes are unread, and reports whether they are. When it
// returns false, b.err says why.
func (b *buffer) fill(n int) bool {
	empty := 0
	for b.w-b.r < n {
		if b.err != nil {
			return false
		}
		if b.r == b.w || len(b.buf)-b.w < minTail {
			b.makeRoom()
		}
		m, err := b.src.Read(b.buf[b.w:])
		if m < 0 || m > len(b.buf)-b.w {
			b.err = errBadRead
			return false
		}
		b.w += m
		switch {
		case err != nil:
			b.err = err
		case m > 0:
			empty = 0
		default:
			if empty++; empty == emptyReads {
				b.err = io.ErrNoProgress
			}
		}
	}
	return true
}

// makeRoom moves the unread bytes so that a chunk can be read behind them. The
// buffer doubles when they fill more than half of it.
func (b *buffer) makeRoom() {
	left := b.w - b.r
	to := b.buf
	switch {
	case b.buf == nil:
		if b.chunk == 0 {
			b.chunk = defaultChunk
		}
		to = make([]byte, headroom+b.chunk)
	case left > len(b.buf)/2:
		to = make([]byte, 2*len(b.buf))
	}
	at := 0
	if left <= headroom {
		at = headroom - left
	}
	copy(to[at:], b.buf[b.r:b.w])
	b.base += int64(b.r - at)
	b.buf, b.r, b.w = to, at, at+left
}

// skip consumes n bytes without keeping them and reports whether they were
// there.
func (b *buffer) skip(n int64) bool {
	for {
		have := int64(b.w - b.r)
		if n <= have {
			b.r += int(n)
			return true
		}
		n -= have
		b.r = b.w
		if !b.fill(1) {
			return false
		}
	}
}

// Read makes the rest of the stream an [io.Reader], for a decompressor.
func (b *buffer) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.r == b.w && !b.fill(1) {
		return 0, b.err
	}
	n := copy(p, b.buf[b.r:b.w])
	b.r += n
	return n, nil
}

// ReadByte is there so that decompressors do not put a buffer of their own
// between.
func (b *buffer) ReadByte() (byte, error) {
	if b.r == b.w && !b.fill(1) {
		return 0, b.err
	}
	c := b.buf[b.r]
	b.r++
	return c, nil
}
