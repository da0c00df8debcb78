package filter_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

func assemble(t testing.TB, text string) filter.Program {
	t.Helper()
	p, err := filter.Assemble(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newVM(t testing.TB, text string, o filter.VMOptions) *filter.VM {
	t.Helper()
	vm, err := filter.NewVM(assemble(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// packet is a frame to 02:00:00:00:00:05 with a VLAN tag.
var packet = [...]byte{
	0x02, 0, 0, 0, 0, 5, 0x02, 0, 0, 0, 0, 1, // addresses
	0x81, 0x00, 0x00, 0x64, // 802.1Q tag
	0x08, 0x00, 0x45, 0x00, // IPv4
}

func TestRun(t *testing.T) {
	const wire = 60
	for _, c := range []struct {
		prog           string
		libpcap, linux uint32
	}{
		{"ret #9", 9, 9},
		{"ld [12]\n ret", 0x81000064, 0x81000064},
		{"ld [16]\n ret", 0x08004500, 0x08004500},
		{"ld [17]\n ret #1", 0, 0},
		{"ldh [18]\n ret", 0x4500, 0x4500},
		{"ldh [19]\n ret #1", 0, 0},
		{"ldb [19]\n ldb [18]\n ret", 0x45, 0x45},
		{"ldb [20]\n ret #1", 0, 0},
		{"ld [-1]\n ret #1", 0, 0},
		{"ldx #6\n ldh [x + 8]\n ret", 0x64, 0x64},
		{"ldx #8\n ld [x + 8]\n ret", 0x08004500, 0x08004500},
		{"ldx #8\n ld [x + 9]\n ret #1", 0, 0},
		{"ldx #20\n ldb [x + 0]\n ret #1", 0, 0},
		{"ldb [x - 1]\n ret #1", 0, 0},
		{"ldx #13\n ldb [x - 8]\n ret", 0, 5},
		{"ldx #13\n ldh [x - 1]\n jeq #0x8100 jf 4\n ret #7\n ret #8", 0, 7},
		{"ldx #-1\n ldb [x + 6]\n ret", 0, 5},
		{"ldx 4*([18]&0xf)\n txa\n ret", 20, 20},
		{"ldx 4*([20]&0xf)\n ret #1", 0, 0},
		{"ldx 4*([18]&0xf)\n ldh [x - 4]\n jeq #0x800 jf 4\n ret #7\n ret #8", 0, 7},
		{"ld #pktlen\n ret", wire, wire},
		{"ldx #pktlen\n txa\n ret", wire, wire},
		{"ld #5\n st M[15]\n ldx M[15]\n ld M[14]\n add x\n ret", 5, 5},
		{"ldx #5\n stx M[0]\n ld M[0]\n ret", 5, 5},
		{"ld #5\n div x\n ret #1", 0, 0},
		{"ld #5\n mod x\n ret #1", 0, 0},
		{"ld #7\n div #2\n ret", 3, 3},
		{"ld #7\n mod #4\n ret", 3, 3},
		{"ld #5\n neg\n ret", 1<<32 - 5, 1<<32 - 5},
		{"ld #5\n sub #6\n ret", 1<<32 - 1, 1<<32 - 1},
		{"ld #6\n xor #3\n or #8\n mul #2\n ret", 26, 26},
		{"ld #3\n ldx #31\n lsh x\n ret", 1 << 31, 1 << 31},
		{"ld #3\n ldx #32\n lsh x\n ret", 0, 3},
		{"ld #3\n ldx #33\n rsh x\n ret", 0, 1},
		{"ld #3\n lsh #2\n rsh #1\n ret", 6, 6},
		{"jset #1 jt 2\n ld #4\n ret", 4, 4},
		{"ld #4\n tax\n jeq x jf 4\n ret #7\n ret #8", 7, 7},
		{"ld #4\n jgt x jf 3\n ret #7\n ret #8", 7, 7},
		{"jgt x jf 2\n ret #7\n ret #8", 8, 8},
		{"jge x jf 2\n ret #7\n ret #8", 7, 7},
		{"ja 2\n ret #7\n ja 3\n ret #8", 8, 8},
		// Loads, masks and comparisons in one step.
		{"ldh [14]\n and #0xff\n jeq #0x64 jf 4\n ret #7\n ret #8", 7, 7},
		{"ldh [12]\n jeq #0x86dd jt 3\n jeq #0x8100 jf 4\n ret #7\n ret #8", 7, 7},
		{"ldh [12]\n jeq #0x86dd jf 3\n ret #8\n jeq #0x8100 jt 4 jf 5\n ret #7\n ret #6", 7, 7},
		{"ldh [12]\n jeq #0x8100 jt 2 jf 4\n jeq #0x8100 jt 3 jf 4\n ret\n ret #8", 0x8100, 0x8100},
		{"ld [20]\n jeq #0 jt 2\n ret #1", 0, 0},
		// The jump goes between load and comparison.
		{"ld #3\n ja 3\n ldh [12]\n jeq #3 jf 5\n ret #7\n ret #8", 7, 7},
	} {
		for _, v := range []struct {
			linux bool
			want  uint32
		}{{false, c.libpcap}, {true, c.linux}} {
			vm := newVM(t, c.prog, filter.VMOptions{Linux: v.linux})
			if got := vm.Run(packet[:], wire); got != v.want {
				t.Errorf("Linux=%t: %#x, want %#x, of\n%s", v.linux, got, v.want, c.prog)
			}
		}
	}
}

func TestRunMetadata(t *testing.T) {
	frame := link.Frame{Data: packet[:], Info: link.Info{
		WireLen: 99, Interface: 7, Hash: 0x12345678, Link: link.TypeEthernet, VLANTCI: 0x2064, VLANTPID: 0x88a8,
		Direction: link.DirectionOut, Flags: link.InfoVLAN | link.InfoHash,
	}}
	with := func(change func(f *link.Frame)) link.Frame {
		f := frame
		change(&f)
		return f
	}
	direction := func(d link.Direction) link.Frame { return with(func(f *link.Frame) { f.Direction = d }) }
	bare := with(func(f *link.Frame) { f.Flags = 0 })
	length := frame
	length.Data = append([]byte(nil), frame.Data...)
	length.Data[12], length.Data[13] = 0, 50
	ipx := length
	ipx.Data = append([]byte(nil), length.Data...)
	ipx.Data[14], ipx.Data[15] = 0xff, 0xff
	const rejected = 1<<32 - 1
	for _, c := range []struct {
		load  string
		frame link.Frame
		want  uint32
	}{
		{"ldh [proto]", frame, 0x8100},
		{"ldh [proto]", length, 4},
		{"ldh [proto]", ipx, 1},
		{"ldh [proto]", with(func(f *link.Frame) { f.Data = f.Data[:13] }), rejected},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeIPv6; f.Data = nil }), 0x86dd},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeIPv4; f.Data = nil }), 0x0800},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeRaw; f.Data = []byte{0x45} }), 0x0800},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeRaw; f.Data = []byte{0x60} }), 0x86dd},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeRaw; f.Data = []byte{0x50} }), rejected},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeLinuxSLL }), 0x0064},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypeLinuxSLL2 }), 0x0200},
		{"ldh [proto]", with(func(f *link.Frame) { f.Link = link.TypePPP }), rejected},
		{"ldh [type]", frame, 4},
		{"ldb [type]", direction(link.DirectionIn), 0},
		{"ldb [type]", direction(link.DirectionBroadcast), 1},
		{"ldb [type]", direction(link.DirectionMulticast), 2},
		{"ldb [type]", direction(link.DirectionOther), 3},
		{"ldb [type]", direction(link.DirectionUnknown), rejected},
		{"ld [ifidx]", frame, 7},
		{"ld [rxhash]", frame, 0x12345678},
		{"ld [rxhash]", bare, 0},
		{"ldh [vlan_tci]", frame, 0x2064},
		{"ldh [vlan_tci]", bare, 0},
		{"ldb [vlanp]", frame, 1},
		{"ldb [vlanp]", bare, 0},
		{"ldh [vlan_tpid]", frame, 0x88a8},
		{"ldh [vlan_tpid]", bare, 0},
		{"ld [hatype]", frame, 1},
		{"ld [hatype]", with(func(f *link.Frame) { f.Link = link.TypeIEEE80211Radiotap }), 803},
		{"ld [hatype]", with(func(f *link.Frame) { f.Link = link.TypeIEEE80211 }), 801},
		{"ld [hatype]", with(func(f *link.Frame) { f.Link = link.TypeRaw }), rejected},
		{"ldx #5\nld #3\nld [xor_x]", frame, 6},
		{"ld [random]", frame, rejected},
		{"ld [mark]", frame, rejected},
		{"ld #pktlen", frame, 99},
	} {
		// The program returns 1 where the value is what is wanted.
		text := c.load + "\n add #1\n ret"
		vm := newVM(t, text, filter.VMOptions{})
		if got := vm.RunFrame(&c.frame) - 1; got != c.want {
			t.Errorf("%s: %#x, want %#x", c.load, got, c.want)
		}
		if c.load == "ld #pktlen" {
			continue
		}
		if got := vm.Run(c.frame.Data, 99); got != 0 {
			t.Errorf("%s: %#x of a packet alone, want it rejected", c.load, got)
		}
	}
}

