package pkts

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mldGoldens() []golden {
	const ip = `
		fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
		ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
	`
	const group = `
		ff 05 00 00 00 00 00 00 00 00 00 00 00 01 00 03  # ff05::1:3
	`
	addr := netip.MustParseAddr
	layers := func(l ...Layer) []Layer {
		return append([]Layer{&IPv6{HopLimit: 255, Src: addr("fe80::1"), Dst: addr("ff02::1")}}, l...)
	}
	sources := must(MLDSources(nil).Append(addr("2001:db8::1"), addr("2001:db8::2")))
	records := must(MLDRecords(nil).Append(MLDRecord{Type: MLDToExclude, Group: addr("ff02::fb")}))
	records = must(records.Append(MLDRecord{Type: MLDAllowNewSources, Group: addr("ff05::1:3"), Sources: sources[:16], Aux: []byte("aux!")}))
	var kernel MLDRecords
	for _, g := range []string{"ff02::1:ff00:0", "ff02::1:ffeb:bdeb", "ff02::6a", "ff02::2"} {
		kernel = must(kernel.Append(MLDRecord{Type: MLDToExclude, Group: addr(g)}))
	}
	return []golden{{
		name:   "query",
		from:   "scapy: ICMPv6MLQuery(mrd=10000)",
		first:  &ipv6Protocol,
		hex:    `60 00 00 00 00 18 3a ff` + ip + `82 00 59 17  27 10 00 00  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`,
		layers: layers(&ICMPv6{}, &MLD{MaxRespDelay: 10000}),
	}, {
		name:   "report",
		from:   "scapy: ICMPv6MLReport(mladdr='ff05::1:3')",
		first:  &ipv6Protocol,
		hex:    `60 00 00 00 00 18 3a ff` + ip + `83 00 80 1d  00 00 00 00` + group,
		layers: layers(&ICMPv6{Type: Pin(ICMPv6MLDReport)}, &MLD{Group: addr("ff05::1:3")}),
	}, {
		name:   "done",
		from:   "scapy: ICMPv6MLDone(mladdr='ff05::1:3')",
		first:  &ipv6Protocol,
		hex:    `60 00 00 00 00 18 3a ff` + ip + `84 00 7f 1d  00 00 00 00` + group,
		layers: layers(&ICMPv6{Type: Pin(ICMPv6MLDDone)}, &MLD{Group: addr("ff05::1:3")}),
	}, {
		name:  "query v2",
		from:  "scapy: ICMPv6MLQuery2(mrd=0x8123, S=1, QRV=2, QQIC=0x8f) with two sources",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 3c 3a ff` + ip + `82 00 99 cf  81 23 00 00` + group + `
			0a 8f 00 02                                      # suppress, robustness 2, two sources
			20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
			20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02`,
		layers: layers(&ICMPv6{}, &MLDv2Query{MaxRespCode: 0x8123, Group: addr("ff05::1:3"), Suppress: true, QRV: 2, QQIC: 0x8f, Sources: sources}),
	}, {
		name:  "report v2",
		from:  "scapy: ICMPv6MLReport2 with two records, auxdata_len=1",
		first: &ipv6Protocol,
		hex: `60 00 00 00 00 44 3a ff` + ip + `8f 00 63 9e  00 00 00 02
			04 00 00 00  ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 fb
			05 01 00 01` + group + `
			20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  61 75 78 21`,
		layers: layers(&ICMPv6{}, &MLDv2Report{Records: records}),
	}, {
		name:  "report v2 of a host",
		from:  "captures/stp_bridge.pcap: the kernel; behind the ICMPv6 header",
		first: &mldv2ReportProtocol,
		hex: `00 00 00 04
			04 00 00 00 ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 00
			04 00 00 00 ff 02 00 00 00 00 00 00 00 00 00 01 ff eb bd eb
			04 00 00 00 ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 6a
			04 00 00 00 ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 02`,
		layers: []Layer{&MLDv2Report{Records: kernel}},
	}}
}

func TestMLD(t *testing.T) { testGolden(t, mldGoldens()...) }

func FuzzMLDv2Report(f *testing.F) {
	fuzzProtocol(f, &mldv2ReportProtocol, mldGoldens()[5:]...)
}

// RFC 3810, section 8.1: the length tells the versions apart.
func TestMLDQueryVersion(t *testing.T) {
	for n := range 40 {
		b := make([]byte, n+ICMPv6Len)
		b[0] = uint8(ICMPv6MLDQuery)
		var p Packet
		err := p.DecodeAs(&icmpv6Protocol, b)
		switch {
		case n > 0 && n < MLDLen:
			if !errors.Is(err, ErrTruncated) {
				t.Errorf("%d bytes: %v, want ErrTruncated", n, err)
			}
		case err != nil || Has[MLD](&p) != (n >= 20 && n < 24) || Has[MLDv2Query](&p) != (n >= 24):
			t.Errorf("%d bytes: %v, version 1 %v, 2 %v", n, err, Has[MLD](&p), Has[MLDv2Query](&p))
		}
	}
}

// Codes from RFC 3810, sections 5.1.3 and 5.1.9.
func TestMLDCodes(t *testing.T) {
	var q MLDv2Query
	for _, c := range []struct {
		code uint16
		ms   int64
	}{{0, 0}, {10000, 10000}, {0x7fff, 32767}, {0x8000, 32768}, {0x8001, 32776}, {0x8fff, 65528}, {0x9000, 65536}, {0xffff, 8387584}} {
		q.MaxRespCode = c.code
		if got := q.MaxRespDelay(); got != time.Duration(c.ms)*time.Millisecond {
			t.Errorf("MaxRespDelay(%#x) = %v, want %d ms", c.code, got, c.ms)
		}
	}
	for _, c := range []struct {
		code uint8
		s    int64
	}{{0, 0}, {125, 125}, {127, 127}, {0x80, 128}, {0x8f, 248}, {0x90, 256}, {0xff, 31744}} {
		q.QQIC = c.code
		if got := q.Interval(); got != time.Duration(c.s)*time.Second {
			t.Errorf("Interval(%#x) = %v, want %d s", c.code, got, c.s)
		}
	}
	for code := range 1 << 16 {
		q.MaxRespCode = uint16(code)
		d := q.MaxRespDelay()
		for _, more := range []time.Duration{0, time.Millisecond - 1} {
			if q.SetMaxRespDelay(d + more); int(q.MaxRespCode) != code {
				t.Fatalf("SetMaxRespDelay(%v) = %#x, want %#x", d+more, q.MaxRespCode, code)
			}
		}
	}
	for code := range 1 << 8 {
		q.QQIC = uint8(code)
		if q.SetInterval(q.Interval()); int(q.QQIC) != code {
			t.Fatalf("SetInterval = %#x, want %#x", q.QQIC, code)
		}
	}
	q.SetMaxRespDelay(1000 * time.Hour)
	q.SetInterval(1000 * time.Hour)
	if q.MaxRespCode != 0xffff || q.QQIC != 0xff {
		t.Errorf("the longest: %#x, %#x", q.MaxRespCode, q.QQIC)
	}
	q.SetMaxRespDelay(-1)
	if q.SetInterval(-time.Second); q.MaxRespCode != 0 || q.QQIC != 0 {
		t.Errorf("negative: %#x, %#x", q.MaxRespCode, q.QQIC)
	}
}

func TestMLDErrors(t *testing.T) {
	a4 := netip.MustParseAddr("192.0.2.1")
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"group":          {second2((&MLD{Group: a4}).AppendBinary(nil)), ErrMalformed},
		"query group":    {second2((&MLDv2Query{Group: a4}).AppendBinary(nil)), ErrMalformed},
		"QRV":            {second2((&MLDv2Query{QRV: 8}).AppendBinary(nil)), ErrTooLong},
		"flags":          {second2((&MLDv2Query{Flags: 16}).AppendBinary(nil)), ErrTooLong},
		"source":         {second2(MLDSources(nil).Append(a4)), ErrMalformed},
		"record group":   {second2(MLDRecords(nil).Append(MLDRecord{Group: a4})), ErrMalformed},
		"record sources": {second2(MLDRecords(nil).Append(MLDRecord{Sources: make(MLDSources, 15)})), ErrMalformed},
		"many sources":   {second2(MLDRecords(nil).Append(MLDRecord{Sources: make(MLDSources, 16<<16)})), ErrTooLong},
		"aux":            {second2(MLDRecords(nil).Append(MLDRecord{Aux: make([]byte, 3)})), ErrMalformed},
		"long aux":       {second2(MLDRecords(nil).Append(MLDRecord{Aux: make([]byte, 1024)})), ErrTooLong},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
}

func TestMLDRecords(t *testing.T) {
	g := mldGoldens()[4]
	var p Packet
	if err := p.DecodeAs(g.first, unhex(t, g.hex)); err != nil {
		t.Fatal(err)
	}
	r := Must[MLDv2Report](&p).Records
	r = append(r, 1, 0, 0, 1)
	var got []MLDRecord
	for _, rec := range r.All() {
		got = append(got, rec)
	}
	want := []MLDRecord{
		{Type: MLDToExclude, Group: netip.MustParseAddr("ff02::fb")},
		{Type: MLDAllowNewSources, Group: netip.MustParseAddr("ff05::1:3"), Sources: must(MLDSources(nil).Append(netip.MustParseAddr("2001:db8::1"))), Aux: []byte("aux!")},
	}
	if diff := cmp.Diff(want, got, layerOptions()...); diff != "" || r.Len() != 2 {
		t.Errorf("%d records (-want +got):\n%s", r.Len(), diff)
	}
	checkEnd(t, r.Err(), len(r)-4, len(r))
	checkEnd(t, r[:len(r)-4].Err(), len(r)-4, len(r)-4)
	if s := got[1].Type.String(); s != "ALLOW" {
		t.Errorf("type = %q", s)
	}
	if s := MLDRecordType(7).String(); s != "7" {
		t.Errorf("type 7 = %q", s)
	}
}

// A count of more than there is makes the layer truncated, and the count stays.
func TestMLDCut(t *testing.T) {
	for _, i := range []int{3, 4} {
		g := mldGoldens()[i]
		b := unhex(t, g.hex)
		b = b[:len(b)-4]
		b[5] -= 4
		var p Packet
		if err := p.DecodeAs(g.first, b); err != nil {
			t.Fatalf("%s: %v", g.name, err)
		}
		if !p.Truncated() {
			t.Errorf("%s: not truncated", g.name)
		}
		for c := range p.Checks() {
			if c.Status == CheckBad && c.Field != "Checksum" {
				t.Errorf("%s: %s is bad", g.name, c.Field)
			}
		}
		Must[IPv6](&p).HopLimit = 1
		got, err := p.AppendBinary(nil)
		b[7] = 1
		if err != nil || string(got) != string(b) {
			t.Errorf("%s: %v\n got %x\nwant %x", g.name, err, got, b)
		}
	}
}

func TestMLDViews(t *testing.T) {
	a := netip.MustParseAddr("ff02::1:3")
	v := MLDView(make([]byte, MLDLen))
	v.SetMaxRespDelay(1)
	v.SetReserved(2)
	v.SetGroup(a)
	var l MLD
	if _, err := l.Decode(v); err != nil || l != (MLD{1, 2, a}) {
		t.Errorf("MLD: %v, %+v", err, l)
	}
	q := MLDv2QueryView(make([]byte, MLDv2QueryMinLen+16))
	q.SetMaxRespCode(0x8000)
	q.SetGroup(a)
	q.SetFlags(9)
	q.SetSuppress(true)
	q.SetQRV(3)
	q.SetQQIC(0x80)
	q.SetNumSources(1)
	var ql MLDv2Query
	_, err := ql.Decode(q)
	want := MLDv2Query{MaxRespCode: 0x8000, Group: a, Flags: 9, Suppress: true, QRV: 3, QQIC: 0x80, NumSources: Seen[uint16](1), Sources: make(MLDSources, 16)}
	if diff := cmp.Diff(want, ql, layerOptions()...); err != nil || diff != "" {
		t.Errorf("query: %v (-want +got):\n%s", err, diff)
	}
	q.SetSuppress(false)
	if q.Suppress() || q.QRV() != 3 || q.Sources().Len() != 1 {
		t.Errorf("query: %x", []byte(q))
	}
	r := MLDv2ReportView(make([]byte, MLDv2ReportMinLen+20))
	r.SetReserved(7)
	r.SetNumRecords(1)
	var rl MLDv2Report
	if n, err := rl.Decode(r); n != 24 || err != nil || rl.Reserved != 7 || rl.NumRecords != Seen[uint16](1) || r.Records().Len() != 1 {
		t.Errorf("report: %d, %v, %+v", n, err, rl)
	}
}

func TestMLDRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a16 := func() netip.Addr {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")))
		}
		var want []MLDRecord
		var r MLDRecords
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			rec := MLDRecord{Type: MLDRecordType(rapid.Uint8().Draw(t, "type")), Group: a16()}
			for range rapid.IntRange(0, 3).Draw(t, "sources") {
				rec.Sources = must(rec.Sources.Append(a16()))
			}
			rec.Aux = make([]byte, 4*rapid.IntRange(0, 3).Draw(t, "aux"))
			want = append(want, rec)
			r = must(r.Append(rec))
		}
		b, err := Stack(&IPv6{HopLimit: 1}, &ICMPv6{}, &MLDv2Report{Records: r}).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Fatal(err)
		}
		var got []MLDRecord
		rep := Must[MLDv2Report](&p)
		for _, rec := range rep.Records.All() {
			got = append(got, rec)
		}
		if diff := cmp.Diff(want, got, layerOptions()...); diff != "" || int(rep.NumRecords.Value()) != len(want) {
			t.Fatalf("%v records (-want +got):\n%s", rep.NumRecords, diff)
		}
		rep.Records = must(rep.Records.Append(MLDRecord{Type: MLDIsExclude}))
		if b, err = p.AppendBinary(nil); err != nil {
			t.Fatal(err)
		}
		if err := p.DecodeAs(&ipv6Protocol, b); err != nil {
			t.Fatal(err)
		}
		if n := int(Must[MLDv2Report](&p).NumRecords.Value()); n != len(want)+1 {
			t.Fatalf("%d records, want %d", n, len(want)+1)
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Fatalf("%v.%s is %v", c.Node.Proto(), c.Field, c.Status)
			}
		}
	})
}
