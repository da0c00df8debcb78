package sequence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sctp"
	"pgregory.net/rapid"
)

// encodeChunk encodes a chunk with its user data and padding.
func encodeChunk(l pkts.Layer, data string) []byte {
	b, err := l.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	b = append(b, data...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return append(b, make([]byte, -len(b)&3)...)
}

const (
	flagB = sctp.DataBegin
	flagE = sctp.DataEnd
	flagU = sctp.DataUnordered
	flagW = sctp.DataWhole
)

func dataChunk(f sctp.DataFlags, tsn uint32, sid, ssn uint16, text string) []byte {
	return encodeChunk(&sctp.Data{Flags: f, TSN: tsn, StreamID: sid, SSN: ssn, PPID: pkts.Pin[sctp.PPID](46)}, text)
}

func idataChunk(f sctp.DataFlags, tsn uint32, sid uint16, mid, fsn uint32, text string) []byte {
	return encodeChunk(&sctp.IData{Flags: f, TSN: tsn, StreamID: sid, MID: mid, FSN: fsn, PPID: pkts.Pin[sctp.PPID](46)}, text)
}

func sackChunk(cum uint32) []byte    { return encodeChunk(&sctp.Sack{CumTSN: cum}, "") }
func forwardChunk(tsn uint32) []byte { return encodeChunk(&sctp.ForwardTSN{TSN: tsn}, "") }

func initChunk(tag, tsn uint32, addrs ...string) []byte {
	l := sctp.Init{InitiateTag: tag, InitialTSN: tsn}
	for _, a := range addrs {
		l.Params = l.Params.AppendAddr(netip.MustParseAddr(a))
	}
	return encodeChunk(&l, "")
}

func initAckChunk(tag, tsn uint32, addrs ...string) []byte {
	b := initChunk(tag, tsn, addrs...)
	b[0] = uint8(sctp.TypeInitAck)
	return b
}

// sctpSender makes the packets of one direction.
type sctpSender struct {
	src, dst     string
	sport, dport uint16
	tag          uint32
}

// packet returns a packet with chunks.
func (x sctpSender) packet(n int, chunks ...[]byte) Datagram {
	src, dst := netip.MustParseAddr(x.src), netip.MustParseAddr(x.dst)
	body := binary.BigEndian.AppendUint16(nil, x.sport)
	body = binary.BigEndian.AppendUint16(body, x.dport)
	body = binary.BigEndian.AppendUint32(body, x.tag)
	body = append(body, 0, 0, 0, 0)
	body = append(body, bytes.Join(chunks, nil)...)
	sctp.HeaderView(body).UpdateChecksum()
	var b []byte
	if src.Is4() {
		b = append(b, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 132, 0, 0)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(body)))
	} else {
		b = append(b, 0x60, 0, 0, 0, 0, 0, 132, 64)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(body)))
	}
	return Datagram{Data: append(b, body...), Seen: at(n)}
}

var (
	sctpA = sctpSender{"10.0.0.1", "10.0.0.2", 5001, 80, 0xbbbb}
	sctpB = sctpSender{"10.0.0.2", "10.0.0.1", 80, 5001, 0xaaaa}
)

// opened returns the packets that open an association, numbers 1 to 4: A's tag
// is 0xaaaa, and its first TSN is given; those of B are 0xbbbb and 500.
func opened(tsn uint32) []Datagram {
	first := sctpA
	first.tag = 0
	return []Datagram{
		first.packet(1, initChunk(0xaaaa, tsn)), sctpB.packet(2, initAckChunk(0xbbbb, 500)),
		sctpA.packet(3, encodeChunk(&sctp.CookieEcho{}, "cookie")), sctpB.packet(4, encodeChunk(&sctp.CookieAck{}, "")),
	}
}

// failer is what tests and those of rapid have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// feedSCTP puts packets in one of three ways, and returns what comes out. The
// packets' memory is overwritten.
func feedSCTP(t failer, s *SCTP, way int, ds ...Datagram) (ms []Message, errs []error) {
	t.Helper()
	keep := func(m Message, ok bool) bool {
		if ok {
			m.Data = bytes.Clone(m.Data)
			ms = append(ms, m)
		}
		return ok
	}
	for _, d := range ds {
		d.Data = bytes.Clone(d.Data)
		var err error
		if way == 0 {
			var m Message
			var ok bool
			m, ok, err = s.PutGet(d)
			keep(m, ok)
		} else {
			err = s.Put(d)
		}
		for i := range d.Data {
			d.Data[i] = '#'
		}
		for way < 2 && keep(s.Get()) {
		}
		if err != nil {
			errs = append(errs, err)
		}
		sctpConserved(t, s)
	}
	for keep(s.Get()) {
	}
	return ms, errs
}

func sctpConserved(t failer, s *SCTP) {
	t.Helper()
	st := s.Stats()
	if st.In != st.Delivered+st.Broken+st.Duplicate+st.Refused+st.Waiting {
		t.Fatalf("bytes appear or vanish: %+v", st)
	}
	if st.Flows == 0 && (st.Bytes != 0 || st.Waiting != 0 || s.paths.used+s.tags.used != 0) {
		t.Fatalf("memory of nothing: %+v, %d paths, %d tags", st, s.paths.used, s.tags.used)
	}
}

// sctpTexts returns messages in a form that is easy to compare: text, stream,
// first and last packet, what is lost and what is wrong.
func sctpTexts(ms []Message) (out []string) {
	for _, m := range ms {
		s := fmt.Sprintf("%s %d %d-%d", m.Data, m.Channel, m.First.Packet, m.Last.Packet)
		if m.Direction == Backward {
			s += " back"
		}
		if m.Unordered {
			s += " U"
		}
		if m.Lost > 0 {
			s += fmt.Sprintf(" lost %d", m.Lost)
		}
		for _, e := range []error{ErrTruncated, ErrLimit, ErrOverlap, ErrMalformed} {
			if errors.Is(m.Err, e) {
				s += " " + map[error]string{ErrTruncated: "cut", ErrLimit: "limit", ErrOverlap: "overlap", ErrMalformed: "malformed"}[e]
			}
		}
		out = append(out, s)
	}
	return out
}

