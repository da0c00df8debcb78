package sys

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// QueueConfig is what [OpenQueue] has to know.
type QueueConfig struct {
	Interface   int // index; 0 for all
	Name        string
	Buffer      int // bytes that the kernel may keep
	Longest     int // bytes of a frame to receive at most
	Messages    int // to receive at once
	Promiscuous bool
	NoOutgoing  bool   // only frames that this host received
	NoIncoming  bool   // only frames that this host sent
	Cooked      Cooked // the header that frames get instead of their own
	Hardware    bool   // as in Config
	// Linger is how long, in whole milliseconds, frames may gather while they come
	// faster than one in a millisecond; 0 for not at all. They do so for no longer
	// than there is room for many.
	Linger time.Duration
}

// A Queue is an AF_PACKET socket that is read with recvmmsg(2) into memory of
// its own, and a second socket to send with, as [Socket] has one. The rules of
// Socket's methods hold for those of the same name.
type Queue struct {
	rx     *PacketSocket
	poller *poller      // of rx
	tx     *Transmitter // nil in a cooked capture
	rtnl   *Rtnl
	index  int
	cooked Cooked

	msgs  *Messages
	mem   []byte // for every message: room for a cooked header, and a frame
	slot  int    // bytes of mem for a message
	at, n int    // message to return next, and messages received

	paused   bool // frames have gathered, and not all of them were read yet
	gathered int  // how many, as far as they were received

	control Control // of the message that was returned last

	bound   bool   // frames come to the filter
	stopped bool   // the filter rejects all, and nothing is in flight
	gone    bool   // the interface was deleted
	lost    uint32 // value of SO_RXQ_OVFL that came last

	ready   func(fd uintptr) bool // made once, so that a wait does not allocate
	try     func(fd int) error    // for ready
	over    bool                  // written by try: the wait is
	drained bool                  // written by try
	sockErr error                 // written by try; reported when the queue is empty

	prefix   []bpf.RawInstruction // put before every filter
	outgoing bool                 // what this host sends is captured, too

	missed MissMeter
}

// stagger is how many bytes lie between what two messages are received into:
// where one begins at the same place within its page as all others do, they
// take each other's place in the processor's cache.
const stagger = 3 * 64

// messageTruesize is what a short frame takes of the socket's buffer, roughly:
// the kernel counts its descriptions of the frame, too.
const messageTruesize = 768

