package afxdp

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// place is where a frame lies.
type place = sys.XDPFrame

// Socket is AF_XDP sockets on the queues of an interface, with common memory:
// XDP_SHARED_UMEM of linux/if_xdp.h.
//
// Its methods may be called from any goroutine at any time.
type Socket struct {
	x   *sys.XDP
	ifi link.Interface
	cfg Config

	closed  atomic.Bool
	expired atomic.Bool // the read deadline has passed
	leased  atomic.Int64

	rxMu    sync.Mutex // taking frames and giving them back
	places  []place    // guarded by rxMu
	waitMu  sync.Mutex // waiting for frames
	txMu    sync.Mutex
	setMu   sync.Mutex
	statsMu sync.Mutex

	deadlineMu sync.Mutex
	deadline   *time.Timer
}

// Defaults and limits of a Config.
const (
	minFrameSize   = 2048
	defaultReceive = 4096
	defaultSend    = 256
	maxSend        = 1 << 16
	maxMemory      = 1<<31 - 1 // fits an int on every machine
	maxTimeout     = time.Minute

	maxPieces = 17 // MAX_SKB_FRAGS, at least

	etherLen = 14
	vlanLen  = 4
)

// Open opens the sockets, loads the program and begins to receive. A nil cfg
// asks for the defaults. The caller must call [Socket.Close].
//
// The error is a [*capture.OpError]. It wraps [capture.ErrNoInterface] for an
// unknown name, [capture.ErrConfig] for an illegal configuration,
// [capture.ErrFilter] for a filter that is not valid, [os.ErrPermission] where
// CAP_NET_RAW, or CAP_BPF and CAP_NET_ADMIN to receive, are missing,
// [syscall.EBUSY] where somebody else has a queue or the place of the program,
// and [errors.ErrUnsupported] together with [capture.ErrFrameSize] when the
// interface's MTU allows frames that are longer than a page.
func Open(name string, cfg *Config) (*Socket, error) {
	s, err := open(name, cfg)
	if err != nil {
		return nil, &capture.OpError{Op: "open", Interface: name, Err: err}
	}
	return s, nil
}

func open(name string, cfg *Config) (*Socket, error) {
	s := new(Socket)
	if cfg != nil {
		s.cfg = *cfg
	}
	var err error
	if s.ifi, err = link.InterfaceByName(name); err != nil {
		return nil, err
	}
	if s.ifi.Link != link.TypeEthernet {
		return nil, fmt.Errorf("%w: AF_XDP on an interface that is not Ethernet", errors.ErrUnsupported)
	}
	if err := s.normalize(); err != nil {
		return nil, err
	}
	filter, err := compile(s.cfg.Filter, s.cfg.Pieces)
	if err != nil {
		return nil, err
	}
	c := &sys.XDPConfig{
		Interface:   s.ifi.Index,
		Name:        name,
		MAC:         s.ifi.MAC,
		Queues:      s.cfg.Queues,
		Mode:        sys.XDPMode(s.cfg.Mode), // the same numbers
		ChunkSize:   s.cfg.FrameSize,
		RxChunks:    s.cfg.Receive,
		TxChunks:    s.cfg.Send,
		TxQueues:    1 << 30, // all
		Promiscuous: s.cfg.Promiscuous,
		Pieces:      s.cfg.Pieces,
		Linger:      s.cfg.Timeout,
	}
	if s.x, err = sys.OpenXDP(c); err != nil {
		return nil, openError(err)
	}
	if err := s.x.Start(filter); err != nil {
		return nil, errors.Join(filterError(err), s.x.Close(place{}))
	}
	return s, nil
}

