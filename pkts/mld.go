package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"
)

const (
	mldOffDelay    = 0
	mldOffReserved = 2
	mldOffGroup    = 4

	mldv2QueryOffFlags      = 20 // flags, S and QRV
	mldv2QueryOffQQIC       = 21
	mldv2QueryOffNumSources = 22

	mldv2ReportOffReserved   = 0
	mldv2ReportOffNumRecords = 2
)

const (
	// MLDLen is the length of [MLD], in bytes.
	MLDLen = 20
	// MLDv2QueryMinLen is the length of [MLDv2Query] without sources, in
	// bytes.
	MLDv2QueryMinLen = 24
	// MLDv2ReportMinLen is the length of [MLDv2Report] without records, in
	// bytes.
	MLDv2ReportMinLen = 4

	mldRecordMinLen = 20
	mldSourceLen    = 16
)

// MLD is a Multicast Listener Discovery version 1 query, report or done
// message, RFC 2710, section 3, without the header that all ICMPv6 messages
// have.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Maximum Response Delay    |          Reserved             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Multicast Address                        |
//	+                          (16 bytes)                           +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// It is a query unless the type of [ICMPv6] is pinned. A query of 24 bytes or
// more is an [MLDv2Query].
type MLD struct {
	MaxRespDelay uint16 // milliseconds; only in a query
	Reserved     uint16
	Group        netip.Addr // :: asks for all groups
}

var _ Layer = (*MLD)(nil)

var mldProtocol = Protocol{
	Name:  "MLD",
	New:   New[MLD],
	Clone: Clone[MLD],
	Index: func(b []byte, _ *Registry) (Span, error) { return indexFixed("MLD", MLDLen, b) },
	At: []Selector{
		{&icmpv6TypesTable, uint32(ICMPv6MLDQuery)},
		{&icmpv6TypesTable, uint32(ICMPv6MLDReport)},
		{&icmpv6TypesTable, uint32(ICMPv6MLDDone)},
	},
	Fields: []Field{
		{"MaxRespDelay", mldOffDelay * 8, 16},
		{"Reserved", mldOffReserved * 8, 16},
		{"Group", mldOffGroup * 8, 128},
	},
	kind: kindMLD,
}

// Proto returns the descriptor of MLD version 1.
func (*MLD) Proto() *Protocol { return &mldProtocol }

// Decode fills l from the start of b, 20 bytes.
func (l *MLD) Decode(b []byte) (int, error) {
	if len(b) < MLDLen {
		return 0, Truncated("MLD", MLDLen, len(b))
	}
	v := MLDView(b)
	l.MaxRespDelay = v.MaxRespDelay()
	l.Reserved = v.Reserved()
	l.Group = v.Group()
	return MLDLen, nil
}

// AppendBinary appends the message to b.
func (l *MLD) AppendBinary(b []byte) ([]byte, error) {
	group, ok := addr6(l.Group)
	if !ok {
		return b, wrongAddr("MLD", "Group", l.Group)
	}
	b = binary.BigEndian.AppendUint16(b, l.MaxRespDelay)
	b = binary.BigEndian.AppendUint16(b, l.Reserved)
	return append(b, group[:]...), nil
}

// MLDView is an MLD version 1 message in place, without the header that all
// ICMPv6 messages have. Its methods panic when it is shorter than 20 bytes:
// those that [View] returns are not. The setters do not touch the checksum,
// which lies in the header before it: see [AdjustChecksum].
type MLDView []byte

// Proto returns the descriptor of MLD version 1.
func (MLDView) Proto() *Protocol { return &mldProtocol }

func (v MLDView) MaxRespDelay() uint16 { return binary.BigEndian.Uint16(v[mldOffDelay:]) } // milliseconds
func (v MLDView) Reserved() uint16     { return binary.BigEndian.Uint16(v[mldOffReserved:]) }
func (v MLDView) Group() netip.Addr    { return netip.AddrFrom16([16]byte(v[mldOffGroup:])) }

