package sys

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxBatch is how many frames go into one sendmmsg(2).
const maxBatch = 64

// A Transmitter is an AF_PACKET socket that sends on one interface and receives
// nothing. Its methods may be called at any time by anyone. Where there is none,
// because frames have no header of their own, nil says so: [ErrNoHeader].
type Transmitter struct {
	d     descriptor
	batch batch

	mu      sync.Mutex
	waiting []*waiter
	closed  bool
}

// OpenTransmitter makes a socket that is bound to an interface.
func OpenTransmitter(ifindex int, name string) (*Transmitter, error) {
	// Protocol 0: it receives nothing.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifindex}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return &Transmitter{d: descriptor{fd: fd, name: name}}, nil
}

// Send transmits one frame, and waits for room where there is none.
func (t *Transmitter) Send(b []byte) error {
	if t == nil {
		return ErrNoHeader
	}
	o := Outlet{t: t, explain: asItIs}
	return o.Send(b)
}

func asItIs(err error, _ int) error { return err }

// An Outlet sends by a Transmitter, frame by frame, with as little as possible
// between a program and the system call. That is what it costs more than in C,
// returns above all: while it works, the kernel makes the processor forget where
// they go.
type Outlet struct {
	t       *Transmitter
	explain func(err error, size int) error
}

// Outlet returns an Outlet. explain makes of an error, and the size of the frame,
// what Send returns.
func (t *Transmitter) Outlet(explain func(err error, size int) error) *Outlet {
	return &Outlet{t, explain}
}

// Send is that of the Transmitter, except for its errors.
func (o *Outlet) Send(b []byte) error {
	d := &o.t.d
	if !d.acquire() {
		return o.explain(os.ErrClosed, len(b))
	}
	_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(d.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	d.release()
	if errno == 0 {
		return nil
	}
	return o.sendAgain(b, errno)
}

// sendAgain is Send after a first attempt. It is apart, for it allocates.
func (o *Outlet) sendAgain(b []byte, errno syscall.Errno) error {
	if err := o.t.sendAgain(b, errno); err != nil {
		return o.explain(err, len(b))
	}
	return nil
}

// sendAgain sends after a first attempt has failed with errno.
func (t *Transmitter) sendAgain(b []byte, errno syscall.Errno) error {
	if errno == unix.EAGAIN || errno == unix.EINTR {
		if err := t.wait(func(fd uintptr) bool {
			errno = sendTo(int(fd), b)
			return errno != unix.EAGAIN
		}); err != nil || errno == 0 {
			return err
		}
	}
	return os.NewSyscallError("send", errno)
}

// sendTo sends without waiting, and returns 0 when it could. The runtime is not
// told of the system call: it does not block, and telling costs more than a tenth
// of what it takes. (x/sys would be one more call on the way.)
func sendTo(fd int, b []byte) syscall.Errno {
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// wait calls try whenever the socket may have room, until it returns true. It
// waits on a descriptor of its own, so that the poller forgets the socket again.
func (t *Transmitter) wait(try func(fd uintptr) bool) error {
	w, err := t.join()
	if err != nil {
		return err
	}
	err = waitError(w.raw.Write(try))
	t.leave(w)
	w.f.Close()
	return err
}

// join returns another descriptor, which Close closes.
func (t *Transmitter) join() (*waiter, error) {
	if !t.d.acquire() {
		return nil, os.ErrClosed
	}
	defer t.d.release()
	w, err := t.d.dup()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		w.f.Close()
		return nil, os.ErrClosed
	}
	t.waiting = append(t.waiting, w)
	return w, nil
}

// leave undoes what join did.
func (t *Transmitter) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
}

// Close closes the socket and ends all waits.
func (t *Transmitter) Close() error {
	t.mu.Lock()
	t.closed = true
	for _, w := range t.waiting {
		w.f.Close()
	}
	t.mu.Unlock()
	return t.d.close()
}

// batch is what SendBatch needs. One runs at a time; others wait for it.
type batch struct {
	mu    sync.Mutex
	msgs  *sendMessages
	ready func(fd uintptr) bool // made once, so that a wait does not allocate

	// Of the call that is going on; written by ready.
	at, to int
	errno  syscall.Errno
}

// sendMessages is what sendmmsg(2) works on: messages of one piece, without an
// address. All of it that changes is close together.
type sendMessages struct {
	hdrs [maxBatch]unix.Mmsghdr
	iovs [maxBatch]unix.Iovec
}

func newSendMessages() *sendMessages {
	m := new(sendMessages)
	for i := range m.hdrs {
		h := &m.hdrs[i].Hdr
		h.Iov = &m.iovs[i]
		h.SetIovlen(1)
	}
	return m
}

// SendBatch transmits frames in order, with a system call for up to 64 of them,
// and returns how many went out, and why the next one did not.
func (t *Transmitter) SendBatch(frames [][]byte) (int, error) {
	switch {
	case len(frames) == 0:
		return 0, nil
	case t == nil:
		return 0, ErrNoHeader
	}
	b := &t.batch
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.msgs == nil {
		b.msgs = newSendMessages()
		b.ready = b.send
	}
	for sent := 0; sent < len(frames); {
		part := frames[sent:]
		part = part[:min(len(part), maxBatch)]
		for i, f := range part {
			v := &b.msgs.iovs[i]
			v.Base = unsafe.SliceData(f)
			v.SetLen(len(f))
		}
		b.at, b.to, b.errno = 0, len(part), 0
		err := t.sendPart()
		clear(b.msgs.iovs[:len(part)])
		sent += b.at
		switch {
		case err != nil:
			return sent, err
		case b.errno != 0:
			return sent, os.NewSyscallError("sendmmsg", b.errno)
		}
	}
	return len(frames), nil
}

// sendPart sends what is in the batch, and waits where there is no room.
func (t *Transmitter) sendPart() error {
	if !t.d.acquire() {
		return os.ErrClosed
	}
	done := t.batch.send(uintptr(t.d.fd))
	t.d.release()
	if done {
		return nil
	}
	return t.wait(t.batch.ready)
}

// send sends what is left of a part. It reports false when the socket's buffer
// is full. The runtime is not told, as by sendTo: a call that lasts, as this one
// may, would make it hand the processor over to another thread, and there are at
// most 64 frames.
func (b *batch) send(fd uintptr) bool {
	for b.at < b.to {
		h := b.msgs.hdrs[b.at:b.to]
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&h[0])), uintptr(len(h)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.at += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			b.errno = errno
			return true
		}
	}
	return true
}
