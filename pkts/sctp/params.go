package sctp

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strconv"

	"github.com/gopkts/gopkts/pkts"
)

// tlvHeaderLen is the length of type and length of a parameter or cause.
const tlvHeaderLen = 4

// tlv returns what stands at byte i of a list of parameters or causes, RFC 9260,
// section 3.2.1, and its length with padding, 0 when there is none that is
// whole. The last one need not be padded.
func tlv(b []byte, i int) (typ uint16, value []byte, n int) {
	if len(b)-i < tlvHeaderLen {
		return 0, nil, 0
	}
	n = int(binary.BigEndian.Uint16(b[i+2:]))
	if n < tlvHeaderLen || n > len(b)-i {
		return 0, nil, 0
	}
	return binary.BigEndian.Uint16(b[i:]), b[i+tlvHeaderLen : i+n : i+n], min(padded(n), len(b)-i)
}

// tlvErr returns why a list cannot be read to its end.
func tlvErr(name string, b []byte) error {
	for i := 0; i < len(b); {
		_, _, n := tlv(b, i)
		if n == 0 {
			e := &pkts.DecodeError{Layer: name, Offset: i, Want: tlvHeaderLen, Have: len(b) - i, Err: pkts.ErrTruncated}
			if e.Have >= tlvHeaderLen {
				if e.Want = int(binary.BigEndian.Uint16(b[i+2:])); e.Want < tlvHeaderLen {
					*e = pkts.DecodeError{Layer: name, Offset: i, Reason: "a length below 4", Err: pkts.ErrMalformed}
				}
			}
			return e
		}
		i += n
	}
	return nil
}

// findTLV returns the value of the first one of a type that has at least min
// bytes.
func findTLV(b []byte, typ uint16, min int) ([]byte, bool) {
	for i := 0; ; {
		t, v, n := tlv(b, i)
		if n == 0 {
			return nil, false
		}
		if t == typ && len(v) >= min {
			return v, true
		}
		i += n
	}
}

// appendTLV pads what is there and appends one.
func appendTLV(b []byte, typ uint16, value []byte) []byte {
	b = append(b, make([]byte, -len(b)&3)...)
	b = binary.BigEndian.AppendUint16(b, typ)
	return append(binary.BigEndian.AppendUint16(b, uint16(tlvHeaderLen+len(value))), value...)
}

// ParamType says what a parameter is: the numbers of
// https://www.iana.org/assignments/sctp-parameters.
type ParamType uint16

const (
	ParamHeartbeatInfo       ParamType = 1
	ParamIPv4                ParamType = 5
	ParamIPv6                ParamType = 6
	ParamStateCookie         ParamType = 7
	ParamUnrecognized        ParamType = 8
	ParamCookiePreservative  ParamType = 9
	ParamHostName            ParamType = 11 // not used any more
	ParamSupportedAddrTypes  ParamType = 12
	ParamOutgoingReset       ParamType = 13     // RFC 6525
	ParamIncomingReset       ParamType = 14     // RFC 6525
	ParamTSNReset            ParamType = 15     // RFC 6525
	ParamReConfigResponse    ParamType = 16     // RFC 6525
	ParamAddOutgoing         ParamType = 17     // RFC 6525
	ParamAddIncoming         ParamType = 18     // RFC 6525
	ParamECN                 ParamType = 0x8000 // RFC 9260, appendix A
	ParamZeroChecksum        ParamType = 0x8001 // RFC 9653
	ParamRandom              ParamType = 0x8002 // RFC 4895
	ParamChunkList           ParamType = 0x8003 // RFC 4895
	ParamHMAC                ParamType = 0x8004 // RFC 4895
	ParamPadding             ParamType = 0x8005 // RFC 4820
	ParamSupportedExtensions ParamType = 0x8008 // RFC 5061
	ParamForwardTSN          ParamType = 0xc000 // RFC 3758
	ParamAddIP               ParamType = 0xc001 // RFC 5061
	ParamDeleteIP            ParamType = 0xc002 // RFC 5061
	ParamErrorCause          ParamType = 0xc003 // RFC 5061
	ParamSetPrimary          ParamType = 0xc004 // RFC 5061
	ParamSuccess             ParamType = 0xc005 // RFC 5061
	ParamAdaptation          ParamType = 0xc006 // RFC 5061
)

