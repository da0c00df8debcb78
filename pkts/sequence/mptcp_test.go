package sequence

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/pkts"
)

// mptcpWire makes the packets of a connection of Multipath TCP between A, 10.0.0.1,
// and B, 10.0.0.2, which A opens. What it hashes is what RFC 8684 says, in
// sections 3.1 and 3.2; that it is what systems do is shown by the captures that
// package fuzz compares.
type mptcpWire struct {
	version uint8
	asks    [2]bool // who asks for checksums
	keys    [2]uint64
	subs    []*wireSub
	list    [][]byte
}

// wireSub is a subflow. It is opened by end opener.
type wireSub struct {
	w      *mptcpWire
	opener int
	ports  [2]int // of A and B
	isn    [2]uint32
	nonces [2]uint32 // of the opener and the other
	win    int
}

func (w *mptcpWire) hash(key uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, key)
	if w.version == 0 {
		s := sha1.Sum(b)
		return s[:]
	}
	s := sha256.Sum256(b)
	return s[:]
}

func (w *mptcpWire) token(end int) uint32 { return binary.BigEndian.Uint32(w.hash(w.keys[end])) }

// dsn returns the data sequence number of a byte of the data that an end sends.
func (w *mptcpWire) dsn(end, off int) uint64 {
	h := w.hash(w.keys[end])
	at := 24
	if w.version == 0 {
		at = 12
	}
	return binary.BigEndian.Uint64(h[at:]) + 1 + uint64(off)
}

// newWire returns a connection whose first subflow is open.
func newWire(version uint8, a, b uint64) *mptcpWire {
	return (&mptcpWire{version: version, keys: [2]uint64{a, b}}).open()
}

// newSummed returns one whose mappings have checksums.
func newSummed(version uint8) *mptcpWire {
	return (&mptcpWire{version: version, asks: [2]bool{true, true}, keys: [2]uint64{keyA, keyB}}).open()
}

func (w *mptcpWire) open() *mptcpWire {
	s := w.sub(0)
	s.put(0, pkts.TCPSyn, 0, 0, nil, s.capable(0)...)
	s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, s.capable(1)...)
	s.put(0, pkts.TCPAck, 1, 1, nil, s.capable(2)...)
	return w
}

func (w *mptcpWire) sub(opener int) *wireSub {
	n := len(w.subs)
	s := &wireSub{w: w, opener: opener, ports: [2]int{4000 + n, 80}, isn: [2]uint32{1000 * uint32(n+1), 0xffffff00 + uint32(n)}, nonces: [2]uint32{uint32(n) + 7, uint32(n) + 70}, win: 65535}
	if opener == 1 {
		s.ports = [2]int{4000, 5000 + n}
	}
	w.subs = append(w.subs, s)
	return s
}

// capable returns the MP_CAPABLE of packet n of the handshake.
func (s *wireSub) capable(n int) []pkts.MPTCPOption {
	o := pkts.MPTCPOption{Subtype: pkts.MPTCPCapable, Version: s.w.version, Flags: pkts.MPTCPHMACSHA256}
	if s.w.asks[n&1] || n == 2 && s.w.asks[1] {
		o.Flags |= pkts.MPTCPChecksumRequired
	}
	switch {
	case n == 0 && s.w.version == 0:
		o.SenderKey = s.w.keys[0]
	case n == 1:
		o.SenderKey = s.w.keys[1]
	case n == 2:
		o.SenderKey, o.ReceiverKey = s.w.keys[0], s.w.keys[1]
	}
	return []pkts.MPTCPOption{o}
}

