package cli

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// outputFlags are the options of the commands that print packets.
type outputFlags struct {
	write       string
	writeFormat string
	count       int
	format      string
	fields      []string
	separator   string
	hex, ascii  int
	time        string
	times       int
	utc, nano   bool
	color       string
	print       bool
}

// The names of -T.
var formats = []string{"text", "tree", "json", "fields"}

// frameFields are the fields that belong to no layer.
var frameFields = []string{"n", "time", "caplen", "len", "link", "interface", "summary"}

func (o *outputFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&o.write, "write", "w", "", "write the packets to `FILE`, - for the standard output; nothing is printed unless -T, -e, -x or --print asks for it")
	f.StringVar(&o.writeFormat, "write-format", "", "`FORMAT` of that file: pcapng, pcap (microseconds) or pcap-nano; by default what its name says, else pcapng")
	f.IntVarP(&o.count, "count", "c", 0, "stop after `N` packets")
	f.StringVarP(&o.format, "type", "T", "text", "`FORM` to print: text (a line a packet), tree (every field), json (an object a line) or fields")
	f.StringArrayVarP(&o.fields, "field", "e", nil, "a `FIELD` to print, such as tcp.src_port, time or summary; repeatable; implies -T fields; pkts fields lists them")
	f.StringVar(&o.separator, "separator", "\t", "`TEXT` between fields; several values of one are joined by commas")
	// The empty name keeps the type "count" out of the help text.
	f.CountVarP(&o.hex, "hex", "x", "``print the bytes behind the link header too; -xx with the link header")
	f.CountVarP(&o.ascii, "ascii", "X", "``-x with ASCII; -XX with the link header")
	f.StringVar(&o.time, "time", timeStyles[0], "`STYLE` of times: time of day (clock), none, epoch, delta (to the packet before), date, or first (to the first packet)")
	f.CountVarP(&o.times, "t", "t", "``as tcpdump: -t none, -tt epoch, -ttt delta, -tttt date, -ttttt first")
	f.BoolVar(&o.utc, "utc", false, "print times in UTC, not in the local time zone")
	f.BoolVar(&o.nano, "nano", false, "print times in nanoseconds")
	f.StringVar(&o.color, "color", "auto", "`WHEN` to colour the output: auto (on terminals, unless NO_COLOR is set), always or never")
	f.BoolVar(&o.print, "print", false, "print although -w is given")
	completeValues(cmd, "type", formats...)
	completeValues(cmd, "time", timeStyles[:]...)
	completeValues(cmd, "color", "auto", "always", "never")
	completeValues(cmd, "write-format", "pcapng", "pcap", "pcap-nano")
	completeValues(cmd, "field", append(slices.Clone(frameFields), registry().FieldPaths()...)...)
}

// withPrefix returns the values that begin with start.
func withPrefix(values []string, start string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !strings.HasPrefix(v, start) })
}

// output is where packets go.
type output struct {
	flags   outputFlags
	silent  bool // nothing is printed
	color   bool
	fields  []field
	hex     hexStyle
	clock   clock
	out     io.Writer
	buf     []byte
	pkt     pkts.Packet
	filter  *filter.PerLink // of what is read; nil for all of it
	n       int             // packets so far
	scratch []byte

	file       packetFile
	rotator    *pcap.Rotator      // file, if it is one
	rotation   *pcap.RotateConfig // asks for one
	stream     io.Writer          // instead of file, for what is already encoded
	closer     io.Closer          // of stream, if any
	fileFormat pcap.Format
	snapLen    int      // that a classic file states; 0 for the most that there can be
	interfaces int      // described in file
	base       int      // number of the first interface of the file that is read
	names      []string // of the interfaces, if they are printed
}

// packetFile is where -w writes: one file or a succession of them.
type packetFile interface {
	AddInterface(index int, iface pcap.Interface) error
	WritePacket(f *link.Frame, options pcap.PacketOptions) error
	WriteBlock(b pcap.Block) error
	InterfaceID(index int, t link.Type) (id uint32, ok bool)
	Flush() error
	Close() error
}

// field is one column of -T fields.
type field struct {
	name string
	path *pkts.FieldPath // nil for one of frameFields
}

// outputSize is how much is collected before it is written.
const outputSize = 64 << 10

