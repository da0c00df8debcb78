package pkts

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// corpusFrames calls f for each frame of the captures that others published,
// and skips the test where they are not. Damaged files are read as far as they
// go.
func corpusFrames(t *testing.T, f func(file string, n int, frame link.Frame)) {
	t.Helper()
	const root = "../../shared/corpus"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no captures at ../shared/corpus beside the repository")
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".tsv") {
			return err
		}
		r, err := pcap.Open(path)
		if err != nil {
			return nil // not a capture, or compressed in a way that this module does not read
		}
		defer r.Close()
		n := 0
		for frame, err := range r.Frames() {
			if err != nil {
				break
			}
			n++
			f(strings.TrimPrefix(path, root+"/"), n, frame)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCorpus holds every published packet against what must hold for all.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("reads thousands of captures")
	}
	var p Packet
	var buf []byte
	frames := 0
	layers := map[string]int{}
	status := map[string]*[4]int{}
	corpusFrames(t, func(file string, n int, frame link.Frame) {
		frames++
		if raceEnabled && n > 10 {
			return
		}
		_ = p.Decode(frame.Link, frame.Data)
		interesting := false
		for i := range p.nodes() {
			layers[p.protocol(i).Name]++
			k := p.nodes()[i].kind
			interesting = interesting || k >= kindHopByHop && k <= kindShim6
			_, _ = p.layer(i)
		}
		p.unpack()
		p.noteEdit()
		var err error
		if buf, err = p.AppendBinary(buf[:0]); err != nil || !bytes.Equal(buf, frame.Data) {
			t.Errorf("%s, frame %d: computed anew: %v\n got %x\nwant %x", file, n, err, buf, frame.Data)
		}
		_ = p.Decode(frame.Link, frame.Data)
		for c := range p.Checks() {
			key := c.Node.Proto().Name + "." + c.Field
			s := status[key]
			if s == nil {
				s = new([4]int)
				status[key] = s
			}
			s[c.Status]++
			if interesting && c.Status == CheckBad && os.Getenv("PKTS_BAD") != "" {
				t.Logf("%s, frame %d: %s have %#x want %#x", file, n, key, c.Have, c.Want)
			}
		}
		if interesting && os.Getenv("PKTS_SHOW") != "" {
			var s []string
			for n := range p.Nodes() {
				s = append(s, n.Proto().Name)
			}
			t.Logf("%s, frame %d: %s", file, n, strings.Join(s, " "))
		}
	})
	t.Logf("%d frames: %v", frames, layers)
	for k, s := range status {
		t.Logf("%-24s good %d, bad %d, unknown %d, absent %d", k, s[CheckGood], s[CheckBad], s[CheckUnknown], s[CheckAbsent])
	}
	if frames == 0 {
		t.Error("no frame was read")
	}
}
