package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// insn returns one instruction of a BPF program, struct bpf_insn of
// linux/bpf.h. Its two registers share a byte as C's bit fields do.
func insn(op byte, dst, src byte, off int16, imm int32) []byte {
	regs := dst | src<<4
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		regs = dst<<4 | src
	}
	b := append(make([]byte, 0, 8), op, regs)
	b = binary.NativeEndian.AppendUint16(b, uint16(off))
	return binary.NativeEndian.AppendUint32(b, uint32(imm))
}

// Opcodes, linux/bpf_common.h and linux/bpf.h.
const (
	opMovImm = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	opAddImm = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
	opAdd    = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_X
	opLoad   = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_DW
	opStore  = unix.BPF_STX | unix.BPF_MEM | unix.BPF_DW
	opLoad64 = unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW // takes two instructions
	opJumpLT = unix.BPF_JMP | unix.BPF_JLT | unix.BPF_X
	opJumpGE = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_X
	opCall   = unix.BPF_JMP | unix.BPF_CALL
	opExit   = unix.BPF_JMP | unix.BPF_EXIT

	xdpDrop = 1
	xdpPass = 2

	helperTime     = 5  // BPF_FUNC_ktime_get_ns
	helperRedirect = 23 // BPF_FUNC_redirect
)

// passProgram lets every frame go where it would have gone.
func passProgram() []byte {
	return append(insn(opMovImm, 0, 0, 0, xdpPass), insn(opExit, 0, 0, 0, 0)...)
}

// schedule is what a generator's program reads and writes: the value of a map.
type schedule struct {
	next     uint64 // when the next frame is due, by the monotonic clock, ns
	interval uint64 // from one to the next, ns
	end      uint64 // when none is due any more, ns
	count    uint64 // frames that went out
}

// generatorProgram lets a frame go each time that one is due by the schedule in
// the map, and drops it otherwise; when not paced it lets all go. It counts
// them. They go out on the interface with this index, or with 0 the way that
// the kernel takes frames which XDP passes.
func generatorProgram(schedule, index int, paced bool) []byte {
	var drop []byte
	drop = append(drop, insn(opMovImm, 0, 0, 0, xdpDrop)...)
	drop = append(drop, insn(opExit, 0, 0, 0, 0)...)

	var out []byte
	out = append(out, insn(opLoad, 1, 6, 24, 0)...) // count
	out = append(out, insn(opAddImm, 1, 0, 0, 1)...)
	out = append(out, insn(opStore, 6, 1, 24, 0)...)
	if index == 0 {
		out = append(out, insn(opMovImm, 0, 0, 0, xdpPass)...)
	} else {
		out = append(out, insn(opMovImm, 1, 0, 0, int32(index))...)
		out = append(out, insn(opMovImm, 2, 0, 0, 0)...)
		out = append(out, insn(opCall, 0, 0, 0, helperRedirect)...)
	}
	out = append(out, insn(opExit, 0, 0, 0, 0)...)

	var advance []byte
	advance = append(advance, insn(opLoad, 2, 6, 8, 0)...) // interval
	advance = append(advance, insn(opAdd, 1, 2, 0, 0)...)
	advance = append(advance, insn(opStore, 6, 1, 0, 0)...)

	var p []byte
	p = append(p, insn(opLoad64, 6, unix.BPF_PSEUDO_MAP_VALUE, 0, int32(schedule))...)
	p = append(p, insn(0, 0, 0, 0, 0)...)
	if paced {
		skip := int16((len(advance) + len(out)) / 8)
		p = append(p, insn(opCall, 0, 0, 0, helperTime)...)
		p = append(p, insn(opLoad, 1, 6, 0, 0)...) // next
		p = append(p, insn(opJumpLT, 0, 1, skip+2, 0)...)
		p = append(p, insn(opLoad, 2, 6, 16, 0)...) // end
		p = append(p, insn(opJumpGE, 0, 2, skip, 0)...)
		p = append(p, advance...)
	}
	p = append(p, out...)
	if paced {
		p = append(p, drop...)
	}
	return p
}

