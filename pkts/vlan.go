package pkts

import "encoding/binary"

const (
	vlanOffTCI  = 0 // priority, drop eligibility and identifier
	vlanOffType = 2
)

// VLANLen is the length of a VLAN tag behind the EtherType that announces it,
// in bytes.
const VLANLen = 4

// The parts of the tag control information.
const (
	vlanDropEligible = 1 << 12
	vlanMaxID        = 1<<12 - 1
	vlanMaxPriority  = 7
)

// VLAN is a tag that puts a frame into a virtual LAN, IEEE Std 802.1Q-2022,
// clause 9: from the tag control information on, the EtherType before it being
// the Type of the layer below.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| PCP |D|          VID          |          Type/Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Tags follow each other in a frame with several (QinQ); [Nth] and [All] find
// them, outermost first. The layer below announces a tag as 0x8100 unless it
// already has one of the other numbers. For the service tag of IEEE 802.1ad, or
// the older 0x9100 and 0x9200, pin its type:
//
//	pkts.Stack(&pkts.Ethernet{Type: pkts.Pin(pkts.EtherTypeQinQ)}, &pkts.VLAN{ID: 100}, &pkts.VLAN{ID: 5}, …)
type VLAN struct {
	Priority     uint8 // priority code point, 3 bits; 7 is the highest
	DropEligible bool  // may be dropped before others; in older tags the canonical format indicator
	// ID is the virtual LAN, 12 bits. 0 is a frame that carries a priority
	// only, 4095 is reserved.
	ID uint16
	// Type says what follows. Up to 1500 it is the length of the payload in
	// bytes instead; it is computed as such when an [LLC] layer follows.
	Type Auto[EtherType]
}

var _ Completer = (*VLAN)(nil)

var vlanProtocol = Protocol{
	Name:  "VLAN",
	New:   New[VLAN],
	Clone: Clone[VLAN],
	Index: indexVLAN,
	At: []Selector{
		{&etherTypesTable, uint64(EtherTypeVLAN)},
		{&etherTypesTable, uint64(EtherTypeQinQ)},
		{&etherTypesTable, uint64(EtherTypeQinQ9100)},
		{&etherTypesTable, uint64(EtherTypeQinQ9200)},
	},
	Fields: []Field{
		{"Priority", 0, 3},
		{"DropEligible", 3, 1},
		{"ID", 4, 12},
		{"Type", vlanOffType * 8, 16},
	},
	kind: kindVLAN,
}

// Proto returns the descriptor of VLAN tags.
func (*VLAN) Proto() *Protocol { return &vlanProtocol }

func indexVLAN(b []byte, r *Registry) (Span, error) {
	if len(b) < VLANLen {
		return Span{}, Truncated("VLAN", VLANLen, len(b))
	}
	return spanEtherType(b, VLANLen, VLANView(b).Type(), r), nil
}

// Decode fills l from the tag at the start of b, 4 bytes.
func (l *VLAN) Decode(b []byte) (int, error) {
	if len(b) < VLANLen {
		return 0, Truncated("VLAN", VLANLen, len(b))
	}
	v := VLANView(b)
	l.Priority = v.Priority()
	l.DropEligible = v.DropEligible()
	l.ID = v.ID()
	l.Type = Seen(v.Type())
	return VLANLen, nil
}

// AppendBinary appends the tag to b.
func (l *VLAN) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case l.Priority > vlanMaxPriority:
		return b, TooLong("VLAN", "Priority", int(l.Priority), vlanMaxPriority)
	case l.ID > vlanMaxID:
		return b, TooLong("VLAN", "ID", int(l.ID), vlanMaxID)
	}
	tci := uint16(l.Priority)<<13 | l.ID
	if l.DropEligible {
		tci |= vlanDropEligible
	}
	b = binary.BigEndian.AppendUint16(b, tci)
	return binary.BigEndian.AppendUint16(b, uint16(l.Type.value)), nil
}

// Complete computes Type.
func (l *VLAN) Complete(c *Completion) error {
	return completeEtherType(c, vlanOffType, l.Type.mode)
}

// VLANView is a VLAN tag in place, with what follows it. Its methods panic when
// it is shorter than 4 bytes: those that [View] returns are not.
type VLANView []byte

// Proto returns the descriptor of VLAN tags.
func (VLANView) Proto() *Protocol { return &vlanProtocol }

// TCI returns the tag control information as a whole, in the layout of
// link.Info.VLANTCI: priority, drop eligibility, identifier.
func (v VLANView) TCI() uint16        { return binary.BigEndian.Uint16(v[vlanOffTCI:]) }
func (v VLANView) Priority() uint8    { return v[vlanOffTCI] >> 5 }
func (v VLANView) DropEligible() bool { return v.TCI()&vlanDropEligible != 0 }
func (v VLANView) ID() uint16         { return v.TCI() & vlanMaxID }
func (v VLANView) Type() EtherType    { return EtherType(binary.BigEndian.Uint16(v[vlanOffType:])) }
func (v VLANView) Payload() []byte    { return v[VLANLen:] }

func (v VLANView) SetTCI(tci uint16) { binary.BigEndian.PutUint16(v[vlanOffTCI:], tci) }

// SetPriority sets the low 3 bits of p, and SetID the low 12 bits of id.
func (v VLANView) SetPriority(p uint8) { v[vlanOffTCI] = v[vlanOffTCI]&0x1f | p<<5 }
func (v VLANView) SetID(id uint16)     { v.SetTCI(v.TCI()&^vlanMaxID | id&vlanMaxID) }

func (v VLANView) SetDropEligible(d bool) {
	tci := v.TCI() &^ vlanDropEligible
	if d {
		tci |= vlanDropEligible
	}
	v.SetTCI(tci)
}
func (v VLANView) SetType(t EtherType) { binary.BigEndian.PutUint16(v[vlanOffType:], uint16(t)) }
