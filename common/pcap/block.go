package pcap

import (
	"bytes"
	"iter"
	"net/netip"
	"strconv"

	"github.com/gopkts/gopkts/common/link"
)

// BlockType is the type code of a pcapng block.
type BlockType uint32

// Block types, draft-ietf-opsawg-pcapng section 10.1.
const (
	BlockSectionHeader        BlockType = 0x0a0d0d0a
	BlockInterfaceDescription BlockType = 1
	BlockObsoletePacket       BlockType = 2
	BlockSimplePacket         BlockType = 3
	BlockNameResolution       BlockType = 4
	BlockInterfaceStatistics  BlockType = 5
	BlockEnhancedPacket       BlockType = 6
	BlockSystemdJournal       BlockType = 9
	BlockDecryptionSecrets    BlockType = 10
	BlockCustom               BlockType = 0x0bad
	BlockCustomNoCopy         BlockType = 0x40000bad
)

// String returns "enhanced packet block" and the like.
func (t BlockType) String() string {
	switch t {
	case BlockSectionHeader:
		return "section header block"
	case BlockInterfaceDescription:
		return "interface description block"
	case BlockObsoletePacket:
		return "obsolete packet block"
	case BlockSimplePacket:
		return "simple packet block"
	case BlockNameResolution:
		return "name resolution block"
	case BlockInterfaceStatistics:
		return "interface statistics block"
	case BlockEnhancedPacket:
		return "enhanced packet block"
	case BlockSystemdJournal:
		return "systemd journal block"
	case BlockDecryptionSecrets:
		return "decryption secrets block"
	case BlockCustom:
		return "custom block"
	case BlockCustomNoCopy:
		return "custom block (no copy)"
	}
	return "block of type 0x" + strconv.FormatUint(uint64(t), 16)
}

func (t BlockType) isPacket() bool {
	return t == BlockEnhancedPacket || t == BlockSimplePacket || t == BlockObsoletePacket
}

// known reports whether the package has a type for the block.
func (t BlockType) known() bool {
	switch t {
	case BlockSectionHeader, BlockInterfaceDescription, BlockObsoletePacket, BlockSimplePacket,
		BlockNameResolution, BlockInterfaceStatistics, BlockEnhancedPacket, BlockSystemdJournal,
		BlockDecryptionSecrets, BlockCustom, BlockCustomNoCopy:
		return true
	}
	return false
}

// Block is a pcapng block: one of the types below.
//
// A block that was read keeps its options in order, with those it does not
// know, so that writing it gives back its bytes. Exceptions are blocks that
// break the rules in ways that no field stands for: padding that is not zero,
// lengths that disagree, bytes behind the end of the options.
type Block interface {
	// Type returns the block's type code.
	Type() BlockType
	// AppendBody appends what stands between the block's two lengths, in the
	// given byte order.
	AppendBody(b []byte, order ByteOrder) ([]byte, error)
}

var (
	_ Block = (*SectionHeader)(nil)
	_ Block = (*InterfaceDescription)(nil)
	_ Block = (*EnhancedPacket)(nil)
	_ Block = (*SimplePacket)(nil)
	_ Block = (*ObsoletePacket)(nil)
	_ Block = (*NameResolution)(nil)
	_ Block = (*InterfaceStatistics)(nil)
	_ Block = (*DecryptionSecrets)(nil)
	_ Block = (*SystemdJournal)(nil)
	_ Block = (*CustomBlock)(nil)
	_ Block = (*UnknownBlock)(nil)
)

// SectionHeader begins a section: it sets the byte order of what follows and
// forgets the interfaces before it. Section 4.1.
type SectionHeader struct {
	Order ByteOrder
	// Major and Minor are the version; 0.0 is written as 1.0.
	Major, Minor uint16
	// Length is the length in bytes of the section after this block, if
	// HasLength is set. Readers here do not rely on it.
	Length     uint64
	HasLength  bool
	Options    Options
	OptionsEnd OptionsEnd
}

// Type returns BlockSectionHeader.
func (*SectionHeader) Type() BlockType { return BlockSectionHeader }

