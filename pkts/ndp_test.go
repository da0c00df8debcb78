package pkts

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	ndpHost   = link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}
	ndpRouter = link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}
)

func ndpGoldens() []golden {
	addr := netip.MustParseAddr
	raOptions := must(NDPOptions(nil).AppendPrefix(NDPPrefix{
		Prefix: netip.MustParsePrefix("fd77:1::/64"), Flags: NDPPrefixOnLink | NDPPrefixAutonomous, Valid: 86400, Preferred: 14400,
	}))
	raOptions = must(raOptions.AppendRoute(NDPRoute{Prefix: netip.MustParsePrefix("fd99::/48"), Lifetime: 12}))
	// The sender gave the prefix more room than it needs.
	raOptions[33] = 3
	raOptions = append(raOptions, make([]byte, 8)...)
	raOptions = must(raOptions.AppendDNSServers(4, addr("fd77::2")))
	raOptions = must(raOptions.AppendDNSSearch(4, "t.test"))
	raOptions = raOptions.AppendMTU(1400).AppendSourceLinkAddr(ndpRouter)

	scapyOptions := must(NDPOptions(nil).AppendRoute(NDPRoute{Prefix: netip.MustParsePrefix("2001:db8:1::/56"), Preference: NDPPreferHigh, Lifetime: 600}))
	scapyOptions[1] = 3
	scapyOptions = append(scapyOptions, make([]byte, 8)...)
	scapyOptions = must(scapyOptions.AppendDNSSearch(60, "example.com", "a.b"))
	scapyOptions = scapyOptions.AppendMTU(9000).AppendFlagsExtension(0)
	return []golden{{
		name:  "router solicitation",
		from:  "captures/ip_fragments_lossy.pcap: the kernel",
		first: &ethernetProtocol,
		hex: `
			33 33 00 00 00 02  a2 c3 a0 08 36 6a  86 dd
			60 00 00 00  00 10 3a ff
			fe 80 00 00 00 00 00 00 a0 c3 a0 ff fe 08 36 6a
			ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 02
			85 00 8c c1  00 00 00 00
			01 01 a2 c3 a0 08 36 6a                           # source link-layer address`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0x33, 0x33, 0, 0, 0, 2}, Src: link.MacAddr{0xa2, 0xc3, 0xa0, 0x08, 0x36, 0x6a}},
			&IPv6{HopLimit: 255, Src: addr("fe80::a0c3:a0ff:fe08:366a"), Dst: addr("ff02::2")},
			&ICMPv6{},
			&NDPRouterSolicitation{Options: NDPOptions(nil).AppendSourceLinkAddr(link.MacAddr{0xa2, 0xc3, 0xa0, 0x08, 0x36, 0x6a})},
		},
	}, {
		name:  "router advertisement",
		from:  "captures/dhcp6_ra.pcap: radvd",
		first: &ethernetProtocol,
		hex: `
			33 33 00 00 00 01  d6 1e d5 b8 ca fd  86 dd
			60 0a 48 d7  00 80 3a ff
			fe 80 00 00 00 00 00 00 d4 1e d5 ff fe b8 ca fd
			ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			86 00 1f 84
			40 80 00 0c  00 00 00 00  00 00 00 00             # hop limit 64, managed, 12 seconds
			03 04 40 c0  00 01 51 80  00 00 38 40  00 00 00 00
			fd 77 00 01 00 00 00 00 00 00 00 00 00 00 00 00   # prefix fd77:1::/64, on link, autonomous
			18 03 30 00  00 00 00 0c
			fd 99 00 00 00 00 00 00 00 00 00 00 00 00 00 00   # route to fd99::/48, 12 seconds
			19 03 00 00  00 00 00 04
			fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 02   # DNS server fd77::2, 4 seconds
			1f 02 00 00  00 00 00 04
			01 74 04 74 65 73 74 00                           # DNS search list t.test
			05 01 00 00  00 00 05 78                          # MTU 1400
			01 01 d6 1e d5 b8 ca fd                           # source link-layer address`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0x33, 0x33, 0, 0, 0, 1}, Src: ndpRouter},
			&IPv6{FlowLabel: 0xa48d7, HopLimit: 255, Src: addr("fe80::d41e:d5ff:feb8:cafd"), Dst: addr("ff02::1")},
			&ICMPv6{},
			&NDPRouterAdvertisement{HopLimit: 64, Flags: NDPManaged, Lifetime: 12, Options: raOptions},
		},
	}, {
		name:  "neighbor solicitation",
		from:  "captures/dhcp6_ra.pcap: duplicate address detection with a nonce",
		first: &ethernetProtocol,
		hex: `
			33 33 ff 46 b7 66  3a fe 07 46 b7 66  86 dd
			60 00 00 00  00 20 3a ff
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
			ff 02 00 00 00 00 00 00 00 00 00 01 ff 46 b7 66
			87 00 99 a1  00 00 00 00
			fd 77 00 01 00 00 00 00 38 fe 07 ff fe 46 b7 66   # target
			0e 01 af b5 33 00 44 77                           # nonce`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0x33, 0x33, 0xff, 0x46, 0xb7, 0x66}, Src: ndpHost},
			&IPv6{HopLimit: 255, Dst: addr("ff02::1:ff46:b766")},
			&ICMPv6{},
			&NDPNeighborSolicitation{
				Target:  addr("fd77:1::38fe:7ff:fe46:b766"),
				Options: must(NDPOptions(nil).AppendNonce([]byte{0xaf, 0xb5, 0x33, 0x00, 0x44, 0x77})),
			},
		},
	}, {
		name:  "neighbor advertisement",
		from:  "captures/dhcp6_ra.pcap: the kernel",
		first: &ethernetProtocol,
		hex: `
			d6 1e d5 b8 ca fd  aa 29 c1 e8 4a 37  86 dd
			60 00 00 00  00 20 3a ff
			fe 80 00 00 00 00 00 00 a8 29 c1 ff fe e8 4a 37
			fe 80 00 00 00 00 00 00 d4 1e d5 ff fe b8 ca fd
			88 00 89 6e  60 00 00 00                          # solicited, override
			fe 80 00 00 00 00 00 00 a8 29 c1 ff fe e8 4a 37   # target
			02 01 aa 29 c1 e8 4a 37                           # target link-layer address`,
		layers: []Layer{
			&Ethernet{Dst: ndpRouter, Src: link.MacAddr{0xaa, 0x29, 0xc1, 0xe8, 0x4a, 0x37}},
			&IPv6{HopLimit: 255, Src: addr("fe80::a829:c1ff:fee8:4a37"), Dst: addr("fe80::d41e:d5ff:feb8:cafd")},
			&ICMPv6{},
			&NDPNeighborAdvertisement{
				Flags: NDPSolicited | NDPOverride, Target: addr("fe80::a829:c1ff:fee8:4a37"),
				Options: NDPOptions(nil).AppendTargetLinkAddr(link.MacAddr{0xaa, 0x29, 0xc1, 0xe8, 0x4a, 0x37}),
			},
		},
	}, {
		name:  "redirect",
		from:  "scapy: ICMPv6ND_Redirect(tgt='fe80::2', dst='2001:db8::9') with the router's address and the packet",
		first: &ipv6Protocol,
		hex: `
			60 00 00 00  00 68 3a ff
			fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			89 00 54 18  00 00 00 00
			fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02   # target
			20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09   # destination
			02 01 02 00 00 00 00 02                           # target link-layer address
			04 07 00 00 00 00 00 00                           # redirected header
			60 00 00 00  00 0c 11 01
			20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07
			20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09
			80 e8 82 9a  00 0c 20 51`,
		layers: []Layer{
			&IPv6{HopLimit: 255, Src: addr("fe80::1"), Dst: addr("ff02::1")},
			&ICMPv6{},
			&NDPRedirect{
				Target: addr("fe80::2"), Dst: addr("2001:db8::9"),
				Options: NDPOptions(nil).AppendTargetLinkAddr(link.MacAddr{2, 0, 0, 0, 0, 2}).AppendRedirected(must(Stack(
					&IPv6{PayloadLength: Pin[uint16](12), HopLimit: 1, Src: addr("2001:db8::7"), Dst: addr("2001:db8::9")},
					&UDP{SrcPort: 33000, DstPort: 33434, Length: Pin[uint16](12), Checksum: Pin[uint16](0x2051)},
				).AppendBinary(nil))),
			},
		},
	}, {
		name:  "router advertisement with preference",
		from:  "scapy: ICMPv6ND_RA(M=1, O=1, prf=3) with a route, a search list, an MTU and a flags extension",
		first: &ipv6Protocol,
		hex: `
			60 00 00 00  00 58 3a ff
			fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			86 00 c3 0f
			40 d8 07 08  00 00 00 00  00 00 00 00             # managed, other, low; 1800 seconds
			18 03 38 08  00 00 02 58
			20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 00   # route to 2001:db8:1::/56, high, 600 seconds
			1f 04 00 00  00 00 00 3c
			07 65 78 61 6d 70 6c 65 03 63 6f 6d 00 01 61 01
			62 00 00 00 00 00 00 00                           # DNS search list example.com, a.b
			05 01 00 00  00 00 23 28                          # MTU 9000
			1a 01 00 00  00 00 00 00                          # flags extension`,
		layers: []Layer{
			&IPv6{HopLimit: 255, Src: addr("fe80::1"), Dst: addr("ff02::1")},
			&ICMPv6{},
			&NDPRouterAdvertisement{
				HopLimit: 64, Flags: (NDPManaged | NDPOther).WithPreference(NDPPreferLow), Lifetime: 1800, Options: scapyOptions,
			},
		},
	}}
}

