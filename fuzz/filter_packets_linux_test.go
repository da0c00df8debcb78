package fuzz

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
)

// Packets for the comparison of filters with libpcap: of each link type what
// the expressions ask for, whole, truncated and damaged.

// netPacket is what a link header carries: the EtherType of a network packet,
// or an LLC header if typ is 0.
type netPacket struct {
	typ  uint16
	data []byte
}

func be16(v int) []byte    { return []byte{byte(v >> 8), byte(v)} }
func be32(v uint32) []byte { return []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)} }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// netPorts returns the ports of a transport header.
func netPorts(r *rand.Rand) []byte {
	port := func() []byte {
		return be16(pick(r, 0, 22, 53, 53, 67, 80, 80, 80, 90, 123, 443, 443, 1000, 1500, 2000, 5000, 8080, 40000, 65535))
	}
	return slices.Concat(port(), port())
}

// netTransport returns what follows an IP header.
func netTransport(r *rand.Rand, proto int) []byte {
	switch proto {
	case 6:
		flags := byte(pick(r, 0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x20, r.IntN(256)))
		n := pick(r, 5, 5, 6, 8)
		b := slices.Concat(netPorts(r), random(r, 8), []byte{byte(n << 4), flags}, random(r, 6+4*(n-5)))
		return append(b, pick(r, "GET / HTTP/1.1", "", "POST", "\x16\x03\x01")...)
	case 17:
		return slices.Concat(netPorts(r), be16(8+r.IntN(40)), random(r, 2), pick(r, []byte{0, 1, 0, 0, 0, 0}, []byte{0x80, 1}, nil), random(r, r.IntN(20)))
	case 132:
		return slices.Concat(netPorts(r), random(r, 8), []byte{byte(r.IntN(3))}, random(r, 7))
	case 1:
		return slices.Concat([]byte{byte(pick(r, 0, 3, 5, 8, 11, 13)), byte(pick(r, 0, 0, 1, 4))}, random(r, 6+r.IntN(8)))
	case 58:
		return slices.Concat([]byte{byte(pick(r, 1, 128, 129, 133, 134, 135, 136)), byte(pick(r, 0, 0, 1))}, random(r, 6+r.IntN(8)))
	case 2:
		return slices.Concat([]byte{byte(pick(r, 0x11, 0x16, 0x17))}, random(r, 7))
	}
	return slices.Concat([]byte{byte(pick(r, 0, 1, 0x20, 0x21))}, random(r, 15))
}

func netAddr4(r *rand.Rand) []byte {
	return pick(r, []byte{10, 0, 0, 1}, []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}, []byte{10, 0, 0, 3}, []byte{10, 0, 1, 9}, []byte{10, 200, 0, 7},
		[]byte{192, 168, 1, 2}, []byte{192, 168, 1, 77}, []byte{172, 16, 5, 5}, []byte{0, 0, 0, 10}, []byte{1, 2, 3, 4}, random(r, 4))
}

func netIPv4(r *rand.Rand, proto int, body []byte) []byte {
	dst := netAddr4(r)
	if r.IntN(8) == 0 {
		dst = pick(r, []byte{224, 0, 0, 1}, []byte{255, 255, 255, 255}, []byte{0, 0, 0, 0}, []byte{239, 1, 2, 3}, []byte{240, 0, 0, 1})
	}
	ihl := pick(r, 5, 5, 5, 6, 8, 15)
	frag := pick(r, 0, 0, 0, 0, 0x4000, 0x2000, 0x2010, 0x0005)
	b := slices.Concat([]byte{byte(0x40 | ihl), byte(pick(r, 0, 0, 0xb8, 4))}, be16(4*ihl+len(body)), random(r, 2), be16(frag),
		[]byte{byte(pick(r, 1, 63, 64, 64, 65, 128)), byte(proto)}, random(r, 2), netAddr4(r), dst, random(r, 4*(ihl-5)), body)
	return b
}

func netAddr6(r *rand.Rand) []byte {
	db8 := func(last byte) []byte {
		return []byte{0x20, 1, 0xd, 0xb8, 15: last}
	}
	return pick(r, db8(1), db8(1), db8(2), []byte{0xfe, 0x80, 15: 1}, []byte{0xff, 2, 15: 1}, []byte{15: 1}, []byte{0x20, 1, 0xd, 0xb8, 0x80, 15: 1}, random(r, 16))
}

