//go:build !linux

package capture

import "time"

const (
	pacerNapMargin  = 2 * time.Millisecond
	pacerPollMargin = 4 * time.Millisecond
)

// nap sleeps for about d.
func nap(d time.Duration) { time.Sleep(d) }
