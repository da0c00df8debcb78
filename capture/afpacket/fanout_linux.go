package afpacket

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gopkts/gopkts/capture"
	"golang.org/x/net/bpf"
)

// FanoutMode is how a fanout group chooses the member that gets a frame:
// PACKET_FANOUT_ of packet(7).
type FanoutMode uint8

const (
	// FanoutHash goes by the flow, so that each flow stays with one member.
	FanoutHash FanoutMode = 0
	// FanoutRoundRobin gives to one member after the other (PACKET_FANOUT_LB).
	FanoutRoundRobin FanoutMode = 1
	// FanoutCPU goes by the processor that the frame arrived on.
	FanoutCPU FanoutMode = 2
	// FanoutRollover fills one member and goes on with the next when it is full.
	FanoutRollover FanoutMode = 3
	// FanoutRandom chooses at random.
	FanoutRandom FanoutMode = 4
	// FanoutQueue goes by the receive queue of the device.
	FanoutQueue FanoutMode = 5
	// FanoutFilter goes by what a classic BPF program returns, modulo the
	// number of members (PACKET_FANOUT_CBPF).
	FanoutFilter FanoutMode = 6
	// FanoutProgram goes by what an eBPF program returns, modulo the number of
	// members (PACKET_FANOUT_EBPF).
	FanoutProgram FanoutMode = 7
)

// String returns the mode's name, such as "hash", or the number.
func (m FanoutMode) String() string {
	switch m {
	case FanoutHash:
		return "hash"
	case FanoutRoundRobin:
		return "round robin"
	case FanoutCPU:
		return "cpu"
	case FanoutRollover:
		return "rollover"
	case FanoutRandom:
		return "random"
	case FanoutQueue:
		return "queue"
	case FanoutFilter:
		return "filter"
	case FanoutProgram:
		return "program"
	}
	return fmt.Sprintf("FanoutMode(%d)", uint8(m))
}

// Fanout is a group of sockets that share the frames of an interface: each
// frame goes to one member. The first socket founds the group; the others must
// be bound to the same interface and [EtherType], in the same network
// namespace, and say the same. Before Linux 6.13 the interface must be up as
// well, or the error of [Socket.Bind] wraps [capture.ErrInterfaceDown].
type Fanout struct {
	// Group is the number of the group.
	Group uint16
	// UniqueID asks the kernel for a number that is free; Group must be 0.
	// [Socket.FanoutGroup] tells it to the other members, which give it as
	// Group. Linux 4.12.
	UniqueID bool
	// Mode is how to choose.
	Mode FanoutMode
	// Defrag puts fragments of IPv4 packets together first, so that they go
	// where their flow goes.
	Defrag bool
	// Rollover gives a frame to another member when the chosen one has no room.
	Rollover bool
	// IgnoreOutgoing leaves out what the host sends. Linux 5.9.
	IgnoreOutgoing bool
	// Members is the most members that the group may have, up to 65536. 0 is
	// the kernel's 256, and 1 is taken for it too. Linux 5.8.
	Members int
	// Filter is the program for the mode FanoutFilter, of at most 4096
	// instructions. Empty leaves the one that the group has; without any,
	// all frames go to the first member.
	Filter []bpf.RawInstruction
	// Program is the descriptor of the program for the mode FanoutProgram, of
	// the type BPF_PROG_TYPE_SOCKET_FILTER. 0 leaves the one that the group has.
	Program int
}

// Flags of linux/if_packet.h, in the high byte of the type.
const (
	fanoutRollover       = 0x1000
	fanoutUniqueID       = 0x2000
	fanoutIgnoreOutgoing = 0x4000
	fanoutDefrag         = 0x8000
)

func (f *Fanout) check() error {
	switch {
	case f.Mode > FanoutProgram:
		return illegal("Fanout.Mode is %d: must be one of the Fanout constants", f.Mode)
	case f.UniqueID && f.Group != 0:
		return illegal("Fanout.Group is %d with UniqueID: the kernel chooses the group, so it must be 0", f.Group)
	case f.Rollover && f.Mode == FanoutRollover:
		return illegal("Fanout.Rollover with the mode rollover: the mode already is what the flag adds")
	case f.Members < 0 || f.Members > 1<<16:
		return illegal("Fanout.Members is %d: must be from 0 to 65536", f.Members)
	case len(f.Filter) > 0 && f.Mode != FanoutFilter:
		return illegal("Fanout.Filter with the mode %v: needs FanoutFilter", f.Mode)
	case len(f.Filter) > maxFilter:
		return illegal("Fanout.Filter has %d instructions: at most %d", len(f.Filter), maxFilter)
	case f.Program != 0 && f.Mode != FanoutProgram:
		return illegal("Fanout.Program with the mode %v: needs FanoutProgram", f.Mode)
	case f.Program < 0:
		return illegal("Fanout.Program is %d: must be a descriptor", f.Program)
	}
	return nil
}

// join makes a socket a member that is bound to the interface with the index,
// or to all of them with 0.
func (f *Fanout) join(s *Socket, index int) error {
	typ := uint16(f.Mode)
	for _, b := range []struct {
		set bool
		bit uint16
	}{
		{f.Rollover, fanoutRollover}, {f.UniqueID, fanoutUniqueID},
		{f.IgnoreOutgoing, fanoutIgnoreOutgoing}, {f.Defrag, fanoutDefrag},
	} {
		if b.set {
			typ |= b.bit
		}
	}
	members := uint32(f.Members)
	if members == 1 {
		members = 0
	}
	switch err := s.ps.Fanout(f.Group, typ, members); {
	case errors.Is(err, syscall.EINVAL) && s.isDown(index):
		return &advice{fmt.Errorf("%w: %w", capture.ErrInterfaceDown, err), "before Linux 6.13 a fanout group needs one that is up"}
	case errors.Is(err, syscall.EINVAL):
		return &advice{err, fmt.Sprintf("fanout group %d has another mode, interface, EtherType or size, or the kernel does not know the mode or a flag", f.Group)}
	case errors.Is(err, syscall.ENOSPC):
		return &advice{err, fmt.Sprintf("fanout group %d is full: found it with more Members", f.Group)}
	case err != nil:
		return err
	}
	var err error
	switch {
	case len(f.Filter) > 0:
		err = s.ps.FanoutFilter(f.Filter)
	case f.Program != 0:
		err = s.ps.FanoutBPF(f.Program)
	}
	return explainFilter(err)
}

// isDown reports whether the interface with the index is known to be down.
func (s *Socket) isDown(index int) bool {
	if index == 0 {
		return false
	}
	l, err := s.rtnl.Link(index)
	return err == nil && !l.Up()
}

// FanoutGroup returns the number of the group that the socket has joined. The
// error wraps [syscall.ENOENT] when there is none.
func (s *Socket) FanoutGroup() (uint16, error) {
	if s.cfg.Fanout == nil || s.binding.Load() == nil {
		return 0, s.fail("fanout", syscall.ENOENT)
	}
	group, _, err := s.ps.FanoutGroup()
	return group, s.fail("fanout", err)
}
