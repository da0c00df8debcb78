package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"
)

const (
	icmpv4OffType     = 0
	icmpv4OffCode     = 1
	icmpv4OffChecksum = 2
	icmpv4OffID       = 4
	icmpv4OffPointer  = 4
	icmpv4OffQuoteLen = 5
	icmpv4OffSeq      = 6
)

// ICMPv4Len is the length of an ICMPv4 header, in bytes.
const ICMPv4Len = 8

// ICMPv4Type says what an ICMPv4 message is: the IANA ICMP type numbers,
// https://www.iana.org/assignments/icmp-parameters.
type ICMPv4Type uint8

const (
	ICMPv4EchoReply           ICMPv4Type = 0   // RFC 792
	ICMPv4DestUnreachable     ICMPv4Type = 3   // RFC 792, quotes a packet
	ICMPv4SourceQuench        ICMPv4Type = 4   // RFC 792, quotes a packet; deprecated by RFC 6633
	ICMPv4Redirect            ICMPv4Type = 5   // RFC 792, quotes a packet
	ICMPv4AlternateHost       ICMPv4Type = 6   // deprecated by RFC 6918
	ICMPv4Echo                ICMPv4Type = 8   // RFC 792
	ICMPv4RouterAdvertisement ICMPv4Type = 9   // RFC 1256
	ICMPv4RouterSolicitation  ICMPv4Type = 10  // RFC 1256
	ICMPv4TimeExceeded        ICMPv4Type = 11  // RFC 792, quotes a packet
	ICMPv4ParamProblem        ICMPv4Type = 12  // RFC 792, quotes a packet
	ICMPv4Timestamp           ICMPv4Type = 13  // RFC 792
	ICMPv4TimestampReply      ICMPv4Type = 14  // RFC 792
	ICMPv4InfoRequest         ICMPv4Type = 15  // RFC 792, deprecated by RFC 6918
	ICMPv4InfoReply           ICMPv4Type = 16  // RFC 792, deprecated by RFC 6918
	ICMPv4AddressMaskRequest  ICMPv4Type = 17  // RFC 950, deprecated by RFC 6918
	ICMPv4AddressMaskReply    ICMPv4Type = 18  // RFC 950, deprecated by RFC 6918
	ICMPv4Traceroute          ICMPv4Type = 30  // RFC 1393, deprecated by RFC 6918
	ICMPv4ConversionError     ICMPv4Type = 31  // RFC 1475, deprecated by RFC 6918
	ICMPv4MobileHostRedirect  ICMPv4Type = 32  // deprecated by RFC 6918
	ICMPv4WhereAreYou         ICMPv4Type = 33  // deprecated by RFC 6918
	ICMPv4IAmHere             ICMPv4Type = 34  // deprecated by RFC 6918
	ICMPv4MobileRegRequest    ICMPv4Type = 35  // deprecated by RFC 6918
	ICMPv4MobileRegReply      ICMPv4Type = 36  // deprecated by RFC 6918
	ICMPv4DomainNameRequest   ICMPv4Type = 37  // RFC 1788, deprecated by RFC 6918
	ICMPv4DomainNameReply     ICMPv4Type = 38  // RFC 1788, deprecated by RFC 6918
	ICMPv4SKIP                ICMPv4Type = 39  // deprecated by RFC 6918
	ICMPv4Photuris            ICMPv4Type = 40  // RFC 2521
	ICMPv4Seamoby             ICMPv4Type = 41  // RFC 4065
	ICMPv4ExtendedEcho        ICMPv4Type = 42  // RFC 8335
	ICMPv4ExtendedEchoReply   ICMPv4Type = 43  // RFC 8335
	ICMPv4Experiment1         ICMPv4Type = 253 // RFC 4727
	ICMPv4Experiment2         ICMPv4Type = 254 // RFC 4727
)

