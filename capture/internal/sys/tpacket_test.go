package sys

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

// kernelBlock returns a block that Linux 6.18 filled on a little-endian
// machine, in the byte order of this one. It was captured on one end of a veth
// pair, with a filter that keeps 100 bytes: a tagged frame from the peer, and
// an ARP and an ICMP echo exchange.
func kernelBlock(tb testing.TB) []byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/block.hex")
	if err != nil {
		tb.Fatal(err)
	}
	var b []byte
	for line := range strings.Lines(string(text)) {
		// As hexdump -C writes it: the offset, 16 bytes, the characters.
		digits, _, _ := strings.Cut(line[10:], "|")
		row, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(digits), " ", ""))
		if err != nil {
			tb.Fatal(err)
		}
		b = append(b, row...)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		swap(b)
	}
	return b
}

// swap changes the byte order of every field of a little-endian block.
func swap(b []byte) {
	next := binary.LittleEndian.Uint32(b[blockOffFirst:])
	field := func(off, size int) { slices.Reverse(b[off : off+size]) }
	for _, off := range []int{0, 4, blockOffStatus, blockOffPackets, blockOffFirst, blockOffLen, 32, 36, 40, 44} {
		field(off, 4)
	}
	field(24, 8)
	for at := 0; next != 0; {
		at += int(next)
		next = binary.LittleEndian.Uint32(b[at+packetOffNext:])
		for _, off := range []int{0, 4, 8, 12, 16, 20, 28, 32, packetOffIfindex} {
			field(at+off, 4)
		}
		for _, off := range []int{24, 26, 36, 48, 56} {
			field(at+off, 2)
		}
	}
}

func TestCursorKernelBlock(t *testing.T) {
	const second = 0x6b06f9a6
	out := link.Info{Interface: 2, Direction: link.DirectionOut, TimeSource: link.TimeSoftware, Flags: link.InfoHash}
	in := out
	in.Direction = link.DirectionIn
	info := func(i link.Info, nsec int64, hash uint32, wire int) link.Info {
		i.Time, i.Hash, i.WireLen = time.Unix(second, nsec), hash, wire
		return i
	}
	tagged := info(in, 0x2b39c116, 0xb4d8d295, 214)
	tagged.Flags |= link.InfoVLAN
	tagged.VLANTCI, tagged.VLANTPID = 0x6064, 0x88a8
	arpAsk := info(out, 0x2b5fa15d, 0x9f78bb6c, 42)
	arpAsk.Direction = link.DirectionOut
	want := []struct {
		info link.Info
		at   int // of the data in the block
		size int
	}{
		{tagged, 0x82, 100},
		{arpAsk, 0x13a, 42},
		{info(in, 0x2b600566, 0x9f78bb6c, 42), 0x1ba, 42},
		{info(out, 0x2b601122, 0x30489a30, 242), 0x23a, 100},
		{info(in, 0x2b616658, 0x30489a30, 242), 0x2f2, 100},
	}
	block := kernelBlock(t)
	var c Cursor
	if err := c.Reset(block, true); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		var f link.Frame
		f.Link = link.TypeRaw // must be left alone
		if ok, err := c.Next(&f); !ok || err != nil {
			t.Fatalf("packet %d: Next = %t, %v", i, ok, err)
		}
		if i == 0 {
			w.info.Flags |= link.InfoLossBefore
		}
		w.info.Link = link.TypeRaw
		if f.Info != w.info {
			t.Errorf("packet %d: got %+v, want %+v", i, f.Info, w.info)
		}
		if data := block[w.at : w.at+w.size]; !bytes.Equal(f.Data, data) || c.To-len(f.Data) != w.at || c.To != w.at+w.size {
			t.Errorf("packet %d: got bytes %d to %d, % x, want %d to %d, % x", i, c.To-len(f.Data), c.To, f.Data, w.at, w.at+w.size, data)
		}
		if cap(f.Data) != len(f.Data) {
			t.Errorf("packet %d: capacity %d reaches the next one", i, cap(f.Data))
		}
		if got := len(want) - i - 1; c.Left() != got {
			t.Errorf("packet %d: Left = %d, want %d", i, c.Left(), got)
		}
	}
	if ok, err := c.Next(new(link.Frame)); ok || err != nil {
		t.Errorf("Next at the end = %t, %v", ok, err)
	}
}

