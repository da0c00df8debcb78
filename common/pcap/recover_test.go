package pcap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// numbered builds n records whose data begin with their number.
func numbered(o binary.AppendByteOrder, n int) [][]byte {
	var out [][]byte
	for i := range n {
		d := bytes.Repeat([]byte{0xee}, 60+i%5)
		d[0] = byte(i)
		out = append(out, rec(o, uint32(testSec+i), uint32(i), uint32(len(d)), uint32(len(d)), nil, d))
	}
	return out
}

// numbersOf returns the numbers of the frames that numbered made.
func numbersOf(frames []link.Frame) []int {
	var out []int
	for _, f := range frames {
		out = append(out, int(f.Data[0]))
	}
	return out
}

func TestRecover(t *testing.T) {
	r := numbered(le, 8)
	garbage := bytes.Repeat([]byte{0xff, 0x13, 0x80}, 11)
	ng := func(i int) []byte {
		return epb(le, 0, microTS, bytes.Repeat([]byte{byte(i)}, 60+i))
	}
	badLen := bytes.Clone(r[3])
	le.PutUint32(badLen[8:], 0xffffffff)
	badBlockLen := ng(3)
	le.PutUint32(badBlockLen[4:], 0x7ffffff0)
	shortBlockLen := ng(3)
	le.PutUint32(shortBlockLen[4:], 40)
	for _, c := range []struct {
		name  string
		file  []byte
		want  []int
		skips []pcap.Skip // Err is not compared
	}{
		{"whole", join(head(), join(r...)), []int{0, 1, 2, 3, 4, 5, 6, 7}, nil},
		{"garbage between records", join(head(), r[0], r[1], garbage, r[2], r[3], r[4]), []int{0, 1, 2, 3, 4},
			[]pcap.Skip{{Offset: 24 + 76 + 77, Bytes: 33}}},
		{"bad length", join(head(), r[0], r[1], r[2], badLen, r[4], r[5], r[6]), []int{0, 1, 2, 4, 5, 6},
			[]pcap.Skip{{Offset: 24 + 76 + 77 + 78, Bytes: 79}}},
		{"half a record lost", join(head(), r[0], r[1][:40], r[2], r[3], r[4], r[5]), []int{0, 1, 3, 4, 5},
			[]pcap.Skip{{Bytes: -1}}},
		{"cut at the end", join(head(), r[0], r[1][:40]), []int{0}, []pcap.Skip{{Offset: 24 + 76, Bytes: 40}}},
		{"garbage to the end", join(head(), r[0], garbage), []int{0}, []pcap.Skip{{Offset: 24 + 76, Bytes: 33}}},
		{"one record behind garbage", join(head(), r[0], garbage, r[1]), []int{0, 1}, []pcap.Skip{{Offset: 24 + 76, Bytes: 33}}},
		{"big-endian", join(fileHead(be, 0xa1b2c3d4, 2, 4, 0, 65535, 1), numbered(be, 2)[0], garbage, numbered(be, 4)[1], numbered(be, 4)[2]), []int{0, 1, 2},
			[]pcap.Skip{{Offset: 24 + 76, Bytes: 33}}},
		{"snoop", join([]byte("snoop\x00\x00\x00"), be.AppendUint32(nil, 2), be.AppendUint32(nil, 4),
			snoopRecord(append([]byte{0}, frameData()[0]...), 61, 85, 0), garbage, snoopRecord(append([]byte{1}, frameData()[0]...), 61, 85, 0)), []int{0, 1},
			[]pcap.Skip{{Offset: 16 + 85, Bytes: 33}}},
		{"two files in one", join(head(), r[0], head(), r[1], r[2]), []int{0, 1, 2}, []pcap.Skip{{Offset: 24 + 76, Bytes: 24}}},
		{"ng garbage", join(shb(le), idb(le, 1, 0), ng(0), garbage, ng(1), ng(2)), []int{0, 1, 2},
			[]pcap.Skip{{Offset: 48 + 92, Bytes: 33}}},
		{"ng bad length", join(shb(le), idb(le, 1, 0), ng(0), badBlockLen, ng(4)), []int{0, 4},
			[]pcap.Skip{{Offset: 48 + 92, Bytes: 96}}},
		{"ng length too short", join(shb(le), idb(le, 1, 0), ng(0), shortBlockLen, ng(4)), []int{0, 4},
			[]pcap.Skip{{Offset: 48 + 92, Bytes: 96}}},
		{"ng unknown interface", join(shb(le), idb(le, 1, 0), ng(0), epb(le, 9, microTS, ng(1)), ng(4)), []int{0, 4},
			[]pcap.Skip{{Offset: 48 + 92, Bytes: 128}}},
		{"ng bad interface block", join(shb(le), idb(le, 1, 0, le.AppendUint32(nil, 0xffff0009)), idb(le, 1, 0), ng(4)), []int{4},
			[]pcap.Skip{{Offset: 28, Bytes: 24}}},
		{"ng section in the other order", join(shb(le), idb(le, 1, 0), ng(0), garbage, shb(be), idb(be, 1, 0), epb(be, 0, microTS, frameData()[0])), []int{0, 60},
			[]pcap.Skip{{Offset: 48 + 92, Bytes: 33}}},
		{"ng cut", join(shb(le), idb(le, 1, 0), ng(0), ng(1)[:50]), []int{0}, []pcap.Skip{{Offset: 48 + 92, Bytes: 50}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Without recovering, the first damage is the end.
			if _, err := readAll(bytes.NewReader(c.file)); (err == nil) != (c.skips == nil) {
				t.Errorf("without recovering: %v", err)
			}
			r, err := pcap.NewReader(bytes.NewReader(c.file), pcap.WithRecover())
			if err != nil {
				t.Fatal(err)
			}
			frames, err := drain(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := numbersOf(frames); !slices.Equal(got, c.want) {
				t.Errorf("read frames %v, want %v", got, c.want)
			}
			got := r.Skips()
			if len(got) != len(c.skips) {
				t.Fatalf("skips are %v, want %v", got, c.skips)
			}
			var total int64
			for i, s := range got {
				total += s.Bytes
				if w := c.skips[i]; w.Bytes >= 0 && (s.Offset != w.Offset || s.Bytes != w.Bytes) {
					t.Errorf("skipped %d bytes at %d, want %d at %d", s.Bytes, s.Offset, w.Bytes, w.Offset)
				}
				if !errors.Is(s.Err, pcap.ErrMalformed) && !errors.Is(s.Err, pcap.ErrTruncated) && !errors.Is(s.Err, pcap.ErrUnknownFormat) {
					t.Errorf("reason is %v", s.Err)
				}
			}
			if n, b := r.Skipped(); n != int64(len(got)) || b != total {
				t.Errorf("Skipped = %d, %d, want %d, %d", n, b, len(got), total)
			}
		})
	}
}

// TestRecoverOddTrailers checks that a writer's consistent mistake is not taken
// for damage.
func TestRecoverOddTrailers(t *testing.T) {
	file := join(shb(le), idb(le, 1, 0))
	for range 3 {
		b := epb(le, 0, microTS, frameData()[0])
		le.PutUint32(b[len(b)-4:], 0)
		file = append(file, b...)
	}
	frames, err := readAll(bytes.NewReader(file), pcap.WithRecover())
	if err != nil || len(frames) != 3 {
		t.Errorf("read %d frames, %v, want 3", len(frames), err)
	}
}

// TestRecoverSourceError checks that recovering does not hide a failing source.
func TestRecoverSourceError(t *testing.T) {
	broken := errors.New("broken")
	for _, file := range [][]byte{join(head(), numbered(le, 1)[0], []byte{1, 2, 3}), join(shb(le), idb(le, 1, 0), []byte{1, 2, 3})} {
		_, err := readAll(io.MultiReader(bytes.NewReader(file), readFunc(func([]byte) (int, error) { return 0, broken })), pcap.WithRecover())
		if !errors.Is(err, broken) {
			t.Errorf("error is %v, want that of the source", err)
		}
	}
}
