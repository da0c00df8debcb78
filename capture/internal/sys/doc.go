// Package sys is the only place in this module that talks to an operating
// system: system calls, memory shared with a kernel, and unsafe live here and
// nowhere else.
//
// On Linux it offers PacketSocket, a socket for whole packets or raw IP; Rings,
// the receive and the transmit ring of an AF_PACKET socket; Socket, which is
// what the Sniffer's ring is made of; XDP, the AF_XDP sockets of an interface, and
// of bpf(2) what they need; and the little of rtnetlink that the
// capture and its tests want. The parser of ring blocks, [Cursor], has no system
// calls in it and is built and tested on every platform.
package sys
