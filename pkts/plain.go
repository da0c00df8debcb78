package pkts

// plain is what a Packet knows of a plain frame: Ethernet, IPv4 without options
// or IPv6, TCP or UDP, all of it there. Nearly every frame is one, and most
// programs ask for these layers only. So its nodes are not written before
// something asks for more: [Packet.nodes]. The zero value says that they are
// written.
type plain struct {
	ip, l4  Kind   // what is behind Ethernet
	at, hdr uint16 // where l4 begins, and how long its header is
	end     uint32 // where ip and l4 end; what is behind is padding
	filled  uint8  // whose slots hold their layers
}

const (
	filledEthernet = 1 << iota
	filledIP
	filledL4
)

// maxPlainPadding is how much a plain frame has behind its layers at most, so
// that all offsets are ones of a node.
const maxPlainPadding = 1 << 16

// upper returns the number of the node of l4. Padding stands before it.
func (p *Packet) upper() int {
	if int(p.plain.end) < len(p.data) {
		return 3
	}
	return 2
}

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
	if cap(p.table) < commonNodes {
		p.table = make([]node, 0, commonNodes)
	}
	o, t, up := &p.plain, p.table[:commonNodes], p.upper()
	at, end, hdr, filled := int(o.at), int(o.end), int(o.hdr), o.filled
	p.expandIP(t, fillFlag(filled&filledEthernet), fillFlag(filled&filledIP))
	t[up].set(at, end, hdr, o.l4, 1, fillFlag(filled&filledL4))
	n := up + 1
	if at+hdr < end {
		t[n].set(at+hdr, end, allHeader, KindRaw, up, 0)
		n++
	}
	p.table = t[:n]
	p.plain = plain{}
}

// expandIP writes the nodes that are not in the IP header of a plain frame.
func (p *Packet) expandIP(t []node, eth, ip nodeFlags) {
	o, whole := &p.plain, len(p.data)
	end := int(o.end)
	t[0].set(0, whole, EthernetLen, kindEthernet, noNode, eth)
	t[1].set(EthernetLen, end, int(o.at)-EthernetLen, o.ip, 0, ip)
	t[2].set(end, whole, allHeader, kindPadding, 0, 0)
}

// decodeUpper decodes data, which is plain but for what is in the IP header:
// bytes of proto, up to end.
func (p *Packet) decodeUpper(data []byte, end int, proto IPProto) error {
	p.begin(data)
	p.plain.end = uint32(end)
	at, up, t := int(p.plain.at), p.upper(), p.table[:commonNodes]
	p.expandIP(t, 0, 0)
	t[up].set(at, end, 0, p.registry().ipProto(proto), 1, 0)
	p.plain = plain{}
	return p.walk(up, up+1)
}

func fillFlag(filled uint8) nodeFlags {
	if filled != 0 {
		return nodeFilled
	}
	return 0
}

// viewed tells views apart by its type, which is known where [View] is inlined,
// without a call; it is always nil.
type viewed[V ViewOf] struct{}

func (*viewed[V]) Proto() *Protocol { return V(nil).Proto() }

// prototype is a [viewed].
type prototype interface{ Proto() *Protocol }

// firstView returns the bytes of the outermost layer that v is of, nil for none.
// A type switch would take longer: it hashes.
func (p *Packet) firstView(v prototype) []byte {
	if _, ok := v.(*viewed[IPv4View]); ok {
		if p.plain.ip == kindIPv4 {
			return p.plainIP()
		}
	} else if _, ok := v.(*viewed[IPv6View]); ok {
		if p.plain.ip == kindIPv6 {
			return p.plainIP()
		}
	} else if _, ok := v.(*viewed[TCPView]); ok {
		if p.plain.l4 == kindTCP {
			return p.plainL4()
		}
	} else if _, ok := v.(*viewed[UDPView]); ok {
		if p.plain.l4 == kindUDP {
			return p.plainL4()
		}
	} else if _, ok := v.(*viewed[EthernetView]); ok {
		if p.plain.ip != 0 {
			return p.data[:len(p.data):len(p.data)]
		}
	}
	return p.viewOf(v)
}

// viewOf is firstView for all packets.
func (p *Packet) viewOf(v prototype) []byte { return p.view(v.Proto(), 0) }

// plainIP and plainL4 return the bytes of the layers of a plain frame.
func (p *Packet) plainIP() []byte { return p.data[EthernetLen:p.plain.end:p.plain.end] }
func (p *Packet) plainL4() []byte { return p.data[p.plain.at:p.plain.end:p.plain.end] }

// first returns the outermost layer of the protocol of l, filled in; nil for
// none. l is nil but for its type. The slots of a packet usually fit the one
// after it.
func (p *Packet) first(l Layer) Layer {
	if _, ok := l.(*IPv4); ok {
		if p.plain.ip == kindIPv4 && len(p.slots) > 1 {
			if l, ok := p.slots[1].layer.(*IPv4); ok {
				if p.plain.filled&filledIP == 0 {
					if _, err := l.Decode(p.plainIP()); err != nil {
						return nil
					}
					p.fill(filledIP)
				}
				return l
			}
		}
	} else if _, ok := l.(*IPv6); ok {
		if p.plain.ip == kindIPv6 && len(p.slots) > 1 {
			if l, ok := p.slots[1].layer.(*IPv6); ok {
				if p.plain.filled&filledIP == 0 {
					if _, err := l.Decode(p.plainIP()); err != nil {
						return nil
					}
					p.fill(filledIP)
				}
				return l
			}
		}
	} else if _, ok := l.(*TCP); ok {
		if i := p.upper(); p.plain.l4 == kindTCP && i < len(p.slots) {
			if l, ok := p.slots[i].layer.(*TCP); ok {
				if p.plain.filled&filledL4 == 0 {
					if _, err := l.Decode(p.plainL4()); err != nil {
						return nil
					}
					p.fill(filledL4)
				}
				return l
			}
		}
	} else if _, ok := l.(*UDP); ok {
		if i := p.upper(); p.plain.l4 == kindUDP && i < len(p.slots) {
			if l, ok := p.slots[i].layer.(*UDP); ok {
				if p.plain.filled&filledL4 == 0 {
					if _, err := l.Decode(p.plainL4()); err != nil {
						return nil
					}
					p.fill(filledL4)
				}
				return l
			}
		}
	} else if _, ok := l.(*Ethernet); ok {
		if p.plain.ip != 0 && len(p.slots) > 0 {
			if l, ok := p.slots[0].layer.(*Ethernet); ok {
				if p.plain.filled&filledEthernet == 0 {
					if _, err := l.Decode(p.data); err != nil {
						return nil
					}
					p.fill(filledEthernet)
				}
				return l
			}
		}
	}
	return p.layerOf(l)
}

// layerOf is first for all packets.
func (p *Packet) layerOf(l Layer) Layer { return p.find(l.Proto(), 0) }

// fill notes that a slot holds its layer.
func (p *Packet) fill(bit uint8) {
	p.plain.filled |= bit
	p.dirty = true
}
