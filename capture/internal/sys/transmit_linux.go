package sys

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxBatch is how many frames go into one sendmmsg(2).
const maxBatch = 64

// A Batch sends many frames on an AF_PACKET socket that is bound to an
// interface, with a system call for up to 64 of them. The zero Batch is ready.
// One SendBatch runs at a time; others wait for it.
type Batch struct {
	mu    sync.Mutex
	msgs  *Messages
	ready func(fd uintptr) bool // made once, so that a wait does not allocate

	// Of the call that is going on; written by ready.
	at, to int
	err    error
}

// writer is what waits for a socket that may have become writable:
// syscall.RawConn and PacketSocket are.
type writer interface {
	Write(f func(fd uintptr) bool) error
}

// Send sends frames in order and returns how many went out, and why the next
// one did not.
func (b *Batch) Send(w writer, frames [][]byte) (int, error) {
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
		err := w.Write(b.ready)
		b.msgs.Forget(len(part))
		sent += b.at
		switch {
		case err != nil:
			return sent, os.ErrClosed // there is no deadline that could have passed
		case b.err != nil:
			return sent, os.NewSyscallError("sendmmsg", b.err)
		}
	}
	return len(frames), nil
}

// send sends what is left of a part. It reports false when the socket's buffer
// is full.
func (b *Batch) send(fd uintptr) bool {
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
