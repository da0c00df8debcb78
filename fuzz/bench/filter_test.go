package bench_test

import (
	"os/exec"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// filterBenchmarks are expressions as they occur, from short to long.
var filterBenchmarks = []struct{ name, expr string }{
	{"ip", "ip"},
	{"port", "tcp port 80"},
	{"host", "host 10.0.0.1"},
	{"not", "not port 22 and not arp"},
	{"ports", "tcp port 80 or 443"},
	{"flags", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0"},
	{"complex", "(tcp port 80 or 443) and (host 10.0.0.1 or net 192.168.0.0/16) and not src port 22"},
	{"payload", "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)"},
}

// libpcapProgram has tcpdump compile an expression.
func libpcapProgram(b *testing.B, expr string) filter.Program {
	b.Helper()
	out, err := exec.Command("tcpdump", "-y", "EN10MB", "-ddd", expr).Output()
	if err != nil {
		b.Skip("tcpdump does not compile: ", err)
	}
	p, err := filter.Assemble(string(out))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// filterFrames returns a mix of Ethernet frames, as many as fit the cache. It is an
// array so that taking one in turn costs next to nothing: an engine may take no
// longer than the loop around it.
func filterFrames() *[16][]byte {
	ether := func(typ uint16, payload ...byte) []byte {
		return append([]byte{2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 1, byte(typ >> 8), byte(typ)}, payload...)
	}
	v4 := func(proto byte, src, dst byte, sport, dport uint16) []byte {
		b := ether(0x0800,
			0x45, 0, 0, 100, 0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, src, 192, 168, 0, dst,
			byte(sport>>8), byte(sport), byte(dport>>8), byte(dport), 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 4, 0, 0, 0, 0, 0)
		return append(b, make([]byte, 60)...)
	}
	v6 := func(proto byte, sport, dport uint16) []byte {
		b := ether(0x86dd, 0x60, 0, 0, 0, 0, 80, proto, 64)
		b = append(b, make([]byte, 32)...)
		b = append(b, byte(sport>>8), byte(sport), byte(dport>>8), byte(dport))
		return append(b, make([]byte, 76)...)
	}
	return &[16][]byte{
		v4(6, 1, 2, 40000, 80), v4(6, 3, 4, 443, 40001), v4(6, 1, 2, 80, 40000), v4(17, 5, 6, 40002, 53), v6(6, 40003, 443),
		v4(6, 7, 8, 40004, 22), v4(6, 3, 4, 40001, 443), v6(17, 53, 40005), ether(0x0806, make([]byte, 46)...), v4(1, 9, 1, 0x0800, 0),
		v4(6, 1, 2, 40000, 80), v4(6, 1, 2, 80, 40000), v4(6, 3, 4, 443, 40001), v6(58, 0x8700, 0), v4(17, 5, 6, 53, 40002), v4(6, 2, 9, 5432, 40006),
	}
}

// BenchmarkFilter runs the same programs of libpcap on the same packets; an
// operation is one packet. With -tags libpcap, libpcap's own engine runs beside
// ours. "match" is the same expression as [filter.Compile] compiles it.
func BenchmarkFilter(b *testing.B) {
	frames := filterFrames()
	for _, e := range filterBenchmarks {
		vm := benchmarkProgram(b, e.name, libpcapProgram(b, e.expr), frames)
		match, err := filter.Compile(e.expr, filter.Options{Link: link.TypeEthernet})
		if err != nil {
			b.Fatal(err)
		}
		for i, f := range frames {
			if got, want := match.Match(f, len(f), nil), vm.Run(f, len(f)) != 0; got != want {
				b.Fatalf("%s, frame %d: compiled here %t, by libpcap %t", e.expr, i, got, want)
			}
		}
		b.Run(e.name+"/match", func(b *testing.B) {
			b.ReportAllocs()
			n := uint64(0)
			for i := range b.N {
				f := frames[i&15]
				if match.Match(f, len(f), nil) {
					n++
				}
			}
			sink += n
		})
	}
}

// benchmarkProgram runs a program by every engine that takes it, and returns ours.
func benchmarkProgram(b *testing.B, name string, prog filter.Program, frames *[16][]byte) *filter.VM {
	vm, err := filter.NewVM(prog, filter.VMOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/gopkts", func(b *testing.B) {
		b.ReportAllocs()
		// A loop like that around libpcap's engine, without b.Loop.
		sum := uint64(0)
		for i := range b.N {
			f := frames[i&15]
			sum += uint64(vm.Run(f, len(f)))
		}
		sink += sum
	})
	all, ok := bpf.Disassemble(prog)
	if !ok {
		b.Fatal("golang.org/x/net/bpf does not know the program")
	}
	if net, err := bpf.NewVM(all); err == nil { // it does not jump back
		for i, f := range frames {
			want, err := net.Run(f)
			if got := vm.Run(f, len(f)); err != nil || got != uint32(want) {
				b.Fatalf("%s, frame %d: %d, golang.org/x/net/bpf %d, %v", name, i, got, want, err)
			}
		}
		b.Run(name+"/net", func(b *testing.B) {
			sum := uint64(0)
			for i := range b.N {
				n, _ := net.Run(frames[i&15])
				sum += uint64(n)
			}
			sink += sum
		})
	}
	benchmarkLibpcapFilter(b, name, prog, frames[:])
	return vm
}

// filterPrograms are programs as people write them by hand, of which the direct
// engine knows only the first test.
var filterPrograms = []struct{ name, text string }{
	{"two bytes", `ldh [12]
		jeq #0x800 jf no
		ldb [22]
		tax
		ldb [23]
		or x
		and #0x40
		jeq #0x40 jf no
		ret #262144
		no: ret #0`},
	{"one flow of eight", `ldh [12]
		jeq #0x800 jf no
		ld [26]
		tax
		ld [30]
		xor x
		tax
		rsh #16
		xor x
		mod #8
		jeq #0 jf no
		ret #262144
		no: ret #0`},
	{"four labels of a name", `ldh [12]
		jeq #0x800 jf no
		ldxb 4*([14]&0xf)
		ldb [x + 26]
		and #0xf0
		rsh #2
		add x
		tax
		ldb [x + 14]
		add x
		add #1
		tax
		ldb [x + 14]
		add x
		add #1
		tax
		ldb [x + 14]
		add x
		add #1
		tax
		ldb [x + 14]
		jeq #0 jf no
		ret #262144
		no: ret #0`},
	{"memory", `ldh [12]
		jeq #0x800 jt v4
		jeq #0x86dd jt v6 jf no
		v4: ld #9
		st M[0]
		ldb [14]
		and #0xf
		lsh #2
		st M[1]
		ja both
		v6: ld #6
		st M[0]
		ld #40
		st M[1]
		both: ldx M[0]
		ldb [x + 14]
		jeq #6 jt ports
		jeq #17 jf no
		ports: ldx M[1]
		ldh [x + 14]
		st M[2]
		ldh [x + 16]
		ldx M[2]
		jge x jt least
		st M[3]
		txa
		ldx M[3]
		least: and #0xfff
		jeq #80 jt yes
		jeq #443 jf no
		yes: ret #262144
		no: ret #0`},
	{"loop", `ldh [12]
		jeq #0x800 jf no
		ldx #0
		again: ldb [x + 14]
		jeq #6 jt yes
		txa
		add #1
		tax
		jeq #16 jt no
		ja again
		yes: ret #262144
		no: ret #0`},
}

// BenchmarkFilterPrograms is [BenchmarkFilter] for programs by hand.
func BenchmarkFilterPrograms(b *testing.B) {
	for _, p := range filterPrograms {
		prog, err := filter.Assemble(p.text)
		if err != nil {
			b.Fatal(p.name, ": ", err)
		}
		benchmarkProgram(b, p.name, prog, filterFrames())
	}
}
