package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/pkts/sequence"
)

// followFlags are the options of follow.
type followFlags struct {
	stream           int
	ascii, hex, raw  bool
	json, subflow    bool
	mapped           string
	direction, color string
}

func (a *app) followCommand() *cobra.Command {
	var flags followFlags
	cmd := &cobra.Command{
		Use:   "follow FILE --stream N [--ascii|--hex|--raw|--json|--map OUT] [--direction D]",
		Short: "Print what a TCP connection of a capture file carried",
		Long: `follow prints the bytes of a TCP connection in the order of the stream: put
together of segments that were reordered, repeated or cut, with the two directions
in the order of time. N is the number that pkts streams prints, which is the order of
appearance, from 0.

--ascii (the default) prints text, and a dot for what cannot be printed; --hex prints
a hexdump with the offsets in the stream. Both tell with a line whenever the
direction changes, and where bytes are missing. --raw prints the bytes alone; gaps
are reported on the standard error. --json prints an object a line for each stretch:
direction (forward is from who opened the connection), offset, lost (bytes that are
missing before it), packet, time, data (base64) and events.

--map OUT puts the bytes of one direction, which --direction names, into the file OUT,
each at its offset in the stream; what is missing stays a hole, which reads as zeros,
and is reported on the standard error. On Linux the file is mapped into memory, a
window at a time; elsewhere, and where the file system cannot, it is written. A stream
of any length takes no more memory, and what is there can be read meanwhile: until
pkts ends, OUT may be up to 64 KiB longer than the stream. Nothing else should write
to it, or cut it.

--direction forward or backward leaves the other one out.

What went over several subflows of Multipath TCP is one connection, whose number is
that of its first subflow. --subflow prints a subflow by itself.

The exit code is 1 when the connection does not exist, or the file is damaged before
the connection ends.`,
		Example: `  pkts follow trace.pcap --stream 0
  pkts follow trace.pcap --stream 3 --raw --direction backward > download
  pkts follow trace.pcap --stream 3 --hex | less
  pkts follow trace.pcap --stream 3 --map download --direction backward`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("follow takes one file: leave out %q", args[1])
			}
			if !cmd.Flags().Changed("stream") || flags.stream < 0 {
				return usagef("say which connection with --stream N; pkts streams lists them")
			}
			forms := 0
			for _, f := range []bool{flags.ascii, flags.hex, flags.raw, flags.json, flags.mapped != ""} {
				if f {
					forms++
				}
			}
			if forms > 1 {
				return usagef("--ascii, --hex, --raw, --json and --map are different things to do: leave all but one out")
			}
			if flags.direction != "both" && flags.direction != "forward" && flags.direction != "backward" {
				return usagef("--direction %s: use both, forward or backward", flags.direction)
			}
			if flags.mapped != "" && flags.direction == "both" {
				return usagef("--map takes one direction: add --direction forward or backward")
			}
			color, err := colors(flags.color, a.out)
			if err != nil {
				return err
			}
			return a.follow(cmd.Context(), args[0], &flags, color)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&flags.stream, "stream", "n", 0, "number `N` of the connection, from 0")
	f.BoolVar(&flags.ascii, "ascii", false, "print text (the default)")
	f.BoolVar(&flags.hex, "hex", false, "print a hexdump")
	f.BoolVar(&flags.raw, "raw", false, "print the bytes as they are")
	f.BoolVar(&flags.json, "json", false, "print an object a line")
	f.StringVar(&flags.mapped, "map", "", "put the bytes at their offsets into the file `OUT`")
	f.BoolVar(&flags.subflow, "subflow", false, "print a subflow of Multipath TCP, not what it is joined to")
	f.StringVar(&flags.direction, "direction", "both", "print `DIRECTION` only: forward, backward or both")
	f.StringVar(&flags.color, "color", "auto", "`WHEN` to colour the output: auto (on terminals, unless NO_COLOR is set), always or never")
	completeValues(cmd, "direction", "both", "forward", "backward")
	completeValues(cmd, "color", "auto", "always", "never")
	return cmd
}

// chunkLine is a chunk as JSON. The keys are stable.
type chunkLine struct {
	Direction string     `json:"direction"`
	Offset    uint64     `json:"offset"`
	Lost      uint64     `json:"lost,omitempty"`
	Packet    uint64     `json:"packet"`
	Time      *time.Time `json:"time"`
	Data      []byte     `json:"data"`
	Events    []string   `json:"events,omitempty"`
}

