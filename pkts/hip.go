package pkts

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

const (
	hipOffType     = 2
	hipOffVersion  = 3
	hipOffChecksum = 4
	hipOffControls = 6
	hipOffSender   = 8
	hipOffReceiver = 24
)

// HIPMinLen is the length of a HIP header without parameters, in bytes.
const HIPMinLen = 40

// HIPType is the type of a HIP packet; the numbers are at
// https://www.iana.org/assignments/hip-parameters. It has 7 bits.
type HIPType uint8

const (
	HIPI1       HIPType = 1  // initiator, RFC 7401
	HIPR1       HIPType = 2  // responder, RFC 7401
	HIPI2       HIPType = 3  // second initiator, RFC 7401
	HIPR2       HIPType = 4  // second responder, RFC 7401
	HIPUpdate   HIPType = 16 // RFC 7401
	HIPNotify   HIPType = 17 // RFC 7401
	HIPClose    HIPType = 18 // RFC 7401
	HIPCloseAck HIPType = 19 // RFC 7401
	HIPRegister HIPType = 22 // HDRR, RFC 6537
	HIPData     HIPType = 32 // RFC 6078
)

// String returns the type's name, or the number.
func (t HIPType) String() string {
	switch t {
	case HIPI1:
		return "I1"
	case HIPR1:
		return "R1"
	case HIPI2:
		return "I2"
	case HIPR2:
		return "R2"
	case HIPUpdate:
		return "UPDATE"
	case HIPNotify:
		return "NOTIFY"
	case HIPClose:
		return "CLOSE"
	case HIPCloseAck:
		return "CLOSE_ACK"
	case HIPRegister:
		return "HDRR"
	case HIPData:
		return "HIP_DATA"
	default:
		return numbered("HIPType", int(t))
	}
}

// HIP is a Host Identity Protocol header with its parameters, RFC 7401, section
// 5.1.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Next Header   | Header Length |0| Packet Type |Version| RES.|1|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Checksum             |           Controls            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Sender's Host Identity Tag (HIT), 16 bytes         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Receiver's Host Identity Tag (HIT), 16 bytes         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        HIP Parameters                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type HIP struct {
	NextHeader Auto[IPProto]
	HeaderLen  Auto[uint8] // length in units of 8 bytes, less one
	Type       HIPType     // 7 bits, behind one that is 0
	Fixed0     bool        // the bit in front of Type, which must not be set
	Version    Auto[uint8] // 4 bits; 2 where it is not given, 1 in RFC 5201
	Reserved   uint8       // 3 bits
	Fixed1     Auto[bool]  // the bit behind them; set where it is not given
	Checksum   Auto[uint16]
	Controls   uint16
	Sender     netip.Addr    // host identity tag, which looks like an IPv6 address
	Receiver   netip.Addr    // all zeros when the sender does not know it
	Parameters HIPParameters // a multiple of 8 bytes, at most 2,008; aliases the packet after decoding
}

var _ Completer = (*HIP)(nil)

var hipProtocol = Protocol{
	Name:  "HIP",
	New:   New[HIP],
	Clone: cloneHIP,
	Index: indexHIP,
	At:    []Selector{{&ipProtosTable, uint32(IPProtoHIP)}},
	Fields: []Field{
		{"NextHeader", extOffNextHeader * 8, 8},
		{"HeaderLen", extOffLen * 8, 8},
		{"Fixed0", hipOffType * 8, 1},
		{"Type", hipOffType*8 + 1, 7},
		{"Version", hipOffVersion * 8, 4},
		{"Reserved", hipOffVersion*8 + 4, 3},
		{"Fixed1", hipOffVersion*8 + 7, 1},
		{"Checksum", hipOffChecksum * 8, 16},
		{"Controls", hipOffControls * 8, 16},
		{"Sender", hipOffSender * 8, 128},
		{"Receiver", hipOffReceiver * 8, 128},
		{"Parameters", HIPMinLen * 8, 0},
	},
	kind: kindHIP,
}

// Proto returns the descriptor of HIP.
func (*HIP) Proto() *Protocol { return &hipProtocol }

func cloneHIP(l Layer) Layer {
	c := *l.(*HIP)
	c.Parameters = slices.Clone(c.Parameters)
	return &c
}

func indexHIP(b []byte, r *Registry) (Span, error) {
	n, err := HIPView(b).check()
	if err != nil {
		return Span{}, err
	}
	return Span{Header: n, Payload: len(b) - n, Next: r.ipProto(HIPView(b).NextHeader())}, nil
}

