package filter

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// typical are expressions as people write them.
var typical = []string{
	"ip", "tcp port 80", "host 10.0.0.1", "not port 22 and not arp", "tcp port 80 or 443",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"(tcp port 80 or 443) and (host 10.0.0.1 or net 192.168.0.0/16) and not src port 22",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
	"udp port 53 and host 10.0.0.1", "icmp or icmp6 or arp",
}

func BenchmarkCompile(b *testing.B) {
	for _, expr := range typical {
		b.Run(strings.ReplaceAll(expr, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(expr, Options{Link: link.TypeEthernet}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hosts returns n different hosts or'ed.
func hosts(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString("host 10." + strconv.Itoa(i*7%200) + "." + strconv.Itoa(i%251) + "." + strconv.Itoa(i*13%250))
	}
	return b.String()
}

func BenchmarkCompileThousandHosts(b *testing.B) {
	expr := hosts(1000)
	b.ReportAllocs()
	for b.Loop() {
		f, err := Compile(expr, Options{Link: link.TypeEthernet})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(f.program)), "insns")
	}
}