func (v MLDView) SetMaxRespDelay(ms uint16) { binary.BigEndian.PutUint16(v[mldOffDelay:], ms) }
func (v MLDView) SetReserved(x uint16)      { binary.BigEndian.PutUint16(v[mldOffReserved:], x) }

// SetGroup sets the group, which must be IPv6.
func (v MLDView) SetGroup(a netip.Addr) { a16 := a.As16(); copy(v[mldOffGroup:], a16[:]) }

// MLDSources are IPv6 addresses as they are encoded, 16 bytes each.
type MLDSources []byte

// All yields the addresses. Bytes at the end that are no whole address are left
// out.
func (s MLDSources) All() iter.Seq2[int, netip.Addr] {
	return func(yield func(int, netip.Addr) bool) {
		for i := range s.Len() {
			if !yield(i, netip.AddrFrom16([16]byte(s[i*mldSourceLen:]))) {
				return
			}
		}
	}
}

// Len returns how many addresses there are.
func (s MLDSources) Len() int { return len(s) / mldSourceLen }

// Append returns s with more addresses, which must be IPv6.
func (s MLDSources) Append(sources ...netip.Addr) (MLDSources, error) {
	n := s
	for _, a := range sources {
		a16, ok := addr6(a)
		if !ok {
			return s, wrongAddr("MLD", "Sources", a)
		}
		n = append(n, a16[:]...)
	}
	return n, nil
}

// MLDv2Query is a Multicast Listener Discovery version 2 query, RFC 3810,
// section 5.1, without the header that all ICMPv6 messages have.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Maximum Response Code      |           Reserved            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Multicast Address                       |
//	+                          (16 bytes)                           +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Flags |S| QRV |     QQIC      |     Number of Sources (N)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Source Addresses [N]                      |
type MLDv2Query struct {
	MaxRespCode uint16 // coded milliseconds: [MLDv2Query.MaxRespDelay]
	Reserved    uint16
	Group       netip.Addr // :: asks for all groups
	Flags       uint8      // 4 bits, reserved
	Suppress    bool       // S: routers are not to update their timers
	QRV         uint8      // the querier's robustness, 3 bits; 0 for more than 7
	QQIC        uint8      // coded seconds: [MLDv2Query.Interval]
	NumSources  Auto[uint16]
	Sources     MLDSources // aliases the packet after decoding
}

var _ Completer = (*MLDv2Query)(nil)

var mldv2QueryProtocol = Protocol{
	Name:  "MLDv2Query",
	New:   New[MLDv2Query],
	Clone: cloneMLDv2Query,
	Index: indexMLDv2Query,
	At:    []Selector{{&icmpv6TypesTable, uint32(ICMPv6MLDQuery)}},
	Fields: []Field{
		{"MaxRespCode", mldOffDelay * 8, 16},
		{"Reserved", mldOffReserved * 8, 16},
		{"Group", mldOffGroup * 8, 128},
		{"Flags", mldv2QueryOffFlags * 8, 4},
		{"Suppress", mldv2QueryOffFlags*8 + 4, 1},
		{"QRV", mldv2QueryOffFlags*8 + 5, 3},
		{"QQIC", mldv2QueryOffQQIC * 8, 8},
		{"NumSources", mldv2QueryOffNumSources * 8, 16},
		{"Sources", MLDv2QueryMinLen * 8, 0},
	},
	kind: kindMLDv2Query,
}

// Proto returns the descriptor of MLD version 2 queries.
func (*MLDv2Query) Proto() *Protocol { return &mldv2QueryProtocol }

func cloneMLDv2Query(l Layer) Layer {
	c := *l.(*MLDv2Query)
	c.Sources = slices.Clone(c.Sources)
	return &c
}

func indexMLDv2Query(b []byte, _ *Registry) (Span, error) {
	n, cut, err := MLDv2QueryView(b).extent()
	if cut {
		return Span{Header: n, Flags: SpanTruncated}, nil
	}
	return Span{Header: n}, err
}

