package cli

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/pcap"
)

// sample is what is read when no file is named: traffic between hosts in
// network namespaces, 33 packets.
//
//go:embed sample.pcapng
var sample []byte

// sampleName stands for the sample in messages.
const sampleName = "(sample)"

// zstdMemory is the most that the window of a zstd stream may take.
const zstdMemory = 128 << 20

// decompressors are the compressions that package pcap does not have built in.
func decompressors() []pcap.ReaderOption {
	return []pcap.ReaderOption{
		pcap.WithDecompressor(pcap.MagicZstd, func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(zstdMemory), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}),
		pcap.WithDecompressor(pcap.MagicLZ4, func(r io.Reader) (io.ReadCloser, error) {
			return io.NopCloser(lz4.NewReader(r)), nil
		}),
	}
}

// input is a capture file that is read.
type input struct {
	*pcap.Reader
	file *os.File // nil for the sample and the standard input of a test
}

// Close releases the file. It may be called while another goroutine reads.
func (i *input) Close() error {
	err := i.Reader.Close()
	if i.file != nil {
		err = errors.Join(err, i.file.Close())
	}
	return err
}

// beforeRead is a reader that calls a function before it asks for more: what
// was printed so far is flushed before the program waits for input.
type beforeRead struct {
	io.Reader
	call func() error
}

func (r beforeRead) Read(b []byte) (int, error) {
	if err := r.call(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// open opens the named file, the standard input for "-", and the sample for
// sampleName. before, if not nil, is called before the program waits for more.
func (a *app) open(name string, before func() error, options ...pcap.ReaderOption) (*input, error) {
	in := new(input)
	var src io.Reader
	switch name {
	case sampleName:
		src = bytes.NewReader(sample)
	case "-":
		src = a.in
		in.file, _ = a.in.(*os.File)
	default:
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		src, in.file = f, f
	}
	if before != nil {
		src = beforeRead{src, before}
	}
	var err error
	if in.Reader, err = pcap.NewReader(src, append(options, decompressors()...)...); err != nil {
		if in.file != nil {
			err = errors.Join(err, in.file.Close())
		}
		return nil, err
	}
	return in, nil
}

// stat describes a file as open takes it, or returns nil.
func (a *app) stat(name string) os.FileInfo {
	st, err := os.Stat(name)
	if f, ok := a.in.(*os.File); ok && name == "-" {
		st, err = f.Stat()
	}
	if err != nil {
		return nil
	}
	return st
}

// fileError returns an error with the name of the file, unless it names it.
func fileError(name string, err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err
	}
	if name == "-" {
		name = "standard input"
	}
	if e, ok := errors.AsType[*filter.Error](err); ok {
		return expressionError{name, e}
	}
	return fmt.Errorf("%s: %s", name, errorText(err))
}

// expressionError is why an expression has no meaning for the packets of a file.
type expressionError struct {
	file string
	err  *filter.Error
}

func (e expressionError) Error() string { return e.file + ": " + errorText(e.err) }

func (e expressionError) Unwrap() error { return e.err }
