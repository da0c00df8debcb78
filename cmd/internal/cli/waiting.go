package cli

import (
	"context"
	"io"
	"os"
)

// untilDone returns r or, when that is a pipe, a terminal or the like, a reader
// that fails when ctx is done: closing such a file does not end a read that waits
// for more.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	f, ok := r.(*os.File)
	if !ok {
		return r
	}
	if st, err := f.Stat(); err != nil || st.Mode().IsRegular() {
		return r
	}
	return &waitingReader{ctx: ctx, r: f, done: make(chan waitingRead, 1), buf: make([]byte, 64<<10)}
}

// waitingReader reads in a goroutine of its own, which the end of the program
// ends when nothing else does.
type waitingReader struct {
	ctx     context.Context
	r       io.Reader
	buf     []byte // the goroutine's while it reads
	reading bool
	done    chan waitingRead
	have    []byte // what is left of buf
	err     error  // behind it
}

type waitingRead struct {
	n   int
	err error
}

func (w *waitingReader) Read(b []byte) (int, error) {
	for len(w.have) == 0 && w.err == nil {
		if !w.reading {
			w.reading = true
			go func() {
				n, err := w.r.Read(w.buf)
				w.done <- waitingRead{n, err}
			}()
		}
		select {
		case got := <-w.done:
			w.reading = false
			w.have, w.err = w.buf[:got.n], got.err
		case <-w.ctx.Done():
			return 0, w.ctx.Err()
		}
	}
	n := copy(b, w.have)
	w.have = w.have[n:]
	if n == 0 {
		return 0, w.err
	}
	return n, nil
}
