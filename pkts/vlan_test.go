package pkts

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

func vlanGoldens() []golden {
	return []golden{{
		name:  "802.1Q",
		from:  "scapy 2.5.0: Ether(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/Dot1Q(vlan=100,prio=5,id=1)/IP(…,id=7)/TCP(sport=1234,dport=80,flags='S',seq=1)",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  81 00
			b0 64 08 00                             # priority 5, drop eligible, VLAN 100, IPv4
			45 00 00 28  00 07 00 00  40 06 66 c7
			0a 00 00 01  0a 00 00 02
			04 d2 00 50  00 00 00 01  00 00 00 00  50 02 20 00  76 bd 00 00`,
		layers: []Layer{
			&Ethernet{Dst: macB, Src: macA},
			&VLAN{Priority: 5, DropEligible: true, ID: 100},
			&IPv4{ID: 7, TTL: 64, Src: ip4A, Dst: ip4B},
			&TCP{SrcPort: 1234, DstPort: 80, Seq: 1, Flags: TCPSyn, Window: 8192},
		},
	}, {
		name:  "802.1ad",
		from:  "scapy 2.5.0: Ether(…)/Dot1AD(vlan=100)/Dot1Q(vlan=5,prio=3)/IP(…)/UDP(…)/b'hi'",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  88 a8
			00 64 81 00                             # service tag, VLAN 100
			60 05 08 00                             # customer tag, priority 3, VLAN 5, IPv4` + hexUDP4,
		layers: append([]Layer{
			&Ethernet{Dst: macB, Src: macA, Type: Pin(EtherTypeQinQ)},
			&VLAN{ID: 100},
			&VLAN{Priority: 3, ID: 5},
		}, layersUDP4()...),
	}, {
		name:  "LLC in 802.1Q",
		from:  "scapy 2.5.0: Ether(…)/Dot1Q(vlan=5,type=38)/LLC()/SNAP()/IP(…)/UDP(…)/b'hi'/Padding(b'\\0'*7)",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  81 00
			00 05 00 26                             # VLAN 5, 38 bytes
			aa aa 03  00 00 00 08 00                # LLC, SNAP: IPv4` + hexUDP4 + `
			00 00 00 00 00 00 00                    # padding`,
		layers: append(append([]Layer{
			&Ethernet{Dst: macB, Src: macA},
			&VLAN{ID: 5},
			&LLC{},
			&SNAP{},
		}, layersUDP4()...), &Padding{Data: make([]byte, 7)}),
	}}
}

func TestVLAN(t *testing.T) { testGolden(t, vlanGoldens()...) }

func FuzzVLAN(f *testing.F) { fuzzProtocol(f, &ethernetProtocol, vlanGoldens()...) }

func TestVLANTooLong(t *testing.T) {
	for _, l := range []*VLAN{{Priority: 8}, {ID: 4096}} {
		if b, err := l.AppendBinary([]byte("x")); !errors.Is(err, ErrTooLong) || string(b) != "x" {
			t.Errorf("%+v: %q, %v; want ErrTooLong", l, b, err)
		}
	}
	long := Stack(&Ethernet{}, &VLAN{}, &LLC{}, &Raw{Data: make([]byte, 1498)})
	if _, err := long.AppendBinary(nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("a length of 1501: %v, want ErrTooLong", err)
	}
}

func TestVLANView(t *testing.T) {
	b := unhex(t, vlanGoldens()[0].hex)
	var p Packet
	if err := p.Decode(link.TypeEthernet, b); err != nil {
		t.Fatal(err)
	}
	v, _ := View[VLANView](&p)
	if v.TCI() != 0xb064 || v.Priority() != 5 || !v.DropEligible() || v.ID() != 100 || v.Type() != EtherTypeIPv4 || len(v.Payload()) != 40 {
		t.Fatalf("view of % x", v[:VLANLen])
	}
	for _, step := range []struct {
		name string
		set  func()
		want [4]byte
	}{
		{"SetPriority", func() { v.SetPriority(2) }, [4]byte{0x50, 0x64, 0x08, 0x00}},
		{"SetDropEligible", func() { v.SetDropEligible(false) }, [4]byte{0x40, 0x64, 0x08, 0x00}},
		{"SetID", func() { v.SetID(0xfff) }, [4]byte{0x4f, 0xff, 0x08, 0x00}},
		{"SetDropEligible", func() { v.SetDropEligible(true) }, [4]byte{0x5f, 0xff, 0x08, 0x00}},
		{"SetType", func() { v.SetType(EtherTypeIPv6) }, [4]byte{0x5f, 0xff, 0x86, 0xdd}},
		{"SetTCI", func() { v.SetTCI(1) }, [4]byte{0x00, 0x01, 0x86, 0xdd}},
	} {
		step.set()
		if [4]byte(v) != step.want {
			t.Errorf("%s: % x, want % x", step.name, v[:VLANLen], step.want)
		}
	}
}

