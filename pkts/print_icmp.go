package pkts

import "encoding/binary"

// quote4 returns a quoted IPv4 packet and the start of what it carries, nil
// when there are no ports in it; ok says whether there is one.
func quote4(b []byte) (v IPv4View, ports []byte, ok bool) {
	v = IPv4View(b)
	n := v.header()
	if n == 0 {
		return nil, nil, false
	}
	ports = b[n:]
	if len(ports) < 4 || v.FragmentOffset() != 0 {
		ports = nil
	}
	return v, ports, true
}

// icmp4 prints an ICMP message, RFC 792.
func (l *line) icmp4(b []byte) {
	l.str("ICMP ")
	l.icmp4Message(b)
	l.str(", length ")
	l.uint(uint32(max(l.length, 0)))
}

func (l *line) icmp4Message(b []byte) {
	if len(b) < 8 {
		l.str("type-#")
		l.uint(uint32(b[0]))
		return
	}
	typ, code := b[0], b[1]
	body := b[8:]
	switch typ {
	case 0, 8:
		l.str("echo ")
		if typ == 0 {
			l.str("reply")
		} else {
			l.str("request")
		}
		l.idSeq(b)
	case 3:
		l.unreachable4(code, b, body)
	case 4:
		l.str("source quench")
	case 5:
		l.str("redirect ")
		v, _, ok := quote4(body)
		if ok {
			l.ip4(v[ipv4OffDst:])
		} else {
			l.str("code ")
			l.uint(uint32(code))
		}
		l.str(" to ")
		switch code {
		case 0:
			l.str("net ")
		case 1:
			l.str("host ")
		case 2:
			l.str("net for TOS ")
		case 3:
			l.str("host for TOS ")
		}
		l.ip4(b[4:])
	case 9:
		l.str("router advertisement lifetime ")
		l.uint(uint32(binary.BigEndian.Uint16(b[6:])))
		l.str(" ")
		l.uint(uint32(b[4]))
	case 10:
		l.str("router solicitation")
	case 11:
		switch code {
		case 0:
			l.str("time exceeded in-transit")
		case 1:
			l.str("ip reassembly time exceeded")
		default:
			l.str("time exceeded-#")
			l.uint(uint32(code))
		}
	case 12:
		l.str("parameter problem - ")
		if code != 0 {
			l.str("code ")
			l.uint(uint32(code))
		} else {
			l.str("octet ")
			l.uint(uint32(b[4]))
		}
	case 13, 14:
		if typ == 13 {
			l.str("time stamp query id ")
		} else {
			l.str("time stamp reply id ")
		}
		l.uint(uint32(binary.BigEndian.Uint16(b[4:])))
		l.str(" seq ")
		l.uint(uint32(binary.BigEndian.Uint16(b[6:])))
		if typ == 14 && len(b) >= 20 {
			l.str(": org ")
			l.milliseconds(binary.BigEndian.Uint32(b[8:]))
			l.str(", recv ")
			l.milliseconds(binary.BigEndian.Uint32(b[12:]))
			l.str(", xmit ")
			l.milliseconds(binary.BigEndian.Uint32(b[16:]))
		}
	case 15:
		l.str("information request")
	case 16:
		l.str("information reply")
	case 17:
		l.str("address mask request")
	case 18:
		l.str("address mask is 0x")
		if len(b) >= 12 {
			l.hexN(uint64(binary.BigEndian.Uint32(b[8:])), 8)
		}
	default:
		l.str("type-#")
		l.uint(uint32(typ))
	}
}

// milliseconds prints a time since midnight UTC, RFC 792; one with the high bit
// set is something else.
func (l *line) milliseconds(t uint32) {
	if t >= 1<<31 {
		l.hex(t)
		return
	}
	for i, n := range [3]uint32{t / 3_600_000, t / 60_000 % 60, t / 1000 % 60} {
		if i > 0 {
			l.str(":")
		}
		if n < 10 {
			l.str("0")
		}
		l.uint(n)
	}
	l.b = append(l.b, '.', byte('0'+t/100%10), byte('0'+t/10%10), byte('0'+t%10))
}

