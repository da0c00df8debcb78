package sys

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filter returns the classic filter of the socket, and nothing when there is
// none. The error wraps EACCES when the filter is an eBPF program.
func (s *PacketSocket) Filter() ([]bpf.RawInstruction, error) {
	var prog []bpf.RawInstruction
	err := s.Control(func(fd int) error {
		// The length of this option is counted in instructions. With 0, the
		// kernel says how many there are.
		n, err := getsockopt(fd, unix.SOL_SOCKET, unix.SO_GET_FILTER, nil, 0)
		if err != nil || n == 0 {
			return os.NewSyscallError("getsockopt SO_GET_FILTER", err)
		}
		insns := make([]unix.SockFilter, n)
		if n, err = getsockopt(fd, unix.SOL_SOCKET, unix.SO_GET_FILTER, unsafe.Pointer(&insns[0]), n); err != nil {
			return os.NewSyscallError("getsockopt SO_GET_FILTER", err) // another filter was set meanwhile
		}
		prog = make([]bpf.RawInstruction, min(int(n), len(insns)))
		for i := range prog {
			in := &insns[i]
			prog[i] = bpf.RawInstruction{Op: in.Code, Jt: in.Jt, Jf: in.Jf, K: in.K}
		}
		return nil
	})
	return prog, err
}

// getsockopt is for options that x/sys has no type for. It returns the length
// that the kernel set.
func getsockopt(fd, level, opt int, value unsafe.Pointer, length uint32) (uint32, error) {
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt),
		uintptr(value), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return 0, errno
	}
	return length, nil
}

// memDrops is SK_MEMINFO_DROPS of linux/sock_diag.h, and memVars the number of
// values that there are.
const (
	memDrops = 8
	memVars  = 9
)

// MemDrops returns how many packets found no room in a socket's queue, modulo
// 2^32: SO_MEMINFO, since Linux 4.12. It is for raw IP, which has no counters of
// its own.
func (s *PacketSocket) MemDrops() (uint32, error) {
	var info [memVars]uint32
	err := s.Control(func(fd int) error {
		_, err := getsockopt(fd, unix.SOL_SOCKET, unix.SO_MEMINFO, unsafe.Pointer(&info), uint32(unsafe.Sizeof(info)))
		return os.NewSyscallError("getsockopt SO_MEMINFO", err)
	})
	return info[memDrops], err
}

// Membership adds or drops a membership, PACKET_MR_ of packet(7), of an
// interface. addr has at most 32 bytes.
func (s *PacketSocket) Membership(add bool, ifindex int, typ uint16, addr []byte) error {
	// struct packet_mreq has room for 8 bytes of address; the kernel takes more.
	b := make([]byte, 8+max(8, len(addr)))
	binary.NativeEndian.PutUint32(b, uint32(int32(ifindex)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], uint16(len(addr)))
	copy(b[8:], addr)
	opt, name := unix.PACKET_DROP_MEMBERSHIP, "PACKET_DROP_MEMBERSHIP"
	if add {
		opt, name = unix.PACKET_ADD_MEMBERSHIP, "PACKET_ADD_MEMBERSHIP"
	}
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt "+name, unix.SetsockoptString(fd, unix.SOL_PACKET, opt, string(b)))
	})
}

// Fanout joins or founds a fanout group: the id in the low 16 bits, the type
// and its flags in the high ones. members is the most that the group may have,
// 0 for the kernel's choice.
func (s *PacketSocket) Fanout(group, typeFlags uint16, members uint32) error {
	// struct fanout_args is declared so that it reads as this number with
	// either byte order. Its second word is there since Linux 5.8.
	b := binary.NativeEndian.AppendUint32(nil, uint32(group)|uint32(typeFlags)<<16)
	if members != 0 {
		b = binary.NativeEndian.AppendUint32(b, members)
	}
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt PACKET_FANOUT",
			unix.SetsockoptString(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, string(b)))
	})
}

