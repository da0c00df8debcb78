package sys_test

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
)

// xdpFrame is a frame for experiments, IEEE 802 EtherType 0x88b5.
func xdpFrame(dst [6]byte, n, size int) []byte {
	b := make([]byte, size)
	copy(b, dst[:])
	copy(b[6:], []byte{2, 0, 0, 0, 0, 1, 0x88, 0xb5, byte(n >> 8), byte(n)})
	return b
}

func openXDP(t *testing.T, ns *netns.NS, name string, cfg sys.XDPConfig) *sys.XDP {
	t.Helper()
	ifi := ns.Interface(t, name)
	cfg.Interface, cfg.Name, cfg.MAC = ifi.Index, name, ifi.MAC
	if cfg.ChunkSize == 0 {
		cfg.ChunkSize = 2048
	}
	var x *sys.XDP
	if err := ns.Do(func() (err error) {
		x, err = sys.OpenXDP(&cfg)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(sys.XDPFrame{}); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return x
}

// receiveXDP receives n frames, and calls f with each.
func receiveXDP(t *testing.T, x *sys.XDP, n int, f func(i int, frame sys.XDPFrame)) {
	t.Helper()
	timer := time.AfterFunc(20*time.Second, x.Interrupt)
	defer timer.Stop()
	batch := make([]sys.XDPFrame, 16)
	for i := 0; i < n; {
		got, err := x.Receive(batch)
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 {
			if err := x.Wait(); err != nil {
				t.Fatalf("Wait: %v, after %d frames of %d", err, i, n)
			}
			continue
		}
		for _, frame := range batch[:got] {
			f(i, frame)
			i++
		}
		if err := x.Release(batch[:got]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestXDP(t *testing.T) {
	for _, c := range []struct {
		mode, want sys.XDPMode
	}{
		{sys.XDPAuto, sys.XDPCopy}, // veth has no zero copy
		{sys.XDPCopy, sys.XDPCopy},
		{sys.XDPGeneric, sys.XDPGeneric},
	} {
		t.Run(fmt.Sprint(c.mode), func(t *testing.T) {
			here, there := netns.New(t), netns.New(t)
			netns.Connect(t, here, "veth0", there, "veth0")
			mac := here.Interface(t, "veth0").MAC
			a := openXDP(t, here, "veth0", sys.XDPConfig{Mode: c.mode, RxChunks: 64, TxChunks: 32, TxQueues: 1})
			b := openXDP(t, there, "veth0", sys.XDPConfig{Mode: c.mode, RxChunks: 64, TxChunks: 32, TxQueues: 1})
			if a.Mode() != c.want {
				t.Fatalf("mode %d, want %d", a.Mode(), c.want)
			}
			if err := a.Start(nil); err != nil {
				t.Fatal(err)
			}
			// More than the rings hold, in both directions.
			const total = 1000
			for n := 0; n < total; n += 40 {
				var frames [][]byte
				for i := range 40 {
					frames = append(frames, xdpFrame(mac, n+i, 60+(n+i)%1400))
				}
				if sent, err := b.Transmit(0, frames); sent != 40 || err != nil {
					t.Fatalf("Transmit = %d, %v", sent, err)
				}
				receiveXDP(t, a, 40, func(i int, f sys.XDPFrame) {
					if !bytes.Equal(a.Data(f), frames[i]) || f.LossBefore() || a.Queue(f) != 0 {
						t.Fatalf("frame %d: % x, want % x", n+i, a.Data(f)[:20], frames[i][:20])
					}
				})
			}
			st, err := a.Stats()
			if err != nil || st.Received != total || st.Dropped != 0 {
				t.Errorf("Stats = %+v, %v, want %d received", st, err, total)
			}
			if err := a.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := a.Wait(); !errors.Is(err, sys.ErrDrained) {
				t.Errorf("Wait = %v, want ErrDrained", err)
			}
		})
	}
}

func TestXDPZeroCopyRefused(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	err := here.Do(func() error {
		x, err := sys.OpenXDP(&sys.XDPConfig{
			Interface: here.Interface(t, "veth0").Index, Name: "veth0",
			Mode: sys.XDPZeroCopy, ChunkSize: 2048, RxChunks: 64,
		})
		if err == nil {
			x.Close(sys.XDPFrame{})
		}
		return err
	})
	if !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("zero copy on veth: %v, want EOPNOTSUPP", err)
	}
}

// TestXDPGenerator has the kernel make frames, and accounts for every one.
func TestXDPGenerator(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	a := openXDP(t, here, "veth0", sys.XDPConfig{Mode: sys.XDPCopy, RxChunks: 1024})
	if err := a.Start(nil); err != nil {
		t.Fatal(err)
	}
	var g *sys.XDPGenerator
	index := there.Interface(t, "veth0").Index
	if err := there.Do(func() (err error) {
		g, err = sys.NewXDPGenerator(index)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	want := xdpFrame(here.Interface(t, "veth0").MAC, 7, 60)
	const rounds, each = 20, 64
	for range rounds {
		if err := g.Generate(want, each); err != nil {
			t.Fatal(err)
		}
		receiveXDP(t, a, each, func(i int, f sys.XDPFrame) {
			if !bytes.Equal(a.Data(f), want) {
				t.Fatalf("frame %d: % x", i, a.Data(f))
			}
		})
	}
	// More than there is room for. What the cable has no room for comes to no
	// socket, so nobody can say how many that are.
	for end := time.Now().Add(time.Minute); ; {
		if err := g.Generate(want, 1000); err != nil {
			t.Fatal(err)
		}
		st, err := a.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if st.Received == rounds*each+1024 && st.Dropped > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Stats = %+v, want %d received, and some dropped", st, rounds*each+1024)
		}
	}
}