func TestNDP(t *testing.T) { testGolden(t, ndpGoldens()...) }

// What the options of the captured router advertisement say, as tshark has it.
func TestNDPOptions(t *testing.T) {
	g := ndpGoldens()[1]
	var p Packet
	if err := p.DecodeAs(g.first, unhex(t, g.hex)); err != nil {
		t.Fatal(err)
	}
	o := Must[NDPRouterAdvertisement](&p).Options
	opt, _ := o.Get(NDPOptPrefix)
	prefix, ok := opt.Prefix()
	if want := (NDPPrefix{netip.MustParsePrefix("fd77:1::/64"), NDPPrefixOnLink | NDPPrefixAutonomous, 86400, 14400}); !ok || prefix != want {
		t.Errorf("Prefix = %+v, %v; want %+v", prefix, ok, want)
	}
	opt, _ = o.Get(NDPOptRoute)
	route, ok := opt.Route()
	if want := (NDPRoute{netip.MustParsePrefix("fd99::/48"), NDPPreferMedium, 12}); !ok || route != want {
		t.Errorf("Route = %+v, %v; want %+v", route, ok, want)
	}
	opt, _ = o.Get(NDPOptDNSServers)
	lifetime, servers, ok := opt.DNSServers()
	if !ok || lifetime != 4 || !slices.Equal(servers, []netip.Addr{netip.MustParseAddr("fd77::2")}) {
		t.Errorf("DNSServers = %d, %v, %v", lifetime, servers, ok)
	}
	opt, _ = o.Get(NDPOptDNSSearch)
	lifetime, domains, ok := opt.DNSSearch()
	if !ok || lifetime != 4 || !slices.Equal(domains, []string{"t.test"}) {
		t.Errorf("DNSSearch = %d, %v, %v", lifetime, domains, ok)
	}
	if mtu, ok := o.MTU(); !ok || mtu != 1400 {
		t.Errorf("MTU = %d, %v", mtu, ok)
	}
	if mac, ok := o.SourceLinkAddr(); !ok || mac != ndpRouter {
		t.Errorf("SourceLinkAddr = %v, %v", mac, ok)
	}
	if mac, ok := o.TargetLinkAddr(); ok {
		t.Errorf("TargetLinkAddr = %v", mac)
	}

	// Of the wrong type, every accessor says no.
	none := NDPOption{Type: NDPOptCGA, Data: make([]byte, 30)}
	for i, ok := range []bool{
		second(none.LinkAddr()), second(none.Prefix()), second(none.Redirected()), second(none.MTU()), second(none.Route()),
		second(none.FlagsExtension()), second(none.Nonce()), second(none.CaptivePortal()), second(none.PREF64()), second(none.Context()),
	} {
		if ok {
			t.Errorf("accessor %d took a CGA option", i)
		}
	}
}