func netIPv6(r *rand.Rand, proto int, body []byte) []byte {
	next := proto
	switch r.IntN(6) {
	case 0: // a fragment header
		body = slices.Concat([]byte{byte(next), 0}, be16(pick(r, 0, 1, 8)), random(r, 4), body)
		next = 44
	case 1: // a header of options
		body = slices.Concat([]byte{byte(next), 0}, make([]byte, 6), body)
		next = pick(r, 0, 60, 43)
	}
	first := pick(r, 0, 0, 0x12345, 0xfffff)
	return slices.Concat(be32(uint32(0x60000000|first)), be16(len(body)), []byte{byte(next), byte(pick(r, 1, 64, 255))}, netAddr6(r), netAddr6(r), body)
}

// netRandom returns a packet for a link header.
func netRandom(r *rand.Rand) netPacket {
	switch r.IntN(12) {
	case 0, 1, 2, 3, 4:
		proto := pick(r, 6, 6, 6, 17, 17, 1, 1, 2, 132, 9, 47, 50, 51, 89, 103, 112, 255, 0, 58)
		return netPacket{0x0800, netIPv4(r, proto, netTransport(r, proto))}
	case 5, 6, 7:
		proto := pick(r, 6, 6, 17, 58, 58, 132, 50, 51, 103, 0, 1)
		return netPacket{0x86dd, netIPv6(r, proto, netTransport(r, proto))}
	case 8:
		typ := pick(r, uint16(0x0806), 0x0806, 0x8035)
		return netPacket{typ, slices.Concat(be16(1), be16(0x0800), []byte{6, 4, 0, byte(pick(r, 1, 2, 3))}, random(r, 6), netAddr4(r), random(r, 6), netAddr4(r), random(r, 18))}
	case 9:
		return netPacket{pick(r, uint16(0x809b), 0x80f3, 0x6001, 0x6002, 0x6003, 0x6004, 0x6007, 0x8137, 0x88cc, 0x9000, 0x8863, 1501, 0x0600), random(r, 40)}
	}
	return netPacket{0, netLLC(r)}
}

// netLLC returns an LLC header and what follows.
func netLLC(r *rand.Rand) []byte {
	isis := func() []byte {
		return slices.Concat([]byte{byte(pick(r, 0x83, 0x83, 0x83, 0x81, 0x82)), 27, 1, 0, byte(pick(r, 15, 16, 17, 18, 20, 24, 25, 26, 27))}, random(r, 30))
	}
	switch r.IntN(8) {
	case 0, 1:
		return slices.Concat([]byte{0xfe, 0xfe, 3}, isis())
	case 2:
		return slices.Concat([]byte{0x42, 0x42, 3}, random(r, 35))
	case 3:
		return slices.Concat(pick(r, []byte{0xe0, 0xe0, 3}, []byte{0xff, 0xff, 0}, []byte{0xf0, 0xf0, 3}, []byte{6, 6, 3}), random(r, 30))
	case 4:
		control := pick(r, 0x00, 0x02, 0x01, 0x05, 0x09, 0x03, 0x63, 0x43, 0x0f, 0x6f, 0xe3, 0xaf, 0x87, 0x13, 0x7f)
		return slices.Concat([]byte{byte(pick(r, 0x04, 0xaa, 0xfe, 0x42)), byte(pick(r, 0x04, 0xaa)), byte(control)}, random(r, 20))
	case 5:
		return slices.Concat([]byte{0xaa, 0xaa, 3}, []byte(pick(r, "\x08\x00\x07\x80\x9b", "\x00\x00\x00\x80\xf3", "\x00\x00\x00\x81\x37", "\x00\x00\x0c\x20\x00", "\x00\x00\x00\x08\x06")), random(r, 30))
	}
	return slices.Concat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be16(0x0800), netIPv4(r, 6, netTransport(r, 6)))
}

// netMAC returns an Ethernet address.
func netMAC(r *rand.Rand) []byte {
	return pick(r, []byte{0, 0x11, 0x22, 0x33, 0x44, 0x55}, []byte{0, 0x11, 0x22, 0x33, 0x44, 0x55}, []byte{2, 0, 0, 0, 0, 1}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		[]byte{1, 0, 0x5e, 0, 0, 0xfb}, []byte{0, 0x11, 0x22, 0x33, 0x44, 0x56}, random(r, 6))
}

// snap returns the packet behind an LLC header.
func (p netPacket) snap() []byte {
	if p.typ == 0 {
		return p.data
	}
	return slices.Concat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be16(int(p.typ)), p.data)
}

