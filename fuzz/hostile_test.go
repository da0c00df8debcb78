package fuzz

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// script is the bytes that decide what is done to a packet.
type script struct{ b []byte }

// byte returns the next byte, 0 at the end.
func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

// below returns a number below n, 0 when there is none.
func (s *script) below(n int) int {
	if n <= 0 {
		return 0
	}
	if n <= 256 {
		return int(s.byte()) % n
	}
	return int(uint(s.byte())<<8|uint(s.byte())) % n
}

// bytes returns up to n bytes, of its own.
func (s *script) bytes(n int) []byte {
	n = min(n, len(s.b))
	b := bytes.Clone(s.b[:n])
	s.b = s.b[n:]
	return b
}

// hostileLinks are the link types that package pkts knows, and one that it does
// not.
var hostileLinks = [...]link.Type{
	link.TypeEthernet, link.TypeRaw, link.TypeIPv4, link.TypeIPv6, link.TypeNull,
	link.TypeLoop, link.TypeLinuxSLL, link.TypeLinuxSLL2, link.Type(147),
}

// setRandom sets a value of any type that is a field of a layer. Auto fields
// are left alone; pinRandom is for them.
func setRandom(v reflect.Value, s *script, depth int) {
	if !v.CanSet() || depth > 4 {
		return
	}
	switch v.Type() {
	case reflect.TypeFor[netip.Addr]():
		switch s.below(4) {
		case 0:
			v.SetZero()
		case 1:
			var a [16]byte
			copy(a[:], s.bytes(16))
			v.Set(reflect.ValueOf(netip.AddrFrom16(a)))
		default:
			var a [4]byte
			copy(a[:], s.bytes(4))
			v.Set(reflect.ValueOf(netip.AddrFrom4(a)))
		}
		return
	}
	switch k := v.Kind(); k {
	case reflect.Bool:
		v.SetBool(s.byte()&1 != 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var b [8]byte
		copy(b[:v.Type().Size()], s.bytes(int(v.Type().Size())))
		v.SetUint(binary.LittleEndian.Uint64(b[:]))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(s.byte())))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(s.bytes(s.below(64)))
		}
	case reflect.Array:
		for i := range v.Len() {
			setRandom(v.Index(i), s, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			setRandom(v.Field(i), s, depth+1)
		}
	}
}

// isAuto reports whether a field is a pkts.Auto.
func isAuto(t reflect.Type) bool { return strings.HasPrefix(t.Name(), "Auto[") }

// pinRandom pins one of the Auto fields of l that the library offers by type.
func pinRandom(v reflect.Value, s *script) {
	switch f := v.Addr().Interface().(type) {
	case *pkts.Auto[uint8]:
		*f = pkts.Pin(s.byte())
	case *pkts.Auto[uint16]:
		*f = pkts.Pin(uint16(s.byte())<<8 | uint16(s.byte()))
	case *pkts.Auto[bool]:
		*f = pkts.Pin(s.byte()&1 != 0)
	case *pkts.Auto[pkts.ICMPv6Type]:
		*f = pkts.Pin(pkts.ICMPv6Type(s.byte()))
	case *pkts.Auto[pkts.ARPHardware]:
		*f = pkts.Pin(pkts.ARPHardware(s.byte()))
	case *pkts.Auto[pkts.LLCSAP]:
		*f = pkts.Pin(pkts.LLCSAP(s.byte()))
	case *pkts.Auto[pkts.LLCControl]:
		*f = pkts.Pin(pkts.LLCControl(uint16(s.byte())<<8 | uint16(s.byte())))
	case *pkts.Auto[pkts.LoopbackFamily]:
		*f = pkts.Pin(pkts.LoopbackFamily(uint32(s.byte())<<24 | uint32(s.byte())))
	case *pkts.Auto[pkts.IPProto]:
		*f = pkts.Pin(pkts.IPProto(s.byte()))
	case *pkts.Auto[pkts.EtherType]:
		*f = pkts.Pin(pkts.EtherType(uint16(s.byte())<<8 | uint16(s.byte())))
	}
}

