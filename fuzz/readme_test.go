package fuzz

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/fuzz/internal/modproxy"
)

// TestReadme holds the README to what is tested: each of its Go blocks stands,
// apart from white space, in an example_test.go of one of the modules.
func TestReadme(t *testing.T) {
	root := workspace(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlocks(string(readme))
	if len(blocks) < 3 {
		t.Fatalf("README.md has %d Go blocks, want one for each of the three uses", len(blocks))
	}

	var examples []string
	for _, module := range append(modproxy.Published(), "fuzz") {
		err := filepath.WalkDir(filepath.Join(root, module), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() != "example_test.go" {
				return err
			}
			b, err := os.ReadFile(name)
			examples = append(examples, squeeze(string(b)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, block := range blocks {
		found := false
		for _, e := range examples {
			found = found || strings.Contains(e, squeeze(block))
		}
		if !found {
			t.Errorf("no example_test.go has this block of README.md:\n%s", block)
		}
	}
}

// goBlocks returns the fenced blocks of a Markdown text that are marked as Go.
func goBlocks(text string) []string {
	var blocks []string
	for {
		_, rest, ok := strings.Cut(text, "```go\n")
		if !ok {
			return blocks
		}
		var block string
		block, text, _ = strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
}

// squeeze returns s with every run of white space as one space, and one around
// it, so that words are only found whole.
func squeeze(s string) string {
	return " " + strings.Join(strings.Fields(s), " ") + " "
}