// The codes of [ICMPv4DestUnreachable].
const (
	ICMPv4NetUnreachable      uint8 = 0  // RFC 792
	ICMPv4HostUnreachable     uint8 = 1  // RFC 792
	ICMPv4ProtocolUnreachable uint8 = 2  // RFC 792
	ICMPv4PortUnreachable     uint8 = 3  // RFC 792
	ICMPv4FragmentationNeeded uint8 = 4  // RFC 792; [ICMPv4.MTU] says what fits, RFC 1191
	ICMPv4SourceRouteFailed   uint8 = 5  // RFC 792
	ICMPv4NetUnknown          uint8 = 6  // RFC 1122
	ICMPv4HostUnknown         uint8 = 7  // RFC 1122
	ICMPv4SourceHostIsolated  uint8 = 8  // RFC 1122
	ICMPv4NetProhibited       uint8 = 9  // RFC 1122
	ICMPv4HostProhibited      uint8 = 10 // RFC 1122
	ICMPv4NetTOS              uint8 = 11 // RFC 1122: unreachable for this type of service
	ICMPv4HostTOS             uint8 = 12 // RFC 1122: unreachable for this type of service
	ICMPv4AdminProhibited     uint8 = 13 // RFC 1812
	ICMPv4HostPrecedence      uint8 = 14 // RFC 1812: precedence violation
	ICMPv4PrecedenceCutoff    uint8 = 15 // RFC 1812
)

// The codes of [ICMPv4Redirect].
const (
	ICMPv4RedirectNet     uint8 = 0 // RFC 792
	ICMPv4RedirectHost    uint8 = 1 // RFC 792
	ICMPv4RedirectTOSNet  uint8 = 2 // RFC 792
	ICMPv4RedirectTOSHost uint8 = 3 // RFC 792
)

// The codes of [ICMPv4RouterAdvertisement].
const (
	ICMPv4RouterNormal    uint8 = 0  // RFC 1256
	ICMPv4RouterNotCommon uint8 = 16 // RFC 5944: does not route common traffic
)

// The codes of [ICMPv4TimeExceeded].
const (
	ICMPv4TTLExceeded        uint8 = 0 // RFC 792: in transit
	ICMPv4ReassemblyExceeded uint8 = 1 // RFC 792: a fragment did not arrive in time
)

// The codes of [ICMPv4ParamProblem].
const (
	ICMPv4PointerIndicates uint8 = 0 // RFC 792: [ICMPv4.Pointer] says where
	ICMPv4OptionMissing    uint8 = 1 // RFC 1108
	ICMPv4BadLength        uint8 = 2
)

// The codes of [ICMPv4ExtendedEchoReply] and [ICMPv6ExtendedEchoReply],
// RFC 8335, section 3.
const (
	ICMPExtendedEchoNoError            uint8 = 0
	ICMPExtendedEchoMalformedQuery     uint8 = 1
	ICMPExtendedEchoNoInterface        uint8 = 2
	ICMPExtendedEchoNoTableEntry       uint8 = 3
	ICMPExtendedEchoMultipleInterfaces uint8 = 4
)

// String returns the type's name, or the number.
func (t ICMPv4Type) String() string {
	switch t {
	case ICMPv4EchoReply:
		return "echo reply"
	case ICMPv4DestUnreachable:
		return "destination unreachable"
	case ICMPv4SourceQuench:
		return "source quench"
	case ICMPv4Redirect:
		return "redirect"
	case ICMPv4AlternateHost:
		return "alternate host address"
	case ICMPv4Echo:
		return "echo"
	case ICMPv4RouterAdvertisement:
		return "router advertisement"
	case ICMPv4RouterSolicitation:
		return "router solicitation"
	case ICMPv4TimeExceeded:
		return "time exceeded"
	case ICMPv4ParamProblem:
		return "parameter problem"
	case ICMPv4Timestamp:
		return "timestamp"
	case ICMPv4TimestampReply:
		return "timestamp reply"
	case ICMPv4InfoRequest:
		return "information request"
	case ICMPv4InfoReply:
		return "information reply"
	case ICMPv4AddressMaskRequest:
		return "address mask request"
	case ICMPv4AddressMaskReply:
		return "address mask reply"
	case ICMPv4Traceroute:
		return "traceroute"
	case ICMPv4ConversionError:
		return "datagram conversion error"
	case ICMPv4MobileHostRedirect:
		return "mobile host redirect"
	case ICMPv4WhereAreYou:
		return "IPv6 where are you"
	case ICMPv4IAmHere:
		return "IPv6 I am here"
	case ICMPv4MobileRegRequest:
		return "mobile registration request"
	case ICMPv4MobileRegReply:
		return "mobile registration reply"
	case ICMPv4DomainNameRequest:
		return "domain name request"
	case ICMPv4DomainNameReply:
		return "domain name reply"
	case ICMPv4SKIP:
		return "SKIP"
	case ICMPv4Photuris:
		return "Photuris"
	case ICMPv4Seamoby:
		return "Seamoby"
	case ICMPv4ExtendedEcho:
		return "extended echo"
	case ICMPv4ExtendedEchoReply:
		return "extended echo reply"
	case ICMPv4Experiment1, ICMPv4Experiment2:
		return "experimental"
	default:
		return fmt.Sprintf("%d", uint8(t))
	}
}

