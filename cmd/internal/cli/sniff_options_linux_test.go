package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// interrupt ends the capture, and returns what the program says at the end.
func (s *sniffer) interrupt(t *testing.T) string {
	t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	return s.wait(t)
}

// TestPrivilegedSniffOptions asks the kernel what it was told: the shape of the
// ring, and the program of the interface.
func TestPrivilegedSniffOptions(t *testing.T) {
	a, _ := wire(t)
	path := filepath.Join(t.TempDir(), "out.pcapng")
	for _, tt := range []struct {
		args     []string
		says     string
		ss, link string // what is in the output, none if it begins with !
	}{
		{nil, "ring: ", "ring_rx(blk_size:1048576,blk_nr:8,frm_size:2048,frm_nr:4096,tmo:10,", "!xdp"},
		{[]string{"-B", "32MiB"}, "ring: ", "ring_rx(blk_size:1048576,blk_nr:32,", "!xdp"},
		{[]string{"--immediate"}, "ring: ", "tmo:1,", "!xdp"},
		{[]string{"-w", path}, "ring: ", "tmo:100,", "!xdp"},
		{[]string{"--backend", "messages", "-B", "4MiB"}, "messages: recvmmsg of 16 frames, socket buffer of 8192 KiB", "!ring_rx", "!xdp"},
		{[]string{"--backend", "xdp"}, "xdp: AF_XDP, ", "!ring_rx", " xdp"},
	} {
		s := startSniffer(t, a, tt.args...)
		if !strings.Contains(s.says, ", "+tt.says) {
			t.Errorf("%q: sniff says %q", tt.args, s.says)
		}
		for _, c := range []struct{ what, out, want string }{
			{"ss", a.Run(t, "ss", "--packet", "--extended"), tt.ss},
			{"ip", a.Run(t, "ip", "link", "show", "veth0"), tt.link},
		} {
			want, not := strings.CutPrefix(c.want, "!")
			if strings.Contains(c.out, want) == not {
				t.Errorf("%q: %s says\n%s\nwant %s", tt.args, c.what, c.out, c.want)
			}
		}
		s.interrupt(t)
	}
	// A cable has no clock.
	out, code := runIn(t, a, "sniff", "-i", "veth0", "-j", "adapter_unsynced", "--duration", "1s")
	if code != 1 || !strings.Contains(out, "no timestamps of type adapter_unsynced: there are host, host_hiprec") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestPrivilegedSniffPart captures one direction, and the beginning of frames;
// tcpdump reads the files.
func TestPrivilegedSniffPart(t *testing.T) {
	a, b := wire(t)
	in := captureFile(t, "in.pcapng", randomFrames(8))
	for _, tt := range []struct {
		args []string
		want int
		snap string
	}{
		{nil, 8, "262144"},
		{[]string{"-Q", "inout", "-s", "70"}, 8, "70"},
		{[]string{"-Q", "in", "-s", "1000"}, 5, "1000"},
		{[]string{"-Q", "out"}, 3, "262144"},
		{[]string{"-Q", "out", "-s", "70", "-c", "3"}, 3, "70"},
	} {
		path := filepath.Join(t.TempDir(), "out.pcap")
		s := startSniffer(t, b, append(tt.args, "-w", path)...)
		if out, code := runIn(t, a, "replay", "-t", "-i", "veth0", "-c", "5", in); code != 0 {
			t.Errorf("%s", out)
		}
		if out, code := runIn(t, b, "replay", "-t", "-i", "veth0", "-c", "3", in); code != 0 {
			t.Errorf("%s", out)
		}
		if tt.args == nil || tt.args[len(tt.args)-2] != "-c" {
			_ = s.cmd.Process.Signal(os.Interrupt)
		}
		s.wait(t)
		out := a.Run(t, "tcpdump", "-nt", "-r", path)
		if n := strings.Count(out, " > 02:00:00:00:00:02"); n != tt.want {
			t.Errorf("%q: %d frames, want %d: %s", tt.args, n, tt.want, out)
		}
		if !regexp.MustCompile(`snapshot length ` + tt.snap + `\b`).MatchString(out) {
			t.Errorf("%q: want a snapshot length of %s: %.200s", tt.args, tt.snap, out)
		}
		for _, f := range readCapture(t, path) {
			if tt.snap != "262144" && len(f.Data) > 1000 || tt.snap == "70" && len(f.Data) > 70 || f.WireLen < 60 {
				t.Errorf("%q: %d of %d bytes", tt.args, len(f.Data), f.WireLen)
			}
		}
	}
}

// TestPrivilegedSniffWriteBuffer writes where nobody reads: what there is no
// memory for is lost, and counted.
func TestPrivilegedSniffWriteBuffer(t *testing.T) {
	const total = 4000 // 3 MB
	in := captureFile(t, "in.pcapng", randomFrames(total))
	for _, tt := range []struct {
		args []string
		lost bool
	}{
		{nil, false},
		{[]string{"--write-buffer", "1MiB"}, true},
	} {
		a, b := wire(t)
		path := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		fifo, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // waits for no writer
		if err != nil {
			t.Fatal(err)
		}
		defer fifo.Close()
		s := startSniffer(t, b, append(tt.args, "-w", path, "-B", "64MiB", "--stats", "20ms")...)
		if out, code := runIn(t, a, "replay", "-i", "veth0", "-t", in); code != 0 {
			t.Errorf("%s", out)
		}
		// All of it is in the program, or lost, before anybody reads.
		for {
			line, err := s.stderr.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, fmt.Sprintf(": %d packets, ", total)) {
				break
			}
		}
		if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		file, err := io.ReadAll(fifo)
		if err != nil {
			t.Fatal(err)
		}
		stats := s.wait(t)
		lost := 0
		if m := regexp.MustCompile(`(?m)^(\d+) packets lost by the program, which `).FindStringSubmatch(stats); m != nil {
			lost, _ = strconv.Atoi(m[1])
		}
		got := len(readCapture(t, writeFile(t, "out.pcapng", file)))
		if (lost > 0) != tt.lost || got == 0 || got+lost != total {
			t.Errorf("%q: %d packets in the file and %d lost of %d: %s", tt.args, got, lost, total, stats)
		}
	}
}

