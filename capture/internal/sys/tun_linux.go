package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenTun makes a TUN interface in the network namespace of the calling thread:
// what is written to the file, an IP packet each time, arrives at the
// interface, and what the host sends is read from the file. hardware is the
// type that the interface says it is of, ARPHRD_ of linux/if_arp.h. The
// interface, which is down at first, goes when the file is closed.
func OpenTun(name string, hardware int) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	err = setUpTun(fd, name, hardware)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func setUpTun(fd int, name string, hardware int) error {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		return os.NewSyscallError("ioctl TUNSETIFF", err)
	}
	return os.NewSyscallError("ioctl TUNSETLINK", unix.IoctlSetInt(fd, unix.TUNSETLINK, hardware))
}
