package bench_test

import (
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// gvisorBuilder encodes the three headers in place with gVisor's header
// package, which leaves it to the caller where each one lies.
func gvisorBuilder(src, dst netip.Addr) builder {
	return builder{"gvisor header.Encode", func(_ testing.TB, payload []byte) func() []byte {
		buf := make([]byte, header.EthernetMinimumSize+header.IPv4MinimumSize+header.TCPMinimumSize+len(payload))
		s, d := tcpip.AddrFrom4(src.As4()), tcpip.AddrFrom4(dst.As4())
		seq := uint32(1)
		return func() []byte {
			seq++
			eth := header.Ethernet(buf)
			eth.Encode(&header.EthernetFields{
				SrcAddr: "\x02\x00\x00\x00\x00\x01", DstAddr: "\x02\x00\x00\x00\x00\x02", Type: header.IPv4ProtocolNumber,
			})
			ip := header.IPv4(buf[header.EthernetMinimumSize:])
			ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(ip)), ID: 1, TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: s, DstAddr: d})
			ip.SetChecksum(^ip.CalculateChecksum())
			tcp := header.TCP(ip[header.IPv4MinimumSize:])
			tcp.Encode(&header.TCPFields{SrcPort: 1024, DstPort: 443, SeqNum: seq, AckNum: 2, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagAck, WindowSize: 8192})
			copy(tcp[header.TCPMinimumSize:], payload)
			sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, s, d, uint16(len(tcp)))
			tcp.SetChecksum(^tcp.CalculateChecksum(checksum.Checksum(payload, sum)))
			return buf
		}
	}}
}
