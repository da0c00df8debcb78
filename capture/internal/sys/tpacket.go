package sys

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"github.com/gopkts/gopkts/common/link"
)

// Layout of a TPACKET_V3 block: struct tpacket_block_desc of
// include/uapi/linux/if_packet.h. All fields are in the byte order of the
// machine, and at the same offsets on 32 and 64 bits. The private area follows
// the header.
const (
	blockOffPrivate   = 4  // u32, offset of the private area from the block's start
	blockOffStatus    = 8  // u32, written last by whoever hands the block over
	blockOffPackets   = 12 // u32, number of packets
	blockOffFirst     = 16 // u32, offset of the first packet from the block's start
	blockOffLen       = 20 // u32, bytes used, with the header and the private area
	blockOffSeq       = 24 // u64, number of the block, from 1
	blockOffFirstSec  = 32 // u32, when the block was opened
	blockOffFirstNsec = 36 // u32
	blockOffLastSec   = 40 // u32, when the last packet came, or when the block was closed without one since
	blockOffLastNsec  = 44 // u32

	// BlockHeaderLen is the length of a block's header in bytes.
	BlockHeaderLen = 48
)

// Layout of a packet in a block: struct tpacket3_hdr, and behind it, 16-byte
// aligned, struct sockaddr_ll.
const (
	packetOffNext     = 0  // u32, from this packet's start to the next one's
	packetOffSec      = 4  // u32
	packetOffNsec     = 8  // u32
	packetOffSnapLen  = 12 // u32, bytes captured
	packetOffLen      = 16 // u32, bytes on the wire
	packetOffStatus   = 20 // u32
	packetOffMac      = 24 // u16, from this packet's start to the link header
	packetOffNet      = 26 // u16, from this packet's start to the network header
	packetOffHash     = 28 // u32
	packetOffTCI      = 32 // u32
	packetOffTPID     = 36 // u16
	packetOffName     = 48 // struct sockaddr_ll
	packetOffProtocol = 50 // u16, in sockaddr_ll, in network order
	packetOffIfindex  = 52 // i32, in sockaddr_ll
	packetOffHardware = 56 // u16, in sockaddr_ll
	packetOffPktType  = 58 // u8, in sockaddr_ll

	// PacketHeaderLen is the length in bytes of what precedes every packet:
	// struct tpacket3_hdr and struct sockaddr_ll.
	PacketHeaderLen = 68
)

// Bits of a packet's status.
const (
	statusCsumNotReady  = 1 << 3
	statusVLANValid     = 1 << 4
	statusVLANTPIDValid = 1 << 6
	statusCsumValid     = 1 << 7
	statusTSSysHardware = 1 << 30
	statusTSRawHardware = 1 << 31
)

// Values of sockaddr_ll.sll_pkttype, include/uapi/linux/if_packet.h.
const (
	pktHost      = 0
	pktBroadcast = 1
	pktMulticast = 2
	pktOtherHost = 3
	pktOutgoing  = 4
)

// etherTypeVLAN is the tag protocol of IEEE 802.1Q, which a kernel that
// reports a tag without its protocol means.
const etherTypeVLAN = 0x8100

// A BlockError says that a block of the ring contradicts itself: a field
// points outside of it. The kernel never writes such a block; memory that was
// overwritten may look like it.
type BlockError struct {
	Field  string // the field that is wrong, named as in the kernel's header
	Offset int    // where the structure that holds the field begins, from the block's start
	Value  uint64 // what the field says
	Limit  int    // the nearest value that would have been right
}

// Error returns the field, where it is, what it says, and what it may say.
func (e *BlockError) Error() string {
	return fmt.Sprintf("capture: ring block damaged: %s at byte %d is %d, limit %d: skip the block",
		e.Field, e.Offset, e.Value, e.Limit)
}

// A Cursor walks the packets of one block. The zero Cursor is at the end of an
// empty block.
//
// It reads each field once and checks it before use, so that a block whose
// content changes under it (which no correct kernel does) may give wrong
// frames, and never a read outside of the block.
type Cursor struct {
	block []byte
	off   int // of the next packet
	left  int // packets not yet returned
	lossy bool

	// At is where the packet that was returned last begins, and To where its
	// data end, both from the block's start.
	At, To int
}

