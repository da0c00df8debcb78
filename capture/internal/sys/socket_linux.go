package sys

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"os"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var (
	// ErrInterrupted says that [Socket.Interrupt] ended a wait.
	ErrInterrupted = errors.New("interrupted")
	// ErrDrained says that the socket was stopped and that nothing is left.
	ErrDrained = errors.New("drained")
	// ErrDown says that the interface went down, or was down at the start.
	ErrDown = errors.New("interface is down")
	// ErrGone says that the interface does not exist any more.
	ErrGone = errors.New("interface is gone")
)

// Config is what [Open] has to know. Its caller has checked the geometry.
type Config struct {
	Interface   int // index; 0 for all
	Name        string
	BlockSize   int
	BlockCount  int
	FrameSize   int
	Retire      time.Duration // whole milliseconds
	Promiscuous bool
	NoOutgoing  bool // only frames that this host received
	NoIncoming  bool // only frames that this host sent
	Cooked      Cooked
	Hardware    bool // times are those of the device, where it has stamped a frame
}

// A Socket is an AF_PACKET socket with a TPACKET_V3 receive ring, and a second
// socket to send with: the kernel shows a socket every frame but those that it
// sent itself.
//
// Next, Start, Stop, Discard, LockFilter and Close must not run concurrently
// with each other; every other method may run at any time.
type Socket struct {
	rx     *os.File
	raw    syscall.RawConn
	tx     *Transmitter // nil in a cooked capture
	rtnl   *Rtnl
	index  int
	cooked Cooked

	rings *Rings
	ring  *RxRing // of rings

	bound   bool // frames come to the filter
	stopped bool // the filter rejects all, and nothing is in flight
	gone    bool // the interface was deleted

	damage error // of the block that was read last, not said yet

	ready   func(fd uintptr) bool // made once, so that a wait does not allocate
	drained bool                  // written by ready
	sockErr error                 // written by ready

	prefix   []bpf.RawInstruction // put before every filter
	outgoing bool                 // what this host sends is captured, too

	meter  Meter
	missed MissMeter
}

// rejectAll is the filter of a socket that captures nothing.
func rejectAll() []bpf.RawInstruction {
	return []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K}}
}

// Open makes a socket that captures nothing yet. Every setting is applied at
// the only point of the sequence where the kernel accepts it: the filter
// before the ring and the ring before bind, because a bound socket captures.
// Bind comes with the first Start.
func Open(cfg *Config) (*Socket, error) {
	s := &Socket{index: cfg.Interface, cooked: cfg.Cooked, stopped: true}
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Socket) open(cfg *Config) error {
	typ := unix.SOCK_RAW
	if cfg.Cooked != 0 {
		typ = unix.SOCK_DGRAM
	}
	// Protocol 0: the socket receives nothing until it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	// The descriptor does not block, so that NewFile hands it to the poller.
	s.rx = os.NewFile(uintptr(fd), cfg.Name)
	if s.raw, err = s.rx.SyscallConn(); err != nil {
		return err
	}
	s.ready = s.isReady
	if err := s.attach(rejectAll()); err != nil {
		return err
	}
	switch {
	case cfg.NoIncoming:
		s.prefix = onlyOutgoing()
	case cfg.NoOutgoing:
		// Linux 4.20; before, the filter has to do it.
		if unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1) != nil {
			s.prefix = onlyIncoming()
		}
	}
	s.outgoing = !cfg.NoOutgoing
	s.hear(false)
	s.rings, err = OpenRings(s.control, &s.meter, &RxGeometry{
		BlockSize:  cfg.BlockSize,
		BlockCount: cfg.BlockCount,
		FrameSize:  cfg.FrameSize,
		Retire:     cfg.Retire,
	}, nil)
	if err != nil {
		return err
	}
	s.ring = &s.rings.Rx
	if cfg.Hardware {
		const flags = unix.SOF_TIMESTAMPING_RAW_HARDWARE | unix.SOF_TIMESTAMPING_SOFTWARE
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, flags); err != nil {
			return os.NewSyscallError("setsockopt PACKET_TIMESTAMP", err)
		}
	}

	if cfg.Interface == 0 {
		return nil // nothing to be promiscuous, to send on, or to ask for
	}
	if cfg.Promiscuous {
		mreq := unix.PacketMreq{Ifindex: int32(cfg.Interface), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			return os.NewSyscallError("setsockopt PACKET_ADD_MEMBERSHIP", err)
		}
	}

	if cfg.Cooked == 0 {
		if s.tx, err = OpenTransmitter(cfg.Interface, cfg.Name); err != nil {
			return err
		}
	}
	if s.rtnl, err = OpenRtnl(); err != nil {
		return err
	}
	l, err := s.rtnl.Link(cfg.Interface)
	if err != nil {
		return err
	}
	s.missed.Begin(l)
	return nil
}

