package capture

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// ringBackend is a Backend on AF_PACKET with a TPACKET_V3 ring, packet(7).
type ringBackend struct {
	s      *sys.Socket
	ifi    link.Interface
	detail string
	watch  goneWatch
}

var (
	_ Backend   = (*ringBackend)(nil)
	_ Describer = (*ringBackend)(nil)
)

func openRing(ifi link.Interface, cfg *Config) (Backend, error) {
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
	conn, err := s.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &ringBackend{
		s:      s,
		ifi:    ifi,
		detail: fmt.Sprintf("TPACKET_V3, %d blocks of %d KiB", cfg.Ring.BlockCount, cfg.Ring.BlockSize>>10),
		watch:  goneWatch{conn: conn, wake: s.Interrupt},
	}, nil
}

// Describe tells the shape of the ring.
func (p *ringBackend) Describe() BackendInfo {
	return BackendInfo{Type: BackendRing, Detail: p.detail}
}

func (p *ringBackend) Interface() link.Interface { return p.ifi }

func (p *ringBackend) Start(filter []bpf.RawInstruction) error {
	if room := p.s.FilterRoom(); len(filter) > room {
		return fmt.Errorf("%w: %d instructions, limit %d", ErrFilter, len(filter), room)
	}
	err := p.s.Start(filter)
	if errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%w: refused by the kernel: %w", ErrFilter, err)
	}
	return p.filterError(err)
}

func (p *ringBackend) Stop() error    { return p.filterError(p.s.Stop()) }
func (p *ringBackend) Discard() error { return p.s.Discard() }
func (p *ringBackend) Lock() error    { return p.s.LockFilter() }

// filterError translates an error of setting a filter.
func (p *ringBackend) filterError(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return closedError(err)
}

func (p *ringBackend) Next(f *link.Frame) error {
	p.watch.begin()
	switch err := p.s.Next(f); {
	case err == nil:
		p.watch.frame()
		return nil
	case err == sys.ErrInterrupted:
		return p.watch.interrupted()
	case err == sys.ErrDrained:
		return ErrNotActive
	case err == sys.ErrDown:
		p.watch.start()
		return &advice{ErrInterfaceDown, "ip link set " + p.ifi.Name + " up"}
	case err == sys.ErrGone:
		return ErrInterfaceGone
	default:
		return closedError(err)
	}
}

func (p *ringBackend) Interrupt() { p.s.Interrupt() }

func (p *ringBackend) Send(b []byte) error {
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

func (p *ringBackend) Stats() (Stats, error) {
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

func (p *ringBackend) SyscallConn() (syscall.RawConn, error) {
	c, err := p.s.SyscallConn()
	return c, closedError(err)
}

func (p *ringBackend) Close() error {
	p.watch.stop()
	return p.s.Close()
}
