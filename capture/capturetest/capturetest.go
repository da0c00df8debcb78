// Package capturetest is a network interface in memory, for the tests of
// programs that capture: what it opens is a real [capture.Sniffer] with the
// whole contract of package capture, on every platform and without privilege.
//
//	ifc := capturetest.New(link.Interface{Name: "eth0"})
//	s, err := ifc.Open(nil)          // hand s to the code under test
//	g, err := ifc.OpenGroup(4, nil)  // or a group of them
//	ifc.Inject(frame)                // a frame arrives
//	sent := ifc.Sent()               // what the code has sent
//	ifc.Lose(3)                      // the next three are dropped and counted
//	ifc.SetUp(false)                 // somebody pulls the cable
//
// Data that [capture.Sniffer.Next] returned is overwritten by the next read, on
// purpose: a program that keeps a frame without cloning it fails its test
// here, and not in production. Under the race detector it is reported.
//
// Time is that of package time, so that [testing/synctest] works.
package capturetest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Interface is a network interface in memory. Any number of Sniffers can be
// opened on it. All methods may be called concurrently.
type Interface struct {
	ifi link.Interface

	mu      sync.Mutex
	ports   []*port
	frames  uint64 // so far, in both directions
	sent    [][]byte
	peer    *Interface
	down    bool
	gone    bool
	lose    int
	delay   time.Duration
	sendErr error
}

// defaultMTU is that of Ethernet, in bytes.
const defaultMTU = 1500

// New makes an interface that is up and is called ifi.Name. Of ifi's other
// fields, the zero value of Index means 1, of MTU 1500 bytes and of Link
// Ethernet ([link.TypeNull] is not possible). With HasMAC, a unicast frame
// that arrives for another address has [link.DirectionOther]; without, every
// unicast frame is for this host.
func New(ifi link.Interface) *Interface {
	if ifi.Index == 0 {
		ifi.Index = 1
	}
	if ifi.MTU == 0 {
		ifi.MTU = defaultMTU
	}
	if ifi.Link == 0 {
		ifi.Link = link.TypeEthernet
	}
	ifi.Flags |= link.FlagUp | link.FlagRunning
	return &Interface{ifi: ifi}
}

// Connect puts a cable between two interfaces: what is sent on one arrives at
// the other.
func Connect(a, b *Interface) {
	a.mu.Lock()
	a.peer = b
	a.mu.Unlock()
	b.mu.Lock()
	b.peer = a
	b.mu.Unlock()
}

// Open opens a Sniffer, as [capture.Open] does.
func (i *Interface) Open(cfg *capture.Config) (*capture.Sniffer, error) { return i.open(cfg, nil) }

// OpenGroup opens a group of n Sniffers, as [capture.OpenGroup] does; n of 0
// asks for two. With [capture.FanoutHash], a flow stays in one Sniffer, which
// need not be the one that an operating system would choose; with everything
// else, the Sniffers take turns.
func (i *Interface) OpenGroup(n int, cfg *capture.Config) (*capture.Group, error) {
	switch {
	case n < 0:
		return nil, &capture.OpError{Op: "open", Interface: i.ifi.Name,
			Err: fmt.Errorf("%w: a group of %d Sniffers", capture.ErrConfig, n)}
	case n == 0:
		n = 2
	}
	g := new(group)
	var all []*capture.Sniffer
	for range n {
		s, err := i.open(cfg, g)
		if err != nil {
			return nil, errors.Join(err, capture.NewGroup(all...).Close())
		}
		all = append(all, s)
	}
	return capture.NewGroup(all...), nil
}

// group is the ports that share the frames. Its fields are guarded by the
// Interface's mu.
type group struct {
	ports []*port
	mode  capture.Fanout
}

// choose returns the port for a frame, which is the n-th of the interface.
func (g *group) choose(f link.Frame, n uint64) *port {
	if g.mode == capture.FanoutHash {
		n = flowHash(f)
	}
	return g.ports[n%uint64(len(g.ports))]
}

