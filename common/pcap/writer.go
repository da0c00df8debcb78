package pcap

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"os"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

// WriterConfig says what a [Writer] writes. The zero value writes little-endian
// pcapng with nanoseconds.
type WriterConfig struct {
	// Format is FormatPcapng (the default), FormatPcap or FormatPcapNano.
	Format Format
	// Order is the byte order of the file.
	Order ByteOrder
	// Link is the link type. If it is 0, the first frame's is taken, and the
	// file header waits for that frame. A classic file holds frames of one link
	// type only.
	Link link.Type
	// SnapLen is the capture limit that the file states, in bytes; longer
	// frames are cut to it. If it is 0 or above [MaxCaptureLength], the file
	// states that, and longer frames are refused.
	SnapLen int
	// Section is the section header of a pcapng file; Order goes before its
	// own.
	Section SectionHeader
	// Interfaces describes the interfaces of a pcapng file ahead: element i
	// those frames whose Info.Interface is i. Resolution, Offset and SnapLen are
	// the writer's own.
	Interfaces []Interface
}

// Writer writes frames to a capture file. It is for one goroutine at a time.
type Writer struct {
	cfg    WriterConfig
	out    *output      // ng's, for pcapng
	ng     *BlockWriter // nil for a classic file
	header bool         // of a classic file, written
	frames int64
	closer io.Closer

	ifaces    map[ifaceKey]uint32
	lastKey   ifaceKey
	lastID    uint32
	lastLimit int // of the captured length
	haveLast  bool
	described map[int]Interface
	head      [enhancedHeadLen]byte
	tag       [4]byte
	tail      []byte // encoded options
}

// ifaceKey is what a pcapng interface stands for: frames of one source and
// link type.
type ifaceKey struct {
	index int
	link  link.Type
}

