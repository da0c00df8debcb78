package link

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// interfaces asks rtnetlink(7). Both questions go through one socket, which
// belongs to the network namespace that the calling thread was in when it was
// made.
func interfaces() ([]Interface, error) {
	c, err := dialRoute()
	if err != nil {
		return nil, err
	}
	defer c.close()
	all, err := c.interfaces()
	for range 3 {
		// The kernel says when a list changed while it was being given.
		if !errors.Is(err, errChanged) {
			break
		}
		all, err = c.interfaces()
	}
	return all, err
}

var (
	errChanged = errors.New("rtnetlink: the interfaces kept changing while they were listed; try again")
	errRoute   = errors.New("rtnetlink: malformed answer from the kernel")
)

// routeConn is a socket to the kernel's routing tables.
type routeConn struct {
	fd  int
	seq uint32
	buf []byte
}

func dialRoute() (*routeConn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The kernel makes its messages no larger than the buffer, but a link with
	// many virtual functions does not fit a page: it goes up to 32 KiB by itself.
	return &routeConn{fd: fd, buf: make([]byte, 1<<16)}, nil
}

func (c *routeConn) close() { _ = unix.Close(c.fd) }

// interfaces dumps the links, and then the addresses on them.
func (c *routeConn) interfaces() ([]Interface, error) {
	var all []Interface
	err := c.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, make([]byte, unix.SizeofIfInfomsg), func(b []byte) error {
		i, err := parseLink(b)
		all = append(all, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	err = c.dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, make([]byte, unix.SizeofIfAddrmsg), func(b []byte) error {
		index, prefix, err := parseAddr(b)
		if err != nil || !prefix.IsValid() {
			return err
		}
		at, ok := slices.BinarySearchFunc(all, index, func(i Interface, index int) int { return cmp.Compare(i.Index, index) })
		if ok {
			all[at].Addrs = append(all[at].Addrs, prefix)
		}
		return nil
	})
	return all, err
}

// dump sends one request for all objects of a kind, whose body is the zero
// value of its struct, and calls f with the body of each answer. The body is
// valid during the call.
//
//	struct nlmsghdr: length, type, flags, sequence, port   16 bytes
//	body, padded to 4 bytes
func (c *routeConn) dump(request, answer uint16, body []byte, f func([]byte) error) error {
	c.seq++
	order := binary.NativeEndian
	msg := order.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	msg = order.AppendUint16(msg, request)
	msg = order.AppendUint16(msg, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	msg = order.AppendUint32(msg, c.seq)
	msg = order.AppendUint32(msg, 0)
	msg = append(msg, body...)
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	if err := unix.Sendto(c.fd, msg, 0, kernel); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	changed := false
	for {
		n, _, flags, from, err := unix.Recvmsg(c.fd, c.buf, nil, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("recvmsg", err)
		case flags&unix.MSG_TRUNC != 0:
			return fmt.Errorf("%w: a message of more than %d bytes", errRoute, len(c.buf))
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // another process may send here; only port 0 is the kernel
		}
		for b := c.buf[:n]; len(b) > 0; {
			if len(b) < unix.SizeofNlMsghdr {
				return errRoute
			}
			length, kind := order.Uint32(b), order.Uint16(b[4:])
			flags, seq := order.Uint16(b[6:]), order.Uint32(b[8:])
			if length < unix.SizeofNlMsghdr || uint64(length) > uint64(len(b)) {
				return errRoute
			}
			body := b[unix.SizeofNlMsghdr:length]
			b = b[min(align4(int(length)), len(b)):]
			if seq != c.seq {
				continue
			}
			changed = changed || flags&unix.NLM_F_DUMP_INTR != 0
			switch kind {
			case unix.NLMSG_DONE:
				if changed {
					return errChanged
				}
				return nil
			case unix.NLMSG_ERROR:
				if len(body) < 4 {
					return errRoute
				}
				return fmt.Errorf("rtnetlink: %w", syscall.Errno(-int32(order.Uint32(body))))
			case answer:
				if err := f(body); err != nil {
					return err
				}
			}
		}
	}
}

func align4(n int) int { return (n + 3) &^ 3 }

// parseLink reads an RTM_NEWLINK message:
//
//	struct ifinfomsg: family, pad, type (ARPHRD), index, flags, change   16 bytes
//	attributes
func parseLink(b []byte) (Interface, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return Interface{}, errRoute
	}
	order := binary.NativeEndian
	i := Interface{
		Index: int(int32(order.Uint32(b[4:]))),
		Flags: flagsFromIFF(order.Uint32(b[8:])),
	}
	var ok bool
	if i.Link, ok = TypeFromARPHRD(order.Uint16(b[2:])); !ok {
		i.Link = TypeLinuxSLL2
	}
	err := attributes(b[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			i.Name = string(bytes.TrimRight(v, "\x00"))
		case unix.IFLA_ADDRESS:
			i.setHardwareAddr(v)
		case unix.IFLA_MTU:
			if len(v) >= 4 {
				i.MTU = int(order.Uint32(v))
			}
		}
	})
	return i, err
}

// parseAddr reads an RTM_NEWADDR message:
//
//	struct ifaddrmsg: family, prefix length, flags, scope, index   8 bytes
//	attributes
//
// The prefix is not valid when the address is not one of IP.
func parseAddr(b []byte) (index int, prefix netip.Prefix, err error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return 0, netip.Prefix{}, errRoute
	}
	index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	// On a point-to-point link the address is the peer's and the local one is
	// ours; elsewhere both are the same, or the local one is missing.
	var address, local netip.Addr
	err = attributes(b[unix.SizeofIfAddrmsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(v)
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		}
	})
	if local.IsValid() {
		address = local
	}
	return index, netip.PrefixFrom(address, int(b[1])), err
}

// attributes calls f for each attribute of b: struct rtattr, two bytes length,
// two bytes type, the value, padded to 4 bytes.
func attributes(b []byte, f func(kind uint16, v []byte)) error {
	order := binary.NativeEndian
	for len(b) >= unix.SizeofRtAttr {
		length := int(order.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			return errRoute
		}
		f(order.Uint16(b[2:]), b[unix.SizeofRtAttr:length])
		b = b[min(align4(length), len(b)):]
	}
	return nil
}

// flagsFromIFF converts net_device flags, linux/if.h.
func flagsFromIFF(iff uint32) Flags {
	var f Flags
	for _, m := range [...]struct {
		iff uint32
		f   Flags
	}{
		{unix.IFF_UP, FlagUp},
		{unix.IFF_RUNNING, FlagRunning},
		{unix.IFF_BROADCAST, FlagBroadcast},
		{unix.IFF_MULTICAST, FlagMulticast},
		{unix.IFF_LOOPBACK, FlagLoopback},
		{unix.IFF_POINTOPOINT, FlagPointToPoint},
		{unix.IFF_PROMISC, FlagPromisc},
		{unix.IFF_ALLMULTI, FlagAllMulti},
		{unix.IFF_NOARP, FlagNoARP},
	} {
		if iff&m.iff != 0 {
			f |= m.f
		}
	}
	return f
}
