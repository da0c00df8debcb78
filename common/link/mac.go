package link

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
)

// MacLen is the length of a [MacAddr] in bytes.
const MacLen = 6

// MacAddr is a 48-bit IEEE 802 MAC address in transmission order. It is
// comparable; the zero value is 00:00:00:00:00:00.
type MacAddr [6]byte

// ErrMac is what every error of [ParseMac] and [MacAddr.UnmarshalBinary] wraps.
var ErrMac = errors.New("link: bad MAC address")

// MacError says why, and where, a text is not a MAC address.
type MacError struct {
	Text   string // the whole text
	Offset int    // in bytes from its start, where it stops making sense
	Reason string
}

// Error returns the message, with the first 64 characters of the text.
func (e *MacError) Error() string {
	return fmt.Sprintf("%v %.64q: at offset %d: %s", ErrMac, e.Text, e.Offset, e.Reason)
}

// Unwrap returns [ErrMac].
func (e *MacError) Unwrap() error { return ErrMac }

// MacFromSlice returns the address whose bytes b holds. It reports false unless
// b is six bytes long.
func MacFromSlice(b []byte) (MacAddr, bool) {
	if len(b) != MacLen {
		return MacAddr{}, false
	}
	return MacAddr(b), true
}

// BroadcastMac returns ff:ff:ff:ff:ff:ff.
func BroadcastMac() MacAddr { return MacAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// ParseMac parses an address of twelve hexadecimal digits of either case, in
// any of the groupings that are in use:
//
//	00:1a:2b:3c:4d:5e  00-1A-2B-3C-4D-5E   six groups; a leading zero may be
//	0:1a:2b:3c:4d:5e                       missing, as the BSDs and Solaris print it
//	001a.2b3c.4d5e     001a-2b3c-4d5e      three groups: Cisco, Huawei
//	001a2b-3c4d5e      001a2b:3c4d5e       two groups: HP, PostgreSQL
//	001a2b3c4d5e                           one group
//
// The separator is a colon, a dash or a dot, the same throughout. The error is
// a [MacError], which wraps [ErrMac]. ParseMac does not allocate unless it
// fails.
func ParseMac(s string) (MacAddr, error) { return parseMac(s) }

// MustParseMac is [ParseMac] for an address that is known to be right, such as
// a constant. It panics when it is not.
func MustParseMac(s string) MacAddr {
	m, err := ParseMac(s)
	if err != nil {
		panic(err)
	}
	return m
}

func parseMac[T string | []byte](s T) (m MacAddr, err error) {
	fail := func(offset int, reason string) (MacAddr, error) {
		return MacAddr{}, &MacError{Text: string(s), Offset: offset, Reason: reason}
	}
	var (
		separator byte // 0 until the first
		width     int  // digits of every group but the short ones of six
		groups    int
		digits    int // in the current group
		bits      uint64
	)
	for i := 0; i <= len(s); i++ {
		if i < len(s) {
			if d, ok := hexDigit(s[i]); ok {
				if digits++; digits > 2*MacLen {
					return fail(i, "more than 12 digits in a row")
				}
				bits = bits<<4 | uint64(d)
				continue
			}
		}
		// The end of a group: its bits are in place when it is full, and one
		// of six may lack its first digit, which is a zero.
		switch {
		case i < len(s) && s[i] != ':' && s[i] != '-' && s[i] != '.':
			return fail(i, "want a hexadecimal digit, a colon, a dash or a dot")
		case digits == 0:
			return fail(i, "want a hexadecimal digit")
		case groups == 0:
			width = max(digits, 2)
		case width == 2 && digits > 2 || width != 2 && digits != width:
			return fail(i, "groups of different lengths")
		}
		groups++
		if groups*width > 2*MacLen {
			return fail(i, "more than 12 digits")
		}
		m.setGroup(groups-1, width, bits)
		if i == len(s) {
			break
		}
		if separator != 0 && s[i] != separator {
			return fail(i, "mixed separators")
		}
		separator, digits, bits = s[i], 0, 0
	}
	switch {
	case width != 2 && width != 4 && width != 6 && width != 12:
		return fail(len(s), "want groups of 2, 4, 6 or 12 digits")
	case groups*width != 2*MacLen:
		return fail(len(s), "want 12 digits")
	}
	return m, nil
}

// setGroup stores the bits of a group of width digits. An odd width has no
// whole bytes; its address is refused later.
func (m *MacAddr) setGroup(group, width int, bits uint64) {
	n := width / 2
	for i := range n {
		m[group*n+i] = byte(bits >> (8 * (n - 1 - i)))
	}
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// String returns the address as six groups of lower-case digits with colons,
// such as "00:1a:2b:3c:4d:5e".
func (m MacAddr) String() string {
	var b [3*MacLen - 1]byte
	return string(m.appendTo(b[:0]))
}

func (m MacAddr) appendTo(b []byte) []byte {
	const digits = "0123456789abcdef"
	for i, v := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[v>>4], digits[v&0xf])
	}
	return b
}