// bpf is the system call bpf(2).
func bpf(cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// pointer returns what the kernel calls an aligned u64 pointer.
func pointer(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// newSchedule makes the map for a schedule and returns its descriptor.
func newSchedule() (int, error) {
	attr := struct{ typ, key, value, entries, flags uint32 }{
		typ: unix.BPF_MAP_TYPE_ARRAY, key: 4, value: uint32(unsafe.Sizeof(schedule{})), entries: 1,
	}
	fd, err := bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return 0, fmt.Errorf("bpf: make a map: %w", err)
	}
	return fd, nil
}

// access reads or writes, depending on cmd, the schedule in a map.
func access(cmd, fd int, s *schedule) error {
	var key uint32
	attr := struct {
		fd, _             uint32
		key, value, flags uint64
	}{fd: uint32(fd), key: uint64(uintptr(unsafe.Pointer(&key))), value: uint64(uintptr(unsafe.Pointer(s)))}
	_, err := bpf(cmd, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(&key)
	runtime.KeepAlive(s)
	if err != nil {
		return fmt.Errorf("bpf: map: %w", err)
	}
	return nil
}

// loadXDP loads an XDP program and returns its descriptor.
func loadXDP(insns []byte) (int, error) {
	license := []byte("GPL\x00")
	attr := struct {
		typ, count         uint32
		insns, license     uint64
		logLevel, logSize  uint32
		logBuf             uint64
		kernVersion, flags uint32
		name               [16]byte
		ifindex, attach    uint32
	}{
		typ:     unix.BPF_PROG_TYPE_XDP,
		count:   uint32(len(insns) / 8),
		insns:   pointer(insns),
		license: pointer(license),
		attach:  unix.BPF_XDP,
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(insns)
	runtime.KeepAlive(license)
	if err != nil {
		return 0, fmt.Errorf("bpf: load an XDP program: %w", err)
	}
	return fd, nil
}

// attachXDP runs a program in the driver of an interface, until the descriptor
// that it returns is closed.
func attachXDP(prog, index int) (int, error) {
	attr := struct{ prog, ifindex, attach, flags uint32 }{uint32(prog), uint32(index), unix.BPF_XDP, unix.XDP_FLAGS_DRV_MODE}
	fd, err := bpf(unix.BPF_LINK_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return 0, fmt.Errorf("bpf: attach an XDP program: %w", err)
	}
	return fd, nil
}

// runLive runs an XDP program over n copies of frame and does with them what it
// says. The copies have index as the interface that received them, which must
// have XDP at work; 0 is the loopback. A signal to the thread ends it.
//
// Kernel documentation, bpf/bpf_prog_run.rst; since Linux 5.18.
func runLive(prog, index int, frame []byte, n int) error {
	ctx := make([]byte, 24) // struct xdp_md
	binary.NativeEndian.PutUint32(ctx[4:], uint32(len(frame)))
	binary.NativeEndian.PutUint32(ctx[12:], uint32(index))
	attr := struct {
		prog, retval     uint32
		dataIn, dataOut  uint32
		in, out          uint64
		repeat, duration uint32
		ctxIn, ctxOut    uint32
		ctx, ctxTo       uint64
		flags, cpu       uint32
		batch, _         uint32
	}{
		prog:   uint32(prog),
		dataIn: uint32(len(frame)),
		in:     pointer(frame),
		repeat: uint32(n),
		flags:  unix.BPF_F_TEST_XDP_LIVE_FRAMES,
		batch:  64,
	}
	if index != 0 {
		attr.ctxIn, attr.ctx = uint32(len(ctx)), pointer(ctx)
	}
	_, err := bpf(unix.BPF_PROG_TEST_RUN, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(frame)
	runtime.KeepAlive(ctx)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("bpf: run an XDP program over live frames (Linux 5.18 has it): %w", err)
	}
	return nil
}
