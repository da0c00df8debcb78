package pcap

import (
	"fmt"
	"io"
	"iter"
)

// BlockReader reads a pcapng file block by block, for programs that want what
// a [Reader] leaves out or that copy a file with all that is in it. It is for
// one goroutine at a time.
type BlockReader struct {
	buf     buffer
	order   ByteOrder
	snapLen uint32 // of the section's first interface
	ifaces  int
	current int // length of the block returned last, still unread
	closer  io.Closer
	err     error
}

// NewBlockReader returns a reader of the blocks of src, which may be
// compressed. Of the options, those on buffers, decompressors and following
// apply.
func NewBlockReader(src io.Reader, opts ...ReaderOption) (*BlockReader, error) {
	var cfg readerConfig
	for _, opt := range opts {
		opt(&cfg)
	}
	if cfg.follow != nil {
		src = &follower{src: src, ctx: cfg.follow, poll: cfg.poll}
	}
	r := &BlockReader{}
	var err error
	r.buf, _, r.closer, err = decompress(src, &cfg)
	if err != nil {
		return nil, err
	}
	if !r.buf.fill(4) {
		return nil, shortOf(&r.buf, "file header", 4)
	}
	if b := r.buf.unread(); LittleEndian.u32(b) != uint32(BlockSectionHeader) {
		return nil, &FormatError{Part: "file header", Err: fmt.Errorf("%w: it begins with % x", ErrUnknownFormat, b[:4])}
	}
	return r, nil
}

// Next returns the next block. It aliases the read buffer and is valid until
// the next call. The error is [io.EOF] at the end of an undamaged file and
// otherwise a [*FormatError]; it is final, except that a block which is bad
// only inside is passed over by the next call ([BlockReader.Raw] has it).
func (r *BlockReader) Next() (Block, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.buf.r += r.current
	r.current = 0
	order, h, err := peekBlock(&r.buf, r.order)
	if err == nil && !r.buf.fill(int(h.size)) {
		err = shortOf(&r.buf, h.part(), h.size)
	}
	if err != nil {
		r.err = err
		return nil, err
	}
	r.order = order
	r.current = int(h.size)
	blk, err := parseBlock(h.typ, r.buf.unread()[8:h.size-4], order)
	if err != nil {
		return nil, &FormatError{Offset: r.buf.offset(), Part: h.part(), Err: err}
	}
	switch blk := blk.(type) {
	case *SectionHeader:
		r.ifaces = 0
	case *InterfaceDescription:
		if r.ifaces == 0 {
			r.snapLen = blk.SnapLen
		}
		r.ifaces++
	case *SimplePacket:
		if n := r.snapLen; n > 0 && int64(n) < int64(len(blk.Data)) {
			blk.Data = blk.Data[:n:n]
		}
	}
	return blk, nil
}

// Blocks returns the blocks that are left, as an iterator. A block is valid
// until the next iteration; an error comes last, once.
func (r *BlockReader) Blocks() iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		for {
			blk, err := r.Next()
			if err == io.EOF || !yield(blk, err) || err != nil {
				return
			}
		}
	}
}

// Raw returns the bytes of the block that Next read last, both lengths
// included. They alias the read buffer.
func (r *BlockReader) Raw() []byte { return r.buf.unread()[:r.current:r.current] }

// Order returns the byte order of the current section.
func (r *BlockReader) Order() ByteOrder { return r.order }

// Offset returns where the block that Next read last begins, in bytes from the
// start of the uncompressed stream.
func (r *BlockReader) Offset() int64 { return r.buf.offset() }

// Close releases the decompressor, if there is one.
func (r *BlockReader) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}
