package afpacket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"golang.org/x/net/bpf"
)

// A Socket carries packets of one [Kind]. All its methods may be called
// concurrently, and after Close, when they fail with [net.ErrClosed]. One
// Recv or RecvBatch, one Send, and one TxTimestamp runs at a time; others wait
// for their turn.
type Socket struct {
	kind   Kind
	cfg    Config
	ps     *sys.PacketSocket
	errq   *sys.PacketSocket // the same socket, to wait for its error queue
	rtnl   *sys.Rtnl         // of the socket's namespace
	prefix []bpf.RawInstruction

	rx     *receiver
	tx     *sender
	stamps *receiver // for errq, nil without TxStamps

	ring      atomic.Pointer[Ring]    // nil without
	binding   atomic.Pointer[binding] // nil before Bind
	down      atomic.Bool             // nothing was received since the interface went down
	truncated atomic.Uint64

	mu       sync.Mutex // guards what follows, and Bind
	filtered bool       // a filter is set besides the prefix
	missed   sys.MissMeter
	memDrops uint32 // as the kernel counts them, for raw IP
	dropped  uint64 // for raw IP, which has no other counter
}

// binding is what a socket is bound to.
type binding struct {
	index     int    // of the interface, 0 for all
	name      string // of the interface, "" for all
	etherType EtherType
}

