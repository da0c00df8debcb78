package sctp

import (
	"encoding/binary"
	"math/bits"

	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/pkts"
)

const (
	headerOffSrcPort  = 0
	headerOffDstPort  = 2
	headerOffTag      = 4
	headerOffChecksum = 8
)

const (
	// HeaderLen is the length of the common header, in bytes.
	HeaderLen = 12
	// UDPPort is the port for SCTP in UDP, RFC 6951, section 5.
	UDPPort = 9899
)

// Header is the common header of an SCTP packet, RFC 9260, section 3.1.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       Source Port Number      |    Destination Port Number    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Verification Tag                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           Checksum                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Header struct {
	SrcPort, DstPort uint16
	// VerificationTag is the Initiate Tag of the receiver, and 0 with an INIT.
	VerificationTag uint32
	// Checksum is the CRC32c of the packet, RFC 9260, section 6.8, in the order
	// in which its bytes are transmitted.
	Checksum pkts.Auto[uint32]
}

var _ pkts.Completer = (*Header)(nil)

var headerProtocol = pkts.Protocol{
	Name:  "SCTP",
	New:   pkts.New[Header],
	Clone: pkts.Clone[Header],
	Index: indexHeader,
	Split: splitChunks,
	At:    []pkts.Selector{pkts.ByIPProto(pkts.IPProtoSCTP)},
	Fields: []pkts.Field{
		{Name: "SrcPort", Bit: headerOffSrcPort * 8, Bits: 16},
		{Name: "DstPort", Bit: headerOffDstPort * 8, Bits: 16},
		{Name: "VerificationTag", Bit: headerOffTag * 8, Bits: 32},
		{Name: "Checksum", Bit: headerOffChecksum * 8, Bits: 32},
	},
}

// Proto returns the descriptor of SCTP.
func (*Header) Proto() *pkts.Protocol { return &headerProtocol }

func indexHeader(b []byte, _ *pkts.Registry) (pkts.Span, error) {
	if len(b) < HeaderLen {
		return pkts.Span{}, pkts.Truncated("SCTP", HeaderLen, len(b))
	}
	return pkts.Span{Header: HeaderLen, Payload: len(b) - HeaderLen}, nil
}

// splitChunks finds the chunks, each with its padding.
func splitChunks(b []byte, r *pkts.Registry, w *pkts.Splitter) error {
	for len(b) >= chunkHeaderLen {
		n := int(ChunkView(b).Length())
		if n < chunkHeaderLen {
			return pkts.Malformed("SCTP chunk", "a length below 4")
		}
		k := r.Next(ChunkTypes, uint64(b[chunkOffType]))
		if k == pkts.KindRaw {
			k = r.KindOf(&chunkProtocol)
		}
		n = min(padded(n), len(b))
		if !w.Add(k, n) {
			return nil
		}
		b = b[n:]
	}
	return nil
}

// padded returns n rounded up to a multiple of 4.
func padded(n int) int { return (n + 3) &^ 3 }

// Decode fills l from the header at the start of b, 12 bytes.
func (l *Header) Decode(b []byte) (int, error) {
	if len(b) < HeaderLen {
		return 0, pkts.Truncated("SCTP", HeaderLen, len(b))
	}
	v := HeaderView(b)
	l.SrcPort = v.SrcPort()
	l.DstPort = v.DstPort()
	l.VerificationTag = v.VerificationTag()
	l.Checksum = pkts.Seen(v.Checksum())
	return HeaderLen, nil
}

// AppendBinary appends the header to b.
func (l *Header) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, l.SrcPort)
	b = binary.BigEndian.AppendUint16(b, l.DstPort)
	b = binary.BigEndian.AppendUint32(b, l.VerificationTag)
	return binary.BigEndian.AppendUint32(b, l.Checksum.Value()), nil
}

// Complete computes Checksum.
func (l *Header) Complete(c *pkts.Completion) error {
	if c.Wants("Checksum", headerOffChecksum, l.Checksum.Mode()) {
		c.Whole()
		c.PutUint32(sum(c.Header(), c.Payload()))
	}
	return nil
}

// sum returns the checksum of a header and what follows it.
func sum(header, chunks []byte) uint32 {
	crc := bits.ReverseBytes32(checksum.SCTP(header[:min(len(header), HeaderLen)]))
	return bits.ReverseBytes32(checksum.UpdateCRC32C(crc, chunks))
}

// AppendSummary appends "sctp": an IP header has said the ports.
func (l *Header) AppendSummary(b []byte, _ pkts.Node) []byte { return append(b, "sctp"...) }

// HeaderView is an SCTP packet in place: the common header and what follows it.
// Its methods panic when it is shorter than 12 bytes: those that [pkts.View]
// returns are not. The setters, here and in the views of chunks, leave the
// checksum alone: call UpdateChecksum behind them.
type HeaderView []byte

// Proto returns the descriptor of SCTP.
func (HeaderView) Proto() *pkts.Protocol { return &headerProtocol }

func (v HeaderView) SrcPort() uint16 { return binary.BigEndian.Uint16(v[headerOffSrcPort:]) }
func (v HeaderView) DstPort() uint16 { return binary.BigEndian.Uint16(v[headerOffDstPort:]) }
func (v HeaderView) VerificationTag() uint32 {
	return binary.BigEndian.Uint32(v[headerOffTag:])
}
func (v HeaderView) Checksum() uint32 { return binary.BigEndian.Uint32(v[headerOffChecksum:]) }
func (v HeaderView) Payload() []byte  { return v[HeaderLen:] }

// ChecksumValid reports whether the checksum is that of all of v.
func (v HeaderView) ChecksumValid() bool { return v.Checksum() == checksum.SCTP(v) }

func (v HeaderView) SetSrcPort(p uint16) { binary.BigEndian.PutUint16(v[headerOffSrcPort:], p) }
func (v HeaderView) SetDstPort(p uint16) { binary.BigEndian.PutUint16(v[headerOffDstPort:], p) }
func (v HeaderView) SetVerificationTag(t uint32) {
	binary.BigEndian.PutUint32(v[headerOffTag:], t)
}
func (v HeaderView) SetChecksum(sum uint32) {
	binary.BigEndian.PutUint32(v[headerOffChecksum:], sum)
}

// UpdateChecksum computes the checksum of all of v anew.
func (v HeaderView) UpdateChecksum() { v.SetChecksum(checksum.SCTP(v)) }

// Before reports whether the serial number a, a TSN, comes before b: the
// arithmetic of RFC 1982, modulo 2^32, as RFC 9260, section 1.6, demands.
func Before(a, b uint32) bool { return int32(a-b) < 0 }

// Before16 is [Before] for stream sequence numbers, modulo 2^16.
func Before16(a, b uint16) bool { return int16(a-b) < 0 }
