package sequence

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// datagramsOf yields the packets of a script, and then err, if there is one.
func datagramsOf(tb testing.TB, script string, err error) iter.Seq2[Datagram, error] {
	ds := scriptDatagrams(tb, script)
	return func(yield func(Datagram, error) bool) {
		for _, d := range ds {
			if !yield(*d, nil) {
				return
			}
		}
		if err != nil {
			yield(Datagram{}, err)
		}
	}
}

const readerScript = `
	A S 100
	B SA 500 101
	A A 101 501 "GET / "
	A A 107 501 "HTTP/1.1"
	B A 501 115 "200 "
	B A 505 115 "OK"
	A FA 115 507
	B FA 507 116
	A A 116 508`

func TestStreamReader(t *testing.T) {
	for _, order := range [][]Direction{{Forward, Backward}, {Backward, Forward}} {
		r := NewStreamReader(new(TCP), datagramsOf(t, readerScript, nil), nil, 0)
		for _, d := range order {
			want := map[Direction]string{Forward: "GET / HTTP/1.1", Backward: "200 OK"}[d]
			if err := iotest.TestReader(r.Direction(d), []byte(want)); err != nil {
				t.Errorf("%v: %v", d, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.Direction(Forward).Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
}

// A Read takes no more packets than it needs, and says where its bytes come from.
func TestStreamReaderPulls(t *testing.T) {
	pulled := 0
	src := func(yield func(Datagram, error) bool) {
		for d := range datagramsOf(t, readerScript, nil) {
			if pulled++; !yield(d, nil) {
				pulled = -1
				return
			}
		}
	}
	r := NewStreamReader(new(TCP), src, nil, 0)
	b := make([]byte, 3)
	for _, want := range []struct {
		text           string
		offset, packet uint64
	}{{"GET", 0, 3}, {" / ", 3, 3}, {"HTT", 6, 4}} {
		n, err := r.Direction(Forward).Read(b)
		off, seen := r.Direction(Forward).Last()
		if err != nil || string(b[:n]) != want.text || off != want.offset || seen.Packet != want.packet || pulled != int(want.packet) {
			t.Errorf("%q at %d of packet %d, %v; want %v; %d packets were taken", b[:n], off, seen.Packet, err, want, pulled)
		}
	}
	if err := r.Close(); err != nil || pulled != -1 {
		t.Errorf("%v: the source goes on: %d", err, pulled)
	}
	rest, err := io.ReadAll(r.Direction(Forward))
	if string(rest) != "P/1.1" || err != io.ErrClosedPipe {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestStreamReaderEnds(t *testing.T) {
	damaged := errors.New("damaged")
	for _, tt := range []struct {
		name, script string
		src          error
		want         string
		err          error
	}{
		{"nothing", ``, nil, "", io.ErrUnexpectedEOF},
		{"the other direction only", "B A 500 100 \"b\"\nB A 501 100 \"b\"", nil, "bb", io.ErrUnexpectedEOF},
		{"the file ends", "A S 100\nB SA 500 101\nA A 101 501 \"abc\"", nil, "abc", io.ErrUnexpectedEOF},
		{"the file is damaged", "A S 100\nB SA 500 101\nA A 101 501 \"abc\"", damaged, "abc", damaged},
		{"reset", "A S 100\nB SA 500 101\nA A 101 501 \"abc\"\nB RA 501 104", nil, "abc", io.ErrUnexpectedEOF},
		{"refused packets", "A S 100\nB SA 500 101\nA A 900000 501 \"far\"\nA A 101 501 \"abc\"\nA FA 104 501", nil, "abc", nil},
	} {
		r := NewStreamReader(new(TCP), datagramsOf(t, tt.script, tt.src), nil, 0)
		got, err := io.ReadAll(r.Direction(Forward))
		if string(got) != tt.want || err != tt.err {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStreamReaderGap(t *testing.T) {
	r := NewStreamReader(new(TCP), datagramsOf(t, `
		A S 100
		B SA 500 101
		A A 101 501 "abc"
		A A 110 501 "xyz"
		B A 501 113
		A FA 113 501`, nil), nil, 0)
	defer r.Close()
	a := r.Direction(Forward)
	got, err := io.ReadAll(a)
	e, ok := errors.AsType[*Error](err)
	if string(got) != "abc" || !ok || !errors.Is(err, ErrGap) || errors.Is(err, ErrLimit) || e.Offset != 9 || !strings.Contains(e.Reason, "6 before it, forward") {
		t.Errorf("%q, %v", got, err)
	}
	if got, err = io.ReadAll(a); string(got) != "xyz" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Which connection it is, is for the caller to say.
func TestStreamReaderPick(t *testing.T) {
	src := datagramsOf(t, `
		A A 100 500 "four"
		A A 100 500 six "six"
		A A 104 500 "four"
		A A 103 500 six "six"`, nil)
	r := NewStreamReader(new(TCP), src, func(c *Chunk) bool { return c.Flow.Src.Is6() }, 0)
	defer r.Close()
	got, err := io.ReadAll(r.Direction(Forward))
	if string(got) != "sixsix" || err != io.ErrUnexpectedEOF {
		t.Errorf("%q, %v", got, err)
	}
}

// What is not read does not pile up, and is not lost silently.
func TestStreamReaderLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 3000).Draw(t, "limit")
		fin := rapid.Bool().Draw(t, "fin")
		var sent [2][]byte
		n := rapid.IntRange(1, 60).Draw(t, "segments")
		var ds []Datagram
		for i := range n {
			side := rapid.IntRange(0, 1).Draw(t, "side")
			data := bytes.Repeat([]byte{byte(i)}, rapid.IntRange(1, 200).Draw(t, "len"))
			src, dst := 1+side, 2-side
			ds = append(ds, Datagram{Data: rawSegment(nil, src, dst, 1000+src, 1000+dst, 0x10, 1000+uint32(len(sent[side])), 1000+uint32(len(sent[side^1])), 65535, nil, data), Seen: Seen{Packet: uint64(i) + 1}})
			sent[side] = append(sent[side], data...)
		}
		if fin {
			for side := range 2 {
				src, dst := 1+side, 2-side
				ds = append(ds, Datagram{Data: rawSegment(nil, src, dst, 1000+src, 1000+dst, 0x11, 1000+uint32(len(sent[side])), 1000+uint32(len(sent[side^1]))+uint32(side), 65535, nil, nil), Seen: Seen{Packet: uint64(n+side) + 1}})
			}
		}
		r := NewStreamReader(new(TCP), func(yield func(Datagram, error) bool) {
			for _, d := range ds {
				if !yield(d, nil) {
					return
				}
			}
		}, nil, limit)
		defer r.Close()
		first := rapid.IntRange(0, 1).Draw(t, "first")
		var sides [2]int // which endpoint a direction is
		if ds[0].Data[15] == 2 {
			sides = [2]int{1, 0}
		} else {
			sides = [2]int{0, 1}
		}
		b := make([]byte, 50)
		for _, dir := range []int{first, first ^ 1} {
			want := sent[sides[dir]]
			at, missing := 0, 0
			d := r.Direction(Direction(dir))
			for {
				n, err := d.Read(b)
				if kept := max(len(d.buf)-d.head, len(r.dirs[dir^1].buf)-r.dirs[dir^1].head); kept > limit+200 {
					t.Fatalf("%d bytes are kept, the limit is %d", kept, limit)
				}
				if n > 0 {
					off, _ := d.Last()
					off -= tcpMidstream
					missing += int(off) - at
					if at = int(off) + n; at > len(want) || !bytes.Equal(b[:n], want[off:at]) {
						t.Fatalf("wrong bytes at %d", off)
					}
				}
				if err == nil {
					continue
				}
				if e, ok := errors.AsType[*Error](err); ok {
					if !errors.Is(err, ErrGap) || !errors.Is(err, ErrLimit) || dir == first {
						t.Fatal(e)
					}
					continue
				}
				if fin && len(want) > 0 && len(sent[0])*len(sent[1]) > 0 && err != io.EOF || !fin && err != io.ErrUnexpectedEOF {
					t.Fatal(err)
				}
				break
			}
			if dir == first && (missing != 0 || at != len(want)) {
				t.Fatalf("%d bytes, want %d; %d missing", at, len(want), missing)
			}
		}
	})
}
