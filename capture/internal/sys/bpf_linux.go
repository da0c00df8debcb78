package sys

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/sys/unix"
)

// The parts of union bpf_attr of linux/bpf.h. Pointers are 64 bits wide on
// every machine, and 64-bit fields lie at multiples of 8. What stays zero has no
// name.
type (
	bpfMapCreate struct {
		mapType, keySize, valueSize, maxEntries, flags uint32
	}
	bpfMapElem struct {
		mapFD      uint32
		_          uint32
		key, value uint64
		_          uint64
	}
	bpfProgLoad struct {
		progType, insnCount uint32
		insns, license      uint64
		logLevel, logSize   uint32
		logBuf              uint64
		_, flags            uint32
		name                [16]byte
	}
	bpfTestRun struct {
		progFD, retval          uint32
		dataSizeIn, dataSizeOut uint32
		dataIn, dataOut         uint64
		repeat, _               uint32
		_                       [6]uint32 // the sizes and addresses of a context
		flags, _, batchSize     uint32
		_                       uint32
	}
	bpfLinkCreate struct {
		progFD, ifindex, attachType, flags uint32
		_                                  [32]byte
	}
)

// bpfCall is bpf(2).
func bpfCall[T any](cmd uintptr, attr *T) (int, error) {
	for {
		r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
		switch {
		case errno == 0:
			return int(r), nil
		case errno == unix.EINTR || errno == unix.EAGAIN && cmd == unix.BPF_PROG_LOAD:
			// The verifier gives up for a signal, such as those by which the
			// runtime preempts goroutines.
			continue
		}
		return -1, errno
	}
}

// pin returns where b lies, for as long as p pins it.
func pin(p *runtime.Pinner, b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	p.Pin(&b[0])
	return uint64(uintptr(unsafe.Pointer(&b[0])))
}

// BPFMap is a map of which keys and values are 32-bit words.
type BPFMap struct{ fd int }

// NewXSKMap makes a BPF_MAP_TYPE_XSKMAP: AF_XDP sockets by queue.
func NewXSKMap(n int) (*BPFMap, error) { return newBPFMap(unix.BPF_MAP_TYPE_XSKMAP, n, 0) }

// NewProgramMap makes a BPF_MAP_TYPE_PROG_ARRAY: programs for tail calls.
func NewProgramMap(n int) (*BPFMap, error) { return newBPFMap(unix.BPF_MAP_TYPE_PROG_ARRAY, n, 0) }

// NewDeviceMap makes a BPF_MAP_TYPE_DEVMAP: indices of interfaces.
func NewDeviceMap(n int) (*BPFMap, error) { return newBPFMap(unix.BPF_MAP_TYPE_DEVMAP, n, 0) }

func newBPFMap(typ uint32, n int, flags uint32) (*BPFMap, error) {
	fd, err := bpfCall(unix.BPF_MAP_CREATE, &bpfMapCreate{mapType: typ, keySize: 4, valueSize: 4, maxEntries: uint32(n), flags: flags})
	if err != nil {
		return nil, os.NewSyscallError("bpf BPF_MAP_CREATE", err)
	}
	return &BPFMap{fd}, nil
}

// FD returns the descriptor, which belongs to m.
func (m *BPFMap) FD() int { return m.fd }

// Set sets an element.
func (m *BPFMap) Set(key uint32, value int) error {
	k := binary.NativeEndian.AppendUint32(nil, key)
	v := binary.NativeEndian.AppendUint32(nil, uint32(value))
	var p runtime.Pinner
	defer p.Unpin()
	_, err := bpfCall(unix.BPF_MAP_UPDATE_ELEM, &bpfMapElem{mapFD: uint32(m.fd), key: pin(&p, k), value: pin(&p, v)})
	return os.NewSyscallError("bpf BPF_MAP_UPDATE_ELEM", err)
}

// Delete removes an element. It is no error when there is none.
func (m *BPFMap) Delete(key uint32) error {
	k := binary.NativeEndian.AppendUint32(nil, key)
	var p runtime.Pinner
	defer p.Unpin()
	_, err := bpfCall(unix.BPF_MAP_DELETE_ELEM, &bpfMapElem{mapFD: uint32(m.fd), key: pin(&p, k)})
	if err == unix.ENOENT {
		return nil
	}
	return os.NewSyscallError("bpf BPF_MAP_DELETE_ELEM", err)
}

// Freeze makes every later change by a program fail with EPERM.
func (m *BPFMap) Freeze() error {
	_, err := bpfCall(unix.BPF_MAP_FREEZE, &bpfMapElem{mapFD: uint32(m.fd)})
	return os.NewSyscallError("bpf BPF_MAP_FREEZE", err)
}

// Close closes the descriptor.
func (m *BPFMap) Close() error { return closeDescriptor(&m.fd) }

// BPFProgram is a loaded program.
type BPFProgram struct{ fd int }

// VerifierError is a program that the kernel's verifier did not accept.
type VerifierError struct {
	Err error  // from the system call
	Log string // what the verifier said
}

// Error returns the system call's error and the end of the log, where the
// reason is.
func (e *VerifierError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.Log), "\n")
	// The last line is statistics.
	if n := len(lines); n > 1 && strings.HasPrefix(lines[n-1], "processed ") {
		lines = lines[:n-1]
	}
	return e.Err.Error() + ": " + strings.Join(lines[max(0, len(lines)-2):], ": ")
}

