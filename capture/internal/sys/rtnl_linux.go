package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Rtnl speaks rtnetlink(7) in the network namespace of the thread that opened
// it. All methods may be called concurrently.
type Rtnl struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	buf []byte
}

// OpenRtnl opens a socket in the network namespace of the calling thread.
func OpenRtnl() (*Rtnl, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket AF_NETLINK", err)
	}
	// The kernel answers within sendto; the limit is for the day it does not.
	tv := unix.Timeval{Sec: 5}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setsockopt SO_RCVTIMEO", err)
	}
	return &Rtnl{fd: fd, buf: make([]byte, 64<<10)}, nil
}

// Close closes the socket. Later calls fail.
func (r *Rtnl) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return os.ErrClosed
	}
	err := unix.Close(r.fd)
	r.fd = -1
	return os.NewSyscallError("close", err)
}

// Link is what the kernel says of an interface.
type Link struct {
	Index     int
	Name      string
	Hardware  uint16 // ARPHRD_* of linux/if_arp.h
	Flags     uint32 // IFF_* of linux/if.h
	OperState uint8  // RFC 2863: 6 is up
	MTU       int    // bytes
	Qdisc     string // queueing discipline; "noop" drops everything silently
	Missed    uint64 // frames the device had no room for: rx_missed_errors and rx_fifo_errors
}

// Up reports whether somebody has set the interface up.
func (l Link) Up() bool { return l.Flags&unix.IFF_UP != 0 }

// Link returns the interface with the given index, or an error that wraps
// ENODEV.
func (r *Rtnl) Link(index int) (Link, error) {
	var m message
	m.ifinfo(int32(index), 0, 0)
	reply, err := r.request(unix.RTM_GETLINK, 0, m)
	if err != nil {
		return Link{}, err
	}
	return parseLink(reply)
}

// gone reports whether there is no interface with the given index. A nil Rtnl
// has not been opened for lack of one, as for all interfaces at once.
func (r *Rtnl) gone(index int) bool {
	if r == nil {
		return false
	}
	_, err := r.Link(index)
	return errors.Is(err, unix.ENODEV)
}

// LinkByName returns the interface with the given name, or an error that wraps
// ENODEV.
func (r *Rtnl) LinkByName(name string) (Link, error) {
	var m message
	m.ifinfo(0, 0, 0)
	m.str(unix.IFLA_IFNAME, name)
	reply, err := r.request(unix.RTM_GETLINK, 0, m)
	if err != nil {
		return Link{}, err
	}
	return parseLink(reply)
}

// AddVeth makes two interfaces that are connected by a virtual cable: name in
// the socket's own namespace, peer in the one that peerNS is a descriptor of.
func (r *Rtnl) AddVeth(name, peer string, peerNS int) error {
	var m message
	m.ifinfo(0, 0, 0)
	m.str(unix.IFLA_IFNAME, name)
	m.nest(unix.IFLA_LINKINFO, func() {
		m.str(unix.IFLA_INFO_KIND, "veth")
		m.nest(unix.IFLA_INFO_DATA, func() {
			m.nest(vethInfoPeer, func() {
				m.ifinfo(0, 0, 0)
				m.str(unix.IFLA_IFNAME, peer)
				m.u32(unix.IFLA_NET_NS_FD, uint32(peerNS))
			})
		})
	})
	_, err := r.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
	return err
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// DeleteLink removes an interface.
func (r *Rtnl) DeleteLink(index int) error {
	var m message
	m.ifinfo(int32(index), 0, 0)
	_, err := r.request(unix.RTM_DELLINK, 0, m)
	return err
}

// SetUp takes an interface up or down.
func (r *Rtnl) SetUp(index int, up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	var m message
	m.ifinfo(int32(index), flags, unix.IFF_UP)
	_, err := r.request(unix.RTM_NEWLINK, 0, m)
	return err
}

// SetMTU sets the MTU of an interface in bytes.
func (r *Rtnl) SetMTU(index, mtu int) error {
	var m message
	m.ifinfo(int32(index), 0, 0)
	m.u32(unix.IFLA_MTU, uint32(mtu))
	_, err := r.request(unix.RTM_NEWLINK, 0, m)
	return err
}

// SetName renames an interface.
func (r *Rtnl) SetName(index int, name string) error {
	var m message
	m.ifinfo(int32(index), 0, 0)
	m.str(unix.IFLA_IFNAME, name)
	_, err := r.request(unix.RTM_NEWLINK, 0, m)
	return err
}

// SetNS moves an interface into the network namespace that ns is a descriptor
// of.
func (r *Rtnl) SetNS(index, ns int) error {
	var m message
	m.ifinfo(int32(index), 0, 0)
	m.u32(unix.IFLA_NET_NS_FD, uint32(ns))
	_, err := r.request(unix.RTM_NEWLINK, 0, m)
	return err
}

// AddAddress gives an interface an address.
func (r *Rtnl) AddAddress(index int, p netip.Prefix) error {
	var m message
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	// struct ifaddrmsg: family, prefix length, flags, scope, index. Without
	// IFA_F_NODAD an IPv6 address is not usable for a second.
	m = append(m, family, byte(p.Bits()), unix.IFA_F_NODAD, 0)
	m = binary.NativeEndian.AppendUint32(m, uint32(index))
	m.attr(unix.IFA_LOCAL, p.Addr().AsSlice())
	m.attr(unix.IFA_ADDRESS, p.Addr().AsSlice())
	_, err := r.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
	return err
}

// request sends one message and returns the body of the answer, which aliases
// a new buffer and is empty for a mere acknowledgement.
func (r *Rtnl) request(typ, flags uint16, body message) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return nil, os.ErrClosed
	}
	r.seq++
	flags |= unix.NLM_F_REQUEST
	if typ != unix.RTM_GETLINK {
		flags |= unix.NLM_F_ACK
	}
	out := make([]byte, 0, unix.NLMSG_HDRLEN+len(body))
	out = binary.NativeEndian.AppendUint32(out, uint32(unix.NLMSG_HDRLEN+len(body)))
	out = binary.NativeEndian.AppendUint16(out, typ)
	out = binary.NativeEndian.AppendUint16(out, flags)
	out = binary.NativeEndian.AppendUint32(out, r.seq)
	out = binary.NativeEndian.AppendUint32(out, 0)
	out = append(out, body...)
	if err := unix.Sendto(r.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto netlink", err)
	}
	for {
		n, _, err := unix.Recvfrom(r.fd, r.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom netlink", err)
		}
		b := r.buf[:n]
		for len(b) >= unix.NLMSG_HDRLEN {
			length := int(binary.NativeEndian.Uint32(b))
			if length < unix.NLMSG_HDRLEN || length > len(b) {
				return nil, fmt.Errorf("netlink answer has length %d in %d bytes: %w", length, len(b), unix.EBADMSG)
			}
			got := binary.NativeEndian.Uint16(b[4:])
			seq := binary.NativeEndian.Uint32(b[8:])
			reply := b[unix.NLMSG_HDRLEN:length]
			b = b[min((length+3)&^3, len(b)):]
			if seq != r.seq {
				continue // the answer to a request that timed out
			}
			if got != unix.NLMSG_ERROR {
				return append([]byte(nil), reply...), nil
			}
			if len(reply) < 4 {
				return nil, fmt.Errorf("netlink error of %d bytes: %w", len(reply), unix.EBADMSG)
			}
			if errno := int32(binary.NativeEndian.Uint32(reply)); errno != 0 {
				return nil, os.NewSyscallError("netlink", unix.Errno(-errno))
			}
			return nil, nil
		}
	}
}

