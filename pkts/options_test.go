package pkts

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// coreOptions lists options as text.
func coreOptions[O any](seq func(func(int, O) bool)) []string {
	var s []string
	for i, o := range seq {
		s = append(s, fmt.Sprintf("%d %+v", i, o))
	}
	return s
}

// TestOptionLists reads lists in good and bad shape.
func TestOptionLists(t *testing.T) {
	for _, test := range []struct {
		name string
		list interface {
			Err() error
		}
		got    []string
		want   []string
		err    error
		offset int
	}{{
		name: "IPv4",
		list: IPv4Options{1, 148, 4, 0, 5, 0, 9, 9},
		got:  coreOptions(IPv4Options{1, 148, 4, 0, 5, 0, 9, 9}.All()),
		want: []string{"0 {Type:NOP Data:[]}", "1 {Type:RTRALT Data:[0 5]}", "5 {Type:EOOL Data:[]}"},
	}, {
		name:   "IPv4, cut",
		list:   IPv4Options{1, 7, 11, 4},
		got:    coreOptions(IPv4Options{1, 7, 11, 4}.All()),
		want:   []string{"0 {Type:NOP Data:[]}"},
		err:    ErrTruncated,
		offset: 1,
	}, {
		name:   "IPv4, length 1",
		list:   IPv4Options{1, 1, 7, 1, 4},
		got:    coreOptions(IPv4Options{1, 1, 7, 1, 4}.All()),
		want:   []string{"0 {Type:NOP Data:[]}", "1 {Type:NOP Data:[]}"},
		err:    ErrMalformed,
		offset: 2,
	}, {
		name: "TCP, without a length",
		list: TCPOptions{8},
		got:  coreOptions(TCPOptions{8}.All()),
		err:  ErrTruncated,
	}, {
		name: "TCP, length 0",
		list: TCPOptions{8, 0, 0, 0},
		got:  coreOptions(TCPOptions{8, 0, 0, 0}.All()),
		err:  ErrMalformed,
	}, {
		name: "TCP, unknown",
		list: TCPOptions{200, 3, 7},
		got:  coreOptions(TCPOptions{200, 3, 7}.All()),
		want: []string{"0 unknown-200 0x07"},
	}, {
		name: "IPv6",
		list: IPv6Options{0, 1, 0, 0x44, 1, 9},
		got:  coreOptions(IPv6Options{0, 1, 0, 0x44, 1, 9}.All()),
		want: []string{"0 {Type:Pad1 Data:[]}", "1 {Type:PadN Data:[]}", "3 {Type:0x44 Data:[9]}"},
	}, {
		name:   "IPv6, cut",
		list:   IPv6Options{0, 5, 2, 0},
		got:    coreOptions(IPv6Options{0, 5, 2, 0}.All()),
		want:   []string{"0 {Type:Pad1 Data:[]}"},
		err:    ErrTruncated,
		offset: 1,
	}, {
		name: "IPv6, without a length",
		list: IPv6Options{5},
		got:  coreOptions(IPv6Options{5}.All()),
		err:  ErrTruncated,
	}} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s: All (-want +got):\n%s", test.name, diff)
		}
		err := test.list.Err()
		if !errors.Is(err, test.err) {
			t.Errorf("%s: Err = %v, want %v", test.name, err, test.err)
		}
		if de, ok := errors.AsType[*DecodeError](err); ok && de.Offset != test.offset {
			t.Errorf("%s: %v: at byte %d, want %d", test.name, err, de.Offset, test.offset)
		}
	}
	if p := (IPv4Options{1, 0, 9, 9}).Padding(); !bytes.Equal(p, []byte{9, 9}) {
		t.Errorf("Padding = %x, want 0909", p)
	}
	if p := (TCPOptions{1, 1}).Padding(); p != nil {
		t.Errorf("Padding without an end = %x, want none", p)
	}
}

