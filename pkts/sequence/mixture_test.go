package sequence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// anyMixture holds what Sequence promises of its calls: in any mixture they give
// the same outputs in the same order, and an input's memory is the caller's again
// when Put returns, and when what PutGet gave was read, or was older.
func anyMixture[In, Out any](t *testing.T, make func() Sequence[In, Out], ins []In, clone func(In) (In, []byte), text func(*Out) string) {
	t.Helper()
	var want []string
	s := make()
	for _, in := range ins {
		in, data := clone(in)
		_ = s.Put(in)
		clear(data)
		for out, ok := s.Get(); ok; out, ok = s.Get() {
			want = append(want, text(&out))
		}
	}
	s.Flush()
	for out, ok := s.Get(); ok; out, ok = s.Get() {
		want = append(want, text(&out))
	}
	if len(want) < len(ins)/10 {
		t.Fatalf("%d outputs of %d inputs: nothing is tried", len(want), len(ins))
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		reads := 1 + int(seed%3) // more or less of what is ready
		s := make()
		var got []string
		take := func(out Out, ok bool) bool {
			if ok {
				got = append(got, text(&out))
			}
			return ok
		}
		for _, in := range ins {
			in, data := clone(in)
			if rng.IntN(2) == 0 {
				_ = s.Put(in)
			} else {
				out, ok, _ := s.PutGet(in)
				take(out, ok)
			}
			for i := range data {
				data[i] = 0xee
			}
			for rng.IntN(reads+1) < reads && take(s.Get()) {
			}
		}
		s.Flush()
		for take(s.Get()) {
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %.2000s", seed, diff)
		}
	}
}

func cloneDatagram(d Datagram) (Datagram, []byte) {
	d.Data = bytes.Clone(d.Data)
	return d, d.Data
}

func wholeChunk(c *Chunk) string {
	return fmt.Sprintf("%d %v %d+%d %x %d", c.Stream, c.Direction, c.Offset, c.Lost, c.Data, c.Events)
}

func wholeMessage(m *Message) string {
	return fmt.Sprintf("%d %v %d/%d+%d %x %d-%d %v", m.Stream, m.Direction, m.Channel, m.Offset, m.Lost, m.Data, m.First.Packet, m.Last.Packet, m.Err)
}

func TestAnyMixture(t *testing.T) {
	ds := manyFlows(30, 1500)
	t.Run("TCP", func(t *testing.T) {
		anyMixture(t, func() Sequence[Datagram, Chunk] { return new(TCP) }, ds, cloneDatagram, wholeChunk)
	})
	t.Run("MPTCP", func(t *testing.T) {
		w := newWire(1, keyA, keyB)
		u := w.joined(0)
		rng := rand.New(rand.NewPCG(1, 1))
		next, off := []int{1, 1}, 0
		var list [][]byte
		for i := range 1500 {
			// Mappings before and behind their bytes, and segments out of order.
			n, k := 1+rng.IntN(40), rng.IntN(2)
			sub, data := []*wireSub{w.subs[0], u}[k], bytes.Repeat([]byte{byte(i)}, n)
			w.list = nil
			if rng.IntN(3) == 0 {
				sub.put(0, 0x10, next[k], 1, data)
				sub.put(0, 0x10, next[k]+n, 1, nil, sub.mapped(0, next[k], off, n))
			} else {
				sub.put(0, 0x10, next[k], 1, data, sub.mapped(0, next[k], off, n))
			}
			list = append(list, w.list...)
			if l := len(list); l > 1 && rng.IntN(4) == 0 {
				list[l-1], list[l-2] = list[l-2], list[l-1]
			}
			next[k], off = next[k]+n, off+n
		}
		w2 := newWire(1, keyA, keyB)
		w2.joined(0)
		var in []Datagram
		for i, b := range append(w2.list, list...) {
			in = append(in, Datagram{Data: b, Seen: at(i + 1)})
		}
		anyMixture(t, func() Sequence[Datagram, Chunk] { return new(MPTCP) }, in, cloneDatagram, wholeChunk)
	})
	t.Run("SCTP", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(2, 2))
		in := opened(10)
		var chunks [][]byte
		for i := range 2000 {
			f, ssn := flagW, uint16(i)
			switch i % 4 {
			case 0:
				f = flagB
			case 1:
				f, ssn = flagE, uint16(i-1)
			case 2:
				f |= flagU
			}
			chunks = append(chunks, dataChunk(f, 10+uint32(i), 3, ssn/4, fmt.Sprint("message ", i)))
			if i > 5 && rng.IntN(3) == 0 {
				j := i - 1 - rng.IntN(4)
				chunks[i], chunks[j] = chunks[j], chunks[i]
			}
		}
		for i, c := range chunks {
			in = append(in, sctpA.packet(5+i, c))
		}
		anyMixture(t, func() Sequence[Datagram, Message] { return new(SCTP) }, in, cloneDatagram, wholeMessage)
	})
	t.Run("fragments", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 3))
		var in []Datagram
		for id := range 300 {
			fs := builds(cut(frag{id: uint32(id), data: seq(8 + rng.IntN(100))}, 8*(1+rng.IntN(10))), id%2 == 0)
			rng.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
			for _, b := range fs {
				in = append(in, Datagram{Data: b, Seen: at(len(in) + 1)})
				if l := len(in); l > 3 && rng.IntN(3) == 0 {
					in[l-1], in[l-3] = in[l-3], in[l-1]
				}
			}
		}
		anyMixture(t, func() Sequence[Datagram, Datagram] { return new(Fragments) }, in, cloneDatagram, func(d *Datagram) string { return fmt.Sprintf("%d %x", d.Packet, d.Data) })
	})
	t.Run("messages", func(t *testing.T) {
		s := new(TCP)
		var in []Chunk
		for c, err := range All(Sequence[Datagram, Chunk](s), yielded(ds, nil)) {
			if err == nil {
				c.Data = bytes.Clone(c.Data)
				in = append(in, c)
			}
		}
		anyMixture(t, func() Sequence[Chunk, Message] { return &Messages{Framer: LengthPrefix{Width: 1, Add: 1}.Frame} }, in, func(c Chunk) (Chunk, []byte) {
			c.Data = bytes.Clone(c.Data)
			return c, c.Data
		}, wholeMessage)
	})
	t.Run("a chain", func(t *testing.T) {
		anyMixture(t, func() Sequence[Datagram, Message] {
			return Then(Then(Sequence[Datagram, Datagram](new(Fragments)), Sequence[Datagram, Chunk](new(TCP))), Sequence[Chunk, Message](&Messages{Framer: LengthPrefix{Width: 1, Add: 1}.Frame}))
		}, ds, cloneDatagram, wholeMessage)
	})
}
