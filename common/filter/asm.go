package filter

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// AssembleError says where in a text [Assemble] found what it does not
// understand.
type AssembleError struct {
	// Line and Column count from 1; Column counts bytes.
	Line, Column int
	// Err says what is wrong.
	Err error
}

// Error returns the message.
func (e *AssembleError) Error() string {
	return fmt.Sprintf("filter: line %d, column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns e.Err.
func (e *AssembleError) Unwrap() error { return e.Err }

// Assemble reads a program in any of tcpdump's forms: that of -d, of -dd or of
// -ddd, of which the last may also have commas for the ends of its lines, as
// iptables has it. The error is an [*AssembleError]. Assemble does not judge
// the program; see [Program.Validate].
//
// The form of -d can be written by hand: the number before an instruction may
// be left out, a name and a colon may stand before it and be jumped to, jf may
// be left out where it is the next instruction, and a semicolon begins a
// comment. Numbers are decimal or, after 0x, hexadecimal; a ret of nothing, or
// of "a", returns the accumulator.
//
//	        ldh  [12]             ; EtherType
//	        jeq  #0x86dd jt done
//	        jeq  #0x800  jt done jf drop
//	done:   ret  #262144
//	drop:   ret  #0
func Assemble(text string) (Program, error) {
	a := assembler{labels: make(map[string]int)}
	switch start := strings.TrimLeft(text, " \t\r\n"); {
	case strings.HasPrefix(start, "{"):
		a.instruction = a.readC
	case startsDecimal(start):
		return a.decimal(text)
	default:
		a.instruction = a.readText
	}
	for line := range strings.Lines(text) {
		a.begin(line)
		if err := a.instruction(); err != nil {
			return nil, a.fail(err)
		}
	}
	for _, f := range a.fixes {
		a.line, a.at = f.line, f.at
		if err := a.fix(f); err != nil {
			return nil, a.fail(err)
		}
	}
	return a.prog, nil
}

// startsDecimal reports whether text begins with a number alone in its line.
func startsDecimal(text string) bool {
	end := strings.IndexAny(text, ",\r\n")
	if end < 0 {
		end = len(text)
	}
	_, err := strconv.ParseUint(strings.TrimRight(text[:end], " \t"), 10, 32)
	return err == nil
}

// assembler reads a text line by line.
type assembler struct {
	prog        Program
	labels      map[string]int
	fixes       []fixup
	instruction func() error

	text string // of the line
	line int
	at   int // in text
}

// fixup is a jump whose target is still a name or the number of an instruction.
type fixup struct {
	insn     int
	yes, no  target
	line, at int
}

// target is where a jump goes: to a name, or to instruction number n.
type target struct {
	name string
	n    int64
}

func (a *assembler) fail(err error) error {
	return &AssembleError{Line: a.line, Column: a.at + 1, Err: err}
}

func (a *assembler) begin(line string) {
	a.text, a.at, a.line = strings.TrimRight(line, "\r\n"), 0, a.line+1
}

func (a *assembler) space() {
	for a.at < len(a.text) && (a.text[a.at] == ' ' || a.text[a.at] == '\t') {
		a.at++
	}
}

// rest returns what is left of the line, without the spaces before it.
func (a *assembler) rest() string {
	a.space()
	return a.text[a.at:]
}

// take reads s, if it comes next.
func (a *assembler) take(s string) bool {
	if !strings.HasPrefix(a.rest(), s) {
		return false
	}
	a.at += len(s)
	return true
}

// want reads each of the strings.
func (a *assembler) want(all ...string) error {
	for _, s := range all {
		if !a.take(s) {
			return fmt.Errorf("expected %q", s)
		}
	}
	return nil
}

// name reads a name, and returns "" when there is none.
func (a *assembler) name() string {
	rest := a.rest()
	n := 0
	for n < len(rest) && isName(rest[n], n == 0) {
		n++
	}
	a.at += n
	return rest[:n]
}

func isName(c byte, first bool) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || !first && c >= '0' && c <= '9'
}

var errNumber = errors.New("expected a number")

// number reads a number from -2^31 to 2^32-1, decimal or hexadecimal.
func (a *assembler) number() (uint32, error) {
	rest := a.rest()
	n := 0
	if n < len(rest) && rest[n] == '-' {
		n++
	}
	digits := n
	for n < len(rest) && (isName(rest[n], false) && rest[n] != '_') {
		n++
	}
	if digits == n {
		return 0, errNumber
	}
	base, word := 10, rest[digits:n]
	if hex, ok := strings.CutPrefix(word, "0x"); ok {
		base, word = 16, hex
	}
	v, err := strconv.ParseUint(word, base, 32)
	switch {
	case err != nil && errors.Is(err, strconv.ErrRange), err == nil && digits > 0 && v > 1<<31:
		return 0, fmt.Errorf("%.20s does not fit 32 bits", rest[:n])
	case err != nil:
		return 0, errNumber
	case digits > 0:
		v = -v
	}
	a.at += n
	return uint32(v), nil
}

// field reads a number of at most the given width.
func (a *assembler) field(bits int) (uint32, error) {
	at := a.at
	v, err := a.number()
	if err == nil && uint64(v) >= 1<<bits {
		a.at = at
		a.space()
		return 0, fmt.Errorf("%d does not fit %d bits", v, bits)
	}
	return v, err
}

// end wants the line to be over.
func (a *assembler) end() error {
	if rest := a.rest(); rest != "" && rest[0] != ';' {
		return fmt.Errorf("expected the end of the line, not %.20q", rest)
	}
	return nil
}

func (a *assembler) add(in bpf.RawInstruction) error {
	if len(a.prog) == MaxUserLen {
		return fmt.Errorf("%w: limit %d", ErrLength, MaxUserLen)
	}
	a.prog = append(a.prog, in)
	return nil
}

// readC reads a line such as { 0x28, 0, 0, 0x0000000c },
func (a *assembler) readC() error {
	if a.rest() == "" {
		return nil
	}
	if err := a.want("{"); err != nil {
		return err
	}
	in, err := a.fields(",")
	if err != nil {
		return err
	}
	if err := a.want("}"); err != nil {
		return err
	}
	a.take(",")
	if err := a.end(); err != nil {
		return err
	}
	return a.add(in)
}

// fields reads the four numbers of an instruction.
func (a *assembler) fields(between string) (bpf.RawInstruction, error) {
	var v [4]uint32
	for i, bits := range [...]int{16, 8, 8, 32} {
		if i > 0 {
			if err := a.want(between); err != nil {
				return bpf.RawInstruction{}, err
			}
		}
		var err error
		if v[i], err = a.field(bits); err != nil {
			return bpf.RawInstruction{}, err
		}
	}
	return bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: v[3]}, nil
}

