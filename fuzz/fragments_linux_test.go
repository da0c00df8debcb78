package fuzz

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// What FragmentsReject makes of fragments is what the kernel makes of them:
// crafted ones are sent over a cable to a namespace, whose kernel hands the
// datagrams to a UDP socket, and are given to Fragments as well.

// piece is [from, to) of a datagram, or of another one of the same length where
// other is set.
type piece struct {
	from, to int
	other    bool
}

// oracleKernel sends fragments to the kernel of the far namespace.
type oracleKernel struct {
	*cable
	v6   bool
	conn *net.UDPConn
	id   uint32
}

func newOracleKernel(t *testing.T, c *cable, v6 bool) *oracleKernel {
	t.Helper()
	k := &oracleKernel{cable: c, v6: v6}
	if err := c.there.Do(func() (err error) {
		at := netip.AddrPortFrom(k.dst(), 0)
		k.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.conn.Close() })
	return k
}

func (k *oracleKernel) src() netip.Addr {
	if k.v6 {
		return hereV6
	}
	return hereV4
}

func (k *oracleKernel) dst() netip.Addr {
	if k.v6 {
		return thereV6
	}
	return thereV4
}

// datagram returns what is behind the IP header of a UDP datagram to the
// kernel's socket. other asks for other bytes, with the same checksum in each
// unit of a fragment, so that any mixture has a right one.
func (k *oracleKernel) datagram(n int, other bool) []byte {
	b := make([]byte, n)
	for i := 8; i < n; i++ {
		b[i] = byte(i) ^ byte(i>>8)
	}
	for i := 8; other && i+4 <= n; i += 8 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+2], b[i+3], b[i], b[i+1]
	}
	port := uint16(k.conn.LocalAddr().(*net.UDPAddr).Port)
	binary.BigEndian.PutUint16(b[0:], 40000)
	binary.BigEndian.PutUint16(b[2:], port)
	binary.BigEndian.PutUint16(b[4:], uint16(n))
	sum, _ := checksum.Pseudo(k.src(), k.dst(), uint8(pkts.IPProtoUDP), n)
	binary.BigEndian.PutUint16(b[6:], checksum.NonZero(checksum.Internet(b, sum)))
	return b
}

