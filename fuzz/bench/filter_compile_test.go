//go:build libpcap && cgo

package bench_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/fuzz/bench/libpcap"
)

// compiledExpressions are expressions as people write them.
var compiledExpressions = []string{
	"ip", "tcp port 80", "host 10.0.0.1", "not port 22 and not arp", "tcp port 80 or 443",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"(tcp port 80 or 443) and (host 10.0.0.1 or net 192.168.0.0/16) and not src port 22",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
	"udp port 53 and host 10.0.0.1", "icmp or icmp6 or arp",
}

// BenchmarkFilterCompile compares with pcap_compile and its optimizer. The unit
// insns is the number of instructions.
func BenchmarkFilterCompile(b *testing.B) {
	exprs := compiledExpressions
	for _, n := range []int{20, 100} {
		var hosts []string
		for i := range n {
			hosts = append(hosts, fmt.Sprintf("host 10.%d.%d.%d", i%7, i%251, i%249))
		}
		exprs = append(exprs, strings.Join(hosts, " or "))
	}
	for _, expr := range exprs {
		name := expr
		if len(name) > 40 {
			name = fmt.Sprintf("%.32s... %d bytes", name, len(expr))
		}
		b.Run(name+"/gopkts", func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				f, err := filter.Compile(expr, filter.Options{Link: link.TypeEthernet})
				if err != nil {
					b.Fatal(err)
				}
				n = f.Len()
			}
			b.ReportMetric(float64(n), "insns")
		})
		b.Run(name+"/libpcap", func(b *testing.B) {
			n := libpcap.Compile(expr, b.N)
			if n < 0 {
				b.Fatal("libpcap refuses the expression")
			}
			b.ReportMetric(float64(n), "insns")
		})
	}
}
