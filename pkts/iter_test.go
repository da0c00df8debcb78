package pkts

import (
	"testing"
)

// scaleVLANs returns a packet of tags, decoded.
func iterPacket(t *testing.T) *Packet {
	t.Helper()
	return coreDecode(t, &ethernetProtocol, coreBuild(t, &Ethernet{}, &VLAN{ID: 1}, &VLAN{ID: 2}, coreV4(nil), &UDP{}, &Raw{Data: []byte("x")}, &Padding{Data: []byte{1}}))
}

// TestEditWhileIterating changes a packet in loops over its parts.
func TestEditWhileIterating(t *testing.T) {
	p := iterPacket(t)
	for v := range All[VLAN](p) {
		if err := p.Remove(v); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := coreShape(p), coreShape(coreDecode(t, &ethernetProtocol, coreBuild(t, &Ethernet{}, coreV4(nil), &UDP{}, &Raw{Data: []byte("x")}, &Padding{Data: []byte{1}}))); got != want {
		t.Errorf("without tags it is %q, want %q", got, want)
	}

	for name, edit := range map[string]func(p *Packet){
		"remove":     func(p *Packet) { _ = p.Remove(Must[UDP](p)) },
		"remove all": func(p *Packet) { _ = p.RemoveAll(Must[VLAN](p)) },
		"append":     func(p *Packet) { p.Append(&Raw{Data: []byte{1}}) },
		"decode":     func(p *Packet) { _ = p.DecodeAs(&ipv4Protocol, coreBuild(t, coreV4(nil))) },
		"check": func(p *Packet) {
			_ = p.DecodeAs(&ipv4Protocol, coreBuild(t, coreV4(nil)))
			for range p.Checks() {
			}
		},
		"reset":  func(p *Packet) { p.Reset() },
		"encode": func(p *Packet) { Must[Ethernet](p).Src[0]++; _, _ = p.AppendBinary(nil) },
		"print": func(p *Packet) {
			Must[IPv4](p).TTL++
			_ = p.String()
			_ = p.AppendJSON(nil)
			_ = p.AppendTree(nil, nil)
		},
	} {
		for loop, run := range map[string]func(p *Packet, edit func()){
			"All": func(p *Packet, edit func()) {
				for range All[VLAN](p) {
					edit()
				}
			},
			"Nodes": func(p *Packet, edit func()) {
				for n := range p.Nodes() {
					_, _ = n.Layer()
					_, _ = n.Depth(), n.Bytes()
					edit()
				}
			},
			"Checks": func(p *Packet, edit func()) {
				for c := range p.Checks() {
					_ = c.Node.Proto()
					edit()
				}
			},
			"Flows": func(p *Packet, edit func()) {
				for range p.Flows() {
					edit()
				}
			},
		} {
			// In the first, the second, … round.
			for at := range 8 {
				p := iterPacket(t)
				round := 0
				run(p, func() {
					if round == at {
						edit(p)
					}
					round++
				})
				if round > 20 {
					t.Errorf("%s in a loop over %s: %d rounds", name, loop, round)
				}
			}
		}
	}

	// What does not change the layers does not end the loop or change what it
	// finds.
	want, got := 0, 0
	for range iterPacket(t).Checks() {
		want++
	}
	p = iterPacket(t)
	for c := range p.Checks() {
		if c.Status != CheckGood {
			t.Errorf("%v.%s: %v", c.Node.Proto(), c.Field, c.Status)
		}
		Must[UDP](p).SrcPort++
		if _, err := p.AppendBinary(nil); err != nil {
			t.Error(err)
		}
		for range p.Checks() {
		}
		got++
	}
	if got != want {
		t.Errorf("%d checks, want %d", got, want)
	}
}
