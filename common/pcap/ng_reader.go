package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

const (
	// blockOverhead is what a block has around its body: type, length, and the
	// length again.
	blockOverhead = 12
	// maxBlockLen is the longest block taken; it leaves room for a D-Bus
	// message of 128 MiB with options.
	maxBlockLen = 128<<20 + 128<<10
	// maxInterfaces bounds what a file of nothing but interface descriptions
	// can make a reader remember.
	maxInterfaces = 1 << 18

	sectionBodyLen   = 16 // byte-order magic, version, section length
	interfaceBodyLen = 8  // link type, reserved, snap length
	enhancedBodyLen  = 20 // interface, timestamp, captured and wire length
	simpleBodyLen    = 4  // wire length
	obsoleteBodyLen  = 20 // interface, drops, timestamp, two lengths

	byteOrderMagic = 0x1a2b3c4d
)

// section is what a Reader knows of a pcapng file.
type section struct {
	order   ByteOrder
	ifaces  []ifaceState   // of the current section
	all     []rawInterface // of every section
	number  int            // of the current section, from 0
	header  []byte         // body of its section header
	options []byte         // of the current packet, as in the file
}

// rawInterface is an interface description before anybody asked for it.
type rawInterface struct {
	body    []byte
	order   ByteOrder
	section int
}

// ifaceState is what reading a packet needs of its interface.
type ifaceState struct {
	clock   clock
	snapLen uint32
	maxLen  uint32
	number  int // over all sections
	link    link.Type
}

// openSection reads a pcapng file up to its first interface, so that Link has
// an answer. What follows is taken only if it is buffered already.
func (r *Reader) openSection() error {
	r.blocks = true
	r.ng.number = -1
	r.header.Format = FormatPcapng
	h, err := r.nextBlock()
	if err == nil {
		err = r.enterSection(h)
	}
	if err != nil {
		return err
	}
	for {
		if len(r.ng.ifaces) == 0 {
			if !r.buf.fill(8) {
				return nil
			}
		} else if r.buf.w-r.buf.r < 8 {
			return nil
		}
		b := r.buf.unread()
		switch typ := BlockType(r.ng.order.u32(b)); {
		case typ.isPacket():
			return nil
		case len(r.ng.ifaces) > 0 && (typ != BlockInterfaceDescription || uint32(len(b)) < r.ng.order.u32(b[4:])):
			return nil
		}
		// Damage is left for Next to find again; it knows what to do.
		h, err := r.nextBlock()
		if err != nil {
			return nil
		}
		if err := r.passBlock(h); err != nil {
			if _, ok := err.(*FormatError); !ok {
				r.err = err
			}
			return nil
		}
	}
}

// blockHead is a block that begins at the next unread byte.
type blockHead struct {
	typ  BlockType
	size int64 // with everything, as far as the next block
}

func (h blockHead) part() string { return h.typ.String() }

// nextBlock looks at the next block without consuming it.
func (r *Reader) nextBlock() (blockHead, error) {
	order, h, err := peekBlock(&r.buf, r.ng.order)
	if err == nil && h.typ == BlockSectionHeader {
		r.ng.order = order
	}
	return h, err
}

