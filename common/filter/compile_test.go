package filter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// mustCompile compiles for Ethernet.
func mustCompile(t testing.TB, expr string) *Filter {
	t.Helper()
	f, err := Compile(expr, Options{Link: link.TypeEthernet})
	if err != nil {
		t.Fatalf("Compile(%q): %v", expr, err)
	}
	return f
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// randomPrimitive returns a primitive that leaves the offsets alone.
func randomPrimitive(r *rand.Rand) string {
	host := func() string { return fmt.Sprintf("10.0.0.%d", 1+r.IntN(5)) }
	port := func() int { return pick(r, 22, 53, 80, 443, 1000) }
	proto := func() string { return pick(r, "", "", "ip ", "arp ") }
	trans := func() string { return pick(r, "", "tcp ", "udp ", "sctp ") }
	dir := func() string { return pick(r, "", "", "src ", "dst ", "src or dst ", "src and dst ") }
	switch r.IntN(16) {
	case 0, 1:
		return proto() + dir() + "host " + host()
	case 2:
		return dir() + "net " + pick(r, "10.0.0.0/8", "10.0.0.0/30", "10.0.0.4/30", "192.168.0.0/16", "10.0")
	case 3, 4:
		return trans() + dir() + fmt.Sprintf("port %d", port())
	case 5:
		return trans() + dir() + fmt.Sprintf("portrange %d-%d", port(), port())
	case 6:
		return pick(r, "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "iso", "stp", "ipx", "atalk", "llc", "isis", "pim")
	case 7:
		return fmt.Sprintf("%sproto %d", pick(r, "", "ip ", "ip6 "), pick(r, 1, 6, 17, 44, 58, 132))
	case 8:
		return fmt.Sprintf("%s[%d:%d] %s %d", pick(r, "ip", "tcp", "udp", "ip6", "ether", "arp", "icmp"), r.IntN(16), pick(r, 1, 2, 4), pick(r, "=", "!=", "<", "<=", ">", ">="), r.IntN(300))
	case 9:
		return fmt.Sprintf("%s[%d] & %#x %s %d", pick(r, "ip", "tcp", "udp", "ip6"), r.IntN(16), r.IntN(256), pick(r, "=", "!=", ">"), r.IntN(20))
	case 10:
		return fmt.Sprintf("%s[%d] %s %s[%d] %s %s", pick(r, "ip", "tcp"), r.IntN(16), pick(r, "+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%"),
			pick(r, "ip", "tcp", "udp"), r.IntN(16), pick(r, "=", ">", "<="), pick(r, "5", "len", "ip[2:2]", "tcp[0:2] - 3"))
	case 11:
		return fmt.Sprintf("len %s %d", pick(r, "<", ">", "=", "<=", ">="), r.IntN(200))
	case 12:
		return fmt.Sprintf("ether %shost 02:00:00:00:00:%02x", dir(), r.IntN(4))
	case 13:
		return fmt.Sprintf("%shost 2001:db8::%d", dir(), r.IntN(4))
	case 14:
		return pick(r, "broadcast", "multicast", "ip broadcast", "ip multicast", "ip6 multicast", "ether proto 0x800", "ether proto 6")
	}
	return pick(r, "tcp[tcpflags] & tcp-syn != 0", "ip[6:2] & 0x1fff = 0", "ip[ip[0] & 0xf] = ip[9]", "udp[udp[4:2] & 7] > 3", "net 2001:db8::/32")
}

// randomExpr returns an expression of about size primitives.
func randomExpr(r *rand.Rand, size int) string {
	if size <= 1 {
		return randomPrimitive(r)
	}
	n := 1 + r.IntN(size-1)
	a, b := randomExpr(r, n), randomExpr(r, size-n)
	switch r.IntN(6) {
	case 0:
		return "not (" + a + ") and (" + b + ")"
	case 1:
		return "(" + a + ") or not (" + b + ")"
	case 2:
		return "(" + a + ") and (" + b + ")"
	case 3:
		return a + " and " + b
	case 4:
		return a + " or " + b
	}
	return "(" + a + ") or (" + b + ")"
}

// randomPacket returns an Ethernet frame with fields that the primitives above
// ask for, and zeros to 400 bytes, so that no load is outside.
func randomPacket(r *rand.Rand) []byte {
	b := make([]byte, 400)
	for i := range 120 {
		b[i] = byte(r.IntN(20))
	}
	copy(b, []byte{2, 0, 0, 0, 0, byte(r.IntN(4))})
	copy(b[6:], []byte{2, 0, 0, 0, 0, byte(r.IntN(4))})
	if r.IntN(8) == 0 {
		copy(b, "\xff\xff\xff\xff\xff\xff")
	}
	port := func() uint16 { return pick(r, uint16(22), 53, 80, 443, 1000) }
	n := 14
	switch typ := pick(r, uint16(0x0800), 0x0800, 0x86dd, 0x0806, 0x8035, 100, 0x8137); typ {
	case 0x0800:
		binary.BigEndian.PutUint16(b[12:], typ)
		ihl := 5 + r.IntN(2)*r.IntN(4)
		b[n] = 0x40 | byte(ihl)
		binary.BigEndian.PutUint16(b[n+2:], uint16(r.IntN(200)))
		binary.BigEndian.PutUint16(b[n+6:], uint16(pick(r, 0, 0, 0, 0x4000, 0x2000, 5)))
		b[n+9] = pick(r, byte(1), 6, 6, 17, 132, 103)
		copy(b[n+12:], []byte{10, 0, 0, byte(1 + r.IntN(5))})
		copy(b[n+16:], []byte{10, 0, 0, byte(1 + r.IntN(5))})
		if r.IntN(8) == 0 {
			copy(b[n+16:], []byte{224, 0, 0, 1})
		}
		binary.BigEndian.PutUint16(b[n+4*ihl:], port())
		binary.BigEndian.PutUint16(b[n+4*ihl+2:], port())
	case 0x86dd:
		binary.BigEndian.PutUint16(b[12:], typ)
		b[n] = 0x60
		b[n+6] = pick(r, byte(6), 17, 58, 44, 132)
		copy(b[n+8:], netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.IntN(4))}).AsSlice())
		copy(b[n+24:], netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.IntN(4))}).AsSlice())
		binary.BigEndian.PutUint16(b[n+40:], port())
		binary.BigEndian.PutUint16(b[n+42:], port())
	case 0x0806, 0x8035:
		binary.BigEndian.PutUint16(b[12:], typ)
		copy(b[n+14:], []byte{10, 0, 0, byte(1 + r.IntN(5))})
		copy(b[n+24:], []byte{10, 0, 0, byte(1 + r.IntN(5))})
	case 100:
		binary.BigEndian.PutUint16(b[12:], typ)
		copy(b[n:], pick(r, "\xfe\xfe\x03\x83", "\x42\x42\x03", "\xaa\xaa\x03\x08\x00\x07\x80\x9b", "\xe0\xe0\x03", "\xff\xff"))
	default:
		binary.BigEndian.PutUint16(b[12:], typ)
	}
	return b
}

