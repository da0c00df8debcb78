package capture

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Fanout is how the operating system shares the frames of an interface among
// the Sniffers of a [Group]. On Linux these are the modes of PACKET_FANOUT,
// packet(7).
type Fanout uint8

const (
	// FanoutHash gives all frames of a flow to the same Sniffer, whichever way
	// they go. A flow is what has the same pair of IP addresses and, with TCP,
	// UDP and SCTP, the same pair of ports; what is no IP goes by its EtherType.
	FanoutHash Fanout = iota
	// FanoutRoundRobin gives one frame to each Sniffer in turn.
	FanoutRoundRobin
	// FanoutCPU chooses by the processor on which the kernel handles the frame.
	FanoutCPU
	// FanoutRollover fills the buffer of one Sniffer before it takes the next.
	FanoutRollover
	// FanoutRandom chooses at random.
	FanoutRandom
	// FanoutQueue chooses by the receive queue of the interface, which keeps
	// those frames together that the device puts into one queue.
	//
	// With [BackendXDP] there is no other way: each Sniffer has every n-th queue,
	// and FanoutHash is the same, which it is in effect on a device that spreads
	// its queues by a hash of the flow. What a Sniffer sends, it captures itself.
	FanoutQueue
)

// fanoutNames are the names of the ways to share, by number.
var fanoutNames = [...]string{"hash", "round-robin", "cpu", "rollover", "random", "queue"}

// String returns "hash", "round-robin", "cpu", "rollover", "random", "queue" or
// the number.
func (f Fanout) String() string {
	if int(f) < len(fanoutNames) {
		return fanoutNames[f]
	}
	return fmt.Sprintf("Fanout(%d)", uint8(f))
}

// maxGroup is how many Sniffers a group may have: PACKET_FANOUT_MAX of older
// kernels.
const maxGroup = 256

// Group is several Sniffers that share the frames of one interface, so that
// each of several processors reads its own part of them. [OpenGroup] makes one.
//
// # Order
//
// Within a Sniffer, frames come in the order in which they were captured. With
// [FanoutHash], which is the default, all frames of a flow are in one Sniffer:
// those that arrive and those that leave, so that a connection can be followed
// where its frames are read. Across Sniffers there is no order but that of
// [link.Info.Time].
//
// Which Sniffer gets a flow is the system's choice. Two things move flows from
// one Sniffer to another: that a Sniffer of the group is closed, and that the
// interface goes down. The fragments of an IP datagram stay together, and
// perhaps apart from the flow's other frames, because only the first of them
// has ports.
//
// Every method may be called from any goroutine at any time.
type Group struct {
	sniffers []*Sniffer

	mu     sync.Mutex // one change at a time, for all Sniffers alike
	closed bool
}

// OpenGroup prepares the capture of the interface called name by n Sniffers,
// which share its frames as [Config.Fanout] says. n is from 1 to 256; 0 asks for
// as many as the program uses processors, [runtime.GOMAXPROCS]. Every Sniffer
// has a buffer of [Config.BufferSize] of its own. The caller must call
// [Group.Close].
//
//	g, err := capture.OpenGroup("eth0", 0, nil)
//	if err != nil {
//		return err
//	}
//	defer g.Close()
//	for _, s := range g.Sniffers() {
//		go read(s)
//	}
//
// The error is that of [Open]. It wraps [errors.ErrUnsupported] for n above 1
// where the platform, or the backend that cfg asks for, cannot share, and
// [ErrInterfaceDown] where sockets cannot share an interface that is down:
// Linux before 6.13.
func OpenGroup(name string, n int, cfg *Config) (*Group, error) {
	c, err := cfg.Normalize()
	if err == nil && (n < 0 || n > maxGroup) {
		err = illegal("a group of %d Sniffers: must be from 1 to %d, or 0 for one a processor", n, maxGroup)
	}
	if err != nil {
		return nil, opError("open", name, err)
	}
	if n == 0 {
		n = min(runtime.GOMAXPROCS(0), maxGroup)
	}
	ifi, err := interfaceByName(name)
	if err != nil {
		return nil, opError("open", name, err)
	}
	backends, err := openGroup(ifi, n, &c)
	if err != nil {
		return nil, opError("open", name, err)
	}
	g := new(Group)
	for _, b := range backends {
		g.sniffers = append(g.sniffers, newSniffer(b, &c))
	}
	return g, nil
}

// NewGroup makes a Group of Sniffers, which belong to it from then on. That
// they share the frames is the caller's business.
func NewGroup(sniffers ...*Sniffer) *Group {
	return &Group{sniffers: slices.Clone(sniffers)}
}

// Sniffers returns the members, in an order that stays the same. Each is read
// like any other Sniffer; what concerns the filter is better done through the
// Group.
func (g *Group) Sniffers() []*Sniffer { return slices.Clone(g.sniffers) }

// Interface returns the interface as it was when g was opened.
func (g *Group) Interface() link.Interface {
	if len(g.sniffers) == 0 {
		return link.Interface{}
	}
	return g.sniffers[0].Interface()
}

// Link says how the first byte of every frame is read, and written.
func (g *Group) Link() link.Type { return g.Interface().Link }

// Backend tells how the frames get to the program; it is the same for all
// Sniffers.
func (g *Group) Backend() BackendInfo {
	if len(g.sniffers) == 0 {
		return BackendInfo{}
	}
	return g.sniffers[0].Backend()
}

// Activate activates one Sniffer after the other, as [Sniffer.Activate] does:
// when it returns, every frame read from any of them was accepted by filter.
// When the operating system does not accept the filter, all are left
// deactivated with nothing to read.
func (g *Group) Activate(filter []bpf.RawInstruction) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sniffers {
		// What is malformed changes nothing.
		if _, err := withSnapLen(filter, s.snap); err != nil {
			return opError("activate", s.ifi.Name, err)
		}
	}
	for _, s := range g.sniffers {
		if err := s.Activate(filter); err != nil {
			if errors.Is(err, ErrFilter) {
				for _, s := range g.sniffers {
					s.reset()
				}
			}
			return err
		}
	}
	return nil
}

// Deactivate ends the capture, as [Sniffer.Deactivate] does: frames captured
// before can still be read from every Sniffer.
func (g *Group) Deactivate() error { return g.each((*Sniffer).Deactivate) }

// Lock makes the filter final, as [Sniffer.Lock] does.
func (g *Group) Lock() error { return g.each((*Sniffer).Lock) }

// each calls f with one Sniffer after the other until it fails.
func (g *Group) each(f func(*Sniffer) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sniffers {
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

// Stats returns the sum of the counters of all Sniffers, except for
// InterfaceDropped, which counts for the interface they have in common.
func (g *Group) Stats() (Stats, error) {
	var sum Stats
	for _, s := range g.sniffers {
		st, err := s.Stats()
		if err != nil {
			return Stats{}, err
		}
		sum.Received += st.Received
		sum.Dropped += st.Dropped
		sum.RingFreezes += st.RingFreezes
		sum.InterfaceDropped = max(sum.InterfaceDropped, st.InterfaceDropped)
		sum.Truncated += st.Truncated
	}
	return sum, nil
}

// Close closes all Sniffers. The error wraps [net.ErrClosed] when g was closed
// before.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return opError("close", g.Interface().Name, net.ErrClosed)
	}
	g.closed = true
	var errs []error
	for _, s := range g.sniffers {
		// One that its reader has closed is no error.
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
