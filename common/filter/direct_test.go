package filter_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

// The two engines answer the same: the direct one computes what the program
// would, or leaves the packet to the other.
func TestDirectLikeSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t, func(uint16) bool { return true })
		b := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "packet")
		wire := rapid.IntRange(len(b), 100).Draw(t, "length")
		for _, linux := range []bool{false, true} {
			vm, err := filter.NewVM(p, filter.VMOptions{Linux: linux})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := vm.Run(b, wire), vm.Steps(b, wire); got != want {
				t.Errorf("Linux=%t: %d, following the program %d, of\n%v", linux, got, want, p)
			}
		}
	})
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
				vm, err := filter.NewVM(f.Program(), filter.VMOptions{})
				if err != nil {
					t.Fatal(err)
				}
				linux, err := filter.NewVM(f.Program(), filter.VMOptions{Linux: true})
				if err != nil {
					t.Fatal(err)
				}
				for range 6 {
					full := like(r, l)
					for n := range len(full) + 1 {
						b, wire := full[:n], len(full)
						if got, want := vm.Run(b, wire), vm.Steps(b, wire); got != want {
							t.Fatalf("%s, %q, optimized %t: %d, following the program %d, of % x, length %d", l, expr, !plain, got, want, b, wire)
						}
						if got, want := linux.Run(b, wire), linux.Steps(b, wire); got != want {
							t.Fatalf("Linux, %s, %q, optimized %t: %d, following the program %d, of % x, length %d", l, expr, !plain, got, want, b, wire)
						}
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
		if vm.Leaves() {
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
		vm := newVM(t, text, filter.VMOptions{})
		for v := range 1024 {
			b := make([]byte, 10)
			b[8], b[9], b[1], b[2] = byte(v>>8&1), byte(v), byte(v>>9), byte(v>>9)
			if got, want := vm.Run(b, len(b)), vm.Steps(b, len(b)); got != want {
				t.Errorf("%d, following the program %d, of % x by\n%s", got, want, b, text)
				break
			}
		}
	}
}

// The longest programs are prepared in a moment, whatever they are made of.
func TestDirectLong(t *testing.T) {
	for _, text := range []string{"ldb [%d]\n jeq #1 jf n%[2]d\n ret #%[2]d\n n%[2]d:\n", "ldb [x + %d]\n tax\n jgt #%[2]d jf n%[2]d\n n%[2]d:\n", "ldb [%d]\n add x\n tax\n st M[3]\n jset #%[2]d jt n%[2]d\n n%[2]d:\n"} {
		var b strings.Builder
		for i := range 13000 {
			fmt.Fprintf(&b, text, i%50, i+1)
		}
		b.WriteString("ret #9")
		vm := newVM(t, b.String(), filter.VMOptions{})
		if got, want := vm.Run(packet[:], 60), vm.Steps(packet[:], 60); got != want {
			t.Errorf("%d, following the program %d, of %q", got, want, text)
		}
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
		vm := newVM(t, text, filter.VMOptions{})
		for _, b := range [][]byte{nil, make([]byte, 7), packet[:], make([]byte, 80)} {
			if got, want := vm.Run(b, len(b)), vm.Steps(b, len(b)); got != want {
				t.Errorf("%d, following the program %d, of %d bytes by\n%s", got, want, len(b), text)
			}
		}
	}
}
