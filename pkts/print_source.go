package pkts

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gopkts/gopkts/common/link"
)

// GoString returns a Go expression of type *Packet that builds the packet, byte
// for byte. What the library fills in with the right value is left out; a value
// that it would not compute is pinned. The expression needs the packages pkts,
// net/netip and link, and those of other modules' layers.
//
// A packet that cannot be encoded, or that its layers do not give back, is
// written as its bytes in a [Raw].
func (p *Packet) GoString() string {
	q, err := p.shownPacket()
	if err != nil {
		// The layers as they are; the error comes back when it is encoded.
		return string(p.appendSource(nil, p.sourceLayers(p)))
	}
	ls := p.sourceLayers(q)
	if apart(ls) || !q.pinWrong(ls) {
		ls = []sourceLayer{{layer: &Raw{Data: q.data}, parent: -1}}
	}
	return string(p.appendSource(nil, ls))
}

// sourceLayer is a layer to be written as source.
type sourceLayer struct {
	layer  Layer
	node   int
	parent int            // index of the layer that it lies in, -1 for none
	saved  map[string]any // the values of its Auto fields
}

func newSourceLayer(l Layer) sourceLayer { return sourceLayer{layer: l, saved: map[string]any{}} }

// save notes the values of the Auto fields.
func (l *sourceLayer) save() {
	autos(l.layer, func(name string, v reflect.Value, _ *Mode) { l.saved[name] = v.Interface() })
}

// pin pins the Auto fields for which f returns true to their saved values, and
// leaves the others to the library.
func (l *sourceLayer) pin(f func(name string, value any) bool) {
	autos(l.layer, func(name string, v reflect.Value, mode *Mode) {
		if !f(name, l.saved[name]) {
			*mode = ModeAuto
			v.SetZero()
			return
		}
		*mode = ModePinned
		v.Set(reflect.ValueOf(l.saved[name]))
	})
}

// trim makes empty slices nil where that makes no difference to the layer.
func (l *sourceLayer) trim() {
	v := layerValue(l.layer)
	if v.Kind() != reflect.Struct {
		return
	}
	want, werr := l.layer.AppendBinary(nil)
	for _, f := range v.Fields() {
		if f.Kind() != reflect.Slice || f.IsNil() || f.Len() > 0 || !f.CanSet() {
			continue
		}
		empty := reflect.MakeSlice(f.Type(), 0, 0)
		f.SetZero()
		if got, err := l.layer.AppendBinary(nil); (err == nil) != (werr == nil) || !bytes.Equal(got, want) {
			f.Set(empty)
		}
	}
}

// sourceLayers returns copies of the layers of q in depth-first order.
func (p *Packet) sourceLayers(q *Packet) []sourceLayer {
	var ls []sourceLayer
	place := map[uint16]int{noNode: -1}
	for _, i := range slices.Clone(q.depthFirst()) {
		n := &q.nodes()[i]
		var l Layer = &Raw{}
		if o, err := q.layer(int(i)); err == nil {
			l = o.Proto().Clone(o)
		} else if n.flags&nodeBuilt == 0 {
			l = &Raw{Data: q.data[n.off:n.pay()]}
		}
		place[i] = len(ls)
		s := newSourceLayer(l)
		s.node, s.parent = int(i), place[n.parent]
		s.save()
		s.trim()
		ls = append(ls, s)
	}
	return ls
}

// autos calls f for each Auto field of a layer.
func autos(l Layer, f func(name string, v reflect.Value, mode *Mode)) {
	v := layerValue(l)
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		t := v.Type().Field(i)
		if !t.IsExported() {
			continue
		}
		if a, ok := reflect.TypeAssert[autoField](v.Field(i).Addr()); ok {
			value, mode := a.parts()
			f(t.Name, reflect.ValueOf(value).Elem(), mode)
		}
	}
}