// Open makes a socket. A KindL2 or KindL3 socket receives nothing until it is
// bound. A KindIPv4 or KindIPv6 socket receives from now on.
//
// The socket belongs to the network namespace of the calling thread.
//
// The error is a [*capture.OpError]. It wraps [capture.ErrConfig] when cfg,
// which may be nil, breaks a rule; [os.ErrPermission] without CAP_NET_RAW, or
// CAP_NET_ADMIN for some settings; and [errors.ErrUnsupported] where the kernel
// is too old for one.
func Open(kind Kind, cfg *Config) (*Socket, error) {
	s := &Socket{kind: kind}
	if cfg != nil {
		s.cfg = *cfg
	}
	if err := s.cfg.check(kind); err != nil {
		return nil, s.fail("open", err)
	}
	if err := s.open(); err != nil {
		err = s.fail("open", err)
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Socket) open() error {
	domain, typ := sys.DomainPacket, sys.TypeRaw
	switch s.kind {
	case KindL2:
	case KindL3:
		typ = sys.TypeDgram
	case KindIPv4:
		domain = sys.DomainIPv4
	case KindIPv6:
		domain = sys.DomainIPv6
	}
	var err error
	if s.ps, err = sys.OpenPacket(domain, typ, int(s.cfg.Protocol), "packet socket"); err != nil {
		return explainOpen(err)
	}
	s.rx, s.tx = newReceiver(), newSender()
	// A frame must find the filter, and what its metadata are made of, in place
	// when it comes: all this goes before bind.
	if s.kind.isPacket() {
		err = s.openPacket()
	} else {
		err = s.openIP()
	}
	if err != nil {
		return err
	}
	if err := s.openCommon(); err != nil {
		return err
	}
	if !s.kind.isPacket() && len(s.cfg.Filter) > 0 {
		// This one receives since it was made.
		sys.Barrier()
		return s.ps.Drain()
	}
	return nil
}

// openPacket applies what only AF_PACKET has.
func (s *Socket) openPacket() error {
	c := &s.cfg
	switch c.Direction {
	case capture.Both:
	case capture.In:
		// Linux 4.20; before, the filter has to do it.
		if s.ps.Set(sys.OptIgnoreOutgoing, 1) != nil {
			s.prefix = directionFilter(capture.In)
		}
	case capture.Out:
		s.prefix = directionFilter(capture.Out)
	}
	set := []setting{
		{sys.OptAuxdata, 1, true},
		{sys.OptOrigDev, 1, c.OriginalInterface},
		{sys.OptVnetHeader, 1, c.VnetHeader},
		{sys.OptQdiscBypass, 1, c.QdiscBypass},
	}
	if err := s.apply(set); err != nil {
		return err
	}
	if c.HardwareTime {
		if err := s.ps.SetRingStamps(); err != nil {
			return err
		}
	}
	var err error
	s.rtnl, err = sys.OpenRtnl()
	return err
}

// openIP applies what only raw IP has.
func (s *Socket) openIP() error {
	header, info := sys.OptHeaderIncluded, sys.OptPacketInfo
	if s.kind == KindIPv6 {
		header, info = sys.OptHeaderIncluded6, sys.OptPacketInfo6
	}
	return s.apply([]setting{
		{header, 1, s.cfg.HeaderIncluded},
		{info, 1, true},
	})
}

// sysStamps returns the timestamps that c asks for.
func (c *Config) sysStamps() sys.Stamps {
	return sys.Stamps{
		RxHardware: c.HardwareTime,
		TxSched:    c.TxStamps&TxSched != 0,
		TxSoftware: c.TxStamps&TxSoftware != 0,
		TxHardware: c.TxStamps&TxHardware != 0,
	}
}

// openCommon applies what every socket has.
func (s *Socket) openCommon() error {
	c := &s.cfg
	if err := s.ps.SetStamps(c.sysStamps()); err != nil {
		return err
	}
	if c.TxStamps != 0 {
		var err error
		if s.errq, err = s.ps.Dup(); err != nil {
			return err
		}
		s.stamps = newReceiver()
	}
	if err := s.buffer("ReadBuffer", "net.core.rmem_max", c.ReadBuffer, sys.OptReadBufferForce, sys.OptReadBuffer); err != nil {
		return err
	}
	if err := s.buffer("WriteBuffer", "net.core.wmem_max", c.WriteBuffer, sys.OptWriteBufferForce, sys.OptWriteBuffer); err != nil {
		return err
	}
	if err := s.apply([]setting{
		{sys.OptDropCount, 1, true},
		{sys.OptBusyPoll, int(c.BusyPoll / time.Microsecond), c.BusyPoll != 0},
		{sys.OptPreferBusyPoll, 1, c.PreferBusyPoll},
		{sys.OptBusyPollBudget, c.BusyPollBudget, c.BusyPollBudget != 0},
		{sys.OptPriority, c.Priority, c.Priority != 0},
		{sys.OptMark, int(int32(c.Mark)), c.Mark != 0},
	}); err != nil {
		return err
	}
	if len(c.Filter) > 0 || len(s.prefix) > 0 {
		if err := s.attach(c.Filter); err != nil {
			return err
		}
		s.filtered = len(c.Filter) > 0
	}
	return nil
}

// setting is an option, and whether to set it.
type setting struct {
	opt   sys.Option
	value int
	set   bool
}

func (s *Socket) apply(all []setting) error {
	for _, o := range all {
		if !o.set {
			continue
		}
		if err := s.ps.Set(o.opt, o.value); err != nil {
			return needAdmin(err)
		}
	}
	return nil
}

// buffer sets the size of a buffer.
func (s *Socket) buffer(field, limit string, size int, force, plain sys.Option) error {
	if size == 0 {
		return nil
	}
	// The kernel doubles what it is given, for its bookkeeping.
	err := s.ps.Set(force, (size+1)/2)
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	if err := s.ps.Set(plain, (size+1)/2); err != nil {
		return err
	}
	have, err := s.ps.Get(plain)
	if err == nil && have < size {
		return fmt.Errorf("%s is %d: the system allows %d: raise %s, or run with CAP_NET_ADMIN: %w", field, size, have, limit, syscall.EPERM)
	}
	return err
}

func (s *Socket) isPacket() bool { return s.kind.isPacket() }

// Kind returns the kind that the socket was opened with.
func (s *Socket) Kind() Kind { return s.kind }

// where is what errors call the socket.
func (s *Socket) where() string {
	b := s.binding.Load()
	switch {
	case b == nil:
		return s.kind.String() + " socket"
	case b.name == "":
		return "any interface"
	}
	return b.name
}

// bound returns the index of the interface, 0 for all or none.
func (s *Socket) bound() int {
	if b := s.binding.Load(); b != nil {
		return b.index
	}
	return 0
}

// device returns the name that the interface has now, "" for all or none.
func (s *Socket) device() string {
	b := s.binding.Load()
	if b == nil || b.index == 0 {
		return ""
	}
	if name, err := s.ps.InterfaceName(b.index); err == nil {
		return name // it may have been renamed
	}
	return b.name
}

// Bind starts to receive frames of type t from the interface with a name, or
// from all when the name is empty, and then joins the memberships and the
// fanout group of the [Config]. The name is looked up in the network namespace
// of the socket.
//
// A KindIPv4 or KindIPv6 socket has no EtherType: t must be EtherTypeNone, and
// the socket is limited to the interface (SO_BINDTODEVICE).
//
// An interface may be down: the first Recv says so, and frames come when it is
// up.
//
// The error wraps [capture.ErrNoInterface] when there is no such interface, and
// [capture.ErrConfig] when a setting does not suit. A socket can be bound once;
// one whose Bind failed is good for Close only.
func (s *Socket) Bind(name string, t EtherType) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkBind(name, t); err != nil {
		return s.fail("bind", err)
	}
	b := binding{name: name, etherType: t}
	if name != "" {
		var err error
		if b.index, err = s.ps.InterfaceIndex(name); err != nil {
			return s.fail("bind", explainInterface(name, err))
		}
	}
	if s.isPacket() {
		if err := s.bindPacket(&b); err != nil {
			return s.fail("bind", err)
		}
	} else if err := s.ps.BindDevice(name); err != nil {
		return s.fail("bind", explainInterface(name, err))
	}
	s.binding.Store(&b)
	return nil
}

