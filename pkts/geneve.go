package pkts

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
)

const (
	geneveOffVersion  = 0 // and length of the options
	geneveOffFlags    = 1
	geneveOffType     = 2
	geneveOffVNI      = 4
	geneveOffReserved = 7
)

const (
	// GeneveMinLen is the length of a Geneve header without options, in bytes.
	GeneveMinLen = 8
	// GeneveMaxLen is the longest header that the 6-bit length of the options
	// describes.
	GeneveMaxLen = GeneveMinLen + geneveMaxOptions

	geneveMaxOptions = 63 * 4
	genevePort       = 6081 // RFC 8926, section 3.3

	geneveOptionHeaderLen = 4
	geneveOptionMaxData   = 31 * 4
)

// GeneveFlags are the control bits of a Geneve header and the reserved bits
// behind them, RFC 8926, section 3.4: 8 bits.
type GeneveFlags uint8

const (
	GeneveControl  GeneveFlags = 0x80 // O: a control packet
	GeneveCritical GeneveFlags = 0x40 // C: there are critical options
)

// Has reports whether all bits of x are set.
func (f GeneveFlags) Has(x GeneveFlags) bool { return f&x == x }

// String returns the letters of the flags, such as "O+C"; "none" for none.
// Reserved bits are a number.
func (f GeneveFlags) String() string {
	var s []string
	if f.Has(GeneveControl) {
		s = append(s, "O")
	}
	if f.Has(GeneveCritical) {
		s = append(s, "C")
	}
	if f &^= GeneveControl | GeneveCritical; f != 0 {
		s = append(s, fmt.Sprintf("0x%02x", uint8(f)))
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, "+")
}

// Geneve is a Generic Network Virtualization Encapsulation header, RFC 8926,
// section 3.4.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Virtual Network Identifier (VNI)       |    Reserved   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Variable-Length Options                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The payload is looked up in [EtherTypes]; 0x6558 is an Ethernet frame. The
// version is 0: others are malformed. UDP port 6081 is for a program to bind, by
// [UDPTunnels].
type Geneve struct {
	OptLen       Auto[uint8] // length of the options in words of 4 bytes, 6 bits
	Flags        GeneveFlags
	ProtocolType Auto[EtherType]
	VNI          uint32 // virtual network identifier, 24 bits
	Reserved     uint8
	Options      GeneveOptions // a multiple of 4 bytes; aliases the packet after decoding
}

var _ Completer = (*Geneve)(nil)

var geneveProtocol = Protocol{
	Name:  "Geneve",
	New:   New[Geneve],
	Clone: cloneGeneve,
	Index: indexGeneve,
	At:    []Selector{{&udpPortsTable, genevePort}},
	Fields: []Field{
		{"Version", 0, 2},
		{"OptLen", 2, 6},
		{"Flags", geneveOffFlags * 8, 8},
		{"ProtocolType", geneveOffType * 8, 16},
		{"VNI", geneveOffVNI * 8, 24},
		{"Reserved", geneveOffReserved * 8, 8},
		{"Options", GeneveMinLen * 8, 0},
	},
	kind: kindGeneve,
}

// Proto returns the descriptor of Geneve.
func (*Geneve) Proto() *Protocol { return &geneveProtocol }

func cloneGeneve(l Layer) Layer {
	c := *l.(*Geneve)
	c.Options = slices.Clone(c.Options)
	return &c
}

func indexGeneve(b []byte, r *Registry) (Span, error) {
	v := GeneveView(b)
	n, err := v.check()
	if err != nil {
		return Span{}, err
	}
	return Span{Header: n, Payload: len(b) - n, Next: r.etherType(v.ProtocolType())}, nil
}

// check returns the length of the header, or why there is none.
func (v GeneveView) check() (int, error) {
	switch {
	case len(v) < GeneveMinLen:
		return 0, Truncated("Geneve", GeneveMinLen, len(v))
	case v[geneveOffVersion]>>6 != 0:
		return 0, Malformed("Geneve", "the version is not 0")
	case v.HeaderLen() > len(v):
		return 0, Truncated("Geneve", v.HeaderLen(), len(v))
	}
	return v.HeaderLen(), nil
}

