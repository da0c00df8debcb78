package capture_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
)

// TestGather reads while frames come faster than one in a millisecond. Where they
// may gather, reads take as long as Timeout says again and again; else only those
// do in which the machine does something else.
func TestGather(t *testing.T) {
	const (
		timeout = 8 * time.Millisecond
		gap     = 50 * time.Microsecond
		window  = 2000 // frames, of which 160 come in the time of a read
		enough  = 8
		tries   = 30 // frames that a busy machine lets pile up are read at once
	)
	for _, backend := range []capture.BackendType{capture.BackendMessages, capture.BackendXDP} {
		t.Run(backend.String(), func(t *testing.T) {
			x, here, _ := xdpFixture(t, 1500)
			s, err := openIn(here, "veth0", &capture.Config{Backend: backend, Timeout: timeout, BufferSize: 64 << 20, SnapLen: 2048})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Activate(nil); err != nil {
				t.Fatal(err)
			}
			if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			var ended atomic.Bool
			var sender sync.WaitGroup
			defer sender.Wait()
			defer ended.Store(true)
			sender.Go(func() {
				for next := time.Now(); !ended.Load(); {
					if time.Since(next) < 0 {
						continue // a sleep may take more than the millisecond
					}
					next = time.Now().Add(gap)
					if err := x.Inject(xdpFrame(x.MAC, 0)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			var counts []int
			for len(counts) < tries {
				long := 0
				for range window {
					var f link.Frame
					start := time.Now()
					if err := s.Next(&f); err != nil {
						t.Fatal(err)
					}
					if time.Since(start) >= timeout {
						long++
					}
				}
				if counts = append(counts, long); long >= enough {
					return
				}
			}
			t.Errorf("reads of %v in each %d frames: %d, want %d once", timeout, window, counts, enough)
		})
	}
}
