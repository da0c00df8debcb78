package pkts

import (
	"fmt"
	"iter"
	"slices"
)

// links say where a node's first child and its next sibling are.
type links struct{ child, next uint16 }

// depthFirst returns the nodes in the order in which they lie in the packet.
// The result is valid until it is called again.
func (p *Packet) depthFirst() []uint16 {
	p.link()
	n := len(p.nodes())
	p.order = p.order[:0]
	i := p.links[n].child
	for i != noNode {
		p.order = append(p.order, i)
		if c := p.links[i].child; c != noNode {
			i = c
			continue
		}
		for i != noNode && p.links[i].next == noNode {
			i = p.nodes()[i].parent
		}
		if i != noNode {
			i = p.links[i].next
		}
	}
	return p.order
}

// link makes the links of all nodes.
func (p *Packet) link() {
	n := len(p.nodes())
	// Entry n stands for the packet itself, whose children are at the top.
	p.links = slices.Grow(p.links[:0], n+1)[:n+1]
	for i := range p.links {
		p.links[i] = links{noNode, noNode}
	}
	for i := n - 1; i >= 0; i-- {
		up := int(p.nodes()[i].parent)
		if up == noNode {
			up = n
		}
		p.links[i].next = p.links[up].child
		p.links[up].child = uint16(i)
	}
}

// placed is a node with what belongs to it, at its depth: the form in which
// the tree is edited. A list of them in depth-first order is a tree.
type placed struct {
	node   node
	slot   slot
	judged judgement
	depth  int
}

// Stack returns a packet of the given layers, each carrying the next. A
// [Padding] goes behind everything, into the first layer.
func Stack(layers ...Layer) *Packet {
	p := new(Packet)
	p.Append(layers...)
	return p
}

// Append puts layers at the end of the packet, each carrying the next: the
// first one into the innermost layer, or behind it if that is [Raw]. A
// [Padding] goes behind everything, into the outermost layer.
//
// The packet keeps the layers and never changes them; what the caller changes
// in them later is what is encoded. Layers that are more than [MaxLayers] are not
// kept, and [Packet.AppendBinary] says so with [ErrTooDeep].
func (p *Packet) Append(layers ...Layer) {
	t := p.unpack()
	for _, l := range layers {
		if len(t) >= MaxLayers {
			p.lost = l.Proto()
			break
		}
		at, depth := len(t), 0
		if len(t) > 0 {
			if l.Proto() == &paddingProtocol {
				depth = 1
			} else {
				for at > 1 && t[at-1].node.kind == kindPadding {
					at--
				}
				depth = t[at-1].depth + 1
				if t[at-1].node.kind == KindRaw {
					depth = max(0, depth-1)
				}
			}
		}
		t = slices.Insert(t, at, p.place(l, depth))
	}
	p.pack(t)
}

// InsertBefore puts l into the layer that carries at, and at into l. The error
// wraps [ErrNoLayer] when at is not part of the packet, as for all methods that
// take a layer of it, and [ErrTooDeep] when there would be more than [MaxLayers].
func (p *Packet) InsertBefore(at, l Layer) error {
	t := p.unpack()
	i, err := p.locateFor(t, at, l)
	if err != nil {
		return err
	}
	depth := t[i].depth
	for j, end := i, subtree(t, i); j < end; j++ {
		t[j].depth++
	}
	p.pack(slices.Insert(t, i, p.place(l, depth)))
	return nil
}

// InsertAfter puts l into at, and what at carries into l. What stands behind
// the payload of at, such as [Padding], stays there. The errors are those of
// [Packet.InsertBefore].
func (p *Packet) InsertAfter(at, l Layer) error {
	t := p.unpack()
	i, err := p.locateFor(t, at, l)
	if err != nil {
		return err
	}
	for j, end := i+1, payloadEnd(t, i); j < end; j++ {
		t[j].depth++
	}
	p.pack(slices.Insert(t, i+1, p.place(l, t[i].depth+1)))
	return nil
}

// AddChild puts l into at, behind what at already carries: a further chunk, a
// further record. The errors are those of [Packet.InsertBefore].
func (p *Packet) AddChild(at, l Layer) error {
	t := p.unpack()
	i, err := p.locateFor(t, at, l)
	if err != nil {
		return err
	}
	p.pack(slices.Insert(t, subtree(t, i), p.place(l, t[i].depth+1)))
	return nil
}

