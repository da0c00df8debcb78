package fuzz

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// The scoped dialect of package filter: its programs run by the kernel, on
// pairs of sockets and in captures, and compared with what tshark says of the
// layers.

// scopedPacket is a packet of common/filter/testdata/scoped/packets.txt.
type scopedPacket struct {
	name string
	data []byte
}

// scopedPackets returns those of Ethernet.
func scopedPackets(t testing.TB) []scopedPacket {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "common", "filter", "testdata", "scoped", "packets.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var packets []scopedPacket
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "; ")
		if len(f) != 3 || f[1] != "EN10MB" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, scopedPacket{f[0], b})
	}
	if len(packets) < 40 {
		t.Fatalf("%d packets of Ethernet, want at least 40", len(packets))
	}
	return packets
}

// scopedPrimitive returns a primitive of the scoped dialect.
func scopedPrimitive(r *rand.Rand) string {
	port := func() int { return pick(r, 53, 80, 443, 2152, 4789, 6081) }
	switch r.IntN(20) {
	case 0, 1:
		return fmt.Sprintf("%s%sport %d", pick(r, "", "tcp ", "udp ", "sctp "), pick(r, "", "src ", "dst "), port())
	case 2:
		return fmt.Sprintf("port (%d or %d or %d)", port(), port(), port())
	case 3:
		return fmt.Sprintf("tcp portrange %d-%d", port(), port())
	case 4:
		return pick(r, "ip", "ip6", "arp", "tcp", "udp", "sctp", "icmp", "icmp6", "ah", "pim", "llc", "iso", "broadcast")
	case 5:
		return fmt.Sprintf("%sproto %d", pick(r, "", "ip ", "ip6 "), pick(r, 0, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60))
	case 6:
		return fmt.Sprintf("%s[%d:%d] %s %d", pick(r, "tcp", "udp", "icmp6", "sctp", "ip", "ip6", "ether"), r.IntN(8), pick(r, 1, 2), pick(r, "=", "!=", "<", ">="), pick(r, 0, 2, 80, 128, 40000))
	case 7:
		return pick(r, "tcp[2:2] = udp[2:2]", "ip[2:2] - 20 > len", "tcp[tcpflags] & tcp-syn != 0", "tcp[ip[0] & 7] + udp[4] > 3", "len > 100", "ip[6:2] & 0x1fff = 0")
	case 8, 9:
		return "host " + pick(r, "10.0.0.1", "192.168.1.1", "2001:db8::1", "2001:db8:1::1", "172.16.0.1")
	case 10:
		return pick(r, "net 10.0.0.0/8", "net 192.168.0.0/16", "net 2001:db8::/32", "ip multicast")
	case 11:
		return "ether host " + pick(r, "02:00:00:00:00:01", "02:00:00:00:01:01")
	case 12:
		return fmt.Sprintf("ether proto %s", pick(r, "0x8100", "0x88a8", "0x9100", `\ip`, `\ip6`, "0x8847"))
	case 13, 14:
		return pick(r, "vlan", "vlan", "vlan 10", "vlan 20", "vlan 10,20-30", "vlan 1-100", "vlan 0,100")
	case 15:
		return pick(r, "mpls", "mpls 16", "mpls 15-20", "pppoes", "pppoes 7", "pppoes 1,7-9", "pppoed")
	case 16:
		return pick(r, "vxlan", "vxlan 0x1234", "vxlan 4660-4670", "geneve", "geneve 9,10")
	case 17:
		return pick(r, "ip6 protochain 6", "ip protochain 17", "protochain 6")
	}
	return "inner " + scopedPrimitive(r)
}

// scopedExpr returns an expression of about size primitives.
func scopedExpr(r *rand.Rand, size int) string {
	if size <= 1 {
		return scopedPrimitive(r)
	}
	n := 1 + r.IntN(size-1)
	a, b := scopedExpr(r, n), scopedExpr(r, size-n)
	switch r.IntN(7) {
	case 0:
		return "not (" + a + ") and (" + b + ")"
	case 1:
		return "(" + a + ") or not (" + b + ")"
	case 2:
		return "inner (" + a + ") and (" + b + ")"
	case 3, 4:
		return "(" + a + ") and (" + b + ")"
	}
	return "(" + a + ") or (" + b + ")"
}

// mutated returns a packet with some bytes changed, or its end missing.
func mutated(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	switch r.IntN(4) {
	case 0:
		return b
	case 1:
		return b[:1+r.IntN(len(b))]
	}
	for range 1 + r.IntN(3) {
		b[12+r.IntN(len(b)-12)] = pick(r, 0, 1, 6, 17, 44, 51, 60, 0x45, 0x81, 0xff, byte(r.IntN(256)))
	}
	return b
}

