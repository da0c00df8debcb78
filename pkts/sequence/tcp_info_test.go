package sequence

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// putAll puts the packets of a script, and returns the chunks, whose data it
// clones, and what was refused.
func putAll(tb testing.TB, t *TCP, text string) (chunks []Chunk, errs []error) {
	tb.Helper()
	for _, d := range scriptDatagrams(tb, text) {
		c, ok, err := t.PutGet(*d)
		if err != nil {
			errs = append(errs, err)
		}
		for ; ok; c, ok = t.Get() {
			c.Data = slices.Clone(c.Data)
			chunks = append(chunks, c)
		}
		tcpConserved(tb, t)
	}
	return chunks, errs
}

// What is known of a connection at each step, with the numbers of RFC 6298 for the
// round trips.
func TestTCPStream(t *testing.T) {
	var began, done []StreamInfo
	s := &TCP{Began: func(i StreamInfo) { began = append(began, i) }, Done: func(i StreamInfo) { done = append(done, i) }}
	if s.Properties() != Reorders {
		t.Errorf("properties %b", s.Properties())
	}
	var last [2]Chunk
	step := func(line string, want StreamState) StreamInfo {
		t.Helper()
		cs, errs := putAll(t, s, line)
		if errs != nil {
			t.Error(errs)
		}
		for _, c := range cs {
			last[c.Direction] = c
		}
		var got []StreamInfo
		for i := range s.Streams() {
			got = append(got, i)
		}
		if len(got) != 1 || got[0].State != want {
			t.Fatalf("%s: %+v, want %v", line, got, want)
		}
		return got[0]
	}
	// Each script begins at the same time: t is since then.
	step("A S 100 t=0ms", StreamOpening)
	step("B SA 500 101 t=40ms", StreamOpen)
	step("A A 101 501 t=50ms", StreamOpen)
	step(`A A 101 501 t=100ms "hello"`, StreamOpen)
	if i := step(`B A 501 106 t=180ms "hi"`, StreamOpen); i.Handshake != 50*time.Millisecond || i.Sides[0].RTTSamples != 2 || i.Sides[0].RTTMin != 40*time.Millisecond || i.Sides[0].RTTMean != 45*time.Millisecond {
		t.Errorf("%+v", i)
	}
	// Not a sample: it was sent twice.
	step(`B A 501 106 t=190ms "hi"`, StreamOpen)
	if i := step("A A 106 503 t=999ms", StreamOpen); i.Sides[1].RTTSamples != 1 || i.Sides[1].RTTMin != 10*time.Millisecond || i.Sides[1].Retransmissions != 1 || i.Sides[1].RetransmittedBytes != 2 {
		t.Errorf("%+v", i.Sides[1])
	}
	for d, c := range last {
		if i, ok := s.Stream(&c); !ok || i.Stream != 1 || i.Flow.SrcPort != 4000 || len(c.Data) == 0 || c.Direction != Direction(d) {
			t.Errorf("%v: %+v, %t", c.Direction, i, ok)
		}
	}
	other := last[0]
	other.Stream++
	if _, ok := s.Stream(&other); ok {
		t.Error("a chunk of another connection between these endpoints")
	}
	step("B FA 503 106 t=1s", StreamHalfClosed)
	i := step("A FA 106 504 t=2s", StreamClosed)
	want := StreamInfo{
		Stream: 1, Flow: last[0].Flow, First: scriptStart, Last: scriptStart.Add(2 * time.Second), State: StreamClosed, Close: CloseFIN, Handshake: 50 * time.Millisecond,
		Sides: [2]StreamSide{
			{Packets: 5, Bytes: 5, Delivered: 5, SYN: true, FIN: true, RTTMin: 40 * time.Millisecond, RTTMean: 45 * time.Millisecond, RTTSamples: 2},
			{Packets: 4, Bytes: 4, Delivered: 2, Retransmissions: 1, RetransmittedBytes: 2, SYN: true, FIN: true, RTTMin: 10 * time.Millisecond, RTTMean: 10 * time.Millisecond, RTTSamples: 1},
		},
	}
	if i != want {
		t.Errorf("%+v\nwant %+v", i, want)
	}
	for range s.Streams() {
		break
	}
	s.Flush()
	if _, ok := s.Stream(&last[0]); ok || len(began) != 1 || began[0].Stream != 1 || began[0].State != StreamOpening || len(done) != 1 || done[0] != want {
		t.Errorf("%t, %+v, %+v", ok, began, done)
	}
}

