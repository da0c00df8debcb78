package capture

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gopkts/gopkts/common/link"
)

var (
	// ErrNotActive says that there is nothing to read: the [Sniffer] was never
	// activated, or it was deactivated and every frame captured before has
	// been read. [Sniffer.Activate] starts it.
	ErrNotActive = errors.New("capture: not active: call Activate first")

	// ErrLocked says that the filter was made final, by [Sniffer.Lock] or by
	// whoever had the socket before.
	ErrLocked = errors.New("capture: filter is locked: open another one")

	// ErrNoInterface says that no interface has the name that was asked for.
	ErrNoInterface = link.ErrNoInterface

	// ErrInterfaceDown says that the interface is down, or went down during the
	// capture. It is reported once. The Sniffer stays active, and frames come
	// again when the interface is back.
	ErrInterfaceDown = errors.New("interface is down")

	// ErrInterfaceGone says that the interface was removed, or moved to another
	// network namespace. Nothing more will come.
	ErrInterfaceGone = errors.New("interface is gone")

	// ErrFrameSize says that a frame is too short or too long for the
	// interface it should be sent on.
	ErrFrameSize = errors.New("frame size does not suit the interface")

	// ErrInterrupted is what [Backend.Next] returns after [Backend.Interrupt].
	// No method of [Sniffer] returns it.
	ErrInterrupted = errors.New("capture: interrupted")
)

// errDrained is the ErrNotActive of the read which finds that everything was
// read; those that come later get the plain one.
var errDrained = fmt.Errorf("%w", ErrNotActive)

// OpError is the error of every method of a [Sniffer] and of [Open]: what was
// done, on which interface, and why it failed. [errors.Is] sees through it, to
// the sentinels of this package and to [os.ErrPermission], [net.ErrClosed],
// [os.ErrDeadlineExceeded], [errors.ErrUnsupported], [context.Canceled] and
// the operating system's own error numbers.
type OpError struct {
	// Op is what failed, the name of the method or of what it is about: "open",
	// "activate", "deactivate", "read", "send", "lock", "stats", "close",
	// "deadline" or "syscallconn" of a Sniffer; besides, for the sockets of
	// packages afpacket and afxdp, "bind", "ring", "filter", "flush", "join",
	// "leave", "fanout", "timestamp", "address", "receive" and "release".
	Op string
	// Interface is the name of the interface.
	Interface string
	// Err is why.
	Err error
}

// Error returns one line: "capture: ", the operation, the interface and the
// reason, followed by what can be done about it where something can.
func (e *OpError) Error() string {
	return "capture: " + e.Op + " " + e.Interface + ": " + reason(e.Err)
}

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout reports whether a deadline has passed, as in [net.Error].
func (e *OpError) Timeout() bool { return errors.Is(e.Err, os.ErrDeadlineExceeded) }

// Temporary reports whether reading again may help, as in [net.Error].
func (e *OpError) Temporary() bool { return e.Timeout() || errors.Is(e.Err, ErrInterfaceDown) }

// opError wraps err, and leaves nil alone.
func opError(op, iface string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Interface: iface, Err: err}
}

// reason returns the text of err without the name of this package, which
// [OpError] has said already.
func reason(err error) string {
	return strings.TrimPrefix(err.Error(), "capture: ")
}

// advice is an error and what to do about it.
type advice struct {
	err  error
	text string
}

func (a *advice) Error() string { return a.err.Error() + ": " + a.text }
func (a *advice) Unwrap() error { return a.err }

// noInterface says of an error of package link what fits into an [OpError].
type noInterface struct{ err *link.InterfaceError }

func (n *noInterface) Unwrap() error { return n.err }

func (n *noInterface) Error() string {
	if len(n.err.Exist) == 0 {
		return n.err.Err.Error()
	}
	return n.err.Err.Error() + ": there are " + strings.Join(n.err.Exist, ", ")
}
