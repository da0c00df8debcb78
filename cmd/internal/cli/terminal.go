package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colors decides by --color, the environment and the output whether to colour:
// https://no-color.org.
func colors(mode string, w io.Writer) (bool, error) {
	switch mode {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w), nil
	default:
		return false, usagef("--color %s: use auto, always or never", mode)
	}
}

// Escape sequences, ECMA-48, section 8.3.117.
const (
	styleBold  = "\x1b[1m"
	styleDim   = "\x1b[2m"
	styleRed   = "\x1b[31m"
	styleReset = "\x1b[0m"
)

// progress tells on a terminal how far long work has come.
type progress struct {
	w     io.Writer // nil when it is not a terminal
	start time.Time
	last  time.Time
	shown bool
	n     uint
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
	progressCheck = 1 << 12 // packets between two looks at the clock
)

// newProgress returns a progress on w, if that is a terminal.
func newProgress(w io.Writer) *progress {
	p := &progress{start: time.Now()}
	if isTerminal(w) {
		p.w = w
	}
	return p
}

// step counts a packet.
func (p *progress) step(what string, packets int) {
	p.n++
	if p.n%progressCheck != 0 || p.w == nil {
		return
	}
	now := time.Now()
	if now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.shown = now, true
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d packets", what, packets)
}

// done takes the line away.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// statusEvery is how often the line on a terminal is written anew.
const statusEvery = 200 * time.Millisecond

// startStatus tells on the standard error how it goes from time to time: by a
// line each time that every is over or, when that is 0 and live is set, by one
// line that changes, if it is a terminal. text returns the line, or nothing to
// tell nothing. startStatus returns what ends that.
func (a *app) startStatus(every time.Duration, live bool, text func(now time.Time) string) (end func()) {
	if live = live && every == 0 && isTerminal(a.err); live {
		every = statusEvery
	}
	if every == 0 {
		return func() {}
	}
	before, after := "", "\n"
	if live {
		before, after = "\r\x1b[K", ""
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case now := <-t.C:
				if line := text(now); line != "" {
					fmt.Fprint(a.err, before+line+after)
				}
			case <-done:
				fmt.Fprint(a.err, before)
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// status is what was told last.
type status struct {
	start, last    time.Time
	packets, bytes uint64
}

func newStatus() *status {
	now := time.Now()
	return &status{start: now, last: now}
}

// text tells how long it has taken, how many packets there were, and the rates
// since the last time.
func (s *status) text(now time.Time, packets, bytes uint64) string {
	seconds := max(now.Sub(s.last).Seconds(), 1e-3)
	text := fmt.Sprintf("%.1fs: %d packets, %s, %s", now.Sub(s.start).Seconds(), packets,
		rateText(float64(packets-s.packets)/seconds, "packets/s"), rateText(8*float64(bytes-s.bytes)/seconds, "bit/s"))
	s.last, s.packets, s.bytes = now, packets, bytes
	return text
}
