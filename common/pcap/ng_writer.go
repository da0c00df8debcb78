package pcap

import "io"

// BlockWriter writes pcapng blocks. It holds the rules that concern more than
// one block: a section header comes first, and packets and statistics name
// interfaces that the section has described. It is for one goroutine at a time.
type BlockWriter struct {
	out     output
	order   ByteOrder
	open    bool     // a section header was written
	snap    []uint32 // snap lengths of the section's interfaces
	scratch []byte
}

// NewBlockWriter returns a writer of blocks to w, buffered: see Flush.
func NewBlockWriter(w io.Writer) *BlockWriter {
	return &BlockWriter{out: newOutput(w)}
}

// Write writes one block, in the byte order of the section header before it. A
// block that breaks the rules is refused with [ErrInvalidFrame] and nothing is
// written; an error of the underlying writer is final.
func (w *BlockWriter) Write(blk Block) error {
	if w.out.err != nil {
		return w.out.err
	}
	if err := w.check(blk); err != nil {
		return err
	}
	var err error
	w.scratch, err = AppendBlock(w.scratch[:0], blk, w.order)
	if err != nil {
		return err
	}
	switch blk := blk.(type) {
	case *SectionHeader:
		w.order, w.open, w.snap = blk.Order, true, w.snap[:0]
	case *InterfaceDescription:
		w.snap = append(w.snap, blk.SnapLen)
	}
	return w.out.write(w.scratch)
}

// check says why a block cannot come here.
func (w *BlockWriter) check(blk Block) error {
	if s, ok := blk.(*SectionHeader); ok {
		if s.Major > 1 || s.Major == 1 && s.Minor != 0 && s.Minor != 2 || s.Major == 0 && s.Minor != 0 {
			return invalid("pcapng version %d.%d", s.Major, s.Minor)
		}
		return nil
	}
	if !w.open {
		return invalid("%s before the section header", blk.Type())
	}
	switch blk := blk.(type) {
	case *InterfaceDescription:
		if len(w.snap) == maxInterfaces {
			return invalid("more than %d interfaces", maxInterfaces)
		}
	case *EnhancedPacket:
		return w.checkInterface(blk.Type(), blk.Interface)
	case *ObsoletePacket:
		return w.checkInterface(blk.Type(), uint32(blk.Interface))
	case *InterfaceStatistics:
		return w.checkInterface(blk.Type(), blk.Interface)
	case *SimplePacket:
		if err := w.checkInterface(blk.Type(), 0); err != nil {
			return err
		}
		want := blk.WireLen
		if snap := w.snap[0]; snap > 0 {
			want = min(want, snap)
		}
		if int64(len(blk.Data)) != int64(want) {
			return invalid("simple packet with %d bytes, the interface and the wire length make it %d", len(blk.Data), want)
		}
	case *UnknownBlock:
		if blk.Code.known() {
			return invalid("unknown block with the code of a %s", blk.Code)
		}
	}
	return nil
}

func (w *BlockWriter) checkInterface(t BlockType, n uint32) error {
	if int64(n) >= int64(len(w.snap)) {
		return invalid("%s of interface %d: the section describes %d", t, n, len(w.snap))
	}
	return nil
}

// Bytes returns how many bytes were written so far, with those in the buffer.
func (w *BlockWriter) Bytes() int64 { return w.out.bytes }

// Flush hands everything to the underlying writer.
func (w *BlockWriter) Flush() error { return w.out.flush() }