// follow prints a connection.
func (a *app) follow(ctx context.Context, name string, flags *followFlags, color bool) (err error) {
	begun, found := 0, false
	var stream uint64
	numbers := map[uint64]int{} // by the first packet
	tcp := sequence.TCP{Limits: streamLimits(), Began: func(s sequence.StreamInfo) {
		if begun == flags.stream {
			stream, found = s.Stream, true
		}
		numbers[s.Stream] = begun
		begun++
	}}
	joinedTo := -1
	var seq sequence.Sequence[sequence.Datagram, sequence.Chunk] = &tcp
	if !flags.subflow {
		seq = &sequence.MPTCP{TCP: tcp, Done: func(i sequence.MPTCPInfo) {
			if found && slices.Contains(i.Subflows[1:], stream) {
				joinedTo = numbers[i.Stream]
			}
		}}
	}
	p := followPrinter{out: bufio.NewWriterSize(a.out, 1<<16), flags: flags, color: color, base: -1}
	if flags.mapped != "" {
		if p.placed, err = createPlaced(flags.mapped, a.stat(name)); err != nil {
			return err
		}
		defer func() {
			if failed := p.placed.close(); err == nil {
				err = failed
			}
		}()
	}
	var failed error
	open := 2 // directions
	for c, err := range a.streamsOf(ctx, name, &progress{}, nil, seq) {
		if err != nil {
			failed = err
			break
		}
		// A packet begins one connection at most.
		if !found || c.Stream != stream {
			continue
		}
		if c.Events.Has(sequence.End) && !c.Events.Has(sequence.Expired) {
			open-- // not because the file ends, which may be due to damage
		}
		p.started(&c)
		if flags.direction != "both" && c.Direction.String() != flags.direction {
			if open == 0 {
				break
			}
			continue
		}
		if (flags.raw || p.placed != nil) && c.Lost > 0 {
			if err := p.out.Flush(); err != nil {
				return err
			}
			a.warn(fmt.Errorf("%d bytes are missing before byte %d of the %s direction", c.Lost, p.offset(&c), c.Direction))
		}
		if err := p.chunk(&c); err != nil {
			return err
		}
		if open == 0 {
			break // nothing can come of it any more
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	if failed != nil {
		a.warn(fileError(name, failed))
		return errReported
	}
	if !found {
		return fmt.Errorf("there is no connection %d: %s has %d, from 0", flags.stream, name, begun)
	}
	if joinedTo >= 0 {
		return fmt.Errorf("connection %d is a subflow of connection %d: follow that, or add --subflow", flags.stream, joinedTo)
	}
	return nil
}

// followPrinter prints chunks.
type followPrinter struct {
	out   *bufio.Writer
	flags *followFlags
	color bool
	base  int // the direction that was printed last, -1 for none
	mid   bool
	buf   []byte
	// zero is the offset that a direction begins with, by sequence.Direction.
	zero [2]uint64
	// placed is where the bytes go instead, unless it is nil.
	placed *placedFile
}

// started notes where a direction begins. Where the SYN was not seen, its first
// byte has the offset 1<<32; otherwise later ones may have that, too.
func (p *followPrinter) started(c *sequence.Chunk) {
	if c.Events.Has(sequence.Start) && c.Offset >= 1<<32 {
		p.zero[c.Direction] = 1 << 32
	}
}

// offset returns the offset of a chunk from the first byte that was seen.
func (p *followPrinter) offset(c *sequence.Chunk) uint64 { return c.Offset - p.zero[c.Direction] }

func (p *followPrinter) chunk(c *sequence.Chunk) error {
	switch {
	case p.placed != nil:
		return p.placed.put(c.Data, int64(p.offset(c)))
	case p.flags.raw:
		_, err := p.out.Write(c.Data)
		return err
	case p.flags.json:
		return p.json(c)
	}
	if len(c.Data) == 0 && c.Lost == 0 && !c.Events.Has(sequence.Reset) {
		return nil
	}
	p.buf = p.buf[:0]
	if int(c.Direction) != p.base {
		p.base = int(c.Direction)
		arrow := ">>> "
		if c.Direction == sequence.Backward {
			arrow = "<<< "
		}
		p.note(arrow + netip.AddrPortFrom(c.Flow.Src, c.Flow.SrcPort).String() + " > " + netip.AddrPortFrom(c.Flow.Dst, c.Flow.DstPort).String())
	}
	if c.Lost > 0 {
		p.note(fmt.Sprintf("[%d bytes missing]", c.Lost))
	}
	if p.flags.hex {
		p.buf = appendStreamHex(p.buf, c.Data, p.offset(c))
	} else {
		for _, b := range c.Data {
			if (b < ' ' || b > '~') && b != '\n' && b != '\t' {
				if b == '\r' {
					continue
				}
				b = '.'
			}
			p.buf = append(p.buf, b)
			p.mid = b != '\n'
		}
	}
	if c.Events.Has(sequence.Reset) {
		p.note("[reset]")
	}
	_, err := p.out.Write(p.buf)
	return err
}

// note appends a line that is not of the stream.
func (p *followPrinter) note(s string) {
	if p.mid {
		p.buf = append(p.buf, '\n')
		p.mid = false
	}
	if p.color {
		style := styleBold
		if s[0] == '[' {
			style = styleRed
		}
		s = style + s + styleReset
	}
	p.buf = append(append(p.buf, s...), '\n')
}

// appendStreamHex appends lines of 16 bytes, with their offsets in the stream.
func appendStreamHex(b, data []byte, off uint64) []byte {
	for len(data) > 0 {
		line := data[:min(16, len(data))]
		b = fmt.Appendf(b, "%08x ", off)
		for i := range 16 {
			if i%8 == 0 {
				b = append(b, ' ')
			}
			if i < len(line) {
				b = append(b, hexDigits[line[i]>>4], hexDigits[line[i]&0xf], ' ')
			} else {
				b = append(b, "   "...)
			}
		}
		b = append(b, " |"...)
		for _, c := range line {
			if c < ' ' || c > '~' {
				c = '.'
			}
			b = append(b, c)
		}
		b = append(b, "|\n"...)
		data = data[len(line):]
		off += uint64(len(line))
	}
	return b
}

func (p *followPrinter) json(c *sequence.Chunk) error {
	l := chunkLine{Direction: c.Direction.String(), Offset: p.offset(c), Lost: c.Lost, Packet: c.Packet, Data: c.Data}
	if l.Data == nil {
		l.Data = []byte{}
	}
	if !c.Time.IsZero() {
		t := c.Time.UTC()
		l.Time = &t
	}
	for i, name := range []string{"start", "end", "reset", "expired"} {
		if c.Events.Has(1 << i) {
			l.Events = append(l.Events, name)
		}
	}
	return json.NewEncoder(p.out).Encode(&l)
}

func (p *followPrinter) close() error {
	if p.mid {
		_ = p.out.WriteByte('\n')
	}
	return p.out.Flush()
}
