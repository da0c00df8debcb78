package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

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
	out, err := exec.CommandContext(t.Context(), exe, "-rounds", "1", "-time", "50ms", "-sizes", "60", "-rates", "50000").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, row := range []string{"gopkts, ring", "gopacket/afpacket, zero copy", "gopkts, Send ", "C, AF_XDP with copies", "pkts sniff -w"} {
		if !strings.Contains(string(out), "| "+row) {
			t.Errorf("no row %q", row)
		}
	}
	t.Logf("%s", out)
}