// Comments returns the comments on the section.
func (s *SectionHeader) Comments() []string { return s.Options.Comments() }

// Hardware returns what the capturing host was.
func (s *SectionHeader) Hardware() string { return s.Options.Text(OptSectionHardware) }

// OS returns the operating system that captured.
func (s *SectionHeader) OS() string { return s.Options.Text(OptSectionOS) }

// Application returns the program that captured.
func (s *SectionHeader) Application() string { return s.Options.Text(OptSectionApplication) }

const unknownSectionLength = ^uint64(0)

func (s *SectionHeader) parse(b []byte, order ByteOrder) (err error) {
	s.Order = order
	s.Major, s.Minor = order.u16(b[4:]), order.u16(b[6:])
	if n := order.u64(b[8:]); n != unknownSectionLength {
		s.Length, s.HasLength = n, true
	}
	s.Options, s.OptionsEnd, err = parseOptions(b[sectionBodyLen:], order, BlockSectionHeader)
	return err
}

// AppendBody appends the body; the order is s.Order, not the argument.
func (s *SectionHeader) AppendBody(b []byte, _ ByteOrder) ([]byte, error) {
	major := s.Major
	if s.Major == 0 && s.Minor == 0 {
		major = 1
	}
	length := unknownSectionLength
	if s.HasLength {
		length = s.Length
	}
	b = s.Order.appendU32(b, byteOrderMagic)
	b = s.Order.appendU16(b, major)
	b = s.Order.appendU16(b, s.Minor)
	b = s.Order.appendU64(b, length)
	return appendOptions(b, s.Options, s.OptionsEnd, s.Order, BlockSectionHeader)
}

// InterfaceDescription describes an interface; packets name it by its number
// within the section. Section 4.2. [InterfaceDescription.Interface] decodes
// the options.
type InterfaceDescription struct {
	Link       link.Type // as in the file
	Reserved   uint16
	SnapLen    uint32 // bytes, 0 for no limit
	Options    Options
	OptionsEnd OptionsEnd
}

// Type returns BlockInterfaceDescription.
func (*InterfaceDescription) Type() BlockType { return BlockInterfaceDescription }

func (d *InterfaceDescription) parse(b []byte, order ByteOrder) (err error) {
	d.Link, d.Reserved, d.SnapLen = link.Type(order.u16(b)), order.u16(b[2:]), order.u32(b[4:])
	d.Options, d.OptionsEnd, err = parseOptions(b[interfaceBodyLen:], order, BlockInterfaceDescription)
	return err
}

// AppendBody appends the body.
func (d *InterfaceDescription) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU16(b, uint16(d.Link))
	b = order.appendU16(b, d.Reserved)
	b = order.appendU32(b, d.SnapLen)
	return appendOptions(b, d.Options, d.OptionsEnd, order, BlockInterfaceDescription)
}

// EnhancedPacket is a packet with time, interface and options. Section 4.3.
type EnhancedPacket struct {
	Interface  uint32 // number within the section
	Timestamp  uint64 // in units of the interface's Resolution
	WireLen    uint32 // bytes
	Data       []byte
	Options    PacketOptions
	OptionsEnd OptionsEnd
}

// Type returns BlockEnhancedPacket.
func (*EnhancedPacket) Type() BlockType { return BlockEnhancedPacket }

func (p *EnhancedPacket) parse(b []byte, order ByteOrder) error {
	p.Interface = order.u32(b)
	p.Timestamp = uint64(order.u32(b[4:]))<<32 | uint64(order.u32(b[8:]))
	p.WireLen = order.u32(b[16:])
	data, rest, err := packetData(b[enhancedBodyLen:], order.u32(b[12:]))
	if err != nil {
		return err
	}
	p.Data = data
	var opts Options
	opts, p.OptionsEnd, err = parseOptions(rest, order, BlockEnhancedPacket)
	p.Options = PacketOptions(opts)
	return err
}

// packetData splits captured bytes from the options behind them.
func packetData(b []byte, capLen uint32) (data, rest []byte, err error) {
	if int64(capLen) > int64(len(b)) {
		return nil, nil, malformed("%d captured bytes in a block that has room for %d", capLen, len(b))
	}
	return b[:capLen:capLen], b[min((int(capLen)+3)&^3, len(b)):], nil
}

