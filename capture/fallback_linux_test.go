package capture_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// TestFallback runs itself in a process that may not map a ring as large as it
// asks for.
func TestFallback(t *testing.T) {
	const env = "CAPTURE_TEST_FALLBACK"
	if os.Getenv(env) == "" {
		netns.New(t) // or skip
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFallback$", "-test.v")
		cmd.Env = append(os.Environ(), env+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	ns := netns.New(t)
	// For short frames messages need little memory. For long ones it is of the
	// size that has the runtime ask for an arena, beyond the limit perhaps.
	cfg := &capture.Config{BufferSize: 128 << 20, SnapLen: 2048}
	// Everything that this takes besides is there when the limit comes.
	if s, err := openIn(ns, "lo", nil); err != nil || s.Close() != nil {
		t.Fatal(err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages uint64
	if _, err := fmt.Sscan(string(statm), &pages); err != nil {
		t.Fatal(err)
	}
	limit := pages*uint64(os.Getpagesize()) + 96<<20
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Fatal(err)
	}
	cfg.Backend = capture.BackendRing
	if _, err := openIn(ns, "lo", cfg); !errors.Is(err, syscall.ENOMEM) || !strings.Contains(fmt.Sprint(err), "smaller BufferSize") {
		t.Errorf("Open of a ring = %v, want ENOMEM and what to do", err)
	}
	cfg.Backend = capture.BackendAuto
	s, err := openIn(ns, "lo", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if b := s.Backend(); b.Type != capture.BackendMessages || !strings.Contains(b.String(), "recvmmsg") {
		t.Errorf("Open chose %v, want messages", b)
	}
	if err := errors.Join(s.Activate(nil), s.Send(numbered(1))); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, s); len(got) != 2 {
		t.Errorf("%d frames, want one out and one in", len(got))
	}
	// The first of these rings can be had.
	cfg.BufferSize = 64 << 20
	g := openGroupIn(t, ns, "lo", 3, cfg)
	if b := g.Backend(); b.Type != capture.BackendMessages {
		t.Errorf("OpenGroup chose %v, want messages", b)
	}
}