// OpenQueue makes a socket that captures nothing yet.
func OpenQueue(cfg *QueueConfig) (*Queue, error) {
	q := &Queue{
		index:   cfg.Interface,
		cooked:  cfg.Cooked,
		msgs:    NewMessages(cfg.Messages),
		slot:    cfg.Cooked.Len() + cfg.Longest + stagger,
		stopped: true,
	}
	q.mem = make([]byte, q.slot*cfg.Messages)
	q.n = cfg.Messages // all of them have to be made ready
	q.at = q.n
	if err := q.open(cfg); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

func (q *Queue) open(cfg *QueueConfig) error {
	typ := unix.SOCK_RAW
	if cfg.Cooked != 0 {
		typ = unix.SOCK_DGRAM
	}
	var err error
	// Protocol 0: the socket receives nothing until it is bound.
	if q.rx, err = OpenPacket(unix.AF_PACKET, typ, 0, cfg.Name); err != nil {
		return err
	}
	if q.poller, err = openPoller(cfg.Name); err != nil {
		return err
	}
	if err := q.rx.Control(func(fd int) error { q.poller.add(fd); return nil }); err != nil {
		return err
	}
	q.ready, q.try = q.isReady, q.receive
	if err := q.rx.AttachFilter(rejectAll()); err != nil {
		return err
	}
	switch {
	case cfg.NoIncoming:
		q.prefix = onlyOutgoing()
	case cfg.NoOutgoing:
		// Linux 4.20; before, the filter has to do it.
		if q.rx.Set(OptIgnoreOutgoing, 1) != nil {
			q.prefix = onlyIncoming()
		}
	}
	q.outgoing = !cfg.NoOutgoing
	q.hear(false)
	// More than the system's limit needs CAP_NET_ADMIN.
	if q.rx.Set(OptReadBufferForce, cfg.Buffer) != nil {
		if err := q.rx.Set(OptReadBuffer, cfg.Buffer); err != nil {
			return err
		}
	}
	buffer, err := q.Buffer()
	if err != nil {
		return err
	}
	room := buffer / messageTruesize
	q.poller.patience = newLinger(cfg.Linger, room, room/4)
	if err := q.rx.Set(OptAuxdata, 1); err != nil {
		return err
	}
	if err := q.rx.Set(OptDropCount, 1); err != nil {
		return err
	}
	if err := q.rx.SetStamps(Stamps{RxHardware: cfg.Hardware}); err != nil {
		return err
	}
	if cfg.Interface == 0 {
		return nil
	}
	if cfg.Promiscuous {
		if err := q.rx.Membership(true, cfg.Interface, MembershipPromiscuous, nil); err != nil {
			return err
		}
	}
	if cfg.Cooked == 0 {
		if q.tx, err = OpenTransmitter(cfg.Interface, cfg.Name); err != nil {
			return err
		}
	}
	if q.rtnl, err = OpenRtnl(); err != nil {
		return err
	}
	l, err := q.rtnl.Link(cfg.Interface)
	if err != nil {
		return err
	}
	q.missed.Begin(l)
	return nil
}

// hear is that of [Socket].
func (q *Queue) hear(on bool) {
	if q.outgoing {
		_ = q.rx.Control(func(fd int) error { return ignoreOutgoing(fd, !on) })
	}
}

// Buffer returns how many bytes the kernel keeps, its own overhead included.
func (q *Queue) Buffer() (int, error) { return q.rx.Get(OptReadBuffer) }

// FilterRoom returns how many instructions a filter may have at most.
func (q *Queue) FilterRoom() int { return unix.BPF_MAXINSNS - len(q.prefix) }

// Bind is that of [Socket].
func (q *Queue) Bind() error {
	if q.bound {
		return nil
	}
	err := q.rx.BindLink(unix.ETH_P_ALL, q.index)
	q.bound = err == nil
	return err
}

// Start captures from now on what prog, which must not be empty, accepts.
func (q *Queue) Start(prog []bpf.RawInstruction) error {
	if err := q.Bind(); err != nil {
		return err
	}
	q.hear(true)
	if err := q.rx.AttachFilter(append(q.prefix[:len(q.prefix):len(q.prefix)], prog...)); err != nil {
		q.hear(false)
		return err
	}
	q.stopped = false
	return nil
}

// Stop captures nothing any more.
func (q *Queue) Stop() error {
	if q.stopped {
		return nil
	}
	if err := q.rx.AttachFilter(rejectAll()); err != nil {
		return err
	}
	q.hear(false)
	Barrier()
	q.stopped = true
	return nil
}

// Discard forgets what was captured before Stop. The frame that Next returned
// last stays valid.
func (q *Queue) Discard() error {
	st, err := q.rx.Stats()
	if err != nil {
		return err
	}
	// What was lost so far was lost before frames that nobody wants.
	q.lost = uint32(st.Drops)
	q.at = q.n
	return q.rx.Control(func(fd int) error {
		for {
			_, _, err := unix.Recvfrom(fd, nil, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
			switch err {
			case nil, unix.EINTR:
			case unix.EAGAIN:
				return nil
			default:
				q.sockErr = err // reading takes it off the socket
			}
		}
	})
}

// LockFilter makes the filter that is set the last one.
func (q *Queue) LockFilter() error { return q.rx.LockFilter() }

// Next fills f with the next frame, and waits for it. f.Data is valid until the
// next call. f.Link is not touched.
func (q *Queue) Next(f *link.Frame) error {
	for q.at == q.n {
		if err := q.wait(); err != nil {
			return err
		}
	}
	q.frame(q.at, f)
	q.at++
	return nil
}

// NextBatch is Next for as many frames as were received together, up to
// len(frames), which is at least 1: it returns how many they are.
func (q *Queue) NextBatch(frames []link.Frame) (int, error) {
	if err := q.Next(&frames[0]); err != nil {
		return 0, err
	}
	n := 1
	for ; n < len(frames) && q.at < q.n; n++ {
		q.frame(q.at, &frames[n])
		q.at++
	}
	return n, nil
}

// Cursor returns nil: messages do not lie in blocks.
func (q *Queue) Cursor() *Cursor { return nil }

// wait returns nil when there are messages.
func (q *Queue) wait() error {
	if q.gone {
		return ErrGone
	}
	for i := range q.n {
		q.msgs.SetRecv(i, 0, q.mem[i*q.slot:][q.cooked.Len():q.slot:q.slot])
	}
	full := q.n == q.msgs.Cap()
	q.at, q.n = 0, 0
	q.drained = false
	if full { // there is probably a rest
		if err := q.rx.Control(q.try); err != nil {
			return err
		}
		q.gathered += q.n
	}
	if q.n == 0 && q.paused {
		q.paused = false
		q.poller.patience.gathered(q.gathered)
	}
	if q.n == 0 && !q.stopped && q.sockErr == nil && q.poller.patience.due() {
		if err := q.poller.pause(); err != nil {
			return err
		}
		if err := q.rx.Control(q.try); err != nil {
			return err
		}
		q.gathered, q.paused = q.n, q.n > 0
		if !q.paused {
			q.poller.patience.gathered(0)
		}
	}
	if q.n == 0 && !q.drained {
		if err := q.poller.wait(q.ready); err != nil {
			return err
		}
	}
	switch err := q.sockErr; {
	case q.n > 0:
		return nil
	case q.drained:
		return ErrDrained
	case err == unix.ENETDOWN:
		q.sockErr = nil
		// The kernel says it once, also when the interface was deleted, and is
		// silent from then on.
		if q.Gone() {
			q.gone = true
			return ErrGone
		}
		return ErrDown
	default:
		q.sockErr = nil
		return os.NewSyscallError("recvmmsg", err)
	}
}

// isReady tells the poller whether a wait is over.
func (q *Queue) isReady(uintptr) bool {
	q.over = false
	if q.rx.Control(q.try) != nil {
		return true // closed, of which the poller tells
	}
	return q.over
}

// receive receives what is there.
func (q *Queue) receive(fd int) error {
	for {
		n, err := RecvMmsg(fd, q.msgs, 0, q.msgs.Cap(), unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		switch {
		case err == nil:
			q.n, q.over = n, true
			return nil
		case err == unix.EAGAIN && q.stopped:
			q.drained, q.over = true, true
			return nil
		case err == unix.EAGAIN:
			q.over = q.sockErr != nil
			return nil
		}
		// What was captured comes before what went wrong.
		q.sockErr = err
	}
}

// frame fills f from message i.
func (q *Queue) frame(i int, f *link.Frame) {
	head := q.cooked.Len()
	b := q.mem[i*q.slot:][:q.slot:q.slot]
	n := head + min(q.msgs.Len(i), q.slot-head)
	f.Data = b[:n:n]
	f.WireLen = head + q.msgs.Len(i)
	f.TimeSource = link.TimeSoftware
	f.Hash, f.VLANTCI, f.VLANTPID = 0, 0, 0
	f.Checksum, f.Flags = link.ChecksumUnknown, 0
	f.Interface, f.Direction = q.index, link.DirectionUnknown
	name := q.msgs.Name(i)
	if from, ok := ParseLinkName(name); ok {
		f.Interface, f.Direction = from.Interface, direction(from.Type)
	}
	if q.cooked != 0 {
		q.cooked.put(b, name)
	}
	c := &q.control
	c.Parse(q.msgs.Control(i))
	f.Time = c.Time
	if !c.Hardware.IsZero() {
		f.Time, f.TimeSource = c.Hardware, link.TimeHardware
	}
	if c.HasAux {
		f.WireLen = head + int(c.WireLen)
		c.Describe(&f.Info)
	}
	// There is no count before the first drop.
	if c.Drops != q.lost {
		q.lost = c.Drops
		f.Flags |= link.InfoLossBefore
	}
}

// Interrupt makes a waiting Next, or else the next one that has to wait, return
// ErrInterrupted.
func (q *Queue) Interrupt() {
	q.poller.interrupt()
}

// Transmitter returns what sends: nil in a cooked capture.
func (q *Queue) Transmitter() *Transmitter { return q.tx }

// Gone reports whether the interface does not exist any more, as [Socket.Gone]
// does.
func (q *Queue) Gone() bool { return q.rtnl.gone(q.index) }

// Stats returns the counters.
func (q *Queue) Stats() (Counters, error) {
	st, err := q.rx.Stats()
	if err != nil {
		return Counters{}, err
	}
	c := Counters{Packets: st.Packets, Drops: st.Drops}
	if q.index == 0 {
		return c, nil
	}
	c.Missed, err = q.missed.Read(q.rtnl, q.index)
	return c, err
}

// SyscallConn returns the receiving socket.
func (q *Queue) SyscallConn() (syscall.RawConn, error) { return q.rx.Raw(), nil }

// Close gives everything back to the kernel. The frame that Next returned last
// can be read as long as somebody has it.
func (q *Queue) Close() error {
	var errs []error
	if q.poller != nil {
		errs = append(errs, q.poller.close())
	}
	if q.rx != nil {
		errs = append(errs, q.rx.Close())
	}
	if q.tx != nil {
		errs = append(errs, q.tx.Close())
	}
	if q.rtnl != nil {
		errs = append(errs, q.rtnl.Close())
	}
	return errors.Join(errs...)
}
