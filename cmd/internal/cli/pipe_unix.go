//go:build unix

package cli

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// interrupts are the signals that end the work in order.
func interrupts() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

func isSystemBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
