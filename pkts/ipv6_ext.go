package pkts

func finalDestination(h []byte) []byte { return nil }
