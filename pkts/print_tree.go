package pkts

import (
	"reflect"
	"strconv"
)

// TreeOptions say how [Packet.AppendTree] prints; nil means the zero value.
type TreeOptions struct {
	// MaxData is how many bytes of each payload are dumped; 0 stands for 256,
	// and a negative number for none.
	MaxData int
}

const defaultMaxData = 256

// AppendTree appends the packet as lines of text, each ended by a newline, to b
// and returns the result: for each layer its name and where it lies, counted in
// bytes from the start of the packet, and below it, indented, every field.
//
// Behind a field that the library can compute stands what [Packet.Checks] finds
// of it: [good], [bad, want 0x1234], [unverified] where not all bytes are there,
// [absent]. In a packet that was built, [computed] marks what the library fills
// in and [pinned] what the program demands.
//
// Layers that lie side by side are indented below the one that carries them. A
// packet that cannot be encoded is printed as far as its layers say, after the
// error.
func (p *Packet) AppendTree(b []byte, o *TreeOptions) []byte {
	t := tree{b: b, max: defaultMaxData, orig: p}
	if o != nil && o.MaxData != 0 {
		t.max = max(o.MaxData, 0)
	}
	q, err := p.shownPacket()
	if err != nil {
		t.b = append(append(append(t.b, "cannot be encoded: "...), err.Error()...), '\n')
		t.p, t.bare = p, true
	} else {
		t.p = q
		for c := range q.Checks() {
			t.checks = append(t.checks, c)
		}
	}
	depth := t.depths()
	for _, i := range t.p.depthFirst() {
		t.layer(int(i), depth[i])
	}
	return t.b
}

// tree writes the tree of p.
type tree struct {
	b      []byte
	p      *Packet
	orig   *Packet // whose modes count
	bare   bool    // p cannot be encoded: there are no bytes
	max    int
	checks []Check
}

// maxTreeIndent bounds the indentation of layers.
const maxTreeIndent = 16

// depths returns for each node how many nodes around it carry layers side by
// side.
func (t *tree) depths() []int {
	d := make([]int, len(t.p.nodes()))
	for i := range t.p.nodes() {
		if up := t.p.nodes()[i].parent; up != noNode {
			d[i] = d[up]
			if t.p.nodes()[up].flags&nodeSplit != 0 {
				d[i] = min(d[i]+1, maxTreeIndent)
			}
		}
	}
	return d
}

func (t *tree) indent(n int) {
	for range n {
		t.b = append(t.b, "    "...)
	}
}

func (t *tree) layer(i, depth int) {
	p := t.p
	n := &p.nodes()[i]
	proto := p.protocol(i)
	t.indent(depth)
	t.b = append(t.b, proto.Name...)
	if !t.bare {
		t.b = appendRange(append(t.b, ", "...), int(n.off), int(n.pay()))
		if n.flags&nodeTruncated != 0 {
			t.b = append(t.b, " [truncated]"...)
		}
		if n.flags&nodeQuote != 0 && n.parent != noNode && p.nodes()[n.parent].flags&nodeQuote != 0 {
			t.b = append(t.b, " [quoted]"...)
		}
	}
	t.b = append(t.b, '\n')
	l, err := p.layer(i)
	if err != nil {
		t.indent(depth + 1)
		t.b = append(append(append(t.b, "error: "...), err.Error()...), '\n')
		t.dump(p.data[n.off:n.pay()], depth+1)
		return
	}
	pl := t.orig.printer().plan(proto)
	v := layerValue(l)
	if n.kind == KindRaw || n.kind == kindPadding {
		t.dump(bytesOf(pl.shape.fields[0].of(v)), depth+1)
		return
	}
	for j := range pl.shape.fields {
		f := &pl.shape.fields[j]
		t.field(i, f, f.of(v), depth+1)
	}
}

// appendRange appends where something lies.
func appendRange(b []byte, off, end int) []byte {
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, int64(off), 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(max(end-1, off)), 10)
	return b
}

// field prints one field of node i.
func (t *tree) field(i int, f *fieldShape, v reflect.Value, depth int) {
	t.indent(depth)
	t.b = append(append(t.b, f.name...), ": "...)
	if _, _, mode := f.shape.unwrap(v); t.bare && mode == ModeAuto {
		t.b = append(t.b, "auto\n"...)
		return
	}
	t.value(f.shape, v, f.hex, depth, 0)
	// Notes go before the newline that value has written.
	if f.shape.kind == shapeAuto {
		t.b = t.b[:len(t.b)-1]
		t.notes(i, f)
		t.b = append(t.b, '\n')
	}
}

