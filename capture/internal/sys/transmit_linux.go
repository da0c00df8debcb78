package sys

import (
	"os"
	"slices"
	"sync"
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
	if !t.d.acquire() {
		return os.ErrClosed
	}
	err := sendTo(t.d.fd, b)
	t.d.release()
	if err == unix.EAGAIN {
		return t.sendWaiting(b)
	}
	return os.NewSyscallError("send", err)
}

// sendWaiting is Send for a socket whose buffer is full. It is apart, for it
// allocates.
func (t *Transmitter) sendWaiting(b []byte) error {
	var err error
	if werr := t.wait(func(fd uintptr) bool {
		err = sendTo(int(fd), b)
		return err != unix.EAGAIN
	}); werr != nil {
		return werr
	}
	return os.NewSyscallError("send", err)
}

// sendTo sends without waiting. The runtime is not told of the system call: it
// does not block, and telling costs more than a tenth of what it takes.
func sendTo(fd int, b []byte) error {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
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
	msgs  *Messages
	ready func(fd uintptr) bool // made once, so that a wait does not allocate

	// Of the call that is going on; written by ready.
	at, to int
	err    error
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
		b.msgs = NewMessages(maxBatch)
		b.ready = b.send
	}
	for sent := 0; sent < len(frames); {
		part := frames[sent:]
		part = part[:min(len(part), maxBatch)]
		for i, f := range part {
			b.msgs.SetSend(i, 0, f)
		}
		b.at, b.to, b.err = 0, len(part), nil
		err := t.sendPart()
		b.msgs.Forget(len(part))
		sent += b.at
		switch {
		case err != nil:
			return sent, err
		case b.err != nil:
			return sent, os.NewSyscallError("sendmmsg", b.err)
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
// is full.
func (b *batch) send(fd uintptr) bool {
	for b.at < b.to {
		n, err := SendMmsg(int(fd), b.msgs, b.at, b.to, 0)
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			b.err = err
			return true
		}
		b.at += n
	}
	return true
}
