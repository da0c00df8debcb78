package filter

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/common/link"
)

// step is a decoded instruction, or several that often come together: the load
// of a header's length, a load, a mask, and one or two comparisons. A program's
// steps have the numbers of their first instructions, and go to numbers; those
// behind the last step return.
type step struct {
	op      operation
	off     uint32 // where a load loads from
	mask    uint32 // of what is loaded, or where the header's length is
	val     uint32 // constant operand
	val2    uint32 // second constant to compare with
	yes, no uint32
	yes2    uint32 // where to when val2 is equal
	off2    uint32 // where a second load loads from
	val3    uint32 // third constant to compare with
	yes3    uint32 // where to when val3 is equal
	_       uint32
}

type operation uint32

const (
	// Loads, in the order of sizes: word, half, byte.
	opAbsW operation = iota
	opAbsH
	opAbsB
	opIndW
	opIndH
	opIndB
	// The same under the rules of Linux.
	opWrapW
	opWrapH
	opWrapB
	opMSH
	opAncillary
	opImm
	opImmX
	opLen
	opLenX
	opMem
	opMemX
	opStore
	opStoreX
	opTAX
	opTXA
	opTAXMem // and then a load from memory

	opAdd
	opSub
	opMul
	opDiv
	opMod
	opAnd
	opOr
	opXor
	opLSh
	opRSh
	opNeg
	opAddX
	opSubX
	opMulX
	opDivX
	opModX
	opAndX
	opOrX
	opXorX
	opLShX
	opRShX
	opLShMaskedX
	opRShMaskedX

	opJump
	opBack
	opEq
	opGt
	opGe
	opSet
	opEqX
	opGtX
	opGeX
	opSetX
	opRet
	opRetA

	// A load, a mask and a comparison.
	opAbsWEq
	opAbsWGt
	opAbsWGe
	opAbsWSet
	opAbsHEq
	opAbsHGt
	opAbsHGe
	opAbsHSet
	opAbsBEq
	opAbsBGt
	opAbsBGe
	opAbsBSet
	opIndWEq
	opIndWGt
	opIndWGe
	opIndWSet
	opIndHEq
	opIndHGt
	opIndHGe
	opIndHSet
	opIndBEq
	opIndBGt
	opIndBGe
	opIndBSet
	// With a second comparison where the first one fails.
	opEq2
	opAbsWEq2
	opAbsHEq2
	opAbsBEq2
	opIndHEq2
	// With a third one: of the protocols that have ports there are three.
	opAbsBEq3
	// The length of a header, a load behind it and a comparison.
	opMSHIndHEq
	opMSHIndHEq2
	// A load and a comparison, and where that fails another two: of addresses
	// and of ports, where the one or the other may be equal.
	opAbsWEqAbsWEq
	opAbsHEqAbsHEq
	opMSHIndHEqIndHEq
	// A load and a comparison, and where that holds another two: the protocol,
	// and whether the packet is a later fragment.
	opAbsBEqAbsHSet
)

// machine is the state of a run that few programs look at: those for which
// [VM.stateful] is set. What the others need stays in the processor's registers.
type machine struct {
	mem     [scratchWords]uint32
	meta    *[metadataWords]uint32
	known   uint32 // which of meta are, as bits
	wireLen uint32
	budget  int
}

