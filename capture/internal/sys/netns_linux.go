package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// NewNetNS moves the calling thread, which must be locked to its goroutine and
// end with it, into a new network namespace, and returns a file that keeps the
// namespace alive.
func NewNetNS() (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, os.NewSyscallError("unshare", err)
	}
	// Not /proc/self: that is the main thread's.
	return os.Open("/proc/thread-self/ns/net")
}

// EnterNetNS moves the calling thread, which must be locked to its goroutine
// and end with it, into the namespace of f.
func EnterNetNS(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.Setns(int(fd), unix.CLONE_NEWNET) }); err != nil {
		return err
	}
	return os.NewSyscallError("setns", inner)
}
