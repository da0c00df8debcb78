package fuzz

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/pkts/sequence"
)

// TestMessagesTshark cuts TCP streams into messages and compares their lengths
// with those that tshark finds, direction by direction.
func TestMessagesTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	postgres := func(b []byte, seen int) (int, error) {
		if len(b) > 0 && b[0] == 0 { // what a client begins with has no type
			return sequence.LengthPrefix{Width: 4, Max: 10_000}.Frame(b, seen)
		}
		return sequence.LengthPrefix{Offset: 1, Width: 4, Add: 1}.Frame(b, seen)
	}
	for _, tt := range []struct {
		file, field string
		port        uint16
		framer      sequence.Framer
		less        int // how much longer a message is than its field says
		least       int
	}{
		{"diameter_tcp.pcap", "diameter.length", 3868, sequence.LengthPrefix{Offset: 1, Width: 3, Min: 20, Max: 1 << 20}.Frame, 0, 30},
		{"dns_bind.pcap", "dns.length", 53, sequence.LengthPrefix{Width: 2, Add: 2}.Frame, 2, 10},
		{"mysql_simple.pcap", "mysql.packet_length", 3306, sequence.LengthPrefix{Width: 3, LittleEndian: true, Add: 4}.Frame, 4, 300},
		{"postgres_simple.pcap", "pgsql.length", 5432, postgres, -1, 300},
	} {
		t.Run(tt.file, func(t *testing.T) {
			var file string
			for _, f := range captures(t, "captures") {
				if filepath.Base(f) == tt.file {
					file = f
				}
			}
			if file == "" {
				t.Fatal("it is not among the captures")
			}
			framed := &sequence.Messages{FramerFor: func(c *sequence.Chunk) sequence.Framer {
				if c.Flow.SrcPort != tt.port && c.Flow.DstPort != tt.port {
					return nil
				}
				answered := tt.file != "postgres_simple.pcap" || c.Flow.DstPort == tt.port
				return func(b []byte, seen int) (int, error) {
					if !answered && len(b) > 0 && (b[0] == 'N' || b[0] == 'S') {
						answered = true
						return 1, nil // the answer to a request for TLS
					}
					answered = true
					return tt.framer(b, seen)
				}
			}}
			s := sequence.Then(sequence.Sequence[sequence.Datagram, sequence.Chunk](&sequence.TCP{}), sequence.Sequence[sequence.Chunk, sequence.Message](framed))
			// By the source port, which tells the directions of connections
			// apart.
			got, want := map[string][]int{}, map[string][]int{}
			n := 0
			for m, err := range sequence.All(s, sequence.Datagrams(frames(t, file), nil)) {
				if err != nil {
					t.Fatal(err)
				}
				if m.Err != nil {
					t.Errorf("%v: %d bytes: %v", m.Flow, len(m.Data), m.Err)
				}
				if m.First.Packet == 0 || m.Last.Packet < m.First.Packet {
					t.Errorf("from %v to %v", m.First, m.Last)
				}
				size := len(m.Data) - tt.less
				if tt.less < 0 { // PostgreSQL counts itself, and not the type
					if size = len(m.Data) - 1; m.Data[0] == 0 {
						size++
					}
					if size == 0 {
						continue
					}
				}
				k := strconv.Itoa(int(m.Flow.SrcPort)) + ">" + strconv.Itoa(int(m.Flow.DstPort))
				got[k] = append(got[k], size)
				n++
			}
			out, err := exec.Command("tshark", "-n", "-r", file, "-Y", "tcp && "+tt.field, "-T", "fields", "-E", "separator=/t",
				"-e", "tcp.srcport", "-e", "tcp.dstport", "-e", tt.field).Output()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(out)) {
				cols := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
				for v := range strings.SplitSeq(cols[2], ",") {
					x, err := strconv.Atoi(v)
					if err != nil {
						t.Fatal(err)
					}
					k := cols[0] + ">" + cols[1]
					want[k] = append(want[k], x)
				}
			}
			if n < tt.least {
				t.Errorf("%d messages, want %d and more", n, tt.least)
			}
			for k := range want {
				if !slices.Equal(got[k], want[k]) {
					t.Errorf("%s: messages of %v bytes, tshark %v", k, got[k], want[k])
				}
				delete(got, k)
			}
			for k := range got {
				t.Errorf("%s: messages of %v bytes, tshark none", k, got[k])
			}
			t.Logf("%d messages, %+v", n, framed.Stats())
		})
	}
}
