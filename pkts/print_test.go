package pkts

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

var updatePrint = flag.Bool("update-print", false, "write testdata/print anew; look at the difference before it is committed")

// printGoldens are packets whose printed forms are in testdata/print.
func printGoldens() []golden {
	var gs []golden
	gs = append(gs, udpGoldens()...)
	gs = append(gs, golden{
		name:  "TCP SYN over IPv6",
		from:  "scapy: Ether()/IPv6(src='fd77::1',dst='fd77::2',fl=5)/TCP(sport=40000,dport=80,flags='S',options=[('MSS',1440),('SAckOK',b''),('Timestamp',(1,0)),('NOP',None),('WScale',7)]), checksum raised by one",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  86 dd
			60 00 00 05  00 28 06 40
			fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 02
			9c 40 00 50  00 00 00 00  00 00 00 00  a0 02 20 00
			90 91 00 00
			02 04 05 a0  04 02  08 0a 00 00 00 01 00 00 00 00  01  03 03 07`,
	}, golden{
		name:  "IPv4 fragment",
		from:  "scapy: Ether()/IP(src='10.0.0.1',dst='10.0.0.2',id=4660,flags='MF')/UDP(sport=1,dport=2,len=4008,chksum=0x1234)/('x'*8)",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  08 00
			45 00 00 24  12 34 20 00  40 11 34 93  0a 00 00 01  0a 00 00 02
			00 01 00 02  0f a8 12 34  78 78 78 78 78 78 78 78`,
	}, golden{
		name:  "cut TCP header",
		from:  "scapy: Ether()/IP(src='10.0.0.1',dst='10.0.0.2')/TCP(sport=1234,dport=80), the first 40 bytes",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  08 00
			45 00 00 28  00 01 00 00  40 06 66 cd  0a 00 00 01  0a 00 00 02
			04 d2 00 50 00 00`,
	}, golden{
		name:  "unknown EtherType with padding",
		from:  "by hand",
		first: &ethernetProtocol,
		hex:   `ff ff ff ff ff ff  02 00 00 00 00 01  88 b5  00 01 02 03`,
	})
	return gs
}

// allGoldens are the packets of all protocols' tests.
func allGoldens() []golden {
	return slices.Concat(printGoldens(), arpGoldens(), ethernetGoldens(), icmpv4Goldens(), icmpv6Goldens(), ipsecGoldens(), ipv4Goldens(), ipv6Goldens(),
		hopByHopGoldens(), destOptsGoldens(), routingGoldens(), fragmentGoldens(), llcGoldens(), loopbackGoldens(), loopGoldens(),
		mldGoldens(), mobilityGoldens(), hipGoldens(), shim6Goldens(), ndpGoldens(), sllGoldens(), sll2Goldens(), tcpGoldens(), udpGoldens(), vlanGoldens(),
		greGoldens(), vxlanGoldens(), geneveGoldens(), gtpuGoldens())
}

// fileName returns a name as one of a file.
func fileName(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "_") }

// TestPrintGoldens compares all printed forms with what is checked in, which a
// person has read.
func TestPrintGoldens(t *testing.T) {
	for _, g := range printGoldens() {
		t.Run(g.name, func(t *testing.T) {
			var p Packet
			_ = p.DecodeAs(g.first, unhex(t, g.hex))
			var b []byte
			b = append(p.AppendSummary(append(b, "# summary\n"...)), '\n')
			b = p.AppendTree(append(b, "# tree\n"...), nil)
			b = p.AppendHexdump(append(b, "# hex dump\n"...))
			b = p.AppendFieldDump(append(b, "# field dump\n"...))
			b = append(p.AppendJSON(append(b, "# JSON\n"...)), '\n')
			b = append(append(append(b, "# Go source\n"...), p.GoString()...), '\n')
			path := filepath.Join("testdata", "print", fileName(g.name)+".txt")
			if *updatePrint {
				if err := os.WriteFile(path, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPrintedSourceRuns compiles what GoString writes and compares the bytes
// that it builds.
func TestPrintedSourceRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a program")
	}
	var src strings.Builder
	src.WriteString("package main\n\nimport (\n\t\"encoding/hex\"\n\t\"fmt\"\n\t\"net/netip\"\n\n" +
		"\t\"github.com/gopkts/gopkts/common/link\"\n\t\"github.com/gopkts/gopkts/pkts\"\n)\n\n" +
		"var (\n\t_ netip.Addr\n\t_ link.Type\n)\n\nfunc main() {\n")
	var names []string
	var want [][]byte
	for _, g := range allGoldens() {
		b := unhex(t, g.hex)
		var p Packet
		_ = p.DecodeAs(g.first, b)
		s := fmt.Sprintf("%#v", &p)
		if strings.HasPrefix(s, "pkts.Stack(\n\t&pkts.Raw{") && g.first != &rawProtocol {
			t.Errorf("%s: the layers do not give the packet back: %s", g.name, s)
		}
		fmt.Fprintf(&src, "\tshow(%s)\n", s)
		names, want = append(names, g.name), append(want, b)
	}
	src.WriteString("}\n\nfunc show(p *pkts.Packet) {\n\tb, err := p.AppendBinary(nil)\n\tfmt.Println(hex.EncodeToString(b), err)\n}\n")
	// Its imports are found from here, wherever the file lies.
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(src.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput()
	if err != nil {
		t.Fatalf("go run: %v\n%s\n%s", err, out, src.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out)
	}
	for i, line := range lines {
		if w := fmt.Sprintf("%x <nil>", want[i]); line != w {
			t.Errorf("%s:\n got %s\nwant %s", names[i], line, w)
		}
	}
}

// TestPrintedSource covers what the goldens do not have.
func TestPrintedSource(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.1")
	const addrs = `, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.1")`
	tests := []struct {
		name string
		p    func(t *testing.T) *Packet
		want string
	}{
		{
			name: "wrong checksum is pinned",
			p: func(t *testing.T) *Packet {
				return Stack(&IPv4{TTL: 1, Src: a, Dst: a, Checksum: Pin[uint16](7)}, &UDP{})
			},
			want: "pkts.Stack(\n\t&pkts.IPv4{TTL: 1, Checksum: pkts.Pin[uint16](7)" + addrs + "},\n\t&pkts.UDP{},\n)",
		},
		{
			name: "padding within a layer",
			p: func(t *testing.T) *Packet {
				p := new(Packet)
				ip := &IPv4{TTL: 1, Src: a, Dst: a}
				p.Append(ip, &UDP{Length: Pin[uint16](8), Checksum: Pin[uint16](0)})
				if err := p.AddChild(ip, &Padding{Data: []byte{1}}); err != nil {
					t.Fatal(err)
				}
				return p
			},
			want: "pkts.Stack(\n\t&pkts.IPv4{TTL: 1" + addrs + "},\n\t&pkts.UDP{Checksum: pkts.Pin[uint16](0)},\n\t&pkts.Padding{Data: []byte(\"\\x01\")},\n)",
		},
		{
			name: "not encodable",
			p:    func(t *testing.T) *Packet { return Stack(&IPv4{DSCP: 64}) },
			want: "pkts.Stack(\n\t&pkts.IPv4{DSCP: 64},\n)",
		},
		{
			name: "empty",
			p:    func(t *testing.T) *Packet { return new(Packet) },
			want: "pkts.Stack()",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p(t)
			if got := p.GoString(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// captures returns the captures that lie beside the repository.
func captures(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "captures", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("../shared/captures is not here")
	}
	return files
}

// eachFrame calls f for each frame of a file.
func eachFrame(t testing.TB, path string, f func(*link.Frame)) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frame link.Frame
	for {
		err := r.Next(&frame)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		f(&frame)
	}
}

var (
	// tcpdump says on which interface and in which direction a "cooked" frame
	// went; the packet does not have the interface's name.
	cookedPrefix = regexp.MustCompile(`^\S+ +(In|Out|B|M|P) +`)
	fragNote     = regexp.MustCompile(` \(frag \d+:\d+@\d+\+?\)$`)
	// tcpdump looks into the options of multipath TCP.
	mptcpKeys = regexp.MustCompile(`\{0x[^}]*\}`)
	mptcpRest = regexp.MustCompile(`(mptcp \d+ [a-z-]+)[^],]*`)
	sctpPorts = regexp.MustCompile(`^(IP6? \S+)\.\d+ >( \S+)\.\d+: sctp `)
	// tcpdump says nothing of UDP where it knows what UDP carries.
	overUDP = regexp.MustCompile(`UDP, length \d+: ((VXLAN|Geneve), )`)
	// The length that tcpdump does not find is not printed here.
	missing = regexp.MustCompile(`IP truncated-ip - \d+ bytes missing! `)
)

// likeTcpdump compares a line with that of tcpdump. It returns how much is the
// same: "line", "head" (tcpdump goes on about the payload, of which it guesses
// the protocol), or "" for a difference.
func likeTcpdump(got, want string) string {
	got = fragNote.ReplaceAllString(got, "")
	got = overUDP.ReplaceAllString(got, "$1")
	want = cookedPrefix.ReplaceAllString(want, "")
	want = missing.ReplaceAllString(want, "IP ")
	want = mptcpRest.ReplaceAllString(mptcpKeys.ReplaceAllString(want, ""), "$1")
	if got == want {
		return "line"
	}
	// What follows the addresses when TCP is looked into, and UDP guessed at.
	if strings.HasPrefix(want, got+": ") || strings.HasPrefix(want, got+" ") {
		return "head"
	}
	head, rest, _ := strings.Cut(got, ": ")
	if strings.HasPrefix(want, head+": ") {
		if strings.HasPrefix(rest, "UDP, length ") {
			return "head"
		}
		// Protocols over IP that are not layers of this package.
		if m := regexp.MustCompile(`^ip-proto-(\d+) \d+$`).FindStringSubmatch(rest); m != nil {
			switch m[1] {
			case "2", "88", "89", "103", "112":
				return "head"
			}
		}
	}
	if strings.Contains(rest, "ip-proto-132 ") && strings.HasPrefix(sctpPorts.ReplaceAllString(want, "$1 >$2: sctp "), head+": sctp ") {
		return "head"
	}
	// Frames without IP that are not layers of this package.
	if strings.Contains(got, ", ethertype LLDP (0x88cc), ") && strings.HasPrefix(want, "LLDP, ") ||
		strings.Contains(got, ", LLC, ") && (strings.HasPrefix(want, "STP ") || strings.HasPrefix(want, "IS-IS, ")) {
		return "head"
	}
	return ""
}

// TestSummaryLikeTcpdump compares the lines with those of tcpdump -nn -t -S.
func TestSummaryLikeTcpdump(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	total := map[string]int{}
	for _, path := range captures(t, "*.pcap") {
		out, err := exec.CommandContext(t.Context(), tcpdump, "-nn", "-t", "-S", "-r", path).Output()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, " ") {
				want = append(want, strings.TrimSuffix(line, "\n"))
			}
		}
		p := Packet{Registry: Default.With(UDPTunnels()...)} // as tcpdump does
		n, shown := 0, 0
		var b []byte
		eachFrame(t, path, func(f *link.Frame) {
			_ = p.Decode(f.Link, f.Data)
			b = p.AppendSummary(b[:0])
			if n >= len(want) {
				n++
				return
			}
			if strings.Contains(want[n], ": VXLAN, ") && n+1 < len(want) {
				n++ // tcpdump prints the inner packet on a line of its own
				want[n] = want[n-1] + ": " + want[n]
			}
			same := likeTcpdump(string(b), want[n])
			total[same]++
			if same == "" && shown < 3 {
				t.Errorf("%s, packet %d:\n got %s\nwant %s", filepath.Base(path), n+1, b, want[n])
				shown++
			}
			n++
		})
		if n != len(want) {
			t.Errorf("%s: %d lines, tcpdump prints %d", filepath.Base(path), n, len(want))
		}
	}
	t.Logf("%d lines are the same, %d up to what tcpdump guesses about the payload, %d differ", total["line"], total["head"], total[""])
}

// checkJSON fails when b is not JSON or has a key twice.
func checkJSON(t testing.TB, b []byte) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := uniqueKeys(d); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one value: %s", b)
	}
}

