package pcap

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math/bits"
	"os"
	"sync"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

// Reader reads the frames of a capture file, of any format and compression
// that the package knows. It is for one goroutine at a time; only Close may be
// called from another, if the stream is not compressed.
type Reader struct {
	buf buffer

	// What the fast path of Next needs, beside each other.
	plain   bool // classic format, 16-byte records, nothing odd
	swap    bool // numbers are not in little-endian order
	maxLen  uint32
	toNano  int64 // nanoseconds in one unit of the fraction
	link    link.Type
	blocks  bool // pcapng
	err     error
	records recordLayout
	header  Header
	ng      section

	cfg     readerConfig
	skips   []Skip
	skipped struct{ stretches, bytes int64 }
	lastSec uint32 // of the last good record, for resync
	haveSec bool
	drops   uint32 // snoop's running count

	closeOnce sync.Once
	closed    chan struct{}
	closers   []io.Closer
	closeErr  error
}

// Header is what a file's own header says, and what was found out about the
// file. For pcapng, Order, Major and Minor are those of the current section,
// and Link and SnapLen those of the file's first interface.
type Header struct {
	Format Format
	// Order is the byte order of the numbers in the file.
	Order ByteOrder
	// Major and Minor are the format's version, usually 2.4 (pcap), 1.0
	// (pcapng) or 2.0 (snoop).
	Major, Minor uint16
	// Zone is the thiszone field, in seconds. Nobody sets it, and it is not
	// applied to timestamps.
	Zone int32
	// SigFigs is the sigfigs field, always 0 in practice.
	SigFigs uint32
	// SnapLen is the capture limit in bytes as written in the file; it may be
	// 0 or absurd, and frames may be longer.
	SnapLen uint32
	// Link is the link type.
	Link link.Type
	// FCSLen is the length in bytes of the frame check sequence at the end of
	// each frame, or -1 if the file does not say.
	FCSLen int
	// Compression names what was decompressed: "gzip", "bzip2", "zstd" …; it
	// is empty for a plain file.
	Compression string
}

type readerConfig struct {
	chunk         int
	maxLen        int // 0: MaxCaptureLength
	recover       bool
	decompressors []decompressor
	blocks        func(Block) error
	follow        context.Context
	poll          time.Duration
}

// maxLenFor returns the longest captured frame to accept of a link type.
func (c *readerConfig) maxLenFor(t link.Type) uint32 {
	if c.maxLen > 0 {
		return uint32(c.maxLen)
	}
	return uint32(MaxCaptureLength(t))
}

// ReaderOption is a setting of a [Reader] or [BlockReader].
type ReaderOption func(*readerConfig)

// WithMaxCaptureLength replaces the limits of [MaxCaptureLength] by n bytes,
// for every link type. A longer record is [ErrMalformed]. Memory is never
// sized by this limit: a buffer grows with the bytes that are really there.
// Values outside 1…1 GiB are clipped to that range.
func WithMaxCaptureLength(n int) ReaderOption {
	return func(c *readerConfig) { c.maxLen = min(max(n, 1), 1<<30) }
}

// WithBufferSize sets how many bytes one read of the source asks for; the
// default is 256 KiB and the least is 64 KiB.
func WithBufferSize(n int) ReaderOption {
	return func(c *readerConfig) { c.chunk = min(max(n, 64<<10), 1<<30) }
}

// WithBlocks has fn called with every pcapng block that is no packet, in the
// order of the file: sections, interfaces, name resolution, statistics,
// secrets, journal, custom and unknown blocks. The block aliases the read
// buffer and is valid until fn returns. The first blocks are read, and fn is
// called, before [NewReader] and [Open] return. An error of fn ends the reading
// and is what [Reader.Next] returns, or NewReader for the first block.
func WithBlocks(fn func(Block) error) ReaderOption {
	return func(c *readerConfig) { c.blocks = fn }
}

// WithFollow reads a file that is still being written: at its end the reader
// looks for more every poll (at least a millisecond) instead of ending, until
// ctx is done or the Reader is closed. Next then returns an error that wraps
// the context's cause, or [os.ErrClosed].
func WithFollow(ctx context.Context, poll time.Duration) ReaderOption {
	return func(c *readerConfig) { c.follow, c.poll = ctx, max(poll, time.Millisecond) }
}

