package filter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// scopedPacket is a packet of testdata/scoped/packets.txt, which recipe.py makes
// with scapy.
type scopedPacket struct {
	name string
	link link.Type
	data []byte
}

func scopedPackets(t testing.TB) []scopedPacket {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "scoped", "packets.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var packets []scopedPacket
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "; ")
		if len(f) != 3 {
			t.Fatalf("packets.txt: %q has %d fields, want 3", line, len(f))
		}
		typ, err := link.ParseType("DLT_" + f[1])
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, scopedPacket{f[0], typ, b})
	}
	return packets
}

// scopedTests are expressions and the names of the Ethernet packets that they
// accept, with commas between; "*" and what is not, for most of them. The names
// say what the packets are.
var scopedTests = []struct{ expr, want string }{
	// VLAN tags, or not.
	{"arp", "arp tag10"},
	{"arp host 10.0.0.1", "arp tag10"},
	{"icmp", "icmp4"},
	{"tcp and ip", "tcp4,tcp4 options,tcp4 tag10,tcp4 tag0,tcp4 qinq,tcp4 9100,tcp4 first,tcp4 later"},
	{"tcp port 80 and ip", "tcp4,tcp4 options,tcp4 tag10,tcp4 tag0,tcp4 qinq,tcp4 9100,tcp4 first"},
	{"ip and tcp dst port 80", "tcp4,tcp4 options,tcp4 tag10,tcp4 tag0,tcp4 qinq,tcp4 9100,tcp4 first"},
	{"ip and tcp src port 80", ""},
	{"vlan and ip and tcp", "tcp4 tag10,tcp4 tag0,tcp4 qinq,tcp4 9100,tcp4 three tags"},
	{"not vlan and ip and tcp", "tcp4,tcp4 options,tcp4 first,tcp4 later"},
	{"vlan 10 and tcp", "tcp4 tag10,tcp6 tag10"},
	{"vlan 0", "tcp4 tag0"},
	{"vlan 100 and vlan 10", "tcp4 qinq,tcp4 9100,tcp6 hbh qinq"},
	{"vlan 10 and vlan 100", ""},
	{"vlan 10,20-30", "tcp4 tag10,udp4 tag25,arp tag10,tcp6 tag10,pppoe tag10,vxlan tag20"},
	{"vlan 20-30", "udp4 tag25"},
	{"vlan 10-10 and arp", "arp tag10"},
	{"vlan 1,2,100 and ip and tcp", "tcp4 qinq,tcp4 9100,tcp4 three tags"},
	{"vlan 26-0x3f,0,025", "tcp4 tag0"},
	{"vlan 1 and vlan 2 and vlan 3 and tcp", "tcp4 three tags"},
	{"vlan 10 and arp or (vlan 25 and udp port 53)", "arp tag10,udp4 tag25"},
	{"not vlan and udp port 53 or (vlan 25)", "udp4 tag25,udp6 ah"},
	{"ether proto 0x8100 and ip", "tcp4 tag10,tcp4 tag0,udp4 tag25,vxlan tag20"},
	{"ether proto 0x88a8", "tcp4 qinq,tcp6 hbh qinq"},
	{"ether proto 0x88a8 or arp", "tcp4 qinq,tcp6 hbh qinq,arp tag10"},
	{"ether proto \\ip and vlan", "tcp4 tag10,tcp4 tag0,tcp4 qinq,tcp4 9100,udp4 tag25,vxlan tag20"},
	{"ip[9] = 6 and tcp[tcpflags] = tcp-syn", "tcp4,tcp4 options,tcp4 tag10,tcp4 tag0,tcp4 qinq,tcp4 9100,tcp4 first"},
	{"ether[12:2] = 0x9100", "tcp4 9100"},
	{"net 10.0.0.0/8 and icmp[icmptype] = icmp-echo", "icmp4"},

	// IPv6 extension headers.
	{"ip6 and tcp", "tcp6,tcp6 tag10,tcp6 hbh,tcp6 hbh qinq,tcp6 all,tcp6 first,tcp6 later"},
	{"ip6 and tcp port 80", "tcp6,tcp6 tag10,tcp6 hbh,tcp6 hbh qinq,tcp6 all,tcp6 first"},
	{"ip6 and tcp[2:2] = 80", "tcp6,tcp6 tag10,tcp6 hbh,tcp6 hbh qinq,tcp6 all,tcp6 first"},
	{"ip6 and tcp[2:2] != 80", ""},
	{"ip6 and tcp[tcpflags] & tcp-syn != 0 and vlan", "tcp6 tag10,tcp6 hbh qinq"},
	{"ip6 and port 53", "udp6 ah"},
	{"udp[2:2] = 53", "udp4 tag25,udp6 ah"},
	{"ip6 and portrange 50-60", "udp6 ah"},
	{"sctp port 80", "sctp6 hbh"},
	{"sctp[4:4] = 1", "sctp6 hbh"},
	{"icmp6", "echo6,echo6 hbh"},
	{"icmp6[icmp6type] = icmp6-echo", "echo6,echo6 hbh"},
	{"icmp6[4:2] = 1", "echo6,echo6 hbh"},
	{"ip6 proto 6 and vlan", "tcp6 tag10,tcp6 hbh qinq"},
	{"ip6 proto 0", "tcp6 hbh,tcp6 hbh qinq,tcp6 all,tcp6 later,sctp6 hbh,echo6 hbh,geneve"},
	{"ip6 proto 60", "tcp6 all,tcp6 seven,4 in 6"},
	{"ip6 proto 43", "tcp6 all"},
	{"ip6 proto 44", "tcp6 all,tcp6 first,tcp6 later"},
	{"ah", "tcp6 all,udp6 ah"},
	{"ip6 protochain 6", "tcp6,tcp6 tag10,tcp6 hbh,tcp6 hbh qinq,tcp6 all,tcp6 seven,tcp6 first,tcp6 later"},
	{"host 2001:db8::2 and udp", "udp6 ah,vxlan arp,geneve,gtp pdu"},

	// Encapsulations.
	{"mpls and tcp", ""},
	{"mpls 16 and mpls 17 and tcp port 80", "mpls"},
	{"mpls 15-16,20 and mpls and host 10.0.0.1", "mpls"},
	{"mpls 17", ""},
	{"pppoes and tcp port 80", "pppoe tag10"},
	{"vlan 10 and pppoes 7 and ip6 and tcp port 80", "pppoe tag10"},
	{"pppoes 5,7-9 and tcp port 80", "pppoe tag10"},
	{"pppoes 8-9", ""},
	{"vxlan", "vxlan,vxlan tag20,vxlan arp"},
	{"vxlan 0x1234 and tcp port 80", "vxlan"},
	{"vxlan 4660-4670 and tcp port 80", "vxlan,vxlan tag20"},
	{"vxlan and vlan 20 and tcp port 80", "vxlan tag20"},
	{"vxlan and not vlan", "vxlan,vxlan arp"},
	{"vxlan and arp", "vxlan arp"},
	{"vxlan and ether host 02:00:00:00:01:01", "vxlan,vxlan tag20,vxlan arp"},
	{"vxlan and ether host 02:00:00:00:00:01", ""},
	{"geneve", "geneve,geneve bare"},
	{"geneve 9 and udp port 53", "geneve"},
	{"geneve 1,10 and tcp port 80", "geneve bare"},
	{"geneve and ether src 02:00:00:00:01:01", "geneve"},
	{"geneve and not ether src 02:00:00:00:01:01", "geneve bare"},
	{"vxlan and tcp or (geneve and tcp)", "vxlan,vxlan tag20,geneve bare"},

	// Tunnels.
	{"inner (ip or ip6 or arp)", "four tunnels,ethernet in 6,vxlan,vxlan tag20,vxlan arp,geneve,geneve bare,gre,gre all,gre teb,4 in 4,6 in 4,4 in 6,6 in 6,gtp,gtp seq,gtp pdu,nested"},
	{"inner tcp port 80", "vxlan,vxlan tag20,geneve bare,gre teb,4 in 4,6 in 4,4 in 6,gtp,gtp pdu"},
	{"inner udp port 53", "geneve,gre,6 in 6,gtp seq"},
	{"inner (port 443 or port 53)", "ethernet in 6,geneve,gre,gre all,6 in 6,gtp seq"},
	{"inner tcp[2:2] = 443", "ethernet in 6,gre all"},
	{"inner net 192.168.0.0/16", "ethernet in 6,vxlan,vxlan arp,geneve,geneve bare,gre,gre teb,4 in 4,4 in 6,gtp,gtp pdu"},
	{"inner host 10.0.0.1", ""},
	{"ip host 10.0.0.1 and inner host 2001:db8:1::1", "vxlan tag20,gre all,6 in 4,gtp seq"},
	{"inner ip6 proto 0", "vxlan tag20,6 in 4"},
	{"inner vlan 20", "vxlan tag20,gre teb"},
	{"inner vlan", "vxlan tag20,gre teb"},
	{"inner (vlan 20 and ip6 and tcp port 80)", "vxlan tag20"},
	{"inner arp", "vxlan arp"},
	{"inner ether host 02:00:00:00:01:01", "ethernet in 6,vxlan,vxlan tag20,vxlan arp,geneve,gre teb"},
	{"inner ether host 02:00:00:00:00:01", ""},
	{"inner (mpls 18 and tcp port 80)", "gre mpls"},
	{"inner mpls", "gre mpls"},
	{"inner inner tcp port 80", "nested"},
	{"inner (vxlan and tcp port 80)", "nested"},
	{"inner inner inner inner tcp port 22", "four tunnels"},
	{"inner inner inner inner host 192.168.9.1", "four tunnels"},
	{"inner inner inner (vlan 30 and host 172.16.0.5)", "four tunnels"},
	{"inner inner inner tcp", ""},
	{"inner inner (udp port 6081 and ip6)", "four tunnels"},
	{"inner inner (geneve 3 and vlan 30 and host 172.16.0.5)", "four tunnels"},
	{"inner (host 172.16.0.1 and inner (udp and ip6))", "four tunnels"},
	{"inner (host 172.16.0.1 and inner (udp and ip6 proto 0 and inner (vlan 30 and inner port 22)))", "four tunnels"},
	{"not vlan and inner (not udp and inner (udp and inner (vlan and inner (tcp and not udp))))", "four tunnels"},
	{"vlan 10 and inner (vlan 20 and tcp port 80)", "vxlan tag20"},
	{"ip proto 47 and inner vxlan", "nested"},
	{"inner not tcp", "four tunnels,vxlan arp,geneve,gre,gre mpls,6 in 6,gtp seq,nested"},
	{"udp port 2152 and not inner ip", "gtp seq,gtp echo"},
	{"inner tcp and udp port 4789", "vxlan,vxlan tag20"},
	{"udp port 6081 and (inner tcp or inner udp)", "geneve,geneve bare"},
	{"inner tcp[2:2] = udp[2:2]", ""},
}

