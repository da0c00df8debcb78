package pkts

import (
	"net/netip"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

func udpGoldens() []golden {
	return []golden{{
		name:  "DNS query",
		from:  "captures/dns_dnsmasq.pcap: dig asks dnsmasq",
		first: &ethernetProtocol,
		hex: `
			d6 1e d5 b8 ca fd  3a fe 07 46 b7 66  08 00   # to, from, IPv4
			45 00 00 4b  c4 7c 00 00  40 11 a1 89         # 75 bytes, TTL 64, UDP
			0a 4d 00 01  0a 4d 00 02                      # 10.77.0.1 to 10.77.0.2
			ac 89 00 35  00 37 ee f1                      # 44169 to 53, 55 bytes
			f9 2c 01 20 00 01 00 00 00 00 00 01 01 68 04 74 65 73 74 00 00 01
			00 01 00 00 29 04 d0 00 00 00 00 00 0c 00 0a 00
			08 fe 1e 8f 05 18 bd e7 7c`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}, Src: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}},
			&IPv4{ID: 0xc47c, TTL: 64, Src: netip.MustParseAddr("10.77.0.1"), Dst: netip.MustParseAddr("10.77.0.2")},
			&UDP{SrcPort: 44169, DstPort: 53},
			&Raw{Data: []byte("\xf9\x2c\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x01h\x04test\x00\x00\x01" +
				"\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08\xfe\x1e\x8f\x05\x18\xbd\xe7\x7c")},
		},
	}}
}

func TestUDP(t *testing.T) { testGolden(t, udpGoldens()...) }

func FuzzUDP(f *testing.F) { fuzzProtocol(f, &udpProtocol, udpGoldens()...) }
