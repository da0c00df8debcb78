package sequence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var base = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// at is the n-th packet.
func at(n int) Seen { return Seen{uint64(n), base.Add(time.Duration(n) * time.Millisecond)} }

// chunked makes chunks of one direction out of pieces; "!n" is a gap of n bytes
// right before the next piece.
func chunked(stream uint64, pieces ...string) (cs []Chunk) {
	var off, lost uint64
	for i, p := range pieces {
		if rest, ok := strings.CutPrefix(p, "!"); ok {
			fmt.Sscan(rest, &lost)
			off += lost
			continue
		}
		c := Chunk{Data: []byte(p), Offset: off, Lost: lost, Stream: stream, Seen: at(i + 1)}
		lost = 0
		if len(cs) == 0 {
			c.Events = Start
		}
		off += uint64(len(p))
		cs = append(cs, c)
	}
	cs[len(cs)-1].Events |= End
	return cs
}

// messageTexts returns messages in a form that is easy to compare: text, offset, first
// and last packet, what is lost, and what is wrong.
func messageTexts(ms []Message) (out []string) {
	for _, m := range ms {
		s := fmt.Sprintf("%s @%d %d-%d", m.Data, m.Offset, m.First.Packet, m.Last.Packet)
		if m.Lost > 0 {
			s += fmt.Sprintf(" lost %d", m.Lost)
		}
		for _, e := range []error{ErrUnframed, ErrTruncated, ErrLimit} {
			if errors.Is(m.Err, e) {
				s += " " + map[error]string{ErrUnframed: "unframed", ErrTruncated: "cut", ErrLimit: "limit"}[e]
			}
		}
		out = append(out, s)
	}
	return out
}

// feedChunks puts chunks in one of three ways, and returns what comes out.
func feedChunks(t *testing.T, s *Messages, way int, cs ...Chunk) (ms []Message) {
	t.Helper()
	keep := func(m Message, ok bool) bool {
		if ok {
			m.Data = bytes.Clone(m.Data)
			ms = append(ms, m)
		}
		return ok
	}
	for _, c := range cs {
		// The memory is the caller's again: it is overwritten.
		mine := bytes.Clone(c.Data)
		c.Data = mine
		var err error
		if way == 0 {
			var m Message
			var ok bool
			if m, ok, err = s.PutGet(c); keep(m, ok) {
				for i := range mine {
					mine[i] = '#'
				}
				for keep(s.Get()) {
				}
			}
		} else {
			err = s.Put(c)
			for i := range mine {
				mine[i] = '#'
			}
			for way == 1 && keep(s.Get()) {
			}
		}
		if err != nil {
			t.Error(err)
		}
		messagesConserved(t, s)
	}
	for keep(s.Get()) {
	}
	return ms
}

func messagesConserved(t *testing.T, s *Messages) {
	t.Helper()
	if st := s.Stats(); st.In != st.Framed+st.Unframed+st.Skipped+st.Dropped+st.Waiting {
		t.Errorf("bytes appear or vanish: %+v", st)
	}
	if st := s.Stats(); st.Flows == 0 && (st.Bytes != 0 || st.Waiting != 0) {
		t.Errorf("memory of nothing: %+v", st)
	}
}

