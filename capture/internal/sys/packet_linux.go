package sys

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A PacketSocket is a socket for whole packets, AF_PACKET or raw IP, that does
// not block and waits on the runtime's poller. Its methods may be called at any
// time by anyone.
type PacketSocket struct {
	d descriptor

	// Held by whoever tries to read or write while the poller does not know the
	// socket, and so does not let them in one by one.
	reading, writing sync.Mutex

	meter Meter
}

// OpenPacket makes a socket. With AF_PACKET and protocol 0 it receives nothing
// until it is bound.
func OpenPacket(domain, typ, protocol int, name string) (*PacketSocket, error) {
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return newPacketSocket(fd, name), nil
}

// newPacketSocket makes a PacketSocket of a descriptor that does not block.
func newPacketSocket(fd int, name string) *PacketSocket {
	return &PacketSocket{d: descriptor{fd: fd, name: name}}
}

// Dup returns another descriptor of the same socket, with deadlines of its
// own, for somebody who waits for something else. Both have to be closed.
func (s *PacketSocket) Dup() (*PacketSocket, error) {
	var dup *PacketSocket
	err := s.Control(func(fd int) error {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
		}
		dup = newPacketSocket(n, s.d.name)
		return nil
	})
	return dup, err
}

// Control runs f on the descriptor, which stays open meanwhile. The error is
// that of f, or [os.ErrClosed].
func (s *PacketSocket) Control(f func(fd int) error) error {
	if !s.d.acquire() {
		return os.ErrClosed
	}
	defer s.d.release()
	return f(s.d.fd)
}

// Raw gives access to the descriptor and to the poller.
func (s *PacketSocket) Raw() syscall.RawConn { return rawConn{s} }

// rawConn is a PacketSocket as a syscall.RawConn.
type rawConn struct{ s *PacketSocket }

func (c rawConn) Control(f func(fd uintptr)) error {
	if !c.s.d.acquire() {
		return os.ErrClosed
	}
	defer c.s.d.release()
	f(uintptr(c.s.d.fd))
	return nil
}

func (c rawConn) Read(f func(fd uintptr) bool) error  { return c.s.Read(f) }
func (c rawConn) Write(f func(fd uintptr) bool) error { return c.s.Write(f) }

// Read calls f until it returns true: at once, and then whenever the socket may
// have become readable. One Read runs at a time. The error is
// [os.ErrDeadlineExceeded] or [os.ErrClosed].
func (s *PacketSocket) Read(f func(fd uintptr) bool) error {
	w, err := s.try(&s.reading, f)
	if w == nil {
		return err
	}
	return waitError(w.raw.Read(f))
}

// Write is Read for a socket that may have become writable.
func (s *PacketSocket) Write(f func(fd uintptr) bool) error {
	w, err := s.try(&s.writing, f)
	if w == nil {
		return err
	}
	return waitError(w.raw.Write(f))
}

// try calls f once, unless the poller knows the socket: then it is the one to
// call f. It returns who waits when that is necessary, and nil when f is done.
func (s *PacketSocket) try(turn *sync.Mutex, f func(fd uintptr) bool) (*waiter, error) {
	if w := s.d.waiter.Load(); w != nil {
		return w, nil
	}
	turn.Lock()
	defer turn.Unlock()
	if w := s.d.waiter.Load(); w != nil {
		return w, nil
	}
	if !s.d.acquire() {
		return nil, os.ErrClosed
	}
	defer s.d.release()
	if f(uintptr(s.d.fd)) {
		return nil, nil
	}
	return s.d.wait()
}

// waitError gives an error of the poller a name: what is no deadline says, in
// words of its own, that the file is closed.
func waitError(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return os.ErrClosed
}

// SetReadDeadline ends waits for reading at t.
func (s *PacketSocket) SetReadDeadline(t time.Time) error {
	w, err := s.d.wait()
	if err != nil {
		return err
	}
	return waitError(w.f.SetReadDeadline(t))
}

// SetWriteDeadline ends waits for writing at t.
func (s *PacketSocket) SetWriteDeadline(t time.Time) error {
	w, err := s.d.wait()
	if err != nil {
		return err
	}
	return waitError(w.f.SetWriteDeadline(t))
}

// Close closes the descriptor and ends all waits.
func (s *PacketSocket) Close() error { return s.d.close() }

// setInt sets an option that is an int. name is for the error.
func (s *PacketSocket) setInt(level, opt, value int, name string) error {
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(fd, level, opt, value))
	})
}

// BindLink binds to an interface, or to all with ifindex 0, and to a protocol
// in host order: packet(7).
func (s *PacketSocket) BindLink(protocol uint16, ifindex int) error {
	return s.Control(func(fd int) error {
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(protocol), Ifindex: ifindex}))
	})
}

