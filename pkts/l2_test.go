package pkts

import (
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
)

// What many goldens of the link layers share.
var (
	macA = link.MacAddr{2, 0, 0, 0, 0, 1}
	macB = link.MacAddr{2, 0, 0, 0, 0, 2}
	ip4A = netip.AddrFrom4([4]byte{10, 0, 0, 1})
	ip4B = netip.AddrFrom4([4]byte{10, 0, 0, 2})
)

func ip4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

// hexUDP4 is scapy 2.5.0: IP(src='10.0.0.1',dst='10.0.0.2',id=7)/
// UDP(sport=1234,dport=5678)/b'hi', and layersUDP4 what it is made of.
const hexUDP4 = `
	45 00 00 1e  00 07 00 00  40 11 66 c6   # 30 bytes, TTL 64, UDP
	0a 00 00 01  0a 00 00 02                # 10.0.0.1 to 10.0.0.2
	04 d2 16 2e  00 0a 68 6e                # 1234 to 5678
	68 69`

func layersUDP4() []Layer {
	return []Layer{
		&IPv4{ID: 7, TTL: 64, Src: ip4A, Dst: ip4B},
		&UDP{SrcPort: 1234, DstPort: 5678},
		&Raw{Data: []byte("hi")},
	}
}

// hexUDP6 is scapy 2.5.0: IPv6(src='::1',dst='::1')/UDP(sport=53,dport=5353)/
// b'hi', and layersUDP6 what it is made of.
const hexUDP6 = `
	60 00 00 00  00 0a 11 40                # 10 bytes, UDP, hop limit 64
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
	00 35 14 e9  00 0a 82 51                # 53 to 5353
	68 69`

func layersUDP6() []Layer {
	one := netip.IPv6Loopback()
	return []Layer{
		&IPv6{HopLimit: 64, Src: one, Dst: one},
		&UDP{SrcPort: 53, DstPort: 5353},
		&Raw{Data: []byte("hi")},
	}
}