// run is the engine. The condition of the loop is the check of the bounds of
// code, and at the same time how a program returns. Offsets are computed in 64
// bits, where they cannot overflow.
//
// It is what [VM.Run] and its sisters call themselves, so that they are inlined:
// there is one call for a packet, and a second one for the few programs that
// want a machine.
func (v *VM) run(b []byte, wireLen int, info *link.Info, m *machine) uint32 {
	if m == nil && v.stateful {
		return v.runMachine(b, wireLen, info)
	}
	var a, x uint32
	code, size := v.code, uint64(len(b))
	pc := uint(0)
	for pc < uint(len(code)) {
		s := &code[pc]
		switch s.op {
		case opAbsW:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
		case opAbsH:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
		case opAbsB:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
		case opIndW:
			off := uint64(x) + uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
		case opIndH:
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
		case opIndB:
			off := uint64(x) + uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
		case opWrapW:
			off := uint64(x + s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
		case opWrapH:
			off := uint64(x + s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
		case opWrapB:
			off := uint64(x + s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
		case opMSH:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			x = uint32(b[off]&0xf) << 2
		case opAncillary:
			if m.known&(1<<(s.val%32)) == 0 {
				return 0
			}
			if s.val == adXorX/4 {
				a ^= x
			} else {
				a = m.meta[s.val%metadataWords]
			}
		case opImm:
			a = s.val
		case opImmX:
			x = s.val
		case opLen:
			a = m.wireLen
		case opLenX:
			x = m.wireLen
		case opMem:
			a = m.mem[s.val%scratchWords]
		case opMemX:
			x = m.mem[s.val%scratchWords]
		case opStore:
			m.mem[s.val%scratchWords] = a
		case opStoreX:
			m.mem[s.val%scratchWords] = x
		case opTAX:
			x = a
		case opTXA:
			a = x
		case opTAXMem:
			x = a
			a = m.mem[s.val2%scratchWords]
		case opAdd:
			a += s.val
		case opSub:
			a -= s.val
		case opMul:
			a *= s.val
		case opDiv:
			if s.val == 0 {
				return 0
			}
			a /= s.val
		case opMod:
			if s.val == 0 {
				return 0
			}
			a %= s.val
		case opAnd:
			a &= s.val
		case opOr:
			a |= s.val
		case opXor:
			a ^= s.val
		case opLSh:
			a <<= s.val & 31
		case opRSh:
			a >>= s.val & 31
		case opNeg:
			a = -a
		case opAddX:
			a += x
		case opSubX:
			a -= x
		case opMulX:
			a *= x
		case opDivX:
			if x == 0 {
				return 0
			}
			a /= x
		case opModX:
			if x == 0 {
				return 0
			}
			a %= x
		case opAndX:
			a &= x
		case opOrX:
			a |= x
		case opXorX:
			a ^= x
		case opLShX:
			a <<= x
		case opRShX:
			a >>= x
		case opLShMaskedX:
			a <<= x & 31
		case opRShMaskedX:
			a >>= x & 31
		case opJump:
		case opBack:
			if m.budget -= int(s.val); m.budget < 0 {
				return 0
			}
		case opEq:
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opGt:
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opGe:
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opSet:
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opEqX:
			pc = uint(s.no)
			if a == x {
				pc = uint(s.yes)
			}
			continue
		case opGtX:
			pc = uint(s.no)
			if a > x {
				pc = uint(s.yes)
			}
			continue
		case opGeX:
			pc = uint(s.no)
			if a >= x {
				pc = uint(s.yes)
			}
			continue
		case opSetX:
			pc = uint(s.no)
			if a&x != 0 {
				pc = uint(s.yes)
			}
			continue
		case opRet:
			return s.val
		case opRetA:
			return a
		case opAbsWEq:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsWGt:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsWGe:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsWSet:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opAbsHEq:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsHGt:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsHGe:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsHSet:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opAbsBEq:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsBGt:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsBGe:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opAbsBSet:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opIndWEq:
			off := uint64(x) + uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndWGt:
			off := uint64(x) + uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndWGe:
			off := uint64(x) + uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndWSet:
			off := uint64(x) + uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opIndHEq:
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndHGt:
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndHGe:
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndHSet:
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opIndBEq:
			off := uint64(x) + uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndBGt:
			off := uint64(x) + uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a > s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndBGe:
			off := uint64(x) + uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a >= s.val {
				pc = uint(s.yes)
			}
			continue
		case opIndBSet:
			off := uint64(x) + uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			pc = uint(s.no)
			if a&s.val != 0 {
				pc = uint(s.yes)
			}
			continue
		case opEq2:
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			default:
				pc = uint(s.no)
			}
			continue
		case opAbsWEq2:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			a &= s.mask
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			default:
				pc = uint(s.no)
			}
			continue
		case opAbsHEq2:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			default:
				pc = uint(s.no)
			}
			continue
		case opAbsBEq2:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			default:
				pc = uint(s.no)
			}
			continue
		case opAbsBEq3:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			a &= s.mask
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			case s.val3:
				pc = uint(s.yes3)
			default:
				pc = uint(s.no)
			}
			continue
		case opIndHEq2:
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			a &= s.mask
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			default:
				pc = uint(s.no)
			}
			continue
		case opMSHIndHEq:
			head := uint64(s.mask)
			if head >= size {
				return 0
			}
			x = uint32(b[head]&0xf) << 2
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			pc = uint(s.no)
			if a == s.val {
				pc = uint(s.yes)
			}
			continue
		case opMSHIndHEq2:
			head := uint64(s.mask)
			if head >= size {
				return 0
			}
			x = uint32(b[head]&0xf) << 2
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			switch a {
			case s.val:
				pc = uint(s.yes)
			case s.val2:
				pc = uint(s.yes2)
			default:
				pc = uint(s.no)
			}
			continue
		case opAbsWEqAbsWEq:
			off := uint64(s.off)
			if off+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off : off+4])
			pc = uint(s.yes)
			if a == s.val {
				continue
			}
			off2 := uint64(s.off2)
			if off2+3 >= size {
				return 0
			}
			a = binary.BigEndian.Uint32(b[off2 : off2+4])
			pc = uint(s.no)
			if a == s.val2 {
				pc = uint(s.yes2)
			}
			continue
		case opAbsHEqAbsHEq:
			off := uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			pc = uint(s.yes)
			if a == s.val {
				continue
			}
			off2 := uint64(s.off2)
			if off2+1 >= size {
				return 0
			}
			a = uint32(b[off2+1]) | uint32(b[off2])<<8
			pc = uint(s.no)
			if a == s.val2 {
				pc = uint(s.yes2)
			}
			continue
		case opMSHIndHEqIndHEq:
			head := uint64(s.mask)
			if head >= size {
				return 0
			}
			x = uint32(b[head]&0xf) << 2
			off := uint64(x) + uint64(s.off)
			if off+1 >= size {
				return 0
			}
			a = uint32(b[off+1]) | uint32(b[off])<<8
			pc = uint(s.yes)
			if a == s.val {
				continue
			}
			off2 := uint64(x) + uint64(s.off2)
			if off2+1 >= size {
				return 0
			}
			a = uint32(b[off2+1]) | uint32(b[off2])<<8
			pc = uint(s.no)
			if a == s.val2 {
				pc = uint(s.yes2)
			}
			continue
		case opAbsBEqAbsHSet:
			off := uint64(s.off)
			if off >= size {
				return 0
			}
			a = uint32(b[off])
			pc = uint(s.no)
			if a != s.val {
				continue
			}
			off2 := uint64(s.off2)
			if off2+1 >= size {
				return 0
			}
			a = uint32(b[off2+1]) | uint32(b[off2])<<8
			pc = uint(s.yes)
			if a&s.val2 != 0 {
				pc = uint(s.yes2)
			}
			continue
		}
		pc = uint(s.yes)
	}
	if n := pc - uint(len(code)); n < uint(len(v.rets)) {
		return v.rets[n]
	}
	return 0 // the zero VM
}

