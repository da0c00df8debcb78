package filter

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/common/link"
)

// Literal runs a valid program as it is written, instruction by instruction: what
// the engines are compared with, besides those of others. The budget has no default.
func (p Program) Literal(b []byte, wireLen int, info *link.Info, o VMOptions) uint32 {
	var a, x uint32
	var mem [scratchWords]uint32
	code, size, budget := p, uint64(len(b)), o.Budget
	for pc := uint(0); pc < uint(len(code)); pc++ {
		in := &code[pc]
		k := in.K
		switch in.Op {
		case classLD | modeAbs | sizeW:
			off := uint64(k)
			if off+3 >= size {
				var ok bool
				if a, ok = literalAsk(k, a, x, b, info); !ok {
					return 0
				}
				continue
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
		case classLD | modeAbs | sizeH:
			off := uint64(k)
			if off+1 >= size {
				var ok bool
				if a, ok = literalAsk(k, a, x, b, info); !ok {
					return 0
				}
				continue
			}
			a = uint32(binary.BigEndian.Uint16(b[off : off+2]))
		case classLD | modeAbs | sizeB:
			off := uint64(k)
			if off >= size {
				var ok bool
				if a, ok = literalAsk(k, a, x, b, info); !ok {
					return 0
				}
				continue
			}
			a = uint32(b[off])
		case classLD | modeInd | sizeW:
			off := literalOffset(x, k, o.Linux)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
		case classLD | modeInd | sizeH:
			off := literalOffset(x, k, o.Linux)
			if off+1 >= size {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(b[off : off+2]))
		case classLD | modeInd | sizeB:
			off := literalOffset(x, k, o.Linux)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
		case classLDX | modeMSH | sizeB:
			off := uint64(k)
			if off >= size {
				return 0
			}
			x = uint32(b[off]&0xf) << 2
		case classLD | modeImm:
			a = k
		case classLDX | modeImm:
			x = k
		case classLD | modeLen:
			a = uint32(wireLen)
		case classLDX | modeLen:
			x = uint32(wireLen)
		case classLD | modeMem:
			a = mem[k%scratchWords]
		case classLDX | modeMem:
			x = mem[k%scratchWords]
		case classST:
			mem[k%scratchWords] = a
		case classSTX:
			mem[k%scratchWords] = x
		case classMisc | tax:
			x = a
		case classMisc | txa:
			a = x
		case classALU | aluAdd:
			a += k
		case classALU | aluSub:
			a -= k
		case classALU | aluMul:
			a *= k
		case classALU | aluDiv:
			if k == 0 {
				return 0
			}
			a /= k
		case classALU | aluMod:
			if k == 0 {
				return 0
			}
			a %= k
		case classALU | aluAnd:
			a &= k
		case classALU | aluOr:
			a |= k
		case classALU | aluXor:
			a ^= k
		case classALU | aluLsh:
			a <<= k & 31
		case classALU | aluRsh:
			a >>= k & 31
		case classALU | aluNeg:
			a = -a
		case classALU | aluAdd | srcX:
			a += x
		case classALU | aluSub | srcX:
			a -= x
		case classALU | aluMul | srcX:
			a *= x
		case classALU | aluDiv | srcX:
			if x == 0 {
				return 0
			}
			a /= x
		case classALU | aluMod | srcX:
			if x == 0 {
				return 0
			}
			a %= x
		case classALU | aluAnd | srcX:
			a &= x
		case classALU | aluOr | srcX:
			a |= x
		case classALU | aluXor | srcX:
			a ^= x
		case classALU | aluLsh | srcX:
			a <<= literalShift(x, o.Linux)
		case classALU | aluRsh | srcX:
			a >>= literalShift(x, o.Linux)
		case classJump | jmpJA:
			if int32(k) < 0 {
				if budget += int(int32(k)); budget < 0 {
					return 0
				}
			}
			pc += uint(int32(k))
		case classJump | jmpJEQ:
			if a == k {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJGT:
			if a > k {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJGE:
			if a >= k {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJSET:
			if a&k != 0 {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJEQ | srcX:
			if a == x {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJGT | srcX:
			if a > x {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJGE | srcX:
			if a >= x {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classJump | jmpJSET | srcX:
			if a&x != 0 {
				pc += uint(in.Jt)
			} else {
				pc += uint(in.Jf)
			}
		case classRet:
			return k
		case classRet | retA:
			return a
		}
	}
	return 0
}

// literalOffset returns where a load relative to X loads from.
func literalOffset(x, k uint32, linux bool) uint64 {
	if linux {
		return uint64(x + k)
	}
	return uint64(x) + uint64(k)
}

// literalShift returns by how much a shift by X shifts.
func literalShift(x uint32, linux bool) uint32 {
	if linux {
		return x & 31
	}
	return x
}

// literalAsk returns what a load behind the end of the packet loads: what is known of
// the packet besides, if it asks for that, and it is known.
func literalAsk(k, a, x uint32, b []byte, info *link.Info) (uint32, bool) {
	if k < ancillary || info == nil {
		return 0, false
	}
	if k == ancillary+adXorX {
		return a ^ x, true
	}
	return metadata(k-ancillary, b, info)
}