func (s *Socket) checkBind(name string, t EtherType) error {
	switch {
	case s.binding.Load() != nil:
		return illegal("Bind was called before: open another Socket")
	case !s.isPacket() && t != EtherTypeNone:
		return illegal("EtherType is %v: a %v socket must have EtherTypeNone", t, s.kind)
	case !s.isPacket() && name == "":
		return illegal("no interface: a %v socket has all of them until it is bound", s.kind)
	case s.cfg.Direction == capture.Out && t != EtherTypeAll && t != EtherTypeNone:
		return illegal("EtherType is %v with Direction out: the kernel shows what the host sends to EtherTypeAll only", t)
	case len(s.cfg.Memberships) > 0 && name == "":
		return illegal("Memberships need one interface: Bind to it, or have none")
	case s.cfg.Fanout != nil && t == EtherTypeNone:
		return illegal("Fanout needs an EtherType other than none: there is nothing to share")
	}
	return nil
}

func (s *Socket) bindPacket(b *binding) error {
	if b.index != 0 {
		// Before anything can be lost that is counted.
		l, err := s.rtnl.Link(b.index)
		if err != nil {
			return explainInterface(b.name, err)
		}
		s.missed.Begin(l)
	}
	if err := s.ps.BindLink(uint16(b.etherType), b.index); err != nil {
		return explainInterface(b.name, err)
	}
	// These want to know the interface, and fanout a socket that receives.
	for _, m := range s.cfg.Memberships {
		if err := m.set(s, true, b.index); err != nil {
			return err
		}
	}
	if s.cfg.Fanout != nil {
		return s.cfg.Fanout.join(s, b.index)
	}
	return nil
}

// BindIP makes a KindIPv4 or KindIPv6 socket receive only what is addressed to
// a, an address of the host or a group, and send from it. A link-local address
// has the name or the index of its interface as zone.
func (s *Socket) BindIP(a netip.Addr) error {
	if err := s.checkIP(a); err != nil {
		return s.fail("bind", err)
	}
	scope, err := s.scope(a)
	if err == nil {
		err = s.ps.BindIP(a, scope)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		err = &advice{err, "the host does not have the address " + a.String()}
	}
	return s.fail("bind", err)
}

