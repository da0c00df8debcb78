//go:build !unix && !windows

package cli

import "os"

// interrupts are the signals that end the work in order.
func interrupts() []os.Signal { return []os.Signal{os.Interrupt} }

func ignoreBrokenPipes() {}

func isSystemBrokenPipe(error) bool { return false }
