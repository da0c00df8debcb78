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

// BenchmarkNext reads frames of 60 bytes that were captured before: what the
// reader costs, without waiting, and with the ring without the kernel's part:
// one by one, and 64 at a time.
func BenchmarkNext(b *testing.B) {
	for _, p := range soakPaths {
		b.Run(p.backend.String(), func(b *testing.B) { benchmarkNext(b, p.backend, 1) })
		b.Run(p.backend.String()+",64", func(b *testing.B) { benchmarkNext(b, p.backend, 64) })
	}
}

func benchmarkNext(b *testing.B, backend capture.BackendType, each int) {
	here, there := netns.New(b), netns.New(b)
	netns.Connect(b, here, "veth0", there, "veth0")
	s, err := openIn(here, "veth0", &capture.Config{Backend: backend, BufferSize: 64 << 20, Immediate: true})
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
	const batch = 9984 // whole system calls of 64
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	frames := slices.Repeat([][]byte{frame}, 64)
	into := make([]link.Frame, each)
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
		for range batch / len(frames) {
			if _, err := peer.SendBatch(frames); err != nil {
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
		for n := 0; n < batch; {
			switch each {
			case 1:
				if err := s.Next(&into[0]); err != nil {
					b.Fatal(err)
				}
				n++
			default:
				m, err := s.NextBatch(into)
				if err != nil {
					b.Fatal(err)
				}
				n += m
			}
		}
		reading = append(reading, now()-start)
	}
	// The median, for the caches are not this program's alone.
	slices.Sort(reading)
	b.ReportMetric(float64(reading[len(reading)/2].Nanoseconds())/batch, "ns/frame")
}

// BenchmarkSend sends frames of 60 bytes over a virtual cable to a peer that
// nobody listens to, one by one and 64 at a time.
func BenchmarkSend(b *testing.B) {
	here, there := netns.New(b), netns.New(b)
	netns.Connect(b, here, "veth0", there, "veth0")
	s, err := openIn(here, "veth0", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	frames := slices.Repeat([][]byte{frame}, 64)
	for name, send := range map[string]func() error{
		"one": func() error {
			for _, f := range frames {
				if err := s.Send(f); err != nil {
					return err
				}
			}
			return nil
		},
		"batch": func() error { _, err := s.SendBatch(frames); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := send(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(frames)), "ns/frame")
		})
	}
}
