package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// NS is a network namespace. It exists until the end of the test it was made
// for, and no longer than the process.
type NS struct {
	file *os.File
	rtnl *sys.Rtnl
}

// New makes a namespace. It skips the test, or fails it, as [Skip] does, where
// the privilege is missing.
func New(tb testing.TB) *NS {
	tb.Helper()
	ns := new(NS)
	err := locked(func() error {
		var err error
		if ns.file, err = sys.NewNetNS(); err != nil {
			return err
		}
		if ns.rtnl, err = sys.OpenRtnl(); err != nil {
			return err
		}
		// /proc/sys/net is that of the calling thread. The kernel may have been
		// built without IPv6.
		for _, conf := range []string{"default", "all"} {
			err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/disable_ipv6", []byte("1"), 0)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return ns.setUp("lo", true)
	})
	tb.Cleanup(func() {
		if ns.rtnl != nil {
			ns.rtnl.Close()
		}
		if ns.file != nil {
			ns.file.Close()
		}
	})
	switch {
	case errors.Is(err, os.ErrPermission):
		Skip(tb, "network namespaces need root: %v", err)
	case err != nil:
		tb.Fatalf("netns: new namespace: %v", err)
	}
	return ns
}

// locked runs f on a thread of its own, which ends with it.
func locked(f func() error) error {
	done := make(chan error, 1)
	go func() {
		finished := false
		defer func() {
			if !finished {
				done <- errors.New("netns: the function ended its goroutine, with t.FailNow perhaps: use t.Error and return")
			}
		}()
		// Never unlocked: the thread is not fit for other goroutines.
		runtime.LockOSThread()
		err := f()
		finished = true
		done <- err
	}()
	return <-done
}

// Do runs f inside the namespace and returns its error. f runs on a goroutine
// of its own: it must not call FailNow, Fatal or Skip of a test, nor leave the
// opening of sockets to goroutines that it starts.
func (ns *NS) Do(f func() error) error {
	return locked(func() error {
		if err := sys.EnterNetNS(ns.file); err != nil {
			return err
		}
		return f()
	})
}

// Start starts cmd inside the namespace.
func (ns *NS) Start(cmd *exec.Cmd) error { return ns.Do(cmd.Start) }

// Run runs a program inside the namespace, until the end of the test at most,
// and returns what it wrote to its standard output and error. The test is
// skipped as by [Skip] when the program is not installed, and fails when the
// program does.
func (ns *NS) Run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := ns.TryRun(tb, name, args...)
	if err != nil {
		tb.Fatalf("netns: %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// TryRun is Run for a program that may fail.
func (ns *NS) TryRun(tb testing.TB, name string, args ...string) (string, error) {
	tb.Helper()
	path := Look(tb, name)
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	var out strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.Start(cmd); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}

// Look returns the path of a program, and skips the test as by [Skip] when it
// is not installed. It looks in /usr/sbin and /sbin, too.
func Look(tb testing.TB, name string) string {
	tb.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	Skip(tb, "%s is not installed", name)
	return ""
}

// EnableIPv6 switches IPv6 on for interfaces that are made from now on, and
// for those that are there.
func (ns *NS) EnableIPv6(tb testing.TB) {
	tb.Helper()
	err := ns.Do(func() error {
		for _, conf := range []string{"default", "all"} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/disable_ipv6", []byte("0"), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("netns: enable IPv6: %v", err)
	}
}

// Connect makes an Ethernet cable: interface nameA in a and nameB in b, up and
// ready to carry frames when it returns. a and b may be the same.
func Connect(tb testing.TB, a *NS, nameA string, b *NS, nameB string) {
	tb.Helper()
	if err := connect(a, nameA, b, nameB); err != nil {
		tb.Fatalf("netns: connect %s and %s: %v", nameA, nameB, err)
	}
}

func connect(a *NS, nameA string, b *NS, nameB string) error {
	if err := a.rtnl.AddVeth(nameA, nameB, int(b.file.Fd())); err != nil {
		return err
	}
	if err := a.setUp(nameA, true); err != nil {
		return err
	}
	if err := b.setUp(nameB, true); err != nil {
		return err
	}
	// The first end was up before it had a carrier, and keeps a queueing
	// discipline that drops everything, without an error, until the kernel
	// has noticed the carrier.
	if err := a.waitReady(nameA); err != nil {
		return err
	}
	return b.waitReady(nameB)
}

// operUp is IF_OPER_UP of linux/if.h, RFC 2863.
const operUp = 6

func (ns *NS) waitReady(name string) error {
	for end := time.Now().Add(10 * time.Second); ; {
		l, err := ns.rtnl.LinkByName(name)
		if err != nil {
			return err
		}
		if l.OperState == operUp && l.Qdisc != "noop" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s has operational state %d and qdisc %q after ten seconds", name, l.OperState, l.Qdisc)
		}
		time.Sleep(time.Millisecond)
	}
}

// Tun makes a TUN interface, which is up, and returns its other end: packets
// that are written there arrive at the interface, and what the host sends is
// read from there. hardware is the type that the interface says it is of,
// ARPHRD_ of linux/if_arp.h: 65534 is what a TUN interface usually is. The test
// is skipped as by [Skip] where the kernel has no such interfaces.
func (ns *NS) Tun(tb testing.TB, name string, hardware int) *os.File {
	tb.Helper()
	var f *os.File
	err := ns.Do(func() (err error) {
		f, err = sys.OpenTun(name, hardware)
		return err
	})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		Skip(tb, "no TUN interfaces: %v", err)
	}
	if err != nil {
		tb.Fatalf("netns: make TUN interface %s: %v", name, err)
	}
	tb.Cleanup(func() { f.Close() })
	ns.SetUp(tb, name, true)
	return f
}

// AddAddress gives an interface an address with the length of its network, as
// in "192.0.2.1/24".
func (ns *NS) AddAddress(tb testing.TB, name, prefix string) {
	tb.Helper()
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		tb.Fatalf("netns: %v", err)
	}
	if err := ns.link(name, func(index int) error { return ns.rtnl.AddAddress(index, p) }); err != nil {
		tb.Fatalf("netns: add address %s to %s: %v", prefix, name, err)
	}
}

// SetUp takes an interface up or down. See [NS.WaitReady].
func (ns *NS) SetUp(tb testing.TB, name string, up bool) {
	tb.Helper()
	if err := ns.setUp(name, up); err != nil {
		tb.Fatalf("netns: set %s up=%t: %v", name, up, err)
	}
}

// WaitReady waits until an Ethernet cable carries frames, which takes a moment
// after one of its ends went up again.
func (ns *NS) WaitReady(tb testing.TB, name string) {
	tb.Helper()
	if err := ns.waitReady(name); err != nil {
		tb.Fatalf("netns: %v", err)
	}
}

// SetMTU sets the MTU of an interface in bytes.
func (ns *NS) SetMTU(tb testing.TB, name string, mtu int) {
	tb.Helper()
	if err := ns.link(name, func(index int) error { return ns.rtnl.SetMTU(index, mtu) }); err != nil {
		tb.Fatalf("netns: set MTU of %s to %d: %v", name, mtu, err)
	}
}

// Rename gives an interface another name.
func (ns *NS) Rename(tb testing.TB, name, to string) {
	tb.Helper()
	if err := ns.link(name, func(index int) error { return ns.rtnl.SetName(index, to) }); err != nil {
		tb.Fatalf("netns: rename %s to %s: %v", name, to, err)
	}
}

// Move moves an interface into another namespace, where it is down.
func (ns *NS) Move(tb testing.TB, name string, to *NS) {
	tb.Helper()
	if err := ns.link(name, func(index int) error { return ns.rtnl.SetNS(index, int(to.file.Fd())) }); err != nil {
		tb.Fatalf("netns: move %s: %v", name, err)
	}
}

// Delete removes an interface, and with one end of a cable the other.
func (ns *NS) Delete(tb testing.TB, name string) {
	tb.Helper()
	if err := ns.link(name, func(index int) error { return ns.rtnl.DeleteLink(index) }); err != nil {
		tb.Fatalf("netns: delete %s: %v", name, err)
	}
}

// Interface returns what the namespace knows of one of its interfaces.
func (ns *NS) Interface(tb testing.TB, name string) link.Interface {
	tb.Helper()
	var ifi link.Interface
	if err := ns.Do(func() (err error) {
		ifi, err = link.InterfaceByName(name)
		return err
	}); err != nil {
		tb.Fatalf("netns: %v", err)
	}
	return ifi
}

func (ns *NS) setUp(name string, up bool) error {
	return ns.link(name, func(index int) error { return ns.rtnl.SetUp(index, up) })
}

// link looks an interface up and calls f with its index.
func (ns *NS) link(name string, f func(index int) error) error {
	l, err := ns.rtnl.LinkByName(name)
	if errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("no interface %s in the namespace: %w", name, err)
	}
	if err != nil {
		return err
	}
	return f(l.Index)
}