// The kernel takes every program and comes to the same verdicts; the optimizer
// changes none, and logic holds, on packets that no load leaves.
func TestScopedExpressions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 4))
	packets := scopedPackets(t)
	s := newFilterSocket(t)
	n := 600
	if testing.Short() {
		n = 150
	}
	programs, accepted, long := 0, 0, 0
	for range n {
		expr, other := scopedExpr(r, 1+r.IntN(4)), scopedExpr(r, 1+r.IntN(2))
		opts := filter.Options{Link: link.TypeEthernet, Dialect: filter.DialectScoped}
		compile := func(expr string) *filter.Filter {
			f, err := filter.Compile(expr, opts)
			if errors.Is(err, filter.ErrTooLong) {
				long++
				return nil
			}
			// What has no meaning behind MPLS labels or in PPP.
			if errors.Is(err, filter.ErrUnsupportedLink) || errors.Is(err, filter.ErrMeaning) && (strings.Contains(expr, "mpls") || strings.Contains(expr, "pppoes")) {
				return nil
			}
			if err != nil {
				t.Fatalf("Compile(%q): %v", expr, err)
			}
			return f
		}
		f := compile(expr)
		if f == nil {
			continue
		}
		p := f.Program()
		if err := s.attach(p); err != nil {
			t.Fatalf("%s: the kernel: %v", expr, err)
		}
		programs++
		vm, err := filter.NewVM(p, filter.VMOptions{Linux: true})
		if err != nil {
			t.Fatal(err)
		}
		g, not, nand := compile(other), compile("not ("+expr+")"), compile("not (("+expr+") and ("+other+"))")
		opts.NoOptimize = true
		plain := compile(expr)
		opts.NoOptimize = false
		again := compile(f.String())
		if again == nil || !slices.Equal(again.Program(), p) {
			t.Fatalf("%q and %q have different programs", expr, f.String())
		}
		for _, packet := range packets {
			b := mutated(r, packet.data)
			got, kernel := vm.Run(b, len(b)) != 0, s.run(t, b) != 0
			if got != kernel {
				t.Errorf("%s: %t, the kernel %t, of %x and\n%s", expr, got, kernel, b, p)
			}
			if kernel {
				accepted++
			}
			padded := append(slices.Clone(b), make([]byte, 65536)...)
			x := f.Match(padded, len(b), nil)
			if plain != nil && plain.Match(padded, len(b), nil) != x {
				t.Errorf("%s: optimized %t, not optimized %t, of %x", expr, x, !x, b)
			}
			if not != nil && not.Match(padded, len(b), nil) == x {
				t.Errorf("%s and its negation are both %t of %x", expr, x, b)
			}
			// An encapsulation in the one moves the other in "and": so only
			// where there is none.
			if nand == nil || g == nil || strings.ContainsAny(expr+other, "%/") || opensScope(expr) {
				continue
			}
			if y := g.Match(padded, len(b), nil); nand.Match(padded, len(b), nil) == (x && y) {
				t.Errorf("not ((%s) and (%s)): %t, want %t, of %x", expr, other, x && y, !(x && y), b)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d programs, %d too long, %d packets accepted", programs, long, accepted)
	if programs < n*3/4 || accepted < n {
		t.Error("the test has no use")
	}
}

// opensScope reports whether an expression moves what is joined to it.
func opensScope(expr string) bool {
	for _, word := range []string{"vlan", "mpls", "pppoes", "vxlan", "geneve"} {
		if strings.Contains(expr, word) {
			return true
		}
	}
	return false
}

func isTag(b []byte) bool {
	return b[0] == 0x81 && b[1] == 0 || b[0] == 0x88 && b[1] == 0xa8 || b[0] == 0x91 && b[1] == 0
}

// sentAs reports whether a frame was sent as data: body is what is captured of it
// behind the link header.
func sentAs(data, body []byte, info *link.Info) bool {
	n := 14
	tpid, tci := uint16(data[12])<<8|uint16(data[13]), uint16(data[14])<<8|uint16(data[15])
	if info.Flags.Has(link.InfoVLAN) {
		n = 18
		if tpid != info.VLANTPID || tci != info.VLANTCI {
			return false
		}
	}
	return bytes.Equal(data[n:], body)
}

// The kernel filters a capture of an interface, whose outermost VLAN tags it
// takes off, and one of all interfaces, whose frames have no link header: both
// accept what the frame that was sent is accepted for in a file.
func TestScopedCapture(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	open := func(ns *netns.NS, name string) *capture.Sniffer {
		var s *capture.Sniffer
		if err := ns.Do(func() (err error) {
			s, err = capture.Open(name, &capture.Config{Immediate: true})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	sender := open(there, "veth0")
	packets := scopedPackets(t)
	marker := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 46)...)
	captures := []*capture.Sniffer{open(here, "veth0"), open(here, "any")}
	if l := captures[1].Link(); l != link.TypeLinuxSLL2 {
		t.Fatalf("link type %v, want %v", l, link.TypeLinuxSLL2)
	}
	accepted := 0
	for _, expr := range []string{
		"tcp port 80", "ip6 and tcp port 80", "udp port 53", "arp", "vlan", "not vlan", "vlan 10", "vlan 10,20-30", "vlan 100 and vlan 10", "vlan 10 and arp",
		"vlan 100 and tcp port 80", "not vlan and tcp", "vlan 1 and vlan 2 and vlan 3 and tcp", "ip6 proto 0", "ah", "icmp6[icmp6type] = icmp6-echo", "tcp[13] = 2",
		"inner tcp port 80", "inner udp port 53", "vlan and inner vlan 20", "inner inner tcp", "inner ether src 02:00:00:00:01:01", "vxlan 0x1234 and tcp", "geneve",
		"pppoes and tcp port 80", "vlan 10 and pppoes 7 and tcp", "host 10.0.0.1 and not inner ip", "vlan and (tcp or arp) or udp", "sctp dst port 80 or icmp",
	} {
		file, err := filter.Compile(expr, filter.Options{Link: link.TypeEthernet, Dialect: filter.DialectScoped})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, p := range packets {
			if file.Match(p.data, len(p.data), nil) {
				want = append(want, p.name)
			}
		}
		if len(want) == 0 {
			t.Fatalf("%s accepts nothing", expr)
		}
		for _, s := range captures {
			f, err := filter.Compile("("+expr+") or ether proto 0x88b5", filter.Options{Link: s.Link(), Dialect: filter.DialectScoped, Target: filter.TargetLinux})
			if err != nil {
				t.Fatalf("%v: %q: %v", s.Link(), expr, err)
			}
			if err := s.Activate(f.Program()); err != nil {
				t.Fatalf("%v: %q: %v", s.Link(), expr, err)
			}
			if err := s.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			for _, p := range packets {
				if err := sender.Send(p.data); err != nil {
					t.Fatal(err)
				}
			}
			if err := sender.Send(marker); err != nil {
				t.Fatal(err)
			}
			header := 14
			if s.Link() == link.TypeLinuxSLL2 {
				header = 20
			}
			var got []string
			next := 0 // frames come in the order in which they were sent
			for {
				var frame link.Frame
				if err := s.Next(&frame); err != nil {
					t.Fatalf("%v: %q: %v", s.Link(), expr, err)
				}
				body := frame.Data[header:]
				if bytes.HasPrefix(marker[14:], body) {
					break
				}
				i := slices.IndexFunc(packets[next:], func(p scopedPacket) bool { return sentAs(p.data, body, &frame.Info) })
				if i < 0 {
					continue // of the kernel's own
				}
				// Of a second tag, which it has not taken off, the kernel tells the
				// filter, but what it says for the cooked header is behind it.
				sent := packets[next+i].data
				if two := isTag(sent[12:]) && isTag(sent[16:]); (!two || s.Link() == link.TypeEthernet) && !f.MatchFrame(&frame) {
					t.Errorf("%v: %q: the kernel accepts what we do not: %x", s.Link(), expr, frame.Data)
				}
				next += i + 1
				got = append(got, packets[next-1].name)
			}
			accepted += len(got)
			// Of three tags the kernel takes one off, and two are skipped.
			three := func(name string) bool { return name == "tcp4 three tags" }
			if !slices.Equal(slices.DeleteFunc(slices.Clone(got), three), slices.DeleteFunc(slices.Clone(want), three)) {
				t.Errorf("%v: %q accepts\n%q, want\n%q", s.Link(), expr, got, want)
			}
		}
	}
	t.Logf("%d frames captured", accepted)
}

// sharkLevel is what tshark says of one packet of a stack of tunnels.
type sharkLevel struct {
	network   string   // "ip", "ipv6", "arp" or ""
	transport string   // what stands behind the network header and its extensions
	later     bool     // a fragment that is not the first
	ports     []string // of tcp, udp and sctp: source and destination
	vlans     []string
}

// sharkLevels takes tshark's list of protocols apart. ok is false for a packet
// in which tshark sees what is not compared.
func sharkLevels(p sharkPacket) (levels []sharkLevel, ok bool) {
	const protocols, vlanID, tcpPorts, udpPorts, sctpPorts, frag4, frag6 = 0, 1, 2, 4, 6, 8, 9
	if len(p[protocols]) == 0 {
		return nil, false
	}
	used := map[int]int{}
	take := func(field int) string {
		i := used[field]
		used[field]++
		if i < len(p[field]) {
			return p[field][i]
		}
		return ""
	}
	levels = []sharkLevel{{}}
	words := strings.Split(p[protocols][0], ":")
	for i, w := range words {
		l := &levels[len(levels)-1]
		// A packet within another begins.
		if w == "eth" && i > 0 || (w == "ip" || w == "ipv6" || w == "arp") && l.network != "" {
			levels = append(levels, sharkLevel{})
			l = &levels[len(levels)-1]
		}
		switch w {
		case "eth", "ethertype", "sll", "raw", "null", "frame":
		case "vlan":
			l.vlans = append(l.vlans, take(vlanID))
			if len(l.vlans) > 2 {
				return nil, false
			}
		case "ip":
			l.network = w
			l.later = take(frag4) != "0"
		case "ipv6", "arp":
			l.network = w
		case "ipv6.fraghdr":
			l.later = take(frag6) != "0"
		case "ipv6.hopopts", "ipv6.routing", "ipv6.dstopts":
		case "ah":
			// Of IPv4 it is a transport protocol to us.
			if l.network == "ip" && l.transport == "" {
				l.transport = w
			}
		case "tcp", "udp", "sctp":
			if l.transport == "" {
				l.transport = w
				src := map[string]int{"tcp": tcpPorts, "udp": udpPorts, "sctp": sctpPorts}[w]
				l.ports = []string{take(src), take(src + 1)}
			}
		case "gre", "vxlan", "geneve", "gtp", "icmp", "icmpv6", "esp":
			if l.transport == "" {
				l.transport = w
			}
		case "data":
			if l.network == "" {
				return nil, false // what has the wrong version, and what is not dissected
			}
		default:
			// malformed, LLC, and what is not dissected
			return nil, false
		}
	}
	return levels, true
}

// scopedExcuses are files with packets of which tshark says something else.
var scopedExcuses = []string{
	"AH-IPcomp-IPv4.pcap",         // behind an authentication header of IPv4, which we do not skip
	"gre-over-udp-4754.pcap",      // GRE in UDP, RFC 8086, is no tunnel to us
	"wccp_redirect_gre.pcap",      // nor is WCCP in GRE
	"LINKTYPE_IPV4_invalid.pcap",  // IPv6 packets on a link type for IPv4
	"kday1.pcap",                  // an IPv6 header that is none, by its version
	"kday3.pcap",                  // the same
	"ipv6_ext_headers.pcap",       // more than six extension headers
	"ipv4_invalid_length.pcap",    // tshark does not go on behind a wrong length
	"ipv6_invalid_length.pcap",    // the same
	"ipv6-mobility-dst-opts.pcap", // the same
	"arp-oobr.pcap",               // ARP with addresses of another ARP's size, which tshark calls two
}

// The scoped dialect against the layers that tshark finds: behind VLAN tags and
// IPv6 extension headers, and in tunnels.
func TestScopedAgainstTshark(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	var files []string
	files = append(files, captures(t, "captures")...)
	files = append(files, captures(t, "corpus")...)
	// And the packets that scapy made.
	crafted := filepath.Join(t.TempDir(), "crafted.pcap")
	w, err := pcap.Create(crafted, pcap.WriterConfig{Link: link.TypeEthernet})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range scopedPackets(t) {
		if p.name == "tcp6 seven" { // one header more than we skip
			continue
		}
		if err := w.WriteFrame(&link.Frame{Data: p.data, Info: link.Info{Link: link.TypeEthernet, WireLen: len(p.data)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files = append(files, crafted)
	config := sharkConfig(t, []string{
		"frame", "eth", "ethertype", "ip", "ipv6", "tcp", "udp", "sctp", "data", "vlan", "ieee8021ad", "arp", "sll", "null", "raw",
		"ipv6.dstopts", "ipv6.fraghdr", "ipv6.hopopts", "ipv6.routing", "ah", "esp", "gre", "vxlan", "geneve", "gtp",
	})
	path, places := merged(t, files, 250)
	var fields []field
	for _, name := range []string{"frame.protocols", "vlan.id", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "sctp.srcport", "sctp.dstport",
		"ip.frag_offset", "ipv6.fraghdr.offset", "frame.cap_len", "frame.len"} {
		fields = append(fields, field{name: name, kind: text})
	}
	type claim struct {
		expr string
		is   func(l []sharkLevel) bool
	}
	network := func(i int, name string) func(l []sharkLevel) bool {
		return func(l []sharkLevel) bool { return i < len(l) && l[i].network == name }
	}
	transport := func(i int, name string) func(l []sharkLevel) bool {
		return func(l []sharkLevel) bool { return i < len(l) && l[i].transport == name }
	}
	port := func(i int, name string, side int, ports ...string) func(l []sharkLevel) bool {
		return func(l []sharkLevel) bool {
			return i < len(l) && len(l[i].ports) == 2 && (name == "" || l[i].transport == name) &&
				(side != 1 && slices.Contains(ports, l[i].ports[0]) || side != 0 && slices.Contains(ports, l[i].ports[1]))
		}
	}
	vlan := func(i int, lo, hi int) func(l []sharkLevel) bool {
		return func(l []sharkLevel) bool {
			if i >= len(l) || len(l[i].vlans) == 0 {
				return false
			}
			n, err := strconv.Atoi(l[i].vlans[0])
			return err == nil && n >= lo && n <= hi
		}
	}
	claims := []claim{
		{"ip", network(0, "ip")}, {"ip6", network(0, "ipv6")}, {"arp or rarp", network(0, "arp")},
		{"tcp", transport(0, "tcp")}, {"udp", transport(0, "udp")}, {"sctp", transport(0, "sctp")}, {"proto 47", transport(0, "gre")},
		{"tcp port 80 or 443", port(0, "tcp", 2, "80", "443")}, {"udp src port 53", port(0, "udp", 0, "53")}, {"port 2152", port(0, "", 2, "2152")},
		{"dst port 4789 or 6081", port(0, "", 1, "4789", "6081")}, {"tcp[2:2] = 80", port(0, "tcp", 1, "80")}, {"udp[0:2] = 53", port(0, "udp", 0, "53")},
		{"vlan", vlan(0, 0, 4095)}, {"vlan 1-100,200", func(l []sharkLevel) bool { return vlan(0, 1, 100)(l) || vlan(0, 200, 200)(l) }},
		{"inner ip", network(1, "ip")}, {"inner ip6", network(1, "ipv6")}, {"inner arp", network(1, "arp")},
		{"inner tcp", transport(1, "tcp")}, {"inner udp", transport(1, "udp")}, {"inner tcp port 80", port(1, "tcp", 2, "80")},
		{"inner udp port 53", port(1, "udp", 2, "53")}, {"inner vlan", vlan(1, 0, 4095)}, {"inner inner ip", network(2, "ip")},
	}
	var filters []map[link.Type]*filter.Filter
	for range claims {
		filters = append(filters, map[link.Type]*filter.Filter{})
	}
	compared, excused, accepted, differ := 0, 0, map[string]int{}, map[string]int{}
	var examples []string
	shark(t, config, path, fields, func(n int, p sharkPacket) {
		at := places[n]
		levels, ok := sharkLevels(p)
		if !ok || !slices.Equal(p[10], p[11]) {
			return
		}
		compared++
		for i, c := range claims {
			f, have := filters[i][at.link]
			if !have {
				var err error
				if f, err = filter.Compile(c.expr, filter.Options{Link: at.link, Dialect: filter.DialectScoped}); err != nil && !errors.Is(err, filter.ErrUnsupportedLink) {
					t.Fatal(err)
				}
				filters[i][at.link] = f
			}
			if f == nil {
				continue
			}
			got, want := f.Match(at.data, len(at.data), nil), c.is(levels)
			if got && want {
				accepted[c.expr]++
			}
			// Of later fragments, tshark does not say of which protocol they are.
			if later := func(l sharkLevel) bool { return l.later }; got == want || !want && slices.ContainsFunc(levels, later) {
				continue
			}
			if slices.Contains(scopedExcuses, filepath.Base(at.file)) {
				excused++
				continue
			}
			if differ[c.expr]++; differ[c.expr] <= 4 {
				examples = append(examples, fmt.Sprintf("%s frame %d: %q: ours %v, tshark %v", filepath.Base(at.file), at.n, c.expr, got, p[0]))
			}
		}
	})
	t.Logf("%d of %d packets compared, %d verdicts excused", compared, len(places), excused)
	for _, c := range claims {
		t.Logf("%6d packets are %s", accepted[c.expr], c.expr)
		if accepted[c.expr] == 0 {
			t.Errorf("no packet is %s: the test has no use", c.expr)
		}
	}
	for _, expr := range slices.Sorted(maps.Keys(differ)) {
		t.Errorf("%s: %d packets differ", expr, differ[expr])
	}
	for _, e := range examples {
		t.Error(e)
	}
}
