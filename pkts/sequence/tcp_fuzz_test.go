package sequence

import (
	"testing"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// FuzzTCP puts arbitrary packets: memory stays within the limits, no byte is
// unaccounted for, and chunks follow each other as they should.
//
// 12 bytes are one step: a segment whose numbers lie near those that its side
// used last, so that much of it is taken; or one of the other calls.
func FuzzTCP(f *testing.F) {
	step := func(op, flags, side byte, seq int16, n uint16, ack int16, win, t byte) []byte {
		return []byte{op, flags, side, byte(uint16(seq) >> 8), byte(seq), byte(n >> 8), byte(n), byte(uint16(ack) >> 8), byte(ack), win, t, 0}
	}
	open := append(step(0, 2, 0, 0, 0, 0, 8, 1), step(0, 0x12, 1, 0, 0, 1, 8, 1)...)
	f.Add(open)
	f.Add(append(open, step(1, 0x10, 0, 1, 100, 1, 8, 1)...))
	f.Add(append(append(open, step(1, 0x10, 0, 101, 100, 1, 8, 1)...), step(1, 0x11, 0, 1, 100, 1, 8, 1)...))
	f.Add(append(append(open, step(0, 0x10, 0, 300, 3000, 1, 8, 1)...), step(0, 0x14, 1, 1, 0, 1, 8, 200)...))
	f.Add(append(append(open, step(0, 0x10, 0, 300, 3000, 1, 8, 1)...), step(0, 0x10, 1, 1, 0, 4000, 8, 1)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		const bytes = 40 << 10
		s := TCP{Limits: Limits{Bytes: bytes, FlowBytes: 20 << 10, Flows: 3, Idle: 10 * time.Second}}
		if len(in) > 0 {
			s.Policy = TCPPolicy(in[0] >> 5)
		}
		done, began := map[uint64]int{}, map[uint64]int{}
		s.Began = func(i StreamInfo) { began[i.Stream]++ }
		s.Done = func(i StreamInfo) {
			if done[i.Stream]++; began[i.Stream] != 1 {
				t.Fatalf("stream %d is over, and began %d times", i.Stream, began[i.Stream])
			}
		}
		var check streamCheck
		take := func(c Chunk, ok bool) bool {
			if ok {
				if err := check.chunk(&c); err != nil {
					t.Fatal(err)
				}
			}
			return ok
		}
		var base [4][2]uint32
		data := make([]byte, 8100)
		for i := range data {
			data[i] = byte(i)
		}
		now := scriptStart
		var packet uint64
		for ; len(in) >= 12; in = in[12:] {
			op := in[0] & 0x1f
			if op == 31 {
				s.Flush()
				for take(s.Get()) {
				}
				continue
			}
			if op == 30 {
				take(s.Get())
				continue
			}
			conn, side := int(in[2]>>1)%4, int(in[2]&1)
			flags := pkts.TCPFlags(in[1] & 0x3f)
			seq := base[conn][side] + uint32(int32(int16(uint16(in[3])<<8|uint16(in[4]))))
			ack := base[conn][side^1] + uint32(int32(int16(uint16(in[7])<<8|uint16(in[8]))))
			n := int(in[5])<<8 | int(in[6])
			if n > 8000 {
				n &= 0x3f
			}
			var options []byte
			if in[11]&1 != 0 {
				options = pkts.TCPOptions(options).AppendTimestamps(uint32(in[11]), 0)
			}
			if in[11]&2 != 0 {
				options = pkts.TCPOptions(options).AppendSACK(pkts.SACKBlock{Left: ack + uint32(in[9]), Right: ack + uint32(in[9])*uint32(in[10])})
			}
			if in[11]&4 != 0 {
				options = pkts.TCPOptions(options).AppendWindowScale(in[11] >> 4)
			}
			src, dst, sp, dp := 1, 2, 4000+conn, 80
			if side == 1 {
				src, dst, sp, dp = dst, src, dp, sp
			}
			b := rawSegment(nil, src, dst, sp, dp, flags, seq, ack, int(in[9])<<8, options, data[in[11]>>3:][:n])
			if in[11]&8 != 0 {
				b = b[:len(b)-min(n, int(in[10]))]
			}
			if op == 29 { // anything
				copy(b[in[10]%40:], in)
			}
			if flags&pkts.TCPSyn != 0 {
				base[conn][side] = seq
			} else if op&8 != 0 {
				base[conn][side] = seq + uint32(n)
			}
			now = now.Add(time.Duration(in[10]) * time.Duration(in[10]) * time.Millisecond)
			packet++
			d := Datagram{Data: b, Seen: Seen{packet, now}}
			if op == 28 {
				d.Time = time.Time{}
			}
			if op&1 == 0 {
				s.Put(d)
				clear(b)
			} else {
				c, ok, _ := s.PutGet(d)
				take(c, ok)
			}
			if op&2 == 0 {
				for take(s.Get()) {
				}
			}
			tcpConserved(t, &s)
			// What is ready may take as much again, and goes over that by what
			// one packet and the connections that it ends let go.
			if st := s.Stats(); s.waits.memory > bytes || s.out.memory > 2*bytes+1<<16+64*tcpChunkCost || st.Flows > 3 {
				t.Fatalf("memory %d and %d, flows %d", s.waits.memory, s.out.memory, st.Flows)
			}
		}
		s.Flush()
		for take(s.Get()) {
		}
		if err := check.allEnded(); err != nil {
			t.Fatal(err)
		}
		st := s.Stats()
		if st.Waiting != 0 || st.Flows != 0 || uint64(len(done)) != st.Streams || len(began) != len(done) {
			t.Fatalf("%d streams, %d began, %d done: %+v", st.Streams, len(began), len(done), st)
		}
		for n, times := range done {
			if times != 1 {
				t.Fatalf("Done was told %d times of stream %d", times, n)
			}
		}
		s.release()
		if s.memory() != 0 || s.waits.used != 0 {
			t.Fatalf("%d bytes, %d pages are in use after everything", s.memory(), s.waits.used)
		}
	})
}
