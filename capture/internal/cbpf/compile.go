package cbpf

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/capture/internal/ebpf"
	"golang.org/x/net/bpf"
)

// Target is what a program is compiled for.
type Target struct {
	// MAC is the address of the interface, by which a received frame's packet
	// type is found out.
	MAC [6]byte
	// Hatype is the interface's ARPHRD_*.
	Hatype uint32
	// Frags says that a frame may lie in more than one piece of memory, so
	// that every access goes through a helper.
	Frags bool
	// Accept and Reject append what happens to a frame. They find the context
	// in R6, and end the program.
	Accept, Reject func(*ebpf.Program)
}

// Registers of compiled programs.
const (
	regCtx = ebpf.R6
	regA   = ebpf.R7
	regX   = ebpf.R8
)

// Offsets within struct xdp_md of linux/bpf.h.
const (
	mdData    = 0
	mdDataEnd = 4
	mdIfIndex = 12
	mdQueue   = 16
)

// Places on the stack, from its end.
const (
	stackMem   = -64 // memWords words
	stackBytes = -72 // what a helper has loaded
)

// compiler translates one program.
type compiler struct {
	ebpf.Program
	t      *Target
	reject ebpf.Label
	accept ebpf.Label
}

// Compile translates the program for the kernel's XDP hook of a machine with
// the given byte order. What it returns for a frame is lost, except whether it
// is 0. Loads from an offset that is not a constant, and those of a Target
// with Frags, want Linux 5.18.
func (p *Program) Compile(t *Target, order binary.ByteOrder) ([]byte, error) {
	c := &compiler{t: t}
	c.reject, c.accept = c.NewLabel(), c.NewLabel()
	c.ALU64(ebpf.Mov, regCtx, ebpf.R1)
	c.ALU32Imm(ebpf.Mov, regA, 0)
	c.ALU32Imm(ebpf.Mov, regX, 0)
	for _, in := range p.insns {
		if in.Op == classLD|modeMem || in.Op == classLDX|modeMem {
			// The verifier refuses to read what was not written.
			for i := range int16(memWords / 2) {
				c.StoreImm(ebpf.Double, ebpf.R10, stackMem+8*i, 0)
			}
			break
		}
	}
	labels := make([]ebpf.Label, len(p.insns))
	for i := range labels {
		labels[i] = c.NewLabel()
	}
	reached := make([]bool, len(p.insns))
	reached[0] = true
	for i := range p.insns {
		c.Set(labels[i])
		if !reached[i] {
			continue
		}
		in := &p.insns[i]
		switch {
		case in.Op == classJump|jumpA:
			reached[i+1+int(in.K)] = true
			c.Jump(labels[i+1+int(in.K)])
		case in.Op&7 == classJump && in.Op < opMeta:
			reached[i+1+int(in.Jt)], reached[i+1+int(in.Jf)] = true, true
			c.branch(in, labels[i+1+int(in.Jt)], labels[i+1+int(in.Jf)])
		case in.Op == classRet:
			if in.K != 0 {
				c.Jump(c.accept)
			} else {
				c.Jump(c.reject)
			}
		case in.Op == classRet|retA:
			c.If32Imm(ebpf.Ne, regA, 0, c.accept)
			c.Jump(c.reject)
		default:
			reached[i+1] = true
			c.step(in)
		}
	}
	// The verifier refuses instructions that nothing reaches.
	if c.Used(c.accept) {
		c.Set(c.accept)
		t.Accept(&c.Program)
	}
	if c.Used(c.reject) {
		c.Set(c.reject)
		t.Reject(&c.Program)
	}
	return c.Assemble(order)
}

func (c *compiler) branch(in *bpf.RawInstruction, yes, no ebpf.Label) {
	if yes != no {
		cond := ebpf.Cond(in.Op & 0xf0) // the same numbers in both machines
		if in.Op&srcX != 0 {
			c.If32(cond, regA, regX, yes)
		} else {
			c.If32Imm(cond, regA, in.K, yes)
		}
	}
	c.Jump(no)
}

