package cli

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// slowDisk is a writer that waits until it is let go, except with the beginning
// of a file.
type slowDisk struct {
	bytes.Buffer
	waits chan struct{} // closed by the first write
	gate  chan struct{}
	fail  error
}

func newSlowDisk() *slowDisk {
	return &slowDisk{waits: make(chan struct{}), gate: make(chan struct{})}
}

func (d *slowDisk) Write(p []byte) (int, error) {
	if len(p) < 1000 && d.Len() == 0 {
		return d.Buffer.Write(p)
	}
	select {
	case <-d.waits:
	default:
		close(d.waits)
	}
	<-d.gate
	if d.fail != nil {
		return 0, d.fail
	}
	return d.Buffer.Write(p)
}

// recorderTo returns a recorder of interfaces in memory that writes pcapng to w.
// With a count, which is -c, its chunks hold frames, else pieces of the file.
func recorderTo(t *testing.T, w *slowDisk, count int, ifaces ...*capturetest.Interface) *recorder {
	t.Helper()
	a := &app{out: w, err: new(bytes.Buffer)}
	out := &output{flags: outputFlags{write: "-", count: count}, out: w, silent: true, fileFormat: pcap.FormatPcapng}
	var sources []*source
	for i, ifc := range ifaces {
		s, err := ifc.Open(&capture.Config{BufferSize: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &source{s: s, name: s.Interface().Name, index: i})
	}
	if err := out.createFor(sources, 0); err != nil {
		t.Fatal(err)
	}
	r := newRecorder(a, out, sources, 1, 0) // two chunks, the least there can be
	r.lossy = true
	return r
}

// deactivate ends the capture, as ^C does.
func (r *recorder) deactivate() {
	for _, s := range r.sources {
		_ = s.s.Deactivate()
	}
}

func numbered(n int) []byte {
	b := make([]byte, 60)
	binary.BigEndian.PutUint32(b[14:], uint32(n))
	return b
}

// waitFor waits until cond holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s", what)
		}
	}
}

// TestRecorderLoses stops the disk, and checks that the capture goes on and
// that every frame is written or counted.
func TestRecorderLoses(t *testing.T) {
	t.Run("frames", func(t *testing.T) { recorderLoses(t, 1<<30, 2*chunkFrames) })
	// 92 bytes a frame at least.
	t.Run("file", func(t *testing.T) { recorderLoses(t, 0, 2*chunkData/92) })
}

