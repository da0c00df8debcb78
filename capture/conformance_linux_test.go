package capture_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/capture/internal/conformance"
	"github.com/gopkts/gopkts/common/link"
)

// openIn opens a Sniffer on an interface of a namespace.
func openIn(ns *netns.NS, name string, cfg *capture.Config) (s *capture.Sniffer, err error) {
	err = ns.Do(func() error {
		s, err = capture.Open(name, cfg)
		return err
	})
	return s, err
}

// smallRing is a ring of four blocks, which a few hundred frames fill.
func smallRing() *capture.Config {
	return &capture.Config{Ring: &capture.Ring{BlockSize: 1 << 16, BlockCount: 4}, Timeout: 50 * time.Millisecond}
}

// conformers are the backends that the conformance suite runs on.
var conformers = []struct {
	backend   capture.BackendType
	noFreezes bool
}{
	{capture.BackendRing, false},
	{capture.BackendMessages, true},
}

// with returns cfg for a backend.
func with(cfg *capture.Config, backend capture.BackendType) *capture.Config {
	var c capture.Config
	if cfg != nil {
		c = *cfg
	}
	c.Backend = backend
	return &c
}

func TestConformanceVeth(t *testing.T) {
	for _, b := range conformers {
		t.Run(b.backend.String(), func(t *testing.T) {
			conformance.Run(t, func(t *testing.T) *conformance.Fixture {
				here, there := netns.New(t), netns.New(t)
				netns.Connect(t, here, "veth0", there, "veth0")
				peer := openPeer(t, there, "veth0")
				ready := func(name string) {
					here.WaitReady(t, name)
					there.WaitReady(t, "veth0")
				}
				return &conformance.Fixture{
					Open: func(cfg *capture.Config) (*capture.Sniffer, error) {
						return openIn(here, "veth0", with(cfg, b.backend))
					},
					Inject:     peer.Send,
					Seen:       []link.Direction{link.DirectionIn},
					SentSeen:   []link.Direction{link.DirectionOut},
					Sent:       func() ([]byte, error) { return nextReceived(peer) },
					MAC:        here.Interface(t, "veth0").MAC,
					MaxFrame:   1514,
					TooLong:    1600,
					Small:      smallRing(),
					SmallBytes: 1 << 18,
					SetUp: func(up bool) {
						here.SetUp(t, "veth0", up)
						if up {
							ready("veth0")
						}
					},
					Remove: func() { here.Delete(t, "veth0") },
					// An interface that is up can be renamed since Linux 6.2.
					Rename:   func() { here.Rename(t, "veth0", "renamed") },
					MoveAway: func() { here.Move(t, "veth0", netns.New(t)) },
					SetMTU: func(mtu int) {
						here.SetMTU(t, "veth0", mtu)
						there.SetMTU(t, "veth0", mtu)
					},
					NoFreezes:  b.noFreezes,
					CloseLoops: 100,
				}
			})
		})
	}
}

func TestConformanceLoopback(t *testing.T) {
	for _, b := range conformers {
		t.Run(b.backend.String(), func(t *testing.T) {
			conformance.Run(t, func(t *testing.T) *conformance.Fixture {
				here := netns.New(t)
				peer := openPeer(t, here, "lo")
				twice := []link.Direction{link.DirectionOut, link.DirectionIn}
				return &conformance.Fixture{
					Open: func(cfg *capture.Config) (*capture.Sniffer, error) {
						return openIn(here, "lo", with(cfg, b.backend))
					},
					Inject:     peer.Send,
					Seen:       twice,
					SentSeen:   twice,
					MaxFrame:   8192, // of 65550, so that the small ring holds some
					TooLong:    66000,
					Small:      smallRing(),
					SmallBytes: 1 << 18,
					SetUp:      func(up bool) { here.SetUp(t, "lo", up) },
					SetMTU:     func(mtu int) { here.SetMTU(t, "lo", mtu) },
					NoFreezes:  b.noFreezes,
					CloseLoops: 50,
				}
			}, "Gone", "GoneWhileReading", "GoneLate", "GoneWhenDown", // a namespace keeps its loopback interface
				"MoveAway", "Rename")
		})
	}
}

// openPeer opens the Sniffer that plays the rest of the network. It has no ring,
// whose blocks a slow sender would use up with a frame in each.
func openPeer(t *testing.T, ns *netns.NS, name string) *capture.Sniffer {
	t.Helper()
	peer, err := openIn(ns, name, &capture.Config{Backend: capture.BackendMessages, Immediate: true, Direction: capture.In})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := peer.Activate(nil); err != nil {
		t.Fatal(err)
	}
	return peer
}

// nextReceived returns the next frame of the suite that s receives.
func nextReceived(s *capture.Sniffer) ([]byte, error) {
	if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	var f link.Frame
	for {
		if err := s.Next(&f); err != nil {
			return nil, err
		}
		if len(f.Data) > 14 && binary.BigEndian.Uint16(f.Data[12:]) == 0x88b5 {
			return bytes.Clone(f.Data), nil
		}
	}
}
