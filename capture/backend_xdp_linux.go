package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// xdpBackend is a Backend on AF_XDP. The filter runs in the kernel: the host
// goes on receiving what it does not accept, and everything while nothing is
// captured.
//
// Frames of this host never come by at the place where XDP takes them, so the
// backend's own are captured as they are sent, and those of others are not.
type xdpBackend struct {
	x      *sys.XDP
	ifi    link.Interface
	detail string
	dir    Direction
	pieces bool
	locked bool

	longest int // frame that there is memory for

	// What the reader has.
	batch   [64]sys.XDPFrame
	at, n   int    // of batch: the frame that is next, and the end
	held    int    // how many before at make up the frames that were read last
	joined  []byte // the last frame, when it came in pieces
	time    time.Time
	keep    uint32         // how many bytes of a frame to keep,
	run     *sys.XDPFilter // unless this has to tell
	own     xdpEchoes
	ownTurn int         // own frames to read before the next batch
	ownHeld bool        // the last frame was one of them
	waiting atomic.Bool // a sender must wake the reader
	sending atomic.Bool // the reader should wait a moment for the sender

	mu     sync.Mutex     // what senders have
	filter *sys.XDPFilter // of their frames; nil when none is captured
	closed bool
	one    [1][]byte

	statsMu sync.Mutex
}

var (
	_ Backend     = (*xdpBackend)(nil)
	_ Describer   = (*xdpBackend)(nil)
	_ BatchSender = (*xdpBackend)(nil)
	_ BatchReader = (*xdpBackend)(nil)
)

const (
	etherLen = 14
	vlanLen  = 4
	// xdpMinChunk is the smallest chunk that the kernel accepts.
	xdpMinChunk = 2048
	// xdpSend is how many frames, or pieces, may be on their way out.
	xdpSend = 256
	// xdpMaxPieces is how many pieces a frame may have: MAX_SKB_FRAGS and one.
	xdpMaxPieces = 18
)

func openXDP(ifi link.Interface, cfg *Config) (Backend, error) {
	b, err := openXDPQueues(ifi, cfg, nil, nil)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// openXDPGroup opens n backends that share the queues of an interface. Which
// frames are in a queue is the device's choice.
func openXDPGroup(ifi link.Interface, n int, cfg *Config) (all []Backend, err error) {
	if cfg.Fanout != FanoutHash && cfg.Fanout != FanoutQueue {
		return nil, fmt.Errorf("%w: fanout %v with AF_XDP, where the device chooses: use FanoutQueue", errors.ErrUnsupported, cfg.Fanout)
	}
	queues := sys.XDPQueues(ifi.Name)
	if n > queues {
		return nil, &advice{fmt.Errorf("%w: %d Sniffers by AF_XDP on an interface with %d queues", errors.ErrUnsupported, n, queues),
			"ask for fewer of them, or for more queues: ethtool -L " + ifi.Name + " combined N"}
	}
	var share *sys.XDP
	for i := range n {
		var own []int
		for q := i; q < queues; q += n {
			own = append(own, q)
		}
		b, err := openXDPQueues(ifi, cfg, own, share)
		if err != nil {
			return all, err
		}
		all = append(all, b)
		share = b.x
	}
	return all, nil
}

// openXDPQueues opens the queues of an interface, nil for all of them, by the
// program that share has, nil for one of its own.
func openXDPQueues(ifi link.Interface, cfg *Config, queues []int, share *sys.XDP) (*xdpBackend, error) {
	if ifi.Link != link.TypeEthernet {
		return nil, fmt.Errorf("%w: AF_XDP on an interface that is not Ethernet: use BackendRing", errors.ErrUnsupported)
	}
	if err := checkTimestamp(cfg.Timestamp, []TimestampType{TimestampHost}); err != nil {
		return nil, err
	}
	// A chunk for the longest frame; a frame that does not fit the largest
	// chunk, which is a page, takes several.
	chunk := xdpMinChunk
	longest := ifi.MTU + etherLen + vlanLen
	for sys.XDPRoom(chunk) < longest && chunk < sys.PageSize() {
		chunk *= 2
	}
	pieces := sys.XDPRoom(chunk) < longest
	if longest > xdpMaxPieces*sys.XDPRoom(chunk) {
		return nil, fmt.Errorf("%w: %w: AF_XDP takes frames of at most %d bytes, and an MTU of %d allows longer ones: use BackendRing",
			errors.ErrUnsupported, ErrFrameSize, xdpMaxPieces*sys.XDPRoom(chunk), ifi.MTU)
	}
	b := &xdpBackend{
		ifi:    ifi,
		dir:    cfg.Direction,
		pieces: pieces,
	}
	c := &sys.XDPConfig{
		Interface:   ifi.Index,
		Name:        ifi.Name,
		MAC:         ifi.MAC,
		ChunkSize:   chunk,
		RxChunks:    max(1, cfg.BufferSize/chunk),
		TxChunks:    xdpSend,
		TxQueues:    1, // frames that are sent stay in order
		Promiscuous: cfg.Promiscuous,
		Pieces:      pieces,
		Ready:       b.own.pending,
		Linger:      lingerFor(cfg),
		Queues:      queues,
		Share:       share,
	}
	if share != nil {
		c.Mode = share.Mode()
	}
	if cfg.Direction == Out {
		if queues == nil {
			queues = []int{0}
		}
		c.Queues, c.RxChunks = queues[:1], 0
	}
	var err error
	if b.x, err = sys.OpenXDP(c); err != nil {
		return nil, xdpAdvice(err)
	}
	b.longest = chunk
	if pieces {
		b.longest = longest
	}
	b.own.init(b.longest)
	b.detail = "AF_XDP, sends only"
	if c.RxChunks > 0 {
		plural := "s"
		if len(b.x.Queues()) == 1 {
			plural = ""
		}
		b.detail = fmt.Sprintf("AF_XDP, %s, %d queue%s, %d frames of %d KiB", xdpModes[b.x.Mode()],
			len(b.x.Queues()), plural, c.RxChunks, chunk>>10)
	}
	return b, nil
}

// xdpModes says how the frames come, for people.
var xdpModes = [...]string{
	sys.XDPZeroCopy: "zero copy",
	sys.XDPCopy:     "copies in the driver",
	sys.XDPGeneric:  "generic",
}

// xdpAdvice adds to an error of opening what can be done about it.
func xdpAdvice(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return &advice{err, "AF_XDP wants CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF: run as root, or once: sudo setcap cap_net_raw,cap_net_admin,cap_bpf+ep PROGRAM"}
	case errors.Is(err, sys.ErrXDPAttached):
		return &advice{err, "end the program that has it; bpftool net tells which"}
	case errors.Is(err, sys.ErrXDPQueue):
		return &advice{err, "an interface has one Sniffer of this kind at a time"}
	case errors.Is(err, syscall.ENOBUFS):
		return &advice{err, "no locked memory for the frames: raise RLIMIT_MEMLOCK, or ask for a smaller BufferSize"}
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return &advice{err, "the kernel was built without CONFIG_XDP_SOCKETS"}
	}
	return openAdvice(err)
}

