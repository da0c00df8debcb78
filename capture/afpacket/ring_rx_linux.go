package afpacket

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// A RingFrame is a frame in a receive ring. Data, and everything else that
// aliases the ring, is valid until the next frame is read by [Ring.Next], or
// until its block is released; [link.Frame.Clone] keeps the frame. All of it
// may be written to in the meantime.
type RingFrame struct {
	link.Frame
	p   []byte // the kernel's header, room, and the data
	mac int    // where in p the data begin
	// vnet says that a virtio_net header goes before the data.
	vnet bool
}

// set makes f, of which Data is set already, the frame p.
func (f *RingFrame) set(p []byte, vnet bool) {
	f.p = p
	f.mac = len(p) - len(f.Data)
	f.vnet = vnet
}

// header returns the header of the frame. A frame that was never read has one
// of zeros.
func (f *RingFrame) header() sys.PacketHeader {
	if len(f.p) < frameHeaderLen {
		return make(sys.PacketHeader, frameHeaderLen)
	}
	return sys.PacketHeader(f.p[:frameHeaderLen])
}

// FrameStatus is what the kernel says of a frame: tp_status of
// linux/if_packet.h. What [link.Info] says in words comes from here, too.
type FrameStatus uint32

const (
	// FrameCopied says that the frame did not fit and that the socket's queue
	// has a copy of all of it: TP_STATUS_COPY. No kernel sets it in this
	// version of the ring.
	FrameCopied FrameStatus = 1 << 1
	// FrameLosing says that frames were lost since the counters were read
	// last: TP_STATUS_LOSING. In this version of the ring it is the block that
	// says so, see [BlockStatus]; [link.InfoLossBefore] says where.
	FrameLosing FrameStatus = 1 << 2
	// FrameChecksumNotReady says that the device is to compute the transport
	// checksum: TP_STATUS_CSUMNOTREADY.
	FrameChecksumNotReady FrameStatus = 1 << 3
	// FrameVLAN says that the tag control information is valid:
	// TP_STATUS_VLAN_VALID.
	FrameVLAN FrameStatus = 1 << 4
	// FrameVLANTPID says that the tag's protocol is valid, too:
	// TP_STATUS_VLAN_TPID_VALID.
	FrameVLANTPID FrameStatus = 1 << 6
	// FrameChecksumValid says that somebody has verified the transport
	// checksum: TP_STATUS_CSUM_VALID.
	FrameChecksumValid FrameStatus = 1 << 7
	// FrameGSOTCP says that the frame is several TCP segments in one, which the
	// device will cut or has joined: TP_STATUS_GSO_TCP, Linux 6.3.
	FrameGSOTCP FrameStatus = 1 << 8
)

// Has reports whether all bits of x are set.
func (s FrameStatus) Has(x FrameStatus) bool { return s&x == x }

// Status returns the frame's status.
func (f *RingFrame) Status() FrameStatus { return FrameStatus(f.header().Status()) }

// EtherType returns the protocol of the frame: sll_protocol. With a tag that was
// taken off the frame it is the one behind the tag.
func (f *RingFrame) EtherType() EtherType { return EtherType(f.header().Protocol()) }

// PacketType returns the number behind Direction, PACKET_HOST and others of
// linux/if_packet.h: sll_pkttype.
func (f *RingFrame) PacketType() uint8 { return f.header().PacketType() }

// Addr returns where the frame came from, struct sockaddr_ll, with the sender's
// hardware address, which is all there is to know of it when the socket is
// KindL3. The ring has room for 8 bytes of a longer one.
func (f *RingFrame) Addr() Addr {
	name, ok := sys.ParseLinkName(f.header().Name())
	if !ok {
		return Addr{}
	}
	return linkAddr(&name)
}

// Vnet returns the virtio_net header of the frame, which a socket with
// [Config.VnetHeader] receives, and false when there is none.
func (f *RingFrame) Vnet() (VnetHeader, bool) {
	room := f.Headroom()
	if !f.vnet || len(room) < vnetLen {
		return VnetHeader{}, false
	}
	return parseVnet(room[len(room)-vnetLen:]), true
}

// NetworkOffset returns where in Data the network header begins, as the kernel
// sees it: tp_net. It is 0 for a socket without link headers.
func (f *RingFrame) NetworkOffset() int {
	return min(max(0, f.header().Net()-f.mac), len(f.p)-f.mac)
}

// Headroom returns the bytes directly before Data that are free:
// [RxConfig.Headroom] of them, and some more that alignment leaves. It aliases
// the ring. With [Config.VnetHeader], the last 10 bytes of it are that header.
func (f *RingFrame) Headroom() []byte {
	if f.mac < frameHeaderLen {
		return nil
	}
	return f.p[frameHeaderLen:f.mac:f.mac]
}

