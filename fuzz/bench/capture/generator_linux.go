package main

import (
	"fmt"
	"math"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The devices of the benchmark's namespace: the frames come out of near, and
// sent ones go into sink.
const (
	far  = "far"
	near = "near"
	sink = "sink"
)

// makeDevices makes them, in the namespace of the calling thread. All of the
// process is in it, so no name can clash.
func makeDevices() error {
	for _, line := range []string{
		"link set lo up",
		"link add " + far + " numtxqueues 1 numrxqueues 1 type veth peer name " + near + " numtxqueues 1 numrxqueues 1",
		"link add " + sink + " numtxqueues 1 numrxqueues 1 type ifb",
		"link set " + far + " up",
		"link set " + near + " up",
		"link set " + sink + " up",
	} {
		out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// A generator makes the kernel put frames on near.
type generator struct {
	schedule    int // a map
	free, paced int // XDP programs: as fast as they can, and by the schedule
	index       int // what received the frames, for the programs' context
	pass        int // the program attached to near, or -1
}

// newGenerator returns a generator that redirects frames to the far end, whose
// driver hands them to near, or with inject one that passes them up as received
// by near. The first goes the whole way, through what AF_XDP takes frames from.
func newGenerator(inject bool) (*generator, error) {
	f, err := net.InterfaceByName(far)
	if err != nil {
		return nil, err
	}
	n, err := net.InterfaceByName(near)
	if err != nil {
		return nil, err
	}
	g := &generator{pass: -1}
	to := f.Index
	if inject {
		to, g.index = 0, n.Index
	}
	if g.schedule, err = newSchedule(); err != nil {
		return nil, err
	}
	if g.free, err = loadXDP(generatorProgram(g.schedule, to, false)); err != nil {
		return nil, err
	}
	g.paced, err = loadXDP(generatorProgram(g.schedule, to, true))
	return g, err
}

// attach puts near into the state in which it takes frames by XDP: with a
// program of its own. A receiver by AF_XDP attaches one itself.
func (g *generator) attach() error {
	n, err := net.InterfaceByName(near)
	if err != nil {
		return err
	}
	p, err := loadXDP(passProgram())
	if err != nil {
		return err
	}
	defer unix.Close(p)
	g.pass, err = attachXDP(p, n.Index)
	return err
}

// detach undoes attach.
func (g *generator) detach() {
	if g.pass >= 0 {
		unix.Close(g.pass)
		g.pass = -1
	}
}

// close gives up what the generator holds.
func (g *generator) close() {
	g.detach()
	for _, fd := range []int{g.free, g.paced, g.schedule} {
		unix.Close(fd)
	}
}

// offer puts frames on near for d, rate of them a second or, with rate 0, as
// many as it can, and returns how many they were and how long it took. It runs
// on the calling thread, which is [pinned].
func (g *generator) offer(frame []byte, rate int, d time.Duration) (n int, took time.Duration, err error) {
	// Without any, others had the processor all the time.
	for try := 0; n == 0 && err == nil && try < 20; try++ {
		start := time.Now()
		n, err = g.try(frame, rate, d)
		took = time.Since(start)
	}
	return n, took, err
}

// try is offer, and may come too late for any frame.
func (g *generator) try(frame []byte, rate int, d time.Duration) (int, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0, err
	}
	s := schedule{next: uint64(now.Nano()), end: uint64(now.Nano() + d.Nanoseconds())}
	prog := g.free
	if rate > 0 {
		s.interval = uint64(time.Second) / uint64(rate)
		prog = g.paced
	}
	if err := access(unix.BPF_MAP_UPDATE_ELEM, g.schedule, &s); err != nil {
		return 0, err
	}
	// A run ends with its frames or by a signal.
	tid := unix.Gettid()
	over := make(chan struct{})
	var stopped sync.WaitGroup
	stopped.Go(func() {
		for wait := d; ; wait = 10 * time.Millisecond {
			select {
			case <-over:
				return
			case <-time.After(wait):
				_ = unix.Tgkill(unix.Getpid(), tid, unix.SIGURG)
			}
		}
	})
	err := runLive(prog, g.index, frame, math.MaxInt32)
	close(over)
	stopped.Wait()
	if err == nil {
		err = access(unix.BPF_MAP_LOOKUP_ELEM, g.schedule, &s)
	}
	return int(s.count), err
}

// burst puts n frames on near at once.
func (g *generator) burst(frame []byte, n int) error { return runLive(g.free, g.index, frame, n) }

// pinned runs f on a thread that runs on this processor only, and that no
// signal interrupts but the generator's own.
func pinned(cpu int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		var all unix.Sigset_t
		for i := range all.Val {
			all.Val[i] = ^all.Val[i]
		}
		const bits = 8 * int(unsafe.Sizeof(all.Val[0]))
		all.Val[(int(unix.SIGURG)-1)/bits] &^= 1 << ((int(unix.SIGURG) - 1) % bits)
		if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil); err != nil {
			done <- err
			return
		}
		if err := setAffinity(cpu); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// setAffinity pins the calling thread, and what it starts, to a processor.
func setAffinity(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to processor %d: %w", cpu, err)
	}
	return nil
}
