package pkts

import (
	"bytes"
	"errors"
	"testing"
)

func geneveGoldens() []golden {
	return []golden{{
		name:  "Geneve with options",
		from:  "scapy 2.5.0: GENEVE(vni=10, critical=1, proto=0x6558, options=[GeneveOptions(…), …])",
		first: &geneveProtocol,
		hex: `
			05 40 65 58  00 00 0a 00                      # 5 words of options, C, Ethernet, VNI 10
			01 02 80 01  00 00 00 0c                      # class OVN, type 0x80, 4 bytes
			ff ff 01 02  61 62 63 64 65 66 67 68          # experimental, type 1, 8 bytes
			02 00 00 00 00 04  02 00 00 00 00 03  08 00   # to, from, IPv4` + tunnelInnerHex,
		layers: tunnelInner(&Geneve{
			Flags: GeneveCritical, VNI: 10,
			Options: GeneveOptions("\x01\x02\x80\x01\x00\x00\x00\x0c\xff\xff\x01\x02abcdefgh"),
		}, tunnelEthernet(3, 4)),
	}, {
		name:  "Geneve IPv4",
		from:  "scapy 2.5.0: GENEVE(vni=0xfffffe, oam=1, proto=0x0800)",
		first: &geneveProtocol,
		hex: `
			00 80 08 00  ff ff fe 00                      # O, IPv4, VNI 0xfffffe` + tunnelInnerHex,
		layers: tunnelInner(&Geneve{Flags: GeneveControl, VNI: 0xfffffe}),
	}}
}

func TestGeneve(t *testing.T) { testGolden(t, geneveGoldens()...) }

func FuzzGeneve(f *testing.F) { fuzzProtocol(f, &geneveProtocol, geneveGoldens()...) }

func TestGeneveEncode(t *testing.T) {
	for _, test := range []struct {
		field string
		l     *Geneve
		err   error
	}{
		{"VNI", &Geneve{VNI: 1 << 24}, ErrTooLong},
		{"OptLen", &Geneve{OptLen: Pin[uint8](64)}, ErrTooLong},
		{"Options", &Geneve{Options: make([]byte, 256)}, ErrTooLong},
		{"Options", &Geneve{Options: make([]byte, 6)}, ErrMalformed},
	} {
		_, err := test.l.AppendBinary(nil)
		if ee, ok := errors.AsType[*EncodeError](err); !ok || ee.Field != test.field || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.field, err, test.err)
		}
	}
	if _, err := new(Geneve).Decode([]byte{0x40, 0, 8, 0, 0, 0, 0, 0}); !errors.Is(err, ErrMalformed) {
		t.Errorf("version 1: %v", err)
	}
	// Another length and another type follow from an edit.
	p := coreDecode(t, &geneveProtocol, unhex(t, geneveGoldens()[0].hex))
	g := Must[Geneve](p)
	g.Options, _ = g.Options.Append(GeneveOption{Class: 1, Type: 2, Reserved: 5, Data: []byte("wxyz")})
	if err := p.Remove(Must[Ethernet](p)); err != nil {
		t.Fatal(err)
	}
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	coreAllGood(t, &geneveProtocol, b)
	if !bytes.HasPrefix(b, []byte{7, 0x40, 0x08, 0x00}) || coreShape(coreDecode(t, &geneveProtocol, b)) != "Geneve .IPv4 ..UDP ...Raw" {
		t.Errorf("edited: % x", b)
	}
}

func TestGeneveOptions(t *testing.T) {
	var o GeneveOptions
	for _, opt := range []GeneveOption{
		{GeneveClassOVN, 0x80, 0, []byte{0, 0, 0, 12}},
		{0x1234, 1, 7, nil},
		{GeneveClassExperiment, 3, 0, make([]byte, 124)},
	} {
		var err error
		if o, err = o.Append(opt); err != nil {
			t.Fatal(err)
		}
	}
	if o.Err() != nil {
		t.Error(o.Err())
	}
	var offs []int
	for i, opt := range o.All() {
		offs = append(offs, i)
		if got, ok := o.Get(opt.Class, opt.Type); !ok || !bytes.Equal(got.Data, opt.Data) || got.Reserved != opt.Reserved {
			t.Errorf("Get(%v, %d) = %v, %v", opt.Class, opt.Type, got, ok)
		}
		if opt.Type.IsCritical() != (i == 0) {
			t.Errorf("option at %d: IsCritical", i)
		}
	}
	if len(offs) != 3 || offs[1] != 8 || offs[2] != 12 || len(o) != 12+128 {
		t.Errorf("offsets %v of %d bytes", offs, len(o))
	}
	if _, ok := o.Get(GeneveClassAmazon, 1); ok {
		t.Error("Get of none")
	}
	for n := range len(o) {
		end := 0
		for i, opt := range o[:n].All() {
			end = i + 4 + len(opt.Data)
		}
		checkEnd(t, o[:n].Err(), end, n)
	}
	for _, opt := range []GeneveOption{{Data: make([]byte, 128)}, {Data: make([]byte, 3)}, {Reserved: 8}} {
		if got, err := o.Append(opt); err == nil || !bytes.Equal(got, o) {
			t.Errorf("%+v: %v", opt, err)
		}
	}
	for c, want := range map[GeneveClass]string{0x42: "standard", 0x0102: "OVN", 0xff12: "experimental", 0x0300: "0x0300"} {
		if c.String() != want {
			t.Errorf("%#x is %q, want %q", uint16(c), c, want)
		}
	}
}

func TestGeneveView(t *testing.T) {
	b := unhex(t, geneveGoldens()[0].hex)
	v, _ := View[GeneveView](coreDecode(t, &geneveProtocol, b))
	v.SetFlags(0xc1)
	v.SetVNI(0xff789abc)
	v.SetReserved(0xde)
	v.SetProtocolType(EtherTypeIPv6)
	if v.Flags() != 0xc1 || v.Flags().String() != "O+C+0x01" || v.VNI() != 0x789abc || v.Reserved() != 0xde || v.ProtocolType() != EtherTypeIPv6 {
		t.Errorf("after setting: % x", v)
	}
	if v.HeaderLen() != 28 || len(v.Options()) != 20 || len(v.Payload()) != len(b)-28 {
		t.Errorf("header %d, options %d", v.HeaderLen(), len(v.Options()))
	}
	v.SetOptLen(0xc2)
	if v.OptLen() != 2 || len(v.Options()) != 8 {
		t.Errorf("after SetOptLen: % x", v)
	}
}
