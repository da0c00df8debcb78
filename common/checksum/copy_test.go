package checksum

import (
	"bytes"
	"fmt"
	"testing"
)

func TestCopy(t *testing.T) {
	for fill, src := range fills(700) {
		for n := range len(src) + 1 {
			for _, off := range []int{0, 1, 15, 31} {
				if off > n {
					continue
				}
				dst := bytes.Repeat([]byte{0x5a}, n+64)
				got := Copy(dst[off:], src[off:n], 0x4321)
				if want := reference(src[off:n], 0x4321); got != want {
					t.Fatalf("Copy of %d bytes (%s): sum %#04x, want %#04x", n-off, fill, got, want)
				}
				if !bytes.Equal(dst[off:n], src[off:n]) {
					t.Fatalf("Copy of %d bytes (%s): bytes differ", n-off, fill)
				}
				if i := bytes.IndexFunc(dst[n:], func(r rune) bool { return r != 0x5a }); i >= 0 {
					t.Fatalf("Copy of %d bytes wrote at %d", n-off, n-off+i)
				}
			}
		}
	}
}

// TestCopyOverlap moves bytes within one buffer by less, and by more, than
// their number: the bytes that arrive and their sum are those from before. The
// long one takes several calls of the assembly, and its second run lies under
// where the first goes.
func TestCopyOverlap(t *testing.T) {
	for _, tc := range []struct{ n, dst, src int }{
		{0, 0, 0}, {600, 0, 0}, {600, 0, 1}, {600, 1, 0}, {600, 0, 31}, {600, 33, 0},
		{600, 599, 0}, {600, 600, 0}, {600, 601, 0}, {600, 0, 599}, {600, 0, 600},
		{256, 128, 0}, {256, 0, 128}, {256, 255, 0}, {256, 256, 0},
		{3 << 20, 3 << 19, 0}, {3 << 20, 0, 3 << 19},
	} {
		buf := fills(max(tc.dst, tc.src) + tc.n)["random"]
		want := bytes.Clone(buf[tc.src : tc.src+tc.n])
		got := Copy(buf[tc.dst:], buf[tc.src:tc.src+tc.n], 7)
		if wantSum := reference(want, 7); got != wantSum {
			t.Errorf("Copy of %d bytes from %d to %d: sum %#04x, want %#04x", tc.n, tc.src, tc.dst, got, wantSum)
		}
		if !bytes.Equal(buf[tc.dst:tc.dst+tc.n], want) {
			t.Errorf("Copy of %d bytes from %d to %d: bytes differ", tc.n, tc.src, tc.dst)
		}
	}
}

func TestCopyShortDst(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Copy into a shorter dst did not panic")
		}
	}()
	// The capacity would do; the length does not count less for that.
	Copy(make([]byte, 3, 8), make([]byte, 4), 0)
}

func TestAppend(t *testing.T) {
	src := fills(1400)["random"]
	head := []byte("head")
	got, sum := Append(head, src, 0x1111)
	if want := append([]byte("head"), src...); !bytes.Equal(got, want) {
		t.Error("Append: bytes differ from append's")
	}
	if want := reference(src, 0x1111); sum != want {
		t.Errorf("Append: sum %#04x, want %#04x", sum, want)
	}
	buf := make([]byte, 4, 2000)
	got, _ = Append(buf, src, 0)
	if &got[0] != &buf[0] {
		t.Error("Append did not use the capacity that was there")
	}
}

func BenchmarkCopy(b *testing.B) {
	for _, n := range []int{64, 256, 576, 1400, 9000, 65536} {
		src := fills(n)["random"]
		dst := make([]byte, n)
		b.Run(fmt.Sprintf("%d/Copy", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Copy(dst, src, 0)
			}
		})
		b.Run(fmt.Sprintf("%d/sum-then-copy", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Sum(src, 0)
				copy(dst, src)
			}
		})
		b.Run(fmt.Sprintf("%d/copy-then-sum", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				copy(dst, src)
				Sum(dst, 0)
			}
		})
	}
}
