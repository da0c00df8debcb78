package afpacket

// DirectionFilter is what a kernel without PACKET_IGNORE_OUTGOING needs.
var DirectionFilter = directionFilter
