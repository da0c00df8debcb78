package cli

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// listStreams returns what streams -T json says of a file.
func listStreams(t *testing.T, args ...string) (list []streamLine) {
	t.Helper()
	stdout, stderr, code := run(t, nil, append([]string{"streams", "-T", "json"}, args...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("%d: %s", code, stderr)
	}
	for line := range strings.Lines(stdout) {
		var s streamLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, s)
	}
	return list
}

// followed returns what tshark says that each side of a connection sent.
func followed(t *testing.T, file string, n int) (sides [2][]byte) {
	t.Helper()
	out := tsharkOf(t, "-r", file, "-q", "-z", fmt.Sprintf("follow,tcp,raw,%d", n))
	_, out, _ = strings.Cut(out, "Node 1: ")
	lines := strings.Split(out, "\n")
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "=") {
			break
		}
		side := 0
		if strings.HasPrefix(line, "\t") {
			side, line = 1, line[1:]
		}
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		sides[side] = append(sides[side], b...)
	}
	return sides
}

// The connections, their numbers, packets and bytes are those of tshark, and so
// is what they carried.
func TestStreamsAsTshark(t *testing.T) {
	for _, name := range []string{"http1.pcap", "mptcp_two_subflows.pcap", "tcp_lossy_reordered.pcap", "postgres_lossy.pcap"} {
		file := captureOf(t, name)
		list := listStreams(t, file)
		type side struct{ packets, bytes uint64 }
		type conn struct {
			ends  [2]string
			first uint64
			sides [2]side
		}
		var want []conn
		fields := tsharkOf(t, "-r", file, "-T", "fields", "-Y", "tcp", "-e", "tcp.stream", "-e", "ip.src", "-e", "ipv6.src", "-e", "tcp.srcport", "-e", "ip.dst", "-e", "ipv6.dst", "-e", "tcp.dstport", "-e", "tcp.len", "-e", "frame.number")
		for line := range strings.Lines(fields) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			n, _ := strconv.Atoi(f[0])
			length, _ := strconv.ParseUint(f[7], 10, 64)
			from, to := endpoint(f[1]+f[2], f[3]), endpoint(f[4]+f[5], f[6])
			if n == len(want) {
				frame, _ := strconv.ParseUint(f[8], 10, 64)
				want = append(want, conn{ends: [2]string{from, to}, first: frame})
			}
			s := &want[n].sides[0]
			if from != want[n].ends[0] {
				s = &want[n].sides[1]
			}
			s.packets++
			s.bytes += length
		}
		if len(list) != len(want) || len(list) < 2 {
			t.Fatalf("%s: %d connections, want %d", name, len(list), len(want))
		}
		whole := 0
		for i, s := range list {
			got := conn{[2]string{s.Client, s.Server}, s.Packet, [2]side{{s.Sides[0].Packets, s.Sides[0].Bytes}, {s.Sides[1].Packets, s.Sides[1].Bytes}}}
			if s.N != i || got != want[i] {
				t.Errorf("%s, stream %d: %+v, want %+v", name, i, got, want[i])
			}
			if s.Sides[0].Lost+s.Sides[1].Lost > 0 || i >= 4 {
				continue
			}
			whole++
			data := followed(t, file, i)
			for d, direction := range []string{"forward", "backward"} {
				stdout, stderr, code := run(t, nil, "follow", file, "--stream", strconv.Itoa(i), "--raw", "--subflow", "--direction", direction)
				if code != exitOK || stderr != "" || stdout != string(data[d]) {
					t.Errorf("%s, stream %d, %s: %d bytes, want %d; %d: %s", name, i, direction, len(stdout), len(data[d]), code, stderr)
				}
				if uint64(len(data[d])) != s.Sides[d].Stream {
					t.Errorf("%s, stream %d, %s: %d bytes of the stream, want %d", name, i, direction, s.Sides[d].Stream, len(data[d]))
				}
			}
		}
		if whole < 2 {
			t.Errorf("%s: only %d connections without loss", name, whole)
		}
	}
}

