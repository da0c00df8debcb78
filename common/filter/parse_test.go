package filter

import (
	"errors"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// How expressions are read: with all qualifiers and groupings.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{"ip", "ip"},
		{"ether proto \\ip", `link proto \ip`},
		{"tcp port 80", "tcp port 80"},
		{"tcp port 80 or 443", "tcp port 80 or tcp port 443"},
		{"tcp port (80 or 443)", "tcp port 80 or tcp port 443"},
		{"port not 22", "not port 22"},
		{"port not (22 or 23)", "not (port 22 or port 23)"},
		{"host a and (b or c)", "host a and (host b or host c)"},
		{"host a and not b", "host a and not host b"},
		{"host a and b or not c", "(host a and host b) or not host c"},
		{"src host not x", "not src host x"},
		{"src or dst port 53", "src or dst port 53"},
		{"dst and src host 1.2.3.4", "src and dst host 1.2.3.4"},
		{"src 1.2.3.4 or dst 5.6.7.8", "src 1.2.3.4 or dst 5.6.7.8"},
		{"host a and (port 80) or b", "(host a and port 80) or host b"},

		// "and" and "or" are equal, "not" is tighter.
		{"ip or tcp and udp", "(ip or tcp) and udp"},
		{"ip and tcp or udp", "(ip and tcp) or udp"},
		{"ip or (tcp and udp)", "ip or (tcp and udp)"},
		{"not ip and tcp", "not ip and tcp"},
		{"not (ip and tcp)", "not (ip and tcp)"},
		{"! ip || ! tcp && udp", "(not ip or not tcp) and udp"},
		{"!!tcp", "not not tcp"},
		{"((ip))", "ip"},

		// Arithmetic: % and ^ take all that follows.
		{"ip[0] & 0xf > 5", "(ip[0] & 15) > 5"},
		{"10 % 4 + 1 = 0", "(10 % (4 + 1)) = 0"},
		{"10 + 4 % 3 * 2 = 0", "(10 + (4 % (3 * 2))) = 0"},
		{"len & 3 ^ 1 = 0", "(len & (3 ^ 1)) = 0"},
		{"1 << 4 + 1 = 32", "(1 << (4 + 1)) = 32"},
		{"7 & 3 | 8 = 11", "((7 & 3) | 8) = 11"},
		{"8 | 7 & 3 = 11", "(8 | (7 & 3)) = 11"},
		{"1 - 2 - 3 = 0", "((1 - 2) - 3) = 0"},
		{"2 * 3 + 4 = 10", "((2 * 3) + 4) = 10"},
		{"- 1 + len = 0", "((- 1) + len) = 0"},
		{"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", "tcp[((tcp[12] & 240) >> 2):4] = 1195725856"},
		{"(len) > (5)", "len > 5"},
		{"tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn", "(tcp[13] & (2 | 16)) = 2"},
		{"tcp[13]==2", "tcp[13] = 2"},
		{"not tcp[13] = 2", "not tcp[13] = 2"},

		// Words.
		{"80 = len", "80 = len"},
		{"port 0x50 or 0120", "port 80 or port 80"},
		{"host 10.0.0.1", "host 10.0.0.1"},
		{"net 10.0 or 192.168.0.0/16", "net 10.0 or net 192.168.0.0/16"},
		{"net 10.0.0.0 mask 255.0.0.0", "net 10.0.0.0 mask 255.0.0.0"},
		{"host ::1 or 2001:db8::1", "host ::1 or host 2001:db8::1"},
		{"net 2001:db8::/32", "net 2001:db8::/32"},
		{"host ::ffff:1.2.3.4", "host ::ffff:1.2.3.4"},
		{"ether host 0:1:2:3:4:5 or 001122334455 or 0011.2233.4455", "link host 0:1:2:3:4:5 or link host 001122334455 or link host 0011.2233.4455"},
		{"link host $1a", "link host $1a"},
		{"host 1.2.3.4.5", "host 1.2.3.4.5"},
		{"host es-is.example", "host es-is.example"},
		{"portrange 10-20", "portrange 10-20"},
		{"ip host \\tcp", `ip host \tcp`},

		// The other primitives.
		{"ether broadcast", "link broadcast"},
		{"ip multicast", "ip multicast"},
		{"less 10 and greater 5", "less 10 and greater 5"},
		{"byte 3 & 7", "byte 3 & 7"},
		{"vlan 100 and vlan", "vlan 100 and vlan"},
		{"vlan (5)", "vlan 5"},
		{"mpls 5 and pppoes 6 and geneve 7 and vxlan 8", "mpls 5 and pppoes 6 and geneve 7 and vxlan 8"},
		{"inbound or outbound or ifindex 3", "inbound or outbound or ifindex 3"},
		{"wlan type mgt subtype beacon", "link type mgt subtype beacon"},
		{"type data or subtype ack or dir tods", "type data or subtype ack or dir tods"},
		{"llc ui or llc rnr or llc", "llc ui or llc rnr or llc"},
		{"vpi 3 or vci > 4 or vci (5 or 6)", "vpi 3 or vci > 4 or vci (5 or 6)"},
		{"on em0 or ruleset x or rulenum 3 or reason match or action pass", "ifname em0 or rset x or rnr 3 or reason match or action pass"},
		{"es-is or is-is", "esis or isis"},
		{"lsu or hopc != 5", "lssu or hopc != 5"},
	} {
		n, err := Parse(tt.expr)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.expr, err)
			continue
		}
		got := n.String()
		if got != tt.want {
			t.Errorf("Parse(%q) = %q, want %q", tt.expr, got, tt.want)
		}
		again, err := Parse(got)
		if err != nil {
			t.Errorf("Parse(%q): %v", got, err)
		} else if again.String() != got {
			t.Errorf("Parse(%q) = %q, want the same", got, again.String())
		}
	}
	for _, expr := range []string{"", " ", "\t\n"} {
		if n, err := Parse(expr); n != nil || err != nil {
			t.Errorf("Parse(%q) = %v, %v, want nothing", expr, n, err)
		}
	}
}

