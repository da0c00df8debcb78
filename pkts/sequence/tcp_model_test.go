package sequence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gopkts/gopkts/pkts"
)

// rawSegment returns a packet quickly: 10.0.0.a to 10.0.0.b, without checksums.
func rawSegment(b []byte, src, dst, srcPort, dstPort int, flags pkts.TCPFlags, seq, ack uint32, win int, options, data []byte) []byte {
	hdr := 20 + (len(options)+3)/4*4
	n := 20 + hdr + len(data)
	if cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	clear(b[:20+hdr])
	be := binary.BigEndian
	b[0], b[8], b[9] = 0x45, 64, 6
	be.PutUint16(b[2:], uint16(n))
	be.PutUint32(b[12:], 10<<24|uint32(src))
	be.PutUint32(b[16:], 10<<24|uint32(dst))
	t := b[20:]
	be.PutUint16(t, uint16(srcPort))
	be.PutUint16(t[2:], uint16(dstPort))
	be.PutUint32(t[4:], seq)
	be.PutUint32(t[8:], ack)
	be.PutUint16(t[12:], uint16(hdr/4)<<12|uint16(flags))
	be.PutUint16(t[14:], uint16(win))
	copy(t[20:], options)
	copy(t[hdr:], data)
	return b
}

// streamCheck follows the chunks of all streams, and checks what always holds.
type streamCheck struct {
	dirs map[[2]uint64]*dirCheck
}

type dirCheck struct {
	next      uint64
	delivered uint64
	lost      uint64
	ended     bool
	first     uint64 // offset
}

func (s *streamCheck) chunk(c *Chunk) error {
	if s.dirs == nil {
		s.dirs = map[[2]uint64]*dirCheck{}
	}
	k := [2]uint64{c.Stream, uint64(c.Direction)}
	d := s.dirs[k]
	switch {
	case (d == nil) != c.Events.Has(Start):
		return fmt.Errorf("%v: Start in the wrong place", chunkText(c))
	case d == nil:
		d = &dirCheck{next: c.Offset - c.Lost, first: c.Offset - c.Lost}
		if d.next != 0 && d.next != tcpMidstream {
			return fmt.Errorf("%v: begins at %d", chunkText(c), d.next)
		}
		s.dirs[k] = d
	case d.ended:
		return fmt.Errorf("%v: after the End", chunkText(c))
	case c.Offset != d.next+c.Lost:
		return fmt.Errorf("%v: comes after %d", chunkText(c), d.next)
	}
	if len(c.Data) == 0 && c.Lost == 0 && c.Events == 0 {
		return fmt.Errorf("%v: says nothing", chunkText(c))
	}
	d.next = c.Offset + uint64(len(c.Data))
	d.delivered += uint64(len(c.Data))
	d.lost += c.Lost
	d.ended = c.Events.Has(End)
	return nil
}

func (s *streamCheck) allEnded() error {
	for k, d := range s.dirs {
		if !d.ended {
			return fmt.Errorf("stream %d, direction %v: no End", k[0], Direction(k[1]))
		}
	}
	return nil
}

