package sys

import (
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// xskRing is one of the four rings that an AF_XDP socket shares with the
// kernel, Documentation/networking/af_xdp.rst: a single producer and a single
// consumer, each with an index that counts on and on. Entries are valid from
// the consumer's index up to the producer's. Package atomic's loads acquire
// and its stores release, which is what either side relies on.
type xskRing struct {
	mem     *mapping
	prod    *uint32
	cons    *uint32
	flags   *uint32
	entries unsafe.Pointer
	size    uint32 // a power of two
}

// addr returns entry i of a fill or completion ring.
func (r *xskRing) addr(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(r.entries, uintptr(i&(r.size-1))*8))
}

// desc returns entry i of a receive or transmit ring.
func (r *xskRing) desc(i uint32) *unix.XDPDesc {
	return (*unix.XDPDesc)(unsafe.Add(r.entries, uintptr(i&(r.size-1))*unsafe.Sizeof(unix.XDPDesc{})))
}

// needWakeup reports whether the kernel wants a system call before it looks at
// the ring again.
func (r *xskRing) needWakeup() bool {
	return atomic.LoadUint32(r.flags)&unix.XDP_RING_NEED_WAKEUP != 0
}

// ringSize returns the size of a ring for n entries.
func ringSize(n int) uint32 {
	size := uint32(1)
	for int(size) < n {
		size *= 2
	}
	return size
}

// xskQueue is the AF_XDP socket of one queue of an interface.
type xskQueue struct {
	id, fd int
	// rx and fill are the receiver's, tx and comp the sender's. Those that
	// were not asked for have no memory.
	rx, fill, tx, comp xskRing

	taken    atomic.Uint64 // entries taken from rx; its consumer's index, widened
	released uint32        // producer's index of fill, with what is not published yet

	// gaps are the places in rx, counted like taken, before which frames were
	// lost, in order.
	gaps    []uint64
	dropped uint64 // of the frames that gaps tells

	// Where an entry may be a piece of a frame, frames are counted as well.
	countMu sync.Mutex // guards taken, too, except against being read
	ended   uint64     // frames taken, all their pieces

	chunk uint64   // size of a chunk, a power of two
	out   txChunks // the sender's
}

func setsockoptXDP[T any](fd, opt int, v *T) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(opt),
		uintptr(unsafe.Pointer(v)), unsafe.Sizeof(*v), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func getsockoptXDP[T any](fd, opt int, v *T) error {
	n := uint32(unsafe.Sizeof(*v))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(opt),
		uintptr(unsafe.Pointer(v)), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// umem is the memory of frames, divided into chunks of one size.
type umem struct {
	mem   *mapping
	data  []byte
	chunk int
}

func newUMEM(chunk, chunks int) (*umem, error) {
	if chunks > math.MaxInt/chunk {
		return nil, os.NewSyscallError("mmap", unix.ENOMEM)
	}
	n := uintptr(chunk) * uintptr(chunks)
	addr, err := unix.MmapPtr(-1, 0, nil, n, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &umem{mem: mapped(addr, n), data: unsafe.Slice((*byte)(addr), n), chunk: chunk}, nil
}

// register tells a socket of the memory.
func (u *umem) register(fd int) error {
	reg := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(&u.data[0]))),
		Len:  uint64(len(u.data)),
		Size: uint32(u.chunk),
	}
	return os.NewSyscallError("setsockopt XDP_UMEM_REG", setsockoptXDP(fd, unix.XDP_UMEM_REG, &reg))
}

// newXSK makes the socket of a queue.
func newXSK(id int) (*xskQueue, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket AF_XDP", err)
	}
	return &xskQueue{id: id, fd: fd}, nil
}

// open makes the rings. rx and tx are how many frames they have room for, 0
// for none.
func (q *xskQueue) open(rx, tx int) error {
	// The kernel wants both rings of the memory's, even for one direction.
	for _, r := range []struct {
		ring  *xskRing
		opt   int
		n     int
		needs bool
		name  string
	}{
		{&q.fill, unix.XDP_UMEM_FILL_RING, max(rx, 1), true, "XDP_UMEM_FILL_RING"},
		{&q.comp, unix.XDP_UMEM_COMPLETION_RING, max(tx, 1), true, "XDP_UMEM_COMPLETION_RING"},
		{&q.rx, unix.XDP_RX_RING, rx, rx > 0, "XDP_RX_RING"},
		{&q.tx, unix.XDP_TX_RING, tx, tx > 0, "XDP_TX_RING"},
	} {
		if !r.needs {
			continue
		}
		r.ring.size = ringSize(r.n)
		if err := setsockoptXDP(q.fd, r.opt, &r.ring.size); err != nil {
			return os.NewSyscallError("setsockopt "+r.name, err)
		}
	}
	var off unix.XDPMmapOffsets
	if err := getsockoptXDP(q.fd, unix.XDP_MMAP_OFFSETS, &off); err != nil {
		return os.NewSyscallError("getsockopt XDP_MMAP_OFFSETS", err)
	}
	for _, r := range []struct {
		ring  *xskRing
		off   unix.XDPRingOffset
		pgoff int64
		entry uint64
	}{
		{&q.fill, off.Fr, unix.XDP_UMEM_PGOFF_FILL_RING, 8},
		{&q.comp, off.Cr, unix.XDP_UMEM_PGOFF_COMPLETION_RING, 8},
		{&q.rx, off.Rx, unix.XDP_PGOFF_RX_RING, 16},
		{&q.tx, off.Tx, unix.XDP_PGOFF_TX_RING, 16},
	} {
		if r.ring.size == 0 {
			continue
		}
		n := uintptr(r.off.Desc + r.entry*uint64(r.ring.size))
		p, err := unix.MmapPtr(q.fd, r.pgoff, nil, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return os.NewSyscallError("mmap", err)
		}
		r.ring.mem = mapped(p, n)
		r.ring.prod = (*uint32)(unsafe.Add(p, uintptr(r.off.Producer)))
		r.ring.cons = (*uint32)(unsafe.Add(p, uintptr(r.off.Consumer)))
		r.ring.flags = (*uint32)(unsafe.Add(p, uintptr(r.off.Flags)))
		r.ring.entries = unsafe.Add(p, uintptr(r.off.Desc))
	}
	return nil
}

