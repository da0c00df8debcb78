package pkts

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

const (
	ndpRSOffReserved = 0

	ndpRAOffHopLimit       = 0
	ndpRAOffFlags          = 1
	ndpRAOffLifetime       = 2
	ndpRAOffReachableTime  = 4
	ndpRAOffRetransTimer   = 8
	ndpNeighborOffFlags    = 0 // reserved bits in a solicitation
	ndpNeighborOffTarget   = 4
	ndpRedirectOffReserved = 0
	ndpRedirectOffTarget   = 4
	ndpRedirectOffDst      = 20
)

// The lengths of the neighbor discovery messages without options and without
// the header that all ICMPv6 messages have, in bytes.
const (
	NDPRouterSolicitationMinLen    = 4
	NDPRouterAdvertisementMinLen   = 12
	NDPNeighborSolicitationMinLen  = 20
	NDPNeighborAdvertisementMinLen = 20
	NDPRedirectMinLen              = 36
)

// NDPPreference says which of several default routers or routes to prefer,
// RFC 4191, section 2.1: a signed number of 2 bits.
type NDPPreference uint8

const (
	NDPPreferMedium   NDPPreference = 0
	NDPPreferHigh     NDPPreference = 1
	NDPPreferReserved NDPPreference = 2 // not to be sent; counts as medium
	NDPPreferLow      NDPPreference = 3
)

// String returns "medium", "high", "reserved" or "low".
func (p NDPPreference) String() string {
	return nameOf([]string{"medium", "high", "reserved", "low"}, uint8(p))
}

// NDPRouterFlags are the flags of a router advertisement, RFC 4861,
// section 4.2, and RFC 5175. Further ones may be in an option:
// [NDPOption.FlagsExtension].
type NDPRouterFlags uint8

const (
	NDPManaged   NDPRouterFlags = 0x80 // addresses are to be had by DHCPv6
	NDPOther     NDPRouterFlags = 0x40 // other configuration is to be had by DHCPv6
	NDPHomeAgent NDPRouterFlags = 0x20 // the router is a home agent, RFC 6275
	NDPProxy     NDPRouterFlags = 0x04 // the advertisement was passed on by a proxy, RFC 4389

	ndpPreferenceShift = 3
	ndpPreferenceMask  = 3 << ndpPreferenceShift
)

// Has reports whether all bits of x are set.
func (f NDPRouterFlags) Has(x NDPRouterFlags) bool { return f&x == x }

// Preference returns the preference as a default router, RFC 4191.
func (f NDPRouterFlags) Preference() NDPPreference {
	return NDPPreference(f & ndpPreferenceMask >> ndpPreferenceShift)
}

// WithPreference returns f with another preference, of which 2 bits count.
func (f NDPRouterFlags) WithPreference(p NDPPreference) NDPRouterFlags {
	return f&^ndpPreferenceMask | NDPRouterFlags(p)<<ndpPreferenceShift&ndpPreferenceMask
}

// String returns the flags' letters, such as "M+O", and the preference if it is
// not medium; "none" for none.
func (f NDPRouterFlags) String() string {
	s := bitNames(uint32(f)<<24, []string{"M", "O", "H", "", "", "P", "reserved2", "reserved1"})
	if p := f.Preference(); p != NDPPreferMedium {
		if s == "none" {
			return p.String()
		}
		s += "+" + p.String()
	}
	return s
}

// NDPNeighborFlags are the flags of a neighbor advertisement, RFC 4861,
// section 4.4, and the reserved bits behind them.
type NDPNeighborFlags uint32

const (
	NDPRouter    NDPNeighborFlags = 1 << 31 // the sender is a router
	NDPSolicited NDPNeighborFlags = 1 << 30 // the answer to a solicitation
	NDPOverride  NDPNeighborFlags = 1 << 29 // the link-layer address replaces one that is known
)

// Has reports whether all bits of x are set.
func (f NDPNeighborFlags) Has(x NDPNeighborFlags) bool { return f&x == x }

// String returns the flags' letters, such as "S+O"; "none" for none.
func (f NDPNeighborFlags) String() string { return bitNames(uint32(f), []string{"R", "S", "O"}) }

