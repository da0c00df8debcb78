package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// streamLine is what streams says of a connection. The keys are stable.
type streamLine struct {
	N         int         `json:"n"`                  // from 0, in the order of appearance
	Client    string      `json:"client"`             // who opened it, or was seen first
	Server    string      `json:"server"`             // the other endpoint
	Packet    uint64      `json:"packet"`             // the first one
	Tunnel    bool        `json:"tunnel"`             // whether it is inside another IP packet
	Start     *time.Time  `json:"start"`              // null where packets have no times
	Duration  float64     `json:"duration"`           // seconds
	State     string      `json:"state"`              // opening, open, half-closed, closed, reset
	Handshake *float64    `json:"handshake"`          // seconds, null if it was not seen
	Sides     [2]sideLine `json:"sides"`              // what the client sends, and what the server does
	Closed    string      `json:"reset_by,omitempty"` // client or server
	MPTCP     *mptcpLine  `json:"mptcp,omitempty"`    // of subflows of Multipath TCP
}

// mptcpLine is what a subflow says of the connection that it is joined to. Only
// the first subflow has more than its number.
type mptcpLine struct {
	Connection int          `json:"connection"` // the number of its first subflow
	Version    uint8        `json:"version,omitempty"`
	Subflows   []int        `json:"subflows,omitempty"`
	State      string       `json:"state,omitempty"`
	Fallback   bool         `json:"fallback,omitempty"` // it goes on without mappings
	Sides      *[2]joinLine `json:"sides,omitempty"`
}

// joinLine is one direction of a joined connection.
type joinLine struct {
	Stream uint64 `json:"stream"` // bytes of the stream that are there
	Gaps   uint64 `json:"gaps"`
	Lost   uint64 `json:"lost"` // bytes
}

// sideLine is one direction of a connection.
type sideLine struct {
	Packets    uint64   `json:"packets"`
	Bytes      uint64   `json:"bytes"`  // of payload, repetitions included
	Stream     uint64   `json:"stream"` // bytes of the stream that are there
	Retrans    uint64   `json:"retransmissions"`
	OutOfOrder uint64   `json:"out_of_order"`
	Gaps       uint64   `json:"gaps"`
	Lost       uint64   `json:"lost"`    // bytes
	RTTMin     *float64 `json:"rtt_min"` // seconds, null if there was nothing to measure
	RTTMean    *float64 `json:"rtt_mean"`
}

// tunnelsOpened is how many tunnels inside each other are looked into.
const tunnelsOpened = 8

// streamLimits are those of the connections of a file. Unlike in what goes on for
// ever, one that was quiet for long is the same when it goes on; the default number
// of connections still bounds the memory.
func streamLimits() sequence.Limits { return sequence.Limits{Idle: -1} }

func (a *app) streamsCommand() *cobra.Command {
	var format, dialect string
	cmd := &cobra.Command{
		Use:   "streams FILE [EXPR...] [-T text|json]",
		Short: "List the TCP connections of a capture file",
		Long: `streams lists the TCP connections of a capture file, in the order in which they
appear, with the number by which pkts follow knows them: endpoints (the one first
that opened the connection, or was seen first), start and duration in seconds, the
packets and bytes of payload of each direction (repetitions included),
retransmissions, segments out of order, gaps (stretches of bytes that are not in the
file) and the bytes that they lack, the round-trip time of the handshake, and the
state. A connection that was quiet, for however long, is the same when it goes on.
IP fragments are put together first, and tunnels are opened. Subflows of
Multipath TCP are connections of the list, too; below it stands which of them make one,
and what that carried.

FILE is what pkts read takes; - is the standard input. EXPR is a filter expression:
the packets that it does not accept do not count.

-T json prints an object a line.`,
		Example: `  pkts streams trace.pcap
  pkts streams trace.pcapng tcp port 80
  pkts streams -T json trace.pcap | jq 'select(.sides[].lost > 0) | .n'`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usagef("-T %s: use text or json", format)
			}
			expr, err := a.expression(args[1:], dialect)
			if err != nil {
				return err
			}
			return a.streams(cmd.Context(), args[0], expr, format == "json")
		},
	}
	cmd.Flags().StringVarP(&format, "type", "T", "text", "`FORMAT` of the output: text or json")
	completeValues(cmd, "type", "text", "json")
	registerDialect(cmd, &dialect)
	return cmd
}

