package all

import (
	"strings"
	"testing"

	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sctp"
)

func TestRegistry(t *testing.T) {
	r := Registry()
	bound := map[*pkts.Protocol]bool{}
	for at, p := range r.Bindings() {
		bound[p] = true
		if at.Table == pkts.TCPPorts || at.Table == pkts.UDPPorts {
			t.Errorf("%v is bound to %v: a port is a guess", p, at)
		}
	}
	for _, p := range sctp.Protocols() {
		if !bound[p] {
			t.Errorf("%v is bound to nothing", p)
		}
	}
	// Names are keys in JSON and in field paths.
	names := map[string]*pkts.Protocol{}
	for p := range r.Protocols() {
		if q := names[strings.ToLower(p.Name)]; q != nil && q != p {
			t.Errorf("two protocols are called %v", p)
		}
		names[strings.ToLower(p.Name)] = p
	}
	if r.Next(pkts.IPProtos, uint64(pkts.IPProtoSCTP)) == pkts.KindRaw || r.Next(pkts.IPProtos, uint64(pkts.IPProtoTCP)) == pkts.KindRaw {
		t.Error("SCTP or TCP is not known")
	}
}