// The optimizer changes no verdict, an expression that is written out means
// the same, and negation does what logic says, on packets that no load leaves.
func TestRandomExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	packets := make([][]byte, 60)
	matched := 0
	n := 3000
	if testing.Short() || raceEnabled {
		n = 300
	}
	for i := range n {
		a, b := randomExpr(r, 1+r.IntN(5)), randomExpr(r, 1+r.IntN(3))
		f, err := Compile(a, Options{Link: link.TypeEthernet})
		if err != nil {
			t.Fatalf("Compile(%q): %v", a, err)
		}
		plain, err := Compile(a, Options{Link: link.TypeEthernet, NoOptimize: true})
		if err != nil {
			t.Fatalf("Compile(%q) without optimizer: %v", a, err)
		}
		again := mustCompile(t, f.String())
		if !slices.Equal(f.program, again.program) {
			t.Errorf("%q and %q have different programs", a, f.String())
		}
		g := mustCompile(t, b)
		not := mustCompile(t, "not ("+a+")")
		twice := mustCompile(t, "not not ("+a+")")
		nand := mustCompile(t, "not (("+a+") and ("+b+"))")
		orNot := mustCompile(t, "not ("+a+") or not ("+b+")")
		for _, p := range []*Filter{f, plain, not, nand} {
			if err := p.program.ValidateLinux(); err != nil {
				t.Fatalf("%q: %v", p.expr, err)
			}
		}
		if !slices.Equal(f.program, twice.program) {
			t.Errorf("%q changes when it is negated twice", a)
		}
		for j := range packets {
			packets[j] = randomPacket(r)
		}
		// A division by zero rejects a packet, whatever it stands in.
		divides := strings.ContainsAny(a+b, "/%") && strings.Contains(a+b, "] ")
		for _, p := range packets {
			wire := len(p) - r.IntN(300)
			x := f.Match(p, wire, nil)
			if x {
				matched++
			}
			if plain.Match(p, wire, nil) != x {
				t.Fatalf("%q: optimized %v, not optimized %v for % x", a, x, !x, p[:100])
			}
			if divides {
				continue
			}
			if not.Match(p, wire, nil) == x {
				t.Fatalf("%q and its negation are both %v for % x", a, x, p[:100])
			}
			y := g.Match(p, wire, nil)
			if nand.Match(p, wire, nil) != !(x && y) {
				t.Fatalf("%q: %v, want %v for % x", nand.expr, x && y, !(x && y), p[:100])
			}
			if orNot.Match(p, wire, nil) != !(x && y) {
				t.Fatalf("%q: %v, want %v for % x", orNot.expr, x && y, !(x && y), p[:100])
			}
		}
		if t.Failed() && i > 50 {
			return
		}
	}
	if matched < n {
		t.Errorf("%d of %d packets match: too few for a test", matched, n*len(packets))
	}
}