// value prints a value and a newline; what is made of several parts goes on in
// lines of its own.
func (t *tree) value(s *shape, v reflect.Value, hexa bool, depth, nested int) {
	if s.kind == shapeRef {
		if s, v = s.deref(v, nested); s == nil {
			t.b = append(t.b, "none\n"...)
			return
		}
	}
	switch {
	case nested > maxPrintDepth:
		t.b = append(t.b, "...\n"...)
	case s.kind == shapeBytes && v.Kind() == reflect.Slice && v.Len() > maxInlineBytes:
		t.b = strconv.AppendInt(t.b, int64(v.Len()), 10)
		t.b = append(t.b, " bytes\n"...)
		t.dump(bytesOf(v), depth+1)
	case s.kind == shapeBytes && v.Len() == 0, (s.kind == shapeList || s.kind == shapeSeq) && v.Len() == 0:
		t.b = append(t.b, "none\n"...)
	case (s.kind == shapeList && s.elem.kind == shapeObject && !s.elem.named), s.kind == shapeSeq, s.kind == shapeList && s.elem.kind == shapeRef:
		t.list(s, v, depth, nested)
	case s.kind == shapeObject && !s.named && nested < 4 && s.elaborate():
		t.b = append(t.b[:len(t.b)-1], '\n')
		for j := range s.fields {
			f := &s.fields[j]
			t.indent(depth + 1)
			t.b = append(append(t.b, f.name...), ": "...)
			t.value(f.shape, f.of(v), f.hex, depth+1, nested+1)
		}
	default:
		t.b = append(s.appendScalar(t.b, v, hexa, nested), '\n')
	}
}

// list prints the parts of a list in lines of their own.
func (t *tree) list(s *shape, v reflect.Value, depth, nested int) {
	t.b = append(t.b[:len(t.b)-1], '\n')
	s.each(v, func(_ int, e reflect.Value) bool {
		t.indent(depth + 1)
		t.b = append(t.b, "- "...)
		t.value(s.elem, e, false, depth+1, nested+1)
		return true
	})
	if l, ok := reflect.TypeAssert[interface{ Err() error }](v.Addr()); ok && s.kind == shapeSeq {
		if err := l.Err(); err != nil {
			t.indent(depth + 1)
			t.b = append(append(append(t.b, "error: "...), err.Error()...), '\n')
		}
	}
}

// elaborate reports whether an object has fields that do not fit in a line.
func (s *shape) elaborate() bool {
	for i := range s.fields {
		if k := s.fields[i].shape.kind; k == shapeList || k == shapeSeq || k == shapeObject || k == shapeRef {
			return true
		}
	}
	return len(s.fields) > 6
}

// notes prints where the value of an Auto comes from and whether it is right.
func (t *tree) notes(i int, f *fieldShape) {
	mode := ModeSeen
	if t.orig.edited && t.orig.nodes()[i].flags&nodeFilled != 0 {
		v := layerValue(t.orig.slots[i].layer)
		if f.index >= 0 && v.Kind() == reflect.Struct {
			_, _, mode = f.shape.unwrap(v.Field(f.index))
		}
	}
	switch mode {
	case ModeAuto:
		t.b = append(t.b, " [computed]"...)
		return
	case ModePinned:
		t.b = append(t.b, " [pinned]"...)
	case ModeSeen:
	}
	for _, c := range checksOf(t.checks, i) {
		if c.Field != f.name {
			continue
		}
		switch c.Status {
		case CheckGood:
			if mode != ModePinned {
				t.b = append(t.b, " [good]"...)
			}
		case CheckBad:
			t.b = append(t.b, " [bad, want "...)
			if f.hex {
				t.b = strconv.AppendUint(append(t.b, "0x"...), uint64(c.Want), 16)
			} else {
				t.b = strconv.AppendUint(t.b, uint64(c.Want), 10)
			}
			t.b = append(t.b, ']')
		case CheckUnknown:
			t.b = append(t.b, " [unverified]"...)
		case CheckAbsent:
			t.b = append(t.b, " [absent]"...)
		}
		return
	}
}

// dump prints bytes as a hex dump, indented, up to the limit.
func (t *tree) dump(data []byte, depth int) {
	show := data[:min(len(data), t.max)]
	for off := 0; off < len(show); off += 16 {
		t.indent(depth)
		t.b = appendHexLine(t.b, off, show[off:min(off+16, len(show))])
	}
	if rest := len(data) - len(show); rest > 0 {
		t.indent(depth)
		t.b = append(t.b, "... "...)
		t.b = strconv.AppendInt(t.b, int64(rest), 10)
		t.b = append(t.b, " more bytes\n"...)
	}
}
