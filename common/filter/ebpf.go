package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// EBPFInstruction is an instruction of extended BPF, struct bpf_insn of
// linux/bpf.h; see RFC 9669.
type EBPFInstruction struct {
	Op       uint8
	Dst, Src uint8 // numbers of registers
	Off      int16
	Imm      int32
}

// EBPF is a program of extended BPF.
type EBPF []EBPFInstruction

// AppendTo appends the program as the kernel of a machine with the given byte
// order wants it for BPF_PROG_LOAD, 8 bytes for each instruction. The order is
// [binary.NativeEndian] for this machine.
func (p EBPF) AppendTo(b []byte, order binary.ByteOrder) []byte {
	// The two registers are bit fields of one byte, which compilers lay out by
	// byte order.
	big := order.Uint16([]byte{0, 1}) == 1
	for _, in := range p {
		registers := in.Src<<4 | in.Dst&0xf
		if big {
			registers = in.Dst<<4 | in.Src&0xf
		}
		var raw [8]byte
		raw[0], raw[1] = in.Op, registers
		order.PutUint16(raw[2:], uint16(in.Off))
		order.PutUint32(raw[4:], uint32(in.Imm))
		b = append(b, raw[:]...)
	}
	return b
}

// XDPAction is what a program tells the XDP hook to do with a packet: enum
// xdp_action of linux/bpf.h.
type XDPAction uint32

// The actions.
const (
	XDPAborted XDPAction = iota
	XDPDrop
	XDPPass
	XDPTx
	XDPRedirect
)

// XDPOptions says what [Program.XDP] makes.
type XDPOptions struct {
	// Accept and Reject are what is done with packets that the program accepts
	// and rejects. Their zero value is [XDPAborted], which drops a packet and
	// counts it as an error.
	Accept, Reject XDPAction
	// Sockets, if it is not 0, is the descriptor of a map of AF_XDP sockets by
	// queue, BPF_MAP_TYPE_XSKMAP. Accepted packets go to the socket of the queue
	// that received them, and where there is none, Accept is done with them.
	Sockets int
	// MAC is the address of the interface, by which a program that asks for
	// the packet type tells packets to this host from those to others.
	MAC link.MacAddr
	// Frags says that the program is loaded with BPF_F_XDP_HAS_FRAGS, for frames
	// that may lie in more than one piece of memory. All of a frame is reached by
	// helpers of the kernel then, which is slower, and wants Linux 5.18.
	Frags bool
}

// ErrXDP is what the error of [Program.XDP] wraps for a program that cannot be
// translated.
var ErrXDP = errors.New("cannot be translated for XDP")

// XDP translates the program to extended BPF for the XDP hook of Linux. It
// says what to do with a packet, not how much of it to keep. Programs mean what
// they mean as filters of a socket, but see a frame as it lies in memory, which
// is not yet cut from a tag: there is no VLAN tag besides the frame's bytes.
// Frames are received ones, at the start of an Ethernet header. A load from an
// offset that counts from the network header is out of the packet, as in
// [VM.RunFrame].
//
// The program is one that [Program.ValidateLinux] accepts. It may ask for the
// protocol, the packet type, the interface, the queue, the hardware type, the
// VLAN tag and the mark, of which the last two are 0; the error of one that
// asks for more is a [*ProgramError] that wraps [ErrMetadata]. A translation
// too long for the jumps of extended BPF wraps [ErrXDP].
//
// The kernel has to be Linux 5.1 or later, and to let the process work with
// pointers, CAP_PERFMON, if the program asks for the length. With o.Frags it
// need not do that.
func (p Program) XDP(o XDPOptions) (EBPF, error) {
	if err := p.ValidateLinux(); err != nil {
		return nil, err
	}
	t := translator{o: o, p: p, places: make([]int, len(p)+2)}
	if err := t.translate(); err != nil {
		return nil, err
	}
	return t.out, nil
}

// Registers of translated programs. A and X survive calls.
const (
	ebpfR0    = 0
	ebpfR1    = 1
	ebpfR2    = 2
	ebpfR3    = 3
	ebpfR4    = 4
	ebpfR5    = 5
	ebpfCtx   = 6
	ebpfA     = 7
	ebpfX     = 8
	ebpfStack = 10
)

