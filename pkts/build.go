package pkts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/gopkts/gopkts/common/checksum"
)

// AppendBinary appends the packet to b and returns the result.
//
// A packet that was decoded and not touched gives its bytes back. Otherwise
// each layer that was handed out is encoded, the others are copied, and then,
// innermost layer first, the fields that depend on their surroundings are
// completed: an [Auto] field is computed; a decoded one is computed anew if it
// was right before the edit, and left alone if it was wrong; a pinned one is
// what it was pinned to. Neither the layers nor b's first bytes are changed.
//
// It allocates nothing when b has room and the packet was encoded before. The
// error is an [*EncodeError], and b is returned as it was given.
//
// b may be [Packet.Data] cut to no length, to encode a packet in place: then
// that, and what the layers alias of it, is written over, and the packet must be
// decoded again before it is used. Other bytes that the layers refer to must not
// lie in the capacity of b.
func (p *Packet) AppendBinary(b []byte) ([]byte, error) {
	if p.filled == 0 {
		return append(b, p.data...), nil
	}
	if out, ok := p.appendCommon(b); ok {
		return out, nil
	}
	if p.data != nil && overlaps(b, p.data) {
		out, err := p.encode(p.scratch[:0])
		if err != nil {
			return b, err
		}
		p.scratch = out
		return append(b, out...), nil
	}
	return p.encode(b)
}

// overlaps reports whether what is appended to b may be written where data
// lies. Bytes of one array are known by where they begin, or by where their
// capacity ends.
func overlaps(b, data []byte) bool {
	if len(b) == cap(b) || cap(data) == 0 {
		return false
	}
	x, y := b[len(b):cap(b)], data[:cap(data)]
	return &x[len(x)-1] == &y[len(y)-1] || &x[0] == &y[0]
}

// encode is AppendBinary for a packet whose layers were handed out. It notes in
// p.out where they lie.
func (p *Packet) encode(b []byte) ([]byte, error) {
	if p.lost != nil {
		return b, tooManyLayers(p.lost)
	}
	p.layOut()
	out, err := p.emit(b)
	if err != nil {
		return b, err
	}
	if p.changed {
		if err := p.complete(out[len(b):]); err != nil {
			return b, err
		}
	}
	return out, nil
}

// layOut prepares what does not change from one encoding to the next.
func (p *Packet) layOut() {
	if nodes := p.nodes(); p.outGen != p.gen || len(p.out) != len(nodes) {
		p.out = append(p.out[:0], nodes...)
		p.chain = p.isChain()
		p.outGen = p.gen
	}
}

// appendCommon is encode for what programs build most: IPv4 without options or
// IPv6, in Ethernet or by itself, then TCP or UDP, then bytes or nothing, with no
// field pinned. It sums the payload while it copies it. It reports false where a
// packet is another, or has an error to report. What it knows of the layers,
// encode knows better; it is here because it takes less than half the time.
func (p *Packet) appendCommon(b []byte) ([]byte, bool) {
	if !p.edited || p.data != nil || p.lost != nil || p.registry().overlaid != 0 || len(p.nodes()) < 2 {
		return b, false
	}
	if p.layOut(); !p.chain {
		return b, false
	}
	// The types decide, not the kinds: one that embeds Raw has its protocol but
	// may encode otherwise.
	slots := p.slots[:len(p.nodes())]
	eth, _ := slots[0].layer.(*Ethernet)
	if eth != nil {
		slots = slots[1:]
	}
	var data []byte
	if raw, _ := slots[len(slots)-1].layer.(*Raw); raw != nil {
		data = raw.Data
		slots = slots[:len(slots)-1]
	}
	if len(slots) != 2 {
		return b, false
	}
	ip4, _ := slots[0].layer.(*IPv4)
	ip6, _ := slots[0].layer.(*IPv6)
	tcp, _ := slots[1].layer.(*TCP)
	udp, _ := slots[1].layer.(*UDP)

	n, proto := len(data), IPProtoTCP
	switch {
	case tcp != nil:
		n += TCPMinLen + len(tcp.Options)
	case udp != nil:
		n += UDPLen
		proto = IPProtoUDP
	default:
		return b, false
	}
	next := EtherTypeIPv6
	if ip4 != nil {
		next = EtherTypeIPv4
	}
	out, ok := b, true
	if eth != nil {
		out, ok = eth.appendCommon(out, next)
	}
	var pseudo uint16
	switch {
	case !ok:
	case ip4 != nil:
		out, pseudo, ok = ip4.appendCommon(out, proto, n)
	case ip6 != nil:
		out, pseudo, ok = ip6.appendCommon(out, proto, n)
	default:
		ok = false
	}
	switch {
	case !ok:
	case tcp != nil:
		out, ok = tcp.appendCommon(out, data, pseudo)
	default:
		out, ok = udp.appendCommon(out, data, pseudo)
	}
	if !ok {
		return b, false
	}
	return out, true
}