// String returns the parameter's name, or the number.
func (t ParamType) String() string {
	switch t {
	case ParamHeartbeatInfo:
		return "heartbeat info"
	case ParamIPv4:
		return "IPv4 address"
	case ParamIPv6:
		return "IPv6 address"
	case ParamStateCookie:
		return "state cookie"
	case ParamUnrecognized:
		return "unrecognized parameter"
	case ParamCookiePreservative:
		return "cookie preservative"
	case ParamHostName:
		return "host name"
	case ParamSupportedAddrTypes:
		return "supported address types"
	case ParamOutgoingReset:
		return "outgoing SSN reset request"
	case ParamIncomingReset:
		return "incoming SSN reset request"
	case ParamTSNReset:
		return "SSN/TSN reset request"
	case ParamReConfigResponse:
		return "re-configuration response"
	case ParamAddOutgoing:
		return "add outgoing streams request"
	case ParamAddIncoming:
		return "add incoming streams request"
	case ParamECN:
		return "ECN capable"
	case ParamZeroChecksum:
		return "zero checksum acceptable"
	case ParamRandom:
		return "random"
	case ParamChunkList:
		return "chunk list"
	case ParamHMAC:
		return "requested HMAC algorithms"
	case ParamPadding:
		return "padding"
	case ParamSupportedExtensions:
		return "supported extensions"
	case ParamForwardTSN:
		return "forward TSN supported"
	case ParamAddIP:
		return "add IP address"
	case ParamDeleteIP:
		return "delete IP address"
	case ParamErrorCause:
		return "error cause indication"
	case ParamSetPrimary:
		return "set primary address"
	case ParamSuccess:
		return "success indication"
	case ParamAdaptation:
		return "adaptation layer indication"
	default:
		return strconv.Itoa(int(t))
	}
}

// Params are the parameters of a chunk as they are encoded. To make some, append
// to a nil slice: what is there is padded before something is appended, and the
// last one is not, as a chunk's length wants it.
//
//	sctp.Params(nil).AppendAddr(a).Append(sctp.ParamForwardTSN, nil)
type Params []byte

// Param is one parameter. Its value aliases the parameters it comes from.
type Param struct {
	Type  ParamType
	Value []byte // without type, length and padding
}