// newOutput checks the flags. The file of -w is created with the first packet.
func (a *app) newOutput(cmd *cobra.Command, flags outputFlags) (*output, error) {
	o := &output{flags: flags, out: a.out, buf: make([]byte, 0, 2*outputSize), pkt: pkts.Packet{Registry: registry()}}
	if len(flags.fields) > 0 && !cmd.Flags().Changed("type") {
		o.flags.format = "fields"
	}
	if !slices.Contains(formats, o.flags.format) {
		return nil, usagef("-T %s: use %s", o.flags.format, strings.Join(formats, ", "))
	}
	if (o.flags.format == "fields") != (len(flags.fields) > 0) {
		return nil, usagef("-T fields and -e belong together: name the fields, as in -T fields -e ipv4.src -e tcp.dst_port")
	}
	if err := notNegative(cmd, "count"); err != nil {
		return nil, err
	}
	for _, name := range flags.fields {
		f := field{name: name}
		if !slices.Contains(frameFields, name) {
			p, err := o.pkt.Registry.ParseField(name)
			if err != nil {
				return nil, usageError{err}
			}
			f.path = p
		}
		o.fields = append(o.fields, f)
	}
	o.hex = hexStyle{on: flags.hex+flags.ascii > 0, link: flags.hex > 1 || flags.ascii > 1, ascii: flags.ascii > 0}
	style, err := parseTimeStyle(flags.time, flags.times)
	if err != nil {
		return nil, err
	}
	o.clock = clock{style: style, zone: time.Local, digits: 6}
	if flags.utc {
		o.clock.zone = time.UTC
	}
	if flags.nano {
		o.clock.digits = 9
	}
	if o.color, err = colors(flags.color, a.out); err != nil {
		return nil, err
	}
	if flags.write != "" {
		o.silent = !flags.print && !cmd.Flags().Changed("type") && len(flags.fields) == 0 && !o.hex.on
		if flags.write == "-" && !o.silent {
			return nil, usagef("-w - and printing both want the standard output: give one of them a file")
		}
		if flags.write == "-" && isTerminal(a.out) {
			return nil, usagef("-w - writes a capture file, which is nothing for a terminal: redirect it")
		}
	}
	if o.fileFormat, err = writeFormat(flags.writeFormat, flags.write); err != nil {
		return nil, err
	}
	return o, nil
}

// overwrites reports whether what is put out would go into the file that st
// describes: by -w, or because the standard output is that file. Devices and
// pipes lose nothing by that.
func (o *output) overwrites(st os.FileInfo) bool {
	if !st.Mode().IsRegular() {
		return false
	}
	if w := o.flags.write; w != "" && w != "-" {
		// A file that is not there yet is no other one.
		if to, err := os.Stat(w); err == nil && os.SameFile(to, st) {
			return true
		}
	}
	if o.silent && o.flags.write != "-" {
		return false
	}
	f, ok := o.out.(*os.File)
	if !ok {
		return false
	}
	to, err := f.Stat()
	return err == nil && os.SameFile(to, st)
}

// overwriteError is the error of an input that the output would overwrite.
func (o *output) overwriteError(name string) error {
	if name == "-" {
		name = "the standard input"
	}
	to := "the standard output"
	if o.flags.write != "" && o.flags.write != "-" {
		to = "-w " + o.flags.write
	}
	return usagef("%s would overwrite what is read, %s: write to another file", to, name)
}

// writeFormat returns the format of the file called path, FormatUnknown when
// it is the classic one and the precision is to be that of the source.
func writeFormat(name, path string) (pcap.Format, error) {
	switch name {
	case "":
		switch strings.ToLower(filepath.Ext(path)) {
		case ".pcap", ".cap", ".dmp":
			return pcap.FormatUnknown, nil
		}
		return pcap.FormatPcapng, nil
	case "pcapng":
		return pcap.FormatPcapng, nil
	case "pcap":
		return pcap.FormatPcap, nil
	case "pcap-nano":
		return pcap.FormatPcapNano, nil
	default:
		return 0, usagef("--write-format %s: use pcapng, pcap or pcap-nano", name)
	}
}

// full reports whether -c is reached.
func (o *output) full() bool { return o.flags.count > 0 && o.n >= o.flags.count }

// create creates the file of -w. t is the link type of the source, if it is
// known, and coarse says that it has no more than microseconds.
func (o *output) create(t link.Type, coarse bool) error {
	if o.flags.write == "" || o.file != nil {
		return nil
	}
	if o.fileFormat == pcap.FormatUnknown {
		o.fileFormat = pcap.FormatPcapNano
		if coarse {
			o.fileFormat = pcap.FormatPcap
		}
	}
	cfg := o.fileConfig(t)
	if o.rotation != nil {
		return o.createRotator(cfg)
	}
	var w *pcap.Writer
	var err error
	if o.flags.write == "-" {
		w, err = pcap.NewWriter(o.out, cfg)
	} else {
		w, err = pcap.Create(o.flags.write, cfg)
	}
	if err != nil {
		return err
	}
	o.file = w
	return nil
}

