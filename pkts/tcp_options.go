package pkts

import (
	"encoding/binary"
	"iter"
)

// TCPOptionKind is the kind of a TCP option; the numbers are at
// https://www.iana.org/assignments/tcp-parameters.
type TCPOptionKind uint8

const (
	TCPOptionEnd               TCPOptionKind = 0   // end of the list, RFC 9293
	TCPOptionNop               TCPOptionKind = 1   // one byte of padding, RFC 9293
	TCPOptionMSS               TCPOptionKind = 2   // maximum segment size, RFC 9293
	TCPOptionWindowScale       TCPOptionKind = 3   // RFC 7323
	TCPOptionSACKPermitted     TCPOptionKind = 4   // RFC 2018
	TCPOptionSACK              TCPOptionKind = 5   // selective acknowledgment, RFC 2018
	TCPOptionEcho              TCPOptionKind = 6   // RFC 1072, withdrawn
	TCPOptionEchoReply         TCPOptionKind = 7   // RFC 1072, withdrawn
	TCPOptionTimestamps        TCPOptionKind = 8   // RFC 7323
	TCPOptionPartialPermitted  TCPOptionKind = 9   // partial order connection, RFC 1693, withdrawn
	TCPOptionPartialProfile    TCPOptionKind = 10  // partial order service, RFC 1693, withdrawn
	TCPOptionCC                TCPOptionKind = 11  // transactions, RFC 1644, withdrawn
	TCPOptionCCNew             TCPOptionKind = 12  // transactions, RFC 1644, withdrawn
	TCPOptionCCEcho            TCPOptionKind = 13  // transactions, RFC 1644, withdrawn
	TCPOptionChecksumRequest   TCPOptionKind = 14  // alternate checksum, RFC 1146, withdrawn
	TCPOptionChecksumData      TCPOptionKind = 15  // alternate checksum, RFC 1146, withdrawn
	TCPOptionSkeeter           TCPOptionKind = 16  // key exchange, withdrawn
	TCPOptionBubba             TCPOptionKind = 17  // key exchange, withdrawn
	TCPOptionTrailerChecksum   TCPOptionKind = 18  // withdrawn
	TCPOptionMD5               TCPOptionKind = 19  // signature, RFC 2385
	TCPOptionSCPS              TCPOptionKind = 20  // space communications, CCSDS 714.0-B-2
	TCPOptionSNACK             TCPOptionKind = 21  // selective negative acknowledgment, CCSDS 714.0-B-2
	TCPOptionRecordBoundaries  TCPOptionKind = 22  // CCSDS 714.0-B-2
	TCPOptionCorruption        TCPOptionKind = 23  // corruption experienced, CCSDS 714.0-B-2
	TCPOptionSNAP              TCPOptionKind = 24  // withdrawn
	TCPOptionCompressionFilter TCPOptionKind = 26  // withdrawn
	TCPOptionQuickStart        TCPOptionKind = 27  // response, RFC 4782
	TCPOptionUserTimeout       TCPOptionKind = 28  // RFC 5482
	TCPOptionAO                TCPOptionKind = 29  // authentication, RFC 5925
	TCPOptionMPTCP             TCPOptionKind = 30  // multipath, RFC 8684
	TCPOptionFastOpen          TCPOptionKind = 34  // cookie, RFC 7413
	TCPOptionENO               TCPOptionKind = 69  // encryption negotiation, RFC 8547
	TCPOptionAccECN0           TCPOptionKind = 172 // accurate ECN, order 0, RFC 9768
	TCPOptionAccECN1           TCPOptionKind = 174 // accurate ECN, order 1, RFC 9768
	TCPOptionExperiment1       TCPOptionKind = 253 // RFC 4727; with an identifier by RFC 6994
	TCPOptionExperiment2       TCPOptionKind = 254 // RFC 4727; with an identifier by RFC 6994
)