// Any permutation, duplication and overlap of the segments of a stream gives the
// stream, or an exact account of what is missing.
func TestTCPModel(t *testing.T) {
	stream := make([]byte, 40000)
	for i := range stream {
		stream[i] = byte(i*7 + i>>8*13)
	}
	rapid.Check(t, func(t *rapid.T) {
		isn := rapid.SampledFrom([]uint32{0, 1 << 31, 1<<32 - 1, 1<<32 - 2, 1<<32 - 20000, 1<<31 - 3000, 12345}).Draw(t, "isn")
		big := rapid.Bool().Draw(t, "big")
		least, most := 1, 60
		if big {
			least, most = 300, 3000
		}
		size := rapid.IntRange(1, min(len(stream), most*40)).Draw(t, "size")
		type piece struct{ a, b int }
		var pieces []piece
		for a := 0; a < size; {
			n := min(rapid.IntRange(least, most).Draw(t, "length"), size-a)
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0: // lost
			case 1: // twice
				pieces = append(pieces, piece{a, a + n}, piece{a, a + n})
			case 2: // overlaps what is around it
				pieces = append(pieces, piece{max(0, a-n/2), min(size, a+n+n/2)})
			default:
				pieces = append(pieces, piece{a, a + n})
			}
			a += n
		}
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			pieces = rapid.Permutation(pieces).Draw(t, "pieces")
		case 1:
			for i := range len(pieces) / 2 {
				pieces[i], pieces[len(pieces)-1-i] = pieces[len(pieces)-1-i], pieces[i]
			}
		}
		limited := rapid.Bool().Draw(t, "limited")
		s := TCP{Policy: TCPPolicy(rapid.IntRange(0, int(TCPReject)).Draw(t, "policy"))}
		if limited {
			s.Limits = Limits{FlowBytes: 3*tcpPageCost + tcpWaitCost, Bytes: 5 * tcpPageCost}
		}
		have := make([]bool, size)
		segments := map[uint64]piece{}
		var check streamCheck
		got := make([]bool, size)
		take := func(c *Chunk) {
			if err := check.chunk(c); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.Data, stream[c.Offset:c.Offset+uint64(len(c.Data))]) {
				t.Fatalf("%s: other bytes", chunkText(c))
			}
			for i := range c.Data {
				got[int(c.Offset)+i] = true
			}
			if len(c.Data) == 0 {
				return
			}
			a, b := int(c.Offset), int(c.Offset)+len(c.Data)
			if p := segments[c.Packet]; p.a <= a && b <= p.b {
				return
			}
			// Neighbours count as one where there are too many: no more than
			// segments begin and end.
			page := a &^ tcpPageMask
			near, ends := map[piece]bool{}, map[int]bool{page: true}
			for _, p := range segments {
				if p.a >= page+tcpPageLen || p.b <= page {
					continue
				}
				near[p] = true
				for _, i := range []int{p.a, p.b} {
					if i > page && i < page+tcpPageLen {
						ends[i] = true
					}
				}
			}
			if p := segments[c.Packet]; len(ends) <= tcpMarks || !near[p] {
				t.Fatalf("%s is from a segment of %v, where at most %d runs wait", chunkText(c), p, len(ends))
			}
		}
		packet := uint64(0)
		put := func(b []byte) {
			packet++
			d := Datagram{Data: b, Seen: Seen{packet, scriptStart.Add(time.Duration(packet) * time.Millisecond)}}
			if rapid.Bool().Draw(t, "put") {
				if err := s.Put(d); err != nil {
					t.Fatal(err)
				}
				clear(b)
			} else if c, ok, err := s.PutGet(d); err != nil {
				t.Fatal(err)
			} else if ok {
				take(&c)
			}
			for c, ok := s.Get(); ok; c, ok = s.Get() {
				take(&c)
			}
			if st := s.Stats(); limited && st.Memory-s.out.memory > s.lim.Bytes {
				t.Fatalf("%d bytes of memory wait", st.Memory)
			}
		}
		put(rawSegment(nil, 1, 2, 4000, 80, pkts.TCPSyn, isn, 0, 1000, nil, nil))
		for _, p := range pieces {
			segments[packet+1] = p
			put(rawSegment(nil, 1, 2, 4000, 80, pkts.TCPAck, isn+1+uint32(p.a), 1, 1000, nil, stream[p.a:p.b]))
			for i := p.a; i < p.b; i++ {
				have[i] = true
			}
		}
		fin := rapid.Bool().Draw(t, "fin")
		if fin {
			put(rawSegment(nil, 1, 2, 4000, 80, pkts.TCPFin, isn+1+uint32(size), 1, 1000, nil, nil))
		}
		s.Flush()
		for c, ok := s.Get(); ok; c, ok = s.Get() {
			take(&c)
		}
		if err := check.allEnded(); err != nil {
			t.Fatal(err)
		}
		there, last := 0, 0
		for i, h := range have {
			if h {
				there++
				last = i + 1
			}
			if got[i] && !h || !limited && got[i] != h {
				t.Fatalf("byte %d came out: %t, was put: %t", i, got[i], h)
			}
		}
		if fin {
			last = size
		}
		d := check.dirs[[2]uint64{1, 0}]
		if d.next != uint64(last) || d.delivered+d.lost != d.next || !limited && d.delivered != uint64(there) {
			t.Fatalf("%+v; %d bytes were put, the last at %d", d, there, last)
		}
		st := s.Stats()
		if st.Bytes != st.Delivered+st.Duplicate+st.Conflicting || st.Delivered != d.delivered || st.Lost != d.lost || st.Waiting != 0 {
			t.Fatalf("%+v", st)
		}
	})
}

