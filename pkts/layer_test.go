package pkts

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden is a packet whose bytes come from an RFC, a capture or another
// implementation, and the layers that it is made of.
type golden struct {
	name string
	// from says where the bytes come from.
	from string
	// first is the outermost protocol.
	first *Protocol
	// hex is the packet. What follows a # in a line is a comment.
	hex string
	// layers are the packet as a program would write it: what the library can
	// compute is left out. In depth-first order, each carrying the next; a
	// Padding belongs to the first layer.
	layers []Layer
	// bad is how many of the packet's fields are wrong, and unknown how many
	// cannot be verified.
	bad, unknown int
	// build makes the packet of the layers; nil is Stack, each layer carrying
	// the next.
	build func(layers []Layer) *Packet
}

// unhex returns the bytes of a commented hexadecimal text.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		d, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		b = append(b, d...)
	}
	return b
}

// testGolden checks everything that must hold for a packet that is known to
// the last bit.
func testGolden(t *testing.T, goldens ...golden) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			b := unhex(t, g.hex)
			var p Packet
			if err := p.DecodeAs(g.first, b); err != nil {
				t.Fatalf("Decode: %v", err)
			}
			t.Run("decode", func(t *testing.T) { g.decodes(t, &p) })
			t.Run("build", func(t *testing.T) { g.builds(t, b) })
			t.Run("round trip", func(t *testing.T) { roundTrips(t, g.first, b) })
			t.Run("prefixes", func(t *testing.T) { g.prefixes(t, b) })
			t.Run("allocations", func(t *testing.T) { noAllocs(t, g.first, b) })
			t.Run("checks", func(t *testing.T) { g.checks(t, &p) })
			t.Run("clone", func(t *testing.T) { g.clones(t, b) })
		})
	}
}

// decodes compares the layers of p with the golden ones.
func (g *golden) decodes(t *testing.T, p *Packet) {
	i := 0
	for n := range p.Nodes() {
		l, err := n.Layer()
		if err != nil {
			t.Fatalf("layer %d, %v: %v", i, n.Proto(), err)
		}
		if i >= len(g.layers) {
			t.Fatalf("layer %d, %v: not expected", i, n.Proto())
		}
		if diff := cmp.Diff(g.layers[i], l, layerOptions()...); diff != "" {
			t.Errorf("layer %d, %v (-want +got):\n%s", i, n.Proto(), diff)
		}
		i++
	}
	if i < len(g.layers) {
		t.Errorf("layer %d: got none, want %v", i, g.layers[i].Proto())
	}
}

// layerOptions compare layers: an Auto that is not set matches any value that
// was decoded, and no bytes match none.
func layerOptions() []cmp.Option {
	isAuto := func(p cmp.Path) bool { return strings.HasPrefix(p.Last().Type().Name(), "Auto[") }
	return []cmp.Option{
		cmp.FilterPath(isAuto, cmp.Comparer(func(a, b any) bool {
			x, y := reflect.ValueOf(a), reflect.ValueOf(b)
			return x.Field(1).Uint() == uint64(ModeAuto) || y.Field(1).Uint() == uint64(ModeAuto) || x.Field(0).Equal(y.Field(0))
		})),
		cmp.Comparer(func(a, b netip.Addr) bool {
			return a == b || !a.IsValid() && b.IsUnspecified() || !b.IsValid() && a.IsUnspecified()
		}),
		cmp.FilterValues(func(a, b any) bool {
			x, y := reflect.ValueOf(a), reflect.ValueOf(b)
			return x.Kind() == reflect.Slice && y.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0
		}, cmp.Ignore()),
	}
}

// builds encodes the golden layers.
func (g *golden) builds(t *testing.T, want []byte) {
	p := Stack(g.layers...)
	if g.build != nil {
		p = g.build(g.layers)
	}
	got, err := p.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hex.Dump(want), hex.Dump(got[len("before"):])); diff != "" {
		t.Errorf("AppendBinary (-want +got):\n%s", diff)
	}
	if !bytes.HasPrefix(got, []byte("before")) {
		t.Errorf("AppendBinary changed what was before: %q", got[:6])
	}
	// Into a buffer that is not clean, so that a byte that is not written shows.
	dirty := bytes.Repeat([]byte{0xa5}, len(want)+1)[:0]
	again, err := p.AppendBinary(dirty)
	if err != nil || !bytes.Equal(again, got[len("before"):]) {
		t.Errorf("the second AppendBinary = %x, %v; want what the first gave", again, err)
	}
}

// roundTrips decodes b, fills every layer in and encodes it: the same bytes, and
// the same bytes again when an edit makes everything be computed anew.
func roundTrips(t testing.TB, first *Protocol, b []byte) {
	t.Helper()
	var p Packet
	_ = p.DecodeAs(first, b) // what decoded before an error counts
	for _, fill := range []bool{false, true} {
		if fill {
			for n := range p.Nodes() {
				_, _ = n.Layer()
			}
		}
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatalf("AppendBinary of %x (filled in: %v): %v", b, fill, err)
		}
		if !bytes.Equal(got, b) {
			t.Fatalf("AppendBinary (filled in: %v)\n got %x\nwant %x", fill, got, b)
		}
	}
	// Computing what is right again changes nothing, and what is wrong stays.
	p.unpack()
	p.noteEdit()
	got, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatalf("AppendBinary of %x, computed anew: %v", b, err)
	}
	if !bytes.Equal(got, b) {
		t.Fatalf("AppendBinary, computed anew\n got %x\nwant %x", got, b)
	}
}

