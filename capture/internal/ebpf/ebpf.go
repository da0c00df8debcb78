// Package ebpf assembles programs for the kernel's extended BPF machine: the
// instructions that this module's own small programs want, and nothing else.
// It has no system calls in it.
package ebpf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Reg is a register of the machine.
type Reg uint8

// The registers. R0 holds results, R1 to R5 arguments, which calls do not
// keep; R6 to R9 survive calls; R10 is the end of 512 bytes of stack.
const (
	R0 Reg = iota
	R1
	R2
	R3
	R4
	R5
	R6
	R7
	R8
	R9
	R10
)

// Size is the width of a memory access: BPF_W, BPF_H, BPF_B and BPF_DW of
// linux/bpf.h.
type Size uint8

// The widths.
const (
	Word   Size = 0x00
	Half   Size = 0x08
	Byte   Size = 0x10
	Double Size = 0x18
)

// ALU is an arithmetic operation.
type ALU uint8

// The operations.
const (
	Add ALU = 0x00
	Sub ALU = 0x10
	Mul ALU = 0x20
	Div ALU = 0x30
	Or  ALU = 0x40
	And ALU = 0x50
	LSh ALU = 0x60
	RSh ALU = 0x70
	Neg ALU = 0x80
	Mod ALU = 0x90
	Xor ALU = 0xa0
	Mov ALU = 0xb0
)

// Cond is the condition of a jump; comparisons are unsigned.
type Cond uint8

// The conditions.
const (
	Eq  Cond = 0x10
	Gt  Cond = 0x20
	Ge  Cond = 0x30
	Set Cond = 0x40
	Ne  Cond = 0x50
	Lt  Cond = 0xa0
	Le  Cond = 0xb0
)

// Helper is a function of the kernel that programs may call: BPF_FUNC_* of
// linux/bpf.h.
type Helper int32

// The helpers.
const (
	TailCall     Helper = 12
	RedirectMap  Helper = 51
	GetBuffLen   Helper = 188 // bpf_xdp_get_buff_len, Linux 5.18
	XDPLoadBytes Helper = 189 // bpf_xdp_load_bytes, Linux 5.18
)

// Parts of operation codes.
const (
	classLD    = 0x00
	classLDX   = 0x01
	classST    = 0x02
	classSTX   = 0x03
	classALU   = 0x04
	classJump  = 0x05
	classJmp32 = 0x06
	classALU64 = 0x07
	modeMem    = 0x60
	srcReg     = 0x08
	opJumpA    = 0x00
	opCall     = 0x80
	opExit     = 0x90
	opEnd      = 0xd0 // byte order; with srcReg: to big endian
	imm64      = 0x18 // BPF_LD | BPF_IMM | BPF_DW
	pseudoMap  = 1    // BPF_PSEUDO_MAP_FD
)

// A Label is a place in a program, which jumps name before or after it is set.
type Label int

// insn is a struct bpf_insn of linux/bpf.h.
type insn struct {
	op       uint8
	dst, src Reg
	off      int16
	imm      int32
}

// A Program is being assembled. The zero value is empty.
type Program struct {
	insns  []insn
	places []int // of the labels, -1 before they are set
	jumps  []jump
}

// jump is an instruction whose offset is not known yet.
type jump struct {
	at int
	to Label
}

// Len returns the number of instructions.
func (p *Program) Len() int { return len(p.insns) }

// NewLabel returns a label for [Program.Set].
func (p *Program) NewLabel() Label {
	p.places = append(p.places, -1)
	return Label(len(p.places) - 1)
}

// Set puts a label before the next instruction.
func (p *Program) Set(l Label) { p.places[l] = len(p.insns) }

// Used reports whether a jump goes to l.
func (p *Program) Used(l Label) bool {
	for _, j := range p.jumps {
		if j.to == l {
			return true
		}
	}
	return false
}

func (p *Program) add(i insn) { p.insns = append(p.insns, i) }

// Load sets dst to what lies at src + off.
func (p *Program) Load(n Size, dst, src Reg, off int16) {
	p.add(insn{op: classLDX | modeMem | uint8(n), dst: dst, src: src, off: off})
}

// Store writes src to dst + off.
func (p *Program) Store(n Size, dst Reg, off int16, src Reg) {
	p.add(insn{op: classSTX | modeMem | uint8(n), dst: dst, src: src, off: off})
}