// CodeString returns the name of a code in messages of type t, or the number
// where IANA has no name for it.
func (t ICMPv4Type) CodeString(code uint8) string {
	var names []string
	switch t {
	case ICMPv4DestUnreachable:
		names = []string{
			"net unreachable", "host unreachable", "protocol unreachable", "port unreachable",
			"fragmentation needed", "source route failed", "destination network unknown",
			"destination host unknown", "source host isolated", "network prohibited",
			"host prohibited", "net unreachable for TOS", "host unreachable for TOS",
			"administratively prohibited", "host precedence violation", "precedence cutoff in effect",
		}
	case ICMPv4Redirect:
		names = []string{"for the network", "for the host", "for TOS and network", "for TOS and host"}
	case ICMPv4AlternateHost:
		names = []string{"alternate address for host"}
	case ICMPv4RouterAdvertisement:
		if code == ICMPv4RouterNotCommon {
			return "does not route common traffic"
		}
		names = []string{"normal"}
	case ICMPv4TimeExceeded:
		names = []string{"TTL exceeded in transit", "fragment reassembly time exceeded"}
	case ICMPv4ParamProblem:
		names = []string{"pointer indicates the error", "missing a required option", "bad length"}
	case ICMPv4Traceroute:
		names = []string{"forwarded", "no route"}
	case ICMPv4Photuris:
		names = []string{"bad SPI", "authentication failed", "decompression failed", "decryption failed", "need authentication", "need authorization"}
	case ICMPv4ExtendedEchoReply:
		names = extendedEchoCodes()
	}
	return nameOf(names, code)
}

func extendedEchoCodes() []string {
	return []string{"no error", "malformed query", "no such interface", "no such table entry", "multiple interfaces satisfy query"}
}

// nameOf returns names[n], or n itself where there is none.
func nameOf(names []string, n uint8) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%d", n)
}

// quotes reports whether messages of the type carry the start of the packet
// that caused them.
func (t ICMPv4Type) quotes() bool {
	switch t {
	case ICMPv4DestUnreachable, ICMPv4SourceQuench, ICMPv4Redirect, ICMPv4TimeExceeded, ICMPv4ParamProblem:
		return true
	}
	return false
}

// extensible reports whether an extension structure may stand behind the
// quoted packet, RFC 4884, section 4.
func (t ICMPv4Type) extensible() bool {
	return t == ICMPv4DestUnreachable || t == ICMPv4TimeExceeded || t == ICMPv4ParamProblem
}

// ICMPv4 is an Internet Control Message Protocol header, RFC 792.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     Code      |           Checksum            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Identifier          |        Sequence Number        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// What the second word means depends on the type: ID and Seq hold it as it is,
// and for messages that have neither, methods read and set what they have.
// ID and Seq are what echo, timestamp, information and address mask messages
// have. In the others:
//
//   - destination unreachable: [ICMPv4.QuoteLen], and [ICMPv4.MTU] with code 4
//   - time exceeded: QuoteLen
//   - parameter problem: [ICMPv4.Pointer] and QuoteLen
//   - redirect: [ICMPv4.Gateway]
//   - router advertisement: ID holds the number of addresses and the length of
//     each in words of 4 bytes, Seq the lifetime in seconds, RFC 1256
//   - extended echo: ID, and [ICMPv4.ExtendedEcho]
//
// Errors carry the start of the packet that caused them as further layers. An
// [ICMPExtensions] beside it, put there with [Packet.AddChild], follows the
// packet, which must have been padded to a multiple of 4 bytes and should be of
// at least 128, RFC 4884; QuoteLen is computed if it is zero.
type ICMPv4 struct {
	Type     ICMPv4Type
	Code     uint8
	Checksum Auto[uint16] // of the whole message
	ID, Seq  uint16
}

