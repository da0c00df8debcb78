package checksum

import "math/bits"

// Update16 returns the checksum field after one 16-bit word of the data that
// it covers changed from old to new: equation 3 of [RFC 1624, section 3]. All
// three values are as [encoding/binary.BigEndian] reads them from the packet,
// and the word began at an even offset from the start of the checksummed data.
//
// The result is what computing anew would give, with one exception that no
// incremental update can avoid: when the change leaves nothing but zero bytes,
// pseudo-header included, it is 0x0000 and not 0xffff. A checksum that was
// wrong stays wrong by the same difference, and a change that changes nothing
// leaves sum as it is, 0xffff too.
//
// For UDP, leave a field of 0 alone (there is no checksum) and pass the result
// through [NonZero].
//
// [RFC 1624, section 3]: https://www.rfc-editor.org/rfc/rfc1624#section-3
func Update16(sum, old, new uint16) uint16 {
	if old == new {
		return sum
	}
	return update(sum, uint32(^old)+uint32(new))
}

// Update32 is [Update16] for a 32-bit word, for example an IPv4 address or a
// TCP sequence number, at an even offset.
func Update32(sum uint16, old, new uint32) uint16 {
	if old == new {
		return sum
	}
	old = ^old
	return update(sum, old>>16+old&0xffff+new>>16+new&0xffff)
}

// UpdateBytes is [Update16] for a run of bytes that changed from old to new.
// offset is the run's distance from the start of the checksummed data, of
// which only the parity matters. When the two differ in length, the data after
// them must have kept the parity of their offset.
func UpdateBytes(sum uint16, offset int, old, new []byte) uint16 {
	o, n := Sum(old, 0), Sum(new, 0)
	if o == n {
		return sum
	}
	if offset&1 != 0 {
		o, n = bits.ReverseBytes16(o), bits.ReverseBytes16(n)
	}
	return update(sum, uint32(^o)+uint32(n))
}

// update returns ^(^sum + delta) for a delta of at most 2^31. A sum of zero is
// -0 here: it stands for data that are not all zero, whose checksum is 0x0000.
// Equation 3 alone would give 0xffff when sum is 0xffff (a UDP checksum that
// [NonZero] changed) and the word changes from 0xffff to 0.
func update(sum uint16, delta uint32) uint16 {
	s := uint32(^sum) + delta
	s = s&0xffff + s>>16
	s = s&0xffff + s>>16
	if s == 0 {
		return 0
	}
	return ^uint16(s)
}
