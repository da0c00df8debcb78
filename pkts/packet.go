package pkts

import (
	"cmp"
	"encoding/binary"
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

	noCopy   noCopy
	simple   *Registry   // the Registry by which plain frames may be decoded as they are
	data     []byte      // what was decoded; nil in a built packet
	plain    plain       // the nodes, while table is not written
	filled   uint8       // which layers are filled in; 0: data is what they are
	edited   bool        // nodes were added or removed since decoding
	untagged bool        // Decode looks whether a frame without its tags is plain
	ports    bool        // simple has bound UDP ports, so that datagrams are no plain frames
	gen      uint64      // counts the changes to nodes
	own      ownLayers   // of a plain frame, its layers
	lent     uint8       // which slots refer to own
	table    []node      // breadth first, left to right; it is read by way of nodes
	slots    []slot      // of each node, its layer; those not in use wait for reuse
	spare    []slot      // more layers that wait for reuse
	kinds    *Registry   // whose numbers the slots' kinds are
	judged   []judgement // of each node; made when it is needed
	lost     *Protocol   // of a layer that Append had no room for
	depths   []uint16    // of each node; made when they are needed
	fit      int         // how many of the first slots are known to fit their nodes

	depthsGen, fitGen, outGen uint64 // the gen that depths, fit and out are of

	// Scratch, kept for reuse.
	out        []node // the nodes as they were encoded last
	chain      bool   // each of them carries the next
	changed    bool   // some header is not as it was decoded
	links      []links
	order      []uint16
	scratch    []byte
	splitter   Splitter
	completion Completion  // of AppendBinary
	checking   *Completion // of Checks, unless it is in use
	print      *printer
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
func (n *node) set(off, end, hdr int, k Kind, parent int, flags nodeFlags) {
	n.off = uint32(off)
	n.end = uint32(end)
	n.hdr = uint16(hdr)
	n.kind = k
	n.parent = uint16(parent)
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
	nodeTrailer                         // something of its own is behind its payload
	nodeWhole                           // its payload is all there
	nodeBuilt                           // it has no bytes in data
	nodeSplit                           // its payload is layers side by side
	nodeTrailing                        // it is what is behind its parent's payload
	nodeFilled                          // its slot holds its layer
)

// nodeInherited are the flags that hold for all that lies in a node.
const nodeInherited = nodeTruncated | nodeFragment | nodeQuote

// slot holds a layer in its owned form.
type slot struct {
	layer     Layer
	completer Completer // the same, if it is one
	kind      Kind
}

func newSlot(l Layer, k Kind) slot {
	c, _ := l.(Completer)
	return slot{l, c, k}
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
	// These are the headers that nearly every packet has, in the form that they
	// nearly always have. What is known of them here, walk knows better; it is
	// here because it takes a tenth of the time. decodeLink empties p first.
	var (
		word      uint64
		rest      uint32
		ip, upper []byte // without what is behind them
		proto     IPProto
	)
	if t != link.TypeEthernet || p.simple != p.Registry || len(data) < minPlain || len(data) > maxPlain {
		goto any
	}
	// All that is asked of either IP header is in the twelve bytes from the
	// EtherType on: two loads take fewer instructions than one for each field.
	word = binary.BigEndian.Uint64(data[ethernetOffType:])
	rest = binary.BigEndian.Uint32(data[ethernetOffType+8:])
	switch {
	case word>>40 == uint64(EtherTypeIPv4)<<8|4<<4|IPv4MinLen/4:
		v, n := data[EthernetLen:], int(uint16(word>>16))
		if rest&((uint32(IPv4MoreFragments)<<13|0x1fff)<<16) != 0 || n > len(v) || n <= IPv4MinLen {
			goto any
		}
		ip, upper, proto = v[:n:n], v[IPv4MinLen:n:n], IPProto(rest)
		p.plain.ip, p.plain.tags = kindIPv4, 0
	case word>>44 == uint64(EtherTypeIPv6)<<4|6:
		v, n := data[EthernetLen:], IPv6Len+int(uint16(word))
		if n > len(v) || n <= IPv6Len {
			goto any
		}
		ip, upper, proto = v[:n:n], v[IPv6Len:n:n], IPProto(rest>>24)
		p.plain.ip, p.plain.tags = kindIPv6, 0
	default:
		goto any
	}
	switch proto {
	case IPProtoTCP:
		if len(upper) <= tcpOffFlags {
			goto any
		}
		hdr := int(upper[tcpOffFlags]&0xf0) / 4
		if hdr < TCPMinLen || hdr > len(upper) {
			goto any
		}
		p.plain.l4, p.plain.hdr = kindTCP, uint16(hdr)
	case IPProtoUDP:
		if len(upper) < UDPLen || len(upper) != int(UDPView(upper).Length()) || p.ports {
			goto any
		}
		p.plain.l4, p.plain.hdr = kindUDP, UDPLen
	default:
		p.plain.ipData, p.plain.l4Data = ip, upper
		return p.decodeUpper(data, proto)
	}
	p.filled = 0 // as begin does; what is inlined costs a little
	p.gen++
	p.data = data
	p.plain.ipData, p.plain.l4Data = ip, upper
	return nil
any:
	return p.decodeLink(t, data)
}

// renew empties p and makes what decoding wants to be there.
func (p *Packet) renew() {
	p.Reset()
	if p.kinds != p.Registry {
		// The numbers of protocols are others.
		clear(p.slots)
		p.spare = nil
		p.kinds = p.Registry
	}
	if r := p.registry(); r.uncommon {
		p.simple = &noRegistry
	} else {
		p.simple, p.ports = p.Registry, r.overlaid&overlaidUDPPorts != 0
	}
	p.ready()
}

// ready makes p ready for nodes to be written: for as many as a packet mostly
// has.
func (p *Packet) ready() {
	if cap(p.table) < commonNodes {
		p.table = make([]node, 0, commonNodes)
	}
	if p.lent != 0 {
		p.takeBack()
	}
}

// noRegistry is one that no packet has.
var noRegistry Registry

// begin empties p, which has not been edited, for data.
func (p *Packet) begin(data []byte) {
	p.filled = 0
	p.gen++
	p.data = data
}

// decodeLink is Decode for all packets.
func (p *Packet) decodeLink(t link.Type, data []byte) error {
	if p.untagged {
		return nil // decodeTagged goes on
	}
	if t == link.TypeEthernet && p.simple != p.Registry {
		if p.renew(); p.simple == p.Registry {
			return p.Decode(t, data)
		}
	}
	if t == link.TypeEthernet && p.simple == p.Registry && p.decodeTagged(data) {
		return nil
	}
	k := KindRaw
	switch {
	case t == link.TypeEthernet && p.simple == p.Registry:
		k = kindEthernet
	case t != link.TypeRaw:
		k = p.registry().Next(&linkTypesTable, uint64(t))
	case len(data) > 0 && data[0]>>4 == 4:
		k = kindIPv4
	case len(data) > 0 && data[0]>>4 == 6:
		k = kindIPv6
	}
	return p.decode(k, data)
}

// DecodeAs is [Packet.Decode] for bytes whose first layer is a known protocol,
// such as the payload of a tunnel.
func (p *Packet) DecodeAs(first *Protocol, data []byte) error {
	k, ok := p.registry().kindOf(first)
	if !ok {
		p.Reset()
		return fmt.Errorf("pkts: decode as %v: the packet's Registry does not have it: bind it with Registry.With", first)
	}
	return p.decode(k, data)
}

// Reset empties the packet. It keeps memory for reuse, and its Registry.
func (p *Packet) Reset() {
	if p.edited {
		// Some of the layers may be the caller's own.
		clear(p.slots)
		p.lent = 0
		p.edited = false
		p.lost = nil
	}
	p.begin(nil)
	p.plain = plain{}
	p.table = p.table[:0]
}

func (p *Packet) registry() *Registry {
	if p.Registry == nil {
		return Default
	}
	return p.Registry
}

// commonNodes is the length of the node table that every packet has.
const commonNodes = 16

// decode takes apart data, which begins with a layer of kind first.
func (p *Packet) decode(first Kind, data []byte) error {
	p.renew()
	if len(data) == 0 {
		return nil
	}
	if uint64(len(data)) > math.MaxUint32 {
		return fmt.Errorf("pkts: %w: a packet of %d bytes", ErrTooLong, len(data))
	}
	p.data = data
	p.table = p.table[:1]
	p.table[0].set(0, len(data), 0, first, noNode, 0)
	return p.walk(0, 1)
}

// walk walks the nodes from index i on, of the first n that are there, appending
// those that it finds.
func (p *Packet) walk(i, n int) error {
	r, nodes := p.registry(), p.table[:n]
	var failed error
	for ; i < len(nodes); i++ {
		n := &nodes[i]
		off, region, kind := n.off, n.end, n.kind
		if kind == KindRaw || kind == kindPadding {
			n.hdr = allHeader
			continue
		}
		s, err := indexLayer(r.protocol(kind), p.data[off:region], r)
		if err != nil {
			failed = firstError(failed, n, err)
			n.kind, n.hdr = KindRaw, allHeader
			continue
		}
		pay := off + uint32(s.Header)
		end := pay + uint32(s.Payload)
		proto := r.protocol(kind)
		flags := n.flags | nodeFlags(s.Flags&spanFlags)
		if flags&nodeWhole != 0 {
			flags &^= nodeTruncated
		}
		if proto.Split != nil {
			flags |= nodeSplit
		}
		// What is left over stands behind the layer, in the enclosing one,
		// unless it is the layer's own, or something else stands there.
		parent := n.parent
		own := s.Flags&SpanTrailer != 0 || parent != noNode && nodes[parent].flags&(nodeSplit|nodeTrailer) != 0
		left := node{off: end, end: region, hdr: allHeader, kind: kindPadding, parent: parent, flags: flags & nodeInherited}
		switch {
		case !own:
			n.end = end
		case end != region:
			flags |= nodeTrailer
			left.parent = uint16(i)
			if s.Flags&SpanTrailer != 0 && proto.Trailer != nil && len(nodes) < MaxLayers {
				left.kind, left.hdr = r.KindOf(proto.Trailer), 0
				left.flags = n.flags&nodeInherited | nodeTrailing
			}
		}
		n.flags = flags
		n.hdr = headerLen(s.Header)
		if end != region && !own {
			nodes = append(nodes, left)
		}
		if s.Payload != 0 {
			next := node{off: pay, end: end, kind: s.Next, parent: uint16(i), flags: flags & nodeInherited}
			switch {
			case len(nodes) >= MaxLayers:
				failed = firstError(failed, &next, ErrTooDeep)
				next.kind = KindRaw
				nodes = append(nodes, next)
			case proto.Split != nil:
				w := &p.splitter // a function that is not known might keep it
				*w = Splitter{nodes: nodes, next: next, at: pay, registry: r}
				err := proto.Split(p.data[pay:end], r, w)
				w.rest()
				nodes = w.nodes
				if err := cmp.Or(w.err, err); err != nil {
					failed = firstError(failed, &next, err)
				}
				*w = Splitter{}
			default:
				nodes = append(nodes, next)
			}
		}
		if end != region && own {
			nodes = append(nodes, left)
		}
	}
	p.table = nodes
	return failed
}

// indexLayer calls the Index of a protocol, and does not trust what it says:
// it may be another module's.
func indexLayer(p *Protocol, b []byte, r *Registry) (Span, error) {
	s, err := p.Index(b, r)
	if err != nil {
		return s, err
	}
	if s.Header <= 0 || s.Header > len(b) || s.Payload < 0 || s.Payload > len(b)-s.Header || s.Header >= allHeader && s.Header < len(b) {
		return s, Malformed(p.Name, fmt.Sprintf("its Index claims %d+%d of %d bytes", s.Header, s.Payload, len(b)))
	}
	if !r.has(s.Next) {
		return s, Malformed(p.Name, fmt.Sprintf("its Index answers with kind %d, which is of another Registry", s.Next))
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

	registry *Registry
}

// Add says that the next n bytes of the payload are a layer of kind k. It
// returns false, and Split is to return, when they are not there, the Registry
// does not have k, or the packet has too many layers. Bytes that Split leaves
// over become [Raw].
func (w *Splitter) Add(k Kind, n int) bool {
	if w.err != nil || n <= 0 || uint64(n) > uint64(w.next.end-w.at) {
		return false
	}
	if !w.registry.has(k) {
		w.err = Malformed("packet", fmt.Sprintf("its Split adds kind %d, which is of another Registry", k))
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