// checkIP tells whether a is an address that the socket can use.
func (s *Socket) checkIP(a netip.Addr) error {
	switch {
	case s.isPacket():
		return illegal("the address %v is an IP address: a %v socket has link addresses", a, s.kind)
	case s.kind == KindIPv4 && !a.Is4(), s.kind == KindIPv6 && !a.Is6():
		return illegal("the address %v does not suit a socket of kind %v", a, s.kind)
	}
	return nil
}

// scope returns the index of the interface that a's zone means.
func (s *Socket) scope(a netip.Addr) (uint32, error) {
	zone := a.Zone()
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 31); err == nil {
		return uint32(n), nil
	}
	n, err := s.ps.InterfaceIndex(zone)
	return uint32(n), explainInterface(zone, err)
}

// LocalAddr returns what the kernel says that the socket is bound to: for
// KindL2 and KindL3 the interface with its own hardware address and the
// EtherType, for the others the IP address.
func (s *Socket) LocalAddr() (Addr, error) {
	if !s.isPacket() {
		ip, scope, err := s.ps.LocalIP()
		if err != nil {
			return Addr{}, s.fail("address", err)
		}
		return Addr{Interface: s.bound(), IP: withScope(ip, scope)}, nil
	}
	n, err := s.ps.LocalName()
	if err != nil {
		return Addr{}, s.fail("address", err)
	}
	return linkAddr(&n), nil
}

// MembershipType says what a [Membership] asks an interface for: PACKET_MR_ of
// packet(7).
type MembershipType uint8

const (
	// Promiscuous asks for frames that are addressed to other hosts.
	Promiscuous MembershipType = 1 + iota
	// AllMulticast asks for the frames of all groups.
	AllMulticast
	// Multicast asks for the frames of one group.
	Multicast
	// Unicast asks for frames that are addressed to one more hardware address.
	Unicast
)

// String returns "promiscuous", "all multicast", "multicast", "unicast" or the
// number.
func (t MembershipType) String() string {
	switch t {
	case Promiscuous:
		return "promiscuous"
	case AllMulticast:
		return "all multicast"
	case Multicast:
		return "multicast"
	case Unicast:
		return "unicast"
	}
	return fmt.Sprintf("MembershipType(%d)", uint8(t))
}

// Membership asks an interface for frames that it would not receive otherwise.
// The kernel counts who asks for what; the interface goes back when the last
// one drops out, or closes his socket.
type Membership struct {
	// Type is what to ask for.
	Type MembershipType
	// Addr is the address for Multicast and Unicast.
	Addr HardwareAddr
}

func (m Membership) check() error {
	switch m.Type {
	case Promiscuous, AllMulticast:
		if m.Addr.n != 0 {
			return illegal("a Membership of type %v has the address %v: only Multicast and Unicast have one", m.Type, m.Addr)
		}
	case Multicast, Unicast:
		if m.Addr.n == 0 {
			return illegal("a Membership of type %v has no address", m.Type)
		}
	default:
		return illegal("Membership.Type is %v: must be Promiscuous, AllMulticast, Multicast or Unicast", m.Type)
	}
	return nil
}

func (m Membership) set(s *Socket, add bool, index int) error {
	typ := uint16(sys.MembershipPromiscuous)
	switch m.Type {
	case Promiscuous:
	case AllMulticast:
		typ = sys.MembershipAllMulticast
	case Multicast:
		typ = sys.MembershipMulticast
	case Unicast:
		typ = sys.MembershipUnicast
	}
	err := s.ps.Membership(add, index, typ, m.Addr.b[:m.Addr.n])
	switch {
	case errors.Is(err, syscall.EINVAL):
		return &advice{err, "the address " + m.Addr.String() + " has not the length of the interface's"}
	case errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w: %w", capture.ErrInterfaceGone, err)
	}
	return err
}

