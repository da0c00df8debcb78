package sequence

// tcpOut is what is ready to be read.
type tcpOut struct {
	// first is what PutGet returns without it having to wait, if has is set.
	// direct says that this may be.
	first       Chunk
	direct, has bool

	queue  []Chunk
	head   int    // the first one in queue that was not read
	pushed uint64 // how many were put into the queue, ever
	read   uint64 // and taken out
	// blocks are the memory of chunks that were copied, retired are the pages
	// that others lie in: both in the order of the queue.
	blocks  []tcpBlock
	spare   []byte
	retired []tcpRetired
	// memory is what all of it takes.
	memory int64
}

// tcpBlock is memory that may be used again when chunk number last was read.
type tcpBlock struct {
	buf  []byte
	last uint64
}

// tcpRetired is a page, or the buffer of a piece.
type tcpRetired struct {
	page *tcpPage
	buf  []byte
	last uint64
}

func (r *tcpRetired) cost() int64 {
	if r.page != nil {
		return tcpPageCost
	}
	return int64(cap(r.buf)) + tcpPieceCost
}

const (
	tcpBlockLen = 16 << 10
	// tcpChunkCost is what a place in the queue takes, or a bit more.
	tcpChunkCost = 192
	// tcpQueueKept is how many places the queue keeps.
	tcpQueueKept = 4096
)

func (o *tcpOut) empty() bool { return o.head == len(o.queue) }

// next returns a place for a chunk, and whether it has to wait there. All of it is
// to be set.
func (o *tcpOut) next() (ch *Chunk, waits bool) {
	if o.direct && !o.has {
		o.has = true
		return &o.first, false
	}
	n := len(o.queue)
	if n < cap(o.queue) {
		o.queue = o.queue[:n+1]
	} else {
		o.queue = append(o.queue, Chunk{})
	}
	o.pushed++
	o.memory += tcpChunkCost
	return &o.queue[n], true
}

// copy copies the data of the chunk that next returned last.
func (o *tcpOut) copy(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	n := len(o.blocks)
	if n == 0 || cap(o.blocks[n-1].buf)-len(o.blocks[n-1].buf) < len(data) {
		buf := o.spare[:0]
		if o.spare = nil; cap(buf) < len(data) {
			buf = make([]byte, 0, max(tcpBlockLen, len(data)))
		}
		o.memory += int64(cap(buf))
		o.blocks = append(o.blocks, tcpBlock{buf: buf})
		n++
	}
	b := &o.blocks[n-1]
	at := len(b.buf)
	b.buf = append(b.buf, data...)
	b.last = o.pushed
	return b.buf[at:len(b.buf):len(b.buf)]
}

// retire takes a page, or a buffer, that chunks lie in.
func (o *tcpOut) retire(p *tcpPage, buf []byte) {
	o.retired = append(o.retired, tcpRetired{})
	r := &o.retired[len(o.retired)-1]
	r.page, r.buf, r.last = p, buf, o.pushed
	o.memory += r.cost()
}

// get takes the next chunk, of which there is one.
func (o *tcpOut) get() Chunk {
	o.head++
	o.read++
	return o.queue[o.head-1]
}

// release takes back the memory of what was read.
func (t *TCP) release() {
	if o := &t.out; o.memory != 0 || o.head != 0 {
		t.takeBack()
	}
}

func (t *TCP) takeBack() {
	o := &t.out
	n := 0
	for n < len(o.retired) && o.retired[n].last <= o.read {
		r := &o.retired[n]
		if o.memory -= r.cost(); r.page != nil {
			t.waits.put(r.page)
		} else {
			t.waits.bufs.put(r.buf)
		}
		*r = tcpRetired{}
		n++
	}
	if n == len(o.retired) {
		o.retired = o.retired[:0]
	} else if n > 0 {
		o.retired = append(o.retired[:0], o.retired[n:]...)
	}
	for n = 0; n < len(o.blocks) && o.blocks[n].last <= o.read; n++ {
		o.memory -= int64(cap(o.blocks[n].buf))
		if cap(o.blocks[n].buf) <= 1<<16 {
			o.spare = o.blocks[n].buf
		}
	}
	if n > 0 {
		o.blocks = append(o.blocks[:0], o.blocks[n:]...)
	}
	switch {
	case o.head == len(o.queue):
		o.memory -= int64(o.head) * tcpChunkCost
		o.queue, o.head = o.queue[:0], 0
		if cap(o.queue) > tcpQueueKept {
			o.queue = nil
		}
	case o.head >= 64 && o.head >= len(o.queue)/2:
		o.memory -= int64(o.head) * tcpChunkCost
		o.queue = append(o.queue[:0], o.queue[o.head:]...)
		o.head = 0
	}
}
