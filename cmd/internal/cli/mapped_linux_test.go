package cli

import (
	"os"
	"syscall"
	"testing"
)

// blocksOf returns how many bytes a file takes on the disk.
func blocksOf(t *testing.T, name string) (int64, bool) {
	t.Helper()
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Blocks * 512, true
}
