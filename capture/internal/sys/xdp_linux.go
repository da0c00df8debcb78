package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/sys/unix"
)

// XDPMode is how an AF_XDP socket gets its frames.
type XDPMode uint8

// The modes, from the one that is tried first.
const (
	XDPAuto     XDPMode = iota
	XDPZeroCopy         // the device writes into the memory of the socket
	XDPCopy             // the driver runs the program, the kernel copies
	XDPGeneric          // the network stack runs the program, the kernel copies
)

var (
	// ErrXDPAttached says that another XDP program is attached.
	ErrXDPAttached = errors.New("another XDP program is attached to the interface")
	// ErrXDPQueue says that another AF_XDP socket has the queue.
	ErrXDPQueue = errors.New("another AF_XDP socket has the queue")
)

// xdpHeadroom is what the kernel keeps free before a frame in its chunk:
// XDP_PACKET_HEADROOM.
const xdpHeadroom = 256

// XDPRoom returns the longest frame that a chunk of the given size receives.
func XDPRoom(chunk int) int { return chunk - xdpHeadroom }

// XDPConfig is what [OpenXDP] has to know. Its caller has checked the sizes.
type XDPConfig struct {
	Interface   int // index
	Name        string
	MAC         [6]byte
	Queues      []int // nil for all that the interface has
	Mode        XDPMode
	ChunkSize   int // a power of two from 2048 to the page size
	RxChunks    int // altogether; none for sockets that only send
	TxChunks    int // of each queue that sends
	TxQueues    int // how many queues send, from the first; none for sockets that only receive
	Promiscuous bool
	// Pieces says that frames which do not fit a chunk may take several:
	// XDP_USE_SG, Linux 6.6.
	Pieces bool
	// Ready, if it is set, is asked for another reason for [XDP.Wait] to
	// return, besides frames.
	Ready func() bool
	// Share has other queues of the same interface, and the program that frames
	// of these come by as well; nil for a program of its own. Mode must be that of
	// Share.
	Share *XDP
	// Linger is how long, in whole milliseconds, [XDP.Wait] may let frames gather
	// while they come faster than one in a millisecond; 0 for not at all. It
	// does so for no longer than there is room for many.
	Linger time.Duration
}

// XDP is the AF_XDP sockets of the queues of one interface, on common memory,
// and the program that sends frames to them.
//
// These groups of methods may run at the same time, each by one goroutine:
// Receive, Release and Discard; Wait; Start, Stop and Freeze; Transmit and Fit;
// Stats. Close excludes them all. The others may be called at any time.
type XDP struct {
	cfg    XDPConfig
	mode   XDPMode
	queues []*xskQueue
	mem    *umem

	link    *BPFLink
	gate    *BPFMap // what the attached program goes on with, by queue: nothing, or a filter
	sockets *BPFMap // by queue
	users   *xdpUsers
	frozen  bool // by Freeze

	poller  *poller // of the sockets and the monitor
	monitor int     // rtnetlink socket that says what happens to interfaces
	promisc int     // AF_PACKET socket that has the membership
	rtnl    *Rtnl
	buf     []byte // for the monitor

	next    int         // queue to look at first
	stopped atomic.Bool // the gate is closed, and nothing is in flight
	gone    bool
	down    bool // to be reported

	ready   func(fd uintptr) bool // made once, so that a wait does not allocate
	outcome error                 // written by ready
	missed  MissMeter
	mtu     mtuLimit
}

// xdpUsers counts those that share a program.
type xdpUsers struct {
	all    atomic.Int32
	frozen atomic.Int32 // those that have called Freeze
}

// OpenXDP opens sockets that receive nothing yet.
func OpenXDP(cfg *XDPConfig) (*XDP, error) {
	x := &XDP{cfg: *cfg, monitor: -1, promisc: -1}
	x.stopped.Store(true)
	x.ready = x.isReady
	err := x.open()
	if err == nil {
		return x, nil
	}
	x.Close(XDPFrame{})
	return nil, err
}

