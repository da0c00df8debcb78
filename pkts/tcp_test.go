package pkts

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopkts/gopkts/common/link"
)

func tcpGoldens() []golden {
	return []golden{{
		name:  "SYN",
		from:  "captures/http1.pcap, frame 1: curl on Linux",
		first: &ethernetProtocol,
		hex: `
			d6 1e d5 b8 ca fd 3a fe 07 46 b7 66 08 00 # to, from, IPv4
			45 00 00 3c 02 35 40 00 40 06 23 eb # 60 bytes, DF, TTL 64, TCP
			0a 4d 00 01 0a 4d 00 02     # 10.77.0.1 to 10.77.0.2
			dc 22 00 50                 # 56354 to 80
			95 01 6d b7 00 00 00 00     # sequence number
			a0 02 fa f0 cc 6e 00 00     # 40 bytes, SYN, window 64240, checksum
			02 04 05 b4                 # MSS 1460
			04 02                       # SACK permitted
			08 0a 43 3c 49 99 00 00 00 00 # timestamps
			01 03 03 0a                 # NOP, window scale 10`,
		layers: []Layer{
			&Ethernet{Dst: link.MacAddr{0xd6, 0x1e, 0xd5, 0xb8, 0xca, 0xfd}, Src: link.MacAddr{0x3a, 0xfe, 0x07, 0x46, 0xb7, 0x66}},
			&IPv4{ID: 0x0235, Flags: IPv4DontFragment, TTL: 64, Src: coreAddr("10.77.0.1"), Dst: coreAddr("10.77.0.2")},
			&TCP{SrcPort: 56354, DstPort: 80, Seq: 0x95016db7, Flags: TCPSyn, Window: 64240,
				Options: TCPOptions(nil).AppendMSS(1460).AppendSACKPermitted().AppendTimestamps(0x433c4999, 0).AppendNop(1).AppendWindowScale(10)},
		},
	}, {
		name:  "fast open and user timeout",
		from:  "scapy 2.5.0: IP/TCP(options=[('MSS',1460),('SAckOK',b''),('Timestamp',(1,2)),('NOP',None),('WScale',7),('TFO',...),('UTO',0x8005)])",
		first: &ipv4Protocol,
		hex: `45 00 00 4c 00 01 00 00 40 06 f6 a7 # 76 bytes, TCP
			` + coreAddrs4 + `
			00 01 00 02 00 00 00 00 00 00 00 00
			e0 02 20 00 94 7d 00 00     # 56 bytes, SYN, window 8192, checksum
			02 04 05 b4 04 02           # MSS, SACK permitted
			08 0a 00 00 00 01 00 00 00 02 # timestamps
			01 03 03 07                 # NOP, window scale
			22 0a 11 22 33 44 55 66 77 88 # cookie
			1c 04 80 05 00 00           # 5 minutes`,
		layers: []Layer{
			coreV4(nil),
			&TCP{SrcPort: 1, DstPort: 2, Flags: TCPSyn, Window: 8192,
				Options: TCPOptions(nil).AppendMSS(1460).AppendSACKPermitted().AppendTimestamps(1, 2).AppendNop(1).AppendWindowScale(7).
					AppendFastOpen([]byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}).AppendUserTimeout(5, true).Pad()},
		},
	}, {
		name:  "SACK and MD5",
		from:  "scapy 2.5.0: IP/TCP(options=[('NOP',None),('NOP',None),('SAck',(1,2,5,9)),('MD5',b'0123456789abcdef')])",
		first: &ipv4Protocol,
		hex: `45 00 00 50 00 01 00 00 40 06 f6 a3 # 80 bytes, TCP
			` + coreAddrs4 + `
			00 01 00 02 00 00 00 00 00 00 00 00
			f0 10 20 00 23 38 00 00     # 60 bytes, ACK, window 8192, checksum
			01 01 05 12 00 00 00 01 00 00 00 02 00 00 00 05 00 00 00 09 # two blocks
			13 12 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 00 00 # MD5`,
		layers: []Layer{
			coreV4(nil),
			&TCP{SrcPort: 1, DstPort: 2, Flags: TCPAck, Window: 8192,
				Options: TCPOptions(nil).AppendNop(2).AppendSACK(SACKBlock{1, 2}, SACKBlock{5, 9}).AppendMD5([16]byte([]byte("0123456789abcdef"))).Pad()},
		},
	}}
}

