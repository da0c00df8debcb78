package sequence

import "iter"

// Property is what a Sequence does for those who read from it.
type Property uint8

const (
	// Reorders says that what was sent first comes out first, whatever the
	// order of arrival.
	Reorders Property = 1 << iota
	// Reassembles says that what was cut for the way comes out whole.
	Reassembles
	// KeepsBounds says that each output is what the sender handed over in one
	// piece, not part of a stream.
	KeepsBounds
)

// Has reports whether all properties of x are there.
func (p Property) Has(x Property) bool { return p&x == x }

// Sequence takes packets, or what another Sequence made of them, and gives back
// what they carry in the order, and in the pieces, in which it was sent.
//
// A Sequence is for one goroutine at a time.
type Sequence[In, Out any] interface {
	// Put takes one input. Bytes that have to wait for others are copied: the
	// input's memory is the caller's again when Put returns.
	//
	// An error says that this input was refused, whole or in part, and why; it
	// is counted as well, and the Sequence goes on.
	Put(in In) error
	// Get returns the next output and true, or false when more input is
	// needed. Each output is returned once. Its bytes are valid until the next
	// call of Put, PutGet, Get or Flush.
	Get() (Out, bool)
	// PutGet is Put followed by Get. When nothing waits, and in needs nothing
	// but itself, its bytes are not copied: those of the output are then the
	// caller's own, and are valid as long as these are.
	//
	// What has waited longer comes out first: when there is older output, in
	// is kept (copied), and Get returns it in its turn.
	PutGet(in In) (Out, bool, error)
	// Flush gives up waiting for more input. What can still be delivered,
	// with its gaps, is what Get returns next; the rest is counted as lost.
	// The Sequence is empty afterwards and can be used again.
	Flush()
	// Properties says what the outputs have been freed from.
	Properties() Property
}

// Then puts second behind first: what first gives is what second takes. The
// result is itself a Sequence, and has the properties of both, except that only
// second says whether bounds are kept.
//
// An error of either comes out of Put; those of second when they arise, which
// may be at a later packet than the one that caused them.
func Then[A, B, C any](first Sequence[A, B], second Sequence[B, C]) Sequence[A, C] {
	return &chain[A, B, C]{first: first, second: second}
}

type chain[A, B, C any] struct {
	first  Sequence[A, B]
	second Sequence[B, C]
	err    error // of second, that Get could not return
	// flushed is set while what Flush of first let go is still to be put into
	// second, which is to be flushed after it.
	flushed bool
}

func (c *chain[A, B, C]) Put(in A) error {
	c.drain()
	err := c.first.Put(in)
	for {
		b, ok := c.first.Get()
		if !ok {
			break
		}
		err = join(err, c.second.Put(b))
	}
	return join(c.takeErr(), err)
}

func (c *chain[A, B, C]) PutGet(in A) (out C, ok bool, err error) {
	c.drain()
	b, ok, err := c.first.PutGet(in)
	if !ok {
		// Nothing new, but there may be older output.
		out, ok = c.second.Get()
		return out, ok, join(c.takeErr(), err)
	}
	out, ok, err2 := c.second.PutGet(b)
	return out, ok, join(c.takeErr(), join(err, err2))
}

func (c *chain[A, B, C]) Get() (out C, ok bool) {
	for {
		if out, ok = c.second.Get(); ok {
			return out, true
		}
		b, more := c.first.Get()
		if !more {
			if !c.flushed {
				return out, false
			}
			c.flushed = false
			c.second.Flush()
			continue
		}
		var err error
		out, ok, err = c.second.PutGet(b)
		c.err = join(c.err, err)
		if ok {
			return out, true
		}
	}
}

// drain moves what first still holds ready into second, so that input put later
// does not overtake it.
func (c *chain[A, B, C]) drain() {
	for {
		b, ok := c.first.Get()
		if !ok {
			break
		}
		c.err = join(c.err, c.second.Put(b))
	}
	if c.flushed {
		c.flushed = false
		c.second.Flush()
	}
}

func (c *chain[A, B, C]) Flush() {
	c.drain()
	c.first.Flush()
	c.flushed = true
}

func (c *chain[A, B, C]) Properties() Property {
	return (c.first.Properties()|c.second.Properties())&^KeepsBounds | c.second.Properties()&KeepsBounds
}

func (c *chain[A, B, C]) takeErr() error {
	err := c.err
	c.err = nil
	return err
}

// Drop puts a filter before s: what drop reports true for is not put. drop must
// not keep in.
func Drop[In, Out any](s Sequence[In, Out], drop func(in In) bool) Sequence[In, Out] {
	return &filtered[In, Out]{s, drop}
}

type filtered[In, Out any] struct {
	Sequence[In, Out]
	drop func(In) bool
}

func (f *filtered[In, Out]) Put(in In) error {
	if f.drop(in) {
		return nil
	}
	return f.Sequence.Put(in)
}

func (f *filtered[In, Out]) PutGet(in In) (Out, bool, error) {
	if f.drop(in) {
		out, ok := f.Sequence.Get()
		return out, ok, nil
	}
	return f.Sequence.PutGet(in)
}

// All puts what src yields into s, and yields what comes out; at the end of src
// it flushes s and yields the rest. An output is valid until the next.
//
// Errors, of src and of s, are yielded with a zero output, and do not end it:
// stop the loop to stop at one.
func All[In, Out any](s Sequence[In, Out], src iter.Seq2[In, error]) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		var none Out
		for in, err := range src {
			if err != nil {
				if !yield(none, err) {
					return
				}
				continue
			}
			out, ok, err := s.PutGet(in)
			if err != nil && !yield(none, err) {
				return
			}
			for ; ok; out, ok = s.Get() {
				if !yield(out, nil) {
					return
				}
			}
		}
		s.Flush()
		for out, ok := s.Get(); ok; out, ok = s.Get() {
			if !yield(out, nil) {
				return
			}
		}
	}
}
