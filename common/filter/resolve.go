package filter

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/gopkts/gopkts/common/link"
)

// Resolver finds what names in an expression stand for. An error that wraps
// [ErrUnknownName] says that there is no such name; the compiler reports any
// other error as it is.
type Resolver interface {
	// LookupHost returns the addresses of a host, IPv4 and IPv6.
	LookupHost(ctx context.Context, name string) ([]netip.Addr, error)
	// LookupNetwork returns an IPv4 network.
	LookupNetwork(ctx context.Context, name string) (netip.Prefix, error)
	// LookupPort returns the port of a service; network is "tcp" or "udp".
	LookupPort(ctx context.Context, network, service string) (uint16, error)
	// LookupProtocol returns the number of an IP protocol.
	LookupProtocol(ctx context.Context, name string) (uint8, error)
	// LookupMAC returns the Ethernet address of a host, as in ethers(5).
	LookupMAC(ctx context.Context, name string) (link.MacAddr, error)
}

// DefaultResolver knows the common services and IP protocols of IANA's
// registries and nothing else: it reads no file and asks no server.
type DefaultResolver struct{}

var _ Resolver = DefaultResolver{}

// LookupHost knows no host but localhost.
func (DefaultResolver) LookupHost(_ context.Context, name string) ([]netip.Addr, error) {
	if strings.EqualFold(name, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	return nil, ErrUnknownName
}

// LookupNetwork knows no network but loopback.
func (DefaultResolver) LookupNetwork(_ context.Context, name string) (netip.Prefix, error) {
	if name == "loopback" {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8), nil
	}
	return netip.Prefix{}, ErrUnknownName
}

// LookupMAC knows no host.
func (DefaultResolver) LookupMAC(context.Context, string) (link.MacAddr, error) {
	return link.MacAddr{}, ErrUnknownName
}

// LookupPort knows the common services.
func (DefaultResolver) LookupPort(_ context.Context, network, service string) (uint16, error) {
	s, ok := serviceTable(service)
	if !ok || network == "tcp" && !s.tcp || network == "udp" && !s.udp || network != "tcp" && network != "udp" {
		return 0, ErrUnknownName
	}
	return s.port, nil
}

// LookupProtocol knows the common IP protocols.
func (DefaultResolver) LookupProtocol(_ context.Context, name string) (uint8, error) {
	if n, ok := protocolTable(name); ok {
		return n, nil
	}
	return 0, ErrUnknownName
}

type service struct {
	port     uint16
	tcp, udp bool
}

// serviceTable holds the services that people filter for, from IANA's Service
// Name and Transport Protocol Port Number Registry; of those registered for
// both TCP and UDP but spoken over one only, the one.
func serviceTable(name string) (service, bool) {
	tcp := func(p uint16) (service, bool) { return service{p, true, false}, true }
	udp := func(p uint16) (service, bool) { return service{p, false, true}, true }
	both := func(p uint16) (service, bool) { return service{p, true, true}, true }
	switch name {
	case "echo":
		return both(7)
	case "discard":
		return both(9)
	case "daytime":
		return both(13)
	case "chargen":
		return both(19)
	case "ftp-data":
		return tcp(20)
	case "ftp":
		return tcp(21)
	case "ssh":
		return tcp(22)
	case "telnet":
		return tcp(23)
	case "smtp", "mail":
		return tcp(25)
	case "time":
		return both(37)
	case "whois":
		return tcp(43)
	case "tacacs":
		return both(49)
	case "domain":
		return both(53)
	case "bootps":
		return udp(67)
	case "bootpc":
		return udp(68)
	case "tftp":
		return udp(69)
	case "gopher":
		return tcp(70)
	case "finger":
		return tcp(79)
	case "http", "www":
		return tcp(80)
	case "kerberos":
		return both(88)
	case "pop3":
		return tcp(110)
	case "sunrpc":
		return both(111)
	case "auth", "ident":
		return tcp(113)
	case "nntp":
		return tcp(119)
	case "ntp":
		return udp(123)
	case "epmap":
		return tcp(135)
	case "netbios-ns":
		return udp(137)
	case "netbios-dgm":
		return udp(138)
	case "netbios-ssn":
		return tcp(139)
	case "imap2", "imap":
		return tcp(143)
	case "snmp":
		return both(161)
	case "snmp-trap", "snmptrap":
		return both(162)
	case "xdmcp":
		return udp(177)
	case "bgp":
		return tcp(179)
	case "irc":
		return both(194)
	case "ldap":
		return both(389)
	case "https":
		return both(443)
	case "microsoft-ds":
		return tcp(445)
	case "submissions", "ssmtp":
		return tcp(465)
	case "isakmp":
		return udp(500)
	case "exec":
		return tcp(512)
	case "login":
		return tcp(513)
	case "who":
		return udp(513)
	case "shell":
		return tcp(514)
	case "syslog":
		return udp(514)
	case "printer":
		return tcp(515)
	case "route", "router":
		return udp(520)
	case "ripng":
		return udp(521)
	case "rtsp":
		return both(554)
	case "nntps":
		return tcp(563)
	case "submission":
		return tcp(587)
	case "ipp":
		return tcp(631)
	case "ldaps":
		return both(636)
	case "domain-s":
		return both(853)
	case "rsync":
		return tcp(873)
	case "ftps-data":
		return tcp(989)
	case "ftps":
		return tcp(990)
	case "telnets":
		return tcp(992)
	case "imaps":
		return tcp(993)
	case "pop3s":
		return tcp(995)
	case "socks":
		return tcp(1080)
	case "openvpn":
		return both(1194)
	case "ms-sql-s":
		return tcp(1433)
	case "l2f", "l2tp":
		return udp(1701)
	case "radius":
		return both(1812)
	case "radius-acct":
		return both(1813)
	case "nfs":
		return both(2049)
	case "gtp-control":
		return udp(2123)
	case "gtp-user":
		return udp(2152)
	case "mysql":
		return tcp(3306)
	case "ms-wbt-server", "rdp":
		return tcp(3389)
	case "stun":
		return both(3478)
	case "diameter":
		return tcp(3868)
	case "ipsec-nat-t":
		return udp(4500)
	case "vxlan":
		return udp(4789)
	case "sip":
		return both(5060)
	case "sip-tls", "sips":
		return both(5061)
	case "xmpp-client":
		return tcp(5222)
	case "xmpp-server":
		return tcp(5269)
	case "mdns":
		return udp(5353)
	case "postgresql":
		return tcp(5432)
	case "amqps":
		return tcp(5671)
	case "amqp":
		return tcp(5672)
	case "x11":
		return tcp(6000)
	case "geneve":
		return udp(6081)
	case "redis":
		return tcp(6379)
	case "ircd":
		return tcp(6667)
	case "http-alt", "webcache":
		return tcp(8080)
	case "git":
		return tcp(9418)
	}
	return service{}, false
}

