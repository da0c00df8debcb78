package pcap_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func gz(parts ...[]byte) []byte {
	var out bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&out)
		w.Write(p)
		w.Close()
	}
	return out.Bytes()
}

func TestCompressed(t *testing.T) {
	file := join(head(), records(le, testMicro, nil))
	reopened := errors.New("reopened")
	for _, c := range []struct {
		name  string
		file  []byte
		opts  []pcap.ReaderOption
		count int
		want  error
	}{
		{"gzip", gz(file), nil, 3, nil},
		{"gzip members", gz(file[:100], file[100:]), nil, 3, nil},
		{"gzip cut", gz(file)[:len(gz(file))-9], nil, -1, pcap.ErrTruncated},
		{"gzip header cut", gz(file)[:5], nil, 0, pcap.ErrTruncated},
		{"gzip damaged", join(gz(file)[:len(gz(file))-8], make([]byte, 8)), nil, 3, gzip.ErrChecksum},
		{"gzip of text", gz([]byte("hello world")), nil, 0, pcap.ErrUnknownFormat},
		{"gzip of nothing", gz(nil), nil, 0, pcap.ErrTruncated},
		{"bzip2 by mistake", []byte("BZhello world"), nil, 0, nil},
		{"own magic", append([]byte("MINE"), file...), []pcap.ReaderOption{pcap.WithDecompressor("MINE", func(r io.Reader) (io.ReadCloser, error) {
			io.CopyN(io.Discard, r, 4)
			return io.NopCloser(r), nil
		})}, 3, nil},
		{"own gzip", gz(file), []pcap.ReaderOption{pcap.WithDecompressor(pcap.MagicGzip, func(io.Reader) (io.ReadCloser, error) {
			return nil, reopened
		})}, 0, reopened},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames, err := readAll(bytes.NewReader(c.file), c.opts...)
			if c.name == "bzip2 by mistake" {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if c.count >= 0 && len(frames) != c.count {
				t.Errorf("read %d frames, want %d", len(frames), c.count)
			}
			if err != nil && !errors.As(err, new(*pcap.FormatError)) {
				t.Errorf("error is a %T, want a FormatError", err)
			}
		})
	}
}

func TestMissingDecompressor(t *testing.T) {
	for name, magic := range map[string]string{"ntp.pcap.zst": pcap.MagicZstd, "ntp.pcap.lz4": pcap.MagicLZ4} {
		_, err := pcap.Open(filepath.Join("testdata", name))
		de, ok := errors.AsType[*pcap.DecompressorError](err)
		if !ok || de.Magic != magic || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := pcap.NewReader(bytes.NewReader([]byte(pcap.MagicXZ + "rest"))); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("xz: error is %v", err)
	}
}

func TestDecompressorIsClosed(t *testing.T) {
	closed := 0
	r, err := pcap.NewReader(bytes.NewReader(head()), pcap.WithDecompressor(string(head()[:4]), func(r io.Reader) (io.ReadCloser, error) {
		return struct {
			io.Reader
			closeFunc
		}{r, func() error { closed++; return nil }}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Close()
	if closed != 1 {
		t.Errorf("closed %d times, want once", closed)
	}
}

// TestSourceErrors checks that what a source returns comes out, after the
// frames before it.
func TestSourceErrors(t *testing.T) {
	broken := errors.New("broken")
	fail := func(err error) io.Reader { return readFunc(func([]byte) (int, error) { return 0, err }) }
	file := join(head(), records(le, testMicro, nil))
	for name, c := range map[string]struct {
		src   io.Reader
		count int
		want  error
	}{
		"at once":        {fail(broken), 0, broken},
		"in the header":  {io.MultiReader(bytes.NewReader(file[:10]), fail(broken)), 0, broken},
		"between frames": {io.MultiReader(bytes.NewReader(file), fail(broken)), 3, broken},
		"in a frame":     {io.MultiReader(bytes.NewReader(file[:len(file)-5]), fail(broken)), 2, broken},
		"with data":      {iotest.TimeoutReader(iotest.HalfReader(bytes.NewReader(file))), -1, iotest.ErrTimeout},
		"no progress":    {io.MultiReader(bytes.NewReader(file), fail(nil)), 3, io.ErrNoProgress},
		"impossible":     {readFunc(func(p []byte) (int, error) { return len(p) + 1, nil }), 0, nil},
		"negative":       {readFunc(func(p []byte) (int, error) { return -1, nil }), 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			frames, err := readAll(c.src)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if c.count >= 0 && len(frames) != c.count {
				t.Errorf("read %d frames, want %d", len(frames), c.count)
			}
		})
	}
}

func TestOpenMissing(t *testing.T) {
	if _, err := pcap.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

// growing is a source that ends at what was put into it so far.
type growing struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (g *growing) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Read(p)
}

func (g *growing) put(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.buf.Write(b)
}

func TestFollow(t *testing.T) {
	file := join(head(), records(le, testMicro, nil))
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprint("gzip ", packed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := file
				if packed {
					b = gz(file)
				}
				src := &growing{}
				stop := errors.New("stop")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				go func() {
					for i := range b {
						time.Sleep(time.Second)
						src.put(b[i : i+1])
					}
					time.Sleep(time.Minute)
					cancel(stop)
				}()
				frames, err := readAll(src, pcap.WithFollow(ctx, 100*time.Millisecond))
				if len(frames) != 3 || !errors.Is(err, stop) {
					t.Errorf("read %d frames, %v, want 3 and the cause", len(frames), err)
				}
			})
		})
	}
}

