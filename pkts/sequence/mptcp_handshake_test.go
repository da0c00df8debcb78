package sequence

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/pkts"
)

// What begins a connection of Multipath TCP, RFC 8684, section 3.1, and what does
// not: its bytes come out as they are.
func TestMPTCPHandshakes(t *testing.T) {
	type want = mptcpWant
	// hand returns a connection, packet n of whose handshake edit has changed, and
	// behind it data with a mapping.
	hand := func(version uint8, n int, edit func(o *pkts.MPTCPOption)) func() *mptcpWire {
		return func() *mptcpWire {
			w := &mptcpWire{version: version, keys: [2]uint64{keyA, keyB}}
			s := w.sub(0)
			for i, flags := range []pkts.TCPFlags{pkts.TCPSyn, pkts.TCPSyn | pkts.TCPAck, pkts.TCPAck} {
				o := s.capable(i)
				if i == n {
					edit(&o[0])
				}
				s.put(i&1, flags, i/2, (i+1)/2, nil, o...)
			}
			s.put(0, pkts.TCPAck, 1, 1, []byte("plain"))
			return w
		}
	}
	plain := want{`1> 0 "plain" start #4
		1> 5 end expired #4
		1< 0 start end expired #4`, func(s *MPTCPStats) bool {
		return s.Connections == 0 && s.Passed == 5 && s.BadJoins+s.UnknownTokens == 0
	}}
	list := []mptcpCase{
		{"an unknown version", hand(2, -1, nil), plain},
		{"another version in the answer", hand(1, 1, func(o *pkts.MPTCPOption) { o.Version = 0 }), plain},
		{"another version in the third packet", hand(1, 2, func(o *pkts.MPTCPOption) { o.Version = 0 }), plain},
		{"no known algorithm", hand(1, 0, func(o *pkts.MPTCPOption) { o.Flags = 0 }), plain},
		{"no key in the answer", hand(1, 1, func(o *pkts.MPTCPOption) { o.SenderKey = 0 }), plain},
		{"another key of the receiver", hand(1, 2, func(o *pkts.MPTCPOption) { o.ReceiverKey++ }), plain},
		{"another key of the sender, in version 0", hand(0, 2, func(o *pkts.MPTCPOption) { o.SenderKey++ }), plain},
		{"an answer of another kind", hand(1, 1, func(o *pkts.MPTCPOption) { *o = pkts.MPTCPOption{Subtype: pkts.MPTCPDSS} }), plain},
		{"a join in the answer", hand(1, 1, func(o *pkts.MPTCPOption) {
			*o = pkts.MPTCPOption{Subtype: pkts.MPTCPJoin, HMAC: make([]byte, 8)}
		}), plain},
		{"a third packet without an option", func() *mptcpWire {
			w := hand(1, -1, nil)()
			s := w.subs[0]
			w.list[2] = s.bytes(0, pkts.TCPAck, 1, 1, nil)
			return w
		}, plain},
		{"the answer was not captured", func() *mptcpWire {
			w := hand(1, -1, nil)()
			w.list = slices.Delete(w.list, 1, 2)
			return w
		}, want{`1> 0 "plain" start #3
			1> 5 end expired #3`, func(s *MPTCPStats) bool { return s.Connections == 0 && s.Passed == 5 }}},
		{"the third packet was not captured, and there are signals", func() *mptcpWire {
			w := hand(1, -1, nil)()
			s := w.subs[0]
			w.list = w.list[:2]
			s.data(0, 1, 0, "waits")
			s.put(0, pkts.TCPAck|pkts.TCPFin, 6, 1, nil)
			return w
		}, want{`1> 0 "waits" start #3
			1> 5 end #4
			1< 0 start end expired #4`, func(s *MPTCPStats) bool { return s.Connections == 0 && s.Passed == 5 }}},
		{"refused", func() *mptcpWire {
			w := hand(1, -1, nil)()
			w.list = w.list[:1]
			w.subs[0].put(1, pkts.TCPRst|pkts.TCPAck, 0, 1, nil)
			return w
		}, want{`1< m+0 start end reset #2
			1> 0 start end reset #2`, nil}},
		{"all of it twice", func() *mptcpWire {
			w := hand(1, -1, nil)()
			w.list = slices.Concat(w.list[:1], w.list[:2], w.list[1:3], w.list[2:3])
			w.subs[0].data(0, 1, 0, "data")
			return w
		}, want{`1> 0 "data" start #7
			1> 4 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Connections == 1 && s.Data.Delivered == 4 }}},
		{"a join twice", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			u := w.joined(0)
			w.list = slices.Concat(w.list[:4], w.list[3:5], w.list[4:6], w.list[5:])
			u.data(0, 1, 0, "data")
			return w
		}, want{`1> 0 "data" start #10
			1> 4 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.Connections == 1 && s.Subflows == 2 && s.BadJoins == 0 }}},
		{"a join that has no HMAC in its answer", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			u := w.sub(0)
			u.put(0, pkts.TCPSyn, 0, 0, nil, u.join(0))
			u.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil)
			u.data(0, 1, 0, "alone")
			return w
		}, want{`4> 0 "alone" start #6
			4> 5 end expired #6
			4< 0 start end expired #6
			1> 0 start end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.BadJoins == 1 && s.Passed == 5 }}},
		{"a join whose answer begins another connection", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			u := w.sub(0)
			u.put(0, pkts.TCPSyn, 0, 0, nil, u.join(0))
			u.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, u.capable(1)...)
			u.data(0, 1, 0, "alone")
			return w
		}, want{`4> 0 "alone" start #6
			4> 5 end expired #6
			4< 0 start end expired #6
			1> 0 start end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.BadJoins == 1 && s.Passed == 5 }}},
		{"the first subflow ends, and its ports begin another connection", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "old")
			s.put(0, pkts.TCPAck|pkts.TCPFin, 4, 1, nil)
			s.put(1, pkts.TCPAck|pkts.TCPFin, 1, 5, nil)
			u.data(0, 1, 3, "goes on")
			v := &mptcpWire{version: 1, keys: [2]uint64{5, 6}}
			x := v.sub(0)
			x.isn = [2]uint32{7_000_000, 8_000_000}
			x.put(0, pkts.TCPSyn, 0, 0, nil, x.capable(0)...)
			x.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, x.capable(1)...)
			x.put(0, pkts.TCPAck, 1, 1, nil, x.capable(2)...)
			x.data(0, 1, 0, "new")
			w.list = append(w.list, v.list...)
			u.data(0, 8, 10, "too late")
			return w
		}, want{`1> 0 "old" start #7
			1> 3 "goes on" #10
			1> 10 end expired #13
			1< 0 start end expired #13
			11> 0 "new" start #14
			11> 3 end expired #15
			11< 0 start end expired #15`, func(s *MPTCPStats) bool {
			return s.Connections == 2 && s.Over == 8 && s.Data.Delivered == 13
		}}},
		{"all ends, and the ports begin another connection", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "old")
			s.dataFin(0, 4, 3)
			s.dataFin(1, 1, 0)
			s.put(0, pkts.TCPAck|pkts.TCPFin, 4, 1, nil)
			s.put(1, pkts.TCPAck|pkts.TCPFin, 1, 5, nil)
			v := &mptcpWire{version: 1, keys: [2]uint64{5, 6}}
			x := v.sub(0)
			x.isn = [2]uint32{7_000_000, 8_000_000}
			x.put(0, pkts.TCPSyn, 0, 0, nil, x.capable(0)...)
			x.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, x.capable(1)...)
			x.put(0, pkts.TCPAck, 1, 1, nil, x.capable(2)...)
			x.data(0, 1, 0, "new")
			w.list = append(w.list, v.list...)
			return w
		}, want{`1> 0 "old" start #4
			1> 3 end #5
			1< 0 start end #6
			9> 0 "new" start #12
			9> 3 end expired #12
			9< 0 start end expired #12`, func(s *MPTCPStats) bool {
			return s.Connections == 2 && s.Data.Streams == 2 && s.Data.Flows == 0
		}}},
	}
	runMPTCPCases(t, list)
	// None waits for the end.
	for _, tt := range list {
		m := new(MPTCP)
		putMPTCP(t, m, tt.make().list, func(int) time.Duration { return 0 })
		if st := m.Stats(); st.Waiting > 0 {
			t.Errorf("%s: %d bytes wait", tt.name, st.Waiting)
		}
	}
}

