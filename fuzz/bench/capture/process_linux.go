package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// startOn starts a process on one processor, which it has for itself. A program in
// Go is told that there are as many as there are: with one, its runtime takes every
// system call that lasts for one that blocks, and hands the processor over to
// another thread.
func startOn(cpu int, cmd *exec.Cmd) error {
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(runtime.NumCPU()))
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		err := setAffinity(cpu)
		alone()
		if err == nil {
			err = cmd.Start()
		}
		done <- err
	}()
	return <-done
}

// alone lets the calling thread, and what it starts, run before all others, as
// far as that is allowed: what else the machine does should neither keep frames
// from coming nor take the caches away. Not by SCHED_FIFO: threads of a program
// in Go may wait in a loop for each other.
func alone() {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}, 0)
}

// cpuTime is the processor time of a process and all its threads.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED; the kernel's include/linux/posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// settled waits until a process has nothing to do: it sleeps, and has used next
// to no processor time for so long. It returns the time that it used altogether.
func settled(pid int, long time.Duration) (time.Duration, error) {
	const step = 25 * time.Millisecond
	last, err := cpuTime(pid)
	for quiet := time.Duration(0); quiet < long && err == nil; {
		time.Sleep(step)
		var now time.Duration
		if now, err = cpuTime(pid); now-last < 500*time.Microsecond && sleeping(pid) {
			quiet += step
		} else {
			quiet = 0
		}
		last = now
	}
	return last, err
}

// sleeping reports whether all threads of a process wait for something.
func sleeping(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, t := range tasks {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/stat")
		// The state follows the name, which is in parentheses.
		if _, after, ok := bytes.Cut(b, []byte(") ")); err == nil && ok && after[0] == 'R' {
			return false
		}
	}
	return true
}

// A process receives from near. It is one of this program's, or somebody
// else's.
type process interface {
	// start returns when frames are captured.
	start(cpu int) error
	// settled waits until it has nothing to do, and returns the processor time
	// that it used altogether.
	settled() (time.Duration, error)
	// end ends it, when it is settled, and returns what it received and what
	// the kernel dropped.
	end() (answer, error)
}

// own is a process of this program: see [receiveMain].
type own struct {
	name  string
	set   settings
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	about string
}

func (o *own) start(cpu int) error {
	o.cmd = exec.Command("/proc/self/exe", append([]string{"receive", o.name}, o.set.args()...)...)
	o.cmd.Stderr = os.Stderr
	in, err := o.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	o.in, o.out = in, bufio.NewReader(out)
	if err := startOn(cpu, o.cmd); err != nil {
		return err
	}
	a, err := readAnswer(o.out)
	if err != nil {
		o.kill()
		return err
	}
	o.about = a.Detail
	return nil
}

func (o *own) kill() {
	o.in.Close()
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

// ask sends a command and returns the answer.
func (o *own) ask(command string) (answer, error) {
	if _, err := io.WriteString(o.in, command+"\n"); err != nil {
		return answer{}, err
	}
	return readAnswer(o.out)
}

func (o *own) settled() (time.Duration, error) { return settled(o.cmd.Process.Pid, o.set.late()) }

func (o *own) end() (answer, error) {
	defer o.kill()
	return o.ask("stop")
}

// reader is own that reads from the start.
type reader struct{ own }

func (r *reader) start(cpu int) error {
	if err := r.own.start(cpu); err != nil {
		return err
	}
	_, err := io.WriteString(r.in, "read\n")
	return err
}

func readAnswer(r *bufio.Reader) (answer, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("the process ended: %w", err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, err
	}
	switch {
	case a.Unsupported:
		return a, notBuilt(a.Error)
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// notBuilt is the error of what this build or this machine does not have.
type notBuilt string

func (n notBuilt) Error() string { return string(n) }

// program is somebody else's process, which says at its end, on its standard
// error, how many frames it received and how many the kernel dropped.
type program struct {
	args      []string
	got, lost *regexp.Regexp // each with one group
	hold      time.Duration  // how long it lets the kernel keep frames
	cmd       *exec.Cmd
	said      bytes.Buffer
	clear     func() // after the end
}

func (p *program) start(cpu int) error {
	if _, err := exec.LookPath(p.args[0]); err != nil {
		return notBuilt(err.Error())
	}
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.said.Reset()
	p.cmd.Stderr = &p.said
	before, err := packetSockets()
	if err != nil {
		return err
	}
	if err := startOn(cpu, p.cmd); err != nil {
		return err
	}
	// A packet socket is bound when it is all but ready.
	for range 400 {
		time.Sleep(25 * time.Millisecond)
		if n, err := packetSockets(); err == nil && n > before {
			return nil
		}
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	return fmt.Errorf("%s does not capture: %s", p.args[0], p.said.Bytes())
}

// packetSockets is how many packet sockets there are in the namespace that are
// bound to an interface.
func packetSockets() (int, error) {
	b, err := os.ReadFile("/proc/self/net/packet")
	n := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] != "0" && f[4] != "Iface" {
			n++
		}
	}
	return n, err
}

func (p *program) settled() (time.Duration, error) {
	time.Sleep(p.hold)
	return settled(p.cmd.Process.Pid, 75*time.Millisecond)
}

func (p *program) end() (answer, error) {
	if p.clear != nil {
		defer p.clear()
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return answer{}, err
	}
	timer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	timer.Stop()
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w: %s", p.args[0], err, p.said.Bytes())
	}
	var a answer
	for _, find := range []struct {
		in *regexp.Regexp
		to *uint64
	}{{p.got, &a.Frames}, {p.lost, &a.Dropped}} {
		m := find.in.FindSubmatch(p.said.Bytes())
		if m == nil {
			return a, fmt.Errorf("%s does not say how many: %s", p.args[0], p.said.Bytes())
		}
		if *find.to, err = strconv.ParseUint(string(m[1]), 10, 64); err != nil {
			return a, err
		}
	}
	return a, nil
}

// tcpdump, dumpcap and pkts write what they capture to a file.
func tcpdump(file string) *program {
	return &program{
		args: []string{"tcpdump", "-n", "-Z", "root", "-i", near, "-B", strconv.Itoa(bufferSize >> 10), "-w", file},
		got:  regexp.MustCompile(`(\d+) packets captured`),
		lost: regexp.MustCompile(`(\d+) packets dropped by kernel`),
		hold: 1500 * time.Millisecond, // 1 s
	}
}

func dumpcap(file string) *program {
	return &program{
		args: []string{"dumpcap", "-q", "-i", near, "-B", strconv.Itoa(bufferSize >> 20), "-w", file},
		got:  regexp.MustCompile(`Packets captured: (\d+)`),
		lost: regexp.MustCompile(`received/dropped on interface [^:]*: \d+/(\d+)`),
		hold: 500 * time.Millisecond, // 250 ms
	}
}

func pktsSniff(exe, format, file string) *program {
	return &program{
		args: []string{exe, "sniff", "-i", near, "--write-format", format, "-w", file},
		got:  regexp.MustCompile(`(\d+) packets,`),
		lost: regexp.MustCompile(`(\d+) dropped by the kernel`),
		hold: 250 * time.Millisecond, // 100 ms, and as long again
	}
}