// Reset puts c at the first packet of block. With lossy set, the first frame is
// marked as having lost ones before it. When the header is wrong, c is left at
// the end and the error is a [*BlockError].
func (c *Cursor) Reset(block []byte, lossy bool) error {
	*c = Cursor{}
	if len(block) < BlockHeaderLen {
		return &BlockError{Field: "block_size", Value: uint64(len(block)), Limit: BlockHeaderLen}
	}
	left := binary.NativeEndian.Uint32(block[blockOffPackets:])
	if left == 0 {
		return nil
	}
	first := binary.NativeEndian.Uint32(block[blockOffFirst:])
	if first < BlockHeaderLen || uint64(first) > uint64(len(block)) {
		return &BlockError{Field: "offset_to_first_pkt", Value: uint64(first), Limit: len(block)}
	}
	// Every packet needs its header: more of them than fit is a lie, and the
	// check keeps the count within an int on every machine.
	if most := (len(block) - int(first)) / PacketHeaderLen; uint64(left) > uint64(most) {
		return &BlockError{Field: "num_pkts", Value: uint64(left), Limit: most}
	}
	*c = Cursor{block: block, off: int(first), left: int(left), lossy: lossy}
	return nil
}

// Left returns how many packets have not been returned yet.
func (c *Cursor) Left() int { return c.left }

// Skip moves c to the end of the block. What was returned stays valid.
func (c *Cursor) Skip() { c.left = 0 }

// Drop passes over n packets, or over as many as there are.
func (c *Cursor) Drop(n uint32) error {
	lossy := c.lossy
	var f link.Frame
	for range n {
		if ok, err := c.Next(&f); !ok {
			return err
		}
	}
	c.lossy = lossy
	return nil
}

// Next fills f from the next packet and reports whether there was one; f.Data
// aliases the block. f.Link is not touched. After an error, which is a
// [*BlockError], c is at the end of the block.
func (c *Cursor) Next(f *link.Frame) (bool, error) {
	n, err := c.NextBatch(unsafe.Slice(f, 1))
	return n > 0, err
}

// NextBatch is Next for as many packets as there are, up to len(frames). It
// returns how many frames it has filled, also with an error, which is about the
// packet behind them.
func (c *Cursor) NextBatch(frames []link.Frame) (n int, err error) {
	block, off := c.block, c.off
	frames = frames[:min(len(frames), c.left)]
	n = len(frames)
	for i := range frames {
		if off > len(block)-PacketHeaderLen {
			n, err = i, &BlockError{Field: "tp_next_offset", Offset: off, Value: uint64(off), Limit: len(block) - PacketHeaderLen}
			break
		}
		p := block[off:]
		// An array: that its fields are inside is known to the compiler.
		h := (*[PacketHeaderLen]byte)(p)
		snap := binary.NativeEndian.Uint32(h[packetOffSnapLen:])
		wire := binary.NativeEndian.Uint32(h[packetOffLen:])
		mac := int(binary.NativeEndian.Uint16(h[packetOffMac:]))
		if mac < PacketHeaderLen || mac > len(p) {
			n, err = i, &BlockError{Field: "tp_mac", Offset: off, Value: uint64(mac), Limit: len(p)}
			break
		}
		if uint64(snap) > uint64(len(p)-mac) {
			n, err = i, &BlockError{Field: "tp_snaplen", Offset: off, Value: uint64(snap), Limit: len(p) - mac}
			break
		}
		if wire < snap || wire > 1<<31-1 {
			n, err = i, &BlockError{Field: "tp_len", Offset: off, Value: uint64(wire), Limit: int(snap)}
			break
		}
		end := mac + int(snap)

		f := &frames[i]
		f.Data = p[mac:end:end]
		f.WireLen = int(wire)
		f.Time = time.Unix(int64(binary.NativeEndian.Uint32(h[packetOffSec:])),
			int64(binary.NativeEndian.Uint32(h[packetOffNsec:])))
		f.Interface = int(int32(binary.NativeEndian.Uint32(h[packetOffIfindex:])))
		f.Direction = direction(h[packetOffPktType])
		f.Hash = binary.NativeEndian.Uint32(h[packetOffHash:])
		f.Flags = 0
		if f.Hash != 0 {
			f.Flags = link.InfoHash
		}
		f.VLANTCI, f.VLANTPID = 0, 0
		f.Checksum = link.ChecksumUnknown
		f.TimeSource = link.TimeSoftware
		if status := binary.NativeEndian.Uint32(h[packetOffStatus:]); status&statusUnusual != 0 {
			describe(f, h, status)
		}
		c.At, c.To = off, off+end

		next := binary.NativeEndian.Uint32(h[packetOffNext:])
		if next < PacketHeaderLen || uint64(next) > uint64(len(p)) {
			// The packet in hand is good: the chain ends behind it, and who
			// wants the next one learns so.
			off = len(block)
			continue
		}
		off += int(next)
	}
	if n > 0 && c.lossy {
		c.lossy = false
		frames[0].Flags |= link.InfoLossBefore
	}
	c.off, c.left = off, c.left-n
	if err != nil {
		c.left = 0
	}
	return n, err
}