var _ Completer = (*ICMPv4)(nil)

var icmpv4Protocol = Protocol{
	Name:  "ICMPv4",
	New:   New[ICMPv4],
	Clone: Clone[ICMPv4],
	Index: indexICMPv4,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoICMPv4)}},
	Fields: []Field{
		{"Type", icmpv4OffType * 8, 8},
		{"Code", icmpv4OffCode * 8, 8},
		{"Checksum", icmpv4OffChecksum * 8, 16},
		{"ID", icmpv4OffID * 8, 16},
		{"Seq", icmpv4OffSeq * 8, 16},
	},
	Trailer: &icmpExtensionsProtocol,
	kind:    kindICMPv4,
}

// Proto returns the descriptor of ICMPv4.
func (*ICMPv4) Proto() *Protocol { return &icmpv4Protocol }

func indexICMPv4(b []byte, _ *Registry) (Span, error) {
	if len(b) < ICMPv4Len {
		return Span{}, Truncated("ICMPv4", ICMPv4Len, len(b))
	}
	v := ICMPv4View(b)
	s := Span{Header: ICMPv4Len, Payload: len(b) - ICMPv4Len}
	switch t := v.Type(); {
	case t.quotes():
		n := 0
		if t.extensible() {
			n = v.QuoteLen()
		}
		quote(&s, b, n)
	case t == ICMPv4Timestamp || t == ICMPv4TimestampReply:
		s.Next = kindICMPv4Times
	case t == ICMPv4AddressMaskRequest || t == ICMPv4AddressMaskReply:
		s.Next = kindICMPv4Mask
	case t == ICMPv4RouterAdvertisement:
		s.Next = kindICMPv4Routers
	case t == ICMPv4ExtendedEcho || t == ICMPv4ExtendedEchoReply:
		s.Next = extensionsKind(v.Payload())
	}
	return s, nil
}

// quote completes the span of an error message, whose quoted packet is n bytes
// long when extensions follow it. Without an extension structure of the version
// that RFC 4884 defines at that place all is quote: n lies in what were unused
// bytes.
func quote(s *Span, b []byte, n int) {
	s.Flags = SpanQuote
	if p := b[s.Header:]; len(p) > 0 {
		switch p[0] >> 4 {
		case 4:
			s.Next = kindIPv4
		case 6:
			s.Next = kindIPv6
		}
		if n > 0 && n < len(p) && extensionsKind(p[n:]) != KindRaw {
			s.Payload = n
			s.Flags |= SpanTrailer
		}
	}
}

// Decode fills l from the header at the start of b, 8 bytes.
func (l *ICMPv4) Decode(b []byte) (int, error) {
	if len(b) < ICMPv4Len {
		return 0, Truncated("ICMPv4", ICMPv4Len, len(b))
	}
	v := ICMPv4View(b)
	l.Type = v.Type()
	l.Code = v.Code()
	l.Checksum = Seen(v.Checksum())
	l.ID = v.ID()
	l.Seq = v.Seq()
	return ICMPv4Len, nil
}

// AppendBinary appends the header to b.
func (l *ICMPv4) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, uint8(l.Type), l.Code)
	b = binary.BigEndian.AppendUint16(b, l.Checksum.value)
	b = binary.BigEndian.AppendUint16(b, l.ID)
	return binary.BigEndian.AppendUint16(b, l.Seq), nil
}

// Complete computes Checksum, and the length of the quoted packet if
// extensions follow it.
func (l *ICMPv4) Complete(c *Completion) error {
	h := c.Header()
	if n, ok := c.quoteLen(); ok && ICMPv4Type(h[icmpv4OffType]).extensible() {
		// ID, in which the length lies, has no mode: zero is not a length.
		m := ModeSeen
		if h[icmpv4OffQuoteLen] == 0 {
			m = ModeAuto
		}
		if err := c.completeQuoteLen("QuoteLen", icmpv4OffQuoteLen, m, n, 4); err != nil {
			return err
		}
	}
	if c.Wants("Checksum", icmpv4OffChecksum, l.Checksum.mode) {
		c.PutUint16(c.InternetChecksum(0))
	}
	return nil
}