// Data count inside of the window that goes with the highest DATA_ACK, RFC 8684,
// section 3.3.2 and 3.3.5: of all subflows, and never a smaller one again.
func TestMPTCPWindow(t *testing.T) {
	w := &mptcpWire{version: 1, keys: [2]uint64{keyA, keyB}}
	s := w.sub(0)
	s.win = 1000
	s.put(0, pkts.TCPSyn, 0, 0, nil, s.capable(0)...)
	s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, s.capable(1)...)
	s.put(0, pkts.TCPAck, 1, 1, nil, s.capable(2)...)
	u := w.sub(0)
	u.put(0, pkts.TCPSyn, 0, 0, nil, u.join(0))
	u.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, u.join(1))
	u.put(0, pkts.TCPAck, 1, 1, nil, u.join(2))
	m := new(MPTCP)
	at := func(i int) time.Duration { return time.Duration(i) }
	if out := putMPTCP(t, m, w.list, at); out != nil {
		t.Fatal(out)
	}
	ssn := 1
	// send sends a byte at an offset of the data, and reports whether it counts.
	send := func(off int) bool {
		before := m.Stats().Data.Unacceptable
		w.list = nil
		u.data(0, ssn, off, "x")
		ssn++
		putMPTCP(t, m, w.list, at)
		return m.Stats().Data.Unacceptable == before
	}
	ack := func(sub *wireSub, off, win int) {
		w.list = nil
		sub.win = win
		o := sub.acked(1, off)
		sub.put(1, pkts.TCPAck, 1, ssn, nil, o)
		if sub == s {
			w.list = nil
			sub.put(1, pkts.TCPAck, 1, 1, nil, o)
		}
		if out := putMPTCP(t, m, w.list, at); len(out) > 0 && out[0][0] == '!' {
			t.Error(out)
		}
	}
	check := func(edge int) {
		t.Helper()
		if send(edge + 1) {
			t.Errorf("a byte at %d counts, the window ends at %d", edge+1, edge)
		}
		if !send(edge) {
			t.Errorf("a byte at %d does not count", edge)
		}
	}
	check(1000) // of the handshake
	ack(u, 0, 1500)
	check(1500)
	ack(s, 0, 1200) // a smaller one
	check(1500)
	send(0)
	ack(s, 1, 1900)
	check(1901)
	ack(u, 0, 60000) // from before
	check(1901)
	ack(u, 1, 2000)
	check(2001)
	// Its upper half is another one's.
	w.list = nil
	o := s.acked(1, 1)
	o.DataAck += 1 << 32
	s.win = 60000
	s.put(1, pkts.TCPAck, 1, 1, nil, o)
	putMPTCP(t, m, w.list, at)
	if m.Stats().BadSignals != 1 {
		t.Errorf("%+v", m.Stats())
	}
	check(2001)
}