// AppendBody appends the body.
func (p *EnhancedPacket) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU32(b, p.Interface)
	b = order.appendU32(b, uint32(p.Timestamp>>32))
	b = order.appendU32(b, uint32(p.Timestamp))
	b = order.appendU32(b, uint32(len(p.Data)))
	b = order.appendU32(b, p.WireLen)
	b = append(b, p.Data...)
	b = appendPad(b, len(p.Data))
	return appendOptions(b, Options(p.Options), p.OptionsEnd, order, BlockEnhancedPacket)
}

// SimplePacket is a packet of the section's first interface, without time.
// Section 4.4.
type SimplePacket struct {
	WireLen uint32 // bytes
	// Data is WireLen bytes, or as many as the interface's snap length. The
	// block does not hold its length: a reader that does not know the
	// interface cannot tell it from the padding.
	Data []byte
}

// Type returns BlockSimplePacket.
func (*SimplePacket) Type() BlockType { return BlockSimplePacket }

func (p *SimplePacket) parse(b []byte, order ByteOrder) error {
	p.WireLen = order.u32(b)
	p.Data = b[simpleBodyLen:]
	if int64(p.WireLen) < int64(len(p.Data)) {
		p.Data = p.Data[:p.WireLen:p.WireLen]
	}
	return nil
}

// AppendBody appends the body.
func (p *SimplePacket) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU32(b, p.WireLen)
	b = append(b, p.Data...)
	return appendPad(b, len(p.Data)), nil
}

// noDrops in an obsolete packet block says that the count is not known.
const noDrops = 0xffff

// ObsoletePacket is what EnhancedPacket replaced. Appendix A.
type ObsoletePacket struct {
	Interface  uint16
	Drops      uint16 // packets lost before this one, 0xffff if unknown
	Timestamp  uint64 // in units of the interface's Resolution
	WireLen    uint32 // bytes
	Data       []byte
	Options    PacketOptions
	OptionsEnd OptionsEnd
}

// Type returns BlockObsoletePacket.
func (*ObsoletePacket) Type() BlockType { return BlockObsoletePacket }

func (p *ObsoletePacket) parse(b []byte, order ByteOrder) error {
	p.Interface, p.Drops = order.u16(b), order.u16(b[2:])
	p.Timestamp = uint64(order.u32(b[4:]))<<32 | uint64(order.u32(b[8:]))
	p.WireLen = order.u32(b[16:])
	data, rest, err := packetData(b[obsoleteBodyLen:], order.u32(b[12:]))
	if err != nil {
		return err
	}
	p.Data = data
	var opts Options
	opts, p.OptionsEnd, err = parseOptions(rest, order, BlockObsoletePacket)
	p.Options = PacketOptions(opts)
	return err
}

// AppendBody appends the body.
func (p *ObsoletePacket) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU16(b, p.Interface)
	b = order.appendU16(b, p.Drops)
	b = order.appendU32(b, uint32(p.Timestamp>>32))
	b = order.appendU32(b, uint32(p.Timestamp))
	b = order.appendU32(b, uint32(len(p.Data)))
	b = order.appendU32(b, p.WireLen)
	b = append(b, p.Data...)
	b = appendPad(b, len(p.Data))
	return appendOptions(b, Options(p.Options), p.OptionsEnd, order, BlockObsoletePacket)
}

// NameRecordType is the kind of address of a [NameRecord].
type NameRecordType uint16

// Kinds of name records, section 4.5.
const (
	nameRecordEnd  NameRecordType = 0
	NameRecordIPv4 NameRecordType = 1
	NameRecordIPv6 NameRecordType = 2
	NameRecordMAC  NameRecordType = 3
	NameRecordEUI  NameRecordType = 4
)

// NameRecord gives names to an address.
type NameRecord struct {
	Type NameRecordType
	// Value is the address and its names, each ended by a zero byte.
	Value []byte
}

