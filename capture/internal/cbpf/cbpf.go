// Package cbpf runs classic BPF programs, as [golang.org/x/net/bpf] assembles
// them, where the kernel does not: [Program.Run] interprets one without
// allocating, and [Program.Compile] translates one for the kernel's XDP hook,
// which only knows extended BPF.
//
// Programs mean what they mean as filters of a Linux packet socket, with the
// frame as it lies in memory: a VLAN tag is part of it. A load that reaches
// behind the end of the frame rejects it. Memory that was not written is zero.
// The loads relative to the network header, SKF_NET_OFF, and to the link
// header, SKF_LL_OFF, work when their offset is a constant. Of the loads of
// metadata, SKF_AD_* of linux/filter.h, there are the protocol, the packet
// type, the interface, the queue, the hardware type and the mark, which is 0;
// no VLAN tag is ever reported as taken off the frame. Programs with others
// are refused.
package cbpf

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// MaxLen is how many instructions a program may have: BPF_MAXINSNS.
const MaxLen = 4096

// memWords is the size of the scratch memory: BPF_MEMWORDS.
const memWords = 16

// ethLen is the length of an Ethernet header, behind which the network header
// begins.
const ethLen = 14

// Classes and parts of operation codes, linux/bpf_common.h.
const (
	classLD   = 0x00
	classLDX  = 0x01
	classST   = 0x02
	classSTX  = 0x03
	classALU  = 0x04
	classJump = 0x05
	classRet  = 0x06
	classMisc = 0x07

	sizeW = 0x00
	sizeH = 0x08
	sizeB = 0x10

	modeImm = 0x00
	modeAbs = 0x20
	modeInd = 0x40
	modeMem = 0x60
	modeLen = 0x80
	modeMSH = 0xa0

	srcX = 0x08

	retA = 0x10
	tax  = 0x00
	txa  = 0x80
)

// Arithmetic operations and conditions.
const (
	aluAdd = 0x00
	aluSub = 0x10
	aluMul = 0x20
	aluDiv = 0x30
	aluOr  = 0x40
	aluAnd = 0x50
	aluLSh = 0x60
	aluRSh = 0x70
	aluNeg = 0x80
	aluMod = 0x90
	aluXor = 0xa0

	jumpA   = 0x00
	jumpEq  = 0x10
	jumpGt  = 0x20
	jumpGe  = 0x30
	jumpSet = 0x40
)

// Offsets at and above which a load does not count from the start of the
// frame, linux/filter.h.
const (
	llOff  = 0xffe00000 // SKF_LL_OFF
	netOff = 0xfff00000 // SKF_NET_OFF
	adOff  = 0xfffff000 // SKF_AD_OFF
)

// Metadata by its distance from adOff.
const (
	adProtocol = 0
	adPktType  = 4
	adIfIndex  = 8
	adMark     = 20
	adQueue    = 24
	adHatype   = 28
	adXorX     = 40 // no load: A ^= X
	adVLANTCI  = 44
	adVLANHas  = 48
	adVLANTPID = 60
)

// opMeta and the distance are the operation that a checked program has instead
// of a load of metadata.
const opMeta = 0x0100

// PacketType is what SKF_AD_PKTTYPE loads: PACKET_* of linux/if_packet.h.
type PacketType uint8

// The packet types.
const (
	Host PacketType = iota
	Broadcast
	Multicast
	OtherHost
	Outgoing
)

// Meta is what a program can ask about a frame besides its bytes.
type Meta struct {
	Type      PacketType
	Interface uint32 // index
	Queue     uint32
	Hatype    uint32 // ARPHRD_* of linux/if_arp.h
}

// A Program has been checked.
type Program struct {
	insns []bpf.RawInstruction
}

