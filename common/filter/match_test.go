package filter_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

func compile(t testing.TB, expr string, o filter.Options) *filter.Filter {
	t.Helper()
	f, err := filter.Compile(expr, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMatch(t *testing.T) {
	arp := link.Frame{Data: make([]byte, 60), Info: link.Info{WireLen: 60, Link: link.TypeEthernet, Direction: link.DirectionOut}}
	arp.Data[12], arp.Data[13] = 8, 6
	for _, c := range []struct {
		expr string
		o    filter.Options
		want bool
	}{
		{"", filter.Options{Link: link.TypeEthernet}, true},
		{"arp", filter.Options{Link: link.TypeEthernet}, true},
		{"ip", filter.Options{Link: link.TypeEthernet}, false},
		{"less 60", filter.Options{Link: link.TypeEthernet}, true},
		{"greater 61", filter.Options{Link: link.TypeEthernet}, false},
		{"outbound", filter.Options{Link: link.TypeEthernet, Target: filter.TargetLinux}, true},
		{"inbound", filter.Options{Link: link.TypeEthernet, Target: filter.TargetLinux}, false},
	} {
		f := compile(t, c.expr, c.o)
		if got := f.MatchFrame(&arp); got != c.want {
			t.Errorf("%q: MatchFrame = %t, want %t", c.expr, got, c.want)
		}
		if got := f.Match(arp.Data, arp.WireLen, &arp.Info); got != c.want {
			t.Errorf("%q: Match = %t, want %t", c.expr, got, c.want)
		}
		other := arp
		other.Link = link.TypePPP
		if f.MatchFrame(&other) {
			t.Errorf("%q: matches a frame of another link type", c.expr)
		}
	}
	if new(filter.Filter).Match(arp.Data, 60, nil) || new(filter.VM).Run(arp.Data, 60) != 0 {
		t.Error("the zero value accepts")
	}
	f := compile(t, "arp and greater 10", filter.Options{Link: link.TypeEthernet})
	if n := testing.AllocsPerRun(100, func() { f.MatchFrame(&arp) }); n != 0 {
		t.Errorf("MatchFrame allocates %v times, want 0", n)
	}
	// What a caller has on its stack stays there.
	var vm filter.VM
	if n := testing.AllocsPerRun(100, func() {
		var data [64]byte
		frame := arp
		frame.Data = data[:]
		if f.MatchFrame(&frame) || f.Match(data[:], 64, &frame.Info) || vm.RunFrame(&frame)+vm.Run(data[:], 64)+vm.RunInfo(data[:], 64, &frame.Info) != 0 {
			t.Error("zeros match")
		}
	}); n != 0 {
		t.Errorf("a frame on the stack is allocated: %v times", n)
	}
}

// The engine is prepared for the first packet, which may come to several
// goroutines at once.
func TestMatchAtOnce(t *testing.T) {
	packet := make([]byte, 60)
	packet[12], packet[14], packet[17], packet[23], packet[37], packet[46] = 8, 0x45, 46, 6, 80, 0x50
	exprs := [...]string{"ip", "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)"}
	for i := range 40 {
		expr := exprs[i%len(exprs)]
		f := compile(t, expr, filter.Options{Link: link.TypeEthernet})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 3 {
					if !f.Match(packet, 60, nil) {
						t.Errorf("%q does not match", expr)
					}
				}
			})
		}
		all.Wait()
	}
}

// mixed.pcapng has frames of more than one link type.
func TestPerLink(t *testing.T) {
	count := func(expr string) (n int, links map[link.Type]int) {
		t.Helper()
		file, err := pcap.Open("../pcap/testdata/mixed.pcapng")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		p, err := filter.NewPerLink(expr, filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		links = make(map[link.Type]int)
		for frame, err := range p.Frames(t.Context(), file.Frames()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			links[frame.Link]++
		}
		return n, links
	}
	all, links := count("")
	if len(links) < 2 {
		t.Fatalf("the file has frames of %v", links)
	}
	yes, _ := count("greater 100")
	no, _ := count("not greater 100")
	if yes+no != all || yes == 0 || no == 0 {
		t.Errorf("%d and %d of %d frames", yes, no, all)
	}
}

func TestPerLinkErrors(t *testing.T) {
	if p, err := filter.NewPerLink("ip or", filter.Options{}); p != nil || !errors.Is(err, filter.ErrSyntax) {
		t.Errorf("%v, %v", p, err)
	}
	p, err := filter.NewPerLink("wlan type mgt", filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Match(t.Context(), &link.Frame{Info: link.Info{Link: link.TypeEthernet}}); ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
	frames := func(yield func(link.Frame, error) bool) {
		_ = yield(link.Frame{}, pcap.ErrMalformed) && yield(link.Frame{Info: link.Info{Link: link.TypeEthernet}}, nil) && yield(link.Frame{}, nil)
	}
	var errs []error
	for _, err := range p.Frames(t.Context(), frames) {
		errs = append(errs, err)
	}
	if len(errs) != 2 || errs[0] != pcap.ErrMalformed || errs[1] == nil {
		t.Errorf("%v", errs)
	}
}

func ExampleFilter_Match() {
	f, err := filter.Compile("arp and less 100", filter.Options{Link: link.TypeEthernet})
	if err != nil {
		fmt.Println(err)
		return
	}
	packet := make([]byte, 60)
	packet[12], packet[13] = 0x08, 0x06
	fmt.Println(f.Match(packet, 60, nil), f.Match(packet, 1500, nil))
	// Output: true false
}

func ExamplePerLink() {
	file, err := pcap.Open("../pcap/testdata/ntp.pcap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	ntp, err := filter.NewPerLink("udp port 123", filter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for _, err := range ntp.Frames(context.Background(), file.Frames()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n++
	}
	fmt.Println(n)
	// Output: 6
}