// prefixes decodes every prefix of the packet, and of each header.
func (g *golden) prefixes(t *testing.T, b []byte) {
	for i := range b {
		roundTrips(t, g.first, b[:i:i])
	}
	var p Packet
	if err := p.DecodeAs(g.first, b); err != nil {
		t.Fatal(err)
	}
	for n := range p.Nodes() {
		if n.Proto() == &rawProtocol || n.Proto() == &paddingProtocol {
			continue
		}
		l := n.Proto().New()
		h := n.Bytes()[:n.HeaderLen()]
		for i := range h {
			got, err := l.Decode(h[:i:i])
			if f := n.Proto().Fields; err == nil && got == i && f[len(f)-1].Bits == 0 && i >= f[len(f)-1].Bit/8 {
				continue // the last field is what there is
			}
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("%v.Decode of %d of %d bytes: %v, want ErrTruncated", n.Proto(), i, len(h), err)
			}
		}
		if got, err := l.Decode(h); got != len(h) || err != nil {
			t.Errorf("%v.Decode of the header = %d, %v; want %d", n.Proto(), got, err, len(h))
		}
	}
}

// noAllocs checks that decoding into a reused Packet, with all fields of all
// layers, allocates nothing, and neither does encoding it.
func noAllocs(t *testing.T, first *Protocol, b []byte) {
	var p Packet
	buf := make([]byte, 0, len(b))
	run := func() {
		if err := p.DecodeAs(first, b); err != nil {
			t.Fatal(err)
		}
		for i := range p.nodes() {
			if _, err := p.layer(i); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if buf, err = p.AppendBinary(buf[:0]); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// clones checks that a copy of a packet, with all layers filled in, shares no
// bytes with it.
func (g *golden) clones(t *testing.T, b []byte) {
	data := bytes.Clone(b)
	var p Packet
	if err := p.DecodeAs(g.first, data); err != nil {
		t.Fatal(err)
	}
	for n := range p.Nodes() {
		if _, err := n.Layer(); err != nil {
			t.Fatal(err)
		}
	}
	c := p.Clone()
	for i := range data {
		data[i] ^= 0xff
	}
	g.decodes(t, c)
	c.unpack()
	c.noteEdit()
	got, err := c.AppendBinary(nil)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("the copy, without the original's bytes: %v\n got %x\nwant %x", err, got, b)
	}
}

// checks verifies the computed fields.
func (g *golden) checks(t *testing.T, p *Packet) {
	bad, unknown := 0, 0
	for c := range p.Checks() {
		switch c.Status {
		case CheckBad:
			bad++
			t.Logf("%v.%s at byte %d: have %#x, want %#x", c.Node.Proto(), c.Field, c.Offset, c.Have, c.Want)
		case CheckUnknown:
			unknown++
		case CheckGood, CheckAbsent:
		}
	}
	if bad != g.bad || unknown != g.unknown {
		t.Errorf("Checks: %d bad and %d unknown, want %d and %d", bad, unknown, g.bad, g.unknown)
	}
}

// checkEnd checks what the Err of a list of n bytes says after its All ended at
// byte end.
func checkEnd(t testing.TB, err error, end, n int) {
	t.Helper()
	if end == n {
		if err != nil {
			t.Errorf("a list that was read to its end: %v", err)
		}
		return
	}
	de, ok := errors.AsType[*DecodeError](err)
	if !ok || de.Offset != end || !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrMalformed) {
		t.Errorf("a list of %d bytes that was read up to byte %d: %v", n, end, err)
	}
	if errors.Is(err, ErrTruncated) && (de.Have != n-end || de.Want <= de.Have) {
		t.Errorf("a list of %d bytes that was read up to byte %d: have %d, want %d: %v", n, end, de.Have, de.Want, err)
	}
}

// fuzzProtocol feeds a decoder with anything: what must hold for every input.
func fuzzProtocol(f *testing.F, first *Protocol, seeds ...golden) {
	for _, g := range seeds {
		f.Add(unhex(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		roundTrips(t, first, b)
		var p Packet
		_ = p.DecodeAs(first, b)
		for c := range p.Checks() {
			if c.Offset < 0 || c.Offset >= len(b) {
				t.Errorf("%v.%s: at byte %d of %d", c.Node.Proto(), c.Field, c.Offset, len(b))
			}
		}
		end := 0
		for n := range p.Nodes() {
			if n.Depth() == 0 || n.Offset() > end {
				end = n.Offset()
			}
			if n.Offset() < 0 || n.Offset()+len(n.Bytes()) > len(b) || n.HeaderLen() > len(n.Bytes()) {
				t.Errorf("%v lies at %d, %d bytes, header %d, of %d", n.Proto(), n.Offset(), len(n.Bytes()), n.HeaderLen(), len(b))
			}
		}
	})
}
