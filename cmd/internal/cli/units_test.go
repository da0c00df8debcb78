package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
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

func TestFlagValues(t *testing.T) {
	for s, want := range map[string]int{
		"0": 0, "65536": 65536, "100B": 100, "1.5k": 1500, "2kB": 2000, "64MiB": 64 << 20, "1M": 1e6, "1GB": 1e9, "1GiB": 1 << 30,
		"": -1, "-1": -1, "k": -1, "1x": -1, "1e3": 1000, "1..2": -1, "NaN": -1, "99999999999999999999": -1, "0x10": -1,
	} {
		f := sizeFlag{bytes: -1}
		if err := f.Set(s); f.bytes != want || (err == nil) != (want >= 0) {
			t.Errorf("size %q: %d, %v", s, f.bytes, err)
		}
	}
	f := sizeFlag{plain: 1e6}
	if err := f.Set("1.5"); err != nil || f.bytes != 1_500_000 || f.String() != "1.5" {
		t.Errorf("%d, %v", f.bytes, err)
	}
	for s, want := range map[string]float64{"500": 500, "0.5": 0.5, "10k": 10e3, "1.5M": 1.5e6, "2G": 2e9, "0": 0, "-1": 0, "": 0, "1m": 0, "1Mbit": 0} {
		var f rateFlag
		if err := f.Set(s); f.rate != want || (err == nil) != (want > 0) {
			t.Errorf("rate %q: %v, %v", s, f.rate, err)
		}
	}
	for s, want := range map[string]time.Duration{"60": time.Minute, "0.5": 500 * time.Millisecond, "5m": 5 * time.Minute, "0": 0, "-1": -1, "x": -1} {
		f := secondsFlag{time: -1}
		if err := f.Set(s); f.time != want || (err == nil) != (want >= 0) {
			t.Errorf("time %q: %v, %v", s, f.time, err)
		}
	}
	for v, want := range map[float64]string{0: "0 x", 1.234: "1.23 x", 12.34: "12.3 x", 123.4: "123 x", 9999: "9999 x", 99999: "100 kx", 1.5e6: "1500 kx", 2.5e10: "25.0 Gx"} {
		if got := rateText(v, "x"); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestHexText(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string // the packets in digits, or the error
	}{
		{"00ff", "00ff"},
		{"0x00ff aa:bb-cc.dd\n\n# nothing\n11 # one\n", "00ffaabbccdd 11"},
		{"12:00 IP x\n\t0x0000:  4500 0054  E..T\n\t0x0004:  aa                        .\nmore\n\t0x0000:  bb\n", "45000054aa bb"},
		{"\t0x0000:  4500\n\t0x0010:  4500\n", "line 2: the offset does not continue the line before"},
		{"\t0x0010:  4500\n", "line 1: the offset does not continue the line before"},
		{"\t0x0000:  45x0\n", `line 1: "45x0" is not all hexadecimal digits`},
		{"00\nabc\n", `line 2: "abc" has 3 hexadecimal digits: a byte has two`},
		{"00\n:\n", `line 2: ":" has no digits`},
		{"00\nhello\n", `line 2: "hello" is not all hexadecimal digits`},
	} {
		frames, err := parseHexText([]byte(tt.text))
		var got []string
		for _, f := range frames {
			got = append(got, fmt.Sprintf("%x", f))
		}
		if s := strings.Join(got, " "); err == nil && s != tt.want || err != nil && err.Error() != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.text, s, err, tt.want)
		}
	}
}

// TestFix breaks the lengths and checksums of the sample's packets.
func TestFix(t *testing.T) {
	r, err := pcap.NewReader(bytes.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	fixed := 0
	for f, err := range r.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		var p pkts.Packet
		if err := p.Decode(f.Link, f.Data); err != nil {
			continue
		}
		good := true
		var sums []int
		for c := range p.Checks() {
			good = good && c.Status == pkts.CheckGood
			if c.Field == "Checksum" {
				sums = append(sums, c.Offset)
			}
		}
		if !good {
			continue // offloaded
		}
		bad := bytes.Clone(f.Data)
		for _, at := range sums {
			bad[at] ^= 0x5a
		}
		got, err := fix(f.Link, bad)
		if err != nil || !bytes.Equal(got, f.Data) {
			t.Errorf("%x, %v, want %x", got, err, f.Data)
		}
		if len(sums) > 0 {
			fixed++
		}
	}
	if fixed < 5 {
		t.Errorf("%d packets", fixed)
	}
}

func TestSuits(t *testing.T) {
	for _, tt := range []struct {
		from, to link.Type
		want     string // in the error; empty for none
	}{
		{link.TypeEthernet, link.TypeEthernet, ""},
		{link.TypeIPv4, link.TypeRaw, ""},
		{link.TypeRaw, link.TypeEthernet, "tun interface"},
		{link.TypeLinuxSLL, link.TypeEthernet, `"any"`},
		{link.TypeLinuxSLL2, link.TypeEthernet, `"any"`},
		{link.TypeEthernet, link.TypeRaw, "which this interface does not have"},
		{link.TypeNull, link.TypeEthernet, "interface of that type"},
	} {
		err := suits(tt.from, tt.to, "eth0")
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v to %v: %v", tt.from, tt.to, err)
		}
	}
}
