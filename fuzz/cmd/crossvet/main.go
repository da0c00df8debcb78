// Crossvet vets packages with their tests for other systems: what
//
//	GOOS=… GOARCH=… CGO_ENABLED=0 go vet PACKAGES
//
// finds for each target, it finds for all targets in one run. It runs the same
// analyzers, but reads the types from source instead of compiling every package
// of the standard library for every target first, which takes the better part
// of the time of "go vet" when the build cache is empty.
//
//	go run ./fuzz/cmd/crossvet GOOS/GOARCH[,GOOS/GOARCH…] PACKAGE…
//
// A finding is printed once, with the targets that have it; any makes the exit
// status 1.
//
// # What is left out
//
// Nothing is compiled. Assembly is assembled, and a function without a body has
// to have some; but what only the compiler's back end or the linker reports
// goes unseen. "bash .ci/run crossbuild" has them look too.
//
// Bodies in the standard library are not read. The analyzers know its printf
// functions by name, but not that log.Fatal or (*testing.T).Fatal do not
// return: lostcancel may report a path that ends there, which "go vet" does
// not.
package main

import (
	"cmp"
	"fmt"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: crossvet GOOS/GOARCH[,GOOS/GOARCH...] PACKAGE...")
		os.Exit(2)
	}
	// Most of what is allocated for a target lives until its end.
	debug.SetGCPercent(200)
	targets, err := parseTargets(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	v := vetter{patterns: os.Args[2:]}
	findings, err := v.vet(targets)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	report(findings)
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// A target is a system to vet for.
type target struct{ goos, goarch string }

func (t target) String() string { return t.goos + "/" + t.goarch }

func parseTargets(list string) ([]target, error) {
	var targets []target
	for s := range strings.SplitSeq(list, ",") {
		goos, goarch, ok := strings.Cut(s, "/")
		if !ok {
			return nil, fmt.Errorf("crossvet: target %q: want GOOS/GOARCH", s)
		}
		targets = append(targets, target{goos, goarch})
	}
	return targets, nil
}

// A finding is what a checker says about a place, which is without a file if it
// is about the target.
type finding struct {
	pos     token.Position
	checker string // an analyzer, "types", "asm" or "list"
	text    string
}

func (f finding) String() string {
	if f.pos.Filename == "" {
		return f.text + " (" + f.checker + ")"
	}
	return f.pos.String() + ": " + f.text + " (" + f.checker + ")"
}

// compare orders findings by file and place.
func (f finding) compare(g finding) int {
	return cmp.Or(
		strings.Compare(f.pos.Filename, g.pos.Filename),
		cmp.Compare(f.pos.Line, g.pos.Line),
		cmp.Compare(f.pos.Column, g.pos.Column),
		strings.Compare(f.text, g.text),
		strings.Compare(f.checker, g.checker),
	)
}

// report prints every finding with its targets, files relative to the current
// folder where they lie in it.
func report(findings map[finding][]target) {
	here, _ := os.Getwd()
	for _, f := range slices.SortedFunc(maps.Keys(findings), finding.compare) {
		var on []string
		for _, t := range findings[f] {
			on = append(on, t.String())
		}
		if rel, err := filepath.Rel(here, f.pos.Filename); err == nil && filepath.IsLocal(rel) {
			f.pos.Filename = rel
		}
		fmt.Printf("%s\n\ton %s\n", f, strings.Join(on, " "))
	}
}
