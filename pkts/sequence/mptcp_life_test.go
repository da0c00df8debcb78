package sequence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/pkts"
)

// putMPTCP puts packets at the time since scriptStart that when says, and returns
// what each lets out.
func putMPTCP(tb testing.TB, m *MPTCP, list [][]byte, when func(i int) time.Duration) (out []string) {
	tb.Helper()
	for i, b := range list {
		d := Datagram{Data: slices.Clone(b), Seen: Seen{uint64(i + 1), scriptStart.Add(when(i))}}
		c, ok, err := m.PutGet(d)
		if err != nil {
			out = append(out, errorName(err))
		}
		for ; ok; c, ok = m.Get() {
			out = append(out, fmt.Sprintf("%d: %s", i+1, mptcpText(&c)))
		}
		mptcpConserved(tb.(interface{ Fatalf(string, ...any) }), m)
	}
	return out
}

// A connection is not quiet while a subflow has keep-alives, and is given up as
// others are when nothing comes.
func TestMPTCPQuiet(t *testing.T) {
	w := newWire(1, keyA, keyB)
	s := w.subs[0]
	s.data(0, 1, 0, "abc")
	s.put(1, pkts.TCPAck, 1, 4, nil, s.acked(1, 3))
	n := len(w.list)
	for range 6 {
		s.put(0, pkts.TCPAck, 3, 1, nil)
		s.put(1, pkts.TCPAck, 1, 4, nil, s.acked(1, 3))
	}
	s.data(0, 4, 3, "def")
	open := len(w.list)
	other := &wireSub{w: w, ports: [2]int{9, 9}, win: 1}
	other.put(0, pkts.TCPAck, 1, 1, nil) // another connection tells the time
	m := &MPTCP{TCP: TCP{Limits: Limits{Idle: 10 * time.Second}}}
	var done []MPTCPInfo
	m.Done = func(i MPTCPInfo) { done = append(done, i) }
	at := func(i int) time.Duration {
		switch {
		case i < n:
			return 0
		case i < open:
			return time.Duration(i-n+1) * 4 * time.Second
		}
		return time.Hour
	}
	want := []string{`4: 1> 0 "abc" start #4`, `18: 1> 3 "def" #18`, `19: 1> 6 end expired #19`, `19: 1< 0 start end expired #19`}
	if diff := cmp.Diff(want, putMPTCP(t, m, w.list, at)); diff != "" {
		t.Error(diff)
	}
	st := m.Stats()
	if st.Over != 0 || st.Data.Idle != 1 || len(done) != 1 || done[0].Close != CloseIdle || !done[0].Last.Equal(scriptStart.Add(at(open-1))) {
		t.Errorf("%+v, %+v", st, done)
	}
}

// What is known of joined connections.
func TestMPTCPStreams(t *testing.T) {
	if new(MPTCP).Properties() != Reorders {
		t.Error("properties")
	}
	m := new(MPTCP)
	w := newSummed(1)
	w.subs[0].put(0, pkts.TCPAck, 1, 1, []byte("abc"), w.subs[0].summed(0, 1, 0, "abc"))
	w.joined(1)
	v := &mptcpWire{version: 0, keys: [2]uint64{keyB, keyA}}
	x := v.sub(0)
	x.ports[0] = 777
	x.put(0, pkts.TCPSyn, 0, 0, nil, x.capable(0)...)
	x.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, x.capable(1)...)
	x.put(0, pkts.TCPAck, 1, 1, nil, x.capable(2)...)
	x.put(0, pkts.TCPAck, 1, 1, []byte("without")) // no mapping: it goes on without
	n := len(w.list)
	list := slices.Concat(w.list, v.list)
	putMPTCP(t, m, list, func(i int) time.Duration { return time.Duration(i) * time.Millisecond })
	var got []MPTCPInfo
	for i := range m.Streams() {
		got = append(got, i)
	}
	for range m.Streams() {
		break
	}
	if len(got) != 2 {
		t.Fatalf("%d connections, want 2: %+v", len(got), got)
	}
	a, b := got[0], got[1]
	if a.Stream != 1 || a.Version != 1 || a.Tokens != [2]uint32{w.token(0), w.token(1)} || !slices.Equal(a.Subflows, []uint64{1, 5}) || !a.Checksums || a.Fallback ||
		a.Sides[0].Delivered != 3 || a.State != StreamOpen || a.Flow.SrcPort != 4000 || a.Handshake != 2*time.Millisecond {
		t.Errorf("%+v", a)
	}
	if b.Stream != uint64(n+1) || b.Version != 0 || b.Tokens != [2]uint32{v.token(0), v.token(1)} || !slices.Equal(b.Subflows, []uint64{b.Stream}) || b.Checksums || !b.Fallback || b.Sides[0].Delivered != 7 {
		t.Errorf("%+v", b)
	}
	if m.Stats().Memory == 0 {
		t.Error("mappings take no memory")
	}
}