// FanoutGroup returns the group that the socket is a member of, and its type
// with the flags.
func (s *PacketSocket) FanoutGroup() (group, typeFlags uint16, err error) {
	err = s.Control(func(fd int) error {
		v, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
		group, typeFlags = uint16(v), uint16(uint32(v)>>16)
		return os.NewSyscallError("getsockopt PACKET_FANOUT", err)
	})
	return group, typeFlags, err
}

// FanoutFilter sets the classic program that chooses the member of the group.
func (s *PacketSocket) FanoutFilter(prog []bpf.RawInstruction) error {
	insns := sockFilter(prog)
	fprog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt PACKET_FANOUT_DATA",
			unix.SetsockoptSockFprog(fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, &fprog))
	})
}

// FanoutBPF sets the eBPF program that chooses the member of the group.
func (s *PacketSocket) FanoutBPF(prog int) error {
	return s.setInt(unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, prog, "PACKET_FANOUT_DATA")
}

// Stamps asks for timestamps.
type Stamps struct {
	RxHardware                      bool
	TxSched, TxSoftware, TxHardware bool
	// TxRing has the device's time of sent frames written into the transmit
	// ring as well.
	TxRing bool
}

// SetStamps asks for the kernel's time of every packet that is received, and
// for what st says.
func (s *PacketSocket) SetStamps(st Stamps) error {
	// Two variants of each option differ in the size of their stamps on 32 bits.
	// The kernel wants one kind for both.
	ns, ing := unix.SO_TIMESTAMPNS, unix.SO_TIMESTAMPING
	if bits.UintSize == 32 {
		ns, ing = unix.SO_TIMESTAMPNS_NEW, unix.SO_TIMESTAMPING_NEW
		if err := s.setInt(unix.SOL_SOCKET, ns, 1, "SO_TIMESTAMPNS_NEW"); errors.Is(err, unix.ENOPROTOOPT) { // before Linux 5.1
			ns, ing = unix.SO_TIMESTAMPNS, unix.SO_TIMESTAMPING
		}
	}
	if err := s.setInt(unix.SOL_SOCKET, ns, 1, "SO_TIMESTAMPNS"); err != nil {
		return err
	}
	flags := 0
	if st.RxHardware {
		flags |= unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	}
	if st.TxSched {
		flags |= unix.SOF_TIMESTAMPING_TX_SCHED | unix.SOF_TIMESTAMPING_SOFTWARE
	}
	if st.TxSoftware {
		flags |= unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
	}
	if st.TxHardware {
		flags |= unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	}
	if flags == 0 {
		return nil
	}
	if st.TxSched || st.TxSoftware || st.TxHardware {
		// Packets are numbered, and do not come back themselves. Where they do, it
		// is a clone of what the ring takes its time from, and shares it with that:
		// __skb_tstamp_tx of net/core/skbuff.c.
		flags |= unix.SOF_TIMESTAMPING_OPT_ID
		if !st.TxRing {
			flags |= unix.SOF_TIMESTAMPING_OPT_TSONLY
		}
	}
	if st.TxSoftware && st.TxHardware {
		// Otherwise a packet that the device stamps has no other stamp of being
		// sent. Linux 4.13.
		err := s.setInt(unix.SOL_SOCKET, ing, flags|unix.SOF_TIMESTAMPING_OPT_TX_SWHW, "SO_TIMESTAMPING")
		if !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return s.setInt(unix.SOL_SOCKET, ing, flags, "SO_TIMESTAMPING")
}

// SetRingStamps makes a ring prefer the time of the device.
func (s *PacketSocket) SetRingStamps() error {
	return s.setInt(unix.SOL_PACKET, unix.PACKET_TIMESTAMP,
		unix.SOF_TIMESTAMPING_RAW_HARDWARE|unix.SOF_TIMESTAMPING_SOFTWARE, "PACKET_TIMESTAMP")
}

// HardwareStamps is struct hwtstamp_config, linux/net_tstamp.h.
type HardwareStamps struct {
	Tx int32 // HWTSTAMP_TX_*
	Rx int32 // HWTSTAMP_FILTER_*
}

// SetHardwareStamps tells a device which frames to stamp, and returns what it
// does instead.
func (s *PacketSocket) SetHardwareStamps(name string, h HardwareStamps) (HardwareStamps, error) {
	c := unix.HwTstampConfig{Tx_type: h.Tx, Rx_filter: h.Rx}
	err := s.Control(func(fd int) error {
		return os.NewSyscallError("ioctl SIOCSHWTSTAMP", unix.IoctlSetHwTstamp(fd, name, &c))
	})
	return HardwareStamps{Tx: c.Tx_type, Rx: c.Rx_filter}, err
}

// HardwareStamps returns which frames a device stamps.
func (s *PacketSocket) HardwareStamps(name string) (HardwareStamps, error) {
	var h HardwareStamps
	err := s.Control(func(fd int) error {
		c, err := unix.IoctlGetHwTstamp(fd, name)
		if err == nil {
			h = HardwareStamps{Tx: c.Tx_type, Rx: c.Rx_filter}
		}
		return os.NewSyscallError("ioctl SIOCGHWTSTAMP", err)
	})
	return h, err
}

// LocalName returns what the socket is bound to: a struct sockaddr_ll as
// [ParseLinkName] reads it. Its address aliases nothing.
func (s *PacketSocket) LocalName() (LinkName, error) {
	var n LinkName
	err := s.Control(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		if err != nil {
			return os.NewSyscallError("getsockname", err)
		}
		ll, ok := sa.(*unix.SockaddrLinklayer)
		if !ok {
			return os.NewSyscallError("getsockname", unix.EAFNOSUPPORT)
		}
		n = LinkName{
			Interface: ll.Ifindex,
			Protocol:  htons(ll.Protocol),
			Hardware:  ll.Hatype,
			Type:      ll.Pkttype,
			Addr:      ll.Addr[:min(int(ll.Halen), len(ll.Addr))],
		}
		return nil
	})
	return n, err
}

