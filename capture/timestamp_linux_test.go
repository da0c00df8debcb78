package capture_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
)

// TestTimestampTypes captures with each type of timestamps over a virtual cable,
// which has no clock of its own.
func TestTimestampTypes(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	offered := []capture.TimestampType{capture.TimestampHost, capture.TimestampHostHiPrec}
	for _, name := range []string{"veth0", "any"} {
		var types []capture.TimestampType
		if err := here.Do(func() (err error) {
			types, err = capture.TimestampTypes(name)
			return err
		}); err != nil || !slices.Equal(types, offered) {
			t.Errorf("%s: %v, %v, want %v", name, types, err, offered)
		}
	}
	var op *capture.OpError
	if _, err := capture.TimestampTypes("nonesuch0"); !errors.Is(err, capture.ErrNoInterface) || !errors.As(err, &op) || op.Op != "timestamp" {
		t.Errorf("nonesuch0: %v", err)
	}
	t.Run("tcpdump", func(t *testing.T) {
		if _, err := exec.LookPath("tcpdump"); err != nil {
			t.Skip(err)
		}
		var out []byte
		if err := here.Do(func() (err error) {
			out, err = exec.Command("tcpdump", "-J", "-i", "veth0").CombinedOutput()
			return err
		}); err != nil || strings.Contains(string(out), "adapter") || !strings.Contains(string(out), "host") {
			t.Errorf("%v: %s", err, out)
		}
	})

	peer, err := openIn(there, "veth0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	frame := make([]byte, 60)
	frame[0], frame[12], frame[13] = 2, 0x88, 0xb5
	for _, backend := range []capture.BackendType{capture.BackendRing, capture.BackendMessages, capture.BackendXDP} {
		for typ := capture.TimestampHost; typ <= capture.TimestampAdapterUnsynced; typ++ {
			have := offered
			if backend == capture.BackendXDP {
				have = offered[:1]
			}
			s, err := openIn(here, "veth0", &capture.Config{Backend: backend, Timestamp: typ})
			if !slices.Contains(have, typ) {
				var te *capture.TimestampError
				if !errors.As(err, &te) || te.Type != typ || !slices.Equal(te.Offered, have) || !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%v, %v: %v", backend, typ, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v, %v: %v", backend, typ, err)
				continue
			}
			if err := s.Activate(nil); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if err := peer.Send(frame); err != nil {
				t.Fatal(err)
			}
			var f link.Frame
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
			want := link.TimeSoftware
			if backend == capture.BackendXDP {
				want = link.TimeUser
			}
			// Clocks that tick coarsely are a little behind.
			if f.TimeSource != want || f.Time.Before(start.Add(-20*time.Millisecond)) || f.Time.After(time.Now()) {
				t.Errorf("%v, %v: %v of %v, want %v after %v", backend, typ, f.Time, f.TimeSource, want, start)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