// String returns the option's name, or the number.
func (k TCPOptionKind) String() string {
	switch k {
	case TCPOptionEnd:
		return "EOL"
	case TCPOptionNop:
		return "NOP"
	case TCPOptionMSS:
		return "MSS"
	case TCPOptionWindowScale:
		return "WindowScale"
	case TCPOptionSACKPermitted:
		return "SACKPermitted"
	case TCPOptionSACK:
		return "SACK"
	case TCPOptionEcho:
		return "Echo"
	case TCPOptionEchoReply:
		return "EchoReply"
	case TCPOptionTimestamps:
		return "Timestamps"
	case TCPOptionPartialPermitted:
		return "PartialOrderPermitted"
	case TCPOptionPartialProfile:
		return "PartialOrderProfile"
	case TCPOptionCC:
		return "CC"
	case TCPOptionCCNew:
		return "CC.NEW"
	case TCPOptionCCEcho:
		return "CC.ECHO"
	case TCPOptionChecksumRequest:
		return "ChecksumRequest"
	case TCPOptionChecksumData:
		return "ChecksumData"
	case TCPOptionSkeeter:
		return "Skeeter"
	case TCPOptionBubba:
		return "Bubba"
	case TCPOptionTrailerChecksum:
		return "TrailerChecksum"
	case TCPOptionMD5:
		return "MD5"
	case TCPOptionSCPS:
		return "SCPS"
	case TCPOptionSNACK:
		return "SNACK"
	case TCPOptionRecordBoundaries:
		return "RecordBoundaries"
	case TCPOptionCorruption:
		return "CorruptionExperienced"
	case TCPOptionSNAP:
		return "SNAP"
	case TCPOptionCompressionFilter:
		return "CompressionFilter"
	case TCPOptionQuickStart:
		return "QuickStart"
	case TCPOptionUserTimeout:
		return "UserTimeout"
	case TCPOptionAO:
		return "TCP-AO"
	case TCPOptionMPTCP:
		return "MPTCP"
	case TCPOptionFastOpen:
		return "FastOpen"
	case TCPOptionENO:
		return "TCP-ENO"
	case TCPOptionAccECN0:
		return "AccECN0"
	case TCPOptionAccECN1:
		return "AccECN1"
	case TCPOptionExperiment1, TCPOptionExperiment2:
		return "experimental"
	default:
		return numbered("TCPOptionKind", int(k))
	}
}

// TCPOptions are the options of a TCP header as they are encoded. Those that the
// library does not know are kept as they are.
//
// To make some, append to a nil slice, and pad:
//
//	pkts.TCPOptions(nil).AppendMSS(1460).AppendSACKPermitted().Pad()
//
// More than 40 bytes are refused when the header is encoded.
type TCPOptions []byte

// TCPOption is one option. Its data aliases the options it comes from.
type TCPOption struct {
	Kind TCPOptionKind
	Data []byte // without kind and length; nil for EOL and NOP
}