// step appends an instruction that neither jumps nor returns.
func (c *compiler) step(in *bpf.RawInstruction) {
	switch in.Op {
	case classLD | modeAbs | sizeW, classLD | modeAbs | sizeH, classLD | modeAbs | sizeB:
		c.load(regA, loadSize(in.Op), in.K)
	case classLD | modeInd | sizeW, classLD | modeInd | sizeH, classLD | modeInd | sizeB:
		c.ALU32(ebpf.Mov, ebpf.R2, regX)
		c.ALU32Imm(ebpf.Add, ebpf.R2, in.K)
		c.loadBytes(regA, loadSize(in.Op))
	case classLDX | modeMSH | sizeB:
		c.load(regX, ebpf.Byte, in.K)
		c.ALU32Imm(ebpf.And, regX, 0xf)
		c.ALU32Imm(ebpf.LSh, regX, 2)
	case classLD | modeImm:
		c.ALU32Imm(ebpf.Mov, regA, in.K)
	case classLDX | modeImm:
		c.ALU32Imm(ebpf.Mov, regX, in.K)
	case classLD | modeLen:
		c.length(regA)
	case classLDX | modeLen:
		c.length(regX)
	case classLD | modeMem:
		c.Load(ebpf.Word, regA, ebpf.R10, stackMem+4*int16(in.K))
	case classLDX | modeMem:
		c.Load(ebpf.Word, regX, ebpf.R10, stackMem+4*int16(in.K))
	case classST:
		c.Store(ebpf.Word, ebpf.R10, stackMem+4*int16(in.K), regA)
	case classSTX:
		c.Store(ebpf.Word, ebpf.R10, stackMem+4*int16(in.K), regX)
	case classMisc | tax:
		c.ALU32(ebpf.Mov, regX, regA)
	case classMisc | txa:
		c.ALU32(ebpf.Mov, regA, regX)
	case classALU | aluNeg:
		c.ALU32Imm(ebpf.Neg, regA, 0)
	case opMeta | adProtocol:
		c.load(regA, ebpf.Half, ethLen-2)
	case opMeta | adPktType:
		c.packetType()
	case opMeta | adIfIndex:
		c.Load(ebpf.Word, regA, regCtx, mdIfIndex)
	case opMeta | adQueue:
		c.Load(ebpf.Word, regA, regCtx, mdQueue)
	case opMeta | adHatype:
		c.ALU32Imm(ebpf.Mov, regA, c.t.Hatype)
	case opMeta | adXorX:
		c.ALU32(ebpf.Xor, regA, regX)
	default:
		if in.Op >= opMeta { // the mark, and a VLAN tag that was taken off
			c.ALU32Imm(ebpf.Mov, regA, 0)
			return
		}
		// The arithmetic operations have the same numbers in both machines.
		op := ebpf.ALU(in.Op & 0xf0)
		switch {
		case in.Op&srcX == 0:
			c.ALU32Imm(op, regA, in.K)
		case op == ebpf.Div || op == ebpf.Mod:
			c.If32Imm(ebpf.Eq, regX, 0, c.reject)
			c.ALU32(op, regA, regX)
		case op == ebpf.LSh || op == ebpf.RSh:
			c.ALU32(ebpf.Mov, ebpf.R0, regX)
			c.ALU32Imm(ebpf.And, ebpf.R0, 31)
			c.ALU32(op, regA, ebpf.R0)
		default:
			c.ALU32(op, regA, regX)
		}
	}
}

// loadSize returns the width of a load.
func loadSize(op uint16) ebpf.Size {
	switch op & 0x18 {
	case sizeH:
		return ebpf.Half
	case sizeB:
		return ebpf.Byte
	}
	return ebpf.Word
}

// width returns a width in bytes.
func width(n ebpf.Size) int32 {
	switch n {
	case ebpf.Byte:
		return 1
	case ebpf.Half:
		return 2
	}
	return 4
}

// maxDirect is the highest offset that the verifier follows into a frame, with
// room for what is loaded.
const maxDirect = 1<<15 - 8

// load loads from a constant offset.
func (c *compiler) load(dst ebpf.Reg, n ebpf.Size, off uint32) {
	if c.t.Frags || off > maxDirect {
		c.ALU32Imm(ebpf.Mov, ebpf.R2, off)
		c.loadBytes(dst, n)
		return
	}
	c.direct(int32(off) + width(n))
	c.Load(n, dst, ebpf.R2, int16(off))
	c.fromBig(dst, n)
}

