package sequence

import (
	"net/netip"

	"github.com/gopkts/gopkts/pkts"
)

// ipHeader is what a Sequence wants to know of an IP packet.
type ipHeader struct {
	// src and dst are the addresses; those of IPv4 as in RFC 4291, section
	// 2.5.5.2. Without pointers, so that keys made of them cost the collector
	// nothing.
	src, dst [16]byte
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

func (h *ipHeader) addrs() (src, dst netip.Addr) {
	src, dst = netip.AddrFrom16(h.src), netip.AddrFrom16(h.dst)
	if !h.v6 {
		return src.Unmap(), dst.Unmap()
	}
	return src, dst
}

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
	h.src[10], h.src[11], h.dst[10], h.dst[11] = 0xff, 0xff, 0xff, 0xff
	copy(h.src[12:], v.SrcBytes())
	copy(h.dst[12:], v.DstBytes())
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
	copy(h.src[:], v.SrcBytes())
	copy(h.dst[:], v.DstBytes())
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
