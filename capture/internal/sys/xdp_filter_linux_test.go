package sys_test

import (
	"errors"
	"os"
	"testing"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Offsets that do not count from the start of the frame, linux/filter.h.
const (
	skfLLOff  = 0xffe00000
	skfNetOff = 0xfff00000
	skfADOff  = 0xfffff000
)

func xdpFilter(t *testing.T, in ...bpf.Instruction) *sys.XDPFilter {
	t.Helper()
	raw, err := bpf.Assemble(in)
	if err != nil {
		t.Fatal(err)
	}
	f, err := sys.NewXDPFilter(raw, true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// taggedFrame is a frame to 02:00:00:00:00:05 with a VLAN tag.
var taggedFrame = [...]byte{
	0x02, 0, 0, 0, 0, 5, 0x02, 0, 0, 0, 0, 1, // addresses
	0x81, 0x00, 0x00, 0x64, // 802.1Q tag
	0x08, 0x00, 0x45, 0x00, // IPv4
}

// TestXDPFilter wants the same of what the program runs and of what the kernel
// does, for frames in one piece of memory and in several.
func TestXDPFilter(t *testing.T) {
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	load := func(off uint32, size int) bpf.Instruction { return bpf.LoadAbsolute{Off: off, Size: size} }
	ext := func(e bpf.Extension) bpf.Instruction { return bpf.LoadExtension{Num: e} }
	short := taggedFrame[:14]
	for _, c := range []struct {
		name  string
		load  bpf.Instruction
		frame []byte
		want  uint32
		ok    bool // whether there is anything to load
	}{
		{"word", load(12, 4), taggedFrame[:], 0x81000064, true},
		{"last word", load(16, 4), taggedFrame[:], 0x08004500, true},
		{"word over the end", load(17, 4), taggedFrame[:], 0, false},
		{"half over the end", load(13, 2), short, 0, false},
		{"byte over the end", load(14, 1), short, 0, false},
		{"far", load(60000, 1), taggedFrame[:], 0, false},
		{"network header", load(skfNetOff+4, 1), taggedFrame[:], 0x45, true},
		{"network header over the end", load(skfNetOff+5, 2), taggedFrame[:], 0, false},
		{"link header", load(skfLLOff+5, 1), taggedFrame[:], 5, true},
		{"link header over the end", load(skfLLOff+20, 1), taggedFrame[:], 0, false},
		{"length", ext(bpf.ExtLen), taggedFrame[:], 20, true},
		{"protocol", ext(bpf.ExtProto), taggedFrame[:], 0x8100, true},
		{"packet type", ext(bpf.ExtType), taggedFrame[:], 0, true},
		{"hardware type", ext(bpf.ExtLinkLayerType), taggedFrame[:], 1, true},
		{"VLAN tag", ext(bpf.ExtVLANTag), taggedFrame[:], 0, true},
		{"VLAN tag present", ext(bpf.ExtVLANTagPresent), taggedFrame[:], 0, true},
		{"mark", ext(bpf.ExtMark), taggedFrame[:], 0, true},
		{"queue", ext(bpf.ExtQueue), taggedFrame[:], 0, true},
	} {
		f := xdpFilter(t, c.load,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.want, SkipFalse: 1},
			bpf.RetConstant{Val: 9}, bpf.RetConstant{})
		if err := f.Prepare(1); err != nil {
			t.Fatal(err)
		}
		info := link.Info{Link: link.TypeEthernet, Direction: link.DirectionIn}
		if got := f.Run(c.frame, &info, 0); got != 0 != c.ok {
			t.Errorf("%s: Run = %d, accepted %t is wanted", c.name, got, c.ok)
		}
		for _, frags := range []bool{false, true} {
			code, err := f.Program().XDP(filter.XDPOptions{
				Accept: filter.XDPPass, Reject: filter.XDPDrop, MAC: link.MacAddr{2, 0, 0, 0, 0, 5}, Frags: frags,
			})
			if err != nil {
				t.Fatal(err)
			}
			prog, err := sys.LoadXDP("test", code, frags)
			if err != nil {
				t.Fatalf("%s, frags=%t: %v", c.name, frags, err)
			}
			got, err := prog.Run(c.frame)
			if err != nil || filter.XDPAction(got) == filter.XDPPass != c.ok {
				t.Errorf("%s, frags=%t: the kernel says %d, %v, accepted %t is wanted", c.name, frags, got, err, c.ok)
			}
			if err := prog.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestXDPFilterInfo asks what only the program knows of a frame.
func TestXDPFilterInfo(t *testing.T) {
	info := link.Info{Link: link.TypeEthernet, Direction: link.DirectionOut, Interface: 7}
	for _, c := range []struct {
		name string
		ext  bpf.Extension
		want uint32
	}{
		{"packet type", bpf.ExtType, 4},
		{"interface", bpf.ExtInterfaceIndex, 7},
		{"queue", bpf.ExtQueue, 3},
	} {
		f := xdpFilter(t, bpf.LoadExtension{Num: c.ext}, bpf.RetA{})
		if err := f.Prepare(4); err != nil {
			t.Fatal(err)
		}
		if got := f.Run(taggedFrame[:], &info, 3); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		if n := testing.AllocsPerRun(100, func() { f.Run(taggedFrame[:], &info, 3) }); n != 0 {
			t.Errorf("%s: Run allocates %v times, want 0", c.name, n)
		}
	}
}

func TestXDPFilterErrors(t *testing.T) {
	ret := bpf.RawInstruction{Op: 0x06}
	for name, c := range map[string]struct {
		prog []bpf.RawInstruction
		want error
	}{
		"empty":             {nil, filter.ErrEmpty},
		"return of X":       {[]bpf.RawInstruction{{Op: 0x0e}}, filter.ErrOperation},
		"flow hash":         {[]bpf.RawInstruction{{Op: 0x20, K: skfADOff + 32}, ret}, filter.ErrMetadata},
		"netlink attribute": {[]bpf.RawInstruction{{Op: 0x20, K: skfADOff + 12}, ret}, filter.ErrMetadata},
		"random number":     {[]bpf.RawInstruction{{Op: 0x20, K: skfADOff + 56}, ret}, filter.ErrMetadata},
		"no metadata":       {[]bpf.RawInstruction{{Op: 0x20, K: skfADOff + 1}, ret}, filter.ErrMetadata},
	} {
		if _, err := sys.NewXDPFilter(c.prog, false); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestXDPFilterKeeps(t *testing.T) {
	jump := bpf.JumpIf{Cond: bpf.JumpEqual, SkipFalse: 1}
	for _, c := range []struct {
		name string
		prog []bpf.Instruction
		n    uint32
		ok   bool
	}{
		{"one", []bpf.Instruction{bpf.RetConstant{Val: 9}}, 9, true},
		{"none", []bpf.Instruction{bpf.RetConstant{}}, 0, false},
		{"same", []bpf.Instruction{jump, bpf.RetConstant{Val: 9}, jump, bpf.RetConstant{}, bpf.RetConstant{Val: 9}}, 9, true},
		{"different", []bpf.Instruction{jump, bpf.RetConstant{Val: 9}, bpf.RetConstant{Val: 8}}, 0, false},
		{"computed", []bpf.Instruction{jump, bpf.RetConstant{Val: 9}, bpf.RetA{}}, 0, false},
	} {
		if n, ok := xdpFilter(t, c.prog...).Keeps(); n != c.n && c.ok || ok != c.ok {
			t.Errorf("%s: Keeps = %d, %t, want %d, %t", c.name, n, ok, c.n, c.ok)
		}
	}
}
