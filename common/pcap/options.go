package pcap

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"net/netip"
	"strconv"

	"github.com/gopkts/gopkts/common/link"
)

// Option codes of pcapng, draft-ietf-opsawg-pcapng sections 3.5 and 4. What a
// code below 2988 means depends on the block it is in.
const (
	OptEnd                uint16 = 0 // opt_endofopt
	OptComment            uint16 = 1 // UTF-8 text, in any block
	OptCustomText         uint16 = 2988
	OptCustomBinary       uint16 = 2989
	OptCustomTextNoCopy   uint16 = 19372 // not to be copied by programs that do not know it
	OptCustomBinaryNoCopy uint16 = 19373

	OptSectionHardware    uint16 = 2 // shb_hardware
	OptSectionOS          uint16 = 3 // shb_os
	OptSectionApplication uint16 = 4 // shb_userappl

	OptInterfaceName        uint16 = 2  // if_name
	OptInterfaceDescription uint16 = 3  // if_description
	OptInterfaceIPv4        uint16 = 4  // if_IPv4addr: address and mask
	OptInterfaceIPv6        uint16 = 5  // if_IPv6addr: address and prefix length
	OptInterfaceMAC         uint16 = 6  // if_MACaddr
	OptInterfaceEUI         uint16 = 7  // if_EUIaddr
	OptInterfaceSpeed       uint16 = 8  // if_speed, bit/s
	OptInterfaceResolution  uint16 = 9  // if_tsresol
	OptInterfaceZone        uint16 = 10 // if_tzone, obsolete
	OptInterfaceFilter      uint16 = 11 // if_filter
	OptInterfaceOS          uint16 = 12 // if_os
	OptInterfaceFCSLen      uint16 = 13 // if_fcslen
	OptInterfaceOffset      uint16 = 14 // if_tsoffset, seconds
	OptInterfaceHardware    uint16 = 15 // if_hardware
	OptInterfaceTxSpeed     uint16 = 16 // if_txspeed, bit/s
	OptInterfaceRxSpeed     uint16 = 17 // if_rxspeed, bit/s
	OptInterfaceZoneName    uint16 = 18 // if_iana_tzname

	OptPacketFlags         uint16 = 2 // epb_flags, pack_flags
	OptPacketHash          uint16 = 3 // epb_hash, pack_hash
	OptPacketDropCount     uint16 = 4 // epb_dropcount
	OptPacketID            uint16 = 5 // epb_packetid
	OptPacketQueue         uint16 = 6 // epb_queue
	OptPacketVerdict       uint16 = 7 // epb_verdict
	OptPacketProcessThread uint16 = 8 // epb_processid_threadid

	OptNameServer     uint16 = 2 // ns_dnsname
	OptNameServerIPv4 uint16 = 3 // ns_dnsIP4addr
	OptNameServerIPv6 uint16 = 4 // ns_dnsIP6addr

	OptStatsStart          uint16 = 2 // isb_starttime
	OptStatsEnd            uint16 = 3 // isb_endtime
	OptStatsReceived       uint16 = 4 // isb_ifrecv
	OptStatsDropped        uint16 = 5 // isb_ifdrop
	OptStatsFilterAccepted uint16 = 6 // isb_filteraccept
	OptStatsOSDropped      uint16 = 7 // isb_osdrop
	OptStatsDelivered      uint16 = 8 // isb_usrdeliv
)

// Option is one option of a pcapng block.
//
// Numbers in Value are little-endian in whatever byte order the section is:
// reading a big-endian section swaps those options whose layout the
// specification gives, and writing one swaps them back. Value holds no padding.
type Option struct {
	Code  uint16
	Value []byte // up to 65,535 bytes
}

// TextOption returns an option with a text, such as OptComment.
func TextOption(code uint16, text string) Option {
	return Option{code, []byte(text)}
}

// Uint32Option returns an option with a 32-bit number, such as OptPacketFlags.
func Uint32Option(code uint16, v uint32) Option {
	return Option{code, binary.LittleEndian.AppendUint32(nil, v)}
}

// Uint64Option returns an option with a 64-bit number, such as
// OptStatsReceived.
func Uint64Option(code uint16, v uint64) Option {
	return Option{code, binary.LittleEndian.AppendUint64(nil, v)}
}