func TestSCTP(t *testing.T) {
	d, i := dataChunk, idataChunk
	type packets = [][]byte // of A, from number 5; a nil one is a SACK by B of the number in the next
	for _, tt := range []struct {
		name  string
		tsn   uint32
		send  packets
		want  []string
		flush []string
	}{
		// What the library that this one is an answer to got wrong.
		{"ordered messages", 10, packets{d(flagW, 10, 0, 0, "one"), d(flagW, 11, 0, 1, "two"), d(flagW, 12, 0, 2, "three")},
			[]string{"one 0 5-5", "two 0 6-6", "three 0 7-7"}, nil},
		{"fragments", 10, packets{d(flagB, 10, 0, 0, "on"), d(0, 11, 0, 0, "e a"), d(flagE, 12, 0, 0, "nd")}, []string{"one and 0 5-7"}, nil},
		{"two in one packet", 10, packets{append(d(flagW, 10, 0, 0, "one"), d(flagW, 11, 0, 1, "two")...)}, []string{"one 0 5-5", "two 0 5-5"}, nil},
		{"unordered at once", 10, packets{d(flagW|flagU, 12, 0, 0, "three"), d(flagW|flagU, 10, 0, 0, "one")}, []string{"three 0 5-5 U", "one 0 6-6 U"}, nil},

		{"fragments in reverse", 10, packets{d(flagE, 12, 0, 0, "nd"), d(0, 11, 0, 0, "e a"), d(flagB, 10, 0, 0, "on")}, []string{"one and 0 7-5"}, nil},
		{"a fragment in the middle last", 10, packets{d(flagE, 12, 0, 0, "nd"), d(flagB, 10, 0, 0, "on"), d(0, 11, 0, 0, "e a")}, []string{"one and 0 6-5"}, nil},
		{"fragments of unordered ones", 10, packets{d(flagE|flagU, 11, 3, 9, "ne"), d(flagB|flagU, 10, 3, 7, "o")}, []string{"one 3 6-5 U"}, nil},
		{"held back by the order", 10, packets{d(flagW, 12, 0, 2, "three"), d(flagW, 11, 0, 1, "two"), d(flagW, 10, 0, 0, "one")},
			[]string{"one 0 7-7", "two 0 6-6", "three 0 5-5"}, nil},
		{"streams do not hold each other back", 10, packets{d(flagW, 11, 1, 0, "b"), d(flagW, 12, 0, 1, "c"), d(flagW, 10, 0, 0, "a")},
			[]string{"b 1 5-5", "a 0 7-7", "c 0 6-6"}, nil},
		{"a far stream", 10, packets{d(flagW, 11, 60000, 1, "b"), d(flagW, 10, 60000, 0, "a")}, []string{"a 60000 6-6", "b 60000 5-5"}, nil},
		{"sent twice", 10, packets{d(flagW, 10, 0, 0, "one"), d(flagW, 10, 0, 0, "one"), d(flagW|flagU, 12, 0, 0, "u"), d(flagW|flagU, 12, 0, 0, "u"), d(flagB, 13, 0, 1, "x"), d(flagB, 13, 0, 1, "x")},
			[]string{"one 0 5-5", "u 0 7-7 U"}, []string{"x 0 9-9 cut"}},
		{"TSNs wrap around", 0xffffffff, packets{d(flagE, 1, 0, 0, "c"), d(0, 0, 0, 0, "b"), d(flagB, 0xffffffff, 0, 0, "a"), d(flagW, 2, 0, 1, "d")}, []string{"abc 0 7-5", "d 0 8-8"}, nil},

		{"acknowledged and not seen", 10, packets{d(flagW, 11, 0, 1, "two"), d(flagW, 12, 0, 2, "three"), nil, {10}}, []string{"two 0 5-5 lost 1", "three 0 6-6"}, nil},
		{"acknowledged further", 10, packets{d(flagW, 12, 0, 2, "three"), d(flagW, 15, 0, 5, "six"), nil, {14}}, []string{"three 0 5-5 lost 2", "six 0 6-6 lost 2"}, nil},
		{"not acknowledged", 10, packets{d(flagW, 11, 0, 1, "two"), nil, {9}}, nil, []string{"two 0 5-5 lost 1"}},
		{"too late", 10, packets{d(flagW, 11, 0, 1, "two"), nil, {11}, d(flagW, 10, 0, 0, "one"), d(flagW, 12, 0, 2, "three")}, []string{"two 0 5-5 lost 1", "three 0 9-9"}, nil},
		{"the first fragment is missing", 10, packets{d(0, 11, 0, 0, "b"), d(flagE, 12, 0, 0, "c"), d(flagW, 13, 0, 1, "d"), nil, {13}}, []string{"bc 0 5-6 cut", "d 0 7-7"}, nil},
		{"the last fragment is missing", 10, packets{d(flagB, 10, 0, 0, "a"), d(0, 11, 0, 0, "b"), d(flagW, 13, 0, 1, "d"), nil, {13}}, []string{"ab 0 5-6 cut", "d 0 7-7"}, nil},
		{"one in the middle is missing", 10, packets{d(flagB, 10, 0, 0, "a"), d(flagE, 12, 0, 0, "c"), d(flagW, 13, 0, 1, "d"), nil, {13}},
			[]string{"a 0 5-5 cut", "c 0 6-6 cut", "d 0 7-7"}, nil},
		{"fragments of two messages that touch", 10, packets{d(flagE, 10, 0, 0, "a"), d(flagB, 11, 0, 1, "b"), d(flagE, 12, 1, 0, "c"), d(flagW, 13, 1, 1, "d")},
			[]string{"a 0 5-5 cut", "c 1 7-7 cut", "b 0 6-6 cut", "d 1 8-8"}, nil},
		{"a stream that was reset", 10, packets{d(flagW, 10, 0, 0, "one"), d(flagW, 11, 0, 1, "two"), d(flagW, 12, 0, 0, "one"), d(flagB, 13, 0, 1, "tw"), d(flagE, 14, 0, 1, "o")},
			[]string{"one 0 5-5", "two 0 6-6", "one 0 7-7", "two 0 8-9"}, nil},
		{"a number that was left out", 10, packets{d(flagW, 10, 0, 0, "one"), d(flagW, 11, 0, 3, "four")}, []string{"one 0 5-5", "four 0 6-6 lost 2"}, nil},

		{"I-DATA", 10, packets{i(flagW, 10, 0, 0, 0, "one"), i(flagW, 12, 0, 2, 0, "three"), i(flagW, 11, 0, 1, 0, "two")}, []string{"one 0 5-5", "two 0 7-7", "three 0 6-6"}, nil},
		{"interleaved", 10, packets{i(flagB, 10, 0, 0, 0, "a"), i(flagB, 11, 1, 0, 0, "x"), i(0, 12, 0, 0, 1, "b"), i(flagE, 13, 1, 0, 1, "y"), i(flagE, 14, 0, 0, 2, "c")},
			[]string{"xy 1 6-8", "abc 0 5-9"}, nil},
		{"interleaved and unordered", 10, packets{i(flagE|flagU, 13, 0, 7, 1, "y"), i(flagB, 11, 0, 0, 0, "a"), i(flagB|flagU, 10, 0, 7, 0, "x"), i(flagE, 12, 0, 0, 1, "b")},
			[]string{"xy 0 7-5 U", "ab 0 6-8"}, nil},
		{"I-DATA that is lost", 10, packets{i(flagE, 11, 0, 0, 1, "b"), i(flagW, 12, 0, 1, 0, "c"), nil, {12}}, []string{"b 0 5-5 cut", "c 0 6-6"}, nil},
		{"a number twice", 10, packets{d(flagW, 12, 0, 2, "x"), d(flagW, 13, 0, 2, "y")}, []string{"y 0 6-6 overlap"}, []string{"x 0 5-5 lost 2"}},
	} {
		for way := range 3 {
			var s SCTP
			in := opened(tt.tsn)
			for j := 0; j < len(tt.send); j++ {
				if tt.send[j] == nil {
					j++
					in = append(in, sctpB.packet(5+j, sackChunk(uint32(tt.send[j][0]))))
				} else {
					in = append(in, sctpA.packet(5+j, tt.send[j]))
				}
			}
			ms, errs := feedSCTP(t, &s, way, in...)
			if diff := cmp.Diff(tt.want, sctpTexts(ms)); diff != "" || errs != nil {
				t.Errorf("%s, way %d (-want +got):\n%s%v", tt.name, way, diff, errs)
			}
			s.Flush()
			ms, _ = feedSCTP(t, &s, way)
			if diff := cmp.Diff(tt.flush, sctpTexts(ms)); diff != "" {
				t.Errorf("%s, way %d, at the end (-want +got):\n%s", tt.name, way, diff)
			}
			if s.Stats().Flows != 0 {
				t.Errorf("%s: not empty: %+v", tt.name, s.Stats())
			}
		}
	}
}

