package sys

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLinkLoopback(t *testing.T) {
	r, err := OpenRtnl()
	if err != nil {
		t.Fatal(err)
	}
	lo, err := r.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if lo.Name != "lo" || lo.Index < 1 || lo.Hardware != unix.ARPHRD_LOOPBACK || lo.Flags&unix.IFF_LOOPBACK == 0 {
		t.Errorf("lo is %+v", lo)
	}
	if same, err := r.Link(lo.Index); err != nil || same.Name != "lo" {
		t.Errorf("Link(%d) = %+v, %v", lo.Index, same, err)
	}
	if _, err := r.LinkByName("nope"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("LinkByName of none = %v, want ENODEV", err)
	}
	if _, err := r.Link(1 << 30); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Link of none = %v, want ENODEV", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Link(1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Link after Close = %v, want ErrClosed", err)
	}
}

// TestParseLink reads a message that is put together after rtnetlink(7).
func TestParseLink(t *testing.T) {
	var m message
	m.ifinfo(7, unix.IFF_UP, 0)
	binary.NativeEndian.PutUint16(m[2:], unix.ARPHRD_ETHER)
	m.str(unix.IFLA_IFNAME, "eth7")
	m.str(unix.IFLA_QDISC, "noop")
	m.attr(unix.IFLA_OPERSTATE, []byte{6})
	stats := make([]byte, 25*8)
	binary.NativeEndian.PutUint64(stats[14*8:], 5)  // rx_fifo_errors
	binary.NativeEndian.PutUint64(stats[15*8:], 70) // rx_missed_errors
	m.attr(unix.IFLA_STATS64, stats)
	want := Link{Index: 7, Name: "eth7", Hardware: 1, Flags: 1, OperState: 6, Qdisc: "noop", Missed: 75}
	if got, err := parseLink(m); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for n := range len(m) {
		got, err := parseLink(m[:n:n])
		if (err != nil) != (n < ifInfoLen) {
			t.Errorf("%d bytes: %+v, %v", n, got, err)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	var m message
	m.ifinfo(7, 1, 0)
	m.str(unix.IFLA_IFNAME, "eth7")
	m.attr(unix.IFLA_OPERSTATE, nil)
	m.attr(unix.IFLA_STATS64, make([]byte, stats64MinLen))
	f.Add([]byte(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseLink(b); (err != nil) != (len(b) < ifInfoLen) {
			t.Errorf("error %v for %d bytes", err, len(b))
		}
	})
}