// busyPatience is how long binding waits for a queue of which the last user
// has just gone: the kernel gives it back some 40 ms later, and an interface
// that is busy with something else says the same.
const busyPatience = 2 * time.Second

// bind gives the socket its queue.
func (q *xskQueue) bind(sa *unix.SockaddrXDP) error {
	for end := time.Now().Add(busyPatience); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Bind(q.fd, sa)
		if err == nil {
			return nil
		}
		if err != unix.EBUSY || time.Now().After(end) {
			return os.NewSyscallError(fmt.Sprintf("bind AF_XDP queue %d", q.id), err)
		}
	}
}

// statistics returns the kernel's counters, which only grow.
func (q *xskQueue) statistics() (unix.XDPStatistics, error) {
	var st unix.XDPStatistics
	err := getsockoptXDP(q.fd, unix.XDP_STATISTICS, &st)
	return st, os.NewSyscallError("getsockopt XDP_STATISTICS", err)
}

// give puts n chunks into the fill ring, from the one at first on.
func (q *xskQueue) give(first uint64, n int) {
	for i := range n {
		*q.fill.addr(q.released) = first + uint64(i)*q.chunk
		q.released++
	}
	atomic.StoreUint32(q.fill.prod, q.released)
}

// publish makes what was released visible to the kernel.
func (q *xskQueue) publish() error {
	// Frames are lost when there is no chunk to put them into. While there is
	// none, none is received either: so the place of the loss is known.
	empty := atomic.LoadUint32(q.fill.cons) == atomic.LoadUint32(q.fill.prod)
	behind := q.received()
	atomic.StoreUint32(q.fill.prod, q.released)
	if !empty {
		return nil
	}
	st, err := q.statistics()
	if err != nil {
		return err
	}
	if lost := st.Rx_dropped + st.Rx_ring_full; lost > q.dropped {
		q.dropped = lost
		if len(q.gaps) < cap(q.gaps) {
			q.gaps = append(q.gaps, behind)
		}
	}
	return nil
}

// received returns how many frames the kernel has put into rx so far.
func (q *xskQueue) received() uint64 {
	// In this order: the difference is never negative, and never more than the
	// ring holds plus what was taken in between.
	taken := q.taken.Load()
	return taken + uint64(atomic.LoadUint32(q.rx.prod)-uint32(taken))
}

// whole returns how many of the n entries from at on are whole frames, and does
// not count the beginning of one.
func (q *xskQueue) whole(at uint32, n int) int {
	for n > 0 && q.more(at+uint32(n-1)) {
		n--
	}
	return n
}

// more reports whether the frame of an entry goes on with the next one.
func (q *xskQueue) more(i uint32) bool { return q.rx.desc(i).Options&unix.XDP_PKT_CONTD != 0 }

// count adds entries to those that were taken.
func (q *xskQueue) count(taken uint64, entries []XDPFrame) {
	q.countMu.Lock()
	defer q.countMu.Unlock()
	q.taken.Store(taken + uint64(len(entries)))
	for _, f := range entries {
		if !f.more {
			q.ended++
		}
	}
}

// frames returns how many frames the kernel has put into rx so far, where that
// is not the number of entries.
func (q *xskQueue) frames() uint64 {
	// Entries that were not taken stay what they are.
	q.countMu.Lock()
	defer q.countMu.Unlock()
	n := q.ended
	for i := uint32(q.taken.Load()); i != atomic.LoadUint32(q.rx.prod); i++ {
		if !q.more(i) {
			n++
		}
	}
	return n
}

// gap reports whether frames were lost before frame number at.
func (q *xskQueue) gap(at uint64) bool {
	lost := false
	for len(q.gaps) > 0 && q.gaps[0] <= at {
		q.gaps = q.gaps[:copy(q.gaps, q.gaps[1:])]
		lost = true
	}
	return lost
}

// close closes the socket and gives its rings back: their mappings would keep
// the socket alive, and its queue taken.
func (q *xskQueue) close() error {
	for _, r := range []*xskRing{&q.rx, &q.fill, &q.tx, &q.comp} {
		if r.mem != nil {
			r.mem.unmap()
		}
	}
	return closeDescriptor(&q.fd)
}
