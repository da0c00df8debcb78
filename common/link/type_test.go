package link

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestTypeNames(t *testing.T) {
	for _, tc := range []struct {
		t         Type
		name, dlt string
	}{
		{TypeNull, "NULL", "NULL"},
		{TypeEthernet, "ETHERNET", "EN10MB"},
		{TypeIEEE8025, "IEEE802_5", "IEEE802"},
		{TypeRaw, "RAW", "RAW"},
		{TypeLoop, "LOOP", "LOOP"},
		{TypeLANE8023, "LANE8023", ""},
		{TypeLinuxSLL, "LINUX_SLL", "LINUX_SLL"},
		{TypeIEEE80211Radiotap, "IEEE802_11_RADIOTAP", "IEEE802_11_RADIO"},
		{TypeUser15, "USER15", "USER15"},
		{TypeIPv4, "IPV4", "IPV4"},
		{TypeIPv6, "IPV6", "IPV6"},
		{TypeLinuxSLL2, "LINUX_SLL2", "LINUX_SLL2"},
		{208, "TYPE(208)", ""},
		{60000, "TYPE(60000)", ""},
		{65535, "TYPE(65535)", ""},
	} {
		if got := tc.t.String(); got != tc.name {
			t.Errorf("Type(%d).String() = %q, want %q", uint16(tc.t), got, tc.name)
		}
		if got := tc.t.DLTName(); got != tc.dlt {
			t.Errorf("%v.DLTName() = %q, want %q", tc.t, got, tc.dlt)
		}
		if got, want := tc.t.Known(), !strings.HasPrefix(tc.name, "TYPE("); got != want {
			t.Errorf("%v.Known() = %v, want %v", tc.t, got, want)
		}
	}
}

func TestTypeNumbers(t *testing.T) {
	for v, want := range map[Type]uint16{
		TypeNull: 0, TypeEthernet: 1, TypeAX25: 3, TypePPP: 9, TypePPPHDLC: 50, TypeATMRFC1483: 100, TypeRaw: 101,
		TypeCHDLC: 104, TypeIEEE80211: 105, TypeLoop: 108, TypeLinuxSLL: 113, TypePFLog: 117, TypeIEEE80211Radiotap: 127,
		TypeUser0: 147, TypeUser15: 162, TypePPI: 192, TypeCANSocketCAN: 227, TypeIPv4: 228, TypeIPv6: 229,
		TypeNFLOG: 239, TypePFSync: 246, TypeUSBPcap: 249, TypeNetlink: 253, TypePKTAP: 258, TypeLinuxSLL2: 276,
		TypeDSATagEDSA: 285, TypeDECTNRTAP: 304,
	} {
		if uint16(v) != want {
			t.Errorf("%v = %d, want %d", v, v, want)
		}
	}
}

// TestTypeTable holds the table to itself: a type has a name and a description
// or neither, no two have the same name, and every name comes back.
func TestTypeTable(t *testing.T) {
	names := map[string]Type{}
	known := 0
	for n := range 1 << 16 {
		v := Type(n)
		if got, err := ParseType(v.String()); err != nil || got != v {
			t.Errorf("ParseType(%q) = %v, %v, want %d", v.String(), got, err, n)
		}
		if !v.Known() {
			if v.Description() != "" || v.DLTName() != "" {
				t.Errorf("%v is not known, but described", v)
			}
			continue
		}
		known++
		if v.Description() == "" {
			t.Errorf("%v has no description", v)
		}
		if other, dup := names[v.String()]; dup {
			t.Errorf("%q is %d and %d", v.String(), other, v)
		}
		names[v.String()] = v
	}
	if known != 219 {
		t.Errorf("%d types are known; the registry of August 2026 has 219", known)
	}
}

