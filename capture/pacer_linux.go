package capture

import (
	"syscall"
	"time"
)

const (
	// The kernel lets timers be 50 µs late (PR_SET_TIMERSLACK, prctl(2)), and
	// it takes a while to run the thread.
	pacerNapMargin = 150 * time.Microsecond
	// The runtime waits with epoll_wait, which counts in milliseconds.
	pacerPollMargin = 2500 * time.Microsecond
)

// nap sleeps for about d, on this thread: nanosleep(2) is finer than the
// runtime's timers. A signal may end it early.
func nap(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil)
}