// TestCursorPrefix cuts the block everywhere: packets that are whole come out,
// the rest is an error.
func TestCursorPrefix(t *testing.T) {
	block := kernelBlock(t)
	ends := []int{0x82 + 100, 0x13a + 42, 0x1ba + 42, 0x23a + 100, 0x2f2 + 100}
	for n := range len(block) {
		frames, err := walk(t, block[:n])
		if n >= ends[len(ends)-1] {
			if frames != len(ends) || err != nil {
				t.Errorf("%d bytes: %d packets, %v", n, frames, err)
			}
			continue
		}
		if _, ok := errors.AsType[*BlockError](err); !ok {
			t.Errorf("%d bytes: %d packets, %v, want a BlockError", n, frames, err)
		}
		if frames > 0 && n < ends[frames-1] {
			t.Errorf("%d bytes: %d packets, and the last ends at %d", n, frames, ends[frames-1])
		}
	}
}

// walk walks a block, checks what must hold for any content, and returns the
// number of packets and the error that ended the walk.
func walk(t *testing.T, block []byte) (frames int, err error) {
	t.Helper()
	// No room behind, so that reading too far fails.
	block = slices.Clip(bytes.Clone(block))
	var c Cursor
	if err := c.Reset(block, true); err != nil {
		if c.Left() != 0 {
			t.Fatalf("%d packets left after %v", c.Left(), err)
		}
		return 0, err
	}
	most := c.Left()
	batches, batched := walkBatches(t, block)
	for {
		var f link.Frame
		ok, err := c.Next(&f)
		if err != nil || !ok {
			if c.Left() != 0 {
				t.Fatalf("%d packets left after %v", c.Left(), err)
			}
			if len(batches) != frames || fmt.Sprint(batched) != fmt.Sprint(err) {
				t.Fatalf("one by one there are %d packets and %v, in batches %d and %v", frames, err, len(batches), batched)
			}
			return frames, err
		}
		if lossy := f.Flags.Has(link.InfoLossBefore); lossy != (frames == 0) {
			t.Fatalf("packet %d: lost ones before it: %v", frames, lossy)
		}
		if frames < len(batches) && (f.Info != batches[frames].Info || !bytes.Equal(f.Data, batches[frames].Data)) {
			t.Fatalf("packet %d is %+v, in a batch %+v", frames, f, batches[frames])
		}
		frames++
		if frames > most {
			t.Fatalf("more than the %d packets that the header says", most)
		}
		if f.WireLen < len(f.Data) {
			t.Fatalf("wire length %d of %d bytes", f.WireLen, len(f.Data))
		}
		if from := c.To - len(f.Data); from < BlockHeaderLen || c.To > len(block) || !bytes.Equal(block[from:c.To], f.Data) {
			t.Fatalf("data from %d to %d of %d", from, c.To, len(block))
		}
	}
}

// walkBatches returns the frames of a block that are read three at a time, and
// the error that ended the walk.
func walkBatches(t *testing.T, block []byte) (all []link.Frame, err error) {
	t.Helper()
	var c Cursor
	if err := c.Reset(block, true); err != nil {
		return nil, err
	}
	for {
		var frames [3]link.Frame
		left := c.Left()
		n, err := c.NextBatch(frames[:])
		all = append(all, frames[:n]...)
		switch {
		case err != nil:
			if c.Left() != 0 {
				t.Fatalf("%d packets left after %v", c.Left(), err)
			}
			return all, err
		case n != min(left, len(frames)) || c.Left() != left-n:
			t.Fatalf("%d of %d packets, and %d are left", n, left, c.Left())
		case n == 0:
			return all, nil
		}
	}
}

