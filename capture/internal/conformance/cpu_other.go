//go:build !unix || aix || solaris || illumos

package conformance

import "time"

// cpuTime does not know.
func cpuTime() (time.Duration, bool) { return 0, false }
