package sequence

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// sourceFrames are frames of all kinds that matter to finding IP packets.
func sourceFrames() (frames []link.Frame) {
	ip4 := whole4(frag{data: seq(40)})
	ip6 := append([]byte{0x60, 0, 0, 0, 0, 8, 17, 64}, make([]byte, 32+8)...)
	ethernet := func(t uint16, b []byte) []byte {
		return append(append(make([]byte, 12), byte(t>>8), byte(t)), b...)
	}
	options := bytes.Clone(ip4)
	options[0] = 0x4f // its header is all of it
	for i, b := range [][]byte{
		ethernet(0x0800, ip4),
		ethernet(0x0800, append(bytes.Clone(ip4), 0, 0, 0)), // padding
		ethernet(0x0800, ip4[:30]),                          // cut
		ethernet(0x0800, ip4[:19]),
		ethernet(0x0800, options),
		ethernet(0x0800, ip6), // contradicts the type
		ethernet(0x86dd, ip6),
		ethernet(0x86dd, ip6[:41]),
		ethernet(0x86dd, ip4),
		ethernet(0x8100, append([]byte{0, 5, 8, 0}, ip4...)), // a VLAN
		ethernet(0x0806, make([]byte, 28)),
		ethernet(0x0800, nil),
		nil,
	} {
		frames = append(frames, link.Frame{Data: b, Info: link.Info{Link: link.TypeEthernet, Time: time.Unix(int64(i), 0)}})
	}
	return append(frames, link.Frame{Data: ip4, Info: link.Info{Link: link.TypeRaw}})
}

// batches hands the frames out, up to n at a time, and then err.
func batches(frames []link.Frame, n int, err error) func([]link.Frame) (int, error) {
	return func(fs []link.Frame) (int, error) {
		if len(frames) == 0 {
			return 0, err
		}
		k := copy(fs[:min(n, len(fs))], frames)
		frames = frames[k:]
		return k, nil
	}
}

// decoded is what a source is to yield: each frame decoded, nothing taken for
// granted.
func decoded(frames []link.Frame) (ds []Datagram, errs []error) {
	var p pkts.Packet
	for i := range frames {
		err := p.Decode(frames[i].Link, frames[i].Data)
		d, ok := Outermost(&p)
		if !ok && err == nil {
			continue
		}
		if ok {
			err = nil
		}
		d.Packet, d.Time = uint64(i+1), frames[i].Time
		ds, errs = append(ds, d), append(errs, err)
	}
	return ds, errs
}

func sameDatagrams(t *testing.T, frames []link.Frame, src iter.Seq2[Datagram, error]) {
	t.Helper()
	want, errs := decoded(frames)
	i := 0
	for d, err := range src {
		if i == len(want) {
			t.Fatalf("one more: %+v, %v", d, err)
		}
		if w := want[i]; !bytes.Equal(d.Data, w.Data) || d.Seen != w.Seen || (err != nil) != (errs[i] != nil) {
			t.Fatalf("%+v, %v, want %+v, %v", d, err, w, errs[i])
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d of %d", i, len(want))
	}
}

func single(frames []link.Frame) iter.Seq2[link.Frame, error] {
	return func(yield func(link.Frame, error) bool) {
		for _, f := range frames {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func TestDatagrams(t *testing.T) {
	frames := sourceFrames()
	if ds, _ := decoded(frames); len(ds) < 8 {
		t.Fatal("the frames are no good")
	}
	for len(frames) < 200 { // more than one batch
		frames = append(frames, frames...)
	}
	sameDatagrams(t, frames, Datagrams(single(frames), nil))
	for _, n := range []int{1, 3, 1000} {
		sameDatagrams(t, frames, DatagramBatches(batches(frames, n, io.EOF), nil))
	}
	failed := errors.New("failed")
	var last error
	for _, last = range DatagramBatches(batches(frames, 5, failed), nil) {
	}
	if last != failed {
		t.Errorf("%v at the end", last)
	}
	n := 0
	for range DatagramBatches(batches(frames, 5, failed), nil) {
		if n++; n == 7 {
			break
		}
	}
	if n != 7 {
		t.Errorf("%d before a break", n)
	}
}

// A registry that has something else for IP is asked.
func TestDatagramsRegistry(t *testing.T) {
	r := pkts.Default.With(pkts.Binding{At: pkts.ByEtherType(pkts.EtherTypeIPv4), Protocol: pkts.ARPView(nil).Proto()})
	frames := sourceFrames()[:1]
	for d, err := range DatagramBatches(batches(frames, 1, io.EOF), r) {
		if err == nil {
			t.Errorf("%+v", d)
		}
	}
}

func FuzzDatagrams(f *testing.F) {
	for _, frame := range sourceFrames() {
		f.Add(uint16(frame.Link), frame.Data)
	}
	f.Fuzz(func(t *testing.T, l uint16, b []byte) {
		frames := []link.Frame{{Data: b, Info: link.Info{Link: link.Type(l)}}}
		sameDatagrams(t, frames, DatagramBatches(batches(frames, 1, io.EOF), nil))
	})
}
