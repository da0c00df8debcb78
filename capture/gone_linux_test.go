package capture_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// TestGoneWhileSending removes an interface under those who send on it, or moves
// it to another namespace. The kernel takes it down first, and tells the first
// one who sends afterwards no more than that.
func TestGoneWhileSending(t *testing.T) {
	for _, backend := range []capture.BackendType{capture.BackendRing, capture.BackendMessages, capture.BackendXDP} {
		for _, how := range []string{"removed", "moved"} {
			t.Run(backend.String()+" "+how, func(t *testing.T) {
				here, there := netns.New(t), netns.New(t)
				netns.Connect(t, here, "veth0", there, "veth0")
				var s *capture.Sniffer
				if err := here.Do(func() (err error) {
					s, err = capture.Open("veth0", &capture.Config{Backend: backend})
					return err
				}); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				frame := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5"), make([]byte, 46)...)
				failed := make(chan error)
				for _, send := range []func() error{
					func() error { return s.Send(frame) },
					func() error { _, err := s.SendBatch([][]byte{frame, frame, frame}); return err },
				} {
					go func() {
						for end := time.Now().Add(time.Minute); ; {
							if err := send(); err != nil || time.Now().After(end) {
								failed <- err
								return
							}
						}
					}()
				}
				time.Sleep(20 * time.Millisecond) // it goes on
				if how == "removed" {
					here.Delete(t, "veth0")
				} else {
					here.Move(t, "veth0", netns.New(t))
				}
				for range 2 {
					if err := <-failed; !errors.Is(err, capture.ErrInterfaceGone) {
						t.Errorf("sending: %v, want ErrInterfaceGone", err)
					}
				}
			})
		}
	}
}