// uniqueKeys reads one value.
func uniqueKeys(d *json.Decoder) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return err
			}
			if seen[k.(string)] {
				return fmt.Errorf("the key %q stands twice", k)
			}
			seen[k.(string)] = true
			if err := uniqueKeys(d); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('['):
		for d.More() {
			if err := uniqueKeys(d); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

// TestJSONOfCaptures prints every packet of the captures.
func TestJSONOfCaptures(t *testing.T) {
	for _, path := range captures(t, "*.pcap") {
		if info, err := os.Stat(path); err != nil || info.Size() > 300_000 {
			continue
		}
		var p Packet
		var b []byte
		n := 0
		eachFrame(t, path, func(f *link.Frame) {
			if n++; raceEnabled && n > 10 {
				return
			}
			_ = p.Decode(f.Link, f.Data)
			b = p.AppendJSON(b[:0])
			checkJSON(t, b)
		})
	}
}

// TestKeys checks that the keys of every protocol differ and can be parsed.
func TestKeys(t *testing.T) {
	for p := range Default.Protocols() {
		if p == nil {
			continue
		}
		pl := newPlan(p)
		seen := map[string]bool{}
		for _, k := range pl.shape.keys() {
			if seen[k] {
				t.Errorf("%v: the key %q stands twice", p, k)
			}
			seen[k] = true
			f, err := Default.ParseField(pl.key + "." + k)
			if err != nil {
				t.Error(err)
				continue
			}
			if f.String() != pl.key+"."+k {
				t.Errorf("String = %q", f)
			}
		}
		for _, f := range p.Fields {
			if f.Bits < 0 || f.Bit < 0 {
				t.Errorf("%v.%s: bit %d, %d bits", p, f.Name, f.Bit, f.Bits)
			}
		}
	}
}

func TestFieldPaths(t *testing.T) {
	paths := Default.FieldPaths()
	for _, want := range []string{"ethernet.dst", "ipv4.protocol_name", "tcp.flags_names", "udp.src_port"} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, path := range paths {
		if _, err := Default.ParseField(path); err != nil {
			t.Error(err)
		}
	}
}

func TestSnakeCase(t *testing.T) {
	for name, want := range map[string]string{
		"SrcPort": "src_port", "TTL": "ttl", "IHL": "ihl", "DSCP": "dscp", "FragmentOffset": "fragment_offset",
		"MTUSize": "mtu_size", "IPv4Addr": "ipv4_addr", "ID": "id", "SrcIPs": "src_ips", "A": "a", "Op2Code": "op2_code",
	} {
		if got := snakeCase(name); got != want {
			t.Errorf("snakeCase(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestParseFieldErrors(t *testing.T) {
	for path, want := range map[string]string{
		"tcp.srcport":       "did you mean src_port?",
		"tpc.src_port":      "did you mean tcp?",
		"tcp":               "add a field, such as tcp.src_port",
		"":                  `no layer is called ""`,
		"ipv4[x].src":       "write ipv4[1]",
		"ipv4[0":            "write ipv4[1]",
		"ipv4.src.zone":     `ipv4.src has no "zone"`,
		"udp.checksum_name": `udp has no "checksum_name"`,
	} {
		_, err := Default.ParseField(path)
		if !errors.Is(err, ErrNoField) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseField(%q): %v; want %q", path, err, want)
		}
	}
}

// tunnel returns an IPv4 packet in another.
func tunnel() *Packet {
	a := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	return Stack(&IPv4{TTL: 9, Src: a("1.1.1.1"), Dst: a("2.2.2.2")}, &IPv4{TTL: 8, Src: a("10.0.0.1"), Dst: a("10.0.0.2")},
		&TCP{SrcPort: 1, DstPort: 2, Flags: TCPSyn | TCPAck, Window: 3}, &Raw{Data: []byte("abc")})
}

func TestFieldValues(t *testing.T) {
	p := tunnel()
	for path, want := range map[string]string{
		"ipv4.src":           "1.1.1.1,10.0.0.1",
		"ipv4[1].src":        "10.0.0.1",
		"ipv4[2].src":        "",
		"ipv4.ttl":           "9,8",
		"ipv4.protocol_name": "IPv4,TCP",
		"ipv4.length":        "63,43",
		"tcp.flags":          "18",
		"tcp.flags_names":    "SYN+ACK",
		"raw.data":           "616263",
		"udp.src_port":       "",
	} {
		f, err := Default.ParseField(path)
		if err != nil {
			t.Error(err)
			continue
		}
		got, n := f.AppendValues([]byte("-"), p, ",")
		if string(got) != "-"+want {
			t.Errorf("%s = %q, want %q", path, got[1:], want)
		}
		values := 0
		if want != "" {
			values = strings.Count(want, ",") + 1
		}
		if n != values {
			t.Errorf("%s: %d values, want %d", path, n, values)
		}
	}
}

func TestFormat(t *testing.T) {
	p := tunnel()
	const line = "IP 1.1.1.1 > 2.2.2.2: IP 10.0.0.1.1 > 10.0.0.2.2: Flags [S.], seq 0:3, ack 0, win 3, length 3"
	for format, want := range map[string]string{
		"%v": line, "%s": line, "%q": `"` + line + `"`, "%100s": fmt.Sprintf("%100s", line), "%-100v|": fmt.Sprintf("%-100s|", line),
		"%+v": string(p.AppendTree(nil, nil)), "%#v": p.GoString(),
	} {
		if got := fmt.Sprintf(format, p); got != want {
			t.Errorf("%s:\n got %s\nwant %s", format, got, want)
		}
	}
	if got, err := json.Marshal(p); err != nil || string(got) != string(p.AppendJSON(nil)) {
		t.Errorf("json.Marshal = %s, %v", got, err)
	}
	if _, err := json.Marshal(Stack(&IPv4{DSCP: 99})); !errors.Is(err, ErrTooLong) {
		t.Errorf("json.Marshal of what cannot be encoded: %v", err)
	}
}

// TestPrintLeavesThePacket checks that printing changes nothing.
func TestPrintLeavesThePacket(t *testing.T) {
	for _, g := range allGoldens() {
		b := unhex(t, g.hex)
		var p Packet
		_ = p.DecodeAs(g.first, b)
		printAll(t, &p, len(b))
		if p.filled != 0 || p.edited {
			t.Errorf("%s: printing filled layers in", g.name)
		}
		if ip, ok := Get[IPv4](&p); ok && g.first == &ethernetProtocol && b[12] == 8 {
			ip.TTL = 77
			if s := string(p.AppendTree(nil, nil)); !strings.Contains(s, "TTL: 77") {
				t.Errorf("%s: the edit is not in the tree:\n%s", g.name, s)
			}
			printAll(t, &p, len(b))
			if got, err := p.AppendBinary(nil); err != nil || got[14+8] != 77 {
				t.Errorf("%s: %x, %v", g.name, got, err)
			}
		}
	}
}

// printAll prints p in all forms and checks that they are bounded.
func printAll(t testing.TB, p *Packet, size int) {
	t.Helper()
	// The most that a byte can make of itself is a layer of its own.
	limit := 4096 + 1024*size
	tree := p.AppendTree(nil, &TreeOptions{MaxData: 1 << 20})
	js := p.AppendJSON(nil)
	for name, n := range map[string]int{
		"summary": len(p.AppendSummary(nil)), "tree": len(tree), "hexdump": len(p.AppendHexdump(nil)),
		"field dump": len(p.AppendFieldDump(nil)), "JSON": len(js), "source": len(p.GoString()),
	} {
		if n > limit {
			t.Errorf("%s: %d bytes of %d", name, n, size)
		}
	}
	if s := p.String(); strings.ContainsAny(s, "\r\n") {
		t.Errorf("more than one line: %q", s)
	}
	checkJSON(t, js)
}

func TestSummaryAllocs(t *testing.T) {
	for i, g := range allGoldens() {
		var p Packet
		b := unhex(t, g.hex)
		var buf []byte
		run := func() {
			_ = p.DecodeAs(g.first, b)
			buf = p.AppendSummary(buf[:0])
		}
		run()
		if strings.Contains(g.name, "cut") || p.print != nil && i >= len(printGoldens()) {
			continue // the error of Decode is allocated, and so are names and fields of a protocol with no text of its own
		}
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations, want 0", g.name, n)
		}
	}
}

func FuzzPrint(f *testing.F) {
	for _, g := range allGoldens() {
		f.Add(uint16(link.TypeEthernet), unhex(f, g.hex))
	}
	types := []link.Type{link.TypeEthernet, link.TypeRaw, link.TypeIPv4, link.TypeIPv6, link.TypeLinuxSLL, link.TypeLinuxSLL2, link.TypeNull, link.TypeLoop}
	f.Fuzz(func(t *testing.T, typ uint16, b []byte) {
		var p Packet
		_ = p.Decode(types[int(typ)%len(types)], b)
		printAll(t, &p, len(b))
		if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, b) {
			t.Errorf("after printing: %x, %v; want %x", got, err, b)
		}
	})
}

// TestPrintManyLayers prints the deepest packet that there is, in bounded time.
func TestPrintManyLayers(t *testing.T) {
	b := unhex(t, "02 00 00 00 00 02  02 00 00 00 00 01  81 00")
	for range MaxLayers {
		b = append(b, 0, 1, 0x81, 0)
	}
	var p Packet
	if err := p.Decode(link.TypeEthernet, b); !errors.Is(err, ErrTooDeep) {
		t.Fatalf("Decode: %v, want ErrTooDeep", err)
	}
	start := time.Now()
	printAll(t, &p, len(b))
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
	t.Logf("%v", time.Since(start))
}

func BenchmarkSummary(b *testing.B) {
	g := printGoldens()[1]
	data := unhex(b, g.hex)
	var p Packet
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		_ = p.DecodeAs(g.first, data)
		buf = p.AppendSummary(buf[:0])
	}
}

func BenchmarkJSON(b *testing.B) {
	g := printGoldens()[1]
	data := unhex(b, g.hex)
	var p Packet
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		_ = p.DecodeAs(g.first, data)
		buf = p.AppendJSON(buf[:0])
	}
}