// TestSCTPWrap sends more messages than there are stream sequence numbers.
func TestSCTPWrap(t *testing.T) {
	var s SCTP
	feedSCTP(t, &s, 0, opened(0xfffffff0)...)
	got := 0
	for n := range 70_000 {
		// Each two are exchanged.
		k := n ^ 1
		d := sctpA.packet(n+5, dataChunk(flagW, 0xfffffff0+uint32(k), 1, uint16(k), fmt.Sprint(k)))
		m, ok, err := s.PutGet(d)
		if err != nil {
			t.Fatal(err)
		}
		for ; ok; m, ok = s.Get() {
			if string(m.Data) != fmt.Sprint(got) || m.Lost != 0 {
				t.Fatalf("%s, want %d", m.Data, got)
			}
			got++
		}
	}
	if got != 70_000 || s.Stats().Waiting != 0 {
		t.Errorf("%d messages, %+v", got, s.Stats())
	}
}

func TestSCTPAssociations(t *testing.T) {
	data := func(tsn uint32, ssn uint16, text string) []byte { return dataChunk(flagW, tsn, 0, ssn, text) }
	first := sctpA
	first.tag = 0
	with := func(x sctpSender, tag uint32) sctpSender { x.tag = tag; return x }
	for _, tt := range []struct {
		name    string
		in      []Datagram
		want    []string
		streams []uint64
		errs    int
	}{
		{"both directions", append(opened(10), sctpA.packet(5, data(10, 0, "a")), sctpB.packet(6, data(500, 0, "b"))), []string{"a 0 5-5", "b 0 6-6 back"}, []uint64{1, 1}, 0},
		{"the middle", []Datagram{sctpB.packet(1, data(77, 9, "a")), sctpA.packet(2, data(10, 5, "b")), sctpB.packet(3, data(79, 11, "d")), sctpB.packet(4, data(78, 10, "c"))},
			[]string{"a 0 1-1", "b 0 2-2 back", "c 0 4-4", "d 0 3-3"}, []uint64{1, 1, 1, 1}, 0},
		{"from the INIT ACK on", append(opened(10)[1:], sctpA.packet(5, data(10, 5, "a")), sctpB.packet(6, data(501, 1, "b")), sctpB.packet(7, data(500, 0, "c"))),
			[]string{"a 0 5-5", "c 0 7-7 back", "b 0 6-6 back"}, []uint64{2, 2, 2}, 0},
		{"a wrong tag", append(opened(10), with(sctpA, 1).packet(5, data(10, 0, "evil")), sctpA.packet(6, data(10, 0, "a"))), []string{"a 0 6-6"}, []uint64{1}, 1},
		{"an INIT that nobody follows", append(opened(10), first.packet(5, initChunk(0xcccc, 99)), sctpA.packet(6, data(10, 0, "a")), sctpB.packet(7, data(500, 0, "b"))),
			[]string{"a 0 6-6", "b 0 7-7 back"}, []uint64{1, 1}, 0},
		{"a restart", append(opened(10), sctpA.packet(5, data(11, 1, "old")), first.packet(6, initChunk(0xcccc, 99)), with(sctpB, 0xcccc).packet(7, initAckChunk(0xdddd, 7)),
			with(sctpA, 0xdddd).packet(8, append(encodeChunk(&sctp.CookieEcho{}, "c"), data(99, 0, "new")...)), with(sctpB, 0xcccc).packet(9, data(7, 0, "b"))),
			[]string{"old 0 5-5 lost 1", "new 0 8-8", "b 0 9-9 back"}, []uint64{1, 6, 6}, 0},
		{"an INIT ACK that is not used", append(opened(10)[:2], first.packet(3, initChunk(0xaaaa, 10)), sctpB.packet(4, initAckChunk(0xeeee, 900)),
			with(sctpA, 0xeeee).packet(5, encodeChunk(&sctp.CookieEcho{}, "c")), sctpB.packet(6, data(901, 1, "b")), sctpB.packet(7, data(900, 0, "a"))),
			[]string{"a 0 7-7 back", "b 0 6-6 back"}, []uint64{1, 1}, 0},
		{"the other end's data before the tag is used", append(opened(10)[:2], sctpB.packet(3, data(501, 1, "b")), sctpB.packet(4, data(500, 0, "a"))),
			[]string{"a 0 4-4 back", "b 0 3-3 back"}, []uint64{1, 1}, 0},
		{"INITs that cross", []Datagram{first.packet(1, initChunk(0xaaaa, 10)), with(sctpB, 0).packet(2, initChunk(0xbbbb, 500)), sctpB.packet(3, initAckChunk(0xbbbb, 500)),
			sctpA.packet(4, initAckChunk(0xaaaa, 10)), sctpA.packet(5, encodeChunk(&sctp.CookieEcho{}, "c")), sctpA.packet(6, data(11, 1, "b")), sctpA.packet(7, data(10, 0, "a"))},
			[]string{"a 0 7-7", "b 0 6-6"}, []uint64{1, 1}, 0},
		{"an abort, and another one", append(opened(10), sctpA.packet(5, data(11, 1, "b")), sctpB.packet(6, encodeChunk(&sctp.Abort{}, "")), sctpA.packet(7, data(12, 2, "late")),
			first.packet(8, initChunk(0xa2, 7)), with(sctpB, 0xa2).packet(9, initAckChunk(0xb2, 8)), with(sctpA, 0xb2).packet(10, data(7, 0, "new"))),
			[]string{"b 0 5-5 lost 1", "new 0 10-10"}, []uint64{1, 8}, 0},
		{"an abort with the sender's own tag", append(opened(10), sctpA.packet(5, data(11, 1, "b")), with(sctpB, 0xbbbb).packet(6, encodeChunk(&sctp.Abort{Flags: sctp.FlagTag}, ""))),
			[]string{"b 0 5-5 lost 1"}, []uint64{1}, 0},
		{"an abort with a wrong tag", append(opened(10), sctpA.packet(5, data(11, 1, "b")), with(sctpB, 0xbbbb).packet(6, encodeChunk(&sctp.Abort{}, "")), sctpA.packet(7, data(10, 0, "a"))),
			[]string{"a 0 7-7", "b 0 5-5"}, []uint64{1, 1}, 1},
		{"refused", []Datagram{first.packet(1, initChunk(0xaaaa, 10)), sctpB.packet(2, encodeChunk(&sctp.Abort{}, ""))}, nil, nil, 0},
		{"another address with the tag", append(opened(10), sctpA.packet(5, data(10, 0, "a")), sctpSender{"10.0.0.1", "10.9.9.9", 5001, 80, 0xbbbb}.packet(6, data(11, 1, "b"))),
			[]string{"a 0 5-5", "b 0 6-6"}, []uint64{1, 1}, 0},
		{"addresses of the INIT", []Datagram{first.packet(1, initChunk(0xaaaa, 10, "10.1.0.1", "fd00::1")), sctpB.packet(2, initAckChunk(0xbbbb, 500, "10.1.0.2")), sctpA.packet(3, encodeChunk(&sctp.CookieEcho{}, "c")),
			sctpSender{"10.1.0.1", "10.1.0.2", 5001, 80, 0xbbbb}.packet(4, data(11, 1, "b")), sctpSender{"fd00::1", "fd00::2", 5001, 80, 0xbbbb}.packet(5, data(10, 0, "a")),
			sctpSender{"10.1.0.2", "10.1.0.1", 80, 5001, 0xaaaa}.packet(6, data(500, 0, "c"))},
			[]string{"a 0 5-5", "b 0 4-4", "c 0 6-6 back"}, []uint64{1, 1, 1}, 0},
		{"strange addresses with the tag", append(opened(10), sctpSender{"10.9.9.8", "10.9.9.9", 5001, 80, 0xbbbb}.packet(5, data(10, 0, "other"))), []string{"other 0 5-5"}, []uint64{5}, 0},
		{"a tag that is used all the time", append(opened(10), with(sctpA, 5).packet(5, data(70, 0, "1")), with(sctpA, 5).packet(6, data(71, 1, "2")), with(sctpA, 5).packet(7, data(72, 2, "3")),
			with(sctpA, 5).packet(8, data(73, 3, "4")), with(sctpA, 5).packet(9, data(74, 4, "5"))), []string{"4 0 8-8", "5 0 9-9"}, []uint64{8, 8}, 3},
		{"TSNs far away", append(opened(10), sctpA.packet(5, data(10, 0, "a")), sctpA.packet(6, data(1<<30, 1, "x")), sctpA.packet(7, data(11, 1, "b")),
			sctpA.packet(8, data(1<<30, 0, "1")), sctpA.packet(9, data(1<<30+1, 1, "2")), sctpA.packet(10, data(1<<30+2, 2, "3")), sctpA.packet(11, data(1<<30+3, 3, "4"))),
			[]string{"a 0 5-5", "b 0 7-7", "4 0 11-11"}, []uint64{1, 1, 1}, 0},
		{"acknowledgments far away", append(opened(10), sctpB.packet(5, sackChunk(1<<30)), sctpB.packet(6, sackChunk(1<<31+20)), sctpA.packet(7, data(10, 0, "a"))), []string{"a 0 7-7"}, []uint64{1}, 0},
		{"given up by the sender", append(opened(10), sctpA.packet(5, data(10, 0, "a")), sctpA.packet(6, dataChunk(flagB, 11, 0, 1, "b")), sctpA.packet(7, data(14, 3, "d")), sctpA.packet(8, forwardChunk(13)), sctpA.packet(9, data(15, 4, "e"))),
			[]string{"a 0 5-5", "b 0 6-6 cut", "d 0 7-7 lost 1", "e 0 9-9"}, []uint64{1, 1, 1, 1}, 0},
		{"a chunk that is too short", append(opened(10), sctpA.packet(5, []byte{0, 3, 0, 2}), sctpA.packet(6, []byte{0, 3, 0, 12, 0, 0, 0, 10, 0, 0, 0, 0}), sctpA.packet(7, data(10, 0, ""), data(10, 0, "a"))),
			[]string{"a 0 7-7"}, []uint64{1}, 3},
		{"a chunk that is cut", append(opened(10), sctpA.packet(5, data(10, 0, "a"), data(11, 1, "abcdefgh")[:20])), []string{"a 0 5-5"}, []uint64{1}, 1},
	} {
		var s SCTP
		ms, errs := feedSCTP(t, &s, 0, tt.in...)
		if diff := cmp.Diff(tt.want, sctpTexts(ms)); diff != "" || len(errs) != tt.errs {
			t.Errorf("%s (-want +got):\n%s%v", tt.name, diff, errs)
		}
		var streams []uint64
		for _, m := range ms {
			streams = append(streams, m.Stream)
		}
		if diff := cmp.Diff(tt.streams, streams); diff != "" {
			t.Errorf("%s, streams (-want +got):\n%s", tt.name, diff)
		}
		s.Flush()
		sctpConserved(t, &s)
	}
}

