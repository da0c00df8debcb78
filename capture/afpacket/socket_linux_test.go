package afpacket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
)

func TestL2(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := open(t, p.b, afpacket.KindL2, nil)
	send(t, a, p.frame(0)) // nobody is bound yet
	if err := b.Bind("veth0", testType); err != nil {
		t.Fatal(err)
	}
	other := ether(p.bMAC, p.aMAC, 0x88b6, nil)
	before := time.Now()
	send(t, a, other, p.frame(1), ether(link.BroadcastMac(), p.aMAC, testType, nil),
		ether(link.MacAddr{1, 2, 3, 4, 5, 6}, p.aMAC, testType, nil),
		ether(link.MacAddr{2, 2, 3, 4, 5, 6}, p.aMAC, testType, nil))
	index := p.b.Interface(t, "veth0").Index
	for i, want := range []link.Direction{link.DirectionIn, link.DirectionBroadcast, link.DirectionMulticast, link.DirectionOther} {
		m := recv(t, b)
		if i == 0 && !bytes.Equal(m.Data, p.frame(1)) {
			t.Errorf("received % x, want % x", m.Data, p.frame(1))
		}
		if m.Direction != want {
			t.Errorf("frame %d has direction %v, want %v", i, m.Direction, want)
		}
		wantAddr := afpacket.Addr{Interface: index, EtherType: testType, ARPType: 1, Hardware: afpacket.HardwareAddrFromMAC(p.aMAC)}
		if m.Addr != wantAddr {
			t.Errorf("frame %d is from %+v, want %+v", i, m.Addr, wantAddr)
		}
		if m.WireLen != 60 || m.Interface != index || m.Link != link.TypeEthernet || m.Flags != 0 || m.TimeSource != link.TimeSoftware {
			t.Errorf("frame %d: %+v", i, m.Info)
		}
		if m.Time.Before(before.Add(-time.Second)) || m.Time.After(time.Now().Add(time.Second)) {
			t.Errorf("frame %d has the time %v, sent at %v", i, m.Time, before)
		}
	}
	if more := rest(t, 0, b); len(more) != 0 {
		t.Errorf("%d more frames", len(more))
	}
	got, err := b.LocalAddr()
	want := afpacket.Addr{Interface: index, EtherType: testType, ARPType: 1, Hardware: afpacket.HardwareAddrFromMAC(p.bMAC)}
	if err != nil || got != want {
		t.Errorf("LocalAddr = %+v, %v, want %+v", got, err, want)
	}
	if st, err := b.Stats(); err != nil || st != (capture.Stats{Received: 4}) {
		t.Errorf("Stats = %+v, %v, want 4 received", st, err)
	}
}

// TestAnyInterface receives from, and sends to, interfaces that the socket is
// not bound to.
func TestAnyInterface(t *testing.T) {
	p := newPair(t)
	s := bind(t, p.a, afpacket.KindL2, nil, "", afpacket.EtherTypeAll)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	veth, lo := p.a.Interface(t, "veth0").Index, p.a.Interface(t, "lo").Index

	if err := s.SendTo(p.frame(7), afpacket.Addr{Interface: veth}); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, b); number(&m) != 7 {
		t.Errorf("b received % x", m.Data)
	}
	wantErr(t, "Send without an interface", s.Send(p.frame(1)), syscall.ENXIO)
	wantErr(t, "SendTo nowhere", s.SendTo(p.frame(1), afpacket.Addr{EtherType: testType}), capture.ErrConfig)
	wantErr(t, "SendTo the zero address", s.SendTo(p.frame(1), afpacket.Addr{}), capture.ErrConfig)

	send(t, b, ether(p.aMAC, p.bMAC, testType, nil))
	l := bind(t, p.a, afpacket.KindL2, nil, "lo", afpacket.EtherTypeNone)
	send(t, l, ether(link.MacAddr{}, link.MacAddr{}, testType, nil))
	seen := map[int]int{}
	for range 3 { // one from the cable, one that lo sends and receives
		m := recv(t, s)
		seen[m.Interface]++
	}
	if seen[veth] != 1 || seen[lo] != 2 {
		t.Errorf("frames by interface: %v, want 1 of %d and 2 of %d", seen, veth, lo)
	}
	if a, err := s.LocalAddr(); err != nil || a.Interface != 0 || a.EtherType != afpacket.EtherTypeAll {
		t.Errorf("LocalAddr = %+v, %v", a, err)
	}
}

