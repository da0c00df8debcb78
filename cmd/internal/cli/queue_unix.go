//go:build unix

package cli

import (
	"errors"
	"syscall"
)

// isQueueFull reports whether a frame was not sent because the interface's
// queue has no room at the moment.
func isQueueFull(err error) bool { return errors.Is(err, syscall.ENOBUFS) }
