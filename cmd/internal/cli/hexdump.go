package cli

// hexStyle is what -x, -xx, -X and -XX ask for.
type hexStyle struct {
	on    bool
	link  bool // from the first byte, not behind the link header
	ascii bool
}

const hexDigits = "0123456789abcdef"

// appendHexdump appends data in the form of tcpdump's -x and -X.
func appendHexdump(b, data []byte, ascii bool) []byte {
	for off := 0; off < len(data); off += 16 {
		line := data[off:min(off+16, len(data))]
		b = append(b, "\t0x"...)
		shift := 12
		for off>>shift > 0xf {
			shift += 4
		}
		for ; shift >= 0; shift -= 4 {
			b = append(b, hexDigits[off>>shift&0xf])
		}
		b = append(b, ": "...)
		for i := range 16 {
			if i >= len(line) && !ascii {
				break
			}
			if i%2 == 0 {
				b = append(b, ' ')
			}
			if i < len(line) {
				b = append(b, hexDigits[line[i]>>4], hexDigits[line[i]&0xf])
			} else {
				b = append(b, "  "...)
			}
		}
		if ascii {
			b = append(b, "  "...)
			for _, c := range line {
				if c < '!' || c > '~' {
					c = '.'
				}
				b = append(b, c)
			}
		}
		b = append(b, '\n')
	}
	return b
}