func TestTree(t *testing.T) {
	n, err := Parse("tcp port 80 or not arp or (ip[2:2] - 20 > len and vlan 5)")
	if err != nil {
		t.Fatal(err)
	}
	const want = `or
  tcp port 80
  not
    arp
  and
    >
      -
        ip[2:2]
        20
      len
    vlan 5
`
	if got := Tree(n); got != want {
		t.Errorf("tree\n%s, want\n%s", got, want)
	}
	if got := Tree(nil); got != "" {
		t.Errorf("tree of nothing %q, want nothing", got)
	}
}

// The places of the nodes.
func TestSpan(t *testing.T) {
	const expr = "tcp port 80 or ((ip[2:2] + 1) * -(2) > 576 and not arp)"
	n, err := Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	text := func(n Node) string { return expr[n.Span().Start:n.Span().End] }
	or := n.(*Logic)
	if got := text(or.X); got != "tcp port 80" {
		t.Errorf("left side is %q, want %q", got, "tcp port 80")
	}
	and := or.Y.(*Logic)
	const relation = "(ip[2:2] + 1) * -(2) > 576"
	if got := text(and.X); got != relation {
		t.Errorf("relation is %q, want %q", got, relation)
	}
	product := and.X.(*Relation).X.(*Binary)
	if got := text(product); got != "(ip[2:2] + 1) * -(2)" {
		t.Errorf("product is %q, want %q", got, "(ip[2:2] + 1) * -(2)")
	}
	if got := text(product.Y); got != "-(2)" {
		t.Errorf("its right side is %q, want %q", got, "-(2)")
	}
	if got := text(and.Y); got != "not arp" {
		t.Errorf("negation is %q, want %q", got, "not arp")
	}
}