// All yields the options with their offsets in bytes. It ends with an EOL, or
// before an option that is cut off, which [TCPOptions.Err] reports.
func (o TCPOptions) All() iter.Seq2[int, TCPOption] {
	return func(yield func(int, TCPOption) bool) {
		for i := 0; ; {
			kind, data, n := kindOption(o, i)
			if n == 0 || !yield(i, TCPOption{TCPOptionKind(kind), data}) || kind == 0 {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the options can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the option begins that is cut off, or
// whose length is below 2.
func (o TCPOptions) Err() error { return kindOptionsErr("TCP options", o) }

// Padding returns what follows an EOL.
func (o TCPOptions) Padding() []byte { return paddingBehind(o) }

// Get returns the first option of kind k.
func (o TCPOptions) Get(k TCPOptionKind) (TCPOption, bool) {
	data, ok := findKind(o, uint8(k), 0)
	return TCPOption{k, data}, ok
}

// Append appends an option. data is ignored for EOL and NOP, which have none.
func (o TCPOptions) Append(k TCPOptionKind, data []byte) TCPOptions {
	if k <= TCPOptionNop {
		return append(o, uint8(k))
	}
	return append(append(o, uint8(k), uint8(2+len(data))), data...)
}

// AppendNop appends n NOPs, to align what follows.
func (o TCPOptions) AppendNop(n int) TCPOptions {
	for range n {
		o = append(o, uint8(TCPOptionNop))
	}
	return o
}

// Pad appends EOL up to a multiple of 4 bytes.
func (o TCPOptions) Pad() TCPOptions { return appendZeros(o, -len(o)&3) }

// MSS returns the maximum segment size in bytes, RFC 9293, section 3.7.1.
func (o TCPOptions) MSS() (uint16, bool) {
	d, ok := findKind(o, uint8(TCPOptionMSS), 2)
	if !ok {
		return 0, false
	}
	return binary.BigEndian.Uint16(d), true
}

// AppendMSS appends a Maximum Segment Size option.
func (o TCPOptions) AppendMSS(mss uint16) TCPOptions {
	return binary.BigEndian.AppendUint16(append(o, uint8(TCPOptionMSS), 4), mss)
}

// WindowScale returns by how many bits the sender's windows are shifted, RFC
// 7323, section 2; more than 14 counts as 14.
func (o TCPOptions) WindowScale() (uint8, bool) {
	d, ok := findKind(o, uint8(TCPOptionWindowScale), 1)
	if !ok {
		return 0, false
	}
	return d[0], true
}

// AppendWindowScale appends a Window Scale option.
func (o TCPOptions) AppendWindowScale(shift uint8) TCPOptions {
	return append(o, uint8(TCPOptionWindowScale), 3, shift)
}

// SACKPermitted reports whether the sender takes selective acknowledgments, RFC
// 2018, section 2.
func (o TCPOptions) SACKPermitted() bool {
	_, ok := findKind(o, uint8(TCPOptionSACKPermitted), 0)
	return ok
}

// AppendSACKPermitted appends a SACK-Permitted option.
func (o TCPOptions) AppendSACKPermitted() TCPOptions {
	return append(o, uint8(TCPOptionSACKPermitted), 2)
}

// SACKBlock is a range of sequence numbers that arrived, RFC 2018, section 3.
type SACKBlock struct {
	Left  uint32 // the first one
	Right uint32 // the one behind the last
}

// SACK yields the blocks of a selective acknowledgment, none if there is none.
func (o TCPOptions) SACK() iter.Seq2[int, SACKBlock] {
	return func(yield func(int, SACKBlock) bool) { o.sack(yield) }
}

// sack is apart so that SACK is inlined, and its function need not be
// allocated.
func (o TCPOptions) sack(yield func(int, SACKBlock) bool) {
	const n = 8
	d, _ := findKind(o, uint8(TCPOptionSACK), 0)
	for i := 0; (i+1)*n <= len(d); i++ {
		b := d[i*n:]
		if !yield(i, SACKBlock{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}) {
			return
		}
	}
}

// AppendSACK appends a selective acknowledgment; there is room for 4 blocks, or
// 3 beside timestamps.
func (o TCPOptions) AppendSACK(blocks ...SACKBlock) TCPOptions {
	o = append(o, uint8(TCPOptionSACK), uint8(2+8*len(blocks)))
	for _, b := range blocks {
		o = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(o, b.Left), b.Right)
	}
	return o
}

// Timestamps returns the sender's clock and the receiver's that it echoes, RFC
// 7323, section 3.2; their unit is the sender's choice.
func (o TCPOptions) Timestamps() (value, echo uint32, ok bool) {
	d, ok := findKind(o, uint8(TCPOptionTimestamps), 8)
	if !ok {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:]), true
}

// AppendTimestamps appends a Timestamps option.
func (o TCPOptions) AppendTimestamps(value, echo uint32) TCPOptions {
	o = binary.BigEndian.AppendUint32(append(o, uint8(TCPOptionTimestamps), 10), value)
	return binary.BigEndian.AppendUint32(o, echo)
}

// MD5 returns the signature of the segment, RFC 2385, section 3. It is not
// verified.
func (o TCPOptions) MD5() (digest [16]byte, ok bool) {
	d, ok := findKind(o, uint8(TCPOptionMD5), len(digest))
	if !ok {
		return digest, false
	}
	return [16]byte(d), true
}

// AppendMD5 appends an MD5 Signature option.
func (o TCPOptions) AppendMD5(digest [16]byte) TCPOptions {
	return append(append(o, uint8(TCPOptionMD5), 18), digest[:]...)
}

// UserTimeout returns after how many minutes, or else seconds, without an
// acknowledgment the sender closes the connection, RFC 5482, section 3: 15 bits.
func (o TCPOptions) UserTimeout() (timeout uint16, minutes, ok bool) {
	d, ok := findKind(o, uint8(TCPOptionUserTimeout), 2)
	if !ok {
		return 0, false, false
	}
	w := binary.BigEndian.Uint16(d)
	return w & 0x7fff, w&0x8000 != 0, true
}

// AppendUserTimeout appends a User Timeout option with the low 15 bits of
// timeout.
func (o TCPOptions) AppendUserTimeout(timeout uint16, minutes bool) TCPOptions {
	o = append(o, uint8(TCPOptionUserTimeout), 4)
	return binary.BigEndian.AppendUint16(o, timeout&0x7fff|uint16(bit(minutes))<<15)
}

// TCPAO is an authentication option, RFC 5925, section 2.2.
type TCPAO struct {
	KeyID      uint8  // of the key that made the MAC
	RNextKeyID uint8  // of the key that the sender can receive next
	MAC        []byte // not verified; aliases the options
}

// AO returns the authentication option.
func (o TCPOptions) AO() (TCPAO, bool) {
	d, ok := findKind(o, uint8(TCPOptionAO), 2)
	if !ok {
		return TCPAO{}, false
	}
	return TCPAO{d[0], d[1], d[2:]}, true
}

// AppendAO appends an authentication option.
func (o TCPOptions) AppendAO(a TCPAO) TCPOptions {
	return append(append(o, uint8(TCPOptionAO), uint8(4+len(a.MAC)), a.KeyID, a.RNextKeyID), a.MAC...)
}

// FastOpen returns the cookie of a Fast Open option, RFC 7413, section 4.1.1,
// which is empty when one is asked for. It aliases o.
func (o TCPOptions) FastOpen() (cookie []byte, ok bool) {
	return findKind(o, uint8(TCPOptionFastOpen), 0)
}

// AppendFastOpen appends a Fast Open option.
func (o TCPOptions) AppendFastOpen(cookie []byte) TCPOptions {
	return o.Append(TCPOptionFastOpen, cookie)
}

// ENO returns the suboptions of encryption negotiation, RFC 8547, section 4.1.
// They alias o.
func (o TCPOptions) ENO() (suboptions []byte, ok bool) {
	return findKind(o, uint8(TCPOptionENO), 0)
}

// AppendENO appends an Encryption Negotiation option.
func (o TCPOptions) AppendENO(suboptions []byte) TCPOptions {
	return o.Append(TCPOptionENO, suboptions)
}

// TCPQuickStart is the answer to a Quick-Start request, RFC 4782, section 4.2.
type TCPQuickStart struct {
	Rate     uint8  // 4 bits, as in [QuickStart]
	TTLDiff  uint8  // difference between the TTLs of the packet and of the request
	Nonce    uint32 // 30 bits
	Reserved uint8  // the 4 bits in front of Rate, and above them the last 2
}

// QuickStart returns the Quick-Start response.
func (o TCPOptions) QuickStart() (TCPQuickStart, bool) {
	d, ok := findKind(o, uint8(TCPOptionQuickStart), quickStartLen)
	if !ok {
		return TCPQuickStart{}, false
	}
	n := binary.BigEndian.Uint32(d[2:])
	return TCPQuickStart{d[0] & 0xf, d[1], n >> 2, d[0]>>4 | uint8(n&3)<<4}, true
}

// AppendQuickStart appends a Quick-Start response; bits that do not fit their
// field are left out.
func (o TCPOptions) AppendQuickStart(q TCPQuickStart) TCPOptions {
	o = append(o, uint8(TCPOptionQuickStart), 2+quickStartLen, q.Reserved<<4|q.Rate&0xf, q.TTLDiff)
	return binary.BigEndian.AppendUint32(o, q.Nonce<<2|uint32(q.Reserved>>4)&3)
}

// AccECN are the counters of accurate ECN feedback, RFC 9768, section 3.2.3:
// the low 24 bits of how many bytes of payload arrived with each code point.
// An option may leave counters out.
type AccECN struct {
	Counters      int // how many are there, 0 to 3, in the order of the option's kind
	ECT0, CE, ECT uint32
}

// AccECN returns the counters; the field ECT is that of ECT(1).
func (o TCPOptions) AccECN() (AccECN, bool) {
	first := true
	d, ok := findKind(o, uint8(TCPOptionAccECN0), 0)
	if !ok {
		first = false
		if d, ok = findKind(o, uint8(TCPOptionAccECN1), 0); !ok {
			return AccECN{}, false
		}
	}
	var c [3]uint32
	n := min(len(d)/3, len(c))
	for i := range n {
		c[i] = uint32(d[3*i])<<16 | uint32(d[3*i+1])<<8 | uint32(d[3*i+2])
	}
	if first {
		return AccECN{n, c[0], c[1], c[2]}, true
	}
	return AccECN{n, c[2], c[1], c[0]}, true
}

// AppendAccECN appends a.Counters counters in the order of kind, which is
// [TCPOptionAccECN0] or [TCPOptionAccECN1].
func (o TCPOptions) AppendAccECN(kind TCPOptionKind, a AccECN) TCPOptions {
	c := [3]uint32{a.ECT0, a.CE, a.ECT}
	if kind == TCPOptionAccECN1 {
		c[0], c[2] = c[2], c[0]
	}
	n := max(0, min(a.Counters, len(c)))
	o = append(o, uint8(kind), uint8(2+3*n))
	for _, x := range c[:n] {
		o = append(o, uint8(x>>16), uint8(x>>8), uint8(x))
	}
	return o
}

// Experiment returns the identifier of 16 bits and the data of the first
// experimental option, RFC 6994, section 3. An identifier of 32 bits goes on in
// the data, which aliases o.
func (o TCPOptions) Experiment() (exID uint16, data []byte, ok bool) {
	d, ok := findKind(o, uint8(TCPOptionExperiment1), 2)
	if !ok {
		if d, ok = findKind(o, uint8(TCPOptionExperiment2), 2); !ok {
			return 0, nil, false
		}
	}
	return binary.BigEndian.Uint16(d), d[2:], true
}

// AppendExperiment appends an experimental option of kind 254.
func (o TCPOptions) AppendExperiment(exID uint16, data []byte) TCPOptions {
	o = append(o, uint8(TCPOptionExperiment2), uint8(4+len(data)))
	return append(binary.BigEndian.AppendUint16(o, exID), data...)
}