// emit appends the headers and payloads of all nodes and notes in p.out where
// they lie, and in p.changed whether any header differs from what was decoded.
func (p *Packet) emit(b []byte) (_ []byte, err error) {
	base := len(b)
	p.changed = p.edited
	if !p.chain {
		return p.emitTree(b)
	}
	last := len(p.out) - 1
	for i := range p.out {
		start := len(b)
		if b, err = p.emitHeader(b, base, i); err != nil {
			return b, err
		}
		if len(b)-start >= allHeader && i < last {
			return b, p.headerTooLong(i, len(b)-base)
		}
	}
	if err := fits(len(b) - base); err != nil {
		return b, err
	}
	for i := range p.out {
		p.out[i].end = uint32(len(b) - base)
	}
	return b, nil
}

// headerLen returns n as a node stores it.
func headerLen(n int) uint16 { return uint16(min(n, allHeader)) }

// headerTooLong returns the error of node i, which carries something behind a
// header that goes up to end: there is no telling where that begins.
func (p *Packet) headerTooLong(i, end int) error {
	return &EncodeError{Layer: p.protocol(i).Name, Reason: fmt.Sprintf("a header of %d bytes that carries a layer, at most %d", end-int(p.out[i].off), allHeader-1), Err: ErrTooLong}
}

// fits returns the error of a packet of n bytes whose offsets a node cannot
// store.
func fits(n int) error {
	if uint64(n) > math.MaxUint32 {
		return &EncodeError{Layer: "packet", Reason: fmt.Sprintf("%d bytes, at most %d", n, uint32(math.MaxUint32)), Err: ErrTooLong}
	}
	return nil
}

// isChain reports whether each node is the only one in the one before it.
func (p *Packet) isChain() bool {
	for i, n := range p.nodes() {
		if n.parent != uint16(i-1) {
			return false
		}
	}
	return true
}

// emitTree is emit for packets with layers side by side.
func (p *Packet) emitTree(b []byte) (_ []byte, err error) {
	base := len(b)
	order := p.depthFirst()
	for _, i := range order {
		if b, err = p.emitHeader(b, base, int(i)); err != nil {
			return b, err
		}
		o := &p.out[i]
		o.end = uint32(len(b) - base)
		if o.hdr == allHeader && p.links[i].child != noNode {
			return b, p.headerTooLong(int(i), len(b)-base)
		}
	}
	if err := fits(len(b) - base); err != nil {
		return b, err
	}
	// A node ends where the last one in it ends. Going backwards through the
	// order, each node is done before the one it lies in.
	for at := len(order) - 1; at >= 0; at-- {
		o := &p.out[order[at]]
		if o.parent != noNode {
			up := &p.out[o.parent]
			up.end = max(up.end, o.end)
		}
	}
	return b, nil
}

