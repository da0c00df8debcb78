package filter

// lower makes the nodes of a condition.
func (c *compiler) lower(id condID, t, f nodeID) nodeID {
	for {
		switch id {
		case condFalse:
			return f
		case condTrue:
			return t
		}
		x := c.tree.at(id)
		switch x.kind {
		case condLeaf:
			return c.test(x.op, x.a, x.k, t, f)
		case condTestX:
			return c.testX(x.op, x.a, x.x, t, f)
		case condAnd:
			t = c.lower(x.r, t, f)
			id = c.tree.at(id).l
		case condOr:
			f = c.lower(x.r, t, f)
			id = c.tree.at(id).l
		case condNot:
			id, t, f = x.l, f, t
		case condStore:
			return c.store(int(x.k), x.a, t)
		case condTouch:
			return c.node(node{kind: nodeTouch, a: x.a, t: t, f: t})
		case condSwitch:
			set := c.sets[x.k]
			if _, ok := c.isConst(x.a); !ok && len(set) <= maxLinear {
				return c.test(jmpIn, x.a, x.k, t, f)
			}
			return c.search(x.a, set, 0, 0xffffffff, t, f)
		default:
			return c.make(c.makers[x.k], t, f)
		}
	}
}

// A maker makes the nodes of a condition that is more than a tree of tests. It is
// a pointer to one of the types that [compiler.make] knows. A function, or a type
// with a method for it, would do as well; but then all of the compiler would have
// to be on the heap.
type maker any

// made is a condition whose nodes a maker makes.
func (c *compiler) made(m maker) condID {
	c.makers = append(c.makers, m)
	return c.add(cond{kind: condMade, k: uint32(len(c.makers) - 1)})
}

// make makes the nodes of a maker, which go to t or f.
func (c *compiler) make(m maker, t, f nodeID) nodeID {
	switch m := m.(type) {
	case *tupleSearch:
		return c.searchTuples(m.vals, m.tuples, t, f)
	case *headerChain:
		return c.followChain(m, t, f)
	case *scopeStart:
		return c.findHeaders(m, t)
	case *extensionSearch:
		return c.searchExtensions(m, t, f)
	case *typeChoice:
		return c.test(jmpJEQ, c.mem(m.reg), 0, c.store(m.to, m.zero, t), c.store(m.to, m.other, t))
	case *tunnelSearch:
		return c.searchTunnel(m, t, f)
	}
	return f
}
