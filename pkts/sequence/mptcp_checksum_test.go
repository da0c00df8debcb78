package sequence

import (
	"encoding/binary"
	"testing"

	"github.com/gopkts/gopkts/pkts"
)

// wireChecksum returns the checksum of a mapping as RFC 8684, section 3.3.1, and RFC
// 1071 say it, byte by byte. That systems say the same is shown by the capture and
// the kernel that package fuzz compares.
func wireChecksum(dsn uint64, ssn uint32, n uint16, data []byte) uint16 {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, dsn), ssn), n)
	b = append(append(b, 0, 0), data...)
	sum := 0
	for i, x := range b {
		if i%2 == 0 {
			sum += int(x) << 8
		} else {
			sum += int(x)
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// summed returns a mapping of data with its checksum.
func (s *wireSub) summed(end, ssn, off int, data string) pkts.MPTCPOption {
	o := s.mapped(end, ssn, off, len(data))
	o.HasChecksum, o.Checksum = true, wireChecksum(o.DSN, o.SubflowSeq, o.DataLen, []byte(data))
	return o
}

// good puts data with a checksum.
func (s *wireSub) good(end, ssn, off int, data string) {
	s.put(end, pkts.TCPAck, ssn, 1, []byte(data), s.summed(end, ssn, off, data))
}

// bad puts data that were altered on their way.
func (s *wireSub) bad(end, ssn, off int, data, altered string) {
	s.put(end, pkts.TCPAck, ssn, 1, []byte(altered), s.summed(end, ssn, off, data))
}

// failed is the MP_FAIL of who receives.
func (s *wireSub) failed(end, off int) pkts.MPTCPOption {
	return pkts.MPTCPOption{Subtype: pkts.MPTCPFail, DSN: s.w.dsn(end^1, off)}
}

// The checksums of mappings are verified, and what becomes of bytes whose checksum
// is wrong is what RFC 8684, section 3.7, and Linux do.
func TestMPTCPChecksum(t *testing.T) {
	type want = mptcpWant
	right := func(s *MPTCPStats) bool {
		return s.BadChecksums+s.Corrupt+s.Unchecked+s.Unmapped+s.BadMappings+s.Conflicts+s.BadSignals+s.Fails+s.Fallbacks == 0
	}
	whole := func(asks [2]bool, version uint8) func() *mptcpWire {
		return func() *mptcpWire {
			w := (&mptcpWire{version: version, asks: asks, keys: [2]uint64{keyA, keyB}}).open()
			s, u := w.subs[0], w.joined(0)
			o := s.summed(0, 1, 0, "one, two")
			s.put(0, pkts.TCPAck, 1, 1, []byte("one"), o)
			s.put(0, pkts.TCPAck, 4, 1, []byte(", t")) // the mapping was told
			u.good(1, 1, 0, "answer")                  // comes out first
			s.put(0, pkts.TCPAck, 7, 1, []byte("wo"), o)
			o = u.summed(0, 1, 8, "three")
			o.Flags &^= pkts.MPTCPDSN8 // all 64 bits are in the checksum
			u.put(0, pkts.TCPAck, 1, 1, []byte("three"), o)
			o = u.mapped(0, 6, 13, 5) // four bytes and the DATA_FIN
			o.Flags |= pkts.MPTCPDataFin
			o.HasChecksum, o.Checksum = true, wireChecksum(o.DSN, 6, 5, []byte("four"))
			u.put(0, pkts.TCPAck, 6, 1, []byte("four"), o)
			o = s.mapped(1, 0, 6, 1)
			o.Flags |= pkts.MPTCPDataFin
			o.HasChecksum, o.Checksum = true, wireChecksum(o.DSN, 0, 1, nil)
			s.put(1, pkts.TCPAck, 1, 1, nil, o)
			return w
		}
	}
	wholeWant := want{`1< 0 "answer" start #9
			1> 0 "one" start #7
			1> 3 ", t" #8
			1> 6 "wo" #10
			1> 8 "three" #11
			1> 13 "four" end #12
			1< 6 end #13`, right}
	runMPTCPCases(t, []mptcpCase{
		{"right ones", whole([2]bool{true, true}, 1), wholeWant},
		{"A asks for them", whole([2]bool{true, false}, 1), wholeWant},
		{"B asks for them, in version 0", whole([2]bool{false, true}, 0), wholeWant},
		{"the first data have the keys", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			w.list = w.list[:2]
			o := s.capable(2)
			o[0].DataLen, o[0].HasChecksum, o[0].Checksum = 10, true, wireChecksum(w.dsn(0, 0), 1, 10, []byte("helloworld"))
			s.put(0, pkts.TCPAck, 1, 1, []byte("hello"), o...)
			s.put(0, pkts.TCPAck, 6, 1, []byte("world"))
			return w
		}, want{`1> 0 "hello" start #3
			1> 5 "world" #4
			1> 10 end expired #4
			1< 0 start end expired #4`, right}},
		{"the first data have the keys, and no checksum", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			w.list = w.list[:2]
			o := s.capable(2)
			o[0].DataLen = 5
			s.put(0, pkts.TCPAck, 1, 1, []byte("hello"), o...)
			return w
		}, want{`1> 0 start end expired #3
			1< 0 start end expired #3`, func(s *MPTCPStats) bool { return s.BadMappings == 1 && s.Unmapped == 5 }}},
		{"the mapping comes after its bytes, and segments out of order", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "_")
			s.put(0, pkts.TCPAck, 2, 1, []byte("a"))
			s.put(0, pkts.TCPAck, 5, 1, []byte("def"))
			s.put(0, pkts.TCPAck, 3, 1, []byte("bc"))
			s.good(0, 8, 7, "gh")
			s.put(0, pkts.TCPAck, 10, 1, nil, s.summed(0, 2, 1, "abcdef"))
			return w
		}, want{`1> 0 "_" start #4
			1> 1 "a" #5
			1> 2 "bc" #7
			1> 4 "def" #6
			1> 7 "gh" #8
			1> 9 end expired #9
			1< 0 start end expired #9`, right}},
		{"a segment ends a mapping and begins the next", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, []byte("ab"), s.summed(0, 1, 0, "abc"))
			s.put(0, pkts.TCPAck, 3, 1, nil, s.summed(0, 4, 3, "def"))
			s.put(0, pkts.TCPAck, 3, 1, []byte("cd"))
			s.put(0, pkts.TCPAck, 5, 1, []byte("ef"))
			return w
		}, want{`1> 0 "ab" start #4
			1> 2 "c" #6
			1> 3 "d" #6
			1> 4 "ef" #7
			1> 6 end expired #7
			1< 0 start end expired #7`, right}},

		{"a wrong one on one of two subflows, which is reset", func() *mptcpWire {
			w := newSummed(1)
			s, u := w.subs[0], w.joined(0)
			s.good(0, 1, 0, "one ")
			u.bad(0, 1, 4, "two ", "TWO ")
			u.good(0, 5, 8, "three ") // so long as it is not taken, nor is what follows
			s.good(0, 5, 14, "four")
			u.put(1, pkts.TCPRst|pkts.TCPAck, 1, 5, nil, u.failed(1, 4))
			s.good(0, 9, 4, "two ")
			return w
		}, want{`1> 0 "one " start #7
			1> 4 "two " #12
			1> 8 "three " #9
			1> 14 "four" #10
			1> 18 end expired #12
			1< 0 start end expired #12`, func(s *MPTCPStats) bool {
			return s.BadChecksums == 1 && s.Corrupt == 4 && s.Fails == 1 && s.Fallbacks == 0
		}}},
		{"a wrong one does not hide what the capture has missed", func() *mptcpWire {
			w := newSummed(1)
			s, u := w.subs[0], w.joined(0)
			s.good(0, 1, 0, "a")
			u.bad(0, 1, 1, "bcd", "xxx")
			s.good(0, 5, 5, "f") // which was sent again before, and not captured
			s.put(1, pkts.TCPAck, 1, 6, nil, s.acked(1, 6))
			return w
		}, want{`1> 0 "a" start #7
			1> 5 lost=4 "f" #9
			1> 6 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.BadChecksums == 1 && s.Corrupt == 3 }}},
		{"a wrong one on the only subflow: MP_FAIL, and a DATA_ACK, as Linux does", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.bad(0, 5, 4, "two ", "TWO ")
			s.put(1, pkts.TCPAck, 1, 9, nil, s.acked(1, 4), s.failed(1, 4))
			s.good(0, 9, 8, "three ")
			s.good(1, 1, 0, "answer") // before
			s.put(1, pkts.TCPAck, 7, 15, nil, s.acked(1, 5))
			s.bad(0, 15, 14, "four", "FOUR") // the next one
			s.put(1, pkts.TCPAck, 7, 19, nil, s.acked(1, 14))
			return w
		}, want{`1> 0 "one " start #4
			1< 0 "answer" start #8
			1> 4 "TWO " #5
			1> 8 "three " #7
			1> 14 end expired #11
			1< 6 end expired #11`, func(s *MPTCPStats) bool {
			return s.BadChecksums == 2 && s.Corrupt == 4 && s.Fails == 1 && s.Unchecked == 0
		}}},
		{"the DATA_ACK comes before", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.put(1, pkts.TCPAck, 1, 9, nil, s.acked(1, 8))
			s.bad(0, 5, 4, "two ", "TWO ")
			return w
		}, want{`1> 0 "one " start #4
			1> 4 "TWO " #6
			1> 8 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.BadChecksums == 1 && s.Corrupt == 0 }}},
		{"a DATA_ACK when there were two subflows", func() *mptcpWire {
			w := newSummed(1)
			s, u := w.subs[0], w.joined(0)
			s.good(0, 1, 0, "one ")
			u.put(0, pkts.TCPRst, 1, 1, nil)
			s.bad(0, 5, 4, "two ", "TWO ")
			s.put(1, pkts.TCPAck, 1, 9, nil, s.acked(1, 8)) // of what came over the other
			return w
		}, want{`1> 0 "one " start #7
			1> 8 lost=4 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.BadChecksums == 1 && s.Corrupt == 4 }}},
		{"an infinite mapping from what was taken last", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.good(0, 5, 4, "two ")
			s.bad(0, 9, 8, "three ", "THREE ")
			s.put(1, pkts.TCPAck, 1, 15, nil, s.acked(1, 8), s.failed(1, 8))
			o := s.mapped(0, 5, 4, 0)
			o.HasChecksum = true // of 0, as Linux has it
			s.put(0, pkts.TCPAck, 15, 1, []byte("four "), o)
			s.put(0, pkts.TCPAck, 20, 1, []byte("five"))
			s.put(0, pkts.TCPAck|pkts.TCPFin, 24, 1, nil)
			return w
		}, want{`1> 0 "one " start #4
			1> 4 "two " #5
			1> 8 "THREE " #6
			1> 14 "four " #8
			1> 19 "five" #9
			1> 23 end #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool {
			return s.BadChecksums == 1 && s.Corrupt == 0 && s.Fails == 1 && s.Fallbacks == 1 && s.Conflicts+s.BadMappings == 0
		}}},
		{"an infinite mapping from before, that contradicts", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.bad(0, 5, 4, "two ", "TWO ")
			o := s.mapped(0, 2, 0, 0)
			s.put(0, pkts.TCPAck, 9, 1, []byte("three"), o)
			return w
		}, want{`1> 0 "one " start #4
			1> 4 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool {
			return s.BadMappings == 1 && s.Fallbacks == 0 && s.Corrupt == 4 && s.Unmapped == 5
		}}},
		{"bytes that no mapping covers, and an infinite one from before a later one", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.put(0, pkts.TCPAck, 5, 1, []byte("box")) // a middlebox has put it there
			s.put(0, pkts.TCPAck, 8, 1, []byte("two "), s.summed(0, 8, 7, "TWO "))
			s.put(0, pkts.TCPAck, 12, 1, []byte("three"), s.mapped(0, 5, 4, 0))
			return w
		}, want{`1> 0 "one " start #4
			1> 4 "box" #5
			1> 7 "two " #6
			1> 11 "three" #7
			1> 16 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool {
			return s.Fallbacks == 1 && s.BadChecksums == 0 && s.Unchecked == 1 && s.BadMappings+s.Conflicts == 0
		}}},
		{"MP_FAIL, and data without a mapping", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.bad(0, 5, 4, "two ", "TWO ")
			s.put(1, pkts.TCPAck, 1, 9, nil, s.acked(1, 4), s.failed(1, 4))
			s.put(0, pkts.TCPAck, 9, 1, []byte("three"))
			return w
		}, want{`1> 0 "one " start #4
			1> 4 "TWO " #5
			1> 8 "three" #7
			1> 13 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Fallbacks == 1 && s.Fails == 1 && s.Corrupt == 0 }}},
		{"MP_FAIL that ends one of two subflows is none for the other", func() *mptcpWire {
			w := newSummed(1)
			s, u := w.subs[0], w.joined(0)
			s.good(0, 1, 0, "one ")
			u.put(1, pkts.TCPAck, 1, 1, nil, u.failed(1, 4))
			u.put(1, pkts.TCPRst, 1, 1, nil)
			s.put(0, pkts.TCPAck, 5, 1, []byte("two"))
			return w
		}, want{`1> 0 "one " start #7
			1> 4 end expired #10
			1< 0 start end expired #10`, func(s *MPTCPStats) bool { return s.Fails == 1 && s.Fallbacks == 0 && s.Unmapped == 3 }}},
		{"an MP_FAIL with RST lets nothing go on without mappings", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "one ")
			s.put(0, pkts.TCPAck, 10, 1, []byte("early")) // what is before it was lost
			s.put(1, pkts.TCPRst|pkts.TCPAck, 1, 5, nil, s.failed(1, 4))
			return w
		}, want{`1> 0 "one " start #4
			1> 4 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.Fails == 1 && s.Fallbacks == 0 && s.Unmapped == 5 }}},
		{"the first one is wrong, and the receiver goes on without signals, as Linux does", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.bad(0, 1, 0, "one ", "ONE ")
			s.put(1, pkts.TCPAck, 1, 5, nil)
			s.good(0, 5, 4, "two ") // was on its way
			s.put(0, pkts.TCPAck, 9, 1, []byte("three"))
			return w
		}, want{`1> 0 "ONE " start #4
			1> 4 "two " #6
			1> 8 "three" #7
			1> 13 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Fallbacks == 1 && s.BadChecksums == 1 && s.Corrupt == 0 }}},
		{"no mapping, but the receiver has sent signals", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "one ")
			s.put(1, pkts.TCPAck, 1, 5, nil, s.acked(1, 4))
			s.put(1, pkts.TCPAck, 1, 5, nil)
			s.put(0, pkts.TCPAck, 5, 1, []byte("two"))
			return w
		}, want{`1> 0 "one " start #4
			1> 4 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Fallbacks == 0 && s.Unmapped == 3 }}},
		{"no mapping, and the receiver has acknowledged no data yet", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "one ")
			s.put(1, pkts.TCPAck, 1, 1, nil)
			s.put(0, pkts.TCPAck, 5, 1, []byte("two"))
			return w
		}, want{`1> 0 "one " start #4
			1> 4 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.Fallbacks == 0 && s.Unmapped == 3 }}},
		{"no mapping, and other options instead", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			o := pkts.MPTCPOption{Subtype: pkts.MPTCPPrio}
			s.data(0, 1, 0, "one ")
			s.put(1, pkts.TCPAck, 1, 5, nil, o)
			s.put(0, pkts.TCPAck, 5, 1, []byte("two ")) // the receiver knows the options
			s.put(1, pkts.TCPAck, 1, 9, nil)
			s.put(0, pkts.TCPAck, 9, 1, []byte("three"), o) // and so does the sender
			return w
		}, want{`1> 0 "one " start #4
			1> 4 end expired #8
			1< 0 start end expired #8`, func(s *MPTCPStats) bool { return s.Fallbacks == 0 && s.Unmapped == 9 }}},
		{"data without a mapping in both directions, of those with a mapping before", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(1, 1, 0, "hello")
			s.put(0, pkts.TCPAck, 1, 2, nil)
			s.put(1, pkts.TCPAck, 6, 1, []byte("again"))
			s.put(0, pkts.TCPAck, 1, 11, []byte("bye"))
			return w
		}, want{`1< 0 "hello" start #4
			1< 5 "again" #6
			1> 0 "bye" start #7
			1> 3 end expired #7
			1< 10 end expired #7`, func(s *MPTCPStats) bool { return s.Fallbacks == 1 }}},
		{"what a mapping covers needs none", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, []byte("one"), s.mapped(0, 1, 0, 6))
			s.put(1, pkts.TCPAck, 1, 4, nil)
			s.put(0, pkts.TCPAck, 4, 1, []byte("two"))
			return w
		}, want{`1> 0 "one" start #4
			1> 3 "two" #6
			1> 6 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.Fallbacks == 0 }}},

		{"none where the handshake asks for them", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "a")
			s.data(0, 2, 1, "bc")
			o := s.mapped(0, 0, 1, 1)
			o.Flags |= pkts.MPTCPDataFin
			s.put(0, pkts.TCPAck, 4, 1, nil, o)
			return w
		}, want{`1> 0 "a" start #4
			1> 1 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.BadMappings == 1 && s.BadSignals == 1 && s.Unmapped == 2 }}},
		{"one where the handshake does not ask for it", func() *mptcpWire {
			w := newWire(1, keyA, keyB)
			s := w.subs[0]
			s.data(0, 1, 0, "a")
			s.good(0, 2, 1, "bc")
			return w
		}, want{`1> 0 "a" start #4
			1> 1 end expired #5
			1< 0 start end expired #5`, func(s *MPTCPStats) bool { return s.BadMappings == 1 && s.Unmapped == 2 }}},
		{"one where the handshake does not ask for it, in version 0", func() *mptcpWire {
			w := newWire(0, keyA, keyB)
			s := w.subs[0]
			s.bad(0, 1, 0, "abc", "xyz")
			return w
		}, want{`1> 0 "xyz" start #4
			1> 3 end expired #4
			1< 0 start end expired #4`, right}},

		{"bytes were not captured", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			o := s.summed(0, 1, 0, "abcdef")
			s.put(0, pkts.TCPAck, 1, 1, []byte("ab"), o)
			s.put(0, pkts.TCPAck, 5, 1, []byte("ef"), o)
			s.put(1, pkts.TCPAck, 1, 7, nil)
			s.good(0, 7, 6, "gh")
			s.good(1, 1, 0, "ok")
			return w
		}, want{`1> 0 "ab" start #4
			1< 0 "ok" start #8
			1> 4 lost=2 "ef" #5
			1> 6 "gh" #7
			1> 8 end expired #8
			1< 2 end expired #8`, func(s *MPTCPStats) bool { return s.Unchecked == 1 && s.Data.Lost == 2 && s.BadChecksums == 0 }}},
		{"bytes were not captured, and the last ones are yet to come", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			o := s.summed(0, 1, 0, "abcdefgh")
			s.put(0, pkts.TCPAck, 1, 1, []byte("ab"), o)
			s.put(0, pkts.TCPAck, 5, 1, []byte("ef"), o)
			s.put(1, pkts.TCPAck, 1, 7, nil)
			s.good(1, 1, 0, "ok") // comes later
			s.put(0, pkts.TCPAck, 7, 1, []byte("gh"), o)
			return w
		}, want{`1> 0 "ab" start #4
			1< 0 "ok" start #7
			1> 4 lost=2 "ef" #5
			1> 6 "gh" #8
			1> 8 end expired #8
			1< 2 end expired #8`, func(s *MPTCPStats) bool { return s.Unchecked == 1 && s.Data.Lost == 2 }}},
		{"bytes were not captured, and there are as many of the next mapping", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, []byte("ab"), s.summed(0, 1, 0, "abcdef"))
			s.put(1, pkts.TCPAck, 1, 1, nil, s.acked(1, 0))
			s.put(0, pkts.TCPAck, 5, 1, []byte("efgh"), s.summed(0, 7, 6, "gh"))
			s.put(1, pkts.TCPAck, 1, 9, nil, s.acked(1, 8))
			return w
		}, want{`1> 0 "ab" start #4
			1> 4 lost=2 "ef" #6
			1> 6 "gh" #6
			1> 8 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Unchecked == 1 && s.BadChecksums == 0 }}},
		{"the first bytes were not captured", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "ab")
			s.put(0, pkts.TCPAck, 5, 1, []byte("ef"), s.summed(0, 3, 2, "cdef"))
			s.put(1, pkts.TCPAck, 1, 7, nil)
			s.put(1, pkts.TCPAck, 1, 7, nil, s.acked(1, 6))
			return w
		}, want{`1> 0 "ab" start #4
			1> 4 lost=2 "ef" #5
			1> 6 end expired #7
			1< 0 start end expired #7`, func(s *MPTCPStats) bool { return s.Unchecked == 1 && s.Data.Lost == 2 }}},
		{"the subflow ends before a mapping is complete", func() *mptcpWire {
			w := newSummed(1)
			s, u := w.subs[0], w.joined(0)
			s.good(0, 1, 0, "ab")
			o := u.summed(0, 1, 2, "cdef")
			u.put(0, pkts.TCPAck, 1, 1, []byte("x"), o) // nobody knows that it was altered
			u.put(0, pkts.TCPAck, 2, 1, []byte("y"), o)
			u.put(0, pkts.TCPRst, 3, 1, nil)
			s.good(0, 3, 2, "cdef")
			return w
		}, want{`1> 0 "ab" start #7
			1> 2 "cdef" #11
			1> 6 end expired #11
			1< 0 start end expired #11`, func(s *MPTCPStats) bool {
			return s.Corrupt == 2 && s.BadChecksums+s.Unchecked == 0 && s.Data.Overlaps == 0
		}}},
		{"the capture ends before a mapping is complete", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.put(0, pkts.TCPAck, 1, 1, []byte("ab"), s.summed(0, 1, 0, "abcd"))
			return w
		}, want{`1> 0 "ab" start #4
			1> 2 end expired #4
			1< 0 start end expired #4`, func(s *MPTCPStats) bool { return s.Unchecked == 1 && s.Corrupt == 0 }}},
		{"two mappings of the same bytes", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			o := s.summed(0, 1, 0, "abcd")
			s.put(0, pkts.TCPAck, 1, 1, []byte("ab"), o)
			s.put(0, pkts.TCPAck, 1, 1, nil, o) // the same again
			o.Checksum++
			s.put(0, pkts.TCPAck, 1, 1, nil, o)                                // another checksum: the first one counts
			s.put(0, pkts.TCPAck, 3, 1, nil, s.summed(0, 1, 0, "ab"))          // a part of it
			s.put(0, pkts.TCPAck, 3, 1, []byte("cd"), s.summed(0, 3, 2, "cd")) // and another
			s.put(0, pkts.TCPAck, 5, 1, []byte("ef"), s.summed(0, 4, 3, "def"))
			return w
		}, want{`1> 0 "ab" start #4
			1> 2 "cd" #8
			1> 4 "ef" #9
			1> 6 end expired #9
			1< 0 start end expired #9`, func(s *MPTCPStats) bool {
			return s.Conflicts == 1 && s.Unchecked == 1 && s.BadChecksums == 0
		}}},
		{"a DATA_FIN with a wrong one", func() *mptcpWire {
			w := newSummed(1)
			s := w.subs[0]
			s.good(0, 1, 0, "a")
			o := s.mapped(0, 0, 1, 1)
			o.Flags |= pkts.MPTCPDataFin
			o.HasChecksum = true
			o.Checksum = wireChecksum(o.DSN, 0, 1, nil) + 1
			s.put(0, pkts.TCPAck, 2, 1, nil, o)
			s.good(0, 2, 1, "b")
			return w
		}, want{`1> 0 "a" start #4
			1> 1 "b" #6
			1> 2 end expired #6
			1< 0 start end expired #6`, func(s *MPTCPStats) bool { return s.BadChecksums == 1 && s.Data.Closed == 0 }}},
	})
}