// emitHeader appends the header of node i, notes where in the packet, which
// begins at base, it lies, and whether it is another than was decoded.
func (p *Packet) emitHeader(b []byte, base, i int) (_ []byte, err error) {
	n, start := &p.nodes()[i], len(b)
	if n.flags&nodeFilled == 0 {
		b = append(b, p.data[n.off:n.pay()]...)
	} else {
		if b, err = p.slots[i].layer.AppendBinary(b); err != nil {
			return b, p.encodeError(i, err)
		}
		if len(b) < start {
			return b, &EncodeError{Layer: p.protocol(i).Name, Reason: "its AppendBinary takes bytes away", Err: ErrMalformed}
		}
		if n.flags&nodeBuilt == 0 && !bytes.Equal(b[start:], p.data[n.off:n.pay()]) {
			p.changed = true
		}
	}
	o := &p.out[i]
	o.off = uint32(start - base)
	o.hdr = headerLen(len(b) - start)
	return b, nil
}

// complete completes the fields of the encoded packet, whose nodes are p.out.
func (p *Packet) complete(b []byte) error {
	if !p.edited {
		p.judge()
	}
	c := &p.completion
	c.p, c.b, c.nodes, c.chain, c.writable = p, b, p.out, p.chain, ^uint(0)
	if !c.chain {
		p.link()
	}
	nodes := p.nodes()
	for i := len(nodes) - 1; i >= 0; i-- {
		var l Completer
		if nodes[i].flags&nodeFilled != 0 {
			l = p.slots[i].completer
		} else {
			l = p.completer(i)
		}
		if l == nil {
			continue
		}
		c.at(i)
		err := l.Complete(c)
		if err == nil {
			err = c.failed
		}
		if err != nil {
			return p.encodeError(i, err)
		}
	}
	return nil
}

// encodeError makes what a layer of another module returned an EncodeError.
func (p *Packet) encodeError(i int, err error) error {
	if _, ok := errors.AsType[*EncodeError](err); ok {
		return err
	}
	return &EncodeError{Layer: p.protocol(i).Name, Err: err}
}

// completer returns the layer of node i if it has fields to complete, nil if
// not. One whose body cannot be decoded has none: its bytes stay. A layer that
// nobody was given stays one: what a view changes in it later counts.
func (p *Packet) completer(i int) Completer {
	n := &p.nodes()[i]
	if n.kind == KindRaw || n.kind == kindPadding {
		return nil
	}
	if n.flags&nodeFilled == 0 {
		p.supply(i)
		c := p.slots[i].completer
		if c == nil {
			return nil
		}
		if _, err := c.Decode(p.data[n.off:n.end]); err != nil {
			return nil
		}
		return c
	}
	return p.slots[i].completer
}

// judgement is what is known of the completable fields of a decoded layer.
type judgement struct {
	// right has the bit of each field's offset that had the right value.
	right uint64
	// residue is what the bytes that are not there, because the packet is cut
	// or one fragment of a larger one, add to the transport checksum.
	residue uint16
	// partial says that residue counts, and that right is not known of the
	// checksum.
	partial bool
}

// judge finds out which completable fields of the decoded packet are right.
func (p *Packet) judge() { p.verify(nil) }

// verify judges all decoded layers and calls found, if not nil, for each field
// until it returns false.
func (p *Packet) verify(found func(Check) bool) {
	nodes := p.nodes()
	p.judged = append(p.judged[:0], make([]judgement, len(nodes))...)
	// found may encode, print, check, edit or decode the packet.
	c := p.checking
	if p.checking = nil; c == nil {
		c = new(Completion)
	}
	*c = Completion{p: p, b: p.data, nodes: nodes, gen: p.gen, verifying: true, found: found, chain: p.isChain()}
	if !c.chain {
		p.link()
	}
	for i := range nodes {
		if nodes[i].flags&nodeBuilt != 0 {
			continue
		}
		l := p.completer(i)
		if l == nil {
			continue
		}
		c.at(i)
		// An error says that a field cannot be computed. Then it cannot be
		// right either, and is left alone.
		_ = l.Complete(c)
		if c.stopped {
			break
		}
	}
	*c = Completion{}
	p.checking = c
}

