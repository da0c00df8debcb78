package capture

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Sniffer captures frames from one interface and sends frames on it. [Open]
// makes one; the package's documentation describes its states.
//
// Every method may be called from any goroutine at any time. Frames go to
// whichever reader asks first; see [Sniffer.Next] for how long they live.
type Sniffer struct {
	b    Backend
	ifi  link.Interface
	snap uint32

	// out is what Send is: the Backend's own, where it has one that says what a
	// Sniffer says of errors, so that there is nothing in between, or else
	// [backendSender].
	out sender

	// cursor is where a Backend whose frames lie in blocks has got to in the
	// one that it reads, and nil for others. As long as there are frames behind
	// it, Next needs nothing else of the Backend. Guarded by turn.
	cursor *sys.Cursor

	// flags holds what a reader must look at before it reads. It is one word,
	// so that looking costs one load per frame.
	flags atomic.Uint32

	turn      turn       // held by whoever may call b's exclusive methods
	state     state      // guarded by turn
	scratch   link.Frame // guarded by turn
	truncated atomic.Uint64

	deadlineMu sync.Mutex
	deadline   *time.Timer // sets flagExpired; nil when there is none
}

// state is what reading may expect.
type state uint8

const (
	idle     state = iota // nothing is captured and nothing is left
	active                // frames are captured
	draining              // nothing is captured and something may be left
)

// Bits of Sniffer.flags.
const (
	flagClosed  = 1 << iota // Close was called; stays
	flagExpired             // the read deadline has passed; until it is set anew
	flagWake                // something else happened; until a reader has looked
)

// Open prepares the capture of the interface called name, on Linux also of all
// interfaces as "any". A nil cfg asks for the defaults. Nothing is captured before [Sniffer.Activate]; sending is
// possible at once. The caller must call [Sniffer.Close].
//
// The error is an [*OpError]. It wraps [ErrNoInterface] for an unknown name,
// [ErrConfig] for an illegal configuration, [os.ErrPermission] where the
// process lacks a privilege, and [errors.ErrUnsupported] on platforms without
// a backend and for a backend that the platform does not have.
func Open(name string, cfg *Config) (*Sniffer, error) {
	n, err := cfg.Normalize()
	if err != nil {
		return nil, opError("open", name, err)
	}
	ifi, err := interfaceByName(name)
	if err != nil {
		return nil, opError("open", name, err)
	}
	b, err := open(ifi, &n)
	if err != nil {
		return nil, opError("open", name, err)
	}
	return newSniffer(b, &n), nil
}

// interfaceByName finds the interface to open.
func interfaceByName(name string) (link.Interface, error) {
	if ifi, ok := pseudoInterface(name); ok {
		return ifi, nil
	}
	ifi, err := link.InterfaceByName(name)
	if e, ok := errors.AsType[*link.InterfaceError](err); ok {
		err = &noInterface{e}
	}
	return ifi, err
}

// NewSniffer makes a Sniffer of a backend, which belongs to the Sniffer from
// then on. Of cfg, the Sniffer itself uses SnapLen only; the backend does what
// it can with the rest. The error wraps [ErrConfig].
func NewSniffer(b Backend, cfg *Config) (*Sniffer, error) {
	n, err := cfg.Normalize()
	if err != nil {
		return nil, opError("open", b.Interface().Name, err)
	}
	return newSniffer(b, &n), nil
}

func newSniffer(b Backend, cfg *Config) *Sniffer {
	s := &Sniffer{b: b, ifi: b.Interface(), snap: uint32(min(cfg.SnapLen, 1<<31-1))}
	if c, ok := b.(interface{ cursor() *sys.Cursor }); ok {
		s.cursor = c.cursor()
	}
	s.out = (*backendSender)(s)
	if o, ok := b.(interface{ sender() sender }); ok {
		if own := o.sender(); own != nil {
			s.out = own
		}
	}
	s.turn.init()
	return s
}

// Interface returns the interface as it was when s was opened.
func (s *Sniffer) Interface() link.Interface { return s.ifi }

// Backend tells how the frames get to the program: the type that [Config]
// asked for or that [Open] chose, and its details in words. A Backend that does
// not describe itself has the zero value.
func (s *Sniffer) Backend() BackendInfo {
	if d, ok := s.b.(Describer); ok {
		return d.Describe()
	}
	return BackendInfo{}
}

// Link says how the first byte of every frame is read, and written.
func (s *Sniffer) Link() link.Type { return s.ifi.Link }

