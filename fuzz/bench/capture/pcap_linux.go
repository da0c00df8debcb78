//go:build libpcap && cgo

package main

import (
	"time"

	"github.com/gopacket/gopacket/pcap"
)

// addPcapSender adds the sender that needs cgo and libpcap.
func addPcapSender(m map[string]func(string, []byte) (sender, error)) {
	m["pcap"] = func(ifi string, frame []byte) (sender, error) {
		h, err := pcap.OpenLive(ifi, 65536, false, time.Second)
		if err != nil {
			return sender{}, err
		}
		// It must not receive what it sends.
		if err := h.SetDirection(pcap.DirectionIn); err != nil {
			return sender{}, err
		}
		return sender{send: func() error {
			for range batch {
				if err := h.WritePacketData(frame); err != nil {
					return err
				}
			}
			return nil
		}}, nil
	}
}
