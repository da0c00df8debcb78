package pkts

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gopkts/gopkts/common/link"
)

// plan is how the layers of a protocol are printed.
type plan struct {
	key   string // in JSON and field paths
	shape *shape // of the struct
}

// plan returns the plan of a protocol, made the first time.
func (pr *printer) plan(p *Protocol) *plan {
	if pl := pr.plans[p]; pl != nil {
		return pl
	}
	pl := newPlan(p)
	if pr.plans == nil {
		pr.plans = map[*Protocol]*plan{}
	}
	pr.plans[p] = pl
	return pl
}

func newPlan(p *Protocol) *plan {
	t := reflect.TypeOf(p.New())
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pl := &plan{key: layerKey(p.Name), shape: newShape(map[reflect.Type]*shape{}, t)}
	if pl.shape.kind != shapeObject {
		// A layer that is not a struct prints as one with a single field.
		inner := pl.shape
		pl.shape = &shape{kind: shapeObject, fields: []fieldShape{{name: "Value", key: "value", index: -1, shape: inner}}}
	}
	return pl
}

// layerKey returns a protocol's name as a key: in lower case, with _ for what
// is neither a letter nor a digit.
func layerKey(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, name)
}

// snakeCase returns a Go name as a key: SrcPort is src_port, IHL ihl, MTUSize
// mtu_size, IPv4Addr ipv4_addr.
func snakeCase(name string) string {
	var b strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 {
			prev := rs[i-1]
			nextLower := i+1 < len(rs) && unicode.IsLower(rs[i+1])
			// The v of IPv4 belongs to what is before it.
			version := i+2 < len(rs) && rs[i+1] == 'v' && unicode.IsDigit(rs[i+2])
			plural := i+2 == len(rs) && rs[i+1] == 's' // as in IPs
			switch {
			case unicode.IsLower(prev) || unicode.IsDigit(prev):
				b.WriteByte('_')
			case unicode.IsUpper(prev) && nextLower && !version && !plural:
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// shapeKind says what a value is to the printers.
type shapeKind uint8

const (
	shapeNone   shapeKind = iota // nothing that is printed
	shapeBool                    // true or false
	shapeInt                     // a signed number
	shapeUint                    // an unsigned number, perhaps with a name
	shapeFloat                   // a number with a fraction
	shapeString                  // text
	shapeText                    // a type that makes a text of itself: an address
	shapeBytes                   // bytes
	shapeList                    // a slice or array
	shapeSeq                     // bytes that are a list: options
	shapeObject                  // a struct
	shapeRef                     // a pointer or an interface
	shapeAuto                    // an Auto
)

// shape is how the values of a type are printed. Reflection decides it once.
type shape struct {
	kind  shapeKind
	typ   reflect.Type
	named bool              // has String
	flags bool              // is a set of flags, whose String joins names by +
	names map[uint64]string // results of String
	elem  *shape            // of a list, sequence, Auto or pointer; nil in an interface
	keyed bool              // a sequence yields offsets with the values

	fields []fieldShape // of an object
}

// fieldShape is one field of an object.
type fieldShape struct {
	name, key string
	index     int // in the struct, -1 for the value itself
	hex       bool
	shape     *shape
}

// maxNames bounds how many results of String are kept for a type.
const maxNames = 1024

// maxPrintDepth bounds how deep values lie in each other when they are printed.
const maxPrintDepth = 12

// autoField is what every *Auto implements.
type autoField interface {
	parts() (value any, mode *Mode)
}

// parts returns pointers to the value and to the mode.
func (a *Auto[T]) parts() (value any, mode *Mode) { return &a.value, &a.mode }

// newShape returns the shape of t. seen holds the ones in the making.
func newShape(seen map[reflect.Type]*shape, t reflect.Type) *shape {
	if s := seen[t]; s != nil {
		return s
	}
	s := &shape{typ: t}
	seen[t] = s
	ptr := reflect.PointerTo(t)
	switch {
	case ptr.Implements(reflect.TypeFor[autoField]()):
		s.kind = shapeAuto
		v, _ := reflect.New(t).Interface().(autoField).parts()
		s.elem = newShape(seen, reflect.TypeOf(v).Elem())
		return s
	case t == reflect.TypeFor[link.MacAddr]():
		s.kind = shapeText
		return s
	case t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && isText(ptr) && !isNumber(t.Kind()):
		s.kind = shapeText
		return s
	}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		s.kind = shapeBool
	case isUnsigned(k):
		s.kind = shapeUint
		s.named = ptr.Implements(reflect.TypeFor[fmt.Stringer]())
		if m, ok := t.MethodByName("Has"); ok && s.named {
			s.flags = m.Type.NumIn() == 2 && m.Type.In(1) == t
		}
	case isNumber(k):
		s.kind = shapeInt
		s.named = ptr.Implements(reflect.TypeFor[fmt.Stringer]())
	case k == reflect.Float32 || k == reflect.Float64:
		s.kind = shapeFloat
	case k == reflect.String:
		s.kind = shapeString
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		s.kind = shapeBytes
		if m, ok := t.MethodByName("All"); ok {
			s.sequence(seen, m.Type)
		}
	case k == reflect.Array && t.Elem().Kind() == reflect.Uint8:
		s.kind = shapeBytes
	case k == reflect.Slice || k == reflect.Array:
		s.kind = shapeList
		s.elem = newShape(seen, t.Elem())
	case k == reflect.Struct:
		s.kind = shapeObject
		s.object(seen)
	case k == reflect.Pointer:
		s.kind = shapeRef
		s.elem = newShape(seen, t.Elem())
	case k == reflect.Interface:
		s.kind = shapeRef
	}
	return s
}

// isText reports whether a type makes a text of itself.
func isText(ptr reflect.Type) bool {
	return ptr.Implements(reflect.TypeFor[encoding.TextAppender]()) || ptr.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func isUnsigned(k reflect.Kind) bool { return reflect.Uint <= k && k <= reflect.Uintptr }

func isNumber(k reflect.Kind) bool { return reflect.Int <= k && k <= reflect.Uintptr }

// sequence makes s the shape of bytes whose method All, of type m, yields what
// they are made of: values, or offsets and values.
func (s *shape) sequence(seen map[reflect.Type]*shape, m reflect.Type) {
	if m.NumIn() != 1 || m.NumOut() != 1 {
		return
	}
	switch it := m.Out(0); {
	case it.CanSeq2():
		yield := it.In(0)
		if yield.In(0).Kind() != reflect.Int {
			return
		}
		s.keyed = true
		s.elem = newShape(seen, yield.In(1))
	case it.CanSeq() && it.Kind() == reflect.Func:
		s.elem = newShape(seen, it.In(0).In(0))
	default:
		return
	}
	s.kind = shapeSeq
}

// object fills in the fields of a struct. Keys are unique, the names that go
// with numbers included.
func (s *shape) object(seen map[reflect.Type]*shape) {
	s.named = reflect.PointerTo(s.typ).Implements(reflect.TypeFor[fmt.Stringer]())
	used := map[string]bool{}
	for i := range s.typ.NumField() {
		f := s.typ.Field(i)
		if !f.IsExported() {
			continue
		}
		sh := newShape(seen, f.Type)
		if sh.kind == shapeNone {
			continue
		}
		key := snakeCase(f.Name)
		for used[key] || used[key+"_name"] && sh.scalar().named {
			key += "_"
		}
		used[key] = true
		if sc := sh.scalar(); sc.named {
			used[key+sc.suffix()] = true
		}
		s.fields = append(s.fields, fieldShape{name: f.Name, key: key, index: i, hex: isHexField(f.Name), shape: sh})
	}
}

// isHexField reports whether a number of that name is usually written in
// hexadecimal.
func isHexField(name string) bool {
	for _, s := range []string{"Checksum", "FlowLabel", "SPI", "Cookie", "Nonce", "Token"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

// scalar returns the shape of what an Auto holds, or s itself.
func (s *shape) scalar() *shape {
	if s.kind == shapeAuto {
		return s.elem
	}
	return s
}

// suffix returns what is appended to the key of a number for the name of its
// value.
func (s *shape) suffix() string {
	if s.flags {
		return "_names"
	}
	return "_name"
}

// field returns the field with the given key.
func (s *shape) field(key string) *fieldShape {
	for i := range s.fields {
		if s.fields[i].key == key {
			return &s.fields[i]
		}
	}
	return nil
}

// of returns the field's value in a struct.
func (f *fieldShape) of(v reflect.Value) reflect.Value {
	if f.index < 0 {
		return v
	}
	return v.Field(f.index)
}

// layerValue returns the struct that l points to.
func layerValue(l Layer) reflect.Value {
	v := reflect.ValueOf(l)
	if v.Kind() == reflect.Pointer {
		return v.Elem()
	}
	return addressable(v)
}

// addressable returns v, or a copy of it of which a pointer can be taken.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// unwrap returns the value in an Auto, and v itself for other shapes.
func (s *shape) unwrap(v reflect.Value) (*shape, reflect.Value, Mode) {
	if s.kind != shapeAuto {
		return s, v, ModeSeen
	}
	p, mode := v.Addr().Interface().(autoField).parts()
	return s.elem, reflect.ValueOf(p).Elem(), *mode
}

// deref follows pointers and interfaces; it returns a nil shape for nil.
func (s *shape) deref(v reflect.Value, depth int) (*shape, reflect.Value) {
	for s.kind == shapeRef {
		if v.IsNil() || depth > maxPrintDepth {
			return nil, v
		}
		depth++
		v = v.Elem()
		if s.elem == nil {
			s = newShape(map[reflect.Type]*shape{}, v.Type())
			v = addressable(v)
		} else {
			s = s.elem
		}
	}
	return s, v
}

// name returns what String says of a number.
func (s *shape) name(v reflect.Value) string {
	var n uint64
	if s.kind == shapeUint {
		n = v.Uint()
	} else {
		n = uint64(v.Int())
	}
	if name, ok := s.names[n]; ok {
		return name
	}
	name := v.Addr().Interface().(fmt.Stringer).String()
	if s.names == nil {
		s.names = map[uint64]string{}
	}
	if len(s.names) < maxNames {
		s.names[n] = name
	}
	return name
}

// flagNames yields the names in what the String of a set of flags says.
func flagNames(s string) iter.Seq[string] {
	if s == "none" || s == "0" {
		s = ""
	}
	return strings.FieldsFuncSeq(s, func(r rune) bool { return r == '+' || r == '|' || r == ',' })
}

// appendText appends what a shapeText or shapeString value says.
func (s *shape) appendText(b []byte, v reflect.Value) []byte {
	switch {
	case s.kind == shapeString:
		return append(b, v.String()...)
	case s.kind == shapeText:
		switch x := v.Addr().Interface().(type) {
		case *link.MacAddr:
			return appendMAC(b, x[:])
		case encoding.TextAppender:
			if t, err := x.AppendText(b); err == nil {
				return t
			}
		case encoding.TextMarshaler:
			if t, err := x.MarshalText(); err == nil {
				return append(b, t...)
			}
		}
	}
	return b
}

// bytesOf returns the bytes of a slice or array.
func bytesOf(v reflect.Value) []byte { return v.Bytes() }

// each calls f for each element of a list or sequence, with its offset, -1 where
// there is none, until f returns false.
func (s *shape) each(v reflect.Value, f func(off int, e reflect.Value) bool) {
	if v.Len() == 0 {
		return
	}
	if s.kind == shapeList {
		for i := range v.Len() {
			if !f(-1, v.Index(i)) {
				return
			}
		}
		return
	}
	if o, ok := reflect.TypeAssert[*TCPOptions](v.Addr()); ok {
		// What nearly every packet has goes without reflection.
		var opt TCPOption
		e := reflect.ValueOf(&opt).Elem()
		for off, o := range o.All() {
			if opt = o; !f(off, e) {
				return
			}
		}
		return
	}
	it := v.MethodByName("All").Call(nil)[0]
	if s.keyed {
		for off, e := range it.Seq2() {
			if !f(int(off.Int()), addressable(e)) {
				return
			}
		}
		return
	}
	for e := range it.Seq() {
		if !f(-1, addressable(e)) {
			return
		}
	}
}

// appendScalar appends a value on one line, as people read it. hexa says that
// a plain number is to be hexadecimal.
func (s *shape) appendScalar(b []byte, v reflect.Value, hexa bool, depth int) []byte {
	s, v, _ = s.unwrap(v)
	if s, v = s.deref(v, depth); s == nil {
		return append(b, "none"...)
	}
	if depth > maxPrintDepth {
		return append(b, "..."...)
	}
	switch s.kind {
	case shapeBool:
		return strconv.AppendBool(b, v.Bool())
	case shapeInt, shapeUint:
		return s.appendNumber(b, v, hexa)
	case shapeFloat:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	case shapeString:
		return strconv.AppendQuote(b, v.String())
	case shapeText:
		return s.appendText(b, v)
	case shapeBytes:
		return appendHexLimited(b, bytesOf(v))
	case shapeList, shapeSeq:
		return s.appendList(b, v, depth)
	case shapeObject:
		if s.named {
			return appendStringer(b, v)
		}
		for i := range s.fields {
			f := &s.fields[i]
			if f.shape.kind == shapeBytes && len(bytesOf(f.of(v))) == 0 {
				continue
			}
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(append(b, f.key...), '=')
			b = f.shape.appendScalar(b, f.of(v), f.hex, depth+1)
		}
	default: // shapeNone has no text; Autos and references were followed
	}
	return b
}

// appendList appends a list or sequence on one line.
func (s *shape) appendList(b []byte, v reflect.Value, depth int) []byte {
	b = append(b, '[')
	n := 0
	s.each(v, func(_ int, e reflect.Value) bool {
		if n > 0 {
			b = append(b, ", "...)
		}
		n++
		b = s.elem.appendScalar(b, e, false, depth+1)
		return true
	})
	return append(b, ']')
}

// appendStringer appends what a value's String says, without line breaks.
func appendStringer(b []byte, v reflect.Value) []byte {
	switch x := v.Addr().Interface().(type) {
	case *TCPOption:
		return x.appendTo(b)
	case fmt.Stringer:
		return append(b, oneLine(x.String())...)
	default:
		return b
	}
}

// oneLine returns s without line breaks.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}

// appendNumber appends a number, with its name if it has one.
func (s *shape) appendNumber(b []byte, v reflect.Value, hexa bool) []byte {
	if s.named {
		name := s.name(v)
		b = append(b, name...)
		if strings.HasPrefix(name, "0x") || name != "" && strings.Trim(name, "0123456789") == "" {
			return b
		}
		b = append(b, " ("...)
		b = s.appendDigits(b, v, hexa || s.flags || s.typ.Bits() == 16)
		return append(b, ')')
	}
	return s.appendDigits(b, v, hexa)
}

// appendDigits appends a number by itself.
func (s *shape) appendDigits(b []byte, v reflect.Value, hexa bool) []byte {
	switch {
	case s.kind == shapeInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case !hexa:
		return strconv.AppendUint(b, v.Uint(), 10)
	}
	b = append(b, "0x"...)
	digits := s.typ.Bits() / 4
	if s.typ.Bits() > 16 {
		digits = 1
	}
	n := v.Uint()
	for range digits - len(strconv.FormatUint(n, 16)) {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, n, 16)
}

// maxInlineBytes is how many bytes are printed within a line.
const maxInlineBytes = 32

// appendHexLimited appends bytes in hexadecimal, and how many were left out.
func appendHexLimited(b, data []byte) []byte {
	show := data[:min(len(data), maxInlineBytes)]
	b = hex.AppendEncode(b, show)
	if len(show) < len(data) {
		b = append(b, "... ("...)
		b = strconv.AppendInt(b, int64(len(data)), 10)
		b = append(b, " bytes)"...)
	}
	return b
}

// appendFields appends a layer's name and fields in one line.
func (p *Packet) appendFields(b []byte, i int, l Layer) []byte {
	pr := p.printer()
	proto := p.protocol(i)
	pl := pr.plan(proto)
	b = append(b, proto.Name...)
	v := layerValue(l)
	for j := range pl.shape.fields {
		f := &pl.shape.fields[j]
		if f.shape.kind == shapeBytes && len(bytesOf(f.of(v))) == 0 {
			continue
		}
		b = append(b, ' ')
		b = append(append(b, f.key...), '=')
		b = f.shape.appendScalar(b, f.of(v), f.hex, 0)
	}
	return b
}

// closest returns the candidate that is most like s, "" when none is.
func closest(s string, candidates []string) string {
	best, at := "", max(2, len(s)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(s, c); d < at {
			best, at = c, d
		}
	}
	return best
}

// distance returns how many letters must be put in, taken out, changed or
// swapped with the next one to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
