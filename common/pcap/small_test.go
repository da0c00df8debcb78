package pcap_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func TestStrings(t *testing.T) {
	for got, want := range map[fmt.Stringer]string{
		pcap.FormatPcapng:              "pcapng",
		pcap.FormatPcapModifiedSMP:     "pcap-modified-smp",
		pcap.Format(99):                "format-99",
		pcap.BigEndian:                 "big-endian",
		pcap.LittleEndian:              "little-endian",
		pcap.ResolutionDefault:         "10^-6 s",
		pcap.DecimalResolution(12):     "10^-12 s",
		pcap.BinaryResolution(20):      "2^-20 s",
		pcap.HashToeplitz:              "toeplitz",
		pcap.HashAlgorithm(77):         "hash-77",
		pcap.BlockEnhancedPacket:       "enhanced packet block",
		pcap.BlockType(0x204):          "block of type 0x204",
		pcap.BlockInterfaceDescription: "interface description block",
	} {
		if got.String() != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
	seen := map[string]bool{}
	for f := pcap.FormatUnknown; f <= pcap.FormatSnoop; f++ {
		if seen[f.String()] {
			t.Errorf("two formats are called %q", f)
		}
		seen[f.String()] = true
	}
}

func TestErrorText(t *testing.T) {
	_, err := readAll(bytes.NewReader(join(head(), records(le, testMicro, nil), make([]byte, 9))))
	if got, want := fmt.Sprint(err), "pcap: record header at byte 273: file is cut short: need 16 bytes, have 9"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
	_, err = pcap.Open(filepath.Join("testdata", "ntp.pcap.zst"))
	if got, want := fmt.Sprint(err), "pcap: stream is zstd-compressed: open it with WithDecompressor(pcap.MagicZstd, …)"; got != want {
		t.Errorf("error is %q, want %q", got, want)
	}
}

func TestMaxCaptureLengths(t *testing.T) {
	for l, want := range map[link.Type]int{1: 262144, 231: 128 << 20, 249: 1 << 20, 279: 8 << 20} {
		if got := pcap.MaxCaptureLength(l); got != want {
			t.Errorf("link type %d: %d, want %d", l, got, want)
		}
	}
	// Both sides hold to it.
	f := link.Frame{Data: make([]byte, 300_000), Info: link.Info{Link: 249}}
	for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapng} {
		if frames, err := readAll(bytes.NewReader(write(t, pcap.WriterConfig{Format: format, SnapLen: 100 << 20}, f))); err != nil || len(frames) != 1 {
			t.Errorf("%v: read %d frames, %v", format, len(frames), err)
		}
		w, err := pcap.NewWriter(new(bytes.Buffer), pcap.WriterConfig{Format: format, SnapLen: 100 << 20})
		if err != nil {
			t.Fatal(err)
		}
		f := f
		f.Link = link.TypeEthernet
		if err := w.WriteFrame(&f); !errors.Is(err, pcap.ErrInvalidFrame) {
			t.Errorf("%v: %v", format, err)
		}
	}
}

// TestLinkNumbers checks the translations of other systems' numbers: RFC 1573
// interface types of AIX, and RFC 1761 datalink types.
func TestLinkNumbers(t *testing.T) {
	for from, want := range map[uint32]link.Type{6: 1, 9: 6, 15: 10, 24: 0, 1: 1} {
		r, err := pcap.NewReader(bytes.NewReader(fileHead(be, 0xa1b2c3d4, 2, 2, 0, 96, from)))
		if err != nil {
			t.Fatal(err)
		}
		if isAIX := r.Format() == pcap.FormatPcapAIX; r.Link() != want || isAIX != (from != 1) {
			t.Errorf("AIX type %d is read as %d in a %v file", from, r.Link(), r.Format())
		}
	}
	for from, want := range map[uint32]link.Type{0: 1, 2: 6, 4: 1, 5: 104, 8: 10, 26: 242} {
		r, err := pcap.NewReader(bytes.NewReader(join([]byte("snoop\x00\x00\x00"), be.AppendUint32(nil, 2), be.AppendUint32(nil, from))))
		if err != nil {
			t.Fatal(err)
		}
		if r.Link() != want {
			t.Errorf("snoop type %d is read as %d", from, r.Link())
		}
	}
}

// TestPacketTypes checks the directions of the patched formats.
func TestPacketTypes(t *testing.T) {
	want := []link.Direction{link.DirectionIn, link.DirectionBroadcast, link.DirectionMulticast,
		link.DirectionOther, link.DirectionOut, link.DirectionUnknown}
	file := fileHead(le, 0xa1b2cd34, 2, 4, 0, 96, 1)
	for typ := range want {
		file = append(file, rec(le, testSec, 0, 1, 1, []byte{1, 0, 0, 0, 8, 0, byte(typ), 0}, []byte{0})...)
	}
	frames, err := readAll(bytes.NewReader(file))
	if err != nil || len(frames) != len(want) {
		t.Fatal(frames, err)
	}
	for i, f := range frames {
		if f.Direction != want[i] {
			t.Errorf("type %d is %v, want %v", i, f.Direction, want[i])
		}
	}
}