// TimestampOption returns an OptStatsStart or OptStatsEnd with a timestamp in
// the interface's units, which those two hold as two 32-bit halves.
func TimestampOption(code uint16, units uint64) Option {
	b := binary.LittleEndian.AppendUint32(nil, uint32(units>>32))
	return Option{code, binary.LittleEndian.AppendUint32(b, uint32(units))}
}

// CustomOption returns one of the four custom options, with the Private
// Enterprise Number of who defined it.
func CustomOption(code uint16, enterprise uint32, data []byte) Option {
	return Option{code, append(binary.LittleEndian.AppendUint32(nil, enterprise), data...)}
}

// Options are the options of a block in the order of the file, without
// opt_endofopt.
type Options []Option

// All returns the values of every option with the code.
func (o Options) All(code uint16) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range o {
			if o[i].Code == code && !yield(o[i].Value) {
				return
			}
		}
	}
}

// Lookup returns the value of the first option with the code.
func (o Options) Lookup(code uint16) (value []byte, ok bool) {
	for i := range o {
		if o[i].Code == code {
			return o[i].Value, true
		}
	}
	return nil, false
}

// Text returns the first option with the code as a text, or "".
func (o Options) Text(code uint16) string {
	v, _ := o.Lookup(code)
	return string(v)
}

// Uint32 returns the first option with the code as a number; ok is false if
// there is none or its length is not 4.
func (o Options) Uint32(code uint16) (v uint32, ok bool) {
	if b, _ := o.Lookup(code); len(b) == 4 {
		return binary.LittleEndian.Uint32(b), true
	}
	return 0, false
}

// Uint64 returns the first option with the code as a number; ok is false if
// there is none or its length is not 8.
func (o Options) Uint64(code uint16) (v uint64, ok bool) {
	if b, _ := o.Lookup(code); len(b) == 8 {
		return binary.LittleEndian.Uint64(b), true
	}
	return 0, false
}

// timestamp is Uint64 for the options made by TimestampOption.
func (o Options) timestamp(code uint16) (v uint64, ok bool) {
	v, ok = o.Uint64(code)
	return bits.RotateLeft64(v, 32), ok
}

// Comments returns every comment.
func (o Options) Comments() []string {
	var out []string
	for v := range o.All(OptComment) {
		out = append(out, string(v))
	}
	return out
}

// Custom is the content of a custom option.
type Custom struct {
	Enterprise uint32 // IANA Private Enterprise Number
	Data       []byte // aliases the option
	Text       bool   // Data is UTF-8 text
	NoCopy     bool   // programs that change the file shall not copy it
}

// Custom returns every custom option.
func (o Options) Custom() []Custom {
	var out []Custom
	for _, opt := range o {
		if !isCustom(opt.Code) || len(opt.Value) < 4 {
			continue
		}
		out = append(out, Custom{
			Enterprise: binary.LittleEndian.Uint32(opt.Value),
			Data:       opt.Value[4:],
			Text:       opt.Code == OptCustomText || opt.Code == OptCustomTextNoCopy,
			NoCopy:     opt.Code == OptCustomTextNoCopy || opt.Code == OptCustomBinaryNoCopy,
		})
	}
	return out
}

func isCustom(code uint16) bool {
	switch code {
	case OptCustomText, OptCustomBinary, OptCustomTextNoCopy, OptCustomBinaryNoCopy:
		return true
	}
	return false
}

// OptionsEnd says how the options of a block are ended.
type OptionsEnd uint8

const (
	// EndAuto, the zero value, writes opt_endofopt if there are options.
	EndAuto OptionsEnd = iota
	// EndNone leaves opt_endofopt out; some programs do so.
	EndNone
	// EndAlways writes opt_endofopt although there are no options.
	EndAlways
)

// maxOptions bounds how many options of a block are kept: an empty option of
// four bytes takes eight times as much in memory.
const maxOptions = 1 << 16

// parseOptions decodes an option list. Values alias b where the byte order
// allows it. On an error the options before it are returned too.
func parseOptions(b []byte, order ByteOrder, typ BlockType) (Options, OptionsEnd, error) {
	var out Options
	end := EndNone
	for len(b) >= 4 {
		code, n := order.u16(b), int(order.u16(b[2:]))
		b = b[4:]
		if code == OptEnd {
			end = EndAuto
			break
		}
		if n > len(b) {
			return out, end, malformed("option %d has %d bytes, %d are left", code, n, len(b))
		}
		if len(out) == maxOptions {
			return out, end, malformed("more than %d options", maxOptions)
		}
		v := b[:n:n]
		if order == BigEndian {
			v = swapOption(v, typ, code)
		}
		out = append(out, Option{code, v})
		b = b[min((n+3)&^3, len(b)):]
	}
	switch {
	case out == nil && end == EndNone:
		end = EndAuto
	case out == nil:
		end = EndAlways
	}
	return out, end, nil
}