// Decode fills l from the header at the start of b, 8 to 260 bytes.
func (l *Geneve) Decode(b []byte) (int, error) {
	v := GeneveView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	l.OptLen = Seen(v.OptLen())
	l.Flags = v.Flags()
	l.ProtocolType = Seen(v.ProtocolType())
	l.VNI = v.VNI()
	l.Reserved = v.Reserved()
	l.Options = v.Options()
	return n, nil
}

// AppendBinary appends the header to b.
func (l *Geneve) AppendBinary(b []byte) ([]byte, error) {
	words := l.OptLen.value
	switch {
	case l.VNI > max24:
		return b, TooLong("Geneve", "VNI", int(l.VNI), max24)
	case len(l.Options) > geneveMaxOptions:
		return b, TooLong("Geneve", "Options", len(l.Options), geneveMaxOptions)
	case len(l.Options)%4 != 0:
		return b, &EncodeError{Layer: "Geneve", Field: "Options", Reason: "not a multiple of 4 bytes: pad the data of options", Err: ErrMalformed}
	case words > geneveMaxOptions/4:
		return b, TooLong("Geneve", "OptLen", int(words), geneveMaxOptions/4)
	case l.OptLen.mode == ModeAuto:
		words = uint8(len(l.Options) / 4)
	}
	b = append(b, words, uint8(l.Flags))
	b = binary.BigEndian.AppendUint16(b, uint16(l.ProtocolType.value))
	b = binary.BigEndian.AppendUint32(b, l.VNI<<8|uint32(l.Reserved))
	return append(b, l.Options...), nil
}

// Complete computes OptLen and ProtocolType.
func (l *Geneve) Complete(c *Completion) error {
	if c.Wants("OptLen", geneveOffVersion, l.OptLen.mode) {
		c.PutUint8(uint8((len(c.Header()) - GeneveMinLen) / 4))
	}
	if c.Wants("ProtocolType", geneveOffType, l.ProtocolType.mode) {
		c.PutUint16(uint16(c.etherType(GeneveView(c.Header()).ProtocolType())))
	}
	return nil
}

// GeneveClass is who numbers the types of an option, RFC 8926, section 7; the
// numbers are at https://www.iana.org/assignments/nvo3.
type GeneveClass uint16

const (
	GeneveClassStandard   GeneveClass = 0x0000 // 0x0000 to 0x00ff, IETF
	GeneveClassLinux      GeneveClass = 0x0100
	GeneveClassOVS        GeneveClass = 0x0101 // Open vSwitch
	GeneveClassOVN        GeneveClass = 0x0102 // Open Virtual Networking
	GeneveClassINT        GeneveClass = 0x0103 // in-band network telemetry
	GeneveClassVMware     GeneveClass = 0x0104
	GeneveClassAmazon     GeneveClass = 0x0108
	GeneveClassExperiment GeneveClass = 0xff00 // 0xff00 to 0xffff
)

// String returns the name, or the number in hexadecimal.
func (c GeneveClass) String() string {
	switch {
	case c <= 0xff:
		return "standard"
	case c == GeneveClassLinux:
		return "Linux"
	case c == GeneveClassOVS:
		return "Open vSwitch"
	case c == GeneveClassOVN:
		return "OVN"
	case c == GeneveClassINT:
		return "INT"
	case c == GeneveClassVMware:
		return "VMware"
	case c == GeneveClassAmazon:
		return "Amazon"
	case c >= GeneveClassExperiment:
		return "experimental"
	default:
		return fmt.Sprintf("0x%04x", uint16(c))
	}
}

// GeneveOptionType is the type of an option within its class. Its highest bit
// says that who does not know the option must drop the packet.
type GeneveOptionType uint8

// IsCritical reports whether who does not know the option must drop the packet.
func (t GeneveOptionType) IsCritical() bool { return t&0x80 != 0 }

// GeneveOptions are the options of a Geneve header as they are encoded. Those
// that the library does not know, which are all, are kept as they are.
//
// To make some, append to a nil slice.
type GeneveOptions []byte

// GeneveOption is one option, RFC 8926, section 3.5. Its data aliases the options
// it comes from.
type GeneveOption struct {
	Class    GeneveClass
	Type     GeneveOptionType
	Reserved uint8  // 3 bits
	Data     []byte // a multiple of 4 bytes, at most 124
}

