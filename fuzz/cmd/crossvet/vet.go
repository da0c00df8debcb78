package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/scanner"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// A vetter vets the packages that match patterns, as seen from dir, with env in
// addition to the environment.
type vetter struct {
	dir      string
	env      []string
	patterns []string
}

// vet returns what is found, each with its targets in their order.
func (v *vetter) vet(targets []target) (map[finding][]target, error) {
	asm, err := v.output("tool", "-n", "asm")
	if err != nil {
		return nil, err
	}
	// With -trimpath the runtime does not know it.
	goroot, err := v.output("env", "GOROOT")
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "crossvet")
	if err != nil {
		return nil, fmt.Errorf("crossvet: %w", err)
	}
	defer os.RemoveAll(scratch)
	l := newLoader()
	// While one target is analyzed, the next one is loaded.
	type loaded struct {
		pkgs []*pkg
		err  error
	}
	next := make(chan loaded)
	go func() {
		for _, t := range targets {
			pkgs, err := l.load(v, t)
			next <- loaded{pkgs, err}
		}
	}()
	findings := map[finding][]target{}
	for _, t := range targets {
		seen := map[finding]bool{}
		add := func(f finding) {
			if !seen[f] {
				seen[f] = true
				findings[f] = append(findings[f], t)
			}
		}
		n := <-next
		if n.err != nil {
			add(finding{checker: "list", text: n.err.Error()})
			continue
		}
		var whole []*pkg // what can be analyzed
		broken := map[*pkg]bool{}
		for _, p := range n.pkgs {
			p.problems(add)
			if p.analyze {
				p.assemble(assembler{
					asm:     strings.TrimSpace(string(asm)),
					include: filepath.Join(strings.TrimSpace(string(goroot)), "pkg", "include"),
					output:  filepath.Join(scratch, "asm.o"),
				}, t, add)
			}
			broken[p] = len(p.errs) > 0 || slices.ContainsFunc(p.deps, func(d *pkg) bool { return broken[d] })
			if !broken[p] {
				whole = append(whole, p)
			}
		}
		if err := l.analyze(whole, t, add); err != nil {
			return nil, fmt.Errorf("crossvet: %s: %w", t, err)
		}
	}
	return findings, nil
}

// problems adds what keeps the package from being compiled.
func (p *pkg) problems(add func(finding)) {
	for _, err := range p.errs {
		var (
			typed  types.Error
			syntax scanner.ErrorList
		)
		switch {
		case errors.As(err, &typed):
			add(finding{typed.Fset.Position(typed.Pos), "types", typed.Msg})
		case errors.As(err, &syntax):
			for _, e := range syntax {
				add(finding{e.Pos, "syntax", e.Msg})
			}
		default:
			add(finding{checker: "types", text: p.ImportPath + ": " + err.Error()})
		}
	}
	// With assembly the body may be there, and analyzer asmdecl compares them.
	if p.Standard || len(p.SFiles) > 0 {
		return
	}
	for _, f := range p.files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body == nil && !linknamed(f, fn.Name.Name) {
				add(finding{p.fset.Position(fn.Pos()), "types", "missing function body"})
			}
		}
	}
}

// linknamed reports whether a directive in f says that the function name is
// elsewhere.
func linknamed(f *ast.File, name string) bool {
	for _, g := range f.Comments {
		for _, c := range g.List {
			if w := strings.Fields(c.Text); len(w) > 1 && w[0] == "//go:linkname" && w[1] == name {
				return true
			}
		}
	}
	return false
}

// An assembler is the program, where its headers are, and where its output goes,
// which has to be a file of ours: after an error it is removed, /dev/null too.
type assembler struct{ asm, include, output string }

// assemble adds what the assembler says about the files of the package. The
// header that the compiler can write for them is not there.
func (p *pkg) assemble(a assembler, t target, add func(finding)) {
	for _, name := range p.SFiles {
		cmd := exec.Command(a.asm, "-p", p.path(), "-I", a.include,
			"-D", "GOOS_"+t.goos, "-D", "GOARCH_"+t.goarch, "-o", a.output, name)
		cmd.Dir = p.Dir
		cmd.Env = append(os.Environ(), "GOOS="+t.goos, "GOARCH="+t.goarch)
		if out, err := cmd.CombinedOutput(); err != nil {
			text := strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "; ")
			add(finding{token.Position{Filename: filepath.Join(p.Dir, name)}, "asm", fmt.Sprintf("%s: %v", text, err)})
		}
	}
}

// analyze adds what the analyzers report. Some ask go/build for the target, so
// that only one can be analyzed at a time.
func (l *loader) analyze(pkgs []*pkg, t target, add func(finding)) error {
	build.Default.GOOS, build.Default.GOARCH, build.Default.CgoEnabled = t.goos, t.goarch, false

	// Facts come from the packages outside the standard library, all of which
	// have their bodies.
	sizes := types.SizesFor("gc", t.goarch)
	all := map[*pkg]*packages.Package{}
	var roots []*packages.Package
	for _, p := range pkgs {
		if p.Standard {
			continue
		}
		q := &packages.Package{
			ID:           p.ImportPath,
			Name:         p.Name,
			PkgPath:      p.path(),
			Dir:          p.Dir,
			OtherFiles:   p.absolute(p.SFiles),
			IgnoredFiles: p.absolute(p.IgnoredGoFiles, p.IgnoredOtherFiles),
			Types:        p.types,
			Fset:         l.fset,
			Syntax:       p.files,
			TypesInfo:    p.info,
			TypesSizes:   sizes,
			Module:       p.Module,
			Imports:      map[string]*packages.Package{},
		}
		for _, d := range p.deps {
			if dep := all[d]; dep != nil {
				q.Imports[d.path()] = dep
			}
		}
		all[p] = q
		if p.analyze {
			roots = append(roots, q)
		}
	}
	graph, err := checker.Analyze(suite(), roots, nil)
	if err != nil {
		return err
	}
	for _, act := range graph.Roots {
		if act.Err != nil {
			return fmt.Errorf("%v: %w", act, act.Err)
		}
		for _, d := range act.Diagnostics {
			add(finding{l.fset.Position(d.Pos), act.Analyzer.Name, d.Message})
		}
	}
	return nil
}

// output runs the go command and returns what it prints.
func (v *vetter) output(args ...string) ([]byte, error) { return v.outputFor(nil, args...) }

// outputFor runs the go command with more in its environment.
func (v *vetter) outputFor(env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = v.dir
	cmd.Env = slices.Concat(os.Environ(), v.env, env)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
