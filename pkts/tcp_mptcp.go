package pkts

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// MPTCPSubtype says what a Multipath TCP option is, RFC 8684, section 8.2.
type MPTCPSubtype uint8

const (
	MPTCPCapable    MPTCPSubtype = 0   // MP_CAPABLE, section 3.1
	MPTCPJoin       MPTCPSubtype = 1   // MP_JOIN, section 3.2
	MPTCPDSS        MPTCPSubtype = 2   // data sequence signal, section 3.3
	MPTCPAddAddr    MPTCPSubtype = 3   // ADD_ADDR, section 3.4.1
	MPTCPRemoveAddr MPTCPSubtype = 4   // REMOVE_ADDR, section 3.4.2
	MPTCPPrio       MPTCPSubtype = 5   // MP_PRIO, section 3.3.8
	MPTCPFail       MPTCPSubtype = 6   // MP_FAIL, section 3.7
	MPTCPFastClose  MPTCPSubtype = 7   // MP_FASTCLOSE, section 3.5
	MPTCPReset      MPTCPSubtype = 8   // MP_TCPRST, section 3.6
	MPTCPExperiment MPTCPSubtype = 0xf // MP_EXPERIMENTAL
)

// String returns the subtype's name in RFC 8684, or the number.
func (s MPTCPSubtype) String() string {
	switch s {
	case MPTCPCapable:
		return "MP_CAPABLE"
	case MPTCPJoin:
		return "MP_JOIN"
	case MPTCPDSS:
		return "DSS"
	case MPTCPAddAddr:
		return "ADD_ADDR"
	case MPTCPRemoveAddr:
		return "REMOVE_ADDR"
	case MPTCPPrio:
		return "MP_PRIO"
	case MPTCPFail:
		return "MP_FAIL"
	case MPTCPFastClose:
		return "MP_FASTCLOSE"
	case MPTCPReset:
		return "MP_TCPRST"
	case MPTCPExperiment:
		return "MP_EXPERIMENTAL"
	default:
		return numbered("MPTCPSubtype", int(s))
	}
}

// MPTCPFlags are the flags of a Multipath TCP option; which bits they are
// depends on the subtype.
type MPTCPFlags uint8

const (
	MPTCPChecksumRequired MPTCPFlags = 0x80 // A of MP_CAPABLE
	MPTCPExtensibility    MPTCPFlags = 0x40 // B of MP_CAPABLE: must be 0
	MPTCPNoJoin           MPTCPFlags = 0x20 // C of MP_CAPABLE: no subflows to this address
	MPTCPHMACSHA256       MPTCPFlags = 0x01 // H of MP_CAPABLE

	MPTCPBackup MPTCPFlags = 0x01 // B of MP_JOIN and MP_PRIO: use the path only when others fail

	MPTCPDataFin MPTCPFlags = 0x10 // F of DSS: the data ends
	MPTCPDSN8    MPTCPFlags = 0x08 // m of DSS: the data sequence number has 8 bytes
	MPTCPMapping MPTCPFlags = 0x04 // M of DSS: there is a mapping
	MPTCPAck8    MPTCPFlags = 0x02 // a of DSS: the acknowledgment has 8 bytes
	MPTCPDataAck MPTCPFlags = 0x01 // A of DSS: there is an acknowledgment

	MPTCPEcho MPTCPFlags = 0x01 // E of ADD_ADDR: the address is acknowledged

	MPTCPTransient MPTCPFlags = 0x01 // T of MP_TCPRST: it may be worth while to try again
)

// Has reports whether all bits of x are set.
func (f MPTCPFlags) Has(x MPTCPFlags) bool { return f&x == x }

// MPTCPOption is a Multipath TCP option, RFC 8684. The comment at each field
// names the subtypes that have it; which of them an option carries follows from
// its length.
type MPTCPOption struct {
	Subtype MPTCPSubtype
	Version uint8      // MP_CAPABLE, 4 bits
	Flags   MPTCPFlags // 8 bits of MP_CAPABLE and DSS, 4 bits of the others

	AddrID uint8 // MP_JOIN in a SYN, ADD_ADDR

	SenderKey   uint64 // MP_CAPABLE from the second segment on
	ReceiverKey uint64 // MP_CAPABLE from the third on; MP_FASTCLOSE

	Token uint32 // MP_JOIN in a SYN: of the receiver
	Nonce uint32 // MP_JOIN in a SYN: the sender's random number

	// HMAC is the leftmost 8 bytes in an MP_JOIN with SYN and ACK and in an
	// ADD_ADDR, all 20 in an MP_JOIN with an ACK. It aliases the options.
	HMAC []byte

	DataAck      uint64 // DSS, of 4 or 8 bytes
	DSN          uint64 // DSS, of 4 or 8 bytes, and MP_FAIL: data sequence number
	SubflowSeq   uint32 // DSS: relative to the subflow's first
	DataLen      uint16 // DSS, and MP_CAPABLE with data: bytes that the mapping covers
	Checksum     uint16 // the same, when HasChecksum
	HasChecksum  bool
	Addr         netip.Addr // ADD_ADDR
	Port         uint16     // ADD_ADDR, when HasPort
	HasPort      bool
	AddrIDs      []byte // REMOVE_ADDR; aliases the options
	Reason       uint8  // MP_TCPRST
	Experimental []byte // MP_EXPERIMENTAL: what follows the subtype's byte; aliases the options
}

