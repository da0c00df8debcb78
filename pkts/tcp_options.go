package pkts

// TCPOptions are the options of a TCP header as they are encoded.
type TCPOptions []byte
