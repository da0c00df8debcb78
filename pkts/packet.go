package pkts

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/gopkts/gopkts/common/link"
)

// MaxLayers is how many layers of a packet are told apart. What follows is
// kept as [Raw], and decoding says [ErrTooDeep].
const MaxLayers = 4096

// Packet is a packet taken apart into layers. The zero value is empty and
// ready for [Packet.Decode] or [Packet.Append]; reusing one for many packets
// costs no allocation per packet.
//
// A packet is a tree: most layers carry one other, some carry several side by
// side, and bytes that belong to no layer's payload are [Padding].
//
// A Packet must not be copied ([Packet.Clone] does that) nor used by several
// goroutines at once: even reading fills in layers.
type Packet struct {
	// Registry says which protocol follows which; nil means [Default]. It must
	// not be changed between decoding a packet and using it.
	Registry *Registry

	noCopy noCopy
	data   []byte      // what was decoded; nil in a built packet
	nodes  []node      // breadth first, left to right
	dirty  bool        // what follows is in use
	edited bool        // nodes were added or removed since decoding
	used   int         // filled[:used] are this packet's; the others wait for reuse
	filled []entry     // layers handed out
	entry  []uint16    // for each node, the index of its layer in filled, plus one
	judged []judgement // of the nodes; made when they are needed

	// Scratch, kept for reuse.
	out   []node
	links []links
	order []uint16
}

// noCopy makes go vet report copies of a Packet.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// node says where one layer lies, counted in bytes from the start of the
// packet.
type node struct {
	off, end uint32 // from the header to behind the payload and trailer
	hdr      uint16 // length of the header; allHeader: up to end
	kind     Kind
	parent   uint16 // index of the enclosing node, noNode at the top
	flags    nodeFlags
}

const (
	noNode    = math.MaxUint16
	allHeader = math.MaxUint16
)

// set writes a node field by field: one that is written as a whole is put
// together in memory first, which stalls the reads that follow.
func (n *node) set(off, end uint32, hdr uint16, k Kind, parent uint16, flags nodeFlags) {
	n.off = off
	n.end = end
	n.hdr = hdr
	n.kind = k
	n.parent = parent
	n.flags = flags
}

// pay returns where the payload begins.
func (n *node) pay() uint32 {
	if n.hdr == allHeader {
		return n.end
	}
	return n.off + uint32(n.hdr)
}

type nodeFlags uint16

const (
	nodeTruncated nodeFlags = 1 << iota // its payload, or one around it, is cut
	nodeFragment                        // its payload is one fragment
	nodeQuote                           // its payload is the start of a packet
	nodeTrailer                         // what is behind its payload is its own
	nodeBuilt                           // it has no bytes in data
	nodeSplit                           // its payload is layers side by side
)

// nodeInherited are the flags that hold for all that lies in a node.
const nodeInherited = nodeTruncated | nodeFragment | nodeQuote

// entry is a layer in its owned form.
type entry struct {
	layer Layer
	kind  Kind
}

// Decode takes apart the packet in data, whose first layer is named by t. It
// reads headers only as far as needed to find the next one; [Get] and [View]
// give access to the fields.
//
// The packet aliases data until it is decoded into again. On error, a
// [*DecodeError], the layers before the one that failed are there, and the rest
// is [Raw]. Bytes whose protocol is not known are Raw without an error, and so
// is the empty packet.
func (p *Packet) Decode(t link.Type, data []byte) error {
	r := p.registry()
	k := KindRaw
	switch {
	case t == link.TypeEthernet && r.overlaid&overlaidLinkTypes == 0:
		k = kindEthernet
	case t == link.TypeRaw && len(data) > 0:
		switch data[0] >> 4 {
		case 4:
			k = kindIPv4
		case 6:
			k = kindIPv6
		}
	default:
		k = r.Next(&linkTypesTable, uint32(t))
	}
	return p.decode(r, k, data)
}