// decode translates a valid program.
func (v *VM) decode(p Program, linux bool) {
	d := decoder{p: p, linux: linux, to: make([]uint32, len(p))}
	known := make(map[uint32]uint32) // the numbers of returns by what they return
	for i := len(p) - 1; i >= 0; i-- {
		d.to[i] = uint32(i)
		switch in := p[i]; {
		case in.Op == classRet:
			n, ok := known[in.K]
			if !ok {
				n = uint32(len(p) + len(v.rets))
				known[in.K] = n
				v.rets = append(v.rets, in.K)
			}
			d.to[i] = n
		case in.Op == classJump|jmpJA && int32(in.K) >= 0:
			d.to[i] = d.to[i+1+int(in.K)]
		}
	}
	v.code = make([]step, len(p))
	for i := range p {
		v.code[i] = d.step(i)
		switch v.code[i].op {
		case opAncillary:
			v.asks |= 1 << v.code[i].val
			v.stateful = true
		case opLen, opLenX, opMem, opMemX, opTAXMem, opStore, opStoreX, opBack:
			v.stateful = true
		}
	}
}

// decoder translates the instructions of a program one by one.
type decoder struct {
	p     Program
	linux bool
	// to is where the program is after a jump to an instruction: at the end of
	// a sequence of jumps without condition, or at a return.
	to []uint32
}

