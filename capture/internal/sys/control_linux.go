package sys

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/sys/unix"
)

// Control is what the control messages of one received packet say: cmsg(3).
type Control struct {
	// Time is the kernel's stamp and Hardware that of the device. Each is zero
	// when there is none.
	Time, Hardware time.Time

	// HasAux says that there was a struct tpacket_auxdata, which the fields
	// below it are from.
	HasAux   bool
	Status   uint32 // TP_STATUS_*
	WireLen  uint32 // of the packet before the filter cut it
	TCI      uint16
	TPID     uint16
	Drops    uint32 // packets that found no room since the socket was made, modulo 2^32
	HasDrops bool

	// Interface is where a raw IP packet came in, 0 when nobody says.
	Interface int

	// Err is what the error queue says of a packet that was sent.
	Err    ExtendedErr
	HasErr bool
}

// ExtendedErr is struct sock_extended_err, linux/errqueue.h.
type ExtendedErr struct {
	Errno  uint32
	Origin uint8
	Info   uint32
	Data   uint32
}

// IsTimestamp reports whether e is about the time of a transmission.
func (e *ExtendedErr) IsTimestamp() bool {
	return e.Errno == uint32(unix.ENOMSG) && e.Origin == unix.SO_EE_ORIGIN_TIMESTAMPING
}

// Sizes of struct cmsghdr's length and of what control messages are aligned to.
const (
	cmsgLenLen = bits.UintSize / 8
	cmsgAlign  = bits.UintSize / 8
)

// Parse sets c to what is in b, which [Messages.Control] returned. What does
// not make sense, or is unknown, is passed over.
func (c *Control) Parse(b []byte) {
	*c = Control{}
	for len(b) >= unix.SizeofCmsghdr {
		var n uint64
		if cmsgLenLen == 8 {
			n = binary.NativeEndian.Uint64(b)
		} else {
			n = uint64(binary.NativeEndian.Uint32(b))
		}
		if n < unix.SizeofCmsghdr || n > uint64(len(b)) {
			return
		}
		c.message(binary.NativeEndian.Uint32(b[cmsgLenLen:]), binary.NativeEndian.Uint32(b[cmsgLenLen+4:]),
			b[unix.SizeofCmsghdr:n])
		b = b[min((int(n)+cmsgAlign-1)&^(cmsgAlign-1), len(b)):]
	}
}

func (c *Control) message(level, typ uint32, v []byte) {
	switch level {
	case unix.SOL_SOCKET:
		switch typ {
		case unix.SCM_TIMESTAMPNS, unix.SO_TIMESTAMPNS_NEW:
			c.Time = timespec(v, 0, 1)
		case unix.SCM_TIMESTAMPING, unix.SO_TIMESTAMPING_NEW:
			// Three stamps: the kernel's, an obsolete one, the device's.
			if t := timespec(v, 0, 3); c.Time.IsZero() {
				c.Time = t
			}
			c.Hardware = timespec(v, 2, 3)
		case unix.SO_RXQ_OVFL:
			if len(v) >= 4 {
				c.Drops, c.HasDrops = binary.NativeEndian.Uint32(v), true
			}
		}
	case unix.SOL_PACKET:
		switch typ {
		case unix.PACKET_AUXDATA:
			if len(v) >= auxLen {
				c.HasAux = true
				c.Status = binary.NativeEndian.Uint32(v)
				c.WireLen = binary.NativeEndian.Uint32(v[4:])
				c.TCI = binary.NativeEndian.Uint16(v[16:])
				c.TPID = binary.NativeEndian.Uint16(v[18:])
			}
		case unix.PACKET_TX_TIMESTAMP:
			c.extendedErr(v)
		}
	case unix.SOL_IP:
		switch typ {
		case unix.IP_PKTINFO:
			if len(v) >= 4 { // struct in_pktinfo begins with it
				c.Interface = int(int32(binary.NativeEndian.Uint32(v)))
			}
		case unix.IP_RECVERR:
			c.extendedErr(v)
		}
	case unix.SOL_IPV6:
		switch typ {
		case unix.IPV6_PKTINFO:
			if len(v) >= 20 { // struct in6_pktinfo: the address goes first
				c.Interface = int(int32(binary.NativeEndian.Uint32(v[16:])))
			}
		case unix.IPV6_RECVERR:
			c.extendedErr(v)
		}
	}
}

// auxLen is the length of struct tpacket_auxdata, linux/if_packet.h.
const auxLen = 20

func (c *Control) extendedErr(v []byte) {
	if len(v) < 16 {
		return
	}
	c.HasErr = true
	c.Err = ExtendedErr{
		Errno:  binary.NativeEndian.Uint32(v),
		Origin: v[4],
		Info:   binary.NativeEndian.Uint32(v[8:]),
		Data:   binary.NativeEndian.Uint32(v[12:]),
	}
}

// timespec returns the i-th of n stamps in v. They have 8 bytes each with the
// oldest interface of a 32-bit kernel and 16 otherwise.
func timespec(v []byte, i, n int) time.Time {
	var sec, nsec int64
	switch {
	case len(v) >= 16*n:
		sec = int64(binary.NativeEndian.Uint64(v[16*i:]))
		nsec = int64(binary.NativeEndian.Uint64(v[16*i+8:]))
	case len(v) >= 8*n:
		sec = int64(int32(binary.NativeEndian.Uint32(v[8*i:])))
		nsec = int64(int32(binary.NativeEndian.Uint32(v[8*i+4:])))
	}
	if sec == 0 && nsec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, nsec)
}

// Describe fills those fields of f that hang on the status of a packet: the
// tag that was taken off, and the checksum.
func (c *Control) Describe(f *link.Info) {
	if c.Status&statusVLANValid != 0 {
		f.Flags |= link.InfoVLAN
		f.VLANTCI = c.TCI
		f.VLANTPID = etherTypeVLAN
		if c.Status&statusVLANTPIDValid != 0 {
			f.VLANTPID = c.TPID
		}
	}
	switch {
	case c.Status&statusCsumNotReady != 0:
		f.Checksum = link.ChecksumPartial
	case c.Status&statusCsumValid != 0:
		f.Checksum = link.ChecksumValid
	}
}

// Direction translates the packet type of a [LinkName].
func Direction(pktType uint8) link.Direction { return direction(pktType) }
