package pkts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mobilityGoldens() []golden {
	home, _ := IPv6Options(nil).AppendPad(4).AppendHomeAddress(coreAddr("2001:db8:1::9"))
	careOf := coreAddr("2001:db8::1").As16()
	update, _ := BindingUpdate{0x4242, BindingUpdateAck | BindingUpdateHome | BindingUpdateLinkLocal, 3}.AppendBinary(nil)
	options, _ := MobilityOptions(update).Append(MobilityOptionPadN, nil)
	options, _ = options.Append(MobilityOptionAltCareOf, careOf[:])
	ack, _ := BindingAck{1, 0x80, 0x4242, 3}.AppendBinary(nil)
	return []golden{{
		name:  "binding update",
		from:  "scapy 2.5.0: IPv6/IPv6ExtHdrDestOpt(options=[HAO()])/MIP6MH_BU",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 38 3c 40 # 56 bytes, destination options
			` + coreSrc6 + coreDst6 + `
			87 02 01 02 00 00 c9 10 # mobility, 24 bytes, PadN, home address
			` + coreHome + `
			3b 03 05 00 0f c7       # none follows, 32 bytes, binding update; the checksum covers the home address
			42 42 e0 00 00 03       # sequence number, A+H+L, 12 seconds
			01 00 03 10             # PadN, alternate care-of address
			` + coreSrc6,
		layers: []Layer{
			coreV6(64),
			&IPv6DestOpts{Options: home},
			&Mobility{Type: MobilityBindingUpdate, Data: options},
		},
	}, {
		name:  "binding acknowledgement",
		from:  "scapy 2.5.0: IPv6/MIP6MH_BA",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 10 87 40 # 16 bytes, mobility
			` + coreSrc6 + coreDst6 + `
			3b 01 06 00 1e 2b       # none follows, 16 bytes, binding acknowledgement
			01 80 42 42 00 03       # status 1, K, sequence number, 12 seconds
			01 02 00 00             # PadN`,
		layers: []Layer{coreV6(64), &Mobility{Type: MobilityBindingAck, Data: append(ack, 1, 2, 0, 0)}},
	}, {
		name:  "home test",
		from:  "scapy 2.5.0: IPv6/MIP6MH_HoT",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 18 87 40 # 24 bytes, mobility
			` + coreSrc6 + coreDst6 + `
			3b 02 03 00 22 9e       # none follows, 24 bytes, home test
			00 00                   # nonce index
			61 62 63 64 65 66 67 68 # cookie
			69 6a 6b 6c 6d 6e 6f 70 # token`,
		layers: []Layer{coreV6(64), &Mobility{Type: MobilityHomeTest, Data: []byte("\x00\x00abcdefghijklmnop")}},
	}, {
		name:  "binding error",
		from:  "scapy 2.5.0: IPv6/MIP6MH_BE",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 18 87 40 # 24 bytes, mobility
			` + coreSrc6 + coreDst6 + `
			3b 02 07 00 33 26       # none follows, 24 bytes, binding error
			01 00                   # status 1
			` + coreHome,
		layers: []Layer{coreV6(64), &Mobility{Type: MobilityBindingError,
			Data: []byte("\x01\x00\x20\x01\x0d\xb8\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09")}},
	}}
}

func hipGoldens() []golden {
	list, _ := HIPParameters(nil).Append(HIPDHGroupList, []byte{3, 4, 8})
	return []golden{{
		name:  "I1",
		from:  "typed by hand from RFC 7401, sections 5.1 and 5.2.6; tshark finds the checksum right",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 30 8b 40 # 48 bytes, HIP
			` + coreSrc6 + coreDst6 + `
			3b 05 01 21             # none follows, 48 bytes, I1, version 2
			b1 b1 00 01             # checksum, controls: anonymous
			20 01 00 21 00 00 00 00 00 00 00 00 00 00 12 34 # sender
			20 01 00 21 00 00 00 00 00 00 00 00 00 00 56 78 # receiver
			01 ff 00 03 03 04 08 00 # DH_GROUP_LIST, 3 bytes, padding`,
		layers: []Layer{
			coreV6(64),
			&HIP{Type: HIPI1, Controls: 1, Sender: coreAddr("2001:21::1234"), Receiver: coreAddr("2001:21::5678"), Parameters: list},
		},
	}}
}

