package pkts

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// ErrNoField says that a field path names a layer or a field that there is not.
var ErrNoField = errors.New("no such field")

// FieldPath names a field of the layers of one protocol by the keys that
// [Packet.AppendJSON] uses. It is made by [Registry.ParseField] and may be used
// by several goroutines.
type FieldPath struct {
	path  string
	proto *Protocol
	nth   int // which of the layers, -1 for all
	steps []string
}

// ParseField returns the field that path names: the layer's name and the
// field's key, such as "tcp.src_port" or "ipv4.protocol_name". An index picks
// one of several layers of that name, counted from 0 as [Nth] does:
// "ipv4[1].src". Further keys lead into options and other parts:
// "tcp.options.kind".
//
// The error wraps [ErrNoField] and says which name comes closest.
func (r *Registry) ParseField(path string) (*FieldPath, error) {
	steps := strings.Split(path, ".")
	f := &FieldPath{path: path, nth: -1, steps: steps[1:]}
	layer := steps[0]
	if name, index, ok := strings.Cut(layer, "["); ok {
		n, err := strconv.ParseUint(strings.TrimSuffix(index, "]"), 10, 16)
		if err != nil || !strings.HasSuffix(index, "]") {
			return nil, noField(path, "the index is not a number in brackets: write "+name+"[1]", "", nil)
		}
		layer, f.nth = name, int(n)
	}
	var keys []string
	for p := range r.Protocols() {
		if p == nil {
			continue
		}
		key := layerKey(p.Name)
		if key == layer {
			f.proto = p
		}
		keys = append(keys, key)
	}
	if f.proto == nil {
		return nil, noField(path, "no layer is called "+strconv.Quote(layer), layer, keys)
	}
	if len(f.steps) == 0 {
		keys := newPlan(f.proto).shape.keys()
		if len(keys) == 0 {
			return nil, noField(path, "it names a layer without fields", "", nil)
		}
		return nil, noField(path, "it names a layer: add a field, such as "+layer+"."+keys[0], "", nil)
	}
	return f, f.check(newPlan(f.proto).shape)
}

// noField returns the error of a path.
func noField(path, reason, name string, candidates []string) error {
	if c := suggested(name, candidates); c != "" {
		reason += ": did you mean " + c + "?"
	}
	return fmt.Errorf("pkts: field %q: %w: %s", path, ErrNoField, reason)
}

// maxEdits is how far from a name a suggestion may be, in letters.
const maxEdits = 3

// suggested returns the candidate that name was probably meant to be, "" when
// none is like it. Of those with the same first letter, what counts is the way
// to the whole candidate or to its beginning, for "sorc" is src_port and "flag"
// is flags; a name that goes on behind a candidate, as "ack_number" does, comes
// close too.
func suggested(name string, candidates []string) string {
	best, at, whole := "", maxEdits+1, 0
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if name == "" || c == "" || name[0] != c[0] {
			continue
		}
		full := distance(name, c)
		d := full
		for n := max(1, len(name)-maxEdits); n < len(c) && n <= len(name)+maxEdits; n++ {
			d = min(d, distance(name, c[:n]))
		}
		if len(c) > maxEdits-1 && strings.HasPrefix(name, c) {
			d = min(d, maxEdits-1)
		}
		// Of a short name, hardly a letter would be left.
		if 2*d > len(name)+1 {
			continue
		}
		if d < at || d == at && full < whole {
			best, at, whole = c, d, full
		}
	}
	if best == "" {
		return closest(name, candidates)
	}
	return best
}

// keys returns the keys that appendObject writes.
func (s *shape) keys() []string {
	var keys []string
	for i := range s.fields {
		f := &s.fields[i]
		keys = append(keys, f.key)
		if sc := f.shape.scalar(); sc.named && sc.kind != shapeObject {
			keys = append(keys, f.key+sc.suffix())
		}
	}
	if s.kind == shapeObject && s.named && s.field("text") == nil {
		keys = append(keys, "text")
	}
	return keys
}

// check walks the steps through the types. What an interface holds is not
// known before there is a packet.
func (f *FieldPath) check(s *shape) error {
	at := f.path[:len(f.path)-len(strings.Join(f.steps, "."))-1]
	for _, key := range f.steps {
		inSeq := false
		for s != nil && (s.kind == shapeAuto || s.kind == shapeList || s.kind == shapeSeq || s.kind == shapeRef) {
			inSeq = s.kind == shapeSeq && s.keyed
			s = s.elem
		}
		if s == nil {
			return nil
		}
		keys := s.keys()
		if inSeq {
			keys = append(keys, "offset")
		}
		if !slices.Contains(keys, key) {
			return noField(f.path, at+" has no "+strconv.Quote(key), key, keys)
		}
		sub := s.field(key)
		if sub == nil {
			s = &shape{}
		} else {
			s = sub.shape
		}
		at += "." + key
	}
	return nil
}

