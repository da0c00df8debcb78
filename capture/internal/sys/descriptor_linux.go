package sys

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A descriptor is a file descriptor that is closed when nobody uses it any
// more, and that the runtime's poller knows only from the first wait on: the
// kernel wakes a poller for every frame that leaves the buffer of a socket,
// which costs a tenth of the time that sending it takes.
type descriptor struct {
	name string
	fd   int
	uses atomic.Int64 // twice the number of users, and 1 when closed

	mu     sync.Mutex // guards making waiter
	waiter atomic.Pointer[waiter]
}

// A waiter is another descriptor of the same file, which the poller knows.
type waiter struct {
	f   *os.File
	raw syscall.RawConn
}

// acquire keeps the descriptor open until release is called. It reports false
// when it is closed.
func (d *descriptor) acquire() bool {
	for {
		n := d.uses.Load()
		if n&1 != 0 {
			return false
		}
		if d.uses.CompareAndSwap(n, n+2) {
			return true
		}
	}
}

// release ends what acquire began.
func (d *descriptor) release() {
	if d.uses.Add(-2) == 1 {
		_ = unix.Close(d.fd)
	}
}

// wait returns the descriptor that the poller knows.
func (d *descriptor) wait() (*waiter, error) {
	if w := d.waiter.Load(); w != nil {
		return w, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.waiter.Load(); w != nil {
		return w, nil
	}
	if !d.acquire() {
		return nil, os.ErrClosed
	}
	defer d.release()
	w, err := d.dup()
	if err == nil {
		d.waiter.Store(w)
	}
	return w, err
}

// dup returns another descriptor of the file. Reads and writes of the file must
// not block, or else the poller does not take it.
func (d *descriptor) dup() (*waiter, error) {
	fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	w := &waiter{f: os.NewFile(uintptr(fd), d.name)}
	if w.raw, err = w.f.SyscallConn(); err != nil {
		w.f.Close()
		return nil, err
	}
	return w, nil
}

// close makes acquire fail from now on, and ends all waits.
func (d *descriptor) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		n := d.uses.Load()
		if n&1 != 0 {
			return os.ErrClosed
		}
		if !d.uses.CompareAndSwap(n, n|1) {
			continue
		}
		var err error
		if w := d.waiter.Load(); w != nil {
			err = w.f.Close()
		}
		if n == 0 {
			err = os.NewSyscallError("close", unix.Close(d.fd))
		}
		return err
	}
}
