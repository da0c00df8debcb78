package sys

import (
	"encoding/binary"
	"errors"
)

// ErrNoHeader says that a frame cannot be sent where frames have no header of
// their own.
var ErrNoHeader = errors.New("no link header to send with")

// Cooked is a header that frames get in place of their own: the kernel takes
// that off on a socket of type SOCK_DGRAM, and says of each frame what a
// struct sockaddr_ll holds.
type Cooked uint8

const (
	// CookedSLL2 is LINKTYPE_LINUX_SLL2,
	// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html.
	CookedSLL2 Cooked = iota + 1
	// CookedSLL is LINKTYPE_LINUX_SLL,
	// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html, which frames
	// of LINKTYPE_NETLINK begin with.
	CookedSLL
)

// Layout of the header of LINKTYPE_LINUX_SLL2. All fields are in the byte order
// of the network.
const (
	sll2OffProtocol  = 0  // u16
	sll2OffReserved  = 2  // u16, zero
	sll2OffInterface = 4  // u32
	sll2OffHardware  = 8  // u16
	sll2OffType      = 10 // u8
	sll2OffAddrLen   = 11 // u8
	sll2OffAddr      = 12 // 8 bytes
	sll2Len          = 20
)

// Layout of the header of LINKTYPE_LINUX_SLL.
const (
	sllOffType     = 0  // u16
	sllOffHardware = 2  // u16
	sllOffAddrLen  = 4  // u16
	sllOffAddr     = 6  // 8 bytes
	sllOffProtocol = 14 // u16
	sllLen         = 16
)

// sllAddrLen is how many bytes of an address both headers have room for.
const sllAddrLen = 8

// Len returns the length of the header in bytes: 0 for no header.
func (c Cooked) Len() int {
	switch c {
	case CookedSLL2:
		return sll2Len
	case CookedSLL:
		return sllLen
	}
	return 0
}

// put writes the header to the start of b. name is the frame's struct
// sockaddr_ll, of which the end may be missing: the length of the address is
// what the kernel says, also where it has more bytes than there are.
func (c Cooked) put(b, name []byte) {
	if len(name) < sockaddrLLOffAddr {
		clear(b[:c.Len()])
		return
	}
	// The protocol is in the order of the network here and there.
	protocol := [2]byte(name[sockaddrLLOffProtocol:])
	hardware := binary.NativeEndian.Uint16(name[sockaddrLLOffHatype:])
	addrLen := name[sockaddrLLOffHalen]
	addr := name[sockaddrLLOffAddr:]
	addr = addr[:min(len(addr), int(addrLen), sllAddrLen)]
	switch c {
	case CookedSLL2:
		b = b[:sll2Len]
		copy(b[sll2OffProtocol:], protocol[:])
		binary.BigEndian.PutUint16(b[sll2OffReserved:], 0)
		binary.BigEndian.PutUint32(b[sll2OffInterface:], binary.NativeEndian.Uint32(name[sockaddrLLOffIfindex:]))
		binary.BigEndian.PutUint16(b[sll2OffHardware:], hardware)
		b[sll2OffType] = name[sockaddrLLOffType]
		b[sll2OffAddrLen] = addrLen
		putAddr(b[sll2OffAddr:sll2Len], addr)
	case CookedSLL:
		b = b[:sllLen]
		binary.BigEndian.PutUint16(b[sllOffType:], uint16(name[sockaddrLLOffType]))
		binary.BigEndian.PutUint16(b[sllOffHardware:], hardware)
		binary.BigEndian.PutUint16(b[sllOffAddrLen:], uint16(addrLen))
		putAddr(b[sllOffAddr:sllOffProtocol], addr)
		copy(b[sllOffProtocol:], protocol[:])
	}
}

// More of the layout of struct sockaddr_ll, linux/if_packet.h.
const (
	sockaddrLLOffProtocol = 2 // u16, in the order of the network
	sockaddrLLOffIfindex  = 4 // i32
)

// putAddr writes the start of an address, and zeros behind it.
func putAddr(b, addr []byte) {
	clear(b[copy(b, addr):])
}
