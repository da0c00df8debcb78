package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"
)

const (
	icmpExtOffVersion  = 0 // version and reserved bits
	icmpExtOffChecksum = 2
	icmpExtOffObjects  = 4
)

const (
	// ICMPExtensionsMinLen is the length of an extension structure without
	// objects, in bytes.
	ICMPExtensionsMinLen = 4
	icmpObjectMinLen     = 4
	icmpObjectMaxData    = 0xffff - icmpObjectMinLen
	icmpExtVersion       = 2
)

// ICMPObjectClass says what an object of an ICMP extension structure is: the
// numbers of https://www.iana.org/assignments/icmp-parameters.
type ICMPObjectClass uint8

const (
	ICMPObjectMPLS        ICMPObjectClass = 1 // label stack entries, RFC 4950
	ICMPObjectInterface   ICMPObjectClass = 2 // interface information, RFC 5837
	ICMPObjectInterfaceID ICMPObjectClass = 3 // interface identification, RFC 8335
	ICMPObjectExtended    ICMPObjectClass = 4 // extended information, RFC 8883
)

// String returns the class's name, or the number.
func (c ICMPObjectClass) String() string {
	switch c {
	case ICMPObjectMPLS:
		return "MPLS label stack"
	case ICMPObjectInterface:
		return "interface information"
	case ICMPObjectInterfaceID:
		return "interface identification"
	case ICMPObjectExtended:
		return "extended information"
	default:
		return fmt.Sprintf("%d", uint8(c))
	}
}

// ICMPExtensions is an ICMP extension structure, RFC 4884, section 7: what
// follows the quoted packet in an ICMPv4 or ICMPv6 error, and the payload of an
// extended echo request, RFC 8335.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version|      (Reserved)       |           Checksum            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Objects                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The version is 2.
type ICMPExtensions struct {
	Reserved uint16       // 12 bits
	Checksum Auto[uint16] // of the whole structure; 0 says that there is none
	Objects  ICMPObjects  // aliases the packet after decoding
}

var _ Completer = (*ICMPExtensions)(nil)

var icmpExtensionsProtocol = Protocol{
	Name:  "ICMPExtensions",
	New:   New[ICMPExtensions],
	Clone: cloneICMPExtensions,
	Index: indexICMPExtensions,
	Fields: []Field{
		{"Version", 0, 4},
		{"Reserved", 4, 12},
		{"Checksum", icmpExtOffChecksum * 8, 16},
		{"Objects", icmpExtOffObjects * 8, 0},
	},
	kind: kindICMPExtensions,
}

// Proto returns the descriptor of ICMP extension structures.
func (*ICMPExtensions) Proto() *Protocol { return &icmpExtensionsProtocol }

func cloneICMPExtensions(l Layer) Layer {
	c := *l.(*ICMPExtensions)
	c.Objects = slices.Clone(c.Objects)
	return &c
}

// extensionsKind returns kindICMPExtensions if b begins with an extension
// structure, KindRaw otherwise.
func extensionsKind(b []byte) Kind {
	if len(b) < ICMPExtensionsMinLen || b[icmpExtOffVersion]>>4 != icmpExtVersion {
		return KindRaw
	}
	return kindICMPExtensions
}

func indexICMPExtensions(b []byte, _ *Registry) (Span, error) {
	n, err := ICMPExtensionsView(b).extent()
	return Span{Header: n, Payload: len(b) - n}, err
}

// extent returns the length of the structure, or why there is none. It is all
// of v, except behind the object that identifies an interface: that is the only
// one in an extended echo request, whose sender may put data of its own behind
// it.
func (v ICMPExtensionsView) extent() (int, error) {
	if err := v.check(); err != nil {
		return 0, err
	}
	if obj, n := ICMPObjects(v[icmpExtOffObjects:]).at(0); obj.Class == ICMPObjectInterfaceID {
		return icmpExtOffObjects + n, nil
	}
	return len(v), nil
}