// Check is what [Packet.Checks] finds of one field.
type Check struct {
	// Node is the layer's place in the packet, and Field the name of the struct
	// field.
	Node  Node
	Field string
	// Offset is where the field lies, in bytes from the start of the packet.
	Offset int
	// Have is the value in the packet, Want the one that the library computes.
	Have, Want uint32
	// Status says what follows from that.
	Status CheckStatus
}

// CheckStatus says whether a field has the value that its surroundings demand.
type CheckStatus uint8

const (
	// CheckGood is a field with the right value.
	CheckGood CheckStatus = iota
	// CheckBad is a field with another value.
	CheckBad
	// CheckUnknown is a length or checksum of bytes that are not all there:
	// the packet is cut, a fragment, or quoted in another.
	CheckUnknown
	// CheckAbsent is a UDP checksum that the sender did not compute.
	CheckAbsent
)

// String returns "good", "bad", "unknown" or "absent".
func (s CheckStatus) String() string {
	switch s {
	case CheckGood:
		return "good"
	case CheckBad:
		return "bad"
	case CheckUnknown:
		return "unknown"
	case CheckAbsent:
		return "absent"
	default:
		return fmt.Sprintf("CheckStatus(%d)", uint8(s))
	}
}

// Checks verifies the lengths, checksums and next-protocol numbers of a packet
// as it was decoded, outermost layer first. A packet that was built, or edited
// by [Packet.Append] and the like, has nothing to verify: it yields none. The
// loop may change fields, encode and print; an edit of the layers ends it.
func (p *Packet) Checks() iter.Seq[Check] {
	return func(yield func(Check) bool) {
		if p.edited {
			return
		}
		p.verify(yield)
	}
}

// Completion is what [Completer.Complete] works on: a layer's encoded header
// among the bytes around it.
type Completion struct {
	p     *Packet
	b     []byte // the packet
	nodes []node // of b
	chain bool   // each node is the only one in the one before it; else p.links count

	// The layer at hand.
	i      int
	node   *node
	header []byte
	room   uint       // how many bytes of header may be written: none when verifying
	judged *judgement // nil for one that was not decoded

	// The field at hand.
	field   string
	off     int
	mode    Mode
	unknown bool
	failed  error // what the layer did wrong with its header

	gen   uint64 // of p
	alone node

	verifying bool
	writable  uint // all bits set unless verifying
	found     func(Check) bool
	stopped   bool
}

// at makes node i the layer at hand.
func (c *Completion) at(i int) {
	n := &c.nodes[i]
	pay := n.pay()
	c.i, c.node, c.failed = i, n, nil
	c.header = c.b[n.off:pay:pay]
	c.room = uint(len(c.header)) & c.writable
	c.judged = nil
	if n.flags&nodeBuilt == 0 {
		c.judged = &c.p.judged[i]
	}
}

// Wants says whether the field at byte off of the header, of the given name and
// mode, is to be computed. If so, hand the value to one of the Put methods. off
// is below 64.
func (c *Completion) Wants(field string, off int, m Mode) bool {
	c.field, c.off, c.mode = field, off, m
	switch {
	case c.verifying:
		c.unknown = false
		return !c.stopped
	case m == ModeSeen:
		return c.judged == nil || c.judged.right&(1<<off) != 0
	default:
		return m == ModeAuto
	}
}

// PutUint8 hands over the value of the field of 8 bits that [Completion.Wants]
// asked for.
func (c *Completion) PutUint8(v uint8) {
	if uint(c.off)+1 <= c.room {
		c.header[c.off] = v
		return
	}
	c.put(uint32(v), 1)
}

// PutUint16 is [Completion.PutUint8] for a field of 16 bits.
func (c *Completion) PutUint16(v uint16) {
	if uint(c.off)+2 <= c.room {
		binary.BigEndian.PutUint16(c.header[c.off:], v)
		return
	}
	c.put(uint32(v), 2)
}

