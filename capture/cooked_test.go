package capture

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// runFilter returns what a program keeps of a frame.
func runFilter(t *rapid.T, prog []bpf.RawInstruction, frame []byte) int {
	insns, ok := bpf.Disassemble(prog)
	if !ok {
		t.Fatalf("cannot disassemble %v", prog)
	}
	vm, err := bpf.NewVM(insns)
	if err != nil {
		t.Fatalf("%v: %v", err, insns)
	}
	n, err := vm.Run(frame)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCookedFilter runs random programs over a frame with its cooked header,
// and what becomes of them over the frame without one. They must agree on
// which frames to accept, and on how many bytes to keep behind the header.
func TestCookedFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom([]cookedHeader{cookedSLL2, cookedNetlink}).Draw(t, "header")
		n, _ := h.layout()
		var prog []bpf.RawInstruction
		length := rapid.IntRange(1, 12).Draw(t, "length")
		u32 := func(name string, limit uint32) uint32 { return rapid.Uint32Range(0, limit).Draw(t, name) }
		for i := range length {
			left := uint32(length - i - 1) // before the last instruction, which returns
			switch rapid.IntRange(0, 6).Draw(t, "kind") {
			case 0:
				size := rapid.SampledFrom([]uint16{0x00, 0x08, 0x10}).Draw(t, "size")
				prog = append(prog, bpf.RawInstruction{Op: opLd | opAbs | size, K: n + u32("offset", 40)})
			case 1:
				prog = append(prog, bpf.RawInstruction{Op: opLdx | opMsh | opByte, K: n + u32("offset", 40)})
			case 2:
				prog = append(prog, bpf.RawInstruction{Op: opLd | opInd | opByte, K: n + u32("offset", 40)})
			case 3:
				prog = append(prog, bpf.RawInstruction{Op: opLd | opLen})
			case 4:
				prog = append(prog, bpf.RawInstruction{Op: opJumpGtK, Jt: uint8(u32("jt", left)), Jf: uint8(u32("jf", left)), K: u32("value", 100)})
			case 5:
				prog = append(prog, bpf.RawInstruction{Op: opJumpA, K: u32("far", left)})
			case 6:
				prog = append(prog, bpf.RawInstruction{Op: rapid.SampledFrom([]uint16{opRetK, opRetA}).Draw(t, "return"), K: u32("keep", 100)})
			}
		}
		prog = append(prog, bpf.RawInstruction{Op: opRetK, K: u32("keep", 100)})
		payload := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "payload")

		prog, err := withSnapLen(prog, u32("snap", 80))
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(prog)
		cooked, err := h.filter(prog, maxFilter)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(prog, before) {
			t.Error("the program was changed")
		}
		want := runFilter(t, prog, append(bytes.Repeat([]byte{0xee}, int(n)), payload...))
		if want > 0 {
			want = max(want-int(n), 1)
		}
		if got := runFilter(t, cooked, payload); got != want {
			t.Errorf("%v keeps %d, and %v keeps %d", prog, want, cooked, got)
		}
	})
}

// TestCookedFields reads the fields of the header, which programs find in the
// kernel's extensions.
func TestCookedFields(t *testing.T) {
	const word, half, one = opLd | opAbs, opLd | opAbs | opHalf, opLd | opAbs | opByte
	ret := bpf.RawInstruction{Op: opRetK, K: 1 << 16}
	for _, c := range []struct {
		h    cookedHeader
		op   uint16
		k    uint32
		want uint32 // 0: refused
	}{
		{cookedSLL2, half, 0, 0xfffff000},          // protocol: SKF_AD_PROTOCOL
		{cookedSLL2, word, 4, 0xfffff008},          // interface: SKF_AD_IFINDEX
		{cookedSLL2, half, 8, 0xfffff01c},          // ARPHRD_: SKF_AD_HATYPE
		{cookedSLL2, one, 10, 0xfffff004},          // packet type: SKF_AD_PKTTYPE
		{cookedSLL2, one, 0, 0},                    // half of the protocol
		{cookedSLL2, word, 0, 0},                   // more than the protocol
		{cookedSLL2, one, 11, 0},                   // length of the address
		{cookedSLL2, word, 12, 0},                  // address
		{cookedSLL2, one, 19, 0},                   // address
		{cookedSLL2, word, 18, 0},                  // address and what follows
		{cookedSLL2, one, 21, 1},                   // behind the header
		{cookedSLL2, half, 0xfffff030, 0xfffff030}, // an extension stays
		{cookedSLL2, opLdx | opMsh | opByte, 10, 0},
		{cookedSLL2, opLd | opInd | opByte, 10, 0},
		{cookedSLL2, opLdx | opLen, 0, 0},
		{cookedNetlink, half, 0, 0xfffff004},
		{cookedNetlink, half, 2, 0xfffff01c},
		{cookedNetlink, half, 14, 0xfffff000},
		{cookedNetlink, half, 4, 0},
		{cookedNetlink, one, 17, 1},
		{cookedNone, one, 10, 10},
	} {
		prog, err := c.h.filter([]bpf.RawInstruction{{Op: c.op, K: c.k}, ret}, maxFilter)
		switch {
		case c.want == 0 && (!errors.Is(err, ErrFilter) || !strings.Contains(err.Error(), "instruction 0")):
			t.Errorf("header %d, load %#x of %d: %v, want ErrFilter and which instruction", c.h, c.op, c.k, err)
		case c.want != 0 && (err != nil || prog[0].K != c.want):
			t.Errorf("header %d, load %#x of %d: %v, %v, want %#x", c.h, c.op, c.k, prog, err, c.want)
		}
	}
	// What makes the program longer may be too much for a jump, and for the
	// kernel.
	far := slices.Concat([]bpf.RawInstruction{{Op: opJumpGtK, Jt: 250}},
		slices.Repeat([]bpf.RawInstruction{{Op: opLd | opLen}}, 250), []bpf.RawInstruction{ret})
	if _, err := cookedSLL2.filter(far, maxFilter); !errors.Is(err, ErrFilter) {
		t.Errorf("jump over 500 instructions: %v, want ErrFilter", err)
	}
	far[0] = bpf.RawInstruction{Op: opJumpA, K: 250}
	if prog, err := cookedSLL2.filter(far, maxFilter); err != nil || prog[0].K != 500 {
		t.Errorf("jump over 500 instructions: %v", err)
	}
	if _, err := cookedSLL2.filter(far, 501); !errors.Is(err, ErrFilter) {
		t.Errorf("502 instructions: %v, want ErrFilter", err)
	}
}

func TestFanoutString(t *testing.T) {
	for f, want := range map[Fanout]string{
		FanoutHash: "hash", FanoutRoundRobin: "round-robin", FanoutCPU: "cpu", FanoutRollover: "rollover",
		FanoutRandom: "random", FanoutQueue: "queue", 9: "Fanout(9)",
	} {
		if got := f.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