// hostile is a packet under attack.
type hostile struct {
	t       *testing.T
	p       *pkts.Packet
	protos  []*pkts.Protocol
	viewed  bool // bytes were changed in place
	changed bool // layers were changed or moved
	pinned  bool // a field of a built layer does not hold what is computed
}

// node returns one of the packet's nodes.
func (h *hostile) node(s *script) (pkts.Node, bool) {
	nodes := slices.Collect(h.p.Nodes())
	if len(nodes) == 0 {
		return pkts.Node{}, false
	}
	return nodes[s.below(len(nodes))], true
}

// layer returns one of the packet's layers.
func (h *hostile) layer(s *script) pkts.Layer {
	n, ok := h.node(s)
	if !ok {
		return &pkts.Raw{}
	}
	l, err := n.Layer()
	if err != nil {
		return &pkts.Raw{} // not in the packet: an error follows
	}
	return l
}

// fresh returns a layer of some protocol: empty, decoded or with any fields.
func (h *hostile) fresh(s *script) pkts.Layer {
	proto := h.protos[s.below(len(h.protos))]
	l := proto.New()
	switch s.below(4) {
	case 0:
		b := s.bytes(s.below(80))
		if _, err := l.Decode(b); err != nil {
			return proto.New()
		}
		h.pinned = true // what was seen stays, if it was not right
	case 1:
		h.fields(l, s, false)
	case 2:
		h.fields(l, s, true)
	}
	return l
}

// fields sets all fields of a layer.
func (h *hostile) fields(l pkts.Layer, s *script, pin bool) {
	v := reflect.ValueOf(l).Elem()
	for _, f := range v.Fields() {
		switch {
		case !isAuto(f.Type()):
			setRandom(f, s, 0)
		case pin && s.byte()&1 != 0:
			pinRandom(f, s)
			h.pinned = true
		}
	}
}

// field sets one field of a layer.
func (h *hostile) field(l pkts.Layer, s *script) {
	v := reflect.ValueOf(l).Elem()
	if v.NumField() == 0 {
		return
	}
	f := v.Field(s.below(v.NumField()))
	if isAuto(f.Type()) {
		pinRandom(f, s)
		h.pinned = true
		return
	}
	setRandom(f, s, 0)
}

// view calls a setter of the view of some layer, and all getters.
func view[V pkts.ViewOf](h *hostile, s *script) {
	v, ok := pkts.NthView[V](h.p, s.below(3))
	if !ok {
		return
	}
	r := reflect.ValueOf(v)
	m := r.Type()
	var setters []int
	for i := range m.NumMethod() {
		if strings.HasPrefix(m.Method(i).Name, "Set") {
			setters = append(setters, i)
		}
	}
	if len(setters) > 0 {
		f := r.Method(setters[s.below(len(setters))])
		var args []reflect.Value
		for in := range f.Type().Ins() {
			a := reflect.New(in).Elem()
			setRandom(a, s, 0)
			if a.Type() == reflect.TypeFor[netip.Addr]() {
				// The setters of addresses demand the family of the field.
				a.Set(reflect.ValueOf(addrFor(m.Name(), s)))
			}
			args = append(args, a)
		}
		f.Call(args)
		h.viewed = true
	}
	if _, err := v.Proto().Index(v, pkts.Default); err != nil {
		return // a length was set that the bytes do not have: then getters panic, as they say
	}
	for i := range m.NumMethod() {
		if f := r.Method(i); f.Type().NumIn() == 0 {
			f.Call(nil)
		}
	}
}

// addrFor returns an address of the family that a view has.
func addrFor(view string, s *script) netip.Addr {
	var a [16]byte
	copy(a[:], s.bytes(16))
	if strings.Contains(view, "v4") || view == "ARPView" {
		return netip.AddrFrom4([4]byte(a[:4]))
	}
	return netip.AddrFrom16(a)
}

