package pkts

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopkts/gopkts/common/link"
	"pgregory.net/rapid"
)

func drawBytes(t *rapid.T, n int) []byte {
	return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes")
}

func drawMAC(t *rapid.T) link.MacAddr { return link.MacAddr(drawBytes(t, 6)) }
func drawV4(t *rapid.T) netip.Addr    { return netip.AddrFrom4([4]byte(drawBytes(t, 4))) }
func drawV6(t *rapid.T) netip.Addr    { return netip.AddrFrom16([16]byte(drawBytes(t, 16))) }

func draw8(t *rapid.T, limit uint8) uint8    { return rapid.Uint8Max(limit).Draw(t, "8 bits") }
func draw16(t *rapid.T, limit uint16) uint16 { return rapid.Uint16Max(limit).Draw(t, "16 bits") }
func draw32(t *rapid.T, limit uint32) uint32 { return rapid.Uint32Max(limit).Draw(t, "32 bits") }
func drawInt(t *rapid.T, limit int) int      { return rapid.IntRange(0, limit).Draw(t, "number") }
func drawBool(t *rapid.T) bool               { return rapid.Bool().Draw(t, "bool") }

// drawIPv4Options draws up to 40 bytes of options.
func drawIPv4Options(t *rapid.T) IPv4Options {
	var o IPv4Options
	for range drawInt(t, 4) {
		n := o
		switch drawInt(t, 5) {
		case 0:
			n = n.AppendRouterAlert(draw16(t, 0xffff))
		case 1:
			n = n.AppendRecordRoute(drawInt(t, 3))
		case 2:
			n, _ = n.AppendRoute(IPv4OptionStrictRoute, drawV4(t), drawV4(t))
		case 3:
			n, _ = n.AppendTimestamp(IPv4TimestampAddrs, IPv4TimestampEntry{drawV4(t), draw32(t, 0xffffffff)})
		case 4:
			n = n.Append(IPv4OptionType(2+draw8(t, 253)), drawBytes(t, drawInt(t, 9)))
		default:
			n = n.Append(IPv4OptionNop, nil)
		}
		if len(n.Pad()) <= IPv4MaxLen-IPv4MinLen {
			o = n
		}
	}
	return o.Pad()
}

// drawTCPOptions draws up to 40 bytes of options.
func drawTCPOptions(t *rapid.T) TCPOptions {
	var o TCPOptions
	for range drawInt(t, 4) {
		n := o
		switch drawInt(t, 5) {
		case 0:
			n = n.AppendMSS(draw16(t, 0xffff))
		case 1:
			n = n.AppendTimestamps(draw32(t, 0xffffffff), draw32(t, 0xffffffff))
		case 2:
			n = n.AppendSACK(SACKBlock{draw32(t, 0xffffffff), draw32(t, 0xffffffff)})
		case 3:
			n = n.AppendMPTCP(MPTCPOption{Subtype: MPTCPDSS, Flags: MPTCPDataAck, DataAck: uint64(draw32(t, 0xffffffff))})
		case 4:
			n = n.Append(TCPOptionKind(2+draw8(t, 253)), drawBytes(t, drawInt(t, 9)))
		default:
			n = n.AppendNop(1)
		}
		if len(n.Pad()) <= TCPMaxLen-TCPMinLen {
			o = n
		}
	}
	return o.Pad()
}

// drawIPv6Options draws options that fill their header.
func drawIPv6Options(t *rapid.T) IPv6Options {
	var o IPv6Options
	for range drawInt(t, 3) {
		switch drawInt(t, 2) {
		case 0:
			o = o.AppendRouterAlert(draw16(t, 0xffff))
		case 1:
			o, _ = o.AppendHomeAddress(drawV6(t))
		default:
			o, _ = o.Append(IPv6OptionExperiment1, drawBytes(t, drawInt(t, 20)))
		}
	}
	return o.AppendPad(-(extOffData + len(o)) & 7)
}

