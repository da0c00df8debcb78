#!/usr/bin/env python3
"""Writes packets.txt, the packets of TestScopedPackets, with scapy 2.5.0.

Each line is a name, a link type and the packet in hexadecimal.
"""
import sys

from scapy.all import (
    ARP, Dot1AD, Dot1Q, Ether, GRE, ICMP, IP, IPv6, Raw, SCTP, TCP, UDP,
    CookedLinux, CookedLinuxV2, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting, ICMPv6EchoRequest, PPPoE, PadN, HBHOptUnknown,
)
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.gtp import (
    GTP_U_Header, GTPEchoRequest, GTPPDUSessionContainer,
)
from scapy.contrib.mpls import MPLS
from scapy.layers.ipsec import AH
from scapy.layers.vxlan import VXLAN

MAC = dict(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
INMAC = dict(src="02:00:00:00:01:01", dst="02:00:00:00:01:02")


def eth(**k):
    return Ether(**{**MAC, **k})


def ineth(**k):
    return Ether(**{**INMAC, **k})


def four(a="10.0.0.1", b="10.0.0.2", **k):
    return IP(src=a, dst=b, **k)


def six(a="2001:db8::1", b="2001:db8::2", **k):
    return IPv6(src=a, dst=b, **k)


def in4():
    return four("192.168.1.1", "192.168.1.2")


def in6():
    return six("2001:db8:1::1", "2001:db8:1::2")


def tcp(port=80):
    return TCP(sport=40000, dport=port, flags="S")


def udp(port):
    return UDP(sport=40000, dport=port)


pad = Raw(b"0123456789")
hbh = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)])
dst = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
rt = IPv6ExtHdrRouting(addresses=["2001:db8::9"])


def ah(nh):
    return AH(nh=nh, payloadlen=4, spi=1, seq=1, icv=b"\1" * 12)


def ppp(proto):
    """PPP with a protocol that is not compressed to one byte."""
    return Raw(proto.to_bytes(2, "big"))


