package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The suite is that of the Go release in use.
func TestSuite(t *testing.T) {
	out, err := exec.Command("go", "tool", "vet", "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(out), "Registered analyzers:\n")
	if !ok {
		t.Fatalf("no list in:\n%s", out)
	}
	list, _, _ = strings.Cut(strings.TrimLeft(list, "\n"), "\n\n")
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+) `).FindAllStringSubmatch(list, -1) {
		want = append(want, m[1])
	}
	for _, a := range suite() {
		got = append(got, a.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 30 || !slices.Equal(got, want) {
		t.Errorf("suite\n%s\ngo vet\n%s", got, want)
	}
}

// A module with mistakes of every kind, of which most concern one of two
// targets.
func TestVet(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26.0\n",

		"fine/fine.go": `package fine

import "fmt"

// Complain is a printf function, which packages that import it have to learn.
func Complain(format string, args ...any) string { return fmt.Sprintf(format, args...) }
`,
		"fine/fine_test.go": `package fine

import "testing"

func TestFine(t *testing.T) { t.Log(Complain("%d", 1)) }
`,
		"vetted/both.go": `package vetted

import "sync"

type Guarded struct{ mu sync.Mutex }

func (g Guarded) Value() int { return 1 }
`,
		"vetted/v_windows.go": `package vetted

import (
	"fmt"

	"example.com/m/fine"
)

func Say(s string) {
	fmt.Printf("%d\n", s)
	fine.Complain("%d", s)
}
`,
		"vetted/v_linux_test.go": `package vetted

import "testing"

func TestV(t *testing.T) { t.Logf("%d", "s") }
`,
		"vetted/x_linux_test.go": `package vetted_test

import "testing"

func Testx(t *testing.T) {}
`,
		"vetted/ignored.go": "package vetted\n\n//go:build plan9\n",

		"typed/wide.go": `package typed

const Wide int = 1 << 40
`,
		"typed/t_windows_test.go": `package typed

import "testing"

func TestT(t *testing.T) { missing() }
`,
		"typed/x_linux_test.go": `package typed_test

import (
	"testing"

	"example.com/m/fine"
)

func TestX(t *testing.T) { fine.Complain(1) }
`,
		"alone/a.go": `package alone

func Alone() int { return fromTest }

func Elsewhere()
`,
		"alone/a_test.go": `package alone

const fromTest = 1
`,
		"syntax/s.go":       "package syntax\n",
		"syntax/s_linux.go": "package syntax\n\nfunc {\n",

		"asm/add.go": `package asm

func Add(a, b uint64) uint64
`,
		"asm/add_amd64.s": `#include "textflag.h"

TEXT ·Add(SB), NOSPLIT, $0-16
	MOVQ a+0(FP), AX
	ADDQ b+8(FP), AX
	MOVQ AX, ret+16(FP)
	RET
`,
		"asm/add_386.s": `#include "textflag.h"

TEXT ·Add(SB), NOSPLIT, $0-24
	MOVQ2 AX, BX
	MOVL AX, ret_lo+16(FP)
	MOVL AX, ret_hi+20(FP)
	RET
`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	v := vetter{dir: dir, env: []string{"GOWORK=off", "GOFLAGS=-mod=mod"}, patterns: []string{"./..."}}
	found, err := v.vet([]target{{"windows", "amd64"}, {"linux", "386"}})
	if err != nil {
		t.Fatal(err)
	}
	const both, windows, linux = "[windows/amd64 linux/386]", "[windows/amd64]", "[linux/386]"
	want := []string{
		`alone/a.go:3:27: undefined: fromTest (types) ` + both, // others import it without its tests
		`alone/a.go:5:1: missing function body (types) ` + both,
		`asm/add_386.s: add_386.s:4: unrecognized instruction "MOVQ2"; asm: assembly of add_386.s failed: exit status 1 (asm) ` + linux,
		`asm/add_amd64.s:3:1: [amd64] Add: wrong argument size 16; expected $...-24 (asmdecl) ` + windows,
		`syntax/s_linux.go:3:6: expected 'IDENT', found '{' (syntax) ` + linux,
		`typed/t_windows_test.go:5:28: undefined: missing (types) ` + windows,
		`typed/wide.go:3:18: cannot use 1 << 40 (untyped int constant 1099511627776) as int value in constant declaration (overflows) (types) ` + linux,
		`typed/x_linux_test.go:9:42: cannot use 1 (untyped int constant) as string value in argument to fine.Complain (types) ` + linux,
		`vetted/both.go:7:9: Value passes lock by value: example.com/m/vetted.Guarded contains sync.Mutex (copylocks) ` + both,
		`vetted/ignored.go:3:1: misplaced //go:build comment (buildtag) ` + both,
		`vetted/v_linux_test.go:5:36: (*testing.common).Logf format %d has arg "s" of wrong type string (printf) ` + linux,
		`vetted/v_windows.go:10:14: fmt.Printf format %d has arg s of wrong type string (printf) ` + windows,
		`vetted/v_windows.go:11:17: example.com/m/fine.Complain format %d has arg s of wrong type string (printf) ` + windows,
		`vetted/x_linux_test.go:5:6: Testx has malformed name: first letter after 'Test' must not be lowercase (tests) ` + linux,
	}
	var got []string
	for _, f := range slices.SortedFunc(maps.Keys(found), finding.compare) {
		targets := fmt.Sprint(found[f])
		f.pos.Filename, err = filepath.Rel(dir, f.pos.Filename)
		if err != nil {
			t.Fatal(err)
		}
		f.pos.Filename = filepath.ToSlash(f.pos.Filename)
		got = append(got, f.String()+" "+targets)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A target without the packages, and one that is none, are findings too.
func TestVetLists(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module example.com/m\n\ngo 1.26.0\n",
		"m_windows.go": "package m\n\nimport _ \"example.com/nowhere\"\n",
		"m.go":         "package m\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	v := vetter{dir: dir, env: []string{"GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off"}, patterns: []string{"./..."}}
	for _, tt := range []struct {
		target
		want string
	}{
		{target{"linux", "386"}, ""},
		{target{"windows", "amd64"}, "example.com/nowhere"},
		{target{"linux", "pdp11"}, "pdp11"},
	} {
		found, err := v.vet([]target{tt.target})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for f := range found {
			got = append(got, f.String())
		}
		if text := strings.Join(got, "\n"); tt.want == "" && text != "" || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, want %q", tt.target, text, tt.want)
		}
	}
}
