package pkts

import (
	"encoding/binary"
	"slices"
)

const (
	ahOffLen      = 1
	ahOffReserved = 2
	ahOffSPI      = 4
	ahOffSeq      = 8
)

const (
	// AHMinLen is the length of an authentication header without an integrity
	// check value, in bytes.
	AHMinLen = 12
	// AHMaxLen is the longest header that the 8-bit payload length describes.
	AHMaxLen = 1028
)

// AH is an IP Authentication Header, RFC 4302, section 2, used with IPv4 and
// IPv6.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Next Header   |  Payload Len  |          RESERVED             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 Security Parameters Index (SPI)               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Sequence Number Field                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                Integrity Check Value-ICV (variable)           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The integrity check value needs a key and is neither computed nor verified.
type AH struct {
	NextHeader Auto[IPProto]
	PayloadLen Auto[uint8] // length of the header in words of 4 bytes, less 2
	Reserved   uint16
	SPI        uint32
	Seq        uint32
	ICV        []byte // a multiple of 4 bytes, at most 1,016; aliases the packet after decoding
}

var _ Completer = (*AH)(nil)

var ahProtocol = Protocol{
	Name:  "AH",
	New:   New[AH],
	Clone: cloneAH,
	Index: indexAH,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoAH)}},
	Fields: []Field{
		{"NextHeader", extOffNextHeader * 8, 8},
		{"PayloadLen", ahOffLen * 8, 8},
		{"Reserved", ahOffReserved * 8, 16},
		{"SPI", ahOffSPI * 8, 32},
		{"Seq", ahOffSeq * 8, 32},
		{"ICV", AHMinLen * 8, 0},
	},
	kind: kindAH,
}

// Proto returns the descriptor of the authentication header.
func (*AH) Proto() *Protocol { return &ahProtocol }

func cloneAH(l Layer) Layer {
	c := *l.(*AH)
	c.ICV = slices.Clone(c.ICV)
	return &c
}

func indexAH(b []byte, r *Registry) (Span, error) {
	n, err := AHView(b).check()
	if err != nil {
		return Span{}, err
	}
	return Span{Header: n, Payload: len(b) - n, Next: r.ipProto(AHView(b).NextHeader())}, nil
}

// check returns the length of the header, or why there is none.
func (v AHView) check() (int, error) {
	if len(v) < AHMinLen {
		return 0, Truncated("AH", AHMinLen, len(v))
	}
	n := v.HeaderLen()
	if n < AHMinLen {
		return 0, Malformed("AH", "the payload length is below 1")
	}
	if n > len(v) {
		return 0, Truncated("AH", n, len(v))
	}
	return n, nil
}

// Decode fills l from the header at the start of b, 12 to 1,028 bytes.
func (l *AH) Decode(b []byte) (int, error) {
	v := AHView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	l.NextHeader = Seen(v.NextHeader())
	l.PayloadLen = Seen(v.PayloadLen())
	l.Reserved = v.Reserved()
	l.SPI = v.SPI()
	l.Seq = v.Seq()
	l.ICV = v.ICV()
	return n, nil
}

// AppendBinary appends the header to b.
func (l *AH) AppendBinary(b []byte) ([]byte, error) {
	words := l.PayloadLen.value
	switch {
	case len(l.ICV) > AHMaxLen-AHMinLen:
		return b, TooLong("AH", "ICV", len(l.ICV), AHMaxLen-AHMinLen)
	case len(l.ICV)%4 != 0:
		return b, &EncodeError{Layer: "AH", Field: "ICV", Reason: "not a multiple of 4 bytes: pad it", Err: ErrMalformed}
	case l.PayloadLen.mode == ModeAuto:
		words = uint8((AHMinLen+len(l.ICV))/4 - 2)
	}
	b = append(b, uint8(l.NextHeader.value), words)
	b = binary.BigEndian.AppendUint16(b, l.Reserved)
	b = binary.BigEndian.AppendUint32(b, l.SPI)
	b = binary.BigEndian.AppendUint32(b, l.Seq)
	return append(b, l.ICV...), nil
}

// Complete computes NextHeader and PayloadLen.
func (l *AH) Complete(c *Completion) error {
	completeNextHeader(c, extOffNextHeader, l.NextHeader.mode)
	if c.Wants("PayloadLen", ahOffLen, l.PayloadLen.mode) {
		c.PutUint8(uint8(len(c.Header())/4 - 2))
	}
	return nil
}