// normalize fills the defaults in and checks the rest.
func (s *Socket) normalize() error {
	c, page := &s.cfg, sys.PageSize()
	illegal := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", capture.ErrConfig, fmt.Errorf(format, args...))
	}
	c.Queues = slices.Clone(c.Queues)
	sorted := slices.Sorted(slices.Values(c.Queues))
	switch {
	case c.Queues != nil && len(c.Queues) == 0:
		return illegal("Queues is empty: must be nil for all of them")
	case len(sorted) > 0 && (sorted[0] < 0 || sorted[len(sorted)-1] > 1<<16):
		return illegal("Queues is %d: must be numbers of queues", c.Queues)
	case len(slices.Compact(sorted)) != len(c.Queues):
		return illegal("Queues is %d: must have no queue twice", c.Queues)
	case c.Mode > Generic:
		return illegal("Mode is %d: must be one of the Mode constants", c.Mode)
	case c.FrameSize != 0 && (c.FrameSize < minFrameSize || c.FrameSize > page || bits.OnesCount(uint(c.FrameSize)) != 1):
		return illegal("FrameSize is %d: must be a power of two from %d to %d", c.FrameSize, minFrameSize, page)
	case c.Receive < -1:
		return illegal("Receive is %d: must be a number of frames, or -1", c.Receive)
	case c.Send < -1 || c.Send > maxSend:
		return illegal("Send is %d: must be at most %d, or -1", c.Send, maxSend)
	case c.Timeout < 0 || c.Timeout > maxTimeout || c.Timeout%time.Millisecond != 0:
		return illegal("Timeout is %v: must be whole milliseconds up to %v", c.Timeout, maxTimeout)
	case c.Receive == -1 && c.Send == -1:
		return illegal("Receive and Send are -1: one of them must be wanted")
	}
	if c.Receive == 0 {
		c.Receive = defaultReceive
	}
	if c.Send == 0 {
		c.Send = defaultSend
	}
	c.Receive, c.Send = max(c.Receive, 0), max(c.Send, 0)
	if c.FrameSize == 0 {
		c.FrameSize = minFrameSize
		for sys.XDPRoom(c.FrameSize) < s.ifi.MTU+etherLen+vlanLen && c.FrameSize < page {
			c.FrameSize *= 2
		}
		if sys.XDPRoom(c.FrameSize) < s.ifi.MTU+etherLen+vlanLen && !c.Pieces {
			return fmt.Errorf("%w: %w: a frame of at most %d bytes fits a page, and an MTU of %d allows longer ones: set Pieces, or set FrameSize and lose them",
				errors.ErrUnsupported, capture.ErrFrameSize, sys.XDPRoom(page), s.ifi.MTU)
		}
	}
	if uint64(c.FrameSize)*(uint64(c.Receive)+uint64(c.Send)*uint64(max(1, len(c.Queues)))) > maxMemory {
		return illegal("Receive is %d and Send is %d: must be at most %d bytes of memory", c.Receive, c.Send, maxMemory)
	}
	return nil
}

// compile checks a filter. nil, which accepts all, has none.
func compile(filter []bpf.RawInstruction, pieces bool) (*sys.XDPFilter, error) {
	if len(filter) == 0 {
		return nil, nil
	}
	p, err := sys.NewXDPFilter(filter, pieces)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", capture.ErrFilter, err)
	}
	return p, nil
}

// filterError translates an error of setting a filter.
func filterError(err error) error {
	if v, ok := errors.AsType[*sys.VerifierError](err); ok {
		return fmt.Errorf("%w: refused by the kernel: %w", capture.ErrFilter, v)
	}
	return err
}

// openError adds to an error of opening what can be done about it.
func openError(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: CAP_NET_RAW is wanted, and CAP_BPF and CAP_NET_ADMIN to receive", err)
	case errors.Is(err, sys.ErrXDPAttached):
		return fmt.Errorf("%w: end the program that has it; bpftool net tells which", err)
	case errors.Is(err, syscall.ENOBUFS):
		return fmt.Errorf("%w: no locked memory for the frames: raise RLIMIT_MEMLOCK, or ask for fewer frames", err)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: the kernel was built without CONFIG_XDP_SOCKETS", err)
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	}
	return err
}

// opError wraps err, and leaves nil alone.
func (s *Socket) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	}
	return &capture.OpError{Op: op, Interface: s.ifi.Name, Err: err}
}

// Interface returns the interface as it was when s was opened.
func (s *Socket) Interface() link.Interface { return s.ifi }

// Mode returns how frames get into the memory; never Auto. A Socket that does
// not receive says Copy where it copies.
func (s *Socket) Mode() Mode { return Mode(s.x.Mode()) }

// Queues returns the numbers of the queues.
func (s *Socket) Queues() []int { return slices.Clone(s.x.Queues()) }

