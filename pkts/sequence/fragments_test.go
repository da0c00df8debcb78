package sequence

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/pkts"
)

var fragStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// frag is a fragment to be built. The zero value, with a payload, is a whole
// datagram of UDP.
type frag struct {
	src, dst byte // last bytes of the addresses
	id       uint32
	proto    pkts.IPProto // 0 is UDP
	off      int          // bytes
	more     bool
	options  []byte // of IPv4; extension headers in front of the fragment header, which begin with what announces them
	data     []byte
}

func (f frag) upper() byte {
	if f.proto == 0 {
		return byte(pkts.IPProtoUDP)
	}
	return byte(f.proto)
}

// v4 builds it as RFC 791 has it.
func (f frag) v4() []byte {
	n := 20 + len(f.options)
	b := make([]byte, n, n+len(f.data))
	b[0] = 0x40 | byte(n/4)
	binary.BigEndian.PutUint16(b[2:], uint16(n+len(f.data)))
	binary.BigEndian.PutUint16(b[4:], uint16(f.id))
	flags := uint16(f.off / 8)
	if f.more {
		flags |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], flags)
	b[8], b[9] = 64, f.upper()
	copy(b[12:], []byte{192, 0, 2, f.src, 198, 51, 100, f.dst})
	copy(b[20:], f.options)
	binary.BigEndian.PutUint16(b[10:], checksum.Internet(b, 0))
	return append(b, f.data...)
}

