package filter_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// engines are both engines of a program, and the program as it is written.
type engines struct {
	prog filter.Program
	o    filter.VMOptions
	vm   *filter.VM
}

func newEngines(t rapid.TB, p filter.Program, o filter.VMOptions) engines {
	t.Helper()
	vm, err := filter.NewVM(p, o)
	if err != nil {
		t.Fatal(err)
	}
	if o.Budget == 0 {
		o.Budget = filter.DefaultBudget
	}
	return engines{p, o, vm}
}

// agree compares them.
func (e engines) agree(t rapid.TB, b []byte, wireLen int, info *link.Info) {
	t.Helper()
	want := e.prog.Literal(b, wireLen, info, e.o)
	run, steps := e.vm.RunInfo(b, wireLen, info), e.vm.Steps(b, wireLen, info)
	if run != want || steps != want {
		t.Fatalf("%+v: %d, and %d by steps, want %d, of % x, length %d, by\n%.2000s", e.o, run, steps, want, b, wireLen, e.prog)
	}
}

// The engines do what the program says.
func TestEngines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t, anyOperation)
		b := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "packet")
		wire := rapid.IntRange(len(b), 100).Draw(t, "length")
		for _, linux := range []bool{false, true} {
			newEngines(t, p, filter.VMOptions{Linux: linux}).agree(t, b, wire, nil)
		}
	})
}

// Instructions of which several are one step, with jumps to each of them, and back.
func TestEnginesSequences(t *testing.T) {
	ops := map[uint16]bool{0x30: true, 0x50: true, 0x54: true, 0x04: true, 0x0c: true, 0x07: true, 0x87: true, 0x15: true, 0x45: true, 0x05: true, 0x02: true, 0x60: true, 0xb1: true}
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t, func(op uint16) bool { return ops[op] })
		for i, in := range p {
			if in.Op == 0x05 && rapid.Bool().Draw(t, "back") {
				p[i].K = -uint32(rapid.IntRange(1, i+1).Draw(t, "skip"))
			}
		}
		b := rapid.SliceOfN(rapid.ByteRange(0, 70), 40, 80).Draw(t, "packet")
		for _, budget := range []int{rapid.IntRange(1, 50).Draw(t, "budget"), 1000} {
			newEngines(t, p, filter.VMOptions{Budget: budget}).agree(t, b, len(b), nil)
		}
	})
}

// Every instruction with those behind it that may be one step with it, and jumps
// into the middle. What X instructions have for a constant does not count.
func TestEnginesThree(t *testing.T) {
	behind := []uint16{0x04, 0x0c, 0x54, 0x07, 0x87, 0x15, 0x45, 0x25, 0x05, 0x50, 0x61, 0x1c, 0x16}
	prelude := assemble(t, "ldb [4]\n st M[1]\n st M[6]\n ldb [x + 2]\n tax\n stx M[2]\n ldb [3]")
	end := assemble(t, "add #100\n st M[7]\n stx M[8]\n ld M[8]\n mul #1000\n tax\n ld M[7]\n add x\n ret")
	packets := [][]byte{make([]byte, 20), make([]byte, 20), {0, 0, 3, 1, 2, 9, 9, 9, 9, 9, 9, 9}}
	for i := range packets[1] {
		packets[1][i] = byte(37*i + 1)
	}
	for _, first := range operations {
		for _, second := range behind {
			for _, third := range behind {
				for _, k := range [][3]uint32{{6, 5, 12}, {1, 1, 1}, {2, 3, 2}} {
					p := slices.Clone(prelude)
					for i, op := range []uint16{first, second, third} {
						in := bpf.RawInstruction{Op: op, K: k[i]}
						switch {
						case op == 0x05:
							in.K = 1
						case op&7 == 5:
							in.Jf = 1
						}
						p = append(p, in)
					}
					e := newEngines(t, append(p, end...), filter.VMOptions{})
					for _, b := range packets {
						e.agree(t, b, 60, nil)
					}
				}
			}
		}
	}
}

