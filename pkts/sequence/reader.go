package sequence

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/gopkts/gopkts/pkts"
)

// ErrGap says that bytes of a stream are missing.
var ErrGap = errors.New("bytes are missing")

// StreamBuffer is what a [StreamReader] keeps of a direction unless it is told
// something else, in bytes.
const StreamBuffer = 4 << 20

// pieceCost is what a piece takes beside its bytes, or a bit more.
const pieceCost = 96

// StreamReader reads one connection as two [io.Reader], one for each direction.
// It takes from its source what a Read needs and no more, in the same
// goroutine; what it meets of the other direction it keeps.
//
// It is for one goroutine at a time, both of its directions included.
type StreamReader struct {
	next func() (Chunk, error, bool)
	stop func()
	pick func(*Chunk) bool
	// stream is the connection, when found is set.
	stream uint64
	found  bool
	limit  int
	dirs   [2]DirectionReader
	err    error // why there is no more
}

// NewStreamReader returns a reader of one connection of a source of packets: the
// first one for whose first chunk pick returns true, or the first one if pick is
// nil. s makes streams of the packets: a new [TCP], or a chain that ends in one,
// see [Then].
//
// limit is how much is kept of one direction while the other one is read, in
// bytes; 0 stands for [StreamBuffer]. What goes beyond it is given up, and a Read
// says so as it does with other gaps.
//
// Packets that were refused do not end the connection. Other errors of src do.
// Close the reader in the end: src may run until then.
func NewStreamReader(s Sequence[Datagram, Chunk], src iter.Seq2[Datagram, error], pick func(first *Chunk) bool, limit int) *StreamReader {
	if limit <= 0 {
		limit = StreamBuffer
	}
	r := &StreamReader{pick: pick, limit: limit}
	r.next, r.stop = iter.Pull2(All(s, src))
	for d := range r.dirs {
		r.dirs[d].r = r
		r.dirs[d].dir = Direction(d)
	}
	return r
}

// Direction returns the reader of a direction; it is the same every time.
func (r *StreamReader) Direction(d Direction) *DirectionReader { return &r.dirs[d&1] }

// Close ends src. What was kept can still be read, and then [io.ErrClosedPipe] is
// what a Read returns.
func (r *StreamReader) Close() error {
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	r.stop()
	return nil
}

// pull takes one chunk from the source.
func (r *StreamReader) pull() error {
	for r.err == nil {
		c, err, ok := r.next()
		switch {
		case !ok:
			r.err = io.ErrUnexpectedEOF
		case err != nil:
			if !ofPacket(err) {
				r.err = err
			}
			continue
		case !r.found:
			if !c.Events.Has(Start) || r.pick != nil && !r.pick(&c) {
				continue
			}
			r.stream, r.found = c.Stream, true
		case c.Stream != r.stream:
			continue
		}
		if ok {
			r.dirs[c.Direction].keep(&c, r.limit)
			return nil
		}
	}
	return r.err
}

// ofPacket reports whether an error says something of a packet, not of its
// source.
func ofPacket(err error) bool {
	if _, ok := errors.AsType[*Error](err); ok {
		return true
	}
	_, ok := errors.AsType[*pkts.DecodeError](err)
	return ok
}

// DirectionReader reads one direction of a connection.
type DirectionReader struct {
	r      *StreamReader
	dir    Direction
	buf    []byte // from head on
	head   int
	pieces []streamPiece // from first on
	first  int
	over   uint64 // bytes that were given up behind what is kept
	lost   uint64 // bytes that were missing among them
	off    uint64
	seen   Seen
	done   error
}

// streamPiece is what a chunk has brought.
type streamPiece struct {
	n      int
	off    uint64
	lost   uint64 // before it
	over   uint64 // of them, for want of room
	seen   Seen
	events Event
}

// keep takes a chunk.
func (d *DirectionReader) keep(c *Chunk, limit int) {
	data := c.Data
	if waits := len(d.buf) - d.head + (len(d.pieces)-d.first)*pieceCost; waits > 0 && waits+len(data)+pieceCost > limit {
		if !c.Events.Has(End) {
			d.over += uint64(len(data))
			d.lost += c.Lost
			return
		}
		d.over += uint64(len(data))
		c.Offset += uint64(len(data))
		data = nil
	}
	switch {
	case d.head == len(d.buf):
		d.buf, d.head = d.buf[:0], 0
	case d.head > len(d.buf)/2:
		d.buf = d.buf[:copy(d.buf, d.buf[d.head:])]
		d.head = 0
	}
	switch {
	case d.first == len(d.pieces):
		d.pieces, d.first = d.pieces[:0], 0
	case d.first > len(d.pieces)/2:
		d.pieces = d.pieces[:copy(d.pieces, d.pieces[d.first:])]
		d.first = 0
	}
	d.buf = append(d.buf, data...)
	d.pieces = append(d.pieces, streamPiece{len(data), c.Offset, c.Lost + d.lost + d.over, d.over, c.Seen, c.Events})
	d.over, d.lost = 0, 0
}

// Read reads the next bytes, as [io.Reader] has it. It returns
//
//   - [io.EOF] behind the last byte, when the direction was closed by a FIN;
//   - [io.ErrUnexpectedEOF] when the connection was reset or given up, or the
//     source has ended before;
//   - an [*Error] that wraps [ErrGap] where bytes are missing, and says how many;
//     [ErrLimit], too, if they were there but not read in time. The next Read
//     goes on behind them.
func (d *DirectionReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		for d.first < len(d.pieces) {
			x := &d.pieces[d.first]
			if x.lost > 0 {
				return 0, d.gap(x)
			}
			if x.n > 0 {
				n := copy(p[:min(len(p), x.n)], d.buf[d.head:])
				d.off, d.seen = x.off, x.seen
				d.head += n
				x.n -= n
				x.off += uint64(n)
				return n, nil
			}
			d.first++
			if x.events.Has(End) {
				d.done = io.EOF
				if x.events&(Reset|Expired) != 0 {
					d.done = io.ErrUnexpectedEOF
				}
			}
		}
		if d.done != nil {
			return 0, d.done
		}
		if err := d.r.pull(); err != nil && d.first == len(d.pieces) {
			if d.over > 0 {
				// Nothing came behind it.
				x := streamPiece{off: d.off, lost: d.over + d.lost, over: d.over, seen: d.seen}
				d.over, d.lost = 0, 0
				return 0, d.gap(&x)
			}
			return 0, err
		}
	}
}

// gap reports the gap before a piece.
func (d *DirectionReader) gap(x *streamPiece) error {
	e := &Error{Layer: "TCP", Packet: x.seen.Packet, Offset: x.off, Err: ErrGap, Reason: fmt.Sprintf("%d before it, %v", x.lost, d.dir)}
	if x.over > 0 {
		e.Err = fmt.Errorf("%w: %w", ErrGap, ErrLimit)
		e.Reason = fmt.Sprintf("%d before it, %v, of them %d that were not read in time", x.lost, d.dir, x.over)
	}
	x.lost, x.over = 0, 0
	return e
}

// Last returns where the bytes of the last Read lie in the direction, as in
// [Chunk], and the packet that carried them. A Read never returns bytes of two
// packets.
func (d *DirectionReader) Last() (offset uint64, seen Seen) { return d.off, d.seen }
