package bench_test

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/layers"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// Traces of fragments, all in memory: 10,000 datagrams of 20 fragments of 1,000
// bytes, so many of them at the same time, and a tenth of the fragments one or
// two places too late.

const (
	fragDatagrams = 10_000
	fragPieces    = 20
	fragBytes     = 1000
)

// fragFrame appends an Ethernet frame with a fragment.
func fragFrame(b []byte, datagram, off, n int, more bool) []byte {
	b = append(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)
	ip := len(b)
	b = append(b, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 1, 0, 1)
	binary.BigEndian.PutUint16(b[ip+2:], uint16(20+n))
	binary.BigEndian.PutUint16(b[ip+4:], uint16(datagram))
	flags := uint16(off / 8)
	if more {
		flags |= 0x2000
	}
	binary.BigEndian.PutUint16(b[ip+6:], flags)
	binary.BigEndian.PutUint16(b[ip+14:], uint16(datagram>>4))
	at := len(b)
	b = append(b, make([]byte, n)...)
	for i := at; i < len(b); i += 8 {
		b[i] = byte(off + i - at)
	}
	return b
}

// frameLog is frames in one piece of memory, as they would lie in a mapped
// file.
type frameLog struct {
	bytes []byte
	ends  []int
}

func (l *frameLog) frame(i int) []byte {
	start := 0
	if i > 0 {
		start = l.ends[i-1]
	}
	return l.bytes[start:l.ends[i]]
}

