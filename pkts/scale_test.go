package pkts

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

// scaleCases build packets of about n bytes that have as much of one thing as
// fits.
var scaleCases = []struct {
	name  string
	build func(n int) []byte
}{
	{"vlan", func(n int) []byte {
		b := append(make([]byte, 12), 0x81, 0)
		for len(b)+4 <= n {
			b = append(b, 0, 1, 0x81, 0)
		}
		return b
	}},
	{"ipv4 in ipv4", func(n int) []byte {
		return scaleNest(n, IPv4MinLen, func(b []byte, rest int) {
			b[0], b[8], b[9] = 0x45, 64, byte(IPProtoIPv4)
			binary.BigEndian.PutUint16(b[2:], uint16(min(rest, 0xffff)))
		})
	}},
	{"ethernet in ipv4", func(n int) []byte {
		return scaleNest(n, IPv4MinLen+EthernetLen, func(b []byte, rest int) {
			b[0], b[8], b[9] = 0x45, 64, byte(IPProtoEthernet)
			binary.BigEndian.PutUint16(b[2:], uint16(min(rest, 0xffff)))
			binary.BigEndian.PutUint16(b[IPv4MinLen+12:], uint16(EtherTypeIPv4))
		})
	}},
	{"ipv6 in ipv6", func(n int) []byte {
		return scaleNest(n, IPv6Len, func(b []byte, rest int) {
			b[0], b[6] = 0x60, byte(IPProtoIPv6)
			binary.BigEndian.PutUint16(b[4:], uint16(min(rest-IPv6Len, 0xffff)))
		})
	}},
	{"ipv6 with padding", func(n int) []byte {
		// Each leaves a byte over in the one that carries it.
		layers := (n - EthernetLen) / (IPv6Len + 1)
		rest := layers * (IPv6Len + 1)
		b := append(make([]byte, 12), 0x86, 0xdd)
		for range layers {
			rest--
			at := len(b)
			b = append(b, make([]byte, IPv6Len)...)
			b[at], b[at+6] = 0x60, byte(IPProtoIPv6)
			rest -= IPv6Len
			binary.BigEndian.PutUint16(b[at+4:], uint16(min(rest, 0xffff)))
		}
		return append(b, make([]byte, layers)...)
	}},
	{"ipv6 extensions", func(n int) []byte {
		b := scaleHeader6(n, IPProtoDestOpts)
		for len(b)+8 <= n {
			b = append(b, byte(IPProtoDestOpts), 0, 1, 4, 0, 0, 0, 0)
		}
		return b
	}},
	{"fragment headers", func(n int) []byte {
		b := scaleHeader6(n, IPProtoFragment)
		for len(b)+8 <= n {
			b = append(b, byte(IPProtoFragment), 0, 0, 1, 0, 0, 0, 0)
		}
		return b
	}},
	{"authentication headers", func(n int) []byte {
		b := scaleHeader6(n, IPProtoAH)
		for len(b)+12 <= n {
			b = append(b, byte(IPProtoAH), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		return b
	}},
	{"shim6", func(n int) []byte {
		b := scaleHeader6(n, IPProtoShim6)
		for len(b)+8 <= n {
			b = append(b, byte(IPProtoShim6), 0, 1, 0, 0, 0, 0, 0)
		}
		return b
	}},
	{"hip", func(n int) []byte {
		b := scaleHeader6(n, IPProtoHIP)
		for len(b)+40 <= n {
			b = append(b, byte(IPProtoHIP), 4, 1, 0x11)
			b = append(b, make([]byte, 36)...)
		}
		return b
	}},
	{"icmp quotes", func(n int) []byte {
		return scaleNest(n, IPv4MinLen+ICMPv4Len, func(b []byte, rest int) {
			b[0], b[8], b[9] = 0x45, 64, byte(IPProtoICMPv4)
			binary.BigEndian.PutUint16(b[2:], uint16(min(rest, 0xffff)))
			b[IPv4MinLen], b[IPv4MinLen+1] = byte(ICMPv4DestUnreachable), 1
		})
	}},
	{"icmpv6 quotes", func(n int) []byte {
		return scaleNest(n, IPv6Len+8, func(b []byte, rest int) {
			b[0], b[6] = 0x60, byte(IPProtoICMPv6)
			binary.BigEndian.PutUint16(b[4:], uint16(min(rest-IPv6Len, 0xffff)))
			b[IPv6Len] = byte(ICMPv6DestUnreachable)
		})
	}},
	{"neighbor discovery options", func(n int) []byte {
		b := scaleHeader6(n, IPProtoICMPv6)
		b = append(b, byte(ICMPv6RouterSolicitation), 0, 0, 0, 0, 0, 0, 0)
		for len(b)+8 <= n {
			b = append(b, 1, 1, 0, 0, 0, 0, 0, 0)
		}
		return b
	}},
	{"mld records", func(n int) []byte {
		b := scaleHeader6(n, IPProtoICMPv6)
		b = append(b, byte(ICMPv6MLDv2Report), 0, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(min((n-len(b))/20, 0xffff)))
		for len(b)+20 <= n {
			b = append(b, make([]byte, 20)...)
		}
		return b
	}},
	{"icmp extension objects", func(n int) []byte {
		b := append(make([]byte, 12), 8, 0)
		b = append(b, make([]byte, IPv4MinLen)...)
		b[14], b[22], b[23] = 0x45, 64, byte(IPProtoICMPv4)
		binary.BigEndian.PutUint16(b[16:], uint16(min(n-14, 0xffff)))
		b = append(b, byte(ICMPv4TimeExceeded), 0, 0, 0, 0, 32, 0, 0)
		b = append(b, make([]byte, 128)...)
		b = append(b, 0x20, 0, 0, 0)
		for len(b)+4 <= n {
			b = append(b, 0, 4, 9, 9)
		}
		return b
	}},
}

// scaleHeader6 returns an Ethernet and an IPv6 header for a packet of n bytes.
func scaleHeader6(n int, next IPProto) []byte {
	b := append(make([]byte, 12), 0x86, 0xdd)
	b = append(b, make([]byte, IPv6Len)...)
	b[14], b[20] = 0x60, byte(next)
	binary.BigEndian.PutUint16(b[18:], uint16(min(n-54, 0xffff)))
	return b
}

// scaleNest returns an Ethernet header and headers of size bytes in each other.
func scaleNest(n, size int, header func(b []byte, rest int)) []byte {
	b := append(make([]byte, 12), 8, 0)
	for len(b)+size <= n {
		b = append(b, make([]byte, size)...)
		header(b[len(b)-size:], n-len(b)+size)
	}
	if len(b) > 14 && b[14]>>4 == 6 {
		b[12], b[13] = 0x86, 0xdd
	}
	return b
}

// scaleOps are what is done to them. p is decoded.
var scaleOps = []struct {
	name string
	do   func(p *Packet, b []byte)
}{
	{"decode", func(p *Packet, b []byte) { _ = p.Decode(link.TypeEthernet, b) }},
	{"fill", func(p *Packet, b []byte) {
		for n := range p.Nodes() {
			_, _ = n.Layer()
		}
	}},
	{"fill, last first", func(p *Packet, b []byte) {
		for _, n := range slices.Backward(slices.Collect(p.Nodes())) {
			_, _ = n.Layer()
		}
	}},
	{"encode filled", func(p *Packet, b []byte) {
		for n := range p.Nodes() {
			_, _ = n.Layer()
		}
		_, _ = p.AppendBinary(nil)
	}},
	{"edit", func(p *Packet, b []byte) {
		Must[Ethernet](p).Dst[5]++
		_, _ = p.AppendBinary(nil)
	}},
	{"insert", func(p *Packet, b []byte) {
		_ = p.InsertAfter(Must[Ethernet](p), &VLAN{})
		_, _ = p.AppendBinary(nil)
	}},
	{"insert and flows", func(p *Packet, b []byte) {
		_ = p.InsertAfter(Must[Ethernet](p), &VLAN{})
		for range p.Flows() {
		}
	}},
	{"remove", func(p *Packet, b []byte) {
		_ = p.Remove(Must[Ethernet](p))
		_, _ = p.AppendBinary(nil)
	}},
	{"append", func(p *Packet, b []byte) {
		p.Append(&Raw{Data: []byte{1}}, &Padding{Data: []byte{1}})
		_, _ = p.AppendBinary(nil)
	}},
	{"depth", func(p *Packet, b []byte) {
		for n := range p.Nodes() {
			_ = n.Depth()
		}
	}},
	{"checks", func(p *Packet, b []byte) {
		for range p.Checks() {
		}
	}},
	{"flows", func(p *Packet, b []byte) {
		_ = p.Flow()
		_ = p.InnermostFlow()
		for range p.Flows() {
		}
	}},
	{"flows of layers", func(p *Packet, b []byte) {
		for n := range p.Nodes() {
			_, _ = n.Layer()
		}
		_ = p.Flow()
		_ = p.InnermostFlow()
		for range p.Flows() {
		}
	}},
	{"clone", func(p *Packet, b []byte) { _ = p.Clone() }},
	{"line", func(p *Packet, b []byte) { _ = p.String() }},
	{"tree", func(p *Packet, b []byte) { _ = p.AppendTree(nil, nil) }},
	{"json", func(p *Packet, b []byte) { _ = p.AppendJSON(nil) }},
	{"hexdump", func(p *Packet, b []byte) { _ = p.AppendHexdump(nil) }},
	{"field dump", func(p *Packet, b []byte) { _ = p.AppendFieldDump(nil) }},
	{"source", func(p *Packet, b []byte) { _ = p.GoString() }},
	{"fields", func(p *Packet, b []byte) {
		for _, path := range []string{"ipv6.src", "ipv4.protocol_name", "vlan.type", "raw.data", "icmpv4.checksum", "ndproutersolicitation.options"} {
			if f, err := Default.ParseField(path); err == nil {
				_, _ = f.AppendValues(nil, p, ",")
			}
		}
	}},
}

// scaleTime returns the time that an operation takes, at best.
func scaleTime(do func(p *Packet, b []byte), b []byte, enough time.Duration) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range 8 { // others use the machine, too
		var p Packet
		_ = p.Decode(link.TypeEthernet, b)
		start := time.Now()
		do(&p, b)
		if least = min(least, time.Since(start)); least <= enough {
			break
		}
	}
	return least
}

// scaleReference is how long what scaleWork does takes on the machine on which
// the limits were found.
const scaleReference = 4 * time.Millisecond

// scaleWork prints 64 KiB in the plainest way, and returns how long it takes at
// best.
func scaleWork() time.Duration {
	least := time.Duration(math.MaxInt64)
	for range 8 {
		start := time.Now()
		var b []byte
		for i := range 1 << 16 {
			b = fmt.Appendf(b, "0x%02x, ", byte(i))
		}
		least = min(least, time.Since(start))
		runtime.KeepAlive(b)
	}
	return least
}

// scaleLimit makes of a limit what it is on this machine, as busy as it is now.
// What takes time in proportion to the square of the size misses it on any.
func scaleLimit(limit time.Duration) time.Duration {
	return time.Duration(float64(limit) * max(1, float64(scaleWork())/float64(scaleReference)))
}

// TestScale does everything to packets of the worst kind.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures time, which says nothing in an emulator: not with -short")
	}
	if raceEnabled {
		t.Skip("it measures time, which the race detector stretches")
	}
	for _, c := range scaleCases {
		for _, size := range []int{1 << 16, 1 << 20} {
			b := c.build(size)
			limit := 50*time.Millisecond + time.Duration(size>>10)*100*time.Microsecond
			for _, op := range scaleOps {
				d := scaleTime(op.do, b, limit)
				if d <= limit {
					continue
				}
				if scaled := scaleLimit(limit); d > scaled {
					t.Errorf("%s: %s of %d bytes takes %v, more than %v", c.name, op.name, len(b), d, scaled)
				}
			}
		}
	}
}

