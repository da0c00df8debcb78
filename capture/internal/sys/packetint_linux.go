package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// What [OpenPacket] takes.
const (
	DomainPacket = unix.AF_PACKET
	DomainIPv4   = unix.AF_INET
	DomainIPv6   = unix.AF_INET6
	TypeRaw      = unix.SOCK_RAW
	TypeDgram    = unix.SOCK_DGRAM
)

// Flags of messages, recvmsg(2).
const (
	MsgTrunc    = unix.MSG_TRUNC
	MsgErrQueue = unix.MSG_ERRQUEUE
)

// Types of [PacketSocket.Membership].
const (
	MembershipMulticast    = unix.PACKET_MR_MULTICAST
	MembershipPromiscuous  = unix.PACKET_MR_PROMISC
	MembershipAllMulticast = unix.PACKET_MR_ALLMULTI
	MembershipUnicast      = unix.PACKET_MR_UNICAST
)

// Option is a socket option whose value is an int.
type Option uint8

// The options of packet(7), socket(7), ip(7) and ipv6(7) that this module uses.
const (
	OptAuxdata Option = iota
	OptOrigDev
	OptQdiscBypass
	OptIgnoreOutgoing
	OptVnetHeader
	OptDropCount
	OptReadBuffer
	OptReadBufferForce
	OptWriteBuffer
	OptWriteBufferForce
	OptBusyPoll
	OptPreferBusyPoll
	OptBusyPollBudget
	OptMark
	OptPriority
	OptHeaderIncluded
	OptHeaderIncluded6
	OptPacketInfo
	OptPacketInfo6
)

// options says what the kernel calls them.
var options = [...]struct {
	level, opt int
	name       string
}{
	OptAuxdata:          {unix.SOL_PACKET, unix.PACKET_AUXDATA, "PACKET_AUXDATA"},
	OptOrigDev:          {unix.SOL_PACKET, unix.PACKET_ORIGDEV, "PACKET_ORIGDEV"},
	OptQdiscBypass:      {unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, "PACKET_QDISC_BYPASS"},
	OptIgnoreOutgoing:   {unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING"},
	OptVnetHeader:       {unix.SOL_PACKET, unix.PACKET_VNET_HDR, "PACKET_VNET_HDR"},
	OptDropCount:        {unix.SOL_SOCKET, unix.SO_RXQ_OVFL, "SO_RXQ_OVFL"},
	OptReadBuffer:       {unix.SOL_SOCKET, unix.SO_RCVBUF, "SO_RCVBUF"},
	OptReadBufferForce:  {unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, "SO_RCVBUFFORCE"},
	OptWriteBuffer:      {unix.SOL_SOCKET, unix.SO_SNDBUF, "SO_SNDBUF"},
	OptWriteBufferForce: {unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, "SO_SNDBUFFORCE"},
	OptBusyPoll:         {unix.SOL_SOCKET, unix.SO_BUSY_POLL, "SO_BUSY_POLL"},
	OptPreferBusyPoll:   {unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL, "SO_PREFER_BUSY_POLL"},
	OptBusyPollBudget:   {unix.SOL_SOCKET, unix.SO_BUSY_POLL_BUDGET, "SO_BUSY_POLL_BUDGET"},
	OptMark:             {unix.SOL_SOCKET, unix.SO_MARK, "SO_MARK"},
	OptPriority:         {unix.SOL_SOCKET, unix.SO_PRIORITY, "SO_PRIORITY"},
	OptHeaderIncluded:   {unix.SOL_IP, unix.IP_HDRINCL, "IP_HDRINCL"},
	OptHeaderIncluded6:  {unix.SOL_IPV6, unix.IPV6_HDRINCL, "IPV6_HDRINCL"},
	OptPacketInfo:       {unix.SOL_IP, unix.IP_PKTINFO, "IP_PKTINFO"},
	OptPacketInfo6:      {unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO"},
}

// Set sets an option.
func (s *PacketSocket) Set(o Option, value int) error {
	d := &options[o]
	return s.Control(func(fd int) error {
		return os.NewSyscallError("setsockopt "+d.name, unix.SetsockoptInt(fd, d.level, d.opt, value))
	})
}

// Get returns an option.
func (s *PacketSocket) Get(o Option) (int, error) {
	d := &options[o]
	var v int
	err := s.Control(func(fd int) (err error) {
		v, err = unix.GetsockoptInt(fd, d.level, d.opt)
		return os.NewSyscallError("getsockopt "+d.name, err)
	})
	return v, err
}
