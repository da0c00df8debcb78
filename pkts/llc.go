package pkts

import (
	"fmt"
)

const (
	llcOffDSAP    = 0
	llcOffSSAP    = 1
	llcOffControl = 2
)

const (
	// LLCMinLen is the length of an LLC header with the control field of an
	// unnumbered frame, in bytes.
	LLCMinLen = 3
	// LLCMaxLen is its length with the control field of the other frames.
	LLCMaxLen = 4
)

// LLCSAP is an IEEE 802.2 service access point: the number of the protocol
// above LLC, https://www.iana.org/assignments/ieee-802-numbers. In a DSAP the
// lowest bit says that it is a group's, in an SSAP that the frame is a response.
type LLCSAP uint8

const (
	LLCSAPNull    LLCSAP = 0x00 // the LLC itself: XID and TEST
	LLCSAPIP      LLCSAP = 0x06 // IPv4, RFC 948
	LLCSAPSTP     LLCSAP = 0x42 // spanning tree, IEEE 802.1D
	LLCSAPSNAP    LLCSAP = 0xaa // a SNAP header follows
	LLCSAPIPX     LLCSAP = 0xe0 // Novell
	LLCSAPNetBIOS LLCSAP = 0xf0 // NetBIOS frames
	LLCSAPISIS    LLCSAP = 0xfe // ISO network layer: IS-IS, ES-IS, CLNP
	LLCSAPGlobal  LLCSAP = 0xff // everybody
)

// String returns the protocol's name, or the number in hexadecimal.
func (s LLCSAP) String() string {
	switch s {
	case LLCSAPNull:
		return "null"
	case LLCSAPIP:
		return "IP"
	case LLCSAPSTP:
		return "STP"
	case LLCSAPSNAP:
		return "SNAP"
	case LLCSAPIPX:
		return "IPX"
	case LLCSAPNetBIOS:
		return "NetBIOS"
	case LLCSAPISIS:
		return "ISO"
	case LLCSAPGlobal:
		return "global"
	default:
		return fmt.Sprintf("0x%02x", uint8(s))
	}
}

// LLCControl is the control field of an LLC header, ISO/IEC 8802-2, section
// 5.4: of 8 bits in an unnumbered frame, of 16 bits, the first byte in the low
// half, in an information or supervisory frame. The low bits tell which.
type LLCControl uint16

// The unnumbered frames, without the poll/final bit.
const (
	LLCUnnumbered LLCControl = 0x03 // UI, unnumbered information: nearly every frame
	LLCDM         LLCControl = 0x0f // disconnected mode
	LLCDISC       LLCControl = 0x43 // disconnect
	LLCUA         LLCControl = 0x63 // unnumbered acknowledgment
	LLCSABME      LLCControl = 0x6f // set asynchronous balanced mode extended
	LLCFRMR       LLCControl = 0x87 // frame reject
	LLCXID        LLCControl = 0xaf // exchange identification
	LLCTEST       LLCControl = 0xe3 // test
)

// The supervisory frames, to be combined with a sequence number by
// [LLCControl.WithNR].
const (
	LLCRR  LLCControl = 0x01 // receive ready
	LLCRNR LLCControl = 0x05 // receive not ready
	LLCREJ LLCControl = 0x09 // reject
)

// llcPoll is the poll/final bit of an unnumbered frame, and of the others.
const (
	llcPollU LLCControl = 1 << 4
	llcPoll  LLCControl = 1 << 8
)

// LLCInformation returns the control field of an information frame with the
// send and receive sequence numbers ns and nr, of 7 bits.
func LLCInformation(ns, nr uint8) LLCControl { return LLCControl(ns & 0x7f << 1).WithNR(nr) }

// IsUnnumbered, IsSupervisory and IsInformation tell the three kinds of frames
// apart.
func (x LLCControl) IsUnnumbered() bool  { return x&3 == 3 }
func (x LLCControl) IsSupervisory() bool { return x&3 == 1 }
func (x LLCControl) IsInformation() bool { return x&1 == 0 }

// Len returns the length of the field, 1 or 2 bytes.
func (x LLCControl) Len() int {
	if x.IsUnnumbered() {
		return 1
	}
	return 2
}

// NS and NR return the send and receive sequence numbers, which an information
// frame has both and a supervisory frame the latter.
func (x LLCControl) NS() uint8 { return uint8(x) >> 1 }
func (x LLCControl) NR() uint8 { return uint8(x >> 9) }