// TestSCTPOther puts what is not plain SCTP over IPv4.
func TestSCTPOther(t *testing.T) {
	plain := sctpA.packet(1, dataChunk(flagW, 10, 0, 0, "a"))
	udp := Datagram{Seen: at(1)}
	body := plain.Data[20:]
	udp.Data = append(bytes.Clone(plain.Data[:20]), 0, 99, 0x26, 0xab, 0, uint8(8+len(body)), 0, 0)
	udp.Data = append(udp.Data, body...)
	udp.Data[9] = 17
	binary.BigEndian.PutUint16(udp.Data[2:], uint16(len(udp.Data)))
	v6 := sctpSender{"fd00::1", "fd00::2", 1, 2, 9}.packet(1, dataChunk(flagW, 10, 0, 0, "a"))
	fragment := Datagram{Data: bytes.Clone(plain.Data), Seen: at(1)}
	fragment.Data[6] = 0x20
	bad := Datagram{Data: bytes.Clone(plain.Data), Seen: at(1)}
	bad.Data[len(bad.Data)-4]++
	for _, tt := range []struct {
		name string
		s    SCTP
		in   Datagram
		want int
		err  error
	}{
		{"IPv6", SCTP{}, v6, 1, nil},
		{"UDP that nobody asked for", SCTP{}, udp, 0, nil},
		{"UDP", SCTP{UDPPorts: []uint16{sctp.UDPPort}}, udp, 1, nil},
		{"a fragment", SCTP{}, fragment, 0, ErrTruncated},
		{"a wrong checksum", SCTP{VerifyChecksum: true}, bad, 0, ErrMalformed},
		{"a wrong checksum that is taken", SCTP{}, bad, 1, nil},
		{"a right checksum", SCTP{VerifyChecksum: true}, plain, 1, nil},
		{"nothing", SCTP{}, Datagram{}, 0, nil},
		{"half a header", SCTP{}, Datagram{Data: plain.Data[:25]}, 0, ErrTruncated},
	} {
		ms, errs := feedSCTP(t, &tt.s, 0, tt.in)
		if len(ms) != tt.want || (tt.err == nil) != (errs == nil) || tt.err != nil && !errors.Is(errs[0], tt.err) {
			t.Errorf("%s: %v, %v", tt.name, sctpTexts(ms), errs)
		}
	}
	m, _ := feedSCTP(t, &SCTP{}, 0, v6)
	if f := m[0].Flow; f.Src != netip.MustParseAddr("fd00::1") || f.SrcPort != 1 || f.DstPort != 2 || f.Proto != pkts.IPProtoSCTP || m[0].PPID != 46 {
		t.Errorf("%+v", m[0])
	}
}