// htons gives v the byte order of the network, in memory.
func htons(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// extPktType is SKF_AD_OFF + SKF_AD_PKTTYPE of linux/filter.h: where a filter
// reads the packet type of a frame.
const extPktType = 0xfffff000 + 4

// onlyOutgoing returns the start of a filter which drops what this host did
// not send. The accumulator is zero behind it, as at the start of a filter.
func onlyOutgoing() []bpf.RawInstruction {
	return []bpf.RawInstruction{
		{Op: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: extPktType},
		{Op: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: pktOutgoing},
		{Op: unix.BPF_RET | unix.BPF_K},
		{Op: unix.BPF_LD | unix.BPF_IMM},
	}
}

// onlyIncoming returns the start of a filter which drops what this host sent.
func onlyIncoming() []bpf.RawInstruction {
	return []bpf.RawInstruction{
		{Op: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: extPktType},
		{Op: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: pktOutgoing},
		{Op: unix.BPF_RET | unix.BPF_K},
		{Op: unix.BPF_LD | unix.BPF_IMM},
	}
}

// hear lets the kernel show the socket what this host sends, or not. Nobody who
// captures nothing wants it, and it costs the sender a copy of every frame's
// description, whatever the filter says: a third of the time of sending one.
func (s *Socket) hear(on bool) {
	if s.outgoing {
		// Linux 4.20; before, it is only slower.
		_ = s.control(func(fd int) error { return ignoreOutgoing(fd, !on) })
	}
}

func ignoreOutgoing(fd int, on bool) error {
	v := 0
	if on {
		v = 1
	}
	return unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, v)
}

// control runs f on the receiving descriptor, which stays open meanwhile.
func (s *Socket) control(f func(fd int) error) error {
	var inner error
	if err := s.raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return os.ErrClosed // the only reason there is
	}
	return inner
}

func (s *Socket) attach(prog []bpf.RawInstruction) error {
	insns := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		insns[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	return s.control(func(fd int) error {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER",
			unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog))
	})
}

// FilterRoom returns how many instructions a filter may have at most.
func (s *Socket) FilterRoom() int { return unix.BPF_MAXINSNS - len(s.prefix) }

// Bind makes the kernel show frames to the socket's filter, which rejects them
// all until Start. Start does it as well: a program that only sends does not
// want the kernel to look at who might listen.
func (s *Socket) Bind() error {
	if s.bound {
		return nil
	}
	err := s.control(func(fd int) error {
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: s.index}))
	})
	s.bound = err == nil
	return err
}

// Start captures from now on what prog, which must not be empty, accepts.
func (s *Socket) Start(prog []bpf.RawInstruction) error {
	if err := s.Bind(); err != nil {
		return err
	}
	s.hear(true)
	if err := s.attach(append(s.prefix[:len(s.prefix):len(s.prefix)], prog...)); err != nil {
		s.hear(false)
		return err
	}
	s.stopped = false
	return nil
}

// Stop captures nothing any more. When it returns, no frame that passed an
// earlier filter is still on its way into the ring.
func (s *Socket) Stop() error {
	if s.stopped {
		return nil
	}
	if err := s.attach(rejectAll()); err != nil {
		return err
	}
	s.hear(false)
	// A frame that another processor has run through the old filter may not be
	// in the ring yet. The kernel does both within one read-side section of
	// RCU, and this system call waits until every such section has ended.
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		// Not with nohz_full, nor before Linux 4.3. A softirq runs for less.
		time.Sleep(10 * time.Millisecond)
	}
	s.stopped = true
	return nil
}

// membarrierGlobal is MEMBARRIER_CMD_GLOBAL of linux/membarrier.h.
const membarrierGlobal = 1

// Discard forgets what was captured before Stop. The frame that Next returned
// last stays valid.
func (s *Socket) Discard() error {
	s.damage = nil
	s.ring.Discard()
	return nil
}

// LockFilter makes the filter that is set the last one: SO_LOCK_FILTER.
func (s *Socket) LockFilter() error {
	return s.control(func(fd int) error {
		return os.NewSyscallError("setsockopt SO_LOCK_FILTER",
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1))
	})
}

// Next fills f with the next frame, and waits for it. f.Data aliases the ring
// until the next call. f.Link is not touched.
func (s *Socket) Next(f *link.Frame) error {
	// Within a block, which is nearly always, there is nothing else to do.
	ok, err := s.ring.cur.Next(f)
	for !ok && err == nil {
		if s.damage != nil {
			err, s.damage = s.damage, nil
			return err
		}
		if ok, err = s.ring.nextBlock(f); !ok && err == nil {
			err = s.wait()
		}
	}
	if ok && s.cooked != 0 {
		return s.cook(f)
	}
	return err
}

// NextBatch is Next for as many frames as are left of a block, up to
// len(frames), which is at least 1: it returns how many they are.
func (s *Socket) NextBatch(frames []link.Frame) (int, error) {
	n, err := s.nextOfBlock(frames)
	if n == 0 && err == nil {
		if err := s.Next(&frames[0]); err != nil {
			return 0, err
		}
		n, err = s.nextOfBlock(frames[1:])
		n++
	}
	if n == 0 {
		return 0, err
	}
	s.damage = err // said when it is the first thing to say
	return n, nil
}

