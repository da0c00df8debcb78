// Package capture takes frames from network interfaces and puts frames on
// them: raw bytes from the first byte of the link header, in pure Go, with the
// same contract on every platform.
//
//	s, err := capture.Open("eth0", nil)
//	if err != nil {
//		return err // says which privilege is missing, or which interfaces there are
//	}
//	defer s.Close()
//	if err := s.Activate(nil); err != nil { // nil: every frame
//		return err
//	}
//	for frame, err := range s.Frames(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(frame.Time, frame.Direction, len(frame.Data))
//	}
//
// What the bytes mean is the business of the packages in the pkts module.
//
// # States
//
//	         Activate                Deactivate
//	idle ───────────────▶ active ───────────────▶ draining
//	 ▲                     │  ▲                    │     │
//	 │                     └──┘ Activate           │     │ Activate
//	 └──────── everything was read ◀───────────────┘     ▼ (active)
//
// A new [Sniffer] is idle: it has captured nothing, and reading fails with
// [ErrNotActive] at once. [Sniffer.Activate] starts the capture with a filter,
// or changes the filter: it rejects everything, forgets what was not yet read,
// and only then sets the filter, so that whatever is read afterwards was
// accepted by it. After [Sniffer.Deactivate] the frames captured before can
// still be read; behind them comes ErrNotActive. Sending works in every state.
//
// Both directions are captured, and every frame says which way it went
// ([link.Info.Direction]). What the same Sniffer sends is captured, too.
//
// # Waiting
//
// Reads block. They can be ended by [Sniffer.SetReadDeadline], by the context
// of [Sniffer.Frames], by Deactivate and by [Sniffer.Close], from any
// goroutine and at once, whether or not there is traffic. A Sniffer starts no
// goroutine and uses no thread while it waits: it sits on the runtime's network
// poller, like a connection of package net.
//
// # Lifetimes
//
// [Sniffer.Next] and [Sniffer.Frames] do not copy. A frame's Data lies in the
// capture buffer until the next frame is read; [link.Frame.Clone] keeps it,
// and [Sniffer.ReadInto] copies into the caller's memory instead, which is
// what several readers of one Sniffer want. Close takes no memory away from
// under a reader.
//
// # Loss
//
// Frames are lost when they come faster than they are read. [Sniffer.Stats]
// counts them, a larger [Config.BufferSize] takes more of them, and the first
// frame behind a gap has [link.InfoLossBefore] where the platform says where
// the gap is. Nothing is lost silently: what the filter accepted is either in
// Stats.Received or in Stats.Dropped.
//
// # Errors
//
// Every error is an [*OpError] that names the operation and the interface, and
// its text says what can be done. Test it with [errors.Is].
//
// What happens to an interface while it is captured is told, and none of it
// makes a reader hang. When it goes down, one read fails with
// [ErrInterfaceDown], and frames come again when it is back. When it is removed,
// or moved to another network namespace, reads fail with [ErrInterfaceGone]
// behind what was captured before, also when it was down by then. A new name or
// another MTU changes nothing: the Sniffer goes on, under the name by which it
// was opened.
//
// # Several processors
//
// [OpenGroup] opens several Sniffers that share the frames of one interface, one
// for each processor that reads. By default a flow stays in one of them, with
// both its directions and in order: see [Group].
//
// # Platforms and privileges
//
//	Linux    AF_PACKET, with a TPACKET_V3 ring or without      CAP_NET_RAW
//	         AF_XDP, Linux 5.9                                 besides, CAP_NET_ADMIN and CAP_BPF
//	others   none yet: Open fails with an error that wraps errors.ErrUnsupported
//
// On Linux, `sudo setcap cap_net_raw+ep PROGRAM` lets a program capture without
// being root. [Config.Backend] chooses how the frames come: with [BackendRing],
// which is the default, they lie in memory that is shared with the kernel; with
// [BackendMessages] system calls copy many of them at once, each as soon as it
// is there, from a buffer that may be smaller than was asked for unless the
// program has CAP_NET_ADMIN (net.core.rmem_max); with [BackendXDP] they are taken
// from the host's network stack, in its driver if it can do that, which wants
// CAP_NET_ADMIN and CAP_BPF. [Sniffer.Backend] says what it became. Packages
// afpacket and afxdp have the same in the kernel's own terms. The kernel takes an 802.1Q tag off a frame before anybody sees it:
// [link.Info.VLANTCI] and [link.Info.VLANTPID] have it, and WireLen does not
// count its four bytes. A transport checksum which the device is to compute is
// not there yet ([link.ChecksumPartial]).
//
// Interfaces with an Ethernet header, loopback among them, and interfaces that
// carry bare IP (TUN, WireGuard) are captured as they are. Where the kind of
// header is not known, the kernel takes it off, and every frame begins with the
// header of [link.TypeLinuxSLL2] instead; on a netlink monitor it is that of
// [link.TypeNetlink].
//
// # All interfaces
//
// On Linux, the name "any" stands for all interfaces of the network namespace,
// those that come later included. Frames have the header of
// [link.TypeLinuxSLL2], and [link.Info.Interface] has the interface's index. As
// on the loopback interface alone, what the host sends to itself is seen twice,
// going out and coming in; tcpdump shows the second only. Nothing can be sent,
// Promiscuous has no effect, no read fails when an interface goes down or away,
// and InterfaceDropped stays 0.
//
// A filter for such a capture, or for any other with a header that is not the
// frame's own, is a program for the frames as they are read, such as
// `tcpdump -i any -y LINUX_SLL2 -dd` prints. The kernel runs it without the
// header: so [Sniffer.Activate] moves the offsets, reads the protocol, the
// interface's index and kind, and the packet type from the kernel's extensions,
// and corrects lengths. What is left is the sender's address, and parts of
// fields: a program that reads these is refused with [ErrFilter]. At least one
// byte behind the header is kept of every frame.
//
// [NewSniffer] makes a Sniffer of any [Backend]. Package capturetest has one
// that lives in memory, for the tests of programs that capture.
package capture