// Parts of the operation codes of extended BPF beyond those of classic BPF.
const (
	ebpfJump32 = 0x06
	ebpfALU64  = 0x07
	ebpfDouble = 0x18
	ebpfMem    = 0x60
	ebpfMov    = 0xb0
	ebpfEnd    = 0xd0 // byte order; with srcX: from big endian
	ebpfNe     = 0x50
	ebpfCall   = 0x80
	ebpfExit   = 0x90
	ebpfImm64  = 0x18 // BPF_LD | BPF_IMM | BPF_DW
	ebpfPseudo = 1    // BPF_PSEUDO_MAP_FD

	// Functions of the kernel, BPF_FUNC_* of linux/bpf.h.
	ebpfRedirect = 51  // bpf_redirect_map
	ebpfLength   = 188 // bpf_xdp_get_buff_len
	ebpfBytes    = 189 // bpf_xdp_load_bytes
)

// Offsets within struct xdp_md of linux/bpf.h.
const (
	xdpData      = 0
	xdpDataEnd   = 4
	xdpInterface = 12
	xdpQueue     = 16
)

// xdpFrame is more than the length of a frame in one piece, and as far as the
// verifier lets a pointer go: MAX_PACKET_OFF, less than what is loaded.
const xdpFrame = 1<<16 - 8

// scratchAt is where the memory M[] lies, from the end of the stack.
const scratchAt = -4 * scratchWords

// bytesAt is where what [translator.fetch] has copied lies, from the end of the
// stack.
const bytesAt = scratchAt - 8

// translator translates one program.
type translator struct {
	o   XDPOptions
	p   Program
	out EBPF
	// places says where each classic instruction begins, and behind them where
	// packets are accepted and rejected.
	places []int
	jumps  []ebpfJump
}

// ebpfJump is a jump in out that goes to a place.
type ebpfJump struct{ at, to int }

func (t *translator) accept() int { return len(t.p) }
func (t *translator) reject() int { return len(t.p) + 1 }

func (t *translator) add(op, dst, src uint8, off int16, imm int32) {
	t.out = append(t.out, EBPFInstruction{op, dst, src, off, imm})
}

// load loads from memory: size as in classic BPF, or ebpfDouble.
func (t *translator) load(size, dst, src uint8, off int16) {
	t.add(classLDX|ebpfMem|size, dst, src, off, 0)
}

// alu computes in 32 bits, so that the upper half becomes zero.
func (t *translator) alu(op, dst, src uint8)         { t.add(classALU|srcX|op, dst, src, 0, 0) }
func (t *translator) aluK(op, dst uint8, k uint32)   { t.add(classALU|op, dst, 0, 0, int32(k)) }
func (t *translator) alu64(op, dst, src uint8)       { t.add(ebpfALU64|srcX|op, dst, src, 0, 0) }
func (t *translator) alu64K(op, dst uint8, k uint32) { t.add(ebpfALU64|op, dst, 0, 0, int32(k)) }

// goTo jumps to a place.
func (t *translator) goTo(to int) {
	t.jumps = append(t.jumps, ebpfJump{len(t.out), to})
	t.add(classJump|jmpJA, 0, 0, 0, 0)
}

// ifK jumps to a place by a comparison of 32 bits with a constant.
func (t *translator) ifK(cond, dst uint8, k uint32, to int) {
	t.jumps = append(t.jumps, ebpfJump{len(t.out), to})
	t.add(ebpfJump32|cond, dst, 0, 0, int32(k))
}