func TestSCTPLimits(t *testing.T) {
	s := SCTP{Limits: Limits{Flows: 10, Idle: time.Minute, FlowBytes: 50_000, Bytes: 1 << 20}}
	from := func(i int) sctpSender {
		return sctpSender{fmt.Sprintf("10.1.%d.%d", i/250, i%250), "10.0.0.2", 5001, 80, uint32(i)}
	}
	// What waits in associations that are evicted is given.
	for i := 1; i <= 100; i++ {
		ms, errs := feedSCTP(t, &s, 0, from(i).packet(i, dataChunk(flagB, 10, 0, 0, "half")))
		if want := i > 10; (len(ms) == 1) != want || errs != nil || want && (ms[0].Stream != uint64(i-10) || !errors.Is(ms[0].Err, ErrLimit)) {
			t.Fatalf("association %d: %v, %v", i, sctpTexts(ms), errs)
		}
	}
	late := from(1000).packet(1000, dataChunk(flagW, 1, 0, 0, "x"))
	late.Time = base.Add(time.Hour)
	if ms, _ := feedSCTP(t, &s, 0, late); len(ms) != 11 {
		t.Errorf("%d were quiet for too long, want 10: %v", len(ms)-1, sctpTexts(ms))
	}
	// One association may not take more than its part.
	got := 0
	for i := range uint32(1000) {
		ms, _ := feedSCTP(t, &s, 0, from(1000).packet(2000+int(i), dataChunk(flagW, 10+i, 0, uint16(10+i), strings.Repeat("x", 1000))))
		for _, m := range ms {
			if got++; m.Err != nil {
				t.Fatal(m.Err)
			}
		}
		if st := s.Stats(); st.Bytes > 60_000+sctpAssocSize {
			t.Fatalf("%+v", st)
		}
	}
	if got < 900 {
		t.Errorf("%d came out", got)
	}
	s.Flush()
	sctpConserved(t, &s)
}