// AppendText appends [MacAddr.String] to b. The error is always nil.
func (m MacAddr) AppendText(b []byte) ([]byte, error) { return m.appendTo(b), nil }

// MarshalText returns [MacAddr.String]. The error is always nil.
func (m MacAddr) MarshalText() ([]byte, error) {
	return m.appendTo(make([]byte, 0, 3*MacLen-1)), nil
}

// UnmarshalText sets m to what [ParseMac] makes of text. On an error m is as
// it was.
func (m *MacAddr) UnmarshalText(text []byte) error {
	v, err := parseMac(text)
	if err != nil {
		return err
	}
	*m = v
	return nil
}

// AppendBinary appends the six bytes to b. The error is always nil.
func (m MacAddr) AppendBinary(b []byte) ([]byte, error) { return append(b, m[:]...), nil }

// MarshalBinary returns the six bytes. The error is always nil.
func (m MacAddr) MarshalBinary() ([]byte, error) { return append([]byte(nil), m[:]...), nil }

// UnmarshalBinary sets m to b, which must be six bytes. The error wraps
// [ErrMac].
func (m *MacAddr) UnmarshalBinary(b []byte) error {
	if len(b) != MacLen {
		return fmt.Errorf("%w: want %d bytes, have %d", ErrMac, MacLen, len(b))
	}
	*m = MacAddr(b)
	return nil
}

// Compare returns -1, 0 or +1 as m comes before, is, or comes after n in the
// order of their bytes.
func (m MacAddr) Compare(n MacAddr) int { return bytes.Compare(m[:], n[:]) }

// IsZero reports whether all bits are zero.
func (m MacAddr) IsZero() bool { return m == MacAddr{} }

// IsBroadcast reports whether m is ff:ff:ff:ff:ff:ff.
func (m MacAddr) IsBroadcast() bool { return m == BroadcastMac() }

// IsMulticast reports whether the individual/group bit is set (IEEE 802, clause
// 8.2): m addresses a group. The broadcast address is one.
func (m MacAddr) IsMulticast() bool { return m[0]&0x01 != 0 }

// IsLocal reports whether the universal/local bit is set (IEEE 802, clause
// 8.2): the address was given by an administrator or by software, as in
// containers, virtual machines and randomised Wi-Fi, and not by the
// manufacturer.
func (m MacAddr) IsLocal() bool { return m[0]&0x02 != 0 }

// InterfaceID returns the modified EUI-64 interface identifier that IPv6 makes
// of the address: ff:fe in the middle and the universal/local bit inverted
// ([RFC 4291, appendix A]).
//
// [RFC 4291, appendix A]: https://www.rfc-editor.org/rfc/rfc4291#appendix-A
func (m MacAddr) InterfaceID() [8]byte {
	return [8]byte{m[0] ^ 0x02, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}
}

// MacFromInterfaceID is the inverse of [MacAddr.InterfaceID]. It reports false
// for an identifier without ff:fe in its middle, which was not made of a MAC
// address.
func MacFromInterfaceID(id [8]byte) (MacAddr, bool) {
	if id[3] != 0xff || id[4] != 0xfe {
		return MacAddr{}, false
	}
	return MacAddr{id[0] ^ 0x02, id[1], id[2], id[5], id[6], id[7]}, true
}

// LinkLocal returns the link-local IPv6 address, without a zone, that a host
// forms of its MAC address: fe80::/64 and [MacAddr.InterfaceID]
// ([RFC 2464, section 5]).
//
// [RFC 2464, section 5]: https://www.rfc-editor.org/rfc/rfc2464#section-5
func (m MacAddr) LinkLocal() netip.Addr {
	id := m.InterfaceID()
	a := [16]byte{0: 0xfe, 1: 0x80}
	copy(a[8:], id[:])
	return netip.AddrFrom16(a)
}

// MulticastMac returns the MAC address that frames to an IP multicast group go
// to: 01:00:5e and the low 23 bits of an IPv4 group ([RFC 1112, section 6.4]),
// 33:33 and the low 32 bits of an IPv6 group ([RFC 2464, section 7]). An
// IPv4-mapped address counts as IPv4. It reports false when group is not a
// multicast address.
//
// [RFC 1112, section 6.4]: https://www.rfc-editor.org/rfc/rfc1112#section-6.4
// [RFC 2464, section 7]: https://www.rfc-editor.org/rfc/rfc2464#section-7
func MulticastMac(group netip.Addr) (MacAddr, bool) {
	group = group.Unmap()
	switch {
	case !group.IsMulticast():
		return MacAddr{}, false
	case group.Is4():
		a := group.As4()
		return MacAddr{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}, true
	default:
		a := group.As16()
		return MacAddr{0x33, 0x33, a[12], a[13], a[14], a[15]}, true
	}
}
