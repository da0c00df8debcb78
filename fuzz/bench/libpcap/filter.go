//go:build libpcap && cgo

package libpcap

/*
#include <pcap/pcap.h>
#include <stdlib.h>

// run runs a program on the packets again and again, and adds up what it
// returns.
static unsigned long long run(const struct bpf_insn *prog, const unsigned char *bytes, const unsigned *ends, int n, long long times) {
	unsigned long long sum = 0;
	for (long long i = 0, j = 0; i < times; i++) {
		unsigned start = j == 0 ? 0 : ends[j - 1], len = ends[j] - start;
		sum += bpf_filter(prog, bytes + start, len, len);
		if (++j == n)
			j = 0;
	}
	return sum;
}
*/
import "C"

import (
	"unsafe"

	"golang.org/x/net/bpf"
)

// Filter runs a program of classic BPF by bpf_filter on the packets in turn, as
// often as times says, in one loop in C. It returns the sum of what the program
// returned.
func Filter(prog []bpf.RawInstruction, packets [][]byte, times int) uint64 {
	code := make([]C.struct_bpf_insn, len(prog))
	for i, in := range prog {
		code[i] = C.struct_bpf_insn{code: C.u_short(in.Op), jt: C.u_char(in.Jt), jf: C.u_char(in.Jf), k: C.bpf_u_int32(in.K)}
	}
	var all []byte
	var ends []C.uint
	for _, p := range packets {
		all = append(all, p...)
		ends = append(ends, C.uint(len(all)))
	}
	bytes := C.CBytes(all)
	defer C.free(bytes)
	return uint64(C.run(&code[0], (*C.uchar)(bytes), (*C.uint)(unsafe.SliceData(ends)), C.int(len(ends)), C.longlong(times)))
}
