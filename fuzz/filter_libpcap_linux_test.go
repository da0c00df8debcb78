package fuzz

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

// The compiler of package filter, compared with libpcap: what it refuses, and
// which packets its programs accept.

// filterLinks are the link types of the comparison, by libpcap's names.
var filterLinks = []string{
	"ARCNET", "C_HDLC", "EN10MB", "ENC", "FDDI", "FRELAY", "IEEE802", "IEEE802_11", "IEEE802_11_RADIO", "IPNET", "IPV4", "IPV6",
	"IP_OVER_FC", "JUNIPER_ETHER", "LINUX_SLL", "LINUX_SLL2", "LOOP", "MTP2", "MTP2_WITH_PHDR", "NFLOG", "NULL", "PFLOG", "PPI",
	"PPP", "PPP_ETHER", "PPP_PPPD", "PPP_SERIAL", "PRISM_HEADER", "RAW", "SLIP", "SUNATM",
	// Not asked for often.
	"ATM_RFC1483", "IEEE802_11_RADIO_AVS", "PPP_BSDOS", "SLIP_BSDOS", "LTALK", "APPLE_IP_OVER_IEEE1394", "SYMANTEC_FIREWALL",
	"JUNIPER_ATM1", "JUNIPER_GGSN", "JUNIPER_MONITOR", "PFSYNC", "ERF", "USB_LINUX", "NETANALYZER", "NETANALYZER_TRANSPARENT",
}

// filterCase is one expression on one link type.
type filterCase struct {
	link int // in filterLinks
	expr string
	line int
}

// filterCases reads testdata/filter/expressions.txt.
func filterCases(t testing.TB) []filterCase {
	t.Helper()
	var cases []filterCase
	for i, line := range filterLines(t, "expressions.txt") {
		names, expr, ok := strings.Cut(line, " :: ")
		if !ok {
			if line != "" {
				t.Fatalf("expressions.txt:%d: no ' :: '", i+1)
			}
			continue
		}
		for j, name := range filterLinks {
			if names == "*" || slices.Contains(strings.Split(names, ","), name) {
				cases = append(cases, filterCase{j, expr, i + 1})
			}
		}
	}
	return cases
}

// filterLines returns the lines of a file, comments as empty ones.
func filterLines(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "filter", name))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "#") && !strings.Contains(line, " :: ") {
			lines[i] = ""
		}
	}
	return lines
}

// filterException is a difference from libpcap that is meant.
type filterException struct {
	what  string // "status" for what is refused, "verdict", "raw" and "unread" for truncated packets only, "length"
	links []string
	expr  *regexp.Regexp
	used  bool
}

// filterExceptions reads testdata/filter/exceptions.txt.
func filterExceptions(t testing.TB) []*filterException {
	t.Helper()
	var all []*filterException
	for i, line := range filterLines(t, "exceptions.txt") {
		if line == "" {
			continue
		}
		f := strings.SplitN(line, " :: ", 4)
		if len(f) != 4 || f[3] == "" {
			t.Fatalf("exceptions.txt:%d: not 'what :: links :: expression :: reason'", i+1)
		}
		re, err := regexp.Compile("^(?:" + f[2] + ")$")
		if err != nil {
			t.Fatalf("exceptions.txt:%d: %v", i+1, err)
		}
		all = append(all, &filterException{what: f[0], links: strings.Split(f[1], ","), expr: re})
	}
	return all
}

func excepted(all []*filterException, what, link, expr string) bool {
	for _, e := range all {
		if (e.what == what || e.what == "verdict" && what == "raw" || e.what == "verdict" && what == "length") && (e.links[0] == "*" || slices.Contains(e.links, link)) && e.expr.MatchString(expr) {
			e.used = true
			return true
		}
	}
	return false
}

// decided reports whether a filter says the same of a packet whatever follows its
// bytes.
func decided(f *filter.Filter, b []byte, wire int, verdict bool) bool {
	r := rand.New(rand.NewPCG(1, uint64(len(b))))
	for i := range 20 {
		full := append(slices.Clone(b), make([]byte, 4096)...)
		for j := len(b); j < len(full) && i > 0; j++ {
			full[j] = pick(r, 0, 1, 0x45, 6, 17, 0xff, byte(r.Uint32()))
		}
		if f.Match(full, wire, nil) != verdict {
			return false
		}
	}
	return true
}

