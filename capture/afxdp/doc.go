// Package afxdp is AF_XDP for those who want the kernel's own terms: sockets on
// the queues of an interface, memory that is shared with the kernel, and
// batches of frames in both directions. Package capture has the same behind
// its Sniffer, with states, directions and one frame at a time.
//
// [Open] loads a program into the kernel, in pure Go, which gives the frames
// that a filter accepts to the sockets, from all queues of the interface, and
// leaves the others to the host. The kernel takes the program away when the
// [Socket] is closed or the process ends, however it ends.
//
//	s, err := afxdp.Open("eth0", nil)
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	batch := make([]afxdp.Frame, 64)
//	for {
//		n, err := s.Receive(batch)
//		if err != nil {
//			return err
//		}
//		for _, f := range batch[:n] {
//			use(f.Data)
//		}
//		if err := s.Release(batch[:n]); err != nil {
//			return err
//		}
//	}
//
// As it is, every frame wakes up a call of Receive that waits; with
// [Config.Timeout], frames gather as long as they come fast.
//
// Three modes exist. With zero copy, the device itself writes into the shared
// memory. Otherwise the kernel copies, either in the driver or, with generic
// XDP, in the network stack, which every interface can do. [Open] takes the
// first one that the interface has.
//
// Frames are seen as the driver got them: a VLAN tag that the device did not
// take off is part of them, there is no time stamp, and large frames that the
// kernel would put together later come one by one. What the host sends is not
// seen at all.
//
// AF_XDP exists on Linux only, from 5.9 on for this package. Elsewhere, Open
// returns an error that wraps [errors.ErrUnsupported].
package afxdp
