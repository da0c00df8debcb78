package pkts

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

const (
	greOffFlags    = 0 // and version
	greOffType     = 2
	greOffChecksum = 4 // where there is one
	greOffReserved = 6
	greOffPayload  = 4 // payload length and call of version 1
	greOffCallID   = 6
)

const (
	// GREMinLen is the length of a GRE header without optional fields, in bytes.
	GREMinLen = 4

	grePort = 4754 // over UDP, RFC 8086

	greOptionLen = 4 // of each optional field
	greSRELen    = 4 // of a source route entry without its addresses
)

const (
	greVersionMask = 7
	greMaxVersion  = 1
)

// GREFlags are the first 13 bits of a GRE header, at their place in its first 16
// bits: which optional fields there are, RFC 2784, section 2.1, and RFC 2890,
// section 2.1; RFC 2637, section 4.1, for version 1.
type GREFlags uint16

const (
	GREChecksum    GREFlags = 0x8000 // there are Checksum and Reserved1
	GRERouting     GREFlags = 0x4000 // there are Checksum, Reserved1 and Routing, RFC 1701
	GREKey         GREFlags = 0x2000 // there is Key; of version 1, PayloadLength and CallID
	GRESeq         GREFlags = 0x1000 // there is Seq
	GREStrictRoute GREFlags = 0x0800 // RFC 1701
	GRERecursion   GREFlags = 0x0700 // how many more encapsulations are allowed, 3 bits, RFC 1701
	GREAck         GREFlags = 0x0080 // of version 1: there is Ack; reserved in version 0
	GREReserved    GREFlags = 0x0078 // reserved
)

// Has reports whether all bits of x are set.
func (f GREFlags) Has(x GREFlags) bool { return f&x == x }

