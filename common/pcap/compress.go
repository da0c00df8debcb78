package pcap

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
)

// First bytes of compressed streams. Gzip and bzip2 are read as they are; for
// the others, [WithDecompressor] takes the magic and a function.
const (
	MagicGzip  = "\x1f\x8b"
	MagicBzip2 = "BZh"
	MagicZstd  = "\x28\xb5\x2f\xfd"
	MagicLZ4   = "\x04\x22\x4d\x18"
	MagicXZ    = "\xfd7zXZ\x00"
)

type decompressor struct {
	magic string
	open  func(io.Reader) (io.ReadCloser, error)
}

// WithDecompressor has streams that begin with magic read through open. It
// goes before the decompressors that are built in. The Reader closes what open
// returned.
func WithDecompressor(magic string, open func(io.Reader) (io.ReadCloser, error)) ReaderOption {
	return func(c *readerConfig) {
		c.decompressors = append(c.decompressors, decompressor{magic, open})
	}
}

// builtinDecompressors returns what the standard library can read.
func builtinDecompressors() []decompressor {
	return []decompressor{
		{MagicGzip, func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
		{MagicBzip2, func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
	}
}

// decompress looks at the first bytes of src and returns a buffer on the plain
// stream, the name of the compression, and what has to be closed.
func decompress(src io.Reader, c *readerConfig) (buffer, string, io.Closer, error) {
	raw := buffer{src: src, chunk: c.chunk}
	for _, d := range append(c.decompressors[:len(c.decompressors):len(c.decompressors)], builtinDecompressors()...) {
		if !hasMagic(&raw, d.magic) {
			continue
		}
		name := compressionName(d.magic)
		rc, err := d.open(&raw)
		if err != nil {
			if raw.err == io.EOF {
				return raw, "", nil, shortOf(&raw, name+" header", 1)
			}
			return raw, "", nil, &FormatError{Part: name + " header", Err: err}
		}
		return buffer{src: rc, chunk: c.chunk}, name, rc, nil
	}
	for _, magic := range []string{MagicZstd, MagicLZ4, MagicXZ} {
		if hasMagic(&raw, magic) {
			return raw, "", nil, &DecompressorError{Name: compressionName(magic), Magic: magic}
		}
	}
	return raw, "", nil, nil
}

// hasMagic reports whether the stream begins with magic. It reads on only as
// long as the bytes match, so that it does not wait for what a short stream
// does not have.
func hasMagic(b *buffer, magic string) bool {
	if magic == "" {
		return false
	}
	for n := 1; n <= len(magic); n++ {
		if !b.fill(n) || !bytes.HasPrefix(b.unread(), []byte(magic[:n])) {
			return false
		}
	}
	return true
}

func compressionName(magic string) string {
	switch {
	case strings.HasPrefix(magic, MagicGzip):
		return "gzip"
	case strings.HasPrefix(magic, MagicBzip2):
		return "bzip2"
	case magic == MagicZstd:
		return "zstd"
	case magic == MagicLZ4:
		return "lz4"
	case magic == MagicXZ:
		return "xz"
	}
	return fmt.Sprintf("%x", magic)
}