// check returns the length of the header, or why there is none.
func (v HIPView) check() (int, error) {
	if len(v) < HIPMinLen {
		return 0, Truncated("HIP", HIPMinLen, len(v))
	}
	n := v.HeaderLen()
	if n < HIPMinLen {
		return 0, Malformed("HIP", "the header length is below 4")
	}
	if n > len(v) {
		return 0, Truncated("HIP", n, len(v))
	}
	return n, nil
}

// Decode fills l from the header at the start of b, 40 to 2,048 bytes.
func (l *HIP) Decode(b []byte) (int, error) {
	v := HIPView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	l.NextHeader = Seen(v.NextHeader())
	l.HeaderLen = Seen(v[extOffLen])
	l.Type = v.Type()
	l.Fixed0 = v[hipOffType]&0x80 != 0
	l.Version = Seen(v.Version())
	l.Reserved = v[hipOffVersion] >> 1 & 7
	l.Fixed1 = Seen(v[hipOffVersion]&1 != 0)
	l.Checksum = Seen(v.Checksum())
	l.Controls = v.Controls()
	l.Sender = v.Sender()
	l.Receiver = v.Receiver()
	l.Parameters = v.Parameters()
	return n, nil
}

// hipVersion is the version of RFC 7401.
const hipVersion = 2

// AppendBinary appends the header to b.
func (l *HIP) AppendBinary(b []byte) ([]byte, error) {
	version, fixed := l.Version.value, l.Fixed1.value
	if l.Version.mode == ModeAuto {
		version = hipVersion
	}
	if l.Fixed1.mode == ModeAuto {
		fixed = true
	}
	n := HIPMinLen + len(l.Parameters)
	switch {
	case n > IPv6ExtMaxLen:
		return b, TooLong("HIP", "Parameters", len(l.Parameters), IPv6ExtMaxLen-HIPMinLen)
	case n%8 != 0:
		return b, &EncodeError{Layer: "HIP", Field: "Parameters", Reason: "not a multiple of 8 bytes: use HIPParameters.Append", Err: ErrMalformed}
	case l.Type > 0x7f:
		return b, TooLong("HIP", "Type", int(l.Type), 0x7f)
	case version > 0xf:
		return b, TooLong("HIP", "Version", int(version), 0xf)
	case l.Reserved > 7:
		return b, TooLong("HIP", "Reserved", int(l.Reserved), 7)
	}
	sender, ok := addr6(l.Sender)
	if !ok {
		return b, wrongAddr("HIP", "Sender", l.Sender)
	}
	receiver, ok := addr6(l.Receiver)
	if !ok {
		return b, wrongAddr("HIP", "Receiver", l.Receiver)
	}
	b = appendExt(b, l.NextHeader, l.HeaderLen, n)
	b = append(b, bit(l.Fixed0)<<7|uint8(l.Type), version<<4|l.Reserved<<1|bit(fixed))
	b = binary.BigEndian.AppendUint16(b, l.Checksum.value)
	b = binary.BigEndian.AppendUint16(b, l.Controls)
	b = append(b, sender[:]...)
	b = append(b, receiver[:]...)
	return append(b, l.Parameters...), nil
}

// Complete computes NextHeader, HeaderLen and Checksum. In UDP, RFC 5770, the
// checksum is 0.
func (l *HIP) Complete(c *Completion) error {
	completeExt(c, l.NextHeader.mode, "HeaderLen", l.HeaderLen.mode)
	if c.Wants("Checksum", hipOffChecksum, l.Checksum.mode) {
		if up := c.nodes[c.i].parent; up != noNode && c.nodes[up].kind == kindUDP {
			c.PutUint16(0)
			return nil
		}
		sum, err := c.pseudoHeaderChecksum(IPProtoHIP)
		if err != nil {
			return err
		}
		c.PutUint16(sum)
	}
	return nil
}

// HIPParameterType is the type of a parameter; the numbers are at
// https://www.iana.org/assignments/hip-parameters.
type HIPParameterType uint16