// A connection that both ends have ended is remembered for a minute, and what its
// subflows bring afterwards is counted.
func TestMPTCPOver(t *testing.T) {
	w := newWire(1, keyA, keyB)
	s := w.subs[0]
	s.data(0, 1, 0, "abc")
	s.dataFin(0, 4, 3)
	s.dataFin(1, 1, 0)
	n := len(w.list)
	s.put(0, pkts.TCPAck, 4, 1, nil)
	s.data(0, 4, 4, "late")
	s.put(1, pkts.TCPAck, 1, 8, nil, s.acked(1, 4))
	s.put(0, pkts.TCPAck, 8, 1, nil, s.mapped(0, 8, 8, 0))
	u := w.joined(0) // its token is forgotten
	u.data(0, 1, 0, "other")
	m := new(MPTCP)
	at := func(i int) time.Duration {
		if i < n {
			return 0
		}
		return 2 * time.Minute
	}
	out := putMPTCP(t, m, w.list, at)
	if diff := cmp.Diff([]string{`4: 1> 0 "abc" start #4`, `5: 1> 3 end #5`, `6: 1< 0 start end #6`}, out); diff != "" {
		t.Error(diff)
	}
	if st := m.Stats(); st.Over != 4 || st.Data.Flows != 0 || st.Waiting != 5 {
		t.Errorf("%+v", st)
	}
	m.Flush()
	if c, ok := m.Get(); !ok || string(c.Data) != "other" {
		t.Errorf("%q, %t", c.Data, ok)
	}
}

// Subflows whose token nobody has wait for three seconds each.
func TestMPTCPPatience(t *testing.T) {
	w := newWire(1, 7, 8)
	w.list = nil
	var times []time.Duration
	put := func(at time.Duration) {
		for len(times) < len(w.list) {
			times = append(times, at)
		}
	}
	for i, at := range []time.Duration{0, time.Second, 2500 * time.Millisecond} {
		w.joined(0).data(0, 1, 0, string(rune('a'+i)))
		put(at)
	}
	tick := func(at time.Duration) {
		w.subs[0].put(0, pkts.TCPAck, 1, 1, nil)
		put(at)
	}
	for _, at := range []time.Duration{3, 4, 5} {
		tick(at * time.Second)
		tick(at*time.Second + 600*time.Millisecond)
	}
	m := new(MPTCP)
	var counts []uint64
	got := putMPTCP(t, m, w.list, func(i int) time.Duration {
		counts = append(counts, m.Stats().UnknownTokens)
		return times[i]
	})
	counts = append(counts, m.Stats().UnknownTokens)
	// Before each tick, and after the last: exactly three seconds are not too long.
	if diff := cmp.Diff([]uint64{0, 0, 1, 1, 2, 2, 3}, counts[12:]); diff != "" {
		t.Errorf("%s%q", diff, got)
	}
	if diff := cmp.Diff([]string{`14: 1> 0 "a" start #4`, `16: 5> 0 "b" start #8`, `18: 9> 0 "c" start #12`}, got); diff != "" {
		t.Error(diff)
	}
}
