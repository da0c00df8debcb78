package fuzz

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// Both halves together, over a cable between two network namespaces: what the
// kernel sends is captured and taken apart, and what is built here is sent and
// answered by the kernel of the other namespace.

var (
	hereV4, thereV4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	hereV6, thereV6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// cable is two namespaces, and a Sniffer at the near one's end.
type cable struct {
	here, there       *netns.NS
	hereMAC, thereMAC link.MacAddr
	*capture.Sniffer
}

func newCable(t *testing.T) *cable {
	t.Helper()
	c := &cable{here: netns.New(t), there: netns.New(t)}
	c.here.EnableIPv6(t)
	c.there.EnableIPv6(t)
	netns.Connect(t, c.here, "veth0", c.there, "veth0")
	c.here.AddAddress(t, "veth0", hereV4.String()+"/24")
	c.there.AddAddress(t, "veth0", thereV4.String()+"/24")
	c.here.AddAddress(t, "veth0", hereV6.String()+"/64")
	c.there.AddAddress(t, "veth0", thereV6.String()+"/64")
	c.hereMAC = c.here.Interface(t, "veth0").MAC
	c.thereMAC = c.there.Interface(t, "veth0").MAC
	if err := c.here.Do(func() (err error) {
		c.Sniffer, err = capture.Open("veth0", &capture.Config{Immediate: true})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Activate(nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// until decodes what is captured until found says so.
func (c *cable) until(t *testing.T, found func(f *link.Frame, p *pkts.Packet) bool) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var (
		f link.Frame
		p pkts.Packet
	)
	for {
		if err := c.Next(&f); err != nil {
			t.Fatalf("not captured: %v", err)
		}
		if err := p.Decode(f.Link, f.Data); err != nil {
			t.Fatalf("% x: %v", f.Data, err)
		}
		for check := range p.Checks() {
			// A checksum that the device is to fill in is none yet.
			if check.Status == pkts.CheckBad && f.Checksum != link.ChecksumPartial && f.Direction != link.DirectionOut {
				t.Errorf("%v: %v.%s is %#x, want %#x", &p, check.Node.Proto(), check.Field, check.Have, check.Want)
			}
		}
		if found(&f, &p) {
			return
		}
	}
}

func TestPingDissected(t *testing.T) {
	c := newCable(t)
	c.here.Run(t, "ping", "-4", "-c", "1", thereV4.String())
	asked := false
	c.until(t, func(f *link.Frame, p *pkts.Packet) bool {
		icmp, ok := pkts.Get[pkts.ICMPv4](p)
		if !ok {
			return false
		}
		ip := pkts.Must[pkts.IPv4](p)
		switch icmp.Type {
		case pkts.ICMPv4Echo:
			asked = ip.Src == hereV4 && ip.Dst == thereV4 && f.Direction == link.DirectionOut
		case pkts.ICMPv4EchoReply:
			return asked && ip.Src == thereV4 && ip.Dst == hereV4 && icmp.Seq == 1 && f.Direction == link.DirectionIn
		}
		return false
	})
}

func TestFragmentsDissected(t *testing.T) {
	c := newCable(t)
	c.here.Run(t, "ping", "-6", "-c", "1", "-s", "4000", "-I", hereV6.String(), thereV6.String())
	var next, id uint32
	c.until(t, func(f *link.Frame, p *pkts.Packet) bool {
		frag, ok := pkts.Get[pkts.IPv6Fragment](p)
		if !ok || f.Direction != link.DirectionIn {
			return false
		}
		if next == 0 {
			id = frag.ID
			if !pkts.Has[pkts.ICMPv6Echo](p) {
				t.Errorf("%v: the first fragment has no echo header", p)
			}
		} else if frag.ID != id || pkts.Has[pkts.ICMPv6](p) {
			t.Errorf("%v: identification %#x, want %#x, and no ICMPv6 header", p, frag.ID, id)
		}
		if got := uint32(frag.FragmentOffset) * 8; got != next {
			t.Errorf("%v: fragment at %d, want %d", p, got, next)
		}
		v, _ := pkts.View[pkts.IPv6FragmentView](p)
		next += uint32(len(v)) - pkts.IPv6FragmentLen
		return !frag.More
	})
	if next != 4000+8 {
		t.Errorf("the fragments have %d bytes, want 4008", next)
	}
}

// TestHandshake sends a SYN that was built here to the kernel of the other
// namespace, and resets what it opened.
func TestHandshake(t *testing.T) {
	c := newCable(t)
	var port uint16
	if err := c.there.Do(func() error {
		l, err := net.ListenTCP("tcp", nil)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		port = l.Addr().(*net.TCPAddr).AddrPort().Port()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eth := &pkts.Ethernet{Dst: c.thereMAC, Src: c.hereMAC}
	// Addresses that nobody has, so that no kernel here answers the answer.
	for _, ip := range []pkts.Layer{
		&pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.77"), Dst: thereV4},
		&pkts.IPv6{HopLimit: 64, Src: netip.MustParseAddr("2001:db8::77"), Dst: thereV6},
	} {
		t.Run(ip.Proto().Name, func(t *testing.T) {
			c.there.Run(t, "ip", "neigh", "replace", addrOf(ip).String(), "lladdr", c.hereMAC.String(), "dev", "veth0")
			tcp := &pkts.TCP{SrcPort: 40000, DstPort: port, Seq: 0xffffffff, Flags: pkts.TCPSyn, Window: 1024}
			tcp.Options = tcp.Options.AppendMSS(536)
			send := func() {
				b, err := pkts.Stack(eth, ip, tcp).AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Send(b); err != nil {
					t.Fatal(err)
				}
			}
			send()
			c.until(t, func(f *link.Frame, p *pkts.Packet) bool {
				got, ok := pkts.Get[pkts.TCP](p)
				if !ok || f.Direction == link.DirectionOut || got.DstPort != tcp.SrcPort {
					return false
				}
				if got.Flags != pkts.TCPSyn|pkts.TCPAck || got.Ack != 0 || got.SrcPort != port {
					t.Errorf("%v, want SYN+ACK of 0", p)
				}
				if p.Flow().Reverse().Src != addrOf(ip) {
					t.Errorf("flow %v", p.Flow())
				}
				return true
			})
			tcp.Flags, tcp.Seq, tcp.Options = pkts.TCPRst, 0, nil
			send()
		})
	}
}

func addrOf(l pkts.Layer) netip.Addr {
	if ip, ok := l.(*pkts.IPv4); ok {
		return ip.Src
	}
	return l.(*pkts.IPv6).Src
}
