package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"strings"

	"github.com/gopkts/gopkts/common/link"
)

const (
	ndpOptionUnit   = 8 // what the length of an option counts
	ndpOptionHeader = 2
	ndpOptionMax    = 0xff*ndpOptionUnit - ndpOptionHeader
)

// NDPOptionType says what a neighbor discovery option is: the numbers of
// https://www.iana.org/assignments/icmpv6-parameters.
type NDPOptionType uint8

const (
	NDPOptSourceLinkAddr  NDPOptionType = 1   // RFC 4861; [NDPOption.LinkAddr]
	NDPOptTargetLinkAddr  NDPOptionType = 2   // RFC 4861; [NDPOption.LinkAddr]
	NDPOptPrefix          NDPOptionType = 3   // RFC 4861; [NDPOption.Prefix]
	NDPOptRedirected      NDPOptionType = 4   // RFC 4861; [NDPOption.Redirected]
	NDPOptMTU             NDPOptionType = 5   // RFC 4861; [NDPOption.MTU]
	NDPOptNBMAShortcut    NDPOptionType = 6   // RFC 2491
	NDPOptInterval        NDPOptionType = 7   // RFC 6275
	NDPOptHomeAgent       NDPOptionType = 8   // RFC 6275
	NDPOptSourceAddrs     NDPOptionType = 9   // RFC 3122
	NDPOptTargetAddrs     NDPOptionType = 10  // RFC 3122
	NDPOptCGA             NDPOptionType = 11  // RFC 3971
	NDPOptRSASignature    NDPOptionType = 12  // RFC 3971
	NDPOptTimestamp       NDPOptionType = 13  // RFC 3971
	NDPOptNonce           NDPOptionType = 14  // RFC 3971; [NDPOption.Nonce]
	NDPOptTrustAnchor     NDPOptionType = 15  // RFC 3971
	NDPOptCertificate     NDPOptionType = 16  // RFC 3971
	NDPOptRoute           NDPOptionType = 24  // RFC 4191; [NDPOption.Route]
	NDPOptDNSServers      NDPOptionType = 25  // RFC 8106; [NDPOption.DNSServers]
	NDPOptFlagsExtension  NDPOptionType = 26  // RFC 5175; [NDPOption.FlagsExtension]
	NDPOptDNSSearch       NDPOptionType = 31  // RFC 8106; [NDPOption.DNSSearch]
	NDPOptProxySignature  NDPOptionType = 32  // RFC 6496
	NDPOptAddrRegister    NDPOptionType = 33  // RFC 6775
	NDPOptContext         NDPOptionType = 34  // RFC 6775; [NDPOption.Context]
	NDPOptBorderRouter    NDPOptionType = 35  // RFC 6775
	NDPOptCapability      NDPOptionType = 36  // RFC 7400
	NDPOptCaptivePortal   NDPOptionType = 37  // RFC 8910; [NDPOption.CaptivePortal]
	NDPOptPREF64          NDPOptionType = 38  // RFC 8781; [NDPOption.PREF64]
	NDPOptEncryptedDNS    NDPOptionType = 144 // RFC 9463
	NDPOptExperiment1     NDPOptionType = 253 // RFC 4727
	NDPOptExperiment2     NDPOptionType = 254 // RFC 4727
	ndpOptPrefixLen                     = 32
	ndpOptRedirectedStart               = 8
)

