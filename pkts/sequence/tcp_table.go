package sequence

// tcpTable holds the connections, those that are open and those that are closed,
// each in the order in which they were last used. It does what [table] does, for
// connections: a packet touches one place of the index and one slot, whose
// first line holds the key, and the next ones what most packets need. With tens
// of thousands of connections the time is spent waiting for memory.
//
// Slots do not move. They have no pointers, so that the collector does not look
// at them.
type tcpTable struct {
	seed pairHash
	// index is open addressing: the hash, and the number of a slot plus one. It
	// is at most five eighths full: with three quarters, a search for what is
	// not there takes twice as many steps. All that moving an entry asks for is in
	// it, so that no slot has to be fetched for that.
	index []uint64
	pages []*[tcpSlotsPage]tcpSlot
	free  int32
	n     int
	lists [2]tcpList
}

// The lists of a tcpTable.
const (
	tcpOpen = iota
	tcpClosed
)

type tcpList struct {
	oldest, newest int32
	n              int
}

const tcpSlotsPage = 32

// tcpSlot is a multiple of 64 bytes.
type tcpSlot struct {
	key        tcpKey
	prev, next int32 // in the list; next also links the unused slots
	list       uint32
	hash       uint32
	conn       tcpConn
}

func (t *tcpTable) at(i int32) *tcpSlot {
	n := uint32(i - 1) // which is divided in one instruction
	return &t.pages[n/tcpSlotsPage][n%tcpSlotsPage]
}

func (t *tcpTable) hash(k *tcpKey) uint32 { return t.seed.sum(k.lo, k.hi, k.ports, k.tunnel) }

// get returns the number and the slot of k, or 0 and nil.
func (t *tcpTable) get(k *tcpKey) (int32, *tcpSlot) {
	if t.n == 0 {
		return 0, nil
	}
	h := t.hash(k)
	mask := uint32(len(t.index) - 1)
	for p := h & mask; ; p = (p + 1) & mask {
		e := t.index[p]
		if e == 0 {
			return 0, nil
		}
		if uint32(e>>32) == h {
			if s := t.at(int32(uint32(e))); s.key.equal(k) {
				return int32(uint32(e)), s
			}
		}
	}
}

// add makes a place for k, which must not be there, as the newest of the open
// ones.
func (t *tcpTable) add(k *tcpKey) (int32, *tcpSlot) {
	if t.index == nil {
		t.seed = newPairHash()
		t.index = make([]uint64, 64)
	}
	if t.n >= len(t.index)/8*5 {
		old := t.index
		t.index = make([]uint64, 2*len(old))
		for _, e := range old {
			if e != 0 {
				t.place(e)
			}
		}
	}
	i := t.free
	if i == 0 {
		n := int32(len(t.pages)) * tcpSlotsPage
		page := new([tcpSlotsPage]tcpSlot)
		for j := range page[:tcpSlotsPage-1] {
			page[j].next = n + int32(j) + 2
		}
		t.pages = append(t.pages, page)
		i = n + 1
	}
	s := t.at(i)
	t.free = s.next
	s.key, s.hash = *k, t.hash(k)
	t.place(uint64(s.hash)<<32 | uint64(uint32(i)))
	t.n++
	t.link(tcpOpen, i, s)
	return i, s
}

func (t *tcpTable) place(e uint64) {
	mask := uint32(len(t.index) - 1)
	p := uint32(e>>32) & mask
	for t.index[p] != 0 {
		p = (p + 1) & mask
	}
	t.index[p] = e
}

// remove takes i out.
func (t *tcpTable) remove(i int32) {
	s := t.at(i)
	t.unlink(s)
	mask := uint32(len(t.index) - 1)
	p := s.hash & mask
	for uint32(t.index[p]) != uint32(i) {
		p = (p + 1) & mask
	}
	// What follows moves up, so that nothing marks what was taken out.
	for q := p; ; {
		t.index[p] = 0
		for {
			q = (q + 1) & mask
			e := t.index[q]
			if e == 0 {
				s.next = t.free
				t.free = i
				t.n--
				return
			}
			if home := uint32(e >> 32); (q-home)&mask >= (q-p)&mask {
				t.index[p] = e
				p = q
				break
			}
		}
	}
}

// move makes i the newest of a list.
func (t *tcpTable) move(list int, i int32) {
	s := t.at(i)
	if t.lists[list].newest != i {
		t.unlink(s)
		t.link(list, i, s)
	}
}

// oldest returns what was moved to a list first, or 0 and nil.
func (t *tcpTable) oldest(list int) (int32, *tcpSlot) {
	i := t.lists[list].oldest
	if i == 0 {
		return 0, nil
	}
	return i, t.at(i)
}

func (t *tcpTable) link(list int, i int32, s *tcpSlot) {
	l := &t.lists[list]
	s.list, s.prev, s.next = uint32(list), l.newest, 0
	if l.newest != 0 {
		t.at(l.newest).next = i
	} else {
		l.oldest = i
	}
	l.newest = i
	l.n++
}

func (t *tcpTable) unlink(s *tcpSlot) {
	l := &t.lists[s.list]
	if s.prev != 0 {
		t.at(s.prev).next = s.next
	} else {
		l.oldest = s.next
	}
	if s.next != 0 {
		t.at(s.next).prev = s.prev
	} else {
		l.newest = s.prev
	}
	l.n--
}
