package filter

// few is how much of everything most expressions need. For so much the compiler
// has room of its own, on the stack, and asks for no memory.
const few = 48

// table is a list whose elements have numbers.
type table[ID ~int | ~int32, T any] struct {
	n    ID
	few  [few]T
	many []T // all of them, where they are more than a few
}

// at returns an element, which may move when there is another.
func (t *table[ID, T]) at(i ID) *T {
	if t.many != nil {
		return &t.many[i]
	}
	return &t.few[i]
}

// all returns the elements, which may move when there is another.
func (t *table[ID, T]) all() []T {
	if t.many != nil {
		return t.many
	}
	return t.few[:t.n]
}

// add adds an element and returns its number.
func (t *table[ID, T]) add(x T) ID {
	switch {
	case t.many != nil:
		t.many = append(t.many, x)
	case int(t.n) < len(t.few):
		t.few[t.n] = x
	default:
		t.many = append(append(make([]T, 0, 4*few), t.few[:]...), x)
	}
	t.n++
	return t.n - 1
}

// reset forgets all elements, but not their memory.
func (t *table[ID, T]) reset() {
	t.n = 0
	if t.many != nil {
		t.many = t.many[:0]
	}
}

// index is a hash table of the numbers of a table's elements, from 1 on. A quarter
// of its slots or more are empty, which is 0.
type index struct {
	few  [64]int32
	many []int32
}

func (x *index) slots() []int32 {
	if x.many != nil {
		return x.many
	}
	return x.few[:]
}

// full reports whether the slots are too few for one more than n elements.
func (x *index) full(n int) bool { return 4*n >= 3*len(x.slots()) }

// grow doubles the slots and empties them.
func (x *index) grow() { x.many = make([]int32, 2*len(x.slots())) }

// put adds a number to the slots.
func put(slots []int32, hash uint32, id int32) {
	mask := uint32(len(slots) - 1)
	i := hash & mask
	for slots[i] != 0 {
		i = (i + 1) & mask
	}
	slots[i] = id
}

// resize returns a slice of n zeros, in room if that is enough.
func resize[T any](room []T, n int) []T {
	if n <= len(room) {
		room = room[:n]
		clear(room)
		return room
	}
	return make([]T, n)
}
