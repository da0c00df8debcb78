package sequence

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/pkts"
)

// pairs is a Sequence that gives each two inputs as one string, and refuses 13.
type pairs struct {
	name  string
	have  []string
	out   []string
	props Property
}

var errThirteen = errors.New("thirteen")

func (p *pairs) Put(in string) error {
	if in == "13" {
		return fmt.Errorf("%s: %w", p.name, errThirteen)
	}
	if p.have = append(p.have, in); len(p.have) == 2 {
		p.out = append(p.out, "("+p.have[0]+" "+p.have[1]+")")
		p.have = nil
	}
	return nil
}

func (p *pairs) Get() (string, bool) {
	if len(p.out) == 0 {
		return "", false
	}
	s := p.out[0]
	p.out = p.out[1:]
	return s, true
}

func (p *pairs) PutGet(in string) (string, bool, error) {
	err := p.Put(in)
	s, ok := p.Get()
	return s, ok, err
}

func (p *pairs) Flush() {
	if len(p.have) == 1 {
		p.out = append(p.out, "("+p.have[0]+" -)")
		p.have = nil
	}
}

func (p *pairs) Properties() Property { return p.props }

func values(n int) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range n {
			if !yield(fmt.Sprint(i), nil) {
				return
			}
		}
	}
}

func collect(t *testing.T, s Sequence[string, string], n int) (out []string, errs []error) {
	t.Helper()
	for v, err := range All(s, values(n)) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, v)
	}
	return out, errs
}

func TestThen(t *testing.T) {
	s := Then(Sequence[string, string](&pairs{name: "a"}), Sequence[string, string](&pairs{name: "b"}))
	for range 2 { // a flushed one can be used again
		out, errs := collect(t, s, 7)
		if diff := cmp.Diff([]string{"((0 1) (2 3))", "((4 5) (6 -))"}, out); diff != "" || errs != nil {
			t.Error(diff, errs)
		}
	}
	out, errs := collect(t, s, 15)
	if diff := cmp.Diff([]string{"((0 1) (2 3))", "((4 5) (6 7))", "((8 9) (10 11))", "((12 14) -)"}, out); diff != "" {
		t.Error(diff)
	}
	if len(errs) != 1 || !errors.Is(errs[0], errThirteen) {
		t.Error(errs)
	}
}

// Put and Get in any mixture give what All gives.
func TestThenAnyMixture(t *testing.T) {
	s := Then(Sequence[string, string](&pairs{}), Sequence[string, string](&pairs{}))
	want, _ := collect(t, s, 13)
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var got []string
		for v := range values(13) {
			if rng.IntN(2) == 0 {
				s.Put(v)
			} else if out, ok, _ := s.PutGet(v); ok {
				got = append(got, out)
			}
			for rng.IntN(2) == 0 {
				if out, ok := s.Get(); ok {
					got = append(got, out)
				}
			}
		}
		s.Flush()
		for out, ok := s.Get(); ok; out, ok = s.Get() {
			got = append(got, out)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestProperties(t *testing.T) {
	for _, tt := range []struct{ a, b, want Property }{
		{Reassembles, Reorders, Reassembles | Reorders},
		{Reassembles | KeepsBounds, Reorders, Reassembles | Reorders},
		{Reorders, KeepsBounds, Reorders | KeepsBounds},
	} {
		s := Then(Sequence[string, string](&pairs{props: tt.a}), Sequence[string, string](&pairs{props: tt.b}))
		if got := s.Properties(); got != tt.want {
			t.Errorf("%b then %b: %b, want %b", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestDrop(t *testing.T) {
	s := Drop(Sequence[string, string](&pairs{}), func(in string) bool { return in == "1" || in == "13" })
	if out, errs := collect(t, s, 4); !slices.Equal(out, []string{"(0 2)", "(3 -)"}) || errs != nil {
		t.Error(out, errs)
	}
	if err := s.Put("13"); err != nil {
		t.Error(err)
	}
}

func TestTable(t *testing.T) {
	var tab table[int, int]
	rng := rand.New(rand.NewPCG(1, 2))
	var model []int // keys, by use
	for range 20000 {
		k := rng.IntN(2000)
		i, v := tab.get(tab.hash(k), k)
		at := slices.Index(model, k)
		if (at >= 0) != (i != 0) {
			t.Fatalf("%d: in the table %t, in the model %t", k, i != 0, at >= 0)
		}
		switch {
		case i == 0:
			_, v := tab.add(tab.hash(k), k)
			*v = k
			model = append(model, k)
		case rng.IntN(3) == 0:
			tab.remove(i)
			model = slices.Delete(model, at, at+1)
		default:
			if *v != k {
				t.Fatalf("%d has value %d", k, *v)
			}
			tab.touch(i)
			model = append(slices.Delete(model, at, at+1), k)
		}
		if _, v := tab.oldestOf(); tab.len() != len(model) || len(model) > 0 && *v != model[0] {
			t.Fatal("not in the order of use")
		}
	}
	for len(model) > 0 {
		i, v := tab.oldestOf()
		if *v != model[0] {
			t.Fatalf("%d, want %d", *v, model[0])
		}
		tab.remove(i)
		model = model[1:]
	}
	if i, v := tab.oldestOf(); i != 0 || v != nil || tab.len() != 0 {
		t.Error("not empty")
	}
}

// What plainTCP takes is what parse finds.
func TestPlainTCP(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 200_000 {
		b := make([]byte, rng.IntN(60))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if len(b) >= 20 {
			// Each field is right mostly.
			for _, f := range [...]struct{ at, v int }{{0, 0x45}, {2, 0}, {3, len(b)}, {6, 0}, {7, 0}, {9, 6}} {
				if rng.IntN(8) != 0 {
					b[f.at] = byte(f.v)
				}
			}
		}
		n := plainTCP(b)
		if n == 0 {
			continue
		}
		plain++
		var h ipHeader
		if err := h.parse(&Datagram{Data: b}); err != nil {
			t.Fatalf("% x: %v", b, err)
		}
		if h.proto != pkts.IPProtoTCP || h.v6 || h.frag || h.hdr != pkts.IPv4MinLen || h.end != n || h.wire != n {
			t.Fatalf("% x: %+v, want %d bytes of TCP", b, h, n)
		}
	}
	if plain < 1000 {
		t.Errorf("%d were plain", plain)
	}
}