// SetFilter replaces the filter: the classic BPF program, of at most 4096
// instructions, is translated for the kernel, which runs it for every frame.
// nil takes all frames. Frames that the old filter has accepted are still
// received. What the program returns is looked at for 0 only: frames are not
// cut.
//
// A frame counts from its first byte, with a VLAN tag where it is. Of the
// kernel's metadata, SKF_AD_* of linux/filter.h, a program can load the
// protocol, the packet type, the interface, the queue, the hardware type, the
// mark, which is 0, and the VLAN tag that was taken off, which is none. The
// words of memory that it reads must have been written, as in every filter of
// the kernel.
//
// The error wraps [capture.ErrFilter] for a program that is not valid, and
// [capture.ErrLocked] after LockFilter.
func (s *Socket) SetFilter(filter []bpf.RawInstruction) error {
	p, err := compile(filter, s.cfg.Pieces)
	if err != nil {
		return s.opError("filter", err)
	}
	s.setMu.Lock()
	defer s.setMu.Unlock()
	if s.closed.Load() {
		return s.opError("filter", net.ErrClosed)
	}
	err = s.x.Start(p)
	if errors.Is(err, syscall.EPERM) {
		err = fmt.Errorf("%w: %w", capture.ErrLocked, err)
	}
	return s.opError("filter", filterError(err))
}

// LockFilter makes the filter the last one, for this and every other process:
// BPF_MAP_FREEZE of bpf(2). It cannot be undone.
func (s *Socket) LockFilter() error {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	if s.closed.Load() {
		return s.opError("lock", net.ErrClosed)
	}
	return s.opError("lock", s.x.Freeze())
}

// Receive waits for frames, fills the first elements of frames with as many as
// there are, and returns how many. They lie in the shared memory, and must be
// given back with [Socket.Release]; as long as all of it is with the program,
// nothing is received. Frames of one queue are in order. With Config.Pieces,
// there must be room for all pieces of a frame, of which there are up to 18.
//
// The error is [net.ErrClosed], [os.ErrDeadlineExceeded],
// [capture.ErrInterfaceDown], once each time, [capture.ErrInterfaceGone] or
// another reason. Receive does not allocate.
func (s *Socket) Receive(frames []Frame) (int, error) {
	for {
		n, err := s.take(frames)
		if n > 0 || err != nil || len(frames) == 0 {
			return n, s.opError("receive", err)
		}
		if err := s.wait(); err != nil && err != sys.ErrInterrupted {
			switch err {
			case sys.ErrDown:
				err = fmt.Errorf("%w: ip link set %s up", capture.ErrInterfaceDown, s.ifi.Name)
			case sys.ErrGone:
				err = capture.ErrInterfaceGone
			}
			return 0, s.opError("receive", err)
		}
	}
}

// take is Receive without waiting.
func (s *Socket) take(frames []Frame) (int, error) {
	s.rxMu.Lock()
	defer s.rxMu.Unlock()
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	if cap(s.places) < len(frames) {
		s.places = make([]place, len(frames))
	}
	n, err := s.x.Receive(s.places[:len(frames)])
	for i, p := range s.places[:n] {
		frames[i] = Frame{Data: s.x.Data(p), Queue: s.x.Queue(p), More: p.More(), LossBefore: p.LossBefore(), place: p}
	}
	s.leased.Add(int64(n))
	return n, err
}

func (s *Socket) wait() error {
	s.waitMu.Lock()
	defer s.waitMu.Unlock()
	switch {
	case s.closed.Load():
		return net.ErrClosed
	case s.expired.Load():
		return os.ErrDeadlineExceeded
	}
	return s.x.Wait()
}

// Release gives frames back, from one call of Receive or from several. Their
// Data must not be used any more, and they must not be released again; it
// becomes nil, and frames without Data are left out.
func (s *Socket) Release(frames []Frame) error {
	s.rxMu.Lock()
	defer s.rxMu.Unlock()
	if s.closed.Load() {
		return s.opError("release", net.ErrClosed)
	}
	if cap(s.places) < len(frames) {
		s.places = make([]place, len(frames))
	}
	places := s.places[:0]
	for i := range frames {
		if frames[i].Data != nil {
			places = append(places, frames[i].place)
			frames[i].Data = nil
		}
	}
	s.leased.Add(-int64(len(places)))
	return s.opError("release", s.x.Release(places))
}

