package fuzz

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/all"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// fullTCP in the environment compares the streams of all captures; otherwise it
// is those of ../shared/captures, and a sample of the corpus.
const fullTCP = "PKTS_TEST_TCP_ALL"

// tunnels are in captures with such names.
var tunnels = regexp.MustCompile(`\b(gre|vxlan|geneve|gtp)`)

// tcpStream is what a connection carried.
type tcpStream struct {
	ends  [2]netip.AddrPort // who sent what
	sides [2][]byte
	lost  uint64
	// firstGap is how much was there of a direction before the first gap of any.
	firstGap uint64
}

// tcpStreams returns the connections of a file in the order of their beginnings.
func tcpStreams(tb testing.TB, file string) (list []*tcpStream, stats sequence.TCPStats) {
	tb.Helper()
	byPacket := map[uint64]*tcpStream{}
	// tshark forgets nothing.
	tcp := &sequence.TCP{Limits: sequence.Limits{Idle: -1}, Began: func(s sequence.StreamInfo) {
		x := &tcpStream{ends: [2]netip.AddrPort{netip.AddrPortFrom(s.Flow.Src, s.Flow.SrcPort), netip.AddrPortFrom(s.Flow.Dst, s.Flow.DstPort)}}
		byPacket[s.Stream] = x
		list = append(list, x)
	}}
	r := all.Registry().With(pkts.UDPTunnels()...) // as tshark does
	s := sequence.Then(sequence.Sequence[sequence.Datagram, sequence.Datagram](&sequence.Fragments{Tunnels: 8, Registry: r}), sequence.Sequence[sequence.Datagram, sequence.Chunk](tcp))
	for c, err := range sequence.All(s, sequence.Datagrams(tcpFrames(tb, file), r)) {
		if err != nil {
			continue // counted; captures of errors have errors
		}
		x := byPacket[c.Stream]
		if c.Lost > 0 && x.lost == 0 {
			x.firstGap = uint64(len(x.sides[c.Direction]))
		}
		x.sides[c.Direction] = append(x.sides[c.Direction], c.Data...)
		x.lost += c.Lost
	}
	return list, tcp.Stats()
}

func tcpFrames(tb testing.TB, file string) func(yield func(link.Frame, error) bool) {
	return func(yield func(link.Frame, error) bool) {
		r, err := pcap.Open(file)
		if err != nil {
			return // the business of package pcap
		}
		defer r.Close()
		var f link.Frame
		for r.Next(&f) == nil && yield(f, nil) {
		}
	}
}

// sharkStreams returns what tshark says of the first n connections, and how many
// there are.
func sharkStreams(tb testing.TB, config, file string, n int) (list []*tcpStream, count int) {
	tb.Helper()
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "occurrence=a", "-e", "tcp.stream"}
	for i := range n {
		args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", i))
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+config)
	out, _ := cmd.Output() // it fails at damage behind what could be read
	text := string(out)
	list = make([]*tcpStream, n)
	var s *tcpStream
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "==") || line == "Follow: tcp,raw":
		case strings.HasPrefix(line, "Filter: tcp.stream eq "):
			i, err := strconv.Atoi(line[len("Filter: tcp.stream eq "):])
			if err != nil || i >= n {
				tb.Fatalf("%s: %s", file, line)
			}
			s = new(tcpStream)
			list[i] = s
		case strings.HasPrefix(line, "Node "):
			// A node that tshark has seen nothing of has no address.
			s.ends[line[5]-'0'], _ = netip.ParseAddrPort(line[len("Node 0: "):])
			if a, port, ok := cutPort(line[len("Node 0: "):]); ok {
				s.ends[line[5]-'0'] = netip.AddrPortFrom(a, port)
			}
		case s == nil:
			for v := range strings.SplitSeq(line, ",") {
				if i, err := strconv.Atoi(v); err == nil {
					count = max(count, i+1)
				}
			}
		default:
			side := 0
			if line[0] == '\t' {
				side, line = 1, line[1:]
			}
			b, err := hex.DecodeString(line)
			if err != nil {
				tb.Fatalf("%s: %.60q: %v", file, line, err)
			}
			s.sides[side] = append(s.sides[side], b...)
		}
	}
	return list, count
}

