package pkts

import "github.com/gopkts/gopkts/common/link"

// plain is what a Packet knows of a plain frame: Ethernet, up to two VLAN tags,
// IPv4 without options or IPv6, TCP or UDP, all of it there. Nearly every frame
// is one, and most programs ask for these layers only. So its nodes are not
// written before something asks for more: [Packet.nodes]. Where ip is 0, they
// are written.
type plain struct {
	ip             Kind   // what is behind Ethernet and the tags
	tags           uint16 // how many of them
	l4             Kind   // what is behind ip
	hdr            uint16 // how long its header is
	ipData, l4Data []byte // what ip and l4 are, without padding
}

// net returns where ip begins.
func (o *plain) net() int { return EthernetLen + int(o.tags)*VLANLen }

// maxPlainTags is how many VLAN tags a plain frame has at most.
const maxPlainTags = 2

const (
	filledEthernet = 1 << iota
	filledIP
	filledL4
	filledNode // any layer but those of own
)

// ownLayers are the layers of plain frames, which so need not be looked for.
// When the nodes are written, slots refer to those that are filled in.
type ownLayers struct {
	eth Ethernet
	ip4 IPv4
	ip6 IPv6
	tcp TCP
	udp UDP
}

// minPlain is how long a plain frame is at least.
const minPlain = EthernetLen + IPv4MinLen + UDPLen

// maxPlain is how long a plain frame is at most: all offsets are ones of a node.
const maxPlain = 1 << 20

// nodes returns the nodes, which it writes if they are not written.
func (p *Packet) nodes() []node {
	if p.plain.ip != 0 {
		p.expand()
	}
	return p.table
}

// expand writes the nodes of a plain frame. It reads the fields of plain one by
// one, as they were written: read as a whole, they would have to be waited for.
func (p *Packet) expand() {
	p.ready()
	ip, l4, hdr := p.plain.ip, p.plain.l4, int(p.plain.hdr)
	up, at, end := p.expandIP()
	t := p.table[:commonNodes]
	t[up].set(at, end, hdr, l4, int(p.plain.tags)+1, 0)
	n := up + 1
	if at+hdr < end {
		t[n].set(at+hdr, end, allHeader, KindRaw, up, 0)
		n++
	}
	p.table = t[:n]
	p.plain.ip, p.plain.l4 = 0, 0
	if p.filled != 0 {
		p.lend(ip, l4, up)
	}
}

// lend makes the slots of nodes that are filled in refer to ownLayers.
func (p *Packet) lend(ip, l4 Kind, up int) {
	o, at := &p.own, int(p.plain.tags)+1
	if p.filled&filledEthernet != 0 {
		p.lendTo(0, slot{&o.eth, &o.eth, kindEthernet})
	}
	if p.filled&filledIP != 0 {
		if ip == kindIPv4 {
			p.lendTo(at, slot{&o.ip4, &o.ip4, kindIPv4})
		} else {
			p.lendTo(at, slot{&o.ip6, &o.ip6, kindIPv6})
		}
	}
	if p.filled&filledL4 != 0 {
		if l4 == kindTCP {
			p.lendTo(up, slot{&o.tcp, &o.tcp, kindTCP})
		} else {
			p.lendTo(up, slot{&o.udp, &o.udp, kindUDP})
		}
	}
}

func (p *Packet) lendTo(i int, s slot) {
	p.fitSlots(i)
	if o := &p.slots[i]; o.layer != nil {
		p.spare = append(p.spare, *o)
	}
	p.slots[i] = s
	p.lent |= 1 << i
	p.table[i].flags = nodeFilled
}

// takeBack empties the slots that refer to ownLayers, which otherwise might be
// two of one packet.
func (p *Packet) takeBack() {
	for i := range p.slots[:min(len(p.slots), 8)] {
		if p.lent&(1<<i) != 0 {
			p.slots[i] = slot{}
		}
	}
	p.lent = 0
}

// expandIP writes the nodes of a plain frame that are not in its IP header. It
// returns the number of the node that is, and where that begins and ends.
func (p *Packet) expandIP() (up, at, end int) {
	o, t, whole := &p.plain, p.table[:commonNodes], len(p.data)
	t[0].set(0, whole, EthernetLen, kindEthernet, noNode, 0)
	ip, tags := o.net(), int(o.tags)
	for i := range tags {
		t[i+1].set(EthernetLen+i*VLANLen, whole, VLANLen, kindVLAN, i, 0)
	}
	up, end = tags+2, ip+len(o.ipData)
	at = end - len(o.l4Data)
	t[tags+1].set(ip, end, at-ip, o.ip, tags, 0)
	if end < whole {
		t[up].set(end, whole, allHeader, kindPadding, tags, 0)
		up++
	}
	return up, at, end
}

// decodeUpper decodes data, which is plain but for what is in the IP header:
// proto.
func (p *Packet) decodeUpper(data []byte, proto IPProto) error {
	p.begin(data)
	p.ready()
	up, at, end := p.expandIP()
	p.table[:commonNodes][up].set(at, end, 0, p.registry().ipProto(proto), 1, 0)
	p.plain.ip, p.plain.l4 = 0, 0
	return p.walk(up, up+1)
}