// The packets and expressions of the scoped dialect, whose verdicts follow from
// the standards of the headers.
func TestScopedPackets(t *testing.T) {
	packets := scopedPackets(t)
	for _, tt := range scopedTests {
		want := strings.Split(tt.want, ",")
		if tt.want == "" {
			want = nil
		}
		opts := Options{Link: link.TypeEthernet, Dialect: DialectScoped}
		f, err := Compile(tt.expr, opts)
		if err != nil {
			t.Errorf("Compile(%q): %v", tt.expr, err)
			continue
		}
		opts.NoOptimize = true
		plain, err := Compile(tt.expr, opts)
		if err != nil {
			t.Errorf("Compile(%q) without optimizer: %v", tt.expr, err)
			continue
		}
		opts.NoOptimize, opts.Target = false, TargetLinux
		live, err := Compile(tt.expr, opts)
		if err != nil {
			t.Errorf("Compile(%q) for a socket: %v", tt.expr, err)
			continue
		}
		for _, x := range []*Filter{f, plain, live} {
			if err := x.program.ValidateLinux(); err != nil {
				t.Errorf("%q: %v", tt.expr, err)
			}
		}
		if again, err := Compile(f.String(), f.opts); err != nil || !slices.Equal(again.program, f.program) {
			t.Errorf("%q and %q have different programs: %v", tt.expr, f.String(), err)
		}
		var got []string
		for _, p := range packets {
			if p.link != link.TypeEthernet {
				continue
			}
			if f.Match(p.data, len(p.data), nil) {
				got = append(got, p.name)
			}
			// Without the optimizer, loads whose outcome does not matter are made.
			long := append(slices.Clone(p.data), make([]byte, 4096)...)
			if x, y := f.Match(long, len(p.data), nil), plain.Match(long, len(p.data), nil); x != y {
				t.Errorf("%q: optimized %v, not optimized %v for %s", tt.expr, x, y, p.name)
			}
			if x, y := f.Match(p.data, len(p.data), nil), live.Match(p.data, len(p.data), &link.Info{}); x != y {
				t.Errorf("%q: for a file %v, for a socket %v for %s", tt.expr, x, y, p.name)
			}
			// A socket whose kernel takes the outermost tag off.
			if typ := uint16(p.data[12])<<8 | uint16(p.data[13]); strings.HasPrefix(tt.expr, "ether") || strings.Contains(tt.expr, "ether proto") {
				continue
			} else if typ == etherVLAN || typ == etherQinQ || typ == etherQinQ91 {
				info := link.Info{VLANTPID: typ, VLANTCI: uint16(p.data[14])<<8 | uint16(p.data[15]), Flags: link.InfoVLAN}
				b := slices.Concat(p.data[:12], p.data[16:])
				// Of three tags, two are left, which are skipped.
				if x, y := f.Match(p.data, len(p.data), nil), live.Match(b, len(b), &info); x != y && p.name != "tcp4 three tags" {
					t.Errorf("%q: for a file %v, for a socket that takes tags off %v for %s", tt.expr, x, y, p.name)
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q accepts\n%q, want\n%q", tt.expr, got, want)
		}
	}
}

// The scoped dialect on other link types.
func TestScopedLinks(t *testing.T) {
	packets := scopedPackets(t)
	for _, tt := range []struct{ name, yes, no string }{
		{"sll", "tcp port 80,ip,not vlan,host 10.0.0.1,tcp[13] = 2", "ip6,vlan,udp,inner ip"},
		{"sll tag10", "tcp port 80,ip,vlan 10,vlan and tcp,vlan 9-11 and tcp port 80,ether proto 0x8100", "not vlan,vlan 11,arp,vlan and vlan"},
		{"sll2", "tcp port 80,ip6,not vlan,ip6 proto 0,tcp[13] = 2", "ip,vlan,vlan and tcp"},
		{"sll2 qinq", "tcp port 80,ip,vlan 100,vlan 100 and tcp port 80,vlan 100 and vlan 10 and tcp port 80,ether proto 0x88a8", "ip6,vlan 10,vlan 100 and vlan 100,ether proto 0x8100"},
		{"raw", "ip6,inner tcp port 80,inner host 192.168.1.1,inner ip", "tcp,inner ip6,inner arp"},
		{"ppp", "tcp port 80,ip", "ip6,udp,inner tcp"},
	} {
		i := slices.IndexFunc(packets, func(p scopedPacket) bool { return p.name == tt.name })
		if i < 0 {
			t.Fatalf("there is no packet %q", tt.name)
		}
		p := packets[i]
		for want, list := range map[bool]string{true: tt.yes, false: tt.no} {
			for expr := range strings.SplitSeq(list, ",") {
				f, err := Compile(expr, Options{Link: p.link, Dialect: DialectScoped})
				if err != nil {
					t.Errorf("%s: Compile(%q): %v", tt.name, expr, err)
					continue
				}
				if err := f.program.ValidateLinux(); err != nil {
					t.Errorf("%s: %q: %v", tt.name, expr, err)
				}
				if got := f.Match(p.data, len(p.data), nil); got != want {
					t.Errorf("%s: %q: %v, want %v", tt.name, expr, got, want)
				}
			}
		}
	}
}

// What the scoped dialect has is refused where it was not asked for, and its
// words are names there.
func TestScopedOnly(t *testing.T) {
	for _, tt := range []struct {
		expr, at, msg string
		scoped        error // what the scoped dialect says
	}{
		{"inner tcp port 80", "inner", "scoped dialect", nil},
		{"ip and inner (tcp)", "inner", "scoped dialect", nil},
		{"not inner tcp", "inner", "scoped dialect", nil},
		{"port 80 or inner port 443", "inner", "scoped dialect", nil},
		{"vlan 10,20", "10,20", "scoped dialect", nil},
		{"vlan 10-20", "10-20", "scoped dialect", nil},
		{"vlan 20-10", "20-10", "ends before it begins", ErrMeaning},
		{"vlan 10,4096", "10,4096", "scoped dialect", ErrMeaning},
		{"vlan 1,", "", "end of the expression", ErrSyntax},
		{"vlan 1,tcp", "tcp", "unexpected", ErrSyntax},
		{"vlan 08-09", "08-09", "not a range", ErrSyntax},
		{"inner", "inner", "unexpected", ErrSyntax},
		{"inner and tcp", "inner", "unexpected", ErrSyntax},
		{"port 80,443", ",", "unexpected", ErrSyntax},
	} {
		_, err := Compile(tt.expr, Options{Link: link.TypeEthernet})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("Compile(%q) = %v, want an *Error", tt.expr, err)
			continue
		}
		if got := tt.expr[e.Pos:e.End]; got != tt.at || !strings.Contains(e.Msg, tt.msg) {
			t.Errorf("Compile(%q) = %v at %q, want %q at %q", tt.expr, err, got, tt.msg, tt.at)
		}
		if got := errors.Is(err, ErrDialect); got != (tt.msg == "scoped dialect") {
			t.Errorf("Compile(%q) = %v: %v that it is of another dialect", tt.expr, err, got)
		}
		if _, err := NewPerLink(tt.expr, Options{}); err == nil {
			t.Errorf("NewPerLink(%q) takes it", tt.expr)
		}
		if _, err := Compile(tt.expr, Options{Link: link.TypeEthernet, Dialect: DialectScoped}); !errors.Is(err, tt.scoped) || (err == nil) != (tt.scoped == nil) {
			t.Errorf("Compile(%q) in the scoped dialect: %v, want %v", tt.expr, err, tt.scoped)
		}
	}
	for _, expr := range []string{"host inner", "host inner and tcp", "src inner or dst inner", "host a or inner and tcp", `host \inner`, "(host inner)"} {
		for _, d := range []Dialect{DialectPcap, DialectScoped} {
			if _, err := parseDialect(expr, d); err != nil {
				t.Errorf("%q in dialect %d: %v", expr, d, err)
			}
		}
	}
}

// Programs for the kernel stay below its limit, or are refused.
func TestScopedLength(t *testing.T) {
	opts := Options{Link: link.TypeEthernet, Dialect: DialectScoped}
	for expr, limit := range map[string]int{
		"inner inner inner inner tcp port 80": 2000,
		"len > 5":                             4, "ip": 30, "arp": 30, "host 10.0.0.1": 40, "tcp port 80": 300, "port 53": 300, "vlan 10,20-30 and tcp port 80": 300, "inner tcp port 80": 700,
		hosts(1000): 2400, "tcp and (" + hosts(300) + ")": 1000,
	} {
		f, err := Compile(expr, opts)
		if err != nil {
			t.Errorf("%.40q: %v", expr, err)
		} else if f.Len() > limit {
			t.Errorf("%.40q has %d instructions, want at most %d", expr, f.Len(), limit)
		}
	}
	// Registers are given back at the end of an alternative.
	var parts []string
	for i := range 30 {
		parts = append(parts, fmt.Sprintf("(vlan %d and tcp port %d)", i, 80+i))
	}
	if _, err := Compile(strings.Join(parts[:12], " or "), opts); err != nil {
		t.Errorf("twelve alternatives: %v", err)
	}
	var vlans, ports []string
	for i := range 100 {
		vlans = append(vlans, fmt.Sprintf("(vlan %d and host 10.0.0.%d)", i, i))
	}
	if f, err := Compile(strings.Join(vlans, " or "), opts); err != nil || f.Len() > 3500 {
		t.Errorf("a hundred VLANs and hosts: %v", err)
	}
	for i := range 2000 {
		vlans = append(vlans, fmt.Sprintf("(vlan %d and host 10.0.1.%d)", i, i%256))
		ports = append(ports, fmt.Sprintf("(vlan %d and port %d)", i, i))
	}
	for _, expr := range []string{strings.Join(vlans, " or "), strings.Join(ports, " or "), strings.Join(parts, " or "), strings.Repeat("inner ", 12) + "tcp", strings.Repeat("inner (udp or ", 12) + "tcp" + strings.Repeat(")", 12), strings.Repeat("vlan and ", 40) + "tcp"} {
		if _, err := Compile(expr, opts); !errors.Is(err, ErrTooLong) {
			t.Errorf("%.60q: %v, want %v", expr, err, ErrTooLong)
		}
	}
}
