package sys_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

func openLoopback(t *testing.T, cfg sys.Config) *sys.Socket {
	t.Helper()
	ns := netns.New(t)
	cfg.Interface, cfg.Name = ns.Interface(t, "lo").Index, "lo"
	cfg.BlockSize, cfg.BlockCount, cfg.FrameSize, cfg.Retire = 1<<16, 2, 2048, time.Millisecond
	var s *sys.Socket
	if err := ns.Do(func() (err error) {
		s, err = sys.Open(&cfg)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestDirectionFilters has the two ways of leaving a direction out.
func TestDirectionFilters(t *testing.T) {
	for _, c := range []struct {
		name     string
		cfg      sys.Config
		byFilter bool
		want     []link.Direction
	}{
		{"both", sys.Config{}, false, []link.Direction{link.DirectionOut, link.DirectionIn}},
		{"incoming", sys.Config{NoOutgoing: true}, false, []link.Direction{link.DirectionIn}},
		{"incoming by filter", sys.Config{}, true, []link.Direction{link.DirectionIn}},
		{"outgoing", sys.Config{NoIncoming: true}, false, []link.Direction{link.DirectionOut}},
	} {
		s := openLoopback(t, c.cfg)
		if c.byFilter {
			s.OnlyIncomingByFilter()
		}
		// The accumulator must be 0 at the start of the user's program, whatever
		// was put before it.
		prog, err := bpf.Assemble([]bpf.Instruction{
			bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 50},
			bpf.RetA{},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(prog); err != nil {
			t.Fatal(err)
		}
		frame := make([]byte, 60)
		frame[12], frame[13] = 0x88, 0xb5
		if err := s.Transmitter().Send(frame); err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		var f link.Frame
		for i := 0; ; i++ {
			err := s.Next(&f)
			if errors.Is(err, sys.ErrDrained) {
				if i != len(c.want) {
					t.Errorf("%s: %d frames, want %v", c.name, i, c.want)
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(c.want) || f.Direction != c.want[i] || len(f.Data) != 50 {
				t.Errorf("%s: frame %d went %v with %d bytes, want %v with 50", c.name, i, f.Direction, len(f.Data), c.want)
			}
		}
	}
}
