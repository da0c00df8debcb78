package afpacket

import (
	"encoding/binary"
	"fmt"
)

// VnetHeader is what a device has left to do to a frame, or has done to it:
// struct virtio_net_hdr of linux/virtio_net.h, Virtual I/O Device 1.3, section
// 5.1.6. Offsets and lengths are in bytes and begin at the first byte of the
// link header. The zero value asks for nothing.
type VnetHeader struct {
	// Flags says which fields mean something.
	Flags VnetFlags
	// GSO says that the frame is longer than the interface's MTU, and how it is
	// to be cut.
	GSO GSOType
	// HeaderLen is the length of the headers that go before each piece. In what
	// is received it is a hint, and may be more.
	HeaderLen uint16
	// SegmentSize is how many bytes of payload each piece gets.
	SegmentSize uint16
	// ChecksumStart is where the bytes begin that the checksum covers, and
	// ChecksumOffset is where it goes, counted from there. Both are valid with
	// VnetNeedsChecksum.
	ChecksumStart, ChecksumOffset uint16
}

// VnetFlags are flags of a [VnetHeader]: VIRTIO_NET_HDR_F_.
type VnetFlags uint8

const (
	// VnetNeedsChecksum says that the transport checksum has still to be
	// computed; the frame has the pseudo-header's sum in its place.
	VnetNeedsChecksum VnetFlags = 1 << 0
	// VnetChecksumValid says that the checksum was verified.
	VnetChecksumValid VnetFlags = 1 << 1
)

// Has reports whether all bits of x are set.
func (f VnetFlags) Has(x VnetFlags) bool { return f&x == x }

// GSOType is how a long frame is cut: VIRTIO_NET_HDR_GSO_.
type GSOType uint8

const (
	GSONone   GSOType = 0    // not at all
	GSOTCPv4  GSOType = 1    // into TCP segments over IPv4
	GSOUDP    GSOType = 3    // into fragments of one UDP datagram
	GSOTCPv6  GSOType = 4    // into TCP segments over IPv6
	GSOUDPL4  GSOType = 5    // into UDP datagrams, Linux 6.2
	GSOTCPECN GSOType = 0x80 // goes with the TCP types: the flow uses ECN
)

// String returns the name, such as "TCPv4" or "TCPv4|ECN", or the number.
func (t GSOType) String() string {
	ecn := ""
	if t&GSOTCPECN != 0 {
		ecn = "|ECN"
	}
	switch t &^ GSOTCPECN {
	case GSONone:
		return "none" + ecn
	case GSOTCPv4:
		return "TCPv4" + ecn
	case GSOUDP:
		return "UDP" + ecn
	case GSOTCPv6:
		return "TCPv6" + ecn
	case GSOUDPL4:
		return "UDPL4" + ecn
	default:
		return fmt.Sprintf("GSOType(%d)", uint8(t))
	}
}

// vnetLen is the length of struct virtio_net_hdr.
const vnetLen = 10

// The kernel uses the byte order of the machine for the numbers.

func parseVnet(b []byte) VnetHeader {
	_ = b[vnetLen-1]
	return VnetHeader{
		Flags:          VnetFlags(b[0]),
		GSO:            GSOType(b[1]),
		HeaderLen:      binary.NativeEndian.Uint16(b[2:]),
		SegmentSize:    binary.NativeEndian.Uint16(b[4:]),
		ChecksumStart:  binary.NativeEndian.Uint16(b[6:]),
		ChecksumOffset: binary.NativeEndian.Uint16(b[8:]),
	}
}

func (v *VnetHeader) put(b []byte) {
	_ = b[vnetLen-1]
	b[0], b[1] = byte(v.Flags), byte(v.GSO)
	binary.NativeEndian.PutUint16(b[2:], v.HeaderLen)
	binary.NativeEndian.PutUint16(b[4:], v.SegmentSize)
	binary.NativeEndian.PutUint16(b[6:], v.ChecksumStart)
	binary.NativeEndian.PutUint16(b[8:], v.ChecksumOffset)
}
