package filter

import "slices"

// optimize skips the tests whose outcome follows from the tests on the way to
// them, merges equal nodes, and drops what cannot be reached. It returns the
// new root.
//
// A way to a node is a chain of edges that every path to it takes: the edges
// of its dominators. An edge says how its test went, so a chain is all that is
// known at its end. Skipping changes the chains, so it is done until nothing
// changes any more.
func (g *graph) optimize(root nodeID) nodeID {
	var room [few]way
	ways := room[:]
	for range 24 {
		ways = resize(ways, int(g.nodes.n))
		if !g.thread(root, ways) {
			break
		}
		root = g.rebuild(root)
	}
	return root
}

// edge is the way out of a node: 2*node for true and 2*node+1 for false; -1 is
// none.
type edge = int32

// frame is a node on the way of a search and how many of its ways out were
// taken.
type frame struct {
	n    nodeID
	next uint8
}

// order returns the nodes that root reaches, each before all it leads to. The
// slice is in room, if that is enough.
func (g *graph) order(root nodeID, room []nodeID) []nodeID {
	var seenRoom [few]bool
	seen := resize(seenRoom[:], int(g.nodes.n))
	var stackRoom [few]frame
	stack := append(stackRoom[:0], frame{n: root})
	out := room[:0]
	nodes := g.nodes.all()
	seen[root] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		n := &nodes[top.n]
		if n.kind != nodeRet && top.next < 2 {
			to := n.t
			if top.next == 1 {
				to = n.f
			}
			top.next++
			if !seen[to] {
				seen[to] = true
				stack = append(stack, frame{n: to})
			}
			continue
		}
		out = append(out, top.n)
		stack = stack[:len(stack)-1]
	}
	slices.Reverse(out)
	return out
}

// maxFacts bounds how far back a decision looks, so that the time to optimize
// is not quadratic.
const maxFacts = 256

// unseen is in place of an edge for a node that no path leads to.
const unseen = -2

// way is what is known of the paths to a node.
type way struct {
	above edge   // the last edge that all of them take
	depth int32  // how many there are of such edges
	kill  uint64 // the registers that are stored on some path from the end of above to the node
	about uint64 // what the tests on the chain are about, see [graph.about]
}

// about is a set of one value, which some others share: what a test compares, or
// what of it is masked. A test is decided only by tests about the same value.
func (g *graph) about(n *node) uint64 {
	about := n.a
	if v := g.vals.at(about); v.op == valAlu && v.alu == aluAnd {
		about = v.a
	}
	return 1 << (about & 63)
}

// thread lets every edge skip the tests that it decides, and reports whether
// one did. There are zeros in ways, one for each node.
func (g *graph) thread(root nodeID, ways []way) (changed bool) {
	nodes := g.nodes.all()
	for i := range ways {
		ways[i].above = unseen
	}
	ways[root].above = -1
	arrive := func(e edge, to nodeID) {
		w := &ways[to]
		depth := ways[e>>1].depth + 1
		if w.above == unseen {
			w.above, w.depth = e, depth
			return
		}
		a, b := w.above, e
		da, db := w.depth, depth
		for a != b {
			up := &a
			if da >= db {
				da--
			} else {
				up = &b
				db--
			}
			n := *up >> 1
			w.kill |= ways[n].kill
			if nodes[n].kind == nodeStore {
				w.kill |= 1 << nodes[n].k
			}
			*up = ways[n].above
		}
		w.above, w.depth = a, da
	}
	for id := root; id > accept; id-- {
		n, w := &nodes[id], &ways[id]
		if w.above == unseen {
			continue
		}
		if w.above >= 0 {
			w.about = ways[w.above>>1].about
		}
		if n.kind == nodeTest {
			w.about |= g.about(n)
		}
		for side := range edge(2) {
			e := 2*edge(id) + side
			to := n.t
			if side == 1 {
				if n.kind != nodeTest {
					break
				}
				to = n.f
			}
			next := to
			for {
				test := &nodes[next]
				if test.kind != nodeTest || w.about&g.about(test) == 0 {
					break
				}
				outcome, known := g.decide(test, e, ways)
				if !known {
					break
				}
				if outcome {
					next = test.t
				} else {
					next = test.f
				}
			}
			if next != to {
				changed = true
				if side == 0 {
					n.t = next
					if n.kind != nodeTest {
						n.f = next
					}
				} else {
					n.f = next
				}
			}
			arrive(e, next)
		}
	}
	return changed
}