// quoteLen returns the length of what is in an error message before the
// extensions, and false if there are none.
func (c *Completion) quoteLen() (int, bool) {
	pay := c.nodes[c.i].pay()
	for j := c.i + 1; j < len(c.nodes); j++ {
		if o := &c.nodes[j]; o.parent == uint16(c.i) && o.kind == kindICMPExtensions && o.off > pay {
			return int(o.off - pay), true
		}
	}
	return 0, false
}

// completeQuoteLen computes a field of one byte that counts n bytes in words.
func (c *Completion) completeQuoteLen(field string, off int, m Mode, n, word int) error {
	if !c.Wants(field, off, m) {
		return nil
	}
	switch {
	case c.verifying:
	case n%word != 0:
		return &EncodeError{Layer: c.Name(), Field: field, Reason: fmt.Sprintf("%d bytes are quoted before the extensions: pad to a multiple of %d", n, word), Err: ErrMalformed}
	case n/word > 0xff:
		return TooLong(c.Name(), field, n, 0xff*word)
	}
	c.PutUint8(uint8(n / word))
	return nil
}

// MTU returns how long a packet may be, in bytes, in a destination unreachable
// message of code [ICMPv4FragmentationNeeded], RFC 1191, section 4; 0 says that
// the router does not tell.
func (l *ICMPv4) MTU() uint16 { return l.Seq }

// SetMTU sets what [ICMPv4.MTU] returns.
func (l *ICMPv4) SetMTU(mtu uint16) { l.Seq = mtu }

// Gateway returns the router to use instead, in a redirect.
func (l *ICMPv4) Gateway() netip.Addr {
	return netip.AddrFrom4([4]byte{uint8(l.ID >> 8), uint8(l.ID), uint8(l.Seq >> 8), uint8(l.Seq)})
}

// SetGateway sets what [ICMPv4.Gateway] returns. It returns an [*EncodeError]
// for an address that is not IPv4.
func (l *ICMPv4) SetGateway(a netip.Addr) error {
	b, ok := addr4(a)
	if !ok {
		return wrongAddr("ICMPv4", "Gateway", a)
	}
	l.ID = binary.BigEndian.Uint16(b[:])
	l.Seq = binary.BigEndian.Uint16(b[2:])
	return nil
}

// Pointer returns which byte of the quoted packet is at fault, counted from 0,
// in a parameter problem message of code [ICMPv4PointerIndicates].
func (l *ICMPv4) Pointer() uint8 { return uint8(l.ID >> 8) }

// SetPointer sets what [ICMPv4.Pointer] returns.
func (l *ICMPv4) SetPointer(p uint8) { l.ID = uint16(p)<<8 | l.ID&0xff }

// QuoteLen returns the length of the quoted packet, padding included, in bytes,
// if extensions follow it, RFC 4884, section 4. Old senders have 0 there, or
// anything.
func (l *ICMPv4) QuoteLen() int { return int(l.ID&0xff) * 4 }

// SetQuoteLen sets what [ICMPv4.QuoteLen] returns: a multiple of 4, up to 1020.
func (l *ICMPv4) SetQuoteLen(n int) error {
	if n < 0 || n%4 != 0 || n > 0xff*4 {
		return TooLong("ICMPv4", "QuoteLen", n, 0xff*4)
	}
	l.ID = l.ID&^0xff | uint16(n/4)
	return nil
}

// ExtendedEcho returns the second half of the second word of an extended echo
// message, RFC 8335.
func (l *ICMPv4) ExtendedEcho() (seq uint8, f ICMPExtendedEchoFlags) {
	return uint8(l.Seq >> 8), ICMPExtendedEchoFlags(l.Seq)
}

// SetExtendedEcho sets what [ICMPv4.ExtendedEcho] returns.
func (l *ICMPv4) SetExtendedEcho(seq uint8, f ICMPExtendedEchoFlags) {
	l.Seq = uint16(seq)<<8 | uint16(f)
}

// CodeString returns the name of Code, or the number.
func (l *ICMPv4) CodeString() string { return l.Type.CodeString(l.Code) }

// ICMPv4View is an ICMPv4 header in place, with what follows it. Its methods
// panic when it is shorter than 8 bytes: those that [View] returns are not. The
// setters keep the checksum as right, or as wrong, as it was.
type ICMPv4View []byte