// A program that jumps back ends.
func TestBudget(t *testing.T) {
	for _, c := range []struct {
		prog   string
		budget int
		want   uint32
	}{
		{"a: ja a\n ret #1", 0, 0},
		{"ja 2\n ret #9\n ja 1", 0, 9},
		// 10 rounds of 4 instructions.
		{"again: add #1\n jeq #11 jt done\n jeq #12 jt done\n ja again\n done: ret #7", 40, 7},
		{"again: add #1\n jeq #11 jt done\n jeq #12 jt done\n ja again\n done: ret #7", 39, 0},
		{"again: add #1\n jeq #11 jt done\n jeq #12 jt done\n ja again\n done: ret #7", 0, 7},
	} {
		// ja 1 at the end is not a return, so that it needs one behind it.
		vm := newVM(t, c.prog+"\n ret #0", filter.VMOptions{Budget: c.budget})
		if got := vm.Run(nil, 0); got != c.want {
			t.Errorf("budget %d: %d, want %d, of\n%s", c.budget, got, c.want, c.prog)
		}
	}
}

func TestNewVMErrors(t *testing.T) {
	if vm, err := filter.NewVM(filter.Program{{Op: 0x34}, ret}, filter.VMOptions{}); vm != nil || err == nil {
		t.Errorf("%v, %v", vm, err)
	}
}

