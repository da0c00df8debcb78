package pcap

import (
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

const (
	// fileHeaderLen is the length in bytes of a classic file header.
	fileHeaderLen = 24
	// recordLen is the length in bytes of a record header without additions.
	recordLen = 16
)

// lengthOrder says which of a record's two lengths comes first.
type lengthOrder uint8

const (
	capturedFirst     lengthOrder = iota
	wireFirst                     // before version 2.3
	smallerIsCaptured             // version 2.3, written either way
)

// recordLayout is how the records of a file without blocks are laid out.
type recordLayout struct {
	header  int         // bytes before the data
	lengths lengthOrder // of a classic record
	prefix  uint32      // bytes of padding that begin the data
	kernel  bool        // bytes 16-23 are interface index, protocol, packet type
	snoop   bool
	magic   uint32 // to recognise a second file header
}

// record is a record header in host order.
type record struct {
	sec, frac       uint32
	capLen, wireLen uint32
	size            int64 // of the whole record, with header and padding
	ifIndex         uint32
	pktType         byte
	drops           uint32
}

// parse decodes a record header; b holds at least l.header bytes.
func (l *recordLayout) parse(b []byte, order ByteOrder) record {
	var rec record
	if l.snoop {
		rec.wireLen = order.u32(b[snoopOffWireLen:])
		rec.capLen = order.u32(b[snoopOffCapLen:])
		rec.size = int64(order.u32(b[snoopOffSize:]))
		rec.drops = order.u32(b[snoopOffDrops:])
		rec.sec = order.u32(b[snoopOffSec:])
		rec.frac = order.u32(b[snoopOffMicro:])
		return rec
	}
	rec.sec, rec.frac = order.u32(b), order.u32(b[4:])
	rec.capLen, rec.wireLen = order.u32(b[8:]), order.u32(b[12:])
	if l.lengths == wireFirst || l.lengths == smallerIsCaptured && rec.capLen > rec.wireLen {
		rec.capLen, rec.wireLen = rec.wireLen, rec.capLen
	}
	rec.size = int64(l.header) + int64(rec.capLen)
	if l.kernel {
		rec.ifIndex = order.u32(b[16:])
		rec.pktType = b[22]
	}
	return rec
}

// openClassic reads a classic file header, of 24 bytes or, from Ixia, 28.
func (r *Reader) openClassic() error {
	h := &r.header
	b := r.buf.unread()
	magic := LittleEndian.u32(b)
	if !classicMagic(magic) {
		h.Order = BigEndian
		magic = bits.ReverseBytes32(magic)
	}
	length := fileHeaderLen
	r.toNano = 1000
	switch magic {
	case magicMicro:
		h.Format = FormatPcap
	case magicNano:
		h.Format, r.toNano = FormatPcapNano, 1
	case magicModified:
		h.Format = FormatPcapModified
	case magicIxiaHW:
		h.Format, r.toNano, length = FormatIxiaHardware, 1, fileHeaderLen+4
	case magicIxiaSW:
		h.Format, length = FormatIxiaSoftware, fileHeaderLen+4
	default:
		return &FormatError{Offset: r.buf.offset(), Part: "file header",
			Err: fmt.Errorf("%w: it begins with % x", ErrUnknownFormat, b[:4])}
	}
	if !r.buf.fill(length) {
		return r.short("file header", int64(length))
	}
	b = r.buf.unread()
	order := h.Order
	h.Major, h.Minor = order.u16(b[4:]), order.u16(b[6:])
	h.Zone, h.SigFigs = int32(order.u32(b[8:])), order.u32(b[12:])
	h.SnapLen = order.u32(b[16:])
	linkField := order.u32(b[20:])
	if h.Major < 2 {
		return r.headerError(unsupported("version %d.%d", h.Major, h.Minor))
	}
	// The upper half of the link field is FCS information and reserved bits.
	const (
		linkReserved = 0x03ff0000
		linkHasFCS   = 1 << 26
		linkFCSShift = 28 // a count of 16-bit words
	)
	if linkField&linkReserved != 0 {
		return r.headerError(unsupported("link type %#x with reserved bits", linkField))
	}
	if linkField&linkHasFCS != 0 {
		h.FCSLen = 2 * int(linkField>>linkFCSShift)
	}
	h.Link = normalLink(uint16(linkField))
	r.records = recordLayout{header: recordLen, magic: magic}
	switch {
	case h.Major == 2 && h.Minor < 3, h.Major == 543 && h.Minor == 0:
		r.records.lengths = wireFirst
	case h.Major == 2 && h.Minor == 3:
		r.records.lengths = smallerIsCaptured
	}
	if h.Format == FormatPcap && h.Major == 2 && h.Minor == 2 {
		r.detectAIX(linkField)
	}
	r.buf.r += length
	r.swap = order == BigEndian
	r.link = h.Link
	r.maxLen = r.cfg.maxLenFor(h.Link)
	r.detectVariant()
	// Recovering needs the time of the last good record, which the fast path
	// does not keep.
	r.plain = !r.cfg.recover && r.records == recordLayout{header: recordLen, magic: magic}
	return nil
}

func classicMagic(m uint32) bool {
	switch m {
	case magicMicro, magicNano, magicModified, magicIxiaHW, magicIxiaSW:
		return true
	}
	return false
}

func (r *Reader) headerError(err error) error {
	return &FormatError{Offset: r.buf.offset(), Part: "file header", Err: err}
}

// detectAIX recognises the files of AIX by interface types of RFC 1573, which
// are no link types that a version 2.2 file of another system has. They count
// nanoseconds, and pad FDDI frames in front by three bytes.
func (r *Reader) detectAIX(linkField uint32) {
	const (
		ifTypeEthernet  = 6
		ifTypeTokenRing = 9
		ifTypeFDDI      = 15
		ifTypeLoopback  = 24
		linkTokenRing   = link.Type(6)
		linkFDDI        = link.Type(10)
	)
	switch linkField {
	case ifTypeEthernet:
		r.header.Link = link.TypeEthernet
	case ifTypeTokenRing:
		r.header.Link = linkTokenRing
	case ifTypeFDDI:
		r.header.Link = linkFDDI
		r.records.prefix = 3
	case ifTypeLoopback:
		r.header.Link = link.TypeNull
	default:
		return
	}
	r.header.Format = FormatPcapAIX
	r.records.lengths = smallerIsCaptured
	r.toNano = 1
}

// detectVariant tells apart record layouts that share a magic number, by the
// records that are already buffered: reading more could wait for frames that a
// live stream does not have yet. The layout that the magic number stands for
// is given up only if its records do not make sense and those of another do,
// without exception.
func (r *Reader) detectVariant() {
	h := &r.header
	type variant struct {
		format Format
		layout recordLayout
	}
	var others []variant
	patched := recordLayout{header: 24, kernel: true, magic: r.records.magic}
	switch {
	case h.Format == FormatPcap && h.Major == 2 && h.Minor == 4:
		others = []variant{
			{FormatPcapPatched, patched},
			{FormatPcapNokia, recordLayout{header: 20, magic: r.records.magic}},
		}
	case h.Format == FormatPcapModified:
		r.records.header, r.records.kernel = 24, true
		smp := patched
		smp.header = 28
		others = []variant{{FormatPcapModifiedSMP, smp}}
	default:
		return
	}
	if good, _ := r.walk(&r.records); good {
		return
	}
	for _, v := range others {
		if good, certain := r.walk(&v.layout); good && certain {
			h.Format, r.records = v.format, v.layout
			return
		}
	}
}

// walk reports whether the first records in the buffer make sense in a layout,
// as every record does that a writer may write, whatever its time. That is
// certain if there are three of them, or two and nothing else, of one month, and
// none is without data: zeros make sense in every layout.
func (r *Reader) walk(l *recordLayout) (good, certain bool) {
	const enough = 4
	const day = 86400
	b := r.buf.unread()
	var first uint32
	n, doubt := 0, false
	for n < enough && len(b) >= l.header {
		rec := l.parse(b, r.header.Order)
		if n == 0 {
			first = rec.sec
		}
		switch {
		case rec.capLen > r.maxLen, rec.capLen > rec.wireLen, int64(rec.frac)*r.toNano >= 1e9:
			return false, false
		case l.kernel && rec.pktType > 7:
			return false, false
		}
		doubt = doubt || rec.capLen == 0 || max(rec.sec, first)-min(rec.sec, first) > 30*day
		if int64(len(b)) < rec.size {
			return true, n > 2 && !doubt
		}
		n++
		b = b[rec.size:]
	}
	return true, !doubt && (n > 2 || n == 2 && len(b) == 0)
}

// nextRecord reads a record by the layout of the file, with all checks.
func (r *Reader) nextRecord(f *link.Frame) error {
	for {
		l := &r.records
		if !r.buf.fill(l.header) {
			if r.buf.r == r.buf.w && r.buf.err == io.EOF {
				return io.EOF
			}
			if err := r.resyncRecords(r.short("record header", int64(l.header))); err != nil {
				return err
			}
			continue
		}
		rec := l.parse(r.buf.unread(), r.header.Order)
		if err := r.checkRecord(&rec); err != nil {
			if err := r.resyncRecords(err); err != nil {
				return err
			}
			continue
		}
		if !r.buf.fill(int(rec.size)) {
			if err := r.resyncRecords(r.short("record", rec.size)); err != nil {
				return err
			}
			continue
		}
		data := r.buf.unread()[l.header : l.header+int(rec.capLen) : l.header+int(rec.capLen)]
		wireLen := rec.wireLen
		if n := l.prefix; n > 0 {
			n = min(n, uint32(len(data)))
			data = data[n:]
			wireLen -= min(n, wireLen)
		}
		*f = link.Frame{Data: data, Info: link.Info{
			Time:    time.Unix(int64(rec.sec), int64(rec.frac)*r.toNano).UTC(),
			WireLen: toInt(wireLen),
			Link:    r.link,
		}}
		if l.kernel {
			f.Interface = toInt(rec.ifIndex)
			f.Direction = packetTypeDirection(rec.pktType)
		}
		if l.snoop && rec.drops != r.drops {
			f.Flags |= link.InfoLossBefore
			r.drops = rec.drops
		}
		r.buf.r += int(rec.size)
		r.lastSec, r.haveSec = rec.sec, true
		return nil
	}
}

// checkRecord says what is wrong with a record header.
func (r *Reader) checkRecord(rec *record) error {
	var err error
	switch {
	case rec.capLen > r.maxLen:
		err = malformed("captured length is %d bytes, the limit is %d (see WithMaxCaptureLength)", rec.capLen, r.maxLen)
	case r.records.snoop && rec.size < snoopRecordLen+int64(rec.capLen):
		err = malformed("record length %d does not cover %d bytes of data", rec.size, rec.capLen)
	case r.records.snoop && rec.size > snoopRecordLen+int64(r.maxLen)+maxSnoopPadding:
		err = malformed("record length %d for %d bytes of data", rec.size, rec.capLen)
	case rec.sec == r.records.magic && rec.capLen == 0 && rec.frac == r.versionWord() && !r.records.snoop:
		err = malformed("the header of another capture file is here: files were concatenated")
	default:
		return nil
	}
	return &FormatError{Offset: r.buf.offset(), Part: "record", Err: err}
}

// versionWord is the version fields of this file's header, read as one number.
func (r *Reader) versionWord() uint32 {
	if r.header.Order == BigEndian {
		return uint32(r.header.Major)<<16 | uint32(r.header.Minor)
	}
	return uint32(r.header.Minor)<<16 | uint32(r.header.Major)
}

// packetTypeDirection translates Linux's PACKET_* types, linux/if_packet.h.
func packetTypeDirection(t byte) link.Direction {
	switch t {
	case 0:
		return link.DirectionIn
	case 1:
		return link.DirectionBroadcast
	case 2:
		return link.DirectionMulticast
	case 3:
		return link.DirectionOther
	case 4:
		return link.DirectionOut
	}
	return link.DirectionUnknown
}
