package sequence

// table holds values by key and knows in which order they were last used. The
// hash is Go's own, seeded for each map, so that who sends the packets cannot
// choose the bucket.
//
// Values do not move, so that pointers to them stay good until they are removed;
// what is removed is used again, without being cleared.
type table[K comparable, V any] struct {
	index map[K]int32
	// slots are cut into pages, which are never copied.
	pages [][]slot[K, V]
	// free is the first unused slot, oldest and newest are the ends of the
	// list by use; numbers of slots plus one, 0 is none.
	free, oldest, newest int32
}

const pageLen = 256

type slot[K comparable, V any] struct {
	value      V
	key        K
	prev, next int32 // by use; next also links the unused slots
}

func (t *table[K, V]) len() int { return len(t.index) }

func (t *table[K, V]) at(i int32) *slot[K, V] {
	i--
	return &t.pages[i/pageLen][i%pageLen]
}

// get returns the number and the value of k, or 0 and nil. It does not count as
// a use.
func (t *table[K, V]) get(k K) (int32, *V) {
	i, ok := t.index[k]
	if !ok {
		return 0, nil
	}
	return i, &t.at(i).value
}

// add makes a place for k, which must not be there, as the newest. Its value is
// what was left in it.
func (t *table[K, V]) add(k K) (int32, *V) {
	i := t.free
	if i == 0 {
		n := int32(len(t.pages)) * pageLen
		page := make([]slot[K, V], pageLen)
		for j := range page[:pageLen-1] {
			page[j].next = n + int32(j) + 2
		}
		t.pages = append(t.pages, page)
		i = n + 1
	}
	s := t.at(i)
	t.free = s.next
	s.key = k
	if t.index == nil {
		t.index = make(map[K]int32)
	}
	t.index[k] = i
	t.link(i, s)
	return i, &s.value
}

// touch makes i the newest.
func (t *table[K, V]) touch(i int32) {
	if t.newest != i {
		s := t.at(i)
		t.unlink(s)
		t.link(i, s)
	}
}

// oldestOf returns what was not used for longest, or 0 and nil.
func (t *table[K, V]) oldestOf() (int32, *V) {
	if t.oldest == 0 {
		return 0, nil
	}
	return t.oldest, &t.at(t.oldest).value
}

// remove takes i out.
func (t *table[K, V]) remove(i int32) {
	s := t.at(i)
	t.unlink(s)
	delete(t.index, s.key)
	s.next = t.free
	t.free = i
}

func (t *table[K, V]) link(i int32, s *slot[K, V]) {
	s.prev, s.next = t.newest, 0
	if t.newest != 0 {
		t.at(t.newest).next = i
	} else {
		t.oldest = i
	}
	t.newest = i
}

func (t *table[K, V]) unlink(s *slot[K, V]) {
	if s.prev != 0 {
		t.at(s.prev).next = s.next
	} else {
		t.oldest = s.next
	}
	if s.next != 0 {
		t.at(s.next).prev = s.prev
	} else {
		t.newest = s.prev
	}
}