// DecodeAs is [Packet.Decode] for bytes whose first layer is a known protocol,
// such as the payload of a tunnel.
func (p *Packet) DecodeAs(first *Protocol, data []byte) error {
	r := p.registry()
	k, ok := r.kindOf(first)
	if !ok {
		p.Reset()
		return fmt.Errorf("pkts: decode as %v: the packet's Registry does not have it: bind it with Registry.With", first)
	}
	return p.decode(r, k, data)
}

// Reset empties the packet. It keeps memory for reuse, and its Registry.
func (p *Packet) Reset() {
	p.data = nil
	p.nodes = p.nodes[:0]
	if p.dirty {
		p.clean()
	}
}

// clean makes the layers handed out available for reuse, unless they are the
// caller's own.
func (p *Packet) clean() {
	if p.edited {
		clear(p.filled)
		p.filled = p.filled[:0]
	}
	p.used = 0
	p.edited = false
	p.dirty = false
}

func (p *Packet) registry() *Registry {
	if p.Registry == nil {
		return Default
	}
	return p.Registry
}

// commonNodes is the length of the node table that every packet has.
const commonNodes = 16

// decode walks the headers. Nodes are appended in the order in which they are
// walked, so that the table is breadth first by itself.
func (p *Packet) decode(r *Registry, first Kind, data []byte) error {
	if p.dirty {
		p.clean()
	}
	p.data = data
	if cap(p.nodes) < commonNodes {
		p.nodes = make([]node, commonNodes)
	}
	var at int
	if first == kindEthernet && r.overlaid == 0 {
		t := (*[commonNodes]node)(p.nodes[:commonNodes])
		var done bool
		if at, done = walkCommon(data, t); done {
			p.nodes = p.nodes[:at]
			return nil
		}
		p.nodes = p.nodes[:at+1]
	} else {
		p.nodes = append(p.nodes[:0], node{end: uint32(len(data)), kind: first, parent: noNode})
	}
	return p.walk(r, at)
}

// walkCommon walks the headers that nearly every packet has, in the form that
// they nearly always have: Ethernet, IPv4 without options or IPv6 without
// extension headers, and TCP or UDP. It returns how many nodes are walked;
// unless done, the next one is in t for walk to go on with, which also is what
// happens to any header that is not plain.
func walkCommon(data []byte, t *[commonNodes]node) (walked int, done bool) {
	end := uint32(len(data))
	t[0].set(0, end, EthernetLen, kindEthernet, noNode, 0)
	if len(data) < EthernetLen {
		return 0, false
	}
	var (
		l4   uint32
		kind Kind
	)
	switch EthernetView(data).Type() {
	case EtherTypeIPv4:
		t[1].set(EthernetLen, end, IPv4MinLen, kindIPv4, 0, 0)
		if len(data) < EthernetLen+IPv4MinLen {
			return 1, false
		}
		v := IPv4View(data[EthernetLen:])
		length := uint32(v.Length())
		if v[ipv4OffVersion] != 4<<4|IPv4MinLen/4 || length <= IPv4MinLen || EthernetLen+length > end || v.isFragment() {
			return 1, false
		}
		l4 = EthernetLen + IPv4MinLen
		kind = ipProtoKind(v.Protocol())
		if EthernetLen+length != end {
			return 1, false
		}
	default:
		return 0, false
	}
	switch kind {
	case kindTCP:
		t[2].set(l4, end, 0, kindTCP, 1, 0)
		v := TCPView(data[l4:])
		if len(v) < TCPMinLen {
			return 2, false
		}
		n := v.HeaderLen()
		if n < TCPMinLen || n > len(v) {
			return 2, false
		}
		t[2].hdr = uint16(n)
		if n == len(v) {
			return 3, true
		}
		t[3].set(l4+uint32(n), end, allHeader, KindRaw, 2, 0)
		return 4, true
	}
	return 1, false
}