func TestMessages(t *testing.T) {
	lines := Delimiter{Bytes: "\r\n", Max: 12}.Frame
	for _, tt := range []struct {
		name   string
		s      Messages
		pieces []string
		want   []string
	}{
		{"whole chunks", Messages{Framer: lines}, []string{"a\r\n", "bc\r\n"}, []string{"a\r\n @0 1-1", "bc\r\n @3 2-2"}},
		{"several in one", Messages{Framer: lines}, []string{"a\r\nb\r\nc", "\r\n"}, []string{"a\r\n @0 1-1", "b\r\n @3 1-1", "c\r\n @6 1-2"}},
		{"a delimiter in two", Messages{Framer: lines}, []string{"a\r", "\nb", "b\r", "\n"}, []string{"a\r\n @0 1-2", "bb\r\n @3 2-4"}},
		{"a gap", Messages{Framer: lines}, []string{"a\r\nb", "!7", "c\r\n"}, []string{"a\r\n @0 1-1", "b @3 1-1 unframed cut", "c\r\n @11 3-3 lost 7"}},
		{"a gap between", Messages{Framer: lines}, []string{"a\r\n", "!7", "c\r\n"}, []string{"a\r\n @0 1-1", "c\r\n @10 3-3 lost 7"}},
		{"an end within", Messages{Framer: lines}, []string{"a\r\n", "b", "c"}, []string{"a\r\n @0 1-1", "bc @3 2-3 unframed cut"}},
		{"no message", Messages{Framer: lines}, []string{"0123456789", "abcdefghijk", "l\r\n"}, []string{"0123456789abcdefghijk @0 1-2 unframed", "l\r\n @21 3-3"}},
		{"no message at once", Messages{Framer: lines}, []string{"0123456789abcdefghijk", "l\r\n"}, []string{"0123456789abcdefghijk @0 1-1 unframed", "l\r\n @21 2-2"}},
		{"found again", Messages{Framer: LengthPrefix{Width: 1, Add: 1, Max: 5}.Frame, Resync: func(b []byte) int { return bytes.IndexByte(b, 2) }},
			[]string{"\x01a\xff--\x02bb\x01", "c", "!3", "d\x02dd\x01e"},
			[]string{"\x01a @0 1-1", "\xff-- @2 1-1 unframed", "\x02bb @5 1-1", "\x01c @8 1-2", "d @13 4-4 lost 3 unframed", "\x02dd @14 4-4", "\x01e @17 4-4"}},
		{"never found", Messages{Framer: LengthPrefix{Width: 1, Add: 1, Max: 5}.Frame, Resync: func(b []byte) int { return -1 }},
			[]string{"\x01a\xff--", "\x01b"}, []string{"\x01a @0 1-1", "\xff-- @2 1-1 unframed", "\x01b @5 2-2 unframed"}},
		{"fixed", Messages{Framer: FixedSize(3).Frame}, []string{"abcdefgh", "i", "j"}, []string{"abc @0 1-1", "def @3 1-1", "ghi @6 1-2", "j @9 3-3 unframed cut"}},
		{"too long by its header", Messages{Framer: LengthPrefix{Width: 1, Add: 1}.Frame, Limits: Limits{FlowBytes: 100}}, []string{"\xc8abc", "\x01b"}, []string{"\xc8abc @0 1-1 unframed limit", "\x01b @4 2-2"}},
		{"too long in pieces", Messages{Framer: LengthPrefix{Offset: 1, Width: 1, Add: 1}.Frame, Limits: Limits{FlowBytes: 100}}, []string{"x", "\xc8abc", "x\x01b"}, []string{"x\xc8abc @0 1-2 unframed limit", "x\x01 @5 3-3", "b @7 3-3 unframed cut"}},
		{"too long without end", Messages{Framer: Delimiter{Bytes: "\n"}.Frame, Limits: Limits{FlowBytes: 90}}, []string{"x", "y", "z", "zz\n"}, []string{"xyz @0 1-3 unframed limit", "zz\n @3 4-4"}},
		{"a framer that looks ahead", Messages{Framer: func(b []byte, _ int) (int, error) {
			if len(b) < 4 {
				return 0, nil
			}
			return 1, nil
		}}, []string{"ab", "c", "de", "f"}, []string{"a @0 1-1", "b @1 1-1", "c @2 2-2", "def @3 3-4 unframed cut"}},
		{"a bad framer", Messages{Framer: func(b []byte, _ int) (int, error) { return -1, nil }}, []string{"ab", "c"}, []string{"ab @0 1-1 unframed", "c @2 2-2 unframed"}},
		{"nobody wants it", Messages{FramerFor: func(*Chunk) Framer { return nil }}, []string{"ab", "!3", "c"}, nil},
		{"lost at the end", Messages{Framer: lines}, []string{"a\r\n", "!5", ""}, []string{"a\r\n @0 1-1", " @8 0-0 lost 5 unframed cut"}},
	} {
		for way := range 3 {
			s := tt.s
			if diff := cmp.Diff(tt.want, messageTexts(feedChunks(t, &s, way, chunked(1, tt.pieces...)...))); diff != "" {
				t.Errorf("%s, way %d (-want +got):\n%s", tt.name, way, diff)
			}
			if st := s.Stats(); st.Flows != 0 || st.Bytes != 0 || st.Waiting != 0 {
				t.Errorf("%s, way %d: after the end: %+v", tt.name, way, st)
			}
		}
	}
}

