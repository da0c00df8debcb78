package cli

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gopkts/gopkts/capture"
)

// counters are what became of frames that were to be sent.
type counters struct {
	packets atomic.Int64 // sent
	bytes   atomic.Int64 // sent
	failed  atomic.Int64 // refused by the interface
	cut     atomic.Int64 // passed over, because the file has only a part
	retries atomic.Int64 // times that the queue of the interface was full

	start time.Time
	took  time.Duration
}

func (c *counters) begin() { c.start = time.Now() }
func (c *counters) end()   { c.took = time.Since(c.start) }

// Sizes of a batch.
const (
	batchFrames = 64        // as many as one system call takes
	batchData   = 128 << 10 // more is sent without waiting for the rest
)

// retryAfter is how long sending pauses when the interface's queue is full.
const retryAfter = 200 * time.Microsecond

// sender sends frames when they are due, and together those that are due at
// once.
type sender struct {
	app       *app
	ctx       context.Context
	s         *capture.Sniffer
	pacer     *capture.Pacer
	keepGoing bool

	seen   int // given to send
	data   []byte
	frames [][]byte
	warned bool

	counters
}

// send sends a frame when it is due. It keeps no reference to b.
func (s *sender) send(b []byte, at time.Time) error {
	if len(s.frames) > 0 && !s.pacer.Ready(len(b), at) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if err := s.pacer.Wait(s.ctx, len(b), at); err != nil {
		return err
	}
	s.seen++
	start := len(s.data)
	if start+len(b) > cap(s.data) {
		// There is no room, and what is there must not move.
		if err := s.flush(); err != nil {
			return err
		}
		start = 0
		if len(b) > cap(s.data) {
			s.data = make([]byte, 0, max(batchData, len(b)))
		}
	}
	s.data = append(s.data, b...)
	s.frames = append(s.frames, s.data[start:])
	if len(s.frames) >= batchFrames {
		return s.flush()
	}
	return nil
}

// flush sends what was collected. A frame that the interface does not take is
// counted, and those behind it are sent.
func (s *sender) flush() error {
	left := s.frames
	s.frames, s.data = s.frames[:0], s.data[:0]
	for len(left) > 0 {
		n, err := s.s.SendBatch(left)
		bytes := 0
		for _, b := range left[:n] {
			bytes += len(b)
		}
		s.packets.Add(int64(n))
		s.bytes.Add(int64(bytes))
		left = left[n:]
		switch {
		case err == nil:
			return nil
		case isQueueFull(err):
			// The queue of the interface is full for now.
			if s.ctx.Err() != nil {
				return s.ctx.Err()
			}
			s.retries.Add(1)
			time.Sleep(retryAfter)
			continue
		case errors.Is(err, capture.ErrFrameSize), s.keepGoing && s.ctx.Err() == nil:
			s.failed.Add(1)
			if !s.warned {
				s.warned = true
				s.app.warn(fmt.Errorf("%s (packets that cannot be sent are counted from here on)", errorText(err)))
			}
			left = left[1:]
		default:
			s.failed.Add(1)
			return err
		}
	}
	return nil
}

// print tells what was sent and how fast.
func (s *sender) print() {
	seconds := max(s.took.Seconds(), 1e-6)
	n, bytes := s.packets.Load(), s.bytes.Load()
	fmt.Fprintf(s.app.err, "%d packets, %d bytes sent in %.3f s: %s, %s; %d failed\n", n, bytes, s.took.Seconds(),
		rateText(float64(n)/seconds, "packets/s"), rateText(8*float64(bytes)/seconds, "bit/s"), s.failed.Load())
	if n := s.cut.Load(); n > 0 {
		fmt.Fprintf(s.app.err, "%d packets passed over, of which the file has only a part: --truncated sends that\n", n)
	}
	if n := s.retries.Load(); n > 0 {
		fmt.Fprintf(s.app.err, "the queue of the interface was full %d times\n", n)
	}
	if d := s.pacer.Slipped(); d > 0 {
		fmt.Fprintf(s.app.err, "%v behind the schedule: this machine does not send that fast\n", d.Round(time.Millisecond))
	}
}

// statusText returns what tells how sending goes.
func (s *sender) statusText() func(now time.Time) string {
	st := newStatus()
	return func(now time.Time) string {
		text := st.text(now, uint64(s.packets.Load()), uint64(s.bytes.Load()))
		return fmt.Sprintf("%s, %d failed", text, s.failed.Load())
	}
}
