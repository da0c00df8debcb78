package link

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace runs f in a network namespace of its own, on a thread that is
// not used again. It skips the test where the system does not let it.
func inNamespace(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	skip := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and no unlock: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			skip <- "unshare(CLONE_NEWNET): " + err.Error()
			return
		}
		f(t)
	}()
	<-done
	select {
	case reason := <-skip:
		skipPrivileged(t, "needs a network namespace: "+reason)
	default:
	}
}

// skipPrivileged skips the test for the reason given, or fails it on a machine
// that must not skip: where GOPKTS_REQUIRE_PRIVILEGED is 1.
func skipPrivileged(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("GOPKTS_REQUIRE_PRIVILEGED") == "1" {
		t.Fatal("required by GOPKTS_REQUIRE_PRIVILEGED=1: " + reason)
	}
	t.Skip(reason)
}

// ip runs ip(8) in the calling thread's namespace.
func ip(args ...string) ([]byte, error) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		err = errors.New("ip " + strings.Join(args, " ") + ": " + strings.TrimSpace(string(out)))
	}
	return out, err
}

// ipAddr is what `ip -json addr` says of an interface.
type ipAddr struct {
	Index    int      `json:"ifindex"`
	Name     string   `json:"ifname"`
	Flags    []string `json:"flags"`
	MTU      int      `json:"mtu"`
	LinkType string   `json:"link_type"`
	Address  string   `json:"address"`
	AddrInfo []struct {
		Local     string `json:"local"`
		PrefixLen int    `json:"prefixlen"`
	} `json:"addr_info"`
}

func TestInterfacesPrivileged(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		skipPrivileged(t, "needs ip(8) of iproute2: "+err.Error())
	}
	inNamespace(t, func(t *testing.T) {
		for _, cmd := range []string{
			"link set lo up",
			"link add veth0 address 02:00:00:00:00:01 type veth peer name veth1",
			"link set veth0 mtu 1400",
			"addr add 192.0.2.1/24 dev veth0",
			"addr add 192.0.2.2/24 dev veth0",
			"addr add 198.51.100.1 peer 198.51.100.2 dev veth0",
			"addr add 2001:db8::1/64 dev veth0 nodad",
			"addr add 2001:db8:1::1 peer 2001:db8:1::2/128 dev veth0 nodad",
			"link set veth0 up",
			"link set veth1 promisc on",
			"link set veth1 allmulticast on",
		} {
			if _, err := ip(strings.Fields(cmd)...); err != nil {
				t.Errorf("%v", err)
			}
		}
		// Kinds that a kernel may lack. Some have no 48-bit address.
		for _, cmd := range []string{
			"link add br0 type bridge",
			"link add link veth0 name veth0.7 type vlan id 7",
			"link add dummy0 type dummy",
			"link add tun1 type ipip local 192.0.2.1 remote 192.0.2.9",
			"link add sit1 type sit local 192.0.2.1 remote 192.0.2.9",
			"link add gre1 type gre local 192.0.2.1 remote 192.0.2.9",
			"link add ip6tnl1 type ip6tnl local 2001:db8::1 remote 2001:db8::9",
			"link add ip6gre1 type ip6gre local 2001:db8::1 remote 2001:db8::9",
			"link add wg0 type wireguard",
			"link add nlmon0 type nlmon",
			"link add vcan0 type vcan",
			"link add vrf0 type vrf table 10",
			"tuntap add dev tun0 mode tun",
			"tuntap add dev tap0 mode tap",
		} {
			if _, err := ip(strings.Fields(cmd)...); err != nil {
				t.Log(err)
			}
		}
		out, err := ip("-json", "addr")
		if err != nil {
			t.Error(err)
			return
		}
		var want []ipAddr
		if err := json.Unmarshal(out, &want); err != nil {
			t.Error(err)
			return
		}
		got, err := Interfaces()
		if err != nil {
			t.Error(err)
			return
		}
		if len(got) != len(want) || len(got) < 3 {
			t.Errorf("%d interfaces, ip has %d", len(got), len(want))
		}
		for _, w := range want {
			name, _, _ := strings.Cut(w.Name, "@")
			n := slices.IndexFunc(got, func(i Interface) bool { return i.Name == name })
			if n < 0 {
				t.Errorf("%s is missing", w.Name)
				continue
			}
			compareWithIP(t, got[n], w)
		}
		if i, err := InterfaceByName("veth0"); err != nil || i.MAC != MustParseMac("02:00:00:00:00:01") || i.MTU != 1400 {
			t.Errorf("InterfaceByName(veth0) = %+v, %v", i, err)
		}
		if _, err := InterfaceByName("veth9"); err == nil || !strings.Contains(err.Error(), "there are lo, ") {
			t.Errorf("InterfaceByName(veth9): %v, want an error that lists what exists", err)
		}
	})
}

