package pkts

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

// plainFrames returns frames of each kind that Decode knows without nodes.
func plainFrames(t *testing.T) map[string][]byte {
	frames := map[string][]byte{}
	for tags := range maxPlainTags + 1 {
		for _, ip := range []Layer{&IPv4{TTL: 1}, &IPv6{HopLimit: 1}} {
			for _, up := range []Layer{&TCP{SrcPort: 1, Options: TCPOptions{1, 1, 1, 0}}, &UDP{DstPort: 2}} {
				for _, data := range []int{0, 9} {
					for _, pad := range []int{0, 7} {
						ls := []Layer{&Ethernet{}}
						for i := range tags {
							ls = append(ls, &VLAN{ID: uint16(i)})
						}
						ls = append(ls, ip, up)
						if data != 0 {
							ls = append(ls, &Raw{Data: make([]byte, data)})
						}
						if pad != 0 {
							ls = append(ls, &Padding{Data: make([]byte, pad)})
						}
						b, err := Stack(ls...).AppendBinary(nil)
						if err != nil {
							t.Fatal(err)
						}
						frames[fmt.Sprintf("%d tags %v %v %d+%d", tags, ip.Proto(), up.Proto(), data, pad)] = b
					}
				}
			}
		}
	}
	return frames
}

// sameFirst compares the outermost layer of a type, and its bytes, in p with
// those in q, whose nodes are written.
func sameFirst[T any, V ViewOf, P LayerPtr[T]](t *testing.T, p, q *Packet) {
	t.Helper()
	proto := V(nil).Proto()
	got, ok := View[V](p)
	want, wantOK := NthView[V](q, 0)
	if ok != wantOK || !bytes.Equal(got, want) || cap(got) != cap(want) {
		t.Errorf("view of %v: %x, %v, want %x, %v", proto, got, ok, want, wantOK)
	}
	l, ok := Get[T, P](p)
	m, err := Find[T, P](q, 0)
	if ok != (err == nil) {
		t.Errorf("%v: %v, want %v", proto, ok, err)
	}
	if !ok {
		return
	}
	b, _ := l.AppendBinary(nil)
	if w, _ := m.AppendBinary(nil); !bytes.Equal(b, w) {
		t.Errorf("%v: %x, want %x", proto, b, w)
	}
	if again, _ := Get[T, P](p); again != l {
		t.Errorf("%v: another layer the second time", proto)
	}
}

// TestPlain asks plain frames for layers before their nodes are written, and
// compares the answers, and the nodes when they are, with those of walk.
func TestPlain(t *testing.T) {
	ask := []func(*testing.T, *Packet, *Packet){
		sameFirst[Ethernet, EthernetView],
		sameFirst[IPv4, IPv4View],
		sameFirst[IPv6, IPv6View],
		sameFirst[TCP, TCPView],
		sameFirst[UDP, UDPView],
		sameFirst[VLAN, VLANView],
		sameFirst[ARP, ARPView],
		sameFirst[Raw, RawView],
		sameFirst[Padding, PaddingView],
	}
	var p Packet // one for all, so that slots are those of other frames, too
	for name, b := range plainFrames(t) {
		for first := range ask {
			for second := range ask {
				t.Run(fmt.Sprintf("%s, %d, %d", name, first, second), func(t *testing.T) {
					var q Packet
					for range 2 { // the second time, the slots fit
						if err := p.Decode(link.TypeEthernet, b); err != nil || p.plain.ip == 0 {
							t.Fatalf("not plain: %v", err)
						}
						if err := q.decode(kindEthernet, b); err != nil {
							t.Fatal(err)
						}
						ask[first](t, &p, &q)
						ask[second](t, &p, &q)
						if got, want := p.filled != 0, q.filled != 0; got != want {
							t.Errorf("filled in: %v, want %v", got, want)
						}
						for i := range q.table {
							q.table[i].flags &^= nodeWhole // only walk itself asks for it
						}
						if diff := cmp.Diff(q.table, p.nodes(), cmp.AllowUnexported(node{}), cmpopts.EquateEmpty()); diff != "" {
							t.Errorf("(-want +got):\n%s", diff)
						}
						for n := range p.Nodes() {
							if l, err := n.Layer(); err != nil || l.Proto() != n.Proto() {
								t.Errorf("a layer %T in the node of %v: %v", l, n.Proto(), err)
							}
						}
						if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, b) {
							t.Errorf("encoded as %x, %v, want %x", got, err, b)
						}
					}
				})
			}
		}
	}
}

