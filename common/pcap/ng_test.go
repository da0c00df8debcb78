package pcap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// orders are the two byte orders, to build the same file in both.
var orders = map[string]binary.AppendByteOrder{"LE": le, "BE": be}

// interfaceOptions are all the options of section 4.2.
func interfaceOptions(o binary.AppendByteOrder) []byte {
	return opts(
		opt(o, 1, []byte("a comment")),
		opt(o, 2, []byte("eth0")),
		opt(o, 3, []byte("description")),
		opt(o, 4, []byte{10, 0, 0, 1, 255, 255, 255, 0}),
		opt(o, 4, []byte{10, 0, 0, 2, 255, 0, 255, 0}), // no prefix
		opt(o, 5, append(netip.MustParseAddr("2001:db8::1").AsSlice(), 64)),
		opt(o, 6, []byte{2, 0, 0, 0, 0, 1}),
		opt(o, 7, []byte{2, 0, 0, 0xff, 0xfe, 0, 0, 1}),
		opt(o, 8, o.AppendUint64(nil, 10_000_000_000)),
		opt(o, 9, []byte{9}),
		opt(o, 10, o.AppendUint32(nil, 3600)),
		opt(o, 11, []byte("\x00tcp port 80")),
		opt(o, 12, []byte("Linux")),
		opt(o, 13, []byte{4}),
		opt(o, 14, o.AppendUint64(nil, 0xffffffffffffffff)), // -1
		opt(o, 15, []byte("card")),
		opt(o, 16, o.AppendUint64(nil, 1000)),
		opt(o, 17, o.AppendUint64(nil, 2000)),
		opt(o, 18, []byte("Europe/Berlin")),
		opt(o, 2988, o.AppendUint32(nil, 32473), []byte("text")...),
		opt(o, 99, []byte{1, 2, 3}),
	)
}

func TestInterfaceOptions(t *testing.T) {
	for name, o := range orders {
		t.Run(name, func(t *testing.T) {
			r, err := pcap.NewReader(bytes.NewReader(join(
				shb(o, opts(opt(o, 1, []byte("c1")), opt(o, 1, []byte("c2")), opt(o, 2, []byte("hw")), opt(o, 3, []byte("os")), opt(o, 4, []byte("app")))),
				idb(o, 1, 96, interfaceOptions(o)),
				epb(o, 0, testSec*1e9, frameData()[0]))))
			if err != nil {
				t.Fatal(err)
			}
			if r.Link() != link.TypeEthernet || r.Header().SnapLen != 96 {
				t.Errorf("before the first frame: link %v, snap %d", r.Link(), r.Header().SnapLen)
			}
			s, ok := r.Section()
			if !ok || !slices.Equal(s.Comments(), []string{"c1", "c2"}) || s.Hardware() != "hw" || s.OS() != "os" || s.Application() != "app" {
				t.Errorf("section is %+v, %v", s, ok)
			}
			want := []pcap.Interface{{
				Name: "eth0", Description: "description", Comments: []string{"a comment"},
				Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")},
				MAC:   link.MacAddr{2, 0, 0, 0, 0, 1}, EUI: [8]byte{2, 0, 0, 0xff, 0xfe, 0, 0, 1},
				Speed: 10_000_000_000, TxSpeed: 1000, RxSpeed: 2000,
				Resolution: pcap.ResolutionNano, Offset: -1,
				Filter: "tcp port 80", OS: "Linux", Hardware: "card", FCSLen: 4, HasFCSLen: true,
				ZoneName: "Europe/Berlin", SnapLen: 96, Link: link.TypeEthernet,
				Other: pcap.Options{
					{Code: 4, Value: []byte{10, 0, 0, 2, 255, 0, 255, 0}},
					pcap.Uint32Option(10, 3600),
					pcap.CustomOption(2988, 32473, []byte("text")),
					{Code: 99, Value: []byte{1, 2, 3}},
				},
			}}
			if diff := cmp.Diff(want, r.Interfaces(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("interfaces (-want +got):\n%s", diff)
			}
			frames, err := drain(r)
			if err != nil || len(frames) != 1 {
				t.Fatal(frames, err)
			}
			if want := utc(testSec-1, 0); !frames[0].Time.Equal(want) {
				t.Errorf("time is %v, want %v", frames[0].Time, want)
			}
		})
	}
}

// TestInterfaceBlock checks that Block is the reverse of Interface.
func TestInterfaceBlock(t *testing.T) {
	br, err := pcap.NewBlockReader(bytes.NewReader(join(shb(be), idb(be, 1, 96, interfaceOptions(be)))))
	if err != nil {
		t.Fatal(err)
	}
	br.Next()
	b, err := br.Next()
	if err != nil {
		t.Fatal(err)
	}
	want := b.(*pcap.InterfaceDescription).Interface()
	got := want.Block().Interface()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("interface (-want +got):\n%s", diff)
	}
}

