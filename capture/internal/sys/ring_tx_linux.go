package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoSlot says that a slot was to be filled that was not reserved before.
var ErrNoSlot = errors.New("no slot is reserved: reserve one first")

// A txLayout says where the fields of a slot are: struct tpacket2_hdr or
// tpacket3_hdr of include/uapi/linux/if_packet.h. All fields are in the byte
// order of the machine.
type txLayout struct {
	sec, nsec int // u32, when the frame was sent
	snapLen   int // u32
	length    int // u32, bytes to send
	status    int // u32
	mac, net  int // u16, from the slot's start to the data, with PACKET_TX_HAS_OFF
	data      int // where the data begin at the earliest
}

// layoutV3 is that of the rings here. A socket has one version for both rings,
// and the receive ring needs this one; to transmit, the two are equally fast:
// BenchmarkTxRing sends 60 bytes through a veth pair, 64 to a kick, in 0.7 of
// the time of write with either of them (2.6 and 2.5 µs, write 3.6 µs).
var layoutV3 = txLayout{sec: 4, nsec: 8, snapLen: 12, length: 16, status: 20, mac: 24, net: 26, data: TxHeaderLen}

// Bits of a slot's status.
const (
	txSendRequest = 1 << 0
	txSending     = 1 << 1
	txWrongFormat = 1 << 2
	txTaken       = txSendRequest | txSending | txWrongFormat
	txSoftware    = 1 << 29 // the time is the kernel's
	txTimes       = txSoftware | statusTSSysHardware | statusTSRawHardware
)

// TxState is what becomes of a frame in the transmit ring.
type TxState uint8

const (
	TxAvailable TxState = iota // the slot is free, or the frame was sent
	TxRequested                // the kernel has not looked at the frame yet
	TxSending                  // the kernel is sending it, straight from the slot
	TxRejected                 // the kernel does not send it
)

// A TxRing is a transmit ring of TPACKET_V3, packet_mmap of the kernel's
// documentation: slots of equal size, in which the program puts frames and sets
// a flag, and which the kernel looks through, in order, when it is kicked. The
// blocks that the ring is made of do not show.
//
// Its methods must not run concurrently with each other. [Rings.Close] may run
// at any time: what is done to the ring afterwards is done to private memory.
type TxRing struct {
	mem      []byte
	layout   txLayout
	frame    int // bytes of a slot
	perBlock int // slots in a block
	gap      int // bytes of a block behind its last slot
	slots    int
	base     int // where the ring begins in the mapping

	to   *unix.SockaddrLinklayer // where frames go, nil for where the socket is bound to
	head int                     // slot that is committed next
	lent int                     // slot that Reserve handed out, -1 when none

	// held is the first slot that was committed since the last kick, of which
	// the status does not say so yet; -1 when none. The kernel goes no further,
	// so that only this one status has to be written when all that is before it
	// is visible: a barrier for a kick, not for a frame.
	held int

	waiting int // frames put in line since the last kick that had no error

	closed atomic.Bool
}

func (t *TxRing) init(mem []byte, g *TxGeometry, layout txLayout, base int) {
	t.mem, t.layout, t.base = mem, layout, base
	t.frame, t.perBlock, t.gap, t.slots = g.FrameSize, g.BlockSize/g.FrameSize, g.BlockSize%g.FrameSize, g.Slots()
	t.lent, t.held = -1, -1
}

// Slots returns how many frames the ring has room for.
func (t *TxRing) Slots() int { return t.slots }

// Room returns how many bytes of a frame a slot has room for.
func (t *TxRing) Room() int { return t.frame - t.layout.data }

// Closed reports whether the ring was closed.
func (t *TxRing) Closed() bool { return t.closed.Load() }

// slot returns slot i.
func (t *TxRing) slot(i int) []byte {
	off := i * t.frame
	if t.gap != 0 { // or else there is no need to divide
		off += i / t.perBlock * t.gap
	}
	return t.mem[off:][:t.frame:t.frame]
}

// word returns the status of a slot, for atomic access.
func (t *TxRing) word(slot []byte) *uint32 {
	// Slots are multiples of 16 bytes, in pages.
	return (*uint32)(unsafe.Pointer(&slot[t.layout.status]))
}

// status returns the status of slot i. When it says that the kernel is done
// with the slot, what the kernel wrote there is visible.
func (t *TxRing) status(i int) uint32 { return atomic.LoadUint32(t.word(t.slot(i))) }

