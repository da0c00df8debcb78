package bench_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// The benchmarks of decoding, building and checksums run over 128 packets that
// differ in addresses and ports, all in the cache. Each case reads what its
// name says and adds it up, so that nothing is left out unseen; TestSums shows
// that all of them read the same.

const packets = 128

// frames returns packets of Ethernet, IPv4 or IPv6, and TCP or UDP.
func frames(tb testing.TB, v6, udp bool, payload int) [][]byte {
	tb.Helper()
	out := make([][]byte, packets)
	for i := range out {
		eth := &pkts.Ethernet{Dst: link.MacAddr{2, 0, 0, 0, 1, byte(i)}, Src: link.MacAddr{2, 0, 0, 0, 2, byte(i)}}
		stack := []pkts.Layer{eth}
		if v6 {
			src := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)})
			dst := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: 1, 15: byte(i)})
			stack = append(stack, &pkts.IPv6{HopLimit: 64, Src: src, Dst: dst})
		} else {
			stack = append(stack, &pkts.IPv4{TTL: 64, ID: uint16(i), Src: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Dst: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})})
		}
		if udp {
			stack = append(stack, &pkts.UDP{SrcPort: 1024 + uint16(i), DstPort: 53})
		} else {
			stack = append(stack, &pkts.TCP{SrcPort: 1024 + uint16(i), DstPort: 443, Seq: 1 << i, Ack: 7, Flags: pkts.TCPAck, Window: 8192})
		}
		if payload > 0 {
			stack = append(stack, &pkts.Raw{Data: make([]byte, payload)})
		}
		b, err := pkts.Stack(stack...).AppendBinary(nil)
		if err != nil {
			tb.Fatal(err)
		}
		out[i] = b
	}
	return out
}

// sum is what a case adds up: enough that the compiler cannot leave it out.
type sum uint64

func (s *sum) addr4(a []byte)        { *s += sum(binary.BigEndian.Uint32(a)) }
func (s *sum) addr16(a []byte)       { *s += sum(binary.BigEndian.Uint64(a[8:])) }
func (s *sum) ports(src, dst uint16) { *s += sum(src)<<16 + sum(dst) }
func (s *sum) payload(n int)         { *s += sum(n) }

func (s *sum) netip4(a netip.Addr) {
	b := a.As4()
	s.addr4(b[:])
}

func (s *sum) netip16(a netip.Addr) {
	b := a.As16()
	s.addr16(b[:])
}

// A decoder takes frames apart and adds up their addresses, ports and the
// lengths of their payloads.
type decoder struct {
	name string
	make func(tb testing.TB, v6, udp bool) func(fs [][]byte, s *sum)
}

var sinkHand handPacket

// handPacket is what a program writes by hand: slices into the frame.
type handPacket struct {
	dstMAC, srcMAC, src, dst, payload []byte
	srcPort, dstPort                  uint16
}

// handDecode is the decode that a programmer who needs these fields writes,
// with every length checked.
//
//go:noinline
func handDecode(b []byte, p *handPacket) bool {
	if len(b) < 14 {
		return false
	}
	p.dstMAC, p.srcMAC = b[0:6], b[6:12]
	var proto byte
	var l4 []byte
	switch binary.BigEndian.Uint16(b[12:]) {
	case 0x0800:
		ip := b[14:]
		if len(ip) < 20 || ip[0]>>4 != 4 {
			return false
		}
		n := int(ip[0]&15) * 4
		length := int(binary.BigEndian.Uint16(ip[2:]))
		if n < 20 || length < n || length > len(ip) || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			return false
		}
		p.src, p.dst = ip[12:16], ip[16:20]
		proto, l4 = ip[9], ip[n:length]
	case 0x86dd:
		ip := b[14:]
		if len(ip) < 40 || ip[0]>>4 != 6 {
			return false
		}
		length := int(binary.BigEndian.Uint16(ip[4:]))
		if length > len(ip)-40 {
			return false
		}
		p.src, p.dst = ip[8:24], ip[24:40]
		proto, l4 = ip[6], ip[40:40+length]
	default:
		return false
	}
	switch proto {
	case 6:
		if len(l4) < 20 {
			return false
		}
		n := int(l4[12]>>4) * 4
		if n < 20 || n > len(l4) {
			return false
		}
		p.payload = l4[n:]
	case 17:
		if len(l4) < 8 {
			return false
		}
		n := int(binary.BigEndian.Uint16(l4[4:]))
		if n < 8 || n > len(l4) {
			return false
		}
		p.payload = l4[8:n]
	default:
		return false
	}
	p.srcPort, p.dstPort = binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
	return true
}

