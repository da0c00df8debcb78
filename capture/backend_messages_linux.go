package capture

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

const (
	// messagesMemory is about how many bytes frames are received into at once.
	messagesMemory = 4 << 20
	// minMessages and maxMessages bound how many frames that makes.
	minMessages = 8
	maxMessages = 64
)

// openMessages opens AF_PACKET without a ring: recvmmsg(2) and sendmmsg(2).
func openMessages(ifi link.Interface, cfg *Config) (Backend, error) {
	hardware, err := deviceStamps(ifi, cfg)
	if err != nil {
		return nil, err
	}
	cooked := cookedFor(ifi.Link)
	// Memory that no frame is long enough for is never touched.
	longest := min(cfg.SnapLen, DefaultSnapLen)
	count := min(max(messagesMemory/longest, minMessages), maxMessages)
	q, err := sys.OpenQueue(&sys.QueueConfig{
		Interface:   ifi.Index,
		Name:        ifi.Name,
		Buffer:      cfg.BufferSize,
		Longest:     longest,
		Messages:    count,
		Promiscuous: cfg.Promiscuous,
		NoOutgoing:  cfg.Direction == In,
		NoIncoming:  cfg.Direction == Out,
		Cooked:      cooked.sys(),
		Hardware:    hardware,
		Linger:      lingerFor(cfg),
	})
	if err != nil {
		return nil, openAdvice(err)
	}
	buffer, err := q.Buffer()
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return newPacketBackend(q, ifi, cooked, BackendInfo{
		Type:   BackendMessages,
		Detail: fmt.Sprintf("recvmmsg of %d frames, socket buffer of %d KiB", count, buffer>>10),
	})
}

// lingerFor returns how long frames may gather where the kernel has no timer for
// it. A millisecond is not possible: a wait for one may take two.
func lingerFor(cfg *Config) time.Duration {
	if cfg.Timeout <= minTimeout {
		return 0
	}
	return cfg.Timeout
}
