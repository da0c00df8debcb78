package sequence

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// messagesLimits are the defaults of [Messages.Limits].
var messagesLimits = Limits{
	Bytes:     256 << 20,
	FlowBytes: 32 << 20,
	Flows:     1 << 17,
	Idle:      10 * time.Minute,
}

const (
	// messagesTries is how often within one chunk a message is looked for
	// behind one that was none.
	messagesTries = 16
	// messagesFlow is what a direction takes by itself, and messagesMark what
	// it takes to know where a piece came from, in bytes.
	messagesFlow = 360
	messagesMark = 40
	// messagesMarks is how many of those a direction keeps room for.
	messagesMarks = 16
)

var (
	errCut     = fmt.Errorf("%w: it breaks off: %w", ErrUnframed, ErrTruncated)
	errTooMuch = fmt.Errorf("%w: %w", ErrUnframed, ErrLimit)
)

// Messages cuts streams into the messages of the protocol above, each direction
// of each stream by itself.
//
// A message whose bytes came in one chunk is not copied by PutGet, if it is the
// first one in it; others are copied once. What spans chunks waits in memory
// that is used again.
//
// # Out of step
//
// What is no message comes out as well, as a Message whose Err is an [*Error]
// that wraps [ErrUnframed]: no byte is left out silently.
//
//   - Bytes are missing ([Chunk.Lost]), or the stream ends, before a message is
//     whole: what is there of it is given with an Err that is [ErrTruncated]
//     too. [Message.Lost] of the message behind the gap says how much is
//     missing.
//   - The framer returns an error, which Err wraps, or wants more than
//     Limits.FlowBytes, which is [ErrLimit] too: what is there of the chunk is
//     given with that Err.
//
// In both cases, the framer is tried at the start of the next chunk, since
// segments often begin where messages do. Where Resync is set, it finds the
// place instead; it is asked, too, at the start of a stream whose beginning was
// not captured.
type Messages struct {
	// Framer cuts the streams. It must not have state, being used for all of
	// them.
	Framer Framer
	// FramerFor, if it is set, is called at the first chunk of each direction
	// of each stream, and returns the framer for it, which may have state. nil
	// means that nobody wants the messages of this direction: its bytes are
	// counted as skipped. A direction that was forgotten, see Limits, is asked
	// for again.
	FramerFor func(first *Chunk) Framer
	// Resync, if it is set, returns where in data the next message begins, or
	// a negative number if it does not begin there. What lies before is given
	// with Err. It is shown the bytes of one chunk at a time.
	Resync func(data []byte) int
	// Limits bounds what waits for the rest of a message. A flow is one
	// direction of a stream. By default 256 MiB, 32 MiB for one direction,
	// 131,072 directions, 10 minutes.
	Limits Limits

	lim   Limits
	flows table[framingKey, framing]
	mem   int64 // of buffers and flows
	now   time.Time
	stats MessagesStats

	out   outbox
	chunk Chunk // scratch, so that what FramerFor is shown need not be allocated
}

var _ Sequence[Chunk, Message] = (*Messages)(nil)

// MessagesStats counts what [Messages] has done. In is the sum of Framed,
// Unframed, Skipped, Dropped and Waiting.
type MessagesStats struct {
	// Messages counts the messages without Err, Broken those with.
	Messages, Broken uint64
	// In counts the bytes that were put; Framed those in messages, Unframed
	// those given with Err, Skipped those that FramerFor did not want, Dropped
	// those that Put refused because nobody has read what is ready.
	In, Framed, Unframed, Skipped, Dropped uint64
	// Waiting is how many bytes wait for the rest of their message.
	Waiting uint64
	// Lost counts the bytes that were missing, as the chunks said.
	Lost uint64
	// Evicted counts the directions that were forgotten because of Limits.
	Evicted uint64
	// Flows is how many directions are known, Bytes the memory for them.
	Flows int
	Bytes int64
}

type framingKey struct {
	stream, tunnel uint64
	dir            Direction
}

