package capturetest_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/common/link"
)

func open(t *testing.T, i *capturetest.Interface, cfg *capture.Config) *capture.Sniffer {
	t.Helper()
	s, err := i.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func next(t *testing.T, s *capture.Sniffer) link.Frame {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var f link.Frame
	if err := s.Next(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

// ethernet returns a frame for a destination.
func ethernet(dst link.MacAddr, content byte) []byte {
	b := bytes.Repeat([]byte{content}, 60)
	copy(b, dst[:])
	return b
}

func TestInject(t *testing.T) {
	mac := link.MacAddr{2, 0, 0, 0, 0, 1}
	ifi := link.Interface{Name: "eth7", Index: 7, MAC: mac, HasMAC: true, MTU: 9000}
	i := capturetest.New(ifi)
	s := open(t, i, nil)
	if got := s.Interface(); got.Name != "eth7" || got.Index != 7 || got.MTU != 9000 || got.Link != link.TypeEthernet || !got.Flags.Has(link.FlagUp) {
		t.Errorf("Interface = %+v", got)
	}
	for _, c := range []struct {
		dst  link.MacAddr
		want link.Direction
	}{
		{mac, link.DirectionIn},
		{link.MacAddr{2, 0, 0, 0, 0, 9}, link.DirectionOther},
		{link.MacAddr{0x33, 0x33, 0, 0, 0, 1}, link.DirectionMulticast},
		{link.BroadcastMac(), link.DirectionBroadcast},
	} {
		before := time.Now()
		data := ethernet(c.dst, 1)
		i.Inject(data)
		data[20] = 0 // ours again
		f := next(t, s)
		if f.Direction != c.want || f.Interface != 7 || f.Link != link.TypeEthernet || f.Data[20] != 1 ||
			f.Time.Before(before) || f.TimeSource != link.TimeSoftware {
			t.Errorf("to %v: %+v, want direction %v", c.dst, f, c.want)
		}
	}
	given := link.Frame{Data: ethernet(mac, 2), Info: link.Info{
		Time: time.Unix(7, 8), TimeSource: link.TimeHardware, WireLen: 1000, Direction: link.DirectionMulticast,
		Flags: link.InfoVLAN | link.InfoHash, VLANTCI: 5, VLANTPID: 0x88a8, Hash: 9, Checksum: link.ChecksumPartial,
	}}
	i.InjectFrame(given)
	want := given.Info
	want.Interface, want.Link = 7, link.TypeEthernet
	if f := next(t, s); f.Info != want || !bytes.Equal(f.Data, given.Data) {
		t.Errorf("got %+v, want %+v", f.Info, want)
	}
}

// TestStale wants a frame that was kept too long to be recognizable.
func TestStale(t *testing.T) {
	i := capturetest.New(link.Interface{Name: "eth0"})
	s := open(t, i, nil)
	i.Inject(ethernet(link.MacAddr{}, 1))
	i.Inject(ethernet(link.MacAddr{}, 2))
	first := next(t, s)
	kept := first.Clone()
	next(t, s)
	if want := bytes.Repeat([]byte{0xdb}, 60); !bytes.Equal(first.Data, want) {
		t.Errorf("stale frame % x, want % x", first.Data, want)
	}
	if want := ethernet(link.MacAddr{}, 1); !bytes.Equal(kept.Data, want) {
		t.Errorf("clone % x, want % x", kept.Data, want)
	}
}

func TestConnect(t *testing.T) {
	a, b := capturetest.New(link.Interface{Name: "a"}), capturetest.New(link.Interface{Name: "b"})
	capturetest.Connect(a, b)
	sa, sb := open(t, a, nil), open(t, b, nil)
	want := ethernet(link.MacAddr{2}, 1)
	for _, c := range []struct{ from, to *capture.Sniffer }{{sa, sb}, {sb, sa}} {
		if err := c.from.Send(want); err != nil {
			t.Fatal(err)
		}
		if f := next(t, c.from); f.Direction != link.DirectionOut || !bytes.Equal(f.Data, want) {
			t.Errorf("sender sees %v % x", f.Direction, f.Data)
		}
		if f := next(t, c.to); f.Direction != link.DirectionIn || !bytes.Equal(f.Data, want) {
			t.Errorf("receiver sees %v % x", f.Direction, f.Data)
		}
	}
	if got := a.Sent(); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("a has sent %x", got)
	}
	if got := a.Sent(); got != nil {
		t.Errorf("a has sent %x again", got)
	}
}

func TestLose(t *testing.T) {
	i := capturetest.New(link.Interface{Name: "eth0"})
	s, other := open(t, i, nil), open(t, i, nil)
	for n := range 6 {
		if n == 2 {
			i.Lose(3)
		}
		i.Inject(ethernet(link.MacAddr{}, byte(n)))
	}
	for _, s := range []*capture.Sniffer{s, other} {
		for _, want := range []byte{0, 1, 5} {
			f := next(t, s)
			if f.Data[20] != want || f.Flags.Has(link.InfoLossBefore) != (want == 5) {
				t.Errorf("frame %d, flags %b, want %d", f.Data[20], f.Flags, want)
			}
		}
		if st, err := s.Stats(); err != nil || st.Received != 3 || st.Dropped != 3 {
			t.Errorf("Stats = %+v, %v, want 3 received and 3 dropped", st, err)
		}
	}
}

func TestFail(t *testing.T) {
	i := capturetest.New(link.Interface{Name: "eth0"})
	s := open(t, i, nil)
	broken := errors.New("broken")
	i.FailSend(broken)
	if err := s.Send(ethernet(link.MacAddr{}, 1)); !errors.Is(err, broken) {
		t.Errorf("Send = %v, want %v", err, broken)
	}
	i.FailSend(nil)
	if err := s.Send(ethernet(link.MacAddr{}, 1)); err != nil {
		t.Errorf("Send = %v", err)
	}
	i.FailRead(broken)
	i.Inject(ethernet(link.MacAddr{}, 2))
	next(t, s) // what was sent
	var f link.Frame
	if err := s.Next(&f); !errors.Is(err, broken) {
		t.Errorf("Next = %v, want %v", err, broken)
	}
	if f := next(t, s); f.Data[20] != 2 {
		t.Errorf("frame % x behind the error", f.Data)
	}
	if _, err := s.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SyscallConn = %v, want ErrUnsupported", err)
	}
	if _, err := i.Open(&capture.Config{SnapLen: -1}); !errors.Is(err, capture.ErrConfig) {
		t.Errorf("Open = %v, want ErrConfig", err)
	}
}

// TestDelay runs on a clock of its own.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := capturetest.New(link.Interface{Name: "eth0"})
		s, err := i.Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
		i.SetDelay(time.Hour)
		start := time.Now()
		i.Inject(ethernet(link.MacAddr{}, 1))
		if err := s.SetReadDeadline(start.Add(59 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		var f link.Frame
		if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 59*time.Minute {
			t.Errorf("Next = %v after %v, want a timeout after 59m", err, time.Since(start))
		}
		if err := s.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Next(&f); err != nil || time.Since(start) != time.Hour || !f.Time.Equal(start) {
			t.Errorf("Next = %v after %v with time %v, want a frame after 1h of %v", err, time.Since(start), f.Time, start)
		}
	})
}

// What a program does when its cable is pulled.
func ExampleInterface() {
	eth0 := capturetest.New(link.Interface{Name: "eth0"})
	s, err := eth0.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		log.Fatal(err)
	}

	eth0.Inject(make([]byte, 60))
	eth0.SetUp(false)

	var f link.Frame
	for range 2 {
		if err := s.Next(&f); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(f.Direction, len(f.Data))
	}
	fmt.Println(s.Send(make([]byte, 60)))
	fmt.Println(len(eth0.Sent()))
	// Output:
	// in 60
	// capture: read eth0: interface is down
	// capture: send eth0: interface is down
	// 0
}