// draw draws the fields of a layer that are not computed.
func draw(t *rapid.T, l Layer) {
	switch l := l.(type) {
	case *Ethernet:
		l.Dst, l.Src = drawMAC(t), drawMAC(t)
	case *IPv4:
		l.DSCP, l.ECN, l.ID, l.TTL = draw8(t, 0x3f), ECN(draw8(t, 3)), draw16(t, 0xffff), draw8(t, 0xff)
		l.Flags = IPv4Flags(draw8(t, 3)) << 1
		l.Src, l.Dst, l.Options = drawV4(t), drawV4(t), drawIPv4Options(t)
	case *IPv6:
		l.DSCP, l.ECN, l.FlowLabel, l.HopLimit = draw8(t, 0x3f), ECN(draw8(t, 3)), draw32(t, 0xfffff), draw8(t, 0xff)
		l.Src, l.Dst = drawV6(t), drawV6(t)
	case *IPv6HopByHop:
		l.Options = drawIPv6Options(t)
	case *IPv6DestOpts:
		l.Options = drawIPv6Options(t)
	case *IPv6Routing:
		l.SegmentsLeft = draw8(t, 2)
		l.Type = IPv6RoutingType(draw8(t, 5))
		l.Data = drawBytes(t, 4+8*drawInt(t, 5))
	case *IPv6Fragment:
		l.Reserved, l.Res, l.ID = draw8(t, 0xff), draw8(t, 3), draw32(t, 0xffffffff)
	case *AH:
		l.Reserved, l.SPI, l.Seq, l.ICV = draw16(t, 0xffff), draw32(t, 0xffffffff), draw32(t, 0xffffffff), drawBytes(t, 4*drawInt(t, 5))
	case *ESP:
		l.SPI, l.Seq = draw32(t, 0xffffffff), draw32(t, 0xffffffff)
	case *Mobility:
		l.Type, l.Reserved, l.Data = MobilityType(draw8(t, 0xff)), draw8(t, 0xff), drawBytes(t, 2+8*drawInt(t, 4))
	case *HIP:
		l.Type, l.Reserved, l.Controls, l.Sender, l.Receiver = HIPType(draw8(t, 0x7f)), draw8(t, 7), draw16(t, 0xffff), drawV6(t), drawV6(t)
		l.Parameters, _ = HIPParameters(nil).Append(HIPParameterType(draw16(t, 0xffff)), drawBytes(t, drawInt(t, 20)))
	case *Shim6:
		l.Type, l.Specific, l.Data = Shim6Type(draw8(t, 0x7f)), draw8(t, 0xff), drawBytes(t, 2+8*drawInt(t, 3))
	case *GRE:
		drawGRE(t, l)
	case *VXLAN:
		l.Flags, l.Reserved, l.VNI, l.Reserved2 = Pin(VXLANFlags(draw8(t, 0xff))), draw32(t, 1<<24-1), draw32(t, 1<<24-1), draw8(t, 0xff)
	case *Geneve:
		l.Flags, l.VNI, l.Reserved, l.Options = GeneveFlags(draw8(t, 0xff)), draw32(t, 1<<24-1), draw8(t, 0xff), drawBytes(t, 4*drawInt(t, 63))
	case *GTPU:
		drawGTPU(t, l)
	case *UDP:
		l.SrcPort, l.DstPort = draw16(t, 0xffff), draw16(t, 0xffff)
	case *TCP:
		l.SrcPort, l.DstPort, l.Seq, l.Ack = draw16(t, 0xffff), draw16(t, 0xffff), draw32(t, 0xffffffff), draw32(t, 0xffffffff)
		l.Flags, l.Window, l.UrgentPointer, l.Options = TCPFlags(draw16(t, 0xfff)), draw16(t, 0xffff), draw16(t, 0xffff), drawTCPOptions(t)
	case *Raw:
		l.Data = drawBytes(t, 1+drawInt(t, 60))
	case *Padding:
		l.Data = drawBytes(t, 1+drawInt(t, 20))
	}
}

// drawGRE draws the fields of version 0. Whether there is a checksum stays.
func drawGRE(t *rapid.T, l *GRE) {
	l.Flags = l.Flags&GREChecksum | GREFlags(draw16(t, 0xffff))&(GRERouting|GREKey|GRESeq|GREStrictRoute|GRERecursion|GREAck|GREReserved)
	l.Reserved1, l.Key, l.Seq, l.Routing = 0, 0, 0, nil
	if l.Flags&(GREChecksum|GRERouting) != 0 {
		l.Reserved1 = draw16(t, 0xffff)
	}
	if l.Flags.Has(GREKey) {
		l.Key = draw32(t, 0xffffffff)
	}
	if l.Flags.Has(GRESeq) {
		l.Seq = draw32(t, 0xffffffff)
	}
	if l.Flags.Has(GRERouting) {
		l.Routing = append([]byte{8, 0, 0, 5}, drawBytes(t, 5)...)
		l.Routing = append(l.Routing, 0, 0, 0, 0)
	}
}

