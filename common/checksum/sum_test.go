package checksum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// reference is the sum as RFC 1071, section 4.1 writes it, one word at a time.
func reference(b []byte, start uint16) uint16 {
	sum := uint32(start)
	for i, v := range b {
		if i%2 == 0 {
			sum += uint32(v) << 8
		} else {
			sum += uint32(v)
		}
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

// implementation is one way to add the native words of b to an accumulator.
type implementation struct {
	name string
	sum  func(b []byte, acc uint64) uint64
}

// implementations lists every form of the sum that this machine can run, so
// that each is tested whatever [Sum] would choose.
func implementations() []implementation {
	return append([]implementation{
		{"sum64", sum64},
		{"sum32", sum32},
	}, vectorImplementations()...)
}

func (im implementation) Sum(b []byte, start uint16) uint16 {
	return swapNative(Fold(im.sum(b, uint64(swapNative(start)))))
}

// fills are the contents that make carries rare, certain, and everything in
// between.
func fills(n int) map[string][]byte {
	rng := rand.New(rand.NewPCG(1071, uint64(n)))
	random := make([]byte, n)
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	sparse := make([]byte, n)
	for i := 7; i < n; i += 61 {
		sparse[i] = 0xff
	}
	return map[string][]byte{
		"random": random,
		"zero":   make([]byte, n),
		"ones":   bytes.Repeat([]byte{0xff}, n),
		"words":  bytes.Repeat([]byte{0xff, 0xfe, 0x00, 0x01}, n/4+1)[:n],
		"sparse": sparse,
	}
}

func TestSumLengths(t *testing.T) {
	const longest = 600
	for fill, buf := range fills(longest + 64) {
		for _, im := range append(implementations(), implementation{name: "Sum"}) {
			sum := Sum
			if im.sum != nil {
				sum = im.Sum
			}
			for n := range longest + 1 {
				for _, start := range []uint16{0, 1, 0x1234, 0xfffe, 0xffff} {
					if got, want := sum(buf[:n], start), reference(buf[:n], start); got != want {
						t.Fatalf("%s: sum of %d bytes (%s) from %#04x = %#04x, want %#04x", im.name, n, fill, start, got, want)
					}
				}
			}
			for off := range 64 {
				for _, n := range []int{0, 1, 2, 3, 7, 31, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 599, 600} {
					b := buf[off : off+n : off+n]
					if got, want := sum(b, 0xabcd), reference(b, 0xabcd); got != want {
						t.Fatalf("%s: sum of %d bytes (%s) at offset %d = %#04x, want %#04x", im.name, n, fill, off, got, want)
					}
				}
			}
		}
	}
}

// TestSumOneByte finds an implementation that skips a byte, reads one twice, or
// reads one beyond: every single byte of every length is worth what it should.
func TestSumOneByte(t *testing.T) {
	for _, im := range implementations() {
		for n := 1; n <= 300; n++ {
			buf := bytes.Repeat([]byte{0xee}, n+32)
			b := buf[16 : 16+n : 16+n]
			clear(b)
			for i := range b {
				b[i] = 0x81
				want := uint16(0x81)
				if i%2 == 0 {
					want <<= 8
				}
				if got := im.Sum(b, 0); got != want {
					t.Fatalf("%s: byte %d of %d: sum = %#04x, want %#04x", im.name, i, n, got, want)
				}
				b[i] = 0
			}
		}
	}
}

// TestSumLong covers the lengths at which an accumulator of the vector forms
// is emptied, and carries out of every lane.
func TestSumLong(t *testing.T) {
	for _, n := range []int{1500, 4096, 9001, 65535, 65536, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 77} {
		for fill, b := range fills(n) {
			want := reference(b, 0x00ff)
			for _, im := range implementations() {
				if got := im.Sum(b, 0x00ff); got != want {
					t.Errorf("%s: sum of %d bytes (%s) = %#04x, want %#04x", im.name, n, fill, got, want)
				}
			}
			if got := Sum(b, 0x00ff); got != want {
				t.Errorf("Sum of %d bytes (%s) = %#04x, want %#04x", n, fill, got, want)
			}
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte(nil), uint16(0))
	f.Add([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, uint16(0)) // RFC 1071, section 3
	f.Add(bytes.Repeat([]byte{0xff}, 513), uint16(0xffff))
	f.Add(slices.Repeat([]byte{1, 2, 3}, 100), uint16(0x8000))
	f.Fuzz(func(t *testing.T, b []byte, start uint16) {
		want := reference(b, start)
		for _, im := range implementations() {
			if got := im.Sum(b, start); got != want {
				t.Errorf("%s(%x, %#04x) = %#04x, want %#04x", im.name, b, start, got, want)
			}
		}
		if got := Sum(b, start); got != want {
			t.Errorf("Sum(%x, %#04x) = %#04x, want %#04x", b, start, got, want)
		}
		dst := make([]byte, len(b))
		if got := Copy(dst, b, start); got != want || !bytes.Equal(dst, b) {
			t.Errorf("Copy(%x, %#04x) = %#04x and %x, want %#04x", b, start, got, dst, want)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{20, 40, 64, 128, 256, 576, 1500, 9000, 65536} {
		buf := fills(n)["random"]
		for _, im := range implementations() {
			b.Run(fmt.Sprintf("%d/%s", n, im.name), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					im.Sum(buf, 0)
				}
			})
		}
		b.Run(fmt.Sprintf("%d/Sum", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Sum(buf, 0)
			}
		})
	}
}