func (e *VerifierError) Unwrap() error { return e.Err }

// Functions of the kernel that programs call: BPF_FUNC_* of linux/bpf.h.
const (
	bpfTailCall    = 12
	bpfRedirectMap = 51
)

// LoadXDP loads a program of the XDP type. frags says that it knows of frames in
// several pieces. The error is a [*VerifierError] when the verifier refuses it.
func LoadXDP(name string, prog filter.EBPF, frags bool) (*BPFProgram, error) {
	flags := uint32(0)
	if frags {
		flags = unix.BPF_F_XDP_HAS_FRAGS
	}
	return loadBPF(unix.BPF_PROG_TYPE_XDP, name, prog, flags)
}

func loadBPF(typ uint32, name string, prog filter.EBPF, flags uint32) (*BPFProgram, error) {
	code := prog.AppendTo(nil, binary.NativeEndian)
	var p runtime.Pinner
	defer p.Unpin()
	attr := &bpfProgLoad{
		progType:  typ,
		insnCount: uint32(len(prog)),
		insns:     pin(&p, code),
		// Some helpers are for programs under the GPL only; ours are not.
		license: pin(&p, []byte("MIT\x00")),
		flags:   flags,
	}
	copy(attr.name[:len(attr.name)-1], name)
	fd, err := bpfCall(unix.BPF_PROG_LOAD, attr)
	if err == nil {
		return &BPFProgram{fd}, nil
	}
	if err == unix.EPERM {
		return nil, os.NewSyscallError("bpf BPF_PROG_LOAD", err)
	}
	// Once more, for the reason: a log that is not wanted costs time.
	log := make([]byte, 1<<20)
	attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), pin(&p, log)
	fd, again := bpfCall(unix.BPF_PROG_LOAD, attr)
	if again == nil {
		return &BPFProgram{fd}, nil
	}
	return nil, &VerifierError{os.NewSyscallError("bpf BPF_PROG_LOAD", err), unix.ByteSliceToString(log)}
}

// FD returns the descriptor, which belongs to p.
func (p *BPFProgram) FD() int { return p.fd }

// Close closes the descriptor. The program stays where it is attached.
func (p *BPFProgram) Close() error { return closeDescriptor(&p.fd) }

// AttachXDP attaches the program to an interface, in the driver or else in
// generic code, and returns the link: the kernel detaches the program when the
// descriptor is closed, also when the process was killed.
func (p *BPFProgram) AttachXDP(index int, generic bool) (*BPFLink, error) {
	attr := &bpfLinkCreate{
		progFD:     uint32(p.fd),
		ifindex:    uint32(index),
		attachType: unix.BPF_XDP,
		flags:      unix.XDP_FLAGS_DRV_MODE,
	}
	if generic {
		attr.flags = unix.XDP_FLAGS_SKB_MODE
	}
	fd, err := bpfCall(unix.BPF_LINK_CREATE, attr)
	if err != nil {
		return nil, os.NewSyscallError("bpf BPF_LINK_CREATE", err)
	}
	return &BPFLink{fd}, nil
}

// BPFLink is a program at its place.
type BPFLink struct{ fd int }

// Close detaches the program.
func (l *BPFLink) Close() error { return closeDescriptor(&l.fd) }

// RunLive has the kernel run the program on repeat copies of frame, of at
// least 14 bytes, and do with each what it returns: BPF_PROG_TEST_RUN with
// BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18. batch is how many of them go at once,
// up to 256, and 0 for the kernel's choice, 64.
func (p *BPFProgram) RunLive(frame []byte, repeat, batch int) error {
	var pins runtime.Pinner
	defer pins.Unpin()
	_, err := bpfCall(unix.BPF_PROG_TEST_RUN, &bpfTestRun{
		progFD:     uint32(p.fd),
		dataSizeIn: uint32(len(frame)),
		dataIn:     pin(&pins, frame),
		repeat:     uint32(repeat),
		batchSize:  uint32(batch),
		flags:      unix.BPF_F_TEST_XDP_LIVE_FRAMES,
	})
	return os.NewSyscallError("bpf BPF_PROG_TEST_RUN", err)
}

// Run has the kernel run the program on a copy of frame and returns what the
// program returned, XDP_* of linux/bpf.h.
func (p *BPFProgram) Run(frame []byte) (uint32, error) {
	out := make([]byte, len(frame)+256)
	var pins runtime.Pinner
	defer pins.Unpin()
	attr := &bpfTestRun{
		progFD:      uint32(p.fd),
		dataSizeIn:  uint32(len(frame)),
		dataIn:      pin(&pins, frame),
		dataSizeOut: uint32(len(out)),
		dataOut:     pin(&pins, out),
		repeat:      1,
	}
	_, err := bpfCall(unix.BPF_PROG_TEST_RUN, attr)
	return attr.retval, os.NewSyscallError("bpf BPF_PROG_TEST_RUN", err)
}

// closeDescriptor closes a descriptor once.
func closeDescriptor(fd *int) error {
	if *fd < 0 {
		return os.ErrClosed
	}
	err := unix.Close(*fd)
	*fd = -1
	return os.NewSyscallError("close", err)
}

// notSupported reports whether an error of attaching or binding says that the
// driver cannot do it, so that something simpler is worth a try.
func notSupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, syscall.Errno(524)) || // ENOTSUPP of the kernel
		errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) || errors.Is(err, unix.E2BIG) ||
		errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM)
}
