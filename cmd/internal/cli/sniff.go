package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func (a *app) sniffCommand() *cobra.Command {
	var (
		flags     outputFlags
		iface     string
		snapLen   int
		modest    bool
		direction string
		buffer    int
		duration  time.Duration
		quiet     bool
	)
	cmd := &cobra.Command{
		Use:   "sniff -i INTERFACE [flags]",
		Short: "Capture packets from a network interface, and print or store them",
		Long: `sniff captures what an interface sends and receives, until ^C, -c or --duration,
and prints it as read does or writes it to a file (-w). At the end it says on the
standard error how many packets there were and how many were lost. Meanwhile the
interface is in promiscuous mode, as with tcpdump; -p leaves it as it is.

Capturing needs a privilege: on Linux CAP_NET_RAW, which root has, and which
"setcap cap_net_raw+ep" gives to the program.`,
		Example: `  pkts sniff -i eth0
  pkts sniff -i eth0 -c 10 -T tree
  pkts sniff -i eth0 -w out.pcapng --duration 1m
  pkts sniff -i eth0 -T json | jq -c '.layers[-1]'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && iface == "" {
				return fmt.Errorf("name the interface with -i: pkts sniff -i %s", args[0])
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if iface == "" {
				return usagef("name an interface with -i; pkts ifaces lists them")
			}
			if err := notNegative(cmd, "snaplen", "buffer", "duration"); err != nil {
				return err
			}
			cfg := capture.Config{SnapLen: snapLen, Promiscuous: !modest, BufferSize: buffer}
			switch direction {
			case "both":
			case "in":
				cfg.Direction = capture.In
			case "out":
				cfg.Direction = capture.Out
			default:
				return usagef("--direction %s: use both, in or out", direction)
			}
			out, err := a.newOutput(cmd, flags)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			return a.sniff(ctx, iface, &cfg, out, quiet)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&iface, "interface", "i", "", "the `INTERFACE` to capture from; pkts ifaces lists them")
	flags.register(cmd)
	f.IntVarP(&snapLen, "snaplen", "s", 0, "keep the first `BYTES` of each packet; 0 for all that an interface sends at once")
	f.BoolVarP(&modest, "no-promiscuous", "p", false, "do not put the interface into promiscuous mode, in which it receives packets that are addressed to other hosts, too")
	f.StringVar(&direction, "direction", "both", "`WAY` of the packets to capture: both, in or out")
	f.IntVarP(&buffer, "buffer", "B", 0, "size of the capture buffer in `BYTES`; 0 for 8 MiB")
	f.DurationVar(&duration, "duration", 0, "stop after this `TIME`, such as 30s or 5m")
	f.BoolVarP(&quiet, "quiet", "q", false, "no messages at the start and the end")
	_ = cmd.RegisterFlagCompletionFunc("interface", func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		var names []string
		ifaces, err := link.Interfaces()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, i := range ifaces {
			names = append(names, i.Name)
		}
		return withPrefix(names, start), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// sniff captures until ctx is done or out is full.
func (a *app) sniff(ctx context.Context, name string, cfg *capture.Config, out *output, quiet bool) error {
	s, err := capture.Open(name, cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	iface := s.Interface()
	if err := out.create(s.Link(), false); err != nil {
		return err
	}
	describe := func() []pcap.Interface {
		addrs := iface.Addrs
		return []pcap.Interface{{Name: iface.Name, MAC: iface.MAC, Addrs: addrs, Link: s.Link(), SnapLen: uint32(cfg.SnapLen)}}
	}
	if err := out.describe(describe, 0); err != nil {
		return err
	}
	if err := s.Activate(nil); err != nil {
		return err
	}
	if !quiet {
		fmt.Fprintf(a.err, "capturing on %s, link type %v\n", name, s.Link())
	}
	// What was captured before the end is still read: Next fails behind it.
	defer context.AfterFunc(ctx, func() { _ = s.Deactivate() })()
	err = a.sniffFrames(s, out)
	if cerr := out.close(); err == nil {
		err = cerr
	}
	if !quiet {
		a.sniffStats(s, out)
	}
	return err
}

// flushAfter is how long a printed packet may wait for more of them.
const flushAfter = 100 * time.Millisecond

// sniffFrames puts out what is captured.
func (a *app) sniffFrames(s *capture.Sniffer, out *output) error {
	eager := isTerminal(a.out)
	waiting := false // the deadline is set because something waits for flush
	var f link.Frame
	for !out.full() {
		switch err := s.Next(&f); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err := out.flush(); err != nil {
				return err
			}
			if out.file != nil {
				if err := out.file.Flush(); err != nil {
					return err
				}
			}
			waiting = false
			if err := s.SetReadDeadline(time.Time{}); err != nil {
				return err
			}
			continue
		case errors.Is(err, capture.ErrNotActive):
			return nil
		case errors.Is(err, capture.ErrInterfaceDown):
			// It may come back.
			a.warn(err)
			continue
		case err != nil:
			return err
		}
		f.Interface = 0 // of the file
		if err := out.frame(&f, nil); err != nil {
			return err
		}
		if eager {
			if err := out.flush(); err != nil {
				return err
			}
		}
		if !waiting {
			waiting = true
			if err := s.SetReadDeadline(time.Now().Add(flushAfter)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sniffStats prints what became of the packets.
func (a *app) sniffStats(s *capture.Sniffer, out *output) {
	st, err := s.Stats()
	if err != nil {
		a.warn(err)
		return
	}
	fmt.Fprintf(a.err, "%d packets, %d received by the filter, %d dropped by the kernel, %d dropped by the interface\n",
		out.n, st.Received, st.Dropped, st.InterfaceDropped)
	if st.Truncated > 0 {
		fmt.Fprintf(a.err, "%d packets are cut to the snap length\n", st.Truncated)
	}
	if st.Dropped > 0 {
		fmt.Fprintf(a.err, "the buffer was full %d times: a larger one (--buffer) or -w helps\n", st.RingFreezes)
	}
}
