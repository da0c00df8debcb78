package link

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Type is a LINKTYPE_ value, as capture files carry it: it says how the first
// byte of a frame is read. The numbers are those of the registry at
// https://www.tcpdump.org/linktypes.html, not an operating system's DLT_
// numbers; [TypeFromDLT] and [Type.DLT] convert.
type Type uint16

// ErrType is the error of [ParseType] for a name that is not in the registry.
var ErrType = errors.New("link: unknown link type")

// String returns the registry's name without LINKTYPE_, such as "ETHERNET" or
// "LINUX_SLL2", and "TYPE(60000)" for a value that is not assigned.
// [ParseType] reads both.
func (t Type) String() string {
	if name, _, _ := typeInfo(t); name != "" {
		return name
	}
	return "TYPE(" + strconv.Itoa(int(t)) + ")"
}

// Known reports whether the registry assigns t, for private use included.
func (t Type) Known() bool {
	name, _, _ := typeInfo(t)
	return name != ""
}

// DLTName returns the name without DLT_ by which libpcap and its programs know
// t, such as "EN10MB", and "" when there is none.
func (t Type) DLTName() string {
	_, dlt, _ := typeInfo(t)
	return dlt
}

// Description says in a few words what the frames are, and is "" for a value
// that is not assigned.
func (t Type) Description() string {
	_, _, description := typeInfo(t)
	return description
}

// AppendText appends [Type.String] to b. The error is always nil.
func (t Type) AppendText(b []byte) ([]byte, error) { return append(b, t.String()...), nil }

// MarshalText returns [Type.String]. The error is always nil.
func (t Type) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// UnmarshalText sets t to what [ParseType] makes of text.
func (t *Type) UnmarshalText(text []byte) error {
	v, err := ParseType(string(text))
	if err != nil {
		return err
	}
	*t = v
	return nil
}

// ParseType returns the type that s names: by the registry's name ("ETHERNET"),
// by the name of the DLT ("EN10MB"), either with its prefix (LINKTYPE_, DLT_) or
// without, by the LINKTYPE_ number ("1"), or in the form of [Type.String] for
// values that are not assigned ("TYPE(60000)"). Case does not matter. Where a
// name without prefix is both, the registry's goes first.
//
// The error wraps [ErrType].
func ParseType(s string) (Type, error) {
	name := strings.ToUpper(s)
	number, isType := strings.CutPrefix(name, "TYPE(")
	if isType {
		number, isType = strings.CutSuffix(number, ")")
	}
	if n, err := strconv.ParseUint(number, 10, 16); err == nil && (isType || number == name) {
		return Type(n), nil
	}
	linktype, isLinktype := strings.CutPrefix(name, "LINKTYPE_")
	dlt, isDLT := strings.CutPrefix(linktype, "DLT_")
	if isLinktype && isDLT || dlt == "" {
		return 0, fmt.Errorf("%w %q", ErrType, s)
	}
	if !isDLT {
		for t := range typeMax + 1 {
			if n, _, _ := typeInfo(t); n == linktype {
				return t, nil
			}
		}
	}
	if !isLinktype {
		for t := range typeMax + 1 {
			if _, n, _ := typeInfo(t); n == dlt {
				return t, nil
			}
		}
	}
	if t, ok := typeAlias(dlt); ok {
		return t, nil
	}
	return 0, fmt.Errorf("%w %q: want a name such as ETHERNET or a number from 0 to 65535", ErrType, s)
}

// typeAlias returns the type for the second names that libpcap's headers
// define.
func typeAlias(name string) (Type, bool) {
	switch name {
	case "CHDLC":
		return TypeCHDLC, true
	case "IEEE802_15_4":
		return TypeIEEE802154WithFCS, true
	case "PPP_WITH_DIRECTION", "LINUX_PPP_WITHDIRECTION":
		return TypePPPPPPD, true
	case "USB":
		return TypeUSBFreeBSD, true
	case "IPMB_LINUX":
		return TypeI2CLinux, true
	}
	return 0, false
}

// dltVariant is a DLT_ number that is not the LINKTYPE_ number, on the
// operating systems named.
type dltVariant struct {
	dlt uint32
	t   Type
}

