package filter_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

func TestBuilder(t *testing.T) {
	var b filter.Builder
	yes, no := b.NewLabel(), b.NewLabel()
	b.Add(bpf.LoadAbsolute{Off: 12, Size: 2})
	b.JumpIf(bpf.JumpNotEqual, 0x800, no, filter.Next)
	b.Add(bpf.LoadAbsolute{Off: 23, Size: 1}, bpf.LoadConstant{Dst: bpf.RegX, Val: 6})
	b.JumpIfX(bpf.JumpGreaterOrEqual, yes, no)
	b.Jump(no)
	b.Set(yes)
	b.Add(bpf.RetConstant{Val: 9})
	b.Set(no)
	b.Add(bpf.RetConstant{})
	got, err := b.Program()
	want := assemble(t, `
		ldh [12]
		jeq #0x800 jf no
		ldb [23]
		ldx #6
		jge x jt yes jf no
		ja no
	yes:	ret #9
	no:	ret #0`)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want\n%v", got, err, want)
	}
}

func TestBuilderConditions(t *testing.T) {
	for _, c := range []struct {
		cond bpf.JumpTest
		k    uint32
		want bool // of 5
	}{
		{bpf.JumpEqual, 5, true}, {bpf.JumpNotEqual, 5, false}, {bpf.JumpNotEqual, 4, true},
		{bpf.JumpGreaterThan, 5, false}, {bpf.JumpGreaterThan, 4, true}, {bpf.JumpLessThan, 5, false}, {bpf.JumpLessThan, 6, true},
		{bpf.JumpGreaterOrEqual, 5, true}, {bpf.JumpGreaterOrEqual, 6, false}, {bpf.JumpLessOrEqual, 5, true}, {bpf.JumpLessOrEqual, 4, false},
		{bpf.JumpBitsSet, 6, true}, {bpf.JumpBitsSet, 2, false}, {bpf.JumpBitsNotSet, 2, true}, {bpf.JumpBitsNotSet, 4, false},
	} {
		var b filter.Builder
		no := b.NewLabel()
		b.Add(bpf.LoadConstant{Val: 5})
		b.JumpIf(c.cond, c.k, filter.Next, no)
		b.Add(bpf.RetConstant{Val: 1})
		b.Set(no)
		b.Add(bpf.RetConstant{})
		p, err := b.Program()
		if err != nil {
			t.Fatal(err)
		}
		vm, err := filter.NewVM(p, filter.VMOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := vm.Run(nil, 0) == 1; got != c.want {
			t.Errorf("5 %d %d = %t, want %t", c.cond, c.k, got, c.want)
		}
	}
}

// Jumps over any distance, forward and back, arrive.
func TestBuilderLongJumps(t *testing.T) {
	for _, distance := range []int{0, 253, 254, 255, 256, 257, 600} {
		var b filter.Builder
		first, second, back, done := b.NewLabel(), b.NewLabel(), b.NewLabel(), b.NewLabel()
		b.Add(bpf.LoadConstant{Val: 1})
		b.JumpIf(bpf.JumpEqual, 1, first, done)
		b.Set(back)
		b.JumpIf(bpf.JumpEqual, 2, second, done)
		for range distance {
			b.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 100})
		}
		b.Set(first)
		b.Add(bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 1})
		b.JumpIf(bpf.JumpEqual, 2, back, done)
		b.Set(second)
		b.Add(bpf.RetConstant{Val: 7})
		b.Set(done)
		b.Add(bpf.RetConstant{Val: 8})
		p, err := b.Program()
		if err != nil {
			t.Fatal(err)
		}
		vm, err := filter.NewVM(p, filter.VMOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := vm.Run(nil, 0); got != 7 {
			t.Errorf("over %d instructions: %d, want 7", distance, got)
		}
	}
}

