package pkts

import (
	"fmt"
	"iter"
)

// ViewOf is the constraint of a view: a header in place, as a defined type of
// bytes.
type ViewOf interface {
	~[]byte
	Proto() *Protocol
}

// Get returns the outermost layer of type T, filled in: the first one when the
// packet is read breadth first and then left to right. The layer belongs to p
// and is valid until p is decoded into again; what is changed in it is what
// [Packet.AppendBinary] encodes.
//
// It returns false when there is none, or its body could not be decoded; [Find]
// tells why.
func Get[T any, P LayerPtr[T]](p *Packet) (P, bool) {
	l, ok := p.first(P(nil)).(P)
	return l, ok
}

// Nth is [Get] for the n-th layer of type T, counted from 0.
func Nth[T any, P LayerPtr[T]](p *Packet, n int) (P, bool) {
	l, ok := p.find(P(nil).Proto(), n).(P)
	return l, ok
}

// Find is [Nth] with an error: [ErrNoLayer], or the [*DecodeError] of a body
// that could not be decoded.
func Find[T any, P LayerPtr[T]](p *Packet, n int) (P, error) {
	proto := P(nil).Proto()
	i := p.index(proto, n)
	if i < 0 {
		return nil, fmt.Errorf("pkts: %w: %v", ErrNoLayer, proto)
	}
	l, err := p.layer(i)
	if err != nil {
		return nil, err
	}
	if l, ok := l.(P); ok {
		return l, nil
	}
	return nil, fmt.Errorf("pkts: %w: %v, but as a %T", ErrNoLayer, proto, l)
}

// Must is [Get] for a layer that is known to be there; it panics when it is
// not. It is meant for tests and scripts.
func Must[T any, P LayerPtr[T]](p *Packet) P {
	l, err := Find[T, P](p, 0)
	if err != nil {
		panic(err)
	}
	return l
}

// All yields the layers of type T that p has at the start, outermost first,
// without those whose body cannot be decoded. The loop may edit the packet.
func All[T any, P LayerPtr[T]](p *Packet) iter.Seq[P] {
	return func(yield func(P) bool) {
		var few [8]P
		ls, gen := few[:0], p.gen
		proto := P(nil).Proto()
		for i := range p.nodes() {
			if p.protocol(i) != proto {
				continue
			}
			l, _ := p.layer(i)
			if l, ok := l.(P); ok {
				ls = append(ls, l)
			}
		}
		for _, l := range ls {
			// A packet that was decoded into again has other layers.
			if p.gen != gen && !p.edited || !yield(l) {
				return
			}
		}
	}
}

// View returns the outermost layer that V is a view of, in place: its header
// and all that lies in it. It aliases the bytes that were decoded, so that its
// setters change them. It returns false when there is none, and when it was not
// decoded but given to [Packet.Append] and the like: such a layer has no bytes
// yet. In a packet that was edited, what was decoded stays where it was.
//
// Changes made through a view after the same layer was handed out by [Get] are
// lost when the packet is encoded.
func View[V ViewOf](p *Packet) (V, bool) {
	b := p.firstView((*viewed[V])(nil))
	return V(b), b != nil
}

// NthView is [View] for the n-th such layer, counted from 0.
func NthView[V ViewOf](p *Packet, n int) (V, bool) {
	b := p.view(V(nil).Proto(), n)
	return V(b), b != nil
}

// Has reports whether p has a layer of type T.
func Has[T any, P LayerPtr[T]](p *Packet) bool { return p.index(P(nil).Proto(), 0) >= 0 }

// protocol returns the protocol of node i.
func (p *Packet) protocol(i int) *Protocol { return p.registry().protocol(p.nodes()[i].kind) }

// index returns the n-th node of a protocol, -1 for none.
func (p *Packet) index(proto *Protocol, n int) int {
	k := proto.kind
	if k == KindRaw && proto != &rawProtocol {
		var ok bool
		if k, ok = p.registry().kindOf(proto); !ok {
			return -1
		}
	}
	nodes := p.nodes()
	for i := range nodes {
		if nodes[i].kind == k {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

// find returns the n-th layer of a protocol, nil for none.
func (p *Packet) find(proto *Protocol, n int) Layer {
	i := p.index(proto, n)
	if i < 0 {
		return nil
	}
	l, err := p.layer(i)
	if err != nil {
		return nil
	}
	return l
}

// view returns the bytes of the n-th node of a protocol, nil for none.
func (p *Packet) view(proto *Protocol, n int) []byte {
	i := p.index(proto, n)
	if i < 0 {
		return nil
	}
	o := &p.nodes()[i]
	if o.flags&nodeBuilt != 0 {
		return nil
	}
	return p.data[o.off:o.end:o.end]
}

// layer returns the layer of node i, filling it in the first time.
func (p *Packet) layer(i int) (Layer, error) {
	n := &p.nodes()[i]
	if n.flags&nodeFilled != 0 {
		return p.slots[i].layer, nil
	}
	p.supply(i)
	l := p.slots[i].layer
	if _, err := l.Decode(p.data[n.off:n.end]); err != nil {
		return nil, p.shift(err, n)
	}
	n.flags |= nodeFilled
	p.filled |= filledNode
	return l, nil
}

// fitSlots makes the slots up to i fit their nodes.
func (p *Packet) fitSlots(i int) {
	nodes := p.nodes()
	if i >= len(p.slots) {
		p.slots = append(p.slots, make([]slot, len(nodes)-len(p.slots))...)
	}
	if p.fitGen != p.gen {
		p.fit, p.fitGen = 0, p.gen
	}
	for ; p.fit <= i; p.fit++ {
		s, k := &p.slots[p.fit], nodes[p.fit].kind
		if s.kind == k {
			continue
		}
		if s.layer != nil {
			p.spare = append(p.spare, *s)
		}
		*s = slot{kind: k}
	}
}

// supply makes the slots up to i fit their nodes, and puts a layer into slot i:
// one that waits for reuse, if there is one.
func (p *Packet) supply(i int) {
	if p.fitGen != p.gen || i >= p.fit {
		p.fitSlots(i)
	}
	s := &p.slots[i]
	if s.layer != nil {
		return
	}
	for j := range min(len(p.spare), maxScan) {
		if p.spare[j].kind == s.kind {
			last := len(p.spare) - 1
			*s = p.spare[j]
			p.spare[j] = p.spare[last]
			p.spare[last] = slot{}
			p.spare = p.spare[:last]
			return
		}
	}
	*s = newSlot(p.registry().protocol(s.kind).New(), s.kind)
}

// maxScan bounds how many layers of earlier packets are looked at for reuse.
const maxScan = 64

// shift makes the offset of a layer's own error one within the packet.
func (p *Packet) shift(err error, n *node) error {
	if de, ok := err.(*DecodeError); ok {
		de.Offset += int(n.off)
	}
	return err
}