// extent returns the length of the message, and whether sources are missing.
func (v MLDv2QueryView) extent() (n int, cut bool, err error) {
	if len(v) < MLDv2QueryMinLen {
		return 0, false, Truncated("MLDv2Query", MLDv2QueryMinLen, len(v))
	}
	n = MLDv2QueryMinLen + int(v.NumSources())*mldSourceLen
	if n > len(v) {
		return len(v), true, nil
	}
	return headerOrAll(n, len(v)), false, nil
}

// headerOrAll returns n, the length of a header among size bytes, or all of
// them when it is longer than a header can be told from its payload.
func headerOrAll(n, size int) int {
	if n >= allHeader {
		return size
	}
	return n
}

// Decode fills l from the start of b, 24 bytes and 16 for each source. Sources
// that are not there are left out.
func (l *MLDv2Query) Decode(b []byte) (int, error) {
	v := MLDv2QueryView(b)
	n, _, err := v.extent()
	if err != nil {
		return 0, err
	}
	l.MaxRespCode = v.MaxRespCode()
	l.Reserved = v.Reserved()
	l.Group = v.Group()
	l.Flags = v.Flags()
	l.Suppress = v.Suppress()
	l.QRV = v.QRV()
	l.QQIC = v.QQIC()
	l.NumSources = Seen(v.NumSources())
	l.Sources = MLDSources(b[MLDv2QueryMinLen:n:n])
	return n, nil
}

// AppendBinary appends the message to b.
func (l *MLDv2Query) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case l.Flags > 0xf:
		return b, TooLong("MLDv2Query", "Flags", int(l.Flags), 0xf)
	case l.QRV > 7:
		return b, TooLong("MLDv2Query", "QRV", int(l.QRV), 7)
	}
	group, ok := addr6(l.Group)
	if !ok {
		return b, wrongAddr("MLDv2Query", "Group", l.Group)
	}
	flags := l.Flags<<4 | l.QRV
	if l.Suppress {
		flags |= 1 << 3
	}
	b = binary.BigEndian.AppendUint16(b, l.MaxRespCode)
	b = binary.BigEndian.AppendUint16(b, l.Reserved)
	b = append(b, group[:]...)
	b = append(b, flags, l.QQIC)
	b = binary.BigEndian.AppendUint16(b, l.NumSources.value)
	return append(b, l.Sources...), nil
}

// Complete computes NumSources.
func (l *MLDv2Query) Complete(c *Completion) error {
	if !c.Wants("NumSources", mldv2QueryOffNumSources, l.NumSources.mode) {
		return nil
	}
	return c.PutLength((len(c.Header()) - MLDv2QueryMinLen) / mldSourceLen)
}

// MaxRespDelay returns the time in which to answer: 0 to 2:19:47 hours,
// RFC 3810, section 5.1.3.
func (l *MLDv2Query) MaxRespDelay() time.Duration {
	return time.Duration(floatValue(uint32(l.MaxRespCode), 12)) * time.Millisecond
}

// SetMaxRespDelay sets the largest delay that has a code and is not above d.
func (l *MLDv2Query) SetMaxRespDelay(d time.Duration) {
	l.MaxRespCode = uint16(floatCode(d.Milliseconds(), 12))
}

// Interval returns the querier's interval between general queries: 0 to 31,744
// seconds, RFC 3810, section 5.1.9.
func (l *MLDv2Query) Interval() time.Duration {
	return time.Duration(floatValue(uint32(l.QQIC), 4)) * time.Second
}

// SetInterval sets the largest interval that has a code and is not above d.
func (l *MLDv2Query) SetInterval(d time.Duration) {
	l.QQIC = uint8(floatCode(int64(d/time.Second), 4))
}

// floatValue returns what a floating-point code of a bit, 3 bits of exponent
// and mant bits of mantissa stands for. Without the first bit it is the value
// itself.
func floatValue(code uint32, mant int) uint32 {
	if code>>(mant+3) == 0 {
		return code
	}
	exp := code >> mant & 7
	return (code&(1<<mant-1) | 1<<mant) << (exp + 3)
}

