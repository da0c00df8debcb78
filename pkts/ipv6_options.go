package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
)

// IPv6OptionType is the type of an option in a Hop-by-Hop or Destination
// Options header, RFC 8200, section 4.2; the numbers are at
// https://www.iana.org/assignments/ipv6-parameters.
type IPv6OptionType uint8

const (
	IPv6OptionPad1        IPv6OptionType = 0x00 // one byte of padding, RFC 8200
	IPv6OptionPadN        IPv6OptionType = 0x01 // more bytes of padding, RFC 8200
	IPv6OptionTunnelLimit IPv6OptionType = 0x04 // tunnel encapsulation limit, RFC 2473
	IPv6OptionRouterAlert IPv6OptionType = 0x05 // RFC 2711
	IPv6OptionCALIPSO     IPv6OptionType = 0x07 // security label, RFC 5570
	IPv6OptionSMFDPD      IPv6OptionType = 0x08 // duplicate detection in multicast forwarding, RFC 6621
	IPv6OptionPDM         IPv6OptionType = 0x0f // performance and diagnostic metrics, RFC 8250
	IPv6OptionIOAM        IPv6OptionType = 0x11 // in situ OAM, RFC 9486
	IPv6OptionAltMark     IPv6OptionType = 0x12 // alternate marking, RFC 9343
	IPv6OptionExperiment1 IPv6OptionType = 0x1e // RFC 4727
	IPv6OptionRPL         IPv6OptionType = 0x23 // routing in low-power networks, RFC 9008
	IPv6OptionQuickStart  IPv6OptionType = 0x26 // RFC 4782
	IPv6OptionMinPathMTU  IPv6OptionType = 0x30 // minimum path MTU, RFC 9268
	IPv6OptionIOAMMutable IPv6OptionType = 0x31 // in situ OAM that routers change, RFC 9486
	IPv6OptionExperiment2 IPv6OptionType = 0x3e // RFC 4727
	IPv6OptionExperiment3 IPv6OptionType = 0x5e // RFC 4727
	IPv6OptionRPLOld      IPv6OptionType = 0x63 // RFC 6553, replaced by 0x23
	IPv6OptionMPL         IPv6OptionType = 0x6d // multicast in low-power networks, RFC 7731
	IPv6OptionExperiment4 IPv6OptionType = 0x7e // RFC 4727
	IPv6OptionEndpointID  IPv6OptionType = 0x8a // endpoint identification of Nimrod, withdrawn
	IPv6OptionILNPNonce   IPv6OptionType = 0x8b // RFC 6744
	IPv6OptionLineID      IPv6OptionType = 0x8c // line identification, RFC 6788
	IPv6OptionExperiment5 IPv6OptionType = 0x9e // RFC 4727
	IPv6OptionExperiment6 IPv6OptionType = 0xbe // RFC 4727
	IPv6OptionJumbo       IPv6OptionType = 0xc2 // jumbo payload, RFC 2675
	IPv6OptionHomeAddress IPv6OptionType = 0xc9 // RFC 6275
	IPv6OptionExperiment7 IPv6OptionType = 0xde // RFC 4727
	IPv6OptionDFF         IPv6OptionType = 0xee // depth-first forwarding, RFC 6971
	IPv6OptionExperiment8 IPv6OptionType = 0xfe // RFC 4727
)

const (
	ipv6OptionActionShift = 6
	ipv6OptionMutable     = 0x20
	ipv6OptionHeaderLen   = 2
	ipv6OptionMaxData     = 255
)

// IPv6OptionAction is what a node does that does not know an option.
type IPv6OptionAction uint8

const (
	IPv6OptionSkip          IPv6OptionAction = iota // go on to the next option
	IPv6OptionDiscard                               // discard the packet
	IPv6OptionReport                                // discard it and tell the source by ICMP
	IPv6OptionReportUnicast                         // the same, unless it was sent to a multicast address
)

// String returns "skip", "discard", "report" or "report unicast".
func (a IPv6OptionAction) String() string {
	switch a {
	case IPv6OptionSkip:
		return "skip"
	case IPv6OptionDiscard:
		return "discard"
	case IPv6OptionReport:
		return "report"
	case IPv6OptionReportUnicast:
		return "report unicast"
	default:
		return numbered("IPv6OptionAction", int(a))
	}
}

// Action returns what a node does that does not know the option: its two
// highest bits.
func (t IPv6OptionType) Action() IPv6OptionAction {
	return IPv6OptionAction(t >> ipv6OptionActionShift)
}