// hostileViews are all views.
var hostileViews = []func(*hostile, *script){
	view[pkts.EthernetView], view[pkts.VLANView], view[pkts.LLCView], view[pkts.SNAPView], view[pkts.ARPView],
	view[pkts.LoopbackView], view[pkts.LoopView], view[pkts.SLLView], view[pkts.SLL2View],
	view[pkts.IPv4View], view[pkts.IPv6View], view[pkts.TCPView], view[pkts.UDPView],
	view[pkts.IPv6HopByHopView], view[pkts.IPv6RoutingView], view[pkts.IPv6FragmentView], view[pkts.IPv6DestOptsView],
	view[pkts.AHView], view[pkts.ESPView], view[pkts.MobilityView], view[pkts.HIPView], view[pkts.Shim6View],
	view[pkts.ICMPv4View], view[pkts.ICMPExtensionsView], view[pkts.ICMPv4TimesView], view[pkts.ICMPv4MaskView],
	view[pkts.ICMPv4RoutersView], view[pkts.ICMPv6View], view[pkts.ICMPv6EchoView], view[pkts.ICMPv6ExtendedEchoView],
	view[pkts.ICMPv6ErrorView], view[pkts.ICMPv6TooBigView], view[pkts.ICMPv6BadParamView],
	view[pkts.NDPRouterSolicitationView], view[pkts.NDPRouterAdvertisementView], view[pkts.NDPNeighborSolicitationView],
	view[pkts.NDPNeighborAdvertisementView], view[pkts.NDPRedirectView], view[pkts.MLDView], view[pkts.MLDv2QueryView],
	view[pkts.MLDv2ReportView],
}

// step does one thing to the packet.
func (h *hostile) step(s *script) {
	p := h.p
	op := s.below(16)
	switch op {
	case 0:
		_ = h.layer(s)
	case 1:
		h.field(h.layer(s), s)
		h.changed = true
	case 2:
		hostileViews[s.below(len(hostileViews))](h, s)
	case 3:
		h.changed = p.InsertBefore(h.layer(s), h.fresh(s)) == nil || h.changed
	case 4:
		h.changed = p.InsertAfter(h.layer(s), h.fresh(s)) == nil || h.changed
	case 5:
		h.changed = p.Remove(h.layer(s)) == nil || h.changed
	case 6:
		h.changed = p.RemoveAll(h.layer(s)) == nil || h.changed
	case 7:
		h.changed = p.Replace(h.layer(s), h.fresh(s)) == nil || h.changed
	case 8:
		h.changed = p.AddChild(h.layer(s), h.fresh(s)) == nil || h.changed
	case 9:
		p.Append(h.fresh(s))
		h.changed = true
	case 10:
		if raw, ok := pkts.Nth[pkts.Raw](p, s.below(2)); ok {
			switch s.below(4) {
			case 0:
				raw.Data = raw.Data[:len(raw.Data)/2]
			case 1:
				raw.Data = append(bytes.Clone(raw.Data), s.bytes(s.below(40))...)
			case 2:
				raw.Data = make([]byte, s.below(70000))
			default:
				raw.Data = nil
			}
			h.changed = true
		}
	case 11:
		h.clone()
	case 12:
		h.print()
	case 13:
		_ = p.Flow().CommunityID(0)
		for f := range p.Flows() {
			_ = f.String()
		}
		_ = p.InnermostFlow().Symmetric().Reverse().String()
	case 14:
		for c := range p.Checks() {
			if c.Offset < 0 || c.Offset >= len(p.Data()) {
				h.t.Fatalf("a check of %v.%s lies at %d of %d bytes", c.Node.Proto(), c.Field, c.Offset, len(p.Data()))
			}
		}
	case 15:
		_, _ = h.encode()
	}
}

