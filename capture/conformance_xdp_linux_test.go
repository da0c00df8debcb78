package capture_test

import (
	"testing"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/conformance"
	"github.com/gopkts/gopkts/common/link"
)

// smallXDP has room for 256 frames, of any length.
func smallXDP() *capture.Config {
	return &capture.Config{BufferSize: 256 * 2048}
}

// xdpFixture is a pair of interfaces, of which one is captured with AF_XDP.
func xdpFixture(t *testing.T) (*conformance.Fixture, *netns.NS, *netns.NS) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	peer := openPeer(t, there, "veth0")
	// A queue belongs to one socket: the one that a test has opened before must
	// go. Closing it again is no mistake for the suite.
	var last *capture.Sniffer
	open := func(cfg *capture.Config) (*capture.Sniffer, error) {
		if last != nil {
			last.Close()
		}
		var c capture.Config
		if cfg != nil {
			c = *cfg
		}
		c.Backend = capture.BackendXDP
		s, err := openIn(here, "veth0", &c)
		if err == nil {
			last = s
		}
		return s, err
	}
	return &conformance.Fixture{
		Open:       open,
		Inject:     peer.Send,
		Seen:       []link.Direction{link.DirectionIn},
		SentSeen:   []link.Direction{link.DirectionOut},
		Sent:       func() ([]byte, error) { return nextReceived(peer) },
		MAC:        here.Interface(t, "veth0").MAC,
		MaxFrame:   1514,
		TooLong:    1600,
		Small:      smallXDP(),
		SmallBytes: 256 * 1024, // half of a chunk each, on the average of the suite
		Remove:     func() { here.Delete(t, "veth0") },
		CloseLoops: 50, // the kernel takes 40 ms to give a queue back
	}, here, there
}

func TestConformanceXDP(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Fixture {
		x, _, _ := xdpFixture(t)
		return x
	}, "Down") // opens a second Sniffer, which a queue cannot have: TestXDPDown
}
