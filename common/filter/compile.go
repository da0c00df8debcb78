package filter

import (
	"context"
	"strconv"

	"github.com/gopkts/gopkts/common/link"
)

// Target is where a program will run.
type Target uint8

const (
	// TargetFile is a capture file, or any frames that are complete: what the
	// filter asks for is in the bytes.
	TargetFile Target = iota
	// TargetLinux is a Linux AF_PACKET socket. The kernel takes the outermost
	// VLAN tag off a frame and keeps the direction and the interface beside
	// it, so the program reads them with the kernel's extensions
	// (SKF_AD_OFF in linux/filter.h).
	//
	// A socket without link headers (SOCK_DGRAM, as for all interfaces) has
	// the link type of the header that the capture puts before its frames,
	// [link.TypeLinuxSLL2] or [link.TypeLinuxSLL]. The program is one for such
	// frames; who sets it moves its offsets, as package capture does.
	TargetLinux
)

// Dialect is what an expression means where libpcap and common sense differ.
type Dialect uint8

const (
	// DialectPcap is what libpcap 1.10.6 and later do: "vlan" and the other
	// encapsulations shift the offsets of all that follows in the text, and
	// "tcp" does not look behind IPv6 extension headers.
	DialectPcap Dialect = iota
	// DialectScoped is the same language with another meaning where libpcap's
	// surprises, and with some words more:
	//
	//   - "vlan", "mpls", "pppoes", "geneve" and "vxlan" shift the offsets only
	//     of what is joined to them by "and": not of the other side of an "or",
	//     and not of what follows a group in parentheses with an "or" in it, or
	//     a "not". So "vlan 1 or vlan 2" finds both.
	//   - Up to two VLAN tags (of EtherTypes 0x8100, 0x88a8 and 0x9100) are
	//     skipped: "tcp port 80" finds tagged and untagged packets. This is so on
	//     Ethernet and on Linux cooked captures. "vlan" is of the outermost tag,
	//     a second "vlan" joined by "and" of the next.
	//   - "vlan 10,20-30" is a list of numbers and ranges, without blanks around
	//     '-'; so for "mpls", "pppoes", "geneve" and "vxlan".
	//   - "tcp", "udp", "sctp", "icmp6", "port" and the like, and "proto" and
	//     "ip6 proto" with a number, look behind up to six IPv6 extension
	//     headers: hop-by-hop, routing, fragment, destination and authentication
	//     headers. "proto" with the number of one of these asks whether it is
	//     there. Only the first fragment of a packet has ports, in IPv6 too.
	//   - "tcp[…]", "udp[…]", "sctp[…]" and "pim[…]" are of IPv6 too.
	//   - "inner X" asks X of the packet in a tunnel: VXLAN, Geneve, GRE, GTP-U,
	//     IP, MPLS or Ethernet in IP. It binds as "not" does, so that a list
	//     needs parentheses: "inner (tcp port 80 or 443)". "inner inner X" is of
	//     the packet in a tunnel in a tunnel. "vxlan" and "geneve" open the same
	//     packet for what is joined to them.
	//   - Arithmetic asks for the headers of both sides of an operator.
	//
	// A packet that ends within a header that is skipped or asked for is not
	// accepted. Programs are longer: a walk over extension headers takes 200
	// instructions, and is once in the program for each scope that asks for it.
	// What does not fit wraps [ErrTooLong].
	DialectScoped
)

// Options say for what an expression is compiled. The zero value is for files
// of BSD loopback frames, which is seldom meant: set Link.
type Options struct {
	// Link is the link type of the frames.
	Link link.Type
	// SnapLen is what the program returns for a frame that matches: to a
	// kernel, how many bytes of it to keep. 0 is 262144, as in tcpdump.
	SnapLen int
	// Resolver finds names; nil is [DefaultResolver], which knows common
	// services and protocols and no hosts.
	Resolver Resolver
	// Target is where the program will run.
	Target Target
	// Dialect is what the expression means.
	Dialect Dialect
	// Netmask is the IPv4 netmask of the interface, for "ip broadcast"; 0 is
	// that of a file: the addresses 0.0.0.0 and 255.255.255.255.
	Netmask uint32
	// NoOptimize leaves out the optimizer. The program does the same and is
	// longer.
	NoOptimize bool
}