// PutUint32 is [Completion.PutUint8] for a field of 32 bits.
func (c *Completion) PutUint32(v uint32) {
	if uint(c.off)+4 <= c.room {
		binary.BigEndian.PutUint32(c.header[c.off:], v)
		return
	}
	c.put(v, 4)
}

// put is what the Put methods do where there is no more to it than to write the
// value: it judges the field, or notes that the header does not have it. It is
// apart so that they can be inlined.
func (c *Completion) put(v uint32, size int) {
	if uint(c.off)+uint(size) > uint(len(c.header)) {
		c.missing(c.off)
		return
	}
	f := c.header[c.off:]
	switch size {
	case 1:
		c.judge(uint32(f[0]), v)
	case 2:
		c.judge(uint32(binary.BigEndian.Uint16(f)), v)
	case 4:
		c.judge(binary.BigEndian.Uint32(f), v)
	}
}

// missing notes that Complete is after bytes that the header does not have.
func (c *Completion) missing(off int) {
	if c.failed == nil {
		c.failed = &EncodeError{Layer: c.Name(), Field: c.field, Reason: fmt.Sprintf("its Complete is after byte %d of a header of %d", off, len(c.header)), Err: ErrTruncated}
	}
}

// PutLength hands over a length for a field of 16 bits, and returns an error
// when it does not fit.
func (c *Completion) PutLength(n int) error {
	if c.verifying {
		c.unknown = !c.complete()
		c.judge(uint32(c.Uint16(c.off)), uint32(n))
		return nil
	}
	if n > 0xffff {
		return TooLong(c.Name(), c.field, n, 0xffff)
	}
	c.PutUint16(uint16(n))
	return nil
}

// judge notes whether the field at hand is right.
func (c *Completion) judge(have, want uint32) {
	if c.failed != nil {
		return
	}
	s := CheckBad
	switch {
	case have == want:
		c.judged.right |= 1 << c.off
		s = CheckGood
		if c.unknown {
			s = CheckUnknown
		}
	case c.absent(have):
		s = CheckAbsent
	case c.unknown:
		s = CheckUnknown
	}
	if c.found != nil {
		n := Node{c.p, c.i}
		at := *c.node
		if !c.found(Check{n, c.field, int(c.node.off) + c.off, have, want, s}) {
			c.stopped = true
		}
		if c.p.gen != c.gen {
			// The layer at hand may not be there any more. What its Complete
			// still asks is answered as if nothing was around it.
			c.stopped = true
			c.alone = at
			c.alone.parent, c.alone.flags = noNode, 0
			c.node, c.nodes, c.chain = &c.alone, nil, true
		}
	}
}

// absent reports whether have says that the field is not in use.
func (c *Completion) absent(have uint32) bool {
	return have == 0 && c.node.kind == kindUDP && c.off == udpOffChecksum
}

// Name returns the name of the layer's protocol, for errors.
func (c *Completion) Name() string { return c.p.registry().protocol(c.node.kind).Name }

// Header returns the layer's encoded header.
func (c *Completion) Header() []byte { return c.header }

// Payload returns what follows the header within the layer, without padding of
// the layer's own.
func (c *Completion) Payload() []byte {
	end := c.end()
	return c.b[c.node.pay():end:end]
}

// Len returns the length of the layer, header and payload, in bytes, without
// padding of the layer's own.
func (c *Completion) Len() int { return int(c.end() - c.node.off) }

// end returns where the payload ends, before padding of the layer's own.
func (c *Completion) end() uint32 {
	if c.node.flags&nodeTrailer == 0 {
		return c.node.end
	}
	return c.endBefore()
}

// endBefore is end for a layer with something of its own behind the payload.
func (c *Completion) endBefore() uint32 {
	end := c.node.end
	for j := c.child(); j != noNode; j = c.sibling(j) {
		if o := &c.nodes[j]; o.kind == kindPadding {
			end = min(end, o.off)
		}
	}
	return end
}