// step translates instruction i, and those after it that it forms a step with.
func (d *decoder) step(i int) step {
	in := d.p[i]
	s := step{off: in.K, val: in.K, mask: ^uint32(0), yes: d.after(i)}
	switch in.Op & classMask {
	case classLD, classLDX:
		d.load(&s, i)
	case classST:
		s.op = opStore
	case classSTX:
		s.op = opStoreX
	case classMisc:
		switch {
		case in.Op == classMisc|txa:
			s.op = opTXA
		case d.is(i+1, classLD|modeMem):
			s.op, s.val2, s.yes = opTAXMem, d.p[i+1].K, d.after(i+1)
		default:
			s.op = opTAX
		}
	case classRet:
		s.op = opRet
		if in.Op == classRet|retA {
			s.op = opRetA
		}
	case classALU:
		s.op = d.arithmetic(in.Op)
	case classJump:
		d.jump(&s, i)
	}
	return s
}

// after returns where the program is after instruction i.
func (d *decoder) after(i int) uint32 {
	if i+1 == len(d.p) {
		return 0 // the last one is a return
	}
	return d.to[i+1]
}

func (d *decoder) jump(s *step, i int) {
	in := d.p[i]
	if in.Op == classJump|jmpJA {
		to, _, _ := jumps(i, in)
		s.op, s.yes = opJump, d.to[to]
		if to <= i {
			s.op, s.val = opBack, uint32(i-to+1)
		}
		return
	}
	s.op = opEq + condition(in.Op)
	if in.Op&srcX != 0 {
		s.op += opEqX - opEq
	}
	d.compare(s, i)
	if s.op == opEq && d.second(s) {
		s.op = opEq2
	}
}

// condition returns the place of a comparison among four: Eq, Gt, Ge, Set.
func condition(op uint16) operation { return operation(op&opMask-jmpJEQ) >> 4 }

// compare sets what a step that ends with conditional jump i compares with,
// and where it goes.
func (d *decoder) compare(s *step, i int) {
	yes, no, _ := jumps(i, d.p[i])
	s.val, s.yes, s.no = d.p[i].K, d.to[yes], d.to[no]
}

// second adds a second comparison to a step that ends with a jump if the
// accumulator is equal to a constant: another such jump, where the program is
// after the first one if it is not.
func (d *decoder) second(s *step) bool {
	j := int(s.no)
	if j >= len(d.p) || d.p[j].Op != classJump|jmpJEQ {
		return false
	}
	yes, no, _ := jumps(j, d.p[j])
	s.val2, s.yes2, s.no = d.p[j].K, d.to[yes], d.to[no]
	return true
}

// is reports whether there is an instruction i with the operation.
func (d *decoder) is(i int, op uint16) bool { return i < len(d.p) && d.p[i].Op == op }

func (d *decoder) load(s *step, i int) {
	in := d.p[i]
	var size operation // in the order of the operations
	switch in.Op & sizeMask {
	case sizeH:
		size = 1
	case sizeB:
		size = 2
	}
	switch in.Op &^ sizeMask {
	case classLD | modeAbs:
		if isAncillary(in.Op, in.K) {
			s.op, s.val = opAncillary, (in.K-ancillary)/4
			return
		}
		s.op = opAbsW + size
		d.test(s, i, size)
	case classLD | modeInd:
		s.op = opIndW + size
		if d.linux {
			s.op = opWrapW + size
		}
		d.test(s, i, size)
	case classLDX | modeMSH:
		s.op = opMSH
		// No offset wraps, since X is small.
		if d.is(i+1, classLD|modeInd|sizeH) && d.is(i+2, classJump|jmpJEQ) && d.p[i+1].K < 1<<31 {
			s.op, s.off, s.mask = opMSHIndHEq, d.p[i+1].K, in.K
			d.compare(s, i+2)
			if d.second(s) {
				s.op = opMSHIndHEq2
			} else if d.another(s, classLD|modeInd|sizeH) {
				s.op = opMSHIndHEqIndHEq
			}
		}
	case classLD | modeImm:
		s.op = opImm
	case classLDX | modeImm:
		s.op = opImmX
	case classLD | modeLen:
		s.op = opLen
	case classLDX | modeLen:
		s.op = opLenX
	case classLD | modeMem:
		s.op = opMem
	case classLDX | modeMem:
		s.op = opMemX
	}
}