func TestTCP(t *testing.T) { testGolden(t, tcpGoldens()...) }

func FuzzTCP(f *testing.F) { fuzzProtocol(f, &tcpProtocol, tcpGoldens()...) }

// TestTCPHeaderLengths builds, decodes and edits headers of every length.
func TestTCPHeaderLengths(t *testing.T) {
	for words := 5; words <= 15; words++ {
		o := TCPOptions(nil).AppendNop(words*4 - TCPMinLen)
		b := coreBuild(t, coreV4(nil), &TCP{Options: o}, &Raw{Data: []byte("odd")})
		coreAllGood(t, &ipv4Protocol, b)
		roundTrips(t, &ipv4Protocol, b)
		p := coreDecode(t, &ipv4Protocol, b)
		l := Must[TCP](p)
		if int(l.DataOffset.Value()) != words || !bytes.Equal(l.Options, o) || string(Must[Raw](p).Data) != "odd" {
			t.Errorf("%d words: %+v", words, l)
		}
		for _, n := range []int{0, 4, 40} {
			l.Options = TCPOptions(nil).AppendNop(n)
			edited, err := p.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(edited) != IPv4MinLen+TCPMinLen+n+3 {
				t.Errorf("%d words, then %d bytes of options: %d bytes", words, n, len(edited))
			}
			coreAllGood(t, &ipv4Protocol, edited)
		}
	}
	for words := range 5 {
		b := coreBuild(t, coreV4(nil), &TCP{})[IPv4MinLen:]
		b[tcpOffFlags] = byte(words << 4)
		if err := new(Packet).DecodeAs(&tcpProtocol, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d words: %v, want %v", words, err, ErrMalformed)
		}
	}
}

func TestTCPEncodeErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		below Layer
		l     TCP
		err   error
	}{
		{"options too long", &IPv4{}, TCP{Options: make(TCPOptions, 44)}, ErrTooLong},
		{"options odd", &IPv4{}, TCP{Options: make(TCPOptions, 5)}, ErrMalformed},
		{"data offset", &IPv4{}, TCP{DataOffset: Pin[uint8](16)}, ErrTooLong},
		{"flags", &IPv4{}, TCP{Flags: 0x1000}, ErrTooLong},
		{"no IP header", &Ethernet{}, TCP{}, ErrOrder},
	} {
		b, err := Stack(test.below, &test.l).AppendBinary([]byte("kept"))
		if !errors.Is(err, test.err) || string(b) != "kept" {
			t.Errorf("%s: %q, %v, want %v", test.name, b, err, test.err)
		}
	}
	b := coreBuild(t, &Ethernet{}, &TCP{Checksum: Pin[uint16](0xbeef), DataOffset: Pin[uint8](9), Flags: 0xfff})
	if v := TCPView(b[EthernetLen:]); v.Checksum() != 0xbeef || v[tcpOffFlags] != 0x9f {
		t.Errorf("pinned: % x", v)
	}
}

func TestTCPView(t *testing.T) {
	b := unhex(t, tcpGoldens()[0].hex)
	v, ok := View[TCPView](coreDecode(t, &ethernetProtocol, b))
	if !ok {
		t.Fatal("no view")
	}
	v.SetSrcPort(1)
	v.SetDstPort(2)
	v.SetSeq(0x01020304)
	v.SetAck(0xfffefdfc)
	v.SetFlags(TCPSyn | TCPAck | TCPAE | 0xf000)
	v.SetWindow(9)
	v.SetUrgentPointer(7)
	coreAllGood(t, &ethernetProtocol, b)
	want := TCP{SrcPort: 1, DstPort: 2, Seq: 0x01020304, Ack: 0xfffefdfc, Flags: TCPSyn | TCPAck | TCPAE, Window: 9, UrgentPointer: 7, Options: v.Options()}
	if diff := cmp.Diff(&want, Must[TCP](coreDecode(t, &ethernetProtocol, b)), layerOptions()...); diff != "" {
		t.Errorf("after setting (-want +got):\n%s", diff)
	}
	if len(v.Payload()) != 0 || v.HeaderLen() != 40 {
		t.Errorf("payload % x, header %d", v.Payload(), v.HeaderLen())
	}
	v.SetChecksum(v.Checksum() ^ 1)
	v.SetWindow(10)
	if coreChecks(coreDecode(t, &ethernetProtocol, b))["TCP.Checksum"] != CheckBad {
		t.Error("a wrong checksum became right")
	}
	for f, want := range map[TCPFlags]string{0: "none", TCPSyn | TCPAck: "SYN+ACK", 0xfff: "FIN+SYN+RST+PSH+ACK+URG+ECE+CWR+AE+R1+R2+R3"} {
		if f.String() != want {
			t.Errorf("flags %#x: %q, want %q", uint16(f), f, want)
		}
	}
}

