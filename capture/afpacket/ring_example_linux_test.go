package afpacket_test

import (
	"fmt"
	"log"

	"github.com/gopkts/gopkts/capture/afpacket"
)

// A block at a time, with a number in the memory of each that is the program's.
func ExampleRing_NextBlock() {
	read := func() error {
		s, err := afpacket.Open(afpacket.KindL2, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		r, err := s.Ring(afpacket.RingConfig{Rx: &afpacket.RxConfig{BlockSize: 1 << 20, BlockCount: 16, Private: 8}})
		if err != nil {
			return err
		}
		if err := s.Bind("eth0", afpacket.EtherTypeAll); err != nil {
			return err
		}
		var b afpacket.Block
		var f afpacket.RingFrame
		for {
			if err := r.NextBlock(&b); err != nil { // gives the block before back
				return err
			}
			b.Private()[0]++
			fmt.Println(b.Seq(), b.Status(), b.Len(), "frames until", b.Last())
			for {
				ok, err := b.Next(&f)
				if err != nil {
					return err
				}
				if !ok {
					break
				}
				fmt.Println(f.Addr(), len(f.Data), "of", f.WireLen)
			}
		}
	}
	if err := read(); err != nil {
		log.Print(err)
	}
}

// Frames go into slots, and the kernel is told of many at once.
func ExampleRing_Reserve() {
	send := func(frames [][]byte) error {
		s, err := afpacket.Open(afpacket.KindL2, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		r, err := s.Ring(afpacket.RingConfig{Tx: new(afpacket.TxConfig)})
		if err != nil {
			return err
		}
		if err := s.Bind("eth0", afpacket.EtherTypeNone); err != nil {
			return err
		}
		for i, frame := range frames {
			slot := r.Reserve()
			for slot == nil { // the ring is full
				if err := r.WaitSlot(); err != nil {
					return err
				}
				slot = r.Reserve()
			}
			if err := r.Commit(copy(slot, frame)); err != nil {
				return err
			}
			if i%64 == 63 {
				if err := r.Kick(); err != nil {
					return err
				}
			}
		}
		return r.Flush()
	}
	if err := send(nil); err != nil {
		log.Print(err)
	}
}