// Remove takes l out of the packet; what it carries takes its place.
func (p *Packet) Remove(l Layer) error {
	t := p.unpack()
	i, err := p.locate(t, l)
	if err != nil {
		return err
	}
	for j, end := i+1, subtree(t, i); j < end; j++ {
		t[j].depth--
	}
	p.pack(slices.Delete(t, i, i+1))
	return nil
}

// RemoveAll takes l out of the packet with all that it carries.
func (p *Packet) RemoveAll(l Layer) error {
	t := p.unpack()
	i, err := p.locate(t, l)
	if err != nil {
		return err
	}
	p.pack(slices.Delete(t, i, subtree(t, i)))
	return nil
}

// Replace puts l in the place of old.
func (p *Packet) Replace(old, l Layer) error {
	t := p.unpack()
	i, err := p.locate(t, old)
	if err != nil {
		return err
	}
	t[i] = p.place(l, t[i].depth)
	p.pack(t)
	return nil
}

// locateFor is locate for an edit that adds l.
func (p *Packet) locateFor(t []placed, at, l Layer) (int, error) {
	if len(t) >= MaxLayers {
		return 0, tooManyLayers(l.Proto())
	}
	return p.locate(t, at)
}

// tooManyLayers is the error for a layer of a protocol that there is no room
// for.
func tooManyLayers(proto *Protocol) error {
	return &EncodeError{Layer: proto.Name, Reason: fmt.Sprintf("the packet has %d already", MaxLayers), Err: ErrTooDeep}
}

// locate returns where in t the layer l is, which must have come from [Get] or
// have been given to the packet.
func (p *Packet) locate(t []placed, l Layer) (int, error) {
	for i := range t {
		if t[i].node.flags&nodeFilled != 0 && t[i].slot.layer == l {
			return i, nil
		}
	}
	return 0, fmt.Errorf("pkts: %w: this %v is not part of the packet: take it from Get", ErrNoLayer, l.Proto())
}

// subtree returns the index behind the last node that lies in t[i].
func subtree(t []placed, i int) int {
	j := i + 1
	for j < len(t) && t[j].depth > t[i].depth {
		j++
	}
	return j
}

// payloadEnd returns the index behind the last node that t[i] carries, without
// what stands behind its payload.
func payloadEnd(t []placed, i int) int {
	end := subtree(t, i)
	for j := i + 1; j < end; j = subtree(t, j) {
		if n := &t[j].node; n.kind == kindPadding || n.flags&nodeTrailing != 0 {
			return j
		}
	}
	return end
}

// place makes l the caller's layer in the packet.
func (p *Packet) place(l Layer, depth int) placed {
	k, ok := p.registry().kindOf(l.Proto())
	if !ok {
		r := p.registry().With()
		k = r.add(l.Proto())
		p.Registry = r
	}
	return placed{node: node{kind: k, flags: nodeBuilt | nodeFilled}, slot: newSlot(l, k), depth: depth}
}

// unpack returns the nodes in depth-first order, for editing. Before the first
// edit of a decoded packet it finds out which of its fields are right, since
// afterwards nothing tells.
func (p *Packet) unpack() []placed {
	p.filled |= filledNode
	if !p.edited {
		p.judge()
	}
	t := make([]placed, 0, len(p.nodes())+4)
	for _, i := range p.depthFirst() {
		n := p.nodes()[i]
		o := placed{node: n, judged: p.judged[i], depth: p.depth(int(i))}
		if n.flags&nodeFilled != 0 {
			o.slot = p.slots[i]
		}
		t = append(t, o)
	}
	return t
}

// noteEdit notes that p was edited, so that the next decoding does not take over
// its layers: some may be the caller's own.
func (p *Packet) noteEdit() {
	p.edited = true
	p.simple = &noRegistry
}

// pack makes t the nodes of the packet.
func (p *Packet) pack(t []placed) {
	p.noteEdit()
	n := len(t)
	p.table = slices.Grow(p.table[:0], n)[:n]
	p.judged = slices.Grow(p.judged[:0], n)[:n]
	p.slots = slices.Grow(p.slots[:0], n)[:n]
	p.spare = nil
	p.gen++
	p.kinds = p.Registry
	// Sorting by depth, stably, is breadth first, left to right.
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return t[a].depth - t[b].depth })
	place := make([]uint16, n)
	for at, i := range order {
		place[i] = uint16(at)
	}
	var path []uint16 // of the nodes above t[i]
	for i := range t {
		path = path[:t[i].depth]
		o := t[i].node
		o.parent = noNode
		if len(path) > 0 {
			o.parent = path[len(path)-1]
		}
		at := place[i]
		p.table[at], p.slots[at], p.judged[at] = o, t[i].slot, t[i].judged
		path = append(path, at)
		if o.kind == kindPadding && o.flags&nodeBuilt != 0 && o.parent != noNode {
			// No length counts it. Received padding may well lie within what the
			// enclosing layer counts: then it is what a layer in it left over.
			p.table[o.parent].flags |= nodeTrailer
		}
	}
}