func TestCursorDamaged(t *testing.T) {
	const first = BlockHeaderLen // of the first packet
	put32 := func(off int, v uint32) func([]byte) {
		return func(b []byte) { binary.NativeEndian.PutUint32(b[off:], v) }
	}
	put16 := func(off int, v uint16) func([]byte) {
		return func(b []byte) { binary.NativeEndian.PutUint16(b[off:], v) }
	}
	for _, c := range []struct {
		name   string
		damage func([]byte)
		field  string
		frames int // before the error
	}{
		{"no packets", put32(blockOffPackets, 0), "", 0},
		{"one packet fewer", put32(blockOffPackets, 4), "", 4},
		{"one packet more", put32(blockOffPackets, 6), "tp_next_offset", 5},
		{"more packets than fit", put32(blockOffPackets, 100), "num_pkts", 0},
		{"2^32-1 packets", put32(blockOffPackets, 1<<32-1), "num_pkts", 0},
		{"first in the header", put32(blockOffFirst, BlockHeaderLen-1), "offset_to_first_pkt", 0},
		{"first behind the end", put32(blockOffFirst, 1<<16), "offset_to_first_pkt", 0},
		{"first at 2^32-1", put32(blockOffFirst, 1<<32-1), "offset_to_first_pkt", 0},
		{"snaplen behind the end", put32(first+packetOffSnapLen, 1<<16), "tp_snaplen", 0},
		{"snaplen 2^32-1", put32(first+packetOffSnapLen, 1<<32-1), "tp_snaplen", 0},
		{"len below snaplen", put32(first+packetOffLen, 99), "tp_len", 0},
		{"len 2^32-1", put32(first+packetOffLen, 1<<32-1), "tp_len", 0},
		{"mac in the header", put16(first+packetOffMac, PacketHeaderLen-1), "tp_mac", 0},
		{"mac behind the end", put16(first+packetOffMac, 1<<16-1), "tp_mac", 0},
		{"next is itself", put32(first+packetOffNext, 0), "tp_next_offset", 1},
		{"next in its header", put32(first+packetOffNext, 64), "tp_next_offset", 1},
		{"next behind the end", put32(first+packetOffNext, 1<<16), "tp_next_offset", 1},
		{"next at 2^32-16", put32(first+packetOffNext, 1<<32-16), "tp_next_offset", 1},
	} {
		b := kernelBlock(t)
		c.damage(b)
		frames, err := walk(t, b)
		e, ok := errors.AsType[*BlockError](err)
		if frames != c.frames || ok != (c.field != "") || ok && e.Field != c.field {
			t.Errorf("%s: %d packets, %v, want %d and %q", c.name, frames, err, c.frames, c.field)
		}
	}
}

func TestCursorStatus(t *testing.T) {
	for _, c := range []struct {
		status uint32
		tpid   uint16
		want   link.Info
	}{
		{1, 0, link.Info{TimeSource: link.TimeSoftware}},
		{1 | 1<<29, 0, link.Info{TimeSource: link.TimeSoftware}},                                             // TS_SOFTWARE
		{1 | 1<<30, 0, link.Info{TimeSource: link.TimeHardwareSynced}},                                       // TS_SYS_HARDWARE
		{1 | 1<<31, 0, link.Info{TimeSource: link.TimeHardware}},                                             // TS_RAW_HARDWARE
		{1 | 1<<3, 0, link.Info{TimeSource: link.TimeSoftware, Checksum: link.ChecksumPartial}},              // CSUMNOTREADY
		{1 | 1<<7, 0, link.Info{TimeSource: link.TimeSoftware, Checksum: link.ChecksumValid}},                // CSUM_VALID
		{1, 0x88a8, link.Info{TimeSource: link.TimeSoftware}},                                                // not said to be valid
		{1 | 1<<4, 0, link.Info{TimeSource: link.TimeSoftware, Flags: link.InfoVLAN, VLANTPID: 0x8100}},      // Linux before 3.14
		{1 | 5<<4, 0x9100, link.Info{TimeSource: link.TimeSoftware, Flags: link.InfoVLAN, VLANTPID: 0x9100}}, // VLAN and TPID
	} {
		b := kernelBlock(t)[:BlockHeaderLen+0xb8]
		binary.NativeEndian.PutUint32(b[blockOffPackets:], 1)
		p := b[BlockHeaderLen:]
		binary.NativeEndian.PutUint32(p[packetOffStatus:], c.status)
		binary.NativeEndian.PutUint32(p[packetOffHash:], 0)
		binary.NativeEndian.PutUint32(p[packetOffTCI:], 0)
		binary.NativeEndian.PutUint16(p[packetOffTPID:], c.tpid)
		var cur Cursor
		if err := cur.Reset(b, false); err != nil {
			t.Fatal(err)
		}
		f := link.Frame{Info: link.Info{Flags: 0xff, VLANTCI: 1, VLANTPID: 1, Hash: 1}} // of an earlier frame
		if ok, err := cur.Next(&f); !ok || err != nil {
			t.Fatal(ok, err)
		}
		f.Time, f.WireLen, f.Interface, f.Direction = time.Time{}, 0, 0, 0
		if f.Info != c.want {
			t.Errorf("status %#x: got %+v, want %+v", c.status, f.Info, c.want)
		}
	}
}

