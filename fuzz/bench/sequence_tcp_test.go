package bench_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/reassembly"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// A tcpTrace is frames in memory: flows, interleaved, of a handshake, segments
// of 1000 bytes one way, an acknowledgment for every eighth, and FINs.
type tcpTrace struct {
	name    string
	frames  [][]byte
	payload int // bytes that are to be delivered
	flows   int
}

const tcpTraceSegment = 1000

// tcpFrames makes a trace. Of the segments, reorder per cent come up to 3 places
// later than they should, and loss per cent again after 16 others, as a
// retransmission does that the capture sees and whose original it does not.
func tcpFrames(flows, segments, reorder, loss int) *tcpTrace {
	t := &tcpTrace{name: fmt.Sprintf("flows=%d/reorder=%d%%/loss=%d%%", flows, reorder, loss), flows: flows, payload: flows * segments * tcpTraceSegment}
	rng := rand.New(rand.NewPCG(1, uint64(flows)))
	perFlow := segments + segments/8 + 5
	arena := make([]byte, 0, flows*(segments*(54+tcpTraceSegment)+(segments/8+5)*54))
	frame := func(flow int, back bool, flags pkts.TCPFlags, seq, ack uint32, n int) []byte {
		at := len(arena)
		arena = arena[:at+54+n]
		b := arena[at:]
		copy(b, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45})
		be := binary.BigEndian
		be.PutUint16(b[16:], uint16(40+n))
		b[22], b[23] = 64, 6
		src, dst, sp, dp := uint32(10<<24|1+flow>>13), uint32(10<<24|1<<20), uint16(50000+flow&(1<<13-1)), uint16(60000) // which gopacket takes for no protocol
		if back {
			src, dst, sp, dp = dst, src, dp, sp
		}
		be.PutUint32(b[26:], src)
		be.PutUint32(b[30:], dst)
		be.PutUint16(b[34:], sp)
		be.PutUint16(b[36:], dp)
		be.PutUint32(b[38:], seq)
		be.PutUint32(b[42:], ack)
		be.PutUint16(b[46:], 5<<12|uint16(flags))
		be.PutUint16(b[48:], 65535)
		return b
	}
	lists := make([][][]byte, flows)
	for f := range lists {
		isn := rng.Uint32()
		list := make([][]byte, 0, perFlow)
		list = append(list, frame(f, false, pkts.TCPSyn, isn, 0, 0), frame(f, true, pkts.TCPSyn|pkts.TCPAck, 7, isn+1, 0), frame(f, false, pkts.TCPAck, isn+1, 8, 0))
		type late struct {
			b  []byte
			at int
		}
		var held []late
		acked := 0
		for i := range segments {
			seq := isn + 1 + uint32(i*tcpTraceSegment)
			b := frame(f, false, pkts.TCPAck, seq, 8, tcpTraceSegment)
			switch r := rng.IntN(100); {
			case r < reorder:
				held = append(held, late{b, i + 1 + rng.IntN(3)})
			case r < reorder+loss:
				held = append(held, late{b, i + 16})
			default:
				list = append(list, b)
			}
			for k := 0; k < len(held); {
				if held[k].at > i && i != segments-1 {
					k++
					continue
				}
				list = append(list, held[k].b)
				held = append(held[:k], held[k+1:]...)
			}
			if i%8 == 7 && len(held) == 0 {
				acked = i + 1
				list = append(list, frame(f, true, pkts.TCPAck, 8, isn+1+uint32(acked*tcpTraceSegment), 0))
			}
		}
		end := isn + 1 + uint32(segments*tcpTraceSegment)
		list = append(list, frame(f, false, pkts.TCPAck|pkts.TCPFin, end, 8, 0), frame(f, true, pkts.TCPAck|pkts.TCPFin, 8, end+1, 0))
		lists[f] = list
	}
	for i := 0; ; i++ {
		n := len(t.frames)
		for _, l := range lists {
			if i < len(l) {
				t.frames = append(t.frames, l[i])
			}
		}
		if len(t.frames) == n {
			break
		}
	}
	// In memory, too, they lie in the order in which they come, as what was
	// captured does.
	ordered := make([]byte, 0, len(arena))
	for i, f := range t.frames {
		at := len(ordered)
		ordered = append(ordered, f...)
		t.frames[i] = ordered[at:len(ordered):len(ordered)]
	}
	return t
}