func (t *translator) translate() error {
	t.alu64(ebpfMov, ebpfCtx, ebpfR1)
	t.aluK(ebpfMov, ebpfA, 0)
	t.aluK(ebpfMov, ebpfX, 0)
	// The verifier refuses what nothing reaches.
	reached := make([]bool, len(t.places))
	reached[0] = true
	reach := func(to int) int {
		reached[to] = true
		return to
	}
	for i, in := range t.p {
		t.places[i] = len(t.out)
		if !reached[i] {
			continue
		}
		yes, no, isJump := jumps(i, in)
		switch {
		case isJump && yes == no:
			t.goTo(reach(yes))
		case isJump && in.Op&srcX != 0:
			t.jumps = append(t.jumps, ebpfJump{len(t.out), reach(yes)})
			t.add(ebpfJump32|srcX|uint8(in.Op&opMask), ebpfA, ebpfX, 0, 0)
			t.goTo(reach(no))
		case isJump:
			t.ifK(uint8(in.Op&opMask), ebpfA, in.K, reach(yes))
			t.goTo(reach(no))
		case in.Op == classRet && in.K != 0:
			t.goTo(reach(t.accept()))
		case in.Op == classRet:
			t.goTo(reach(t.reject()))
		case in.Op == classRet|retA:
			t.ifK(ebpfNe, ebpfA, 0, reach(t.accept()))
			t.goTo(reach(t.reject()))
		default:
			rejects, err := t.step(in)
			if err != nil {
				return &ProgramError{i, in, err}
			}
			if rejects {
				reach(t.reject())
			}
			reach(i + 1)
		}
	}
	t.places[t.accept()] = len(t.out)
	if reached[t.accept()] {
		t.finish()
	}
	t.places[t.reject()] = len(t.out)
	if reached[t.reject()] {
		t.aluK(ebpfMov, ebpfR0, uint32(t.o.Reject))
		t.add(classJump|ebpfExit, 0, 0, 0, 0)
	}
	for _, j := range t.jumps {
		off := t.places[j.to] - j.at - 1
		if off > math.MaxInt16 {
			return fmt.Errorf("filter: program of %d instructions: %w: a jump over %d instructions, limit %d", len(t.p), ErrXDP, off, math.MaxInt16)
		}
		t.out[j.at].Off = int16(off)
	}
	return nil
}

// finish does with a packet what is done with accepted ones.
func (t *translator) finish() {
	if t.o.Sockets == 0 {
		t.aluK(ebpfMov, ebpfR0, uint32(t.o.Accept))
	} else {
		// bpf_redirect_map returns its flags where the map has no socket.
		t.load(sizeW, ebpfR2, ebpfCtx, xdpQueue)
		t.add(ebpfImm64, ebpfR1, ebpfPseudo, 0, int32(t.o.Sockets))
		t.add(0, 0, 0, 0, 0)
		t.aluK(ebpfMov, ebpfR3, uint32(t.o.Accept))
		t.add(classJump|ebpfCall, 0, 0, 0, ebpfRedirect)
	}
	t.add(classJump|ebpfExit, 0, 0, 0, 0)
}

// step translates an instruction that neither jumps nor returns, and says
// whether it can reject.
func (t *translator) step(in bpf.RawInstruction) (rejects bool, err error) {
	size := uint8(in.Op & sizeMask)
	switch in.Op & classMask {
	case classST:
		t.add(classSTX|ebpfMem, ebpfStack, ebpfA, int16(scratchAt+4*int(in.K)), 0)
		return false, nil
	case classSTX:
		t.add(classSTX|ebpfMem, ebpfStack, ebpfX, int16(scratchAt+4*int(in.K)), 0)
		return false, nil
	case classMisc:
		if in.Op == classMisc|tax {
			t.alu(ebpfMov, ebpfX, ebpfA)
		} else {
			t.alu(ebpfMov, ebpfA, ebpfX)
		}
		return false, nil
	case classALU:
		return t.arithmetic(in), nil
	}
	dst := uint8(ebpfA)
	if in.Op&classMask == classLDX {
		dst = ebpfX
	}
	switch in.Op & modeMask {
	case modeImm:
		t.aluK(ebpfMov, dst, in.K)
	case modeMem:
		t.load(sizeW, dst, ebpfStack, int16(scratchAt+4*int(in.K)))
	case modeLen:
		if t.o.Frags {
			t.alu64(ebpfMov, ebpfR1, ebpfCtx)
			t.add(classJump|ebpfCall, 0, 0, 0, ebpfLength)
			t.alu(ebpfMov, dst, ebpfR0)
			break
		}
		t.load(sizeW, ebpfR2, ebpfCtx, xdpData)
		t.load(sizeW, dst, ebpfCtx, xdpDataEnd)
		t.alu64(aluSub, dst, ebpfR2)
	case modeInd:
		t.alu(ebpfMov, ebpfR4, ebpfX)
		t.aluK(aluAdd, ebpfR4, in.K)
		t.packet(dst, size)
		return true, nil
	case modeMSH:
		t.packetAt(dst, sizeB, in.K)
		t.aluK(aluAnd, dst, 0xf)
		t.aluK(aluLsh, dst, 2)
		return true, nil
	case modeAbs:
		if in.K >= ancillary {
			return t.metadata(in.K - ancillary)
		}
		t.packetAt(dst, size, in.K)
		return true, nil
	}
	return false, nil
}