// decimal reads the form of tcpdump -ddd, and iptables's with commas.
func (a *assembler) decimal(text string) (Program, error) {
	want := -1
	for line := range strings.Lines(text) {
		a.begin(line)
		for more := true; more; more = a.take(",") {
			if a.rest() == "" {
				continue
			}
			if want < 0 {
				n, err := a.field(32)
				if err != nil {
					return nil, a.fail(err)
				}
				want = int(min(n, math.MaxInt32))
				continue
			}
			in, err := a.fields("")
			if err == nil {
				err = a.add(in)
			}
			if err != nil {
				return nil, a.fail(err)
			}
		}
		if err := a.end(); err != nil {
			return nil, a.fail(err)
		}
	}
	if len(a.prog) != want {
		return nil, a.fail(fmt.Errorf("%d instructions, and the first line says %d", len(a.prog), want))
	}
	return a.prog, nil
}

// readText reads a line of the form of tcpdump -d.
func (a *assembler) readText() error {
	if a.take("(") {
		n, err := a.number()
		if err != nil {
			return err
		}
		if n != uint32(len(a.prog)) {
			return fmt.Errorf("instruction %d is numbered %d", len(a.prog), n)
		}
		if err := a.want(")"); err != nil {
			return err
		}
	}
	var op string
	at := 0
	for {
		a.space()
		at = a.at
		op = a.name()
		if op == "" || !a.take(":") {
			break
		}
		if _, ok := a.labels[op]; ok {
			return fmt.Errorf("second label %.40q", op)
		}
		a.labels[op] = len(a.prog)
	}
	if op == "" {
		return a.end()
	}
	in, err := a.operation(op)
	if err != nil {
		if errors.Is(err, ErrOperation) {
			a.at = at
		}
		return err
	}
	if err := a.end(); err != nil {
		return err
	}
	return a.add(in)
}