// appendOptions is the reverse of parseOptions.
func appendOptions(b []byte, opts Options, end OptionsEnd, order ByteOrder, typ BlockType) ([]byte, error) {
	for _, opt := range opts {
		if len(opt.Value) > 0xffff {
			return b, invalid("option %d has %d bytes, the most is 65535", opt.Code, len(opt.Value))
		}
		if opt.Code == OptEnd {
			return b, invalid("opt_endofopt among the options: see OptionsEnd")
		}
		v := opt.Value
		if order == BigEndian {
			v = swapOption(v, typ, opt.Code)
		}
		b = order.appendU16(b, opt.Code)
		b = order.appendU16(b, uint16(len(v)))
		b = append(b, v...)
		b = appendPad(b, len(v))
	}
	if end == EndAlways || end == EndAuto && len(opts) > 0 {
		b = append(b, 0, 0, 0, 0)
	}
	return b, nil
}

// appendPad appends what brings n bytes to a multiple of four.
func appendPad(b []byte, n int) []byte {
	return append(b, make([]byte, -n&3)...)
}

// swapOption returns the value of an option with the byte order of its numbers
// reversed: v itself if it has none.
func swapOption(v []byte, typ BlockType, code uint16) []byte {
	size := 0
	switch {
	case isCustom(code):
		if len(v) < 4 {
			return v
		}
		out := append([]byte(nil), v...)
		binary.BigEndian.PutUint32(out, binary.LittleEndian.Uint32(v))
		return out
	case typ == BlockInterfaceDescription:
		switch code {
		case OptInterfaceSpeed, OptInterfaceTxSpeed, OptInterfaceRxSpeed, OptInterfaceOffset:
			size = 8
		case OptInterfaceZone:
			size = 4
		}
	case typ == BlockEnhancedPacket:
		switch code {
		case OptPacketDropCount, OptPacketID:
			size = 8
		case OptPacketFlags, OptPacketQueue:
			size = 4
		case OptPacketProcessThread:
			return swapHalves(v)
		}
	case typ == BlockObsoletePacket && code == OptPacketFlags:
		size = 4
	case typ == BlockInterfaceStatistics:
		switch code {
		case OptStatsStart, OptStatsEnd:
			return swapHalves(v)
		case OptStatsReceived, OptStatsDropped, OptStatsFilterAccepted, OptStatsOSDropped, OptStatsDelivered:
			size = 8
		}
	}
	switch {
	case size == 4 && len(v) == 4:
		return binary.BigEndian.AppendUint32(nil, binary.LittleEndian.Uint32(v))
	case size == 8 && len(v) == 8:
		return binary.BigEndian.AppendUint64(nil, binary.LittleEndian.Uint64(v))
	}
	return v
}

// swapHalves reverses two 32-bit numbers.
func swapHalves(v []byte) []byte {
	if len(v) != 8 {
		return v
	}
	out := binary.BigEndian.AppendUint32(nil, binary.LittleEndian.Uint32(v))
	return binary.BigEndian.AppendUint32(out, binary.LittleEndian.Uint32(v[4:]))
}

// PacketFlags is the epb_flags option, draft-ietf-opsawg-pcapng section 4.3.1:
// direction, reception type, FCS length, and link-layer errors.
type PacketFlags uint32

const (
	flagDirection = 0x3
	flagInbound   = 1
	flagOutbound  = 2

	flagReception      = 7 << 2
	receptionUnicast   = 1 << 2
	receptionMulticast = 2 << 2
	receptionBroadcast = 3 << 2
	receptionOther     = 4 << 2

	flagFCSShift = 5
	flagFCSMask  = 0xf
)

// Direction returns the direction and reception type as one value.
func (f PacketFlags) Direction() link.Direction {
	if f&flagDirection == flagOutbound {
		return link.DirectionOut
	}
	switch f & flagReception {
	case receptionMulticast:
		return link.DirectionMulticast
	case receptionBroadcast:
		return link.DirectionBroadcast
	case receptionOther:
		return link.DirectionOther
	}
	if f&flagDirection == flagInbound || f&flagReception == receptionUnicast {
		return link.DirectionIn
	}
	return link.DirectionUnknown
}