func (x *XDP) open() error {
	var err error
	if x.rtnl, err = OpenRtnl(); err != nil {
		return err
	}
	if x.cfg.Queues == nil {
		n := XDPQueues(x.cfg.Name)
		for i := range n {
			x.cfg.Queues = append(x.cfg.Queues, i)
		}
	}
	if err := x.openSockets(); err != nil {
		return err
	}
	if x.cfg.Promiscuous {
		x.promisc, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket AF_PACKET", err)
		}
		mreq := unix.PacketMreq{Ifindex: int32(x.cfg.Interface), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(x.promisc, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			return os.NewSyscallError("setsockopt PACKET_ADD_MEMBERSHIP", err)
		}
	}
	return x.openPoller()
}

// openSockets tries the modes in their order.
func (x *XDP) openSockets() error {
	modes := []XDPMode{x.cfg.Mode}
	if x.cfg.Mode == XDPAuto {
		modes = []XDPMode{XDPZeroCopy, XDPCopy, XDPGeneric}
	}
	var err error
	for _, m := range modes {
		if err = x.attach(m); err == nil {
			err = x.bindAll(m)
		}
		if err == nil {
			x.mode = m
			return nil
		}
		if !notSupported(err) {
			return err
		}
		if err := x.closeSockets(); err != nil {
			return err
		}
	}
	return err
}

// attach puts the program in place, unless it is there.
func (x *XDP) attach(m XDPMode) error {
	if x.cfg.RxChunks == 0 || x.link != nil && m != XDPGeneric {
		return nil
	}
	if s := x.cfg.Share; s != nil {
		x.link, x.gate, x.sockets, x.users = s.link, s.gate, s.sockets, s.users
		x.users.all.Add(1)
		return nil
	}
	var err error
	if x.sockets == nil {
		x.users = new(xdpUsers)
		x.users.all.Store(1)
		queues := XDPQueues(x.cfg.Name) // others may share them
		for _, q := range x.cfg.Queues {
			queues = max(queues, q+1)
		}
		if x.sockets, err = NewXSKMap(queues); err != nil {
			return err
		}
		if x.gate, err = NewProgramMap(queues); err != nil {
			return err
		}
	}
	if x.link != nil {
		link := x.link
		x.link = nil
		if err := link.Close(); err != nil {
			return err
		}
	}
	// The program that is attached never changes: for some drivers that means
	// to start the device anew. It goes on with the filter that lies in the
	// gate, or passes the frame to the host when there is none.
	prog, err := LoadXDP("gopkts_gate", filter.EBPF{
		{Op: unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW, Dst: 2, Src: unix.BPF_PSEUDO_MAP_FD, Imm: int32(x.gate.FD())},
		{},
		{Op: unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, Dst: 3, Src: 1, Off: xdpMDQueue},
		{Op: unix.BPF_JMP | unix.BPF_CALL, Imm: bpfTailCall},
		{Op: unix.BPF_ALU | unix.BPF_MOV, Dst: 0, Imm: int32(filter.XDPPass)},
		{Op: unix.BPF_JMP | unix.BPF_EXIT},
	}, x.cfg.Pieces)
	if err != nil {
		return err
	}
	defer prog.Close()
	// A link that was closed just now may still be there.
	for end := time.Now().Add(busyPatience); ; time.Sleep(5 * time.Millisecond) {
		x.link, err = prog.AttachXDP(x.cfg.Interface, m == XDPGeneric)
		// The second one is for a program of the other kind, generic or not.
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EEXIST) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: %w", ErrXDPAttached, err)
		}
	}
}

// xdpMDQueue is the offset of rx_queue_index in struct xdp_md.
const xdpMDQueue = 16

