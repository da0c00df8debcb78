package cli

import (
	"errors"
	"os"
	"syscall"
)

// interrupts are the signals that end the work in order.
func interrupts() []os.Signal { return []os.Signal{os.Interrupt} }

func ignoreBrokenPipes() {}

// errNoData is ERROR_NO_DATA: the pipe is being closed.
const errNoData = syscall.Errno(232)

func isSystemBrokenPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errNoData)
}
