package sys

import (
	"encoding/binary"
	"math/bits"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/sys/unix"
)

// cmsg appends a control message, cmsg(3).
func cmsg(b []byte, level, typ uint32, data []byte) []byte {
	n := unix.SizeofCmsghdr + len(data)
	if bits.UintSize == 64 {
		b = binary.NativeEndian.AppendUint64(b, uint64(n))
	} else {
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	b = binary.NativeEndian.AppendUint32(b, level)
	b = binary.NativeEndian.AppendUint32(b, typ)
	b = append(b, data...)
	for len(b)%(bits.UintSize/8) != 0 {
		b = append(b, 0)
	}
	return b
}

func words(size int, v ...uint64) []byte {
	var b []byte
	for _, x := range v {
		if size == 8 {
			b = binary.NativeEndian.AppendUint64(b, x)
		} else {
			b = binary.NativeEndian.AppendUint32(b, uint32(x))
		}
	}
	return b
}

// TestControl reads messages as the headers of Linux lay them out, with the
// stamps of 32-bit and of 64-bit kernels.
func TestControl(t *testing.T) {
	aux := make([]byte, auxLen)
	binary.NativeEndian.PutUint32(aux, statusUser|statusVLANValid|statusVLANTPIDValid|statusCsumValid)
	binary.NativeEndian.PutUint32(aux[4:], 1514)
	binary.NativeEndian.PutUint16(aux[16:], 0x6064)
	binary.NativeEndian.PutUint16(aux[18:], 0x88a8)
	serr := append(words(4, uint64(unix.ENOMSG)), unix.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, 0)
	serr = append(serr, words(4, 1, 77)...)
	for _, c := range []struct {
		name string
		b    []byte
		want Control
	}{
		{"nothing", nil, Control{}},
		{"64-bit time", cmsg(nil, unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, words(8, 1700000000, 5)), Control{Time: time.Unix(1700000000, 5)}},
		{"32-bit time", cmsg(nil, unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, words(4, 1700000000, 5)), Control{Time: time.Unix(1700000000, 5)}},
		{"time after 2038", cmsg(nil, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, words(8, 1<<32, 5)), Control{Time: time.Unix(1<<32, 5)}},
		{"hardware time", cmsg(nil, unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, words(8, 0, 0, 0, 0, 9, 8)), Control{Hardware: time.Unix(9, 8)}},
		{"both times", cmsg(cmsg(nil, unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, words(8, 3, 4)), unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, words(8, 1, 2, 0, 0, 9, 8)), Control{Time: time.Unix(3, 4), Hardware: time.Unix(9, 8)}},
		{"32-bit times", cmsg(nil, unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, words(4, 1, 2, 0, 0, 9, 8)), Control{Time: time.Unix(1, 2), Hardware: time.Unix(9, 8)}},
		{
			"auxiliary data", cmsg(nil, unix.SOL_PACKET, unix.PACKET_AUXDATA, aux),
			Control{HasAux: true, Status: statusUser | statusVLANValid | statusVLANTPIDValid | statusCsumValid, WireLen: 1514, TCI: 0x6064, TPID: 0x88a8},
		},
		{"losses", cmsg(nil, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, words(4, 12)), Control{Drops: 12, HasDrops: true}},
		{"IPv4 interface", cmsg(nil, unix.SOL_IP, unix.IP_PKTINFO, words(4, 3, 0, 0)), Control{Interface: 3}},
		{"IPv6 interface", cmsg(nil, unix.SOL_IPV6, unix.IPV6_PKTINFO, words(4, 0, 0, 0, 0, 3)), Control{Interface: 3}},
		{"packet sent", cmsg(nil, unix.SOL_PACKET, unix.PACKET_TX_TIMESTAMP, serr), Control{HasErr: true, Err: ExtendedErr{Errno: uint32(unix.ENOMSG), Origin: 4, Info: 1, Data: 77}}},
		{"IPv4 sent", cmsg(nil, unix.SOL_IP, unix.IP_RECVERR, serr), Control{HasErr: true, Err: ExtendedErr{Errno: uint32(unix.ENOMSG), Origin: 4, Info: 1, Data: 77}}},
		{"IPv6 sent", cmsg(nil, unix.SOL_IPV6, unix.IPV6_RECVERR, serr), Control{HasErr: true, Err: ExtendedErr{Errno: uint32(unix.ENOMSG), Origin: 4, Info: 1, Data: 77}}},
		{"something else before", cmsg(cmsg(nil, 1234, 5, []byte{1}), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, words(4, 12)), Control{Drops: 12, HasDrops: true}},
	} {
		got := Control{Interface: 99, HasAux: true} // of the message before
		got.Parse(c.b)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		for n := range len(c.b) {
			got.Parse(c.b[:n:n]) // every prefix: must not panic
		}
	}

	var info link.Info
	(&Control{Status: statusVLANValid, TCI: 5}).Describe(&info)
	if want := (link.Info{Flags: link.InfoVLAN, VLANTCI: 5, VLANTPID: 0x8100}); info != want {
		t.Errorf("a tag without its protocol: %+v, want %+v", info, want)
	}
	info = link.Info{}
	(&Control{Status: statusCsumNotReady | statusCsumValid, TCI: 5}).Describe(&info)
	if want := (link.Info{Checksum: link.ChecksumPartial}); info != want {
		t.Errorf("no checksum: %+v, want %+v", info, want)
	}
}

func FuzzControl(f *testing.F) {
	f.Add(cmsg(cmsg(nil, unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, words(8, 3, 4)), unix.SOL_PACKET, unix.PACKET_AUXDATA, make([]byte, auxLen)))
	f.Add(cmsg(nil, unix.SOL_PACKET, unix.PACKET_TX_TIMESTAMP, make([]byte, 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, d Control
		c.Parse(b)
		d.Parse(b)
		if c != d {
			t.Errorf("%+v, then %+v", c, d)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add([]byte("\x11\x00\x88\xb5\x02\x00\x00\x00\x01\x00\x04\x06abcdef"))
	f.Add(words(4, unix.AF_INET6, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, ok := ParseLinkName(b); ok && len(n.Addr) > len(b)-sockaddrLLOffAddr {
			t.Errorf("an address of %d bytes in %d", len(n.Addr), len(b))
		}
		ParseIPName(b)
	})
}
