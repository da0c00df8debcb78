package capture

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
)

func assemble(t testing.TB, insns ...bpf.Instruction) []bpf.RawInstruction {
	t.Helper()
	raw, err := bpf.Assemble(insns)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// run returns what a filter says of a packet.
func run(t testing.TB, prog []bpf.RawInstruction, packet []byte) int {
	t.Helper()
	insns, ok := bpf.Disassemble(prog)
	if !ok {
		t.Fatalf("unknown instruction in %v", prog)
	}
	vm, err := bpf.NewVM(insns)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWithSnapLen(t *testing.T) {
	const snap = 100
	packet := make([]byte, 256)
	for i := range packet {
		packet[i] = byte(i)
	}
	// byteAt accepts as many bytes as the byte at off says, and below 50 none:
	// with a return in the middle.
	byteAt := func(off uint32) []bpf.RawInstruction {
		return assemble(t,
			bpf.LoadAbsolute{Off: off, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: 50, SkipFalse: 1},
			bpf.RetA{},
			bpf.RetConstant{},
		)
	}
	for _, c := range []struct {
		name string
		prog []bpf.RawInstruction
		want int
	}{
		{"nil", nil, snap},
		{"empty", []bpf.RawInstruction{}, snap},
		{"nothing", assemble(t, bpf.RetConstant{}), 0},
		{"less", assemble(t, bpf.RetConstant{Val: 99}), 99},
		{"as much", assemble(t, bpf.RetConstant{Val: 100}), 100},
		{"more", assemble(t, bpf.RetConstant{Val: 101}), 100},
		{"all", assemble(t, bpf.RetConstant{Val: 1<<32 - 1}), 100},
		{"computed nothing", byteAt(49), 0},
		{"computed less", byteAt(99), 99},
		{"computed as much", byteAt(100), 100},
		{"computed more", byteAt(101), 100},
		{"computed all", byteAt(255), 100},
		{"computed at the end", assemble(t, bpf.LoadConstant{Val: 1 << 31}, bpf.RetA{}), 100},
		{"jump always", assemble(t, bpf.Jump{Skip: 1}, bpf.RetConstant{Val: 7}, bpf.RetConstant{Val: 8}), 8},
	} {
		before := slices.Clone(c.prog)
		prog, err := withSnapLen(c.prog, snap)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := run(t, prog, packet); got != c.want {
			t.Errorf("%s: keeps %d bytes, want %d", c.name, got, c.want)
		}
		if !slices.Equal(c.prog, before) {
			t.Errorf("%s: the caller's program was changed", c.name)
		}
	}
}

func TestWithSnapLenErrors(t *testing.T) {
	ret := bpf.RawInstruction{Op: opRetK}
	nop := bpf.RawInstruction{} // ld #0
	for _, c := range []struct {
		name string
		prog []bpf.RawInstruction
		ok   bool
	}{
		{"as long as possible", append(slices.Repeat([]bpf.RawInstruction{nop}, maxFilter-1), ret), true},
		{"too long", append(slices.Repeat([]bpf.RawInstruction{nop}, maxFilter), ret), false},
		{"too long with its tail", append(slices.Repeat([]bpf.RawInstruction{nop}, maxFilter-3), bpf.RawInstruction{Op: opRetA}), false},
		{"does not return", []bpf.RawInstruction{nop}, false},
		{"returns X", []bpf.RawInstruction{{Op: 0x0e}}, false},
		{"jumps to the last", []bpf.RawInstruction{{Op: 0x15, Jt: 1}, nop, ret}, true},
		{"jumps behind the last", []bpf.RawInstruction{{Op: 0x15, Jt: 2}, nop, ret}, false},
		{"jumps behind the last otherwise", []bpf.RawInstruction{{Op: 0x15, Jf: 2}, nop, ret}, false},
		{"always jumps behind the last", []bpf.RawInstruction{{Op: opJumpA, K: 1}, ret}, false},
		{"always jumps far", []bpf.RawInstruction{{Op: opJumpA, K: 1<<32 - 1}, ret}, false},
	} {
		_, err := withSnapLen(c.prog, 100)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrFilter) {
			t.Errorf("%s: %v, want ok=%t", c.name, err, c.ok)
		}
	}
}

// FuzzWithSnapLen compares, for any program that the virtual machine accepts,
// what it keeps with and without the limit.
func FuzzWithSnapLen(f *testing.F) {
	add := func(insns ...bpf.Instruction) {
		var b []byte
		for _, in := range assemble(f, insns...) {
			b = append(b, byte(in.Op>>8), byte(in.Op), in.Jt, in.Jf, byte(in.K>>24), byte(in.K>>16), byte(in.K>>8), byte(in.K))
		}
		f.Add(b, []byte("some packet that is long enough"), uint32(10))
	}
	add(bpf.RetConstant{Val: 1 << 16})
	add(bpf.LoadAbsolute{Size: 1}, bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: 5, SkipTrue: 1}, bpf.RetA{}, bpf.RetConstant{})
	add(bpf.LoadConstant{Val: 3}, bpf.Jump{Skip: 1}, bpf.RetA{}, bpf.RetA{})
	f.Fuzz(func(t *testing.T, b, packet []byte, snap uint32) {
		var prog []bpf.RawInstruction
		for ; len(b) >= 8; b = b[8:] {
			prog = append(prog, bpf.RawInstruction{
				Op: uint16(b[0])<<8 | uint16(b[1]), Jt: b[2], Jf: b[3],
				K: uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7]),
			})
		}
		snap &= 1<<31 - 1 // as in a Sniffer
		got, err := withSnapLen(prog, snap)
		if err != nil && !errors.Is(err, ErrFilter) {
			t.Fatalf("error %v", err)
		}
		if err != nil || len(prog) == 0 {
			return
		}
		insns, known := bpf.Disassemble(prog)
		vm, vmErr := bpf.NewVM(insns)
		if !known || vmErr != nil {
			return
		}
		want, wantErr := vm.Run(packet)
		limitedInsns, known := bpf.Disassemble(got)
		limited, err := bpf.NewVM(limitedInsns)
		if !known || err != nil {
			t.Fatalf("limited program %v: %v", got, err)
		}
		n, err := limited.Run(packet)
		if (err == nil) != (wantErr == nil) || err == nil && uint32(n) != min(uint32(want), snap) {
			t.Errorf("limited to %d: %d, %v, want %d, %v", snap, n, err, want, wantErr)
		}
	})
}
