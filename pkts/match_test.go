package pkts_test

import (
	"errors"
	"fmt"
	"log"
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// A compiled filter is asked about packets that were decoded, edited and built.
func ExamplePacket_Matches() {
	web, err := filter.Compile("tcp dst port 80", filter.Options{Link: link.TypeEthernet})
	if err != nil {
		log.Fatal(err)
	}
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, exampleSYN()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Matches(web, nil))
	if tcp, ok := pkts.Get[pkts.TCP](&p); ok {
		tcp.DstPort = 443
	}
	fmt.Println(p.Matches(web, nil))
	// Output:
	// true <nil>
	// false <nil>
}

func compileFor(t testing.TB, expr string, l link.Type) *filter.Filter {
	t.Helper()
	f, err := filter.Compile(expr, filter.Options{Link: l})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMatches(t *testing.T) {
	syn := exampleSYN() // to port 80, 58 bytes
	var decoded pkts.Packet
	if err := decoded.Decode(link.TypeEthernet, syn); err != nil {
		t.Fatal(err)
	}
	var ip pkts.Packet
	if err := ip.Decode(link.TypeRaw, syn[14:]); err != nil {
		t.Fatal(err)
	}
	var arp pkts.Packet
	if err := arp.Decode(link.TypeLinuxSLL2, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	var edited pkts.Packet
	if err := edited.Decode(link.TypeEthernet, syn); err != nil {
		t.Fatal(err)
	}
	tcp, ok := pkts.Get[pkts.TCP](&edited)
	if !ok {
		t.Fatal("no TCP")
	}
	tcp.DstPort = 443
	edited.Append(&pkts.Raw{Data: make([]byte, 100)})
	built := pkts.Stack(
		&pkts.IPv6{HopLimit: 1, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2")},
		&pkts.UDP{SrcPort: 1, DstPort: 53})
	snapped := &link.Info{WireLen: 1500, Link: link.TypeEthernet}
	for _, c := range []struct {
		name string
		p    *pkts.Packet
		expr string
		link link.Type
		info *link.Info
		want bool
	}{
		{"decoded", &decoded, "port 80", link.TypeEthernet, nil, true},
		{"decoded", &decoded, "port 443", link.TypeEthernet, nil, false},
		{"decoded", &decoded, "len = 58", link.TypeEthernet, nil, true},
		{"decoded and cut", &decoded, "len = 1500", link.TypeEthernet, snapped, true},
		{"as another link type", &decoded, "", link.TypeIPv4, nil, false},
		{"as another link type", &decoded, "", link.TypeRaw, nil, false},
		{"as a link type not known here", &decoded, "", link.TypeIEEE80211, nil, false},
		{"IP", &ip, "tcp dst port 80", link.TypeRaw, nil, true},
		{"IP", &ip, "tcp dst port 80", link.TypeIPv4, nil, true},
		{"IP", &ip, "", link.TypeIPv6, nil, false},
		{"cooked", &arp, "", link.TypeLinuxSLL2, nil, true},
		{"edited", &edited, "port 80", link.TypeEthernet, nil, false},
		{"edited", &edited, "port 443 and ip[2:2] = 144", link.TypeEthernet, nil, true},
		{"edited", &edited, "len = 158", link.TypeEthernet, snapped, true},
		{"built", built, "udp port 53 and len = 48", link.TypeRaw, nil, true},
		{"built", built, "udp port 53 and ip6 dst host 2001:db8::2", link.TypeIPv6, nil, true},
		{"built", built, "", link.TypeEthernet, nil, false},
		{"empty", new(pkts.Packet), "", link.TypeEthernet, nil, false},
	} {
		if got, err := c.p.Matches(compileFor(t, c.expr, c.link), c.info); got != c.want || err != nil {
			t.Errorf("%s, %q on %v: %t, %v, want %t", c.name, c.expr, c.link, got, err, c.want)
		}
	}
	if got := edited.Data(); &got[0] != &syn[0] || len(got) != len(syn) {
		t.Error("Matches changed the data")
	}
}

func TestMatchesError(t *testing.T) {
	p := pkts.Stack(
		&pkts.IPv4{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("2001:db8::1")},
		&pkts.UDP{})
	got, err := p.Matches(compileFor(t, "udp", link.TypeIPv4), nil)
	if _, ok := errors.AsType[*pkts.EncodeError](err); got || !ok {
		t.Errorf("%t, %v, want an EncodeError", got, err)
	}
}
