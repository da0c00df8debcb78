package filter

import (
	"net/netip"
	"strings"
)

// tokenKind is what a token is to the grammar. One-character operators are
// their own kind.
type tokenKind uint8

const (
	tokEOF     tokenKind = iota
	tokKeyword           // word holds the canonical spelling
	tokNum               // a number
	tokName              // a name: host, service, protocol, interface
	tokIPv4              // two to four dotted numbers
	tokIPv6              // an IPv6 address
	tokMAC               // an Ethernet address
	tokArcnet            // $xx
	tokOp                // an operator or bracket; word holds it
)

// token is one word of an expression.
type token struct {
	kind  tokenKind
	num   uint32 // of tokNum its value; of '(' the number of the token that is its ')'
	start int    // byte offset of the first character
	end   int    // byte offset after the last character
	word  string // the canonical keyword or operator; the name without its backslash
}

// Every keyword with its canonical spelling. Keywords are lower case only, as
// in pcap-filter(7).
func keyword(s string) (string, bool) {
	switch s {
	case "dst", "src", "arp", "rarp", "ip", "sctp", "tcp", "udp", "icmp", "igmp", "igrp", "pim", "vrrp", "carp", "radio",
		"ip6", "icmp6", "ah", "esp", "atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "iso", "esis", "isis",
		"l1", "l2", "iih", "lsp", "snp", "csnp", "psnp", "clnp", "stp", "ipx", "netbeui",
		"host", "net", "mask", "port", "portrange", "proto", "protochain", "gateway", "type", "subtype", "dir",
		"addr1", "addr2", "addr3", "addr4", "ra", "ta", "less", "greater", "byte", "broadcast", "multicast",
		"and", "or", "not", "len", "inbound", "outbound", "ifindex", "vlan", "mpls", "pppoed", "pppoes", "geneve", "vxlan",
		"lane", "llc", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "vpi", "vci", "connectmsg", "metaconnect",
		"ifname", "rset", "rnr", "srnr", "reason", "action",
		"fisu", "lssu", "msu", "hfisu", "hlssu", "hmsu", "sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls",
		"link":
		return s, true
	case "ether", "ppp", "slip", "fddi", "tr", "wlan":
		return "link", true
	case "es-is":
		return "esis", true
	case "is-is":
		return "isis", true
	case "direction":
		return "dir", true
	case "address1":
		return "addr1", true
	case "address2":
		return "addr2", true
	case "address3":
		return "addr3", true
	case "address4":
		return "addr4", true
	case "length":
		return "len", true
	case "on":
		return "ifname", true
	case "ruleset":
		return "rset", true
	case "rulenum":
		return "rnr", true
	case "subrulenum":
		return "srnr", true
	case "lsu":
		return "lssu", true
	}
	return "", false
}

