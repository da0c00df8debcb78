package link

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMac(t *testing.T) {
	want := MacAddr{0x00, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e}
	for _, s := range []string{
		"00:1a:2b:3c:4d:5e", "00:1A:2B:3C:4D:5E", "00:1a:2B:3c:4D:5e",
		"00-1a-2b-3c-4d-5e", "00-1A-2B-3C-4D-5E",
		"00.1a.2b.3c.4d.5e",
		"0:1a:2b:3c:4d:5e", "0-1a-2b-3c-4d-5e",
		"001a.2b3c.4d5e", "001A.2B3C.4D5E", "001a-2b3c-4d5e", "001a:2b3c:4d5e",
		"001a2b-3c4d5e", "001a2b:3c4d5e", "001A2B-3C4D5E",
		"001a2b3c4d5e", "001A2B3C4D5E",
	} {
		if got, err := ParseMac(s); err != nil || got != want {
			t.Errorf("ParseMac(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]MacAddr{
		"0:1:2:a:b:c":       {0, 1, 2, 10, 11, 12},
		"0:1:2:a:b:1c":      {0, 1, 2, 10, 11, 0x1c},
		"08:0:20:1:2:3":     {8, 0, 0x20, 1, 2, 3},
		"ff:ff:ff:ff:ff:ff": {255, 255, 255, 255, 255, 255},
		"0:0:0:0:0:0":       {},
		"FFFF.FFFF.FFFF":    {255, 255, 255, 255, 255, 255},
	} {
		if got, err := ParseMac(s); err != nil || got != want {
			t.Errorf("ParseMac(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
}

func TestParseMacErrors(t *testing.T) {
	for s, offset := range map[string]int{
		"":                          0,
		" ":                         0,
		"00:1a:2b:3c:4d":            14,
		"00:1a:2b:3c:4d:":           15,
		":00:1a:2b:3c:4d:5e":        0,
		"00:1a:2b:3c:4d:5e:":        18,
		"00:1a:2b:3c:4d:5e:6f":      20, // an EUI-64 begins like this
		"00:1a:2b:3c:4d:5e:6f:70":   20,
		"00:1a:2b:ff:fe:3c:4d:5e":   20,
		"00:1a:2b:3c:4d:5g":         16,
		"00:1a:2b:3c:4d:5e ":        17,
		" 00:1a:2b:3c:4d:5e":        0,
		"00:1a-2b:3c:4d:5e":         5,
		"00:1a:2b:3c:4d-5e":         14,
		"001a.2b3c-4d5e":            9,
		"001a2b-3c4d:5e":            11,
		"00:1a:2b:3c:4d:5e5":        18,
		"00:01a:2b:3c:4d:5e":        6,
		"001:1a:2b:3c:4d:5e":        6,
		"1a.2b3c.4d5e":              7,
		"01a.2b3c.4d5e":             8,
		"001a.2b3c.4d5":             13,
		"001a.2b3c":                 9,
		"001a2b3c4d5":               11,
		"001a2b3c4d5e6":             12,
		"001a2b3c4d5e:001a2b3c4d5e": 25,
		"001a2b-3c4d5":              12,
		"001:a2b:3c4:d5e":           15,
		"0x001a2b3c4d":              1,
		"00::1a:2b:3c:4d:5e":        3,
		"00:1a:2b:3c:4d:٥e":         15,
		"00/1a/2b/3c/4d/5e":         2,
		strings.Repeat("0", 1000):   12,
	} {
		got, err := ParseMac(s)
		e, ok := errors.AsType[*MacError](err)
		switch {
		case !ok || !errors.Is(err, ErrMac):
			t.Errorf("ParseMac(%q) = %v, %v, want a MacError", s, got, err)
		case got != MacAddr{}:
			t.Errorf("ParseMac(%q) = %v with an error", s, got)
		case e.Offset != offset || e.Text != s:
			t.Errorf("ParseMac(%q): %+v, want offset %d", s, e, offset)
		case len(err.Error()) > 250:
			t.Errorf("ParseMac of %d bytes: a message of %d bytes", len(s), len(err.Error()))
		}
	}
	_, err := ParseMac("00:1a-2b:3c:4d:5e")
	if got, want := err.Error(), `link: bad MAC address "00:1a-2b:3c:4d:5e": at offset 5: mixed separators`; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestMustParseMac(t *testing.T) {
	if got, want := MustParseMac("1:2:3:4:5:6"), (MacAddr{1, 2, 3, 4, 5, 6}); got != want {
		t.Errorf("MustParseMac = %v, want %v", got, want)
	}
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, ErrMac) {
			t.Errorf("MustParseMac panicked with %v, want ErrMac", err)
		}
	}()
	MustParseMac("nonsense")
}

func TestMacString(t *testing.T) {
	m := MacAddr{0x00, 0x1a, 0x2b, 0x3c, 0xde, 0xff}
	const want = "00:1a:2b:3c:de:ff"
	if got := m.String(); got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got, err := m.AppendText([]byte("mac ")); err != nil || string(got) != "mac "+want {
		t.Errorf("AppendText = %q, %v", got, err)
	}
	if got, err := m.MarshalText(); err != nil || string(got) != want {
		t.Errorf("MarshalText = %q, %v", got, err)
	}
	if got, want := m.String(), net.HardwareAddr(m[:]).String(); got != want {
		t.Errorf("String = %q, package net has %q", got, want)
	}
}

func TestMacEncodings(t *testing.T) {
	m := MacAddr{1, 2, 3, 4, 5, 6}
	b, err := m.AppendBinary([]byte{0})
	if err != nil || string(b) != "\x00\x01\x02\x03\x04\x05\x06" {
		t.Errorf("AppendBinary = %x, %v", b, err)
	}
	b, err = m.MarshalBinary()
	if err != nil || string(b) != "\x01\x02\x03\x04\x05\x06" {
		t.Errorf("MarshalBinary = %x, %v", b, err)
	}
	var n MacAddr
	if err := n.UnmarshalBinary(b); err != nil || n != m {
		t.Errorf("UnmarshalBinary = %v, %v, want %v", n, err, m)
	}
	for _, b := range [][]byte{nil, b[:5], append(b, 7)} {
		if err := n.UnmarshalBinary(b); !errors.Is(err, ErrMac) || n != m {
			t.Errorf("UnmarshalBinary(%x) = %v, %v, want ErrMac and no change", b, n, err)
		}
		if _, ok := MacFromSlice(b); ok {
			t.Errorf("MacFromSlice(%x) is ok", b)
		}
	}
	if got, ok := MacFromSlice(m[:]); !ok || got != m {
		t.Errorf("MacFromSlice = %v, %v, want %v", got, ok, m)
	}
	type doc struct {
		A MacAddr
		B map[MacAddr]int
		C MacAddr `json:",omitzero"`
	}
	j, err := json.Marshal(doc{A: m, B: map[MacAddr]int{m: 1}})
	if want := `{"A":"01:02:03:04:05:06","B":{"01:02:03:04:05:06":1}}`; err != nil || string(j) != want {
		t.Errorf("Marshal = %s, %v, want %s", j, err, want)
	}
	var d doc
	if err := json.Unmarshal([]byte(`{"A":"0102.0304.0506"}`), &d); err != nil || d.A != m {
		t.Errorf("Unmarshal = %v, %v, want %v", d.A, err, m)
	}
	if err := json.Unmarshal([]byte(`{"A":""}`), &d); !errors.Is(err, ErrMac) || d.A != m {
		t.Errorf("Unmarshal of nothing = %v, %v, want ErrMac and no change", d.A, err)
	}
}

func TestMacPredicates(t *testing.T) {
	for _, tc := range []struct {
		mac                               string
		zero, broadcast, multicast, local bool
	}{
		{mac: "00:00:00:00:00:00", zero: true},
		{mac: "ff:ff:ff:ff:ff:ff", broadcast: true, multicast: true, local: true},
		{mac: "ff:ff:ff:ff:ff:fe", multicast: true, local: true},
		{mac: "01:00:5e:00:00:01", multicast: true},
		{mac: "33:33:00:00:00:01", multicast: true, local: true},
		{mac: "02:42:ac:11:00:02", local: true},
		{mac: "00:1a:2b:3c:4d:5e"},
	} {
		m := MustParseMac(tc.mac)
		if m.IsZero() != tc.zero || m.IsBroadcast() != tc.broadcast || m.IsMulticast() != tc.multicast || m.IsLocal() != tc.local {
			t.Errorf("%v: zero %v, broadcast %v, multicast %v, local %v; want %+v", m, m.IsZero(), m.IsBroadcast(), m.IsMulticast(), m.IsLocal(), tc)
		}
	}
}

func TestMacCompare(t *testing.T) {
	a, b := MacAddr{0, 0, 0, 0, 0, 2}, MacAddr{0, 0, 0, 0, 1, 0}
	if a.Compare(b) != -1 || b.Compare(a) != 1 || a.Compare(a) != 0 {
		t.Errorf("Compare = %d, %d, %d, want -1, 1, 0", a.Compare(b), b.Compare(a), a.Compare(a))
	}
}

func TestInterfaceID(t *testing.T) {
	// RFC 2464, section 4: 34-56-78-9A-BC-DE becomes 36-56-78-FF-FE-9A-BC-DE.
	m := MustParseMac("34-56-78-9A-BC-DE")
	want := [8]byte{0x36, 0x56, 0x78, 0xff, 0xfe, 0x9a, 0xbc, 0xde}
	if got := m.InterfaceID(); got != want {
		t.Errorf("InterfaceID = %x, want %x", got, want)
	}
	if got, ok := MacFromInterfaceID(want); !ok || got != m {
		t.Errorf("MacFromInterfaceID = %v, %v, want %v", got, ok, m)
	}
	if got, want := m.LinkLocal(), netip.MustParseAddr("fe80::3656:78ff:fe9a:bcde"); got != want {
		t.Errorf("LinkLocal = %v, want %v", got, want)
	}
	for _, id := range [][8]byte{{}, {7: 1}, {3: 0xff}, {4: 0xfe}, {3: 0xfe, 4: 0xff}} {
		if got, ok := MacFromInterfaceID(id); ok {
			t.Errorf("MacFromInterfaceID(%x) = %v, want none", id, got)
		}
	}
}

func TestMulticastMac(t *testing.T) {
	for group, want := range map[string]string{
		"224.0.0.1":          "01:00:5e:00:00:01",
		"224.0.0.251":        "01:00:5e:00:00:fb",
		"239.255.255.250":    "01:00:5e:7f:ff:fa", // SSDP: the 24th bit is lost
		"224.128.1.2":        "01:00:5e:00:01:02",
		"::ffff:224.0.0.1":   "01:00:5e:00:00:01",
		"ff02::1":            "33:33:00:00:00:01",
		"ff02::1%eth0":       "33:33:00:00:00:01",
		"ff02::1:ff9a:bcde":  "33:33:ff:9a:bc:de",
		"ff02::1:2":          "33:33:00:01:00:02",
		"ff3e::8000:0:1:203": "33:33:00:01:02:03",
	} {
		if got, ok := MulticastMac(netip.MustParseAddr(group)); !ok || got.String() != want {
			t.Errorf("MulticastMac(%s) = %v, %v, want %s", group, got, ok, want)
		}
	}
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("fe80::1")} {
		if got, ok := MulticastMac(a); ok {
			t.Errorf("MulticastMac(%v) = %v, want none", a, got)
		}
	}
}

func TestMacAllocs(t *testing.T) {
	m, buf, text := MacAddr{1, 2, 3, 4, 5, 6}, make([]byte, 0, 64), []byte("01-02-03-04-05-06")
	group := netip.MustParseAddr("ff02::1")
	if n := testing.AllocsPerRun(100, func() {
		buf, _ = m.AppendText(buf[:0])
		buf, _ = m.AppendBinary(buf)
		_ = m.UnmarshalText(text)
		_, _ = ParseMac("0102.0304.0506")
		_, _ = MulticastMac(group)
		_ = m.LinkLocal()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = m.String() }); n > 1 {
		t.Errorf("String: %v allocations, want at most 1", n)
	}
}

// TestMacForms writes random addresses in every form and reads them back.
func TestMacForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := MacAddr(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
		const hex = "0123456789abcdef"
		var digits []byte
		for _, b := range m {
			digits = append(digits, hex[b>>4], hex[b&15])
		}
		width := rapid.SampledFrom([]int{2, 4, 6, 12}).Draw(t, "width")
		separator := rapid.SampledFrom([]string{":", "-", "."}).Draw(t, "separator")
		var groups []string
		for i := 0; i < len(digits); i += width {
			g := string(digits[i : i+width])
			if width == 2 && g[0] == '0' && rapid.Bool().Draw(t, "short") {
				g = g[1:]
			}
			if rapid.Bool().Draw(t, "upper") {
				g = strings.ToUpper(g)
			}
			groups = append(groups, g)
		}
		s := strings.Join(groups, separator)
		if got, err := ParseMac(s); err != nil || got != m {
			t.Errorf("ParseMac(%q) = %v, %v, want %v", s, got, err, m)
		}
	})
}

func FuzzParseMac(f *testing.F) {
	for _, s := range []string{
		"00:1a:2b:3c:4d:5e", "00-1A-2B-3C-4D-5E", "0:1:2:a:b:c", "001a.2b3c.4d5e", "001a2b-3c4d5e", "001a2b3c4d5e",
		"", ":", "00:1a-2b:3c:4d:5e", "00:00:00:00:00:00:00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMac(s)
		// What package net reads as 48 bits, we read likewise.
		if hw, nerr := net.ParseMAC(s); nerr == nil && len(hw) == MacLen && (err != nil || MacAddr(hw) != m) {
			t.Errorf("ParseMac(%q) = %v, %v; package net has %v", s, m, err, hw)
		}
		var u MacAddr
		if uerr := u.UnmarshalText([]byte(s)); u != m || (uerr == nil) != (err == nil) {
			t.Errorf("UnmarshalText(%q) = %v, %v; ParseMac: %v, %v", s, u, uerr, m, err)
		}
		if err != nil {
			e, ok := errors.AsType[*MacError](err)
			if !ok || e.Offset < 0 || e.Offset > len(s) {
				t.Errorf("ParseMac(%q): %#v", s, err)
			}
			return
		}
		if got, err := ParseMac(m.String()); err != nil || got != m {
			t.Errorf("ParseMac(%q) = %v, %v, want %v", m.String(), got, err, m)
		}
	})
}
