package filter

import (
	"strconv"
	"strings"
)

// Span is where a node stands in the expression: byte offsets of its first
// byte and after its last.
type Span struct{ Start, End int }

// Node is a node of a parsed expression: [*Logic], [*Not], [*Inner], [*Match],
// [*Abbrev], [*Relation] or [*Keyword].
type Node interface {
	// Span returns where the node stands in the expression.
	Span() Span
	// String returns the node as an expression that means the same wherever
	// it stands: every qualifier is written out and every grouping has its
	// parentheses.
	String() string
}

// Logic is "X and Y" or "X or Y". Both have the same precedence and group from
// the left: "a or b and c" is "(a or b) and c".
type Logic struct {
	Or   bool // or, not and
	X, Y Node
	at   Span
}

// Not is "not X".
type Not struct {
	X  Node
	at Span
}

// Inner is "inner X": X asked of the packet in a tunnel. It binds as tightly as
// "not". Only [DialectScoped] has it.
type Inner struct {
	X  Node
	at Span
}

// Match is an identifier with the qualifiers that say how to read it:
// "tcp dst port 80". Qualifiers that the expression leaves out after "and" or
// "or" are those of the identifier before.
type Match struct {
	Proto Proto
	Dir   Dir
	Kind  Kind
	ID    ID
	at    Span
}

// Abbrev is a protocol that stands alone: "tcp".
type Abbrev struct {
	Proto Proto
	at    Span
}

// Relation compares two numbers: "ip[0] & 0xf > 5".
type Relation struct {
	Op   string // one of "=", "!=", "<", "<=", ">", ">="
	X, Y Arith
	at   Span
}

// Keyword is every other primitive: "ip broadcast", "vlan 5", "greater 100",
// "wlan type mgt subtype beacon", "llc ui", "vpi > 3".
type Keyword struct {
	Name  string // the keyword
	Proto Proto  // the protocol before it, ProtoNone if there is none
	Op    string // the operator after it, for "byte" and the ATM and SS7 fields
	Nums  []uint32
	Words []string
	// Ranges are the numbers of "vlan 10,20-30", in place of Nums: of a list
	// or range after "vlan", "mpls", "pppoes", "geneve" or "vxlan". Only
	// [DialectScoped] has them.
	Ranges []Range
	at     Span
}

// Range is the numbers from Lo to Hi, both included, as "20-30"; Lo and Hi are
// equal for a single number. Lo is not greater than Hi.
type Range struct{ Lo, Hi uint32 }

// Arith is a number: [*Num], [*Len], [*Index], [*Binary] or [*Neg].
type Arith interface {
	Span() Span
	String() string
}

// Num is a constant.
type Num struct {
	Value uint32
	at    Span
}

// Len is the length of the packet on the wire.
type Len struct{ at Span }

// Index is Size bytes, 1, 2 or 4, most significant first, at an offset from
// the start of a protocol's header. A packet without that header does not
// match the relation it stands in, whichever way that goes.
type Index struct {
	Proto  Proto
	Offset Arith
	Size   uint32
	at     Span
}

// Binary is "X Op Y", computed in 32 bits without sign. Op is one of
// + - * / % & | ^ << >>. All but % and ^ have their usual precedence; what
// stands after % or ^ is grouped before it.
type Binary struct {
	Op   string
	X, Y Arith
	at   Span
}

// Neg is "-X", modulo 2^32.
type Neg struct {
	X  Arith
	at Span
}

// ID is what a [Match] looks for.
type ID struct {
	Sort IDSort
	// Text is the name or the address as written.
	Text string
	// Num is the number, or the length of the prefix after '/'.
	Num uint32
	// Mask is the netmask after "mask", "" if there is none.
	Mask string
	at   Span
}

// IDSort says what an [ID] is.
type IDSort uint8

const (
	IDName   IDSort = iota // a name, in Text
	IDNum                  // a number, in Num
	IDIPv4                 // two to four dotted numbers, in Text
	IDPrefix               // the same with a prefix length in Num
	IDMask                 // the same with a netmask in Mask
	IDIPv6                 // an IPv6 address with a prefix length, 128 if it has none
	IDMAC                  // an Ethernet address
	IDArcnet               // an ARCNET address, two hexadecimal digits
)

