package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gopkts/gopkts/capture/afxdp"
)

// addXDPReceiver adds AF_XDP, read by the batch.
func addXDPReceiver(m map[string]func(string, settings) (receiver, error)) {
	m["afxdp"] = func(ifi string, set settings) (receiver, error) {
		s, err := afxdp.Open(ifi, &afxdp.Config{Send: -1, Timeout: set.timeout})
		return &xdp{set: set, s: s, frames: make([]afxdp.Frame, batch)}, err
	}
}

// xdp receives by an [afxdp.Socket].
type xdp struct {
	set    settings
	s      *afxdp.Socket
	frames []afxdp.Frame
}

func (x *xdp) read(n int, t *tally) error {
	for n > 0 {
		k, err := x.s.Receive(x.frames[:min(n, batch)])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil // only stop sets one
		}
		if err != nil {
			return err
		}
		for _, f := range x.frames[:k] {
			t.add(len(f.Data), uint64(f.Data[12]))
		}
		if err := x.s.Release(x.frames[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

func (x *xdp) stop() error { return x.s.SetReadDeadline(time.Now().Add(x.set.late())) }

func (x *xdp) dropped() (uint64, error) {
	st, err := x.s.Stats()
	return st.Dropped, err
}

func (x *xdp) detail() string { return fmt.Sprintf("AF_XDP, %v, Receive of %d", x.s.Mode(), batch) }

// addXDPSender adds AF_XDP, a batch at a time.
func addXDPSender(m map[string]func(string, []byte) (sender, error)) {
	m["afxdp"] = func(ifi string, frame []byte) (sender, error) {
		s, err := afxdp.Open(ifi, &afxdp.Config{Receive: -1, Send: 1024})
		if err != nil {
			return sender{}, err
		}
		frames := make([][]byte, batch)
		for i := range frames {
			frames[i] = frame
		}
		queue := s.Queues()[0]
		return sender{detail: s.Mode().String(), send: func() error {
			_, err := s.Send(queue, frames)
			return err
		}}, nil
	}
}