// WithNR returns x with the receive sequence number nr, of 7 bits.
func (x LLCControl) WithNR(nr uint8) LLCControl { return x&0x01ff | LLCControl(nr)<<9 }

// Poll returns the poll/final bit: set in a command that wants a response, and
// in the response to one.
func (x LLCControl) Poll() bool { return x&x.poll() != 0 }

// WithPoll returns x with the poll/final bit set to p.
func (x LLCControl) WithPoll(p bool) LLCControl {
	if p {
		return x | x.poll()
	}
	return x &^ x.poll()
}

func (x LLCControl) poll() LLCControl {
	if x.IsUnnumbered() {
		return llcPollU
	}
	return llcPoll
}

// String returns the frame's name and what it carries, such as "UI", "RR nr=3"
// or "I ns=1 nr=3 P".
func (x LLCControl) String() string {
	var s string
	switch {
	case x.IsInformation():
		s = fmt.Sprintf("I ns=%d nr=%d", x.NS(), x.NR())
	case x.IsSupervisory():
		switch x & 0xff {
		case LLCRR:
			s = "RR"
		case LLCRNR:
			s = "RNR"
		case LLCREJ:
			s = "REJ"
		default:
			s = fmt.Sprintf("S 0x%02x", uint8(x))
		}
		s += fmt.Sprintf(" nr=%d", x.NR())
	default:
		switch x &^ llcPollU {
		case LLCUnnumbered:
			s = "UI"
		case LLCDM:
			s = "DM"
		case LLCDISC:
			s = "DISC"
		case LLCUA:
			s = "UA"
		case LLCSABME:
			s = "SABME"
		case LLCFRMR:
			s = "FRMR"
		case LLCXID:
			s = "XID"
		case LLCTEST:
			s = "TEST"
		default:
			s = fmt.Sprintf("U 0x%02x", uint16(x&^llcPollU))
		}
	}
	if x.Poll() {
		s += " P"
	}
	return s
}

// LLC is a logical link control header, ISO/IEC 8802-2 (IEEE Std 802.2),
// section 3: what follows the length in an IEEE 802.3 frame.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     DSAP      |     SSAP      |     Control (1 or 2 bytes)    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The zero value is what [SNAP] wants: both access points follow from the
// payload, and the frame is unnumbered information. IPv4 in it, RFC 1042, is
//
//	pkts.Stack(&pkts.Ethernet{…}, &pkts.LLC{}, &pkts.SNAP{}, &pkts.IPv4{…})
type LLC struct {
	DSAP, SSAP Auto[LLCSAP] // destination and source
	// Control is [LLCUnnumbered] unless it is pinned.
	Control Auto[LLCControl]
}

var _ Completer = (*LLC)(nil)

var llcProtocol = Protocol{
	Name:  "LLC",
	New:   New[LLC],
	Clone: Clone[LLC],
	Index: indexLLC,
	Fields: []Field{
		{"DSAP", llcOffDSAP * 8, 8},
		{"SSAP", llcOffSSAP * 8, 8},
		{"Control", llcOffControl * 8, 0},
	},
	kind: kindLLC,
}

// LLCSAPs are the service access points that announce what follows an [LLC]
// header. The DSAP is looked up, in frames that carry information.
var LLCSAPs = &llcSAPsTable

var llcSAPsTable = Table{name: "LLC SAP", max: 1<<8 - 1, builtin: func(n uint64) Kind { return llcSAPKind(LLCSAP(n)) }}

// ByLLCSAP returns a number in [LLCSAPs].
func ByLLCSAP(s LLCSAP) Selector { return Selector{&llcSAPsTable, uint64(s)} }

// llcSAPKind is the built-in part of [LLCSAPs].
func llcSAPKind(s LLCSAP) Kind {
	switch s {
	case LLCSAPSNAP:
		return kindSNAP
	case LLCSAPIP:
		return kindIPv4
	default:
		return KindRaw
	}
}

// Proto returns the descriptor of LLC.
func (*LLC) Proto() *Protocol { return &llcProtocol }