// bindAll makes the sockets of all queues. The first one has the memory, the
// others share it.
func (x *XDP) bindAll(m XDPMode) error {
	rx := 0
	if x.cfg.RxChunks > 0 {
		rx = max(xdpMinChunks, x.cfg.RxChunks/len(x.cfg.Queues))
	}
	txQueues := min(x.cfg.TxQueues, len(x.cfg.Queues))
	chunks := rx*len(x.cfg.Queues) + x.cfg.TxChunks*txQueues
	first := uint64(0)
	var err error
	if x.mem == nil {
		if x.mem, err = newUMEM(x.cfg.ChunkSize, chunks); err != nil {
			return err
		}
	}
	for i, id := range x.cfg.Queues {
		q, err := newXSK(id)
		if err != nil {
			return err
		}
		x.queues = append(x.queues, q)
		if i == 0 {
			if err := x.mem.register(q.fd); err != nil {
				return err
			}
		}
		tx := 0
		if i < txQueues {
			tx = x.cfg.TxChunks
		}
		if err := q.open(rx, tx); err != nil {
			return err
		}
		q.chunk = uint64(x.cfg.ChunkSize)
		q.gaps = make([]uint64, 0, maxGaps)
		q.give(first, rx)
		first += uint64(rx) * q.chunk
		q.out.init(first, x.cfg.ChunkSize, tx)
		first += uint64(tx) * q.chunk

		sa := unix.SockaddrXDP{Ifindex: uint32(x.cfg.Interface), QueueID: uint32(id)}
		switch {
		case i > 0:
			sa.Flags, sa.SharedUmemFD = unix.XDP_SHARED_UMEM, uint32(x.queues[0].fd)
		case m == XDPZeroCopy:
			sa.Flags = unix.XDP_ZEROCOPY | unix.XDP_USE_NEED_WAKEUP
		default:
			sa.Flags = unix.XDP_COPY | unix.XDP_USE_NEED_WAKEUP
		}
		if x.cfg.Pieces && i == 0 {
			sa.Flags |= unix.XDP_USE_SG
		}
		if err := q.bind(&sa); err != nil {
			if errors.Is(err, unix.EBUSY) {
				err = fmt.Errorf("%w: %w", ErrXDPQueue, err)
			}
			return err
		}
		// As many frames for a system call as the ring has. Linux 6.17; before,
		// it is 32.
		budget := int32(max(32, x.cfg.TxChunks))
		_ = setsockoptXDP(q.fd, unix.XDP_MAX_TX_SKB_BUDGET, &budget)
		if x.sockets != nil {
			if err := x.sockets.Set(uint32(id), q.fd); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	// xdpMinChunks is how many frames each queue has room for at least.
	xdpMinChunks = 16
	// maxGaps is how many places of losses are known at a time; of those that
	// come when there are so many, only the number of lost frames is.
	maxGaps = 64
)

// closeSockets undoes bindAll, except for the memory.
func (x *XDP) closeSockets() error {
	var errs []error
	for _, q := range x.queues {
		errs = append(errs, q.close())
	}
	x.queues = nil
	return errors.Join(errs...)
}

// openPoller makes what Wait waits for.
func (x *XDP) openPoller() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket AF_NETLINK", err)
	}
	x.monitor = fd
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		return os.NewSyscallError("bind AF_NETLINK", err)
	}
	x.buf = make([]byte, 16<<10)
	// What happened before the monitor was there.
	l, err := x.rtnl.Link(x.cfg.Interface)
	if err != nil {
		return err
	}
	x.missed.Begin(l)
	if x.cfg.TxChunks > 0 {
		x.mtu.init(x.monitor, &l)
	}
	x.down = l.Flags&unix.IFF_UP == 0

	if x.poller, err = openPoller(x.cfg.Name); err != nil {
		return err
	}
	if err := x.poller.watch(x.monitor); err != nil {
		return err
	}
	if x.cfg.RxChunks > 0 {
		for _, q := range x.queues {
			x.poller.add(q.fd)
		}
		room := x.cfg.RxChunks / len(x.queues)
		x.poller.patience = newLinger(x.cfg.Linger, room, room/4)
	}
	return nil
}

// XDPQueues returns how many queues an interface receives on: ethtool -l, and
// 1 where the driver does not say.
func XDPQueues(name string) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 1
	}
	defer unix.Close(fd)
	// struct ethtool_channels of linux/ethtool.h: the command, four maxima, and
	// the numbers of receive, transmit, other and combined channels.
	channels := [9]uint32{unix.ETHTOOL_GCHANNELS}
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [24 - unsafe.Sizeof(uintptr(0))]byte // of the union of struct ifreq
	}
	copy(req.name[:len(req.name)-1], name)
	req.data = unsafe.Pointer(&channels)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	runtime.KeepAlive(&channels)
	if errno != 0 {
		return 1
	}
	return int(max(1, channels[5]+channels[8]))
}

// Mode returns how the sockets get their frames.
func (x *XDP) Mode() XDPMode { return x.mode }

// Queues returns the queues, which must not be changed.
func (x *XDP) Queues() []int { return x.cfg.Queues }

