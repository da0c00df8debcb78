package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// sendFlags are the options of send.
type sendFlags struct {
	iface    string
	file     string
	count    int
	interval time.Duration
	fix      bool
	quiet    bool
}

func (a *app) sendCommand() *cobra.Command {
	var flags sendFlags
	cmd := &cobra.Command{
		Use:   "send -i INTERFACE [HEX... | -r FILE]",
		Short: "Send packets that are given in hexadecimal digits",
		Long: `send sends packets whose bytes, from the first one of the link header, are given
in hexadecimal digits: one packet for each HEX, or for each line of FILE or of the
standard input. Space, colons, dashes, dots and 0x between the digits do not count,
nor do empty lines and what is behind a #. What read -xx prints is understood, too.

--fix sets the lengths and checksums of the headers right that are not.`,
		Example: `  pkts send -i eth0 'ffffffffffff 020000000001 0806 0001080006040001 020000000001c0000201 000000000000c0000202'
  pkts send -i eth0 --count 10 --interval 100ms -r packet.hex
  pkts read -xx -c 1 trace.pcap | pkts send -i eth0 --fix`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.iface == "" {
				return usagef("name an interface with -i; pkts ifaces lists them")
			}
			if err := notNegative(cmd, "count", "interval"); err != nil {
				return err
			}
			if len(args) > 0 && flags.file != "" {
				return usagef("-r %s and packets on the command line: give one of them", flags.file)
			}
			frames, err := a.hexFrames(args, flags.file)
			if cmd.Context().Err() != nil {
				return nil // ^C is how it ends
			}
			if err != nil {
				return err
			}
			return a.send(cmd.Context(), &flags, frames)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&flags.iface, "interface", "i", "", "the `INTERFACE` to send on; pkts ifaces lists them")
	f.StringVarP(&flags.file, "read", "r", "", "read the packets from `FILE`, - for the standard input")
	f.IntVarP(&flags.count, "count", "c", 1, "send them `N` times; 0 until ^C")
	f.DurationVar(&flags.interval, "interval", 0, "wait this `TIME` between two packets, such as 100ms")
	f.BoolVar(&flags.fix, "fix", false, "set wrong lengths and checksums right")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "no message at the end")
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
	return cmd
}

// hexFrames returns the packets of the command line or, if there are none, of
// a file.
func (a *app) hexFrames(args []string, name string) ([][]byte, error) {
	var frames [][]byte
	for _, arg := range args {
		b, err := parseHex(arg)
		if err != nil {
			return nil, usageError{err}
		}
		frames = append(frames, b)
	}
	if len(args) > 0 {
		return frames, nil
	}
	text, err := a.readAll(name)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = "-"
	}
	if frames, err = parseHexText(text); err != nil {
		return nil, fileError(name, err)
	}
	if len(frames) == 0 {
		return nil, fileError(name, errors.New("there is no packet in it"))
	}
	return frames, nil
}

// readAll reads a file, or the standard input if there is no name.
func (a *app) readAll(name string) ([]byte, error) {
	if name == "" || name == "-" {
		return io.ReadAll(a.in)
	}
	return os.ReadFile(name)
}

// noHex is what may be between hexadecimal digits.
var noHex = strings.NewReplacer("0x", "", "0X", "", " ", "", "\t", "", ":", "", "-", "", ".", "")

// parseHex returns the bytes of a packet.
func parseHex(s string) ([]byte, error) {
	digits := noHex.Replace(s)
	b, err := hex.DecodeString(digits)
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	switch {
	case errors.Is(err, hex.ErrLength):
		return nil, fmt.Errorf("%q has %d hexadecimal digits: a byte has two", s, len(digits))
	case err != nil:
		return nil, fmt.Errorf("%q is not all hexadecimal digits", s)
	case len(b) == 0:
		return nil, fmt.Errorf("%q has no digits", s)
	}
	return b, nil
}

// parseHexText returns the packets of a text: one a line, or the hex dumps in
// it, if there are any, whatever is between those.
func parseHexText(text []byte) ([][]byte, error) {
	var frames, dumped [][]byte
	var bad error
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if offset, digits, ok := dumpLine(line); ok {
			b, err := parseHex(digits)
			switch {
			case err != nil:
				return nil, fmt.Errorf("line %d: %w", n, err)
			case offset == 0:
				dumped = append(dumped, b)
			case len(dumped) == 0 || len(dumped[len(dumped)-1]) != offset:
				return nil, fmt.Errorf("line %d: the offset does not continue the line before", n)
			default:
				dumped[len(dumped)-1] = append(dumped[len(dumped)-1], b...)
			}
			continue
		}
		b, err := parseHex(line)
		if err != nil && bad == nil {
			bad = fmt.Errorf("line %d: %w", n, err)
		}
		frames = append(frames, b)
	}
	if len(dumped) > 0 {
		return dumped, nil
	}
	return frames, bad
}

// dumpLine takes a line such as "0x0010:  4500 0054  E..T" apart.
func dumpLine(line string) (offset int, digits string, ok bool) {
	at, digits, ok := strings.Cut(line, ":  ")
	if !ok || !strings.HasPrefix(at, "0x") {
		return 0, "", false
	}
	if n, err := fmt.Sscanf(at, "0x%x", &offset); n != 1 || err != nil {
		return 0, "", false
	}
	digits, _, _ = strings.Cut(strings.TrimSpace(digits), "  ")
	return offset, digits, true
}

// send sends frames.
func (a *app) send(ctx context.Context, flags *sendFlags, frames [][]byte) error {
	s, err := capture.Open(flags.iface, &capture.Config{BufferSize: smallBuffer})
	if err != nil {
		return err
	}
	defer s.Close()
	if flags.fix {
		for i, b := range frames {
			if frames[i], err = fix(s.Link(), b); err != nil {
				return err
			}
		}
	}
	pacer := &capture.Pacer{}
	if flags.interval > 0 {
		pacer.PacketsPerSecond = 1 / flags.interval.Seconds()
	}
	snd := &sender{app: a, ctx: ctx, s: s, pacer: pacer}
	snd.begin()
	err = func() error {
		for n := 0; flags.count == 0 || n < flags.count; n++ {
			for _, b := range frames {
				if err := snd.send(b, time.Time{}); err != nil {
					return err
				}
			}
		}
		return snd.flush()
	}()
	snd.end()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // ^C is how it ends
	}
	if !flags.quiet {
		snd.print()
	}
	if err == nil && snd.failed.Load() > 0 {
		err = errReported
	}
	return err
}

// fix returns a packet with right lengths and checksums.
func fix(t link.Type, b []byte) ([]byte, error) {
	p := newPacket()
	if err := p.Decode(t, b); err != nil {
		return nil, fmt.Errorf("--fix: %w", err)
	}
	fixed := false
	for c := range p.Checks() {
		if c.Status != pkts.CheckBad {
			continue
		}
		l, err := c.Node.Layer()
		if err != nil {
			return nil, fmt.Errorf("--fix: %w", err)
		}
		// The zero value of a field asks for the right one.
		if f := reflect.ValueOf(l).Elem().FieldByName(c.Field); f.IsValid() && f.CanSet() {
			f.SetZero()
			fixed = true
		}
	}
	if !fixed {
		return bytes.Clone(b), nil
	}
	return p.AppendBinary(nil)
}
