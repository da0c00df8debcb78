package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The engine, the disassembler and the translator of package filter, compared
// with those who know: libpcap and the kernel.

// filterPacket is a packet for filters.
type filterPacket struct {
	wire int
	data []byte
}

// libpcapRun builds the program in testdata that asks libpcap.
func libpcapRun(t testing.TB) string {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed")
	}
	name := filepath.Join(t.TempDir(), "run")
	out, err := exec.Command(cc, "-O2", "-o", name, filepath.Join("testdata", "filter", "run.c"), "-lpcap").CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("pcap/pcap.h")) {
			t.Skip("libpcap-dev is not installed")
		}
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return name
}

func libpcapInput(progs []filter.Program, packets []filterPacket) []byte {
	var b []byte
	put := func(v uint32) { b = binary.NativeEndian.AppendUint32(b, v) }
	put(uint32(len(packets)))
	for _, p := range packets {
		put(uint32(p.wire))
		put(uint32(len(p.data)))
		b = append(b, p.data...)
	}
	for _, p := range progs {
		put(uint32(len(p)))
		for _, in := range p {
			put(uint32(in.Op))
			put(uint32(in.Jt))
			put(uint32(in.Jf))
			put(in.K)
		}
	}
	return b
}

// endless is what the program in testdata says where libpcap does not end.
const endless = 0xdeadbeef

// libpcapVerdicts returns what libpcap returns for each program and packet, and
// nil for a program that it does not take.
func libpcapVerdicts(t testing.TB, run string, progs []filter.Program, packets []filterPacket) [][]uint32 {
	t.Helper()
	cmd := exec.Command(run)
	cmd.Stdin = bytes.NewReader(libpcapInput(progs, packets))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	next := func() uint32 {
		if len(out) < 4 {
			t.Fatal("the answer of libpcap ends early")
		}
		v := binary.NativeEndian.Uint32(out)
		out = out[4:]
		return v
	}
	all := make([][]uint32, len(progs))
	for i := range progs {
		if next() == 0 {
			continue
		}
		for range packets {
			all[i] = append(all[i], next())
		}
	}
	return all
}

// compiled are programs of libpcap.
type compiled struct {
	link, expr string
	optimized  bool
	prog       filter.Program
}

// filterExpressions are expressions that make libpcap emit every instruction it
// has, by the names of link types that they are for.
var filterExpressions = map[string][]string{
	"EN10MB": {
		"", "ip", "ip6 or arp", "tcp port 80", "tcp port 80 or 443", "host 10.0.0.1", "not port 22 and not arp", "net 10.1.0.0/16",
		"(tcp port 80 or 443) and (host 10.0.0.1 or net 192.168.0.0/16) and not src port 22", "portrange 1000-2000",
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", "ip[6:2] & 0x1fff = 0",
		"icmp[icmptype] = icmp-echo", "icmp6[0] = 135", "ip6[40] * 3 + 5 > ip6[4:2] / 7", "ip[0] % 5 = len & 3", "ip[8] ^ ip[9] | 1 < 300",
		"ip[2:2] - 20 >= len", "ip[1] << ip[2] = 0", "ip[4:2] >> ip[1] > 3", "-ip[8] > 4", "ip[20] / ip[21] = 2", "ip[20] % ip[21] = 2",
		"len > 100 and len <= 1000", "less 64", "greater 1000", "ether host 02:00:00:00:00:05", "ether[0] & 1 = 1 and ether multicast",
		"broadcast", "ip multicast", "vlan 100 and tcp port 80", "vlan and vlan 5 and ip", "mpls 1024 and host 10.0.0.1", "pppoes and ip",
		"ether proto 0x88cc", "llc", "stp", "ipx", "iso", "ip proto 17 and udp[4:2] > 8", "sctp dst port 9", "ip protochain 6",
		"ip6 protochain 58", "ip6 protochain 17 and ip6 host 2001:db8::1", "geneve and tcp port 80", "host 2001:db8::1 and tcp",
		"port 53 or port 67 or port 68 or port 123 or port 161 or port 443 or port 8080", "ip[ip[0]] = ip[ip[1]]", "ip src 1.2.3.4 and ip dst 5.6.7.8",
	},
	"RAW":              {"tcp port 80", "ip6 and udp", "ip[2:2] > len", "ip protochain 6", "host 10.0.0.1"},
	"LINUX_SLL":        {"inbound", "outbound and ip", "tcp port 80", "ether proto 0x0806"},
	"LINUX_SLL2":       {"ifindex 2", "inbound and udp", "ip host 10.0.0.1"},
	"NULL":             {"ip", "ip6 or udp port 53", "tcp port 80"},
	"PPP":              {"ip", "tcp port 80", "ip6", "mpls"},
	"IEEE802_11":       {"wlan type mgt", "type data and ip host 10.0.0.1", "wlan addr2 02:00:00:00:00:05"},
	"IEEE802_11_RADIO": {"type ctl subtype rts", "tcp port 80", "wlan[0] & 3 = 1"},
}

