package sys_test

import (
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"pgregory.net/rapid"
)

// TestGeometry asks the kernel about geometries of all sorts: what CheckRings
// lets pass must be legal, and what it refuses must not, but for its own rules.
func TestGeometry(t *testing.T) {
	ns := netns.New(t)
	page := sys.PageSize()
	sizes := []int{0, page / 2, page, page + 16, 2 * page, 3 * page, 1 << 16}
	frames := []int{0, 16, 48, 64, 68, 72, 80, 96, 100, 112, 128, 160, 176, 192, 1008, page, 2 * page}
	rapid.Check(t, func(t *rapid.T) {
		var rx *sys.RxGeometry
		var tx *sys.TxGeometry
		if rapid.Bool().Draw(t, "rx") {
			rx = &sys.RxGeometry{
				BlockSize:  rapid.SampledFrom(sizes).Draw(t, "block"),
				BlockCount: rapid.IntRange(2, 5).Draw(t, "blocks"),
				FrameSize:  rapid.SampledFrom(frames).Draw(t, "frame"),
				Retire:     time.Millisecond,
				Private:    rapid.SampledFrom([]int{0, 1, 8, 100, page - 200, page - 125, page - 124, page - 123, page - 117, page - 116, page, 2 * page}).Draw(t, "private"),
				Headroom:   rapid.SampledFrom([]int{0, 1, 12, 28, 100, page}).Draw(t, "headroom"),
			}
		}
		if rx == nil || rapid.Bool().Draw(t, "tx") {
			tx = &sys.TxGeometry{
				BlockSize:  rapid.SampledFrom(sizes).Draw(t, "tx block"),
				BlockCount: rapid.IntRange(0, 4).Draw(t, "tx blocks"),
				FrameSize:  rapid.SampledFrom(frames).Draw(t, "slot"),
			}
		}
		err := sys.CheckRings(rx, tx, page)
		if rx != nil && rx.FrameSize == 0 || tx != nil && (tx.FrameSize == 0 || tx.BlockCount == 0) {
			if err == nil {
				t.Fatalf("%+v and %+v pass", rx, tx)
			}
			return // no ring at all is another thing to the kernel, or a division by zero here
		}
		s := ringSocket(t, ns)
		defer s.Close()
		rings, kernel := s.OpenRings(rx, tx)
		if (err == nil) != (kernel == nil) {
			t.Fatalf("%+v and %+v: %v, the kernel says %v", rx, tx, err, kernel)
		}
		if rings != nil {
			if err := rings.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