// Uint16 returns the 16 bits at byte off of the header.
func (c *Completion) Uint16(off int) uint16 {
	if uint(off)+2 > uint(len(c.header)) {
		c.missing(off)
		return 0
	}
	return binary.BigEndian.Uint16(c.header[off:])
}

// child returns the first node in the one at hand, noNode for none.
func (c *Completion) child() uint16 {
	if !c.chain {
		return c.p.links[c.i].child
	}
	if c.i+1 < len(c.nodes) {
		return uint16(c.i + 1)
	}
	return noNode
}

// sibling returns the node behind node j within the same one, noNode for none.
func (c *Completion) sibling(j uint16) uint16 {
	if c.chain {
		return noNode
	}
	return c.p.links[j].next
}

// next returns the protocol of the payload, KindRaw for none.
func (c *Completion) next() Kind {
	if j := c.i + 1; c.chain && j < len(c.nodes) && c.nodes[j].kind != kindPadding {
		return c.nodes[j].kind
	}
	return c.nextBeside()
}

// nextBeside is next where more than one layer may lie in the one at hand. It
// is apart so that next can be inlined.
func (c *Completion) nextBeside() Kind {
	for j := c.child(); j != noNode; j = c.sibling(j) {
		if n := &c.nodes[j]; n.kind != kindPadding {
			return n.kind
		}
	}
	return KindRaw
}

// payloadLen returns the length of the payload without any padding, in bytes.
func (c *Completion) payloadLen() int {
	n := int(c.node.end - c.node.pay())
	for j := c.child(); j != noNode; j = c.sibling(j) {
		if o := &c.nodes[j]; o.kind == kindPadding {
			n -= int(o.end - o.off)
		}
	}
	return n
}

// Next returns the protocol of the payload, nil when it is not known or there
// is none.
func (c *Completion) Next() *Protocol {
	if k := c.next(); k != KindRaw {
		return c.p.registry().protocol(k)
	}
	return nil
}

// Number returns the number in table t that announces the payload. have is the
// number that the header holds: it is kept when it does announce the payload,
// and, in a decoded header, when the payload's protocol is not known. Where no
// number is known, it is unknown.
func (c *Completion) Number(t *Table, have, unknown uint64) uint64 {
	k := c.next()
	if k == KindRaw {
		if c.verifying || c.mode == ModeSeen {
			return have
		}
		return unknown
	}
	r := c.p.registry()
	if c.mode != ModeAuto && r.Next(t, have) == k {
		return have
	}
	p := r.protocol(k)
	if r.overlaid == 0 && len(p.At) > 0 && p.At[0].Table == t {
		return p.At[0].Number // as Registry.Number finds it
	}
	if n, ok := r.Number(t, p); ok {
		return n
	}
	return unknown
}

// TransportChecksum returns the Internet checksum of the layer and of the
// pseudo-header of the IPv4 or IPv6 header below it, RFC 9293, section 3.1, and
// RFC 8200, section 8.1, for the field at hand, which counts as zero. proto is
// the layer's own number.
//
// When the layer's bytes are not all there, the result is the field as it is,
// changed by as much as the bytes that are there changed it.
func (c *Completion) TransportChecksum(proto IPProto) (uint16, error) {
	sum, err := c.pseudo(proto, c.Len())
	if err != nil {
		return 0, err
	}
	return c.InternetChecksum(sum), nil
}

