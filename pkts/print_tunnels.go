package pkts

// gre prints a GRE header, and what it carries behind a colon.
func (l *line) gre(next int, b []byte) int {
	v := GREView(b)
	l.str("GREv")
	l.uint(uint32(v.Version()))
	if off, ok := v.Reserved1(); ok {
		l.str(", off ")
		l.hex(uint32(off))
	}
	if key, ok := v.Key(); ok {
		l.str(", key=")
		l.hex(key)
	}
	if call, ok := v.CallID(); ok {
		l.str(", call ")
		l.uint(uint32(call))
	}
	if seq, ok := v.Seq(); ok {
		l.str(", seq ")
		l.uint(seq)
	}
	if ack, ok := v.Ack(); ok {
		l.str(", ack ")
		l.uint(ack)
	}
	if v.Version() == 1 && !v.hasSeq() {
		l.str(", no-payload")
	}
	l.str(", length ")
	l.uint(uint32(max(l.length, 0)))
	if v.Version() == 1 && !v.hasSeq() && next < 0 {
		return -1
	}
	return l.tunneled(next, "gre-proto-", v.ProtocolType())
}

// vxlan prints a VXLAN header. What it carries follows behind a colon.
func (l *line) vxlan(next int, b []byte) int {
	v := VXLANView(b)
	l.str("VXLAN, flags [")
	if v.Flags().Has(VXLANValidVNI) {
		l.str("I")
	} else {
		l.str(".")
	}
	l.str("] (0x")
	l.hexN(uint64(v.Flags()), 2)
	l.str("), vni ")
	l.uint(v.VNI())
	return l.tunneled(next, "vxlan-proto-", EtherTypeBridged)
}

// geneve prints a Geneve header.
func (l *line) geneve(next int, b []byte) int {
	v := GeneveView(b)
	l.str("Geneve, Flags [")
	if v.Flags().Has(GeneveControl) {
		l.str("O")
	}
	if v.Flags().Has(GeneveCritical) {
		l.str("C")
	}
	if v.Flags()&^(GeneveControl|GeneveCritical) != 0 {
		l.str("R")
	}
	if v.Flags() == 0 {
		l.str("none")
	}
	l.str("], vni ")
	l.hex(v.VNI())
	if v.Reserved() != 0 {
		l.str(", rsvd ")
		l.hex(uint32(v.Reserved()))
	}
	if n := len(v.Options()); n > 0 {
		l.str(", options [")
		l.uint(uint32(n))
		l.str(" bytes]")
	}
	return l.tunneled(next, "geneve-proto-", v.ProtocolType())
}

// gtpu prints a GTP-U header, which tcpdump does not know.
func (l *line) gtpu(next int, b []byte) int {
	v := GTPUView(b)
	l.str("GTP-U, ")
	l.str(v.Type().String())
	l.str(", teid ")
	l.hex(v.TEID())
	if seq, _ := v.Seq(); v.Flags().Has(GTPUSeq) {
		l.str(", seq ")
		l.uint(uint32(seq))
	}
	if n := len(v.Extensions()); n > 0 {
		l.str(", extensions [")
		l.uint(uint32(n))
		l.str(" bytes]")
	}
	l.str(", length ")
	l.uint(uint32(v.Length()))
	return l.carry(next)
}

// tunneled prints what is to be said between a tunnel's header and the layer
// that it carries, and returns that layer; it says of what type it is where that
// is not known, is cut, or is malformed.
func (l *line) tunneled(next int, name string, t EtherType) int {
	l.ports = false
	l.str(": ")
	if next >= 0 && l.p.nodes()[next].kind != KindRaw {
		return next
	}
	if k := l.p.registry().etherType(t); k != KindRaw {
		l.str("[|")
		l.str(lowerName(l.p.registry().protocol(k)))
		l.str("]")
		return -1
	}
	l.str(name)
	l.hex(uint32(t))
	return -1
}