// Two spellings, one program.
func TestAliases(t *testing.T) {
	for _, group := range [][]string{
		{"ip and tcp", "ip && tcp", "(ip)and(tcp)", " ip\nand\ttcp "},
		{"ip or tcp", "ip || tcp", "(ip or (tcp))"},
		{"not ip", "! ip", "!ip", "not (ip)", "not not not ip"},
		{"len > 5", "length > 5", "5 < len"},
		{"tcp[13] = 2", "tcp[13] == 2", "tcp[tcpflags] = tcp-syn", "tcp[0xd] = 02", "tcp[13:1] = 2", "2 = tcp[13]"},
		{"ether host 00:11:22:33:44:55", "link host 0:11:22:33:44:55", "fddi host 00-11-22-33-44-55", "tr host 0011.2233.4455", "wlan host 001122334455", "ppp host 00.11.22.33.44.55"},
		{"net 10.0.0.0/8", "net 10", "net 10.0.0.0 mask 255.0.0.0", "net 10.0/8"},
		{"host 10.0.0.1", "src or dst host 10.0.0.1", "dst or src 10.0.0.1", "net 10.0.0.1/32", "host 167772161", "host 10.0.0.1 or host 10.0.0.1"},
		{"tcp port 80", "tcp port http", "tcp portrange 80-80", "tcp portrange 80", "tcp src or dst port 0x50"},
		{"portrange 10-20", "portrange 20-10", "portrange 10-14 or portrange 15-20", "portrange 10-18 or portrange 12-20"},
		{"port 80 or 443", "port (80 or 443)", "port 443 or port 80", "not (not port 80 and not port 443)", "port 80 or 443 or 80"},
		{"ether proto \\ip", "ip", "link proto 0x800", "ether proto 2048"},
		{"ip proto \\tcp", "ip proto 6", "ip and proto 6 and ip"},
		{"vrrp", "carp", "ip proto 112"},
		{"isis", "is-is", "iso proto \\isis", "iso proto 0x83"},
		{"less 100", "len <= 100", "not len > 100"},
		{"greater 100", "len >= 100"},
		{"icmp[icmptype] = icmp-echo", "icmp[0] = 8"},
		{"net 2001:db8::/32", "net 2001:0db8::/32", "net 2001:db8:0:0:0:0:0:0/32"},
		{"byte 0 = 1", "ether[0] = 1", "link[0] == 1"},
	} {
		first := mustCompile(t, group[0])
		for _, expr := range group[1:] {
			if f := mustCompile(t, expr); !slices.Equal(f.program, first.program) {
				t.Errorf("%q:\n%v\n%q:\n%v", group[0], first.program, expr, f.program)
			}
		}
	}
}

// frame4 returns an Ethernet frame with an IPv4 packet of UDP.
func frame4(src, dst netip.Addr, sport, dport uint16) []byte {
	b := make([]byte, 60)
	copy(b, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45})
	b[23] = ipUDP
	copy(b[26:], src.AsSlice())
	copy(b[30:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[34:], sport)
	binary.BigEndian.PutUint16(b[36:], dport)
	return b
}

