package sequence

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// open is the handshake that most scripts begin with: A's stream begins at 101,
// B's at 501.
const open = `
	A S 100
	B SA 500 101
	A A 101 501
`

func TestTCP(t *testing.T) {
	for _, tt := range []tcpTest{
		{
			name: "in order",
			script: open + `
				A A 101 501 "hello "
				B A 501 107 "hi"
				A A 107 503 "world"
				A FA 112 503
				B FA 503 113 "."
				A A 113 505`,
			want: `
				A 0 "hello " start #4
				B 0 "hi" start #5
				A 6 "world" #6
				A 11 end #7
				B 2 "." end #8`,
			stats: func(s TCPStats) bool { return s.Streams == 1 && s.Delivered == 14 && s.Refused == 0 && s.Gaps == 0 },
		},
		{
			name:   "IPv6",
			script: "A S 100 six\nB SA 500 101 six\nA A 101 501 \"x\" six\nB RA 501 102 six",
			want: `
				A 0 "x" start #3
				B 0 start end reset #4
				A 1 end reset #4`,
		},
		{
			name: "out of order",
			script: open + `
				A A 107 501 "two "
				A A 111 501 "three"
				A A 101 501 "one   "
				A FA 116 501
				B FA 501 117`,
			want: `
				A 0 "one   " start #6
				A 6 "two " #4
				A 10 "three" #5
				A 15 end #7
				B 0 start end #8`,
			stats: func(s TCPStats) bool { return s.OutOfOrder == 1 && s.Retransmissions == 0 && s.Duplicate == 0 },
		},
		{
			// gopacket's Sequence.Difference loses a byte when a gap ends at
			// the wrap; scapy's TCPSession breaks the message.
			name: "sequence numbers wrap, in a gap",
			script: `
				A S 4294967289
				B SA 4294967295 4294967290
				A A 4294967290 0
				A A 4294967290 0 "ABC"
				A A 0 0 "GH"
				A A 4294967293 0 "DEF"
				B A 0 2 "x"
				A A 2 1 "I"`,
			want: `
				A 0 "ABC" start #4
				A 3 "DEF" #6
				A 6 "GH" #5
				B 0 "x" start #7
				A 8 "I" #8
				A 9 end expired #8
				B 1 end expired #8`,
		},
		{
			name: "a gap that ends at the wrap is reported with its exact length",
			script: `
				A S 4294967289
				B SA 4294967295 4294967290
				A A 4294967290 0 "ABC"
				A A 0 0 "GH"
				B A 0 2`,
			want: `
				A 0 "ABC" start #3
				A 6 lost=3 "GH" #4
				A 8 end expired #5
				B 0 start end expired #5`,
			stats: func(s TCPStats) bool { return s.Lost == 3 && s.Gaps == 1 },
		},
		{
			// scapy delivers a message with zeros for a swapped last pair, and
			// for a lost segment, without a mark.
			name: "last two segments swapped, FIN on the one",
			script: open + `
				A A 101 501 "aaa"
				A FA 107 501 "ccc"
				A A 104 501 "bbb"`,
			want: `
				A 0 "aaa" start #4
				A 3 "bbb" #6
				A 6 "ccc" end #5
				B 0 start end expired #6`,
		},
		{
			name: "lost, and nobody says that it arrived",
			script: open + `
				A A 101 501 "aaa"
				A A 107 501 "ccc"
				A A 110 501 "ddd"
				A A 119 501 "fff"`,
			want: `
				A 0 "aaa" start #4
				A 6 lost=3 "ccc" #5
				A 9 "ddd" #6
				A 18 lost=6 "fff" #7
				A 21 end expired #7
				B 0 start end expired #7`,
			stats: func(s TCPStats) bool { return s.Lost == 9 && s.Gaps == 2 && s.Waiting == 0 },
		},
		{
			name: "an acknowledgment for what was not captured ends the wait",
			script: open + `
				A A 101 501 "aaa"
				A A 107 501 "ccc"
				B A 501 110
				A A 110 501 "ddd"
				B A 501 119
				A A 119 501 "fff"`,
			want: `
				A 0 "aaa" start #4
				A 6 lost=3 "ccc" #5
				A 9 "ddd" #7
				A 18 lost=6 "fff" #9
				A 21 end expired #9
				B 0 start end expired #9`,
			stats: func(s TCPStats) bool { return s.Lost == 9 && s.Gaps == 2 },
		},
		{
			name: "an acknowledgment that overtakes its data does not lose it",
			script: open + `
				A A 101 501 "aaa"
				B A 501 107
				A A 104 501 "bbb"`,
			want: `
				A 0 "aaa" start #4
				A 3 "bbb" #6
				A 6 end expired #6
				B 0 start end expired #6`,
		},
		{
			name: "a duplicate acknowledgment waits for the retransmission",
			script: open + `
				A A 101 501 "aaa"
				A A 107 501 "ccc"
				B A 501 104 sack=107-110
				B A 501 104 sack=107-110
				A A 104 501 "bbb" t=200ms`,
			want: `
				A 0 "aaa" start #4
				A 3 "bbb" #8
				A 6 "ccc" #5
				A 9 end expired #8
				B 0 start end expired #8`,
			stats: func(s TCPStats) bool { return s.Retransmissions == 1 && s.OutOfOrder == 0 },
		},
		{
			name: "selective acknowledgment of what was not captured",
			script: open + `
				A A 101 501 "aaa"
				A A 113 501 "eee"
				B A 501 104 sack=107-116
				A A 104 501 "bbb" t=200ms`,
			want: `
				A 0 "aaa" start #4
				A 3 "bbb" #7
				A 12 lost=6 "eee" #5
				A 15 end expired #7
				B 0 start end expired #7`,
		},
		{
			name: "selective acknowledgment that begins at the gap",
			script: open + `
				A A 101 501 "aaa"
				A A 107 501 "ccc"
				A A 113 501 "eee"
				B A 501 104 sack=104-110`,
			want: `
				A 0 "aaa" start #4
				A 6 lost=3 "ccc" #5
				A 12 lost=3 "eee" #6
				A 15 end expired #7
				B 0 start end expired #7`,
		},
		{
			name: "retransmissions and partial overlaps",
			script: open + `
				A A 101 501 "abcdef"
				A A 101 501 "abcdef"
				A A 104 501 "def"
				A A 104 501 "defghi"
				A A 107 501 "ghi"`,
			want: `
				A 0 "abcdef" start #4
				A 6 "ghi" #7
				A 9 end expired #8
				B 0 start end expired #8`,
			stats: func(s TCPStats) bool { return s.Retransmissions == 4 && s.Duplicate == 15 && s.Delivered == 9 },
		},
		{
			name: "keep-alives",
			script: open + `
				A A 101 501 "abc"
				B A 501 104
				A A 103 501 t=60s
				B A 501 104
				A A 103 501 "\x00" t=60s
				B A 501 104
				A A 104 501 "d"`,
			want: `
				A 0 "abc" start #4
				A 3 "d" #10
				A 4 end expired #10
				B 0 start end expired #10`,
			stats: func(s TCPStats) bool { return s.KeepAlives == 2 && s.Retransmissions == 0 },
		},
		{
			name: "a closed window, and probes into it",
			script: `
				A S 100
				B SA 500 101 win=3
				A A 101 501
				A A 101 501 "abc"
				B A 501 104 win=0
				A A 104 501 "d" t=1s
				B A 501 104 win=0
				A A 104 501 "d" t=2s
				B A 501 105 win=1000
				A A 105 501 "ef"`,
			want: `
				A 0 "abc" start #4
				A 3 "d" #6
				A 4 "ef" #10
				A 6 end expired #10
				B 0 start end expired #10`,
			stats: func(s TCPStats) bool { return s.WindowProbes == 2 && s.Refused == 0 },
		},
		{
			name: "beyond the window, which is not scaled in the SYN",
			script: `
				A S 100 ws=7
				B SA 500 101 ws=2 win=1000
				A A 101 501
				A A 1101 501 "at the edge"
				A A 1102 501 "behind"
				B A 501 101 win=1000
				A A 4101 501 "at the edge"
				A A 4102 501 "behind"`,
			want: `
				!unacceptable
				!unacceptable
				A 1000 lost=1000 "at the edge" start #4
				A 4000 lost=2989 "at the edge" #7
				A 4011 end expired #8
				B 0 start end expired #8`,
			stats: func(s TCPStats) bool { return s.Unacceptable == 12 && s.Refused == 2 },
		},
		{
			name: "the scale counts only when both have it",
			script: `
				A S 100 ws=7
				B SA 500 101 win=1000
				A A 101 501 win=1000
				B A 1502 101 "behind"`,
			want: `
				!unacceptable
				A 0 start end expired #4
				B 0 start end expired #4`,
		},
		{
			name: "the capture lost so much of both that the window went by",
			script: `
				A S 100
				B SA 500 101 win=1000
				A A 101 501
				A A 101 501 "abc" win=100
				B A 501 104 win=1000
				A A 50000 501 "xyz"
				B A 501 50003 win=1000
				A A 50003 501 "uvw"`,
			want: `
				A 0 "abc" start #4
				!unacceptable
				A 49902 lost=49899 "uvw" #8
				A 49905 end expired #8
				B 0 start end expired #8`,
		},
		{
			name: "the same, seen the other way around",
			script: `
				A S 100
				B SA 500 101 win=1000
				A A 101 501
				A A 101 501 "abc" win=100
				B A 501 104 win=1000
				B A 501 50003 win=1000
				A A 50003 501 "uvw"`,
			want: `
				A 0 "abc" start #4
				A 49902 lost=49899 "uvw" #7
				A 49905 end expired #7
				B 0 start end expired #7`,
			stats: func(s TCPStats) bool { return s.BadAcks == 1 && s.Refused == 0 },
		},
		{
			name: "an acknowledgment of what cannot have been sent",
			script: `
				A S 100
				B SA 500 101 win=1000
				A A 101 501
				A A 101 501 "abc"
				B A 501 104 win=1000
				A A 107 501 "ghi"
				B A 501 900000
				A A 104 501 "def"`,
			want: `
				A 0 "abc" start #4
				A 3 "def" #8
				A 6 "ghi" #6
				A 9 end expired #8
				B 0 start end expired #8`,
			stats: func(s TCPStats) bool { return s.BadAcks == 1 },
		},
		{
			name: "PAWS",
			script: `
				A S 100 ts=1000
				B SA 500 101 ts=7
				A A 101 501 "abc" ts=1001
				A A 104 501 "old" ts=900
				A A 104 501 "old" ts=999
				A A 104 501 "new" ts=1000
				A A 107 501 "wraps" ts=2147484600
				A A 112 501 "late" ts=5`,
			want: `
				A 0 "abc" start #3
				!unacceptable
				!unacceptable
				A 3 "new" #6
				A 6 "wraps" #7
				A 11 "late" #8
				A 15 end expired #8
				B 0 start end expired #8`,
			stats: func(s TCPStats) bool { return s.Stale == 6 && s.Refused == 2 },
		},
		{
			name: "a timestamp out of order is not old",
			script: `
				A S 100 ts=1000
				B SA 500 101 ts=7
				A A 104 501 "def" ts=1003
				A A 101 501 "abc" ts=1002
				A A 107 501 "ghi" ts=1003`,
			want: `
				A 0 "abc" start #4
				A 3 "def" #3
				A 6 "ghi" #5
				A 9 end expired #5
				B 0 start end expired #5`,
		},
		{
			name: "mid-stream",
			script: `
				B A 700 300 "abc"
				A A 300 703 "x"
				B A 703 301 "def"
				B FA 706 301
				A FA 301 707`,
			want: `
				B m+0 "abc" start #1
				A m+0 "x" start #2
				B m+3 "def" #3
				B m+6 end #4
				A m+1 end #5`,
		},
		{
			name: "mid-stream that begins with a keep-alive",
			script: `
				B A 700 300
				A A 299 700 "\x00"
				B A 700 300
				A A 300 700 "x"`,
			want: `
				A m+0 "x" start #4
				B m+0 start end expired #4
				A m+1 end expired #4`,
		},
		{
			name: "only the answer to the SYN was captured",
			script: `
				B SA 500 101
				A A 101 501 "abc"
				B A 501 104 "x"`,
			want: `
				A 0 "abc" start #2
				B 0 "x" start #3
				A 3 end expired #3
				B 1 end expired #3`,
		},
		{
			name: "one direction only",
			script: `
				A S 100
				A A 101 501
				A A 101 501 "abc"
				A A 107 502 "ghi"
				A A 104 502 "def"
				A FA 110 503`,
			want: `
				A 0 "abc" start #3
				A 3 "def" #5
				A 6 "ghi" #4
				A 9 end #6`,
		},
		{
			name: "simultaneous open and close",
			script: `
				A S 100
				B S 500
				A SA 100 501
				B SA 500 101
				A FA 101 501 "abc"
				B FA 501 101 "def"
				A A 105 505
				B A 505 105`,
			want: `
				A 0 "abc" start end #5
				B 0 "def" start end #6`,
			stats: func(s TCPStats) bool { return s.Streams == 1 && s.Refused == 0 },
		},
		{
			name: "half close",
			script: open + `
				A FA 101 501 "get"
				B A 501 105 "one"
				B A 504 105 "two"
				A A 105 507
				B FA 507 105
				A A 105 508`,
			want: `
				A 0 "get" start end #4
				B 0 "one" start #5
				B 3 "two" #6
				B 6 end #8`,
			// gopacket takes the last acknowledgment for the start of another.
			stats: func(s TCPStats) bool { return s.Streams == 1 },
		},
		{
			name: "data behind a FIN",
			script: open + `
				A FA 101 501 "abc"
				A A 104 501 "def"
				A A 101 501 "abcdef"`,
			want: `
				A 0 "abc" start end #4
				!unacceptable
				!unacceptable
				B 0 start end expired #6`,
			stats: func(s TCPStats) bool { return s.Closed == 6 && s.Duplicate == 3 },
		},
		{
			name: "data behind a FIN that came before it",
			script: open + `
				A A 104 501 "defghi"
				A FA 101 501 "abc" t=1ms
				A FA 104 501`,
			// The first FIN counts.
			want: `
				A 0 "abc" start end #5
				B 0 start end expired #6`,
			stats: func(s TCPStats) bool { return s.Closed == 6 },
		},
		{
			name: "reset",
			script: open + `
				A A 101 501 "abc"
				A A 107 501 "ghi"
				B RA 501 104
				A A 110 501 "jkl"
				A A 101 501 "abc"`,
			want: `
				A 0 "abc" start #4
				B 0 start end reset #6
				A 6 lost=3 "ghi" #5
				A 9 end reset #6
				!unacceptable`,
			stats: func(s TCPStats) bool { return s.Streams == 1 && s.Closed == 3 && s.Duplicate == 3 },
		},
		{
			name: "resets outside of the window",
			script: `
				A S 100
				B SA 500 101 win=1000
				A A 101 501
				A A 101 501 "abc"
				B A 501 104 win=1000
				A R 99
				A R 1105
				B R 90000
				A A 104 501 "def"
				A R 107`,
			want: `
				A 0 "abc" start #4
				!unacceptable
				!unacceptable
				!unacceptable
				A 3 "def" #9
				A 6 end reset #10
				B 0 start end reset #10`,
			stats: func(s TCPStats) bool { return s.BadResets == 3 },
		},
		{
			name: "a SYN that is refused",
			script: `
				A S 100
				B RA 0 77
				B RA 0 101`,
			want: `
				!unacceptable
				B m+0 start end reset #3
				A 0 start end reset #3`,
		},
		{
			name: "who goes on after a RST did not send it",
			script: open + `
				A A 101 501 "abc"
				A R 110
				A A 104 501 "def"`,
			want: `
				A 0 "abc" start #4
				A 3 end reset #5
				B 0 start end reset #5
				A m+0 "def" start #6
				A m+3 end expired #6`,
			stats: func(s TCPStats) bool { return s.Streams == 2 },
		},
		{
			name: "ports used again after both FINs",
			script: open + `
				A FA 101 501
				B FA 501 102
				A A 102 502
				A S 90000
				B SA 70000 90001
				A A 90001 70001 "new"`,
			want: `
				A 0 start end #4
				B 0 start end #5
				A 0 "new" start #9
				A 3 end expired #9
				B 0 start end expired #9`,
			stats: func(s TCPStats) bool { return s.Streams == 2 && s.Reused == 1 },
		},
		{
			name: "ports used again while the old connection is open",
			script: open + `
				A A 101 501 "abc"
				A S 90000 ws=3
				B SA 70000 90001 ws=3
				A A 90001 70001 "new"
				B A 70001 90004 "too"`,
			want: `
				A 0 "abc" start #4
				A 3 end expired #6
				B 0 start end expired #6
				A 0 "new" start #7
				B 0 "too" start #8
				A 3 end expired #8
				B 3 end expired #8`,
			stats: func(s TCPStats) bool { return s.Streams == 2 && s.Reused == 1 },
		},
		{
			name: "a forged SYN has no effect",
			script: open + `
				A A 101 501 "abc"
				A S 90000
				B A 501 104
				A A 104 501 "def"
				B SA 500 101`,
			want: `
				A 0 "abc" start #4
				A 3 "def" #7
				A 6 end expired #8
				B 0 start end expired #8`,
			stats: func(s TCPStats) bool { return s.Streams == 1 },
		},
		{
			name: "SYNs are sent again, with the same number and with another",
			script: `
				A S 100
				A S 100 t=1s
				A S 200 t=1s
				B SA 500 201
				A A 201 501 "abc"`,
			want: `
				A 0 start end expired #3
				A 0 "abc" start #5
				A 3 end expired #5
				B 0 start end expired #5`,
		},
		{
			name: "an answer to another SYN",
			script: `
				A S 100
				B SA 900 4711
				B SA 500 101
				A A 101 501 "abc"
				B A 501 104 "def"`,
			want: `
				!unacceptable
				A 0 "abc" start #4
				B 0 "def" start #5
				A 3 end expired #5
				B 3 end expired #5`,
		},
		{
			name: "data on the SYN (fast open), and urgent data",
			script: `
				A S 100 "abc"
				B SA 500 104 "x"
				A A 104 502 "def"
				A UA 107 502 "!"`,
			want: `
				A 0 "abc" start #1
				B 0 "x" start #2
				A 3 "def" #3
				A 6 "!" #4
				A 7 end expired #4
				B 1 end expired #4`,
		},
		{
			name: "data on the SYN that was not taken",
			script: `
				A S 100 "abc"
				B SA 500 101
				A A 101 501 "abc"`,
			want: `
				A 0 "abc" start #1
				A 3 end expired #3
				B 0 start end expired #3`,
		},
		{
			name: "cut by the capture",
			script: open + `
				A A 101 501 "abcdef" cut=4
				A A 107 501 "ghijkl" cut=4
				B A 501 113`,
			want: `
				A 0 "ab" start #4
				A 6 lost=4 "gh" #5
				A 12 lost=4 end expired #6
				B 0 start end expired #6`,
		},
		{
			name: "tunnels are told apart",
			script: `
				A A 101 501 "abc"
				A A 101 501 "xyz" tun=1
				A A 104 501 "def"
				A A 104 501 "uvw" tun=1`,
			want: `
				A m+0 "abc" start #1
				A m+0 "xyz" start #2
				A m+3 "def" #3
				A m+3 "uvw" #4
				A m+6 end expired #4
				A m+6 end expired #4`,
		},
		{
			name: "FIN without all before it, acknowledged",
			script: open + `
				A A 101 501 "abc"
				A FA 107 501
				B FA 501 108
				A A 108 502`,
			want: `
				A 0 "abc" start #4
				A 6 lost=3 end #6
				B 0 start end #6`,
		},
		{
			name: "quiet for too long",
			tcp:  TCP{Limits: Limits{Idle: time.Minute}},
			script: open + `
				A A 101 501 "abc"
				A A 107 501 "ghi"
				A A 110 501 "jkl" t=61s`,
			want: `
				A 0 "abc" start #4
				A 6 lost=3 "ghi" #5
				A 9 end expired #6
				B 0 start end expired #6
				A m+0 "jkl" start #6
				A m+3 end expired #6`,
			stats: func(s TCPStats) bool { return s.Idle == 1 && s.Streams == 2 },
		},
		{
			name: "never quiet for too long",
			tcp:  TCP{Limits: Limits{Idle: -1}},
			script: open + `
				A A 104 501 "def"
				A A 101 501 "abc" t=100h`,
			want: `
				A 0 "abc" start #5
				A 3 "def" #4
				A 6 end expired #5
				B 0 start end expired #5`,
		},
		{
			name: "flushed, and used again",
			script: `
				A S 100
				A A 102 1 "b"
				flush
				A S 100 t=-5h
				A A 101 1 "a"`,
			want: `
				A 1 lost=1 "b" start #2
				A 2 end expired #2
				A 0 "a" start #4
				A 1 end expired #4`,
		},
	} {
		t.Run(tt.name, tt.run)
	}
}