// Proto returns the descriptor of ICMPv4.
func (ICMPv4View) Proto() *Protocol { return &icmpv4Protocol }

func (v ICMPv4View) Type() ICMPv4Type { return ICMPv4Type(v[icmpv4OffType]) }
func (v ICMPv4View) Code() uint8      { return v[icmpv4OffCode] }
func (v ICMPv4View) Checksum() uint16 { return binary.BigEndian.Uint16(v[icmpv4OffChecksum:]) }
func (v ICMPv4View) ID() uint16       { return binary.BigEndian.Uint16(v[icmpv4OffID:]) }
func (v ICMPv4View) Seq() uint16      { return binary.BigEndian.Uint16(v[icmpv4OffSeq:]) }
func (v ICMPv4View) Payload() []byte  { return v[ICMPv4Len:] }

// MTU, Gateway, Pointer and QuoteLen are the methods of the same name of
// [ICMPv4].
func (v ICMPv4View) MTU() uint16         { return v.Seq() }
func (v ICMPv4View) Gateway() netip.Addr { return netip.AddrFrom4([4]byte(v[icmpv4OffID:])) }
func (v ICMPv4View) Pointer() uint8      { return v[icmpv4OffPointer] }
func (v ICMPv4View) QuoteLen() int       { return int(v[icmpv4OffQuoteLen]) * 4 } // bytes

func (v ICMPv4View) SetType(t ICMPv4Type) {
	setSummed16(v, icmpv4OffChecksum, icmpv4OffType, uint16(t)<<8|uint16(v.Code()))
}
func (v ICMPv4View) SetCode(c uint8) {
	setSummed16(v, icmpv4OffChecksum, icmpv4OffType, uint16(v.Type())<<8|uint16(c))
}
func (v ICMPv4View) SetChecksum(sum uint16) { binary.BigEndian.PutUint16(v[icmpv4OffChecksum:], sum) }
func (v ICMPv4View) SetID(id uint16)        { setSummed16(v, icmpv4OffChecksum, icmpv4OffID, id) }
func (v ICMPv4View) SetSeq(n uint16)        { setSummed16(v, icmpv4OffChecksum, icmpv4OffSeq, n) }
func (v ICMPv4View) SetMTU(mtu uint16)      { v.SetSeq(mtu) }

// SetGateway sets the address of a redirect, which must be IPv4.
func (v ICMPv4View) SetGateway(a netip.Addr) {
	a4 := a.As4()
	setSummed(v, icmpv4OffChecksum, icmpv4OffID, a4[:])
}
func (v ICMPv4View) SetPointer(p uint8) {
	v.SetID(uint16(p)<<8 | v.ID()&0xff)
}

// SetQuoteLen sets the length of the quoted packet, in bytes, which must be a
// multiple of 4 up to 1020.
func (v ICMPv4View) SetQuoteLen(n int) { v.SetID(v.ID()&^0xff | uint16(n/4)&0xff) }

const (
	icmpv4TimesOffOriginate = 0
	icmpv4TimesOffReceive   = 4
	icmpv4TimesOffTransmit  = 8
)

// ICMPv4TimesLen is the length of [ICMPv4Times], in bytes.
const ICMPv4TimesLen = 12

// ICMPv4Times is the body of an ICMPv4 timestamp message, RFC 792. The times
// are in milliseconds since midnight UT; with the highest bit set they are not
// of that standard.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Originate Timestamp                                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Receive Timestamp                                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Transmit Timestamp                                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv4Times struct {
	Originate uint32 // when the sender last touched the request
	Receive   uint32 // when the echoer first touched it
	Transmit  uint32 // when the echoer last touched the reply
}

var _ Layer = (*ICMPv4Times)(nil)

var icmpv4TimesProtocol = Protocol{
	Name:  "ICMPv4Times",
	New:   New[ICMPv4Times],
	Clone: Clone[ICMPv4Times],
	Index: func(b []byte, _ *Registry) (Span, error) { return indexFixed("ICMPv4Times", ICMPv4TimesLen, b) },
	Fields: []Field{
		{"Originate", icmpv4TimesOffOriginate * 8, 32},
		{"Receive", icmpv4TimesOffReceive * 8, 32},
		{"Transmit", icmpv4TimesOffTransmit * 8, 32},
	},
	kind: kindICMPv4Times,
}