// framing is one direction of a stream.
type framing struct {
	key    framingKey
	flow   pkts.Flow
	framer Framer // nil leaves it out
	buf    []byte // a message that is not whole
	marks  []mark // which packets brought buf
	need   int    // how much of it the framer wants, more than there is; 0 is not known
	seen   int    // how much of it the framer was shown
	off    uint64 // where buf begins, or would begin, in the stream
	lost   uint64 // what is missing right before off
	last   time.Time
	cost   int64 // memory of buf and marks, as it was counted
	search bool  // Resync is to find a message
	fresh  bool  // the framer is still to be chosen
}

// mark says where the bytes of a buffer up to end came from.
type mark struct {
	end  int
	seen Seen
}

// Put takes the next chunk of a direction.
func (s *Messages) Put(c Chunk) error { return s.put(&c, false) }

// PutGet takes the next chunk of a direction and returns the next message.
func (s *Messages) PutGet(c Chunk) (Message, bool, error) {
	err := s.put(&c, true)
	m, ok := s.Get()
	return m, ok, err
}

// Get returns the next message.
func (s *Messages) Get() (Message, bool) { return s.out.get() }

// Flush gives up all messages that are not whole, and forgets all streams.
func (s *Messages) Flush() {
	s.out.begin(false)
	for s.flows.len() > 0 {
		i, _ := s.flows.oldestOf()
		s.forget(i, errCut, "the input ended")
	}
	s.now = time.Time{}
}

// Properties says that bounds are kept.
func (s *Messages) Properties() Property { return Reassembles | KeepsBounds }

// Stats returns what was counted.
func (s *Messages) Stats() MessagesStats {
	st := s.stats
	st.Flows, st.Bytes = s.flows.len(), s.mem
	return st
}

func (s *Messages) put(c *Chunk, direct bool) error {
	s.lim = s.Limits.or(messagesLimits)
	s.out.begin(direct)
	if c.Time.After(s.now) {
		s.now = c.Time
	}
	s.expire()
	s.stats.In += uint64(len(c.Data))

	key := framingKey{c.Stream, c.Tunnel, c.Direction}
	hash := s.flows.hash(key)
	i, f := s.flows.get(hash, key)
	if f == nil {
		if len(c.Data) == 0 && c.Lost == 0 {
			return nil
		}
		if s.flows.len() >= s.lim.Flows {
			s.evict(0)
		}
		i, f = s.flows.add(hash, key)
		*f = framing{key: key, off: c.Offset, fresh: true}
		s.mem += messagesFlow
	}
	s.flows.touch(i)
	f.flow, f.last = c.Flow, s.now
	if f.fresh {
		f.fresh = false
		f.framer = s.Framer
		if s.FramerFor != nil {
			s.chunk = *c
			f.framer = s.FramerFor(&s.chunk)
			s.chunk = Chunk{}
		}
		f.search = s.Resync != nil && c.Offset != 0
	}
	if c.Lost != 0 {
		s.stats.Lost += c.Lost
		if len(f.buf) > 0 {
			s.cut(f, errCut, fmt.Sprintf("%d bytes are missing", c.Lost))
		}
		f.lost += c.Lost
		f.off = c.Offset
		f.search = s.Resync != nil
	}

	var err error
	switch {
	case len(c.Data) == 0:
	case f.framer == nil:
		s.stats.Skipped += uint64(len(c.Data))
	case s.out.unread() > 0 && s.out.unread()+int64(len(c.Data)) > s.lim.Bytes:
		s.stats.Dropped += uint64(len(c.Data))
		if len(f.buf) > 0 {
			s.cut(f, errTooMuch, "nobody reads what is ready")
		}
		f.search = s.Resync != nil
		f.lost += uint64(len(c.Data))
		err = &Error{Layer: "messages", Packet: c.Packet, Offset: c.Offset, Err: ErrLimit, Reason: "what is ready is to be read first"}
	default:
		s.frame(f, c)
	}
	switch {
	case c.Events.Has(End):
		s.forget(i, errCut, "the stream ended")
	case s.mem > s.lim.Bytes:
		s.evict(i)
	}
	return err
}

