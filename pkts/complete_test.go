package pkts

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryProtocolTested wants a golden packet of each protocol, and a fuzz
// target whose seeds have it: a protocol that is added without is not done.
func TestEveryProtocolTested(t *testing.T) {
	golden := map[*Protocol]int{}
	for _, g := range allGoldens() {
		var p Packet
		_ = p.DecodeAs(g.first, unhex(t, g.hex)) // one is cut on purpose
		for n := range p.Nodes() {
			golden[n.Proto()]++
		}
	}
	for p := range Default.Protocols() {
		if golden[p] == 0 {
			t.Errorf("%v: no golden packet", p)
		}
	}

	// Each function of goldens is tested, and seeds a fuzz target.
	used := map[string][]string{} // by functions of goldens: where from
	var functions []string
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			if name := fn.Name.Name; strings.HasSuffix(name, "Goldens") && !strings.HasPrefix(name, "Test") && name != "allGoldens" && name != "printGoldens" {
				functions = append(functions, name)
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok {
					if id, ok := c.Fun.(*ast.Ident); ok && strings.HasSuffix(id.Name, "Goldens") {
						used[id.Name] = append(used[id.Name], fn.Name.Name)
					}
				}
				return true
			})
		}
	}
	for _, name := range functions {
		for prefix, what := range map[string]string{"Test": "test", "Fuzz": "fuzz target"} {
			if !slices.ContainsFunc(used[name], func(s string) bool { return strings.HasPrefix(s, prefix) }) {
				t.Errorf("%s: no %s uses it", name, what)
			}
		}
		if !slices.Contains(used[name], "allGoldens") && !slices.Contains(used[name], "printGoldens") {
			t.Errorf("%s: not among allGoldens", name)
		}
	}
}