// drawGTPU draws the fields of a header that carries a packet.
func drawGTPU(t *rapid.T, l *GTPU) {
	l.Flags, l.TEID = GTPUFlags(draw8(t, 0xf)), draw32(t, 0xffffffff)
	l.Seq, l.NPDU, l.NextType, l.Extensions = 0, 0, 0, nil
	if l.Flags&gtpuOptional == 0 {
		return
	}
	l.Seq, l.NPDU = draw16(t, 0xffff), draw8(t, 0xff)
	if !l.Flags.Has(GTPUExtension) {
		l.NextType = draw8(t, 0xff)
		return
	}
	for range drawInt(t, 3) {
		l.Extensions, _ = l.Extensions.Append(GTPUExtensionHeader{GTPUExtensionType(1 + draw8(t, 0xfe)), drawBytes(t, 2+4*drawInt(t, 9))})
	}
}

// drawTunnel draws nothing, or a tunnel that may lie in an IP packet.
func drawTunnel(t *rapid.T) []Layer {
	switch drawInt(t, 5) {
	case 0:
		return []Layer{&GRE{}}
	case 1:
		return []Layer{&GRE{Flags: GREChecksum}}
	case 2:
		return []Layer{&GRE{Flags: GREChecksum}, &Ethernet{}}
	}
	return nil
}

// drawStack draws a packet from Ethernet down to data.
func drawStack(t *rapid.T) []Layer {
	layers := []Layer{&Ethernet{}}
	for i := range 1 + drawInt(t, 1) {
		if i > 0 {
			layers = append(layers, drawTunnel(t)...)
		}
		if drawBool(t) {
			layers = append(layers, &IPv4{})
			if drawBool(t) {
				layers = append(layers, &AH{})
			}
			continue
		}
		layers = append(layers, &IPv6{})
		for range drawInt(t, 3) {
			layers = append(layers, []Layer{&IPv6HopByHop{}, &IPv6DestOpts{}, &IPv6Routing{}, &IPv6Fragment{}, &AH{}, &Shim6{}}[drawInt(t, 5)])
		}
	}
	switch drawInt(t, 5) {
	case 0:
		layers = append(layers, &TCP{})
	case 1:
		layers = append(layers, &UDP{})
	case 2:
		layers = append(layers, &ESP{})
	case 3:
		layers = append(layers, &HIP{})
	case 4:
		layers = append(layers, &Mobility{})
	}
	if drawBool(t) {
		layers = append(layers, &Raw{})
	}
	if drawBool(t) {
		layers = append(layers, &Padding{})
	}
	for _, l := range layers {
		draw(t, l)
	}
	return layers
}

// sumOffset returns where the checksum lies in the header of node i of b.
func sumOffset(p *Packet, i int, b []byte) (int, bool) {
	switch p.nodes()[i].kind {
	case kindGRE:
		return greOffChecksum, GREView(b[p.nodes()[i].off:]).Flags().Has(GREChecksum)
	case kindIPv4:
		return ipv4OffChecksum, true
	case kindTCP:
		return tcpOffChecksum, true
	case kindUDP:
		return udpOffChecksum, true
	case kindMobility:
		return mobilityOffChecksum, true
	case kindHIP:
		return hipOffChecksum, true
	case kindShim6:
		return shim6OffChecksum, true
	default:
		return 0, false
	}
}

