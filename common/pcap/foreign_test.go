package pcap_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// The files in testdata are six NTP packets of our own. ntp.pcap was written by
// tcpdump, the others from it by editcap, mergecap, gzip, bzip2, zstd and lz4.
var ntpTimes = []time.Time{
	utc(1795413392, 346040000), utc(1795413392, 346116000), utc(1795413394, 372928000),
	utc(1795413394, 373015000), utc(1795413396, 408952000), utc(1795413396, 409018000),
}

func TestForeignFiles(t *testing.T) {
	reference := openTestdata(t, "ntp.pcap")
	for _, c := range []struct {
		name        string
		format      pcap.Format
		compression string
	}{
		{"ntp.pcap", pcap.FormatPcap, ""},
		{"ntp.nsecpcap", pcap.FormatPcapNano, ""},
		{"ntp.modpcap", pcap.FormatPcapModified, ""},
		{"ntp.suse6_3pcap", pcap.FormatPcapModifiedSMP, ""},
		{"ntp.rh6_1pcap", pcap.FormatPcapPatched, ""},
		{"ntp.nokiapcap", pcap.FormatPcapNokia, ""},
		{"ntp.snoop", pcap.FormatSnoop, ""},
		{"ntp.pcapng", pcap.FormatPcapng, ""},
		{"ntp.pcap.gz", pcap.FormatPcap, "gzip"},
		{"ntp.pcap.bz2", pcap.FormatPcap, "bzip2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := pcap.Open(filepath.Join("testdata", c.name))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if r.Format() != c.format || r.Header().Compression != c.compression || r.Link() != link.TypeEthernet {
				t.Errorf("format %v, compression %q, link %v", r.Format(), r.Header().Compression, r.Link())
			}
			got, err := drain(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(ntpTimes) {
				t.Fatalf("read %d frames, want %d", len(got), len(ntpTimes))
			}
			for i, f := range got {
				if !f.Time.Equal(ntpTimes[i]) || f.WireLen != 90 || !bytes.Equal(f.Data, reference[i].Data) {
					t.Errorf("frame %d: %v, %d of %d bytes, want %v, 90 of 90 and the same", i, f.Time, len(f.Data), f.WireLen, ntpTimes[i])
				}
			}
		})
	}
}

