package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func (a *app) readCommand() *cobra.Command {
	var (
		flags   outputFlags
		files   []string
		recover bool
		follow  bool
		dialect string
	)
	cmd := &cobra.Command{
		Use:   "read [-r FILE... | FILE... | -] [EXPR...] [flags]",
		Short: "Print the packets of capture files, or copy them to another",
		Long: `read prints the packets of capture files, one line each in the manner of
tcpdump -nn -S, or as trees, JSON or fields; with -w it copies them, to a file that
is none of those that are read.

FILE is a pcap, pcapng or snoop file, whatever its name, perhaps compressed by
gzip, bzip2, zstd or lz4; - is the standard input. Without FILE, a small capture
that is part of the program is read.

EXPR is a filter expression, as pcap-filter(7) has them: only the packets that it
accepts are printed or copied. It begins with the first argument that is no file,
or behind --.

A file that is damaged or cut short is printed as far as it goes; a warning says
where it ends, and the exit code is 1.

-T json prints an object a line: n (from 1), time (RFC 3339, UTC, nanoseconds,
or null), caplen and len (captured and original length in bytes), link, layers,
and, where they apply, interface, direction, vlan_tci, vlan_tpid and error. The layers are
described in docs/printing.md.`,
		Example: `  pkts read trace.pcap.gz
  tcpdump -w - | pkts read -
  pkts read -T fields -e time -e ipv4.src -e ipv4.dst -e tcp.flags_names trace.pcap
  pkts read -T json trace.pcap | jq -r '.layers[] | select(.name=="ipv4") | .fields.src'
  pkts read -c 100 -w first100.pcapng trace.pcap
  pkts read -w web.pcap trace.pcap tcp port 80 or 443`,
		RunE: func(cmd *cobra.Command, args []string) error {
			more, words := filesAndExpression(cmd, args, len(files) > 0)
			files = append(files, more...)
			if len(files) == 0 {
				if follow {
					return usagef("-F waits for more of a file: name the file")
				}
				files = []string{sampleName}
			}
			out, err := a.newOutput(cmd, flags)
			if err != nil {
				return err
			}
			if out.filter, err = a.expression(words, dialect); err != nil {
				return err
			}
			if err := a.keepsInputs(files, out); err != nil {
				return err
			}
			var options []pcap.ReaderOption
			if recover {
				options = append(options, pcap.WithRecover())
			}
			if follow {
				options = append(options, pcap.WithFollow(cmd.Context(), followPoll))
			}
			return a.read(cmd.Context(), files, out, options)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "read", "r", nil, "read `FILE`, - for the standard input; repeatable, and the same as naming it without -r")
	flags.register(cmd)
	registerDialect(cmd, &dialect)
	cmd.Flags().BoolVar(&recover, "recover", false, "go on behind damage, where a record makes sense again")
	cmd.Flags().BoolVarP(&follow, "follow", "F", false, "wait for more at the end of a file that is still being written; it must be named")
	return cmd
}

// keepsInputs checks that none of files is where out writes, before anything is
// created.
func (a *app) keepsInputs(files []string, out *output) error {
	for _, name := range files {
		var st os.FileInfo
		var err error
		switch name {
		case sampleName:
			continue
		case "-":
			f, ok := a.in.(*os.File)
			if !ok {
				continue
			}
			st, err = f.Stat()
		default:
			st, err = os.Stat(name)
		}
		// What cannot be looked at is reported when its turn comes.
		if err == nil && out.overwrites(st) {
			return out.overwriteError(name)
		}
	}
	return nil
}

// read puts out the packets of files.
func (a *app) read(ctx context.Context, files []string, out *output, options []pcap.ReaderOption) error {
	t := transfer{app: a, out: out, options: options}
	take := func(f *link.Frame) error {
		if ok, err := t.accepts(ctx, f); err != nil || !ok {
			return err
		}
		return t.put(f, t.packetOptions())
	}
	return t.run(ctx, files, take, func() error { return nil })
}

// followPoll is how often --follow looks for more.
const followPoll = 100 * time.Millisecond

// listedSkips is how many of the stretches passed over are listed.
const listedSkips = 10

// skipped tells what --recover passed over.
func (a *app) skipped(name string, n, bytes int64, skips []pcap.Skip) {
	for _, s := range skips[:min(len(skips), listedSkips)] {
		a.warn(fmt.Errorf("%s: passed over %d bytes from byte %d: %s", name, s.Bytes, s.Offset, errorText(s.Err)))
	}
	a.warn(fmt.Errorf("%s: passed over %d stretches, %d bytes", name, n, bytes))
}
