package pkts

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/gopkts/gopkts/common/link"
)

// AppendJSON appends the packet as a JSON object, on one line without a newline,
// to b and returns the result:
//
//	{"layers":[{"name":"ipv4","offset":14,"len":20,"fields":{"ihl":5,…},"checks":{"ihl":"good",…}},…]}
//
// The layers stand in the order in which they lie in the packet; offset and len
// are those of the header, in bytes from the start of the packet. A layer that
// lies in another one than the layer before it has "parent", the index of that
// one; one whose bytes are cut short has "truncated":true; one whose body cannot
// be decoded has "error" instead of fields.
//
// The keys of the fields are the names of the struct's fields in snake case:
// src_port, ttl, fragment_offset. Numbers are numbers; a number whose type has
// names is followed by its name under the same key with _name ("protocol":6,
// "protocol_name":"TCP"), a set of flags by an array under the key with _names
// ("flags":18,"flags_names":["SYN","ACK"]). Addresses are strings, bytes are
// strings of hexadecimal digits, options arrays of objects with the "offset" of
// each, in bytes. "checks" has what [Packet.Checks] finds of a field: "good",
// "bad", "unknown" or "absent". No key stands twice in an object.
//
// A packet that cannot be encoded is {"error":"…","layers":[]}.
func (p *Packet) AppendJSON(b []byte) []byte {
	q, err := p.shownPacket()
	if err != nil {
		b = appendJSONString(append(b, `{"error":`...), err.Error())
		return append(b, `,"layers":[]}`...)
	}
	b = append(b, `{"layers":`...)
	b = p.appendLayers(b, q)
	return append(b, '}')
}

// AppendJSONLayers is [Packet.AppendJSON] without the object around the array
// of layers, for a program that writes an object of its own. The array of a
// packet that cannot be encoded is empty.
func (p *Packet) AppendJSONLayers(b []byte) []byte {
	q, err := p.shownPacket()
	if err != nil {
		return append(b, "[]"...)
	}
	return p.appendLayers(b, q)
}

// MarshalJSON returns what [Packet.AppendJSON] appends, or the error of a packet
// that cannot be encoded.
func (p *Packet) MarshalJSON() ([]byte, error) {
	if _, err := p.shownPacket(); err != nil {
		return nil, fmt.Errorf("pkts: print as JSON: %w", err)
	}
	return p.AppendJSON(nil), nil
}

// appendLayers appends the layers of q, which is p as it is encoded.
func (p *Packet) appendLayers(b []byte, q *Packet) []byte {
	pr := p.printer()
	pr.checks = pr.checks[:0]
	for c := range q.Checks() {
		pr.checks = append(pr.checks, c)
	}
	order := q.depthFirst()
	pr.places = append(pr.places[:0], make([]uint16, len(order))...)
	b = append(b, '[')
	before := uint16(noNode)
	for at, i := range order {
		if at > 0 {
			b = append(b, ',')
		}
		pr.places[i] = uint16(at)
		b = p.appendLayer(b, q, int(i), before)
		before = i
	}
	return append(b, ']')
}

func (p *Packet) appendLayer(b []byte, q *Packet, i int, before uint16) []byte {
	pr := p.printer()
	n := &q.nodes()[i]
	pl := pr.plan(q.protocol(i))
	b = append(append(append(b, `{"name":"`...), pl.key...), `","offset":`...)
	b = strconv.AppendUint(b, uint64(n.off), 10)
	b = append(b, `,"len":`...)
	b = strconv.AppendUint(b, uint64(n.pay()-n.off), 10)
	if n.parent != before && n.parent != noNode {
		b = append(b, `,"parent":`...)
		b = strconv.AppendUint(b, uint64(pr.places[n.parent]), 10)
	}
	if n.flags&nodeTruncated != 0 {
		b = append(b, `,"truncated":true`...)
	}
	l, err := q.layer(i)
	if err != nil {
		b = appendJSONString(append(b, `,"error":`...), err.Error())
		return append(b, '}')
	}
	b = append(b, `,"fields":`...)
	b = pl.shape.appendObject(b, layerValue(l), -1, 0)
	b = appendChecks(b, pl, pr.checks, i)
	return append(b, '}')
}

