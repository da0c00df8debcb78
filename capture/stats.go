package capture

// Stats says what became of the frames since the [Sniffer] was opened. The
// counters only grow, also where the operating system resets its own when they
// are read. A counter that a platform does not have stays 0.
//
// A frame that the filter accepted is in exactly one of Received and Dropped.
type Stats struct {
	// Received is the number of frames that the filter accepted and that
	// found room, read or not.
	Received uint64
	// Dropped is the number of frames that the filter accepted and that found
	// no room, because the program reads too slowly.
	Dropped uint64
	// RingFreezes is how often the ring was full (Linux: tp_freeze_q_cnt).
	RingFreezes uint64
	// InterfaceDropped is the number of frames that the interface lost before
	// any filter saw them, whoever they were for. Most virtual interfaces
	// lose none. It is not known for all interfaces at once.
	InterfaceDropped uint64
	// Truncated is the number of frames read of which the capture kept fewer
	// bytes than were on the wire.
	Truncated uint64
}