// idSeq prints the identifier and the sequence number of an echo.
func (l *line) idSeq(b []byte) {
	l.str(", id ")
	l.uint(uint32(binary.BigEndian.Uint16(b[4:])))
	l.str(", seq ")
	l.uint(uint32(binary.BigEndian.Uint16(b[6:])))
}

// unreachable4 prints what an IPv4 destination unreachable message is about.
func (l *line) unreachable4(code byte, b, body []byte) {
	v, ports, ok := quote4(body)
	if !ok {
		l.str("unreachable code ")
		l.uint(uint32(code))
		return
	}
	dst := func() { l.ip4(v[ipv4OffDst:]) }
	switch code {
	case 0:
		l.str("net ")
		dst()
		l.str(" unreachable")
	case 1:
		l.str("host ")
		dst()
		l.str(" unreachable")
	case 2:
		dst()
		l.str(" protocol ")
		l.uint(uint32(v.Protocol()))
		l.str(" unreachable")
	case 3:
		dst()
		switch p := v.Protocol(); {
		case ports != nil && (p == IPProtoTCP || p == IPProtoUDP):
			if p == IPProtoTCP {
				l.str(" tcp port ")
			} else {
				l.str(" udp port ")
			}
			l.uint(uint32(binary.BigEndian.Uint16(ports[2:])))
		default:
			l.str(" protocol ")
			l.uint(uint32(p))
			if ports != nil {
				l.str(" port ")
				l.uint(uint32(binary.BigEndian.Uint16(ports[2:])))
			}
		}
		l.str(" unreachable")
	case 4:
		dst()
		l.str(" unreachable - need to frag")
		if mtu := binary.BigEndian.Uint16(b[6:]); mtu != 0 {
			l.str(" (mtu ")
			l.uint(uint32(mtu))
			l.str(")")
		}
	case 5:
		dst()
		l.str(" unreachable - source route failed")
	case 6:
		l.str("net ")
		dst()
		l.str(" unreachable - unknown")
	case 7:
		l.str("host ")
		dst()
		l.str(" unreachable - unknown")
	case 8:
		dst()
		l.str(" unreachable - source host isolated")
	case 9:
		l.str("net ")
		dst()
		l.str(" unreachable - admin prohibited")
	case 10:
		l.str("host ")
		dst()
		l.str(" unreachable - admin prohibited")
	case 11:
		l.str("net ")
		dst()
		l.str(" unreachable - tos prohibited")
	case 12:
		l.str("host ")
		dst()
		l.str(" unreachable - tos prohibited")
	case 13:
		l.str("host ")
		dst()
		l.str(" unreachable - admin prohibited filter")
	case 14:
		l.str("host ")
		dst()
		l.str(" unreachable - host precedence violation")
	case 15:
		l.str("host ")
		dst()
		l.str(" unreachable - precedence cutoff")
	default:
		dst()
		l.str(" unreachable - #")
		l.uint(uint32(code))
	}
}

// icmp6 prints an ICMPv6 message, RFC 4443, 4861 and 9777.
func (l *line) icmp6(b []byte) {
	l.str("ICMP6, ")
	l.icmp6Message(b)
	l.str(", length ")
	l.uint(uint32(max(l.length, 0)))
}