func TestL3(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL3, nil, "veth0", afpacket.EtherTypeIPv6)
	raw := bind(t, p.b, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeAll)
	b := bind(t, p.b, afpacket.KindL3, nil, "veth0", afpacket.EtherTypeAll)

	to := afpacket.Addr{EtherType: afpacket.EtherTypeIPv4, Hardware: afpacket.HardwareAddrFromMAC(p.bMAC)}
	packet := ipv4(addrA, addrB, 253, []byte("hello, who is there? a long enough packet"))
	if err := a.SendTo(packet, to); err != nil {
		t.Fatal(err)
	}
	// The kernel made the header; another kind of socket shows it.
	if m := recv(t, raw); !bytes.Equal(m.Data, ether(p.bMAC, p.aMAC, afpacket.EtherTypeIPv4, packet)) {
		t.Errorf("on the wire: % x", m.Data)
	}
	m := recv(t, b)
	if !bytes.Equal(m.Data, packet) || m.WireLen != len(packet) || m.Link != link.TypeRaw {
		t.Errorf("received % x, %+v, want % x", m.Data, m.Info, packet)
	}
	if m.Addr.EtherType != afpacket.EtherTypeIPv4 || m.Addr.Hardware != afpacket.HardwareAddrFromMAC(p.aMAC) {
		t.Errorf("from %+v", m.Addr)
	}
	// The EtherType that the socket is bound to.
	if err := a.SendTo([]byte("six"), afpacket.Addr{Hardware: to.Hardware}); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, b); m.Addr.EtherType != afpacket.EtherTypeIPv6 || string(m.Data) != "six" {
		t.Errorf("received %q from %+v", m.Data, m.Addr)
	}
	if err := a.SendTo([]byte("?"), afpacket.Addr{EtherType: testType, Hardware: to.Hardware}); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, b); m.Link != link.TypeUser0 {
		t.Errorf("a packet of EtherType %v has the link type %v", testType, m.Link)
	}
	wantErr(t, "Send without an address", a.Send(packet), syscall.EINVAL)
	wantErr(t, "all as the EtherType", b.SendTo(packet, afpacket.Addr{Hardware: to.Hardware}), capture.ErrConfig)
	wantErr(t, "an IP address", a.SendTo(packet, afpacket.Addr{IP: addrB}), capture.ErrConfig)
}