// NewNameRecord returns the record that gives names to an IP address.
func NewNameRecord(addr netip.Addr, names ...string) NameRecord {
	addr = addr.Unmap().WithZone("")
	rec := NameRecord{Type: NameRecordIPv6, Value: addr.AsSlice()}
	if addr.Is4() {
		rec.Type = NameRecordIPv4
	}
	for _, name := range names {
		rec.Value = append(append(rec.Value, name...), 0)
	}
	return rec
}

// addrLen returns the length of the record's address, 0 for an unknown kind.
func (r *NameRecord) addrLen() int {
	switch r.Type {
	case NameRecordIPv4:
		return 4
	case NameRecordIPv6:
		return 16
	case NameRecordMAC:
		return 6
	case NameRecordEUI:
		return 8
	}
	return 0
}

// Addr returns the IP address of an IPv4 or IPv6 record; it is invalid for
// others.
func (r *NameRecord) Addr() netip.Addr {
	if r.Type != NameRecordIPv4 && r.Type != NameRecordIPv6 || len(r.Value) < r.addrLen() {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(r.Value[:r.addrLen()])
	return addr
}

// MAC returns the address of a MAC record.
func (r *NameRecord) MAC() (mac link.MacAddr, ok bool) {
	if r.Type != NameRecordMAC || len(r.Value) < r.addrLen() {
		return mac, false
	}
	return link.MacAddr(r.Value[:6]), true
}

// Names returns the names; a last one without its zero byte counts too.
func (r *NameRecord) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		b := r.Value[min(r.addrLen(), len(r.Value)):]
		for len(b) > 0 {
			name, rest, _ := bytes.Cut(b, []byte{0})
			if !yield(string(name)) {
				return
			}
			b = rest
		}
	}
}

// maxNameRecords bounds how many records of a block are kept.
const maxNameRecords = 1 << 20

// NameResolution maps addresses to names. Section 4.5.
type NameResolution struct {
	Records []NameRecord
	// NoRecordEnd says that nrb_record_end is missing, and Options with it.
	NoRecordEnd bool
	Options     Options
	OptionsEnd  OptionsEnd
}

// Type returns BlockNameResolution.
func (*NameResolution) Type() BlockType { return BlockNameResolution }

func (n *NameResolution) parse(b []byte, order ByteOrder) (err error) {
	for len(b) >= 4 {
		typ, size := NameRecordType(order.u16(b)), int(order.u16(b[2:]))
		b = b[4:]
		if typ == nameRecordEnd {
			n.Options, n.OptionsEnd, err = parseOptions(b, order, BlockNameResolution)
			return err
		}
		if size > len(b) {
			return malformed("name record has %d bytes, %d are left", size, len(b))
		}
		if len(n.Records) == maxNameRecords {
			return malformed("more than %d name records", maxNameRecords)
		}
		n.Records = append(n.Records, NameRecord{typ, b[:size:size]})
		b = b[min((size+3)&^3, len(b)):]
	}
	n.NoRecordEnd = true
	return nil
}

// AppendBody appends the body.
func (n *NameResolution) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	for _, rec := range n.Records {
		if len(rec.Value) > 0xffff {
			return b, invalid("name record has %d bytes, the most is 65535", len(rec.Value))
		}
		b = order.appendU16(b, uint16(rec.Type))
		b = order.appendU16(b, uint16(len(rec.Value)))
		b = append(b, rec.Value...)
		b = appendPad(b, len(rec.Value))
	}
	if n.NoRecordEnd {
		return b, nil
	}
	b = append(b, 0, 0, 0, 0)
	return appendOptions(b, n.Options, n.OptionsEnd, order, BlockNameResolution)
}

// InterfaceStatistics is what was counted on an interface. Section 4.6.
type InterfaceStatistics struct {
	Interface  uint32 // number within the section
	Timestamp  uint64 // when, in units of the interface's Resolution
	Options    Options
	OptionsEnd OptionsEnd
}

// Type returns BlockInterfaceStatistics.
func (*InterfaceStatistics) Type() BlockType { return BlockInterfaceStatistics }

// Start returns when the capture began, in units of the interface's Resolution.
func (s *InterfaceStatistics) Start() (uint64, bool) { return s.Options.timestamp(OptStatsStart) }

