//go:build !linux

package cli

// There is no -Z elsewhere.
const asNobody = "PKTS_TEST_AS_NOBODY"

func openAsNobody(string) int { return 1 }
