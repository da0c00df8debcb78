package fuzz

import (
	"bytes"
	"encoding/hex"
	"errors"
	"iter"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts/sctp"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// frames yields the frames of a capture file.
func frames(t *testing.T, file string) iter.Seq2[link.Frame, error] {
	return func(yield func(link.Frame, error) bool) {
		done := false
		eachFrame(t, file, func(_ int, f *link.Frame) {
			if !done {
				done = !yield(*f, nil)
			}
		})
	}
}

// withSCTP returns the captures that have SCTP, as their list says.
func withSCTP(t *testing.T, folder string) (files []string) {
	t.Helper()
	for _, file := range captures(t, folder) {
		list, err := os.ReadFile(filepath.Join("../../shared", folder, "MANIFEST.tsv"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(list)) {
			path, _, _ := strings.Cut(line, "\t")
			if strings.HasSuffix(file, "/"+path) && strings.Contains(line, "sctp") {
				files = append(files, file)
			}
		}
	}
	return files
}

// sctpMessages returns the messages of a file, those with Err left out, and what
// was counted.
func sctpMessages(t *testing.T, file string) ([]sequence.Message, sequence.SCTPStats) {
	t.Helper()
	s := &sequence.SCTP{UDPPorts: []uint16{sctp.UDPPort}}
	var ms []sequence.Message
	for m, err := range sequence.All(sequence.Sequence[sequence.Datagram, sequence.Message](s), sequence.Datagrams(frames(t, file), nil)) {
		if err != nil {
			if _, ok := errors.AsType[*sequence.Error](err); !ok {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
			continue
		}
		if m.Err != nil {
			t.Logf("%s: %d bytes: %v", filepath.Base(file), len(m.Data), m.Err)
			continue
		}
		m.Data = bytes.Clone(m.Data)
		ms = append(ms, m)
	}
	return ms, s.Stats()
}

// TestSCTPMessages compares with what was sent, as the recipes of the captures
// say.
func TestSCTPMessages(t *testing.T) {
	for _, tt := range []struct {
		file       string
		n, size    int
		fragmented bool
		unordered  bool
	}{
		{"sctp_tsctp_large.pcap", 30, 5000, true, false},
		{"sctp_tsctp_unordered.pcap", 200, 100, false, true},
		{"sctp_lossy.pcap", 60, 6000, true, false}, // the relay lost, exchanged and repeated packets
	} {
		for _, file := range captures(t, "captures") {
			if filepath.Base(file) != tt.file {
				continue
			}
			ms, st := sctpMessages(t, file)
			if len(ms) != tt.n || st.Lost != 0 || st.Broken != 0 || st.Refused != 0 || st.Associations != 1 {
				t.Errorf("%s: %d messages, %+v", tt.file, len(ms), st)
			}
			for i, m := range ms {
				if len(m.Data) != tt.size || m.Unordered != tt.unordered || (m.First != m.Last) != tt.fragmented || m.Lost != 0 || m.Direction != sequence.Forward {
					t.Errorf("%s: message %d: %d bytes, %v to %v, unordered %t", tt.file, i, len(m.Data), m.First, m.Last, m.Unordered)
				}
			}
		}
	}
	for _, file := range captures(t, "captures") {
		if filepath.Base(file) != "sctp_echo.pcap" {
			continue
		}
		ms, _ := sctpMessages(t, file)
		var got []string
		for _, m := range ms {
			got = append(got, m.Direction.String()+" "+string(m.Data))
		}
		if want := []string{"forward hello\n", "backward hello\n", "forward bye\n", "backward bye\n"}; !slices.Equal(got, want) {
			t.Errorf("sctp_echo: %q, want %q", got, want)
		}
	}
}

// TestSCTPMessagesTshark compares with the messages that tshark puts together:
// the same bytes, from the same address, and as many.
func TestSCTPMessagesTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	for _, folder := range []string{"captures", "corpus"} {
		t.Run(folder, func(t *testing.T) {
			total := 0
			config := sharkConfig(t, append(slices.Clone(sharkProtocols), "sctp"))
			for _, file := range withSCTP(t, folder) {
				ms, st := sctpMessages(t, file)
				if st.Packets == 0 {
					continue
				}
				cmd := exec.Command("tshark", "-n", "-r", file, "-o", "sctp.reassembly:TRUE", "-Y", "sctp && data",
					"-T", "fields", "-E", "separator=/t", "-e", "ip.src", "-e", "ipv6.src", "-e", "data.data")
				cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+config)
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				var got, want []string
				for line := range strings.Lines(string(out)) {
					cols := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
					src, _, _ := strings.Cut(cols[0]+cols[1], ",")
					for d := range strings.SplitSeq(cols[2], ",") {
						want = append(want, netip.MustParseAddr(src).String()+" "+d)
					}
				}
				for _, m := range ms {
					got = append(got, m.Flow.Src.String()+" "+hex.EncodeToString(m.Data))
				}
				slices.Sort(got)
				slices.Sort(want)
				// tshark shows what was sent twice twice, unless it is in
				// fragments.
				more, i := 0, 0
				for _, w := range want {
					if i < len(got) && got[i] == w {
						i++
						continue
					}
					_, data, _ := strings.Cut(w, " ")
					more += len(data) / 2
				}
				if i != len(got) || more != 0 && uint64(more) != st.Duplicate {
					t.Errorf("%s: %d messages, %d of them tshark's, which has %d, and %d bytes more; %+v", filepath.Base(file), len(got), i, len(want), more, st)
				}
				total += len(got)
			}
			t.Logf("%d messages", total)
		})
	}
}
