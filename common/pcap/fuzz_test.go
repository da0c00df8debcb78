package pcap_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// addSeeds gives a fuzz target the variants and the files of other programs.
func addSeeds(f *testing.F, add func(b []byte)) {
	for _, v := range variants() {
		if len(v.file) < 1<<16 {
			add(v.file)
		}
	}
	add(blockFile(le))
	add(blockFile(be))
	names, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.IsDir() {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
	}
}

// FuzzReader reads anything as a file: it ends, in order, with memory that the
// input bounds.
func FuzzReader(f *testing.F) {
	addSeeds(f, func(b []byte) { f.Add(b, false); f.Add(b, true) })
	f.Fuzz(func(t *testing.T, file []byte, recovering bool) {
		compressed := bytes.HasPrefix(file, []byte(pcap.MagicGzip)) || bytes.HasPrefix(file, []byte(pcap.MagicBzip2))
		options := []pcap.ReaderOption{pcap.WithBlocks(func(b pcap.Block) error {
			_, err := pcap.AppendBlock(nil, b, pcap.LittleEndian)
			return err
		})}
		if recovering {
			options = append(options, pcap.WithRecover())
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		// A compressed stream may be a thousand times as long as the file.
		src := io.Reader(bytes.NewReader(file))
		r, err := pcap.NewReader(src, options...)
		if err != nil {
			checkFuzzError(t, err)
			return
		}
		defer r.Close()
		var frame link.Frame
		var read int64
		last := r.Offset()
		for n := 0; ; n++ {
			if compressed && n > 100_000 {
				return
			}
			err := r.Next(&frame)
			if err != nil {
				if again := r.Next(&frame); again != err {
					t.Fatalf("Next = %v, then %v", err, again)
				}
				if err != io.EOF {
					checkFuzzError(t, err)
				}
				break
			}
			at := r.Offset()
			if at <= last {
				t.Fatalf("frame %d leaves the reader at byte %d, it was at %d", n, at, last)
			}
			if int64(len(frame.Data)) > at-last {
				t.Fatalf("frame %d has %d bytes, from %d of the file", n, len(frame.Data), at-last)
			}
			last = at
			read += int64(len(frame.Data))
			r.PacketOptions()
		}
		r.Interfaces()
		r.Section()
		if compressed {
			return
		}
		if last > int64(len(file)) || read > int64(len(file)) {
			t.Fatalf("read %d bytes up to byte %d of %d", read, last, len(file))
		}
		var skipped int64
		end := int64(0)
		for _, s := range r.Skips() {
			if s.Offset < end || s.Bytes <= 0 || s.Offset+s.Bytes > int64(len(file)) || s.Err == nil {
				t.Fatalf("skips are %v", r.Skips())
			}
			end = s.Offset + s.Bytes
			skipped += s.Bytes
		}
		if _, n := r.Skipped(); n < skipped || n > int64(len(file)) || !recovering && n > 0 {
			t.Fatalf("skipped %d bytes in all, %d one by one", n, skipped)
		}
		runtime.ReadMemStats(&after)
		if n, limit := after.TotalAlloc-before.TotalAlloc, uint64(2<<20+200*len(file)); n > limit {
			t.Fatalf("%d bytes allocated for a file of %d", n, len(file))
		}
	})
}

func checkFuzzError(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*pcap.FormatError](err); ok {
		return
	}
	if _, ok := errors.AsType[*pcap.DecompressorError](err); ok {
		return
	}
	if errors.Is(err, pcap.ErrInvalidFrame) { // from AppendBlock in WithBlocks
		return
	}
	t.Fatalf("error is a %T: %v", err, err)
}

// FuzzBlocks reads blocks, writes them, and reads that: the second writing is
// the same as the first.
func FuzzBlocks(f *testing.F) {
	addSeeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, file []byte) {
		if !bytes.HasPrefix(file, []byte("\x0a\x0d\x0d\x0a")) {
			return
		}
		once, err := copyBlocks(file)
		if len(once) == 0 {
			return
		}
		twice, err2 := copyBlocks(once)
		if err2 != nil {
			t.Fatalf("what was written is not read: %v (first: %v)", err2, err)
		}
		if !bytes.Equal(once, twice) {
			t.Fatalf("written twice, the file differs at byte %d", commonPrefix(once, twice))
		}
	})
}

// FuzzWriter writes the frames of one file into another, and reads them again.
func FuzzWriter(f *testing.F) {
	addSeeds(f, func(b []byte) {
		f.Add(b, byte(0), uint16(0))
		f.Add(b, byte(1), uint16(50))
		f.Add(b, byte(5), uint16(0))
	})
	f.Fuzz(func(t *testing.T, file []byte, kind byte, snap uint16) {
		if bytes.HasPrefix(file, []byte(pcap.MagicGzip)) || bytes.HasPrefix(file, []byte(pcap.MagicBzip2)) {
			return
		}
		r, err := pcap.NewReader(bytes.NewReader(file), pcap.WithRecover())
		if err != nil {
			return
		}
		cfg := pcap.WriterConfig{
			Format:  []pcap.Format{pcap.FormatPcapng, pcap.FormatPcap, pcap.FormatPcapNano}[kind%3],
			Order:   pcap.ByteOrder(kind / 3 % 2),
			SnapLen: int(snap),
		}
		var out bytes.Buffer
		w, err := pcap.NewWriter(&out, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var wrote []link.Frame
		var frame link.Frame
		for r.Next(&frame) == nil {
			opts, _ := r.PacketOptions()
			if cfg.Format != pcap.FormatPcapng {
				opts = nil
			}
			switch err := w.WritePacket(&frame, opts); {
			case err == nil:
				wrote = append(wrote, frame.Clone())
			case !errors.Is(err, pcap.ErrInvalidFrame):
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if len(got) != len(wrote) {
			t.Fatalf("read %d frames of %d", len(got), len(wrote))
		}
		for i := range got {
			want := wrote[i].Data
			if snap > 0 && len(want) > int(snap) {
				want = want[:snap]
			}
			if !bytes.Equal(got[i].Data, want) || got[i].Link != wrote[i].Link {
				t.Fatalf("frame %d: % x, want % x", i, got[i].Data, want)
			}
		}
	})
}