func TestDirection(t *testing.T) {
	want := []link.Direction{
		link.DirectionIn, link.DirectionBroadcast, link.DirectionMulticast, link.DirectionOther, link.DirectionOut,
		link.DirectionUnknown, link.DirectionUnknown, // PACKET_LOOPBACK, PACKET_USER
	}
	for typ, w := range want {
		if got := direction(byte(typ)); got != w {
			t.Errorf("direction(%d) = %v, want %v", typ, got, w)
		}
	}
}

func TestCursorNoAllocs(t *testing.T) {
	block := kernelBlock(t)
	var c Cursor
	var f link.Frame
	if got := testing.AllocsPerRun(100, func() {
		if err := c.Reset(block, false); err != nil {
			t.Fatal(err)
		}
		for {
			if ok, err := c.Next(&f); err != nil {
				t.Fatal(err)
			} else if !ok {
				return
			}
		}
	}); got != 0 {
		t.Errorf("walking a block allocates %v times, want 0", got)
	}
}

func FuzzCursor(f *testing.F) {
	block := kernelBlock(f)
	f.Add(block)
	f.Add(block[:BlockHeaderLen])
	f.Add(block[:len(block)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := walk(t, b)
		if _, ok := errors.AsType[*BlockError](err); err != nil && !ok {
			t.Errorf("error %v, want a BlockError", err)
		}
	})
}

// fullBlock returns a block of so many frames of 60 bytes, as the kernel lays
// them out.
func fullBlock(frames int) []byte {
	const mac, size, step = 82, 60, 144
	b := make([]byte, BlockHeaderLen+frames*step)
	binary.NativeEndian.PutUint32(b[blockOffPackets:], uint32(frames))
	binary.NativeEndian.PutUint32(b[blockOffFirst:], BlockHeaderLen)
	for i := range frames {
		h := b[BlockHeaderLen+i*step:]
		if i < frames-1 {
			binary.NativeEndian.PutUint32(h[packetOffNext:], step)
		}
		binary.NativeEndian.PutUint32(h[packetOffSec:], 1)
		binary.NativeEndian.PutUint32(h[packetOffNsec:], uint32(i))
		binary.NativeEndian.PutUint32(h[packetOffSnapLen:], size)
		binary.NativeEndian.PutUint32(h[packetOffLen:], size)
		binary.NativeEndian.PutUint32(h[packetOffStatus:], 1)
		binary.NativeEndian.PutUint16(h[packetOffMac:], mac)
		binary.NativeEndian.PutUint32(h[packetOffIfindex:], 2)
	}
	return b
}

// BenchmarkCursor walks a block that is in the processor's cache.
func BenchmarkCursor(b *testing.B) {
	const frames = 200
	block := fullBlock(frames)
	var c Cursor
	walk := func(b *testing.B, all func() (int, error)) {
		for b.Loop() {
			if err := c.Reset(block, false); err != nil {
				b.Fatal(err)
			}
			if n, err := all(); n != frames || err != nil {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
	}
	b.Run("Next", func(b *testing.B) {
		var f link.Frame
		walk(b, func() (n int, err error) {
			for {
				ok, err := c.Next(&f)
				if !ok {
					return n, err
				}
				n++
			}
		})
	})
	b.Run("NextBatch", func(b *testing.B) {
		into := make([]link.Frame, 64)
		walk(b, func() (n int, err error) {
			for {
				m, err := c.NextBatch(into)
				if m == 0 {
					return n, err
				}
				n += m
			}
		})
	})
}