// ether returns the packet behind a type field, perhaps with encapsulations.
func (p netPacket) ether(r *rand.Rand) []byte {
	switch r.IntN(12) {
	case 0, 1:
		return slices.Concat(be16(pick(r, 0x8100, 0x8100, 0x88a8, 0x9100)), be16(pick(r, 0, 10, 20, 100, 100, 200, 0x6064, 4095)), p.ether(r))
	case 2:
		var labels []byte
		for n := 1 + r.IntN(3); n > 0; n-- {
			last := 0
			if n == 1 {
				last = 1
			}
			labels = append(labels, be32(uint32(pick(r, 100, 200, 1000, 0xfffff, 3)<<12|r.IntN(8)<<9|last<<8|64))...)
		}
		return slices.Concat(be16(0x8847), labels, p.data)
	case 3:
		proto := map[uint16]int{0x0800: 0x21, 0x86dd: 0x57}[p.typ]
		return slices.Concat(be16(0x8864), []byte{0x11, 0}, be16(pick(r, 1, 1, 2)), be16(len(p.data)+2), be16(proto), p.data)
	case 4:
		// Geneve, with options or not, with an Ethernet frame or not.
		inner := slices.Concat(netMAC(r), netMAC(r), be16(int(p.typ)), p.data)
		typ := 0x6558
		if r.IntN(3) == 0 {
			inner, typ = p.data, int(p.typ)
		}
		options := pick(r, 0, 0, 1, 3)
		udp := slices.Concat(be16(40000), be16(pick(r, 6081, 6081, 6081, 4789)), be16(0), be16(0),
			[]byte{byte(pick(r, 0, 0, 0, 0x40) | options), 0}, be16(typ), be32(uint32(pick(r, 10, 11)<<8)), random(r, 4*options), inner)
		if r.IntN(3) == 0 {
			return slices.Concat(be16(0x86dd), netIPv6(r, 17, udp))
		}
		return slices.Concat(be16(0x0800), netIPv4(r, 17, udp))
	}
	if p.typ == 0 {
		return slices.Concat(be16(len(p.data)), p.data)
	}
	return slices.Concat(be16(int(p.typ)), p.data)
}

// wlan returns an IEEE 802.11 frame.
func (p netPacket) wlan(r *rand.Rand, pad bool) []byte {
	fc0, fc1 := pick(r, 0x08, 0x08, 0x08, 0x88, 0x88, 0x48, 0x80, 0x40, 0xb4, 0xd4, 0xc4, 0xc0, r.IntN(256)), pick(r, 0, 1, 2, 3, 0x41, r.IntN(256))
	b := slices.Concat([]byte{byte(fc0), byte(fc1), 0, 0}, netMAC(r), netMAC(r), netMAC(r), random(r, 2))
	if fc0&0x8c == 0x88 {
		b = append(b, 0, 0)
		if pad {
			b = append(b, 0, 0)
		}
	}
	if r.IntN(4) == 0 {
		return slices.Concat(b, netMAC(r), p.snap())
	}
	return append(b, p.snap()...)
}