func indexLLC(b []byte, r *Registry) (Span, error) {
	v := LLCView(b)
	n, err := v.check()
	if err != nil {
		return Span{}, err
	}
	s := Span{Header: n, Payload: len(b) - n}
	// Frames of other kinds carry no information but a protocol of LLC's own.
	x := v.Control()
	if !x.IsInformation() && x != LLCUnnumbered {
		return s, nil
	}
	// SNAP is when both say so.
	if v.DSAP() != LLCSAPSNAP || v.SSAP() == LLCSAPSNAP {
		s.Next = r.Next(&llcSAPsTable, uint64(v.DSAP()))
	}
	return s, nil
}

// check returns the length of the header, or why there is none.
func (v LLCView) check() (int, error) {
	if len(v) < LLCMinLen {
		return 0, Truncated("LLC", LLCMinLen, len(v))
	}
	n := v.HeaderLen()
	if len(v) < n {
		return 0, Truncated("LLC", n, len(v))
	}
	return n, nil
}

// Decode fills l from the header at the start of b, 3 or 4 bytes.
func (l *LLC) Decode(b []byte) (int, error) {
	v := LLCView(b)
	n, err := v.check()
	if err != nil {
		return 0, err
	}
	l.DSAP = Seen(v.DSAP())
	l.SSAP = Seen(v.SSAP())
	l.Control = Seen(v.Control())
	return n, nil
}

// AppendBinary appends the header to b.
func (l *LLC) AppendBinary(b []byte) ([]byte, error) {
	x := l.Control.value
	if l.Control.mode == ModeAuto {
		x = LLCUnnumbered
	}
	if x.IsUnnumbered() && x > 0xff {
		return b, TooLong("LLC", "Control", int(x), 0xff)
	}
	b = append(b, uint8(l.DSAP.value), uint8(l.SSAP.value), uint8(x))
	if !x.IsUnnumbered() {
		b = append(b, uint8(x>>8))
	}
	return b, nil
}

// Complete computes DSAP and SSAP. An SSAP that was decoded says nothing of the
// payload, unless that is SNAP.
func (l *LLC) Complete(c *Completion) error {
	h := c.Header()
	if c.Wants("DSAP", llcOffDSAP, l.DSAP.mode) {
		c.PutUint8(uint8(c.llcSAP(LLCSAP(h[llcOffDSAP]))))
	}
	if c.Wants("SSAP", llcOffSSAP, l.SSAP.mode) {
		s := LLCSAP(h[llcOffSSAP])
		if l.SSAP.mode == ModeAuto || c.next() == kindSNAP {
			s = c.llcSAP(s)
		}
		c.PutUint8(uint8(s))
	}
	return nil
}

// llcSAP returns the access point of the payload.
func (c *Completion) llcSAP(have LLCSAP) LLCSAP {
	unknown := LLCSAPNull
	if c.next() == kindIPv4 {
		unknown = LLCSAPIP
	}
	return LLCSAP(c.Number(&llcSAPsTable, uint64(have), uint64(unknown)))
}

// LLCView is an LLC header in place, with what follows it. Its methods panic
// when it is shorter than the header: those that [View] returns are not.
type LLCView []byte

// Proto returns the descriptor of LLC.
func (LLCView) Proto() *Protocol { return &llcProtocol }

// HeaderLen returns the length of the header in bytes, which depends on the
// kind of frame.
func (v LLCView) HeaderLen() int {
	return llcOffControl + LLCControl(v[llcOffControl]).Len()
}
func (v LLCView) DSAP() LLCSAP { return LLCSAP(v[llcOffDSAP]) }
func (v LLCView) SSAP() LLCSAP { return LLCSAP(v[llcOffSSAP]) }
func (v LLCView) Control() LLCControl {
	x := LLCControl(v[llcOffControl])
	if !x.IsUnnumbered() {
		x |= LLCControl(v[llcOffControl+1]) << 8
	}
	return x
}
func (v LLCView) Payload() []byte { return v[v.HeaderLen():] }

func (v LLCView) SetDSAP(s LLCSAP) { v[llcOffDSAP] = uint8(s) }
func (v LLCView) SetSSAP(s LLCSAP) { v[llcOffSSAP] = uint8(s) }

// SetControl sets the control field. It reports false, and changes nothing,
// when x is longer or shorter than what is there.
func (v LLCView) SetControl(x LLCControl) bool {
	if x.Len() != v.Control().Len() {
		return false
	}
	v[llcOffControl] = uint8(x)
	if !x.IsUnnumbered() {
		v[llcOffControl+1] = uint8(x >> 8)
	}
	return true
}