// Where nothing is lost and nothing overtaken, what is sent again is what tshark
// says: data, and FINs without.
func TestStreamsRepeatedAsTshark(t *testing.T) {
	total := 0
	for _, name := range []string{"postgres_auth_scram.pcap", "postgres_prepared.pcap"} {
		file := captureOf(t, name)
		want := map[string]uint64{}
		for line := range strings.Lines(tsharkOf(t, "-r", file, "-Y", "tcp.analysis.retransmission || tcp.analysis.spurious_retransmission", "-T", "fields", "-e", "tcp.stream", "-e", "tcp.srcport")) {
			want[strings.TrimSpace(line)]++
			total++
		}
		for _, s := range listStreams(t, file) {
			for d, from := range []string{s.Client, s.Server} {
				k := fmt.Sprintf("%d\t%d", s.N, netip.MustParseAddrPort(from).Port())
				if s.Sides[d].Retrans != want[k] || s.Sides[d].OutOfOrder != 0 {
					t.Errorf("%s, stream %d, %s: %d segments were sent again, want %d", name, s.N, from, s.Sides[d].Retrans, want[k])
				}
			}
		}
	}
	if total < 4 {
		t.Errorf("only %d segments were sent again", total)
	}
}

func endpoint(addr, port string) string {
	n, _ := strconv.ParseUint(port, 10, 16)
	a, _ := netip.ParseAddr(addr)
	return netip.AddrPortFrom(a, uint16(n)).String()
}

func TestStreamsText(t *testing.T) {
	file := captureOf(t, "http1.pcap")
	stdout, stderr, code := run(t, nil, "streams", file, "port", "56354")
	const want = `  N           CLIENT        SERVER     START  DURATION  PACKETS  BYTES  PACKETS  BYTES  RETRANS  OOO  GAPS  LOST      RTT   STATE
                                                              >      >        <      <                                           
  0  10.77.0.1:56354  10.77.0.2:80  0.000000  0.003547        7    158        5    474        0    0     0     0  0.036ms  closed
`
	if code != exitOK || stderr != "" || stdout != want {
		t.Errorf("%d: %s\n%s", code, stderr, stdout)
	}
	// A filter leaves the numbers of the packets as they are.
	if list := listStreams(t, file, "port", "56366"); len(list) != 1 || list[0].Packet != 13 || list[0].N != 0 {
		t.Errorf("%+v", list)
	}
	if stdout, stderr, code := run(t, nil, "streams", "sample.pcapng"); code != exitOK || stderr != "" || strings.Count(stdout, "\n") != 4 {
		t.Errorf("%d: %s\n%s", code, stderr, stdout)
	}
	if stdout, stderr, code := run(t, bytes.NewReader(sample[:len(sample)-10]), "streams", "-"); code != exitFail || !strings.Contains(stderr, "cut short") || strings.Count(stdout, "\n") != 4 {
		t.Errorf("%d: %s\n%s", code, stderr, stdout)
	}
}