// bitNames returns the names of the bits of f that are set, from the highest
// on, joined by "+"; bits without a name are left out. It returns "none" for
// none.
func bitNames(f uint32, names []string) string {
	s := ""
	for i, name := range names {
		if f&(1<<(31-i)) == 0 || name == "" {
			continue
		}
		if s != "" {
			s += "+"
		}
		s += name
	}
	if s == "" {
		return "none"
	}
	return s
}

// indexNDP returns the span of a message of at least n bytes, whose options go
// to the end.
func indexNDP(name string, n int, b []byte) (Span, error) {
	if len(b) < n {
		return Span{}, Truncated(name, n, len(b))
	}
	return Span{Header: len(b)}, nil
}

// NDPRouterSolicitation is a router solicitation, RFC 4861, section 4.1.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Reserved                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...                                                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type NDPRouterSolicitation struct {
	Reserved uint32
	Options  NDPOptions // aliases the packet after decoding
}

var _ Layer = (*NDPRouterSolicitation)(nil)

var ndpRouterSolicitationProtocol = Protocol{
	Name:  "NDPRouterSolicitation",
	New:   New[NDPRouterSolicitation],
	Clone: cloneNDPRouterSolicitation,
	Index: func(b []byte, _ *Registry) (Span, error) {
		return indexNDP("NDPRouterSolicitation", NDPRouterSolicitationMinLen, b)
	},
	At: []Selector{{&icmpv6TypesTable, uint32(ICMPv6RouterSolicitation)}},
	Fields: []Field{
		{"Reserved", ndpRSOffReserved * 8, 32},
		{"Options", NDPRouterSolicitationMinLen * 8, 0},
	},
	kind: kindNDPRouterSolicitation,
}

// Proto returns the descriptor of NDP router solicitations.
func (*NDPRouterSolicitation) Proto() *Protocol { return &ndpRouterSolicitationProtocol }

func cloneNDPRouterSolicitation(l Layer) Layer {
	c := *l.(*NDPRouterSolicitation)
	c.Options = slices.Clone(c.Options)
	return &c
}

// Decode takes all of b.
func (l *NDPRouterSolicitation) Decode(b []byte) (int, error) {
	if len(b) < NDPRouterSolicitationMinLen {
		return 0, Truncated("NDPRouterSolicitation", NDPRouterSolicitationMinLen, len(b))
	}
	v := NDPRouterSolicitationView(b)
	l.Reserved = v.Reserved()
	l.Options = NDPOptions(b[NDPRouterSolicitationMinLen:len(b):len(b)])
	return len(b), nil
}

// AppendBinary appends the message to b.
func (l *NDPRouterSolicitation) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint32(b, l.Reserved)
	return append(b, l.Options...), nil
}

// NDPRouterSolicitationView is a router solicitation in place, without the header
// that all ICMPv6 messages have. Its methods panic when it is shorter than
// 4 bytes: those that [View] returns are not. The setters do not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type NDPRouterSolicitationView []byte

// Proto returns the descriptor of NDP router solicitations.
func (NDPRouterSolicitationView) Proto() *Protocol { return &ndpRouterSolicitationProtocol }

func (v NDPRouterSolicitationView) Reserved() uint32 {
	return binary.BigEndian.Uint32(v[ndpRSOffReserved:])
}
func (v NDPRouterSolicitationView) Options() NDPOptions {
	return NDPOptions(v[NDPRouterSolicitationMinLen:])
}

func (v NDPRouterSolicitationView) SetReserved(x uint32) {
	binary.BigEndian.PutUint32(v[ndpRSOffReserved:], x)
}

// NDPRouterAdvertisement is a router advertisement, RFC 4861, section 4.2.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Cur Hop Limit |M|O|H|Prf|P|R|R|       Router Lifetime         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Reachable Time                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Retrans Timer                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...                                                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type NDPRouterAdvertisement struct {
	HopLimit      uint8          // for the hosts' packets; 0 is unspecified
	Flags         NDPRouterFlags // and the preference
	Lifetime      uint16         // as a default router, in seconds; 0 for none
	ReachableTime uint32         // milliseconds; 0 is unspecified
	RetransTimer  uint32         // milliseconds; 0 is unspecified
	Options       NDPOptions     // aliases the packet after decoding
}

