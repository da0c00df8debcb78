package fuzz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
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
		sums     bool
		reset    bool
	}{
		{"mptcp_two_subflows.pcap", [][]uint64{{1, 8}, {220, 227}}, 1, false, false}, // by Linux; packets 6 and 225 are refused joins
		{"mptcp-v1.pcap", [][]uint64{{1}}, 1, false, false},                          // the first data have the keys, and 8192 bytes are one mapping
		{"mptcp-aa-v1.pcap", [][]uint64{{3}}, 1, false, false},
		{"mptcp-v0.pcap", [][]uint64{{1, 8}}, 0, true, false}, // SSH, over both
		{"mptcp-fclose.pcap", [][]uint64{{3}}, 0, true, true}, // MP_FASTCLOSE
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
				if !slices.Equal(x.info.Subflows, tt.subflows[i]) || x.info.Version != tt.version || x.info.Checksums != tt.sums || x.info.Fallback || x.ends != 2 || x.reset != tt.reset || x.lost != 0 {
					t.Errorf("%s: %+v, %d ends, %d lost", tt.file, x.info, x.ends, x.lost)
				}
			}
			if stats.BadMappings+stats.BadChecksums+stats.Unchecked+stats.Corrupt+stats.Conflicts+stats.BadSignals+stats.BadJoins > 0 {
				t.Errorf("%s: %+v", tt.file, stats)
			}
		})
	}
}

// TestMPTCPAltered alters a byte of each segment of a capture whose mappings have
// the checksums of another implementation.
func TestMPTCPAltered(t *testing.T) {
	var file string
	for _, f := range captures(t, "corpus") {
		if filepath.Base(f) == "mptcp-v0.pcap" {
			file = f
		}
	}
	var frames []link.Frame
	for f := range tcpFrames(t, file) {
		frames = append(frames, f.Clone())
	}
	altered := 0
	for i := range frames {
		data := frames[i].Data
		var p pkts.Packet
		if err := p.Decode(frames[i].Link, data); err != nil {
			t.Fatal(err)
		}
		if _, ok := pkts.Get[pkts.Raw](&p); !ok {
			continue
		}
		data[len(data)-1] ^= 0x80
		list, _, stats := joinedStreams(t, file, func(yield func(link.Frame, error) bool) {
			for _, f := range frames {
				if !yield(f, nil) {
					return
				}
			}
		})
		data[len(data)-1] ^= 0x80
		// As long as there is one subflow, the DATA_ACK says that it was taken.
		if single := i+1 < 8; stats.BadChecksums != 1 || stats.Corrupt == 0 != single || len(list) != 1 {
			t.Errorf("packet %d: %+v", i+1, stats)
		}
		altered++
	}
	if altered < 100 {
		t.Errorf("%d segments were altered", altered)
	}
}

// TestMPTCPFail reads what the frames of TestMPTCPChecksumKernel were, of the only
// subflow, when 10,000 bytes were sent and subflow sequence number 5,001 was
// altered, and of the first data, with 8,000: the box wrote what it let through, with
// Linux 6.18 at both ends.
func TestMPTCPFail(t *testing.T) {
	for _, tt := range []struct {
		file          string
		size, altered int
		fallback      bool
	}{
		{"mptcp_fail.pcap", 10_000, 5_000, false},
		{"mptcp_fallback.pcap", 8_000, 0, true},
	} {
		file := filepath.Join("testdata", tt.file)
		rng := rand.New(rand.NewPCG(8, 8684))
		want := make([]byte, tt.size)
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		want[tt.altered] ^= 0x55 // as the kernel has delivered it
		list, rest, stats := joinedStreams(t, file, tcpFrames(t, file))
		if len(list) != 1 || rest != 0 {
			t.Fatalf("%s: %d connections, %d bytes of others: %+v", tt.file, len(list), rest, stats)
		}
		x := list[0]
		if !bytes.Equal(x.sides[0], want) || x.lost != 0 || x.ends != 2 || x.info.Fallback != tt.fallback || !x.info.Checksums {
			t.Errorf("%s: %d bytes, %d lost, %d ends: %+v", tt.file, len(x.sides[0]), x.lost, x.ends, x.info)
		}
		// The DATA_FINs have right ones.
		if stats.BadChecksums != 1 || stats.Corrupt+stats.Unchecked+stats.BadMappings+stats.BadSignals > 0 || stats.Fails > 0 == tt.fallback {
			t.Errorf("%s: %+v", tt.file, stats)
		}
		if _, err := exec.LookPath("tshark"); err == nil && !tt.fallback { // it knows of no fallback
			if shark := sharkJoined(t, file); len(shark) != 1 || !bytes.Equal(shark[0].sides[0], want) && !bytes.Equal(shark[0].sides[1], want) {
				t.Errorf("%s: tshark has others", tt.file)
			}
		}
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
