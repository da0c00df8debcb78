// Package cli is the program pkts: its commands, their options and what they
// print.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gopkts/gopkts/common/filter"
)

// The exit codes of the program.
const (
	exitOK    = 0 // everything was done
	exitFail  = 1 // something failed, a file is damaged, or packets differ
	exitUsage = 2 // the command line makes no sense, or would overwrite its input
)

// errReported is an error that was printed where it happened; it is not printed
// again.
var errReported = errors.New("reported")

// usageError is an error in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef returns an error in the command line.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the program and returns its exit code.
func Main(args []string, in io.Reader, out, stderr io.Writer) int {
	// A reader that went away ends the program by the error of the write, so
	// that files are still completed; without this the signal ends it.
	ignoreBrokenPipes()
	ctx, stop := signal.NotifyContext(context.Background(), interrupts()...)
	defer stop()
	// The first interrupt ends the work in order, a second one at once.
	context.AfterFunc(ctx, stop)
	a := &app{untilDone(ctx, in), out, stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil || isBrokenPipe(err):
		return exitOK
	case errors.Is(err, errReported):
		return exitFail
	}
	a.warn(err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(stderr, "Run \"%s --help\" for what there is.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFail
}

// warn prints an error, and for one of an expression where in it.
func (a *app) warn(err error) {
	fmt.Fprintf(a.err, "pkts: %s\n", errorText(err))
	if e, ok := errors.AsType[*filter.Error](err); ok && e.Expr != "" {
		for line := range strings.Lines(e.Caret()) {
			fmt.Fprint(a.err, "  ", line)
		}
	}
	if errors.Is(err, filter.ErrDialect) {
		fmt.Fprintln(a.err, "  --dialect scoped has it")
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "pkts",
		Short: "Capture, read, check, convert and send network packets",
		Long: `pkts captures and sends packets and reads capture files (pcap, pcapng, snoop; compressed
by gzip, bzip2, zstd or lz4), and prints them as lines, trees, JSON or fields.

Exit codes: 0 everything was done; 1 something failed, a file is damaged or cut
short, or packets differ; 2 the command line makes no sense, or the output would
overwrite a file that is read.`,
		Example: `  pkts read                              a small capture that is part of the program
  pkts read trace.pcapng                 one line a packet
  pkts read -T tree -c 1 trace.pcapng    every field of the first packet
  pkts read trace.pcapng tcp port 80     only what a filter accepts
  pkts read -T json trace.pcapng | jq 'select(.len > 1000) | .n'
  pkts sniff -i eth0 -w out.pcapng       capture to a file until ^C
  pkts replay -i eth0 trace.pcapng       send what was captured, with its pauses
  pkts check *.pcap                      decode and encode every packet, and compare`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	root.AddCommand(a.readCommand(), a.sniffCommand(), a.filterCommand(), a.replayCommand(), a.sendCommand(), a.defragCommand(), a.ifacesCommand(), a.checkCommand(), a.infoCommand(), a.streamsCommand(), a.followCommand(), a.fieldsCommand(), a.versionCommand())
	for _, c := range root.Commands() {
		c.Args = usageArgs(c.Args)
	}
	root.Args = usageArgs(unknownCommand)
	return root
}

// unknownCommand is the check of the arguments when no command was named.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		text += ": did you mean " + s[0] + "?"
	}
	return errors.New(text)
}

// someFiles is the check of the arguments of a command that reads files.
func someFiles(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name at least one capture file, or - for the standard input")
	}
	return nil
}

// noArgs is the check of the arguments of a command that has none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments: leave out %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// wanted says what a flag takes.
func wanted(flag *pflag.Flag) string {
	switch flag.Name {
	case "count":
		return "a number of packets"
	case "snaplen", "buffer":
		return "a number of bytes"
	case "loop":
		return "a number of times"
	case "rotate-files":
		return "a number of files"
	case "rotate-count":
		return "a number of packets"
	case "rotate-size":
		return "a number of millions of bytes, or of bytes as in 500k, 64MiB or 1G"
	case "speed":
		return "a factor, such as 1, 0.5 or 10"
	case "list":
		return "a number of differences"
	}
	switch flag.Value.Type() {
	case "size":
		return "a number of bytes, such as 65536, 64MiB or 1G"
	case "rate":
		return "a rate, such as 500, 10k or 1.5M"
	case "duration":
		return "a time, such as 30s or 5m"
	case "bool":
		return "true or false"
	default:
		return "a number"
	}
}

// wrongValue is the error of a flag with a value that it does not take.
func wrongValue(flag *pflag.Flag, value string) error {
	name := "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand
	}
	return usagef("%s takes %s, not %q", name, wanted(flag), value)
}

// flagError returns an error of parsing flags without what the parser of a
// value says, which is about Go.
func flagError(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return wrongValue(e.GetFlag(), e.GetValue())
	}
	return err
}

// notNegative checks the flags of cmd with these names, numbers and times.
func notNegative(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); strings.HasPrefix(f.Value.String(), "-") {
			return wrongValue(f, f.Value.String())
		}
	}
	return nil
}

// usageArgs makes the errors of a check of arguments those of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// errorText returns the text of an error without the name of a package in
// front, which means nothing here.
func errorText(err error) string {
	s := err.Error()
	for _, p := range []string{"pkts: ", "pcap: ", "capture: ", "link: ", "filter: "} {
		if len(s) > len(p) && s[:len(p)] == p {
			return s[len(p):]
		}
	}
	return s
}

// isBrokenPipe reports whether writing failed because nobody reads any more.
func isBrokenPipe(err error) bool {
	return errors.Is(err, io.ErrClosedPipe) || isSystemBrokenPipe(err)
}