// IsMutable reports whether routers may change the option's data on the way.
func (t IPv6OptionType) IsMutable() bool { return t&ipv6OptionMutable != 0 }

// String returns the option's name, or the number in hexadecimal.
func (t IPv6OptionType) String() string {
	switch t {
	case IPv6OptionPad1:
		return "Pad1"
	case IPv6OptionPadN:
		return "PadN"
	case IPv6OptionTunnelLimit:
		return "TunnelLimit"
	case IPv6OptionRouterAlert:
		return "RouterAlert"
	case IPv6OptionCALIPSO:
		return "CALIPSO"
	case IPv6OptionSMFDPD:
		return "SMF_DPD"
	case IPv6OptionPDM:
		return "PDM"
	case IPv6OptionIOAM, IPv6OptionIOAMMutable:
		return "IOAM"
	case IPv6OptionAltMark:
		return "AltMark"
	case IPv6OptionRPL, IPv6OptionRPLOld:
		return "RPL"
	case IPv6OptionQuickStart:
		return "QuickStart"
	case IPv6OptionMinPathMTU:
		return "MinPathMTU"
	case IPv6OptionMPL:
		return "MPL"
	case IPv6OptionEndpointID:
		return "EndpointID"
	case IPv6OptionILNPNonce:
		return "ILNPNonce"
	case IPv6OptionLineID:
		return "LineID"
	case IPv6OptionJumbo:
		return "Jumbo"
	case IPv6OptionHomeAddress:
		return "HomeAddress"
	case IPv6OptionDFF:
		return "IP_DFF"
	case IPv6OptionExperiment1, IPv6OptionExperiment2, IPv6OptionExperiment3, IPv6OptionExperiment4,
		IPv6OptionExperiment5, IPv6OptionExperiment6, IPv6OptionExperiment7, IPv6OptionExperiment8:
		return "experimental"
	default:
		return fmt.Sprintf("0x%02x", uint8(t))
	}
}

// IPv6Options are the options of a Hop-by-Hop or Destination Options header as
// they are encoded, padding included. Those that the library does not know are
// kept as they are.
//
// To make some, append to a nil slice:
//
//	pkts.IPv6Options(nil).AppendRouterAlert(0)
type IPv6Options []byte

// IPv6Option is one option. Its data aliases the options it comes from.
type IPv6Option struct {
	Type IPv6OptionType
	Data []byte // without type and length; nil for Pad1
}

// next returns the option at byte i and its length, 0 when there is none that
// is whole.
func (o IPv6Options) next(i int) (opt IPv6Option, n int) {
	if i >= len(o) {
		return opt, 0
	}
	opt.Type = IPv6OptionType(o[i])
	if opt.Type == IPv6OptionPad1 {
		return opt, 1
	}
	if len(o)-i < ipv6OptionHeaderLen {
		return opt, 0
	}
	n = ipv6OptionHeaderLen + int(o[i+1])
	if n > len(o)-i {
		return opt, 0
	}
	opt.Data = o[i+ipv6OptionHeaderLen : i+n : i+n]
	return opt, n
}

// All yields the options, padding included, with their offsets in bytes. It
// ends before one that is cut off, which [IPv6Options.Err] reports.
func (o IPv6Options) All() iter.Seq2[int, IPv6Option] {
	return func(yield func(int, IPv6Option) bool) {
		for i := 0; ; {
			opt, n := o.next(i)
			if n == 0 || !yield(i, opt) {
				return
			}
			i += n
		}
	}
}

// Err returns nil when the options can be read to their end, and otherwise a
// [*DecodeError] whose offset is where the option begins that is cut off.
func (o IPv6Options) Err() error {
	for i := 0; i < len(o); {
		_, n := o.next(i)
		if n == 0 {
			return optionErr("IPv6 options", i, o, ipv6OptionHeaderLen)
		}
		i += n
	}
	return nil
}

// optionErr is the error for an option at byte i of o that is cut off or whose
// length, in the byte behind its type, is too small. left is what that length
// leaves out.
func optionErr(what string, i int, o []byte, left int) error {
	e := &DecodeError{Layer: what, Offset: i, Have: len(o) - i, Want: 2, Err: ErrTruncated}
	if e.Have < 2 {
		return e
	}
	if e.Want = int(o[i+1]) + left; e.Want <= e.Have {
		e.Err, e.Want, e.Have = ErrMalformed, 0, 0
		e.Reason = fmt.Sprintf("the length of an option is %d, at least 2", o[i+1])
	}
	return e
}