// New checks a program as the kernel does, bpf_check_classic of
// net/core/filter.c, except that reading memory which was not written is
// allowed. It keeps no reference to prog.
func New(prog []bpf.RawInstruction) (*Program, error) {
	switch {
	case len(prog) == 0:
		return nil, fmt.Errorf("no instructions")
	case len(prog) > MaxLen:
		return nil, fmt.Errorf("%d instructions, limit %d", len(prog), MaxLen)
	}
	p := &Program{insns: append([]bpf.RawInstruction(nil), prog...)}
	for i := range p.insns {
		if err := p.check(i); err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
	}
	switch p.insns[len(p.insns)-1].Op {
	case classRet, classRet | retA:
		return p, nil
	}
	return nil, fmt.Errorf("last instruction does not return")
}

// check checks instruction i and rewrites its loads of metadata.
func (p *Program) check(i int) error {
	in := &p.insns[i]
	left := uint32(len(p.insns) - i - 1)
	switch in.Op {
	case classLD | modeAbs | sizeW, classLD | modeAbs | sizeH, classLD | modeAbs | sizeB:
		return rebase(in)
	case classLD | modeInd | sizeW, classLD | modeInd | sizeH, classLD | modeInd | sizeB,
		classLDX | modeMSH | sizeB,
		classLD | modeImm, classLDX | modeImm, classLD | modeLen, classLDX | modeLen,
		classMisc | tax, classMisc | txa, classRet, classRet | retA,
		classALU | aluNeg,
		classALU | aluAdd, classALU | aluAdd | srcX, classALU | aluSub, classALU | aluSub | srcX,
		classALU | aluMul, classALU | aluMul | srcX, classALU | aluOr, classALU | aluOr | srcX,
		classALU | aluAnd, classALU | aluAnd | srcX, classALU | aluXor, classALU | aluXor | srcX,
		classALU | aluDiv | srcX, classALU | aluMod | srcX, classALU | aluLSh | srcX, classALU | aluRSh | srcX:
		return nil
	case classALU | aluDiv, classALU | aluMod:
		if in.K == 0 {
			return fmt.Errorf("division by zero")
		}
		return nil
	case classALU | aluLSh, classALU | aluRSh:
		if in.K >= 32 {
			return fmt.Errorf("shift by %d", in.K)
		}
		return nil
	case classLD | modeMem, classLDX | modeMem, classST, classSTX:
		if in.K >= memWords {
			return fmt.Errorf("memory word %d of %d", in.K, memWords)
		}
		return nil
	case classJump | jumpA:
		if in.K >= left {
			return fmt.Errorf("jump behind the end")
		}
		return nil
	case classJump | jumpEq, classJump | jumpEq | srcX, classJump | jumpGt, classJump | jumpGt | srcX,
		classJump | jumpGe, classJump | jumpGe | srcX, classJump | jumpSet, classJump | jumpSet | srcX:
		if uint32(max(in.Jt, in.Jf)) >= left {
			return fmt.Errorf("jump behind the end")
		}
		return nil
	}
	return fmt.Errorf("unknown operation %#x", in.Op)
}

// rebase rewrites a load from a constant offset that does not count from the
// start of the frame.
func rebase(in *bpf.RawInstruction) error {
	switch {
	case in.K >= adOff:
		switch d := in.K - adOff; d {
		case adProtocol, adPktType, adIfIndex, adMark, adQueue, adHatype, adXorX, adVLANTCI, adVLANHas, adVLANTPID:
			in.Op = opMeta | uint16(d)
			return nil
		default:
			return fmt.Errorf("load of metadata %d, which is not known here", d)
		}
	case in.K >= netOff:
		in.K -= netOff - ethLen
	case in.K >= llOff:
		in.K -= llOff
	case in.K > 1<<31-1:
		return fmt.Errorf("load from offset %#x", in.K)
	}
	return nil
}

// Keeps returns how many bytes of a frame the program keeps, if that is the
// same for all frames that it accepts.
func (p *Program) Keeps() (n uint32, ok bool) {
	for _, in := range p.insns {
		switch in.Op {
		case classRet | retA:
			return 0, false
		case classRet:
			if in.K == 0 {
				continue
			}
			if ok && in.K != n {
				return 0, false
			}
			n, ok = in.K, true
		}
	}
	return n, ok
}

