package capture

import (
	"errors"
	"fmt"
	"strings"
)

// TimestampType is whose clock [link.Info.Time] comes from, and how exact it is,
// with the names and meanings of pcap-tstamp(7). [TimestampTypes] returns those
// that an interface has.
type TimestampType uint8

const (
	// TimestampHost is the clock of this host, with whatever precision is usual
	// there. It is the zero value.
	TimestampHost TimestampType = iota
	// TimestampHostLowPrec is the same clock with a low precision, which may
	// cost less. Linux has no such.
	TimestampHostLowPrec
	// TimestampHostHiPrec is the same clock with a high precision. On Linux it
	// is TimestampHost, which always has nanoseconds.
	TimestampHostHiPrec
	// TimestampHostHiPrecUnsynced is a precise clock of this host that is not
	// the one which the system shows. Linux has no such.
	TimestampHostHiPrecUnsynced
	// TimestampAdapter is the clock of the network device, which follows the
	// one of this host. Linux had such drivers before 3.17.
	TimestampAdapter
	// TimestampAdapterUnsynced is the device's own clock, which may count from
	// anything. [Open] has the device stamp all that it receives, which needs
	// CAP_NET_ADMIN, is one setting for all users of the device, and stays when
	// the Sniffer is closed. A frame that the device did not stamp, such as one
	// that was sent, has the time of the host: [link.Info.TimeSource] tells
	// them apart.
	TimestampAdapterUnsynced
)

// timestampNames are the names of the types, by number, and what they are.
var timestampNames = [...]struct{ name, text string }{
	{"host", "clock of the host"},
	{"host_lowprec", "clock of the host, low precision"},
	{"host_hiprec", "clock of the host, high precision"},
	{"host_hiprec_unsynced", "clock of the host, high precision, not synchronized with the system's"},
	{"adapter", "clock of the device, synchronized with the system's"},
	{"adapter_unsynced", "clock of the device, not synchronized with the system's"},
}

// String returns the name as in pcap-tstamp(7), such as "host_hiprec", or the
// number.
func (t TimestampType) String() string {
	if int(t) < len(timestampNames) {
		return timestampNames[t].name
	}
	return fmt.Sprintf("TimestampType(%d)", uint8(t))
}

// Description returns what the type is, in a few words for people.
func (t TimestampType) Description() string {
	if int(t) < len(timestampNames) {
		return timestampNames[t].text
	}
	return ""
}

// ParseTimestampType returns the type of a name, as String returns it. The
// error wraps [ErrConfig] and lists the names.
func ParseTimestampType(name string) (TimestampType, error) {
	var names []string
	for i, n := range timestampNames {
		if n.name == name {
			return TimestampType(i), nil
		}
		names = append(names, n.name)
	}
	return 0, illegal("timestamp type %q: must be one of %s", name, strings.Join(names, ", "))
}

// TimestampTypes returns the types of timestamps that can be asked for on an
// interface, with the backends that share a socket with the kernel's own stack:
// with BackendXDP there is only [TimestampHost]. The first one is what is used
// when [Config] does not say. The error is an [*OpError] like that of [Open].
//
// On Linux the device is asked with ETHTOOL_GET_TS_INFO, as libpcap does: its
// clock counts when it stamps every frame that it receives, and not only those
// of some protocol.
func TimestampTypes(name string) ([]TimestampType, error) {
	ifi, err := interfaceByName(name)
	if err != nil {
		return nil, opError("timestamp", name, err)
	}
	all, err := timestampTypes(ifi)
	return all, opError("timestamp", name, err)
}

// TimestampError says that an interface, or the way in which it is captured, has
// no timestamps of the type that a [Config] asks for. It wraps
// [errors.ErrUnsupported].
type TimestampError struct {
	// Type is what was asked for.
	Type TimestampType
	// Offered is what there is instead.
	Offered []TimestampType
}

// Error returns what was asked for and what there is.
func (e *TimestampError) Error() string {
	var names []string
	for _, t := range e.Offered {
		names = append(names, t.String())
	}
	return fmt.Sprintf("no timestamps of type %v: there are %s", e.Type, strings.Join(names, ", "))
}

// Unwrap returns [errors.ErrUnsupported].
func (e *TimestampError) Unwrap() error { return errors.ErrUnsupported }