// What is wrong, where, and what was meant.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		expr     string
		at       string // what the error points at, "" for the end
		sort     error
		msg      string
		hint     string
		expected string
	}{
		{expr: "tcp 80", at: "80", sort: ErrSyntax, msg: "unexpected number '80'", hint: "'tcp port 80'"},
		{expr: "10.0.0.1", at: "10.0.0.1", sort: ErrSyntax, hint: "'host 10.0.0.1'"},
		{expr: "10.0.0.0/8", at: "10.0.0.0", sort: ErrSyntax, hint: "'net 10.0.0.0/8'"},
		{expr: "hots 10.0.0.1", at: "hots", sort: ErrSyntax, hint: "'host'"},
		{expr: "tcp prot 80", at: "prot", sort: ErrSyntax, hint: "'port'"},
		{expr: "ip adn tcp", at: "adn", sort: ErrSyntax, hint: "'and'"},
		{expr: "TCP port 80", at: "TCP", sort: ErrSyntax, hint: "lower case"},
		{expr: "ip proto tcp", at: "tcp", sort: ErrSyntax, hint: `'\tcp'`},
		{expr: "ip tcp", at: "tcp", sort: ErrSyntax, hint: "'and' or 'or'"},
		{expr: "(ip", at: "(", sort: ErrSyntax, msg: "'(' without ')'"},
		{expr: "ip)", at: ")", sort: ErrSyntax, msg: "')' without '('"},
		{expr: "()", at: ")", sort: ErrSyntax},
		{expr: "tcp port", at: "", sort: ErrSyntax, msg: "end of the expression", expected: "port number"},
		{expr: "ip and", at: "", sort: ErrSyntax, msg: "end of the expression"},
		{expr: "port 65536", at: "65536", sort: ErrMeaning, msg: "at most 65535"},
		{expr: "port 10.0.0.1", at: "10.0.0.1", sort: ErrMeaning, hint: "'host 10.0.0.1'"},
		{expr: "host 10.0.0.0/8", at: "10.0.0.0/8", sort: ErrMeaning, hint: "'net 10.0.0.0/8'"},
		{expr: "net 10.0.0.1/8", at: "10.0.0.1/8", sort: ErrMeaning, hint: "'net 10.0.0.0/8'"},
		{expr: "net 2001:db8::1/32", at: "2001:db8::1/32", sort: ErrMeaning, hint: "'net 2001:db8::/32'"},
		{expr: "host 256.0.0.1", at: "256.0.0.1", sort: ErrMeaning},
		{expr: "ip host ::1", at: "ip host ::1", sort: ErrMeaning, msg: "not a qualifier"},
		{expr: "host 00:11:22:33:44:55", at: "host 00:11:22:33:44:55", sort: ErrMeaning, hint: "'ether host 00:11:22:33:44:55'"},
		{expr: "ether host 10.0.0.1", at: "10.0.0.1", sort: ErrMeaning, expected: "00:11:22:33:44:55"},
		{expr: "port nosuch", at: "nosuch", sort: ErrUnknownName, msg: "unknown port 'nosuch'"},
		{expr: "host nosuch", at: "nosuch", sort: ErrUnknownName},
		{expr: "tcp port bootps", at: "bootps", sort: ErrMeaning, msg: "udp"},
		{expr: "ip[0] / 0 = 1", at: "ip[0] / 0", sort: ErrMeaning, msg: "division by zero"},
		{expr: "ip and ip[0] / (1 - 1) = 1", at: "ip[0] / (1 - 1)", sort: ErrMeaning, msg: "division by zero"},
		{expr: "len % (2 * 2 - 4) > 0", at: "len % (2 * 2 - 4)", sort: ErrMeaning, msg: "division by zero"},
		{expr: "ip[0] >> (16 * 2) = 1", at: "ip[0] >> (16 * 2)", sort: ErrMeaning, msg: "31 bits"},
		{expr: "icmp[icmptype] = icmp-ecko", at: "icmp-ecko", sort: ErrSyntax, hint: "'icmp-echo'"},
		{expr: "tcp[tcpflags] & tcp-sny != 0", at: "tcp-sny", sort: ErrSyntax, hint: "'tcp-syn'"},
		{expr: "ip.addr == 10.0.0.1", at: "ip.addr", sort: ErrSyntax, hint: "'host'"},
		{expr: "tcp.dstport == 80", at: "tcp.dstport", sort: ErrSyntax, hint: "'tcp dst port'"},
		{expr: "ip[1-1] = 0", at: "1-1", sort: ErrSyntax, hint: "'1 - 1'"},
		{expr: "host ((10.0.0.1))", at: "(", sort: ErrSyntax, msg: "cannot begin", hint: "one pair"},
		{expr: "port (80 or ((http) or 81))", at: "(", sort: ErrSyntax, msg: "cannot begin", hint: "behind 'and' or 'or'"},
		{expr: "ip[0] << 32 = 1", at: "ip[0] << 32", sort: ErrMeaning},
		{expr: "ip[0:3] = 1", at: "3", sort: ErrMeaning},
		{expr: "08 = len", at: "08", sort: ErrSyntax, msg: "octal"},
		{expr: "4294967296 = len", at: "4294967296", sort: ErrSyntax, msg: "32 bits"},
		{expr: "vlan 4096", at: "vlan 4096", sort: ErrMeaning, msg: "4095"},
		{expr: "wlan type beacon", at: "beacon", sort: ErrMeaning, expected: "mgt"},
		{expr: "wlan type mgt", at: "wlan type mgt", sort: ErrUnsupportedLink, msg: "ETHERNET"},
		{expr: "ip and #", at: "#", sort: ErrSyntax},
		{expr: "tcp and 80", at: "80", sort: ErrSyntax, hint: "'port 80'"},
		{expr: "ip@", at: "@", sort: ErrSyntax},
		{expr: "host ü", at: "ü", sort: ErrSyntax},
	} {
		_, err := Compile(tt.expr, Options{Link: link.TypeEthernet})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("Compile(%q) = %v, want an *Error", tt.expr, err)
			continue
		}
		if e.Pos < 0 || e.Pos > e.End || e.End > len(tt.expr) {
			t.Errorf("Compile(%q): the error is at %d to %d", tt.expr, e.Pos, e.End)
			continue
		}
		if got := tt.expr[e.Pos:e.End]; got != tt.at {
			t.Errorf("Compile(%q): the error is at %q, want %q: %v", tt.expr, got, tt.at, err)
		}
		if !errors.Is(err, tt.sort) {
			t.Errorf("Compile(%q) = %v, want an error that is %v", tt.expr, err, tt.sort)
		}
		if !strings.Contains(e.Msg, tt.msg) || !strings.Contains(e.Hint, tt.hint) || !strings.Contains(e.Expected, tt.expected) {
			t.Errorf("Compile(%q) = %v, want %q, hint %q, expected %q", tt.expr, err, tt.msg, tt.hint, tt.expected)
		}
	}
}