// Join adds a membership on the interface that the socket is bound to.
func (s *Socket) Join(m Membership) error { return s.membership("join", true, m) }

// Leave drops a membership that was added by Join or by the [Config]. One that
// was added twice has to be dropped twice. The kernel does not mind when there
// is none.
func (s *Socket) Leave(m Membership) error { return s.membership("leave", false, m) }

func (s *Socket) membership(op string, add bool, m Membership) error {
	if err := m.check(); err != nil {
		return s.fail(op, err)
	}
	index := s.bound()
	if !s.isPacket() || index == 0 {
		return s.fail(op, illegal("a Membership is of one interface: Bind a KindL2 or KindL3 socket to it first"))
	}
	return s.fail(op, m.set(s, add, index))
}

// Stats returns what became of the messages since Open: for KindL2 and KindL3
// what the kernel counts (PACKET_STATISTICS, added up, since reading resets
// it), rings included; for raw IP only those that found no room. Truncated are
// the messages that a Recv or RecvBatch returned cut, by the filter or by the
// size of the buffer.
func (s *Socket) Stats() (capture.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := capture.Stats{Truncated: s.truncated.Load()}
	if !s.isPacket() {
		drops, err := s.ps.MemDrops()
		if err != nil {
			return capture.Stats{}, s.fail("stats", err)
		}
		s.dropped += uint64(drops - s.memDrops) // modulo 2^32
		s.memDrops = drops
		st.Dropped = s.dropped
		return st, nil
	}
	c, err := s.ps.Stats()
	if err != nil {
		return capture.Stats{}, s.fail("stats", err)
	}
	// The kernel counts a frame that it dropped among the packets, too.
	st.Received = c.Packets - min(c.Drops, c.Packets)
	st.Dropped = c.Drops
	st.RingFreezes = c.Freezes
	if index := s.bound(); index != 0 {
		if st.InterfaceDropped, err = s.missed.Read(s.rtnl, index); err != nil {
			return capture.Stats{}, s.fail("stats", err)
		}
	}
	return st, nil
}

// SetReadDeadline makes Recv, RecvBatch and TxTimestamp fail with
// [os.ErrDeadlineExceeded] once t has passed, those that wait now included,
// until another deadline is set. The zero time means no deadline. A time in
// the past wakes them at once, which is how a context ends a wait.
func (s *Socket) SetReadDeadline(t time.Time) error {
	if s.errq != nil {
		if err := s.errq.SetReadDeadline(t); err != nil {
			return s.fail("deadline", err)
		}
	}
	return s.fail("deadline", s.ps.SetReadDeadline(t))
}

// SetWriteDeadline is SetReadDeadline for Send, SendTo and SendBatch, which wait
// for room in the write buffer.
func (s *Socket) SetWriteDeadline(t time.Time) error {
	return s.fail("deadline", s.ps.SetWriteDeadline(t))
}

// SetDeadline sets both deadlines.
func (s *Socket) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SyscallConn gives access to the descriptor. What the kernel is told through
// it may break the promises of s.
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	if err := s.ps.Control(func(int) error { return nil }); err != nil {
		return nil, s.fail("syscallconn", err)
	}
	return s.ps.Raw(), nil
}

// Close closes the socket and its rings, leaves its memberships and its fanout
// group, and ends all waits. See [Ring.Close].
func (s *Socket) Close() error {
	if s.ps == nil {
		return nil // Open failed
	}
	err := s.ps.Close()
	if s.errq != nil {
		err = errors.Join(err, s.errq.Close())
	}
	if s.rtnl != nil {
		err = errors.Join(err, s.rtnl.Close())
	}
	if r := s.ring.Load(); r != nil {
		// The mapping holds the socket open in the kernel until it is gone, too.
		err = errors.Join(err, r.rings.Close())
	}
	return s.fail("close", err)
}
