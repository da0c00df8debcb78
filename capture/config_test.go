package capture

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestNormalizeDefaults(t *testing.T) {
	for name, c := range map[string]*Config{"nil": nil, "zero": {}} {
		n, err := c.Normalize()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n.SnapLen != DefaultSnapLen || n.Timeout != DefaultTimeout || n.BufferSize != DefaultBufferSize ||
			n.Promiscuous || n.Direction != Both || n.Immediate {
			t.Errorf("%s: %+v", name, n)
		}
		if n.Ring == nil || n.Ring.BlockSize*n.Ring.BlockCount != DefaultBufferSize {
			t.Errorf("%s: ring %+v", name, n.Ring)
		}
	}
	if n, err := (&Config{Immediate: true}).Normalize(); err != nil || n.Timeout != time.Millisecond {
		t.Errorf("immediate: timeout %v, %v, want 1ms", n.Timeout, err)
	}
}

// TestNormalizeBufferSize wants a legal ring that is large enough, with blocks
// that a frame of 64 KiB fits, for any size.
func TestNormalizeBufferSize(t *testing.T) {
	for _, size := range []int{1, 1 << 10, 1 << 16, 1<<18 - 1, 1 << 18, 1<<18 + 1, 1 << 20, 3 << 20, 1 << 30} {
		n, err := (&Config{BufferSize: size}).Normalize()
		if err != nil {
			t.Errorf("%d: %v", size, err)
			continue
		}
		if n.BufferSize < size || n.BufferSize > size+2*n.Ring.BlockSize {
			t.Errorf("%d: buffer of %d", size, n.BufferSize)
		}
		if n.Ring.BlockSize < 128<<10 || n.Ring.BlockCount < 2 {
			t.Errorf("%d: ring %+v", size, n.Ring)
		}
	}
}

// TestNormalizeKeepsInput wants the defaults in the copy, not in what the caller
// gave.
func TestNormalizeKeepsInput(t *testing.T) {
	c := Config{Ring: &Ring{BlockSize: 1 << 16, BlockCount: 2}}
	n, err := c.Normalize()
	if err != nil {
		t.Fatal(err)
	}
	if c.Ring.FrameSize != 0 || n.Ring == c.Ring {
		t.Errorf("the caller's ring was changed: %+v", *c.Ring)
	}
	if n.Ring.FrameSize == 0 || n.BufferSize != 1<<17 {
		t.Errorf("got %+v with %d bytes", *n.Ring, n.BufferSize)
	}
}

func TestNormalizeErrors(t *testing.T) {
	page := os.Getpagesize()
	for _, c := range []struct {
		name string
		cfg  Config
		want string // the rule, as the error names it
	}{
		{"snaplen", Config{SnapLen: -1}, "SnapLen is -1: must not be negative"},
		{"direction", Config{Direction: 3}, "Direction is 3: must be Both, In or Out"},
		{"backend", Config{Backend: 4}, "Backend is 4: must be one of the Backend constants"},
		{"fanout", Config{Fanout: 6}, "Fanout is 6: must be one of the Fanout constants"},
		{"buffer", Config{BufferSize: -1}, "BufferSize is -1: must not be negative"},
		{"large buffer", Config{BufferSize: 1<<31 - 1}, "BufferSize is 2147483647: must be at most"},
		{"timeout", Config{Timeout: -time.Second}, "Timeout is -1s: must be from 1ms to 1m0s"},
		{"short timeout", Config{Timeout: time.Microsecond}, "Timeout is 1µs: must be from"},
		{"long timeout", Config{Timeout: time.Hour}, "Timeout is 1h0m0s: must be from"},
		{"odd timeout", Config{Timeout: 1500 * time.Microsecond}, "Timeout is 1.5ms: must be whole milliseconds"},
		{"immediate", Config{Immediate: true, Timeout: time.Second}, "with Immediate: set one"},
		{"both sizes", Config{BufferSize: 1, Ring: &Ring{}}, "with Ring: set one"},
		{"no block", Config{Ring: &Ring{BlockCount: 4}}, "Ring.BlockSize is 0: must be a multiple of the page size"},
		{"block and page", Config{Ring: &Ring{BlockSize: page + 1, BlockCount: 4}}, "must be a multiple of the page size"},
		{"negative block", Config{Ring: &Ring{BlockSize: -page, BlockCount: 4}}, "must be a multiple of the page size"},
		{"block of three pages", Config{Ring: &Ring{BlockSize: 3 * page, BlockCount: 4}}, "must be a power of two"},
		{"no blocks", Config{Ring: &Ring{BlockSize: page}}, "Ring.BlockCount is 0: must be at least 2"},
		{"one block", Config{Ring: &Ring{BlockSize: page, BlockCount: 1}}, "Ring.BlockCount is 1: must be at least 2"},
		{"2 GiB", Config{Ring: &Ring{BlockSize: 1 << 30, BlockCount: 2}}, "Ring is 2 blocks of 1073741824 bytes: must be at most"},
		{"frame", Config{Ring: &Ring{BlockSize: page, BlockCount: 2, FrameSize: 1000}}, "Ring.FrameSize is 1000: must be a multiple of 16"},
		{"small frame", Config{Ring: &Ring{BlockSize: page, BlockCount: 2, FrameSize: 112}}, "Ring.FrameSize is 112: must be at least 128"},
		{"large frame", Config{Ring: &Ring{BlockSize: page, BlockCount: 2, FrameSize: 2 * page}}, "must be at most BlockSize"},
	} {
		_, err := c.cfg.Normalize()
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if _, err := Open("lo", &c.cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: Open = %v, want ErrConfig", c.name, err)
		}
	}
}

func TestDirectionString(t *testing.T) {
	for d, want := range map[Direction]string{Both: "both", In: "in", Out: "out", 7: "Direction(7)"} {
		if got := d.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