// TestSCTPKept holds that what is kept for more is counted, as long as it is kept.
func TestSCTPKept(t *testing.T) {
	const runs = 4000
	var s SCTP
	feedSCTP(t, &s, 0, opened(0)...)
	for n := range uint32(runs) {
		_ = s.Put(sctpA.packet(5, dataChunk(0, 1+2*n, 1, 0, "x")))
	}
	_ = s.Put(sctpA.packet(5, dataChunk(0, 20_000, 1, 0, "x")))
	_ = s.Put(sctpB.packet(6, sackChunk(10_000)))
	size := int64(reflect.TypeFor[sctpRun]().Size())
	if st := s.Stats(); st.Waiting != 1 || st.Broken != runs || st.Bytes < runs*size {
		t.Errorf("%d bytes wait, %d were broken, %d of memory", st.Waiting, st.Broken, st.Bytes)
	}
	_ = s.Put(sctpB.packet(7, sackChunk(20_001)))
	if st := s.Stats(); st.Waiting != 0 || st.Bytes > 2*sctpAssocSize {
		t.Errorf("%+v", st)
	}
	for _, x := range []struct{ is, counted int64 }{
		{size, sctpRunSize - 32}, {int64(reflect.TypeFor[sctpPage]().Size()), sctpPageSize - 16}, {int64(reflect.TypeFor[sctpWait]().Size()), sctpWaitSize},
		{int64(reflect.TypeFor[slot[sctpPath, sctpAssoc]]().Size()), sctpAssocSize}, {int64(reflect.TypeFor[sctpStreams]().Size()), sctpStreamSize},
		{int64(reflect.TypeFor[readyMessage]().Size()), outboxEntry},
	} {
		if x.is > x.counted {
			t.Errorf("%d bytes are counted for %d", x.counted, x.is)
		}
	}
}

// TestSCTPModel sends known messages in any order of their chunks, some of them
// twice: they come out whole, and in the order of their streams.
func TestSCTPModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { sctpModel(rt, false) })
}

// TestSCTPModelLossy leaves some out: what comes out is an exact account.
func TestSCTPModelLossy(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { sctpModel(rt, true) })
}

func sctpModel(rt *rapid.T, lossy bool) {
	type message struct {
		text      string
		unordered bool
		sid       uint16
		num       uint32
		chunks    int
		seen      int // of the chunks
	}
	interleave := rapid.Bool().Draw(rt, "I-DATA")
	tsn := rapid.SampledFrom([]uint32{1, 0xfffffff8, 0x7ffffff8}).Draw(rt, "TSN")
	ssn := uint32(0)
	var (
		sent   []*message
		chunks [][]byte
		of     []*message
		next   [3][2]uint32
	)
	first := tsn
	for k := range rapid.IntRange(1, 25).Draw(rt, "messages") {
		m := &message{sid: uint16(rapid.IntRange(0, 2).Draw(rt, "stream")), unordered: rapid.Bool().Draw(rt, "unordered"), chunks: rapid.SampledFrom([]int{1, 1, 2, 3, 7}).Draw(rt, "fragments")}
		u := 0
		if m.unordered {
			u = 1
		}
		m.num = ssn + next[m.sid][u]
		next[m.sid][u]++
		for j := range m.chunks {
			var f sctp.DataFlags
			if j == 0 {
				f |= flagB
			}
			if j == m.chunks-1 {
				f |= flagE
			}
			if m.unordered {
				f |= flagU
			}
			piece := fmt.Sprintf("<%d.%d>", k, j)
			m.text += piece
			if interleave {
				chunks = append(chunks, idataChunk(f, tsn, m.sid, m.num, uint32(j), piece))
			} else {
				chunks = append(chunks, dataChunk(f, tsn, m.sid, uint16(m.num), piece))
			}
			of = append(of, m)
			tsn++
		}
		sent = append(sent, m)
	}
	order := rapid.Permutation(upTo(len(chunks))).Draw(rt, "order")
	s := SCTP{}
	way := rapid.IntRange(0, 2).Draw(rt, "way")
	in := opened(first)
	dropped := map[int]bool{}
	for n, i := range order {
		if lossy && rapid.IntRange(0, 9).Draw(rt, "drop") == 0 {
			dropped[i] = true
			continue
		}
		of[i].seen++
		in = append(in, sctpA.packet(5+n, chunks[i]))
		if rapid.IntRange(0, 4).Draw(rt, "again") == 0 {
			in = append(in, sctpA.packet(5+n, chunks[i]))
		}
	}
	if lossy && rapid.Bool().Draw(rt, "acknowledged") {
		in = append(in, sctpB.packet(1000, sackChunk(tsn-1)))
	}
	ms, errs := feedSCTP(rt, &s, way, in...)
	if errs != nil {
		rt.Fatal(errs)
	}
	s.Flush()
	more, _ := feedSCTP(rt, &s, way)
	if !lossy && len(more) > 0 {
		rt.Fatalf("at the end: %v", sctpTexts(more))
	}
	ms = append(ms, more...)

	var whole []string
	place := [3]uint32{}
	lost := uint64(0)
	got := map[string]int{}
	broken := 0
	for _, m := range ms {
		if m.Err != nil {
			broken += len(m.Data)
			continue
		}
		whole = append(whole, string(m.Data))
		got[string(m.Data)]++
		lost += m.Lost
		if !m.Unordered {
			i := slices.IndexFunc(sent, func(x *message) bool { return x.text == string(m.Data) })
			if i < 0 {
				rt.Fatalf("%q was not sent", m.Data)
			}
			if sent[i].num < place[m.Channel] {
				rt.Fatalf("%q comes too late: %q", m.Data, whole)
			}
			place[m.Channel] = sent[i].num + 1
		}
	}
	parts := 0
	for _, m := range sent {
		want := 0
		if m.seen == m.chunks {
			want = 1
		} else {
			for i, c := range chunks {
				if of[i] == m && !dropped[i] {
					head := sctp.DataLen
					if interleave {
						head = sctp.IDataLen
					}
					parts += int(binary.BigEndian.Uint16(c[2:])) - head
				}
			}
		}
		if got[m.text] != want {
			rt.Fatalf("%q came %d times, want %d: %v", m.text, got[m.text], want, sctpTexts(ms))
		}
	}
	if broken != parts {
		rt.Fatalf("%d bytes of broken messages, want %d", broken, parts)
	}
}

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func TestSCTPNoAllocs(t *testing.T) {
	var s SCTP
	feedSCTP(t, &s, 0, opened(10)...)
	d := sctpA.packet(5, dataChunk(flagW, 10, 3, 0, "hello"))
	v := sctp.DataView(d.Data[20+sctp.HeaderLen:])
	back := sctpB.packet(5, sackChunk(9))
	ack := sctp.SackView(back.Data[20+sctp.HeaderLen:])
	if n := testing.AllocsPerRun(1000, func() {
		m, ok, err := s.PutGet(d)
		if !ok || err != nil || &m.Data[0] != &v.Payload()[0] {
			t.Fatal("not given, or copied", ok, err)
		}
		ack.SetCumTSN(v.TSN())
		if err := s.Put(back); err != nil {
			t.Fatal(err)
		}
		v.SetTSN(v.TSN() + 1)
		v.SetSSN(v.SSN() + 1)
	}); n != 0 {
		t.Errorf("%v allocations in order, want 0", n)
	}
	// In fragments, and out of order.
	frag := [][2]uint32{{1, uint32(flagE)}, {0, uint32(flagB)}}
	tsn, ssn := v.TSN(), v.SSN()
	if n := testing.AllocsPerRun(1000, func() {
		for _, f := range frag {
			v.SetTSN(tsn + f[0])
			v.SetSSN(ssn)
			v.SetFlags(sctp.DataFlags(f[1]))
			if _, _, err := s.PutGet(d); err != nil {
				t.Fatal(err)
			}
			for _, ok := s.Get(); ok; _, ok = s.Get() {
			}
		}
		tsn += 2
		ssn++
	}); n > 1 {
		t.Errorf("%v allocations out of order, want 1, of the fragment that is not the first", n)
	}
}