// Describe tells the mode and the number of queues.
func (b *xdpBackend) Describe() BackendInfo { return BackendInfo{Type: BackendXDP, Detail: b.detail} }

func (b *xdpBackend) Interface() link.Interface { return b.ifi }

func (b *xdpBackend) Start(filter []bpf.RawInstruction) error {
	if b.locked {
		return ErrLocked
	}
	p, err := sys.NewXDPFilter(filter, b.pieces)
	if err == nil {
		err = p.Prepare(slices.Max(b.x.Queues()) + 1)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFilter, err)
	}
	b.run = nil
	var same bool
	if b.keep, same = p.Keeps(); !same {
		b.run = p
	}
	if err := b.x.Start(p); err != nil {
		if v, ok := errors.AsType[*sys.VerifierError](err); ok {
			return fmt.Errorf("%w: refused by the kernel: %w", ErrFilter, v)
		}
		return closedError(err)
	}
	if b.dir != In {
		b.mu.Lock()
		b.filter = p
		b.mu.Unlock()
	}
	return nil
}

func (b *xdpBackend) Stop() error {
	if b.locked {
		return ErrLocked
	}
	b.mu.Lock()
	b.filter = nil
	b.mu.Unlock()
	return closedError(b.x.Stop())
}

func (b *xdpBackend) Discard() error {
	b.own.discard(b.ownHeld)
	b.ownTurn = 0
	// Those before at that are held stay.
	if err := b.x.Release(b.batch[:b.at-b.held]); err != nil {
		return err
	}
	if err := b.x.Release(b.batch[b.at:b.n]); err != nil {
		return err
	}
	copy(b.batch[:], b.batch[b.at-b.held:b.at])
	b.at, b.n = b.held, b.held
	return b.x.Discard()
}

// Lock makes the filter final in the kernel, too: the map that holds it can
// not be changed by any program any more.
func (b *xdpBackend) Lock() error {
	if err := b.x.Freeze(); err != nil {
		return closedError(err)
	}
	b.locked = true
	return nil
}