// nextOfBlock fills frames with what is left of a block that was begun, and
// returns how many they are, also with an error.
func (s *Socket) nextOfBlock(frames []link.Frame) (n int, err error) {
	if s.cooked == 0 {
		return s.ring.cur.NextBatch(frames)
	}
	for n < len(frames) {
		f := &frames[n]
		ok, err := s.ring.cur.Next(f)
		if ok {
			err = s.cook(f)
		}
		if !ok || err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Cursor returns where Next has got to in the block that it reads, and nil when
// there is more to a frame than what a cursor finds.
func (s *Socket) Cursor() *Cursor {
	if s.cooked != 0 {
		return nil
	}
	return &s.ring.cur
}

// cook puts the header of a cooked frame before its data. The kernel leaves 28
// bytes free there, between its own header and a frame without one of the link
// (tpacket_rcv of net/packet/af_packet.c), so that nothing has to be moved.
func (s *Socket) cook(f *link.Frame) error {
	p := s.ring.Packet()
	n, at := s.cooked.Len(), len(p)-len(f.Data)
	if at-PacketHeaderLen < n {
		return &BlockError{Field: "tp_mac", Value: uint64(at), Limit: PacketHeaderLen + n}
	}
	f.Data = p[at-n:]
	f.WireLen += n
	s.cooked.put(f.Data, PacketHeader(p).Name())
	return nil
}

// wait returns nil when the block that is next is ours.
func (s *Socket) wait() error {
	if s.gone {
		return ErrGone
	}
	s.drained, s.sockErr = false, nil
	if err := s.raw.Read(s.ready); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		// Interrupt sets a deadline for lack of anything else that wakes the
		// poller. The caller looks at why only after this.
		if err := s.rx.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		return ErrInterrupted
	}
	switch {
	case s.drained:
		return ErrDrained
	case errors.Is(s.sockErr, unix.ENETDOWN):
		// The kernel says it once, also when the interface was deleted, and is
		// silent from then on.
		if s.Gone() {
			s.gone = true
			return ErrGone
		}
		return ErrDown
	}
	return s.sockErr
}

// Gone reports whether the interface does not exist any more: ENETDOWN says
// both. Asking waits until a removal that goes on has ended, whose first step it
// is that the interface goes down. It may be called at any time by anyone.
func (s *Socket) Gone() bool { return s.rtnl.gone(s.index) }

// isReady tells the poller whether a wait is over. Events come on edges, so it
// looks at the ring itself each time.
func (s *Socket) isReady(fd uintptr) bool {
	if s.ring.Ready() {
		return true
	}
	if s.stopped && s.ring.Empty() {
		s.drained = true
		return true
	}
	if !s.ring.Empty() {
		return false // what was captured comes before what went wrong
	}
	if err := SocketError(int(fd)); err != nil {
		s.sockErr = os.NewSyscallError("read", err)
		return true
	}
	return false
}

// Interrupt makes a waiting Next, or else the next one that has to wait,
// return ErrInterrupted.
func (s *Socket) Interrupt() {
	// A closed file has no waiter: the error says nothing.
	_ = s.rx.SetReadDeadline(time.Unix(1, 0))
}

// Transmitter returns what sends: nil in a cooked capture.
func (s *Socket) Transmitter() *Transmitter { return s.tx }

// Stats returns the counters.
func (s *Socket) Stats() (Counters, error) {
	c, err := s.meter.Read(s.control)
	if err != nil {
		return Counters{}, err
	}
	if s.index == 0 {
		return c, nil
	}
	c.Missed, err = s.missed.Read(s.rtnl, s.index)
	return c, err
}

// SyscallConn returns the receiving socket.
func (s *Socket) SyscallConn() (syscall.RawConn, error) { return s.rx.SyscallConn() }

// Close gives everything back to the kernel. The frame that Next returned last
// can be read as long as s is reachable.
func (s *Socket) Close() error {
	var errs []error
	if s.rx != nil {
		errs = append(errs, s.rx.Close())
	}
	if s.tx != nil {
		errs = append(errs, s.tx.Close())
	}
	if s.rtnl != nil {
		errs = append(errs, s.rtnl.Close())
	}
	if s.rings != nil {
		errs = append(errs, s.rings.Close())
	}
	return errors.Join(errs...)
}

// PageSize returns the size of a page of memory in bytes.
func PageSize() int { return os.Getpagesize() }

// MaxMap returns the longest ring in bytes that this machine can address.
func MaxMap() uint64 { return 1<<(bits.UintSize-1) - 1 }

// SocketError returns the error that the kernel has noted for the socket, which
// it then forgets, or nil: SO_ERROR of socket(7).
func SocketError(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || errno == 0 {
		return nil
	}
	return syscall.Errno(errno)
}