// Programs of one load and one comparison, with packets of every length.
func TestEnginesOnly(t *testing.T) {
	packet := []byte{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11, 12, 13, 14, 15, 16}
	for _, load := range []string{"ld [4]", "ld [3]", "ld [12]", "ldh [6]", "ldh [5]", "ldh [14]", "ldb [7]", "ldb [6]", "ldb [15]"} {
		for _, val := range []string{"0x05040302", "0x06050403", "0x0d0e0f10", "0x0302", "0x0403", "0x0f10", "0x10f10", "2", "0x102", "3", "16", "0"} {
			for _, to := range []string{"jt yes", "jf yes"} {
				for _, length := range []int{60, 0} {
					e := newEngines(t, assemble(t, load+"\n jeq #"+val+" "+to+"\n ret #7\n yes: ret #4294967295"), filter.VMOptions{})
					for n := range len(packet) + 1 {
						e.agree(t, packet[:n], length, nil)
						e.agree(t, packet[:n:n], length, &link.Info{})
					}
				}
			}
		}
	}
	all := assemble(t, "ld [14]\n jeq #1 jt yes\n ret #7\n yes: ret #8")
	for k := uint32(0xfffff000); k < 0xfffff020; k += 4 { // of metadata
		all[0].K = k
		newEngines(t, all, filter.VMOptions{}).agree(t, packet, 60, &link.Info{Interface: 1})
	}
}

// Comparisons with numbers that are greater than what was loaded can be, near the
// start of the packet, where the eight bytes that a test reads begin with it.
func TestEnginesGreat(t *testing.T) {
	zero, ones := make([]byte, 24), bytes.Repeat([]byte{0xff}, 24)
	for _, load := range []string{"ldb", "ldh", "ld", "ldxb"} {
		for off := range 8 {
			text := fmt.Sprintf("%s [%d]\n", load, off)
			if load == "ldxb" {
				text = fmt.Sprintf("ldxb 4*([%d]&0xf)\n txa\n", off)
			}
			for _, change := range []string{"", "and #0xf0\n", "sub #3\n", "lsh #4\n"} {
				for _, op := range []string{"jeq", "jgt", "jge", "jset"} {
					for bit := range 32 {
						for _, val := range []uint32{1 << bit, 0xff << bit} {
							p := assemble(t, fmt.Sprintf("%s%s%s #%d jt yes\n ret #0\n yes: ret #1", text, change, op, val))
							e := newEngines(t, p, filter.VMOptions{})
							e.agree(t, zero, 24, nil)
							e.agree(t, ones, 24, nil)
						}
					}
				}
			}
		}
	}
}

// Short programs at random, with the numbers that are at the borders of what a
// field or a register can be, near the start of the packet, and with packets of
// zeros, of ones and of such bytes, that may end anywhere.
func TestEnginesBorders(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	programs := 20000
	if filter.RaceEnabled {
		programs /= 10
	}
	for range programs {
		p := borders(r)
		near := int(r.Uint32N(30)) + 2
		libpcap, linux := newEngines(t, p, filter.VMOptions{}), newEngines(t, p, filter.VMOptions{Linux: true})
		for _, bytes := range [][]byte{{0}, {0xff}, {0, 1, 15, 16, 0x7f, 0x80, 0xf0, 0xff}} {
			b := make([]byte, r.IntN(2*near))
			for i := range b {
				b[i] = bytes[r.IntN(len(bytes))]
			}
			libpcap.agree(t, b, len(b), nil)
			linux.agree(t, b, len(b), nil)
			if want, ok := peer(p, b); ok && libpcap.vm.Run(b, len(b)) != want {
				t.Fatalf("%d, want %d, of % x, by\n%s", libpcap.vm.Run(b, len(b)), want, b, p)
			}
		}
	}
}

