package netns_test

import (
	"testing"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// recorder is a test that notes how it ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.ended = "failed" }
func (r *recorder) Skipf(string, ...any)  { r.ended = "skipped" }

func TestSkip(t *testing.T) {
	for value, want := range map[string]string{"": "skipped", "0": "skipped", "1": "failed"} {
		t.Setenv("GOPKTS_REQUIRE_PRIVILEGED", value)
		r := &recorder{TB: t}
		netns.Skip(r, "no %s", "privilege")
		if r.ended == "" {
			t.Fatal("Skip did neither skip nor fail")
		}
		if r.ended != want {
			t.Errorf("with %q: %s, want %s", value, r.ended, want)
		}
	}
}