// indexFixed returns the span of a layer of n bytes that carries nothing.
func indexFixed(name string, n int, b []byte) (Span, error) {
	if len(b) < n {
		return Span{}, Truncated(name, n, len(b))
	}
	return Span{Header: n}, nil
}

// Proto returns the descriptor of ICMPv4 timestamps.
func (*ICMPv4Times) Proto() *Protocol { return &icmpv4TimesProtocol }

// Decode fills l from the start of b, 12 bytes.
func (l *ICMPv4Times) Decode(b []byte) (int, error) {
	if len(b) < ICMPv4TimesLen {
		return 0, Truncated("ICMPv4Times", ICMPv4TimesLen, len(b))
	}
	v := ICMPv4TimesView(b)
	l.Originate = v.Originate()
	l.Receive = v.Receive()
	l.Transmit = v.Transmit()
	return ICMPv4TimesLen, nil
}

// AppendBinary appends the timestamps to b.
func (l *ICMPv4Times) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint32(b, l.Originate)
	b = binary.BigEndian.AppendUint32(b, l.Receive)
	return binary.BigEndian.AppendUint32(b, l.Transmit), nil
}

// ICMPv4TimesView is the body of an ICMPv4 timestamp message in place. Its
// methods panic when it is shorter than 12 bytes: those that [View] returns are
// not. The setters do not touch the checksum, which lies in the header before
// it: see [AdjustChecksum].
type ICMPv4TimesView []byte

// Proto returns the descriptor of ICMPv4 timestamps.
func (ICMPv4TimesView) Proto() *Protocol { return &icmpv4TimesProtocol }

func (v ICMPv4TimesView) Originate() uint32 {
	return binary.BigEndian.Uint32(v[icmpv4TimesOffOriginate:])
}
func (v ICMPv4TimesView) Receive() uint32 { return binary.BigEndian.Uint32(v[icmpv4TimesOffReceive:]) }
func (v ICMPv4TimesView) Transmit() uint32 {
	return binary.BigEndian.Uint32(v[icmpv4TimesOffTransmit:])
}

func (v ICMPv4TimesView) SetOriginate(ms uint32) {
	binary.BigEndian.PutUint32(v[icmpv4TimesOffOriginate:], ms)
}
func (v ICMPv4TimesView) SetReceive(ms uint32) {
	binary.BigEndian.PutUint32(v[icmpv4TimesOffReceive:], ms)
}
func (v ICMPv4TimesView) SetTransmit(ms uint32) {
	binary.BigEndian.PutUint32(v[icmpv4TimesOffTransmit:], ms)
}

const icmpv4MaskOffMask = 0

// ICMPv4MaskLen is the length of [ICMPv4Mask], in bytes.
const ICMPv4MaskLen = 4

// ICMPv4Mask is the body of an ICMPv4 address mask message, RFC 950,
// appendix I.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Address Mask                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ICMPv4Mask struct {
	Mask netip.Addr // such as 255.255.255.0; the zero Addr is 0.0.0.0
}

var _ Layer = (*ICMPv4Mask)(nil)

var icmpv4MaskProtocol = Protocol{
	Name:   "ICMPv4Mask",
	New:    New[ICMPv4Mask],
	Clone:  Clone[ICMPv4Mask],
	Index:  func(b []byte, _ *Registry) (Span, error) { return indexFixed("ICMPv4Mask", ICMPv4MaskLen, b) },
	Fields: []Field{{"Mask", icmpv4MaskOffMask * 8, 32}},
	kind:   kindICMPv4Mask,
}

// Proto returns the descriptor of ICMPv4 address masks.
func (*ICMPv4Mask) Proto() *Protocol { return &icmpv4MaskProtocol }

// Decode fills l from the start of b, 4 bytes.
func (l *ICMPv4Mask) Decode(b []byte) (int, error) {
	if len(b) < ICMPv4MaskLen {
		return 0, Truncated("ICMPv4Mask", ICMPv4MaskLen, len(b))
	}
	l.Mask = ICMPv4MaskView(b).Mask()
	return ICMPv4MaskLen, nil
}

