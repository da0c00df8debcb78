package afpacket

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkRing reads frames of 60 bytes that lie in a ring, and fills slots
// with them: what the program's side costs, without the kernel's part and
// without waiting. It reports the median of the batches.
func BenchmarkRing(b *testing.B) {
	const batch = 4000
	w := newWire(b)
	rx := openRing(b, w.here, KindL2, RingConfig{Rx: &RxConfig{BlockSize: 1 << 16, BlockCount: 1024, Retire: time.Millisecond}})
	tx := openRing(b, w.there, KindL2, RingConfig{Tx: &TxConfig{FrameSize: 256, BlockSize: 1 << 16, BlockCount: 16}})
	data := frame(1, 60)
	median := func(b *testing.B, times []time.Duration) {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/batch, "ns/frame")
	}
	// fill commits a batch, and returns how long that took.
	fill := func(b *testing.B) time.Duration {
		start := time.Now()
		for range batch {
			if err := tx.Commit(copy(tx.Reserve(), data)); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	// arrive sends the batch, and returns when all of it can be read.
	sent := 0
	arrive := func(b *testing.B) {
		soon(b, tx)
		if err := tx.Flush(); err != nil {
			b.Fatal(err)
		}
		sent += batch
		for range int(patience / time.Millisecond) {
			st, err := rx.s.Stats()
			if err != nil || st.Dropped > 0 {
				b.Fatalf("%+v, %v", st, err)
			}
			time.Sleep(5 * time.Millisecond) // until the last block is handed over
			if st.Received == uint64(sent) {
				return
			}
		}
		b.Fatal("frames are missing")
	}
	b.Run("Commit", func(b *testing.B) {
		var times []time.Duration
		var f RingFrame
		for b.Loop() {
			times = append(times, fill(b))
			arrive(b)
			for range batch {
				if err := rx.Next(&f); err != nil {
					b.Fatal(err)
				}
			}
		}
		median(b, times)
	})
	b.Run("Next", func(b *testing.B) {
		var times []time.Duration
		var f RingFrame
		for b.Loop() {
			fill(b)
			arrive(b)
			start := time.Now()
			for range batch {
				if ok, err := rx.TryNext(&f); !ok {
					b.Fatal(err)
				}
			}
			times = append(times, time.Since(start))
		}
		median(b, times)
	})
	var rest RingFrame
	if ok, err := rx.TryNext(&rest); ok || err != nil { // gives the last block back
		b.Fatal(ok, err)
	}
	b.Run("Block", func(b *testing.B) {
		var times []time.Duration
		var f RingFrame
		var block Block
		for b.Loop() {
			fill(b)
			arrive(b)
			start := time.Now()
			for n := 0; n < batch; {
				if ok, err := rx.TryNextBlock(&block); !ok {
					b.Fatal(err)
				}
				for {
					ok, err := block.Next(&f)
					if err != nil {
						b.Fatal(err)
					}
					if !ok {
						break
					}
					n++
				}
			}
			block.Release()
			times = append(times, time.Since(start))
		}
		median(b, times)
	})
}