// linkPacket returns a packet of a link type.
func linkPacket(r *rand.Rand, name string) []byte {
	p := netRandom(r)
	ip := func() bool { return p.typ == 0x0800 || p.typ == 0x86dd }
	af := func(four int, six ...int) int {
		switch p.typ {
		case 0x0800:
			return four
		case 0x86dd:
			return pick(r, six...)
		}
		return pick(r, 0, 7, 99)
	}
	ppp := func() []byte {
		proto, ok := map[uint16]int{0x0800: 0x21, 0x86dd: 0x57, 0x6003: 0x27, 0x809b: 0x29, 0x0600: 0x25, 0x8137: 0x2b, 0: 0x23, 0x8863: 0x281}[p.typ]
		if !ok {
			proto = int(p.typ)
		}
		if proto == 0x281 {
			return slices.Concat(be16(proto), be32(uint32(pick(r, 100, 200, 1000)<<12|1<<8|64)), netIPv4(r, 6, netTransport(r, 6)))
		}
		return slices.Concat(be16(proto), p.data)
	}
	swapped := func(v uint32) []byte { b := be32(v); slices.Reverse(b); return b }
	switch name {
	case "EN10MB":
		return slices.Concat(netMAC(r), netMAC(r), p.ether(r))
	case "NETANALYZER":
		return slices.Concat(random(r, 4), netMAC(r), netMAC(r), p.ether(r))
	case "NETANALYZER_TRANSPARENT":
		return slices.Concat(random(r, 4), []byte("UUUUUUU\xd5"), netMAC(r), netMAC(r), p.ether(r))
	case "FDDI":
		return slices.Concat([]byte{0x50}, netMAC(r), netMAC(r), p.snap())
	case "IEEE802":
		return slices.Concat([]byte{0x10, 0x40}, netMAC(r), netMAC(r), p.snap())
	case "IEEE802_11":
		return p.wlan(r, false)
	case "IEEE802_11_RADIO":
		present := pick[uint32](r, 0, 2, 3, 2, 3, 0x2e, 0x80000003)
		flags := byte(pick(r, 0, 0x20, 0x10, 0x30))
		fields := random(r, 16)
		fields[0], fields[8] = flags, flags
		n := 8 + pick(r, 1, 9, 10, 16)
		h := slices.Concat([]byte{0, 0, byte(n), 0}, swapped(present), fields)[:n]
		return append(h, p.wlan(r, flags&0x20 != 0)...)
	case "PRISM_HEADER":
		if r.IntN(4) == 0 {
			return slices.Concat(be32(0x80211001), be32(64), random(r, 56), p.wlan(r, false))
		}
		return slices.Concat(be32(0x44), random(r, 140), p.wlan(r, false))
	case "IEEE802_11_RADIO_AVS":
		return slices.Concat(be32(0x80211001), be32(64), random(r, 56), p.wlan(r, false))
	case "PPI":
		n := pick(r, 8, 32)
		return slices.Concat([]byte{0, 0, byte(n), 0}, swapped(pick[uint32](r, 105, 105, 105, 1)), random(r, n-8), p.wlan(r, false))
	case "ATM_RFC1483":
		return p.snap()
	case "IP_OVER_FC":
		return slices.Concat([]byte{0, 0}, netMAC(r), []byte{0, 0}, netMAC(r), p.snap())
	case "SUNATM":
		flags, vpi, vci := pick(r, 2, 2, 1, 5, 0x82, 0), pick(r, 0, 0, 1, 2), pick(r, 1, 2, 3, 4, 5, 5, 16, 32, 100)
		h := []byte{byte(flags), byte(vpi), byte(vci >> 8), byte(vci)}
		switch flags & 0xf {
		case 1:
			return slices.Concat(h, be16(pick(r, 0, 5, 0xff00)), netMAC(r), netMAC(r), p.ether(r))
		case 2:
			return append(h, p.snap()...)
		}
		return slices.Concat(h, []byte{9, 3, 0, 0, 0, byte(pick(r, 0x05, 0x02, 0x07, 0x0f, 0x4d, 0x5a, 0x46))}, random(r, 20))
	case "LINUX_SLL":
		typ := int(p.typ)
		if typ == 0 {
			typ = pick(r, 4, 4, 1)
		}
		return slices.Concat(be16(pick(r, 0, 1, 4, 4)), be16(1), be16(6), netMAC(r), []byte{0, 0}, be16(typ), p.data)
	case "LINUX_SLL2":
		typ := int(p.typ)
		if typ == 0 {
			typ = pick(r, 4, 1)
		}
		return slices.Concat(be16(typ), be16(0), be32(pick[uint32](r, 1, 2, 2, 3)), be16(1), []byte{byte(pick(r, 0, 4, 1)), 6}, netMAC(r), []byte{0, 0}, p.data)
	case "NULL":
		family := uint32(af(2, 10, 24, 28, 30))
		if r.IntN(2) == 0 {
			return slices.Concat(be32(family), p.data)
		}
		return slices.Concat(swapped(family), p.data)
	case "LOOP":
		return slices.Concat(be32(uint32(af(2, 24, 28, 30))), p.data)
	case "ENC":
		return slices.Concat(swapped(uint32(af(2, 24, 28, 30))), random(r, 8), p.data)
	case "PFLOG":
		n := pick(r, 61, 61, 64, 72)
		h := random(r, (n+3)&^3)
		h[0], h[1], h[2], h[3] = byte(n), byte(af(2, 10, 24, 28, 30)), byte(r.IntN(4)), byte(r.IntN(5))
		copy(h[4:], pick(r, "em0\x00\x00\x00", "em1\x00", "abcdefghijklmno\x00"))
		copy(h[20:], pick(r, "main\x00", "abcdefgh\x00", "\x00"))
		binary.BigEndian.PutUint32(h[36:], uint32(r.IntN(3)))
		binary.BigEndian.PutUint32(h[40:], uint32(r.IntN(3)))
		h[60] = byte(pick(r, 1, 2, 0))
		return append(h, p.data...)
	case "PPP", "PPP_SERIAL":
		return slices.Concat([]byte{0xff, 3}, ppp())
	case "PPP_PPPD":
		return slices.Concat([]byte{byte(r.IntN(2)), 3}, ppp())
	case "PPP_ETHER":
		return slices.Concat([]byte{0x11, 0}, be16(1), be16(0), ppp())
	case "PPP_BSDOS":
		return slices.Concat(random(r, 5), ppp()[:2], random(r, 17), p.data)
	case "C_HDLC":
		typ := int(p.typ)
		if typ == 0 {
			typ = 0xfefe
			if r.IntN(2) == 0 {
				return slices.Concat([]byte{0x0f, 0}, be16(typ), []byte{3}, p.data[min(3, len(p.data)):])
			}
		}
		if p.typ == 0x8863 {
			return slices.Concat([]byte{0x0f, 0}, be16(0x8847), be32(uint32(pick(r, 100, 200, 1000)<<12|1<<8|64)), netIPv4(r, 6, netTransport(r, 6)))
		}
		return slices.Concat([]byte{0x0f, 0}, be16(typ), p.data)
	case "SLIP":
		return slices.Concat([]byte{byte(r.IntN(2))}, random(r, 15), p.data)
	case "SLIP_BSDOS":
		return slices.Concat(random(r, 24), p.data)
	case "ARCNET":
		typ := map[uint16]byte{0x0800: pick[byte](r, 212, 240), 0x86dd: 0xc4, 0x0806: pick[byte](r, 213, 241), 0x8035: 214, 0x809b: 221}[p.typ]
		return slices.Concat([]byte{byte(pick(r, 1, 2, 0xff)), byte(pick(r, 0, 1, 0xff)), typ, 0, 0, 0}, p.data)
	case "FRELAY":
		nlpid := map[uint16]byte{0x0800: 0xcc, 0x86dd: 0x8e}[p.typ]
		if !ip() {
			return slices.Concat([]byte{0x18, 0x41, 3}, []byte{byte(pick(r, 0x81, 0x82, 0x83))}, random(r, 4), []byte{byte(pick(r, 15, 18, 20, 24))}, random(r, 20))
		}
		return slices.Concat([]byte{0x18, 0x41, 3, nlpid}, p.data)
	case "IPNET":
		return slices.Concat([]byte{1, byte(af(2, 26)), 0, byte(pick(r, 1, 2, 3))}, random(r, 20), p.data)
	case "MTP2", "MTP2_WITH_PHDR", "ERF":
		h := random(r, map[string]int{"MTP2": 0, "MTP2_WITH_PHDR": 4, "ERF": 20}[name])
		return slices.Concat(h, random(r, 2), []byte{byte(pick(r, 0, 1, 2, 5, 63))}, []byte{byte(pick(r, 3, 5))}, []byte{100, byte(pick(r, 0, 64)), byte(pick(r, 0, 25)), byte(pick(r, 0x10, 0x50))}, random(r, 20))
	case "APPLE_IP_OVER_IEEE1394":
		return slices.Concat(random(r, 16), be16(int(p.typ)), p.data)
	case "SYMANTEC_FIREWALL":
		return slices.Concat(random(r, 6), be16(int(p.typ)), random(r, 36), p.data)
	case "PFSYNC":
		return slices.Concat(random(r, 4), p.data)
	}
	if strings.HasPrefix(name, "JUNIPER") {
		h := map[string]int{"JUNIPER_ETHER": 32, "JUNIPER_ATM1": 4, "JUNIPER_GGSN": 12, "JUNIPER_MONITOR": 12}[name]
		b := slices.Concat([]byte("MGC"), random(r, 1), random(r, 28))[:h]
		if name == "JUNIPER_GGSN" {
			copy(b[6:], be16(int(p.typ)))
		}
		return append(b, p.data...)
	}
	if name == "IPV4" || name == "IPV6" || name == "RAW" || r.IntN(2) == 0 {
		return p.data
	}
	return random(r, 60)
}

// linkPackets returns packets of a link type: most of them whole, some
// truncated, some damaged.
func linkPackets(r *rand.Rand, name string) []filterPacket {
	n := 70
	if name == "EN10MB" {
		n = 300
	}
	var all []filterPacket
	for range n {
		b := linkPacket(r, name)
		all = append(all, filterPacket{len(b), b})
	}
	for range n / 3 {
		b := linkPacket(r, name)
		all = append(all, filterPacket{len(b), b[:r.IntN(min(len(b), 80)+1)]})
	}
	for range n / 5 {
		b := slices.Clone(linkPacket(r, name))
		for range 1 + r.IntN(4) {
			if len(b) > 0 {
				b[r.IntN(min(len(b), 64))] = byte(r.Uint32())
			}
		}
		all = append(all, filterPacket{len(b), b})
	}
	return all
}