// join returns the MP_JOIN of packet n of the handshake.
func (s *wireSub) join(n int) pkts.MPTCPOption {
	o := pkts.MPTCPOption{Subtype: pkts.MPTCPJoin}
	mac := func(own, other uint64, ownNonce, otherNonce uint32) []byte {
		f := sha256.New
		if s.w.version == 0 {
			f = sha1.New
		}
		var key, msg []byte
		key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, own), other)
		msg = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, ownNonce), otherNonce)
		h := hmac.New(f, key)
		h.Write(msg)
		return h.Sum(nil)
	}
	x, y := s.w.keys[s.opener], s.w.keys[s.opener^1]
	switch n {
	case 0:
		o.Token, o.Nonce = s.w.token(s.opener^1), s.nonces[0]
	case 1:
		o.HMAC, o.Nonce = mac(y, x, s.nonces[1], s.nonces[0])[:8], s.nonces[1]
	case 2:
		o.HMAC = mac(x, y, s.nonces[0], s.nonces[1])[:20]
	}
	return o
}

// joined returns another subflow, that is open.
func (w *mptcpWire) joined(opener int) *wireSub {
	s := w.sub(opener)
	s.put(opener, pkts.TCPSyn, 0, 0, nil, s.join(0))
	s.put(opener^1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, s.join(1))
	s.put(opener, pkts.TCPAck, 1, 1, nil, s.join(2))
	return s
}

// bytes returns a segment of an end: seq and ack count from the initial ones.
func (s *wireSub) bytes(end int, flags pkts.TCPFlags, seq, ack int, data []byte, options ...pkts.MPTCPOption) []byte {
	var o pkts.TCPOptions
	for _, x := range options {
		o = o.AppendMPTCP(x)
	}
	n := uint32(0)
	if flags&pkts.TCPAck != 0 {
		n = s.isn[end^1] + uint32(ack)
	}
	return rawSegment(nil, end+1, 2-end, s.ports[end], s.ports[end^1], flags, s.isn[end]+uint32(seq), n, s.win, o, data)
}

func (s *wireSub) put(end int, flags pkts.TCPFlags, seq, ack int, data []byte, options ...pkts.MPTCPOption) {
	s.w.list = append(s.w.list, s.bytes(end, flags, seq, ack, data, options...))
}

// mapped is a DSS that maps n bytes from subflow sequence number ssn on to offset
// off of the data.
func (s *wireSub) mapped(end, ssn, off, n int) pkts.MPTCPOption {
	return pkts.MPTCPOption{Subtype: pkts.MPTCPDSS, Flags: pkts.MPTCPMapping | pkts.MPTCPDSN8, DSN: s.w.dsn(end, off), SubflowSeq: uint32(ssn), DataLen: uint16(n)}
}

// acked is a DSS that acknowledges all before offset off of the other end.
func (s *wireSub) acked(end, off int) pkts.MPTCPOption {
	return pkts.MPTCPOption{Subtype: pkts.MPTCPDSS, Flags: pkts.MPTCPDataAck | pkts.MPTCPAck8, DataAck: s.w.dsn(end^1, off)}
}

// data puts data from subflow sequence number ssn on, at offset off.
func (s *wireSub) data(end, ssn, off int, data string) {
	s.put(end, pkts.TCPAck, ssn, 1, []byte(data), s.mapped(end, ssn, off, len(data)))
}

// dataFin puts a DATA_FIN at an offset, without data.
func (s *wireSub) dataFin(end, ssn, off int) {
	o := s.mapped(end, 0, off, 1)
	o.Flags |= pkts.MPTCPDataFin
	s.put(end, pkts.TCPAck, ssn, 1, nil, o)
}

// mptcpConserved checks that no byte is unaccounted for.
func mptcpConserved(tb interface{ Fatalf(string, ...any) }, m *MPTCP) {
	s := m.Stats()
	if sum := s.Passed + s.Data.Bytes + s.Unmapped + s.Corrupt + s.Over + s.Waiting + s.Ready; sum != s.TCP.Delivered {
		tb.Fatalf("%d bytes delivered by TCP, %d accounted for: %+v", s.TCP.Delivered, sum, s)
	}
	d := s.Data
	if sum := d.Delivered + d.Duplicate + d.Unacceptable + d.Closed + d.Conflicting + d.Waiting + d.Stale + d.Limited; sum != d.Bytes {
		tb.Fatalf("%d bytes of data, %d accounted for: %+v", d.Bytes, sum, d)
	}
}

