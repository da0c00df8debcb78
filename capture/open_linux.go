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
	switch cfg.Backend {
	case BackendAuto:
		b, err := openRing(ifi, cfg)
		if errors.Is(err, syscall.ENOMEM) {
			return openMessages(ifi, cfg)
		}
		return b, err
	case BackendRing:
		return openRing(ifi, cfg)
	case BackendMessages:
		return openMessages(ifi, cfg)
	case BackendXDP:
		return openXDP(ifi, cfg)
	default:
		return nil, fmt.Errorf("%w: backend %v: use BackendRing, BackendMessages or BackendXDP", errors.ErrUnsupported, cfg.Backend)
	}
}

// openGroup opens n backends that share the frames of an interface.
func openGroup(ifi link.Interface, n int, cfg *Config) ([]Backend, error) {
	c := *cfg
	if c.Backend == BackendAuto {
		c.Backend = BackendRing
	}
	all, err := openShared(ifi, n, &c)
	if cfg.Backend == BackendAuto && errors.Is(err, syscall.ENOMEM) {
		c.Backend = BackendMessages
		return openShared(ifi, n, &c)
	}
	return all, err
}

// openShared is openGroup for one type of backend.
func openShared(ifi link.Interface, n int, cfg *Config) (all []Backend, err error) {
	defer func() {
		if err != nil {
			for _, b := range all {
				err = errors.Join(err, b.Close())
			}
			all = nil
		}
	}()
	if n > 1 && cfg.Backend == BackendXDP {
		return openXDPGroup(ifi, n, cfg)
	}
	mode, group := fanoutMode(cfg.Fanout), 0
	for range n {
		b, err := open(ifi, cfg)
		if err != nil {
			return all, err
		}
		all = append(all, b)
		if n == 1 {
			break
		}
		// A new backend rejects everything: nothing is captured twice meanwhile.
		if err := b.(*packetBackend).s.Bind(); err != nil {
			return all, openAdvice(err)
		}
		conn, err := b.SyscallConn()
		if err != nil {
			return all, err
		}
		if len(all) == 1 {
			group, err = sys.NewFanout(conn, mode)
		} else {
			err = sys.JoinFanout(conn, group, mode)
		}
		if err != nil {
			return all, fanoutError(err, ifi)
		}
	}
	return all, nil
}

// fanoutError translates an error of founding or joining a group. Before Linux
// 6.13, fanout_add of net/packet/af_packet.c wants a socket that receives, which
// none does that was bound to an interface that is down.
func fanoutError(err error, ifi link.Interface) error {
	if !errors.Is(err, syscall.EINVAL) || ifi.Index == 0 {
		return err
	}
	now, lookErr := link.InterfaceByIndex(ifi.Index)
	switch {
	case errors.Is(lookErr, link.ErrNoInterface):
		return fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	case lookErr == nil && !now.Flags.Has(link.FlagUp):
		return &advice{fmt.Errorf("%w: %w", ErrInterfaceDown, err),
			"before Linux 6.13 a group needs one that is up: ip link set " + now.Name + " up"}
	}
	return err
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

// anyName is the name of all interfaces at once, as libpcap has it.
const anyName = "any"

// pseudoInterface returns what is opened like an interface and is none. It has
// no index.
func pseudoInterface(name string) (link.Interface, bool) {
	if name != anyName {
		return link.Interface{}, false
	}
	return link.Interface{Name: anyName, Flags: link.FlagUp | link.FlagRunning, Link: link.TypeLinuxSLL2}, true
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

// startError translates an error of starting the capture with a filter.
func startError(err error) error {
	switch {
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: refused by the kernel: %w", ErrFilter, err)
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	}
	return filterError(err)
}

// filterError translates an error of setting a filter.
func filterError(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return closedError(err)
}

// sendError translates an error of sending a frame of size bytes.
func sendError(err error, name string, size int) error {
	switch {
	case err == nil:
		return nil
	case err == sys.ErrNoHeader:
		return fmt.Errorf("%w: %w: send on an interface whose frames have one", errors.ErrUnsupported, err)
	case errors.Is(err, syscall.EMSGSIZE):
		return fmt.Errorf("%w: %d bytes are more than its MTU allows: %w", ErrFrameSize, size, err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: %d bytes do not hold its link header: %w", ErrFrameSize, size, err)
	case errors.Is(err, syscall.ENETDOWN):
		return &advice{fmt.Errorf("%w: %w", ErrInterfaceDown, err), "ip link set " + name + " up"}
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	}
	return closedError(err)
}

// statsOf translates the kernel's counters.
func statsOf(c sys.Counters) Stats {
	return Stats{
		// The kernel counts a frame that it dropped among the packets, too.
		Received:         c.Packets - min(c.Drops, c.Packets),
		Dropped:          c.Drops,
		RingFreezes:      c.Freezes,
		InterfaceDropped: c.Missed,
	}
}
