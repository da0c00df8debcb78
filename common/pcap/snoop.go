package pcap

import (
	"fmt"

	"github.com/gopkts/gopkts/common/link"
)

// Layout of a snoop file, RFC 1761: a header of 16 bytes, and records whose
// header is 24 bytes, all numbers big-endian.
const (
	snoopHeaderLen = 16
	snoopRecordLen = 24

	snoopOffVersion  = 8
	snoopOffDatalink = 12

	snoopOffWireLen = 0
	snoopOffCapLen  = 4
	snoopOffSize    = 8
	snoopOffDrops   = 12
	snoopOffSec     = 16
	snoopOffMicro   = 20

	// maxSnoopPadding bounds what may follow the data of a record. RFC 1761
	// asks for at most three bytes.
	maxSnoopPadding = 64
)

// openSnoop reads the header of a snoop file.
func (r *Reader) openSnoop() error {
	if !r.buf.fill(snoopHeaderLen) {
		return r.short("file header", snoopHeaderLen)
	}
	b := r.buf.unread()
	if string(b[:len(magicSnoop)]) != magicSnoop {
		return r.headerError(fmt.Errorf("%w: it begins with % x", ErrUnknownFormat, b[:8]))
	}
	h := &r.header
	version, datalink := BigEndian.u32(b[snoopOffVersion:]), BigEndian.u32(b[snoopOffDatalink:])
	if version != 2 {
		return r.headerError(unsupported("snoop version %d", version))
	}
	t, ok := snoopLink(datalink)
	if !ok {
		return r.headerError(unsupported("snoop datalink type %d", datalink))
	}
	h.Format, h.Order, h.Major, h.Link = FormatSnoop, BigEndian, uint16(version), t
	r.link, r.maxLen, r.toNano = t, r.cfg.maxLenFor(t), 1000
	r.records = recordLayout{header: snoopRecordLen, snoop: true}
	r.buf.r += snoopHeaderLen
	return nil
}

// snoopLink translates the datalink types of RFC 1761, section 4, and the one
// for InfiniBand that Solaris added.
func snoopLink(t uint32) (link.Type, bool) {
	switch t {
	case 0, 4: // IEEE 802.3, Ethernet
		return link.TypeEthernet, true
	case 2: // IEEE 802.5 Token Ring
		return 6, true
	case 5: // HDLC
		return 104, true
	case 8: // FDDI
		return 10, true
	case 26: // IP over InfiniBand
		return 242, true
	}
	return 0, false
}
