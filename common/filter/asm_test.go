package filter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// listings are what tcpdump 4.99.3 prints for expressions.
var listings = []struct{ expr, text, c, decimal string }{
	{
		"ip[0] + len > 3 and ip[5] < ip[6]",
		`(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 16
(002) ldb      [14]
(003) st       M[1]
(004) ld       #pktlen
(005) tax      
(006) ld       M[1]
(007) add      x
(008) jgt      #0x3             jt 9	jf 16
(009) ldb      [19]
(010) st       M[4]
(011) ldb      [20]
(012) tax      
(013) ld       M[4]
(014) jge      x                jt 16	jf 15
(015) ret      #262144
(016) ret      #0
`,
		`{ 0x28, 0, 0, 0x0000000c },
{ 0x15, 0, 14, 0x00000800 },
{ 0x30, 0, 0, 0x0000000e },
{ 0x2, 0, 0, 0x00000001 },
{ 0x80, 0, 0, 0x00000000 },
{ 0x7, 0, 0, 0x00000000 },
{ 0x60, 0, 0, 0x00000001 },
{ 0xc, 0, 0, 0x00000000 },
{ 0x25, 0, 7, 0x00000003 },
{ 0x30, 0, 0, 0x00000013 },
{ 0x2, 0, 0, 0x00000004 },
{ 0x30, 0, 0, 0x00000014 },
{ 0x7, 0, 0, 0x00000000 },
{ 0x60, 0, 0, 0x00000004 },
{ 0x3d, 1, 0, 0x00000000 },
{ 0x6, 0, 0, 0x00040000 },
{ 0x6, 0, 0, 0x00000000 },
`,
		`17
40 0 0 12
21 0 14 2048
48 0 0 14
2 0 0 1
128 0 0 0
7 0 0 0
96 0 0 1
12 0 0 0
37 0 7 3
48 0 0 19
2 0 0 4
48 0 0 20
7 0 0 0
96 0 0 4
61 1 0 0
6 0 0 262144
6 0 0 0
`,
	},
}

func TestForms(t *testing.T) {
	for _, l := range listings {
		want, err := filter.Assemble(l.decimal)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct {
			form filter.Form
			text string
		}{{filter.FormText, l.text}, {filter.FormC, l.c}, {filter.FormDecimal, l.decimal}} {
			if got := want.Format(f.form); got != f.text {
				t.Errorf("%s: form %d:\n%s\nwant\n%s", l.expr, f.form, got, f.text)
			}
			got, err := filter.Assemble(f.text)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: form %d: %v, %v, want %v", l.expr, f.form, got, err, want)
			}
		}
	}
}

