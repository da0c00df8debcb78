package afpacket

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// txState is the half of a Ring that sends.
type txState struct {
	r      *Ring
	status bool // TxConfig.Status

	// With status, the slots from tail on, used of them, have not been told.
	tail, used int
	why        error // why the kernel rejected a frame last

	kicker   func(fd uintptr)      // made once, so that a kick does not allocate
	writable func(fd uintptr) bool // made once, so that a wait does not allocate
	flushing bool                  // what writable waits for
	rejected error                 // written by kick: frames that were thrown away
	full     error                 // written by kick: there was no room further on
	stuck    error                 // written by kick: why else the kernel stopped
}

func (t *txState) init(r *Ring, cfg *TxConfig) {
	t.r = r
	t.status = cfg != nil && cfg.Status
	t.kicker = func(fd uintptr) { t.kick(int(fd)) }
	t.writable = func(fd uintptr) bool { return t.isWritable(int(fd)) }
}

// TxState is what has become of a frame in the transmit ring.
type TxState uint8

const (
	// TxIdle says that every frame has been told of.
	TxIdle TxState = iota
	// TxQueued is a frame that the kernel has not looked at:
	// TP_STATUS_SEND_REQUEST.
	TxQueued
	// TxSending is a frame that the kernel is sending, straight from the ring:
	// TP_STATUS_SENDING.
	TxSending
	// TxSent is a frame that was sent, as far as the kernel can tell.
	TxSent
	// TxRejected is a frame that the kernel does not send, because it is too
	// long or has no link header: TP_STATUS_WRONG_FORMAT. The frames behind it
	// wait.
	TxRejected
)

// txStateNames are the names of the states, by number.
var txStateNames = [...]string{"idle", "queued", "sending", "sent", "rejected"}

// String returns "idle", "queued", "sending", "sent", "rejected" or the number.
func (s TxState) String() string {
	if int(s) < len(txStateNames) {
		return txStateNames[s]
	}
	return fmt.Sprintf("TxState(%d)", uint8(s))
}

// TxStatus is what [Ring.TxStatus] tells of a frame.
type TxStatus struct {
	// State is what has become of the frame.
	State TxState
	// Data are the bytes of a rejected frame, as they were committed. It
	// aliases the ring, may be written to, and is valid until TxRetry or
	// TxDrop.
	Data []byte
	// Err is why the frame was rejected. It wraps [capture.ErrFrameSize].
	Err error
	// Time is when a sent frame left, by the device's clock; TimeSource says so.
	// The socket needs [Config.HardwareTime], and TxHardware among its TxStamps.
	// It depends on the driver whether the stamp is there when the slot comes
	// back: with Intel's igb it is on Linux 6.12, and is not on 7.3.
	// [Socket.TxTimestamp] has it in any case, and the kernel's own stamps as
	// well; it should be called, or else they fill the read buffer.
	Time       time.Time
	TimeSource link.TimeSource
}

// Slots returns for how many frames the transmit ring has room.
func (r *Ring) Slots() int {
	if !r.rings.HasTx {
		return 0
	}
	return r.rings.Tx.Slots()
}

// Reserve returns the slot for the next frame, or nil when the ring is full,
// closed, or for receiving only; [Ring.WaitSlot] tells which and waits. What is
// in the slot is of an earlier frame. Until Commit, Reserve always returns the
// same slot: to give it up, just do nothing.
//
// The slot aliases the ring, and has [TxConfig.FrameSize] less 48 bytes. With
// [Config.VnetHeader] it begins with that header; see
// [VnetHeader.AppendBinary].
func (r *Ring) Reserve() []byte {
	if !r.rings.HasTx || r.tx.status && r.tx.used == r.rings.Tx.Slots() {
		return nil
	}
	return r.rings.Tx.Reserve()
}

// AppendBinary appends the 10 bytes of the header to b. The error is always nil.
func (v *VnetHeader) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, make([]byte, vnetLen)...)
	v.put(b[len(b)-vnetLen:])
	return b, nil
}

// Commit puts the first n bytes of the reserved slot in line. The frame is sent
// at the next Kick.
func (r *Ring) Commit(n int) error { return r.CommitAt(0, n) }