ethernet = {
    "tcp4": eth() / four() / tcp(),
    "tcp4 options": eth() / four(options=b"\1\1\1\0") / tcp(),
    "tcp4 tag10": eth() / Dot1Q(vlan=10) / four() / tcp(),
    "tcp4 tag0": eth() / Dot1Q(vlan=0, prio=5) / four() / tcp(),
    "tcp4 qinq": eth() / Dot1AD(vlan=100) / Dot1Q(vlan=10) / four() / tcp(),
    "tcp4 9100": eth(type=0x9100) / Dot1Q(vlan=100) / Dot1Q(vlan=10) / four() / tcp(),
    "tcp4 three tags": eth() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / four() / tcp(),
    "udp4 tag25": eth() / Dot1Q(vlan=25) / four() / udp(53),
    "arp tag10": eth() / Dot1Q(vlan=10) / ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
    "tcp4 first": eth() / four(flags="MF") / tcp() / pad,
    "tcp4 later": eth() / four(frag=3, proto=6) / Raw(b"\x9c\x40\x00\x50" * 6),
    "icmp4": eth() / four() / ICMP(),
    "tcp6": eth() / six() / tcp(),
    "tcp6 tag10": eth() / Dot1Q(vlan=10) / six() / tcp(),
    "tcp6 hbh": eth() / six() / hbh / tcp(),
    "tcp6 hbh qinq": eth() / Dot1AD(vlan=100) / Dot1Q(vlan=10) / six() / hbh / tcp(),
    "tcp6 all": eth() / six() / hbh / dst / rt / IPv6ExtHdrFragment(m=1, id=7) / ah(60) / dst / tcp(),
    "tcp6 seven": eth() / six() / dst / dst / dst / dst / dst / dst / dst / tcp(),
    "tcp6 first": eth() / six() / IPv6ExtHdrFragment(m=1, id=7) / tcp() / pad,
    "tcp6 later": eth() / six() / hbh / IPv6ExtHdrFragment(nh=6, offset=3, id=7) / Raw(b"\x9c\x40\x00\x50" * 6),
    "udp6 ah": eth() / six() / ah(17) / udp(53),
    "sctp6 hbh": eth() / six() / hbh / SCTP(sport=40000, dport=80, tag=1),
    "echo6": eth() / six() / ICMPv6EchoRequest(id=1),
    "echo6 hbh": eth() / six() / hbh / ICMPv6EchoRequest(id=1),
    "mpls": eth() / MPLS(label=16, s=0, ttl=64) / MPLS(label=17, s=1, ttl=64) / four() / tcp(),
    "pppoe tag10": eth() / Dot1Q(vlan=10) / PPPoE(sessionid=7) / ppp(0x57) / six() / hbh / tcp(),
    "vxlan": eth() / four() / udp(4789) / VXLAN(vni=0x1234) / ineth() / in4() / tcp(),
    "vxlan tag20": eth() / Dot1Q(vlan=10) / four() / udp(4789) / VXLAN(vni=0x1235) / ineth() / Dot1Q(vlan=20) / in6() / hbh / tcp(),
    "vxlan later": eth() / four(frag=3, proto=17) / Raw(bytes(udp(4789) / VXLAN(vni=0x1234) / ineth() / in4() / tcp())),
    "vxlan arp": eth() / six() / udp(4789) / VXLAN(vni=0x1234) / ineth() / ARP(psrc="192.168.1.1", pdst="192.168.1.2"),
    "no vxlan": eth() / four() / udp(4789) / Raw(b"\0" * 60),
    "geneve": eth() / six() / hbh / udp(6081) / GENEVE(vni=9, options=[GeneveOptions(classid=1, type=2, data=b"12345678")]) / ineth() / in4() / udp(53),
    "geneve bare": eth() / four() / udp(6081) / GENEVE(vni=10) / in4() / tcp(),
    "gre": eth() / four() / GRE() / in4() / udp(53),
    "gre all": eth() / four() / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=5, sequence_number=6) / in6() / tcp(443),
    "gre teb": eth() / six() / GRE(proto=0x6558, key_present=1, key=5) / ineth() / Dot1Q(vlan=20) / in4() / tcp(),
    "gre mpls": eth() / four() / GRE(proto=0x8847) / MPLS(label=18, s=1, ttl=64) / in4() / tcp(),
    "gre pptp": eth() / four() / GRE(proto=0x880b, version=1, key_present=1) / Raw(b"\0" * 40),
    "4 in 4": eth() / four() / in4() / tcp(),
    "6 in 4": eth() / four() / in6() / hbh / tcp(),
    "4 in 6": eth() / six() / dst / in4() / tcp(),
    "6 in 6": eth() / six() / in6() / udp(53),
    "ethernet in 6": eth() / six(nh=143) / ineth() / in4() / tcp(443),
    "gtp": eth() / four() / udp(2152) / GTP_U_Header(teid=1) / in4() / tcp(),
    "gtp seq": eth() / four() / udp(2152) / GTP_U_Header(teid=1, S=1, seq=9) / in6() / udp(53),
    "gtp pdu": eth() / six() / udp(2152) / GTP_U_Header(teid=1, E=1, next_ex=0x85) / GTPPDUSessionContainer(QFI=9) / in4() / tcp(),
    "gtp echo": eth() / four() / udp(2152) / GTP_U_Header(teid=1, S=1, gtp_type=1) / GTPEchoRequest(),
    "nested": eth() / four() / GRE() / four("172.16.0.1", "172.16.0.2") / udp(4789) / VXLAN(vni=1) / ineth() / in4() / tcp(),
    "four tunnels": eth() / four() / IP(src="172.16.0.1", dst="172.16.0.2") / GRE() / six("2001:db8:3::1", "2001:db8:3::2") / hbh
    / udp(6081) / GENEVE(vni=3) / ineth() / Dot1Q(vlan=30) / four("172.16.0.5", "172.16.0.6") / IP(src="192.168.9.1", dst="192.168.9.2") / tcp(22),
}
other = [
    ("sll", "LINUX_SLL", CookedLinux() / four() / tcp()),
    ("sll tag10", "LINUX_SLL", CookedLinux(proto=0x8100) / Dot1Q(vlan=10) / four() / tcp()),
    ("sll2", "LINUX_SLL2", CookedLinuxV2() / six() / hbh / tcp()),
    ("sll2 qinq", "LINUX_SLL2", CookedLinuxV2(proto=0x88a8) / Dot1Q(vlan=100) / Dot1Q(vlan=10) / four() / tcp()),
    ("raw", "RAW", six() / hbh / in4() / tcp()),
    ("ppp", "PPP", Raw(b"\xff\x03") / ppp(0x21) / four() / tcp()),
]

with open("packets.txt", "w") if len(sys.argv) < 2 else sys.stdout as f:
    for name, packet in ethernet.items():
        print(name, "EN10MB", bytes(packet).hex(), sep="; ", file=f)
    for name, link, packet in other:
        print(name, link, bytes(packet).hex(), sep="; ", file=f)