// ifInfoLen is the length of struct ifinfomsg.
const ifInfoLen = 16

// offsets within struct rtnl_link_stats64, in bytes.
const (
	stats64OffFIFO   = 14 * 8 // rx_fifo_errors
	stats64OffMissed = 15 * 8 // rx_missed_errors
	stats64MinLen    = 16 * 8
)

func parseLink(b []byte) (Link, error) {
	if len(b) < ifInfoLen {
		return Link{}, fmt.Errorf("netlink link of %d bytes: %w", len(b), unix.EBADMSG)
	}
	l := Link{
		Hardware: binary.NativeEndian.Uint16(b[2:]),
		Index:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Flags:    binary.NativeEndian.Uint32(b[8:]),
	}
	for b = b[ifInfoLen:]; len(b) >= unix.SizeofRtAttr; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		v := b[unix.SizeofRtAttr:n]
		switch binary.NativeEndian.Uint16(b[2:]) {
		case unix.IFLA_IFNAME:
			l.Name = unix.ByteSliceToString(v)
		case unix.IFLA_MTU:
			if len(v) >= 4 {
				l.MTU = int(min(binary.NativeEndian.Uint32(v), 1<<31-1))
			}
		case unix.IFLA_QDISC:
			l.Qdisc = unix.ByteSliceToString(v)
		case unix.IFLA_OPERSTATE:
			if len(v) > 0 {
				l.OperState = v[0]
			}
		case unix.IFLA_STATS64:
			if len(v) >= stats64MinLen {
				l.Missed = binary.NativeEndian.Uint64(v[stats64OffFIFO:]) +
					binary.NativeEndian.Uint64(v[stats64OffMissed:])
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return l, nil
}

// A message is the body of a request: a fixed header and attributes.
type message []byte

// ifinfo appends a struct ifinfomsg.
func (m *message) ifinfo(index int32, flags, change uint32) {
	b := append(*m, unix.AF_UNSPEC, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	*m = binary.NativeEndian.AppendUint32(b, change)
}

// attr appends an attribute.
func (m *message) attr(typ uint16, v []byte) {
	b := binary.NativeEndian.AppendUint16(*m, uint16(unix.SizeofRtAttr+len(v)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, v...)
	*m = append(b, make([]byte, -len(v)&3)...)
}

func (m *message) str(typ uint16, s string) { m.attr(typ, append([]byte(s), 0)) }

func (m *message) u32(typ uint16, v uint32) { m.attr(typ, binary.NativeEndian.AppendUint32(nil, v)) }

// nest appends an attribute that holds what f appends.
func (m *message) nest(typ uint16, f func()) {
	start := len(*m)
	*m = append(*m, 0, 0, 0, 0)
	f()
	binary.NativeEndian.PutUint16((*m)[start:], uint16(len(*m)-start))
	binary.NativeEndian.PutUint16((*m)[start+2:], typ)
}
