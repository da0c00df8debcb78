package sequence

import "hash/maphash"

// table holds values by key and knows in which order they were last used. The
// hash is that of Go's maps, seeded for each table, so that who sends the packets
// cannot choose the bucket.
//
// Values do not move, so that pointers to them stay good until they are removed;
// what is removed is used again, without being cleared.
type table[K comparable, V any] struct {
	tableIndex
	seed maphash.Seed
	// slots are cut into pages, which are never copied.
	pages [][]slot[K, V]
	// free is the first unused slot, oldest and newest are the ends of the
	// list by use; numbers of slots plus one, 0 is none.
	free, oldest, newest int32
}

const pageLen = 256

// tableIndex has, for each slot in use, its number and 32 bits of the hash of its
// key, at the first free place from where the hash says. Its length is a power of
// two, and half of it is empty at least. A map would be as fast while it fits in
// the cache; this needs an eighth of the space, for the key is in the slot, which
// is looked at anyway.
type tableIndex struct {
	index []tableEntry
	used  int
}

// tableEntry is an entry of tableIndex; slot 0 is none.
type tableEntry struct{ hash, slot uint32 }

type slot[K comparable, V any] struct {
	key        K     // in front, beside what a value begins with
	prev, next int32 // by use; next also links the unused slots
	hash       uint32
	value      V
}

func (t *table[K, V]) len() int { return t.used }

func (t *table[K, V]) at(i int32) *slot[K, V] {
	n := uint32(i - 1) // which is divided in one instruction
	return &t.pages[n/pageLen][n%pageLen]
}

// hash returns the hash of k, for get and add.
func (t *table[K, V]) hash(k K) uint32 {
	if t.index == nil {
		t.seed = maphash.MakeSeed()
		t.grow(2 * pageLen)
	}
	return uint32(maphash.Comparable(t.seed, k))
}

// get returns the number and the value of k, whose hash is h, or 0 and nil. It
// does not count as a use.
func (t *table[K, V]) get(h uint32, k K) (int32, *V) {
	for i, at := t.next(h, h); i != 0; i, at = t.next(h, at) {
		if s := t.at(int32(i)); s.key == k {
			return int32(i), &s.value
		}
	}
	return 0, nil
}

// next returns the slot of the first entry with a hash, from the place at on, and
// the place behind it; 0 if there is none. The first place is the hash itself.
func (t *tableIndex) next(hash, at uint32) (slot, behind uint32) {
	if t.used == 0 {
		return 0, at
	}
	mask := uint32(len(t.index) - 1)
	for {
		e := t.index[at&mask]
		if at++; e.slot == 0 || e.hash == hash {
			return e.slot, at
		}
	}
}

// enter puts an entry into the index, which has room.
func (t *tableIndex) enter(e tableEntry) {
	mask := uint32(len(t.index) - 1)
	at := e.hash & mask
	for t.index[at].slot != 0 {
		at = (at + 1) & mask
	}
	t.index[at] = e
}

// grow makes room in the index for one more, and for least/2 at the beginning.
func (t *tableIndex) grow(least int) {
	if 2*(t.used+1) <= len(t.index) {
		return
	}
	old := t.index
	t.index = make([]tableEntry, max(least, 2*len(old)))
	for _, e := range old {
		if e.slot != 0 {
			t.enter(e)
		}
	}
}

// add makes a place for k, whose hash is h and which must not be there, as the
// newest. Its value is what was left in it.
func (t *table[K, V]) add(h uint32, k K) (int32, *V) {
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
	s.key, s.hash = k, h
	t.grow(2 * pageLen)
	t.enter(tableEntry{h, uint32(i)})
	t.used++
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
	t.leave(tableEntry{s.hash, uint32(i)})
	t.used--
	s.next = t.free
	t.free = i
}

// leave takes an entry out of the index, and moves those behind it that would
// not be found any more.
func (t *tableIndex) leave(e tableEntry) {
	mask := uint32(len(t.index) - 1)
	at := e.hash & mask
	for t.index[at] != e {
		at = (at + 1) & mask
	}
	for next := at; ; {
		next = (next + 1) & mask
		e := t.index[next]
		if e.slot == 0 {
			break
		}
		// It may move to at if that is not in front of its place.
		if (next-e.hash)&mask >= (next-at)&mask {
			t.index[at] = e
			at = next
		}
	}
	t.index[at] = tableEntry{}
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