// Open opens a capture file for reading; the path "-" is the standard input.
// Format and compression are told by the content, never by the name. The
// caller closes the Reader.
func Open(path string, opts ...ReaderOption) (*Reader, error) {
	if path == "-" {
		return NewReader(os.Stdin, opts...)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(f, f, opts)
	if err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// NewReader reads the file header from src, which it then owns the position
// of: it reads ahead. Close does not close src.
func NewReader(src io.Reader, opts ...ReaderOption) (*Reader, error) {
	return newReader(src, nil, opts)
}

func newReader(src io.Reader, closer io.Closer, opts []ReaderOption) (*Reader, error) {
	r := &Reader{closed: make(chan struct{})}
	for _, opt := range opts {
		opt(&r.cfg)
	}
	if closer != nil {
		r.closers = append(r.closers, closer)
	}
	if r.cfg.follow != nil {
		src = &follower{src: src, ctx: r.cfg.follow, poll: r.cfg.poll, closed: r.closed}
	}
	var err error
	var inner io.Closer
	r.buf, r.header.Compression, inner, err = decompress(src, &r.cfg)
	if err != nil {
		return nil, err
	}
	if inner != nil {
		r.closers = append(r.closers, inner)
	}
	if err := r.readFileHeader(); err != nil {
		if inner != nil {
			inner.Close()
		}
		return nil, err
	}
	return r, nil
}

// readFileHeader recognises the format and reads what precedes the records.
func (r *Reader) readFileHeader() error {
	r.header.FCSLen = -1
	if !r.buf.fill(4) {
		return r.short("file header", 4)
	}
	b := r.buf.unread()
	if binary.LittleEndian.Uint32(b) == uint32(BlockSectionHeader) {
		return r.openSection()
	}
	if string(b[:4]) == magicSnoop[:4] {
		return r.openSnoop()
	}
	return r.openClassic()
}

// short makes the error for a source that ended or failed before need bytes.
func (r *Reader) short(part string, need int64) error {
	return shortOf(&r.buf, part, need)
}

func shortOf(b *buffer, part string, need int64) error {
	err := b.err
	switch {
	case err == io.EOF:
		err = truncated(need, int64(b.w-b.r))
	case errors.Is(err, io.ErrUnexpectedEOF): // a compressed stream was cut
		err = truncated(need, int64(b.w-b.r))
	}
	return &FormatError{Offset: b.offset(), Part: part, Err: err}
}

// Next reads the next frame into f. It sets every field of f; Data aliases the
// read buffer and is valid until the next call. It returns [io.EOF] at the end
// of an undamaged file and otherwise a [*FormatError]; every frame before the
// damage has been delivered by then. An error is final: later calls return it
// again.
func (r *Reader) Next(f *link.Frame) error {
	if r.plain {
		b := r.buf.buf[r.buf.r:r.buf.w]
		if len(b) >= recordLen {
			sec := binary.LittleEndian.Uint32(b[0:])
			frac := binary.LittleEndian.Uint32(b[4:])
			capLen := binary.LittleEndian.Uint32(b[8:])
			wireLen := binary.LittleEndian.Uint32(b[12:])
			if r.swap {
				sec = bits.ReverseBytes32(sec)
				frac = bits.ReverseBytes32(frac)
				capLen = bits.ReverseBytes32(capLen)
				wireLen = bits.ReverseBytes32(wireLen)
			}
			// A record without bytes takes the slow path, which looks whether
			// it is the header of a file that was appended to this one.
			if capLen-1 < r.maxLen && int(capLen) <= len(b)-recordLen {
				end := recordLen + int(capLen)
				f.Data = b[recordLen:end:end]
				f.Time = time.Unix(int64(sec), int64(frac)*r.toNano).UTC()
				f.WireLen = toInt(wireLen)
				f.Interface = 0
				f.Hash = 0
				f.Link = r.link
				f.VLANTCI, f.VLANTPID = 0, 0
				f.Direction = link.DirectionUnknown
				f.TimeSource = link.TimeUnknown
				f.Checksum = link.ChecksumUnknown
				f.Flags = 0
				r.buf.r += end
				return nil
			}
		}
	}
	if r.err != nil {
		return r.err
	}
	var err error
	if r.blocks {
		err = r.nextPacketBlock(f)
	} else {
		err = r.nextRecord(f)
	}
	if err != nil {
		r.fail(err)
		*f = link.Frame{}
	}
	return err
}

// fail makes err the answer to every further Next.
func (r *Reader) fail(err error) {
	r.err = err
	r.plain = false
	r.ng.options = nil
}

// Frames returns the frames that are left, as an iterator. Data aliases the
// read buffer and is valid until the next iteration; [link.Frame.Clone] keeps
// it. An error comes last, once, with a zero Frame; the clean end of the file
// is no error.
func (r *Reader) Frames() iter.Seq2[link.Frame, error] {
	return func(yield func(link.Frame, error) bool) {
		var f link.Frame
		for {
			switch err := r.Next(&f); {
			case err == io.EOF:
				return
			case err != nil:
				yield(link.Frame{}, err)
				return
			case !yield(f, nil):
				return
			}
		}
	}
}

// Format returns the file's format.
func (r *Reader) Format() Format { return r.header.Format }

// Header returns what the file header says.
func (r *Reader) Header() Header { return r.header }

// Link returns the link type of the file, or of a pcapng file's first
// interface. A pcapng file may have several, and then each frame's own Link
// says which. A file that has a packet before any interface, or neither, has
// link.TypeNull.
func (r *Reader) Link() link.Type { return r.header.Link }

// Offset returns where the next record or block begins, in bytes from the
// start of the uncompressed stream.
func (r *Reader) Offset() int64 { return r.buf.offset() }

// Close releases the file that [Open] opened and the decompressor. It ends the
// wait of a Reader that follows a growing file.
func (r *Reader) Close() error {
	r.closeOnce.Do(func() {
		close(r.closed)
		var errs []error
		for _, c := range r.closers {
			errs = append(errs, c.Close())
		}
		r.closeErr = errors.Join(errs...)
	})
	return r.closeErr
}
