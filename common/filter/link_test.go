package filter

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// Link types that the libpcap of most systems has no rules for, so that no other
// test compares them: what they accept follows from their formats, as
// tcpdump.org/linktypes.html has them, and libpcap 1.11 agrees.
func TestNewLinks(t *testing.T) {
	ip := "\x45\x00\x00\x1c\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02\x03\xe8\x00\x35\x00\x08\x00\x00"
	macs := "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
	for _, tt := range []struct {
		link    link.Type
		frame   string
		yes, no string
	}{
		// The operation of a Broadcom tag is in the first three bits.
		{link.TypeDSATagBRCM, macs + "\x00\x00\x00\x03" + "\x08\x00" + ip, "ip,udp port 53,inbound,ether src 02:00:00:00:00:01,not vlan,ether[12] = 0", "outbound,ip6,ether dst 02:00:00:00:00:01,multicast,llc"},
		{link.TypeDSATagBRCM, macs + "\x20\x00\x00\x03" + "\x81\x00\x00\x07\x08\x00" + ip, "outbound,vlan 7 and udp port 53,vlan and ip host 10.0.0.1", "inbound,vlan 8,ip"},
		{link.TypeDSATagBRCM, "\xff\xff\xff\xff\xff\xff" + macs[6:] + "\x40\x00\x00\x03" + "\x00\x05\x42\x42\x03\x00\x00", "broadcast,multicast,llc,stp,llc ui", "inbound,outbound,ip"},
		// The mode of a Marvell tag is in the first two.
		{link.TypeDSATagDSA, macs + "\x00\x08\x00\x01" + "\x08\x00" + ip, "inbound,udp,host 10.0.0.2", "outbound,arp"},
		{link.TypeDSATagDSA, macs + "\x80\x08\x00\x01" + "\x88\x47\x00\x01\x01\x40" + ip, "inbound,mpls 16 and udp port 53", "outbound,mpls 17"},
		{link.TypeDSATagDSA, macs + "\x40\x08\x00\x01" + "\x08\x00" + ip, "outbound", "inbound"},
		{link.TypeDSATagDSA, macs + "\xc0\x08\x00\x01" + "\x08\x00" + ip, "ip", "inbound,outbound"},
		// Preamble, type, destination and source.
		{link.TypeBACnetMSTP, "\x55\xff\x05\x07\x03\x00\x00\x8c", "link host $3,link src $03,link dst $7,link[2] = 5,len = 8", "broadcast,link src $7,link dst $55"},
		{link.TypeBACnetMSTP, "\x55\xff\x06\xff\x03\x00\x00\x8c", "broadcast,link host $ff", "link src $ff"},
		{link.TypeNetAnalyzer, "\x01\x02\x03\x04" + macs + "\x08\x00" + ip, "ip,udp port 53,ether src 02:00:00:00:00:01,link[0] = 2,byte 0 = 2", "arp"},
		{link.TypeNetAnalyzerTransparent, "\x01\x02\x03\x04UUUUUUU\xd5" + macs + "\x08\x00" + ip, "ip,udp port 53,ether src 02:00:00:00:00:01", "arp"},
	} {
		for want, list := range map[bool]string{true: tt.yes, false: tt.no} {
			for expr := range strings.SplitSeq(list, ",") {
				for _, d := range []Dialect{DialectPcap, DialectScoped} {
					f, err := Compile(expr, Options{Link: tt.link, Dialect: d})
					if err != nil {
						t.Errorf("%v: Compile(%q): %v", tt.link, expr, err)
						continue
					}
					if d == DialectScoped && expr == "ip" && !want && strings.Contains(tt.frame, "\x81\x00\x00\x07") {
						continue // behind the tag
					}
					b := append([]byte(tt.frame), make([]byte, 8)...)
					if got := f.Match(b, len(tt.frame), nil); got != want {
						t.Errorf("%v: %q in dialect %d: %v, want %v for % x", tt.link, expr, d, got, want, tt.frame)
					}
				}
			}
		}
	}
	for _, tt := range []struct {
		link link.Type
		expr string
	}{
		{link.TypeBACnetMSTP, "ip"}, {link.TypeBACnetMSTP, "multicast"}, {link.TypeBACnetMSTP, "ether host 02:00:00:00:00:01"},
		{link.TypeNetAnalyzer, "llc"}, {link.TypeNetAnalyzer, "inbound"}, {link.TypeDSATagDSA, "link host $1"},
	} {
		if _, err := Compile(tt.expr, Options{Link: tt.link}); !errors.Is(err, ErrUnsupportedLink) {
			t.Errorf("%v: Compile(%q) = %v, want %v", tt.link, tt.expr, err, ErrUnsupportedLink)
		}
	}
}

// Reasons and actions of the packet filters of all BSDs, whose numbers are those
// of net/pfvar.h there.
func TestPFNames(t *testing.T) {
	for expr, same := range map[string]string{
		"reason match": "reason 0", "reason synproxy": "reason 14", "reason map-failed": "reason 15", "reason state-locked": "reason 15",
		"reason translate": "reason 15", "reason dummynet": "reason 15", "reason no-route": "reason 16",
		"action pass": "byte 2 = 0", "action accept": "byte 2 = 0", "action block": "byte 2 = 1", "action synproxy-drop": "byte 2 = 10", "action defer": "byte 2 = 11",
		"action dummynet": "byte 2 = 11", "action match": "byte 2 = 12", "action nodummynet": "byte 2 = 12", "action divert": "byte 2 = 13", "action nat64": "byte 2 = 13",
		"action rt": "byte 2 = 14", "action nonat64": "byte 2 = 14", "action afrt": "byte 2 = 15",
	} {
		f, err := Compile(expr, Options{Link: link.TypePFLog})
		if err != nil {
			t.Errorf("Compile(%q): %v", expr, err)
			continue
		}
		g, err := Compile(same, Options{Link: link.TypePFLog})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.program, g.program) {
			t.Errorf("%q and %q have different programs", expr, same)
		}
	}
	for _, expr := range []string{"reason nosuch", "action nosuch"} {
		if _, err := Compile(expr, Options{Link: link.TypePFLog}); !errors.Is(err, ErrMeaning) {
			t.Errorf("Compile(%q) = %v, want %v", expr, err, ErrMeaning)
		}
	}
	for expr, hint := range map[string]string{"reason mach": "'reason match'", "reason no-rout": "'reason no-route'", "action pas": "'action pass'", "action blok": "'action block'"} {
		_, err := Compile(expr, Options{Link: link.TypePFLog})
		if e := (*Error)(nil); !errors.As(err, &e) || e.Hint != hint {
			t.Errorf("Compile(%q) = %v, want a hint at %s", expr, err, hint)
		}
	}
}