// Proto is a protocol qualifier.
type Proto uint8

// The protocol qualifiers of pcap-filter(7). ProtoLink is written "ether",
// "fddi", "tr", "wlan", "ppp", "slip" or "link", which all mean the same.
const (
	ProtoNone Proto = iota
	ProtoLink
	ProtoIP
	ProtoARP
	ProtoRARP
	ProtoSCTP
	ProtoTCP
	ProtoUDP
	ProtoICMP
	ProtoIGMP
	ProtoIGRP
	ProtoPIM
	ProtoVRRP
	ProtoCARP
	ProtoATalk
	ProtoAARP
	ProtoDECnet
	ProtoLAT
	ProtoSCA
	ProtoMOPDL
	ProtoMOPRC
	ProtoIPv6
	ProtoICMPv6
	ProtoAH
	ProtoESP
	ProtoISO
	ProtoESIS
	ProtoISIS
	ProtoL1
	ProtoL2
	ProtoIIH
	ProtoLSP
	ProtoSNP
	ProtoCSNP
	ProtoPSNP
	ProtoCLNP
	ProtoSTP
	ProtoIPX
	ProtoNetBEUI
	ProtoRadio
)

const protoNames = "link ip arp rarp sctp tcp udp icmp igmp igrp pim vrrp carp atalk aarp decnet lat sca mopdl moprc " +
	"ip6 icmp6 ah esp iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui radio"

// String returns the qualifier as it is written, "" for ProtoNone.
func (p Proto) String() string {
	if p == ProtoNone {
		return ""
	}
	n := ProtoLink
	for name := range strings.FieldsSeq(protoNames) {
		if n == p {
			return name
		}
		n++
	}
	return "proto(" + strconv.Itoa(int(p)) + ")"
}

// protoOf returns the qualifier that a canonical keyword names.
func protoOf(word string) (Proto, bool) {
	switch word {
	case "link":
		return ProtoLink, true
	case "ip":
		return ProtoIP, true
	case "arp":
		return ProtoARP, true
	case "rarp":
		return ProtoRARP, true
	case "sctp":
		return ProtoSCTP, true
	case "tcp":
		return ProtoTCP, true
	case "udp":
		return ProtoUDP, true
	case "icmp":
		return ProtoICMP, true
	case "igmp":
		return ProtoIGMP, true
	case "igrp":
		return ProtoIGRP, true
	case "pim":
		return ProtoPIM, true
	case "vrrp":
		return ProtoVRRP, true
	case "carp":
		return ProtoCARP, true
	case "atalk":
		return ProtoATalk, true
	case "aarp":
		return ProtoAARP, true
	case "decnet":
		return ProtoDECnet, true
	case "lat":
		return ProtoLAT, true
	case "sca":
		return ProtoSCA, true
	case "mopdl":
		return ProtoMOPDL, true
	case "moprc":
		return ProtoMOPRC, true
	case "ip6":
		return ProtoIPv6, true
	case "icmp6":
		return ProtoICMPv6, true
	case "ah":
		return ProtoAH, true
	case "esp":
		return ProtoESP, true
	case "iso":
		return ProtoISO, true
	case "esis":
		return ProtoESIS, true
	case "isis":
		return ProtoISIS, true
	case "l1":
		return ProtoL1, true
	case "l2":
		return ProtoL2, true
	case "iih":
		return ProtoIIH, true
	case "lsp":
		return ProtoLSP, true
	case "snp":
		return ProtoSNP, true
	case "csnp":
		return ProtoCSNP, true
	case "psnp":
		return ProtoPSNP, true
	case "clnp":
		return ProtoCLNP, true
	case "stp":
		return ProtoSTP, true
	case "ipx":
		return ProtoIPX, true
	case "netbeui":
		return ProtoNetBEUI, true
	case "radio":
		return ProtoRadio, true
	}
	return ProtoNone, false
}

// Dir is a direction qualifier.
type Dir uint8

const (
	DirNone      Dir = iota // source or destination
	DirSrc                  // source
	DirDst                  // destination
	DirSrcOrDst             // source or destination
	DirSrcAndDst            // source and destination
	DirAddr1                // IEEE 802.11 address 1
	DirAddr2                // IEEE 802.11 address 2
	DirAddr3                // IEEE 802.11 address 3
	DirAddr4                // IEEE 802.11 address 4
	DirRA                   // IEEE 802.11 receiver
	DirTA                   // IEEE 802.11 transmitter
)

