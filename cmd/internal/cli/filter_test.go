package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// tcpdumpOf returns what tcpdump prints, and skips the test where there is none.
func tcpdumpOf(t *testing.T, args ...string) string {
	t.Helper()
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	out, err := exec.Command(tcpdump, args...).Output()
	if err != nil {
		t.Fatalf("tcpdump %q: %v", args, err)
	}
	return string(out)
}

func TestFilterForms(t *testing.T) {
	for _, form := range []string{"-d", "-dd", "-ddd"} {
		want := tcpdumpOf(t, "-y", "EN10MB", form, "ip")
		if got, stderr, code := run(t, nil, "filter", form, "ip"); got != want || stderr != "" || code != exitOK {
			t.Errorf("%s: %q, %q, %d, want %q", form, got, stderr, code, want)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"filter", "-ddd", "-s", "96", "ip"}, tcpdumpOf(t, "-y", "EN10MB", "-ddd", "-s", "96", "ip")},
		{[]string{"filter", "-y", "101", "ip6"}, tcpdumpOf(t, "-y", "RAW", "-d", "ip6")},
		{[]string{"filter", "-ddd"}, "1\n6 0 0 262144\n"},
	} {
		got, stderr, code := run(t, nil, c.args...)
		if got != c.want || stderr != "" || code != exitOK {
			t.Errorf("%q: %q, %q, %d, want %q", c.args, got, stderr, code, c.want)
		}
	}
	if got, _, code := run(t, nil, "filter", "--ast", "tcp port 80 or 443"); code != exitOK || strings.Count(got, "tcp port") != 2 {
		t.Errorf("--ast: %q, %d", got, code)
	}
	if got, _, code := run(t, nil, "filter", "-y", "RAW", "--explain", "len > 5"); code != exitOK || !strings.Contains(got, "length >= 6?") {
		t.Errorf("--explain: %q, %d", got, code)
	}
	if got, _, code := run(t, nil, "filter", "--dialect", "scoped", "(vlan and ip) or arp"); code != exitOK || !strings.Contains(got, "#0x806") {
		t.Errorf("--dialect: %q, %d", got, code)
	}
	if got, _, code := run(t, nil, "filter", "--dialect", "scoped", "--ast", "inner (vlan 10,20-30 and tcp port 80)"); code != exitOK || got != "inner (vlan 10,20-30 and tcp port 80)\n" {
		t.Errorf("--dialect --ast: %q, %d", got, code)
	}
	if got, _, _ := run(t, nil, "filter", "--live", "inbound"); !strings.Contains(got, "[type]") {
		t.Errorf("--live: %q", got)
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"filter", "tcp port 80 adn ip"}, exitFail, "  tcp port 80 adn ip\n              ^^^\n"},
		{[]string{"filter", "tcp", "port"}, exitFail, "pkts: "},
		{[]string{"filter", "-y", "NOSUCH", "ip"}, exitUsage, "-y NOSUCH"},
		{[]string{"filter", "-dddd", "ip"}, exitUsage, "three times"},
		{[]string{"filter", "-d", "--ast", "ip"}, exitUsage, "leave all but one out"},
		{[]string{"filter", "-d", "--explain", "ip"}, exitUsage, "leave all but one out"},
		{[]string{"filter", "--dialect", "x", "ip"}, exitUsage, "use pcap or scoped"},
		{[]string{"filter", "inner tcp port 80"}, exitFail, "--dialect scoped has it"},
		{[]string{"read", samplePath(t), "vlan", "10,20-30"}, exitFail, "--dialect scoped has it"},
		{[]string{"filter", "-s", "-1", "ip"}, exitUsage, "-s takes"},
		{[]string{"read", samplePath(t), "tcp", "prt", "80"}, exitFail, "prt"},
		{[]string{"info", samplePath(t), "tcp", "prt", "80"}, exitFail, "prt"},
		{[]string{"check", samplePath(t), "tcp", "prt", "80"}, exitFail, "prt"},
		{[]string{"read", "nosuch.pcap", "tcp"}, exitFail, "nosuch.pcap"},
		{[]string{"read", samplePath(t), "nosuch.pcap"}, exitFail, "nosuch.pcap"},
		{[]string{"read", samplePath(t), "wlan", "type", "mgt"}, exitFail, "sample.pcapng: "},
		{[]string{"read", samplePath(t), "ip", "or", "wlan", "type", "mgt"}, exitFail, "\n  ip or wlan type mgt\n        ^^^^^^^^^^^^^\n"},
		{[]string{"check", samplePath(t), "ip", "or", "wlan", "type", "mgt"}, exitFail, "\n  ip or wlan type mgt\n        ^^^^^^^^^^^^^\n"},
		{[]string{"info", samplePath(t), "ip", "or", "wlan", "type", "mgt"}, exitFail, "\n  ip or wlan type mgt\n        ^^^^^^^^^^^^^\n"},
	} {
		_, stderr, code := run(t, nil, c.args...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: %d, %q, want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
}

// The packets that read, info and check see are those that tcpdump does.
func TestReadFilters(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain.pcap")
	if _, stderr, code := run(t, nil, "read", "-w", plain, samplePath(t)); code != exitOK {
		t.Fatalf("%s", stderr)
	}
	for _, expr := range []string{"tcp", "udp port 53 or arp", "not ip", "icmp6", "greater 100", "ip[8] < 64 or ip6[7] < 64", "len > 10000"} {
		want := strings.Count(tcpdumpOf(t, "-nn", "-r", plain, expr), "\n")
		words := strings.Fields(expr)
		for _, args := range [][]string{
			append([]string{"read", plain}, words...),
			{"read", plain, expr},
			{"read", "-r", plain, expr},
			{"read", plain, "--", expr},
		} {
			out, stderr, code := run(t, nil, args...)
			if n := strings.Count(out, "\n"); n != want || code != exitOK {
				t.Errorf("%q: %d packets, %q, %d, want %d", args, n, stderr, code, want)
			}
		}
		copied := filepath.Join(t.TempDir(), "copied.pcap")
		if _, stderr, code := run(t, nil, "read", "-w", copied, plain, expr); code != exitOK {
			t.Errorf("%q: %s", expr, stderr)
		}
		theirs := filepath.Join(t.TempDir(), "theirs.pcap")
		tcpdumpOf(t, "-r", plain, "-w", theirs, expr)
		if got, other := tcpdumpOf(t, "-nn", "-e", "-X", "-r", copied), tcpdumpOf(t, "-nn", "-e", "-X", "-r", theirs); got != other {
			t.Errorf("%q: copied\n%s\ntcpdump\n%s", expr, got, other)
		}
		if out, stderr, code := run(t, nil, "check", plain, expr); code != exitOK || !strings.HasPrefix(out, "packets="+strconv.Itoa(want)+" ") {
			t.Errorf("check %q: %q, %q, %d, want %d", expr, out, stderr, code, want)
		}
		if out, stderr, code := run(t, nil, "info", "--json", plain, expr); code != exitOK || !bytes.Contains([]byte(out), []byte(`"packets": `+strconv.Itoa(want))) {
			t.Errorf("info %q: %q, %q, %d, want %d", expr, out, stderr, code, want)
		}
	}
	// The standard input.
	b, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Count(tcpdumpOf(t, "-nn", "-r", plain, "arp"), "\n")
	if out, _, _ := run(t, bytes.NewReader(b), "read", "-", "arp"); strings.Count(out, "\n") != want {
		t.Errorf("of the standard input: %q, want %d packets", out, want)
	}
}
