package pkts

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

func llcGoldens() []golden {
	return []golden{{
		name:  "spanning tree",
		from:  "captures/stp_bridge.pcap: a Linux bridge's configuration BPDU",
		first: &ethernetProtocol,
		hex: `
			01 80 c2 00 00 00  56 3e 80 53 fa f2  00 26   # to all bridges, 38 bytes
			42 42 03                                      # DSAP and SSAP STP, UI
			00 00 00 00 00 80 00 56 3e 80 53 fa f2 00 00 00 00 80 00
			56 3e 80 53 fa f2 80 01 00 00 14 00 01 00 02 00`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{1, 0x80, 0xc2}, Src: link.MacAddr{0x56, 0x3e, 0x80, 0x53, 0xfa, 0xf2}},
			&LLC{DSAP: Pin(LLCSAPSTP), SSAP: Pin(LLCSAPSTP)},
			&Raw{Data: []byte("\x00\x00\x00\x00\x00\x80\x00\x56\x3e\x80\x53\xfa\xf2\x00\x00\x00\x00\x80\x00" +
				"\x56\x3e\x80\x53\xfa\xf2\x80\x01\x00\x00\x14\x00\x01\x00\x02\x00")},
		},
	}, {
		name:  "RFC 1042",
		from:  "scapy 2.5.0: Dot3(src='02:00:00:00:00:01',dst='02:00:00:00:00:02')/LLC()/SNAP()/IP(…)/UDP(…)/b'hi'",
		first: &ethernetProtocol,
		hex: `
			02 00 00 00 00 02  02 00 00 00 00 01  00 26   # 38 bytes
			aa aa 03                                      # DSAP and SSAP SNAP, UI
			00 00 00  08 00                               # IPv4` + hexUDP4,
		layers: append([]Layer{&Ethernet{Dst: macB, Src: macA}, &LLC{}, &SNAP{}}, layersUDP4()...),
	}, {
		name:  "information",
		from:  "ISO/IEC 8802-2, section 5.4.2.1, by hand: an I frame with N(S) 5, N(R) 3 and the P bit from 0x04 to 0x08",
		first: &llcProtocol,
		hex: `
			04 08                                         # DSAP, SSAP
			0a 07                                         # N(S) 5; N(R) 3, P
			01 02`,
		layers: []Layer{
			&LLC{DSAP: Pin(LLCSAP(4)), SSAP: Pin(LLCSAP(8)), Control: Pin(LLCInformation(5, 3).WithPoll(true))},
			&Raw{Data: []byte{1, 2}},
		},
	}, {
		name:  "supervisory",
		from:  "ISO/IEC 8802-2, section 5.4.2.2, by hand: RNR with N(R) 7 from 0xf0, a response",
		first: &llcProtocol,
		hex:   "f0 f1 05 0e",
		layers: []Layer{
			&LLC{DSAP: Pin(LLCSAPNetBIOS), SSAP: Pin(LLCSAPNetBIOS | 1), Control: Pin(LLCRNR.WithNR(7))},
		},
	}, {
		name:  "802.1H",
		from:  "IEEE 802.1H, by hand: AARP, which RFC 1042 does not carry, behind the bridge tunnel's OUI",
		first: &llcProtocol,
		hex:   "aa aa 03  00 00 f8  80 f3  00 01",
		layers: []Layer{
			&LLC{DSAP: Pin(LLCSAPSNAP), SSAP: Pin(LLCSAPSNAP)},
			&SNAP{OUI: OUI{0, 0, 0xf8}, Type: Pin(EtherTypeAARP)},
			&Raw{Data: []byte{0, 1}},
		},
	}}
}

func TestLLC(t *testing.T) { testGolden(t, llcGoldens()...) }

func FuzzLLC(f *testing.F) { fuzzProtocol(f, &llcProtocol, llcGoldens()...) }