// statusUnusual are the bits of a packet's status that say more than that there
// is a packet, with a time from the kernel's clock.
const statusUnusual = statusCsumNotReady | statusVLANValid | statusCsumValid | statusTSSysHardware | statusTSRawHardware

// describe fills those fields of f that hang on the packet's status.
func describe(f *link.Frame, h *[PacketHeaderLen]byte, status uint32) {
	if status&statusVLANValid != 0 {
		f.Flags |= link.InfoVLAN
		f.VLANTCI = uint16(binary.NativeEndian.Uint32(h[packetOffTCI:]))
		f.VLANTPID = etherTypeVLAN
		if status&statusVLANTPIDValid != 0 {
			f.VLANTPID = binary.NativeEndian.Uint16(h[packetOffTPID:])
		}
	}
	switch {
	case status&statusCsumNotReady != 0:
		f.Checksum = link.ChecksumPartial
	case status&statusCsumValid != 0:
		f.Checksum = link.ChecksumValid
	}
	switch {
	case status&statusTSRawHardware != 0:
		f.TimeSource = link.TimeHardware
	case status&statusTSSysHardware != 0:
		f.TimeSource = link.TimeHardwareSynced
	}
}

// direction translates sll_pkttype.
func direction(pktType byte) link.Direction {
	switch pktType {
	case pktHost:
		return link.DirectionIn
	case pktBroadcast:
		return link.DirectionBroadcast
	case pktMulticast:
		return link.DirectionMulticast
	case pktOtherHost:
		return link.DirectionOther
	case pktOutgoing:
		return link.DirectionOut
	default:
		return link.DirectionUnknown
	}
}

// Packet returns the packet that was returned last as it lies in the block: a
// [PacketHeader], room that is free, and the data. It aliases the block, and is
// empty before the first packet.
func (c *Cursor) Packet() []byte { return c.block[c.At:c.To:c.To] }

// A PacketHeader is what the kernel puts before a packet. It has PacketHeaderLen
// bytes at least.
type PacketHeader []byte

// Status returns tp_status.
func (h PacketHeader) Status() uint32 { return binary.NativeEndian.Uint32(h[packetOffStatus:]) }

// Net returns tp_net: from the start of h to the network header.
func (h PacketHeader) Net() int { return int(binary.NativeEndian.Uint16(h[packetOffNet:])) }

// Protocol returns sll_protocol, in host order.
func (h PacketHeader) Protocol() uint16 { return binary.BigEndian.Uint16(h[packetOffProtocol:]) }

// Hardware returns sll_hatype.
func (h PacketHeader) Hardware() uint16 { return binary.NativeEndian.Uint16(h[packetOffHardware:]) }

// PacketType returns sll_pkttype.
func (h PacketHeader) PacketType() uint8 { return h[packetOffPktType] }

// Name returns struct sockaddr_ll, for ParseLinkName.
func (h PacketHeader) Name() []byte { return h[packetOffName:PacketHeaderLen:PacketHeaderLen] }

// A BlockHeader is a copy of a block's header.
type BlockHeader [BlockHeaderLen]byte

// Status returns block_status.
func (h *BlockHeader) Status() uint32 { return binary.NativeEndian.Uint32(h[blockOffStatus:]) }

// Packets returns num_pkts.
func (h *BlockHeader) Packets() uint32 { return binary.NativeEndian.Uint32(h[blockOffPackets:]) }

// Len returns blk_len.
func (h *BlockHeader) Len() uint32 { return binary.NativeEndian.Uint32(h[blockOffLen:]) }

// Seq returns seq_num.
func (h *BlockHeader) Seq() uint64 { return binary.NativeEndian.Uint64(h[blockOffSeq:]) }

// First returns ts_first_pkt.
func (h *BlockHeader) First() time.Time { return h.time(blockOffFirstSec, blockOffFirstNsec) }

// Last returns ts_last_pkt.
func (h *BlockHeader) Last() time.Time { return h.time(blockOffLastSec, blockOffLastNsec) }

func (h *BlockHeader) time(sec, nsec int) time.Time {
	return time.Unix(int64(binary.NativeEndian.Uint32(h[sec:])), int64(binary.NativeEndian.Uint32(h[nsec:])))
}
