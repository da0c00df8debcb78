package sequence

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manyFlows returns packets of connections between many hosts, some of them out
// of order, some repeated.
func manyFlows(flows, segments int) (ds []Datagram) {
	rnd := rand.New(rand.NewPCG(1, 2))
	next := make([][2]uint32, flows)
	for range segments {
		i, side := rnd.IntN(flows), rnd.IntN(2)
		data := make([]byte, rnd.IntN(300))
		for j := range data {
			data[j] = byte(rnd.Uint32())
		}
		a, b := 1+i/3, 1000+i/5
		ports := [2]int{2000 + i, 80}
		if side == 1 {
			a, b, ports[0], ports[1] = b, a, ports[1], ports[0]
		}
		seq := next[i][side]
		if rnd.IntN(10) > 0 {
			next[i][side] += uint32(len(data))
		}
		ds = append(ds, Datagram{Data: rawSegment(nil, a, b, ports[0], ports[1], 0x10, 5000+seq, 5000+next[i][side^1], 65535, nil, data)})
		if n := len(ds); n > 5 && rnd.IntN(10) == 0 {
			ds[n-1], ds[n-4] = ds[n-4], ds[n-1]
		}
	}
	for i := range ds {
		ds[i].Seen = Seen{Packet: uint64(i) + 1, Time: scriptStart.Add(time.Duration(i) * time.Microsecond)}
	}
	return ds
}

// yielded yields packets in one buffer, as a file does.
func yielded(ds []Datagram, err error) iter.Seq2[Datagram, error] {
	return func(yield func(Datagram, error) bool) {
		var buf []byte
		for i, d := range ds {
			buf = append(buf[:0], d.Data...)
			d.Data = buf
			if !yield(d, nil) || err != nil && i%100 == 0 && !yield(Datagram{}, err) {
				return
			}
		}
	}
}

// Any number of workers find what one finds.
func TestShard(t *testing.T) {
	ds := manyFlows(200, 20_000)
	failure := errors.New("a frame is damaged")
	run := func(n int) (all map[string]string, sum TCPStats, errs int, busy int) {
		var mu sync.Mutex
		all = map[string]string{}
		if err := Shard(n, yielded(ds, failure), func(worker int, src iter.Seq2[Datagram, error]) error {
			streams := map[string]string{}
			failed := 0
			tcp := new(TCP)
			s := Then(Sequence[Datagram, Datagram](new(Fragments)), Sequence[Datagram, Chunk](tcp))
			for c, err := range All(s, src) {
				if errors.Is(err, failure) {
					failed++
				}
				if err != nil {
					continue
				}
				// Which packet let an End out is another matter.
				k := fmt.Sprint(c.Stream, c.Flow)
				streams[k] += fmt.Sprintf("%d+%d %x %d\n", c.Offset, c.Lost, c.Data, c.Events)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(streams) > 0 {
				busy++
			}
			if failed > 0 && worker != 0 {
				t.Errorf("worker %d has errors of the source", worker)
			}
			errs += failed
			for k := range streams {
				if _, ok := all[k]; ok {
					t.Errorf("two workers have %s", k)
				}
			}
			maps.Copy(all, streams)
			st := tcp.Stats()
			sum.Segments += st.Segments
			sum.Bytes += st.Bytes
			sum.Delivered += st.Delivered
			sum.Lost += st.Lost
			sum.Streams += st.Streams
			sum.Duplicate += st.Duplicate
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return all, sum, errs, busy
	}
	want, stats, errs, _ := run(1)
	if len(want) < 300 || stats.Segments != 20_000 || stats.Duplicate == 0 || errs != 200 {
		t.Fatalf("%d directions, %d errors, %+v", len(want), errs, stats)
	}
	for _, n := range []int{2, 3, 7} {
		got, s, e, busy := run(n)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d workers: %.500s", n, d)
		}
		if s != stats || e != errs || busy != n {
			t.Errorf("%d workers, %d of them busy: %d errors, %+v\nwant %+v", n, busy, e, s, stats)
		}
	}
}

// A worker that has enough stops nobody else; one that fails stops all.
func TestShardStops(t *testing.T) {
	ds := manyFlows(100, 5000)
	var mu sync.Mutex
	total, first := 0, 0
	if err := Shard(3, yielded(ds, nil), func(worker int, src iter.Seq2[Datagram, error]) error {
		n := 0
		for range src {
			if n++; worker == 0 && n == 10 {
				break
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if worker == 0 {
			first = n
		}
		total += n
		return nil
	}); err != nil || first != 10 || total < 1000 || total > 4990 {
		t.Errorf("%v: %d packets, the first worker %d", err, total, first)
	}

	failure := errors.New("full")
	pulled := 0
	err := Shard(3, func(yield func(Datagram, error) bool) {
		for { // without end
			for _, d := range ds {
				pulled++
				if !yield(d, nil) {
					return
				}
			}
		}
	}, func(worker int, src iter.Seq2[Datagram, error]) error {
		n := 0
		for range src {
			if n++; worker == 1 && n == 100 {
				return failure
			}
		}
		return nil
	})
	if err != failure || pulled < 100 {
		t.Errorf("%v after %d packets", err, pulled)
	}
}