// walk walks the nodes from index i on, appending those that it finds.
func (p *Packet) walk(r *Registry, i int) error {
	nodes := p.nodes
	var failed error
	for ; i < len(nodes); i++ {
		n := &nodes[i]
		off, region, kind := n.off, n.end, n.kind
		if kind == KindRaw || kind == kindPadding {
			n.hdr = allHeader
			continue
		}
		s, err := indexOther(r.protocol(kind), p.data[off:region], r)
		if err != nil {
			failed = firstError(failed, n, err)
			n.kind, n.hdr = KindRaw, allHeader
			continue
		}
		pay := off + uint32(s.Header)
		end := pay + uint32(s.Payload)
		parent, flags := n.parent, n.flags|nodeFlags(s.Flags)
		n.flags = flags
		n.hdr = uint16(s.Header)
		own := false // whether what is left over is the layer's own
		if end != region {
			own = s.Flags&SpanTrailer != 0 || parent != noNode && nodes[parent].flags&(nodeSplit|nodeTrailer) != 0
			if own {
				n.flags |= nodeTrailer
			} else {
				n.end = end
				nodes = append(nodes, padding(end, region, parent, flags))
			}
		}
		if s.Payload != 0 {
			if len(nodes) >= MaxLayers {
				failed = firstError(failed, &nodes[i], ErrTooDeep)
				s.Next = KindRaw
			}
			next := node{off: pay, end: end, kind: s.Next, parent: uint16(i), flags: flags & nodeInherited}
			if split := r.protocol(kind).Split; split != nil && len(nodes) < MaxLayers {
				nodes[i].flags |= nodeSplit
				w := Splitter{nodes: nodes, next: next, at: pay}
				err := split(p.data[pay:end], r, &w)
				w.rest()
				nodes = w.nodes
				if err := cmp.Or(w.err, err); err != nil {
					failed = firstError(failed, &nodes[i], err)
				}
			} else {
				nodes = append(nodes, next)
			}
		}
		if own { // behind its siblings
			nodes = append(nodes, padding(end, region, uint16(i), flags))
		}
	}
	p.nodes = nodes
	return failed
}

// padding returns the node of what no length covers.
func padding(off, end uint32, parent uint16, flags nodeFlags) node {
	return node{off: off, end: end, hdr: allHeader, kind: kindPadding, parent: parent, flags: flags & nodeInherited}
}

// indexOther calls the Index of a protocol that is not on the hot path, and
// does not trust what it says.
func indexOther(p *Protocol, b []byte, r *Registry) (Span, error) {
	s, err := p.Index(b, r)
	if err != nil {
		return s, err
	}
	if s.Header <= 0 || s.Payload < 0 || s.Payload > len(b) || s.Header+s.Payload > len(b) {
		return s, Malformed(p.Name, fmt.Sprintf("its Index claims %d+%d of %d bytes", s.Header, s.Payload, len(b)))
	}
	return s, nil
}

// firstError returns the error to report: the first one, with the offset of
// its layer. That a quoted packet breaks off is none.
func firstError(failed error, n *node, err error) error {
	if failed != nil || n.flags&nodeQuote != 0 && errors.Is(err, ErrTruncated) {
		return failed
	}
	if de, ok := errors.AsType[*DecodeError](err); ok {
		de.Offset += int(n.off)
		return err
	}
	return &DecodeError{Layer: "packet", Offset: int(n.off), Err: err}
}

// Splitter collects the layers that lie side by side in a payload, for
// [Protocol.Split].
type Splitter struct {
	nodes []node
	next  node   // what the layers are to be, with the end of the payload
	at    uint32 // where the next one begins
	err   error
}

// Add says that the next n bytes of the payload are a layer of kind k. It
// returns false, and Split is to return, when they are not there, or the packet
// has too many layers. Bytes that Split leaves over become [Raw].
func (w *Splitter) Add(k Kind, n int) bool {
	if w.err != nil || n <= 0 || uint64(n) > uint64(w.next.end-w.at) {
		return false
	}
	if len(w.nodes) >= MaxLayers {
		w.err = ErrTooDeep
		return false
	}
	o := w.next
	o.off, o.end, o.kind = w.at, w.at+uint32(n), k
	w.nodes = append(w.nodes, o)
	w.at = o.end
	return true
}

// rest makes what is left over raw.
func (w *Splitter) rest() {
	if w.at < w.next.end {
		o := w.next
		o.off, o.kind = w.at, KindRaw
		w.nodes = append(w.nodes, o)
	}
}