// AttachFilter sets the filter, in place of the one that there may be. prog
// must not be empty, nor longer than BPF_MAXINSNS.
func (s *PacketSocket) AttachFilter(prog []bpf.RawInstruction) error {
	insns := sockFilter(prog)
	fprog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER",
			unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog))
	})
}

func sockFilter(prog []bpf.RawInstruction) []unix.SockFilter {
	insns := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		insns[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return insns
}

// DetachFilter removes the filter, classic or eBPF. The error wraps ENOENT
// when there is none.
func (s *PacketSocket) DetachFilter() error {
	// The value does not matter, but the kernel wants one: with none, or with
	// fewer bytes than an int, it says EINVAL.
	return s.setInt(unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0, "SO_DETACH_FILTER")
}

// LockFilter makes the filter that is set the last one.
func (s *PacketSocket) LockFilter() error {
	return s.setInt(unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1, "SO_LOCK_FILTER")
}

// AttachBPF sets an eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER as the
// filter.
func (s *PacketSocket) AttachBPF(prog int) error {
	return s.setInt(unix.SOL_SOCKET, unix.SO_ATTACH_BPF, prog, "SO_ATTACH_BPF")
}

// Drain throws away what is queued for reading. The filter should reject
// everything meanwhile: see [Barrier].
func (s *PacketSocket) Drain() error {
	return s.Control(func(fd int) error {
		for {
			_, _, err := unix.Recvfrom(fd, nil, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
			switch err {
			case nil, unix.EINTR, unix.ENETDOWN:
			case unix.EAGAIN:
				return nil
			default:
				return os.NewSyscallError("recvfrom", err)
			}
		}
	})
}

// Barrier returns when no frame is on its way any more that a filter which was
// replaced before has accepted. The kernel filters and stores a frame within
// one read-side section of RCU, and membarrier(2) waits until all of these that
// run have ended.
func Barrier() {
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		// Not with nohz_full, nor before Linux 4.3. A softirq runs for less.
		time.Sleep(10 * time.Millisecond)
	}
}

// Stats returns what the kernel counted for an AF_PACKET socket since it was
// opened. Reading resets the kernel's counters, so nobody else may.
func (s *PacketSocket) Stats() (Counters, error) { return s.meter.Read(s.Control) }

// OpenRings makes rings of the socket: see [OpenRings].
func (s *PacketSocket) OpenRings(rx *RxGeometry, tx *TxGeometry) (*Rings, error) {
	return OpenRings(s.Control, &s.meter, rx, tx)
}

// InterfaceIndex returns the index of the interface with a name, in the
// network namespace of the socket.
func (s *PacketSocket) InterfaceIndex(name string) (int, error) {
	var index int
	err := s.ifreq(unix.SIOCGIFINDEX, "SIOCGIFINDEX", name, func(r *unix.Ifreq) { index = int(int32(r.Uint32())) })
	return index, err
}

// InterfaceName returns the name of the interface with an index. The error
// wraps ENODEV when there is none.
func (s *PacketSocket) InterfaceName(index int) (string, error) {
	r, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	r.SetUint32(uint32(int32(index)))
	var name string
	err = s.Control(func(fd int) error {
		err := unix.IoctlIfreq(fd, unix.SIOCGIFNAME, r)
		name = r.Name()
		return os.NewSyscallError("ioctl SIOCGIFNAME", err)
	})
	return name, err
}

func (s *PacketSocket) ifreq(req uint, what, name string, use func(*unix.Ifreq)) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return unix.ENODEV // no interface has a name that long
	}
	return s.Control(func(fd int) error {
		if err := unix.IoctlIfreq(fd, req, r); err != nil {
			return os.NewSyscallError("ioctl "+what, err)
		}
		use(r)
		return nil
	})
}

// A LinkName is a struct sockaddr_ll of linux/if_packet.h.
type LinkName struct {
	Interface int
	Protocol  uint16 // host order
	Hardware  uint16 // ARPHRD_*
	Type      uint8  // PACKET_HOST and so on
	Addr      []byte // aliases what was parsed
}

// ParseLinkName reads what [Messages.Name] returned for an AF_PACKET socket.
func ParseLinkName(b []byte) (LinkName, bool) {
	if len(b) < sockaddrLLOffAddr || binary.NativeEndian.Uint16(b) != unix.AF_PACKET {
		return LinkName{}, false
	}
	// The kernel counts only those bytes of the address that there are, which
	// makes 18 bytes on Ethernet and not the size of the structure.
	end := min(sockaddrLLOffAddr+int(b[sockaddrLLOffHalen]), len(b))
	return LinkName{
		Protocol:  binary.BigEndian.Uint16(b[2:]),
		Interface: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Hardware:  binary.NativeEndian.Uint16(b[sockaddrLLOffHatype:]),
		Type:      b[sockaddrLLOffType],
		Addr:      b[sockaddrLLOffAddr:end:end],
	}, true
}
