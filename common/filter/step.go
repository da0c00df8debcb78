package filter

import (
	"encoding/binary"
	"math"

	"golang.org/x/net/bpf"

	"github.com/gopkts/gopkts/common/link"
)

// The step engine follows a program as it is written, for what the direct engine
// leaves. It has translated the program into steps before: what often follows each
// other is one, and no step is a jump that only goes forward. The time goes into
// getting from one step to the next, and there into jumps that are taken and where
// they go to, more than into instructions. So few steps are worth more than short
// ones, and what is not needed is done to no effect instead of being jumped over.

// step is an instruction, or several: what do says, and then a mask, tax and a test.
// There is one for each instruction of the program, which does what the program does
// from there on: the next step is not that of the next instruction, but that of the
// one behind its own. So jumps may lead anywhere.
type step struct {
	do   stepDo
	size uint8 // of a load by doAsk, in bytes
	k    uint32
	mask uint32 // of A, after what is done
	tax  uint32 // the bits of A, before the mask, that X gets: none or those of the mask
	keep uint32 // the bits of X that stay: all or none
	bits uint32 // the test: whether these bits of A, after the mask,
	low  uint32 // less low,
	span uint32 // are at most span
	yes  *step  // the next one if so: a step without a test has one that holds
	no   *step  // the next one otherwise
}

// stepDo is what a step does. Loads are of 4, 2 and 1 bytes, at k, or those with an X
// at X and k; all else with an X is by X and not by k.
type stepDo uint8

const (
	doLoad4 stepDo = iota
	doLoad2
	doLoad1
	doLoadX4
	doLoadX2
	doLoadX1
	doTestX // goes on behind the step at no, not behind this one, if A has no bit of X
	doEqualX
	doGreaterX
	doAtLeastX
	doReturn
	doReturnA
	doBack // a jump back, by k instructions
	doAsk  // a load at k, which may be of metadata
	doHeader
	doImm
	doImmX
	doLen
	doLenX
	doMem
	doMemX
	doStore
	doStoreX
	doTxa // and then add k
	doAdd
	doSub
	doMul
	doDiv
	doMod
	doOr
	doXor
	doLsh
	doRsh
	doNeg
	doAddX // and then add k
	doSubX
	doMulX
	doDivX
	doModX
	doAndX
	doOrX
	doXorX
	doLshX
	doRshX
	doNothing
)

