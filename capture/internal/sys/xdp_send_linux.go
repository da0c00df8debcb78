package sys

import (
	"math/bits"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// txChunks are the chunks of memory that a queue sends from. Each is idle, or the
// kernel has it, or it is cancelled: in the transmit ring, but only to be left
// out.
//
// Most of the time all that the kernel has comes back at once, and so nobody
// looks at which ones these are: see [txChunks.reap].
type txChunks struct {
	first uint64 // address of the first one
	shift uint8  // logarithm of their size
	// addrs are the addresses of all of them: of the first idle ones of those
	// that are idle. As long as plain, the others are those of what the kernel
	// has; or else busy says which these are, by number.
	addrs     []uint64
	idle      int
	plain     bool
	busy      []bool
	cancelled []txCancelled
	spoiled   bool // something was cancelled once
}

// txCancelled is a chunk in the transmit ring that must not be sent any more.
type txCancelled struct {
	at   uint32 // index in the ring
	addr uint64
}

func (c *txChunks) init(first uint64, size, n int) {
	*c = txChunks{
		first:     first,
		shift:     uint8(bits.TrailingZeros(uint(size))),
		addrs:     make([]uint64, n),
		idle:      n,
		plain:     true,
		busy:      make([]bool, n),
		cancelled: make([]txCancelled, 0, n),
	}
	for i := range c.addrs {
		c.addrs[i] = first + uint64(i)<<c.shift
	}
}

// pieces returns how many chunks a frame takes.
func (c *txChunks) pieces(b []byte) int {
	return max(1, (len(b)+1<<c.shift-1)>>c.shift)
}

// number returns which chunk has this address. Addresses before the first one
// have numbers that are larger than any.
func (c *txChunks) number(addr uint64) uint64 { return (addr - c.first) >> c.shift }

// take is for n chunks, the last idle ones: the kernel is going to have them.
func (c *txChunks) take(n int) {
	c.idle -= n
	if !c.plain {
		for _, addr := range c.addrs[c.idle : c.idle+n] {
			c.busy[c.number(addr)] = true
		}
	}
}

// reap makes chunks idle that the kernel is done with: those of the completion
// ring from one index to another.
func (c *txChunks) reap(comp *xskRing, from, to uint32) {
	if n := to - from; c.plain && n == uint32(len(c.addrs)-c.idle) {
		c.idle = len(c.addrs) // all of them
		return
	}
	c.look()
	for i := range min(to-from, comp.size) {
		// The kernel is trusted; memory is not.
		if n := c.number(*comp.addr(from + i)); n < uint64(len(c.busy)) && c.busy[n] {
			c.busy[n] = false
			c.put(c.first + n<<c.shift)
		}
	}
}

// look makes busy say which chunks the kernel has.
func (c *txChunks) look() {
	if c.plain {
		for _, addr := range c.addrs[c.idle:] {
			c.busy[c.number(addr)] = true
		}
		c.plain = false
	}
}

// put makes a chunk idle that was not.
func (c *txChunks) put(addr uint64) {
	c.addrs[c.idle] = addr
	c.idle++
	// A cancelled chunk could come back from the kernel all the same, later on,
	// and be counted.
	c.plain = c.idle == len(c.addrs) && !c.spoiled
}

// cancel is for a chunk that the kernel has been given at an index of the ring
// and is going to leave out.
func (c *txChunks) cancel(at uint32, addr uint64) {
	c.spoiled = true
	c.look()
	if n := c.number(addr); n < uint64(len(c.busy)) && c.busy[n] {
		// Should it be sent all the same, its completion means nothing.
		c.busy[n] = false
		c.cancelled = append(c.cancelled, txCancelled{at, c.first + n<<c.shift})
	}
}

// left makes cancelled chunks idle that the kernel has left out: it has come to
// an index of the ring.
func (c *txChunks) left(at uint32) {
	n := 0
	for n < len(c.cancelled) && int32(at-c.cancelled[n].at) > 0 {
		c.put(c.cancelled[n].addr)
		n++
	}
	c.cancelled = c.cancelled[:copy(c.cancelled, c.cancelled[n:])]
}

// reap makes chunks idle that nobody has any more.
func (q *xskQueue) reap() {
	if from, to := atomic.LoadUint32(q.comp.cons), atomic.LoadUint32(q.comp.prod); from != to {
		q.out.reap(&q.comp, from, to)
		atomic.StoreUint32(q.comp.cons, to)
	}
	if len(q.out.cancelled) > 0 {
		q.out.left(atomic.LoadUint32(q.tx.cons))
	}
}

// Fit returns how many frames, from the first one on, the interface takes: those
// that have a header, and are no longer than longest and than its MTU allows, as
// it is now. Drivers drop those that are too long without a word.
func (x *XDP) Fit(frames [][]byte, longest int) int {
	limit := x.mtu.frame()
	for i, b := range frames {
		n := len(b)
		if n < etherLen || n > longest {
			return i
		}
		if n > limit && (n > limit+vlanLen || !tagged(b)) {
			return i
		}
	}
	return len(frames)
}

// tagged reports whether a frame has a VLAN tag, with which it may be longer.
func tagged(b []byte) bool {
	t := uint16(b[12])<<8 | uint16(b[13])
	return t == unix.ETH_P_8021Q || t == unix.ETH_P_8021AD
}

// txPatience is how long a sender waits for a device that takes nothing.
const txPatience = time.Second

// Transmit sends frames in order on a queue, by its index in Queues, and
// returns how many went out. Each must fit a chunk, or the ring when there may
// be pieces. The error, nil when all did, is ENETDOWN for an interface that is
// down, ENXIO for one that is gone, and EAGAIN for one that takes nothing.
func (x *XDP) Transmit(queue int, frames [][]byte) (int, error) {
	q := x.queues[queue]
	sent := 0
	var since time.Time
	skip := len(q.out.cancelled) // as in push
	for sent < len(frames) {
		q.reap()
		at := atomic.LoadUint32(q.tx.prod)
		room := min(q.out.idle, int(q.tx.size-(at-atomic.LoadUint32(q.tx.cons))))
		n, used := x.fill(q, at, room, frames[sent:])
		if n == 0 {
			if err := x.kick(q, int(q.tx.size)); err != nil {
				return sent, err
			}
			if skip > 0 {
				skip--
				continue
			}
			if !pause(&since) {
				return sent, os.NewSyscallError("sendto", unix.EAGAIN)
			}
			continue
		}
		since = time.Time{}
		atomic.StoreUint32(q.tx.prod, at+uint32(used))
		done, err := x.push(q, at, at+uint32(used))
		if err == nil {
			sent += n
			continue
		}
		for _, b := range frames[sent : sent+n] { // those that went out whole
			if done -= q.out.pieces(b); done < 0 {
				break
			}
			sent++
		}
		return sent, err
	}
	return sent, nil
}

// fill writes the descriptors of as many frames as there is room for, from one
// index of the transmit ring on. It returns how many they are, and how many
// descriptors. room is no more than there are idle chunks.
func (x *XDP) fill(q *xskQueue, at uint32, room int, frames [][]byte) (n, used int) {
	// From the last chunk on: what comes back goes there, and is still in the
	// cache.
	n = x.fillWhole(q, at, frames[:min(room, len(frames))])
	used = n
	for ; n < len(frames) && used+q.out.pieces(frames[n]) <= room; n++ {
		b := frames[n]
		for more := true; more; used++ {
			addr := q.out.addrs[q.out.idle-1-used]
			k := copy(x.mem.data[addr:addr+q.chunk], b)
			d := unix.XDPDesc{Addr: addr, Len: uint32(k)}
			if more = k < len(b); more {
				d.Options, b = unix.XDP_PKT_CONTD, b[k:]
			}
			*q.tx.desc(at + uint32(used)) = d
		}
	}
	q.out.take(used)
	return n, used
}

// fillWhole is fill up to the first frame that takes more than a chunk, without
// taking the chunks. There is room for all frames.
func (x *XDP) fillWhole(q *xskQueue, at uint32, frames [][]byte) int {
	idle := q.out.addrs[q.out.idle-len(frames) : q.out.idle]
	size, mem := int(q.chunk), x.mem.data
	for i, b := range frames {
		if len(b) > size {
			return i
		}
		addr := idle[len(idle)-1-i]
		copy(mem[addr:][:size], b)
		*q.tx.desc(at + uint32(i)) = unix.XDPDesc{Addr: addr, Len: uint32(len(b))}
	}
	return len(frames)
}

// push makes the kernel take the descriptors from one index of the transmit
// ring to another, and returns how many it took.
func (x *XDP) push(q *xskQueue, from, to uint32) (int, error) {
	if x.mode == XDPZeroCopy {
		// The driver takes them when it gets to it.
		if q.tx.needWakeup() {
			if err := x.kick(q, int(to-from)); err != nil {
				return 0, x.cancel(q, from, to, err)
			}
		}
		return int(to - from), nil
	}
	var since time.Time
	skip := len(q.out.cancelled) // the kernel skips one each time, and does not say so
	for at := from; ; {
		err := x.kick(q, int(to-at))
		now := atomic.LoadUint32(q.tx.cons)
		switch {
		case now == to:
			return int(to - from), nil
		case err != nil:
			return int(max(0, int32(now-from))), x.cancel(q, now, to, err)
		case now != at:
			at, since = now, time.Time{}
		case skip > 0:
			skip--
		case !pause(&since):
			return int(max(0, int32(now-from))), x.cancel(q, now, to, os.NewSyscallError("sendto", unix.EAGAIN))
		}
	}
}

// cancel makes the kernel leave out the descriptors from one index to another,
// whenever it comes to them, and returns err. They cannot be taken back: the
// kernel may have read the producer's index.
func (x *XDP) cancel(q *xskQueue, from, to uint32, err error) error {
	for i := from; i != to; i++ {
		d := q.tx.desc(i)
		// An option that does not exist makes a descriptor invalid. It must not
		// be XDP_PKT_CONTD, which would take the next one along.
		atomic.StoreUint32(&d.Options, 1<<31)
		q.out.cancel(i, d.Addr)
	}
	return err
}

// kick makes the kernel look at the transmit ring, in which there are so many
// frames of a call. It returns only errors that do not pass by themselves. As
// with [TxRing.Kick], the runtime is not told when they are few: the kernel does
// not wait.
func (x *XDP) kick(q *xskQueue, frames int) error {
	var err error
	if frames <= shortKick {
		if errno := sendTo(q.fd, nil); errno != 0 {
			err = errno
		}
	} else {
		err = unix.Send(q.fd, nil, unix.MSG_DONTWAIT)
	}
	switch err {
	case nil, unix.EAGAIN, unix.EBUSY, unix.ENOBUFS, unix.EINTR:
		return nil
	default:
		return os.NewSyscallError("sendto", err)
	}
}

// pause waits a moment, from the third time on, and reports whether there is
// still hope. since is the zero time at the start.
func pause(since *time.Time) bool {
	now := time.Now()
	if since.IsZero() {
		*since = now
	}
	switch d := now.Sub(*since); {
	case d > txPatience:
		return false
	case d < 20*time.Microsecond:
		runtime.Gosched()
	default:
		time.Sleep(min(d, time.Millisecond))
	}
	return true
}
