package fuzz

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// TestFragmentsAsTshark compares each datagram that is put together with what
// tshark puts together: the bytes behind the IP header, and the packet that
// completed it.
func TestFragmentsAsTshark(t *testing.T) {
	files, err := filepath.Glob("../../shared/captures/ip_fragments*.pcap")
	if err != nil || len(files) == 0 {
		t.Skip("the shared captures are not here")
	}
	for _, file := range files {
		cmd := exec.Command("tshark", "-n", "-r", file, "-T", "fields", "-e", "frame.number", "-e", "ip.reassembled.data", "-e", "ipv6.reassembled.data",
			"-Y", "ip.reassembled.length || ipv6.reassembled.length")
		cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+t.TempDir())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		want := strings.Split(strings.TrimSpace(string(out)), "\n")
		f, err := pcap.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s := new(sequence.Fragments)
		i := 0
		for d, err := range sequence.All(s, sequence.Datagrams(f.Frames(), nil)) {
			if err != nil {
				t.Error(err)
				continue
			}
			if s.Stats().Reassembled == uint64(i) {
				continue // no fragment
			}
			if i >= len(want) {
				t.Fatalf("%s: packet %d completes a datagram, tshark says nothing", file, d.Packet)
			}
			cols := strings.Split(want[i]+"\t", "\t")
			i++
			hdr, v4 := 0, d.Data[0]>>4 == 4
			if v4 {
				hdr = pkts.IPv4View(d.Data).HeaderLen()
			} else {
				hdr = pkts.IPv6Len
			}
			got := hex.EncodeToString(d.Data[hdr:])
			if theirs := cols[1] + cols[2]; got != theirs {
				t.Errorf("%s: packet %d: %.80s, tshark has %.80s", file, d.Packet, got, theirs)
			}
			var n uint64
			for _, c := range cols[0] {
				n = n*10 + uint64(c-'0')
			}
			if d.Packet != n {
				t.Errorf("%s: packet %d completes a datagram, tshark says %d", file, d.Packet, n)
			}
		}
		if i != len(want) || i < 10 {
			t.Errorf("%s: %d datagrams, tshark has %d", file, i, len(want))
		}
	}
}