func TestRunNoAllocs(t *testing.T) {
	vm := newVM(t, "ldh [12]\n st M[3]\n ldx M[3]\n ld [ifidx]\n add x\n ret", filter.VMOptions{})
	frame := link.Frame{Data: packet[:], Info: link.Info{WireLen: 60, Interface: 2}}
	if n := testing.AllocsPerRun(100, func() { vm.RunFrame(&frame); vm.Run(packet[:], 60) }); n != 0 {
		t.Errorf("running allocates %v times, want 0", n)
	}
}

// peer runs a program by golang.org/x/net/bpf, where that package is right: it
// cannot negate, takes the captured length for that of the packet, and does not
// jump back.
func peer(prog filter.Program, b []byte) (uint32, bool) {
	for _, in := range prog {
		if in.Op == 0x84 || in.Op == 0x81 || in.Op == 0x05 && int32(in.K) < 0 || in.K >= 0xfffff000 && in.Op&0xe7 == 0x20 {
			return 0, false
		}
	}
	all, ok := bpf.Disassemble(prog)
	if !ok {
		return 0, false
	}
	vm, err := bpf.NewVM(all)
	if err != nil {
		return 0, false
	}
	n, err := vm.Run(b)
	return uint32(n), err == nil
}

func TestAgainstNet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t, func(op uint16) bool { return op != 0x84 && op != 0x81 })
		b := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "packet")
		want, ok := peer(p, b)
		if !ok {
			t.Fatalf("golang.org/x/net/bpf does not run\n%v", p)
		}
		vm, err := filter.NewVM(p, filter.VMOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := vm.Run(b, len(b)); got != want {
			t.Errorf("%d, want %d, of\n%v", got, want, p)
		}
	})
}

// FuzzRun runs any program on any packet.
func FuzzRun(f *testing.F) {
	for _, l := range listings {
		p := assemble(f, l.decimal)
		f.Add(encode(p), packet[:], 60)
	}
	f.Add(encode(assemble(f, "a: ldb [x + 5]\n tax\n stx M[3]\n ldxb 4*([2]&0xf)\n jeq #0 jt b\n ja a\n b: ret")), packet[:], 20)
	f.Add(encode(assemble(f, "ldb [1]\n jeq #0x60000000 jt yes\n ret #0\n yes: ret #1")), make([]byte, 20), 20)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 100 {
		b := make([]byte, i%20)
		if i%3 == 0 {
			b = bytes.Repeat([]byte{0xff}, i%20)
		}
		f.Add(encode(borders(r)), b, len(b))
	}
	f.Fuzz(func(t *testing.T, code, b []byte, wireLen int) {
		p := decode(code)
		vm, err := filter.NewVM(p, filter.VMOptions{})
		if err != nil {
			return
		}
		got := vm.Run(b, wireLen)
		newEngines(t, p, filter.VMOptions{}).agree(t, b, wireLen, nil)
		info := link.Info{Interface: 3, Hash: 9, VLANTCI: 5, VLANTPID: 0x8100, Link: link.TypeEthernet, Direction: link.DirectionOut, Flags: link.InfoVLAN}
		newEngines(t, p, filter.VMOptions{Linux: true, Budget: 1000}).agree(t, b, wireLen, &info)
		if p.ValidateLinux() == nil {
			if _, err := p.XDP(filter.XDPOptions{}); err != nil {
				known := false
				for _, in := range p {
					known = known || in.K >= 0xfffff000
				}
				if !known {
					t.Errorf("not translated: %v\n%v", err, p)
				}
			}
		}
		if not, err := p.Not(); err == nil {
			if err := not.Validate(); err != nil {
				t.Errorf("the opposite is not valid: %v\n%v", err, p)
			}
		}
		if wireLen != len(b) {
			return
		}
		if want, ok := peer(p, b); ok && got != want {
			t.Errorf("%d, want %d, of\n%v", got, want, p)
		}
	})
}

// encode and decode turn programs into bytes and back.
func encode(p filter.Program) []byte {
	var b []byte
	for _, in := range p {
		b = append(b, byte(in.Op>>8), byte(in.Op), in.Jt, in.Jf, byte(in.K>>24), byte(in.K>>16), byte(in.K>>8), byte(in.K))
	}
	return b
}

func decode(b []byte) filter.Program {
	var p filter.Program
	for ; len(b) >= 8; b = b[8:] {
		p = append(p, bpf.RawInstruction{
			Op: uint16(b[0])<<8 | uint16(b[1]), Jt: b[2], Jf: b[3],
			K: uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7]),
		})
	}
	return p
}
