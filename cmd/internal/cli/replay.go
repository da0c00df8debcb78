package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
)

// replayFlags are the options of replay.
type replayFlags struct {
	iface     string
	pps, bps  rateFlag
	speed     float64
	topSpeed  bool
	loop      int
	count     int
	truncated bool
	keepGoing bool
	backend   string
	stats     time.Duration
	quiet     bool
}

func (a *app) replayCommand() *cobra.Command {
	var flags replayFlags
	cmd := &cobra.Command{
		Use:   "replay -i INTERFACE FILE...",
		Short: "Send the packets of capture files on a network interface",
		Long: `replay sends the packets of capture files, one after the other, exactly as they
are in the file: with the pauses that they had when they were captured, or faster
or slower (--speed), at a rate (--pps, --bps), or as fast as possible (-t). At the
end it says on the standard error how many there were, and how fast it was.

The link type of the file must be that of the interface. Packets of which the file
has only a part are passed over and counted, unless --truncated sends that part.
Packets that the interface does not take, because they are longer than its MTU
allows, are counted as failed; the others are still sent, and the exit code is 1.
Any other error of sending ends the work, unless --keep-going counts it, too.

Packets that are late, because the machine is slow or busy, follow without a
pause until the schedule is met again; what is more than 100 ms late is given up,
and the end tells how much that was.

Sending needs the same privilege as capturing.`,
		Example: `  pkts replay -i eth0 trace.pcapng
  pkts replay -i eth0 --pps 10k --loop 0 trace.pcapng
  pkts replay -i eth0 --bps 100M trace.pcap.gz
  pkts replay -i eth0 -t --loop 100 trace.pcap`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := flags.check(cmd, files); err != nil {
				return err
			}
			return a.replay(cmd.Context(), &flags, files)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&flags.iface, "interface", "i", "", "the `INTERFACE` to send on; pkts ifaces lists them")
	f.Var(&flags.pps, "pps", "send `RATE` packets a second, as in 500, 10k or 1.5M")
	f.Var(&flags.bps, "bps", "send `RATE` bits a second, as in 100M, of the packets' own bytes")
	f.Float64Var(&flags.speed, "speed", 1, "keep the pauses of the file, `FACTOR` times as fast")
	f.BoolVarP(&flags.topSpeed, "top-speed", "t", false, "send as fast as possible")
	f.IntVarP(&flags.loop, "loop", "l", 1, "send the files `N` times; 0 until ^C")
	f.IntVarP(&flags.count, "count", "c", 0, "stop after `N` packets")
	f.BoolVar(&flags.truncated, "truncated", false, "send packets, too, of which the file has only a part")
	f.BoolVar(&flags.keepGoing, "keep-going", false, "count packets that cannot be sent, whatever the reason, and go on")
	f.StringVar(&flags.backend, "backend", "auto", "`WAY` to hand packets to the kernel: auto, ring, messages or xdp")
	f.DurationVar(&flags.stats, "stats", 0, "tell on the standard error how it goes, each time that this `TIME` is over")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "no messages at the start and the end")
	completeValues(cmd, "backend", backendNames()...)
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
	return cmd
}

// check checks the flags.
func (f *replayFlags) check(cmd *cobra.Command, files []string) error {
	if f.iface == "" {
		return usagef("name an interface with -i; pkts ifaces lists them")
	}
	if err := notNegative(cmd, "speed", "loop", "count", "stats"); err != nil {
		return err
	}
	if !(f.speed > 0) {
		return wrongValue(cmd.Flags().Lookup("speed"), cmd.Flags().Lookup("speed").Value.String())
	}
	rates := 0
	for _, name := range []string{"pps", "bps", "speed", "top-speed"} {
		if cmd.Flags().Changed(name) {
			rates++
		}
	}
	if rates > 1 {
		return usagef("--pps, --bps, --speed and --top-speed each say how fast: give one of them")
	}
	if f.loop == 1 {
		return nil
	}
	if slices.Contains(files, "-") {
		return usagef("--loop reads a file again, which the standard input cannot be")
	}
	return nil
}

// pacer returns what says when a packet is due.
func (f *replayFlags) pacer() *capture.Pacer {
	p := &capture.Pacer{PacketsPerSecond: f.pps.rate, BitsPerSecond: f.bps.rate}
	if f.pps.rate == 0 && f.bps.rate == 0 && !f.topSpeed {
		p.Speed = f.speed
	}
	return p
}

