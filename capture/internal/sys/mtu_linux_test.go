package sys_test

import (
	"slices"
	"testing"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
)

// TestFit changes the MTU of an interface, and its name, and asks which frames it
// takes, with and without what spares asking for the MTU.
func TestFit(t *testing.T) {
	for _, watch := range []bool{true, false} {
		here, there := netns.New(t), netns.New(t)
		netns.Connect(t, here, "veth0", there, "veth0")
		netns.Connect(t, here, "veth1", there, "veth1")
		x := openXDP(t, here, "veth0", sys.XDPConfig{Mode: sys.XDPCopy, TxChunks: 32, TxQueues: 1})
		if !x.Watches() {
			t.Fatal("nothing tells of changes: as root on a kernel since 5.5, it must")
		}
		if !watch {
			x.ForgetWatch()
		}
		// The longest frame must fit, and a longer one not, time and again.
		takes := func(mtu int, when string) {
			t.Helper()
			for range 2 {
				for _, n := range []int{60, mtu + 14} {
					if got := x.Fit([][]byte{make([]byte, n)}, 9000); got != 1 {
						t.Errorf("watch %t, %s: no frame of %d bytes is taken", watch, when, n)
					}
				}
				for _, n := range []int{mtu + 15, mtu + 19} {
					if got := x.Fit([][]byte{make([]byte, 60), make([]byte, n), make([]byte, 60)}, 9000); got != 1 {
						t.Errorf("watch %t, %s: a frame of %d bytes is taken", watch, when, n)
					}
				}
			}
		}
		takes(1500, "at first")
		tagged := make([]byte, 1518)
		tagged[12], tagged[13] = 0x81, 0
		if got := x.Fit([][]byte{tagged}, 9000); got != 1 {
			t.Error("no longest frame with a VLAN tag is taken")
		}
		if got := x.Fit([][]byte{tagged}, 1517); got != 0 {
			t.Error("a frame is taken that is longer than the longest")
		}
		if got := x.Fit([][]byte{make([]byte, 13)}, 9000); got != 0 {
			t.Error("a frame without a whole header is taken")
		}
		for mtu := range 20 { // each change is seen by the very next call
			here.SetMTU(t, "veth0", 600+mtu)
			takes(600+mtu, "another MTU")
		}
		here.SetMTU(t, "veth0", 68)
		takes(68, "the smallest MTU")
		// The name goes to another interface, whose MTU is not meant.
		here.Rename(t, "veth0", "veth2")
		here.Rename(t, "veth1", "veth0")
		here.SetMTU(t, "veth2", 700)
		takes(700, "another name")
		here.SetMTU(t, "veth0", 1400)
		takes(700, "another interface's MTU")
		here.SetMTU(t, "veth2", 800)
		takes(800, "another MTU under another name")
		// It is gone: what was known last holds.
		here.Move(t, "veth2", there)
		takes(800, "gone")
	}
}

// TestFitNoAllocs asks again and again.
func TestFitNoAllocs(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	x := openXDP(t, here, "veth0", sys.XDPConfig{Mode: sys.XDPCopy, TxChunks: 32, TxQueues: 1})
	frames := slices.Repeat([][]byte{make([]byte, 1514)}, 16)
	fit := func() {
		if got := x.Fit(frames, 2048); got != len(frames) {
			t.Errorf("Fit = %d, want %d", got, len(frames))
		}
	}
	if n := testing.AllocsPerRun(100, fit); n != 0 {
		t.Errorf("Fit allocates %v times", n)
	}
	x.ForgetWatch()
	if n := testing.AllocsPerRun(100, fit); n != 0 {
		t.Errorf("without a watch, Fit allocates %v times", n)
	}
}
