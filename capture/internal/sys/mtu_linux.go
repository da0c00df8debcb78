package sys

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/sys/unix"
)

// linkWatch tells, without a system call, whether something has happened to an
// interface of the namespace that it was opened in: a program on an rtnetlink
// socket counts what the kernel has to say, in memory that is mapped here, and
// throws it away. The kernel runs the program before it tells whoever has
// changed something that it is done.
type linkWatch struct {
	fd    int
	mem   *mapping
	count *uint32
}

// openLinkWatch wants Linux 5.5, and CAP_BPF unless everybody may load programs.
func openLinkWatch() (w *linkWatch, err error) {
	counter, err := newBPFMap(unix.BPF_MAP_TYPE_ARRAY, 1, unix.BPF_F_MMAPABLE)
	if err != nil {
		return nil, err
	}
	defer counter.Close()
	prog, err := loadBPF(unix.BPF_PROG_TYPE_SOCKET_FILTER, "gopkts_links", filter.EBPF{
		{Op: unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW, Dst: 1, Src: unix.BPF_PSEUDO_MAP_VALUE, Imm: int32(counter.FD())},
		{},
		{Op: unix.BPF_ALU | unix.BPF_MOV, Dst: 0, Imm: 1},
		{Op: unix.BPF_STX | unix.BPF_XADD | unix.BPF_W, Dst: 1, Src: 0},
		{Op: unix.BPF_ALU | unix.BPF_MOV, Dst: 0}, // nothing of the message
		{Op: unix.BPF_JMP | unix.BPF_EXIT},
	}, 0)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	w = &linkWatch{fd: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
			w = nil
		}
	}()
	page := uintptr(PageSize())
	at, err := unix.MmapPtr(counter.FD(), 0, nil, page, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return w, os.NewSyscallError("mmap", err)
	}
	w.mem, w.count = mapped(at, page), (*uint32)(at)
	if w.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE); err != nil {
		return w, os.NewSyscallError("socket AF_NETLINK", err)
	}
	if err := unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, prog.FD()); err != nil {
		return w, os.NewSyscallError("setsockopt SO_ATTACH_BPF", err)
	}
	err = unix.Bind(w.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK})
	return w, os.NewSyscallError("bind AF_NETLINK", err)
}

// changes is how much has happened.
func (w *linkWatch) changes() uint32 { return atomic.LoadUint32(w.count) }

func (w *linkWatch) close() error {
	var err error
	if w.fd >= 0 {
		err = closeDescriptor(&w.fd)
	}
	if w.mem != nil {
		w.mem.unmap()
	}
	return err
}

const vlanLen = 4

// mtuLimit is how long a frame may be that goes out on an interface.
type mtuLimit struct {
	fd    int // any socket in the interface's namespace
	index int
	now   int // by the MTU, when it was asked for last; without a VLAN tag

	watch *linkWatch // nil where there is none
	seen  uint32     // of its changes, before the MTU was asked for
	req   unix.Ifreq
}

func (m *mtuLimit) init(fd int, l *Link) {
	*m = mtuLimit{
		fd:    fd,
		index: l.Index,
		now:   l.MTU + etherLen,
	}
	var err error
	if m.watch, err = openLinkWatch(); err == nil {
		m.seen = m.watch.changes() - 1 // something may have happened since l was read
	} else {
		m.watch = nil // so the MTU is asked for each time
	}
}

// frame returns how long a frame may be now, without a VLAN tag.
func (m *mtuLimit) frame() int {
	if m.watch != nil {
		n := m.watch.changes()
		if n == m.seen {
			return m.now
		}
		m.seen = n
	}
	m.ask()
	return m.now
}

// ask asks for the MTU. The runtime is not told: the kernel looks something up
// and does not wait.
func (m *mtuLimit) ask() {
	// The name may have changed, and be another interface's.
	m.req.SetUint32(uint32(m.index))
	for _, request := range [...]uintptr{unix.SIOCGIFNAME, unix.SIOCGIFMTU} {
		_, _, errno := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(m.fd), request, uintptr(unsafe.Pointer(&m.req)))
		if errno != 0 {
			return // it is gone: whoever sends will be told
		}
	}
	m.now = int(m.req.Uint32()) + etherLen
}

func (m *mtuLimit) close() error {
	m.fd = -1 // another file may have its number
	if m.watch == nil {
		return nil
	}
	err := m.watch.close()
	m.watch = nil
	return err
}
