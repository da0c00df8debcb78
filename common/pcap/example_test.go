package pcap_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func ExampleReader_Frames() {
	f, err := pcap.Open("testdata/ntp.pcapng")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for frame, err := range f.Frames() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(frame.Time.Format(time.RFC3339Nano), len(frame.Data), "bytes")
	}
	// Output:
	// 2026-11-23T05:56:32.34604Z 90 bytes
	// 2026-11-23T05:56:32.346116Z 90 bytes
	// 2026-11-23T05:56:34.372928Z 90 bytes
	// 2026-11-23T05:56:34.373015Z 90 bytes
	// 2026-11-23T05:56:36.408952Z 90 bytes
	// 2026-11-23T05:56:36.409018Z 90 bytes
}

// The fast way: one frame, filled again and again.
func ExampleReader_Next() {
	f, err := pcap.Open("testdata/ntp.pcap.gz")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	var frame link.Frame
	bytes := 0
	for {
		err := f.Next(&frame)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		bytes += len(frame.Data)
	}
	fmt.Println(bytes, "bytes,", f.Header().Compression)
	// Output: 540 bytes, gzip
}

func ExampleReader_PacketOptions() {
	f, err := pcap.Open("testdata/ntp.pcapng")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	n := 0
	for _, err := range f.Frames() {
		if err != nil {
			log.Fatal(err)
		}
		n++
		options, err := f.PacketOptions()
		if err != nil {
			log.Fatal(err)
		}
		for _, comment := range options.Comments() {
			fmt.Printf("frame %d: %s\n", n, comment)
		}
	}
	// Output:
	// frame 1: first comment
	// frame 3: grüße
}

// A damaged file, read as far as it makes sense.
func ExampleWithRecover() {
	file, err := os.ReadFile("testdata/ntp.pcap")
	if err != nil {
		log.Fatal(err)
	}
	copy(file[130:], "-- somebody wrote this into the file --")
	f, err := pcap.NewReader(bytes.NewReader(file), pcap.WithRecover())
	if err != nil {
		log.Fatal(err)
	}
	n := 0
	for _, err := range f.Frames() {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println(n, "frames of 6")
	for _, s := range f.Skips() {
		fmt.Printf("%d bytes skipped at %d\n", s.Bytes, s.Offset)
	}
	// Output:
	// 5 frames of 6
	// 106 bytes skipped at 130
}

func ExampleNewWriter() {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.WriterConfig{Format: pcap.FormatPcapNano, Link: link.TypeIPv4})
	if err != nil {
		log.Fatal(err)
	}
	frame := link.Frame{
		Data: []byte{0x45, 0, 0, 20},
		Info: link.Info{Time: time.Unix(1700000000, 5), WireLen: 20, Link: link.TypeIPv4},
	}
	if err := w.WriteFrame(&frame); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("% x\n", file.Bytes()[24:])
	// Output: 00 f1 53 65 05 00 00 00 04 00 00 00 14 00 00 00 45 00 00 14
}

// A new file every minute, the last ten of them kept.
func ExampleRotator() {
	dir, err := os.MkdirTemp("", "rotate")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w, err := pcap.CreateRotator(dir, pcap.RotateConfig{
		Interval: time.Minute,
		Align:    true,
		MaxFiles: 10,
		OnFile: func(f pcap.RotatedFile) error {
			fmt.Println(filepath.Base(f.Name), f.Frames, "frames")
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	start := time.Date(2026, 3, 4, 15, 0, 50, 0, time.UTC)
	for i := range 4 {
		frame := link.Frame{Data: make([]byte, 60), Info: link.Info{
			Time: start.Add(time.Duration(i) * 5 * time.Second), Link: link.TypeEthernet}}
		if err := w.WriteFrame(&frame); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// capture_00001_20260304T150050Z.pcapng 2 frames
	// capture_00002_20260304T150100Z.pcapng 2 frames
}

// Copying a pcapng file with all that is in it, but without its secrets.
func ExampleBlockReader() {
	in, err := os.Open("testdata/ntp.pcapng")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	r, err := pcap.NewBlockReader(in)
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	w := pcap.NewBlockWriter(&out)
	for b, err := range r.Blocks() {
		if err != nil {
			log.Fatal(err)
		}
		if b.Type() == pcap.BlockDecryptionSecrets {
			fmt.Println("left out:", b.Type())
			continue
		}
		if err := w.Write(b); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
	// Output: left out: decryption secrets block
}