// Start receives from now on the frames that f accepts, and all for nil.
// The host goes on receiving the others.
func (x *XDP) Start(f *XDPFilter) error {
	if x.gate == nil { // receives nothing
		x.stopped.Store(false)
		return nil
	}
	accepts := filter.Program{{Op: unix.BPF_RET | unix.BPF_K, K: 1}}
	if f != nil {
		accepts = f.prog
	}
	code, err := accepts.XDP(filter.XDPOptions{
		Accept:  filter.XDPPass, // where no socket is
		Reject:  filter.XDPPass,
		Sockets: x.sockets.FD(),
		MAC:     x.cfg.MAC,
		Frags:   x.cfg.Pieces,
	})
	if err != nil {
		return err
	}
	prog, err := LoadXDP("gopkts_filter", code, x.cfg.Pieces)
	if err != nil {
		return err
	}
	defer prog.Close()
	for i, id := range x.cfg.Queues {
		if err := x.gate.Set(uint32(id), prog.FD()); err != nil {
			for _, id := range x.cfg.Queues[:i] {
				_ = x.gate.Delete(uint32(id))
			}
			return err
		}
	}
	x.stopped.Store(false)
	return nil
}

// Stop receives nothing any more. When it returns, no frame that passed an
// earlier filter is still on its way.
func (x *XDP) Stop() error {
	if x.stopped.Load() {
		return nil
	}
	if x.gate == nil {
		x.stopped.Store(true)
		return nil
	}
	for _, id := range x.cfg.Queues {
		if err := x.gate.Delete(uint32(id)); err != nil {
			return err
		}
	}
	// A driver runs the program and puts frames into the rings within one
	// read-side section of RCU, and this system call waits until every such
	// section has ended.
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
		time.Sleep(10 * time.Millisecond)
	}
	x.stopped.Store(true)
	return nil
}

// Freeze makes the filter that is set the last one: Start and Stop fail with
// EPERM. Where others share the program, it is when all of them have called it.
func (x *XDP) Freeze() error {
	if x.gate == nil || x.frozen {
		return nil
	}
	x.frozen = true
	if x.users.frozen.Add(1) < x.users.all.Load() {
		return nil
	}
	return x.gate.Freeze()
}

// XDPFrame is a frame that was received, or a piece of one: where it lies.
type XDPFrame struct {
	addr  uint64
	size  uint32
	queue uint16 // index into the queues
	lost  bool
	more  bool
}

// More reports whether the frame goes on with the next piece.
func (f XDPFrame) More() bool { return f.more }

// LossBefore reports whether frames were lost directly before this one.
func (f XDPFrame) LossBefore() bool { return f.lost }

// Queue returns the number of the queue it was received on.
func (x *XDP) Queue(f XDPFrame) int { return x.queues[f.queue].id }

// Receive fills dst with frames that are there, and returns how many. They are
// the caller's until he releases them. A frame in pieces is one element each,
// all of them in the same call; dst must have room for the longest frame.
func (x *XDP) Receive(dst []XDPFrame) (int, error) {
	got := 0
	for range x.queues {
		q, index := x.queues[x.next], x.next
		if x.next++; x.next == len(x.queues) {
			x.next = 0
		}
		if q.rx.size == 0 {
			continue
		}
		taken := q.taken.Load()
		at := uint32(taken)
		n := min(int(atomic.LoadUint32(q.rx.prod)-at), len(dst)-got)
		if x.cfg.Pieces && n > 0 {
			if n = q.whole(at, n); n == 0 && got == 0 {
				return 0, fmt.Errorf("frame of more than %d pieces: %w", len(dst), unix.EMSGSIZE)
			}
		}
		if n == 0 {
			continue
		}
		for i := range n {
			d := q.rx.desc(at + uint32(i))
			// The kernel is trusted; memory is not.
			if d.Addr > uint64(len(x.mem.data)) || uint64(d.Len) > uint64(len(x.mem.data))-d.Addr {
				return got, fmt.Errorf("frame of %d bytes at %#x, which is no memory of its own: %w", d.Len, d.Addr, unix.EBADMSG)
			}
			f := XDPFrame{addr: d.Addr, size: d.Len, queue: uint16(index), more: d.Options&unix.XDP_PKT_CONTD != 0}
			if len(q.gaps) > 0 {
				f.lost = q.gap(taken + uint64(i))
			}
			dst[got] = f
			got++
		}
		if x.cfg.Pieces {
			q.count(taken, dst[got-n:got])
		} else {
			q.taken.Store(taken + uint64(n))
		}
		atomic.StoreUint32(q.rx.cons, at+uint32(n))
		if got == len(dst) {
			break
		}
	}
	return got, nil
}