var _ Layer = (*NDPRouterAdvertisement)(nil)

var ndpRouterAdvertisementProtocol = Protocol{
	Name:  "NDPRouterAdvertisement",
	New:   New[NDPRouterAdvertisement],
	Clone: cloneNDPRouterAdvertisement,
	Index: func(b []byte, _ *Registry) (Span, error) {
		return indexNDP("NDPRouterAdvertisement", NDPRouterAdvertisementMinLen, b)
	},
	At: []Selector{{&icmpv6TypesTable, uint32(ICMPv6RouterAdvertisement)}},
	Fields: []Field{
		{"HopLimit", ndpRAOffHopLimit * 8, 8},
		{"Flags", ndpRAOffFlags * 8, 8},
		{"Lifetime", ndpRAOffLifetime * 8, 16},
		{"ReachableTime", ndpRAOffReachableTime * 8, 32},
		{"RetransTimer", ndpRAOffRetransTimer * 8, 32},
		{"Options", NDPRouterAdvertisementMinLen * 8, 0},
	},
	kind: kindNDPRouterAdvertisement,
}

// Proto returns the descriptor of NDP router advertisements.
func (*NDPRouterAdvertisement) Proto() *Protocol { return &ndpRouterAdvertisementProtocol }

func cloneNDPRouterAdvertisement(l Layer) Layer {
	c := *l.(*NDPRouterAdvertisement)
	c.Options = slices.Clone(c.Options)
	return &c
}

// Decode takes all of b.
func (l *NDPRouterAdvertisement) Decode(b []byte) (int, error) {
	if len(b) < NDPRouterAdvertisementMinLen {
		return 0, Truncated("NDPRouterAdvertisement", NDPRouterAdvertisementMinLen, len(b))
	}
	v := NDPRouterAdvertisementView(b)
	l.HopLimit = v.HopLimit()
	l.Flags = v.Flags()
	l.Lifetime = v.Lifetime()
	l.ReachableTime = v.ReachableTime()
	l.RetransTimer = v.RetransTimer()
	l.Options = NDPOptions(b[NDPRouterAdvertisementMinLen:len(b):len(b)])
	return len(b), nil
}

// AppendBinary appends the message to b.
func (l *NDPRouterAdvertisement) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, l.HopLimit, uint8(l.Flags))
	b = binary.BigEndian.AppendUint16(b, l.Lifetime)
	b = binary.BigEndian.AppendUint32(b, l.ReachableTime)
	b = binary.BigEndian.AppendUint32(b, l.RetransTimer)
	return append(b, l.Options...), nil
}

// NDPRouterAdvertisementView is a router advertisement in place, without the header
// that all ICMPv6 messages have. Its methods panic when it is shorter than
// 12 bytes: those that [View] returns are not. The setters do not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type NDPRouterAdvertisementView []byte

// Proto returns the descriptor of NDP router advertisements.
func (NDPRouterAdvertisementView) Proto() *Protocol { return &ndpRouterAdvertisementProtocol }

func (v NDPRouterAdvertisementView) HopLimit() uint8       { return v[ndpRAOffHopLimit] }
func (v NDPRouterAdvertisementView) Flags() NDPRouterFlags { return NDPRouterFlags(v[ndpRAOffFlags]) }
func (v NDPRouterAdvertisementView) Lifetime() uint16 {
	return binary.BigEndian.Uint16(v[ndpRAOffLifetime:])
}
func (v NDPRouterAdvertisementView) ReachableTime() uint32 {
	return binary.BigEndian.Uint32(v[ndpRAOffReachableTime:])
}
func (v NDPRouterAdvertisementView) RetransTimer() uint32 {
	return binary.BigEndian.Uint32(v[ndpRAOffRetransTimer:])
}
func (v NDPRouterAdvertisementView) Options() NDPOptions {
	return NDPOptions(v[NDPRouterAdvertisementMinLen:])
}