// InternetChecksum is [Completion.TransportChecksum] without a pseudo-header,
// or with one whose sum is start.
func (c *Completion) InternetChecksum(start uint16) uint16 {
	have := c.Uint16(c.off)
	b := c.b[c.node.off:c.end()]
	if c.failed != nil {
		return 0
	}
	sum := without(checksum.Sum(b, start), have)
	if sum == 0xffff {
		// Either what is left adds up to this, or it is nothing but zeros.
		sum = checksum.Sum(b[c.off+2:], checksum.Sum(b[:c.off], start))
	}
	if !c.verifying {
		if c.judged != nil && c.judged.partial {
			sum = checksum.Add(sum, c.judged.residue)
			if sum == 0xffff && have == 0xffff {
				return have // the other zero, which the sum cannot tell from it
			}
		}
		return ^sum
	}
	if c.complete() {
		return ^sum
	}
	// have = ^(sum + residue), in one's complement arithmetic.
	c.judged.partial = true
	c.judged.residue = checksum.Add(^have, ^sum)
	c.unknown = true
	return have
}

// HeaderChecksum returns the Internet checksum of the header alone, for the
// field at hand, which counts as zero.
func (c *Completion) HeaderChecksum() uint16 {
	return ^without(checksum.Sum(c.header, 0), c.Uint16(c.off))
}

// without takes a word out of a one's complement sum. The result is 0xffff where
// nothing but zeros are left.
func without(sum, word uint16) uint16 { return checksum.Add(sum, ^word) }

// complete reports whether all bytes of the layer at hand are there.
func (c *Completion) complete() bool {
	n := c.node
	up := n.parent
	if n.flags&nodeTrailing != 0 && up != noNode {
		up = c.nodes[up].parent // what the parent says of its payload is not about its trailer
	}
	if up != noNode && c.nodes[up].flags&nodeFragment != 0 {
		return false
	}
	return n.flags&nodeTruncated == 0
}

// Whole reports whether all bytes of the layer are there: the packet is neither
// cut nor a fragment. Where they are not, it makes the field that
// [Completion.Wants] asked for one that cannot be verified, [CheckUnknown]: call
// it before handing over a value that depends on all of them.
func (c *Completion) Whole() bool {
	c.unknown = !c.complete()
	return !c.unknown
}

// pseudo returns the sum of the pseudo-header of the nearest IP header below.
// The addresses that it covers are those of the ends: what a source route, a
// routing header or a Home Address option names counts, RFC 1122, section
// 3.2.1.8, RFC 8200, section 8.1, and RFC 6275, section 11.3.1.
func (c *Completion) pseudo(proto IPProto, length int) (uint16, error) {
	var routing, options []byte // the innermost ones that matter
	for j := c.node.parent; j != noNode; j = c.nodes[j].parent {
		n := &c.nodes[j]
		h := c.b[n.off:n.pay()]
		switch n.kind {
		case kindIPv4:
			if len(h) > IPv4MinLen {
				if dst, ok := IPv4Options(h[IPv4MinLen:]).finalDestination(); ok {
					return checksum.PseudoIPv4([4]byte(h[ipv4OffSrc:]), dst, uint8(proto), length), nil
				}
			}
			return checksum.PseudoIPv4Bytes(h[ipv4OffSrc:ipv4OffSrc+8], uint8(proto), length), nil
		case kindIPv6:
			if routing == nil && options == nil {
				return checksum.PseudoIPv6Bytes(h[ipv6OffSrc:ipv6OffSrc+32], uint8(proto), length), nil
			}
			src, dst := [16]byte(h[ipv6OffSrc:]), [16]byte(h[ipv6OffDst:])
			if routing != nil {
				dst = finalDestination(routing, dst)
			}
			if options != nil {
				if _, o, ok := IPv6Options(options[extOffData:]).find(IPv6OptionHomeAddress, 16); ok {
					src = [16]byte(o.Data)
				}
			}
			return checksum.PseudoIPv6(src, dst, uint8(proto), length), nil
		case kindRouting:
			if routing == nil && IPv6RoutingView(h).SegmentsLeft() > 0 {
				routing = h
			}
		case kindDestOpts:
			if options == nil {
				options = h
			}
		}
	}
	return 0, &EncodeError{Layer: c.Name(), Field: c.field, Reason: "it covers an IPv4 or IPv6 header, and there is none: add one or pin the checksum", Err: ErrOrder}
}
