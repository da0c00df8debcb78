// Package filter has tcpdump's filters: the expressions of pcap-filter(7), and
// the classic BPF programs that they are compiled to.
//
// A [Program] is such a program. [Assemble] reads one from any of the forms in
// which tcpdump prints it, [Program.Format] writes these forms, a [Builder]
// puts one together from instructions and labels, and [Program.And],
// [Program.Or] and [Program.Not] make one of others. [Program.Validate] says whether it is well formed, and
// [Program.ValidateLinux] whether Linux takes it as the filter of a socket.
//
// A [VM] runs a program in user space: on the packets of files, and on those
// of captures that have no filter of their own. [Program.XDP] translates it to
// extended BPF for the XDP hook of Linux, where classic programs do not run.
//
// The machine has a 32-bit accumulator A, an index register X and 16 words of
// memory M[], all of which begin as zero. It returns how many bytes of the
// packet to keep, 0 for none of it. See bpf(4) of BSD, and
// Documentation/networking/filter.rst of Linux.
package filter
