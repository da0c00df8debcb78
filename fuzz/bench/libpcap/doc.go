// Package libpcap runs loops of the C library libpcap as baselines for
// benchmarks. It needs cgo, libpcap's header and library, and the build tag
// libpcap; without them it is empty.
package libpcap
