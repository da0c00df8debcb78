package capture

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

// testClock stands still except when somebody sleeps.
type testClock struct {
	t      time.Duration
	sleeps int
	lag    time.Duration // how much longer sleeping takes
}

func (c *testClock) now() time.Duration { return c.t }

func (c *testClock) sleep(_ context.Context, d time.Duration) {
	c.t += d + c.lag
	c.sleeps++
}

// send lets frames of n bytes pass, one for each time, and returns when they
// did, from the first on.
func send(t *testing.T, p *Pacer, n int, at ...time.Time) []time.Duration {
	t.Helper()
	c := p.clock.(*testClock)
	start := c.t
	var went []time.Duration
	for _, at := range at {
		ready, before := p.Ready(n, at), c.t
		if err := p.Wait(t.Context(), n, at); err != nil {
			t.Fatal(err)
		}
		if ready != (c.t == before) {
			t.Errorf("Ready = %v, and Wait took %v", ready, c.t-before)
		}
		went = append(went, c.t-start)
	}
	return went
}

// times returns moments that are so many milliseconds after one.
func times(ms ...float64) []time.Time {
	var ts []time.Time
	for _, ms := range ms {
		ts = append(ts, time.Unix(1_700_000_000, 0).Add(time.Duration(ms*1e6)))
	}
	return ts
}

func milliseconds(ms ...float64) []time.Duration {
	var ds []time.Duration
	for _, ms := range ms {
		ds = append(ds, time.Duration(ms*1e6))
	}
	return ds
}