// check returns why v does not begin with an extension structure.
func (v ICMPExtensionsView) check() error {
	if len(v) < ICMPExtensionsMinLen {
		return Truncated("ICMPExtensions", ICMPExtensionsMinLen, len(v))
	}
	if v[icmpExtOffVersion]>>4 != icmpExtVersion {
		return Malformed("ICMPExtensions", "the version is not 2")
	}
	return nil
}

// Decode takes all of b, or as much as goes to the end of an object of class
// [ICMPObjectInterfaceID] that comes first.
func (l *ICMPExtensions) Decode(b []byte) (int, error) {
	v := ICMPExtensionsView(b)
	n, err := v.extent()
	if err != nil {
		return 0, err
	}
	l.Reserved = v.Reserved()
	l.Checksum = Seen(v.Checksum())
	l.Objects = ICMPObjects(b[icmpExtOffObjects:n:n])
	return n, nil
}

// AppendBinary appends the structure to b.
func (l *ICMPExtensions) AppendBinary(b []byte) ([]byte, error) {
	if l.Reserved > 0xfff {
		return b, TooLong("ICMPExtensions", "Reserved", int(l.Reserved), 0xfff)
	}
	b = binary.BigEndian.AppendUint16(b, icmpExtVersion<<12|l.Reserved)
	b = binary.BigEndian.AppendUint16(b, l.Checksum.value)
	return append(b, l.Objects...), nil
}

// Complete computes Checksum. A received checksum of 0 says that the sender
// computed none: it stays.
func (l *ICMPExtensions) Complete(c *Completion) error {
	if l.Checksum.mode == ModeSeen && c.Uint16(icmpExtOffChecksum) == 0 {
		return nil
	}
	if c.Wants("Checksum", icmpExtOffChecksum, l.Checksum.mode) {
		sum := c.HeaderChecksum()
		if len(c.Payload()) == 0 {
			sum = c.InternetChecksum(0) // which knows of cut packets
		}
		if sum == 0 {
			sum = 0xffff
		}
		c.PutUint16(sum)
	}
	return nil
}

// ICMPExtensionsView is an ICMP extension structure in place. Its methods panic
// when it is shorter than 4 bytes: those that [View] returns are not. The
// setters do not touch the checksum of the ICMP header.
type ICMPExtensionsView []byte

// Proto returns the descriptor of ICMP extension structures.
func (ICMPExtensionsView) Proto() *Protocol { return &icmpExtensionsProtocol }

func (v ICMPExtensionsView) Reserved() uint16 {
	return binary.BigEndian.Uint16(v[icmpExtOffVersion:]) & 0xfff
}
func (v ICMPExtensionsView) Checksum() uint16 {
	return binary.BigEndian.Uint16(v[icmpExtOffChecksum:])
}

// Objects returns the objects, with what else goes to the end of the layer.
func (v ICMPExtensionsView) Objects() ICMPObjects { return ICMPObjects(v[icmpExtOffObjects:]) }

func (v ICMPExtensionsView) SetChecksum(sum uint16) {
	binary.BigEndian.PutUint16(v[icmpExtOffChecksum:], sum)
}

// ICMPObjects are the objects of an ICMP extension structure as they are
// encoded.
type ICMPObjects []byte

// ICMPObject is one object, RFC 4884, section 8.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             Length            |   Class-Num   |   C-Type      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   (Object payload)                            |
type ICMPObject struct {
	Class ICMPObjectClass
	CType uint8  // what that means depends on Class
	Data  []byte // aliases the objects
	// Malformed says that the length is wrong, so that nothing can be read
	// from here on. Data is then all the bytes that are left, and the other
	// fields are zero.
	Malformed bool
}

// All yields the objects, each with its offset from the start of o in bytes. A
// malformed one is the last.
func (o ICMPObjects) All() iter.Seq2[int, ICMPObject] {
	return func(yield func(int, ICMPObject) bool) {
		for off := 0; off < len(o); {
			obj, n := o.at(off)
			if !yield(off, obj) {
				return
			}
			off += n
		}
	}
}