func TestLengthPrefix(t *testing.T) {
	for _, tt := range []struct {
		p    LengthPrefix
		data string
		want int
		bad  bool
	}{
		{LengthPrefix{Width: 2, Add: 2}, "\x01", 2, false},
		{LengthPrefix{Width: 2, Add: 2}, "\x01\x02", 0x104, false},
		{LengthPrefix{Width: 3, LittleEndian: true, Add: 4}, "\x01\x02\x00\x09", 0x205, false},
		{LengthPrefix{Offset: 1, Width: 3, Min: 20}, "\x01\x00\x00\x13", 0, true},
		{LengthPrefix{Offset: 1, Width: 3, Min: 20, Max: 100}, "\x01\x00\x00\x65", 0, true},
		{LengthPrefix{Offset: 1, Width: 4, Add: 1}, "Q\x00\x00\x00\x03", 0, true}, // shorter than the number
		{LengthPrefix{Width: 8, Add: 8}, "\xff\xff\xff\xff\xff\xff\xff\xff", 0, true},
		{LengthPrefix{Width: 8, Add: 8}, "\x7f\xff\xff\xff\xff\xff\xff\xff", 0, true},
		{LengthPrefix{Width: 1, Add: -1}, "\x05", 4, false},
		{LengthPrefix{}, "abc", 0, true},
		{LengthPrefix{Width: 9}, "abc", 0, true},
		{LengthPrefix{Offset: -1, Width: 2}, "abc", 0, true},
	} {
		n, err := tt.p.Frame([]byte(tt.data), 0)
		if n != tt.want || (err != nil) != tt.bad {
			t.Errorf("%+v of %x: %d, %v", tt.p, tt.data, n, err)
		}
	}
	if _, err := (FixedSize(0).Frame(nil, 0)); err == nil {
		t.Error("FixedSize 0 is taken")
	}
	if _, err := (Delimiter{}.Frame(nil, 0)); err == nil {
		t.Error("an empty Delimiter is taken")
	}
}

// TestMessagesFramerFor gives each direction a framer with state.
func TestMessagesFramerFor(t *testing.T) {
	var asked []Direction
	s := Messages{FramerFor: func(c *Chunk) Framer {
		asked = append(asked, c.Direction)
		if c.Direction == Backward {
			return FixedSize(2).Frame
		}
		started := false
		return func(b []byte, seen int) (int, error) {
			if started {
				return LengthPrefix{Offset: 1, Width: 1, Add: 2}.Frame(b, seen)
			}
			n, err := LengthPrefix{Width: 1, Add: 1}.Frame(b, seen)
			started = n > 0 && n <= len(b)
			return n, err
		}
	}}
	cs := chunked(7, "\x01aQ", "\x01b", "Q\x00")
	back := Chunk{Data: []byte("xyz"), Stream: 7, Direction: Backward, Seen: at(9)}
	got := messageTexts(feedChunks(t, &s, 0, cs[0], back, cs[1], cs[2]))
	want := []string{"\x01a @0 1-1", "xy @0 9-9", "Q\x01b @2 1-2", "Q\x00 @5 3-3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.Flush()
	m, ok := s.Get()
	if !ok || string(m.Data) != "z" || m.Direction != Backward || !errors.Is(m.Err, ErrUnframed) || !errors.Is(m.Err, ErrTruncated) {
		t.Errorf("Flush gives %+v", m)
	}
	if cmp.Diff([]Direction{Forward, Backward}, asked) != "" {
		t.Error(asked)
	}
	var e *Error
	if !errors.As(m.Err, &e) || e.Packet != 9 || e.Offset != 2 {
		t.Errorf("%v", m.Err)
	}
}

// TestMessagesFramerError finds the framer's own error in what is given.
func TestMessagesFramerError(t *testing.T) {
	mine := errors.New("mine")
	s := Messages{Framer: func([]byte, int) (int, error) { return 0, mine }}
	m, ok, err := s.PutGet(Chunk{Data: []byte("x"), Seen: at(1)})
	if !ok || err != nil || !errors.Is(m.Err, mine) || !errors.Is(m.Err, ErrUnframed) {
		t.Errorf("%v, %v, %v", m.Err, ok, err)
	}
}

// TestMessagesLinear counts what a framer that follows the rules is shown: a
// message that comes byte by byte costs no more than its length, nor does one
// among others.
func TestMessagesLinear(t *testing.T) {
	const size = 1 << 16
	for name, framer := range map[string]Framer{
		"delimited": Delimiter{Bytes: "\n"}.Frame,
		"prefixed":  LengthPrefix{Width: 4, Add: 4}.Frame,
	} {
		looked := 0
		s := Messages{Framer: func(b []byte, seen int) (int, error) {
			looked += len(b) - seen
			return framer(b, seen)
		}}
		msg := append(binary.BigEndian.AppendUint32(nil, size-4), bytes.Repeat([]byte("x"), size-4)...)
		msg[size-1] = '\n'
		got := 0
		for i := range msg {
			m, ok, err := s.PutGet(Chunk{Data: msg[i : i+1], Offset: uint64(i), Seen: at(i + 1)})
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				got++
				if !bytes.Equal(m.Data, msg) || m.First != at(1) || m.Last != at(size) {
					t.Errorf("%s: %d bytes from %v to %v", name, len(m.Data), m.First, m.Last)
				}
			}
		}
		if got != 1 || looked > 2*size {
			t.Errorf("%s: %d messages, %d bytes looked at, want 1 and %d", name, got, looked, size)
		}
	}
}

