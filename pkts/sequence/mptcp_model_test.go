package sequence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gopkts/gopkts/pkts"
)

// Any split of data over 1 to 4 subflows, whatever is lost, repeated, sent again on
// another subflow, or overtaken, gives the data, or an exact account of what is
// missing.
func TestMPTCPModel(t *testing.T) {
	// Keys whose data sequence numbers wrap inside the data, in the lower half.
	var wraps [2]uint64
	for v := range wraps {
		r := rand.New(rand.NewPCG(1, uint64(v)))
		for {
			w := &mptcpWire{version: uint8(v), keys: [2]uint64{r.Uint64(), keyB}}
			if low := uint32(w.dsn(0, 0)); low > 1<<32-1<<13 {
				wraps[v] = w.keys[0]
				break
			}
		}
	}
	stream := make([]byte, 30000)
	for i := range stream {
		stream[i] = byte(i*7 + i>>8*13)
	}
	rapid.Check(t, func(t *rapid.T) {
		version := uint8(rapid.IntRange(0, 1).Draw(t, "version"))
		key := uint64(keyA)
		if rapid.Bool().Draw(t, "wraps") {
			key = wraps[version]
		}
		w := &mptcpWire{version: version, keys: [2]uint64{key, keyB}}
		checks := rapid.Bool().Draw(t, "checksums")
		w.asks = [2]bool{checks, rapid.Bool().Draw(t, "B asks") && checks}
		w.open()
		for range rapid.IntRange(0, 3).Draw(t, "subflows") {
			w.joined(rapid.IntRange(0, 1).Draw(t, "opener"))
		}
		most := rapid.SampledFrom([]int{3, 60, 1400}).Draw(t, "most")
		size := rapid.IntRange(1, min(len(stream), most*40)).Draw(t, "size")
		have := make([]bool, size)
		next := make([]int, len(w.subs)) // bytes that a subflow has carried
		var list [][]byte
		altered, corrupt := 0, 0 // mappings, and their bytes
		// carry sends [a, b) on a subflow, as segments that one mapping covers.
		carry := func(s, a, b int, lost bool) {
			sub := w.subs[s]
			o := sub.mapped(0, next[s]+1, a, b-a)
			alter := false
			if checks {
				o = sub.summed(0, next[s]+1, a, string(stream[a:b]))
				if alter = !lost && len(w.subs) > 1 && rapid.IntRange(0, 9).Draw(t, "altered") == 0; alter {
					altered++
					corrupt += b - a
				}
			}
			if rapid.Bool().Draw(t, "short") {
				o.Flags &^= pkts.MPTCPDSN8
			}
			cuts := []int{a}
			for range rapid.IntRange(0, 2).Draw(t, "cuts") {
				cuts = append(cuts, rapid.IntRange(a, b).Draw(t, "cut"))
			}
			slices.Sort(cuts)
			cuts = slices.Compact(append(cuts, b))
			for i, x := range cuts[:len(cuts)-1] {
				y := cuts[i+1]
				switch data := slices.Clone(stream[x:y]); {
				case alter && x == a:
					data[len(data)-1] ^= 0x10
					fallthrough
				case alter:
					list = append(list, sub.bytes(0, pkts.TCPAck, 1+next[s], 1, data, o))
				case !lost:
					list = append(list, sub.bytes(0, pkts.TCPAck, 1+next[s], 1, data, o))
					for j := x; j < y; j++ {
						have[j] = true
					}
				}
				next[s] += y - x
			}
		}
		for a := 0; a < size; {
			n := min(rapid.IntRange(1, most).Draw(t, "length"), size-a)
			s := rapid.IntRange(0, len(w.subs)-1).Draw(t, "subflow")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				carry(s, a, a+n, true)
			case 1: // lost, and sent again on another
				carry(s, a, a+n, true)
				carry((s+1)%len(w.subs), a, a+n, false)
			case 2: // twice
				carry(s, a, a+n, false)
				carry(rapid.IntRange(0, len(w.subs)-1).Draw(t, "again"), max(0, a-n/2), min(size, a+n+n/2), false)
			default:
				carry(s, a, a+n, false)
			}
			a += n
		}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, size), 0, 5).Draw(t, "twice") {
			if len(list) > 0 {
				list = append(list, list[i%len(list)])
			}
		}
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			list = rapid.Permutation(list).Draw(t, "list")
		case 1:
			slices.Reverse(list)
		}
		fin := rapid.Bool().Draw(t, "fin")
		if fin {
			o := w.subs[0].mapped(0, 0, size, 1)
			o.Flags |= pkts.MPTCPDataFin
			if o.HasChecksum = checks; checks {
				o.Checksum = wireChecksum(o.DSN, 0, 1, nil)
			}
			list = append(list, w.subs[0].bytes(0, pkts.TCPAck, 1+next[0], 1, nil, o))
		}

		var m MPTCP
		var check streamCheck
		got := make([]bool, size)
		take := func(c *Chunk) {
			if err := check.chunk(c); err != nil {
				t.Fatal(err)
			}
			if c.Stream != 1 {
				t.Fatalf("%s is of stream %d", chunkText(c), c.Stream)
			}
			if !bytes.Equal(c.Data, stream[c.Offset:c.Offset+uint64(len(c.Data))]) {
				t.Fatalf("%s: other bytes", chunkText(c))
			}
			for i := range c.Data {
				got[int(c.Offset)+i] = true
			}
		}
		wrong := uint64(0)
		refused := func(err error) {
			n := mptcpWrongs(err)
			if wrong += n; err != nil && n == 0 {
				t.Fatal(err)
			}
		}
		handshakes := slices.Clone(w.list)
		if rapid.Bool().Draw(t, "early") {
			handshakes = behind(handshakes, 2, 3) // the keys come last
		}
		for i, b := range append(handshakes, list...) {
			d := Datagram{Data: slices.Clone(b), Seen: Seen{uint64(i + 1), scriptStart.Add(time.Duration(i) * time.Millisecond)}}
			if rapid.Bool().Draw(t, "put") {
				refused(m.Put(d))
				clear(d.Data)
			} else {
				c, ok, err := m.PutGet(d)
				if refused(err); ok {
					take(&c)
				}
			}
			mptcpConserved(t, &m)
			for c, ok := m.Get(); ok; c, ok = m.Get() {
				take(&c)
			}
		}
		m.Flush()
		for c, ok := m.Get(); ok; c, ok = m.Get() {
			take(&c)
		}
		mptcpConserved(t, &m)
		if err := check.allEnded(); err != nil {
			t.Fatal(err)
		}
		there, last := 0, 0
		for i, h := range have {
			if h {
				there++
				last = i + 1
			}
			if got[i] != h {
				t.Fatalf("byte %d came out: %t, was put: %t", i, got[i], h)
			}
		}
		if fin {
			last = size
		}
		d := check.dirs[[2]uint64{1, 0}]
		if d.next != uint64(last) || d.delivered+d.lost != d.next || d.delivered != uint64(there) {
			t.Fatalf("%+v; %d bytes were put, the last at %d", d, there, last)
		}
		refused(m.takeErr())
		s := m.Stats()
		if s.BadChecksums != uint64(altered) || wrong != s.BadChecksums || s.Corrupt != uint64(corrupt) || s.Unchecked > 0 {
			t.Fatalf("%d altered mappings with %d bytes, %d errors: %+v", altered, corrupt, wrong, s)
		}
		if s.Unmapped+s.Over+s.Passed+s.Conflicts+s.BadMappings+s.LimitedMaps+s.Fallbacks > 0 || s.Subflows != uint64(len(w.subs)) || s.Data.Delivered != uint64(there) {
			t.Fatalf("%+v", s)
		}
	})
}

