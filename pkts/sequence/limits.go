package sequence

import "time"

// Limits bounds what a Sequence holds. Zero fields have the defaults of the
// type that has the Limits. What a limit costs is counted, and evictions take
// what was quiet for longest.
type Limits struct {
	// Bytes is the memory for everything that waits, in bytes, bookkeeping
	// included.
	Bytes int64
	// FlowBytes is the part of it that one flow may take.
	FlowBytes int64
	// Flows is the number of flows (datagrams that wait for fragments,
	// connections, associations) that are known at the same time.
	Flows int
	// Idle is how long a flow may be quiet, by the time of the packets,
	// before it is given up. Negative means for ever.
	Idle time.Duration
}

// or returns l with the zero fields taken from d.
func (l Limits) or(d Limits) Limits {
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	if l.FlowBytes == 0 {
		l.FlowBytes = d.FlowBytes
	}
	if l.Flows == 0 {
		l.Flows = d.Flows
	}
	if l.Idle == 0 {
		l.Idle = d.Idle
	}
	return l
}
