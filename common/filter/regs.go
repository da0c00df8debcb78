package filter

import (
	"maps"
	"math/bits"
)

// shareRegisters gives registers that are not needed at the same time one name,
// so that a program with many scopes has room in the 16 words that there are. It
// returns the new root, and the new name of each value that has one.
//
// The walk is from the end of the graph: a register is needed from a store of it
// to the last load. Two registers that are needed at one place stay apart, and so
// do a register that is stored and those that are needed then.
func (g *graph) shareRegisters(root nodeID) (nodeID, []valID) {
	order := g.order(root, nil)
	reads := func(n *node) uint64 {
		regs := g.vals.at(n.a).regs
		if n.x != 0 {
			regs |= g.vals.at(n.x).regs
		}
		return regs
	}
	live := make([]uint64, g.nodes.n)
	var apart [64]uint64
	all := uint64(0)
	for i := len(order) - 1; i >= 0; i-- {
		id := order[i]
		n := g.nodes.at(id)
		if n.kind == nodeRet {
			continue
		}
		now := live[n.t] | live[n.f]
		if n.kind == nodeStore {
			bit := uint64(1) << n.k
			all |= bit
			others := now &^ bit
			apart[n.k] |= others
			for r := others; r != 0; r &= r - 1 {
				apart[bits.TrailingZeros64(r)] |= bit
			}
			now = others
		}
		now |= reads(n)
		live[id] = now
	}
	// What is needed at the start is zero: these are stored together.
	for r := live[root]; r != 0; r &= r - 1 {
		apart[bits.TrailingZeros64(r)] |= live[root]
	}
	all |= live[root]
	if bits.OnesCount64(all) <= scratchWords/2 {
		return root, nil // there is room
	}
	var to [64]uint32
	for r := all; r != 0; r &= r - 1 {
		reg := bits.TrailingZeros64(r)
		taken := uint64(0)
		for o := apart[reg] & all & (1<<reg - 1); o != 0; o &= o - 1 {
			taken |= 1 << to[bits.TrailingZeros64(o)]
		}
		to[reg] = uint32(bits.TrailingZeros64(^taken))
	}
	return g.renameRegisters(root, &to)
}

// renameRegisters makes the nodes anew with other registers.
func (g *graph) renameRegisters(root nodeID, to *[64]uint32) (nodeID, []valID) {
	renamed := make([]valID, g.vals.n)
	var rename func(v valID) valID
	rename = func(v valID) valID {
		if v == 0 || g.vals.at(v).regs == 0 {
			return v
		}
		if renamed[v] == 0 {
			x := *g.vals.at(v)
			if x.op == valMem {
				x.k = to[x.k]
			}
			x.a, x.b, x.regs = rename(x.a), rename(x.b), 0
			renamed[v] = g.val(x)
		}
		return renamed[v]
	}
	name := g.reachable(root, nil)
	for id, n := range g.fresh(nil) {
		if nodeID(id) <= accept || name[id] == 0 {
			continue
		}
		n.a, n.x = rename(n.a), rename(n.x)
		n.t, n.f = name[n.t], name[n.f]
		if n.kind == nodeStore {
			n.k = to[n.k]
		}
		name[id] = g.node(n)
	}
	return name[root], renamed
}

// renameNotes gives the values with new names their notes. A name that several
// have gets none, unless they agree.
func (c *compiler) renameNotes(renamed []valID) {
	if c.notes == nil {
		return
	}
	notes := make(map[valID]string)
	for v, to := range renamed {
		if to == 0 {
			continue
		}
		if note, have := notes[to]; have && note != c.notes[valID(v)] {
			notes[to] = ""
		} else {
			notes[to] = c.notes[valID(v)]
		}
	}
	maps.Copy(c.notes, notes)
}