// String returns the option's name, or the number.
func (t NDPOptionType) String() string {
	switch t {
	case NDPOptSourceLinkAddr:
		return "source link-layer address"
	case NDPOptTargetLinkAddr:
		return "target link-layer address"
	case NDPOptPrefix:
		return "prefix information"
	case NDPOptRedirected:
		return "redirected header"
	case NDPOptMTU:
		return "MTU"
	case NDPOptNBMAShortcut:
		return "NBMA shortcut limit"
	case NDPOptInterval:
		return "advertisement interval"
	case NDPOptHomeAgent:
		return "home agent information"
	case NDPOptSourceAddrs:
		return "source address list"
	case NDPOptTargetAddrs:
		return "target address list"
	case NDPOptCGA:
		return "CGA"
	case NDPOptRSASignature:
		return "RSA signature"
	case NDPOptTimestamp:
		return "timestamp"
	case NDPOptNonce:
		return "nonce"
	case NDPOptTrustAnchor:
		return "trust anchor"
	case NDPOptCertificate:
		return "certificate"
	case NDPOptRoute:
		return "route information"
	case NDPOptDNSServers:
		return "recursive DNS server"
	case NDPOptFlagsExtension:
		return "flags extension"
	case NDPOptDNSSearch:
		return "DNS search list"
	case NDPOptProxySignature:
		return "proxy signature"
	case NDPOptAddrRegister:
		return "address registration"
	case NDPOptContext:
		return "6LoWPAN context"
	case NDPOptBorderRouter:
		return "authoritative border router"
	case NDPOptCapability:
		return "6LoWPAN capability indication"
	case NDPOptCaptivePortal:
		return "captive portal"
	case NDPOptPREF64:
		return "PREF64"
	case NDPOptEncryptedDNS:
		return "encrypted DNS"
	case NDPOptExperiment1, NDPOptExperiment2:
		return "experimental"
	default:
		return fmt.Sprintf("%d", uint8(t))
	}
}

// NDPOptions are the options of a neighbor discovery message as they are
// encoded, RFC 4861, section 4.6. The Append methods return them with one more,
// so that they can be built in one expression:
//
//	pkts.NDPOptions(nil).AppendMTU(1500).AppendSourceLinkAddr(mac)
type NDPOptions []byte

// NDPOption is one option. Its data aliases the options it comes from.
type NDPOption struct {
	Type NDPOptionType
	Data []byte // without type and length, with padding
}

// next returns the option at byte i and its length, 0 when there is none that
// is whole.
func (o NDPOptions) next(i int) (opt NDPOption, n int) {
	if len(o)-i < ndpOptionHeader {
		return opt, 0
	}
	n = int(o[i+1]) * ndpOptionUnit
	if n == 0 || n > len(o)-i {
		return opt, 0
	}
	return NDPOption{NDPOptionType(o[i]), o[i+ndpOptionHeader : i+n : i+n]}, n
}