// flowHash returns the same number for all frames of a flow, in both
// directions.
func flowHash(f link.Frame) uint64 {
	b := f.Data
	if f.Link == link.TypeEthernet && len(b) >= ethernetHeaderLen {
		b = b[ethernetHeaderLen:]
	}
	// IP addresses, RFC 791 and RFC 8200, and behind them two ports, RFC 9293
	// and RFC 768. What is none of these is one flow.
	var src, dst, ports []byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		src, dst = b[12:16], b[16:20]
		fragment := (b[6]&0x3f | b[7]) != 0
		if n := int(b[0]&15) * 4; hasPorts(b[9]) && !fragment && len(b) >= n+4 {
			ports = b[n : n+4]
		}
	case len(b) >= 40 && b[0]>>4 == 6:
		src, dst = b[8:24], b[24:40]
		if hasPorts(b[6]) && len(b) >= 44 {
			ports = b[40:44]
		}
	default:
		return 0
	}
	if len(ports) == 4 {
		return endpointHash(src, ports[:2]) ^ endpointHash(dst, ports[2:])
	}
	return endpointHash(src, nil) ^ endpointHash(dst, nil)
}

// hasPorts reports whether an IP protocol begins with two ports: TCP, UDP, SCTP.
func hasPorts(proto byte) bool { return proto == 6 || proto == 17 || proto == 132 }

// endpointHash is FNV-1a of an address and a port.
func endpointHash(addr, port []byte) uint64 {
	h := fnv.New64a()
	h.Write(addr)
	h.Write(port)
	// The lowest bits of FNV mix little.
	return h.Sum64() >> 7
}

func (i *Interface) open(cfg *capture.Config, g *group) (*capture.Sniffer, error) {
	p := &port{i: i, group: g, stopped: true}
	p.cond.L = &p.mu
	n, err := cfg.Normalize()
	if err == nil {
		p.limit, p.direction = n.BufferSize, n.Direction
	}
	s, err := capture.NewSniffer(p, cfg)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone {
		return nil, &capture.OpError{Op: "open", Interface: i.ifi.Name, Err: capture.ErrNoInterface}
	}
	if i.down {
		p.put(entry{err: capture.ErrInterfaceDown})
	}
	i.ports = append(i.ports, p)
	if g != nil {
		g.ports, g.mode = append(g.ports, p), n.Fanout
	}
	return s, nil
}

// Inject makes a frame arrive now. It copies data.
func (i *Interface) Inject(data []byte) { i.InjectFrame(link.Frame{Data: data}) }

// InjectFrame makes a frame arrive with what f says about it. A zero Time means
// now, a zero WireLen the length of Data, and an unknown Direction the one that
// the destination address tells. Link and Interface are the interface's own.
// An interface that is down receives nothing.
func (i *Interface) InjectFrame(f link.Frame) {
	if f.Direction == link.DirectionUnknown {
		f.Direction = i.direction(f.Data)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.down && !i.gone {
		i.deliver(f)
	}
}

// Sent returns the frames that were sent since the last call, oldest first.
func (i *Interface) Sent() [][]byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.sent
	i.sent = nil
	return s
}

// Lose drops the next n frames that a filter accepts, whatever their
// direction: they are counted as dropped, and the frame behind them has
// [link.InfoLossBefore].
func (i *Interface) Lose(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lose = n
}

// SetDelay makes every frame that is captured from now on readable only d
// after it was captured, like a busy machine or a capture buffer that waits to
// be filled.
func (i *Interface) SetDelay(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.delay = d
}

// FailSend makes every Send fail with err from now on; nil ends it.
func (i *Interface) FailSend(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sendErr = err
}

// FailRead makes one read of every open Sniffer fail with err, after the frames
// captured so far.
func (i *Interface) FailRead(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, p := range i.ports {
		p.put(entry{err: err})
	}
}

// SetUp takes the interface up or down. When it goes down, one read fails with
// [capture.ErrInterfaceDown], after the frames captured so far.
func (i *Interface) SetUp(up bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if was := !i.down; was && !up {
		for _, p := range i.ports {
			p.put(entry{err: capture.ErrInterfaceDown})
		}
	}
	i.down = !up
}

