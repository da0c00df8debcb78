package bench_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// imixPackets is how many packets the files of the reading benchmarks hold.
const imixPackets = 1_000_000

// sink takes what the loops read, so that none can leave the reading out.
var sink uint64

// imixFile writes the file for the reading benchmarks, once per process: a
// million packets of 60, 590 and 1,514 bytes in the proportion 7:4:1.
func imixFile(b *testing.B, format string) string {
	b.Helper()
	path := filepath.Join(os.TempDir(), "gopkts-bench-imix-1m."+format)
	w, err := os.Create(path + ".tmp")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.Remove(path) })
	cfg := pcap.WriterConfig{Format: pcap.FormatPcap, Link: link.TypeEthernet}
	if format == "pcapng" {
		cfg.Format = pcap.FormatPcapng
	}
	out, err := pcap.NewWriter(w, cfg)
	if err != nil {
		b.Fatal(err)
	}
	sizes := [12]int{60, 590, 60, 590, 60, 60, 1514, 60, 590, 60, 590, 60}
	data := make([]byte, 1514)
	for i := range data {
		data[i] = byte(i * 7)
	}
	f := link.Frame{Info: link.Info{Link: link.TypeEthernet}}
	start := time.Unix(1_700_000_000, 0)
	for i := range imixPackets {
		f.Data = data[:sizes[i%len(sizes)]]
		f.WireLen = len(f.Data)
		f.Time = start.Add(time.Duration(i) * 1500 * time.Nanosecond)
		binary.BigEndian.PutUint32(data[26:], uint32(i))
		if err := out.WriteFrame(&f); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		b.Fatal(err)
	}
	return path
}

func checkWalk(b *testing.B, n int, err error) {
	if err != nil || n != imixPackets {
		b.Fatalf("read %d packets, want %d: %v", n, imixPackets, err)
	}
}

// perPacket reports the time per packet beside the time per file.
func perPacket(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/imixPackets, "ns/packet")
}

func open(b *testing.B, path string) *os.File {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkReadFile reads a file of a million packets from the page cache, and
// of each packet the length, one byte, and the time.
func BenchmarkReadFile(b *testing.B) {
	for _, format := range []string{"pcap", "pcapng"} {
		path := imixFile(b, format)
		b.Run(format+"/bare-256KiB", func(b *testing.B) {
			walk := walkRecords
			if format == "pcapng" {
				walk = walkBlocks
			}
			buf := make([]byte, 64<<10+256<<10)
			for b.Loop() {
				f := open(b, path)
				n, err := walk(f, buf)
				f.Close()
				checkWalk(b, n, err)
			}
			perPacket(b)
		})
		b.Run(format+"/gopkts-Next", func(b *testing.B) {
			for b.Loop() {
				r, err := pcap.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				var f link.Frame
				n := 0
				for {
					if err = r.Next(&f); err != nil {
						break
					}
					sink += uint64(len(f.Data)) + uint64(f.Data[12]) + uint64(f.Time.Nanosecond())
					n++
				}
				r.Close()
				if err == io.EOF {
					err = nil
				}
				checkWalk(b, n, err)
			}
			perPacket(b)
		})
		b.Run(format+"/gopkts-Frames", func(b *testing.B) {
			for b.Loop() {
				r, err := pcap.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for f, err := range r.Frames() {
					if err != nil {
						b.Fatal(err)
					}
					sink += uint64(len(f.Data)) + uint64(f.Data[12]) + uint64(f.Time.Nanosecond())
					n++
				}
				r.Close()
				checkWalk(b, n, nil)
			}
			perPacket(b)
		})
		b.Run(format+"/pcapgo-zerocopy", func(b *testing.B) {
			for b.Loop() {
				f := open(b, path)
				n, err := walkPcapgo(f, format)
				f.Close()
				checkWalk(b, n, err)
			}
			perPacket(b)
		})
		b.Run(format+"/pcapgo-zerocopy-1MiB", func(b *testing.B) {
			for b.Loop() {
				f := open(b, path)
				n, err := walkPcapgo(bufio.NewReaderSize(f, 1<<20), format)
				f.Close()
				checkWalk(b, n, err)
			}
			perPacket(b)
		})
	}
}

// walkRecords is the least that reading a pcap file can be: read into a buffer
// and follow the lengths. It believes all it reads.
func walkRecords(f io.Reader, buf []byte) (int, error) {
	const room = 64 << 10 // for what is left of the last read
	r, w, n := room, room, 0
	skip := 24
	for {
		left := copy(buf[room-(w-r):room], buf[r:w])
		r = room - left
		m, err := f.Read(buf[room:])
		w = room + m
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		r += skip
		skip = 0
		for w-r >= 16 {
			b := buf[r:w]
			size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
			if len(b) < size {
				break
			}
			nsec := binary.LittleEndian.Uint32(b[4:]) * 1000
			sink += uint64(size-16) + uint64(b[16+12]) + uint64(nsec)
			r += size
			n++
		}
	}
}

// walkBlocks is walkRecords for pcapng.
func walkBlocks(f io.Reader, buf []byte) (int, error) {
	const room = 64 << 10
	r, w, n := room, room, 0
	for {
		left := copy(buf[room-(w-r):room], buf[r:w])
		r = room - left
		m, err := f.Read(buf[room:])
		w = room + m
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		for w-r >= 28 {
			b := buf[r:w]
			size := int(binary.LittleEndian.Uint32(b[4:]))
			if len(b) < size {
				break
			}
			if binary.LittleEndian.Uint32(b) == 6 {
				ts := uint64(binary.LittleEndian.Uint32(b[12:]))<<32 | uint64(binary.LittleEndian.Uint32(b[16:]))
				sink += uint64(binary.LittleEndian.Uint32(b[20:])) + uint64(b[28+12]) + ts%1e9
				n++
			}
			r += size
		}
	}
}

func walkPcapgo(f io.Reader, format string) (n int, err error) {
	type reader interface {
		ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	var r reader
	if format == "pcapng" {
		r, err = pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	} else {
		r, err = pcapgo.NewReader(f)
	}
	if err != nil {
		return 0, err
	}
	for {
		data, ci, err := r.ZeroCopyReadPacketData()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		sink += uint64(len(data)) + uint64(data[12]) + uint64(ci.Timestamp.Nanosecond())
		n++
	}
}

// BenchmarkWriteFile writes packets of 590 bytes to nowhere.
func BenchmarkWriteFile(b *testing.B) {
	data := make([]byte, 590)
	f := link.Frame{Data: data, Info: link.Info{Time: time.Unix(1_700_000_000, 1), WireLen: len(data), Link: link.TypeEthernet}}
	ci := gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(data), Length: len(data)}
	for _, format := range []pcap.Format{pcap.FormatPcapNano, pcap.FormatPcapng} {
		b.Run(format.String()+"/gopkts", func(b *testing.B) {
			w, err := pcap.NewWriter(io.Discard, pcap.WriterConfig{Format: format})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.WriteFrame(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("pcap-nano/pcapgo", func(b *testing.B) {
		w := pcapgo.NewWriterNanos(bufio.NewWriterSize(io.Discard, 64<<10))
		b.ReportAllocs()
		for b.Loop() {
			if err := w.WritePacket(ci, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pcapng/pcapgo", func(b *testing.B) {
		w, err := pcapgo.NewNgWriter(io.Discard, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := w.WritePacket(ci, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
