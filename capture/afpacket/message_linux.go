package afpacket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// Message is one packet and what the kernel says of it.
type Message struct {
	// Frame is the packet: its bytes, Data, and its metadata.
	//
	// Time is the kernel's clock when the frame reached it. For some
	// milliseconds after the first socket of the system has asked for stamps,
	// the kernel does not make any, and Time is when the frame was read.
	//
	// Link is [link.TypeRaw] for IP packets of a KindL3 or KindIPv4 socket,
	// and [link.TypeUser0] for what no link type is assigned to: other packets
	// without their link header, and frames of strange interfaces.
	link.Frame
	// Addr is where the packet came from, or where SendBatch sends it.
	Addr Addr
	// Vnet is for sockets with Config.VnetHeader.
	Vnet VnetHeader
	// Buf is where RecvBatch puts the packet. Data aliases it.
	Buf []byte
}

// A receiver is what receives messages; its mutex is the turn.
type receiver struct {
	mu      sync.Mutex
	m       *sys.Messages
	control sys.Control
	drops   uint32 // messages that found no room, modulo 2^32, as seen by the last one
}

func newReceiver() *receiver { return &receiver{m: sys.NewMessages(1)} }

// A sender is what sends messages; its mutex is the turn.
type sender struct {
	mu sync.Mutex
	m  *sys.Messages
}

func newSender() *sender { return &sender{m: sys.NewMessages(1)} }

// grow returns room for n messages, or for as many as the kernel takes at once.
func grow(m *sys.Messages, n int) *sys.Messages {
	n = min(n, sys.MaxMessages)
	if m.Cap() >= n {
		return m
	}
	return sys.NewMessages(n)
}

// vlanLen is the length of an IEEE 802.1Q tag, and vlanOff where it stands in
// an Ethernet frame.
const (
	vlanLen = 4
	vlanOff = 12
)

// Recv waits for the next message and receives it into buf, which its Data
// aliases. What does not fit is lost: Truncated says so, and WireLen how long
// the message was.
//
// The error is a [*capture.OpError]. It wraps [os.ErrDeadlineExceeded] after a
// deadline, [net.ErrClosed] after Close, [capture.ErrInterfaceDown] once when
// the interface goes down, after which frames come again when it is back, and
// [capture.ErrInterfaceGone] when it was deleted.
//
// [net.ErrClosed]: https://pkg.go.dev/net#ErrClosed
// [os.ErrDeadlineExceeded]: https://pkg.go.dev/os#ErrDeadlineExceeded
func (s *Socket) Recv(buf []byte) (Message, error) {
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	s.setRecv(0, buf)
	if _, err := s.recv(1); err != nil {
		s.rx.m.Forget(1)
		return Message{}, s.fail("read", err)
	}
	msg := Message{Buf: buf}
	s.received(0, &msg)
	s.rx.m.Forget(1)
	return msg, nil
}

// RecvBatch waits for at least one message, and receives with one system call
// as many as there are, at most len(ms) and 1024: recvmmsg(2). Each goes into
// the Buf of its Message. It returns how many there were. Errors are as for
// Recv.
func (s *Socket) RecvBatch(ms []Message) (int, error) {
	if len(ms) == 0 {
		return 0, nil
	}
	s.rx.mu.Lock()
	defer s.rx.mu.Unlock()
	s.rx.m = grow(s.rx.m, len(ms))
	n := min(len(ms), s.rx.m.Cap())
	for i := range ms[:n] {
		s.setRecv(i, ms[i].Buf)
	}
	got, err := s.recv(n)
	for i := range ms[:got] {
		s.received(i, &ms[i])
	}
	s.rx.m.Forget(n)
	return got, s.fail("read", err)
}

func (s *Socket) setRecv(i int, buf []byte) {
	if s.cfg.VLANInData {
		// The frame goes where it stands if it has a tag to be put back: then the
		// two addresses move, and not the frame.
		buf = buf[min(vlanLen, len(buf)):]
	}
	head := 0
	if s.cfg.VnetHeader {
		head = vnetLen
	}
	s.rx.m.SetRecv(i, head, buf)
}

