package sys

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestClockOf(t *testing.T) {
	for _, c := range []struct {
		name       string
		stamps, rx uint32
		wantRaw    bool
		wantAll    bool
	}{
		// What drivers of Linux 6.18 answer: igb_get_ts_info of
		// drivers/net/ethernet/intel/igb/igb_ethtool.c for an i350 and an 82576,
		// and __ethtool_get_ts_info for what has no clock.
		{name: "i350", stamps: 0x5f, rx: 1<<0 | 1<<1, wantRaw: true, wantAll: true},
		{name: "82576", stamps: 0x5f, rx: 1<<0 | 1<<4 | 1<<5 | 1<<12, wantRaw: true},
		{name: "none", stamps: 0x18},
		// A driver that stamps only what is sent.
		{name: "sends", stamps: 0x41, rx: 1<<0 | 1<<1, wantAll: true},
	} {
		got := clockOf(&unix.EthtoolTsInfo{So_timestamping: c.stamps, Rx_filters: c.rx})
		if want := (Clock{Raw: c.wantRaw, All: c.wantAll}); got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

func TestDeviceClockErrors(t *testing.T) {
	if _, err := DeviceClock("nonesuch0"); err == nil {
		t.Error("an interface that does not exist has a clock")
	}
	if err := StampAll("lo"); err == nil {
		t.Error("the loopback interface stamps frames")
	}
}
