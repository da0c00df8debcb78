package pkts

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// ECN is the explicit congestion notification field, RFC 3168, section 5.
type ECN uint8

const (
	NotECT ECN = iota // not ECN-capable
	ECT1              // ECN-capable, L4S in RFC 9331
	ECT0              // ECN-capable
	CE                // congestion experienced
)

// String returns the code point's name in RFC 3168.
func (e ECN) String() string {
	switch e {
	case NotECT:
		return "Not-ECT"
	case ECT1:
		return "ECT(1)"
	case ECT0:
		return "ECT(0)"
	case CE:
		return "CE"
	default:
		return numbered("ECN", int(e))
	}
}

// IPv4OptionType is the type of an IPv4 option, RFC 791, section 3.1: a flag
// that says whether it is copied into fragments, a class and a number. They are
// listed at https://www.iana.org/assignments/ip-parameters.
type IPv4OptionType uint8

const (
	IPv4OptionEnd         IPv4OptionType = 0   // EOOL, end of the list, RFC 791
	IPv4OptionNop         IPv4OptionType = 1   // NOP, one byte of padding, RFC 791
	IPv4OptionRecordRoute IPv4OptionType = 7   // RR, RFC 791
	IPv4OptionZSU         IPv4OptionType = 10  // experimental measurement
	IPv4OptionMTUProbe    IPv4OptionType = 11  // MTUP, RFC 1063, withdrawn
	IPv4OptionMTUReply    IPv4OptionType = 12  // MTUR, RFC 1063, withdrawn
	IPv4OptionEncode      IPv4OptionType = 15  // ENCODE, withdrawn
	IPv4OptionQuickStart  IPv4OptionType = 25  // QS, RFC 4782
	IPv4OptionExperiment1 IPv4OptionType = 30  // RFC 4727
	IPv4OptionTimestamp   IPv4OptionType = 68  // TS, RFC 791
	IPv4OptionTraceroute  IPv4OptionType = 82  // TR, RFC 1393, withdrawn
	IPv4OptionExperiment2 IPv4OptionType = 94  // RFC 4727
	IPv4OptionSecurity    IPv4OptionType = 130 // SEC, RFC 1108
	IPv4OptionLooseRoute  IPv4OptionType = 131 // LSR, RFC 791
	IPv4OptionExtSecurity IPv4OptionType = 133 // E-SEC, RFC 1108
	IPv4OptionCIPSO       IPv4OptionType = 134 // commercial security, FIPS 188
	IPv4OptionStreamID    IPv4OptionType = 136 // SID, RFC 791, withdrawn
	IPv4OptionStrictRoute IPv4OptionType = 137 // SSR, RFC 791
	IPv4OptionVISA        IPv4OptionType = 142 // experimental access control, withdrawn
	IPv4OptionIMITD       IPv4OptionType = 144 // IMI traffic descriptor
	IPv4OptionEIP         IPv4OptionType = 145 // extended protocol, RFC 1385, withdrawn
	IPv4OptionAddressExt  IPv4OptionType = 147 // ADDEXT, address extension, RFC 1475, withdrawn
	IPv4OptionRouterAlert IPv4OptionType = 148 // RTRALT, RFC 2113
	IPv4OptionBroadcast   IPv4OptionType = 149 // SDB, selective directed broadcast, RFC 1770, withdrawn
	IPv4OptionDynamic     IPv4OptionType = 151 // DPS, dynamic packet state, withdrawn
	IPv4OptionUpstream    IPv4OptionType = 152 // UMP, upstream multicast packet, withdrawn
	IPv4OptionExperiment3 IPv4OptionType = 158 // RFC 4727
	IPv4OptionFlow        IPv4OptionType = 205 // FINN, experimental flow control
	IPv4OptionExperiment4 IPv4OptionType = 222 // RFC 4727
)

// IPv4OptionClass is the class of an option.
type IPv4OptionClass uint8

const (
	IPv4OptionControl   IPv4OptionClass = 0
	IPv4OptionDebugging IPv4OptionClass = 2 // debugging and measurement
)