// String returns the path.
func (f *FieldPath) String() string { return f.path }

// AppendValues appends the field's values in p, in the order of the layers and
// separated by sep, to b, and returns the result and how many there are.
// Numbers are decimal, bytes hexadecimal, and flags' names joined by "+"; an
// object is written as JSON. The values are those that are encoded.
func (f *FieldPath) AppendValues(b []byte, p *Packet, sep string) ([]byte, int) {
	if p.index(f.proto, 0) < 0 {
		return b, 0
	}
	q, err := p.shownPacket()
	if err != nil {
		return b, 0
	}
	w := fieldWriter{b: b, sep: sep}
	s := p.printer().plan(f.proto).shape
	nth := 0
	for _, i := range q.depthFirst() {
		if q.protocol(int(i)) != f.proto {
			continue
		}
		if f.nth < 0 {
			if l, err := q.layer(int(i)); err == nil {
				w.step(s, layerValue(l), -1, f.steps, 0)
			}
		}
		nth++
	}
	if f.nth >= 0 {
		if l := q.find(f.proto, f.nth); l != nil {
			w.step(s, layerValue(l), -1, f.steps, 0)
		}
	}
	return w.b, w.n
}

// fieldWriter writes the values that a path leads to.
type fieldWriter struct {
	b   []byte
	sep string
	n   int
}

// begin is called before each value.
func (w *fieldWriter) begin() {
	if w.n > 0 {
		w.b = append(w.b, w.sep...)
	}
	w.n++
}

// step follows the path into v.
func (w *fieldWriter) step(s *shape, v reflect.Value, off int, steps []string, depth int) {
	s, v, _ = s.unwrap(v)
	if s, v = s.deref(v, depth); s == nil || depth > maxPrintDepth {
		return
	}
	if s.kind == shapeList || s.kind == shapeSeq {
		w.each(s, v, steps, depth)
		return
	}
	if len(steps) == 0 {
		w.value(s, v, depth)
		return
	}
	key, steps := steps[0], steps[1:]
	if f := s.field(key); f != nil {
		w.step(f.shape, f.of(v), -1, steps, depth+1)
		return
	}
	switch {
	case key == "offset" && off >= 0:
		w.begin()
		w.b = strconv.AppendInt(w.b, int64(off), 10)
	case key == "text" && s.kind == shapeObject && s.named:
		w.begin()
		w.b = appendStringer(w.b, v)
	default:
		w.name(s, v, key)
	}
}

// each follows the path into the elements of a list.
func (w *fieldWriter) each(s *shape, v reflect.Value, steps []string, depth int) {
	s.each(v, func(off int, e reflect.Value) bool {
		w.step(s.elem, e, off, steps, depth+1)
		return true
	})
}

// name writes the name that goes with a number.
func (w *fieldWriter) name(s *shape, v reflect.Value, key string) {
	for i := range s.fields {
		f := &s.fields[i]
		fs := f.shape.scalar()
		if !fs.named || fs.kind == shapeObject || f.key+fs.suffix() != key {
			continue
		}
		fs, fv, _ := f.shape.unwrap(f.of(v))
		w.begin()
		w.b = append(w.b, fs.name(fv)...)
	}
}

// value writes one value.
func (w *fieldWriter) value(s *shape, v reflect.Value, depth int) {
	w.begin()
	switch s.kind {
	case shapeBytes:
		w.b = hex.AppendEncode(w.b, bytesOf(v))
	case shapeString, shapeText:
		w.b = s.appendText(w.b, v)
	case shapeObject:
		if s.named {
			w.b = appendStringer(w.b, v)
			return
		}
		w.b = s.appendObject(w.b, v, -1, depth)
	default:
		w.b = s.appendJSON(w.b, v, depth)
	}
}

// FieldPaths returns every path that [Registry.ParseField] takes for the fields
// of the protocols in r themselves, in the order of the protocols: what a
// program lists or completes. What lies in options and other parts is left out.
func (r *Registry) FieldPaths() []string {
	var paths []string
	for p := range r.Protocols() {
		if p == nil {
			continue
		}
		pl := newPlan(p)
		for _, key := range pl.shape.keys() {
			paths = append(paths, pl.key+"."+key)
		}
	}
	return paths
}