// Activate captures, from now on, the frames that filter accepts: nil, like an
// empty filter, accepts all of them, in both directions. filter is a classic
// BPF program, for instance what [bpf.Assemble] returns; the number that it
// returns for a frame is how many of its bytes to keep, up to
// [Config.SnapLen], and 0 is none of it. It is written for the frames as they are
// read, also where a cooked header stands in for their own.
//
// Every frame read after Activate was accepted by filter, also when the
// Sniffer was active before: Activate rejects everything, forgets what was
// captured and not yet read, and sets the filter, in this order. Frames in
// between are neither captured nor counted as dropped. A reader that waits
// goes on waiting.
//
// The frame that was read last stays valid, and so does the part of the buffer
// that it lies in. Where the buffer was full, frames are therefore dropped, and
// counted, until the next one is read or waited for.
//
// The error wraps [ErrFilter], and what was active stays active, when the
// program is malformed; [ErrLocked] after [Sniffer.Lock]. When the operating
// system does not accept a filter, the Sniffer is left deactivated with
// nothing to read.
func (s *Sniffer) Activate(filter []bpf.RawInstruction) error {
	return opError("activate", s.ifi.Name, s.exclusively(func() error {
		prog, err := withSnapLen(filter, s.snap)
		if err != nil {
			return err
		}
		if err := s.b.Stop(); err != nil {
			return err
		}
		s.state = idle
		if err := s.b.Discard(); err != nil {
			return err
		}
		if err := s.b.Start(prog); err != nil {
			return err
		}
		s.state = active
		return nil
	}))
}

// Deactivate ends the capture. Frames that were captured before and not yet
// read stay readable; behind the last of them, reading fails with
// [ErrNotActive]. It does nothing when the Sniffer is not active. After
// [Sniffer.Lock] the error wraps [ErrLocked], and the capture goes on.
func (s *Sniffer) Deactivate() error {
	return opError("deactivate", s.ifi.Name, s.exclusively(func() error {
		if s.state != active {
			return nil
		}
		if err := s.b.Stop(); err != nil {
			return err
		}
		s.state = draining
		return nil
	}))
}

// Lock makes the filter that is set now the last one: afterwards, Activate and
// Deactivate fail with [ErrLocked]. It cannot be undone. A program locks
// before it gives up its privileges, so that nobody who takes it over captures
// anything else. On Linux this is SO_LOCK_FILTER, socket(7).
func (s *Sniffer) Lock() error {
	return opError("lock", s.ifi.Name, s.exclusively(s.b.Lock))
}

// Next waits for the next frame and fills f.
//
// f.Data lies in the capture buffer: it is valid until the next frame is read
// from s, by whomever, or until Close; [link.Frame.Clone] keeps it. It may be
// written to in the meantime, and appending to it copies. Bytes that somebody
// reads during or after Close are still there, without any promise what they
// say, as long as s can be reached.
//
// The error is an [*OpError] around [ErrNotActive], [net.ErrClosed],
// [os.ErrDeadlineExceeded], [ErrInterfaceDown], [ErrInterfaceGone] or another
// reason. Only after [net.ErrClosed] and [ErrInterfaceGone] is there nothing
// more to read. Next does not allocate.
func (s *Sniffer) Next(f *link.Frame) error {
	// Nearly always the frame lies in a block that was begun, and nobody wants
	// anything else of s.
	if s.cursor != nil && s.turn.try() {
		if s.flags.Load() == 0 {
			if ok, err := s.cursor.Next(f); ok {
				s.fill(f)
				s.turn.release()
				return nil
			} else if err != nil {
				return opError("read", s.ifi.Name, s.leave(err))
			}
		}
		s.turn.release()
	}
	return s.next(context.Background(), f)
}

// NextBatch is [Sniffer.Next] for many frames: it waits for the first one, takes
// with it those behind it that are there already, up to len(frames), and
// returns how many they are. It is for programs that read more than some
// hundred thousand frames a second: what a read costs besides the frame is
// divided by their number, and the processor fetches one frame from memory
// while it looks at another.
//
// The Data of all of them are valid until the next frame is read from s, as with
// Next. There is at least one frame or an error, which is that of Next, and
// never both; where frames has no room there is neither. A Backend that is no
// [BatchReader] returns one frame each time. NextBatch does not allocate.
func (s *Sniffer) NextBatch(frames []link.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	b, ok := s.b.(BatchReader)
	if !ok || len(frames) == 1 {
		if err := s.Next(&frames[0]); err != nil {
			return 0, err
		}
		return 1, nil
	}
	n := 0
	err := s.read(context.Background(), func() (err error) {
		n, err = b.NextBatch(frames)
		return err
	})
	if err != nil {
		return 0, opError("read", s.ifi.Name, err)
	}
	for i := range frames[:n] {
		s.fill(&frames[i])
	}
	s.turn.release()
	return n, nil
}