// A thousand alternatives fit into a program and are the same as one by one.
func TestBigSets(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	addr := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))})
	}
	for _, n := range []int{2, 3, 5, 9, 16, 17, 40, 300, 1000} {
		var hosts, nets, ports, macs, sixes, nets6 []string
		inHosts, inPorts, inMACs, inSixes := map[netip.Addr]bool{}, map[uint16]bool{}, map[link.MacAddr]bool{}, map[netip.Addr]bool{}
		var prefixes, prefixes6 []netip.Prefix
		addr6 := func() netip.Addr { // within few networks
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 4: byte(r.IntN(4)), 5: byte(r.IntN(256)), 6: byte(r.IntN(256)), 7: byte(r.IntN(256)), 15: 1})
		}
		for range n {
			a := addr()
			hosts = append(hosts, "host "+a.String())
			inHosts[a] = true
			p, _ := addr().Prefix(24)
			prefixes = append(prefixes, p)
			nets = append(nets, "net "+p.String())
			port := uint16(r.IntN(3000))
			ports = append(ports, fmt.Sprintf("port %d", port))
			inPorts[port] = true
			m := link.MacAddr{2, 0, 0, byte(r.IntN(3)), byte(r.IntN(256)), byte(r.IntN(256))}
			macs = append(macs, "ether host "+m.String())
			inMACs[m] = true
			six := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(r.IntN(3)), 14: byte(r.IntN(256)), 15: byte(r.IntN(256))})
			sixes = append(sixes, "host "+six.String())
			inSixes[six] = true
			p, _ = addr6().Prefix([]int{48, 48, 56}[r.IntN(3)])
			prefixes6 = append(prefixes6, p)
			nets6 = append(nets6, "net "+p.String())
		}
		join := func(s []string) *Filter {
			f := mustCompile(t, strings.Join(s, " or "))
			if err := f.program.ValidateLinux(); err != nil {
				t.Fatalf("%d: %v", n, err)
			}
			return f
		}
		not := func(s []string) *Filter { return mustCompile(t, "not "+strings.Join(s, " and not ")) }
		hostF, netF, portF, macF, sixF, net6F := join(hosts), join(nets), join(ports), join(macs), join(sixes), join(nets6)
		notHost, notPort, notNet6 := not(hosts), not(ports), not(nets6)
		random := func(s []string) string { return strings.Fields(s[r.IntN(len(s))])[1] }
		check := func(what string, f *Filter, frame []byte, want bool) {
			t.Helper()
			if got := f.Match(frame, len(frame), nil); got != want {
				t.Fatalf("%d %s: %v, want %v for % x", n, what, got, want, frame)
			}
		}
		for range 500 {
			src, dst := addr(), addr()
			if r.IntN(3) == 0 {
				src = netip.MustParseAddr(random(hosts))
			}
			if r.IntN(3) == 0 {
				dst = netip.MustParseAddr(random(hosts))
			}
			sport, dport := uint16(r.IntN(3000)), uint16(r.IntN(60000))
			frame := frame4(src, dst, sport, dport)
			want := inHosts[src] || inHosts[dst]
			check("hosts", hostF, frame, want)
			check("no hosts", notHost, frame, !want)
			arp := make([]byte, 60)
			copy(arp, frame[:12])
			copy(arp[12:], []byte{8, 6})
			copy(arp[28:], src.AsSlice())
			copy(arp[38:], dst.AsSlice())
			check("hosts in ARP", hostF, arp, want)
			want = false
			for _, p := range prefixes {
				want = want || p.Contains(src) || p.Contains(dst)
			}
			check("nets", netF, frame, want)
			check("ports", portF, frame, inPorts[sport] || inPorts[dport])
			check("no ports", notPort, frame, !(inPorts[sport] || inPorts[dport]))
			var mac [2]link.MacAddr
			for i := range mac {
				mac[i] = link.MacAddr{2, 0, 0, byte(r.IntN(3)), byte(r.IntN(256)), byte(r.IntN(256))}
				if r.IntN(3) == 0 {
					mac[i], _ = link.ParseMac(strings.Fields(macs[r.IntN(n)])[2])
				}
				copy(frame[6*i:], mac[i][:])
			}
			check("MACs", macF, frame, inMACs[mac[0]] || inMACs[mac[1]])
			six := make([]byte, 60)
			copy(six[12:], []byte{0x86, 0xdd, 0x60})
			want = false
			for i := range 2 {
				a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: byte(r.IntN(3)), 14: byte(r.IntN(256)), 15: byte(r.IntN(256))})
				if r.IntN(3) == 0 {
					a = netip.MustParseAddr(random(sixes))
				}
				copy(six[22+16*i:], a.AsSlice())
				want = want || inSixes[a]
			}
			check("IPv6 hosts", sixF, six, want)
			want = false
			for i := range 2 {
				a := addr6()
				if r.IntN(3) == 0 {
					a = netip.MustParsePrefix(random(nets6)).Addr().Next()
				}
				copy(six[22+16*i:], a.AsSlice())
				want = want || slices.ContainsFunc(prefixes6, func(p netip.Prefix) bool { return p.Contains(a) })
			}
			check("IPv6 nets", net6F, six, want)
			check("no IPv6 nets", notNet6, six, !want)
		}
	}
}

// What does not fit is an error.
func TestTooLong(t *testing.T) {
	if _, err := Compile(hosts(3000), Options{Link: link.TypeEthernet}); !errors.Is(err, ErrTooLong) {
		t.Errorf("three thousand hosts: %v, want %v", err, ErrTooLong)
	}
	deep := "ip[1]"
	for range 20 {
		deep = "ip[1] + (" + deep + ")"
	}
	if _, err := Compile(deep+" = 1", Options{Link: link.TypeEthernet}); !errors.Is(err, ErrTooLong) {
		t.Errorf("twenty registers: %v, want %v", err, ErrTooLong)
	}
	if _, err := Compile(strings.Repeat("geneve and ", 10)+"ip", Options{Link: link.TypeEthernet}); !errors.Is(err, ErrTooLong) {
		t.Errorf("ten tunnels: %v, want %v", err, ErrTooLong)
	}
}

// Jumps farther than 255 instructions.
func TestLongJumps(t *testing.T) {
	var parts []string
	for i := range 400 {
		parts = append(parts, fmt.Sprintf("ip[%d] = %d", i%40, i%7+200))
	}
	or := mustCompile(t, "ip and ("+strings.Join(parts, " or ")+") or arp")
	and := mustCompile(t, "not ("+strings.Join(parts, " or ")+")")
	frame := make([]byte, 120)
	copy(frame[12:], []byte{8, 0, 0x45})
	if or.Match(frame, 120, nil) || !and.Match(frame, 120, nil) {
		t.Error("no byte is as asked for, but a frame matches")
	}
	for i := range 40 {
		f := slices.Clone(frame)
		f[14+i] = byte(i%7 + 200)
		if !or.Match(f, 120, nil) || and.Match(f, 120, nil) {
			t.Errorf("byte %d is as asked for, but the frame does not match", i)
		}
	}
	frame[13] = 6
	if !or.Match(frame, 120, nil) {
		t.Error("ARP does not match")
	}
}

// resolver knows the names of the test.
type resolver struct{ DefaultResolver }

type key struct{}

