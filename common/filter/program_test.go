package filter_test

import (
	"errors"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// ret is an instruction that ends a program.
var ret = bpf.RawInstruction{Op: 0x06, K: 1}

func TestValidate(t *testing.T) {
	long := make(filter.Program, filter.MaxProgram+1)
	huge := make(filter.Program, filter.MaxUserLen+1)
	for i := range huge {
		huge[i] = ret
	}
	copy(long, huge)
	for _, c := range []struct {
		name  string
		prog  filter.Program
		index int
		any   error // from Validate
		linux error // from ValidateLinux
	}{
		{"nothing", nil, -1, filter.ErrEmpty, filter.ErrEmpty},
		{"return", filter.Program{ret}, 0, nil, nil},
		{"return of the accumulator", filter.Program{{Op: 0x16}}, 0, nil, nil},
		{"return of X", filter.Program{{Op: 0x0e}}, 0, filter.ErrOperation, filter.ErrOperation},
		{"4097 instructions", long, -1, nil, filter.ErrLength},
		{"65537 instructions", huge, -1, filter.ErrLength, filter.ErrLength},
		{"no return", filter.Program{ret, {Op: 0x00}}, 1, filter.ErrNoReturn, filter.ErrNoReturn},
		{"unknown", filter.Program{{Op: 0xffff}, ret}, 0, filter.ErrOperation, filter.ErrOperation},
		{"unknown size", filter.Program{{Op: 0x38}, ret}, 0, filter.ErrOperation, filter.ErrOperation},
		{"jump behind the end", filter.Program{ret, {Op: 0x15, Jt: 1}, ret}, 1, filter.ErrJump, filter.ErrJump},
		{"jump to the end", filter.Program{{Op: 0x15, Jt: 1}, ret, ret}, 0, nil, nil},
		{"jump always", filter.Program{{Op: 0x05, K: 1}, ret}, 0, filter.ErrJump, filter.ErrJump},
		{"jump far", filter.Program{{Op: 0x05, K: 1<<31 - 1}, ret}, 0, filter.ErrJump, filter.ErrJump},
		{"jump before the start", filter.Program{{Op: 0x05, K: 1<<32 - 2}, ret}, 0, filter.ErrJump, filter.ErrJump},
		{"jump to itself", filter.Program{{Op: 0x05, K: 1<<32 - 1}, ret}, 0, nil, filter.ErrLoop},
		{"division by zero", filter.Program{{Op: 0x34}, ret}, 0, filter.ErrDivision, filter.ErrDivision},
		{"remainder by zero", filter.Program{{Op: 0x94}, ret}, 0, filter.ErrDivision, filter.ErrDivision},
		{"wide shift", filter.Program{{Op: 0x64, K: 32}, ret}, 0, filter.ErrShift, filter.ErrShift},
		{"shift", filter.Program{{Op: 0x74, K: 31}, ret}, 0, nil, nil},
		{"word 16", filter.Program{{Op: 0x02, K: 16}, ret}, 0, filter.ErrScratch, filter.ErrScratch},
		{"word not written", filter.Program{{Op: 0x60, K: 15}, ret}, 0, nil, filter.ErrUnwritten},
		{"word written one way", filter.Program{{Op: 0x15, Jt: 1}, {Op: 0x02}, {Op: 0x60}, ret}, 2, nil, filter.ErrUnwritten},
		{"word written both ways", filter.Program{{Op: 0x02}, {Op: 0x15, Jt: 1}, {Op: 0x02}, {Op: 0x60}, ret}, 0, nil, nil},
		{"metadata", filter.Program{{Op: 0x28, K: 0xfffff000 + 48}, ret}, 0, nil, nil},
		{"unknown metadata", filter.Program{{Op: 0x28, K: 0xfffff000 + 49}, ret}, 0, nil, filter.ErrMetadata},
	} {
		for _, v := range []struct {
			name string
			f    func() error
			want error
		}{{"Validate", c.prog.Validate, c.any}, {"ValidateLinux", c.prog.ValidateLinux, c.linux}} {
			err := v.f()
			if !errors.Is(err, v.want) {
				t.Errorf("%s: %s = %v, want %v", c.name, v.name, err, v.want)
			}
			if v.want == nil {
				continue
			}
			pe, ok := errors.AsType[*filter.ProgramError](err)
			if !ok || pe.Index != c.index {
				t.Errorf("%s: %s = %#v, want instruction %d", c.name, v.name, err, c.index)
			}
		}
	}
}

func TestProgramError(t *testing.T) {
	for _, c := range []struct {
		prog filter.Program
		want string
	}{
		{nil, "filter: program: no instructions"},
		{filter.Program{ret, {Op: 0x34}, ret}, "filter: program: (001) div      #0: division by a constant zero"},
		{filter.Program{{Op: 0x1234}, ret}, "filter: program: (000) unimp    0x1234: no such operation"},
	} {
		if err := c.prog.Validate(); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// operations are those that a classic program can have.
var operations = []uint16{
	0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x00, 0x01, 0x80, 0x81, 0x60, 0x61, 0x02, 0x03, 0x07, 0x87,
	0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac,
	0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16,
}

// draw draws a valid program whose jumps go forward, of operations that allowed
// allows, and which reads memory only where it has written before.
func draw(t *rapid.T, allowed func(op uint16) bool) filter.Program {
	var ops []uint16
	for _, op := range operations {
		if allowed(op) {
			ops = append(ops, op)
		}
	}
	var p filter.Program
	for i := range uint32(3) {
		p = append(p, bpf.RawInstruction{Op: 0x02, K: i})
	}
	small := rapid.Uint32Range(0, 70)
	n := rapid.IntRange(1, 40).Draw(t, "instructions")
	for i := range n {
		left := n - i - 1 // up to the last return
		in := bpf.RawInstruction{Op: rapid.SampledFrom(ops).Draw(t, "op")}
		switch in.Op & 7 {
		case 0, 1:
			in.K = small.Draw(t, "offset")
			if in.Op&0xe0 == 0x60 {
				in.K %= 3
			}
			if in.Op&0xe0 == 0x80 {
				in.K = 0
			}
		case 2, 3:
			in.K = rapid.Uint32Range(0, 2).Draw(t, "word")
		case 4:
			in.K = rapid.OneOf(rapid.Uint32Min(1), rapid.Uint32Range(1, 300)).Draw(t, "operand")
			switch {
			case in.Op == 0x64 || in.Op == 0x74:
				in.K %= 32
			case in.Op&8 != 0 || in.Op == 0x84:
				in.K = 0
			}
		case 5:
			if in.Op == 0x05 {
				in.K = uint32(rapid.IntRange(0, left).Draw(t, "skip"))
				break
			}
			if in.Op&8 == 0 {
				in.K = rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 70)).Draw(t, "operand")
			}
			in.Jt = uint8(rapid.IntRange(0, left).Draw(t, "skip"))
			in.Jf = uint8(rapid.IntRange(0, left).Draw(t, "skip"))
		case 6:
			if in.Op == 0x06 {
				in.K = rapid.Uint32Range(0, 3).Draw(t, "keep")
			}
		}
		p = append(p, in)
	}
	return append(p, bpf.RawInstruction{Op: 0x16})
}

func anyOperation(uint16) bool { return true }
