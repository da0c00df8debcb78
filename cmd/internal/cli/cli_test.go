package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// asProgram in the environment makes the test binary the program, so that the
// tests run what a user runs: a process with its pipes, signals and exit code.
const asProgram = "PKTS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asNobody) != "" {
		os.Exit(openAsNobody(os.Args[1]))
	}
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// program returns a command that runs the program.
func program(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "TZ=UTC", "NO_COLOR=",
		// At the end of a program the race detector waits for a second, which
		// is most of the time of these tests.
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=10")
	return cmd
}

// run runs the program and returns what it wrote and its exit code.
func run(t testing.TB, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errs.String(), ee.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

// samplePath returns a file with the sample.
func samplePath(t testing.TB) string {
	t.Helper()
	return "sample.pcapng"
}

// writeFile writes a file into a folder of the test.
func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	cut := writeFile(t, "cut.pcapng", sample[:len(sample)-10])
	text := writeFile(t, "text", []byte("this is no capture file at all"))
	tests := []struct {
		name   string
		args   string
		stdin  []byte
		code   int
		stdout string // a regular expression, matched with (?s)
		stderr string // the same; empty for nothing at all
	}{
		{name: "no arguments", args: "", stdout: `Usage:.*read .*sniff .*version`},
		{name: "help", args: "read --help", stdout: `Examples:.*Flags:`},
		{name: "help names exit codes", args: "--help", stdout: `Exit codes: 0 `},
		{name: "version", args: "version", stdout: `^pkts \S+.*, go1\.\d+.* \w+/\w+\n$`},
		{name: "completion", args: "completion bash", stdout: `bash completion`},
		{name: "completed fields", args: "__complete read -e tcp.s", stdout: `^tcp\.src_port\ntcp\.seq\n:4\n`, stderr: `Completion ended`},
		{name: "sample", args: "read -c 2 --utc", stdout: `^05:43:29\.748881 IP6 fe80::38fe:7ff:fe46:b766 > ff02::2: ICMP6, router solicitation, length 16\n05:43:30\.260869 ARP, Request who-has 10\.77\.0\.2 tell 10\.77\.0\.1, length 28\n$`},
		{name: "stdin", args: "read -t -c 1 -", stdin: sample, stdout: `^IP6 fe80`},
		{name: "two files", args: "read -e n -r sample.pcapng sample.pcapng", stdout: `^1\n.*\n34\n.*66\n$`},
		{name: "no time", args: "read -t -c 1", stdout: `^IP6 `},
		{name: "epoch", args: "read -tt -c 1", stdout: `^1795412609\.748881 IP6 `},
		{name: "delta", args: "read -ttt -c 2", stdout: `^ 00:00:00\.000000 IP6 .*\n 00:00:00\.511988 ARP`},
		{name: "date", args: "read -tttt -c 1 --utc", stdout: `^2026-11-23 05:43:29\.748881 IP6 `},
		{name: "first", args: "read --time first --nano -c 3", stdout: `\n 00:00:00\.515964000 ARP`},
		{name: "tree", args: "read -T tree -c 2", stdout: `^Packet 1, .*70 bytes, ETHERNET\nEthernet, bytes 0-13\n    Dst: 33:33:00:00:00:02\n.*Checksum: 0x8bd8 \[good\]`},
		{name: "hex", args: "read -t -x -c 2", stdout: `ARP, Request .*\n\t0x0000:  0001 0800 0604 0001 3afe 0746 b766 0a4d\n`},
		{name: "hex with link header", args: "read -t -xx -c 2", stdout: `\n\t0x0000:  d61e d5b8 cafd 3afe 0746 b766 0806 0001\n`},
		{name: "hex with ASCII", args: "read -t -XX -c 1", stdout: `\n\t0x0040:  3afe 0746 b766                           :\.\.F\.f\n$`},
		{name: "fields", args: "read -T fields -e ipv4.src -e udp.dst_port -e summary -e link --separator ; -c 6", stdout: `\n10\.77\.0\.1;53;IP 10\.77\.0\.1\.44169 > 10\.77\.0\.2\.53: UDP, length 47;ETHERNET\n$`},
		{name: "colour", args: "read --color always -c 1 --utc", stdout: "^\x1b\\[2m05:43:29.748881 \x1b\\[0mIP6"},
		{name: "no colour in pipes", args: "read -c 1 -T tree", stdout: "^[^\x1b]*$"},
		{name: "list of fields", args: "fields udp", stdout: `^udp\.src_port\nudp\.dst_port\nudp\.length\nudp\.checksum\n$`},
		{name: "info", args: "info sample.pcapng", stdout: `Format: +pcapng 1\.0, little-endian\nPackets: +33\nLink type: +ETHERNET, .*: 33 packets\nFirst: +2026-11-23 05:43:29\.748881000 UTC\n.*Comment: +Hosts in network namespaces`},
		{name: "check", args: "check sample.pcapng", stdout: `^packets=33 identical=33 differing=0 errors=0 panics=0\n$`},
		{name: "check two", args: "check -v sample.pcapng sample.pcapng", stdout: `^sample.pcapng: packets=33 .*\npackets=66 identical=66 differing=0 errors=0 panics=0\n$`},
		{name: "ifaces", args: "ifaces", stdout: `^INDEX +NAME +MTU +LINK +MAC +FLAGS +ADDRESSES\n`},

		{name: "cut file", args: "read -e n " + cut, code: 1, stdout: `^1\n(.*\n)?32\n$`, stderr: `^pkts: .*cut\.pcapng: enhanced packet block at byte \d+: file is cut short: need \d+ bytes, have \d+\n$`},
		{name: "cut file goes on with the next", args: "read -e n " + cut + " sample.pcapng", code: 1, stdout: `\n65\n$`, stderr: `cut short`},
		{name: "recovered file", args: "read --recover -e n " + cut, code: 1, stdout: `\n32\n$`, stderr: `passed over 1 stretches, \d+ bytes\n$`},
		{name: "info of a cut file", args: "info " + cut, code: 1, stdout: `Packets: +32\n.*Error: .*cut short`, stderr: `cut short`},
		{name: "check of a cut file", args: "check " + cut, code: 1, stdout: `^packets=32 identical=32 differing=0 errors=0 panics=0\n$`, stderr: `cut short`},
		{name: "no capture file", args: "read " + text, code: 1, stdout: `^$`, stderr: `not a capture file: it begins with 74 68 69 73`},
		{name: "no file", args: "read nothing.pcap", code: 1, stdout: `^$`, stderr: `^pkts: open nothing\.pcap: `},
		{name: "empty stdin", args: "read -", code: 1, stdout: `^$`, stderr: `standard input: file header`},
		{name: "no interface of that name", args: "sniff -i nothing0", code: 1, stdout: `^$`, stderr: `^pkts: open nothing0: `},

		{name: "unknown command", args: "raed", code: 2, stderr: `unknown command "raed": did you mean read\?\nRun "pkts --help"`},
		{name: "unknown flag", args: "read --foo", code: 2, stderr: `unknown flag: --foo\nRun "pkts read --help"`},
		{name: "unknown format", args: "read -T xml", code: 2, stderr: `-T xml: use text, tree, json, fields`},
		{name: "unknown field", args: "read -e tcp.srcport", code: 2, stderr: `did you mean src_port\?`},
		{name: "unknown layer", args: "read -e tpc.src_port", code: 2, stderr: `did you mean tcp\?`},
		{name: "fields without names", args: "read -T fields", code: 2, stderr: `belong together`},
		{name: "names without fields", args: "read -T json -e n", code: 2, stderr: `belong together`},
		{name: "unknown time", args: "read --time x", code: 2, stderr: `--time x: use `},
		{name: "unknown colour", args: "read --color x", code: 2, stderr: `--color x: use `},
		{name: "negative count", args: "read -c -1", code: 2, stderr: `^pkts: -c takes a number of packets, not "-1"\n`},
		{name: "count that is no number", args: "read -c x", code: 2, stderr: `^pkts: -c takes a number of packets, not "x"\n`},
		{name: "count out of range", args: "read --count 99999999999999999999", code: 2, stderr: `^pkts: -c takes a number of packets, not "9+"\n`},
		{name: "list that is no number", args: "check --list x sample.pcapng", code: 2, stderr: `^pkts: --list takes a number of differences, not "x"\n`},
		{name: "negative list", args: "check --list -1 sample.pcapng", code: 2, stderr: `^pkts: --list takes a number of differences, not "-1"\n`},
		{name: "switch with a value", args: "read --utc=x", code: 2, stderr: `^pkts: --utc takes true or false, not "x"\n`},
		{name: "misspelt beginning of a field", args: "read -e tcp.sorc", code: 2, stderr: `tcp has no "sorc": did you mean src_port\?\n`},
		{name: "field of tcpdump", args: "read -e udp.dport", code: 2, stderr: `did you mean dst_port\?\n`},
		{name: "beginning of a field", args: "read -e tcp.win", code: 2, stderr: `did you mean window\?\n`},
		{name: "more than a field", args: "read -e tcp.ack_number", code: 2, stderr: `did you mean ack\?\n`},
		{name: "beginning of a layer", args: "read -e eth.src", code: 2, stderr: `did you mean ethernet\?\n`},
		{name: "field like no other", args: "read -e tcp.zzzz", code: 2, stderr: `tcp has no "zzzz"\n`},
		{name: "follow nothing", args: "read -F", code: 2, stderr: `^pkts: -F waits for more of a file: name the file\n`},
		{name: "unknown write format", args: "read -w x --write-format y", code: 2, stderr: `--write-format y: use `},
		{name: "two outputs", args: "read -w - -T text", code: 2, stderr: `both want the standard output`},
		{name: "check without a file", args: "check", code: 2, stderr: `^pkts: name at least one capture file.*\nRun "pkts check --help"`},
		{name: "info without a file", args: "info", code: 2, stderr: `^pkts: name at least one capture file.*\nRun "pkts info --help"`},
		{name: "sniff without an interface", args: "sniff", code: 2, stderr: `name an interface with -i`},
		{name: "sniff with a wrong expression", args: "sniff -i lo ip or", code: 1, stderr: `^pkts: column 6: .*\n  ip or\n       \^\n$`},
		{name: "sniff without -i", args: "sniff eth0", code: 2, stderr: `^pkts: name the interface with -i: pkts sniff -i eth0\nRun "pkts sniff --help" for what there is\.\n$`},
		{name: "negative snap length", args: "sniff -i lo -s -1", code: 2, stderr: `^pkts: -s takes a number of bytes, not "-1"\n`},
		{name: "snap length that is no number", args: "sniff -i lo -s x", code: 2, stderr: `^pkts: -s takes a number of bytes, not "x"\n`},
		{name: "tcpdump's buffer", args: "sniff -i lo --duration 10ms -B 4096", code: 2, stderr: `^pkts: -B 4096 holds no packet of 64 KiB: it counts bytes, so that tcpdump's -B 4096 and dumpcap's -B 4 are -B 4MiB\n`},
		{name: "negative buffer", args: "sniff -i lo -B -1", code: 2, stderr: `^pkts: -B takes a number of bytes, not "-1"\n`},
		{name: "negative duration", args: "sniff -i lo --duration -1s", code: 2, stderr: `^pkts: --duration takes a time, such as 30s or 5m, not "-1s"\n`},
		{name: "duration that is no time", args: "sniff -i lo --duration x", code: 2, stderr: `^pkts: --duration takes a time, such as 30s or 5m, not "x"\n`},
		{name: "promiscuous mode in the help", args: "sniff --help", stdout: `-p, --no-promiscuous `},
		{name: "arguments of version", args: "version x", code: 2, stderr: `^pkts: pkts version takes no arguments: leave out "x"\n`},
		{name: "direction", args: "sniff -i lo --direction up", code: 2, stderr: `--direction up: use `},
		{name: "several interfaces, one twice", args: "sniff -i lo -i lo", code: 2, stderr: `^pkts: -i lo: it is there twice\n`},
		{name: "buffer with a unit", args: "sniff -i nothing0 -B 64MiB", code: 1, stderr: `^pkts: open nothing0: `},
		{name: "unknown backend", args: "sniff -i lo --backend x", code: 2, stderr: `^pkts: --backend x: use auto, ring, messages, xdp\n`},
		{name: "direction of tcpdump", args: "sniff -i nothing0 -Q inout", code: 1, stderr: `^pkts: open nothing0: `},
		{name: "clock", args: "sniff -i lo -j moon", code: 2, stderr: `^pkts: -j moon: use host, host_lowprec, host_hiprec, `},
		{name: "ring of files without files", args: "sniff -i lo -w x -W 3", code: 2, stderr: `^pkts: -W keeps the last of several files`},
		{name: "rotation without a file", args: "sniff -i lo -C 1", code: 2, stderr: `: name it with -w\n`},
		{name: "rotation to the standard output", args: "sniff -i lo -G 1 -w -", code: 2, stderr: `: name it with -w\n`},
		{name: "rotation size", args: "sniff -i lo -w x -C x", code: 2, stderr: `^pkts: -C takes a number of millions of bytes, or of bytes as in 500k, 64MiB or 1G, not "x"\n`},
		{name: "rotation time", args: "sniff -i lo -w x -G -1", code: 2, stderr: `^pkts: -G takes a time, such as 30s or 5m, not "-1"\n`},
		{name: "rotation count", args: "sniff -i lo -w x --rotate-count -1", code: 2, stderr: `^pkts: --rotate-count takes a number of packets, not "-1"\n`},
		{name: "memory", args: "sniff -i lo --write-buffer x", code: 2, stderr: `^pkts: --write-buffer takes a number of bytes, such as 65536, 64MiB or 1G, not "x"\n`},
		{name: "replay without an interface", args: "replay x", code: 2, stderr: `^pkts: name an interface with -i; pkts ifaces lists them\n`},
		{name: "replay without a file", args: "replay -i lo", code: 2, stderr: `^pkts: name at least one capture file`},
		{name: "replay at two rates", args: "replay -i lo --pps 1 -t x", code: 2, stderr: `^pkts: --pps, --bps, --speed and --top-speed each say how fast: give one of them\n`},
		{name: "replay at no rate", args: "replay -i lo --pps 0 x", code: 2, stderr: `^pkts: --pps takes a rate, such as 500, 10k or 1.5M, not "0"\n`},
		{name: "replay at no speed", args: "replay -i lo --speed 0 x", code: 2, stderr: `^pkts: --speed takes a factor, such as 1, 0.5 or 10, not "0"\n`},
		{name: "replay backwards", args: "replay -i lo --speed -1 x", code: 2, stderr: `^pkts: --speed takes a factor`},
		{name: "replay never", args: "replay -i lo --loop -1 x", code: 2, stderr: `^pkts: -l takes a number of times, not "-1"\n`},
		{name: "replay the standard input twice", args: "replay -i lo --loop 2 -", code: 2, stderr: `^pkts: --loop reads a file again`},
		{name: "sniff as nobody in particular", args: "sniff -i lo --duration 10ms --drop-privileges=", code: 2, stderr: `^pkts: -Z : there is no such user\n`},
		{name: "replay on no interface", args: "replay -i nothing0 x", code: 1, stderr: `^pkts: open nothing0: `},
		{name: "send without an interface", args: "send 00", code: 2, stderr: `^pkts: name an interface with -i`},
		{name: "send no digits", args: "send -i lo xyz", code: 2, stderr: `^pkts: "xyz" is not all hexadecimal digits\n`},
		{name: "send half a byte", args: "send -i lo 123", code: 2, stderr: `^pkts: "123" has 3 hexadecimal digits: a byte has two\n`},
		{name: "send two things", args: "send -i lo -r x 00", code: 2, stderr: `^pkts: -r x and packets on the command line: give one of them\n`},
		{name: "send nothing", args: "send -i lo", code: 1, stderr: `^pkts: standard input: there is no packet in it\n`},
		{name: "send damage", args: "send -i lo -r -", stdin: []byte("00\nzz\n"), code: 1, stderr: `^pkts: standard input: line 2: "zz" is not all`},
		{name: "number of the interface", args: "read -c 1 -e interface -e n", stdout: `^0\t1\n$`},
		{name: "fields of an unknown layer", args: "fields foo", code: 2, stderr: `no layer is called "foo"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, bytes.NewReader(tt.stdin), strings.Fields(tt.args)...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !regexp.MustCompile("(?s)" + tt.stdout).MatchString(stdout) {
				t.Errorf("stdout:\n%s\nwant %s", stdout, tt.stdout)
			}
			switch {
			case tt.stderr == "" && stderr != "":
				t.Errorf("stderr: %s", stderr)
			case !regexp.MustCompile("(?s)" + tt.stderr).MatchString(stderr):
				t.Errorf("stderr: %s\nwant %s", stderr, tt.stderr)
			case tt.code == 2 && (!strings.Contains(stderr, "--help") || stdout != ""):
				t.Errorf("a wrong command line: stdout %q, stderr %q; want a pointer to --help on stderr", stdout, stderr)
			}
		})
	}
}

// packet is one line of -T json.
type packet struct {
	N      int     `json:"n"`
	Time   *string `json:"time"`
	CapLen int     `json:"caplen"`
	Len    int     `json:"len"`
	Link   string  `json:"link"`
	Layers []struct {
		Name   string         `json:"name"`
		Offset int            `json:"offset"`
		Len    int            `json:"len"`
		Fields map[string]any `json:"fields"`
	} `json:"layers"`
}

// packets decodes the lines of -T json.
func packets(t testing.TB, s string) []packet {
	t.Helper()
	var ps []packet
	for line := range strings.Lines(s) {
		var p packet
		d := json.NewDecoder(strings.NewReader(line))
		if err := d.Decode(&p); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		ps = append(ps, p)
	}
	return ps
}

func TestReadJSON(t *testing.T) {
	stdout, stderr, code := run(t, nil, "read", "-T", "json")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	ps := packets(t, stdout)
	if len(ps) != 33 {
		t.Fatalf("%d packets, want 33", len(ps))
	}
	for i, p := range ps {
		if p.N != i+1 || p.Time == nil || p.CapLen != p.Len || p.Link != "ETHERNET" || len(p.Layers) < 2 {
			t.Errorf("packet %d: %+v", i+1, p)
		}
		end := 0
		for _, l := range p.Layers {
			if l.Offset != end {
				t.Errorf("packet %d: %s is at %d, want %d", p.N, l.Name, l.Offset, end)
			}
			end = l.Offset + l.Len
		}
		if end != p.CapLen {
			t.Errorf("packet %d: the layers end at %d of %d", p.N, end, p.CapLen)
		}
	}
	if !strings.HasPrefix(stdout, `{"n":1,"time":"2026-11-23T05:43:29.748881000Z","caplen":70,"len":70,"link":"ETHERNET","layers":[{"name":"ethernet","offset":0,"len":14,"fields":{`) {
		t.Errorf("the keys are not in their order: %s", stdout[:200])
	}
}

// TestReadLikeTshark compares fields with those of tshark.
func TestReadLikeTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	pairs := []struct{ theirs, ours string }{
		{"frame.number", "n"}, {"frame.len", "len"}, {"eth.src", "ethernet.src"}, {"ip.src", "ipv4[0].src"}, {"ip.ttl", "ipv4[0].ttl"},
		{"ipv6.dst", "ipv6[0].dst"}, {"tcp.srcport", "tcp.src_port"}, {"tcp.seq_raw", "tcp.seq"}, {"tcp.window_size_value", "tcp.window"},
		{"udp.dstport", "udp[0].dst_port"}, {"udp.length", "udp[0].length"},
	}
	theirs := []string{"-r", samplePath(t), "-T", "fields", "-E", "occurrence=f"}
	ours := []string{"read", samplePath(t)}
	for _, p := range pairs {
		theirs = append(theirs, "-e", p.theirs)
		ours = append(ours, "-e", p.ours)
	}
	want, err := exec.CommandContext(t.Context(), tshark, theirs...).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, _, _ := run(t, nil, ours...)
	// tshark gives the addresses of ARP no such names, and of a quoted packet the
	// outer ones first, as here.
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	if len(g) != len(w) || len(g) != 34 {
		t.Fatalf("%d lines, tshark has %d", len(g), len(w))
	}
	for i := range g {
		if g[i] != w[i] {
			t.Errorf("packet %d:\n got %q\nwant %q", i+1, g[i], w[i])
		}
	}
}

// TestReadLikeTcpdump compares the lines, as far as tcpdump does not guess about
// what ports mean.
func TestReadLikeTcpdump(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	for _, flags := range [][]string{nil, {"-t"}, {"-tt"}, {"-ttt"}, {"-tttt"}, {"-ttttt"}, {"-x"}, {"-X"}, {"-xx"}, {"-XX"}} {
		cmd := exec.CommandContext(t.Context(), tcpdump, append([]string{"-nn", "-S", "-r", samplePath(t)}, flags...)...)
		cmd.Env = append(os.Environ(), "TZ=UTC")
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got, _, _ := run(t, nil, append([]string{"read"}, flags...)...)
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		if len(g) != len(w) {
			t.Fatalf("%v: %d lines, tcpdump prints %d", flags, len(g), len(w))
		}
		for i := range g {
			head, _, udp := strings.Cut(g[i], ": UDP, length ")
			if g[i] == w[i] || udp && strings.HasPrefix(w[i], head+": ") || strings.HasPrefix(w[i], g[i]+": HTTP: ") || strings.HasPrefix(w[i], g[i]+" ") && strings.Contains(g[i], ".53: ") {
				continue
			}
			t.Errorf("%v, line %d:\n got %q\nwant %q", flags, i+1, g[i], w[i])
		}
	}
}

// frames reads a capture file.
func frames(t testing.TB, path string) (fs []link.Frame, r *pcap.Reader) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for f, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, f.Clone())
	}
	return fs, r
}

func TestReadWrite(t *testing.T) {
	want, _ := frames(t, samplePath(t))
	for _, tt := range []struct {
		name, flags string
		format      pcap.Format
	}{
		{"out.pcapng", "", pcap.FormatPcapng},
		{"out", "", pcap.FormatPcapng},
		{"out.pcap", "", pcap.FormatPcapNano},
		{"out.PCAP", "--write-format pcap", pcap.FormatPcap},
		{"out.pcap", "--write-format pcapng", pcap.FormatPcapng},
	} {
		path := filepath.Join(t.TempDir(), tt.name)
		stdout, stderr, code := run(t, nil, append([]string{"read", "-w", path}, strings.Fields(tt.flags)...)...)
		if code != 0 || stdout != "" || stderr != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", tt.name, code, stdout, stderr)
		}
		got, r := frames(t, path)
		if r.Format() != tt.format {
			t.Errorf("%s: %v, want %v", tt.name, r.Format(), tt.format)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d packets, want %d", tt.name, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i].Data, want[i].Data) || !got[i].Time.Equal(want[i].Time) || got[i].WireLen != want[i].WireLen {
				t.Errorf("%s: packet %d is another one", tt.name, i+1)
			}
		}
	}
	// The precision of a classic file is kept, and -w and printing go together.
	classic := filepath.Join(t.TempDir(), "classic.pcap")
	run(t, nil, "read", "-w", classic, "--write-format", "pcap")
	again := filepath.Join(t.TempDir(), "again.pcap")
	stdout, _, _ := run(t, nil, "read", "-w", again, "-e", "n", "-c", "3", classic)
	if stdout != "1\n2\n3\n" {
		t.Errorf("printed %q", stdout)
	}
	if fs, r := frames(t, again); len(fs) != 3 || r.Format() != pcap.FormatPcap {
		t.Errorf("%d packets, %v; want 3 in pcap", len(fs), r.Format())
	}
	// - is the standard output.
	stdout, _, _ = run(t, nil, "read", "-w", "-")
	if stdout2, _, _ := run(t, strings.NewReader(stdout), "check", "-"); stdout2 != "packets=33 identical=33 differing=0 errors=0 panics=0\n" {
		t.Errorf("check of -w -: %q", stdout2)
	}
	if _, stderr, code := run(t, nil, "read", "-w", filepath.Join(t.TempDir(), "no", "folder")); code != 1 || !strings.Contains(stderr, "open ") {
		t.Errorf("a file that cannot be created: exit code %d, %s", code, stderr)
	}
}

// TestReadKeepsInput checks that no way of naming an input as the output harms
// it.
func TestReadKeepsInput(t *testing.T) {
	dir := t.TempDir()
	join := func(name string) string { return filepath.Join(dir, name) }
	big := join("big.pcapng")
	if err := os.WriteFile(big, sample, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(big, join("hard.pcapng")); err != nil {
		t.Skip("there are no hard links here: ", err)
	}
	if err := os.Symlink("big.pcapng", join("soft.pcapng")); err != nil {
		t.Skip("there are no symbolic links here: ", err)
	}
	other := samplePath(t)
	tests := []struct {
		name   string
		args   []string
		stdin  bool // from big
		stdout bool // appended to big
		stderr string
	}{
		{name: "itself", args: []string{"-w", big, big}, stderr: "-w " + big + " would overwrite what is read, " + big + ": write to another file"},
		{name: "by -r", args: []string{"-r", big, "-w", big}, stderr: "would overwrite"},
		{name: "another path", args: []string{"-w", filepath.Join(dir, "..", filepath.Base(dir), "big.pcapng"), big}, stderr: "would overwrite"},
		{name: "hard link", args: []string{"-w", join("hard.pcapng"), big}, stderr: "would overwrite"},
		{name: "output by symbolic link", args: []string{"-w", join("soft.pcapng"), big}, stderr: "would overwrite"},
		{name: "input by symbolic link", args: []string{"-w", big, join("soft.pcapng")}, stderr: "would overwrite"},
		{name: "second input", args: []string{"-w", big, other, big}, stderr: "would overwrite"},
		{name: "followed", args: []string{"-F", "-w", big, big}, stderr: "would overwrite"},
		{name: "standard input", args: []string{"-w", big, "-"}, stdin: true, stderr: "the standard input: write to another file"},
		{name: "standard output", args: []string{"-w", "-", big}, stdout: true, stderr: "the standard output would overwrite what is read, "},
		{name: "printed", args: []string{big}, stdout: true, stderr: "the standard output would overwrite what is read, "},
	}
	for _, tt := range tests {
		cmd := program(t, append([]string{"read"}, tt.args...)...)
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		f, err := os.OpenFile(big, os.O_RDWR|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if tt.stdin {
			cmd.Stdin = f
		}
		if tt.stdout {
			cmd.Stdout = f
		}
		err = cmd.Run()
		_ = f.Close()
		if ee, ok := errors.AsType[*exec.ExitError](err); !ok || ee.ExitCode() != 2 {
			t.Errorf("%s: %v, want exit code 2", tt.name, err)
		}
		if !strings.Contains(stderr.String(), tt.stderr) || out.Len() > 0 {
			t.Errorf("%s: stdout %q, stderr %q, want %q", tt.name, &out, &stderr, tt.stderr)
		}
		if b, err := os.ReadFile(big); err != nil || !bytes.Equal(b, sample) {
			t.Fatalf("%s: the input has changed: %d bytes, %v", tt.name, len(b), err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 3 {
		t.Errorf("%v, %v: something was created", list, err)
	}
	// An output that is also named as a later input is not there at first.
	fresh := join("fresh.pcapng")
	if _, stderr, code := run(t, nil, "read", "-w", fresh, big, fresh); code == 0 || !strings.Contains(stderr, "would overwrite") {
		t.Errorf("an output that is read later: exit code %d, stderr %q", code, stderr)
	}
	if fs, _ := frames(t, fresh); len(fs) != 33 {
		t.Errorf("%d packets, want the 33 of the first file", len(fs))
	}
	// A copy with the same content is another file, and devices lose nothing.
	if _, stderr, code := run(t, nil, "read", "-w", fresh, big); code != 0 {
		t.Error(stderr)
	}
	if _, stderr, _ := run(t, nil, "read", "-w", os.DevNull, os.DevNull); strings.Contains(stderr, "overwrite") {
		t.Error(stderr)
	}
}

// TestReadKeepsInterfaces copies a file with two link types after another one.
func TestReadKeepsInterfaces(t *testing.T) {
	var b bytes.Buffer
	w, err := pcap.NewWriter(&b, pcap.WriterConfig{Interfaces: []pcap.Interface{
		{Name: "one", Link: link.TypeEthernet}, {Name: "two", Description: "second", Link: link.TypeRaw},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, typ := range []link.Type{link.TypeEthernet, link.TypeRaw} {
		f := link.Frame{Data: []byte{1, 2, 3, 4}, Info: link.Info{WireLen: 4, Interface: i, Link: typ}}
		if err := w.WritePacket(&f, pcap.PacketOptions{pcap.TextOption(pcap.OptComment, "hello")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in := writeFile(t, "in.pcapng", b.Bytes())
	for _, c := range []struct {
		name, first   string
		packets, code int
	}{
		{"whole", samplePath(t), 33, 0},
		// What is behind damage takes nothing from the next file.
		{"cut", writeFile(t, "cut.pcapng", sample[:len(sample)-40]), 32, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.pcapng")
			if _, stderr, code := run(t, nil, "read", "-w", out, c.first, in); code != c.code {
				t.Fatal(stderr)
			}
			stdout, _, _ := run(t, nil, "info", "--json", out)
			var infos []fileInfo
			if err := json.Unmarshal([]byte(stdout), &infos); err != nil {
				t.Fatal(err)
			}
			i := infos[0]
			if i.Packets != c.packets+2 || i.Commented != 2 || len(i.Interfaces) != 3 || i.Interfaces[1].Name != "one" || i.Interfaces[2].Description != "second" ||
				i.Interfaces[0].Packets != c.packets || i.Interfaces[2].Packets != 1 || i.Interfaces[2].Link != "RAW" {
				t.Errorf("%s", stdout)
			}
		})
	}
}

func TestReadCompressed(t *testing.T) {
	var gz, zs, l4 bytes.Buffer
	zw, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]io.WriteCloser{"gzip": gzip.NewWriter(&gz), "zstd": zw, "lz4": lz4.NewWriter(&l4)} {
		_, werr := w.Write(sample)
		if err := errors.Join(werr, w.Close()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"gzip": gz.Bytes(), "zstd": zs.Bytes(), "lz4": l4.Bytes()} {
		stdout, stderr, code := run(t, bytes.NewReader(b), "check", "-")
		if code != 0 || stdout != "packets=33 identical=33 differing=0 errors=0 panics=0\n" {
			t.Errorf("%s: exit code %d, %s%s", name, code, stdout, stderr)
		}
		stdout, _, _ = run(t, bytes.NewReader(b), "info", "--json", "-")
		if !strings.Contains(stdout, `"compression": "`+name+`"`) {
			t.Errorf("%s: %s", name, stdout)
		}
		// A cut stream gives what there is, and a warning.
		stdout, stderr, code = run(t, bytes.NewReader(b[:len(b)-len(b)/4]), "read", "-e", "n", "-")
		if code != 1 || stderr == "" || strings.Contains(stdout, "33\n") {
			t.Errorf("%s, cut: exit code %d, %q, %q", name, code, stdout, stderr)
		}
	}
}

// TestReadPrompt reads from a pipe that does not end: what came is printed.
func TestReadPrompt(t *testing.T) {
	cmd := program(t, "read", "-e", "n", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(sample); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len("1\n"))
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "1\n" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(out); err != nil || !strings.HasSuffix(string(rest), "33\n") {
		t.Errorf("%q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestReadFollow reads a file that grows, until it is interrupted.
func TestReadFollow(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no interrupt to send")
	}
	half := len(sample) / 2
	path := writeFile(t, "growing.pcapng", sample[:half])
	cmd := program(t, "read", "--follow", "-e", "n", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // the first half is there
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, werr := f.Write(sample[half:])
	if err := errors.Join(werr, f.Close()); err != nil {
		t.Fatal(err)
	}
	last := lines.Text()
	for last != "33" && lines.Scan() {
		last = lines.Text()
	}
	if last != "33" {
		t.Errorf("it ends with packet %q", last)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestBrokenPipe closes the pipe after the first line.
func TestBrokenPipe(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		// More than a pipe holds.
		files := make([]string, 300)
		for i := range files {
			files[i] = samplePath(t)
		}
		cmd := program(t, append([]string{"read", "-T", format}, files...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v, stderr %q; want silence", format, err, stderr.String())
		}
	}
}

func TestIfacesJSON(t *testing.T) {
	stdout, stderr, code := run(t, nil, "ifaces", "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var infos []ifaceInfo
	if err := json.Unmarshal([]byte(stdout), &infos); err != nil {
		t.Fatal(err)
	}
	want, err := link.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != len(want) {
		t.Fatalf("%d interfaces, want %d", len(infos), len(want))
	}
	for i := range infos {
		if infos[i].Name != want[i].Name || infos[i].Index != want[i].Index || len(infos[i].Addresses) != len(want[i].Addrs) {
			t.Errorf("%+v, want %v", infos[i], want[i])
		}
	}
}

// TestInfoLikeCapinfos compares with capinfos, where it is installed.
func TestInfoLikeCapinfos(t *testing.T) {
	capinfos, err := exec.LookPath("capinfos")
	if err != nil {
		t.Skip("capinfos is not installed")
	}
	stdout, _, _ := run(t, nil, "info", "--json", samplePath(t))
	var infos []fileInfo
	if err := json.Unmarshal([]byte(stdout), &infos); err != nil {
		t.Fatal(err)
	}
	i := infos[0]
	// File, packets, file size, data size, earliest and latest time.
	out, err := exec.CommandContext(t.Context(), capinfos, "-T", "-m", "-r", "-c", "-s", "-d", "-a", "-e", "-S", samplePath(t)).Output()
	if err != nil {
		t.Fatal(err)
	}
	seconds := func(n int64, ns int) string { return fmt.Sprintf("%d.%09d", n, ns)[:17] }
	want := fmt.Sprintf("%s,%d,%d,%d,%s,%s", samplePath(t), i.Packets, i.Size, i.Wire, seconds(i.First.Unix(), i.First.Nanosecond()), seconds(i.Last.Unix(), i.Last.Nanosecond()))
	if got := strings.ReplaceAll(strings.TrimSpace(string(out)), `"`, ""); got != want {
		t.Errorf("capinfos: %s\n    pkts: %s", got, want)
	}
}

// TestCheckCaptures checks every capture that lies beside the repository.
func TestCheckCaptures(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads all captures")
	}
	found := false
	for _, dir := range []string{"captures", "corpus"} {
		root := filepath.Join("..", "..", "..", "..", "shared", dir)
		var files []string
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".tsv") {
				files = append(files, path)
			}
			return nil
		})
		if raceEnabled { // some of them
			files = slices.DeleteFunc(files, func(path string) bool { return crc32.ChecksumIEEE([]byte(path))%8 != 0 })
		}
		if err != nil || len(files) == 0 {
			t.Logf("../shared/%s is not here", dir)
			continue
		}
		found = true
		stdout, stderr, _ := run(t, nil, append([]string{"check", "--list", "20"}, files...)...)
		m := regexp.MustCompile(`^packets=(\d+) identical=(\d+) differing=0 errors=\d+ panics=0\n$`).FindStringSubmatch(stdout)
		if m == nil || m[1] != m[2] {
			t.Errorf("%s: %s%s", dir, stdout, stderr)
			continue
		}
		if n, err := strconv.Atoi(m[1]); err != nil || n < 1000 {
			t.Errorf("%s: %s packets", dir, m[1])
		}
		t.Logf("%s: %d files, %s", dir, len(files), strings.TrimSpace(stdout))
	}
	if !found {
		t.Skip("../shared/captures is not here")
	}
}
