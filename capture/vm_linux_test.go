package capture_test

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
)

// TestVMCable runs where .ci/vm/run put it: between two network cards of a
// driver that is no veth, joined by a cable. Every backend that the kernel has
// receives what another sends there; AF_XDP without copies, where the guest says
// that its kernel can.
func TestVMCable(t *testing.T) {
	here, there, ok := strings.Cut(os.Getenv("GOPKTS_VM_CABLE"), ",")
	if !ok {
		t.Skip("GOPKTS_VM_CABLE does not name two cards: .ci/vm/run does in its guests")
	}
	peer, err := capture.Open(there, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	for _, backend := range []capture.BackendType{capture.BackendRing, capture.BackendMessages, capture.BackendXDP} {
		t.Run(backend.String(), func(t *testing.T) {
			s, err := capture.Open(here, &capture.Config{Backend: backend})
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			t.Log(s.Backend())
			if backend == capture.BackendXDP {
				want := os.Getenv("GOPKTS_VM_ZEROCOPY") == "1"
				if got := strings.Contains(s.Backend().Detail, "zero copy"); got != want {
					t.Errorf("%v: zero copy %v, want %v", s.Backend(), got, want)
				}
			}
			if err := s.Activate(nil); err != nil {
				t.Fatal(err)
			}
			exchange(t, peer, s)
			if err := peer.Activate(nil); err != nil {
				t.Fatal(err)
			}
			exchange(t, s, peer)
		})
	}
}

// exchange sends frames of all lengths from one end to the other and wants
// every byte. The emulated cable may lose a frame: each is waited for, and sent
// again when it does not come.
func exchange(t *testing.T, from, to *capture.Sniffer) {
	t.Helper()
	const frames = 100
	mac := to.Interface().MAC
	var f link.Frame
	for n := range uint32(frames) {
		b := make([]byte, 60+n*1454/(frames-1))
		for i := range b {
			b[i] = byte(uint32(i) * (n + 1))
		}
		copy(b, mac[:])
		copy(b[6:], []byte{2, 0, 0, 0, 0, 9})
		b[12], b[13] = 0x88, 0xb5 // for local experiments
		binary.BigEndian.PutUint32(b[14:], n)
		tries := 0
		for sent := false; ; {
			if !sent {
				if tries++; tries > 10 {
					t.Fatalf("frame %d of %d does not come", n, frames)
				}
				if err := from.Send(b); err != nil {
					t.Fatalf("send frame %d: %v", n, err)
				}
				if err := to.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
					t.Fatal(err)
				}
				sent = true
			}
			switch err := to.Next(&f); {
			case errors.Is(err, os.ErrDeadlineExceeded):
				sent = false
				continue
			case err != nil:
				t.Fatalf("frame %d of %d: %v", n, frames, err)
			}
			if len(f.Data) < 18 || f.Data[12] != 0x88 || f.Data[13] != 0xb5 || f.Direction == link.DirectionOut ||
				binary.BigEndian.Uint32(f.Data[14:]) < n {
				continue // the kernel's own, what this end sent before, or one that came twice
			}
			break
		}
		if string(f.Data) != string(b) {
			t.Fatalf("frame %d: got %d bytes, % x, want %d, % x", n, len(f.Data), f.Data[:18], len(b), b[:18])
		}
	}
}

// TestVMStampsOffered asks a card that has a clock, but one that stamps messages
// of PTP only, for its stamps of all frames: they are neither offered nor given,
// though package afpacket gets those that there are.
func TestVMStampsOffered(t *testing.T) {
	card, _, ok := strings.Cut(os.Getenv("GOPKTS_VM_STAMPS"), ",")
	if !ok {
		t.Skip("GOPKTS_VM_STAMPS does not name two cards that stamp frames: .ci/vm/run does in its guests")
	}
	offered := []capture.TimestampType{capture.TimestampHost, capture.TimestampHostHiPrec}
	if types, err := capture.TimestampTypes(card); err != nil || !slices.Equal(types, offered) {
		t.Errorf("TimestampTypes = %v, %v, want %v", types, err, offered)
	}
	for _, typ := range []capture.TimestampType{capture.TimestampAdapter, capture.TimestampAdapterUnsynced} {
		s, err := capture.Open(card, &capture.Config{Timestamp: typ})
		var te *capture.TimestampError
		if !errors.As(err, &te) || te.Type != typ || !slices.Equal(te.Offered, offered) {
			t.Errorf("Open with %v = %v, want a TimestampError", typ, err)
		}
		if err == nil {
			s.Close()
		}
	}
}
