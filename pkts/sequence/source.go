package sequence

import (
	"iter"

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
		p := pkts.Packet{Registry: r}
		var n uint64
		for f, err := range frames {
			if err != nil {
				if !yield(Datagram{}, err) {
					return
				}
				continue
			}
			n++
			bad := p.Decode(f.Link, f.Data) // what decoded before an error is there
			d, ok := Outermost(&p)
			d.Packet, d.Time = n, f.Time
			switch {
			case ok:
				bad = nil // of a layer above, or behind
			case bad == nil:
				continue
			}
			if !yield(d, bad) {
				return
			}
		}
	}
}

// Outermost returns the outermost IP packet of a decoded packet, and whether
// there is one. Seen is for the caller to fill in. The Datagram aliases the
// bytes that were decoded.
func Outermost(p *pkts.Packet) (d Datagram, ok bool) {
	if v, ok := pkts.View[pkts.IPv4View](p); ok {
		d.Data = v
		if !pkts.Has[pkts.IPv6](p) { // faster than looking for the bytes
			return d, true
		}
	}
	if v, ok := pkts.View[pkts.IPv6View](p); ok && len(v) > len(d.Data) { // what is inside is shorter
		d.Data = v
	}
	return d, d.Data != nil
}