// CommitAt is Commit for the n bytes at off: PACKET_TX_HAS_OFF. It spares who
// wrote the payload first a move to the front.
func (r *Ring) CommitAt(off, n int) error {
	if !r.rings.HasTx {
		return r.s.fail("send", errNoTx)
	}
	if err := r.rings.Tx.Commit(off, n); err != nil {
		return r.s.fail("send", err)
	}
	if r.tx.status {
		r.tx.used++
	}
	return nil
}

// SetTo says where frames go from the next Kick on, whatever was committed
// before included. A KindL3 socket has to say it: the kernel makes one link
// header for all frames of a kick, with to.Hardware as the receiver, of at most
// 8 bytes, and to.EtherType. Interface and EtherType are by default those that
// the socket is bound to.
func (r *Ring) SetTo(to Addr) error {
	if !r.rings.HasTx {
		return r.s.fail("send", errNoTx)
	}
	index, t := to.Interface, to.EtherType
	if bound := r.s.binding.Load(); bound != nil {
		index = or(index, bound.index)
		if t == EtherTypeNone {
			t = bound.etherType
		}
	}
	switch {
	case to.IP.IsValid():
		return r.s.fail("send", r.s.checkIP(to.IP))
	case index == 0:
		return r.s.fail("send", illegal("the address has no Interface, and the socket is not bound to one"))
	case to.Hardware.Len() > 8:
		return r.s.fail("send", illegal("the address has %d bytes: a ring has room for 8", to.Hardware.Len()))
	case r.s.kind == KindL3 && t < 0x0600 && t != EtherTypeLLC:
		return r.s.fail("send", illegal("the address has the EtherType %v, which cannot go into a link header", t))
	}
	r.rings.Tx.SetTo(index, uint16(t), to.Hardware.b[:to.Hardware.n])
	return nil
}

// Kick tells the kernel to send what was committed, which costs a system call,
// and does not wait. What the kernel has no room for at the moment stays in
// line until the next Kick, WaitSlot or Flush; it is not lost.
//
// A frame that the kernel rejects is taken out of the ring, those behind it are
// sent, and the error wraps [capture.ErrFrameSize]; unless the ring was made
// with [TxConfig.Status], in which case [Ring.TxStatus] tells, or
// [TxConfig.Loss]. When the interface is down or gone, the error wraps
// [capture.ErrInterfaceDown] or [capture.ErrInterfaceGone], and what was
// committed stays in line.
func (r *Ring) Kick() error {
	if !r.rings.HasTx {
		return r.s.fail("send", errNoTx)
	}
	t := &r.tx
	t.rejected = nil
	if err := r.s.ps.Raw().Control(t.kicker); err != nil {
		return r.s.fail("send", net.ErrClosed) // the only reason there is
	}
	return r.s.fail("send", t.result())
}

// WaitSlot waits until Reserve has a slot to give or, with [TxConfig.Status],
// until TxStatus has news. It kicks first where that is necessary. The wait ends
// with the socket's write deadline. Errors are those of Kick, and one that wraps
// ENOBUFS when a queue is full of the frames of others and nobody will tell when
// there is room.
func (r *Ring) WaitSlot() error { return r.waitWritable(false) }

// Flush kicks, and waits until the kernel has sent everything that was
// committed: no slot is queued, or in the hands of the device. With
// [TxConfig.Status] it stops at a rejected frame. Errors are those of WaitSlot.
func (r *Ring) Flush() error { return r.waitWritable(true) }

func (r *Ring) waitWritable(flush bool) error {
	if !r.rings.HasTx {
		return r.s.fail("send", errNoTx)
	}
	t := &r.tx
	t.rejected, t.stuck, t.flushing = nil, nil, flush
	if err := r.s.ps.Write(t.writable); err != nil {
		return r.s.fail("send", errors.Join(t.rejected, err))
	}
	return r.s.fail("send", t.result())
}

// result returns what kick has found.
func (t *txState) result() error {
	if t.stuck == nil {
		return t.rejected
	}
	return errors.Join(t.rejected, t.r.s.explainSend(0, t.stuck))
}