// benignFragments returns a trace with so many datagrams at a time.
func benignFragments(inFlight int) *frameLog {
	type piece struct{ datagram, n int }
	var order []piece
	for first := 0; first < fragDatagrams; first += inFlight {
		for n := range fragPieces {
			for d := range inFlight {
				order = append(order, piece{first + d, n})
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range order {
		if rng.IntN(10) == 0 {
			// A place among the fragments of its own datagram.
			if j := i + inFlight*(1+rng.IntN(2)); j < len(order) {
				order[i], order[j] = order[j], order[i]
			}
		}
	}
	l := &frameLog{bytes: make([]byte, 0, len(order)*(fragBytes+34))}
	for _, p := range order {
		l.bytes = fragFrame(l.bytes, p.datagram, p.n*fragBytes, fragBytes, p.n < fragPieces-1)
		l.ends = append(l.ends, len(l.bytes))
	}
	return l
}

// A defragmenter takes the frames of a trace, all at a time, calls lap after
// every lapFrames of them and at the end, and returns how many bytes of payload
// came out.
type defragmenter struct {
	name string
	make func() func(l *frameLog, now time.Time, lap func()) int
}

var defragmenters = []defragmenter{
	{"gopkts", func() func(*frameLog, time.Time, func()) int {
		return gopktsDefrag(&sequence.Fragments{Limits: sequence.Limits{Bytes: 1 << 30}})
	}},
	{"one", func() func(*frameLog, time.Time, func()) int { // ours, frame by frame
		s := &sequence.Fragments{Limits: sequence.Limits{Bytes: 1 << 30}}
		var p pkts.Packet
		return eachFragment(func(frame []byte, now time.Time) int {
			if p.Decode(link.TypeEthernet, frame) != nil {
				return 0
			}
			d, ok := sequence.Outermost(&p)
			if !ok {
				return 0
			}
			d.Packet, d.Time = 1, now
			out, ok, _ := s.PutGet(d)
			if !ok {
				return 0
			}
			return len(out.Data) - pkts.IPv4View(out.Data).HeaderLen()
		})
	}},
	{"gopacket", func() func(*frameLog, time.Time, func()) int {
		d := ip4defrag.NewIPv4Defragmenter()
		var eth layers.Ethernet
		return eachFragment(func(frame []byte, now time.Time) int {
			if eth.DecodeFromBytes(frame, gopacket.NilDecodeFeedback) != nil {
				return 0
			}
			ip := new(layers.IPv4) // it is kept
			if ip.DecodeFromBytes(eth.Payload, gopacket.NilDecodeFeedback) != nil {
				return 0
			}
			out, err := d.DefragIPv4WithTimestamp(ip, now)
			if err != nil || out == nil {
				return 0
			}
			return len(out.Payload)
		})
	}},
}

// eachFragment puts the frames one after the other.
func eachFragment(put func(frame []byte, now time.Time) int) func(*frameLog, time.Time, func()) int {
	return func(l *frameLog, now time.Time, lap func()) (sum int) {
		for i := range l.ends {
			sum += put(l.frame(i), now)
			if (i+1)%lapFrames == 0 || i+1 == len(l.ends) {
				lap()
			}
		}
		return sum
	}
}

// gopktsDefrag puts the frames in batches, as a ring would hand them out.
func gopktsDefrag(s *sequence.Fragments) func(*frameLog, time.Time, func()) int {
	return func(l *frameLog, now time.Time, lap func()) (sum int) {
		at := 0
		next := func(fs []link.Frame) (n int, err error) {
			if at > 0 && at%lapFrames == 0 || at == len(l.ends) {
				lap()
			}
			for ; n < len(fs) && at < len(l.ends); n++ {
				f := &fs[n]
				f.Link, f.Data, f.Time = link.TypeEthernet, l.frame(at), now
				at++
			}
			if n == 0 {
				err = io.EOF
			}
			return n, err
		}
		for d, err := range sequence.DatagramBatches(next, nil) {
			if err != nil {
				continue
			}
			if out, ok, _ := s.PutGet(d); ok {
				sum += len(out.Data) - pkts.IPv4View(out.Data).HeaderLen()
			}
		}
		return sum
	}
}

// TestFragments checks that all put everything together.
func TestFragments(t *testing.T) {
	trace := benignFragments(100)
	for _, d := range defragmenters {
		if sum := d.make()(trace, time.Unix(0, 0), func() {}); sum != fragDatagrams*fragPieces*fragBytes {
			t.Errorf("%s: %d bytes", d.name, sum)
		}
	}
}

// A measured runs a trace, which is much longer than the cache, again and again.
type measured struct {
	put   func(*frameLog, time.Time, func()) int
	trace *frameLog
	laps  laps
	now   time.Time
}

func newMeasured(put func(*frameLog, time.Time, func()) int, trace *frameLog) *measured {
	s := &measured{put: put, trace: trace}
	// Twice before, so that memory that is kept for reuse is there.
	s.run()
	s.run()
	s.laps = laps{}
	return s
}

func (s *measured) run() {
	s.laps.begin()
	s.put(s.trace, s.now, s.laps.lap)
	s.laps.end()
	s.now = s.now.Add(time.Minute)
}

// perFragment is the least processor time of a fragment, in nanoseconds.
func (s *measured) perFragment() float64 { return float64(s.laps.sum()) / float64(len(s.trace.ends)) }

// BenchmarkFragments: an operation is a whole trace with each, one after the
// other; the metrics are per fragment, decoding included.
func BenchmarkFragments(b *testing.B) {
	for _, inFlight := range []struct {
		name string
		n    int
	}{{"100", 100}, {"10000", 10_000}} {
		b.Run(inFlight.name, func(b *testing.B) {
			trace := benignFragments(inFlight.n)
			var runs []*measured
			for _, d := range defragmenters {
				runs = append(runs, newMeasured(d.make(), trace))
			}
			for b.Loop() {
				for _, s := range runs {
					s.run()
				}
			}
			for i, s := range runs {
				b.ReportMetric(s.perFragment(), defragmenters[i].name+"-ns/fragment")
			}
			peer := runs[len(runs)-1].perFragment()
			b.ReportMetric(peer/runs[0].perFragment(), "times")
			b.ReportMetric(peer/runs[1].perFragment(), "times-one")
			pass := float64(runs[len(runs)-1].laps.whole)
			b.ReportMetric(pass/float64(runs[0].laps.whole), "times-whole")
			b.ReportMetric(pass/float64(runs[1].laps.whole), "times-whole-one")
		})
	}
}

// hostileFragments are traces that somebody chose who wants to cost much.
var hostileFragments = []struct {
	name   string
	limits sequence.Limits
	policy sequence.FragmentPolicy
	trace  func() *frameLog
}{
	{"units in reverse order", sequence.Limits{}, sequence.FragmentsReject, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 20 {
				for u := 8000; u >= 0; u-- {
					add(d, u*8, 8, u < 8000)
				}
			}
		})
	}},
	{"every other unit first", sequence.Limits{}, sequence.FragmentsReject, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 20 {
				for start := range 2 {
					for u := start; u <= 8000; u += 2 {
						add(d, u*8, 8, u < 8000)
					}
				}
			}
		})
	}},
	{"tiny ones that overlap, all policies but reject", sequence.Limits{}, sequence.FragmentsLinux, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			rng := rand.New(rand.NewPCG(1, 1))
			for d := range 20 {
				for range 8000 {
					u := rng.IntN(8000)
					add(d, u*8, 16, true)
				}
			}
		})
	}},
	{"long ones that overlap many tiny ones", sequence.Limits{}, sequence.FragmentsWindows, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 10 {
				for u := 0; u < 8000; u += 2 {
					add(d, u*8, 8, true)
				}
				for u := range 7800 {
					add(d, u*8, 1000, true)
				}
			}
		})
	}},
	{"tiny ones at the end of a long one", sequence.Limits{}, sequence.FragmentsFirst, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 10 {
				add(d, 8, 64000, true)
				for range 8000 {
					add(d, 63992, 16, true)
				}
			}
		})
	}},
	{"rejected at once", sequence.Limits{}, sequence.FragmentsReject, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 60000 {
				add(d, 8, 16, true)
				add(d, 16, 16, true)
				add(d, 16, 16, true)
			}
		})
	}},
	{"never complete, the last unit of each", sequence.Limits{}, sequence.FragmentsReject, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 1 << 17 {
				add(d, 65496, 8, true)
			}
		})
	}},
	{"never complete, first fragments", sequence.Limits{}, sequence.FragmentsReject, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			for d := range 1 << 17 {
				add(d, 0, 1000, true)
			}
		})
	}},
	{"never complete, of all lengths", sequence.Limits{}, sequence.FragmentsReject, func() *frameLog {
		return logFragments(func(add func(datagram, off, n int, more bool)) {
			rng := rand.New(rand.NewPCG(1, 1))
			for d := range 1 << 17 {
				add(d, 8*rng.IntN(8100), 8, true)
			}
		})
	}},
}

func logFragments(f func(add func(datagram, off, n int, more bool))) *frameLog {
	l := new(frameLog)
	f(func(datagram, off, n int, more bool) {
		l.bytes = fragFrame(l.bytes, datagram, off, n, more)
		l.ends = append(l.ends, len(l.bytes))
	})
	return l
}

// BenchmarkHostileFragments: an operation is a whole trace; the metrics are per
// fragment, decoding included, and how many times a benign one it costs. None
// should cost more than three times as much.
func BenchmarkHostileFragments(b *testing.B) {
	benign := newMeasured(gopktsDefrag(new(sequence.Fragments)), benignFragments(100))
	for _, h := range hostileFragments {
		b.Run(h.name, func(b *testing.B) {
			s := newMeasured(gopktsDefrag(&sequence.Fragments{Limits: h.limits, Policy: h.policy}), h.trace())
			for b.Loop() {
				benign.run()
				s.run()
			}
			b.ReportMetric(s.perFragment(), "ns/fragment")
			b.ReportMetric(s.perFragment()/benign.perFragment(), "times")
		})
	}
}
