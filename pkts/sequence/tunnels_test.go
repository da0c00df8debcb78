package sequence

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/pkts"
)

// tunnelKinds put an IP packet into a tunnel between two hosts.
var tunnelKinds = []struct {
	name   string
	layers func(inner pkts.EtherType) []pkts.Layer
}{
	{"GRE", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.GRE{ProtocolType: pkts.Pin(t)}}
	}},
	{"GRE with a checksum, Ethernet", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.GRE{Flags: pkts.GREChecksum | pkts.GREKey, Key: 5}, &pkts.Ethernet{Type: pkts.Pin(t)}}
	}},
	{"GRE over UDP", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.UDP{SrcPort: 50000, DstPort: 4754}, &pkts.GRE{ProtocolType: pkts.Pin(t)}}
	}},
	{"VXLAN", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.UDP{SrcPort: 50000, DstPort: 4789}, &pkts.VXLAN{VNI: 7}, &pkts.Ethernet{Type: pkts.Pin(t)}}
	}},
	{"VXLAN, VLAN", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.UDP{SrcPort: 50000, DstPort: 4789}, &pkts.VXLAN{VNI: 7}, &pkts.Ethernet{}, &pkts.VLAN{ID: 5, Type: pkts.Pin(t)}}
	}},
	{"Geneve", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.UDP{SrcPort: 50000, DstPort: 6081}, &pkts.Geneve{VNI: 7, Options: make([]byte, 8)}, &pkts.Ethernet{Type: pkts.Pin(t)}}
	}},
	{"Geneve, IP", func(t pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.UDP{SrcPort: 50000, DstPort: 6081}, &pkts.Geneve{VNI: 7, ProtocolType: pkts.Pin(t)}}
	}},
	{"GTP-U", func(pkts.EtherType) []pkts.Layer {
		return []pkts.Layer{&pkts.UDP{SrcPort: 2152, DstPort: 2152}, &pkts.GTPU{TEID: 7, Flags: pkts.GTPUSeq, Seq: 3}}
	}},
}