// direct sets R2 to the start of the frame, and rejects it when it does not
// have n bytes.
func (c *compiler) direct(n int32) {
	c.Load(ebpf.Word, ebpf.R2, regCtx, mdData)
	c.Load(ebpf.Word, ebpf.R3, regCtx, mdDataEnd)
	c.ALU64(ebpf.Mov, ebpf.R4, ebpf.R2)
	c.ALU64Imm(ebpf.Add, ebpf.R4, n)
	c.If(ebpf.Gt, ebpf.R4, ebpf.R3, c.reject)
}

// loadBytes loads from the offset in R2.
func (c *compiler) loadBytes(dst ebpf.Reg, n ebpf.Size) {
	c.bytes(width(n))
	c.Load(n, dst, ebpf.R10, stackBytes)
	c.fromBig(dst, n)
}

// bytes copies n bytes from the offset in R2 to the stack.
func (c *compiler) bytes(n int32) {
	c.ALU64(ebpf.Mov, ebpf.R1, regCtx)
	c.ALU64(ebpf.Mov, ebpf.R3, ebpf.R10)
	c.ALU64Imm(ebpf.Add, ebpf.R3, stackBytes)
	c.ALU32Imm(ebpf.Mov, ebpf.R4, uint32(n))
	c.Call(ebpf.XDPLoadBytes)
	c.If32Imm(ebpf.Ne, ebpf.R0, 0, c.reject)
}

func (c *compiler) fromBig(dst ebpf.Reg, n ebpf.Size) {
	if n != ebpf.Byte {
		c.FromBig(dst, 8*width(n))
	}
}

// length loads the length of the frame.
func (c *compiler) length(dst ebpf.Reg) {
	if c.t.Frags {
		c.ALU64(ebpf.Mov, ebpf.R1, regCtx)
		c.Call(ebpf.GetBuffLen)
		c.ALU32(ebpf.Mov, dst, ebpf.R0)
		return
	}
	c.Load(ebpf.Word, ebpf.R2, regCtx, mdData)
	c.Load(ebpf.Word, dst, regCtx, mdDataEnd)
	c.ALU64(ebpf.Sub, dst, ebpf.R2)
}

// packetType loads what eth_type_trans of the kernel would say of the frame.
func (c *compiler) packetType() {
	var b [8]byte
	copy(b[:], c.t.MAC[:])
	done, foreign, group := c.NewLabel(), c.NewLabel(), c.NewLabel()
	if c.t.Frags {
		c.ALU32Imm(ebpf.Mov, ebpf.R2, 0)
		c.bytes(6)
		c.ALU64(ebpf.Mov, ebpf.R2, ebpf.R10)
		c.ALU64Imm(ebpf.Add, ebpf.R2, stackBytes)
	} else {
		c.direct(6)
	}
	c.Load(ebpf.Half, ebpf.R3, ebpf.R2, 0)
	c.Load(ebpf.Half, ebpf.R4, ebpf.R2, 2)
	c.Load(ebpf.Half, ebpf.R5, ebpf.R2, 4)
	c.FromBig(ebpf.R3, 16)
	c.FromBig(ebpf.R4, 16)
	c.FromBig(ebpf.R5, 16)
	c.ALU32Imm(ebpf.Mov, regA, uint32(Host))
	c.If32Imm(ebpf.Ne, ebpf.R3, uint32(binary.BigEndian.Uint16(b[0:])), foreign)
	c.If32Imm(ebpf.Ne, ebpf.R4, uint32(binary.BigEndian.Uint16(b[2:])), foreign)
	c.If32Imm(ebpf.Eq, ebpf.R5, uint32(binary.BigEndian.Uint16(b[4:])), done)
	c.Set(foreign)
	c.ALU32Imm(ebpf.Mov, regA, uint32(OtherHost))
	c.If32Imm(ebpf.Set, ebpf.R3, 0x0100, group)
	c.Jump(done)
	c.Set(group)
	c.ALU32Imm(ebpf.Mov, regA, uint32(Multicast))
	c.ALU32(ebpf.And, ebpf.R3, ebpf.R4)
	c.ALU32(ebpf.And, ebpf.R3, ebpf.R5)
	c.If32Imm(ebpf.Ne, ebpf.R3, 0xffff, done)
	c.ALU32Imm(ebpf.Mov, regA, uint32(Broadcast))
	c.Set(done)
}