const (
	HIPESPInfo             HIPParameterType = 65    // RFC 7402
	HIPR1Counter           HIPParameterType = 129   // RFC 7401
	HIPLocatorSet          HIPParameterType = 193   // RFC 8046
	HIPPuzzle              HIPParameterType = 257   // RFC 7401
	HIPSolution            HIPParameterType = 321   // RFC 7401
	HIPSeq                 HIPParameterType = 385   // RFC 7401
	HIPAck                 HIPParameterType = 449   // RFC 7401
	HIPDHGroupList         HIPParameterType = 511   // RFC 7401
	HIPDiffieHellman       HIPParameterType = 513   // RFC 7401
	HIPCipher              HIPParameterType = 579   // RFC 7401
	HIPNATTraversalMode    HIPParameterType = 608   // RFC 5770
	HIPEncrypted           HIPParameterType = 641   // RFC 7401
	HIPHostID              HIPParameterType = 705   // RFC 7401
	HIPHITSuiteList        HIPParameterType = 715   // RFC 7401
	HIPCert                HIPParameterType = 768   // RFC 8002
	HIPNotification        HIPParameterType = 832   // RFC 7401
	HIPEchoRequestSigned   HIPParameterType = 897   // RFC 7401
	HIPRegInfo             HIPParameterType = 930   // RFC 8003
	HIPRegRequest          HIPParameterType = 932   // RFC 8003
	HIPRegResponse         HIPParameterType = 934   // RFC 8003
	HIPRegFailed           HIPParameterType = 936   // RFC 8003
	HIPEchoResponseSigned  HIPParameterType = 961   // RFC 7401
	HIPTransportFormatList HIPParameterType = 2049  // RFC 7401
	HIPESPTransform        HIPParameterType = 4095  // RFC 7402
	HIPMAC                 HIPParameterType = 61505 // RFC 7401
	HIPMAC2                HIPParameterType = 61569 // RFC 7401
	HIPSignature2          HIPParameterType = 61633 // RFC 7401
	HIPSignature           HIPParameterType = 61697 // RFC 7401
	HIPEchoRequest         HIPParameterType = 63661 // RFC 7401
	HIPEchoResponse        HIPParameterType = 63425 // RFC 7401
	HIPFrom                HIPParameterType = 65498 // RFC 8004
	HIPRVSMAC              HIPParameterType = 65500 // RFC 8004
	HIPViaRVS              HIPParameterType = 65502 // RFC 8004
)

// String returns the parameter's name as in its RFC, or the number.
func (t HIPParameterType) String() string {
	switch t {
	case HIPESPInfo:
		return "ESP_INFO"
	case HIPR1Counter:
		return "R1_COUNTER"
	case HIPLocatorSet:
		return "LOCATOR_SET"
	case HIPPuzzle:
		return "PUZZLE"
	case HIPSolution:
		return "SOLUTION"
	case HIPSeq:
		return "SEQ"
	case HIPAck:
		return "ACK"
	case HIPDHGroupList:
		return "DH_GROUP_LIST"
	case HIPDiffieHellman:
		return "DIFFIE_HELLMAN"
	case HIPCipher:
		return "HIP_CIPHER"
	case HIPNATTraversalMode:
		return "NAT_TRAVERSAL_MODE"
	case HIPEncrypted:
		return "ENCRYPTED"
	case HIPHostID:
		return "HOST_ID"
	case HIPHITSuiteList:
		return "HIT_SUITE_LIST"
	case HIPCert:
		return "CERT"
	case HIPNotification:
		return "NOTIFICATION"
	case HIPEchoRequestSigned:
		return "ECHO_REQUEST_SIGNED"
	case HIPRegInfo:
		return "REG_INFO"
	case HIPRegRequest:
		return "REG_REQUEST"
	case HIPRegResponse:
		return "REG_RESPONSE"
	case HIPRegFailed:
		return "REG_FAILED"
	case HIPEchoResponseSigned:
		return "ECHO_RESPONSE_SIGNED"
	case HIPTransportFormatList:
		return "TRANSPORT_FORMAT_LIST"
	case HIPESPTransform:
		return "ESP_TRANSFORM"
	case HIPMAC:
		return "HIP_MAC"
	case HIPMAC2:
		return "HIP_MAC_2"
	case HIPSignature2:
		return "HIP_SIGNATURE_2"
	case HIPSignature:
		return "HIP_SIGNATURE"
	case HIPEchoRequest:
		return "ECHO_REQUEST_UNSIGNED"
	case HIPEchoResponse:
		return "ECHO_RESPONSE_UNSIGNED"
	case HIPFrom:
		return "FROM"
	case HIPRVSMAC:
		return "RVS_HMAC"
	case HIPViaRVS:
		return "VIA_RVS"
	default:
		return numbered("HIPParameterType", int(t))
	}
}

// IsCritical reports whether a receiver that does not know the parameter must
// drop the packet: the type is odd.
func (t HIPParameterType) IsCritical() bool { return t&1 != 0 }

// HIPParameter is one parameter. Its data aliases what it comes from.
type HIPParameter struct {
	Type HIPParameterType
	Data []byte // without type, length and padding
}

// HIPParameters are the parameters of a HIP packet as they are encoded, RFC
// 7401, section 5.2.1: each one is padded to a multiple of 8 bytes.
type HIPParameters []byte

