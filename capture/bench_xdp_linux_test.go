package capture_test

import (
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// BenchmarkNextXDP is BenchmarkNext for AF_XDP, with frames that the kernel
// makes.
func BenchmarkNextXDP(b *testing.B) {
	here, there := netns.New(b), netns.New(b)
	netns.Connect(b, here, "veth0", there, "veth0")
	const batch = 16384
	s, err := openIn(here, "veth0", &capture.Config{Backend: capture.BackendXDP, BufferSize: 2 * batch * 2048})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		b.Fatal(err)
	}
	index := there.Interface(b, "veth0").Index
	var g *sys.XDPGenerator
	if err := there.Do(func() (err error) {
		g, err = sys.NewXDPGenerator(index)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	var f link.Frame
	var seen uint64
	var reading time.Duration
	for b.Loop() {
		if err := g.Generate(frame, batch); err != nil {
			b.Fatal(err)
		}
		st, err := s.Stats() // some of them the cable has no room for
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		for ; seen < st.Received; seen++ {
			if err := s.Next(&f); err != nil {
				b.Fatal(err)
			}
		}
		reading += time.Since(start)
	}
	b.ReportMetric(float64(reading.Nanoseconds())/float64(seen), "ns/frame")
}
