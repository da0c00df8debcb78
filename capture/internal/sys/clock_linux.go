package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// A Clock is what a device's own clock does for frames that are received.
type Clock struct {
	Raw bool // it stamps frames
	All bool // it can stamp every one
}

// DeviceClock asks a device what it stamps: ETHTOOL_GET_TS_INFO. The interface
// is looked for in the network namespace of the calling thread.
func DeviceClock(name string) (Clock, error) {
	var c Clock
	err := withSocket(func(fd int) error {
		info, err := unix.IoctlGetEthtoolTsInfo(fd, name)
		if err != nil {
			return os.NewSyscallError("ioctl ETHTOOL_GET_TS_INFO", err)
		}
		c = clockOf(info)
		return nil
	})
	return c, err
}

// clockOf reads struct ethtool_ts_info.
func clockOf(info *unix.EthtoolTsInfo) Clock {
	const raw = unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	return Clock{
		Raw: info.So_timestamping&raw == raw,
		All: info.Rx_filters&(1<<unix.HWTSTAMP_FILTER_ALL) != 0,
	}
}

// StampAll has a device stamp all frames that it receives, and leaves alone
// what it does about frames that are sent: SIOCSHWTSTAMP.
func StampAll(name string) error {
	return withSocket(func(fd int) error {
		c, err := unix.IoctlGetHwTstamp(fd, name)
		if err != nil {
			// Drivers that do not tell what is set let it be set.
			c = &unix.HwTstampConfig{}
		}
		if c.Rx_filter == unix.HWTSTAMP_FILTER_ALL {
			return nil
		}
		set := unix.HwTstampConfig{Tx_type: c.Tx_type, Rx_filter: unix.HWTSTAMP_FILTER_ALL}
		return os.NewSyscallError("ioctl SIOCSHWTSTAMP", unix.IoctlSetHwTstamp(fd, name, &set))
	})
}

// withSocket runs f on a socket that is good for questions about interfaces, and
// that anybody may have.
func withSocket(f func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return f(fd)
}