// Data returns the bytes of a frame.
func (x *XDP) Data(f XDPFrame) []byte {
	end := f.addr + uint64(f.size)
	return x.mem.data[f.addr:end:end]
}

// Release gives the memory of frames back to the kernel.
func (x *XDP) Release(frames []XDPFrame) error {
	mask := ^(uint64(x.cfg.ChunkSize) - 1)
	for _, f := range frames {
		q := x.queues[f.queue]
		*q.fill.addr(q.released) = f.addr & mask
		q.released++
	}
	var errs error
	for _, q := range x.queues {
		if q.fill.size == 0 || q.released == atomic.LoadUint32(q.fill.prod) {
			continue
		}
		if err := q.publish(); err != nil && errs == nil {
			errs = err
		}
		if q.fill.needWakeup() {
			x.wake(q)
		}
	}
	return errs
}

// wake makes the driver look at the fill ring.
func (x *XDP) wake(q *xskQueue) {
	// A frame is never received this way; errors say that the interface is
	// down, which the monitor knows, too.
	_, _, _ = unix.Syscall6(unix.SYS_RECVFROM, uintptr(q.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
}

// Discard forgets the frames that are there.
func (x *XDP) Discard() error {
	var batch [64]XDPFrame
	for {
		n, err := x.Receive(batch[:])
		if n == 0 || err != nil {
			return err
		}
		if err := x.Release(batch[:n]); err != nil {
			return err
		}
	}
}

// pending returns how many frames, or pieces, there are to receive in the queue
// that has most of them.
func (x *XDP) pending() int {
	most := uint32(0)
	for _, q := range x.queues {
		if q.rx.size > 0 {
			most = max(most, atomic.LoadUint32(q.rx.prod)-uint32(q.taken.Load()))
		}
	}
	return int(most)
}

// Wait returns nil when there are frames to receive, or when the configuration's
// Ready says so.
func (x *XDP) Wait() error {
	for _, q := range x.queues {
		if q.rx.size > 0 && q.fill.needWakeup() {
			x.wake(q)
		}
	}
	if !x.stopped.Load() && !x.gone && (x.cfg.Ready == nil || !x.cfg.Ready()) && x.poller.patience.due() {
		if err := x.poller.pause(); err != nil {
			return err
		}
		n := x.pending()
		x.poller.patience.gathered(n)
		if n > 0 {
			return nil
		}
	}
	x.outcome = nil
	if err := x.poller.wait(x.ready); err != nil {
		return err
	}
	if x.outcome == ErrDown {
		// Before an interface is removed, it goes down.
		if x.Gone() {
			x.gone = true
			return ErrGone
		}
	}
	return x.outcome
}

// Gone reports whether the interface does not exist any more, as [Socket.Gone]
// does.
func (x *XDP) Gone() bool { return x.rtnl.gone(x.cfg.Interface) }

// isReady tells the poller whether a wait is over. Events come on edges, so it
// looks at the rings themselves each time.
func (x *XDP) isReady(uintptr) bool {
	switch {
	case x.pending() > 0 || x.cfg.Ready != nil && x.cfg.Ready():
		return true
	case x.stopped.Load():
		x.outcome = ErrDrained
		return true
	}
	if !x.gone {
		x.watch()
		// What was received before comes first.
		if x.pending() > 0 {
			return true
		}
	}
	switch {
	case x.gone:
		x.outcome = ErrGone
		return true
	case x.down:
		x.down = false
		x.outcome = ErrDown
		return true
	}
	return false
}

// watch reads what the monitor has to say.
func (x *XDP) watch() {
	for {
		n, err := unix.Read(x.monitor, x.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ENOBUFS: // it said more than there was room for
			l, err := x.rtnl.Link(x.cfg.Interface)
			x.gone = errors.Is(err, unix.ENODEV)
			x.down = x.down || err == nil && l.Flags&unix.IFF_UP == 0
			continue
		case err != nil:
			return
		}
		for b := x.buf[:n]; len(b) >= unix.NLMSG_HDRLEN+ifInfoLen; {
			length := int(binary.NativeEndian.Uint32(b))
			if length < unix.NLMSG_HDRLEN+ifInfoLen || length > len(b) {
				break
			}
			typ, info := binary.NativeEndian.Uint16(b[4:]), b[unix.NLMSG_HDRLEN:]
			b = b[min((length+3)&^3, len(b)):]
			// Bridges tell of their ports in the same way, with a family.
			if info[0] != unix.AF_UNSPEC || int(int32(binary.NativeEndian.Uint32(info[4:]))) != x.cfg.Interface {
				continue
			}
			switch {
			case typ == unix.RTM_DELLINK:
				x.gone = true
			case typ == unix.RTM_NEWLINK && binary.NativeEndian.Uint32(info[8:])&unix.IFF_UP == 0:
				x.down = true
			}
		}
	}
}

// Interrupt makes a waiting Wait, or else the next one that has to wait,
// return ErrInterrupted.
func (x *XDP) Interrupt() { x.poller.interrupt() }

// XDPCounters are what was counted since the sockets were opened.
type XDPCounters struct {
	Received  uint64 // found room
	Dropped   uint64 // accepted by the filter, and no room in memory or ring
	FillEmpty uint64 // times that there was no chunk to receive into
	RingFull  uint64 // times that there was no place in the ring
	Missed    uint64 // lost by the interface before the program saw them
	TxInvalid uint64 // descriptors that the kernel refused to send
}

// Stats returns the counters.
func (x *XDP) Stats() (XDPCounters, error) {
	var c XDPCounters
	for _, q := range x.queues {
		st, err := q.statistics()
		if err != nil {
			return c, err
		}
		switch {
		case q.rx.size == 0:
		case x.cfg.Pieces:
			c.Received += q.frames()
		default:
			c.Received += q.received()
		}
		c.Dropped += st.Rx_dropped + st.Rx_ring_full
		c.FillEmpty += st.Rx_fill_ring_empty_descs
		c.RingFull += st.Rx_ring_full
		c.TxInvalid += st.Tx_invalid_descs
	}
	var err error
	c.Missed, err = x.missed.Read(x.rtnl, x.cfg.Interface)
	return c, err
}

// SyscallConn returns what Wait waits for: an epoll set that is readable when
// there is something to receive.
func (x *XDP) SyscallConn() (syscall.RawConn, error) { return x.poller.share() }

// Close gives everything back to the kernel. The bytes of the frame kept can be
// read as long as x is reachable; the zero XDPFrame keeps none.
func (x *XDP) Close(kept XDPFrame) error {
	err := x.CloseKeep()
	if x.mem != nil {
		var keeps []keep
		if at := int(kept.addr); kept.size > 0 {
			data := span{at, at + int(kept.size)}
			keeps = []keep{{span: data, content: data}}
		}
		err = errors.Join(err, x.mem.mem.detach(keeps))
	}
	return err
}

// CloseKeep is Close that keeps all frames.
func (x *XDP) CloseKeep() error {
	var errs []error
	if x.poller != nil {
		errs = append(errs, x.poller.close())
	}
	last := x.users == nil || x.users.all.Add(-1) == 0
	if !last && !x.stopped.Load() {
		for _, id := range x.cfg.Queues {
			_ = x.gate.Delete(uint32(id)) // not after Freeze
		}
	}
	if x.link != nil && last {
		errs = append(errs, x.link.Close())
	}
	errs = append(errs, x.closeSockets())
	for _, m := range []*BPFMap{x.gate, x.sockets} {
		if m != nil && last {
			errs = append(errs, m.Close())
		}
	}
	for _, fd := range []*int{&x.monitor, &x.promisc} {
		if *fd >= 0 {
			errs = append(errs, closeDescriptor(fd))
		}
	}
	errs = append(errs, x.mtu.close())
	if x.rtnl != nil {
		errs = append(errs, x.rtnl.Close())
	}
	if x.mem != nil {
		// This memory, unlike the rings, does not keep the sockets alive.
		runtime.AddCleanup(x, (*mapping).unmap, x.mem.mem)
	}
	return errors.Join(errs...)
}