// Run returns what the program returns for a frame: how many of its bytes to
// keep, and 0 for none of it.
func (p *Program) Run(b []byte, meta *Meta) uint32 {
	var a, x uint32
	var mem [memWords]uint32
	size := uint32(len(b))
	for pc := 0; pc < len(p.insns); pc++ {
		in := &p.insns[pc]
		k := in.K
		if in.Op&srcX != 0 { // means something else where it is not used
			k = x
		}
		switch in.Op {
		case classLD | modeAbs | sizeW:
			if size < 4 || in.K > size-4 {
				return 0
			}
			a = binary.BigEndian.Uint32(b[in.K:])
		case classLD | modeAbs | sizeH:
			if size < 2 || in.K > size-2 {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(b[in.K:]))
		case classLD | modeAbs | sizeB:
			if in.K >= size {
				return 0
			}
			a = uint32(b[in.K])
		case classLD | modeInd | sizeW:
			off := x + in.K
			if size < 4 || off > size-4 {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off:])
		case classLD | modeInd | sizeH:
			off := x + in.K
			if size < 2 || off > size-2 {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(b[off:]))
		case classLD | modeInd | sizeB:
			off := x + in.K
			if off >= size {
				return 0
			}
			a = uint32(b[off])
		case classLDX | modeMSH | sizeB:
			if in.K >= size {
				return 0
			}
			x = uint32(b[in.K]&0xf) * 4
		case classLD | modeImm:
			a = in.K
		case classLDX | modeImm:
			x = in.K
		case classLD | modeLen:
			a = size
		case classLDX | modeLen:
			x = size
		case classLD | modeMem:
			a = mem[in.K&(memWords-1)]
		case classLDX | modeMem:
			x = mem[in.K&(memWords-1)]
		case classST:
			mem[in.K&(memWords-1)] = a
		case classSTX:
			mem[in.K&(memWords-1)] = x
		case classMisc | tax:
			x = a
		case classMisc | txa:
			a = x
		case classALU | aluAdd, classALU | aluAdd | srcX:
			a += k
		case classALU | aluSub, classALU | aluSub | srcX:
			a -= k
		case classALU | aluMul, classALU | aluMul | srcX:
			a *= k
		case classALU | aluDiv, classALU | aluDiv | srcX:
			if k == 0 {
				return 0
			}
			a /= k
		case classALU | aluMod, classALU | aluMod | srcX:
			if k == 0 {
				return 0
			}
			a %= k
		case classALU | aluOr, classALU | aluOr | srcX:
			a |= k
		case classALU | aluAnd, classALU | aluAnd | srcX:
			a &= k
		case classALU | aluXor, classALU | aluXor | srcX:
			a ^= k
		case classALU | aluLSh, classALU | aluLSh | srcX:
			a <<= k & 31
		case classALU | aluRSh, classALU | aluRSh | srcX:
			a >>= k & 31
		case classALU | aluNeg:
			a = -a
		case classJump | jumpA:
			pc += int(in.K)
		case classJump | jumpEq, classJump | jumpEq | srcX:
			pc += jump(in, a == k)
		case classJump | jumpGt, classJump | jumpGt | srcX:
			pc += jump(in, a > k)
		case classJump | jumpGe, classJump | jumpGe | srcX:
			pc += jump(in, a >= k)
		case classJump | jumpSet, classJump | jumpSet | srcX:
			pc += jump(in, a&k != 0)
		case classRet:
			return in.K
		case classRet | retA:
			return a
		case opMeta | adProtocol:
			if size < ethLen {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(b[ethLen-2:]))
		case opMeta | adPktType:
			a = uint32(meta.Type)
		case opMeta | adIfIndex:
			a = meta.Interface
		case opMeta | adQueue:
			a = meta.Queue
		case opMeta | adHatype:
			a = meta.Hatype
		case opMeta | adXorX:
			a ^= x
		default: // the mark, and a VLAN tag that was taken off
			a = 0
		}
	}
	return 0
}

// jump returns how many instructions a conditional jump skips.
func jump(in *bpf.RawInstruction, yes bool) int {
	if yes {
		return int(in.Jt)
	}
	return int(in.Jf)
}
