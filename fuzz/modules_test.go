package fuzz

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/gopkts/gopkts/fuzz/internal/modproxy"
)

// A consumer lives in a folder of its own, outside the workspace, and gets the
// modules from a proxy made of the tree.
type consumer struct {
	dir      string
	env      []string
	versions map[string]string // of our modules, by path
}

// newConsumer returns an empty consumer. It asks no network: whatever the
// modules depend on is in the module cache since the workspace was built, and
// that cache is the second proxy.
func newConsumer(t *testing.T) *consumer {
	t.Helper()
	if testing.Short() {
		t.Skip("builds consumers with the go command: not in short mode")
	}
	root := workspace(t)
	tmp := t.TempDir()
	proxy := filepath.Join(tmp, "proxy")
	served, err := modproxy.Write(proxy, root)
	if err != nil {
		t.Fatal(err)
	}
	// The workspace's own run may have needed fewer modules than a consumer.
	goCommand(t, root, nil, "list", "-deps", modproxy.Prefix+"cmd/...", modproxy.Prefix+"capture/...", modproxy.Prefix+"pkts/...")
	cache := strings.TrimSpace(goCommand(t, root, nil, "env", "GOMODCACHE"))

	c := &consumer{dir: filepath.Join(tmp, "consumer"), versions: map[string]string{}}
	for _, m := range served {
		c.versions[m.Path] = m.Version
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.env = []string{
		"GOWORK=off",
		"GOPROXY=" + modproxy.URL(proxy) + "," + modproxy.URL(filepath.Join(cache, "cache", "download")) + ",off",
		// Ours are in no sum database, and what is in the cache was compared
		// with one, or with go.sum, when it came.
		"GOSUMDB=off",
		"GOMODCACHE=" + filepath.Join(tmp, "modcache"),
		"GOBIN=" + c.bin(),
		// -trimpath lets the build cache serve the next run.
		"GOFLAGS=-mod=mod -modcacherw -trimpath -buildvcs=false",
		"CGO_ENABLED=0",
	}
	return c
}

// bin is the folder that [consumer.goCommand] installs programs to.
func (c *consumer) bin() string { return filepath.Join(c.dir, "bin") }

// require makes the consumer a module with one main.go that requires the named
// modules of ours and nothing else.
func (c *consumer) require(t *testing.T, main string, modules ...string) {
	t.Helper()
	var mod strings.Builder
	mod.WriteString("module example.com/consumer\n\ngo 1.26.0\n\n")
	for _, m := range modules {
		mod.WriteString("require " + modproxy.Prefix + m + " " + c.versions[modproxy.Prefix+m] + "\n")
	}
	for name, text := range map[string]string{"go.mod": mod.String(), "main.go": main} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// goCommand runs the go command as the consumer and returns what it printed.
func (c *consumer) goCommand(t *testing.T, args ...string) string {
	t.Helper()
	return goCommand(t, c.dir, c.env, args...)
}

// program builds and runs the consumer's program and returns what it printed.
func (c *consumer) program(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(c.dir, "consumer.exe")
	c.goCommand(t, "build", "-o", exe)
	out, err := exec.CommandContext(t.Context(), exe).CombinedOutput()
	if err != nil {
		t.Fatalf("the consumer's program: %v\n%s", err, out)
	}
	return string(out)
}

// goCommand runs the go command in dir and returns its standard output.
func goCommand(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// workspace returns the folder that holds go.work.
func workspace(t *testing.T) string {
	t.Helper()
	root, err := modproxy.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// modulesOf returns the paths that the consumer's build list holds besides its
// own.
func (c *consumer) modulesOf(t *testing.T) []string {
	t.Helper()
	all := strings.Fields(c.goCommand(t, "list", "-m", "-f", "{{.Path}}", "all"))
	return slices.DeleteFunc(all, func(p string) bool { return p == "example.com/consumer" })
}

const captureConsumer = `package main

import (
	"fmt"
	"os"

	"github.com/gopkts/gopkts/capture"
)

func main() {
	s, err := capture.Open("no interface has this name", nil)
	if err == nil {
		s.Close()
		fmt.Println("opened an interface that is not there")
		os.Exit(1)
	}
	fmt.Println("error:", err)
}
`

func TestConsumerRequiresCaptureAlone(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.require(t, captureConsumer, "capture")
	if out := c.program(t); !strings.HasPrefix(out, "error: ") {
		t.Errorf("the program printed %q, want an error", out)
	}
	for _, m := range c.modulesOf(t) {
		if m == modproxy.Prefix+"pkts" || m == modproxy.Prefix+"cmd" {
			t.Errorf("requiring capture alone brings in %s", m)
		}
	}
}

const pktsConsumer = `package main

import (
	"fmt"
	"os"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// A UDP datagram from 192.0.2.1 port 40000 to 192.0.2.2 port 9, in Ethernet.
const frame = "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00" +
	"\x45\x00\x00\x1c\x00\x00\x40\x00\x40\x11\xb6\xcd\xc0\x00\x02\x01\xc0\x00\x02\x02" +
	"\x9c\x40\x00\x09\x00\x08\x00\x00"

func main() {
	var p pkts.Packet
	if err := p.Decode(link.TypeEthernet, []byte(frame)); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	udp, ok := pkts.Get[pkts.UDP](&p)
	if !ok {
		fmt.Println("no UDP layer")
		os.Exit(1)
	}
	fmt.Println(udp.SrcPort, udp.DstPort)
}
`

func TestConsumerRequiresPktsAlone(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.require(t, pktsConsumer, "pkts", "common")
	if got, want := c.program(t), "40000 9\n"; got != want {
		t.Errorf("the program printed %q, want %q", got, want)
	}

	// The module graph: common, and what the tests of both compare with. A
	// program that uses pkts builds none of the latter.
	may := []string{
		modproxy.Prefix + "common", modproxy.Prefix + "pkts",
		"golang.org/x/sys", "golang.org/x/net",
		"github.com/google/go-cmp", "pgregory.net/rapid",
	}
	for _, m := range c.modulesOf(t) {
		if !slices.Contains(may, m) {
			t.Errorf("requiring pkts brings in module %s", m)
		}
	}

	// Where golang.org/x/sys knows the operating system, package link asks it for
	// the interfaces with that. Elsewhere nothing of it is built.
	targets := []struct {
		goos, goarch string
		sys          bool
	}{
		{"js", "wasm", false},
		{"plan9", "amd64", false},
		{runtime.GOOS, runtime.GOARCH, true},
	}
	for _, target := range targets {
		on := &consumer{dir: c.dir, env: append(slices.Clone(c.env), "GOOS="+target.goos, "GOARCH="+target.goarch)}
		on.goCommand(t, "build", "-o", os.DevNull)
		for pkg := range strings.FieldsSeq(on.goCommand(t, "list", "-deps", modproxy.Prefix+"pkts")) {
			ok := !foreign(pkg) || pkg == cpuFeatures ||
				within(pkg, modproxy.Prefix+"common") || within(pkg, modproxy.Prefix+"pkts") ||
				target.sys && within(pkg, "golang.org/x/sys")
			if !ok {
				t.Errorf("%s/%s: package pkts builds %s", target.goos, target.goarch, pkg)
			}
		}
	}
}

func TestGoInstallProgram(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.goCommand(t, "install", modproxy.Prefix+"cmd/pkts@"+c.versions[modproxy.Prefix+"cmd"])
	exe := filepath.Join(c.bin(), "pkts")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	out, err := exec.CommandContext(t.Context(), exe, "read", "-c", "1").Output()
	if err != nil {
		if ee, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("pkts read: %v\n%s", err, ee.Stderr)
		}
		t.Fatal(err)
	}
	if lines := bytes.Count(out, []byte("\n")); lines != 1 {
		t.Errorf("pkts read -c 1 printed %d lines, want 1:\n%s", lines, out)
	}
}

// A replace directive in a go.mod makes "go install …@version" refuse the
// module, and holds for nobody but us. In go.work it may only say where the
// version of a sibling that is not tagged yet stands: in the sibling's folder.
func TestNoReplace(t *testing.T) {
	root := workspace(t)
	work, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := modfile.ParseWork("go.work", work, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range w.Replace {
		own, ok := strings.CutPrefix(r.Old.Path, modproxy.Prefix)
		if !ok || r.Old.Version == "" || path.Clean(r.New.Path) != own || r.New.Version != "" {
			t.Errorf("go.work replaces %s by %s", r.Old, r.New)
		}
	}
	for _, use := range w.Use {
		name := filepath.Join(root, filepath.FromSlash(use.Path), "go.mod")
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := modfile.Parse(name, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Replace {
			t.Errorf("%s/go.mod replaces %s", use.Path, r.Old)
		}
	}
	for _, name := range modproxy.Published() {
		if !slices.ContainsFunc(w.Use, func(u *modfile.Use) bool { return path.Clean(u.Path) == name }) {
			t.Errorf("go.work does not use %s", name)
		}
	}
}

// walls says what the files of a library module may import besides the
// standard library and their own module.
var walls = []struct {
	module string
	may    []string // import paths and what lies below them
	test   []string // more, in _test.go files
}{
	{"common", []string{"golang.org/x/sys", "golang.org/x/net"}, []string{"github.com/google/go-cmp", "pgregory.net/rapid"}},
	{"pkts", []string{modproxy.Prefix + "common"}, []string{"golang.org/x/net", "github.com/google/go-cmp", "pgregory.net/rapid"}},
	{"capture", []string{modproxy.Prefix + "common", "golang.org/x/sys", "golang.org/x/net"}, []string{"github.com/google/go-cmp", "pgregory.net/rapid"}},
}

// cpuFeatures asks the processor, not the operating system, and builds
// everywhere: the checksum's assembly needs it, and the walls let it through.
const cpuFeatures = "golang.org/x/sys/cpu"

// gates says which folders alone may import a package, tests aside.
var gates = []struct {
	pkg string
	may []string
}{
	{"unsafe", []string{"capture/internal/sys"}},
	{"golang.org/x/sys", []string{"capture/internal/sys", "common/link", "common/route"}},
	{"C", nil},
}

// TestWalls reads the imports of every file of the library modules, for every
// operating system at once.
func TestWalls(t *testing.T) {
	root := workspace(t)
	files := 0
	for _, w := range walls {
		err := filepath.WalkDir(filepath.Join(root, w.module), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testdata" {
				return filepath.SkipDir
			}
			if d.IsDir() || filepath.Ext(name) != ".go" {
				return nil
			}
			files++
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			test := strings.HasSuffix(rel, "_test.go")
			may := append([]string{modproxy.Prefix + w.module}, w.may...)
			if test {
				may = append(may, w.test...)
			}
			for _, spec := range f.Imports {
				pkg := strings.Trim(spec.Path.Value, `"`)
				if foreign(pkg) && !slices.ContainsFunc(may, func(m string) bool { return within(pkg, m) }) {
					t.Errorf("%s imports %s, which module %s may not", rel, pkg, w.module)
				}
				for _, g := range gates {
					if !test && pkg != cpuFeatures && within(pkg, g.pkg) && !slices.ContainsFunc(g.may, func(m string) bool { return within(rel, m) }) {
						t.Errorf("%s imports %s: only %v may", rel, pkg, g.may)
					}
				}
			}
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has an init function: build the value where it is used", rel)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files == 0 {
		t.Error("no Go file found in any library module")
	}
}

// foreign reports whether pkg is no package of the standard library.
func foreign(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return strings.Contains(first, ".")
}

// within reports whether name is dir or lies below it.
func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}