// What is not read is refused, counted, and not lost.
func TestMPTCPUnread(t *testing.T) {
	w := newWire(1, keyA, keyB)
	s := w.subs[0]
	for i := range 60 {
		s.data(0, 1+i*1000, i*1000, string(make([]byte, 1000)))
	}
	m := &MPTCP{TCP: TCP{Limits: Limits{Bytes: 30 << 10}}}
	taken, refused := 0, 0
	for i, b := range w.list {
		err := m.Put(Datagram{Data: b, Seen: Seen{uint64(i + 1), scriptStart}})
		switch {
		case errors.Is(err, ErrLimit):
			refused++
		case err != nil:
			t.Fatal(err)
		default:
			taken++
		}
		mptcpConserved(t, m)
	}
	if st := m.Stats(); refused < 20 || st.Refused+st.TCP.Refused != uint64(refused) || st.Refused == 0 || taken < 20 {
		t.Errorf("%d taken, %d refused: %+v", taken, refused, st)
	}
	got := 0
	for c, ok := m.Get(); ok; c, ok = m.Get() {
		got += len(c.Data)
	}
	if got != (taken-3)*1000 {
		t.Errorf("%d bytes of %d segments", got, taken-3)
	}
	// With the queue read, it goes on.
	if err := m.Put(Datagram{Data: w.list[taken], Seen: Seen{1000, scriptStart}}); err != nil {
		t.Error(err)
	}
}

// Put, PutGet and Get in any mixture give the same chunks in the same order, and
// what a packet lets out is there at once.
func TestMPTCPAnyMixture(t *testing.T) {
	w := newWire(1, keyA, keyB)
	s, u := w.subs[0], w.joined(0)
	u.data(0, 1, 3, "two")
	s.data(0, 1, 0, "one")
	s.data(1, 1, 0, "ABC")
	s.put(0, pkts.TCPAck, 4, 4, []byte("six")) // its mapping comes later
	s.put(0, pkts.TCPAck, 7, 4, []byte("seven"), s.mapped(0, 4, 6, 3))
	s.put(0, pkts.TCPAck, 12, 4, nil, s.mapped(0, 7, 9, 5))
	u.put(1, pkts.TCPAck, 1, 4, nil, u.acked(1, 14))
	u.data(0, 4, 16, "behind a gap")
	u.put(1, pkts.TCPAck, 1, 16, nil, u.acked(1, 28))
	x := &wireSub{w: w, ports: [2]int{6000, 80}, isn: [2]uint32{5, 6}, win: 1000}
	x.put(0, pkts.TCPSyn, 0, 0, nil)
	x.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil)
	x.put(0, pkts.TCPAck, 4, 1, []byte("lain"))
	x.put(0, pkts.TCPAck, 1, 1, []byte("a p"))
	u.dataFin(0, 16, 28)
	s.put(0, pkts.TCPAck, 12, 4, nil, pkts.MPTCPOption{Subtype: pkts.MPTCPFastClose, ReceiverKey: keyB})
	// A handshake whose third packet never comes, and that ends.
	y := &mptcpWire{version: 1, keys: [2]uint64{7, 8}}
	z := y.sub(0)
	z.ports[0] = 999
	z.put(0, pkts.TCPSyn, 0, 0, nil, z.capable(0)...)
	z.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, z.capable(1)...)
	z.put(1, pkts.TCPAck, 1, 1, []byte("early"))
	z.put(1, pkts.TCPAck|pkts.TCPFin, 6, 1, []byte("end"))
	list := slices.Concat(w.list, y.list)

	want := putMPTCP(t, new(MPTCP), list, func(i int) time.Duration { return time.Duration(i) * time.Millisecond })
	if diff := cmp.Diff([]string{
		`8: 1> 0 "one" start #8`, `8: 1> 3 "two" #7`, `9: 1< 0 "ABC" start #9`, `11: 1> 6 "six" #10`, `12: 1> 9 "seven" #11`,
		`15: 1> 16 lost=2 "behind a gap" #14`, `19: 16> 0 "a p" start #19`, `19: 16> 3 "lain" #18`, `20: 1> 28 end #20`, `21: 1< 3 end reset #21`,
		`25: 22< 0 "early" start #24`, `25: 22< 5 "end" end #25`,
	}, want); diff != "" {
		t.Fatal(diff)
	}
	var texts []string
	for _, s := range want {
		texts = append(texts, s[slices.Index([]byte(s), ' ')+1:])
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := new(MPTCP)
		var got []string
		take := func(c Chunk, ok bool) bool {
			if ok {
				got = append(got, mptcpText(&c))
			}
			return ok
		}
		for i, b := range list {
			d := Datagram{Data: slices.Clone(b), Seen: Seen{uint64(i + 1), scriptStart.Add(time.Duration(i) * time.Millisecond)}}
			if rng.IntN(2) == 0 {
				if err := m.Put(d); err != nil {
					t.Fatal(err)
				}
				clear(d.Data)
			} else {
				c, ok, err := m.PutGet(d)
				if err != nil {
					t.Fatal(err)
				}
				take(c, ok)
				clear(d.Data) // given, and read
			}
			mptcpConserved(t, m)
			for rng.IntN(2) == 0 && take(m.Get()) {
			}
		}
		for take(m.Get()) {
		}
		if diff := cmp.Diff(texts, got); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		if m.data.out.memory > 0 || m.TCP.out.memory > 0 {
			m.begin()
			m.TCP.release()
			if m.data.out.memory > 0 || m.TCP.out.memory > 0 {
				t.Fatalf("seed %d: %d and %d bytes are ready", seed, m.data.out.memory, m.TCP.out.memory)
			}
		}
	}
}