// decodeTagged decodes data if it is plain but for VLAN tags, and reports whether
// it is. Without them, everything is where Decode expects it.
func (p *Packet) decodeTagged(data []byte) bool {
	tags, rest, r := 0, data, p.registry()
	for tags < maxPlainTags && len(rest) > EthernetLen+VLANLen && r.etherType(EthernetView(rest).Type()) == kindVLAN {
		rest = rest[VLANLen:]
		tags++
	}
	if tags == 0 || len(rest) <= EthernetLen+IPv4MinLen {
		return false
	}
	var proto IPProto
	switch v := EthernetView(rest); v.Type() {
	case EtherTypeIPv4:
		proto = IPv4View(v.Payload()).Protocol()
	case EtherTypeIPv6:
		proto = IPv6View(v.Payload()).NextHeader()
	}
	if proto != IPProtoTCP && proto != IPProtoUDP {
		return false
	}
	gen := p.gen
	p.untagged = true
	_ = p.Decode(link.TypeEthernet, rest)
	p.untagged = false
	if p.gen == gen {
		return false
	}
	p.data, p.plain.tags = data, uint16(tags)
	return true
}

// viewed tells views apart by its type, which is known where [View] is inlined,
// without a call; it is always nil.
type viewed[V ViewOf] struct{}

func (*viewed[V]) Proto() *Protocol { return V(nil).Proto() }

// prototype is a [viewed].
type prototype interface{ Proto() *Protocol }

// firstView returns the bytes of the outermost layer that v is of, nil for none.
// A type switch would take longer: it hashes. A plain frame has none of the
// layers but those that plain names, and nodes are not written to find that out.
func (p *Packet) firstView(v prototype) []byte {
	if _, ok := v.(*viewed[TCPView]); ok {
		if p.plain.l4 == kindTCP {
			return p.plain.l4Data
		}
	} else if _, ok := v.(*viewed[IPv4View]); ok {
		if p.plain.ip == kindIPv4 {
			return p.plain.ipData
		}
	} else if _, ok := v.(*viewed[UDPView]); ok {
		if p.plain.l4 == kindUDP {
			return p.plain.l4Data
		}
	} else if _, ok := v.(*viewed[IPv6View]); ok {
		if p.plain.ip == kindIPv6 {
			return p.plain.ipData
		}
	} else if _, ok := v.(*viewed[EthernetView]); ok {
		if p.plain.ip != 0 {
			return p.data[:len(p.data):len(p.data)]
		}
	} else {
		return p.viewOf(v)
	}
	if p.plain.ip != 0 {
		return nil
	}
	return p.viewOf(v)
}

// viewOf is firstView for all packets.
func (p *Packet) viewOf(v prototype) []byte { return p.view(v.Proto(), 0) }

// first returns the outermost layer of the protocol of l, filled in; nil for
// none. l is nil but for its type. What Decode has checked of a plain frame is
// not checked again. Nothing is needed after a set but what it returns, so that
// nothing is written to the stack and read again. Each layer that is asked for in
// vain takes a comparison: IPv6 and UDP, which take longest, come first.
func (p *Packet) first(l Layer) Layer {
	if _, ok := l.(*Ethernet); ok {
		if p.plain.ip != 0 {
			if p.filled&filledEthernet == 0 {
				p.filled |= filledEthernet
				p.own.eth.set(EthernetView(p.data))
			}
			return &p.own.eth
		}
	} else if _, ok := l.(*IPv6); ok {
		if p.plain.ip == kindIPv6 {
			if p.filled&filledIP != 0 {
				return &p.own.ip6
			}
			p.filled |= filledIP
			return p.own.ip6.set((*[IPv6Len]byte)(p.plain.ipData))
		}
	} else if _, ok := l.(*UDP); ok {
		if p.plain.l4 == kindUDP {
			if p.filled&filledL4 != 0 {
				return &p.own.udp
			}
			p.filled |= filledL4
			return p.own.udp.set((*[UDPLen]byte)(p.plain.l4Data))
		}
	} else if _, ok := l.(*IPv4); ok {
		if p.plain.ip == kindIPv4 {
			if p.filled&filledIP != 0 {
				return &p.own.ip4
			}
			p.filled |= filledIP
			return p.own.ip4.set((*[IPv4MinLen]byte)(p.plain.ipData))
		}
	} else if _, ok := l.(*TCP); ok {
		if p.plain.l4 == kindTCP {
			if p.filled&filledL4 != 0 {
				return &p.own.tcp
			}
			p.filled |= filledL4
			p.own.tcp.Options = TCPOptions(p.plain.l4Data[TCPMinLen:p.plain.hdr:p.plain.hdr])
			return p.own.tcp.set((*[TCPMinLen]byte)(p.plain.l4Data))
		}
	} else {
		return p.layerOf(l)
	}
	if p.plain.ip != 0 {
		return nil // as in firstView
	}
	return p.layerOf(l)
}

// layerOf is first for all packets.
func (p *Packet) layerOf(l Layer) Layer { return p.find(l.Proto(), 0) }
