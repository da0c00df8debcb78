package bench_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopkts/gopkts/pkts/sctp"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// rawSCTP makes IP packets with SCTP in a buffer.
type rawSCTP struct {
	b    [1500]byte
	n    int // bytes of b that are used
	size int // of user data in a chunk
	rng  *rand.Rand
	perm []int
}

// The verification tags of the two ends: of packets to the one that opened the
// association, and to the other.
const (
	sctpTagA = 0xaaaa
	sctpTagB = 0xbbbb
)

// start begins a packet.
func (f *rawSCTP) start(back bool, tag uint32) {
	be := binary.BigEndian
	src, dst, sp, dp := uint32(10<<24|1), uint32(10<<24|2), uint16(5001), uint16(80)
	if back {
		src, dst, sp, dp = dst, src, dp, sp
	}
	b := f.b[:]
	b[0], b[8], b[9] = 0x45, 64, 132
	be.PutUint32(b[12:], src)
	be.PutUint32(b[16:], dst)
	be.PutUint16(b[20:], sp)
	be.PutUint16(b[22:], dp)
	be.PutUint32(b[24:], tag)
	f.end(32)
}

func (f *rawSCTP) end(n int) {
	f.n = n
	binary.BigEndian.PutUint16(f.b[2:], uint16(n))
}

// chunk appends a chunk of n bytes, and returns it.
func (f *rawSCTP) chunk(t sctp.ChunkType, flags sctp.DataFlags, n int) []byte {
	c := f.b[f.n:][:n]
	c[0], c[1] = uint8(t), uint8(flags)
	binary.BigEndian.PutUint16(c[2:], uint16(n))
	f.end(f.n + (n+3)&^3)
	return c
}

// data appends a DATA chunk.
func (f *rawSCTP) data(flags sctp.DataFlags, tsn uint32, sid, ssn uint16) {
	v := sctp.DataView(f.chunk(sctp.TypeData, flags, sctp.DataLen+f.size))
	v.SetTSN(tsn)
	v.SetStreamID(sid)
	v.SetSSN(ssn)
}

// idata appends an I-DATA chunk.
func (f *rawSCTP) idata(flags sctp.DataFlags, tsn uint32, sid uint16, mid, fsn uint32) {
	v := sctp.IDataView(f.chunk(sctp.TypeIData, flags, sctp.IDataLen+f.size))
	v.SetTSN(tsn)
	v.SetStreamID(sid)
	v.SetMID(mid)
	binary.BigEndian.PutUint32(v[16:], fsn)
}

// control makes a packet with a SACK by the other end, or with a FORWARD TSN.
func (f *rawSCTP) sack(tsn uint32) {
	f.start(true, sctpTagA)
	sctp.SackView(f.chunk(sctp.TypeSack, 0, sctp.SackLen)).SetCumTSN(tsn)
}

func (f *rawSCTP) forward(tsn uint32) {
	binary.BigEndian.PutUint32(f.chunk(sctp.TypeForwardTSN, 0, sctp.ForwardTSNLen)[4:], tsn)
}

// shuffled maps n to a number in the same row of 4,096.
func (f *rawSCTP) shuffled(n uint32) uint32 { return n&^4095 + uint32(f.perm[n&4095]) }

// row returns the flags of the n-th of messages of k fragments.
func row(n, k uint32) sctp.DataFlags {
	var f sctp.DataFlags
	if n%k == 0 {
		f |= sctp.DataBegin
	}
	if n%k == k-1 {
		f |= sctp.DataEnd
	}
	return f
}

