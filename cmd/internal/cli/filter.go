package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

// filterFlags are the options of filter.
type filterFlags struct {
	link    string
	dialect string
	dump    int
	explain bool
	ast     bool
	plain   bool
	live    bool
	snapLen int
}

func (a *app) filterCommand() *cobra.Command {
	var flags filterFlags
	cmd := &cobra.Command{
		Use:   "filter [-y LINKTYPE] [-d|-dd|-ddd|--explain|--ast] EXPR...",
		Short: "Compile a filter expression, and print the program",
		Long: `filter compiles an expression of pcap-filter(7), such as "tcp port 80", for frames
of a link type, and prints the program of classic BPF in one of the forms of
tcpdump: -d (the default) for people, -dd for C, -ddd in decimal numbers.
--explain
prints it as -d does, and says what each test asks for; --ast prints the
expression as it was understood.

--dialect scoped reads the expression as people expect rather than as tcpdump
does: tagged and untagged packets alike, "tcp" and "port" also behind IPv6
extension headers, "vlan 10,20-30", and "inner tcp port 80" for the packet in a
tunnel. The commands that take expressions (read, sniff, info and check) have the
same flag; docs/filters.md has the rules.

The exit code is 1 when the expression is refused; why, and where, is on the
standard error.`,
		Example: `  pkts filter tcp port 80
  pkts filter --explain 'host 10.0.0.1 and not port 22'
  pkts filter -y RAW -ddd ip6
  pkts filter --dialect scoped 'vlan 10,20-30 and inner tcp port 80'
  iptables -A INPUT -m bpf --bytecode "$(pkts filter -y RAW -ddd udp port 53 | tr '\n' ',')" -j DROP`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.filter(cmd.Context(), &flags, strings.Join(args, " "))
	}
	f := cmd.Flags()
	f.StringVarP(&flags.link, "linktype", "y", "EN10MB", "`LINKTYPE` of the frames, such as EN10MB, RAW, LINUX_SLL2 or a LINKTYPE_ number")
	f.CountVarP(&flags.dump, "dump", "d", "print the program: -d for people, -dd for C, -ddd in decimal numbers")
	f.BoolVar(&flags.explain, "explain", false, "print the program, and what each test of it asks for")
	f.BoolVar(&flags.ast, "ast", false, "print the expression as it was understood, with all qualifiers")
	f.BoolVarP(&flags.plain, "no-optimize", "O", false, "leave out the optimizer")
	f.BoolVar(&flags.live, "live", false, "for a capture on Linux, where the kernel takes VLAN tags off the frames; by default, for files")
	registerDialect(cmd, &flags.dialect)
	f.IntVarP(&flags.snapLen, "snaplen", "s", 0, "have the program keep the first `BYTES` of each packet; 0 for 262144")
	_ = cmd.RegisterFlagCompletionFunc("linktype", func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		return withPrefix([]string{"EN10MB", "RAW", "LINUX_SLL", "LINUX_SLL2", "NULL", "PPP", "IEEE802_11", "IEEE802_11_RADIO"}, start), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// filter compiles an expression and prints what was asked for.
func (a *app) filter(ctx context.Context, flags *filterFlags, expr string) error {
	t, err := link.ParseType(flags.link)
	if err != nil {
		return usageError{fmt.Errorf("-y %s: %s", flags.link, errorText(err))}
	}
	switch {
	case flags.ast && flags.explain, flags.ast && flags.dump > 0, flags.explain && flags.dump > 0:
		return usagef("-d, --explain and --ast are different things to print: leave all but one out")
	case flags.dump > 3:
		return usagef("-d up to three times: -d, -dd or -ddd")
	case flags.snapLen < 0:
		return usagef("-s takes a number of bytes, not %d", flags.snapLen)
	}
	o := filter.Options{Link: t, SnapLen: flags.snapLen, Resolver: systemResolver{}, NoOptimize: flags.plain}
	if o.Dialect, err = parseDialect(flags.dialect); err != nil {
		return err
	}
	if flags.live {
		o.Target = filter.TargetLinux
	}
	f, err := filter.CompileContext(ctx, expr, o)
	if err != nil {
		return a.refused(err)
	}
	var text string
	switch p := f.Program(); {
	case flags.ast:
		text = f.String() + "\n"
	case flags.explain:
		text = f.Explain(ctx)
	case flags.dump == 3:
		text = p.Format(filter.FormDecimal)
	case flags.dump == 2:
		text = p.Format(filter.FormC)
	default:
		text = p.Format(filter.FormText)
	}
	_, err = fmt.Fprint(a.out, text)
	return err
}

// refused prints why an expression was refused, and where, and returns what
// makes the program fail.
func (a *app) refused(err error) error {
	if _, ok := errors.AsType[*filter.Error](err); !ok {
		return err
	}
	a.warn(err)
	return errReported
}

// dialects are the names of --dialect.
var dialects = map[string]filter.Dialect{"pcap": filter.DialectPcap, "scoped": filter.DialectScoped}

// registerDialect adds the flag --dialect to a command.
func registerDialect(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "dialect", "pcap", "`DIALECT` of the expression: pcap (as tcpdump) or scoped; see docs/filters.md")
	completeValues(cmd, "dialect", "pcap", "scoped")
}

func parseDialect(name string) (filter.Dialect, error) {
	d, ok := dialects[name]
	if !ok {
		return 0, usagef("--dialect %s: use pcap or scoped", name)
	}
	return d, nil
}

// expression returns the filter of an expression, and nil for none.
func (a *app) expression(words []string, dialect string) (*filter.PerLink, error) {
	o := filter.Options{Resolver: systemResolver{}}
	var err error
	if o.Dialect, err = parseDialect(dialect); err != nil || len(words) == 0 {
		return nil, err
	}
	f, err := filter.NewPerLink(strings.Join(words, " "), o)
	if err != nil {
		return nil, a.refused(err)
	}
	return f, nil
}

// filesAndExpression takes the arguments of a command apart: files, and the
// words of an expression behind them. An expression begins behind -- or with
// the first argument that is no file, except that the first argument is one if
// none was named otherwise.
func filesAndExpression(cmd *cobra.Command, args []string, named bool) (files, words []string) {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		return args[:n], args[n:]
	}
	for i, arg := range args {
		if i == 0 && !named || arg == "-" {
			continue
		}
		if _, err := os.Stat(arg); err != nil && !strings.ContainsAny(arg, `/\`+"*") && !captureName(arg) {
			return args[:i], args[i:]
		}
	}
	return args, nil
}

// captureName reports whether an argument looks like the name of a capture
// file, so that one that is not there is missed and not taken for a word of an
// expression.
func captureName(arg string) bool {
	for _, ext := range [...]string{".pcap", ".pcapng", ".cap", ".gz", ".zst", ".lz4", ".bz2", ".snoop"} {
		if strings.HasSuffix(arg, ext) {
			return true
		}
	}
	return false
}
