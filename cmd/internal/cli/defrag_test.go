package cli

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// captureOf returns one of the captures that are shared between clones.
func captureOf(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "..", "shared", "captures", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("the shared captures are not here")
	}
	return path
}

// tsharkOf returns what tshark prints, and skips the test where there is none.
func tsharkOf(t *testing.T, args ...string) string {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	cmd := exec.Command(tshark, append([]string{"-n"}, args...)...)
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %q: %v", args, err)
	}
	return string(out)
}

// What tshark sees in the datagrams that defrag wrote is what it sees when it
// puts the fragments together itself.
func TestDefragAsTshark(t *testing.T) {
	for _, name := range []string{"ip_fragments.pcap", "ip_fragments_lossy.pcap"} {
		in := captureOf(t, name)
		out := filepath.Join(t.TempDir(), "out.pcapng")
		_, stderr, code := run(t, nil, "defrag", in, "-w", out)
		if code != exitOK || !strings.Contains(stderr, "put together") {
			t.Fatalf("%s: %d: %s", name, code, stderr)
		}
		// Above IP, of whole datagrams and of those that tshark puts together.
		fields := []string{"-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src", "-e", "ipv6.src", "-e", "icmp.checksum", "-e", "icmp.checksum.status", "-e", "icmp.seq", "-e", "icmpv6.checksum",
			"-e", "icmpv6.checksum.status", "-e", "icmpv6.echo.sequence_number", "-e", "udp.length", "-e", "udp.checksum", "-e", "udp.checksum.status", "-e", "data.data"}
		whole := "(icmp || icmpv6 || udp) && !(ip.flags.mf == 1 && !ip.reassembled.length) && !(ipv6.fraghdr.more == 1 && !ipv6.reassembled.length)"
		options := []string{"-o", "udp.check_checksum:TRUE", "-Y", whole}
		want := tsharkOf(t, slices.Concat([]string{"-r", in}, options, fields)...)
		// It must not put together what defrag left.
		got := tsharkOf(t, slices.Concat([]string{"-r", out, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"}, options, fields)...)
		if n := strings.Count(want, "\n"); want != got || n < 20 {
			t.Errorf("%s: %d packets differ:\n%s", name, n, firstDifference(want, got))
		}
		// All lengths and checksums of IP are right.
		bad := tsharkOf(t, "-r", out, "-o", "ip.check_checksum:TRUE", "-Y", "ip.checksum.status == 0 || _ws.malformed || ip.fragment.error")
		if bad != "" {
			t.Errorf("%s: %s", name, bad)
		}
		// Nothing is lost: what is no fragment any more, and the fragments that stayed.
		if strings.Contains(stderr, "incomplete (") {
			if left := tsharkOf(t, "-r", out, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-Y", "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr"); left == "" {
				t.Error("the fragments of incomplete datagrams are not there")
			}
			again := filepath.Join(t.TempDir(), "dropped.pcapng")
			if _, stderr, code := run(t, nil, "defrag", "-r", in, "-w", again, "--drop-incomplete"); code != exitOK || !strings.Contains(stderr, "left out)") {
				t.Errorf("%d: %s", code, stderr)
			}
			if left := tsharkOf(t, "-r", again, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-Y", "ip.flags.mf == 1 || ip.frag_offset > 0"); left != "" {
				t.Errorf("fragments are left:\n%s", left)
			}
		}
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %.300q\ngot  %.300q", i+1, w[i], append(g, "nothing")[min(i, len(g))])
		}
	}
	return fmt.Sprintf("%d lines more", len(g)-len(w))
}

// Fragments of one datagram, with any link header in front.
func fragmentFrames(t *testing.T, payload []byte, size int, head func(ip []byte) []byte) (frames [][]byte, whole []byte) {
	t.Helper()
	src, dst := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	encode := func(ip *pkts.IPv4, b []byte) []byte {
		ip.TTL, ip.ID, ip.Src, ip.Dst, ip.Protocol = 64, 77, src, dst, pkts.Pin(pkts.IPProtoUDP)
		out, err := pkts.Stack(ip, &pkts.Raw{Data: b}).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for off := 0; off < len(payload); off += size {
		end := min(len(payload), off+size)
		ip := &pkts.IPv4{FragmentOffset: uint16(off / 8)}
		if end < len(payload) {
			ip.Flags = pkts.IPv4MoreFragments
		}
		frames = append(frames, head(encode(ip, payload[off:end])))
	}
	return frames, head(encode(new(pkts.IPv4), payload))
}

func TestDefragLinkHeaders(t *testing.T) {
	payload := make([]byte, 3000)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	binary.BigEndian.PutUint16(payload[4:], 3000) // as UDP
	mac := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	before := func(head ...byte) func([]byte) []byte {
		return func(ip []byte) []byte { return append(slices.Clone(head), ip...) }
	}
	for _, tt := range []struct {
		name string
		link link.Type
		head func([]byte) []byte
		left bool // as fragments
	}{
		{"Ethernet", link.TypeEthernet, before(append(slices.Clone(mac), 8, 0)...), false},
		{"VLAN", link.TypeEthernet, before(append(slices.Clone(mac), 0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 7, 8, 0)...), false},
		{"SLL", link.TypeLinuxSLL, before(0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0), false},
		{"raw", link.TypeRaw, before(), false},
		{"loopback", link.TypeNull, before(2, 0, 0, 0), false},
		// A length of 16 bits, of which those from 1,536 on are something else.
		{"802.3", link.TypeEthernet, func(ip []byte) []byte {
			n := 8 + len(ip)
			return slices.Concat(mac, []byte{byte(n >> 8), byte(n), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frames, whole := fragmentFrames(t, payload, 1400, tt.head)
			frames = [][]byte{frames[1], frames[0], frames[2]}
			var file bytes.Buffer
			w, err := pcap.NewWriter(&file, pcap.WriterConfig{Format: pcap.FormatPcapNano, Link: tt.link})
			if err != nil {
				t.Fatal(err)
			}
			at := time.Unix(1700000000, 5)
			for i, b := range frames {
				// Padding of Ethernet is not part of the datagram.
				if i == 2 && !tt.left && tt.link == link.TypeEthernet {
					b = append(b, 0, 0, 0)
				}
				if err := w.WritePacket(&link.Frame{Data: b, Info: link.Info{Time: at.Add(time.Duration(i) * time.Second), WireLen: len(b), Link: tt.link}}, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out.pcap")
			_, stderr, code := run(t, &file, "defrag", "-", "-w", out)
			if code != exitOK {
				t.Fatal(stderr)
			}
			r, err := pcap.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var got [][]byte
			for f, err := range r.Frames() {
				if err != nil {
					t.Fatal(err)
				}
				if len(got) == 0 && !tt.left && (!f.Time.Equal(at.Add(2*time.Second)) || f.WireLen != len(f.Data)) {
					t.Errorf("%+v", f.Info)
				}
				got = append(got, bytes.Clone(f.Data))
			}
			want := [][]byte{whole}
			if tt.left {
				want = frames
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestDefragKeepsTheRest(t *testing.T) {
	// What has no fragments comes out as it was.
	copied, _, _ := run(t, nil, "read", "sample.pcapng", "-w", "-")
	stdout, stderr, code := run(t, nil, "defrag", "sample.pcapng", "-w", "-")
	if code != exitOK || stderr != "33 frames, 0 of them fragments: 0 datagrams put together, 0 incomplete\n" {
		t.Errorf("%d %s", code, stderr)
	}
	if a, b := packetsOf(t, stdout), packetsOf(t, copied); !slices.Equal(a, b) || len(a) != 33 {
		t.Errorf("%d packets, want %d", len(a), len(b))
	}
	// The expression sees the datagrams.
	in := captureOf(t, "ip_fragments.pcap")
	all, _, _ := run(t, nil, "defrag", in, "-t")
	some, _, code := run(t, nil, "defrag", in, "-t", "udp")
	var want []string
	for line := range strings.Lines(all) {
		if strings.Contains(line, "UDP") {
			want = append(want, line)
		}
	}
	if some != strings.Join(want, "") || len(want) == 0 || code != exitOK {
		t.Errorf("got %s, want %s", some, want)
	}
	if first, _, _ := run(t, nil, "defrag", in, "-t", "-c", "2"); strings.Count(first, "\n") != 2 {
		t.Errorf("-c 2: %s", first)
	}
	// Compressed, by the standard input, twice.
	path := writeFile(t, "two.pcap", nil)
	_, stderr, code = run(t, nil, "defrag", in, in, "-w", path)
	if code != exitOK || !strings.HasPrefix(stderr, "282 frames, ") {
		t.Errorf("%d %s", code, stderr)
	}
}

func packetsOf(t *testing.T, file string) (packets []string) {
	t.Helper()
	r, err := pcap.NewReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, fmt.Sprint(f.Time.UnixNano(), f.Interface, f.WireLen, string(f.Data)))
	}
	return packets
}

func TestDefragRefuses(t *testing.T) {
	in := writeFile(t, "in.pcapng", sample)
	cut := writeFile(t, "cut.pcapng", sample[:len(sample)-10])
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"defrag"}, exitUsage, "name at least one"},
		{[]string{"defrag", in, "-w", in}, exitUsage, "would overwrite"},
		{[]string{"defrag", in, "--overlap", "best"}, exitUsage, "--overlap best: use reject, first, last, bsd, bsd-right, linux, windows, solaris"},
		{[]string{"defrag", "nosuch.pcap"}, exitFail, "nosuch.pcap"},
		{[]string{"defrag", cut, "-w", filepath.Join(t.TempDir(), "x.pcap")}, exitFail, "cut.pcapng: "},
		{[]string{"defrag", in, "tcp", "prt", "80"}, exitFail, "prt"},
	} {
		if _, stderr, code := run(t, nil, tt.args...); code != tt.code || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: %d %s", tt.args, code, stderr)
		}
	}
}
