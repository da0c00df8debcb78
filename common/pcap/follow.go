package pcap

import (
	"context"
	"io"
	"os"
	"time"
)

// follower turns the end of a file into a wait for more of it.
type follower struct {
	src    io.Reader
	ctx    context.Context
	poll   time.Duration
	closed <-chan struct{}
}

// Read returns at least one byte, or the reason why there will be none.
func (f *follower) Read(p []byte) (int, error) {
	var timer *time.Timer
	for {
		n, err := f.src.Read(p)
		if n > 0 && err == io.EOF {
			err = nil
		}
		if n > 0 || err != nil && err != io.EOF {
			return n, err
		}
		if timer == nil {
			timer = time.NewTimer(f.poll)
			defer timer.Stop()
		} else {
			timer.Reset(f.poll)
		}
		select {
		case <-f.ctx.Done():
			return 0, context.Cause(f.ctx)
		case <-f.closed:
			return 0, os.ErrClosed
		case <-timer.C:
		}
	}
}