// recv receives at most n messages.
func (s *Socket) recv(n int) (int, error) {
	if s.down.Load() && s.isGone() {
		// Nothing comes any more, and nothing would end a wait.
		var got int
		var err error
		if cerr := s.ps.Control(func(fd int) error {
			got, err = sys.RecvMmsg(fd, s.rx.m, 0, n, sys.MsgTrunc)
			return nil
		}); cerr != nil {
			return 0, cerr
		}
		if errors.Is(err, syscall.EAGAIN) {
			err = capture.ErrInterfaceGone
		}
		return got, err
	}
	got, err := s.rx.m.Recv(s.ps, n, sys.MsgTrunc)
	if err == nil {
		if s.down.Load() {
			s.down.Store(false)
		}
		return got, nil
	}
	if errors.Is(err, syscall.ENETDOWN) {
		// The kernel says it once, also when the interface is deleted, and is
		// silent from then on.
		s.down.Store(true)
		if s.isGone() {
			return 0, fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
		}
		return 0, &advice{fmt.Errorf("%w: %w", capture.ErrInterfaceDown, err), "ip link set " + s.where() + " up"}
	}
	return got, err
}

// isGone reports whether the interface that the socket is bound to does not
// exist any more.
func (s *Socket) isGone() bool {
	index := s.bound()
	if index == 0 || s.rtnl == nil {
		return false
	}
	// Not by ioctl: rtnetlink waits for a deletion that has begun, whose first
	// step it was that the interface went down.
	_, err := s.rtnl.Link(index)
	return errors.Is(err, syscall.ENODEV)
}

// received fills msg from what was received as message i.
func (s *Socket) received(i int, msg *Message) {
	m, c := s.rx.m, &s.rx.control
	c.Parse(m.Control(i))
	msg.Info = link.Info{Time: c.Time, TimeSource: link.TimeSoftware}
	if s.cfg.HardwareTime && !c.Hardware.IsZero() {
		msg.Time, msg.TimeSource = c.Hardware, link.TimeHardware
	}
	if c.HasDrops && c.Drops != s.rx.drops {
		s.rx.drops = c.Drops
		msg.Flags |= link.InfoLossBefore
	}
	buf := msg.Buf
	if s.cfg.VLANInData {
		buf = buf[min(vlanLen, len(buf)):]
	}
	n := m.Len(i) // before it was cut to buf
	if s.cfg.VnetHeader {
		msg.Vnet = parseVnet(m.Head(i))
		n -= vnetLen
	}
	n = max(n, 0)
	have := min(n, len(buf))
	msg.Data = buf[:have:have]
	msg.WireLen = n
	if !s.isPacket() {
		s.receivedIP(i, msg)
	} else {
		s.receivedLink(i, msg)
	}
	if len(msg.Data) < msg.WireLen {
		s.truncated.Add(1)
	}
}

func (s *Socket) receivedLink(i int, msg *Message) {
	c := &s.rx.control
	if c.HasAux {
		// The filter may have cut the frame; n is what it left.
		msg.WireLen = max(int(c.WireLen), msg.WireLen)
		c.Describe(&msg.Info)
	}
	name, ok := sys.ParseLinkName(s.rx.m.Name(i))
	if !ok {
		return
	}
	msg.Addr = linkAddr(&name)
	msg.Interface = name.Interface
	msg.Direction = sys.Direction(name.Type)
	msg.Link = link.TypeUser0
	if s.kind == KindL3 {
		if msg.Addr.EtherType == EtherTypeIPv4 || msg.Addr.EtherType == EtherTypeIPv6 {
			msg.Link = link.TypeRaw
		}
		return
	}
	if t, ok := link.TypeFromARPHRD(name.Hardware); ok {
		msg.Link = t
	}
	if s.cfg.VLANInData && msg.Flags.Has(link.InfoVLAN) && msg.Link == link.TypeEthernet && len(msg.Data) >= vlanOff {
		end := vlanLen + len(msg.Data)
		b := msg.Buf[:end:end]
		copy(b, b[vlanLen:vlanLen+vlanOff])
		binary.BigEndian.PutUint16(b[vlanOff:], msg.VLANTPID)
		binary.BigEndian.PutUint16(b[vlanOff+2:], msg.VLANTCI)
		msg.Data = b
		msg.WireLen += vlanLen
		msg.VLANTCI, msg.VLANTPID = 0, 0
		msg.Flags &^= link.InfoVLAN
	}
}

func (s *Socket) receivedIP(i int, msg *Message) {
	ip, scope := sys.ParseIPName(s.rx.m.Name(i))
	msg.Addr = Addr{Interface: s.rx.control.Interface, IP: withScope(ip, scope)}
	msg.Interface = msg.Addr.Interface
	msg.Direction = link.DirectionIn
	msg.Link = link.TypeUser0
	if s.kind == KindIPv4 {
		msg.Link = link.TypeRaw
	}
}