// encode encodes the packet twice, and compares.
func (h *hostile) encode() ([]byte, error) {
	h.t.Helper()
	prefix := []byte("prefix")
	a, err := h.p.AppendBinary(nil)
	b, err2 := h.p.AppendBinary(slices.Clone(prefix))
	if (err == nil) != (err2 == nil) {
		h.t.Fatalf("encoded once: %v, twice: %v", err, err2)
	}
	if err != nil {
		if len(a) != 0 || !bytes.Equal(b, prefix) {
			h.t.Fatalf("after %v, the buffer holds %d and %d bytes", err, len(a), len(b))
		}
		if ee, ok := errors.AsType[*pkts.EncodeError](err); !ok || ee.Err == nil {
			h.t.Fatalf("%v is not an EncodeError with a reason", err)
		}
		return nil, err
	}
	if !bytes.Equal(b[:len(prefix)], prefix) || !bytes.Equal(b[len(prefix):], a) {
		h.t.Fatalf("encoded once and twice:\n%x\n%x", a, b[len(prefix):])
	}
	if !h.viewed {
		h.size(len(a))
	}
	return a, nil
}

// size checks that n bytes are what the layers have together.
func (h *hostile) size(n int) {
	h.t.Helper()
	sum := 0
	for node := range h.p.Nodes() {
		l, err := node.Layer()
		if err != nil {
			sum += node.HeaderLen()
			continue
		}
		b, err := l.AppendBinary(nil)
		if err != nil {
			h.t.Fatalf("the packet is encoded, its %v is not: %v", node.Proto(), err)
		}
		sum += len(b)
	}
	if sum != n {
		h.t.Fatalf("encoded to %d bytes, its layers have %d", n, sum)
	}
}

// clone checks that a clone does not change with the original.
func (h *hostile) clone() {
	h.t.Helper()
	c := h.p.Clone()
	b, err := h.p.AppendBinary(nil)
	cb, cerr := c.AppendBinary(nil)
	if (err == nil) != (cerr == nil) || !bytes.Equal(b, cb) {
		h.t.Fatalf("a clone is encoded to\n%x, %v, not to\n%x, %v", cb, cerr, b, err)
	}
	data := h.p.Data()
	saved := bytes.Clone(data)
	for i := range data {
		data[i] ^= 0xff
	}
	again, aerr := c.AppendBinary(nil)
	copy(data, saved)
	if (cerr == nil) != (aerr == nil) || !bytes.Equal(again, cb) {
		h.t.Fatalf("a clone changed with the bytes of the original, from\n%.400x, %v, to\n%.400x, %v", cb, cerr, again, aerr)
	}
	// The clone's own changes do not show in the original.
	for n := range c.Nodes() {
		if l, err := n.Layer(); err == nil {
			if err := c.Remove(l); err != nil {
				h.t.Fatalf("remove a layer of a clone: %v", err)
			}
			break
		}
	}
	if after, aerr := h.p.AppendBinary(nil); (err == nil) != (aerr == nil) || !bytes.Equal(after, b) {
		h.t.Fatalf("the original changed with a clone, from\n%.400x, %v, to\n%.400x, %v", b, err, after, aerr)
	}
}

// print prints the packet in all forms, and checks each.
func (h *hostile) print() {
	h.t.Helper()
	p := h.p
	before, berr := p.AppendBinary(nil)
	line := p.String()
	if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 || !utf8.ValidString(line) {
		h.t.Fatalf("the line %q is none", line)
	}
	for _, s := range []string{fmt.Sprintf("%+v", p), string(p.AppendHexdump(nil)), string(p.AppendFieldDump(nil))} {
		if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 || !utf8.ValidString(s) {
			h.t.Fatalf("control characters at %d of %q", i, s)
		}
		if s != "" && !strings.HasSuffix(s, "\n") {
			h.t.Fatalf("%q does not end with a newline", s)
		}
	}
	if p.Len() <= 64 { // building it again and again takes its time
		source := fmt.Sprintf("%#v", p)
		if _, err := parser.ParseExpr(source); err != nil {
			h.t.Fatalf("Go source: %v\n%s", err, source)
		}
	}
	b := p.AppendJSON(nil)
	if !json.Valid(b) || !utf8.Valid(b) {
		h.t.Fatalf("not JSON: %s", b)
	}
	if err := uniqueKeys(b); err != nil {
		h.t.Fatalf("%v: %s", err, b)
	}
	for _, f := range hostileFields() {
		value, _ := f.AppendValues(nil, p, ",")
		if strings.ContainsAny(string(value), "\t\n\r\x1b") {
			h.t.Fatalf("%v is %q", f, value)
		}
	}
	if after, aerr := p.AppendBinary(nil); (berr == nil) != (aerr == nil) || !bytes.Equal(after, before) {
		h.t.Fatalf("printing changed the packet from\n%.400x, %v, to\n%.400x, %v", before, berr, after, aerr)
	}
}

