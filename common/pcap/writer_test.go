package pcap_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// The golden files below are written out by hand from the definitions:
// draft-ietf-opsawg-pcap sections 4 and 5, draft-ietf-opsawg-pcapng sections
// 4.1 to 4.3.
var (
	goldenMicroLE = unhex(`
		d4c3b2a1 0200 0400 00000000 00000000 60000000 01000000
		00f15365 40e20100 04000000 05000000 01020304`)
	goldenNanoBE = unhex(`
		a1b23c4d 0002 0004 00000000 00000000 00000060 00000001
		6553f100 075bcd15 00000004 00000005 01020304`)
	goldenNG = unhex(`
		0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
		01000000 20000000 0100 0000 60000000
			0900 0100 09000000
			0000 0000
			20000000
		06000000 34000000 00000000
			fe9c9717 15cd853d
			05000000 06000000 01020304 05000000
			0200 0400 02000000 0000 0000
		34000000`)
)

func TestWriteGolden(t *testing.T) {
	f := link.Frame{Data: []byte{1, 2, 3, 4}, Info: link.Info{Time: utc(testSec, testNano), WireLen: 5, Link: link.TypeEthernet}}
	for _, c := range []struct {
		name string
		cfg  pcap.WriterConfig
		want []byte
	}{
		{"micro LE", pcap.WriterConfig{Format: pcap.FormatPcap, SnapLen: 96}, goldenMicroLE},
		{"nano BE", pcap.WriterConfig{Format: pcap.FormatPcapNano, Order: pcap.BigEndian, SnapLen: 96}, goldenNanoBE},
	} {
		if got := write(t, c.cfg, f); !bytes.Equal(got, c.want) {
			t.Errorf("%s: wrote\n% x, want\n% x", c.name, got, c.want)
		}
	}
	f.Data, f.WireLen, f.Direction = []byte{1, 2, 3, 4, 5}, 6, link.DirectionOut
	if got := write(t, pcap.WriterConfig{SnapLen: 96}, f); !bytes.Equal(got, goldenNG) {
		t.Errorf("pcapng: wrote\n% x, want\n% x", got, goldenNG)
	}
}

