package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gopacket/gopacket/afpacket"
	"golang.org/x/sys/unix"

	"github.com/gopkts/gopkts/capture"
)

// batch is how many frames a sender hands over at once, where it can; warm is
// for how long it sends before the time begins: a process that has just begun has
// its program to fetch, and more of it the larger it is. Those in C do the same.
const (
	batch = 64
	warm  = 20 * time.Millisecond
)

// A sender puts the same frame on the interface again and again: send puts
// batch of them, and returns when the kernel took them all. Its loop calls the
// library's method itself, as the one in C does and as a program would.
type sender struct {
	send   func() error
	detail string
}

// senders are those that run in a process of this program, which the benchmark
// starts as "capture send NAME SIZE DURATION". More are one entry more, and a
// row of [sendCases].
func senders() map[string]func(ifi string, frame []byte) (sender, error) {
	m := map[string]func(string, []byte) (sender, error){
		"Send": func(ifi string, frame []byte) (sender, error) {
			s, err := capture.Open(ifi, nil)
			return sender{send: func() error {
				for range batch {
					if err := s.Send(frame); err != nil {
						return err
					}
				}
				return nil
			}}, err
		},
		"SendBatch":          sendBatch(capture.BackendRing),
		"SendBatch/messages": sendBatch(capture.BackendMessages),
		"SendBatch/xdp":      sendBatch(capture.BackendXDP),
		"gopacket": func(ifi string, frame []byte) (sender, error) {
			h, err := afpacket.NewTPacket(afpacket.OptInterface(ifi))
			if err != nil {
				return sender{}, err
			}
			return sender{send: func() error {
				for range batch {
					if err := h.WritePacketData(frame); err != nil {
						return err
					}
				}
				return nil
			}}, nil
		},
	}
	addPcapSender(m)
	addRingSender(m)
	addXDPSender(m)
	return m
}

// sendBatch sends by [capture.Sniffer.SendBatch].
func sendBatch(backend capture.BackendType) func(string, []byte) (sender, error) {
	return func(ifi string, frame []byte) (sender, error) {
		s, err := capture.Open(ifi, &capture.Config{Backend: backend})
		if err != nil {
			return sender{}, err
		}
		frames := make([][]byte, batch)
		for i := range frames {
			frames[i] = frame
		}
		return sender{detail: s.Backend().String(), send: func() error {
			n, err := s.SendBatch(frames)
			if err == nil && n != batch {
				err = fmt.Errorf("%d of %d frames went out", n, batch)
			}
			return err
		}}, nil
	}
}

// sendMain is the process of a sender.
func sendMain(args []string) {
	say(runSender(args[0], args[1], args[2]))
}

func runSender(name, size, duration string) (answer, error) {
	open, ok := senders()[name]
	n, err := strconv.Atoi(size)
	d, err2 := time.ParseDuration(duration)
	switch err := errors.Join(err, err2); {
	case err != nil:
		return answer{}, err
	case !ok:
		return answer{}, fmt.Errorf("%w: not in this version", errors.ErrUnsupported)
	}
	s, err := open(sink, tcpFrame(n))
	if err != nil {
		return answer{}, err
	}
	a := answer{Detail: s.detail}
	for start := time.Now(); time.Since(start) < warm; a.Warm += batch {
		if err := s.send(); err != nil {
			return a, err
		}
	}
	cpu, start := processTime(), time.Now()
	for a.Nanoseconds < d.Nanoseconds() {
		if err := s.send(); err != nil {
			return a, err
		}
		a.Frames += batch
		a.Nanoseconds = time.Since(start).Nanoseconds()
	}
	a.CPU = processTime() - cpu
	return a, nil
}

// processTime is the processor time of this process, in nanoseconds.
func processTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

//go:embed csend/csend.c
var csend []byte

// buildCSenders compiles the senders in C and returns the program's path.
func buildCSenders(dir string) (string, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "csend")
	cmd := exec.Command(cc, "-O2", "-Wall", "-pthread", "-x", "c", "-o", out, "-")
	cmd.Stdin = bytes.NewReader(csend)
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cc: %w: %s", err, b)
	}
	return out, nil
}