// packetOptions are all the options of section 4.3.1.
func packetOptions(o binary.AppendByteOrder) []byte {
	return opts(
		opt(o, 1, []byte("first")),
		opt(o, 1, []byte("")),
		opt(o, 2, o.AppendUint32(nil, 0x2|4<<5|1<<24)), // out, FCS of 4, CRC error
		opt(o, 3, []byte{5, 0xde, 0xad, 0xbe, 0xef}),
		opt(o, 4, o.AppendUint64(nil, 7)),
		opt(o, 5, o.AppendUint64(nil, 0x0102030405060708)),
		opt(o, 6, o.AppendUint32(nil, 3)),
		opt(o, 7, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2}),
		opt(o, 8, o.AppendUint32(o.AppendUint32(nil, 1000), 1001)),
		opt(o, 19373, o.AppendUint32(nil, 32473), 1, 2),
	)
}

func TestPacketOptions(t *testing.T) {
	for name, o := range orders {
		t.Run(name, func(t *testing.T) {
			d := frameData()
			r, err := pcap.NewReader(bytes.NewReader(join(shb(o), idb(o, 1, 0),
				epb(o, 0, microTS, d[1], packetOptions(o)), epb(o, 0, microTS, d[0]))))
			if err != nil {
				t.Fatal(err)
			}
			var f link.Frame
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
			if f.Direction != link.DirectionOut || !f.Flags.Has(link.InfoLossBefore) || !bytes.Equal(f.Data, d[1]) {
				t.Errorf("frame is %+v", f)
			}
			o, err := r.PacketOptions()
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Comments(); !slices.Equal(got, []string{"first", ""}) {
				t.Errorf("comments are %q", got)
			}
			flags, ok := o.Flags()
			if !ok || flags.FCSLen() != 4 || flags.LinkErrors() != 1<<8 || flags.Direction() != link.DirectionOut {
				t.Errorf("flags are %#x, %v", flags, ok)
			}
			if diff := cmp.Diff([]pcap.PacketHash{{pcap.HashToeplitz, []byte{0xde, 0xad, 0xbe, 0xef}}}, o.Hashes()); diff != "" {
				t.Error(diff)
			}
			if n, ok := o.DropCount(); n != 7 || !ok {
				t.Errorf("drop count is %d, %v", n, ok)
			}
			if n, ok := o.PacketID(); n != 0x0102030405060708 || !ok {
				t.Errorf("packet id is %#x, %v", n, ok)
			}
			if n, ok := o.Queue(); n != 3 || !ok {
				t.Errorf("queue is %d, %v", n, ok)
			}
			if diff := cmp.Diff([]pcap.PacketVerdict{{pcap.VerdictTC, []byte{0, 0, 0, 0, 0, 0, 0, 2}}}, o.Verdicts()); diff != "" {
				t.Error(diff)
			}
			if p, th, ok := o.ProcessThread(); p != 1000 || th != 1001 || !ok {
				t.Errorf("process %d, thread %d, %v", p, th, ok)
			}
			if diff := cmp.Diff([]pcap.Custom{{Enterprise: 32473, Data: []byte{1, 2}, NoCopy: true}}, pcap.Options(o).Custom()); diff != "" {
				t.Error(diff)
			}
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
			if o, err := r.PacketOptions(); o != nil || err != nil {
				t.Errorf("options of a packet without: %v, %v", o, err)
			}
			if f.Direction != link.DirectionUnknown || f.Flags != 0 {
				t.Errorf("the frame has kept %v, %v", f.Direction, f.Flags)
			}
		})
	}
}