// recorderLoses runs the test with a recorder that has room for so many frames.
func recorderLoses(t *testing.T, count, room int) {
	disk := newSlowDisk()
	ifc := capturetest.New(link.Interface{Name: "eth0"})
	r := recorderTo(t, disk, count, ifc)
	done := make(chan error)
	go func() { done <- r.run(r.deactivate) }()
	const n = 20_000
	for i := range n {
		ifc.Inject(numbered(i))
	}
	// The interface is read to the end although nothing can be written.
	src := r.sources[0]
	waitFor(t, "packets", func() bool { return src.packets.Load() == n })
	<-disk.waits
	// Chunks may be handed over before they are full, when time passes.
	lost := src.lost.Load()
	if least := uint64(n - room); lost < least || lost >= n {
		t.Errorf("%d lost, want %d", lost, least)
	}
	// When the disk is back there is room again.
	close(disk.gate)
	waitFor(t, "room", func() bool {
		ifc.Inject(numbered(n))
		return r.written.Load() > int64(n-lost)
	})
	r.deactivate()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := r.out.close(); err != nil {
		t.Fatal(err)
	}
	rd, err := pcap.NewReader(bytes.NewReader(disk.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for f, err := range rd.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		if got := int(binary.BigEndian.Uint32(f.Data[14:])); got != at && got != n {
			t.Fatalf("frame %d has number %d", at, got)
		}
		at++
	}
	if all := src.packets.Load(); uint64(at)+src.lost.Load() != all {
		t.Errorf("%d written and %d lost of %d", at, src.lost.Load(), all)
	}
	if r.made.Load() > 2 {
		t.Errorf("%d chunks", r.made.Load())
	}
}

// TestRecorderWaits checks that a recorder which prints loses nothing.
func TestRecorderWaits(t *testing.T) {
	disk := newSlowDisk()
	a, b := capturetest.New(link.Interface{Name: "eth0"}), capturetest.New(link.Interface{Name: "eth1"})
	r := recorderTo(t, disk, 1<<30, a, b)
	r.lossy = false
	done := make(chan error)
	go func() { done <- r.run(r.deactivate) }()
	const n = 10_000
	for i := range n {
		a.Inject(numbered(i))
		b.Inject(numbered(i))
	}
	<-disk.waits
	close(disk.gate)
	r.deactivate()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r.out.n != 2*n || r.lost() != 0 {
		t.Errorf("%d written, %d lost", r.out.n, r.lost())
	}
}

// TestRecorderEnough checks -c, the end by an error of the output, and the end
// of one interface of two.
func TestRecorderEnough(t *testing.T) {
	disk := newSlowDisk()
	close(disk.gate)
	ifc := capturetest.New(link.Interface{Name: "eth0"})
	r := recorderTo(t, disk, 3, ifc)
	for i := range 10 {
		ifc.Inject(numbered(i))
	}
	if err := r.run(r.deactivate); err != nil || r.out.n != 3 {
		t.Errorf("%d frames, %v", r.out.n, err)
	}

	disk = newSlowDisk()
	close(disk.gate)
	disk.fail = errors.New("disk full")
	ifc = capturetest.New(link.Interface{Name: "eth0"})
	r = recorderTo(t, disk, 0, ifc)
	ifc.Inject(numbered(0))
	if err := r.run(r.deactivate); !errors.Is(err, disk.fail) {
		t.Errorf("%v", err)
	}

	disk = newSlowDisk()
	close(disk.gate)
	a, b := capturetest.New(link.Interface{Name: "eth0"}), capturetest.New(link.Interface{Name: "eth1"})
	r = recorderTo(t, disk, 1, a, b)
	a.Remove()
	go func() {
		for !r.failed.Load() {
			time.Sleep(time.Millisecond)
		}
		b.Inject(numbered(0))
	}()
	if err := r.run(r.deactivate); err != nil || r.out.n != 1 {
		t.Errorf("%d frames, %v", r.out.n, err)
	}
	if got := r.app.err.(*bytes.Buffer).String(); got != "pkts: read eth0: interface is gone\n" {
		t.Errorf("it says %q", got)
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"x.pcap", "{time}-{seq}.pcap", "y"} {
		o := &output{flags: outputFlags{write: filepath.Join(dir, name)}, fileFormat: pcap.FormatPcap, rotation: &pcap.RotateConfig{MaxFrames: 1}}
		if err := o.create(link.TypeEthernet, false); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			f := link.Frame{Data: numbered(i), Info: link.Info{Link: link.TypeEthernet, Time: time.Unix(1767323045, 0)}}
			if err := o.file.WritePacket(&f, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"x_00001_20260102T030405Z.pcap", "x_00002_20260102T030405Z.pcap",
		"20260102T030405Z-00001.pcap", "20260102T030405Z-00002.pcap", "y_00001_20260102T030405Z",
	} {
		if _, err := os.Stat(filepath.Join(dir, want)); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkRecorder measures what carrying a frame to a file costs beside
// reading it.
func BenchmarkRecorder(b *testing.B) {
	r := newRecorder(&app{}, &output{}, []*source{{}}, defaultMemory, 0)
	f := link.Frame{Data: numbered(1), Info: link.Info{WireLen: 60}}
	c := r.take()
	b.ReportAllocs()
	for b.Loop() {
		if !c.fits(len(f.Data)) {
			c.reset()
			r.free <- c
			c = r.take()
		}
		c.add(&f)
	}
}