func (t *translator) arithmetic(in bpf.RawInstruction) (rejects bool) {
	op := uint8(in.Op & opMask)
	switch {
	case op == aluNeg:
		t.aluK(aluNeg, ebpfA, 0)
	case in.Op&srcX == 0:
		t.aluK(op, ebpfA, in.K)
	case op == aluDiv || op == aluMod:
		t.ifK(jmpJEQ, ebpfX, 0, t.reject())
		t.alu(op, ebpfA, ebpfX)
		return true
	default:
		// A shift takes the lowest five bits, as that of classic BPF in the
		// kernel.
		t.alu(op, ebpfA, ebpfX)
	}
	return false
}

// packetAt loads from a constant offset.
func (t *translator) packetAt(dst, size uint8, off uint32) {
	if t.o.Frags || off > math.MaxInt16-4 {
		t.aluK(ebpfMov, ebpfR4, off)
		t.packet(dst, size)
		return
	}
	t.load(sizeW, ebpfR2, ebpfCtx, xdpData)
	t.load(sizeW, ebpfR3, ebpfCtx, xdpDataEnd)
	t.reach(off + width(size))
	t.load(size, dst, ebpfR2, int16(off))
	t.fromBig(dst, size)
}

// packet loads from the offset in R4, of which the upper half is zero.
func (t *translator) packet(dst, size uint8) {
	if t.o.Frags {
		t.fetch(width(size))
		t.ifK(ebpfNe, ebpfR0, 0, t.reject())
		t.load(size, dst, ebpfStack, bytesAt)
		t.fromBig(dst, size)
		return
	}
	t.jumps = append(t.jumps, ebpfJump{len(t.out), t.reject()})
	t.add(classJump|jmpJGT, ebpfR4, 0, 0, xdpFrame)
	t.load(sizeW, ebpfR2, ebpfCtx, xdpData)
	t.load(sizeW, ebpfR3, ebpfCtx, xdpDataEnd)
	t.alu64(aluAdd, ebpfR2, ebpfR4)
	t.reach(width(size))
	t.load(size, dst, ebpfR2, 0)
	t.fromBig(dst, size)
}

// fetch copies n bytes from the offset in R4 to the stack, and sets R0 to 0 if
// there are as many.
func (t *translator) fetch(n uint32) {
	at := int32(bytesAt)
	t.alu64(ebpfMov, ebpfR1, ebpfCtx)
	t.alu(ebpfMov, ebpfR2, ebpfR4)
	t.alu64(ebpfMov, ebpfR3, ebpfStack)
	t.alu64K(aluAdd, ebpfR3, uint32(at))
	t.aluK(ebpfMov, ebpfR4, n)
	t.add(classJump|ebpfCall, 0, 0, 0, ebpfBytes)
}

// width returns how many bytes a load loads.
func width(size uint8) uint32 {
	switch size {
	case sizeH:
		return 2
	case sizeB:
		return 1
	}
	return 4
}

// fromBig makes of what was loaded in network order the number it stands for.
func (t *translator) fromBig(dst, size uint8) {
	if size != sizeB {
		t.add(classALU|ebpfEnd|srcX, dst, 0, 0, int32(8*width(size)))
	}
}

// reach rejects the packet if there are fewer than n bytes from R2, which
// points into it, to R3, which is its end.
func (t *translator) reach(n uint32) {
	t.alu64(ebpfMov, ebpfR5, ebpfR2)
	t.alu64K(aluAdd, ebpfR5, n)
	t.jumps = append(t.jumps, ebpfJump{len(t.out), t.reject()})
	t.add(classJump|srcX|jmpJGT, ebpfR5, ebpfR3, 0, 0)
}

func (t *translator) metadata(distance uint32) (rejects bool, err error) {
	switch distance {
	case adProtocol:
		t.protocol()
		return true, nil
	case adPacketType:
		t.packetType()
		return true, nil
	case adInterface:
		t.load(sizeW, ebpfA, ebpfCtx, xdpInterface)
	case adQueue:
		t.load(sizeW, ebpfA, ebpfCtx, xdpQueue)
	case adHardware:
		t.aluK(ebpfMov, ebpfA, 1) // ARPHRD_ETHER
	case adMark, adVLANTCI, adVLANPresent, adVLANTPID:
		t.aluK(ebpfMov, ebpfA, 0)
	case adXorX:
		t.alu(aluXor, ebpfA, ebpfX)
	default:
		return false, ErrMetadata
	}
	return false, nil
}

