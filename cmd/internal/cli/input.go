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

// open opens the named file, the standard input for "-", and the sample for
// sampleName.
func (a *app) open(name string, options ...pcap.ReaderOption) (*pcap.Reader, error) {
	options = append(options, decompressors()...)
	switch name {
	case sampleName:
		return pcap.NewReader(bytes.NewReader(sample), options...)
	case "-":
		if f, ok := a.in.(*os.File); !ok || f != os.Stdin {
			return pcap.NewReader(a.in, options...)
		}
	}
	return pcap.Open(name, options...)
}

// fileError returns an error with the name of the file, unless it names it.
func fileError(name string, err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err
	}
	if name == "-" {
		name = "standard input"
	}
	return fmt.Errorf("%s: %s", name, errorText(err))
}
