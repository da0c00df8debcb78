package main

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/gopkts/gopkts/capture/afpacket"
)

// addRingReceiver adds a TPACKET_V3 ring of package capture/afpacket, read frame
// by frame.
func addRingReceiver(m map[string]func(string, settings) (receiver, error)) {
	m["afpacket"] = func(ifi string, set settings) (receiver, error) {
		s, err := afpacket.Open(afpacket.KindL2, nil)
		if err != nil {
			return nil, err
		}
		r := &ring{s: s, set: set}
		r.r, err = s.Ring(afpacket.RingConfig{Rx: &afpacket.RxConfig{
			BlockSize: blockSize, BlockCount: set.size / blockSize, Retire: set.timeout, NoHash: true,
		}})
		if err != nil {
			return nil, err
		}
		return r, s.Bind(ifi, afpacket.EtherTypeAll)
	}
}

// ring receives by an [afpacket.Ring].
type ring struct {
	set     settings
	s       *afpacket.Socket
	r       *afpacket.Ring
	stopped atomic.Bool
	frame   afpacket.RingFrame
}

func (r *ring) read(n int, t *tally) error {
	f := &r.frame
	for range n {
		if err := r.r.Next(f); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && r.stopped.Load() {
				return nil
			}
			return err
		}
		t.add(len(f.Data), uint64(f.Data[12])+uint64(f.Time.Nanosecond()))
	}
	return nil
}

// stop lets the kernel hand over its last block first.
func (r *ring) stop() error {
	r.stopped.Store(true)
	return r.s.SetReadDeadline(time.Now().Add(r.set.late()))
}

func (r *ring) dropped() (uint64, error) {
	st, err := r.s.Stats()
	return st.Dropped, err
}

func (r *ring) detail() string {
	return fmt.Sprintf("TPACKET_V3, blocks of %d KiB, Ring.Next", blockSize>>10)
}

// addRingSender adds a transmit ring: a batch is filled in and sent by one call.
func addRingSender(m map[string]func(string, []byte) (sender, error)) {
	m["afpacket"] = func(ifi string, frame []byte) (sender, error) {
		s, err := afpacket.Open(afpacket.KindL2, nil)
		if err != nil {
			return sender{}, err
		}
		r, err := s.Ring(afpacket.RingConfig{Tx: &afpacket.TxConfig{BlockCount: 32}}) // 1,024 slots
		if err != nil {
			return sender{}, err
		}
		// EtherType 0: it receives nothing.
		if err := s.Bind(ifi, 0); err != nil {
			return sender{}, err
		}
		return sender{detail: fmt.Sprintf("%d slots", r.Slots()), send: func() error {
			for range batch {
				slot := r.Reserve()
				for slot == nil {
					if err := r.WaitSlot(); err != nil {
						return err
					}
					slot = r.Reserve()
				}
				if err := r.Commit(copy(slot, frame)); err != nil {
					return err
				}
			}
			return r.Kick()
		}}, nil
	}
}
