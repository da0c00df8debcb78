package sequence

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/pkts"
)

// behind moves what was put first, the packets [from, to) of a list, to its end.
func behind(list [][]byte, from, to int) [][]byte {
	late := slices.Clone(list[from:to])
	return append(slices.Delete(slices.Clone(list), from, to), late...)
}

// Subflows join that come before the keys are known, when these come in time.
func TestMPTCPEarly(t *testing.T) {
	type want = mptcpWant
	for version := range uint8(2) {
		for opener := range 2 {
			t.Run(fmt.Sprintf("version %d, end %d opens", version, opener), func(t *testing.T) {
				runMPTCPCases(t, []mptcpCase{
					{"before the third packet", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.joined(opener)
						u.data(0, 1, 0, "early")
						w.list = behind(w.list, 2, 3)
						w.subs[0].data(0, 1, 5, "late")
						return w
					}, want{`1> 0 "early" start #6
						1> 5 "late" #8
						1> 9 end expired #8
						1< 0 start end expired #8`, func(s *MPTCPStats) bool {
						return s.Subflows == 2 && s.UnknownTokens+s.BadJoins+s.Unmapped == 0
					}}},
					{"before the answer", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.joined(opener)
						u.data(0, 1, 0, "early")
						w.list = behind(w.list, 1, 3)
						return w
					}, want{`1> 0 "early" start #5
						1> 5 end expired #7
						1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Subflows == 2 && s.UnknownTokens == 0 }}},
					{"before all, and its answer after all", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.joined(opener)
						w.list = append(behind(w.list[:4], 0, 3), w.list[4:]...)
						u.data(0, 1, 0, "late")
						return w
					}, want{`2> 0 "late" start #7
						2> 4 end expired #7
						2< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Subflows == 2 && s.UnknownTokens == 0 }}},
					{"a wrong HMAC in its answer", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.sub(opener)
						u.put(opener, pkts.TCPSyn, 0, 0, nil, u.join(0))
						o := u.join(1)
						o.HMAC[7]++
						u.put(opener^1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, o)
						u.put(opener, pkts.TCPAck, 1, 1, nil, u.join(2))
						u.data(opener, 1, 0, "forged")
						w.list = behind(w.list, 2, 3)
						return w
					}, want{`3> 0 "forged" start #6
						3> 6 end expired #7
						3< 0 start end expired #7
						1> 0 start end expired #7
						1< 0 start end expired #7`, func(s *MPTCPStats) bool {
						return s.Subflows == 1 && s.BadJoins == 1 && s.UnknownTokens == 0 && s.Passed == 6
					}}},
					{"a wrong HMAC in its third packet", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.sub(opener)
						u.put(opener, pkts.TCPSyn, 0, 0, nil, u.join(0))
						u.put(opener^1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, u.join(1))
						o := u.join(2)
						o.HMAC[19]++
						u.put(opener, pkts.TCPAck, 1, 1, nil, o)
						o = u.join(2)
						u.put(opener, pkts.TCPAck, 1, 1, nil, o) // the first one counts
						u.put(opener^1, pkts.TCPAck, 1, 1, nil, u.acked(opener^1, 0))
						w.list = behind(w.list, 2, 3)
						return w
					}, want{`3> 0 start end expired #8
						3< 0 start end expired #8
						1> 0 start end expired #8
						1< 0 start end expired #8`, func(s *MPTCPStats) bool { return s.Subflows == 1 && s.BadJoins == 1 }}},
					{"its third packet was not captured", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.joined(opener)
						w.list = w.list[:len(w.list)-1]
						u.data(opener, 1, 0, "early")
						u.put(opener^1, pkts.TCPAck, 1, 6, nil, u.acked(opener^1, 5))
						w.list = behind(w.list, 2, 3)
						return w
					}, want{map[int]string{0: `1> 0 "early" start #5
						1> 5 end expired #7
						1< 0 start end expired #7`, 1: `1< 0 "early" start #5
						1> 0 start end expired #7
						1< 5 end expired #7`}[opener], func(s *MPTCPStats) bool { return s.Subflows == 2 }}},
					{"nobody has taken it", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.joined(opener)
						w.list = w.list[:len(w.list)-1]
						u.data(opener, 1, 0, "early")
						w.list = behind(w.list, 2, 3)
						return w
					}, want{`3> 0 "early" start #5
						3> 5 end expired #6
						3< 0 start end expired #6
						1> 0 start end expired #6
						1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.Subflows == 1 && s.Passed == 5 }}},
					{"a DATA_FIN", func() *mptcpWire {
						w := newWire(version, keyA, keyB)
						u := w.joined(opener)
						o := u.mapped(0, 1, 0, 4)
						o.Flags |= pkts.MPTCPDataFin
						u.put(0, pkts.TCPAck, 1, 1, []byte("end"), o)
						w.list = behind(w.list, 2, 3)
						return w
					}, want{`1> 0 "end" start #6
						1> 3 end #7
						1< 0 start end expired #7`, nil}},
				})
			})
		}
	}
	runMPTCPCases(t, []mptcpCase{
		{"with checksums", func() *mptcpWire {
			w := newSummed(1)
			u := w.joined(0)
			u.good(0, 1, 0, "early")
			u.bad(0, 6, 5, "xyz", "XYZ")
			w.list = behind(w.list, 2, 3)
			w.subs[0].good(0, 1, 5, "xyz")
			return w
		}, want{`1> 0 "early" start #6
			1> 5 "xyz" #9
			1> 8 end expired #9
			1< 0 start end expired #9`, func(s *MPTCPStats) bool { return s.BadChecksums == 1 && s.Corrupt == 3 }}},
		{"an infinite mapping", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			u := w.joined(0)
			u.put(0, pkts.TCPAck, 1, 1, nil, u.mapped(0, 1, 0, 0))
			w.subs[0].put(1, pkts.TCPAck, 1, 1, nil, w.subs[0].mapped(1, 1, 0, 0))
			w.list = behind(w.list, 2, 3)
			return w
		}, want{`1> 0 start end expired #8
			1< 0 start end expired #8`, func(s *MPTCPStats) bool {
			return s.BadMappings == 2 && s.Subflows == 2 && s.Fallbacks == 0
		}}},
		{"what the first subflow brings before its keys", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			w.subs[0].data(1, 1, 0, "banner")
			w.subs[0].data(1, 7, 6, "more")
			w.list = behind(w.list, 2, 3)
			return w
		}, want{`1< 0 "banner" start #3
			1< 6 "more" #4
			1> 0 start end expired #5
			1< 10 end expired #5`, func(s *MPTCPStats) bool { return s.Unmapped == 0 && s.Fallbacks == 0 }}},
		{"more signals than may wait", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			for i := range mptcpEarlyDSS + 2 {
				w.subs[0].data(1, 1+i, i, "x")
			}
			w.list = behind(w.list, 2, 3)
			return w
		}, want{out: func() (s string) {
			for i := range mptcpEarlyDSS {
				s += fmt.Sprintf("1< %d \"x\"%s #%d\n", i, map[bool]string{true: " start"}[i == 0], 3+i)
			}
			return s + fmt.Sprintf("1> 0 start end expired #%d\n1< %d end expired #%[1]d", mptcpEarlyDSS+5, mptcpEarlyDSS)
		}(), stats: func(s *MPTCPStats) bool { return s.LimitedMaps == 2 && s.Unmapped == 2 }}},
	})
}

