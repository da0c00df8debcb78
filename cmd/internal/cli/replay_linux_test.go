package cli

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// wire returns two namespaces with a cable between them on which nothing is
// sent but what the test sends.
func wire(t *testing.T) (a, b *netns.NS) {
	t.Helper()
	a, b = netns.New(t), netns.New(t)
	netns.Connect(t, a, "veth0", b, "veth0")
	return a, b
}

// randomFrames returns n Ethernet frames of an experimental protocol, with
// lengths from 60 to 1514 bytes and their number in them.
func randomFrames(n int) []link.Frame {
	rng := rand.New(rand.NewPCG(1, 2))
	frames := make([]link.Frame, n)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range frames {
		data := make([]byte, 60+rng.IntN(1455))
		for k := range data {
			data[k] = byte(rng.Uint32())
		}
		copy(data, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5") // IEEE 802 local experimental
		binary.BigEndian.PutUint32(data[14:], uint32(i))
		frames[i] = link.Frame{Data: data, Info: link.Info{Time: at, WireLen: len(data), Link: link.TypeEthernet}}
		at = at.Add(2 * time.Millisecond)
	}
	return frames
}

// captureFile writes frames into a file of the test.
func captureFile(t *testing.T, name string, frames []link.Frame) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w, err := pcap.Create(path, pcap.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if err := w.WriteFrame(&frames[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// readCapture returns the frames of a file.
func readCapture(t *testing.T, path string) []link.Frame {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frames []link.Frame
	for f, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f.Clone())
	}
	return frames
}

// sameData compares frames byte for byte.
func sameData(t *testing.T, got, want []link.Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d frames, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if !bytes.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("frame %d: %x, want %x", i, got[i].Data, want[i].Data)
		}
	}
}

// runIn runs the program in a namespace and returns what it wrote and its exit
// code.
func runIn(t *testing.T, ns *netns.NS, args ...string) (output string, code int) {
	t.Helper()
	return runInWith(t, ns, "", args...)
}