// fileConfig returns how the file of -w is written.
func (o *output) fileConfig(t link.Type) pcap.WriterConfig {
	cfg := pcap.WriterConfig{Format: o.fileFormat}
	if o.fileFormat == pcap.FormatPcapng {
		cfg.Section.Options = pcap.Options{pcap.TextOption(pcap.OptSectionApplication, "pkts "+versionText())}
	} else {
		cfg.Link, cfg.SnapLen = t, o.snapLen
	}
	return cfg
}

// createRotator prepares the files of -w. The first is created with the first
// packet.
func (o *output) createRotator(cfg pcap.WriterConfig) error {
	dir, name := filepath.Split(o.flags.write)
	c := *o.rotation
	c.Writer, c.Overwrite, c.Pattern = cfg, true, name
	if !strings.Contains(name, "{seq}") {
		ext := filepath.Ext(name)
		c.Pattern = strings.TrimSuffix(name, ext) + "_{seq}_{time}" + ext
	}
	r, err := pcap.CreateRotator(cmp.Or(dir, "."), c)
	if err != nil {
		return err
	}
	o.file, o.rotator = r, r
	return nil
}

// rotates reports whether a file can end without a packet.
func (o *output) rotates() bool { return o.rotator != nil && o.rotation.Interval > 0 }

// rotateIfDue ends a file whose time is over.
func (o *output) rotateIfDue(now time.Time) error { return o.rotator.RotateIfDue(now) }

// describe describes the interfaces of the source in a pcapng file.
func (o *output) describe(interfaces func() []pcap.Interface, index int) error {
	if o.file == nil || o.fileFormat != pcap.FormatPcapng || o.base+index < o.interfaces {
		return nil
	}
	for i, iface := range interfaces() {
		if o.base+i < o.interfaces {
			continue
		}
		iface.Section = 0
		if err := o.file.AddInterface(o.base+i, iface); err != nil {
			return err
		}
		o.interfaces = o.base + i + 1
	}
	return nil
}

// frame puts out one packet; options are those of a pcapng file.
func (o *output) frame(f *link.Frame, options pcap.PacketOptions) error {
	o.n++
	if o.file != nil {
		index := f.Interface
		f.Interface += o.base
		if o.fileFormat != pcap.FormatPcapng {
			options = nil
		}
		err := o.file.WritePacket(f, options)
		f.Interface = index
		if err != nil {
			return err
		}
	}
	if o.silent {
		return nil
	}
	switch o.flags.format {
	case "text":
		o.text(f)
	case "tree":
		o.tree(f)
	case "json":
		o.json(f)
	case "fields":
		o.columns(f)
	}
	if o.hex.on {
		o.hexdump(f)
	}
	if len(o.buf) >= outputSize {
		return o.flush()
	}
	return nil
}

// flush writes what was collected.
func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	_, err := o.out.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// close completes the output.
func (o *output) close() error {
	err := o.flush()
	if o.closer != nil {
		if cerr := o.closer.Close(); err == nil {
			err = cerr
		}
	}
	if o.file != nil {
		if ferr := o.file.Close(); err == nil {
			err = ferr
		}
	}
	return err
}

// name returns the name of a frame's interface, if it is printed.
func (o *output) name(f *link.Frame) string {
	if f.Interface < len(o.names) {
		return o.names[f.Interface]
	}
	return ""
}

func (o *output) style(s string) {
	if o.color {
		o.buf = append(o.buf, s...)
	}
}

// text prints one line.
func (o *output) text(f *link.Frame) {
	// What could not be decoded shows in the line.
	_ = o.pkt.Decode(f.Link, f.Data)
	o.style(styleDim)
	o.buf = o.clock.append(o.buf, f.Time)
	o.style(styleReset)
	if name := o.name(f); name != "" {
		o.buf = append(append(o.buf, name...), ' ')
	}
	o.buf = append(o.pkt.AppendSummary(o.buf), '\n')
}