func decoders() []decoder {
	return []decoder{
		{"hand", func(tb testing.TB, v6, _ bool) func([][]byte, *sum) {
			p := &sinkHand
			return func(fs [][]byte, total *sum) {
				var s sum
				for _, b := range fs {
					if !handDecode(b, p) {
						tb.Fatal("not decoded")
					}
					if v6 {
						s.addr16(p.src)
						s.addr16(p.dst)
					} else {
						s.addr4(p.src)
						s.addr4(p.dst)
					}
					s.ports(p.srcPort, p.dstPort)
					s.payload(len(p.payload))
				}
				*total += s
			}
		}},
		{"gopkts views", func(tb testing.TB, v6, udp bool) func([][]byte, *sum) {
			p := new(pkts.Packet)
			return func(fs [][]byte, total *sum) {
				var s sum
				for _, b := range fs {
					if err := p.Decode(link.TypeEthernet, b); err != nil {
						tb.Fatal(err)
					}
					if v6 {
						ip, _ := pkts.View[pkts.IPv6View](p)
						s.addr16(ip.SrcBytes())
						s.addr16(ip.DstBytes())
					} else {
						ip, _ := pkts.View[pkts.IPv4View](p)
						s.addr4(ip.SrcBytes())
						s.addr4(ip.DstBytes())
					}
					if udp {
						t, _ := pkts.View[pkts.UDPView](p)
						s.ports(t.SrcPort(), t.DstPort())
						s.payload(len(t.Payload()))
					} else {
						t, _ := pkts.View[pkts.TCPView](p)
						s.ports(t.SrcPort(), t.DstPort())
						s.payload(len(t.Payload()))
					}
				}
				*total += s
			}
		}},
		{"gopkts views, every field", func(tb testing.TB, v6, udp bool) func([][]byte, *sum) {
			p := new(pkts.Packet)
			return func(fs [][]byte, total *sum) {
				var s, rest sum
				for _, b := range fs {
					if err := p.Decode(link.TypeEthernet, b); err != nil {
						tb.Fatal(err)
					}
					eth, _ := pkts.View[pkts.EthernetView](p)
					rest += sum(eth.Dst()[5]) + sum(eth.Src()[5]) + sum(eth.Type())
					if v6 {
						ip, _ := pkts.View[pkts.IPv6View](p)
						s.addr16(ip.SrcBytes())
						s.addr16(ip.DstBytes())
						rest += sum(ip.DSCP()) + sum(ip.ECN()) + sum(ip.FlowLabel()) + sum(ip.PayloadLength()) + sum(ip.NextHeader()) + sum(ip.HopLimit())
					} else {
						ip, _ := pkts.View[pkts.IPv4View](p)
						s.addr4(ip.SrcBytes())
						s.addr4(ip.DstBytes())
						rest += sum(ip.HeaderLen()) + sum(ip.DSCP()) + sum(ip.ECN()) + sum(ip.Length()) + sum(ip.ID()) + sum(ip.Flags()) +
							sum(ip.FragmentOffset()) + sum(ip.TTL()) + sum(ip.Protocol()) + sum(ip.Checksum()) + sum(len(ip.Options()))
					}
					if udp {
						t, _ := pkts.View[pkts.UDPView](p)
						s.ports(t.SrcPort(), t.DstPort())
						s.payload(len(t.Payload()))
						rest += sum(t.Length()) + sum(t.Checksum())
					} else {
						t, _ := pkts.View[pkts.TCPView](p)
						s.ports(t.SrcPort(), t.DstPort())
						s.payload(len(t.Payload()))
						rest += sum(t.Seq()) + sum(t.Ack()) + sum(t.HeaderLen()) + sum(t.Flags()) + sum(t.Window()) + sum(t.Checksum()) +
							sum(t.UrgentPointer()) + sum(len(t.Options()))
					}
				}
				if rest == 0 {
					tb.Fatal("nothing read")
				}
				*total += s
			}
		}},
		{"gopkts layers", func(tb testing.TB, v6, udp bool) func([][]byte, *sum) {
			p := new(pkts.Packet)
			return func(fs [][]byte, total *sum) {
				var s sum
				for _, b := range fs {
					if err := p.Decode(link.TypeEthernet, b); err != nil {
						tb.Fatal(err)
					}
					if _, ok := pkts.Get[pkts.Ethernet](p); !ok {
						tb.Fatal("no Ethernet")
					}
					var length int
					if v6 {
						ip, _ := pkts.Get[pkts.IPv6](p)
						s.netip16(ip.Src)
						s.netip16(ip.Dst)
						length = int(ip.PayloadLength.Value())
					} else {
						ip, _ := pkts.Get[pkts.IPv4](p)
						s.netip4(ip.Src)
						s.netip4(ip.Dst)
						length = int(ip.Length.Value()) - int(ip.IHL.Value())*4
					}
					if udp {
						t, _ := pkts.Get[pkts.UDP](p)
						s.ports(t.SrcPort, t.DstPort)
						s.payload(int(t.Length.Value()) - pkts.UDPLen)
					} else {
						t, _ := pkts.Get[pkts.TCP](p)
						s.ports(t.SrcPort, t.DstPort)
						s.payload(length - int(t.DataOffset.Value())*4)
					}
				}
				*total += s
			}
		}},
		// As its documentation shows: which of the layers hold this packet is what
		// the list says.
		{"gopacket DecodingLayerParser", func(tb testing.TB, v6, udp bool) func([][]byte, *sum) {
			var eth layers.Ethernet
			var ip4 layers.IPv4
			var ip6 layers.IPv6
			var tcp layers.TCP
			var ud layers.UDP
			var payload gopacket.Payload
			parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &ip4, &ip6, &tcp, &ud, &payload)
			parser.IgnoreUnsupported = true
			decoded := make([]gopacket.LayerType, 0, 8)
			return func(fs [][]byte, total *sum) {
				var s sum
				for _, b := range fs {
					if err := parser.DecodeLayers(b, &decoded); err != nil {
						tb.Fatal(err)
					}
					for _, t := range decoded {
						switch t {
						case layers.LayerTypeIPv4:
							s.addr4(ip4.SrcIP)
							s.addr4(ip4.DstIP)
						case layers.LayerTypeIPv6:
							s.addr16(ip6.SrcIP)
							s.addr16(ip6.DstIP)
						case layers.LayerTypeTCP:
							s.ports(uint16(tcp.SrcPort), uint16(tcp.DstPort))
							s.payload(len(tcp.Payload))
						case layers.LayerTypeUDP:
							s.ports(uint16(ud.SrcPort), uint16(ud.DstPort))
							s.payload(len(ud.Payload))
						}
					}
				}
				*total += s
			}
		}},
		newPacket("gopacket NewPacket", gopacket.Default),
		newPacket("gopacket NewPacket, NoCopy", gopacket.NoCopy),
	}
}