// kick makes the kernel look through the ring. Where frames that it rejects are
// thrown away, it goes on behind them.
func (t *txState) kick(fd int) {
	tx := &t.r.rings.Tx
	for {
		t.full, t.stuck = nil, nil
		err := tx.Kick(fd)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOBUFS) {
			t.full = err
			return
		}
		if err == nil {
			return
		}
		i := tx.Rejected()
		if i < 0 {
			t.stuck = err
			return
		}
		err = t.r.s.explainSend(len(tx.Data(i)), err)
		if t.status {
			t.why = err
			return
		}
		tx.Drop(i)
		t.rejected = errors.Join(t.rejected, err)
	}
}

// isWritable tells the poller whether a wait is over. Events come on edges, so
// it looks at the ring itself each time.
func (t *txState) isWritable(fd int) bool {
	tx := &t.r.rings.Tx
	if !t.flushing && t.news() || tx.Closed() {
		return true
	}
	// The kernel may have stopped for want of room, and say nothing when it has
	// sent a part: only an error means that somebody will wake us.
	requested, sending := 0, 0
	for before := -1; ; before = requested {
		t.kick(fd)
		requested, sending = tx.Count()
		if t.stuck != nil || t.full != nil || requested == 0 || requested == before {
			break
		}
	}
	switch {
	case t.stuck != nil, !t.flushing && t.news():
		return true
	case sending > 0:
		return false
	case t.flushing && (requested == 0 || tx.Rejected() >= 0):
		return true
	case errors.Is(t.full, syscall.ENOBUFS):
		// Nothing of ours is on its way, whose end would be an event.
		t.stuck = t.full
		return true
	}
	return false
}

// news reports whether WaitSlot has nothing to wait for.
func (t *txState) news() bool {
	tx := &t.r.rings.Tx
	if !t.status {
		return tx.Free()
	}
	if t.used < tx.Slots() && tx.Free() {
		return true
	}
	state := tx.State(t.tail)
	return state == sys.TxAvailable || state == sys.TxRejected
}

// TxStatus tells what has become of the oldest frame that it has not told of.
// It needs [TxConfig.Status], and does not wait; see [Ring.WaitSlot].
//
// A frame that was sent is told of once, and then its slot is free. Until then,
// and as long as a frame is TxQueued or TxSending, the answer is about the same
// frame. So it is for a frame that was rejected, until TxRetry or TxDrop: the
// kernel sends nothing that was committed later before one of them.
func (r *Ring) TxStatus() TxStatus {
	t := &r.tx
	if !r.rings.HasTx || t.used == 0 || r.rings.Tx.Closed() {
		return TxStatus{}
	}
	tx := &r.rings.Tx
	switch tx.State(t.tail) {
	case sys.TxRequested:
		return TxStatus{State: TxQueued}
	case sys.TxSending:
		return TxStatus{State: TxSending}
	case sys.TxRejected:
		return TxStatus{State: TxRejected, Data: tx.Data(t.tail), Err: t.why}
	case sys.TxAvailable: // again: it was sent
	}
	st := TxStatus{State: TxSent}
	if at, hardware, ok := tx.Time(t.tail); ok {
		st.Time, st.TimeSource = at, link.TimeSoftware
		if hardware {
			st.TimeSource = link.TimeHardware
		}
	}
	t.tail = tx.Next(t.tail)
	t.used--
	return st
}

// TxRetry puts the frame that TxStatus has found rejected in line again, with
// what was changed in its Data, n bytes of it. n may be more than before.
func (r *Ring) TxRetry(n int) error {
	if err := r.isRejected(); err != nil {
		return r.s.fail("send", err)
	}
	return r.s.fail("send", r.rings.Tx.Retry(r.tx.tail, n))
}

// TxDrop takes the frame that TxStatus has found rejected out of the ring, and
// frees its slot. Those behind it are sent at the next Kick.
func (r *Ring) TxDrop() error {
	if err := r.isRejected(); err != nil {
		return r.s.fail("send", err)
	}
	r.rings.Tx.Drop(r.tx.tail)
	r.tx.used--
	return nil
}

// isRejected returns nil when the oldest frame was rejected.
func (r *Ring) isRejected() error {
	switch {
	case !r.rings.HasTx:
		return errNoTx
	case r.rings.Tx.Closed():
		return net.ErrClosed
	case r.tx.used == 0 || r.rings.Tx.State(r.tx.tail) != sys.TxRejected:
		return errors.New("no frame was rejected: see TxStatus")
	}
	return nil
}