// Remove takes the interface away for good: behind what was captured, reads
// fail with [capture.ErrInterfaceGone].
func (i *Interface) Remove() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gone = true
	for _, p := range i.ports {
		p.remove()
	}
}

// ethernetHeaderLen is the length of an Ethernet header in bytes.
const ethernetHeaderLen = 14

// headerLen returns the length of the link header that a frame must have.
func (i *Interface) headerLen() int {
	if i.ifi.Link == link.TypeEthernet {
		return ethernetHeaderLen
	}
	return 1
}

// direction says which way a frame that arrives goes.
func (i *Interface) direction(b []byte) link.Direction {
	if i.ifi.Link != link.TypeEthernet || len(b) < ethernetHeaderLen {
		return link.DirectionIn
	}
	dst := link.MacAddr(b[:6])
	switch {
	case dst == link.MacAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return link.DirectionBroadcast
	case dst[0]&1 != 0:
		return link.DirectionMulticast
	case i.ifi.HasMAC && dst != i.ifi.MAC:
		return link.DirectionOther
	default:
		return link.DirectionIn
	}
}

// deliver gives f to all Sniffers. The caller holds i.mu.
func (i *Interface) deliver(f link.Frame) {
	now := time.Now()
	if f.Time.IsZero() {
		f.Time, f.TimeSource = now, link.TimeSoftware
	}
	f.WireLen = max(f.WireLen, len(f.Data))
	f.Link, f.Interface = i.ifi.Link, i.ifi.Index
	lost := false
	i.frames++
	for _, p := range i.ports {
		if p.group != nil && p.group.choose(f, i.frames) != p {
			continue
		}
		if p.capture(f, now.Add(i.delay), i.lose > 0) {
			lost = true
		}
	}
	if lost {
		i.lose--
	}
}

// transmit sends b.
func (i *Interface) transmit(b []byte) error {
	peer, b, err := i.accept(b)
	if err == nil && peer != nil {
		// Without i.mu: two interfaces may send to each other.
		peer.Inject(b)
	}
	return err
}

// accept notes and captures a frame that is sent, and returns whom it is for
// and a copy of it.
func (i *Interface) accept(b []byte) (*Interface, []byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch least := i.headerLen(); {
	case i.gone:
		return nil, nil, capture.ErrInterfaceGone
	case i.down:
		return nil, nil, capture.ErrInterfaceDown
	case i.sendErr != nil:
		return nil, nil, i.sendErr
	case len(b) < least || len(b) > least+i.ifi.MTU:
		return nil, nil, fmt.Errorf("%w: %d bytes, from %d to %d will do", capture.ErrFrameSize, len(b), least, least+i.ifi.MTU)
	}
	b = bytes.Clone(b)
	i.sent = append(i.sent, b)
	i.deliver(link.Frame{Data: b, Info: link.Info{Direction: link.DirectionOut}})
	return i.peer, b, nil
}

// forget removes a port that was closed.
func (i *Interface) forget(p *port) {
	i.mu.Lock()
	defer i.mu.Unlock()
	closed := func(q *port) bool { return q == p }
	i.ports = slices.DeleteFunc(i.ports, closed)
	if p.group != nil {
		p.group.ports = slices.DeleteFunc(p.group.ports, closed)
	}
}

// frameOverhead is what a frame takes in the buffer besides its bytes, as
// with the Linux ring.
const frameOverhead = 96

// stale is what Data is overwritten with when it is no longer valid.
const stale = 0xdb

// entry is one frame, or an error in its place.
type entry struct {
	f     link.Frame
	err   error
	ready time.Time
}

// port is the capture.Backend of one Sniffer.
type port struct {
	i         *Interface
	group     *group // nil when it shares with nobody
	limit     int    // bytes that may be waiting
	direction capture.Direction
	locked    atomic.Bool

	mu          sync.Mutex
	cond        sync.Cond
	vm          *bpf.VM
	stopped     bool
	queue       []entry
	size        int
	full        bool
	lossy       bool // frames were dropped behind the queue
	last        []byte
	interrupted bool
	gone        bool
	stats       capture.Stats
}

