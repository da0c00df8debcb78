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
// # Platforms and privileges
//
//	Linux    AF_PACKET with a TPACKET_V3 ring      CAP_NET_RAW
//	others   none yet: Open fails with an error that wraps errors.ErrUnsupported
//
// On Linux, `sudo setcap cap_net_raw+ep PROGRAM` lets a program capture without
// being root. The kernel takes an 802.1Q tag off a frame before anybody sees
// it: [link.Info.VLANTCI] and [link.Info.VLANTPID] have it, and WireLen does
// not count its four bytes. A transport checksum which the device is to
// compute is not there yet ([link.ChecksumPartial]). Interfaces with an
// Ethernet header, loopback among them, and interfaces that carry bare IP
// (TUN, WireGuard) are supported.
//
// [NewSniffer] makes a Sniffer of any [Backend]. Package capturetest has one
// that lives in memory, for the tests of programs that capture.
package capture