// libpcapPrograms has tcpdump compile the expressions, both ways, and compares
// the texts on the way.
func libpcapPrograms(t testing.TB) []compiled {
	t.Helper()
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	var all []compiled
	for _, link := range slices.Sorted(maps.Keys(filterExpressions)) {
		for _, expr := range filterExpressions[link] {
			for _, optimized := range []bool{true, false} {
				out := func(form string) (string, error) {
					args := []string{"-y", link, form}
					if !optimized {
						args = append(args, "-O")
					}
					cmd := exec.Command(tcpdump, append(args, "--", expr)...)
					out, err := cmd.Output()
					return string(out), err
				}
				text, err := out("-ddd")
				if err != nil {
					t.Fatalf("tcpdump -y %s %q: %v", link, expr, err)
				}
				prog, err := filter.Assemble(text)
				if err != nil {
					t.Fatalf("%s %q: %v", link, expr, err)
				}
				all = append(all, compiled{link, expr, optimized, prog})
				if prog.Format(filter.FormDecimal) != text {
					t.Errorf("%s %q: wrote\n%s\nwant\n%s", link, expr, prog.Format(filter.FormDecimal), text)
				}
				if !optimized {
					continue // the texts are of the same instructions
				}
				for form, flag := range map[filter.Form]string{filter.FormText: "-d", filter.FormC: "-dd"} {
					text, err := out(flag)
					if err != nil {
						t.Fatal(err)
					}
					if got := prog.Format(form); got != text {
						t.Errorf("%s %q: wrote\n%s\ntcpdump %s\n%s", link, expr, got, flag, text)
					}
					got, err := filter.Assemble(text)
					// libpcap leaves numbers behind in what an instruction does not
					// use, which only some of the forms show.
					if err != nil || got.Format(form) != text {
						t.Errorf("%s %q: read %v, %v of tcpdump %s\n%s", link, expr, got, err, flag, text)
					}
				}
			}
		}
	}
	return all
}

