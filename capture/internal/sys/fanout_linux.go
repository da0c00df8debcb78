package sys

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Modes of PACKET_FANOUT, include/uapi/linux/if_packet.h.
const (
	FanoutHash       = unix.PACKET_FANOUT_HASH
	FanoutRoundRobin = unix.PACKET_FANOUT_LB
	FanoutCPU        = unix.PACKET_FANOUT_CPU
	FanoutRollover   = unix.PACKET_FANOUT_ROLLOVER
	FanoutRandom     = unix.PACKET_FANOUT_RND
	FanoutQueue      = unix.PACKET_FANOUT_QM
)

// NewFanout makes a group of the AF_PACKET socket c, which must be bound, and
// returns its number, which nobody else in the network namespace has.
func NewFanout(c syscall.RawConn, mode int) (group int, err error) {
	err = control(c, func(fd int) error {
		// The kernel chooses the number: Linux 4.12.
		if err := setFanout(fd, 0, mode|unix.PACKET_FANOUT_FLAG_UNIQUEID); err != nil {
			return err
		}
		v, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
		group = v & 0xffff
		return os.NewSyscallError("getsockopt PACKET_FANOUT", err)
	})
	return group, err
}

// JoinFanout adds the socket c, bound to the same interface, to a group of the
// same mode.
func JoinFanout(c syscall.RawConn, group, mode int) error {
	return control(c, func(fd int) error { return setFanout(fd, group, mode) })
}

// setFanout tells the kernel the group, in the low half, and the mode and its
// flags, in the high half.
func setFanout(fd, group, mode int) error {
	return os.NewSyscallError("setsockopt PACKET_FANOUT",
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, int(int32(uint32(mode)<<16|uint32(group)))))
}

// Unbound reports whether the interface that the AF_PACKET socket c was bound
// to has left its network namespace: it was deleted or moved elsewhere. The
// kernel reports that to a waiting socket as it reports an interface that went
// down, and to a socket that has heard of that not at all.
func Unbound(c syscall.RawConn) bool {
	unbound := false
	err := control(c, func(fd int) error {
		sa, err := unix.Getsockname(fd)
		if ll, ok := sa.(*unix.SockaddrLinklayer); ok && err == nil {
			unbound = ll.Ifindex < 0 // packet_notifier of net/packet/af_packet.c
		}
		return err
	})
	return unbound && err == nil
}

// control runs f on the descriptor of c, which stays open meanwhile.
func control(c syscall.RawConn, f func(fd int) error) error {
	var inner error
	if err := c.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return os.ErrClosed // the only reason there is
	}
	return inner
}