// mptcpText writes a chunk: the packet that began its stream, the direction, and
// the rest as chunkText has it.
func mptcpText(c *Chunk) string {
	return fmt.Sprintf("%d%s", c.Stream, map[Direction]string{Forward: ">", Backward: "<"}[c.Direction]) + chunkText(c)[1:]
}

// runMPTCP puts packets, and returns what comes out. How is as in
// runScript.
func runMPTCP(tb testing.TB, m *MPTCP, list [][]byte, how int) (out []string) {
	tb.Helper()
	var check streamCheck
	wrong := uint64(0)
	refused := func(err error) {
		n := mptcpWrongs(err)
		if wrong += n; err != nil && n == 0 && !errors.Is(err, ErrUnacceptable) {
			tb.Error(err)
		}
	}
	take := func(c Chunk, ok bool) {
		if !ok {
			return
		}
		if err := check.chunk(&c); err != nil {
			tb.Error(err)
		}
		out = append(out, mptcpText(&c))
	}
	rest := func() {
		for c, ok := m.Get(); ok; c, ok = m.Get() {
			take(c, ok)
		}
	}
	for i, b := range list {
		d := Datagram{Data: slices.Clone(b), Seen: Seen{uint64(i + 1), scriptStart.Add(time.Duration(i) * time.Millisecond)}}
		if how == 0 {
			c, ok, err := m.PutGet(d)
			refused(err)
			take(c, ok)
		} else {
			refused(m.Put(d))
			clear(d.Data)
		}
		if how != 2 {
			rest()
		}
		mptcpConserved(tb.(interface{ Fatalf(string, ...any) }), m)
	}
	m.Flush()
	rest()
	mptcpConserved(tb.(interface{ Fatalf(string, ...any) }), m)
	if err := check.allEnded(); err != nil {
		tb.Error(err)
	}
	mptcpEmpty(tb, m)
	refused(m.takeErr())
	if n := m.Stats().BadChecksums; wrong != n {
		tb.Errorf("%d errors, and %d wrong checksums", wrong, n)
	}
	return out
}

// mptcpWrongs returns how many wrong checksums an error tells of.
func mptcpWrongs(err error) (n uint64) {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range list.Unwrap() {
			n += mptcpWrongs(err)
		}
	} else if e, ok := err.(*Error); ok && e.Layer == "MPTCP" && e.Err == ErrMalformed && strings.Contains(e.Reason, "checksum") {
		n++
	}
	return n
}

// mptcpEmpty checks that nothing is left.
func mptcpEmpty(tb testing.TB, m *MPTCP) {
	tb.Helper()
	m.begin()
	m.TCP.release()
	if s := m.Stats(); len(m.subs)+len(m.conns)+len(m.tokens)+len(m.dead)+len(m.early)+len(m.expected) > 0 || m.hold.memory != 0 || m.hold.oldest != nil || m.hold.newest != nil || m.TCP.memory()+m.data.memory() != 0 || s.Waiting != 0 {
		tb.Errorf("left: %d subflows, %d connections, %d tokens, memory %d, %d, %d: %+v", len(m.subs), len(m.conns), len(m.tokens), m.hold.memory, m.TCP.memory(), m.data.memory(), s)
	}
}

const (
	keyA = 0x15a6155d8125674b
	keyB = 0xca20a512a2b56c7a
)

// mptcpWant is what comes out, and what is counted.
type mptcpWant struct {
	out   string
	stats func(s *MPTCPStats) bool
}

type mptcpCase struct {
	name string
	make func() *mptcpWire
	mptcpWant
}

func runMPTCPCases(t *testing.T, list []mptcpCase) {
	t.Helper()
	for _, tt := range list {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.make()
			var lines []string
			for line := range strings.Lines(tt.out) {
				lines = append(lines, strings.TrimSpace(line))
			}
			for how := range 3 {
				m := new(MPTCP)
				got := runMPTCP(t, m, w.list, how)
				if diff := cmp.Diff(lines, got); diff != "" {
					t.Errorf("way %d: %s", how, diff)
				}
				if s := m.Stats(); tt.stats != nil && !tt.stats(&s) {
					t.Errorf("way %d: %+v", how, s)
				}
			}
		})
	}
}

