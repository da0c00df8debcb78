package fuzz

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// captures returns the capture files in a folder beside the repository, or
// skips the test: they are not part of it.
func captures(tb testing.TB, folder string) []string {
	tb.Helper()
	dir := filepath.Join("..", "..", "shared", folder)
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("../shared/%s is not here", folder)
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch name := d.Name(); {
		case name == "MANIFEST.tsv", strings.HasSuffix(name, ".keys"), strings.Contains(path, "recipes"):
		default:
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		tb.Fatalf("no capture in %s", dir)
	}
	return files
}

// eachFrame calls f for each frame of a file. What is wrong with the file
// itself is the business of package pcap.
func eachFrame(tb testing.TB, file string, f func(n int, frame *link.Frame)) {
	tb.Helper()
	r, err := pcap.Open(file)
	if err != nil {
		return
	}
	defer r.Close()
	var frame link.Frame
	for n := 1; ; n++ {
		if err := r.Next(&frame); err != nil {
			return
		}
		f(n, &frame)
	}
}

// TestRoundTrip decodes and encodes every frame of the captures: copied, with
// every layer filled in, and with every field computed anew that was right.
// The bytes must be the same each time.
func TestRoundTrip(t *testing.T) {
	for _, folder := range []string{"captures", "corpus"} {
		t.Run(folder, func(t *testing.T) {
			frames, layers, cut := 0, 0, 0
			var p pkts.Packet
			for _, file := range captures(t, folder) {
				eachFrame(t, file, func(n int, frame *link.Frame) {
					frames++
					if raceEnabled && n > 10 {
						return
					}
					if err := p.Decode(frame.Link, frame.Data); err != nil {
						cut++
						if de, ok := errors.AsType[*pkts.DecodeError](err); !ok || de.Offset < 0 || de.Offset > len(frame.Data) {
							t.Errorf("%s, frame %d: %v", file, n, err)
						}
					}
					same := func(how string) {
						got, err := p.AppendBinary(nil)
						if err != nil {
							t.Errorf("%s, frame %d, %s: %v", file, n, how, err)
						} else if !bytes.Equal(got, frame.Data) {
							t.Errorf("%s, frame %d, %s:\n got %x\nwant %x", file, n, how, got, frame.Data)
						}
					}
					same("copied")
					for node := range p.Nodes() {
						layers++
						if _, err := node.Layer(); err != nil && !errors.Is(err, pkts.ErrMalformed) && !errors.Is(err, pkts.ErrTruncated) {
							t.Errorf("%s, frame %d: %v", file, n, err)
						}
					}
					same("filled in")
					// Adding a layer and taking it away again is an edit that
					// changes nothing.
					extra := &pkts.Raw{}
					p.Append(extra)
					if err := p.Remove(extra); err != nil {
						t.Fatal(err)
					}
					same("computed anew")
				})
				if t.Failed() {
					return
				}
			}
			t.Logf("%d frames, %d layers, %d frames with an error", frames, layers, cut)
			if frames < 1000 {
				t.Errorf("only %d frames: were the captures read?", frames)
			}
		})
	}
}
