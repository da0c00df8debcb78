package sys_test

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"golang.org/x/sys/unix"
)

// The tests of package afpacket with eBPF programs are here, because nobody
// else may load one: bpf(2) wants pointers.

// insn is struct bpf_insn of linux/bpf.h.
func insn(code, dst, src byte, imm int32) []byte {
	regs := src<<4 | dst
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		regs = dst<<4 | src // bit fields go from the other end
	}
	return binary.NativeEndian.AppendUint32([]byte{code, regs, 0, 0}, uint32(imm))
}

// load loads a program of type BPF_PROG_TYPE_SOCKET_FILTER.
func load(t *testing.T, insns ...[]byte) int {
	t.Helper()
	var prog []byte
	for _, in := range insns {
		prog = append(prog, in...)
	}
	license := []byte("MIT\x00")
	attr := struct {
		typ, count     uint32
		insns, license uint64
		_              [16]uint64
	}{
		typ:     unix.BPF_PROG_TYPE_SOCKET_FILTER,
		count:   uint32(len(insns)),
		insns:   uint64(uintptr(unsafe.Pointer(&prog[0]))),
		license: uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(prog)
	runtime.KeepAlive(license)
	switch errno {
	case 0:
	case unix.ENOSYS, unix.EPERM:
		netns.Skip(t, "no eBPF: %v", errno)
	default:
		t.Fatal(os.NewSyscallError("bpf", errno))
	}
	t.Cleanup(func() { unix.Close(int(fd)) })
	return int(fd)
}

const (
	opMov64Imm = 0xb7 // BPF_ALU64 | BPF_MOV | BPF_K
	opMov64Reg = 0xbf // BPF_ALU64 | BPF_MOV | BPF_X
	opLoadByte = 0x30 // BPF_LD | BPF_ABS | BPF_B, which wants the packet in r6
	opExit     = 0x95 // BPF_JMP | BPF_EXIT
)

// patience is how long to wait for what must come.
const patience = time.Minute

// openPacket opens a socket on an interface of a namespace.
func openPacket(t *testing.T, ns *netns.NS, cfg *afpacket.Config, name string, typ afpacket.EtherType) *afpacket.Socket {
	t.Helper()
	var s *afpacket.Socket
	if err := ns.Do(func() (err error) {
		s, err = afpacket.Open(afpacket.KindL2, cfg)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(name, typ); err != nil {
		t.Fatal(err)
	}
	return s
}

const experiment = 0x88b5 // EtherType, IEEE 802

func broadcast(payload byte) []byte {
	b := make([]byte, 60)
	copy(b, "\xff\xff\xff\xff\xff\xff")
	binary.BigEndian.PutUint16(b[12:], experiment)
	b[14] = payload
	return b
}

func TestSetProgram(t *testing.T) {
	a, b := netns.New(t), netns.New(t)
	netns.Connect(t, a, "veth0", b, "veth0")
	tx, rx := openPacket(t, a, nil, "veth0", 0), openPacket(t, b, nil, "veth0", experiment)
	if err := rx.SetProgram(load(t, insn(opMov64Imm, 0, 0, 20), insn(opExit, 0, 0, 0))); err != nil {
		t.Fatal(err)
	}
	if err := tx.Send(broadcast(1)); err != nil {
		t.Fatal(err)
	}
	m, err := rx.Recv(make([]byte, 100))
	if err != nil || len(m.Data) != 20 || m.WireLen != 60 {
		t.Errorf("%d of %d bytes, %v, want 20 of 60", len(m.Data), m.WireLen, err)
	}
	if _, err := rx.Filter(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Filter = %v, want ErrUnsupported", err)
	}
	if err := rx.ClearFilter(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Send(broadcast(1)); err != nil {
		t.Fatal(err)
	}
	if m, err := rx.Recv(make([]byte, 100)); err != nil || len(m.Data) != 60 {
		t.Errorf("%d bytes, %v, want 60", len(m.Data), err)
	}
	if err := rx.SetProgram(-1); !errors.Is(err, syscall.EBADF) {
		t.Errorf("SetProgram(-1) = %v, want EBADF", err)
	}
}

// TestFanoutProgram has a program that chooses by the first byte of payload.
func TestFanoutProgram(t *testing.T) {
	a, b := netns.New(t), netns.New(t)
	netns.Connect(t, a, "veth0", b, "veth0")
	fd := load(t, insn(opMov64Reg, 6, 1, 0), insn(opLoadByte, 0, 0, 0), insn(opExit, 0, 0, 0))
	tx := openPacket(t, a, nil, "veth0", 0)
	var members [2]*afpacket.Socket
	for i := range members {
		cfg := &afpacket.Config{Fanout: &afpacket.Fanout{Group: 5, Mode: afpacket.FanoutProgram}}
		if i == 0 {
			cfg.Fanout.Program = fd
		}
		members[i] = openPacket(t, b, cfg, "veth0", experiment)
	}
	const n = 100
	for i := range n {
		if err := tx.Send(broadcast(byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		m, err := members[i%2].Recv(make([]byte, 100))
		if err != nil {
			t.Fatal(err)
		}
		if int(m.Data[14])%2 != i%2 {
			t.Errorf("member %d received %d", i%2, m.Data[14])
		}
	}
	cfg := &afpacket.Config{Fanout: &afpacket.Fanout{Group: 6, Mode: afpacket.FanoutProgram, Program: 1 << 20}}
	var s *afpacket.Socket
	if err := b.Do(func() (err error) {
		s, err = afpacket.Open(afpacket.KindL2, cfg)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Bind("veth0", experiment); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Bind with a program that is none = %v, want EBADF", err)
	}
}
