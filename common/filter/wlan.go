package filter

import "strings"

// Types of IEEE 802.11 frames, in the first byte of the header, and masks.
const (
	wlanMgt         = 0x00
	wlanCtl         = 0x04
	wlanData        = 0x08
	wlanTypeMask    = 0x0c
	wlanSubtypeMask = 0xf0
	wlanSubtypeCTS  = 0xc0
	wlanSubtypeACK  = 0xd0
	wlanToDS        = 0x01
	wlanFromDS      = 0x02
	wlanDirMask     = 0x03
)

// wlanType reads a frame type; names in any case, as in libpcap.
func wlanType(t token) (uint32, bool) {
	if t.kind == tokNum {
		return t.num, t.num&^wlanTypeMask == 0
	}
	switch strings.ToLower(t.word) {
	case "mgt", "management":
		return wlanMgt, true
	case "ctl", "control":
		return wlanCtl, true
	case "data":
		return wlanData, true
	}
	return 0, false
}

// wlanSubtype reads a subtype of a type.
func wlanSubtype(t token, typ uint32) (uint32, bool) {
	if t.kind == tokNum {
		return t.num, t.num&^wlanSubtypeMask == 0
	}
	word := strings.ToLower(t.word)
	switch typ {
	case wlanMgt:
		switch word {
		case "assocreq", "assoc-req":
			return 0x00, true
		case "assocresp", "assoc-resp":
			return 0x10, true
		case "reassocreq", "reassoc-req":
			return 0x20, true
		case "reassocresp", "reassoc-resp":
			return 0x30, true
		case "probereq", "probe-req":
			return 0x40, true
		case "proberesp", "probe-resp":
			return 0x50, true
		case "beacon":
			return 0x80, true
		case "atim":
			return 0x90, true
		case "disassoc", "disassociation":
			return 0xa0, true
		case "auth", "authentication":
			return 0xb0, true
		case "deauth", "deauthentication":
			return 0xc0, true
		}
	case wlanCtl:
		switch word {
		case "bar":
			return 0x80, true
		case "ba":
			return 0x90, true
		case "ps-poll":
			return 0xa0, true
		case "rts":
			return 0xb0, true
		case "cts":
			return 0xc0, true
		case "ack":
			return 0xd0, true
		case "cf-end":
			return 0xe0, true
		case "cf-end-ack":
			return 0xf0, true
		}
	case wlanData:
		switch word {
		case "data":
			return 0x00, true
		case "data-cf-ack":
			return 0x10, true
		case "data-cf-poll":
			return 0x20, true
		case "data-cf-ack-poll":
			return 0x30, true
		case "null":
			return 0x40, true
		case "cf-ack":
			return 0x50, true
		case "cf-poll":
			return 0x60, true
		case "cf-ack-poll":
			return 0x70, true
		case "qos-data":
			return 0x80, true
		case "qos-data-cf-ack":
			return 0x90, true
		case "qos-data-cf-poll":
			return 0xa0, true
		case "qos-data-cf-ack-poll":
			return 0xb0, true
		case "qos":
			return 0xc0, true
		case "qos-cf-poll":
			return 0xe0, true
		case "qos-cf-ack-poll":
			return 0xf0, true
		}
	}
	return 0, false
}

// wlanDir reads the two direction bits.
func wlanDir(t token) (uint32, bool) {
	if t.kind == tokNum {
		return t.num, t.num&^wlanDirMask == 0
	}
	switch strings.ToLower(t.word) {
	case "nods":
		return 0, true
	case "tods":
		return 1, true
	case "fromds":
		return 2, true
	case "dstods":
		return 3, true
	}
	return 0, false
}
