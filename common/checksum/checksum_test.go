package checksum

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Packets that other implementations sent: captured from Linux 6 in two
// network namespaces, every checksum verified by tshark 4.0.17. They begin
// with the IP header.
const (
	// An acknowledgement of OpenSSH's server: IPv4 0xa48f, TCP 0x5b9b.
	ipv4TCP = `45000034 81984000 4006a48f 0a4d0002 0a4d0001
		0016bb70 d43b0ecc 8f9a3413 80100043 5b9b0000 0101080a 2ec7a7af 396a9425`
	// An answer of dnsmasq: IPv4 0x9149, UDP 0x9a80.
	ipv4UDP = `45000040 94c74000 40119149 0a4d0002 0a4d0001
		0035d82e 002c9a80 8d4a8183 00010000 00000001 026e7804 74657374 00000100
		01000029 04d00000 00000000`
	// A DHCPv6 Solicit: UDP 0xb39e.
	ipv6UDP = `600c742f 00501101 fe800000 00000000 a829c1ff fee84a37
		ff020000 00000000 00000000 00010002
		02220223 0050b39e 0179bca7 0001000e 00010001 32969037 aa29c1e8 4a370006
		00080017 00180027 001f0008 00020000 0003000c c1e8 4a370000 0e100000 15180019
		000cc1e8 4a370000 0e100000 1518`
	// A router solicitation: ICMPv6 0x8bd8.
	ipv6ICMP = `60000000 00103aff fe800000 00000000 38fe07ff fe46b766
		ff020000 00000000 00000000 00000002
		85008bd8 00000000 01013afe 0746b766`
)

// transport is a transport header and its data, with what covers them.
type transport struct {
	name     string
	packet   string
	header   int // length of the IP header in bytes
	addrs    int // offset of the addresses in the IP header
	proto    uint8
	field    int // offset of the checksum in the transport header
	checksum uint16
}

var transports = []transport{
	{"IPv4 TCP", ipv4TCP, 20, 12, 6, 16, 0x5b9b},
	{"IPv4 UDP", ipv4UDP, 20, 12, 17, 6, 0x9a80},
	{"IPv6 UDP", ipv6UDP, 40, 8, 17, 6, 0xb39e},
	{"IPv6 ICMP", ipv6ICMP, 40, 8, 58, 2, 0x8bd8},
}

func TestRFC1071Example(t *testing.T) {
	// Section 3: the numbers of its table.
	b := unhex(t, "0001 f203 f4f5 f6f7")
	if got, want := Sum(b, 0), uint16(0xddf2); got != want {
		t.Errorf("Sum = %#04x, want %#04x", got, want)
	}
	// The same bytes cut after the third, the second part beginning oddly.
	if got, want := Combine(Sum(b[:3], 0), 3, Sum(b[3:], 0)), uint16(0xddf2); got != want {
		t.Errorf("Combine = %#04x, want %#04x", got, want)
	}
	if got, want := Internet(b, 0), ^uint16(0xddf2); got != want {
		t.Errorf("Internet = %#04x, want %#04x", got, want)
	}
}

func TestIPv4Header(t *testing.T) {
	for _, tc := range []struct {
		packet string
		want   uint16
	}{{ipv4TCP, 0xa48f}, {ipv4UDP, 0x9149}} {
		h := unhex(t, tc.packet)[:20]
		if !Valid(h, 0) {
			t.Errorf("Valid(%x) = false", h)
		}
		clear(h[10:12])
		if Valid(h, 0) {
			t.Errorf("Valid(%x) = true without its checksum", h)
		}
		if got := Internet(h, 0); got != tc.want {
			t.Errorf("Internet(%x) = %#04x, want %#04x", h, got, tc.want)
		}
	}
}

