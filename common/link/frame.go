package link

import (
	"bytes"
	"time"
)

// Frame is one captured frame: its bytes, and what is known about them.
//
// Data aliases memory of whoever produced the frame (a ring, a read buffer, a
// mapped file) and is valid until the producer's next read or its release;
// [Frame.Clone] keeps it.
type Frame struct {
	// Data holds the captured bytes, from the first byte of the link header.
	// It is shorter than [Info.WireLen] when the capture cut the frame.
	Data []byte
	Info
}

// Truncated reports whether the capture kept fewer bytes than were on the wire.
func (f *Frame) Truncated() bool { return len(f.Data) < f.WireLen }

// Clone returns a copy of f whose Data is its own.
func (f *Frame) Clone() Frame {
	c := *f
	c.Data = bytes.Clone(f.Data)
	return c
}

// Info is what a capture knows about a frame besides its bytes. The zero value
// of a field means that the producer does not know it.
type Info struct {
	// Time is when the frame was seen, to the nanosecond where the source has
	// it; TimeSource says whose clock that was.
	Time time.Time
	// WireLen is the length in bytes that the frame had on the wire, from the
	// first byte of the link header. Producers always set it.
	WireLen int
	// Interface is the operating system's index of the interface for a live
	// capture, and the interface's number within the file (from 0, counted
	// over all sections) for a pcapng file.
	Interface int
	// Hash is the receive flow hash that the device or kernel computed; valid
	// when Flags has InfoHash.
	Hash uint32
	// Link says how the first byte of Data is to be read.
	Link Type
	// VLANTCI and VLANTPID are the 802.1Q tag that the device or kernel took
	// off the frame; valid when Flags has InfoVLAN. A producer that put the
	// tag back into Data does not set it.
	VLANTCI, VLANTPID uint16
	// Direction is which way the frame went.
	Direction Direction
	// TimeSource is the clock behind Time.
	TimeSource TimeSource
	// Checksum is what the device or kernel says of the transport checksum.
	Checksum ChecksumStatus
	// Flags says which optional fields are valid.
	Flags InfoFlags
}

// InfoFlags says which optional fields of an [Info] are valid.
type InfoFlags uint8

const (
	// InfoVLAN says that VLANTCI and VLANTPID are valid.
	InfoVLAN InfoFlags = 1 << iota
	// InfoHash says that Hash is valid.
	InfoHash
	// InfoLossBefore says that the producer knows that it lost frames
	// directly before this one.
	InfoLossBefore
)

// Has reports whether all bits of x are set.
func (f InfoFlags) Has(x InfoFlags) bool { return f&x == x }

// Direction is which way a frame went, seen from the capturing host.
type Direction uint8

const (
	// DirectionUnknown is the zero value: the source does not say.
	DirectionUnknown Direction = iota
	// DirectionIn is a frame addressed to this host.
	DirectionIn
	// DirectionOut is a frame this host sent.
	DirectionOut
	// DirectionBroadcast is a received link-layer broadcast.
	DirectionBroadcast
	// DirectionMulticast is a received link-layer multicast.
	DirectionMulticast
	// DirectionOther is a received frame addressed to another host.
	DirectionOther
)

// String returns "in", "out", "broadcast", "multicast", "other" or "unknown".
func (d Direction) String() string {
	switch d {
	case DirectionIn:
		return "in"
	case DirectionOut:
		return "out"
	case DirectionBroadcast:
		return "broadcast"
	case DirectionMulticast:
		return "multicast"
	case DirectionOther:
		return "other"
	default:
		return "unknown"
	}
}

// TimeSource is the clock behind a timestamp.
type TimeSource uint8

const (
	// TimeUnknown is the zero value: the source does not say. Files never do.
	TimeUnknown TimeSource = iota
	// TimeSoftware is the kernel's clock, read when the frame reached it.
	TimeSoftware
	// TimeHardware is the network device's own clock, not converted.
	TimeHardware
	// TimeHardwareSynced is the device's clock converted to system time.
	TimeHardwareSynced
	// TimeUser is the system clock, read by the program that captured.
	TimeUser
)

// String returns "software", "hardware", "hardware-synced", "user" or "unknown".
func (s TimeSource) String() string {
	switch s {
	case TimeSoftware:
		return "software"
	case TimeHardware:
		return "hardware"
	case TimeHardwareSynced:
		return "hardware-synced"
	case TimeUser:
		return "user"
	default:
		return "unknown"
	}
}

// ChecksumStatus is what the device or kernel says of a frame's transport
// checksum. It says nothing about what the bytes say.
type ChecksumStatus uint8

const (
	// ChecksumUnknown is the zero value: nobody looked.
	ChecksumUnknown ChecksumStatus = iota
	// ChecksumValid says that the device or kernel verified the checksum.
	ChecksumValid
	// ChecksumPartial says that the checksum is not filled in yet, because the
	// device would have done so on transmission: what is in the frame is the
	// pseudo-header's sum.
	ChecksumPartial
)

// String returns "valid", "partial" or "unknown".
func (s ChecksumStatus) String() string {
	switch s {
	case ChecksumValid:
		return "valid"
	case ChecksumPartial:
		return "partial"
	default:
		return "unknown"
	}
}
