package pkts

import "slices"

// Raw is bytes whose protocol is not known: the payload at the end of most
// packets.
type Raw struct {
	// Data is the payload. After decoding it aliases the packet.
	Data []byte
}

var _ Layer = (*Raw)(nil)

var rawProtocol = Protocol{Name: "Raw", New: New[Raw], Clone: cloneRaw, Index: indexAll, kind: KindRaw}

// indexAll takes everything as header.
func indexAll(b []byte, _ *Registry) (Span, error) { return Span{Header: len(b)}, nil }

// Proto returns the descriptor of raw bytes.
func (*Raw) Proto() *Protocol { return &rawProtocol }

func cloneRaw(l Layer) Layer {
	c := *l.(*Raw)
	c.Data = slices.Clone(c.Data)
	return &c
}

// Decode takes all of b.
func (l *Raw) Decode(b []byte) (int, error) {
	l.Data = b[:len(b):len(b)]
	return len(b), nil
}

// AppendBinary appends the data to b.
func (l *Raw) AppendBinary(b []byte) ([]byte, error) { return append(b, l.Data...), nil }

// RawView is bytes whose protocol is not known, in place.
type RawView []byte

// Proto returns the descriptor of raw bytes.
func (RawView) Proto() *Protocol { return &rawProtocol }

// Padding is bytes behind a layer's payload that no length field covers:
// Ethernet's padding to its minimum, a frame check sequence, a trailer. It
// stands beside the layer that it follows.
type Padding struct {
	// Data is the padding. After decoding it aliases the packet.
	Data []byte
}

var _ Layer = (*Padding)(nil)

var paddingProtocol = Protocol{Name: "Padding", New: New[Padding], Clone: clonePadding, Index: indexAll, kind: kindPadding}

// Proto returns the descriptor of padding.
func (*Padding) Proto() *Protocol { return &paddingProtocol }

func clonePadding(l Layer) Layer {
	c := *l.(*Padding)
	c.Data = slices.Clone(c.Data)
	return &c
}

// Decode takes all of b.
func (l *Padding) Decode(b []byte) (int, error) {
	l.Data = b[:len(b):len(b)]
	return len(b), nil
}

// AppendBinary appends the data to b.
func (l *Padding) AppendBinary(b []byte) ([]byte, error) { return append(b, l.Data...), nil }

// PaddingView is padding in place.
type PaddingView []byte

// Proto returns the descriptor of padding.
func (PaddingView) Proto() *Protocol { return &paddingProtocol }
