package sys

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MessageHeadLen is how many bytes may precede the data of a message in a
	// buffer of its own: struct virtio_net_hdr has 10 or 12.
	MessageHeadLen = 16
	// MessageControlLen is the room for control messages of one message. All
	// that the options of this package ask for together needs some 250 bytes.
	MessageControlLen = 320

	// nameLen is enough for struct sockaddr_ll with the longest hardware
	// address that Linux knows (MAX_ADDR_LEN, 32 bytes).
	nameLen = 64

	// MaxMessages is how many messages the kernel takes at once, UIO_MAXIOV.
	MaxMessages = 1024
)

// Messages is the memory that recvmmsg(2) and sendmmsg(2) work on: headers,
// vectors, addresses and control messages of a fixed number of messages. It is
// made once and used again, so that a call allocates nothing. It must not be
// used concurrently.
//
// A buffer that was given to it is kept until the next one for the same
// message, or [Messages.Forget].
type Messages struct {
	hdrs  []unix.Mmsghdr
	slots []messageSlot

	// What Recv and Send have to do, and the functions that do it: made once,
	// so that a wait allocates nothing.
	from, to   int
	flags      int
	err        error
	recv, send func(fd uintptr) bool
}

// messageSlot is what the header of one message points to.
type messageSlot struct {
	iov     [2]unix.Iovec
	name    [nameLen]byte
	head    [MessageHeadLen]byte
	control [MessageControlLen]byte
}

// NewMessages returns room for n messages, from 1 to [MaxMessages].
func NewMessages(n int) *Messages {
	m := &Messages{hdrs: make([]unix.Mmsghdr, n), slots: make([]messageSlot, n)}
	m.recv, m.send = m.tryRecv, m.trySend
	return m
}

// Cap returns the number of messages.
func (m *Messages) Cap() int { return len(m.hdrs) }

// SetRecv makes message i receive into buf, and its first head bytes, at most
// [MessageHeadLen], into what [Messages.Head] returns.
func (m *Messages) SetRecv(i, head int, buf []byte) {
	h, s := m.set(i, head, buf)
	h.Name, h.Namelen = &s.name[0], nameLen
	h.Control = &s.control[0]
	h.SetControllen(MessageControlLen)
}

// SetSend makes message i send the first head bytes of what [Messages.Head]
// returns, and buf behind them, to where the socket is bound or connected to.
func (m *Messages) SetSend(i, head int, buf []byte) {
	h, _ := m.set(i, head, buf)
	h.Name, h.Namelen = nil, 0
	h.Control = nil
	h.SetControllen(0)
}

func (m *Messages) set(i, head int, buf []byte) (*unix.Msghdr, *messageSlot) {
	h, s := &m.hdrs[i].Hdr, &m.slots[i]
	v := s.iov[:0]
	if head > 0 {
		v = append(v, unix.Iovec{Base: &s.head[0]})
		v[0].SetLen(head)
	}
	v = append(v, unix.Iovec{Base: unsafe.SliceData(buf)})
	v[len(v)-1].SetLen(len(buf))
	h.Iov = &s.iov[0]
	h.SetIovlen(len(v))
	h.Flags = 0
	m.hdrs[i].Len = 0
	return h, s
}

// SetLinkAddr makes message i, after SetSend, go to a hardware address of at
// most 32 bytes on an interface: struct sockaddr_ll. protocol is in host order.
func (m *Messages) SetLinkAddr(i, ifindex int, protocol uint16, addr []byte) {
	s := &m.slots[i]
	clear(s.name[:sockaddrLLLen])
	binary.NativeEndian.PutUint16(s.name[0:], unix.AF_PACKET)
	binary.BigEndian.PutUint16(s.name[2:], protocol)
	binary.NativeEndian.PutUint32(s.name[4:], uint32(int32(ifindex)))
	n := copy(s.name[sockaddrLLOffAddr:], addr)
	s.name[sockaddrLLOffHalen] = byte(n)
	m.hdrs[i].Hdr.Name = &s.name[0]
	// The kernel wants the whole structure, and more where the address is
	// longer than 8 bytes.
	m.hdrs[i].Hdr.Namelen = uint32(max(sockaddrLLLen, sockaddrLLOffAddr+n))
}