func TestBuilderErrors(t *testing.T) {
	for name, build := range map[string]func(b *filter.Builder){
		"nothing":              func(b *filter.Builder) {},
		"label of nobody":      func(b *filter.Builder) { b.Set(3) },
		"label of the next":    func(b *filter.Builder) { b.Set(filter.Next) },
		"label set twice":      func(b *filter.Builder) { l := b.NewLabel(); b.Set(l); b.Set(l) },
		"label not set":        func(b *filter.Builder) { b.Jump(b.NewLabel()) },
		"jump to nobody":       func(b *filter.Builder) { b.JumpIf(bpf.JumpEqual, 1, filter.Next, 7) },
		"jump by number":       func(b *filter.Builder) { b.Add(bpf.Jump{}) },
		"unknown condition":    func(b *filter.Builder) { b.JumpIf(99, 1, filter.Next, filter.Next) },
		"wrong instruction":    func(b *filter.Builder) { b.Add(bpf.LoadAbsolute{Size: 3}) },
		"label behind the end": func(b *filter.Builder) { l := b.NewLabel(); b.Jump(l); b.Add(bpf.RetA{}); b.Set(l) },
		"more than fits": func(b *filter.Builder) {
			b.Add(make([]bpf.Instruction, 0)...)
			for range filter.MaxUserLen + 1 {
				b.Add(bpf.RetA{})
			}
		},
		"nothing that returns": func(b *filter.Builder) { b.Add(bpf.TAX{}) },
	} {
		var b filter.Builder
		build(&b)
		if name != "nothing" && name != "nothing that returns" && name != "label behind the end" {
			b.Add(bpf.RetA{})
		}
		if p, err := b.Program(); err == nil || p != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestCombine(t *testing.T) {
	ip := assemble(t, "ldh [12]\n jeq #0x800 jf 3\n ret #96\n ret #0")
	tcp := assemble(t, "ldb [23]\n sub #6\n jeq #0 jt 4\n ret #0\n ret #48")
	long := assemble(t, "ld #pktlen\n ret")
	frame := func(etherType uint16, proto byte) []byte {
		b := make([]byte, 60)
		b[12], b[13], b[23] = byte(etherType>>8), byte(etherType), proto
		return b
	}
	all := [][]byte{frame(0x800, 6), frame(0x800, 17), frame(0x806, 6), frame(0x806, 0)}
	must := func(p filter.Program, err error) filter.Program {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.ValidateLinux(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name string
		prog filter.Program
		want [4]uint32
	}{
		{"and", must(ip.And(tcp)), [4]uint32{48, 0, 0, 0}},
		{"and turned", must(tcp.And(ip)), [4]uint32{96, 0, 0, 0}},
		{"or", must(ip.Or(tcp)), [4]uint32{96, 96, 48, 0}},
		{"not", must(ip.Not()), [4]uint32{0, 0, 1 << 18, 1 << 18}},
		{"not not", must(must(ip.Not()).Not()), [4]uint32{1 << 18, 1 << 18, 0, 0}},
		{"of the accumulator", must(long.And(ip)), [4]uint32{96, 96, 0, 0}},
		{"not of the accumulator", must(long.Not()), [4]uint32{}},
		{"and the accumulator", must(ip.And(long)), [4]uint32{60, 60, 0, 0}},
		{"one", must(ip.Or()), [4]uint32{96, 96, 0, 0}},
		{"three", must(ip.And(tcp, long)), [4]uint32{60, 0, 0, 0}},
	} {
		vm, err := filter.NewVM(c.prog, filter.VMOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range all {
			if got := vm.Run(b, len(b)); got != c.want[i] {
				t.Errorf("%s, packet %d: %d, want %d", c.name, i, got, c.want[i])
			}
		}
	}
	for name, f := range map[string]func() (filter.Program, error){
		"and": func() (filter.Program, error) { return ip.And(nil) },
		"or":  func() (filter.Program, error) { return filter.Program(nil).Or(ip) },
		"not": func() (filter.Program, error) { return filter.Program{{Op: 0x34}, ret}.Not() },
	} {
		if p, err := f(); p != nil || err == nil {
			t.Errorf("%s: %v, %v", name, p, err)
		} else if _, ok := errors.AsType[*filter.ProgramError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What programs say together follows from what each says, where none reaches
// behind the packet or divides by zero.
func TestCombineRandom(t *testing.T) {
	allowed := func(op uint16) bool {
		return op&7 != 1 && op != 0x3c && op != 0x9c && op&0xe7 != 0x40 // no division by X, no load by X
	}
	rapid.Check(t, func(t *rapid.T) {
		p, q := draw(t, allowed), draw(t, allowed)
		// Registers and memory are zero at the start; a program may ask for that.
		p, q = p[3:], q[3:]
		b := rapid.SliceOfN(rapid.Byte(), 80, 80).Draw(t, "packet")
		run := func(p filter.Program, err error) uint32 {
			if err != nil {
				t.Fatal(err)
			}
			vm, err := filter.NewVM(p, filter.VMOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return vm.Run(b, len(b))
		}
		vp, vq := run(p, nil), run(q, nil)
		want := vq
		if vp == 0 {
			want = 0
		}
		if got := run(p.And(q)); got != want {
			t.Errorf("and: %d, want %d", got, want)
		}
		want = vp
		if vp == 0 {
			want = vq
		}
		if got := run(p.Or(q)); got != want {
			t.Errorf("or: %d, want %d", got, want)
		}
		if got := run(p.Not()); (got != 0) != (vp == 0) {
			t.Errorf("not: %d of %d", got, vp)
		}
	})
}

func ExampleBuilder() {
	var b filter.Builder
	yes, no := b.NewLabel(), b.NewLabel()
	b.Add(bpf.LoadAbsolute{Off: 12, Size: 2})
	b.JumpIf(bpf.JumpEqual, 0x0800, yes, filter.Next)
	b.JumpIf(bpf.JumpEqual, 0x86dd, yes, no)
	b.Set(yes)
	b.Add(bpf.RetConstant{Val: 262144})
	b.Set(no)
	b.Add(bpf.RetConstant{})
	p, err := b.Program()
	fmt.Println(p, err)
	// Output:
	// (000) ldh      [12]
	// (001) jeq      #0x800           jt 3	jf 2
	// (002) jeq      #0x86dd          jt 3	jf 4
	// (003) ret      #262144
	// (004) ret      #0 <nil>
}

func ExampleProgram_And() {
	ip, _ := filter.Assemble("ldh [12]\n jeq #0x800 jf 3\n ret #65535\n ret #0")
	short, _ := filter.Assemble("ld #pktlen\n jgt #100 jt 3\n ret #65535\n ret #0")
	both, err := ip.And(short)
	fmt.Println(err)
	vm, err := filter.NewVM(both, filter.VMOptions{})
	fmt.Println(err)
	packet := make([]byte, 60)
	packet[12] = 0x08
	fmt.Println(vm.Run(packet, 60), vm.Run(packet, 1500))
	// Output:
	// <nil>
	// <nil>
	// 65535 0
}