// peekBlock reads type and length of the block at the next unread byte. For a
// section header it also returns the byte order that it sets.
func peekBlock(buf *buffer, order ByteOrder) (ByteOrder, blockHead, error) {
	var h blockHead
	if !buf.fill(blockOverhead) {
		if buf.r == buf.w && buf.err == io.EOF {
			return order, h, io.EOF
		}
		return order, h, shortOf(buf, "block", blockOverhead)
	}
	b := buf.unread()
	h.typ = BlockType(order.u32(b))
	least := int64(blockOverhead)
	if h.typ == BlockSectionHeader {
		least += sectionBodyLen
		switch uint32(byteOrderMagic) {
		case LittleEndian.u32(b[8:]):
			order = LittleEndian
		case BigEndian.u32(b[8:]):
			order = BigEndian
		default:
			return order, h, &FormatError{Offset: buf.offset(), Part: h.part(),
				Err: fmt.Errorf("%w: byte-order magic is % x", ErrUnknownFormat, b[8:12])}
		}
	}
	length := order.u32(b[4:])
	h.size = int64(length)
	if h.size < least || h.size > maxBlockLen {
		return order, h, &FormatError{Offset: buf.offset(), Part: h.part(),
			Err: malformed("block length is %d bytes, it has to be %d to %d", length, least, maxBlockLen)}
	}
	if odd := h.size & 3; odd != 0 {
		// Some writers leave the padding out of the length, some leave it out
		// of the file. The length at the end tells where the end is.
		padded := h.size + 4 - odd
		switch {
		case buf.fill(int(padded)) && order.u32(buf.unread()[padded-4:]) == length:
			h.size = padded
		case buf.fill(int(h.size)) && order.u32(buf.unread()[h.size-4:]) == length:
		default:
			h.size = padded
		}
	}
	return order, h, nil
}

// body reads the whole block and returns what is between its two lengths.
func (r *Reader) body(h blockHead, least int) ([]byte, error) {
	if !r.buf.fill(int(h.size)) {
		return nil, r.short(h.part(), h.size)
	}
	body := r.buf.unread()[8 : h.size-4]
	if len(body) < least {
		return nil, r.blockError(h, malformed("body is %d bytes, it has to be at least %d", len(body), least))
	}
	if r.cfg.recover && r.ng.order.u32(r.buf.unread()[h.size-4:]) != r.ng.order.u32(r.buf.unread()[4:]) &&
		!r.blockFollows(h.size) {
		return nil, r.blockError(h, malformed("lengths at begin and end differ"))
	}
	return body, nil
}

func (r *Reader) blockError(h blockHead, err error) error {
	return &FormatError{Offset: r.buf.offset(), Part: h.part(), Err: err}
}

// nextPacketBlock reads on to the next packet.
func (r *Reader) nextPacketBlock(f *link.Frame) error {
	for {
		if r.fastEnhanced(f) {
			return nil
		}
		r.ng.options = nil
		h, err := r.nextBlock()
		if err == io.EOF {
			return err
		}
		if err != nil {
			if err := r.resyncBlocks(err, 0); err != nil {
				return err
			}
			continue
		}
		if !h.typ.isPacket() {
			err := r.passBlock(h)
			if err == nil {
				continue
			}
			if _, ok := err.(*FormatError); !ok {
				return err
			}
			if err := r.resyncBlocks(err, h.size); err != nil {
				return err
			}
			continue
		}
		err = r.packet(h, f)
		if err == nil {
			r.buf.r += int(h.size)
			return nil
		}
		if err := r.resyncBlocks(err, h.size); err != nil {
			return err
		}
	}
}

// fastEnhanced delivers an enhanced packet block that is whole in the buffer
// and has nothing odd about it; it reports false for the slow path to look.
func (r *Reader) fastEnhanced(f *link.Frame) bool {
	const head = 8 + enhancedBodyLen
	b := r.buf.buf[r.buf.r:r.buf.w]
	if len(b) < head+4 || r.cfg.recover {
		return false
	}
	typ := binary.LittleEndian.Uint32(b[0:])
	size := binary.LittleEndian.Uint32(b[4:])
	iface := binary.LittleEndian.Uint32(b[8:])
	high := binary.LittleEndian.Uint32(b[12:])
	low := binary.LittleEndian.Uint32(b[16:])
	capLen := binary.LittleEndian.Uint32(b[20:])
	wireLen := binary.LittleEndian.Uint32(b[24:])
	if r.ng.order == BigEndian {
		typ = bits.ReverseBytes32(typ)
		size = bits.ReverseBytes32(size)
		iface = bits.ReverseBytes32(iface)
		high = bits.ReverseBytes32(high)
		low = bits.ReverseBytes32(low)
		capLen = bits.ReverseBytes32(capLen)
		wireLen = bits.ReverseBytes32(wireLen)
	}
	if typ != uint32(BlockEnhancedPacket) || size < head+4 || size&3 != 0 || uint(size) > uint(len(b)) ||
		uint(iface) >= uint(len(r.ng.ifaces)) {
		return false
	}
	st := &r.ng.ifaces[iface]
	if capLen > size-head-4 || capLen > st.maxLen {
		return false
	}
	end := head + int(capLen)
	f.Data = b[head:end:end]
	f.Time = st.clock.time(uint64(high)<<32 | uint64(low))
	f.WireLen = toInt(wireLen)
	f.Interface = st.number
	f.Hash = 0
	f.Link = st.link
	f.VLANTCI, f.VLANTPID = 0, 0
	f.Direction = link.DirectionUnknown
	f.TimeSource = link.TimeUnknown
	f.Checksum = link.ChecksumUnknown
	f.Flags = 0
	r.ng.options = nil
	if at := (end + 3) &^ 3; at < int(size)-4 {
		r.packetOptions(f, b[at:size-4])
	}
	r.buf.r += int(size)
	return true
}

