package link

import (
	"bytes"
	"testing"
	"time"
)

func TestFrameClone(t *testing.T) {
	buf := []byte{1, 2, 3, 4}
	f := Frame{
		Data: buf,
		Info: Info{
			Time: time.Unix(1, 2), WireLen: 60, Interface: 3, Hash: 4, Link: TypeEthernet, VLANTCI: 5, VLANTPID: 0x8100,
			Direction: DirectionIn, TimeSource: TimeHardware, Checksum: ChecksumValid, Flags: InfoVLAN | InfoHash,
		},
	}
	c := f.Clone()
	if !bytes.Equal(c.Data, buf) || c.Info != f.Info {
		t.Errorf("Clone = %+v, want %+v", c, f)
	}
	// The producer reads the next frame into its buffer.
	copy(buf, "\xff\xff\xff\xff")
	if want := []byte{1, 2, 3, 4}; !bytes.Equal(c.Data, want) {
		t.Errorf("the clone's data became %x, want %x", c.Data, want)
	}
	if empty := new(Frame).Clone(); empty.Data != nil {
		t.Errorf("the clone of no data has %v", empty.Data)
	}
}

func TestFrameTruncated(t *testing.T) {
	for _, tc := range []struct {
		have, wire int
		want       bool
	}{{60, 60, false}, {60, 61, true}, {0, 1, true}, {0, 0, false}, {64, 60, false}} {
		f := Frame{Data: make([]byte, tc.have), Info: Info{WireLen: tc.wire}}
		if got := f.Truncated(); got != tc.want {
			t.Errorf("Truncated with %d of %d bytes = %v, want %v", tc.have, tc.wire, got, tc.want)
		}
	}
}

func TestInfoFlags(t *testing.T) {
	f := InfoVLAN | InfoLossBefore
	for _, tc := range []struct {
		x    InfoFlags
		want bool
	}{{InfoVLAN, true}, {InfoHash, false}, {InfoLossBefore, true}, {InfoVLAN | InfoHash, false}, {InfoVLAN | InfoLossBefore, true}, {0, true}} {
		if got := f.Has(tc.x); got != tc.want {
			t.Errorf("%b.Has(%b) = %v, want %v", f, tc.x, got, tc.want)
		}
	}
}

func TestStrings(t *testing.T) {
	for got, want := range map[string]string{
		DirectionUnknown.String():   "unknown",
		DirectionIn.String():        "in",
		DirectionOut.String():       "out",
		DirectionBroadcast.String(): "broadcast",
		DirectionMulticast.String(): "multicast",
		DirectionOther.String():     "other",
		Direction(99).String():      "unknown",
		TimeUnknown.String():        "unknown",
		TimeSoftware.String():       "software",
		TimeHardware.String():       "hardware",
		TimeHardwareSynced.String(): "hardware-synced",
		TimeUser.String():           "user",
		TimeSource(99).String():     "unknown",
		ChecksumUnknown.String():    "unknown",
		ChecksumValid.String():      "valid",
		ChecksumPartial.String():    "partial",
		ChecksumStatus(99).String(): "unknown",
	} {
		if got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}
