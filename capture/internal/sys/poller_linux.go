package sys

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A poller waits for any of several descriptors, by way of the runtime's. A
// file of the runtime's poller is one descriptor, so it is an epoll set of the
// others. Of each frame that comes, the kernel tells the set, the set tells the
// runtime's poller, and that wakes a thread, whether or not anybody waits for
// the frame; and of each frame that a socket has sent, the kernel tells whoever
// watches it, if only to learn that nobody wants to know. So those that frames
// come to are in the set no longer than somebody waits for them.
//
// wait and pause are for one goroutine at a time; interrupt and share
// may be called at any time.
type poller struct {
	file *os.File // of the set
	raw  syscall.RawConn

	interrupted atomic.Bool // by interrupt, since a wait ended with it

	mu     sync.Mutex
	frames []int // the descriptors that frames come to
	heard  bool  // and they are in the set
	on     bool  // what change makes of heard
	err    error // of change
	change func(set uintptr)
	shared bool // somebody else may wait for the set: they stay

	patience linger
	over     func(fd uintptr) bool // made once, so that a wait does not allocate
	asked    bool                  // over was called since the pause began
}

// openPoller makes an empty set. name is for errors of the file.
func openPoller(name string) (*poller, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// NewFile gives to the runtime's poller what does not block.
	if err := unix.SetNonblock(set, true); err != nil {
		unix.Close(set)
		return nil, os.NewSyscallError("fcntl O_NONBLOCK", err)
	}
	p := &poller{file: os.NewFile(uintptr(set), name)}
	p.over, p.change = p.isOver, p.changeSet
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// watch puts a descriptor into the set for good.
func (p *poller) watch(fd int) error {
	var err error
	if cerr := p.raw.Control(func(set uintptr) {
		err = unix.EpollCtl(int(set), unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// add says that frames come to a descriptor.
func (p *poller) add(fd int) { p.frames = append(p.frames, fd) }

// hear puts the descriptors that frames come to into the set, or takes them out
// of it. When there are frames already, the set tells at once.
func (p *poller) hear(on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.setHeard(on)
}

// setHeard is hear for one who has the lock.
func (p *poller) setHeard(on bool) error {
	if p.heard == on || !on && p.shared {
		return nil
	}
	p.on, p.err = on, nil
	if err := p.raw.Control(p.change); err != nil {
		return os.ErrClosed
	}
	if p.err != nil {
		return os.NewSyscallError("epoll_ctl", p.err)
	}
	p.heard = on
	return nil
}

// changeSet does what setHeard says.
func (p *poller) changeSet(set uintptr) {
	op := unix.EPOLL_CTL_ADD
	if !p.on {
		op = unix.EPOLL_CTL_DEL
	}
	for _, fd := range p.frames {
		err := unix.EpollCtl(int(set), op, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		if err != nil && p.err == nil {
			p.err = err
		}
	}
}

// share returns the set for others to wait for.
func (p *poller) share() (syscall.RawConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = true
	if err := p.setHeard(true); err != nil {
		return nil, err
	}
	return p.file.SyscallConn()
}

// wait waits until ready returns true, which is asked at once and whenever
// something may have happened. The error is [ErrInterrupted] or [os.ErrClosed].
func (p *poller) wait(ready func(fd uintptr) bool) error {
	if err := p.hear(true); err != nil {
		return err
	}
	start := time.Now()
	err := p.raw.Read(ready)
	p.patience.waited(time.Since(start))
	if err == nil {
		return nil
	}
	return p.ended(err)
}

// ended returns what it means that a wait ended with err.
func (p *poller) ended(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return waitError(err)
	}
	// interrupt sets a deadline for lack of anything else that wakes the
	// poller. The caller looks at why only after this.
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return waitError(err)
	}
	p.interrupted.Store(false)
	return ErrInterrupted
}

// pause lets frames gather for a while. It returns early, without an error,
// when something happened that is no frame. The error is that of wait.
func (p *poller) pause() error {
	if err := p.hear(false); err != nil {
		return err
	}
	if err := p.file.SetReadDeadline(time.Now().Add(p.patience.pause)); err != nil {
		return waitError(err)
	}
	// An interruption that came before has lost its deadline. One that comes
	// from here on sets its own.
	if p.interrupted.Load() {
		return p.ended(os.ErrDeadlineExceeded)
	}
	p.asked = false
	err := p.raw.Read(p.over)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return waitError(err)
	}
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return waitError(err)
	}
	if p.interrupted.Swap(false) {
		return ErrInterrupted
	}
	return nil
}

// isOver ends a pause when it is asked for the second time: something happened.
func (p *poller) isOver(uintptr) bool {
	again := p.asked
	p.asked = true
	return again
}

// interrupt makes wait or pause, or else the next one of them, return
// ErrInterrupted.
func (p *poller) interrupt() {
	p.interrupted.Store(true)
	// A closed file has no waiter: the error says nothing.
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
}

// close ends all waits.
func (p *poller) close() error { return p.file.Close() }

// minRoom is how many frames there must be room for, for each millisecond in which
// they are to gather: fast interfaces bring more than a thousand of them in one.
const minRoom = 2048

// shortPause is the shortest pause: the runtime's poller counts in milliseconds.
// Frames gather when they come faster than one in this time.
const shortPause = time.Millisecond

// A linger decides when a reader that has read everything should rather let
// frames gather than have each of them wake it up: a wake-up takes longer than
// reading some ten frames. How long they do follows from how many come, so that
// those who come suddenly find room. The zero linger never lets them.
type linger struct {
	most  int           // frames that may gather without any danger to lose some
	limit time.Duration // of a pause; 0 for none
	pause time.Duration // the next one

	busy bool // frames come faster than one in a shortPause
	rush int  // so many waits that go without, for too many frames had gathered
}

// newLinger returns a linger for pauses of at most limit, where the kernel has
// room for so many frames, of which most may be there after one.
func newLinger(limit time.Duration, room, most int) linger {
	limit = min(limit, time.Duration(room/minRoom)*time.Millisecond).Truncate(shortPause)
	return linger{most: most, limit: limit, pause: min(limit, shortPause)}
}

// rushWaits is how many waits follow without a pause when one was too long.
const rushWaits = 64

// due reports whether to pause before the next wait.
func (l *linger) due() bool {
	if l.limit == 0 || !l.busy {
		return false
	}
	if l.rush > 0 {
		l.rush--
		return false
	}
	return true
}

// gathered is told how many frames a pause has brought.
func (l *linger) gathered(frames int) {
	switch {
	case frames < int(l.pause/shortPause):
		l.busy, l.pause = false, shortPause
	case frames > l.most && l.pause > shortPause:
		l.pause = (l.pause / 2).Truncate(shortPause)
	case frames > l.most:
		l.rush = rushWaits
	case frames < l.most/4:
		l.pause = min(2*l.pause, l.limit)
	}
}

// waited is told how long a wait was.
func (l *linger) waited(d time.Duration) { l.busy = l.limit > 0 && d < shortPause }