// How long, and how many, subflows wait for keys.
func TestMPTCPEarlyLimits(t *testing.T) {
	at := func(m *MPTCP, n int, after time.Duration, list ...[]byte) (out []string) {
		for _, b := range list {
			if err := m.Put(Datagram{Data: slices.Clone(b), Seen: Seen{uint64(n), scriptStart.Add(after)}}); err != nil {
				t.Error(err)
			}
			n++
		}
		for c, ok := m.Get(); ok; c, ok = m.Get() {
			out = append(out, mptcpText(&c))
		}
		mptcpConserved(t, m)
		return out
	}
	end := func(m *MPTCP) {
		m.Flush()
		for _, ok := m.Get(); ok; _, ok = m.Get() {
		}
		mptcpConserved(t, m)
		mptcpEmpty(t, m)
	}

	// A token that nobody has.
	w := newWire(1, keyA, keyB)
	first := w.list
	w.list = nil
	u := w.joined(0)
	u.data(0, 1, 0, "early")
	other := rawSegment(nil, 3, 4, 1, 2, pkts.TCPSyn, 1, 0, 1, nil, nil) // something, to tell the time
	var m MPTCP
	got := at(&m, 1, 0, w.list...)
	got = append(got, at(&m, 10, 3*time.Second, other)...)
	if len(got) > 0 {
		t.Errorf("%q", got)
	}
	got = at(&m, 11, 3*time.Second+1, other)
	if diff := cmp.Diff([]string{`1> 0 "early" start #4`}, got); diff != "" {
		t.Error(diff)
	}
	at(&m, 12, 4*time.Second, first...)
	if s := m.Stats(); s.UnknownTokens != 1 || s.Connections != 1 || s.Subflows != 1 {
		t.Errorf("%+v", s)
	}
	end(&m)

	// Each has its time.
	m = MPTCP{}
	early := w.list
	w.list = nil
	v := w.joined(0)
	v.data(0, 1, 0, "second")
	at(&m, 1, 0, early...)
	at(&m, 11, 2*time.Second, w.list...)
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{3*time.Second + 1, []string{`1> 0 "early" start #4`}},
		{5 * time.Second, nil},
		{5*time.Second + 1, []string{`11> 0 "second" start #14`}},
	} {
		if diff := cmp.Diff(tt.want, at(&m, 20, tt.after, other)); diff != "" {
			t.Errorf("after %v: %s", tt.after, diff)
		}
	}
	end(&m)
	w.list, w.subs = early, w.subs[:2]

	// One of a handshake that is not complete.
	m = MPTCP{}
	got = at(&m, 1, 0, first[:2]...)
	got = append(got, at(&m, 3, 0, w.list...)...)
	for i := range 100 {
		got = append(got, at(&m, 10+i, time.Duration(i)*time.Second, other)...)
	}
	if len(got) > 0 {
		t.Errorf("%q", got)
	}
	got = at(&m, 200, 100*time.Second, first[2])
	if diff := cmp.Diff([]string{`1> 0 "early" start #6`}, got); diff != "" {
		t.Error(diff)
	}
	if s := m.Stats(); s.UnknownTokens != 0 || s.Subflows != 2 {
		t.Errorf("%+v", s)
	}
	end(&m)

	// One of a handshake that turns out to be none.
	m = MPTCP{}
	got = at(&m, 1, 0, first[:2]...)
	got = append(got, at(&m, 3, 0, w.list...)...)
	got = append(got, at(&m, 10, 10*time.Second, w.subs[0].bytes(0, pkts.TCPAck, 1, 1, nil))...)
	if len(got) > 0 || len(m.expected) > 0 {
		t.Errorf("%q", got)
	}
	got = at(&m, 11, 11*time.Second, other)
	if diff := cmp.Diff([]string{`3> 0 "early" start #6`}, got); diff != "" {
		t.Error(diff)
	}
	end(&m)

	// More than may wait: the oldest goes.
	m = MPTCP{}
	w.list, w.subs = nil, w.subs[:1]
	for range mptcpEarlySubs + 1 {
		w.joined(0)
	}
	at(&m, 1, 0, w.list...)
	if s := m.Stats(); s.UnknownTokens != 1 || len(m.early) != mptcpEarlySubs {
		t.Errorf("%d wait: %+v", len(m.early), s)
	}
	at(&m, 1000, time.Second, first...)
	if s := m.Stats(); s.UnknownTokens != 1 || s.Subflows != mptcpSubflows || s.BadJoins != 1 || len(m.early) > 0 {
		t.Errorf("%d wait: %+v", len(m.early), s)
	}
	end(&m)

	// What they bring is bounded like all that waits.
	m = MPTCP{TCP: TCP{Limits: Limits{Bytes: 20 << 10}}}
	w.list, w.subs = nil, w.subs[:1]
	for range 2 {
		u := w.joined(0)
		for i := range 10 {
			u.put(0, pkts.TCPAck, 1+1000*i, 1, make([]byte, 1000))
		}
	}
	for i, b := range w.list {
		at(&m, 1+i, 0, b)
		if m.hold.memory > 20<<10 {
			t.Fatalf("%d bytes", m.hold.memory)
		}
	}
	if s := m.Stats(); s.Passed != 10_000 || s.Waiting != 10_000 || s.UnknownTokens != 1 {
		t.Errorf("%+v", s)
	}
	end(&m)
}