// AHView is an authentication header in place, with what follows it. Its
// methods panic when it is shorter than the header: those that [View] returns
// are not. The setters leave the integrity check value as it is.
type AHView []byte

// Proto returns the descriptor of the authentication header.
func (AHView) Proto() *Protocol { return &ahProtocol }

func (v AHView) NextHeader() IPProto { return IPProto(v[extOffNextHeader]) }
func (v AHView) PayloadLen() uint8   { return v[ahOffLen] }
func (v AHView) HeaderLen() int      { return (int(v[ahOffLen]) + 2) * 4 } // bytes
func (v AHView) Reserved() uint16    { return binary.BigEndian.Uint16(v[ahOffReserved:]) }
func (v AHView) SPI() uint32         { return binary.BigEndian.Uint32(v[ahOffSPI:]) }
func (v AHView) Seq() uint32         { return binary.BigEndian.Uint32(v[ahOffSeq:]) }
func (v AHView) ICV() []byte         { return v[AHMinLen:v.HeaderLen():v.HeaderLen()] }
func (v AHView) Payload() []byte     { return v[v.HeaderLen():] }

func (v AHView) SetNextHeader(p IPProto) { v[extOffNextHeader] = uint8(p) }
func (v AHView) SetPayloadLen(n uint8)   { v[ahOffLen] = n }
func (v AHView) SetReserved(r uint16)    { binary.BigEndian.PutUint16(v[ahOffReserved:], r) }
func (v AHView) SetSPI(spi uint32)       { binary.BigEndian.PutUint32(v[ahOffSPI:], spi) }
func (v AHView) SetSeq(n uint32)         { binary.BigEndian.PutUint32(v[ahOffSeq:], n) }

const (
	espOffSPI = 0
	espOffSeq = 4
)

// ESPLen is the length of the part of an ESP packet in front of the encrypted
// one, in bytes.
const ESPLen = 8

// ESP is the start of an IP Encapsulating Security Payload, RFC 4303, section
// 2, used with IPv4 and IPv6. What follows is encrypted: it is [Raw], with the
// trailer and the integrity check value at its end.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|               Security Parameters Index (SPI)                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Sequence Number                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ESP struct {
	SPI uint32
	Seq uint32
}

var _ Layer = (*ESP)(nil)

var espProtocol = Protocol{
	Name:  "ESP",
	New:   New[ESP],
	Clone: Clone[ESP],
	Index: indexESP,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoESP)}},
	Fields: []Field{
		{"SPI", espOffSPI * 8, 32},
		{"Seq", espOffSeq * 8, 32},
	},
	kind: kindESP,
}

// Proto returns the descriptor of ESP.
func (*ESP) Proto() *Protocol { return &espProtocol }

func indexESP(b []byte, _ *Registry) (Span, error) {
	if len(b) < ESPLen {
		return Span{}, Truncated("ESP", ESPLen, len(b))
	}
	return Span{Header: ESPLen, Payload: len(b) - ESPLen}, nil
}

// Decode fills l from the header at the start of b, 8 bytes.
func (l *ESP) Decode(b []byte) (int, error) {
	if len(b) < ESPLen {
		return 0, Truncated("ESP", ESPLen, len(b))
	}
	v := ESPView(b)
	l.SPI = v.SPI()
	l.Seq = v.Seq()
	return ESPLen, nil
}

// AppendBinary appends the header to b.
func (l *ESP) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, l.SPI), l.Seq), nil
}

// ESPView is an ESP header in place, with what follows it. Its methods panic
// when it is shorter than 8 bytes: those that [View] returns are not.
type ESPView []byte

// Proto returns the descriptor of ESP.
func (ESPView) Proto() *Protocol { return &espProtocol }

func (v ESPView) SPI() uint32     { return binary.BigEndian.Uint32(v[espOffSPI:]) }
func (v ESPView) Seq() uint32     { return binary.BigEndian.Uint32(v[espOffSeq:]) }
func (v ESPView) Payload() []byte { return v[ESPLen:] }

func (v ESPView) SetSPI(spi uint32) { binary.BigEndian.PutUint32(v[espOffSPI:], spi) }
func (v ESPView) SetSeq(n uint32)   { binary.BigEndian.PutUint32(v[espOffSeq:], n) }