// at returns the object at off, and its length.
func (o ICMPObjects) at(off int) (ICMPObject, int) {
	b := o[off:]
	if len(b) < icmpObjectMinLen {
		return ICMPObject{Data: b, Malformed: true}, len(b)
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < icmpObjectMinLen || n > len(b) {
		return ICMPObject{Data: b, Malformed: true}, len(b)
	}
	return ICMPObject{Class: ICMPObjectClass(b[2]), CType: b[3], Data: b[icmpObjectMinLen:n:n]}, n
}

// First returns the first object of a class.
func (o ICMPObjects) First(class ICMPObjectClass) (ICMPObject, bool) {
	for off := 0; off < len(o); {
		obj, n := o.at(off)
		if obj.Class == class && !obj.Malformed {
			return obj, true
		}
		off += n
	}
	return ICMPObject{}, false
}

// Append returns o with one more object. data is at most 65,531 bytes long.
func (o ICMPObjects) Append(class ICMPObjectClass, cType uint8, data []byte) (ICMPObjects, error) {
	if len(data) > icmpObjectMaxData {
		return o, TooLong("ICMPExtensions", "Objects", len(data), icmpObjectMaxData)
	}
	o = binary.BigEndian.AppendUint16(o, uint16(icmpObjectMinLen+len(data)))
	o = append(o, uint8(class), cType)
	return append(o, data...), nil
}

// ICMPLabel is one entry of an MPLS label stack, RFC 3032, section 2.1.
type ICMPLabel struct {
	Label  uint32 // 20 bits
	TC     uint8  // traffic class, 3 bits, RFC 5462
	Bottom bool   // it is the last of the stack
	TTL    uint8
}

// Labels yields the label stack of an object of class [ICMPObjectMPLS] as the
// packet had it when it arrived at the router, RFC 4950; nothing for another
// class.
func (obj ICMPObject) Labels() iter.Seq[ICMPLabel] {
	return func(yield func(ICMPLabel) bool) {
		if obj.Class != ICMPObjectMPLS {
			return
		}
		for b := obj.Data; len(b) >= 4; b = b[4:] {
			e := binary.BigEndian.Uint32(b)
			if !yield(ICMPLabel{Label: e >> 12, TC: uint8(e>>9) & 7, Bottom: e>>8&1 != 0, TTL: uint8(e)}) {
				return
			}
		}
	}
}

// AppendLabels returns o with an object that tells of an MPLS label stack,
// RFC 4950, C-Type 1. Label counts with 20 bits and TC with 3.
func (o ICMPObjects) AppendLabels(labels ...ICMPLabel) (ICMPObjects, error) {
	if len(labels)*4 > icmpObjectMaxData {
		return o, TooLong("ICMPExtensions", "Objects", len(labels)*4, icmpObjectMaxData)
	}
	o = binary.BigEndian.AppendUint16(o, uint16(icmpObjectMinLen+len(labels)*4))
	o = append(o, uint8(ICMPObjectMPLS), 1)
	for _, l := range labels {
		e := l.Label<<12 | uint32(l.TC&7)<<9 | uint32(l.TTL)
		if l.Bottom {
			e |= 1 << 8
		}
		o = binary.BigEndian.AppendUint32(o, e)
	}
	return o, nil
}

// ICMPInterfaceRole says which of a router's interfaces an [ICMPInterface] is,
// RFC 5837, section 4.1.
type ICMPInterfaceRole uint8

const (
	ICMPInterfaceIncoming ICMPInterfaceRole = iota // the packet arrived there
	ICMPInterfaceSubIP                             // the component below IP where it arrived
	ICMPInterfaceOutgoing                          // it would have left there
	ICMPInterfaceNextHop                           // the IP address is the next hop's
)

// String returns the role's name.
func (r ICMPInterfaceRole) String() string {
	return nameOf([]string{"incoming", "incoming sub-IP", "outgoing", "next hop"}, uint8(r))
}

// ICMPInterface is what an object tells of a router's interface, RFC 5837 and
// RFC 8335. What is not told is zero.
type ICMPInterface struct {
	Role  ICMPInterfaceRole
	Index uint32 // as in MIB-II
	Addr  netip.Addr
	Name  []byte // at most 63 bytes of UTF-8; aliases the objects
	MTU   uint32 // bytes
}

const (
	icmpInterfaceMTU   = 1 << iota // C-Type: the MTU is told
	icmpInterfaceName              // the name is told
	icmpInterfaceAddr              // the address is told
	icmpInterfaceIndex             // the index is told

	icmpInterfaceRoleShift = 6
	icmpInterfaceNameMax   = 63
)

// Interface returns what an object of class [ICMPObjectInterface] tells, and
// false for another class or where its data are too short for what they claim.
func (obj ICMPObject) Interface() (ICMPInterface, bool) {
	i := ICMPInterface{Role: ICMPInterfaceRole(obj.CType >> icmpInterfaceRoleShift)}
	if obj.Class != ICMPObjectInterface {
		return ICMPInterface{}, false
	}
	b := obj.Data
	if obj.CType&icmpInterfaceIndex != 0 {
		if len(b) < 4 {
			return ICMPInterface{}, false
		}
		i.Index, b = binary.BigEndian.Uint32(b), b[4:]
	}
	if obj.CType&icmpInterfaceAddr != 0 {
		if len(b) < 4 {
			return ICMPInterface{}, false
		}
		a, n := addrOf(binary.BigEndian.Uint16(b), b[4:])
		if n == 0 {
			return ICMPInterface{}, false
		}
		i.Addr, b = a, b[4+n:]
	}
	if obj.CType&icmpInterfaceName != 0 {
		if len(b) == 0 || b[0] == 0 || int(b[0]) > len(b) {
			return ICMPInterface{}, false
		}
		i.Name, b = trimZeros(b[1:b[0]:b[0]]), b[b[0]:]
	}
	if obj.CType&icmpInterfaceMTU != 0 {
		if len(b) < 4 {
			return ICMPInterface{}, false
		}
		i.MTU = binary.BigEndian.Uint32(b)
	}
	return i, true
}

// addrOf returns the address of an address family at the start of b, and its
// length: 0 for a family that is not an IP version, or bytes that are not
// there. The numbers are IANA's.
func addrOf(family uint16, b []byte) (netip.Addr, int) {
	switch {
	case family == 1 && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), 4
	case family == 2 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), 16
	}
	return netip.Addr{}, 0
}

