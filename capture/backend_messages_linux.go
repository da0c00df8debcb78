package capture

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

const (
	// messagesMemory is about how many bytes frames are received into at once.
	messagesMemory = 4 << 20
	// minMessages and maxMessages bound how many frames that makes.
	minMessages = 8
	maxMessages = 64
)

// messagesBackend is a Backend on AF_PACKET without a ring: recvmmsg(2) and
// sendmmsg(2).
type messagesBackend struct {
	q      *sys.Queue
	ifi    link.Interface
	detail string
	cooked cookedHeader
	watch  goneWatch
}

var (
	_ Backend     = (*messagesBackend)(nil)
	_ Describer   = (*messagesBackend)(nil)
	_ BatchSender = (*messagesBackend)(nil)
)

func openMessages(ifi link.Interface, cfg *Config) (Backend, error) {
	cooked := cookedFor(ifi.Link)
	// Memory that no frame is long enough for is never touched.
	longest := min(cfg.SnapLen, DefaultSnapLen)
	count := min(max(messagesMemory/longest, minMessages), maxMessages)
	q, err := sys.OpenQueue(&sys.QueueConfig{
		Interface:   ifi.Index,
		Name:        ifi.Name,
		Buffer:      cfg.BufferSize,
		Longest:     longest,
		Messages:    count,
		Promiscuous: cfg.Promiscuous,
		NoOutgoing:  cfg.Direction == In,
		NoIncoming:  cfg.Direction == Out,
		Cooked:      cooked.sys(),
	})
	if err != nil {
		return nil, openAdvice(err)
	}
	buffer, err := q.Buffer()
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	conn, err := q.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return &messagesBackend{
		q:      q,
		ifi:    ifi,
		detail: fmt.Sprintf("recvmmsg of %d frames, socket buffer of %d KiB", count, buffer>>10),
		cooked: cooked,
		watch:  goneWatch{conn: conn, wake: q.Interrupt},
	}, nil
}

// Describe tells the size of the buffers.
func (p *messagesBackend) Describe() BackendInfo {
	return BackendInfo{Type: BackendMessages, Detail: p.detail}
}

func (p *messagesBackend) Interface() link.Interface { return p.ifi }

func (p *messagesBackend) Start(filter []bpf.RawInstruction) error {
	prog, err := p.cooked.filter(filter, p.q.FilterRoom())
	if err != nil {
		return err
	}
	return startError(p.q.Start(prog))
}

func (p *messagesBackend) bind() error { return p.q.Bind() }

func (p *messagesBackend) Stop() error    { return filterError(p.q.Stop()) }
func (p *messagesBackend) Discard() error { return closedError(p.q.Discard()) }
func (p *messagesBackend) Lock() error    { return filterError(p.q.LockFilter()) }

func (p *messagesBackend) Next(f *link.Frame) error {
	p.watch.begin()
	err := p.q.Next(f)
	if err == nil {
		p.watch.frame()
		return nil
	}
	return p.watch.readError(err, p.ifi.Name)
}

func (p *messagesBackend) Interrupt() { p.q.Interrupt() }

func (p *messagesBackend) Send(b []byte) error { return sendError(p.q.Send(b), p.ifi.Name, len(b)) }

func (p *messagesBackend) SendBatch(frames [][]byte) (int, error) {
	n, err := p.q.SendBatch(frames)
	return n, batchError(err, p.ifi.Name, frames, n)
}

func (p *messagesBackend) Stats() (Stats, error) {
	c, err := p.q.Stats()
	return statsOf(c), closedError(err)
}

func (p *messagesBackend) SyscallConn() (syscall.RawConn, error) {
	c, err := p.q.SyscallConn()
	return c, closedError(err)
}

func (p *messagesBackend) Close() error {
	p.watch.stop()
	return p.q.Close()
}