func shim6Goldens() []golden {
	return []golden{{
		name:  "keepalive",
		from:  "typed by hand from RFC 5534, section 5.1; tshark finds the checksum right",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 10 8c 40 # 16 bytes, Shim6
			` + coreSrc6 + coreDst6 + `
			3b 01 42 00 7f 95       # none follows, 16 bytes, keepalive, checksum
			12 34 56 78 9a bc       # context tag
			00 00 00 00             # reserved`,
		layers: []Layer{
			coreV6(64),
			&Shim6{Type: Shim6KeepAlive, Data: []byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0, 0, 0, 0}},
		},
	}, {
		name:  "payload",
		from:  "typed by hand from RFC 5533, section 5.1; the UDP part by scapy",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 12 8c 40 # 18 bytes, Shim6
			` + coreSrc6 + coreDst6 + `
			11 00 92 34 56 78 9a bc # UDP, 8 bytes, payload, context tag
			03 e8 07 d0 00 0a 30 44 68 69`,
		layers: []Layer{
			coreV6(64),
			&Shim6{IsPayload: true, ContextTag: 0x123456789abc},
			&UDP{SrcPort: 1000, DstPort: 2000},
			&Raw{Data: []byte("hi")},
		},
	}}
}

func TestMobility(t *testing.T) { testGolden(t, mobilityGoldens()...) }
func TestHIP(t *testing.T)      { testGolden(t, hipGoldens()...) }
func TestShim6(t *testing.T)    { testGolden(t, shim6Goldens()...) }

func FuzzMobility(f *testing.F) { fuzzProtocol(f, &ipv6Protocol, mobilityGoldens()...) }
func FuzzHIP(f *testing.F)      { fuzzProtocol(f, &ipv6Protocol, hipGoldens()...) }
func FuzzShim6(f *testing.F)    { fuzzProtocol(f, &ipv6Protocol, shim6Goldens()...) }

func TestMobilityMessages(t *testing.T) {
	layer := func(i int) *Mobility {
		return Must[Mobility](coreDecode(t, &ipv6Protocol, unhex(t, mobilityGoldens()[i].hex)))
	}
	l := layer(0)
	if u, ok := l.BindingUpdate(); !ok || u != (BindingUpdate{0x4242, 0xe000, 3}) || u.Flags.String() != "AHL" || !u.Flags.Has(BindingUpdateAck) {
		t.Errorf("BindingUpdate = %+v, %v", u, ok)
	}
	if o, ok := l.Options().Get(MobilityOptionAltCareOf); !ok || len(o.Data) != 16 || l.Options().Err() != nil {
		t.Errorf("AltCareOf = %+v, %v", o, ok)
	}
	var types []MobilityOptionType
	for _, o := range l.Options().All() {
		types = append(types, o.Type)
	}
	if diff := cmp.Diff([]MobilityOptionType{MobilityOptionPadN, MobilityOptionAltCareOf}, types); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	l = layer(1)
	if a, ok := l.BindingAck(); !ok || a != (BindingAck{1, 0x80, 0x4242, 3}) {
		t.Errorf("BindingAck = %+v, %v", a, ok)
	}
	l = layer(2)
	if n, cookie, token, ok := l.Test(); !ok || n != 0 || cookie != 0x6162636465666768 || token != 0x696a6b6c6d6e6f70 {
		t.Errorf("Test = %d, %#x, %#x, %v", n, cookie, token, ok)
	}
	if _, ok := l.BindingUpdate(); ok {
		t.Error("BindingUpdate of a home test: true")
	}
	l = layer(3)
	if s, home, ok := l.BindingError(); !ok || s != 1 || home != coreAddr("2001:db8:1::9") {
		t.Errorf("BindingError = %d, %v, %v", s, home, ok)
	}
	for typ := range 256 {
		for n := range 20 {
			l := Mobility{Type: MobilityType(typ), Data: make([]byte, n)}
			l.BindingUpdate()
			l.BindingAck()
			l.BindingError()
			l.Test()
			l.Options()
		}
	}
	if _, err := MobilityOptions(nil).Append(2, make([]byte, 256)); !errors.Is(err, ErrTooLong) {
		t.Errorf("an option of 256 bytes: %v, want %v", err, ErrTooLong)
	}
}

func TestHIPParameters(t *testing.T) {
	o := HIPParameters(unhex(t, `
		01 ff 00 03 03 04 08 00  # DH_GROUP_LIST
		02 43 00 04 00 01 00 02  # HIP_CIPHER
		00 41 00 09 01 02`)) // ESP_INFO, cut
	var got []string
	for i, p := range o.All() {
		got = append(got, fmt.Sprintf("%d %v %x", i, p.Type, p.Data))
	}
	if diff := cmp.Diff([]string{"0 DH_GROUP_LIST 030408", "8 HIP_CIPHER 00010002"}, got); diff != "" {
		t.Errorf("All (-want +got):\n%s", diff)
	}
	de, ok := errors.AsType[*DecodeError](o.Err())
	if !ok || de.Offset != 16 || de.Want != 13 || de.Have != 6 || !errors.Is(de, ErrTruncated) {
		t.Errorf("Err = %v", o.Err())
	}
	if err := o[:16].Err(); err != nil {
		t.Errorf("Err of whole parameters = %v", err)
	}
	if !HIPDHGroupList.IsCritical() || !HIPEchoRequest.IsCritical() || HIPViaRVS.IsCritical() {
		t.Error("IsCritical: want it for odd types")
	}
	if _, err := HIPParameters(nil).Append(HIPCert, make([]byte, 65536)); !errors.Is(err, ErrTooLong) {
		t.Errorf("65,536 bytes: %v, want %v", err, ErrTooLong)
	}
	// In UDP the checksum is 0, RFC 5770, section 4.1.
	b := coreBuild(t, coreV6(64), &UDP{}, &HIP{})
	if sum := binary.BigEndian.Uint16(b[IPv6Len+UDPLen+4:]); sum != 0 {
		t.Errorf("the checksum in UDP is %#x, want 0", sum)
	}
}

func TestMobilityViews(t *testing.T) {
	b := unhex(t, mobilityGoldens()[1].hex)
	p := coreDecode(t, &ipv6Protocol, b)
	v, _ := View[MobilityView](p)
	if v.HeaderLen() != 16 || len(v.Data()) != 10 || len(v.Payload()) != 0 {
		t.Errorf("Mobility: % x", v)
	}
	v.SetType(MobilityHeartbeat)
	v.SetReserved(7)
	v.SetPayloadProto(IPProtoExperiment)
	if v.Type() != MobilityHeartbeat || v.Reserved() != 7 || v.PayloadProto() != IPProtoExperiment {
		t.Errorf("Mobility after setting: % x", v)
	}
	coreAllGood(t, &ipv6Protocol, b)
	v.SetChecksum(v.Checksum() + 1)
	if coreChecks(coreDecode(t, &ipv6Protocol, b))["Mobility.Checksum"] != CheckBad {
		t.Error("Mobility: a wrong checksum is not bad")
	}

	b = unhex(t, hipGoldens()[0].hex)
	p = coreDecode(t, &ipv6Protocol, b)
	h, _ := View[HIPView](p)
	h.SetType(HIPUpdate)
	h.SetVersion(1)
	h.SetControls(0x8000)
	h.SetSender(coreAddr("::1"))
	h.SetReceiver(coreAddr("::2"))
	h.SetNextHeader(IPProtoExperiment)
	if h.Type() != HIPUpdate || h.Version() != 1 || h.Controls() != 0x8000 || h.Sender() != coreAddr("::1") || h.Receiver() != coreAddr("::2") ||
		h.NextHeader() != IPProtoExperiment || len(h.Parameters()) != 8 || len(h.Payload()) != 0 {
		t.Errorf("HIP after setting: % x", h)
	}
	coreAllGood(t, &ipv6Protocol, b)
	h.SetChecksum(h.Checksum() + 1)
	if coreChecks(coreDecode(t, &ipv6Protocol, b))["HIP.Checksum"] != CheckBad {
		t.Error("HIP: a wrong checksum is not bad")
	}
	var l HIP
	if _, err := l.Decode(append([]byte{59, 3}, make([]byte, 62)...)); !errors.Is(err, ErrMalformed) {
		t.Errorf("HIP with a header length of 3: %v, want %v", err, ErrMalformed)
	}

	b = unhex(t, shim6Goldens()[0].hex)
	p = coreDecode(t, &ipv6Protocol, b)
	s, _ := View[Shim6View](p)
	s.SetType(Shim6Probe)
	s.SetSpecific(4)
	s.SetNextHeader(IPProtoExperiment)
	if s.Type() != Shim6Probe || s.Specific() != 4 || s.NextHeader() != IPProtoExperiment || s.IsPayload() || s.HdrExtLen() != 1 || len(s.Payload()) != 0 {
		t.Errorf("Shim6 after setting: % x", s)
	}
	coreAllGood(t, &ipv6Protocol, b)
	s.SetChecksum(s.Checksum() + 1)
	if coreChecks(coreDecode(t, &ipv6Protocol, b))["Shim6.Checksum"] != CheckBad {
		t.Error("Shim6: a wrong checksum is not bad")
	}

	b = unhex(t, shim6Goldens()[1].hex)
	s, _ = View[Shim6View](coreDecode(t, &ipv6Protocol, b))
	s.SetContextTag(0x7edcba987654)
	s.SetNextHeader(IPProtoUDP)
	if s.ContextTag() != 0x7edcba987654 || !s.IsPayload() {
		t.Errorf("Shim6 after setting: % x", s)
	}
	coreAllGood(t, &ipv6Protocol, b)
}