// replay sends files.
func (a *app) replay(ctx context.Context, flags *replayFlags, files []string) error {
	backend, err := parseBackend(flags.backend)
	if err != nil {
		return err
	}
	// Who only sends needs no XDP program, which would be in the way of another
	// one and make some devices start anew.
	s, err := capture.Open(flags.iface, &capture.Config{BufferSize: smallBuffer, Backend: backend, Direction: capture.Out})
	if err != nil {
		return err
	}
	defer s.Close()
	snd := &sender{app: a, ctx: ctx, s: s, pacer: flags.pacer(), keepGoing: flags.keepGoing}
	if !flags.quiet {
		fmt.Fprintf(a.err, "sending on %s, link type %v, %v, %v\n", flags.iface, s.Link(), s.Backend(), snd.pacer)
	}
	endStatus := a.startStatus(flags.stats, !flags.quiet, snd.statusText())
	snd.begin()
	err = a.replayFiles(ctx, flags, files, snd)
	if ferr := snd.flush(); err == nil {
		err = ferr
	}
	snd.end()
	endStatus()
	if ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err())) {
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

// smallBuffer is the size of a capture buffer in which nothing is captured, in
// bytes.
const smallBuffer = 256 << 10

// errEnough ends the reading of files.
var errEnough = errors.New("enough")

// replayFiles sends files as often as it was asked for.
func (a *app) replayFiles(ctx context.Context, flags *replayFlags, files []string, snd *sender) error {
	for n := 0; flags.loop == 0 || n < flags.loop; n++ {
		before := snd.seen
		for _, name := range files {
			switch err := a.replayFile(ctx, flags, name, snd); {
			case err == errEnough:
				return nil
			case err != nil:
				return err
			}
		}
		if snd.seen == before {
			return nil // there is nothing to send, and never will be
		}
	}
	return nil
}

// replayFile sends one file.
func (a *app) replayFile(ctx context.Context, flags *replayFlags, name string, snd *sender) error {
	// What waits for more packets must not wait for input.
	r, err := a.open(name, func() error {
		if err := snd.flush(); err != nil {
			return outputError{err}
		}
		return nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e, ok := errors.AsType[outputError](err); ok {
			return e.error
		}
		return fileError(name, err)
	}
	defer r.Close()
	// An interrupt ends the wait for input, too.
	defer context.AfterFunc(ctx, func() { _ = r.Close() })()
	snd.pacer.Restart()
	to := snd.s.Link()
	checked := link.Type(0)
	known := false // checked was checked
	var f link.Frame
	for {
		if flags.count > 0 && snd.seen >= flags.count {
			return errEnough
		}
		if err := r.Next(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if e, ok := errors.AsType[outputError](err); ok {
				return e.error
			}
			return fileError(name, err)
		}
		if !known || f.Link != checked {
			if err := suits(f.Link, to, flags.iface); err != nil {
				return fileError(name, err)
			}
			checked, known = f.Link, true
		}
		if f.Truncated() && !flags.truncated {
			snd.cut.Add(1)
			continue
		}
		if err := snd.send(f.Data, f.Time); err != nil {
			return err
		}
	}
}

// suits says why packets of the type from cannot be sent on an interface of the
// type to, if so.
func suits(from, to link.Type, iface string) error {
	isIP := func(t link.Type) bool { return t == link.TypeRaw || t == link.TypeIPv4 || t == link.TypeIPv6 }
	if from == to || isIP(from) && isIP(to) {
		return nil
	}
	advice := "send it on an interface of that type"
	switch {
	case isIP(from) && to == link.TypeEthernet:
		advice = "its packets begin with IP: send them on a tun interface, or put an Ethernet header in front"
	case from == link.TypeLinuxSLL || from == link.TypeLinuxSLL2:
		advice = "its packets were captured on \"any\", which leaves their own link headers out: capture on one interface"
	case from == link.TypeEthernet && isIP(to):
		advice = "its packets begin with an Ethernet header, which this interface does not have"
	}
	return fmt.Errorf("link type %v does not suit %s, which has %v: %s", from, iface, to, advice)
}
