package capture

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"
)

// Pacer says when the next frame is due: by packets a second, by bits a second
// or by the times of a file. What limits is set before the first frame; when
// several limits are, a frame waits for all of them. The zero value has none,
// and makes nobody wait.
//
//	p := capture.Pacer{PacketsPerSecond: 1000}
//	for frame := range frames {
//		if err := p.Wait(ctx, len(frame.Data), frame.Time); err != nil {
//			return err
//		}
//		if err := s.Send(frame.Data); err != nil {
//			return err
//		}
//	}
//
// At high rates several frames are due at once, and [Sniffer.SendBatch] sends
// them together: collect frames as long as [Pacer.Ready] says so, send what was
// collected, and only then Wait. A sender that is slower than the rate gets
// larger batches by itself.
//
// The first frame is due at once, and every other one by its place in the
// schedule and not by when the one before it went out, so that delays do not
// add up. Frames that are late are made up for, back to back, up to CatchUp;
// what is later than that is given up, and [Pacer.Slipped] tells how much it
// was.
//
// On Linux, Wait sleeps with nanosleep until 150 µs before the time and spins
// for the rest, the last 30 µs without giving other goroutines a turn: this
// costs up to that much of a processor per wait. Measured on a virtual machine
// with two processors and other work (Linux 6.18, 1000 waits a second, program
// at real-time priority by chrt -f 50), Wait returned less than 0.4 µs late in
// the median and about 1 µs late at the 95th percentile; without the priority
// the median is the same, and the rest is what the machine's other programs take
// (BenchmarkPacerLate measures it). Elsewhere Wait sleeps with package time and
// spins for the last 2 ms.
//
// A Pacer is for one goroutine at a time, and does not allocate per frame. It
// must not be copied after its first use.
type Pacer struct {
	// PacketsPerSecond is the most frames a second. 0 is no limit.
	PacketsPerSecond float64

	// BitsPerSecond is the most bits a second, of the frames as they are given
	// plus Overhead bytes for each. 0 is no limit.
	BitsPerSecond float64
	// Overhead is what a frame takes on the wire besides its own bytes, in
	// bytes. For an Ethernet frame without its FCS that is 24: 8 of preamble, 4
	// of FCS, and 12 of gap. 0 counts the frames' own bytes.
	Overhead int

	// Speed makes frames follow each other as their times do, Speed times as
	// fast: 1 is as they were captured, 2 in half the time. A frame that is
	// earlier than one before it, or that has no time, is due at once. 0 ignores
	// the times.
	Speed float64

	// CatchUp is how late a frame may be and still not move those behind it,
	// which then follow without a pause until the schedule is met again. 0 means
	// [DefaultCatchUp]. With a negative value nothing is caught up.
	CatchUp time.Duration

	// clock is the real one if it is nil.
	clock pacerClock

	state    pacerState
	perFrame float64 // nanoseconds
	perBit   float64 // nanoseconds
	catchUp  time.Duration
	now      time.Duration // when the clock was read last
	epoch    time.Time     // what the real clock counts from
	timer    *time.Timer

	// The schedule: what was counted since base. Together they say when the
	// next frame is due without a sum of rounded numbers.
	base   time.Duration
	frames int64
	bits   int64

	// The times of the frames: first is at fileBase.
	fileBase time.Duration
	first    time.Time
	last     time.Duration // when the frame before was due
	slipped  time.Duration
}

// DefaultCatchUp is how late a frame may be without moving those behind it when
// [Pacer.CatchUp] is 0.
const DefaultCatchUp = 100 * time.Millisecond

// pacerSpin is how long before the time the goroutine keeps its processor.
const pacerSpin = 30 * time.Microsecond

type pacerState uint8

const (
	pacerNew  pacerState = iota
	pacerIdle            // there is nothing to wait for
	pacerOn
)

// pacerClock is time for tests.
type pacerClock interface {
	now() time.Duration
	sleep(ctx context.Context, d time.Duration)
}

// Ready reports whether a frame of n bytes with the time at is due: whether
// [Pacer.Wait] would return at once. It counts nothing.
func (p *Pacer) Ready(n int, at time.Time) bool {
	if p.state == pacerNew && p.start() != nil {
		return true // Wait says why not
	}
	if p.state == pacerIdle {
		return true
	}
	due := p.due(at)
	if due <= p.now {
		return true // the clock does not go back
	}
	p.now = p.read()
	return due <= p.now
}

// Wait waits until a frame of n bytes with the time at is due, and counts it as
// sent. The time matters to Speed only, and n to BitsPerSecond.
//
// The error is that of ctx, and then the frame was not counted; or it wraps
// [ErrConfig] when a limit is negative or not a number.
func (p *Pacer) Wait(ctx context.Context, n int, at time.Time) error {
	if p.state == pacerNew {
		if err := p.start(); err != nil {
			return err
		}
	}
	if err := contextError(ctx); err != nil {
		return err
	}
	if p.state == pacerIdle {
		return nil
	}
	due := p.due(at)
	if due > p.now {
		for p.now = p.read(); due > p.now; p.now = p.read() {
			p.sleep(ctx, due-p.now)
			if err := contextError(ctx); err != nil {
				return err
			}
		}
	} else if p.now-due > p.catchUp || p.frames&lateCheck == 0 {
		// now may be old, and the frame later than it says.
		p.now = p.read()
	}
	p.count(n, at, due)
	return nil
}