// Why a connection is over, and the names.
func TestTCPCloses(t *testing.T) {
	for _, tt := range []struct {
		script string
		close  string
		state  string
		by     Direction
	}{
		{open + "A FA 101 501\nB FA 501 102", "fin", "closed", 0},
		{open + "B RA 501 101", "reset", "reset", Backward},
		{open + "A R 101", "reset", "reset", Forward},
		{open + "A A 101 501 t=11m", "idle", "open", 0},
		{open + "A S 90000\nB SA 70000 90001", "reused", "open", 0},
		{"A S 100", "flush", "opening", 0},
		{open + "B FA 501 101", "flush", "half-closed", 0},
		{"A A 1 1\nA A 1 1 six", "evicted", "open", 0},
	} {
		var done []StreamInfo
		s := &TCP{Limits: Limits{Flows: 1}, Done: func(i StreamInfo) { done = append(done, i) }}
		if _, errs := putAll(t, s, tt.script); errs != nil {
			t.Errorf("%s: %v", tt.script, errs)
		}
		s.Flush()
		if i := done[0]; i.Close.String() != tt.close || i.State.String() != tt.state || i.ClosedBy != tt.by {
			t.Errorf("%s: %v, %v, by %v, want %s, %s, by %v", tt.script, i.Close, i.State, i.ClosedBy, tt.close, tt.state, tt.by)
		}
	}
	if s := CloseNone.String() + CloseReason(99).String() + StreamState(99).String() + TCPReject.String() + TCPPolicy(99).String(); s != "noneunknownunknownrejectunknown" {
		t.Error(s)
	}
}

