package sequence

import "math/bits"

// outbox holds the messages that are ready: one whose bytes are not copied, if
// the caller of PutGet waits for it, and those behind it, whose bytes are in an
// arena or in buffers of their own.
type outbox struct {
	direct  bool // one may be put into first
	isFirst bool
	first   Message
	ready   []readyMessage
	head    int // of ready
	arena   []byte
	unused  int    // how often begin has found arena and ready much too large
	owned   int64  // the capacity of the buffers in ready
	held    []byte // the bytes of first, if they are our own
	// spare are buffers for reuse, those of outboxLeast<<i to twice as much
	// bytes at i.
	spare  [outboxKinds][][]byte
	spared int // their capacity
	recent int // the kind that was released last
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
	outboxSpare = 8 << 20
	// outboxLeast is the capacity of the smallest that are kept.
	outboxLeast = 8
	outboxKinds = 14
	// outboxSmall is the least that sized returns.
	outboxSmall = 64
	// outboxEntry is what a message that is ready takes beside its bytes.
	outboxEntry = 304
	// outboxReady is for how many messages there is always room, and
	// outboxUnused how often more is to be of no use before it is let go.
	outboxReady  = 64
	outboxUnused = 4096
)

// begin is called first by Put and PutGet: nobody reads any more what they have
// given.
func (o *outbox) begin(direct bool) {
	if o.held != nil {
		o.release(o.held)
		o.held = nil
	}
	switch {
	case o.head == len(o.ready):
		if cap(o.arena) > outboxKeep || cap(o.ready) > outboxReady {
			o.shrink()
		}
		o.disown(o.head)
		o.ready, o.arena, o.head = o.ready[:0], o.arena[:0], 0
	case o.head > len(o.ready)/2:
		o.disown(o.head)
		n := copy(o.ready, o.ready[o.head:])
		clear(o.ready[n:])
		o.ready, o.head = o.ready[:n], 0
		var arena []byte
		for i := range o.ready {
			if r := &o.ready[i]; r.buf == nil {
				at := len(arena)
				arena = append(arena, o.arena[r.off:r.end]...)
				r.off, r.end = at, len(arena)
			}
		}
		o.arena = arena
	}
	o.direct = direct && o.head == len(o.ready)
}

// disown releases the buffers of the first n messages in ready.
func (o *outbox) disown(n int) {
	if o.owned == 0 {
		return
	}
	for i := range o.ready[:n] {
		if r := &o.ready[i]; r.buf != nil {
			o.owned -= int64(cap(r.buf))
			o.release(r.buf)
			r.buf, r.m.Data = nil, nil
		}
	}
}

// shrink lets go of memory that was not needed for a while.
func (o *outbox) shrink() {
	if o.unused++; len(o.arena) > max(cap(o.arena)/4, outboxKeep) || len(o.ready) > max(cap(o.ready)/4, outboxReady) {
		o.unused = 0
	}
	if o.unused > outboxUnused {
		o.disown(len(o.ready))
		o.ready, o.arena, o.head, o.unused = nil, nil, 0, 0
	}
}

// unread returns the memory of what is ready, in bytes.
func (o *outbox) unread() int64 {
	if o.head == len(o.ready) {
		return 0
	}
	return int64(len(o.arena)+len(o.ready)*outboxEntry) + o.owned
}

// get returns the next message.
func (o *outbox) get() (Message, bool) {
	if o.isFirst {
		m := o.first
		o.isFirst, o.first = false, Message{}
		return m, true
	}
	if o.head == len(o.ready) {
		return Message{}, false
	}
	r := &o.ready[o.head]
	o.head++
	if r.buf == nil {
		r.m.Data = o.arena[r.off:r.end:r.end]
	}
	return r.m, true
}

// free reports whether the next message need not be copied.
func (o *outbox) free() bool { return o.direct && !o.isFirst && o.head == len(o.ready) }

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
	at := len(o.arena)
	o.arena = append(o.arena, data...)
	o.ready = append(o.ready, readyMessage{m: m, off: at, end: len(o.arena)})
}

// hand is give for data in a buffer that nobody needs any more.
func (o *outbox) hand(m Message, buf, data []byte) {
	m.Data = data[:len(data):len(data)]
	if o.free() {
		o.first, o.isFirst, o.held = m, true, buf
		return
	}
	o.owned += int64(cap(buf))
	o.ready = append(o.ready, readyMessage{m: m, buf: buf})
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
