package filter

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/net/bpf"
)

// Label is a place in the program of a [Builder]. The zero value, [Next], is
// the instruction after the jump.
type Label int

// Next is the [Label] of the instruction that follows.
const Next Label = 0

// Builder puts a program together from instructions and labels. The zero value
// is empty. Errors wait until [Builder.Program].
type Builder struct {
	prog   Program
	jumps  []pending
	places []int // of the labels from 1, -1 before they are set
	err    error
}

// pending is a jump whose offsets are not known yet.
type pending struct {
	at      int
	yes, no Label
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// NewLabel returns a label, which jumps can name before [Builder.Set] says
// where it is.
func (b *Builder) NewLabel() Label {
	b.places = append(b.places, -1)
	return Label(len(b.places))
}

// Set puts a label before the instruction that is added next.
func (b *Builder) Set(l Label) {
	switch {
	case l <= Next || int(l) > len(b.places):
		b.fail(fmt.Errorf("filter: label %d is not of this builder", l))
	case b.places[l-1] >= 0:
		b.fail(fmt.Errorf("filter: label %d is set twice", l))
	default:
		b.places[l-1] = len(b.prog)
	}
}

// Add adds instructions of golang.org/x/net/bpf that are not jumps; for those
// there are [Builder.Jump], [Builder.JumpIf] and [Builder.JumpIfX].
func (b *Builder) Add(all ...bpf.Instruction) {
	for _, in := range all {
		raw, err := in.Assemble()
		switch {
		case err != nil:
			b.fail(fmt.Errorf("filter: %v: %w", in, err))
		case raw.Op&classMask == classJump:
			b.fail(fmt.Errorf("filter: %v: a jump by number; use Jump or JumpIf", in))
		default:
			b.prog = append(b.prog, raw)
		}
	}
}

// Jump adds a jump without condition. It may go back, where only a [VM]
// follows.
func (b *Builder) Jump(to Label) {
	b.jump(bpf.RawInstruction{Op: classJump | jmpJA}, to, to)
}

// JumpIf adds a jump by a comparison of the accumulator with a constant.
func (b *Builder) JumpIf(cond bpf.JumpTest, k uint32, yes, no Label) {
	op, yes, no := b.condition(cond, yes, no)
	b.jump(bpf.RawInstruction{Op: op, K: k}, yes, no)
}

// JumpIfX adds a jump by a comparison of the accumulator with X.
func (b *Builder) JumpIfX(cond bpf.JumpTest, yes, no Label) {
	op, yes, no := b.condition(cond, yes, no)
	b.jump(bpf.RawInstruction{Op: op | srcX}, yes, no)
}

// condition returns the operation of a condition, and the targets the other way
// round where the machine only has its opposite.
func (b *Builder) condition(cond bpf.JumpTest, yes, no Label) (uint16, Label, Label) {
	switch cond {
	case bpf.JumpEqual:
		return classJump | jmpJEQ, yes, no
	case bpf.JumpNotEqual:
		return classJump | jmpJEQ, no, yes
	case bpf.JumpGreaterThan:
		return classJump | jmpJGT, yes, no
	case bpf.JumpLessOrEqual:
		return classJump | jmpJGT, no, yes
	case bpf.JumpGreaterOrEqual:
		return classJump | jmpJGE, yes, no
	case bpf.JumpLessThan:
		return classJump | jmpJGE, no, yes
	case bpf.JumpBitsSet:
		return classJump | jmpJSET, yes, no
	case bpf.JumpBitsNotSet:
		return classJump | jmpJSET, no, yes
	}
	b.fail(fmt.Errorf("filter: no such condition: %d", cond))
	return classJump | jmpJEQ, yes, no
}

func (b *Builder) jump(in bpf.RawInstruction, yes, no Label) {
	b.jumps = append(b.jumps, pending{len(b.prog), yes, no})
	b.prog = append(b.prog, in)
}

// place returns where a jump at instruction at goes.
func (b *Builder) place(at int, l Label) (int, error) {
	switch {
	case l == Next:
		return at + 1, nil
	case l < Next || int(l) > len(b.places):
		return 0, fmt.Errorf("filter: label %d is not of this builder", l)
	case b.places[l-1] < 0:
		return 0, fmt.Errorf("filter: label %d is not set", l)
	}
	return b.places[l-1], nil
}

// Program returns the program, with its jumps. One whose condition leads over
// more than 255 instructions, or back, becomes several. The program is valid,
// in the sense of [Program.Validate]; the builder can be used further.
func (b *Builder) Program() (Program, error) {
	if b.err != nil {
		return nil, b.err
	}
	all := make([]placedJump, len(b.jumps))
	for i, j := range b.jumps {
		yes, err := b.place(j.at, j.yes)
		if err != nil {
			return nil, err
		}
		no, err := b.place(j.at, j.no)
		if err != nil {
			return nil, err
		}
		all[i] = placedJump{at: j.at, yes: yes, no: no, always: b.prog[j.at].Op == classJump|jmpJA}
	}
	p, err := layJumps(b.prog, all)
	if err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// placedJump is a jump that goes to instructions of a program in which all jumps
// have room.
type placedJump struct {
	at, yes, no     int
	always          bool
	longYes, longNo bool // by another instruction
}

// extra is how many instructions a jump needs besides itself.
func (j *placedJump) extra() int {
	n := 0
	if j.longYes {
		n++
	}
	if j.longNo {
		n++
	}
	return n
}

var errFar = errors.New("filter: program too long for its jumps")

// maxPasses is after how many passes of layJumps every jump becomes long: few
// programs need more than three, and none may take for ever.
const maxPasses = 16

// layJumps returns the program with its jumps set. More of them become long until
// all reach where they go, which lengthens the program and so may make others
// long.
func layJumps(p Program, all []placedJump) (Program, error) {
	place := make([]int, len(p)+1) // of the old instructions in the new program
	for pass, again := 0, true; again; pass++ {
		again = false
		n := 0
		next := 0
		for i := range p {
			place[i] = n
			n++
			if next < len(all) && all[next].at == i {
				n += all[next].extra()
				next++
			}
		}
		place[len(p)] = n
		if n > MaxUserLen {
			return nil, fmt.Errorf("%w: %w: limit %d", errFar, ErrLength, MaxUserLen)
		}
		for i := range all {
			j := &all[i]
			if j.always {
				continue
			}
			// A short jump leads over the long ones behind it as well.
			from := place[j.at] + 1
			if d := place[j.yes] - from; !j.longYes && (d < 0 || d > math.MaxUint8 || pass >= maxPasses) {
				j.longYes, again = true, true
			}
			if d := place[j.no] - from; !j.longNo && (d < 0 || d > math.MaxUint8 || pass >= maxPasses) {
				j.longNo, again = true, true
			}
		}
	}
	out := make(Program, 0, place[len(p)])
	for i, in := range p {
		if len(all) == 0 || all[0].at != i {
			out = append(out, in)
			continue
		}
		j := all[0]
		all = all[1:]
		if j.always {
			in.K = uint32(int32(place[j.yes] - len(out) - 1))
			out = append(out, in)
			continue
		}
		at := len(out)
		out = append(out, in)
		yes, no := place[j.yes]-at-1, place[j.no]-at-1
		long := func(to int) int {
			out = append(out, bpf.RawInstruction{Op: classJump | jmpJA, K: uint32(int32(to - len(out) - 1))})
			return len(out) - 1 - at - 1
		}
		if j.longYes {
			yes = long(place[j.yes])
		}
		if j.longNo {
			no = long(place[j.no])
		}
		out[at].Jt, out[at].Jf = uint8(yes), uint8(no)
	}
	return out, nil
}
