package cli

import (
	"fmt"
	"io"
	"os"
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
