//go:build unix && !aix && !solaris && !illumos

package conformance

import (
	"syscall"
	"time"
)

// cpuTime returns how long this process has used a processor.
func cpuTime() (time.Duration, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
