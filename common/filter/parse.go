package filter

import "strings"

// Limits on what an expression may cost to read.
const (
	maxExprLen = 1 << 20 // bytes
	maxNesting = 500     // parentheses, brackets, nots and minus signs within one another
)

// Parse reads an expression by the grammar of pcap-filter(7). The result is
// nil, without an error, for an expression of blanks: it matches everything.
//
// Parse looks at no link type and resolves no name; [Compile] does, and finds
// the errors that depend on them.
//
// Parse reads what only [DialectScoped] has too; with the other dialect,
// [Compile] refuses it.
func Parse(expr string) (Node, error) {
	return parseDialect(expr, DialectScoped)
}

// parseDialect is [Parse] for one dialect.
func parseDialect(expr string, d Dialect) (Node, error) {
	if len(expr) > maxExprLen {
		return nil, &Error{Expr: "", Msg: "expression longer than 1048576 bytes", Err: ErrTooLong}
	}
	p := parser{expr: expr, dialect: d}
	if err := lex(expr, &p.tok); err != nil {
		return nil, err
	}
	if err := p.matchBrackets(); err != nil {
		return nil, err
	}
	if p.peek().kind == tokEOF {
		return nil, nil
	}
	n, _, err := p.parseExpr(noQuals)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokEOF {
		return nil, p.unexpectedAfter(n)
	}
	return n, nil
}

// quals are the qualifiers that an identifier inherits.
type quals struct {
	proto Proto
	dir   Dir
	kind  Kind
	valid bool // there was an identifier before
}

// noQuals is the state after what is not an identifier with qualifiers.
var noQuals = quals{}

type parser struct {
	expr  string
	tok   table[int, token]
	pos   int
	depth int

	dialect Dialect
}

