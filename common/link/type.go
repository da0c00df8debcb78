package link

// Type is a LINKTYPE_ value, as capture files carry it: it says how the first
// byte of a frame is read. The numbers are those of the registry at
// https://www.tcpdump.org/linktypes.html, not an operating system's DLT_
// numbers.
type Type uint16

const (
	TypeNull      Type = 0   // BSD loopback, family in host byte order of the capturing machine
	TypeEthernet  Type = 1   // IEEE 802.3 Ethernet
	TypeRaw       Type = 101 // IPv4 or IPv6, told apart by the version nibble
	TypeLoop      Type = 108 // OpenBSD loopback, family in network byte order
	TypeLinuxSLL  Type = 113 // Linux "cooked" capture, version 1
	TypeIPv4      Type = 228 // IPv4
	TypeIPv6      Type = 229 // IPv6
	TypeLinuxSLL2 Type = 276 // Linux "cooked" capture, version 2
)
