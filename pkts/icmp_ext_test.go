package pkts

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestICMPExtensionsErrors(t *testing.T) {
	var l ICMPExtensions
	if _, err := l.Decode([]byte{0x10, 0, 0, 0}); !errors.Is(err, ErrMalformed) {
		t.Errorf("version 1: %v, want ErrMalformed", err)
	}
	if _, err := (&ICMPExtensions{Reserved: 0x1000}).AppendBinary(nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("13 reserved bits: %v, want ErrTooLong", err)
	}
	if _, err := ICMPObjects(nil).Append(1, 1, make([]byte, 65532)); !errors.Is(err, ErrTooLong) {
		t.Errorf("65532 bytes: %v, want ErrTooLong", err)
	}
	if _, err := ICMPObjects(nil).AppendLabels(make([]ICMPLabel, 16384)...); !errors.Is(err, ErrTooLong) {
		t.Errorf("16384 labels: %v, want ErrTooLong", err)
	}
	if _, err := ICMPObjects(nil).AppendInterface(ICMPInterface{Name: make([]byte, 64)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("a name of 64 bytes: %v, want ErrTooLong", err)
	}
	if _, err := ICMPObjects(nil).AppendInterface(ICMPInterface{Role: 4}); !errors.Is(err, ErrTooLong) {
		t.Errorf("role 4: %v, want ErrTooLong", err)
	}
}

// RFC 4884, section 7: a checksum of zero says that there is none.
func TestICMPExtensionsNoChecksum(t *testing.T) {
	var p Packet
	if err := p.DecodeAs(&icmpExtensionsProtocol, unhex(t, "20 00 00 00 00 08 01 01 05 dc f1 01")); err != nil {
		t.Fatal(err)
	}
	for c := range p.Checks() {
		t.Errorf("%s is %v", c.Field, c.Status)
	}
	Must[ICMPExtensions](&p).Reserved = 1
	b, err := p.AppendBinary(nil)
	if err != nil || b[2] != 0 || b[3] != 0 {
		t.Errorf("AppendBinary = %x, %v; want no checksum", b, err)
	}
}

func TestICMPObjects(t *testing.T) {
	// RFC 5837, section 4.2: incoming interface 15, 192.0.2.1, "eth0", MTU 1500.
	b := unhex(t, `
		00 1c 02 0f  00 00 00 0f
		00 01 00 00  c0 00 02 01
		08 65 74 68 30 00 00 00
		00 00 05 dc
		00 08 01 01  00 06 43 40   # label 100, TC 1, bottom, TTL 64
		00 0c 03 03  00 02 10 00 ff ff ff ff   # 16 bytes of address, not there
		00 08 04 01  00 00 00 28   # RFC 8883, section 4.2: byte 40
		00 03 09 09`)
	o := ICMPObjects(b)
	want := ICMPInterface{Index: 15, Addr: netip.MustParseAddr("192.0.2.1"), Name: []byte("eth0"), MTU: 1500}
	iface, ok := o.Get(ICMPObjectInterface)
	if got, ok2 := iface.Interface(); !ok || !ok2 || cmp.Diff(want, got, layerOptions()...) != "" {
		t.Errorf("Interface = %+v, %v", got, ok2)
	}
	built, err := ICMPObjects(nil).AppendInterface(want)
	if err != nil || string(built) != string(b[:28]) {
		t.Errorf("AppendInterface = %x, %v", built, err)
	}
	labels, _ := o.Get(ICMPObjectMPLS)
	n := 0
	for l := range labels.Labels() {
		if l != (ICMPLabel{Label: 100, TC: 1, Bottom: true, TTL: 64}) {
			t.Errorf("Labels: %+v", l)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d labels, want 1", n)
	}
	for range iface.Labels() {
		t.Error("an interface has no labels")
	}
	id, _ := o.Get(ICMPObjectInterfaceID)
	if _, ok := id.InterfaceID(); ok {
		t.Error("InterfaceID of a cut address")
	}
	ptr, _ := o.Get(ICMPObjectExtended)
	if p, ok := ptr.Pointer(); !ok || p != 40 {
		t.Errorf("Pointer = %d, %v; want 40", p, ok)
	}
	if _, ok := labels.Pointer(); ok {
		t.Error("labels have no pointer")
	}
	if _, ok := o.Get(9); ok {
		t.Error("Get found a malformed object")
	}
	var last ICMPObject
	offsets := []int{}
	for off, obj := range o.All() {
		offsets, last = append(offsets, off), obj
	}
	if diff := cmp.Diff([]int{0, 28, 36, 48}, offsets); diff != "" || last.Class != ICMPObjectExtended {
		t.Errorf("All: %s, last %+v", diff, last)
	}
	if de, ok := errors.AsType[*DecodeError](o.Err()); !ok || de.Offset != 56 {
		t.Errorf("Err = %v, want one at byte 56", o.Err())
	}
}

// The parts of an object of interface information, each cut by one byte.
func TestICMPInterfaceCut(t *testing.T) {
	for _, i := range []ICMPInterface{
		{Index: 1}, {MTU: 1}, {Name: []byte("e")}, {Addr: netip.MustParseAddr("192.0.2.1")}, {Addr: netip.MustParseAddr("2001:db8::1")},
	} {
		i.Role = ICMPInterfaceNextHop
		o, err := ICMPObjects(nil).AppendInterface(i)
		if err != nil {
			t.Fatal(err)
		}
		_, obj := firstOf(o)
		got, ok := obj.Interface()
		if !ok || cmp.Diff(i, got, layerOptions()...) != "" {
			t.Errorf("Interface = %+v, %v; want %+v", got, ok, i)
		}
		for n := range obj.Data {
			cut := obj
			cut.Data = obj.Data[:n]
			if got, ok := cut.Interface(); ok {
				t.Errorf("%d of %d bytes: %+v", n, len(obj.Data), got)
			}
		}
	}
}

func firstOf(o ICMPObjects) (int, ICMPObject) {
	for off, obj := range o.All() {
		return off, obj
	}
	return 0, ICMPObject{}
}

func TestICMPInterfaceID(t *testing.T) {
	for _, i := range []ICMPInterface{
		{Index: 7}, {Name: []byte("ethernet")}, {Name: []byte("eth0.1")}, {Addr: netip.MustParseAddr("192.0.2.1")}, {Addr: netip.MustParseAddr("2001:db8::1")},
	} {
		o, err := ICMPObjects(nil).AppendInterfaceID(i)
		if err != nil || len(o)%4 != 0 {
			t.Fatalf("AppendInterfaceID(%+v) = %x, %v", i, []byte(o), err)
		}
		_, obj := firstOf(o)
		if got, ok := obj.InterfaceID(); !ok || cmp.Diff(i, got, layerOptions()...) != "" {
			t.Errorf("InterfaceID = %+v, %v; want %+v", got, ok, i)
		}
	}
}

func TestICMPObjectNames(t *testing.T) {
	for c, want := range map[ICMPObjectClass]string{
		ICMPObjectMPLS: "MPLS label stack", ICMPObjectInterface: "interface information",
		ICMPObjectInterfaceID: "interface identification", ICMPObjectExtended: "extended information", 9: "9",
	} {
		if c.String() != want {
			t.Errorf("class %d = %q, want %q", uint8(c), c, want)
		}
	}
	if s := ICMPInterfaceOutgoing.String(); s != "outgoing" {
		t.Errorf("ICMPInterfaceOutgoing = %q", s)
	}
}

func TestICMPObjectsRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o ICMPObjects
		type object struct {
			class ICMPObjectClass
			cType uint8
			data  []byte
		}
		var want []object
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			x := object{ICMPObjectClass(rapid.Uint8().Draw(t, "class")), rapid.Uint8().Draw(t, "type"), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data")}
			var err error
			if o, err = o.Append(x.class, x.cType, x.data); err != nil {
				t.Fatal(err)
			}
			want = append(want, x)
		}
		i := 0
		for _, obj := range o.All() {
			if obj.Class != want[i].class || obj.CType != want[i].cType || string(obj.Data) != string(want[i].data) {
				t.Fatalf("object %d: %+v, want %+v", i, obj, want[i])
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d objects, want %d", i, len(want))
		}
		if err := o.Err(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzICMPObjects(f *testing.F) {
	f.Add([]byte("\x00\x0c\x03\x03\x00\x01\x04\x00\xc0\x00\x02\x01"))
	f.Add([]byte(probeObjects()))
	f.Fuzz(func(t *testing.T, b []byte) {
		end := 0
		for off, obj := range ICMPObjects(b).All() {
			if off != end {
				t.Fatalf("an object at %d, want %d", off, end)
			}
			end = off + icmpObjectMinLen + len(obj.Data)
			for range obj.Labels() {
			}
			_, _ = obj.Interface()
			_, _ = obj.InterfaceID()
			_, _ = obj.Pointer()
		}
		checkEnd(t, ICMPObjects(b).Err(), end, len(b))
	})
}
