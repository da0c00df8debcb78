package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// TestRun runs every case for a moment. The program itself fails where frames
// are not accounted for; what the figures are is nobody's business here.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for some seconds: not in short mode")
	}
	if os.Geteuid() != 0 {
		netns.Skip(t, "the benchmark's network namespace needs root")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("one processor: the benchmark needs two")
	}
	exe := filepath.Join(t.TempDir(), "capture")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), exe, "-rounds", "1", "-time", "50ms", "-sizes", "60", "-rates", "50000", "-timeout", "20ms").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, row := range []string{"gopkts, ring", "gopacket/afpacket, zero copy", "gopkts, Send ", "C, AF_XDP with copies", "pkts sniff -w"} {
		if !strings.Contains(string(out), "| "+row) {
			t.Errorf("no row %q", row)
		}
	}
	if !strings.Contains(string(out), "gather for up to 20ms") {
		t.Error("the head of the tables does not tell the timeout")
	}
	t.Logf("%s", out)
}

func TestFlags(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor: the benchmark needs two")
	}
	for _, tt := range []struct {
		args string
		want bench // of what is compared
		err  string
	}{
		{args: "", want: bench{rounds: 5, time: time.Second, timeout: 10 * time.Millisecond}},
		{args: "-timeout 64ms -rounds 2", want: bench{rounds: 2, time: time.Second, timeout: 64 * time.Millisecond}},
		{args: "-short", want: bench{rounds: 1, time: 200 * time.Millisecond, timeout: 10 * time.Millisecond}},
		{args: "-short -time 1s -timeout 1s", want: bench{rounds: 1, time: time.Second, timeout: time.Second}},
		{args: "-timeout 0", err: "timeout of 0s"},
		{args: "-timeout 1500us", err: "timeout of 1.5ms"},
		{args: "-timeout 2s", err: "timeout of 2s"},
		{args: "-timeout soon", err: "soon"},
		{args: "-sizes 59", err: "59 bytes"},
		{args: "-rates 1,x", err: `"x"`},
		{args: "-only walk,run", err: `"run"`},
		{args: "-rows (", err: "parsing regexp"},
		{args: "more", err: "more"},
	} {
		b, err := newBench(strings.Fields(tt.args), io.Discard)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want one with %s", tt.args, err, tt.err)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.args, err)
		case b.rounds != tt.want.rounds || b.time != tt.want.time || b.timeout != tt.want.timeout:
			t.Errorf("%s: %d rounds of %v, timeout %v", tt.args, b.rounds, b.time, b.timeout)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, args := range [][]string{{"x", "10ms"}, {"1", "10"}, {"1"}} {
		var set settings
		if err := set.parse(args); err == nil {
			t.Errorf("settings %q: no error", args)
		}
	}
	want := settings{8 << 20, 64 * time.Millisecond}
	var set settings
	if err := set.parse(want.args()); err != nil || set != want {
		t.Errorf("settings %q are read as %v, %v", want.args(), set, err)
	}
}