// TestPrivilegedSniffNohup hangs up on a program that was told to ignore it.
func TestPrivilegedSniffNohup(t *testing.T) {
	a, _ := wire(t)
	for _, ignore := range []bool{true, false} {
		shell := `exec "$0" "$@"`
		if ignore {
			shell = `trap "" HUP; ` + shell
		}
		s := &sniffer{cmd: program(t, "sniff", "-i", "veth0", "-w", filepath.Join(t.TempDir(), "x"))}
		s.cmd.Path, s.cmd.Args = "/bin/sh", append([]string{"sh", "-c", shell}, s.cmd.Args...)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		s.cmd.Stderr = w
		if err := a.Start(s.cmd); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		line := make([]byte, 256)
		if n, err := r.Read(line); err != nil || !bytes.HasPrefix(line, []byte("capturing on ")) {
			t.Fatalf("sniff says %q, %v", line[:n], err)
		}
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		rest := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(r)
			rest <- b
		}()
		ended := false
		if ignore {
			select {
			case <-rest:
				ended = true
			case <-time.After(300 * time.Millisecond):
			}
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !ended {
				t.Error(err)
			}
		}
		if err := s.cmd.Wait(); err != nil || ended {
			t.Errorf("ignored %t: it ended %t, %v", ignore, ended, err)
		}
	}
}

// TestPrivilegedInputInterrupt interrupts programs that wait for input.
func TestPrivilegedInputInterrupt(t *testing.T) {
	a, _ := wire(t)
	for _, tt := range []struct {
		name  string
		args  []string
		first int // bytes of a capture file that come before the wait
	}{
		{"replay, nothing", []string{"replay", "-i", "veth0", "-"}, 0},
		{"replay, a part", []string{"replay", "-i", "veth0", "-"}, len(sample) / 2},
		{"read, nothing", []string{"read", "-"}, 0},
		{"read, a part", []string{"read", "-"}, len(sample) / 2},
		{"send", []string{"send", "-i", "veth0"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := program(t, tt.args...)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := a.Start(cmd); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write(sample[:tt.first]); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			time.Sleep(200 * time.Millisecond) // it waits for more
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("%v: %s", err, &out)
				}
			case <-time.After(20 * time.Second):
				_ = in.Close()
				<-ended
				t.Error("it went on waiting")
			}
		})
	}
}

