package pkts

import (
	"bytes"
	"testing"
)

func ipsecGoldens() []golden {
	return []golden{{
		name:  "AH in IPv4",
		from:  "scapy 2.5.0: IP/AH(spi=0x100,seq=1)/UDP",
		first: &ipv4Protocol,
		hex: `45 00 00 36 00 01 00 00 40 33 f6 90 # 54 bytes, AH
			c0 00 02 01 c0 00 02 02 # 192.0.2.1 to 192.0.2.2
			11 04 00 00             # UDP, 4+2 words
			00 00 01 00             # SPI
			00 00 00 01             # sequence number
			00 01 02 03 04 05 06 07 08 09 0a 0b # integrity check value
			00 01 00 02 00 0a 00 00 # 1 to 2, 10 bytes, no checksum
			68 69`,
		layers: []Layer{
			&IPv4{ID: 1, TTL: 64, Src: coreAddr("192.0.2.1"), Dst: coreAddr("192.0.2.2")},
			&AH{SPI: 0x100, Seq: 1, ICV: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
			&UDP{SrcPort: 1, DstPort: 2, Checksum: Pin[uint16](0)},
			&Raw{Data: []byte("hi")},
		},
	}, {
		name:  "ESP in IPv6",
		from:  "scapy 2.5.0: IPv6/ESP(spi=0x1234,seq=7)",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 18 32 40 # 24 bytes, ESP
			` + coreSrc6 + coreDst6 + `
			00 00 12 34             # SPI
			00 00 00 07             # sequence number
			aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa`,
		layers: []Layer{
			coreV6(64),
			&ESP{SPI: 0x1234, Seq: 7},
			&Raw{Data: bytes.Repeat([]byte{0xaa}, 16)},
		},
	}}
}

func TestIPsec(t *testing.T) { testGolden(t, ipsecGoldens()...) }

func FuzzAH(f *testing.F)  { fuzzProtocol(f, &ipv4Protocol, ipsecGoldens()...) }
func FuzzESP(f *testing.F) { fuzzProtocol(f, &ipv6Protocol, ipsecGoldens()...) }

func TestAHMalformed(t *testing.T) {
	for n := range 2 {
		var l AH
		_, err := l.Decode(append([]byte{17, byte(n)}, make([]byte, 10)...))
		if (err == nil) != (n == 1) {
			t.Errorf("payload length %d: %v", n, err)
		}
	}
}

func TestIPsecViews(t *testing.T) {
	p := coreDecode(t, &ipv4Protocol, unhex(t, ipsecGoldens()[0].hex))
	ah, _ := View[AHView](p)
	if ah.PayloadLen() != 4 || ah.HeaderLen() != 24 || len(ah.ICV()) != 12 || len(ah.Payload()) != 10 || ah.SPI() != 0x100 || ah.Seq() != 1 {
		t.Errorf("AH: % x", ah)
	}
	ah.SetNextHeader(IPProtoTCP)
	ah.SetPayloadLen(1)
	ah.SetReserved(0x0203)
	ah.SetSPI(0x04050607)
	ah.SetSeq(0x08090a0b)
	if want := []byte{6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; !bytes.Equal(ah[:12], want) || ah.Reserved() != 0x0203 || ah.NextHeader() != IPProtoTCP {
		t.Errorf("AH after setting: % x, want % x", ah[:12], want)
	}
	p = coreDecode(t, &ipv6Protocol, unhex(t, ipsecGoldens()[1].hex))
	esp, _ := View[ESPView](p)
	esp.SetSPI(0x01020304)
	esp.SetSeq(0x05060708)
	if want := []byte{1, 2, 3, 4, 5, 6, 7, 8}; !bytes.Equal(esp[:8], want) || esp.SPI() != 0x01020304 || esp.Seq() != 0x05060708 || len(esp.Payload()) != 16 {
		t.Errorf("ESP after setting: % x, want % x", esp[:8], want)
	}
}
