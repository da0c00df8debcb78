//go:build !libpcap || !cgo

package main

import (
	"errors"
	"fmt"
)

// addPcapSender adds the sender that needs cgo and libpcap.
func addPcapSender(m map[string]func(string, []byte) (sender, error)) {
	m["pcap"] = func(string, []byte) (sender, error) {
		return sender{}, fmt.Errorf("%w: build with -tags libpcap", errors.ErrUnsupported)
	}
}