func TestParseType(t *testing.T) {
	for s, want := range map[string]Type{
		"ETHERNET":             TypeEthernet,
		"ethernet":             TypeEthernet,
		"LINKTYPE_ETHERNET":    TypeEthernet,
		"linktype_Ethernet":    TypeEthernet,
		"EN10MB":               TypeEthernet,
		"DLT_EN10MB":           TypeEthernet,
		"dlt_en10mb":           TypeEthernet,
		"1":                    TypeEthernet,
		"101":                  TypeRaw,
		"DLT_RAW":              TypeRaw,
		"60000":                60000,
		"TYPE(60000)":          60000,
		"type(1)":              TypeEthernet,
		"IEEE802":              TypeIEEE8025,
		"DLT_HDLC":             TypeNetBSDHDLC,
		"DLT_CHDLC":            TypeCHDLC,
		"IEEE802_15_4":         TypeIEEE802154WithFCS,
		"LINKTYPE_IPMB_LINUX":  TypeI2CLinux,
		"DLT_IEEE802_11_RADIO": TypeIEEE80211Radiotap,
		"IEEE802_11_RADIOTAP":  TypeIEEE80211Radiotap,
	} {
		if got, err := ParseType(s); err != nil || got != want {
			t.Errorf("ParseType(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", " ", "ETHERNET ", "-1", "+1", "65536", "0x1", "1.0", "TYPE(", "TYPE()", "TYPE(1", "TYPE(65536)", "TYPE(-1)",
		"LINKTYPE_", "DLT_", "LINKTYPE_1", "LINKTYPE_DLT_RAW", "LINKTYPE_EN10MB", "DLT_ETHERNET", "NOSUCH", "1_0",
	} {
		if got, err := ParseType(s); !errors.Is(err, ErrType) {
			t.Errorf("ParseType(%q) = %v, %v, want ErrType", s, got, err)
		}
	}
}

func TestTypeText(t *testing.T) {
	type doc struct{ Link Type }
	b, err := json.Marshal(doc{TypeLinuxSLL2})
	if want := `{"Link":"LINUX_SLL2"}`; err != nil || string(b) != want {
		t.Errorf("Marshal = %s, %v, want %s", b, err, want)
	}
	var d doc
	if err := json.Unmarshal([]byte(`{"Link":"dlt_raw"}`), &d); err != nil || d.Link != TypeRaw {
		t.Errorf("Unmarshal = %v, %v", d, err)
	}
	if err := json.Unmarshal([]byte(`{"Link":"nosuch"}`), &d); !errors.Is(err, ErrType) || d.Link != TypeRaw {
		t.Errorf("Unmarshal of an unknown name = %v, %v, want ErrType and no change", d, err)
	}
}

// dltDefines reads the numbers that libpcap's header gives the DLT_ names on
// an operating system, whose predefined macro is macro ("" for Linux and all
// others). It understands what the header has: #if defined, #ifdef, #ifndef,
// #else, #endif.
func dltDefines(t *testing.T, path, macro string) map[string]uint32 {
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no libpcap header to compare with: %v", err)
	}
	defer f.Close()
	define := regexp.MustCompile(`^#\s*define\s+(DLT_\w+)\s+(\w+)`)
	defined := regexp.MustCompile(`(!?)defined\((\w+)\)`)
	values := map[string]uint32{}
	set := func(name string) bool { _, dlt := values[name]; return name == macro || dlt }
	var active []bool
	on := func() bool {
		for _, a := range active {
			if !a {
				return false
			}
		}
		return true
	}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "#ifdef"):
			active = append(active, set(fields[1]))
		case strings.HasPrefix(line, "#ifndef"):
			active = append(active, !set(fields[1]))
		case strings.HasPrefix(line, "#if"):
			or := !strings.Contains(line, "&&")
			v := !or
			for _, m := range defined.FindAllStringSubmatch(line, -1) {
				term := set(m[2]) != (m[1] == "!")
				if or {
					v = v || term
				} else {
					v = v && term
				}
			}
			active = append(active, v)
		case strings.HasPrefix(line, "#else"):
			active[len(active)-1] = !active[len(active)-1]
		case strings.HasPrefix(line, "#endif"):
			active = active[:len(active)-1]
		}
		if m := define.FindStringSubmatch(line); m != nil && on() {
			if n, err := strconv.ParseUint(m[2], 0, 16); err == nil {
				values[m[1]] = uint32(n)
			} else if n, ok := values[m[2]]; ok {
				values[m[1]] = n
			}
		}
	}
	for name := range values {
		if strings.HasPrefix(name, "DLT_MATCHING_") || strings.HasPrefix(name, "DLT_HIGH_MATCHING_") || strings.HasPrefix(name, "DLT_LOW_MATCHING_") {
			delete(values, name)
		}
	}
	return values
}