func (resolver) LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	if ctx.Value(key{}) == nil {
		return nil, errors.New("not the caller's context")
	}
	switch name {
	case "two":
		return []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("10.0.0.8")}, nil
	case "gw":
		return []netip.Addr{netip.MustParseAddr("10.0.0.254")}, nil
	case "broken":
		return nil, context.DeadlineExceeded
	}
	return nil, fmt.Errorf("%q: %w", name, ErrUnknownName)
}

func (resolver) LookupMAC(_ context.Context, name string) (link.MacAddr, error) {
	if name == "gw" {
		return link.ParseMac("02:00:00:00:00:fe")
	}
	return link.MacAddr{}, ErrUnknownName
}

func (resolver) LookupNetwork(_ context.Context, name string) (netip.Prefix, error) {
	if name == "lab" {
		return netip.MustParsePrefix("192.168.7.0/24"), nil
	}
	return netip.Prefix{}, ErrUnknownName
}

func TestResolver(t *testing.T) {
	ctx := context.WithValue(context.Background(), key{}, true)
	opts := Options{Link: link.TypeEthernet, Resolver: resolver{}}
	for _, tt := range []struct{ expr, same string }{
		{"host two", "host 10.0.0.8 or host 10.0.0.9 or host 2001:db8::9"},
		{"ip host two", "ip host 10.0.0.8 or ip host 10.0.0.9"},
		{"ip6 host two", "ip6 host 2001:db8::9"},
		{"net lab", "net 192.168.7.0/24"},
		{"ether host gw", "ether host 02:00:00:00:00:fe"},
		{"ip gateway gw", "ether host 02:00:00:00:00:fe and ip and not ip host 10.0.0.254"},
		{"port domain", "port 53"},
		{"portrange domain-http", "portrange 53-80"},
		{"port bootps", "udp port 67"},
	} {
		f, err := CompileContext(ctx, tt.expr, opts)
		if err != nil {
			t.Errorf("%q: %v", tt.expr, err)
			continue
		}
		same := mustCompile(t, tt.same)
		r := rand.New(rand.NewPCG(5, 6))
		for range 3000 {
			p := randomPacket(r)
			if r.IntN(2) == 0 {
				p = frame4(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(256))}), netip.AddrFrom4([4]byte{192, 168, 7, byte(r.IntN(20))}), uint16(r.IntN(100)), 9)
				p[11], p[5] = byte(0xfd+r.IntN(3)), byte(0xfd+r.IntN(3))
			}
			if f.Match(p, len(p), nil) != same.Match(p, len(p), nil) {
				t.Errorf("%q and %q differ for % x", tt.expr, tt.same, p[:50])
				break
			}
		}
	}
	for _, tt := range []struct {
		expr string
		want error
	}{
		{"host broken", context.DeadlineExceeded},
		{"host nosuch", ErrUnknownName},
		{"ether host nosuch", ErrUnknownName},
		{"net nosuch", ErrUnknownName},
		{"arp host nosuch", ErrUnknownName},
		{"gateway two", ErrUnknownName},
	} {
		if _, err := CompileContext(ctx, tt.expr, opts); !errors.Is(err, tt.want) {
			t.Errorf("%q: %v, want %v", tt.expr, err, tt.want)
		}
	}
}

// The tables are of IANA's registries: Protocol Numbers, and Service Name and
// Transport Protocol Port Number.
func TestDefaultResolver(t *testing.T) {
	for _, tt := range []struct{ expr, same string }{
		{"port netbios-ns", "udp port 137"},
		{"port netbios-ssn", "tcp port 139"},
		{"port domain", "port 53"},
		{"port https", "port 443"},
		{"src port bootpc", "udp src port 68"},
		{`port \80`, "port 80"}, // a name that is a number
		{`tcp port \0443`, "tcp port 443"},
		{"ip proto ipip", "ip proto 94"},
		{"ip proto ipencap", "ip proto 4"},
		{"proto ospf", "proto 89"},
		{"proto ospfigp", "proto 89"},
		{"ip6 proto gre", "ip6 proto 47"},
		{"net loopback", "net 127.0.0.0/8"},
		{"host localhost", "host 127.0.0.1 or host ::1"},
	} {
		got, want := mustCompile(t, tt.expr).Program(), mustCompile(t, tt.same).Program()
		if !slices.Equal(got, want) {
			t.Errorf("%q is\n%v\nand %q is\n%v", tt.expr, got, tt.same, want)
		}
	}
	for _, expr := range []string{`port \65536`, `port \0x50`, "net nosuch", "proto nosuch", "host example.com", "ether host localhost"} {
		if _, err := Compile(expr, Options{Link: link.TypeEthernet}); !errors.Is(err, ErrUnknownName) {
			t.Errorf("%q: %v, want an unknown name", expr, err)
		}
	}
}

