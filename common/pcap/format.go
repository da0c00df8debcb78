package pcap

import (
	"strconv"

	"github.com/gopkts/gopkts/common/link"
)

// Format is a capture file format, or a variant of one.
type Format uint8

// The formats that are read. [FormatPcap], [FormatPcapNano] and [FormatPcapng]
// are written too.
const (
	// FormatUnknown is the zero value. A writer takes it for FormatPcapng.
	FormatUnknown Format = iota
	// FormatPcap is the classic format with microseconds, magic 0xa1b2c3d4.
	FormatPcap
	// FormatPcapNano is the classic format with nanoseconds, magic 0xa1b23c4d.
	FormatPcapNano
	// FormatPcapng is draft-ietf-opsawg-pcapng.
	FormatPcapng
	// FormatPcapModified is the classic format as patched by Alexey Kuznetsov,
	// magic 0xa1b2cd34: eight more bytes a record, with the interface's index,
	// the protocol and the packet type.
	FormatPcapModified
	// FormatPcapModifiedSMP has four bytes more than FormatPcapModified under
	// the same magic number (the patch of 1999-09-15).
	FormatPcapModifiedSMP
	// FormatPcapPatched has the records of FormatPcapModified under the magic
	// number of FormatPcap (the patch of 1999-04-17).
	FormatPcapPatched
	// FormatPcapNokia has four more bytes a record under the magic number of
	// FormatPcap.
	FormatPcapNokia
	// FormatPcapAIX is version 2.2 with nanoseconds and interface types of
	// RFC 1573, as written by AIX.
	FormatPcapAIX
	// FormatIxiaHardware is Ixia's lcap format with nanoseconds, magic 0x1c0001ac.
	FormatIxiaHardware
	// FormatIxiaSoftware is Ixia's lcap format with microseconds, magic 0x1c0001ab.
	FormatIxiaSoftware
	// FormatSnoop is Sun's snoop format, version 2, RFC 1761.
	FormatSnoop
)

// String returns a short name: "pcap", "pcap-nano", "pcapng" …
func (f Format) String() string {
	switch f {
	case FormatUnknown:
		return "unknown"
	case FormatPcap:
		return "pcap"
	case FormatPcapNano:
		return "pcap-nano"
	case FormatPcapng:
		return "pcapng"
	case FormatPcapModified:
		return "pcap-modified"
	case FormatPcapModifiedSMP:
		return "pcap-modified-smp"
	case FormatPcapPatched:
		return "pcap-patched"
	case FormatPcapNokia:
		return "pcap-nokia"
	case FormatPcapAIX:
		return "pcap-aix"
	case FormatIxiaHardware:
		return "ixia-hw"
	case FormatIxiaSoftware:
		return "ixia-sw"
	case FormatSnoop:
		return "snoop"
	}
	return "format-" + strconv.Itoa(int(f))
}

// Magic numbers of the classic format, as numbers in the file's byte order.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34
	magicIxiaHW   = 0x1c0001ac
	magicIxiaSW   = 0x1c0001ab
	magicSnoop    = "snoop\x00\x00\x00"
)

// DefaultMaxCaptureLength is the longest captured frame, in bytes, that a
// reader takes and a writer writes for most link types: libpcap's
// MAXIMUM_SNAPLEN.
const DefaultMaxCaptureLength = 262144

// Link types whose frames may be longer.
const (
	linkDBus    link.Type = 231
	linkUSBPcap link.Type = 249
	linkEBHSCR  link.Type = 279
)

// MaxCaptureLength returns the longest captured frame of a link type, in
// bytes, that a reader takes when [WithMaxCaptureLength] says nothing else:
// 262,144, and as in libpcap 128 MiB for D-Bus, 8 MiB for Elektrobit high
// speed capture, and 1 MiB for USBPcap.
func MaxCaptureLength(t link.Type) int {
	switch t {
	case linkDBus:
		return 128 << 20
	case linkEBHSCR:
		return 8 << 20
	case linkUSBPcap:
		return 1 << 20
	}
	return DefaultMaxCaptureLength
}

// normalLink maps the two numbers that operating systems use for raw IP, and
// that some programs write as they are, to the one registered for files.
func normalLink(t uint16) link.Type {
	switch t {
	case 12, 14:
		return link.TypeRaw
	}
	return link.Type(t)
}