// floatCode returns the code of the largest value that is not above x.
func floatCode(x int64, mant int) uint32 {
	if x < 1<<(mant+3) {
		return uint32(max(x, 0))
	}
	for exp := range 8 {
		if m := x >> (exp + 3); m < 2<<mant {
			return 1<<(mant+3) | uint32(exp)<<mant | uint32(m)&(1<<mant-1)
		}
	}
	return 2<<(mant+3) - 1
}

// MLDv2QueryView is an MLD version 2 query in place, without the header that
// all ICMPv6 messages have. Its methods panic when it is shorter than 24 bytes:
// those that [View] returns are not. The setters do not touch the checksum,
// which lies in the header before it: see [AdjustChecksum].
type MLDv2QueryView []byte

// Proto returns the descriptor of MLD version 2 queries.
func (MLDv2QueryView) Proto() *Protocol { return &mldv2QueryProtocol }

func (v MLDv2QueryView) MaxRespCode() uint16 { return binary.BigEndian.Uint16(v[mldOffDelay:]) }
func (v MLDv2QueryView) Reserved() uint16    { return binary.BigEndian.Uint16(v[mldOffReserved:]) }
func (v MLDv2QueryView) Group() netip.Addr   { return netip.AddrFrom16([16]byte(v[mldOffGroup:])) }
func (v MLDv2QueryView) Flags() uint8        { return v[mldv2QueryOffFlags] >> 4 }
func (v MLDv2QueryView) Suppress() bool      { return v[mldv2QueryOffFlags]&(1<<3) != 0 }
func (v MLDv2QueryView) QRV() uint8          { return v[mldv2QueryOffFlags] & 7 }
func (v MLDv2QueryView) QQIC() uint8         { return v[mldv2QueryOffQQIC] }
func (v MLDv2QueryView) NumSources() uint16 {
	return binary.BigEndian.Uint16(v[mldv2QueryOffNumSources:])
}

// Sources returns the sources that are there.
func (v MLDv2QueryView) Sources() MLDSources {
	return MLDSources(v[MLDv2QueryMinLen:min(len(v), MLDv2QueryMinLen+int(v.NumSources())*mldSourceLen)])
}

func (v MLDv2QueryView) SetMaxRespCode(code uint16) {
	binary.BigEndian.PutUint16(v[mldOffDelay:], code)
}

// SetGroup sets the group, which must be IPv6.
func (v MLDv2QueryView) SetGroup(a netip.Addr) { a16 := a.As16(); copy(v[mldOffGroup:], a16[:]) }
func (v MLDv2QueryView) SetSuppress(s bool) {
	v[mldv2QueryOffFlags] &^= 1 << 3
	if s {
		v[mldv2QueryOffFlags] |= 1 << 3
	}
}

// SetFlags sets the low 4 bits of f, and SetQRV the low 3 bits of n.
func (v MLDv2QueryView) SetFlags(f uint8) {
	v[mldv2QueryOffFlags] = f<<4 | v[mldv2QueryOffFlags]&0xf
}
func (v MLDv2QueryView) SetQRV(n uint8) {
	v[mldv2QueryOffFlags] = v[mldv2QueryOffFlags]&^7 | n&7
}
func (v MLDv2QueryView) SetQQIC(code uint8) { v[mldv2QueryOffQQIC] = code }
func (v MLDv2QueryView) SetNumSources(n uint16) {
	binary.BigEndian.PutUint16(v[mldv2QueryOffNumSources:], n)
}

// MLDRecordType says what an [MLDRecord] reports, RFC 3810, section 5.2.12.
type MLDRecordType uint8

const (
	MLDIsInclude       MLDRecordType = 1 // the current state: only Sources are listened to
	MLDIsExclude       MLDRecordType = 2 // the current state: all but Sources
	MLDToInclude       MLDRecordType = 3 // changed: only Sources from now on
	MLDToExclude       MLDRecordType = 4 // changed: all but Sources from now on
	MLDAllowNewSources MLDRecordType = 5 // changed: Sources too
	MLDBlockOldSources MLDRecordType = 6 // changed: Sources no longer
)