func TestMPTCP(t *testing.T) {
	type want = mptcpWant
	runMPTCPCases(t, []mptcpCase{
		{"two subflows take turns", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "one")
			u.data(0, 1, 6, "six") // too early
			s.data(1, 1, 0, "ABC")
			s.data(0, 4, 3, "two")
			u.data(1, 1, 3, "DEF")
			u.data(0, 4, 9, "nine")
			u.dataFin(0, 8, 13)
			s.dataFin(1, 4, 6)
			return w
		}, want{`1> 0 "one" start #7
			1< 0 "ABC" start #9
			1> 3 "two" #10
			1> 6 "six" #8
			1< 3 "DEF" #11
			1> 9 "nine" #12
			1> 13 end #13
			1< 6 end #14`, func(s *MPTCPStats) bool { return s.Connections == 1 && s.Subflows == 2 && s.Data.Bytes == 19 }}},
		{"version 0, and the server opens a subflow", func() *mptcpWire {
			w := newWire(0, keyA, keyB)
			u := w.joined(1)
			u.data(1, 1, 0, "from B")
			u.data(0, 1, 0, "from A")
			return w
		}, want{`1< 0 "from B" start #7
			1> 0 "from A" start #8
			1> 6 end expired #8
			1< 6 end expired #8`, func(s *MPTCPStats) bool { return s.Subflows == 2 }}},
		{"a mapping far beyond any window, which tells nothing", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "one")
			s.put(0, pkts.TCPAck, 4, 1, []byte("two"), s.mapped(0, 4+1<<30+1<<20, 3, 3))
			s.data(0, 4, 3, "two")
			return w
		}, want{`1> 0 "one" start #4
			1> 3 "two" #5
			1> 6 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.BadMappings == 1 }}},
		{"a key that nobody has sent", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			w.list = w.list[:2]
			o := s.capable(2)
			o[0].ReceiverKey++
			s.put(0, pkts.TCPAck, 1, 1, []byte("hello"), o...)
			return w
		}, want{`1> 0 "hello" start #3
			1> 5 end expired #3
			1< 0 start end expired #3`, func(s *MPTCPStats) bool { return s.Connections == 0 && s.Passed == 5 }}},
		{"the first data have the keys", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			w.list = w.list[:2] // the third packet was not captured
			o := s.capable(2)
			o[0].DataLen = 10
			s.put(0, pkts.TCPAck, 1, 1, []byte("hello"), o...)
			s.put(0, pkts.TCPAck, 6, 1, []byte("world"))
			s.data(0, 11, 10, "!")
			return w
		}, want{`1> 0 "hello" start #3
			1> 5 "world" #4
			1> 10 "!" #5
			1> 11 end expired #5
			1< 0 start end expired #5`, func(s *MPTCPStats) bool { return s.Fallbacks == 0 }}},
		{"data of the SYN lie before the first", func() *mptcpWire { // RFC 8684, appendix B
			w := &mptcpWire{version: 1, keys: [2]uint64{keyA, keyB}}
			s := w.sub(0)
			s.put(0, pkts.TCPSyn, 0, 0, []byte("fast "), s.capable(0)...)
			s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 6, nil, s.capable(1)...)
			s.put(0, pkts.TCPAck, 6, 1, nil, s.capable(2)...)
			s.put(0, pkts.TCPAck, 6, 1, []byte("open"), s.mapped(0, 1, 0, 4))
			return w
		}, want{`1> 0 "fast " start #1
			1> 5 "open" #4
			1> 9 end expired #4
			1< 0 start end expired #4`, func(s *MPTCPStats) bool { return s.Unmapped == 0 }}},
		{"the mapping comes later, and before", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			u.put(0, pkts.TCPAck, 1, 1, []byte("bcd"))
			u.put(0, pkts.TCPAck, 4, 1, nil, u.mapped(0, 1, 1, 2))
			u.put(0, pkts.TCPAck, 4, 1, nil, u.mapped(0, 3, 3, 9))
			u.put(0, pkts.TCPAck, 4, 1, []byte("efghijkl"))
			return w
		}, want{`1> 0 "a" start #7
			1> 1 "bc" #8
			1> 3 "d" #8
			1> 4 "efghijkl" #11
			1> 12 end expired #11
			1< 0 start end expired #11`, func(s *MPTCPStats) bool { return s.Unmapped == 0 && s.BadMappings == 0 }}},
		{"no mapping comes", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "a")
			s.put(0, pkts.TCPAck, 2, 1, []byte("bcd"))
			s.put(0, pkts.TCPAck, 5, 1, []byte("efg"), s.mapped(0, 5, 1, 3))
			return w
		}, want{`1> 0 "a" start #4
			1> 1 "efg" #6
			1> 4 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.Unmapped == 3 }}},
		{"mappings that contradict: the first one counts", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, nil, s.mapped(0, 3, 2, 2)) // bytes 3 and 4 of the subflow
			s.put(0, pkts.TCPAck, 1, 1, nil, s.mapped(0, 1, 100, 6))
			s.put(0, pkts.TCPAck, 1, 1, []byte("xycdzz"))
			s.put(0, pkts.TCPAck, 7, 1, []byte("ab"), s.mapped(0, 7, 0, 2))
			return w
		}, want{`1> 0 "ab" start #7
			1> 2 "cd" #6
			1> 100 lost=96 "xy" #6
			1> 104 lost=2 "zz" #6
			1> 106 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Conflicts == 1 }}},
		{"bytes that differ: the first ones count", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 1, "bcd")
			u.data(0, 1, 1, "BCDe")
			u.data(0, 5, 0, "a")
			return w
		}, want{`1> 0 "a" start #9
			1> 1 "bcd" #7
			1> 4 "e" #8
			1> 5 end expired #9
			1< 0 start end expired #9`, func(s *MPTCPStats) bool { return s.Data.Overlaps == 1 && s.Data.Duplicate == 3 }}},
		{"what was acknowledged and is not there is missing", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			u.data(0, 1, 5, "f")
			s.put(1, pkts.TCPAck, 1, 2, nil, s.acked(1, 6))
			u.data(0, 2, 6, "g")
			return w
		}, want{`1> 0 "a" start #7
			1> 5 lost=4 "f" #8
			1> 6 "g" #10
			1> 7 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.Data.Lost == 4 }}},
		{"what a subflow still has waiting is not missing", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			u.data(0, 4, 4, "e")                            // bytes 1 to 3 of the subflow were not captured
			s.put(1, pkts.TCPAck, 1, 2, nil, s.acked(1, 5)) // of all
			u.put(1, pkts.TCPAck, 1, 5, nil, u.acked(1, 5))
			return w
		}, want{`1> 0 "a" start #7
			1> 4 lost=3 "e" #8
			1> 5 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.Data.Duplicate == 0 && s.Data.Lost == 3 }}},
		{"what was acknowledged is missing at once, and too late afterwards", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			u.data(0, 1, 5, "f")
			s.put(1, pkts.TCPAck, 1, 2, nil, s.acked(1, 6))
			s.data(0, 2, 1, "bcde")
			return w
		}, want{`1> 0 "a" start #7
			1> 5 lost=4 "f" #8
			1> 6 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.Data.Lost == 4 && s.Data.Duplicate == 4 }}},
		{"what a subflow brings after it was acknowledged over another is not missing", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			u.data(0, 4, 4, "e") // bytes 1 to 3 of the subflow come late
			s.put(1, pkts.TCPAck, 1, 2, nil, s.acked(1, 5))
			s.data(0, 2, 5, "f")
			u.data(0, 1, 1, "bcd")
			return w
		}, want{`1> 0 "a" start #7
			1> 1 "bcd" #11
			1> 4 "e" #8
			1> 5 "f" #10
			1> 6 end expired #11
			1< 0 start end expired #11`, func(s *MPTCPStats) bool { return s.Data.Lost == 0 && s.Data.Duplicate == 0 }}},
		{"an infinite mapping that contradicts the one that ends last, which came first", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, nil, s.mapped(0, 5, 4, 4))
			s.data(0, 1, 0, "abcd")
			s.put(0, pkts.TCPAck, 5, 1, nil, s.mapped(0, 7, 16, 0))
			s.put(0, pkts.TCPAck, 5, 1, []byte("efgh"))
			s.put(0, pkts.TCPAck, 9, 1, []byte("ij"))
			return w
		}, want{`1> 0 "abcd" start #5
			1> 4 "efgh" #7
			1> 8 "ij" #8
			1> 10 end expired #8
			1< 0 start end expired #8`, func(s *MPTCPStats) bool { return s.Conflicts == 1 && s.Fallbacks == 1 }}},
		{"an infinite mapping that contradicts the one that ends last, which came last", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "abcd")
			s.put(0, pkts.TCPAck, 5, 1, nil, s.mapped(0, 9, 104, 4)) // not the next ones
			s.put(0, pkts.TCPAck, 5, 1, nil, s.mapped(0, 11, 16, 0))
			s.put(0, pkts.TCPAck, 5, 1, []byte("efghijkl"), s.mapped(0, 5, 4, 4))
			s.put(0, pkts.TCPAck, 13, 1, []byte("mn"))
			return w
		}, want{`1> 0 "abcd" start #4
			1> 4 "efgh" #7
			1> 104 lost=96 "ijkl" #7
			1> 108 "mn" #8
			1> 110 end expired #8
			1< 0 start end expired #8`, func(s *MPTCPStats) bool { return s.Conflicts == 1 && s.Fallbacks == 1 }}},
		{"a wrong HMAC in the answer", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			w.subs[0].data(0, 1, 0, "a")
			s := w.sub(0)
			s.put(0, pkts.TCPSyn, 0, 0, nil, s.join(0))
			o := s.join(1)
			o.HMAC[3]++
			s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, o)
			s.put(0, pkts.TCPAck, 1, 1, nil, s.join(2))
			s.data(0, 1, 1, "forged")
			return w
		}, want{`1> 0 "a" start #4
			5> 0 "forged" start #8
			5> 6 end expired #8
			5< 0 start end expired #8
			1> 1 end expired #8
			1< 0 start end expired #8`, func(s *MPTCPStats) bool { return s.BadJoins == 1 && s.Subflows == 1 && s.Passed == 6 }}},
		{"a wrong HMAC in the third packet", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.sub(0)
			s.put(0, pkts.TCPSyn, 0, 0, nil, s.join(0))
			s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, s.join(1))
			s.data(0, 1, 0, "forged") // waits for the third packet
			o := s.join(2)
			o.HMAC[19]++
			s.put(0, pkts.TCPAck, 1, 1, nil, o)
			w.subs[0].data(0, 1, 0, "a")
			return w
		}, want{`4> 0 "forged" start #6
			1> 0 "a" start #8
			4> 6 end expired #8
			4< 0 start end expired #8
			1> 1 end expired #8
			1< 0 start end expired #8`, func(s *MPTCPStats) bool { return s.BadJoins == 1 && s.Subflows == 1 }}},
		{"the third packet was not captured", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.sub(0)
			s.put(0, pkts.TCPSyn, 0, 0, nil, s.join(0))
			s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil, s.join(1))
			s.data(0, 1, 0, "ok")
			s.put(1, pkts.TCPAck, 1, 3, nil, s.acked(1, 2)) // who takes no join does not say that
			return w
		}, want{`1> 0 "ok" start #6
			1> 2 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Subflows == 2 }}},
		{"a token that nobody has", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			w.keys[1]++
			w.joined(0).data(0, 1, 0, "other")
			return w
		}, want{`4> 0 "other" start #7
			4> 5 end expired #7
			4< 0 start end expired #7
			1> 0 start end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.UnknownTokens == 1 && s.Passed == 5 }}},
		{"the server has no Multipath TCP", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			w.list = w.list[:1]
			s.put(1, pkts.TCPSyn|pkts.TCPAck, 0, 1, nil)
			s.put(0, pkts.TCPAck, 1, 1, []byte("plain"))
			return w
		}, want{`1> 0 "plain" start #3
			1> 5 end expired #3
			1< 0 start end expired #3`, func(s *MPTCPStats) bool { return s.Connections == 0 && s.Passed == 5 }}},
		{"the first data have no mapping", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, []byte("no "))
			s.put(0, pkts.TCPAck, 4, 1, []byte("mapping"))
			s.put(1, pkts.TCPAck, 1, 11, []byte("nor here"))
			s.put(0, pkts.TCPAck, 14, 9, []byte("gap")) // 3 are missing
			s.put(1, pkts.TCPAck|pkts.TCPFin, 9, 17, nil)
			s.put(0, pkts.TCPAck|pkts.TCPFin, 17, 10, nil)
			return w
		}, want{`1> 0 "no " start #4
			1> 3 "mapping" #5
			1< 0 "nor here" start #6
			1> 13 lost=3 "gap" #7
			1< 8 end #8
			1> 16 end #9`, func(s *MPTCPStats) bool { return s.Fallbacks == 1 && s.Unmapped == 0 }}},
		{"an infinite mapping", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "ab")
			s.data(1, 1, 0, "AB")
			s.put(0, pkts.TCPAck, 3, 3, []byte("cd"), s.mapped(0, 3, 2, 0))
			s.put(0, pkts.TCPAck, 5, 3, []byte("ef"))
			s.put(1, pkts.TCPAck, 3, 7, []byte("CD"))
			s.put(1, pkts.TCPRst, 5, 0, nil)
			return w
		}, want{`1> 0 "ab" start #4
			1< 0 "AB" start #5
			1> 2 "cd" #6
			1> 4 "ef" #7
			1< 2 "CD" #8
			1< 4 end reset #9
			1> 6 end reset #9`, func(s *MPTCPStats) bool { return s.Fallbacks == 1 && s.BadMappings == 0 }}},
		{"MP_FASTCLOSE", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			o := pkts.MPTCPOption{Subtype: pkts.MPTCPFastClose, ReceiverKey: keyB ^ 1}
			u.put(0, pkts.TCPAck, 1, 1, nil, o) // another key
			s.data(0, 2, 1, "b")
			o.ReceiverKey = keyB
			u.put(0, pkts.TCPAck, 1, 1, nil, o)
			s.data(0, 3, 2, "c")
			return w
		}, want{`1> 0 "a" start #7
			1> 1 "b" #9
			1> 2 end reset #10
			1< 0 start end reset #10`, func(s *MPTCPStats) bool { return s.BadSignals == 1 && s.Data.Closed == 1 }}},
		{"DATA_FIN with data, and subflows that end before", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s, u := w.subs[0], w.joined(0)
			s.data(0, 1, 0, "a")
			s.put(0, pkts.TCPFin|pkts.TCPAck, 2, 1, nil)
			s.put(1, pkts.TCPFin|pkts.TCPAck, 1, 3, nil)
			o := u.mapped(0, 1, 1, 3) // two bytes and the DATA_FIN
			o.Flags |= pkts.MPTCPDataFin
			u.put(0, pkts.TCPAck, 1, 1, []byte("bc"), o)
			u.put(0, pkts.TCPRst, 3, 0, nil)
			return w
		}, want{`1> 0 "a" start #7
			1> 1 "bc" end #10
			1< 0 start end expired #11`, func(s *MPTCPStats) bool { return s.Unmapped == 0 }}},
		{"numbers that no receiver would take", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "a")
			o := s.mapped(0, 2, 1, 2)
			o.DSN += 1 << 32 // the lower half is right
			s.put(0, pkts.TCPAck, 2, 1, []byte("xx"), o)
			o = s.mapped(0, 2, 70000, 2) // beyond the window
			s.put(0, pkts.TCPAck, 4, 1, nil, o)
			o = s.acked(1, 0)
			o.DataAck += 1 << 40
			s.put(1, pkts.TCPAck, 1, 4, nil, o)
			return w
		}, want{`1> 0 "a" start #4
			1> 1 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool {
			return s.BadMappings == 1 && s.BadSignals == 1 && s.Data.Unacceptable == 2
		}}},
		{"the SYN comes after data that are out", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			first := w.list
			w.list = nil
			w.subs[0].data(0, 1, 0, "early")
			w.list = append(w.list, first...)
			return w
		}, want{`1> m+0 "early" start #1
			1> m+5 end expired #4
			1< 0 start end expired #4`, func(s *MPTCPStats) bool { return s.Connections == 0 }}},
		{"a subflow begins before the keys are known", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			third := w.list[2]
			w.list = w.list[:2]
			s.data(1, 1, 0, "early") // overtakes the third packet; its numbers cannot be known
			w.list = append(w.list, third)
			s.put(1, pkts.TCPAck, 6, 1, nil, s.mapped(1, 1, 0, 5))
			return w
		}, want{`1< 0 "early" start #3
			1> 0 start end expired #5
			1< 5 end expired #5`, nil}},
	})
}