// StoreImm writes a constant to dst + off.
func (p *Program) StoreImm(n Size, dst Reg, off int16, v int32) {
	p.add(insn{op: classST | modeMem | uint8(n), dst: dst, off: off, imm: v})
}

// ALU64 computes with all 64 bits of dst and src.
func (p *Program) ALU64(op ALU, dst, src Reg) {
	p.add(insn{op: classALU64 | srcReg | uint8(op), dst: dst, src: src})
}

// ALU64Imm computes with all 64 bits of dst and v, which is sign-extended.
func (p *Program) ALU64Imm(op ALU, dst Reg, v int32) {
	p.add(insn{op: classALU64 | uint8(op), dst: dst, imm: v})
}

// ALU32 computes with the lower halves of dst and src; the upper half of dst
// becomes zero.
func (p *Program) ALU32(op ALU, dst, src Reg) {
	p.add(insn{op: classALU | srcReg | uint8(op), dst: dst, src: src})
}

// ALU32Imm computes with the lower half of dst and v; the upper half of dst
// becomes zero.
func (p *Program) ALU32Imm(op ALU, dst Reg, v uint32) {
	p.add(insn{op: classALU | uint8(op), dst: dst, imm: int32(v)})
}

// FromBig makes of the lower bits of dst, 16 or 32, which were loaded from
// bytes in network order, the number they stand for.
func (p *Program) FromBig(dst Reg, bits int32) {
	p.add(insn{op: classALU | opEnd | srcReg, dst: dst, imm: bits})
}

// LoadMap sets dst to the map with the given descriptor.
func (p *Program) LoadMap(dst Reg, fd int) {
	p.add(insn{op: imm64, dst: dst, src: pseudoMap, imm: int32(fd)})
	p.add(insn{})
}

// Call calls a helper.
func (p *Program) Call(h Helper) { p.add(insn{op: classJump | opCall, imm: int32(h)}) }

// Exit returns R0.
func (p *Program) Exit() { p.add(insn{op: classJump | opExit}) }

// Jump goes to l.
func (p *Program) Jump(l Label) { p.branch(insn{op: classJump | opJumpA}, l) }

// If goes to l when the condition holds for all 64 bits.
func (p *Program) If(c Cond, dst, src Reg, l Label) {
	p.branch(insn{op: classJump | srcReg | uint8(c), dst: dst, src: src}, l)
}

// If32 goes to l when the condition holds for the lower halves.
func (p *Program) If32(c Cond, dst, src Reg, l Label) {
	p.branch(insn{op: classJmp32 | srcReg | uint8(c), dst: dst, src: src}, l)
}

// If32Imm goes to l when the condition holds for the lower half and a constant.
func (p *Program) If32Imm(c Cond, dst Reg, v uint32, l Label) {
	p.branch(insn{op: classJmp32 | uint8(c), dst: dst, imm: int32(v)}, l)
}

func (p *Program) branch(i insn, l Label) {
	p.jumps = append(p.jumps, jump{len(p.insns), l})
	p.add(i)
}

// Assemble returns the program as the kernel of a machine with the given byte
// order reads it: [binary.NativeEndian] for this one. The error names a label
// that was not set, or a jump that is too far.
func (p *Program) Assemble(order binary.ByteOrder) ([]byte, error) {
	for _, j := range p.jumps {
		place := p.places[j.to]
		if place < 0 {
			return nil, fmt.Errorf("label %d is not set", j.to)
		}
		off := place - j.at - 1
		if off < math.MinInt16 || off > math.MaxInt16 {
			return nil, fmt.Errorf("jump over %d instructions: at most %d", off, math.MaxInt16)
		}
		p.insns[j.at].off = int16(off)
	}
	// The two registers are bit fields of one byte, which compilers lay out by
	// byte order.
	big := order.Uint16([]byte{0, 1}) == 1
	b := make([]byte, 8*len(p.insns))
	for i, in := range p.insns {
		to := b[8*i:]
		to[0] = in.op
		if big {
			to[1] = uint8(in.dst)<<4 | uint8(in.src)
		} else {
			to[1] = uint8(in.src)<<4 | uint8(in.dst)
		}
		order.PutUint16(to[2:], uint16(in.off))
		order.PutUint32(to[4:], uint32(in.imm))
	}
	return b, nil
}
