package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// sniffer is pkts sniff in a namespace.
type sniffer struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	stderr *bufio.Reader
	says   string // at the start
}

// startSniffer starts pkts sniff on veth0 of ns and waits until it captures.
func startSniffer(t *testing.T, ns *netns.NS, args ...string) *sniffer {
	t.Helper()
	return startSnifferOn(t, ns, "veth0", "ETHERNET", args...)
}

// startSnifferOn is startSniffer for an interface with a link type.
func startSnifferOn(t *testing.T, ns *netns.NS, name, typ string, args ...string) *sniffer {
	t.Helper()
	s := &sniffer{cmd: program(t, append([]string{"sniff", "-i", name}, args...)...)}
	s.cmd.Stdout = &s.out
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	s.cmd.Stderr = w
	if err := ns.Do(s.cmd.Start); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	s.stderr = bufio.NewReader(r)
	// A line for each interface.
	for range 1 + strings.Count(" "+strings.Join(args, " "), " -i ") {
		line, err := s.stderr.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "capturing on "+strings.TrimRight(name, "0123456789")) || !strings.Contains(line, ", link type "+typ+", ") {
			t.Fatalf("sniff says %q, %v", line, err)
		}
		s.says += line
	}
	return s
}

// wait waits for the end and returns the rest of the standard error.
func (s *sniffer) wait(t *testing.T) string {
	t.Helper()
	rest, _ := io.ReadAll(s.stderr)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("sniff: %v: %s", err, rest)
	}
	return string(rest)
}

// cable returns two namespaces with a cable between them.
func cable(t *testing.T) (a, b *netns.NS) {
	t.Helper()
	a, b = netns.New(t), netns.New(t)
	netns.Connect(t, a, "veth0", b, "veth0")
	a.AddAddress(t, "veth0", "192.0.2.1/24")
	b.AddAddress(t, "veth0", "192.0.2.2/24")
	return a, b
}

func TestPrivilegedSniffPrint(t *testing.T) {
	a, b := cable(t)
	s := startSniffer(t, a, "-t", "-c", "6", "-T", "json")
	b.Run(t, "ping", "-c", "2", "-i", "0.2", "192.0.2.1")
	b.Run(t, "ping", "-c", "1", "192.0.2.1")
	stats := s.wait(t)
	if !regexp.MustCompile(`^6 packets, \d+ received by the filter, 0 dropped by the kernel, 0 dropped by the interface\n$`).MatchString(stats) {
		t.Errorf("stats: %q", stats)
	}
	ps := packets(t, s.out.String())
	if len(ps) != 6 {
		t.Fatalf("%d packets, want 6", len(ps))
	}
	icmp := 0
	for _, p := range ps {
		for _, l := range p.Layers {
			if l.Name == "icmpv4" {
				icmp++
			}
		}
	}
	if icmp < 4 {
		t.Errorf("%d ICMP messages, want at least 4: %s", icmp, s.out.String())
	}
}

// The kernel filters a capture of all interfaces too, and what it cannot know is
// left to the program.
func TestPrivilegedSniffAny(t *testing.T) {
	a, b := cable(t)
	mac := b.Interface(t, "veth0").MAC
	for _, tt := range []struct {
		expr   string
		kernel bool
	}{
		{"icmp[icmptype] = icmp-echo and inbound", true},
		{"link[12:4] = 0x" + strings.ReplaceAll(mac.String(), ":", "")[:8] + " and icmp[icmptype] = icmp-echo", false},
	} {
		s := startSnifferOn(t, a, "any", "LINUX_SLL2", "-t", "-c", "3", "--dialect", "scoped", tt.expr)
		b.Run(t, "ping", "-c", "3", "-i", "0.2", "192.0.2.1")
		stats := s.wait(t)
		if got := strings.HasPrefix(stats, "3 packets, 3 received by the filter, "); got != tt.kernel {
			t.Errorf("%s: stats %q", tt.expr, stats)
		}
		if out := s.out.String(); strings.Count(out, "\n") != 3 || strings.Count(out, "ICMP echo request") != 3 {
			t.Errorf("%s: %s", tt.expr, out)
		}
	}
}

