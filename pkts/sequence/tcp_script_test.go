package sequence

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/pkts"
)

// A script is segments, one a line, and what is to come out of a TCP:
//
//	A SA 500 101 "hello" win=1000 ts=5 t=20ms
//
// is a segment of endpoint A with SYN and ACK (S, A, F, R, P, U; - for none), its
// sequence number, the acknowledgment when it has an A, its payload, and
// options: win, ws (window scale), ts (timestamp), sack=10-20,30-40, t (time since
// the packet before, 1ms by default), cut (bytes of the payload that were not
// captured), x (times that the payload is repeated), tun (tunnel), six (IPv6),
// up (the time goes back).
//
// What comes out is written
//
//	A 0 "hello" start #3
//
// with the endpoint, the offset (m+0 where the SYN was not seen), lost=N where
// something is missing, the bytes, the events, and the packet. An error is "!"
// and the name of its sentinel.

var scriptStart = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

type scriptSegment struct {
	side     byte
	flags    pkts.TCPFlags
	seq, ack uint32
	data     []byte
	win      uint16
	options  pkts.TCPOptions
	cut      int
	tunnel   uint64
	six      bool
	wait     time.Duration
}

func parseSegment(line string) (s scriptSegment, err error) {
	s.win, s.wait = 65535, time.Millisecond
	quoted := ""
	if i := strings.IndexByte(line, '"'); i >= 0 {
		j := strings.LastIndexByte(line, '"')
		if quoted, err = strconv.Unquote(line[i : j+1]); err != nil {
			return s, err
		}
		line = line[:i] + line[j+1:]
	}
	f := strings.Fields(line)
	if len(f) < 3 {
		return s, fmt.Errorf("%q: side, flags, number", line)
	}
	s.side = f[0][0]
	for _, c := range f[1] {
		s.flags |= map[rune]pkts.TCPFlags{'S': pkts.TCPSyn, 'A': pkts.TCPAck, 'F': pkts.TCPFin, 'R': pkts.TCPRst, 'P': pkts.TCPPsh, 'U': pkts.TCPUrg}[c]
	}
	num := func(text string) uint32 {
		n, e := strconv.ParseUint(text, 10, 32)
		if e != nil {
			err = e
		}
		return uint32(n)
	}
	s.seq = num(f[2])
	f = f[3:]
	if s.flags.Has(pkts.TCPAck) {
		s.ack = num(f[0])
		f = f[1:]
	}
	repeat := 1
	for _, o := range f {
		k, v, _ := strings.Cut(o, "=")
		switch k {
		case "win":
			s.win = uint16(num(v))
		case "ws":
			s.options = s.options.AppendWindowScale(uint8(num(v)))
		case "ts":
			s.options = s.options.AppendTimestamps(num(v), 0)
		case "sack":
			var blocks []pkts.SACKBlock
			for r := range strings.SplitSeq(v, ",") {
				a, b, _ := strings.Cut(r, "-")
				blocks = append(blocks, pkts.SACKBlock{Left: num(a), Right: num(b)})
			}
			s.options = s.options.AppendSACK(blocks...)
		case "t":
			if s.wait, err = time.ParseDuration(v); err != nil {
				return s, err
			}
		case "cut":
			s.cut = int(num(v))
		case "x":
			repeat = int(num(v))
		case "tun":
			s.tunnel = uint64(num(v))
		case "six":
			s.six = true
		default:
			return s, fmt.Errorf("%q: what is %s?", line, o)
		}
	}
	s.data = []byte(strings.Repeat(quoted, repeat))
	s.options = s.options.Pad()
	return s, err
}