// tshark's ASCII and its hexdump are another format of the same.
func TestFollowForms(t *testing.T) {
	file := captureOf(t, "http1.pcap")
	data := followed(t, file, 0)
	stdout, stderr, code := run(t, nil, "follow", file, "--stream", "0", "--direction", "forward")
	text := strings.ReplaceAll(string(data[0]), "\r", "")
	if want := ">>> 10.77.0.1:56354 > 10.77.0.2:80\n" + text; code != exitOK || stderr != "" || stdout != want {
		t.Errorf("%d: %s\n%s\nwant\n%s", code, stderr, stdout, want)
	}
	stdout, _, _ = run(t, nil, "follow", file, "--stream", "0", "--ascii", "--color", "always")
	if n := strings.Count(stdout, styleBold); n != 4 {
		t.Errorf("%d lines that tell the direction:\n%s", n, stdout)
	}

	stdout, stderr, code = run(t, nil, "follow", file, "--stream", "0", "--hex", "--direction", "backward")
	if code != exitOK || stderr != "" {
		t.Errorf("%d: %s", code, stderr)
	}
	var dumped []byte
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, "<<<") {
			continue
		}
		head, _, _ := strings.Cut(line, " |")
		off, digits, _ := strings.Cut(head, " ")
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if at, err2 := strconv.ParseUint(off, 16, 64); err != nil || err2 != nil || at != uint64(len(dumped)) {
			t.Fatalf("%s: %v, %v", line, err, err2)
		}
		dumped = append(dumped, b...)
	}
	if !bytes.Equal(dumped, data[1]) {
		t.Errorf("the hexdump has %d bytes, want %d", len(dumped), len(data[1]))
	}

	stdout, stderr, code = run(t, nil, "follow", file, "--stream", "0", "--json")
	if code != exitOK || stderr != "" {
		t.Errorf("%d: %s", code, stderr)
	}
	var got [2][]byte
	events := map[string]int{}
	for line := range strings.Lines(stdout) {
		var c chunkLine
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		d := 0
		if c.Direction == "backward" {
			d = 1
		}
		if c.Offset != uint64(len(got[d])) || c.Packet == 0 || c.Time == nil {
			t.Errorf("%+v", c)
		}
		got[d] = append(got[d], c.Data...)
		for _, e := range c.Events {
			events[e]++
		}
	}
	if !bytes.Equal(got[0], data[0]) || !bytes.Equal(got[1], data[1]) || events["start"] != 2 || events["end"] != 2 || len(events) != 2 {
		t.Errorf("%d and %d bytes, %v", len(got[0]), len(got[1]), events)
	}
}

// What is missing is told.
func TestFollowGaps(t *testing.T) {
	file := captureOf(t, "tcp_lossy_reordered.pcap")
	s := listStreams(t, file)[1]
	stdout, stderr, code := run(t, nil, "follow", file, "--stream", "1", "--raw")
	if code != exitOK || uint64(strings.Count(stderr, "\n")) != s.Sides[0].Gaps || !strings.Contains(stderr, " bytes are missing before byte ") || uint64(len(stdout)) != s.Sides[0].Stream {
		t.Errorf("%d: %d bytes of %d: %s", code, len(stdout), s.Sides[0].Stream, stderr)
	}
	stdout, _, _ = run(t, nil, "follow", file, "--stream", "1")
	if uint64(strings.Count(stdout, " bytes missing]\n")) != s.Sides[0].Gaps || s.Sides[0].Gaps == 0 || !strings.HasSuffix(stdout, "\n[reset]\n") {
		t.Errorf("gaps or the reset are not told: %q", stdout[max(0, len(stdout)-100):])
	}
}

// A file that is damaged before the connection ends is told, and what there is of
// it comes out.
func TestFollowDamaged(t *testing.T) {
	b, err := os.ReadFile(captureOf(t, "tcp_lossy_reordered.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"--raw", "--ascii", "--json"} {
		stdout, stderr, code := run(t, bytes.NewReader(b[:5000]), "follow", "-", "--stream", "1", form)
		if code != exitFail || !strings.Contains(stderr, "cut short") || len(stdout) < 1000 {
			t.Errorf("%s: %d: %d bytes, %s", form, code, len(stdout), stderr)
		}
	}
	// Not one that has ended before.
	if _, stderr, code := run(t, bytes.NewReader(b[:len(b)-1]), "follow", "-", "--stream", "0", "--raw"); code != exitOK || stderr != "" {
		t.Errorf("%d: %s", code, stderr)
	}
}

func TestFollowUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		text string
	}{
		{"follow", exitUsage, "name a capture file"},
		{"follow sample.pcapng", exitUsage, "--stream N"},
		{"follow sample.pcapng tcp --stream 0", exitUsage, `leave out "tcp"`},
		{"follow sample.pcapng --stream -1", exitUsage, "--stream N"},
		{"follow sample.pcapng --stream 0 --raw --hex", exitUsage, "leave all but one out"},
		{"follow sample.pcapng --stream 0 --map x", exitUsage, "add --direction forward or backward"},
		{"follow sample.pcapng --stream 0 --map x --raw --direction forward", exitUsage, "leave all but one out"},
		{"follow sample.pcapng --stream 0 --direction up", exitUsage, "use both, forward or backward"},
		{"follow sample.pcapng --stream 0 --color maybe", exitUsage, "--color"},
		{"follow sample.pcapng --stream 7", exitFail, "there is no connection 7: sample.pcapng has 2, from 0"},
		{"follow missing.pcapng --stream 0", exitFail, "missing.pcapng"},
		{"streams", exitUsage, "name a capture file"},
		{"streams sample.pcapng -T tree", exitUsage, "use text or json"},
		{"streams sample.pcapng no such filter", exitFail, "unexpected name"},
	} {
		stdout, stderr, code := run(t, nil, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(stderr, tt.text) || stdout != "" {
			t.Errorf("%s: %d: %s%s", tt.args, code, stdout, stderr)
		}
	}
}