// The kernel captures what an expression accepts.
func TestPrivilegedSniffFilters(t *testing.T) {
	a, b := cable(t)
	s := startSniffer(t, a, "-t", "-c", "3", "icmp[icmptype]", "=", "icmp-echo", "and", "inbound")
	b.Run(t, "ping", "-c", "3", "-i", "0.2", "192.0.2.1")
	stats := s.wait(t)
	if !strings.HasPrefix(stats, "3 packets, 3 received by the filter, ") {
		t.Errorf("stats: %q", stats)
	}
	if out := s.out.String(); strings.Count(out, "\n") != 3 || strings.Count(out, "ICMP echo request") != 3 {
		t.Errorf("%s", out)
	}
}

// TestPrivilegedSniffInterrupt ends a capture to a file by ^C.
func TestPrivilegedSniffInterrupt(t *testing.T) {
	a, b := cable(t)
	path := filepath.Join(t.TempDir(), "out.pcapng")
	s := startSniffer(t, a, "-w", path)
	b.Run(t, "ping", "-c", "3", "-i", "0.2", "-s", "100", "192.0.2.1")
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if stats := s.wait(t); !strings.Contains(stats, " packets, ") {
		t.Errorf("stats: %q", stats)
	}
	if s.out.Len() > 0 {
		t.Errorf("printed %q", s.out.String())
	}
	stdout, stderr, code := run(t, nil, "read", "-t", path)
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"IP 192.0.2.2 > 192.0.2.1: ICMP echo request, id ", "IP 192.0.2.1 > 192.0.2.2: ICMP echo reply, id ", ", seq 3, length 108\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	stdout, _, _ = run(t, nil, "info", "--json", path)
	var infos []fileInfo
	if err := json.Unmarshal([]byte(stdout), &infos); err != nil {
		t.Fatal(err)
	}
	if i := infos[0]; len(i.Interfaces) != 1 || i.Interfaces[0].Name != "veth0" || len(i.Interfaces[0].Addresses) == 0 || !strings.HasPrefix(i.Application, "pkts ") {
		t.Errorf("%s", stdout)
	}
	if tshark, err := exec.LookPath("tshark"); err == nil {
		out, err := exec.CommandContext(t.Context(), tshark, "-r", path, "-Y", "icmp.type==8").Output()
		if err != nil || bytes.Count(out, []byte("\n")) != 3 {
			t.Errorf("tshark: %v, %s", err, out)
		}
	}
}

// TestPrivilegedSniffFlushes checks that a packet is printed although no other
// one follows.
func TestPrivilegedSniffFlushes(t *testing.T) {
	a, b := cable(t)
	s := &sniffer{cmd: program(t, "sniff", "-i", "veth0", "-q", "-t")}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Do(s.cmd.Start); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			lines <- sc.Text()
		}
		close(lines)
	}()
	// With -q nothing says when the capture begins.
	deadline := time.After(20 * time.Second)
	for got := ""; !strings.Contains(got, "ICMP echo"); {
		b.Run(t, "ping", "-c", "1", "192.0.2.1")
		select {
		case got = <-lines:
		case <-time.After(500 * time.Millisecond):
		case <-deadline:
			t.Fatal("nothing was printed")
		}
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines {
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPrivilegedSniffDuration(t *testing.T) {
	a, _ := cable(t)
	start := time.Now()
	s := startSniffer(t, a, "--duration", "300ms", "--direction", "in", "-s", "64")
	s.wait(t)
	if d := time.Since(start); d < 300*time.Millisecond || d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestPrivilegedSniffPromiscuous checks the mode of the interface, which is that
// of tcpdump.
func TestPrivilegedSniffPromiscuous(t *testing.T) {
	a, _ := cable(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "promiscuity 1 "},
		{[]string{"-p"}, "promiscuity 0 "},
		{[]string{"--no-promiscuous"}, "promiscuity 0 "},
	} {
		s := startSniffer(t, a, tt.args...)
		if got := a.Run(t, "ip", "-d", "link", "show", "veth0"); !strings.Contains(got, tt.want) {
			t.Errorf("%v: no %q in %s", tt.args, tt.want, got)
		}
		if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		s.wait(t)
	}
}
