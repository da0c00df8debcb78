package fuzz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts/all"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// joinedStream is what a connection of Multipath TCP carried.
type joinedStream struct {
	info  sequence.MPTCPInfo
	sides [2][]byte
	lost  uint64
	ends  int
	reset bool
}

// joinedStreams returns the joined connections among frames in the order of their
// beginnings, and the bytes of the others.
func joinedStreams(tb testing.TB, file string, frames iter.Seq2[link.Frame, error]) (list []*joinedStream, rest int, stats sequence.MPTCPStats) {
	tb.Helper()
	byPacket := map[uint64]*joinedStream{}
	m := &sequence.MPTCP{TCP: sequence.TCP{Limits: sequence.Limits{Idle: -1}}}
	m.Began = func(i sequence.MPTCPInfo) {
		x := new(joinedStream)
		byPacket[i.Stream] = x
		list = append(list, x)
	}
	m.Done = func(i sequence.MPTCPInfo) { byPacket[i.Stream].info = i }
	s := sequence.Then(sequence.Sequence[sequence.Datagram, sequence.Datagram](&sequence.Fragments{Tunnels: 8, Registry: all.Registry()}), sequence.Sequence[sequence.Datagram, sequence.Chunk](m))
	for c, err := range sequence.All(s, sequence.Datagrams(frames, all.Registry())) {
		if err != nil {
			continue
		}
		x := byPacket[c.Stream]
		if x == nil {
			rest += len(c.Data)
			continue
		}
		if c.Offset != uint64(len(x.sides[c.Direction]))+x.lost+c.Lost && x.lost+c.Lost == 0 {
			tb.Errorf("%s: offset %d behind %d bytes", file, c.Offset, len(x.sides[c.Direction]))
		}
		x.sides[c.Direction] = append(x.sides[c.Direction], c.Data...)
		x.lost += c.Lost
		if c.Events.Has(sequence.End) && !c.Events.Has(sequence.Expired) {
			x.ends++
		}
		x.reset = x.reset || c.Events.Has(sequence.Reset)
	}
	stats = m.Stats()
	if sum := stats.Passed + stats.Data.Bytes + stats.Unmapped + stats.Corrupt + stats.Over + stats.Waiting + stats.Ready; sum != stats.TCP.Delivered || stats.Waiting != 0 {
		tb.Errorf("%s: %d bytes of %d are accounted for: %+v", file, sum, stats.TCP.Delivered, stats)
	}
	return list, rest, stats
}

// sharkJoined returns what the connections of Multipath TCP carried, by their
// lower and higher port, put together of what tshark says of each frame: the
// payload, and the numbers of both levels.
func sharkJoined(tb testing.TB, file string) (list []*joinedStream) {
	tb.Helper()
	cmd := exec.Command("tshark", "-n", "-r", file, "-Y", "mptcp.stream", "-T", "fields", "-E", "occurrence=f",
		"-e", "mptcp.stream", "-e", "tcp.stream", "-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "tcp.seq", "-e", "tcp.payload",
		"-e", "tcp.options.mptcp.rawdataseqno", "-e", "tcp.options.mptcp.subflowseqno", "-e", "tcp.options.mptcp.datalvllen",
		"-e", "tcp.options.mptcp.sendkey")
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	type mapping struct {
		off, n int // of the subflow
		dsn    uint32
	}
	type place struct {
		stream, side int
		dsn          uint32
	}
	maps := map[[2]int][]mapping{} // of a subflow and side
	first := map[[2]int]uint32{}   // of a connection and side
	bytesAt := map[place]byte{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		num := func(i int) int {
			n, _ := strconv.ParseUint(f[i], 0, 64)
			return int(uint32(n))
		}
		n, side := num(0), 0
		for len(list) <= n {
			list = append(list, new(joinedStream))
		}
		if num(2) > num(3) {
			side = 1
		}
		flow := [2]int{num(1), side}
		switch {
		case f[6] != "" && num(7) != 0 && num(8) != 0:
			maps[flow] = append(maps[flow], mapping{num(7), num(8), uint32(num(6))})
		case f[6] == "" && f[8] != "" && f[9] != "":
			// The first data of version 1, with the keys. tshark does not say
			// which number they have: RFC 8684, section 3.1.
			key, err := strconv.ParseUint(f[9], 0, 64)
			if err != nil {
				tb.Fatal(err)
			}
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, key))
			maps[flow] = append(maps[flow], mapping{1, num(8), binary.BigEndian.Uint32(sum[28:]) + 1})
		}
		payload, err := hex.DecodeString(f[5])
		if err != nil {
			tb.Fatal(err)
		}
		for i, b := range payload {
			at := num(4) + i
			for _, m := range slices.Backward(maps[flow]) {
				if at < m.off || at >= m.off+m.n {
					continue
				}
				k := place{n, side, m.dsn + uint32(at-m.off)}
				bytesAt[k] = b
				if low, ok := first[[2]int{n, side}]; !ok || int32(k.dsn-low) < 0 {
					first[[2]int{n, side}] = k.dsn
				}
				break
			}
		}
	}
	for n, x := range list {
		for side := range x.sides {
			k := place{n, side, first[[2]int{n, side}]}
			for b, ok := bytesAt[k]; ok; b, ok = bytesAt[k] {
				x.sides[side] = append(x.sides[side], b)
				k.dsn++
			}
		}
	}
	return list
}