// Segments that wait by themselves are decided between as those in pages are, and
// come from the same packets.
func TestTCPPiecesAsPages(t *testing.T) {
	type segment struct {
		off  int
		data []byte
	}
	rapid.Check(t, func(t *rapid.T) {
		var list []segment
		for i := range rapid.IntRange(1, 5).Draw(t, "segments") {
			off := rapid.IntRange(1, 60).Draw(t, "off") * rapid.SampledFrom([]int{1, 1, 60}).Draw(t, "scale")
			n := rapid.IntRange(1, 40).Draw(t, "length") * rapid.SampledFrom([]int{1, 1, 100}).Draw(t, "scale")
			list = append(list, segment{off, bytes.Repeat([]byte{byte('a' + i)}, n)})
			if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				list = append(list, list[len(list)-1])
			}
		}
		policy := TCPPolicy(rapid.IntRange(0, int(TCPReject)).Draw(t, "policy"))
		const far = 20_000
		run := func(pages bool) (out []byte, from []uint64, conflicting, overlaps uint64) {
			s := TCP{Policy: policy}
			packet := uint64(0)
			take := func(c Chunk, ok bool) {
				for ; ok; c, ok = s.Get() {
					for i, b := range c.Data {
						if at := int(c.Offset) + i; at < far {
							for len(out) <= at {
								out, from = append(out, '-'), append(from, 0)
							}
							out[at], from[at] = b, c.Packet
						}
					}
				}
			}
			put := func(flags pkts.TCPFlags, seq int, data []byte) {
				packet++
				c, ok, _ := s.PutGet(Datagram{Data: rawSegment(nil, 1, 2, 4000, 80, flags, uint32(seq), 1, 1000, nil, data), Seen: Seen{Packet: packet}})
				take(c, ok)
			}
			put(pkts.TCPSyn, 0, nil)
			for i := range 3 {
				if pages { // that overlap bring about pages
					put(pkts.TCPAck, 1+far+i, []byte("vwxyz"[i:i+3]))
				} else {
					put(pkts.TCPAck, 1, nil)
				}
			}
			if w := s.waits; pages && w.used == 0 || !pages && w.used > 0 {
				t.Fatalf("%d pages", w.used)
			}
			for _, x := range list {
				put(pkts.TCPAck, 1+x.off, x.data)
			}
			put(pkts.TCPAck, 1, []byte("."))
			st := s.Stats()
			s.Flush()
			take(s.Get())
			return out, from, st.Conflicting, st.Overlaps
		}
		a, af, ac, ao := run(false)
		b, bf, bc, bo := run(true)
		if !bytes.Equal(a, b) || fmt.Sprint(af) != fmt.Sprint(bf) || ac != bc || ao != bo {
			t.Fatalf("%q from %v, %d bytes conflict, %d overlap\n%q from %v, %d, %d", a, af, ac, ao, b, bf, bc, bo)
		}
	})
}