// End returns when the capture ended, in units of the interface's Resolution.
func (s *InterfaceStatistics) End() (uint64, bool) { return s.Options.timestamp(OptStatsEnd) }

// Received returns the packets that the interface received.
func (s *InterfaceStatistics) Received() (uint64, bool) { return s.Options.Uint64(OptStatsReceived) }

// Dropped returns the packets that the interface dropped for lack of room.
func (s *InterfaceStatistics) Dropped() (uint64, bool) { return s.Options.Uint64(OptStatsDropped) }

// FilterAccepted returns the packets that the filter accepted.
func (s *InterfaceStatistics) FilterAccepted() (uint64, bool) {
	return s.Options.Uint64(OptStatsFilterAccepted)
}

// OSDropped returns the packets that the operating system dropped.
func (s *InterfaceStatistics) OSDropped() (uint64, bool) { return s.Options.Uint64(OptStatsOSDropped) }

// Delivered returns the packets that were delivered to the user.
func (s *InterfaceStatistics) Delivered() (uint64, bool) { return s.Options.Uint64(OptStatsDelivered) }

const statisticsBodyLen = 12

func (s *InterfaceStatistics) parse(b []byte, order ByteOrder) (err error) {
	s.Interface = order.u32(b)
	s.Timestamp = uint64(order.u32(b[4:]))<<32 | uint64(order.u32(b[8:]))
	s.Options, s.OptionsEnd, err = parseOptions(b[statisticsBodyLen:], order, BlockInterfaceStatistics)
	return err
}

// AppendBody appends the body.
func (s *InterfaceStatistics) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU32(b, s.Interface)
	b = order.appendU32(b, uint32(s.Timestamp>>32))
	b = order.appendU32(b, uint32(s.Timestamp))
	return appendOptions(b, s.Options, s.OptionsEnd, order, BlockInterfaceStatistics)
}

// SecretsType says what the data of a [DecryptionSecrets] is.
type SecretsType uint32

// Kinds of secrets, section 4.7.
const (
	SecretsTLSKeyLog   SecretsType = 0x544c534b
	SecretsSSHKeyLog   SecretsType = 0x5353484b
	SecretsWireGuard   SecretsType = 0x57474b4c
	SecretsZigBeeNWK   SecretsType = 0x5a4e574b
	SecretsZigBeeAPS   SecretsType = 0x5a415053
	SecretsOPCUAKeyLog SecretsType = 0x55414b4c
	decryptionBodyLen              = 8
	customBodyLen                  = 4
)

// DecryptionSecrets holds the keys for the packets after it. Section 4.7.
type DecryptionSecrets struct {
	Secrets    SecretsType
	Data       []byte
	Options    Options
	OptionsEnd OptionsEnd
}

// Type returns BlockDecryptionSecrets.
func (*DecryptionSecrets) Type() BlockType { return BlockDecryptionSecrets }

func (d *DecryptionSecrets) parse(b []byte, order ByteOrder) error {
	d.Secrets = SecretsType(order.u32(b))
	n := order.u32(b[4:])
	b = b[decryptionBodyLen:]
	if int64(n) > int64(len(b)) {
		return malformed("secrets have %d bytes, %d are left", n, len(b))
	}
	d.Data = b[:n:n]
	var err error
	d.Options, d.OptionsEnd, err = parseOptions(b[min((int(n)+3)&^3, len(b)):], order, BlockDecryptionSecrets)
	return err
}

// AppendBody appends the body.
func (d *DecryptionSecrets) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU32(b, uint32(d.Secrets))
	b = order.appendU32(b, uint32(len(d.Data)))
	b = append(b, d.Data...)
	b = appendPad(b, len(d.Data))
	return appendOptions(b, d.Options, d.OptionsEnd, order, BlockDecryptionSecrets)
}

// SystemdJournal is an entry of the systemd journal in its export format.
// Section 4.8.
type SystemdJournal struct {
	// Entry is the text with the zero bytes that pad it in the file.
	Entry []byte
}

// Type returns BlockSystemdJournal.
func (*SystemdJournal) Type() BlockType { return BlockSystemdJournal }

