//go:build !linux

package afxdp

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// place is where a frame lies, which is nowhere here.
type place struct{}

var _ = Frame{}.place

// Socket is AF_XDP sockets, which only Linux has: [Open] never returns one.
type Socket struct{}

var errNone = fmt.Errorf("%w: AF_XDP is a feature of Linux, and this is %s", errors.ErrUnsupported, runtime.GOOS)

// Open returns an error that wraps [errors.ErrUnsupported].
func Open(name string, _ *Config) (*Socket, error) {
	return nil, &capture.OpError{Op: "open", Interface: name, Err: errNone}
}

// Interface returns the zero value.
func (*Socket) Interface() link.Interface { return link.Interface{} }

// Mode returns Auto.
func (*Socket) Mode() Mode { return Auto }

// Queues returns nil.
func (*Socket) Queues() []int { return nil }

// SetFilter returns an error that wraps [errors.ErrUnsupported].
func (*Socket) SetFilter([]bpf.RawInstruction) error { return errNone }

// LockFilter returns an error that wraps [errors.ErrUnsupported].
func (*Socket) LockFilter() error { return errNone }

// Receive returns an error that wraps [errors.ErrUnsupported].
func (*Socket) Receive([]Frame) (int, error) { return 0, errNone }

// Release returns an error that wraps [errors.ErrUnsupported].
func (*Socket) Release([]Frame) error { return errNone }

// SetReadDeadline returns an error that wraps [errors.ErrUnsupported].
func (*Socket) SetReadDeadline(time.Time) error { return errNone }

// Send returns an error that wraps [errors.ErrUnsupported].
func (*Socket) Send(int, [][]byte) (int, error) { return 0, errNone }

// Stats returns an error that wraps [errors.ErrUnsupported].
func (*Socket) Stats() (Stats, error) { return Stats{}, errNone }

// Close returns an error that wraps [errors.ErrUnsupported].
func (*Socket) Close() error { return errNone }