// appendFamily appends the address family number of a to b.
func appendFamily(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		return append(b, 0, 1)
	}
	return append(b, 0, 2)
}

// trimZeros returns b without the zeros at its end.
func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// AppendInterface returns o with an object that tells what is not zero in i,
// RFC 5837. It returns an [*EncodeError] for a name of more than 63 bytes.
func (o ICMPObjects) AppendInterface(i ICMPInterface) (ICMPObjects, error) {
	switch {
	case len(i.Name) > icmpInterfaceNameMax:
		return o, TooLong("ICMPExtensions", "Name", len(i.Name), icmpInterfaceNameMax)
	case i.Role > ICMPInterfaceNextHop:
		return o, TooLong("ICMPExtensions", "Role", int(i.Role), int(ICMPInterfaceNextHop))
	}
	start := len(o)
	cType := uint8(i.Role) << icmpInterfaceRoleShift
	o = append(o, 0, 0, uint8(ICMPObjectInterface), 0)
	if i.Index != 0 {
		cType |= icmpInterfaceIndex
		o = binary.BigEndian.AppendUint32(o, i.Index)
	}
	if i.Addr.IsValid() {
		cType |= icmpInterfaceAddr
		o = appendFamily(o, i.Addr)
		o = append(o, 0, 0)
		o = append(o, i.Addr.AsSlice()...)
	}
	if len(i.Name) > 0 {
		cType |= icmpInterfaceName
		n := (1 + len(i.Name) + 3) &^ 3
		o = append(o, uint8(n))
		o = append(o, i.Name...)
		o = append(o, make([]byte, n-1-len(i.Name))...)
	}
	if i.MTU != 0 {
		cType |= icmpInterfaceMTU
		o = binary.BigEndian.AppendUint32(o, i.MTU)
	}
	o[start+3] = cType
	binary.BigEndian.PutUint16(o[start:], uint16(len(o)-start))
	return o, nil
}

