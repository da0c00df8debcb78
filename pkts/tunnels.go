package pkts

// UDPTunnels returns bindings of the tunnels over UDP to the ports that IANA has
// given them: [VXLAN] to 4789, [Geneve] to 6081, [GTPU] to 2152, and [GRE] to
// 4754, RFC 8086.
//
// No port is bound in [Default], since what a port carries is a guess. A program
// that wants to look into tunnels adds them, and other ports likewise:
//
//	r := pkts.Default.With(pkts.UDPTunnels()...)
func UDPTunnels() []Binding {
	var bs []Binding
	for _, p := range []*Protocol{&vxlanProtocol, &geneveProtocol, &gtpuProtocol, &greProtocol} {
		for _, b := range Bind(p) {
			if b.At.Table == &udpPortsTable {
				bs = append(bs, b)
			}
		}
	}
	return bs
}
