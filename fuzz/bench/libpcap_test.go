//go:build libpcap && cgo

package bench_test

import (
	"testing"

	"github.com/gopacket/gopacket/pcap"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/fuzz/bench/libpcap"
)

// BenchmarkReadLibpcap is the C library's own loop; run it with -tags libpcap.
func BenchmarkReadLibpcap(b *testing.B) {
	for _, format := range []string{"pcap", "pcapng"} {
		path := imixFile(b, format)
		b.Run(format+"/next_ex", func(b *testing.B) {
			for b.Loop() {
				n, _, err := libpcap.Walk(path)
				checkWalk(b, int(n), err)
			}
			perPacket(b)
		})
		b.Run(format+"/gopacket-cgo-zerocopy", func(b *testing.B) {
			for b.Loop() {
				h, err := pcap.OpenOffline(path)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					data, ci, err := h.ZeroCopyReadPacketData()
					if err != nil {
						break
					}
					sink += uint64(len(data)) + uint64(data[12]) + uint64(ci.Timestamp.Nanosecond())
					n++
				}
				h.Close()
				checkWalk(b, n, nil)
			}
			perPacket(b)
		})
	}
}

// benchmarkLibpcapFilter runs a program by bpf_filter.
func benchmarkLibpcapFilter(b *testing.B, name string, prog filter.Program, frames [][]byte) {
	b.Run(name+"/libpcap", func(b *testing.B) {
		sink += libpcap.Filter(prog, frames, b.N)
	})
}