func TestPacketOptionsOverrun(t *testing.T) {
	r, err := pcap.NewReader(bytes.NewReader(join(shb(le), idb(le, 1, 0),
		epb(le, 0, microTS, frameData()[0], opt(le, 1, []byte("good")), le.AppendUint16(le.AppendUint16(nil, 2), 400)))))
	if err != nil {
		t.Fatal(err)
	}
	var f link.Frame
	if err := r.Next(&f); err != nil {
		t.Fatal(err)
	}
	o, err := r.PacketOptions()
	if !errors.Is(err, pcap.ErrMalformed) || !slices.Equal(o.Comments(), []string{"good"}) {
		t.Errorf("options are %v, %v", o, err)
	}
}

func TestDirectionFlags(t *testing.T) {
	for d := link.DirectionUnknown; d <= link.DirectionOther; d++ {
		if got := pcap.DirectionFlags(d).Direction(); got != d {
			t.Errorf("flags of %v say %v", d, got)
		}
	}
	// Reception type unicast, and no direction.
	if got := pcap.PacketFlags(1 << 2).Direction(); got != link.DirectionIn {
		t.Errorf("unicast is %v", got)
	}
}

// blockFile is a file with a block of every type.
func blockFile(o binary.AppendByteOrder) []byte {
	d := frameData()
	u16, u32 := o.AppendUint16, o.AppendUint32
	stamp := u32(u32(nil, uint32(microTS>>32)), uint32(microTS&0xffffffff))
	return join(
		shb(o, opts(opt(o, 1, []byte("section")))),
		blk(o, 10, u32(u32(nil, 0x544c534b), 10), pad4([]byte("CLIENT_RAN")), opts(opt(o, 1, []byte("secrets")))),
		idb(o, 1, 50, interfaceOptions(o)),
		blk(o, 4, opt(o, 1, []byte("\x0a\x00\x00\x01h.test\x00h\x00")), opt(o, 2, append(netip.MustParseAddr("2001:db8::1").AsSlice(), "h6\x00"...)),
			opt(o, 3, []byte("\x02\x00\x00\x00\x00\x01mac\x00")), opts(), opts(opt(o, 2, []byte("ns.test")), opt(o, 3, []byte{10, 0, 0, 53}))),
		epb(o, 0, microTS, d[0][:50], packetOptions(o)),
		blk(o, 3, u32(nil, 60), d[0][:50]),
		blk(o, 2, u16(u16(nil, 0), 5), stamp, u32(u32(nil, 49), 60), pad4(d[0][:49]), opts(opt(o, 2, u32(nil, 1)))),
		blk(o, 5, u32(nil, 0), stamp, opts(
			opt(o, 2, u32(u32(nil, 1), 2)), opt(o, 3, u32(u32(nil, 3), 4)),
			opt(o, 4, o.AppendUint64(nil, 40)), opt(o, 5, o.AppendUint64(nil, 50)), opt(o, 6, o.AppendUint64(nil, 60)),
			opt(o, 7, o.AppendUint64(nil, 70)), opt(o, 8, o.AppendUint64(nil, 80)))),
		blk(o, 9, []byte("MESSAGE=x\n__REALTIME_TIMESTAMP=1\n")),
		blk(o, 0x0bad, u32(nil, 32473), []byte("custom12")),
		blk(o, 0x40000bad, u32(nil, 32473), []byte("nocopy")),
		blk(o, 0x77777777, []byte("unknown!")),
		idb(o, 101, 0, opt(o, 2, []byte("no end"))), // options without their end
		epb(o, 1, microTS, d[1], opts()),            // an end without options
		blk(o, 4, opt(o, 1, []byte("\x0a\x00\x00\x01no.end\x00"))),
	)
}