// v6 builds it as RFC 8200 has it, always with a fragment header.
func (f frag) v6() []byte {
	b := make([]byte, 40)
	b[0], b[6], b[7] = 0x60, 44, 64
	if f.options != nil {
		b[6] = f.options[0]
		b = append(b, f.options[1:]...)
	}
	copy(b[8:], []byte{0x20, 1, 0xd, 0xb8, 15: f.src})
	copy(b[24:], []byte{0x20, 1, 0xd, 0xb8, 15: f.dst})
	off := uint16(f.off)
	if f.more {
		off |= 1
	}
	b = append(b, f.upper(), 0)
	b = binary.BigEndian.AppendUint16(b, off)
	b = binary.BigEndian.AppendUint32(b, f.id)
	b = append(b, f.data...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

func (f frag) build(v6 bool) []byte {
	if v6 {
		return f.v6()
	}
	return f.v4()
}

// feeder puts packets, numbers them, and takes back their memory.
type feeder struct {
	t testing.TB
	*Fragments
	n    uint64
	time time.Time
	out  [][]byte // copies of what came out
	errs []error
	last Datagram
}

func feed(t testing.TB, f *Fragments, packets ...[]byte) *feeder {
	x := &feeder{t: t, Fragments: f, time: fragStart}
	x.put(packets...)
	return x
}

func (x *feeder) put(packets ...[]byte) {
	x.t.Helper()
	for _, p := range packets {
		x.n++
		b := bytes.Clone(p)
		d, ok, err := x.PutGet(Datagram{Data: b, Seen: Seen{x.n, x.time}})
		x.errs = append(x.errs, err)
		for ; ok; d, ok = x.Get() {
			x.last = d
			x.out = append(x.out, bytes.Clone(d.Data))
		}
		// It is ours again: whoever kept it gets this.
		for i := range b {
			b[i] = 0xee
		}
		conserved(x.t, x.Fragments)
	}
}

// conserved checks that every byte is accounted for, and that the memory is
// what it is said to be.
func conserved(t testing.TB, f *Fragments) {
	t.Helper()
	s := f.Stats()
	var sum uint64
	for _, c := range []FragmentCount{s.Out, s.Opened, s.Unreadable, s.Truncated, s.Malformed, s.TooLong, s.Overlap, s.Limit, s.Refused,
		s.Duplicate, {Bytes: s.Overlapped}, s.Expired, s.Evicted, s.Rejected, s.Flushed, s.Waiting, s.Ready} {
		sum += c.Bytes
	}
	if s.In.Bytes != sum {
		t.Fatalf("%d bytes came in, %d are accounted for: %+v", s.In.Bytes, sum, s)
	}
	if f.started && s.Memory > f.lim.Bytes {
		t.Fatalf("%d bytes of memory, the limit is %d", s.Memory, f.lim.Bytes)
	}
	if n := f.waiting[0].len() + f.waiting[1].len(); f.started && n > max(0, f.lim.Flows) {
		t.Fatalf("%d flows, the limit is %d", n, f.lim.Flows)
	}
}

// memory adds up what f holds.
func memory(f *Fragments) (n int64) {
	list := func(b *fragBuf) {
		for ; b != nil; b = b.next {
			n += b.size()
		}
	}
	for _, b := range f.free {
		list(b)
	}
	list(f.lent)
	for _, r := range f.ready[f.readyHead:] {
		n += r.buf.size()
	}
	for v := range f.waiting {
		t := &f.waiting[v]
		for i := t.oldest; i != 0; i = t.at(i).next {
			n += fragSlotSize
			if b := t.at(i).value.buf; b != nil {
				n += b.size()
			}
		}
	}
	return n
}

func (x *feeder) wantErr(want ...error) {
	x.t.Helper()
	for i, w := range want {
		got := x.errs[len(x.errs)-len(want)+i]
		if !errors.Is(got, w) || (got == nil) != (w == nil) {
			x.t.Errorf("packet %d: error %v, want %v", i+1, got, w)
		}
		if got == nil {
			continue
		}
		var e *Error
		if !errors.As(got, &e) || e.Packet != x.n-uint64(len(want)-1-i) || !strings.HasPrefix(e.Layer, "IP") {
			x.t.Errorf("error %#v does not say where", got)
		}
	}
}

func (x *feeder) want(packets ...[]byte) {
	x.t.Helper()
	if !slices.EqualFunc(packets, x.out, bytes.Equal) { // cmp takes its time
		x.t.Errorf("datagrams (want -, got +):\n%s", cmp.Diff(packets, x.out))
	}
	if m := memory(x.Fragments); m != x.Stats().Memory {
		x.t.Errorf("takes %d bytes, says %d", m, x.Stats().Memory)
	}
	x.out = nil
}

func seq(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

// cut returns the fragments of a datagram with a payload, of size bytes each.
func cut(f frag, size int) (fs []frag) {
	all := f.data
	for off := 0; off < len(all); off += size {
		f.off, f.data = off, all[off:min(len(all), off+size)]
		f.more = off+size < len(all)
		fs = append(fs, f)
	}
	return fs
}

func builds(fs []frag, v6 bool) (bs [][]byte) {
	for _, f := range fs {
		bs = append(bs, f.build(v6))
	}
	return bs
}

// whole4 and whole6 are the datagram that was never cut.
func whole4(f frag) []byte {
	f.off, f.more = 0, false
	return f.v4()
}

func whole6(f frag) []byte {
	f.off, f.more = 0, false
	b := f.v6()
	n := 40
	if f.options != nil {
		n += len(f.options) - 1
		b[40] = f.upper() // of one extension header
	} else {
		b[6] = f.upper()
	}
	b = append(b[:n:n], b[n+8:]...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The fragments, and the datagram that they were, are scapy's (fragment and
// fragment6 of 2.5).
var (
	goldenFrags4 = []string{
		// 18 words, 56 bytes, id 0x1234, MF, TTL 64, UDP, checksum, addresses, router alert, record route, end of options
		"48000038 1234 2000 40 11 ba3e c0000201 c6336402 94040000 07070400000000 00" + "03e807d00038dd4c000102030405060708090a0b0c0d0e0f",
		// MF, at byte 24
		"48000038 1234 2003 40 11 ba3b c0000201 c6336402 94040000 07070400000000 00" + "101112131415161718191a1b1c1d1e1f2021222324252627",
		// the end, at byte 48
		"48000028 1234 0006 40 11 da48 c0000201 c6336402 94040000 07070400000000 00" + "28292a2b2c2d2e2f",
	}
	goldenWhole4 = "48000058 1234 0000 40 11 da1e c0000201 c6336402 94040000 07070400000000 00" +
		"03e807d00038dd4c000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
)

func TestFragmentsGolden(t *testing.T) {
	var fs [][]byte
	for _, s := range goldenFrags4 {
		fs = append(fs, unhex(t, s))
	}
	whole := unhex(t, goldenWhole4)
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		x := feed(t, new(Fragments))
		for _, i := range order {
			x.put(fs[i])
		}
		x.want(whole)
		x.wantErr(nil, nil, nil)
		if x.last.Packet != 3 || !x.last.Time.Equal(fragStart) {
			t.Errorf("completed by %+v, want packet 3", x.last.Seen)
		}
		s := x.Stats()
		if s.Fragments != 3 || s.Reassembled != 1 || s.Out != (FragmentCount{1, 56}) || s.Waiting != (FragmentCount{}) {
			t.Errorf("%+v", s)
		}
	}
}

// IPv6 with a hop-by-hop header, which every fragment has, and a destination
// options header, which is cut. Scapy's fragment6.
func TestFragmentsGolden6(t *testing.T) {
	const (
		addrs = "20010db8000000000000000000000001 20010db8000000000000000000000002"
		hop   = "000502000001 00" // next header in front: router alert, padding
	)
	payload := seq(1392)
	copy(payload, unhex(t, "1100 0104 00000000"+"03e8 07d0 0580 c741")) // destination options, UDP
	frags := [][]byte{
		slices.Concat(unhex(t, "60000000 0230 00 40"+addrs+"2c"+hop[:2]+hop[2:]+"3c00 0001 deadbeef"), payload[:544]),
		slices.Concat(unhex(t, "60000000 0230 00 40"+addrs+"2c"+hop+"3c00 0221 deadbeef"), payload[544:1088]),
		slices.Concat(unhex(t, "60000000 0140 00 40"+addrs+"2c"+hop+"3c00 0440 deadbeef"), payload[1088:]),
	}
	for i, n := range []int{0x230, 0x230, 0x140} {
		if len(frags[i]) != 40+n {
			t.Fatalf("fragment %d is %d bytes", i, len(frags[i]))
		}
	}
	whole := slices.Concat(unhex(t, "60000000 0578 00 40"+addrs+"3c"+hop), payload)
	x := feed(t, new(Fragments), frags[1], frags[2], frags[0])
	x.want(whole)
	x.wantErr(nil, nil, nil)
}

func TestFragmentsWholePasses(t *testing.T) {
	f := new(Fragments)
	b := whole4(frag{data: seq(30)})
	padded := append(bytes.Clone(b), 0, 0, 0, 0)
	d, ok, err := f.PutGet(Datagram{Data: padded, Seen: Seen{7, fragStart}, Tunnel: 3})
	if !ok || err != nil || !bytes.Equal(d.Data, b) || &d.Data[0] != &padded[0] || d.Packet != 7 || d.Tunnel != 3 {
		t.Errorf("%v %v %v", d, ok, err)
	}
	// An atomic fragment is none, RFC 6946.
	atomic := frag{id: 5, data: seq(30)}.v6()
	if d, ok, err = f.PutGet(Datagram{Data: atomic}); !ok || err != nil || &d.Data[0] != &atomic[0] || len(d.Data) != len(atomic) {
		t.Errorf("%v %v %v", d, ok, err)
	}
	// A cut one is as it is.
	if d, ok, err = f.PutGet(Datagram{Data: b[:25]}); !ok || err != nil || len(d.Data) != 25 {
		t.Errorf("%v %v %v", d, ok, err)
	}
	conserved(t, f)
	if n := testing.AllocsPerRun(100, func() { f.PutGet(Datagram{Data: b}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	x := feed(t, f, nil, []byte{0x45}, []byte{0x10, 1, 2}, atomic[:30])
	x.wantErr(ErrTruncated, ErrTruncated, ErrMalformed, ErrTruncated)
	if s := f.Stats(); s.Unreadable != (FragmentCount{4, 34}) {
		t.Errorf("%+v", s.Unreadable)
	}
}

// What has waited longer comes out first, whatever is called.
func TestFragmentsAnyMixture(t *testing.T) {
	var packets, want [][]byte
	for i := range 60 {
		f := frag{id: uint32(i), data: seq(40 + i)}
		if i%3 == 0 {
			packets = append(packets, whole4(f))
		} else {
			packets = append(packets, builds(cut(f, 24), false)...)
		}
		want = append(want, whole4(f))
	}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		f := new(Fragments)
		var got [][]byte
		get := func(d Datagram, ok bool) {
			if ok {
				got = append(got, bytes.Clone(d.Data))
			}
		}
		for _, p := range packets {
			b := bytes.Clone(p)
			if rng.IntN(2) == 0 {
				if err := f.Put(Datagram{Data: b}); err != nil {
					t.Fatal(err)
				}
				clear(b)
			} else {
				d, ok, err := f.PutGet(Datagram{Data: b})
				if err != nil {
					t.Fatal(err)
				}
				get(d, ok)
				clear(b)
			}
			for rng.IntN(3) == 0 {
				get(f.Get())
			}
			conserved(t, f)
		}
		f.Flush()
		for d, ok := f.Get(); ok; d, ok = f.Get() {
			get(d, ok)
		}
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatal(cmp.Diff(want, got))
		}
		if m := memory(f); m != f.Stats().Memory {
			t.Fatalf("takes %d bytes, says %d", m, f.Stats().Memory)
		}
	}
}

// What other libraries get wrong.
func TestFragmentsDefectsOfOthers(t *testing.T) {
	t.Run("a header with options", func(t *testing.T) { // gopacket/ip4defrag: 20 bytes are hard-coded
		f := frag{options: []byte{7, 7, 4, 0, 0, 0, 0, 0}, data: seq(100)}
		fs := cut(f, 40)
		fs[1].options, fs[2].options = nil, nil // record route is not copied, RFC 791
		x := feed(t, new(Fragments), builds(fs, false)...)
		x.want(whole4(f))
		// And the other way round they are not those of the datagram.
		fs[0].options, fs[1].options = nil, f.options
		f.options = nil
		x.put(builds(fs, false)...)
		x.want(whole4(f))
	})
	t.Run("the protocol is part of the key", func(t *testing.T) { // gopacket/ip4defrag
		a, b := frag{data: seq(32)}, frag{proto: pkts.IPProtoICMPv4, data: seq(48)[8:]}
		as, bs := builds(cut(a, 16), false), builds(cut(b, 16), false)
		x := feed(t, new(Fragments), as[0], bs[0], bs[1], as[1], bs[2])
		x.want(whole4(a), whole4(b))
	})
	t.Run("hosts are part of the key", func(t *testing.T) { // gopacket/ip6defrag, pkts of Rust: the identification alone
		for _, v6 := range []bool{false, true} {
			a, b, c := frag{src: 1, id: 9, data: seq(32)}, frag{src: 2, id: 9, data: seq(48)[16:]}, frag{src: 1, dst: 1, id: 9, data: seq(50)[18:]}
			as, bs, cs := builds(cut(a, 16), v6), builds(cut(b, 16), v6), builds(cut(c, 16), v6)
			x := feed(t, new(Fragments), as[0], bs[0], cs[0], cs[1], bs[1], as[1])
			if v6 {
				x.want(whole6(c), whole6(b), whole6(a))
			} else {
				x.want(whole4(c), whole4(b), whole4(a))
			}
		}
	})
	t.Run("tunnels are part of the key", func(t *testing.T) {
		f := new(Fragments)
		fs := builds(cut(frag{data: seq(32)}, 16), false)
		for i, p := range fs {
			if _, ok, _ := f.PutGet(Datagram{Data: p, Tunnel: uint64(i)}); ok {
				t.Error("mixed")
			}
		}
		if d, ok, _ := f.PutGet(Datagram{Data: fs[0], Tunnel: 1}); !ok || d.Tunnel != 1 {
			t.Error("not put together", d)
		}
	})
	t.Run("too long", func(t *testing.T) { // gopacket/ip4defrag: compares 16 bits, which wrap
		for _, v6 := range []bool{false, true} {
			x := feed(t, new(Fragments), frag{off: 65528, data: seq(100)}.build(v6), frag{off: 65528, data: seq(8), more: true}.build(v6))
			x.wantErr(ErrTooLong, ErrTooLong)
			x.want()
		}
	})
	t.Run("ping of death", func(t *testing.T) {
		for _, v6 := range []bool{false, true} {
			fs := builds(cut(frag{data: seq(65528)}, 1480), v6)
			x := feed(t, new(Fragments), append(fs[:len(fs)-1], frag{off: 65120, data: seq(1000)}.build(v6))...)
			x.wantErr(ErrTooLong)
			x.want()
		}
	})
	t.Run("the longest", func(t *testing.T) {
		f := frag{data: seq(65515)}
		x := feed(t, new(Fragments), builds(cut(f, 1480), false)...)
		x.want(whole4(f))
		f = frag{data: seq(65535)}
		x = feed(t, new(Fragments), builds(cut(f, 1448), true)...)
		x.want(whole6(f))
	})
	t.Run("too long with its options", func(t *testing.T) {
		f := frag{options: []byte{1, 1, 1, 0}, data: seq(65512)}
		fs := cut(f, 1480)
		for i := range fs[1:] {
			fs[1+i].options = nil
		}
		var lost []LostDatagram
		s := &Fragments{Lost: func(l LostDatagram) { lost = append(lost, l) }}
		x := feed(t, s, builds(fs, false)...)
		x.wantErr(ErrTooLong)
		x.want()
		if lost != nil || s.Stats().TooLong.Packets != 1 {
			t.Errorf("%+v", lost)
		}
		slices.Reverse(fs)
		x = feed(t, new(Fragments), builds(fs, false)...)
		x.wantErr(ErrTooLong)
		x.want()
	})
	t.Run("overlaps end", func(t *testing.T) { // gopacket/ip4defrag: waits for ever
		f := frag{data: seq(48)}
		fs := cut(f, 16)
		fs[1] = frag{off: 8, data: f.data[8:32], more: true}
		x := feed(t, &Fragments{Policy: FragmentsFirst}, builds(fs, false)...)
		x.want(whole4(f))
		if s := x.Stats(); s.Overlapped != 8 || s.Overlapping != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("length and checksum", func(t *testing.T) { // gopacket/ip4defrag: the length lacks the header, the checksum is 0
		x := feed(t, new(Fragments), builds(cut(frag{data: seq(3000)}, 1480), false)...)
		if b := x.out[0]; int(binary.BigEndian.Uint16(b[2:])) != len(b) || !checksum.Valid(b[:20], 0) || b[6]|b[7] != 0 {
			t.Errorf("% x", b[:20])
		}
		// What was damaged stays damaged.
		fs := builds(cut(frag{data: seq(3000)}, 1480), false)
		fs[0][8]++
		x.put(fs...)
		if b := x.out[1]; checksum.Valid(b[:20], 0) {
			t.Error("a wrong checksum was made right")
		}
	})
	t.Run("the same identification again", func(t *testing.T) { // gopacket/ip6defrag: returns the one before
		for _, v6 := range []bool{false, true} {
			a, b := frag{id: 3, data: seq(32)}, frag{id: 3, data: seq(100)[60:]}
			x := feed(t, new(Fragments), append(builds(cut(a, 16), v6), builds(cut(b, 16), v6)...)...)
			if v6 {
				x.want(whole6(a), whole6(b))
			} else {
				x.want(whole4(a), whole4(b))
			}
		}
	})
	t.Run("atomic fragments", func(t *testing.T) { // gopacket/ip6defrag: swallows them; RFC 6946: they disturb nobody
		f := frag{id: 3, data: seq(32)}
		fs := builds(cut(f, 16), true)
		atomic := frag{id: 3, data: seq(9)}.v6()
		x := feed(t, new(Fragments), fs[0], atomic, fs[1])
		x.want(atomic, whole6(f))
	})
	t.Run("a last fragment of any length", func(t *testing.T) { // pkts of Rust: drops what is no multiple of 8
		for n := 1481; n < 1490; n++ {
			f := frag{data: seq(n)}
			x := feed(t, new(Fragments), builds(cut(f, 1480), false)...)
			x.want(whole4(f))
		}
	})
	t.Run("out of order", func(t *testing.T) { // pkts of Rust: panics
		f := frag{data: seq(8 * 1480)}
		fs := builds(cut(f, 1480), false)
		slices.Reverse(fs)
		x := feed(t, new(Fragments), fs...)
		x.want(whole4(f))
	})
}

func TestFragmentsEdges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frags  []frag
		policy FragmentPolicy
		errs   []error
		whole  int // bytes of what comes out, 0 for nothing
	}{
		{"no multiple of 8", []frag{{more: true, data: seq(12)}}, 0, []error{ErrMalformed}, 0},
		{"nothing in it", []frag{{more: true}, {off: 8}}, 0, []error{ErrMalformed, ErrMalformed}, 0},
		{"two ends", []frag{{off: 16, data: seq(8)}, {off: 16, data: seq(9)}, {more: true, data: seq(16)}}, 0, []error{nil, ErrMalformed, ErrOverlap}, 0},
		{"two ends, the first counts", []frag{{off: 16, data: seq(8)}, {off: 16, data: seq(9)}, {more: true, data: seq(16)}}, FragmentsFirst, []error{nil, ErrMalformed, nil}, 24},
		{"an end in front", []frag{{off: 16, more: true, data: seq(8)}, {off: 8, data: seq(8)}}, 0, []error{nil, ErrMalformed}, 0},
		{"behind the end", []frag{{off: 8, data: seq(8)}, {off: 16, more: true, data: seq(8)}}, 0, []error{nil, ErrMalformed}, 0},
		{"teardrop", []frag{{more: true, data: seq(40)}, {off: 24, data: seq(4)}}, 0, []error{nil, ErrMalformed}, 0},
		{"teardrop, longer", []frag{{more: true, data: seq(40)}, {off: 24, data: seq(24)[3:]}}, 0, []error{nil, ErrOverlap}, 0},
		{"the end as a duplicate", []frag{{off: 8, more: true, data: seq(16)[8:]}, {off: 8, data: seq(16)[8:]}, {more: true, data: seq(8)}}, 0, []error{nil, nil, nil}, 16},
		{"the end is known last", []frag{{more: true, data: seq(8)}, {off: 8, more: true, data: seq(16)[8:]}, {off: 8, data: seq(16)[8:]}}, 0, []error{nil, nil, nil}, 16},
	} {
		for _, v6 := range []bool{false, true} {
			if v6 && tt.policy != 0 {
				continue
			}
			t.Run(fmt.Sprint(tt.name, " ", v6), func(t *testing.T) {
				x := feed(t, &Fragments{Policy: tt.policy}, builds(tt.frags, v6)...)
				x.wantErr(tt.errs...)
				n := 0
				if len(x.out) == 1 {
					n = len(x.out[0]) - len(whole4(frag{}))
					if v6 {
						n = len(x.out[0]) - len(whole6(frag{}))
					}
				}
				if n != tt.whole {
					t.Errorf("%d bytes came out, want %d", n, tt.whole)
				}
			})
		}
	}

	t.Run("cut by the capture", func(t *testing.T) {
		for _, v6 := range []bool{false, true} {
			f := frag{data: seq(64)}
			fs := builds(cut(f, 32), v6)
			cutOff := fs[1][:len(fs[1])-1]
			x := feed(t, new(Fragments), fs[0], cutOff, fs[1])
			x.wantErr(nil, ErrTruncated, nil)
			if len(x.out) != 1 || x.Stats().Truncated != (FragmentCount{1, 31}) {
				t.Error(x.out, x.Stats())
			}
		}
	})
	t.Run("without a length", func(t *testing.T) {
		b := frag{more: true, data: seq(16)}.v4()
		b[2], b[3] = 0, 0
		x := feed(t, new(Fragments), b)
		x.wantErr(ErrMalformed)
		c := frag{more: true, data: seq(16), options: []byte{0, 44, 0, 1, 4, 0, 0, 0, 0}}.v6()
		c[4], c[5] = 0, 0
		x.put(c)
		x.wantErr(ErrMalformed)
	})
	t.Run("a fragment that was cut", func(t *testing.T) {
		inner := frag{id: 8, data: seq(900)}
		var all [][]byte
		for _, p := range cut(inner, 304) {
			b := p.v6() // its fragment header is what the outer one announces
			all = append(all, builds(cut(frag{id: uint32(p.off), proto: pkts.IPProtoFragment, data: b[40:]}, 104), true)...)
		}
		rand.New(rand.NewPCG(5, 5)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		x := feed(t, new(Fragments), all...)
		x.want(whole6(inner))
		if s := x.Stats(); s.Reassembled != 4 || s.Opened.Packets != 3 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("bad behind the header", func(t *testing.T) {
		f := frag{proto: pkts.IPProtoDestOpts, data: append([]byte{17, 200}, seq(30)...)}
		x := feed(t, new(Fragments), builds(cut(f, 16), true)...)
		x.want(whole6(f))
	})
	t.Run("long headers", func(t *testing.T) {
		// More than a buffer has room for, in the fragment that comes last.
		f := frag{data: seq(3000), options: append([]byte{0, 44, 255}, make([]byte, 2046)...)}
		fs := builds(cut(f, 1000), true)
		slices.Reverse(fs)
		x := feed(t, new(Fragments), fs...)
		x.want(whole6(f))
		slices.Reverse(fs)
		x.put(fs...)
		x.want(whole6(f))
	})
	t.Run("tiny", func(t *testing.T) {
		tcp := frag{proto: pkts.IPProtoTCP, data: append(seq(12), 0x50, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9)}
		for _, v6 := range []bool{false, true} {
			fs := builds(cut(tcp, 16), v6)
			x := feed(t, new(Fragments), fs...)
			if x.wantErr(nil, nil); x.Stats().Tiny != 1 || len(x.out) != 1 {
				t.Error(x.Stats(), x.out)
			}
			x = feed(t, &Fragments{RefuseTiny: true}, fs...)
			if x.wantErr(ErrMalformed, nil); x.Stats().Tiny != 1 || x.out != nil {
				t.Error(x.Stats(), x.out)
			}
			x = feed(t, new(Fragments), builds(cut(frag{data: seq(24)}, 8), v6)...)
			if x.Stats().Tiny != 0 {
				t.Error("a whole UDP header is not tiny")
			}
		}
		// RFC 7112: all of the chain is in the first fragment.
		for n, tiny := range map[int]uint64{8: 1, 16: 1, 24: 0} {
			f := frag{proto: pkts.IPProtoDestOpts, data: append([]byte{17, 1, 1, 12, 15: 0}, seq(40)...)}
			x := feed(t, new(Fragments), builds(cut(f, n), true)...)
			if x.Stats().Tiny != tiny {
				t.Errorf("%d bytes: %d tiny, want %d", n, x.Stats().Tiny, tiny)
			}
		}
	})
}

// The example of Novak and Sturges's paper, figure 4, and what each system
// makes of it. Each letter is 8 bytes. Suricata's tests of its defragmentation
// have the same; of BSD-right they have none: that is from the definition in
// the paper.
var novakSturges = []struct {
	off, n int
	name   byte
}{
	{0, 24, 'A'}, {32, 16, 'B'}, {48, 24, 'C'}, {80, 8, 'D'}, {104, 16, 'E'}, {120, 24, 'F'}, {144, 16, 'G'}, {160, 16, 'H'}, {176, 8, 'I'},
	{8, 32, 'J'}, {48, 24, 'K'}, {72, 24, 'L'}, {96, 24, 'M'}, {128, 8, 'N'}, {152, 8, 'O'}, {160, 8, 'P'}, {176, 16, 'Q'},
}

func TestFragmentsPolicies(t *testing.T) {
	for policy, want := range map[FragmentPolicy]string{
		FragmentsFirst:    "AAAJBBCCCLDLMEEFFFGGHHIQ",
		FragmentsLast:     "AJJJJBKKKLLLMMMFNFGOPHQQ",
		FragmentsBSD:      "AAAJJBCCCLLLMMMFFFGGHHIQ",
		FragmentsBSDRight: "AJJJBBKKKLDLMEEFNFGOPHQQ",
		FragmentsLinux:    "AAAJJBKKKLLLMMMFFFGGPHQQ",
		FragmentsWindows:  "AAAJBBCCCLLLMEEFFFGGHHIQ",
		FragmentsSolaris:  "AAAJBBCCCLLLMMMFFFGGHHIQ",
	} {
		t.Run(policy.String(), func(t *testing.T) {
			asked := netip.Addr{}
			// Another one for other addresses.
			x := feed(t, &Fragments{Policy: FragmentsReject, PolicyFor: func(a netip.Addr) FragmentPolicy {
				asked = a
				return policy
			}})
			for i, p := range novakSturges {
				x.put(frag{dst: 9, off: p.off, more: i < len(novakSturges)-1, data: bytes.Repeat([]byte{p.name}, p.n)}.v4())
			}
			if len(x.out) != 1 {
				t.Fatalf("%d datagrams", len(x.out))
			}
			var got []byte
			for i := 20; i < len(x.out[0]); i += 8 {
				got = append(got, x.out[0][i])
			}
			if string(got) != want {
				t.Errorf("%s, want %s", got, want)
			}
			if asked != netip.MustParseAddr("198.51.100.9") {
				t.Errorf("asked for %v", asked)
			}
			if p, ok := ParseFragmentPolicy(policy.String()); p != policy || !ok {
				t.Error("the name is not that of the policy")
			}
		})
	}
	x := feed(t, new(Fragments))
	for i, p := range novakSturges {
		x.put(frag{off: p.off, more: i < len(novakSturges)-1, data: bytes.Repeat([]byte{p.name}, p.n)}.v4())
	}
	if x.out != nil || !errors.Is(x.errs[9], ErrOverlap) || x.Stats().Rejected.Packets != 1 || x.Stats().Refused.Packets != 7 {
		t.Errorf("reject: %+v", x.Stats())
	}
	if _, ok := ParseFragmentPolicy("unknown"); ok || FragmentPolicy(99).String() != "unknown" {
		t.Error("unknown is known")
	}
}

// RFC 5722: the whole datagram, including the fragments that come later.
func TestFragmentsRejected(t *testing.T) {
	f := frag{id: 1, data: seq(48)}
	fs := cut(f, 16)
	for _, v6 := range []bool{false, true} {
		var lost []LostDatagram
		s := &Fragments{Lost: func(l LostDatagram) { lost = append(lost, l) }}
		x := feed(t, s, builds(fs[:2], v6)...)
		x.put(frag{id: 1, off: 8, more: true, data: seq(16)}.build(v6), fs[2].build(v6))
		x.put(builds(fs, v6)...)
		x.wantErr(nil, nil, ErrOverlap, ErrOverlap, ErrOverlap, ErrOverlap, ErrOverlap)
		x.want()
		st := s.Stats()
		if st.Rejected != (FragmentCount{1, 32}) || st.Overlap != (FragmentCount{1, 16}) || st.Refused != (FragmentCount{4, 64}) {
			t.Errorf("%+v", st)
		}
		want := LostDatagram{Src: netip.MustParseAddr("192.0.2.0"), Dst: netip.MustParseAddr("198.51.100.0"), ID: 1, Protocol: 17, First: Seen{1, fragStart}, Bytes: 32, Err: ErrOverlap}
		if v6 {
			want.Src, want.Dst = netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("2001:db8::")
		}
		if len(lost) != 1 || lost[0] != want {
			t.Errorf("lost %+v", lost)
		}
		// It is remembered as long as it would have waited.
		x.time = x.time.Add(61 * time.Second)
		x.put(builds(fs, v6)...)
		x.wantErr(nil, nil, nil)
		if len(x.out) != 1 || len(lost) != 1 {
			t.Error("not forgotten")
		}
	}
}

// What is there already, with the same bytes, harms nobody: all of a fragment
// in IPv6, also parts in IPv4.
func TestFragmentsDuplicates(t *testing.T) {
	f := frag{data: seq(52)}
	fs := cut(f, 16)
	other := fs[1]
	other.data = bytes.Clone(other.data)
	other.data[15]++
	part := frag{off: 8, more: true, data: f.data[8:24]}
	for _, tt := range []struct {
		name  string
		again frag
		errs  [2]error // of IPv4 and IPv6
	}{
		{"first", fs[0], [2]error{}},
		{"middle", fs[1], [2]error{}},
		{"last", fs[3], [2]error{}},
		{"other bytes", other, [2]error{ErrOverlap, ErrOverlap}},
		{"part", part, [2]error{nil, ErrOverlap}},
	} {
		for v, v6 := range []bool{false, true} {
			x := feed(t, new(Fragments), builds([]frag{fs[3], fs[0], fs[1], tt.again, fs[2]}, v6)...)
			var last error
			if tt.errs[v] != nil {
				last = ErrOverlap
			}
			x.wantErr(nil, nil, nil, tt.errs[v], last)
			if ok := len(x.out) == 1; ok != (last == nil) {
				t.Errorf("%s: %t", tt.name, ok)
			}
		}
	}
}

func TestFragmentsTime(t *testing.T) {
	for v, v6 := range []bool{false, true} {
		var lost []LostDatagram
		s := &Fragments{Lost: func(l LostDatagram) { lost = append(lost, l) }}
		f := frag{id: 1, data: seq(32)}
		fs := builds(cut(f, 16), v6)
		x := feed(t, s, fs[0])
		x.time = fragStart.Add(fragIdle(v))
		x.put(whole4(frag{data: seq(8)})) // the clock
		x.time = fragStart                // is not set back
		x.put(fs[1])
		if len(x.out) != 2 || lost != nil {
			t.Fatalf("given up early: %+v", lost)
		}
		x.put(fs[0])
		x.time = fragStart.Add(2*fragIdle(v) + 1)
		x.put(fs[1])
		if len(x.out) != 2 || len(lost) != 1 || lost[0].Err != ErrIncomplete || lost[0].Bytes != 16 || lost[0].First.Packet != 4 {
			t.Fatalf("not given up: %+v", lost)
		}
		// It began a new one.
		x.put(fs[0])
		if len(x.out) != 3 || s.Stats().Expired != (FragmentCount{1, 16}) {
			t.Errorf("%+v", s.Stats())
		}
	}
	x := feed(t, &Fragments{Limits: Limits{Idle: -1}}, frag{more: true, data: seq(8)}.v4())
	x.time = fragStart.AddDate(50, 0, 0)
	x.put(frag{off: 8, data: seq(8)}.v4())
	if len(x.out) != 1 {
		t.Error("waits not for ever")
	}
	// Times out of any range do no harm.
	x = feed(t, new(Fragments))
	for i, at := range []time.Time{{}, time.Unix(1<<40, 0), time.Unix(-1<<40, 0), {}} {
		x.time = at
		x.put(frag{id: uint32(i), more: true, data: seq(8)}.v4())
	}
	if n := x.Stats().Expired.Packets; n != 1 {
		t.Errorf("%d expired, want 1", n)
	}
}

func TestFragmentsLimits(t *testing.T) {
	t.Run("flows", func(t *testing.T) {
		var lost []uint32
		s := &Fragments{Limits: Limits{Flows: 3}, Lost: func(l LostDatagram) { lost = append(lost, l.ID) }}
		x := feed(t, s)
		for i := range 6 {
			x.put(frag{id: uint32(i), more: true, data: seq(16)}.build(i%2 == 0))
		}
		if !slices.Equal(lost, []uint32{0, 1, 2}) || s.Stats().Evicted != (FragmentCount{3, 48}) {
			t.Errorf("%v %+v", lost, s.Stats())
		}
	})
	t.Run("flow bytes", func(t *testing.T) {
		x := feed(t, &Fragments{Limits: Limits{FlowBytes: 10000}}, frag{more: true, data: seq(6000)}.v4(), frag{off: 6000, more: true, data: seq(2000)}.v4(), frag{off: 8000, data: seq(2000)}.v4(),
			frag{id: 2, off: 20000, data: seq(8)}.v4())
		x.wantErr(nil, nil, ErrLimit, ErrLimit)
		x.want()
		if n := x.Stats().Limit; n != (FragmentCount{2, 2008}) {
			t.Errorf("%+v", n)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		for _, limit := range []int64{1, 3000, 100_000, 1_000_000} {
			s := &Fragments{Limits: Limits{Bytes: limit}}
			x := feed(t, s)
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range 3000 {
				x.put(frag{id: uint32(i / 2), off: rng.IntN(8000) * 8, more: rng.IntN(2) == 0, data: seq(8 * (1 + rng.IntN(180)))}.build(i%4 < 2))
			}
			x.want(x.out...)
		}
	})
	t.Run("ready", func(t *testing.T) {
		s := &Fragments{Limits: Limits{Bytes: 10_000}}
		var n int
		var err error
		for n = range 100 {
			if err = s.Put(Datagram{Data: whole4(frag{data: seq(100)})}); err != nil {
				break
			}
			conserved(t, s)
		}
		if !errors.Is(err, ErrLimit) || n != 7 {
			t.Errorf("%d are kept, then %v", n, err)
		}
		s.Flush()
		for range n {
			if _, ok := s.Get(); !ok {
				t.Error("lost")
			}
		}
		conserved(t, s)
		// With one always waiting, the queue does not grow.
		if err := s.Put(Datagram{Data: whole4(frag{data: seq(100)})}); err != nil {
			t.Error(err)
		}
		for range 1000 {
			if _, ok, err := s.PutGet(Datagram{Data: whole4(frag{data: seq(100)})}); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if cap(s.ready) > 8 {
			t.Errorf("room for %d datagrams", cap(s.ready))
		}
	})
}

func TestFragmentsFlush(t *testing.T) {
	var lost []LostDatagram
	s := &Fragments{Lost: func(l LostDatagram) { lost = append(lost, l) }}
	f := frag{data: seq(48)}
	fs := builds(cut(f, 16), false)
	x := feed(t, s, fs[0], fs[1], frag{id: 3, more: true, data: seq(8)}.v6())
	s.Flush()
	if st := s.Stats(); st.Flushed != (FragmentCount{2, 40}) || st.Waiting != (FragmentCount{}) || len(lost) != 2 || lost[0].Bytes != 32 {
		t.Errorf("%+v %+v", st, lost)
	}
	conserved(t, s)
	x.put(fs[2])
	x.want()
	x.put(fs...) // the last of them is a duplicate that came too late
	x.want(whole4(f))
	x.wantErr(nil, nil, nil, nil)
	s.Flush()
	x.put(fs...)
	x.want(whole4(f))
}

// tunnel puts a packet into another one.
func tunnel4(src, dst byte, id uint32, inner []byte) frag {
	proto := pkts.IPProtoIPv4
	if inner[0]>>4 == 6 {
		proto = pkts.IPProtoIPv6
	}
	return frag{src: src, dst: dst, id: id, proto: proto, data: inner}
}

func TestFragmentsTunnels(t *testing.T) {
	inner := frag{src: 1, dst: 2, id: 7, data: seq(3000)}
	// Fragments in fragments: 6in4 of IPv6 fragments, cut again.
	var packets [][]byte
	for i, p := range builds(cut(inner, 1440), true) {
		packets = append(packets, builds(cut(tunnel4(10, 20, uint32(i), p), 800), false)...)
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	x := feed(t, &Fragments{Tunnels: 1}, packets...)
	x.want(whole6(inner))
	if x.last.Tunnel == 0 {
		t.Error("no tunnel")
	}
	there := x.last.Tunnel
	// The way back is the same tunnel, another endpoint another one.
	answer := whole4(frag{data: seq(20)})
	x.put(tunnel4(10, 20, 1, answer).v4())
	if x.last.Tunnel != there && x.last.Tunnel == 0 {
		t.Error("IPv4 in IPv4: ", x.last.Tunnel)
	}
	there = x.last.Tunnel
	back := tunnel4(10, 20, 1, answer).v4()
	copy(back[12:], []byte{198, 51, 100, 20, 192, 0, 2, 10})
	x.put(back)
	if x.last.Tunnel != there {
		t.Error("another tunnel on the way back")
	}
	x.put(tunnel4(10, 21, 1, answer).v4())
	if x.last.Tunnel == there {
		t.Error("the same tunnel to another endpoint")
	}
	x.want(answer, answer, answer)

	// Fragments of different tunnels are not mixed.
	fs := builds(cut(frag{data: seq(32)}, 16), false)
	x.put(tunnel4(1, 2, 0, fs[0]).v4(), tunnel4(1, 3, 0, fs[1]).v4())
	x.want()
	x.put(tunnel4(1, 3, 0, fs[0]).v4())
	x.want(whole4(frag{data: seq(32)}))

	// As deep as asked, no deeper; none by default.
	deep := whole4(frag{data: seq(9)})
	levels := [][]byte{deep}
	for range 5 {
		deep = tunnel4(3, 4, 0, deep).v4()
		levels = append(levels, deep)
	}
	for depth := range 6 {
		x := feed(t, &Fragments{Tunnels: depth}, deep)
		x.want(levels[5-depth])
	}
	// A quoted packet is no tunnel, nor is one that makes no sense.
	quote := frag{proto: pkts.IPProtoICMPv4, data: append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, answer...)}.v4()
	bad := tunnel4(1, 2, 0, []byte{0x65, 1, 2, 3}).v4()
	short := tunnel4(1, 2, 0, frag{data: seq(8)}.v6()[:44]).v4()
	x = feed(t, &Fragments{Tunnels: 4}, quote, bad, short)
	x.want(quote, bad, short)

	f := &Fragments{Tunnels: 2}
	two := builds(cut(tunnel4(1, 2, 3, whole4(frag{data: seq(1000)})), 512), false)
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range two {
			f.PutGet(Datagram{Data: b})
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFragmentsProperties(t *testing.T) {
	if p := new(Fragments).Properties(); p != Reassembles|KeepsBounds {
		t.Errorf("%b", p)
	}
}

func TestFragmentsAllocs(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		f := new(Fragments)
		fs := builds(cut(frag{data: seq(20000)}, 1000), v6)
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
		id := uint32(0)
		if n := testing.AllocsPerRun(100, func() {
			id++
			for i, b := range fs {
				if v6 {
					binary.BigEndian.PutUint32(b[44:], id)
				} else {
					binary.BigEndian.PutUint16(b[4:], uint16(id))
				}
				if _, ok, err := f.PutGet(Datagram{Data: b}); ok != (i == len(fs)-1) || err != nil {
					t.Fatal(i, ok, err)
				}
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// model puts a datagram together by keeping, for each unit, who brought it.
type fragModel struct {
	policy FragmentPolicy
	owner  []int // of each unit, 0 for none
	data   []byte
	next   int
	total  int
	dead   bool
}

// put returns whether the datagram is complete.
func (m *fragModel) put(f frag) bool {
	end := f.off + len(f.data)
	reach := 0
	for u, o := range m.owner {
		if o != 0 {
			reach = u*8 + 8
		}
	}
	if m.total >= 0 {
		reach = min(reach, m.total)
	}
	wrong := m.total >= 0 && (end > m.total || !f.more && end != m.total) || !f.more && end < reach
	if m.dead || wrong {
		m.dead = m.dead || m.policy == FragmentsReject
		return false
	}
	from, to := f.off/8, (end+7)/8
	for len(m.owner) < to {
		m.owner = append(m.owner, 0)
		m.data = append(m.data, make([]byte, 8)...)
	}
	extent := func(u int) (int, int) {
		a, b := u, u+1
		for a > 0 && m.owner[a-1] == m.owner[u] {
			a--
		}
		for b < len(m.owner) && m.owner[b] == m.owner[u] {
			b++
		}
		return a, b
	}
	takes := make([]bool, to-from)
	overlaps, missing := false, false
	for u := from; u < to; u++ {
		if m.owner[u] == 0 {
			takes[u-from], missing = true, true
			continue
		}
		overlaps = true
		a, b := extent(u)
		switch m.policy {
		case FragmentsReject, FragmentsFirst:
		case FragmentsLast:
			takes[u-from] = true
		case FragmentsBSD: // "favors an original fragment with an offset that is less than or equal"
			takes[u-from] = !(a <= from)
		case FragmentsBSDRight:
			takes[u-from] = a <= from
		case FragmentsLinux: // "favors an original fragment with an offset that is less"
			takes[u-from] = !(a < from)
		case FragmentsWindows: // only what is covered on both sides
			takes[u-from] = from < a && b < to
		case FragmentsSolaris:
			takes[u-from] = from < a && b <= to
		}
	}
	if !f.more {
		m.total = end
	}
	same := overlaps && !missing && bytes.Equal(m.data[f.off:end], f.data)
	if same {
		a, b := extent(from)
		same = m.policy == FragmentsReject || a == from && b == to
	}
	if overlaps && !same && m.policy == FragmentsReject {
		m.dead = true
		return false
	}
	if !same {
		// What is left of others is as good as new: each run its own.
		owner := slices.Clone(m.owner)
		for u := range owner {
			if u == 0 || m.owner[u] != m.owner[u-1] || u > from && u <= to && takes[u-1-from] {
				m.next++
			}
			if owner[u] != 0 {
				owner[u] = m.next
			}
		}
		for u := from; u < to; u++ {
			if !takes[u-from] {
				continue
			}
			if u == from || !takes[u-1-from] {
				m.next++
			}
			owner[u] = m.next
			copy(m.data[u*8:], f.data[u*8-f.off:min(u*8+8-f.off, len(f.data))])
		}
		m.owner = owner
	}
	return m.total >= 0 && !slices.Contains(m.owner[:(m.total+7)/8], 0)
}

// Any permutation, duplication and overlap of fragments gives what the model
// says: the datagram, or an exact account of what is missing.
func TestFragmentsModel(t *testing.T) {
	completed := 0
	rapid.Check(t, func(t *rapid.T) {
		policy := FragmentPolicy(rapid.IntRange(0, int(FragmentsSolaris)).Draw(t, "policy"))
		m := fragModel{policy: policy, total: -1}
		n := rapid.IntRange(9, 400).Draw(t, "length")
		size := 8 * rapid.IntRange(1, 8).Draw(t, "units")
		fs := cut(frag{data: seq(n)}, size)
		for range rapid.IntRange(0, 8).Draw(t, "more") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0: // once more
				fs = append(fs, fs[rapid.IntRange(0, len(fs)-1).Draw(t, "which")])
			case 1: // other bytes somewhere
				from := rapid.IntRange(0, (n-1)/8).Draw(t, "from")
				to := rapid.IntRange(from+1, from+10).Draw(t, "to")
				b := make([]byte, min(n, to*8)-from*8)
				for i := range b {
					b[i] = byte(len(fs))
				}
				fs = append(fs, frag{off: from * 8, data: b, more: to*8 < n || len(b)%8 == 0 && rapid.Bool().Draw(t, "more")})
			case 2: // the same bytes, cut in another way
				from := rapid.IntRange(0, (n-1)/8).Draw(t, "from")
				to := min(n, 8*rapid.IntRange(from+1, from+10).Draw(t, "to"))
				fs = append(fs, frag{off: from * 8, data: seq(n)[from*8 : to], more: to < n})
			case 3: // one is missing
				i := rapid.IntRange(0, len(fs)-1).Draw(t, "which")
				if len(fs) > 1 {
					fs = slices.Delete(fs, i, i+1)
				}
			}
		}
		fs = rapid.Permutation(fs).Draw(t, "order")
		s := &Fragments{Policy: policy}
		var lost LostDatagram
		s.Lost = func(l LostDatagram) { lost = l }
		for i, f := range fs {
			if f.off == 0 && !f.more {
				continue // no fragment
			}
			done := m.put(f)
			d, ok, _ := s.PutGet(Datagram{Data: f.v4()})
			if ok != done {
				t.Fatalf("fragment %d of %+v: complete %t, the model says %t", i, fs, ok, done)
			}
			if c := s.Stats(); c.Rejected.Packets == 1 != m.dead {
				t.Fatalf("fragment %d of %+v: rejected %d, the model says %t", i, fs, c.Rejected.Packets, m.dead)
			}
			if ok {
				completed++
				if want := whole4(frag{data: m.data[:m.total]}); !bytes.Equal(d.Data, want) {
					t.Fatalf("policy %v, %+v:\ngot  %x\nwant %x", policy, fs, d.Data, want)
				}
				m = fragModel{policy: policy, total: -1}
			}
		}
		have := 0
		for u, o := range m.owner {
			if o != 0 {
				have += 8
				if m.total >= 0 && u*8+8 > m.total {
					have -= u*8 + 8 - m.total
				}
			}
		}
		s.Flush()
		if !m.dead && lost.Bytes != have {
			t.Fatalf("%d bytes were there, the model says %d", lost.Bytes, have)
		}
	})
	if completed == 0 {
		t.Error("nothing was ever complete")
	}
}

// Bits that are looked for one by one.
func TestFragmentBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]uint64{0, 1, 1 << 63, ^uint64(0), 0x00ff00ff0000ff00}), 1, 5).Draw(t, "bits")
		n := 64 * len(b)
		limit := rapid.IntRange(1, n).Draw(t, "limit")
		from := rapid.IntRange(0, limit-1).Draw(t, "from")
		set, unset, prev := limit, limit, 0
		for i := limit - 1; i >= from; i-- {
			if isSet(b, i) {
				set = i
			} else {
				unset = i
			}
		}
		for i := 0; i <= from; i++ {
			if isSet(b, i) {
				prev = i
			}
		}
		if a, c, d := nextSet(b, from, limit), nextClear(b, from, limit), prevSet(b, from); a != set || c != unset || d != prev {
			t.Fatalf("%d %d %d, want %d %d %d", a, c, d, set, unset, prev)
		}
		c := slices.Clone(b)
		setRange(c, from, limit)
		for i := range n {
			if isSet(c, i) != (isSet(b, i) || i >= from && i < limit) {
				t.Fatalf("bit %d of [%d, %d)", i, from, limit)
			}
		}
	})
}

// FuzzFragments puts any packets. Each is a byte of what to do, two of the
// length, and the bytes.
func FuzzFragments(f *testing.F) {
	pack := func(packets ...[]byte) (b []byte) {
		for i, p := range packets {
			b = append(b, byte(i), byte(len(p)>>8), byte(len(p)))
			b = append(b, p...)
		}
		return b
	}
	big := frag{data: seq(3000), options: append([]byte{0, 44, 31}, make([]byte, 254)...)}
	for policy := range byte(8) {
		f.Add(policy, pack(builds(cut(frag{data: seq(60)}, 16), false)...))
		f.Add(policy, pack(builds(cut(frag{data: seq(60)}, 16), true)...))
		f.Add(policy|8, pack(builds(cut(tunnel4(1, 2, 3, frag{data: seq(40), more: true}.v4()), 16), false)...))
		f.Add(policy, pack(builds(cut(big, 1000), true)...))
		nested := cut(frag{data: seq(40)}, 24)
		f.Add(policy, pack(append(builds(cut(frag{id: 1, proto: pkts.IPProtoFragment, data: nested[0].v6()[40:]}, 16), true), nested[1].v6())...))
		var all [][]byte
		for i, p := range novakSturges {
			all = append(all, frag{off: p.off, more: i < 16, data: bytes.Repeat([]byte{p.name}, p.n)}.v4())
		}
		f.Add(policy, pack(all...))
	}
	f.Fuzz(func(t *testing.T, how byte, in []byte) {
		s := &Fragments{Limits: Limits{Bytes: 40_000, FlowBytes: 9000, Flows: 5}, Policy: FragmentPolicy(how & 7), Tunnels: int(how >> 3 & 3), RefuseTiny: how&32 != 0}
		check := func(d Datagram, ok bool) {
			var h ipHeader
			if !ok {
				return
			}
			if err := h.parse(&d); err == nil && (h.frag || h.end != len(d.Data)) {
				t.Fatalf("%+v came out: %x", h, d.Data)
			}
		}
		now := fragStart
		for n := uint64(1); len(in) >= 3; n++ {
			do, size := in[0], min(int(in[1])<<8|int(in[2]), len(in)-3)
			d := Datagram{Data: in[3 : 3+size : 3+size], Seen: Seen{n, now}, Tunnel: uint64(do >> 6)}
			in = in[3+size:]
			now = now.Add(time.Duration(do&0x38) * time.Second / 8)
			switch do & 7 {
			case 0:
				_ = s.Put(d)
			case 1:
				_ = s.Put(d)
				check(s.Get())
			case 7:
				s.Flush()
			default:
				out, ok, _ := s.PutGet(d)
				check(out, ok)
			}
			conserved(t, s)
			if m := memory(s); m != s.Stats().Memory {
				t.Fatalf("takes %d bytes, says %d", m, s.Stats().Memory)
			}
		}
		s.Flush()
		for {
			d, ok := s.Get()
			check(d, ok)
			if !ok {
				break
			}
		}
		conserved(t, s)
		if st := s.Stats(); st.Waiting != (FragmentCount{}) || st.Ready != (FragmentCount{}) {
			t.Fatalf("not empty: %+v", st)
		}
	})
}
