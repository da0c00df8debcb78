package sequence

import "math/bits"

// outbox holds the messages that are ready: one whose bytes are not copied, if
// the caller of PutGet waits for it, and those behind it, whose bytes are in an
// arena or in buffers of their own.
type outbox struct {
	direct  bool // one may be put into first
	isFirst bool
	first   Message
	ready   []*[outboxBlock]readyMessage // that do not move
	n, head int                          // of ready: how many there are, and the first that was not read
	arena   []byte
	owned   int64  // the capacity of the buffers in ready
	held    []byte // the bytes of first, if they are our own
	// spare are buffers for reuse, those of outboxLeast<<i to twice as much
	// bytes at i.
	spare  [outboxKinds][][]byte
	spared int // their capacity
	recent int // the kind that was released last

	// How much was needed since the last trim: the most of n and arena, the
	// least of spared.
	begun, mostReady, mostArena, leastSpared int
}

// readyMessage is a Message with its bytes in the arena, or in buf.
type readyMessage struct {
	m        Message
	off, end int
	buf      []byte
}

const (
	// outboxKeep is the capacity, in bytes, up to which a buffer is kept for
	// reuse, and outboxSpare what they may have together.
	outboxKeep  = 64 << 10
	outboxSpare = 16 << 20
	// outboxLeast is the capacity of the smallest that are kept, outboxSmall of
	// the smallest that are made.
	outboxLeast = 8
	outboxSmall = 64
	outboxKinds = 14
	// outboxBlock is for how many messages there is room at a time.
	outboxBlock = 16
	// outboxEntry is what a message that is ready takes beside its bytes.
	outboxEntry = 304
	// outboxTrim is after how many inputs memory is let go that none of them
	// needed.
	outboxTrim = 1 << 15
)

// begin is called first by Put and PutGet: nobody reads any more what they have
// given.
func (o *outbox) begin(direct bool) {
	if o.held != nil {
		o.release(o.held)
		o.held = nil
	}
	if o.n > 0 {
		o.clear()
	}
	if o.begun++; o.begun == outboxTrim {
		o.trim()
	}
	o.direct = direct && o.n == 0
}

// clear forgets what was read.
func (o *outbox) clear() {
	o.mostReady = max(o.mostReady, o.n)
	o.mostArena = max(o.mostArena, len(o.arena))
	if o.head < o.n && o.head <= o.n/2 {
		return
	}
	if o.owned > 0 {
		for i := range o.head {
			if r := o.at(i); r.buf != nil {
				o.owned -= int64(cap(r.buf))
				o.release(r.buf)
				r.buf, r.m.Data = nil, nil
			}
		}
	}
	if o.head == o.n {
		o.n, o.head, o.arena = 0, 0, o.arena[:0]
		return
	}
	var arena []byte
	for i := o.head; i < o.n; i++ {
		from, r := o.at(i), o.at(i-o.head)
		*r = *from
		if from.buf, from.m.Data = nil, nil; r.buf == nil {
			at := len(arena)
			arena = append(arena, o.arena[r.off:r.end]...)
			r.off, r.end = at, len(arena)
		}
	}
	o.n, o.head, o.arena = o.n-o.head, 0, arena
}

// trim lets go of memory of which less than a quarter was needed, and of half of
// the buffers that were not.
func (o *outbox) trim() {
	if o.n == 0 {
		if cap(o.arena)/4 > max(o.mostArena, outboxKeep) {
			o.arena = nil
		}
		if n := o.mostReady/outboxBlock + 1; len(o.ready)/4 > n {
			clear(o.ready[n:])
			o.ready = o.ready[:n]
		}
	}
	if over := o.leastSpared / 2; over > outboxKeep {
		for k := outboxKinds - 1; k >= 0; k-- {
			for over > 0 && len(o.spare[k]) > 0 {
				over -= cap(o.take(k))
			}
		}
	}
	o.begun, o.mostReady, o.mostArena, o.leastSpared = 0, 0, 0, o.spared
}