// constant returns the value of a named number.
func constant(s string) (uint32, bool) {
	if !strings.HasPrefix(s, "icmp") && !strings.HasPrefix(s, "tcp") {
		return 0, false
	}
	switch s {
	case "icmptype", "icmp-echoreply", "icmp6type":
		return 0, true
	case "icmpcode", "icmp6code", "icmp6-destinationunreach", "tcp-fin":
		return 1, true
	case "icmp6-packettoobig", "tcp-syn":
		return 2, true
	case "icmp-unreach", "icmp6-timeexceeded":
		return 3, true
	case "icmp-sourcequench", "icmp6-parameterproblem", "tcp-rst":
		return 4, true
	case "icmp-redirect":
		return 5, true
	case "icmp-echo", "tcp-push":
		return 8, true
	case "icmp-routeradvert":
		return 9, true
	case "icmp-routersolicit":
		return 10, true
	case "icmp-timxceed":
		return 11, true
	case "icmp-paramprob":
		return 12, true
	case "icmp-tstamp", "tcpflags":
		return 13, true
	case "icmp-tstampreply":
		return 14, true
	case "icmp-ireq":
		return 15, true
	case "icmp-ireqreply", "tcp-ack":
		return 16, true
	case "icmp-maskreq":
		return 17, true
	case "icmp-maskreply":
		return 18, true
	case "tcp-urg":
		return 32, true
	case "tcp-ece":
		return 64, true
	case "tcp-cwr", "icmp6-echo":
		return 128, true
	case "icmp6-echoreply":
		return 129, true
	case "icmp6-multicastlistenerquery":
		return 130, true
	case "icmp6-multicastlistenerreportv1":
		return 131, true
	case "icmp6-multicastlistenerdone":
		return 132, true
	case "icmp6-routersolicit":
		return 133, true
	case "icmp6-routeradvert":
		return 134, true
	case "icmp6-neighborsolicit":
		return 135, true
	case "icmp6-neighboradvert":
		return 136, true
	case "icmp6-redirect":
		return 137, true
	case "icmp6-routerrenum":
		return 138, true
	case "icmp6-nodeinformationquery":
		return 139, true
	case "icmp6-nodeinformationresponse":
		return 140, true
	case "icmp6-ineighbordiscoverysolicit":
		return 141, true
	case "icmp6-ineighbordiscoveryadvert":
		return 142, true
	case "icmp6-multicastlistenerreportv2":
		return 143, true
	case "icmp6-homeagentdiscoveryrequest":
		return 144, true
	case "icmp6-homeagentdiscoveryreply":
		return 145, true
	case "icmp6-mobileprefixsolicit":
		return 146, true
	case "icmp6-mobileprefixadvert":
		return 147, true
	case "icmp6-certpathsolicit":
		return 148, true
	case "icmp6-certpathadvert":
		return 149, true
	case "icmp6-multicastrouteradvert":
		return 151, true
	case "icmp6-multicastroutersolicit":
		return 152, true
	case "icmp6-multicastrouterterm":
		return 153, true
	}
	return 0, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isNameByte(c byte) bool {
	return isAlnum(c) || c == '-' || c == '_' || c == '.'
}

// lex splits an expression into tokens. At every place the longest word wins,
// and of words of one length the first of: keyword, Ethernet address, number,
// IPv4 address, IPv6 address, constant, name. So "80and" is a name, and twelve
// hexadecimal digits are an Ethernet address. The last token is of kind tokEOF.
func lex(expr string, tokens *table[int, token]) error {
	for i := 0; ; {
		for i < len(expr) && (expr[i] == ' ' || expr[i] == '\t' || expr[i] == '\n' || expr[i] == '\r') {
			i++
		}
		if i >= len(expr) {
			tokens.add(token{kind: tokEOF, start: len(expr), end: len(expr)})
			return nil
		}
		t, err := lexOne(expr, i)
		if err != nil {
			return err
		}
		tokens.add(t)
		i = t.end
	}
}

func lexOne(expr string, i int) (token, error) {
	s := expr[i:]
	t := token{start: i}
	op := func(word string, n int) (token, error) {
		t.kind, t.word, t.end = tokOp, word, i+n
		return t, nil
	}
	two := ""
	if len(s) > 1 {
		two = s[:2]
	}
	switch two {
	case "&&":
		t.kind, t.word, t.end = tokKeyword, "and", i+2
		return t, nil
	case "||":
		t.kind, t.word, t.end = tokKeyword, "or", i+2
		return t, nil
	case ">=", "<=", "!=", "<<", ">>":
		return op(two, 2)
	case "==":
		return op("=", 2)
	}
	switch c := s[0]; c {
	case '!':
		t.kind, t.word, t.end = tokKeyword, "not", i+1
		return t, nil
	case '+', '-', '*', '/', '%', '[', ']', '<', '>', '(', ')', '&', '|', '^', '=', ',':
		return op(s[:1], 1)
	case ':':
		if n := ipv6Len(s); n > 0 {
			return lexIPv6(expr, i, n)
		}
		return op(":", 1)
	case '$':
		n := 1
		for n < len(s) && n < 3 && isHex(s[n]) {
			n++
		}
		if n == 1 {
			return t, &Error{Expr: expr, Pos: i, End: i + 1, Msg: "'$' without an ARCNET address", Expected: "one or two hexadecimal digits after '$'"}
		}
		t.kind, t.word, t.end = tokArcnet, s[1:n], i+n
		return t, nil
	case '\\':
		n := 1
		for n < len(s) && !strings.ContainsRune(" !()\n\t", rune(s[n])) {
			n++
		}
		if n == 1 {
			return t, &Error{Expr: expr, Pos: i, End: i + 1, Msg: "nothing after the backslash", Expected: `a protocol name, as in 'ip proto \tcp'`}
		}
		t.kind, t.word, t.end = tokName, s[1:n], i+n
		return t, nil
	}
	if !isAlnum(s[0]) {
		end := i + 1
		for end < len(expr) && expr[end]&0xc0 == 0x80 { // the rest of a UTF-8 character
			end++
		}
		return t, &Error{Expr: expr, Pos: i, End: end, Msg: "no word of the filter language begins with " + quote(expr[i:end])}
	}

	// A name: letters, digits, dots, dashes and underscores, not ending in a
	// dash or an underscore.
	run := 1
	for run < len(s) && isNameByte(s[run]) {
		run++
	}
	name := run
	for s[name-1] == '-' || s[name-1] == '_' {
		name--
	}
	n, kind := name, tokName
	if word, ok := keyword(s[:name]); ok {
		kind = tokKeyword
		t.word = word
	} else if v, ok := constant(s[:name]); ok {
		kind, t.num = tokNum, v
	}
	exact := kind != tokName // a keyword or constant wins over what is not longer
	better := func(m int) bool { return m > n || m == n && m > 0 && !exact }
	colon := run < len(s) && s[run] == ':'
	// In the reverse of the order above, so that of equals the first wins.
	if isHex(s[0]) && colon {
		if m := badMACLen(s); m > n {
			return t, &Error{Expr: expr, Pos: i, End: i + max(m, ipv6Len(s), macLen(s)), Msg: "not an Ethernet address", Expected: "six bytes in hexadecimal, as 00:11:22:33:44:55"}
		}
		if m := ipv6Len(s); better(m) {
			n, kind, exact = m, tokIPv6, false
		}
	}
	if isDigit(s[0]) {
		if m := ipv4Len(s); better(m) {
			n, kind = m, tokIPv4
		}
		if m := numberLen(s); better(m) {
			n, kind = m, tokNum
		}
	}
	if isHex(s[0]) {
		if m := macLen(s); better(m) {
			n, kind = m, tokMAC
		}
	}
	t.kind, t.end = kind, i+n
	switch kind {
	case tokNum:
		if exact {
			return t, nil
		}
		v, err := parseNumber(s[:n])
		if err != "" {
			return t, &Error{Expr: expr, Pos: i, End: i + n, Msg: err}
		}
		t.num = v
	case tokIPv6:
		return lexIPv6(expr, i, n)
	case tokKeyword:
	default:
		t.word = s[:n]
	}
	return t, nil
}

func lexIPv6(expr string, i, n int) (token, error) {
	t := token{kind: tokIPv6, start: i, end: i + n, word: expr[i : i+n]}
	if a, err := netip.ParseAddr(t.word); err != nil || !a.Is6() || a.Zone() != "" {
		return t, &Error{Expr: expr, Pos: i, End: t.end, Msg: "not an IPv6 address"}
	}
	return t, nil
}

// numberLen returns the length of the number that s begins with, 0 if none.
func numberLen(s string) int {
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && isHex(s[2]) {
		n := 3
		for n < len(s) && isHex(s[n]) {
			n++
		}
		return n
	}
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// parseNumber reads a decimal, 0x hexadecimal or 0 octal number of 32 bits.
// The second result says what is wrong, "" if nothing.
func parseNumber(s string) (uint32, string) {
	base, digits, what := uint64(10), s, "decimal"
	if len(s) > 1 && s[0] == '0' {
		base, digits, what = 8, s[1:], "octal"
		if s[1]|0x20 == 'x' {
			base, digits, what = 16, s[2:], "hexadecimal"
		}
	}
	if digits == "" {
		return 0, "the number has no digits"
	}
	var v uint64
	for i := 0; i < len(digits); i++ {
		c := digits[i]
		var d uint64
		switch {
		case isDigit(c):
			d = uint64(c - '0')
		case isHex(c):
			d = uint64(c|0x20-'a') + 10
		default:
			d = 99
		}
		if d >= base {
			if base == 8 {
				return 0, "a number that begins with 0 is octal, and 8 and 9 are not octal digits"
			}
			return 0, "not a number"
		}
		v = v*base + d
		if v > 0xffffffff {
			return 0, what + " number does not fit in 32 bits"
		}
	}
	return uint32(v), ""
}

// ipv4Len returns the length of the two to four dotted numbers that s begins
// with, 0 if none.
func ipv4Len(s string) int {
	n, parts := 0, 0
	for parts < 4 {
		at := n
		if parts > 0 {
			if at >= len(s) || s[at] != '.' {
				break
			}
			at++
		}
		m := numberLen(s[at:])
		if m == 0 {
			break
		}
		n = at + m
		parts++
	}
	if parts < 2 {
		return 0
	}
	return n
}

// hexRun returns how many hexadecimal digits s begins with, at most limit.
func hexRun(s string, limit int) int {
	n := 0
	for n < len(s) && n < limit && isHex(s[n]) {
		n++
	}
	return n
}

// macLen returns the length of the Ethernet address that s begins with, 0 if
// none: aa:bb:cc:dd:ee:ff with ':', '-' or '.' between, aabb.ccdd.eeff, or
// twelve hexadecimal digits.
func macLen(s string) int {
	if hexRun(s, 12) == 12 {
		return 12
	}
	if len(s) >= 14 && s[4] == '.' && s[9] == '.' && hexRun(s, 4) == 4 && hexRun(s[5:], 4) == 4 && hexRun(s[10:], 4) == 4 {
		return 14
	}
	n := hexRun(s, 2)
	if n == 0 || n >= len(s) {
		return 0
	}
	sep := s[n]
	if sep != ':' && sep != '-' && sep != '.' {
		return 0
	}
	for range 5 {
		if n >= len(s) || s[n] != sep {
			return 0
		}
		m := hexRun(s[n+1:], 2)
		if m == 0 {
			return 0
		}
		n += 1 + m
	}
	return n
}

// badMACLen returns the length of what s begins with if that is hexadecimal
// bytes with colons between and a colon at the end, which no address has.
func badMACLen(s string) int {
	n, groups := 0, 0
	for {
		m := hexRun(s[n:], 2)
		if m == 0 || n+m >= len(s) || s[n+m] != ':' {
			break
		}
		n += m
		for n < len(s) && s[n] == ':' {
			n++
		}
		groups++
	}
	if groups < 2 {
		return 0
	}
	if v6 := ipv6Len(s); v6 >= n {
		return 0
	}
	if mac := macLen(s); mac >= n {
		return 0
	}
	return n
}

// ipv6Len returns the length of the longest text form of an IPv6 address that
// s begins with, 0 if none.
func ipv6Len(s string) int {
	run := 0
	colons := 0
	for run < len(s) && (isHex(s[run]) || s[run] == ':' || s[run] == '.') {
		if s[run] == ':' {
			colons++
		}
		run++
	}
	if colons < 2 {
		return 0
	}
	for n := min(run, 64); n >= 2; n-- {
		if ipv6Form(s[:n]) {
			return n
		}
	}
	return 0
}

// ipv6Form reports whether s has the form of an IPv6 address: groups of one to
// four hexadecimal digits, one "::" at most, the last two groups perhaps as
// four dotted numbers.
func ipv6Form(s string) bool {
	groups, gap := 0, false
	if strings.HasPrefix(s, "::") {
		gap, s = true, s[2:]
	} else if strings.HasPrefix(s, ":") {
		return false
	}
	for s != "" {
		m := hexRun(s, 4)
		if m == 0 {
			return false
		}
		if m < len(s) && s[m] == '.' {
			if ipv4Len(s) != len(s) || strings.Count(s, ".") != 3 {
				return false
			}
			groups += 2
			s = ""
			break
		}
		groups++
		s = s[m:]
		switch {
		case s == "":
		case strings.HasPrefix(s, "::"):
			if gap {
				return false
			}
			gap, s = true, s[2:]
		case s[0] == ':' && len(s) > 1:
			s = s[1:]
		default:
			return false
		}
	}
	if gap {
		return groups <= 7
	}
	return groups == 8
}

func quote(s string) string { return "'" + s + "'" }
