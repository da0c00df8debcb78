package bench_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	gvisor "gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/gopkts/gopkts/common/checksum"
)

// checksumSizes are a small segment, a full Ethernet payload, and what a
// segmentation offload hands over.
var checksumSizes = [...]int{64, 1500, 65536}

func checksumData(n int) []byte {
	rng := rand.New(rand.NewPCG(1071, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestChecksumPeers: what is raced computes the same.
func TestChecksumPeers(t *testing.T) {
	for n := range 2000 {
		b := checksumData(n)
		if got, want := checksum.Sum(b, 0x1234), gvisor.Checksum(b, 0x1234); got != want {
			t.Fatalf("sum of %d bytes = %#04x, gVisor has %#04x", n, got, want)
		}
	}
	for _, n := range checksumSizes {
		b := checksumData(n)
		if got, want := checksum.Sum(b, 0), gvisor.Checksum(b, 0); got != want {
			t.Errorf("sum of %d bytes = %#04x, gVisor has %#04x", n, got, want)
		}
	}
}

// BenchmarkChecksum sums the same bytes with both. The sums are added up, so
// that no call can be left out.
func BenchmarkChecksum(b *testing.B) {
	for _, n := range checksumSizes {
		data := checksumData(n)
		b.Run(fmt.Sprintf("size=%d/lib=gopkts", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var sum uint16
			for b.Loop() {
				sum = checksum.Sum(data, sum)
			}
			_ = sum
		})
		b.Run(fmt.Sprintf("size=%d/lib=gvisor", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var sum uint16
			for b.Loop() {
				sum = gvisor.Checksum(data, sum)
			}
			_ = sum
		})
	}
}