// String returns the type's name in RFC 3810, or the number.
func (t MLDRecordType) String() string {
	names := []string{"", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"}
	if t == 0 || int(t) >= len(names) {
		return fmt.Sprintf("%d", uint8(t))
	}
	return names[t]
}

// MLDv2Report is a Multicast Listener Discovery version 2 report, RFC 3810,
// section 5.2, without the header that all ICMPv6 messages have.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Reserved            |Nr of Mcast Address Records (M)|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Multicast Address Records [M]                |
type MLDv2Report struct {
	Reserved   uint16 // flags in RFC 9777
	NumRecords Auto[uint16]
	Records    MLDRecords // aliases the packet after decoding
}

var _ Completer = (*MLDv2Report)(nil)

var mldv2ReportProtocol = Protocol{
	Name:  "MLDv2Report",
	New:   New[MLDv2Report],
	Clone: cloneMLDv2Report,
	Index: indexMLDv2Report,
	At:    []Selector{{&icmpv6TypesTable, uint32(ICMPv6MLDv2Report)}},
	Fields: []Field{
		{"Reserved", mldv2ReportOffReserved * 8, 16},
		{"NumRecords", mldv2ReportOffNumRecords * 8, 16},
		{"Records", MLDv2ReportMinLen * 8, 0},
	},
	kind: kindMLDv2Report,
}

// Proto returns the descriptor of MLD version 2 reports.
func (*MLDv2Report) Proto() *Protocol { return &mldv2ReportProtocol }

func cloneMLDv2Report(l Layer) Layer {
	c := *l.(*MLDv2Report)
	c.Records = slices.Clone(c.Records)
	return &c
}

func indexMLDv2Report(b []byte, _ *Registry) (Span, error) {
	n, cut, err := MLDv2ReportView(b).extent()
	if cut {
		return Span{Header: n, Flags: SpanTruncated}, nil
	}
	return Span{Header: n}, err
}

// extent returns the length of the report, and whether records are missing.
func (v MLDv2ReportView) extent() (n int, cut bool, err error) {
	if len(v) < MLDv2ReportMinLen {
		return 0, false, Truncated("MLDv2Report", MLDv2ReportMinLen, len(v))
	}
	n = MLDv2ReportMinLen
	for range v.NumRecords() {
		m := MLDRecords(v[n:]).first()
		if m == 0 {
			return len(v), true, nil
		}
		n += m
	}
	return headerOrAll(n, len(v)), false, nil
}

// Decode fills l from the start of b, 4 bytes and the records. Records that are
// not there are left out.
func (l *MLDv2Report) Decode(b []byte) (int, error) {
	v := MLDv2ReportView(b)
	n, _, err := v.extent()
	if err != nil {
		return 0, err
	}
	l.Reserved = v.Reserved()
	l.NumRecords = Seen(v.NumRecords())
	l.Records = MLDRecords(b[MLDv2ReportMinLen:n:n])
	return n, nil
}

// AppendBinary appends the message to b.
func (l *MLDv2Report) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, l.Reserved)
	b = binary.BigEndian.AppendUint16(b, l.NumRecords.value)
	return append(b, l.Records...), nil
}

// Complete computes NumRecords.
func (l *MLDv2Report) Complete(c *Completion) error {
	if !c.Wants("NumRecords", mldv2ReportOffNumRecords, l.NumRecords.mode) {
		return nil
	}
	return c.PutLength(MLDRecords(c.Header()[MLDv2ReportMinLen:]).Len())
}

// MLDv2ReportView is an MLD version 2 report in place, without the header that
// all ICMPv6 messages have. Its methods panic when it is shorter than 4 bytes:
// those that [View] returns are not. The setters do not touch the checksum,
// which lies in the header before it: see [AdjustChecksum].
type MLDv2ReportView []byte

// Proto returns the descriptor of MLD version 2 reports.
func (MLDv2ReportView) Proto() *Protocol { return &mldv2ReportProtocol }

func (v MLDv2ReportView) Reserved() uint16 {
	return binary.BigEndian.Uint16(v[mldv2ReportOffReserved:])
}
func (v MLDv2ReportView) NumRecords() uint16 {
	return binary.BigEndian.Uint16(v[mldv2ReportOffNumRecords:])
}