// All yields the options with their offsets in bytes. It ends before one that
// is cut off or has no length, which [NDPOptions.Err] reports.
func (o NDPOptions) All() iter.Seq2[int, NDPOption] {
	return func(yield func(int, NDPOption) bool) {
		for i := 0; ; {
			opt, n := o.next(i)
			if n == 0 || !yield(i, opt) {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the options can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the option begins that is cut off, or
// whose length is 0.
func (o NDPOptions) Err() error {
	for i := 0; i < len(o); {
		_, n := o.next(i)
		if n == 0 {
			e := &DecodeError{Layer: "NDP options", Offset: i, Want: ndpOptionUnit, Have: len(o) - i, Err: ErrTruncated}
			if e.Have < ndpOptionHeader {
				return e
			}
			if e.Want = int(o[i+1]) * ndpOptionUnit; e.Want == 0 {
				e.Err, e.Have, e.Reason = ErrMalformed, 0, "the length of an option is 0, at least 1"
			}
			return e
		}
		i += n
	}
	return nil
}

// Get returns the first option of type t.
func (o NDPOptions) Get(t NDPOptionType) (NDPOption, bool) {
	for i := 0; ; {
		opt, n := o.next(i)
		if n == 0 {
			return NDPOption{}, false
		}
		if opt.Type == t {
			return opt, true
		}
		i += n
	}
}

// SourceLinkAddr returns the sender's MAC address.
func (o NDPOptions) SourceLinkAddr() (link.MacAddr, bool) {
	opt, _ := o.Get(NDPOptSourceLinkAddr)
	return opt.LinkAddr()
}

// TargetLinkAddr returns the target's MAC address.
func (o NDPOptions) TargetLinkAddr() (link.MacAddr, bool) {
	opt, _ := o.Get(NDPOptTargetLinkAddr)
	return opt.LinkAddr()
}

// MTU returns the MTU of the link, in bytes.
func (o NDPOptions) MTU() (uint32, bool) {
	opt, _ := o.Get(NDPOptMTU)
	return opt.MTU()
}

// Append appends an option, whose data are padded with zeros to a
// multiple of 8 bytes, type and length included. data is at most 2,038 bytes
// long.
func (o NDPOptions) Append(t NDPOptionType, data []byte) (NDPOptions, error) {
	if len(data) > ndpOptionMax {
		return o, TooLong("NDP options", t.String(), len(data), ndpOptionMax)
	}
	return o.append(t, data), nil
}

// append is Append for data that fit.
func (o NDPOptions) append(t NDPOptionType, data []byte) NDPOptions {
	n := (ndpOptionHeader + len(data) + ndpOptionUnit - 1) / ndpOptionUnit
	o = append(o, uint8(t), uint8(n))
	o = append(o, data...)
	return append(o, make([]byte, n*ndpOptionUnit-ndpOptionHeader-len(data))...)
}

// LinkAddr returns the address in a source or target link-layer address option
// of 8 bytes, RFC 4861, section 4.6.1. Other links have other lengths of
// addresses: then Data is what there is.
func (opt NDPOption) LinkAddr() (link.MacAddr, bool) {
	if opt.Type != NDPOptSourceLinkAddr && opt.Type != NDPOptTargetLinkAddr || len(opt.Data) != len(link.MacAddr{}) {
		return link.MacAddr{}, false
	}
	return link.MacAddr(opt.Data), true
}

// AppendSourceLinkAddr appends the sender's MAC address.
func (o NDPOptions) AppendSourceLinkAddr(a link.MacAddr) NDPOptions {
	return o.append(NDPOptSourceLinkAddr, a[:])
}

// AppendTargetLinkAddr appends the target's MAC address.
func (o NDPOptions) AppendTargetLinkAddr(a link.MacAddr) NDPOptions {
	return o.append(NDPOptTargetLinkAddr, a[:])
}

// NDPPrefixFlags are the flags of a prefix information option.
type NDPPrefixFlags uint8

const (
	NDPPrefixOnLink     NDPPrefixFlags = 0x80 // the prefix is on the link, RFC 4861
	NDPPrefixAutonomous NDPPrefixFlags = 0x40 // hosts may make themselves an address, RFC 4862
	NDPPrefixRouterAddr NDPPrefixFlags = 0x20 // the prefix holds the router's own address, RFC 6275
	NDPPrefixDelegation NDPPrefixFlags = 0x10 // prefixes are to be had by DHCPv6, RFC 9762
)

// Has reports whether all bits of x are set.
func (f NDPPrefixFlags) Has(x NDPPrefixFlags) bool { return f&x == x }

// String returns the flags' letters, such as "L+A"; "none" for none.
func (f NDPPrefixFlags) String() string {
	return bitNames(uint32(f)<<24, []string{"L", "A", "R", "P", "reserved4", "reserved3", "reserved2", "reserved1"})
}

// NDPForever is the lifetime, in seconds, that does not end.
const NDPForever = 0xffffffff

// NDPPrefix is a prefix information option, RFC 4861, section 4.6.2.
type NDPPrefix struct {
	Prefix    netip.Prefix // the bits behind the prefix are those of the option
	Flags     NDPPrefixFlags
	Valid     uint32 // seconds, or [NDPForever]
	Preferred uint32 // seconds, or NDPForever
}

// Prefix returns the contents of a prefix information option.
func (opt NDPOption) Prefix() (NDPPrefix, bool) {
	b := opt.Data
	if opt.Type != NDPOptPrefix || len(b) < ndpOptPrefixLen-ndpOptionHeader || b[0] > 128 {
		return NDPPrefix{}, false
	}
	return NDPPrefix{
		Prefix:    netip.PrefixFrom(netip.AddrFrom16([16]byte(b[14:])), int(b[0])),
		Flags:     NDPPrefixFlags(b[1]),
		Valid:     binary.BigEndian.Uint32(b[2:]),
		Preferred: binary.BigEndian.Uint32(b[6:]),
	}, true
}

// AppendPrefix appends a prefix information option. It returns an
// [*EncodeError] for a prefix that is not IPv6.
func (o NDPOptions) AppendPrefix(p NDPPrefix) (NDPOptions, error) {
	if !p.Prefix.IsValid() || !p.Prefix.Addr().Is6() {
		return o, wrongAddr("NDP options", "Prefix", p.Prefix.Addr())
	}
	a := p.Prefix.Addr().As16()
	b := make([]byte, 0, ndpOptPrefixLen)
	b = append(b, uint8(p.Prefix.Bits()), uint8(p.Flags))
	b = binary.BigEndian.AppendUint32(b, p.Valid)
	b = binary.BigEndian.AppendUint32(b, p.Preferred)
	b = append(b, 0, 0, 0, 0)
	return o.append(NDPOptPrefix, append(b, a[:]...)), nil
}

// Redirected returns the start of the packet that was redirected, RFC 4861,
// section 4.6.3, with the option's padding if it has any.
func (opt NDPOption) Redirected() ([]byte, bool) {
	if opt.Type != NDPOptRedirected || len(opt.Data) < ndpOptRedirectedStart-ndpOptionHeader {
		return nil, false
	}
	return opt.Data[ndpOptRedirectedStart-ndpOptionHeader:], true
}

// AppendRedirected appends as much of a packet as fits: at most 2,032
// bytes, and a multiple of 8. The whole message should be no longer than 1,280
// bytes.
func (o NDPOptions) AppendRedirected(packet []byte) NDPOptions {
	packet = packet[:min(len(packet), ndpOptionMax+ndpOptionHeader-ndpOptRedirectedStart)]
	b := make([]byte, ndpOptRedirectedStart-ndpOptionHeader, ndpOptRedirectedStart+len(packet))
	return o.append(NDPOptRedirected, append(b, packet...))
}

// MTU returns the contents of an MTU option, in bytes, RFC 4861, section 4.6.4.
func (opt NDPOption) MTU() (uint32, bool) {
	if opt.Type != NDPOptMTU || len(opt.Data) < 6 {
		return 0, false
	}
	return binary.BigEndian.Uint32(opt.Data[2:]), true
}

// AppendMTU appends the MTU of the link, in bytes.
func (o NDPOptions) AppendMTU(mtu uint32) NDPOptions {
	o = append(o, uint8(NDPOptMTU), 1, 0, 0)
	return binary.BigEndian.AppendUint32(o, mtu)
}

// NDPRoute is a route information option, RFC 4191, section 2.3.
type NDPRoute struct {
	Prefix     netip.Prefix
	Preference NDPPreference
	Lifetime   uint32 // seconds, or [NDPForever]
}

// Route returns the contents of a route information option.
func (opt NDPOption) Route() (NDPRoute, bool) {
	b := opt.Data
	if opt.Type != NDPOptRoute || len(b) < 6 || b[0] > 128 || int(b[0]) > (len(b)-6)*8 {
		return NDPRoute{}, false
	}
	var a [16]byte
	copy(a[:], b[6:])
	return NDPRoute{
		Prefix:     netip.PrefixFrom(netip.AddrFrom16(a), int(b[0])),
		Preference: NDPPreference(b[1] >> ndpPreferenceShift & 3),
		Lifetime:   binary.BigEndian.Uint32(b[2:]),
	}, true
}

// AppendRoute appends a route information option, as short as the
// prefix permits. It returns an [*EncodeError] for a prefix that is not IPv6.
func (o NDPOptions) AppendRoute(r NDPRoute) (NDPOptions, error) {
	if !r.Prefix.IsValid() || !r.Prefix.Addr().Is6() {
		return o, wrongAddr("NDP options", "Prefix", r.Prefix.Addr())
	}
	if r.Preference > NDPPreferLow {
		return o, TooLong("NDP options", "Preference", int(r.Preference), int(NDPPreferLow))
	}
	a := r.Prefix.Addr().As16()
	n := (r.Prefix.Bits() + 63) / 64 * 8
	b := make([]byte, 0, 6+n)
	b = append(b, uint8(r.Prefix.Bits()), uint8(r.Preference)<<ndpPreferenceShift)
	b = binary.BigEndian.AppendUint32(b, r.Lifetime)
	return o.append(NDPOptRoute, append(b, a[:n]...)), nil
}

// DNSServers returns the contents of a recursive DNS server option, RFC 8106,
// section 5.1: addresses, and for how many seconds, or [NDPForever], they may be
// used. It allocates.
func (opt NDPOption) DNSServers() (lifetime uint32, servers []netip.Addr, ok bool) {
	b := opt.Data
	if opt.Type != NDPOptDNSServers || len(b) < 6 {
		return 0, nil, false
	}
	lifetime = binary.BigEndian.Uint32(b[2:])
	for b = b[6:]; len(b) >= 16; b = b[16:] {
		servers = append(servers, netip.AddrFrom16([16]byte(b)))
	}
	return lifetime, servers, true
}

// AppendDNSServers appends a recursive DNS server option. The addresses
// must be IPv6, and at most 127.
func (o NDPOptions) AppendDNSServers(lifetime uint32, servers ...netip.Addr) (NDPOptions, error) {
	if len(servers) > 127 {
		return o, TooLong("NDP options", "servers", len(servers), 127)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 2, 6+16*len(servers)), lifetime)
	for _, a := range servers {
		if !a.Is6() {
			return o, wrongAddr("NDP options", "servers", a)
		}
		a16 := a.As16()
		b = append(b, a16[:]...)
	}
	return o.append(NDPOptDNSServers, b), nil
}

// FlagsExtension returns the 48 bits of a flags extension option, RFC 5175,
// section 4.
func (opt NDPOption) FlagsExtension() (uint64, bool) {
	if opt.Type != NDPOptFlagsExtension || len(opt.Data) < 6 {
		return 0, false
	}
	return uint64(binary.BigEndian.Uint16(opt.Data))<<32 | uint64(binary.BigEndian.Uint32(opt.Data[2:])), true
}

// AppendFlagsExtension appends the low 48 bits of flags.
func (o NDPOptions) AppendFlagsExtension(flags uint64) NDPOptions {
	o = append(o, uint8(NDPOptFlagsExtension), 1)
	o = binary.BigEndian.AppendUint16(o, uint16(flags>>32))
	return binary.BigEndian.AppendUint32(o, uint32(flags))
}

// DNSSearch returns the contents of a DNS search list option, RFC 8106,
// section 5.2: domains without the dot at the end, and for how many seconds, or
// [NDPForever], they may be used. In a label, dots and backslashes have a
// backslash before them. It returns false when a name is malformed. It
// allocates.
func (opt NDPOption) DNSSearch() (lifetime uint32, domains []string, ok bool) {
	b := opt.Data
	if opt.Type != NDPOptDNSSearch || len(b) < 6 {
		return 0, nil, false
	}
	lifetime = binary.BigEndian.Uint32(b[2:])
	var name strings.Builder
	for b = b[6:]; len(b) > 0; {
		n := int(b[0])
		switch {
		case n >= len(b) && n > 0 || n > 63:
			return 0, nil, false
		case n == 0 && name.Len() > 0:
			domains = append(domains, name.String())
			name.Reset()
		case n > 0:
			if name.Len() > 0 {
				name.WriteByte('.')
			}
			for _, c := range b[1 : 1+n] {
				if c == '.' || c == '\\' {
					name.WriteByte('\\')
				}
				name.WriteByte(c)
			}
		}
		b = b[1+n:]
	}
	return lifetime, domains, name.Len() == 0
}

// AppendDNSSearch appends a DNS search list option. The domains are
// written as [NDPOption.DNSSearch] returns them; a dot at the end is allowed.
// It returns an [*EncodeError] for a name with an empty label, a label of more
// than 63 bytes, or a name of more than 255.
func (o NDPOptions) AppendDNSSearch(lifetime uint32, domains ...string) (NDPOptions, error) {
	b := binary.BigEndian.AppendUint32(make([]byte, 2), lifetime)
	for _, d := range domains {
		start := len(b)
		label := start
		b = append(b, 0)
		for i := 0; i <= len(d); i++ {
			if i < len(d) && d[i] == '\\' && i+1 < len(d) {
				i++
				b = append(b, d[i])
				continue
			}
			if i < len(d) && d[i] != '.' {
				b = append(b, d[i])
				continue
			}
			n := len(b) - label - 1
			if n == 0 && i == len(d) && label > start {
				break // the dot at the end
			}
			if n == 0 || n > 63 {
				return o, &EncodeError{Layer: "NDP DNS search list", Field: "domains", Reason: fmt.Sprintf("a label of %d bytes in %q: 1 to 63", n, d), Err: ErrMalformed}
			}
			b[label] = uint8(n)
			label = len(b)
			b = append(b, 0)
		}
		if len(b)-start > 255 {
			return o, TooLong("NDP options", "domains", len(b)-start, 255)
		}
	}
	return o.Append(NDPOptDNSSearch, b)
}

// Nonce returns the contents of a nonce option, RFC 3971, section 5.3.2.
func (opt NDPOption) Nonce() ([]byte, bool) { return opt.Data, opt.Type == NDPOptNonce }

// AppendNonce appends a nonce, of at least 6 bytes and 6 more than a
// multiple of 8: other lengths are padded with zeros.
func (o NDPOptions) AppendNonce(nonce []byte) (NDPOptions, error) {
	return o.Append(NDPOptNonce, nonce)
}

// CaptivePortal returns the URI of a captive portal option, RFC 8910,
// section 2.3. It aliases the options.
func (opt NDPOption) CaptivePortal() (uri []byte, ok bool) {
	if opt.Type != NDPOptCaptivePortal {
		return nil, false
	}
	return trimZeros(opt.Data), true
}

// AppendCaptivePortal appends the URI of a captive portal.
func (o NDPOptions) AppendCaptivePortal(uri string) (NDPOptions, error) {
	return o.Append(NDPOptCaptivePortal, []byte(uri))
}

// NDPPREF64 is a PREF64 option, RFC 8781, section 4: the prefix of a NAT64.
type NDPPREF64 struct {
	Prefix   netip.Prefix // of 96, 64, 56, 48, 40 or 32 bits
	Lifetime uint16       // seconds, a multiple of 8, at most 65,528
}

// pref64Bits are the lengths that the option has numbers for.
var pref64Bits = [...]uint8{96, 64, 56, 48, 40, 32}

// PREF64 returns the contents of a PREF64 option.
func (opt NDPOption) PREF64() (NDPPREF64, bool) {
	b := opt.Data
	if opt.Type != NDPOptPREF64 || len(b) < 14 {
		return NDPPREF64{}, false
	}
	w := binary.BigEndian.Uint16(b)
	if int(w&7) >= len(pref64Bits) {
		return NDPPREF64{}, false
	}
	var a [16]byte
	copy(a[:12], b[2:])
	return NDPPREF64{netip.PrefixFrom(netip.AddrFrom16(a), int(pref64Bits[w&7])), w &^ 7}, true
}

// AppendPREF64 appends a PREF64 option. It returns an [*EncodeError]
// for a prefix of another length and a lifetime that is not a multiple of 8.
func (o NDPOptions) AppendPREF64(p NDPPREF64) (NDPOptions, error) {
	if !p.Prefix.IsValid() || !p.Prefix.Addr().Is6() {
		return o, wrongAddr("NDP options", "Prefix", p.Prefix.Addr())
	}
	if p.Lifetime%8 != 0 {
		return o, &EncodeError{Layer: "NDP PREF64", Field: "Lifetime", Reason: fmt.Sprintf("%d is not a multiple of 8", p.Lifetime), Err: ErrMalformed}
	}
	for code, bits := range pref64Bits {
		if int(bits) == p.Prefix.Bits() {
			a := p.Prefix.Addr().As16()
			b := binary.BigEndian.AppendUint16(nil, p.Lifetime|uint16(code))
			return o.append(NDPOptPREF64, append(b, a[:12]...)), nil
		}
	}
	return o, &EncodeError{Layer: "NDP PREF64", Field: "Prefix", Reason: fmt.Sprintf("%d bits: use 96, 64, 56, 48, 40 or 32", p.Prefix.Bits()), Err: ErrMalformed}
}

// NDPContext is a 6LoWPAN context option, RFC 6775, section 4.2.
type NDPContext struct {
	Prefix   netip.Prefix // what the context stands for
	ID       uint8        // 4 bits
	Compress bool         // the context may be used for compression too
	Lifetime uint16       // in units of 60 seconds
}

// Context returns the contents of a 6LoWPAN context option.
func (opt NDPOption) Context() (NDPContext, bool) {
	b := opt.Data
	if opt.Type != NDPOptContext || len(b) < 6 || b[0] > 128 || int(b[0]) > (len(b)-6)*8 {
		return NDPContext{}, false
	}
	var a [16]byte
	copy(a[:], b[6:])
	return NDPContext{
		Prefix:   netip.PrefixFrom(netip.AddrFrom16(a), int(b[0])),
		ID:       b[1] & 0xf,
		Compress: b[1]&0x10 != 0,
		Lifetime: binary.BigEndian.Uint16(b[4:]),
	}, true
}