// cutPort parses an address and a port as tshark prints them, without brackets.
func cutPort(s string) (a netip.Addr, port uint16, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return a, 0, false
	}
	a, err := netip.ParseAddr(strings.Trim(s[:i], "[]"))
	n, err2 := strconv.ParseUint(s[i+1:], 10, 16)
	return a, uint16(n), err == nil && err2 == nil
}

// sharkMost is how many connections of a file tshark is asked for.
const sharkMost = 150

// tcpEnds are the endpoints of connections, the lower one first.
type tcpEnds [2]netip.AddrPort

// tcpGroup is all that went between two endpoints: where they have had more than
// one connection, tshark may have cut at another place, for it forgets nothing.
type tcpGroup struct {
	conns int
	sides [2][]byte // by tcpEnds
	lost  uint64
}

// groups puts together what went between the same endpoints. unknown is how many
// connections have none.
func groups(list []*tcpStream) (m map[tcpEnds]*tcpGroup, unknown int) {
	m = map[tcpEnds]*tcpGroup{}
	for _, s := range list {
		if s == nil || !s.ends[0].IsValid() || !s.ends[1].IsValid() {
			unknown++
			continue
		}
		k, swap := tcpEnds(s.ends), 0
		if k[0].Compare(k[1]) > 0 {
			k[0], k[1], swap = k[1], k[0], 1
		}
		g := m[k]
		if g == nil {
			g = new(tcpGroup)
			m[k] = g
		}
		g.conns++
		g.lost += s.lost
		for i := range g.sides {
			g.sides[i] = append(g.sides[i], s.sides[i^swap]...)
		}
	}
	return m, unknown
}

// compareTCP compares the connections of a file, and returns how many of them
// were compared, had loss, and what differs.
func compareTCP(tb testing.TB, config, file string) (same, lossy int, differ []string) {
	tb.Helper()
	list, stats := tcpStreams(tb, file)
	if stats.Segments == 0 {
		return 0, 0, nil
	}
	theirs, count := sharkStreams(tb, config, file, min(len(list)+8, sharkMost))
	got, _ := groups(list)
	want, _ := groups(theirs)
	for k, g := range got {
		w := want[k]
		switch {
		case g.lost > 0:
			lossy += g.conns
		case w == nil && len(g.sides[0])+len(g.sides[1]) == 0 || w == nil && count > len(theirs):
			// tshark says nothing of what carried nothing, and was not asked for all.
		case w == nil:
			differ = append(differ, fmt.Sprintf("%v: tshark says nothing, want %d and %d bytes", k, len(g.sides[0]), len(g.sides[1])))
		case !bytes.Equal(g.sides[0], w.sides[0]) || !bytes.Equal(g.sides[1], w.sides[1]):
			differ = append(differ, fmt.Sprintf("%v: %d and %d bytes, want %d and %d", k, len(g.sides[0]), len(g.sides[1]), len(w.sides[0]), len(w.sides[1])))
		default:
			same += g.conns
		}
	}
	for k, w := range want {
		if got[k] == nil && len(w.sides[0])+len(w.sides[1]) > 0 {
			differ = append(differ, fmt.Sprintf("%v: nothing, want %d and %d bytes", k, len(w.sides[0]), len(w.sides[1])))
		}
	}
	return same, lossy, differ
}

