package pkts

import (
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

func TestMatchesNoAllocs(t *testing.T) {
	f, err := filter.Compile("tcp port 443", filter.Options{Link: link.TypeEthernet})
	if err != nil {
		t.Fatal(err)
	}
	frame, err := Stack(
		&Ethernet{},
		&IPv4{TTL: 64, Src: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Dst: netip.AddrFrom4([4]byte{192, 0, 2, 2})},
		&TCP{SrcPort: 40000, DstPort: 80},
	).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var p Packet
	for name, touch := range map[string]bool{"decoded": false, "edited": true} {
		if n := testing.AllocsPerRun(100, func() {
			if err := p.Decode(link.TypeEthernet, frame); err != nil {
				t.Fatal(err)
			}
			if tcp, ok := Get[TCP](&p); touch && ok {
				tcp.DstPort = 443
			}
			if got, err := p.Matches(f, nil); got != touch || err != nil {
				t.Fatal(got, err)
			}
		}); n != 0 && !(touch && raceEnabled) { // AppendBinary allocates for the race detector
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}