// find returns the first option of type t with at least n bytes of data, and
// its offset.
func (o IPv6Options) find(t IPv6OptionType, n int) (int, IPv6Option, bool) {
	for i := 0; ; {
		opt, l := o.next(i)
		if l == 0 {
			return 0, opt, false
		}
		if opt.Type == t && len(opt.Data) >= n {
			return i, opt, true
		}
		i += l
	}
}

// Get returns the first option of type t.
func (o IPv6Options) Get(t IPv6OptionType) (IPv6Option, bool) {
	_, opt, ok := o.find(t, 0)
	return opt, ok
}

// Append appends an option. Data of more than 255 bytes is refused with an
// [*EncodeError].
func (o IPv6Options) Append(t IPv6OptionType, data []byte) (IPv6Options, error) {
	if t == IPv6OptionPad1 {
		return append(o, 0), nil
	}
	if len(data) > ipv6OptionMaxData {
		return o, TooLong("IPv6 options", t.String(), len(data), ipv6OptionMaxData)
	}
	return append(append(o, uint8(t), uint8(len(data))), data...), nil
}

// appendPad appends n bytes of padding, at most 257.
func (o IPv6Options) appendPad(n int) IPv6Options {
	switch n {
	case 0:
		return o
	case 1:
		return append(o, 0)
	}
	o = append(o, uint8(IPv6OptionPadN), uint8(n-2))
	for range n - 2 {
		o = append(o, 0)
	}
	return o
}

// AppendPad appends n bytes of padding as Pad1 and PadN options, so that what
// follows is aligned.
func (o IPv6Options) AppendPad(n int) IPv6Options {
	const most = ipv6OptionHeaderLen + ipv6OptionMaxData
	for ; n > most; n -= most {
		o = o.appendPad(most)
	}
	return o.appendPad(max(n, 0))
}

// RouterAlert returns what a router is to look for: 0 for MLD, 1 for RSVP, 2 for
// active networks, RFC 2711, section 2.1.
func (o IPv6Options) RouterAlert() (uint16, bool) {
	if _, opt, ok := o.find(IPv6OptionRouterAlert, 2); ok {
		return binary.BigEndian.Uint16(opt.Data), true
	}
	return 0, false
}

// AppendRouterAlert appends a Router Alert option.
func (o IPv6Options) AppendRouterAlert(value uint16) IPv6Options {
	return binary.BigEndian.AppendUint16(append(o, uint8(IPv6OptionRouterAlert), 2), value)
}

// Jumbo returns the length of a jumbogram without its IPv6 header, in bytes,
// RFC 2675, section 2.
func (o IPv6Options) Jumbo() (uint32, bool) {
	if _, opt, ok := o.find(IPv6OptionJumbo, 4); ok {
		return binary.BigEndian.Uint32(opt.Data), true
	}
	return 0, false
}

// AppendJumbo appends a Jumbo Payload option. A length of 0 is computed when
// the packet is encoded. The option lies at 4n+2 bytes from the start of the
// header, as it does when it is the first.
func (o IPv6Options) AppendJumbo(length uint32) IPv6Options {
	return binary.BigEndian.AppendUint32(append(o, uint8(IPv6OptionJumbo), 4), length)
}

// TunnelLimit returns how many further tunnels may be entered, RFC 2473,
// section 4.1.1.
func (o IPv6Options) TunnelLimit() (uint8, bool) {
	if _, opt, ok := o.find(IPv6OptionTunnelLimit, 1); ok {
		return opt.Data[0], true
	}
	return 0, false
}

// AppendTunnelLimit appends a Tunnel Encapsulation Limit option.
func (o IPv6Options) AppendTunnelLimit(limit uint8) IPv6Options {
	return append(o, uint8(IPv6OptionTunnelLimit), 1, limit)
}

// HomeAddress returns the address of a mobile node at home, RFC 6275, section
// 6.3: the source that checksums cover.
func (o IPv6Options) HomeAddress() (netip.Addr, bool) {
	if _, opt, ok := o.find(IPv6OptionHomeAddress, 16); ok {
		return netip.AddrFrom16([16]byte(opt.Data)), true
	}
	return netip.Addr{}, false
}

// AppendHomeAddress appends a Home Address option. It refuses an address that
// is not IPv6 with an [*EncodeError].
func (o IPv6Options) AppendHomeAddress(a netip.Addr) (IPv6Options, error) {
	home, ok := addr6(a)
	if !ok {
		return o, wrongAddr("IPv6 options", "HomeAddress", a)
	}
	return o.Append(IPv6OptionHomeAddress, home[:])
}

