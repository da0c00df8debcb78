package sys

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Meter adds up the kernel's counters of one AF_PACKET socket, which reading
// resets: nobody else may read them. The zero Meter is ready.
type Meter struct {
	mu      sync.Mutex // guards the sums
	packets uint64
	drops   uint64
	freezes uint64

	dropsTotal   atomic.Uint64 // drops, for the reader of the ring
	lossTime     atomic.Int64  // when new drops were seen last, Unix nanoseconds; 0 when the reader has taken note
	dropsFlagged uint64        // drops that a frame has been marked for; the reader's own
}

// Counters are what the kernel counted since the socket was opened.
type Counters struct {
	Packets uint64 // accepted by the filter, whether or not there was room
	Drops   uint64 // accepted by the filter, and no room for it
	Freezes uint64 // times that the ring was full
	Missed  uint64 // lost by the interface before the filter saw them
}

// Read returns the sums, without Missed. control runs a function on the
// socket's descriptor.
func (m *Meter) Read(control func(f func(fd int) error) error) (Counters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := control(func(fd int) error {
		// With another version than TPACKET_V3 the kernel writes two of the
		// three fields.
		st, err := unix.GetsockoptTpacketStatsV3(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			return os.NewSyscallError("getsockopt PACKET_STATISTICS", err)
		}
		m.packets += uint64(st.Packets)
		m.drops += uint64(st.Drops)
		m.freezes += uint64(st.Freeze_q_cnt)
		if st.Drops > 0 {
			m.dropsTotal.Store(m.drops)
			m.lossTime.Store(time.Now().UnixNano())
		}
		return nil
	})
	return Counters{Packets: m.packets, Drops: m.drops, Freezes: m.freezes}, err
}

// lossBefore reports whether frames were lost between the block that was taken
// before and the one with this status, whose last frame came at the time last
// in Unix nanoseconds. It is asked once per block, in their order, and never
// concurrently with itself.
func (m *Meter) lossBefore(control func(f func(fd int) error) error, status uint32, last int64) bool {
	if status&statusLosing != 0 {
		// The flag stays up until the counters are read.
		_, _ = m.Read(control)
	} else {
		// Somebody who asked for the counters took the flag down: what comes
		// later than that is behind the loss.
		if at := m.lossTime.Load(); at == 0 || last <= at {
			return false
		}
	}
	total := m.dropsTotal.Load()
	lossy := total > m.dropsFlagged
	m.dropsFlagged = total
	m.lossTime.Store(0)
	return lossy
}

// A MissMeter says how many frames an interface has lost, since it was looked at
// first, before any filter saw them. The zero MissMeter has not looked yet. Its
// methods may be called at any time by anyone.
type MissMeter struct {
	mu     sync.Mutex
	before uint64 // what the interface counted when since was 0
	since  uint64 // what it has counted from there on
}

// Begin notes what the interface has counted so far. Called again, for another
// interface perhaps, it goes on from what was lost before.
func (m *MissMeter) Begin(l Link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = l.Missed - m.since // modulo 2^64
}

// Read asks for the interface. When it is gone, the count stays what it was.
func (m *MissMeter) Read(r *Rtnl, ifindex int) (uint64, error) {
	l, err := r.Link(ifindex)
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.Missed > m.before+m.since {
		m.since = l.Missed - m.before
	}
	return m.since, nil
}