// skip sets the offset of jump at, so that it leads here.
func (t *translator) skip(at int) { t.out[at].Off = int16(len(t.out) - at - 1) }

// forward adds a jump whose offset skip sets later.
func (t *translator) forward(op, dst, src uint8, imm uint32) (at int) {
	t.add(op, dst, src, 0, int32(imm))
	return len(t.out) - 1
}

// protocol loads what eth_type_trans of the kernel says of the frame.
func (t *translator) protocol() {
	t.packetAt(ebpfA, sizeH, 12)
	ethernet := t.forward(ebpfJump32|jmpJGE, ebpfA, 0, 0x0600)
	t.aluK(ebpfMov, ebpfA, protocol8022)
	var short int
	if t.o.Frags {
		t.aluK(ebpfMov, ebpfR4, 14)
		t.fetch(2)
		short = t.forward(ebpfJump32|ebpfNe, ebpfR0, 0, 0)
		t.load(sizeH, ebpfR4, ebpfStack, bytesAt)
	} else {
		t.load(sizeW, ebpfR2, ebpfCtx, xdpData)
		t.alu64(ebpfMov, ebpfR5, ebpfR2)
		t.alu64K(aluAdd, ebpfR5, 16)
		short = t.forward(classJump|srcX|jmpJGT, ebpfR5, ebpfR3, 0)
		t.load(sizeH, ebpfR4, ebpfR2, 14)
	}
	llc := t.forward(ebpfJump32|ebpfNe, ebpfR4, 0, 0xffff)
	t.aluK(ebpfMov, ebpfA, protocol8023)
	for _, at := range [...]int{ethernet, short, llc} {
		t.skip(at)
	}
}

// packetType loads PACKET_* of linux/if_packet.h, as eth_type_trans of the
// kernel finds it.
func (t *translator) packetType() {
	from, at := uint8(ebpfR2), 0
	if t.o.Frags {
		t.aluK(ebpfMov, ebpfR4, 0)
		t.fetch(6)
		t.ifK(ebpfNe, ebpfR0, 0, t.reject())
		from, at = ebpfStack, bytesAt
	} else {
		t.load(sizeW, ebpfR2, ebpfCtx, xdpData)
		t.load(sizeW, ebpfR3, ebpfCtx, xdpDataEnd)
		t.reach(6)
	}
	mac := t.o.MAC
	for i, dst := range [...]uint8{ebpfR3, ebpfR4, ebpfR5} {
		t.load(sizeH, dst, from, int16(at+2*i))
		t.add(classALU|ebpfEnd|srcX, dst, 0, 0, 16)
	}
	t.aluK(ebpfMov, ebpfA, 0) // PACKET_HOST
	ne1 := t.forward(ebpfJump32|ebpfNe, ebpfR3, 0, uint32(mac[0])<<8|uint32(mac[1]))
	ne2 := t.forward(ebpfJump32|ebpfNe, ebpfR4, 0, uint32(mac[2])<<8|uint32(mac[3]))
	here := t.forward(ebpfJump32|jmpJEQ, ebpfR5, 0, uint32(mac[4])<<8|uint32(mac[5]))
	t.skip(ne1)
	t.skip(ne2)
	t.aluK(ebpfMov, ebpfA, 3) // PACKET_OTHERHOST
	group := t.forward(ebpfJump32|jmpJSET, ebpfR3, 0, 0x0100)
	foreign := t.forward(classJump|jmpJA, 0, 0, 0)
	t.skip(group)
	t.aluK(ebpfMov, ebpfA, 2) // PACKET_MULTICAST
	t.alu(aluAnd, ebpfR3, ebpfR4)
	t.alu(aluAnd, ebpfR3, ebpfR5)
	multicast := t.forward(ebpfJump32|ebpfNe, ebpfR3, 0, 0xffff)
	t.aluK(ebpfMov, ebpfA, 1) // PACKET_BROADCAST
	for _, at := range [...]int{here, foreign, multicast} {
		t.skip(at)
	}
}
