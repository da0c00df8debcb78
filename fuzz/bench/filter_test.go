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

// filterFrames returns a mix of Ethernet frames, as many as fit the cache.
func filterFrames() [][]byte {
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
	return [][]byte{
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
		prog := libpcapProgram(b, e.expr)
		vm, err := filter.NewVM(prog, filter.VMOptions{})
		if err != nil {
			b.Fatal(err)
		}
		all, ok := bpf.Disassemble(prog)
		if !ok {
			b.Fatal("golang.org/x/net/bpf does not know the program")
		}
		net, err := bpf.NewVM(all)
		if err != nil {
			b.Fatal(err)
		}
		for i, f := range frames {
			want, err := net.Run(f)
			if got := vm.Run(f, len(f)); err != nil || got != uint32(want) {
				b.Fatalf("%s, frame %d: %d, golang.org/x/net/bpf %d, %v", e.expr, i, got, want, err)
			}
		}
		b.Run(e.name+"/gopkts", func(b *testing.B) {
			b.ReportAllocs()
			// A loop like that around libpcap's engine, without b.Loop.
			sum := uint64(0)
			for i := range b.N {
				f := frames[i&15]
				sum += uint64(vm.Run(f, len(f)))
			}
			sink += sum
		})
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
		b.Run(e.name+"/net", func(b *testing.B) {
			sum := uint64(0)
			for i := range b.N {
				n, _ := net.Run(frames[i&15])
				sum += uint64(n)
			}
			sink += sum
		})
		benchmarkLibpcapFilter(b, e.name, prog, frames)
	}
}
