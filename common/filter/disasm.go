package filter

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// Form is one of the forms in which tcpdump prints programs.
type Form uint8

const (
	// FormText is that of tcpdump -d, one instruction a line:
	//
	//	(000) ldh      [12]
	//	(001) jeq      #0x800           jt 2	jf 3
	FormText Form = iota
	// FormC is that of tcpdump -dd, a line of C for each instruction.
	//
	//	{ 0x28, 0, 0, 0x0000000c },
	FormC
	// FormDecimal is that of tcpdump -ddd: the number of instructions, and then
	// a line of decimal numbers for each.
	//
	//	40 0 0 12
	FormDecimal
)

// String returns the program in the form of tcpdump -d, without the last end of
// line.
func (p Program) String() string { return strings.TrimSuffix(p.Format(FormText), "\n") }

// Format returns the program in one of tcpdump's forms, every line of it ended.
// [Assemble] reads all of them. FormText says nothing of what an instruction
// does not use, such as the jump offsets of a load.
func (p Program) Format(form Form) string {
	var b []byte
	switch form {
	case FormC:
		for _, in := range p {
			b = fmt.Appendf(b, "{ 0x%x, %d, %d, 0x%08x },\n", in.Op, in.Jt, in.Jf, in.K)
		}
	case FormDecimal:
		b = fmt.Appendf(b, "%d\n", len(p))
		for _, in := range p {
			b = fmt.Appendf(b, "%d %d %d %d\n", in.Op, in.Jt, in.Jf, in.K)
		}
	default:
		for i, in := range p {
			b = appendInstruction(b, i, in)
			b = append(b, '\n')
		}
	}
	return string(b)
}

// FormatInstruction returns the line that tcpdump -d prints for instruction
// number i of a program, which its jumps count from. One that libpcap does not
// know is "unimp" and its code.
func FormatInstruction(i int, in bpf.RawInstruction) string {
	return string(appendInstruction(nil, i, in))
}

func appendInstruction(b []byte, i int, in bpf.RawInstruction) []byte {
	name, operand := mnemonic(in.Op), ""
	switch {
	case name == "":
		name, operand = "unimp", fmt.Sprintf("0x%x", in.Op)
	case in.Op == classJump|jmpJA:
		operand = strconv.Itoa(i + 1 + int(int32(in.K)))
	default:
		operand = formatOperand(in)
	}
	if in.Op&classMask == classJump && in.Op&opMask != jmpJA {
		yes, no, _ := jumps(i, in)
		return fmt.Appendf(b, "(%03d) %-8s %-16s jt %d\tjf %d", i, name, operand, yes, no)
	}
	return fmt.Appendf(b, "(%03d) %-8s %s", i, name, operand)
}

// mnemonic returns the name of an operation, and "" for one that is not known.
func mnemonic(op uint16) string {
	switch op {
	case classLD | modeImm, classLD | modeAbs | sizeW, classLD | modeInd | sizeW, classLD | modeMem, classLD | modeLen:
		return "ld"
	case classLD | modeAbs | sizeH, classLD | modeInd | sizeH:
		return "ldh"
	case classLD | modeAbs | sizeB, classLD | modeInd | sizeB:
		return "ldb"
	case classLDX | modeImm, classLDX | modeMem, classLDX | modeLen:
		return "ldx"
	case classLDX | modeMSH | sizeB:
		return "ldxb"
	case classST:
		return "st"
	case classSTX:
		return "stx"
	case classRet, classRet | retA:
		return "ret"
	case classMisc | tax:
		return "tax"
	case classMisc | txa:
		return "txa"
	case classALU | aluNeg:
		return "neg"
	case classJump | jmpJA:
		return "ja"
	}
	switch op &^ srcX {
	case classALU | aluAdd:
		return "add"
	case classALU | aluSub:
		return "sub"
	case classALU | aluMul:
		return "mul"
	case classALU | aluDiv:
		return "div"
	case classALU | aluMod:
		return "mod"
	case classALU | aluAnd:
		return "and"
	case classALU | aluOr:
		return "or"
	case classALU | aluXor:
		return "xor"
	case classALU | aluLsh:
		return "lsh"
	case classALU | aluRsh:
		return "rsh"
	case classJump | jmpJEQ:
		return "jeq"
	case classJump | jmpJGT:
		return "jgt"
	case classJump | jmpJGE:
		return "jge"
	case classJump | jmpJSET:
		return "jset"
	}
	return ""
}

// formatOperand returns what an operation that mnemonic knows works on. Signed
// decimal and hexadecimal are where bpf_image of libpcap has them.
func formatOperand(in bpf.RawInstruction) string {
	k := int32(in.K)
	switch in.Op & classMask {
	case classLD, classLDX:
		switch in.Op & modeMask {
		case modeImm:
			return fmt.Sprintf("#0x%x", in.K)
		case modeAbs:
			if isAncillary(in.Op, in.K) {
				return "[" + ancillaryName(in.K-ancillary) + "]"
			}
			return fmt.Sprintf("[%d]", k)
		case modeInd:
			return fmt.Sprintf("[x + %d]", k)
		case modeMem:
			return fmt.Sprintf("M[%d]", k)
		case modeMSH:
			return fmt.Sprintf("4*([%d]&0xf)", k)
		}
		return "#pktlen"
	case classST, classSTX:
		return fmt.Sprintf("M[%d]", k)
	case classRet:
		if in.Op&retA != 0 {
			return ""
		}
		return fmt.Sprintf("#%d", k)
	case classMisc:
		return ""
	}
	if in.Op&srcX != 0 {
		return "x"
	}
	switch in.Op {
	case classALU | aluNeg:
		return ""
	case classALU | aluAdd, classALU | aluSub, classALU | aluMul, classALU | aluDiv, classALU | aluMod,
		classALU | aluLsh, classALU | aluRsh:
		return fmt.Sprintf("#%d", k)
	}
	return fmt.Sprintf("#0x%x", in.K)
}