func TestIPv4(t *testing.T) {
	p := newPair(t).withIP(t)
	const proto = 253 // RFC 3692
	a := open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: proto})
	b := open(t, p.b, afpacket.KindIPv4, &afpacket.Config{Protocol: proto})
	wire := bind(t, p.b, afpacket.KindL3, nil, "veth0", afpacket.EtherTypeIPv4)

	payload := []byte("payload of an experiment")
	if err := a.SendTo(payload, afpacket.Addr{IP: addrB}); err != nil {
		t.Fatal(err)
	}
	m, w := recv(t, b), recv(t, wire)
	if !bytes.Equal(m.Data, w.Data) || !bytes.Equal(m.Data[20:], payload) {
		t.Errorf("received % x, on the wire % x", m.Data, w.Data)
	}
	if m.Addr != (afpacket.Addr{IP: addrA, Interface: p.b.Interface(t, "veth0").Index}) || m.Link != link.TypeRaw || m.Time.IsZero() || m.WireLen != len(m.Data) {
		t.Errorf("received %+v", m)
	}

	// With a header of our own.
	h := open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: proto, HeaderIncluded: true})
	own := ipv4(netip.MustParseAddr("198.51.100.9"), addrB, proto, payload)
	if err := h.SendTo(own, afpacket.Addr{IP: addrB}); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, b); !bytes.Equal(m.Data, own) || m.Addr.IP != netip.MustParseAddr("198.51.100.9") {
		t.Errorf("received % x from %v, want % x", m.Data, m.Addr, own)
	}
	// A socket that only sends.
	r := open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 255})
	if err := r.SendTo(own, afpacket.Addr{IP: addrB}); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, b); !bytes.Equal(m.Data, own) {
		t.Errorf("received % x, want % x", m.Data, own)
	}

	// Bound to an address, and to an interface.
	other := netip.MustParseAddr("192.0.2.22")
	p.b.AddAddress(t, "veth0", other.String()+"/24")
	for _, c := range []struct {
		name string
		do   func(s *afpacket.Socket) error
		want int
	}{
		{"not bound", func(*afpacket.Socket) error { return nil }, 2},
		{"bound to an address", func(s *afpacket.Socket) error { return s.BindIP(other) }, 1},
		{"bound to the interface", func(s *afpacket.Socket) error { return s.Bind("veth0", afpacket.EtherTypeNone) }, 2},
		{"bound to another interface", func(s *afpacket.Socket) error { return s.Bind("lo", afpacket.EtherTypeNone) }, 0},
	} {
		s := open(t, p.b, afpacket.KindIPv4, &afpacket.Config{Protocol: proto})
		if err := c.do(s); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, to := range []netip.Addr{addrB, other} {
			if err := a.SendTo(payload, afpacket.Addr{IP: to}); err != nil {
				t.Fatal(err)
			}
		}
		if got := rest(t, c.want, s); len(got) != c.want {
			t.Errorf("%s: %d packets, want %d", c.name, len(got), c.want)
		}
	}
	if a, err := b.LocalAddr(); err != nil || a.IP != netip.IPv4Unspecified() {
		t.Errorf("LocalAddr = %v, %v", a, err)
	}
	wantErr(t, "an address that is not ours", b.BindIP(netip.MustParseAddr("203.0.113.1")), syscall.EADDRNOTAVAIL)
	wantErr(t, "an IPv6 address", a.SendTo(payload, afpacket.Addr{IP: netip.IPv6Loopback()}), capture.ErrConfig)
	wantErr(t, "a link address", a.SendTo(payload, afpacket.Addr{Interface: 1}), capture.ErrConfig)
	wantErr(t, "no address", a.Send(payload), syscall.EDESTADDRREQ)
	wantErr(t, "an EtherType", open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 1}).Bind("veth0", testType), capture.ErrConfig)
}