// decide returns the outcome of a test at the end of a chain of edges.
func (g *graph) decide(n *node, e edge, ways []way) (outcome, known bool) {
	nodes := g.nodes.all()
	regs := g.vals.at(n.a).regs
	if n.x != 0 {
		regs |= g.vals.at(n.x).regs
	}
	// A masked value is also known from what is masked.
	base, mask := valID(0), uint32(0)
	if v := g.vals.at(n.a); v.op == valAlu && v.alu == aluAnd {
		if c, ok := g.isConst(v.b); ok {
			base, mask = v.a, c
		}
	}
	lo, hi := uint32(0), uint32(0xffffffff)
	ones, zeros := uint32(0), uint32(0) // bits known to be set and clear
	killed := uint64(0)
	for steps := 0; e >= 0 && steps < maxFacts && regs&killed == 0; steps++ {
		f, w := &nodes[e>>1], &ways[e>>1]
		yes := e&1 == 0
		killed |= w.kill
		e = w.above
		if f.kind == nodeStore {
			if regs&(1<<f.k) != 0 {
				break
			}
			continue
		}
		if f.kind != nodeTest {
			continue
		}
		if n.x != 0 || f.x != 0 {
			if f.a == n.a && f.x == n.x && f.op == n.op {
				return yes, true
			}
			continue
		}
		if f.a != n.a {
			if f.op != jmpJEQ && f.op != jmpJSET {
				continue
			}
			if f.a == base {
				switch {
				case f.op == jmpJEQ && yes:
					return g.holds(n, f.k&mask), true
				case f.op == jmpJSET && !yes:
					zeros |= f.k
					if mask&^zeros == 0 {
						return g.holds(n, 0), true
					}
				}
				continue
			}
			if v := g.vals.at(f.a); f.op == jmpJEQ && yes && v.op == valAlu && v.alu == aluAnd {
				if c, ok := g.isConst(v.b); ok {
					switch {
					case v.a == n.a: // n.a & c == f.k
						ones |= f.k
						zeros |= c &^ f.k
					case v.a == base && base != 0 && mask&^c == 0:
						return g.holds(n, f.k&mask), true
					}
				}
			}
			if known, out := bitsDecide(n, ones, zeros); known {
				return out, true
			}
			continue
		}
		switch f.op {
		case jmpIn:
			set := g.sets[f.k]
			switch n.op {
			case jmpIn:
				in, apart := within(g.sets[n.k], set)
				if !yes && in {
					return false, true
				}
				if yes && apart {
					return false, true
				}
				if in, _ := within(set, g.sets[n.k]); yes && in {
					return true, true
				}
			case jmpJEQ:
				if inSet(set, n.k) != yes {
					return false, true
				}
			}
			continue
		case jmpJEQ:
			if yes {
				return g.holds(n, f.k), true
			}
			if n.op == jmpJEQ && f.k == n.k {
				return false, true
			}
			if f.k == lo {
				lo++ // never the greatest number: then nothing would be left
			}
			if f.k == hi && hi > 0 {
				hi--
			}
		case jmpJGE:
			if yes {
				lo = max(lo, f.k)
			} else if f.k > 0 {
				hi = min(hi, f.k-1)
			}
		case jmpJSET:
			if n.op == jmpJSET && yes && f.k&^n.k == 0 {
				return true, true
			}
			if !yes {
				zeros |= f.k
			} else if f.k&(f.k-1) == 0 {
				ones |= f.k
			}
			if n.op == jmpJEQ && n.k == 0 && yes {
				return false, true
			}
		}
		if known, out := bitsDecide(n, ones, zeros); known {
			return out, true
		}
		switch n.op {
		case jmpJEQ:
			if n.k < lo || n.k > hi {
				return false, true
			}
			if lo == hi && n.k == lo {
				return true, true
			}
		case jmpJGE:
			if lo >= n.k {
				return true, true
			}
			if hi < n.k {
				return false, true
			}
		case jmpJSET:
			if lo == hi {
				return g.holds(n, lo), true
			}
		}
	}
	return false, false
}