// TestFollowDelivers checks that a frame comes out as soon as it is whole.
func TestFollowDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &growing{}
		src.put(join(shb(le), idb(le, 1, 0)))
		r, err := pcap.NewReader(src, pcap.WithFollow(t.Context(), time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			src.put(epb(le, 0, uint64(i), frameData()[i]))
			var f link.Frame
			if err := r.Next(&f); err != nil || len(f.Data) != len(frameData()[i]) {
				t.Fatalf("frame %d: %d bytes, %v", i, len(f.Data), err)
			}
		}
	})
}

func TestCloseEndsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := pcap.NewReader(bytes.NewReader(head()), pcap.WithFollow(t.Context(), time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { r.Close() })
		var f link.Frame
		if err := r.Next(&f); !errors.Is(err, os.ErrClosed) {
			t.Errorf("error is %v, want os.ErrClosed", err)
		}
	})
}

// TestFollowFile follows a file on disk that another Writer writes.
func TestFollowFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.pcapng")
	w, err := pcap.Create(path, pcap.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	write := func(i int) {
		if err := w.Write(link.Frame{Data: frameData()[i], Info: link.Info{Link: link.TypeEthernet, Time: utc(testSec, int64(i))}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	r, err := pcap.Open(path, pcap.WithFollow(ctx, time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var f link.Frame
	for i := range 3 {
		if i > 0 {
			write(i)
		}
		if err := r.Next(&f); err != nil || !bytes.Equal(f.Data, frameData()[i]) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

// TestNoAllocation reads many frames of both formats without allocating.
func TestNoAllocation(t *testing.T) {
	classic := head()
	ng := join(shb(le), idb(le, 1, 0))
	withOptions := join(shb(be), idb(be, 1, 0))
	for range 4000 {
		classic = append(classic, records(le, testMicro, nil)...)
		ng = append(ng, epbs(le, microTS)...)
		withOptions = append(withOptions, epbs(be, microTS, opts(opt(be, 2, be.AppendUint32(nil, 1))))...)
	}
	for name, file := range map[string][]byte{"pcap": classic, "pcapng": ng, "pcapng with options": withOptions} {
		t.Run(name, func(t *testing.T) {
			r, err := pcap.NewReader(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			var f link.Frame
			if got := testing.AllocsPerRun(11000, func() {
				if err := r.Next(&f); err != nil {
					t.Fatal(err)
				}
			}); got != 0 {
				t.Errorf("%v allocations per frame, want 0", got)
			}
		})
	}
}

// TestMemory checks that lengths which no bytes back do not make a reader
// allocate: a few bytes ask for as much as the format can.
func TestMemory(t *testing.T) {
	dbus := fileHead(le, 0xa1b2c3d4, 2, 4, 0, 1<<30, 231)
	for name, file := range map[string][]byte{
		"pcap snap":   fileHead(le, 0xa1b2c3d4, 2, 4, 0, 0x7fffffff, 1),
		"pcap dbus":   join(dbus, rec(le, testSec, 0, 128<<20, 128<<20, nil, nil)),
		"ng block":    join(shb(le), idb(le, 1, 0), le.AppendUint32(le.AppendUint32(nil, 6), 128<<20), make([]byte, 24)),
		"ng captured": join(shb(le), idb(le, 231, 0), epbLen(le, 0, 0, 128<<20, 128<<20, nil)),
		"ng secrets":  join(shb(le), blk(le, 10, le.AppendUint32(le.AppendUint32(nil, 1), 0xffffffff))),
	} {
		for _, recovering := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			options := []pcap.ReaderOption{pcap.WithBlocks(func(pcap.Block) error { return nil })}
			if recovering {
				options = append(options, pcap.WithRecover())
			}
			readAll(bytes.NewReader(file), options...)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
				t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(file))
			}
		}
	}
}

// TestMemoryOfParts checks that blocks of very many small parts are refused.
func TestMemoryOfParts(t *testing.T) {
	empty := bytes.Repeat([]byte{99, 0, 0, 0}, 1<<21)
	for name, block := range map[string][]byte{
		"options":    blk(le, 0x0a0d0d0a, shb(le)[8:24], empty),
		"records":    blk(le, 4, empty),
		"statistics": blk(le, 5, make([]byte, 12), empty),
	} {
		r, err := pcap.NewBlockReader(bytes.NewReader(join(shb(le), block)))
		if err != nil {
			t.Fatal(err)
		}
		r.Next()
		if _, err := r.Next(); !errors.Is(err, pcap.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongRecord reads a record longer than the buffer, which grows with it.
func TestLongRecord(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	file := join(fileHead(le, 0xa1b2c3d4, 2, 4, 0, 1<<30, 231),
		rec(le, testSec, 0, uint32(len(data)), uint32(len(data)), nil, data), rec(le, testSec, 0, 4, 4, nil, []byte("last")))
	frames, err := readAll(iotest.HalfReader(bytes.NewReader(file)), pcap.WithBufferSize(1))
	if err != nil || len(frames) != 2 || !bytes.Equal(frames[0].Data, data) || string(frames[1].Data) != "last" {
		t.Errorf("read %d frames, %v", len(frames), err)
	}
}

func TestMaxCaptureLength(t *testing.T) {
	file := join(head(), rec(le, testSec, 0, 60, 60, nil, frameData()[0]))
	ng := join(shb(le), idb(le, 1, 0), epb(le, 0, microTS, frameData()[0]))
	for _, file := range [][]byte{file, ng} {
		if _, err := readAll(bytes.NewReader(file), pcap.WithMaxCaptureLength(59)); !errors.Is(err, pcap.ErrMalformed) {
			t.Errorf("limit 59: %v", err)
		}
		if _, err := readAll(bytes.NewReader(file), pcap.WithMaxCaptureLength(60)); err != nil {
			t.Errorf("limit 60: %v", err)
		}
	}
	big := join(head(), rec(le, testSec, 0, 300000, 300000, nil, make([]byte, 300000)))
	if _, err := readAll(bytes.NewReader(big), pcap.WithMaxCaptureLength(300000)); err != nil {
		t.Errorf("limit 300000: %v", err)
	}
}

// TestLifetime checks that the data of a frame cannot be appended into the next.
func TestLifetime(t *testing.T) {
	for _, file := range [][]byte{join(head(), records(le, testMicro, nil)), join(shb(le), idb(le, 1, 0), epbs(le, microTS))} {
		r, err := pcap.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for f, err := range r.Frames() {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f.Data, frameData()[i]) {
				t.Errorf("frame %d was overwritten", i)
			}
			_ = append(f.Data, 1, 2, 3, 4, 5, 6, 7, 8)
			i++
		}
	}
}

// TestManyRefills reads files much longer than the buffer, in reads of all
// sizes, and checks every frame and the offset of the error at the end.
func TestManyRefills(t *testing.T) {
	size := func(i int) int { return 1 + i*7919%3000 }
	data := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8), 3}, size(i))[:size(i)] }
	const n = 3000
	for name, build := range map[string]func(i int) []byte{
		"pcap":   func(i int) []byte { d := data(i); return rec(be, uint32(i), 1, uint32(len(d)), 5000, nil, d) },
		"pcapng": func(i int) []byte { return epb(be, 0, uint64(i)*1e6, data(i)) },
	} {
		file := fileHead(be, 0xa1b2c3d4, 2, 4, 0, 262144, 1)
		if name == "pcapng" {
			file = join(shb(be), idb(be, 1, 0))
		}
		for i := range n {
			file = append(file, build(i)...)
		}
		end := int64(len(file))
		file = append(file, build(5)[:15]...)
		for source, src := range map[string]io.Reader{
			"whole": bytes.NewReader(file),
			"odd":   &oddReader{b: file},
		} {
			for _, options := range [][]pcap.ReaderOption{nil, {pcap.WithBufferSize(1)}, {pcap.WithBufferSize(1 << 20)}} {
				r, err := pcap.NewReader(src, options...)
				if err != nil {
					t.Fatal(err)
				}
				var f link.Frame
				for i := range n {
					if err := r.Next(&f); err != nil {
						t.Fatalf("%s, %s: frame %d: %v", name, source, i, err)
					}
					if !bytes.Equal(f.Data, data(i)) || f.Time.Unix() != int64(i) {
						t.Fatalf("%s, %s: frame %d has %d bytes at %v, want %d", name, source, i, len(f.Data), f.Time, size(i))
					}
				}
				err = r.Next(&f)
				if fe, ok := errors.AsType[*pcap.FormatError](err); !ok || fe.Offset != end || !errors.Is(err, pcap.ErrTruncated) {
					t.Errorf("%s, %s: end is %v, want a cut file at byte %d", name, source, err, end)
				}
				if s, ok := src.(io.Seeker); ok {
					s.Seek(0, io.SeekStart)
				} else {
					src.(*oddReader).at = 0
				}
			}
		}
	}
}

// oddReader returns between 1 and 70,000 bytes at a time.
type oddReader struct {
	b  []byte
	at int
	n  int
}

func (o *oddReader) Read(p []byte) (int, error) {
	if o.at == len(o.b) {
		return 0, io.EOF
	}
	o.n = o.n*1103515245 + 12345
	k := copy(p[:min(len(p), 1+(o.n>>8&0xffff))], o.b[o.at:])
	o.at += k
	return k, nil
}