func (l *line) icmp6Message(b []byte) {
	if len(b) < 8 {
		l.str("type-#")
		l.uint(uint32(b[0]))
		return
	}
	typ, code := b[0], b[1]
	switch typ {
	case 1:
		l.unreachable6(code, b[8:])
	case 2:
		l.str("packet too big, mtu ")
		l.uint(binary.BigEndian.Uint32(b[4:]))
	case 3:
		l.str("time exceeded ")
		switch code {
		case 0:
			l.str("in-transit")
			if len(b) >= 8+IPv6Len {
				l.str(" for ")
				l.ip6(b[8+ipv6OffDst:][:16])
			}
		case 1:
			l.str("in-transit (reassembly)")
		default:
			l.str("unknown code (")
			l.uint(uint32(code))
			l.str(")")
		}
	case 4:
		l.str("parameter problem, ")
		switch code {
		case 0:
			l.str("errorneous - octet ")
		case 1:
			l.str("next header - octet ")
		case 2:
			l.str("option - octet ")
		default:
			l.str("code-#")
			l.uint(uint32(code))
			return
		}
		l.uint(binary.BigEndian.Uint32(b[4:]))
	case 128:
		l.str("echo request")
		l.idSeq(b)
	case 129:
		l.str("echo reply")
		l.idSeq(b)
	case 130:
		l.str("multicast listener query")
		l.mldGroup(b)
	case 131:
		l.str("multicast listener report")
		l.mldGroup(b)
	case 132:
		l.str("multicast listener done")
		l.mldGroup(b)
	case 133:
		l.str("router solicitation")
	case 134:
		l.str("router advertisement")
	case 135:
		l.str("neighbor solicitation")
		if len(b) >= 24 {
			l.str(", who has ")
			l.ip6(b[8:24])
		}
	case 136:
		l.str("neighbor advertisement")
		if len(b) >= 24 {
			l.str(", tgt is ")
			l.ip6(b[8:24])
		}
	case 137:
		l.str("redirect")
		if len(b) >= 40 {
			l.str(", ")
			l.ip6(b[24:40])
			l.str(" to ")
			l.ip6(b[8:24])
		}
	case 143:
		l.str("multicast listener report v2, ")
		l.uint(uint32(binary.BigEndian.Uint16(b[6:])))
		l.str(" group record(s)")
	case 144:
		l.str("ha discovery request, id 0x")
		l.hexN(uint64(binary.BigEndian.Uint16(b[4:])), 4)
	case 145:
		l.str("ha discovery reply")
	case 146:
		l.str("mobile router solicitation, id 0x")
		l.hexN(uint64(binary.BigEndian.Uint16(b[4:])), 4)
	case 147:
		l.str("mobile router advertisement")
	default:
		l.str("type-#")
		l.uint(uint32(typ))
	}
}

// mldGroup prints the group of a multicast listener message, RFC 9777.
func (l *line) mldGroup(b []byte) {
	switch {
	case len(b) >= 28 && b[0] == 130:
		l.str(" v2")
		if s := binary.BigEndian.Uint16(b[4:]); s < 0x8000 {
			l.str(" [max resp delay=")
			l.uint(uint32(s))
			l.str("]")
		}
	case len(b) >= 24:
		l.str(" max resp delay: ")
		l.uint(uint32(binary.BigEndian.Uint16(b[4:])))
		l.str(" addr: ")
		l.ip6(b[8:24])
	}
}

// unreachable6 prints what an IPv6 destination unreachable message is about.
func (l *line) unreachable6(code byte, body []byte) {
	l.str("destination unreachable, ")
	var dst []byte
	if v := IPv6View(body); v.isHeader() {
		dst = v[ipv6OffDst:][:16]
	}
	to := func() {
		if dst != nil {
			l.str(" ")
			l.ip6(dst)
		}
	}
	switch code {
	case 0:
		l.str("unreachable route")
		to()
	case 1:
		l.str("unreachable prohibited")
		to()
	case 2:
		l.str("beyond scope")
		to()
	case 3:
		l.str("unreachable address")
		to()
	case 4:
		l.str("unreachable port,")
		to()
		if v := IPv6View(body); dst != nil && len(body) >= IPv6Len+4 {
			port := uint32(binary.BigEndian.Uint16(body[IPv6Len+2:]))
			switch v.NextHeader() {
			case IPProtoTCP:
				l.str(" tcp port ")
				l.uint(port)
			case IPProtoUDP:
				l.str(" udp port ")
				l.uint(port)
			default:
				l.str(" protocol ")
				l.uint(uint32(v.NextHeader()))
				l.str(" port ")
				l.uint(port)
			}
		}
	default:
		l.str("unknown unreach code (")
		l.uint(uint32(code))
		l.str(")")
	}
}