// libpcapCompile builds the program in testdata that asks libpcap.
func libpcapCompile(t testing.TB) string {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed")
	}
	if _, err := os.Stat("/etc/services"); err != nil {
		t.Skip("libpcap reads names from /etc/services, which is not there")
	}
	name := filepath.Join(t.TempDir(), "compile")
	out, err := exec.Command(cc, "-O2", "-o", name, filepath.Join("testdata", "filter", "compile.c"), "-lpcap").CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("pcap/pcap.h")) {
			t.Skip("libpcap-dev is not installed")
		}
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return name
}

// libpcapAnswer is what libpcap says of one case: not optimized and optimized.
type libpcapAnswer struct {
	err    [2]string
	length [2]int
	raw    [2][]byte // a verdict for each packet
	padded [2][]byte
	prefix [2][]libpcapPrefix // of the same packets
}

// libpcapPrefix is what a program says of the first bytes of a packet: a verdict
// for 0, 1, 2 and so on.
type libpcapPrefix struct {
	packet   int
	verdicts []byte
}

// libpcapPrefixes is how many first bytes of a packet are at most asked for.
const libpcapPrefixes = 128 // PREFIX in compile.c

// askLibpcap returns libpcap's answers.
func askLibpcap(t testing.TB, program string, cases []filterCase, packets [][]filterPacket) []libpcapAnswer {
	t.Helper()
	var b []byte
	put := func(v int) { b = binary.NativeEndian.AppendUint32(b, uint32(v)) }
	put(len(filterLinks))
	for i, name := range filterLinks {
		put(len(name))
		b = append(b, name...)
		put(len(packets[i]))
		for _, p := range packets[i] {
			put(p.wire)
			put(len(p.data))
			b = append(b, p.data...)
		}
	}
	for _, c := range cases {
		put(c.link)
		put(len(c.expr))
		b = append(b, c.expr...)
	}
	cmd := exec.Command(program)
	// libpcap asks name servers for unknown hosts; not for long.
	cmd.Env = append(os.Environ(), "RES_OPTIONS=timeout:1 attempts:1")
	cmd.Stdin = bytes.NewReader(b)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int) []byte {
		if len(out) < n {
			t.Fatal("the answer of libpcap ends early")
		}
		x := out[:n:n]
		out = out[n:]
		return x
	}
	number := func() int { return int(binary.NativeEndian.Uint32(take(4))) }
	answers := make([]libpcapAnswer, len(cases))
	for i := range answers {
		a := &answers[i]
		for opt := range 2 {
			a.length[opt] = number()
			if a.length[opt] == 0 {
				a.err[opt] = string(take(number()))
				continue
			}
			n := len(packets[cases[i].link])
			a.raw[opt], a.padded[opt] = take(n), take(n)
			for range number() {
				p := libpcapPrefix{packet: number()}
				p.verdicts = take(min(len(packets[cases[i].link][p.packet].data), libpcapPrefixes) + 1)
				a.prefix[opt] = append(a.prefix[opt], p)
			}
		}
	}
	return answers
}

// ours compiles a case.
func (c filterCase) ours() (*filter.Filter, error) {
	t, err := link.ParseType("DLT_" + filterLinks[c.link])
	if err != nil {
		return nil, err
	}
	return filter.Compile(c.expr, filter.Options{Link: t})
}

