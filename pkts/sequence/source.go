package sequence

import (
	"encoding/binary"
	"io"
	"iter"
	"runtime"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// Datagrams yields the outermost IP packet of each frame, and numbers the frames
// from 1. Frames without one are left out. Errors are passed on: those of frames,
// and those of decoding that left no IP packet. r says how frames decode, nil is
// [pkts.Default].
//
// A Datagram aliases its frame.
func Datagrams(frames iter.Seq2[link.Frame, error], r *pkts.Registry) iter.Seq2[Datagram, error] {
	return func(yield func(Datagram, error) bool) {
		s := newFinder(r)
		var n uint64
		for f, err := range frames {
			if err != nil {
				if !yield(Datagram{}, err) {
					return
				}
				continue
			}
			n++
			if b, bad := s.find(&f); (b != nil || bad != nil) && !yield(Datagram{Data: b, Seen: Seen{n, f.Time}}, bad) {
				return
			}
		}
	}
}

// DatagramBatches is [Datagrams] for a source that has several frames at a time,
// such as the method NextBatch of a Sniffer in package capture: next fills in
// frames, and returns how many there are, or none and an error. The error ends
// it, and is yielded unless it is [io.EOF].
//
// It is faster where the frames are not in the processor's cache, as in a ring
// or a mapped file: they are fetched from memory at the same time, and not one
// after the other.
func DatagramBatches(next func(frames []link.Frame) (int, error), r *pkts.Registry) iter.Seq2[Datagram, error] {
	return func(yield func(Datagram, error) bool) {
		s := newFinder(r)
		var frames [batchLen]link.Frame
		var n uint64
		for {
			k, err := next(frames[:])
			if err != nil {
				if err != io.EOF {
					yield(Datagram{}, err)
				}
				return
			}
			touch(frames[:k])
			for i := range frames[:k] {
				n++
				f := &frames[i]
				if b, bad := s.find(f); (b != nil || bad != nil) && !yield(Datagram{Data: b, Seen: Seen{n, f.Time}}, bad) {
					return
				}
			}
		}
	}
}

// batchLen is how many frames DatagramBatches asks for: more than can be fetched
// at a time, and few enough that their headers stay where they were fetched to.
const batchLen = 64

// touch reads a byte of each line of the cache that headers are in, mostly. None
// has to wait for another.
func touch(frames []link.Frame) {
	const far = 53 // the last byte of Ethernet, IPv4 and TCP
	var sum byte
	for i := range frames {
		if b := frames[i].Data; len(b) > far {
			sum += b[0] + b[far]
		}
	}
	runtime.KeepAlive(sum) // or nothing would be read
}

// finder finds the outermost IP packets of frames.
type finder struct {
	p pkts.Packet
	// plain says that IP is in Ethernet what it always is, so that nothing has
	// to be decoded to find it.
	plain bool
}

func newFinder(r *pkts.Registry) *finder {
	s := &finder{p: pkts.Packet{Registry: r}}
	if r == nil {
		r = pkts.Default
	}
	s.plain = r.Next(pkts.LinkTypes, uint64(link.TypeEthernet)) == r.KindOf(pkts.EthernetView(nil).Proto()) &&
		r.Next(pkts.EtherTypes, uint64(pkts.EtherTypeIPv4)) == r.KindOf(pkts.IPv4View(nil).Proto()) &&
		r.Next(pkts.EtherTypes, uint64(pkts.EtherTypeIPv6)) == r.KindOf(pkts.IPv6View(nil).Proto())
	return s
}

// find returns the outermost IP packet of a frame; nil if there is none. The error
// says why there is none.
func (s *finder) find(f *link.Frame) ([]byte, error) {
	if s.plain && f.Link == link.TypeEthernet {
		n := plainIPv4(f.Data)
		if n == 0 {
			n = plainIPv6(f.Data)
		}
		if n > 0 {
			return f.Data[pkts.EthernetLen : pkts.EthernetLen+n : pkts.EthernetLen+n], nil
		}
	}
	err := s.p.Decode(f.Link, f.Data) // what decoded before an error is there
	if b := outermost(&s.p); b != nil {
		return b, nil // the error is of a layer above, or behind
	}
	return nil, err
}

// plainIPv4 returns the length of the IPv4 packet in an Ethernet frame, if it is
// all there and follows the Ethernet header; otherwise 0.
func plainIPv4(b []byte) int {
	const ip = pkts.EthernetLen
	if len(b) < ip+pkts.IPv4MinLen || binary.BigEndian.Uint16(b[12:]) != uint16(pkts.EtherTypeIPv4) || b[ip]>>4 != 4 {
		return 0
	}
	n, hdr := int(binary.BigEndian.Uint16(b[ip+2:])), int(b[ip]&15)*4
	if hdr < pkts.IPv4MinLen || n < hdr || n > len(b)-ip {
		return 0
	}
	return n
}

// plainIPv6 is plainIPv4 for IPv6.
func plainIPv6(b []byte) int {
	const ip = pkts.EthernetLen
	if len(b) < ip+pkts.IPv6Len || binary.BigEndian.Uint16(b[12:]) != uint16(pkts.EtherTypeIPv6) || b[ip]>>4 != 6 {
		return 0
	}
	n := int(pkts.IPv6View(b[ip:]).PayloadLength())
	if n == 0 || n > len(b)-ip-pkts.IPv6Len {
		return 0
	}
	return pkts.IPv6Len + n
}

// Outermost returns the outermost IP packet of a decoded packet, and whether
// there is one. Seen is for the caller to fill in. The Datagram aliases the
// bytes that were decoded.
func Outermost(p *pkts.Packet) (d Datagram, ok bool) {
	d.Data = outermost(p)
	return d, d.Data != nil
}

func outermost(p *pkts.Packet) []byte {
	v4, ok := pkts.View[pkts.IPv4View](p)
	if ok && !pkts.Has[pkts.IPv6](p) { // faster than looking for the bytes
		return v4
	}
	if v6, ok := pkts.View[pkts.IPv6View](p); ok && len(v6) > len(v4) { // what is inside is shorter
		return v6
	}
	return v4
}