// TestMPTCPAsTshark compares what joined connections of real captures carried
// with what follows from the fields that tshark shows.
func TestMPTCPAsTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	files := map[string]string{}
	for _, f := range append(captures(t, "captures"), captures(t, "corpus")...) {
		if name := filepath.Base(f); strings.Contains(name, "mptcp") {
			files[name] = f
		}
	}
	for _, tt := range []struct {
		file     string
		subflows [][]uint64 // of each connection, the packets that began them
		version  uint8
		reset    bool
	}{
		{"mptcp_two_subflows.pcap", [][]uint64{{1, 8}, {220, 227}}, 1, false}, // by Linux; packets 6 and 225 are refused joins
		{"mptcp-v1.pcap", [][]uint64{{1}}, 1, false},                          // the first data have the keys, and 8192 bytes are one mapping
		{"mptcp-aa-v1.pcap", [][]uint64{{3}}, 1, false},
		{"mptcp-v0.pcap", [][]uint64{{1, 8}}, 0, false}, // SSH, over both
		{"mptcp-fclose.pcap", [][]uint64{{3}}, 0, true}, // MP_FASTCLOSE
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel() // most of the time, tshark starts
			file := files[tt.file]
			got, rest, stats := joinedStreams(t, file, tcpFrames(t, file))
			want := sharkJoined(t, file)
			if len(got) != len(tt.subflows) || len(want) != len(got) || rest != 0 {
				t.Errorf("%s: %d connections, tshark has %d; %d bytes of others", tt.file, len(got), len(want), rest)
				return
			}
			for i, x := range got {
				sides := x.sides
				if x.info.Flow.SrcPort > x.info.Flow.DstPort {
					sides[0], sides[1] = sides[1], sides[0]
				}
				if !bytes.Equal(sides[0], want[i].sides[0]) || !bytes.Equal(sides[1], want[i].sides[1]) || len(sides[0])*len(sides[1]) == 0 {
					t.Errorf("%s, connection %d: %d and %d bytes, want %d and %d", tt.file, i, len(sides[0]), len(sides[1]), len(want[i].sides[0]), len(want[i].sides[1]))
				}
				if !slices.Equal(x.info.Subflows, tt.subflows[i]) || x.info.Version != tt.version || x.info.Fallback || x.ends != 2 || x.reset != tt.reset || x.lost != 0 {
					t.Errorf("%s: %+v, %d ends, %d lost", tt.file, x.info, x.ends, x.lost)
				}
			}
			if stats.BadMappings+stats.Conflicts+stats.BadSignals+stats.BadJoins > 0 {
				t.Errorf("%s: %+v", tt.file, stats)
			}
		})
	}
}

// TestMPTCPTransferred compares a joined connection with what its recipe sends.
func TestMPTCPTransferred(t *testing.T) {
	file := filepath.Join(filepath.Dir(captures(t, "captures")[0]), "mptcp_two_subflows.pcap")
	list, _, _ := joinedStreams(t, file, tcpFrames(t, file))
	for i, x := range list {
		for side, n := range [2]int{20 * 9000, 20 * 100} { // the server sends the first 100 bytes of what it reads
			if want := "hi" + strings.Repeat("z", n); string(x.sides[side]) != want {
				t.Errorf("connection %d, side %d: %d bytes, want %d", i, side, len(x.sides[side]), len(want))
			}
		}
	}
	if len(list) != 2 {
		t.Errorf("%d connections", len(list))
	}
}