// TestPlainWithout asks plain frames for the layers of other plain frames: there
// are none, and no nodes are written to find that out.
func TestPlainWithout(t *testing.T) {
	for name, b := range plainFrames(t) {
		var p Packet
		if err := p.Decode(link.TypeEthernet, b); err != nil {
			t.Fatal(err)
		}
		_, v4 := View[IPv4View](&p)
		_, v6 := View[IPv6View](&p)
		_, tcp := View[TCPView](&p)
		_, udp := View[UDPView](&p)
		if v4 == v6 || tcp == udp {
			t.Errorf("%s: views of IPv4 %v, IPv6 %v, TCP %v, UDP %v", name, v4, v6, tcp, udp)
		}
		if l, ok := Get[IPv4](&p); ok != v4 || ok != (l != nil) {
			t.Errorf("%s: IPv4 %v, %v", name, l, ok)
		}
		if l, ok := Get[IPv6](&p); ok != v6 || ok != (l != nil) {
			t.Errorf("%s: IPv6 %v, %v", name, l, ok)
		}
		if l, ok := Get[TCP](&p); ok != tcp || ok != (l != nil) {
			t.Errorf("%s: TCP %v, %v", name, l, ok)
		}
		if l, ok := Get[UDP](&p); ok != udp || ok != (l != nil) {
			t.Errorf("%s: UDP %v, %v", name, l, ok)
		}
		if p.plain.ip == 0 {
			t.Errorf("%s: nodes are written", name)
		}
	}
}

// TestPlainKeeps shows that the nodes of a plain frame are what was decoded,
// whatever a view has written since, and that editing a layer counts.
func TestPlainKeeps(t *testing.T) {
	for name, b := range plainFrames(t) {
		t.Run(name, func(t *testing.T) {
			var p, q Packet
			for range 2 {
				b := slices.Clone(b)
				_ = p.Decode(link.TypeEthernet, b)
				_ = q.decode(kindEthernet, b)
				eth, _ := View[EthernetView](&p)
				eth.SetType(EtherTypeARP)
				clear(eth[EthernetLen:])
				if p.Len() != q.Len() {
					t.Errorf("%d layers, want %d", p.Len(), q.Len())
				}
				for i, n := range p.nodes() {
					w := q.table[i]
					if w.flags = 0; n != w {
						t.Errorf("node %d is %+v, want %+v", i, n, w)
					}
				}
			}
			_ = p.Decode(link.TypeEthernet, b)
			_ = q.decode(kindEthernet, b)
			for _, p := range []*Packet{&p, &q} {
				Must[Ethernet](p).Dst = link.MacAddr{1}
				if l, ok := Get[TCP](p); ok {
					l.Window++
				}
				if l, ok := Get[UDP](p); ok {
					l.SrcPort++
				}
			}
			want, _ := q.AppendBinary(nil)
			if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, want) || bytes.Equal(got, b) {
				t.Errorf("encoded as %x, %v, want %x", got, err, want)
			}
			if got, err := p.Clone().AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("its clone encoded as %x, %v, want %x", got, err, want)
			}
		})
	}
}

