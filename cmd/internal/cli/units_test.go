package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7_008_009, time.UTC)
	tests := []struct {
		style  timeStyle
		digits int
		times  []time.Time
		want   string
	}{
		{timeClock, 6, []time.Time{at, at.Add(time.Second)}, "04:05:06.007008 04:05:07.007008 "},
		{timeClock, 9, []time.Time{at}, "04:05:06.007008009 "},
		{timeDate, 6, []time.Time{at, at.Add(24 * time.Hour)}, "2026-02-03 04:05:06.007008 2026-02-04 04:05:06.007008 "},
		{timeEpoch, 9, []time.Time{at}, "1770091506.007008009 "},
		{timeNone, 6, []time.Time{at}, ""},
		{timeDelta, 6, []time.Time{at, at.Add(time.Millisecond), at}, " 00:00:00.000000  00:00:00.001000 -00:00:00.001000 "},
		{timeDeltaFirst, 9, []time.Time{at, at.Add(time.Second), at.Add(100 * time.Hour)}, " 00:00:00.000000000  00:00:01.000000000  100:00:00.000000000 "},
		{timeClock, 6, []time.Time{{}}, "--:--:-- "},
	}
	for _, tt := range tests {
		c := clock{style: tt.style, zone: time.UTC, digits: tt.digits}
		var b []byte
		for _, at := range tt.times {
			b = c.append(b, at)
		}
		if string(b) != tt.want {
			t.Errorf("%s: %q, want %q", timeStyles[tt.style], b, tt.want)
		}
	}
	c := clock{zone: time.UTC, digits: 6}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf = c.append(buf[:0], at) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestHexdumpOffsets(t *testing.T) {
	s := string(appendHexdump(nil, make([]byte, 0x10001), false))
	for _, want := range []string{"\t0x0000:  0000 ", "\n\t0xfff0:  ", "\n\t0x10000:  00\n"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	for range 2 * progressCheck {
		p.step("x", 1)
	}
	p.done()
	if b.Len() > 0 {
		t.Errorf("it is no terminal, and got %q", b.String())
	}
	p = &progress{w: &b, start: time.Now().Add(-2 * progressAfter)}
	for i := range 2 * progressCheck {
		p.step("x", i)
	}
	p.done()
	if want := "\r\x1b[Kx: 4095 packets\r\x1b[K"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestColors(t *testing.T) {
	var b bytes.Buffer
	for mode, want := range map[string]bool{"always": true, "never": false, "auto": false} {
		if got, err := colors(mode, &b); got != want || err != nil {
			t.Errorf("%s: %v, %v", mode, got, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	for s, want := range map[string]string{"pcap: x": "x", "pkts: pcap: x": "pcap: x", "x": "x"} {
		if got := errorText(usagef("%s", s)); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
