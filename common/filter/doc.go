// Package filter has tcpdump's filters: the expressions of pcap-filter(7), and
// the classic BPF programs that they are compiled to.
//
//	f, err := filter.Compile("tcp port 80 and not host 10.0.0.1", filter.Options{Link: link.TypeEthernet})
//	…
//	f.MatchFrame(&frame)   // in user space
//	s.Activate(f.Program()) // in the kernel
//
// [Compile] makes a [Filter] of an expression, for frames of one link type. An
// expression that is refused is an [*Error], which says where and why, and
// perhaps what was meant. [Filter.Match] runs it; [Filter.Program] is for a
// capture. [PerLink] is for files with frames of several link types.
//
// [DialectScoped] is a dialect of the language that looks behind VLAN tags and
// IPv6 extension headers, and into tunnels; it has to be asked for.
//
// A [Program] is a program of classic BPF. [Assemble] reads one from any of the
// forms in which tcpdump prints it, [Program.Format] writes these forms, a
// [Builder] puts one together from instructions and labels, and [Program.And],
// [Program.Or] and [Program.Not] make one of others. [Program.Validate] says
// whether it is well formed, and [Program.ValidateLinux] whether Linux takes it
// as the filter of a socket.
//
// A [VM] runs any program in user space: on the packets of files, and on those
// of captures that have no filter of their own. [Program.XDP] translates it to
// extended BPF for the XDP hook of Linux, where classic programs do not run.
//
// The machine has a 32-bit accumulator A, an index register X and 16 words of
// memory M[], all of which begin as zero. It returns how many bytes of the
// packet to keep, 0 for none of it. See bpf(4) of BSD, and
// Documentation/networking/filter.rst of Linux.
package filter