func (v NDPRouterAdvertisementView) SetHopLimit(h uint8)       { v[ndpRAOffHopLimit] = h }
func (v NDPRouterAdvertisementView) SetFlags(f NDPRouterFlags) { v[ndpRAOffFlags] = uint8(f) }
func (v NDPRouterAdvertisementView) SetLifetime(seconds uint16) {
	binary.BigEndian.PutUint16(v[ndpRAOffLifetime:], seconds)
}
func (v NDPRouterAdvertisementView) SetReachableTime(ms uint32) {
	binary.BigEndian.PutUint32(v[ndpRAOffReachableTime:], ms)
}
func (v NDPRouterAdvertisementView) SetRetransTimer(ms uint32) {
	binary.BigEndian.PutUint32(v[ndpRAOffRetransTimer:], ms)
}

// NDPNeighborSolicitation is a neighbor solicitation, RFC 4861, section 4.3.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           Reserved                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Target Address                        |
//	+                           (16 bytes)                          +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...                                                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type NDPNeighborSolicitation struct {
	Reserved uint32
	Target   netip.Addr // whose link-layer address is asked for; the zero Addr is ::
	Options  NDPOptions // aliases the packet after decoding
}

var _ Layer = (*NDPNeighborSolicitation)(nil)

var ndpNeighborSolicitationProtocol = Protocol{
	Name:  "NDPNeighborSolicitation",
	New:   New[NDPNeighborSolicitation],
	Clone: cloneNDPNeighborSolicitation,
	Index: func(b []byte, _ *Registry) (Span, error) {
		return indexNDP("NDPNeighborSolicitation", NDPNeighborSolicitationMinLen, b)
	},
	At: []Selector{{&icmpv6TypesTable, uint32(ICMPv6NeighborSolicitation)}},
	Fields: []Field{
		{"Reserved", ndpNeighborOffFlags * 8, 32},
		{"Target", ndpNeighborOffTarget * 8, 128},
		{"Options", NDPNeighborSolicitationMinLen * 8, 0},
	},
	kind: kindNDPNeighborSolicitation,
}

// Proto returns the descriptor of NDP neighbor solicitations.
func (*NDPNeighborSolicitation) Proto() *Protocol { return &ndpNeighborSolicitationProtocol }

func cloneNDPNeighborSolicitation(l Layer) Layer {
	c := *l.(*NDPNeighborSolicitation)
	c.Options = slices.Clone(c.Options)
	return &c
}

// Decode takes all of b.
func (l *NDPNeighborSolicitation) Decode(b []byte) (int, error) {
	if len(b) < NDPNeighborSolicitationMinLen {
		return 0, Truncated("NDPNeighborSolicitation", NDPNeighborSolicitationMinLen, len(b))
	}
	v := NDPNeighborSolicitationView(b)
	l.Reserved = v.Reserved()
	l.Target = v.Target()
	l.Options = NDPOptions(b[NDPNeighborSolicitationMinLen:len(b):len(b)])
	return len(b), nil
}

// AppendBinary appends the message to b.
func (l *NDPNeighborSolicitation) AppendBinary(b []byte) ([]byte, error) {
	target, ok := addr6(l.Target)
	if !ok {
		return b, wrongAddr("NDPNeighborSolicitation", "Target", l.Target)
	}
	b = binary.BigEndian.AppendUint32(b, l.Reserved)
	b = append(b, target[:]...)
	return append(b, l.Options...), nil
}

// NDPNeighborSolicitationView is a neighbor solicitation in place, without the header
// that all ICMPv6 messages have. Its methods panic when it is shorter than
// 20 bytes: those that [View] returns are not. The setters do not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type NDPNeighborSolicitationView []byte

// Proto returns the descriptor of NDP neighbor solicitations.
func (NDPNeighborSolicitationView) Proto() *Protocol { return &ndpNeighborSolicitationProtocol }

func (v NDPNeighborSolicitationView) Reserved() uint32 {
	return binary.BigEndian.Uint32(v[ndpNeighborOffFlags:])
}
func (v NDPNeighborSolicitationView) Target() netip.Addr {
	return netip.AddrFrom16([16]byte(v[ndpNeighborOffTarget:]))
}
func (v NDPNeighborSolicitationView) Options() NDPOptions {
	return NDPOptions(v[NDPNeighborSolicitationMinLen:])
}

func (v NDPNeighborSolicitationView) SetReserved(x uint32) {
	binary.BigEndian.PutUint32(v[ndpNeighborOffFlags:], x)
}