// TestStackProperties builds packets of any layers, decodes and edits them.
func TestStackProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers := drawStack(t)
		b, err := Stack(layers...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if err := p.DecodeAs(&ethernetProtocol, b); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		i := 0
		for n := range p.Nodes() {
			l, err := n.Layer()
			if err != nil {
				t.Fatalf("%x: %v", b, err)
			}
			if i >= len(layers) {
				t.Fatalf("%x: %v behind the last layer", b, n.Proto())
			}
			if diff := cmp.Diff(layers[i], l, layerOptions()...); diff != "" {
				t.Errorf("layer %d of %x (-want +got):\n%s", i, b, diff)
			}
			i++
		}
		if i != len(layers) {
			t.Fatalf("%x: %d layers, want %d", b, i, len(layers))
		}
		for c := range p.Checks() {
			if c.Status != CheckGood {
				t.Errorf("%x: %v.%s is %v: have %#x, want %#x", b, c.Node.Proto(), c.Field, c.Status, c.Have, c.Want)
			}
		}

		// Make some checksums wrong.
		for i := range p.nodes() {
			if off, ok := sumOffset(&p, i, b); ok && drawInt(t, 3) == 0 {
				sum := b[int(p.nodes()[i].off)+off:]
				sum[0] ^= 1 + draw8(t, 0xfe)
				if sum[0] == 0 && sum[1] == 0 {
					sum[1] = 7 // no checksum is another matter
				}
			}
		}
		var q Packet
		if err := q.DecodeAs(&ethernetProtocol, b); err != nil {
			t.Fatal(err)
		}
		// A wrong checksum inside what a right one covers is none of its
		// business: only what is right now must stay so.
		right, wrong := map[int]bool{}, map[int]uint16{}
		for c := range q.Checks() {
			if off, ok := sumOffset(&q, c.Node.i, b); ok && c.Offset == int(q.nodes()[c.Node.i].off)+off {
				right[c.Node.i] = c.Status == CheckGood
				wrong[c.Node.i] = uint16(c.Have)
			}
		}
		edited := 0
		for i := range q.nodes() {
			if drawBool(t) {
				l, err := q.layer(i)
				if err != nil {
					t.Fatal(err)
				}
				draw(t, l)
				edited++
			}
		}
		got, err := q.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if edited == 0 && !bytes.Equal(got, b) {
			t.Fatalf("not edited: %x, want %x", got, b)
		}
		var r Packet
		if err := r.DecodeAs(&ethernetProtocol, got); err != nil {
			t.Fatalf("edited %x: %v", got, err)
		}
		if coreShape(&r) != coreShape(&q) {
			t.Fatalf("edited: %s, want %s", coreShape(&r), coreShape(&q))
		}
		for c := range r.Checks() {
			i := c.Node.i
			off, isSum := sumOffset(&r, i, got)
			isSum = isSum && c.Offset == int(r.nodes()[i].off)+off
			switch {
			case !isSum || right[i]:
				if c.Status != CheckGood {
					t.Errorf("edited %x from %x: %v.%s is %v: have %#x, want %#x", got, b, c.Node.Proto(), c.Field, c.Status, c.Have, c.Want)
				}
			case c.Have != uint32(wrong[i]):
				t.Errorf("edited %x from %x: the wrong %v.%s is %#x, was %#x", got, b, c.Node.Proto(), c.Field, c.Have, wrong[i])
			}
		}
	})
}

// TestAppendCommon builds what programs build most, and what comes near it, the
// short way and the long way.
func TestAppendCommon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ip, up, raw := Layer(&IPv6{}), Layer(&UDP{}), &Raw{}
		if drawBool(t) {
			ip = &IPv4{}
		}
		if drawBool(t) {
			up = &TCP{}
		}
		layers := []Layer{ip, up}
		if drawBool(t) {
			layers = append([]Layer{&Ethernet{}}, layers...)
		}
		for _, l := range layers {
			draw(t, l)
		}
		if drawBool(t) {
			n := rapid.SampledFrom([]int{0, 1, 2, 99, 511, 512, 1400, 1401, 65400, 0xffff - 40, 0xffff - 20, 0xffff - 8, 0xffff, 0x10000}).Draw(t, "payload")
			raw.Data = bytes.Repeat(drawBytes(t, 7), n/7+1)[:n]
			layers = append(layers, raw)
		}
		addr := rapid.SampledFrom([]netip.Addr{{}, drawV4(t), drawV6(t), netip.AddrFrom16(drawV4(t).As16())}).Draw(t, "address")
		plain := true
		switch l := ip.(type) {
		case *IPv4:
			if drawBool(t) {
				l.Options = nil
			}
			plain = len(l.Options) == 0
			switch drawInt(t, 9) {
			case 0:
				l.Src = addr
			case 1:
				l.Dst = addr
			case 2:
				l.Flags = 8
			case 3:
				l.IHL, plain = Pin(draw8(t, 15)), false
			case 4:
				l.Length, plain = Pin(draw16(t, 0xffff)), false
			case 5:
				l.Protocol, plain = Seen(IPProto(draw8(t, 0xff))), false
			case 6:
				l.Checksum, plain = Pin(draw16(t, 0xffff)), false
			}
		case *IPv6:
			switch drawInt(t, 9) {
			case 0:
				l.Src = addr
			case 1:
				l.Dst = addr
			case 2:
				l.FlowLabel = 1 << 20
			case 3:
				l.PayloadLength, plain = Pin(draw16(t, 0xffff)), false
			case 4:
				l.NextHeader, plain = Seen(IPProto(draw8(t, 0xff))), false
			}
		}
		switch l := up.(type) {
		case *TCP:
			switch drawInt(t, 9) {
			case 0:
				l.Options = append(l.Options, 1)
			case 1:
				l.DataOffset, plain = Pin(draw8(t, 15)), false
			case 2:
				l.Checksum, plain = Seen(draw16(t, 0xffff)), false
			}
		case *UDP:
			switch drawInt(t, 9) {
			case 0:
				l.Length, plain = Pin(draw16(t, 0xffff)), false
			case 1:
				l.Checksum, plain = Pin(draw16(t, 0xffff)), false
			}
		}
		if eth, ok := layers[0].(*Ethernet); ok && drawInt(t, 9) == 0 {
			eth.Type, plain = Pin(EtherType(draw16(t, 0xffff))), false
		}
		p := Stack(layers...)
		prefix := drawBytes(t, drawInt(t, 3))
		want, err := p.encode(bytes.Clone(prefix))
		// What was in the buffer must not matter.
		buf := append(bytes.Clone(prefix), bytes.Repeat([]byte{0xa5}, drawInt(t, 2000))...)[:len(prefix)]
		got, ok := p.appendCommon(buf)
		switch {
		case ok != (plain && err == nil):
			t.Fatalf("appendCommon is %v of %v, whose error is %v", ok, layers, err)
		case ok && !bytes.Equal(got, want):
			t.Fatalf("%v\n got %x\nwant %x", layers, got, want)
		case !ok && !bytes.Equal(got, prefix):
			t.Fatalf("%v: appendCommon returned %x for nothing", layers, got)
		}
		all, allErr := p.AppendBinary(prefix)
		if (err == nil) != (allErr == nil) || !bytes.Equal(all, want) {
			t.Fatalf("%v: AppendBinary\n got %x, %v\nwant %x, %v", layers, all, allErr, want, err)
		}
	})
}