// test makes one step of i, a load of the packet, and the mask and the
// comparisons with constants that follow, if there is such a step.
func (d *decoder) test(s *step, i int, size operation) {
	j := i + 1
	if d.is(j, classALU|aluAnd) {
		s.mask, s.yes = d.p[j].K, d.after(j)
		j++
	}
	if j == len(d.p) || d.p[j].Op&(classMask|srcX) != classJump || d.p[j].Op == classJump|jmpJA {
		return
	}
	c := condition(d.p[j].Op)
	switch {
	case s.op <= opAbsB:
		s.op = opAbsWEq + 4*size + c
	case s.op <= opIndB:
		s.op = opIndWEq + 4*size + c
	default:
		return
	}
	d.compare(s, j)
	switch s.op {
	case opAbsWEq:
		if d.second(s) {
			s.op = opAbsWEq2
		} else if s.mask == ^uint32(0) && d.another(s, classLD|modeAbs|sizeW) {
			s.op = opAbsWEqAbsWEq
		}
	case opAbsHEq:
		if d.second(s) {
			s.op = opAbsHEq2
		} else if s.mask == ^uint32(0) && d.another(s, classLD|modeAbs|sizeH) {
			s.op = opAbsHEqAbsHEq
		}
	case opAbsBEq:
		if !d.second(s) {
			if s.mask == ^uint32(0) {
				d.fragment(s)
			}
			return
		}
		s.op = opAbsBEq2
		if third := *s; d.second(&third) {
			s.op, s.val3, s.yes3, s.no = opAbsBEq3, third.val2, third.yes2, third.no
		}
	case opIndHEq:
		if d.second(s) {
			s.op = opIndHEq2
		}
	}
}

// another adds a second load, of the given operation, and its comparison to a
// step, where the program is after the first one if it fails.
func (d *decoder) another(s *step, load uint16) bool {
	j := int(s.no)
	if !d.is(j, load) || !d.is(j+1, classJump|jmpJEQ) || d.p[j].K >= 1<<31 {
		return false
	}
	yes, no, _ := jumps(j+1, d.p[j+1])
	s.off2, s.val2, s.yes2, s.no = d.p[j].K, d.p[j+1].K, d.to[yes], d.to[no]
	return true
}

// fragment makes one step of a comparison of a byte and a test of bits of two
// others, where the program is after it if it holds.
func (d *decoder) fragment(s *step) {
	j := int(s.yes)
	if !d.is(j, classLD|modeAbs|sizeH) || !d.is(j+1, classJump|jmpJSET) || d.p[j].K >= 1<<31 {
		return
	}
	yes, no, _ := jumps(j+1, d.p[j+1])
	s.op, s.off2, s.val2, s.yes, s.yes2 = opAbsBEqAbsHSet, d.p[j].K, d.p[j+1].K, d.to[no], d.to[yes]
}

func (d *decoder) arithmetic(op uint16) operation {
	byX := op&srcX != 0
	n := opNeg
	switch op & opMask {
	case aluAdd:
		n = opAdd
	case aluSub:
		n = opSub
	case aluMul:
		n = opMul
	case aluDiv:
		n = opDiv
	case aluMod:
		n = opMod
	case aluAnd:
		n = opAnd
	case aluOr:
		n = opOr
	case aluXor:
		n = opXor
	case aluLsh:
		n = opLSh
		if byX && d.linux {
			return opLShMaskedX
		}
	case aluRsh:
		n = opRSh
		if byX && d.linux {
			return opRShMaskedX
		}
	}
	if byX {
		n += opAddX - opAdd
	}
	return n
}