// border returns a number at a border: of a power of two, none, or all.
func border(r *rand.Rand) uint32 {
	switch r.IntN(6) {
	case 0:
		return 1 << r.IntN(32)
	case 1:
		return 1<<r.IntN(33) - 1
	case 2:
		return 0xff << r.IntN(32)
	case 3:
		return uint32(0xffffffff) << r.IntN(32)
	case 4:
		return uint32(r.IntN(80))
	}
	return r.Uint32()
}

// borders returns a short valid program with such numbers.
func borders(r *rand.Rand) filter.Program {
	p := filter.Program{{Op: 0x02}} // M[0] is written
	n := 1 + r.IntN(9)
	for i := range n {
		var in bpf.RawInstruction
		switch r.IntN(10) {
		case 0, 1, 2:
			in.Op, in.K = []uint16{0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1}[r.IntN(7)], uint32(r.IntN(16))
		case 3:
			in.Op = []uint16{0x02, 0x03, 0x60, 0x61, 0x07, 0x87, 0x80, 0x00, 0x01}[r.IntN(9)]
			if in.Op < 2 {
				in.K = border(r)
			}
		case 4, 5:
			in.Op = []uint16{0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x54, 0x94, 0xa4, 0x64, 0x74, 0x84, 0x0c, 0x1c, 0x2c, 0x5c}[r.IntN(16)]
			switch in.Op {
			case 0x64, 0x74:
				in.K = uint32(r.IntN(32))
			case 0x84, 0x0c, 0x1c, 0x2c, 0x5c:
			default:
				in.K = max(1, border(r)) // no division by zero
			}
		default:
			left := n - i // both returns are behind the last one
			in.Op, in.Jt, in.Jf = []uint16{0x15, 0x25, 0x35, 0x45, 0x15, 0x1d, 0x2d, 0x3d, 0x4d}[r.IntN(9)], uint8(r.IntN(left+1)), uint8(r.IntN(left+1))
			if in.Op&8 == 0 {
				in.K = border(r)
			}
		}
		p = append(p, in)
	}
	return append(p, bpf.RawInstruction{Op: 0x06, K: 1}, bpf.RawInstruction{Op: []uint16{0x06, 0x16}[r.IntN(2)]})
}

// Loads at the end of a packet, and behind it.
func TestEnginesEnd(t *testing.T) {
	for _, load := range []string{"ld [9]", "ldh [9]", "ldb [9]", "ld [x + 4]", "ldh [x + 4]", "ldb [x + 4]", "ldxb 4*([9]&0xf)\n txa"} {
		for _, end := range []string{"ret", "tax\n txa\n ret", "jeq #0 jt yes\n ret #1\n yes: ret #2", "and #9\n jset #8 jf yes\n ret #1\n yes: ret #2"} {
			e := newEngines(t, assemble(t, "ldx #5\n "+load+"\n "+end), filter.VMOptions{})
			for n := range 16 {
				e.agree(t, make([]byte, n), 60, nil)
				e.agree(t, bytes.Repeat([]byte{8}, n), 60, nil)
			}
		}
	}
}