// FuzzSCTP puts packets that data describe.
func FuzzSCTP(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x05hello\x07\x01\x00\x03abc"), false)
	f.Add([]byte("\x02\x00\x00\x02he\x01\x02\x00\x02lo\x00\x01\x00\x03mid\x83\x02\x11\x04"), true)
	f.Add([]byte("\x22\x00\x00\x02he\xc0\x09\x00\x00\x41\x00\x00\x03xyz\x81\x00\x00\x02"), true)
	f.Fuzz(func(t *testing.T, data []byte, raw bool) {
		s := SCTP{Limits: Limits{Bytes: 40_000, FlowBytes: 10_000, Flows: 3, Idle: 100 * time.Millisecond}}
		rng := rand.New(rand.NewPCG(uint64(len(data)), 1))
		given := uint64(0)
		count := func(m Message, ok bool) {
			if ok {
				given += uint64(len(m.Data))
			}
		}
		put := func(d Datagram) {
			if rng.IntN(2) == 0 {
				_ = s.Put(d)
			} else {
				m, ok, _ := s.PutGet(d)
				count(m, ok)
			}
			if rng.IntN(2) == 0 {
				count(s.Get())
			}
			sctpConserved(t, &s)
			if st := s.Stats(); st.Flows > 3 || st.Bytes > 40_000 {
				t.Fatalf("%+v", st)
			}
		}
		for n := 1; len(data) >= 4; n++ {
			op, a, b, size := data[0], data[1], data[2], int(data[3])
			data = data[4:]
			text := string(data[:min(size, len(data))])
			data = data[len(text):]
			x := sctpA
			if op&0x80 != 0 {
				x = sctpB
			}
			if b&0x80 != 0 {
				x.tag ^= uint32(b)
			}
			x.sport += uint16(b >> 5 & 1)
			tsn := uint32(a) - 16
			if b&0x10 != 0 {
				tsn *= 0x01010101
			}
			fl := sctp.DataFlags(op & 7)
			var c []byte
			switch op >> 3 & 15 {
			case 0, 1, 2, 3, 4:
				c = dataChunk(fl, tsn, uint16(b&15), uint16(a>>2), text)
			case 5, 6, 7, 8:
				c = idataChunk(fl, tsn, uint16(b&3), uint32(a>>3), uint32(b>>2&3), text)
			case 9:
				c = sackChunk(tsn)
			case 10:
				c = forwardChunk(tsn)
			case 11:
				x.tag = 0
				c = initChunk(0xaaaa+uint32(op&1), tsn)
			case 12:
				c = initAckChunk(0xbbbb+uint32(op&1), tsn)
			case 13:
				c = encodeChunk(&sctp.Abort{Flags: op & 1}, "")
			case 14:
				c = encodeChunk(&sctp.CookieEcho{}, text)
			default:
				c = []byte(text)
			}
			d := x.packet(n*int(b&7+1), c)
			if raw && len(d.Data) > 0 {
				d.Data = d.Data[:len(d.Data)-int(op&3)]
			}
			put(d)
		}
		s.Flush()
		for m, ok := s.Get(); ok; m, ok = s.Get() {
			count(m, ok)
		}
		sctpConserved(t, &s)
		if st := s.Stats(); st.Delivered+st.Broken != given || st.Waiting != 0 || st.Flows != 0 || st.Bytes != 0 {
			t.Errorf("%d bytes given: %+v", given, st)
		}
	})
}

