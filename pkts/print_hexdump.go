package pkts

import (
	"reflect"
	"strconv"
)

// AppendHexdump appends the packet's bytes to b, 16 a line: the offset in
// hexadecimal, the bytes, and their ASCII characters. text2pcap and Wireshark
// read it. What cannot be encoded is one line that says why.
func (p *Packet) AppendHexdump(b []byte) []byte {
	q, err := p.shownPacket()
	if err != nil {
		return append(append(append(b, "cannot be encoded: "...), err.Error()...), '\n')
	}
	for off := 0; off < len(q.data); off += 16 {
		b = appendHexLine(b, off, q.data[off:min(off+16, len(q.data))])
	}
	return b
}

// appendHexLine appends a line of up to 16 bytes.
func appendHexLine(b []byte, off int, data []byte) []byte {
	digits := 4
	if off > 0xffff {
		digits = 8
	}
	for s := (digits - 1) * 4; s >= 0; s -= 4 {
		b = append(b, hexDigits[off>>s&0xf])
	}
	b = append(b, ' ')
	for i := range 16 {
		if i%8 == 0 {
			b = append(b, ' ')
		}
		if i < len(data) {
			b = append(b, hexDigits[data[i]>>4], hexDigits[data[i]&0xf], ' ')
		} else {
			b = append(b, "   "...)
		}
	}
	b = append(b, ' ')
	for _, c := range data {
		if c < ' ' || c > '~' {
			c = '.'
		}
		b = append(b, c)
	}
	return append(b, '\n')
}

// AppendFieldDump appends the packet's bytes to b layer by layer and field by
// field: each line gives the offset in hexadecimal, for a field that does not
// fill whole bytes the range of bits in brackets, counted from the most
// significant bit of the first byte, then the bytes, the field's name and its
// value. The ranges are those of [Protocol.Fields].
func (p *Packet) AppendFieldDump(b []byte) []byte {
	q, err := p.shownPacket()
	if err != nil {
		return append(append(append(b, "cannot be encoded: "...), err.Error()...), '\n')
	}
	for _, i := range q.depthFirst() {
		b = p.appendLayerDump(b, q, int(i))
	}
	return b
}

func (p *Packet) appendLayerDump(b []byte, q *Packet, i int) []byte {
	n := &q.nodes()[i]
	proto := q.protocol(i)
	b = append(append(b, proto.Name...), ", "...)
	b = append(appendRange(b, int(n.off), int(n.pay())), '\n')
	h := q.data[n.off:n.pay()]
	var v reflect.Value
	pl := p.printer().plan(proto)
	if l, err := q.layer(i); err == nil {
		v = layerValue(l)
	}
	done := 0 // bits of h that are printed
	for _, f := range proto.Fields {
		start, bits := f.Bit, f.Bits
		if bits == 0 {
			bits = len(h)*8 - start
		}
		if bits <= 0 || start < done&^7 || start+bits > len(h)*8 {
			continue
		}
		if start/8 > (done+7)/8 {
			b = appendFieldBytes(b, int(n.off), h, (done+7)/8*8, start/8*8, "")
		}
		done = max(done, start+bits)
		var value []byte
		for j := range pl.shape.fields {
			if s := &pl.shape.fields[j]; s.name == f.Name && v.IsValid() && s.shape.kind != shapeBytes {
				value = s.shape.appendScalar(nil, s.of(v), s.hex, 0)
			}
		}
		if value == nil && bits <= 64 {
			value = strconv.AppendUint(nil, bitsOf(h, start, bits), 10)
		}
		text := f.Name
		if value != nil {
			text += " = " + string(value)
		}
		b = appendFieldBytes(b, int(n.off), h, start, start+bits, text)
	}
	if rest := (done + 7) / 8 * 8; rest < len(h)*8 {
		b = appendFieldBytes(b, int(n.off), h, rest, len(h)*8, "")
	}
	return b
}

// bitsOf returns bits of h, at most 64, as a number.
func bitsOf(h []byte, start, bits int) uint64 {
	var n uint64
	for i := start; i < start+bits; i++ {
		n = n<<1 | uint64(h[i/8]>>(7-i%8)&1)
	}
	return n
}

// fieldDumpBytes is how many bytes stand in a line of a field dump.
const fieldDumpBytes = 8

// appendFieldBytes appends the bits from start to end of h, whose first byte is
// at off, with a text behind the first line.
func appendFieldBytes(b []byte, off int, h []byte, start, end int, text string) []byte {
	bits := ""
	if start%8 != 0 || end%8 != 0 {
		bits = "[" + strconv.Itoa(start%8) + "-" + strconv.Itoa(start%8+end-start-1) + "]"
	}
	last := (end + 7) / 8
	for at := start / 8; at < last; at += fieldDumpBytes {
		b = append(b, "  "...)
		for s := 12; s >= 0; s -= 4 {
			b = append(b, hexDigits[(off+at)>>s&0xf])
		}
		b = append(b, ' ')
		b = append(b, bits...)
		for range 7 - len(bits) {
			b = append(b, ' ')
		}
		data := h[at:min(at+fieldDumpBytes, last)]
		for i := range fieldDumpBytes {
			if i < len(data) {
				b = append(b, ' ', hexDigits[data[i]>>4], hexDigits[data[i]&0xf])
			} else if text != "" {
				b = append(b, "   "...)
			}
		}
		if text != "" {
			b = append(append(b, "  "...), text...)
		}
		b = append(b, '\n')
		bits, text = "", ""
	}
	return b
}