// QuickStart is a Quick-Start option of IPv4 or IPv6, RFC 4782, section 3.
type QuickStart struct {
	Function QuickStartFunction // 4 bits
	Rate     uint8              // 4 bits: 40 kbit/s times 2 to the power of Rate; 0 for none
	TTL      uint8              // decremented with the packet's own; 0 in a report
	Nonce    uint32             // 30 bits
	Reserved uint8              // 2 bits
}

// QuickStartFunction says what a Quick-Start option is for.
type QuickStartFunction uint8

const (
	QuickStartRequest QuickStartFunction = 0 // asks for a rate
	QuickStartReport  QuickStartFunction = 8 // tells the approved rate
)

// String returns "request", "report" or the number.
func (f QuickStartFunction) String() string {
	switch f {
	case QuickStartRequest:
		return "request"
	case QuickStartReport:
		return "report"
	default:
		return numbered("QuickStartFunction", int(f))
	}
}

// BitsPerSecond returns the rate that q asks for.
func (q QuickStart) BitsPerSecond() uint64 {
	if q.Rate&0xf == 0 {
		return 0
	}
	return 40_000 << (q.Rate & 0xf)
}

const quickStartLen = 6

func quickStart(b []byte) QuickStart {
	n := binary.BigEndian.Uint32(b[2:])
	return QuickStart{QuickStartFunction(b[0] >> 4), b[0] & 0xf, b[1], n >> 2, uint8(n & 3)}
}

// append appends the 6 bytes of the option's data. Bits that do not fit are
// left out.
func (q QuickStart) append(b []byte) []byte {
	b = append(b, uint8(q.Function)<<4|q.Rate&0xf, q.TTL)
	return binary.BigEndian.AppendUint32(b, q.Nonce<<2|uint32(q.Reserved)&3)
}

// QuickStart returns the Quick-Start option.
func (o IPv6Options) QuickStart() (QuickStart, bool) {
	if _, opt, ok := o.find(IPv6OptionQuickStart, quickStartLen); ok {
		return quickStart(opt.Data), true
	}
	return QuickStart{}, false
}

// AppendQuickStart appends a Quick-Start option; bits that do not fit their
// field are left out.
func (o IPv6Options) AppendQuickStart(q QuickStart) IPv6Options {
	return q.append(append(o, uint8(IPv6OptionQuickStart), quickStartLen))
}

// CALIPSO is a security label, RFC 5570, section 5.1.
type CALIPSO struct {
	DOI      uint32 // domain of interpretation
	CmptLen  uint8  // length of the bitmap in words of 4 bytes
	Level    uint8  // sensitivity
	Checksum uint16 // CRC-16 of the option, RFC 1662, appendix C
	Bitmap   []byte // compartments; aliases the options
}

const calipsoLen = 8

// CALIPSO returns the CALIPSO option. Its checksum is not verified.
func (o IPv6Options) CALIPSO() (CALIPSO, bool) {
	_, opt, ok := o.find(IPv6OptionCALIPSO, calipsoLen)
	if !ok || calipsoLen+4*int(opt.Data[4]) > len(opt.Data) {
		return CALIPSO{}, false
	}
	d := opt.Data
	end := calipsoLen + 4*int(d[4])
	return CALIPSO{binary.BigEndian.Uint32(d), d[4], d[5], binary.BigEndian.Uint16(d[6:]), d[calipsoLen:end:end]}, true
}

// RPLOption is what a packet carries through a low-power network, RFC 6553,
// section 3.
type RPLOption struct {
	Down         bool // O: the packet goes down
	RankError    bool // R: the ranks do not agree with the direction
	ForwardError bool // F: the next router has no route
	Flags        uint8
	InstanceID   uint8
	SenderRank   uint16
	Sub          []byte // further TLVs; aliases the options
}

// RPL returns the RPL option, under its present or its former number.
func (o IPv6Options) RPL() (RPLOption, bool) {
	const n = 4
	_, opt, ok := o.find(IPv6OptionRPL, n)
	if !ok {
		if _, opt, ok = o.find(IPv6OptionRPLOld, n); !ok {
			return RPLOption{}, false
		}
	}
	d := opt.Data
	return RPLOption{
		d[0]&0x80 != 0, d[0]&0x40 != 0, d[0]&0x20 != 0, d[0] & 0x1f,
		d[1], binary.BigEndian.Uint16(d[2:]), d[n:],
	}, true
}

