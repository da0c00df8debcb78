package cli

import (
	"bufio"
	"context"
	"errors"
	"iter"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

// systemResolver resolves the names in expressions as tcpdump does: by the
// system's files, and by asking name servers for hosts. For services and
// protocols that the files do not have there are the tables of package filter.
type systemResolver struct {
	filter.DefaultResolver
	dir string // of the files, "" for the system's
}

// lines returns the words of each line of one of the files, without comments.
// A file that is not there has no lines.
func (r systemResolver) lines(name string) iter.Seq[[]string] {
	dir := r.dir
	if dir == "" {
		dir = "/etc"
		if runtime.GOOS == "windows" {
			dir = filepath.Join(os.Getenv("SystemRoot"), "System32", "drivers", "etc")
			name = strings.Replace(name, "protocols", "protocol", 1)
		}
	}
	return func(yield func([]string) bool) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			line, _, _ := strings.Cut(s.Text(), "#")
			if words := strings.Fields(line); len(words) >= 2 && !yield(words) {
				return
			}
		}
	}
}

// named reports whether a line of services, protocols or networks is of a name,
// which is the first word or one behind the second.
func named(words []string, name string) bool {
	return words[0] == name || slices.Contains(words[2:], name)
}

// LookupHost asks as every program does.
func (r systemResolver) LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
			return nil, filter.ErrUnknownName
		}
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap().WithZone("")
	}
	return addrs, nil
}

// LookupPort looks into services(5). A service that is there has the ports that
// are there, of TCP, UDP or both.
func (r systemResolver) LookupPort(ctx context.Context, network, service string) (uint16, error) {
	known := false
	for words := range r.lines("services") {
		number, of, _ := strings.Cut(words[1], "/")
		if !named(words, service) || of != "tcp" && of != "udp" {
			continue
		}
		if port, err := strconv.ParseUint(number, 10, 16); err == nil {
			if of == network {
				return uint16(port), nil
			}
			known = true
		}
	}
	if known {
		return 0, filter.ErrUnknownName
	}
	if port, err := r.DefaultResolver.LookupPort(ctx, network, service); err == nil {
		return port, nil
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil || port <= 0 || port > 65535 {
		return 0, filter.ErrUnknownName
	}
	return uint16(port), nil
}

// LookupProtocol looks into protocols(5).
func (r systemResolver) LookupProtocol(ctx context.Context, name string) (uint8, error) {
	for words := range r.lines("protocols") {
		if named(words, name) {
			if n, err := strconv.ParseUint(words[1], 10, 8); err == nil {
				return uint8(n), nil
			}
		}
	}
	return r.DefaultResolver.LookupProtocol(ctx, name)
}

// LookupNetwork looks into networks(5). A network there has no length: it ends
// before the zeros at its end.
func (r systemResolver) LookupNetwork(ctx context.Context, name string) (netip.Prefix, error) {
	for words := range r.lines("networks") {
		if !named(words, name) {
			continue
		}
		var a [4]byte
		n, ok := 0, true
		for i, part := range strings.Split(words[1], ".") {
			v, err := strconv.ParseUint(part, 10, 8)
			if err != nil || i >= len(a) {
				ok = false
				break
			}
			if a[i] = byte(v); v != 0 {
				n = i + 1
			}
		}
		if ok && n > 0 {
			return netip.PrefixFrom(netip.AddrFrom4(a), 8*n), nil
		}
	}
	return r.DefaultResolver.LookupNetwork(ctx, name)
}

// LookupMAC looks into ethers(5).
func (r systemResolver) LookupMAC(_ context.Context, name string) (link.MacAddr, error) {
	for words := range r.lines("ethers") {
		if strings.EqualFold(words[1], name) {
			if a, err := link.ParseMac(words[0]); err == nil {
				return a, nil
			}
		}
	}
	return link.MacAddr{}, filter.ErrUnknownName
}
