package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/gopkts/gopkts/capture/internal/sys"
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
	default:
		return nil, fmt.Errorf("%w: backend %v: use BackendRing", errors.ErrUnsupported, cfg.Backend)
	}
}

// openGroup opens n backends that share the frames of an interface.
func openGroup(ifi link.Interface, n int, cfg *Config) (all []Backend, err error) {
	c := *cfg
	defer func() {
		if err != nil {
			for _, b := range all {
				err = errors.Join(err, b.Close())
			}
			all = nil
		}
	}()
	for group := 0; len(all) < n; {
		b, err := open(ifi, &c)
		if err != nil {
			return all, err
		}
		all = append(all, b)
		if n == 1 {
			break
		}
		// The kernel shares among sockets; they need not be of the same kind,
		// but there is no sense in a group of several kinds.
		if d, ok := b.(Describer); ok {
			c.Backend = d.Describe().Type
		}
		if c.Backend != BackendRing && c.Backend != BackendMessages {
			return all, noFanout(c.Backend)
		}
		// A new backend rejects everything: nothing is captured twice meanwhile.
		conn, err := b.SyscallConn()
		if err != nil {
			return all, err
		}
		if len(all) == 1 {
			group, err = sys.NewFanout(conn, fanoutMode(cfg.Fanout))
		} else {
			err = sys.JoinFanout(conn, group, fanoutMode(cfg.Fanout))
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// fanoutMode translates f.
func fanoutMode(f Fanout) int {
	switch f {
	case FanoutRoundRobin:
		return sys.FanoutRoundRobin
	case FanoutCPU:
		return sys.FanoutCPU
	case FanoutRollover:
		return sys.FanoutRollover
	case FanoutRandom:
		return sys.FanoutRandom
	case FanoutQueue:
		return sys.FanoutQueue
	default:
		return sys.FanoutHash
	}
}

// pseudoInterface knows none.
func pseudoInterface(string) (link.Interface, bool) { return link.Interface{}, false }

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