// oneFile is the check of the arguments of a command that reads one file.
func oneFile(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name a capture file, or - for the standard input")
	}
	return nil
}

// streamsOf yields the chunks of the TCP streams of a file. Errors of packets are
// not yielded, but counted in tcp's statistics, which makes the streams; the one that ends the file is,
// unless it is the user who ended it.
func (a *app) streamsOf(ctx context.Context, name string, bar *progress, expr *filter.PerLink, tcp sequence.Sequence[sequence.Datagram, sequence.Chunk]) iter.Seq2[sequence.Chunk, error] {
	return func(yield func(sequence.Chunk, error) bool) {
		r, err := a.open(name, nil)
		if err != nil {
			yield(sequence.Chunk{}, err)
			return
		}
		defer r.Close()
		defer context.AfterFunc(ctx, func() { _ = r.Close() })()
		var failed error
		frames := func(yield func(link.Frame, error) bool) {
			var f link.Frame
			n := 0
			for {
				if err := r.Next(&f); err != nil {
					if !errors.Is(err, io.EOF) {
						failed = err
					}
					return
				}
				if expr != nil {
					if ok, err := expr.Match(ctx, &f); err != nil {
						failed = err
						return
					} else if !ok {
						// An empty frame keeps the numbers those of the file.
						f.Data = nil
					}
				}
				if !yield(f, nil) {
					return
				}
				n++
				bar.step(name, n)
			}
		}
		s := sequence.Then(sequence.Sequence[sequence.Datagram, sequence.Datagram](&sequence.Fragments{Tunnels: tunnelsOpened, Registry: registry()}), tcp)
		for c, err := range sequence.All(s, sequence.Datagrams(frames, registry())) {
			if err != nil {
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
		if failed != nil && ctx.Err() == nil {
			yield(sequence.Chunk{}, failed)
		}
	}
}

// streams lists the connections of a file.
func (a *app) streams(ctx context.Context, name string, expr *filter.PerLink, asJSON bool) error {
	numbers := map[uint64]int{} // by the first packet
	var list []sequence.StreamInfo
	var joined []sequence.MPTCPInfo
	tcp := &sequence.MPTCP{
		TCP: sequence.TCP{
			Limits: streamLimits(),
			Began: func(s sequence.StreamInfo) {
				numbers[s.Stream] = len(numbers)
			},
			Done: func(s sequence.StreamInfo) { list = append(list, s) },
		},
		Done: func(i sequence.MPTCPInfo) { joined = append(joined, i) },
	}
	var failed error
	bar := newProgress(a.err)
	for _, err := range a.streamsOf(ctx, name, bar, expr, tcp) {
		failed = err
	}
	bar.done()
	slices.SortFunc(list, func(x, y sequence.StreamInfo) int { return numbers[x.Stream] - numbers[y.Stream] })
	slices.SortFunc(joined, func(x, y sequence.MPTCPInfo) int { return numbers[x.Stream] - numbers[y.Stream] })
	if err := a.printStreams(list, joinLines(joined, numbers), asJSON); err != nil {
		return err
	}
	if failed != nil {
		a.warn(fileError(name, failed))
		return errReported
	}
	return nil
}

// joinLines returns what is to be said of joined connections, in their order.
func joinLines(joined []sequence.MPTCPInfo, numbers map[uint64]int) (lines []*mptcpLine) {
	for i := range joined {
		x := &joined[i]
		l := &mptcpLine{Connection: numbers[x.Stream], Version: x.Version, State: x.State.String(), Fallback: x.Fallback, Sides: new([2]joinLine)}
		for _, s := range x.Subflows {
			l.Subflows = append(l.Subflows, numbers[s])
		}
		for d := range x.Sides {
			l.Sides[d] = joinLine{x.Sides[d].Delivered, x.Sides[d].Gaps, x.Sides[d].Lost}
		}
		lines = append(lines, l)
	}
	return lines
}

func (a *app) printStreams(list []sequence.StreamInfo, joined []*mptcpLine, asJSON bool) error {
	if asJSON {
		by := map[int]*mptcpLine{}
		for _, l := range joined {
			for _, n := range l.Subflows[1:] {
				by[n] = &mptcpLine{Connection: l.Connection}
			}
			by[l.Connection] = l
		}
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		for n := range list {
			line := lineOf(n, &list[n])
			line.MPTCP = by[n]
			if err := e.Encode(line); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "N\tCLIENT\tSERVER\tSTART\tDURATION\tPACKETS\tBYTES\tPACKETS\tBYTES\tRETRANS\tOOO\tGAPS\tLOST\tRTT\tSTATE\t")
	fmt.Fprintln(w, "\t\t\t\t\t>\t>\t<\t<\t\t\t\t\t\t\t")
	var zero time.Time
	for n := range list {
		s := &list[n]
		if n == 0 {
			zero = s.First
		}
		x, y := &s.Sides[0], &s.Sides[1]
		rtt := "-"
		if s.Handshake > 0 {
			rtt = fmt.Sprintf("%.3fms", float64(s.Handshake)/1e6)
		}
		start := "-"
		if !s.First.IsZero() {
			start = fmt.Sprintf("%.6f", s.First.Sub(zero).Seconds())
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%.6f\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", n,
			netip.AddrPortFrom(s.Flow.Src, s.Flow.SrcPort), netip.AddrPortFrom(s.Flow.Dst, s.Flow.DstPort),
			start, s.Last.Sub(s.First).Seconds(), x.Packets, x.Bytes, y.Packets, y.Bytes,
			x.Retransmissions+y.Retransmissions, x.OutOfOrder+y.OutOfOrder, x.Gaps+y.Gaps, x.Lost+y.Lost, rtt, s.State)
	}
	if err := w.Flush(); err != nil || len(joined) == 0 {
		return err
	}
	w = tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nMPTCP\tVERSION\tSUBFLOWS\tBYTES >\tBYTES <\tGAPS\tLOST\tSTATE\t")
	for _, l := range joined {
		x, y := &l.Sides[0], &l.Sides[1]
		subflows := strings.Trim(strings.ReplaceAll(fmt.Sprint(l.Subflows), " ", ","), "[]")
		fmt.Fprintf(w, "%d\t%d\t%s\t%d\t%d\t%d\t%d\t%s\t\n", l.Connection, l.Version, subflows, x.Stream, y.Stream, x.Gaps+y.Gaps, x.Lost+y.Lost, l.State)
	}
	return w.Flush()
}

func lineOf(n int, s *sequence.StreamInfo) *streamLine {
	l := &streamLine{
		N: n, Client: netip.AddrPortFrom(s.Flow.Src, s.Flow.SrcPort).String(), Server: netip.AddrPortFrom(s.Flow.Dst, s.Flow.DstPort).String(),
		Packet: s.Stream, Tunnel: s.Tunnel != 0, Duration: s.Last.Sub(s.First).Seconds(), State: s.State.String(),
	}
	if !s.First.IsZero() {
		t := s.First.UTC()
		l.Start = &t
	}
	if s.Handshake > 0 {
		l.Handshake = new(s.Handshake.Seconds())
	}
	if s.Close == sequence.CloseReset {
		l.Closed = "client"
		if s.ClosedBy == sequence.Backward {
			l.Closed = "server"
		}
	}
	for i := range s.Sides {
		x := &s.Sides[i]
		l.Sides[i] = sideLine{
			Packets: x.Packets, Bytes: x.Bytes, Stream: x.Delivered, Retrans: x.Retransmissions, OutOfOrder: x.OutOfOrder, Gaps: x.Gaps, Lost: x.Lost,
		}
		if x.RTTSamples > 0 {
			l.Sides[i].RTTMin, l.Sides[i].RTTMean = new(x.RTTMin.Seconds()), new(x.RTTMean.Seconds())
		}
	}
	return l
}