func TestIPv6(t *testing.T) {
	p := &pair{a: netns.New(t), b: netns.New(t)}
	p.a.EnableIPv6(t)
	p.b.EnableIPv6(t)
	netns.Connect(t, p.a, "veth0", p.b, "veth0")
	a6, b6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	p.a.AddAddress(t, "veth0", a6.String()+"/64")
	p.b.AddAddress(t, "veth0", b6.String()+"/64")

	const proto = 253
	a := open(t, p.a, afpacket.KindIPv6, &afpacket.Config{Protocol: proto})
	b := open(t, p.b, afpacket.KindIPv6, &afpacket.Config{Protocol: proto})
	payload := []byte("payload of an experiment")
	index := p.b.Interface(t, "veth0").Index
	if err := a.SendTo(payload, afpacket.Addr{IP: b6}); err != nil {
		t.Fatal(err)
	}
	m := recv(t, b)
	if !bytes.Equal(m.Data, payload) || m.Addr != (afpacket.Addr{IP: a6, Interface: index}) || m.Link != link.TypeUser0 {
		t.Errorf("received %q from %+v, %v", m.Data, m.Addr, m.Link)
	}

	// A link-local address needs to know where.
	ll := link.MacAddr{2, 0, 0, 0, 0, 0x77}.LinkLocal()
	p.b.AddAddress(t, "veth0", ll.String()+"/64")
	p.a.AddAddress(t, "veth0", link.MacAddr{2, 0, 0, 0, 0, 0x76}.LinkLocal().String()+"/64")
	for _, zone := range []string{"veth0", fmt.Sprint(p.a.Interface(t, "veth0").Index)} {
		if err := a.SendTo(payload, afpacket.Addr{IP: ll.WithZone(zone)}); err != nil {
			t.Fatal(err)
		}
		m := recv(t, b)
		if !m.Addr.IP.IsLinkLocalUnicast() || m.Addr.IP.Zone() != fmt.Sprint(index) || m.Interface != index {
			t.Errorf("zone %s: from %+v on %d", zone, m.Addr, m.Interface)
		}
		// And back to where it came from.
		if err := b.SendTo([]byte("pong"), m.Addr); err != nil {
			t.Fatal(err)
		}
		if m := recv(t, a); string(m.Data) != "pong" {
			t.Errorf("answer is %q", m.Data)
		}
	}
	wantErr(t, "an unknown zone", a.SendTo(payload, afpacket.Addr{IP: ll.WithZone("nope0")}), capture.ErrNoInterface)

	// With a header of our own: version 6, next header 253, hop limit 9.
	h := open(t, p.a, afpacket.KindIPv6, &afpacket.Config{Protocol: proto, HeaderIncluded: true})
	from := netip.MustParseAddr("2001:db8::99")
	own := []byte{0x60, 0, 0, 0, 0, byte(len(payload)), proto, 9}
	own = append(append(own, from.AsSlice()...), b6.AsSlice()...)
	if err := h.SendTo(append(own, payload...), afpacket.Addr{IP: b6}); err != nil {
		t.Fatal(err)
	}
	if m := recv(t, b); m.Addr.IP != from || !bytes.Equal(m.Data, payload) {
		t.Errorf("received %q from %v", m.Data, m.Addr)
	}
	// Its error queue.
	ts := open(t, p.a, afpacket.KindIPv6, &afpacket.Config{Protocol: proto, TxStamps: afpacket.TxSoftware})
	for i := range uint32(3) {
		if err := ts.SendTo(payload, afpacket.Addr{IP: b6}); err != nil {
			t.Fatal(err)
		}
		if got, err := ts.TxTimestamp(); err != nil || got.ID != i || got.Stage != afpacket.TxSoftware || got.Time.IsZero() {
			t.Errorf("TxTimestamp = %+v, %v, want frame %d", got, err, i)
		}
	}
	s := open(t, p.b, afpacket.KindIPv6, &afpacket.Config{Protocol: proto})
	if err := s.BindIP(ll.WithZone("veth0")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LocalAddr(); err != nil || got.IP != ll.WithZone(fmt.Sprint(index)) {
		t.Errorf("LocalAddr = %v, %v", got, err)
	}
}

// TestBatch sends and receives more messages than fit one system call.
func TestBatch(t *testing.T) {
	p := newPair(t)
	const n = 3000
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, &afpacket.Config{ReadBuffer: 16 << 20}, "veth0", testType)
	out := make([]afpacket.Message, n)
	for i := range out {
		out[i].Data = p.frame(i)
	}
	if sent, err := a.SendBatch(out); sent != n || err != nil {
		t.Fatalf("SendBatch = %d, %v, want %d", sent, err, n)
	}
	in := messages(2*n, 128)
	got, calls := 0, 0
	for got < n {
		k, err := b.RecvBatch(in[got:])
		if err != nil {
			t.Fatal(err)
		}
		for i := range in[got:][:k] {
			if m := &in[got+i]; number(m) != got+i || m.WireLen != 60 || len(m.Data) != 60 || m.Addr.EtherType != testType {
				t.Fatalf("message %d: % x, %+v", got+i, m.Data, m)
			}
		}
		got += k
		calls++
	}
	if got != n || calls > 10 {
		t.Errorf("received %d messages in %d calls, want %d in a few", got, calls, n)
	}

	// An error says how far it came.
	for bad, want := range map[int]error{2: capture.ErrFrameSize, 0: capture.ErrFrameSize} {
		ms := []afpacket.Message{{Frame: link.Frame{Data: p.frame(0)}}, {Frame: link.Frame{Data: p.frame(1)}}, {Frame: link.Frame{Data: p.frame(2)}}}
		ms[bad].Data = make([]byte, 2000)
		sent, err := a.SendBatch(ms)
		if sent != bad {
			t.Errorf("SendBatch with message %d too long sent %d", bad, sent)
		}
		wantErr(t, "SendBatch", err, want, syscall.EMSGSIZE)
		if k := len(rest(t, bad, b)); k != bad {
			t.Errorf("received %d, want %d", k, bad)
		}
	}
	ms := []afpacket.Message{{Frame: link.Frame{Data: p.frame(0)}}, {Frame: link.Frame{Data: p.frame(1)}, Addr: afpacket.Addr{IP: addrA}}}
	if sent, err := a.SendBatch(ms); sent != 1 || !errors.Is(err, capture.ErrConfig) {
		t.Errorf("SendBatch with an IP address = %d, %v, want 1 and a broken rule", sent, err)
	}
	if n, err := a.SendBatch(nil); n != 0 || err != nil {
		t.Errorf("SendBatch(nil) = %d, %v", n, err)
	}
	if n, err := a.RecvBatch(nil); n != 0 || err != nil {
		t.Errorf("RecvBatch(nil) = %d, %v", n, err)
	}
	wantErr(t, "a runt", a.Send(make([]byte, 5)), capture.ErrFrameSize)
}

