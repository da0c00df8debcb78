package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/gopkts/gopkts/common/link"
)

// open chooses the backend.
func open(ifi link.Interface, cfg *Config) (Backend, error) {
	switch ifi.Link {
	case link.TypeLinuxSLL2, link.TypeNetlink:
		return nil, fmt.Errorf("%w: its frames have no header of their own: capture on the interface below it",
			errors.ErrUnsupported)
	}
	switch cfg.Backend {
	case BackendAuto, BackendRing:
		return openRing(ifi, cfg)
	case BackendXDP:
		return openXDP(ifi, cfg)
	default:
		return nil, fmt.Errorf("%w: backend %v: use BackendRing", errors.ErrUnsupported, cfg.Backend)
	}
}

// openAdvice adds to an error of opening what can be done about it.
func openAdvice(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return &advice{err, "CAP_NET_RAW is missing: run as root, or once: sudo setcap cap_net_raw+ep PROGRAM"}
	case errors.Is(err, syscall.ENOMEM):
		return &advice{err, "no memory for the ring: ask for a smaller BufferSize or for smaller blocks"}
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return &advice{err, "the kernel was built without CONFIG_PACKET"}
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	}
	return err
}

// closedError makes of "file already closed" what the net package says.
func closedError(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}