func compareWithIP(t *testing.T, i Interface, w ipAddr) {
	t.Helper()
	if i.Index != w.Index || i.MTU != w.MTU {
		t.Errorf("%s: index %d, MTU %d; ip has %d, %d", i, i.Index, i.MTU, w.Index, w.MTU)
	}
	for name, f := range map[string]Flags{
		"UP": FlagUp, "BROADCAST": FlagBroadcast, "MULTICAST": FlagMulticast, "LOOPBACK": FlagLoopback,
		"POINTOPOINT": FlagPointToPoint, "PROMISC": FlagPromisc, "ALLMULTI": FlagAllMulti, "NOARP": FlagNoARP,
	} {
		if has := slices.Contains(w.Flags, name); i.Flags.Has(f) != has {
			t.Errorf("%s: flags %v; ip has %v", i, i.Flags, w.Flags)
		}
	}
	// ip(8) prints RUNNING only by its absence, as NO-CARRIER.
	if i.Flags.Has(FlagUp) && i.Flags.Has(FlagRunning) == slices.Contains(w.Flags, "NO-CARRIER") {
		t.Errorf("%s: flags %v; ip has %v", i, i.Flags, w.Flags)
	}
	types := map[string]Type{
		"loopback": TypeEthernet, "ether": TypeEthernet, "none": TypeRaw, "ipip": TypeRaw, "sit": TypeRaw, "tunnel6": TypeRaw,
		"gre": TypeLinuxSLL2, "gre6": TypeLinuxSLL2, "netlink": TypeNetlink, "can": TypeCANSocketCAN,
	}
	if want, ok := types[w.LinkType]; !ok || i.Link != want {
		t.Errorf("%s: link type %v; ip has %q, which is %v", i, i.Link, w.LinkType, want)
	}
	var hw []byte
	switch {
	case w.Address == "": // none
	case strings.Count(w.Address, ":") == 5:
		m := MustParseMac(w.Address)
		hw = m[:]
		if !i.HasMAC || i.MAC != m {
			t.Errorf("%s: MAC %v (%v); ip has %s", i, i.MAC, i.HasMAC, w.Address)
		}
	default: // a tunnel's own address
		hw = netip.MustParseAddr(w.Address).AsSlice()
		if i.HasMAC || !i.MAC.IsZero() {
			t.Errorf("%s: MAC %v (%v); ip has %s", i, i.MAC, i.HasMAC, w.Address)
		}
	}
	if !slices.Equal(i.HardwareAddr, hw) {
		t.Errorf("%s: hardware address %x; ip has %q", i, i.HardwareAddr, w.Address)
	}
	var addrs []netip.Prefix
	for _, a := range w.AddrInfo {
		addrs = append(addrs, netip.PrefixFrom(netip.MustParseAddr(a.Local), a.PrefixLen))
	}
	if !slices.Equal(i.Addrs, addrs) {
		t.Errorf("%s: addresses %v; ip has %v", i, i.Addrs, addrs)
	}
}

// TestNamespacePrivileged: a thread in a new namespace sees its interfaces, the
// others still see theirs.
func TestNamespacePrivileged(t *testing.T) {
	before, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	inNamespace(t, func(t *testing.T) {
		got, err := Interfaces()
		if err != nil {
			t.Error(err)
			return
		}
		for _, i := range got {
			if i.Flags.Has(FlagUp) || len(i.Addrs) > 0 {
				t.Errorf("a new namespace has %s with %v and %v", i, i.Flags, i.Addrs)
			}
		}
		if lo, err := InterfaceByIndex(1); err != nil || lo.Name != "lo" || !lo.HasMAC || !lo.MAC.IsZero() {
			t.Errorf("InterfaceByIndex(1) = %+v, %v", lo, err)
		}
	})
	after, err := Interfaces()
	if err != nil || len(after) != len(before) {
		t.Errorf("%d interfaces outside, %v; before %d", len(after), err, len(before))
	}
}

// attribute appends a netlink attribute in the host's byte order, padded.
func attribute(b []byte, kind uint16, v ...byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(v)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, v...)
	return append(b, make([]byte, -len(v)&3)...)
}

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

// linkMessage is an RTM_NEWLINK of Linux 6 for one end of a veth pair, with a
// few of its attributes.
func linkMessage() []byte {
	b := []byte{0, 0}
	b = binary.NativeEndian.AppendUint16(b, 1) // ARPHRD_ETHER
	b = binary.NativeEndian.AppendUint32(b, 2) // index
	b = binary.NativeEndian.AppendUint32(b, 0x11043)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = attribute(b, 3, []byte("veth0\x00")...) // IFLA_IFNAME
	b = attribute(b, 4, u32(1400)...)           // IFLA_MTU
	b = attribute(b, 1, 2, 0, 0, 0, 0, 1)       // IFLA_ADDRESS
	return attribute(b, 13, u32(1000)...)       // IFLA_TXQLEN
}

