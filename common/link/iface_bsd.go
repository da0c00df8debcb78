//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package link

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// interfaces takes names, addresses and MTUs from package net, and the kinds of
// the interfaces from the routing information base, route(4), which it reads
// too.
func interfaces() ([]Interface, error) {
	all, err := netInterfaces()
	if err != nil {
		return nil, err
	}
	rib, err := route.FetchRIB(syscall.AF_UNSPEC, route.RIBTypeInterface, 0)
	if err != nil {
		return nil, os.NewSyscallError("sysctl", err)
	}
	msgs, err := route.ParseRIB(route.RIBTypeInterface, rib)
	if err != nil {
		return nil, err
	}
	messages := make(map[int]*route.InterfaceMessage)
	for _, m := range msgs {
		if m, ok := m.(*route.InterfaceMessage); ok {
			messages[m.Index] = m
		}
	}
	for n := range all {
		i := &all[n]
		m := messages[i.Index]
		if m == nil {
			continue
		}
		if m.Flags&unix.IFF_PROMISC != 0 {
			i.Flags |= FlagPromisc
		}
		if m.Flags&unix.IFF_ALLMULTI != 0 {
			i.Flags |= FlagAllMulti
		}
		for _, s := range m.Sys() {
			if metrics, ok := s.(*route.InterfaceMetrics); ok {
				if t, ok := typeFromIFT(runtime.GOOS, metrics.Type); ok {
					i.Link = t
				}
			}
		}
	}
	return all, nil
}