// The names of numbers that are offered are such names.
func TestConstantNames(t *testing.T) {
	names := strings.Fields(constantNames)
	for _, name := range names {
		if _, err := Compile(name+" = 0", Options{Link: link.TypeEthernet}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(names) != 57 { // as pcap-filter(7) has
		t.Errorf("%d names, want 57", len(names))
	}
}

func TestCaret(t *testing.T) {
	long := strings.Repeat("ip or ", 100)
	for _, tt := range []struct{ expr, want string }{
		{"tcp prot 80", "tcp prot 80\n    ^^^^\n"},
		{"tcp port", "tcp port\n        ^\n"},
		{"ip and\n  udp prot 53", "  udp prot 53\n      ^^^^\n"},
		{"host ü", "host ü\n     ^\n"},
		{"host ü or ip adn tcp", "host ü or ip adn tcp\n     ^\n"},
		{long + "tcp prot 80", "…" + strings.Repeat("ip or ", 18) + "tcp prot 80\n" + strings.Repeat(" ", 113) + "^^^^\n"},
		{long + "tcp prot 80 or " + long, "…p or " + strings.Repeat("ip or ", 5) + "tcp prot 80 or " + strings.Repeat("ip or ", 11) + "ip…\n" + strings.Repeat(" ", 40) + "^^^^\n"},
		{"tcp prot 80 or " + long, "tcp prot 80 or " + strings.Repeat("ip or ", 17) + "ip…\n    ^^^^\n"},
	} {
		_, err := Parse(tt.expr)
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("Parse(%q) = %v, want an *Error", tt.expr, err)
		}
		if got := e.Caret(); got != tt.want {
			t.Errorf("Parse(%q): caret\n%s, want\n%s", tt.expr, got, tt.want)
		}
	}
}

// Nothing is nested without end, and nothing takes long.
func TestParseLimits(t *testing.T) {
	for _, expr := range []string{
		strings.Repeat("(", 100000) + "ip" + strings.Repeat(")", 100000),
		strings.Repeat("not ", 100000) + "ip",
		strings.Repeat("!", 100000) + "ip",
		strings.Repeat("- ", 100000) + "1 = 1",
		strings.Repeat("ip[", 100000) + "0" + strings.Repeat("]", 100000) + " = 0",
		"port " + strings.Repeat("(", 100000) + "80" + strings.Repeat(")", 100000),
		"port " + strings.Repeat("not ", 100000) + "80",
		strings.Repeat("10 % ", 100000) + "3 = 1",
		strings.Repeat("x", 2<<20),
	} {
		if _, err := Parse(expr); !errors.Is(err, ErrTooLong) {
			t.Errorf("Parse(%.20q...) = %v, want %v", expr, err, ErrTooLong)
		}
	}
	times := 100_000
	if raceEnabled {
		times = 10_000
	}
	long := "ip" + strings.Repeat(" or ip", times)
	f, err := Compile(long, Options{Link: link.TypeEthernet})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.Program()); n != 4 {
		t.Errorf("%d times ip has %d instructions, want 4", times, n)
	}
}