// Subflows of Multipath TCP are one connection.
func TestStreamsJoined(t *testing.T) {
	file := captureOf(t, "mptcp_two_subflows.pcap")
	list := listStreams(t, file)
	var got []string
	for _, s := range list {
		b, _ := json.Marshal(s.MPTCP)
		got = append(got, string(b))
	}
	const rest = `"state":"closed","sides":[{"stream":180002,"gaps":0,"lost":0},{"stream":2002,"gaps":0,"lost":0}]}`
	want := []string{`{"connection":0,"version":1,"subflows":[0,2],` + rest, `null`, `{"connection":0}`, `{"connection":3,"version":1,"subflows":[3,5],` + rest, `null`, `{"connection":3}`}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	stdout, _, _ := run(t, nil, "streams", file)
	if !strings.Contains(stdout, "\n      3        1       3,5   180002     2002     0     0  closed\n") {
		t.Error(stdout)
	}
	// What the recipe of the capture sends.
	stdout, stderr, code := run(t, nil, "follow", file, "--stream", "0", "--raw", "--direction", "forward")
	if code != exitOK || stderr != "" || stdout != "hi"+strings.Repeat("z", 180000) {
		t.Errorf("%d: %d bytes: %s", code, len(stdout), stderr)
	}
	stdout, stderr, code = run(t, nil, "follow", file, "--stream", "5", "--raw")
	if code != exitFail || stdout != "" || !strings.Contains(stderr, "connection 5 is a subflow of connection 3: follow that, or add --subflow") {
		t.Errorf("%d: %d bytes: %s", code, len(stdout), stderr)
	}
	if stdout, stderr, code = run(t, nil, "follow", file, "--stream", "5", "--raw", "--subflow"); code != exitOK || stdout != "" || stderr != "" {
		t.Errorf("%d: %d bytes: %s", code, len(stdout), stderr)
	}
}

