package afpacket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/gopkts/gopkts/capture"
)

// advice is an error and what to do about it.
type advice struct {
	err  error
	text string
}

func (a *advice) Error() string { return a.err.Error() + ": " + a.text }
func (a *advice) Unwrap() error { return a.err }

// illegal returns an error that wraps [capture.ErrConfig] and names the rule.
func illegal(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{capture.ErrConfig}, args...)...)
}

// fail wraps err in an OpError, and leaves nil alone.
func (s *Socket) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &capture.OpError{Op: op, Interface: s.where(), Err: explain(err)}
}

// explain gives errors that mean the same everywhere their names.
func explain(err error) error {
	switch {
	case errors.Is(err, os.ErrClosed):
		return net.ErrClosed
	case errors.Is(err, syscall.ENOPROTOOPT):
		return fmt.Errorf("%w: the kernel does not know the option: %w", errors.ErrUnsupported, err)
	}
	return err
}

// explainOpen is for errors of making a socket.
func explainOpen(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return &advice{err, "CAP_NET_RAW is missing: run as root, or once: sudo setcap cap_net_raw+ep PROGRAM"}
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return &advice{fmt.Errorf("%w: %w", errors.ErrUnsupported, err), "the kernel was built without this kind of socket"}
	}
	return err
}

// needAdmin is for options that CAP_NET_ADMIN is needed for.
func needAdmin(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return &advice{err, "CAP_NET_ADMIN is missing: run as root, or once: sudo setcap cap_net_raw,cap_net_admin+ep PROGRAM"}
	}
	return err
}

// explainFilter is for errors of setting or removing a filter.
func explainFilter(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: %w", capture.ErrLocked, err)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EFAULT):
		return fmt.Errorf("%w: refused by the kernel: %w", capture.ErrFilter, err)
	case errors.Is(err, syscall.ENOMEM):
		return &advice{err, "a shorter filter, or more memory: sysctl net.core.optmem_max"}
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("no filter is set: %w", err)
	}
	return err
}

// explainInterface is for errors of naming an interface.
func explainInterface(name string, err error) error {
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO) {
		return fmt.Errorf("%w: %.32q: %w", capture.ErrNoInterface, name, err)
	}
	return err
}

// explainSend is for errors of sending a message of n bytes.
func (s *Socket) explainSend(n int, err error) error {
	switch {
	case errors.Is(err, syscall.EMSGSIZE):
		return fmt.Errorf("%w: %d bytes are more than its MTU allows: %w", capture.ErrFrameSize, n, err)
	case errors.Is(err, syscall.EINVAL) && s.kind == KindL3:
		return fmt.Errorf("no link header can be made: %w: use SendTo with the receiver's hardware address", err)
	case errors.Is(err, syscall.EINVAL) && s.cfg.VnetHeader:
		return fmt.Errorf("%w: %d bytes hold no link header, or do not suit the VnetHeader: %w", capture.ErrFrameSize, n, err)
	case errors.Is(err, syscall.EINVAL) && s.kind == KindL2:
		return fmt.Errorf("%w: %d bytes do not hold its link header: %w", capture.ErrFrameSize, n, err)
	case errors.Is(err, syscall.ENETDOWN) && s.isGone():
		return fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	case errors.Is(err, syscall.ENETDOWN):
		return &advice{fmt.Errorf("%w: %w", capture.ErrInterfaceDown, err), "ip link set " + s.where() + " up"}
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		if s.isPacket() && s.bound() == 0 {
			return &advice{err, "Bind the socket, or use SendTo with an Interface that exists"}
		}
		return fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	case errors.Is(err, syscall.EDESTADDRREQ):
		return &advice{err, "use SendTo"}
	case errors.Is(err, syscall.ENOBUFS):
		return &advice{err, "the interface's queue is full: send again later, or make it longer: ip link set " + s.where() + " txqueuelen"}
	}
	return err
}
