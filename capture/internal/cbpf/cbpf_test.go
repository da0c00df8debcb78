package cbpf_test

import (
	"testing"

	"github.com/gopkts/gopkts/capture/internal/cbpf"
	"golang.org/x/net/bpf"
)

func assemble(t testing.TB, in ...bpf.Instruction) []bpf.RawInstruction {
	t.Helper()
	raw, err := bpf.Assemble(in)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func compileClassic(t testing.TB, in ...bpf.Instruction) *cbpf.Program {
	t.Helper()
	p, err := cbpf.New(assemble(t, in...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// frame is a frame to 02:00:00:00:00:05 with a VLAN tag.
var frame = [...]byte{
	0x02, 0, 0, 0, 0, 5, 0x02, 0, 0, 0, 0, 1, // addresses
	0x81, 0x00, 0x00, 0x64, // 802.1Q tag
	0x08, 0x00, 0x45, 0x00, // IPv4
}

func TestRun(t *testing.T) {
	meta := cbpf.Meta{Type: cbpf.Outgoing, Interface: 7, Queue: 3, Hatype: 1}
	for _, c := range []struct {
		name string
		prog []bpf.Instruction
		want uint32
	}{
		{"constant", []bpf.Instruction{bpf.RetConstant{Val: 9}}, 9},
		{"word", []bpf.Instruction{bpf.LoadAbsolute{Off: 12, Size: 4}, bpf.RetA{}}, 0x81000064},
		{"last word", []bpf.Instruction{bpf.LoadAbsolute{Off: 16, Size: 4}, bpf.RetA{}}, 0x08004500},
		{"word over the end", []bpf.Instruction{bpf.LoadAbsolute{Off: 17, Size: 4}, bpf.RetConstant{Val: 1}}, 0},
		{"half over the end", []bpf.Instruction{bpf.LoadAbsolute{Off: 19, Size: 2}, bpf.RetConstant{Val: 1}}, 0},
		{"byte over the end", []bpf.Instruction{bpf.LoadAbsolute{Off: 20, Size: 1}, bpf.RetConstant{Val: 1}}, 0},
		{"indirect", []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 6}, bpf.LoadIndirect{Off: 8, Size: 2}, bpf.RetA{}}, 0x64},
		{"indirect back", []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 13}, bpf.LoadIndirect{Off: 1<<32 - 8, Size: 1}, bpf.RetA{}}, 5},
		{"indirect over the end", []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 20}, bpf.LoadIndirect{Size: 1}, bpf.RetConstant{Val: 1}}, 0},
		{"indirect before the start", []bpf.Instruction{bpf.LoadIndirect{Off: 1<<32 - 4, Size: 4}, bpf.RetConstant{Val: 1}}, 0},
		{"header length", []bpf.Instruction{bpf.LoadMemShift{Off: 18}, bpf.TXA{}, bpf.RetA{}}, 20},
		{"length", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtLen}, bpf.RetA{}}, 20},
		{"memory", []bpf.Instruction{
			bpf.LoadConstant{Val: 5},
			bpf.StoreScratch{Src: bpf.RegA, N: 15},
			bpf.LoadScratch{Dst: bpf.RegX, N: 15},
			bpf.LoadScratch{N: 14}, // not written
			bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.RetA{},
		}, 5},
		{"division by zero", []bpf.Instruction{bpf.LoadConstant{Val: 5}, bpf.ALUOpX{Op: bpf.ALUOpDiv}, bpf.RetConstant{Val: 1}}, 0},
		{"remainder by zero", []bpf.Instruction{bpf.LoadConstant{Val: 5}, bpf.ALUOpX{Op: bpf.ALUOpMod}, bpf.RetConstant{Val: 1}}, 0},
		{"negation", []bpf.Instruction{bpf.LoadConstant{Val: 5}, bpf.NegateA{}, bpf.RetA{}}, 1<<32 - 5},
		{"protocol", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtProto}, bpf.RetA{}}, 0x8100},
		{"packet type", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtType}, bpf.RetA{}}, 4},
		{"interface", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtInterfaceIndex}, bpf.RetA{}}, 7},
		{"queue", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtQueue}, bpf.RetA{}}, 3},
		{"hardware type", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtLinkLayerType}, bpf.RetA{}}, 1},
		{"VLAN tag", []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtVLANTagPresent}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 2}, bpf.RetA{}}, 2},
		{"network header", []bpf.Instruction{bpf.LoadAbsolute{Off: 0xfff00000 + 4, Size: 1}, bpf.RetA{}}, 0x45},
		{"link header", []bpf.Instruction{bpf.LoadAbsolute{Off: 0xffe00000 + 5, Size: 1}, bpf.RetA{}}, 5},
	} {
		if got := compileClassic(t, c.prog...).Run(frame[:], &meta); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

func TestNewErrors(t *testing.T) {
	ret := bpf.RawInstruction{Op: 0x06}
	for name, prog := range map[string][]bpf.RawInstruction{
		"empty":               {},
		"no return":           {{Op: 0x00}},
		"jump behind the end": {{Op: 0x15, Jt: 1}, ret},
		"jump always":         {{Op: 0x05, K: 1 << 31}, ret},
		"return of X":         {{Op: 0x0e}},
		"too long":            make([]bpf.RawInstruction, cbpf.MaxLen+1),
		"unknown":             {{Op: 0xffff}, ret},
		"internal operation":  {{Op: 0x0104}, ret},
		"division by zero":    {{Op: 0x34}, ret},
		"wide shift":          {{Op: 0x64, K: 32}, ret},
		"memory word 16":      {{Op: 0x60, K: 16}, ret},
		"negative offset":     {{Op: 0x20, K: 1 << 31}, ret},
		"netlink attribute":   {{Op: 0x20, K: 0xfffff000 + 12}, ret},
	} {
		if _, err := cbpf.New(prog); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeeps(t *testing.T) {
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
		if n, ok := compileClassic(t, c.prog...).Keeps(); n != c.n && c.ok || ok != c.ok {
			t.Errorf("%s: Keeps = %d, %t, want %d, %t", c.name, n, ok, c.n, c.ok)
		}
	}
}

func TestRunNoAllocs(t *testing.T) {
	p := compileClassic(t, bpf.LoadAbsolute{Off: 12, Size: 2}, bpf.StoreScratch{N: 3}, bpf.LoadScratch{N: 3}, bpf.RetA{})
	var meta cbpf.Meta
	if n := testing.AllocsPerRun(100, func() { p.Run(frame[:], &meta) }); n != 0 {
		t.Errorf("Run allocates %v times, want 0", n)
	}
}