// BindDevice makes a raw IP socket use one interface only.
func (s *PacketSocket) BindDevice(name string) error {
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt SO_BINDTODEVICE", unix.BindToDevice(fd, name))
	})
}

// BindIP makes a raw IP socket receive what is for a, and send from it.
func (s *PacketSocket) BindIP(a netip.Addr, scope uint32) error {
	return s.Control(func(fd int) error {
		var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: a.As16(), ZoneId: scope}
		if a.Is4() {
			sa = &unix.SockaddrInet4{Addr: a.As4()}
		}
		return os.NewSyscallError("bind", unix.Bind(fd, sa))
	})
}

// LocalIP returns the address that a raw IP socket is bound to.
func (s *PacketSocket) LocalIP() (addr netip.Addr, scope uint32, err error) {
	err = s.Control(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		if err != nil {
			return os.NewSyscallError("getsockname", err)
		}
		switch sa := sa.(type) {
		case *unix.SockaddrInet4:
			addr = netip.AddrFrom4(sa.Addr)
		case *unix.SockaddrInet6:
			addr, scope = netip.AddrFrom16(sa.Addr), sa.ZoneId
		}
		return nil
	})
	return addr, scope, err
}

// ParseIPName reads what [Messages.Name] returned for a raw IP socket.
func ParseIPName(b []byte) (addr netip.Addr, scope uint32) {
	if len(b) < 2 {
		return netip.Addr{}, 0
	}
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		if len(b) >= 8 {
			addr = netip.AddrFrom4([4]byte(b[4:]))
		}
	case unix.AF_INET6:
		if len(b) >= unix.SizeofSockaddrInet6 {
			addr, scope = netip.AddrFrom16([16]byte(b[8:])), binary.NativeEndian.Uint32(b[24:])
		}
	}
	return addr, scope
}