// DirectionFlags returns the flags for a direction, 0 for an unknown one.
func DirectionFlags(d link.Direction) PacketFlags {
	switch d {
	case link.DirectionIn:
		return flagInbound
	case link.DirectionOut:
		return flagOutbound
	case link.DirectionMulticast:
		return flagInbound | receptionMulticast
	case link.DirectionBroadcast:
		return flagInbound | receptionBroadcast
	case link.DirectionOther:
		return flagInbound | receptionOther
	default:
		return 0
	}
}

// FCSLen returns the length in bytes of the frame check sequence at the end of
// the packet, 0 if the flags do not say.
func (f PacketFlags) FCSLen() int { return int(f >> flagFCSShift & flagFCSMask) }

// LinkErrors returns the link-layer error bits, 16 to 31, moved to bit 0.
func (f PacketFlags) LinkErrors() uint16 { return uint16(f >> 16) }

// HashAlgorithm is the first byte of an epb_hash option.
type HashAlgorithm uint8

// Hash algorithms, draft-ietf-opsawg-pcapng section 4.3.1.
const (
	HashTwosComplement HashAlgorithm = iota
	HashXOR
	HashCRC32
	HashMD5
	HashSHA1
	HashToeplitz
)

// String returns the algorithm's name.
func (a HashAlgorithm) String() string {
	switch a {
	case HashTwosComplement:
		return "2s-complement"
	case HashXOR:
		return "xor"
	case HashCRC32:
		return "crc32"
	case HashMD5:
		return "md5"
	case HashSHA1:
		return "sha1"
	case HashToeplitz:
		return "toeplitz"
	}
	return "hash-" + strconv.Itoa(int(a))
}

// PacketHash is an epb_hash option.
type PacketHash struct {
	Algorithm HashAlgorithm
	Value     []byte // aliases the option
}

// VerdictKind is the first byte of an epb_verdict option.
type VerdictKind uint8

// Kinds of verdict, draft-ietf-opsawg-pcapng section 4.3.1.
const (
	VerdictHardware VerdictKind = iota // meaning is the device's
	VerdictTC                          // Linux eBPF TC, TC_ACT_* in 64 bits
	VerdictXDP                         // Linux eBPF XDP, XDP_* in 64 bits
)

// PacketVerdict is an epb_verdict option.
type PacketVerdict struct {
	Kind  VerdictKind
	Value []byte // as in the file; aliases the option
}

// PacketOptions are the options of a packet block.
type PacketOptions Options

// Comments returns every comment.
func (o PacketOptions) Comments() []string { return Options(o).Comments() }

// Flags returns epb_flags.
func (o PacketOptions) Flags() (PacketFlags, bool) {
	v, ok := Options(o).Uint32(OptPacketFlags)
	return PacketFlags(v), ok
}

// Hashes returns every epb_hash.
func (o PacketOptions) Hashes() []PacketHash {
	var out []PacketHash
	for v := range Options(o).All(OptPacketHash) {
		if len(v) > 0 {
			out = append(out, PacketHash{HashAlgorithm(v[0]), v[1:]})
		}
	}
	return out
}

// DropCount returns epb_dropcount: how many packets were lost between this and
// the one before of the same interface.
func (o PacketOptions) DropCount() (uint64, bool) { return Options(o).Uint64(OptPacketDropCount) }

// PacketID returns epb_packetid, the same for one packet on several interfaces.
func (o PacketOptions) PacketID() (uint64, bool) { return Options(o).Uint64(OptPacketID) }

// Queue returns epb_queue, the number of the device queue.
func (o PacketOptions) Queue() (uint32, bool) { return Options(o).Uint32(OptPacketQueue) }

// Verdicts returns every epb_verdict.
func (o PacketOptions) Verdicts() []PacketVerdict {
	var out []PacketVerdict
	for v := range Options(o).All(OptPacketVerdict) {
		if len(v) > 0 {
			out = append(out, PacketVerdict{VerdictKind(v[0]), v[1:]})
		}
	}
	return out
}

// ProcessThread returns epb_processid_threadid.
func (o PacketOptions) ProcessThread() (process, thread uint32, ok bool) {
	v, ok := Options(o).Uint64(OptPacketProcessThread)
	return uint32(v), uint32(v >> 32), ok
}

