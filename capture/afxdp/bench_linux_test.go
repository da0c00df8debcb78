package afxdp_test

import (
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/afxdp"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/filter"
)

// generator makes frames that arrive at the other end of a cable.
func generator(b *testing.B, ns *netns.NS, name string) *sys.XDPGenerator {
	b.Helper()
	index := ns.Interface(b, name).Index
	var g *sys.XDPGenerator
	if err := ns.Do(func() (err error) {
		g, err = sys.NewXDPGenerator(index)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { g.Close() })
	return g
}

// BenchmarkReceive receives frames that the kernel makes as fast as it can. It
// reports those that arrive in a second, and how many of those that were taken
// by the kernel's program there was no room for.
func BenchmarkReceive(b *testing.B) {
	here, there := cable(b, 1)
	s := open(b, here, "veth0", &afxdp.Config{Receive: 16384, Send: -1})
	g := generator(b, there, "veth1")
	const each = 1 << 20
	mac := s.Interface().MAC
	batch := make([]afxdp.Frame, 64)
	got := 0
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		done := make(chan error, 1)
		go func() {
			done <- g.Generate(frame(mac, 0, 60), each)
			s.SetReadDeadline(time.Unix(1, 0))
		}()
		for {
			n, err := s.Receive(batch)
			if err != nil {
				break // the deadline
			}
			got += n
			if err := s.Release(batch[:n]); err != nil {
				b.Fatal(err)
			}
		}
		s.SetReadDeadline(time.Time{})
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	st, err := s.Stats()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(got)/time.Since(start).Seconds(), "frames/s")
	b.ReportMetric(100*float64(st.Dropped)/float64(st.Received+st.Dropped), "%dropped")
}

// BenchmarkSend sends batches to an interface that drops what it receives.
func BenchmarkSend(b *testing.B) {
	here, there := cable(b, 1)
	s := open(b, here, "veth0", &afxdp.Config{Receive: -1})
	code, err := filter.Program{{Op: 0x06}}.XDP(filter.XDPOptions{Reject: filter.XDPDrop})
	if err != nil {
		b.Fatal(err)
	}
	prog, err := sys.LoadXDP("drop", code, false)
	if err != nil {
		b.Fatal(err)
	}
	defer prog.Close()
	var at *sys.BPFLink
	index := there.Interface(b, "veth1").Index
	if err := there.Do(func() (err error) {
		at, err = prog.AttachXDP(index, false)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	defer at.Close()
	var frames [][]byte
	for i := range 64 {
		frames = append(frames, frame(s.Interface().MAC, i, 60))
	}
	sent := 0
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		n, err := s.Send(0, frames)
		if err != nil {
			b.Fatal(err)
		}
		sent += n
	}
	b.ReportMetric(float64(sent)/time.Since(start).Seconds(), "frames/s")
}