func TestPacerSchedule(t *testing.T) {
	none := make([]time.Time, 4)
	for _, tt := range []struct {
		name string
		p    Pacer
		at   []time.Time
		want []time.Duration
	}{
		{"no limit", Pacer{}, none, milliseconds(0, 0, 0, 0)},
		{"packets", Pacer{PacketsPerSecond: 1000}, none, milliseconds(0, 1, 2, 3)},
		{"packets per hour", Pacer{PacketsPerSecond: 1. / 3600}, none[:2], milliseconds(0, 3600e3)},
		{"bits", Pacer{BitsPerSecond: 800e3}, none, milliseconds(0, 1, 2, 3)},
		{"bits with overhead", Pacer{BitsPerSecond: 800e3, Overhead: 100}, none, milliseconds(0, 2, 4, 6)},
		{"the slower of two", Pacer{BitsPerSecond: 800e3, PacketsPerSecond: 250}, none, milliseconds(0, 4, 8, 12)},
		{"infinite", Pacer{BitsPerSecond: math.Inf(1), PacketsPerSecond: math.Inf(1), Speed: math.Inf(1)}, times(0, 5, 6, 7), milliseconds(0, 0, 0, 0)},
		{"as captured", Pacer{Speed: 1}, times(0, 5, 6, 100), milliseconds(0, 5, 6, 100)},
		{"twice as fast", Pacer{Speed: 2}, times(0, 5, 6, 100), milliseconds(0, 2.5, 3, 50)},
		{"slow motion", Pacer{Speed: 0.5}, times(0, 5, 6, 100), milliseconds(0, 10, 12, 200)},
		{"out of order", Pacer{Speed: 1}, times(10, 20, 15, 5, 30), milliseconds(0, 10, 10, 10, 20)},
		{"without a time", Pacer{Speed: 1}, []time.Time{{}, times(0)[0], {}, times(7)[0], {}}, milliseconds(0, 0, 0, 7, 7)},
		{"as captured, with a limit", Pacer{Speed: 1, PacketsPerSecond: 200}, times(0, 1, 2, 100), milliseconds(0, 5, 10, 100)},
	} {
		tt.p.clock = &testClock{t: 12345}
		if got := send(t, &tt.p, 100, tt.at...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if s := tt.p.Slipped(); s != 0 {
			t.Errorf("%s: slipped %v", tt.name, s)
		}
	}
}

// TestPacerCentury checks that a schedule neither drifts nor overflows.
func TestPacerCentury(t *testing.T) {
	c := new(testClock)
	p := Pacer{PacketsPerSecond: 3, clock: c}
	for range 3_000_001 {
		if err := p.Wait(t.Context(), 1, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if want := 1_000_000 * time.Second; c.t.Round(time.Microsecond) != want {
		t.Errorf("a million seconds took %v", c.t)
	}
	p = Pacer{PacketsPerSecond: 1e-300, clock: new(testClock)}
	send(t, &p, 1, make([]time.Time, 2)...)
	p = Pacer{Speed: 1e-300, clock: new(testClock)}
	send(t, &p, 1, time.Unix(0, 0), time.Unix(1<<40, 0))
}

// TestPacerRestart plays a file twice.
func TestPacerRestart(t *testing.T) {
	p := Pacer{Speed: 1, clock: new(testClock)}
	if got, want := send(t, &p, 1, times(3, 5, 9)...), milliseconds(0, 2, 6); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.Restart()
	if got, want := send(t, &p, 1, times(3, 5, 9)...), milliseconds(0, 2, 6); !slices.Equal(got, want) {
		t.Errorf("the second time: %v, want %v", got, want)
	}
}

func TestPacerLate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		catchUp time.Duration
		late    time.Duration // after the first frame
		want    []time.Duration
		slipped time.Duration
	}{
		{"catches up", 0, 50 * time.Millisecond, milliseconds(0, 50, 50, 50, 50, 50, 60), 0},
		// 160 ms late at 170 ms: 60 are given up, and 100 caught up.
		{"too late", 0, 170 * time.Millisecond, milliseconds(0, 170, 170, 170, 170, 170, 170), 60 * time.Millisecond},
		{"less patience", 15 * time.Millisecond, 50 * time.Millisecond, milliseconds(0, 50, 50, 55, 65, 75, 85), 25 * time.Millisecond},
		{"never", -1, 50 * time.Millisecond, milliseconds(0, 50, 60, 70, 80, 90, 100), 40 * time.Millisecond},
	} {
		c := new(testClock)
		p := Pacer{PacketsPerSecond: 100, CatchUp: tt.catchUp, clock: c}
		got := send(t, &p, 1, time.Time{})
		c.t += tt.late
		for range 6 {
			if err := p.Wait(t.Context(), 1, time.Time{}); err != nil {
				t.Fatal(err)
			}
			got = append(got, c.t)
		}
		if !slices.Equal(got, tt.want) || p.Slipped() != tt.slipped {
			t.Errorf("%s: %v, slipped %v, want %v, %v", tt.name, got, p.Slipped(), tt.want, tt.slipped)
		}
	}
}

// TestPacerSlow checks that a sender which never meets its schedule gets
// batches.
func TestPacerSlow(t *testing.T) {
	c := new(testClock)
	p := Pacer{PacketsPerSecond: 1e6, clock: c}
	batch, batches := 0, 0
	for range 100_000 {
		if batch == 64 || batch > 0 && !p.Ready(60, time.Time{}) {
			c.t += 200 * time.Microsecond // a system call
			batch, batches = 0, batches+1
		}
		if err := p.Wait(t.Context(), 60, time.Time{}); err != nil {
			t.Fatal(err)
		}
		batch++
	}
	if batches > 100_000/60 {
		t.Errorf("%d batches", batches)
	}
	// It took 100_000/64*200 µs and should have taken 100 ms.
	if s := p.Slipped(); s < 50*time.Millisecond || s > 250*time.Millisecond {
		t.Errorf("slipped %v", s)
	}
}

func TestPacerErrors(t *testing.T) {
	for _, p := range []Pacer{{PacketsPerSecond: -1}, {BitsPerSecond: math.NaN()}, {Speed: -0.5}, {Overhead: -1}} {
		if !p.Ready(1, time.Time{}) {
			t.Errorf("%v is never ready", &p)
		}
		if err := p.Wait(t.Context(), 1, time.Time{}); !errors.Is(err, ErrConfig) {
			t.Errorf("%v: %v", &p, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range []Pacer{{}, {PacketsPerSecond: 1}} {
		if err := p.Wait(ctx, 1, time.Time{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", &p, err)
		}
	}
}

func TestPacerString(t *testing.T) {
	for want, p := range map[string]*Pacer{
		"no limit":                      {},
		"1000 packets/s":                {PacketsPerSecond: 1000},
		"2.5 packets/s, 1e+06 bit/s":    {PacketsPerSecond: 2.5, BitsPerSecond: 1e6},
		"1000 packets/s, as captured":   {PacketsPerSecond: 1000, Speed: 1},
		"0.5 times as fast as captured": {Speed: 0.5},
	} {
		if p.String() != want {
			t.Errorf("%q, want %q", p.String(), want)
		}
	}
}

// TestPacerCancel ends a wait of an hour.
func TestPacerCancel(t *testing.T) {
	p := Pacer{PacketsPerSecond: 1. / 3600}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Wait(ctx, 1, time.Time{}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := p.Wait(ctx, 1, time.Time{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("it took %v", d)
	}
}

// TestPacerRate holds the real clock to the mean rate, with all patience for
// machines that do something else.
func TestPacerRate(t *testing.T) {
	p := Pacer{PacketsPerSecond: 2000, CatchUp: time.Hour}
	start := time.Now()
	for range 401 {
		if err := p.Wait(t.Context(), 1, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d < 200*time.Millisecond || d > 20*time.Second {
		t.Errorf("400 frames at 2000 a second took %v", d)
	}
}

func TestPacerNoAllocations(t *testing.T) {
	ctx := t.Context()
	p := Pacer{PacketsPerSecond: 2000}
	if err := p.Wait(ctx, 1, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		p.Ready(1, time.Time{})
		_ = p.Wait(ctx, 1, time.Time{})
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// TestPacerPrecision prints how late waits end; it needs an idle machine to say
// anything, and is not run unless asked for.
func BenchmarkPacerLate(b *testing.B) {
	ctx := b.Context()
	p := Pacer{PacketsPerSecond: 1000, CatchUp: time.Hour}
	var late []time.Duration
	for b.Loop() {
		if err := p.Wait(ctx, 1, time.Time{}); err != nil {
			b.Fatal(err)
		}
		late = append(late, time.Since(p.epoch)-p.last)
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2]), "ns-late-p50")
	b.ReportMetric(float64(late[len(late)*95/100]), "ns-late-p95")
	b.ReportMetric(float64(late[len(late)*99/100]), "ns-late-p99")
}

func BenchmarkPacerTopSpeed(b *testing.B) {
	ctx := b.Context()
	p := Pacer{PacketsPerSecond: 1e12}
	b.ReportAllocs()
	for b.Loop() {
		if p.Ready(60, time.Time{}) {
			_ = p.Wait(ctx, 60, time.Time{})
		}
	}
}