// Resolution is the unit of an interface's timestamps, the if_tsresol option:
// a negative power of 10 or of 2 of a second. The zero value is that of an
// interface that does not say, a microsecond.
type Resolution uint16

// Usual resolutions.
const (
	ResolutionDefault Resolution = 0
	ResolutionMicro   Resolution = resolutionSet | 6
	ResolutionNano    Resolution = resolutionSet | 9

	resolutionSet    = 1 << 8
	resolutionBinary = 1 << 7
)

func rawResolution(b byte) Resolution { return resolutionSet | Resolution(b) }

// DecimalResolution returns the resolution of 10 to the power -n seconds, n up
// to 127.
func DecimalResolution(n uint8) Resolution { return resolutionSet | Resolution(n&^resolutionBinary) }

// BinaryResolution returns the resolution of 2 to the power -n seconds, n up
// to 127.
func BinaryResolution(n uint8) Resolution { return resolutionSet | resolutionBinary | Resolution(n) }

// Exponent returns n of 10 or 2 to the power -n.
func (r Resolution) Exponent() uint8 {
	if r == ResolutionDefault {
		return 6
	}
	return uint8(r) &^ resolutionBinary
}

// Binary reports whether the unit is a power of 2.
func (r Resolution) Binary() bool { return r&resolutionBinary != 0 }

// String returns "10^-6 s" or "2^-10 s".
func (r Resolution) String() string {
	base := "10"
	if r.Binary() {
		base = "2"
	}
	return base + "^-" + strconv.Itoa(int(r.Exponent())) + " s"
}

// Interface is what a pcapng file says of an interface, decoded from an
// [InterfaceDescription].
type Interface struct {
	Name, Description string
	Comments          []string
	// Addrs are the addresses with their networks.
	Addrs []netip.Prefix
	// MAC is the hardware address; zero if unknown.
	MAC link.MacAddr
	// EUI is the 64-bit hardware address; zero if unknown.
	EUI [8]byte
	// Speed, and TxSpeed and RxSpeed where they differ, in bit/s; 0 if unknown.
	Speed, TxSpeed, RxSpeed uint64
	// Resolution is the unit of the timestamps in the file, and Offset is what
	// is to be added to them in seconds. Times of frames have both applied.
	Resolution Resolution
	Offset     int64
	// Filter is the text of the capture filter. FilterProgram is its BPF
	// instructions, if the file has those instead.
	Filter        string
	FilterProgram []byte
	OS, Hardware  string
	// FCSLen is the length in bytes of the frame check sequence; HasFCSLen says
	// whether the file has it.
	FCSLen    uint8
	HasFCSLen bool
	// ZoneName is the time zone of the capturing host, as in "Europe/Berlin".
	ZoneName string
	// SnapLen is the capture limit in bytes, 0 for none.
	SnapLen uint32
	Link    link.Type
	// Section is the number of the section within the file, from 0.
	Section int
	// Other holds the options that no field above stands for.
	Other Options
}

// Interface decodes the options of the block. An option that comes twice
// counts the first time, one of a wrong length goes to Other.
func (d *InterfaceDescription) Interface() Interface {
	out := Interface{Link: normalLink(uint16(d.Link)), SnapLen: d.SnapLen}
	var seen uint32 // by code
	for _, opt := range d.Options {
		if !out.take(opt, &seen) {
			out.Other = append(out.Other, opt)
		}
	}
	return out
}

