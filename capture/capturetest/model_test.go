package capturetest_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// model is the contract of a Sniffer in a few lines: what a reader gets.
type model struct {
	active bool
	filter int // kind that is accepted, or -1 for all
	queue  []byte
}

// TestModel does anything in any order, and compares what is read with the
// model.
func TestModel(t *testing.T) {
	only := func(kind int) []bpf.RawInstruction {
		if kind < 0 {
			return nil
		}
		prog, err := bpf.Assemble([]bpf.Instruction{
			bpf.LoadAbsolute{Off: 20, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(kind), SkipFalse: 1},
			bpf.RetConstant{Val: 1 << 16},
			bpf.RetConstant{},
		})
		if err != nil {
			t.Fatal(err)
		}
		return prog
	}
	rapid.Check(t, func(t *rapid.T) {
		i := capturetest.New(link.Interface{Name: "eth0"})
		s, err := i.Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		var m model
		see := func(kind int) {
			if m.active && (m.filter < 0 || m.filter == kind) {
				m.queue = append(m.queue, byte(kind))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"activate": func(t *rapid.T) {
				kind := rapid.IntRange(-1, 2).Draw(t, "kind")
				if err := s.Activate(only(kind)); err != nil {
					t.Fatal(err)
				}
				m = model{active: true, filter: kind}
			},
			"deactivate": func(t *rapid.T) {
				if err := s.Deactivate(); err != nil {
					t.Fatal(err)
				}
				m.active = false
			},
			"inject": func(t *rapid.T) {
				kind := rapid.IntRange(0, 2).Draw(t, "kind")
				i.Inject(ethernet(link.MacAddr{}, byte(kind)))
				see(kind)
			},
			"send": func(t *rapid.T) {
				kind := rapid.IntRange(0, 2).Draw(t, "kind")
				if err := s.Send(ethernet(link.MacAddr{}, byte(kind))); err != nil {
					t.Fatal(err)
				}
				see(kind)
			},
			"read": func(t *rapid.T) {
				var f link.Frame
				if len(m.queue) == 0 && m.active {
					// It would wait: let it find out that the time is over.
					if err := s.SetReadDeadline(time.Unix(1, 0)); err != nil {
						t.Fatal(err)
					}
					if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("Next = %v, % x, want nothing", err, f.Data)
					}
					if err := s.SetReadDeadline(time.Time{}); err != nil {
						t.Fatal(err)
					}
					return
				}
				err := s.Next(&f)
				if len(m.queue) == 0 {
					if !errors.Is(err, capture.ErrNotActive) {
						t.Fatalf("Next = %v, % x, want ErrNotActive", err, f.Data)
					}
					return
				}
				if err != nil || f.Data[20] != m.queue[0] {
					t.Fatalf("Next = %v, % x, want frame %d", err, f.Data, m.queue[0])
				}
				m.queue = m.queue[1:]
			},
		})
	})
}