// filterPackets returns packets for a link type: some that its filters are
// about, and what chance makes of them.
func filterPackets(r *rand.Rand, link string) []filterPacket {
	v4 := []byte{
		0x45, 0, 0, 60, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 168, 0, 2, // IPv4
		0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 4, 0, 0, 0, 0, 0, // TCP
		'G', 'E', 'T', ' ', '/', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	}
	v6 := []byte{
		0x60, 0, 0, 0, 0, 24, 0, 64, // IPv6 with a hop-by-hop header
		0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		58, 0, 1, 4, 0, 0, 0, 0, 135, 0, 0, 0, 0, 0, 0, 0, 0, 53, 0, 53, 0, 8, 0, 0,
	}
	heads := map[string][][]byte{
		"EN10MB": {
			{2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1, 8, 0}, {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 5, 0x86, 0xdd},
			{2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 100, 8, 0}, {1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x88, 0xa8, 0, 100, 0x81, 0, 0, 5, 8, 0},
			{2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1, 0x88, 0x47, 0, 0x40, 1, 64}, {2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1, 0x88, 0x64, 0x11, 0, 0, 1, 0, 40, 0, 0x21},
			{2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 40, 0x42, 0x42, 3},
		},
		"RAW":              {{}},
		"LINUX_SLL":        {{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd}},
		"LINUX_SLL2":       {{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, {0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
		"NULL":             {{2, 0, 0, 0}, {0, 0, 0, 2}, {10, 0, 0, 0}},
		"PPP":              {{0xff, 3, 0, 0x21}, {0, 0x21}, {0xff, 3, 0, 0x57}},
		"IEEE802_11":       {{0x08, 1, 0, 0, 2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 6, 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, {0x80, 0, 0, 0, 2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 5}},
		"IEEE802_11_RADIO": {{0, 0, 8, 0, 0, 0, 0, 0, 0x08, 1, 0, 0, 2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 6, 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, {0, 0, 8, 0, 0, 0, 0, 0, 0xb4, 0}},
	}
	var all []filterPacket
	add := func(b []byte) { all = append(all, filterPacket{len(b) + r.IntN(2)*r.IntN(1500), b}) }
	if link == "EN10MB" {
		// libpcap 1.10.3 does not get past an authentication header.
		b := append(bytes.Clone(heads[link][0]), v4...)
		b[14+9], b[14+20], b[14+21] = 51, 51, 3
		add(b)
	}
	for _, head := range heads[link] {
		for _, ip := range [][]byte{v4, v6} {
			whole := append(append([]byte(nil), head...), ip...)
			add(whole)
			for range 12 {
				b := bytes.Clone(whole)
				for range r.IntN(6) {
					b[r.IntN(len(b))] = byte(r.Uint32() & r.Uint32())
				}
				if r.IntN(3) == 0 {
					b = b[:r.IntN(len(b)+1)]
				}
				add(b)
			}
		}
	}
	return all
}

// TestEngineRunsLibpcapsPrograms compares verdicts on libpcap's own programs.
func TestEngineRunsLibpcapsPrograms(t *testing.T) {
	t.Parallel()
	run := libpcapRun(t)
	r := rand.New(rand.NewPCG(1, 2))
	groups := make(map[string][]compiled)
	for _, c := range libpcapPrograms(t) {
		groups[c.link] = append(groups[c.link], c)
	}
	s := newFilterSocket(t)
	verdicts, accepted, loops := 0, 0, 0
	for _, link := range slices.Sorted(maps.Keys(groups)) {
		group := groups[link]
		packets := filterPackets(r, link)
		var progs []filter.Program
		for _, c := range group {
			progs = append(progs, c.prog)
		}
		for i, want := range libpcapVerdicts(t, run, progs, packets) {
			c := group[i]
			vm, err := filter.NewVM(c.prog, filter.VMOptions{})
			if err != nil {
				t.Errorf("%s %q: %v", link, c.expr, err)
				continue
			}
			for j, p := range packets {
				switch got := vm.Run(p.data, p.wire); {
				case want[j] == endless && got == 0:
					loops++
				case got != want[j]:
					t.Errorf("%s %q, optimized %t: %d, libpcap %d, of %x (%d bytes on the wire) and\n%s", link, c.expr, c.optimized, got, want[j], p.data, p.wire, c.prog)
				case got != 0:
					accepted++
				}
				verdicts++
			}
			// The backward jumps of protochain are what the kernel does not take.
			if err := c.prog.ValidateLinux(); (err == nil) != (s.attach(c.prog) == nil) {
				t.Errorf("%s %q: ValidateLinux = %v, of\n%s", link, c.expr, err, c.prog)
			}
		}
	}
	t.Logf("%d verdicts, %d packets accepted, %d endless in libpcap", verdicts, accepted, loops)
	if loops == 0 {
		t.Error("libpcap ended on every packet: the test has no endless one")
	}
	if accepted < verdicts/100 {
		t.Errorf("%d of %d packets accepted: the test has no use", accepted, verdicts)
	}
}

// filterSocket is a pair of datagram sockets, of which the kernel filters one.
type filterSocket struct{ in, out int }

func newFilterSocket(t testing.TB) filterSocket {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return filterSocket{fds[0], fds[1]}
}

func (s filterSocket) attach(p filter.Program) error {
	code := make([]unix.SockFilter, len(p))
	for i, in := range p {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(code))}
	if len(code) > 0 {
		prog.Filter = &code[0]
	}
	return unix.SetsockoptSockFprog(s.out, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
}

// run returns how many bytes of b the kernel keeps.
func (s filterSocket) run(t testing.TB, b []byte) uint32 {
	t.Helper()
	if _, err := unix.Write(s.in, b); err != nil && !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
	n, err := unix.Read(s.out, make([]byte, len(b)+1))
	if errors.Is(err, unix.EAGAIN) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// randomOperations are those that a classic program can have, and some that it
// cannot.
var randomOperations = []uint16{
	0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x00, 0x01, 0x80, 0x81, 0x60, 0x61, 0x02, 0x03, 0x07, 0x87,
	0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac,
	0x05, 0x15, 0x15, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16,
}

// randomProgram returns a program whose jumps go forward, that has written the
// memory it reads. One in ten is wrong somewhere.
func randomProgram(r *rand.Rand) filter.Program {
	var p filter.Program
	for i := range uint32(3) {
		p = append(p, bpf.RawInstruction{Op: 0x02, K: i})
	}
	n := 1 + r.IntN(40)
	for i := range n {
		in := bpf.RawInstruction{Op: randomOperations[r.IntN(len(randomOperations))], K: uint32(r.IntN(70))}
		if r.IntN(8) == 0 {
			in.K = r.Uint32()
		}
		left := n - i
		switch in.Op & 7 {
		case 0, 1:
			switch in.Op & 0xe0 {
			case 0x20: // no metadata, which is no packet's of a pair of sockets
				in.K &= 0x7fffffff
			case 0x60:
				in.K %= 3
			}
		case 2, 3:
			in.K %= 3
		case 4:
			switch in.Op {
			case 0x64, 0x74:
				in.K %= 32
			case 0x34, 0x94:
				in.K |= 1
			}
		case 5:
			in.Jt, in.Jf = uint8(r.IntN(left)), uint8(r.IntN(left))
			if in.Op == 0x05 {
				in.K = uint32(r.IntN(left))
			}
		}
		p = append(p, in)
	}
	p = append(p, bpf.RawInstruction{Op: 0x16})
	if r.IntN(10) == 0 {
		at := r.IntN(len(p))
		switch in := &p[at]; r.IntN(4) {
		case 0:
			in.Op = uint16(r.IntN(256))
		case 1:
			in.K = r.Uint32()
		case 2:
			in.Jt = uint8(r.IntN(80))
		default:
			in.Op, in.K = 0x60, uint32(r.IntN(20))
		}
		if p[at].Op&0xe7 == 0x20 {
			p[at].K &= 0x7fffffff
		}
	}
	return p
}

func randomPacket(r *rand.Rand, least int) []byte {
	b := make([]byte, least+r.IntN(70))
	for i := range b {
		b[i] = byte(r.Uint32() >> (r.IntN(4) * 8))
	}
	return b
}

// TestEngineAgainstLibpcapAndKernel runs random programs. Validation has to take
// what they take, and the rules of both have to be theirs.
func TestEngineAgainstLibpcapAndKernel(t *testing.T) {
	t.Parallel()
	run := libpcapRun(t)
	r := rand.New(rand.NewPCG(3, 4))
	s := newFilterSocket(t)
	var packets []filterPacket
	for range 12 {
		b := randomPacket(r, 1)
		packets = append(packets, filterPacket{len(b), b})
	}
	// libpcap takes programs that it then aborts for, so that only what the
	// kernel takes goes there.
	const n = 3000
	var progs []filter.Program
	for range n {
		p := randomProgram(r)
		attached := s.attach(p)
		if err := p.ValidateLinux(); (err == nil) != (attached == nil) {
			t.Errorf("ValidateLinux = %v, the kernel %v, of\n%s", err, attached, p)
		} else if attached == nil {
			progs = append(progs, p)
		}
	}
	accepted, differ := 0, 0
	for i, want := range libpcapVerdicts(t, run, progs, packets) {
		p := progs[i]
		if want == nil {
			t.Errorf("libpcap does not take\n%s", p)
			continue
		}
		if err := s.attach(p); err != nil {
			t.Fatal(err)
		}
		pcap, err := filter.NewVM(p, filter.VMOptions{})
		if err != nil {
			t.Fatal(err)
		}
		linux, err := filter.NewVM(p, filter.VMOptions{Linux: true})
		if err != nil {
			t.Fatal(err)
		}
		for j, packet := range packets {
			if got := pcap.Run(packet.data, packet.wire); got != want[j] {
				t.Errorf("%d, libpcap %d, of %x and\n%s", got, want[j], packet.data, p)
			}
			got, kernel := linux.Run(packet.data, packet.wire), s.run(t, packet.data)
			if min(got, uint32(len(packet.data))) != kernel {
				t.Errorf("%d, the kernel %d, of %x and\n%s", got, kernel, packet.data, p)
			}
			if kernel != 0 {
				accepted++
			}
			if got != want[j] {
				differ++
			}
		}
	}
	t.Logf("%d of %d programs valid, %d packets accepted, %d on which libpcap and the kernel differ", len(progs), n, accepted, differ)
}

// TestDisassemblerAgainstLibpcap compares the lines of all operations.
func TestDisassemblerAgainstLibpcap(t *testing.T) {
	t.Parallel()
	run := libpcapRun(t)
	var p filter.Program
	for op := range 1 << 16 {
		if op == 0x81 {
			continue // libpcap runs it, but has no name for it
		}
		if op < 0x100 || op%251 == 0 {
			p = append(p, bpf.RawInstruction{Op: uint16(op), Jt: 1, Jf: 2, K: 0xfffffff0}, bpf.RawInstruction{Op: uint16(op), Jt: 200, K: 14})
		}
	}
	for k := uint32(0xfffff000); k < 0xfffff050; k++ {
		p = append(p, bpf.RawInstruction{Op: 0x20, K: k}, bpf.RawInstruction{Op: 0x28, K: k}, bpf.RawInstruction{Op: 0x30, K: k})
	}
	cmd := exec.Command(run, "-i")
	cmd.Stdin = bytes.NewReader(libpcapInput([]filter.Program{p}, nil))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(out), "\n")
	got := strings.Split(p.Format(filter.FormText), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, libpcap %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%q, libpcap %q", got[i], want[i])
		}
	}
}

// The parts of union bpf_attr of linux/bpf.h. What stays zero has no name.
type (
	bpfProgLoad struct {
		progType, insnCount uint32
		insns, license      uint64
		logLevel, logSize   uint32
		logBuf              uint64
		_, flags            uint32
	}
	bpfTestRun struct {
		progFD, retval          uint32
		dataSizeIn, dataSizeOut uint32
		dataIn, dataOut         uint64
		repeat                  uint32
		_                       [7]uint32
	}
)

func bpfCall[T any](cmd uintptr, attr *T) (int, error) {
	for {
		r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR, unix.EAGAIN: // the verifier gives up for a signal
		default:
			return -1, errno
		}
	}
}

func pointer(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// loadXDP loads a translated program.
func loadXDP(t testing.TB, p filter.EBPF, frags bool) (fd int) {
	t.Helper()
	code, license := p.AppendTo(nil, binary.NativeEndian), []byte("MIT\x00")
	attr := bpfProgLoad{progType: unix.BPF_PROG_TYPE_XDP, insnCount: uint32(len(p))}
	if frags {
		attr.flags = unix.BPF_F_XDP_HAS_FRAGS
	}
	var log []byte
	for {
		attr.insns, attr.license = pointer(code), pointer(license)
		if log != nil {
			attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), pointer(log)
		}
		fd, err := bpfCall(unix.BPF_PROG_LOAD, &attr)
		keepAlive(code, license, log)
		if err == nil {
			return fd
		}
		if log != nil {
			text := strings.TrimRight(unix.ByteSliceToString(log), "\n")
			t.Fatalf("BPF_PROG_LOAD: %v\n%s", err, text[max(0, len(text)-2000):])
		}
		log = make([]byte, 1<<22)
	}
}

//go:noinline
func keepAlive(b ...[]byte) {
	for _, b := range b {
		io.Discard.Write(b)
	}
}

// runXDP returns what a loaded program does with a frame.
func runXDP(t testing.TB, fd int, b []byte) filter.XDPAction {
	t.Helper()
	out := make([]byte, len(b)+256)
	attr := bpfTestRun{progFD: uint32(fd), dataSizeIn: uint32(len(b)), dataIn: pointer(b), dataSizeOut: uint32(len(out)), dataOut: pointer(out), repeat: 1}
	_, err := bpfCall(unix.BPF_PROG_TEST_RUN, &attr)
	keepAlive(b, out)
	if err != nil {
		t.Fatalf("BPF_PROG_TEST_RUN: %v", err)
	}
	return filter.XDPAction(attr.retval)
}

// TestTranslatedForXDP has the kernel run programs as XDP programs and as the
// filters of a socket.
func TestTranslatedForXDP(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	r := rand.New(rand.NewPCG(5, 6))
	var progs []filter.Program
	for _, c := range libpcapPrograms(t) {
		if c.link == "EN10MB" && c.prog.ValidateLinux() == nil {
			progs = append(progs, c.prog)
		}
	}
	for len(progs) < 400 {
		if p := randomProgram(r); p.ValidateLinux() == nil {
			progs = append(progs, p)
		}
	}
	packets := filterPackets(r, "EN10MB")
	for range 10 {
		b := randomPacket(r, 14)
		packets = append(packets, filterPacket{len(b), b})
	}
	s := newFilterSocket(t)
	accepted := 0
	for _, p := range progs {
		if err := s.attach(p); err != nil {
			t.Errorf("%v, of\n%s", err, p)
			continue
		}
		var fds []int
		for _, frags := range []bool{false, true} {
			x, err := p.XDP(filter.XDPOptions{Accept: filter.XDPPass, Reject: filter.XDPDrop, Frags: frags})
			if err != nil {
				t.Errorf("%v, of\n%s", err, p)
				continue
			}
			fds = append(fds, loadXDP(t, x, frags))
		}
		for _, packet := range packets {
			if len(packet.data) < 14 {
				continue // not a frame
			}
			want := filter.XDPDrop
			if s.run(t, packet.data) != 0 {
				want = filter.XDPPass
				accepted++
			}
			for i, fd := range fds {
				if got := runXDP(t, fd, packet.data); got != want {
					t.Errorf("%d, want %d, of %x and program %d of\n%s", got, want, packet.data, i, p)
				}
			}
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	t.Logf("%d programs, %d packets each, %d accepted", len(progs), len(packets), accepted)
}

// TestXDPLong translates the longest program, of which every third instruction
// looks at the packet.
func TestXDPLong(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	var p filter.Program
	for i := range uint32(filter.MaxProgram/3 - 1) {
		p = append(p,
			bpf.RawInstruction{Op: 0x28, K: 12}, // ldh [12]
			bpf.RawInstruction{Op: 0x15, K: i, Jf: 1},
			bpf.RawInstruction{Op: 0x06, K: 1})
	}
	p = append(p, bpf.RawInstruction{Op: 0x06})
	b := make([]byte, 14)
	for _, frags := range []bool{false, true} {
		x, err := p.XDP(filter.XDPOptions{Accept: filter.XDPPass, Reject: filter.XDPDrop, Frags: frags})
		if err != nil {
			t.Fatal(err)
		}
		fd := loadXDP(t, x, frags)
		defer unix.Close(fd)
		for value, want := range map[uint16]filter.XDPAction{0: filter.XDPPass, 1000: filter.XDPPass, 60000: filter.XDPDrop} {
			binary.BigEndian.PutUint16(b[12:], value)
			if got := runXDP(t, fd, b); got != want {
				t.Errorf("with %d, frags=%t: %d, want %d", value, frags, got, want)
			}
		}
	}
}

// TestXDPMetadata translates the loads of metadata.
func TestXDPMetadata(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	to := func(rest []byte, dst ...byte) []byte { return append(dst, rest...) }
	rest := []byte{2, 0, 0, 0, 0, 1, 0x81, 0, 0, 100, 8, 0, 0x45, 0}
	short := []byte{2, 0, 0, 0, 0, 1, 0, 4}
	here := []byte{2, 0, 0, 0, 0, 5}
	for _, c := range []struct {
		load  string
		frame []byte
		want  string
	}{
		{"ldh [type]", to(rest, here...), "0"},
		{"ldh [type]", to(rest, 255, 255, 255, 255, 255, 255), "1"},
		{"ldh [type]", to(rest, 1, 0, 0x5e, 0, 0, 1), "2"},
		{"ldh [type]", to(rest, 255, 255, 255, 255, 255, 254), "2"},
		{"ldh [type]", to(rest, 2, 0, 0, 0, 0, 6), "3"},
		{"ldh [type]", to(rest, 2, 0, 1, 0, 0, 5), "3"},
		{"ldh [type]", to(rest, 4, 0, 0, 0, 0, 5), "3"},
		{"ldh [proto]", to(rest, here...), "0x8100"},
		{"ldh [proto]", to(short, here...), "4"},
		{"ldh [proto]", to(append(short[:8:8], 0x42, 0x42), here...), "4"},
		{"ldh [proto]", to(append(short[:8:8], 0xff, 0xff), here...), "1"},
		{"ld [hatype]", to(rest, here...), "1"},
		{"ldb [vlanp]", to(rest, here...), "0"},
		{"ldh [vlan_tci]", to(rest, here...), "0"},
		{"ld [mark]", to(rest, here...), "0"},
		{"ld [queue]", to(rest, here...), "0"},
		{"ld #5\n ldx #3\n ld [xor_x]", to(rest, here...), "6"},
		{"ld [ifidx]\n jgt #0 jf drop\n ld #0", to(rest, here...), "0"}, // the loopback's
	} {
		p, err := filter.Assemble(c.load + "\n jeq #" + c.want + " jf drop\n ret #1\n drop: ret #0")
		if err != nil {
			t.Fatal(err)
		}
		for _, frags := range []bool{false, true} {
			x, err := p.XDP(filter.XDPOptions{Accept: filter.XDPTx, Reject: filter.XDPDrop, MAC: [6]byte(here), Frags: frags})
			if err != nil {
				t.Errorf("%s: %v", c.load, err)
				continue
			}
			fd := loadXDP(t, x, frags)
			if got := runXDP(t, fd, c.frame); got != filter.XDPTx {
				t.Errorf("%s of %x, frags=%t: not %s", c.load, c.frame, frags, c.want)
			}
			unix.Close(fd)
		}
	}
}

// TestKernelTakesCompiled compiles the expressions of testdata for Ethernet. The
// kernel has to take every program, and to come to the verdicts of ours.
func TestKernelTakesCompiled(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "filter", "expressions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	packets := filterPackets(r, "EN10MB")
	s := newFilterSocket(t)
	n, accepted := 0, 0
	for line := range strings.Lines(string(text)) {
		links, expr, ok := strings.Cut(strings.TrimSpace(line), "::")
		if !ok || strings.HasPrefix(line, "#") || links != "* " && !strings.Contains(links, "EN10MB") {
			continue
		}
		for _, target := range []filter.Target{filter.TargetFile, filter.TargetLinux} {
			f, err := filter.Compile(strings.TrimSpace(expr), filter.Options{Link: link.TypeEthernet, Target: target})
			if err != nil {
				continue // refused, or a name that is not known here
			}
			p := f.Program()
			if err := p.ValidateLinux(); err != nil {
				t.Errorf("%s: %v", expr, err)
			}
			if err := s.attach(p); err != nil {
				t.Errorf("%s: the kernel: %v, of\n%s", expr, err, p)
				continue
			}
			n++
			if target == filter.TargetLinux {
				continue // asks for what a pair of sockets does not have
			}
			x, err := p.XDP(filter.XDPOptions{Accept: filter.XDPPass, Reject: filter.XDPDrop})
			if err != nil {
				t.Errorf("%s: %v", expr, err)
			} else if n%8 == 0 && os.Geteuid() == 0 {
				unix.Close(loadXDP(t, x, false))
			}
			// The kernel shifts by the lowest five bits.
			vm, err := filter.NewVM(p, filter.VMOptions{Linux: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, packet := range packets {
				if len(packet.data) == 0 {
					continue
				}
				got, kernel := vm.Run(packet.data, len(packet.data)) != 0, s.run(t, packet.data) != 0
				if got != kernel {
					t.Errorf("%s: %t, the kernel %t, of %x and\n%s", expr, got, kernel, packet.data, p)
				}
				if kernel {
					accepted++
				}
			}
		}
	}
	t.Logf("%d programs, %d packets accepted", n, accepted)
	if n == 0 || accepted == 0 {
		t.Error("the test has no use")
	}
}