func TestParseLink(t *testing.T) {
	b := linkMessage()
	i, err := parseLink(b)
	if err != nil {
		t.Fatal(err)
	}
	if i.Index != 2 || i.Name != "veth0" || i.MTU != 1400 || i.MAC != MustParseMac("02:00:00:00:00:01") || !i.HasMAC || i.Link != TypeEthernet {
		t.Errorf("parseLink = %+v", i)
	}
	if want := FlagUp | FlagRunning | FlagBroadcast | FlagMulticast; i.Flags != want {
		t.Errorf("flags %v, want %v", i.Flags, want)
	}
	// The address is the interface's own, not the buffer's.
	clear(b)
	if i.HardwareAddr[5] != 1 {
		t.Error("the hardware address aliases the message")
	}
}

func TestParseLinkMalformed(t *testing.T) {
	header := make([]byte, unix.SizeofIfInfomsg)
	raw := func(length, kind uint16, v ...byte) []byte {
		b := binary.NativeEndian.AppendUint16(header[:16:16], length)
		return append(binary.NativeEndian.AppendUint16(b, kind), v...)
	}
	for _, b := range [][]byte{
		nil,
		header[:15],
		raw(3, unix.IFLA_IFNAME),         // shorter than its own header
		raw(0, unix.IFLA_IFNAME),         // must not loop
		raw(9, unix.IFLA_IFNAME, 1),      // beyond the message
		raw(0xffff, unix.IFLA_IFNAME, 1), // far beyond
	} {
		if i, err := parseLink(b); !errors.Is(err, errRoute) {
			t.Errorf("parseLink(%x) = %+v, %v, want errRoute", b, i, err)
		}
	}
	// An attribute shorter than its type needs is passed over; the last one's
	// padding may be missing.
	if i, err := parseLink(raw(6, unix.IFLA_MTU, 1, 2)); err != nil || i.MTU != 0 {
		t.Errorf("parseLink with a short MTU = %+v, %v", i, err)
	}
	// Every prefix of a message is read or refused.
	for n := range linkMessage() {
		if _, err := parseLink(linkMessage()[:n]); n < unix.SizeofIfInfomsg && err == nil {
			t.Errorf("parseLink of %d bytes: no error", n)
		}
	}
}

func TestParseAddr(t *testing.T) {
	header := func(bits byte) []byte { return append([]byte{2, bits, 0, 0}, u32(5)...) }
	for _, tc := range []struct {
		name string
		b    []byte
		want string
	}{
		{"local and address", attribute(attribute(header(24), 1, 192, 0, 2, 1), 2, 192, 0, 2, 1), "192.0.2.1/24"},
		{"a peer", attribute(attribute(header(32), 1, 192, 0, 2, 9), 2, 192, 0, 2, 1), "192.0.2.1/32"},
		{"address alone", attribute(header(24), 1, 192, 0, 2, 1), "192.0.2.1/24"},
		{"IPv6", attribute(header(64), 1, netip.MustParseAddr("fe80::1").AsSlice()...), "fe80::1/64"},
		{"no address", header(24), "invalid Prefix"},
		{"five bytes", attribute(header(24), 1, 1, 2, 3, 4, 5), "invalid Prefix"},
		{"prefix too long", attribute(header(33), 1, 192, 0, 2, 1), "invalid Prefix"},
	} {
		index, p, err := parseAddr(tc.b)
		if index != 5 || p.String() != tc.want || err != nil {
			t.Errorf("%s: parseAddr = %d, %v, %v, want 5, %s", tc.name, index, p, err, tc.want)
		}
	}
	if _, _, err := parseAddr(header(24)[:7]); !errors.Is(err, errRoute) {
		t.Errorf("parseAddr of 7 bytes: %v, want errRoute", err)
	}
}

func FuzzRoute(f *testing.F) {
	f.Add(linkMessage())
	f.Add([]byte{2, 24, 0, 0, 2, 0, 0, 0, 8, 0, 1, 0, 192, 0, 2, 1, 8, 0, 2, 0, 192, 0, 2, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if i, err := parseLink(b); err == nil && len(i.HardwareAddr) > len(b) {
			t.Errorf("parseLink(%x) = %+v", b, i)
		}
		if _, p, err := parseAddr(b); err == nil && p.IsValid() && p.Bits() > 128 {
			t.Errorf("parseAddr(%x) = %v", b, p)
		}
	})
}