// SetTarget sets the target, which must be IPv6.
func (v NDPNeighborSolicitationView) SetTarget(a netip.Addr) {
	a16 := a.As16()
	copy(v[ndpNeighborOffTarget:], a16[:])
}

// NDPNeighborAdvertisement is a neighbor advertisement, RFC 4861, section 4.4.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|S|O|                     Reserved                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Target Address                        |
//	+                           (16 bytes)                          +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...                                                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type NDPNeighborAdvertisement struct {
	Flags   NDPNeighborFlags
	Target  netip.Addr // whose link-layer address is told; the zero Addr is ::
	Options NDPOptions // aliases the packet after decoding
}

var _ Layer = (*NDPNeighborAdvertisement)(nil)

var ndpNeighborAdvertisementProtocol = Protocol{
	Name:  "NDPNeighborAdvertisement",
	New:   New[NDPNeighborAdvertisement],
	Clone: cloneNDPNeighborAdvertisement,
	Index: func(b []byte, _ *Registry) (Span, error) {
		return indexNDP("NDPNeighborAdvertisement", NDPNeighborAdvertisementMinLen, b)
	},
	At: []Selector{{&icmpv6TypesTable, uint32(ICMPv6NeighborAdvertisement)}},
	Fields: []Field{
		{"Flags", ndpNeighborOffFlags * 8, 32},
		{"Target", ndpNeighborOffTarget * 8, 128},
		{"Options", NDPNeighborAdvertisementMinLen * 8, 0},
	},
	kind: kindNDPNeighborAdvertisement,
}

// Proto returns the descriptor of NDP neighbor advertisements.
func (*NDPNeighborAdvertisement) Proto() *Protocol { return &ndpNeighborAdvertisementProtocol }

func cloneNDPNeighborAdvertisement(l Layer) Layer {
	c := *l.(*NDPNeighborAdvertisement)
	c.Options = slices.Clone(c.Options)
	return &c
}

// Decode takes all of b.
func (l *NDPNeighborAdvertisement) Decode(b []byte) (int, error) {
	if len(b) < NDPNeighborAdvertisementMinLen {
		return 0, Truncated("NDPNeighborAdvertisement", NDPNeighborAdvertisementMinLen, len(b))
	}
	v := NDPNeighborAdvertisementView(b)
	l.Flags = v.Flags()
	l.Target = v.Target()
	l.Options = NDPOptions(b[NDPNeighborAdvertisementMinLen:len(b):len(b)])
	return len(b), nil
}

// AppendBinary appends the message to b.
func (l *NDPNeighborAdvertisement) AppendBinary(b []byte) ([]byte, error) {
	target, ok := addr6(l.Target)
	if !ok {
		return b, wrongAddr("NDPNeighborAdvertisement", "Target", l.Target)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(l.Flags))
	b = append(b, target[:]...)
	return append(b, l.Options...), nil
}

// NDPNeighborAdvertisementView is a neighbor advertisement in place, without the header
// that all ICMPv6 messages have. Its methods panic when it is shorter than
// 20 bytes: those that [View] returns are not. The setters do not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type NDPNeighborAdvertisementView []byte

// Proto returns the descriptor of NDP neighbor advertisements.
func (NDPNeighborAdvertisementView) Proto() *Protocol { return &ndpNeighborAdvertisementProtocol }

func (v NDPNeighborAdvertisementView) Flags() NDPNeighborFlags {
	return NDPNeighborFlags(binary.BigEndian.Uint32(v[ndpNeighborOffFlags:]))
}
func (v NDPNeighborAdvertisementView) Target() netip.Addr {
	return netip.AddrFrom16([16]byte(v[ndpNeighborOffTarget:]))
}
func (v NDPNeighborAdvertisementView) Options() NDPOptions {
	return NDPOptions(v[NDPNeighborAdvertisementMinLen:])
}

func (v NDPNeighborAdvertisementView) SetFlags(f NDPNeighborFlags) {
	binary.BigEndian.PutUint32(v[ndpNeighborOffFlags:], uint32(f))
}

// SetTarget sets the target, which must be IPv6.
func (v NDPNeighborAdvertisementView) SetTarget(a netip.Addr) {
	a16 := a.As16()
	copy(v[ndpNeighborOffTarget:], a16[:])
}