// tunneled puts an IP packet into a tunnel, and returns the payload of the outer
// IP packet, and its protocol.
func tunneled(t testing.TB, layers func(pkts.EtherType) []pkts.Layer, inner []byte) ([]byte, pkts.IPProto) {
	t.Helper()
	typ := pkts.EtherTypeIPv4
	if inner[0]>>4 == 6 {
		typ = pkts.EtherTypeIPv6
	}
	ls := append([]pkts.Layer{&pkts.IPv4{TTL: 9, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.2")}}, layers(typ)...)
	b, err := pkts.Stack(append(ls, &pkts.Raw{Data: inner})...).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b[pkts.IPv4MinLen:], pkts.IPv4View(b).Protocol()
}

// TestTunnels puts fragments together that went through tunnels, and were cut
// again on the way, in any order.
func TestTunnels(t *testing.T) {
	r := pkts.Default.With(pkts.UDPTunnels()...)
	for i, kind := range tunnelKinds {
		for _, v6 := range []bool{false, true} {
			inner := frag{src: 1, dst: 2, id: 7, data: seq(3000)}
			var packets [][]byte
			for n, p := range builds(cut(inner, 1000), v6) {
				data, proto := tunneled(t, kind.layers, p)
				packets = append(packets, builds(cut(frag{src: 1, dst: 2, id: uint32(n), proto: proto, data: data}, 400), false)...)
			}
			rand.New(rand.NewPCG(uint64(i), 4)).Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
			x := feed(t, &Fragments{Tunnels: 1, Registry: r}, packets...)
			want := whole4(inner)
			if v6 {
				want = whole6(inner)
			}
			x.want(want)
			if s := x.Stats(); x.last.Tunnel == 0 || s.Reassembled != 4 {
				t.Errorf("%s: tunnel %d, %d datagrams were put together, want 4", kind.name, x.last.Tunnel, s.Reassembled)
			}

			// Nothing is opened that was not asked for.
			data, proto := tunneled(t, kind.layers, want)
			outer := whole4(frag{src: 1, dst: 2, proto: proto, data: data})
			feed(t, &Fragments{Registry: r}, outer).want(outer)
			if proto == pkts.IPProtoUDP {
				feed(t, &Fragments{Tunnels: 1}, outer).want(outer)
			}
		}
	}
}

// TestTunnelsNested opens tunnels of all kinds inside each other.
func TestTunnelsNested(t *testing.T) {
	r := pkts.Default.With(pkts.UDPTunnels()...)
	inner := whole4(frag{src: 1, dst: 2, data: seq(100)})
	levels := [][]byte{inner}
	for _, kind := range tunnelKinds {
		data, proto := tunneled(t, kind.layers, levels[len(levels)-1])
		levels = append(levels, whole4(frag{src: 1, dst: 2, proto: proto, data: data}))
	}
	all := len(tunnelKinds)
	for depth := range all + 1 {
		feed(t, &Fragments{Tunnels: depth, Registry: r}, levels[all]).want(levels[all-depth])
	}
}

// TestTunnelsNetworks puts fragments of two hosts together that are in two VXLAN
// networks between the same endpoints, with the same addresses and identification.
func TestTunnelsNetworks(t *testing.T) {
	r := pkts.Default.With(pkts.UDPTunnels()...)
	var packets, want [][]byte
	for vni := range uint32(2) {
		inner := frag{src: 1, dst: 2, id: 7, data: bytes.Repeat([]byte{byte(vni)}, 3000)}
		want = append(want, whole4(inner))
		for n, p := range builds(cut(inner, 1000), false) {
			data, proto := tunneled(t, func(pkts.EtherType) []pkts.Layer {
				return []pkts.Layer{&pkts.UDP{SrcPort: 50000, DstPort: 4789}, &pkts.VXLAN{VNI: vni}, &pkts.Ethernet{Type: pkts.Pin(pkts.EtherTypeIPv4)}}
			}, p)
			packets = append(packets, whole4(frag{src: 1, dst: 2, id: uint32(n), proto: proto, data: data}))
		}
	}
	packets[1], packets[4] = packets[4], packets[1] // each has one of the other's in the middle
	x := feed(t, &Fragments{Tunnels: 1, Registry: r}, packets...)
	x.want(want...)
	if s := x.Stats(); s.Reassembled != 2 {
		t.Errorf("%d datagrams were put together, want 2", s.Reassembled)
	}
}

// TestTunnelsTCP reads a connection out of tunnels: its segments are cut, and
// what carries them is cut again, and the fragments come the wrong way round.
func TestTunnelsTCP(t *testing.T) {
	r := pkts.Default.With(pkts.UDPTunnels()...)
	const script = `
	A S 100
	B SA 500 101
	A A 101 501 "GET / "
	A A 112 501 "1.1, and a longer line that takes fragments"
	A A 107 501 "HTTP/"
	B A 501 155 "200 "
	B A 505 155 "OK"
	A FA 155 507
	B FA 507 156
	A A 156 508`
	for _, kind := range tunnelKinds {
		var n uint64
		packets := func(yield func(Datagram, error) bool) {
			for d := range datagramsOf(t, script, nil) {
				v := pkts.IPv4View(d.Data)
				f := frag{id: uint32(d.Packet), proto: v.Protocol(), data: v.Payload()}
				var outer [][]byte
				for i, p := range builds(cut(f, 24), false) {
					copy(p[12:20], d.Data[12:20]) // its addresses
					p[10], p[11] = 0, 0
					data, proto := tunneled(t, kind.layers, p)
					o := frag{src: 1, dst: 2, id: uint32(d.Packet)<<8 | uint32(i), proto: proto, data: data}
					outer = append(outer, builds(cut(o, 32), false)...)
				}
				for i := len(outer) - 1; i >= 0; i-- {
					n++
					if !yield(Datagram{Data: outer[i], Seen: Seen{n, d.Time}}, nil) {
						return
					}
				}
			}
		}
		sides, tcp := tunnelStreams(t, &Fragments{Tunnels: 1, Registry: r}, packets)
		if want := "GET / HTTP/1.1, and a longer line that takes fragments"; sides[Forward] != want {
			t.Errorf("%s: %q, want %q", kind.name, sides[Forward], want)
		}
		if sides[Backward] != "200 OK" {
			t.Errorf("%s: %q", kind.name, sides[Backward])
		}
		if s := tcp.Stats(); s.Segments != 10 {
			t.Errorf("%s: %d segments, want 10", kind.name, s.Segments)
		}
	}
}

// tunnelStreams returns what the one connection among the packets carried.
func tunnelStreams(t testing.TB, f *Fragments, packets iter.Seq2[Datagram, error]) (sides [2]string, tcp *TCP) {
	t.Helper()
	var b [2]bytes.Buffer
	tcp = new(TCP)
	s := Then(Sequence[Datagram, Datagram](f), Sequence[Datagram, Chunk](tcp))
	for c, err := range All(s, packets) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Lost > 0 || c.Tunnel == 0 && len(c.Data) > 0 {
			t.Errorf("%d bytes were lost, tunnel %d", c.Lost, c.Tunnel)
		}
		b[c.Direction].Write(c.Data)
	}
	return [2]string{b[0].String(), b[1].String()}, tcp
}