// TestVLANEdit puts tags into a frame and takes them out again.
func TestVLANEdit(t *testing.T) {
	tagged := unhex(t, vlanGoldens()[0].hex)
	plain := slices.Concat(tagged[:12], tagged[16:])
	var p Packet
	if err := p.Decode(link.TypeEthernet, plain); err != nil {
		t.Fatal(err)
	}
	encodes := func(what string, want []byte) {
		t.Helper()
		got, err := p.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n got % x\nwant % x", what, err, got, want)
		}
	}
	tag := &VLAN{Priority: 5, DropEligible: true, ID: 100}
	if err := p.InsertAfter(Must[Ethernet](&p), tag); err != nil {
		t.Fatal(err)
	}
	encodes("insert a tag", tagged)

	outer := &VLAN{ID: 7}
	if err := p.InsertBefore(tag, outer); err != nil {
		t.Fatal(err)
	}
	encodes("insert a second tag", slices.Concat(tagged[:12], []byte{0x81, 0, 0, 7}, tagged[12:]))
	for i, want := range []uint16{7, 100} {
		if l, ok := Nth[VLAN](&p, i); !ok || l.ID != want {
			t.Errorf("Nth(%d) = %v, want ID %d", i, l, want)
		}
	}

	Must[Ethernet](&p).Type = Pin(EtherTypeQinQ)
	encodes("make it a service tag", slices.Concat(tagged[:12], []byte{0x88, 0xa8, 0, 7}, tagged[12:]))

	Must[Ethernet](&p).Type = Auto[EtherType]{}
	if err := p.Remove(outer); err != nil {
		t.Fatal(err)
	}
	encodes("remove the outer tag", tagged)
	if err := p.Remove(tag); err != nil {
		t.Fatal(err)
	}
	encodes("remove the inner tag", plain)
}

// TestVLANEditLength tags a frame whose type is a length, and one whose length
// is of something unknown.
func TestVLANEditLength(t *testing.T) {
	for _, payload := range [][]byte{
		{0x42, 0x42, 0x03, 1, 2, 3},    // spanning tree
		{0xff, 0xff, 0x00, 0x06, 0, 0}, // Novell
	} {
		frame := slices.Concat(macB[:], macA[:], []byte{0, 6}, payload, []byte{0, 0, 0})
		want := slices.Concat(macB[:], macA[:], []byte{0x81, 0, 0, 9, 0, 6}, payload, []byte{0, 0, 0})
		var p Packet
		if err := p.Decode(link.TypeEthernet, frame); err != nil {
			t.Fatal(err)
		}
		eth := Must[Ethernet](&p)
		tag := &VLAN{ID: 9}
		if Has[LLC](&p) {
			if err := p.InsertAfter(eth, tag); err != nil {
				t.Fatal(err)
			}
			if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("insert: %v\n got % x\nwant % x", err, got, want)
			}
			continue
		}
		// A length without an LLC header follows what it counts.
		Must[Raw](&p).Data = payload[:4]
		shorter := slices.Concat(macB[:], macA[:], []byte{0, 4}, payload[:4], []byte{0, 0, 0})
		if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, shorter) {
			t.Errorf("shorten: %v\n got % x\nwant % x", err, got, shorter)
		}
	}
	// And out again: the length returns to the Ethernet header.
	b := unhex(t, vlanGoldens()[2].hex)
	var p Packet
	if err := p.Decode(link.TypeEthernet, b); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(Must[VLAN](&p)); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(b[:12], b[16:])
	if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("remove: %v\n got % x\nwant % x", err, got, want)
	}
}

