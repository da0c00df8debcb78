package cli

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// transfer takes the frames of capture files to an output: what read and defrag
// have in common.
type transfer struct {
	*app
	out     *output
	options []pcap.ReaderOption
	longer  bool // what comes out may be longer than what was captured

	in *input // the file that is read
}

// outputError is an error of the output, not of what is read.
type outputError struct{ error }

func (e outputError) Unwrap() error { return e.error }

// run reads one file after the other and closes the output. take is called for
// each frame, and end behind the last one of each file, also where damage ends it.
// A file that cannot be read is reported, and does not keep from the next.
func (t *transfer) run(ctx context.Context, files []string, take func(*link.Frame) error, end func() error) error {
	var failed error
	bar := newProgress(t.err)
	if !t.out.silent {
		bar.w = nil
	}
	for _, name := range files {
		if t.out.full() {
			break
		}
		err := t.file(ctx, name, bar, take, end)
		bar.done()
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[outputError](err); ok {
			failed = err
			break
		}
		if ctx.Err() != nil {
			break
		}
		// What was printed goes first, where both are one terminal.
		if ferr := t.out.flush(); ferr != nil {
			return ferr
		}
		if err != errReported {
			t.warn(fileError(name, err))
		}
		failed = errReported
	}
	if err := t.out.close(); err != nil && (failed == nil || failed == errReported) {
		failed = err
	}
	return failed
}

func (t *transfer) file(ctx context.Context, name string, bar *progress, take func(*link.Frame) error, end func() error) error {
	flush := func() error {
		if err := t.out.flush(); err != nil {
			return outputError{err}
		}
		return nil
	}
	// What -w created for one file may be the next, which was not there before.
	if err := t.keepsInputs([]string{name}, t.out); err != nil {
		return outputError{err}
	}
	var err error
	if t.in, err = t.open(name, flush, t.options...); err != nil {
		return err
	}
	defer t.in.Close()
	// An interrupt ends the wait for input, too.
	defer context.AfterFunc(ctx, func() { _ = t.in.Close() })()
	if !t.isPcapng() {
		if err := t.create(t.in.Link()); err != nil {
			return err
		}
	}
	var f link.Frame
	for n := 1; !t.out.full(); n++ {
		if err = t.in.Next(&f); err != nil {
			break
		}
		if err := take(&f); err != nil {
			return err
		}
		bar.step(name, n)
	}
	// What was read before damage comes out all the same.
	if err := end(); err != nil {
		return err
	}
	// The interfaces of the next file are others.
	t.out.base += max(1, len(t.in.Interfaces()))
	t.out.interfaces = max(t.out.interfaces, t.out.base)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n, bytes := t.in.Skipped(); n > 0 {
		t.skipped(name, n, bytes, t.in.Skips())
		return errReported
	}
	return nil
}

func (t *transfer) isPcapng() bool { return t.in.Format() == pcap.FormatPcapng }

// create creates the file of -w, if it is not there.
func (t *transfer) create(l link.Type) error {
	if err := t.out.create(l, t.in.Format() == pcap.FormatPcap); err != nil {
		return outputError{err}
	}
	return nil
}

// packetOptions returns the options of the last frame, if they are written.
func (t *transfer) packetOptions() pcap.PacketOptions {
	if t.out.flags.write == "" || !t.isPcapng() {
		return nil
	}
	// Options that are damaged are copied as far as they are good.
	options, _ := t.in.PacketOptions()
	return options
}

// accepts reports whether a frame is to come out.
func (t *transfer) accepts(ctx context.Context, f *link.Frame) (bool, error) {
	if t.out.filter == nil {
		return true, nil
	}
	return t.out.filter.Match(ctx, f)
}

// put puts out a frame of the file that is read.
func (t *transfer) put(f *link.Frame, options pcap.PacketOptions) error {
	if err := t.create(f.Link); err != nil {
		return err
	}
	if t.isPcapng() {
		if err := t.out.describe(t.interfaces, f.Interface); err != nil {
			return outputError{err}
		}
	}
	if err := t.out.frame(f, options); err != nil {
		return outputError{err}
	}
	return nil
}

// interfaces returns those of the file that is read.
func (t *transfer) interfaces() []pcap.Interface {
	list := t.in.Interfaces()
	if !t.longer {
		return list
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].SnapLen = 0
	}
	return list
}