// next returns the slot behind i.
func (t *TxRing) next(i int) int {
	if i++; i < t.slots {
		return i
	}
	return 0
}

// Head returns the slot that is committed next.
func (t *TxRing) Head() int { return t.head }

// Next returns the slot behind i.
func (t *TxRing) Next(i int) int { return t.next(i) }

// Free reports whether Reserve has a slot to give.
func (t *TxRing) Free() bool {
	return t.lent >= 0 || t.head != t.held && t.status(t.head)&txTaken == 0
}

// Reserve returns the memory of the slot that is committed next, of Room bytes,
// or nil when the ring is full or closed. What is in there is of an earlier
// frame. Until Commit, the answer is always the same slot.
func (t *TxRing) Reserve() []byte {
	if t.closed.Load() {
		return nil
	}
	if t.lent < 0 {
		s := t.slot(t.head)
		if t.head == t.held || atomic.LoadUint32(t.word(s))&txTaken != 0 {
			return nil
		}
		t.lent = t.head
		return s[t.layout.data:]
	}
	return t.slot(t.lent)[t.layout.data:]
}

// Commit puts bytes [off, off+n) of the reserved slot in line to be sent.
func (t *TxRing) Commit(off, n int) error {
	switch {
	case t.closed.Load():
		return os.ErrClosed
	case t.lent < 0:
		return ErrNoSlot
	case off < 0 || n < 0 || off > t.Room() || n > t.Room()-off:
		return fmt.Errorf("%d bytes at %d: a slot of the ring has room for %d", n, off, t.Room())
	}
	s := t.slot(t.head)
	if t.lent != t.head {
		// Drop has moved everything forward meanwhile.
		copy(s[t.layout.data:], t.slot(t.lent)[t.layout.data:])
	}
	t.lent = -1
	t.describe(s, t.layout.data+off, n)
	if t.held < 0 {
		t.held = t.head
	} else {
		*t.word(s) = txSendRequest
	}
	t.head = t.next(t.head)
	t.waiting++
	runtime.KeepAlive(t)
	return nil
}

// publish lets the kernel see all that was committed.
func (t *TxRing) publish() {
	if t.held >= 0 {
		atomic.StoreUint32(t.word(t.slot(t.held)), txSendRequest)
		t.held = -1
		runtime.KeepAlive(t)
	}
}

// describe writes the header of slot s but for its status.
func (t *TxRing) describe(s []byte, data, n int) {
	l, h := &t.layout, unsafe.Pointer(unsafe.SliceData(s[:TxHeaderLen]))
	*(*uint32)(unsafe.Add(h, l.length)) = uint32(n)
	*(*uint32)(unsafe.Add(h, l.snapLen)) = uint32(n)
	// The kernel reads the first of the two in a socket for whole frames and
	// the second in one for packets.
	*(*uint16)(unsafe.Add(h, l.mac)) = uint16(data)
	*(*uint16)(unsafe.Add(h, l.net)) = uint16(data)
}

// shortKick is up to how many frames the runtime is not told of a kick. The
// kernel does not wait; but with a microsecond a frame, a kick lasts long enough
// that the runtime takes a call that it knows of for one that waits, and hands
// the processor over to another thread, time and again: a tenth of what sending
// takes. On the other hand nobody should hold up the garbage collector for
// longer than that many frames.
const shortKick = 128

// Kick makes the kernel look through the ring, and does not wait: EAGAIN and
// ENOBUFS mean that it left frames where they are for want of room further on.
func (t *TxRing) Kick(fd int) error {
	t.publish()
	for {
		var err error
		switch {
		case t.to != nil:
			err = unix.Sendto(fd, nil, unix.MSG_DONTWAIT, t.to)
		case t.waiting <= shortKick:
			if errno := sendTo(fd, nil); errno != 0 {
				err = errno
			}
		default:
			err = unix.Send(fd, nil, unix.MSG_DONTWAIT)
		}
		switch err {
		case nil:
			t.waiting = 0
			return nil
		case unix.EINTR:
		default:
			return os.NewSyscallError("send", err)
		}
	}
}

// SetTo says where frames go from the next Kick on: an interface, a protocol in
// host order, and a hardware address of at most 8 bytes.
func (t *TxRing) SetTo(ifindex int, protocol uint16, addr []byte) {
	t.to = &unix.SockaddrLinklayer{Ifindex: ifindex, Protocol: htons(protocol)}
	t.to.Halen = uint8(copy(t.to.Addr[:], addr))
}

