package pkts

import (
	"encoding/binary"
	"fmt"
)

const (
	snapOffOUI  = 0
	snapOffType = 3
)

// SNAPLen is the length of a SNAP header, in bytes.
const SNAPLen = 5

// OUI is an organizationally unique identifier of the IEEE.
type OUI [3]byte

// The two identifiers of those that number protocols by EtherType.
var (
	ouiEthernet = OUI{0x00, 0x00, 0x00} // RFC 1042
	ouiBridge   = OUI{0x00, 0x00, 0xf8} // IEEE 802.1H, for what RFC 1042 does not fit
)

// String returns the identifier in the form "00-80-c2".
func (o OUI) String() string { return fmt.Sprintf("%02x-%02x-%02x", o[0], o[1], o[2]) }

// usesEtherTypes reports whether an EtherType follows o in a SNAP header.
func (o OUI) usesEtherTypes() bool { return o == ouiEthernet || o == ouiBridge }

// SNAP is a subnetwork access protocol header, IEEE Std 802-2014, clause 9.5,
// and RFC 1042: it says behind an [LLC] header what Ethernet II says in its
// type.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Organization Code (OUI)            |        Protocol Type          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type SNAP struct {
	OUI OUI
	// Type is an EtherType behind the OUIs 00-00-00 and 00-00-f8, and a
	// protocol number of the organization behind others.
	Type Auto[EtherType]
}

var _ Completer = (*SNAP)(nil)

var snapProtocol = Protocol{
	Name:  "SNAP",
	New:   New[SNAP],
	Clone: Clone[SNAP],
	Index: indexSNAP,
	At:    []Selector{{&llcSAPsTable, uint64(LLCSAPSNAP)}},
	Fields: []Field{
		{"OUI", snapOffOUI * 8, 24},
		{"Type", snapOffType * 8, 16},
	},
	kind: kindSNAP,
}

// SNAPProtocols are the protocol numbers that organizations give: the OUI, 24
// bits, and behind it the number, 16 bits. Those of the two OUIs that use
// EtherTypes (00-00-00 and 00-00-f8) are in [EtherTypes] instead.
var SNAPProtocols = &snapProtocolsTable

var snapProtocolsTable = Table{name: "SNAP", max: 1<<40 - 1}

// BySNAP returns what announces the protocol number pid of an organization
// behind a [SNAP] header: a number in [SNAPProtocols], or in [EtherTypes] where
// o uses those.
func BySNAP(o OUI, pid uint16) Selector {
	if o.usesEtherTypes() {
		return ByEtherType(EtherType(pid))
	}
	return Selector{&snapProtocolsTable, snapNumber(o, pid)}
}

func snapNumber(o OUI, pid uint16) uint64 {
	return uint64(o[0])<<32 | uint64(o[1])<<24 | uint64(o[2])<<16 | uint64(pid)
}

// Proto returns the descriptor of SNAP.
func (*SNAP) Proto() *Protocol { return &snapProtocol }

func indexSNAP(b []byte, r *Registry) (Span, error) {
	if len(b) < SNAPLen {
		return Span{}, Truncated("SNAP", SNAPLen, len(b))
	}
	v := SNAPView(b)
	s := Span{Header: SNAPLen, Payload: len(b) - SNAPLen}
	if o := v.OUI(); o.usesEtherTypes() {
		s.Next = r.etherType(v.Type())
	} else {
		s.Next = r.Next(&snapProtocolsTable, snapNumber(o, uint16(v.Type())))
	}
	return s, nil
}

// Decode fills l from the header at the start of b, 5 bytes.
func (l *SNAP) Decode(b []byte) (int, error) {
	if len(b) < SNAPLen {
		return 0, Truncated("SNAP", SNAPLen, len(b))
	}
	v := SNAPView(b)
	l.OUI = v.OUI()
	l.Type = Seen(v.Type())
	return SNAPLen, nil
}

// AppendBinary appends the header to b.
func (l *SNAP) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, l.OUI[:]...)
	return binary.BigEndian.AppendUint16(b, uint16(l.Type.value)), nil
}

// Complete computes Type. The OUI is the caller's: a payload that it has no
// number for leaves Type as it is.
func (l *SNAP) Complete(c *Completion) error {
	if !c.Wants("Type", snapOffType, l.Type.mode) {
		return nil
	}
	v := SNAPView(c.Header())
	o, t := v.OUI(), v.Type()
	if o.usesEtherTypes() {
		t = c.etherType(t)
	} else {
		have := snapNumber(o, uint16(t))
		if n := c.Number(&snapProtocolsTable, have, have); n>>16 == have>>16 {
			t = EtherType(n)
		}
	}
	c.PutUint16(uint16(t))
	return nil
}

// SNAPView is a SNAP header in place, with what follows it. Its methods panic
// when it is shorter than 5 bytes: those that [View] returns are not.
type SNAPView []byte

// Proto returns the descriptor of SNAP.
func (SNAPView) Proto() *Protocol { return &snapProtocol }

func (v SNAPView) OUI() OUI        { return OUI(v[snapOffOUI:]) }
func (v SNAPView) Type() EtherType { return EtherType(binary.BigEndian.Uint16(v[snapOffType:])) }
func (v SNAPView) Payload() []byte { return v[SNAPLen:] }

func (v SNAPView) SetOUI(o OUI)        { copy(v[snapOffOUI:], o[:]) }
func (v SNAPView) SetType(t EtherType) { binary.BigEndian.PutUint16(v[snapOffType:], uint16(t)) }