// tcpOurs is what is compared: decode, take the IP packet, put it, read what
// comes out.
type tcpOurs struct {
	p     pkts.Packet
	tcp   sequence.TCP
	bytes int
	n     uint64
	now   time.Time
}

func (o *tcpOurs) frame(b []byte) {
	if o.n++; o.n%16 == 0 {
		o.now = o.now.Add(16 * time.Microsecond)
	}
	if o.p.Decode(link.TypeEthernet, b) != nil {
		return
	}
	v, ok := pkts.View[pkts.IPv4View](&o.p)
	if !ok {
		return
	}
	c, ok, _ := o.tcp.PutGet(sequence.Datagram{Data: v, Seen: sequence.Seen{Packet: o.n, Time: o.now}})
	for ; ok; c, ok = o.tcp.Get() {
		o.bytes += len(c.Data)
	}
}

// again begins another pass: later, so that the same numbers are those of new
// connections.
func (o *tcpOurs) again() {
	o.bytes = 0
	o.now = o.now.Add(2 * time.Minute)
}

func (p *tcpPeer) again() {
	p.bytes = 0
	p.ci.Timestamp = p.ci.Timestamp.Add(2 * time.Minute)
}

// tcpPeer is the same with gopacket: a DecodingLayerParser and an Assembler.
type tcpPeer struct {
	parser    *gopacket.DecodingLayerParser
	eth       layers.Ethernet
	ip        layers.IPv4
	tcp       layers.TCP
	payload   gopacket.Payload
	decoded   []gopacket.LayerType
	assembler *reassembly.Assembler
	ci        gopacket.CaptureInfo
	bytes     int
	n         uint64
}

func newTCPPeer() *tcpPeer {
	p := &tcpPeer{ci: gopacket.CaptureInfo{Timestamp: time.Unix(1e9, 0)}}
	p.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &p.eth, &p.ip, &p.tcp, &p.payload)
	p.assembler = reassembly.NewAssembler(reassembly.NewStreamPool(p))
	return p
}

func (p *tcpPeer) New(_, _ gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	return p
}

func (p *tcpPeer) Accept(*layers.TCP, gopacket.CaptureInfo, reassembly.TCPFlowDirection, reassembly.Sequence, *bool, reassembly.AssemblerContext) bool {
	return true
}

func (p *tcpPeer) ReassembledSG(sg reassembly.ScatterGather, _ reassembly.AssemblerContext) {
	n, _ := sg.Lengths()
	p.bytes += len(sg.Fetch(n))
}

func (p *tcpPeer) ReassemblyComplete(reassembly.AssemblerContext) bool { return true }

func (p *tcpPeer) GetCaptureInfo() gopacket.CaptureInfo { return p.ci }

func (p *tcpPeer) frame(b []byte) {
	if p.n++; p.n%16 == 0 {
		p.ci.Timestamp = p.ci.Timestamp.Add(16 * time.Microsecond)
	}
	p.ci.CaptureLength, p.ci.Length = len(b), len(b)
	if p.parser.DecodeLayers(b, &p.decoded) != nil {
		return
	}
	p.assembler.AssembleWithContext(p.ip.NetworkFlow(), &p.tcp, p)
}

// TestTCPSums shows that both deliver the same.
func TestTCPSums(t *testing.T) {
	for _, tr := range []*tcpTrace{tcpFrames(20, 100, 0, 0), tcpFrames(20, 100, 5, 1)} {
		ours, peer := new(tcpOurs), newTCPPeer()
		for _, b := range tr.frames {
			ours.frame(b)
			peer.frame(b)
		}
		if ours.bytes != tr.payload || peer.bytes != tr.payload {
			t.Errorf("%s: %d bytes, ours %d, gopacket %d", tr.name, tr.payload, ours.bytes, peer.bytes)
		}
	}
}

// BenchmarkTCP is one pass over a trace per iteration, with what was kept from
// the pass before where a library keeps something.
func BenchmarkTCP(b *testing.B) {
	for _, size := range [][2]int{{100, 1000}, {10_000, 10}} {
		for _, disorder := range [][2]int{{0, 0}, {5, 1}} {
			tr := tcpFrames(size[0], size[1], disorder[0], disorder[1])
			run := func(name string, again func(), frame func([]byte), bytes *int) {
				b.Run(tr.name+"/"+name, func(b *testing.B) {
					start := cpuTime()
					b.ReportAllocs()
					n := 0
					for b.Loop() {
						again()
						for _, f := range tr.frames {
							frame(f)
						}
						n += len(tr.frames)
						if *bytes != tr.payload {
							b.Fatalf("%d bytes, want %d", *bytes, tr.payload)
						}
					}
					b.ReportMetric(float64(cpuTime()-start)/float64(n), "cpu-ns/packet")
				})
			}
			ours, peer := &tcpOurs{now: time.Unix(1e9, 0)}, newTCPPeer()
			run("gopkts", ours.again, ours.frame, &ours.bytes)
			run("gopacket", peer.again, peer.frame, &peer.bytes)
		}
	}
}

