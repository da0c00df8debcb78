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

// tunneled prints what is to be said between a tunnel's header and the layer
// that it carries, and returns that layer; it says of what type it is where that
// is not known, is cut, or is malformed.
func (l *line) tunneled(next int, name string, t EtherType) int {
	l.ports = false
	l.str(": ")
	if next >= 0 && l.p.nodes[next].kind != KindRaw {
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
