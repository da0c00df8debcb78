package capturetest_test

import (
	"errors"
	"testing"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/capture/internal/conformance"
	"github.com/gopkts/gopkts/common/link"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Fixture {
		mac := link.MacAddr{2, 0, 0, 0, 0, 2}
		ifc := capturetest.New(link.Interface{Name: "fake0", MAC: mac, HasMAC: true})
		var sent [][]byte
		gone := false
		return &conformance.Fixture{
			Open: func(cfg *capture.Config) (*capture.Sniffer, error) { return ifc.Open(cfg) },
			Inject: func(b []byte) error {
				if gone {
					return errors.New("interface was removed")
				}
				ifc.Inject(b)
				return nil
			},
			Seen:     []link.Direction{link.DirectionIn},
			SentSeen: []link.Direction{link.DirectionOut},
			Sent: func() ([]byte, error) {
				sent = append(sent, ifc.Sent()...)
				if len(sent) == 0 {
					return nil, errors.New("nothing was sent")
				}
				b := sent[0]
				sent = sent[1:]
				return b, nil
			},
			MAC:        mac,
			MaxFrame:   1514,
			TooLong:    1600,
			Small:      &capture.Config{Ring: &capture.Ring{BlockSize: 1 << 16, BlockCount: 4}},
			SmallBytes: 1 << 18,
			SetUp:      ifc.SetUp,
			Remove: func() {
				gone = true
				ifc.Remove()
			},
			CloseLoops: 3000,
		}
	}, "NoAllocs", // it copies every frame
		"Rename", "MoveAway", "SetMTU") // it stays what it was made
}
