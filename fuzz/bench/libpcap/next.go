//go:build libpcap && cgo

package libpcap

/*
#cgo LDFLAGS: -lpcap
#include <pcap/pcap.h>
#include <stdlib.h>

// walk reads a whole file by pcap_next_ex and adds up what the Go loops add up.
static long long walk(const char *path, unsigned long long *sum) {
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	if (p == NULL)
		return -1;
	struct pcap_pkthdr *h;
	const unsigned char *data;
	long long n = 0;
	int rc;
	while ((rc = pcap_next_ex(p, &h, &data)) == 1) {
		*sum += h->caplen + data[12] + (unsigned long long)h->ts.tv_usec;
		n++;
	}
	pcap_close(p);
	return rc == PCAP_ERROR_BREAK ? n : -1;
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// Walk reads the file with pcap_next_ex in one loop in C, so that the cost of
// calling C from Go (about 50 ns) is paid once and not per packet. It returns
// the number of packets and the sum of each one's length, byte 12 and fraction.
func Walk(path string) (packets int64, sum uint64, err error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var total C.ulonglong
	n := C.walk(name, &total)
	if n < 0 {
		return 0, 0, errors.New("libpcap: cannot read the file")
	}
	return int64(n), uint64(total), nil
}
