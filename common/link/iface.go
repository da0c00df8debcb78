package link

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
)

// Interface is a network interface as it was when it was asked for.
type Interface struct {
	// Index is the operating system's number of the interface, from 1 up. It
	// stays the same while the interface exists, also when it is renamed.
	Index int
	// Name is what the interface is called: "eth0", "en0", on Windows the
	// connection's name, "Ethernet 2".
	Name string
	// GUID is, on Windows, the adapter's GUID in braces, of which its capture
	// driver makes the device's name: Npcap's is `\Device\NPF_` and the GUID.
	// It is empty elsewhere.
	GUID string
	// MAC is the hardware address, when HasMAC says that it is one of 48 bits.
	// The loopback interface of Linux has one, which is zero.
	MAC    MacAddr
	HasMAC bool
	// HardwareAddr is the hardware address whatever its length: 20 bytes for
	// InfiniBand, 4 or 16 for a tunnel's own IP address, none for a tun device.
	HardwareAddr []byte
	// MTU is the largest packet in bytes, without the link header, that the
	// interface sends. It is 0 when unknown.
	MTU int
	// Flags says what the interface is and does.
	Flags Flags
	// Addrs are the interface's own IP addresses with the length of their
	// prefixes, in the system's order. They have no zone: that of a link-local
	// address is the interface.
	Addrs []netip.Prefix
	// Link is the type of the frames captured on the interface, as far as the
	// interface's kind tells. Where a Linux interface's frames cannot be told,
	// it is [TypeLinuxSLL2], as such interfaces are captured in cooked form.
	// Where another system does not tell, it is [TypeEthernet] with a MAC
	// address, and [TypeNull] without.
	Link Type
}

// String returns the interface's name.
func (i Interface) String() string { return i.Name }

// Flags says what an [Interface] is and does.
type Flags uint16

const (
	// FlagUp is set while the interface is switched on by the administrator.
	FlagUp Flags = 1 << iota
	// FlagRunning is set while the interface works: it has a carrier.
	FlagRunning
	// FlagBroadcast says that the link has a broadcast address.
	FlagBroadcast
	// FlagMulticast says that the link knows groups.
	FlagMulticast
	// FlagLoopback says that what is sent is received by the host itself.
	FlagLoopback
	// FlagPointToPoint says that the link has two ends.
	FlagPointToPoint
	// FlagPromisc is set while the interface receives all frames. Linux does
	// not show it for captures, only when the administrator has set it.
	FlagPromisc
	// FlagAllMulti is set while the interface receives all groups' frames.
	FlagAllMulti
	// FlagNoARP says that the link resolves no addresses. Only Linux tells.
	FlagNoARP
)

// Has reports whether all bits of x are set.
func (f Flags) Has(x Flags) bool { return f&x == x }

// String returns the flags' names with bars between them, such as
// "up|running|broadcast|multicast", and "0" for none.
func (f Flags) String() string {
	const bits = 9
	names := [bits]string{"up", "running", "broadcast", "multicast", "loopback", "pointtopoint", "promisc", "allmulti", "noarp"}
	var set []string
	for i, name := range names {
		if f&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if rest := f &^ (1<<bits - 1); rest != 0 {
		set = append(set, "0x"+strconv.FormatUint(uint64(rest), 16))
	}
	if set == nil {
		return "0"
	}
	return strings.Join(set, "|")
}

// ErrNoInterface is what the error of [InterfaceByName] and [InterfaceByIndex]
// wraps when there is no such interface.
var ErrNoInterface = errors.New("no such interface")

// InterfaceError is the error of [Interfaces], [InterfaceByName] and
// [InterfaceByIndex].
type InterfaceError struct {
	// Name and Index are what was asked for; one of them, or neither.
	Name  string
	Index int
	// Exist holds the names of the interfaces that there are, when the one that
	// was asked for is not among them.
	Exist []string
	// Err is [ErrNoInterface], an error of the operating system, or one that
	// wraps [errors.ErrUnsupported].
	Err error
}

// Error returns the message, with the names of what exists.
func (e *InterfaceError) Error() string {
	var b strings.Builder
	b.WriteString("link: ")
	switch {
	case e.Name != "":
		fmt.Fprintf(&b, "interface %.64q: ", e.Name)
	case e.Index != 0:
		fmt.Fprintf(&b, "interface %d: ", e.Index)
	default:
		b.WriteString("list interfaces: ")
	}
	fmt.Fprint(&b, e.Err)
	if errors.Is(e.Err, ErrNoInterface) {
		if len(e.Exist) == 0 {
			b.WriteString("; there are none")
		} else {
			b.WriteString("; there are ")
			b.WriteString(strings.Join(e.Exist, ", "))
		}
	}
	return b.String()
}

// Unwrap returns e.Err.
func (e *InterfaceError) Unwrap() error { return e.Err }

// Is makes an error that wraps [ErrNoInterface] an [fs.ErrNotExist] as well.
func (e *InterfaceError) Is(target error) bool {
	return target == fs.ErrNotExist && errors.Is(e.Err, ErrNoInterface)
}

// Interfaces returns the network interfaces of this host, ordered by index. On
// Linux they are those of the calling thread's network namespace.
//
// The error is an [InterfaceError]. It wraps [errors.ErrUnsupported] on systems
// that have no network interfaces a program could ask about (js, wasip1).
func Interfaces() ([]Interface, error) {
	all, err := interfaces()
	if err != nil {
		return nil, &InterfaceError{Err: err}
	}
	return all, nil
}

// InterfaceByName returns the interface with the name given; on Windows, its
// GUID does too. The error is an [InterfaceError].
func InterfaceByName(name string) (Interface, error) {
	all, err := interfaces()
	if err != nil {
		return Interface{}, &InterfaceError{Name: name, Err: err}
	}
	for _, i := range all {
		if i.Name == name || i.GUID != "" && strings.EqualFold(i.GUID, name) {
			return i, nil
		}
	}
	return Interface{}, &InterfaceError{Name: name, Exist: interfaceNames(all), Err: ErrNoInterface}
}

// InterfaceByIndex returns the interface with the index given. The error is an
// [InterfaceError].
func InterfaceByIndex(index int) (Interface, error) {
	all, err := interfaces()
	if err != nil {
		return Interface{}, &InterfaceError{Index: index, Err: err}
	}
	for _, i := range all {
		if i.Index == index {
			return i, nil
		}
	}
	return Interface{}, &InterfaceError{Index: index, Exist: interfaceNames(all), Err: ErrNoInterface}
}

func interfaceNames(all []Interface) []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

// setHardwareAddr sets the fields that follow from a hardware address. It keeps
// no reference to b.
func (i *Interface) setHardwareAddr(b []byte) {
	if len(b) == 0 {
		return
	}
	i.HardwareAddr = append([]byte(nil), b...)
	i.MAC, i.HasMAC = MacFromSlice(b)
}
