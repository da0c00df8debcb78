package pkts

import (
	"encoding/binary"
	"fmt"
	"strings"
)

const (
	vxlanOffFlags     = 0
	vxlanOffReserved  = 1
	vxlanOffVNI       = 4
	vxlanOffReserved2 = 7
)

// VXLANLen is the length of a VXLAN header, in bytes.
const VXLANLen = 8

const (
	vxlanPort = 4789 // RFC 7348, section 5

	max24 = 1<<24 - 1
)

// VXLANFlags are the flags of a VXLAN header, RFC 7348, section 5: 8 bits, of
// which one is defined.
type VXLANFlags uint8

const (
	VXLANValidVNI    VXLANFlags = 0x08 // I: VNI is valid
	VXLANGroupPolicy VXLANFlags = 0x80 // G: Reserved holds a group policy, draft-smith-vxlan-group-policy
)

// Has reports whether all bits of x are set.
func (f VXLANFlags) Has(x VXLANFlags) bool { return f&x == x }

// String returns the letters of the flags, such as "I" or "G+I"; "none" for
// none. Bits without a name are a number.
func (f VXLANFlags) String() string {
	var s []string
	if f.Has(VXLANGroupPolicy) {
		s = append(s, "G")
	}
	if f.Has(VXLANValidVNI) {
		s = append(s, "I")
	}
	if f &^= VXLANGroupPolicy | VXLANValidVNI; f != 0 {
		s = append(s, fmt.Sprintf("0x%02x", uint8(f)))
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, "+")
}

// VXLAN is a Virtual eXtensible Local Area Network header, RFC 7348, section 5.
// It carries an Ethernet frame.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|R|R|R|I|R|R|R|            Reserved                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                VXLAN Network Identifier (VNI) |   Reserved    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// UDP port 4789 is for a program to bind, with [UDPTunnels], and so is 8472,
// which Linux uses unless it is told otherwise:
//
//	r := pkts.Default.With(pkts.Binding{At: pkts.ByUDPPort(8472), Protocol: pkts.VXLANView(nil).Proto()})
type VXLAN struct {
	Flags     Auto[VXLANFlags] // VXLANValidVNI unless pinned
	Reserved  uint32           // 24 bits; the low 16 are the group policy, if there is one
	VNI       uint32           // network identifier, 24 bits
	Reserved2 uint8
}

var _ Layer = (*VXLAN)(nil)

var vxlanProtocol = Protocol{
	Name:  "VXLAN",
	New:   New[VXLAN],
	Clone: Clone[VXLAN],
	Index: indexVXLAN,
	At:    []Selector{{&udpPortsTable, vxlanPort}},
	Fields: []Field{
		{"Flags", vxlanOffFlags * 8, 8},
		{"Reserved", vxlanOffReserved * 8, 24},
		{"VNI", vxlanOffVNI * 8, 24},
		{"Reserved2", vxlanOffReserved2 * 8, 8},
	},
	kind: kindVXLAN,
}

// Proto returns the descriptor of VXLAN.
func (*VXLAN) Proto() *Protocol { return &vxlanProtocol }

func indexVXLAN(b []byte, _ *Registry) (Span, error) {
	if len(b) < VXLANLen {
		return Span{}, Truncated("VXLAN", VXLANLen, len(b))
	}
	return Span{Header: VXLANLen, Payload: len(b) - VXLANLen, Next: kindEthernet}, nil
}

// Decode fills l from the header at the start of b, 8 bytes.
func (l *VXLAN) Decode(b []byte) (int, error) {
	if len(b) < VXLANLen {
		return 0, Truncated("VXLAN", VXLANLen, len(b))
	}
	v := VXLANView(b)
	l.Flags = Seen(v.Flags())
	l.Reserved = v.Reserved()
	l.VNI = v.VNI()
	l.Reserved2 = v.Reserved2()
	return VXLANLen, nil
}

// AppendBinary appends the header to b.
func (l *VXLAN) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case l.Reserved > max24:
		return b, TooLong("VXLAN", "Reserved", int(l.Reserved), max24)
	case l.VNI > max24:
		return b, TooLong("VXLAN", "VNI", int(l.VNI), max24)
	}
	flags := l.Flags.value
	if l.Flags.mode == ModeAuto {
		flags = VXLANValidVNI
	}
	b = binary.BigEndian.AppendUint32(b, uint32(flags)<<24|l.Reserved)
	return binary.BigEndian.AppendUint32(b, l.VNI<<8|uint32(l.Reserved2)), nil
}

// VXLANView is a VXLAN header in place, with what follows it. Its methods panic
// when it is shorter than 8 bytes: those that [View] returns are not. The
// setters leave the checksum of UDP as it is, which often is 0: [AdjustChecksum]
// follows.
type VXLANView []byte

// Proto returns the descriptor of VXLAN.
func (VXLANView) Proto() *Protocol { return &vxlanProtocol }

func (v VXLANView) Flags() VXLANFlags { return VXLANFlags(v[vxlanOffFlags]) }
func (v VXLANView) Reserved() uint32  { return get24(v[vxlanOffReserved:]) }
func (v VXLANView) VNI() uint32       { return get24(v[vxlanOffVNI:]) }
func (v VXLANView) Reserved2() uint8  { return v[vxlanOffReserved2] }
func (v VXLANView) Payload() []byte   { return v[VXLANLen:] }

func (v VXLANView) SetFlags(f VXLANFlags) { v[vxlanOffFlags] = uint8(f) }

// SetReserved and SetVNI set the low 24 bits of n.
func (v VXLANView) SetReserved(n uint32) { put24(v[vxlanOffReserved:], n) }
func (v VXLANView) SetVNI(n uint32)      { put24(v[vxlanOffVNI:], n) }
func (v VXLANView) SetReserved2(n uint8) { v[vxlanOffReserved2] = n }

// get24 and put24 read and write the low 24 bits of a number.
func get24(b []byte) uint32 {
	_ = b[2]
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}

func put24(b []byte, n uint32) {
	_ = b[2]
	b[0], b[1], b[2] = byte(n>>16), byte(n>>8), byte(n)
}