// TestTypeDLTHeader compares names and numbers with libpcap's header, as each
// operating system's compiler would read it.
func TestTypeDLTHeader(t *testing.T) {
	for goos, macro := range map[string]string{
		"linux": "", "windows": "", "solaris": "", "openbsd": "__OpenBSD__", "netbsd": "__NetBSD__",
		"freebsd": "__FreeBSD__", "dragonfly": "__DragonFly__", "darwin": "__APPLE__",
	} {
		values := dltDefines(t, "/usr/include/pcap/dlt.h", macro)
		if len(values) < 200 {
			t.Fatalf("%s: %d DLT_ names in the header, want 200 or more", goos, len(values))
		}
		for name, dlt := range values {
			want, err := ParseType(name)
			if err != nil {
				t.Errorf("%s: %v", goos, err)
				continue
			}
			// Two names of one number: what macOS and FreeBSD use it for.
			if goos == "darwin" && name == "DLT_USER2" || goos == "freebsd" && name == "DLT_HHDLC" {
				if got, ok := want.DLT(goos); ok {
					t.Errorf("%s: %v.DLT = %d, want none", goos, want, got)
				}
				continue
			}
			if got, ok := TypeFromDLT(goos, dlt); !ok || got != want {
				t.Errorf("TypeFromDLT(%q, %d) = %v, %v, want %v (%s)", goos, dlt, got, ok, want, name)
			}
			if got, ok := want.DLT(goos); !ok || got != dlt {
				t.Errorf("%v.DLT(%q) = %d, %v, want %d", want, goos, got, ok, dlt)
			}
		}
	}
}

func TestTypeDLT(t *testing.T) {
	for _, tc := range []struct {
		goos string
		dlt  uint32
		want Type
	}{
		{"linux", 1, TypeEthernet},
		{"linux", 12, TypeRaw},
		{"openbsd", 12, TypeLoop},
		{"openbsd", 14, TypeRaw},
		{"freebsd", 14, TypePPPBSDOS},
		{"linux", 14, 0},
		{"linux", 108, TypeLoop},
		{"openbsd", 108, 0},
		{"openbsd", 13, TypeEnc},
		{"freebsd", 109, TypeEnc},
		{"netbsd", 16, TypeNetBSDHDLC},
		{"linux", 112, TypeNetBSDHDLC},
		{"openbsd", 117, TypePFLog},
		{"freebsd", 121, TypePFSync},
		{"openbsd", 18, TypePFSync},
		{"linux", 246, TypePFSync},
		{"freebsd", 246, 0},
		{"darwin", 149, TypePKTAP},
		{"linux", 149, TypeUser2},
		{"darwin", 258, 0},
		{"linux", 258, TypePKTAP},
		{"linux", 101, 0}, // LINKTYPE_RAW is no DLT_ number
		{"linux", 111, 0}, // nor is LINKTYPE_HIPPI
		{"netbsd", 15, TypeHIPPI},
		{"linux", 208, 0},
		{"linux", 305, 0},
		{"linux", 1<<32 - 1, 0},
		{"linux", 1<<16 + 1, 0},
	} {
		got, ok := TypeFromDLT(tc.goos, tc.dlt)
		if wantOK := tc.want != 0; got != tc.want || ok != wantOK {
			t.Errorf("TypeFromDLT(%q, %d) = %v, %v, want %v, %v", tc.goos, tc.dlt, got, ok, tc.want, wantOK)
		}
	}
}

// TestTypeDLTInverse: the two conversions are each other's inverse.
func TestTypeDLTInverse(t *testing.T) {
	for _, goos := range []string{"linux", "windows", "openbsd", "netbsd", "freebsd", "dragonfly", "darwin", "ios", ""} {
		for n := range 1 << 16 {
			if dlt, ok := Type(n).DLT(goos); ok {
				if got, ok := TypeFromDLT(goos, dlt); !ok || got != Type(n) {
					t.Errorf("%s: %v has DLT %d, which is %v, %v", goos, Type(n), dlt, got, ok)
				}
			}
			if v, ok := TypeFromDLT(goos, uint32(n)); ok {
				if got, ok := v.DLT(goos); !ok || got != uint32(n) {
					t.Errorf("%s: DLT %d is %v, which has %d, %v", goos, n, v, got, ok)
				}
			}
		}
	}
}