var scriptAddrs = map[bool][2]netip.Addr{
	false: {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
	true:  {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")},
}

// bytes returns the packet. B has the lower port, and A the lower address.
func (s *scriptSegment) bytes(tb testing.TB) []byte {
	tb.Helper()
	addrs := scriptAddrs[s.six]
	src, dst, tcp := addrs[0], addrs[1], &pkts.TCP{SrcPort: 4000, DstPort: 80}
	if s.side == 'B' {
		src, dst, tcp = dst, src, &pkts.TCP{SrcPort: 80, DstPort: 4000}
	}
	tcp.Seq, tcp.Ack, tcp.Flags, tcp.Window, tcp.Options = s.seq, s.ack, s.flags, s.win, s.options
	var ip pkts.Layer = &pkts.IPv4{TTL: 64, Src: src, Dst: dst}
	if s.six {
		ip = &pkts.IPv6{HopLimit: 64, Src: src, Dst: dst}
	}
	b, err := pkts.Stack(ip, tcp, &pkts.Raw{Data: s.data}).AppendBinary(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b[:len(b)-s.cut]
}

// scriptDatagrams returns the packets of a script. A line "flush" is nil.
func scriptDatagrams(tb testing.TB, script string) (ds []*Datagram) {
	tb.Helper()
	at, n := scriptStart, uint64(0)
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if line == "flush" {
			ds = append(ds, nil)
			continue
		}
		s, err := parseSegment(line)
		if err != nil {
			tb.Fatal(err)
		}
		at = at.Add(s.wait)
		n++
		ds = append(ds, &Datagram{Data: s.bytes(tb), Seen: Seen{n, at}, Tunnel: s.tunnel})
	}
	return ds
}

// chunkText writes a chunk.
func chunkText(c *Chunk) string {
	side := "A"
	if c.Flow.SrcPort == 80 {
		side = "B"
	}
	s := side + " "
	if c.Offset >= tcpMidstream {
		s += fmt.Sprintf("m+%d", c.Offset-tcpMidstream)
	} else {
		s += fmt.Sprint(c.Offset)
	}
	if c.Lost > 0 {
		s += fmt.Sprintf(" lost=%d", c.Lost)
	}
	if d := string(c.Data); len(d) > 40 {
		s += fmt.Sprintf(" %q*%d", d[:1], len(d))
	} else if d != "" {
		s += fmt.Sprintf(" %q", d)
	}
	for i, name := range []string{"start", "end", "reset", "expired"} {
		if c.Events&(1<<i) != 0 {
			s += " " + name
		}
	}
	return s + fmt.Sprintf(" #%d", c.Packet)
}

func errorName(err error) string {
	for name, e := range map[string]error{
		"truncated": ErrTruncated, "malformed": ErrMalformed, "overlap": ErrOverlap, "limit": ErrLimit, "unacceptable": ErrUnacceptable,
	} {
		if errors.Is(err, e) {
			return "!" + name
		}
	}
	return "!" + err.Error()
}

// runScript puts a script's packets, flushes, and returns what came out. How says
// how: 0 is PutGet, 1 is Put and all of Get, 2 is Put without Get until the end.
func runScript(tb testing.TB, t *TCP, script string, how int) (out []string) {
	tb.Helper()
	take := func(c Chunk, ok bool) {
		if ok {
			checkFlow(tb, &c)
			out = append(out, chunkText(&c))
		}
	}
	rest := func() {
		for c, ok := t.Get(); ok; c, ok = t.Get() {
			take(c, ok)
		}
	}
	errs := func(err error) {
		if err != nil {
			out = append(out, errorName(err))
		}
	}
	for _, d := range append(scriptDatagrams(tb, script), nil) {
		switch {
		case d == nil:
			rest()
			t.Flush()
		case how == 0:
			c, ok, err := t.PutGet(*d)
			errs(err)
			take(c, ok)
		default:
			errs(t.Put(*d))
			clear(d.Data) // its memory is the caller's again
		}
		if how != 2 {
			rest()
		}
		tcpConserved(tb, t)
	}
	rest()
	if s := t.Stats(); s.Waiting != 0 || s.Flows != 0 {
		tb.Errorf("after Flush %d bytes wait, and there are %d connections", s.Waiting, s.Flows)
	}
	t.release()
	if m := t.memory(); m != 0 {
		tb.Errorf("after everything %d bytes are counted as taken", m)
	}
	return out
}

func checkFlow(tb testing.TB, c *Chunk) {
	tb.Helper()
	if f := c.Flow; f.Proto != pkts.IPProtoTCP || f.SrcPort+f.DstPort != 4080 || (f.SrcPort == 4000) != (f.Src == scriptAddrs[f.Src.Is6()][0]) {
		tb.Errorf("flow %v", f)
	}
}

// tcpConserved checks that no byte is unaccounted for.
func tcpConserved(tb testing.TB, t *TCP) {
	tb.Helper()
	s := t.Stats()
	if sum := s.Delivered + s.Duplicate + s.Unacceptable + s.Stale + s.Closed + s.BadChecksum + s.Conflicting + s.Limited + s.Waiting; sum != s.Bytes {
		tb.Fatalf("%d bytes in, %d accounted for: %+v", s.Bytes, sum, s)
	}
}

type tcpTest struct {
	name   string
	tcp    TCP
	script string
	want   string
	stats  func(s TCPStats) bool
}

func (tt *tcpTest) run(t *testing.T) {
	t.Helper()
	var want []string
	for line := range strings.Lines(tt.want) {
		if line = strings.TrimSpace(line); line != "" {
			want = append(want, line)
		}
	}
	for how := range 3 {
		c := TCP{Limits: tt.tcp.Limits, Policy: tt.tcp.Policy, PolicyFor: tt.tcp.PolicyFor, VerifyChecksums: tt.tcp.VerifyChecksums}
		got := runScript(t, &c, tt.script, how)
		w := want
		if how == 2 { // errors come before what is read at the end
			got, w = chunksOnly(got), chunksOnly(want)
		}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("way %d: %s", how, diff)
		}
		if tt.stats != nil && !tt.stats(c.Stats()) {
			t.Errorf("way %d: %+v", how, c.Stats())
		}
	}
}

func chunksOnly(list []string) (out []string) {
	for _, s := range list {
		if s[0] != '!' {
			out = append(out, s)
		}
	}
	return out
}

// script yields the packets of a script.
func script(tb testing.TB, text string) iter.Seq2[Datagram, error] {
	return func(yield func(Datagram, error) bool) {
		for _, d := range scriptDatagrams(tb, text) {
			if !yield(*d, nil) {
				return
			}
		}
	}
}

// segmentLine is a line of a script: n bytes c of A.
func segmentLine(seq, n int, c byte) string {
	return fmt.Sprintf("\nA A %d 501 %q x=%d\n", seq, string(c), n)
}
