package sys

// OnlyIncomingByFilter makes s leave outgoing frames out as it does on a kernel
// without PACKET_IGNORE_OUTGOING.
func (s *Socket) OnlyIncomingByFilter() { s.prefix = onlyIncoming() }