// AppendRPL appends an RPL option under its present number. It refuses TLVs of
// more than 251 bytes with an [*EncodeError].
func (o IPv6Options) AppendRPL(r RPLOption) (IPv6Options, error) {
	if len(r.Sub) > ipv6OptionMaxData-4 {
		return o, TooLong("IPv6 options", "RPL", len(r.Sub), ipv6OptionMaxData-4)
	}
	flags := bit(r.Down)<<7 | bit(r.RankError)<<6 | bit(r.ForwardError)<<5 | r.Flags&0x1f
	o = append(o, uint8(IPv6OptionRPL), uint8(4+len(r.Sub)), flags, r.InstanceID)
	return append(binary.BigEndian.AppendUint16(o, r.SenderRank), r.Sub...), nil
}

// MPLOption identifies a multicast message in a low-power network, RFC 7731,
// section 6.1.
type MPLOption struct {
	S        uint8  // 2 bits: the length of the seed's identifier is 0, 2, 8 or 16 bytes
	Max      bool   // M: the sequence number is the highest that the sender knows
	V        bool   // must be 0
	Reserved uint8  // 4 bits
	Sequence uint8  // of the seed
	SeedID   []byte // empty when the source address identifies the seed; aliases the options
}

// MPL returns the MPL option.
func (o IPv6Options) MPL() (MPLOption, bool) {
	_, opt, ok := o.find(IPv6OptionMPL, 2)
	if !ok {
		return MPLOption{}, false
	}
	d := opt.Data
	s := d[0] >> 6
	end := 2 + [4]int{0, 2, 8, 16}[s]
	if end > len(d) {
		return MPLOption{}, false
	}
	return MPLOption{s, d[0]&0x20 != 0, d[0]&0x10 != 0, d[0] & 0xf, d[1], d[2:end:end]}, true
}

// PDMOption are performance and diagnostic metrics, RFC 8250, section 3.2.
type PDMOption struct {
	ScaleReceived, ScaleSent uint8  // the deltas count units of 2 to this power attoseconds
	PSNThis, PSNLast         uint16 // this packet's sequence number, and the last one received
	DeltaReceived, DeltaSent uint16
}

// PDM returns the metrics.
func (o IPv6Options) PDM() (PDMOption, bool) {
	_, opt, ok := o.find(IPv6OptionPDM, 10)
	if !ok {
		return PDMOption{}, false
	}
	d := opt.Data
	be := binary.BigEndian
	return PDMOption{d[0], d[1], be.Uint16(d[2:]), be.Uint16(d[4:]), be.Uint16(d[6:]), be.Uint16(d[8:])}, true
}

// AppendPDM appends a Performance and Diagnostic Metrics option.
func (o IPv6Options) AppendPDM(p PDMOption) IPv6Options {
	o = append(o, uint8(IPv6OptionPDM), 10, p.ScaleReceived, p.ScaleSent)
	for _, x := range [...]uint16{p.PSNThis, p.PSNLast, p.DeltaReceived, p.DeltaSent} {
		o = binary.BigEndian.AppendUint16(o, x)
	}
	return o
}

// MinPathMTU returns the smallest MTU on the way so far and the one that was
// reported for the way back, in bytes, RFC 9268, section 5. The lowest bit of
// the latter, which asks for a report, is returned apart.
func (o IPv6Options) MinPathMTU() (mtu, returned uint16, report, ok bool) {
	_, opt, ok := o.find(IPv6OptionMinPathMTU, 4)
	if !ok {
		return 0, 0, false, false
	}
	w := binary.BigEndian.Uint16(opt.Data[2:])
	return binary.BigEndian.Uint16(opt.Data), w &^ 1, w&1 != 0, true
}

// AppendMinPathMTU appends a Minimum Path MTU option.
func (o IPv6Options) AppendMinPathMTU(mtu, returned uint16, report bool) IPv6Options {
	o = binary.BigEndian.AppendUint16(append(o, uint8(IPv6OptionMinPathMTU), 4), mtu)
	return binary.BigEndian.AppendUint16(o, returned&^1|uint16(bit(report)))
}

// IOAM returns the IOAM option type and data of the first in situ OAM option,
// RFC 9486, section 3. The data aliases o.
func (o IPv6Options) IOAM() (optionType uint8, data []byte, ok bool) {
	_, opt, ok := o.find(IPv6OptionIOAMMutable, 2)
	if !ok {
		if _, opt, ok = o.find(IPv6OptionIOAM, 2); !ok {
			return 0, nil, false
		}
	}
	return opt.Data[1], opt.Data[2:], true
}