func TestTransport(t *testing.T) {
	for _, tc := range transports {
		p := unhex(t, tc.packet)
		addrs, seg := p[tc.addrs:], p[tc.header:]
		var pseudo, bytesForm, netipForm uint16
		if tc.header == 20 {
			src, dst := [4]byte(addrs), [4]byte(addrs[4:])
			pseudo = PseudoIPv4(src, dst, tc.proto, len(seg))
			bytesForm = PseudoIPv4Bytes(addrs, tc.proto, len(seg))
			netipForm, _ = Pseudo(netip.AddrFrom4(src), netip.AddrFrom4(dst), tc.proto, len(seg))
		} else {
			src, dst := [16]byte(addrs), [16]byte(addrs[16:])
			pseudo = PseudoIPv6(src, dst, tc.proto, len(seg))
			bytesForm = PseudoIPv6Bytes(addrs, tc.proto, len(seg))
			netipForm, _ = Pseudo(netip.AddrFrom16(src).WithZone("eth0"), netip.AddrFrom16(dst), tc.proto, len(seg))
		}
		if !Valid(seg, pseudo) {
			t.Errorf("%s: Valid = false", tc.name)
		}
		if bytesForm != pseudo || netipForm != pseudo {
			t.Errorf("%s: pseudo-header sums %#04x, %#04x (bytes), %#04x (netip) differ", tc.name, pseudo, bytesForm, netipForm)
		}
		clear(seg[tc.field : tc.field+2])
		if got := Internet(seg, pseudo); got != tc.checksum {
			t.Errorf("%s: Internet = %#04x, want %#04x", tc.name, got, tc.checksum)
		}
	}
}

// TestPseudoReference writes the pseudo-headers out and sums their bytes.
func TestPseudoReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.Just(byte(0xff)), rapid.Just(byte(0))), 32, 32).Draw(t, "addrs")
		proto := rapid.Byte().Draw(t, "proto")
		n := rapid.OneOf(rapid.Uint32Range(0, 0xffff), rapid.Uint32()).Draw(t, "length")
		v4 := append(a[:8:8], 0, proto)
		v4 = binary.BigEndian.AppendUint32(v4, n)
		if got, want := PseudoIPv4([4]byte(a), [4]byte(a[4:]), proto, int(n)), reference(v4, 0); got != want {
			t.Errorf("PseudoIPv4 = %#04x, want %#04x", got, want)
		}
		if got, want := PseudoIPv4Bytes(a, proto, int(n)), reference(v4, 0); got != want {
			t.Errorf("PseudoIPv4Bytes = %#04x, want %#04x", got, want)
		}
		v6 := binary.BigEndian.AppendUint32(a[:32:32], n)
		v6 = append(v6, 0, 0, 0, proto)
		if got, want := PseudoIPv6([16]byte(a), [16]byte(a[16:]), proto, int(n)), reference(v6, 0); got != want {
			t.Errorf("PseudoIPv6 = %#04x, want %#04x", got, want)
		}
		if got, want := PseudoIPv6Bytes(a, proto, int(n)), reference(v6, 0); got != want {
			t.Errorf("PseudoIPv6Bytes = %#04x, want %#04x", got, want)
		}
	})
}

func TestPseudoFamilies(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tc := range [][2]netip.Addr{{v4, v6}, {v6, v4}, {{}, v4}, {v6, {}}, {}} {
		if _, ok := Pseudo(tc[0], tc[1], 6, 20); ok {
			t.Errorf("Pseudo(%v, %v) is ok", tc[0], tc[1])
		}
	}
	mapped := netip.MustParseAddr("::ffff:192.0.2.1")
	got, ok := Pseudo(mapped, v6, 6, 20)
	if want := PseudoIPv6(mapped.As16(), v6.As16(), 6, 20); !ok || got != want {
		t.Errorf("Pseudo of an IPv4-mapped address = %#04x, %v, want %#04x", got, ok, want)
	}
}

func TestFoldAdd(t *testing.T) {
	for _, tc := range []struct {
		sum  uint64
		want uint16
	}{
		{0, 0}, {1, 1}, {0xffff, 0xffff}, {0x10000, 1}, {0x1fffe, 0xffff}, {0x1ffff, 1},
		{0xffff0000, 0xffff}, {0xffff0001, 1}, {1 << 48, 1}, {1<<64 - 1, 0xffff}, {1<<64 - 2, 0xfffe},
	} {
		if got := Fold(tc.sum); got != tc.want {
			t.Errorf("Fold(%#x) = %#04x, want %#04x", tc.sum, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var b [8]byte
		v := rapid.Uint64().Draw(t, "sum")
		binary.BigEndian.PutUint64(b[:], v)
		if got, want := Fold(v), reference(b[:], 0); got != want {
			t.Errorf("Fold(%#x) = %#04x, want %#04x", v, got, want)
		}
		x, y := uint16(v), uint16(v>>16)
		if got, want := Add(x, y), reference(b[6:], y); got != want {
			t.Errorf("Add(%#04x, %#04x) = %#04x, want %#04x", x, y, got, want)
		}
	})
}

// TestAddAll adds every sum to the values at which a carry comes or stays out.
func TestAddAll(t *testing.T) {
	for a := range 1 << 16 {
		for _, b := range []int{0, 1, 2, 0x7fff, 0x8000, 0xfffe, 0xffff, ^a & 0xffff} {
			want := a + b
			if want > 0xffff {
				want -= 0xffff
			}
			if got := Add(uint16(a), uint16(b)); int(got) != want {
				t.Fatalf("Add(%#04x, %#04x) = %#04x, want %#04x", a, b, got, want)
			}
		}
	}
}

// data draws bytes in which zeros and carries are frequent.
func data(lo, hi int) *rapid.Generator[[]byte] {
	return rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 0xff})), lo, hi)
}

func TestCombineProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := data(0, 700).Draw(t, "data")
		i := rapid.IntRange(0, len(b)).Draw(t, "i")
		j := rapid.IntRange(i, len(b)).Draw(t, "j")
		x, y, z := Sum(b[:i], 0), Sum(b[i:j], 0), Sum(b[j:], 0)
		want := reference(b, 0)
		if got := Combine(Combine(x, i, y), j, z); got != want {
			t.Errorf("from the left: %#04x, want %#04x", got, want)
		}
		if got := Combine(x, i, Combine(y, j-i, z)); got != want {
			t.Errorf("from the right: %#04x, want %#04x", got, want)
		}
	})
}

func TestRFC1624Example(t *testing.T) {
	// Section 4: HC = 0xDD2F, m = 0x5555, m' = 0x3285. Equation 2 gives 0xFFFF
	// there, equation 3 the right 0x0000.
	if got := Update16(0xdd2f, 0x5555, 0x3285); got != 0x0000 {
		t.Errorf("Update16 = %#04x, want 0x0000", got)
	}
}

// TestUpdateAll changes each 16-bit word of a datum to every value, and
// compares with computing anew.
func TestUpdateAll(t *testing.T) {
	for _, rest := range []uint16{0x0001, 0x1234, 0xfffe, 0xffff} {
		for _, old := range []uint16{0, 1, 0x8000, 0xfffe, 0xffff, ^rest} {
			var b [4]byte
			binary.BigEndian.PutUint16(b[:], rest)
			binary.BigEndian.PutUint16(b[2:], old)
			sum := ^reference(b[:], 0)
			for v := range 1 << 16 {
				binary.BigEndian.PutUint16(b[2:], uint16(v))
				if got, want := Update16(sum, old, uint16(v)), ^reference(b[:], 0); got != want {
					t.Fatalf("rest %#04x: Update16(%#04x, %#04x, %#04x) = %#04x, want %#04x", rest, sum, old, v, got, want)
				}
			}
		}
	}
}

func TestUpdateZeros(t *testing.T) {
	for _, tc := range []struct {
		name          string
		sum, old, new uint16
		want          uint16
	}{
		{"nothing changes", 0xffff, 0x1234, 0x1234, 0xffff},
		{"nothing changes in zeros", 0xffff, 0, 0, 0xffff},
		{"nothing changes, -0", 0x0000, 0xffff, 0xffff, 0x0000},
		{"all zero, then one", 0xffff, 0, 1, 0xfffe},
		// UDP: data that add up to 0xffff have the checksum 0, sent as 0xffff.
		{"UDP: 0xffff for 0, word stays worth the same", 0xffff, 0xffff, 0, 0x0000},
		{"UDP: 0xffff for 0, word grows", 0xffff, 0x0001, 0x0002, 0xfffe},
		{"UDP: 0xffff for 0, word shrinks", 0xffff, 0x0002, 0x0001, 0x0001},
		{"becomes -0", 0x0001, 0x0001, 0x0002, 0x0000},
		// The exception of the documentation.
		{"becomes all zero", 0xfffe, 1, 0, 0x0000},
	} {
		if got := Update16(tc.sum, tc.old, tc.new); got != tc.want {
			t.Errorf("%s: Update16(%#04x, %#04x, %#04x) = %#04x, want %#04x", tc.name, tc.sum, tc.old, tc.new, got, tc.want)
		}
	}
}

func TestUpdateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := data(4, 200).Draw(t, "data")
		i := rapid.IntRange(0, len(b)).Draw(t, "i")
		j := rapid.IntRange(i, len(b)).Draw(t, "j")
		next := data(j-i, j-i).Draw(t, "new")
		old := append([]byte(nil), b[i:j]...)
		sum := ^reference(b, 0)
		copy(b[i:j], next)
		want := ^reference(b, 0)
		if want == 0xffff && sum != want {
			want = 0 // all zero now: the exception of the documentation
		}
		got := UpdateBytes(sum, i, old, next)
		if got != want {
			t.Errorf("UpdateBytes(%#04x, %d, %x, %x) = %#04x, want %#04x", sum, i, old, next, got, want)
		}
		if i%2 == 0 && j-i == 4 {
			got := Update32(sum, binary.BigEndian.Uint32(old), binary.BigEndian.Uint32(next))
			if got != want {
				t.Errorf("Update32(%#04x, %x, %x) = %#04x, want %#04x", sum, old, next, got, want)
			}
		}
	})
}

func TestUpdate32Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := data(8, 8).Draw(t, "data")
		b[0] |= 1 // never all zero
		sum, old := ^reference(b, 0), binary.BigEndian.Uint32(b[4:])
		next := rapid.OneOf(rapid.Uint32(), rapid.SampledFrom([]uint32{0, 0xffff, 0xffff0000, 0xffffffff, ^old})).Draw(t, "new")
		binary.BigEndian.PutUint32(b[4:], next)
		if got, want := Update32(sum, old, next), ^reference(b, 0); got != want {
			t.Errorf("Update32(%#04x, %#08x, %#08x) = %#04x, want %#04x", sum, old, next, got, want)
		}
	})
}

// TestUpdatePackets decrements the TTL of captured headers and moves their
// destination, as a router with address translation does: what was valid
// stays valid.
func TestUpdatePackets(t *testing.T) {
	for _, tc := range transports[:2] {
		p := unhex(t, tc.packet)
		seg := p[tc.header:]
		field, dst := seg[tc.field:], p[16:20]
		oldTTL := binary.BigEndian.Uint16(p[8:])
		p[8]--
		c := Update16(binary.BigEndian.Uint16(p[10:]), oldTTL, binary.BigEndian.Uint16(p[8:]))
		oldDst, newDst := binary.BigEndian.Uint32(dst), uint32(0xc6336401)
		binary.BigEndian.PutUint32(dst, newDst)
		binary.BigEndian.PutUint16(p[10:], Update32(c, oldDst, newDst))
		binary.BigEndian.PutUint16(field, Update32(binary.BigEndian.Uint16(field), oldDst, newDst))
		if got := reference(p[:20], 0); got != 0xffff {
			t.Errorf("%s: header sums to %#04x", tc.name, got)
		}
		if !Valid(seg, PseudoIPv4Bytes(p[12:], tc.proto, len(seg))) {
			t.Errorf("%s: transport checksum is wrong after the update", tc.name)
		}
	}
}

func TestNonZero(t *testing.T) {
	for v := range 1 << 16 {
		want := uint16(v)
		if v == 0 {
			want = 0xffff
		}
		if got := NonZero(uint16(v)); got != want {
			t.Fatalf("NonZero(%#04x) = %#04x, want %#04x", v, got, want)
		}
	}
}

func TestCRC32C(t *testing.T) {
	// RFC 7143, appendix A.4: the CRCs are printed there in wire order.
	up, down := make([]byte, 32), make([]byte, 32)
	for i := range up {
		up[i], down[i] = byte(i), byte(31-i)
	}
	read := unhex(t, `01c00000 00000000 00000000 00000000 14000000 00000400
		00000014 00000018 28000000 00000000 02000000 00000000`)
	for _, tc := range []struct {
		name string
		b    []byte
		wire uint32
	}{
		{"32 zeros", make([]byte, 32), 0xaa36918a},
		{"32 ones", unhex(t, strings.Repeat("ff", 32)), 0x43aba862},
		{"incrementing", up, 0x4e79dd46},
		{"decrementing", down, 0x5cdb3f11},
		{"an iSCSI read command", read, 0x563a96d9},
		{"123456789", []byte("123456789"), bits.ReverseBytes32(0xe3069283)},
		{"nothing", nil, 0},
	} {
		if got := bits.ReverseBytes32(CRC32C(tc.b)); got != tc.wire {
			t.Errorf("%s: CRC on the wire = %#08x, want %#08x", tc.name, got, tc.wire)
		}
		for i := range tc.b {
			if got, want := UpdateCRC32C(CRC32C(tc.b[:i]), tc.b[i:]), CRC32C(tc.b); got != want {
				t.Errorf("%s: in two parts at %d = %#08x, want %#08x", tc.name, i, got, want)
			}
		}
	}
}