// TestSCTPSteps holds what SCTP promises of packets that are meant to cost much:
// a chunk goes through its loops a few times, however many others wait and in
// which order they came.
func TestSCTPSteps(t *testing.T) {
	const chunks = 3 * 4096
	rng := rand.New(rand.NewPCG(1, 2))
	order := rng.Perm(4096)
	shuffled := func(n uint32) uint32 { return n&^4095 + uint32(order[n&4095]) }
	row := func(n, k uint32) (f sctp.DataFlags) {
		if n%k == 0 {
			f = flagB
		}
		if n%k == k-1 {
			f |= flagE
		}
		return f
	}
	data := func(f sctp.DataFlags, tsn uint32, sid, ssn uint16) []byte { return dataChunk(f, tsn, sid, ssn, "x") }
	idata := func(f sctp.DataFlags, tsn uint32, sid uint16, mid, fsn uint32) []byte {
		return idataChunk(f, tsn, sid, mid, fsn, "x")
	}
	var high []uint64 // of the pages in use
	for _, tt := range []struct {
		name string
		most float64 // steps a chunk
		make func(n uint32) []byte
	}{
		{"in order", 0, func(n uint32) []byte { return data(flagW, n, 1, uint16(n)) }},
		{"in reverse", 12, func(n uint32) []byte { n ^= 4095; return data(flagW, n, 1, uint16(n)) }},
		{"shuffled", 12, func(n uint32) []byte { n = shuffled(n); return data(flagW, n, 1, uint16(n)) }},
		{"a stream each, in reverse", 12, func(n uint32) []byte { n ^= 4095; return data(flagW, n, uint16(n*7919), uint16(n>>16)) }},
		{"fragments in reverse", 12, func(n uint32) []byte { n ^= 4095; return data(row(n, 4096), n, 1, uint16(n/4096)) }},
		{"fragments shuffled", 25, func(n uint32) []byte { n = shuffled(n); return data(row(n, 4096), n, 1, uint16(n/4096)) }},
		{"fragments that never end", 25, func(n uint32) []byte { return data(0, shuffled(n), 1, 7) }},
		{"every second one never comes", 12, func(n uint32) []byte { return data(flagW, 2*n+1, 1, uint16(2*n+1)) }},
		{"every second fragment never comes", 12, func(n uint32) []byte { return data(0, 2*n+1, 1, uint16(n)) }},
		{"one in each page, at random", 25, func(uint32) []byte { return data(flagU|flagW, 1+rng.Uint32N(1<<11)<<6, 1, 0) }},
		{"one in each page, in reverse", 25, func(n uint32) []byte { return data(flagU|flagW, 1+(-n&(1<<11-1))<<6, 1, 0) }},
		{"jumped over", 25, func(n uint32) []byte {
			c := data(flagB, n&^4095+1+uint32(order[n&4095]), uint16(n), uint16(n))
			if n&4095 == 0 {
				c = append(forwardChunk(n), c...)
			}
			return c
		}},
		{"begun and abandoned", 12, func(n uint32) []byte { return append(forwardChunk(n-1), data(flagB, n, 1, uint16(n))...) }},
		{"I-DATA, 1000 messages at once", 12, func(n uint32) []byte {
			k := n % 4000
			return idata(row(k/1000, 4), n, uint16(k%1000), n/4000, k/1000)
		}},
		{"I-DATA in reverse", 20, func(n uint32) []byte { n ^= 4095; return idata(row(n, 4096), n, 1, n/4096, n&4095) }},
		{"I-DATA that never ends", 25, func(n uint32) []byte { return idata(0, n, 1, n/4096, 1+2*shuffled(n)&8191) }},
		{"I-DATA that never begins, unordered", 25, func(n uint32) []byte { return idata(flagU, n, uint16(n), n, 1) }},
		{"a message that is acknowledged and goes on", 25, func(n uint32) []byte { return append(sackChunk(499), idata(flagU, n, 1, n/2, 1+n&1)...) }},
	} {
		s := SCTP{}
		if _, errs := feedSCTP(t, &s, 0, opened(0)...); errs != nil {
			t.Fatal(errs)
		}
		d := sctpA.packet(5, data(flagW, 0, 0, 0))
		head := d.Data[:20+sctp.HeaderLen]
		steps, last, most := 0, (*sctpWait)(nil), 0
		before := map[*sctpWait]int{}
		for n := range uint32(chunks) {
			d.Data = append(head, tt.make(n)...)
			binary.BigEndian.PutUint16(d.Data[2:], uint16(len(d.Data)))
			if _, _, err := s.PutGet(d); err != nil {
				t.Fatal(err)
			}
			for _, ok := s.Get(); ok; _, ok = s.Get() {
			}
			if last = s.assocs.at(1).value.halves[0].wait; last != nil {
				before[last] = last.steps
				most = max(most, len(last.dir)-last.head)
			}
		}
		for _, n := range before {
			steps += n
		}
		if got := float64(steps) / chunks; got > tt.most {
			t.Errorf("%s: %.1f steps a chunk, with up to %d pages; want %v at most", tt.name, got, most, tt.most)
		} else {
			t.Logf("%s: %.1f steps a chunk, with up to %d pages", tt.name, got, most)
		}
		if most > sctpAhead/64+3 {
			t.Errorf("%s: %d pages", tt.name, most)
		}
		if last != nil && cap(last.dir) > 8*(most+4) {
			t.Errorf("%s: room for %d pages, of which there were never more than %d", tt.name, cap(last.dir), most)
		}
		high = append(high, uint64(most))
		sctpConserved(t, &s)
	}
	if slices.Max(high) < 1000 {
		t.Errorf("no more than %d pages: nothing was tried", slices.Max(high))
	}
}