// What is sent again is counted, also where it changes nothing.
func TestTCPSentAgain(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         [2]uint64 // of A and B
	}{
		{"SYN", "A S 100\nA S 100\nB SA 500 101\nB SA 500 101", [2]uint64{1, 1}},
		{"FIN", open + "A FA 101 501\nA FA 101 501\nB A 501 102", [2]uint64{1, 0}},
		{"FINs, closed", open + "A FA 101 501\nB FA 501 102\nA A 102 502\nA FA 101 501\nB FA 501 102", [2]uint64{1, 1}},
		{"FIN with data", open + "A FA 101 501 \"abc\"\nA FA 101 501 \"abc\"", [2]uint64{1, 0}},
		{"FIN behind the data of the one before", open + "A FA 101 501 \"abc\"\nA FA 104 501", [2]uint64{1, 0}},
		{"another FIN", open + "A FA 101 501\nA FA 104 501", [2]uint64{0, 0}},
		{"by the network, with its timestamp", `
			A S 100 ts=10
			B SA 500 101 ts=10
			A A 101 501 "abc" ts=20
			A A 104 501 "def" ts=40
			A A 101 501 "abc" ts=20
			A A 107 501 "new" ts=20
			A A 101 501 ts=20`, [2]uint64{1, 0}},
	} {
		var info StreamInfo
		s := &TCP{Done: func(i StreamInfo) { info = i }}
		putAll(t, s, tt.script)
		s.Flush()
		if got := [2]uint64{info.Sides[0].Retransmissions, info.Sides[1].Retransmissions}; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What is no TCP is left alone, and what makes no sense is refused; both are
// counted.
func TestTCPOther(t *testing.T) {
	good := scriptDatagrams(t, `A A 101 501 "hello"`)[0].Data
	edit := func(n int, at int, b ...byte) []byte {
		d := slices.Clone(good)[:n]
		copy(d[at:], b)
		return d
	}
	for _, tt := range []struct {
		name string
		data []byte
		err  error
		is   func(s *TCPStats) uint64
	}{
		{"UDP", edit(45, 9, 17), nil, func(s *TCPStats) uint64 { return s.Other }},
		{"a first fragment", edit(45, 6, 0x20), nil, func(s *TCPStats) uint64 { return s.Fragments }},
		{"a later fragment", edit(45, 7, 9), nil, func(s *TCPStats) uint64 { return s.Fragments }},
		{"an IP header that is cut", edit(19, 0), ErrTruncated, func(s *TCPStats) uint64 { return s.Malformed }},
		{"nothing", nil, ErrTruncated, func(s *TCPStats) uint64 { return s.Malformed }},
		{"an IP header that is too short", edit(45, 0, 0x44), ErrMalformed, func(s *TCPStats) uint64 { return s.Malformed }},
		{"a header that is cut", edit(39, 0), ErrTruncated, func(s *TCPStats) uint64 { return s.Malformed }},
		{"a data offset that is too small", edit(45, 32, 0x40), ErrMalformed, func(s *TCPStats) uint64 { return s.Malformed }},
		{"a data offset behind the end", edit(45, 32, 0x70), ErrMalformed, func(s *TCPStats) uint64 { return s.Malformed }},
		{"options that are cut", edit(41, 32, 0x60), ErrTruncated, func(s *TCPStats) uint64 { return s.Malformed }},
	} {
		var s TCP
		_, ok, err := s.PutGet(Datagram{Data: tt.data, Seen: Seen{7, scriptStart}})
		st := s.Stats()
		if ok || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || tt.is(&st) != 1 || st.Segments != 0 || st.Streams != 0 || st.Datagrams != 1 {
			t.Errorf("%s: %t, %v, %+v", tt.name, ok, err, st)
		}
		if e, is := errors.AsType[*Error](err); is && (e.Packet != 7 || !strings.Contains(e.Error(), "packet 7")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// Timestamps among options of any kind, and behind what makes no sense.
	for _, tt := range []struct {
		opts string
		want bool
	}{
		{"\x01\x01\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x00", true},
		{"\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x00\x01\x01", true},
		{"\x02\x04\x05\xb4\x01\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x00\x00", true},
		{"\x00\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x00\x00", false},
		{"\xfd\x00\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x00", false},
		{"\xfd\xff\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x00", false},
		{"\x08\x08\x00\x00\x00\x05\x00\x00\x01\x01\x01\x01", false},
		{"\x01\x01\x01\x08", false},
	} {
		s := tcpSegment{opts: []byte(tt.opts)}
		if s.options(); s.hasTS != tt.want || tt.want && s.ts != 5 {
			t.Errorf("%x: %t, %d", tt.opts, s.hasTS, s.ts)
		}
	}
}

// Checksums are verified on demand, unless the capture has cut the segment.
func TestTCPChecksums(t *testing.T) {
	for _, six := range []string{"", " six"} {
		for _, tt := range []struct {
			damage, verify, cut bool
			ok                  bool
		}{{false, true, false, true}, {true, false, false, true}, {true, true, false, false}, {true, true, true, true}} {
			d := *scriptDatagrams(t, `A A 101 501 "hello"`+six)[0]
			if tt.damage {
				d.Data[len(d.Data)-4] ^= 1
			}
			if tt.cut {
				d.Data = d.Data[:len(d.Data)-1]
			}
			s := TCP{VerifyChecksums: tt.verify}
			c, ok, err := s.PutGet(d)
			if ok != tt.ok || tt.ok != (err == nil) || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%+v: %t, %v", tt, ok, err)
			}
			if st := s.Stats(); !tt.ok && (st.BadChecksum != 5 || st.Refused != 1 || st.Streams != 0) || tt.ok && len(c.Data) == 0 {
				t.Errorf("%+v: %+v", tt, st)
			}
			tcpConserved(t, &s)
		}
	}
}

// TCPReject refuses what differs from what waits, and takes what does not.
func TestTCPReject(t *testing.T) {
	for _, waits := range []string{"A A 104 501 \"def\"\n", "A A 104 501 \"d\"\nA A 106 501 \"f\"\nA A 105 501 \"e\"\n"} {
		s := &TCP{Policy: TCPReject}
		cs, errs := putAll(t, s, open+waits+`
			A A 103 501 "cdEf"
			A A 103 501 "cdef"
			A A 101 501 "ab"`)
		var got []byte
		for _, c := range cs {
			got = append(got, c.Data...)
		}
		if st := s.Stats(); string(got) != "abcdef" || len(errs) != 1 || !errors.Is(errs[0], ErrOverlap) || st.Conflicting != 4 || st.Overlaps != 1 {
			t.Errorf("%q, %v, %+v", got, errs, st)
		}
	}
}

// Segments that are beyond any window are refused where no window was seen.
func TestTCPFar(t *testing.T) {
	s := new(TCP)
	var g traffic
	if _, ok, err := s.PutGet(g.datagram(0, false, pkts.TCPAck, 0, 0, []byte("a"))); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, _, err := s.PutGet(g.datagram(0, false, pkts.TCPAck, 2+tcpMaxWindow, 0, []byte("b"))); !errors.Is(err, ErrUnacceptable) {
		t.Errorf("1 GiB ahead: %v", err)
	}
	if _, _, err := s.PutGet(g.datagram(0, false, pkts.TCPAck, 1+tcpMaxWindow, 0, []byte("b"))); err != nil {
		t.Errorf("at the edge: %v", err)
	}
	tcpConserved(t, s)
}
