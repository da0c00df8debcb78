package capture

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

func TestOpErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&OpError{"read", "eth0", ErrNotActive}, "capture: read eth0: not active: call Activate first"},
		{&OpError{"open", "eth0", &advice{os.ErrPermission, "run as root"}}, "capture: open eth0: permission denied: run as root"},
		{&OpError{"open", "x", &noInterface{&link.InterfaceError{Name: "x", Err: link.ErrNoInterface, Exist: []string{"a", "b"}}}},
			"capture: open x: no such interface: there are a, b"},
		{&OpError{"open", "x", &noInterface{&link.InterfaceError{Name: "x", Err: link.ErrNoInterface}}},
			"capture: open x: no such interface"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if err := opError("read", "eth0", nil); err != nil {
		t.Errorf("opError of nil = %v", err)
	}
}

func TestOpErrorIs(t *testing.T) {
	none := &noInterface{&link.InterfaceError{Name: "x", Err: link.ErrNoInterface}}
	for _, c := range []struct {
		err                error
		is                 error
		timeout, temporary bool
	}{
		{ErrNotActive, ErrNotActive, false, false},
		{net.ErrClosed, net.ErrClosed, false, false},
		{os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, true, true},
		{context.Canceled, context.Canceled, false, false},
		{&advice{ErrInterfaceDown, "up"}, ErrInterfaceDown, false, true},
		{none, ErrNoInterface, false, false},
		{none, fs.ErrNotExist, false, false},
	} {
		err := opError("read", "eth0", c.err)
		if !errors.Is(err, c.is) {
			t.Errorf("%v is not %v", err, c.is)
		}
		//nolint:staticcheck // Temporary is deprecated, but package net still calls it
		if e, ok := errors.AsType[net.Error](err); !ok || e.Timeout() != c.timeout || e.Temporary() != c.temporary {
			t.Errorf("%v: as net.Error %v", err, e)
		}
	}
}

// TestOpenUnsupported wants every platform to say what it cannot do.
func TestOpenUnsupported(t *testing.T) {
	n, err := (&Config{Backend: BackendXDP}).Normalize()
	if err != nil {
		t.Fatal(err)
	}
	ifi := link.Interface{Name: "gre1", Index: 1, Link: link.TypeLinuxSLL2}
	if _, err := open(ifi, &n); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("open = %v, want ErrUnsupported", err)
	} else if runtime.GOOS != "linux" && !strings.Contains(err.Error(), runtime.GOOS) {
		t.Errorf("open = %v, which does not name %s", err, runtime.GOOS)
	}
	if _, err := openGroup(ifi, 2, &n); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("openGroup = %v, want ErrUnsupported", err)
	}
}
