package pkts

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/gopkts/gopkts/common/link"
)

const loopbackOffFamily = 0

// LoopbackLen is the length of a Loopback or Loop header, in bytes.
const LoopbackLen = 4

// LoopbackFamily is the address family that a BSD loopback interface puts
// before a packet. That of IPv6 differs from system to system. Above 1500 it is
// an [EtherType]: the libpcap of old Linux systems wrote those.
type LoopbackFamily uint32

const (
	LoopbackIPv4        LoopbackFamily = 2
	LoopbackISO         LoopbackFamily = 7
	LoopbackLinuxIPv6   LoopbackFamily = 10
	LoopbackAppleTalk   LoopbackFamily = 16
	LoopbackIPX         LoopbackFamily = 23
	LoopbackIPv6        LoopbackFamily = 24 // NetBSD, OpenBSD, BSD/OS, Npcap
	LoopbackFreeBSDIPv6 LoopbackFamily = 28 // FreeBSD, DragonFly BSD
	LoopbackDarwinIPv6  LoopbackFamily = 30 // macOS, iOS
)

// String returns the family's name, that of the EtherType, or the number.
func (f LoopbackFamily) String() string {
	n := f.number()
	switch n {
	case LoopbackIPv4:
		return "IPv4"
	case LoopbackISO:
		return "ISO"
	case LoopbackAppleTalk:
		return "AppleTalk"
	case LoopbackIPX:
		return "IPX"
	case LoopbackLinuxIPv6, LoopbackIPv6, LoopbackFreeBSDIPv6, LoopbackDarwinIPv6:
		return "IPv6"
	}
	if n.isEtherType() {
		return EtherType(n).String()
	}
	return fmt.Sprintf("%d", uint32(f))
}

// number returns the family itself. IRIX wrote it with 16 bits, followed by as
// many zeros.
func (f LoopbackFamily) number() LoopbackFamily {
	if hi := f >> 16; hi != 0 && hi <= loopbackMaxIRIX {
		return hi
	}
	return f
}

// loopbackMaxIRIX is the highest family that is looked for in the 16 bits of
// IRIX: from 6 on they could be the first half of an EtherType.
const loopbackMaxIRIX = 5

func (f LoopbackFamily) isEtherType() bool { return f > ethernetMaxLength && f <= 0xffff }

// Loopback is the header of LINKTYPE_NULL, which the loopback interfaces of the
// BSDs and of macOS have: an address family in the byte order of the host that
// captured, https://www.tcpdump.org/linktypes.html.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Address Family                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Loopback struct {
	// Family is [LoopbackIPv4], or [LoopbackDarwinIPv6], unless pinned.
	Family Auto[LoopbackFamily]
	// BigEndian says that the most significant byte comes first. It is
	// detected: families are small numbers.
	BigEndian bool
}

var _ Completer = (*Loopback)(nil)

var loopbackProtocol = Protocol{
	Name:   "Loopback",
	New:    New[Loopback],
	Clone:  Clone[Loopback],
	Index:  indexLoopback,
	At:     []Selector{{&linkTypesTable, uint64(link.TypeNull)}},
	Fields: []Field{{"Family", loopbackOffFamily * 8, 32}},
	kind:   kindLoopback,
}

// LoopbackFamilies are the address families that announce what follows a
// [Loopback] or [Loop] header. An EtherType in their place is looked up in
// [EtherTypes] instead.
var LoopbackFamilies = &loopbackFamiliesTable

var loopbackFamiliesTable = Table{name: "loopback family", max: ethernetMaxLength, builtin: func(n uint64) Kind { return loopbackFamilyKind(LoopbackFamily(n)) }}

// ByLoopbackFamily returns a number in [LoopbackFamilies].
func ByLoopbackFamily(f LoopbackFamily) Selector {
	return Selector{&loopbackFamiliesTable, uint64(f)}
}

// loopbackFamilyKind is the built-in part of [LoopbackFamilies].
func loopbackFamilyKind(f LoopbackFamily) Kind {
	switch f {
	case LoopbackIPv4:
		return kindIPv4
	case LoopbackLinuxIPv6, LoopbackIPv6, LoopbackFreeBSDIPv6, LoopbackDarwinIPv6:
		return kindIPv6
	default:
		return KindRaw
	}
}

// loopbackFamily returns the protocol that f announces.
func (r *Registry) loopbackFamily(f LoopbackFamily) Kind {
	if f = f.number(); f.isEtherType() {
		return r.etherType(EtherType(f))
	}
	return r.Next(&loopbackFamiliesTable, uint64(f))
}

// Proto returns the descriptor of LINKTYPE_NULL.
func (*Loopback) Proto() *Protocol { return &loopbackProtocol }

func indexLoopback(b []byte, r *Registry) (Span, error) {
	if len(b) < LoopbackLen {
		return Span{}, Truncated("Loopback", LoopbackLen, len(b))
	}
	return Span{Header: LoopbackLen, Payload: len(b) - LoopbackLen, Next: r.loopbackFamily(LoopbackView(b).Family())}, nil
}

// Decode fills l from the header at the start of b, 4 bytes.
func (l *Loopback) Decode(b []byte) (int, error) {
	if len(b) < LoopbackLen {
		return 0, Truncated("Loopback", LoopbackLen, len(b))
	}
	v := LoopbackView(b)
	l.Family = Seen(v.Family())
	l.BigEndian = v.BigEndian()
	return LoopbackLen, nil
}

// AppendBinary appends the header to b.
func (l *Loopback) AppendBinary(b []byte) ([]byte, error) {
	if l.BigEndian {
		return binary.BigEndian.AppendUint32(b, uint32(l.Family.value)), nil
	}
	return binary.LittleEndian.AppendUint32(b, uint32(l.Family.value)), nil
}

