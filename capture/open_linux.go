package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// packetBackend is a Backend on AF_PACKET, packet(7).
type packetBackend struct {
	s   *sys.Socket
	ifi link.Interface
}

var _ Backend = (*packetBackend)(nil)

func open(ifi link.Interface, cfg *Config) (Backend, error) {
	switch ifi.Link {
	case link.TypeLinuxSLL2, link.TypeNetlink:
		return nil, fmt.Errorf("%w: its frames have no header of their own: capture on the interface below it",
			errors.ErrUnsupported)
	}
	s, err := sys.Open(&sys.Config{
		Interface:   ifi.Index,
		Name:        ifi.Name,
		BlockSize:   cfg.Ring.BlockSize,
		BlockCount:  cfg.Ring.BlockCount,
		FrameSize:   cfg.Ring.FrameSize,
		Retire:      cfg.Timeout,
		Promiscuous: cfg.Promiscuous,
		NoOutgoing:  cfg.Direction == In,
		NoIncoming:  cfg.Direction == Out,
	})
	if err != nil {
		return nil, openAdvice(err)
	}
	return &packetBackend{s: s, ifi: ifi}, nil
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

func (p *packetBackend) Interface() link.Interface { return p.ifi }

func (p *packetBackend) Start(filter []bpf.RawInstruction) error {
	if room := p.s.FilterRoom(); len(filter) > room {
		return fmt.Errorf("%w: %d instructions, limit %d", ErrFilter, len(filter), room)
	}
	err := p.s.Start(filter)
	if errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%w: refused by the kernel: %w", ErrFilter, err)
	}
	return p.filterError(err)
}

func (p *packetBackend) Stop() error    { return p.filterError(p.s.Stop()) }
func (p *packetBackend) Discard() error { return p.s.Discard() }
func (p *packetBackend) Lock() error    { return p.s.LockFilter() }

// filterError translates an error of setting a filter.
func (p *packetBackend) filterError(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return closedError(err)
}

func (p *packetBackend) Next(f *link.Frame) error {
	switch err := p.s.Next(f); {
	case err == nil:
		return nil
	case err == sys.ErrInterrupted:
		return ErrInterrupted
	case err == sys.ErrDrained:
		return ErrNotActive
	case err == sys.ErrDown:
		return &advice{ErrInterfaceDown, "ip link set " + p.ifi.Name + " up"}
	case err == sys.ErrGone:
		return ErrInterfaceGone
	default:
		return closedError(err)
	}
}

func (p *packetBackend) Interrupt() { p.s.Interrupt() }

func (p *packetBackend) Send(b []byte) error {
	err := p.s.Send(b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EMSGSIZE):
		return fmt.Errorf("%w: %d bytes are more than its MTU allows: %w", ErrFrameSize, len(b), err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: %d bytes do not hold its link header: %w", ErrFrameSize, len(b), err)
	case errors.Is(err, syscall.ENETDOWN):
		return &advice{fmt.Errorf("%w: %w", ErrInterfaceDown, err), "ip link set " + p.ifi.Name + " up"}
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	}
	return closedError(err)
}

func (p *packetBackend) Stats() (Stats, error) {
	c, err := p.s.Stats()
	if err != nil {
		return Stats{}, closedError(err)
	}
	return Stats{
		// The kernel counts a frame that it dropped among the packets, too.
		Received:         c.Packets - min(c.Drops, c.Packets),
		Dropped:          c.Drops,
		RingFreezes:      c.Freezes,
		InterfaceDropped: c.Missed,
	}, nil
}

func (p *packetBackend) SyscallConn() (syscall.RawConn, error) {
	c, err := p.s.SyscallConn()
	return c, closedError(err)
}

func (p *packetBackend) Close() error { return p.s.Close() }

// closedError makes of "file already closed" what the net package says.
func closedError(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}