// TestTCPAsTshark compares the bytes of TCP streams with those that tshark's
// "follow" shows, for all connections of which nothing is missing.
func TestTCPAsTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	files := captures(t, "captures")
	corpus := captures(t, "corpus")
	if os.Getenv(fullTCP) == "" {
		// Captures that small have one connection or two; there are many.
		var some []string
		for i, f := range corpus {
			if st, err := os.Stat(f); err == nil && st.Size() < 200_000 && (i%96 == 0 || tunnels.MatchString(filepath.Base(f))) {
				some = append(some, f)
			}
		}
		corpus = some
	}
	files = append(files, corpus...)
	// With the layers above, follow leaves out segments of which these cannot
	// make anything.
	config := sharkConfig(t, sharkProtocols)
	var mu sync.Mutex
	same, lossy, known := 0, 0, 0
	work := make(chan string)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for file := range work {
				n, l, differ := compareTCP(t, config, file)
				name := filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file))
				mu.Lock()
				same, lossy = same+n, lossy+l
				for _, d := range differ {
					if why := tcpDeviations[name]; why != "" {
						known++
						t.Logf("%s: %s: %s", name, d, why)
						continue
					}
					t.Errorf("%s: %s", name, d)
				}
				mu.Unlock()
			}
		})
	}
	for _, f := range files {
		work <- f
	}
	close(work)
	wg.Wait()
	t.Logf("%d connections are the same, %d have loss, %d differ for a known reason", same, lossy, known)
	if same < 100 {
		t.Errorf("only %d connections were compared", same)
	}
}

// tcpDeviations are the files of which tshark shows something else, and why.
var tcpDeviations = map[string]string{
	"Traces/portmapper-many-unanswered-calls.pcapng.gz":    notAcknowledged,
	"contentline/rlogin-long-client-user-no-nul.pcapng.gz": notAcknowledged,
	"contentline/rsh-long-client-user-no-nul.pcapng.gz":    notAcknowledged,
	"contentline/telnet-long-line-no-eol.pcapng.gz":        notAcknowledged,
	"contentline/telnet-unclosed-suboption.pcapng.gz":      notAcknowledged,
	"contentline/contentline-irc-5k-line.pcap":             "a keep-alive before the first data: tshark misses its byte, and writes so into the data",
	"core/udp_tcp_icmp.pcap":                               dataOfReset,
	"resources/TcpPacketTest.pcap":                         dataOfReset,
	"tests/tcp_rst_data.pcap":                              dataOfReset,
	"tests/tcp_rst_data-trunc.pcap":                        dataOfReset,
	"tests/tcp_rst_diag_payload.pcap":                      dataOfReset,
	"tests/tcp_rst_diag_payload-trunc.pcap":                dataOfReset,
	"tcp/rst-inject-rae.pcap":                              afterReset,
	"tls/heartbleed-encrypted-success.pcap":                afterReset,
	"tls/tls13draft16-ff52.a01.pcap":                       afterReset,
	"Traces/vxlan-overlapping-http-get.pcap":               "the same connection in tunnels and outside: they are told apart here, and retransmissions to tshark",
	"tests/bigtcp-ipv4-geneve-ipv4.pcap":                   notCut,
	"tests/bigtcp-ipv4-vxlan-ipv4.pcap":                    notCut,
	"ipv4/fragmented-4.pcap":                               "fragments that overlap, which are refused unless a policy says otherwise",
}

const (
	notAcknowledged = "made by hand: the receiver acknowledges nothing, and what goes beyond its window is refused"
	dataOfReset     = "the data of a RST are the reason for it (RFC 9293, section 3.5.3), not part of the stream"
	notCut          = "the frame, which the device was to cut into segments, has a length of 0 in UDP, and tshark stops there"
	afterReset      = "what comes after the receiver's RST is not part of the stream"
)