func TestTCPPolicies(t *testing.T) {
	for _, tt := range []struct {
		name       string
		orig, new  int // where they begin, from 1
		lenO, lenN int
		takes      string // the policies that take the new bytes
	}{
		{"begins before, ends inside", 4, 2, 4, 4, "last bsd linux windows"},
		{"begins before, ends with it", 4, 2, 4, 6, "last bsd linux windows solaris"},
		{"begins before, ends behind", 4, 2, 4, 8, "last bsd linux windows solaris"},
		{"the same", 4, 4, 4, 4, "last solaris"},
		{"begins with it, ends inside", 4, 4, 4, 2, "last"},
		{"begins with it, ends behind", 4, 4, 4, 6, "last linux solaris"},
		{"begins inside, ends inside", 4, 5, 4, 2, "last"},
		{"begins inside, ends with it", 4, 5, 4, 3, "last"},
		{"begins inside, ends behind", 4, 5, 4, 6, "last solaris"},
	} {
		for p := TCPFirst; p <= TCPSolaris; p++ {
			want := []byte(strings.Repeat("-", 16))
			put := func(at, n int, c byte, override bool) {
				for i := at; i < at+n; i++ {
					if want[i] == '-' || override {
						want[i] = c
					}
				}
			}
			takes := strings.Contains(" "+tt.takes+" ", " "+p.String()+" ")
			put(tt.orig, tt.lenO, 'o', false)
			put(tt.new, tt.lenN, 'n', takes)
			lo, hi := min(tt.orig, tt.new), max(tt.orig+tt.lenO, tt.new+tt.lenN)
			var got []byte
			s := TCP{PolicyFor: func(netip.Addr) TCPPolicy { return p }}
			for c, err := range All(&s, script(t, open+
				segmentLine(101+tt.orig, tt.lenO, 'o')+segmentLine(101+tt.new, tt.lenN, 'n')+segmentLine(101, lo, '.'))) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, c.Data...)
			}
			if w := strings.Repeat(".", lo) + string(want[lo:hi]); string(got) != w {
				t.Errorf("%s, %v: %s, want %s", tt.name, p, got, w)
			}
			if s := s.Stats(); s.Overlaps != 1 {
				t.Errorf("%s, %v: %+v", tt.name, p, s)
			}
		}
	}
}
