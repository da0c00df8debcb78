package capture

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// timestampTypes returns what an AF_PACKET socket on the interface offers.
func timestampTypes(ifi link.Interface) ([]TimestampType, error) {
	all := []TimestampType{TimestampHost, TimestampHostHiPrec}
	if ifi.Index == 0 {
		return all, nil // of several interfaces, each has its own clock
	}
	info, err := sys.DeviceClock(ifi.Name)
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EINVAL):
		return all, nil // a kernel, or an interface, that has never heard of it
	case errors.Is(err, syscall.ENODEV):
		return nil, ErrInterfaceGone
	case err != nil:
		return nil, err
	}
	if info.All && info.Raw {
		all = append(all, TimestampAdapterUnsynced)
	}
	return all, nil
}

// deviceStamps reports whether the frames' times are to be those of the device,
// as cfg asks for, which it has told the device then.
func deviceStamps(ifi link.Interface, cfg *Config) (bool, error) {
	if cfg.Timestamp == TimestampHost || cfg.Timestamp == TimestampHostHiPrec {
		return false, nil
	}
	all, err := timestampTypes(ifi)
	if err == nil {
		err = checkTimestamp(cfg.Timestamp, all)
	}
	if err == nil {
		err = sys.StampAll(ifi.Name)
	}
	if errors.Is(err, os.ErrPermission) {
		err = &advice{err, "CAP_NET_ADMIN is missing, which tells the device to stamp frames: run as root"}
	}
	return err == nil, err
}

// checkTimestamp returns an error when t is not among those that are offered.
func checkTimestamp(t TimestampType, offered []TimestampType) error {
	if slices.Contains(offered, t) {
		return nil
	}
	return &TimestampError{Type: t, Offered: offered}
}