// TestPlainTagged decodes frames with VLAN tags that are not plain, and compares
// their nodes with those of walk.
func TestPlainTagged(t *testing.T) {
	tagged := func(tags int, ls ...Layer) []byte {
		all := []Layer{&Ethernet{}}
		for i := range tags {
			all = append(all, &VLAN{ID: uint16(i)})
		}
		b, err := Stack(append(all, ls...)...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	data := &Raw{Data: make([]byte, 64)}
	frames := map[string][]byte{
		"three tags": tagged(3, &IPv4{}, &TCP{}, data),
		"ICMP":       tagged(1, &IPv4{}, &ICMPv4{}, data),
		"a fragment": tagged(1, &IPv4{FragmentOffset: 1}, data),
		"options":    tagged(2, &IPv4{Options: IPv4Options{1, 1, 1, 0}}, &UDP{}, data),
		"ARP":        tagged(1, &ARP{}, data),
		"nothing":    tagged(2),
		"in a tag":   tagged(2, &IPv4{}, &TCP{})[:17],
		"cut":        tagged(1, &IPv4{}, &TCP{}, data)[:60],
		"no TCP":     tagged(1, &IPv4{}, &TCP{DataOffset: Pin[uint8](1)}, data),
		"length":     tagged(1, &IPv6{}, &UDP{Length: Pin[uint16](9)}, data),
	}
	plain := tagged(1, &IPv4{}, &TCP{}, data)
	for name, b := range frames {
		t.Run(name, func(t *testing.T) {
			var p, q Packet
			for range 2 {
				if err := p.Decode(link.TypeEthernet, plain); err != nil || p.plain.ip == 0 {
					t.Fatalf("not plain: %v", err)
				}
				err := p.Decode(link.TypeEthernet, b)
				want := q.decode(kindEthernet, b)
				if p.plain.ip != 0 {
					t.Fatal("it is plain")
				}
				if fmt.Sprint(err) != fmt.Sprint(want) {
					t.Errorf("error %v, want %v", err, want)
				}
				if diff := cmp.Diff(q.table, p.nodes(), cmp.AllowUnexported(node{}), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestPlainLayers decodes plain frames and tunnels in turn, and shows that no two
// nodes of a packet have the same layer, that a layer stays the same one when
// the nodes are written, and that packets are encoded as they were.
func TestPlainLayers(t *testing.T) {
	frames := plainFrames(t)
	for name, ls := range map[string][]Layer{
		"IP in IP":    {&Ethernet{}, &IPv4{}, &IPv4{}, &TCP{}},
		"IPv6 in IP":  {&Ethernet{}, &VLAN{}, &IPv4{}, &IPv6{}, &UDP{}},
		"a bridge":    {&Ethernet{}, &IPv4{}, &GRE{}, &Ethernet{}, &VLAN{}, &IPv4{}, &TCP{}, &Padding{Data: make([]byte, 3)}},
		"only IP":     {&Ethernet{}, &IPv6{}, &ICMPv6{}},
		"no Ethernet": {&IPv4{}, &TCP{}},
	} {
		b, err := Stack(ls...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		frames[name] = b
	}
	rapid.Check(t, func(t *rapid.T) {
		names := slices.Sorted(maps.Keys(frames))
		var p, q Packet
		for range 12 {
			name := rapid.SampledFrom(names).Draw(t, "frame")
			b, first := frames[name], link.TypeEthernet
			if name == "no Ethernet" {
				first = link.TypeRaw
			}
			if err := p.Decode(first, b); err != nil {
				t.Fatal(err)
			}
			_ = q.Decode(first, b)
			got := map[*Protocol]Layer{}
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "layers") {
				l := []func() Layer{
					func() Layer { l, _ := Get[Ethernet](&p); return l },
					func() Layer { l, _ := Get[IPv4](&p); return l },
					func() Layer { l, _ := Get[IPv6](&p); return l },
					func() Layer { l, _ := Get[TCP](&p); return l },
					func() Layer { l, _ := Get[UDP](&p); return l },
				}[i]()
				if q.index(l.Proto(), 0) >= 0 == (fmt.Sprint(l) == "<nil>") {
					t.Fatalf("%s: %v is %v", name, l.Proto(), l)
				}
				got[l.Proto()] = l
			}
			if rapid.Bool().Draw(t, "nodes") {
				seen := map[Layer]bool{}
				for n := range p.Nodes() {
					l, err := n.Layer()
					if err != nil || seen[l] {
						t.Fatalf("%s: node %v has %v, %v", name, n.Proto(), l, err)
					}
					seen[l] = true
					if g, ok := got[n.Proto()]; ok && g != l {
						t.Fatalf("%s: %v is another layer than before", name, n.Proto())
					}
					delete(got, n.Proto()) // the outermost only
				}
			}
			if out, err := p.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
				t.Fatalf("%s: encoded as %x, %v, want %x", name, out, err, b)
			}
		}
	})
}

// TestPlainOverwritten writes over the bytes of plain frames between decoding
// and use, as happens to who keeps a Packet for longer than its bytes. What its
// layers are then is not defined, but nothing panics.
func TestPlainOverwritten(t *testing.T) {
	for name, b := range plainFrames(t) {
		t.Run(name, func(t *testing.T) {
			for _, with := range []byte{0, 0xff} {
				var p Packet
				b := bytes.Clone(b)
				if err := p.Decode(link.TypeEthernet, b); err != nil {
					t.Fatal(err)
				}
				for i := range b {
					b[i] = with
				}
				if _, ok := Get[Ethernet](&p); !ok {
					t.Error("no Ethernet")
				}
				Get[UDP](&p)
				Get[TCP](&p)
				Get[IPv6](&p)
				Get[IPv4](&p)
				_, _ = p.AppendBinary(nil)
				_ = p.Flow()
				_ = p.String()
			}
		})
	}
}
