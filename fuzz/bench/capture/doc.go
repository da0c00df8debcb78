// Capture measures capturing and sending on Linux, with what people use today
// beside it in the same run:
//
//	go build -o /tmp/capture ./fuzz/bench/capture && sudo /tmp/capture
//
// or, as root, go run ./fuzz/bench/capture. It moves into a network namespace
// of its own, which vanishes with it, and prints tables in Markdown: receiving,
// walking what lies in the buffer already, sending, and capturing to a file.
// The tag libpcap adds gopacket's pcap handle, which needs cgo and libpcap's
// headers. With -short all of it takes less than a minute, and the figures are
// worth as much.
//
// On a cable between two namespaces the kernel is the limit, and the sender's
// processor does the receiver's work. So the frames to receive come from the
// kernel itself: BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES runs an XDP
// program over as many frames as it is told, and the program redirects them to
// one end of a veth pair, or passes them as if an end had received them. That
// happens on one processor; the receiver is a process of its own, pinned to
// another, and what is quoted besides loss is its processor time a frame. What
// is sent goes to an ifb device, which drops it.
//
// The generator and what is measured run by SCHED_RR, so that other jobs of the
// machine neither hold frames up nor take the caches away. What is compared takes
// turns: senders of 50 ms each, and ways to read of some microseconds. The
// flag -timeout says how long frames may gather before a receiver gets them.
//
// Linux names: ip(8) makes the devices; a C compiler makes the senders in C;
// tcpdump, dumpcap and the program pkts are measured where they are installed
// or can be built.
package main
