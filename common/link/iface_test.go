package link

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	for f, want := range map[Flags]string{
		0:      "0",
		FlagUp: "up",
		FlagUp | FlagRunning | FlagBroadcast | FlagMulticast:      "up|running|broadcast|multicast",
		FlagUp | FlagRunning | FlagLoopback:                       "up|running|loopback",
		FlagPointToPoint | FlagPromisc | FlagAllMulti | FlagNoARP: "pointtopoint|promisc|allmulti|noarp",
		FlagUp | 1<<15: "up|0x8000",
	} {
		if got := f.String(); got != want {
			t.Errorf("Flags(%#x) = %q, want %q", uint16(f), got, want)
		}
	}
	f := FlagUp | FlagLoopback
	if !f.Has(FlagUp) || f.Has(FlagUp|FlagRunning) || !f.Has(0) {
		t.Errorf("Has(%v) is wrong", f)
	}
}

func TestInterfaceError(t *testing.T) {
	missing := fmt.Errorf("open: %w", &InterfaceError{Name: "eth9", Exist: []string{"lo", "eth0"}, Err: ErrNoInterface})
	if !errors.Is(missing, ErrNoInterface) || !errors.Is(missing, fs.ErrNotExist) || errors.Is(missing, fs.ErrPermission) {
		t.Errorf("errors.Is of %v is wrong", missing)
	}
	denied := &InterfaceError{Err: os.NewSyscallError("socket", fs.ErrPermission)}
	if !errors.Is(denied, fs.ErrPermission) || errors.Is(denied, fs.ErrNotExist) {
		t.Errorf("errors.Is of %v is wrong", denied)
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{missing, `open: link: interface "eth9": no such interface; there are lo, eth0`},
		{&InterfaceError{Index: 7, Exist: []string{"lo"}, Err: ErrNoInterface}, `link: interface 7: no such interface; there are lo`},
		{&InterfaceError{Name: "x", Err: ErrNoInterface}, `link: interface "x": no such interface; there are none`},
		{denied, `link: list interfaces: socket: permission denied`},
		{&InterfaceError{Name: strings.Repeat("y", 1000), Err: ErrNoInterface}, `link: interface "` + strings.Repeat("y", 64) + `": no such interface; there are none`},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("Error() = %q, want %q", got, tc.want)
		}
	}
}

// TestInterfacesHere asks about this host, whatever it is.
func TestInterfacesHere(t *testing.T) {
	all, err := Interfaces()
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), runtime.GOOS) {
			t.Errorf("Interfaces on %s: %v, want one that wraps errors.ErrUnsupported and names the system", runtime.GOOS, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("this host has no interface, not even a loopback")
	}
	for n, i := range all {
		if i.Index <= 0 || i.Name == "" || i.MTU < 0 {
			t.Errorf("%+v: want an index, a name and an MTU", i)
		}
		if n > 0 && all[n-1].Index >= i.Index {
			t.Errorf("index %d comes after %d", i.Index, all[n-1].Index)
		}
		if i.HasMAC != (len(i.HardwareAddr) == MacLen) {
			t.Errorf("%s: HasMAC = %v with a hardware address of %d bytes", i, i.HasMAC, len(i.HardwareAddr))
		}
		for _, p := range i.Addrs {
			if !p.IsValid() || p.Addr().Zone() != "" {
				t.Errorf("%s: address %v", i, p)
			}
		}
		if i.Flags.Has(FlagLoopback | FlagUp) {
			loopback := netip.MustParsePrefix("127.0.0.1/8")
			found := false
			for _, p := range i.Addrs {
				found = found || p == loopback || p.Addr().Is6() && p.Addr().IsLoopback()
			}
			if !found {
				t.Errorf("%s: the loopback has the addresses %v", i, i.Addrs)
			}
		}
		got, err := InterfaceByName(i.Name)
		if err != nil || got.Index != i.Index {
			t.Errorf("InterfaceByName(%q) = %+v, %v", i.Name, got, err)
		}
		if got, err = InterfaceByIndex(i.Index); err != nil || got.Name != i.Name {
			t.Errorf("InterfaceByIndex(%d) = %+v, %v", i.Index, got, err)
		}
	}
	_, err = InterfaceByName("no such name")
	if e, ok := errors.AsType[*InterfaceError](err); !ok || !errors.Is(err, ErrNoInterface) || len(e.Exist) != len(all) {
		t.Errorf("InterfaceByName of none: %v", err)
	}
	for _, index := range []int{0, -1, 1 << 30} {
		if _, err = InterfaceByIndex(index); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("InterfaceByIndex(%d): %v", index, err)
		}
	}
}