// What a filter for a Linux socket asks the kernel for.
func TestTargetLinux(t *testing.T) {
	compile := func(expr string) *Filter {
		f, err := Compile(expr, Options{Link: link.TypeEthernet, Target: TargetLinux})
		if err != nil {
			t.Fatalf("Compile(%q): %v", expr, err)
		}
		if err := f.program.ValidateLinux(); err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		return f
	}
	plain := frame4(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 1000, 53)
	tagged := func(id uint16, frame []byte) []byte {
		return slices.Concat(frame[:12], []byte{0x81, 0x00, byte(id >> 8), byte(id)}, frame[12:])
	}
	taken := func(id uint16) *link.Info {
		return &link.Info{VLANTCI: id, VLANTPID: 0x8100, Flags: link.InfoVLAN}
	}
	for _, tt := range []struct {
		expr  string
		frame []byte
		info  *link.Info
		want  bool
	}{
		{"vlan", plain, &link.Info{}, false},
		{"vlan", plain, taken(5), true},
		{"vlan", tagged(5, plain), &link.Info{}, true},
		{"vlan 5", plain, taken(5), true},
		{"vlan 5", plain, taken(6), false},
		{"vlan 5", plain, taken(0xe005), true},
		{"vlan 5", tagged(5, plain), &link.Info{}, true},
		{"vlan 5", tagged(6, plain), &link.Info{}, false},
		{"vlan 5 and udp port 53", plain, taken(5), true},
		{"vlan 5 and udp port 53", tagged(5, plain), &link.Info{}, true},
		{"vlan 5 and udp port 54", tagged(5, plain), &link.Info{}, false},
		{"vlan 5 and vlan 6 and host 10.0.0.1", tagged(6, plain), taken(5), true},
		{"vlan 5 and vlan 6 and host 10.0.0.1", tagged(5, tagged(6, plain)), &link.Info{}, true},
		{"vlan 5 and vlan 6 and host 10.0.0.1", tagged(5, tagged(7, plain)), &link.Info{}, false},
		{"vlan 5 and ether host 02:00:00:00:00:01", plain, taken(5), true},
		{"not vlan and udp", plain, &link.Info{}, true},
		{"outbound", plain, &link.Info{Direction: link.DirectionOut}, true},
		{"inbound", plain, &link.Info{Direction: link.DirectionOut}, false},
		{"inbound and udp", plain, &link.Info{Direction: link.DirectionIn}, true},
		{"ifindex 7", plain, &link.Info{Interface: 7}, true},
		{"ifindex 7", plain, &link.Info{Interface: 8}, false},
	} {
		if got := compile(tt.expr).Match(tt.frame, len(tt.frame), tt.info); got != tt.want {
			t.Errorf("%q: %v, want %v for %v % x", tt.expr, got, tt.want, tt.info, tt.frame[:40])
		}
	}
	for _, expr := range []string{"inbound", "outbound", "ifindex 1"} {
		if _, err := Compile(expr, Options{Link: link.TypeEthernet}); !errors.Is(err, ErrUnsupportedLink) {
			t.Errorf("%q for a file: %v, want %v", expr, err, ErrUnsupportedLink)
		}
	}
}

