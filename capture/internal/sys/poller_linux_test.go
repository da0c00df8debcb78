package sys

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestLinger tells a linger what pauses and waits bring, at one rate after the
// other, and wants it to pause as long as it can there.
func TestLinger(t *testing.T) {
	const room = 8 * minRoom
	for _, c := range []struct {
		name        string
		limit       time.Duration
		perMilli    float64 // frames
		pause       time.Duration
		busy, rush  bool
		fewerFrames bool // after each pause than the most
	}{
		{"none", 10 * time.Millisecond, 0, time.Millisecond, false, false, true},
		{"few", 10 * time.Millisecond, 0.5, time.Millisecond, false, false, true},
		{"many", 10 * time.Millisecond, 100, 8 * time.Millisecond, true, false, true},
		{"many, with a limit", 3 * time.Millisecond, 100, 3 * time.Millisecond, true, false, true},
		{"more", 10 * time.Millisecond, 900, 2 * time.Millisecond, true, false, true},
		{"a great many", 10 * time.Millisecond, 3000, time.Millisecond, true, false, true},
		{"too many", 10 * time.Millisecond, 9000, time.Millisecond, true, true, false},
		{"off", 0, 100, 0, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLinger(c.limit, room, room/4)
			pauses, frames := 0, 0
			for range 500 {
				if !l.due() {
					// A wait for one frame.
					between := time.Hour
					if c.perMilli > 0 {
						between = time.Duration(float64(time.Millisecond) / c.perMilli)
					}
					l.waited(between)
					continue
				}
				pauses++
				frames = int(c.perMilli * float64(l.pause/time.Millisecond))
				l.gathered(frames)
			}
			if l.busy != c.busy || l.rush > 0 != c.rush || (frames <= room/4) != c.fewerFrames {
				t.Errorf("busy %t, rush %d, %d frames after the last pause", l.busy, l.rush, frames)
			}
			if l.pause != c.pause {
				t.Errorf("pause of %v, want %v", l.pause, c.pause)
			}
			if most := 500 / rushWaits; c.rush && (pauses < 1 || pauses > most+1) || c.busy && !c.rush && pauses < 400 {
				t.Errorf("%d pauses", pauses)
			}
		})
	}
}

// TestLingerBounds wants every pause to be one that the limit and the room allow,
// whatever it brings.
func TestLingerBounds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		limit := time.Duration(rnd.IntN(20)) * time.Millisecond
		room := rnd.IntN(12 * minRoom)
		l := newLinger(limit, room, room/4)
		for range 50 {
			l.waited(time.Duration(rnd.Int64N(int64(2 * time.Millisecond))))
			if !l.due() {
				continue
			}
			p := l.pause
			if p < shortPause || p > limit || p%time.Millisecond != 0 || int(p/time.Millisecond)*minRoom > room {
				t.Fatalf("pause of %v, with a limit of %v and room for %d", p, limit, room)
			}
			l.gathered(rnd.IntN(1 + rnd.IntN(room)))
		}
	}
}