// sctpRows are packets, benign ones first. make appends the chunks of the n-th
// packet, of which the first TSN is 0.
var sctpRows = []struct {
	name string
	make func(f *rawSCTP, n uint32)
}{
	{"in order", func(f *rawSCTP, n uint32) { f.data(sctp.DataWhole, n, 1, uint16(n)) }},
	{"each two exchanged", func(f *rawSCTP, n uint32) { f.data(sctp.DataWhole, n^1, 1, uint16(n^1)) }},
	{"messages of 5 fragments", func(f *rawSCTP, n uint32) { f.data(row(n, 5), n, 1, uint16(n/5)) }},
	{"messages of 4096 fragments", func(f *rawSCTP, n uint32) { f.data(row(n, 4096), n, 1, uint16(n/4096)) }},
	{"I-DATA in order", func(f *rawSCTP, n uint32) { f.idata(sctp.DataWhole, n, 1, n, 0) }},

	{"rows of 4096 in reverse", func(f *rawSCTP, n uint32) { n ^= 4095; f.data(sctp.DataWhole, n, 1, uint16(n)) }},
	{"rows of 4096, shuffled", func(f *rawSCTP, n uint32) { n = f.shuffled(n); f.data(sctp.DataWhole, n, 1, uint16(n)) }},
	{"fragments in reverse, 4096 a message", func(f *rawSCTP, n uint32) { n ^= 4095; f.data(row(n, 4096), n, 1, uint16(n/4096)) }},
	{"fragments that never end, shuffled", func(f *rawSCTP, n uint32) { f.data(0, f.shuffled(n), 1, 7) }},
	{"every second one never comes", func(f *rawSCTP, n uint32) { f.data(sctp.DataWhole, 2*n, 1, uint16(2*n)) }},
	{"every second fragment never comes", func(f *rawSCTP, n uint32) { f.data(0, 2*n, 1, uint16(n)) }},
	{"the same again, of what waits", func(f *rawSCTP, n uint32) {
		n = n&^4095 + 1 + f.rng.Uint32N(64)
		f.data(sctp.DataWhole, n, 1, uint16(n))
	}},
	{"a stream each, in reverse", func(f *rawSCTP, n uint32) { n ^= 4095; f.data(sctp.DataWhole, n, uint16(n*7919), uint16(n>>16)) }},
	{"a number that is far ahead", func(f *rawSCTP, n uint32) { f.data(sctp.DataWhole, n, uint16(n), 9+uint16(n>>16)) }},
	{"associations, one after the other", func(f *rawSCTP, n uint32) {
		binary.BigEndian.PutUint32(f.b[12:], n)
		binary.BigEndian.PutUint32(f.b[24:], n+1)
		f.data(sctp.DataWhole, n, 1, 0)
	}},
	{"begun and abandoned", func(f *rawSCTP, n uint32) {
		f.forward(n - 1 + n&1)
		f.data(sctp.DataBegin, n, 1, uint16(n))
	}},
	{"rows that are jumped over", func(f *rawSCTP, n uint32) {
		if n&4095 == 0 {
			f.forward(n)
		}
		n = f.shuffled(n)
		f.data(sctp.DataBegin, n, uint16(n), uint16(n))
	}},
	{"I-DATA, 1000 messages at once", func(f *rawSCTP, n uint32) {
		k := n % 4000
		f.idata(row(k/1000, 4), n, uint16(k%1000), n/4000, k/1000)
	}},
	{"I-DATA, in reverse, 4096 a message", func(f *rawSCTP, n uint32) {
		n ^= 4095
		f.idata(row(n, 4096), n, 1, n/4096, n&4095)
	}},
	{"I-DATA that never ends, shuffled", func(f *rawSCTP, n uint32) { f.idata(0, n, 1, n/4096, 1+2*f.shuffled(n)&8191) }},
}

// put gives the packet to s, and reads what comes out.
func (f *rawSCTP) put(s *sequence.SCTP, packet uint64, now time.Time) {
	_, ok, _ := s.PutGet(sequence.Datagram{Data: f.b[:f.n], Seen: sequence.Seen{Packet: packet, Time: now}})
	for ; ok; _, ok = s.Get() {
	}
}

// open puts the beginning of an association.
func (f *rawSCTP) open(s *sequence.SCTP, now time.Time) {
	f.rng = rand.New(rand.NewPCG(1, 2))
	f.perm = f.rng.Perm(4096)
	for i, tag := range []uint32{sctpTagA, sctpTagB} {
		f.start(i == 1, []uint32{0, sctpTagA}[i])
		v := sctp.InitView(f.chunk([]sctp.ChunkType{sctp.TypeInit, sctp.TypeInitAck}[i], 0, sctp.InitLen))
		v.SetInitiateTag(tag)
		v.SetInitialTSN(0)
		f.put(s, uint64(i), now)
	}
	f.start(false, sctpTagB)
	f.chunk(sctp.TypeCookieEcho, 0, 8)
	f.put(s, 3, now)
}

// run puts n packets, and returns the processor time of each, and of each chunk
// of user data.
func (f *rawSCTP) run(b *testing.B, n int, size, bundle int, next func(f *rawSCTP, n uint32)) float64 {
	f.size = size
	var s sequence.SCTP
	now := time.Unix(1e9, 0)
	f.open(&s, now)
	at := uint32(0)
	step := func(n int) {
		for range n {
			f.start(false, sctpTagB)
			for range bundle {
				next(f, at)
				at++
			}
			f.put(&s, uint64(at), now)
			if at/32 != (at-uint32(bundle))/32 && at > 64_000 {
				// The receiver is behind by 64,000 at most.
				f.sack(at - 64_000)
				f.put(&s, uint64(at), now)
			}
		}
	}
	step(8192 / bundle) // until what is used again is there
	start := cpuTime()
	step(n)
	d := cpuTime() - start
	if s.Stats().In < uint64(n*bundle*size) {
		b.Fatalf("%+v", s.Stats())
	}
	return float64(d) / float64(n)
}

// BenchmarkSCTPAdversary reports what packets cost that are meant to cost much,
// and how many times that is of what packets cost of the same size and with as
// many chunks, of which each two are exchanged, and of those in order.
func BenchmarkSCTPAdversary(b *testing.B) {
	kinds := []struct {
		name         string
		size, bundle int
	}{{"1000 bytes", 1000, 1}, {"1 byte", 1, 1}, {"1 byte, 32 a packet", 1, 32}}
	for _, k := range kinds {
		for _, row := range sctpRows {
			b.Run(k.name+"/"+row.name, func(b *testing.B) {
				least := [3]float64{1e18, 1e18, 1e18}
				for b.Loop() {
					for i, next := range []func(*rawSCTP, uint32){row.make, sctpRows[1].make, sctpRows[0].make} {
						least[i] = min(least[i], new(rawSCTP).run(b, 200_000/k.bundle, k.size, k.bundle, next))
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(least[0], "cpu-ns/packet")
				b.ReportMetric(least[0]/least[1], "exchanged")
				b.ReportMetric(least[0]/least[2], "in-order")
			})
		}
	}
}