// runInWith is runIn with a standard input.
func runInWith(t *testing.T, ns *netns.NS, stdin string, args ...string) (output string, code int) {
	t.Helper()
	cmd := program(t, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestPrivilegedReplay sends a file and captures it again.
func TestPrivilegedReplay(t *testing.T) {
	frames := randomFrames(300)
	in := captureFile(t, "in.pcapng", frames)
	twice := append(frames[:len(frames):len(frames)], frames...)
	for _, tt := range []struct {
		name string
		args []string
		want []link.Frame
		min  time.Duration // from the first to the last frame
	}{
		{"top speed", []string{"-t"}, frames, 0},
		{"top speed twice", []string{"-t", "--loop", "2"}, twice, 0},
		{"some", []string{"-t", "--loop", "0", "-c", "310"}, twice[:310], 0},
		{"as captured", nil, frames, 299 * 2 * time.Millisecond},
		{"twice as fast", []string{"--speed", "2"}, frames, 299 * time.Millisecond},
		{"half as fast", []string{"--speed", "0.5", "-c", "100"}, frames[:100], 99 * 4 * time.Millisecond},
		{"as captured, twice", []string{"--speed", "4", "-l", "2"}, twice, 299 * time.Millisecond},
		{"packets", []string{"--pps", "1k"}, frames, 299 * time.Millisecond},
		{"bits", []string{"--bps", "5M"}, frames, time.Duration(8 * float64(bytesOf(frames[:299])) / 5e6 * 1e9)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := wire(t)
			path := filepath.Join(t.TempDir(), "out.pcapng")
			s := startSniffer(t, b, "-w", path, "-c", fmt.Sprint(len(tt.want)), "--duration", "1m")
			out, code := runIn(t, a, append([]string{"replay", "-i", "veth0", in}, tt.args...)...)
			if code != 0 || !strings.Contains(out, fmt.Sprintf("\n%d packets, %d bytes sent in ", len(tt.want), bytesOf(tt.want))) {
				t.Errorf("exit code %d: %s", code, out)
			}
			s.wait(t)
			got := readCapture(t, path)
			sameData(t, got, tt.want)
			// Nothing is sent early, but what is late moves the first frame in
			// relation to the last by as much as the machine likes.
			const slack = 60 * time.Millisecond
			if d := got[len(got)-1].Time.Sub(got[0].Time); d < tt.min-slack || d > tt.min+time.Minute {
				t.Errorf("it took %v, want %v", d, tt.min)
			}
		})
	}
}

func bytesOf(frames []link.Frame) (n int) {
	for i := range frames {
		n += len(frames[i].Data)
	}
	return n
}

// TestPrivilegedReplayRefused sends what cannot be sent.
func TestPrivilegedReplayRefused(t *testing.T) {
	a, b := wire(t)
	frames := randomFrames(4)
	frames[1].Data = append(frames[1].Data, make([]byte, 2000)...)
	frames[1].WireLen = len(frames[1].Data)
	frames[2].WireLen += 10
	in := captureFile(t, "in.pcapng", frames)
	path := filepath.Join(t.TempDir(), "out.pcapng")
	s := startSniffer(t, b, "-w", path, "-c", "5", "--duration", "1m")
	out, code := runIn(t, a, "replay", "-i", "veth0", "-t", in)
	if code != 1 || !regexp.MustCompile(`(?s)pkts: send veth0: frame size does not suit the interface: \d+ bytes .*\n2 packets, .* 1 failed\n1 packets passed over, of which the file has only a part`).MatchString(out) {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = runIn(t, a, "replay", "-i", "veth0", "-t", "--truncated", "-q", in)
	if code != 1 || strings.Contains(out, "packets, ") {
		t.Errorf("exit code %d: %s", code, out)
	}
	s.wait(t)
	sameData(t, readCapture(t, path), []link.Frame{frames[0], frames[3], frames[0], frames[2], frames[3]})

	raw := randomFrames(1)
	raw[0].Link = link.TypeRaw
	out, code = runIn(t, a, "replay", "-i", "veth0", captureFile(t, "raw.pcapng", raw))
	if code != 1 || !strings.Contains(out, "link type RAW does not suit veth0, which has ETHERNET: its packets begin with IP") {
		t.Errorf("exit code %d: %s", code, out)
	}

	// Which of several files it is.
	for name, data := range map[string][]byte{"empty.pcap": nil, "text.pcap": []byte("no capture file")} {
		out, code = runIn(t, a, "replay", "-i", "veth0", "-t", "--truncated", captureFile(t, "ok.pcapng", frames[:1]), writeFile(t, name, data))
		if code != 1 || !strings.Contains(out, name+": file header") || !strings.Contains(out, "\n1 packets, ") {
			t.Errorf("exit code %d: %s", code, out)
		}
	}

	// An interface that is down refuses everything.
	a.SetUp(t, "veth0", false)
	out, code = runIn(t, a, "replay", "-i", "veth0", "-t", in)
	if code != 1 || !strings.Contains(out, "interface is down") || !strings.Contains(out, "\n0 packets, ") {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = runIn(t, a, "replay", "-i", "veth0", "-t", "--keep-going", in)
	if code != 1 || !strings.Contains(out, "; 3 failed\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestPrivilegedReplayXDP sends by AF_XDP, and leaves alone what the interface
// does with what it receives.
func TestPrivilegedReplayXDP(t *testing.T) {
	a, b := wire(t)
	frames := randomFrames(200)
	path := filepath.Join(t.TempDir(), "out.pcapng")
	s := startSniffer(t, b, "-w", path, "-c", "200", "--duration", "1m")
	cmd := program(t, "replay", "-i", "veth0", "--backend", "xdp", "--pps", "400", captureFile(t, "in.pcapng", frames))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stderr = w
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	line := make([]byte, 256)
	if n, err := r.Read(line); err != nil || !strings.Contains(string(line[:n]), "xdp: AF_XDP, sends only") {
		t.Errorf("replay says %q, %v", line[:n], err)
	}
	if out := a.Run(t, "ip", "link", "show", "veth0"); strings.Contains(out, "xdp") {
		t.Errorf("there is a program: %s", out)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	s.wait(t)
	sameData(t, readCapture(t, path), frames)
}

// TestPrivilegedReplayInterrupt ends an endless replay by ^C.
func TestPrivilegedReplayInterrupt(t *testing.T) {
	a, b := wire(t)
	in := captureFile(t, "in.pcapng", randomFrames(10))
	path := filepath.Join(t.TempDir(), "out.pcapng")
	s := startSniffer(t, b, "-w", path, "-c", "25", "--duration", "1m")
	cmd := program(t, "replay", "-i", "veth0", "--pps", "100", "--loop", "0", "--stats", "50ms", in)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	s.wait(t)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
	if !regexp.MustCompile(`(?s)^sending on veth0, .*, 100 packets/s\n.*s: \d+ packets, .* packets/s, .*\n\d+ packets, \d+ bytes sent in .*; 0 failed\n`).MatchString(out.String()) {
		t.Errorf("%s", out.String())
	}
}

// TestPrivilegedSend sends packets given as digits.
func TestPrivilegedSend(t *testing.T) {
	a, b := wire(t)
	path := filepath.Join(t.TempDir(), "out.pcapng")
	s := startSniffer(t, b, "-w", path, "-c", "6", "--duration", "1m")
	const header = "020000000002 020000000001 "
	one, two := header+"88b5 01"+strings.Repeat("00", 45), header+"88b5:02"+strings.Repeat("00", 45)
	// A UDP datagram whose lengths and checksums are wrong.
	bad := header + "0800 4500 0000 0001 0000 4011 1234 c0000201 c0000202 1000 2000 0000 beef 68656c6c6f" + strings.Repeat("00", 14)
	for _, tt := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{one, two}, "2 packets, 120 bytes sent"},
		{"# a comment\n" + two + "\n\n", []string{"--count", "2", "--interval", "150ms"}, "2 packets, 120 bytes sent"},
		{"Something\n\t0x0000:  0200 0000 0002 0200 0000 0001 88b5 0300  ..x\n\t0x0010:  " + strings.Repeat("0000 ", 22) + "\n", nil, "1 packets, 60 bytes sent"},
		{bad, []string{"--fix"}, "1 packets, "},
	} {
		out, code := runInWith(t, a, tt.stdin, append([]string{"send", "-i", "veth0"}, tt.args...)...)
		if code != 0 || !strings.Contains(out, tt.want) {
			t.Errorf("%q: exit code %d: %s", tt.args, code, out)
		}
	}
	s.wait(t)
	got := readCapture(t, path)
	if len(got) != 6 {
		t.Fatalf("%d frames, want 6", len(got))
	}
	for i, want := range []byte{1, 2, 2, 2, 3} {
		if d := got[i].Data; len(d) != 60 || d[14] != want {
			t.Errorf("frame %d: %x, want number %d", i, d, want)
		}
	}
	// What is late moves the first in relation to the second.
	if d := got[3].Time.Sub(got[2].Time); d < 90*time.Millisecond {
		t.Errorf("%v between two packets, want 150ms", d)
	}
	// Somebody else looks at what --fix made.
	out := a.Run(t, "tcpdump", "-nn", "-vv", "-r", path, "ip")
	if !strings.Contains(out, "UDP") || strings.Contains(out, "bad") || !strings.Contains(out, "192.0.2.1.4096 > 192.0.2.2.8192: [udp sum ok]") {
		t.Errorf("tcpdump: %s", out)
	}
}

// TestPrivilegedSniffSeveral captures on two interfaces into one file.
func TestPrivilegedSniffSeveral(t *testing.T) {
	a, b := wire(t)
	netns.Connect(t, a, "veth1", b, "veth1")
	frames := randomFrames(40)
	in := captureFile(t, "in.pcapng", frames)
	path := filepath.Join(t.TempDir(), "out.pcapng")
	s := startSniffer(t, b, "-i", "veth1", "-w", path, "-c", "60", "--duration", "1m")
	for _, args := range [][]string{{"-i", "veth0", "-c", "20"}, {"-i", "veth1"}} {
		if out, code := runIn(t, a, append([]string{"replay", "-t", in}, args...)...); code != 0 {
			t.Errorf("%s", out)
		}
	}
	stats := s.wait(t)
	if !regexp.MustCompile(`^veth0: 20 packets, 20 received by the filter, 0 dropped by the kernel, 0 dropped by the interface\nveth1: 40 packets, 40 .*\n60 packets altogether\n$`).MatchString(stats) {
		t.Errorf("stats: %s", stats)
	}
	var got [2][]link.Frame
	for _, f := range readCapture(t, path) {
		got[f.Interface] = append(got[f.Interface], f)
	}
	sameData(t, got[0], frames[:20])
	sameData(t, got[1], frames)
	stdout, stderr, code := run(t, nil, "info", path)
	if code != 0 || !strings.Contains(stdout, "0 veth0, ETHERNET") || !strings.Contains(stdout, "1 veth1, ETHERNET") || !strings.Contains(stdout, "40 packets, 0 dropped") {
		t.Errorf("%s%s", stdout, stderr)
	}
	a.Run(t, "tshark", "-r", path, "-q") // reads it

	s = startSniffer(t, b, "-i", "veth1", "-c", "2", "-t", "--duration", "1m")
	for _, name := range []string{"veth1", "veth0"} {
		if out, code := runIn(t, a, "replay", "-c", "1", "-i", name, in); code != 0 {
			t.Errorf("%s", out)
		}
	}
	s.wait(t)
	lines := strings.Split(s.out.String(), "\n")
	if len(lines) != 3 || !strings.Contains(s.out.String(), "veth0 02:00:00:00:00:01 > ") || !strings.Contains(s.out.String(), "veth1 02:00:00:00:00:01 > ") {
		t.Errorf("printed %q", s.out.String())
	}
}

// TestPrivilegedSniffRotate writes several files.
func TestPrivilegedSniffRotate(t *testing.T) {
	frames := randomFrames(50)
	in := captureFile(t, "in.pcapng", frames)
	for _, tt := range []struct {
		name   string
		args   []string
		replay []string
		files  func(n int) bool // how many
		kept   []link.Frame     // in them
		size   int64            // of one at most
	}{
		{"count", []string{"--rotate-count", "10"}, []string{"-t"}, func(n int) bool { return n == 5 }, frames, 1 << 20},
		{"ring", []string{"--rotate-count", "15", "-W", "2"}, []string{"-t"}, func(n int) bool { return n == 2 }, frames[30:], 1 << 20},
		{"size", []string{"-C", "10k"}, []string{"-t"}, func(n int) bool { return n >= 4 && n <= 8 }, frames, 10_000},
		{"millions of bytes", []string{"-C", "0.01"}, []string{"-t"}, func(n int) bool { return n >= 4 && n <= 8 }, frames, 10_000},
		{"time", []string{"-G", "100ms"}, []string{"--pps", "100"}, func(n int) bool { return n >= 2 && n <= 50 }, frames, 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := wire(t)
			dir := t.TempDir()
			s := startSniffer(t, b, append(tt.args, "-w", filepath.Join(dir, "out.pcapng"), "-c", "50", "--duration", "1m")...)
			if out, code := runIn(t, a, append([]string{"replay", "-i", "veth0", in}, tt.replay...)...); code != 0 {
				t.Errorf("%s", out)
			}
			s.wait(t)
			files, err := filepath.Glob(filepath.Join(dir, "*")) // in order
			if err != nil {
				t.Fatal(err)
			}
			if !tt.files(len(files)) {
				t.Errorf("%d files", len(files))
			}
			var got []link.Frame
			for _, name := range files {
				if !regexp.MustCompile(`^out_\d{5}_\d{8}T\d{6}Z\.pcapng$`).MatchString(filepath.Base(name)) {
					t.Errorf("a file is called %s", name)
				}
				if st, err := os.Stat(name); err != nil || st.Size() > tt.size+256 { // statistics come behind the last packet
					t.Errorf("%v, %v", st.Size(), err)
				}
				got = append(got, readCapture(t, name)...)
			}
			sameData(t, got, tt.kept)
		})
	}
}

// TestPrivilegedSniffRotateIdle ends a file although no packet comes.
func TestPrivilegedSniffRotateIdle(t *testing.T) {
	a, b := wire(t)
	dir := t.TempDir()
	s := startSniffer(t, b, "-G", "0.2", "-w", filepath.Join(dir, "{seq}.pcapng"), "--stats", "50ms")
	if out, code := runIn(t, a, "replay", "-i", "veth0", "-c", "1", captureFile(t, "in.pcapng", randomFrames(1))); code != 0 {
		t.Errorf("%s", out)
	}
	// A complete file ends with the packet, and nothing else makes it one.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if openFiles(t, s.cmd.Process.Pid, dir) == 0 {
			if _, err := os.Stat(filepath.Join(dir, "00001.pcapng")); err == nil {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the file is still open")
		}
	}
	if got := readCapture(t, filepath.Join(dir, "00001.pcapng")); len(got) != 1 {
		t.Errorf("%d frames", len(got))
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if stats := s.wait(t); !regexp.MustCompile(`(?m)^0\.\ds: \d packets, .* packets/s, .* bit/s, 0 dropped by the kernel, 0 lost by the program$`).MatchString(stats) {
		t.Errorf("stats: %s", stats)
	}
}

// openFiles counts the files of dir that a process has open.
func openFiles(t *testing.T, pid int, dir string) (n int) {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, dir+"/") {
			n++
		}
	}
	return n
}

// TestPrivilegedSniffUser gives the privileges up.
func TestPrivilegedSniffUser(t *testing.T) {
	a, b := wire(t)
	who, err := lookUpAccount("nobody")
	if err != nil {
		t.Fatal(err)
	}
	// Others may not enter what T.TempDir makes.
	dir, err := os.MkdirTemp("", "pkts-test") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, who.uid, who.gid); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out.pcapng")
	s := startSniffer(t, b, "-w", path, "-c", "5", "--duration", "1m", "-Z", "nobody")
	// The kernel says who each of its threads is.
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.cmd.Process.Pid))
	if err != nil || len(tasks) < 2 {
		t.Errorf("%d threads, %v", len(tasks), err)
	}
	ids := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d\n", who.uid)
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		for _, want := range []string{"\nUid:\t" + ids, "\nGid:\t", "\nCapPrm:\t0000000000000000\n", "\nCapEff:\t0000000000000000\n", "\nCapAmb:\t0000000000000000\n"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("no %q in %s", want, b)
			}
		}
		if m := regexp.MustCompile(`\nGroups:\t(.*)\n`).FindStringSubmatch(string(b)); m == nil || strings.Contains(" "+m[1], " 0 ") {
			t.Errorf("groups: %q", m)
		}
	}
	frames := randomFrames(5)
	if out, code := runIn(t, a, "replay", "-i", "veth0", captureFile(t, "in.pcapng", frames)); code != 0 {
		t.Errorf("%s", out)
	}
	s.wait(t)
	sameData(t, readCapture(t, path), frames)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if u := st.Sys().(*syscall.Stat_t).Uid; int(u) != who.uid {
		t.Errorf("the file belongs to %d, want %d", u, who.uid)
	}

	// Groups that the program was started with are given up, too.
	cmd := program(t, "sniff", "-i", "veth0", "-Z", "nobody")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4242}}}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if n, err := said.Read(make([]byte, 256)); n == 0 || err != nil {
		t.Errorf("sniff says nothing: %v", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if m := regexp.MustCompile(`\nGroups:\t(.*)\n`).FindSubmatch(status); m == nil || strings.Contains(string(m[1]), "4242") {
		t.Errorf("groups: %q, %v", m, err)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}

	// The kernel can be told to leave the capabilities: capabilities(7).
	cmd = program(t, "sniff", "-i", "veth0", "-Z", "nobody", "--duration", "1s")
	cmd.Path = netns.Look(t, "setpriv")
	cmd.Args = append([]string{"setpriv", "--securebits", "+no_setuid_fixup"}, cmd.Args...)
	var says bytes.Buffer
	cmd.Stderr = &says
	if err := b.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(says.String(), "pkts: -Z nobody: capabilities are left: Cap") {
		t.Errorf("%v: %s", err, &says)
	}

	// The file is created with the rights of that user.
	if out, code := runIn(t, b, "sniff", "-i", "veth0", "-Z", "nobody", "-w", filepath.Join(t.TempDir(), "x")); code != 1 || !strings.Contains(out, "permission denied") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := runIn(t, b, "sniff", "-i", "veth0", "-Z", "root"); code != 2 || !strings.Contains(out, "every privilege") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestPrivilegedBecome checks that nothing can be opened any more.
func TestPrivilegedBecome(t *testing.T) {
	a := netns.New(t)
	cmd := program(t, "lo")
	cmd.Env = append(os.Environ(), asNobody+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.String() != "true false true\n" {
		t.Errorf("%v: %s", err, out.String())
	}
}