// dltVariants returns what differs on goos, as libpcap's pcap/dlt.h has it.
// Where two entries have the same number, the first is what the number means.
func dltVariants(goos string) []dltVariant {
	// On every system: the numbers were handed out before there was a registry.
	common := []dltVariant{{11, TypeATMRFC1483}, {19, TypeATMCLIP}}
	switch goos {
	case "openbsd":
		return append(common, []dltVariant{
			{12, TypeLoop}, {13, TypeEnc}, {14, TypeRaw}, {15, TypeSLIPBSDOS}, {16, TypePPPBSDOS}, {18, TypePFSync},
		}...)
	case "netbsd":
		return append(common, []dltVariant{
			{12, TypeRaw}, {13, TypeSLIPBSDOS}, {14, TypePPPBSDOS}, {15, TypeHIPPI}, {16, TypeNetBSDHDLC}, {18, TypePFSync},
		}...)
	case "freebsd":
		return append(common, []dltVariant{
			{12, TypeRaw}, {13, TypeSLIPBSDOS}, {14, TypePPPBSDOS}, {121, TypePFSync},
		}...)
	case "dragonfly":
		return append(common, []dltVariant{
			{12, TypeRaw}, {15, TypeSLIPBSDOS}, {16, TypePPPBSDOS}, {18, TypePFSync},
		}...)
	case "darwin", "ios":
		return append(common, []dltVariant{
			{12, TypeRaw}, {15, TypeSLIPBSDOS}, {16, TypePPPBSDOS}, {18, TypePFSync}, {149, TypePKTAP},
		}...)
	default:
		return append(common, []dltVariant{
			{12, TypeRaw}, {15, TypeSLIPBSDOS}, {16, TypePPPBSDOS},
		}...)
	}
}

// TypeFromDLT returns the type for a DLT_ number as the operating system goos
// (a value of [runtime.GOOS]) uses it, for example what BIOCGDLT returned
// there. Most numbers are the same everywhere; raw IP is 14 on OpenBSD and 12
// elsewhere, and 12 is the loopback's there (pcap/dlt.h of libpcap). It reports
// false for a number that means nothing on goos and for one that no LINKTYPE_
// value is assigned to.
//
// On macOS, where Apple's systems use the number of DLT_USER2 for PKTAP, it
// is [TypePKTAP].
func TypeFromDLT(goos string, dlt uint32) (Type, bool) {
	for _, v := range dltVariants(goos) {
		if v.dlt == dlt {
			return v.t, true
		}
	}
	if dlt > uint32(typeMax) || dltDiffers(Type(dlt)) {
		return 0, false
	}
	t := Type(dlt)
	// A type with another number on this system does not have this one too.
	for _, v := range dltVariants(goos) {
		if v.t == t {
			return 0, false
		}
	}
	if t.DLTName() == "" {
		return 0, false
	}
	return t, true
}

// DLT returns the number by which the operating system goos (a value of
// [runtime.GOOS]) knows t, for example for BIOCSDLT. It is the inverse of
// [TypeFromDLT], and reports false where the system has no number for t or
// uses the number for something else.
func (t Type) DLT(goos string) (uint32, bool) {
	variants := dltVariants(goos)
	for _, v := range variants {
		if v.t == t {
			return v.dlt, true
		}
	}
	for _, v := range variants {
		if v.dlt == uint32(t) {
			return 0, false
		}
	}
	if dltDiffers(t) || t.DLTName() == "" {
		return 0, false
	}
	return uint32(t), true
}

// dltDiffers reports whether t is one of the LINKTYPE_ values that were made
// because the DLT_ numbers differ from system to system, or exist on one alone,
// and which are no DLT_ number anywhere.
func dltDiffers(t Type) bool {
	switch t {
	case TypeATMRFC1483, TypeRaw, TypeSLIPBSDOS, TypePPPBSDOS, TypeATMCLIP, TypeHIPPI:
		return true
	}
	return false
}

