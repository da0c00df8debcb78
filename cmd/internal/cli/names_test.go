package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

// Services and protocols are those that the C library finds, which tcpdump asks.
func TestNamesLikeSystem(t *testing.T) {
	getent, err := exec.LookPath("getent")
	if err != nil {
		t.Skip("getent is not installed")
	}
	ask := func(what string) string {
		out, err := exec.Command(getent, what).Output()
		if err != nil {
			t.Fatalf("getent %s: %v", what, err)
		}
		return string(out)
	}
	ctx := context.Background()
	var r systemResolver
	ports := map[string]map[string]int{"tcp": {}, "udp": {}}
	for line := range strings.Lines(ask("services")) {
		f := strings.Fields(line)
		number, of, _ := strings.Cut(f[1], "/")
		if ports[of] == nil {
			continue
		}
		for _, name := range append(f[2:], f[0]) {
			if _, ok := ports[of][name]; !ok {
				ports[of][name], _ = strconv.Atoi(number)
			}
		}
	}
	checked := 0
	for i, of := range [2]string{"tcp", "udp"} {
		for name, want := range ports[of] {
			if got, err := r.LookupPort(ctx, of, name); err != nil || int(got) != want {
				t.Errorf("%s/%s is %d, %v, want %d", name, of, got, err, want)
			}
			other := [2]string{"udp", "tcp"}[i]
			if _, ok := ports[other][name]; !ok {
				if got, err := r.LookupPort(ctx, other, name); !errors.Is(err, filter.ErrUnknownName) {
					t.Errorf("%s/%s is %d, %v, want none", name, other, got, err)
				}
			}
			checked++
		}
	}
	for line := range strings.Lines(ask("protocols")) {
		f := strings.Fields(line)
		want, _ := strconv.Atoi(f[1])
		if want > 255 {
			continue
		}
		for _, name := range append(f[2:], f[0]) {
			if got, err := r.LookupProtocol(ctx, name); err != nil || int(got) != want {
				t.Errorf("protocol %s is %d, %v, want %d", name, got, err, want)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("%d names, want some", checked)
	}
}

func TestNameFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"networks":  "# name number\nlab 192.168.7\nten 10.0.0.0 campus\nhalf 172.16 # two\nall 0.0.0.0\nbad 300.1\nlong 1.2.3.4.5\n\nonly\n",
		"ethers":    "02:00:00:00:00:fe Gate\n0:1:2:3:4:5\tshort\nnone broken\n",
		"protocols": "mine 253 OURS\nbig 262 BIG\ntcp 6 TCP\n",
		"services":  "mine 4711/tcp ours # a comment\nmine 4712/udp\nssh 2222/tcp\nbad 99999/tcp\nodd 7/ddp\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := systemResolver{dir: dir}
	for _, tt := range []struct{ expr, same string }{
		{"net lab", "net 192.168.7.0/24"},
		{"net ten", "net 10.0.0.0/8"},
		{"net campus", "net 10.0.0.0/8"},
		{"src net half", "src net 172.16.0.0/16"},
		{"net loopback", "net 127.0.0.0/8"}, // built in
		{"ether host gate", "ether host 02:00:00:00:00:fe"},
		{"ether src short", "ether src 00:01:02:03:04:05"},
		{"ip proto mine", "ip proto 253"},
		{"ip proto OURS", "ip proto 253"},
		{"proto gre", "proto 47"}, // built in
		{"port mine", "tcp port 4711"},
		{"port ours", "tcp port 4711"},
		{"port ssh", "tcp port 2222"}, // the file's
		{"port domain", "port 53"},    // built in
		{"portrange ssh-ours", "tcp portrange 2222-4711"},
	} {
		got, err := filter.Compile(tt.expr, filter.Options{Link: link.TypeEthernet, Resolver: r})
		if err != nil {
			t.Errorf("%q: %v", tt.expr, err)
			continue
		}
		want, err := filter.Compile(tt.same, filter.Options{Link: link.TypeEthernet})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Program(), want.Program()) {
			t.Errorf("%q is\n%v\nand %q is\n%v", tt.expr, got.Program(), tt.same, want.Program())
		}
	}
	for _, expr := range []string{"net all", "net bad", "net long", "net only", "ether host broken", "ether host nosuch", "proto big", "port bad", "port odd", "udp port ours", "proto nosuch"} {
		if _, err := filter.Compile(expr, filter.Options{Link: link.TypeEthernet, Resolver: r}); err == nil {
			t.Errorf("%q is accepted", expr)
		}
	}
}

// A gateway is a host of ethers(5) and of hosts(5).
func TestGateway(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ethers"), []byte("02:00:00:00:00:fe localhost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := filter.Compile("ip gateway localhost", filter.Options{Link: link.TypeEthernet, Resolver: systemResolver{dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := filter.Compile("ether host 02:00:00:00:00:fe and ip and not ip host 127.0.0.1", filter.Options{Link: link.TypeEthernet})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Program(), want.Program()) {
		t.Errorf("the program is\n%v\nwant\n%v", got.Program(), want.Program())
	}
}
