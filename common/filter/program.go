package filter

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/net/bpf"
)

// Program is a classic BPF program. Its instructions are those of
// golang.org/x/net/bpf, so that they go where that package's do.
type Program []bpf.RawInstruction

// MaxUserLen is the number of instructions that a [VM] takes. Linux takes
// [MaxProgram].
const MaxUserLen = 1 << 16

// What is wrong with a program. The error of [Program.Validate] and
// [Program.ValidateLinux] is a [ProgramError] that wraps one of these.
var (
	ErrEmpty     = errors.New("no instructions")
	ErrLength    = errors.New("too many instructions")
	ErrOperation = errors.New("no such operation")
	ErrJump      = errors.New("jump out of the program")
	ErrLoop      = errors.New("jump back, which Linux does not take")
	ErrDivision  = errors.New("division by a constant zero")
	ErrShift     = errors.New("shift by more than 31 bits")
	ErrScratch   = errors.New("there are 16 words of memory, M[0] to M[15]")
	ErrUnwritten = errors.New("word of memory that may not have been written, which Linux does not take")
	ErrNoReturn  = errors.New("the last instruction does not return")
	ErrMetadata  = errors.New("load of metadata that is not known here")
)

// ProgramError says which instruction of a program is wrong.
type ProgramError struct {
	// Index is the instruction's number, from 0. It is -1 for a program that
	// has none, or too many.
	Index int
	// Instruction is that instruction.
	Instruction bpf.RawInstruction
	// Err is one of the errors of this package.
	Err error
}

// Error returns the message, with the instruction as tcpdump -d prints it.
func (e *ProgramError) Error() string {
	if e.Index < 0 {
		return "filter: program: " + e.Err.Error()
	}
	return fmt.Sprintf("filter: program: %s: %v", FormatInstruction(e.Index, e.Instruction), e.Err)
}

// Unwrap returns e.Err.
func (e *ProgramError) Unwrap() error { return e.Err }

// Validate checks that the program is well formed: that it has from 1 to
// [MaxUserLen] instructions, all of them known, whose jumps stay within it,
// with constants that are possible, and that it ends with a return. A [VM] runs
// such a program. The error is a [*ProgramError].
//
// An unconditional jump may go back, as those of pcap-filter's protochain do;
// no other can.
func (p Program) Validate() error {
	switch {
	case len(p) == 0:
		return &ProgramError{Index: -1, Err: ErrEmpty}
	case len(p) > MaxUserLen:
		return &ProgramError{Index: -1, Err: fmt.Errorf("%w: %d, limit %d", ErrLength, len(p), MaxUserLen)}
	}
	for i := range p {
		if err := p.check(i); err != nil {
			return &ProgramError{i, p[i], err}
		}
	}
	if last := len(p) - 1; p[last].Op&classMask != classRet {
		return &ProgramError{last, p[last], ErrNoReturn}
	}
	return nil
}

// check checks instruction i for itself.
func (p Program) check(i int) error {
	in := p[i]
	switch in.Op {
	case classLD | modeAbs | sizeW, classLD | modeAbs | sizeH, classLD | modeAbs | sizeB,
		classLD | modeInd | sizeW, classLD | modeInd | sizeH, classLD | modeInd | sizeB,
		classLDX | modeMSH | sizeB,
		classLD | modeImm, classLDX | modeImm, classLD | modeLen, classLDX | modeLen,
		classMisc | tax, classMisc | txa, classRet, classRet | retA,
		classALU | aluNeg,
		classALU | aluAdd, classALU | aluAdd | srcX, classALU | aluSub, classALU | aluSub | srcX,
		classALU | aluMul, classALU | aluMul | srcX, classALU | aluOr, classALU | aluOr | srcX,
		classALU | aluAnd, classALU | aluAnd | srcX, classALU | aluXor, classALU | aluXor | srcX,
		classALU | aluDiv | srcX, classALU | aluMod | srcX, classALU | aluLsh | srcX, classALU | aluRsh | srcX:
		return nil
	case classALU | aluDiv, classALU | aluMod:
		if in.K == 0 {
			return ErrDivision
		}
	case classALU | aluLsh, classALU | aluRsh:
		if in.K > 31 {
			return ErrShift
		}
	case classLD | modeMem, classLDX | modeMem, classST, classSTX:
		if in.K >= scratchWords {
			return ErrScratch
		}
	case classJump | jmpJA:
		if to := i + 1 + int(int32(in.K)); to < 0 || to >= len(p) {
			return ErrJump
		}
	case classJump | jmpJEQ, classJump | jmpJEQ | srcX, classJump | jmpJGT, classJump | jmpJGT | srcX,
		classJump | jmpJGE, classJump | jmpJGE | srcX, classJump | jmpJSET, classJump | jmpJSET | srcX:
		if i+1+int(max(in.Jt, in.Jf)) >= len(p) {
			return ErrJump
		}
	default:
		return ErrOperation
	}
	return nil
}

// ValidateLinux checks whether Linux takes the program as the filter of a
// socket, SO_ATTACH_FILTER: it is well formed, has at most [MaxProgram]
// instructions, does not jump back, reads no word of memory that it may not
// have written, and asks only for metadata that Linux knows. The error is a
// [*ProgramError]. The rules are those of bpf_check_classic in net/core/filter.c.
func (p Program) ValidateLinux() error {
	if err := p.Validate(); err != nil {
		return err
	}
	if len(p) > MaxProgram {
		return &ProgramError{Index: -1, Err: fmt.Errorf("%w: %d, limit %d", ErrLength, len(p), MaxProgram)}
	}
	// The words that are written on every way to an instruction, as bits.
	written := make([]uint16, len(p))
	for i := range written {
		written[i] = math.MaxUint16
	}
	var now uint16
	for i, in := range p {
		now &= written[i]
		switch in.Op {
		case classLD | modeAbs | sizeW, classLD | modeAbs | sizeH, classLD | modeAbs | sizeB:
			if in.K >= ancillary && !isAncillary(in.Op, in.K) {
				return &ProgramError{i, in, ErrMetadata}
			}
		case classST, classSTX:
			now |= 1 << in.K
		case classLD | modeMem, classLDX | modeMem:
			if now&(1<<in.K) == 0 {
				return &ProgramError{i, in, ErrUnwritten}
			}
		case classJump | jmpJA:
			if int32(in.K) < 0 {
				return &ProgramError{i, in, ErrLoop}
			}
			written[i+1+int(in.K)] &= now
			now = math.MaxUint16
		default:
			if in.Op&classMask == classJump {
				written[i+1+int(in.Jt)] &= now
				written[i+1+int(in.Jf)] &= now
				now = math.MaxUint16
			}
		}
	}
	return nil
}

// jumps reports whether in is a jump, and if so, where it goes from
// instruction i: twice the same for one without a condition.
func jumps(i int, in bpf.RawInstruction) (yes, no int, ok bool) {
	switch {
	case in.Op&classMask != classJump:
		return 0, 0, false
	case in.Op == classJump|jmpJA:
		to := i + 1 + int(int32(in.K))
		return to, to, true
	}
	return i + 1 + int(in.Jt), i + 1 + int(in.Jf), true
}

// Raw returns the instructions as golang.org/x/net/bpf and the filters of
// sockets want them. The slice aliases p.
func (p Program) Raw() []bpf.RawInstruction { return p }