// What waits for the rest of a mapping is bounded, and what that costs is counted.
func TestMPTCPChecksumLimits(t *testing.T) {
	// A mapping of which one byte comes at a time, and not all.
	w := newSummed(1)
	s := w.subs[0]
	data := string(make([]byte, 200))
	o := s.summed(0, 1, 0, data)
	for i := range len(data) {
		s.put(0, pkts.TCPAck, 1+i, 1, []byte(data[i:i+1]), o)
	}
	m := &MPTCP{TCP: TCP{Limits: Limits{FlowBytes: 10 * mptcpHeldCost}}}
	runMPTCP(t, m, w.list, 1)
	if x := m.Stats(); x.Unchecked != 2 || x.GivenUp != 1 || x.Data.Delivered != 200 || x.Corrupt+x.Unmapped+x.BadChecksums > 0 {
		t.Errorf("%+v", x)
	}

	// More mappings than may wait, behind bytes that come last.
	const n = mptcpMaps + 100
	w = newSummed(1)
	s = w.subs[0]
	for i := 1; i < n; i++ {
		s.good(0, 1+2*i, 2*i, "ab")
	}
	s.good(0, 1, 0, "AB")
	m = new(MPTCP)
	runMPTCP(t, m, w.list, 1)
	if x := m.Stats(); x.Unchecked != 102 || x.LimitedMaps+x.BadChecksums+x.Unmapped > 0 || x.Data.Delivered != 2*n {
		t.Errorf("%+v", x)
	}
}