// lateCheck is how often, in frames, the clock is read although the frame is
// known to be late, to find out how late.
const lateCheck = 1<<6 - 1

// Restart says that the frames that follow are from another source, such as the
// same file once more: the first of them is due at once after those before it,
// and their times count from there. Only Speed looks at it.
func (p *Pacer) Restart() { p.first = time.Time{} }

// Slipped returns how much time was given up because frames were later than
// CatchUp: how much longer sending took than it should have.
func (p *Pacer) Slipped() time.Duration { return p.slipped }

// start reads the limits.
func (p *Pacer) start() error {
	for _, l := range [...]struct {
		name string
		v    float64
	}{{"PacketsPerSecond", p.PacketsPerSecond}, {"BitsPerSecond", p.BitsPerSecond}, {"Speed", p.Speed}} {
		if !(l.v >= 0) {
			return illegal("Pacer.%s is %v: must not be negative", l.name, l.v)
		}
	}
	if p.Overhead < 0 {
		return illegal("Pacer.Overhead is %d: must not be negative", p.Overhead)
	}
	// An infinite rate is no limit, too, and an infinite speed has no pauses.
	if p.PacketsPerSecond > 0 {
		p.perFrame = 1e9 / p.PacketsPerSecond
	}
	if p.BitsPerSecond > 0 {
		p.perBit = 1e9 / p.BitsPerSecond
	}
	switch p.catchUp = p.CatchUp; {
	case p.CatchUp == 0:
		p.catchUp = DefaultCatchUp
	case p.CatchUp < 0:
		p.catchUp = 0
	}
	if p.perFrame == 0 && p.perBit == 0 && p.Speed == 0 {
		p.state = pacerIdle
		return nil
	}
	p.state = pacerOn
	p.epoch = time.Now()
	p.now = p.read()
	p.base, p.last = p.now, p.now
	return nil
}

// due returns when the next frame is due.
func (p *Pacer) due(at time.Time) time.Duration {
	due := p.base
	if p.perFrame != 0 {
		due = p.base + nanoseconds(float64(p.frames)*p.perFrame)
	}
	if p.perBit != 0 {
		due = max(due, p.base+nanoseconds(float64(p.bits)*p.perBit))
	}
	if p.Speed != 0 && !at.IsZero() && !p.first.IsZero() {
		due = max(due, p.fileBase+nanoseconds(float64(at.Sub(p.first))/p.Speed))
	}
	return due
}

// nanoseconds returns a duration that is not longer than a century, so that
// sums do not overflow.
func nanoseconds(ns float64) time.Duration {
	return time.Duration(min(max(ns, 0), math.MaxInt64/4))
}

// count counts a frame that was due and goes out at p.now.
func (p *Pacer) count(n int, at time.Time, due time.Duration) {
	if late := p.now - due - p.catchUp; late > 0 && due >= p.last {
		p.base += late
		p.fileBase += late
		due += late
		p.slipped += late
	}
	p.frames++
	p.bits += 8 * int64(n+p.Overhead)
	p.last = max(p.last, due)
	if p.Speed != 0 && p.first.IsZero() && !at.IsZero() {
		p.first, p.fileBase = at, p.last
	}
}

// read returns the time.
func (p *Pacer) read() time.Duration {
	if p.clock != nil {
		return p.clock.now()
	}
	return time.Since(p.epoch)
}

// sleep waits for at most d, and less when ctx ends.
func (p *Pacer) sleep(ctx context.Context, d time.Duration) {
	switch {
	case p.clock != nil:
		p.clock.sleep(ctx, d)
	case d > pacerPollMargin:
		// The runtime's timers may be more than a millisecond late.
		if p.timer == nil {
			p.timer = time.NewTimer(d - pacerPollMargin)
		} else {
			p.timer.Reset(d - pacerPollMargin)
		}
		select {
		case <-ctx.Done():
			p.timer.Stop()
		case <-p.timer.C:
		}
	case d > pacerNapMargin:
		nap(d - pacerNapMargin)
	case d > pacerSpin:
		runtime.Gosched()
	}
}

// String tells the limits.
func (p *Pacer) String() string {
	var limits []string
	if v := p.PacketsPerSecond; v != 0 {
		limits = append(limits, fmt.Sprintf("%g packets/s", v))
	}
	if v := p.BitsPerSecond; v != 0 {
		limits = append(limits, fmt.Sprintf("%g bit/s", v))
	}
	switch v := p.Speed; v {
	case 0:
	case 1:
		limits = append(limits, "as captured")
	default:
		limits = append(limits, fmt.Sprintf("%g times as fast as captured", v))
	}
	if len(limits) == 0 {
		return "no limit"
	}
	return strings.Join(limits, ", ")
}