// protocolTable holds IP protocol numbers from IANA's Assigned Internet
// Protocol Numbers.
func protocolTable(name string) (uint8, bool) {
	switch name {
	case "ip", "hopopt":
		return 0, true
	case "icmp":
		return 1, true
	case "igmp":
		return 2, true
	case "ggp":
		return 3, true
	case "ipencap", "ip-encap", "ipv4":
		return 4, true
	case "st":
		return 5, true
	case "tcp":
		return 6, true
	case "egp":
		return 8, true
	case "igp", "igrp":
		return 9, true
	case "pup":
		return 12, true
	case "udp":
		return 17, true
	case "hmp":
		return 20, true
	case "xns-idp":
		return 22, true
	case "rdp":
		return 27, true
	case "iso-tp4":
		return 29, true
	case "dccp":
		return 33, true
	case "xtp":
		return 36, true
	case "ddp":
		return 37, true
	case "idpr-cmtp":
		return 38, true
	case "ipv6":
		return 41, true
	case "ipv6-route":
		return 43, true
	case "ipv6-frag":
		return 44, true
	case "idrp":
		return 45, true
	case "rsvp":
		return 46, true
	case "gre":
		return 47, true
	case "esp", "ipsec-esp":
		return 50, true
	case "ah", "ipsec-ah":
		return 51, true
	case "skip":
		return 57, true
	case "ipv6-icmp", "icmp6", "icmpv6":
		return 58, true
	case "ipv6-nonxt":
		return 59, true
	case "ipv6-opts":
		return 60, true
	case "rspf", "cphb":
		return 73, true
	case "vmtp":
		return 81, true
	case "eigrp":
		return 88, true
	case "ospf", "ospfigp":
		return 89, true
	case "ax.25":
		return 93, true
	case "ipip": // the registry's; what is called so today is 4
		return 94, true
	case "etherip":
		return 97, true
	case "encap":
		return 98, true
	case "pim":
		return 103, true
	case "ipcomp":
		return 108, true
	case "vrrp", "carp":
		return 112, true
	case "l2tp":
		return 115, true
	case "isis":
		return 124, true
	case "sctp":
		return 132, true
	case "fc":
		return 133, true
	case "mobility-header":
		return 135, true
	case "udplite":
		return 136, true
	case "mpls-in-ip":
		return 137, true
	case "manet":
		return 138, true
	case "hip":
		return 139, true
	case "shim6":
		return 140, true
	case "wesp":
		return 141, true
	case "rohc":
		return 142, true
	case "ethernet":
		return 143, true
	}
	return 0, false
}

// etherProto returns the number of a name after "ether proto": an EtherType,
// or an LLC service access point.
func etherProto(name string) (uint32, bool) {
	switch name {
	case "aarp":
		return etherAARP, true
	case "arp":
		return etherARP, true
	case "atalk":
		return etherATalk, true
	case "decnet":
		return etherDECnet, true
	case "ip":
		return etherIP, true
	case "ip6":
		return etherIPv6, true
	case "lat":
		return etherLAT, true
	case "lldp":
		return 0x88cc, true
	case "loopback":
		return 0x9000, true
	case "mopdl":
		return etherMOPDL, true
	case "moprc":
		return etherMOPRC, true
	case "rarp":
		return etherRARP, true
	case "sca":
		return etherSCA, true
	case "slow":
		return 0x8809, true
	case "iso":
		return sapISO, true
	case "stp":
		return sapSTP, true
	case "ipx":
		return sapIPX, true
	case "netbeui":
		return sapNetBEUI, true
	}
	return 0, false
}

func isUnknown(err error) bool { return errors.Is(err, ErrUnknownName) }