// FuzzOptions reads anything as options of every kind.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{
		"020405b401010100",
		"0101050a564a6651564a6652",
		"1c040005",
		"1e040181",
		"94040000",
		"442405010a4d000200000000",
		"c90420010db8",
		"c20400010000",
		"8303040007ff",
		"",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		kept := slices.Clone(b)
		// What All yields, appended again, are the bytes up to where it ends.
		var v4, tcp, v6 []byte
		end := false
		for i, o := range IPv4Options(b).All() {
			if i != len(v4) {
				t.Fatalf("IPv4 option at %d, want %d", i, len(v4))
			}
			v4 = IPv4Options(v4).Append(o.Type, o.Data)
			end = o.Type == IPv4OptionEnd
		}
		if whole := IPv4Options(b).Err() == nil; whole != (end || len(v4) == len(b)) || !bytes.HasPrefix(b, v4) {
			t.Errorf("IPv4 options %x: %x, whole %v", b, v4, whole)
		}
		for _, o := range TCPOptions(b).All() {
			tcp = TCPOptions(tcp).Append(o.Kind, o.Data)
		}
		if !bytes.Equal(tcp, v4) {
			t.Errorf("TCP options %x: %x, want as IPv4 %x", b, tcp, v4)
		}
		for _, o := range IPv6Options(b).All() {
			x, err := IPv6Options(v6).Append(o.Type, o.Data)
			if err != nil {
				t.Fatal(err)
			}
			v6 = x
		}
		if whole := IPv6Options(b).Err() == nil; whole != (len(v6) == len(b)) || !bytes.HasPrefix(b, v6) {
			t.Errorf("IPv6 options %x: %x, whole %v", b, v6, whole)
		}
		for _, m := range TCPOptions(b).MPTCP() {
			_ = m.Subtype.String()
		}
		if m, ok := ParseMPTCP(b); ok {
			again := TCPOptions(nil).AppendMPTCP(m)
			if n, ok := ParseMPTCP(again[2:]); !ok || n.Subtype != m.Subtype {
				t.Errorf("MPTCP %x: %+v, appended %x", b, m, again)
			}
		}
		coreReadAll(b)
		if !bytes.Equal(b, kept) {
			t.Errorf("reading options changed them: %x, %x before", b, kept)
		}
	})
}

// coreReadAll calls every accessor.
func coreReadAll(b []byte) {
	o4, ot, o6 := IPv4Options(b), TCPOptions(b), IPv6Options(b)
	for _, f := range []func() (IPv4Route, bool){o4.RecordRoute, o4.LooseRoute, o4.StrictRoute} {
		r, _ := f()
		_ = r.Done()
		for range r.All() {
		}
	}
	ts, _ := o4.Timestamp()
	_ = ts.Done()
	for range ts.All() {
	}
	o4.RouterAlert()
	o4.StreamID()
	o4.MTUProbe()
	o4.MTUReply()
	o4.Security()
	o4.ExtSecurity()
	o4.Traceroute()
	o4.QuickStart()
	o4.CIPSO()
	o4.Padding()
	for range o4.Broadcast() {
	}
	ot.MSS()
	ot.WindowScale()
	ot.SACKPermitted()
	for range ot.SACK() {
	}
	ot.Timestamps()
	ot.MD5()
	ot.UserTimeout()
	ot.AO()
	ot.FastOpen()
	ot.ENO()
	ot.QuickStart()
	ot.AccECN()
	ot.Experiment()
	o6.RouterAlert()
	o6.Jumbo()
	o6.TunnelLimit()
	o6.HomeAddress()
	o6.QuickStart()
	o6.CALIPSO()
	o6.RPL()
	o6.MPL()
	o6.PDM()
	o6.MinPathMTU()
	o6.IOAM()
	for range HIPParameters(b).All() {
	}
	for range SRv6TLVs(b).All() {
	}
	SRv6TLVs(b).HMAC()
}

// TestOptionAllocs checks that reading options allocates nothing.
func TestOptionAllocs(t *testing.T) {
	o4 := IPv4Options{148, 4, 0, 0, 7, 7, 8, 1, 2, 3, 4, 0}
	ot := TCPOptions{2, 4, 5, 180, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 30, 4, 1, 0x81}
	o6 := IPv6Options{5, 2, 0, 0, 1, 0}
	n := 0
	got := testing.AllocsPerRun(100, func() {
		for range o4.All() {
			n++
		}
		r, _ := o4.RecordRoute()
		for range r.All() {
			n++
		}
		for range ot.All() {
			n++
		}
		for range ot.SACK() {
			n++
		}
		for range ot.MPTCP() {
			n++
		}
		if _, ok := ot.MSS(); ok {
			n++
		}
		for range o6.All() {
			n++
		}
	})
	if got != 0 || n == 0 {
		t.Errorf("%v allocations for %d options, want 0", got, n)
	}
}