func (o *outbox) at(i int) *readyMessage { return &o.ready[i/outboxBlock][i%outboxBlock] }

// next returns a place for a message, behind those that are ready. All of it is
// to be set.
func (o *outbox) next() *readyMessage {
	if o.n == len(o.ready)*outboxBlock {
		o.ready = append(o.ready, new([outboxBlock]readyMessage))
	}
	o.n++
	return o.at(o.n - 1)
}

// unread returns the memory of what is ready, in bytes.
func (o *outbox) unread() int64 {
	if o.head == o.n {
		return 0
	}
	return int64(len(o.arena)+o.n*outboxEntry) + o.owned
}

// get returns the next message.
func (o *outbox) get() (Message, bool) {
	if o.isFirst {
		m := o.first
		o.isFirst, o.first = false, Message{}
		return m, true
	}
	if o.head == o.n {
		return Message{}, false
	}
	r := o.at(o.head)
	o.head++
	if r.buf == nil {
		r.m.Data = o.arena[r.off:r.end:r.end]
	}
	return r.m, true
}

// free reports whether the next message need not be copied.
func (o *outbox) free() bool { return o.direct && !o.isFirst && o.head == o.n }

// give puts a message behind those that are ready. Its bytes are the caller's,
// and are copied unless they need not be.
func (o *outbox) give(m Message, data []byte) {
	if o.free() {
		m.Data = data[:len(data):len(data)]
		o.first, o.isFirst = m, true
		return
	}
	o.push(m, data)
}

// push is give for bytes that are not the caller's, and will change.
func (o *outbox) push(m Message, data []byte) {
	o.arena = append(o.arena, data...)
	o.pushed(m, len(data))
}

// pushed is push for the last n bytes of the arena.
func (o *outbox) pushed(m Message, n int) {
	r := o.next()
	r.m, r.off, r.end, r.buf = m, len(o.arena)-n, len(o.arena), nil
}

// hand is give for data in a buffer that nobody needs any more.
func (o *outbox) hand(m Message, buf, data []byte) {
	m.Data = data[:len(data):len(data)]
	if o.free() {
		o.first, o.isFirst, o.held = m, true, buf
		return
	}
	o.owned += int64(cap(buf))
	r := o.next()
	r.m, r.buf = m, buf
}

// outboxKind returns where a buffer of n bytes is kept; n is outboxLeast at least.
func outboxKind(n int) int { return bits.Len(uint(n)/outboxLeast) - 1 }

// buffer returns an empty buffer of any size, or nil.
func (o *outbox) buffer() []byte {
	if o.spared == 0 {
		return nil
	}
	k := o.recent
	for len(o.spare[k]) == 0 {
		if k++; k == outboxKinds {
			k = 0
		}
	}
	return o.take(k)
}

func (o *outbox) take(k int) []byte {
	n := len(o.spare[k]) - 1
	b := o.spare[k][n]
	o.spare[k][n] = nil
	o.spare[k] = o.spare[k][:n]
	o.spared -= cap(b)
	o.leastSpared = min(o.leastSpared, o.spared)
	return b
}

// sized returns an empty buffer for n bytes, at most outboxKeep of them, with
// less than twice as much room.
func (o *outbox) sized(n int) []byte {
	k := outboxKind(max(n, outboxSmall)*2 - 1)
	if len(o.spare[k]) > 0 {
		return o.take(k)
	}
	return make([]byte, 0, outboxLeast<<k)
}

// release keeps a buffer for reuse.
func (o *outbox) release(b []byte) {
	if cap(b) >= outboxLeast && cap(b) <= outboxKeep && o.spared+cap(b) <= outboxSpare {
		k := outboxKind(cap(b))
		o.spare[k] = append(o.spare[k], b[:0])
		o.spared += cap(b)
		o.recent = k
	}
}