// tcpHeap returns the bytes that the heap holds.
func tcpHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestTCPMemory compares what is held in the middle of a trace, where more waits
// than elsewhere, and near the end: at most half of what gopacket does.
func TestTCPMemory(t *testing.T) {
	for _, tt := range []struct{ flows, segments, reorder, loss int }{{100, 1000, 5, 1}, {10_000, 10, 0, 0}, {10_000, 10, 5, 1}} {
		tr := tcpFrames(tt.flows, tt.segments, tt.reorder, tt.loss)
		for _, tenths := range []int{7, 9} {
			part := tr.frames[:len(tr.frames)*tenths/10]
			before := tcpHeap()
			ours := &tcpOurs{now: time.Unix(1e9, 0)}
			for _, f := range part {
				ours.frame(f)
			}
			a := tcpHeap() - before
			before = tcpHeap()
			peer := newTCPPeer()
			for _, f := range part {
				peer.frame(f)
			}
			b := tcpHeap() - before
			t.Logf("%s, %d tenths: gopkts %d KiB, gopacket %d KiB: %.3f", tr.name, tenths, a>>10, b>>10, float64(a)/float64(b))
			if 2*a > b {
				t.Errorf("%s, %d tenths: gopkts holds %d bytes, gopacket %d", tr.name, tenths, a, b)
			}
			runtime.KeepAlive(ours)
			runtime.KeepAlive(peer)
		}
	}
}