// newPacket is gopacket's NewPacket with one of the options that it offers by
// name.
func newPacket(name string, options gopacket.DecodeOptions) decoder {
	return decoder{name, func(testing.TB, bool, bool) func([][]byte, *sum) {
		return func(fs [][]byte, total *sum) {
			var s sum
			for _, b := range fs {
				p := gopacket.NewPacket(b, layers.LayerTypeEthernet, options)
				switch ip := p.NetworkLayer().(type) {
				case *layers.IPv4:
					s.addr4(ip.SrcIP)
					s.addr4(ip.DstIP)
				case *layers.IPv6:
					s.addr16(ip.SrcIP)
					s.addr16(ip.DstIP)
				}
				switch t := p.TransportLayer().(type) {
				case *layers.TCP:
					s.ports(uint16(t.SrcPort), uint16(t.DstPort))
					s.payload(len(t.Payload))
				case *layers.UDP:
					s.ports(uint16(t.SrcPort), uint16(t.DstPort))
					s.payload(len(t.Payload))
				}
			}
			*total += s
		}
	}}
}

var decodeCases = []struct {
	name    string
	v6, udp bool
	payload int
}{
	{"IPv4_TCP_0", false, false, 0},
	{"IPv4_TCP_1400", false, false, 1400},
	{"IPv6_UDP_100", true, true, 100},
}