func TestBlocks(t *testing.T) {
	for name, o := range orders {
		t.Run(name, func(t *testing.T) {
			file := blockFile(o)
			r, err := pcap.NewBlockReader(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			var types []pcap.BlockType
			var raw []byte
			for b, err := range r.Blocks() {
				if err != nil {
					t.Fatal(err)
				}
				if int(r.Offset()) != len(raw) {
					t.Errorf("%v: offset %d, want %d", b.Type(), r.Offset(), len(raw))
				}
				types = append(types, b.Type())
				raw = append(raw, r.Raw()...)
				checkBlock(t, b)
			}
			if !bytes.Equal(raw, file) {
				t.Error("Raw does not give back the file")
			}
			want := []pcap.BlockType{0x0a0d0d0a, 10, 1, 4, 6, 3, 2, 5, 9, 0x0bad, 0x40000bad, 0x77777777, 1, 6, 4}
			if !slices.Equal(types, want) {
				t.Errorf("types are %v, want %v", types, want)
			}
			got, err := copyBlocks(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, file) {
				t.Errorf("written back, the file differs at byte %d of %d", commonPrefix(got, file), len(file))
			}
		})
	}
}

// checkBlock compares some blocks of blockFile with what was put into them.
func checkBlock(t *testing.T, b pcap.Block) {
	t.Helper()
	switch b := b.(type) {
	case *pcap.DecryptionSecrets:
		if b.Secrets != pcap.SecretsTLSKeyLog || string(b.Data) != "CLIENT_RAN" || b.Options.Text(pcap.OptComment) != "secrets" {
			t.Errorf("secrets are %+v", b)
		}
	case *pcap.NameResolution:
		if b.NoRecordEnd {
			return
		}
		if len(b.Records) != 3 {
			t.Fatalf("names are %+v", b)
		}
		if rec := &b.Records[0]; rec.Addr() != netip.MustParseAddr("10.0.0.1") || !slices.Equal(slices.Collect(rec.Names()), []string{"h.test", "h"}) {
			t.Errorf("names are %+v", b)
		}
		if rec := &b.Records[1]; rec.Addr() != netip.MustParseAddr("2001:db8::1") || !slices.Equal(slices.Collect(rec.Names()), []string{"h6"}) {
			t.Errorf("names are %+v", b)
		}
		if mac, ok := b.Records[2].MAC(); !ok || mac != (link.MacAddr{2, 0, 0, 0, 0, 1}) || b.Records[2].Addr().IsValid() {
			t.Errorf("names are %+v", b)
		}
		if got := pcap.NewNameRecord(netip.MustParseAddr("10.0.0.1"), "h.test", "h"); !cmp.Equal(got, b.Records[0]) {
			t.Errorf("NewNameRecord = %q, want %q", got.Value, b.Records[0].Value)
		}
		if b.Options.Text(pcap.OptNameServer) != "ns.test" {
			t.Errorf("names are %+v", b)
		}
	case *pcap.SimplePacket:
		if b.WireLen != 60 || len(b.Data) != 50 {
			t.Errorf("simple packet has %d of %d bytes, want 50 of 60", len(b.Data), b.WireLen)
		}
	case *pcap.ObsoletePacket:
		flags, _ := b.Options.Flags()
		if b.Drops != 5 || b.Timestamp != microTS || len(b.Data) != 49 || flags != 1 {
			t.Errorf("obsolete packet is %+v", b)
		}
	case *pcap.InterfaceStatistics:
		var got []uint64
		for _, get := range []func() (uint64, bool){b.Start, b.End, b.Received, b.Dropped, b.FilterAccepted, b.OSDropped, b.Delivered} {
			v, ok := get()
			if !ok {
				t.Error("a counter is missing")
			}
			got = append(got, v)
		}
		if want := []uint64{1<<32 | 2, 3<<32 | 4, 40, 50, 60, 70, 80}; !slices.Equal(got, want) || b.Timestamp != microTS {
			t.Errorf("statistics are %d, want %d", got, want)
		}
		if start := pcap.TimestampOption(pcap.OptStatsStart, 1<<32|2); !cmp.Equal(start, b.Options[0]) {
			t.Errorf("TimestampOption = %v, want %v", start, b.Options[0])
		}
	case *pcap.CustomBlock:
		if b.Enterprise != 32473 || b.NoCopy != (b.Type() == pcap.BlockCustomNoCopy) {
			t.Errorf("custom block is %+v", b)
		}
	}
}

// TestWithBlocks checks that a Reader hands over all that is no packet.
func TestWithBlocks(t *testing.T) {
	var types []pcap.BlockType
	frames, err := readAll(bytes.NewReader(blockFile(be)), pcap.WithBlocks(func(b pcap.Block) error {
		types = append(types, b.Type())
		return nil
	}))
	if err != nil || len(frames) != 4 {
		t.Fatal(len(frames), err)
	}
	want := []pcap.BlockType{0x0a0d0d0a, 10, 1, 4, 5, 9, 0x0bad, 0x40000bad, 0x77777777, 1, 4}
	if !slices.Equal(types, want) {
		t.Errorf("types are %v, want %v", types, want)
	}

	stop := errors.New("stop")
	_, err = readAll(bytes.NewReader(blockFile(le)), pcap.WithBlocks(func(b pcap.Block) error {
		if b.Type() == pcap.BlockCustom {
			return stop
		}
		return nil
	}))
	if err != stop {
		t.Errorf("error is %v, want that of the function", err)
	}
}

// TestForeignBlocks looks at what editcap put into ntp.pcapng.
func TestForeignBlocks(t *testing.T) {
	r, err := pcap.Open(filepath.Join("testdata", "ntp.pcapng"), pcap.WithBlocks(func(b pcap.Block) error {
		if d, ok := b.(*pcap.DecryptionSecrets); ok && string(d.Data) != "CLIENT_RANDOM 00 11\n" {
			t.Errorf("secrets are %q", d.Data)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s, _ := r.Section(); !slices.Contains(s.Comments(), "a capture comment") {
		t.Errorf("section comments are %q", s.Comments())
	}
	want := map[int]string{0: "first comment", 2: "grüße"}
	var f link.Frame
	for i := 0; ; i++ {
		err := r.Next(&f)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		o, err := r.PacketOptions()
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if c := o.Comments(); len(c) > 0 {
			got = c[0]
		}
		if got != want[i] {
			t.Errorf("comment of frame %d is %q, want %q", i, got, want[i])
		}
	}
}

// TestBlockReaderGoesOn checks that a block bad inside does not end the reading.
func TestBlockReaderGoesOn(t *testing.T) {
	bad := blk(le, 10, le.AppendUint32(le.AppendUint32(nil, 1), 5000))
	r, err := pcap.NewBlockReader(bytes.NewReader(join(shb(le), bad, idb(le, 1, 0))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, pcap.ErrMalformed) || !bytes.Equal(r.Raw(), bad) {
		t.Errorf("bad block: %v, raw % x", err, r.Raw())
	}
	if b, err := r.Next(); err != nil || b.Type() != pcap.BlockInterfaceDescription {
		t.Errorf("next block: %v, %v", b, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

func TestBlockWriterRefuses(t *testing.T) {
	d := frameData()
	good := []pcap.Block{&pcap.SectionHeader{}, &pcap.InterfaceDescription{SnapLen: 50}}
	for name, blocks := range map[string][]pcap.Block{
		"no section":        {&pcap.InterfaceDescription{}},
		"no interface":      {good[0], &pcap.EnhancedPacket{Data: d[0], WireLen: 60}},
		"other interface":   {good[0], good[1], &pcap.ObsoletePacket{Interface: 1, Data: d[0], WireLen: 60}},
		"statistics":        {good[0], good[1], &pcap.InterfaceStatistics{Interface: 1}},
		"old interface":     {good[0], good[1], good[0], &pcap.EnhancedPacket{Data: d[0], WireLen: 60}},
		"version":           {&pcap.SectionHeader{Major: 2}},
		"simple packet":     {good[0], good[1], &pcap.SimplePacket{Data: d[0], WireLen: 60}},
		"option too long":   {&pcap.SectionHeader{Options: pcap.Options{{Code: 1, Value: make([]byte, 65536)}}}},
		"end among options": {&pcap.SectionHeader{Options: pcap.Options{{Code: 0}}}},
		"name too long":     {good[0], &pcap.NameResolution{Records: []pcap.NameRecord{{Type: 1, Value: make([]byte, 65536)}}}},
		"known as unknown":  {good[0], &pcap.UnknownBlock{Code: pcap.BlockEnhancedPacket}},
		"block too long":    {good[0], &pcap.UnknownBlock{Code: 99, Body: make([]byte, 129<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			w := pcap.NewBlockWriter(io.Discard)
			for _, b := range blocks[:len(blocks)-1] {
				if err := w.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			before := w.Bytes()
			if err := w.Write(blocks[len(blocks)-1]); !errors.Is(err, pcap.ErrInvalidFrame) {
				t.Errorf("error is %v, want ErrInvalidFrame", err)
			}
			if w.Bytes() != before {
				t.Errorf("%d bytes were written", w.Bytes()-before)
			}
		})
	}
}
