package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

// A pkg is a package as "go list" describes it, parsed and type-checked. One
// with tests is there twice, alone and as "path [path.test]" with them.
type pkg struct {
	ImportPath        string
	Name              string
	Dir               string
	GoFiles           []string
	SFiles            []string
	IgnoredGoFiles    []string
	IgnoredOtherFiles []string
	Imports           []string
	ImportMap         map[string]string // to paths where they differ from Imports
	Standard          bool
	DepOnly           bool
	ForTest           string
	Module            *packages.Module

	analyze bool // what "go vet" would look at
	deps    []*pkg
	done    chan struct{} // closed when what follows is set
	fset    *token.FileSet
	files   []*ast.File
	types   *types.Package
	info    *types.Info
	errs    []error
}

// path is the import path without the test that the package was built for.
func (p *pkg) path() string {
	path, _, _ := strings.Cut(p.ImportPath, " ")
	return path
}

func (p *pkg) absolute(lists ...[]string) []string {
	var names []string
	for _, list := range lists {
		for _, name := range list {
			names = append(names, filepath.Join(p.Dir, name))
		}
	}
	return names
}

// A loader keeps what targets have in common: the syntax of files.
type loader struct {
	fset  *token.FileSet
	mu    sync.Mutex
	files map[string]*file
	cores chan struct{}
}

// A file is parsed by the first who wants it.
type file struct {
	once   sync.Once
	syntax *ast.File
	err    error
}

func newLoader() *loader {
	return &loader{
		fset:  token.NewFileSet(),
		files: map[string]*file{},
		cores: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// load returns the packages that v names, with their tests and all they depend
// on, each after its dependencies.
func (l *loader) load(v *vetter, t target) ([]*pkg, error) {
	env := []string{"GOOS=" + t.goos, "GOARCH=" + t.goarch, "CGO_ENABLED=0"}
	out, err := v.outputFor(env, append([]string{"list", "-deps", "-test", "-json=ImportPath,Name,Dir,GoFiles,SFiles," +
		"IgnoredGoFiles,IgnoredOtherFiles,Imports,ImportMap,Standard,DepOnly,ForTest,Module", "--"}, v.patterns...)...)
	if err != nil {
		return nil, err
	}
	var pkgs []*pkg
	byPath := map[string]*pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &pkg{fset: l.fset, done: make(chan struct{})}
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		byPath[p.ImportPath] = p
		// The last of a test is its main package, which is generated.
		if !strings.HasSuffix(p.ImportPath, ".test") {
			pkgs = append(pkgs, p)
		}
	}
	sizes := types.SizesFor("gc", t.goarch)
	if sizes == nil {
		return nil, fmt.Errorf("%s: go/types does not know the sizes of its types", t)
	}
	for _, p := range pkgs {
		switch {
		case p.ForTest == "":
			p.analyze = !p.DepOnly && byPath[p.ImportPath+" ["+p.ImportPath+".test]"] == nil
		default:
			p.analyze = p.path() == p.ForTest || p.path() == p.ForTest+"_test"
		}
		for _, path := range p.Imports {
			// Imports are as mapped already.
			if path == "unsafe" {
				continue
			}
			dep := byPath[path]
			if dep == nil {
				return nil, fmt.Errorf("go list: %s imports %s, which is not listed", p.ImportPath, path)
			}
			p.deps = append(p.deps, dep)
		}
	}
	for _, p := range pkgs {
		go func() {
			defer close(p.done)
			for _, d := range p.deps {
				<-d.done
			}
			l.cores <- struct{}{}
			defer func() { <-l.cores }()
			l.check(p, byPath, sizes)
		}()
	}
	for _, p := range pkgs {
		<-p.done
	}
	return pkgs, nil
}

// check parses and type-checks a package whose dependencies are done.
func (l *loader) check(p *pkg, byPath map[string]*pkg, sizes types.Sizes) {
	for _, name := range p.absolute(p.GoFiles) {
		f, err := l.parse(name, p.Standard)
		if err != nil {
			p.errs = append(p.errs, err)
			continue
		}
		p.files = append(p.files, f)
	}
	conf := types.Config{
		IgnoreFuncBodies: p.Standard,
		Error:            func(err error) { p.errs = append(p.errs, err) },
		Sizes:            sizes,
		Importer: importer(func(path string) (*types.Package, error) {
			if path == "unsafe" {
				return types.Unsafe, nil
			}
			if mapped, ok := p.ImportMap[path]; ok {
				path = mapped
			}
			if dep := byPath[path]; dep != nil && dep.types != nil {
				return dep.types, nil
			}
			return nil, fmt.Errorf("package %s is not listed", path)
		}),
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	if !p.Standard {
		p.info = &types.Info{
			Types:        map[ast.Expr]types.TypeAndValue{},
			Instances:    map[*ast.Ident]types.Instance{},
			Defs:         map[*ast.Ident]types.Object{},
			Uses:         map[*ast.Ident]types.Object{},
			Implicits:    map[ast.Node]types.Object{},
			Selections:   map[*ast.SelectorExpr]*types.Selection{},
			Scopes:       map[ast.Node]*types.Scope{},
			FileVersions: map[*ast.File]string{},
		}
	}
	p.types, _ = conf.Check(p.path(), l.fset, p.files, p.info) // Error has the errors
}

type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }

// parse returns the syntax of a file, which nobody changes: the same for every
// target. Of a function in the standard library it is the head.
func (l *loader) parse(name string, standard bool) (*ast.File, error) {
	l.mu.Lock()
	f := l.files[name]
	if f == nil {
		f = new(file)
		l.files[name] = f
	}
	l.mu.Unlock()
	f.once.Do(func() {
		if !standard {
			f.syntax, f.err = parser.ParseFile(l.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			return
		}
		f.syntax, f.err = parser.ParseFile(l.fset, name, nil, parser.SkipObjectResolution)
		if f.err != nil {
			return
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				fn.Body = &ast.BlockStmt{Lbrace: fn.Body.Lbrace, Rbrace: fn.Body.Rbrace}
			}
		}
	})
	return f.syntax, f.err
}