func TestIPv6OptionAccessors(t *testing.T) {
	// Bytes from the RFCs' diagrams.
	o := IPv6Options(unhex(t, `
		05 02 00 01              # router alert, RSVP
		c2 04 00 01 11 70        # jumbo payload, 70,000
		04 01 03                 # tunnel encapsulation limit 3
		00                       # Pad1
		c9 10 20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 09 # home address
		26 06 0a 40 00 00 00 16  # quick-start request, rate 10, TTL 64, nonce 5, reserved 2
		07 0c 00 00 00 05 01 07 ab cd f0 00 00 0f # CALIPSO, DOI 5, level 7
		23 06 a3 1e 01 00 ee 00  # RPL, O and F, reserved 3, instance 30, rank 256, TLV
		6d 04 60 09 0a 0b        # MPL with a seed of 2 bytes, M, sequence 9
		0f 0a 01 02 00 03 00 04 00 05 00 06 # PDM
		30 04 05 dc 05 01        # minimum path MTU
		31 04 00 01 aa bb        # IOAM`))
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	check := func(name string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got, layerOptions()...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	alert, _ := o.RouterAlert()
	check("RouterAlert", alert, uint16(1))
	jumbo, _ := o.Jumbo()
	check("Jumbo", jumbo, uint32(70_000))
	limit, _ := o.TunnelLimit()
	check("TunnelLimit", limit, uint8(3))
	home, _ := o.HomeAddress()
	check("HomeAddress", home, coreAddr("2001:db8:1::9"))
	qs, _ := o.QuickStart()
	check("QuickStart", qs, QuickStart{QuickStartRequest, 10, 64, 5, 2})
	check("rate", qs.BitsPerSecond(), uint64(40_960_000))
	check("no rate", QuickStart{}.BitsPerSecond(), uint64(0))
	label, _ := o.CALIPSO()
	check("CALIPSO", label, CALIPSO{5, 1, 7, 0xabcd, []byte{0xf0, 0, 0, 0x0f}})
	rpl, _ := o.RPL()
	check("RPL", rpl, RPLOption{Down: true, ForwardError: true, Flags: 3, InstanceID: 30, SenderRank: 256, Sub: []byte{0xee, 0}})
	mpl, _ := o.MPL()
	check("MPL", mpl, MPLOption{S: 1, Max: true, Sequence: 9, SeedID: []byte{0x0a, 0x0b}})
	pdm, _ := o.PDM()
	check("PDM", pdm, PDMOption{1, 2, 3, 4, 5, 6})
	mtu, back, report, _ := o.MinPathMTU()
	check("MinPathMTU", []any{mtu, back, report}, []any{uint16(1500), uint16(1280), true})
	typ, data, _ := o.IOAM()
	check("IOAM", []any{typ, data}, []any{uint8(1), []byte{0xaa, 0xbb}})
	if _, ok := o.Get(IPv6OptionSMFDPD); ok {
		t.Error("Get of an option that is not there: true")
	}

	// The builders give the same bytes.
	b := IPv6Options(nil).AppendRouterAlert(1).AppendJumbo(70_000).AppendTunnelLimit(3).AppendPad(1)
	b, err := b.AppendHomeAddress(home)
	if err != nil {
		t.Fatal(err)
	}
	b = b.AppendQuickStart(qs)
	c, _ := o.Get(IPv6OptionCALIPSO)
	if b, err = b.Append(c.Type, c.Data); err != nil {
		t.Fatal(err)
	}
	if b, err = b.AppendRPL(rpl); err != nil {
		t.Fatal(err)
	}
	c, _ = o.Get(IPv6OptionMPL)
	if b, err = b.Append(c.Type, c.Data); err != nil {
		t.Fatal(err)
	}
	b = b.AppendPDM(pdm).AppendMinPathMTU(1500, 1280, true)
	if want := o[:len(o)-6]; !bytes.Equal(b, want) {
		t.Errorf("built\n% x, want\n% x", b, want)
	}

	if _, err := b.Append(0x1e, make([]byte, 256)); !errors.Is(err, ErrTooLong) {
		t.Errorf("256 bytes: %v, want %v", err, ErrTooLong)
	}
	if _, err := b.AppendRPL(RPLOption{Sub: make([]byte, 252)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("RPL with 252 bytes: %v, want %v", err, ErrTooLong)
	}
	if _, err := b.AppendHomeAddress(coreAddr("192.0.2.1")); !errors.Is(err, ErrMalformed) {
		t.Errorf("IPv4 home address: %v, want %v", err, ErrMalformed)
	}
	for _, n := range []int{-1, 0, 1, 2, 3, 256, 257, 258, 259, 600} {
		pad := IPv6Options(nil).AppendPad(n)
		if len(pad) != max(n, 0) || pad.Err() != nil {
			t.Errorf("AppendPad(%d) = %d bytes, %v", n, len(pad), pad.Err())
		}
	}
	if IPv6OptionJumbo.Action() != IPv6OptionReportUnicast || IPv6OptionRouterAlert.Action() != IPv6OptionSkip ||
		!IPv6OptionRPL.IsMutable() || IPv6OptionJumbo.IsMutable() {
		t.Error("Action or IsMutable of Jumbo, RouterAlert, RPL is wrong")
	}
}

// TestOptionNames checks that every number of the registries has a name, and no
// other.
func TestOptionNames(t *testing.T) {
	count := func(name string, want int, n int, text func(int) string) {
		t.Helper()
		got := 0
		for i := range n {
			s := text(i)
			if s == "" {
				t.Errorf("%s %d: no text", name, i)
			}
			if !bytes.Contains([]byte(s), []byte("(")) && !bytes.HasPrefix([]byte(s), []byte("0x")) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d names, want %d", name, got, want)
		}
	}
	count("IPv4OptionType", 29, 256, func(i int) string { return IPv4OptionType(i).String() })
	count("TCPOptionKind", 36, 256, func(i int) string { return TCPOptionKind(i).String() })
	count("IPv6OptionType", 29, 256, func(i int) string { return IPv6OptionType(i).String() })
	count("MPTCPSubtype", 10, 16, func(i int) string { return MPTCPSubtype(i).String() })
	count("IPv6RoutingType", 9, 256, func(i int) string { return IPv6RoutingType(i).String() })
	count("SRv6TLVType", 9, 256, func(i int) string { return SRv6TLVType(i).String() })
	count("MobilityType", 24, 256, func(i int) string { return MobilityType(i).String() })
	count("MobilityOptionType", 26, 256, func(i int) string { return MobilityOptionType(i).String() })
	count("HIPType", 10, 256, func(i int) string { return HIPType(i).String() })
	count("HIPParameterType", 33, 65536, func(i int) string { return HIPParameterType(i).String() })
	count("Shim6Type", 11, 128, func(i int) string { return Shim6Type(i).String() })
	count("IPv4OptionClass", 2, 4, func(i int) string { return IPv4OptionClass(i).String() })
	count("IPv4TimestampFlag", 3, 16, func(i int) string { return IPv4TimestampFlag(i).String() })
	count("IPv4SecurityLevel", 4, 256, func(i int) string { return IPv4SecurityLevel(i).String() })
	count("QuickStartFunction", 2, 16, func(i int) string { return QuickStartFunction(i).String() })
	count("IPv6OptionAction", 4, 256, func(i int) string { return IPv6OptionAction(i).String() })
	for e, want := range []string{"Not-ECT", "ECT(1)", "ECT(0)", "CE", "ECN(4)"} {
		if got := ECN(e).String(); got != want {
			t.Errorf("ECN %d is %s, want %s", e, got, want)
		}
	}
	if BindingUpdateFlags(0).String() != "none" {
		t.Errorf("no flags are %q, want none", BindingUpdateFlags(0))
	}
}