// TestDecodeCommon decodes frames, whole, cut and with some bytes changed, the
// short way and the long way.
func TestDecodeCommon(t *testing.T) {
	registries := []*Registry{
		nil,
		Default.With(Binding{At: ByIPProto(IPProtoSCTP), Protocol: &udpProtocol}),
		Default.With(Binding{At: ByIPProto(IPProtoICMPv4)}),
		Default.With(Binding{At: ByIPProto(IPProtoTCP)}),
		Default.With(Binding{At: ByEtherType(EtherTypeIPv4)}),
		Default.With(Binding{At: ByEtherType(EtherTypeARP)}),
		Default.With(Binding{At: ByUDPPort(0), Protocol: &ipv4Protocol}),
	}
	rapid.Check(t, func(t *rapid.T) {
		layers := drawStack(t)
		if drawBool(t) {
			// What the short way is for.
			layers = []Layer{layers[0], rapid.SampledFrom([]Layer{&IPv4{}, &IPv6{}}).Draw(t, "ip"), rapid.SampledFrom([]Layer{&TCP{}, &UDP{}}).Draw(t, "up")}
			if drawBool(t) {
				layers = append(layers, &Raw{Data: drawBytes(t, drawInt(t, 20))})
			}
			if drawBool(t) {
				layers = append(layers, &Padding{Data: drawBytes(t, drawInt(t, 20))})
			}
			for _, l := range layers[1:3] {
				draw(t, l)
			}
		}
		b, err := Stack(layers...).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range drawInt(t, 2) {
			b[rapid.IntRange(0, min(len(b)-1, 70)).Draw(t, "at")] = draw8(t, 0xff)
		}
		if drawInt(t, 3) == 0 {
			b = b[:drawInt(t, len(b))]
		}
		r := rapid.SampledFrom(registries).Draw(t, "registry")
		p, q := Packet{Registry: r}, Packet{Registry: r}
		_ = p.Decode(link.TypeEthernet, make([]byte, EthernetLen))
		err = p.Decode(link.TypeEthernet, b)
		wantErr := q.decode(kindEthernet, b)
		for _, nodes := range [][]node{p.nodes(), q.nodes()} {
			for i := range nodes {
				nodes[i].flags &^= nodeWhole // only walk itself asks for it
			}
		}
		if diff := cmp.Diff(q.nodes(), p.nodes(), cmp.AllowUnexported(node{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%x (-want +got):\n%s", b, diff)
		}
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%x: %v, want %v", b, err, wantErr)
		}
	})
}