// TestBatchTo sends a batch of packets to one address each.
func TestBatchTo(t *testing.T) {
	p := newPair(t).withIP(t)
	a := open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 253})
	b := open(t, p.b, afpacket.KindIPv4, &afpacket.Config{Protocol: 253})
	other := netip.MustParseAddr("192.0.2.22")
	p.b.AddAddress(t, "veth0", other.String()+"/24")
	p.a.Run(t, "ip", "neigh", "add", other.String(), "lladdr", p.bMAC.String(), "dev", "veth0")
	out := []afpacket.Message{
		{Frame: link.Frame{Data: []byte("one")}, Addr: afpacket.Addr{IP: addrB}},
		{Frame: link.Frame{Data: []byte("two")}, Addr: afpacket.Addr{IP: other}},
	}
	if n, err := a.SendBatch(out); n != 2 || err != nil {
		t.Fatalf("SendBatch = %d, %v", n, err)
	}
	for i, want := range []string{"\xc0\x00\x02\x02one", "\xc0\x00\x02\x16two"} {
		if m := recv(t, b); string(m.Data[16:]) != want {
			t.Errorf("packet %d ends with %q, want %q", i, m.Data[16:], want)
		}
	}
}

func TestTruncated(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	long := ether(p.bMAC, p.aMAC, testType, bytes.Repeat([]byte{0xa5}, 500))
	send(t, a, long, long)
	m, err := b.Recv(make([]byte, 100))
	if err != nil || !bytes.Equal(m.Data, long[:100]) || m.WireLen != 514 || !m.Truncated() {
		t.Errorf("Recv = %d bytes of %d, %v, want 100 of 514", len(m.Data), m.WireLen, err)
	}
	if m, err := b.Recv(nil); err != nil || len(m.Data) != 0 || m.WireLen != 514 {
		t.Errorf("Recv(nil) = %d bytes of %d, %v", len(m.Data), m.WireLen, err)
	}
	if st, err := b.Stats(); err != nil || st.Truncated != 2 || st.Received != 2 {
		t.Errorf("Stats = %+v, %v, want 2 truncated", st, err)
	}
}

func TestDeadline(t *testing.T) {
	ns := netns.New(t)
	s := bind(t, ns, afpacket.KindL2, nil, "lo", testType)
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recv(nil)
	wantErr(t, "Recv", err, os.ErrDeadlineExceeded)
	if op, ok := errors.AsType[*capture.OpError](err); !ok || !op.Timeout() || op.Interface != "lo" || op.Op != "read" {
		t.Errorf("the error is %#v", err)
	}
	_, err = s.RecvBatch(messages(2, 100))
	wantErr(t, "RecvBatch", err, os.ErrDeadlineExceeded)
	if err := s.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	// A context wakes somebody who waits, and somebody who waits for him.
	ctx, cancel := context.WithCancel(t.Context())
	defer context.AfterFunc(ctx, func() { s.SetReadDeadline(time.Unix(1, 0)) })()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			_, err := s.Recv(nil)
			wantErr(t, "Recv with a context", err, os.ErrDeadlineExceeded)
		})
	}
	time.Sleep(10 * time.Millisecond)
	cancel()
	wg.Wait()
	if err := s.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "Send", s.Send(make([]byte, 60)), os.ErrDeadlineExceeded)
}