// batches puts the frames through [sequence.DatagramBatches], as a ring would
// hand them out, and calls lap after every lapFrames of them, and at the end.
func (o *tcpOurs) batches(frames [][]byte, lap func()) {
	at := 0
	next := func(fs []link.Frame) (n int, err error) {
		if at > 0 && at%lapFrames == 0 || at == len(frames) {
			lap()
		}
		for ; n < len(fs) && at < len(frames); n++ {
			if at++; at%16 == 0 {
				o.now = o.now.Add(16 * time.Microsecond)
			}
			f := &fs[n]
			f.Link, f.Data, f.Time = link.TypeEthernet, frames[at-1], o.now
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
		c, ok, _ := o.tcp.PutGet(d)
		for ; ok; c, ok = o.tcp.Get() {
			o.bytes += len(c.Data)
		}
	}
}

// lapFrames is how many frames are timed at once: so few that one lap or another
// of the same frames is not disturbed by what else the machine does. A multiple
// of what DatagramBatches asks for.
const lapFrames = 1 << 11

// laps are the least processor times of the stretches of a trace, and of a pass
// as a whole. What the collector does beside a stretch is mostly not in its
// least, which is in favour of those that allocate; it is in that of a pass.
type laps struct {
	least       []time.Duration
	i           int
	start       time.Duration
	pass, whole time.Duration // this pass so far, and the least of those that have ended
}

func (l *laps) begin() {
	l.end()
	l.start = cpuTime()
}

// end ends a pass.
func (l *laps) end() {
	if l.i > 0 && (l.whole == 0 || l.pass < l.whole) {
		l.whole = l.pass
	}
	l.i, l.pass = 0, 0
}

func (l *laps) lap() {
	if l.i == len(l.least) {
		l.least = append(l.least, 1<<62)
	}
	d := cpuTime() - l.start
	l.least[l.i] = min(l.least[l.i], d)
	l.pass += d
	l.i++
	l.start = cpuTime()
}

func (l *laps) sum() (d time.Duration) {
	for _, x := range l.least {
		d += x
	}
	return d
}

// each calls frame for each frame, and lap as batches does.
func each(frames [][]byte, frame func([]byte), lap func()) {
	for at := 0; at < len(frames); at += lapFrames {
		for _, f := range frames[at:min(at+lapFrames, len(frames))] {
			frame(f)
		}
		lap()
	}
}

// BenchmarkTCPRatio measures in turn, a pass each per iteration, and reports the
// minima and their ratios: what docs/sequences.md has. The frames of ours come in
// batches, and, for one-ns/packet, one after the other, as those of gopacket do.
func BenchmarkTCPRatio(b *testing.B) {
	for _, size := range [][2]int{{100, 1000}, {10_000, 10}} {
		for _, disorder := range [][2]int{{0, 0}, {5, 1}} {
			tr := tcpFrames(size[0], size[1], disorder[0], disorder[1])
			b.Run(tr.name, func(b *testing.B) {
				ours, one, peer := &tcpOurs{now: time.Unix(1e9, 0)}, &tcpOurs{now: time.Unix(1e9, 0)}, newTCPPeer()
				var t [3]laps
				for b.Loop() {
					ours.again()
					one.again()
					peer.again()
					runtime.GC()
					t[0].begin()
					ours.batches(tr.frames, t[0].lap)
					runtime.GC()
					t[1].begin()
					each(tr.frames, one.frame, t[1].lap)
					runtime.GC()
					t[2].begin()
					each(tr.frames, peer.frame, t[2].lap)
					if ours.bytes != tr.payload || one.bytes != tr.payload || peer.bytes != tr.payload {
						b.Fatalf("%d and %d bytes, gopacket %d, want %d", ours.bytes, one.bytes, peer.bytes, tr.payload)
					}
				}
				n := float64(len(tr.frames))
				b.ReportMetric(float64(t[0].sum())/n, "gopkts-ns/packet")
				b.ReportMetric(float64(t[1].sum())/n, "one-ns/packet")
				b.ReportMetric(float64(t[2].sum())/n, "gopacket-ns/packet")
				b.ReportMetric(float64(t[2].sum())/float64(t[0].sum()), "times")
				b.ReportMetric(float64(t[2].sum())/float64(t[1].sum()), "times-one")
				for i := range t {
					t[i].end()
				}
				b.ReportMetric(float64(t[2].whole)/float64(t[0].whole), "times-whole")
				b.ReportMetric(float64(t[2].whole)/float64(t[1].whole), "times-whole-one")
			})
		}
	}
}

// adversaries are packets that are meant to cost much. make returns the n-th of
// flow 0, or of any.
var adversaries = []struct {
	name string
	make func(f *rawTCP, n int)
}{
	{"in order", func(f *rawTCP, n int) { f.segment(n%100, uint32(n/100), 1) }},
	{"neighbours swapped", func(f *rawTCP, n int) { f.segment(n%100, uint32(n/100)^1, 1) }},
	{"one byte each, in reverse order", func(f *rawTCP, n int) { f.segment(0, 1<<30-uint32(n), 1) }},
	{"every other byte, in reverse order", func(f *rawTCP, n int) { f.segment(0, 1<<30-uint32(n)*2, 1) }},
	{"every other byte, then across them", func(f *rawTCP, n int) {
		if n%8 < 4 {
			f.segment(0, 1<<20+uint32(n)*2, 1)
		} else {
			f.segment(0, 1<<20+uint32(n)*2-8, 16)
		}
	}},
	{"overlaps at random", func(f *rawTCP, n int) { f.segment(0, 1000+f.rng.Uint32N(1<<20), 1+int(f.rng.Uint32N(30))) }},
	{"overlaps at random that differ", func(f *rawTCP, n int) {
		f.segment(0, 1000+f.rng.Uint32N(1<<20), 1+int(f.rng.Uint32N(30)))
		for i := range f.b[40:] {
			f.b[40+i] = byte(n)
		}
	}},
	{"a byte in each page, at random", func(f *rawTCP, n int) { f.segment(0, 1000+f.rng.Uint32N(1<<14)<<11, 1) }},
	{"new connections, each with a SYN, then a segment in order", func(f *rawTCP, n int) { f.opened(n, 0) }},
	{"new connections, each with a SYN, then one that waits", func(f *rawTCP, n int) { f.opened(n, 1000) }},
	{"segments of new connections", func(f *rawTCP, n int) { f.segment(n, 1000, 1) }},
	{"SYNs of new connections", func(f *rawTCP, n int) { f.fill(n, pkts.TCPSyn, 0, 0) }},
}

// opened makes a SYN, and behind it, next, a byte at seq.
func (f *rawTCP) opened(n int, seq uint32) {
	if n%2 == 0 {
		f.fill(100+n/2, pkts.TCPSyn, 1<<32-1, 0)
	} else {
		f.segment(100+n/2, seq, 1)
	}
}

// rawTCP makes IP packets in a buffer, b[:n].
type rawTCP struct {
	b   [20 + 20 + 32]byte
	rng *rand.Rand
	n   int
}

func (f *rawTCP) segment(flow int, seq uint32, n int) { f.fill(flow, pkts.TCPAck, seq, n) }

func (f *rawTCP) fill(flow int, flags pkts.TCPFlags, seq uint32, n int) {
	be := binary.BigEndian
	b := f.b[:]
	f.n = 40 + n
	b[0], b[8], b[9] = 0x45, 64, 6
	be.PutUint16(b[2:], uint16(f.n))
	be.PutUint32(b[12:], uint32(10<<24|flow>>14))
	be.PutUint32(b[16:], uint32(11<<24))
	be.PutUint16(b[20:], uint16(1024+flow&(1<<14-1)))
	be.PutUint16(b[22:], 443)
	be.PutUint32(b[24:], seq)
	be.PutUint16(b[32:], 5<<12|uint16(flags))
}

// A tcpAdversary is a trace that is put again and again, each time into another
// [sequence.TCP].
type tcpAdversary struct {
	frames [][]byte
	laps   laps
}

// newTCPAdversary makes a trace of n packets, behind the SYNs of the first 100
// flows.
func newTCPAdversary(n int, next func(f *rawTCP, n int)) *tcpAdversary {
	f := &rawTCP{rng: rand.New(rand.NewPCG(1, 2))}
	log := make([]byte, 0, n*(14+len(f.b)))
	a := new(tcpAdversary)
	frame := func() {
		at := len(log)
		log = append(log, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)
		log = append(log, f.b[:f.n]...)
		a.frames = append(a.frames, log[at:len(log):len(log)])
	}
	for flow := range 100 {
		f.fill(flow, pkts.TCPSyn, 1<<32-1, 0)
		frame()
	}
	for i := range n - 100 {
		next(f, i)
		frame()
	}
	return a
}

func (a *tcpAdversary) run() {
	runtime.GC()
	o := &tcpOurs{now: time.Unix(1e9, 0)}
	a.laps.begin()
	o.batches(a.frames, a.laps.lap)
}

func (a *tcpAdversary) perPacket() float64 { return float64(a.laps.sum()) / float64(len(a.frames)) }

// BenchmarkTCPAdversary reports what packets cost that are meant to cost much,
// decoding included, and how many times as much that is as segments of the same
// size cost of which neighbours are swapped, and those in order.
func BenchmarkTCPAdversary(b *testing.B) {
	const packets = 200_000
	ordered, swapped := newTCPAdversary(packets, adversaries[0].make), newTCPAdversary(packets, adversaries[1].make)
	for _, v := range adversaries {
		b.Run(v.name, func(b *testing.B) {
			a := newTCPAdversary(packets, v.make)
			for b.Loop() {
				ordered.run()
				swapped.run()
				a.run()
			}
			b.ReportMetric(a.perPacket(), "ns/packet")
			b.ReportMetric(a.perPacket()/swapped.perPacket(), "times")
			b.ReportMetric(a.perPacket()/ordered.perPacket(), "times-in-order")
		})
	}
}

// BenchmarkTCPFlows reports the memory and the time for each of many connections
// that are open at the same time, with a segment each.
func BenchmarkTCPFlows(b *testing.B) {
	for _, flows := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			least, memory := 1e18, int64(0)
			for b.Loop() {
				before := tcpHeap()
				f, s := new(rawTCP), sequence.TCP{}
				start := cpuTime()
				for i := range flows {
					f.fill(i, pkts.TCPSyn, 7, 0)
					s.Put(sequence.Datagram{Data: f.b[:f.n], Seen: sequence.Seen{Packet: uint64(i)}})
				}
				for i := range flows {
					f.segment(i, 8, 10)
					s.PutGet(sequence.Datagram{Data: f.b[:f.n], Seen: sequence.Seen{Packet: uint64(i)}})
				}
				least = min(least, float64(cpuTime()-start)/float64(2*flows))
				memory = tcpHeap() - before
				if s.Stats().Flows != flows {
					b.Fatal(s.Stats())
				}
			}
			b.ReportMetric(least, "cpu-ns/packet")
			b.ReportMetric(float64(memory)/float64(flows), "B/flow")
		})
	}
}