// tree prints all fields below a heading.
func (o *output) tree(f *link.Frame) {
	err := o.pkt.Decode(f.Link, f.Data)
	o.style(styleBold)
	o.buf = append(o.buf, "Packet "...)
	o.buf = strconv.AppendInt(o.buf, int64(o.n), 10)
	o.buf = append(o.buf, ", "...)
	o.buf = o.clock.append(o.buf, f.Time)
	o.buf = strconv.AppendInt(o.buf, int64(f.WireLen), 10)
	o.buf = append(o.buf, " bytes"...)
	if f.Truncated() {
		o.buf = append(o.buf, ", "...)
		o.buf = strconv.AppendInt(o.buf, int64(len(f.Data)), 10)
		o.buf = append(o.buf, " captured"...)
	}
	o.buf = append(o.buf, ", "...)
	o.buf = append(o.buf, f.Link.String()...)
	if name := o.name(f); name != "" {
		o.buf = append(append(o.buf, ", "...), name...)
	}
	o.style(styleReset)
	o.buf = append(o.buf, '\n')
	if err != nil {
		o.style(styleRed)
		o.buf = append(append(o.buf, "error: "...), errorText(err)...)
		o.style(styleReset)
		o.buf = append(o.buf, '\n')
	}
	if !o.color {
		o.buf = append(o.pkt.AppendTree(o.buf, nil), '\n')
		return
	}
	o.scratch = o.pkt.AppendTree(o.scratch[:0], nil)
	for line := range bytes.Lines(o.scratch) {
		line = line[:len(line)-1]
		switch {
		case line[0] != ' ':
			o.style(styleBold)
		case bytes.Contains(line, []byte("[bad, ")) || bytes.Contains(line, []byte(" error: ")):
			o.style(styleRed)
		}
		o.buf = append(o.buf, line...)
		o.style(styleReset)
		o.buf = append(o.buf, '\n')
	}
	o.buf = append(o.buf, '\n')
}

// json prints one object.
func (o *output) json(f *link.Frame) {
	err := o.pkt.Decode(f.Link, f.Data)
	b := append(o.buf, `{"n":`...)
	b = strconv.AppendInt(b, int64(o.n), 10)
	b = append(b, `,"time":`...)
	if f.Time.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = f.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
		b = append(b, '"')
	}
	b = append(b, `,"caplen":`...)
	b = strconv.AppendInt(b, int64(len(f.Data)), 10)
	b = append(b, `,"len":`...)
	b = strconv.AppendInt(b, int64(f.WireLen), 10)
	b = append(b, `,"link":`...)
	b = strconv.AppendQuote(b, f.Link.String())
	if name := o.name(f); name != "" {
		b = append(b, `,"interface":`...)
		b = strconv.AppendQuoteToASCII(b, name)
	}
	if f.Direction != link.DirectionUnknown {
		b = append(b, `,"direction":`...)
		b = strconv.AppendQuote(b, f.Direction.String())
	}
	if f.Flags.Has(link.InfoVLAN) {
		b = append(b, `,"vlan_tci":`...)
		b = strconv.AppendUint(b, uint64(f.VLANTCI), 10)
		b = append(b, `,"vlan_tpid":`...)
		b = strconv.AppendUint(b, uint64(f.VLANTPID), 10)
	}
	if err != nil {
		b = append(b, `,"error":`...)
		b = strconv.AppendQuoteToASCII(b, errorText(err))
	}
	b = append(b, `,"layers":`...)
	b = o.pkt.AppendJSONLayers(b)
	o.buf = append(b, '}', '\n')
}

// columns prints the fields of -e.
func (o *output) columns(f *link.Frame) {
	_ = o.pkt.Decode(f.Link, f.Data)
	b := o.buf
	for i := range o.fields {
		if i > 0 {
			b = append(b, o.flags.separator...)
		}
		c := &o.fields[i]
		if c.path != nil {
			b, _ = c.path.AppendValues(b, &o.pkt, ",")
			continue
		}
		switch c.name {
		case "n":
			b = strconv.AppendInt(b, int64(o.n), 10)
		case "time":
			if b = o.clock.append(b, f.Time); o.clock.style != timeNone {
				b = b[:len(b)-1]
			}
		case "caplen":
			b = strconv.AppendInt(b, int64(len(f.Data)), 10)
		case "len":
			b = strconv.AppendInt(b, int64(f.WireLen), 10)
		case "link":
			b = append(b, f.Link.String()...)
		case "interface":
			if name := o.name(f); name != "" {
				b = append(b, name...)
			} else {
				b = strconv.AppendInt(b, int64(f.Interface), 10)
			}
		case "summary":
			b = o.pkt.AppendSummary(b)
		}
	}
	o.buf = append(b, '\n')
}

// hexdump prints the bytes.
func (o *output) hexdump(f *link.Frame) {
	data := f.Data
	if !o.hex.link {
		_ = o.pkt.Decode(f.Link, f.Data)
		for n := range o.pkt.Nodes() {
			// The first layer is the link header, except where there is none.
			if n.Depth() == 0 && n.Proto().Name != "IPv4" && n.Proto().Name != "IPv6" {
				data = data[n.HeaderLen():]
			}
			break
		}
	}
	o.buf = appendHexdump(o.buf, data, o.hex.ascii)
}