// pinWrong sets the modes of the Auto fields of ls so that building them gives
// the bytes of p, and reports whether it does: those that are right are left to
// the library, the others are pinned.
func (p *Packet) pinWrong(ls []sourceLayer) bool {
	good := map[int]map[string]bool{}
	for c := range p.Checks() {
		if c.Status == CheckGood {
			if good[c.Node.i] == nil {
				good[c.Node.i] = map[string]bool{}
			}
			good[c.Node.i][c.Field] = true
		}
	}
	for _, l := range ls {
		l.pin(func(name string, _ any) bool { return !good[l.node][name] })
	}
	if p.gives(ls) {
		return true
	}
	// A number that is right may still not be the one that a program gets: of
	// several that announce the same protocol, or for a payload that is not
	// known. Pin those that come out differently.
	built := stackSource(ls)
	if b, err := built.AppendBinary(nil); err == nil {
		for at, i := range built.depthFirst() {
			n := &built.out[i]
			got := newSourceLayer(ls[at].layer.Proto().New())
			if _, err := got.layer.Decode(b[n.off:n.pay()]); err != nil {
				continue
			}
			got.save()
			ls[at].pin(func(name string, v any) bool { return !good[ls[at].node][name] || got.saved[name] != v })
		}
		if p.gives(ls) {
			return true
		}
	}
	for _, l := range ls {
		l.pin(func(string, any) bool { return true })
	}
	return p.gives(ls)
}

// gives reports whether building ls gives the bytes of p.
func (p *Packet) gives(ls []sourceLayer) bool {
	b, err := stackSource(ls).AppendBinary(nil)
	return err == nil && bytes.Equal(b, p.data)
}

// stackSource builds a packet of ls, all at once.
func stackSource(ls []sourceLayer) *Packet {
	q := new(Packet)
	t := q.unpack()
	for i, l := range ls {
		depth := 0
		if l.parent >= 0 {
			depth = t[l.parent].depth + 1
		}
		t = slices.Insert(t, i, q.place(l.layer, depth))
	}
	q.pack(t)
	return q
}

// apart reports whether layers lie behind the outermost one, where [Packet.Append]
// does not put any: what was around them was removed.
func apart(ls []sourceLayer) bool {
	for i := range ls {
		if i > 0 && ls[i].parent < 0 && ls[i].layer.Proto() != &paddingProtocol {
			return true
		}
	}
	return false
}

// isStack reports whether [Stack] makes the tree of ls.
func isStack(ls []sourceLayer) bool {
	for i, l := range ls {
		want := i - 1
		if l.layer.Proto() == &paddingProtocol {
			want = 0
		} else if i > 0 && ls[i-1].layer.Proto() == &paddingProtocol {
			return false
		}
		if l.parent != want {
			return false
		}
	}
	return true
}

// appendSource appends an expression that builds ls.
func (p *Packet) appendSource(b []byte, ls []sourceLayer) []byte {
	w := source{b: b}
	if isStack(ls) {
		w.str("pkts.Stack(")
		for i, l := range ls {
			if i == 0 {
				w.str("\n")
			}
			w.str("\t")
			w.layer(l.layer)
			w.str(",\n")
		}
		w.str(")")
		return w.b
	}
	w.str("func() *pkts.Packet {\n\tp := new(pkts.Packet)\n")
	for i, l := range ls {
		name := "l" + strconv.Itoa(i)
		w.str("\t" + name + " := ")
		w.layer(l.layer)
		if l.parent < 0 {
			w.str("\n\tp.Append(" + name + ")\n")
		} else {
			w.str("\n\t_ = p.AddChild(l" + strconv.Itoa(l.parent) + ", " + name + ")\n")
		}
	}
	w.str("\treturn p\n}()")
	return w.b
}

// source writes Go expressions.
type source struct{ b []byte }

func (w *source) str(s string) { w.b = append(w.b, s...) }

// layer writes a pointer to a composite literal.
func (w *source) layer(l Layer) {
	v := reflect.ValueOf(l)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		w.str("&")
		v = v.Elem()
	}
	w.value(v, 0)
}

// maxSourceDepth bounds how deep values lie in each other in source.
const maxSourceDepth = 64