// TestSums shows that all decoders read the same from every frame.
func TestSums(t *testing.T) {
	for _, c := range decodeCases {
		fs := frames(t, c.v6, c.udp, c.payload)
		var want sum
		for i, d := range decoders() {
			var got sum
			decode := d.make(t, c.v6, c.udp)
			decode(fs, &got)
			if i == 0 {
				want = got
			} else if got != want {
				t.Errorf("%s: %s read %d, %s %d", c.name, d.name, got, decoders()[0].name, want)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range decodeCases {
		for _, d := range decoders() {
			b.Run(c.name+"/"+d.name, func(b *testing.B) {
				fs := frames(b, c.v6, c.udp, c.payload)
				decode := d.make(b, c.v6, c.udp)
				var s sum
				b.ReportAllocs()
				start := cpuTime()
				for b.Loop() {
					decode(fs, &s)
				}
				used := cpuTime() - start
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packets, "ns/packet")
				b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/packets, "cpu-ns/packet")
				if s == 0 {
					b.Fatal("nothing read")
				}
			})
		}
	}
}

// builder appends Ethernet, IPv4 and TCP with both checksums and the payload.
type builder struct {
	name string
	make func(tb testing.TB, payload []byte) func() []byte
}

func builders() []builder {
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	return []builder{
		{"gopkts", func(tb testing.TB, payload []byte) func() []byte {
			p := pkts.Stack(
				&pkts.Ethernet{Dst: link.MacAddr{2, 0, 0, 0, 0, 2}, Src: link.MacAddr{2, 0, 0, 0, 0, 1}},
				&pkts.IPv4{TTL: 64, ID: 1, Src: src, Dst: dst},
				&pkts.TCP{SrcPort: 1024, DstPort: 443, Seq: 1, Ack: 2, Flags: pkts.TCPAck, Window: 8192},
				&pkts.Raw{Data: payload},
			)
			tcp := pkts.Must[pkts.TCP](p)
			buf := make([]byte, 0, 2048)
			return func() []byte {
				tcp.Seq++
				var err error
				if buf, err = p.AppendBinary(buf[:0]); err != nil {
					tb.Fatal(err)
				}
				return buf
			}
		}},
		{"gopacket SerializeLayers", func(tb testing.TB, payload []byte) func() []byte {
			eth := &layers.Ethernet{DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4}
			ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Id: 1, Protocol: layers.IPProtocolTCP, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
			tcp := &layers.TCP{SrcPort: 1024, DstPort: 443, Seq: 1, Ack: 2, ACK: true, Window: 8192}
			if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
				tb.Fatal(err)
			}
			buf := gopacket.NewSerializeBufferExpectedSize(2048, 0)
			opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
			ls := []gopacket.SerializableLayer{eth, ip, tcp, gopacket.Payload(payload)}
			return func() []byte {
				tcp.Seq++
				if err := gopacket.SerializeLayers(buf, opts, ls...); err != nil {
					tb.Fatal(err)
				}
				return buf.Bytes()
			}
		}},
		gvisorBuilder(src, dst),
	}
}

// TestBuilders shows that all builders make the same packet.
func TestBuilders(t *testing.T) {
	payload := make([]byte, 1400)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	want := builders()[0].make(t, payload)()
	for _, c := range builders()[1:] {
		if got := c.make(t, payload)(); string(got) != string(want) {
			t.Errorf("%s\n got %x\nwant %x", c.name, got, want)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	payload := make([]byte, 1400)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	for _, c := range builders() {
		b.Run(c.name, func(b *testing.B) {
			build := c.make(b, payload)
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				build()
			}
			used := cpuTime() - start
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/packet")
		})
	}
}
