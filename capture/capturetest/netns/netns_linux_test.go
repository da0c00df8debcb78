package netns_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
)

func TestNamespace(t *testing.T) {
	a, b := netns.New(t), netns.New(t)
	netns.Connect(t, a, "one", b, "two")
	a.AddAddress(t, "one", "192.0.2.1/24")
	b.AddAddress(t, "two", "192.0.2.2/24")
	a.Run(t, "ping", "-c", "1", "-W", "5", "192.0.2.2")
	if _, err := a.TryRun(t, "ping", "-c", "1", "-W", "1", "192.0.2.3"); err == nil {
		t.Error("somebody answered for an address that nobody has")
	}
	if one := a.Interface(t, "one"); one.Name != "one" || !one.HasMAC || !one.Flags.Has(link.FlagUp|link.FlagRunning) || one.MTU != 1500 {
		t.Errorf("interface %+v", one)
	}
	a.SetMTU(t, "one", 600)
	a.SetUp(t, "one", false)
	if one := a.Interface(t, "one"); one.Flags.Has(link.FlagUp) || one.MTU != 600 {
		t.Errorf("interface %+v, want it down and with an MTU of 600", one)
	}
	a.SetUp(t, "one", true)
	a.WaitReady(t, "one")
	b.WaitReady(t, "two")
	a.Run(t, "ping", "-c", "1", "-W", "5", "192.0.2.2")
	a.SetUp(t, "one", false)
	a.Rename(t, "one", "three")
	c := netns.New(t)
	a.Move(t, "three", c)
	if three := c.Interface(t, "three"); three.Flags.Has(link.FlagUp) {
		t.Errorf("interface %+v, want it down", three)
	}
	c.Delete(t, "three")
	if err := b.Do(func() error { _, err := link.InterfaceByName("two"); return err }); !errors.Is(err, link.ErrNoInterface) {
		t.Errorf("the other end after Delete: %v, want ErrNoInterface", err)
	}
}

// TestNoIPv6 wants no address that the kernel made by itself, unless asked for.
func TestNoIPv6(t *testing.T) {
	a, b := netns.New(t), netns.New(t)
	has6 := func(name string) bool {
		for _, p := range a.Interface(t, name).Addrs {
			if p.Addr().Is6() {
				return true
			}
		}
		return false
	}
	netns.Connect(t, a, "one", b, "one")
	if has6("one") {
		t.Error("an IPv6 address in a namespace without IPv6")
	}
	a.EnableIPv6(t)
	netns.Connect(t, a, "two", b, "two")
	for end := time.Now().Add(10 * time.Second); !has6("two"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no IPv6 address after EnableIPv6")
		}
	}
}

// TestSocketStays uses a socket of a namespace from outside.
func TestSocketStays(t *testing.T) {
	ns := netns.New(t)
	var l net.Listener
	if err := ns.Do(func() (err error) {
		l, err = net.Listen("tcp4", "127.0.0.1:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err := net.DialTimeout("tcp4", l.Addr().String(), time.Second); err == nil {
		c.Close()
		t.Error("reached the namespace's loopback interface from outside")
	}
	if err := ns.Do(func() error {
		c, err := net.DialTimeout("tcp4", l.Addr().String(), 10*time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}); err != nil {
		t.Errorf("from inside: %v", err)
	}
}

// TestDoLeavesThread wants the namespace to end with Do.
func TestDoLeavesThread(t *testing.T) {
	ns := netns.New(t)
	read := func() string {
		s, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		return s
	}
	outside := read()
	var inside string
	if err := ns.Do(func() error { inside = read(); return nil }); err != nil {
		t.Fatal(err)
	}
	if inside == outside {
		t.Errorf("Do ran in %s, which is outside", inside)
	}
	for range 50 {
		if got := read(); got != outside {
			t.Fatalf("a thread stayed in %s", got)
		}
		runtime.Gosched()
	}
}

func TestDoGoexit(t *testing.T) {
	ns := netns.New(t)
	err := ns.Do(func() error { runtime.Goexit(); return nil })
	if err == nil || !strings.Contains(err.Error(), "ended its goroutine") {
		t.Errorf("Do = %v, want an error about Goexit", err)
	}
	want := fmt.Errorf("some error")
	if err := ns.Do(func() error { return want }); err != want {
		t.Errorf("Do = %v, want %v", err, want)
	}
}
