package capture_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/sys/unix"
)

// BenchmarkNext reads frames of 60 bytes that lie in the ring: what the reader
// costs, without the kernel's part and without waiting.
func BenchmarkNext(b *testing.B) {
	here, there := netns.New(b), netns.New(b)
	netns.Connect(b, here, "veth0", there, "veth0")
	s, err := openIn(here, "veth0", &capture.Config{BufferSize: 64 << 20, Immediate: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	peer, err := openIn(there, "veth0", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer peer.Close()
	if err := s.Activate(nil); err != nil {
		b.Fatal(err)
	}
	const batch = 10000
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	var f link.Frame
	var want uint64
	var reading []time.Duration // a batch each; sending takes most of the time
	// The thread's own time: what it waits for a processor says nothing about
	// reading.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			b.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	for b.Loop() {
		for range batch {
			if err := peer.Send(frame); err != nil {
				b.Fatal(err)
			}
		}
		for want += batch; ; time.Sleep(time.Millisecond) {
			st, err := s.Stats()
			if err != nil || st.Dropped > 0 {
				b.Fatalf("%+v, %v", st, err)
			}
			if st.Received == want {
				break
			}
		}
		time.Sleep(5 * time.Millisecond) // until the last block is handed over
		start := now()
		for range batch {
			if err := s.Next(&f); err != nil {
				b.Fatal(err)
			}
		}
		reading = append(reading, now()-start)
	}
	// The median, for the caches are not this program's alone.
	slices.Sort(reading)
	b.ReportMetric(float64(reading[len(reading)/2].Nanoseconds())/batch, "ns/frame")
}