// Complete computes Family.
func (l *Loopback) Complete(c *Completion) error {
	if !c.Wants("Family", loopbackOffFamily, l.Family.mode) {
		return nil
	}
	v := LoopbackView(c.Header())
	f, big := uint32(c.loopbackFamily(v.Family(), LoopbackDarwinIPv6)), l.BigEndian
	if c.verifying {
		big = v.BigEndian()
	}
	if !big {
		f = bits.ReverseBytes32(f) // PutUint32 writes in network byte order
	}
	c.PutUint32(f)
	return nil
}

// loopbackFamily returns the family of the payload, ipv6 being what the system
// in question uses for IPv6.
func (c *Completion) loopbackFamily(have, ipv6 LoopbackFamily) LoopbackFamily {
	next := c.next()
	if r := c.p.registry(); next == KindRaw || r.loopbackFamily(have) == next {
		return have
	}
	var unknown LoopbackFamily
	switch next {
	case kindIPv4:
		unknown = LoopbackIPv4
	case kindIPv6:
		unknown = ipv6
	}
	return LoopbackFamily(c.Number(&loopbackFamiliesTable, uint64(unknown), uint64(unknown)))
}

// LoopbackView is a LINKTYPE_NULL header in place, with what follows it. Its
// methods panic when it is shorter than 4 bytes: those that [View] returns are
// not.
type LoopbackView []byte

// Proto returns the descriptor of LINKTYPE_NULL.
func (LoopbackView) Proto() *Protocol { return &loopbackProtocol }

// BigEndian reports the byte order in which the header is a family or an
// EtherType; little-endian when it is neither either way.
func (v LoopbackView) BigEndian() bool {
	le, be := binary.LittleEndian.Uint32(v), binary.BigEndian.Uint32(v)
	switch {
	case le <= 0xffff:
		// A family, unless that is in the upper half of a big-endian one.
		return le != 0 && le&0xff == 0 && le>>8 <= loopbackMaxIRIX
	default:
		return le>>16 > loopbackMaxIRIX && be <= 0xffff
	}
}

func (v LoopbackView) Family() LoopbackFamily {
	if v.BigEndian() {
		return LoopbackFamily(binary.BigEndian.Uint32(v[loopbackOffFamily:]))
	}
	return LoopbackFamily(binary.LittleEndian.Uint32(v[loopbackOffFamily:]))
}
func (v LoopbackView) Payload() []byte { return v[LoopbackLen:] }

// SetFamily sets the family in the byte order that the header has.
func (v LoopbackView) SetFamily(f LoopbackFamily) {
	if v.BigEndian() {
		binary.BigEndian.PutUint32(v[loopbackOffFamily:], uint32(f))
		return
	}
	binary.LittleEndian.PutUint32(v[loopbackOffFamily:], uint32(f))
}

// Loop is the header of LINKTYPE_LOOP, which the loopback interfaces of OpenBSD
// have: [Loopback] in network byte order.
type Loop struct {
	Family Auto[LoopbackFamily] // [LoopbackIPv4], or [LoopbackIPv6], unless pinned
}

var _ Completer = (*Loop)(nil)

var loopProtocol = Protocol{
	Name:   "Loop",
	New:    New[Loop],
	Clone:  Clone[Loop],
	Index:  indexLoop,
	At:     []Selector{{&linkTypesTable, uint64(link.TypeLoop)}},
	Fields: []Field{{"Family", loopbackOffFamily * 8, 32}},
	kind:   kindLoop,
}

// Proto returns the descriptor of LINKTYPE_LOOP.
func (*Loop) Proto() *Protocol { return &loopProtocol }

func indexLoop(b []byte, r *Registry) (Span, error) {
	if len(b) < LoopbackLen {
		return Span{}, Truncated("Loop", LoopbackLen, len(b))
	}
	s := Span{Header: LoopbackLen, Payload: len(b) - LoopbackLen}
	s.Next = r.Next(&loopbackFamiliesTable, uint64(LoopView(b).Family()))
	return s, nil
}

// Decode fills l from the header at the start of b, 4 bytes.
func (l *Loop) Decode(b []byte) (int, error) {
	if len(b) < LoopbackLen {
		return 0, Truncated("Loop", LoopbackLen, len(b))
	}
	l.Family = Seen(LoopView(b).Family())
	return LoopbackLen, nil
}

// AppendBinary appends the header to b.
func (l *Loop) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(b, uint32(l.Family.value)), nil
}

// Complete computes Family.
func (l *Loop) Complete(c *Completion) error {
	if !c.Wants("Family", loopbackOffFamily, l.Family.mode) {
		return nil
	}
	c.PutUint32(uint32(c.loopbackFamily(LoopView(c.Header()).Family(), LoopbackIPv6)))
	return nil
}

// LoopView is a LINKTYPE_LOOP header in place, with what follows it. Its
// methods panic when it is shorter than 4 bytes: those that [View] returns are
// not.
type LoopView []byte

// Proto returns the descriptor of LINKTYPE_LOOP.
func (LoopView) Proto() *Protocol { return &loopProtocol }

func (v LoopView) Family() LoopbackFamily {
	return LoopbackFamily(binary.BigEndian.Uint32(v[loopbackOffFamily:]))
}
func (v LoopView) Payload() []byte { return v[LoopbackLen:] }

func (v LoopView) SetFamily(f LoopbackFamily) {
	binary.BigEndian.PutUint32(v[loopbackOffFamily:], uint32(f))
}
