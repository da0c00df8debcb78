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
	cooked cookedHeader
	watch  goneWatch
}

var (
	_ Backend     = (*ringBackend)(nil)
	_ Describer   = (*ringBackend)(nil)
	_ BatchSender = (*ringBackend)(nil)
)

func openRing(ifi link.Interface, cfg *Config) (Backend, error) {
	cooked := cookedFor(ifi.Link)
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
		Cooked:      cooked.sys(),
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
		cooked: cooked,
		watch:  goneWatch{conn: conn, wake: s.Interrupt},
	}, nil
}

// Describe tells the shape of the ring.
func (p *ringBackend) Describe() BackendInfo {
	return BackendInfo{Type: BackendRing, Detail: p.detail}
}

func (p *ringBackend) Interface() link.Interface { return p.ifi }

func (p *ringBackend) Start(filter []bpf.RawInstruction) error {
	prog, err := p.cooked.filter(filter, p.s.FilterRoom())
	if err != nil {
		return err
	}
	return startError(p.s.Start(prog))
}

func (p *ringBackend) bind() error { return p.s.Bind() }

func (p *ringBackend) Stop() error    { return filterError(p.s.Stop()) }
func (p *ringBackend) Discard() error { return p.s.Discard() }
func (p *ringBackend) Lock() error    { return filterError(p.s.LockFilter()) }

func (p *ringBackend) Next(f *link.Frame) error {
	p.watch.begin()
	err := p.s.Next(f)
	if err == nil {
		p.watch.frame()
		return nil
	}
	return p.watch.readError(err, p.ifi.Name)
}

func (p *ringBackend) Interrupt() { p.s.Interrupt() }

func (p *ringBackend) Send(b []byte) error { return sendError(p.s.Send(b), p.ifi.Name, len(b)) }

func (p *ringBackend) SendBatch(frames [][]byte) (int, error) {
	n, err := p.s.SendBatch(frames)
	return n, batchError(err, p.ifi.Name, frames, n)
}

func (p *ringBackend) Stats() (Stats, error) {
	c, err := p.s.Stats()
	return statsOf(c), closedError(err)
}

func (p *ringBackend) SyscallConn() (syscall.RawConn, error) {
	c, err := p.s.SyscallConn()
	return c, closedError(err)
}

func (p *ringBackend) Close() error {
	p.watch.stop()
	return p.s.Close()
}