// Prepend returns Data with n bytes of headroom before it, or nil when there is
// less. It aliases the ring.
func (f *RingFrame) Prepend(n int) []byte {
	if n < 0 || n > len(f.Headroom()) {
		return nil
	}
	return f.p[f.mac-n:]
}

// Next waits for the next frame and fills f.
//
// The error is a [*capture.OpError] around [net.ErrClosed],
// [os.ErrDeadlineExceeded], [capture.ErrInterfaceDown],
// [capture.ErrInterfaceGone], [ErrLeased] or another reason. After
// ErrInterfaceDown frames come again when the interface is back.
func (r *Ring) Next(f *RingFrame) error {
	for {
		ok, err := r.TryNext(f)
		if ok || err != nil {
			return err
		}
		if err := r.waitReadable(); err != nil {
			return r.s.fail("read", err)
		}
	}
}

// TryNext is Next, except that it does not wait: it returns false when there is
// no frame yet.
func (r *Ring) TryNext(f *RingFrame) (bool, error) {
	rx := &r.rings.Rx
	if !r.rings.HasRx || rx.Closed() {
		return false, r.s.fail("read", r.unreadable())
	}
	// Nearly always the frame lies in a block that was begun.
	ok, err := rx.Cursor().Next(&f.Frame)
	if !ok && err == nil {
		ok, err = rx.Next(&f.Frame)
	}
	if !ok {
		if err != nil {
			err = r.s.fail("read", err)
		}
		return false, err
	}
	f.set(rx.Packet(), r.s.cfg.VnetHeader)
	h := f.header()
	if hardware := int(h.Hardware()); hardware != r.hardware || r.s.kind == KindL3 {
		// A socket may be bound to all interfaces; mostly it is one.
		r.hardware = hardware
		r.linkType = r.typeOf(h)
	}
	f.Link = r.linkType
	return true, nil
}

// typeOf returns how the first byte of a frame is to be read.
func (r *Ring) typeOf(h sys.PacketHeader) link.Type {
	if r.s.kind == KindL3 {
		if t := EtherType(h.Protocol()); t == EtherTypeIPv4 || t == EtherTypeIPv6 {
			return link.TypeRaw
		}
		return link.TypeUser0
	}
	if t, ok := link.TypeFromARPHRD(h.Hardware()); ok {
		return t
	}
	return link.TypeUser0
}

// unreadable returns why r cannot be read.
func (r *Ring) unreadable() error {
	if !r.rings.HasRx {
		return errNoRx
	}
	return net.ErrClosed
}

var (
	errNoRx = errors.New("the ring is for sending only: set RingConfig.Rx")
	errNoTx = errors.New("the ring is for receiving only: set RingConfig.Tx")
)

// Discard forgets every frame that was received and not read. After
// [Socket.Flush], and before the filter that comes next, it is what makes
// everything that is read later obey that filter; at other times, frames that
// come meanwhile may or may not be forgotten. It is for the goroutine that calls
// Next. Blocks that are leased, and the frame that Next returned last, stay.
func (r *Ring) Discard() {
	if r.rings.HasRx {
		r.rings.Rx.Discard()
	}
}

// waitReadable waits until there is a block, or an error.
func (r *Ring) waitReadable() error {
	if r.down.Load() && r.s.isGone() {
		// Nothing comes any more, and nothing would end a wait.
		return capture.ErrInterfaceGone
	}
	if err := r.s.ps.Read(r.readable); err != nil {
		return err
	}
	if p := r.failure.Swap(nil); p != nil {
		return r.received(*p)
	}
	if r.down.Load() {
		r.down.Store(false)
	}
	return nil
}

// isReadable tells the poller whether a wait is over. Events come on edges, so
// it looks at the ring itself each time.
func (r *Ring) isReadable(fd uintptr) bool {
	if r.rings.Rx.Ready() {
		return true
	}
	err := sys.SocketError(int(fd))
	if err == nil {
		return false
	}
	kept := err // err itself would be allocated each time
	r.failure.Store(&kept)
	return true
}

// BlockStatus is what the kernel says of a block: block_status of
// linux/if_packet.h.
type BlockStatus uint32

const (
	// BlockUser says that the block is the program's; without it, the kernel
	// fills the block or has yet to: TP_STATUS_USER.
	BlockUser BlockStatus = 1 << 0
	// BlockLosing says that frames were lost since the counters were read last,
	// not necessarily near this block: TP_STATUS_LOSING.
	BlockLosing BlockStatus = 1 << 2
	// BlockTimeout says that the block was handed over because
	// [RxConfig.Retire] was over, and not because it was full:
	// TP_STATUS_BLK_TMO.
	BlockTimeout BlockStatus = 1 << 5
)

// Has reports whether all bits of x are set.
func (s BlockStatus) Has(x BlockStatus) bool { return s&x == x }

