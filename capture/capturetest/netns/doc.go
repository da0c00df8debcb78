// Package netns makes Linux network namespaces for tests: private interfaces,
// addresses and routes that vanish with the test and that nobody else's
// traffic disturbs.
//
//	a, b := netns.New(t), netns.New(t)
//	netns.Connect(t, a, "veth0", b, "veth0")
//	a.AddAddress(t, "veth0", "192.0.2.1/24")
//	b.AddAddress(t, "veth0", "192.0.2.2/24")
//	out := a.Run(t, "ping", "-c", "1", "192.0.2.2")
//
// A namespace belongs to a thread, and a goroutine runs on any thread: what
// has to happen inside goes into [NS.Do]. A socket that was opened there, or a
// process that was started there, stays in the namespace.
//
// A new namespace has a loopback interface that is up, and no IPv6 unless
// [NS.EnableIPv6] is called: the kernel's own router solicitations and
// listener reports would get among the frames that a test counts.
//
// Namespaces need root, or CAP_SYS_ADMIN and CAP_NET_ADMIN. Without, and on
// other systems, the test that asks for one is skipped, with the reason. A
// machine that must not skip sets GOPKTS_REQUIRE_PRIVILEGED=1 in the
// environment: then the test fails instead. [Skip] does the same for tests
// that lack something else.
package netns

import (
	"os"
	"testing"
)

// requireEnv names the environment variable that turns a skip into a failure.
const requireEnv = "GOPKTS_REQUIRE_PRIVILEGED"

// Skip skips the test for want of what format says, or fails it when the
// environment has GOPKTS_REQUIRE_PRIVILEGED=1.
func Skip(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv(requireEnv) == "1" {
		tb.Fatalf("required by "+requireEnv+"=1: "+format, args...)
		return
	}
	tb.Skipf(format, args...)
}