// String returns "control", "debugging" or the number.
func (c IPv4OptionClass) String() string {
	switch c {
	case IPv4OptionControl:
		return "control"
	case IPv4OptionDebugging:
		return "debugging"
	default:
		return numbered("IPv4OptionClass", int(c))
	}
}

// IsCopied reports whether the option is copied into all fragments.
func (t IPv4OptionType) IsCopied() bool { return t&0x80 != 0 }

// Class returns the option's class.
func (t IPv4OptionType) Class() IPv4OptionClass { return IPv4OptionClass(t >> 5 & 3) }

// Number returns the number within the class, 0 to 31.
func (t IPv4OptionType) Number() uint8 { return uint8(t & 0x1f) }

// String returns the option's name in the registry, or the number.
func (t IPv4OptionType) String() string {
	switch t {
	case IPv4OptionEnd:
		return "EOOL"
	case IPv4OptionNop:
		return "NOP"
	case IPv4OptionRecordRoute:
		return "RR"
	case IPv4OptionZSU:
		return "ZSU"
	case IPv4OptionMTUProbe:
		return "MTUP"
	case IPv4OptionMTUReply:
		return "MTUR"
	case IPv4OptionEncode:
		return "ENCODE"
	case IPv4OptionQuickStart:
		return "QS"
	case IPv4OptionTimestamp:
		return "TS"
	case IPv4OptionTraceroute:
		return "TR"
	case IPv4OptionSecurity:
		return "SEC"
	case IPv4OptionLooseRoute:
		return "LSR"
	case IPv4OptionExtSecurity:
		return "E-SEC"
	case IPv4OptionCIPSO:
		return "CIPSO"
	case IPv4OptionStreamID:
		return "SID"
	case IPv4OptionStrictRoute:
		return "SSR"
	case IPv4OptionVISA:
		return "VISA"
	case IPv4OptionIMITD:
		return "IMITD"
	case IPv4OptionEIP:
		return "EIP"
	case IPv4OptionAddressExt:
		return "ADDEXT"
	case IPv4OptionRouterAlert:
		return "RTRALT"
	case IPv4OptionBroadcast:
		return "SDB"
	case IPv4OptionDynamic:
		return "DPS"
	case IPv4OptionUpstream:
		return "UMP"
	case IPv4OptionFlow:
		return "FINN"
	case IPv4OptionExperiment1, IPv4OptionExperiment2, IPv4OptionExperiment3, IPv4OptionExperiment4:
		return "EXP"
	default:
		return numbered("IPv4OptionType", int(t))
	}
}

// IPv4Options are the options of an IPv4 header as they are encoded. Those that
// the library does not know are kept as they are.
//
// To make some, append to a nil slice, and pad:
//
//	pkts.IPv4Options(nil).AppendRouterAlert(0).Pad()
//
// More than 40 bytes are refused when the header is encoded.
type IPv4Options []byte

// IPv4Option is one option. Its data aliases the options it comes from.
type IPv4Option struct {
	Type IPv4OptionType
	Data []byte // without type and length; nil for EOOL and NOP
}

// kindOption returns the option at byte i of a list in the format that IPv4 and
// TCP share: its number, its data and its length, 0 when there is none that is
// whole.
func kindOption(o []byte, i int) (kind uint8, data []byte, n int) {
	if i >= len(o) {
		return 0, nil, 0
	}
	kind = o[i]
	if kind <= 1 {
		return kind, nil, 1
	}
	if len(o)-i < 2 {
		return 0, nil, 0
	}
	n = int(o[i+1])
	if n < 2 || n > len(o)-i {
		return 0, nil, 0
	}
	return kind, o[i+2 : i+n : i+n], n
}

// kindOptionsErr returns why such a list cannot be read to its end.
func kindOptionsErr(what string, o []byte) error {
	for i := 0; i < len(o); {
		kind, _, n := kindOption(o, i)
		if n == 0 {
			return optionErr(what, i, o, 0)
		}
		if kind == 0 {
			return nil
		}
		i += n
	}
	return nil
}

