package capture

import (
	"fmt"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// openRing opens AF_PACKET with a TPACKET_V3 ring.
func openRing(ifi link.Interface, cfg *Config) (Backend, error) {
	hardware, err := deviceStamps(ifi, cfg)
	if err != nil {
		return nil, err
	}
	cooked := cookedFor(ifi.Link)
	s, err := sys.Open(&sys.Config{
		Interface:   ifi.Index,
		Name:        ifi.Name,
		BlockSize:   cfg.Ring.BlockSize,
		BlockCount:  cfg.Ring.BlockCount,
		FrameSize:   cfg.Ring.FrameSize,
		Retire:      cfg.Timeout,
		Promiscuous: cfg.Promiscuous,
		NoOutgoing:  cfg.Direction == In,
		NoIncoming:  cfg.Direction == Out,
		Cooked:      cooked.sys(),
		Hardware:    hardware,
	})
	if err != nil {
		return nil, openAdvice(err)
	}
	return newPacketBackend(s, ifi, cooked, BackendInfo{
		Type:   BackendRing,
		Detail: fmt.Sprintf("TPACKET_V3, %d blocks of %d KiB", cfg.Ring.BlockCount, cfg.Ring.BlockSize>>10),
	})
}
