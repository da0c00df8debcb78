package sequence

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// traffic makes datagrams, in one buffer.
type traffic struct {
	buf    []byte
	packet uint64
	now    time.Time
}

// datagram returns a segment of connection conn; it is valid until the next.
func (g *traffic) datagram(conn int, back bool, flags pkts.TCPFlags, seq, ack uint32, data []byte) Datagram {
	src, dst, sp, dp := 1+conn>>14, 1<<20, 1024+conn&(1<<14-1), 443
	if back {
		src, dst, sp, dp = dst, src, dp, sp
	}
	if g.now.IsZero() {
		g.now = scriptStart
	}
	g.packet++
	g.now = g.now.Add(time.Microsecond)
	g.buf = rawSegment(g.buf, src, dst, sp, dp, flags, seq, ack, 65535, nil, data)
	return Datagram{Data: g.buf, Seen: Seen{g.packet, g.now}}
}

// The most of one direction waits; then the first gap is given up, and the
// stream goes on.
func TestTCPFlowBytes(t *testing.T) {
	const limit = 20 * tcpPageCost
	s := TCP{Limits: Limits{FlowBytes: limit}}
	var g traffic
	var check streamCheck
	s.Put(g.datagram(0, false, pkts.TCPSyn, 0, 0, nil))
	data := make([]byte, 1000)
	seq := uint32(2) // the first byte never comes
	for i := range 100 {
		if i == 50 {
			seq += 10
		}
		c, ok, err := s.PutGet(g.datagram(0, false, pkts.TCPAck, seq, 1, data))
		for ; ok && err == nil; c, ok = s.Get() {
			err = check.chunk(&c)
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.waits.memory > limit {
			t.Fatalf("%d bytes", s.waits.memory)
		}
		seq += uint32(len(data))
	}
	if st := s.Stats(); st.Lost != 11 || st.Gaps != 2 || st.GivenUp != 2 || st.Delivered != 100_000-st.Waiting {
		t.Errorf("%+v", st)
	}
}

// Over Bytes, the gap goes that is open for longest.
func TestTCPBytes(t *testing.T) {
	const limit = 30 * (64 + tcpPieceCost + tcpWaitCost)
	s := TCP{Limits: Limits{Bytes: limit}}
	var g traffic
	var check streamCheck
	data := make([]byte, 10)
	var order []int
	for i := range 200 {
		s.Put(g.datagram(i, false, pkts.TCPSyn, 0, 0, nil))
		c, ok, err := s.PutGet(g.datagram(i, false, pkts.TCPAck, 100, 1, data))
		for ; ok && err == nil; c, ok = s.Get() {
			order = append(order, int(c.Flow.SrcPort)-1024)
			err = check.chunk(&c)
		}
		if err != nil {
			t.Fatal(err)
		}
		if m := s.waits.memory; m > limit {
			t.Fatalf("%d bytes", m)
		}
	}
	for i, conn := range order {
		if conn != i {
			t.Fatalf("gaps were given up in the order %v", order)
		}
	}
	if len(order) < 150 {
		t.Errorf("only %d were given up", len(order))
	}
}

func TestTCPFlows(t *testing.T) {
	var infos []StreamInfo
	s := TCP{Limits: Limits{Flows: 10}, Done: func(i StreamInfo) { infos = append(infos, i) }}
	var g traffic
	ended := map[uint64]int{}
	read := func(c Chunk, ok bool, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for ; ok; c, ok = s.Get() {
			if c.Events.Has(End) {
				ended[c.Stream]++
				if !c.Events.Has(Expired) {
					t.Errorf("%s", chunkText(&c))
				}
			}
		}
	}
	for i := range 50 {
		read(s.PutGet(g.datagram(i, false, pkts.TCPSyn, 0, 0, nil)))
		g.now = g.now.Add(2 * time.Second)
		read(s.PutGet(g.datagram(0, false, pkts.TCPAck, uint32(i+1), 0, []byte("x")))) // in use
	}
	if st := s.Stats(); st.Flows != 10 || st.Evicted != 40 || len(ended) != 40 || ended[1] != 0 {
		t.Errorf("%+v, ended %v", st, ended)
	}
	for i, info := range infos {
		// The first connection was in use; the others went in their order.
		if info.Close != CloseEvicted || info.Stream != uint64(i*2+3) {
			t.Fatalf("%d: %+v", i, info)
		}
	}
	n := 0
	for info := range s.Streams() {
		if info.Close != CloseNone || info.State != StreamOpening {
			t.Errorf("%+v", info)
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d streams", n)
	}
}

// A packet ends only so many idle connections, and none is used again that was
// quiet for too long.
func TestTCPIdle(t *testing.T) {
	s := TCP{Limits: Limits{Idle: time.Minute}}
	var g traffic
	for i := range 1000 {
		s.Put(g.datagram(i, false, pkts.TCPAck, 1, 0, []byte("x")))
	}
	for _, ok := s.Get(); ok; _, ok = s.Get() {
	}
	g.now = g.now.Add(time.Hour)
	s.Put(g.datagram(999, false, pkts.TCPAck, 2, 0, []byte("y")))
	n, streams := 0, map[uint64]bool{}
	for c, ok := s.Get(); ok; c, ok = s.Get() {
		n++
		streams[c.Stream] = true
	}
	if n != expiresAtOnce+2 || !streams[1000] || !streams[1001] {
		t.Errorf("%d chunks of %v", n, streams)
	}
	for i := range 200 {
		s.Put(g.datagram(i+5000, false, pkts.TCPAck, 1, 0, nil))
	}
	if st := s.Stats(); st.Idle != 1000 || st.Flows != 201 {
		t.Errorf("%+v", st)
	}
	for _, ok := s.Get(); ok; _, ok = s.Get() {
	}
}

// Who never reads is told.
func TestTCPUnread(t *testing.T) {
	s := TCP{Limits: Limits{Bytes: 100 << 10}}
	var g traffic
	data := make([]byte, 1000)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = s.Put(g.datagram(0, false, pkts.TCPAck, uint32(n*1000), 0, data))
	}
	if !errors.Is(err, ErrLimit) || n < 50 || n > 110 {
		t.Errorf("%d datagrams, then %v", n, err)
	}
	tcpConserved(t, &s)
	if st := s.Stats(); st.Limited != 1000 || st.Memory > 100<<10+tcpBlockLen+1000 {
		t.Errorf("%+v", st)
	}
	for range n - 1 {
		if _, ok := s.Get(); !ok {
			t.Fatal("something is gone")
		}
	}
	// What was refused is a gap, if it does not come again.
	if c, ok, err := s.PutGet(g.datagram(0, false, pkts.TCPAck, uint32(n*1000-1000), 0, data)); !ok || err != nil || c.Lost != 0 {
		t.Error(ok, err)
	}
}

// Pools do not keep what is not needed any more.
func TestTCPPoolsShrink(t *testing.T) {
	var s TCP
	var g traffic
	data := make([]byte, 1400)
	s.Put(g.datagram(0, false, pkts.TCPSyn, 0, 0, nil))
	for i := range 4000 {
		s.PutGet(g.datagram(0, false, pkts.TCPAck, uint32(2+i*1400), 1, data))
	}
	if s.waits.used < 2*tcpSpare {
		t.Fatalf("%d pages", s.waits.used)
	}
	s.PutGet(g.datagram(0, false, pkts.TCPAck, 1, 1, data[:1]))
	for _, ok := s.Get(); ok; _, ok = s.Get() {
	}
	s.PutGet(g.datagram(0, false, pkts.TCPAck, 1, 1, nil))
	b := &s.waits.bufs
	if b.used != 0 || b.kept > 2*tcpBufSpare {
		t.Errorf("buffers of %d bytes are in use, of %d kept", b.used, b.kept)
	}
	if s.waits.used != 0 || len(s.waits.spare) > 2*tcpSpare || cap(s.out.queue) > tcpQueueKept {
		t.Errorf("%d pages are in use, %d are kept, room for %d chunks", s.waits.used, len(s.waits.spare), cap(s.out.queue))
	}
}

// In-order segments cost no allocation, and neither do those that come too early
// once there are pages.
func TestTCPAllocs(t *testing.T) {
	var s TCP
	var g traffic
	data := make([]byte, 1400)
	s.Put(g.datagram(0, false, pkts.TCPSyn, 0, 0, nil))
	seq := uint32(1)
	alias := 0
	if n := testing.AllocsPerRun(1000, func() {
		c, ok, err := s.PutGet(g.datagram(0, false, pkts.TCPAck, seq, 1, data))
		if !ok || err != nil || len(c.Data) != len(data) {
			t.Fatal(ok, err)
		}
		if &c.Data[0] == &g.buf[40] {
			alias++
		}
		seq += uint32(len(data))
	}); n != 0 {
		t.Errorf("%v allocations for a segment in order", n)
	}
	if alias != 1001 {
		t.Errorf("%d of 1001 chunks are the input's bytes", alias)
	}
	if n := testing.AllocsPerRun(1000, func() {
		s.PutGet(g.datagram(0, false, pkts.TCPAck, seq+1400, 1, data))
		s.PutGet(g.datagram(0, false, pkts.TCPAck, seq+2800, 1, data))
		s.PutGet(g.datagram(0, false, pkts.TCPAck, seq, 1, data))
		for _, ok := s.Get(); ok; _, ok = s.Get() {
		}
		seq += 3 * uint32(len(data))
	}); n != 0 {
		t.Errorf("%v allocations for three segments of which the last comes first", n)
	}
	// Put has to copy, into memory that is used again.
	if n := testing.AllocsPerRun(1000, func() {
		s.Put(g.datagram(0, false, pkts.TCPAck, seq, 1, data))
		s.Get()
		seq += uint32(len(data))
	}); n != 0 {
		t.Errorf("%v allocations for Put and Get", n)
	}
}

// What is counted is what is taken.
func TestTCPCosts(t *testing.T) {
	if n := reflect.TypeFor[tcpPage]().Size(); n > tcpPageCost-2*reflect.TypeFor[tcpRef]().Size() {
		t.Errorf("a page has %d bytes", n)
	}
	if n := reflect.TypeFor[tcpWait]().Size() + reflect.TypeFor[[tcpSACKs]pkts.SACKBlock]().Size(); n > tcpWaitCost {
		t.Errorf("a list of pages has %d bytes", n)
	}
	if n := 2*reflect.TypeFor[tcpPiece]().Size() + reflect.TypeFor[tcpRetired]().Size(); n > tcpPieceCost {
		t.Errorf("a segment that waits by itself has %d bytes", n)
	}
	if n := reflect.TypeFor[Chunk]().Size(); n > tcpChunkCost {
		t.Errorf("a chunk has %d bytes", n)
	}
	if n := reflect.TypeFor[tcpSlot]().Size(); n != 384 {
		t.Errorf("a connection has %d bytes", n)
	}
	if o := reflect.TypeFor[tcpSlot]().Field(5).Offset; o != 64 {
		t.Errorf("a connection begins at byte %d of its slot", o)
	}
	if f, _ := reflect.TypeFor[tcpConn]().FieldByName("half"); f.Offset != 64 {
		t.Errorf("the sides begin at byte %d of a connection", f.Offset)
	}
}