func openTestdata(t testing.TB, name string) []link.Frame {
	t.Helper()
	r, err := pcap.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frames, err := drain(r)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// TestMixedLinks reads what mergecap makes of an Ethernet file and one of the
// Linux "any" device. The numbers are tshark's.
func TestMixedLinks(t *testing.T) {
	frames := openTestdata(t, "mixed.pcapng")
	if len(frames) != 9 {
		t.Fatalf("read %d frames, want 9", len(frames))
	}
	for i, f := range frames {
		wantLink, wantInterface, wantLen := link.TypeEthernet, 0, 90
		if i < 3 {
			wantLink, wantInterface, wantLen = link.TypeLinuxSLL2, 1, 144
		}
		if f.Link != wantLink || f.Interface != wantInterface || len(f.Data) != wantLen {
			t.Errorf("frame %d: link %v, interface %d, %d bytes, want %v, %d, %d", i, f.Link, f.Interface, len(f.Data), wantLink, wantInterface, wantLen)
		}
	}
	if want := utc(1795412785, 256943000); !frames[0].Time.Equal(want) {
		t.Errorf("first time is %v, want %v", frames[0].Time, want)
	}
}

// command returns a decompressor that is another program.
func command(name string) func(io.Reader) (io.ReadCloser, error) {
	return func(r io.Reader) (io.ReadCloser, error) {
		cmd := exec.Command(name, "-dc")
		cmd.Stdin = r
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			closeFunc
		}{out, func() error { io.Copy(io.Discard, out); return cmd.Wait() }}, nil
	}
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// formatExceptions lists the files of gen_formats.py where this package and
// Wireshark 4.0 differ, and why that is right.
var formatExceptions = map[string]string{
	"pcap_ixia_hw_1c0001ac":             "time: Wireshark 4.0 takes Ixia's nanoseconds for microseconds and overflows; later versions do not",
	"pcap_usec_ge_1e6":                  "time: the same instant; tshark prints 1.5 million microseconds as a fraction of seven digits",
	"pcap_linktype_unknown_60000":       "more: the frames are whole, only nothing here decodes them",
	"pcap_caplen_7fffffff":              "fewer: Wireshark takes the damaged record for one of another layout, and so delivers the next wrongly",
	"pcap_caplen_ffffffff":              "fewer: as pcap_caplen_7fffffff",
	"pcap_trunc_magic_3":                "fewer: Wireshark takes three bytes for a file of some other kind, with one packet",
	"zero_bytes":                        "error: an empty file is cut before its header, as libpcap says too",
	"pcap_concat_two_files":             "fewer: Wireshark delivers the header of the second file as a packet before it gives up",
	"ng_tsresol_0x0c":                   "time: tshark 4.0 computes the fraction of 10^-12 s wrongly; libpcap agrees with us",
	"ng_tsresol_0x13":                   "time: tshark 4.0 computes the fraction of 10^-19 s wrongly; libpcap agrees with us",
	"ng_tsresol_0x14":                   "time: tshark 4.0 has no resolution beyond 10^-19 s and prints 0",
	"ng_nrb_isb_dsb_cb_unknown_journal": "fewer: Wireshark lists the journal and custom blocks as packets; here they are blocks (WithBlocks)",
	"ng_epb_opt_overrun":                "more: the options are bad, the packets are not; PacketOptions has the error",
	"pcap_bzip2":                        "more: Wireshark does not read bzip2",
	"ng_bzip2":                          "more: Wireshark does not read bzip2",
	"pcap_xz":                           "more: the test gives xz a decompressor",
	"ng_xz":                             "more: the test gives xz a decompressor",
}

// TestForeignVariants has the shared script write its files and say what
// Wireshark makes of them, and compares.
func TestForeignVariants(t *testing.T) {
	script := filepath.Join(sharedDir(t, "tools"), "gen_formats.py")
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, tool := range []string{"python3", "tshark", "tcpdump", "zstd", "lz4", "xz", "bzip2"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	// The script writes beside itself.
	source, err := os.ReadFile(script)
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	copied := filepath.Join(dir, "gen_formats.py")
	if err := os.WriteFile(copied, source, 0o600); err != nil {
		t.Fatal(err)
	}
	python := exec.CommandContext(t.Context(), "python3", copied)
	if raceEnabled {
		// Hundreds of runs of Wireshark and libpcap say nothing of races: the
		// script writes its files, and has no answers to compare with.
		mute, err := exec.LookPath("true")
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"tshark", "tcpdump"} {
			if err := os.Symlink(mute, filepath.Join(dir, tool)); err != nil {
				t.Fatal(err)
			}
		}
		python.Env = append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	if out, err := python.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	matrix, err := os.ReadFile(filepath.Join(dir, "matrix.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(matrix), "\n"), "\n")[1:]
	if len(lines) < 124 {
		t.Errorf("the script wrote %d files, want at least 124", len(lines))
	}
	differing := map[string]bool{}
	for _, line := range lines {
		col := strings.Split(line, "\t")
		name, firstTime := col[0], col[8]
		wantCount, _ := strconv.Atoi(col[4])
		wantError := col[5] != "0"
		n, first, err := readVariant(filepath.Join(dir, "files", name))
		if raceEnabled {
			continue
		}
		var diff []string
		if n != wantCount {
			diff = append(diff, fmt.Sprintf("%d packets, Wireshark %d", n, wantCount))
		}
		if (err != nil) != wantError {
			diff = append(diff, fmt.Sprintf("ends with %v, Wireshark with %q", err, col[6]))
		}
		if n > 0 && firstTime != "" && firstTime != first {
			diff = append(diff, fmt.Sprintf("first time %s, Wireshark %s", first, firstTime))
		}
		if len(diff) == 0 {
			continue
		}
		differing[name] = true
		if formatExceptions[name] == "" {
			t.Errorf("%s: %s", name, strings.Join(diff, "; "))
		}
	}
	for name := range formatExceptions {
		if !differing[name] && !raceEnabled {
			t.Errorf("%s no longer differs from Wireshark: take it off the list", name)
		}
	}
}

func readVariant(path string, options ...pcap.ReaderOption) (n int, first string, err error) {
	r, err := pcap.Open(path, append(options,
		pcap.WithDecompressor(pcap.MagicZstd, command("zstd")),
		pcap.WithDecompressor(pcap.MagicLZ4, command("lz4")),
		pcap.WithDecompressor(pcap.MagicXZ, command("xz")))...)
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	var f link.Frame
	for {
		if err := r.Next(&f); err == io.EOF {
			return n, first, nil
		} else if err != nil {
			return n, first, err
		}
		if n == 0 && !f.Time.IsZero() {
			first = fmt.Sprintf("%d.%09d", f.Time.Unix(), f.Time.Nanosecond())
		}
		n++
	}
}

// captureFiles lists the files below a shared directory that may be captures.
func captureFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".tsv", ".keys", ".txt", ".md", ".py", ".sh":
			return nil
		}
		out = append(out, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCorpus reads every file of the corpus and the captures, and compares the
// number of frames with capinfos.
func TestCorpus(t *testing.T) {
	files := captureFiles(t, sharedDir(t, "corpus"))
	files = append(files, captureFiles(t, sharedDir(t, "captures"))...)
	if raceEnabled { // some of them
		files = slices.DeleteFunc(files, func(path string) bool { return crc32.ChecksumIEEE([]byte(path))%8 != 0 })
	}
	want := capinfos(t, files)
	clean, damaged := 0, 0
	for _, path := range files {
		n, _, err := readVariant(path)
		if err != nil {
			damaged++
			if !strings.HasPrefix(err.Error(), "pcap: ") {
				t.Errorf("%s: error %q is not this package's", path, err)
			}
		} else {
			clean++
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("..", "..", "..", "shared")+string(filepath.Separator)))
		if w, ok := want[path]; ok && w != n {
			t.Errorf("%s: %d frames, capinfos %d (end: %v)", name, n, w, err)
		}
		// Recovering never has fewer frames, and ends every file.
		if more, _, err := readVariant(path, pcap.WithRecover()); err == nil && more < n {
			t.Errorf("%s: %d frames when recovering, %d without", name, more, n)
		} else if errors.Is(err, pcap.ErrMalformed) && !errors.Is(err, gzip.ErrHeader) {
			t.Errorf("%s: recovering ends with %v", name, err)
		}
	}
	t.Logf("%d files end cleanly, %d with an error; %d compared with capinfos", clean, damaged, len(want))
}

// capinfos returns the number of packets of those files that Wireshark reads
// to their end; it is empty where there is no capinfos.
func capinfos(t *testing.T, files []string) map[string]int {
	if _, err := exec.LookPath("capinfos"); err != nil {
		t.Log("needs capinfos to compare with")
		return nil
	}
	out := map[string]int{}
	for len(files) > 0 {
		n := min(200, len(files))
		cmd := exec.CommandContext(t.Context(), "capinfos", append([]string{"-c", "-M", "-T", "-r"}, files[:n]...)...)
		files = files[n:]
		b, _ := cmd.Output() // it exits 1 when one of the files is damaged
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			name, count, ok := strings.Cut(s.Text(), "\t")
			if v, err := strconv.Atoi(count); ok && err == nil {
				out[name] = v
			}
		}
	}
	return out
}

// roundTripExceptions lists pcapng files that are not well-formed, so that
// writing their blocks does not give back their bytes.
var roundTripExceptions = map[string]string{
	"gopacket__gopacket/pcapgo/tests/be/test901.pcapng":                 version2,
	"gopacket__gopacket/pcapgo/tests/le/test901.pcapng":                 version2,
	"hadrielk__pcapng-test-generator/output_be/advanced/test102.pcapng": longPacket,
	"hadrielk__pcapng-test-generator/output_le/advanced/test102.pcapng": longPacket,
	"the-tcpdump-group__libpcap/tests/pcapng-invalid-vers-1.pcapng":     "version 0.1, which is not written",
	"the-tcpdump-group__libpcap/tests/pcapng-invalid-vers-2.pcapng":     "version 1.1, which is not written",
	"the-tcpdump-group__libpcap/tests/shb-option-too-long.pcapng":       "the first option overruns its block",
}

const (
	version2   = "has a section of version 2.0, which is not written"
	longPacket = "packet blocks hold 342 bytes for 96 captured ones: what follows those is not options"
)

// TestCorpusBlocks reads every pcapng file block by block, writes the blocks,
// and compares the bytes.
func TestCorpusBlocks(t *testing.T) {
	files := captureFiles(t, sharedDir(t, "corpus"))
	same := 0
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(file, []byte("\x0a\x0d\x0d\x0a")) {
			continue
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("..", "..", "..", "shared", "corpus")+string(filepath.Separator)))
		got, err := copyBlocks(file)
		if err == nil && bytes.Equal(got, file) {
			same++
			if roundTripExceptions[name] != "" {
				t.Errorf("%s is written back exactly: take it off the list", name)
			}
			continue
		}
		if roundTripExceptions[name] == "" {
			t.Errorf("%s: %d bytes, wrote %d, the same up to byte %d: %v", name, len(file), len(got), commonPrefix(got, file), err)
		}
	}
	if same < 48 {
		t.Errorf("%d files are written back exactly, the generator's alone are 48", same)
	}
	t.Logf("%d pcapng files are written back exactly", same)
}

func commonPrefix(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// copyBlocks writes all the blocks of a file again.
func copyBlocks(file []byte) ([]byte, error) {
	r, err := pcap.NewBlockReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out bytes.Buffer
	w := pcap.NewBlockWriter(&out)
	for b, err := range r.Blocks() {
		if err != nil {
			w.Flush()
			return out.Bytes(), err
		}
		if err := w.Write(b); err != nil {
			w.Flush()
			return out.Bytes(), err
		}
	}
	err = w.Flush()
	return out.Bytes(), err
}