// packet returns a piece of a datagram as an IP packet; whole says that it is no
// fragment.
func (k *oracleKernel) packet(t *testing.T, all []byte, p piece, whole bool) []byte {
	t.Helper()
	more := p.to < len(all)
	var stack []pkts.Layer
	switch {
	case !k.v6:
		ip := &pkts.IPv4{TTL: 64, ID: uint16(k.id), Src: k.src(), Dst: k.dst(), Protocol: pkts.Pin(pkts.IPProtoUDP), FragmentOffset: uint16(p.from / 8)}
		if more {
			ip.Flags = pkts.IPv4MoreFragments
		}
		stack = append(stack, ip)
	case whole:
		stack = append(stack, &pkts.IPv6{HopLimit: 64, Src: k.src(), Dst: k.dst(), NextHeader: pkts.Pin(pkts.IPProtoUDP)})
	default:
		stack = append(stack, &pkts.IPv6{HopLimit: 64, Src: k.src(), Dst: k.dst()},
			&pkts.IPv6Fragment{NextHeader: pkts.Pin(pkts.IPProtoUDP), FragmentOffset: uint16(p.from / 8), More: more, ID: k.id})
	}
	b, err := pkts.Stack(append(stack, &pkts.Raw{Data: all[p.from:p.to]})...).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends an IP packet.
func (k *oracleKernel) send(t *testing.T, ip []byte) {
	t.Helper()
	typ := pkts.EtherTypeIPv4
	if k.v6 {
		typ = pkts.EtherTypeIPv6
	}
	b := slices.Concat(k.thereMAC[:], k.hereMAC[:], []byte{byte(typ >> 8), byte(typ)}, ip)
	if err := k.Send(b); err != nil {
		t.Fatal(err)
	}
}

// try gives the pieces of a datagram of n bytes to both, until ours says that it
// was rejected, and returns what came out of each.
func (k *oracleKernel) try(t *testing.T, n int, pieces []piece) (ours, theirs []byte, rejected bool) {
	t.Helper()
	k.id++
	all, other := k.datagram(n, false), k.datagram(n, true)
	f := new(sequence.Fragments)
	for _, p := range pieces {
		from := all
		if p.other {
			from = other
		}
		b := k.packet(t, from, p, false)
		k.send(t, b)
		d, ok, _ := f.PutGet(sequence.Datagram{Data: b})
		if ok {
			ours = bytes.Clone(d.Data[len(d.Data)-n:])
			break
		}
		if rejected = f.Stats().Rejected.Packets > 0; rejected {
			break
		}
	}
	// What comes before this one is all that comes.
	k.id++
	mark := k.datagram(16, false)
	copy(mark[8:], fmt.Sprintf("end %04x", k.id&0xffff))
	binary.BigEndian.PutUint16(mark[6:], 0)
	sum, _ := checksum.Pseudo(k.src(), k.dst(), uint8(pkts.IPProtoUDP), len(mark))
	binary.BigEndian.PutUint16(mark[6:], checksum.NonZero(checksum.Internet(mark, sum)))
	k.send(t, k.packet(t, mark, piece{0, len(mark), false}, true))
	if err := k.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	for {
		got, err := k.conn.Read(buf)
		if err != nil {
			t.Fatalf("the mark does not arrive: %v", err)
		}
		if bytes.Equal(buf[:got], mark[8:]) {
			return ours, theirs, rejected
		}
		if theirs != nil {
			t.Errorf("the kernel delivers two datagrams for %v", pieces)
		}
		theirs = bytes.Clone(buf[:got])
	}
}

// body returns what a UDP socket sees of a datagram.
func body(d []byte) []byte {
	if d == nil {
		return nil
	}
	return d[8:]
}

func TestFragmentsAsKernel(t *testing.T) {
	c := newCable(t)
	for _, v6 := range []bool{false, true} {
		k := newOracleKernel(t, c, v6)
		rng := rand.New(rand.NewPCG(7, 8))
		whole, rejected, incomplete := 0, 0, 0
		for range 400 {
			// Cut in units of 8 bytes, in any way, perhaps shuffled.
			n := 16 + rng.IntN(400)
			var pieces []piece
			for from := 0; from < n; {
				to := min(n, from+8*(1+rng.IntN(8)))
				if from == 0 && to == n {
					to = 8 // there must be two
				}
				pieces = append(pieces, piece{from, to, false})
				from = to
			}
			cuts := len(pieces)
			if rng.IntN(2) == 0 {
				rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
			}
			insert := func(p piece) {
				i := rng.IntN(len(pieces) + 1)
				pieces = append(pieces[:i], append([]piece{p}, pieces[i:]...)...)
			}
			switch rng.IntN(5) {
			case 0: // one is missing
				i := rng.IntN(len(pieces))
				pieces = append(pieces[:i], pieces[i+1:]...)
			case 1: // one comes twice
				insert(pieces[rng.IntN(len(pieces))])
			case 2: // one overlaps two, and has other bytes
				if cuts > 2 {
					at := pieces[rng.IntN(cuts)]
					from, to := max(0, at.from-8), min(n, (at.to+8+7)/8*8)
					if from > 0 || to < n {
						insert(piece{from, to, true})
					}
				}
			case 3: // there are two ends
				if n%8 != 0 {
					insert(piece{max(8, (n-16)/8*8), n - n%8, true})
				}
			}
			ours, theirs, no := k.try(t, n, pieces)
			if !bytes.Equal(body(ours), theirs) {
				t.Errorf("v6 %t, %d bytes as %v: %d bytes come out, of the kernel %d", v6, n, pieces, len(ours), len(theirs))
			}
			switch {
			case no:
				rejected++
			case ours != nil:
				whole++
			default:
				incomplete++
			}
		}
		t.Logf("v6 %t: %d put together, %d rejected, %d incomplete", v6, whole, rejected, incomplete)
		if whole < 100 || rejected < 20 || incomplete < 20 {
			t.Error("the cases are not what they should be")
		}
	}
}

// Where FragmentsReject is not what the kernel is, and says so.
func TestFragmentsUnlikeKernel(t *testing.T) {
	k := newOracleKernel(t, newCable(t), false)
	// The kernel does not compare the bytes of what is there already.
	ours, theirs, rejected := k.try(t, 64, []piece{{0, 32, false}, {8, 24, true}, {32, 64, false}})
	if ours != nil || !rejected {
		t.Errorf("a fragment with other bytes was not rejected: %x", ours)
	}
	_ = theirs // ours ended before the rest was sent
	k.id++
	all, other := k.datagram(64, false), k.datagram(64, true)
	for _, b := range [][]byte{k.packet(t, all, piece{0, 32, false}, false), k.packet(t, other, piece{8, 24, true}, false), k.packet(t, all, piece{32, 64, false}, false)} {
		k.send(t, b)
	}
	buf := make([]byte, 100)
	if err := k.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := k.conn.Read(buf); err != nil || !bytes.Equal(buf[:n], all[8:]) {
		t.Errorf("the kernel delivers %x, %v, want the bytes that came first", buf[:n], err)
	}
}

// What the kernel cuts, Fragments puts together.
func TestFragmentsOfKernel(t *testing.T) {
	c := newCable(t)
	for _, v6 := range []bool{false, true} {
		k := newOracleKernel(t, c, v6)
		var want []byte
		if err := c.here.Do(func() error {
			conn, err := net.DialUDP("udp", nil, k.conn.LocalAddr().(*net.UDPAddr))
			if err != nil {
				return err
			}
			defer conn.Close()
			want = k.datagram(60000, false)[8:]
			_, err = conn.Write(want)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		f := new(sequence.Fragments)
		n := uint64(0)
		c.until(t, func(fr *link.Frame, p *pkts.Packet) bool {
			d, ok := sequence.Outermost(p)
			if !ok || fr.Direction != link.DirectionOut {
				return false
			}
			n++
			d.Packet, d.Time = n, fr.Time
			out, ok, err := f.PutGet(d)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || len(out.Data) < 60000 {
				return false
			}
			if !bytes.Equal(out.Data[len(out.Data)-len(want):], want) {
				t.Error("other bytes")
			}
			var whole pkts.Packet
			if err := whole.Decode(link.TypeRaw, out.Data); err != nil {
				t.Error(err)
			}
			for check := range whole.Checks() {
				if check.Status == pkts.CheckBad && check.Node.Proto() != pkts.UDPView(nil).Proto() { // the device's to fill in
					t.Errorf("%v.%s is %#x, want %#x", check.Node.Proto(), check.Field, check.Have, check.Want)
				}
			}
			return true
		})
		if s := f.Stats(); s.Reassembled != 1 || s.Fragments < 40 {
			t.Errorf("%+v", s)
		}
	}
}
