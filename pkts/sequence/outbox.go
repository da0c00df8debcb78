package sequence

// outbox holds the messages that are ready: one whose bytes are not copied, if
// the caller of PutGet waits for it, and those behind it, whose bytes are in an
// arena.
type outbox struct {
	direct  bool // one may be put into first
	isFirst bool
	first   Message
	ready   []readyMessage
	head    int // of ready
	arena   []byte
	held    []byte   // the bytes of first, if they are our own
	spare   [][]byte // buffers for reuse
	spared  int      // their capacity
}

// readyMessage is a Message with its bytes in the arena.
type readyMessage struct {
	m        Message
	off, end int
}

const (
	// outboxKeep is the capacity, in bytes, up to which a buffer is kept for
	// reuse, and outboxSpare what they may have together.
	outboxKeep  = 64 << 10
	outboxSpare = 4 << 20
	// outboxEntry is what a message that is ready takes beside its bytes.
	outboxEntry = 280
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
		o.ready, o.arena, o.head = o.ready[:0], o.arena[:0], 0
		if cap(o.arena) > outboxKeep {
			o.arena = nil
		}
	case o.head > len(o.ready)/2:
		n := copy(o.ready, o.ready[o.head:])
		o.ready, o.head = o.ready[:n], 0
		var arena []byte
		for i := range o.ready {
			r := &o.ready[i]
			at := len(arena)
			arena = append(arena, o.arena[r.off:r.end]...)
			r.off, r.end = at, len(arena)
		}
		o.arena = arena
	}
	o.direct = direct && o.head == len(o.ready)
}

// unread returns the memory of what is ready, in bytes.
func (o *outbox) unread() int64 {
	if o.head == len(o.ready) {
		return 0
	}
	return int64(len(o.arena) + len(o.ready)*outboxEntry)
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
	r.m.Data = o.arena[r.off:r.end:r.end]
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
	o.ready = append(o.ready, readyMessage{m, at, len(o.arena)})
}

// hand is give for n bytes of a buffer that nobody needs any more.
func (o *outbox) hand(m Message, buf []byte, n int) {
	if !o.free() {
		o.push(m, buf[:n])
		o.release(buf)
		return
	}
	m.Data = buf[:n:n]
	o.first, o.isFirst, o.held = m, true, buf
}

// buffer returns an empty buffer, or nil.
func (o *outbox) buffer() []byte {
	n := len(o.spare)
	if n == 0 {
		return nil
	}
	b := o.spare[n-1]
	o.spare = o.spare[:n-1]
	o.spared -= cap(b)
	return b
}

// smallBuffer returns an empty buffer that is not much larger than n bytes, or
// nil.
func (o *outbox) smallBuffer(n int) []byte {
	if i := len(o.spare); i == 0 || cap(o.spare[i-1]) > 2*n+64 {
		return nil
	}
	return o.buffer()
}

// release keeps a buffer for reuse.
func (o *outbox) release(b []byte) {
	if cap(b) > 0 && cap(b) <= outboxKeep && o.spared+cap(b) <= outboxSpare {
		o.spare = append(o.spare, b[:0])
		o.spared += cap(b)
	}
}
