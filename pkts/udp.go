package pkts

import (
	"encoding/binary"

	"github.com/gopkts/gopkts/common/checksum"
)

const (
	udpOffSrcPort  = 0
	udpOffDstPort  = 2
	udpOffLength   = 4
	udpOffChecksum = 6
)

// UDPLen is the length of a UDP header, in bytes.
const UDPLen = 8

// UDP is a User Datagram Protocol header, RFC 768.
//
//	 0      7 8     15 16    23 24    31
//	+--------+--------+--------+--------+
//	|   Source Port   |Destination Port |
//	+--------+--------+--------+--------+
//	|     Length      |    Checksum     |
//	+--------+--------+--------+--------+
type UDP struct {
	SrcPort, DstPort uint16
	Length           Auto[uint16] // header and payload, in bytes; 0 in a jumbogram, RFC 2675
	Checksum         Auto[uint16] // with a pseudo-header; 0 says that there is none
}

var _ Completer = (*UDP)(nil)

var udpProtocol = Protocol{
	Name:  "UDP",
	New:   New[UDP],
	Clone: Clone[UDP],
	Index: indexUDP,
	At:    []Selector{{&ipProtosTable, uint64(IPProtoUDP)}},
	Fields: []Field{
		{"SrcPort", udpOffSrcPort * 8, 16},
		{"DstPort", udpOffDstPort * 8, 16},
		{"Length", udpOffLength * 8, 16},
		{"Checksum", udpOffChecksum * 8, 16},
	},
	kind: kindUDP,
}

// Proto returns the descriptor of UDP.
func (*UDP) Proto() *Protocol { return &udpProtocol }

func indexUDP(b []byte, r *Registry) (Span, error) {
	if len(b) < UDPLen {
		return Span{}, Truncated("UDP", UDPLen, len(b))
	}
	v := UDPView(b)
	length := int(v.Length())
	s := Span{Header: UDPLen, Payload: length - UDPLen, Flags: SpanWhole}
	if uint(length-UDPLen) > uint(len(b)-UDPLen) {
		s.Payload = len(b) - UDPLen
		s.Flags = 0
		if length != 0 {
			s.Flags = SpanTruncated
		}
	}
	s.Next = r.ports(&udpPortsTable, v.SrcPort(), v.DstPort())
	return s, nil
}

// Decode fills l from the header at the start of b, 8 bytes.
func (l *UDP) Decode(b []byte) (int, error) {
	if len(b) < UDPLen {
		return 0, Truncated("UDP", UDPLen, len(b))
	}
	l.set((*[UDPLen]byte)(b))
	return UDPLen, nil
}

// set is Decode for a header that is there, and returns l: see [IPv6.set].
func (l *UDP) set(b *[UDPLen]byte) *UDP {
	v := UDPView(b[:])
	l.SrcPort = v.SrcPort()
	l.DstPort = v.DstPort()
	l.Length = Seen(v.Length())
	l.Checksum = Seen(v.Checksum())
	return l
}

// AppendBinary appends the header to b.
func (l *UDP) AppendBinary(b []byte) ([]byte, error) {
	b, v := extend[UDPView](b, UDPLen)
	binary.BigEndian.PutUint16(v[udpOffSrcPort:], l.SrcPort)
	binary.BigEndian.PutUint16(v[udpOffDstPort:], l.DstPort)
	binary.BigEndian.PutUint16(v[udpOffLength:], l.Length.value)
	binary.BigEndian.PutUint16(v[udpOffChecksum:], l.Checksum.value)
	return b, nil
}

// Complete computes Length and Checksum. A received checksum of 0 over IPv4
// says that the sender computed none: it stays.
func (l *UDP) Complete(c *Completion) error {
	if c.Wants("Length", udpOffLength, l.Length.mode) {
		n := c.Len()
		if n > 0xffff && c.jumbogram() {
			n = 0 // RFC 2675, section 4
		}
		if err := c.PutLength(n); err != nil {
			return err
		}
	}
	if c.Wants("Checksum", udpOffChecksum, l.Checksum.mode) {
		sum, err := c.TransportChecksum(IPProtoUDP)
		if err != nil {
			return err
		}
		if sum == 0 {
			sum = 0xffff
		}
		c.PutUint16(sum)
	}
	return nil
}

// appendCommon appends the header and data, which it carries; pseudo is the sum
// of their pseudo-header: [Packet.appendCommon].
func (l *UDP) appendCommon(b, data []byte, pseudo uint16) ([]byte, bool) {
	n := UDPLen + len(data)
	if n > 0xffff || l.Length.mode|l.Checksum.mode != ModeAuto {
		return b, false
	}
	at := len(b)
	b, _ = l.AppendBinary(b)
	b, sum := checksum.Append(b, data, pseudo)
	v := UDPView(b[at : at+UDPLen])
	binary.BigEndian.PutUint16(v[udpOffLength:], uint16(n))
	v.SetChecksum(checksum.NonZero(checksum.Internet(v, sum)))
	return b, true
}

// UDPView is a UDP header in place, with what follows it. Its methods panic
// when it is shorter than 8 bytes: those that [View] returns are not. The
// setters keep the checksum as right, or as wrong, as it was, and leave one of
// 0 alone.
type UDPView []byte

// Proto returns the descriptor of UDP.
func (UDPView) Proto() *Protocol { return &udpProtocol }

func (v UDPView) SrcPort() uint16  { return be16(v, udpOffSrcPort) }
func (v UDPView) DstPort() uint16  { return be16(v, udpOffDstPort) }
func (v UDPView) Length() uint16   { return be16(v, udpOffLength) }
func (v UDPView) Checksum() uint16 { return be16(v, udpOffChecksum) }
func (v UDPView) Payload() []byte  { return v[UDPLen:] }

func (v UDPView) SetSrcPort(p uint16)    { v.set(udpOffSrcPort, p) }
func (v UDPView) SetDstPort(p uint16)    { v.set(udpOffDstPort, p) }
func (v UDPView) SetLength(n uint16)     { v.set(udpOffLength, n) }
func (v UDPView) SetChecksum(sum uint16) { binary.BigEndian.PutUint16(v[udpOffChecksum:], sum) }

func (v UDPView) set(off int, x uint16) {
	if v.Checksum() == 0 {
		binary.BigEndian.PutUint16(v[off:], x)
		return
	}
	setSummed16(v, udpOffChecksum, off, x)
	if v.Checksum() == 0 {
		v.SetChecksum(0xffff)
	}
}