// What is looked for among the options is what the library finds.
func TestMPTCPAny(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 100_000 {
		var o pkts.TCPOptions
		for range rng.IntN(4) {
			switch rng.IntN(6) {
			case 0:
				o = append(o, byte(pkts.TCPOptionNop))
			case 1:
				o = o.AppendTimestamps(rng.Uint32(), rng.Uint32())
			case 2:
				o = append(o, byte(pkts.TCPOptionMPTCP), 3, byte(rng.Uint32()))
			case 3:
				o = append(o, byte(pkts.TCPOptionEnd))
			case 4:
				o = append(o, byte(rng.Uint32()), byte(rng.IntN(8)), byte(rng.IntN(40)))
			default:
				o = append(o, byte(pkts.TCPOptionMPTCP))
			}
		}
		_, want := o.Get(pkts.TCPOptionMPTCP)
		if got := mptcpAny(o); got != want {
			t.Fatalf("% x: %t, want %t", []byte(o), got, want)
		}
		if want {
			found++
		}
	}
	if found < 1000 {
		t.Errorf("only %d were found", found)
	}
}

// In-order data are not copied by PutGet, joined or not.
func TestMPTCPZeroCopy(t *testing.T) {
	w := newWire(1, keyA, keyB)
	w.subs[0].data(0, 1, 0, "joined")
	x := &wireSub{w: w, ports: [2]int{6000, 80}, win: 1000}
	x.put(0, pkts.TCPSyn, 0, 0, nil)
	x.put(0, pkts.TCPAck, 1, 1, []byte("passed"))
	m := new(MPTCP)
	got := 0
	for i, b := range w.list {
		c, ok, err := m.PutGet(Datagram{Data: b, Seen: Seen{uint64(i + 1), scriptStart}})
		if err != nil {
			t.Fatal(err)
		}
		if ok && len(c.Data) > 0 {
			if got++; &c.Data[0] != &b[len(b)-6] {
				t.Errorf("%s was copied", c.Data)
			}
		}
	}
	if got != 2 {
		t.Errorf("%d chunks", got)
	}
}

// After Flush, another capture may be of an earlier time.
func TestMPTCPFlushed(t *testing.T) {
	m := new(MPTCP)
	for n, start := range []time.Duration{0, -5 * time.Hour} {
		w := newWire(1, keyA, keyB)
		w.subs[0].data(0, 1, 0, "abc")
		w.joined(0)
		other := &wireSub{w: w, ports: [2]int{9, 9}, win: 1}
		other.put(0, pkts.TCPAck, 1, 1, nil)
		last := len(w.list) - 1
		out := putMPTCP(t, m, w.list, func(i int) time.Duration {
			if i == last {
				return start + 11*time.Minute
			}
			return start
		})
		if diff := cmp.Diff([]string{`4: 1> 0 "abc" start #4`, `8: 1> 3 end expired #8`, `8: 1< 0 start end expired #8`}, out); diff != "" {
			t.Error(diff)
		}
		if st := m.Stats(); st.Data.Idle != uint64(n+1) || st.TCP.Idle != uint64(2*(n+1)) {
			t.Errorf("%+v", st)
		}
		m.Flush()
		for _, ok := m.Get(); ok; _, ok = m.Get() {
		}
		mptcpEmpty(t, m)
	}
}