// MPTCP yields the Multipath TCP options, of which a segment may have several,
// with their offsets in bytes. Those whose length fits no form of their subtype
// are left out: [ParseMPTCP] tells of them.
func (o TCPOptions) MPTCP() iter.Seq2[int, MPTCPOption] {
	return func(yield func(int, MPTCPOption) bool) { o.mptcp(yield) }
}

func (o TCPOptions) mptcp(yield func(int, MPTCPOption) bool) {
	for i, opt := range o.All() {
		if opt.Kind != TCPOptionMPTCP {
			continue
		}
		if m, ok := ParseMPTCP(opt.Data); ok && !yield(i, m) {
			return
		}
	}
}

// ParseMPTCP reads the data of an option of kind 30, without kind and length. It
// returns false when the length fits no form of the subtype; of the fields the
// subtype alone is set then. The result aliases data.
func ParseMPTCP(data []byte) (m MPTCPOption, ok bool) {
	if len(data) < 1 {
		return m, false
	}
	m = MPTCPOption{Subtype: MPTCPSubtype(data[0] >> 4), Flags: MPTCPFlags(data[0] & 0xf)}
	be := binary.BigEndian
	d := data[1:]
	switch n := len(data); m.Subtype {
	case MPTCPCapable:
		ok = n == 2 || n == 10 || n == 18 || n == 20 || n == 22
		if !ok {
			break
		}
		m.Version, m.Flags = data[0]&0xf, MPTCPFlags(d[0])
		if n >= 10 {
			m.SenderKey = be.Uint64(d[1:])
		}
		if n >= 18 {
			m.ReceiverKey = be.Uint64(d[9:])
		}
		if n >= 20 {
			m.DataLen = be.Uint16(d[17:])
		}
		if n == 22 {
			m.HasChecksum, m.Checksum = true, be.Uint16(d[19:])
		}
	case MPTCPJoin:
		switch n {
		case 10: // SYN
			m.AddrID, m.Token, m.Nonce = d[0], be.Uint32(d[1:]), be.Uint32(d[5:])
			ok = true
		case 14: // SYN+ACK
			m.AddrID, m.HMAC, m.Nonce = d[0], d[1:9:9], be.Uint32(d[9:])
			ok = true
		case 22: // ACK
			m.HMAC = d[1:]
			ok = true
		}
	case MPTCPDSS:
		if n >= 2 {
			m.Flags = MPTCPFlags(d[0])
			ok = m.parseDSS(d[1:])
		}
	case MPTCPAddAddr:
		ok = m.parseAddAddr(d)
	case MPTCPRemoveAddr:
		m.AddrIDs = d
		ok = len(d) > 0
	case MPTCPPrio:
		ok = n == 1 || n == 2 // the second byte is the address of RFC 6824
		if n == 2 {
			m.AddrID = d[0]
		}
	case MPTCPFail:
		if ok = n == 10; ok {
			m.DSN = be.Uint64(d[1:])
		}
	case MPTCPFastClose:
		if ok = n == 10; ok {
			m.ReceiverKey = be.Uint64(d[1:])
		}
	case MPTCPReset:
		if ok = n == 2; ok {
			m.Reason = d[0]
		}
	default:
		m.Experimental, ok = d, true
	}
	if !ok {
		return MPTCPOption{Subtype: m.Subtype}, false
	}
	return m, true
}

// parseDSS reads what follows the flags of a data sequence signal.
func (m *MPTCPOption) parseDSS(d []byte) bool {
	number := func(long bool) (x uint64, ok bool) {
		n := 4
		if long {
			n = 8
		}
		if len(d) < n {
			return 0, false
		}
		for _, b := range d[:n] {
			x = x<<8 | uint64(b)
		}
		d = d[n:]
		return x, true
	}
	var ok bool
	if m.Flags.Has(MPTCPDataAck) {
		if m.DataAck, ok = number(m.Flags.Has(MPTCPAck8)); !ok {
			return false
		}
	}
	if !m.Flags.Has(MPTCPMapping) {
		return len(d) == 0
	}
	if m.DSN, ok = number(m.Flags.Has(MPTCPDSN8)); !ok || len(d) != 6 && len(d) != 8 {
		return false
	}
	m.SubflowSeq = binary.BigEndian.Uint32(d)
	m.DataLen = binary.BigEndian.Uint16(d[4:])
	if m.HasChecksum = len(d) == 8; m.HasChecksum {
		m.Checksum = binary.BigEndian.Uint16(d[6:])
	}
	return true
}