// On packets without end, a program accepts what libpcap's does that is not
// optimized. On truncated ones, where loads may leave the packet, it says what
// one of libpcap's two programs says, which do not agree.
func TestFilterLikeLibpcap(t *testing.T) {
	program := libpcapCompile(t)
	r := rand.New(rand.NewPCG(20, 26))
	packets := make([][]filterPacket, len(filterLinks))
	for i, name := range filterLinks {
		packets[i] = linkPackets(r, name)
	}
	cases := filterCases(t)
	exprs := make(map[string]bool)
	for _, c := range cases {
		exprs[c.expr] = true
	}
	if len(exprs) < 600 {
		t.Errorf("%d expressions, want at least 600", len(exprs))
	}
	exceptions := filterExceptions(t)
	padded := make([][][]byte, len(packets))
	for i := range packets {
		for _, p := range packets[i] {
			padded[i] = append(padded[i], append(slices.Clone(p.data), make([]byte, max(0, 4096-len(p.data)))...))
		}
	}
	answers := askLibpcap(t, program, cases, packets)
	verdicts, truncated, accepted, longer, programs, wrong := 0, 0, 0, 0, 0, 0
	report := func(c filterCase, format string, args ...any) {
		t.Helper()
		if wrong++; wrong <= 40 {
			t.Errorf("expressions.txt:%d: %s: %q: %s", c.line, filterLinks[c.link], c.expr, fmt.Sprintf(format, args...))
		}
	}
	for i, c := range cases {
		a, name := &answers[i], filterLinks[c.link]
		f, err := c.ours()
		if raceEnabled && i%5 != 0 && err == nil {
			continue // compiled, at least
		}
		if (err != nil) != (a.err[0] != "") {
			if !excepted(exceptions, "status", name, c.expr) {
				report(c, "we say %v, libpcap says %q", err, a.err[0])
			}
			continue
		}
		if err != nil {
			continue
		}
		if err := f.Program().ValidateLinux(); err != nil {
			report(c, "%v", err)
		}
		for j, p := range packets[c.link] {
			verdicts++
			got := f.Match(padded[c.link][j], p.wire, nil)
			if got {
				accepted++
			}
			if want := a.padded[0][j]; want != 2 && got != (want == 1) && !excepted(exceptions, "verdict", name, c.expr) {
				report(c, "we say %v for packet %d % x", got, j, p.data)
				break
			}
			got = f.Match(p.data, p.wire, nil)
			want := [2]byte{a.raw[0][j], a.raw[0][j]}
			if a.raw[1] != nil {
				want[1] = a.raw[1][j]
			}
			if want[0] != 2 && got != (want[0] == 1) && got != (want[1] == 1) && !excepted(exceptions, "raw", name, c.expr) &&
				!(decided(f, p.data, p.wire, got) && excepted(exceptions, "unread", name, c.expr)) {
				report(c, "we say %v for truncated packet %d % x", got, j, p.data)
				break
			}
		}
	prefixes:
		for j, p := range a.prefix[0] {
			b := packets[c.link][p.packet]
			for n, want := range p.verdicts {
				truncated++
				also := want
				if a.prefix[1] != nil {
					also = a.prefix[1][j].verdicts[n]
				}
				got := f.Match(b.data[:n:n], b.wire, nil)
				if want != 2 && also != 2 && got != (want == 1) && got != (also == 1) && !excepted(exceptions, "raw", name, c.expr) &&
					!(decided(f, b.data[:n], b.wire, got) && excepted(exceptions, "unread", name, c.expr)) {
					report(c, "we say %v for the first %d bytes of packet % x", got, n, b.data)
					break prefixes
				}
			}
		}
		if a.length[1] > 0 && !excepted(exceptions, "length", name, c.expr) {
			programs++
			if len(f.Program()) > a.length[1] {
				longer++
			}
		}
	}
	if wrong > 40 {
		t.Errorf("and %d more", wrong-40)
	}
	t.Logf("%d expressions, %d programs, %d verdicts, %d of them accept, and %d on first bytes; %d programs are longer than libpcap's", len(exprs), programs, verdicts, accepted, truncated, longer)
	if longer*20 > programs {
		t.Errorf("%d of %d programs are longer than libpcap's optimized ones, want at most 5%%", longer, programs)
	}
	for _, e := range exceptions {
		if !e.used && !testing.Short() && !raceEnabled {
			t.Errorf("exceptions.txt: %s :: %v :: %s is not needed", e.what, e.links, e.expr)
		}
	}
}
