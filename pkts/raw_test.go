package pkts

import (
	"bytes"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

func TestRaw(t *testing.T) {
	data := []byte{1, 2, 3}
	for _, typ := range []link.Type{link.TypeRaw, link.Type(65000)} {
		var p Packet
		if err := p.Decode(typ, data); err != nil {
			t.Fatal(err)
		}
		raw := Must[Raw](&p)
		if !bytes.Equal(raw.Data, data) || &raw.Data[0] != &data[0] || cap(raw.Data) != 3 {
			t.Errorf("%v: %x, capacity %d; want the same bytes and no more", typ, raw.Data, cap(raw.Data))
		}
		if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v: %x, %v", typ, got, err)
		}
	}
	noAllocs(t, &rawProtocol, data)
}

// greeted is raw bytes that it writes a greeting in front of.
type greeted struct{ Raw }

func (l *greeted) AppendBinary(b []byte) ([]byte, error) {
	return l.Raw.AppendBinary(append(b, "hello "...))
}

// TestRawEmbedded builds with a type that has the protocol of raw bytes from
// the Raw in it: what it appends is sent and summed, not the Raw.
func TestRawEmbedded(t *testing.T) {
	for _, up := range []func() Layer{
		func() Layer { return &UDP{SrcPort: 1, DstPort: 2} },
		func() Layer { return &TCP{SrcPort: 1, DstPort: 2} },
	} {
		want := coreBuild(t, coreV4(nil), up(), &Raw{Data: []byte("hello world")})
		got := coreBuild(t, coreV4(nil), up(), &greeted{Raw{Data: []byte("world")}})
		if !bytes.Equal(got, want) {
			t.Errorf("% x, want % x", got, want)
		}
	}
}

func TestEmptyPacket(t *testing.T) {
	var p Packet
	if b, err := p.AppendBinary([]byte("x")); err != nil || string(b) != "x" {
		t.Errorf("the zero Packet: %q, %v", b, err)
	}
	if err := p.Decode(link.Type(65000), nil); err != nil {
		t.Errorf("no bytes: %v", err)
	}
	if b, err := p.AppendBinary(nil); err != nil || len(b) != 0 {
		t.Errorf("no bytes: %q, %v", b, err)
	}
	if _, ok := Get[TCP](&p); ok || Has[IPv4](&p) {
		t.Error("layers in the empty packet")
	}
	if b := coreBuild(t); len(b) != 0 {
		t.Errorf("Stack of nothing: %x", b)
	}
}

func TestPadding(t *testing.T) {
	b := coreBuild(t, coreV4(nil), &UDP{}, &Raw{Data: []byte("data")}, &Padding{Data: []byte("pad")})
	if v := IPv4View(b); int(v.Length()) != len(b)-3 || !bytes.HasSuffix(b, []byte("datapad")) {
		t.Errorf("% x", b)
	}
	p := coreDecode(t, &ipv4Protocol, b)
	if pad, ok := Get[Padding](p); !ok || string(pad.Data) != "pad" {
		t.Errorf("Padding = %v, %v", pad, ok)
	}
	coreAllGood(t, &ipv4Protocol, b)
}

// TestRawViews finds payload and padding in place.
func TestRawViews(t *testing.T) {
	b := unhex(t, ethernetGoldens()[0].hex)
	p := coreDecode(t, &ethernetProtocol, b)
	raw, ok := View[RawView](p)
	if want := Must[Raw](p).Data; !ok || !bytes.Equal(raw, want) || &raw[0] != &want[0] {
		t.Errorf("View[RawView] = % x, %v, want % x in place", raw, ok, want)
	}
	pad, ok := View[PaddingView](p)
	if want := Must[Padding](p).Data; !ok || !bytes.Equal(pad, want) || &pad[0] != &want[0] {
		t.Errorf("View[PaddingView] = % x, %v, want % x in place", pad, ok, want)
	}
	if v, ok := NthView[RawView](p, 1); ok {
		t.Errorf("a second RawView: % x", v)
	}
}
