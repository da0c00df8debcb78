package capture

import (
	"sync"
	"sync/atomic"
)

// turn is a mutual exclusion in which somebody who claims it goes before all
// who merely wait for it, and in which a wait can be given up. Taking it when
// nobody else wants it costs one atomic operation: it is taken per frame.
type turn struct {
	busy    atomic.Uint32 // 1 while somebody has it
	claims  atomic.Int32  // of those that go first
	waiting atomic.Int32  // goroutines in cond.Wait or on their way
	mu      sync.Mutex    // guards cond, not what the turn guards
	cond    sync.Cond
}

func (t *turn) init() { t.cond.L = &t.mu }

// try takes the turn if it is free and not claimed.
func (t *turn) try() bool {
	return t.claims.Load() == 0 && t.busy.CompareAndSwap(0, 1)
}

// wait takes the turn when it is free and not claimed, or returns the error of
// giveUp, which is asked before each time of waiting.
func (t *turn) wait(giveUp func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Announced before looking: whoever releases the turn afterwards sees that
	// there is somebody to wake.
	t.waiting.Add(1)
	defer t.waiting.Add(-1)
	for !t.try() {
		if err := giveUp(); err != nil {
			return err
		}
		t.cond.Wait()
	}
	return nil
}

// claim takes the turn as soon as its holder releases it, which interrupt
// should make him do.
func (t *turn) claim(interrupt func()) {
	t.claims.Add(1)
	t.waiting.Add(1)
	interrupt()
	t.mu.Lock()
	for !t.busy.CompareAndSwap(0, 1) {
		t.cond.Wait()
	}
	t.waiting.Add(-1)
	t.claims.Add(-1)
	t.mu.Unlock()
}

// claimed reports whether the holder should let go.
func (t *turn) claimed() bool { return t.claims.Load() != 0 }

// release lets go of the turn.
func (t *turn) release() {
	t.busy.Store(0)
	if t.waiting.Load() > 0 {
		t.broadcast()
	}
}

// broadcast makes everybody who waits look again.
func (t *turn) broadcast() {
	t.mu.Lock()
	t.cond.Broadcast()
	t.mu.Unlock()
}
