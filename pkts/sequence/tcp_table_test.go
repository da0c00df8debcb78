package sequence

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTCPTable(t *testing.T) {
	var tab tcpTable
	rng := rand.New(rand.NewPCG(1, 2))
	var model [2][]uint64 // keys in the order of use
	key := func(n uint64) *tcpKey { return &tcpKey{tunnel: n, ports: n << 48} }
	for range 30000 {
		n := rng.Uint64N(1500)
		i, s := tab.get(key(n))
		list := 0
		at := slices.Index(model[0], n)
		if at < 0 {
			list, at = 1, slices.Index(model[1], n)
		}
		if (at >= 0) != (s != nil) {
			t.Fatalf("%d: in the table %t", n, s != nil)
		}
		if s == nil {
			_, s := tab.add(key(n))
			s.conn = tcpConn{stream: n}
			model[0] = append(model[0], n)
		} else {
			if s.conn.stream != n || int(s.list) != list {
				t.Fatalf("%d has %d, in list %d", n, s.conn.stream, s.list)
			}
			model[list] = slices.Delete(model[list], at, at+1)
			if to := rng.IntN(4); to < 2 {
				tab.move(to, i)
				model[to] = append(model[to], n)
			} else {
				tab.remove(i)
			}
		}
		for l := range model {
			if _, s := tab.oldest(l); tab.lists[l].n != len(model[l]) || len(model[l]) > 0 && s.conn.stream != model[l][0] {
				t.Fatal("not in the order of use")
			}
		}
	}
}

// Keys that differ in few bits do not come near each other.
func TestTCPTableSpread(t *testing.T) {
	var tab tcpTable
	n := 0
	for a := range 256 {
		for p := range 256 {
			k := tcpKey{lo: ip4Addr(10<<24 | uint32(a)<<8), hi: ip4Addr(10 << 24), ports: uint64(p)<<56 | 443<<32}
			tab.add(&k)
			n++
		}
	}
	longest, run := 0, 0
	for _, e := range tab.index {
		if run++; e == 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	// Half full, the longest run of a good hash is about 10 times ln n.
	if len(tab.index) != 2*n || longest > 200 {
		t.Errorf("%d connections in %d places, %d in a row", n, len(tab.index), longest)
	}
}

// find agrees with a search one after the other, whatever is missing between the
// pages, and where their numbers wrap.
func TestTCPFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		w := &tcpWait{head: int32(rng.IntN(3))}
		w.dir = make([]tcpRef, w.head)
		base, some := -rng.Uint32N(70), 1+rng.IntN(8)
		for k := range uint32(60) {
			if rng.IntN(8) < some {
				w.dir = append(w.dir, tcpRef{no: base + k})
			}
		}
		for k := range uint32(80) {
			no := base + k - 10
			want := int(w.head)
			for want < len(w.dir) && int32(w.dir[want].no-no) < 0 {
				want++
			}
			there := want < len(w.dir) && w.dir[want].no == no
			if i, ok := w.find(no); i != want || ok != there {
				t.Fatalf("%d in %v: %d, %v, want %d, %v", no, w.dir, i, ok, want, there)
			}
		}
	}
}