func TestClose(t *testing.T) {
	ns := netns.New(t)
	for i := range 50 {
		cfg := &afpacket.Config{TxStamps: afpacket.TxSoftware}
		s := bind(t, ns, afpacket.KindL2, cfg, "lo", testType)
		if err := s.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, f := range []func() error{
			func() error { _, err := s.Recv(make([]byte, 100)); return err },
			func() error { _, err := s.RecvBatch(messages(4, 100)); return err },
			func() error { _, err := s.TxTimestamp(); return err },
			func() error {
				for {
					if err := s.Send(make([]byte, 60)); err != nil {
						return err
					}
					time.Sleep(time.Millisecond)
				}
			},
		} {
			wg.Go(func() {
				if err := f(); err != nil {
					wantErr(t, "a wait", err, net.ErrClosed)
				}
			})
		}
		time.Sleep(time.Duration(i%5) * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		for name, err := range map[string]error{
			"Close":       s.Close(),
			"Send":        s.Send(nil),
			"Join":        s.Join(afpacket.Membership{Type: afpacket.Promiscuous}),
			"Lock":        s.LockFilter(),
			"deadline":    s.SetDeadline(time.Time{}),
			"Flush":       s.Flush(),
			"ClearFilter": s.ClearFilter(),
			"recv":        func() error { _, err := s.Recv(nil); return err }(),
			"Stats":       func() error { _, err := s.Stats(); return err }(),
			"conn":        func() error { _, err := s.SyscallConn(); return err }(),
			"addr":        func() error { _, err := s.LocalAddr(); return err }(),
			"timestamp":   func() error { _, err := s.TxTimestamp(); return err }(),
		} {
			wantErr(t, name+" after Close", err, net.ErrClosed)
		}
	}
}

func TestInterfaceDownAndGone(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	done := make(chan error, 1)
	go func() { _, err := b.Recv(nil); done <- err }()
	time.Sleep(5 * time.Millisecond)
	p.b.SetUp(t, "veth0", false)
	err := <-done
	wantErr(t, "Recv", err, capture.ErrInterfaceDown)
	if err != nil && !strings.Contains(err.Error(), "ip link set veth0 up") {
		t.Errorf("no advice in: %v", err)
	}
	wantErr(t, "Send", b.Send(p.frame(0)), capture.ErrInterfaceDown)
	p.b.SetUp(t, "veth0", true)
	p.b.WaitReady(t, "veth0")
	p.a.WaitReady(t, "veth0")
	send(t, a, p.frame(5))
	if m := recv(t, b); number(&m) != 5 {
		t.Errorf("after the interface came back: % x", m.Data)
	}

	// A socket that was bound while it was down.
	p.b.SetUp(t, "veth0", false)
	late := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	for _, s := range []*afpacket.Socket{b, late} {
		_, err = s.Recv(nil)
		wantErr(t, "Recv", err, capture.ErrInterfaceDown)
	}
	p.b.SetUp(t, "veth0", true)
	p.b.WaitReady(t, "veth0")
	p.a.WaitReady(t, "veth0")
	send(t, a, p.frame(6))
	if m := recv(t, late); number(&m) != 6 {
		t.Errorf("bound while it was down: % x", m.Data)
	}
	go func() {
		for {
			if _, err := b.Recv(make([]byte, 60)); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(5 * time.Millisecond)
	p.b.Delete(t, "veth0")
	wantErr(t, "Recv", <-done, capture.ErrInterfaceGone)
	_, err = b.Recv(nil)
	wantErr(t, "Recv again", err, capture.ErrInterfaceGone)
	wantErr(t, "Send", b.Send(p.frame(0)), capture.ErrInterfaceGone)
	// The kernel tells whoever asks first that the interface is down.
	wantErr(t, "Send before Recv", late.Send(p.frame(0)), capture.ErrInterfaceGone)
	if st, err := b.Stats(); err != nil || st.Received != 2 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

func TestBindErrors(t *testing.T) {
	p := newPair(t)
	wantErr(t, "no such interface", open(t, p.a, afpacket.KindL2, nil).Bind("nope0", testType), capture.ErrNoInterface)
	wantErr(t, "a name that is too long", open(t, p.a, afpacket.KindL2, nil).Bind(strings.Repeat("x", 99), testType), capture.ErrNoInterface)
	wantErr(t, "no such interface", open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 1}).Bind("nope0", 0), capture.ErrNoInterface)
	wantErr(t, "no interface", open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 1}).Bind("", 0), capture.ErrConfig)
	s := bind(t, p.a, afpacket.KindL2, nil, "veth0", testType)
	wantErr(t, "twice", s.Bind("veth0", testType), capture.ErrConfig)
	wantErr(t, "an IP address", s.BindIP(addrA), capture.ErrConfig)
	promisc := &afpacket.Config{Memberships: []afpacket.Membership{{Type: afpacket.Promiscuous}}}
	wantErr(t, "membership of all", open(t, p.a, afpacket.KindL2, promisc).Bind("", testType), capture.ErrConfig)
	wantErr(t, "fanout of nothing", open(t, p.a, afpacket.KindL2, &afpacket.Config{Fanout: &afpacket.Fanout{}}).Bind("veth0", 0), capture.ErrConfig)
	wantErr(t, "outgoing of one type", open(t, p.a, afpacket.KindL2, &afpacket.Config{Direction: capture.Out}).Bind("veth0", testType), capture.ErrConfig)
}

