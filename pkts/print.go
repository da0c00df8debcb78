package pkts

import (
	"fmt"
	"io"
	"slices"
)

// Summarizer is a [Layer] that writes its own part of the one-line summary. A
// layer that is none is printed as its name and fields.
type Summarizer interface {
	Layer
	// AppendSummary appends what the line is to say of the layer to b. n is
	// the layer's place, through which it finds what is around it. What it
	// carries follows, behind a colon when b was appended to.
	AppendSummary(b []byte, n Node) []byte
}

// printer is what a Packet keeps for printing itself.
type printer struct {
	// shown is the packet as it is encoded: every node has bytes.
	shown Packet
	data  []byte // the encoded packet, when it differs from what was decoded
	plans map[*Protocol]*plan
	text  []byte

	// Scratch of the JSON printer.
	checks []Check
	places []uint16
}

// printer returns p's printer, made the first time.
func (p *Packet) printer() *printer {
	if p.print == nil {
		p.print = &printer{}
	}
	return p.print
}

// shownPacket returns the packet as it is encoded, with bytes for every node,
// or why it cannot be encoded. The result is valid until it is called again,
// and its layers can be filled in without p noticing. Nodes have the same
// numbers in both.
func (p *Packet) shownPacket() (*Packet, error) {
	pr := p.printer()
	data, nodes := p.data, p.nodes()
	if p.filled != 0 {
		b, err := p.encode(pr.data[:0])
		if err != nil {
			return nil, err
		}
		pr.data, data, nodes = b, b, p.out
	}
	q := &pr.shown
	q.Reset()
	if q.Registry != p.Registry {
		// The numbers of protocols are others.
		q.slots, q.spare = nil, nil
		q.Registry = p.Registry
	}
	q.data = data
	q.table = append(q.table[:0], nodes...)
	for i := range q.table {
		q.table[i].flags &^= nodeBuilt | nodeFilled
	}
	return q, nil
}

// checksOf returns what was found of the fields of node i: checks are in the
// order of the nodes.
func checksOf(checks []Check, i int) []Check {
	start, _ := slices.BinarySearchFunc(checks, i, func(c Check, i int) int { return c.Node.i - i })
	end := start
	for end < len(checks) && checks[end].Node.i == i {
		end++
	}
	return checks[start:end]
}

// firstChild returns the first node that node i carries, Padding left aside,
// and -1 for none.
func (p *Packet) firstChild(i int) int {
	for j := i + 1; j < len(p.nodes()); j++ {
		if n := &p.nodes()[j]; n.parent == uint16(i) && n.kind != kindPadding {
			return j
		}
	}
	return -1
}

// String returns the packet in one line, as [Packet.AppendSummary] appends it.
func (p *Packet) String() string { return string(p.AppendSummary(nil)) }

// Format prints the packet for package fmt: %v and %s the one-line summary, %+v
// the tree, %#v Go source; %q and %x the summary quoted and in hexadecimal.
func (p *Packet) Format(f fmt.State, verb rune) {
	pr := p.printer()
	b := pr.text[:0]
	switch {
	case verb == 'v' && f.Flag('#'):
		_, _ = io.WriteString(f, p.GoString())
		return
	case verb == 'v' && f.Flag('+'):
		b = p.AppendTree(b, nil)
	case verb == 'v' || verb == 's':
		b = p.AppendSummary(b)
		if w, ok := f.Width(); ok && w > len(b) {
			pad := slices.Repeat([]byte{' '}, w-len(b))
			if f.Flag('-') {
				b = append(b, pad...)
			} else {
				b = slices.Insert(b, 0, pad...)
			}
		}
	default:
		fmt.Fprintf(f, fmt.FormatString(f, verb), p.String())
		return
	}
	pr.text = b
	_, _ = f.Write(b)
}
