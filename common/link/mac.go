package link

// MacAddr is a 48-bit IEEE 802 MAC address in transmission order. It is
// comparable; the zero value is 00:00:00:00:00:00.
type MacAddr [6]byte
