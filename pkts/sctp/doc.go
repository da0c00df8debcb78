// Package sctp is the vocabulary of the Stream Control Transmission Protocol,
// RFC 9260: the common header and all chunks, each a layer, side by side in the
// header's payload.
//
//	p := pkts.Packet{Registry: pkts.Default.With(sctp.Bindings()...)}
//	if err := p.Decode(frame.Link, frame.Data); err != nil { … }
//	for d := range pkts.All[sctp.Data](&p) {
//		fmt.Println(d.StreamID, d.SSN, d.PPID)
//	}
//
// User data are the payload of [Data] and [IData]; what they are is looked up in
// [PPIDs], where nothing is bound by itself. Whole messages are put together by
// sequence.SCTP of package pkts/sequence.
//
// # Building
//
// [Stack] makes a packet of chunks, and pads them. Chunks are padded to 4 bytes
// by a [pkts.Padding] layer in them, as they are found in a packet. Who changes
// the length of something by hand calls [Pad], which adds, takes away and
// corrects padding.
//
// # Over UDP
//
// [OverUDP] binds SCTP to UDP port 9899, RFC 6951, since a port is a guess.
package sctp