var _ capture.Backend = (*port)(nil)

func (p *port) Interface() link.Interface { return p.i.ifi }

func (p *port) Start(filter []bpf.RawInstruction) error {
	if p.locked.Load() {
		return capture.ErrLocked
	}
	insns, known := bpf.Disassemble(filter)
	if !known {
		return fmt.Errorf("%w: unknown instruction", capture.ErrFilter)
	}
	vm, err := bpf.NewVM(insns)
	if err != nil {
		return fmt.Errorf("%w: %w", capture.ErrFilter, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vm, p.stopped = vm, false
	return nil
}

func (p *port) Stop() error {
	if p.locked.Load() {
		return capture.ErrLocked
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	return nil
}

func (p *port) Discard() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// What happened to the interface is still to be told.
	p.queue = slices.DeleteFunc(p.queue, func(e entry) bool { return e.err == nil })
	p.size, p.full, p.lossy = 0, false, false
	return nil
}

func (p *port) Lock() error {
	p.locked.Store(true)
	return nil
}

// capture runs the filter over f and puts a copy into the queue, or drops it
// when the queue is full or lose is set. It reports whether lose was used.
func (p *port) capture(f link.Frame, ready time.Time, lose bool) bool {
	switch out := f.Direction == link.DirectionOut; {
	case p.direction == capture.In && out, p.direction == capture.Out && !out:
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	keep, err := p.vm.Run(f.Data)
	if err != nil || keep <= 0 {
		return false // a kernel rejects a frame that its filter fails on
	}
	f.Data = bytes.Clone(f.Data[:min(keep, len(f.Data))])
	cost := len(f.Data) + frameOverhead
	if full := p.size+cost > p.limit; full || lose {
		p.stats.Dropped++
		if full && !p.full {
			p.stats.RingFreezes++
		}
		p.full, p.lossy = full, true
		return lose
	}
	if p.lossy {
		f.Flags |= link.InfoLossBefore
	}
	p.full, p.lossy = false, false
	p.stats.Received++
	p.size += cost
	p.queue = append(p.queue, entry{f: f, ready: ready})
	p.cond.Broadcast()
	return false
}

// put queues an entry that is no frame.
func (p *port) put(e entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, e)
	p.cond.Broadcast()
}

func (p *port) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.cond.Broadcast()
}

func (p *port) Next(f *link.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.last {
		p.last[i] = stale
	}
	p.last = nil
	for {
		if len(p.queue) > 0 {
			e := p.queue[0]
			wait := time.Until(e.ready)
			if wait <= 0 || e.err != nil {
				p.queue[0] = entry{}
				p.queue = p.queue[1:]
				if e.err != nil {
					return e.err
				}
				p.size -= len(e.f.Data) + frameOverhead
				*f, p.last = e.f, e.f.Data
				return nil
			}
			if p.interrupted {
				p.interrupted = false
				return capture.ErrInterrupted
			}
			t := time.AfterFunc(wait, p.wakeUp)
			p.cond.Wait()
			t.Stop()
			continue
		}
		switch {
		case p.stopped:
			return capture.ErrNotActive
		case p.gone:
			return capture.ErrInterfaceGone
		case p.interrupted:
			p.interrupted = false
			return capture.ErrInterrupted
		}
		p.cond.Wait()
	}
}

func (p *port) wakeUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *port) Interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interrupted = true
	p.cond.Broadcast()
}

func (p *port) Send(b []byte) error { return p.i.transmit(b) }

func (p *port) Stats() (capture.Stats, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats, nil
}

func (p *port) SyscallConn() (syscall.RawConn, error) {
	return nil, fmt.Errorf("%w: an interface in memory has no descriptor", errors.ErrUnsupported)
}

func (p *port) Close() error {
	p.i.forget(p)
	return nil
}