// String returns the names of the flags, such as "checksum+key"; "none" for
// none. Bits without a name are a number.
func (f GREFlags) String() string {
	var s []string
	for _, n := range []struct {
		flag GREFlags
		name string
	}{
		{GREChecksum, "checksum"}, {GRERouting, "routing"}, {GREKey, "key"}, {GRESeq, "seq"},
		{GREStrictRoute, "strict route"}, {GREAck, "ack"},
	} {
		if f&n.flag != 0 {
			s = append(s, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		s = append(s, fmt.Sprintf("0x%04x", uint16(f)))
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, "+")
}

// GRE is a Generic Routing Encapsulation header, RFC 2784, section 2, with the
// key and the sequence number of RFC 2890 and the routing of RFC 1701.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|C|R|K|S|s|Recur|A| Flags | Ver |         Protocol Type         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Checksum (optional)      |     Reserved1 (optional)      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Key (optional)                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Sequence Number (optional)                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Version 1 is that of PPTP, RFC 2637, section 4.1: the key is the length of the
// payload, which is PPP, and the call; an acknowledgment number may follow. It
// has neither checksum nor routing. Other versions are malformed.
//
// The payload is looked up in [EtherTypes], where 0x6558 is an Ethernet frame.
// What is not known, ERSPAN and PPP among it, is [Raw].
//
// GRE over UDP, RFC 8086, is for a program to bind: [UDPTunnels].
//
// Flags say which of the optional fields there are. One that has a value without
// its flag is refused when the header is encoded.
type GRE struct {
	Flags         GREFlags
	Version       uint8 // 3 bits: 0, or 1 for PPTP
	ProtocolType  Auto[EtherType]
	Checksum      Auto[uint16] // of header and payload; covers no other header
	Reserved1     uint16       // with GRERouting where the active entry of Routing begins, in bytes
	Key           uint32       // version 0
	PayloadLength Auto[uint16] // version 1: of the payload, in bytes
	CallID        uint16       // version 1
	Seq           uint32
	Ack           uint32 // version 1: the highest number that has come
	// Routing are source route entries, the one without addresses at the end
	// included, RFC 1701, section 3. It aliases the packet after decoding.
	Routing []byte
}

var _ Completer = (*GRE)(nil)

var greProtocol = Protocol{
	Name:  "GRE",
	New:   New[GRE],
	Clone: cloneGRE,
	Index: indexGRE,
	At: []Selector{
		{&ipProtosTable, uint64(IPProtoGRE)},
		{&udpPortsTable, grePort},
	},
	Fields: []Field{
		{"Flags", greOffFlags * 8, 13},
		{"Version", greOffFlags*8 + 13, 3},
		{"ProtocolType", greOffType * 8, 16},
	},
	kind: kindGRE,
}

// Proto returns the descriptor of GRE.
func (*GRE) Proto() *Protocol { return &greProtocol }

func cloneGRE(l Layer) Layer {
	c := *l.(*GRE)
	c.Routing = slices.Clone(c.Routing)
	return &c
}

func indexGRE(b []byte, r *Registry) (Span, error) {
	v := GREView(b)
	n, err := v.check()
	if err != nil {
		return Span{}, err
	}
	s := Span{Header: n, Payload: len(b) - n, Next: r.etherType(v.ProtocolType())}
	if length, ok := v.PayloadLength(); ok {
		switch {
		case int(length) > s.Payload:
			s.Flags = SpanTruncated
		default:
			s.Payload = int(length)
			s.Flags = SpanWhole
		}
	}
	return s, nil
}

// check returns the length of the header, or why there is none.
func (v GREView) check() (int, error) {
	if len(v) < GREMinLen {
		return 0, Truncated("GRE", GREMinLen, len(v))
	}
	f, version := v.Flags(), v.Version()
	switch {
	case version > greMaxVersion:
		return 0, Malformed("GRE", "the version is neither 0 nor 1")
	case version == 1 && f&(GREChecksum|GRERouting) != 0:
		return 0, Malformed("GRE", "version 1 with a checksum or routing")
	}
	n := v.routingOff()
	if f.Has(GRERouting) {
		for last := false; !last; {
			if len(v)-n < greSRELen {
				return 0, Truncated("GRE", n+greSRELen, len(v))
			}
			length := int(v[n+3])
			last = length == 0 && v[n] == 0 && v[n+1] == 0
			n += greSRELen + length
			if n >= allHeader {
				return 0, Malformed("GRE", "the routing does not end")
			}
		}
	}
	if n > len(v) {
		return 0, Truncated("GRE", n, len(v))
	}
	return n, nil
}

// Decode fills l from the header at the start of b, at least 4 bytes.
func (l *GRE) Decode(b []byte) (int, error) {
	v := GREView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	*l = GRE{Flags: v.Flags(), Version: v.Version(), ProtocolType: Seen(v.ProtocolType())}
	if sum, ok := v.Checksum(); ok {
		l.Checksum = Seen(sum)
	}
	if length, ok := v.PayloadLength(); ok {
		l.PayloadLength = Seen(length)
	}
	l.Reserved1, _ = v.Reserved1()
	l.Key, _ = v.Key()
	l.CallID, _ = v.CallID()
	l.Seq, _ = v.Seq()
	l.Ack, _ = v.Ack()
	if off := v.routingOff(); off < n {
		l.Routing = b[off:n:n]
	}
	return n, nil
}

// AppendBinary appends the header to b.
func (l *GRE) AppendBinary(b []byte) ([]byte, error) {
	f, v1 := l.Flags, l.Version == 1
	if err := l.problem(); err != nil {
		return b, err
	}
	b = binary.BigEndian.AppendUint16(b, uint16(f)|uint16(l.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(l.ProtocolType.value))
	if f&(GREChecksum|GRERouting) != 0 {
		b = binary.BigEndian.AppendUint16(b, l.Checksum.value)
		b = binary.BigEndian.AppendUint16(b, l.Reserved1)
	}
	switch {
	case !f.Has(GREKey):
	case v1:
		b = binary.BigEndian.AppendUint16(b, l.PayloadLength.value)
		b = binary.BigEndian.AppendUint16(b, l.CallID)
	default:
		b = binary.BigEndian.AppendUint32(b, l.Key)
	}
	if f.Has(GRESeq) {
		b = binary.BigEndian.AppendUint32(b, l.Seq)
	}
	if v1 && f.Has(GREAck) {
		b = binary.BigEndian.AppendUint32(b, l.Ack)
	}
	return append(b, l.Routing...), nil
}

// problem returns why l cannot be encoded.
func (l *GRE) problem() error {
	f, v1 := l.Flags, l.Version == 1
	switch {
	case l.Version > greMaxVersion:
		return TooLong("GRE", "Version", int(l.Version), greMaxVersion)
	case f&greVersionMask != 0:
		return &EncodeError{Layer: "GRE", Field: "Flags", Reason: "the low 3 bits are the version: set Version", Err: ErrMalformed}
	case v1 && f&(GREChecksum|GRERouting) != 0:
		return &EncodeError{Layer: "GRE", Field: "Flags", Reason: "version 1 has neither checksum nor routing", Err: ErrMalformed}
	}
	for _, o := range [...]struct {
		field  string
		set    bool
		needed GREFlags // one of these
		right  bool     // the version has it
	}{
		{"Checksum", l.Checksum.value != 0, GREChecksum | GRERouting, true},
		{"Reserved1", l.Reserved1 != 0, GREChecksum | GRERouting, true},
		{"Key", l.Key != 0, GREKey, !v1},
		{"PayloadLength", l.PayloadLength.value != 0, GREKey, v1},
		{"CallID", l.CallID != 0, GREKey, v1},
		{"Seq", l.Seq != 0, GRESeq, true},
		{"Ack", l.Ack != 0, GREAck, v1},
		{"Routing", len(l.Routing) != 0, GRERouting, true},
	} {
		switch {
		case o.set && !o.right:
			return &EncodeError{Layer: "GRE", Field: o.field, Reason: "it has a value, and is of the other version", Err: ErrMalformed}
		case o.set && f&o.needed == 0:
			return &EncodeError{Layer: "GRE", Field: o.field, Reason: "it has a value, and Flags do not say that it is there", Err: ErrMalformed}
		}
	}
	if f.Has(GRERouting) {
		return l.routingProblem()
	}
	return nil
}

// routingProblem returns why Routing is not a list that ends where it ends.
func (l *GRE) routingProblem() error {
	for r := l.Routing; len(r) >= greSRELen; {
		n := greSRELen + int(r[3])
		if n > len(r) {
			break
		}
		if n == greSRELen && r[0] == 0 && r[1] == 0 {
			if len(r) > n {
				break
			}
			return nil
		}
		r = r[n:]
	}
	return &EncodeError{Layer: "GRE", Field: "Routing", Reason: "it does not end with an entry of address family 0 without addresses: append 4 zero bytes", Err: ErrMalformed}
}

// Complete computes ProtocolType and, where they are there, Checksum and
// PayloadLength.
func (l *GRE) Complete(c *Completion) error {
	v := GREView(c.Header())
	if c.Wants("ProtocolType", greOffType, l.ProtocolType.mode) {
		t := c.etherType(v.ProtocolType())
		if v.Version() == 1 && c.next() == KindRaw && l.ProtocolType.mode == ModeAuto {
			t = EtherTypePPP
		}
		c.PutUint16(uint16(t))
	}
	if _, ok := v.PayloadLength(); ok && c.Wants("PayloadLength", greOffPayload, l.PayloadLength.mode) {
		if err := c.PutLength(len(c.Payload())); err != nil {
			return err
		}
	}
	if v.Flags().Has(GREChecksum) && c.Wants("Checksum", greOffChecksum, l.Checksum.mode) {
		c.PutUint16(c.InternetChecksum(0))
	}
	return nil
}

// GREView is a GRE header in place, with what follows it. Its methods panic when
// it is shorter than the header: those that [View] returns are not.
//
// Getters of optional fields report whether the field is there, and setters do
// nothing, and report false, where it is not. Setters keep the checksum as
// right, or as wrong, as it was.
type GREView []byte

// Proto returns the descriptor of GRE.
func (GREView) Proto() *Protocol { return &greProtocol }

func (v GREView) word() uint16    { return binary.BigEndian.Uint16(v[greOffFlags:]) }
func (v GREView) Flags() GREFlags { return GREFlags(v.word() &^ greVersionMask) }
func (v GREView) Version() uint8  { return uint8(v.word() & greVersionMask) }
func (v GREView) ProtocolType() EtherType {
	return EtherType(binary.BigEndian.Uint16(v[greOffType:]))
}

// The optional fields follow each other: where one that is not there would be,
// the next one is.
func (v GREView) keyOff() int {
	if v.Flags()&(GREChecksum|GRERouting) != 0 {
		return GREMinLen + greOptionLen
	}
	return GREMinLen
}

func (v GREView) seqOff() int {
	if v.Flags().Has(GREKey) {
		return v.keyOff() + greOptionLen
	}
	return v.keyOff()
}

func (v GREView) ackOff() int {
	if v.Flags().Has(GRESeq) {
		return v.seqOff() + greOptionLen
	}
	return v.seqOff()
}

func (v GREView) routingOff() int {
	if v.hasAck() {
		return v.ackOff() + greOptionLen
	}
	return v.ackOff()
}

func (v GREView) hasChecksum() bool { return v.Flags()&(GREChecksum|GRERouting) != 0 }
func (v GREView) hasKey() bool      { return v.Flags().Has(GREKey) && v.Version() == 0 }
func (v GREView) hasCall() bool     { return v.Flags().Has(GREKey) && v.Version() == 1 }
func (v GREView) hasSeq() bool      { return v.Flags().Has(GRESeq) }
func (v GREView) hasAck() bool      { return v.Flags().Has(GREAck) && v.Version() == 1 }

func (v GREView) get16(there bool, off int) (uint16, bool) {
	if !there {
		return 0, false
	}
	return binary.BigEndian.Uint16(v[off:]), true
}

func (v GREView) get32(there bool, off int) (uint32, bool) {
	if !there {
		return 0, false
	}
	return binary.BigEndian.Uint32(v[off:]), true
}

func (v GREView) Checksum() (uint16, bool)      { return v.get16(v.hasChecksum(), greOffChecksum) }
func (v GREView) Reserved1() (uint16, bool)     { return v.get16(v.hasChecksum(), greOffReserved) }
func (v GREView) Key() (uint32, bool)           { return v.get32(v.hasKey(), v.keyOff()) }
func (v GREView) PayloadLength() (uint16, bool) { return v.get16(v.hasCall(), greOffPayload) }
func (v GREView) CallID() (uint16, bool)        { return v.get16(v.hasCall(), greOffCallID) }
func (v GREView) Seq() (uint32, bool)           { return v.get32(v.hasSeq(), v.seqOff()) }
func (v GREView) Ack() (uint32, bool)           { return v.get32(v.hasAck(), v.ackOff()) }

// HeaderLen returns the length of the header, in bytes; 0 for one that breaks
// off.
func (v GREView) HeaderLen() int {
	n, _ := v.check()
	return n
}

// Routing returns the source route entries.
func (v GREView) Routing() []byte {
	n := v.HeaderLen()
	return v[min(v.routingOff(), n):n:n]
}

func (v GREView) Payload() []byte { return v[v.HeaderLen():] }

// SetFlags sets the first 13 bits. It moves nothing: let f say that the same
// fields are there as before.
func (v GREView) SetFlags(f GREFlags) {
	v.set16(true, greOffFlags, uint16(f&^greVersionMask)|v.word()&greVersionMask)
}

// SetVersion sets the low 3 bits of n.
func (v GREView) SetVersion(n uint8) {
	v.set16(true, greOffFlags, v.word()&^greVersionMask|uint16(n)&greVersionMask)
}

func (v GREView) SetProtocolType(t EtherType) { v.set16(true, greOffType, uint16(t)) }

func (v GREView) SetChecksum(sum uint16) bool {
	if v.hasChecksum() {
		binary.BigEndian.PutUint16(v[greOffChecksum:], sum)
	}
	return v.hasChecksum()
}

func (v GREView) SetReserved1(r uint16) bool     { return v.set16(v.hasChecksum(), greOffReserved, r) }
func (v GREView) SetKey(k uint32) bool           { return v.set32(v.hasKey(), v.keyOff(), k) }
func (v GREView) SetPayloadLength(n uint16) bool { return v.set16(v.hasCall(), greOffPayload, n) }
func (v GREView) SetCallID(id uint16) bool       { return v.set16(v.hasCall(), greOffCallID, id) }
func (v GREView) SetSeq(n uint32) bool           { return v.set32(v.hasSeq(), v.seqOff(), n) }
func (v GREView) SetAck(n uint32) bool           { return v.set32(v.hasAck(), v.ackOff(), n) }

func (v GREView) set16(there bool, off int, x uint16) bool {
	switch {
	case !there:
	case v.Flags().Has(GREChecksum):
		setSummed16(v, greOffChecksum, off, x)
	default:
		binary.BigEndian.PutUint16(v[off:], x)
	}
	return there
}

func (v GREView) set32(there bool, off int, x uint32) bool {
	return there && v.set16(true, off, uint16(x>>16)) && v.set16(true, off+2, uint16(x))
}
