package pkts

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/gopkts/gopkts/common/checksum"
)

const (
	tcpOffSrcPort       = 0
	tcpOffDstPort       = 2
	tcpOffSeq           = 4
	tcpOffAck           = 8
	tcpOffFlags         = 12 // data offset and flags
	tcpOffWindow        = 14
	tcpOffChecksum      = 16
	tcpOffUrgentPointer = 18
)

const (
	// TCPMinLen is the length of a TCP header without options, in bytes.
	TCPMinLen = 20
	// TCPMaxLen is the longest header that the 4-bit data offset describes.
	TCPMaxLen = 60
)

// TCPFlags are the control bits of a TCP header and the reserved bits before
// them, RFC 9293, section 3.1: 12 bits.
type TCPFlags uint16

const (
	TCPFin       TCPFlags = 1 << iota // no more data from the sender
	TCPSyn                            // synchronize sequence numbers
	TCPRst                            // reset the connection
	TCPPsh                            // push
	TCPAck                            // Ack is significant
	TCPUrg                            // UrgentPointer is significant
	TCPEce                            // ECN echo, RFC 3168
	TCPCwr                            // congestion window reduced, RFC 3168
	TCPAE                             // accurate ECN, RFC 9768
	TCPReserved1                      // the reserved bits
	TCPReserved2
	TCPReserved3
)

// Has reports whether all bits of x are set.
func (f TCPFlags) Has(x TCPFlags) bool { return f&x == x }

// String returns the names of the flags, such as "SYN+ACK"; "none" for none.
func (f TCPFlags) String() string {
	var s []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE", "R1", "R2", "R3"} {
		if f&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, "+")
}

// TCP is a Transmission Control Protocol header, RFC 9293, section 3.1.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Source Port          |       Destination Port        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Sequence Number                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Acknowledgment Number                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Offset| Rsrvd |     Flags     |            Window             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Checksum            |         Urgent Pointer        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           [Options]                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type TCP struct {
	SrcPort, DstPort uint16
	Seq, Ack         uint32
	DataOffset       Auto[uint8] // header length in words of 4 bytes, 5 to 15
	Flags            TCPFlags
	Window           uint16       // bytes, before scaling
	Checksum         Auto[uint16] // with a pseudo-header
	UrgentPointer    uint16
	Options          TCPOptions // a multiple of 4 bytes; aliases the packet after decoding
}

var _ Completer = (*TCP)(nil)

var tcpProtocol = Protocol{
	Name:  "TCP",
	New:   New[TCP],
	Clone: cloneTCP,
	Index: indexTCP,
	At:    []Selector{{&ipProtosTable, uint64(IPProtoTCP)}},
	Fields: []Field{
		{"SrcPort", tcpOffSrcPort * 8, 16},
		{"DstPort", tcpOffDstPort * 8, 16},
		{"Seq", tcpOffSeq * 8, 32},
		{"Ack", tcpOffAck * 8, 32},
		{"DataOffset", tcpOffFlags * 8, 4},
		{"Flags", tcpOffFlags*8 + 4, 12},
		{"Window", tcpOffWindow * 8, 16},
		{"Checksum", tcpOffChecksum * 8, 16},
		{"UrgentPointer", tcpOffUrgentPointer * 8, 16},
		{"Options", TCPMinLen * 8, 0},
	},
	kind: kindTCP,
}

// Proto returns the descriptor of TCP.
func (*TCP) Proto() *Protocol { return &tcpProtocol }

func cloneTCP(l Layer) Layer {
	c := *l.(*TCP)
	c.Options = slices.Clone(c.Options)
	return &c
}

func indexTCP(b []byte, r *Registry) (Span, error) {
	v := TCPView(b)
	n := v.header()
	if n == 0 {
		return Span{}, v.problem()
	}
	return Span{Header: n, Payload: len(b) - n, Next: r.ports(&tcpPortsTable, v.SrcPort(), v.DstPort())}, nil
}

// header returns the length of the header, 0 if there is none: then problem
// says why. It is apart so that it can be inlined.
func (v TCPView) header() int {
	if len(v) < TCPMinLen {
		return 0
	}
	n := int(v[tcpOffFlags]>>4) * 4
	if n < TCPMinLen || n > len(v) {
		return 0
	}
	return n
}

func (v TCPView) problem() error {
	if len(v) < TCPMinLen {
		return Truncated("TCP", TCPMinLen, len(v))
	}
	if v.HeaderLen() < TCPMinLen {
		return Malformed("TCP", "the data offset is below 5")
	}
	return Truncated("TCP", v.HeaderLen(), len(v))
}

// Decode fills l from the header at the start of b, 20 to 60 bytes.
func (l *TCP) Decode(b []byte) (int, error) {
	v := TCPView(b)
	if len(v) < TCPMinLen {
		return 0, v.problem()
	}
	n := v.HeaderLen()
	if n < TCPMinLen || n > len(v) {
		return 0, v.problem()
	}
	l.set((*[TCPMinLen]byte)(v)).Options = TCPOptions(b[TCPMinLen:n:n])
	return n, nil
}

// set is Decode for a header that is there, but for the options, and returns l:
// see [IPv6.set].
func (l *TCP) set(b *[TCPMinLen]byte) *TCP {
	v := TCPView(b[:])
	l.SrcPort = v.SrcPort()
	l.DstPort = v.DstPort()
	l.Seq = v.Seq()
	l.Ack = v.Ack()
	l.DataOffset = Seen(v[tcpOffFlags] >> 4)
	l.Flags = v.Flags()
	l.Window = v.Window()
	l.Checksum = Seen(v.Checksum())
	l.UrgentPointer = v.UrgentPointer()
	return l
}