// value writes an expression of v's type, or one that can be assigned to it.
func (w *source) value(v reflect.Value, depth int) {
	if depth > maxSourceDepth {
		w.str("nil")
		return
	}
	v = addressable(v)
	t := v.Type()
	switch x := v.Addr().Interface().(type) {
	case autoField:
		value, mode := x.parts()
		inner := reflect.ValueOf(value).Elem()
		w.str("pkts.")
		if *mode == ModeAuto {
			w.str("Auto[" + inner.Type().String() + "]{}")
			return
		}
		w.str("Pin[" + inner.Type().String() + "](")
		w.value(inner, depth+1)
		w.str(")")
		return
	case *netip.Addr:
		if !x.IsValid() {
			w.str("netip.Addr{}")
			return
		}
		w.str("netip.MustParseAddr(" + strconv.Quote(x.String()) + ")")
		return
	case *link.MacAddr:
		w.str("link.MacAddr{")
		for i, c := range x {
			if i > 0 {
				w.str(", ")
			}
			w.b = append(w.b, '0', 'x', hexDigits[c>>4], hexDigits[c&0xf])
		}
		w.str("}")
		return
	case *netip.Prefix:
		if !x.IsValid() {
			w.str("netip.Prefix{}")
			return
		}
		w.str("netip.MustParsePrefix(" + strconv.Quote(x.String()) + ")")
		return
	}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case isUnsigned(k):
		if t.Bits() > 8 && strings.Contains(t.String(), ".") {
			w.b = strconv.AppendUint(append(w.b, "0x"...), v.Uint(), 16)
			return
		}
		w.b = strconv.AppendUint(w.b, v.Uint(), 10)
	case isNumber(k):
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case k == reflect.Float32 || k == reflect.Float64:
		w.b = strconv.AppendFloat(w.b, v.Float(), 'g', -1, 64)
	case k == reflect.String:
		w.b = strconv.AppendQuoteToASCII(w.b, v.String())
	case k == reflect.Slice && v.IsNil(), (k == reflect.Pointer || k == reflect.Interface) && v.IsNil():
		w.str("nil")
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && t.Elem().PkgPath() == "":
		w.str(typeName(t) + "(")
		w.bytes(v.Bytes())
		w.str(")")
	case k == reflect.Slice || k == reflect.Array:
		w.str(typeName(t) + "{")
		for i := range v.Len() {
			if i > 0 {
				w.str(", ")
			}
			w.value(v.Index(i), depth+1)
		}
		w.str("}")
	case k == reflect.Pointer && v.Elem().Kind() == reflect.Struct:
		w.str("&")
		w.value(v.Elem(), depth+1)
	case k == reflect.Interface:
		w.value(v.Elem(), depth+1)
	case k == reflect.Struct:
		w.object(v, depth)
	default:
		w.str("nil")
	}
}

// typeName returns a type as it is written in another package.
func typeName(t reflect.Type) string {
	if s := t.String(); s != "[]uint8" {
		return s
	}
	return "[]byte"
}

// bytes writes a string literal of bytes.
func (w *source) bytes(data []byte) {
	w.str(`"`)
	for _, c := range data {
		switch {
		case c == '"' || c == '\\':
			w.b = append(w.b, '\\', c)
		case c >= ' ' && c <= '~':
			w.b = append(w.b, c)
		default:
			w.b = append(w.b, '\\', 'x', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	w.str(`"`)
}

// object writes a composite literal of a struct, without the fields that have
// their zero value.
func (w *source) object(v reflect.Value, depth int) {
	t := v.Type()
	w.str(t.String() + "{")
	first := true
	for i := range v.NumField() {
		f := v.Field(i)
		if !t.Field(i).IsExported() || isEmpty(f) {
			continue
		}
		if !first {
			w.str(", ")
		}
		first = false
		w.str(t.Field(i).Name + ": ")
		w.value(f, depth+1)
	}
	w.str("}")
}

// isEmpty reports whether a field can be left out.
func isEmpty(v reflect.Value) bool {
	if a, ok := reflect.TypeAssert[autoField](v.Addr()); ok {
		_, mode := a.parts()
		return *mode == ModeAuto
	}
	return v.IsZero()
}
