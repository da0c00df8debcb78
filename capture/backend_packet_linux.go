package capture

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// packetBackend is a Backend on AF_PACKET, packet(7). How the frames get into
// the program is the business of its source.
type packetBackend struct {
	s      packetSource
	tx     *sys.Transmitter // of s
	ifi    link.Interface
	info   BackendInfo
	cooked cookedHeader
	watch  goneWatch
}

// packetSource is what sys.Socket and sys.Queue have in common.
type packetSource interface {
	FilterRoom() int
	Bind() error
	Start(prog []bpf.RawInstruction) error
	Stop() error
	Discard() error
	LockFilter() error
	Next(f *link.Frame) error
	NextBatch(frames []link.Frame) (int, error)
	Cursor() *sys.Cursor
	Interrupt()
	Gone() bool
	Transmitter() *sys.Transmitter
	Stats() (sys.Counters, error)
	SyscallConn() (syscall.RawConn, error)
	Close() error
}

var (
	_ Backend     = (*packetBackend)(nil)
	_ Describer   = (*packetBackend)(nil)
	_ BatchSender = (*packetBackend)(nil)
	_ BatchReader = (*packetBackend)(nil)
)

// newPacketBackend makes a Backend of s, which belongs to it from then on.
func newPacketBackend(s packetSource, ifi link.Interface, cooked cookedHeader, info BackendInfo) (Backend, error) {
	conn, err := s.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &packetBackend{s: s, tx: s.Transmitter(), ifi: ifi, info: info, cooked: cooked, watch: goneWatch{conn: conn, wake: s.Interrupt}}, nil
}

// Describe tells which source it is, and its size.
func (p *packetBackend) Describe() BackendInfo { return p.info }

func (p *packetBackend) Interface() link.Interface { return p.ifi }

func (p *packetBackend) Start(filter []bpf.RawInstruction) error {
	prog, err := p.cooked.filter(filter, p.s.FilterRoom())
	if err != nil {
		return err
	}
	return startError(p.s.Start(prog))
}

func (p *packetBackend) Stop() error    { return filterError(p.s.Stop()) }
func (p *packetBackend) Discard() error { return closedError(p.s.Discard()) }
func (p *packetBackend) Lock() error    { return filterError(p.s.LockFilter()) }

func (p *packetBackend) Next(f *link.Frame) error {
	p.watch.begin()
	err := p.s.Next(f)
	if err == nil {
		p.watch.frame()
		return nil
	}
	return p.watch.readError(err, p.ifi.Name)
}

func (p *packetBackend) NextBatch(frames []link.Frame) (int, error) {
	p.watch.begin()
	n, err := p.s.NextBatch(frames)
	if err == nil {
		p.watch.frame()
		return n, nil
	}
	return 0, p.watch.readError(err, p.ifi.Name)
}

// cursor is for the Sniffer: see there.
func (p *packetBackend) cursor() *sys.Cursor { return p.s.Cursor() }

func (p *packetBackend) Interrupt() { p.s.Interrupt() }

func (p *packetBackend) Send(b []byte) error {
	err := p.tx.Send(b)
	if err != nil {
		err = p.sendError(err, len(b))
	}
	return err
}

// sender is for the Sniffer: see there.
func (p *packetBackend) sender() sender {
	if p.tx == nil {
		return nil
	}
	name := p.ifi.Name
	return p.tx.Outlet(func(err error, size int) error {
		return opError("send", name, p.sendError(err, size))
	})
}

// sendError translates an error of sending a frame of size bytes.
func (p *packetBackend) sendError(err error, size int) error {
	if errors.Is(err, syscall.ENETDOWN) && p.s.Gone() {
		return fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	}
	return sendError(err, p.ifi.Name, size)
}

func (p *packetBackend) SendBatch(frames [][]byte) (int, error) {
	n, err := p.tx.SendBatch(frames)
	if err != nil {
		size := 0
		if n < len(frames) {
			size = len(frames[n])
		}
		err = p.sendError(err, size)
	}
	return n, err
}

func (p *packetBackend) Stats() (Stats, error) {
	c, err := p.s.Stats()
	return statsOf(c), closedError(err)
}

func (p *packetBackend) SyscallConn() (syscall.RawConn, error) {
	c, err := p.s.SyscallConn()
	return c, closedError(err)
}

func (p *packetBackend) Close() error {
	p.watch.stop()
	return p.s.Close()
}
