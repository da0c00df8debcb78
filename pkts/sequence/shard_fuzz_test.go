package sequence

import (
	"errors"
	"io"
	"iter"
	"maps"
	"sync"
	"testing"
)

// FuzzShardAndReader puts any packets into a StreamReader, whose directions are
// read in any order, and into one worker and two.
func FuzzShardAndReader(f *testing.F) {
	f.Add([]byte("\x00\x10\x00\x05\x01\x10\x00\x03\x00\x11\x05\x00\x01\x11\x03\x00"), uint16(10))
	f.Add([]byte("\x00\x02\x00\x00\x01\x12\x00\x00\x00\x10\x01\x20\x00\x10\x41\x20\x00\x10\x21\x20\x01\x04\x01\x00"), uint16(1000))
	f.Fuzz(func(t *testing.T, in []byte, limit uint16) {
		if len(in) > 4000 {
			return
		}
		var ds []Datagram
		payload := make([]byte, 256)
		for i := 0; i+4 <= len(in); i += 4 {
			side := int(in[i] & 1)
			b := rawSegment(nil, 1+side+int(in[i]>>5), 2-side+int(in[i]>>5), 100+side, 101-side, 0, 0, 0, 60000, nil, payload[:in[i+3]])
			b[33] = in[i+1] & 0x3f // flags
			b[27], b[31] = in[i+2], in[i+2]
			if in[i]&2 != 0 {
				b[in[i+1]%40] ^= in[i+2]
			}
			ds = append(ds, Datagram{Data: b, Seen: Seen{Packet: uint64(i/4) + 1}})
		}
		r := NewStreamReader(new(TCP), yielded(ds, nil), nil, int(limit))
		defer r.Close()
		buf := make([]byte, 100)
		var ended [2]bool
		for i := 0; !ended[0] || !ended[1]; i++ {
			if i > 10*len(in)+20*len(ds)+1000 {
				t.Fatal("it does not end")
			}
			d := i & 1
			if len(in) > 0 {
				d = int(in[i%len(in)]) & 1
			}
			if ended[d] {
				d ^= 1
			}
			_, err := r.Direction(Direction(d)).Read(buf)
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				ended[d] = true
			} else if err != nil && !errors.Is(err, ErrGap) {
				t.Fatal(err)
			}
			if kept := len(r.dirs[d^1].buf) - r.dirs[d^1].head; kept > int(max(limit, 1))+256 && limit > 0 {
				t.Fatalf("%d bytes are kept, the limit is %d", kept, limit)
			}
		}
		var all [2]map[uint64]uint64
		for n := range all {
			all[n] = map[uint64]uint64{} // bytes, by the first packet
			var mu sync.Mutex
			if err := Shard(n+1, yielded(ds, nil), func(_ int, src iter.Seq2[Datagram, error]) error {
				mine := map[uint64]uint64{}
				for c, err := range All(new(TCP), src) {
					if err == nil {
						mine[c.Stream] += uint64(len(c.Data)) + c.Lost<<32
					}
				}
				mu.Lock()
				defer mu.Unlock()
				maps.Copy(all[n], mine)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if !maps.Equal(all[0], all[1]) {
			t.Fatalf("one worker: %v, two: %v", all[0], all[1])
		}
	})
}
