// Package afpacket gives Linux packet sockets (AF_PACKET, packet(7)) and raw IP
// sockets (raw(7)) with everything that the kernel offers for them, in the
// kernel's own terms. Package capture is for those who want frames from an
// interface and need not know how.
//
//	s, err := afpacket.Open(afpacket.KindL2, &afpacket.Config{
//		Memberships: []afpacket.Membership{{Type: afpacket.Promiscuous}},
//	})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	if err := s.Bind("eth0", afpacket.EtherTypeAll); err != nil {
//		return err
//	}
//	buf := make([]byte, 64<<10)
//	for {
//		m, err := s.Recv(buf)
//		if err != nil {
//			return err
//		}
//		fmt.Println(m.Time, m.Direction, m.Addr, len(m.Data), "of", m.WireLen)
//	}
//
// # Kinds
//
//	Kind      socket                   received data begins with   sent data begins with   sends to
//	L2        AF_PACKET, SOCK_RAW      the link header             the link header         the bound interface
//	L3        AF_PACKET, SOCK_DGRAM    what follows it             what follows it         a hardware address
//	IPv4      AF_INET, SOCK_RAW        the IPv4 header             the payload, or the     an IPv4 address
//	                                                               header on request
//	IPv6      AF_INET6, SOCK_RAW       the payload                 the payload, or the     an IPv6 address
//	                                                               header on request
//
// A packet socket (L2, L3) sees every frame of its EtherType, whoever it is
// for and whatever the host does with it. A raw IP socket gets copies of those
// packets that the host accepted, reassembled, and has no rings, memberships
// or fanout.
//
// # Order
//
// The kernel wants its options in an order, and has reasons: a socket that is
// bound receives, so a filter that comes later lets other frames through; a
// ring that comes later misses frames; a fanout group wants members that
// receive. The fields of [Config] have none: Open and Bind
// apply them as follows, and refuse what does not go together with an error
// that names the rule (it wraps capture.ErrConfig).
//
//	Open   socket with protocol 0, so that nothing is received
//	       auxiliary data, original interface, virtio_net header, qdisc bypass
//	       timestamps
//	       buffers, busy polling, priority, mark
//	       filter
//	       (rings are made now)
//	Bind   bind
//	       memberships
//	       fanout, and its program
//
// What can be changed at any time has a method: the filter, memberships, the
// stamps of a device, deadlines.
//
// # Rings
//
// [Socket.Ring] makes memory that a packet socket and the kernel share
// (packet_mmap of the kernel's documentation): a receive ring of TPACKET_V3, in
// which frames are read where the kernel has put them, a transmit ring, out of
// which the device reads them, or both in one mapping. A [Ring] is for those
// who want blocks, slots and their states; the Sniffer of package capture uses
// the same code.
//
//	r, err := s.Ring(afpacket.RingConfig{Rx: new(afpacket.RxConfig), Tx: new(afpacket.TxConfig)})
//	if err != nil {
//		return err
//	}
//	if err := s.Bind("eth0", afpacket.EtherTypeAll); err != nil {
//		return err
//	}
//	var f afpacket.RingFrame
//	for {
//		if err := r.Next(&f); err != nil {
//			return err
//		}
//		fmt.Println(f.Time, f.Direction, f.Addr(), len(f.Data), "of", f.WireLen)
//	}
//
// [Config.VLANInData] has no effect on a ring: tags that the kernel took off are
// in the frame's [link.Info].
//
// # Waiting
//
// Reads and writes wait on the runtime's poller, without a goroutine or a
// thread of their own. A deadline in the past or Close ends a wait at once; so
// a context does with
//
//	stop := context.AfterFunc(ctx, func() { s.SetReadDeadline(time.Unix(1, 0)) })
//	defer stop()
//
// # Errors
//
// Every error is a *capture.OpError. errors.Is tells os.ErrPermission,
// net.ErrClosed, os.ErrDeadlineExceeded, errors.ErrUnsupported, the sentinels
// of package capture and the kernel's own numbers.
//
// The package is empty on other systems than Linux.
package afpacket