func second[T any](_ T, ok bool) bool { return ok }

func TestNDPOptionBuilders(t *testing.T) {
	check := func(what string, o NDPOptions, err error, hex string) NDPOption {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(unhex(t, hex), []byte(o)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		opt, _ := o.next(0)
		return opt
	}
	// RFC 8910, section 2.3, and RFC 8781, section 4, written out by hand.
	o, err := NDPOptions(nil).AppendCaptivePortal("https://a.b/c")
	opt := check("captive portal", o, err, "25 02 68 74 74 70 73 3a 2f 2f 61 2e 62 2f 63 00")
	if uri, ok := opt.CaptivePortal(); !ok || string(uri) != "https://a.b/c" {
		t.Errorf("CaptivePortal = %q, %v", uri, ok)
	}
	p64 := NDPPREF64{netip.MustParsePrefix("64:ff9b::/96"), 600}
	o, err = NDPOptions(nil).AppendPREF64(p64)
	opt = check("PREF64", o, err, "26 02 02 58  00 64 ff 9b 00 00 00 00 00 00 00 00")
	if got, ok := opt.PREF64(); !ok || got != p64 {
		t.Errorf("PREF64 = %+v, %v", got, ok)
	}
	p64 = NDPPREF64{netip.MustParsePrefix("2001:db8::/32"), 8}
	o, err = NDPOptions(nil).AppendPREF64(p64)
	opt = check("PREF64", o, err, "26 02 00 0d  20 01 0d b8 00 00 00 00 00 00 00 00")
	if got, ok := opt.PREF64(); !ok || got != p64 {
		t.Errorf("PREF64 = %+v, %v", got, ok)
	}
	opt = check("nonce", must(NDPOptions(nil).AppendNonce([]byte("123456"))), nil, "0e 01 31 32 33 34 35 36")
	if n, ok := opt.Nonce(); !ok || string(n) != "123456" {
		t.Errorf("Nonce = %q, %v", n, ok)
	}
	opt = check("flags extension", NDPOptions(nil).AppendFlagsExtension(0x8000_0000_0001), nil, "1a 01 80 00 00 00 00 01")
	if f, ok := opt.FlagsExtension(); !ok || f != 0x8000_0000_0001 {
		t.Errorf("FlagsExtension = %x, %v", f, ok)
	}
	for bits, units := range map[int]byte{0: 1, 1: 2, 64: 2, 65: 3, 128: 3} {
		r := NDPRoute{netip.PrefixFrom(netip.MustParseAddr("2001:db8::1"), bits).Masked(), NDPPreferLow, NDPForever}
		o = must(NDPOptions(nil).AppendRoute(r))
		opt, _ = o.next(0)
		if got, ok := opt.Route(); !ok || got != r || o[1] != units {
			t.Errorf("Route = %+v, %v, %d units; want %+v, %d", got, ok, o[1], r, units)
		}
	}
	// RFC 6775, section 4.2: context 3 for 2001:db8::/32, with compression, 2 hours.
	opt, _ = NDPOptions(unhex(t, "22 02 20 13 00 00 00 78  20 01 0d b8 00 00 00 00")).next(0)
	if c, ok := opt.Context(); !ok || c != (NDPContext{netip.MustParsePrefix("2001:db8::/32"), 3, true, 120}) {
		t.Errorf("Context = %+v, %v", c, ok)
	}
	o = must(NDPOptions(nil).AppendDNSSearch(1, `a\.b.c`, "d."))
	opt, _ = o.next(0)
	if _, d, ok := opt.DNSSearch(); !ok || !slices.Equal(d, []string{`a\.b.c`, "d"}) {
		t.Errorf("DNSSearch = %q, %v", d, ok)
	}
	if o = NDPOptions(nil).AppendRedirected(make([]byte, 3000)); len(o) != 2040 {
		t.Errorf("AppendRedirected: %d bytes, want 2040", len(o))
	}
}

func TestNDPOptionErrors(t *testing.T) {
	v4 := netip.MustParsePrefix("192.0.2.0/24")
	a4 := v4.Addr()
	var o NDPOptions
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"long":            {second2(o.Append(200, make([]byte, 2039))), ErrTooLong},
		"prefix":          {second2(o.AppendPrefix(NDPPrefix{Prefix: v4})), ErrMalformed},
		"no prefix":       {second2(o.AppendPrefix(NDPPrefix{})), ErrMalformed},
		"route":           {second2(o.AppendRoute(NDPRoute{Prefix: v4})), ErrMalformed},
		"preference":      {second2(o.AppendRoute(NDPRoute{Prefix: netip.MustParsePrefix("::/0"), Preference: 4})), ErrTooLong},
		"server":          {second2(o.AppendDNSServers(1, a4)), ErrMalformed},
		"servers":         {second2(o.AppendDNSServers(1, make([]netip.Addr, 128)...)), ErrTooLong},
		"PREF64":          {second2(o.AppendPREF64(NDPPREF64{Prefix: v4})), ErrMalformed},
		"PREF64 bits":     {second2(o.AppendPREF64(NDPPREF64{Prefix: netip.MustParsePrefix("::/95")})), ErrMalformed},
		"PREF64 lifetime": {second2(o.AppendPREF64(NDPPREF64{Prefix: netip.MustParsePrefix("::/96"), Lifetime: 9})), ErrMalformed},
		"empty label":     {second2(o.AppendDNSSearch(1, "a..b")), ErrMalformed},
		"no name":         {second2(o.AppendDNSSearch(1, "")), ErrMalformed},
		"long label":      {second2(o.AppendDNSSearch(1, strings.Repeat("a", 64))), ErrMalformed},
		"long name":       {second2(o.AppendDNSSearch(1, strings.Repeat("a.", 128))), ErrTooLong},
		"RS target":       {second2((&NDPNeighborSolicitation{Target: a4}).AppendBinary(nil)), ErrMalformed},
		"NA target":       {second2((&NDPNeighborAdvertisement{Target: a4}).AppendBinary(nil)), ErrMalformed},
		"redirect target": {second2((&NDPRedirect{Target: a4}).AppendBinary(nil)), ErrMalformed},
		"redirect dst":    {second2((&NDPRedirect{Dst: a4}).AppendBinary(nil)), ErrMalformed},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	for _, hex := range []string{
		"1f 02 00 00 00 00 00 01  05 61 62 63 64 65 02 66", // a label that goes on
		"1f 02 00 00 00 00 00 01  c0 00 00 00 00 00 00 00", // compression
		"1f 02 00 00 00 00 00 01  06 61 62 63 64 65 66 01", // a label that is not there
		"1f 02 00 00 00 00 00 01  03 61 62 63 02 64 65 40", // a length of more than 63
	} {
		opt, _ := NDPOptions(unhex(t, hex)).next(0)
		if _, d, ok := opt.DNSSearch(); ok {
			t.Errorf("DNSSearch(%s) = %q", hex, d)
		}
	}
	opt, _ := NDPOptions(unhex(t, "1f 02 00 00 00 00 00 01 06 61 62 63 64 65 66 00")).next(0)
	if _, d, ok := opt.DNSSearch(); !ok || len(d) != 1 {
		t.Errorf("DNSSearch of a name that just fits = %q, %v", d, ok)
	}
}

func second2[T any](_ T, err error) error { return err }

// Options that end in the middle, or have no length, end the iteration.
func TestNDPOptionsMalformed(t *testing.T) {
	good := "01 01 02 00 00 00 00 01"
	for _, tail := range []string{"05", "05 00 00 00 00 00 00 00", "05 02 00 00 00 00 05 78"} {
		o := NDPOptions(unhex(t, good+tail))
		n := 0
		for off, opt := range o.All() {
			if off != 8*n {
				t.Errorf("%s: option %d at %d: %+v", tail, n, off, opt)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%s: %d options, want 1", tail, n)
		}
		checkEnd(t, o.Err(), 8, len(o))
		if _, ok := o.MTU(); ok {
			t.Errorf("%s: an MTU that is not there", tail)
		}
	}
}

func TestNDPViews(t *testing.T) {
	a, b := netip.MustParseAddr("fe80::a"), netip.MustParseAddr("fe80::b")
	rs := NDPRouterSolicitationView(make([]byte, NDPRouterSolicitationMinLen))
	rs.SetReserved(5)
	ra := NDPRouterAdvertisementView(make([]byte, NDPRouterAdvertisementMinLen+8))
	ra.SetHopLimit(64)
	ra.SetFlags(NDPOther)
	ra.SetLifetime(1800)
	ra.SetReachableTime(30000)
	ra.SetRetransTimer(1000)
	ns := NDPNeighborSolicitationView(make([]byte, NDPNeighborSolicitationMinLen))
	ns.SetReserved(6)
	ns.SetTarget(a)
	na := NDPNeighborAdvertisementView(make([]byte, NDPNeighborAdvertisementMinLen))
	na.SetFlags(NDPRouter)
	na.SetTarget(b)
	rd := NDPRedirectView(make([]byte, NDPRedirectMinLen))
	rd.SetReserved(7)
	rd.SetTarget(a)
	rd.SetDst(b)
	for _, c := range []struct {
		got, want Layer
		b         []byte
	}{
		{new(NDPRouterSolicitation), &NDPRouterSolicitation{Reserved: 5}, rs},
		{new(NDPRouterAdvertisement), &NDPRouterAdvertisement{HopLimit: 64, Flags: NDPOther, Lifetime: 1800, ReachableTime: 30000, RetransTimer: 1000, Options: make(NDPOptions, 8)}, ra},
		{new(NDPNeighborSolicitation), &NDPNeighborSolicitation{Reserved: 6, Target: a}, ns},
		{new(NDPNeighborAdvertisement), &NDPNeighborAdvertisement{Flags: NDPRouter, Target: b}, na},
		{new(NDPRedirect), &NDPRedirect{Reserved: 7, Target: a, Dst: b}, rd},
	} {
		if n, err := c.got.Decode(c.b); n != len(c.b) || err != nil {
			t.Errorf("Decode = %d, %v", n, err)
		}
		if diff := cmp.Diff(c.want, c.got, layerOptions()...); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.want.Proto(), diff)
		}
	}
	if len(ra.Options()) != 8 || len(rs.Options())+len(ns.Options())+len(na.Options())+len(rd.Options()) != 0 {
		t.Error("Options of the views are wrong")
	}
}

