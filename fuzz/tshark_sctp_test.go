package fuzz

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/all"
	"github.com/gopkts/gopkts/pkts/sctp"
)

// sctpSharkFields are the fields of SCTP that are compared.
func sctpSharkFields() []field {
	type (
		v   = *values
		num = uint64
	)
	// Every chunk has these.
	chunk := func(of func(v v, c sctp.ChunkView)) func(v v, n pkts.Node) {
		return func(v v, n pkts.Node) {
			if len(n.Proto().At) > 0 && n.Proto().At[0].Table == sctp.ChunkTypes {
				of(v, sctp.ChunkView(n.Bytes()))
			}
		}
	}
	any := func(name string, of func(v v, n pkts.Node)) field {
		return field{name: name, kind: number, of: func(v *values, n pkts.Node, _ pkts.Layer) { of(v, n) }}
	}
	params := func(name string, kind valueKind, of func(v v, p sctp.Param)) field {
		return field{name: name, kind: kind, of: func(v *values, _ pkts.Node, l pkts.Layer) {
			var ps sctp.Params
			switch l := l.(type) {
			case *sctp.Init:
				ps = l.Params
			case *sctp.InitAck:
				ps = l.Params
			case *sctp.Heartbeat:
				ps = l.Params
			case *sctp.HeartbeatAck:
				ps = l.Params
			}
			for _, p := range ps.All() {
				of(v, p)
			}
		}}
	}
	return []field{
		on("sctp.srcport", number, func(v v, l *sctp.Header) { v.num(num(l.SrcPort)) }),
		on("sctp.dstport", number, func(v v, l *sctp.Header) { v.num(num(l.DstPort)) }),
		on("sctp.verification_tag", number, func(v v, l *sctp.Header) { v.num(num(l.VerificationTag)) }),
		on("sctp.checksum", number, func(v v, l *sctp.Header) { v.num(num(l.Checksum.Value())) }),
		onNode("sctp.checksum.status", number, func(v v, n pkts.Node, l *sctp.Header) { v.check(n) }),
		any("sctp.chunk_type", chunk(func(v v, c sctp.ChunkView) { v.num(num(c.Type())) })),
		any("sctp.chunk_flags", chunk(func(v v, c sctp.ChunkView) { v.num(num(c.Flags())) })),
		any("sctp.chunk_length", chunk(func(v v, c sctp.ChunkView) { v.num(num(c.Length())) })),
		on("sctp.data_tsn_raw", number, func(v v, l *sctp.Data) { v.num(num(l.TSN)) }),
		on("sctp.data_sid", number, func(v v, l *sctp.Data) { v.num(num(l.StreamID)) }),
		on("sctp.data_ssn", number, func(v v, l *sctp.Data) { v.num(num(l.SSN)) }),
		on("sctp.data_payload_proto_id", number, func(v v, l *sctp.Data) { v.num(num(l.PPID.Value())) }),
		on("sctp.data_b_bit", number, func(v v, l *sctp.Data) { v.flag(l.Flags.Has(sctp.DataBegin)) }),
		on("sctp.data_e_bit", number, func(v v, l *sctp.Data) { v.flag(l.Flags.Has(sctp.DataEnd)) }),
		on("sctp.data_u_bit", number, func(v v, l *sctp.Data) { v.flag(l.Flags.Has(sctp.DataUnordered)) }),
		on("sctp.init_initiate_tag", number, func(v v, l *sctp.Init) { v.num(num(l.InitiateTag)) }),
		on("sctp.init_credit", number, func(v v, l *sctp.Init) { v.num(num(l.Rwnd)) }),
		on("sctp.init_nr_out_streams", number, func(v v, l *sctp.Init) { v.num(num(l.OutboundStreams)) }),
		on("sctp.init_nr_in_streams", number, func(v v, l *sctp.Init) { v.num(num(l.InboundStreams)) }),
		on("sctp.init_initial_tsn", number, func(v v, l *sctp.Init) { v.num(num(l.InitialTSN)) }),
		on("sctp.initack_initiate_tag", number, func(v v, l *sctp.InitAck) { v.num(num(l.InitiateTag)) }),
		on("sctp.initack_credit", number, func(v v, l *sctp.InitAck) { v.num(num(l.Rwnd)) }),
		on("sctp.initack_nr_out_streams", number, func(v v, l *sctp.InitAck) { v.num(num(l.OutboundStreams)) }),
		on("sctp.initack_nr_in_streams", number, func(v v, l *sctp.InitAck) { v.num(num(l.InboundStreams)) }),
		on("sctp.initack_initial_tsn", number, func(v v, l *sctp.InitAck) { v.num(num(l.InitialTSN)) }),
		on("sctp.sack_cumulative_tsn_ack_raw", number, func(v v, l *sctp.Sack) { v.num(num(l.CumTSN)) }),
		on("sctp.sack_a_rwnd", number, func(v v, l *sctp.Sack) { v.num(num(l.Rwnd)) }),
		on("sctp.sack_number_of_gap_blocks", number, func(v v, l *sctp.Sack) { v.num(num(l.GapCount.Value())) }),
		on("sctp.sack_number_of_duplicated_tsns", number, func(v v, l *sctp.Sack) { v.num(num(l.DupCount.Value())) }),
		on("sctp.sack_gap_block_start", number, func(v v, l *sctp.Sack) {
			for _, g := range l.Gaps.All() {
				v.num(num(g.Start))
			}
		}),
		on("sctp.sack_gap_block_end", number, func(v v, l *sctp.Sack) {
			for _, g := range l.Gaps.All() {
				v.num(num(g.End))
			}
		}),
		on("sctp.sack_duplicate_tsn", number, func(v v, l *sctp.Sack) {
			for _, d := range l.Dups.All() {
				v.num(num(d))
			}
		}),
		on("sctp.shutdown_cumulative_tsn_ack", number, func(v v, l *sctp.Shutdown) { v.num(num(l.CumTSN)) }),
		params("sctp.parameter_type", number, func(v v, p sctp.Param) { v.num(num(p.Type)) }),
		params("sctp.parameter_ipv4_address", text, func(v v, p sctp.Param) {
			if a, ok := p.Addr(); ok && a.Is4() {
				v.addr(a)
			}
		}),
		params("sctp.parameter_ipv6_address", text, func(v v, p sctp.Param) {
			if a, ok := p.Addr(); ok && a.Is6() {
				v.addr(a)
			}
		}),
		params("sctp.supported_chunk_type", number, func(v v, p sctp.Param) {
			if p.Type == sctp.ParamSupportedExtensions {
				for _, t := range p.Value {
					v.num(num(t))
				}
			}
		}),
	}
}