// AppendBinary appends the mask to b.
func (l *ICMPv4Mask) AppendBinary(b []byte) ([]byte, error) {
	mask, ok := addr4(l.Mask)
	if !ok {
		return b, wrongAddr("ICMPv4Mask", "Mask", l.Mask)
	}
	return append(b, mask[:]...), nil
}

// ICMPv4MaskView is the body of an ICMPv4 address mask message in place. Its
// methods panic when it is shorter than 4 bytes: those that [View] returns are
// not. The setter does not touch the checksum, which lies in the header before
// it: see [AdjustChecksum].
type ICMPv4MaskView []byte

// Proto returns the descriptor of ICMPv4 address masks.
func (ICMPv4MaskView) Proto() *Protocol { return &icmpv4MaskProtocol }

func (v ICMPv4MaskView) Mask() netip.Addr {
	return netip.AddrFrom4([4]byte(v[icmpv4MaskOffMask:]))
}

// SetMask sets the mask, which must be an IPv4 address.
func (v ICMPv4MaskView) SetMask(a netip.Addr) { a4 := a.As4(); copy(v[icmpv4MaskOffMask:], a4[:]) }

// ICMPv4Routers is the body of an ICMPv4 router advertisement, RFC 1256,
// section 3.1: the routers' addresses, each with a preference. How many they
// are and how long each entry is stands in [ICMPv4].ID.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Router Address[1]                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Preference Level[1]                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               .                               |
type ICMPv4Routers struct {
	Entries []byte // aliases the packet after decoding
}

var _ Layer = (*ICMPv4Routers)(nil)

var icmpv4RoutersProtocol = Protocol{
	Name:   "ICMPv4Routers",
	New:    New[ICMPv4Routers],
	Clone:  cloneICMPv4Routers,
	Index:  indexAll,
	Fields: []Field{{"Entries", 0, 0}},
	kind:   kindICMPv4Routers,
}

// Proto returns the descriptor of ICMPv4 router addresses.
func (*ICMPv4Routers) Proto() *Protocol { return &icmpv4RoutersProtocol }

func cloneICMPv4Routers(l Layer) Layer {
	c := *l.(*ICMPv4Routers)
	c.Entries = slices.Clone(c.Entries)
	return &c
}

// Decode takes all of b.
func (l *ICMPv4Routers) Decode(b []byte) (int, error) {
	l.Entries = b[:len(b):len(b)]
	return len(b), nil
}

// AppendBinary appends the entries to b.
func (l *ICMPv4Routers) AppendBinary(b []byte) ([]byte, error) { return append(b, l.Entries...), nil }

// All yields the routers and their preferences, the higher the better; a
// router of preference -1<<31 is not to be used. header is the message's, which
// says how many there are and of what length.
func (l *ICMPv4Routers) All(header *ICMPv4) iter.Seq2[netip.Addr, int32] {
	return func(yield func(netip.Addr, int32) bool) {
		size := int(header.ID&0xff) * 4
		b := l.Entries
		for range header.ID >> 8 {
			if size < 8 || len(b) < size {
				return
			}
			if !yield(netip.AddrFrom4([4]byte(b)), int32(binary.BigEndian.Uint32(b[4:]))) {
				return
			}
			b = b[size:]
		}
	}
}

// Add appends a router, which must be IPv4, and counts it in header.
func (l *ICMPv4Routers) Add(header *ICMPv4, router netip.Addr, preference int32) error {
	a, ok := addr4(router)
	switch {
	case !ok:
		return wrongAddr("ICMPv4Routers", "Entries", router)
	case header.ID>>8 == 0xff:
		return TooLong("ICMPv4Routers", "Entries", 0x100, 0xff)
	}
	l.Entries = append(l.Entries, a[:]...)
	l.Entries = binary.BigEndian.AppendUint32(l.Entries, uint32(preference))
	header.ID = header.ID&^0xff + 0x100 | 2
	return nil
}

// ICMPv4RoutersView is the body of an ICMPv4 router advertisement in place.
type ICMPv4RoutersView []byte

// Proto returns the descriptor of ICMPv4 router addresses.
func (ICMPv4RoutersView) Proto() *Protocol { return &icmpv4RoutersProtocol }

func (v ICMPv4RoutersView) Entries() []byte { return v }