func TestSections(t *testing.T) {
	one := join(shb(le), idb(le, 1, 0), epb(le, 0, microTS, frameData()[0]))
	other := join(shb(be), idb(be, 101, 0), epb(be, 0, microTS, frameData()[0]))
	r, err := pcap.NewReader(bytes.NewReader(join(one, other)))
	if err != nil {
		t.Fatal(err)
	}
	frames, err := drain(r)
	if err != nil || len(frames) != 2 {
		t.Fatal(frames, err)
	}
	if frames[1].Interface != 1 || frames[1].Link != link.TypeRaw {
		t.Errorf("second frame is of interface %d, link %v", frames[1].Interface, frames[1].Link)
	}
	if r.Sections() != 2 || r.Interfaces()[1].Section != 1 || r.Header().Order != pcap.BigEndian || r.Link() != link.TypeEthernet {
		t.Errorf("%d sections, interfaces %+v, header %+v", r.Sections(), r.Interfaces(), r.Header())
	}
	r, err = pcap.NewReader(bytes.NewReader(head()))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Section(); ok || r.Sections() != 1 || len(r.Interfaces()) != 1 || r.Interfaces()[0].Link != link.TypeEthernet {
		t.Errorf("classic: %d sections, interfaces %+v", r.Sections(), r.Interfaces())
	}
	if o, err := r.PacketOptions(); o != nil || err != nil {
		t.Errorf("classic: options %v, %v", o, err)
	}
}

func TestBlockReaderErrors(t *testing.T) {
	for name, file := range map[string][]byte{"classic": head(), "nothing": nil, "zstd": []byte(pcap.MagicZstd)} {
		if _, err := pcap.NewBlockReader(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r, err := pcap.NewBlockReader(bytes.NewReader(gz(shb(be), idb(be, 1, 0)[:10])))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := r.Next(); err != nil || b.(*pcap.SectionHeader).Order != pcap.BigEndian || r.Order() != pcap.BigEndian {
		t.Errorf("section: %v, %v", b, err)
	}
	for range 2 {
		if b, err := r.Next(); !errors.Is(err, pcap.ErrTruncated) {
			t.Errorf("cut block: %v, %v", b, err)
		}
	}
}

func TestRotatorBlocks(t *testing.T) {
	dir := t.TempDir()
	r, err := pcap.CreateRotator(dir, pcap.RotateConfig{Pattern: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	names := &pcap.NameResolution{Records: []pcap.NameRecord{{Type: pcap.NameRecordMAC, Value: []byte("\x02\x00\x00\x00\x00\x01m\x00")}}}
	f := at(0)
	if err := errors.Join(r.WriteBlock(names), r.AddInterface(0, pcap.Interface{Name: "late", Link: link.TypeEthernet}), r.WriteFrame(&f), r.Flush(), r.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := pcap.Open(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if frames, err := drain(in); err != nil || len(frames) != 1 || in.Interfaces()[0].Name != "late" {
		t.Errorf("%v, %v, %+v", frames, err, in.Interfaces())
	}
	classic, err := pcap.CreateRotator(dir, pcap.RotateConfig{Writer: pcap.WriterConfig{Format: pcap.FormatPcap}})
	if err != nil {
		t.Fatal(err)
	}
	defer classic.Close()
	if err := classic.AddInterface(0, pcap.Interface{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("interface of a classic file: %v", err)
	}
}

// TestWriteAroundBuffer writes frames about as long as the writer's buffer.
func TestWriteAroundBuffer(t *testing.T) {
	for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapng} {
		var frames []link.Frame
		for n := 65536 - 50; n < 65536+5; n++ {
			d := bytes.Repeat([]byte{byte(n)}, n)
			frames = append(frames, link.Frame{Data: d, Info: link.Info{WireLen: n, Link: link.TypeEthernet, Time: utc(testSec, 0)}})
			tagged := frames[len(frames)-1]
			if format == pcap.FormatPcapng {
				tagged.Direction = link.DirectionOut
			}
			frames = append(frames, tagged, frames[0])
		}
		got, err := readAll(bytes.NewReader(write(t, pcap.WriterConfig{Format: format}, frames...)))
		if err != nil || len(got) != len(frames) {
			t.Fatalf("%v: read %d frames, %v, want %d", format, len(got), err, len(frames))
		}
		for i := range got {
			if got[i].Info != frames[i].Info || !bytes.Equal(got[i].Data, frames[i].Data) {
				t.Errorf("%v: frame %d of %d bytes differs", format, i, len(frames[i].Data))
			}
		}
	}
}