// SetIPAddr makes message i, after SetSend, go to an address of 4 or 16 bytes;
// scope is the interface of a link-local one.
func (m *Messages) SetIPAddr(i int, addr []byte, scope uint32) {
	s := &m.slots[i]
	clear(s.name[:unix.SizeofSockaddrInet6])
	n := unix.SizeofSockaddrInet4
	if len(addr) == 4 {
		binary.NativeEndian.PutUint16(s.name[0:], unix.AF_INET)
		copy(s.name[4:], addr)
	} else {
		n = unix.SizeofSockaddrInet6
		binary.NativeEndian.PutUint16(s.name[0:], unix.AF_INET6)
		copy(s.name[8:], addr)
		binary.NativeEndian.PutUint32(s.name[24:], scope)
	}
	m.hdrs[i].Hdr.Name = &s.name[0]
	m.hdrs[i].Hdr.Namelen = uint32(n)
}

// Layout of struct sockaddr_ll, linux/if_packet.h.
const (
	sockaddrLLOffHatype = 8
	sockaddrLLOffType   = 10
	sockaddrLLOffHalen  = 11
	sockaddrLLOffAddr   = 12
	sockaddrLLLen       = 20
)

// Len returns how many bytes message i had when it was received, those of its
// head included: more than its buffers have room for if it was cut and the
// flags of the call had MSG_TRUNC.
func (m *Messages) Len(i int) int { return int(m.hdrs[i].Len) }

// Flags returns the MSG_ flags that message i was received with.
func (m *Messages) Flags(i int) int { return int(m.hdrs[i].Hdr.Flags) }

// Head returns the buffer in front of message i. It is [MessageHeadLen] bytes
// long.
func (m *Messages) Head(i int) []byte { return m.slots[i].head[:] }

// Name returns the address that message i came from: a struct sockaddr of some
// kind, or nothing.
func (m *Messages) Name(i int) []byte {
	return m.slots[i].name[:min(m.hdrs[i].Hdr.Namelen, nameLen)]
}

// Control returns the control messages that came with message i.
func (m *Messages) Control(i int) []byte {
	return m.slots[i].control[:min(m.hdrs[i].Hdr.Controllen, MessageControlLen)]
}

// Forget drops the buffers of messages [0, n).
func (m *Messages) Forget(n int) {
	for i := range m.slots[:n] {
		m.slots[i].iov = [2]unix.Iovec{}
	}
}

// Recv waits for at least one message, receives at most n into m, and returns
// how many there were. The error is that of [PacketSocket.Read] or an
// [unix.Errno].
func (m *Messages) Recv(s *PacketSocket, n, flags int) (int, error) {
	m.from, m.to, m.flags, m.err = 0, n, flags, nil
	if err := s.Read(m.recv); err != nil {
		return 0, err
	}
	return m.from, m.err
}

func (m *Messages) tryRecv(fd uintptr) bool {
	n, err := RecvMmsg(int(fd), m, 0, m.to, m.flags)
	m.from, m.err = n, err
	return err != unix.EAGAIN
}

// Send sends the first n messages of m, waits for room for them where there is
// none, and returns how many went out. The error is that of
// [PacketSocket.Write] or an [unix.Errno], about the message behind them.
func (m *Messages) Send(s *PacketSocket, n, flags int) (int, error) {
	m.from, m.to, m.flags, m.err = 0, n, flags, nil
	if err := s.Write(m.send); err != nil {
		return m.from, err
	}
	return m.from, m.err
}

func (m *Messages) trySend(fd uintptr) bool {
	for m.from < m.to {
		n, err := SendMmsg(int(fd), m, m.from, m.to, m.flags)
		if err != nil {
			m.err = err
			return err != unix.EAGAIN
		}
		m.from += n
	}
	m.err = nil
	return true
}

// RecvMmsg receives messages [from, to) of m with one recvmmsg(2) on a
// descriptor that does not block, and returns how many there were. The error
// is an [unix.Errno]: EAGAIN when there was none.
func RecvMmsg(fd int, m *Messages, from, to, flags int) (int, error) {
	return mmsg(unix.SYS_RECVMMSG, fd, m, from, to, flags)
}

// SendMmsg sends messages [from, to) of m with one sendmmsg(2), and returns
// how many went out. The error is an [unix.Errno] about the first one; that
// another one could not be sent shows only when it is the first of a call.
func SendMmsg(fd int, m *Messages, from, to, flags int) (int, error) {
	return mmsg(unix.SYS_SENDMMSG, fd, m, from, to, flags)
}

func mmsg(call uintptr, fd int, m *Messages, from, to, flags int) (int, error) {
	h := m.hdrs[from:to]
	if len(h) == 0 {
		return 0, nil
	}
	for {
		// The last argument is recvmmsg's timeout: none.
		n, _, errno := unix.Syscall6(call, uintptr(fd),
			uintptr(unsafe.Pointer(&h[0])), uintptr(len(h)), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