// A VXLAN packet, which libpcap 1.10.3 cannot filter, so that no other test
// compares it.
func TestVXLAN(t *testing.T) {
	inner := frame4(netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.2"), 1000, 53)
	outer := frame4(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 40000, 4789)[:42]
	frame := slices.Concat(outer, []byte{8, 0, 0, 0, 0, 0x12, 0x34, 0}, inner)
	for expr, want := range map[string]bool{
		"vxlan":                                       true,
		"vxlan 0x1234":                                true,
		"vxlan 4661":                                  false,
		"vxlan and udp port 53":                       true,
		"vxlan and udp port 4789":                     false,
		"udp port 4789 and vxlan":                     true,
		"vxlan and host 192.168.1.1":                  true,
		"vxlan and host 10.0.0.1":                     false,
		"host 10.0.0.1 and vxlan and src net 192.168": true,
		"vxlan and ether host 02:00:00:00:00:01":      true,
		"vxlan and ether host 02:00:00:00:00:03":      false,
		"vxlan and arp":                               false,
		"geneve":                                      false,
	} {
		f := mustCompile(t, expr)
		if err := f.program.ValidateLinux(); err != nil {
			t.Errorf("%q: %v", expr, err)
		}
		if got := f.Match(frame, len(frame), nil); got != want {
			t.Errorf("%q: %v, want %v", expr, got, want)
		}
	}
}

// Chains of headers, which libpcap follows without end.
func TestProtoChain(t *testing.T) {
	v6 := func(headers ...[]byte) []byte {
		frame := make([]byte, 14+40)
		copy(frame[12:], []byte{0x86, 0xdd, 0x60})
		frame[20] = headers[0][0]
		for i, h := range headers {
			body := slices.Clone(h[1:])
			if i+1 < len(headers) {
				body[0] = headers[i+1][0]
			}
			frame = append(frame, body...)
		}
		return append(frame, make([]byte, 40)...)
	}
	opts := func(kind byte, units int) []byte {
		b := make([]byte, 1+8*units)
		b[0], b[2] = kind, byte(units-1)
		return b
	}
	ah := []byte{ipAH, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	tcp := append([]byte{ipTCP}, make([]byte, 20)...)
	v4 := frame4(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 1, 2)
	v4ah := slices.Concat(v4[:34], ah[1:], make([]byte, 40))
	v4ah[23], v4ah[34] = ipAH, ipTCP
	for _, tt := range []struct {
		expr  string
		frame []byte
		want  bool
	}{
		{"ip6 protochain 6", v6(tcp), true},
		{"ip6 protochain 6", v6(opts(ipHopOpts, 1), tcp), true},
		{"ip6 protochain 6", v6(opts(ipHopOpts, 3), opts(ipRouting, 2), opts(ipDstOpts, 1), opts(ipFragment, 1), tcp), true},
		{"ip6 protochain 17", v6(opts(ipHopOpts, 3), opts(ipRouting, 2), opts(ipDstOpts, 1), opts(ipFragment, 1), tcp), false},
		{"ip6 protochain 43", v6(opts(ipHopOpts, 3), opts(ipRouting, 2), tcp), true},
		{"ip6 protochain 60", v6(opts(ipHopOpts, 3), opts(ipRouting, 2), tcp), false},
		{"ip6 protochain 6", v6(opts(ipHopOpts, 2), ah, tcp), true},
		{"ip6 protochain 6", v6(opts(ipHopOpts, 2), []byte{ipNoNext, 6, 0, 0, 0, 0, 0, 0, 0}), false},
		{"protochain 6", v6(opts(ipHopOpts, 2), tcp), true},
		{"ip protochain 17", v4, true},
		{"ip protochain 6", v4, false},
		{"ip protochain 6", v4ah, true},
		{"ip protochain 51", v4ah, true},
		{"ip protochain 17", v4ah, false},
		{"protochain \\tcp", v4ah, true},
		{"ip6 protochain 6", v4ah, false},
	} {
		f := mustCompile(t, tt.expr)
		if err := f.program.ValidateLinux(); err != nil {
			t.Errorf("%q: %v", tt.expr, err)
		}
		if got := f.Match(tt.frame, len(tt.frame), nil); got != tt.want {
			t.Errorf("%q: %v, want %v for % x", tt.expr, got, tt.want, tt.frame[12:])
		}
	}
}

func TestOptions(t *testing.T) {
	f, err := Compile("ip", Options{Link: link.TypeEthernet, SnapLen: 96})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Program()[2].K; got != 96 {
		t.Errorf("the program returns %d, want 96", got)
	}
	f.Program()[2].K = 5
	if got := f.Program()[2].K; got != 96 {
		t.Error("a change of what Program returns changes the filter")
	}
	if f, err = Compile(" ", Options{Link: link.TypeRaw}); err != nil || len(f.Program()) != 1 || !f.Match(nil, 0, nil) {
		t.Errorf("the empty expression: %v, %v, want one that matches everything", f, err)
	}
	// A netmask of /24.
	f, err = Compile("ip broadcast", Options{Link: link.TypeRaw, Netmask: 0xffffff00})
	if err != nil {
		t.Fatal(err)
	}
	packet := frame4(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.255"), 1, 2)[14:]
	if !f.Match(packet, len(packet), nil) {
		t.Error("10.0.0.255 is no broadcast of a /24")
	}
	if packet[19] = 254; f.Match(packet, len(packet), nil) {
		t.Error("10.0.0.254 is a broadcast of a /24")
	}
	if _, err := Compile("ip", Options{Dialect: 200}); !errors.Is(err, ErrMeaning) {
		t.Errorf("an unknown dialect: %v, want %v", err, ErrMeaning)
	}
}

// Encapsulations that hold in their own clause.
func TestScoped(t *testing.T) {
	plain := frame4(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 1000, 53)
	tag := func(id byte) []byte { return slices.Concat(plain[:12], []byte{0x81, 0, 0, id}, plain[12:]) }
	for _, tt := range []struct {
		expr        string
		frame       []byte
		pcap, scope bool
	}{
		{"vlan and ip or ip", plain, false, true},
		{"vlan and ip or ip", tag(1), true, true},
		{"ip or (vlan and ip)", plain, true, true},
		{"(vlan 1 and ip) or udp port 53", plain, false, true},
		{"vlan 1 or vlan 2", tag(2), false, true},
		{"vlan 1 or vlan 2", tag(1), true, true},
		{"not vlan and udp", plain, false, true},
		{"not vlan and udp", tag(1), false, false},
		{"vlan and (host 10.0.0.1 or arp)", tag(1), true, true},
		{"(vlan 1 or vlan 2) and ip", tag(2), false, true},
		{"vlan 1 and vlan 2", tag(1), false, false},
		{"(vlan 1 and ip) and udp", tag(1), true, true},
		{"mpls and ip or ip", plain, false, true},
		{"geneve and ip or ip", plain, false, true},
	} {
		for _, d := range []Dialect{DialectPcap, DialectScoped} {
			f, err := Compile(tt.expr, Options{Link: link.TypeEthernet, Dialect: d})
			if err != nil {
				t.Errorf("%q: %v", tt.expr, err)
				continue
			}
			want := tt.pcap
			if d == DialectScoped {
				want = tt.scope
			}
			if got := f.Match(tt.frame, len(tt.frame), nil); got != want {
				t.Errorf("%q in dialect %d: %v, want %v for % x", tt.expr, d, got, want, tt.frame[:20])
			}
		}
	}
}

func TestExplain(t *testing.T) {
	f := mustCompile(t, "udp dst port 53 and src host 10.0.0.1")
	got := f.Explain(context.Background())
	for _, want := range []string{"type = 2048 (0x800), ip?", "destination port = 53 (0x35)?", "source address = 10.0.0.1?", "; match", "; no match"} {
		if !strings.Contains(got, want) {
			t.Errorf("explanation\n%s does not have %q", got, want)
		}
	}
	if lines := strings.Count(got, "\n"); lines != len(f.program) {
		t.Errorf("the explanation has %d lines, the program %d instructions", lines, len(f.program))
	}
}

// The programs of frequent expressions are no longer than libpcap 1.10's
// optimized ones, whose lengths these are.
func TestProgramLength(t *testing.T) {
	for expr, limit := range map[string]int{
		"ip": 4, "tcp port 80": 20, "host 10.0.0.1": 14, "not port 22 and not arp": 25, "tcp port 80 or 443": 23,
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0": 11, "tcp": 12, "udp port 53": 20, "port 53": 24, "icmp": 6, "net 10.0.0.0/8": 18,
	} {
		if n := len(mustCompile(t, expr).program); n > limit {
			t.Errorf("%q has %d instructions, libpcap's program has %d", expr, n, limit)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, expr := range []string{
		"ip", "tcp port 80 or 443", "host 10.0.0.1 and not (b or c)", "net 10.0.0.0/8 or net ::/3", "ip[ip[0]&0xf:2] % 3 ^ 1 > - len",
		"vlan 5 and mpls 3 and tcp", "pppoes 1 and geneve 2 and vxlan", "ether host 001122334455", "wlan type mgt subtype beacon or dir tods",
		"vpi (1 or 2) and vci > 3 and lane and ip", "opc 5 or hsls != 3", "ip6 protochain 6", `ether proto \ip`, "portrange http-443", "llc rnr",
		"on em0 and reason 3", "decnet host 1.2", "link host $1", "not not ((len)) = (5)", "a\\b", "host ::ffff:1.2.3.4/128",
		"inner tcp port 80", "vlan 10,20-30 and inner (udp[0:2] = 53 or vlan)", "inner inner (mpls 5-7 and host ::1)", "vxlan 3 and icmp6[0] = 1 or ip6 proto 60",
	} {
		f.Add(expr, uint16(1), []byte("0123456789ab\x08\x00E0123456789012345678901234567890"))
		f.Add(expr, uint16(127), []byte("\x00\x00\x08\x00\x00\x00\x00\x00\x88\x00"))
		f.Add(expr, uint16(101), []byte{0x45})
	}
	for _, p := range scopedPackets(f) {
		f.Add("inner tcp[13] = 2 or vlan 10 and not port 53", uint16(p.link), p.data)
	}
	f.Fuzz(func(t *testing.T, expr string, typ uint16, packet []byte) {
		for i := range 4 {
			opts := Options{Link: link.Type(typ), Target: Target(i & 1), Dialect: Dialect(i >> 1)}
			p, err := Compile(expr, opts)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Pos < 0 || e.Pos > e.End || e.Expr != "" && e.End > len(expr) {
					t.Fatalf("bad error %#v", err)
				}
				e.Caret()
				continue
			}
			if err := p.program.ValidateLinux(); err != nil {
				t.Fatalf("%q: %v\n%v", expr, err, p.program)
			}
			verdict := p.Match(packet, len(packet), nil)
			opts.NoOptimize = true
			plain, err := Compile(expr, opts)
			if err != nil {
				if errors.Is(err, ErrTooLong) {
					continue
				}
				t.Fatalf("%q: %v without the optimizer", expr, err)
			}
			long := append(slices.Clone(packet), make([]byte, 1<<16)...)
			if p.Match(long, len(packet), nil) != plain.Match(long, len(packet), nil) {
				t.Fatalf("%q: the optimizer changes a verdict\n%v\n%v", expr, p.program, plain.program)
			}
			opts.NoOptimize = false
			again, err := Compile(p.String(), opts)
			if err != nil {
				t.Fatalf("%q is %q: %v", expr, p.String(), err)
			}
			if again.Match(packet, len(packet), nil) != verdict {
				t.Fatalf("%q and %q differ", expr, p.String())
			}
			p.Explain(context.Background())
		}
	})
}

// What the compiler needs for most expressions is on the stack. What it returns
// is not, of which the tree has one node for each word or two.
func TestCompileOnStack(t *testing.T) {
	for expr, limit := range map[string]float64{"ip": 3, "host 10.0.0.1": 3, "tcp port 80": 4, "icmp or icmp6 or arp": 7} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := Compile(expr, Options{Link: link.TypeEthernet}); err != nil {
				t.Fatal(err)
			}
		})
		if !raceEnabled && n > limit {
			t.Errorf("%q: %v allocations, want %v", expr, n, limit)
		}
	}
}