// What waits for mappings, mappings, and subflows are bounded, and what that costs
// is counted.
func TestMPTCPLimits(t *testing.T) {
	// Bytes without a mapping, one in each segment.
	w := newWire(1, keyA, keyB)
	s := w.subs[0]
	s.data(0, 1, 0, "a")
	for i := range 100 {
		s.put(0, pkts.TCPAck, 2+i, 1, []byte("x"))
	}
	m := &MPTCP{TCP: TCP{Limits: Limits{FlowBytes: 10 * mptcpHeldCost}}}
	runMPTCP(t, m, w.list, 1)
	if x := m.Stats(); x.Unmapped != 100 || x.GivenUp < 10 || x.Data.Delivered != 1 {
		t.Errorf("%+v", x)
	}

	// Mappings for every second byte, from behind.
	w = newWire(1, keyA, keyB)
	s = w.subs[0]
	s.data(0, 1, 0, "a")
	for i := range 2 * mptcpMaps {
		n := 5 * (2*mptcpMaps - i)
		s.put(0, pkts.TCPAck, 2, 1, nil, s.mapped(0, n, n, 1))
	}
	m = new(MPTCP)
	runMPTCP(t, m, w.list, 1)
	if x := m.Stats(); x.LimitedMaps != mptcpMaps || x.Conflicts+x.BadMappings > 0 {
		t.Errorf("%+v", x)
	}

	// More subflows than one connection may have.
	w = newWire(1, keyA, keyB)
	for range mptcpSubflows + 9 {
		w.joined(0)
	}
	m = new(MPTCP)
	runMPTCP(t, m, w.list, 1)
	if x := m.Stats(); x.Subflows != mptcpSubflows || x.BadJoins != 10 {
		t.Errorf("%+v", x)
	}
}

// While bytes wait on a subflow, a DATA_ACK counts for what it says, and not for
// what came out meanwhile.
func TestMPTCPRoundTrip(t *testing.T) {
	w := newWire(1, keyA, keyB)
	s, u := w.subs[0], w.joined(0)
	u.data(0, 4, 10, "e") // waits: bytes 1 to 3 of the subflow come last
	s.data(0, 1, 0, "a")
	s.put(1, pkts.TCPAck, 1, 2, nil, s.acked(1, 0)) // from before
	for range 10 {
		s.put(1, pkts.TCPAck, 1, 2, nil) // time passes
	}
	s.put(1, pkts.TCPAck, 1, 2, nil, s.acked(1, 1))
	m := new(MPTCP)
	var info MPTCPInfo
	m.Done = func(i MPTCPInfo) { info = i }
	runMPTCP(t, m, w.list, 0)
	if x := info.Sides[Forward]; x.RTTSamples != 1 || x.RTTMin != 12*time.Millisecond {
		t.Errorf("%d samples, the shortest %v, want 12ms: %+v", x.RTTSamples, x.RTTMin, x)
	}
}
