package filter

// Classes and parts of operation codes, linux/bpf_common.h and pcap/bpf.h.
const (
	classLD   = 0x00
	classLDX  = 0x01
	classST   = 0x02
	classSTX  = 0x03
	classALU  = 0x04
	classJump = 0x05
	classRet  = 0x06
	classMisc = 0x07
	classMask = 0x07

	sizeW    = 0x00
	sizeH    = 0x08
	sizeB    = 0x10
	sizeMask = 0x18

	modeImm  = 0x00
	modeAbs  = 0x20
	modeInd  = 0x40
	modeMem  = 0x60
	modeLen  = 0x80
	modeMSH  = 0xa0
	modeMask = 0xe0

	srcX   = 0x08
	opMask = 0xf0

	retA = 0x10
	tax  = 0x00
	txa  = 0x80
)

// Metadata by its distance from ancillary: SKF_AD_* of linux/filter.h.
const (
	adProtocol    = 0
	adPacketType  = 4
	adInterface   = 8
	adNetlink     = 12
	adNetlinkNest = 16
	adMark        = 20
	adQueue       = 24
	adHardware    = 28
	adHash        = 32
	adCPU         = 36
	adXorX        = 40 // not a load: A ^= X
	adVLANTCI     = 44
	adVLANPresent = 48
	adPayload     = 52
	adRandom      = 56
	adVLANTPID    = 60
)

// ancillaryName returns what tcpdump calls the metadata at a distance from
// ancillary, and "" when there is none.
func ancillaryName(distance uint32) string {
	switch distance {
	case adProtocol:
		return "proto"
	case adPacketType:
		return "type"
	case adInterface:
		return "ifidx"
	case adNetlink:
		return "nla"
	case adNetlinkNest:
		return "nlan"
	case adMark:
		return "mark"
	case adQueue:
		return "queue"
	case adHardware:
		return "hatype"
	case adHash:
		return "rxhash"
	case adCPU:
		return "cpu"
	case adXorX:
		return "xor_x"
	case adVLANTCI:
		return "vlan_tci"
	case adVLANPresent:
		return "vlanp"
	case adPayload:
		return "poff"
	case adRandom:
		return "random"
	case adVLANTPID:
		return "vlan_tpid"
	}
	return ""
}

// isAncillary reports whether an instruction loads metadata.
func isAncillary(op uint16, k uint32) bool {
	return op&(classMask|modeMask) == classLD|modeAbs && k >= ancillary && ancillaryName(k-ancillary) != ""
}