// TestLLCNext holds what follows an LLC header against what tshark 4.0.17 finds
// in the same bytes.
func TestLLCNext(t *testing.T) {
	udp := unhex(t, hexUDP4)
	snap := []byte{0, 0, 0, 8, 0}
	for _, c := range []struct {
		name string
		b    []byte
		want bool // IPv4 is found
	}{
		{"UI, SNAP", slices.Concat([]byte{0xaa, 0xaa, 3}, snap, udp), true},
		{"UI with the P bit, SNAP", slices.Concat([]byte{0xaa, 0xaa, 0x13}, snap, udp), false},
		{"UI, response from SNAP", slices.Concat([]byte{0xaa, 0xab, 3}, snap, udp), false},
		{"TEST, SNAP", slices.Concat([]byte{0xaa, 0xaa, 0xe3}, snap, udp), false},
		{"I, SNAP", slices.Concat([]byte{0xaa, 0xaa, 0, 0}, snap, udp), true},
		{"RR, SNAP", slices.Concat([]byte{0xaa, 0xaa, 1, 0}, snap, udp), false},
		{"UI, IP", slices.Concat([]byte{6, 6, 3}, udp), true},
		{"I, IP", slices.Concat([]byte{6, 6, 0, 0}, udp), true},
		{"TEST, IP", slices.Concat([]byte{6, 6, 0xe3}, udp), false},
		{"UI, STP", slices.Concat([]byte{0x42, 0x42, 3}, udp), false},
		{"802.1H", slices.Concat([]byte{0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0}, udp), true},
		{"Apple", slices.Concat([]byte{0xaa, 0xaa, 3, 8, 0, 7, 8, 0}, udp), false},
		{"Cisco", slices.Concat([]byte{0xaa, 0xaa, 3, 0, 0, 0xc, 8, 0}, udp), false},
	} {
		var p Packet
		if err := p.DecodeAs(&llcProtocol, c.b); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if Has[IPv4](&p) != c.want {
			t.Errorf("%s: IPv4 %v, want %v", c.name, !c.want, c.want)
		}
		roundTrips(t, &llcProtocol, c.b)
	}
}

func TestLLCBuild(t *testing.T) {
	udp := unhex(t, hexUDP4)
	for _, c := range []struct {
		name string
		p    *Packet
		want []byte
	}{
		{"IPv4 without SNAP", Stack(append([]Layer{&LLC{}}, layersUDP4()...)...), slices.Concat([]byte{6, 6, 3}, udp)},
		{"nothing", Stack(&LLC{}), []byte{0, 0, 3}},
		{"TEST", Stack(&LLC{DSAP: Pin(LLCSAP(4)), Control: Pin(LLCTEST.WithPoll(true))}, &Raw{Data: []byte{1}}), []byte{4, 0, 0xf3, 1}},
		{"an I frame of zeros", Stack(&LLC{Control: Pin(LLCInformation(0, 0))}), []byte{0, 0, 0, 0}},
	} {
		if got, err := c.p.AppendBinary(nil); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x, %v; want % x", c.name, got, err, c.want)
		}
	}
	if b, err := (&LLC{Control: Pin(LLCControl(0x103))}).AppendBinary([]byte("x")); !errors.Is(err, ErrTooLong) || string(b) != "x" {
		t.Errorf("an unnumbered frame of 16 bits: %q, %v; want ErrTooLong", b, err)
	}
}

func TestLLCControl(t *testing.T) {
	for _, c := range []struct {
		x    LLCControl
		want string
		len  int
	}{
		{LLCUnnumbered, "UI", 1},
		{LLCXID.WithPoll(true), "XID P", 1},
		{LLCTEST, "TEST", 1},
		{LLCSABME, "SABME", 1},
		{LLCDISC, "DISC", 1},
		{LLCUA, "UA", 1},
		{LLCDM, "DM", 1},
		{LLCFRMR, "FRMR", 1},
		{0x23, "U 0x23", 1},
		{LLCRR.WithNR(127).WithPoll(true), "RR nr=127 P", 2},
		{LLCRNR.WithNR(1), "RNR nr=1", 2},
		{LLCREJ, "REJ nr=0", 2},
		{0x0d, "S 0x0d nr=0", 2},
		{LLCInformation(127, 1).WithPoll(true), "I ns=127 nr=1 P", 2},
		{LLCInformation(127, 1).WithPoll(true).WithPoll(false), "I ns=127 nr=1", 2},
	} {
		if got := c.x.String(); got != c.want || c.x.Len() != c.len {
			t.Errorf("%#04x: %q, %d bytes; want %q, %d", uint16(c.x), got, c.x.Len(), c.want, c.len)
		}
	}
}

