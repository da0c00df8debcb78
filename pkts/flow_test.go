package pkts

import (
	"hash/maphash"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"pgregory.net/rapid"
)

// communityIDs are baseline/baseline_deflt.json of
// https://github.com/corelight/community-id-spec, and for seed 1 what
//
//	base64.b64encode(hashlib.sha1(struct.pack('!H',1)+src+dst+struct.pack('!BBHH',proto,0,sport,dport)).digest())
//
// gives in Python for ordered addresses.
var communityIDs = []struct {
	flow Flow
	seed uint16
	want string
}{
	{flowFrom("fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 58, 135, 136), 0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
	{flowFrom("fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 58, 136, 135), 0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
	{flowFrom("fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 58, 135, 136), 0, "1:zavyT/cezQr1fmImYCwYnMXbgck="},
	{flowFrom("3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 3, 0), 0, "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="},
	{flowFrom("3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 1, 4), 0, "1:hLZd0XGWojozrvxqE0dWB1iM6R0="},
	{flowFrom("3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:501:0:1001::2", 58, 128, 129), 0, "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
	{flowFrom("3ffe:501:0:1001::2", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 129, 128), 0, "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
	{flowFrom("fe80::200:86ff:fe05:80da", "ff02::2", 58, 133, 134), 0, "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="},
	{flowFrom("fe80::260:97ff:fe07:69ea", "ff02::1", 58, 134, 133), 0, "1:pkvHqCL88/tg1k4cPigmZXUtL00="},
	{flowFrom("192.168.0.89", "192.168.0.1", 1, 8, 0), 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	{flowFrom("192.168.0.1", "192.168.0.89", 1, 0, 8), 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	{flowFrom("10.0.0.1", "10.0.0.2", 1, 11, 0), 0, "1:YHxtAirCG//0OzkcVAukqKQN9xM="},
	{flowFrom("2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 6, 63943, 25), 0, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
	{flowFrom("192.168.170.8", "192.168.170.56", 132, 7, 7), 0, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
	{flowFrom("192.168.170.56", "192.168.170.8", 132, 7, 7), 0, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
	{flowFrom("128.232.110.120", "66.35.250.204", 6, 34855, 80), 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	{flowFrom("66.35.250.204", "128.232.110.120", 6, 80, 34855), 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
	{flowFrom("192.168.1.52", "8.8.8.8", 17, 54585, 53), 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
	{flowFrom("10.1.12.1", "10.1.12.2", 46, 0, 0), 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
	{flowFrom("10.1.12.2", "10.1.12.1", 46, 0, 0), 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
	{flowFrom("128.232.110.120", "66.35.250.204", 6, 34855, 80), 1, "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
	{Flow{}, 0, ""},
	{flowFrom("10.0.0.1", "::1", 6, 1, 2), 0, ""},
}

func flowFrom(src, dst string, proto IPProto, sport, dport uint16) Flow {
	return Flow{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: proto, SrcPort: sport, DstPort: dport}
}

func TestFlowCommunityID(t *testing.T) {
	for _, c := range communityIDs {
		if got := c.flow.CommunityID(c.seed); got != c.want {
			t.Errorf("%v, seed %d: %q, want %q", c.flow, c.seed, got, c.want)
		}
		if got := c.flow.AppendCommunityID([]byte("id "), c.seed); string(got) != "id "+c.want {
			t.Errorf("%v: append gives %q", c.flow, got)
		}
	}
	// What has no ports for the specification, has none in the hash.
	a := Flow{Src: ip4A, Dst: ip4B, Proto: IPProtoUDPLite, SrcPort: 1, DstPort: 2}
	b := Flow{Src: ip4A, Dst: ip4B, Proto: IPProtoUDPLite}
	if a.CommunityID(0) != b.CommunityID(0) {
		t.Error("the ports of UDP-Lite count")
	}
	buf := make([]byte, 0, 64)
	f := communityIDs[0].flow
	if n := testing.AllocsPerRun(100, func() { buf = f.AppendCommunityID(buf[:0], 0) }); n != 0 {
		t.Errorf("AppendCommunityID: %v allocations, want 0", n)
	}
}

// flowCases are packets, and the flows of their IP headers.
var flowCases = []struct {
	name   string
	layers []Layer
	want   []Flow
	text   string // of the first
}{
	{"none", []Layer{&Ethernet{}, &ARP{}}, nil, "none"},
	{
		"TCP",
		[]Layer{&Ethernet{}, &VLAN{ID: 5}, &IPv4{Src: ip4A, Dst: ip4B}, &TCP{SrcPort: 1234, DstPort: 80}, &Raw{Data: []byte("x")}},
		[]Flow{{Src: ip4A, Dst: ip4B, SrcPort: 1234, DstPort: 80, Proto: IPProtoTCP}},
		"10.0.0.1:1234 > 10.0.0.2:80 TCP",
	}, {
		"UDP over IPv6",
		append([]Layer{&Loopback{}}, layersUDP6()...),
		[]Flow{{Src: netip.IPv6Loopback(), Dst: netip.IPv6Loopback(), SrcPort: 53, DstPort: 5353, Proto: IPProtoUDP}},
		"[::1]:53 > [::1]:5353 UDP",
	}, {
		"tunnel",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B}, &IPv6{Src: netip.IPv6Loopback()}, &IPv4{Src: ip4B, Dst: ip4A}, &UDP{SrcPort: 7, DstPort: 9}},
		[]Flow{
			{Src: ip4A, Dst: ip4B, Proto: IPProtoIPv6},
			{Src: netip.IPv6Loopback(), Dst: netip.IPv6Unspecified(), Proto: IPProtoIPv4},
			{Src: ip4B, Dst: ip4A, SrcPort: 7, DstPort: 9, Proto: IPProtoUDP},
		},
		"10.0.0.1 > 10.0.0.2 IPv6",
	}, {
		"fragment",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, FragmentOffset: 3, Protocol: Pin(IPProtoUDP)}, &Raw{Data: []byte{1, 2, 3, 4}}},
		[]Flow{{Src: ip4A, Dst: ip4B, Proto: IPProtoUDP, Fragment: true}},
		"10.0.0.1 > 10.0.0.2 UDP fragment",
	}, {
		"first fragment",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, Flags: IPv4MoreFragments}, &UDP{SrcPort: 1, DstPort: 2}},
		[]Flow{{Src: ip4A, Dst: ip4B, SrcPort: 1, DstPort: 2, Proto: IPProtoUDP}},
		"10.0.0.1:1 > 10.0.0.2:2 UDP",
	}, {
		"echo",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, Protocol: Pin(IPProtoICMPv4)}, &Raw{Data: []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}}},
		[]Flow{{Src: ip4A, Dst: ip4B, SrcPort: 8, DstPort: 0, Proto: IPProtoICMPv4}},
		"10.0.0.1 > 10.0.0.2 ICMP type 8",
	}, {
		"SCTP",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, Protocol: Pin(IPProtoSCTP)}, &Raw{Data: []byte{0, 1, 0, 2, 0, 0, 0, 0}}},
		[]Flow{{Src: ip4A, Dst: ip4B, SrcPort: 1, DstPort: 2, Proto: IPProtoSCTP}},
		"10.0.0.1:1 > 10.0.0.2:2 SCTP",
	}, {
		"GRE",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, Protocol: Pin(IPProtoGRE)}, &Raw{Data: []byte{0x80, 1, 0, 2}}},
		[]Flow{{Src: ip4A, Dst: ip4B, Proto: IPProtoGRE}},
		"10.0.0.1 > 10.0.0.2 GRE",
	}, {
		"extension headers",
		[]Layer{&IPv6{Src: netip.IPv6Loopback(), NextHeader: Pin(IPProtoHopByHop)}, &Raw{Data: slices.Concat(
			[]byte{uint8(IPProtoRouting), 0, 1, 4, 0, 0, 0, 0},              // hop-by-hop, PadN
			[]byte{uint8(IPProtoAH), 2, 0, 0, 0, 0, 0, 0}, make([]byte, 16), // routing
			[]byte{uint8(IPProtoFragment), 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},           // authentication
			[]byte{uint8(IPProtoDestOpts), 0, 0, 1, 0, 0, 0, 9},                                   // the first fragment
			[]byte{uint8(IPProtoUDP), 1, 1, 12}, make([]byte, 12), []byte{0, 1, 0, 2, 0, 8, 0, 0}, // destination options, UDP
		)}},
		[]Flow{{Src: netip.IPv6Loopback(), Dst: netip.IPv6Unspecified(), SrcPort: 1, DstPort: 2, Proto: IPProtoUDP}},
		"[::1]:1 > [::]:2 UDP",
	}, {
		"IPv6 fragment",
		[]Layer{&IPv6{Src: netip.IPv6Loopback(), NextHeader: Pin(IPProtoFragment)}, &Raw{Data: []byte{uint8(IPProtoTCP), 0, 0, 8, 0, 0, 0, 9, 0, 1, 0, 2}}},
		[]Flow{{Src: netip.IPv6Loopback(), Dst: netip.IPv6Unspecified(), Proto: IPProtoTCP, Fragment: true}},
		"::1 > :: TCP fragment",
	}, {
		"cut",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, Protocol: Pin(IPProtoTCP)}, &Raw{Data: []byte{0, 1, 0}}},
		[]Flow{{Src: ip4A, Dst: ip4B, Proto: IPProtoTCP}},
		"10.0.0.1:0 > 10.0.0.2:0 TCP",
	}, {
		"a cut TCP header",
		[]Layer{&IPv4{Src: ip4A, Dst: ip4B, Protocol: Pin(IPProtoTCP)}, &Raw{Data: []byte{0, 1, 0, 2, 0, 0, 0, 0}}},
		[]Flow{{Src: ip4A, Dst: ip4B, SrcPort: 1, DstPort: 2, Proto: IPProtoTCP}},
		"10.0.0.1:1 > 10.0.0.2:2 TCP",
	},
}

func TestFlow(t *testing.T) {
	for _, c := range flowCases {
		built := Stack(c.layers...)
		b, err := built.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var decoded, filled Packet
		first := c.layers[0].Proto()
		_ = decoded.DecodeAs(first, b) // a cut header is none
		_ = filled.DecodeAs(first, b)
		for n := range filled.Nodes() {
			if _, err := n.Layer(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		for form, p := range map[string]*Packet{"built": built, "decoded": &decoded, "filled in": &filled} {
			if got := slices.Collect(p.Flows()); !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %v, want %v", c.name, form, got, c.want)
			}
			var first, last Flow
			if n := len(c.want); n > 0 {
				first, last = c.want[0], c.want[n-1]
			}
			if got := p.Flow(); got != first || got.String() != c.text {
				t.Errorf("%s, %s: Flow = %v, want %v", c.name, form, got, first)
			}
			if got := p.InnermostFlow(); got != last {
				t.Errorf("%s, %s: InnermostFlow = %v, want %v", c.name, form, got, last)
			}
			for i, want := range c.want {
				if got, ok := p.NthFlow(i); !ok || got != want {
					t.Errorf("%s, %s: NthFlow(%d) = %v, %v; want %v", c.name, form, i, got, ok, want)
				}
			}
			if got, ok := p.NthFlow(len(c.want)); ok {
				t.Errorf("%s, %s: NthFlow(%d) = %v, want none", c.name, form, len(c.want), got)
			}
			if n := testing.AllocsPerRun(100, func() { sinkFlow = p.InnermostFlow() }); n != 0 {
				t.Errorf("%s, %s: %v allocations, want 0", c.name, form, n)
			}
		}
	}
}

var sinkFlow Flow

// TestFlowQuoted tells the packet that an ICMP error quotes from one in a
// tunnel.
func TestFlowQuoted(t *testing.T) {
	udp := unhex(t, hexUDP4)
	b := slices.Concat(unhex(t, `
		45 00 00 3a  00 00 40 00  40 01 26 b7  0a 00 00 02  0a 00 00 01   # 10.0.0.2 to 10.0.0.1
		03 03 00 00  00 00 00 00                                          # port unreachable`), udp)
	var p Packet
	if err := p.DecodeAs(&ipv4Protocol, b); err != nil {
		t.Fatal(err)
	}
	outer := Flow{Src: ip4B, Dst: ip4A, SrcPort: 3, DstPort: 3, Proto: IPProtoICMPv4}
	quoted := Flow{Src: ip4A, Dst: ip4B, SrcPort: 1234, DstPort: 5678, Proto: IPProtoUDP}
	if got := slices.Collect(p.Flows()); !slices.Equal(got, []Flow{outer, quoted}) {
		t.Errorf("Flows = %v", got)
	}
	if got := p.InnermostFlow(); got != outer {
		t.Errorf("InnermostFlow = %v, want %v", got, outer)
	}
	if got, want := outer.String(), "10.0.0.2 > 10.0.0.1 ICMP type 3 code 3"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got := outer.Reverse(); got.SrcPort != 3 || got.DstPort != 3 || got.Src != ip4A {
		t.Errorf("Reverse = %v", got)
	}
}

// TestFlowEdited says that the flow is that of the packet as it is now.
func TestFlowEdited(t *testing.T) {
	var p Packet
	if err := p.DecodeAs(&ipv4Protocol, unhex(t, hexUDP4)); err != nil {
		t.Fatal(err)
	}
	ip, udp := Must[IPv4](&p), Must[UDP](&p)
	ip.Src, udp.DstPort = ip4B, 9
	want := Flow{Src: ip4B, Dst: ip4B, SrcPort: 1234, DstPort: 9, Proto: IPProtoUDP}
	if got := p.Flow(); got != want {
		t.Errorf("changed: %v, want %v", got, want)
	}
	ip.Protocol = Auto[IPProto]{}
	if got := p.Flow(); got != want {
		t.Errorf("protocol to be computed: %v, want %v", got, want)
	}
	if err := p.Replace(udp, &TCP{SrcPort: 3, DstPort: 4}); err != nil {
		t.Fatal(err)
	}
	want = Flow{Src: ip4B, Dst: ip4B, SrcPort: 3, DstPort: 4, Proto: IPProtoTCP}
	if got := p.Flow(); got != want {
		t.Errorf("TCP for UDP: %v, want %v", got, want)
	}
	ip.Src = netip.IPv6Loopback() // cannot be encoded
	if got := p.Flow(); got != (Flow{}) {
		t.Errorf("a packet that is none: %v, want none", got)
	}
}

func TestFlowDirections(t *testing.T) {
	seed := maphash.MakeSeed()
	rapid.Check(t, func(t *rapid.T) {
		six := rapid.Bool().Draw(t, "six")
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			// Few values, so that addresses are equal now and then.
			host := rapid.Uint8Range(1, 3).Draw(t, "host")
			if six {
				return netip.AddrFrom16([16]byte{0: 0x20, 7: host & 1, 15: host})
			}
			return netip.AddrFrom4([4]byte{10, 0, 0, host})
		})
		f := Flow{
			Src:     addr.Draw(t, "Src"),
			Dst:     addr.Draw(t, "Dst"),
			SrcPort: rapid.Uint16Range(0, 20).Draw(t, "SrcPort"),
			DstPort: rapid.Uint16Range(0, 20).Draw(t, "DstPort"),
			Proto:   rapid.SampledFrom([]IPProto{IPProtoTCP, IPProtoUDP, IPProtoICMPv4, IPProtoGRE}).Draw(t, "Proto"),
		}
		if answer, ok := f.icmpAnswer(); ok {
			f.DstPort = answer // as decoding does
		}
		r := f.Reverse()
		if got := r.Reverse(); got != f {
			t.Fatalf("reversed twice: %v, want %v", got, f)
		}
		if f.oneWay() {
			if f.Symmetric() != f {
				t.Fatalf("Symmetric of %v = %v", f, f.Symmetric())
			}
			return
		}
		if f.Symmetric() != r.Symmetric() || f.SymmetricHash(seed) != r.SymmetricHash(seed) || f.CommunityID(0) != r.CommunityID(0) {
			t.Fatalf("%v and %v differ: %v, %v", f, r, f.Symmetric(), r.Symmetric())
		}
		if got, want := f.SymmetricHash(seed), f.Symmetric().Hash(seed); got != want {
			t.Fatalf("SymmetricHash of %v = %#x, the hash of Symmetric is %#x", f, got, want)
		}
		if s := f.Symmetric(); s != f && s != r {
			t.Fatalf("Symmetric of %v = %v", f, s)
		}
	})
}

// TestFlowHash says that every field counts, and the seed.
func TestFlowHash(t *testing.T) {
	seed := maphash.MakeSeed()
	base := Flow{Src: ip4A, Dst: ip4B, SrcPort: 1, DstPort: 2, Proto: IPProtoTCP}
	seen := map[uint64]Flow{}
	for _, f := range []Flow{
		{},
		base,
		base.Reverse(),
		{Src: ip4A, Dst: ip4B, SrcPort: 2, DstPort: 1, Proto: IPProtoTCP},
		{Src: ip4A, Dst: ip4B, SrcPort: 1, DstPort: 2, Proto: IPProtoUDP},
		{Src: ip4A, Dst: ip4B, SrcPort: 1, DstPort: 2, Proto: IPProtoTCP, Fragment: true},
		{Src: netip.AddrFrom16(ip4A.As16()), Dst: netip.AddrFrom16(ip4B.As16()), SrcPort: 1, DstPort: 2, Proto: IPProtoTCP},
		{Src: ip4A, Dst: ip4A, SrcPort: 1, DstPort: 2, Proto: IPProtoTCP},
	} {
		h := f.Hash(seed)
		if other, ok := seen[h]; ok {
			t.Errorf("%v and %v have the same hash", f, other)
		}
		seen[h] = f
		if f.Hash(seed) != h {
			t.Errorf("%v: the hash changes", f)
		}
	}
	if other := maphash.MakeSeed(); base.Hash(seed) == base.Hash(other) {
		t.Error("the seed does not count")
	}
	if n := testing.AllocsPerRun(100, func() { sinkHash = base.SymmetricHash(seed) }); n != 0 {
		t.Errorf("SymmetricHash: %v allocations, want 0", n)
	}
	// Spread: 4096 flows that differ in a port fill 256 buckets evenly.
	var buckets [256]int
	for i := range 4096 {
		f := base
		f.SrcPort = uint16(i)
		buckets[f.Hash(seed)%256]++
	}
	for i, n := range buckets {
		if n > 50 { // 16 on average; 50 is beyond 8 standard deviations
			t.Errorf("bucket %d has %d of 4096", i, n)
		}
	}
}

var sinkHash uint64

func FuzzFlow(f *testing.F) {
	f.Add([]byte{}, false)
	for _, c := range flowCases {
		b, err := Stack(c.layers...).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
	}
	f.Add(unhex(f, hexUDP4), false)
	f.Add(unhex(f, hexUDP6), true)
	f.Fuzz(func(t *testing.T, b []byte, six bool) {
		first := &ipv4Protocol
		if six {
			first = &ipv6Protocol
		}
		var p Packet
		_ = p.DecodeAs(first, b)
		want := slices.Collect(p.Flows())
		for n := range p.Nodes() {
			_, _ = n.Layer()
		}
		if got := slices.Collect(p.Flows()); !slices.Equal(got, want) {
			t.Errorf("after filling in, got %v, want %v", got, want)
		}
		p.unpack()
		p.noteEdit()
		if got := slices.Collect(p.Flows()); !slices.Equal(got, want) {
			t.Errorf("encoded, got %v, want %v", got, want)
		}
	})
}

// TestFlowTshark compares the Community ID of every packet of our captures that
// has one IP header with what tshark's plug-in computes.
func TestFlowTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds: run it without -short")
	}
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: it is what the flows are compared with")
	}
	files, err := filepath.Glob("../../shared/captures/*.pcap")
	if err != nil || len(files) == 0 {
		t.Skip("no captures at ../shared/captures")
	}
	// One file, for tshark takes longer to start than to read.
	type place struct {
		file string
		n    int
	}
	var (
		places []place
		merged = filepath.Join(t.TempDir(), "merged.pcapng")
	)
	w, err := pcap.Create(merged, pcap.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		n := 0
		eachFrame(t, file, func(f *link.Frame) {
			if n++; raceEnabled && n > 200 {
				return
			}
			// One interface for each type of link, and nothing that the file
			// could refuse.
			c := *f
			c.Info = link.Info{Time: time.Unix(int64(len(places)), 0), WireLen: f.WireLen, Link: f.Link, Interface: int(f.Link)}
			if err := w.WriteFrame(&c); err != nil {
				t.Fatalf("%s, packet %d: %v", file, n, err)
			}
			places = append(places, place{filepath.Base(file), n})
		})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// Without reassembly, as a packet by itself has it.
	out, err := exec.Command(tshark, "-r", merged, "-n", "--enable-protocol", "communityid",
		"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
		"-T", "fields", "-e", "frame.protocols", "-e", "communityid").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	compared := 0
	var p Packet
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(places) {
		t.Fatalf("tshark read %d packets of %d", len(lines), len(places))
	}
	i := 0
	eachFrame(t, merged, func(frame *link.Frame) {
		at, line := places[i], lines[i]
		i++
		protocols, want, _ := strings.Cut(line, "\t")
		if strings.Count(protocols+":", ":ip:")+strings.Count(protocols+":", ":ipv6:") != 1 {
			return // which of several IP headers counts, differs
		}
		_ = p.Decode(frame.Link, frame.Data)
		f := p.Flow()
		switch {
		case f.Fragment && f.Src.Is6():
			return // tshark takes the number of the fragment header
		case strings.Contains(protocols, ":udp:sctp"):
			return // tshark takes the ports of the inner transport
		case want == "" && f.Src.Is6() && !f.Proto.hasPorts():
			return // tshark has the number of IPv4 only
		}
		compared++
		if got := f.CommunityID(0); got != want {
			t.Errorf("%s, packet %d, %v: %q, want %q (%s)", at.file, at.n, f, got, want, protocols)
		}
	})
	t.Logf("%d packets compared", compared)
	if compared < 10000 && !raceEnabled || compared < 1000 {
		t.Errorf("only %d packets compared", compared)
	}
}

func BenchmarkFlow(b *testing.B) {
	frame := unhex(b, vlanGoldens()[0].hex)
	frame = slices.Concat(frame[:12], frame[16:]) // Ethernet, IPv4, TCP
	six := slices.Concat(frame[:12], []byte{0x86, 0xdd}, unhex(b, hexUDP6))
	seed := maphash.MakeSeed()
	var p Packet
	decode := func(b *testing.B, data []byte) {
		b.ReportAllocs()
		if err := p.Decode(link.TypeEthernet, data); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("IPv4", func(b *testing.B) {
		decode(b, frame)
		for b.Loop() {
			sinkFlow = p.Flow()
		}
	})
	b.Run("IPv6", func(b *testing.B) {
		decode(b, six)
		for b.Loop() {
			sinkFlow = p.Flow()
		}
	})
	b.Run("filled in", func(b *testing.B) {
		decode(b, frame)
		Must[IPv4](&p)
		Must[TCP](&p)
		for b.Loop() {
			sinkFlow = p.Flow()
		}
	})
	b.Run("built", func(b *testing.B) {
		q := Stack(&Ethernet{}, &IPv4{Src: ip4A, Dst: ip4B}, &TCP{SrcPort: 1, DstPort: 2})
		b.ReportAllocs()
		for b.Loop() {
			sinkFlow = q.Flow()
		}
	})
	f := Flow{Src: ip4A, Dst: ip4B, SrcPort: 1234, DstPort: 80, Proto: IPProtoTCP}
	b.Run("Hash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkHash = f.Hash(seed)
		}
	})
	b.Run("SymmetricHash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkHash = f.SymmetricHash(seed)
		}
	})
	b.Run("Comparable", func(b *testing.B) { // what Hash is to beat
		b.ReportAllocs()
		for b.Loop() {
			sinkHash = maphash.Comparable(seed, f)
		}
	})
	b.Run("map", func(b *testing.B) {
		m := map[Flow]int{f: 1}
		b.ReportAllocs()
		for b.Loop() {
			m[f]++
		}
	})
	b.Run("CommunityID", func(b *testing.B) {
		buf := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			buf = f.AppendCommunityID(buf[:0], 0)
		}
	})
}