// withScope returns ip with the index of the interface as its zone.
func withScope(ip netip.Addr, scope uint32) netip.Addr {
	if scope == 0 {
		return ip
	}
	return ip.WithZone(strconv.FormatUint(uint64(scope), 10))
}

// linkAddr translates n, and copies its address.
func linkAddr(n *sys.LinkName) Addr {
	a := Addr{Interface: n.Interface, EtherType: EtherType(n.Protocol), ARPType: n.Hardware}
	a.Hardware, _ = HardwareAddrFrom(n.Addr)
	return a
}

// Send sends b to where the socket is bound: on a KindL2 socket a frame with
// its link header. It waits while the write buffer is full. A KindL3 or raw IP
// socket does not know who is to receive it, and wants SendTo, unless the
// interface has no link header.
//
// The error wraps [capture.ErrFrameSize] when the interface does not take a
// message of this length, [capture.ErrInterfaceDown] when it is down,
// [os.ErrDeadlineExceeded] after a deadline, and [syscall.ENOBUFS] when the
// interface's queue is full.
//
// [os.ErrDeadlineExceeded]: https://pkg.go.dev/os#ErrDeadlineExceeded
func (s *Socket) Send(b []byte) error { return s.sendOne(b, &Addr{}) }

// SendTo is Send to an address.
func (s *Socket) SendTo(b []byte, to Addr) error {
	if to == (Addr{}) {
		return s.fail("send", illegal("the address is empty: use Send to send where the socket is bound"))
	}
	return s.sendOne(b, &to)
}

func (s *Socket) sendOne(b []byte, to *Addr) error {
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	if err := s.setSend(0, b, to, &VnetHeader{}); err != nil {
		return s.fail("send", err)
	}
	_, err := s.tx.m.Send(s.ps, 1, 0)
	s.tx.m.Forget(1)
	if err != nil {
		return s.fail("send", s.explainSend(len(b), err))
	}
	return nil
}

// SendBatch sends the Data of each message, to its Addr, or where the socket is
// bound when that is zero, with a system call for up to 1024 of them:
// sendmmsg(2). Vnet goes with it on a socket with Config.VnetHeader; nothing
// else in ms matters. It returns how many went out. The error says why the next
// one did not, as for Send; it is nil exactly when all did.
func (s *Socket) SendBatch(ms []Message) (int, error) {
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	s.tx.m = grow(s.tx.m, len(ms))
	for done := 0; done < len(ms); {
		part := ms[done:min(done+s.tx.m.Cap(), len(ms))]
		set := 0
		var serr error // of the first one that is not legal
		for ; set < len(part); set++ {
			if serr = s.setSend(set, part[set].Data, &part[set].Addr, &part[set].Vnet); serr != nil {
				break
			}
		}
		sent, err := s.tx.m.Send(s.ps, set, 0)
		s.tx.m.Forget(set)
		done += sent
		if err != nil {
			return done, s.fail("send", s.explainSend(len(part[sent].Data), err))
		}
		if serr != nil {
			return done, s.fail("send", serr)
		}
	}
	return len(ms), nil
}

// setSend makes message i of the sender.
func (s *Socket) setSend(i int, b []byte, to *Addr, vnet *VnetHeader) error {
	head := 0
	if s.cfg.VnetHeader {
		head = vnetLen
		vnet.put(s.tx.m.Head(i))
	}
	s.tx.m.SetSend(i, head, b)
	if *to == (Addr{}) {
		return nil
	}
	if !s.isPacket() {
		if err := s.checkIP(to.IP); err != nil {
			return err
		}
		scope, err := s.scope(to.IP)
		if err != nil {
			return err
		}
		if to.IP.Is4() {
			a := to.IP.As4()
			s.tx.m.SetIPAddr(i, a[:], 0)
		} else {
			a := to.IP.As16()
			s.tx.m.SetIPAddr(i, a[:], scope)
		}
		return nil
	}
	if to.IP.IsValid() {
		return s.checkIP(to.IP)
	}
	index, t := to.Interface, to.EtherType
	bound := s.binding.Load()
	if index == 0 && bound != nil {
		index = bound.index
	}
	if index == 0 {
		return illegal("the address has no Interface, and the socket is not bound to one")
	}
	if t == EtherTypeNone && bound != nil {
		t = bound.etherType
	}
	if s.kind == KindL3 && t < 0x0600 && t != EtherTypeLLC {
		return illegal("the address has the EtherType %v, which cannot go into a link header", t)
	}
	s.tx.m.SetLinkAddr(i, index, uint16(t), to.Hardware.b[:to.Hardware.n])
	return nil
}
