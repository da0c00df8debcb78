package sequence

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"

	"github.com/gopkts/gopkts/pkts"
)

// ipAddr is an address; one of IPv4 as in RFC 4291, section 2.5.5.2. It has no
// pointer, so that keys made of it cost the collector nothing, and is two words,
// so that they are compared as they were written: what is read in larger pieces
// than it was written in a moment before has to wait.
type ipAddr struct{ hi, lo uint64 }

// ip4Prefix is in front of addresses of IPv4.
const ip4Prefix = 0xffff << 32

func ip4Addr(a uint32) ipAddr { return ipAddr{0, ip4Prefix | uint64(a)} }

func ip6Addr(b []byte) ipAddr {
	return ipAddr{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// ipAddrOf is the inverse of addr.
func ipAddrOf(a netip.Addr) ipAddr {
	b := a.As16()
	return ip6Addr(b[:])
}

// addr returns a as an address of IPv6, or of IPv4.
func (a ipAddr) addr(v6 bool) netip.Addr {
	if !v6 {
		return a.addr4()
	}
	return netip.AddrFrom16(a.bytes())
}

// addr4 is addr for one of IPv4.
func (a ipAddr) addr4() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(a.lo)) // which the compiler sees through
	return netip.AddrFrom4(b)
}

func (a ipAddr) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return b
}

// below reports whether a is in front of b, as bytes or as numbers.
func (a ipAddr) below(b ipAddr) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

// pairHash hashes pairs of addresses and two more words: seeded, so that who sends
// the packets cannot choose which collide. It multiplies pairs of words to 128 bits
// and folds them, each word blurred by a secret one, as the runtime's hash of maps
// does where the processor has no AES, and takes a few nanoseconds.
type pairHash [6]uint64

func newPairHash() (s pairHash) {
	for i := range s {
		s[i] = maphash.Comparable(maphash.MakeSeed(), i)
	}
	return s
}

func (s *pairHash) sum(x, y ipAddr, v, w uint64) uint32 {
	a, b := bits.Mul64(x.hi^s[0], x.lo^s[1])
	c, d := bits.Mul64(y.hi^s[2], y.lo^s[3])
	e, f := bits.Mul64(v^s[4], w^s[5])
	g, h := bits.Mul64(a^b^s[1], c^d^e^f^s[4])
	return uint32((g ^ h) >> 32)
}

// ipHeader is what a Sequence wants to know of an IP packet.
type ipHeader struct {
	src, dst ipAddr
	// proto is the protocol behind all extension headers, or of the fragment.
	proto pkts.IPProto
	v6    bool
	// frag says that it is a fragment; the payload then is that of the
	// fragment. An atomic fragment (RFC 6946) is none.
	frag, more bool
	// id identifies the datagram, off is where the fragment lies in it, in
	// bytes.
	id  uint32
	off int
	// hdr is where the payload begins, end where it ends in the bytes that are
	// there, wire where it ends by the header.
	hdr, end, wire int
	// announce is where the byte is that announces the fragment header of
	// IPv6, and unfrag where that header begins.
	announce, unfrag int
}

func (h *ipHeader) addrs() (src, dst netip.Addr) { return h.src.addr(h.v6), h.dst.addr(h.v6) }

// parse reads the headers of the IP packet in d. It fails on what has no
// payload that could be found.
func (h *ipHeader) parse(d *Datagram) error {
	b := d.Data
	if len(b) == 0 {
		return &Error{Layer: "IP", Packet: d.Packet, Err: ErrTruncated}
	}
	switch b[0] >> 4 {
	case 4:
		return h.parse4(b, d.Packet)
	case 6:
		return h.parse6(b, d.Packet)
	}
	return &Error{Layer: "IP", Packet: d.Packet, Err: ErrMalformed, Reason: "neither version 4 nor 6"}
}

// plainTCP returns the length of what most packets are: TCP in IPv4, without
// options, whole. It is 0 for others.
func plainTCP(b []byte) int {
	const least = pkts.IPv4MinLen + pkts.TCPMinLen
	if len(b) < least || b[0] != 0x45 || b[9] != byte(pkts.IPProtoTCP) || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return 0
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < least || n > len(b) {
		return 0
	}
	return n
}

func (h *ipHeader) parse4(b []byte, packet uint64) error {
	if len(b) < pkts.IPv4MinLen {
		return &Error{Layer: "IPv4", Packet: packet, Offset: uint64(len(b)), Err: ErrTruncated}
	}
	v := pkts.IPv4View(b)
	hdr, wire := v.HeaderLen(), int(v.Length())
	if wire == 0 { // the device was to cut it into segments
		wire = len(b)
	}
	if hdr < pkts.IPv4MinLen || wire < hdr {
		return &Error{Layer: "IPv4", Packet: packet, Err: ErrMalformed, Reason: "lengths contradict each other"}
	}
	if len(b) < hdr {
		return &Error{Layer: "IPv4", Packet: packet, Offset: uint64(len(b)), Err: ErrTruncated}
	}
	*h = ipHeader{proto: v.Protocol(), hdr: hdr, wire: wire, end: min(wire, len(b))}
	h.src, h.dst = ip4Addr(binary.BigEndian.Uint32(v.SrcBytes())), ip4Addr(binary.BigEndian.Uint32(v.DstBytes()))
	h.more = v.Flags()&pkts.IPv4MoreFragments != 0
	h.off = int(v.FragmentOffset()) * 8
	h.frag = h.more || h.off != 0
	h.id = uint32(v.ID())
	return nil
}

func (h *ipHeader) parse6(b []byte, packet uint64) error {
	if len(b) < pkts.IPv6Len {
		return &Error{Layer: "IPv6", Packet: packet, Offset: uint64(len(b)), Err: ErrTruncated}
	}
	v := pkts.IPv6View(b)
	*h = ipHeader{v6: true, proto: v.NextHeader(), hdr: pkts.IPv6Len, wire: pkts.IPv6Len + int(v.PayloadLength())}
	h.src, h.dst = ip6Addr(v.SrcBytes()), ip6Addr(v.DstBytes())
	if h.wire == pkts.IPv6Len && h.proto == pkts.IPProtoHopByHop {
		h.wire = len(b) // a jumbogram, RFC 2675
	}
	h.end = min(h.wire, len(b))
	b = b[:h.end]
	announce := 6 // Next Header of the IPv6 header
	for {
		n := 0
		switch h.proto {
		case pkts.IPProtoHopByHop, pkts.IPProtoRouting, pkts.IPProtoDestOpts:
			if h.hdr+8 <= len(b) {
				n = 8 + int(b[h.hdr+1])*8 // RFC 8200, section 4
			}
		case pkts.IPProtoAH:
			if h.hdr+8 <= len(b) {
				n = 8 + int(b[h.hdr+1])*4 // RFC 4302, section 2.2
			}
		case pkts.IPProtoFragment:
			if h.hdr+8 <= len(b) {
				n = 8
				f := pkts.IPv6FragmentView(b[h.hdr:])
				if off := int(f.FragmentOffset()) * 8; off != 0 || f.More() {
					h.frag, h.more, h.off, h.id = true, f.More(), off, f.ID()
					h.announce, h.unfrag = announce, h.hdr
					h.proto = f.NextHeader()
					h.hdr += 8
					return nil
				}
			}
		default:
			return nil
		}
		if n == 0 || h.hdr+n > len(b) {
			return &Error{Layer: "IPv6", Packet: packet, Offset: uint64(h.hdr), Err: ErrTruncated}
		}
		announce = h.hdr
		h.proto = pkts.IPProto(b[h.hdr])
		h.hdr += n
	}
}
