package pkts

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

// tunnelPackets are whole packets of scapy 2.5.0, and what they are.
var tunnelPackets = []struct {
	name, hex, shape, summary string
}{{
	"VXLAN", // Ether/IP/UDP/VXLAN(vni=100, flags=8)/Ether/IP/UDP
	`02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 00 53 12 34 00 00 40 11 e4 62 c0 00 02 01 c0 00 02 02
	c0 00 12 b5 00 3f 44 d0 08 00 00 00 00 00 64 00 02 00 00 00 00 04 02 00 00 00 00 03 08 00` + tunnelInnerHex,
	"Ethernet .IPv4 ..UDP ...VXLAN ....Ethernet .....IPv4 ......UDP .......Raw",
	"IP 192.0.2.1.49152 > 192.0.2.2.4789: UDP, length 55: VXLAN, flags [I] (0x08), vni 100: IP 10.0.0.1.5000 > 10.0.0.2.5001: UDP, length 5",
}, {
	"Geneve", // Ether/IPv6/UDP/GENEVE(vni=0xfffffe, oam=1, proto=0x0800)/IP/UDP
	`02 00 00 00 00 02 02 00 00 00 00 01 86 dd 60 00 00 00 00 31 11 40 ` + tunnelOuter6Hex + `
	c0 00 17 c1 00 31 d9 f5 00 80 08 00 ff ff fe 00` + tunnelInnerHex,
	"Ethernet .IPv6 ..UDP ...Geneve ....IPv4 .....UDP ......Raw",
	"IP6 2001:db8::1.49152 > 2001:db8::2.6081: UDP, length 41: Geneve, Flags [O], vni 0xfffffe: IP 10.0.0.1.5000 > 10.0.0.2.5001: UDP, length 5",
}, {
	"GTP-U", // Ether/IP/UDP/GTP_U_Header(teid=0x01020304)/IP/UDP
	`02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 00 45 12 34 00 00 40 11 e4 70 c0 00 02 01 c0 00 02 02
	08 68 08 68 00 31 49 b3 30 ff 00 21 01 02 03 04` + tunnelInnerHex,
	"Ethernet .IPv4 ..UDP ...GTP-U ....IPv4 .....UDP ......Raw",
	"IP 192.0.2.1.2152 > 192.0.2.2.2152: UDP, length 41: GTP-U, G-PDU, teid 0x1020304, length 33: IP 10.0.0.1.5000 > 10.0.0.2.5001: UDP, length 5",
}}

// TestUDPTunnels decodes, verifies, prints and edits tunnels over UDP.
func TestUDPTunnels(t *testing.T) {
	r := Default.With(UDPTunnels()...)
	for _, test := range tunnelPackets {
		b := unhex(t, test.hex)
		p := Packet{Registry: r}
		if err := p.Decode(link.TypeEthernet, b); err != nil {
			t.Fatal(err)
		}
		if got := coreShape(&p); got != test.shape {
			t.Errorf("%s: %q, want %q", test.name, got, test.shape)
		}
		if got := string(p.AppendSummary(nil)); got != test.summary {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.summary)
		}
		if got := p.InnermostFlow().String(); got != "10.0.0.1:5000 > 10.0.0.2:5001 UDP" {
			t.Errorf("%s: InnermostFlow is %s", test.name, got)
		}
		if f, _ := p.NthFlow(0); f != p.Flow() || strings.HasPrefix(f.String(), "10.") {
			t.Errorf("%s: Flow is %v", test.name, p.Flow())
		}
		Must[Raw](&p).Data = []byte("hello, tunnel")
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		q := Packet{Registry: r}
		if err := q.Decode(link.TypeEthernet, got); err != nil || coreShape(&q) != test.shape || len(got) != len(b)+8 {
			t.Errorf("%s, edited: %q, %v", test.name, coreShape(&q), err)
		}
		n := 0
		for c := range q.Checks() {
			if n++; c.Status != CheckGood {
				t.Errorf("%s, edited: %v.%s is %v: have %#x, want %#x", test.name, c.Node.Proto(), c.Field, c.Status, c.Have, c.Want)
			}
		}
		if n < 9 {
			t.Errorf("%s: only %d checks", test.name, n)
		}
		// Nothing is guessed where nobody asked for it.
		p.Registry = nil
		if err := p.Decode(link.TypeEthernet, b); err != nil || !strings.HasSuffix(coreShape(&p), "..UDP ...Raw") {
			t.Errorf("%s, without bindings: %q, %v", test.name, coreShape(&p), err)
		}
	}
	var ports []uint64
	for _, b := range UDPTunnels() {
		if b.At.Table != UDPPorts {
			t.Errorf("%v", b.At)
		}
		ports = append(ports, b.At.Number)
	}
	if want := []uint64{4789, 6081, 2152, 4754}; !slices.Equal(ports, want) {
		t.Errorf("ports %v, want %v", ports, want)
	}
}

// TestUDPTunnelPort binds another port.
func TestUDPTunnelPort(t *testing.T) {
	b := coreBuild(t, &Ethernet{}, coreV4(nil), &UDP{SrcPort: 1, DstPort: 8472}, &VXLAN{VNI: 7}, &Ethernet{}, coreV6(3), &TCP{})
	p := Packet{Registry: Default.With(Binding{At: ByUDPPort(8472), Protocol: VXLANView(nil).Proto()})}
	if err := p.Decode(link.TypeEthernet, b); err != nil || Must[VXLAN](&p).VNI != 7 || !Has[TCP](&p) {
		t.Errorf("%v: %v", &p, err)
	}
}