func (b *xdpBackend) Next(f *link.Frame) error {
	if b.ownHeld {
		b.own.pop()
		b.ownHeld = false
	}
	for {
		if b.ownTurn > 0 {
			b.ownTurn--
			b.own.first(f, b.ifi.Index)
			b.ownHeld = true
			b.held = 0
			return nil
		}
		if b.at < b.n {
			from := b.at
			b.take(f)
			b.held = b.at - from
			return nil
		}
		n := b.n
		b.at, b.n, b.held = 0, 0, 0
		if err := b.x.Release(b.batch[:n]); err != nil {
			return err
		}
		n, err := b.x.Receive(b.batch[:])
		if err != nil {
			return err
		}
		if n > 0 {
			b.n = n
			b.time = time.Now()
			// An answer comes behind what it answers, which its sender may be
			// about to capture; but nobody waits long for a device.
			for b.sending.Load() && time.Since(b.time) < time.Millisecond {
				runtime.Gosched()
			}
		}
		if b.ownTurn = b.own.len(); n > 0 || b.ownTurn > 0 {
			continue
		}
		b.waiting.Store(true)
		err = b.x.Wait()
		b.waiting.Store(false)
		switch {
		case err == nil:
		case err == sys.ErrInterrupted:
			return ErrInterrupted
		case err == sys.ErrDrained:
			return ErrNotActive
		case err == sys.ErrDown:
			return &advice{ErrInterfaceDown, "ip link set " + b.ifi.Name + " up"}
		case err == sys.ErrGone:
			return ErrInterfaceGone
		default:
			return closedError(err)
		}
	}
}

// NextBatch returns a frame that came in pieces, or one of this host, alone: there
// is memory for one of either.
func (b *xdpBackend) NextBatch(frames []link.Frame) (int, error) {
	if err := b.Next(&frames[0]); err != nil {
		return 0, err
	}
	n := 1
	if b.ownHeld || b.held > 1 {
		return n, nil
	}
	for ; n < len(frames) && b.at < b.n && !b.batch[b.at].More(); n++ {
		b.take(&frames[n])
		b.held++
	}
	return n, nil
}

// take fills f from the frame that is next in the batch.
func (b *xdpBackend) take(f *link.Frame) {
	frame := b.batch[b.at]
	b.at++
	b.fill(f, frame)
}

// fill fills f from a received frame, of which the first piece is given.
func (b *xdpBackend) fill(f *link.Frame, frame sys.XDPFrame) {
	data := b.x.Data(frame)
	if frame.More() {
		b.joined = append(b.joined[:0], data...)
		for more := true; more && b.at < b.n; b.at++ {
			more = b.batch[b.at].More()
			b.joined = append(b.joined, b.x.Data(b.batch[b.at])...)
		}
		data = b.joined[:len(b.joined):len(b.joined)]
	}
	*f = link.Frame{Data: data, Info: link.Info{
		Time:       b.time,
		TimeSource: link.TimeUser,
		WireLen:    len(data),
		Interface:  b.ifi.Index,
		Link:       link.TypeEthernet,
	}}
	if frame.LossBefore() {
		f.Flags = link.InfoLossBefore
	}
	f.Direction = link.DirectionOther
	if len(data) >= len(b.ifi.MAC) {
		switch dst := link.MacAddr(data[:len(b.ifi.MAC)]); {
		case dst == b.ifi.MAC:
			f.Direction = link.DirectionIn
		case dst == link.MacAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
			f.Direction = link.DirectionBroadcast
		case dst[0]&1 != 0:
			f.Direction = link.DirectionMulticast
		}
	}
	keep := b.keep
	if b.run != nil {
		keep = b.run.Run(data, &f.Info, b.x.Queue(frame))
	}
	if uint64(keep) < uint64(len(data)) {
		f.Data = data[:keep:keep]
	}
}

func (b *xdpBackend) Interrupt() { b.x.Interrupt() }

func (b *xdpBackend) Send(p []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.one[0] = p
	_, err := b.send(b.one[:])
	b.one[0] = nil
	return err
}

// SendBatch puts as many frames at once into the ring as there is room for.
func (b *xdpBackend) SendBatch(frames [][]byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.send(frames)
}

// send is SendBatch for one who has the lock.
func (b *xdpBackend) send(frames [][]byte) (int, error) {
	if b.closed {
		return 0, net.ErrClosed
	}
	good := b.x.Fit(frames, b.longest)
	var sent int
	var err error
	if b.filter == nil {
		sent, err = b.x.Transmit(0, frames[:good])
	} else {
		sent, err = b.sendEchoed(frames[:good])
	}
	switch {
	case err == nil && good < len(frames):
		return sent, b.sizeError(frames[good])
	case errors.Is(err, syscall.ENETDOWN) && b.x.Gone():
		return sent, fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	case errors.Is(err, syscall.ENETDOWN):
		return sent, &advice{fmt.Errorf("%w: %w", ErrInterfaceDown, err), "ip link set " + b.ifi.Name + " up"}
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return sent, fmt.Errorf("%w: %w", ErrInterfaceGone, err)
	}
	return sent, err
}