func TestMessagesLimits(t *testing.T) {
	half := func(stream int, n int) Chunk {
		return Chunk{Data: append([]byte{0xff, 0xff}, make([]byte, n)...), Stream: uint64(stream), Seen: at(stream)}
	}
	s := Messages{Framer: LengthPrefix{Width: 2, Add: 2}.Frame, Limits: Limits{Flows: 10, Bytes: 1 << 20, Idle: time.Second}}
	for i := range 100 {
		ms := feedChunks(t, &s, 0, half(i+1, 10))
		if i < 10 && ms != nil || i >= 10 && (len(ms) != 1 || ms[0].Stream != uint64(i-9) || !errors.Is(ms[0].Err, ErrLimit)) {
			t.Fatalf("stream %d: %v", i+1, messageTexts(ms))
		}
	}
	if st := s.Stats(); st.Flows != 10 || st.Evicted != 90 {
		t.Errorf("%+v", st)
	}
	late := half(1000, 10)
	late.Time = base.Add(time.Hour)
	if ms := feedChunks(t, &s, 0, late); len(ms) != 10 {
		t.Errorf("%d were quiet for too long, want 10", len(ms))
	}
	for i := range 100 {
		feedChunks(t, &s, 0, half(2000+i, 60_000))
		if st := s.Stats(); st.Bytes > 1<<20 {
			t.Fatalf("%+v", st)
		}
	}

	// Nobody reads.
	s = Messages{Framer: FixedSize(1).Frame, Limits: Limits{Bytes: 1 << 20}}
	refused := 0
	for i := range 200 {
		c := Chunk{Data: make([]byte, 1000), Offset: uint64(i) * 1000, Seen: at(i + 1)}
		if err := s.Put(c); err != nil {
			refused++
			if !errors.Is(err, ErrLimit) {
				t.Fatal(err)
			}
		}
		messagesConserved(t, &s)
	}
	if s.out.unread() > 2<<20 || refused == 0 {
		t.Errorf("%d bytes are ready, %d chunks refused", s.out.unread(), refused)
	}
	n := 0
	for _, ok := s.Get(); ok; _, ok = s.Get() {
		n++
	}
	m, _, err := s.PutGet(Chunk{Data: []byte("x"), Seen: at(1000)})
	if n != (200-refused)*1000 || m.Lost != uint64(refused)*1000 || err != nil {
		t.Errorf("%d messages, then %+v, %v", n, m, err)
	}
}

// TestMessagesModel cuts a known stream of messages in every way and order of
// calls: the messages come back, with the packets that brought their first and
// last byte.
func TestMessagesModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var (
			stream []byte
			ends   []int
		)
		delimited := rapid.Bool().Draw(rt, "delimited")
		for range rapid.IntRange(0, 20).Draw(rt, "messages") {
			n := rapid.IntRange(0, 40).Draw(rt, "length")
			if delimited {
				stream = append(append(stream, bytes.Repeat([]byte("m"), n)...), "\r\n"...)
			} else {
				stream = append(binary.BigEndian.AppendUint16(stream, uint16(n)), make([]byte, n)...)
			}
			ends = append(ends, len(stream))
		}
		s := Messages{Framer: LengthPrefix{Width: 2, Add: 2}.Frame}
		if delimited {
			s.Framer = Delimiter{Bytes: "\r\n"}.Frame
		}
		var cs []Chunk
		where := make([]Seen, len(stream))
		for off := 0; off < len(stream); {
			n := min(rapid.IntRange(1, 50).Draw(rt, "chunk"), len(stream)-off)
			c := Chunk{Data: stream[off : off+n], Offset: uint64(off), Seen: at(len(cs) + 1)}
			for i := range n {
				where[off+i] = c.Seen
			}
			cs = append(cs, c)
			off += n
		}
		ms := feedChunks(t, &s, rapid.IntRange(0, 2).Draw(rt, "way"), cs...)
		if len(ms) != len(ends) {
			rt.Fatalf("%d messages, want %d", len(ms), len(ends))
		}
		start := 0
		for i, end := range ends {
			m := ms[i]
			if !bytes.Equal(m.Data, stream[start:end]) || m.Offset != uint64(start) || m.First != where[start] || m.Last != where[end-1] || m.Err != nil {
				rt.Fatalf("message %d is %+v, want bytes %d to %d", i, m, start, end)
			}
			start = end
		}
	})
}