func write(t testing.TB, cfg pcap.WriterConfig, frames ...link.Frame) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pcap.NewWriter(&out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if err := w.WriteFrame(&frames[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Bytes() != int64(out.Len()) || w.Frames() != int64(len(frames)) {
		t.Errorf("Bytes = %d, Frames = %d, want %d, %d", w.Bytes(), w.Frames(), out.Len(), len(frames))
	}
	return out.Bytes()
}

func TestWriteEmpty(t *testing.T) {
	for _, f := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapNano, pcap.FormatPcapng} {
		r, err := pcap.NewReader(bytes.NewReader(write(t, pcap.WriterConfig{Format: f, Link: link.TypeRaw})))
		if err != nil {
			t.Fatal(err)
		}
		if frames, err := drain(r); r.Format() != f || r.Link() != link.TypeRaw || frames != nil || err != nil {
			t.Errorf("%v is read as %v, link %v, %v, %v", f, r.Format(), r.Link(), frames, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	ok := func() link.Frame {
		return link.Frame{Data: make([]byte, 60), Info: link.Info{WireLen: 60, Link: link.TypeEthernet, Time: utc(1, 0)}}
	}
	for name, c := range map[string]struct {
		classic, ng bool // refused
		change      func(*link.Frame)
	}{
		"captured more than wire": {true, true, func(f *link.Frame) { f.WireLen = 59 }},
		// Beyond 32 bits; 1 where int has no more than those.
		"wire length":          {true, true, func(f *link.Frame) { f.WireLen = math.MaxInt32; f.WireLen += f.WireLen + 3 }},
		"negative wire length": {true, true, func(f *link.Frame) { f.WireLen = -1 }},
		"too long":             {true, true, func(f *link.Frame) { f.Data = make([]byte, 262145); f.WireLen = 262145 }},
		"before 1970":          {true, true, func(f *link.Frame) { f.Time = utc(-1, 999) }},
		"after 2106":           {true, false, func(f *link.Frame) { f.Time = utc(1<<32, 0) }},
		"after 2554":           {true, true, func(f *link.Frame) { f.Time = utc(18446744074, 0) }},
		"other link type":      {true, false, func(f *link.Frame) { f.Link = link.TypeRaw }},
		"fine":                 {false, false, func(f *link.Frame) {}},
		"no wire length":       {false, false, func(f *link.Frame) { f.WireLen = 0 }},
		"no time":              {false, false, func(f *link.Frame) { f.Time = time.Time{} }},
		"longest":              {false, false, func(f *link.Frame) { f.Data = make([]byte, 262144); f.WireLen = 262144 }},
	} {
		for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapNano, pcap.FormatPcapng} {
			var out bytes.Buffer
			w, err := pcap.NewWriter(&out, pcap.WriterConfig{Format: format})
			if err != nil {
				t.Fatal(err)
			}
			first := ok()
			if err := w.WriteFrame(&first); err != nil {
				t.Fatal(err)
			}
			before := w.Bytes()
			f := ok()
			c.change(&f)
			err = w.Write(f)
			refused := c.classic
			if format == pcap.FormatPcapng {
				refused = c.ng
			}
			if refused != errors.Is(err, pcap.ErrInvalidFrame) || !refused && err != nil {
				t.Errorf("%s, %v: error is %v", name, format, err)
			}
			if refused && w.Bytes() != before {
				t.Errorf("%s, %v: wrote %d bytes of a refused frame", name, format, w.Bytes()-before)
			}
			// The writer is still good, and a reader takes all it wrote.
			if err := w.WriteFrame(&first); err != nil {
				t.Errorf("%s, %v: next frame: %v", name, format, err)
			}
			w.Close()
			want := 3
			if refused {
				want = 2
			}
			if frames, err := readAll(&out); err != nil || len(frames) != want {
				t.Errorf("%s, %v: read %d frames, %v, want %d", name, format, len(frames), err, want)
			}
		}
	}
}

func TestWriterConfigRefused(t *testing.T) {
	for _, cfg := range []pcap.WriterConfig{
		{Format: pcap.FormatSnoop}, {Format: pcap.FormatPcapModified}, {SnapLen: -1}, {SnapLen: math.MaxInt32},
		{Section: pcap.SectionHeader{Major: 3}},
	} {
		if _, err := pcap.NewWriter(io.Discard, cfg); err == nil {
			t.Errorf("%+v is not refused", cfg)
		}
	}
}

func TestWriteSnapLen(t *testing.T) {
	f := link.Frame{Data: frameData()[2], Info: link.Info{WireLen: 100, Link: link.TypeEthernet}}
	for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapng} {
		frames, err := readAll(bytes.NewReader(write(t, pcap.WriterConfig{Format: format, SnapLen: 33}, f)))
		if err != nil || len(frames) != 1 || frames[0].WireLen != 100 || !bytes.Equal(frames[0].Data, f.Data[:33]) {
			t.Errorf("%v: %v, %v", format, frames, err)
		}
	}
}

// TestWriteVLAN checks that a tag beside the frame is put back into it.
func TestWriteVLAN(t *testing.T) {
	data := frameData()[0]
	tagged := join(data[:12], []byte{0x88, 0xa8, 0x20, 0x05}, data[12:])
	sll := join(data[:14], []byte{0x81, 0x00, 0x00, 0x07}, data[14:])
	for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapng} {
		for _, c := range []struct {
			link      link.Type
			tci, tpid uint16
			data      []byte
			snap      int
			want      []byte
		}{
			{link.TypeEthernet, 0x2005, 0x88a8, data, 0, tagged},
			{link.TypeEthernet, 0x2005, 0x88a8, data, 40, tagged[:40]},
			{link.TypeEthernet, 0x2005, 0x88a8, data, 14, tagged[:14]},
			{link.TypeEthernet, 0x2005, 0x88a8, data, 5, tagged[:5]},
			{link.TypeEthernet, 0x2005, 0x88a8, data[:10], 0, data[:10]},
			{link.TypeLinuxSLL, 7, 0, data, 0, sll},
			{link.TypeRaw, 7, 0x8100, data, 0, data},
		} {
			f := link.Frame{Data: c.data, Info: link.Info{WireLen: 80, Link: c.link, VLANTCI: c.tci, VLANTPID: c.tpid, Flags: link.InfoVLAN}}
			frames, err := readAll(bytes.NewReader(write(t, pcap.WriterConfig{Format: format, SnapLen: c.snap}, f)))
			if err != nil || len(frames) != 1 {
				t.Fatal(frames, err)
			}
			wantLen := 80
			if c.link != link.TypeRaw && len(c.data) > 14 {
				wantLen = 84
			}
			if !bytes.Equal(frames[0].Data, c.want) || frames[0].WireLen != wantLen {
				t.Errorf("%v, link %v, snap %d: % x, wire length %d, want % x, %d", format, c.link, c.snap, frames[0].Data, frames[0].WireLen, c.want, wantLen)
			}
		}
	}
}

// TestWriteInterfaces checks how frames find their interfaces.
func TestWriteInterfaces(t *testing.T) {
	frame := func(index int, l link.Type) link.Frame {
		return link.Frame{Data: frameData()[0], Info: link.Info{Interface: index, Link: l, Time: utc(testSec, 5)}}
	}
	var out bytes.Buffer
	w, err := pcap.NewWriter(&out, pcap.WriterConfig{
		Section:    pcap.SectionHeader{Options: pcap.Options{pcap.TextOption(pcap.OptSectionApplication, "test")}},
		Interfaces: []pcap.Interface{{Name: "a", Link: link.TypeEthernet, Resolution: pcap.ResolutionMicro, Offset: 9}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddInterface(17, pcap.Interface{Name: "b", Link: link.TypeRaw, SnapLen: 100}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []link.Frame{frame(0, link.TypeEthernet), frame(17, link.TypeRaw), frame(17, link.TypeIPv4), frame(3, link.TypeNull), frame(0, link.TypeEthernet)} {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	id, ok := w.InterfaceID(17, link.TypeIPv4)
	if id != 2 || !ok {
		t.Errorf("InterfaceID = %d, %v, want 2", id, ok)
	}
	stats := &pcap.InterfaceStatistics{Interface: id, Options: pcap.Options{pcap.Uint64Option(pcap.OptStatsReceived, 1)}}
	if err := w.WriteBlock(stats); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteBlock(&pcap.InterfaceDescription{}); !errors.Is(err, pcap.ErrInvalidFrame) {
		t.Errorf("interface through WriteBlock: %v", err)
	}
	w.Close()

	var blocks int
	r, err := pcap.NewReader(&out, pcap.WithBlocks(func(b pcap.Block) error {
		if s, ok := b.(*pcap.InterfaceStatistics); ok {
			if n, _ := s.Received(); n == 1 && s.Interface == 2 {
				blocks++
			}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	frames, err := drain(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, f := range frames {
		got = append(got, f.Interface)
		if !f.Time.Equal(utc(testSec, 5)) {
			t.Errorf("time is %v", f.Time)
		}
	}
	if want := []int{0, 1, 2, 3, 0}; !slices.Equal(got, want) || blocks != 1 {
		t.Errorf("interfaces are %v, want %v; %d statistics", got, want, blocks)
	}
	names := []string{"a", "b", "b", ""}
	links := []link.Type{link.TypeEthernet, link.TypeRaw, link.TypeIPv4, link.TypeNull}
	for i, iface := range r.Interfaces() {
		if iface.Name != names[i] || iface.Link != links[i] || iface.Resolution != pcap.ResolutionNano {
			t.Errorf("interface %d is %+v", i, iface)
		}
	}
	if s, _ := r.Section(); s.Application() != "test" {
		t.Errorf("section is %+v", s)
	}
}

func TestWritePacketOptions(t *testing.T) {
	f := link.Frame{Data: frameData()[1], Info: link.Info{Link: link.TypeEthernet, Direction: link.DirectionIn}}
	o := pcap.PacketOptions{pcap.TextOption(pcap.OptComment, "why"), pcap.Uint64Option(pcap.OptPacketID, 5)}
	for _, order := range []pcap.ByteOrder{pcap.LittleEndian, pcap.BigEndian} {
		var out bytes.Buffer
		w, err := pcap.NewWriter(&out, pcap.WriterConfig{Order: order})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WritePacket(&f, o); err != nil {
			t.Fatal(err)
		}
		if err := w.WritePacket(&f, pcap.PacketOptions{{Code: 1, Value: make([]byte, 1<<16)}}); !errors.Is(err, pcap.ErrInvalidFrame) {
			t.Errorf("option too long: %v", err)
		}
		w.Close()
		r, err := pcap.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		var got link.Frame
		if err := r.Next(&got); err != nil || got.Direction != link.DirectionIn {
			t.Errorf("%v, %v", got.Direction, err)
		}
		opts, err := r.PacketOptions()
		if err != nil || !slices.Equal(opts.Comments(), []string{"why"}) {
			t.Errorf("%v, %v", opts, err)
		}
		if id, _ := opts.PacketID(); id != 5 {
			t.Errorf("packet id is %d", id)
		}
	}
	w, err := pcap.NewWriter(io.Discard, pcap.WriterConfig{Format: pcap.FormatPcap})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(&f, o); !errors.Is(err, pcap.ErrInvalidFrame) {
		t.Errorf("options in a classic file: %v", err)
	}
	if err := w.WriteBlock(&pcap.NameResolution{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("block in a classic file: %v", err)
	}
	if err := w.AddInterface(0, pcap.Interface{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("interface in a classic file: %v", err)
	}
}

// failing is a writer that fails after some bytes.
type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.left {
		n := f.left
		f.left = 0
		return n, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

func TestWriteErrorIsFinal(t *testing.T) {
	f := link.Frame{Data: make([]byte, 1000), Info: link.Info{Link: link.TypeEthernet}}
	for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapng} {
		w, err := pcap.NewWriter(&failing{left: 100_000}, pcap.WriterConfig{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if err = w.WriteFrame(&f); err != nil {
				break
			}
		}
		if !errors.Is(err, errFull) {
			t.Errorf("%v: %v", format, err)
		}
		if err := w.WriteFrame(&f); !errors.Is(err, errFull) {
			t.Errorf("%v: next frame: %v", format, err)
		}
		if err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("%v: Close: %v", format, err)
		}
	}
}

func TestWriteNoAllocation(t *testing.T) {
	f := link.Frame{Data: frameData()[0], Info: link.Info{Link: link.TypeEthernet, Time: utc(testSec, 1), Direction: link.DirectionIn, Flags: link.InfoVLAN}}
	for _, format := range []pcap.Format{pcap.FormatPcap, pcap.FormatPcapNano, pcap.FormatPcapng} {
		w, err := pcap.NewWriter(io.Discard, pcap.WriterConfig{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		if got := testing.AllocsPerRun(5000, func() {
			if err := w.WriteFrame(&f); err != nil {
				t.Fatal(err)
			}
		}); got != 0 {
			t.Errorf("%v: %v allocations per frame, want 0", format, got)
		}
	}
}

// TestWriteForTshark has tshark read what was written.
func TestWriteForTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("needs tshark")
	}
	frames := openTestdata(t, "ntp.pcap")
	for _, cfg := range []pcap.WriterConfig{
		{Format: pcap.FormatPcap}, {Format: pcap.FormatPcapNano}, {Format: pcap.FormatPcapng},
		{Format: pcap.FormatPcap, Order: pcap.BigEndian}, {Format: pcap.FormatPcapng, Order: pcap.BigEndian},
	} {
		path := filepath.Join(t.TempDir(), "out")
		w, err := pcap.Create(path, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			f.Direction = link.DirectionIn
			if err := w.Write(f); err != nil {
				t.Fatal(err)
			}
		}
		if cfg.Format == pcap.FormatPcapng {
			for _, b := range []pcap.Block{
				&pcap.NameResolution{Records: []pcap.NameRecord{pcap.NewNameRecord(netip.MustParseAddr("192.0.2.1"), "host.test")}},
				&pcap.InterfaceStatistics{Options: pcap.Options{pcap.Uint64Option(pcap.OptStatsReceived, 6)}},
				&pcap.DecryptionSecrets{Secrets: pcap.SecretsTLSKeyLog, Data: []byte("CLIENT_RANDOM 00 11\n")},
				&pcap.CustomBlock{NoCopy: true, Enterprise: 32473, Data: []byte("abc")},
			} {
				if err := w.WriteBlock(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "tshark", "-r", path, "-Y", "ntp", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "udp.srcport")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%+v: %v\n%s", cfg, err, err.(*exec.ExitError).Stderr)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != len(ntpTimes) || !strings.HasPrefix(lines[0], "1795413392.346040000\t90\t") {
			t.Errorf("%+v: tshark reads\n%s", cfg, out)
		}
	}
}

// TestRecordsLikeVariants reads records whose headers in a row also look like
// fewer, longer headers of a variant, and whose times jump.
func TestRecordsLikeVariants(t *testing.T) {
	type record struct {
		sec        int64
		data, wire int
	}
	for _, records := range [][]record{
		{{}, {}, {}},
		{{}, {sec: 31 * 86400}, {}},
		{{sec: 1 << 31}, {}, {}},
		{{}, {sec: 1 << 31}, {}, {}, {}, {}},
		{{data: 1, wire: 1}, {wire: 8}, {sec: 30*86400 + 1}},
	} {
		var out bytes.Buffer
		w, err := pcap.NewWriter(&out, pcap.WriterConfig{Format: pcap.FormatPcap})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			f := link.Frame{Data: make([]byte, r.data), Info: link.Info{Time: utc(r.sec, 0), WireLen: r.wire, Link: link.TypeEthernet}}
			if err := w.WriteFrame(&f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(bytes.NewReader(out.Bytes()))
		if err != nil || len(got) != len(records) {
			t.Fatalf("%v: read %d frames: %v", records, len(got), err)
		}
		for i, r := range records {
			if f := got[i]; !f.Time.Equal(utc(r.sec, 0)) || len(f.Data) != r.data || f.WireLen != r.wire {
				t.Errorf("%v: frame %d is %+v", records, i, f)
			}
		}
	}
}

// TestWriteThenRead is the property that reading gives back what was written.
func TestWriteThenRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]pcap.Format{pcap.FormatPcap, pcap.FormatPcapNano, pcap.FormatPcapng}).Draw(t, "format")
		order := rapid.SampledFrom([]pcap.ByteOrder{pcap.LittleEndian, pcap.BigEndian}).Draw(t, "order")
		links := []link.Type{link.TypeEthernet}
		if format == pcap.FormatPcapng {
			links = []link.Type{link.TypeEthernet, link.TypeRaw, link.TypeNull}
		}
		gen := rapid.Custom(func(t *rapid.T) link.Frame {
			f := link.Frame{Data: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")}
			f.WireLen = len(f.Data) + rapid.IntRange(0, 3000).Draw(t, "cut")
			f.Link = rapid.SampledFrom(links).Draw(t, "link")
			nano := rapid.Int64Range(0, 999_999_999).Draw(t, "nano")
			if format == pcap.FormatPcap {
				nano -= nano % 1000
			}
			f.Time = utc(rapid.Int64Range(0, 1<<32-1).Draw(t, "second"), nano)
			if format == pcap.FormatPcapng {
				f.Interface = rapid.IntRange(0, 3).Draw(t, "interface")
				f.Direction = link.Direction(rapid.IntRange(0, 5).Draw(t, "direction"))
			}
			return f
		})
		frames := rapid.SliceOfN(gen, 0, 20).Draw(t, "frames")
		var out bytes.Buffer
		w, err := pcap.NewWriter(&out, pcap.WriterConfig{Format: format, Order: order})
		if err != nil {
			t.Fatal(err)
		}
		for i := range frames {
			if err := w.WriteFrame(&frames[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		recovering := rapid.Bool().Draw(t, "recover")
		var options []pcap.ReaderOption
		if recovering {
			options = append(options, pcap.WithRecover())
		}
		got, err := readAll(bytes.NewReader(out.Bytes()), options...)
		if err != nil || len(got) != len(frames) {
			t.Fatalf("read %d frames of %d: %v", len(got), len(frames), err)
		}
		// A file numbers its interfaces by their first frames.
		type source struct {
			index int
			link  link.Type
		}
		number := map[source]int{}
		for i := range got {
			want := frames[i]
			src := source{want.Interface, want.Link}
			if _, ok := number[src]; !ok {
				number[src] = len(number)
			}
			if format == pcap.FormatPcapng {
				want.Interface = number[src]
			}
			if !bytes.Equal(got[i].Data, want.Data) {
				t.Fatalf("frame %d: data % x, want % x", i, got[i].Data, want.Data)
			}
			if got[i].Info != want.Info {
				t.Fatalf("frame %d: %+v, want %+v", i, got[i].Info, want.Info)
			}
		}
	})
}

func TestCreateErrors(t *testing.T) {
	w, err := pcap.Create(filepath.Join(t.TempDir(), "none", "file"), pcap.WriterConfig{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Create in a missing directory = %v, %v", w, err)
	}
	path := filepath.Join(t.TempDir(), "bad")
	if _, err := pcap.Create(path, pcap.WriterConfig{SnapLen: -1}); !errors.Is(err, pcap.ErrInvalidFrame) {
		t.Errorf("error is %v", err)
	}
}

// TestWriteFrameShortWay compares the ways in which a frame gets into a file:
// the long one with every check, the short one for plain frames, and those that
// append to the caller's buffer, one frame or many.
func TestWriteFrameShortWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := func(name string, of ...int) int { return rapid.SampledFrom(of).Draw(t, name) }
		cfg := pcap.WriterConfig{
			Format:  pcap.Format(one("format", int(pcap.FormatPcapng), int(pcap.FormatPcap), int(pcap.FormatPcapNano))),
			Order:   pcap.ByteOrder(one("order", 0, 0, 1)),
			Link:    link.Type(one("link", 0, int(link.TypeEthernet))),
			SnapLen: one("snap", 0, 0, 20),
		}
		var long, short bytes.Buffer
		var appended []byte
		open := func(to io.Writer) *pcap.Writer {
			w, err := pcap.NewWriter(to, cfg)
			if err == nil {
				err = w.Flush()
			}
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		a, b := open(&long), open(&short)
		var head bytes.Buffer
		c := open(&head)
		appended = append(appended, head.Bytes()...)
		var more bytes.Buffer
		d := open(&more)
		batched := slices.Clone(more.Bytes())
		var batch []link.Frame
		// take appends what was batched, of which refused frames are left out.
		take := func() {
			for len(batch) > 0 {
				// Often about as much as the first takes.
				before := len(batch[0].Data) + one("room", 0, 15, 16, 31, 40, 43, 48, 60, 2000, 100000)
				room := append(make([]byte, 0, len(batched)+before), batched...)
				out, n, err := d.AppendFrames(room, batch)
				if n == 0 && err == nil {
					t.Fatalf("AppendFrames has appended none of %d frames", len(batch))
				}
				if n < len(batch) && err == nil && before-len(out)+len(room) >= len(batch[n].Data)+100 {
					t.Fatalf("AppendFrames has appended %d of %d frames, with room for %d bytes more", n, len(batch), before-len(out)+len(room))
				}
				if err != nil {
					n++
				}
				batched, batch = out, batch[n:]
			}
		}
		for range one("frames", 1, 5, 40) {
			n := rapid.IntRange(0, 70).Draw(t, "bytes")
			if one("size", 0, 0, 0, 0, 0, 0, 1) == 1 {
				n = one("many", 65500, 70000, 300000)
			}
			f := link.Frame{Data: bytes.Repeat([]byte{0xa5}, n), Info: link.Info{
				WireLen:   n + one("cut", 0, 0, 0, 9, -1),
				Link:      link.Type(one("type", int(link.TypeEthernet), int(link.TypeEthernet), int(link.TypeRaw))),
				Interface: one("interface", 0, 0, 1),
				Direction: link.Direction(one("direction", 0, 1, 2, 3, 4, 5)),
				Flags:     link.InfoFlags(one("flags", 0, 0, 0, int(link.InfoVLAN), int(link.InfoHash))),
				VLANTCI:   5,
			}}
			switch one("time", 0, 0, 0, 1, 2, 3) {
			case 0:
				f.Time = time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nsec"))
			case 1:
				f.Time = time.Unix(-1, 0)
			case 2:
				f.Time = time.Unix(1<<40, 0)
			}
			errs := []error{a.WritePacket(&f, nil), b.WriteFrame(&f), nil}
			appended, errs[2] = c.AppendFrame(appended, &f)
			if want := fmt.Sprint(errs[0]); fmt.Sprint(errs[1]) != want || fmt.Sprint(errs[2]) != want {
				t.Fatalf("errors %q", errs)
			}
			if batch = append(batch, f); len(batch) >= one("batch", 1, 4, 64) {
				take()
			}
		}
		take()
		if err := errors.Join(a.Flush(), b.Flush(), c.Flush(), d.Flush()); err != nil {
			t.Fatal(err)
		}
		if d.Frames() != a.Frames() || d.Bytes() != a.Bytes() || !bytes.Equal(long.Bytes(), batched) {
			t.Errorf("AppendFrames: %d frames, %d bytes, want %d and %d", d.Frames(), len(batched), a.Frames(), long.Len())
		}
		if a.Frames() != b.Frames() || a.Frames() != c.Frames() || a.Bytes() != b.Bytes() || a.Bytes() != c.Bytes() {
			t.Errorf("%d, %d and %d frames, %d, %d and %d bytes", a.Frames(), b.Frames(), c.Frames(), a.Bytes(), b.Bytes(), c.Bytes())
		}
		if head.Len() > 0 && !bytes.Equal(appended[:head.Len()], head.Bytes()) {
			t.Errorf("AppendFrame has written to the file")
		}
		if !bytes.Equal(long.Bytes(), short.Bytes()) || !bytes.Equal(long.Bytes(), appended) {
			t.Errorf("%d bytes the long way, %d the short one, %d appended", long.Len(), short.Len(), len(appended))
		}
	})
}

// TestAppendFrameBehind refuses to put a frame before one that waits.
func TestAppendFrameBehind(t *testing.T) {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.WriterConfig{Link: link.TypeEthernet})
	if err != nil {
		t.Fatal(err)
	}
	f := link.Frame{Data: make([]byte, 60), Info: link.Info{WireLen: 60, Link: link.TypeEthernet}}
	if b, err := w.AppendFrame(nil, &f); b != nil || !errors.Is(err, pcap.ErrInvalidFrame) {
		t.Errorf("AppendFrame = %d bytes, %v, want ErrInvalidFrame", len(b), err)
	}
	if b, n, err := w.AppendFrames(make([]byte, 0, 1000), []link.Frame{f, f}); len(b) > 0 || n > 0 || !errors.Is(err, pcap.ErrInvalidFrame) {
		t.Errorf("AppendFrames = %d bytes, %d, %v, want ErrInvalidFrame", len(b), n, err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	written := file.Len()
	b, err := w.AppendFrame([]byte("before"), &f)
	if err != nil || !bytes.HasPrefix(b, []byte("before")) || len(b) != len("before")+92 {
		t.Errorf("AppendFrame = % x, %v", b, err)
	}
	if err := w.Close(); err != nil || file.Len() != written {
		t.Errorf("Close = %v, and the file has %d bytes, want %d", err, file.Len(), written)
	}
}

// BenchmarkWriteFrame encodes frames of 60 bytes.
func BenchmarkWriteFrame(b *testing.B) {
	for _, format := range []pcap.Format{pcap.FormatPcapng, pcap.FormatPcapNano} {
		b.Run(format.String(), func(b *testing.B) {
			w, err := pcap.NewWriter(io.Discard, pcap.WriterConfig{Format: format, Link: link.TypeEthernet})
			if err != nil {
				b.Fatal(err)
			}
			f := link.Frame{Data: make([]byte, 60), Info: link.Info{
				Time: time.Unix(1, 2), WireLen: 60, Link: link.TypeEthernet, Direction: link.DirectionIn,
			}}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.WriteFrame(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAppendFrames encodes frames of 60 bytes, 64 at once.
func BenchmarkAppendFrames(b *testing.B) {
	for _, format := range []pcap.Format{pcap.FormatPcapng, pcap.FormatPcapNano} {
		b.Run(format.String(), func(b *testing.B) {
			w, err := pcap.NewWriter(io.Discard, pcap.WriterConfig{Format: format, Link: link.TypeEthernet})
			if err == nil {
				err = w.Flush()
			}
			if err != nil {
				b.Fatal(err)
			}
			frames := make([]link.Frame, 64)
			for i := range frames {
				frames[i] = link.Frame{Data: make([]byte, 60), Info: link.Info{
					Time: time.Unix(1, 2), WireLen: 60, Link: link.TypeEthernet, Direction: link.DirectionIn,
				}}
			}
			out := make([]byte, 0, 64<<10)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%len(frames) != 0 {
					continue
				}
				if _, k, err := w.AppendFrames(out, frames); k != len(frames) || err != nil {
					b.Fatal(k, err)
				}
			}
		})
	}
}
