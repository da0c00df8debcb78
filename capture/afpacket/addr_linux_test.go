package afpacket_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/common/link"
)

func TestHardwareAddr(t *testing.T) {
	long := bytes.Repeat([]byte{0xab}, 33)
	for n := range 33 {
		a, ok := afpacket.HardwareAddrFrom(long[:n])
		b, err := a.AppendBinary([]byte{1})
		if !ok || a.Len() != n || err != nil || !bytes.Equal(b[1:], long[:n]) || len(a.String()) != max(0, 3*n-1) {
			t.Errorf("%d bytes: %v, %v, % x", n, a, ok, b)
		}
		if _, ok := a.MAC(); ok != (n == 6) {
			t.Errorf("%d bytes are a MAC address: %t", n, ok)
		}
	}
	if a, ok := afpacket.HardwareAddrFrom(long); ok || a != (afpacket.HardwareAddr{}) {
		t.Errorf("33 bytes: %v, %v", a, ok)
	}
	mac := link.MacAddr{2, 0, 0, 0, 0, 1}
	a, _ := afpacket.HardwareAddrFrom(mac[:])
	if a != afpacket.HardwareAddrFromMAC(mac) {
		t.Errorf("%v is not %v", a, mac)
	}
}

func TestStrings(t *testing.T) {
	mac := afpacket.HardwareAddrFromMAC(link.MacAddr{2, 0, 0, 0, 0, 1})
	for _, c := range []struct{ got, want string }{
		{afpacket.EtherTypeAll.String(), "all"},
		{afpacket.EtherTypeIPv6.String(), "IPv6"},
		{afpacket.EtherType(0x88b5).String(), "0x88b5"},
		{afpacket.KindIPv4.String(), "IPv4"},
		{afpacket.Kind(7).String(), "Kind(7)"},
		{afpacket.Multicast.String(), "multicast"},
		{afpacket.MembershipType(0).String(), "MembershipType(0)"},
		{afpacket.FanoutRoundRobin.String(), "round robin"},
		{afpacket.FanoutMode(8).String(), "FanoutMode(8)"},
		{afpacket.TxStage(0).String(), "0"},
		{(afpacket.TxSched | afpacket.TxHardware).String(), "sched|hardware"},
		{afpacket.TxStage(0x81).String(), "sched|0x80"},
		{afpacket.GSONone.String(), "none"},
		{(afpacket.GSOTCPv6 | afpacket.GSOTCPECN).String(), "TCPv6|ECN"},
		{afpacket.GSOType(9).String(), "GSOType(9)"},
		{afpacket.Addr{Interface: 2, EtherType: afpacket.EtherTypeARP, Hardware: mac}.String(), "2 ARP 02:00:00:00:00:01"},
		{afpacket.Addr{IP: netip.MustParseAddr("192.0.2.1")}.String(), "192.0.2.1"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
