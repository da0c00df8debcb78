package cbpf_test

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/cbpf"
	"github.com/gopkts/gopkts/capture/internal/ebpf"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// kernel is a pair of datagram sockets, of which the kernel filters one.
type kernel struct{ in, out int }

func newKernel(t *testing.T) kernel {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fds[0]); syscall.Close(fds[1]) })
	return kernel{fds[0], fds[1]}
}

// run returns how many bytes of b the kernel keeps.
func (k kernel) run(prog []bpf.RawInstruction, b []byte) (int, error) {
	filter := make([]syscall.SockFilter, len(prog))
	for i, in := range prog {
		filter[i] = syscall.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := syscall.AttachLsf(k.out, filter); err != nil {
		return 0, err
	}
	if _, err := syscall.Write(k.in, b); err != nil {
		return 0, err
	}
	n, err := syscall.Read(k.out, make([]byte, len(b)+1))
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil // rejected
	}
	return n, err
}

// program draws a program that ends. It writes its memory first, since the
// kernel does not accept a program that may read what was not written.
func program(t *rapid.T) []bpf.RawInstruction {
	var prog []bpf.RawInstruction
	for i := range uint32(4) {
		prog = append(prog, bpf.RawInstruction{Op: 0x02, K: i})
	}
	n := rapid.IntRange(1, 30).Draw(t, "instructions")
	ops := []uint16{
		0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x00, 0x01, 0x80, 0x81, 0x60, 0x61, 0x02, 0x03, 0x07, 0x87,
		0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x74, 0x84, 0x94, 0x9c, 0xa4, 0xac,
		0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16,
	}
	for i := range n {
		in := bpf.RawInstruction{Op: rapid.SampledFrom(ops).Draw(t, "op")}
		left := n - i // up to the last return
		switch in.Op & 7 {
		case 0, 1: // loads
			in.K = uint32(rapid.IntRange(0, 70).Draw(t, "offset"))
			if in.Op == 0x60 || in.Op == 0x61 {
				in.K %= 4
			}
		case 2, 3:
			in.K = uint32(rapid.IntRange(0, 3).Draw(t, "word"))
		case 4:
			in.K = rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(1, 31)).Draw(t, "operand")
			if in.Op == 0x64 || in.Op == 0x74 {
				in.K %= 32
			}
			if in.Op == 0x34 || in.Op == 0x94 {
				in.K = max(in.K, 1)
			}
		case 5:
			if in.Op == 0x05 {
				in.K = uint32(rapid.IntRange(0, left-1).Draw(t, "skip"))
				break
			}
			in.K = rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 70)).Draw(t, "operand")
			in.Jt = uint8(rapid.IntRange(0, left-1).Draw(t, "skip"))
			in.Jf = uint8(rapid.IntRange(0, left-1).Draw(t, "skip"))
		case 6:
			in.K = rapid.Uint32Range(0, 70).Draw(t, "keep")
		}
		prog = append(prog, in)
	}
	return append(prog, bpf.RawInstruction{Op: 0x16})
}

// TestKernel compares both ways of running a program with the kernel's own.
func TestKernel(t *testing.T) {
	k := newKernel(t)
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	rapid.Check(t, func(t *rapid.T) {
		prog := program(t)
		b := rapid.SliceOfN(rapid.Byte(), 14, 64).Draw(t, "frame")
		want, err := k.run(prog, b)
		if err != nil {
			t.Fatalf("kernel: %v", err)
		}
		p, err := cbpf.New(prog)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		if got := int(min(p.Run(b, new(cbpf.Meta)), uint32(len(b)))); got != want {
			t.Errorf("Run keeps %d, the kernel %d", got, want)
		}
		for _, frags := range []bool{false, true} {
			if got := verdict(t, p, frags, b, 0) == 1; got != (want > 0) {
				t.Errorf("translated, frags=%t: accepts %t, the kernel keeps %d", frags, got, want)
			}
		}
	})
}

// fatal is what testing.TB and rapid.T have in common.
type fatal interface{ Fatalf(string, ...any) }

// verdict has the kernel run a translated program: 1 accepts.
func verdict(t fatal, p *cbpf.Program, frags bool, b []byte, mac byte) uint32 {
	ret := func(v uint32) func(*ebpf.Program) {
		return func(p *ebpf.Program) { p.ALU32Imm(ebpf.Mov, ebpf.R0, v); p.Exit() }
	}
	code, err := p.Compile(&cbpf.Target{
		MAC: [6]byte{2, 0, 0, 0, 0, mac}, Hatype: 1, Frags: frags, Accept: ret(1), Reject: ret(2),
	}, binary.NativeEndian)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	prog, err := sys.LoadXDP("test", code, frags)
	if err != nil {
		t.Fatalf("LoadXDP: %v", err)
	}
	defer prog.Close()
	got, err := prog.Run(b)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return got
}

// TestMetadata translates the loads of metadata.
func TestMetadata(t *testing.T) {
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	to := func(dst ...byte) []byte { return append(dst, frame[6:]...) }
	for _, c := range []struct {
		name  string
		ext   bpf.Extension
		frame []byte
		want  uint32
	}{
		{"to this host", bpf.ExtType, frame[:], 0},
		{"broadcast", bpf.ExtType, to(255, 255, 255, 255, 255, 255), 1},
		{"multicast", bpf.ExtType, to(1, 0, 0x5e, 0, 0, 1), 2},
		{"almost broadcast", bpf.ExtType, to(255, 255, 255, 255, 255, 254), 2},
		{"to another host", bpf.ExtType, to(2, 0, 0, 0, 0, 6), 3},
		{"protocol", bpf.ExtProto, frame[:], 0x8100},
		{"hardware type", bpf.ExtLinkLayerType, frame[:], 1},
		{"VLAN tag", bpf.ExtVLANTagPresent, frame[:], 0},
		{"queue", bpf.ExtQueue, frame[:], 0},
	} {
		p := compileClassic(t,
			bpf.LoadExtension{Num: c.ext},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.want, SkipFalse: 1},
			bpf.RetConstant{Val: 1},
			bpf.RetConstant{})
		for _, frags := range []bool{false, true} {
			if got := verdict(t, p, frags, c.frame, 5); got != 1 {
				t.Errorf("%s, frags=%t: verdict %d, want 1", c.name, frags, got)
			}
		}
	}
}

// TestLong translates the longest program: every instruction may look at the
// frame.
func TestLong(t *testing.T) {
	if os.Geteuid() != 0 {
		netns.Skip(t, "the verifier of extended BPF needs root")
	}
	var prog []bpf.RawInstruction
	for i := range cbpf.MaxLen/3 - 1 {
		prog = append(prog,
			bpf.RawInstruction{Op: 0x28, K: 12},
			bpf.RawInstruction{Op: 0x15, K: uint32(i), Jf: 1},
			bpf.RawInstruction{Op: 0x06, K: 1})
	}
	prog = append(prog, bpf.RawInstruction{Op: 0x06})
	p, err := cbpf.New(prog)
	if err != nil {
		t.Fatal(err)
	}
	b := append([]byte(nil), frame[:]...)
	for value, want := range map[uint16]uint32{0: 1, 1000: 1, 60000: 2} {
		binary.BigEndian.PutUint16(b[12:], value)
		if got := verdict(t, p, false, b, 5); got != want {
			t.Errorf("with %d: verdict %d, want %d", value, got, want)
		}
	}
}