// SetReadDeadline makes Receive fail with [os.ErrDeadlineExceeded] instead of
// waiting once t has passed, also the calls that wait now. The zero time means
// no deadline.
func (s *Socket) SetReadDeadline(t time.Time) error {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	if s.closed.Load() {
		return s.opError("deadline", net.ErrClosed)
	}
	if s.deadline != nil {
		s.deadline.Stop()
		s.deadline = nil
	}
	s.expired.Store(false)
	switch d := time.Until(t); {
	case t.IsZero():
	case d <= 0:
		s.expired.Store(true)
		s.x.Interrupt()
	default:
		var timer *time.Timer
		timer = time.AfterFunc(d, func() {
			s.deadlineMu.Lock()
			defer s.deadlineMu.Unlock()
			if s.deadline == timer {
				s.expired.Store(true)
				s.x.Interrupt()
			}
		})
		s.deadline = timer
	}
	return nil
}

// Send transmits frames in order, from the first byte of the Ethernet header,
// on the queue with the given number, and returns how many of them went out,
// to the driver or, with zero copy, into the ring that the device reads. It
// copies them into the shared memory and keeps none. The error says why the
// next one did not go: [capture.ErrFrameSize], [capture.ErrInterfaceDown],
// [capture.ErrInterfaceGone], or [syscall.EAGAIN] when the device has taken
// nothing for a second. Send does not allocate.
func (s *Socket) Send(queue int, frames [][]byte) (int, error) {
	s.txMu.Lock()
	defer s.txMu.Unlock()
	index := slices.Index(s.x.Queues(), queue)
	switch {
	case s.closed.Load():
		return 0, s.opError("send", net.ErrClosed)
	case s.cfg.Send == 0:
		return 0, s.opError("send", fmt.Errorf("%w: opened with Send: -1", capture.ErrConfig))
	case index < 0:
		return 0, s.opError("send", fmt.Errorf("%w: queue %d is none of %d", capture.ErrConfig, queue, s.x.Queues()))
	}
	longest := s.cfg.FrameSize
	if s.cfg.Pieces {
		longest *= maxPieces
	}
	good := s.x.Fit(frames, longest)
	n, err := s.x.Transmit(index, frames[:good])
	switch {
	case err == nil && good < len(frames):
		err = fmt.Errorf("%w: %d bytes: must be from %d to what its MTU allows", capture.ErrFrameSize, len(frames[good]), etherLen)
	case errors.Is(err, syscall.ENETDOWN) && s.x.Gone():
		err = fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	case errors.Is(err, syscall.ENETDOWN):
		err = fmt.Errorf("%w: %w", capture.ErrInterfaceDown, err)
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		err = fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	}
	return n, s.opError("send", err)
}

// Stats returns the counters.
func (s *Socket) Stats() (Stats, error) {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	if s.closed.Load() {
		return Stats{}, s.opError("stats", net.ErrClosed)
	}
	c, err := s.x.Stats()
	return Stats{
		Received:         c.Received,
		Dropped:          c.Dropped,
		FillEmpty:        c.FillEmpty,
		InterfaceDropped: c.Missed,
		SendInvalid:      c.TxInvalid,
	}, s.opError("stats", err)
}

// Close detaches the program and gives the queues back. Calls that wait, and
// all later ones, fail with [net.ErrClosed]. Frames that were not released can
// still be looked at as long as s can be reached.
func (s *Socket) Close() error {
	if s.closed.Swap(true) {
		return s.opError("close", net.ErrClosed)
	}
	s.deadlineMu.Lock()
	if s.deadline != nil {
		s.deadline.Stop()
		s.deadline = nil
	}
	s.deadlineMu.Unlock()
	s.x.Interrupt()
	for _, mu := range []*sync.Mutex{&s.waitMu, &s.rxMu, &s.txMu, &s.setMu, &s.statsMu} {
		mu.Lock()
		defer mu.Unlock()
	}
	if s.leased.Load() > 0 {
		return s.opError("close", s.x.CloseKeep())
	}
	return s.opError("close", s.x.Close(place{}))
}