// TestPrivilegedSniffLoopback sends datagrams to the host itself. tcpdump runs
// beside the program and says how often each is to be seen.
func TestPrivilegedSniffLoopback(t *testing.T) {
	const total = 5
	a, _ := wire(t)
	a.SetUp(t, "lo", true)
	var c net.PacketConn
	if err := a.Do(func() (err error) {
		c, err = net.ListenPacket("udp4", "127.0.0.1:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	expr := "udp port " + port
	const exact = "%d packets, %[1]d received by the filter, 0 dropped by the kernel, "
	for _, tt := range []struct {
		name, typ string
		args      []string
		expr      string
		want      string // at the end, with %d for what tcpdump says
		twice     bool   // unlike tcpdump
	}{
		{"lo", "ETHERNET", nil, expr, exact, false},
		{"lo", "ETHERNET", nil, "", exact, false},
		{"lo", "ETHERNET", []string{"--backend", "messages"}, expr, exact, false},
		{"lo", "ETHERNET", []string{"--backend", "xdp"}, expr, exact, false},
		{"lo", "ETHERNET", []string{"-Q", "both"}, expr, exact, true},
		{"any", "LINUX_SLL2", nil, expr, exact, false},
		{"any", "LINUX_SLL2", nil, "", exact, false},
		{"any", "LINUX_SLL2", []string{"--backend", "messages"}, expr, exact, false},
		{"any", "LINUX_SLL2", []string{"-Q", "inout"}, expr, exact, true},
		{"any", "LINUX_SLL2", []string{"-s", "50"}, expr, exact + "0 dropped by the interface\n%[1]d packets are cut to the snap length\n", false},
		// The kernel's filter does not know the sender's address.
		{"any", "LINUX_SLL2", nil, expr + " and link[12:4] = 0", exact, false},
	} {
		path := filepath.Join(t.TempDir(), "out.pcapng")
		s := startSnifferOn(t, a, tt.name, tt.typ, append(tt.args, "-w", path, tt.expr)...)
		n := total
		if slices.Contains(tt.args, "xdp") {
			sendTo(t, c, total) // nothing of it arrives at tcpdump
		} else {
			n = datagramsSeen(t, a, tt.name, expr, func() { sendTo(t, c, total) })
		}
		if tt.twice {
			n *= 2
		}
		stats := s.interrupt(t)
		if want := fmt.Sprintf(tt.want, n); n < total || !strings.HasPrefix(stats, want) {
			t.Errorf("-i %s %q %s: %s, want %s", tt.name, tt.args, tt.expr, stats, want)
		}
		if got := len(readCapture(t, path)); got != n {
			t.Errorf("-i %s %q %s: %d packets in the file, want %d", tt.name, tt.args, tt.expr, got, n)
		}
	}
}

// sendTo sends n datagrams to the socket itself, of which the last one is the
// longest.
func sendTo(t *testing.T, c net.PacketConn, n int) {
	t.Helper()
	for i := range n {
		if _, err := c.WriteTo(make([]byte, 10+i), c.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
}

// datagramsSeen returns how many packets tcpdump prints of those that send sends,
// up to the last one of sendTo.
func datagramsSeen(t *testing.T, ns *netns.NS, name, expr string, send func()) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, netns.Look(t, "tcpdump"), "-i", name, "-nt", "-l", "--immediate-mode",
		"-s", "200", expr) // by default its ring has room for 8 frames
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	cmd.Stdout, cmd.Stderr = w, w
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.Contains(line, "listening on "):
			send()
		case strings.Contains(line, ": UDP, length "):
			n++
			if strings.HasSuffix(line, " 14") {
				_ = cmd.Process.Kill()
			}
		}
	}
	_ = cmd.Wait()
	return n
}