// TestRules has every combination that Open refuses, and a word of the rule.
func TestRules(t *testing.T) {
	mac := afpacket.HardwareAddrFromMAC(link.BroadcastMac())
	prog := accept(100)
	for _, c := range []struct {
		kind afpacket.Kind
		cfg  afpacket.Config
		want string
	}{
		{9, afpacket.Config{}, "Kind(9)"},
		{afpacket.KindL2, afpacket.Config{Protocol: 6}, "EtherType"},
		{afpacket.KindL3, afpacket.Config{HeaderIncluded: true}, "KindIPv4"},
		{afpacket.KindIPv4, afpacket.Config{}, "from 1 to 255"},
		{afpacket.KindIPv6, afpacket.Config{}, "from 1 to 255"},
		{afpacket.KindL2, afpacket.Config{Direction: 9}, "Direction"},
		{afpacket.KindIPv4, afpacket.Config{Protocol: 1, Direction: capture.Out}, "only receives"},
		{afpacket.KindL3, afpacket.Config{VLANInData: true}, "VLANInData"},
		{afpacket.KindL3, afpacket.Config{VnetHeader: true}, "VnetHeader"},
		{afpacket.KindIPv4, afpacket.Config{Protocol: 1, OriginalInterface: true}, "OriginalInterface"},
		{afpacket.KindIPv4, afpacket.Config{Protocol: 1, QdiscBypass: true}, "QdiscBypass"},
		{afpacket.KindIPv4, afpacket.Config{Protocol: 1, Memberships: make([]afpacket.Membership, 1)}, "Memberships"},
		{afpacket.KindIPv6, afpacket.Config{Protocol: 1, Fanout: &afpacket.Fanout{}}, "Fanout"},
		{afpacket.KindL2, afpacket.Config{TxStamps: 0x80}, "TxStamps"},
		{afpacket.KindL2, afpacket.Config{TxStamps: afpacket.TxSched, QdiscBypass: true}, "queueing discipline"},
		{afpacket.KindL2, afpacket.Config{ReadBuffer: -1}, "ReadBuffer"},
		{afpacket.KindL2, afpacket.Config{WriteBuffer: -1}, "WriteBuffer"},
		{afpacket.KindL2, afpacket.Config{BusyPoll: time.Nanosecond}, "microseconds"},
		{afpacket.KindL2, afpacket.Config{BusyPollBudget: 1 << 16}, "BusyPollBudget"},
		{afpacket.KindL2, afpacket.Config{Priority: -1}, "Priority"},
		{afpacket.KindL2, afpacket.Config{Memberships: []afpacket.Membership{{}}}, "Membership.Type"},
		{afpacket.KindL2, afpacket.Config{Memberships: []afpacket.Membership{{Type: afpacket.Multicast}}}, "no address"},
		{afpacket.KindL2, afpacket.Config{Memberships: []afpacket.Membership{{Type: afpacket.Promiscuous, Addr: mac}}}, "has the address"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Mode: 8}}, "Fanout.Mode"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Group: 1, UniqueID: true}}, "UniqueID"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Mode: afpacket.FanoutRollover, Rollover: true}}, "Rollover"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Members: 1 << 17}}, "Members"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Filter: prog}}, "FanoutFilter"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Program: 3}}, "FanoutProgram"},
		{afpacket.KindL2, afpacket.Config{Fanout: &afpacket.Fanout{Mode: afpacket.FanoutProgram, Program: -1}}, "descriptor"},
	} {
		s, err := afpacket.Open(c.kind, &c.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%v %+v: no error", c.kind, c.cfg)
			continue
		}
		wantErr(t, fmt.Sprintf("%v %+v", c.kind, c.cfg), err, capture.ErrConfig)
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("the error does not say %q: %v", c.want, err)
		}
	}
}