// AppendBody appends the body.
func (j *SystemdJournal) AppendBody(b []byte, _ ByteOrder) ([]byte, error) {
	return appendPad(append(b, j.Entry...), len(j.Entry)), nil
}

// CustomBlock is a block whose content only its definer knows. Section 4.9.
type CustomBlock struct {
	NoCopy     bool   // programs that change the file shall not copy it
	Enterprise uint32 // IANA Private Enterprise Number
	// Data is all the rest, with options if there are any, in the byte order of
	// the section.
	Data []byte
}

// Type returns BlockCustom or BlockCustomNoCopy.
func (c *CustomBlock) Type() BlockType {
	if c.NoCopy {
		return BlockCustomNoCopy
	}
	return BlockCustom
}

// AppendBody appends the body.
func (c *CustomBlock) AppendBody(b []byte, order ByteOrder) ([]byte, error) {
	b = order.appendU32(b, c.Enterprise)
	return appendPad(append(b, c.Data...), len(c.Data)), nil
}

// UnknownBlock is a block of a type that the package does not know.
type UnknownBlock struct {
	Code BlockType
	// Body is what stands between the block's lengths, in the byte order of
	// the section.
	Body []byte
}

// Type returns u.Code.
func (u *UnknownBlock) Type() BlockType { return u.Code }

// AppendBody appends the body.
func (u *UnknownBlock) AppendBody(b []byte, _ ByteOrder) ([]byte, error) {
	return appendPad(append(b, u.Body...), len(u.Body)), nil
}

// parseBlock decodes the body of a block. The block aliases it.
func parseBlock(typ BlockType, b []byte, order ByteOrder) (Block, error) {
	type parser interface {
		Block
		parse(b []byte, order ByteOrder) error
	}
	var blk parser
	least := 0
	switch typ {
	case BlockSectionHeader:
		blk, least = new(SectionHeader), sectionBodyLen
	case BlockInterfaceDescription:
		blk, least = new(InterfaceDescription), interfaceBodyLen
	case BlockEnhancedPacket:
		blk, least = new(EnhancedPacket), enhancedBodyLen
	case BlockSimplePacket:
		blk, least = new(SimplePacket), simpleBodyLen
	case BlockObsoletePacket:
		blk, least = new(ObsoletePacket), obsoleteBodyLen
	case BlockNameResolution:
		blk = new(NameResolution)
	case BlockInterfaceStatistics:
		blk, least = new(InterfaceStatistics), statisticsBodyLen
	case BlockDecryptionSecrets:
		blk, least = new(DecryptionSecrets), decryptionBodyLen
	case BlockSystemdJournal:
		return &SystemdJournal{Entry: b}, nil
	case BlockCustom, BlockCustomNoCopy:
		if len(b) < customBodyLen {
			return nil, malformed("body is %d bytes, it has to be at least %d", len(b), customBodyLen)
		}
		return &CustomBlock{NoCopy: typ == BlockCustomNoCopy, Enterprise: order.u32(b), Data: b[customBodyLen:]}, nil
	default:
		return &UnknownBlock{Code: typ, Body: b}, nil
	}
	if len(b) < least {
		return nil, malformed("body is %d bytes, it has to be at least %d", len(b), least)
	}
	if err := blk.parse(b, order); err != nil {
		return nil, err
	}
	return blk, nil
}

// AppendBlock appends a whole block: type, length, body, length.
func AppendBlock(b []byte, blk Block, order ByteOrder) ([]byte, error) {
	if s, ok := blk.(*SectionHeader); ok {
		order = s.Order
	}
	start := len(b)
	b = order.appendU32(b, uint32(blk.Type()))
	b = order.appendU32(b, 0)
	b, err := blk.AppendBody(b, order)
	if err != nil {
		return b[:start], err
	}
	b = appendPad(b, len(b)-start)
	n := len(b) - start + 4
	if n > maxBlockLen {
		return b[:start], invalid("%s of %d bytes, the most is %d", blk.Type(), n, maxBlockLen)
	}
	order.putU32(b[start+4:], uint32(n))
	return order.appendU32(b, uint32(n)), nil
}