// next returns the option at byte i and its length, 0 when there is none that is
// whole.
func (o GeneveOptions) next(i int) (opt GeneveOption, n int) {
	if len(o)-i < geneveOptionHeaderLen {
		return opt, 0
	}
	h := o[i:]
	n = geneveOptionHeaderLen + int(h[3]&0x1f)*4
	if n > len(h) {
		return opt, 0
	}
	return GeneveOption{
		GeneveClass(binary.BigEndian.Uint16(h)), GeneveOptionType(h[2]), h[3] >> 5, h[geneveOptionHeaderLen:n:n],
	}, n
}

// All yields the options with their offsets in bytes. It ends before one that is
// cut off, which [GeneveOptions.Err] reports.
func (o GeneveOptions) All() iter.Seq2[int, GeneveOption] {
	return func(yield func(int, GeneveOption) bool) {
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
func (o GeneveOptions) Err() error {
	for i := 0; i < len(o); {
		_, n := o.next(i)
		if n == 0 {
			want := geneveOptionHeaderLen
			if len(o)-i >= want {
				want += int(o[i+3]&0x1f) * 4
			}
			return &DecodeError{Layer: "Geneve options", Offset: i, Want: want, Have: len(o) - i, Err: ErrTruncated}
		}
		i += n
	}
	return nil
}

// Get returns the first option of a class and type.
func (o GeneveOptions) Get(c GeneveClass, t GeneveOptionType) (GeneveOption, bool) {
	for _, opt := range o.All() {
		if opt.Class == c && opt.Type == t {
			return opt, true
		}
	}
	return GeneveOption{}, false
}

// Append appends an option. The error, and o as it was, is for data that are no
// multiple of 4 bytes or longer than 124, and reserved bits beyond 3.
func (o GeneveOptions) Append(opt GeneveOption) (GeneveOptions, error) {
	switch {
	case len(opt.Data) > geneveOptionMaxData:
		return o, TooLong("Geneve options", "Data", len(opt.Data), geneveOptionMaxData)
	case len(opt.Data)%4 != 0:
		return o, &EncodeError{Layer: "Geneve options", Field: "Data", Reason: "not a multiple of 4 bytes: pad it", Err: ErrMalformed}
	case opt.Reserved > 7:
		return o, TooLong("Geneve options", "Reserved", int(opt.Reserved), 7)
	}
	o = binary.BigEndian.AppendUint16(o, uint16(opt.Class))
	o = append(o, uint8(opt.Type), opt.Reserved<<5|uint8(len(opt.Data)/4))
	return append(o, opt.Data...), nil
}

// GeneveView is a Geneve header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not. The
// setters leave the checksum of UDP as it is: [AdjustChecksum] follows.
type GeneveView []byte

// Proto returns the descriptor of Geneve.
func (GeneveView) Proto() *Protocol { return &geneveProtocol }

func (v GeneveView) OptLen() uint8      { return v[geneveOffVersion] & 0x3f }
func (v GeneveView) HeaderLen() int     { return GeneveMinLen + int(v.OptLen())*4 } // bytes
func (v GeneveView) Flags() GeneveFlags { return GeneveFlags(v[geneveOffFlags]) }
func (v GeneveView) ProtocolType() EtherType {
	return EtherType(binary.BigEndian.Uint16(v[geneveOffType:]))
}
func (v GeneveView) VNI() uint32     { return get24(v[geneveOffVNI:]) }
func (v GeneveView) Reserved() uint8 { return v[geneveOffReserved] }
func (v GeneveView) Options() GeneveOptions {
	return GeneveOptions(v[GeneveMinLen:v.HeaderLen():v.HeaderLen()])
}
func (v GeneveView) Payload() []byte { return v[v.HeaderLen():] }

// SetOptLen sets the low 6 bits of words. It moves nothing.
func (v GeneveView) SetOptLen(words uint8) {
	v[geneveOffVersion] = v[geneveOffVersion]&0xc0 | words&0x3f
}
func (v GeneveView) SetFlags(f GeneveFlags) { v[geneveOffFlags] = uint8(f) }
func (v GeneveView) SetProtocolType(t EtherType) {
	binary.BigEndian.PutUint16(v[geneveOffType:], uint16(t))
}

// SetVNI sets the low 24 bits of n.
func (v GeneveView) SetVNI(n uint32)     { put24(v[geneveOffVNI:], n) }
func (v GeneveView) SetReserved(r uint8) { v[geneveOffReserved] = r }
