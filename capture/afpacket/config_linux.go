package afpacket

import (
	"fmt"
	"math"
	"time"

	"github.com/gopkts/gopkts/capture"
	"golang.org/x/net/bpf"
)

// Kind is what a [Socket] carries.
type Kind uint8

const (
	// KindL2 carries whole frames, link header included: AF_PACKET, SOCK_RAW.
	KindL2 Kind = iota
	// KindL3 carries what follows the link header, which the kernel strips and
	// adds: AF_PACKET, SOCK_DGRAM.
	KindL3
	// KindIPv4 carries IPv4 packets of one protocol: AF_INET, SOCK_RAW, raw(7).
	// What is received begins with the IPv4 header. What is sent does with
	// Config.HeaderIncluded, and is given a header without.
	KindIPv4
	// KindIPv6 carries IPv6 packets of one protocol: AF_INET6, SOCK_RAW,
	// ipv6(7). What is received begins behind the IPv6 header and its
	// extensions. What is sent begins with the header only with
	// Config.HeaderIncluded.
	KindIPv6
)

// String returns "L2", "L3", "IPv4", "IPv6" or the number.
func (k Kind) String() string {
	switch k {
	case KindL2:
		return "L2"
	case KindL3:
		return "L3"
	case KindIPv4:
		return "IPv4"
	case KindIPv6:
		return "IPv6"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

func (k Kind) isPacket() bool { return k <= KindL3 }

// Config is what a [Socket] should be. The zero value, like a nil pointer, asks
// for the kernel's defaults. The order in which the kernel wants its options
// is the package's business.
type Config struct {
	// Protocol is the IP protocol of a KindIPv4 or KindIPv6 socket, IPPROTO_ of
	// netinet/in.h, from 1 to 255. A socket for 255 can only send, and has
	// HeaderIncluded set.
	Protocol uint8
	// HeaderIncluded says that the caller writes the IP header of what is sent
	// on a KindIPv4 or KindIPv6 socket: IP_HDRINCL, IPV6_HDRINCL. The kernel
	// fills in the total length and the checksum of an IPv4 header, and its
	// source and identification where they are 0.
	HeaderIncluded bool

	// Filter is a classic BPF program. Nothing is received that it does not
	// accept, from the first message on. What it returns is how many bytes to
	// keep. Empty means no filter. See [Socket.SetFilter].
	Filter []bpf.RawInstruction

	// Direction leaves out what the host sent (PACKET_IGNORE_OUTGOING), or what
	// it received. A socket never receives what it sent itself. capture.Out
	// needs [EtherTypeAll], and puts four instructions in front of each filter.
	Direction capture.Direction

	// VLANInData puts the VLAN tag that the device or the kernel took off a
	// frame back where it was, for a KindL2 socket on Ethernet. Without, the
	// tag is in VLANTCI and VLANTPID of the [Message], and Data has it only when
	// there were more than one: the outer one is taken off. Buffers must
	// be 4 bytes longer than the longest frame.
	VLANInData bool

	// VnetHeader asks for what the device still has to do to each frame, or has
	// done, in Message.Vnet, and takes it when sending: PACKET_VNET_HDR. Only
	// for KindL2. A frame may then have up to 64 KiB.
	VnetHeader bool

	// OriginalInterface reports, of a frame which passes through several
	// interfaces, the one that it came in by: PACKET_ORIGDEV. It makes a
	// difference on bonds, bridges, VLANs and the like.
	OriginalInterface bool

	// HardwareTime makes Message.Time the stamp of the device, for those frames
	// that it stamps; their TimeSource says so. The device has to be told to,
	// see [Socket.SetDeviceStamps].
	HardwareTime bool
	// TxStamps says which timestamps of sent frames [Socket.TxTimestamp] is to
	// return.
	TxStamps TxStage

	// QdiscBypass sends to the driver without the interface's queueing
	// discipline: faster, and lost when the driver's queue is full.
	// PACKET_QDISC_BYPASS.
	QdiscBypass bool

	// Memberships are joined by [Socket.Bind], as by [Socket.Join].
	Memberships []Membership
	// Fanout, if it is set, is the group that [Socket.Bind] joins.
	Fanout *Fanout

	// ReadBuffer and WriteBuffer are how many bytes the kernel may hold for the
	// socket, its own bookkeeping included, which is several hundred bytes a
	// frame: SO_RCVBUF, SO_SNDBUF. 0 leaves the system's default. With
	// CAP_NET_ADMIN the system's limit (net.core.rmem_max, wmem_max) does not
	// apply; without, it is an error to ask for more.
	ReadBuffer, WriteBuffer int

	// BusyPoll is how long a read may look at the device's queue itself when
	// there is nothing to read, in whole microseconds: SO_BUSY_POLL. More than
	// the system's net.core.busy_read needs CAP_NET_ADMIN.
	BusyPoll time.Duration
	// PreferBusyPoll leaves interrupts off as long as the program polls, and
	// BusyPollBudget is how many frames one poll may take, at most 65535:
	// SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET. Both need CAP_NET_ADMIN.
	PreferBusyPoll bool
	BusyPollBudget int

	// Mark is put on what is sent, for routing and firewalls: SO_MARK.
	Mark uint32
	// Priority is the priority of what is sent within the queueing discipline:
	// SO_PRIORITY.
	Priority int
}

const (
	maxFilter = 4096              // BPF_MAXINSNS
	maxBuffer = math.MaxInt32 - 1 // twice the most that the kernel lets be asked for
)

// check returns an error that wraps [capture.ErrConfig] and names the rule that
// c breaks.
func (c *Config) check(kind Kind) error {
	packet := kind.isPacket()
	switch {
	case kind > KindIPv6:
		return illegal("%v: must be KindL2, KindL3, KindIPv4 or KindIPv6", kind)
	case packet && c.Protocol != 0:
		return illegal("Protocol is %d: only KindIPv4 and KindIPv6 have one; Bind takes the EtherType", c.Protocol)
	case packet && c.HeaderIncluded:
		return illegal("HeaderIncluded is for KindIPv4 and KindIPv6: a KindL2 socket always has its header, a KindL3 socket never")
	case !packet && c.Protocol == 0:
		return illegal("Protocol is 0: %v needs an IP protocol from 1 to 255", kind)
	case c.Direction > capture.Out:
		return illegal("Direction is %d: must be Both, In or Out", c.Direction)
	case !packet && c.Direction == capture.Out:
		return illegal("Direction is out: a raw IP socket only receives what is for the host")
	case c.VLANInData && kind != KindL2:
		return illegal("VLANInData needs KindL2: %v messages have no link header to put a tag into", kind)
	case c.VnetHeader && kind != KindL2:
		return illegal("VnetHeader needs KindL2: the kernel has it for SOCK_RAW of AF_PACKET only")
	case !packet && c.OriginalInterface:
		return illegal("OriginalInterface needs KindL2 or KindL3")
	case !packet && c.QdiscBypass:
		return illegal("QdiscBypass needs KindL2 or KindL3")
	case !packet && len(c.Memberships) > 0:
		return illegal("Memberships need KindL2 or KindL3")
	case !packet && c.Fanout != nil:
		return illegal("Fanout needs KindL2 or KindL3")
	case c.TxStamps&^(TxSched|TxSoftware|TxHardware) != 0:
		return illegal("TxStamps is %#x: must be made of TxSched, TxSoftware and TxHardware", uint8(c.TxStamps))
	case c.QdiscBypass && c.TxStamps&TxSched != 0:
		return illegal("TxStamps has TxSched with QdiscBypass: the stamp is made when a frame enters the queueing discipline")
	case c.ReadBuffer < 0 || int64(c.ReadBuffer) > maxBuffer:
		return illegal("ReadBuffer is %d: must be from 0 to %d", c.ReadBuffer, maxBuffer)
	case c.WriteBuffer < 0 || int64(c.WriteBuffer) > maxBuffer:
		return illegal("WriteBuffer is %d: must be from 0 to %d", c.WriteBuffer, maxBuffer)
	case c.BusyPoll < 0 || c.BusyPoll > math.MaxInt32*time.Microsecond || c.BusyPoll%time.Microsecond != 0:
		return illegal("BusyPoll is %v: must be whole microseconds, and not negative", c.BusyPoll)
	case c.BusyPollBudget < 0 || c.BusyPollBudget > math.MaxUint16:
		return illegal("BusyPollBudget is %d: must be from 0 to %d", c.BusyPollBudget, math.MaxUint16)
	case c.Priority < 0 || int64(c.Priority) > math.MaxInt32:
		return illegal("Priority is %d: must not be negative", c.Priority)
	}
	for _, m := range c.Memberships {
		if err := m.check(); err != nil {
			return err
		}
	}
	if c.Fanout != nil {
		return c.Fanout.check()
	}
	return nil
}