// TestTCPTransferred compares the streams of a connection over a line that loses,
// repeats and reorders with what was really transferred.
func TestTCPTransferred(t *testing.T) {
	dir := filepath.Dir(captures(t, "captures")[0])
	t.Run("iperf3", func(t *testing.T) {
		list, _ := tcpStreams(t, filepath.Join(dir, "tcp_lossy_reordered.pcap"))
		if len(list) != 4 {
			t.Fatalf("%d connections, want 4", len(list))
		}
		// Of two connections each, the first tells on both sides how much the
		// second has transferred.
		for i, from := range []int{0, 1} { // who sends
			control, data := list[2*i], list[2*i+1]
			sent, received := iperfBytes(t, control.sides[from]), iperfBytes(t, control.sides[from^1])
			got := data.sides[from]
			const cookie = 37
			if !bytes.Equal(control.sides[0][:cookie], data.sides[0][:cookie]) {
				t.Error("the connections have different cookies")
			}
			if from == 0 {
				got = got[cookie:]
				// The receiver closed when it had heard enough, and all behind is
				// full of holes.
				if data.lost == 0 || len(got)+int(data.lost) > sent {
					t.Errorf("%d bytes, and %d lost, of %d", len(got), data.lost, sent)
				}
			} else if data.lost > 0 || len(got) != sent {
				t.Errorf("%d bytes, and %d lost, want %d", len(got), data.lost, sent)
			}
			if len(got) < received || received < 500_000 {
				t.Fatalf("%d bytes, want %d", len(got), received)
			}
			if n := len(data.sides[from]) - len(got); from == 0 && data.firstGap != uint64(n+received) {
				t.Errorf("%d bytes up to the first gap, want %d", data.firstGap, n+received)
			}
			got = got[:received]
			// Each write was of the same buffer, as much of it as there was room for.
			var writes [][]byte
			for len(got) > 0 {
				n := bytes.Index(got[16:], got[:16])
				if n < 0 {
					n = len(got) - 16
				}
				writes = append(writes, got[:n+16])
				got = got[n+16:]
				if len(got) < 16 {
					break
				}
			}
			longest := slices.MaxFunc(writes, func(a, b []byte) int { return len(a) - len(b) })
			for _, w := range writes {
				if !bytes.HasPrefix(longest, w) {
					t.Errorf("a write of %d bytes is not what iperf3 writes", len(w))
				}
			}
			if len(writes) < 5 || len(longest) > 128<<10 {
				t.Errorf("%d writes, up to %d bytes", len(writes), len(longest))
			}
		}
	})
	t.Run("pgbench", func(t *testing.T) {
		list, stats := tcpStreams(t, filepath.Join(dir, "postgres_lossy.pcap"))
		if stats.Lost > 0 || stats.Retransmissions == 0 {
			t.Errorf("%+v", stats)
		}
		executed, completed := 0, 0
		for _, s := range list {
			for side, data := range s.sides {
				for first := side == 0; len(data) > 0; first = false {
					at := 1
					if first {
						at = 0 // what a client begins with has no type
					}
					if len(data) < at+4 {
						t.Fatalf("%d bytes are no message", len(data))
					}
					n := at + int(binary.BigEndian.Uint32(data[at:]))
					if n < at+4 || n > len(data) {
						t.Fatalf("a message of %d bytes, have %d", n, len(data))
					}
					switch {
					case side == 0 && !first && data[0] == 'E':
						executed++
					case side == 1 && data[0] == 'C':
						completed++
					}
					data = data[n:]
				}
			}
		}
		// Two clients with 15 transactions of 7 statements; before, pgbench asks
		// for the scale and the partitions, and psql has one query at the end:
		// by Query, not Execute.
		if executed != 2*15*7 || completed != executed+3 {
			t.Errorf("%d statements executed, %d completed", executed, completed)
		}
	})
}

// iperfBytes returns what one side of a control connection of iperf3 says that
// it has sent or received: JSON, behind which nothing comes but single bytes.
func iperfBytes(t *testing.T, data []byte) int {
	t.Helper()
	i := bytes.LastIndex(data, []byte(`{"cpu_util_total"`))
	if i < 0 {
		t.Fatal("no result of iperf3")
	}
	var result struct {
		Streams []struct{ Bytes int }
	}
	if err := json.NewDecoder(bytes.NewReader(data[i:])).Decode(&result); err != nil || len(result.Streams) != 1 {
		t.Fatalf("%v: %+v", err, result)
	}
	return result.Streams[0].Bytes
}
