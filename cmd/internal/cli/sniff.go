package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// sniffFlags are the options of sniff.
type sniffFlags struct {
	output     outputFlags
	interfaces []string
	snapLen    int
	modest     bool
	direction  string
	once       bool // nobody gave a direction
	buffer     sizeFlag
	immediate  bool
	backend    string
	stamps     string
	listStamps bool
	duration   time.Duration
	rotate     rotateFlags
	memory     sizeFlag
	user       string
	stats      time.Duration
	quiet      bool
	expr       string
	dialect    string
}

// rotateFlags say when -w begins another file.
type rotateFlags struct {
	size  sizeFlag
	time  secondsFlag
	count int64
	files int
}

// leastBuffer is the smallest -B in bytes: a number below is meant in the units
// of another program.
const leastBuffer = 64 << 10

// directions are the names of --direction.
var directions = map[string]capture.Direction{
	"both": capture.Both, "inout": capture.Both, "in": capture.In, "out": capture.Out,
}

func (a *app) sniffCommand() *cobra.Command {
	var flags sniffFlags
	cmd := &cobra.Command{
		Use:   "sniff -i INTERFACE... [EXPR...] [flags]",
		Short: "Capture packets from network interfaces, and print or store them",
		Long: `sniff captures what interfaces send and receive, until ^C, -c or --duration, and
prints it as read does or writes it to a file (-w). At the end it says on the
standard error how many packets there were and how many were lost. Meanwhile the
interfaces are in promiscuous mode, as with tcpdump; -p leaves them as they are.
What the host sends to itself on the loopback interface is captured on its way in,
also by -i any and as with tcpdump; -Q both shows it on its way out, too.

EXPR is a filter expression, as pcap-filter(7) has them: only the packets that it
accepts are captured. The kernel filters, before it copies them.

With several -i the packets go to one output, which says where each was seen: by
the name in front of a line, by "interface" in JSON, by interface blocks in
pcapng. They are in the order of time on each interface, but not between
interfaces.

-w FILE with one of -C, -G and --rotate-count writes a succession of files, which
replace those of the same names. They are called as FILE with a number and the
time (UTC) of the first packet, out_00001_20060102T150405Z.pcapng; a FILE with
{seq} in its name, and perhaps with {time}, says itself where they stand. -W keeps
the last of them and removes older ones; with -G alone, tcpdump's -W would end the
capture instead. The capture does not wait for the disk: packets for which there
is no room (--write-buffer) are lost, counted and reported.

Capturing needs a privilege: on Linux CAP_NET_RAW, which root has, and which
"setcap cap_net_raw+ep" gives to the program. -Z USER, for root on Linux, gives all
privileges up once the interfaces are open, before any file is created: -w must
name a place where USER may write.

--backend xdp takes packets away from the host; see docs/linux.md for all of them.`,
		Example: `  pkts sniff -i eth0
  pkts sniff -i eth0 -c 10 -T tree
  pkts sniff -i eth0 tcp port 80 or 443
  pkts sniff -i eth0 -i eth1 -w out.pcapng --duration 1m
  pkts sniff -i eth0 -w out.pcapng -C 100 -W 10 -Z nobody
  pkts sniff -i eth0 -T json | jq -c '.layers[-1]'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(flags.interfaces) == 0 {
				return fmt.Errorf("name the interface with -i: pkts sniff -i %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.listStamps {
				return a.listStamps(flags.interfaces)
			}
			flags.expr = strings.Join(args, " ")
			return a.sniffFlagged(cmd, &flags)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&flags.interfaces, "interface", "i", nil, "the `INTERFACE` to capture from; repeatable; pkts ifaces lists them")
	flags.output.register(cmd)
	f.IntVarP(&flags.snapLen, "snaplen", "s", 0, "keep the first `BYTES` of each packet; 0 for all that an interface sends at once")
	f.BoolVarP(&flags.modest, "no-promiscuous", "p", false, "do not put the interface into promiscuous mode, in which it receives packets that are addressed to other hosts, too")
	f.StringVarP(&flags.direction, "direction", "Q", "", "`WAY` of the packets to capture: both (or inout), in or out; by default in on the loopback interface and both on others")
	f.VarP(&flags.buffer, "buffer", "B", "size of the capture buffer in `BYTES`, or as in 64MiB; 0 for 8 MiB")
	f.BoolVar(&flags.immediate, "immediate", false, "take every packet at once; by default they wait up to 10 ms for company, and up to 100 ms on their way to a file")
	f.StringVar(&flags.backend, "backend", "auto", "`WAY` to take packets from the kernel: auto, ring, messages or xdp")
	f.StringVarP(&flags.stamps, "time-stamp-type", "j", "host", "`CLOCK` of the packets' times, as in pcap-tstamp(7): host, host_hiprec or, where the device has one, adapter_unsynced")
	f.BoolVarP(&flags.listStamps, "list-time-stamp-types", "J", false, "list what -j takes, for the interfaces of -i or all")
	f.DurationVar(&flags.duration, "duration", 0, "stop after this `TIME`, such as 30s or 5m")
	flags.rotate.size.plain = 1e6
	f.VarP(&flags.rotate.size, "rotate-size", "C", "begin another file before one is larger than `SIZE` millions of bytes, or as in 500k or 64MiB")
	f.VarP(&flags.rotate.time, "rotate-time", "G", "begin another file after this `TIME`, in seconds or as in 5m")
	f.Int64Var(&flags.rotate.count, "rotate-count", 0, "begin another file after `N` packets")
	f.IntVarP(&flags.rotate.files, "rotate-files", "W", 0, "keep the last `N` of those files")
	f.Var(&flags.memory, "write-buffer", "memory for packets that wait to be written, in `BYTES` or as in 1GiB; 0 for 64 MiB")
	f.StringVarP(&flags.user, "drop-privileges", "Z", "", "become `USER`, without any capability, when the interfaces are open")
	f.DurationVar(&flags.stats, "stats", 0, "tell on the standard error how it goes, each time that this `TIME` is over")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "no messages at the start and the end")
	registerDialect(cmd, &flags.dialect)
	completeValues(cmd, "direction", "both", "in", "out", "inout")
	completeValues(cmd, "backend", backendNames()...)
	completeValues(cmd, "time-stamp-type", timestampNames()...)
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
	return cmd
}

// completeInterfaces completes the name of an interface.
func completeInterfaces(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	var names []string
	ifaces, err := link.Interfaces()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, i := range ifaces {
		names = append(names, i.Name)
	}
	return withPrefix(names, start), cobra.ShellCompDirectiveNoFileComp
}

// backendNames returns the names of the types of backends, by number.
func backendNames() []string {
	var names []string
	for t := capture.BackendAuto; !strings.HasPrefix(t.String(), "BackendType("); t++ {
		names = append(names, t.String())
	}
	return names
}

// timestampNames returns the names of the types of timestamps, by number.
func timestampNames() []string {
	var names []string
	for t := capture.TimestampHost; t.Description() != ""; t++ {
		names = append(names, t.String())
	}
	return names
}

// listStamps prints the types of timestamps of interfaces, or of all there are.
func (a *app) listStamps(interfaces []string) error {
	if len(interfaces) == 0 {
		all, err := link.Interfaces()
		if err != nil {
			return err
		}
		for _, i := range all {
			interfaces = append(interfaces, i.Name)
		}
	}
	for _, name := range interfaces {
		types, err := capture.TimestampTypes(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "time stamp types of %s, for -j:\n", name)
		for _, t := range types {
			fmt.Fprintf(a.out, "  %v (%s)\n", t, t.Description())
		}
	}
	return nil
}

// parseBackend returns the type of backend of a name.
func parseBackend(name string) (capture.BackendType, error) {
	i := slices.Index(backendNames(), name)
	if i < 0 {
		return 0, usagef("--backend %s: use %s", name, strings.Join(backendNames(), ", "))
	}
	return capture.BackendType(i), nil
}

// completeValues completes a flag of cmd, which has been registered, with
// values.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	// It fails for a flag that was not registered.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		return withPrefix(values, start), cobra.ShellCompDirectiveNoFileComp
	})
}

// sniffFlagged checks the flags and captures.
func (a *app) sniffFlagged(cmd *cobra.Command, flags *sniffFlags) error {
	if len(flags.interfaces) == 0 {
		return usagef("name an interface with -i; pkts ifaces lists them")
	}
	for i, name := range flags.interfaces {
		if slices.Contains(flags.interfaces[:i], name) {
			return usagef("-i %s: it is there twice", name)
		}
	}
	if err := notNegative(cmd, "snaplen", "duration", "rotate-count", "rotate-files", "stats"); err != nil {
		return err
	}
	if b := flags.buffer.bytes; b > 0 && b < leastBuffer {
		return usagef("-B %s holds no packet of 64 KiB: it counts bytes, so that tcpdump's -B 4096 and dumpcap's -B 4 are -B 4MiB", flags.buffer.text)
	}
	// What can be known before there is an interface is.
	if _, err := a.expression([]string{flags.expr}, flags.dialect); err != nil {
		return err
	}
	cfg := capture.Config{
		SnapLen: flags.snapLen, Promiscuous: !flags.modest, BufferSize: flags.buffer.bytes, Immediate: flags.immediate,
	}
	if flags.once = !cmd.Flags().Changed("direction"); !flags.once {
		var ok bool
		if cfg.Direction, ok = directions[flags.direction]; !ok {
			return usagef("--direction %s: use both, in or out", flags.direction)
		}
	}
	var err error
	if cfg.Backend, err = parseBackend(flags.backend); err != nil {
		return err
	}
	if cfg.Timestamp, err = capture.ParseTimestampType(flags.stamps); err != nil {
		return usagef("-j %s: use %s; -J lists those of an interface", flags.stamps, strings.Join(timestampNames(), ", "))
	}
	out, err := a.newOutput(cmd, flags.output)
	if err != nil {
		return err
	}
	if out.rotation, err = flags.rotate.config(flags.output.write); err != nil {
		return err
	}
	if out.silent && flags.output.write != "-" && !flags.immediate {
		// Nobody waits for a packet sooner than for the chunk that it goes into.
		cfg.Timeout = flushAfter
	}
	if flags.memory.bytes == 0 {
		flags.memory.bytes = defaultMemory
	}
	var become *account
	if cmd.Flags().Changed("drop-privileges") {
		// No name, as a variable of a script may be, is none of a user.
		if become, err = lookUpAccount(flags.user); err != nil {
			return err
		}
	}
	ctx := cmd.Context()
	if flags.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.duration)
		defer cancel()
	}
	return a.sniff(ctx, flags, &cfg, out, become)
}

// config returns the configuration of a succession of files, and nil for one
// file.
func (r *rotateFlags) config(write string) (*pcap.RotateConfig, error) {
	c := &pcap.RotateConfig{MaxBytes: int64(r.size.bytes), Interval: r.time.time, MaxFrames: r.count, MaxFiles: r.files}
	rotates := c.MaxBytes > 0 || c.Interval > 0 || c.MaxFrames > 0
	switch {
	case !rotates && c.MaxFiles > 0:
		return nil, usagef("-W keeps the last of several files: say with -C, -G or --rotate-count when one begins")
	case !rotates:
		return nil, nil
	case write == "" || write == "-":
		return nil, usagef("-C, -G and --rotate-count begin another file: name it with -w")
	}
	return c, nil
}

// openSources opens the interfaces, and captures what the flags' expression
// accepts.
func openSources(ctx context.Context, flags *sniffFlags, cfg *capture.Config) (sources []*source, err error) {
	defer func() {
		if err != nil {
			closeSources(sources)
		}
	}()
	for i, name := range flags.interfaces {
		src, err := openSource(name, flags.once, cfg)
		if err != nil {
			return sources, err
		}
		src.index = i
		sources = append(sources, src)
	}
	filters := make([]*filter.Filter, len(sources))
	for i, src := range sources {
		if filters[i], err = src.compile(ctx, flags.expr, dialects[flags.dialect]); err != nil {
			return sources, err
		}
	}
	for i, src := range sources {
		if err := src.activate(filters[i]); err != nil {
			return sources, err
		}
	}
	return sources, nil
}

// openSource opens an interface. With once, what goes out on a loopback interface
// is left out, since it comes in again: Linux shows both.
func openSource(name string, once bool, cfg *capture.Config) (*source, error) {
	once = once && runtime.GOOS == "linux"
	if ifi, err := link.InterfaceByName(name); once && err == nil && ifi.Flags.Has(link.FlagLoopback) {
		// What the error says of an interface that there is not, Open says.
		in := *cfg
		in.Direction, cfg = capture.In, &in
	}
	s, err := capture.Open(name, cfg)
	if err != nil {
		return nil, err
	}
	src := &source{s: s, name: name}
	if once && s.Interface().Index == 0 { // all interfaces
		if src.only, err = notLoopbackOut(s.Link()); err != nil {
			_ = s.Close()
			return nil, err
		}
	}
	return src, nil
}

// notLoopbackOut returns the program that rejects, of all interfaces' frames with
// a cooked header, those that go out on a loopback interface. Linux has one in
// each network namespace, which is always there.
func notLoopbackOut(typ link.Type) (filter.Program, error) {
	all, err := link.Interfaces()
	if err != nil || typ != link.TypeLinuxSLL2 {
		return nil, err
	}
	for _, i := range all {
		if i.Flags.Has(link.FlagLoopback) {
			f, err := filter.Compile(fmt.Sprintf("not (outbound and link[4:4] = %d)", i.Index), filter.Options{Link: typ})
			if err != nil {
				return nil, err
			}
			return f.Program(), nil
		}
	}
	return nil, nil
}

// compile returns the filter of an expression for what a source captures: nil
// for everything.
func (s *source) compile(ctx context.Context, expr string, dialect filter.Dialect) (*filter.Filter, error) {
	if expr == "" {
		return nil, nil
	}
	o := filter.Options{Link: s.s.Link(), Resolver: systemResolver{}, Target: filter.TargetLinux, Dialect: dialect}
	for _, a := range s.s.Interface().Addrs {
		if a.Addr().Is4() {
			o.Netmask = ^uint32(0) << (32 - a.Bits())
			break
		}
	}
	return filter.CompileContext(ctx, expr, o)
}

// activate begins to capture what a filter accepts. Of cooked frames the kernel
// does not see the whole header, which is made of what it says of them; a filter
// that asks for the rest is left to the program.
func (s *source) activate(f *filter.Filter) error {
	if f == nil {
		return s.s.Activate(s.only)
	}
	prog := f.Program()
	if s.only != nil {
		var err error
		if prog, err = s.only.And(prog); err != nil {
			return err
		}
	}
	err := s.s.Activate(prog)
	if cooked := f.Link() == link.TypeLinuxSLL2 || f.Link() == link.TypeNetlink; cooked && errors.Is(err, capture.ErrFilter) {
		s.match = f
		return s.s.Activate(s.only)
	}
	return err
}

func closeSources(sources []*source) {
	for _, src := range sources {
		_ = src.s.Close()
	}
}

// sniff captures until ctx is done or out is full.
func (a *app) sniff(ctx context.Context, flags *sniffFlags, cfg *capture.Config, out *output, become *account) error {
	sources, err := openSources(ctx, flags, cfg)
	if _, ok := errors.AsType[*filter.Error](err); ok {
		return a.refused(err)
	}
	if err != nil {
		return err
	}
	defer closeSources(sources)
	if become != nil {
		if err := become.become(); err != nil {
			return err
		}
	}
	if err := out.createFor(sources, cfg.SnapLen); err != nil {
		return err
	}
	if !flags.quiet {
		for _, src := range sources {
			fmt.Fprintf(a.err, "capturing on %s, link type %v, %v\n", src.name, src.s.Link(), src.s.Backend())
		}
	}
	r := newRecorder(a, out, sources, flags.memory.bytes, cfg.SnapLen)
	r.lossy = out.silent
	r.eager = !out.silent && isTerminal(a.out)
	// What was captured before the end is still read: Next fails behind it.
	deactivate := sync.OnceFunc(func() {
		for _, src := range sources {
			_ = src.s.Deactivate()
		}
	})
	defer context.AfterFunc(ctx, deactivate)()
	endStatus := a.startStatus(flags.stats, out.silent && !flags.quiet, r.statusText())
	err = r.run(deactivate)
	endStatus()
	if err == nil {
		err = a.storeStats(r)
	}
	if cerr := out.close(); err == nil {
		err = cerr
	}
	if !flags.quiet {
		a.sniffStats(r)
	}
	if err == nil && r.failed.Load() {
		err = errReported
	}
	return err
}

// createFor creates the file of -w for the packets of sources, and prepares to
// print where each packet comes from.
func (o *output) createFor(sources []*source, snapLen int) error {
	first := sources[0].s.Link()
	for _, src := range sources {
		if src.s.Link() != first && o.flags.write != "" && o.fileFormat != pcap.FormatPcapng {
			return fmt.Errorf("%s has link type %v and %s %v: one pcap file cannot hold both, a pcapng file can",
				sources[0].name, first, src.name, src.s.Link())
		}
	}
	if len(sources) > 1 {
		for _, src := range sources {
			o.names = append(o.names, src.name)
		}
	}
	interfaces := func() []pcap.Interface {
		var list []pcap.Interface
		for _, src := range sources {
			i := src.s.Interface()
			list = append(list, pcap.Interface{Name: i.Name, MAC: i.MAC, Addrs: i.Addrs, Link: src.s.Link(), SnapLen: uint32(snapLen)})
		}
		return list
	}
	o.snapLen = snapLen
	if o.silent && o.rotation == nil && o.flags.count == 0 {
		return o.createStream(sources, interfaces())
	}
	if err := o.create(first, false); err != nil {
		return err
	}
	return o.describe(interfaces, len(sources)-1)
}

// createStream creates the file of -w for packets that the sources encode.
func (o *output) createStream(sources []*source, interfaces []pcap.Interface) error {
	if o.fileFormat == pcap.FormatUnknown {
		o.fileFormat = pcap.FormatPcapNano
	}
	cfg := o.fileConfig(interfaces[0].Link)
	if o.fileFormat == pcap.FormatPcapng {
		cfg.Interfaces = interfaces
	}
	// Every encoder writes the same beginning and numbers the interfaces in the
	// same way: what they write behind it can follow each other in any order.
	var head chunk
	for _, src := range sources {
		head.reset()
		src.sink.c = &head
		var err error
		if src.enc, err = pcap.NewWriter(&src.sink, cfg); err != nil {
			return err
		}
		if err := src.enc.Flush(); err != nil {
			return err
		}
	}
	if o.stream = o.out; o.flags.write != "-" {
		f, err := os.Create(o.flags.write)
		if err != nil {
			return err
		}
		o.stream, o.closer = f, f
	}
	_, err := o.stream.Write(head.data)
	return err
}

// statusText returns what tells how a capture goes.
func (r *recorder) statusText() func(now time.Time) string {
	s := newStatus()
	return func(now time.Time) string {
		var packets, bytes, dropped uint64
		for _, src := range r.sources {
			st, err := src.s.Stats()
			if err != nil {
				return "" // the end tells
			}
			packets += src.packets.Load()
			bytes += src.bytes.Load()
			dropped += st.Dropped
		}
		return fmt.Sprintf("%s, %d dropped by the kernel, %d lost by the program", s.text(now, packets, bytes), dropped, r.lost())
	}
}

// storeStats stores what became of the packets in a pcapng file.
func (a *app) storeStats(r *recorder) error {
	if r.out.fileFormat != pcap.FormatPcapng {
		return nil
	}
	file := r.out.file
	var tail chunk
	if r.stream != nil {
		src := r.sources[0]
		src.sink.c = &tail
		file = src.enc
	}
	if file == nil {
		return nil
	}
	for _, src := range r.sources {
		st, err := src.s.Stats()
		if err != nil {
			continue // sniffStats tells
		}
		id, ok := file.InterfaceID(src.index, src.s.Link())
		if !ok {
			continue
		}
		err = file.WriteBlock(&pcap.InterfaceStatistics{Interface: id, Timestamp: uint64(time.Now().UnixNano()), Options: pcap.Options{
			pcap.Uint64Option(pcap.OptStatsReceived, st.Received+st.Dropped),
			pcap.Uint64Option(pcap.OptStatsDropped, st.InterfaceDropped),
			pcap.Uint64Option(pcap.OptStatsFilterAccepted, st.Received+st.Dropped),
			pcap.Uint64Option(pcap.OptStatsOSDropped, st.Dropped),
			pcap.Uint64Option(pcap.OptStatsDelivered, src.packets.Load()-src.lost.Load()),
		}})
		if err != nil {
			return err
		}
	}
	if r.stream == nil {
		return nil
	}
	if err := file.Flush(); err != nil {
		return err
	}
	_, err := r.stream.Write(tail.data)
	return err
}

// sniffStats prints what became of the packets.
func (a *app) sniffStats(r *recorder) {
	for _, src := range r.sources {
		name, n := "", uint64(r.out.n)
		if len(r.sources) > 1 {
			name, n = src.name+": ", src.packets.Load()-src.lost.Load()
		}
		st, err := src.s.Stats()
		if err != nil {
			a.warn(err)
			continue
		}
		fmt.Fprintf(a.err, "%s%d packets, %d received by the filter, %d dropped by the kernel, %d dropped by the interface\n",
			name, n, st.Received, st.Dropped, st.InterfaceDropped)
		if st.Truncated > 0 {
			fmt.Fprintf(a.err, "%s%d packets are cut to the snap length\n", name, st.Truncated)
		}
		if st.Dropped > 0 {
			fmt.Fprintf(a.err, "%sthe buffer was full %d times: a larger one (--buffer) or -w helps\n", name, st.RingFreezes)
		}
	}
	if len(r.sources) > 1 {
		fmt.Fprintf(a.err, "%d packets altogether\n", r.out.n)
	}
	if n := r.lost(); n > 0 {
		fmt.Fprintf(a.err, "%d packets lost by the program, which could not write them in time: a larger --write-buffer or a faster disk helps\n", n)
	}
}