// follow runs the program from behind a step on. Offsets are computed in 64 bits,
// where they cannot overflow.
//
// There is one call, for what is rare: if there were more, everything would be
// written to the stack before every step. The end of a step is at the start of the
// loop, where it and the choice of what the next one does follow each other in
// memory: two jumps are taken for a step, one of them back to there. At the end of the
// loop, the compiler puts a third one between the two, and how fast it all was
// depended on where the linker put it.
func (v *VM) follow(in *step, b []byte, wireLen int, info *link.Info) uint32 {
	var a, x uint32
	var mem [scratchWords]uint32
	size, budget := uint64(len(b)), v.budget
	for {
		x = x&in.keep | a&in.tax
		a &= in.mask
		next := in.no
		if a&in.bits-in.low <= in.span {
			next = in.yes
		}
		in = next
		k := in.k
		switch in.do {
		case doLoad4:
			off := uint64(k)
			if off+4 > size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
		case doLoad2:
			off := uint64(k)
			if off+2 > size {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(b[off : off+2]))
		case doLoad1:
			off := uint64(k)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
		case doLoadX4:
			off := (uint64(x) + uint64(k)) & v.offsets
			if off+4 > size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
		case doLoadX2:
			off := (uint64(x) + uint64(k)) & v.offsets
			if off+2 > size {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(b[off : off+2]))
		case doLoadX1:
			off := (uint64(x) + uint64(k)) & v.offsets
			if off >= size {
				return 0
			}
			a = uint32(b[off])
		case doTestX:
			if a&x == 0 {
				in = in.no
			}
		case doEqualX:
			if a != x {
				in = in.no
			}
		case doGreaterX:
			if a <= x {
				in = in.no
			}
		case doAtLeastX:
			if a < x {
				in = in.no
			}
		case doReturn:
			return k
		case doReturnA:
			return a
		case doBack:
			if budget -= int(k); budget < 0 {
				return 0
			}
		case doAsk:
			var ok bool
			if a, ok = ask(in, a, x, b, info); !ok {
				return 0
			}
		case doHeader:
			off := uint64(k)
			if off >= size {
				return 0
			}
			x = uint32(b[off]&0xf) << 2
		case doImm:
			a = k
		case doImmX:
			x = k
		case doLen:
			a = uint32(wireLen)
		case doLenX:
			x = uint32(wireLen)
		case doMem:
			a = mem[k%scratchWords]
		case doMemX:
			x = mem[k%scratchWords]
		case doStore:
			mem[k%scratchWords] = a
		case doStoreX:
			mem[k%scratchWords] = x
		case doTxa:
			a = x + k
		case doAdd:
			a += k
		case doSub:
			a -= k
		case doMul:
			a *= k
		case doDiv:
			if k == 0 {
				return 0
			}
			a /= k
		case doMod:
			if k == 0 {
				return 0
			}
			a %= k
		case doOr:
			a |= k
		case doXor:
			a ^= k
		case doLsh:
			a <<= k & 31
		case doRsh:
			a >>= k & 31
		case doNeg:
			a = -a
		case doAddX:
			a = (a + k) + x
		case doSubX:
			a -= x
		case doMulX:
			a *= x
		case doDivX:
			if x == 0 {
				return 0
			}
			a /= x
		case doModX:
			if x == 0 {
				return 0
			}
			a %= x
		case doAndX:
			a &= x
		case doOrX:
			a |= x
		case doXorX:
			a ^= x
		case doLshX:
			a <<= x & v.shifts
		case doRshX:
			a >>= x & v.shifts
		}
	}
}

// ask returns what a load at such an offset loads that metadata has: it is of the
// packet all the same, if that is so long.
func ask(in *step, a, x uint32, b []byte, info *link.Info) (uint32, bool) {
	if off, end := uint64(in.k), uint64(in.k)+uint64(in.size); end <= uint64(len(b)) {
		n := uint32(0)
		for _, c := range b[off:end] {
			n = n<<8 | uint32(c)
		}
		return n, true
	}
	switch {
	case info == nil:
		return 0, false
	case in.k == ancillary+adXorX:
		return a ^ x, true
	}
	return metadata(in.k-ancillary, b, info)
}

// translate returns the steps of a valid program, in time that grows with its length
// only, and behind them, for each, one that does nothing and leads to it.
func (p Program) translate() []step {
	all := make([]step, 2*len(p))
	// The steps of the instructions, but of those that only jump forward that of
	// where they end up.
	at := make([]*step, len(p))
	for i := len(p) - 1; i >= 0; i-- {
		at[i] = &all[i]
		if p[i].Op == classJump|jmpJA && int32(p[i].K) >= 0 {
			at[i] = at[i+1+int(p[i].K)]
		}
	}
	before := all[len(p):]
	for i, in := range p {
		before[i] = step{do: doNothing, mask: math.MaxUint32, keep: math.MaxUint32, yes: at[i]}
		s := &all[i]
		*s = before[i]
		s.do, s.k = stepDoes(in.Op), in.K
		if _, ok := masks(in); ok {
			s.do = doNothing
		}
		switch {
		case in.Op == classJump|jmpJA && int32(in.K) < 0:
			s.k, s.yes = -in.K, &all[i+1+int(int32(in.K))]
			continue
		case in.Op == classJump|jmpJA:
			s.do = doNothing
			continue
		case in.Op&classMask == classRet:
			continue
		case in.Op&(classMask|srcX) == classJump|srcX:
			yes, no, _ := jumps(i, in)
			s.yes, s.no = at[yes], &before[no]
			continue
		case in.Op&(classMask|modeMask) == classLD|modeAbs && in.K >= ancillary:
			s.do, s.size = doAsk, uint8(width(uint8(in.Op&sizeMask)))
		}
		next := i
		if s.do != doNothing {
			next++
		}
		if s.do == doAddX || s.do == doTxa {
			s.k = 0
			if p[next].Op == classALU|aluAdd {
				s.k = p[next].K
				next++
			}
		}
		if mask, ok := masks(p[next]); ok {
			s.mask = mask
			next++
		}
		if p[next].Op == classMisc|tax {
			s.tax, s.keep = s.mask, 0
			next++
		}
		s.yes = at[next]
		if p[next].Op&(classMask|srcX) == classJump && p[next].Op != classJump|jmpJA {
			s.test(p, at, next)
		}
	}
	return all
}

