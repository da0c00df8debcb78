//go:build !linux

package netns

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// NS is a network namespace, which only Linux has: [New] skips the test
// elsewhere, so that no method is ever called.
type NS struct{}

// New skips the test, or fails it, as [Skip] does.
func New(tb testing.TB) *NS {
	tb.Helper()
	Skip(tb, "network namespaces are a feature of Linux, and this is %s", runtime.GOOS)
	return new(NS)
}

// Do returns an error that wraps [errors.ErrUnsupported].
func (*NS) Do(func() error) error { return errors.ErrUnsupported }

// Start returns an error that wraps [errors.ErrUnsupported].
func (*NS) Start(*exec.Cmd) error { return errors.ErrUnsupported }

// Run skips the test as by [Skip].
func (*NS) Run(tb testing.TB, _ string, _ ...string) string {
	tb.Helper()
	New(tb)
	return ""
}

// TryRun returns an error that wraps [errors.ErrUnsupported].
func (*NS) TryRun(testing.TB, string, ...string) (string, error) { return "", errors.ErrUnsupported }

// Look skips the test as by [Skip].
func Look(tb testing.TB, _ string) string {
	tb.Helper()
	New(tb)
	return ""
}

// EnableIPv6 skips the test as by [Skip].
func (*NS) EnableIPv6(tb testing.TB) { New(tb) }

// Connect skips the test as by [Skip].
func Connect(tb testing.TB, _ *NS, _ string, _ *NS, _ string) { New(tb) }

// Tun skips the test as by [Skip].
func (*NS) Tun(tb testing.TB, _ string, _ int) *os.File { New(tb); return nil }

// AddAddress skips the test as by [Skip].
func (*NS) AddAddress(tb testing.TB, _, _ string) { New(tb) }

// SetUp skips the test as by [Skip].
func (*NS) SetUp(tb testing.TB, _ string, _ bool) { New(tb) }

// WaitReady skips the test as by [Skip].
func (*NS) WaitReady(tb testing.TB, _ string) { New(tb) }

// SetMTU skips the test as by [Skip].
func (*NS) SetMTU(tb testing.TB, _ string, _ int) { New(tb) }

// Rename skips the test as by [Skip].
func (*NS) Rename(tb testing.TB, _, _ string) { New(tb) }

// Move skips the test as by [Skip].
func (*NS) Move(tb testing.TB, _ string, _ *NS) { New(tb) }

// Delete skips the test as by [Skip].
func (*NS) Delete(tb testing.TB, _ string) { New(tb) }

// Interface skips the test as by [Skip].
func (*NS) Interface(tb testing.TB, _ string) link.Interface { New(tb); return link.Interface{} }
