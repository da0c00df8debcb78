//go:build !unix

package cli

// isQueueFull reports whether a frame was not sent because the interface's
// queue has no room at the moment: systems without Unix's errors do not say so.
func isQueueFull(error) bool { return false }
