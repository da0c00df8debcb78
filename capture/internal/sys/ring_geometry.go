package sys

import (
	"fmt"
	"math"
	"time"
)

// Rules of packet_set_ring in the kernel's net/packet/af_packet.c.
const (
	// RingAlign is TPACKET_ALIGNMENT: what a frame size is a multiple of.
	RingAlign = 16
	// MaxRing is the most that the rings of one socket may have in bytes. It
	// keeps offsets within 32 bits, which the kernel counts with, and within
	// an int on every machine.
	MaxRing = math.MaxInt32
	// MaxHeadroom is the most headroom in bytes: offsets within a frame are 16
	// bits wide, and the kernel drops a frame whose header lies further away.
	MaxHeadroom = 1<<16 - 512
	// MaxRetire is the longest retire timeout.
	MaxRetire = time.Minute
)

// RxGeometry is the shape of a TPACKET_V3 receive ring.
type RxGeometry struct {
	BlockSize  int           // bytes
	BlockCount int           // at least 2
	FrameSize  int           // bytes; the kernel checks it and has no use for it
	Retire     time.Duration // whole milliseconds
	Private    int           // bytes of each block that are the program's
	Headroom   int           // bytes that are free before each frame
	NoHash     bool          // leave the flow hash out
}

// TxGeometry is the shape of a transmit ring: slots of FrameSize bytes, as many
// in each block as fit.
type TxGeometry struct {
	FrameSize  int  // bytes of a slot, with its header
	BlockSize  int  // bytes
	BlockCount int  // at least 1
	Loss       bool // the kernel passes over frames that it does not like: PACKET_LOSS
}

// Len returns the length of the ring in bytes.
func (g *RxGeometry) Len() int { return g.BlockSize * g.BlockCount }

// Len returns the length of the ring in bytes.
func (g *TxGeometry) Len() int { return g.BlockSize * g.BlockCount }

// Slots returns how many frames the ring has room for.
func (g *TxGeometry) Slots() int { return g.BlockSize / g.FrameSize * g.BlockCount }

// TxHeaderLen is the length in bytes of what precedes the data in a slot,
// without offsets of its own: struct tpacket3_hdr.
const TxHeaderLen = 48

// CheckRings returns an error that names the first rule which one of the rings
// breaks, for pages of page bytes. Either may be nil, and both share one
// mapping.
func CheckRings(rx *RxGeometry, tx *TxGeometry, page int) error {
	headroom := 0
	if rx != nil {
		if err := rx.check(page); err != nil {
			return err
		}
		headroom = rx.Headroom
	}
	if tx != nil {
		if err := tx.check(page, headroom); err != nil {
			return err
		}
	}
	if rx != nil && tx != nil && uint64(rx.Len())+uint64(tx.Len()) > MaxRing {
		return fmt.Errorf("the rings have %d and %d bytes: must be at most %d together", rx.Len(), tx.Len(), MaxRing)
	}
	return nil
}

func (g *RxGeometry) check(page int) error {
	switch {
	case g.Headroom < 0 || g.Headroom > MaxHeadroom:
		return fmt.Errorf("receive ring: Headroom is %d: must be from 0 to %d", g.Headroom, MaxHeadroom)
	case g.Retire < time.Millisecond || g.Retire > MaxRetire:
		return fmt.Errorf("receive ring: Retire is %v: must be from %v to %v", g.Retire, time.Millisecond, MaxRetire)
	case g.Retire%time.Millisecond != 0:
		return fmt.Errorf("receive ring: Retire is %v: must be whole milliseconds", g.Retire)
	case g.BlockCount < 2:
		return fmt.Errorf("receive ring: BlockCount is %d: must be at least 2, one to read and one to fill", g.BlockCount)
	}
	if err := checkBlocks("receive ring", g.BlockSize, g.BlockCount, g.FrameSize, g.Headroom, page); err != nil {
		return err
	}
	if g.Private < 0 || g.Private >= g.BlockSize {
		return fmt.Errorf("receive ring: Private is %d: must not be negative, and less than BlockSize, %d", g.Private, g.BlockSize)
	}
	// The kernel aligns the private area to 8 bytes.
	if need := BlockHeaderLen + (g.Private+7)&^7 + PacketHeaderLen + g.Headroom; g.BlockSize <= need {
		return fmt.Errorf("receive ring: BlockSize is %d: must be more than header, Private and Headroom, %d", g.BlockSize, need)
	}
	return nil
}

func (g *TxGeometry) check(page, headroom int) error {
	if g.BlockCount < 1 {
		return fmt.Errorf("transmit ring: BlockCount is %d: must be at least 1", g.BlockCount)
	}
	return checkBlocks("transmit ring", g.BlockSize, g.BlockCount, g.FrameSize, headroom, page)
}

// checkBlocks checks what both rings have in common.
func checkBlocks(ring string, size, count, frame, headroom, page int) error {
	switch least := PacketHeaderLen + headroom; {
	case size <= 0 || size%page != 0:
		return fmt.Errorf("%s: BlockSize is %d: must be a multiple of the page size, %d", ring, size, page)
	case uint64(size)*uint64(count) > MaxRing:
		return fmt.Errorf("%s: %d blocks of %d bytes: must be at most %d bytes altogether", ring, count, size, MaxRing)
	case frame%RingAlign != 0:
		return fmt.Errorf("%s: FrameSize is %d: must be a multiple of %d", ring, frame, RingAlign)
	case frame < least:
		return fmt.Errorf("%s: FrameSize is %d: must be at least %d, the header and the headroom", ring, frame, least)
	case frame > size:
		return fmt.Errorf("%s: FrameSize is %d: must be at most BlockSize, %d", ring, frame, size)
	}
	return nil
}