// NDPRedirect is a redirect, RFC 4861, section 4.5.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           Reserved                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Target Address                        |
//	+                           (16 bytes)                          +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Destination Address                      |
//	+                           (16 bytes)                          +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Options ...                                                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type NDPRedirect struct {
	Reserved uint32
	Target   netip.Addr // the better next hop, or Dst itself if that is on the link
	Dst      netip.Addr // the destination that is redirected
	Options  NDPOptions // aliases the packet after decoding
}

var _ Layer = (*NDPRedirect)(nil)

var ndpRedirectProtocol = Protocol{
	Name:  "NDPRedirect",
	New:   New[NDPRedirect],
	Clone: cloneNDPRedirect,
	Index: func(b []byte, _ *Registry) (Span, error) { return indexNDP("NDPRedirect", NDPRedirectMinLen, b) },
	At:    []Selector{{&icmpv6TypesTable, uint32(ICMPv6Redirect)}},
	Fields: []Field{
		{"Reserved", ndpRedirectOffReserved * 8, 32},
		{"Target", ndpRedirectOffTarget * 8, 128},
		{"Dst", ndpRedirectOffDst * 8, 128},
		{"Options", NDPRedirectMinLen * 8, 0},
	},
	kind: kindNDPRedirect,
}

// Proto returns the descriptor of NDP redirects.
func (*NDPRedirect) Proto() *Protocol { return &ndpRedirectProtocol }

func cloneNDPRedirect(l Layer) Layer {
	c := *l.(*NDPRedirect)
	c.Options = slices.Clone(c.Options)
	return &c
}

// Decode takes all of b.
func (l *NDPRedirect) Decode(b []byte) (int, error) {
	if len(b) < NDPRedirectMinLen {
		return 0, Truncated("NDPRedirect", NDPRedirectMinLen, len(b))
	}
	v := NDPRedirectView(b)
	l.Reserved = v.Reserved()
	l.Target = v.Target()
	l.Dst = v.Dst()
	l.Options = NDPOptions(b[NDPRedirectMinLen:len(b):len(b)])
	return len(b), nil
}

// AppendBinary appends the message to b.
func (l *NDPRedirect) AppendBinary(b []byte) ([]byte, error) {
	target, ok := addr6(l.Target)
	if !ok {
		return b, wrongAddr("NDPRedirect", "Target", l.Target)
	}
	dst, ok := addr6(l.Dst)
	if !ok {
		return b, wrongAddr("NDPRedirect", "Dst", l.Dst)
	}
	b = binary.BigEndian.AppendUint32(b, l.Reserved)
	b = append(b, target[:]...)
	b = append(b, dst[:]...)
	return append(b, l.Options...), nil
}

// NDPRedirectView is a redirect in place, without the header
// that all ICMPv6 messages have. Its methods panic when it is shorter than
// 36 bytes: those that [View] returns are not. The setters do not touch the
// checksum, which lies in the header before it: see [AdjustChecksum].
type NDPRedirectView []byte

// Proto returns the descriptor of NDP redirects.
func (NDPRedirectView) Proto() *Protocol { return &ndpRedirectProtocol }

func (v NDPRedirectView) Reserved() uint32 {
	return binary.BigEndian.Uint32(v[ndpRedirectOffReserved:])
}
func (v NDPRedirectView) Target() netip.Addr {
	return netip.AddrFrom16([16]byte(v[ndpRedirectOffTarget:]))
}
func (v NDPRedirectView) Dst() netip.Addr     { return netip.AddrFrom16([16]byte(v[ndpRedirectOffDst:])) }
func (v NDPRedirectView) Options() NDPOptions { return NDPOptions(v[NDPRedirectMinLen:]) }

func (v NDPRedirectView) SetReserved(x uint32) {
	binary.BigEndian.PutUint32(v[ndpRedirectOffReserved:], x)
}

// SetTarget and SetDst set an address, which must be IPv6.
func (v NDPRedirectView) SetTarget(a netip.Addr) {
	a16 := a.As16()
	copy(v[ndpRedirectOffTarget:], a16[:])
}
func (v NDPRedirectView) SetDst(a netip.Addr) { a16 := a.As16(); copy(v[ndpRedirectOffDst:], a16[:]) }