// A connection without Multipath TCP comes out as TCP gives it.
func TestMPTCPPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tcp TCP
		var m MPTCP
		var got, want []string
		text := func(c *Chunk) string { return fmt.Sprint(c.Stream, c.Direction, chunkText(c), c.Time, c.Flow) }
		n := rapid.IntRange(1, 60).Draw(t, "segments")
		for i := range n {
			src, dst, sp, dp := 1, 2, 4000+rapid.IntRange(0, 2).Draw(t, "port"), 80
			if rapid.Bool().Draw(t, "back") {
				src, dst, sp, dp = dst, src, dp, sp
			}
			flags := pkts.TCPFlags(rapid.SampledFrom([]int{2, 0x12, 0x10, 0x10, 0x10, 0x10, 0x10, 0x11, 0x14}).Draw(t, "flags"))
			b := rawSegment(nil, src, dst, sp, dp, flags, uint32(100+rapid.IntRange(0, 40).Draw(t, "seq")), uint32(100+rapid.IntRange(0, 40).Draw(t, "ack")), 1000, nil, make([]byte, rapid.IntRange(0, 20).Draw(t, "length")))
			d := Datagram{Data: b, Seen: Seen{uint64(i + 1), scriptStart.Add(time.Duration(i) * time.Second)}}
			var c, e Chunk
			var ok, ok2 bool
			var err, err2 error
			if rapid.Bool().Draw(t, "put") {
				err, err2 = tcp.Put(d), m.Put(d)
			} else {
				c, ok, err = tcp.PutGet(d)
				e, ok2, err2 = m.PutGet(d)
			}
			if fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Fatalf("%v, want %v", err2, err)
			}
			for ; ok; c, ok = tcp.Get() {
				want = append(want, text(&c))
			}
			for ; ok2; e, ok2 = m.Get() {
				got = append(got, text(&e))
			}
			mptcpConserved(t, &m)
		}
		tcp.Flush()
		m.Flush()
		for c, ok := tcp.Get(); ok; c, ok = tcp.Get() {
			want = append(want, text(&c))
		}
		for c, ok := m.Get(); ok; c, ok = m.Get() {
			got = append(got, text(&c))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
		if s := m.Stats(); s.Passed != s.TCP.Delivered {
			t.Fatalf("%+v", s)
		}
	})
}