// Records returns the records and what else follows them.
func (v MLDv2ReportView) Records() MLDRecords { return MLDRecords(v[MLDv2ReportMinLen:]) }

func (v MLDv2ReportView) SetReserved(x uint16) {
	binary.BigEndian.PutUint16(v[mldv2ReportOffReserved:], x)
}
func (v MLDv2ReportView) SetNumRecords(n uint16) {
	binary.BigEndian.PutUint16(v[mldv2ReportOffNumRecords:], n)
}

// MLDRecords are the multicast address records of a report as they are encoded.
type MLDRecords []byte

// MLDRecord is a multicast address record, RFC 3810, section 5.2.4.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Record Type  |  Aux Data Len |     Number of Sources (N)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Multicast Address                       |
//	+                          (16 bytes)                           +
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Source Addresses [N]                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Auxiliary Data                         |
type MLDRecord struct {
	Type    MLDRecordType
	Group   netip.Addr
	Sources MLDSources // aliases the records
	Aux     []byte     // a multiple of 4 bytes; aliases the records
	// Malformed says that the record is not all there, so that nothing can be
	// read from here on. Aux is then all the bytes that are left, and the
	// other fields are zero.
	Malformed bool
}

// first returns the length of the first record, 0 if it is not all there.
func (r MLDRecords) first() int {
	if len(r) < mldRecordMinLen {
		return 0
	}
	n := mldRecordMinLen + int(binary.BigEndian.Uint16(r[2:]))*mldSourceLen + int(r[1])*4
	if n > len(r) {
		return 0
	}
	return n
}

// Len returns how many records there are, without a malformed one at the end.
func (r MLDRecords) Len() int {
	count := 0
	for n := r.first(); n > 0; n = r.first() {
		r = r[n:]
		count++
	}
	return count
}

// All yields the records, each with its offset from the start of r in bytes. A
// malformed one is the last.
func (r MLDRecords) All() iter.Seq2[int, MLDRecord] {
	return func(yield func(int, MLDRecord) bool) {
		for off := 0; off < len(r); {
			b := r[off:]
			n := b.first()
			if n == 0 {
				yield(off, MLDRecord{Aux: b, Malformed: true})
				return
			}
			aux := n - int(b[1])*4
			if !yield(off, MLDRecord{
				Type:    MLDRecordType(b[0]),
				Group:   netip.AddrFrom16([16]byte(b[4:])),
				Sources: MLDSources(b[mldRecordMinLen:aux:aux]),
				Aux:     b[aux:n:n],
			}) {
				return
			}
			off += n
		}
	}
}

// Append returns r with one more record. It returns an [*EncodeError] for a
// group that is not IPv6, for more than 65,535 sources, and for auxiliary data
// of more than 1,020 bytes or not a multiple of 4.
func (r MLDRecords) Append(rec MLDRecord) (MLDRecords, error) {
	group, ok := addr6(rec.Group)
	switch {
	case !ok:
		return r, wrongAddr("MLDv2Report", "Group", rec.Group)
	case len(rec.Sources)%mldSourceLen != 0:
		return r, &EncodeError{Layer: "MLDv2Report", Field: "Sources", Reason: "not a multiple of 16 bytes", Err: ErrMalformed}
	case rec.Sources.Len() > 0xffff:
		return r, TooLong("MLDv2Report", "Sources", rec.Sources.Len(), 0xffff)
	case len(rec.Aux)%4 != 0:
		return r, &EncodeError{Layer: "MLDv2Report", Field: "Aux", Reason: "not a multiple of 4 bytes: pad with 0", Err: ErrMalformed}
	case len(rec.Aux) > 0xff*4:
		return r, TooLong("MLDv2Report", "Aux", len(rec.Aux), 0xff*4)
	}
	r = append(r, uint8(rec.Type), uint8(len(rec.Aux)/4))
	r = binary.BigEndian.AppendUint16(r, uint16(rec.Sources.Len()))
	r = append(r, group[:]...)
	r = append(r, rec.Sources...)
	return append(r, rec.Aux...), nil
}