// scaleStack is Stack without its limit, for layers that lie in each other, or
// for all behind the second one side by side.
func scaleStack(layers []Layer, deep bool) *Packet {
	p := new(Packet)
	t := p.unpack()
	for i, l := range layers {
		if !deep {
			i = min(i, 2)
		}
		t = append(t, p.place(l, i))
	}
	p.pack(t)
	return p
}

// TestScaleBuilt edits and encodes built packets of many layers: in each other,
// and side by side. They have more than a program can give them, so that what
// takes time in proportion to the square of the number takes seconds.
func TestScaleBuilt(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures time, which says nothing in an emulator: not with -short")
	}
	n := 60_000
	if raceEnabled {
		n = 10_000
	}
	deep := make([]Layer, n)
	for i := range deep {
		deep[i] = &VLAN{}
	}
	wide := []Layer{&IPv4{}, &UDP{}}
	for range n {
		wide = append(wide, &Raw{Data: []byte{1}})
	}
	for name, layers := range map[string][]Layer{"deep": deep, "wide": wide} {
		for _, op := range []struct {
			name string
			do   func(p *Packet)
		}{
			{"encode", func(p *Packet) {
				if _, err := p.AppendBinary(nil); err != nil {
					t.Error(err)
				}
			}},
			{"depth", func(p *Packet) {
				for n := range p.Nodes() {
					_ = n.Depth()
				}
			}},
			{"remove", func(p *Packet) {
				if err := p.Remove(layers[1]); err != nil {
					t.Error(err)
				}
			}},
			{"clone", func(p *Packet) { _ = p.Clone() }},
			{"fill", func(p *Packet) {
				q, err := p.shownPacket()
				if err != nil {
					t.Fatal(err)
				}
				for i := range q.nodes() {
					_, _ = q.layer(i)
				}
			}},
		} {
			const limit = time.Second
			least := time.Duration(math.MaxInt64)
			for range 3 {
				p := scaleStack(layers, name == "deep")
				start := time.Now()
				op.do(p)
				if least = min(least, time.Since(start)); least <= limit {
					break
				}
			}
			if least > limit && least > scaleLimit(limit) {
				t.Errorf("%s: %s of %d layers takes %v", name, op.name, len(layers), least)
			}
		}
	}
}