func TestNDPNames(t *testing.T) {
	for got, want := range map[string]string{
		NDPPreferLow.String():                                        "low",
		NDPManaged.String():                                          "M",
		NDPRouterFlags(0).String():                                   "none",
		NDPOther.WithPreference(NDPPreferHigh).String():              "O+high",
		NDPRouterFlags(0).WithPreference(NDPPreferReserved).String(): "reserved",
		(NDPRouter | NDPOverride).String():                           "R+O",
		(NDPPrefixOnLink | NDPPrefixDelegation).String():             "L+P",
		NDPOptPREF64.String():                                        "PREF64",
		NDPOptionType(99).String():                                   "99",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if f := NDPManaged.WithPreference(7); f != NDPManaged|0x18 {
		t.Errorf("WithPreference(7) = %#x: more than two bits count", uint8(f))
	}
}

func TestNDPRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o NDPOptions
		var want [][]byte
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			data := rapid.SliceOfN(rapid.Byte(), 6, 30).Draw(t, "data")
			data = data[:len(data)-(len(data)+2)%8]
			o = must(o.Append(NDPOptionType(rapid.Uint8().Draw(t, "type")), data))
			want = append(want, data)
		}
		l := &NDPNeighborAdvertisement{Flags: NDPNeighborFlags(rapid.Uint32().Draw(t, "flags")), Target: netip.MustParseAddr("fe80::1"), Options: o}
		b, err := Stack(&IPv6{HopLimit: 255}, &ICMPv6{}, l).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Fatal(err)
		}
		got := Must[NDPNeighborAdvertisement](&p)
		if diff := cmp.Diff(l, got, layerOptions()...); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		i := 0
		for _, opt := range got.Options.All() {
			if string(opt.Data) != string(want[i]) {
				t.Fatalf("option %d: %+v, want %x", i, opt, want[i])
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d options, want %d", i, len(want))
		}
		got.Options = got.Options.AppendMTU(1500)
		if b, err = p.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Fatal(err)
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Fatalf("%v.%s is %v", c.Node.Proto(), c.Field, c.Status)
			}
		}
	})
}