// frame cuts what c brings.
func (s *Messages) frame(f *framing, c *Chunk) {
	d := c.Data // what is left of it
	for len(f.buf) > 0 {
		if len(d) == 0 {
			return
		}
		k := len(d)
		if f.need > 0 {
			k = min(f.need-len(f.buf), k)
		}
		s.wait(f, d[:k], c.Seen)
		d = d[k:]
		if len(f.buf) < f.need {
			s.tooLong(f, c, d)
			return
		}
		n, err := f.framer(f.buf, f.seen)
		whole := err == nil && n > 0 && n <= len(f.buf)
		switch {
		case whole && len(f.buf)-n <= len(c.Data)-len(d):
			d = c.Data[len(c.Data)-len(d)-(len(f.buf)-n):]
			s.joined(f, n, c.Seen)
		case whole || err != nil || n < 0:
			// It ends before this chunk, or is none.
			s.wait(f, d, c.Seen)
			s.run(f, f.buf, c, true, n, err)
			return
		default:
			f.seen, f.need = len(f.buf), n
			if s.tooLong(f, c, d) {
				return
			}
		}
	}
	if len(d) > 0 {
		f.off = c.Offset + uint64(len(c.Data)-len(d))
		s.run(f, d, c, false, 0, nil)
	}
}

// tooLong gives up a message for which there is not enough room, with d behind
// it.
func (s *Messages) tooLong(f *framing, c *Chunk, d []byte) bool {
	have := int64(len(f.buf) + len(f.marks)*messagesMark)
	if int64(f.need) <= s.lim.FlowBytes && have <= s.lim.FlowBytes {
		return false
	}
	s.wait(f, d, c.Seen)
	s.run(f, f.buf, c, true, 0, errTooMuch)
	return true
}

// joined gives the first n bytes of what waits, which end in the packet last.
func (s *Messages) joined(f *framing, n int, last Seen) {
	m := s.message(f, n, f.marks[0].seen, last)
	s.stats.Waiting -= uint64(len(f.buf))
	s.out.hand(m, f.buf, f.buf[:n])
	f.buf = nil
	s.clear(f)
}

// run cuts data, which begins a message: all that waits, or, with waits unset,
// what c brings. n and err are what the framer has said already.
func (s *Messages) run(f *framing, data []byte, c *Chunk, waits bool, n int, err error) {
	var (
		start, at, tries int
		asked            = n != 0 || err != nil
	)
	// seen returns which packet brought byte i of data; i never goes back.
	seen := func(i int) Seen {
		if !waits {
			return c.Seen
		}
		for at < len(f.marks)-1 && f.marks[at].end <= i {
			at++
		}
		return f.marks[at].seen
	}
	for start < len(data) {
		rest := data[start:]
		if !asked {
			if f.search {
				q := s.Resync(rest)
				if f.search = q < 0 || q >= len(rest); f.search {
					q = len(rest)
				}
				if q > 0 {
					first := seen(start)
					s.unframed(f, rest[:q], first, seen(start+q-1), ErrUnframed, "between messages")
					start += q
				}
				continue
			}
			n, err = f.framer(rest, 0)
			if err == nil && n > len(rest) && int64(n) > s.lim.FlowBytes {
				err = errTooMuch
			}
		}
		asked = false
		switch {
		case err != nil || n < 0:
			k := len(rest)
			f.search = s.Resync != nil
			if f.search && tries < messagesTries && k > 1 {
				tries++
				if q := s.Resync(rest[1:]); q >= 0 && q < k-1 {
					k, f.search = q+1, false
				}
			}
			if !errors.Is(err, ErrUnframed) {
				if err == nil {
					err = fmt.Errorf("a length of %d", n)
				}
				err = fmt.Errorf("%w: %w", ErrUnframed, err)
			}
			first := seen(start)
			s.unframed(f, rest[:k], first, seen(start+k-1), err, "")
			start += k
		case n == 0 || n > len(rest):
			s.keep(f, rest, start, c, waits)
			f.need, f.seen = n, len(rest)
			return
		default:
			first := seen(start)
			m := s.message(f, n, first, seen(start+n-1))
			if waits {
				s.out.push(m, rest[:n])
			} else {
				s.out.give(m, rest[:n])
			}
			start += n
		}
	}
	if waits {
		s.clear(f)
	}
}