// test makes the jump at instruction i, by a constant, the test of a step.
func (s *step) test(p Program, at []*step, i int) {
	yes, no, _ := jumps(i, p[i])
	s.yes, s.no = at[yes], at[no]
	s.bits, s.low = math.MaxUint32, p[i].K
	switch p[i].Op {
	case classJump | jmpJGE:
		s.span = math.MaxUint32 - p[i].K
	case classJump | jmpJGT:
		s.low, s.span = 0, p[i].K
		s.yes, s.no = s.no, s.yes
	case classJump | jmpJSET:
		s.low, s.bits = 0, p[i].K
		s.yes, s.no = s.no, s.yes
	}
}

// masks returns what an instruction ands A with, if it does no more than that: mod
// by a power of two is one as well.
func masks(in bpf.RawInstruction) (uint32, bool) {
	switch {
	case in.Op == classALU|aluAnd:
		return in.K, true
	case in.Op == classALU|aluMod && in.K != 0 && in.K&(in.K-1) == 0:
		return in.K - 1, true
	}
	return 0, false
}

// stepDoes returns what the step of an instruction does: nothing where that is for
// the end of a step.
func stepDoes(op uint16) stepDo {
	switch op {
	case classLD | modeAbs | sizeW:
		return doLoad4
	case classLD | modeAbs | sizeH:
		return doLoad2
	case classLD | modeAbs | sizeB:
		return doLoad1
	case classLD | modeInd | sizeW:
		return doLoadX4
	case classLD | modeInd | sizeH:
		return doLoadX2
	case classLD | modeInd | sizeB:
		return doLoadX1
	case classJump | jmpJSET | srcX:
		return doTestX
	case classJump | jmpJEQ | srcX:
		return doEqualX
	case classJump | jmpJGT | srcX:
		return doGreaterX
	case classJump | jmpJGE | srcX:
		return doAtLeastX
	case classRet:
		return doReturn
	case classRet | retA:
		return doReturnA
	case classJump | jmpJA:
		return doBack
	case classLDX | modeMSH | sizeB:
		return doHeader
	case classLD | modeImm:
		return doImm
	case classLDX | modeImm:
		return doImmX
	case classLD | modeLen:
		return doLen
	case classLDX | modeLen:
		return doLenX
	case classLD | modeMem:
		return doMem
	case classLDX | modeMem:
		return doMemX
	case classST:
		return doStore
	case classSTX:
		return doStoreX
	case classMisc | txa:
		return doTxa
	case classALU | aluAdd:
		return doAdd
	case classALU | aluSub:
		return doSub
	case classALU | aluMul:
		return doMul
	case classALU | aluDiv:
		return doDiv
	case classALU | aluMod:
		return doMod
	case classALU | aluOr:
		return doOr
	case classALU | aluXor:
		return doXor
	case classALU | aluLsh:
		return doLsh
	case classALU | aluRsh:
		return doRsh
	case classALU | aluNeg:
		return doNeg
	case classALU | aluAdd | srcX:
		return doAddX
	case classALU | aluSub | srcX:
		return doSubX
	case classALU | aluMul | srcX:
		return doMulX
	case classALU | aluDiv | srcX:
		return doDivX
	case classALU | aluMod | srcX:
		return doModX
	case classALU | aluAnd | srcX:
		return doAndX
	case classALU | aluOr | srcX:
		return doOrX
	case classALU | aluXor | srcX:
		return doXorX
	case classALU | aluLsh | srcX:
		return doLshX
	case classALU | aluRsh | srcX:
		return doRshX
	}
	return doNothing
}
