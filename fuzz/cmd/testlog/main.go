// Testlog reads the output of "go test -json" and prints what "go test" would
// have printed: a line for each package, and everything of the tests that
// failed. At the end it lists the tests that were skipped with the reason each
// gave, and exits 1 when a test failed or a skip is not allowed.
//
//	go test -json work | go run ./fuzz/cmd/testlog ALLOWED
//
// ALLOWED is a file of regular expressions, one a line. A skip is allowed when
// one of them matches "package.Test: reason". Empty lines and lines that begin
// with # are not read.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: testlog ALLOWED <go-test-json")
		os.Exit(2)
	}
	allowed, err := readAllowed(os.Args[1])
	if err == nil {
		err = report(os.Stdout, os.Stdin, allowed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// readAllowed reads the regular expressions of a file.
func readAllowed(name string) ([]*regexp.Regexp, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("testlog: %w", err)
	}
	var allowed []*regexp.Regexp
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		re, err := regexp.Compile(line)
		if err != nil {
			return nil, fmt.Errorf("testlog: %s: %w", name, err)
		}
		allowed = append(allowed, re)
	}
	return allowed, nil
}

// An event is one line of go test -json, as test2json documents it.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
}

// A test is named by its package and its own name; a package by an empty name.
type test struct{ pkg, name string }

func (t test) String() string { return t.pkg + "." + t.name }

// report copies the log from r to w and returns an error that says how many
// tests failed and how many were skipped without leave.
func report(w io.Writer, r io.Reader, allowed []*regexp.Regexp) error {
	type skip struct {
		test   test
		reason string
	}
	var (
		output                   = map[test]*bytes.Buffer{} // of running tests
		failedIn                 = map[string]bool{}        // packages
		skips                    []skip
		passed, failed, packages int
	)
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("testlog: read: %w", err)
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			// What the go command itself says is not JSON.
			if _, err := w.Write(line); err != nil {
				return err
			}
			continue
		}
		t := test{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			if _, err := io.WriteString(w, e.Output); err != nil {
				return err
			}
		case "output":
			if output[t] == nil {
				output[t] = new(bytes.Buffer)
			}
			output[t].WriteString(e.Output)
		case "pass", "skip", "fail":
			out := output[t]
			delete(output, t)
			if out == nil {
				out = new(bytes.Buffer)
			}
			switch {
			case t.name == "":
				packages++
				if e.Action == "fail" && !failedIn[t.pkg] {
					failed++ // it did not build, or ended by itself
				}
				// "PASS" says no more than the "ok" line after it.
				text := strings.TrimPrefix(out.String(), "PASS\n")
				if _, err := io.WriteString(w, text); err != nil {
					return err
				}
			case e.Action == "pass":
				passed++
			case e.Action == "fail":
				failed++
				failedIn[t.pkg] = true
				if _, err := w.Write(out.Bytes()); err != nil {
					return err
				}
			default:
				skips = append(skips, skip{t, reason(out.String())})
			}
		}
	}

	refused := 0
	for _, s := range skips {
		verdict := "skipped"
		line := s.test.String() + ": " + s.reason
		ok := false
		for _, re := range allowed {
			ok = ok || re.MatchString(line)
		}
		if !ok {
			refused++
			verdict = "skipped, which is not allowed"
		}
		fmt.Fprintf(w, "%s: %s\n", verdict, line)
	}
	fmt.Fprintf(w, "%d packages: %d passed, %d failed, %d skipped\n", packages, passed, failed, len(skips))
	switch {
	case packages == 0 || passed == 0:
		return errors.New("testlog: no test ran")
	case failed > 0 || refused > 0:
		return fmt.Errorf("testlog: %d failed, %d skipped without leave", failed, refused)
	}
	return nil
}

// reason returns what a test said when it skipped, on one line, without the
// lines that the testing package writes around it.
func reason(out string) string {
	var said []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- SKIP") {
			continue
		}
		said = append(said, line)
	}
	return strings.Join(said, " ")
}