// TestEthernetLength holds the numbers that are neither length nor type, and
// what is behind a length that is not LLC, against what tshark makes of them.
func TestEthernetLength(t *testing.T) {
	udp := unhex(t, hexUDP4)
	for _, c := range []struct {
		name string
		typ  uint16
		body []byte
		want *Protocol // of what follows
	}{
		{"1501", 1501, udp, &rawProtocol},
		{"1510", 1510, udp, &rawProtocol},
		{"1535", 1535, udp, &rawProtocol},
		{"1536", 1536, udp, &rawProtocol},
		{"Novell", 30, slices.Concat([]byte{0xff, 0xff}, udp), &rawProtocol},
		{"LLC", 33, slices.Concat([]byte{0x42, 0x42, 3}, udp), &llcProtocol},
	} {
		for _, tag := range []bool{false, true} {
			b := slices.Concat(macB[:], macA[:])
			depth := 1
			if tag {
				b = append(b, 0x81, 0, 0, 1)
				depth = 2
			}
			b = append(append(b, byte(c.typ>>8), byte(c.typ)), c.body...)
			var p Packet
			if err := p.Decode(link.TypeEthernet, b); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			i := 0
			for n := range p.Nodes() {
				if i == depth && n.Proto() != c.want {
					t.Errorf("%s (tagged: %v): %v, want %v", c.name, tag, n.Proto(), c.want)
				}
				i++
			}
			roundTrips(t, &ethernetProtocol, b)
		}
	}
}

// TestVLANRapid builds frames with any tags, and edits decoded ones.
func TestVLANRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag := rapid.Custom(func(t *rapid.T) VLAN {
			return VLAN{
				Priority:     rapid.Uint8Max(7).Draw(t, "Priority"),
				DropEligible: rapid.Bool().Draw(t, "DropEligible"),
				ID:           rapid.Uint16Max(0xfff).Draw(t, "ID"),
			}
		})
		tags := rapid.SliceOfN(tag, 1, 4).Draw(t, "tags")
		layers := []Layer{&Ethernet{Dst: macB, Src: macA}}
		for i := range tags {
			layers = append(layers, &tags[i])
		}
		if rapid.Bool().Draw(t, "LLC") {
			layers = append(layers, &LLC{}, &SNAP{})
		}
		b, err := Stack(append(layers, layersUDP4()...)...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if err := p.Decode(link.TypeEthernet, b); err != nil {
			t.Fatal(err)
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Fatalf("%v.%s: have %#x, want %#x", c.Node.Proto(), c.Field, c.Have, c.Want)
			}
		}
		i := 0
		for l := range All[VLAN](&p) {
			if l.Priority != tags[i].Priority || l.DropEligible != tags[i].DropEligible || l.ID != tags[i].ID {
				t.Fatalf("tag %d: got %+v, want %+v", i, l, tags[i])
			}
			i++
		}
		if i != len(tags) || !Has[UDP](&p) {
			t.Fatalf("%d tags, want %d; UDP: %v", i, len(tags), Has[UDP](&p))
		}
		// Take one out and put others in: everything stays right.
		if l, ok := Nth[VLAN](&p, rapid.IntRange(0, i-1).Draw(t, "remove")); ok {
			if err := p.Remove(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.InsertAfter(Must[Ethernet](&p), &VLAN{ID: 1}); err != nil {
			t.Fatal(err)
		}
		Must[Raw](&p).Data = rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		if b, err = p.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		if err := p.Decode(link.TypeEthernet, b); err != nil {
			t.Fatal(err)
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Fatalf("after the edit, %v.%s: have %#x, want %#x", c.Node.Proto(), c.Field, c.Have, c.Want)
			}
		}
		if !Has[UDP](&p) {
			t.Fatal("after the edit: no UDP")
		}
	})
}

func TestEtherTypeString(t *testing.T) {
	for typ, want := range map[EtherType]string{
		EtherTypeIPv4:     "IPv4",
		EtherTypeVLAN:     "802.1Q",
		EtherTypeQinQ:     "802.1ad",
		EtherTypeQinQ9100: "QinQ 0x9100",
		EtherTypeEAPOL:    "EAPOL",
		0x1234:            "0x1234",
	} {
		if got := typ.String(); got != want {
			t.Errorf("EtherType(%#04x) = %q, want %q", uint16(typ), got, want)
		}
	}
}