func TestMessagesNoAllocs(t *testing.T) {
	s := Messages{Framer: LengthPrefix{Width: 2, Add: 2}.Frame}
	msg := append([]byte{0, 98}, make([]byte, 98)...)
	stream := bytes.Repeat(msg, 3)
	off := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		for _, piece := range [][]byte{stream[:100], stream[100:250], stream[250:]} {
			_, _, err := s.PutGet(Chunk{Data: piece, Offset: off, Seen: at(1)})
			if err != nil {
				t.Fatal(err)
			}
			off += uint64(len(piece))
			for _, ok := s.Get(); ok; _, ok = s.Get() {
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	m, _, _ := s.PutGet(Chunk{Data: stream[:150], Offset: off, Seen: at(1)})
	if &m.Data[0] != &stream[0] {
		t.Error("a message in one chunk was copied")
	}
}

// FuzzMessages puts chunks that data describe.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("\x00\x05\x00hello"), uint8(0))
	f.Add([]byte("\x81\x03\x00he\x40\x05\x02llo\n\x13\x00\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, mode uint8) {
		s := Messages{Limits: Limits{Bytes: 20_000, FlowBytes: 500, Flows: 3, Idle: 50 * time.Millisecond}}
		switch mode % 4 {
		case 0:
			s.Framer = Delimiter{Bytes: "\n"}.Frame
		case 1:
			s.Framer = LengthPrefix{Width: 1, Max: 30}.Frame
		case 2:
			s.Framer = func(b []byte, seen int) (int, error) { return int(int8(b[0])), nil }
		case 3:
			s.FramerFor = func(c *Chunk) Framer { return FixedSize(int(c.Data[0] % 3)).Frame }
		}
		if mode&4 != 0 {
			s.Resync = func(b []byte) int { return bytes.IndexByte(b, 'a') }
		}
		rng := rand.New(rand.NewPCG(uint64(mode), 1))
		var off uint64
		given := uint64(0)
		count := func(m Message, ok bool) {
			if ok {
				given += uint64(len(m.Data))
			}
		}
		for n := 1; len(data) > 1; n++ {
			flags, size := data[0], int(data[1])
			data = data[2:]
			c := Chunk{Data: data[:min(size, len(data))], Offset: off, Stream: uint64(flags >> 2 & 3), Direction: Direction(flags & 1), Seen: at(n * int(flags>>4+1))}
			if flags&2 != 0 {
				c.Lost = uint64(size)
			}
			if size == 13 {
				c.Events = End
			}
			if len(c.Data) == 0 && s.FramerFor != nil {
				continue
			}
			off += uint64(len(c.Data)) + c.Lost
			data = data[len(c.Data):]
			if rng.IntN(2) == 0 {
				_ = s.Put(c)
			} else {
				m, ok, _ := s.PutGet(c)
				count(m, ok)
			}
			if rng.IntN(3) == 0 {
				count(s.Get())
			}
			messagesConserved(t, &s)
			if st := s.Stats(); st.Bytes > 20_000+5_000 || st.Flows > 3 {
				t.Fatalf("%+v", st)
			}
		}
		s.Flush()
		for m, ok := s.Get(); ok; m, ok = s.Get() {
			count(m, ok)
		}
		messagesConserved(t, &s)
		if st := s.Stats(); st.Framed+st.Unframed != given || st.Waiting != 0 || st.Bytes != 0 || st.Flows != 0 {
			t.Errorf("%d bytes given: %+v", given, st)
		}
	})
}
