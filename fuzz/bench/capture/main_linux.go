package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gopkts/gopkts/capture"
)

// insideEnv is set in the process that has a namespace of its own.
const insideEnv = "GOPKTS_BENCH_INSIDE"

func main() {
	if len(os.Args) == 5 && os.Args[1] == "receive" {
		receiveMain(os.Args[2:])
		return
	}
	if len(os.Args) == 5 && os.Args[1] == "send" {
		sendMain(os.Args[2:])
		return
	}
	b, err := newBench(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil && os.Getenv(insideEnv) == "" {
		err = enterNamespace()
	}
	if err == nil {
		err = b.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "capture:", err)
		os.Exit(1)
	}
}

// enterNamespace runs this program again, in a network namespace that ends with
// it. It returns only an error.
func enterNamespace() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace needs root: %w", err)
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), insideEnv+"=1"))
}

// bench is what the flags say.
type bench struct {
	rounds  int
	time    time.Duration // how long frames are offered or sent in a round
	timeout time.Duration // how long frames may gather before a receiver gets them
	sizes   []int         // of frames, in bytes without the FCS
	rates   []int         // offered frames a second, 0 for all that go
	parts   []string
	match   *regexp.Regexp // what the names of the rows must match
	inject  bool
	cpus    [2]int // of the generator, and of what is measured

	dir    string // for what is made on the way
	failed bool   // a case failed, and not for want of something
}

// maxTimeout is the longest time for frames to gather: every round waits longer.
const maxTimeout = time.Second

// parts are the tables, in order.
func parts() []string { return []string{"receive", "walk", "send", "file"} }

// newBench reads the command line; what the flags are goes to usage.
func newBench(args []string, usage io.Writer) (*bench, error) {
	b := new(bench)
	flags := flag.NewFlagSet("capture", flag.ContinueOnError)
	flags.SetOutput(usage)
	short := flags.Bool("short", false, "less than a minute: one round of 200 ms, two rates, unless other flags say otherwise")
	flags.IntVar(&b.rounds, "rounds", 5, "how often each case is measured")
	flags.DurationVar(&b.time, "time", time.Second, "how long frames are offered or sent each time")
	flags.DurationVar(&b.timeout, "timeout", capture.DefaultTimeout, "how long frames may gather before a receiver gets them; gopacket/afpacket's own default is 64ms")
	sizes := flags.String("sizes", "60,1400", "lengths of frames in bytes, without the 4 of the FCS")
	rates := flags.String("rates", "100000,300000,600000,0", "frames offered a second; 0 is as many as the kernel makes")
	only := flags.String("only", strings.Join(parts(), ","), "which tables")
	rows := flags.String("rows", "", "a regular expression: only the rows whose names it matches")
	flags.BoolVar(&b.inject, "inject", false, "generate by XDP_PASS on the receiving interface, not by redirecting to its peer")
	cpus := flags.String("cpus", "", "two processors: of the generator, and of what is measured; by default the first two")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("what is %q", flags.Args())
	}
	if b.timeout < time.Millisecond || b.timeout > maxTimeout || b.timeout%time.Millisecond != 0 {
		return nil, fmt.Errorf("a timeout of %v: must be whole milliseconds from 1ms to %v", b.timeout, maxTimeout)
	}
	if *short {
		said := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { said[f.Name] = true })
		if !said["rounds"] {
			b.rounds = 1
		}
		if !said["time"] {
			b.time = 200 * time.Millisecond
		}
		if !said["rates"] {
			*rates = "300000,0"
		}
	}
	var err error
	if b.match, err = regexp.Compile(*rows); err != nil {
		return nil, err
	}
	if b.sizes, err = integers(*sizes); err != nil {
		return nil, err
	}
	if b.rates, err = integers(*rates); err != nil {
		return nil, err
	}
	for _, n := range b.sizes {
		if n < minFrame || n > 1514 {
			return nil, fmt.Errorf("frames of %d bytes: must be from %d to 1514", n, minFrame)
		}
	}
	b.parts = strings.Split(*only, ",")
	for _, p := range b.parts {
		if !slices.Contains(parts(), p) {
			return nil, fmt.Errorf("no table %q: there are %v", p, parts())
		}
	}
	allowed, err := processors()
	if *cpus != "" && err == nil {
		allowed, err = integers(*cpus)
	}
	if err != nil {
		return nil, err
	}
	if len(allowed) < 2 {
		return nil, errors.New("two processors are needed: one makes the frames and one reads them")
	}
	b.cpus = [2]int(allowed[:2])
	return b, nil
}

// integers reads a list.
func integers(list string) ([]int, error) {
	var out []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no number", s)
		}
		out = append(out, n)
	}
	return out, nil
}

// processors are those that this process may run on.
func processors() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var out []int
	for i := range 8 * len(set) * 8 {
		if set.IsSet(i) {
			out = append(out, i)
		}
	}
	return out, nil
}

func (b *bench) run() error {
	var err error
	if b.dir, err = os.MkdirTemp("", "capture-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	// Of IPv6 come router solicitations, among the frames that are counted.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := makeDevices(); err != nil {
		return err
	}
	b.header()
	for _, part := range b.parts {
		start := time.Now()
		switch part {
		case "receive":
			err = b.receive()
		case "walk":
			err = b.walk()
		case "send":
			err = b.send()
		case "file":
			err = b.file()
		}
		if err != nil {
			return err
		}
		fmt.Printf("\n(%.0f s)\n", time.Since(start).Seconds())
	}
	if b.failed {
		return errors.New("some cases failed: see the tables")
	}
	return nil
}

// header says where the figures come from.
func (b *bench) header() {
	var u unix.Utsname
	_ = unix.Uname(&u)
	fmt.Printf("- %s, %d processors: %d makes the frames, %d reads or sends\n", cpuModel(), runtime.NumCPU(), b.cpus[0], b.cpus[1])
	fmt.Printf("- Linux %s, %s, gopacket %s\n", unix.ByteSliceToString(u.Release[:]), runtime.Version(), version("github.com/gopacket/gopacket"))
	for _, args := range [][]string{{"cc", "--version"}, {"tcpdump", "--version"}, {"dumpcap", "--version"}} {
		fmt.Printf("- %s: %s\n", args[0], firstLine(args...))
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("- load at the start: %s", load)
	fmt.Printf("- medians of %d rounds of %v, and the least and the most of them\n", b.rounds, b.time)
	fmt.Printf("- frames gather for up to %v in receivers in Go\n", b.timeout)
	generator := "redirected to a veth pair's far end"
	if b.inject {
		generator = "passed by XDP on a veth interface"
	}
	fmt.Printf("- generator: BPF_PROG_TEST_RUN with live frames, %s\n", generator)
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// version is that of a module in this program.
func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "of an unknown version"
}

// firstLine is the first line that a program prints.
func firstLine(args ...string) string {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if err != nil && len(line) == 0 {
		return err.Error()
	}
	return string(line)
}

// sorry returns what stands in a table in place of figures.
func (b *bench) sorry(err error) string {
	if n, ok := errors.AsType[notBuilt](err); ok {
		return "not built: " + string(n)
	}
	b.failed = true
	return "FAILED: " + err.Error()
}

// rateName is how a table calls an offered rate.
func rateName(rate int) string {
	if rate == 0 {
		return "all that go"
	}
	return number(float64(rate))
}

// rows are those of a table that the flags ask for.
func rows[T any](b *bench, all []T, name func(T) string) []T {
	var out []T
	for _, r := range all {
		if b.match.MatchString(name(r)) {
			out = append(out, r)
		}
	}
	return out
}