// What --map puts into a file is what --raw prints, with zeros where bytes are
// missing.
func TestFollowMapped(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, tt := range []struct{ file, n, direction string }{
		{"tcp_lossy_reordered.pcap", "1", "forward"}, // with gaps
		{"tcp_lossy_reordered.pcap", "3", "backward"},
		{"mptcp_two_subflows.pcap", "3", "forward"},
	} {
		file := captureOf(t, tt.file)
		lines, _, code := run(t, nil, "follow", file, "--stream", tt.n, "--json", "--direction", tt.direction)
		if code != exitOK {
			t.Fatal(code)
		}
		var want []byte
		gaps := 0
		for line := range strings.Lines(lines) {
			var c chunkLine
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			if c.Lost > 0 {
				gaps++
			}
			if len(c.Data) > 0 {
				want = append(want, make([]byte, int(c.Offset)-len(want))...)
				want = append(want, c.Data...)
			}
		}
		stdout, stderr, code := run(t, nil, "follow", file, "--stream", tt.n, "--map", out, "--direction", tt.direction)
		got, err := os.ReadFile(out)
		if err != nil || code != exitOK || stdout != "" || !bytes.Equal(got, want) || len(want) < 100_000 {
			t.Errorf("%s: %d: %d bytes, want %d: %v, %s", tt.file, code, len(got), len(want), err, stdout)
		}
		if strings.Count(stderr, " bytes are missing before byte ") != gaps || (gaps > 0) != (tt.n == "1") {
			t.Errorf("%s: %d gaps: %s", tt.file, gaps, stderr)
		}
	}
	// Not into what is read.
	if err := os.WriteFile(out, sample, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := run(t, nil, "follow", out, "--stream", "0", "--map", out, "--direction", "forward"); code != exitFail || !strings.Contains(stderr, "is the file that is read") {
		t.Errorf("%d: %s", code, stderr)
	}
	in, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, stderr, code := run(t, in, "follow", "-", "--stream", "0", "--map", out, "--direction", "forward"); code != exitFail || !strings.Contains(stderr, "is the file that is read") {
		t.Errorf("%d: %s", code, stderr)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, sample) {
		t.Errorf("the capture file has changed: %v", err)
	}
	if _, stderr, code := run(t, nil, "follow", out, "--stream", "0", "--map", filepath.Join(out, "x"), "--direction", "forward"); code != exitFail || stderr == "" {
		t.Errorf("%d: %s", code, stderr)
	}
}

// Pieces lie where they belong, across the windows, in any order, with and without
// a mapping; what was put can be read at once, and holes take no room.
func TestPlacedFile(t *testing.T) {
	for _, plain := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "out")
		p, err := createPlaced(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.plain = plain
		reader, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		want := map[int64][]byte{}
		for i, off := range []int64{5, windowLen - 3, 2*windowLen + extentLen - 1, 0, 3*windowLen - 100_000, windowLen} {
			data := bytes.Repeat([]byte{byte(i + 1)}, []int{7, 3, 2, 5, 200_000, 1}[i])
			if err := p.put(data, off); err != nil {
				t.Fatal(err)
			}
			want[off] = data
			now := make([]byte, len(data))
			if _, err := reader.ReadAt(now, off); err != nil || !bytes.Equal(now, data) {
				t.Fatalf("%d bytes at %d cannot be read: %v", len(data), off, err)
			}
		}
		if mapped := !p.plain; mapped && runtime.GOOS != "linux" {
			t.Error("mapped")
		} else if runtime.GOOS == "linux" && !plain && !mapped {
			t.Error("not mapped")
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || len(got) != 3*windowLen+100_000 {
			t.Fatalf("%d bytes: %v", len(got), err)
		}
		for off, data := range want {
			if !bytes.Equal(got[off:off+int64(len(data))], data) {
				t.Errorf("%d bytes at %d are others", len(data), off)
			}
			clear(got[off : off+int64(len(data))])
		}
		if len(bytes.Trim(got, "\x00")) > 0 {
			t.Error("there is more than was put")
		}
		if n, ok := blocksOf(t, name); ok && n > 16*extentLen {
			t.Errorf("%d bytes on the disk", n)
		}
	}
}

// tcpFile writes a capture file with segments, the time between them, and what
// each carries: those of a client at port 4000, and of a server.
func tcpFile(t *testing.T, apart time.Duration, segments []pkts.TCP, payloads ...string) string {
	t.Helper()
	client, server := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.WriterConfig{Format: pcap.FormatPcapNano, Link: link.TypeRaw})
	if err != nil {
		t.Fatal(err)
	}
	for i := range segments {
		ip := &pkts.IPv4{TTL: 64, Src: client, Dst: server}
		if segments[i].SrcPort != 4000 {
			ip.Src, ip.Dst = ip.Dst, ip.Src
		}
		b, err := pkts.Stack(ip, &segments[i], &pkts.Raw{Data: []byte(payloads[i])}).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		info := link.Info{Time: time.Unix(1700000000, 0).Add(time.Duration(i) * apart), WireLen: len(b), Link: link.TypeRaw}
		if err := w.WritePacket(&link.Frame{Data: b, Info: info}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "tcp.pcap", file.Bytes())
}

// Offsets go on beyond 4 GiB, from which on those of streams begin whose SYN was
// not seen.
func TestFollowFar(t *testing.T) {
	var (
		segments []pkts.TCP
		payloads []string
	)
	add := func(client bool, flags pkts.TCPFlags, seq, ack uint32, payload string) {
		s := pkts.TCP{SrcPort: 4000, DstPort: 80, Flags: flags, Seq: seq, Ack: ack, Window: 65535}
		if !client {
			s.SrcPort, s.DstPort = s.DstPort, s.SrcPort
		}
		if flags.Has(pkts.TCPSyn) {
			s.Options = pkts.TCPOptions(nil).AppendWindowScale(14).Pad()
		}
		segments, payloads = append(segments, s), append(payloads, payload)
	}
	// What lies between was not captured: the acknowledgments say that it came.
	const step = 1_000_000_000
	add(true, pkts.TCPSyn, 99, 0, "")
	add(false, pkts.TCPSyn|pkts.TCPAck, 499, 100, "")
	for i := range uint32(6) {
		add(true, pkts.TCPAck, 100+i*step, 500, fmt.Sprint("at ", i))
		add(false, pkts.TCPAck, 500, 100+i*step+4, "")
	}
	file := tcpFile(t, time.Second, segments, payloads...)
	stdout, stderr, code := run(t, nil, "follow", file, "--stream", "0", "--direction", "forward", "--hex")
	if want := fmt.Sprintf("\n%08x  61 74 20 35 ", uint64(5*step)); code != exitOK || stderr != "" || !strings.Contains(stdout, want) {
		t.Errorf("%d: %s%s\nwant %s", code, stdout, stderr, want)
	}
	out := filepath.Join(t.TempDir(), "out")
	_, stderr, code = run(t, nil, "follow", file, "--stream", "0", "--direction", "forward", "--map", out)
	f, err := os.Open(out)
	if err != nil || code != exitOK || !strings.Contains(stderr, " bytes are missing before byte 5000000000 of the forward direction") {
		t.Fatalf("%v, %d: %s", err, code, stderr)
	}
	defer f.Close()
	for i := range int64(6) {
		var b [4]byte
		if _, err := f.ReadAt(b[:], i*step); string(b[:]) != fmt.Sprint("at ", i) {
			t.Errorf("%q at %d, %v", b, i*step, err)
		}
	}
	if st, err := f.Stat(); err != nil || st.Size() != 5*step+4 {
		t.Errorf("%d bytes, %v", st.Size(), err)
	}
}

// A connection may be quiet for as long as it likes: what is counted is the same
// as tshark counts.
func TestStreamsQuiet(t *testing.T) {
	file := tcpFile(t, 30*time.Hour, []pkts.TCP{
		{SrcPort: 4000, DstPort: 80, Flags: pkts.TCPSyn, Seq: 99, Window: 65535},
		{SrcPort: 80, DstPort: 4000, Flags: pkts.TCPSyn | pkts.TCPAck, Seq: 499, Ack: 100, Window: 65535},
		{SrcPort: 4000, DstPort: 80, Flags: pkts.TCPAck, Seq: 100, Ack: 500, Window: 65535},
		{SrcPort: 80, DstPort: 4000, Flags: pkts.TCPAck, Seq: 500, Ack: 105, Window: 65535},
	}, "", "", "hello", "world")
	want := strings.Count(tsharkOf(t, "-r", file, "-q", "-z", "conv,tcp"), "<->")
	if list := listStreams(t, file); want != 1 || len(list) != want || list[0].Sides[0].Stream != 5 || list[0].Sides[1].Stream != 5 {
		t.Errorf("%d connections, want %d: %+v", len(list), want, list)
	}
	if stdout, stderr, code := run(t, nil, "follow", file, "--stream", "0", "--raw"); code != exitOK || stdout != "helloworld" {
		t.Errorf("%d: %q, %s", code, stdout, stderr)
	}
}