// take puts one option into its field and reports whether it has one.
func (i *Interface) take(opt Option, seen *uint32) bool {
	v, n := opt.Value, len(opt.Value)
	switch opt.Code {
	case OptComment:
		i.Comments = append(i.Comments, string(v))
		return true
	case OptInterfaceIPv4:
		if n != 8 {
			return false
		}
		ones := bits.LeadingZeros32(^binary.BigEndian.Uint32(v[4:]))
		if binary.BigEndian.Uint32(v[4:])<<ones != 0 {
			return false // a mask that is no prefix
		}
		i.Addrs = append(i.Addrs, netip.PrefixFrom(netip.AddrFrom4([4]byte(v)), ones))
		return true
	case OptInterfaceIPv6:
		if n != 17 || v[16] > 128 {
			return false
		}
		i.Addrs = append(i.Addrs, netip.PrefixFrom(netip.AddrFrom16([16]byte(v)), int(v[16])))
		return true
	}
	if opt.Code > OptInterfaceZoneName || *seen&(1<<opt.Code) != 0 {
		return false
	}
	number := func(dst *uint64) bool {
		if n == 8 {
			*dst = binary.LittleEndian.Uint64(v)
		}
		return n == 8
	}
	ok := true
	switch opt.Code {
	case OptInterfaceName:
		i.Name = string(v)
	case OptInterfaceDescription:
		i.Description = string(v)
	case OptInterfaceOS:
		i.OS = string(v)
	case OptInterfaceHardware:
		i.Hardware = string(v)
	case OptInterfaceZoneName:
		i.ZoneName = string(v)
	case OptInterfaceMAC:
		if ok = n == 6; ok {
			i.MAC = link.MacAddr(v)
		}
	case OptInterfaceEUI:
		if ok = n == 8; ok {
			i.EUI = [8]byte(v)
		}
	case OptInterfaceSpeed:
		ok = number(&i.Speed)
	case OptInterfaceTxSpeed:
		ok = number(&i.TxSpeed)
	case OptInterfaceRxSpeed:
		ok = number(&i.RxSpeed)
	case OptInterfaceOffset:
		var u uint64
		ok = number(&u)
		i.Offset = int64(u)
	case OptInterfaceResolution:
		if ok = n == 1; ok {
			i.Resolution = rawResolution(v[0])
		}
	case OptInterfaceFCSLen:
		if ok = n == 1; ok {
			i.FCSLen, i.HasFCSLen = v[0], true
		}
	case OptInterfaceFilter:
		switch {
		case n > 0 && v[0] == 0:
			i.Filter = string(v[1:])
		case n > 0 && v[0] == 1:
			i.FilterProgram = v[1:]
		default:
			ok = false
		}
	default:
		ok = false
	}
	if ok {
		*seen |= 1 << opt.Code
	}
	return ok
}

// Block returns the block that describes the interface.
func (i *Interface) Block() *InterfaceDescription {
	d := &InterfaceDescription{Link: i.Link, SnapLen: i.SnapLen}
	text := func(code uint16, s string) {
		if s != "" {
			d.Options = append(d.Options, TextOption(code, s))
		}
	}
	number := func(code uint16, v uint64) {
		if v != 0 {
			d.Options = append(d.Options, Uint64Option(code, v))
		}
	}
	text(OptInterfaceName, i.Name)
	text(OptInterfaceDescription, i.Description)
	for _, c := range i.Comments {
		d.Options = append(d.Options, TextOption(OptComment, c))
	}
	for _, p := range i.Addrs {
		switch a := p.Addr(); {
		case a.Is4():
			v := binary.BigEndian.AppendUint32(a.AsSlice(), ^uint32(0)<<(32-max(p.Bits(), 0)))
			d.Options = append(d.Options, Option{OptInterfaceIPv4, v})
		case a.Is6():
			d.Options = append(d.Options, Option{OptInterfaceIPv6, append(a.AsSlice(), byte(max(p.Bits(), 0)))})
		}
	}
	if i.MAC != (link.MacAddr{}) {
		d.Options = append(d.Options, Option{OptInterfaceMAC, i.MAC[:]})
	}
	if i.EUI != ([8]byte{}) {
		d.Options = append(d.Options, Option{OptInterfaceEUI, i.EUI[:]})
	}
	number(OptInterfaceSpeed, i.Speed)
	number(OptInterfaceTxSpeed, i.TxSpeed)
	number(OptInterfaceRxSpeed, i.RxSpeed)
	if i.Resolution != ResolutionDefault {
		d.Options = append(d.Options, Option{OptInterfaceResolution, []byte{byte(i.Resolution)}})
	}
	number(OptInterfaceOffset, uint64(i.Offset))
	if i.Filter != "" {
		text(OptInterfaceFilter, "\x00"+i.Filter)
	} else if i.FilterProgram != nil {
		d.Options = append(d.Options, Option{OptInterfaceFilter, append([]byte{1}, i.FilterProgram...)})
	}
	text(OptInterfaceOS, i.OS)
	text(OptInterfaceHardware, i.Hardware)
	if i.HasFCSLen {
		d.Options = append(d.Options, Option{OptInterfaceFCSLen, []byte{i.FCSLen}})
	}
	text(OptInterfaceZoneName, i.ZoneName)
	d.Options = append(d.Options, i.Other...)
	return d
}
