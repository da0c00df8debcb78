package filter

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Explain returns the program as tcpdump -d prints it, with what each test asks
// for beside it.
//
// The expression is compiled again for that: if it has names of hosts, the
// resolver is asked again.
func (f *Filter) Explain(ctx context.Context) string {
	plain := func() string { return f.program.Format(FormText) }
	if f.node == nil {
		return plain()
	}
	c := compiler{ctx: ctx, expr: f.expr, opts: &f.opts, notes: make(map[valID]string)}
	c.owned = true
	code, err := c.compile(f.node, f.opts.snapLen())
	if err != nil || len(code) != len(f.program) {
		return plain()
	}
	var b strings.Builder
	for i, in := range code {
		line := FormatInstruction(i, in)
		b.WriteString(line)
		// A node's last instruction says what it is for.
		if id := c.owner[i]; id > accept && (i+1 == len(code) || c.owner[i+1] != id) {
			for n := len(line); n < 48; n++ {
				b.WriteByte(' ')
			}
			b.WriteString(" ; ")
			b.WriteString(c.describe(c.nodes.at(id)))
		} else if in.Op == 0x06 {
			for n := len(line); n < 48; n++ {
				b.WriteByte(' ')
			}
			if in.K == 0 {
				b.WriteString(" ; no match")
			} else {
				b.WriteString(" ; match")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// note gives a value a name for [Filter.Explain].
func (c *compiler) note(v valID, name string) valID {
	if c.notes != nil && c.notes[v] == "" {
		c.notes[v] = name
	}
	return v
}

// describe says what a node asks for.
func (c *compiler) describe(n *node) string {
	switch n.kind {
	case nodeStore:
		return "keep " + c.describeVal(n.a)
	case nodeTouch:
		return "is there " + c.describeVal(n.a) + "?"
	}
	right := ""
	if n.x != 0 {
		right = c.describeVal(n.x)
	} else {
		right = describeNumber(n.k)
		if name := c.notes[n.a]; strings.HasPrefix(name, "type") {
			if p := protoName(n.k); p != "" {
				right += ", " + p
			}
		} else if strings.HasSuffix(name, " address") && c.vals.at(n.a).size == 4 {
			right = addr4(n.k).String()
		}
	}
	switch n.op {
	case jmpJEQ:
		return c.describeVal(n.a) + " = " + right + "?"
	case jmpJGT:
		return c.describeVal(n.a) + " > " + right + "?"
	case jmpJGE:
		return c.describeVal(n.a) + " >= " + right + "?"
	}
	return c.describeVal(n.a) + " & " + right + " != 0?"
}

// describeVal names a value.
func (c *compiler) describeVal(v valID) string {
	if name := c.notes[v]; name != "" {
		return name
	}
	x := c.vals.at(v)
	bytes := "byte"
	if x.size > 1 {
		bytes = strconv.Itoa(int(x.size)) + " bytes at"
	}
	switch x.op {
	case valConst:
		return describeNumber(x.k)
	case valLen:
		return "the packet's length"
	case valAbs:
		switch x.k {
		case adPktType:
			return "the kernel's packet type"
		case adIfIndex:
			return "the interface"
		case adVLANTag:
			return "the VLAN tag that the kernel took off"
		case adVLANTagPresent:
			return "whether the kernel took a VLAN tag off"
		}
		return bytes + " " + strconv.FormatUint(uint64(x.k), 10)
	case valInd:
		return fmt.Sprintf("%s %s + %d", bytes, c.describeVal(x.a), x.k)
	case valMsh:
		return "the length of the IPv4 header"
	case valNeg:
		return "-" + c.describeVal(x.a)
	case valMem:
		switch x.k {
		case regLinkHdr:
			return "the start of the link header"
		case regPayload:
			return "the start of the payload"
		}
		return "what was kept as " + strconv.FormatUint(uint64(x.k), 10)
	case valAlu:
		op := map[uint8]string{aluAdd: "+", aluSub: "-", aluMul: "*", aluDiv: "/", aluOr: "|", aluAnd: "&", aluLsh: "<<", aluRsh: ">>", aluMod: "%", aluXor: "^"}[x.alu]
		return "(" + c.describeVal(x.a) + " " + op + " " + c.describeVal(x.b) + ")"
	}
	return "?"
}

// describeNumber writes a number in decimal, and in hexadecimal where that
// says more.
func describeNumber(v uint32) string {
	if v < 10 {
		return strconv.FormatUint(uint64(v), 10)
	}
	return fmt.Sprintf("%d (%#x)", v, v)
}

// protoName names an EtherType, or a service access point of LLC.
func protoName(v uint32) string {
	switch v {
	case etherIP:
		return "ip"
	case etherARP:
		return "arp"
	case etherRARP:
		return "rarp"
	case etherIPv6:
		return "ip6"
	case etherVLAN, etherQinQ, etherQinQ91:
		return "a VLAN tag"
	case etherMPLS:
		return "MPLS"
	case etherPPPoED:
		return "PPPoE discovery"
	case etherPPPoES:
		return "PPPoE session"
	}
	return ""
}