func TestTCPOptionAccessors(t *testing.T) {
	// Bytes from the RFCs' diagrams.
	o := TCPOptions(unhex(t, `
		02 04 05 b4                 # MSS
		03 03 07                    # window scale
		04 02                       # SACK permitted
		05 12 00 00 00 01 00 00 00 02 00 00 00 05 00 00 00 09 # SACK
		08 0a 00 00 00 01 00 00 00 02 # timestamps
		13 12 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 # MD5
		1c 04 00 05                 # user timeout of 5 seconds
		1d 10 3d 54 2e e4 37 c6 f8 ed e6 d7 c4 d6 02 e7 # TCP-AO, RFC 9235, section 4.1.1
		22 06 01 02 03 04           # fast open
		45 03 21                    # encryption negotiation
		1b 08 0a 03 00 00 00 16     # quick-start response, rate 10, nonce 5, reserved 2
		ac 0b 00 00 01 00 00 02 00 00 03 # AccECN0
		fe 06 f9 89 aa bb           # experiment, fast open of RFC 6994
		01 00`))
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	check := func(name string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got, layerOptions()...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	mss, _ := o.MSS()
	check("MSS", mss, uint16(1460))
	scale, _ := o.WindowScale()
	check("WindowScale", scale, uint8(7))
	check("SACKPermitted", o.SACKPermitted(), true)
	var blocks []SACKBlock
	for _, b := range o.SACK() {
		blocks = append(blocks, b)
	}
	check("SACK", blocks, []SACKBlock{{1, 2}, {5, 9}})
	value, echo, _ := o.Timestamps()
	check("Timestamps", []uint32{value, echo}, []uint32{1, 2})
	md5, _ := o.MD5()
	check("MD5", string(md5[:]), "0123456789abcdef")
	timeout, minutes, _ := o.UserTimeout()
	check("UserTimeout", []any{timeout, minutes}, []any{uint16(5), false})
	ao, _ := o.AO()
	check("AO", ao, TCPAO{61, 84, []byte{0x2e, 0xe4, 0x37, 0xc6, 0xf8, 0xed, 0xe6, 0xd7, 0xc4, 0xd6, 0x02, 0xe7}})
	cookie, _ := o.FastOpen()
	check("FastOpen", cookie, []byte{1, 2, 3, 4})
	eno, _ := o.ENO()
	check("ENO", eno, []byte{0x21})
	qs, _ := o.QuickStart()
	check("QuickStart", qs, TCPQuickStart{10, 3, 5, 0x20})
	ecn, _ := o.AccECN()
	check("AccECN", ecn, AccECN{3, 1, 2, 3})
	id, data, _ := o.Experiment()
	check("Experiment", []any{id, data}, []any{uint16(0xf989), []byte{0xaa, 0xbb}})

	b := TCPOptions(nil).AppendMSS(1460).AppendWindowScale(7).AppendSACKPermitted().AppendSACK(blocks...).
		AppendTimestamps(1, 2).AppendMD5(md5).AppendUserTimeout(5, false).AppendAO(ao).AppendFastOpen(cookie).
		AppendENO(eno).AppendQuickStart(qs).AppendAccECN(TCPOptionAccECN0, ecn).AppendExperiment(0xf989, data).
		AppendNop(1).Append(TCPOptionEnd, nil)
	if !bytes.Equal(b, o) {
		t.Errorf("built\n% x, want\n% x", b, o)
	}
	one := TCPOptions(nil).AppendAccECN(TCPOptionAccECN1, AccECN{Counters: 2, ECT1: 7, CE: 8, ECT0: 9})
	check("AccECN1 bytes", []byte(one), []byte{0xae, 8, 0, 0, 7, 0, 0, 8})
	ecn, _ = one.AccECN()
	check("AccECN1", ecn, AccECN{Counters: 2, ECT1: 7, CE: 8})

	// What trips naive readers.
	o = TCPOptions{2, 4, 5, 0xb4, 1, 1, 1, 0}
	mss, ok := o.MSS()
	check("MSS, then padding", []any{mss, ok, len(coreOptions(o.All()))}, []any{uint16(1460), true, 5})
	if _, ok := (TCPOptions{2, 3, 5}).MSS(); ok {
		t.Error("an MSS of one byte: true")
	}
	if _, ok := (TCPOptions{0, 2, 4, 5, 0xb4}).MSS(); ok {
		t.Error("an MSS behind the end: true")
	}
	if _, ok := o.Get(TCPOptionMD5); ok || TCPOptions(nil).SACKPermitted() {
		t.Error("options that are not there: true")
	}
}

func TestMPTCP(t *testing.T) {
	key := uint64(0xca20a512a2b56c7a)
	for _, test := range []struct {
		name, from, hex string
		want            MPTCPOption
	}{
		{"SYN", "captures/mptcp_two_subflows.pcap, frame 1", "1e 04 01 01",
			MPTCPOption{Version: 1, Flags: MPTCPHMACSHA256}},
		{"SYN, checksum required", "a known defect elsewhere", "1e 04 01 81",
			MPTCPOption{Version: 1, Flags: MPTCPHMACSHA256 | MPTCPChecksumRequired}},
		{"SYN+ACK", "captures/mptcp_two_subflows.pcap, frame 2", "1e 0c 01 01 ca 20 a5 12 a2 b5 6c 7a",
			MPTCPOption{Version: 1, Flags: MPTCPHMACSHA256, SenderKey: key}},
		{"ACK", "captures/mptcp_two_subflows.pcap, frame 3", "1e 14 01 01 15 a6 15 5d 81 25 67 4b ca 20 a5 12 a2 b5 6c 7a",
			MPTCPOption{Version: 1, Flags: MPTCPHMACSHA256, SenderKey: 0x15a6155d8125674b, ReceiverKey: key}},
		{"ACK with data", "RFC 8684, section 3.1", "1e 18 01 81 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02 00 03 00 04",
			MPTCPOption{Version: 1, Flags: MPTCPHMACSHA256 | MPTCPChecksumRequired, SenderKey: 1, ReceiverKey: 2, DataLen: 3, HasChecksum: true, Checksum: 4}},
		{"add address", "captures/mptcp_two_subflows.pcap, frame 4", "1e 10 30 01 0a 4e 00 02 02 f5 c8 a6 54 0c 85 ea",
			MPTCPOption{Subtype: MPTCPAddAddr, AddrID: 1, Addr: coreAddr("10.78.0.2"), HMAC: []byte{0x02, 0xf5, 0xc8, 0xa6, 0x54, 0x0c, 0x85, 0xea}}},
		{"address echoed", "captures/mptcp_two_subflows.pcap, frame 5", "1e 08 31 01 0a 4e 00 02",
			MPTCPOption{Subtype: MPTCPAddAddr, Flags: MPTCPEcho, AddrID: 1, Addr: coreAddr("10.78.0.2")}},
		{"add IPv6 address with port", "RFC 8684, section 3.4.1", "1e 1e 30 02 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 00 50 01 02 03 04 05 06 07 08",
			MPTCPOption{Subtype: MPTCPAddAddr, AddrID: 2, Addr: coreAddr("2001:db8::1"), HasPort: true, Port: 80, HMAC: []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
		{"join SYN", "captures/mptcp_two_subflows.pcap, frame 6", "1e 0c 10 01 c7 58 8a a6 52 c0 9d 2c",
			MPTCPOption{Subtype: MPTCPJoin, AddrID: 1, Token: 0xc7588aa6, Nonce: 0x52c09d2c}},
		{"join SYN+ACK", "captures/mptcp_two_subflows.pcap, frame 9", "1e 10 10 00 f0 f5 26 2b ee ff d3 87 41 2c 2b 3d",
			MPTCPOption{Subtype: MPTCPJoin, Nonce: 0x412c2b3d, HMAC: []byte{0xf0, 0xf5, 0x26, 0x2b, 0xee, 0xff, 0xd3, 0x87}}},
		{"join ACK", "captures/mptcp_two_subflows.pcap, frame 10", "1e 18 10 00 fb 4c 5f 89 b6 45 09 a0 43 e3 03 45 1f 0f 4a 93 82 59 54 57",
			MPTCPOption{Subtype: MPTCPJoin, HMAC: []byte{0xfb, 0x4c, 0x5f, 0x89, 0xb6, 0x45, 0x09, 0xa0, 0x43, 0xe3, 0x03, 0x45, 0x1f, 0x0f, 0x4a, 0x93, 0x82, 0x59, 0x54, 0x57}}},
		{"data ack", "captures/mptcp_two_subflows.pcap, frame 11", "1e 08 20 01 74 6f 1a 53",
			MPTCPOption{Subtype: MPTCPDSS, Flags: MPTCPDataAck, DataAck: 0x746f1a53}},
		{"data", "captures/mptcp_two_subflows.pcap, frame 12", "1e 16 20 0d 0e 4d ed 99 a6 07 bc 1b 74 6f 1a 53 00 00 00 01 00 02",
			MPTCPOption{Subtype: MPTCPDSS, Flags: MPTCPDataAck | MPTCPMapping | MPTCPDSN8, DataAck: 0x0e4ded99, DSN: 0xa607bc1b746f1a53, SubflowSeq: 1, DataLen: 2}},
		{"data with checksum and long ack", "RFC 8684, section 3.3", "1e 18 20 17 00 00 00 00 00 00 00 05 00 00 00 06 00 00 00 01 00 02 ab cd",
			MPTCPOption{Subtype: MPTCPDSS, Flags: MPTCPDataAck | MPTCPAck8 | MPTCPMapping | MPTCPDataFin, DataAck: 5, DSN: 6, SubflowSeq: 1, DataLen: 2, HasChecksum: true, Checksum: 0xabcd}},
		{"remove addresses", "RFC 8684, section 3.4.2", "1e 05 40 01 02", MPTCPOption{Subtype: MPTCPRemoveAddr, AddrIDs: []byte{1, 2}}},
		{"priority", "RFC 8684, section 3.3.8", "1e 03 51", MPTCPOption{Subtype: MPTCPPrio, Flags: MPTCPBackup}},
		{"fail", "RFC 8684, section 3.7", "1e 0c 60 00 00 00 00 00 00 00 00 09", MPTCPOption{Subtype: MPTCPFail, DSN: 9}},
		{"fast close", "RFC 8684, section 3.5", "1e 0c 70 00 00 00 00 00 00 00 00 09", MPTCPOption{Subtype: MPTCPFastClose, ReceiverKey: 9}},
		{"reset", "RFC 8684, section 3.6", "1e 04 81 04", MPTCPOption{Subtype: MPTCPReset, Flags: MPTCPTransient, Reason: 4}},
		{"experiment", "RFC 8684, section 8.2", "1e 05 f1 02 03", MPTCPOption{Subtype: MPTCPExperiment, Flags: 1, Experimental: []byte{2, 3}}},
	} {
		o := TCPOptions(unhex(t, test.hex))
		n := 0
		for i, m := range o.MPTCP() {
			if diff := cmp.Diff(test.want, m, layerOptions()...); diff != "" || i != 0 {
				t.Errorf("%s (%s), at %d (-want +got):\n%s", test.name, test.from, i, diff)
			}
			if again := TCPOptions(nil).AppendMPTCP(m); !bytes.Equal(again, o) {
				t.Errorf("%s: appended % x, want % x", test.name, again, o)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%s: %d options, want 1", test.name, n)
		}
		// What is cut is refused, or another form that is whole.
		for cut := range len(o) - 2 {
			m, ok := ParseMPTCP(slices.Clip(o[2 : 2+cut]))
			if ok && cut > 0 && !bytes.Equal(TCPOptions(nil).AppendMPTCP(m)[2:], o[2:2+cut]) {
				t.Errorf("%s, cut to %d bytes: %+v", test.name, cut, m)
			}
		}
	}
	if _, ok := ParseMPTCP(nil); ok {
		t.Error("no bytes: true")
	}
}

// TestTCPChecksumOnes encodes a cut segment whose checksum is 0xffff, the other
// form of 0.
func TestTCPChecksumOnes(t *testing.T) {
	for _, sum := range []uint16{0, 0xffff} {
		b := coreBuild(t, coreV4(nil), &TCP{Checksum: Pin(sum)}, &Raw{Data: []byte("0123456789")})
		b = b[:len(b)-5]
		roundTrips(t, &ipv4Protocol, b)
		p := coreDecode(t, &ipv4Protocol, b)
		Must[IPv4](p).TTL--
		got, err := p.AppendBinary(nil)
		if err != nil || TCPView(got[IPv4MinLen:]).Checksum() != sum {
			t.Errorf("checksum %#x: % x, %v", sum, got, err)
		}
	}
}