func TestSCTP(t *testing.T) {
	for _, tc := range []struct {
		name   string
		packet string
		want   uint32
	}{
		// Both were sent by Linux 6 and usrsctp's discard client, and verified
		// by tshark 4.0.17 and scapy 2.5.
		{"SHUTDOWN ACK", `0007d830 fb4f5ef7 e425c06c 08000004`, 0xe425c06c},
		{"INIT", `d521004d 00000000 0e7f5285 01000094 5656b7ad 00020000 000a0800 b3689043
			80000004 c0000004 80080009 c00fc180 82000000 80020024 aa825538 4eb9f66d
			c48ea777 9935a702 e45a28d8 0021eba3 519d94d2 da17bb9d 80040006 00010000
			80030006 80c10000 000c0008 00050006 00060014 fd770000 00000000 00000000
			00000001 00060014 fd770001 00000000 38fe07ff fe46b766 00050008 0a4d0001`, 0x0e7f5285},
	} {
		p := unhex(t, tc.packet)
		if got := SCTP(p); got != tc.want {
			t.Errorf("%s: SCTP = %#08x, want %#08x", tc.name, got, tc.want)
		}
		if got := binary.BigEndian.Uint32(p[8:]); got != tc.want {
			t.Errorf("%s: the field is %#08x after SCTP, want %#08x", tc.name, got, tc.want)
		}
		binary.BigEndian.PutUint32(p[8:], 0)
		if got := SCTP(p); got != tc.want {
			t.Errorf("%s: SCTP with the field zero = %#08x, want %#08x", tc.name, got, tc.want)
		}
	}
	// Packets cut within the common header.
	for n := range 13 {
		b := make([]byte, n)
		for i := range b {
			if b[i] = byte(i + 1); i >= 8 && i < 12 {
				b[i] = 0
			}
		}
		want := bits.ReverseBytes32(CRC32C(b))
		for i := 8; i < min(n, 12); i++ {
			b[i] = 0xa5
		}
		if got := SCTP(b); got != want {
			t.Errorf("SCTP of %d bytes = %#08x, want %#08x", n, got, want)
		}
	}
}

func TestAllocs(t *testing.T) {
	p4, p6 := unhex(t, ipv4TCP), unhex(t, ipv6UDP)
	src, dst := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	long, buf := make([]byte, 9000), make([]byte, 9000)
	var sink uint32
	if n := testing.AllocsPerRun(100, func() {
		s := Sum(p4, 0) + Sum(long, 0) + Internet(p6, 1) + Copy(buf, long, 0)
		s += PseudoIPv4([4]byte(p4[12:]), [4]byte(p4[16:]), 6, 40) + PseudoIPv4Bytes(p4[12:], 6, 40)
		s += PseudoIPv6([16]byte(p6[8:]), [16]byte(p6[24:]), 17, 80) + PseudoIPv6Bytes(p6[8:], 17, 80)
		ps, _ := Pseudo(src, dst, 6, 40)
		s += ps + Update16(1, 2, 3) + Update32(1, 2, 3) + UpdateBytes(1, 1, p4, p6)
		_, as := Append(buf[:0], long, 0)
		sink += uint32(s+as) + SCTP(p4) + CRC32C(long)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkPseudoIPv6Bytes(b *testing.B) {
	p := unhex(b, ipv6UDP)
	for b.Loop() {
		PseudoIPv6Bytes(p[8:], 17, 80)
	}
}

func BenchmarkUpdate16(b *testing.B) {
	var sum uint16
	for b.Loop() {
		sum = Update16(sum, 0x4006, 0x3f06)
	}
}

func BenchmarkCRC32C(b *testing.B) {
	buf := fills(1500)["random"]
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		CRC32C(buf)
	}
}