// matchBrackets pairs the parentheses.
func (p *parser) matchBrackets() error {
	var room [few]int
	open := room[:0]
	for i := range p.tok.n {
		t := p.tok.at(i)
		switch {
		case t.is("("):
			open = append(open, i)
			if len(open) > maxNesting {
				return p.errorAt(i, "more than 500 parentheses within one another", "").sort(ErrTooLong)
			}
		case t.is(")"):
			if len(open) == 0 {
				return p.errorAt(i, "')' without '('", "")
			}
			p.tok.at(open[len(open)-1]).num = uint32(i)
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return p.errorAt(open[len(open)-1], "'(' without ')'", "")
	}
	return nil
}

// closing returns the number of the ')' of the '(' at i.
func (p *parser) closing(i int) int { return int(p.tok.at(i).num) }

func (p *parser) peek() *token { return p.tok.at(p.pos) }

func (p *parser) at(i int) *token {
	return p.tok.at(min(i, p.tok.n-1))
}

func (t *token) is(word string) bool {
	return (t.kind == tokOp || t.kind == tokKeyword) && t.word == word
}

func (p *parser) errorAt(i int, msg, expected string) *Error {
	t := p.at(i)
	return &Error{Expr: p.expr, Pos: t.start, End: t.end, Msg: msg, Expected: expected}
}

func (e *Error) sort(err error) *Error { e.Err = err; return e }

// describe names a token in an error.
func (p *parser) describe(t *token) string {
	switch t.kind {
	case tokEOF:
		return "the end of the expression"
	case tokName:
		return "name " + quote(p.expr[t.start:t.end])
	case tokNum:
		return "number " + quote(p.expr[t.start:t.end])
	case tokIPv4, tokIPv6, tokMAC, tokArcnet:
		return "address " + quote(p.expr[t.start:t.end])
	}
	return quote(p.expr[t.start:t.end])
}

func (p *parser) unexpected(expected string) *Error {
	t := p.peek()
	e := p.errorAt(p.pos, "unexpected "+p.describe(t), expected)
	if t.kind == tokName {
		if w := t.word; strings.ToLower(w) != w {
			if _, ok := keyword(strings.ToLower(w)); ok {
				e.Hint = quote(strings.ToLower(w)) + " (keywords are lower case)"
				return e
			}
		}
		if w := nearest(t.word, startWords()); w != "" {
			e.Hint = quote(w)
		}
	}
	return e
}

// startWords are the keywords that can begin a primitive or join two.
func startWords() []string {
	return append(strings.Fields(protoNames), "ether", "wlan", "src", "dst", "host", "net", "port", "portrange", "proto", "gateway",
		"broadcast", "multicast", "less", "greater", "inbound", "outbound", "vlan", "mpls", "pppoed", "pppoes", "geneve", "vxlan",
		"and", "or", "not", "len", "ifindex", "llc")
}

// constantNames are the names of numbers.
const constantNames = "icmp-echo icmp-echoreply icmp-ireq icmp-ireqreply icmp-maskreply icmp-maskreq icmp-paramprob " +
	"icmp-redirect icmp-routeradvert icmp-routersolicit icmp-sourcequench icmp-timxceed icmp-tstamp " +
	"icmp-tstampreply icmp-unreach icmp6-certpathadvert icmp6-certpathsolicit icmp6-destinationunreach " +
	"icmp6-echo icmp6-echoreply icmp6-homeagentdiscoveryreply icmp6-homeagentdiscoveryrequest " +
	"icmp6-ineighbordiscoveryadvert icmp6-ineighbordiscoverysolicit icmp6-mobileprefixadvert " +
	"icmp6-mobileprefixsolicit icmp6-multicastlistenerdone icmp6-multicastlistenerquery " +
	"icmp6-multicastlistenerreportv1 icmp6-multicastlistenerreportv2 icmp6-multicastrouteradvert " +
	"icmp6-multicastroutersolicit icmp6-multicastrouterterm icmp6-neighboradvert icmp6-neighborsolicit " +
	"icmp6-nodeinformationquery icmp6-nodeinformationresponse icmp6-packettoobig icmp6-parameterproblem " +
	"icmp6-redirect icmp6-routeradvert icmp6-routerrenum icmp6-routersolicit icmp6-timeexceeded icmp6code " +
	"icmp6type icmpcode icmptype tcp-ack tcp-cwr tcp-ece tcp-fin tcp-push tcp-rst tcp-syn tcp-urg tcpflags"

// fieldOf returns what asks for a field of Wireshark's display filters, whose
// names people type here too.
func fieldOf(name string) string {
	switch name {
	case "ip.addr", "ipv6.addr":
		return "host"
	case "ip.src", "ipv6.src":
		return "src host"
	case "ip.dst", "ipv6.dst":
		return "dst host"
	case "eth.addr":
		return "ether host"
	case "eth.src":
		return "ether src"
	case "eth.dst":
		return "ether dst"
	case "eth.type":
		return "ether proto"
	case "ip.proto":
		return "ip proto"
	case "tcp.port", "udp.port":
		return name[:3] + " port"
	case "tcp.srcport", "udp.srcport":
		return name[:3] + " src port"
	case "tcp.dstport", "udp.dstport":
		return name[:3] + " dst port"
	case "tcp.flags":
		return "tcp[tcpflags]"
	case "vlan.id":
		return "vlan"
	case "frame.len":
		return "len"
	}
	return ""
}

// scopedOnly is the error of words that only the scoped dialect has.
func (p *parser) scopedOnly(start, end int, what string) error {
	if p.dialect == DialectScoped {
		return nil
	}
	return &Error{Expr: p.expr, Pos: start, End: end, Msg: what + " is of the scoped dialect, which was not asked for", Err: ErrDialect}
}

// isInner reports whether token i is the operator "inner". It is a name where
// the pcap dialect can have one: that dialect has no name before what can begin
// a term.
func (p *parser) isInner(i int) bool {
	if t := p.at(i); t.kind != tokName || p.expr[t.start:t.end] != "inner" {
		return false
	}
	switch t := p.at(i + 1); t.kind {
	case tokKeyword:
		return t.word != "and" && t.word != "or"
	case tokOp:
		return t.word == "("
	case tokName:
		return t.word == "inner"
	}
	return p.at(i+1).kind == tokNum
}

// unexpectedAfter is the error of a word that does not continue what was read.
func (p *parser) unexpectedAfter(n Node) *Error {
	t := p.peek()
	e := p.unexpected("'and', 'or' or the end of the expression")
	if t.is(")") {
		e.Expected = "'and', 'or' or the end of the expression"
		return e
	}
	if e.Hint != "" {
		return e
	}
	switch {
	case t.is(","):
		e.Hint = "'or' for the comma"
	case t.kind == tokKeyword || t.kind == tokName || t.kind == tokNum || t.kind == tokIPv4 || t.kind == tokIPv6 || t.kind == tokMAC || t.is("("):
		if a, ok := n.(*Abbrev); ok && t.kind != tokKeyword {
			if t.kind == tokNum {
				e.Hint = quote(a.Proto.String() + " port " + p.expr[t.start:t.end])
			} else {
				e.Hint = quote(a.Proto.String() + " host " + p.expr[t.start:t.end])
			}
			return e
		}
		e.Hint = "'and' or 'or' before it"
		if m, ok := n.(*Match); ok && t.kind == tokKeyword && m.Kind == KindProto {
			e.Hint = `'\` + t.word + `' as the protocol's name`
		}
	}
	return e
}

// parseExpr reads terms joined by "and" and "or". The identifiers after them
// inherit the qualifiers of what stood before.
func (p *parser) parseExpr(q quals) (Node, quals, error) {
	left, lq, err := p.parseTerm(q)
	if err != nil {
		return nil, noQuals, err
	}
	for {
		t := p.peek()
		or := t.is("or")
		if !or && !t.is("and") {
			return left, lq, nil
		}
		p.pos++
		var right Node
		if p.idStarts(p.pos) {
			right, err = p.parseID(lq)
		} else {
			right, lq, err = p.parseTerm(lq)
		}
		if err != nil {
			return nil, noQuals, err
		}
		left = &Logic{Or: or, X: left, Y: right, at: Span{left.Span().Start, p.at(p.pos - 1).end}}
	}
}

// idStarts reports whether an identifier without qualifiers begins at token i,
// perhaps after nots and parentheses. A number is an identifier unless
// arithmetic follows.
func (p *parser) idStarts(i int) bool {
	depth := 0
	for p.at(i).is("not") || p.at(i).is("(") {
		if p.at(i).is("(") {
			depth++
		}
		i++
	}
	switch p.at(i).kind {
	case tokName:
		return !p.isInner(i)
	case tokIPv4, tokIPv6, tokMAC, tokArcnet:
		return true
	case tokNum:
		i++
		for depth > 0 && p.at(i).is(")") {
			depth--
			i++
		}
		return !p.isArithOp(i)
	}
	return false
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isNumber reports whether a number is at token i, perhaps in parentheses.
func (p *parser) isNumber(i int) bool {
	n := 0
	for ; p.at(i).is("("); i++ {
		n++
	}
	if p.at(i).kind != tokNum {
		return false
	}
	for i++; n > 0 && p.at(i).is(")"); i++ {
		n--
	}
	return n == 0
}

func (p *parser) isArithOp(i int) bool {
	t := p.at(i)
	return t.kind == tokOp && t.word != "(" && t.word != ")" && t.word != "[" && t.word != "]" && t.word != ":" && t.word != ","
}

func (p *parser) enter() error {
	p.depth++
	if p.depth > maxNesting {
		return p.errorAt(p.pos, "more than 500 levels within one another", "").sort(ErrTooLong)
	}
	return nil
}

// parseTerm reads one primitive, or a group in parentheses, after any nots.
func (p *parser) parseTerm(q quals) (Node, quals, error) {
	t := p.peek()
	if t.is("not") {
		if err := p.enter(); err != nil {
			return nil, noQuals, err
		}
		defer func() { p.depth-- }()
		p.pos++
		if p.idStarts(p.pos) {
			x, err := p.parseID(q)
			if err != nil {
				return nil, noQuals, err
			}
			return &Not{X: x, at: Span{t.start, x.Span().End}}, q, nil
		}
		x, xq, err := p.parseTerm(q)
		if err != nil {
			return nil, noQuals, err
		}
		return &Not{X: x, at: Span{t.start, x.Span().End}}, xq, nil
	}
	if p.isInner(p.pos) {
		if err := p.scopedOnly(t.start, t.end, "'inner'"); err != nil {
			return nil, noQuals, err
		}
		if err := p.enter(); err != nil {
			return nil, noQuals, err
		}
		defer func() { p.depth-- }()
		p.pos++
		x, xq, err := p.parseTerm(noQuals)
		if err != nil {
			return nil, noQuals, err
		}
		return &Inner{X: x, at: Span{t.start, p.at(p.pos - 1).end}}, xq, nil
	}
	switch t.kind {
	case tokNum:
		return p.parseRelation()
	case tokOp:
		switch t.word {
		case "-":
			return p.parseRelation()
		case "(":
			if p.isArithOp(p.closing(p.pos) + 1) {
				return p.parseRelation()
			}
			if err := p.enter(); err != nil {
				return nil, noQuals, err
			}
			defer func() { p.depth-- }()
			end := p.closing(p.pos)
			p.pos++
			if p.pos == end {
				return nil, noQuals, p.errorAt(p.pos, "nothing between the parentheses", "an expression")
			}
			x, _, err := p.parseExpr(q)
			if err != nil {
				return nil, noQuals, err
			}
			if p.pos != end {
				return nil, noQuals, p.unexpectedAfter(x)
			}
			p.pos++
			return x, q, nil
		}
	case tokKeyword:
		return p.parsePrimitive()
	case tokName, tokIPv4, tokIPv6, tokMAC, tokArcnet:
		e := p.unexpected("a keyword")
		switch {
		case e.Hint != "":
		case t.kind == tokMAC:
			e.Hint = quote("ether host " + p.expr[t.start:t.end])
		case isRelop(p.at(p.pos+1)) && fieldOf(t.word) != "":
			e.Hint = quote(fieldOf(t.word))
		case p.at(p.pos + 1).is("/"):
			e.Hint = quote("net " + p.expr[t.start:p.at(p.pos+2).end])
		default:
			e.Hint = quote("host " + p.expr[t.start:t.end])
		}
		return nil, noQuals, e
	}
	return nil, noQuals, p.unexpected("a primitive, as 'host 10.0.0.1' or 'tcp port 80'")
}

func isDir(t *token) bool {
	if t.kind != tokKeyword {
		return false
	}
	switch t.word {
	case "src", "dst", "addr1", "addr2", "addr3", "addr4", "ra", "ta":
		return true
	}
	return false
}

// parsePrimitive reads a primitive that begins with a keyword.
func (p *parser) parsePrimitive() (Node, quals, error) {
	start := p.peek().start
	t := p.peek()
	if t.word == "len" {
		return p.parseRelation()
	}
	proto, isProto := protoOf(t.word)
	if isProto {
		if p.at(p.pos + 1).is("[") {
			return p.parseRelation()
		}
		p.pos++
		t = p.peek()
		if t.kind != tokKeyword {
			return &Abbrev{Proto: proto, at: Span{start, p.at(p.pos - 1).end}}, noQuals, nil
		}
	}
	q := quals{proto: proto, valid: true}
	if isDir(t) {
		q.dir = p.parseDir()
		switch t = p.peek(); {
		case t.is("host"), t.is("net"), t.is("port"), t.is("portrange"):
			q.kind = kindOf(t.word)
			p.pos++
		}
		return p.parseHead(q, start)
	}
	switch t.word {
	case "host", "net", "port", "portrange", "proto", "protochain", "gateway":
		q.kind = kindOf(t.word)
		p.pos++
		return p.parseHead(q, start)
	case "broadcast", "multicast":
		p.pos++
		return &Keyword{Name: t.word, Proto: proto, at: Span{start, t.end}}, noQuals, nil
	case "type", "subtype", "dir":
		n, err := p.parseWLAN(proto, start)
		return n, noQuals, err
	}
	if isProto {
		return &Abbrev{Proto: proto, at: Span{start, p.at(p.pos - 1).end}}, noQuals, nil
	}
	n, err := p.parseKeyword()
	return n, noQuals, err
}

func kindOf(word string) Kind {
	switch word {
	case "host":
		return KindHost
	case "net":
		return KindNet
	case "port":
		return KindPort
	case "portrange":
		return KindPortRange
	case "proto":
		return KindProto
	case "protochain":
		return KindProtoChain
	}
	return KindGateway
}

func (p *parser) parseDir() Dir {
	word := p.peek().word
	p.pos++
	switch word {
	case "addr1":
		return DirAddr1
	case "addr2":
		return DirAddr2
	case "addr3":
		return DirAddr3
	case "addr4":
		return DirAddr4
	case "ra":
		return DirRA
	case "ta":
		return DirTA
	}
	other := "dst"
	if word == "dst" {
		other = "src"
	}
	if join := p.peek(); (join.is("or") || join.is("and")) && p.at(p.pos+1).is(other) {
		p.pos += 2
		if join.word == "or" {
			return DirSrcOrDst
		}
		return DirSrcAndDst
	}
	if word == "src" {
		return DirSrc
	}
	return DirDst
}

// parseHead reads the identifier after qualifiers.
func (p *parser) parseHead(q quals, start int) (Node, quals, error) {
	n, err := p.parseID(q)
	if err != nil {
		return nil, noQuals, err
	}
	if m, ok := n.(*Match); ok {
		m.at.Start = start
	}
	return n, q, nil
}

func wanted(q quals) string {
	switch q.kind {
	case KindPort:
		return "a port number or the name of a service"
	case KindPortRange:
		return "two ports with '-' between, as 1024-2047"
	case KindProto, KindProtoChain:
		return `a protocol number or name ('\' before a name that is a keyword)`
	case KindNet:
		return "a network, as 10.0.0.0/8"
	}
	return "an address or the name of a host"
}

// parseID reads an identifier, or a group of identifiers in parentheses.
func (p *parser) parseID(q quals) (Node, error) {
	t := p.peek()
	if t.is("not") || t.is("(") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		p.pos++
		if t.is("not") {
			x, err := p.parseID(q)
			if err != nil {
				return nil, err
			}
			return &Not{X: x, at: Span{t.start, x.Span().End}}, nil
		}
		end := p.closing(p.pos - 1)
		// As in libpcap's grammar, a group begins with no group: "((80) or 81)"
		// is right because "(80)" is a number.
		if p.peek().is("(") && !p.isNumber(p.pos) {
			e := p.errorAt(p.pos, "a list in parentheses cannot begin with another", "")
			if p.closing(p.pos) == end-1 {
				e.Hint = "one pair of parentheses"
			} else {
				e.Hint = "the inner list behind 'and' or 'or'"
			}
			return nil, e
		}
		x, err := p.parseID(q)
		if err != nil {
			return nil, err
		}
		for p.pos != end {
			or := p.peek().is("or")
			if !or && !p.peek().is("and") {
				return nil, p.unexpected("'and', 'or' or ')'")
			}
			p.pos++
			y, err := p.parseID(q)
			if err != nil {
				return nil, err
			}
			x = &Logic{Or: or, X: x, Y: y, at: Span{x.Span().Start, y.Span().End}}
		}
		p.pos++
		return x, nil
	}
	id := ID{Text: t.word, at: Span{t.start, t.end}}
	switch t.kind {
	case tokNum:
		id.Sort, id.Num, id.Text = IDNum, t.num, ""
	case tokName:
		id.Sort = IDName
	case tokMAC:
		id.Sort = IDMAC
	case tokArcnet:
		id.Sort = IDArcnet
	case tokIPv4:
		id.Sort = IDIPv4
	case tokIPv6:
		id.Sort, id.Num = IDIPv6, 128
	default:
		e := p.unexpected(wanted(q))
		if t.kind == tokKeyword && t.word != "and" && t.word != "or" {
			e.Hint = `'\` + p.expr[t.start:t.end] + `', which is a name and not a keyword`
		}
		return nil, e
	}
	if !q.valid {
		e := p.errorAt(p.pos, "no qualifier before "+p.describe(t)+" to say what it is", "")
		next := p.at(p.pos + 1)
		typo := ""
		if t.kind == tokName && next.kind != tokEOF && !next.is("and") && !next.is("or") && !next.is(")") {
			typo = nearest(t.word, startWords())
		}
		switch {
		case typo != "":
			e.Hint = quote(typo)
		case t.kind == tokNum:
			e.Hint = quote("port " + p.expr[t.start:t.end])
		case t.kind == tokMAC:
			e.Hint = quote("ether host " + p.expr[t.start:t.end])
		default:
			e.Hint = quote("host " + p.expr[t.start:t.end])
		}
		return nil, e
	}
	p.pos++
	if (id.Sort == IDIPv4 || id.Sort == IDIPv6) && p.peek().is("/") {
		p.pos++
		n := p.peek()
		if n.kind != tokNum {
			return nil, p.unexpected("the length of the prefix")
		}
		p.pos++
		id.Num, id.at.End = n.num, n.end
		if id.Sort == IDIPv4 {
			id.Sort = IDPrefix
		}
	} else if id.Sort == IDIPv4 && p.peek().is("mask") {
		p.pos++
		m := p.peek()
		if m.kind != tokIPv4 {
			return nil, p.unexpected("a netmask, as 255.255.0.0")
		}
		p.pos++
		id.Sort, id.Mask, id.at.End = IDMask, m.word, m.end
	}
	return &Match{Proto: q.proto, Dir: q.dir, Kind: q.kind, ID: id, at: id.at}, nil
}

// number reads a number, perhaps in parentheses.
func (p *parser) number(what string) (uint32, error) {
	n := 0
	for p.peek().is("(") {
		p.pos++
		n++
	}
	t := p.peek()
	if t.kind != tokNum {
		return 0, p.unexpected(what)
	}
	p.pos++
	for ; n > 0; n-- {
		if !p.peek().is(")") {
			return 0, p.unexpected("')'")
		}
		p.pos++
	}
	return t.num, nil
}

// plainNumber reads a number that may not stand in parentheses.
func (p *parser) plainNumber(what string) (uint32, error) {
	t := p.peek()
	if t.kind != tokNum {
		return 0, p.unexpected(what)
	}
	p.pos++
	return t.num, nil
}

// parseKeyword reads the primitives that have neither protocol nor identifier.
func (p *parser) parseKeyword() (Node, error) {
	t := p.peek()
	k := &Keyword{Name: t.word}
	p.pos++
	num := func(what string) error {
		v, err := p.plainNumber(what)
		k.Nums = append(k.Nums, v)
		return err
	}
	word := func(what string) error {
		w := p.peek()
		if w.kind != tokName {
			return p.unexpected(what)
		}
		p.pos++
		k.Words = append(k.Words, w.word)
		return nil
	}
	var err error
	switch t.word {
	case "inbound", "outbound", "pppoed",
		"lane", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "connectmsg", "metaconnect",
		"fisu", "lssu", "msu", "hfisu", "hlssu", "hmsu":
	case "less", "greater":
		err = num("a length in bytes")
	case "ifindex":
		err = num("the index of an interface")
	case "rnr", "srnr":
		err = num("the number of a rule")
	case "byte":
		if err = num("the offset of a byte"); err != nil {
			break
		}
		op := p.peek()
		switch {
		case op.is("="), op.is("<"), op.is(">"), op.is("&"), op.is("|"):
			k.Op = op.word
			p.pos++
			err = num("a number")
		default:
			err = p.unexpected("one of = < > & |")
		}
	case "vlan", "mpls", "pppoes", "geneve", "vxlan":
		switch n := p.peek(); {
		case n.kind == tokNum && p.at(p.pos+1).is(","), p.isRange(n):
			err = p.parseRanges(k)
		case n.kind == tokNum || n.is("("):
			var v uint32
			v, err = p.number("a number")
			k.Nums = append(k.Nums, v)
		}
	case "ifname":
		err = word("the name of an interface")
	case "rset":
		err = word("the name of a ruleset")
	case "reason":
		if p.peek().kind == tokNum {
			err = num("")
		} else {
			err = word("a reason of packet filter, as 'match'")
		}
	case "action":
		err = word("an action of packet filter, as 'pass'")
	case "llc":
		if w := p.peek(); w.kind == tokName {
			k.Words = append(k.Words, w.word)
			p.pos++
		} else if w.is("rnr") {
			k.Words = append(k.Words, "rnr")
			p.pos++
		}
	case "vpi", "vci", "sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls":
		err = p.parseField(k)
	default:
		p.pos--
		err = p.unexpected("a primitive, as 'host 10.0.0.1' or 'tcp port 80'")
	}
	if err != nil {
		return nil, err
	}
	k.at = Span{t.start, p.at(p.pos - 1).end}
	return k, nil
}

// isRange reports whether a token has the form of two numbers with '-' between.
func (p *parser) isRange(t *token) bool {
	if t.kind != tokName || p.expr[t.start] == '\\' {
		return false
	}
	lo, hi, ok := strings.Cut(t.word, "-")
	return ok && lo != "" && hi != "" && numberLen(lo) == len(lo) && numberLen(hi) == len(hi)
}

// parseRanges reads numbers and ranges with commas between.
func (p *parser) parseRanges(k *Keyword) error {
	start := p.peek().start
	for {
		t := p.peek()
		var r Range
		switch {
		case t.kind == tokNum:
			r = Range{t.num, t.num}
		case p.isRange(t):
			lo, hi, _ := strings.Cut(t.word, "-")
			var e1, e2 string
			r.Lo, e1 = parseNumber(lo)
			r.Hi, e2 = parseNumber(hi)
			if e1 != "" || e2 != "" {
				return p.errorAt(p.pos, "not a range of numbers", "two numbers with '-' between, as 20-30")
			}
			if r.Lo > r.Hi {
				e := p.errorAt(p.pos, "a range that ends before it begins", "").sort(ErrMeaning)
				e.Hint = quote(Range{r.Hi, r.Lo}.String())
				return e
			}
		default:
			return p.unexpected("a number, or a range as 20-30")
		}
		p.pos++
		k.Ranges = append(k.Ranges, r)
		if !p.peek().is(",") {
			break
		}
		p.pos++
	}
	return p.scopedOnly(start, p.at(p.pos-1).end, "a list or range of numbers")
}

// parseField reads what is compared with an ATM or SS7 field: a number, an
// operator and a number, or numbers joined by "or" in parentheses.
func (p *parser) parseField(k *Keyword) error {
	t := p.peek()
	what := "a number, or numbers joined by 'or' in parentheses"
	if t.is("(") {
		end := p.closing(p.pos)
		p.pos++
		for {
			v, err := p.plainNumber("a number")
			if err != nil {
				return err
			}
			k.Nums = append(k.Nums, v)
			if p.pos == end {
				p.pos++
				return nil
			}
			if !p.peek().is("or") {
				return p.unexpected("'or' or ')'")
			}
			p.pos++
		}
	}
	if isRelop(t) {
		k.Op = t.word
		p.pos++
		what = "a number"
	}
	v, err := p.plainNumber(what)
	k.Nums = append(k.Nums, v)
	return err
}

// parseWLAN reads the type, subtype and direction of IEEE 802.11.
func (p *parser) parseWLAN(proto Proto, start int) (Node, error) {
	k := &Keyword{Name: p.peek().word, Proto: proto}
	p.pos++
	word := func(what string, number bool) (token, error) {
		t := p.peek()
		if t.kind != tokName && (t.kind != tokNum || !number) {
			return *t, p.unexpected(what)
		}
		p.pos++
		k.Words = append(k.Words, p.expr[t.start:t.end])
		return *t, nil
	}
	var err error
	var t, s token
	switch k.Name {
	case "type":
		if t, err = word("mgt, ctl or data", true); err != nil {
			return nil, err
		}
		v, ok := wlanType(t)
		if !ok {
			return nil, p.errorAt(p.pos-1, "unknown IEEE 802.11 type", "mgt, ctl or data, or 0, 4, 8 or 12").sort(ErrMeaning)
		}
		k.Nums = append(k.Nums, v)
		if p.peek().is("subtype") {
			p.pos++
			if s, err = word("the name of a subtype", true); err != nil {
				return nil, err
			}
			sub, ok := wlanSubtype(s, v)
			if !ok {
				return nil, p.errorAt(p.pos-1, "unknown IEEE 802.11 subtype of this type", "").sort(ErrMeaning)
			}
			k.Nums = append(k.Nums, sub)
		}
	case "subtype":
		if t, err = word("the name of a subtype", false); err != nil {
			return nil, err
		}
		found := false
		for _, v := range []uint32{wlanMgt, wlanCtl, wlanData} {
			if sub, ok := wlanSubtype(t, v); ok {
				k.Nums = append(k.Nums, v, sub)
				found = true
				break
			}
		}
		if !found {
			return nil, p.errorAt(p.pos-1, "unknown IEEE 802.11 subtype", "").sort(ErrMeaning)
		}
	case "dir":
		if t, err = word("nods, tods, fromds or dstods", true); err != nil {
			return nil, err
		}
		v, ok := wlanDir(t)
		if !ok {
			return nil, p.errorAt(p.pos-1, "unknown IEEE 802.11 direction", "nods, tods, fromds or dstods, or 0 to 3").sort(ErrMeaning)
		}
		k.Nums = append(k.Nums, v)
	}
	k.at = Span{start, p.at(p.pos - 1).end}
	return k, nil
}

func isRelop(t *token) bool {
	if t.kind != tokOp {
		return false
	}
	switch t.word {
	case "=", "!=", "<", "<=", ">", ">=":
		return true
	}
	return false
}

// parseRelation reads two numbers and what compares them.
func (p *parser) parseRelation() (Node, quals, error) {
	start := p.peek().start
	x, err := p.parseArith(0, false)
	if err != nil {
		return nil, noQuals, err
	}
	op := p.peek()
	if !isRelop(op) {
		return nil, noQuals, p.unexpected("one of = != < <= > >=")
	}
	p.pos++
	y, err := p.parseArith(0, false)
	if err != nil {
		return nil, noQuals, err
	}
	return &Relation{Op: op.word, X: x, Y: y, at: Span{start, p.at(p.pos - 1).end}}, noQuals, nil
}

// precedence returns the precedence of an operator, 0 for % and ^, which have
// none: they always take all that follows as their right side, and the right
// side of any operator goes on over them.
func precedence(t *token) (prec int, ok bool) {
	if t.kind != tokOp {
		return 0, false
	}
	switch t.word {
	case "|":
		return 1, true
	case "&":
		return 2, true
	case "<<", ">>":
		return 3, true
	case "+", "-":
		return 4, true
	case "*", "/":
		return 5, true
	case "%", "^":
		return 0, true
	}
	return 0, false
}

const precNeg = 6

// parseArith reads arithmetic that stands to the right of an operator of
// precedence prec; inner says that there is such an operator.
func (p *parser) parseArith(prec int, inner bool) (Arith, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	start := p.peek().start
	x, err := p.parseOperand()
	if err != nil {
		return nil, err
	}
	for {
		op := p.peek()
		next, ok := precedence(op)
		if !ok || inner && prec != 0 && next != 0 && next <= prec {
			return x, nil
		}
		p.pos++
		y, err := p.parseArith(next, true)
		if err != nil {
			return nil, err
		}
		x = &Binary{Op: op.word, X: x, Y: y, at: Span{start, p.at(p.pos - 1).end}}
	}
}

func (p *parser) parseOperand() (Arith, error) {
	t := p.peek()
	switch {
	case t.kind == tokNum:
		p.pos++
		return &Num{Value: t.num, at: Span{t.start, t.end}}, nil
	case t.is("len"):
		p.pos++
		return &Len{at: Span{t.start, t.end}}, nil
	case t.is("-"):
		p.pos++
		x, err := p.parseArith(precNeg, true)
		if err != nil {
			return nil, err
		}
		return &Neg{X: x, at: Span{t.start, p.at(p.pos - 1).end}}, nil
	case t.is("("):
		end := p.closing(p.pos)
		p.pos++
		x, err := p.parseArith(0, false)
		if err != nil {
			return nil, err
		}
		if p.pos != end {
			return nil, p.unexpected("an operator or ')'")
		}
		p.pos++
		return x, nil
	case t.kind == tokKeyword:
		proto, ok := protoOf(t.word)
		if !ok || !p.at(p.pos+1).is("[") {
			break
		}
		p.pos += 2
		off, err := p.parseArith(0, false)
		if err != nil {
			return nil, err
		}
		size := uint32(1)
		if p.peek().is(":") {
			p.pos++
			if size, err = p.plainNumber("the number of bytes: 1, 2 or 4"); err != nil {
				return nil, err
			}
			if size != 1 && size != 2 && size != 4 {
				return nil, p.errorAt(p.pos-1, "a load has 1, 2 or 4 bytes", "").sort(ErrMeaning)
			}
		}
		if !p.peek().is("]") {
			return nil, p.unexpected("an operator, ':' or ']'")
		}
		p.pos++
		return &Index{Proto: proto, Offset: off, Size: size, at: Span{t.start, p.at(p.pos - 1).end}}, nil
	}
	e := p.unexpected("a number, 'len' or bytes of a header as 'tcp[13]'")
	if x, y, ok := strings.Cut(t.word, "-"); ok && t.kind == tokName && digits(x) && digits(y) {
		e.Hint = quote(x + " - " + y) // without the blanks it is a name
	} else if t.kind == tokName {
		if w := nearest(t.word, strings.Fields(constantNames)); w != "" {
			e.Hint = quote(w)
		}
	}
	return nil, e
}
