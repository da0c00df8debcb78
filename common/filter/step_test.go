package filter

import (
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// A load where metadata is, is of the packet, if that is so long. No test has one
// of 4 GiB; the steps are given smaller offsets.
func TestAskPacket(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6}
	for _, c := range []struct {
		op         uint16
		in, behind uint32 // where the bytes still are, and where not
		want       uint32
	}{
		{classLD | modeAbs | sizeW, 2, 3, 0x03040506},
		{classLD | modeAbs | sizeH, 4, 5, 0x0506},
		{classLD | modeAbs | sizeB, 5, 6, 0x06},
	} {
		s := Program{{Op: c.op, K: ancillary + adInterface}, {Op: classRet | retA}}.translate()[0]
		if s.do != doAsk {
			t.Fatalf("%#x: the step does %d", c.op, s.do)
		}
		s.k = c.in
		if got, ok := ask(&s, 0, 0, b, nil); got != c.want || !ok {
			t.Errorf("%#x: %#x, %t, want %#x", c.op, got, ok, c.want)
		}
		s.k = c.behind
		if got, ok := ask(&s, 0, 0, b, nil); ok {
			t.Errorf("%#x: %#x behind the end, without metadata", c.op, got)
		}
		s.k = ancillary + adInterface
		if got, ok := ask(&s, 0, 0, b, &link.Info{Interface: 7}); got != 7 || !ok {
			t.Errorf("%#x: %d, %t, want the interface", c.op, got, ok)
		}
	}
}

// Programs of one test have no use for the loop of the direct engine.
func TestOnlyTest(t *testing.T) {
	for expr, want := range map[string]bool{"ip": true, "arp": true, "not ip6": true, "ether proto 0x88cc": true, "ether dst 2:0:0:0:0:5": true, "ether multicast": true, "tcp": false, "": false} {
		f, err := Compile(expr, Options{Link: link.TypeEthernet})
		if err != nil {
			t.Fatal(err)
		}
		f.vm.prepare()
		if got := f.vm.only.at.Load() != nowhere; got != want {
			t.Errorf("%q is one test: %t, want %t", expr, got, want)
		}
	}
}
