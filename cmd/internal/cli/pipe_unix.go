//go:build unix

package cli

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// interrupts are the signals that end the work in order. One that nohup(1) has
// the program ignore stays ignored.
func interrupts() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

func isSystemBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