func TestTypeFromARPHRD(t *testing.T) {
	for arphrd, want := range map[uint16]Type{
		1:      TypeEthernet,
		2:      TypeExpEthernet,
		3:      TypeAX25KISS,
		6:      TypeIEEE8025,
		280:    TypeCANSocketCAN,
		513:    TypeCHDLC,
		519:    TypeRaw, // mobile modems
		768:    TypeRaw, // ipip
		769:    TypeRaw, // ip6tnl
		772:    TypeEthernet,
		776:    TypeRaw, // sit
		801:    TypeIEEE80211,
		803:    TypeIEEE80211Radiotap,
		804:    TypeIEEE802154NoFCS,
		824:    TypeNetlink,
		826:    TypeVSock,
		0xfffe: TypeRaw, // tun, WireGuard
	} {
		if got, ok := TypeFromARPHRD(arphrd); !ok || got != want {
			t.Errorf("TypeFromARPHRD(%d) = %v, %v, want %v", arphrd, got, ok, want)
		}
	}
	for _, arphrd := range []uint16{0, 19, 32, 512, 778, 823, 0xffff} {
		if got, ok := TypeFromARPHRD(arphrd); ok {
			t.Errorf("TypeFromARPHRD(%d) = %v, want none", arphrd, got)
		}
	}
}

func TestTypeFromIFT(t *testing.T) {
	for _, tc := range []struct {
		goos string
		ift  int
		want Type
	}{
		{"darwin", 6, TypeEthernet},
		{"darwin", 24, TypeNull},
		{"openbsd", 24, TypeLoop},
		{"freebsd", 24, TypeNull},
		{"darwin", 1, TypeNull}, // utun
		{"darwin", 23, TypePPP},
		{"freebsd", 23, TypeNull}, // tun
		{"openbsd", 131, TypeLoop},
		{"netbsd", 131, TypeNull},
		{"darwin", 136, TypeEthernet},
		{"freebsd", 161, TypeEthernet},
		{"darwin", 144, TypeAppleIPOverIEEE1394},
		{"openbsd", 244, TypeEnc},
		{"openbsd", 245, TypePFLog},
		{"freebsd", 246, TypePFLog},
		{"netbsd", 246, TypePFSync},
		{"freebsd", 247, TypePFSync},
		{"openbsd", 240, TypeLoop},
		{"freebsd", 209, TypeEthernet},
	} {
		if got, ok := typeFromIFT(tc.goos, tc.ift); !ok || got != tc.want {
			t.Errorf("typeFromIFT(%q, %d) = %v, %v, want %v", tc.goos, tc.ift, got, ok, tc.want)
		}
	}
	for _, tc := range []struct {
		goos string
		ift  int
	}{{"freebsd", 1}, {"openbsd", 23}, {"darwin", 244}, {"netbsd", 247}, {"freebsd", 0}, {"freebsd", 255}} {
		if got, ok := typeFromIFT(tc.goos, tc.ift); ok {
			t.Errorf("typeFromIFT(%q, %d) = %v, want none", tc.goos, tc.ift, got)
		}
	}
}

func TestTypeFromNDIS(t *testing.T) {
	for medium, want := range map[uint32]Type{0: TypeEthernet, 1: TypeIEEE8025, 2: TypeFDDI, 9: TypeRaw, 16: TypeEthernet, 17: TypeNull, 19: TypeRaw} {
		if got, ok := typeFromNDIS(medium); !ok || got != want {
			t.Errorf("typeFromNDIS(%d) = %v, %v, want %v", medium, got, ok, want)
		}
	}
	if got, ok := typeFromNDIS(3); ok {
		t.Errorf("typeFromNDIS(3) = %v, want none", got)
	}
}

func FuzzParseType(f *testing.F) {
	for _, s := range []string{"ETHERNET", "dlt_en10mb", "LINKTYPE_RAW", "276", "TYPE(60000)", "TYPE(", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseType(s)
		if err != nil {
			if !errors.Is(err, ErrType) {
				t.Errorf("ParseType(%q): %v does not wrap ErrType", s, err)
			}
			return
		}
		if got, err := ParseType(v.String()); err != nil || got != v {
			t.Errorf("ParseType(%q) = %v, whose name gives %v, %v", s, v, got, err)
		}
	})
}