// Filter is a compiled expression. It does not change and may be used by any
// number of goroutines. Do not copy one.
type Filter struct {
	expr    string
	node    Node
	opts    Options
	program Program
	vm      VM // of the program
}

// Compile compiles an expression of pcap-filter(7). An error is an [*Error].
//
// Compile asks nobody for a name unless Options.Resolver does.
func Compile(expr string, opts Options) (*Filter, error) {
	return CompileContext(context.Background(), expr, opts)
}

// CompileContext is [Compile] with a context for the resolver.
func CompileContext(ctx context.Context, expr string, opts Options) (*Filter, error) {
	if opts.Dialect > DialectScoped {
		return nil, &Error{Expr: expr, Msg: "dialect " + strconv.Itoa(int(opts.Dialect)) + " is not known", Err: ErrMeaning}
	}
	node, err := parseDialect(expr, opts.Dialect)
	if err != nil {
		return nil, err
	}
	if opts.Resolver == nil {
		opts.Resolver = DefaultResolver{}
	}
	snap := opts.snapLen()
	f := &Filter{expr: expr, node: node, opts: opts}
	if node == nil {
		return f.with(Program{{Op: 0x06, K: snap}})
	}
	c := compiler{ctx: ctx, expr: expr, opts: &f.opts}
	code, err := c.compile(node, snap)
	if err != nil {
		return nil, err
	}
	return f.with(code)
}

// compile makes the program of an expression.
func (c *compiler) compile(node Node, snap uint32) (Program, error) {
	c.conds.init()
	c.setLink()
	open := condTrue
	if c.scoped() {
		c.origin = c.payload.k + c.nl
		open = c.openScope(node)
	}
	root := c.and(open, c.gen(node))
	if c.err != nil {
		return nil, c.err
	}
	n := c.prologue(c.lower(root, accept, reject))
	if !c.opts.NoOptimize {
		n = c.optimize(n)
	}
	if c.hasIn {
		n = c.expandSets(n)
		if !c.opts.NoOptimize {
			n = c.optimize(n)
		}
	}
	n = c.finish(n)
	if c.scoped() && c.memory {
		var renamed []valID
		n, renamed = c.shareRegisters(n)
		c.renameNotes(renamed)
	}
	code, err := c.emit(n, snap)
	if err == nil && c.memory && Program(code).ValidateLinux() != nil {
		// Linux goes through a program once and takes what stands behind a
		// return for what follows it. Then every register has to be written at
		// the start.
		n = c.writeAll(n)
		code, err = c.emit(n, snap)
	}
	if err != nil {
		return nil, &Error{Expr: c.expr, End: len(c.expr), Msg: err.Error(), Err: ErrTooLong}
	}
	if c.suspect != nil && Program(code).Validate() != nil {
		return nil, c.suspect
	}
	return code, nil
}

// snapLen is what the program returns for a packet that matches.
func (o *Options) snapLen() uint32 {
	if o.SnapLen > 0 {
		return uint32(min(o.SnapLen, 0x7fffffff))
	}
	return 262144
}

// Program returns the program, which is valid and has at most [MaxProgram]
// instructions. It is a copy.
func (f *Filter) Program() Program { return append(Program(nil), f.program...) }

// Len returns the number of instructions of the program.
func (f *Filter) Len() int { return len(f.program) }

// Expr returns the expression as it was written.
func (f *Filter) Expr() string { return f.expr }

// Node returns the parsed expression, nil if it is empty. Do not change it.
func (f *Filter) Node() Node { return f.node }

// Link returns the link type the filter is for.
func (f *Filter) Link() link.Type { return f.opts.Link }

// String returns the expression with all qualifiers and groupings written out,
// "" for the one that matches everything. It compiles to the same program.
func (f *Filter) String() string {
	if f.node == nil {
		return ""
	}
	return f.node.String()
}
