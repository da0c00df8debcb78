// Package pkts takes packets apart into typed layers, lets them be changed, and
// puts them together again. It is pure Go without unsafe, and builds for every
// operating system, js/wasm included.
//
// # Model
//
// A [Packet] is a tree of layers. A layer is a plain struct whose exported
// fields are named as in the RFC, such as [IPv4]; it implements [Layer]. Most
// layers carry one other. What no protocol is known for is [Raw], and bytes that
// no length field counts are [Padding].
//
// A field that the library can compute, a length, a checksum or the number of
// the next protocol, is an [Auto]. Its zero value means "compute it", and [Pin]
// makes it exactly what a program says, right or wrong.
//
// # Decode
//
// [Packet.Decode] walks the headers, checks every length and notes where each
// layer lies. [Get] fills a struct the first time that it is asked for. With a
// Packet that is reused, neither allocates:
//
//	var p pkts.Packet
//	for frame, err := range frames {
//		…
//		if err := p.Decode(frame.Link, frame.Data); err != nil {
//			log.Print(err) // the layers before the error are there
//		}
//		if tcp, ok := pkts.Get[pkts.TCP](&p); ok && tcp.Flags.Has(pkts.TCPSyn) {
//			fmt.Println(p.Flow(), tcp.Options)
//		}
//	}
//
// Layers are found by their Go type, breadth first and then left to right. [Get]
// returns the outermost, [Nth] another, such as the inner IP header of a tunnel,
// [All] every one, and [Find] says why there is none. [Packet.Nodes] goes through
// all layers and tells where each lies, and [Packet.Flow] says which conversation
// a packet belongs to.
//
// # Views
//
// A view is a header in place: a type of bytes with a getter and a setter for
// each field, named after the field of the struct, with the same units and
// ranges. Setters keep an Internet checksum that covers the field as right, or
// as wrong, as it was; where that lies in another header, the view says so, and
// [AdjustChecksum] does it.
//
//	if ip, ok := pkts.View[pkts.IPv4View](&p); ok {
//		ip.SetTTL(ip.TTL() - 1) // changes frame.Data
//	}
//
// # Build
//
// [Stack] makes a packet of layers, each carrying the next, and
// [Packet.AppendBinary] encodes it; [Packet.AddChild] puts layers side by side.
//
//	p := pkts.Stack(
//		&pkts.IPv4{TTL: 64, Src: src, Dst: dst},
//		&pkts.TCP{DstPort: 80, Flags: pkts.TCPSyn, Options: pkts.TCPOptions(nil).AppendMSS(1460)},
//	)
//	b, err := p.AppendBinary(nil)
//
// Options and other lists are bytes as they are encoded, so that what the
// library does not know is kept. All of them have All, which yields the parts
// with their offsets up to where they can be read, Err, which says why not
// further, Get for the first of a type, and Append for any type; those that are
// common have methods of their own.
//
// # Edit
//
// A packet that was decoded gives its bytes back, whatever they are. After a
// change to the fields of its layers, or to its layers by [Packet.InsertAfter]
// and the like, lengths, checksums and protocol numbers that were right before
// are right again, and those that were wrong stay as they were.
//
//	pkts.Must[pkts.IPv4](&p).TTL--
//	b, err := p.AppendBinary(nil)
//
// [Packet.Checks] tells right from wrong.
//
// # Errors
//
// Decoding never panics, and its error is a [*DecodeError]: the layer, the offset
// in the packet and one of [ErrTruncated], [ErrMalformed] and [ErrTooDeep]. What
// decoded before it stays, and the rest is Raw. A packet of which only the start
// was captured is no error as long as its headers are whole: [Packet.Truncated]
// reports it. Encoding returns an [*EncodeError] for a value that does not fit.
//
//	if de, ok := errors.AsType[*pkts.DecodeError](err); ok {
//		fmt.Println(de.Layer, de.Offset, de.Want-de.Have)
//	}
//
// # What aliases what
//
// A decoded packet, its views and the byte slices in its layers alias the bytes
// given to Decode, as far as those lie in them: they are valid, and unchanged, as
// long as those are. Layers from [Get] belong to the Packet and are filled anew
// after it is decoded into again. [Packet.Clone] makes a copy that shares nothing
// with either. Layers that a program gives to a Packet stay the program's: the
// Packet reads them when it encodes, and never writes to them.
//
// A Packet is for one goroutine at a time. A [Registry], a [Protocol] and a
// [Flow] may be shared by many.
//
// # Which protocol follows which
//
// A [Registry] binds numbers to protocols. It is a value that does not change:
// [Registry.With] returns another one, for [Packet.Registry]. No port is bound in
// [Default]: what a port carries is a guess, for a program to make.
//
//	r := pkts.Default.With(pkts.UDPTunnels()...)
//
// # Another protocol
//
// A module adds a protocol by a struct that is a [Layer] and a variable of type
// [Protocol] that describes it. That is all that the protocols of this package
// have: a [Completer] computes fields, [Protocol.Split] puts layers side by side,
// [NewTable] makes a number space, a [Summarizer] has its say in the one-line
// summary, and a type of bytes with a Proto method is a view. The example of
// [Protocol] is a complete one.
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
// # Print
//
// A packet prints in five forms:
//
//   - one line in the manner of tcpdump: [Packet.String], [Packet.AppendSummary]
//   - a tree of layers and fields: [Packet.AppendTree]
//   - the bytes: [Packet.AppendHexdump], and field by field: [Packet.AppendFieldDump]
//   - JSON: [Packet.AppendJSON]
//   - Go source that builds it: [Packet.GoString]
//
// Each shows what [Packet.AppendBinary] would encode: in a packet that was built
// or edited, lengths and checksums are those that the library computes. With
// package fmt, %v prints the line, %+v the tree and %#v the source.
// [Registry.ParseField] reads paths of fields, such as "tcp.options.kind".
package pkts