// String returns the qualifier as it is written, "" for DirNone.
func (d Dir) String() string {
	switch d {
	case DirNone:
		return ""
	case DirSrc:
		return "src"
	case DirDst:
		return "dst"
	case DirSrcOrDst:
		return "src or dst"
	case DirSrcAndDst:
		return "src and dst"
	case DirAddr1:
		return "addr1"
	case DirAddr2:
		return "addr2"
	case DirAddr3:
		return "addr3"
	case DirAddr4:
		return "addr4"
	case DirRA:
		return "ra"
	case DirTA:
		return "ta"
	}
	return "dir(" + strconv.Itoa(int(d)) + ")"
}

// Kind is a type qualifier.
type Kind uint8

const (
	KindNone       Kind = iota // a host
	KindHost                   // "host"
	KindNet                    // "net"
	KindPort                   // "port"
	KindPortRange              // "portrange"
	KindProto                  // "proto"
	KindProtoChain             // "protochain"
	KindGateway                // "gateway"
)

// String returns the qualifier as it is written, "" for KindNone.
func (k Kind) String() string {
	switch k {
	case KindNone:
		return ""
	case KindHost:
		return "host"
	case KindNet:
		return "net"
	case KindPort:
		return "port"
	case KindPortRange:
		return "portrange"
	case KindProto:
		return "proto"
	case KindProtoChain:
		return "protochain"
	case KindGateway:
		return "gateway"
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

func (n *Logic) Span() Span    { return n.at }
func (n *Not) Span() Span      { return n.at }
func (n *Inner) Span() Span    { return n.at }
func (n *Match) Span() Span    { return n.at }
func (n *Abbrev) Span() Span   { return n.at }
func (n *Relation) Span() Span { return n.at }
func (n *Keyword) Span() Span  { return n.at }
func (n *Num) Span() Span      { return n.at }
func (n *Len) Span() Span      { return n.at }
func (n *Index) Span() Span    { return n.at }
func (n *Binary) Span() Span   { return n.at }
func (n *Neg) Span() Span      { return n.at }

func (n *Logic) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

// write writes a chain of equal operators without a copy for each of them.
func (n *Logic) write(b *strings.Builder) {
	if x, ok := n.X.(*Logic); ok && x.Or == n.Or {
		x.write(b)
	} else {
		b.WriteString(grouped(n.X))
	}
	if n.Or {
		b.WriteString(" or ")
	} else {
		b.WriteString(" and ")
	}
	b.WriteString(grouped(n.Y))
}

func grouped(n Node) string {
	if _, ok := n.(*Logic); ok {
		return "(" + n.String() + ")"
	}
	return n.String()
}

func (n *Not) String() string { return "not " + grouped(n.X) }

func (n *Inner) String() string { return "inner " + grouped(n.X) }

// String returns the range as it is written: one number, or two with a '-'
// between.
func (r Range) String() string {
	s := strconv.FormatUint(uint64(r.Lo), 10)
	if r.Lo != r.Hi {
		s += "-" + strconv.FormatUint(uint64(r.Hi), 10)
	}
	return s
}

func (n *Match) String() string {
	var b strings.Builder
	word := func(s string) {
		if s != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(s)
		}
	}
	word(n.Proto.String())
	word(n.Dir.String())
	word(n.Kind.String())
	if n.Kind == KindNone && n.Dir == DirNone {
		word("host")
	}
	word(n.ID.String())
	return b.String()
}

// String returns the identifier as it is written.
func (i ID) String() string {
	switch i.Sort {
	case IDNum:
		return strconv.FormatUint(uint64(i.Num), 10)
	case IDPrefix:
		return i.Text + "/" + strconv.FormatUint(uint64(i.Num), 10)
	case IDMask:
		return i.Text + " mask " + i.Mask
	case IDIPv6:
		if i.Num == 128 {
			return i.Text
		}
		return i.Text + "/" + strconv.FormatUint(uint64(i.Num), 10)
	case IDArcnet:
		return "$" + i.Text
	case IDName:
		var t table[int, token]
		if err := lex(i.Text, &t); err != nil || t.n != 2 || t.at(0).kind != tokName {
			return `\` + i.Text
		}
	}
	return i.Text
}

func (n *Abbrev) String() string   { return n.Proto.String() }
func (n *Relation) String() string { return n.X.String() + " " + n.Op + " " + n.Y.String() }

func (n *Keyword) String() string {
	var b strings.Builder
	if n.Proto != ProtoNone {
		b.WriteString(n.Proto.String())
		b.WriteByte(' ')
	}
	b.WriteString(n.Name)
	nums, words := n.Nums, n.Words
	num := func() {
		b.WriteByte(' ')
		b.WriteString(strconv.FormatUint(uint64(nums[0]), 10))
		nums = nums[1:]
	}
	switch n.Name {
	case "byte":
		num()
		b.WriteByte(' ')
		b.WriteString(n.Op)
		num()
		return b.String()
	case "type", "subtype", "dir", "llc":
		if len(words) > 0 {
			b.WriteByte(' ')
			b.WriteString(words[0])
			if len(words) > 1 {
				b.WriteString(" subtype ")
				b.WriteString(words[1])
			}
		}
		return b.String()
	}
	if n.Op != "" {
		b.WriteByte(' ')
		b.WriteString(n.Op)
	}
	for i, r := range n.Ranges {
		if i == 0 {
			b.WriteByte(' ')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(r.String())
	}
	if len(nums) > 1 { // the list of an ATM or SS7 field
		b.WriteString(" (")
		for i, v := range nums {
			if i > 0 {
				b.WriteString(" or ")
			}
			b.WriteString(strconv.FormatUint(uint64(v), 10))
		}
		b.WriteByte(')')
		return b.String()
	}
	for len(nums) > 0 {
		num()
	}
	for _, w := range words {
		b.WriteByte(' ')
		b.WriteString(ID{Sort: IDName, Text: w}.String())
	}
	return b.String()
}

func (n *Num) String() string { return strconv.FormatUint(uint64(n.Value), 10) }
func (n *Len) String() string { return "len" }

func (n *Index) String() string {
	s := n.Proto.String() + "[" + n.Offset.String()
	if n.Size != 1 {
		s += ":" + strconv.FormatUint(uint64(n.Size), 10)
	}
	return s + "]"
}

func (n *Binary) String() string { return "(" + n.X.String() + " " + n.Op + " " + n.Y.String() + ")" }
func (n *Neg) String() string    { return "(- " + n.X.String() + ")" }

// Tree returns the tree of a parsed expression, one node a line, each indented
// under the one it belongs to.
func Tree(n Node) string {
	var b strings.Builder
	writeTree(&b, n, 0)
	return b.String()
}

func writeTree(b *strings.Builder, n Node, depth int) {
	line := func(depth int, s string) {
		for range depth {
			b.WriteString("  ")
		}
		b.WriteString(s)
		b.WriteByte('\n')
	}
	switch n := n.(type) {
	case nil:
	case *Logic:
		// A chain of one operator is one level.
		word := "and"
		if n.Or {
			word = "or"
		}
		line(depth, word)
		var chain []Node
		x := Node(n)
		for {
			l, ok := x.(*Logic)
			if !ok || l.Or != n.Or {
				chain = append(chain, x)
				break
			}
			chain = append(chain, l.Y)
			x = l.X
		}
		for i := len(chain) - 1; i >= 0; i-- {
			writeTree(b, chain[i], depth+1)
		}
	case *Not:
		line(depth, "not")
		writeTree(b, n.X, depth+1)
	case *Inner:
		line(depth, "inner")
		writeTree(b, n.X, depth+1)
	case *Relation:
		line(depth, n.Op)
		writeArith(line, n.X, depth+1)
		writeArith(line, n.Y, depth+1)
	default:
		line(depth, n.String())
	}
}

func writeArith(line func(int, string), a Arith, depth int) {
	switch a := a.(type) {
	case *Binary:
		line(depth, a.Op)
		writeArith(line, a.X, depth+1)
		writeArith(line, a.Y, depth+1)
	case *Neg:
		line(depth, "negative")
		writeArith(line, a.X, depth+1)
	default:
		line(depth, a.String())
	}
}
