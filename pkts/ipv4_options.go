package pkts

// ECN is the explicit congestion notification field, RFC 3168, section 5.
type ECN uint8

const (
	NotECT ECN = iota // not ECN-capable
	ECT1              // ECN-capable, L4S in RFC 9331
	ECT0              // ECN-capable
	CE                // congestion experienced
)

// IPv4Options are the options of an IPv4 header as they are encoded.
type IPv4Options []byte