// AppendBinary appends the header to b.
func (l *TCP) AppendBinary(b []byte) ([]byte, error) {
	offset := l.DataOffset.value
	if l.DataOffset.mode == ModeAuto {
		offset = uint8((TCPMinLen + len(l.Options)) / 4)
	}
	switch {
	case len(l.Options) > TCPMaxLen-TCPMinLen:
		return b, TooLong("TCP", "Options", len(l.Options), TCPMaxLen-TCPMinLen)
	case len(l.Options)%4 != 0:
		return b, &EncodeError{Layer: "TCP", Field: "Options", Reason: "not a multiple of 4 bytes: pad with 0", Err: ErrMalformed}
	case offset > 0xf:
		return b, TooLong("TCP", "DataOffset", int(offset), 0xf)
	case l.Flags > 0xfff:
		return b, TooLong("TCP", "Flags", int(l.Flags), 0xfff)
	}
	b, v := extend[TCPView](b, TCPMinLen)
	binary.BigEndian.PutUint16(v[tcpOffSrcPort:], l.SrcPort)
	binary.BigEndian.PutUint16(v[tcpOffDstPort:], l.DstPort)
	binary.BigEndian.PutUint32(v[tcpOffSeq:], l.Seq)
	binary.BigEndian.PutUint32(v[tcpOffAck:], l.Ack)
	binary.BigEndian.PutUint16(v[tcpOffFlags:], uint16(offset)<<12|uint16(l.Flags))
	binary.BigEndian.PutUint16(v[tcpOffWindow:], l.Window)
	binary.BigEndian.PutUint16(v[tcpOffChecksum:], l.Checksum.value)
	binary.BigEndian.PutUint16(v[tcpOffUrgentPointer:], l.UrgentPointer)
	return append(b, l.Options...), nil
}

// Complete computes DataOffset and Checksum.
func (l *TCP) Complete(c *Completion) error {
	if l.DataOffset.mode != ModeAuto && c.Wants("DataOffset", tcpOffFlags, l.DataOffset.mode) {
		h := c.Header()
		c.PutUint8(uint8(len(h)/4)<<4 | h[tcpOffFlags]&0xf)
	}
	if c.Wants("Checksum", tcpOffChecksum, l.Checksum.mode) {
		sum, err := c.TransportChecksum(IPProtoTCP)
		if err != nil {
			return err
		}
		c.PutUint16(sum)
	}
	return nil
}

// appendCommon appends the header and data, which it carries; pseudo is the sum
// of their pseudo-header: [Packet.appendCommon].
func (l *TCP) appendCommon(b, data []byte, pseudo uint16) ([]byte, bool) {
	if l.DataOffset.mode|l.Checksum.mode != ModeAuto {
		return b, false
	}
	at := len(b)
	b, err := l.AppendBinary(b)
	if err != nil {
		return b, false
	}
	end := len(b)
	b, sum := checksum.Append(b, data, pseudo)
	TCPView(b[at:end]).SetChecksum(checksum.Internet(b[at:end], sum))
	return b, true
}

// TCPView is a TCP header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not. The
// setters keep the checksum as right, or as wrong, as it was.
type TCPView []byte

// Proto returns the descriptor of TCP.
func (TCPView) Proto() *Protocol { return &tcpProtocol }

func (v TCPView) SrcPort() uint16       { return be16(v, tcpOffSrcPort) }
func (v TCPView) DstPort() uint16       { return be16(v, tcpOffDstPort) }
func (v TCPView) Seq() uint32           { return be32(v, tcpOffSeq) }
func (v TCPView) Ack() uint32           { return be32(v, tcpOffAck) }
func (v TCPView) HeaderLen() int        { return int(v[tcpOffFlags]&0xf0) / 4 } // bytes
func (v TCPView) Flags() TCPFlags       { return TCPFlags(be16(v, tcpOffFlags) & 0xfff) }
func (v TCPView) Window() uint16        { return be16(v, tcpOffWindow) }
func (v TCPView) Checksum() uint16      { return be16(v, tcpOffChecksum) }
func (v TCPView) UrgentPointer() uint16 { return be16(v, tcpOffUrgentPointer) }
func (v TCPView) Options() TCPOptions   { return TCPOptions(v[TCPMinLen:v.HeaderLen()]) }
func (v TCPView) Payload() []byte       { return v[v.HeaderLen():] }

func (v TCPView) SetSrcPort(p uint16) { setSummed16(v, tcpOffChecksum, tcpOffSrcPort, p) }
func (v TCPView) SetDstPort(p uint16) { setSummed16(v, tcpOffChecksum, tcpOffDstPort, p) }
func (v TCPView) SetSeq(n uint32)     { v.set32(tcpOffSeq, n) }
func (v TCPView) SetAck(n uint32)     { v.set32(tcpOffAck, n) }

// SetFlags sets the low 12 bits of f.
func (v TCPView) SetFlags(f TCPFlags) {
	setSummed16(v, tcpOffChecksum, tcpOffFlags, uint16(v[tcpOffFlags])&0xf0<<8|uint16(f)&0xfff)
}
func (v TCPView) SetWindow(w uint16)        { setSummed16(v, tcpOffChecksum, tcpOffWindow, w) }
func (v TCPView) SetChecksum(sum uint16)    { binary.BigEndian.PutUint16(v[tcpOffChecksum:], sum) }
func (v TCPView) SetUrgentPointer(p uint16) { setSummed16(v, tcpOffChecksum, tcpOffUrgentPointer, p) }

func (v TCPView) set32(off int, n uint32) {
	setSummed16(v, tcpOffChecksum, off, uint16(n>>16))
	setSummed16(v, tcpOffChecksum, off+2, uint16(n))
}