// findKind returns the data of the first option of a number that has at least n
// bytes of it.
func findKind(o []byte, want uint8, n int) ([]byte, bool) {
	for i := 0; ; {
		kind, data, l := kindOption(o, i)
		if l == 0 {
			return nil, false
		}
		if kind == want && len(data) >= n {
			return data, true
		}
		if kind == 0 {
			return nil, false
		}
		i += l
	}
}

// paddingBehind returns what follows the end of such a list.
func paddingBehind(o []byte) []byte {
	for i := 0; ; {
		kind, _, n := kindOption(o, i)
		if n == 0 {
			return nil
		}
		i += n
		if kind == 0 {
			return o[i:]
		}
	}
}

// All yields the options with their offsets in bytes. It ends with an EOOL, or
// before an option that is cut off, which [IPv4Options.Err] reports.
func (o IPv4Options) All() iter.Seq2[int, IPv4Option] {
	return func(yield func(int, IPv4Option) bool) {
		for i := 0; ; {
			kind, data, n := kindOption(o, i)
			if n == 0 || !yield(i, IPv4Option{IPv4OptionType(kind), data}) || kind == 0 {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the options can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the option begins that is cut off, or
// whose length is below 2.
func (o IPv4Options) Err() error { return kindOptionsErr("IPv4 options", o) }

// Padding returns what follows an EOOL.
func (o IPv4Options) Padding() []byte { return paddingBehind(o) }

// Get returns the first option of type t.
func (o IPv4Options) Get(t IPv4OptionType) (IPv4Option, bool) {
	data, ok := findKind(o, uint8(t), 0)
	return IPv4Option{t, data}, ok
}

// Append appends an option. data is ignored for EOOL and NOP, which have none.
func (o IPv4Options) Append(t IPv4OptionType, data []byte) IPv4Options {
	if t <= IPv4OptionNop {
		return append(o, uint8(t))
	}
	return append(append(o, uint8(t), uint8(2+len(data))), data...)
}

// Pad appends EOOL up to a multiple of 4 bytes.
func (o IPv4Options) Pad() IPv4Options { return appendZeros(o, -len(o)&3) }

// IPv4Route is a recorded route or a source route, RFC 791, section 3.1.
type IPv4Route struct {
	// Pointer is where in the option the next address is taken from or put,
	// counted in bytes from 1: 4 is the first. Beyond the option's end the
	// route is used up.
	Pointer uint8
	// Addrs are the addresses as they are encoded, 4 bytes each. They alias
	// the options.
	Addrs []byte
}

// Len returns how many addresses there is room for.
func (r IPv4Route) Len() int { return len(r.Addrs) / 4 }

// At returns the i-th address, counted from 0. It panics when i is not below
// Len.
func (r IPv4Route) At(i int) netip.Addr { return netip.AddrFrom4([4]byte(r.Addrs[i*4 : i*4+4])) }

// Done returns how many addresses lie before the pointer: those recorded, or
// visited.
func (r IPv4Route) Done() int { return max(0, min(r.Len(), (int(r.Pointer)-4)/4)) }

// All yields the addresses.
func (r IPv4Route) All() iter.Seq2[int, netip.Addr] {
	return func(yield func(int, netip.Addr) bool) {
		for i := range r.Len() {
			if !yield(i, r.At(i)) {
				return
			}
		}
	}
}

func (o IPv4Options) route(t IPv4OptionType) (IPv4Route, bool) {
	d, ok := findKind(o, uint8(t), 1)
	if !ok {
		return IPv4Route{}, false
	}
	return IPv4Route{d[0], d[1:]}, true
}

// RecordRoute returns the recorded route.
func (o IPv4Options) RecordRoute() (IPv4Route, bool) { return o.route(IPv4OptionRecordRoute) }

// LooseRoute returns the source route that may pass through further routers.
func (o IPv4Options) LooseRoute() (IPv4Route, bool) { return o.route(IPv4OptionLooseRoute) }

// StrictRoute returns the source route that must not pass through further
// routers.
func (o IPv4Options) StrictRoute() (IPv4Route, bool) { return o.route(IPv4OptionStrictRoute) }

// finalDestination returns the last address of a source route that is not yet
// at its end: where the packet is to go after all the others.
func (o IPv4Options) finalDestination() ([4]byte, bool) {
	for _, t := range [...]IPv4OptionType{IPv4OptionLooseRoute, IPv4OptionStrictRoute} {
		if r, ok := o.route(t); ok && r.Done() < r.Len() {
			return r.At(r.Len() - 1).As4(), true
		}
	}
	return [4]byte{}, false
}

// firstSlot is the pointer to the first address of a route.
const firstSlot = 4

// AppendRoute appends a route of the type RR, LSR or SSR with the pointer at the
// first address. It refuses an address that is not IPv4 with an [*EncodeError];
// the zero Addr is room for one to be recorded.
func (o IPv4Options) AppendRoute(t IPv4OptionType, addrs ...netip.Addr) (IPv4Options, error) {
	out := append(o, uint8(t), uint8(3+4*len(addrs)), firstSlot)
	for _, a := range addrs {
		x, ok := addr4(a)
		if !ok {
			return o, wrongAddr("IPv4 options", t.String(), a)
		}
		out = append(out, x[:]...)
	}
	return out, nil
}

// AppendRecordRoute appends a Record Route option with room for n addresses, at
// most 9.
func (o IPv4Options) AppendRecordRoute(n int) IPv4Options {
	o = append(o, uint8(IPv4OptionRecordRoute), uint8(3+4*n), firstSlot)
	return appendZeros(o, 4*n)
}

// IPv4TimestampFlag says what routers put into a Timestamp option.
type IPv4TimestampFlag uint8

const (
	IPv4TimestampOnly       IPv4TimestampFlag = 0 // timestamps
	IPv4TimestampAddrs      IPv4TimestampFlag = 1 // addresses and timestamps
	IPv4TimestampPrespecify IPv4TimestampFlag = 3 // timestamps of the routers that the sender names
)

// String returns "timestamps", "addresses", "prespecified" or the number.
func (f IPv4TimestampFlag) String() string {
	switch f {
	case IPv4TimestampOnly:
		return "timestamps"
	case IPv4TimestampAddrs:
		return "addresses"
	case IPv4TimestampPrespecify:
		return "prespecified"
	default:
		return numbered("IPv4TimestampFlag", int(f))
	}
}

// entryLen returns the length of an entry in bytes.
func (f IPv4TimestampFlag) entryLen() int {
	if f == IPv4TimestampOnly {
		return 4
	}
	return 8
}

// IPv4Timestamp is a Timestamp option, RFC 791, section 3.1.
type IPv4Timestamp struct {
	// Pointer is where in the option the next entry is put, counted in bytes
	// from 1: 5 is the first.
	Pointer  uint8
	Overflow uint8 // 4 bits: how many routers found no room
	Flag     IPv4TimestampFlag
	Entries  []byte // as encoded; aliases the options
}

// IPv4TimestampEntry is one timestamp, and who made it.
type IPv4TimestampEntry struct {
	Addr netip.Addr // the zero Addr where only timestamps are recorded
	// Time is in milliseconds since midnight, universal time. With the highest
	// bit set it is anything else.
	Time uint32
}

// Len returns how many entries there is room for.
func (t IPv4Timestamp) Len() int { return len(t.Entries) / t.Flag.entryLen() }

// Done returns how many entries are filled in.
func (t IPv4Timestamp) Done() int {
	return max(0, min(t.Len(), (int(t.Pointer)-5)/t.Flag.entryLen()))
}

// At returns the i-th entry.
func (t IPv4Timestamp) At(i int) IPv4TimestampEntry {
	n := t.Flag.entryLen()
	b := t.Entries[i*n : i*n+n]
	if n == 4 {
		return IPv4TimestampEntry{Time: binary.BigEndian.Uint32(b)}
	}
	return IPv4TimestampEntry{netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint32(b[4:])}
}

// All yields the entries.
func (t IPv4Timestamp) All() iter.Seq2[int, IPv4TimestampEntry] {
	return func(yield func(int, IPv4TimestampEntry) bool) {
		for i := range t.Len() {
			if !yield(i, t.At(i)) {
				return
			}
		}
	}
}

// Timestamp returns the Timestamp option.
func (o IPv4Options) Timestamp() (IPv4Timestamp, bool) {
	d, ok := findKind(o, uint8(IPv4OptionTimestamp), 2)
	if !ok {
		return IPv4Timestamp{}, false
	}
	return IPv4Timestamp{d[0], d[1] >> 4, IPv4TimestampFlag(d[1] & 0xf), d[2:]}, true
}

// AppendTimestamp appends a Timestamp option in the form that flag names, with
// the pointer at the first entry. Entries of the form without addresses need
// none. It refuses an address that is not IPv4 with an [*EncodeError].
func (o IPv4Options) AppendTimestamp(flag IPv4TimestampFlag, entries ...IPv4TimestampEntry) (IPv4Options, error) {
	const first = 5
	n := flag.entryLen()
	out := append(o, uint8(IPv4OptionTimestamp), uint8(4+n*len(entries)), first, uint8(flag)&0xf)
	for _, e := range entries {
		if n == 8 {
			x, ok := addr4(e.Addr)
			if !ok {
				return o, wrongAddr("IPv4 options", "TS", e.Addr)
			}
			out = append(out, x[:]...)
		}
		out = binary.BigEndian.AppendUint32(out, e.Time)
	}
	return out, nil
}

// RouterAlert returns the value of the Router Alert option: 0 asks every router
// to look at the packet, RFC 2113.
func (o IPv4Options) RouterAlert() (uint16, bool) { return o.uint16(IPv4OptionRouterAlert) }

// AppendRouterAlert appends a Router Alert option.
func (o IPv4Options) AppendRouterAlert(value uint16) IPv4Options {
	return o.append16(IPv4OptionRouterAlert, value)
}

// StreamID returns the SATNET stream identifier, RFC 791, section 3.1.
func (o IPv4Options) StreamID() (uint16, bool) { return o.uint16(IPv4OptionStreamID) }

// AppendStreamID appends a Stream ID option.
func (o IPv4Options) AppendStreamID(id uint16) IPv4Options {
	return o.append16(IPv4OptionStreamID, id)
}

// MTUProbe returns the smallest MTU on the way so far, in bytes, RFC 1063.
func (o IPv4Options) MTUProbe() (uint16, bool) { return o.uint16(IPv4OptionMTUProbe) }

// MTUReply returns the MTU that a probe found, in bytes, RFC 1063.
func (o IPv4Options) MTUReply() (uint16, bool) { return o.uint16(IPv4OptionMTUReply) }

func (o IPv4Options) uint16(t IPv4OptionType) (uint16, bool) {
	d, ok := findKind(o, uint8(t), 2)
	if !ok {
		return 0, false
	}
	return binary.BigEndian.Uint16(d), true
}

func (o IPv4Options) append16(t IPv4OptionType, v uint16) IPv4Options {
	return binary.BigEndian.AppendUint16(append(o, uint8(t), 4), v)
}

// IPv4SecurityLevel is a classification level of RFC 1108, section 2.3.
type IPv4SecurityLevel uint8

const (
	IPv4TopSecret    IPv4SecurityLevel = 0x3d
	IPv4Secret       IPv4SecurityLevel = 0x5a
	IPv4Confidential IPv4SecurityLevel = 0x96
	IPv4Unclassified IPv4SecurityLevel = 0xab
)

// String returns the level's name, or the number.
func (l IPv4SecurityLevel) String() string {
	switch l {
	case IPv4TopSecret:
		return "top secret"
	case IPv4Secret:
		return "secret"
	case IPv4Confidential:
		return "confidential"
	case IPv4Unclassified:
		return "unclassified"
	default:
		return numbered("IPv4SecurityLevel", int(l))
	}
}

// IPv4Security is a basic security option, RFC 1108, section 2.
type IPv4Security struct {
	Level     IPv4SecurityLevel
	Authority []byte // flags; the lowest bit of each byte says that another follows; aliases the options
}

// Security returns the basic security option. A security option of RFC 791,
// which has 9 bytes of data, is to be read through [IPv4Options.Get].
func (o IPv4Options) Security() (IPv4Security, bool) {
	d, ok := findKind(o, uint8(IPv4OptionSecurity), 1)
	if !ok {
		return IPv4Security{}, false
	}
	return IPv4Security{IPv4SecurityLevel(d[0]), d[1:]}, true
}

// AppendSecurity appends a basic security option.
func (o IPv4Options) AppendSecurity(s IPv4Security) IPv4Options {
	return append(append(o, uint8(IPv4OptionSecurity), uint8(3+len(s.Authority)), uint8(s.Level)), s.Authority...)
}

// ExtSecurity returns the format code and the information of an extended
// security option, RFC 1108, section 3. info aliases o.
func (o IPv4Options) ExtSecurity() (format uint8, info []byte, ok bool) {
	d, ok := findKind(o, uint8(IPv4OptionExtSecurity), 1)
	if !ok {
		return 0, nil, false
	}
	return d[0], d[1:], true
}

// IPv4Traceroute is a Traceroute option, RFC 1393, section 2.2.
type IPv4Traceroute struct {
	ID         uint16
	Outbound   uint16 // hops on the way out
	Return     uint16 // hops on the way back
	Originator netip.Addr
}

// Traceroute returns the Traceroute option.
func (o IPv4Options) Traceroute() (IPv4Traceroute, bool) {
	d, ok := findKind(o, uint8(IPv4OptionTraceroute), 10)
	if !ok {
		return IPv4Traceroute{}, false
	}
	be := binary.BigEndian
	return IPv4Traceroute{be.Uint16(d), be.Uint16(d[2:]), be.Uint16(d[4:]), netip.AddrFrom4([4]byte(d[6:]))}, true
}

// AppendTraceroute appends a Traceroute option. It refuses an originator that is
// not IPv4 with an [*EncodeError].
func (o IPv4Options) AppendTraceroute(t IPv4Traceroute) (IPv4Options, error) {
	a, ok := addr4(t.Originator)
	if !ok {
		return o, wrongAddr("IPv4 options", "TR", t.Originator)
	}
	o = append(o, uint8(IPv4OptionTraceroute), 12)
	for _, x := range [...]uint16{t.ID, t.Outbound, t.Return} {
		o = binary.BigEndian.AppendUint16(o, x)
	}
	return append(o, a[:]...), nil
}

// QuickStart returns the Quick-Start option.
func (o IPv4Options) QuickStart() (QuickStart, bool) {
	d, ok := findKind(o, uint8(IPv4OptionQuickStart), quickStartLen)
	if !ok {
		return QuickStart{}, false
	}
	return quickStart(d), true
}

// AppendQuickStart appends a Quick-Start option; bits that do not fit their
// field are left out.
func (o IPv4Options) AppendQuickStart(q QuickStart) IPv4Options {
	return q.append(append(o, uint8(IPv4OptionQuickStart), 2+quickStartLen))
}

// CIPSO returns the domain of interpretation and the tags of a commercial
// security option, FIPS 188. Each tag is a type, a length that counts both, and
// its information. tags aliases o.
func (o IPv4Options) CIPSO() (doi uint32, tags []byte, ok bool) {
	d, ok := findKind(o, uint8(IPv4OptionCIPSO), 4)
	if !ok {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(d), d[4:], true
}

// AppendCIPSO appends a commercial security option.
func (o IPv4Options) AppendCIPSO(doi uint32, tags []byte) IPv4Options {
	o = append(o, uint8(IPv4OptionCIPSO), uint8(6+len(tags)))
	return append(binary.BigEndian.AppendUint32(o, doi), tags...)
}

// Broadcast yields the addresses of a Selective Directed Broadcast option, RFC
// 1770.
func (o IPv4Options) Broadcast() iter.Seq2[int, netip.Addr] {
	return func(yield func(int, netip.Addr) bool) {
		d, _ := findKind(o, uint8(IPv4OptionBroadcast), 0)
		for i := range len(d) / 4 {
			if !yield(i, netip.AddrFrom4([4]byte(d[i*4:]))) {
				return
			}
		}
	}
}