// ReadInto waits for the next frame and copies it into buf. The result's Data
// is a prefix of buf, shorter than the frame when buf is; Truncated and
// WireLen of the result tell. Unlike with [Sniffer.Next], the frame stays what
// it is when others read from s. Errors are those of Next.
func (s *Sniffer) ReadInto(buf []byte) (link.Frame, error) {
	// A local variable would escape through the Backend, one per call.
	if err := s.readFrame(context.Background(), &s.scratch); err != nil {
		return link.Frame{}, opError("read", s.ifi.Name, err)
	}
	f := s.scratch
	n := copy(buf, f.Data)
	if n < len(f.Data) && !f.Truncated() {
		s.truncated.Add(1)
	}
	f.Data = buf[:n:n]
	s.turn.release()
	return f, nil
}

// Frames returns the frames that are read from now on, as [Sniffer.Next]
// returns them: a frame's Data is valid until the next iteration.
//
// The sequence ends when ctx does, with an error that wraps [context.Canceled]
// or [context.DeadlineExceeded], and after any other error of Next. It ends
// without an error when the Sniffer is deactivated, before or during the
// iteration, and everything was read. After an error that is not final,
// another sequence can be started.
func (s *Sniffer) Frames(ctx context.Context) iter.Seq2[link.Frame, error] {
	return func(yield func(link.Frame, error) bool) {
		stop := context.AfterFunc(ctx, func() { s.wake(flagWake) })
		defer stop()
		var f link.Frame
		for first := true; ; first = false {
			if err := s.next(ctx, &f); err != nil {
				if first && !errors.Is(err, errDrained) || !errors.Is(err, ErrNotActive) {
					yield(link.Frame{}, err)
				}
				return
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

// Send transmits b, from the first byte of the link header, exactly as it is.
// It does not need Activate. An active Sniffer captures the frame, too, with
// [link.DirectionOut].
//
// The error wraps [ErrFrameSize] when the interface does not take a frame of
// this length, [ErrInterfaceDown] when it is down, and [errors.ErrUnsupported]
// where frames have no header of their own.
func (s *Sniffer) Send(b []byte) error { return s.out.Send(b) }

// sender sends a frame. Its errors are those of [Sniffer.Send].
type sender interface{ Send(b []byte) error }

// backendSender sends by a Sniffer's Backend.
type backendSender Sniffer

func (s *backendSender) Send(b []byte) error {
	err := net.ErrClosed
	if s.flags.Load()&flagClosed == 0 {
		err = s.b.Send(b)
	}
	return opError("send", s.ifi.Name, err)
}

// SendBatch is [Sniffer.Send] for many frames: it transmits them in order and
// returns how many of them went out. The error says why the next one did not;
// it is nil exactly when all did. On Linux it costs a system call for up to
// 64 frames.
func (s *Sniffer) SendBatch(frames [][]byte) (int, error) {
	if s.flags.Load()&flagClosed != 0 {
		return 0, opError("send", s.ifi.Name, net.ErrClosed)
	}
	if b, ok := s.b.(BatchSender); ok {
		n, err := b.SendBatch(frames)
		return n, opError("send", s.ifi.Name, err)
	}
	for i, b := range frames {
		if err := s.b.Send(b); err != nil {
			return i, opError("send", s.ifi.Name, err)
		}
	}
	return len(frames), nil
}

// SetReadDeadline makes every read fail with [os.ErrDeadlineExceeded] once t
// has passed, those that wait now included, until another deadline is set.
// The zero time means no deadline.
func (s *Sniffer) SetReadDeadline(t time.Time) error {
	s.deadlineMu.Lock()
	defer s.deadlineMu.Unlock()
	if s.flags.Load()&flagClosed != 0 {
		return opError("deadline", s.ifi.Name, net.ErrClosed)
	}
	if s.deadline != nil {
		s.deadline.Stop()
		s.deadline = nil
	}
	s.flags.And(^uint32(flagExpired))
	switch d := time.Until(t); {
	case t.IsZero():
	case d <= 0:
		s.wake(flagExpired)
	default:
		var timer *time.Timer
		timer = time.AfterFunc(d, func() {
			s.deadlineMu.Lock()
			defer s.deadlineMu.Unlock()
			if s.deadline == timer { // no other deadline was set meanwhile
				s.wake(flagExpired)
			}
		})
		s.deadline = timer
	}
	return nil
}

// Stats returns what became of the frames since Open.
func (s *Sniffer) Stats() (Stats, error) {
	if s.flags.Load()&flagClosed != 0 {
		return Stats{}, opError("stats", s.ifi.Name, net.ErrClosed)
	}
	st, err := s.b.Stats()
	if err != nil {
		return Stats{}, opError("stats", s.ifi.Name, err)
	}
	st.Truncated = s.truncated.Load()
	return st, nil
}

// SyscallConn gives access to what the frames are read from: on Linux, the
// AF_PACKET socket, or an epoll set with the AF_XDP sockets in it. What the kernel is told through it may break the promises
// of s. The error wraps [errors.ErrUnsupported] where there is no descriptor.
func (s *Sniffer) SyscallConn() (syscall.RawConn, error) {
	if s.flags.Load()&flagClosed != 0 {
		return nil, opError("syscallconn", s.ifi.Name, net.ErrClosed)
	}
	c, err := s.b.SyscallConn()
	return c, opError("syscallconn", s.ifi.Name, err)
}

// Close ends the capture and gives all resources up. Reads that wait, and all
// later calls, fail with [net.ErrClosed].
func (s *Sniffer) Close() error {
	if s.flags.Or(flagClosed)&flagClosed != 0 {
		return opError("close", s.ifi.Name, net.ErrClosed)
	}
	s.deadlineMu.Lock()
	if s.deadline != nil {
		s.deadline.Stop()
		s.deadline = nil
	}
	s.deadlineMu.Unlock()
	// Readers leave first: the buffer must not go while one is inside.
	s.turn.claim(s.interrupt)
	defer s.turn.release()
	s.state = idle
	return opError("close", s.ifi.Name, s.b.Close())
}

// next is Next with a context.
func (s *Sniffer) next(ctx context.Context, f *link.Frame) error {
	if err := s.readFrame(ctx, f); err != nil {
		return opError("read", s.ifi.Name, err)
	}
	s.turn.release()
	return nil
}

// readFrame takes the turn and reads one frame. It keeps the turn, unless it
// returns an error.
func (s *Sniffer) readFrame(ctx context.Context, f *link.Frame) error {
	err := s.read(ctx, func() error { return s.b.Next(f) })
	if err == nil {
		s.fill(f)
	}
	return err
}

// fill fills in what a Backend does not know of a frame. The turn is held.
func (s *Sniffer) fill(f *link.Frame) {
	f.Link = s.ifi.Link
	if f.Truncated() {
		s.truncated.Add(1)
	}
}

// read takes the turn and calls next, one of the Backend's ways of reading. It
// keeps the turn, unless it returns an error.
func (s *Sniffer) read(ctx context.Context, next func() error) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	for {
		if s.flags.Load() != 0 {
			// First take note, then look: what comes after is not missed.
			flags := s.flags.And(^uint32(flagWake))
			switch {
			case flags&flagClosed != 0:
				return s.leave(net.ErrClosed)
			case flags&flagExpired != 0:
				return s.leave(os.ErrDeadlineExceeded)
			case s.turn.claimed():
				s.turn.release()
				if err := s.acquire(ctx); err != nil {
					return err
				}
			}
		}
		if err := contextError(ctx); err != nil {
			return s.leave(err)
		}
		if s.state == idle {
			return s.leave(ErrNotActive)
		}
		switch err := next(); {
		case err == nil:
			return nil
		case err == ErrInterrupted:
		case err == ErrNotActive:
			s.state = idle
			return s.leave(errDrained)
		default:
			return s.leave(err)
		}
	}
}

// acquire takes the turn to read, or returns why there is no point in waiting
// for it.
func (s *Sniffer) acquire(ctx context.Context) error {
	if s.turn.try() {
		return nil
	}
	return s.turn.wait(func() error {
		switch flags := s.flags.Load(); {
		case flags&flagClosed != 0:
			return net.ErrClosed
		case flags&flagExpired != 0:
			return os.ErrDeadlineExceeded
		}
		return contextError(ctx)
	})
}

// leave lets go of the turn and returns err.
func (s *Sniffer) leave(err error) error {
	s.turn.release()
	return err
}

// exclusively runs f with no reader inside, on an open Sniffer.
func (s *Sniffer) exclusively(f func() error) error {
	s.turn.claim(s.interrupt)
	defer s.turn.release()
	if s.flags.Load()&flagClosed != 0 {
		return net.ErrClosed
	}
	return f()
}

// reset ends the capture and forgets what was captured, as far as it can be
// done.
func (s *Sniffer) reset() {
	// There is an error already, which says more.
	_ = s.exclusively(func() error {
		if err := s.b.Stop(); err != nil {
			return err
		}
		s.state = idle
		return s.b.Discard()
	})
}

// interrupt makes a reader that waits in the backend look around.
func (s *Sniffer) interrupt() { s.wake(flagWake) }

// wake sets flag and makes all readers see it, the one in the backend and those
// that wait for their turn. The flag comes first: a reader that misses it has
// not begun to wait when the interruption arrives.
func (s *Sniffer) wake(flag uint32) {
	s.flags.Or(flag)
	s.b.Interrupt()
	s.turn.broadcast()
}

// contextError returns why ctx ended, or nil.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