// packetOptions notes where the options of a packet are, and takes from them
// what an Info has a place for.
func (r *Reader) packetOptions(f *link.Frame, b []byte) {
	r.ng.options = b
	order := r.ng.order
	for len(b) >= 4 {
		code, n := order.u16(b), int(order.u16(b[2:]))
		b = b[4:]
		if code == OptEnd || n > len(b) {
			return
		}
		switch {
		case code == OptPacketFlags && n == 4:
			f.Direction = PacketFlags(order.u32(b)).Direction()
		case code == OptPacketDropCount && n == 8:
			if order.u64(b) > 0 {
				f.Flags |= link.InfoLossBefore
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
}

// packet reads a packet block of any kind into f; the block stays unread.
func (r *Reader) packet(h blockHead, f *link.Frame) error {
	var least int
	switch h.typ {
	case BlockSimplePacket:
		least = simpleBodyLen
	case BlockObsoletePacket:
		least = obsoleteBodyLen
	default:
		least = enhancedBodyLen
	}
	body, err := r.body(h, least)
	if err != nil {
		return err
	}
	order := r.ng.order
	var iface, capLen, wireLen uint32
	switch h.typ {
	case BlockSimplePacket:
		wireLen = order.u32(body)
		capLen = wireLen
	case BlockObsoletePacket:
		iface = uint32(order.u16(body))
		capLen, wireLen = order.u32(body[12:]), order.u32(body[16:])
	default:
		iface = order.u32(body)
		capLen, wireLen = order.u32(body[12:]), order.u32(body[16:])
	}
	if int64(iface) >= int64(len(r.ng.ifaces)) {
		return r.blockError(h, malformed("interface %d is not described: the section has %d", iface, len(r.ng.ifaces)))
	}
	st := &r.ng.ifaces[iface]
	if h.typ == BlockSimplePacket && st.snapLen > 0 {
		capLen = min(capLen, st.snapLen)
	}
	data := body[least:]
	switch {
	case int64(capLen) > int64(len(data)):
		return r.blockError(h, malformed("%d captured bytes in a block that has room for %d", capLen, len(data)))
	case capLen > st.maxLen:
		return r.blockError(h, malformed("captured length is %d bytes, the limit is %d (see WithMaxCaptureLength)", capLen, st.maxLen))
	}
	*f = link.Frame{Data: data[:capLen:capLen], Info: link.Info{
		WireLen:   toInt(wireLen),
		Interface: st.number,
		Link:      st.link,
	}}
	if h.typ != BlockSimplePacket {
		f.Time = st.clock.time(uint64(order.u32(body[4:]))<<32 | uint64(order.u32(body[8:])))
		r.packetOptions(f, data[min((int(capLen)+3)&^3, len(data)):])
	}
	if h.typ == BlockObsoletePacket {
		if drops := order.u16(body[2:]); drops != 0 && drops != noDrops {
			f.Flags |= link.InfoLossBefore
		}
	}
	return nil
}

// passBlock consumes a block that is no packet.
func (r *Reader) passBlock(h blockHead) error {
	var err error
	switch {
	case h.typ == BlockSectionHeader:
		return r.enterSection(h)
	case h.typ == BlockInterfaceDescription:
		err = r.addInterface(h)
	case r.cfg.blocks == nil && !r.cfg.recover:
		start := r.buf.offset()
		if !r.buf.skip(h.size) {
			err := r.short(h.part(), h.size).(*FormatError)
			if have := r.buf.offset() - start; r.buf.err == io.EOF {
				err.Err = truncated(h.size, have)
			}
			err.Offset = start
			return err
		}
		return nil
	default:
		_, err = r.body(h, 0)
	}
	if err != nil {
		return err
	}
	return r.handOver(h)
}

// handOver gives a block to the user's function and consumes it.
func (r *Reader) handOver(h blockHead) error {
	if r.cfg.blocks != nil {
		blk, err := parseBlock(h.typ, r.buf.unread()[8:h.size-4], r.ng.order)
		if err != nil {
			return r.blockError(h, err)
		}
		if err := r.cfg.blocks(blk); err != nil {
			return err
		}
	}
	r.buf.r += int(h.size)
	return nil
}

// enterSection consumes a section header.
func (r *Reader) enterSection(h blockHead) error {
	body, err := r.body(h, sectionBodyLen)
	if err != nil {
		return err
	}
	order := r.ng.order
	major, minor := order.u16(body[4:]), order.u16(body[6:])
	// 1.2 was written by mistake for what is 1.0 in all respects.
	if major != 1 || minor != 0 && minor != 2 {
		return r.blockError(h, unsupported("pcapng version %d.%d", major, minor))
	}
	r.header.Order, r.header.Major, r.header.Minor = order, major, minor
	r.ng.ifaces = r.ng.ifaces[:0]
	r.ng.number++
	r.ng.header = append(r.ng.header[:0], body...)
	return r.handOver(h)
}

// addInterface learns an interface; the block stays unread.
func (r *Reader) addInterface(h blockHead) error {
	body, err := r.body(h, interfaceBodyLen)
	if err != nil {
		return err
	}
	if len(r.ng.all) == maxInterfaces {
		return r.blockError(h, malformed("more than %d interfaces", maxInterfaces))
	}
	order := r.ng.order
	st := ifaceState{
		link:    normalLink(order.u16(body)),
		snapLen: order.u32(body[4:]),
		number:  len(r.ng.all),
		clock:   clock{units: 1e6},
	}
	if st.clock, err = interfaceClock(body[interfaceBodyLen:], order); err != nil {
		return r.blockError(h, err)
	}
	st.maxLen = r.cfg.maxLenFor(st.link)
	if len(r.ng.all) == 0 {
		r.header.Link, r.header.SnapLen = st.link, st.snapLen
	}
	r.ng.ifaces = append(r.ng.ifaces, st)
	r.ng.all = append(r.ng.all, rawInterface{slices.Clone(body), order, r.ng.number})
	return nil
}

// interfaceClock finds the two options that timestamps depend on. The first of
// each counts, and one of the wrong length does not.
func interfaceClock(b []byte, order ByteOrder) (clock, error) {
	var c clock
	resolution := ResolutionDefault
	var haveResolution, haveOffset bool
	for len(b) >= 4 {
		code, n := order.u16(b), int(order.u16(b[2:]))
		b = b[4:]
		if code == OptEnd {
			break
		}
		if n > len(b) {
			return c, malformed("option %d has %d bytes, %d are left", code, n, len(b))
		}
		switch {
		case code == OptInterfaceResolution && n == 1 && !haveResolution:
			resolution, haveResolution = rawResolution(b[0]), true
		case code == OptInterfaceOffset && n == 8 && !haveOffset:
			c.offset, haveOffset = int64(order.u64(b)), true
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	c.set(resolution)
	return c, nil
}

// clock turns the timestamps of one interface into times.
type clock struct {
	units    uint64 // per second, 0 if that does not fit
	nano     uint64 // nanoseconds per unit, if units divides 1e9
	offset   int64  // seconds to add
	exponent uint8
	binary   bool
}

// set chooses the resolution.
func (c *clock) set(r Resolution) {
	c.exponent, c.binary = r.Exponent(), r.Binary()
	c.units, c.nano = 0, 0
	if !c.binary && c.exponent <= 19 {
		c.units = pow10(c.exponent)
		if c.exponent <= 9 {
			c.nano = pow10(9 - c.exponent)
		}
	}
}

// pow10 returns 10 to the power n, for n up to 19.
func pow10(n uint8) uint64 {
	v := uint64(1)
	for range n {
		v *= 10
	}
	return v
}

// time converts a timestamp. Division by a constant is several times faster
// than by a variable, so the usual resolutions have theirs.
func (c *clock) time(ts uint64) time.Time {
	var sec, nsec uint64
	switch c.units {
	case 1e6:
		sec = ts / 1e6
		nsec = ts % 1e6 * 1e3
	case 1e9:
		sec = ts / 1e9
		nsec = ts % 1e9
	default:
		sec, nsec = c.split(ts)
	}
	return time.Unix(int64(sec)+c.offset, int64(nsec)).UTC()
}

// split converts a timestamp of any resolution into seconds and nanoseconds;
// what is finer is cut off.
func (c *clock) split(ts uint64) (sec, nsec uint64) {
	switch {
	case c.binary && c.exponent >= 64:
		hi, _ := bits.Mul64(ts, 1e9)
		return 0, hi >> (c.exponent - 64)
	case c.binary:
		sec = ts >> c.exponent
		hi, lo := bits.Mul64(ts-sec<<c.exponent, 1e9)
		return sec, hi<<(64-c.exponent) | lo>>c.exponent
	case c.nano != 0:
		return ts / c.units, ts % c.units * c.nano
	case c.units != 0:
		return ts / c.units, ts % c.units / pow10(c.exponent-9)
	case c.exponent-9 <= 19:
		return 0, ts / pow10(c.exponent-9)
	}
	return 0, 0
}

// Interfaces returns the interfaces that the part of a pcapng file read so far
// describes, in the order of Info.Interface. Other formats have one, which
// only has a link type and a snap length.
func (r *Reader) Interfaces() []Interface {
	if !r.blocks {
		return []Interface{{Link: r.header.Link, SnapLen: r.header.SnapLen}}
	}
	out := make([]Interface, 0, len(r.ng.all))
	for i := range r.ng.all {
		raw := &r.ng.all[i]
		var d InterfaceDescription
		// addInterface has walked the same options: there is no error here.
		_ = d.parse(slices.Clone(raw.body), raw.order)
		iface := d.Interface()
		iface.Section = raw.section
		out = append(out, iface)
	}
	return out
}

// Section returns the header of the current section of a pcapng file, the last
// one read; ok is false for other formats. Its values are the caller's.
func (r *Reader) Section() (s SectionHeader, ok bool) {
	if !r.blocks || r.ng.number < 0 {
		return s, false
	}
	err := s.parse(slices.Clone(r.ng.header), r.ng.order)
	return s, err == nil
}

// Sections returns how many sections of a pcapng file have been entered, and 1
// for other formats.
func (r *Reader) Sections() int {
	if !r.blocks {
		return 1
	}
	return r.ng.number + 1
}

// PacketOptions decodes the options of the frame that Next returned last:
// comments, flags, hashes, drop count and so on. It is nil for a frame that
// has none and for formats that know none. The values alias the read buffer
// and are valid until the next call of Next. A malformed list is an error,
// with what was good of it.
func (r *Reader) PacketOptions() (PacketOptions, error) {
	if r.ng.options == nil {
		return nil, nil
	}
	opts, _, err := parseOptions(r.ng.options, r.ng.order, BlockEnhancedPacket)
	return PacketOptions(opts), err
}
