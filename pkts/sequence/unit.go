package sequence

import (
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// Seen says which packet something came from.
type Seen struct {
	// Packet is the packet's number in its capture, from 1.
	Packet uint64
	// Time is when it was captured. It is the only clock that a Sequence
	// knows. A packet that is earlier than one before it does not set the
	// clock back.
	Time time.Time
}

// Datagram is an IP packet, whole or a fragment.
type Datagram struct {
	// Data begins with the IP header. It ends where the header says, or where
	// the capture cut the packet.
	Data []byte
	// Seen is the packet that brought it; of one that was put together, the
	// packet that completed it.
	Seen
	// Tunnel tells apart packets that have the same addresses but came
	// through different tunnels. It is 0 outside of any.
	Tunnel uint64
}

// Direction is which way a stream's bytes went.
type Direction uint8

const (
	// Forward is from the endpoint that opened the connection, or that was
	// seen first where its beginning was not captured.
	Forward Direction = iota
	// Backward is the other way.
	Backward
)

// String returns the name in lower case.
func (d Direction) String() string {
	if d == Backward {
		return "backward"
	}
	return "forward"
}

// Event is what happened to a stream at a [Chunk].
type Event uint8

const (
	// Start is the first chunk of its direction. With a Chunk.Offset below 1<<32
	// the SYN was seen, or the answer to it; otherwise the capture began later.
	Start Event = 1 << iota
	// End is the last chunk of its direction, after which there will be none:
	// everything up to the FIN has come, or nobody waits any longer.
	End
	// Reset says that the connection was reset: End goes with it.
	Reset
	// Expired says that End is due to a limit (idle time, memory, flows), or
	// to Flush, not to the endpoints.
	Expired
)

// Has reports whether all bits of x are set.
func (e Event) Has(x Event) bool { return e&x == x }

// Chunk is a piece of a stream's one direction. The chunks of a direction come
// in order.
type Chunk struct {
	// Data are the bytes. It is empty when only something else is reported.
	Data []byte
	// Offset is where in the stream's direction Data begins, in bytes; 0 is
	// the first byte after the SYN. Where no SYN of the direction was seen,
	// nor the answer to it, the first byte that was seen has the offset 1<<32.
	Offset uint64
	// Lost is the number of bytes that are missing right before Data: they
	// were never captured, or came too late.
	Lost uint64
	// Stream is the connection: the number of the packet that began it.
	Stream uint64
	// Flow is the connection in the direction of Data.
	Flow pkts.Flow
	// Seen is the packet that carried Data.
	Seen
	// Tunnel is as in [Datagram].
	Tunnel uint64
	// Direction is which of the two it is.
	Direction Direction
	// Events says what happened here.
	Events Event

	_ uint64 // a multiple of 16 bytes is copied without overlaps
}

// Message is what one endpoint handed over in one piece.
type Message struct {
	// Data is the message, whole, unless Err says otherwise.
	Data []byte
	// Offset is where the message begins in its direction of a stream, in
	// bytes. It is 0 for protocols without such numbers.
	Offset uint64
	// Lost is the number of bytes (of a stream) or messages (of a protocol
	// that keeps bounds) that are missing right before it.
	Lost uint64
	// Stream is the connection or association: the number of the packet that
	// began it.
	Stream uint64
	// Flow is the connection in the direction of the message.
	Flow pkts.Flow
	// First and Last are the packets that carried its first and its last byte.
	First, Last Seen
	// Tunnel is as in [Datagram].
	Tunnel uint64
	// Err is nil for a message. Otherwise Data are bytes that none could be
	// made of, or that break off, and Err says why.
	Err error
	// PPID is the payload protocol identifier of SCTP, RFC 9260, section
	// 3.3.1.
	PPID uint32
	// Channel is the stream identifier of SCTP.
	Channel uint16
	// Unordered says that SCTP was told not to mind the order.
	Unordered bool
	// Direction is which of the two it is.
	Direction Direction
}
