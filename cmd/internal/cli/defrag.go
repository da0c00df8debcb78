package cli

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

func (a *app) defragCommand() *cobra.Command {
	var (
		flags   outputFlags
		files   []string
		policy  string
		drop    bool
		dialect string
	)
	cmd := &cobra.Command{
		Use:   "defrag [-r FILE... | FILE... | -] [EXPR...] [flags]",
		Short: "Put IP fragments of capture files together",
		Long: `defrag copies capture files to the file of -w, with the fragments of each IPv4 or
IPv6 datagram put together: in the place of the fragment that completed the
datagram, and with its time, there is one packet, with the link header of the first
fragment. It may be longer than any frame. Everything else stays as it is. Without
-w, the packets are printed, in the manner of pkts read.

EXPR is a filter expression, as pcap-filter(7) has them. It sees the packets as they
come out: udp port 53 accepts what belongs to a datagram of which only the first
fragment has ports.

Fragments of datagrams that stay incomplete are kept as they are. It shows when such
a datagram is given up, 30 seconds (IPv6: 60) after its first fragment, or at the
end of the file, so they stand behind packets that came later. --drop-incomplete
leaves them out. Fragments that are damaged, or cut by the capture, are no part of
any datagram, and are kept. Those that came twice are left out.

--overlap says what becomes of IPv4 fragments that overlap, which no sender makes:
reject (the default, and the rule for IPv6) gives the datagram up; first, last, bsd,
bsd-right, linux, windows and solaris keep the bytes that such a system is said to
keep. Fragments of different interfaces or VLANs are never mixed, nor are those of
different files.

The end says on the standard error what was put together and what was not. The exit
code is 1 when a file is damaged, not when datagrams are incomplete.`,
		Example: `  pkts defrag trace.pcap -w whole.pcapng
  pkts defrag -r trace.pcapng.gz -w dns.pcapng udp port 53
  pkts defrag trace.pcap -T tree
  tcpdump -w - | pkts defrag - -w - | tshark -r -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			more, words := filesAndExpression(cmd, args, len(files) > 0)
			files = append(files, more...)
			if len(files) == 0 {
				return usagef("name at least one capture file, or - for the standard input")
			}
			d := defragger{transfer: transfer{app: a, longer: true}, drop: drop}
			var ok bool
			if d.policy, ok = sequence.ParseFragmentPolicy(policy); !ok {
				return usagef("--overlap %s: use %s", policy, strings.Join(fragmentPolicies(), ", "))
			}
			var err error
			if d.out, err = a.newOutput(cmd, flags); err != nil {
				return err
			}
			if d.out.filter, err = a.expression(words, dialect); err != nil {
				return err
			}
			if err := a.keepsInputs(files, d.out); err != nil {
				return err
			}
			return d.run(cmd.Context(), files)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "read", "r", nil, "read `FILE`, - for the standard input; repeatable, and the same as naming it without -r")
	flags.register(cmd)
	registerDialect(cmd, &dialect)
	cmd.Flags().StringVar(&policy, "overlap", "reject", "`POLICY` for IPv4 fragments that overlap: "+strings.Join(fragmentPolicies(), ", "))
	cmd.Flags().BoolVar(&drop, "drop-incomplete", false, "leave out the fragments of datagrams that stay incomplete")
	completeValues(cmd, "overlap", fragmentPolicies()...)
	return cmd
}

// fragmentPolicies returns the names of --overlap.
func fragmentPolicies() (names []string) {
	for p := sequence.FragmentsReject; p <= sequence.FragmentsSolaris; p++ {
		names = append(names, p.String())
	}
	return names
}

// datagramKey is what the fragments of a datagram have in common, as
// [sequence.LostDatagram] has it.
type datagramKey struct {
	src, dst netip.Addr
	id       uint32
	protocol pkts.IPProto // of IPv4
	tunnel   uint64
}

// heldFrame is a frame that waits for the rest of its datagram.
type heldFrame struct {
	frame   link.Frame
	options pcap.PacketOptions
}

// heldMemory is how much may wait, in bytes. The sequence keeps every byte of a
// payload once; this is for fragments that bring the same ones again and again.
const heldMemory = 256 << 20

// defragger puts the fragments of files together.
type defragger struct {
	transfer
	policy sequence.FragmentPolicy
	drop   bool

	seq   *sequence.Fragments
	pkt   pkts.Packet
	held  map[datagramKey][]heldFrame
	bytes int           // held
	lost  []datagramKey // given up by the sequence just now
	frame link.Frame    // a datagram that was put together

	// put is called for each frame that comes out.
	put func(f *link.Frame, options pcap.PacketOptions) error

	frames, fragments, datagrams, duplicates uint64 // what became of what
	kept, incomplete, refused, unframed      uint64
}

func (d *defragger) run(ctx context.Context, files []string) error {
	d.put = func(f *link.Frame, options pcap.PacketOptions) error {
		if d.out.full() {
			return nil
		}
		if ok, err := d.accepts(ctx, f); err != nil || !ok {
			return err
		}
		return d.transfer.put(f, options)
	}
	d.begin()
	take := func(f *link.Frame) error { return d.take(f, d.packetOptions()) }
	end := func() error {
		err := d.end()
		d.begin()
		return err
	}
	err := d.transfer.run(ctx, files, take, end)
	if err == nil || err == errReported {
		d.summary()
	}
	return err
}

// summary says what was done.
func (d *defragger) summary() {
	fmt.Fprintf(d.err, "%d frames, %d of them fragments: %d datagrams put together, %d incomplete", d.frames, d.fragments, d.datagrams, d.incomplete)
	what := "kept"
	if d.drop {
		what = "left out"
	}
	if d.kept > 0 {
		fmt.Fprintf(d.err, " (%d fragments %s)", d.kept, what)
	}
	if d.duplicates > 0 {
		fmt.Fprintf(d.err, ", %d fragments left out that came twice", d.duplicates)
	}
	if d.refused > 0 {
		fmt.Fprintf(d.err, ", %d kept that are damaged, cut, or contradict others", d.refused)
	}
	if d.unframed > 0 {
		fmt.Fprintf(d.err, ", %d datagrams left in fragments for which the link layer has no frame", d.unframed)
	}
	fmt.Fprintln(d.err)
}

// begin begins a file.
func (d *defragger) begin() {
	d.held = make(map[datagramKey][]heldFrame)
	d.seq = &sequence.Fragments{Policy: d.policy, Lost: func(l sequence.LostDatagram) {
		k := datagramKey{l.Src, l.Dst, l.ID, l.Protocol, l.Tunnel}
		if l.Src.Is6() {
			k.protocol = 0
		}
		d.lost = append(d.lost, k)
	}}
}

// end ends a file.
func (d *defragger) end() error {
	d.seq.Flush()
	return d.giveUp()
}

// take takes a frame.
func (d *defragger) take(f *link.Frame, options pcap.PacketOptions) error {
	d.frames++
	// What decoded before an error is there.
	_ = d.pkt.Decode(f.Link, f.Data)
	dg, ok := sequence.Outermost(&d.pkt)
	if !ok {
		return d.put(f, options)
	}
	k, fragment := d.key(f)
	dg.Packet, dg.Time, dg.Tunnel = d.frames, f.Time, k.tunnel
	before := d.seq.Stats().Duplicate.Packets
	whole, ok, err := d.seq.PutGet(dg)
	if gerr := d.giveUp(); gerr != nil {
		return gerr
	}
	if fragment {
		d.fragments++
	}
	switch {
	case !fragment:
		return d.put(f, options) // also what the sequence could not make sense of
	case err != nil:
		d.refused++
		return d.put(f, options)
	case ok:
		return d.complete(k, f, options, whole.Data)
	case d.seq.Stats().Duplicate.Packets > before:
		d.duplicates++
		return nil
	}
	d.held[k] = append(d.held[k], heldFrame{f.Clone(), pcap.PacketOptions(cloneOptions(pcap.Options(options)))})
	if d.bytes += len(f.Data); d.bytes > heldMemory {
		return d.end()
	}
	return nil
}

// key returns what the fragments of a datagram have in common, and whether f,
// which was decoded, is one.
func (d *defragger) key(f *link.Frame) (k datagramKey, fragment bool) {
	// Interfaces and VLANs are worlds of their own.
	k.tunnel = uint64(f.Interface) + 1
	if f.Flags.Has(link.InfoVLAN) {
		k.tunnel = k.tunnel<<13 | 1<<12 | uint64(f.VLANTCI&0xfff)
	}
	v4, is4 := pkts.View[pkts.IPv4View](&d.pkt)
	v6, is6 := pkts.View[pkts.IPv6View](&d.pkt)
	for n := range 4 {
		v, ok := pkts.NthView[pkts.VLANView](&d.pkt, n)
		if !ok || len(v) < max(len(v4), len(v6)) { // inside of a tunnel
			break
		}
		k.tunnel = k.tunnel<<13 | 1<<12 | uint64(v.ID())
	}
	if is6 && len(v6) > len(v4) {
		k.src, k.dst = v6.Src(), v6.Dst()
		for n := 0; ; n++ {
			// One that makes no fragment may stand in front of one that does.
			h, ok := pkts.NthView[pkts.IPv6FragmentView](&d.pkt, n)
			if !ok || len(h) > len(v6) {
				return k, false
			}
			if h.FragmentOffset() != 0 || h.More() {
				k.id = h.ID()
				return k, true
			}
		}
	}
	if !is4 {
		return k, false
	}
	k.src, k.dst, k.id, k.protocol = v4.Src(), v4.Dst(), uint32(v4.ID()), v4.Protocol()
	return k, v4.FragmentOffset() != 0 || v4.Flags().Has(pkts.IPv4MoreFragments)
}

// complete puts a datagram in the place of f, its last fragment.
func (d *defragger) complete(k datagramKey, f *link.Frame, options pcap.PacketOptions, datagram []byte) error {
	held := d.release(k)
	first := f
	for i := range held {
		if d.isFirst(&held[i].frame) {
			first = &held[i].frame
		}
	}
	d.frame.Info = first.Info
	d.frame.Time = f.Time
	d.frame.Data = append(append(d.frame.Data[:0], first.Data[:d.offset(first)]...), datagram...)
	d.frame.WireLen = len(d.frame.Data)
	// The link header may say how long the frame is, and not be able to.
	_ = d.pkt.Decode(d.frame.Link, d.frame.Data)
	if got, ok := sequence.Outermost(&d.pkt); ok && len(got.Data) == len(datagram) && !d.pkt.Truncated() {
		d.datagrams++
		return d.put(&d.frame, nil)
	}
	d.unframed++
	for i := range held {
		if err := d.put(&held[i].frame, held[i].options); err != nil {
			return err
		}
	}
	return d.put(f, options)
}

// offset returns where the IP header of a frame is.
func (d *defragger) offset(f *link.Frame) int {
	_ = d.pkt.Decode(f.Link, f.Data)
	for n := range d.pkt.Nodes() {
		if p := n.Proto(); p == pkts.IPv4View(nil).Proto() || p == pkts.IPv6View(nil).Proto() {
			return n.Offset()
		}
	}
	return 0
}

// isFirst reports whether a frame, which is a fragment, is the one that the
// datagram begins with.
func (d *defragger) isFirst(f *link.Frame) bool {
	_ = d.pkt.Decode(f.Link, f.Data)
	ip, _ := sequence.Outermost(&d.pkt)
	if ip.Data[0]>>4 == 4 {
		return pkts.IPv4View(ip.Data).FragmentOffset() == 0
	}
	for n := 0; ; n++ {
		h, ok := pkts.NthView[pkts.IPv6FragmentView](&d.pkt, n)
		if !ok {
			return false
		}
		if h.FragmentOffset() != 0 || h.More() {
			return h.FragmentOffset() == 0
		}
	}
}

// release returns the frames of a datagram, which wait no longer.
func (d *defragger) release(k datagramKey) []heldFrame {
	held := d.held[k]
	delete(d.held, k)
	for i := range held {
		d.bytes -= len(held[i].frame.Data)
	}
	return held
}

// giveUp puts out the fragments of datagrams that the sequence has given up.
func (d *defragger) giveUp() error {
	for _, k := range d.lost {
		held := d.release(k)
		d.incomplete++
		d.kept += uint64(len(held))
		for i := range held {
			if d.drop {
				break
			}
			if err := d.put(&held[i].frame, held[i].options); err != nil {
				return err
			}
		}
	}
	d.lost = d.lost[:0]
	return nil
}