// Offsets before X, and shifts by more than 31, where the rules of Linux differ.
func TestEnginesLinux(t *testing.T) {
	for _, text := range []string{
		"ld [x - 3]", "ldh [x - 3]", "ldb [x - 3]", "ld [x - 9]", "ldh [x - 9]", "ldb [x - 9]", "ld #3\n lsh x", "ld #-1\n rsh x",
	} {
		for _, end := range []string{"ret", "jeq #0x06050403 jt yes\n jset #0x20 jt yes\n jeq #0x605 jt yes\n jeq #6 jt yes\n ret #1\n yes: ret #2"} {
			for _, linux := range []bool{false, true} {
				e := newEngines(t, assemble(t, "ldb [0]\n tax\n "+text+"\n "+end), filter.VMOptions{Linux: linux})
				for x := range byte(70) {
					e.agree(t, []byte{x, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, 11, nil)
				}
			}
		}
	}
}

// expressions reach every kind of test.
var expressions = append([]string{
	"", "ip6", "portrange 1000-2000", "less 60", "greater 60 and ip", "len & 4 = 4", "ip[2:2] - len = 0", "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
	"ether[0] & 1 = 0 and ip[16] >= 224", "net 10.0.0.0/8", "ether host 02:00:00:00:00:05", "ip[8] < 5", "ip[ip[0] & 0xf] = 1", "tcp[tcp[0] & 3 : 2] > 7",
	"vlan and ip", "mpls and host 10.0.0.1", "pppoes and tcp port 80", "geneve and ip", "ip protochain 6", "ip6 protochain 6", "1 << ip[0] != 4",
	"ip[2:2] / 3 = 7", "ip[2:2] % 4 = 1", "ip[0] / ip[1] = 0", "ip[0] | ip[1] ^ ip[2] = 69", "-ip[0] > 5", "ip[0] * 4 + ip[1] << 2 = 276", "icmp[icmptype] = icmp-echo",
	"ip[0:4] > 0x80000000 or ip[0:4] >= 0xffffffff", "host 10.0.0.1 or host 10.0.0.2 or port 1 or 3 or 5 or 7 or 9", "ip multicast", "sctp", "tcp[tcpflags] = tcp-syn",
}, filter.Typical...)

// Of packets of all lengths, and on link types with headers of several lengths,
// both optimized and not.
func TestDirectExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range []link.Type{link.TypeEthernet, link.TypeRaw, link.TypeNull, link.TypeLinuxSLL, link.TypeIEEE80211Radiotap} {
		for _, expr := range expressions {
			for _, plain := range []bool{false, true} {
				f, err := filter.Compile(expr, filter.Options{Link: l, NoOptimize: plain})
				if err != nil {
					continue // it has no meaning there
				}
				libpcap := newEngines(t, f.Program(), filter.VMOptions{})
				linux := newEngines(t, f.Program(), filter.VMOptions{Linux: true})
				for range 6 {
					full := like(r, l)
					for n := range len(full) + 1 {
						libpcap.agree(t, full[:n], len(full), nil)
						linux.agree(t, full[:n], len(full), nil)
					}
				}
			}
		}
	}
}

// like returns a packet that some of the expressions accept.
func like(r *rand.Rand, l link.Type) []byte {
	var b []byte
	typ := []uint16{0x0800, 0x0800, 0x0800, 0x86dd, 0x0806, 0x8100, 0x8847, 0x8864}[r.IntN(8)]
	switch l {
	case link.TypeEthernet:
		b = append([]byte{2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1}, byte(typ>>8), byte(typ))
		if typ == 0x8100 {
			b = append(b, 0, 1, 8, 0)
		}
	case link.TypeNull:
		b = []byte{2, 0, 0, 0}
	case link.TypeLinuxSLL:
		b = append(make([]byte, 14), byte(typ>>8), byte(typ))
	case link.TypeIEEE80211Radiotap:
		b = append([]byte{0, 0, 8, 0, 0, 0, 0, 0, 8}, make([]byte, 23)...)
		b = append(b, 0xaa, 0xaa, 3, 0, 0, 0, byte(typ>>8), byte(typ))
	}
	ip := make([]byte, 20, 80)
	ip[0] = []byte{0x45, 0x46, 0x4f, 0x60, 0x40}[r.IntN(5)]
	ip[3] = 60
	ip[6] = byte(r.IntN(2) * r.IntN(64))
	ip[9] = []byte{6, 6, 6, 17, 1, 132, 51}[r.IntN(7)]
	copy(ip[12:], []byte{10, 0, 0, byte(r.IntN(3)), 192, 168, 0, byte(r.IntN(3))})
	if ip[0] == 0x60 {
		ip[6] = ip[9]
	}
	for len(ip) < cap(ip) {
		ip = append(ip, []byte{0, 0, 80, 22, 53, 0x50, 1, 0xbb, 7}[r.IntN(9)])
	}
	return append(b, ip...)
}