// The C-Types of [ICMPObjectInterfaceID], RFC 8335, section 2.1.
const (
	icmpInterfaceIDName  = 1
	icmpInterfaceIDIndex = 2
	icmpInterfaceIDAddr  = 3
)

// InterfaceID returns which interface an object of class
// [ICMPObjectInterfaceID] asks about: one of Name, Index and Addr is set. It
// returns false for another class, an address that is not IP, or data that are
// too short.
func (obj ICMPObject) InterfaceID() (ICMPInterface, bool) {
	if obj.Class != ICMPObjectInterfaceID {
		return ICMPInterface{}, false
	}
	b := obj.Data
	switch {
	case obj.CType == icmpInterfaceIDName:
		return ICMPInterface{Name: trimZeros(b)}, true
	case obj.CType == icmpInterfaceIDIndex && len(b) >= 4:
		return ICMPInterface{Index: binary.BigEndian.Uint32(b)}, true
	case obj.CType == icmpInterfaceIDAddr && len(b) >= 4:
		a, n := addrOf(binary.BigEndian.Uint16(b), b[4:])
		return ICMPInterface{Addr: a}, n != 0
	}
	return ICMPInterface{}, false
}

// AppendInterfaceID returns o with an object that asks about the interface that
// i names by one of Name, Addr and Index, the first that is set, RFC 8335.
func (o ICMPObjects) AppendInterfaceID(i ICMPInterface) (ICMPObjects, error) {
	var b []byte
	switch {
	case len(i.Name) > 0:
		b = append(b, i.Name...)
		b = append(b, make([]byte, -len(b)&3)...)
		return o.Append(ICMPObjectInterfaceID, icmpInterfaceIDName, b)
	case i.Addr.IsValid():
		b = appendFamily(b, i.Addr)
		b = append(b, uint8(i.Addr.BitLen()/8), 0)
		b = append(b, i.Addr.AsSlice()...)
		return o.Append(ICMPObjectInterfaceID, icmpInterfaceIDAddr, b)
	default:
		b = binary.BigEndian.AppendUint32(b, i.Index)
		return o.Append(ICMPObjectInterfaceID, icmpInterfaceIDIndex, b)
	}
}

// Pointer returns which byte of the quoted packet an object of class
// [ICMPObjectExtended] is about, RFC 8883, section 4.2, C-Type 1.
func (obj ICMPObject) Pointer() (uint32, bool) {
	if obj.Class != ICMPObjectExtended || obj.CType != 1 || len(obj.Data) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(obj.Data), true
}

// ICMPExtendedEchoFlags is the last byte of an extended echo message, RFC 8335.
type ICMPExtendedEchoFlags uint8

const (
	ICMPExtendedEchoLocal  ICMPExtendedEchoFlags = 1 << 0 // request: the interface is the node's own, not a neighbor's
	ICMPExtendedEchoIPv6   ICMPExtendedEchoFlags = 1 << 0 // reply: IPv6 runs on the interface
	ICMPExtendedEchoIPv4   ICMPExtendedEchoFlags = 1 << 1 // reply: IPv4 runs on the interface
	ICMPExtendedEchoActive ICMPExtendedEchoFlags = 1 << 2 // reply: the interface is active
)

// Has reports whether all bits of x are set.
func (f ICMPExtendedEchoFlags) Has(x ICMPExtendedEchoFlags) bool { return f&x == x }

// State returns the state of the neighbor in a reply, RFC 8335, section 3: 1
// incomplete, 2 reachable, 3 stale, 4 delay, 5 probe, 6 failed.
func (f ICMPExtendedEchoFlags) State() uint8 { return uint8(f >> 5) }
