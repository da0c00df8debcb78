//go:build libpcap && cgo

package libpcap

/*
#include <pcap/pcap.h>
#include <stdlib.h>

// compile compiles an expression for Ethernet again and again, and returns the
// number of instructions; -1 if libpcap refuses it.
static int compile(const char *expr, int times) {
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 262144);
	int len = -1;
	for (int i = 0; i < times; i++) {
		struct bpf_program prog;
		if (pcap_compile(p, &prog, expr, 1, 0) < 0) {
			len = -1;
			break;
		}
		len = prog.bf_len;
		pcap_freecode(&prog);
	}
	pcap_close(p);
	return len;
}
*/
import "C"

import "unsafe"

// Compile compiles an expression for Ethernet with the optimizer, as often as
// times says, in one loop in C. It returns the number of instructions, -1 if
// libpcap refuses the expression.
func Compile(expr string, times int) int {
	text := C.CString(expr)
	defer C.free(unsafe.Pointer(text))
	return int(C.compile(text, C.int(times)))
}