// Typical expressions are for the direct engine alone: the other one is for
// short packets.
func TestDirectAnswers(t *testing.T) {
	for _, expr := range filter.Typical {
		f, err := filter.Compile(expr, filter.Options{Link: link.TypeEthernet})
		if err != nil {
			t.Fatal(err)
		}
		vm, err := filter.NewVM(f.Program(), filter.VMOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if leaves, _ := vm.Leaves(); leaves {
			t.Errorf("%q leaves packets to the other engine", expr)
		}
	}
}

// Tests of neighbouring bytes become one only where that is the same.
func TestDirectJoin(t *testing.T) {
	for _, text := range []string{
		"ldb [9]\n jeq #6 jf a\n ldb [8]\n jeq #1 jf a\n ret #1\n a: ret #2",
		"ldb [9]\n jeq #6 jf a\n ldb [8]\n jeq #1 jf b\n ret #1\n a: ret #2\n b: ret #3",
		"ldb [9]\n jeq #6 jf a\n ldb [9]\n jeq #17 jf a\n ret #1\n a: ret #2", // 6 | 17 is 23
		"ldb [9]\n jset #6 jt a\n ldb [9]\n jset #17 jt a\n ret #1\n a: ret #2",
		"ldb [9]\n jeq #6 jt a\n ldb [8]\n jeq #1 jt b\n ldb [9]\n jeq #7 jt b\n jeq #8 jt a\n jeq #9 jt b\n ret #1\n a: ret #2\n b: ret #3",
		"ldb [1]\n jeq #0 jf a\n ldb [9]\n jeq #6 jf a\n ret #1\n a: ret #2", // not among eight
		"ldb [2]\n jeq #0 jf a\n ldb [9]\n jeq #6 jf a\n ret #1\n a: ret #2", // just among eight
	} {
		e := newEngines(t, assemble(t, text), filter.VMOptions{})
		for v := range 1024 {
			b := make([]byte, 10)
			b[8], b[9], b[1], b[2] = byte(v>>8&1), byte(v), byte(v>>9), byte(v>>9)
			e.agree(t, b, len(b), nil)
		}
	}
}

// Programs of one test return what they say, and no packet is too short for a test
// of bytes that it has.
func TestDirectOnly(t *testing.T) {
	for _, text := range []string{
		"ldh [12]\n jeq #0x8100 jf no\n ret #7\n no: ret #0",
		"ldh [12]\n jeq #0x8100 jt no\n ret #0xffffffff\n no: ret #0x80000000",
		"ld [2]\n jeq #5 jf no\n ldh [0]\n jeq #0x0200 jf no\n ret #1\n no: ret #2",
		"ldb [0]\n jset #1 jt no\n ret #1\n no: ret #2",
		"ldb [14]\n and #0xf\n jeq #0 jf no\n ret #1\n no: ret #2",
		"ldh [12]\n ret #3", "ldh [0]\n ret #3", "ldb [12]\n jeq #0x81 jt 3\n ret #3\n ret #3",
		"ld [0xffffff8]\n jeq #0 jt 3\n ret #3\n ret #4", "ld [0xffffffc]\n jeq #0 jt 3\n ret #3\n ret #4",
	} {
		e := newEngines(t, assemble(t, text), filter.VMOptions{})
		for n := range len(packet) + 1 {
			for i := range n {
				b := bytes.Clone(packet[:n])
				e.agree(t, b, 60, nil)
				b[i]++
				e.agree(t, b, 60, nil)
			}
			e.agree(t, packet[:n], 60, nil)
		}
	}
}

// The longest programs are prepared in a moment, whatever they are made of.
func TestDirectLong(t *testing.T) {
	for _, text := range []string{"ldb [%d]\n jeq #1 jf n%[2]d\n ret #%[2]d\n n%[2]d:\n", "ldb [x + %d]\n tax\n jgt #%[2]d jf n%[2]d\n n%[2]d:\n", "ldb [%d]\n add x\n tax\n st M[3]\n jset #%[2]d jt n%[2]d\n n%[2]d:\n", "n%[2]d: ja m%[2]d\n m%[2]d: ja n%[2]dx\n n%[2]dx: ja n%[2]dy\n n%[2]dy:\n"} {
		var b strings.Builder
		for i := range 13000 {
			fmt.Fprintf(&b, text, i%50, i+1)
		}
		b.WriteString("ret #9")
		e := newEngines(t, assemble(t, b.String()), filter.VMOptions{})
		e.agree(t, packet[:], 60, nil)
	}
}

// Programs that want more than the direct engine has: it leaves, and does not
// grow.
func TestDirectLimits(t *testing.T) {
	var deep, wide strings.Builder
	for range 30 { // the base of a base of a base
		deep.WriteString("ldb [x + 1]\n tax\n")
	}
	deep.WriteString("jeq #0 jf 62\n ret #1\n ret #2")
	wide.WriteString("ldb [9]\n tax\n")
	for i := range 300 { // tests of sums
		fmt.Fprintf(&wide, "ldb [8]\n add x\n jgt #%d jf next%d\n ret #%d\n next%d:\n", 1000+i, i, i+1, i)
	}
	wide.WriteString("ret #9")
	for _, text := range []string{
		deep.String(), wide.String(),
		"ldb [0]\n tax\n add x\n tax\n add x\n tax\n add x\n tax\n add x\n jeq #0 jf 11\n ret #1\n ret #2", // terms
		"ldb [0]\n div x\n ret", "ld [-1]\n ret #1", "ldb [0x20000000]\n ret #1", "ldxb 4*([70000]&0xf)\n ret #1",
		"ldb [0]\n jeq #1 jt 3\n ldb [1]\n st M[0]\n ldb [2]\n ldx M[0]\n jeq x jt 8\n ret #1\n ret #2", // M[0] where it is not known
	} {
		e := newEngines(t, assemble(t, text), filter.VMOptions{})
		for _, b := range [][]byte{nil, make([]byte, 7), packet[:], make([]byte, 80)} {
			e.agree(t, b, len(b), nil)
		}
	}
}

// Where the direct engine has no answer, the other one goes on from there, if
// nothing is in a register that it needs.
func TestDirectGoesOn(t *testing.T) {
	for _, c := range []struct {
		text   string
		behind int
	}{
		{"ldb [0]\n div x\n ret", 0},
		{"ldh [12]\n jeq #0x8100 jf no\n ldb [0]\n tax\n ldb [5]\n mod x\n jeq #1 jf no\n ret #1\n no: ret #2", 2},
		{"ldh [12]\n jeq #0x8100 jf no\n ja on\n on: ldb [0]\n tax\n ldb [5]\n mod x\n jeq #1 jf no\n ret #1\n no: ret #2", 3},
		{"ldx #3\n ldh [12]\n jeq #0x8100 jf no\n ldb [5]\n tax\n ldb [0]\n div x\n ret\n no: ret #2", 3},
		{"ldb [5]\n tax\n ldh [12]\n jeq #0x8100 jf no\n ldb [0]\n mul x\n ret\n no: ret #2", 0},      // it needs X
		{"ldb [5]\n st M[3]\n ldh [12]\n jeq #0x8100 jf no\n ldx M[3]\n mul x\n ret\n no: ret #2", 0}, // it needs A and M[3]
		{"ldh [12]\n jeq #0x8100 jf no\n ldb [2]\n jeq #0 jf no\n ld [rxhash]\n ret\n no: ret #2", 4},
	} {
		e := newEngines(t, assemble(t, c.text), filter.VMOptions{})
		if leaves, behind := e.vm.Leaves(); !leaves || behind != c.behind {
			t.Errorf("it leaves: %t, behind %d instructions, want %d, of\n%s", leaves, behind, c.behind, c.text)
		}
		for _, b := range [][]byte{packet[:], packet[:13], make([]byte, 80)} {
			e.agree(t, b, 60, nil)
			e.agree(t, b, 60, &link.Info{Link: link.TypeEthernet, Hash: 7, Flags: link.InfoHash})
		}
	}
}