// State returns what becomes of the frame in slot i.
func (t *TxRing) State(i int) TxState {
	s := t.status(i)
	runtime.KeepAlive(t)
	switch {
	case i == t.held:
		return TxRequested
	case s&txWrongFormat != 0:
		return TxRejected
	case s&txSending != 0:
		return TxSending
	case s&txSendRequest != 0:
		return TxRequested
	default:
		return TxAvailable
	}
}

// Time returns when the frame in slot i was sent, if the socket was told to take
// times (PACKET_TIMESTAMP) and the device did. hardware is set when it is the
// device's clock: Linux 6.18 writes no others here.
func (t *TxRing) Time(i int) (at time.Time, hardware, ok bool) {
	slot := t.slot(i)
	s := atomic.LoadUint32(t.word(slot))
	if s&txTimes == 0 || s&txTaken != 0 {
		return time.Time{}, false, false
	}
	at = time.Unix(int64(binary.NativeEndian.Uint32(slot[t.layout.sec:])), int64(binary.NativeEndian.Uint32(slot[t.layout.nsec:])))
	runtime.KeepAlive(t)
	return at, s&txSoftware == 0, true
}

// Data returns the frame in slot i, as it was committed.
func (t *TxRing) Data(i int) []byte {
	s := t.slot(i)
	// What is in the slot could have been overwritten by its user.
	from := min(max(int(binary.NativeEndian.Uint16(s[t.layout.mac:])), t.layout.data), t.frame)
	n := min(uint64(binary.NativeEndian.Uint32(s[t.layout.length:])), uint64(t.frame-from))
	end := from + int(n)
	runtime.KeepAlive(t)
	return s[from:end:end]
}

// Count returns how many slots hold frames that the kernel has yet to look at,
// and how many it is sending.
func (t *TxRing) Count() (requested, sending int) {
	for i := range t.slots {
		switch t.State(i) {
		case TxRequested:
			requested++
		case TxSending:
			sending++
		case TxAvailable, TxRejected:
		}
	}
	return requested, sending
}

// Rejected returns the slot of the frame that the kernel has rejected, or -1.
// There is one at most: the kernel goes no further.
func (t *TxRing) Rejected() int {
	for i := range t.slots {
		if t.status(i)&txWrongFormat != 0 {
			return i
		}
	}
	return -1
}

// Retry puts the rejected frame in slot i in line again, its first n bytes of
// it, which the caller may have changed.
func (t *TxRing) Retry(i, n int) error {
	if t.closed.Load() {
		return os.ErrClosed
	}
	t.publish()
	s := t.slot(i)
	from := int(binary.NativeEndian.Uint16(s[t.layout.mac:]))
	if from < t.layout.data || from > t.frame || n < 0 || n > t.frame-from {
		return fmt.Errorf("%d bytes: the slot of the ring has room for %d", n, max(0, t.frame-from))
	}
	t.describe(s, from, n)
	t.waiting++
	atomic.StoreUint32(t.word(s), txSendRequest)
	runtime.KeepAlive(t)
	return nil
}

// Drop takes the rejected frame in slot i out of the line. The kernel waits at
// that slot until there is something to send in it, so every frame behind it
// moves forward by one slot.
func (t *TxRing) Drop(i int) {
	if t.closed.Load() {
		return
	}
	t.publish()
	hole := t.slot(i)
	// The slot may be the head itself, when the ring is full.
	for j := t.next(i); j != t.head; j = t.next(i) {
		s := t.slot(j)
		// Nothing behind a rejected frame is the kernel's to touch.
		copy(hole, s[:t.layout.status])
		copy(hole[t.layout.status+4:], s[t.layout.status+4:])
		atomic.StoreUint32(t.word(hole), atomic.LoadUint32(t.word(s)))
		i, hole = j, s
	}
	atomic.StoreUint32(t.word(hole), 0)
	t.head = i
	runtime.KeepAlive(t)
}

// close makes later calls see that the ring is closed, and returns what of it
// has to stay: all of it, because a slot is written to without a lock.
func (t *TxRing) close() keep {
	t.closed.Store(true)
	s := span{t.base, t.base + len(t.mem)}
	return keep{span: s, content: s}
}
