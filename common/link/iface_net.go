//go:build !linux && !js && !wasip1

package link

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
)

// netInterfaces returns what package net knows of the interfaces, with the link
// types that the hardware addresses suggest.
func netInterfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	all := make([]Interface, 0, len(list))
	for _, n := range list {
		i := Interface{Index: n.Index, Name: n.Name, MTU: max(n.MTU, 0), Flags: flagsFromNet(n.Flags), Link: TypeNull}
		i.setHardwareAddr(n.HardwareAddr)
		if i.HasMAC {
			i.Link = TypeEthernet
		}
		// An interface that went away meanwhile has no addresses.
		addrs, err := n.Addrs()
		if err != nil {
			addrs = nil
		}
		for _, a := range addrs {
			if ipnet, ok := a.(*net.IPNet); ok {
				if p, ok := prefixFromNet(ipnet); ok {
					i.Addrs = append(i.Addrs, p)
				}
			}
		}
		all = append(all, i)
	}
	slices.SortStableFunc(all, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	return all, nil
}

func prefixFromNet(n *net.IPNet) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(n.IP)
	ones, size := n.Mask.Size()
	if !ok || size == 0 {
		return netip.Prefix{}, false
	}
	// Package net may give an IPv4 address in 16 bytes with a mask of 4.
	if a = a.Unmap(); a.Is4() && size == 128 {
		ones -= 96
	}
	p := netip.PrefixFrom(a, ones)
	return p, p.IsValid()
}

func flagsFromNet(n net.Flags) Flags {
	var f Flags
	for _, m := range [...]struct {
		n net.Flags
		f Flags
	}{
		{net.FlagUp, FlagUp},
		{net.FlagRunning, FlagRunning},
		{net.FlagBroadcast, FlagBroadcast},
		{net.FlagMulticast, FlagMulticast},
		{net.FlagLoopback, FlagLoopback},
		{net.FlagPointToPoint, FlagPointToPoint},
	} {
		if n&m.n != 0 {
			f |= m.f
		}
	}
	return f
}
