package sys

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// TestCookedHeader builds headers from what the kernel says of a frame, and
// compares them with the layouts of https://www.tcpdump.org/linktypes.
func TestCookedHeader(t *testing.T) {
	name := func(addrLen byte, addr ...byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, 17) // AF_PACKET
		b = append(b, 0x86, 0xdd)                      // ETH_P_IPV6
		b = binary.NativeEndian.AppendUint32(b, 0x01020304)
		b = binary.NativeEndian.AppendUint16(b, 0x0605) // ARPHRD_
		return append(append(b, 4, addrLen), addr...)   // PACKET_OUTGOING
	}
	for _, c := range []struct {
		title  string
		cooked Cooked
		name   []byte
		want   []byte
	}{
		{"Ethernet", CookedSLL2, name(6, 1, 2, 3, 4, 5, 6, 0xee, 0xee), []byte{
			0x86, 0xdd, // protocol
			0, 0, // reserved
			1, 2, 3, 4, // interface
			6, 5, // ARPHRD_
			4,                      // packet type
			6,                      // length of the address
			1, 2, 3, 4, 5, 6, 0, 0, // address
		}},
		{"no address", CookedSLL2, name(0), []byte{
			0x86, 0xdd, 0, 0, 1, 2, 3, 4, 6, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		}},
		{"InfiniBand", CookedSLL2, name(20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), []byte{
			0x86, 0xdd, 0, 0, 1, 2, 3, 4, 6, 5, 4, 20, 1, 2, 3, 4, 5, 6, 7, 8,
		}},
		{"version 1", CookedSLL, name(6, 1, 2, 3, 4, 5, 6), []byte{
			0, 4, // packet type
			6, 5, // ARPHRD_
			0, 6, // length of the address
			1, 2, 3, 4, 5, 6, 0, 0, // address
			0x86, 0xdd, // protocol
		}},
		{"nothing known", CookedSLL, nil, make([]byte, 16)},
	} {
		b := bytes.Repeat([]byte{0xdb}, 30)
		c.cooked.put(b, c.name)
		want := slices.Concat(c.want, bytes.Repeat([]byte{0xdb}, 30-len(c.want)))
		if !bytes.Equal(b, want) || c.cooked.Len() != len(c.want) {
			t.Errorf("%s: % x, want % x", c.title, b, want)
		}
	}
	if n := Cooked(0).Len(); n != 0 {
		t.Errorf("no header has %d bytes", n)
	}
}