// keep lets rest, which begins at start of what run has cut, wait.
func (s *Messages) keep(f *framing, rest []byte, start int, c *Chunk, waits bool) {
	if !waits {
		s.wait(f, rest, c.Seen)
		return
	}
	copy(f.buf, rest)
	f.buf = f.buf[:len(rest)]
	s.stats.Waiting -= uint64(start)
	marks := f.marks[:0]
	for _, m := range f.marks {
		if m.end > start {
			marks = append(marks, mark{m.end - start, m.seen})
		}
	}
	f.marks = marks
}

// message returns the message that the next n bytes of f are.
func (s *Messages) message(f *framing, n int, first, last Seen) Message {
	s.stats.Messages++
	s.stats.Framed += uint64(n)
	return s.next(f, n, first, last)
}

func (s *Messages) next(f *framing, n int, first, last Seen) Message {
	m := Message{
		Offset: f.off, Lost: f.lost, Stream: f.key.stream, Flow: f.flow, First: first, Last: last,
		Tunnel: f.key.tunnel, Direction: f.key.dir,
	}
	f.off += uint64(n)
	f.lost = 0
	return m
}

// unframed gives bytes that are no message.
func (s *Messages) unframed(f *framing, b []byte, first, last Seen, err error, reason string) {
	s.stats.Broken++
	s.stats.Unframed += uint64(len(b))
	off := f.off
	m := s.next(f, len(b), first, last)
	m.Err = &Error{Layer: "message", Packet: first.Packet, Offset: off, Err: err, Reason: reason}
	s.out.push(m, b)
}

// cut gives what waits for a rest that will not come, and what is known to be
// missing.
func (s *Messages) cut(f *framing, err error, reason string) {
	switch {
	case len(f.buf) > 0:
		s.unframed(f, f.buf, f.marks[0].seen, f.marks[len(f.marks)-1].seen, err, reason)
	case f.lost > 0 && f.framer != nil:
		s.unframed(f, nil, Seen{}, Seen{}, err, reason)
	}
	s.clear(f)
}

// wait lets b wait.
func (s *Messages) wait(f *framing, b []byte, seen Seen) {
	if len(b) == 0 {
		return
	}
	s.stats.Waiting += uint64(len(b))
	if f.buf == nil {
		f.buf = s.out.buffer()
	}
	f.buf = append(f.buf, b...)
	if n := len(f.marks); n > 0 && f.marks[n-1].seen == seen {
		f.marks[n-1].end = len(f.buf)
	} else {
		f.marks = append(f.marks, mark{len(f.buf), seen})
	}
	s.account(f)
}

// account counts the memory that f has.
func (s *Messages) account(f *framing) {
	n := int64(cap(f.buf) + cap(f.marks)*messagesMark)
	s.mem += n - f.cost
	f.cost = n
}

// clear forgets what waits.
func (s *Messages) clear(f *framing) {
	f.need, f.seen = 0, 0
	if f.buf != nil {
		s.stats.Waiting -= uint64(len(f.buf))
		s.out.release(f.buf)
		f.buf = nil
	}
	if f.marks = f.marks[:0]; cap(f.marks) > messagesMarks {
		f.marks = nil
	}
	s.account(f)
}

// forget takes a direction out, giving what waits in it.
func (s *Messages) forget(i int32, err error, reason string) {
	f := &s.flows.at(i).value
	s.cut(f, err, reason)
	s.mem -= messagesFlow + f.cost
	*f = framing{}
	s.flows.remove(i)
}

// expire forgets what was quiet for too long.
func (s *Messages) expire() {
	for s.lim.Idle >= 0 {
		i, f := s.flows.oldestOf()
		if f == nil || s.now.Sub(f.last) <= s.lim.Idle {
			return
		}
		s.stats.Evicted++
		s.forget(i, errTooMuch, "the stream was quiet for too long")
	}
}

// evict makes room, by the oldest first and i, the newest, last.
func (s *Messages) evict(i int32) {
	for s.flows.len() > 0 {
		s.stats.Evicted++
		j, _ := s.flows.oldestOf()
		s.forget(j, errTooMuch, "others needed its memory")
		if j == i || s.mem <= s.lim.Bytes && s.flows.len() < s.lim.Flows {
			return
		}
	}
}
