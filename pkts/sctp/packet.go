package sctp

import (
	"github.com/gopkts/gopkts/pkts"
)

// Protocols returns the descriptors of this package: the common header, and then
// the chunks.
func Protocols() []*pkts.Protocol {
	return []*pkts.Protocol{
		&headerProtocol, &dataProtocol, &initProtocol, &initAckProtocol, &sackProtocol, &heartbeatProtocol,
		&heartbeatAckProtocol, &abortProtocol, &shutdownProtocol, &shutdownAckProtocol, &errorProtocol,
		&cookieEchoProtocol, &cookieAckProtocol, &ecneProtocol, &cwrProtocol, &shutdownCompleteProtocol,
		&authProtocol, &idataProtocol, &asconfAckProtocol, &reConfigProtocol, &padProtocol,
		&forwardTSNProtocol, &asconfProtocol, &iforwardTSNProtocol, &chunkProtocol,
	}
}

// Bindings returns what makes a registry know SCTP over IP, and its chunks:
//
//	r := pkts.Default.With(sctp.Bindings()...)
func Bindings() []pkts.Binding { return pkts.Bind(Protocols()...) }

// OverUDP returns what makes a registry know SCTP in UDP, RFC 6951, at the given
// ports, or at [UDPPort].
func OverUDP(ports ...uint16) []pkts.Binding {
	if len(ports) == 0 {
		ports = []uint16{UDPPort}
	}
	var bs []pkts.Binding
	for _, p := range ports {
		bs = append(bs, pkts.Binding{At: pkts.ByUDPPort(p), Protocol: &headerProtocol})
	}
	return bs
}

// Message is a chunk with what it carries, for [Stack].
type Message struct {
	Chunk   pkts.Layer
	Payload []pkts.Layer // each carrying the next; empty for most chunks
}

// With returns a chunk with what it carries.
func With(chunk pkts.Layer, payload ...pkts.Layer) Message { return Message{chunk, payload} }

// Stack makes a packet of lower layers, a common header among them as the last
// one, and of chunks, each with what it carries and padded:
//
//	p, err := sctp.Stack(
//		[]pkts.Layer{&pkts.IPv4{…}, &sctp.Header{SrcPort: 5001, DstPort: 5001}},
//		sctp.With(&sctp.Sack{CumTSN: 7}),
//		sctp.With(&sctp.Data{Flags: sctp.DataWhole, TSN: 8}, &pkts.Raw{Data: []byte("hello")}))
//
// The error is that of encoding a chunk to find its length.
func Stack(lower []pkts.Layer, chunks ...Message) (*pkts.Packet, error) {
	p := &pkts.Packet{Registry: pkts.Default.With(Bindings()...)}
	p.Append(lower...)
	if len(lower) == 0 {
		return p, nil
	}
	for _, m := range chunks {
		if err := p.AddChild(lower[len(lower)-1], m.Chunk); err != nil {
			return p, err
		}
		up := m.Chunk
		for _, l := range m.Payload {
			if err := p.AddChild(up, l); err != nil {
				return p, err
			}
			up = l
		}
	}
	return p, Pad(p)
}

// Pad makes the padding of all chunks right: as many zeros as make each a
// multiple of 4 bytes. Padding that has the right length stays as it is.
//
// The error is that of encoding a layer, or of a packet that has no room for
// more.
func Pad(p *pkts.Packet) error {
	type chunk struct {
		layer   pkts.Layer
		depth   int
		n       int // without padding
		padding *pkts.Padding
		have    int
	}
	var (
		chunks []chunk
		within []int // the chunks that the node at hand lies in
		buf    []byte
	)
	for n := range p.Nodes() {
		depth := n.Depth()
		for len(within) > 0 && chunks[within[len(within)-1]].depth >= depth {
			within = within[:len(within)-1]
		}
		size := n.HeaderLen()
		l, err := n.Layer()
		if err == nil {
			if buf, err = l.AppendBinary(buf[:0]); err != nil {
				return err
			}
			size = len(buf)
		}
		if pad, ok := l.(*pkts.Padding); ok && len(within) > 0 {
			if c := &chunks[within[len(within)-1]]; c.depth == depth-1 {
				c.padding = pad
				c.have += size
				// It is inside of those around the chunk.
				for _, i := range within[:len(within)-1] {
					chunks[i].n += size
				}
				continue
			}
		}
		for _, i := range within {
			chunks[i].n += size
		}
		if err == nil && isChunk(n.Proto()) {
			within = append(within, len(chunks))
			chunks = append(chunks, chunk{layer: l, depth: depth, n: size})
		}
	}
	for _, c := range chunks {
		want := -c.n & 3
		switch {
		case want == c.have:
		case c.padding == nil:
			if err := p.AddChild(c.layer, &pkts.Padding{Data: make([]byte, want)}); err != nil {
				return err
			}
		case want == 0:
			if err := p.RemoveAll(c.padding); err != nil {
				return err
			}
		default:
			c.padding.Data = make([]byte, want)
		}
	}
	return nil
}

// isChunk reports whether p is the protocol of a chunk.
func isChunk(p *pkts.Protocol) bool {
	return len(p.At) > 0 && p.At[0].Table == ChunkTypes
}
