package pkts

import "github.com/gopkts/gopkts/common/link"

// Matcher is a filter of packets of one link type, such as a
// [github.com/gopkts/gopkts/common/filter.Filter].
type Matcher interface {
	Link() link.Type
	// Match reports whether the filter accepts a packet. data is what there is of
	// it, from the first byte of the link header, and wireLen the length that it
	// had. info says what else is known, and may be nil. It must keep neither.
	Match(data []byte, wireLen int, info *link.Info) bool
}

// Matches reports whether m accepts the packet as it is now, which
// [Packet.Data] does not show of one that was edited or built: its layers are
// encoded, as by [Packet.AppendBinary], and its length is what they take. A
// packet that was decoded and not touched is looked at as it lies; its length is
// info.WireLen, or that of its bytes where info is nil. The rest of info is for
// m.
//
// A packet that does not begin with a layer of m's link type is not accepted,
// and neither is an empty one.
//
// Matches allocates nothing when the packet was encoded before, or need not be.
// The error is an [*EncodeError], and only of a packet that is encoded.
func (p *Packet) Matches(m Matcher, info *link.Info) (bool, error) {
	if !p.beginsAs(m.Link()) {
		return false, nil
	}
	if p.filled == 0 {
		wireLen := len(p.data)
		if info != nil {
			wireLen = info.WireLen
		}
		return m.Match(p.data, wireLen, info), nil
	}
	b, err := p.AppendBinary(p.scratch[:0])
	if err != nil {
		return false, err
	}
	p.scratch = b
	return m.Match(b, len(b), info), nil
}

// beginsAs reports whether the first layer is one that packets of a link type
// begin with.
func (p *Packet) beginsAs(t link.Type) bool {
	if len(p.nodes()) == 0 {
		return false
	}
	first := p.nodes()[0].kind
	if t == link.TypeRaw {
		return first == kindIPv4 || first == kindIPv6
	}
	return first == p.registry().Next(&linkTypesTable, uint64(t))
}
