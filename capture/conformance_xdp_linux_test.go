package capture_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/conformance"
	"github.com/gopkts/gopkts/common/link"
)

// xdpGenericMTU is more than veth's driver can do with a program that does not
// know of pieces, and less than what needs them.
const xdpGenericMTU = 3600

// xdpOpener returns a function that opens Sniffers with AF_XDP on an interface,
// one after the other: a queue belongs to one socket, so the one that a test has
// opened before must go. Closing it again is no mistake for the suite.
func xdpOpener(t *testing.T, ns *netns.NS, name, want string) func(*capture.Config) (*capture.Sniffer, error) {
	var last *capture.Sniffer
	return func(cfg *capture.Config) (*capture.Sniffer, error) {
		if last != nil {
			last.Close()
		}
		var c capture.Config
		if cfg != nil {
			c = *cfg
		}
		c.Backend = capture.BackendXDP
		s, err := openIn(ns, name, &c)
		// Open waits for the queue, but not as long as a busy machine may take to
		// give it back.
		for end := time.Now().Add(time.Minute); errors.Is(err, syscall.EBUSY) && time.Now().Before(end); {
			s, err = openIn(ns, name, &c)
		}
		if err != nil {
			return nil, err
		}
		last = s
		want := want
		if c.Direction == capture.Out {
			want = "sends only"
		}
		if b := s.Backend(); b.Type != capture.BackendXDP || !strings.Contains(b.Detail, want) {
			t.Errorf("backend %v, want xdp, %s", b, want)
		}
		return s, nil
	}
}

// xdpInject lets a cable, which with XDP has room for 256 frames and drops what
// is more without counting it, get rid of them now and then.
func xdpInject(peer *capture.Sniffer) func([]byte) error {
	var n atomic.Uint32
	return func(b []byte) error {
		if n.Add(1)%64 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		return peer.Send(b)
	}
}

// xdpFixture is a pair of interfaces, of which one is captured with AF_XDP.
func xdpFixture(t *testing.T, mtu int) (*conformance.Fixture, *netns.NS, *netns.NS) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	want, chunk := "copies in the driver", 2048
	if mtu != 1500 {
		here.SetMTU(t, "veth0", mtu)
		there.SetMTU(t, "veth0", mtu)
		chunk = 4096
	}
	if mtu == xdpGenericMTU {
		want = "generic"
	}
	peer := openPeer(t, there, "veth0")
	return &conformance.Fixture{
		Open:       xdpOpener(t, here, "veth0", want),
		Inject:     xdpInject(peer),
		Seen:       []link.Direction{link.DirectionIn},
		SentSeen:   []link.Direction{link.DirectionOut},
		Sent:       func() ([]byte, error) { return nextReceived(peer) },
		MAC:        here.Interface(t, "veth0").MAC,
		MaxFrame:   mtu + 14,
		TooLong:    mtu + 100,
		Small:      &capture.Config{BufferSize: 256 * chunk}, // frames of any length
		SmallBytes: 256 * 1024,                               // by the lengths that the suite has
		SetUp: func(up bool) {
			here.SetUp(t, "veth0", up)
			if up {
				here.WaitReady(t, "veth0")
				there.WaitReady(t, "veth0")
			}
		},
		Remove:     func() { here.Delete(t, "veth0") },
		MoveAway:   func() { here.Move(t, "veth0", netns.New(t)) },
		CloseLoops: 20, // the kernel takes 40 ms to give a queue back
	}, here, there
}

// xdpExcept are the tests that are not for AF_XDP. Down and Rename open a second
// Sniffer on the interface, which AF_XDP does not have: TestXDPDown and
// TestXDPMoved. SetMTU wants lengths that the memory of a frame, or the driver
// with a program in it, has no room for: TestXDPTooLong.
func xdpExcept(more ...string) []string {
	return append([]string{"Down", "Rename", "SetMTU"}, more...)
}

func TestConformanceXDP(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Fixture {
		x, _, _ := xdpFixture(t, 1500)
		return x
	}, xdpExcept()...)
}

func TestConformanceXDPGeneric(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Fixture {
		x, _, _ := xdpFixture(t, xdpGenericMTU)
		return x
	}, xdpExcept()...)
}

// TestConformanceXDPPieces has frames that take several chunks.
func TestConformanceXDPPieces(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Fixture {
		x, _, _ := xdpFixture(t, 9000)
		return x
	}, xdpExcept()...)
}

// TestConformanceXDPLoopback has the longest frames, through generic XDP.
func TestConformanceXDPLoopback(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Fixture {
		here := netns.New(t)
		peer := openPeer(t, here, "lo")
		return &conformance.Fixture{
			Open:   xdpOpener(t, here, "lo", "generic"),
			Inject: peer.Send,
			// What others send is not seen before it arrives.
			Seen:       []link.Direction{link.DirectionIn},
			SentSeen:   []link.Direction{link.DirectionOut, link.DirectionIn},
			MaxFrame:   65550,
			TooLong:    66000,
			Small:      &capture.Config{BufferSize: 256 * 4096},
			SmallBytes: 256 * 1024,
			CloseLoops: 20,
		}
	},
		// A namespace keeps its loopback interface. What is sent at once goes out
		// before any of it comes in.
		xdpExcept("Gone", "GoneWhileReading", "GoneLate", "GoneWhenDown", "MoveAway", "SendBatch")...)
}
