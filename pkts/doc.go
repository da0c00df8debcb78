// Package pkts takes packets apart into typed layers, lets them be changed, and
// puts them together again. It is pure Go without unsafe, and builds for every
// operating system, js/wasm included.
//
// # Decode
//
// A [Packet] is decoded into again and again; that allocates nothing. Decoding
// only finds where each layer lies. [Get] fills in the layer of the type asked
// for:
//
//	var p pkts.Packet
//	if err := p.Decode(link.TypeEthernet, frame); err != nil {
//		log.Print(err) // the layers before the error are there
//	}
//	if tcp, ok := pkts.Get[pkts.TCP](&p); ok {
//		fmt.Println(p.Flow(), tcp.Flags, tcp.Window)
//	}
//
// A packet is a tree that is searched breadth first and then left to right:
// [Nth], [All] and [Find] give the inner IP header of a tunnel, or the second
// tag of a frame. [View] gives a header in place instead: a type of bytes with a
// getter and a setter for each field. Views are the fastest way to read a field
// or two, and their setters keep the checksum of the header as right, or as
// wrong, as it was:
//
//	if ip, ok := pkts.View[pkts.IPv4View](&p); ok {
//		ip.SetTTL(ip.TTL() - 1) // in the caller's bytes
//	}
//
// Layers and views alias the bytes that were decoded, and belong to the Packet:
// they are valid until it is decoded into again. [Packet.Clone] keeps a packet.
//
// # Build and edit
//
// [Stack] makes a packet of layers, each carrying the next. What follows from
// the rest, lengths, checksums, the numbers that announce what follows, is of
// type [Auto]: left alone it is computed, and [Pin] sets it to anything, right
// or wrong.
//
//	b, err := pkts.Stack(
//		&pkts.IPv4{TTL: 64, Src: src, Dst: dst},
//		&pkts.TCP{SrcPort: 40000, DstPort: 80, Flags: pkts.TCPSyn},
//	).AppendBinary(nil)
//
// A decoded packet that nobody touched encodes to the same bytes, whatever is
// wrong with it. In one that was edited, through the layers that Get returned or
// with [Packet.InsertAfter], [Packet.Remove] and the like, each length, checksum
// and number that was right is computed anew, and each that was wrong stays what
// it was. [Packet.Checks] tells which is which.
//
// # Errors
//
// No input makes decoding panic. What is wrong with it is a [*DecodeError] that
// says in which layer and at which byte; the rest of the packet is [Raw] then,
// as is every payload whose protocol is not known. A packet that was cut short
// by the capture decodes as far as it goes: [Packet.Truncated].
//
// # Registries
//
// A [Registry] says which number announces which protocol. [Default] has the
// protocols of this package and, since a port is only a guess, no ports;
// [Registry.With] makes one with more, fewer or other bindings. A [Protocol] of
// another module can do everything that those of this package can.
//
// # Protocols
//
//   - Links: [Ethernet], [VLAN] (802.1Q, 802.1ad and QinQ), [LLC], [SNAP], [SLL]
//     and [SLL2] (Linux cooked capture), [Loopback] and [Loop] (BSD), raw IP; [ARP]
//     (also RARP)
//   - IPv4: [IPv4] with all options, [ICMPv4] with [ICMPv4Times], [ICMPv4Mask],
//     [ICMPv4Routers] and [ICMPExtensions]
//   - IPv6: [IPv6], [IPv6HopByHop], [IPv6Routing], [IPv6Fragment], [IPv6DestOpts],
//     [Mobility], [HIP], [Shim6]; [ICMPv6] with its errors and echoes; neighbor
//     discovery ([NDPRouterAdvertisement] and so on) with its options; [MLD],
//     [MLDv2Query], [MLDv2Report]
//   - IPsec: [AH], and of [ESP] the header
//   - Transport: [UDP], and [TCP] with all options, those of multipath TCP included
//   - the rest: [Raw] and [Padding]
//
// # Printing
//
// A packet prints as a line in the manner of tcpdump ([Packet.String]), as a tree
// ([Packet.AppendTree]), as bytes ([Packet.AppendHexdump],
// [Packet.AppendFieldDump]), as JSON ([Packet.AppendJSON]) and as Go source that
// builds it ([Packet.GoString], %#v). [Registry.ParseField] reads paths such as
// "tcp.options.kind".
package pkts
