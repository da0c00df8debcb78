package filter

// optimize skips the tests whose outcome follows from the tests on the way to
// them, merges equal nodes, and drops what cannot be reached. It returns the
// new root.
//
// A way to a node is a chain of edges that every path to it takes: the edges
// of its dominators. An edge says how its test went, so a chain is all that is
// known at its end. Skipping changes the chains, so it is done until nothing
// changes any more.
func (g *graph) optimize(root nodeID) nodeID {
	for range 24 {
		changed := g.thread(root)
		root = g.rebuild(root)
		if !changed {
			break
		}
	}
	return root
}

// edge is the way out of a node: 2*node for true and 2*node+1 for false; -1 is
// none.
type edge = int32

// order returns the nodes that root reaches, each before all it leads to.
func (g *graph) order(root nodeID) []nodeID {
	state := make([]uint8, len(g.nodes))
	out := make([]nodeID, 0, len(g.nodes))
	type frame struct {
		n    nodeID
		next uint8
	}
	stack := make([]frame, 1, 64)
	stack[0] = frame{n: root}
	state[root] = 1
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		n := &g.nodes[top.n]
		if n.kind != nodeRet && top.next < 2 {
			to := n.t
			if top.next == 1 {
				to = n.f
			}
			top.next++
			if state[to] == 0 {
				state[to] = 1
				stack = append(stack, frame{n: to})
			}
			continue
		}
		out = append(out, top.n)
		stack = stack[:len(stack)-1]
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// maxFacts bounds how far back a decision looks, so that the time to optimize
// is not quadratic.
const maxFacts = 256

// thread lets every edge skip the tests that it decides, and reports whether
// one did.
func (g *graph) thread(root nodeID) bool {
	order := g.order(root)
	above := make([]edge, len(g.nodes)) // the last edge that every path to the node takes
	depth := make([]int32, len(g.nodes))
	seen := make([]bool, len(g.nodes))
	above[root], seen[root] = -1, true
	changed := false
	arrive := func(e edge, to nodeID) {
		from := nodeID(e >> 1)
		if !seen[to] {
			seen[to], above[to], depth[to] = true, e, depth[from]+1
			return
		}
		a, b := above[to], e
		da, db := depth[to], depth[from]+1
		for a != b {
			if da >= db {
				a = above[a>>1]
				da--
			} else {
				b = above[b>>1]
				db--
			}
		}
		above[to], depth[to] = a, da
	}
	for _, id := range order {
		n := &g.nodes[id]
		if n.kind == nodeRet || !seen[id] {
			continue
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
			for g.nodes[next].kind == nodeTest {
				outcome, known := g.decide(next, e, above)
				if !known {
					break
				}
				if outcome {
					next = g.nodes[next].t
				} else {
					next = g.nodes[next].f
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
func (g *graph) decide(id nodeID, e edge, above []edge) (outcome, known bool) {
	n := &g.nodes[id]
	regs := g.vals[n.a].regs
	if n.x != 0 {
		regs |= g.vals[n.x].regs
	}
	// A masked value is also known from what is masked.
	base, mask := valID(0), uint32(0)
	if v := &g.vals[n.a]; v.op == valAlu && v.alu == aluAnd {
		if c, ok := g.isConst(v.b); ok {
			base, mask = v.a, c
		}
	}
	lo, hi := uint32(0), uint32(0xffffffff)
	ones, zeros := uint32(0), uint32(0) // bits known to be set and clear
	for steps := 0; e >= 0 && steps < maxFacts; steps++ {
		f := &g.nodes[e>>1]
		yes := e&1 == 0
		e = above[e>>1]
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
					return holds(n.op, f.k&mask, n.k), true
				case f.op == jmpJSET && !yes:
					zeros |= f.k
					if mask&^zeros == 0 {
						return holds(n.op, 0, n.k), true
					}
				}
				continue
			}
			if v := &g.vals[f.a]; f.op == jmpJEQ && yes && v.op == valAlu && v.alu == aluAnd {
				if c, ok := g.isConst(v.b); ok {
					switch {
					case v.a == n.a: // n.a & c == f.k
						ones |= f.k
						zeros |= c &^ f.k
					case v.a == base && base != 0 && mask&^c == 0:
						return holds(n.op, f.k&mask, n.k), true
					}
				}
			}
			if known, out := bitsDecide(n, ones, zeros); known {
				return out, true
			}
			continue
		}
		switch f.op {
		case jmpJEQ:
			if yes {
				return holds(n.op, f.k, n.k), true
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
				return holds(n.op, lo, n.k), true
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

// rebuild makes the nodes that root reaches anew, so that equal nodes are one.
func (g *graph) rebuild(root nodeID) nodeID {
	order := g.order(root)
	old := g.nodes
	name := make([]nodeID, len(old))
	g.resetNodes(len(order) + 2)
	for i := len(order) - 1; i >= 0; i-- {
		id := order[i]
		n := old[id]
		switch n.kind {
		case nodeRet:
			name[id] = id
			continue
		case nodeTest:
			n.t, n.f = name[n.t], name[n.f]
			if n.t == n.f {
				name[id] = n.t
				continue
			}
		default:
			n.t = name[n.t]
			n.f = n.t
		}
		name[id] = g.node(n)
	}
	return name[root]
}

// finish makes the registers right: a store that nothing reads keeps only what
// its loads do, and a register that could be read before it is written begins
// as zero. The kernel refuses a program that reads what it did not write.
func (g *graph) finish(root nodeID) nodeID {
	order := g.order(root)
	live := make([]uint64, len(g.nodes))
	any := false
	for i := len(order) - 1; i >= 0; i-- {
		id := order[i]
		n := &g.nodes[id]
		switch n.kind {
		case nodeTest:
			live[id] = live[n.t] | live[n.f] | g.vals[n.a].regs
			if n.x != 0 {
				live[id] |= g.vals[n.x].regs
			}
		case nodeStore:
			any = true
			out := live[n.t]
			if out&(1<<n.k) == 0 {
				n.kind, n.k = nodeTouch, 0
				live[id] = out | g.vals[n.a].regs
				if !g.vals[n.a].load {
					live[id] = out
				}
				break
			}
			live[id] = out&^(1<<n.k) | g.vals[n.a].regs
		}
	}
	if !any && live[root] == 0 {
		return root
	}
	// Drop the touches of what needs no packet.
	for _, id := range order {
		n := &g.nodes[id]
		for n.kind != nodeRet && g.skippable(n.t) {
			n.t = g.nodes[n.t].t
			if n.kind != nodeTest {
				n.f = n.t
			}
		}
		for n.kind == nodeTest && g.skippable(n.f) {
			n.f = g.nodes[n.f].t
		}
	}
	for g.skippable(root) {
		root = g.nodes[root].t
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

func (g *graph) skippable(id nodeID) bool {
	n := &g.nodes[id]
	return n.kind == nodeTouch && !g.vals[n.a].load
}