// Create creates or truncates a capture file; the path "-" is the standard
// output. The caller closes the Writer.
func Create(path string, cfg WriterConfig) (*Writer, error) {
	if path == "-" {
		return NewWriter(os.Stdout, cfg)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(f, cfg)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w.closer = f
	return w, nil
}

// NewWriter returns a Writer to w, buffered: see Flush and Close. Close does
// not close w.
func NewWriter(w io.Writer, cfg WriterConfig) (*Writer, error) {
	out := &Writer{cfg: cfg}
	if cfg.SnapLen < 0 || cfg.SnapLen > MaxCaptureLength(linkDBus) {
		return nil, invalid("snap length %d", cfg.SnapLen)
	}
	switch cfg.Format {
	case FormatPcap, FormatPcapNano:
		buffered := newOutput(w)
		out.out = &buffered
		if cfg.Link != 0 {
			return out, out.fileHeader(cfg.Link)
		}
		return out, nil
	case FormatUnknown, FormatPcapng:
	default:
		return nil, unsupported("pcap: writing the format %s", cfg.Format)
	}
	out.cfg.Format = FormatPcapng
	out.ng = NewBlockWriter(w)
	out.out = &out.ng.out
	out.ifaces = map[ifaceKey]uint32{}
	out.described = map[int]Interface{}
	section := cfg.Section
	section.Order = cfg.Order
	if err := out.ng.Write(&section); err != nil {
		return nil, err
	}
	for i := range cfg.Interfaces {
		if err := out.AddInterface(i, cfg.Interfaces[i]); err != nil {
			return nil, err
		}
	}
	if cfg.Link != 0 && len(cfg.Interfaces) == 0 {
		if err := out.AddInterface(0, Interface{Link: cfg.Link}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fileHeader writes the header of a classic file.
func (w *Writer) fileHeader(t link.Type) error {
	w.cfg.Link = t
	magic := uint32(magicMicro)
	if w.cfg.Format == FormatPcapNano {
		magic = magicNano
	}
	o := w.cfg.Order
	b := o.appendU32(w.head[:0], magic)
	b = o.appendU16(b, 2)
	b = o.appendU16(b, 4)
	b = o.appendU32(b, 0)
	b = o.appendU32(b, 0)
	b = o.appendU32(b, uint32(w.snapFor(t)))
	b = o.appendU32(b, uint32(t))
	w.header, w.lastLimit = true, w.snapFor(t)
	return w.out.write(b)
}

// AddInterface describes the interface of those frames whose Info.Interface is
// index and whose Link is iface.Link. An interface that nobody described is
// described by its link type when its first frame comes. It is an error for a
// classic file.
func (w *Writer) AddInterface(index int, iface Interface) error {
	if w.ng == nil {
		return unsupported("pcap: interface descriptions in the format %s", w.cfg.Format)
	}
	_, err := w.addInterface(index, iface)
	return err
}

func (w *Writer) addInterface(index int, iface Interface) (uint32, error) {
	iface.Resolution, iface.Offset = ResolutionNano, 0
	iface.SnapLen = uint32(w.snapFor(iface.Link))
	id := uint32(len(w.ng.snap))
	if err := w.ng.Write(iface.Block()); err != nil {
		return 0, err
	}
	w.ifaces[ifaceKey{index, iface.Link}] = id
	w.described[index] = iface
	w.haveLast = false
	return id, nil
}

// snapFor returns the capture limit for a link type: what readers take, or the
// configured limit if that is less.
func (w *Writer) snapFor(t link.Type) int {
	limit := MaxCaptureLength(t)
	if n := w.cfg.SnapLen; n > 0 && n < limit {
		return n
	}
	return limit
}

// interfaceFor returns the number of a frame's interface in the section.
func (w *Writer) interfaceFor(f *link.Frame) (uint32, error) {
	key := ifaceKey{f.Interface, f.Link}
	if w.haveLast && key == w.lastKey {
		return w.lastID, nil
	}
	id, ok := w.ifaces[key]
	if !ok {
		// An interface can change its link type; what else is known of it stays.
		iface := w.described[f.Interface]
		iface.Link = f.Link
		var err error
		if id, err = w.addInterface(f.Interface, iface); err != nil {
			return 0, err
		}
	}
	w.lastKey, w.lastID, w.lastLimit, w.haveLast = key, id, w.snapFor(f.Link), true
	return id, nil
}

// Write is WriteFrame for a frame that is not in a variable.
func (w *Writer) Write(f link.Frame) error { return w.WriteFrame(&f) }

// WriteFrame writes one frame. A WireLen of 0 is taken for the length of Data.
// A VLAN tag that the device took off an Ethernet or Linux cooked frame
// (Info.VLANTCI) is put back, since the formats have no other place for it.
// A pcapng file also gets the direction.
//
// A frame that no reader would accept, or that the format has no room for (a
// time before 1970, another link type in a classic file), is refused with
// [ErrInvalidFrame], and nothing is written; later frames may still be. An
// error of the underlying writer is final.
func (w *Writer) WriteFrame(f *link.Frame) error {
	if w.writePlain(f) {
		return nil
	}
	return w.WritePacket(f, nil)
}

// AppendFrame is WriteFrame to the end of b, which it returns: nothing is
// copied twice, nor written anywhere. What was written before must have been
// flushed, because AppendFrame does not put it first. When f is refused, there
// may be the header of the file or the description of f's interface in b.
func (w *Writer) AppendFrame(b []byte, f *link.Frame) ([]byte, error) {
	own := w.out.buf
	if len(own) > 0 {
		return b, invalid("frame to be appended while %d bytes wait for Flush", len(own))
	}
	w.out.buf, w.out.grows = b, true
	err := w.WriteFrame(f)
	b, w.out.buf, w.out.grows = w.out.buf, own, false
	return b, err
}

// AppendFrames is AppendFrame for many frames, in order. It appends as many of
// them as there is room for in the capacity of b, but at least one, and returns
// how many they are: b grows for the first frame, and for what describes an
// interface. The error says why the frame behind them was refused.
func (w *Writer) AppendFrames(b []byte, frames []link.Frame) ([]byte, int, error) {
	for n := 0; ; {
		if len(w.out.buf) == 0 {
			var k int
			b, k = w.appendPlain(b, frames[n:])
			n += k
		}
		// The next one is not like those before it, or there is no room.
		if n == len(frames) || n > 0 && len(frames[n].Data)+mostAround > cap(b)-len(b) {
			return b, n, nil
		}
		var err error
		if b, err = w.AppendFrame(b, &frames[n]); err != nil {
			return b, n, err
		}
		n++
	}
}

// WritePacket is WriteFrame with options for the packet block of a pcapng
// file, such as comments. Options are refused for classic files.
func (w *Writer) WritePacket(f *link.Frame, opts PacketOptions) error {
	if w.out.err != nil {
		return w.out.err
	}
	wireLen := f.WireLen
	if wireLen == 0 {
		wireLen = len(f.Data)
	}
	capLen := len(f.Data)
	data := [3][]byte{2: f.Data} // in parts, if a tag goes between
	if f.Flags.Has(link.InfoVLAN) {
		data = w.splitTag(f)
		capLen, wireLen = capLen+len(data[1]), wireLen+len(data[1])
	}
	if wireLen < capLen || int64(wireLen) > 1<<32-1 {
		return invalid("captured length %d, wire length %d", len(f.Data), f.WireLen)
	}
	if limit := w.snapFor(f.Link); capLen > limit {
		if limit != w.cfg.SnapLen {
			return invalid("frame of %d bytes, the most for link type %d is %d", capLen, f.Link, limit)
		}
		left := limit
		for i, part := range data {
			data[i] = part[:min(len(part), left)]
			left -= len(data[i])
		}
		capLen = limit
	}
	var err error
	if w.ng != nil {
		err = w.writeEnhanced(f, opts, capLen, wireLen, &data)
	} else {
		err = w.writeRecord(f, opts, capLen, wireLen, &data)
	}
	if err == nil {
		w.frames++
	}
	return err
}

// splitTag returns the parts of a frame whose VLAN tag is beside it: what goes
// before the tag, the tag, and what goes behind it.
func (w *Writer) splitTag(f *link.Frame) [3][]byte {
	at := 0
	switch f.Link {
	case link.TypeEthernet:
		at = 12
	case link.TypeLinuxSLL:
		at = 14
	}
	if at == 0 || len(f.Data) < at {
		return [3][]byte{2: f.Data}
	}
	tpid := f.VLANTPID
	if tpid == 0 {
		tpid = 0x8100
	}
	w.tag = [4]byte{byte(tpid >> 8), byte(tpid), byte(f.VLANTCI >> 8), byte(f.VLANTCI)}
	return [3][]byte{f.Data[:at], w.tag[:], f.Data[at:]}
}

func (w *Writer) writeRecord(f *link.Frame, opts PacketOptions, capLen, wireLen int, data *[3][]byte) error {
	if len(opts) > 0 {
		return invalid("packet options in the format %s", w.cfg.Format)
	}
	if w.header && f.Link != w.cfg.Link {
		return invalid("frame of link type %d in a file of link type %d", f.Link, w.cfg.Link)
	}
	var sec int64
	var frac int
	if !f.Time.IsZero() {
		sec, frac = f.Time.Unix(), f.Time.Nanosecond()
	}
	if sec < 0 || sec > 1<<32-1 {
		return invalid("time %s: the format has 1970 to 2106", f.Time.UTC().Format(time.RFC3339))
	}
	if w.cfg.Format == FormatPcap {
		frac /= 1000
	}
	if !w.header {
		if err := w.fileHeader(f.Link); err != nil {
			return err
		}
	}
	b := w.out.reserve(recordLen + capLen)
	whole := b != nil
	if !whole {
		b = w.head[:recordLen]
	}
	putRecord((*[recordLen]byte)(b), w.cfg.Order, uint32(sec), uint32(frac), capLen, wireLen)
	if whole {
		copyParts(b[recordLen:], data)
		return nil
	}
	return w.writeParts(b, data, nil)
}

// copyParts puts the data of a frame into b, which has room for it.
func copyParts(b []byte, data *[3][]byte) (n int) {
	if len(data[0]) == 0 { // most frames are in one part
		return copy(b, data[2])
	}
	for _, part := range data {
		n += copy(b[n:], part)
	}
	return n
}

// writeParts writes a frame that is larger than the buffer.
func (w *Writer) writeParts(head []byte, data *[3][]byte, tail []byte) error {
	for _, part := range [...][]byte{head, data[0], data[1], data[2], tail} {
		if err := w.out.write(part); err != nil {
			return err
		}
	}
	return nil
}

// maxNano is the last time that 64 bits of nanoseconds since 1970 hold, in
// seconds.
const maxNano = (1<<64 - 1) / 1_000_000_000

// Of an enhanced packet block with the option that says the direction: what
// goes before the data, and what the option takes, and the end of the options.
const (
	enhancedHeadLen = 8 + enhancedBodyLen
	flagsLen        = 12
	// mostAround is the most that goes around the data: a tag, the padding, and
	// the second length, too.
	mostAround = enhancedHeadLen + 4 + 3 + flagsLen + 4
)

// putEnhanced puts what goes before the data of an enhanced packet block.
func putEnhanced(b *[enhancedHeadLen]byte, o ByteOrder, size int, id uint32, ts uint64, capLen, wireLen int) {
	o.putU32(b[0:], uint32(BlockEnhancedPacket))
	o.putU32(b[4:], uint32(size))
	o.putU32(b[8:], id)
	o.putU32(b[12:], uint32(ts>>32))
	o.putU32(b[16:], uint32(ts))
	o.putU32(b[20:], uint32(capLen))
	o.putU32(b[24:], uint32(wireLen))
}

// putRecord puts what goes before the data of a record of a classic file.
func putRecord(b *[recordLen]byte, o ByteOrder, sec, frac uint32, capLen, wireLen int) {
	o.putU32(b[0:], sec)
	o.putU32(b[4:], frac)
	o.putU32(b[8:], uint32(capLen))
	o.putU32(b[12:], uint32(wireLen))
}

// writePlain writes a frame such as nearly all are: of the link type and the
// interface of the one before it, whole, without a tag, in a little-endian file
// whose buffer has room. Of any other it reports false, and writes nothing. It
// takes a third of the time of WritePacket, which looks at everything.
func (w *Writer) writePlain(f *link.Frame) bool {
	if w.cfg.Order != LittleEndian || !fits(f, w.lastLimit) {
		return false
	}
	sec := uint64(f.Time.Unix()) // a great number before 1970
	if w.ng == nil {
		return w.header && f.Link == w.cfg.Link && sec <= 1<<32-1 && w.plainRecord(f, sec)
	}
	return w.haveLast && w.lastKey == ifaceKey{f.Interface, f.Link} && sec < maxNano && w.plainEnhanced(f, sec)
}

func (w *Writer) plainRecord(f *link.Frame, sec uint64) bool {
	b := w.out.room(recordLen + len(f.Data))
	if b == nil {
		return false
	}
	frac := f.Time.Nanosecond()
	if w.cfg.Format == FormatPcap {
		frac /= 1000
	}
	putRecord((*[recordLen]byte)(b), LittleEndian, uint32(sec), uint32(frac), len(f.Data), f.WireLen)
	copy(b[recordLen:], f.Data)
	w.frames++
	return true
}

func (w *Writer) plainEnhanced(f *link.Frame, sec uint64) bool {
	const o = LittleEndian
	flags := DirectionFlags(f.Direction)
	end := enhancedHeadLen + (len(f.Data)+3)&^3
	size := end + 4
	if flags != 0 {
		size += flagsLen
	}
	b := w.out.room(size)
	if b == nil {
		return false
	}
	o.putU32(b[end-4:], 0) // the padding; where there is none, it is written over
	putEnhanced((*[enhancedHeadLen]byte)(b), o, size, w.lastID, sec*1e9+uint64(f.Time.Nanosecond()), len(f.Data), f.WireLen)
	copy(b[enhancedHeadLen:], f.Data)
	tail := b[end:]
	if flags != 0 {
		o.putU32(tail[0:], uint32(OptPacketFlags)|4<<16)
		o.putU32(tail[4:], uint32(flags))
		o.putU32(tail[8:], 0) // opt_endofopt
	}
	o.putU32(tail[len(tail)-4:], uint32(size))
	w.frames++
	return true
}

// appendPlain is writePlain for many frames, to the end of b: as many as there is
// room for in its capacity, and as are such as nearly all. It returns how many
// they are. What is looked at for each frame, and each call, would take as long
// as the frame itself: a loop takes half the time.
func (w *Writer) appendPlain(b []byte, frames []link.Frame) ([]byte, int) {
	if w.out.err != nil || w.cfg.Order != LittleEndian {
		return b, 0
	}
	at, n := len(b), 0
	switch {
	case w.ng != nil && w.haveLast:
		b, n = w.appendEnhanced(b, frames)
	case w.ng == nil && w.header:
		b, n = w.appendRecords(b, frames)
	}
	w.out.bytes += int64(len(b) - at)
	w.frames += int64(n)
	return b, n
}

// appendRecords is appendPlain for a classic file.
func (w *Writer) appendRecords(b []byte, frames []link.Frame) ([]byte, int) {
	t, limit, micro := w.cfg.Link, w.lastLimit, w.cfg.Format == FormatPcap
	free, n := b[len(b):cap(b)], 0
	for ; n < len(frames); n++ {
		f := &frames[n]
		size := recordLen + len(f.Data)
		sec := uint64(f.Time.Unix()) // a great number before 1970
		if size > len(free) || f.Link != t || sec > 1<<32-1 || !fits(f, limit) {
			break
		}
		frac := uint32(f.Time.Nanosecond())
		if micro {
			frac /= 1000
		}
		p := free[:size]
		free = free[size:]
		h := (*[recordLen]byte)(p)
		binary.LittleEndian.PutUint32(h[0:], uint32(sec))
		binary.LittleEndian.PutUint32(h[4:], frac)
		binary.LittleEndian.PutUint32(h[8:], uint32(len(f.Data)))
		binary.LittleEndian.PutUint32(h[12:], uint32(f.WireLen))
		copy(p[recordLen:], f.Data)
	}
	return b[:cap(b)-len(free)], n
}

// appendEnhanced is appendPlain for a pcapng file.
func (w *Writer) appendEnhanced(b []byte, frames []link.Frame) ([]byte, int) {
	id, key, limit := w.lastID, w.lastKey, w.lastLimit
	free, n := b[len(b):cap(b)], 0
	for ; n < len(frames); n++ {
		f := &frames[n]
		flags := DirectionFlags(f.Direction)
		end := enhancedHeadLen + (len(f.Data)+3)&^3
		size := end + 4
		if flags != 0 {
			size += flagsLen
		}
		sec := uint64(f.Time.Unix()) // a great number before 1970
		if size > len(free) || f.Interface != key.index || f.Link != key.link || sec >= maxNano || !fits(f, limit) {
			break
		}
		ts := sec*1e9 + uint64(f.Time.Nanosecond())
		p := free[:size]
		free = free[size:]
		binary.LittleEndian.PutUint32(p[end-4:], 0) // the padding; where there is none, it is written over
		h := (*[enhancedHeadLen]byte)(p)
		binary.LittleEndian.PutUint32(h[0:], uint32(BlockEnhancedPacket))
		binary.LittleEndian.PutUint32(h[4:], uint32(size))
		binary.LittleEndian.PutUint32(h[8:], id)
		binary.LittleEndian.PutUint64(h[12:], bits.RotateLeft64(ts, 32)) // the upper half goes first
		binary.LittleEndian.PutUint32(h[20:], uint32(len(f.Data)))
		binary.LittleEndian.PutUint32(h[24:], uint32(f.WireLen))
		copy(p[enhancedHeadLen:], f.Data)
		tail := p[end:]
		if flags != 0 {
			t := (*[flagsLen + 4]byte)(tail)
			binary.LittleEndian.PutUint32(t[0:], uint32(OptPacketFlags)|4<<16)
			binary.LittleEndian.PutUint32(t[4:], uint32(flags))
			binary.LittleEndian.PutUint32(t[8:], 0) // opt_endofopt
			tail = t[flagsLen:]
		}
		binary.LittleEndian.PutUint32(tail, uint32(size))
	}
	return b[:cap(b)-len(free)], n
}

// fits reports whether a frame can be written as it is, when it may have so many
// bytes.
func fits(f *link.Frame, limit int) bool {
	return !f.Flags.Has(link.InfoVLAN) && len(f.Data) <= limit && f.WireLen >= len(f.Data) && int64(f.WireLen) <= 1<<32-1
}

func (w *Writer) writeEnhanced(f *link.Frame, opts PacketOptions, capLen, wireLen int, data *[3][]byte) error {
	var ts uint64
	if !f.Time.IsZero() {
		sec := f.Time.Unix()
		if sec < 0 || sec >= maxNano {
			return invalid("time %s: the format has 1970 to 2554", f.Time.UTC().Format(time.RFC3339))
		}
		ts = uint64(sec)*1e9 + uint64(f.Time.Nanosecond())
	}
	// The options are encoded first: they may be refused.
	o := w.cfg.Order
	w.tail = w.tail[:0]
	flags := DirectionFlags(f.Direction)
	switch {
	case len(opts) == 0 && flags != 0:
		// What a live capture writes needs no list of options.
		w.tail = o.appendU16(w.tail, OptPacketFlags)
		w.tail = o.appendU16(w.tail, 4)
		w.tail = o.appendU32(w.tail, uint32(flags))
		w.tail = o.appendU32(w.tail, 0) // opt_endofopt
	case len(opts) > 0:
		if err := w.encodeOptions(opts, flags); err != nil {
			return err
		}
	}
	const head = enhancedHeadLen
	pad := -capLen & 3
	size := head + capLen + pad + len(w.tail) + 4
	if size > maxBlockLen {
		return invalid("packet block of %d bytes, the most is %d", size, maxBlockLen)
	}
	id, err := w.interfaceFor(f)
	if err != nil {
		return err
	}
	b := w.out.reserve(size)
	whole := b != nil
	if !whole {
		b = w.head[:]
	}
	putEnhanced((*[head]byte)(b), o, size, id, ts, capLen, wireLen)
	if whole {
		copyParts(b[head:], data)
		clear(b[head+capLen : head+capLen+pad])
		copy(b[head+capLen+pad:], w.tail)
		o.putU32(b[size-4:], uint32(size))
		return nil
	}
	tail := appendPad(nil, capLen)
	tail = append(tail, w.tail...)
	return w.writeParts(b[:head], data, o.appendU32(tail, uint32(size)))
}

// encodeOptions puts the options of a packet block into w.tail, with flags if
// there are none among them.
func (w *Writer) encodeOptions(opts PacketOptions, flags PacketFlags) (err error) {
	o := w.cfg.Order
	if _, ok := Options(opts).Lookup(OptPacketFlags); !ok && flags != 0 {
		w.tail = o.appendU16(w.tail, OptPacketFlags)
		w.tail = o.appendU16(w.tail, 4)
		w.tail = o.appendU32(w.tail, uint32(flags))
	}
	w.tail, err = appendOptions(w.tail, Options(opts), EndAlways, o, BlockEnhancedPacket)
	return err
}

// WriteBlock writes a block that is no frame to a pcapng file: names,
// statistics, secrets, journal entries, custom and unknown blocks. An
// [InterfaceDescription] or [SectionHeader] is refused, since the Writer
// numbers the interfaces: see AddInterface, and [BlockWriter] for full control.
func (w *Writer) WriteBlock(blk Block) error {
	if w.ng == nil {
		return unsupported("pcap: blocks in the format %s", w.cfg.Format)
	}
	switch blk.Type() {
	case BlockSectionHeader, BlockInterfaceDescription:
		return invalid("%s through WriteBlock: use AddInterface, or a BlockWriter", blk.Type())
	}
	return w.ng.Write(blk)
}

// InterfaceID returns the number within the section that frames with this
// Info.Interface and Link have, for the statistics of a pcapng file.
func (w *Writer) InterfaceID(index int, t link.Type) (id uint32, ok bool) {
	id, ok = w.ifaces[ifaceKey{index, t}]
	return id, ok
}

// Frames returns how many frames were written.
func (w *Writer) Frames() int64 { return w.frames }

// Bytes returns how many bytes were written so far, with those in the buffer.
func (w *Writer) Bytes() int64 { return w.out.bytes }

// Flush hands everything written so far to the file.
func (w *Writer) Flush() error { return w.out.flush() }

// Close writes the header of a file that has no frames, flushes, and closes
// the file if [Create] opened it.
func (w *Writer) Close() error {
	var err error
	if w.ng == nil && !w.header && w.out.err == nil {
		err = w.fileHeader(w.cfg.Link)
	}
	err = errors.Join(err, w.Flush())
	if w.closer != nil {
		err = errors.Join(err, w.closer.Close())
		w.closer = nil
	}
	return err
}