// TestSCTPAgainstTshark compares the fields of SCTP with those that tshark
// finds.
func TestSCTPAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	fields := sctpSharkFields()
	registry := all.Registry().With(sctp.OverUDP()...)
	for _, folder := range []string{"captures", "corpus"} {
		t.Run(folder, func(t *testing.T) {
			config := sharkConfig(t, append(slices.Clone(sharkProtocols), "sctp"))
			prefs := "sctp.checksum: CRC-32C\nsctp.reassembly: FALSE\n"
			if err := os.WriteFile(filepath.Join(config, "preferences"), []byte(prefs), 0o600); err != nil {
				t.Fatal(err)
			}
			p := pkts.Packet{Registry: registry}
			path := filepath.Join(t.TempDir(), "sctp.pcapng")
			w, err := pcap.Create(path, pcap.WriterConfig{})
			if err != nil {
				t.Fatal(err)
			}
			var places []place
			for _, file := range withSCTP(t, folder) {
				eachFrame(t, file, func(n int, frame *link.Frame) {
					if !known(frame.Link) || p.Decode(frame.Link, frame.Data) != nil || !pkts.Has[sctp.Header](&p) {
						return
					}
					f := frame.Clone()
					f.Time = time.Unix(int64(len(places)), 0)
					f.Interface = int(f.Link)
					f.WireLen = max(f.WireLen, len(f.Data))
					if err := w.WriteFrame(&f); err != nil {
						t.Fatal(err)
					}
					places = append(places, place{file, n, f.Link, f.Data})
				})
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			compared, differ := map[string]int{}, map[string]int{}
			packets := 0
			shark(t, config, path, fields, func(n int, sp sharkPacket) {
				packets++
				at := places[n]
				_ = p.Decode(at.link, at.data)
				v := values{data: at.data, status: map[checkKey]pkts.CheckStatus{}}
				for c := range p.Checks() {
					v.status[checkKey{c.Offset, c.Field}] = c.Status
				}
				lists := make([][]string, len(fields))
				for node := range p.Nodes() {
					l, err := node.Layer()
					if err != nil {
						continue
					}
					for i := range fields {
						v.list = lists[i]
						fields[i].of(&v, node, l)
						lists[i] = v.list
					}
				}
				for i, x := range fields {
					want := make([]string, len(sp[i]))
					for j, s := range sp[i] {
						want[j] = normal(x.kind, s)
					}
					if slices.Equal(lists[i], want) {
						compared[x.name] += len(want)
						continue
					}
					if differ[x.name]++; differ[x.name] <= 3 {
						t.Errorf("%s frame %d: %s: ours %v, tshark %v", filepath.Base(at.file), at.n, x.name, lists[i], want)
					}
				}
			})
			if packets != len(places) || packets == 0 {
				t.Errorf("tshark found %d packets, %d were written", packets, len(places))
			}
			total := 0
			for n := range maps.Values(compared) {
				total += n
			}
			t.Logf("%d packets: %d values of %d fields are the same", packets, total, len(compared))
			for _, name := range slices.Sorted(maps.Keys(differ)) {
				t.Errorf("%s: %d packets differ", name, differ[name])
			}
		})
	}
}
