package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/all"
)

func (a *app) checkCommand() *cobra.Command {
	var (
		list    int
		verbose bool
		dialect string
	)
	cmd := &cobra.Command{
		Use:   "check FILE... [EXPR...]",
		Short: "Decode and encode every packet, and compare the bytes",
		Long: `check decodes every packet of the files, fills in every layer, and encodes the
packet in three ways: as it is, from its filled-in layers, and with every length,
checksum and number computed anew that was right before. All must give the bytes
of the file. It prints

  packets=N identical=N differing=N errors=N panics=N

of the packets that a filter expression accepts, if there is one: it begins with the
first argument that is no file or behind --. errors counts the packets with a header that cannot be decoded (they are
compared all the same). The exit code is 1 when a packet differs, when the
decoder panics, or when a file cannot be read to its end.`,
		Example: `  pkts check trace.pcap
  pkts check -v captures/*.pcapng`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := notNegative(cmd, "list"); err != nil {
				return err
			}
			files, words := filesAndExpression(cmd, args, false)
			expr, err := a.expression(words, dialect)
			if err != nil {
				return err
			}
			c := checker{app: a, list: list, verbose: verbose, expr: expr, bar: newProgress(a.err), pkt: newPacket()}
			return c.run(cmd.Context(), files)
		},
	}
	registerDialect(cmd, &dialect)
	cmd.Flags().IntVar(&list, "list", 10, "list the first `N` differences")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print a line for each file, and the errors of decoding")
	return cmd
}

// tally is what check counts.
type tally struct{ packets, identical, differing, errors, panics int }

func (t tally) String() string {
	return fmt.Sprintf("packets=%d identical=%d differing=%d errors=%d panics=%d", t.packets, t.identical, t.differing, t.errors, t.panics)
}

func (t *tally) add(o tally) {
	t.packets += o.packets
	t.identical += o.identical
	t.differing += o.differing
	t.errors += o.errors
	t.panics += o.panics
}

// checker checks files.
type checker struct {
	*app
	list    int // differences that are still listed
	verbose bool
	expr    *filter.PerLink // of what is checked; nil for all of it
	bar     *progress
	pkt     *pkts.Packet
	buf     []byte
}

func (c *checker) run(ctx context.Context, files []string) error {
	var total tally
	failed := false
	for _, name := range files {
		if ctx.Err() != nil {
			failed = true
			break
		}
		t, err := c.file(ctx, name, total.packets)
		c.bar.done()
		total.add(t)
		if err != nil {
			c.warn(fileError(name, err))
			failed = true
		}
		if c.verbose {
			if _, err := fmt.Fprintf(c.out, "%s: %v\n", name, t); err != nil {
				return err
			}
		}
	}
	if _, err := fmt.Fprintln(c.out, total); err != nil {
		return err
	}
	if failed || total.differing > 0 || total.panics > 0 {
		return errReported
	}
	return nil
}

// registry returns what the program knows: every protocol, and the tunnels over
// UDP at the ports that are theirs, as tcpdump has it.
func registry() *pkts.Registry { return all.Registry().With(pkts.UDPTunnels()...) }

// newPacket returns a packet that knows every protocol.
func newPacket() *pkts.Packet { return &pkts.Packet{Registry: registry()} }

// file checks one file. A panic, which is what check is there to find, ends the
// file and not the program.
func (c *checker) file(ctx context.Context, name string, before int) (t tally, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.panics++
			c.pkt = newPacket() // the old one may be in any state
			err = fmt.Errorf("packet %d: panic: %v\n%s", t.packets, p, debug.Stack())
		}
	}()
	r, err := c.open(name, nil)
	if err != nil {
		return t, err
	}
	defer r.Close()
	defer context.AfterFunc(ctx, func() { _ = r.Close() })()
	var f link.Frame
	for {
		if err := r.Next(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return t, nil
			}
			return t, err
		}
		if c.expr != nil {
			if ok, err := c.expr.Match(ctx, &f); err != nil {
				return t, err
			} else if !ok {
				continue
			}
		}
		t.packets++
		c.frame(name, &t, &f)
		c.bar.step("check", before+t.packets)
	}
}

// frame checks one packet.
func (c *checker) frame(name string, t *tally, f *link.Frame) {
	p := c.pkt
	if err := p.Decode(f.Link, f.Data); err != nil {
		t.errors++
		if c.verbose {
			c.warn(fmt.Errorf("%s: packet %d: %s", name, t.packets, errorText(err)))
		}
	}
	same := c.same(name, t, f, "copied")
	for n := range p.Nodes() {
		// A body that cannot be decoded is kept as it is.
		_, _ = n.Layer()
	}
	same = same && c.same(name, t, f, "encoded from its layers")
	// An edit that is taken back makes everything be computed anew.
	nothing := &pkts.Raw{}
	p.Append(nothing)
	if err := p.Remove(nothing); err != nil {
		c.differs(name, t, "computed anew: "+errorText(err))
		same = false
	}
	same = same && c.same(name, t, f, "computed anew")
	if same {
		t.identical++
	} else {
		t.differing++
	}
}

// same encodes the packet and compares.
func (c *checker) same(name string, t *tally, f *link.Frame, how string) bool {
	b, err := c.pkt.AppendBinary(c.buf[:0])
	if err != nil {
		c.differs(name, t, how+": "+errorText(err))
		return false
	}
	c.buf = b
	if bytes.Equal(b, f.Data) {
		return true
	}
	at := 0
	for at < min(len(b), len(f.Data)) && b[at] == f.Data[at] {
		at++
	}
	layer := "the end"
	for n := range c.pkt.Nodes() {
		if n.Offset() <= at && at < n.Offset()+n.HeaderLen() {
			layer = fmt.Sprintf("%v+%d", n.Proto(), at-n.Offset())
		}
	}
	c.differs(name, t, fmt.Sprintf("%s: differs from byte %d on (%s): got %x, want %x; %d bytes, want %d",
		how, at, layer, excerpt(b, at), excerpt(f.Data, at), len(b), len(f.Data)))
	return false
}

// excerpt returns a few bytes from at on.
func excerpt(b []byte, at int) []byte { return b[min(at, len(b)):min(at+8, len(b))] }

// differs lists a difference.
func (c *checker) differs(name string, t *tally, what string) {
	if c.list <= 0 {
		return
	}
	c.list--
	fmt.Fprintf(c.err, "%s: packet %d: %s\n", name, t.packets, what)
}