func FuzzNDPOptions(f *testing.F) {
	for _, g := range ndpGoldens() {
		b := unhex(f, g.hex)
		f.Add(b[len(b)-min(len(b), 80):])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end := 0
		for off, opt := range NDPOptions(b).All() {
			if off != end {
				t.Fatalf("an option at %d, want %d", off, end)
			}
			end = off + ndpOptionHeader + len(opt.Data)
			_, _ = opt.LinkAddr()
			_, _ = opt.Redirected()
			_, _ = opt.MTU()
			_, _ = opt.FlagsExtension()
			_, _ = opt.CaptivePortal()
			_, _ = opt.Context()
			_, _, _ = opt.DNSServers()
			// What can be read can be written, and reads the same.
			if p, ok := opt.Prefix(); ok {
				again, _ := must(NDPOptions(nil).AppendPrefix(p)).next(0)
				if q, ok := again.Prefix(); !ok || p != q {
					t.Errorf("prefix %+v became %+v", p, q)
				}
			}
			if r, ok := opt.Route(); ok {
				r.Prefix = r.Prefix.Masked()
				again, _ := must(NDPOptions(nil).AppendRoute(r)).next(0)
				if q, ok := again.Route(); !ok || r != q {
					t.Errorf("route %+v became %+v", r, q)
				}
			}
			if p, ok := opt.PREF64(); ok {
				again, _ := must(NDPOptions(nil).AppendPREF64(p)).next(0)
				if q, ok := again.PREF64(); !ok || p != q {
					t.Errorf("PREF64 %+v became %+v", p, q)
				}
			}
			if life, d, ok := opt.DNSSearch(); ok {
				o, err := NDPOptions(nil).AppendDNSSearch(life, d...)
				if err != nil {
					continue // a name of more than 255 bytes
				}
				again, _ := o.next(0)
				if _, e, ok := again.DNSSearch(); !ok || !slices.Equal(d, e) {
					t.Errorf("domains %q became %q", d, e)
				}
			}
		}
		checkEnd(t, NDPOptions(b).Err(), end, len(b))
	})
}
