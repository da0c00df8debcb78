package sctp

import (
	"strconv"

	"github.com/gopkts/gopkts/pkts"
)

// ChunkType says what a chunk is: the numbers of
// https://www.iana.org/assignments/sctp-parameters. The two highest bits say
// what who does not know one does with it: see [ChunkType.Skip] and
// [ChunkType.Report].
type ChunkType uint8

const (
	TypeData             ChunkType = 0
	TypeInit             ChunkType = 1
	TypeInitAck          ChunkType = 2
	TypeSack             ChunkType = 3
	TypeHeartbeat        ChunkType = 4
	TypeHeartbeatAck     ChunkType = 5
	TypeAbort            ChunkType = 6
	TypeShutdown         ChunkType = 7
	TypeShutdownAck      ChunkType = 8
	TypeError            ChunkType = 9
	TypeCookieEcho       ChunkType = 10
	TypeCookieAck        ChunkType = 11
	TypeECNE             ChunkType = 12
	TypeCWR              ChunkType = 13
	TypeShutdownComplete ChunkType = 14
	TypeAuth             ChunkType = 15  // RFC 4895
	TypeIData            ChunkType = 64  // RFC 8260
	TypeAsconfAck        ChunkType = 128 // RFC 5061
	TypeReConfig         ChunkType = 130 // RFC 6525
	TypePad              ChunkType = 132 // RFC 4820
	TypeForwardTSN       ChunkType = 192 // RFC 3758
	TypeAsconf           ChunkType = 193 // RFC 5061
	TypeIForwardTSN      ChunkType = 194 // RFC 8260
)

// Skip reports whether a receiver that does not know the type goes on with the
// next chunk; otherwise it leaves the rest of the packet alone, RFC 9260, section
// 3.2.
func (t ChunkType) Skip() bool { return t&0x80 != 0 }

// Report reports whether a receiver that does not know the type says so.
func (t ChunkType) Report() bool { return t&0x40 != 0 }

// String returns the type's name in RFC 9260 and its successors, or the number.
func (t ChunkType) String() string {
	switch t {
	case TypeData:
		return "DATA"
	case TypeInit:
		return "INIT"
	case TypeInitAck:
		return "INIT ACK"
	case TypeSack:
		return "SACK"
	case TypeHeartbeat:
		return "HEARTBEAT"
	case TypeHeartbeatAck:
		return "HEARTBEAT ACK"
	case TypeAbort:
		return "ABORT"
	case TypeShutdown:
		return "SHUTDOWN"
	case TypeShutdownAck:
		return "SHUTDOWN ACK"
	case TypeError:
		return "ERROR"
	case TypeCookieEcho:
		return "COOKIE ECHO"
	case TypeCookieAck:
		return "COOKIE ACK"
	case TypeECNE:
		return "ECNE"
	case TypeCWR:
		return "CWR"
	case TypeShutdownComplete:
		return "SHUTDOWN COMPLETE"
	case TypeAuth:
		return "AUTH"
	case TypeIData:
		return "I-DATA"
	case TypeAsconfAck:
		return "ASCONF ACK"
	case TypeReConfig:
		return "RE-CONFIG"
	case TypePad:
		return "PAD"
	case TypeForwardTSN:
		return "FORWARD TSN"
	case TypeAsconf:
		return "ASCONF"
	case TypeIForwardTSN:
		return "I-FORWARD TSN"
	default:
		return strconv.Itoa(int(t))
	}
}

// ChunkTypes are the types of chunks, by which they are found in a packet.
// Another module can bind one of its own; what nobody knows is a [Chunk].
var ChunkTypes = pkts.NewTable("SCTP chunk type")

// PPID is a payload protocol identifier: the numbers of
// https://www.iana.org/assignments/sctp-parameters, chosen by the applications.
type PPID uint32

const (
	PPIDNone           PPID = 0
	PPIDIUA            PPID = 1
	PPIDM2UA           PPID = 2
	PPIDM3UA           PPID = 3
	PPIDSUA            PPID = 4
	PPIDM2PA           PPID = 5
	PPIDV5UA           PPID = 6
	PPIDH248           PPID = 7
	PPIDBICC           PPID = 8
	PPIDTALI           PPID = 9
	PPIDS1AP           PPID = 18
	PPIDX2AP           PPID = 27
	PPIDDiameter       PPID = 46
	PPIDDiameterDTLS   PPID = 47
	PPIDDCEP           PPID = 50 // data channels, RFC 8832
	PPIDWebRTCString   PPID = 51 // RFC 8831
	PPIDWebRTCBinary   PPID = 53
	PPIDWebRTCNoString PPID = 56 // an empty one
	PPIDWebRTCNoBinary PPID = 57
	PPIDNGAP           PPID = 60
	PPIDXnAP           PPID = 61
	PPIDF1AP           PPID = 62
	PPIDE1AP           PPID = 64
)

// String returns the name of the protocol, or the number.
func (p PPID) String() string {
	switch p {
	case PPIDNone:
		return "none"
	case PPIDIUA:
		return "IUA"
	case PPIDM2UA:
		return "M2UA"
	case PPIDM3UA:
		return "M3UA"
	case PPIDSUA:
		return "SUA"
	case PPIDM2PA:
		return "M2PA"
	case PPIDV5UA:
		return "V5UA"
	case PPIDH248:
		return "H.248"
	case PPIDBICC:
		return "BICC"
	case PPIDTALI:
		return "TALI"
	case PPIDS1AP:
		return "S1AP"
	case PPIDX2AP:
		return "X2AP"
	case PPIDDiameter:
		return "Diameter"
	case PPIDDiameterDTLS:
		return "Diameter over DTLS"
	case PPIDDCEP:
		return "WebRTC DCEP"
	case PPIDWebRTCString:
		return "WebRTC string"
	case PPIDWebRTCBinary:
		return "WebRTC binary"
	case PPIDWebRTCNoString:
		return "WebRTC empty string"
	case PPIDWebRTCNoBinary:
		return "WebRTC empty binary"
	case PPIDNGAP:
		return "NGAP"
	case PPIDXnAP:
		return "XnAP"
	case PPIDF1AP:
		return "F1AP"
	case PPIDE1AP:
		return "E1AP"
	default:
		return strconv.FormatUint(uint64(p), 10)
	}
}

// PPIDs are payload protocol identifiers, by which the protocols of user data
// are found. Nothing is bound by itself.
var PPIDs = pkts.NewTable("SCTP payload protocol")

// ByPPID returns a number in [PPIDs].
func ByPPID(p PPID) pkts.Selector { return pkts.Selector{Table: PPIDs, Number: uint64(p)} }

// ByChunkType returns a number in [ChunkTypes].
func ByChunkType(t ChunkType) pkts.Selector {
	return pkts.Selector{Table: ChunkTypes, Number: uint64(t)}
}