// TestPermission opens sockets without any capability.
func TestPermission(t *testing.T) {
	ns := netns.New(t)
	if err := ns.Do(func() error {
		// Of this thread alone, which ends with the function.
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			return errno
		}
		for _, kind := range []afpacket.Kind{afpacket.KindL2, afpacket.KindL3, afpacket.KindIPv4, afpacket.KindIPv6} {
			cfg := &afpacket.Config{}
			if kind >= afpacket.KindIPv4 {
				cfg.Protocol = 1
			}
			_, err := afpacket.Open(kind, cfg)
			wantErr(t, kind.String(), err, os.ErrPermission)
			if err != nil && !strings.Contains(err.Error(), "CAP_NET_RAW") {
				t.Errorf("no advice in: %v", err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestNoAllocations(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, &afpacket.Config{VLANInData: true}, "veth0", testType)
	frame, buf := p.frame(1), make([]byte, 128)
	to := afpacket.Addr{Interface: p.a.Interface(t, "veth0").Index, Hardware: afpacket.HardwareAddrFromMAC(p.bMAC)}
	out, in := make([]afpacket.Message, 8), messages(8, 128)
	for i := range out {
		out[i].Data = frame
	}
	round := func() {
		if err := a.Send(frame); err != nil {
			t.Error(err)
		}
		if err := a.SendTo(frame, to); err != nil {
			t.Error(err)
		}
		for range 2 {
			if _, err := b.Recv(buf); err != nil {
				t.Error(err)
			}
		}
		if _, err := a.SendBatch(out); err != nil {
			t.Error(err)
		}
		for n := 0; n < len(out); {
			k, err := b.RecvBatch(in[n:])
			if err != nil {
				t.Error(err)
				return
			}
			n += k
		}
	}
	round() // the batches' memory is made once
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations to send and receive", n)
	}
}

// TestConcurrent has everything happen at once, for the race detector.
func TestConcurrent(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, &afpacket.Config{TxStamps: afpacket.TxSoftware, ReadBuffer: 4 << 20}, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, &afpacket.Config{ReadBuffer: 4 << 20}, "veth0", testType)
	const n = 200
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range n {
				if err := a.Send(p.frame(i)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range n {
				if _, err := b.Recv(make([]byte, 100)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for range n {
				if _, err := a.TxTimestamp(); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for range 20 {
				if err := b.SetFilter(accept(1 << 16)); err != nil {
					t.Error(err)
				}
				if _, err := b.Stats(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