// All yields the parameters with their offsets in bytes. It ends before one that
// is cut off or has a length below 4, which [Params.Err] reports.
func (p Params) All() iter.Seq2[int, Param] {
	return func(yield func(int, Param) bool) {
		for i := 0; ; {
			t, v, n := tlv(p, i)
			if n == 0 || !yield(i, Param{ParamType(t), v}) {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the parameters can be read to their end, and otherwise a
// [*pkts.DecodeError] whose offset is where the bad one begins.
func (p Params) Err() error { return tlvErr("SCTP parameters", p) }

// Get returns the value of the first parameter of type t, which aliases p.
func (p Params) Get(t ParamType) ([]byte, bool) { return findTLV(p, uint16(t), 0) }

// Append appends a parameter.
func (p Params) Append(t ParamType, value []byte) Params { return appendTLV(p, uint16(t), value) }

// Addrs yields the addresses of the sender's end, RFC 9260, sections 3.3.2.1.1
// and 3.3.2.1.2.
func (p Params) Addrs() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, x := range p.All() {
			if a, ok := x.Addr(); ok && !yield(a) {
				return
			}
		}
	}
}

// AppendAddr appends an address. One that is not valid is left out.
func (p Params) AppendAddr(a netip.Addr) Params {
	switch {
	case a.Is4():
		v := a.As4()
		return p.Append(ParamIPv4, v[:])
	case a.Is6():
		v := a.As16()
		return p.Append(ParamIPv6, v[:])
	}
	return p
}

// Addr returns the address, if the parameter is one.
func (p Param) Addr() (netip.Addr, bool) {
	switch {
	case p.Type == ParamIPv4 && len(p.Value) == 4:
		return netip.AddrFrom4([4]byte(p.Value)), true
	case p.Type == ParamIPv6 && len(p.Value) == 16:
		return netip.AddrFrom16([16]byte(p.Value)), true
	}
	return netip.Addr{}, false
}

// Cookie returns the State Cookie, which aliases p.
func (p Params) Cookie() ([]byte, bool) { return p.Get(ParamStateCookie) }

// SupportedExtensions yields the types of the chunks that the sender knows beside
// those of RFC 9260, RFC 5061, section 4.2.7.
func (p Params) SupportedExtensions() iter.Seq[ChunkType] {
	return func(yield func(ChunkType) bool) {
		v, _ := p.Get(ParamSupportedExtensions)
		for _, t := range v {
			if !yield(ChunkType(t)) {
				return
			}
		}
	}
}

// Adaptation returns the Adaptation Code Point, RFC 5061, section 4.2.6.
func (p Params) Adaptation() (uint32, bool) {
	v, ok := findTLV(p, uint16(ParamAdaptation), 4)
	if !ok {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}

// ParamAddress is a request of an ASCONF chunk about an address: [ParamAddIP],
// [ParamDeleteIP] or [ParamSetPrimary], RFC 5061, section 4.2.
type ParamAddress struct {
	CorrelationID uint32
	Addr          netip.Addr
}

// Address returns the request about an address, if the parameter is one.
func (p Param) Address() (ParamAddress, bool) {
	switch p.Type {
	case ParamAddIP, ParamDeleteIP, ParamSetPrimary:
	default:
		return ParamAddress{}, false
	}
	if len(p.Value) < 4 {
		return ParamAddress{}, false
	}
	t, v, n := tlv(p.Value, 4)
	a, ok := Param{ParamType(t), v}.Addr()
	return ParamAddress{binary.BigEndian.Uint32(p.Value), a}, ok && n != 0
}

// AppendAddress appends a request about an address.
func (p Params) AppendAddress(t ParamType, a ParamAddress) Params {
	v := binary.BigEndian.AppendUint32(nil, a.CorrelationID)
	return p.Append(t, append(v, Params(nil).AppendAddr(a.Addr)...))
}

// StreamReset asks for stream sequence numbers to begin at 0 again, RFC 6525,
// section 4.1: the outgoing streams of the sender.
type StreamReset struct {
	RequestSeq  uint32 // number of the request
	ResponseSeq uint32 // of the request that this one answers
	LastTSN     uint32 // the last TSN that the sender has assigned
	Streams     []byte // their identifiers, 2 bytes each; none are all; aliases the parameter
}

// StreamReset returns the request, if the parameter is a [ParamOutgoingReset].
func (p Param) StreamReset() (StreamReset, bool) {
	if p.Type != ParamOutgoingReset || len(p.Value) < 12 {
		return StreamReset{}, false
	}
	return StreamReset{
		RequestSeq:  binary.BigEndian.Uint32(p.Value),
		ResponseSeq: binary.BigEndian.Uint32(p.Value[4:]),
		LastTSN:     binary.BigEndian.Uint32(p.Value[8:]),
		Streams:     p.Value[12:],
	}, true
}

// AppendStreamReset appends a [ParamOutgoingReset].
func (p Params) AppendStreamReset(r StreamReset) Params {
	v := binary.BigEndian.AppendUint32(nil, r.RequestSeq)
	v = binary.BigEndian.AppendUint32(v, r.ResponseSeq)
	v = binary.BigEndian.AppendUint32(v, r.LastTSN)
	return p.Append(ParamOutgoingReset, append(v, r.Streams...))
}

// ReConfigResponse answers a request of a RE-CONFIG chunk, RFC 6525, section
// 4.4.
type ReConfigResponse struct {
	ResponseSeq uint32 // number of the request
	Result      uint32 // 1 performed, 6 in progress; others say why not
}

// ReConfigResponse returns the response, if the parameter is one.
func (p Param) ReConfigResponse() (ReConfigResponse, bool) {
	if p.Type != ParamReConfigResponse || len(p.Value) < 8 {
		return ReConfigResponse{}, false
	}
	return ReConfigResponse{binary.BigEndian.Uint32(p.Value), binary.BigEndian.Uint32(p.Value[4:])}, true
}

// AppendReConfigResponse appends a [ParamReConfigResponse].
func (p Params) AppendReConfigResponse(r ReConfigResponse) Params {
	return p.Append(ParamReConfigResponse, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, r.ResponseSeq), r.Result))
}

// CauseCode says what an error cause is: the numbers of
// https://www.iana.org/assignments/sctp-parameters.
type CauseCode uint16

const (
	CauseInvalidStream       CauseCode = 1
	CauseMissingParam        CauseCode = 2
	CauseStaleCookie         CauseCode = 3
	CauseOutOfResource       CauseCode = 4
	CauseUnresolvableAddress CauseCode = 5
	CauseUnrecognizedChunk   CauseCode = 6
	CauseInvalidParam        CauseCode = 7
	CauseUnrecognizedParams  CauseCode = 8
	CauseNoUserData          CauseCode = 9
	CauseCookieInShutdown    CauseCode = 10
	CauseRestartNewAddresses CauseCode = 11
	CauseUserAbort           CauseCode = 12
	CauseProtocolViolation   CauseCode = 13
	CauseDeleteLastAddress   CauseCode = 0xa0  // RFC 5061
	CauseResourceShortage    CauseCode = 0xa1  // RFC 5061
	CauseDeleteSource        CauseCode = 0xa2  // RFC 5061
	CauseIllegalAsconfAck    CauseCode = 0xa3  // RFC 5061
	CauseNoAuthorization     CauseCode = 0xa4  // RFC 5061
	CauseUnsupportedHMAC     CauseCode = 0x105 // RFC 4895
)

// String returns the cause's name, or the number.
func (c CauseCode) String() string {
	switch c {
	case CauseInvalidStream:
		return "invalid stream identifier"
	case CauseMissingParam:
		return "missing mandatory parameter"
	case CauseStaleCookie:
		return "stale cookie"
	case CauseOutOfResource:
		return "out of resource"
	case CauseUnresolvableAddress:
		return "unresolvable address"
	case CauseUnrecognizedChunk:
		return "unrecognized chunk type"
	case CauseInvalidParam:
		return "invalid mandatory parameter"
	case CauseUnrecognizedParams:
		return "unrecognized parameters"
	case CauseNoUserData:
		return "no user data"
	case CauseCookieInShutdown:
		return "cookie received while shutting down"
	case CauseRestartNewAddresses:
		return "restart of an association with new addresses"
	case CauseUserAbort:
		return "user-initiated abort"
	case CauseProtocolViolation:
		return "protocol violation"
	case CauseDeleteLastAddress:
		return "request to delete last remaining IP address"
	case CauseResourceShortage:
		return "operation refused due to resource shortage"
	case CauseDeleteSource:
		return "request to delete source IP address"
	case CauseIllegalAsconfAck:
		return "association aborted due to illegal ASCONF-ACK"
	case CauseNoAuthorization:
		return "request refused, no authorization"
	case CauseUnsupportedHMAC:
		return "unsupported HMAC identifier"
	default:
		return strconv.Itoa(int(c))
	}
}

// Causes are the error causes of an ABORT or ERROR chunk as they are encoded.
// They are made like [Params].
type Causes []byte

// Cause is one error cause. What it says aliases the causes it comes from.
type Cause struct {
	Code CauseCode
	Info []byte // without code, length and padding
}

// All yields the causes with their offsets in bytes. It ends before one that is
// cut off or has a length below 4, which [Causes.Err] reports.
func (c Causes) All() iter.Seq2[int, Cause] {
	return func(yield func(int, Cause) bool) {
		for i := 0; ; {
			t, v, n := tlv(c, i)
			if n == 0 || !yield(i, Cause{CauseCode(t), v}) {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the causes can be read to their end, and otherwise a
// [*pkts.DecodeError] whose offset is where the bad one begins.
func (c Causes) Err() error { return tlvErr("SCTP causes", c) }

// Get returns what the first cause with a code says. It aliases c.
func (c Causes) Get(code CauseCode) ([]byte, bool) { return findTLV(c, uint16(code), 0) }

// Append appends a cause.
func (c Causes) Append(code CauseCode, info []byte) Causes {
	return appendTLV(c, uint16(code), info)
}

// InvalidStream returns the stream identifier that was invalid.
func (c Cause) InvalidStream() (uint16, bool) {
	if c.Code != CauseInvalidStream || len(c.Info) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint16(c.Info), true
}

// AppendInvalidStream appends the cause of a stream identifier that is invalid.
func (c Causes) AppendInvalidStream(id uint16) Causes {
	return c.Append(CauseInvalidStream, []byte{byte(id >> 8), byte(id), 0, 0})
}

// MissingParams yields the types of the parameters that were missing.
func (c Cause) MissingParams() iter.Seq[ParamType] {
	return func(yield func(ParamType) bool) {
		if c.Code != CauseMissingParam || len(c.Info) < 4 {
			return
		}
		b := c.Info[4:]
		for range binary.BigEndian.Uint32(c.Info) {
			if len(b) < 2 || !yield(ParamType(binary.BigEndian.Uint16(b))) {
				return
			}
			b = b[2:]
		}
	}
}

// AppendMissingParams appends the cause of parameters that are missing.
func (c Causes) AppendMissingParams(types ...ParamType) Causes {
	v := binary.BigEndian.AppendUint32(nil, uint32(len(types)))
	for _, t := range types {
		v = binary.BigEndian.AppendUint16(v, uint16(t))
	}
	return c.Append(CauseMissingParam, v)
}

// StaleCookie returns for how long the cookie was too old, in microseconds.
func (c Cause) StaleCookie() (uint32, bool) {
	if c.Code != CauseStaleCookie || len(c.Info) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(c.Info), true
}

// NoUserData returns the TSN of the chunk that had no user data.
func (c Cause) NoUserData() (uint32, bool) {
	if c.Code != CauseNoUserData || len(c.Info) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(c.Info), true
}
