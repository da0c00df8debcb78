package main

import (
	"regexp"
	"strings"
	"testing"
)

// passing is the log of a package with one test that passes and one that skips.
const passing = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:9: the files are not here\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB","Elapsed":0}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p","Elapsed":0.1}
`

// failing is the log of a package that fails in one test.
const failing = `{"Action":"run","Package":"q","Test":"TestC"}
{"Action":"output","Package":"q","Test":"TestC","Output":"    b_test.go:3: got 1, want 2\n"}
{"Action":"output","Package":"q","Test":"TestC","Output":"--- FAIL: TestC (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestC","Elapsed":0}
{"Action":"output","Package":"q","Output":"FAIL\n"}
{"Action":"output","Package":"q","Output":"FAIL\tq\t0.1s\n"}
{"Action":"fail","Package":"q","Elapsed":0.1}
`

func TestReport(t *testing.T) {
	tests := []struct {
		name    string
		log     string
		allowed string
		prints  []string
		err     string // "" for none
	}{
		{"allowed skip", passing, "not here", []string{
			"ok  \tp\t0.1s\n",
			"skipped: p.TestB: a_test.go:9: the files are not here\n",
			"1 packages: 1 passed, 0 failed, 1 skipped\n",
		}, ""},
		{"other skip", passing, "no privilege", []string{
			"skipped, which is not allowed: p.TestB: a_test.go:9: the files are not here\n",
		}, "0 failed, 1 skipped without leave"},
		{"failure", passing + failing, "not here", []string{
			"b_test.go:3: got 1, want 2\n",
			"FAIL\tq\t0.1s\n",
			"2 packages: 1 passed, 1 failed, 1 skipped\n",
		}, "1 failed"},
		{"build failure", passing + `{"ImportPath":"r","Action":"build-output","Output":"r.go:1:1: undefined: x\n"}
{"Action":"output","Package":"r","Output":"FAIL\tr [build failed]\n"}
{"Action":"fail","Package":"r","FailedBuild":"r"}
`, "not here", []string{
			"r.go:1:1: undefined: x\n",
			"FAIL\tr [build failed]\n",
			"2 packages: 1 passed, 1 failed, 1 skipped\n",
		}, "1 failed"},
		{"no test", "", "not here", nil, "no test ran"},
		{"not JSON", "go: cannot find module\n", "not here", []string{"go: cannot find module\n"}, "no test ran"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			err := report(&out, strings.NewReader(tt.log), []*regexp.Regexp{regexp.MustCompile(tt.allowed)})
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
			for _, p := range tt.prints {
				if !strings.Contains(out.String(), p) {
					t.Errorf("printed\n%s\nwithout %q", out.String(), p)
				}
			}
		})
	}
}