// hostileFields are all fields of all protocols.
var hostileFields = sync.OnceValue(func() (fs []*pkts.FieldPath) {
	for _, path := range pkts.Default.FieldPaths() {
		f, err := pkts.Default.ParseField(path)
		if err != nil {
			panic(err)
		}
		fs = append(fs, f)
	}
	return fs
})

// uniqueKeys reports a key that an object in the JSON text b has twice.
func uniqueKeys(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	type level struct {
		keys map[string]bool // nil in an array
		key  bool            // a key is next
	}
	var stack []level
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n := len(stack); n > 0 && stack[n-1].keys != nil && t != json.Delim('}') {
			top := &stack[n-1]
			if top.key {
				k := t.(string)
				if top.keys[k] {
					return fmt.Errorf("the key %q stands twice", k)
				}
				top.keys[k] = true
				top.key = false
				continue
			}
			top.key = true
		}
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{map[string]bool{}, true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

// shape lists protocols and depths.
func hostileShape(p *pkts.Packet) string {
	var b strings.Builder
	for n := range p.Nodes() {
		fmt.Fprintf(&b, "%d %v\n", n.Depth(), n.Proto())
	}
	return b.String()
}

// maxSteps bounds how much is done to one packet.
const maxSteps = 40

// attack decodes data, does what the script says and checks the result.
func attack(t *testing.T, lt link.Type, data []byte, s *script) {
	data = bytes.Clone(data)
	given := bytes.Clone(data)
	var p pkts.Packet
	derr := p.Decode(lt, data)
	if de, ok := errors.AsType[*pkts.DecodeError](derr); derr != nil && (!ok || de.Offset < 0 || de.Offset > len(data)) {
		t.Fatalf("%v: not a DecodeError within %d bytes", derr, len(data))
	}
	h := &hostile{t: t, p: &p, protos: slices.Collect(pkts.Default.Protocols())}
	if b, err := p.AppendBinary(nil); err != nil || !bytes.Equal(b, given) {
		t.Fatalf("decoded and encoded: %x, %v, was %x", b, err, given)
	}
	mode := s.byte()
	if mode&1 != 0 {
		for n := range p.Nodes() {
			_, _ = n.Layer()
		}
		if b, err := p.AppendBinary(nil); err != nil || !bytes.Equal(b, given) {
			t.Fatalf("decoded, filled in and encoded: %x, %v, was %x", b, err, given)
		}
	}
	if mode&2 != 0 {
		h.print()
	}
	if mode&4 != 0 {
		p.Reset() // what follows is built, in a packet with layers to reuse
	}
	for range maxSteps {
		if len(s.b) == 0 {
			break
		}
		h.step(s)
	}
	if !h.changed && !h.viewed && mode&4 == 0 {
		if b, err := p.AppendBinary(nil); err != nil || !bytes.Equal(b, given) {
			t.Fatalf("looked at and encoded: %x, %v, was %x", b, err, given)
		}
	}
	h.print()
	h.clone()
	b, err := h.encode()
	if err != nil {
		return
	}
	// The result decodes again, in the packet that is there and in a new one.
	kind := lt
	if n, ok := firstNode(&p); ok {
		if want, ok := linkTypeOf(n.Proto()); ok {
			kind = want
		}
	}
	var q pkts.Packet
	qerr := q.Decode(kind, b)
	if got, err := q.AppendBinary(nil); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("encoded and decoded: %x, %v, was %x", got, err, b)
	}
	built := mode&4 != 0 && !h.pinned
	if built && qerr == nil && hostileShape(&q) == hostileShape(&p) {
		for c := range q.Checks() {
			if c.Status == pkts.CheckBad {
				t.Fatalf("built %x: %v.%s has %#x, want %#x:\n%v", b, c.Node.Proto(), c.Field, c.Have, c.Want, &q)
			}
		}
	}
	(&hostile{t: t, p: &q}).print()
	shape := hostileShape(&q)
	rerr := p.Decode(kind, b)
	if fmt.Sprint(rerr) != fmt.Sprint(qerr) || hostileShape(&p) != shape {
		t.Fatalf("decoded in a used packet: %v\n%s\nin a new one: %v\n%s", rerr, hostileShape(&p), qerr, shape)
	}
	if x, y := p.String(), q.String(); x != y {
		t.Fatalf("printed from a used packet: %s\nfrom a new one: %s", x, y)
	}
	if x, y := p.AppendJSON(nil), q.AppendJSON(nil); !bytes.Equal(x, y) {
		t.Fatalf("printed from a used packet: %s\nfrom a new one: %s", x, y)
	}
}

// tame decodes data, sets fields that the library does not compute, and checks
// that what was right before is right afterwards.
func tame(t *testing.T, lt link.Type, data []byte, s *script) {
	var p pkts.Packet
	if p.Decode(lt, bytes.Clone(data)) != nil || p.Truncated() {
		return
	}
	for c := range p.Checks() {
		if c.Status == pkts.CheckBad || c.Status == pkts.CheckUnknown {
			return
		}
	}
	shape := hostileShape(&p)
	h := &hostile{t: t, p: &p}
	var edits []string
	for range maxSteps {
		if len(s.b) == 0 {
			break
		}
		l := h.layer(s)
		v := reflect.ValueOf(l).Elem()
		if v.NumField() == 0 {
			continue
		}
		i := s.below(v.NumField())
		if isAuto(v.Field(i).Type()) {
			continue
		}
		setRandom(v.Field(i), s, 0)
		edits = append(edits, fmt.Sprintf("%v.%s = %v", l.Proto(), v.Type().Field(i).Name, v.Field(i)))
	}
	b, err := h.encode()
	if err != nil {
		return
	}
	var q pkts.Packet
	if q.Decode(lt, b) != nil || hostileShape(&q) != shape {
		return // a field that says what follows
	}
	for c := range q.Checks() {
		if c.Status == pkts.CheckBad {
			t.Fatalf("%v\n%x: %v.%s has %#x, want %#x after %q:\n%+v", &p, b, c.Node.Proto(), c.Field, c.Have, c.Want, edits, &q)
		}
	}
}

func firstNode(p *pkts.Packet) (pkts.Node, bool) {
	for n := range p.Nodes() {
		return n, true
	}
	return pkts.Node{}, false
}

// linkTypeOf returns the link type of frames that begin with a protocol.
func linkTypeOf(p *pkts.Protocol) (link.Type, bool) {
	for s, o := range pkts.Default.Bindings() {
		if s.Table != pkts.LinkTypes {
			return 0, false
		}
		if o == p {
			return link.Type(s.Number), true
		}
	}
	return 0, false
}

// hostileFrames are small packets to begin with: one for each group of
// protocols.
func hostileFrames(t testing.TB) map[string][]byte {
	a4, b4 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	a6, b6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	eth := func() pkts.Layer {
		return &pkts.Ethernet{Dst: link.MacAddr{2, 0, 0, 0, 0, 2}, Src: link.MacAddr{2, 0, 0, 0, 0, 1}}
	}
	ip4 := func() pkts.Layer { return &pkts.IPv4{TTL: 64, Src: a4, Dst: b4} }
	ip6 := func() pkts.Layer { return &pkts.IPv6{HopLimit: 255, Src: a6, Dst: b6} }
	raw := func(n int) pkts.Layer { return &pkts.Raw{Data: bytes.Repeat([]byte{0x5a}, n)} }
	quote := func(layers ...pkts.Layer) pkts.Layer {
		b, err := pkts.Stack(layers...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &pkts.Raw{Data: b}
	}
	stacks := map[string][]pkts.Layer{
		"tcp":      {eth(), ip4(), &pkts.TCP{SrcPort: 1, DstPort: 80, Flags: pkts.TCPSyn, Options: pkts.TCPOptions(nil).AppendMSS(1460).AppendNop(2).AppendTimestamps(1, 2).Pad()}, raw(3)},
		"udp":      {eth(), &pkts.VLAN{ID: 5}, &pkts.VLAN{ID: 6}, ip6(), &pkts.UDP{SrcPort: 53, DstPort: 53}, raw(5), &pkts.Padding{Data: make([]byte, 4)}},
		"options":  {eth(), &pkts.IPv4{TTL: 1, Src: a4, Dst: b4, Options: pkts.IPv4Options(nil).AppendRouterAlert(0).AppendRecordRoute(3).Pad()}, &pkts.UDP{}, raw(2)},
		"ext":      {eth(), ip6(), &pkts.IPv6HopByHop{Options: pkts.IPv6Options(nil).AppendRouterAlert(0)}, &pkts.IPv6Routing{Type: 4, SegmentsLeft: 1, Data: make([]byte, 4+32)}, &pkts.IPv6DestOpts{}, &pkts.TCP{}, raw(7)},
		"fragment": {eth(), ip6(), &pkts.IPv6Fragment{ID: 7, More: true}, &pkts.UDP{}, raw(8)},
		"tunnel":   {eth(), ip4(), ip6(), ip4(), &pkts.AH{ICV: make([]byte, 12)}, &pkts.UDP{}, raw(1)},
		"esp":      {eth(), ip6(), &pkts.ESP{SPI: 1, Seq: 2}, raw(20)},
		"arp":      {eth(), &pkts.ARP{}},
		"icmp":     {eth(), ip4(), &pkts.ICMPv4{Type: 3, Code: 1}, quote(ip4(), &pkts.UDP{}, raw(100))},
		"echo6":    {eth(), ip6(), &pkts.ICMPv6{Type: pkts.Pin(pkts.ICMPv6EchoRequest)}, &pkts.ICMPv6Echo{ID: 1, Seq: 2}, raw(9)},
		"error6":   {eth(), ip6(), &pkts.ICMPv6{Type: pkts.Pin(pkts.ICMPv6DestUnreachable)}, &pkts.ICMPv6Error{}, quote(ip6(), &pkts.TCP{}, raw(10))},
		"mobility": {eth(), ip6(), &pkts.Mobility{Type: 5, Data: make([]byte, 10)}},
		"hip":      {eth(), ip6(), &pkts.HIP{Type: 1}},
		"shim6":    {eth(), ip6(), &pkts.Shim6{Type: 1, Data: make([]byte, 2)}},
	}
	frames := map[string][]byte{}
	for name, layers := range stacks {
		b, err := pkts.Stack(layers...).AppendBinary(nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		frames[name] = b
	}
	return frames
}

func FuzzPacket(f *testing.F) {
	frames := hostileFrames(f)
	scripts := []string{
		"", "03", "07",
		"030b0c0d0e0f",
		"00010103ff0f0a00020c0d",
		"010301050201020304050f0c",
		"0104020b01112233445566778899aabbccddee0f",
		"000502060107030b000c0f",
		"04090203090a01090b020c0f0e",
		"000a020fff0c0b0f0a030f",
		"040902030800010308000a03",
		"00020a000108020a03020c0b0c0d0e0f",
	}
	for _, frame := range frames {
		for _, s := range scripts {
			b, err := hex.DecodeString(s)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(0), frame, b)
		}
	}
	for i := range hostileLinks {
		f.Add(uint8(i), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x45, 0, 0, 20, 1, 2, 0x86, 0xdd}, []byte{3, 1, 2, 3, 12})
	}
	f.Fuzz(func(t *testing.T, lt uint8, data, ops []byte) {
		if len(data) > 1<<14 || len(ops) > 1<<12 {
			return
		}
		attack(t, hostileLinks[int(lt)%len(hostileLinks)], data, &script{ops})
		tame(t, hostileLinks[int(lt)%len(hostileLinks)], data, &script{ops})
	})
}

// TestHostileScripts does what random scripts say to real frames.
func TestHostileScripts(t *testing.T) {
	paths, err := filepath.Glob("../../shared/captures/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("no captures at ../shared/captures")
	}
	random := rand.New(rand.NewPCG(1, 2))
	scripts := 0
	frames := 20 // of a capture
	if raceEnabled {
		frames = 3
	}
	for _, path := range paths {
		r, err := pcap.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for frame, err := range r.Frames() {
			if err != nil || n >= frames {
				break
			}
			n++
			data := bytes.Clone(frame.Data)
			for range 3 {
				ops := make([]byte, random.IntN(120))
				for i := range ops {
					ops[i] = byte(random.Uint32())
				}
				t.Run(fmt.Sprintf("%s/%d/%x", filepath.Base(path), n, ops), func(t *testing.T) {
					attack(t, frame.Link, data, &script{ops})
					tame(t, frame.Link, data, &script{ops})
				})
				// The same with a bit of the frame changed.
				data[random.IntN(len(data))] ^= 1 << random.IntN(8)
				scripts++
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if scripts == 0 {
		t.Error("no frame was read")
	}
}

// readHostile reads data as a capture file and prints all packets.
func readHostile(t *testing.T, data []byte, opts ...pcap.ReaderOption) {
	r, err := pcap.NewReader(bytes.NewReader(data), opts...)
	if err != nil {
		return
	}
	defer r.Close()
	var p pkts.Packet
	var out []byte
	for frame, err := range r.Frames() {
		if err != nil {
			if fe, ok := errors.AsType[*pcap.FormatError](err); !ok || fe.Offset < 0 {
				t.Fatalf("%v: not a FormatError", err)
			}
			break
		}
		_ = p.Decode(frame.Link, frame.Data)
		out = p.AppendSummary(out[:0])
		if len(out) > 200+20*len(frame.Data)+64*p.Len() {
			t.Fatalf("%d bytes of summary for %d bytes: %s", len(out), len(frame.Data), out)
		}
		out = p.AppendTree(out[:0], nil)
		out = p.AppendJSON(out[:0])
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		if b, err := p.AppendBinary(out[:0]); err != nil || !bytes.Equal(b, frame.Data) {
			t.Fatalf("decoded and encoded: %x, %v, was %x", b, err, frame.Data)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzFile(f *testing.F) {
	frames := hostileFrames(f)
	for _, name := range []string{"tcp", "ext", "icmp"} {
		for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapNano, pcap.FormatPcapng} {
			var b bytes.Buffer
			w, err := pcap.NewWriter(&b, pcap.WriterConfig{Format: format, Link: link.TypeEthernet})
			if err != nil {
				f.Fatal(err)
			}
			for i := range 2 {
				frame := link.Frame{Data: frames[name]}
				frame.Link, frame.Time, frame.WireLen = link.TypeEthernet, time.Unix(int64(i), 0), len(frames[name])
				if err := w.WriteFrame(&frame); err != nil {
					f.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				f.Fatal(err)
			}
			f.Add(b.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		got := allocated(func() { readHostile(t, data) })
		// What a decompressor unfolds is not bounded by the file; the reader's
		// own memory is.
		if limit := uint64(8<<20 + 4096*len(data)); got > limit && !compressed(data) {
			t.Errorf("reading %d bytes allocates %d, more than %d", len(data), got, limit)
		}
		got = allocated(func() { readHostile(t, data, pcap.WithRecover()) })
		if limit := uint64(8<<20 + 4096*len(data)); got > limit && !compressed(data) {
			t.Errorf("reading %d bytes with recovery allocates %d, more than %d", len(data), got, limit)
		}
	})
}

func compressed(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x1f\x8b")) || bytes.HasPrefix(b, []byte("BZh"))
}
