package capture

import (
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
)

// goneEvery is how often a goneWatch looks.
const goneEvery = 200 * time.Millisecond

// A goneWatch looks from time to time, while an interface is down and somebody
// waits for it, whether it still exists. The kernel reports to an AF_PACKET
// socket that its interface went down, and is silent when it is removed
// afterwards. Its methods are called by whoever may call [Backend.Next].
type goneWatch struct {
	conn  syscall.RawConn
	wake  func() // interrupts the wait
	down  bool
	gone  bool
	timer *time.Timer
}

// begin is called before a read, which may wait.
func (w *goneWatch) begin() {
	switch {
	case !w.down:
	case w.gone:
		w.wake()
	case w.timer == nil:
		w.timer = time.AfterFunc(goneEvery, w.wake)
	default:
		w.timer.Reset(goneEvery)
	}
}

// frame is called when a frame came: the interface is there.
func (w *goneWatch) frame() { w.down = false }

// readError translates an error of a read.
func (w *goneWatch) readError(err error, name string) error {
	switch err {
	case sys.ErrInterrupted:
		if w.down && (w.gone || sys.Unbound(w.conn)) {
			w.gone = true
			return ErrInterfaceGone
		}
		return ErrInterrupted
	case sys.ErrDrained:
		return ErrNotActive
	case sys.ErrDown:
		w.down = true
		return &advice{ErrInterfaceDown, "ip link set " + name + " up"}
	case sys.ErrGone:
		return ErrInterfaceGone
	}
	return closedError(err)
}

// stop ends the watch.
func (w *goneWatch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