// TestFormatInstruction wants what bpf_image of libpcap 1.10.3 says.
func TestFormatInstruction(t *testing.T) {
	for _, c := range []struct {
		in   bpf.RawInstruction
		want string
	}{
		{bpf.RawInstruction{Op: 0x00, K: 0xfffffff0}, "(005) ld       #0xfffffff0"},
		{bpf.RawInstruction{Op: 0x02, K: 3}, "(005) st       M[3]"},
		{bpf.RawInstruction{Op: 0x04, K: 0xfffffff0}, "(005) add      #-16"},
		{bpf.RawInstruction{Op: 0x05, K: 0xfffffff0}, "(005) ja       -10"},
		{bpf.RawInstruction{Op: 0x06, K: 0xfffffff0}, "(005) ret      #-16"},
		{bpf.RawInstruction{Op: 0x16}, "(005) ret      "},
		{bpf.RawInstruction{Op: 0x15, Jt: 1, Jf: 2, K: 0xfffffff0}, "(005) jeq      #0xfffffff0      jt 7	jf 8"},
		{bpf.RawInstruction{Op: 0x20, K: 0xffe00001}, "(005) ld       [-2097151]"},
		{bpf.RawInstruction{Op: 0x50, K: 0xfffffff0}, "(005) ldb      [x + -16]"},
		{bpf.RawInstruction{Op: 0x54, K: 0xff}, "(005) and      #0xff"},
		{bpf.RawInstruction{Op: 0x28, K: 0xfffff03c}, "(005) ldh      [vlan_tpid]"},
		{bpf.RawInstruction{Op: 0x20, K: 0xfffff03d}, "(005) ld       [-4035]"},
		{bpf.RawInstruction{Op: 0xb1, K: 14}, "(005) ldxb     4*([14]&0xf)"},
		{bpf.RawInstruction{Op: 0x94, K: 7}, "(005) mod      #7"},
		{bpf.RawInstruction{Op: 0x1234}, "(005) unimp    0x1234"},
		// Not of libpcap, which runs this operation but does not print it.
		{bpf.RawInstruction{Op: 0x81}, "(005) ldx      #pktlen"},
	} {
		if got := filter.FormatInstruction(5, c.in); got != c.want {
			t.Errorf("%+v: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAssembleByHand(t *testing.T) {
	p, err := filter.Assemble(`
	; IPv6 and untagged IPv4
	        ldh  [12]             ; EtherType
	        jeq  #0x86dd jt done
	        jeq  #2048 jt done jf drop
	loop:   ja   loop
	done:
	        ldx  4*([ 14 ] & 0xf)
	        ld   [x+2]
	        ldb  [x - 2]
	        ldh  [x]
	        ld   [vlan_tci]
	        ldx  #pktlen
	        ret  a
	drop:   ret
	`)
	want := filter.Program{
		{Op: 0x28, K: 12},
		{Op: 0x15, Jt: 2, K: 0x86dd},
		{Op: 0x15, Jt: 1, Jf: 8, K: 0x800},
		{Op: 0x05, K: 1<<32 - 1},
		{Op: 0xb1, K: 14},
		{Op: 0x40, K: 2},
		{Op: 0x50, K: 1<<32 - 2},
		{Op: 0x48},
		{Op: 0x20, K: 0xfffff000 + 44},
		{Op: 0x81},
		{Op: 0x16},
		{Op: 0x16},
	}
	if err != nil || !slices.Equal(p, want) {
		t.Errorf("%v, %v, want %v", p, err, want)
	}
}

// The form of iptables -m bpf, and spaces as people have them.
func TestAssembleSpaces(t *testing.T) {
	want := filter.Program{{Op: 0x30, K: 9}, {Op: 0x15, Jf: 1, K: 6}, {Op: 0x06, K: 1}, {Op: 0x06}}
	for _, text := range []string{
		"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0,",
		"4\r\n48 0 0 9\r\n21 0 1 6\r\n6 0 0 1\r\n\r\n6 0 0 0\r\n",
		"\n\n4\n 48  0\t0 9\n21 0 1 6\n6 0 0 1\n6 0 0 0",
		"{0x30,0,0,9},\n{ 21, 0, 1, 6 }\n\n{ 0x6, 0, 0, 1 },\n{ 0x6, 0, 0, 0 },",
		"ldb [9]\njeq #6 jf 3\nret #1\nret #0",
	} {
		got, err := filter.Assemble(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	if got, err := filter.Assemble(""); err != nil || got != nil {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func TestAssembleErrors(t *testing.T) {
	far := "jeq #1 jt end\n" + strings.Repeat("tax\n", 256) + "end: ret #0\n"
	for _, c := range []struct {
		text         string
		line, column int
		want         string
	}{
		{"ldh [12]\nldq [12]\n", 2, 1, `no such operation: "ldq"`},
		{"ldh [12\n", 1, 8, `expected "]"`},
		{"ldh 12", 1, 5, "expected ["},
		{"ld", 1, 3, "expected [, M[, # and a number, or #pktlen"},
		{"ldx [1]", 1, 5, "expected 4*([, M[, # and a number, or #pktlen"},
		{"ldb [y + 2]", 1, 6, `expected x, a number, or the name of metadata, not "y"`},
		{"ldh [12] jt 1", 1, 10, `expected the end of the line, not "jt 1"`},
		{"ld #0x100000000", 1, 5, "0x100000000 does not fit 32 bits"},
		{"ld #-2147483649", 1, 5, "-2147483649 does not fit 32 bits"},
		{"ld #08x", 1, 5, "expected a number"},
		{"add", 1, 4, "expected x, or # and a number"},
		{"jeq #1 jt", 1, 10, "expected a label or the number of an instruction"},
		{"  jeq #1 jt nowhere\nret #0", 1, 9, `no label "nowhere"`},
		{"a: ret #0\na: ret #0", 2, 3, `second label "a"`},
		{"a: jeq #0 jt a\nret #0", 1, 10, "a jump with a condition cannot go back; jump there by ja"},
		{far, 1, 7, "jump over 256 instructions: at most 255 with a condition; jump by ja"},
		{"(001) ret #0", 1, 5, "instruction 0 is numbered 1"},
		{"{ 0x28, 256, 0, 0 },", 1, 9, "256 does not fit 8 bits"},
		{"{ 0x28, 0, 0 },", 1, 14, `expected ","`},
		{"{ 0x28, 0, 0, 1 }, {", 1, 20, `expected the end of the line, not "{"`},
		{"2\n6 0 0 0\n", 2, 8, "1 instructions, and the first line says 2"},
		{"1\n6 0 0\n", 2, 6, "expected a number"},
		{"1\n6 0 0 0 0\n", 2, 9, `expected the end of the line, not "0"`},
	} {
		p, err := filter.Assemble(c.text)
		ae, ok := errors.AsType[*filter.AssembleError](err)
		if !ok || p != nil {
			t.Errorf("%.40q: %v, %v", c.text, p, err)
			continue
		}
		if ae.Line != c.line || ae.Column != c.column || ae.Err.Error() != c.want {
			t.Errorf("%.40q: %v, want line %d, column %d: %s", c.text, err, c.line, c.column, c.want)
		}
	}
}

func TestFormsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t, anyOperation)
		for form := filter.FormText; form <= filter.FormDecimal; form++ {
			got, err := filter.Assemble(p.Format(form))
			if err != nil || !slices.Equal(got, p) {
				t.Errorf("form %d: %v, want\n%s", form, err, p.Format(form))
			}
		}
	})
}

// FuzzAssemble reads any text, and writes what it read.
func FuzzAssemble(f *testing.F) {
	for _, l := range listings {
		f.Add(l.text)
		f.Add(l.c)
		f.Add(l.decimal)
	}
	f.Add("start: ldx 4*([14]&0xf)\n jset #0x1fff jt drop ; fragment\n ja start\ndrop: ret\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := filter.Assemble(text)
		if err != nil || len(p) == 0 {
			return
		}
		for _, form := range []filter.Form{filter.FormC, filter.FormDecimal} {
			got, err := filter.Assemble(p.Format(form))
			if err != nil || !slices.Equal(got, p) {
				t.Errorf("form %d of %q: %v, %v", form, text, got, err)
			}
		}
		if p.Validate() != nil {
			return
		}
		// What an instruction does not use is not in this form.
		once, err := filter.Assemble(p.String())
		if err != nil {
			t.Fatalf("%q: %v", p.String(), err)
		}
		if once.String() != p.String() {
			t.Errorf("read %q, wrote %q", p.String(), once.String())
		}
	})
}
