package pcap

import (
	"io"
	"slices"
)

// writeBuffer is how many bytes a writer collects before it writes them.
const writeBuffer = 64 << 10

// output collects what is to be written. The first error of the underlying
// writer is final.
type output struct {
	w     io.Writer
	buf   []byte
	grows bool  // buf does, and nothing is written
	bytes int64 // accepted so far, written or not
	err   error
}

func newOutput(w io.Writer) output {
	return output{w: w, buf: make([]byte, 0, writeBuffer)}
}

// reserve returns the place for the next n bytes, for the caller to fill all of
// it at once, or nil if there is an error or n is more than the buffer holds.
func (o *output) reserve(n int) []byte {
	if o.grows {
		o.buf = slices.Grow(o.buf, n)
	}
	if len(o.buf)+n > cap(o.buf) && (n > cap(o.buf) || o.flush() != nil) || o.err != nil {
		return nil
	}
	return o.room(n)
}

// room is reserve for what fits into what is left of the buffer.
func (o *output) room(n int) []byte {
	at := len(o.buf)
	if n > cap(o.buf)-at || o.err != nil {
		return nil
	}
	o.buf = o.buf[:at+n]
	o.bytes += int64(n)
	return o.buf[at:]
}

// write takes p, past the buffer if p does not fit it.
func (o *output) write(p []byte) error {
	if b := o.reserve(len(p)); b != nil {
		copy(b, p)
		return nil
	}
	if o.flush() == nil {
		o.put(p)
		o.bytes += int64(len(p))
	}
	return o.err
}

// flush writes what is collected.
func (o *output) flush() error {
	if o.err == nil && len(o.buf) > 0 {
		o.put(o.buf)
		o.buf = o.buf[:0]
	}
	return o.err
}

func (o *output) put(p []byte) {
	n, err := o.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.err = err
}