// operation reads what follows the name of an operation.
func (a *assembler) operation(op string) (bpf.RawInstruction, error) {
	switch op {
	case "ld":
		return a.load(classLD|sizeW, true)
	case "ldh":
		return a.load(classLD|sizeH, false)
	case "ldb":
		return a.load(classLD|sizeB, false)
	case "ldx", "ldxb":
		return a.loadX()
	case "st":
		return a.scratch(classST)
	case "stx":
		return a.scratch(classSTX)
	case "tax":
		return bpf.RawInstruction{Op: classMisc | tax}, nil
	case "txa":
		return bpf.RawInstruction{Op: classMisc | txa}, nil
	case "neg":
		return bpf.RawInstruction{Op: classALU | aluNeg}, nil
	case "ret":
		if !a.take("#") {
			a.take("a")
			return bpf.RawInstruction{Op: classRet | retA}, nil
		}
		return a.constant(classRet)
	case "ja":
		at := a.at
		to, err := a.target()
		a.fixes = append(a.fixes, fixup{insn: len(a.prog), yes: to, line: a.line, at: at})
		return bpf.RawInstruction{Op: classJump | jmpJA}, err
	}
	code, ok := uint16(0), true
	switch op {
	case "add":
		code = classALU | aluAdd
	case "sub":
		code = classALU | aluSub
	case "mul":
		code = classALU | aluMul
	case "div":
		code = classALU | aluDiv
	case "mod":
		code = classALU | aluMod
	case "and":
		code = classALU | aluAnd
	case "or":
		code = classALU | aluOr
	case "xor":
		code = classALU | aluXor
	case "lsh":
		code = classALU | aluLsh
	case "rsh":
		code = classALU | aluRsh
	case "jeq":
		code = classJump | jmpJEQ
	case "jgt":
		code = classJump | jmpJGT
	case "jge":
		code = classJump | jmpJGE
	case "jset":
		code = classJump | jmpJSET
	default:
		ok = false
	}
	if !ok {
		return bpf.RawInstruction{}, fmt.Errorf("%w: %.40q", ErrOperation, op)
	}
	in, err := a.operand(code)
	if err == nil && code&classMask == classJump {
		err = a.branches()
	}
	return in, err
}

// constant reads the number after a #.
func (a *assembler) constant(op uint16) (bpf.RawInstruction, error) {
	k, err := a.number()
	return bpf.RawInstruction{Op: op, K: k}, err
}

// operand reads x, or # and a number.
func (a *assembler) operand(op uint16) (bpf.RawInstruction, error) {
	switch {
	case a.take("x"):
		return bpf.RawInstruction{Op: op | srcX}, nil
	case a.take("#"):
		return a.constant(op)
	}
	return bpf.RawInstruction{}, errors.New("expected x, or # and a number")
}

// branches reads the targets of a conditional jump.
func (a *assembler) branches() error {
	next := target{n: int64(len(a.prog)) + 1}
	f := fixup{insn: len(a.prog), yes: next, no: next, line: a.line, at: a.at}
	var err error
	if a.take("jt") {
		if f.yes, err = a.target(); err != nil {
			return err
		}
	}
	if a.take("jf") {
		if f.no, err = a.target(); err != nil {
			return err
		}
	}
	a.fixes = append(a.fixes, f)
	return nil
}

func (a *assembler) target() (target, error) {
	if name := a.name(); name != "" {
		return target{name: name}, nil
	}
	n, err := a.number()
	if err != nil {
		return target{}, errors.New("expected a label or the number of an instruction")
	}
	return target{n: int64(int32(n))}, nil
}