// ARP hardware types of interfaces, linux/if_arp.h.
const (
	arphrdEther             = 1
	arphrdEEther            = 2
	arphrdAX25              = 3
	arphrdProNET            = 4
	arphrdChaos             = 5
	arphrdIEEE802           = 6
	arphrdARCNET            = 7
	arphrdIPFC              = 18 // RFC 4338
	arphrdMetricom          = 23
	arphrdSLIP              = 256
	arphrdCSLIP             = 257
	arphrdSLIP6             = 258
	arphrdCSLIP6            = 259
	arphrdAdapt             = 264
	arphrdCAN               = 280
	arphrdCisco             = 513
	arphrdRawHDLC           = 518
	arphrdRawIP             = 519
	arphrdTunnel            = 768
	arphrdTunnel6           = 769
	arphrdFRAD              = 770
	arphrdLoopback          = 772
	arphrdLocalTalk         = 773
	arphrdFDDI              = 774
	arphrdSIT               = 776
	arphrdIrDA              = 783
	arphrdFCPP              = 784
	arphrdFCAL              = 785
	arphrdFCPL              = 786
	arphrdFCFabric          = 787
	arphrdIEEE802TR         = 800
	arphrdIEEE80211         = 801
	arphrdIEEE80211Prism    = 802
	arphrdIEEE80211Radiotap = 803
	arphrdIEEE802154        = 804
	arphrdIEEE802154Monitor = 805
	arphrdNetlink           = 824
	arphrdVSockmon          = 826
	arphrdNone              = 0xfffe
	arphrdLAPD              = 8445
)

// TypeFromARPHRD returns the type of the frames that a Linux packet socket of
// type SOCK_RAW delivers from an interface with the ARP hardware type arphrd
// (ARPHRD_ in linux/if_arp.h, /sys/class/net/*/type). It reports false where
// there is no saying: for PPP and ATM, whose drivers differ in the header they
// leave on, for GRE, where it depends on the tunnel, and for types without a
// LINKTYPE_ value. Those interfaces are captured in cooked form
// ([TypeLinuxSLL2]).
//
// An nlmon device delivers bare netlink messages; the cooked header that
// [TypeNetlink] begins with is for the capturing program to add.
func TypeFromARPHRD(arphrd uint16) (Type, bool) {
	switch arphrd {
	case arphrdEther, arphrdMetricom, arphrdLoopback:
		return TypeEthernet, true
	case arphrdEEther:
		return TypeExpEthernet, true
	case arphrdAX25:
		return TypeAX25KISS, true
	case arphrdProNET:
		return TypeProNET, true
	case arphrdChaos:
		return TypeChaos, true
	case arphrdIEEE802, arphrdIEEE802TR:
		return TypeIEEE8025, true
	case arphrdARCNET:
		return TypeARCNETLinux, true
	case arphrdFDDI:
		return TypeFDDI, true
	case arphrdCAN:
		return TypeCANSocketCAN, true
	case arphrdIEEE80211:
		return TypeIEEE80211, true
	case arphrdIEEE80211Prism:
		return TypeIEEE80211Prism, true
	case arphrdIEEE80211Radiotap:
		return TypeIEEE80211Radiotap, true
	case arphrdIEEE802154, arphrdIEEE802154Monitor:
		return TypeIEEE802154NoFCS, true
	case arphrdCisco:
		return TypeCHDLC, true
	case arphrdFRAD:
		return TypeFRelay, true
	case arphrdLocalTalk:
		return TypeLTalk, true
	case arphrdIPFC:
		return TypeIPOverFC, true
	case arphrdFCPP, arphrdFCAL, arphrdFCPL, arphrdFCFabric:
		return TypeFC2, true
	case arphrdIrDA:
		return TypeLinuxIrDA, true
	case arphrdLAPD:
		return TypeLinuxLAPD, true
	case arphrdNetlink:
		return TypeNetlink, true
	case arphrdVSockmon:
		return TypeVSock, true
	case arphrdTunnel, arphrdTunnel6, arphrdSIT, arphrdSLIP, arphrdCSLIP, arphrdSLIP6, arphrdCSLIP6,
		arphrdAdapt, arphrdRawHDLC, arphrdRawIP, arphrdNone:
		return TypeRaw, true
	}
	return 0, false
}