// sendEchoed sends frames that are captured as well.
func (b *xdpBackend) sendEchoed(frames [][]byte) (int, error) {
	b.sending.Store(true)
	defer b.sending.Store(false)
	sent, err := b.x.Transmit(0, frames)
	if sent > 0 {
		now := time.Now()
		for _, p := range frames[:sent] {
			b.echo(p, now)
		}
		if b.waiting.Load() {
			b.x.Interrupt()
		}
	}
	return sent, err
}

func (b *xdpBackend) sizeError(p []byte) error {
	if len(p) < etherLen {
		return fmt.Errorf("%w: %d bytes do not hold its link header", ErrFrameSize, len(p))
	}
	return fmt.Errorf("%w: %d bytes are more than its MTU allows", ErrFrameSize, len(p))
}

// echo captures a frame that was sent.
func (b *xdpBackend) echo(p []byte, now time.Time) {
	info := link.Info{Interface: b.ifi.Index, Link: link.TypeEthernet, Direction: link.DirectionOut}
	if keep := b.filter.Run(p, &info, 0); keep > 0 {
		b.own.push(p, keep, now)
	}
}

func (b *xdpBackend) Stats() (Stats, error) {
	b.statsMu.Lock()
	defer b.statsMu.Unlock()
	c, err := b.x.Stats()
	if err != nil {
		return Stats{}, closedError(err)
	}
	return Stats{
		Received:         c.Received + b.own.received.Load(),
		Dropped:          c.Dropped + b.own.dropped.Load(),
		RingFreezes:      c.FillEmpty + c.RingFull,
		InterfaceDropped: c.Missed,
	}, nil
}

func (b *xdpBackend) SyscallConn() (syscall.RawConn, error) {
	c, err := b.x.SyscallConn()
	return c, closedError(err)
}

func (b *xdpBackend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.statsMu.Lock()
	defer b.statsMu.Unlock()
	b.closed = true
	switch b.held {
	case 0:
		return b.x.Close(sys.XDPFrame{})
	case 1:
		return b.x.Close(b.batch[b.at-1])
	}
	return b.x.CloseKeep()
}

// xdpEchoes is a queue of frames that were sent, for one sender at a time and
// one reader.
type xdpEchoes struct {
	slots      []xdpEcho
	count      uint32        // of slots, a power of two
	size       int           // of the longest frame
	head, tail atomic.Uint32 // the reader's and the sender's count, on and on
	next       uint32        // what head will be when the first frame is forgotten
	received   atomic.Uint64
	dropped    atomic.Uint64
	lost       bool // since the last one that found room
}

// xdpEcho is a frame that was sent.
type xdpEcho struct {
	data []byte // what is kept of it
	wire int
	time time.Time
	lost bool // others before it
}

// init prepares for frames of up to size bytes: 256 of them, but no more than
// four megabytes as long as it is 16.
func (e *xdpEchoes) init(size int) {
	e.size, e.count = size, 256
	for e.count > 16 && int(e.count)*size > 4<<20 {
		e.count /= 2
	}
}

// len returns how many frames there are.
func (e *xdpEchoes) len() int { return int(e.tail.Load() - e.head.Load()) }

// pending reports whether there are any.
func (e *xdpEchoes) pending() bool { return e.len() > 0 }

// push appends a frame, of which keep bytes are kept.
func (e *xdpEchoes) push(p []byte, keep uint32, now time.Time) {
	if e.slots == nil {
		e.slots = make([]xdpEcho, e.count)
		mem := make([]byte, int(e.count)*e.size)
		for i := range e.slots {
			e.slots[i].data = mem[i*e.size:][:0:e.size]
		}
	}
	if e.len() == int(e.count) {
		e.lost = true
		e.dropped.Add(1)
		return
	}
	s := &e.slots[e.tail.Load()%e.count]
	s.data = append(s.data[:0], p[:min(uint64(keep), uint64(len(p)))]...)
	s.wire, s.time, s.lost = len(p), now, e.lost
	e.lost = false
	e.received.Add(1)
	e.tail.Add(1)
}

// first fills f from the first frame, which must be there.
func (e *xdpEchoes) first(f *link.Frame, index int) {
	head := e.head.Load()
	e.next = head + 1
	s := &e.slots[head%e.count]
	*f = link.Frame{Data: s.data[:len(s.data):len(s.data)], Info: link.Info{
		Time:       s.time,
		TimeSource: link.TimeUser,
		WireLen:    s.wire,
		Interface:  index,
		Direction:  link.DirectionOut,
	}}
	if s.lost {
		f.Flags = link.InfoLossBefore
	}
}

// pop forgets the first frame, and those that were discarded.
func (e *xdpEchoes) pop() { e.head.Store(e.next) }

// discard forgets all frames, except that the first stays until pop when it is
// held.
func (e *xdpEchoes) discard(held bool) {
	e.next = e.tail.Load()
	if !held {
		e.pop()
	}
}
