package sequence

import (
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// StreamState is how far a connection has come.
type StreamState uint8

const (
	StreamOpening    StreamState = iota // a SYN was seen, and no answer
	StreamOpen                          // both directions are open
	StreamHalfClosed                    // one side has sent a FIN
	StreamClosed                        // both have
	StreamReset                         // one has sent a RST
)

// String returns a name such as "half-closed".
func (s StreamState) String() string {
	switch s {
	case StreamOpening:
		return "opening"
	case StreamOpen:
		return "open"
	case StreamHalfClosed:
		return "half-closed"
	case StreamClosed:
		return "closed"
	case StreamReset:
		return "reset"
	}
	return "unknown"
}

// StreamInfo is what a [TCP] knows of a connection.
type StreamInfo struct {
	// Stream is the number of the packet that began it, as in [Chunk].
	Stream uint64
	// Flow is its Forward direction.
	Flow   pkts.Flow
	Tunnel uint64 // as in [Datagram]
	// First and Last are the times of its first and its last packet.
	First, Last time.Time
	State       StreamState
	// Close says why it is over, and ClosedBy who sent the RST.
	Close    CloseReason
	ClosedBy Direction
	// Handshake is the time from the first SYN to the acknowledgment of the
	// SYN that answers it: the round-trip time between the endpoints, wherever
	// between them the capture was made. 0 if it was not seen.
	Handshake time.Duration
	// Sides are the directions, by [Direction].
	Sides [2]StreamSide
}

// StreamSide is what is known of one direction of a connection.
type StreamSide struct {
	Packets uint64 // all of them
	Bytes   uint64 // of payload, repetitions included
	// Delivered is the number of bytes of the stream that came out.
	Delivered uint64
	// Retransmissions are segments that were sent again, as far as that is
	// known: their bytes, SYN or FIN were there, or they filled a gap later than
	// a round trip takes. RetransmittedBytes are bytes that were there.
	Retransmissions, RetransmittedBytes uint64
	// OutOfOrder are segments that came after later ones, but too soon to be
	// sent again.
	OutOfOrder uint64
	Lost       uint64 // bytes that are missing
	Gaps       uint64 // stretches of them
	SYN, FIN   bool   // whether it was seen
	// RTT is the time from here to the receiver and back: from a segment that
	// was sent once to its acknowledgment, RFC 6298. Min is the shortest,
	// Mean is smoothed as there, Samples is how many there were.
	// Their unit is the microsecond.
	RTTMin, RTTMean time.Duration
	RTTSamples      uint64
}

// info returns what is known of a connection.
func (t *TCP) info(k *tcpKey, c *tcpConn) StreamInfo {
	fwd := int(c.fwd)
	s := StreamInfo{
		Stream: c.stream, Flow: k.flow(fwd), Tunnel: k.tunnel,
		First: t.when(c.first), Last: t.when(c.last), Close: c.close, ClosedBy: Direction(c.resetBy ^ c.fwd),
	}
	if c.first == tcpNoTime {
		s.Last = time.Time{}
	}
	a, b := &c.half[fwd], &c.half[fwd^1]
	fins := a.flags&tcpFINSeen + b.flags&tcpFINSeen
	switch {
	case c.close == CloseReset:
		s.State = StreamReset
	case fins == 2*tcpFINSeen:
		s.State = StreamClosed
	case fins != 0:
		s.State = StreamHalfClosed
	case (a.flags|b.flags)&tcpSYNSeen != 0 && (a.flags&b.flags)&tcpSeen == 0:
		s.State = StreamOpening
	default:
		s.State = StreamOpen
	}
	if a.rttSYN > 0 && b.rttSYN > 0 {
		s.Handshake = time.Duration(int64(a.rttSYN)+int64(b.rttSYN)) * time.Microsecond
	}
	for i, h := range [2]*tcpHalf{a, b} {
		side := &s.Sides[i]
		*side = StreamSide{
			Packets: h.packets, Bytes: h.bytes,
			Retransmissions: uint64(h.retrans), RetransmittedBytes: h.retransBytes, OutOfOrder: uint64(h.ooo),
			Lost: h.lost, Gaps: uint64(h.gaps), SYN: h.flags&tcpSYNSeen != 0, FIN: h.flags&tcpFINSeen != 0,
			RTTMin: time.Duration(h.rttMin) * time.Microsecond, RTTMean: time.Duration(h.rttMean) * time.Microsecond, RTTSamples: uint64(h.samples),
		}
		if h.flags&tcpSync != 0 {
			side.Delivered = h.off - h.lost
			if h.flags&tcpMidway != 0 {
				side.Delivered -= tcpMidstream
			}
		}
	}
	return s
}