// Clone returns a copy of the packet that shares nothing with it: neither the
// bytes that were decoded nor the layers, nor what those refer to. Layers of
// other modules are copied by their [Protocol.Clone].
func (p *Packet) Clone() *Packet {
	c := &Packet{
		Registry: p.Registry,
		data:     slices.Clone(p.data),
		table:    slices.Clone(p.nodes()),
		filled:   p.filled,
		edited:   p.edited,
		lost:     p.lost,
		kinds:    p.kinds,
		judged:   slices.Clone(p.judged),
	}
	for i := range c.table {
		if c.table[i].flags&nodeFilled == 0 {
			continue
		}
		if c.slots == nil {
			c.slots = make([]slot, len(c.table))
		}
		o := &p.slots[i]
		c.slots[i] = newSlot(o.layer.Proto().Clone(o.layer), o.kind)
	}
	return c
}

// Node is one layer's place in a packet. It is valid until the packet is
// decoded into again or edited.
type Node struct {
	p *Packet
	i int
}

// Nodes yields the layers in the order in which they lie in the packet. It ends
// when the packet is edited or decoded into again: what follows has other
// places then. [All] goes on after an edit.
func (p *Packet) Nodes() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		gen := p.gen
		for _, i := range slices.Clone(p.depthFirst()) {
			if p.gen != gen || !yield(Node{p, int(i)}) {
				return
			}
		}
	}
}

// Len returns the number of layers.
func (p *Packet) Len() int { return len(p.nodes()) }

// Data returns the bytes that were decoded, which the packet aliases; nil for a
// packet that was built.
func (p *Packet) Data() []byte { return p.data }

// Truncated reports whether a length field in the packet says that there are
// more bytes than there are.
func (p *Packet) Truncated() bool {
	for i := range p.nodes() {
		if p.nodes()[i].flags&(nodeTruncated|nodeQuote) == nodeTruncated {
			return true
		}
	}
	return false
}

// Proto returns the layer's protocol.
func (n Node) Proto() *Protocol { return n.p.protocol(n.i) }

// Layer returns the layer in its owned form, as [Get] does, or why its body
// could not be decoded.
func (n Node) Layer() (Layer, error) { return n.p.layer(n.i) }

// Depth returns how many layers this one lies in.
func (n Node) Depth() int { return n.p.depth(n.i) }

// depth returns how many nodes node i lies in. A node stands behind the one
// that it lies in.
func (p *Packet) depth(i int) int {
	if p.depthsGen != p.gen || len(p.depths) != len(p.nodes()) {
		p.depthsGen = p.gen
		p.depths = slices.Grow(p.depths[:0], len(p.nodes()))[:len(p.nodes())]
		for j := range p.nodes() {
			p.depths[j] = 0
			if up := p.nodes()[j].parent; up != noNode {
				p.depths[j] = p.depths[up] + 1
			}
		}
	}
	return int(p.depths[i])
}

// Built reports whether the layer was not decoded but added, so that it has no
// place among the bytes yet.
func (n Node) Built() bool { return n.p.nodes()[n.i].flags&nodeBuilt != 0 }

// Offset returns where the layer begins among the bytes that were decoded; 0 for
// a layer that was added.
func (n Node) Offset() int { return int(n.p.nodes()[n.i].off) }

// HeaderLen returns how long the layer's header was when it was decoded, in
// bytes; 0 for a layer that was added.
func (n Node) HeaderLen() int {
	o := &n.p.nodes()[n.i]
	return int(o.pay() - o.off)
}

// Bytes returns the layer as it was decoded, header and payload, with padding of
// its own. It aliases the packet's bytes, and is nil for a layer that was added.
func (n Node) Bytes() []byte {
	o := &n.p.nodes()[n.i]
	if n.Built() {
		return nil
	}
	return n.p.data[o.off:o.end:o.end]
}

// Truncated reports whether the layer's own header says that it is longer than
// what is there.
func (n Node) Truncated() bool { return n.p.nodes()[n.i].flags&nodeTruncated != 0 }