// next returns the parameter at byte i and its length with padding, 0 when
// there is none that is whole.
func (o HIPParameters) next(i int) (p HIPParameter, n int) {
	const hdr = 4
	if len(o)-i < hdr {
		return p, 0
	}
	end := hdr + int(binary.BigEndian.Uint16(o[i+2:]))
	if end > len(o)-i {
		return p, 0
	}
	p.Type = HIPParameterType(binary.BigEndian.Uint16(o[i:]))
	p.Data = o[i+hdr : i+end : i+end]
	return p, min((end+7)&^7, len(o)-i)
}

// All yields the parameters with their offsets in bytes. It ends before one
// that is cut off, which [HIPParameters.Err] reports.
func (o HIPParameters) All() iter.Seq2[int, HIPParameter] {
	return func(yield func(int, HIPParameter) bool) {
		for i := 0; ; {
			p, n := o.next(i)
			if n == 0 || !yield(i, p) {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the parameters can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the one begins that is cut off.
func (o HIPParameters) Err() error {
	for i := 0; i < len(o); {
		_, n := o.next(i)
		if n == 0 {
			e := &DecodeError{Layer: "HIP parameters", Offset: i, Want: 4, Have: len(o) - i, Err: ErrTruncated}
			if e.Have >= 4 {
				e.Want = 4 + int(binary.BigEndian.Uint16(o[i+2:]))
			}
			return e
		}
		i += n
	}
	return nil
}

// Append appends a parameter and its padding. Data of more than 65,535 bytes is
// refused with an [*EncodeError].
func (o HIPParameters) Append(t HIPParameterType, data []byte) (HIPParameters, error) {
	if len(data) > 0xffff {
		return o, TooLong("HIP", t.String(), len(data), 0xffff)
	}
	o = binary.BigEndian.AppendUint16(o, uint16(t))
	o = append(binary.BigEndian.AppendUint16(o, uint16(len(data))), data...)
	return appendZeros(o, -(4+len(data))&7), nil
}

// HIPView is a HIP header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not. The
// setters keep the checksum as right, or as wrong, as it was.
type HIPView []byte

// Proto returns the descriptor of HIP.
func (HIPView) Proto() *Protocol { return &hipProtocol }

func (v HIPView) NextHeader() IPProto  { return IPProto(v[extOffNextHeader]) }
func (v HIPView) HeaderLen() int       { return (int(v[extOffLen]) + 1) * 8 } // bytes
func (v HIPView) Type() HIPType        { return HIPType(v[hipOffType] & 0x7f) }
func (v HIPView) Version() uint8       { return v[hipOffVersion] >> 4 }
func (v HIPView) Checksum() uint16     { return binary.BigEndian.Uint16(v[hipOffChecksum:]) }
func (v HIPView) Controls() uint16     { return binary.BigEndian.Uint16(v[hipOffControls:]) }
func (v HIPView) Sender() netip.Addr   { return netip.AddrFrom16([16]byte(v[hipOffSender:])) }
func (v HIPView) Receiver() netip.Addr { return netip.AddrFrom16([16]byte(v[hipOffReceiver:])) }
func (v HIPView) Parameters() HIPParameters {
	return HIPParameters(v[HIPMinLen:v.HeaderLen():v.HeaderLen()])
}
func (v HIPView) Payload() []byte { return v[v.HeaderLen():] }

func (v HIPView) SetNextHeader(p IPProto) {
	setSummed16(v, hipOffChecksum, extOffNextHeader, uint16(p)<<8|uint16(v[extOffLen]))
}

// SetType sets the low 7 bits of t, and SetVersion the low 4 bits of n.
func (v HIPView) SetType(t HIPType) {
	setSummed16(v, hipOffChecksum, hipOffType, uint16(v[hipOffType]&0x80|uint8(t)&0x7f)<<8|uint16(v[hipOffVersion]))
}
func (v HIPView) SetVersion(n uint8) {
	setSummed16(v, hipOffChecksum, hipOffType, uint16(v[hipOffType])<<8|uint16(n<<4|v[hipOffVersion]&0xf))
}
func (v HIPView) SetChecksum(sum uint16) { binary.BigEndian.PutUint16(v[hipOffChecksum:], sum) }
func (v HIPView) SetControls(c uint16)   { setSummed16(v, hipOffChecksum, hipOffControls, c) }

// SetSender and SetReceiver set a host identity tag.
func (v HIPView) SetSender(a netip.Addr)   { v.set16(hipOffSender, a.As16()) }
func (v HIPView) SetReceiver(a netip.Addr) { v.set16(hipOffReceiver, a.As16()) }

func (v HIPView) set16(off int, a [16]byte) { setSummed(v, hipOffChecksum, off, a[:]) }