// appendChecks appends what was found of the fields of node i.
func appendChecks(b []byte, pl *plan, checks []Check, i int) []byte {
	start := `,"checks":{"`
	done := false
	for _, c := range checksOf(checks, i) {
		b = append(b, start...)
		b = append(b, pl.fieldKey(c.Field)...)
		b = append(append(append(b, `":"`...), c.Status.String()...), '"')
		start, done = `,"`, true
	}
	if done {
		b = append(b, '}')
	}
	return b
}

// fieldKey returns the key of the struct field with the given name.
func (pl *plan) fieldKey(name string) string {
	for i := range pl.shape.fields {
		if f := &pl.shape.fields[i]; f.name == name {
			return f.key
		}
	}
	return snakeCase(name)
}

// appendObject appends an object; off, unless negative, is its place in the
// bytes that it is a part of.
func (s *shape) appendObject(b []byte, v reflect.Value, off, depth int) []byte {
	b = append(b, '{')
	comma := false
	key := func(k, suffix string) {
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = append(append(append(append(b, '"'), k...), suffix...), `":`...)
	}
	if off >= 0 && s.field("offset") == nil {
		key("offset", "")
		b = strconv.AppendInt(b, int64(off), 10)
	}
	if s.kind != shapeObject {
		key("value", "")
		b = s.appendJSON(b, v, depth+1)
		return append(b, '}')
	}
	for i := range s.fields {
		f := &s.fields[i]
		fs, fv, _ := f.shape.unwrap(f.of(v))
		key(f.key, "")
		b = fs.appendJSON(b, fv, depth+1)
		if fs.kind == shapeUint || fs.kind == shapeInt {
			if fs.named {
				key(f.key, fs.suffix())
				b = fs.appendJSONName(b, fv)
			}
		}
	}
	if s.named && s.field("text") == nil {
		key("text", "")
		if o, ok := reflect.TypeAssert[*TCPOption](v.Addr()); ok {
			b = append(o.appendTo(append(b, '"')), '"')
		} else {
			b = appendJSONString(b, v.Addr().Interface().(fmt.Stringer).String())
		}
	}
	return append(b, '}')
}

// appendJSONName appends the name of a number, or those of flags.
func (s *shape) appendJSONName(b []byte, v reflect.Value) []byte {
	if !s.flags {
		return appendJSONString(b, s.name(v))
	}
	b = append(b, '[')
	comma := false
	for name := range flagNames(s.name(v)) {
		if comma {
			b = append(b, ',')
		}
		comma = true
		b = appendJSONString(b, name)
	}
	return append(b, ']')
}

// appendJSON appends one value.
func (s *shape) appendJSON(b []byte, v reflect.Value, depth int) []byte {
	s, v, _ = s.unwrap(v)
	if s, v = s.deref(v, depth); s == nil || depth > maxPrintDepth {
		return append(b, "null"...)
	}
	switch s.kind {
	case shapeBool:
		return strconv.AppendBool(b, v.Bool())
	case shapeInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case shapeUint:
		return strconv.AppendUint(b, v.Uint(), 10)
	case shapeFloat:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
		return append(b, "null"...)
	case shapeString:
		return appendJSONString(b, v.String())
	case shapeText:
		switch v.Addr().Interface().(type) {
		case *netip.Addr, *netip.Prefix, *link.MacAddr: // nothing in them is to be escaped
			return append(s.appendText(append(b, '"'), v), '"')
		}
		return appendJSONString(b, string(s.appendText(nil, v)))
	case shapeBytes:
		b = append(b, '"')
		b = hex.AppendEncode(b, bytesOf(v))
		return append(b, '"')
	case shapeList, shapeSeq:
		return s.appendJSONList(b, v, depth)
	case shapeObject:
		return s.appendObject(b, v, -1, depth+1)
	default:
		return append(b, "null"...)
	}
}

// appendJSONList appends a list or sequence. It is apart because what a function
// literal uses is allocated.
func (s *shape) appendJSONList(b []byte, v reflect.Value, depth int) []byte {
	b = append(b, '[')
	n := 0
	s.each(v, func(off int, e reflect.Value) bool {
		if n > 0 {
			b = append(b, ',')
		}
		n++
		if off >= 0 {
			b = s.elem.appendObject(b, e, off, depth+1)
		} else {
			b = s.elem.appendJSON(b, e, depth+1)
		}
		return true
	})
	return append(b, ']')
}

// appendJSONString appends s as a JSON string; bytes that are no UTF-8 become
// U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