// parseAddAddr reads what follows the first byte of an ADD_ADDR.
func (m *MPTCPOption) parseAddAddr(d []byte) bool {
	const hmac = 8
	n := len(d)
	if m.Flags&0xf == 4 || m.Flags&0xf == 6 { // RFC 6824 has the IP version here
		n += hmac
	} else if m.Flags.Has(MPTCPEcho) {
		n += hmac
	}
	addr := 4
	switch n {
	case 1 + 4 + hmac, 1 + 4 + 2 + hmac:
	case 1 + 16 + hmac, 1 + 16 + 2 + hmac:
		addr = 16
	default:
		return false
	}
	m.AddrID = d[0]
	m.Addr, _ = netip.AddrFromSlice(d[1 : 1+addr])
	d = d[1+addr:]
	if m.HasPort = len(d) == 2 || len(d) == 2+hmac; m.HasPort {
		m.Port = binary.BigEndian.Uint16(d)
		d = d[2:]
	}
	if len(d) > 0 {
		m.HMAC = d
	}
	return true
}

// AppendMPTCP appends a Multipath TCP option. The form follows from what is set:
// an MP_CAPABLE has as many of its keys, data length and checksum as are not
// zero, an MP_JOIN the form that its HMAC's length of 0, 8 or 20 bytes belongs
// to, a DSS what its flags say.
func (o TCPOptions) AppendMPTCP(m MPTCPOption) TCPOptions {
	at := len(o)
	be := binary.BigEndian
	o = append(o, uint8(TCPOptionMPTCP), 0, uint8(m.Subtype)<<4|uint8(m.Flags)&0xf)
	switch m.Subtype {
	case MPTCPCapable:
		o[at+2] = uint8(m.Subtype)<<4 | m.Version&0xf
		o = append(o, uint8(m.Flags))
		data := m.DataLen != 0 || m.HasChecksum
		receiver := m.ReceiverKey != 0 || data
		if m.SenderKey != 0 || receiver {
			o = be.AppendUint64(o, m.SenderKey)
		}
		if receiver {
			o = be.AppendUint64(o, m.ReceiverKey)
		}
		if data {
			o = be.AppendUint16(o, m.DataLen)
		}
		if m.HasChecksum {
			o = be.AppendUint16(o, m.Checksum)
		}
	case MPTCPJoin:
		o = append(o, m.AddrID)
		switch {
		case len(m.HMAC) == 0:
			o = be.AppendUint32(be.AppendUint32(o, m.Token), m.Nonce)
		case len(m.HMAC) <= 8:
			o = be.AppendUint32(append(o, m.HMAC...), m.Nonce)
		default:
			o = append(o, m.HMAC...)
		}
	case MPTCPDSS:
		o[at+2] = uint8(m.Subtype) << 4
		o = append(o, uint8(m.Flags))
		if m.Flags.Has(MPTCPDataAck) {
			o = o.appendNumber(m.DataAck, m.Flags.Has(MPTCPAck8))
		}
		if m.Flags.Has(MPTCPMapping) {
			o = o.appendNumber(m.DSN, m.Flags.Has(MPTCPDSN8))
			o = be.AppendUint16(be.AppendUint32(o, m.SubflowSeq), m.DataLen)
			if m.HasChecksum {
				o = be.AppendUint16(o, m.Checksum)
			}
		}
	case MPTCPAddAddr:
		o = append(append(o, m.AddrID), m.Addr.AsSlice()...)
		if m.HasPort {
			o = be.AppendUint16(o, m.Port)
		}
		o = append(o, m.HMAC...)
	case MPTCPRemoveAddr:
		o = append(o, m.AddrIDs...)
	case MPTCPPrio:
		if m.AddrID != 0 {
			o = append(o, m.AddrID)
		}
	case MPTCPFail:
		o = be.AppendUint64(append(o, 0), m.DSN)
	case MPTCPFastClose:
		o = be.AppendUint64(append(o, 0), m.ReceiverKey)
	case MPTCPReset:
		o = append(o, m.Reason)
	default:
		o = append(o, m.Experimental...)
	}
	o[at+1] = uint8(len(o) - at)
	return o
}

// appendNumber appends x in 4 or 8 bytes.
func (o TCPOptions) appendNumber(x uint64, long bool) TCPOptions {
	if long {
		return binary.BigEndian.AppendUint64(o, x)
	}
	return binary.BigEndian.AppendUint32(o, uint32(x))
}