// Interface types of the BSDs and macOS, net/if_types.h. They follow IANA's
// ifType registry, and differ between the systems where they do not.
const (
	iftOther     = 1
	iftEther     = 6
	iftISO88025  = 9
	iftFDDI      = 15
	iftPPP       = 23
	iftLoop      = 24
	iftSLIP      = 28
	iftARCNET    = 35
	iftVirtual   = 53
	iftIEEE80211 = 71
	iftTunnel    = 131
	iftL2VLAN    = 135
	iftIEEE1394  = 144
	iftBridge    = 209

	iftLAG       = 161
	iftLAGDarwin = 136
	iftGIF       = 240
	iftGIFDarwin = 55
	iftSTF       = 215
	iftSTFDarwin = 57
	iftEnc       = 244

	iftPFLog         = 245
	iftPFSync        = 246
	iftPFLogFreeBSD  = 246
	iftPFSyncFreeBSD = 247
)

// typeFromIFT returns the type of the frames that BPF on the operating system
// goos delivers from an interface of type ift, as far as the interface's type
// tells; a BPF device that is bound to it says for certain (BIOCGDLT).
func typeFromIFT(goos string, ift int) (Type, bool) {
	switch ift {
	case iftEther, iftL2VLAN, iftBridge, iftIEEE80211:
		return TypeEthernet, true
	case iftISO88025:
		return TypeIEEE8025, true
	case iftFDDI:
		return TypeFDDI, true
	case iftSLIP:
		return TypeSLIP, true
	case iftARCNET:
		return TypeARCNETBSD, true
	case iftLoop, iftTunnel:
		return typeFamily(goos), true
	}
	if goos == "darwin" || goos == "ios" {
		switch ift {
		case iftLAGDarwin:
			return TypeEthernet, true
		case iftIEEE1394:
			return TypeAppleIPOverIEEE1394, true
		case iftPPP:
			return TypePPP, true
		case iftGIFDarwin, iftSTFDarwin, iftOther: // utun is an "other"
			return TypeNull, true
		case iftPFLog:
			return TypePFLog, true
		case iftPFSync:
			return TypePFSync, true
		}
		return 0, false
	}
	switch ift {
	case iftLAG:
		return TypeEthernet, true
	case iftGIF, iftSTF:
		return typeFamily(goos), true
	case iftEnc:
		return TypeEnc, true
	}
	switch goos {
	case "freebsd":
		switch ift {
		case iftPPP, iftVirtual: // tun and wg; netgraph
			return TypeNull, true
		case iftPFLogFreeBSD:
			return TypePFLog, true
		case iftPFSyncFreeBSD:
			return TypePFSync, true
		}
	case "netbsd", "openbsd", "dragonfly":
		switch ift {
		case iftPFLog:
			return TypePFLog, true
		case iftPFSync:
			return TypePFSync, true
		}
	}
	return 0, false
}

// typeFamily returns the type of frames that begin with an address family: it
// is in network byte order on OpenBSD alone.
func typeFamily(goos string) Type {
	if goos == "openbsd" {
		return TypeLoop
	}
	return TypeNull
}

// NDIS media types, ntddndis.h.
const (
	ndisMedium8023        = 0
	ndisMedium8025        = 1
	ndisMediumFDDI        = 2
	ndisMediumWirelessWAN = 9
	ndisMediumNative80211 = 16
	ndisMediumLoopback    = 17
	ndisMediumIP          = 19
)

// typeFromNDIS returns the type of the frames that Npcap delivers from an
// adapter with the NDIS medium given. Wi-Fi adapters look like Ethernet unless
// they are in monitor mode.
func typeFromNDIS(medium uint32) (Type, bool) {
	switch medium {
	case ndisMedium8023, ndisMediumNative80211:
		return TypeEthernet, true
	case ndisMedium8025:
		return TypeIEEE8025, true
	case ndisMediumFDDI:
		return TypeFDDI, true
	case ndisMediumLoopback:
		return TypeNull, true
	case ndisMediumIP, ndisMediumWirelessWAN:
		return TypeRaw, true
	}
	return 0, false
}