func (a *assembler) scratch(op uint16) (bpf.RawInstruction, error) {
	if err := a.want("M", "["); err != nil {
		return bpf.RawInstruction{}, err
	}
	in, err := a.constant(op)
	if err != nil {
		return in, err
	}
	return in, a.want("]")
}

func (a *assembler) load(op uint16, word bool) (bpf.RawInstruction, error) {
	switch {
	case a.take("["):
		in, err := a.offset(op)
		if err != nil {
			return in, err
		}
		return in, a.want("]")
	case word && a.take("#pktlen"):
		return bpf.RawInstruction{Op: classLD | modeLen}, nil
	case word && a.take("#"):
		return a.constant(classLD | modeImm)
	case word && strings.HasPrefix(a.rest(), "M"):
		return a.scratch(classLD | modeMem)
	case word:
		return bpf.RawInstruction{}, errors.New("expected [, M[, # and a number, or #pktlen")
	}
	return bpf.RawInstruction{}, errors.New("expected [")
}

// offset reads what stands between the brackets of a load.
func (a *assembler) offset(op uint16) (bpf.RawInstruction, error) {
	at := a.at
	switch name := a.name(); name {
	case "":
		return a.constant(op | modeAbs)
	case "x":
		switch {
		case a.take("+"):
			return a.constant(op | modeInd)
		case a.take("-"):
			in, err := a.constant(op | modeInd)
			in.K = -in.K
			return in, err
		}
		return bpf.RawInstruction{Op: op | modeInd}, nil
	default:
		for distance := uint32(0); distance <= adVLANTPID; distance += 4 {
			if ancillaryName(distance) == name {
				return bpf.RawInstruction{Op: op | modeAbs, K: ancillary + distance}, nil
			}
		}
		a.at = at
		return bpf.RawInstruction{}, fmt.Errorf("expected x, a number, or the name of metadata, not %.40q", name)
	}
}

func (a *assembler) loadX() (bpf.RawInstruction, error) {
	switch {
	case a.take("#pktlen"):
		return bpf.RawInstruction{Op: classLDX | modeLen}, nil
	case a.take("#"):
		return a.constant(classLDX | modeImm)
	case strings.HasPrefix(a.rest(), "M"):
		return a.scratch(classLDX | modeMem)
	case a.take("4"):
		if err := a.want("*", "(", "["); err != nil {
			return bpf.RawInstruction{}, err
		}
		in, err := a.constant(classLDX | modeMSH | sizeB)
		if err != nil {
			return in, err
		}
		return in, a.want("]", "&", "0xf", ")")
	}
	return bpf.RawInstruction{}, errors.New("expected 4*([, M[, # and a number, or #pktlen")
}

// fix sets the offsets of a jump.
func (a *assembler) fix(f fixup) error {
	in := &a.prog[f.insn]
	yes, err := a.distance(f, f.yes)
	if err != nil {
		return err
	}
	if in.Op == classJump|jmpJA {
		in.K = uint32(int32(yes))
		return nil
	}
	no, err := a.distance(f, f.no)
	if err != nil {
		return err
	}
	if d := min(yes, no); d < 0 {
		return errors.New("a jump with a condition cannot go back; jump there by ja")
	}
	if d := max(yes, no); d > math.MaxUint8 {
		return fmt.Errorf("jump over %d instructions: at most %d with a condition; jump by ja", d, math.MaxUint8)
	}
	in.Jt, in.Jf = uint8(yes), uint8(no)
	return nil
}

func (a *assembler) distance(f fixup, t target) (int64, error) {
	if t.name != "" {
		n, ok := a.labels[t.name]
		if !ok {
			return 0, fmt.Errorf("no label %.40q", t.name)
		}
		t.n = int64(n)
	}
	d := t.n - int64(f.insn) - 1
	if d < math.MinInt32 || d > math.MaxInt32 {
		return 0, ErrJump
	}
	return d, nil
}