// String returns "kernel" or "user", and the other bits behind it.
func (s BlockStatus) String() string {
	parts := []string{"kernel"}
	if s.Has(BlockUser) {
		parts[0] = "user"
	}
	if s.Has(BlockLosing) {
		parts = append(parts, "losing")
	}
	if s.Has(BlockTimeout) {
		parts = append(parts, "timeout")
	}
	return strings.Join(parts, "+")
}

// Blocks returns how many blocks the receive ring has.
func (r *Ring) Blocks() int {
	if !r.rings.HasRx {
		return 0
	}
	return r.rings.Rx.Blocks()
}

// Fill returns the status of block i, from 0 to Blocks()-1, and how many frames
// are in it, whoever has it. The count of a block that the kernel is filling is
// out of date at once. It returns zeros for a closed ring, and for a block that
// does not exist.
func (r *Ring) Fill(i int) (status BlockStatus, frames int) {
	if i < 0 || i >= r.Blocks() {
		return 0, 0
	}
	s, n := r.rings.Rx.Peek(i)
	return BlockStatus(s), int(n)
}

// A Block is a block of a receive ring that the kernel has handed over. It
// stays as it is until it is released. A Block is filled by [Ring.NextBlock],
// may be used again after Release, and must not be copied. Its methods are for
// one goroutine at a time.
type Block struct {
	r      *Ring
	i      int
	cursor sys.Cursor
	header sys.BlockHeader
}

// NextBlock waits for the next block and fills b with it; a block that b had
// before is released. Blocks may be released in any order. The kernel stops, and
// drops what it receives, at the first one that it has not got back.
//
// The block with the frame that [Ring.Next] returned last counts as leased until
// the Next after it; the others may be read in both ways. Errors are those of
// Next. Behind a [*BlockError], b is leased and has no frames.
func (r *Ring) NextBlock(b *Block) error {
	for {
		ok, err := r.TryNextBlock(b)
		if ok || err != nil {
			return err
		}
		if err := r.waitReadable(); err != nil {
			return r.s.fail("read", err)
		}
	}
}

// TryNextBlock is NextBlock, except that it does not wait: it returns false
// when there is no block yet.
func (r *Ring) TryNextBlock(b *Block) (bool, error) {
	b.Release()
	if !r.rings.HasRx {
		return false, r.s.fail("read", errNoRx)
	}
	i, err := r.rings.Rx.Take(&b.cursor)
	if i >= 0 {
		b.r, b.i = r, i
		b.header = r.rings.Rx.Header(i)
	}
	return i >= 0 && err == nil, r.s.fail("read", err)
}

// Release gives the block back to the kernel. What was read from it must not be
// used any more. It does nothing when there is no block in b.
func (b *Block) Release() {
	if b.r == nil {
		return
	}
	b.r.rings.Rx.Release(b.i)
	b.r, b.cursor = nil, sys.Cursor{}
}

// Index returns which block of the ring it is, from 0.
func (b *Block) Index() int { return b.i }

// Seq returns the number of the block, counted by the kernel from 1 over all
// blocks that it has handed over: seq_num.
func (b *Block) Seq() uint64 { return b.header.Seq() }

// Status returns the status that the block was handed over with.
func (b *Block) Status() BlockStatus { return BlockStatus(b.header.Status()) }

// Len returns how many frames the block holds: num_pkts.
func (b *Block) Len() int { return int(b.header.Packets()) }

// Left returns how many of them Next has yet to return.
func (b *Block) Left() int { return b.cursor.Left() }

// Bytes returns how much of the block is in use, in bytes, with its header and
// its private area: blk_len.
func (b *Block) Bytes() int { return int(b.header.Len()) }

// First returns when the kernel opened the block, in spite of its name:
// ts_first_pkt. A frame that came by then, and waited for that, is older.
func (b *Block) First() time.Time { return b.header.First() }

// Last returns when the last frame came, or when the block was handed over if
// its time was up: ts_last_pkt.
func (b *Block) Last() time.Time { return b.header.Last() }

// Private returns the [RxConfig.Private] bytes of the block that are the
// program's. The kernel never looks at them: what is written there is still
// there when the ring has come round. It aliases the ring, and is nil after
// Release.
func (b *Block) Private() []byte {
	if b.r == nil {
		return nil
	}
	return b.r.rings.Rx.Private(b.i)
}

// Next fills f with the next frame of the block, and returns false behind the
// last one. The frame is valid until the block is released. The error is a
// [*capture.OpError] around a [*BlockError].
func (b *Block) Next(f *RingFrame) (bool, error) {
	ok, err := b.cursor.Next(&f.Frame)
	if !ok {
		if err != nil {
			err = b.r.s.fail("read", err)
		}
		return false, err
	}
	f.set(b.cursor.Packet(), b.r.s.cfg.VnetHeader)
	f.Link = b.r.typeOf(f.header())
	return true, nil
}

// BlockError says that a block of the ring contradicts itself: a field points
// outside of it. The kernel never writes such a block; memory that was
// overwritten may look like it.
type BlockError = sys.BlockError
