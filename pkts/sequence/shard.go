package sequence

import (
	"bytes"
	"hash/maphash"
	"iter"
	"runtime"
	"sync"

	"github.com/gopkts/gopkts/pkts"
)

const (
	// shardBatch is how many packets go to a worker at a time, at most, and
	// shardBytes how many bytes of them, unless one is longer.
	shardBatch = 256
	shardBytes = 256 << 10
	// shardBatches is how many batches a worker has, one at work included.
	shardBatches = 4
)

// Shard spreads packets over n workers that run at the same time, and waits for
// them. All packets between two addresses, in both directions, fragments and the
// contents of tunnels between them included, go to the same worker, in their
// order: each may have its own [Fragments] and [TCP], and finds what a single
// one would find. n below 1 stands for the number of processors.
//
// work is called once for each worker, with its number from 0 and its packets.
// A Datagram and its bytes are valid until the next one. Errors of src go to
// worker 0. The first error that a work returns ends src, and Shard returns it
// when all have returned; a work that returns nil before its packets end has no
// more of them.
//
// Which worker a pair of addresses belongs to depends on a secret that is made
// in each call. Limits are those of each worker, and so is the clock: what is
// given up for having been quiet, or for want of room, may be given up later, or
// at the end, than by a single worker. The packets between two addresses are no
// faster than one worker is.
//
// With one worker, nothing is copied, and work runs in the caller's goroutine.
// Otherwise src does; the workers are goroutines that end before Shard returns.
// What is under way takes about 1 MiB for each.
func Shard(n int, src iter.Seq2[Datagram, error], work func(worker int, src iter.Seq2[Datagram, error]) error) error {
	if n < 1 {
		n = runtime.GOMAXPROCS(0)
	}
	if n == 1 {
		return work(0, src)
	}
	s := sharding{seed: maphash.MakeSeed(), failed: make(chan struct{})}
	s.shards = make([]shard, n)
	var wg sync.WaitGroup
	for i := range s.shards {
		w := &s.shards[i]
		w.full = make(chan *shardWork, shardBatches)
		w.empty = make(chan *shardWork, shardBatches)
		for range shardBatches {
			w.empty <- new(shardWork)
		}
		wg.Go(func() {
			if err := work(i, w.datagrams); err != nil {
				s.once.Do(func() {
					s.err = err
					close(s.failed)
				})
			}
			for b := range w.full { // what it did not want
				w.empty <- b
			}
		})
	}
	s.spread(src)
	for i := range s.shards {
		close(s.shards[i].full)
	}
	wg.Wait()
	return s.err
}

// sharding is one call of Shard.
type sharding struct {
	seed   maphash.Seed
	shards []shard
	once   sync.Once
	failed chan struct{} // closed when err is set
	err    error
}

// shard is a worker, as the one who feeds it sees it.
type shard struct {
	full, empty chan *shardWork
	batch       *shardWork // that is being filled
}

// shardWork is a batch.
type shardWork struct {
	list []shardItem
	buf  []byte
}

type shardItem struct {
	d   Datagram // without Data
	n   int      // how much of buf it is
	err error
}

// datagrams yields what is put into full.
func (w *shard) datagrams(yield func(Datagram, error) bool) {
	for b := range w.full {
		at, more := 0, true
		for i := range b.list {
			x := &b.list[i]
			d := x.d
			d.Data = b.buf[at : at+x.n : at+x.n]
			at += x.n
			if more = yield(d, x.err); !more {
				break
			}
		}
		w.empty <- b
		if !more {
			return
		}
	}
}

// spread gives the workers what src yields.
func (s *sharding) spread(src iter.Seq2[Datagram, error]) {
	for d, err := range src {
		w := &s.shards[0]
		if err == nil {
			w = &s.shards[s.of(&d)]
		}
		if b := w.batch; b != nil && (len(b.list) == shardBatch || len(b.buf)+len(d.Data) > shardBytes && len(b.list) > 0) {
			w.full <- b // there is room for all
			w.batch = nil
		}
		if w.batch == nil {
			select {
			case w.batch = <-w.empty:
			case <-s.failed:
				return
			}
			b := w.batch
			clear(b.list) // errors
			b.list, b.buf = b.list[:0], b.buf[:0]
		}
		b := w.batch
		b.buf = append(b.buf, d.Data...)
		x := shardItem{d, len(d.Data), err}
		x.d.Data = nil
		b.list = append(b.list, x)
	}
	for i := range s.shards {
		if w := &s.shards[i]; w.batch != nil {
			w.full <- w.batch
		}
	}
}

// of returns the worker for a datagram: by the addresses, in their order.
func (s *sharding) of(d *Datagram) uint64 {
	var key [40]byte
	b := d.Data
	var src, dst []byte
	switch {
	case len(b) >= pkts.IPv4MinLen && b[0]>>4 == 4:
		src, dst = b[12:16], b[16:20]
	case len(b) >= pkts.IPv6Len && b[0]>>4 == 6:
		src, dst = b[8:24], b[24:40]
	default:
		return 0
	}
	if bytes.Compare(src, dst) > 0 {
		src, dst = dst, src
	}
	copy(key[:], src)
	copy(key[16:], dst)
	for i := range 8 {
		key[32+i] = byte(d.Tunnel >> (8 * i))
	}
	return maphash.Bytes(s.seed, key[:]) % uint64(len(s.shards))
}