// TestTunnelSummaries prints what is cut, unknown or set otherwise.
func TestTunnelSummaries(t *testing.T) {
	for _, test := range []struct {
		first     *Protocol
		hex, want string
	}{
		{&vxlanProtocol, "0000000000000100", "VXLAN, flags [.] (0x00), vni 1: [|Ethernet]"},
		{&vxlanProtocol, "08000000 00000100 0200", "VXLAN, flags [I] (0x08), vni 1: [|Ethernet]"},
		{&geneveProtocol, "00c1123400000105", "Geneve, Flags [OCR], vni 0x1, rsvd 0x5: geneve-proto-0x1234"},
		{&geneveProtocol, "01000800 00000100 01020300 45", "Geneve, Flags [none], vni 0x1, options [4 bytes]: [|ip]"},
		{&gtpuProtocol, "3201000400000000 00050000", "GTP-U, Echo Request, teid 0x0, seq 5, length 4"},
		{&gtpuProtocol, "34ff000800000001 00000085 01100500", "GTP-U, G-PDU, teid 0x1, extensions [4 bytes], length 8"},
		{&greProtocol, "a0000000 12340007 00000005", "GREv0, off 0x7, key=0x5, length 12: gre-proto-0x0"},
		{&greProtocol, "2081880b 00000011 00000009", "GREv1, call 17, ack 9, no-payload, length 12"},
	} {
		p := new(Packet)
		_ = p.DecodeAs(test.first, unhex(t, test.hex))
		if got := string(p.AppendSummary(nil)); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.hex, got, test.want)
		}
	}
}

// TestUDPTunnelProperties builds tunnels in tunnels with any fields, decodes
// them, changes what is innermost, and wants everything around it to follow.
func TestUDPTunnelProperties(t *testing.T) {
	r := Default.With(UDPTunnels()...)
	ip := func(t *rapid.T) Layer {
		if drawBool(t) {
			return &IPv4{}
		}
		return &IPv6{}
	}
	rapid.Check(t, func(t *rapid.T) {
		layers := []Layer{&Ethernet{}, ip(t)}
		draw(t, layers[0])
		draw(t, layers[1])
		add := func(ls ...Layer) {
			for _, l := range ls {
				if _, ok := l.(*UDP); !ok {
					draw(t, l)
				}
				layers = append(layers, l)
			}
		}
		for range 1 + drawInt(t, 2) {
			src := 0xc000 + draw16(t, 99)
			switch drawInt(t, 4) {
			case 0:
				add(&UDP{SrcPort: src, DstPort: 4789}, &VXLAN{}, &Ethernet{}, ip(t))
			case 1:
				add(&UDP{SrcPort: src, DstPort: 6081}, &Geneve{}, &Ethernet{}, ip(t))
			case 2:
				add(&UDP{SrcPort: src, DstPort: 6081}, &Geneve{}, ip(t))
			case 3:
				add(&UDP{SrcPort: src, DstPort: 2152}, &GTPU{}, ip(t))
			default:
				add(&UDP{SrcPort: src, DstPort: 4754}, &GRE{Flags: GREChecksum}, ip(t))
			}
		}
		raw := &Raw{Data: drawBytes(t, 1+drawInt(t, 60))}
		layers = append(layers, &TCP{SrcPort: 1, DstPort: 2}, raw)
		b, err := Stack(layers...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		check := func(b []byte) *Packet {
			p := &Packet{Registry: r}
			if err := p.Decode(link.TypeEthernet, b); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
			i := 0
			for n := range p.Nodes() {
				l, err := n.Layer()
				if err != nil || i >= len(layers) {
					t.Fatalf("%x: layer %d: %v", b, i, err)
				}
				if diff := cmp.Diff(layers[i], l, layerOptions()...); diff != "" {
					t.Fatalf("layer %d of %x (-want +got):\n%s", i, b, diff)
				}
				i++
			}
			if i != len(layers) {
				t.Fatalf("%x: %d layers, want %d", b, i, len(layers))
			}
			for c := range p.Checks() {
				if c.Status != CheckGood {
					t.Fatalf("%x: %v.%s is %v: have %#x, want %#x", b, c.Node.Proto(), c.Field, c.Status, c.Have, c.Want)
				}
			}
			return p
		}
		p := check(b)
		raw.Data = drawBytes(t, 1+drawInt(t, 60))
		Must[Raw](p).Data = raw.Data
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		check(got)
	})
}

// TestUDPTunnelAllocs decodes and encodes tunnels without allocating.
func TestUDPTunnelAllocs(t *testing.T) {
	p := Packet{Registry: Default.With(UDPTunnels()...)}
	for _, test := range tunnelPackets {
		b := unhex(t, test.hex)
		var buf, line []byte
		run := func() {
			if err := p.Decode(link.TypeEthernet, b); err != nil {
				t.Fatal(err)
			}
			line = p.AppendSummary(line[:0])
			for i := range p.nodes() {
				if _, err := p.layer(i); err != nil {
					t.Fatal(err)
				}
			}
			buf, _ = p.AppendBinary(buf[:0])
		}
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 && !raceEnabled { // AppendBinary allocates for the race detector
			t.Errorf("%s: %v allocations, want 0", test.name, n)
		}
	}
}