func TestLLCView(t *testing.T) {
	v := LLCView{0xaa, 0xaa, 3, 1}
	v.SetDSAP(LLCSAPSTP)
	v.SetSSAP(LLCSAPISIS)
	if !v.SetControl(LLCXID) || v.SetControl(LLCRR) {
		t.Error("SetControl takes what has another length, or not what has the same")
	}
	if want := (LLCView{0x42, 0xfe, 0xaf, 1}); !bytes.Equal(v, want) || v.HeaderLen() != 3 || len(v.Payload()) != 1 {
		t.Errorf("% x, want % x", []byte(v), []byte(want))
	}
	v = LLCView{0xaa, 0xaa, 0, 0}
	if !v.SetControl(LLCRR.WithNR(1)) || v.SetControl(LLCXID) || !bytes.Equal(v, []byte{0xaa, 0xaa, 1, 2}) {
		t.Errorf("SetControl: % x", []byte(v))
	}
	s := SNAPView{0, 0, 0, 8, 0, 1}
	s.SetOUI(OUI{1, 2, 3})
	s.SetType(EtherTypeARP)
	if !bytes.Equal(s, []byte{1, 2, 3, 8, 6, 1}) || s.OUI().String() != "01-02-03" || len(s.Payload()) != 1 {
		t.Errorf("SNAP: % x", []byte(s))
	}
}

// TestSNAPBinding binds a protocol to an organization's number.
func TestSNAPBinding(t *testing.T) {
	bridged := BySNAP(OUI{0x00, 0x80, 0xc2}, 7)   // RFC 2684: Ethernet without a checksum
	same := BySNAP(OUI{0x08, 0x80, 0xc2}, 7)      // differs in the first byte only
	ether := BySNAP(OUI{}, uint16(EtherTypeAARP)) // an EtherType
	if ether != ByEtherType(EtherTypeAARP) {
		t.Errorf("BySNAP(00-00-00) = %v", ether)
	}
	r := Default.With(Binding{bridged, &ethernetProtocol}, Binding{same, &arpProtocol}, Binding{ByLLCSAP(LLCSAPISIS), &rawProtocol})
	var seen []string
	for s, p := range r.Bindings() {
		if s == bridged || s == same {
			seen = append(seen, s.String()+" "+p.Name)
		}
	}
	if want := []string{"SNAP 00-80-c2 0x0007 Ethernet", "SNAP 08-80-c2 0x0007 ARP"}; !slices.Equal(seen, want) {
		t.Errorf("Bindings: %q, want %q", seen, want)
	}
	frame := slices.Concat([]byte{0xaa, 0xaa, 3, 0x00, 0x80, 0xc2, 0, 7}, macB[:], macA[:], []byte{8, 0}, unhex(t, hexUDP4))
	p := Packet{Registry: r}
	if err := p.DecodeAs(&llcProtocol, frame); err != nil || !Has[Ethernet](&p) || !Has[UDP](&p) {
		t.Errorf("decode: %v, Ethernet %v", err, Has[Ethernet](&p))
	}
	// The number follows an edit only within the organization.
	q := Packet{Registry: r}
	q.Append(&LLC{}, &SNAP{OUI: OUI{0x00, 0x80, 0xc2}, Type: Pin[EtherType](7)}, &Ethernet{Dst: macB, Src: macA})
	q.Append(layersUDP4()...)
	if got, err := q.AppendBinary(nil); err != nil || !bytes.Equal(got, frame) {
		t.Errorf("build: %v\n got % x\nwant % x", err, got, frame)
	}
}

func TestLLCSAPString(t *testing.T) {
	for s, want := range map[LLCSAP]string{LLCSAPSNAP: "SNAP", LLCSAPSTP: "STP", LLCSAPISIS: "ISO", LLCSAPIPX: "IPX", LLCSAPIP: "IP", LLCSAPNull: "null", LLCSAPNetBIOS: "NetBIOS", LLCSAPGlobal: "global", 0x43: "0x43"} {
		if got := s.String(); got != want {
			t.Errorf("LLCSAP(%#02x) = %q, want %q", uint8(s), got, want)
		}
	}
}