// bitsDecide decides a test from bits that are known.
func bitsDecide(n *node, ones, zeros uint32) (known, outcome bool) {
	switch n.op {
	case jmpJSET:
		if n.k&ones != 0 {
			return true, true
		}
		if n.k&^zeros == 0 {
			return true, false
		}
	case jmpJEQ:
		if n.k&zeros != 0 || ones&^n.k != 0 {
			return true, false
		}
	}
	return false, false
}

// holds is the outcome of a test of a known value.
func (g *graph) holds(n *node, v uint32) bool {
	if n.op == jmpIn {
		return inSet(g.sets[n.k], v)
	}
	return holds(n.op, v, n.k)
}

// reachable returns 1 for each node that root reaches, and the leaves' own
// names for them. The slice is in room, if that is enough.
func (g *graph) reachable(root nodeID, room []nodeID) []nodeID {
	nodes := g.nodes.all()
	name := resize(room, len(nodes))
	name[root] = 1
	for id := root; id > accept; id-- {
		if name[id] != 0 {
			name[nodes[id].t], name[nodes[id].f] = 1, 1
		}
	}
	name[reject], name[accept] = reject, accept
	return name
}

// rebuild makes the nodes that root reaches anew, so that equal nodes are one.
func (g *graph) rebuild(root nodeID) nodeID {
	var names [few]nodeID
	name := g.reachable(root, names[:])
	var nodes [few]node
	for id, n := range g.fresh(nodes[:]) {
		if nodeID(id) <= accept || name[id] == 0 {
			continue
		}
		n.t, n.f = name[n.t], name[n.f]
		if n.kind == nodeTest && n.t == n.f {
			to := n.t
			if n.x != 0 {
				to = g.either(n.x, to)
			}
			name[id] = g.either(n.a, to)
			continue
		}
		name[id] = g.node(n)
	}
	return name[root]
}

// finish makes the registers right: a store that nothing reads keeps only what
// its loads do, and a register that could be read before it is written begins
// as zero. The kernel refuses a program that reads what it did not write.
func (g *graph) finish(root nodeID) nodeID {
	for _, v := range g.vals.all() {
		g.memory = g.memory || v.op == valMem
	}
	if !g.memory {
		return root
	}
	var room [few]nodeID
	order := g.order(root, room[:])
	live := make([]uint64, g.nodes.n)
	for i := len(order) - 1; i >= 0; i-- {
		id := order[i]
		n := g.nodes.at(id)
		switch n.kind {
		case nodeTest:
			live[id] = live[n.t] | live[n.f] | g.vals.at(n.a).regs
			if n.x != 0 {
				live[id] |= g.vals.at(n.x).regs
			}
		case nodeTouch:
			live[id] = live[n.t] | g.vals.at(n.a).regs
		case nodeStore:
			out := live[n.t]
			if out&(1<<n.k) == 0 {
				n.kind, n.k = nodeTouch, 0
				live[id] = out | g.vals.at(n.a).regs
				if !g.vals.at(n.a).load {
					live[id] = out
				}
				break
			}
			live[id] = out&^(1<<n.k) | g.vals.at(n.a).regs
		}
	}
	// Drop the touches of what needs no packet.
	for _, id := range order {
		n := g.nodes.at(id)
		for n.kind != nodeRet && g.skippable(n.t) {
			n.t = g.nodes.at(n.t).t
			if n.kind != nodeTest {
				n.f = n.t
			}
		}
		for n.kind == nodeTest && g.skippable(n.f) {
			n.f = g.nodes.at(n.f).t
		}
	}
	for g.skippable(root) {
		root = g.nodes.at(root).t
	}
	uninit := live[root]
	root = g.rebuild(root)
	for reg := range 64 {
		if uninit&(1<<reg) != 0 {
			root = g.store(reg, g.constant(0), root)
		}
	}
	return root
}

// writeAll stores a zero in every register that is read anywhere.
func (g *graph) writeAll(root nodeID) nodeID {
	regs := uint64(0)
	for _, id := range g.order(root, nil) {
		n := g.nodes.at(id)
		if n.kind == nodeRet {
			continue
		}
		regs |= g.vals.at(n.a).regs
		if n.x != 0 {
			regs |= g.vals.at(n.x).regs
		}
	}
	for reg := range 64 {
		if regs&(1<<reg) != 0 {
			root = g.store(reg, g.constant(0), root)
		}
	}
	return root
}

func (g *graph) skippable(id nodeID) bool {
	n := g.nodes.at(id)
	return n.kind == nodeTouch && !g.vals.at(n.a).load
}
